# examples/reports.sql in a fresh database, asked by roles that may read the views
# and what doc/history.md says: it gives what doc/reports.md shows; the charts are
# drawn from that; Perl makes the same of the raw rows; row security hides rows in
# each report.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $home = "$FindBin::RealBin/../..";
my $enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
my $node = UserstoreTest->new_node('reports');

command_ok([ 'psql', '-X', '-q', '-d', $node->connstr('userstore'), '-f', "$home/examples/reports_data.sql" ], 'the users are made');
# sessions of their own: they cannot become anybody else
$node->safe_psql('userstore', 'ALTER ROLE reports_analyst LOGIN; ALTER ROLE reports_sales LOGIN');

# ask(ROLE, OPTION...): what the reports print, by number
sub ask
{
	my ($role, @options) = @_;
	my ($out, $err);

	ok(IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('userstore'), '-U', $role, '-v', "role=$role", @options,
				'-f', "$home/examples/reports.sql" ], '>', \$out, '2>', \$err), "$role asks") or diag($err);
	is($err, '', 'without a complaint');
	my %report = $out =~ /^=== (\d+)\. .*?\n(.*?)(?=^=== |\z)/msg;
	is(join(' ', sort { $a <=> $b } keys %report), '1 2 3 4 5 6 7 8 9 10', 'ten answers');
	return \%report;
}

# rows of a report as --csv prints it: hashes by column, without quotes in values
sub rows
{
	my ($csv) = @_;
	my ($head, @lines) = split /\n/, $csv =~ s/\n+\z//r;
	my @names = split /,/, $head =~ s/"([^"]*)"/$1 =~ s{,}{}gr/ger;

	return map {
		my %row;
		@row{@names} = split /,/, s/"([^"]*)"/$1 =~ s{, ?}{ }gr/ger, -1;
		\%row
	} @lines;
}

# ---- Who may what ----------------------------------------------------------

