# Tenants behind a pool that gives one connection to many clients, a transaction
# each: what a client selected with SET LOCAL, or by a header, is nobody else's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my ($pgbouncer) = grep { -x $_ } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';

plan skip_all => 'pgbouncer is not installed' unless defined $pgbouncer;
plan skip_all => 'pgbouncer does not run as root' if $> == 0;

my $node = UserstoreTest->new_node('pooled');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $sockets = PostgreSQL::Test::Utils::tempdir_short();
my $port = $node->port;

append_to_file("$dir/users.txt", qq{"app" ""\n});
append_to_file("$dir/pgbouncer.ini", <<"INI");
[databases]
userstore = host=@{[ $node->host ]} port=$port
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $sockets
auth_type = trust
auth_file = $dir/users.txt
logfile = $dir/pgbouncer.log
pidfile = $dir/pgbouncer.pid
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits
INI
my $pool = IPC::Run::start([ $pgbouncer, '-q', "$dir/pgbouncer.ini" ], '>', "$dir/out", '2>', "$dir/err");

$node->safe_psql('userstore', q{
	CREATE ROLE app LOGIN;
	SELECT userstore.user_table_create('people', api => 'zuora', tenant_column => 'entity');
	SELECT userstore.user_table_create('parts', api => 'zuora', tenant_column => 'entity', partitions => 4);
	GRANT SELECT, INSERT, UPDATE, DELETE ON people, parts TO app;
	SELECT userstore.tenant_grant(t, e, 'app') FROM unnest('{people,parts}'::regclass[]) t, unnest('{A,B}'::text[]) e;
	SELECT userstore.user_view_create('people', 'people_view');
	GRANT SELECT ON people_view TO app;
});

# A new client of the pool: what it is told, and the errors.
sub client
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-h', $sockets, '-p', $port, '-U', 'app', 'userstore' ],
		'<', \$sql, '>', \$out, '2>', \$err);
	$err =~ s/^.*ERROR:/ERROR:/mg;
	return $out . $err;
}

sub in_tenant
{
	my ($tenant, $sql) = @_;

	return client("BEGIN;\nSET LOCAL userstore.tenant = '$tenant';\n$sql;\nCOMMIT;\n");
}

for (1 .. 100)
{
	last if client('SELECT 1') eq "1\n";
	select undef, undef, undef, 0.1;
}
my $backend = client('SELECT pg_backend_pid()');

for my $table (qw(people parts))
{
	for my $tenant (qw(A B))
	{
		like(in_tenant($tenant, qq{SELECT userstore.user_create('$table', '{"userName": "ann", "title": "of $tenant"}', '1', 'key') ->> 'title'}),
			qr/^of $tenant$/m, "$table: a user of $tenant");
	}
	# the same statements, one after the other on the same connection
	my %calls = (
		get => "userstore.user_get('$table', '1')",
		list => qq{userstore.users_list('$table', 'userName eq "ann"')},
		history => "string_agg(h::text, '') FROM userstore.user_history('$table', '1') h",
		changes => "string_agg(c::text, '') FROM userstore.users_changes('$table') c",
		'as of' => "string_agg(u::text, '') FROM userstore.users_as_of('$table', clock_timestamp()) u",
		replay => qq{userstore.user_create('$table', '{"userName": "ann", "title": "of TENANT"}', '1', 'key')},
		bulk => qq{userstore.users_bulk_patch('$table', '[{"userName": "ann", "nickName": "x"}]', match => 'userName')},
		request => "userstore.user_request('$table', 'GET', '/Users/1')",
		SQL => "string_agg(u::text, '') FROM $table u",
		$table eq 'people' ? (view => 'string_agg(v::text, \'\') FROM people_view v') : ());

	for my $call (sort keys %calls)
	{
		for my $tenant (qw(A B A))
		{
			my $other = $tenant eq 'A' ? 'B' : 'A';
			my $answer = in_tenant($tenant, 'SELECT ' . $calls{$call} =~ s/TENANT/$tenant/r);

			ok($answer =~ /of $tenant/ && $answer !~ /of $other/, "$table, $call: $tenant sees its own") or diag($answer);
		}
		my $none = client('SELECT ' . $calls{$call} =~ s/TENANT/A/r);

		ok($none !~ /of [AB]/ && ($call =~ /SQL|view/ ? $none eq "\n" : $none =~ /42501|403/), "$table, $call: nothing without a tenant")
		  or diag($none);
	}
	like(client(qq{SELECT userstore.user_request('$table', 'GET', '/Users/1', '{"Zuora-Entity-Ids": "A"}')}), qr/of A/, "$table: the header selects");
	like(client("SELECT userstore.user_get('$table', '1')"), qr/42501/, "$table: for that request only");
	like(in_tenant('A', "SELECT 1 / 0"), qr/22012/, 'a transaction that fails');
	like(client("SELECT userstore.user_get('$table', '1')"), qr/42501/, "$table: leaves nothing selected");
}
is(client('SELECT pg_backend_pid()'), $backend, 'all that was on one connection');

$pool->signal('INT');
$pool->finish;
done_testing();
