# Dump and restore: everything is there again, and updates go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

# All that users have a right to find again, as text.
my $everything = q{
	SELECT 'user', to_jsonb(u) FROM app.people u
	UNION ALL SELECT 'history', to_jsonb(h) FROM app.people_history h
	UNION ALL SELECT 'key', to_jsonb(k) FROM app.people_idempotency k
	UNION ALL SELECT 'number', to_jsonb(n) FROM app.numbers n
	UNION ALL SELECT 'member', to_jsonb(m) FROM app.members m
	UNION ALL SELECT 'member key', to_jsonb(k) FROM app.members_idempotency k
	UNION ALL SELECT 'table', to_jsonb(t) FROM userstore.user_table t
	UNION ALL SELECT 'lookup', to_jsonb(l) FROM userstore.attribute_lookup l
	UNION ALL SELECT 'computed', to_jsonb(c) FROM userstore.attribute_computed c
	UNION ALL SELECT 'index', to_jsonb(i) FROM userstore.attribute_index i
	UNION ALL SELECT 'view', to_jsonb(v) FROM userstore.user_view v
	UNION ALL SELECT 'shown', to_jsonb(v) FROM app.people_view v
	UNION ALL SELECT 'profile', to_jsonb(p) - CASE WHEN p.shipped THEN '{owner,defined_at}' ELSE '{}'::text[] END
		FROM userstore.api_profile p
	UNION ALL SELECT 'schema', to_jsonb(s) - CASE WHEN s.shipped THEN '{owner,defined_at}' ELSE '{}'::text[] END
		FROM userstore.attribute_schema s
	ORDER BY 1, 2};

