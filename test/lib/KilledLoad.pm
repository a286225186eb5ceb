# userstore-load, started again each time that it is killed, on users made by
# GeneratedUsers: each record must have been applied once.
#
#   my $load = KilledLoad->new($node, users => 20_000, kills => 3);
#   $load->users;      # each is there, in version 1, as generated
#   $load->patches;    # each change is made, once
#   $load->peak;       # the most memory that it had, in bytes, or undef

package KilledLoad;

use strict;
use warnings;

use GeneratedUsers;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $batch = 100;

# Options: users, kills; patched: how many of the users are patched (all).
sub new
{
	my ($class, $node, %self) = @_;
	my $self = bless {
		node => $node, peak => 0, patched => $self{users}, dir => PostgreSQL::Test::Utils::tempdir(), %self,
		seed => $ENV{USERSTORE_LOAD_SEED} // int(rand 1_000_000) + 1 }, $class;

	note("USERSTORE_LOAD_SEED=$self->{seed}");
	srand $self->{seed};
	$self->{input} = "$self->{dir}/users.ndjson";
	GeneratedUsers::write_users($self->{input}, $self->{users}, $self->{seed});
	return $self;
}

sub query { return (shift)->{node}->safe_psql('userstore', @_) }

# ---- The program -----------------------------------------------------------

# Starts it; $self->{run} is what runs.
sub start
{
	my ($self, @arguments) = @_;
	my $node = $self->{node};

	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'userstore');
	($self->{out}, $self->{err}) = ('', '');
	$self->{run} = IPC::Run::start([ 'userstore-load', '--no-progress', '--jobs=2', "--batch=$batch", @arguments ],
		'<', \undef, '>', \$self->{out}, '2>', \$self->{err});
	return;
}

# Is it still at work?  Looks at its memory, too.
sub at_work
{
	my ($self) = @_;

	if (open my $status, '<', "/proc/$self->{run}{KIDS}[0]{PID}/status")
	{
		local $/;
		my ($peak) = (<$status> // '') =~ /^VmHWM:\s*(\d+) kB/m;
		$self->{peak} = $peak * 1024 if defined $peak && $peak * 1024 > $self->{peak};
	}
	return $self->{run}->pumpable && do { $self->{run}->pump_nb; $self->{run}->pumpable };
}

# Lets it end; gives the exit status.
sub end
{
	my ($self) = @_;

	sleep 0.02 while $self->at_work;
	$self->{run}->finish;
	return $? >> 8;
}

sub peak { return (shift)->{peak} || undef }

# It does all of an input, in so many batches, though it is killed when some of
# them are done, wherever it is by then.
sub survive
{
	my ($self, $what, $batches, $totals, @arguments) = @_;
	my @after = sort { $a <=> $b } map { int(rand $batches * 0.7) } 1 .. $self->{kills};
	my $keys = 'SELECT count(*) FROM people_idempotency';
	my $before = $self->query($keys);
	# a session of its own, since it is asked often
	my ($in, $out) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $self->{node}->connstr('userstore') ], '<', \$in, '>', \$out);
	my $done = sub {
		($in, $out) = ("$keys;\n", '');
		$session->pump until $out =~ /\n/;
		return $out - $before;
	};
	my $killed = 0;

	foreach my $after (@after)
	{
		$self->start(@arguments);
		sleep 0.002 while $self->at_work && $done->() <= $after;
		sleep rand 0.02;
		$self->{run}->signal('KILL');
		$self->{run}->finish;
		$killed++ if ($? & 127) == 9;
	}
	$session->finish;
	# of a short load, the end may come before a late kill does
	cmp_ok($killed, '>=', $batches < 1000 ? 1 : $self->{kills}, "$what: killed $killed times, after some of $batches batches: @after");
	$self->start(@arguments);
	is($self->end, 0, "$what: the last time it comes to its end") or diag($self->{err});
	my ($replayed) = $self->{err} =~ /; (\d+) of them before\)/;
	$self->{err} =~ s/; \d+ of them before\)/)/;
	like($self->{err}, qr/^\Q$totals\E, /, "$what: $totals");
	cmp_ok($replayed // 0, '>=', $after[-1] * $batch, "$what: " . ($replayed // 'none') . ' of them before');
	is($self->query($keys) - $before, $batches, "$what: a key for each batch");
	return;
}

# ---- What is there after that ----------------------------------------------

sub batches { return int(($_[0] + $batch - 1) / $batch) }

sub users
{
	my ($self) = @_;
	my $n = $self->{users};

	$self->query(q{SELECT userstore.user_table_create('people', 'scim')});
	$self->survive('users', batches($n), "$n read, $n applied ($n created, 0 changed, 0 as they were), 0 rejected",
		'--creates', 'people', $self->{input});
	$self->query(qq{
		CREATE UNLOGGED TABLE expected (n bigint GENERATED ALWAYS AS IDENTITY, body jsonb);
		COPY expected (body) FROM '$self->{input}' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')});
	is($self->query(q{SELECT count(*), count(DISTINCT id), min(version), max(version) FROM people}), "$n|$n|1|1", 'each user is there once, in version 1');
	is($self->query(q{SELECT count(*) FROM expected e FULL JOIN people p ON p.id = e.body ->> 'id'
		WHERE p.document IS DISTINCT FROM e.body - '{id,schemas}'::text[]}), '0', 'as generated');
	is($self->query(q{SELECT count(*) FROM people_history}), $n, 'history has one version of each');
	is($self->query(q{SELECT count(*) FROM people p FULL JOIN people_history h ON h.user_id = p.id
		WHERE h.version IS DISTINCT FROM 1 OR h.document IS DISTINCT FROM p.document OR h.changed_at IS DISTINCT FROM p.modified_at}), '0', 'which is what stands');
	return;
}

sub patches
{
	my ($self) = @_;
	my $n = $self->{patched};
	my $messages = 2 * $n;
	my $input = "$self->{dir}/patches.ndjson";

	GeneratedUsers::write_patches($input, $n, $self->{seed});
	$self->survive('patches', batches($messages), "$messages read, $messages applied (0 created, $messages changed, 0 as they were), 0 rejected",
		'--patch', 'people', $input);
	is($self->query(qq{SELECT count(*), min(p.version), max(p.version) FROM people p JOIN expected e ON p.id = e.body ->> 'id' WHERE e.n <= $n}), "$n|3|3", 'patches: each is applied once');
	is($self->query(qq{SELECT count(*) FROM people p JOIN expected e ON p.id = e.body ->> 'id'
		WHERE e.n <= $n AND p.document <> e.body - '{id,schemas}'::text[] || jsonb_build_object('title', 'Title 2 of ' || n, 'phoneNumbers',
			(e.body -> 'phoneNumbers') || jsonb_build_array(jsonb_build_object('value', '+1 ' || n, 'type', 'other'), jsonb_build_object('value', '+2 ' || n, 'type', 'other')))}),
		'0', 'patches: in their order');
	is($self->query(q{SELECT count(*) FROM people_history}), $self->{users} + $messages, 'patches: history has a version of each');
	is($self->query(q{SELECT count(*) FROM people p LEFT JOIN people_history h ON h.user_id = p.id AND h.version = p.version
		WHERE h.document IS DISTINCT FROM p.document}), '0', 'patches: and what stands');
	is($self->query(qq{SELECT count(*) FROM people p JOIN expected e ON p.id = e.body ->> 'id' WHERE e.n > $n AND p.version <> 1}), '0', 'patches: the others are as they were');
	return;
}

1;