is($node->safe_psql('userstore', q{
	SELECT string_agg(c.relname, ' ' ORDER BY c.relname COLLATE "C") FROM pg_class c
	WHERE relnamespace = 'staff'::regnamespace AND relkind IN ('r', 'v') AND has_table_privilege('reports_analyst', c.oid, 'SELECT');
	SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'staff.people'::regclass AND has_column_privilege('reports_analyst', attrelid, attnum, 'SELECT');
	SELECT count(*) FROM pg_class c WHERE relnamespace = 'staff'::regnamespace AND relkind IN ('r', 'v')
		AND has_table_privilege('reports_analyst', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')}),
	"person person_emails person_phone_numbers\nid document version created_at modified_at\n0",
	'who asks may read views and columns, and change nothing');

# ---- What the documents show -----------------------------------------------

my $sql = slurp_file("$home/examples/reports.sql");
my $doc = slurp_file("$home/doc/reports.md");
my $plain = ask('reports_analyst');
my $all = ask('reports_analyst', '--csv');
my %query = $sql =~ /^\\echo '=== (\d+)\. .*?'\n(?:--[^\n]*\n)+(.*?)(?=^\\echo$|\z)/msg;
my %title = $sql =~ /^\\echo '=== (\d+)\. (.*)'$/mg;
my %shown = $doc =~ /^## (\d+)\. (.*?)(?=^## |\z)/msg;

foreach my $n (1 .. 10)
{
	my ($title, $query, $output) = $shown{$n} =~ /\A(.*?)\n.*?^```sql\n(.*?)^```\n```\n(.*?)^```$/ms;

	is($title, $title{$n}, "report $n in doc/reports.md");
	is($query, $query{$n} =~ s/\n+\z/\n/r, 'its query');
	is($output, $plain->{$n} =~ s/ +$//mgr =~ s/\n+/\n/gr, 'its output');
}
foreach my $chart ([ 5, 'headcount' ], [ 6, 'joiners' ])
{
	my ($n, $name) = @$chart;
	my ($numbers) = slurp_file("$home/doc/$name.svg") =~ /<desc>(.*?)<\/desc>/s;

	is($numbers, $all->{$n} =~ s/\n+\z/\n/r, "$name.svg is drawn from report $n");
	like($doc, qr/\($name\.svg\)/, 'and shown');
}

# ---- The same in Perl ------------------------------------------------------

# What the tables have.  The history of a user begins with what was before it.
my $today = $node->safe_psql('userstore', q{SELECT extract(epoch FROM timestamptz '2026-10-02 00:00Z')::bigint});
my $tables = JSON::PP->new->decode($node->safe_psql('userstore', q{
	SELECT jsonb_build_object('users', (SELECT jsonb_object_agg(id, jsonb_build_object('document', document, 'created', extract(epoch FROM created_at),
			'modified', extract(epoch FROM modified_at))) FROM staff.people),
		'history', (SELECT jsonb_agg(jsonb_build_object('id', user_id, 'at', extract(epoch FROM changed_at), 'operation', operation, 'document', document,
			'before', before, 'actor', actor, 'month', to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM')) ORDER BY user_id, version) FROM staff.people_history))}));
my (%timeline, %gone);

# [at, document, history row]
foreach my $row (@{ $tables->{history} })
{
	push @{ $timeline{ $row->{id} } }, [ 0, $row->{before}, undef ] if !$timeline{ $row->{id} } && $row->{before};
	push @{ $timeline{ $row->{id} } }, [ $row->{at}, $row->{document}, $row ];
}
foreach my $id (keys %{ $tables->{users} })
{
	my $user = $tables->{users}{$id};
	my $begin = $timeline{$id}[0];

	if (!$begin)
	{
		$timeline{$id} = [ [ $user->{created}, $user->{document}, undef ] ];
	}
	elsif (!$begin->[2])
	{
		$begin->[0] = $user->{created};
	}
}
$gone{$_} = 1 foreach grep { !$tables->{users}{$_} } keys %timeline;
cmp_ok(scalar(keys %timeline), '>', 300, 'some hundred users');
cmp_ok(scalar(keys %gone), '>=', 3, 'some are deleted');
cmp_ok(scalar(grep { $_->{operation} eq 'sql' } @{ $tables->{history} }), '>', 5, 'some changes are plain SQL');

sub active { my ($document) = @_; return $document && $document->{active} ? 1 : 0 }

# a user's document and history row at a time
sub state_at
{
	my ($id, $at) = @_;
	my ($found) = reverse grep { $_->[0] <= $at } @{ $timeline{$id} };

	return $found ? @$found[ 1, 2 ] : ();
}

my @months = map { sprintf '%d-%02d', 2025 + int(($_ - 1) / 12), ($_ - 1) % 12 + 1 } 10 .. 22;
my %epoch = split /[\n|]/, $node->safe_psql('userstore', join ' UNION ALL ', map { "SELECT '$_', extract(epoch FROM timestamptz '$_-01 00:00Z')::bigint" } @months);

# check(REPORTS, VISIBLE): the reports on these users, against what they are
sub check
{
	my ($report, @ids) = @_;
	my %visible = map { $_ => 1 } @ids;
	my %now = map { $_ => $tables->{users}{$_} } grep { $tables->{users}{$_} } @ids;
	my (%people, %joined, %left, %domain, %shared);

	# 1: who was active on Monday and no longer is
	my @left = grep {
		my ($then) = state_at($_, $today - 4 * 86400);
		active($then) && !active((state_at($_, $today))[0])
	} @ids;
	is(join(' ', sort map { "$_->{id} $_->{name}" } rows($report->{1})),
		join(' ', sort map { "$_ " . (state_at($_, $today - 4 * 86400))[0]->{displayName} } @left), 'who left this week');

	# 2
	is(join(' ', sort map { $_->{id} } rows($report->{2})), join(' ', sort grep {
				my $document = $now{$_}{document};
				my $manager = $document->{$enterprise}{manager}{value} // '';
				active($document) && $document->{userType} ne 'Service' && !($now{$manager} && active($now{$manager}{document}))
			} keys %now), 'managers who are missing');

	# 3
	foreach my $id (keys %now)
	{
		foreach my $email (@{ $now{$id}{document}{emails} // [] })
		{
			my $domain = lc $email->{value} =~ s/.*@//r;
			$domain{$domain}[0]++;
			$domain{$domain}[1]{$id} = 1;
			$domain{$domain}[2]{$id} = 1 if active($now{$id}{document}) && $email->{primary};
			$shared{ lc $email->{value} }{$id} = 1;
		}
		foreach my $number (@{ $now{$id}{document}{phoneNumbers} // [] })
		{
			$shared{ '+' . $number->{value} =~ s/[^0-9]//gr }{$id} = 1;
		}
	}
	is(join("\n", sort map { join ' ', @$_{ 'domain', 'e_mails', 'accounts' }, $_->{'active primary'} } rows($report->{3})),
		join("\n", sort map { join ' ', $_, $domain{$_}[0], scalar keys %{ $domain{$_}[1] }, scalar keys %{ $domain{$_}[2] } } keys %domain), 'domains');

	# 5
	foreach my $month (@months)
	{
		foreach my $id (@ids)
		{
			my ($document) = state_at($id, $epoch{$month});
			$people{"$month-01"}{ $document->{$enterprise}{department} // 'none' }++ if active($document) && $document->{userType} ne 'Service';
		}
	}
	is(join("\n", map { my $row = $_; join ' ', $row->{month}, map { "$_ $row->{$_}" } grep { $_ ne 'month' && $row->{$_} ne '' } sort keys %$row } rows($report->{5})),
		join("\n", map { my $month = $_; join ' ', $month, map { "$_ $people{$month}{$_}" } sort keys %{ $people{$month} } } sort keys %people), 'people by department');

	# 6
	foreach my $id (@ids)
	{
		my $was = 0;
		foreach my $version (@{ $timeline{$id} })
		{
			my (undef, $document, $row) = @$version;
			my $is = active($document);
			if ($row && $row->{at} >= $epoch{ $months[0] } && $row->{at} < $epoch{ $months[-1] })
			{
				$joined{ $row->{month} }++ if $is && !$was;
				$left{ $row->{month} }++ if $was && !$is;
			}
			$was = $is;
		}
	}
	is(join("\n", map { "$_->{month} $_->{joined} $_->{left}" } grep { $_->{joined} || $_->{left} } rows($report->{6})),
		join("\n", map { join ' ', $_, $joined{$_} // 0, $left{$_} // 0 } grep { $joined{$_} || $left{$_} } @months), 'joined and left');

	# 7
	is(join(' ', map { $_->{id} } rows($report->{7})),
		join(' ', map { $_->{id} } sort { $a->{at} <=> $b->{at} || $a->{id} cmp $b->{id} } grep { $_->{operation} eq 'sql' && $visible{ $_->{id} } } @{ $tables->{history} }),
		'changed by plain SQL');

	# 8
	is(join(' ', map { $_->{id} } rows($report->{8})),
		join(' ', sort { $now{$a}{modified} <=> $now{$b}{modified} } grep { active($now{$_}{document}) && $now{$_}{modified} < $today - 365 * 86400 } keys %now),
		'untouched for a year');

	# 9
	is(join("\n", map { "$_->{value} $_->{ids}" } rows($report->{9})),
		join("\n", map { join ' ', $_, sort keys %{ $shared{$_} } } sort { ($b =~ /@/) <=> ($a =~ /@/) || $a cmp $b } grep { keys %{ $shared{$_} } > 1 } keys %shared), 'shared');
	return;
}

check($all, keys %timeline);
foreach my $n (1 .. 9)
{
	cmp_ok(scalar(rows($all->{$n})), '>', 1, "report $n has rows");
}

# Where all statuses come from, each by each.
is(join("\n", map { join ' ', @$_{ 'id', 'path', 'actor' } } rows($all->{4})),
	join("\n", map { join ' ', @$_ } map { $_->[1] } sort { $a->[0] cmp $b->[0] } map {
			my $id = $_;
			my @found;
			my $old;
			foreach my $version (@{ $timeline{$id} })
			{
				my ($at, $document, $row) = @$version;
				foreach my $path ('active', 'userType')
				{
					push @found, [ sprintf('%020.6f %s %s', $at, $id, $path), [ $id, $path, $row->{actor} ] ]
					  if $row && $row->{operation} ne 'create' && $at >= $today - 30 * 86400 &&
					  encode_json([ $old ? $old->{$path} : undef ]) ne encode_json([ $document ? $document->{$path} : undef ]);
				}
				$old = $document;
			}
			@found
		} keys %timeline), 'who changed whose status');

# ---- Row security ----------------------------------------------------------

my @sales = grep { ($tables->{users}{$_}{document}{$enterprise}{department} // '') eq 'Sales' } keys %{ $tables->{users} };
my @hidden = grep { my $id = $_; !grep { $_ eq $id } @sales } keys %{ $tables->{users} };
my $some = ask('reports_sales', '--csv', '-v', 'person=1093');

cmp_ok(scalar(@sales), '>', 50, 'there are people in Sales');
cmp_ok(scalar(@hidden), '>', 150, 'and others');
check($some, @sales, keys %gone);
foreach my $n (1 .. 10)
{
	my @seen = grep {
		my ($id, $name) = ($_, $tables->{users}{$_}{document}{displayName});
		$some->{$n} =~ /^(?:[^,\n]*,)?$id,/m || $some->{$n} =~ /\Q$name\E/
	} @hidden;

	is("@seen", '', "report $n names nobody whom row security hides");
	isnt($some->{$n}, $all->{$n}, 'and is another than who sees all gets');
}
my ($code, undef, $err) = $node->psql('userstore', q{SELECT * FROM userstore.user_history('staff.people', '1003')}, extra_params => [ '-U', 'reports_sales' ]);
isnt($code, 0, 'nothing is told of a person who is hidden');
like($err, qr/user "1003" does not exist/, 'as if there was none');

done_testing();