my $old = UserstoreTest->new_node('old');
$old->safe_psql('userstore', q{
	CREATE ROLE keeper LOGIN;
	CREATE ROLE clerk LOGIN;
	CREATE SCHEMA app AUTHORIZATION keeper;
	CREATE SCHEMA crypto;
	CREATE EXTENSION pgcrypto SCHEMA crypto;
	GRANT USAGE ON SCHEMA crypto TO keeper;
	SET ROLE keeper;
	SELECT userstore.attribute_schema_define('{"id": "urn:example:dump", "name": "User", "attributes": [
		{"name": "login", "type": "string", "uniqueness": "server", "required": true},
		{"name": "roles", "type": "string", "multiValued": true},
		{"name": "status", "type": "complex", "lookup": [], "subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}]}]}');
	SELECT userstore.api_profile_define('mine', '{"schemas": ["urn:example:dump"], "put_creates": true}');
	SELECT userstore.user_table_create('app.people', api => 'mine');
	SELECT userstore.attribute_lookup_define('app.people', 'status', '[{"value": 1, "displayValue": "One"}]');
	SELECT userstore.users_index('app.people', a) FROM unnest('{roles,status.value}'::text[]) a;
	SELECT userstore.user_view_create('app.people', 'app.people_view');
	SELECT userstore.user_table_create('app.numbers', id_type => 'bigint');
	SELECT userstore.user_create('app.numbers', '{"n": 1}');
	CREATE FUNCTION app.hash(password text, hash text) RETURNS text LANGUAGE sql AS
		$$ SELECT crypto.crypt(password, coalesce(hash, crypto.gen_salt('bf', 4))) $$;
	SELECT userstore.attribute_schema_define('{"id": "urn:example:member", "name": "Member", "attributes": [
		{"name": "name"}, {"name": "password", "format": "password"}, {"name": "teams", "multiValued": true, "mutability": "readOnly"}]}');
	SELECT userstore.user_table_create('app.members', schemas => '{urn:example:member}', password_function => 'app.hash');
	CREATE TABLE app.teams (name text, member text);
	INSERT INTO app.teams VALUES ('red', 'ann'), ('blue', 'ann');
	CREATE FUNCTION app.teams_of(member text) RETURNS jsonb LANGUAGE sql AS
		$$ SELECT jsonb_agg(t.name ORDER BY t.name) FROM app.teams t WHERE t.member = $1 $$;
	SELECT userstore.attribute_computed_define('app.members', 'teams', 'app.teams_of(text)');
	CREATE FUNCTION app.tidy(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql AS
		$$ SELECT new || jsonb_build_object('name', initcap(new ->> 'name')) $$;
	SELECT userstore.user_table_set('app.members', 'before_update', 'app.tidy');
	SELECT userstore.user_table_set('app.members', 'notify', 'members');
	GRANT USAGE ON SCHEMA app TO clerk;
	GRANT SELECT, INSERT, UPDATE ON app.people, app.members TO clerk;
	SET ROLE clerk;
	SET userstore.client = 'shop';
	SELECT userstore.user_put('app.people', 'u' || i, jsonb_build_object('login', 'Login ' || i), 'key ' || i)
	FROM generate_series(1, 50) i;
	SELECT userstore.user_put('app.people', 'u' || i, jsonb_build_object('login', 'Login ' || i, 'roles', '["é", "\""]'::jsonb))
	FROM generate_series(1, 50, 7) i;
	SELECT userstore.user_create('app.members', '{"name": "ann", "password": "secret"}', 'ann', 'key ann');
	RESET ROLE;
	SELECT userstore.user_delete('app.people', 'u3');
});
my $before = $old->safe_psql('userstore', $everything);
like($before, qr/^computed\|.*^history\|.*^index\|.*^key\|.*^lookup\|.*^member\|.*^member key\|.*^number\|.*^profile\|.*^schema\|.*^shown\|.*^table\|.*^user\|.*^view\|/ms,
	'there is something of each kind to dump');

my $dump = "$PostgreSQL::Test::Utils::tmp_check/dump";
sub pg_dump
{
	my (@args) = @_;
	command_ok([ 'pg_dump', '--port' => $old->port, '--host' => $old->host, @args, 'userstore' ],
		"pg_dump @args[0 .. $#args - 1]");
	return;
}
pg_dump('-f' => "$dump.sql");
pg_dump('-Fc', '-f' => "$dump.custom");
pg_dump('--schema-only', '-f' => "$dump.schema");
pg_dump('-t' => 'app.people*', '-t' => 'app.numbers*', '-f' => "$dump.tables");
unlike(slurp_file("$dump.sql"), qr/urn:ietf:params:scim/, 'what ships is not in the dump');

my $new = UserstoreTest->new_node('new', database => undef);
$new->safe_psql('postgres', 'CREATE ROLE keeper LOGIN; CREATE ROLE clerk LOGIN; CREATE ROLE owner LOGIN');

sub restore_sql
{
	my ($database, $file, $user) = @_;
	command_ok([ 'psql', '-X', '-q', '-v' => 'ON_ERROR_STOP=1', '--host' => $new->host, '--port' => $new->port,
			'-U' => $user // 'postgres', '-d' => $database, '-f' => $file, '-o' => '/dev/null' ],
		"$database: restored");
	return;
}

# What works in the old database works in this one.
sub goes_on
{
	my ($database, $role) = @_;
	my $put = sub {
		my ($id, $body, $key) = @_;
		return $new->psql($database, qq{SET ROLE $role; SET userstore.client = 'shop';
			SELECT userstore.user_put('app.people', '$id', '$body', $key) -> 'meta' ->> 'version'},
			extra_params => ['-q']);
	};
	my ($rc, $out, $err) = $put->('u2', '{"login": "Login 2"}', q{'key 2'});
	is($out, '1', "$database: a replay answers");
	is($new->safe_psql($database, q{SELECT count(*) FROM app.people_history WHERE user_id = 'u2'}), '1',
		"$database: and does nothing");
	($rc, $out, $err) = $put->('u2', '{"login": "new"}', q{'key 2'});
	like($err, qr/used for another request/, "$database: a key is not used again");
	($rc, $out, $err) = $put->('u2', '{"login": "LOGIN 4"}', 'NULL');
	like($err, qr/a user with this "login" exists already/, "$database: unique values stay unique");
	($rc, $out, $err) = $put->('u2', '{"logout": 1}', 'NULL');
	like($err, qr/"logout" is not known/, "$database: own schemas judge");
	($rc, $out, $err) = $put->('u2', '{"login": "Login 2", "status": {"value": 2}}', 'NULL');
	like($err, qr/"status" has a value that its lookup list lacks/, "$database: and so do lookup lists");
	($rc, $out, $err) = $put->('u8', '{"login": "eight"}', q{'new key'});
	is($out, '3', "$database: versions go on");
	($rc, $out, $err) = $put->('u3', '{"login": "three"}', 'NULL');
	is($out, '3', "$database: also of a user who comes back");
	is($new->safe_psql($database, q{SELECT user_id, version, era FROM app.people_history
		WHERE era > 1 ORDER BY 1, 2}), "u3|3|2\nu8|3|2", "$database: in a new era");
	is($new->safe_psql($database, q{SELECT era, system_identifier = (pg_control_system()).system_identifier
		FROM userstore.era ORDER BY era}), "1|f\n2|t", "$database: which is this cluster's");
	is($new->safe_psql($database, q{SELECT userstore.user_create('app.numbers', '{"n": 2}') ->> 'id'}), '2',
		"$database: generated ids go on");
	my $member = sub {
		my ($password) = @_;
		return $new->psql($database, qq{SET ROLE $role; SET userstore.client = 'shop';
			SELECT userstore.user_password_verify('app.members', 'ann', '$password');
			SELECT userstore.user_create('app.members', '{"name": "ann", "password": "$password"}', 'ann', 'key ann') ->> 'name'},
			extra_params => ['-q']);
	};
	($rc, $out, $err) = $member->('secret');
	is($out, "t\nAnn", "$database: a password verifies, also that of a key");
	($rc, $out, $err) = $member->('other');
	is($out, 'f', "$database: another one does not");
	like($err, qr/used for another request/, "$database: nor does its key");
	($rc, $out, $err) = $new->psql($database, qq{SET ROLE $role; LISTEN members;
		SELECT userstore.user_put('app.members', 'bob', '{"name": "bob"}') ->> 'name';
		SELECT userstore.user_get('app.members', 'ann') -> 'teams'}, extra_params => ['-q']);
	like($out, qr/^Bob$/m, "$database: functions see what is written");
	like($out, qr/^\["blue", "red"\]$/m, "$database: and compute what is shown");
	like($out, qr/"members" .*"version": 1, "operation": "/, "$database: and changes are told");
	like($new->safe_psql($database, q{SET enable_seqscan = off;
		EXPLAIN SELECT FROM app.people WHERE userstore.user_matches('app.people', document, 'roles eq "é"')}),
		qr/people_index_roles_idx/, "$database: indexes find users");
	$new->safe_psql($database, q{SELECT userstore.user_view_refresh('app.people')});
	is($new->safe_psql($database, q{SELECT login FROM app.people_view JOIN app.people_view_roles USING (id) WHERE value = '"' AND id = 'u1'}), 'Login 1',
		"$database: and views show them");
	return;
}

$new->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain custom);
restore_sql('plain', "$dump.sql");
is($new->safe_psql('plain', $everything), $before, 'plain: everything is equal');
goes_on('plain', 'clerk');

command_ok([ 'pg_restore', '-j2', '--exit-on-error', '--host' => $new->host, '--port' => $new->port,
		'-d' => 'custom', "$dump.custom" ], 'custom: restored by two jobs');
is($new->safe_psql('custom', $everything), $before, 'custom: everything is equal');
goes_on('custom', 'clerk');

# The same by the owner of a database who is no superuser.
$new->safe_psql('postgres', 'CREATE DATABASE owned OWNER owner');
command_ok([ 'pg_restore', '--no-owner', '--no-acl', '--exit-on-error', '--host' => $new->host,
		'--port' => $new->port, '-U' => 'owner', '-d' => 'owned', "$dump.custom" ], 'owned: restored');
is($new->safe_psql('owned', $everything), $before, 'owned: everything is equal');
is($new->safe_psql('owned', q{SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname LIKE 'people%'}),
	'owner', 'owned: by the one who restored');
# Keys and answers belong to the role that called.
$new->safe_psql('owned', 'GRANT USAGE ON SCHEMA app TO clerk; GRANT SELECT, INSERT, UPDATE ON app.people, app.members TO clerk');
goes_on('owned', 'clerk');

# The shape without what is in it: tables are there, but nothing says that
# they are user tables.
$new->safe_psql('postgres', 'CREATE DATABASE shape');
restore_sql('shape', "$dump.schema");
is($new->safe_psql('shape', 'SELECT count(*) FROM userstore.user_table'), '0', 'shape: no registration');
my ($rc, $out, $err) = $new->psql('shape', q{SELECT userstore.user_get('app.numbers', '1')});
like($err, qr/is not a user table.*user_table_attach/s, 'shape: the error says what to do');
is($new->safe_psql('shape', q{SELECT userstore.user_table_attach('app.numbers');
	SELECT userstore.user_put('app.numbers', '1', '{"n": 5}') ->> 'n'}), "app.numbers\n5", 'shape: attached');

# Single tables, with what is in them.
$new->safe_psql('postgres', 'CREATE DATABASE tables');
$new->safe_psql('tables', q{CREATE EXTENSION userstore; CREATE SCHEMA app AUTHORIZATION keeper;
	GRANT USAGE ON SCHEMA app TO clerk});
restore_sql('tables', "$dump.tables");
like($new->safe_psql('tables', q{SELECT userstore.attribute_values(document, '{roles}', true) = index_roles FROM app.people WHERE id = 'u1'}), qr/^t$/,
	'tables: generated columns are computed again');
my $oids = q{SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class WHERE relnamespace = 'app'::regnamespace};
my $stood = $new->safe_psql('tables', $oids);
is($new->safe_psql('tables', q{
	SET ROLE keeper;
	SELECT userstore.user_table_attach('app.numbers');
	SELECT users, history, idempotency FROM userstore.user_table;
	SELECT userstore.user_put('app.numbers', '1', '{"n": 5}') -> 'meta' ->> 'version'}),
	"app.numbers\napp.numbers|app.numbers_history|app.numbers_idempotency\n2",
	'tables: companions are adopted, and history goes on');
is($new->safe_psql('tables', q{
	SET ROLE keeper;
	SELECT FROM userstore.attribute_schema_define('{"id": "urn:example:dump", "name": "User", "attributes": [
		{"name": "login", "type": "string", "uniqueness": "server", "required": true},
		{"name": "roles", "type": "string", "multiValued": true}]}');
	SELECT userstore.api_profile_define('mine', '{"schemas": ["urn:example:dump"], "put_creates": true}');
	SELECT userstore.user_table_attach('app.people', 'mine');
	SET ROLE clerk; SET userstore.client = 'shop';
	SELECT userstore.user_put('app.people', 'u2', '{"login": "Login 2"}', 'key 2') -> 'meta' ->> 'version'})
	=~ s/^\n*//r, "app.people\n1", 'tables: a table with its own schema and profile, whose keys are known');
is($new->safe_psql('tables', q{SELECT count(*) FROM app.people_history WHERE user_id = 'u2'}), '1',
	'tables: and are not used twice');
($rc, $out, $err) = $new->psql('tables', q{SELECT userstore.user_put('app.people', 'u2', '{"login": "LOGIN 4"}')});
like($err, qr/a user with this "login" exists already/, 'tables: unique columns are adopted');
is($new->safe_psql('tables', $oids), $stood, 'tables: nothing was created beside what stood');

done_testing();
