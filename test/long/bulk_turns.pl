# Many sessions create, match, rename and delete the same few users by bulk
# requests, in any order, for half a minute: none of them is the victim of a
# deadlock, no item fails for a reason that is not so, and history has no holes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $seconds = 30;
my $node = UserstoreTest->new_node('bulk_turns', conf => "deadlock_timeout = 100ms\nautovacuum = off\n");

$node->safe_psql('userstore', q{
	SELECT userstore.user_table_create('people', 'scim');
	CREATE TABLE answers (kind text, answer jsonb);
	-- users of whom there are 60; some items want a name that another user has
	CREATE FUNCTION items(has_id boolean, others float) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
		SELECT jsonb_agg(jsonb_build_object('userName', 'n' || (n + (random() * others)::int), 'externalId', 'e' || n, 'title', random()::text)
			|| CASE WHEN has_id THEN jsonb_build_object('id', 'u' || n) ELSE '{}' END)
		FROM (SELECT (random() * 60)::int FROM generate_series(1, 20)) x (n) $$;
	CREATE FUNCTION request() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		CASE (random() * 4)::int
			WHEN 0 THEN INSERT INTO answers VALUES ('by id', userstore.users_bulk_put('people', items(true, 0), creates => true));
			WHEN 1 THEN INSERT INTO answers VALUES ('by name', userstore.users_bulk_put('people', items(false, 0), creates => true, match => 'userName'));
			WHEN 2 THEN INSERT INTO answers VALUES ('renaming', userstore.users_bulk_put('people', items(true, 1.2), creates => true));
			WHEN 3 THEN INSERT INTO answers VALUES ('by another id', userstore.users_bulk_patch('people', items(false, 0), creates => true, match => 'externalId'));
			ELSE PERFORM userstore.user_delete('people', id) FROM people ORDER BY random() LIMIT 1;
		END CASE;
	EXCEPTION WHEN SQLSTATE 'PT404' THEN
		NULL;	-- somebody else deleted that user first
	END $$});

my $script = "$PostgreSQL::Test::Utils::tmp_check/bulk_turns.sql";
append_to_file($script, "SELECT request();\n");
my ($out, $err) = ('', '');
ok(IPC::Run::run([ 'pgbench', '-n', '-c', '12', '-j', '2', '-T', $seconds, '-f', $script, $node->connstr('userstore') ], '>', \$out, '2>', \$err),
	'twelve sessions') or diag($err);
my ($done) = $out =~ /actually processed: (\d+)/;
cmp_ok($done // 0, '>', 100, 'send ' . ($done // 'no') . ' requests');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'nobody is the victim of a deadlock');
like($err, qr/^(?!.*ERROR)/s, 'no request fails');
is($node->safe_psql('userstore', q{SELECT DISTINCT kind, r ->> 'detail' FROM answers, jsonb_array_elements(answer -> 'Resources') r
	WHERE r ? 'detail' AND NOT (r ->> 'detail' ~ '"userName" exists already' OR kind = 'by another id' AND r ->> 'detail' ~ 'several users have this "externalId"')}),
	'', 'an item fails only for a name that is taken, or an attribute that several have');
is($node->safe_psql('userstore', q{SELECT user_id, version FROM (SELECT user_id, version, version - lag(version, 1, 0::bigint) OVER (PARTITION BY user_id ORDER BY version) FROM people_history) h (user_id, version, step)
	WHERE step <> 1}), '', 'history has no holes');
is($node->safe_psql('userstore', q{SELECT p.id FROM people p LEFT JOIN people_history h ON h.user_id = p.id AND h.version = p.version WHERE h.document IS DISTINCT FROM p.document}),
	'', 'and says what stands');

done_testing();
