# A server that is killed in the middle of updates: what was acknowledged is
# there, once; what was not is there once or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use UserstoreTest;

my $clients = 6;
my $users = 20;

my $node = UserstoreTest->new_node('crash', conf => "fsync = on\nsynchronous_commit = on\n");
$node->safe_psql('userstore', qq{
	SELECT userstore.user_table_create('people');
	SELECT count(userstore.user_create('people', '{"n": 0}', 'u' || i)) FROM generate_series(0, @{[ $users - 1 ]}) i;
});

# Each client counts up one member of a shared user at a time, by merge
# patches, so that a change that is lost or made twice shows.
sub request
{
	my ($client, $n) = @_;
	my $user = 'u' . ($n * 7 + $client) % $users;
	return qq{userstore.user_patch('people', '$user', '{"client$client": $n}', 'client $client request $n')};
}

my @acknowledged = (0) x $clients;
for my $round (1 .. 2)
{
	my @sessions;
	for my $client (0 .. $clients - 1)
	{
		my $file = "$PostgreSQL::Test::Utils::tmp_check/client$client.sql";
		my $in = '';
		unlink $file;
		for my $n ($acknowledged[$client] + 1 .. $acknowledged[$client] + 20000)
		{
			$in .= "SELECT $n FROM " . request($client, $n) . ";\n";
		}
		append_to_file($file, $in);
		my %session = (out => '', err => '');
		$session{run} = IPC::Run::start([ 'psql', '-XAtq', '-v' => 'ON_ERROR_STOP=1', '-d' => $node->connstr('userstore'), '-f' => $file ],
			'<', \undef, '>', \$session{out}, '2>', \$session{err});
		push @sessions, \%session;
	}
	# until all are at work
	for (1 .. 1800)
	{
		$_->{run}->pump_nb for @sessions;
		last unless grep { ($_->{out} =~ tr/\n//) < 30 } @sessions;
		usleep(100_000);
	}
	$node->stop('immediate');
	for my $client (0 .. $clients - 1)
	{
		my $session = $sessions[$client];
		eval { $session->{run}->finish };
		my ($last) = $session->{out} =~ /(\d+)\n[^\n]*\z/;
		isnt($session->{err}, '', "round $round, client $client: was cut off");
		cmp_ok($last // 0, '>=', $acknowledged[$client] + 30, "round $round, client $client: had been at work");
		$acknowledged[$client] = $last;
	}
	$node->start;

	my @lost;
	for my $client (0 .. $clients - 1)
	{
		my $done = $node->safe_psql('userstore',
			qq{SELECT coalesce(string_agg(split_part(key, ' ', 4), ',' ORDER BY split_part(key, ' ', 4)::int), '')
			FROM people_idempotency WHERE key LIKE 'client $client %'});
		my $count = () = $done =~ /\d+/g;
		my $all = join ',', 1 .. $count;
		is($done, $all, "round $round, client $client: no request but the last can be missing");
		ok($count == $acknowledged[$client] || $count == $acknowledged[$client] + 1,
			"round $round, client $client: all that was acknowledged is there ($acknowledged[$client] of $count)");

		# The client repeats the one whose answer it missed, and some before.
		my $next = $acknowledged[$client] + 1;
		my $counts = q{SELECT (SELECT count(*) FROM people_history) || ' ' || (SELECT count(*) FROM people_idempotency)};
		my $before = $node->safe_psql('userstore', $counts);
		$node->safe_psql('userstore', join ';', map { 'SELECT FROM ' . request($client, $_) } $next - 25 .. $next - 1);
		is($node->safe_psql('userstore', $counts), $before, "round $round, client $client: replays change nothing");
		$node->safe_psql('userstore', 'SELECT FROM ' . request($client, $next));
		$acknowledged[$client] = $next;
	}
	is($node->safe_psql('userstore', q{SELECT count(*) FROM people_idempotency}),
		eval { my $sum = 0; $sum += $_ for @acknowledged; $sum }, "round $round: each request has its key");
	is($node->safe_psql('userstore', q{
		SELECT k.key, count(h.user_id) FROM people_idempotency k
		LEFT JOIN people_history h ON h.user_id = k.user_id AND h.version = k.version
			AND h.document ->> ('client' || split_part(k.key, ' ', 2)) = split_part(k.key, ' ', 4)
		GROUP BY k.key HAVING count(h.user_id) <> 1}), '', "round $round: and its change, once");
	is($node->safe_psql('userstore', q{SELECT count(*) FROM people_history WHERE operation = 'patch'}),
		$node->safe_psql('userstore', 'SELECT count(*) FROM people_idempotency'),
		"round $round: and there are no other changes");
	is($node->safe_psql('userstore', q{
		SELECT p.id FROM people p JOIN people_history h ON h.user_id = p.id GROUP BY p.id
		HAVING count(*) <> p.version OR min(h.version) <> 1 OR max(h.version) <> p.version
			OR (array_agg(h.document ORDER BY h.version DESC))[1] <> p.document}), '',
		"round $round: history has no holes and ends with what stands");
}

done_testing();
