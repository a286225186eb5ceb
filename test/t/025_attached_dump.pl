# An app's own table that was attached: detached, it is as it was before; dumped
# and restored, everything is there again, and updates go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('attached_dump');
my $dumps = PostgreSQL::Test::Utils::tempdir();

sub dump_of
{
	my ($database, @options) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '--no-sync', '-h', $node->host, '-p', $node->port, @options, $database ]);

	is($err, '', "pg_dump @options");
	# each dump has a key of its own against what it holds
	$out =~ s/^\\(un)?restrict .*\n//mg;
	return $out;
}

sub restore
{
	my ($database, @options) = @_;

	$node->command_ok(
		[ 'pg_restore', '--exit-on-error', '-h', $node->host, '-p', $node->port, '-d', $database, @options, "$dumps/all" ],
		"pg_restore @options");
}

# All that users have a right to find again, as text.
sub everything
{
	my ($database) = @_;

	return $node->safe_psql($database, q{
		SELECT 'row', to_jsonb(u) FROM web.users u
		UNION ALL SELECT 'user', userstore.user_get('web.users', id::text) FROM web.users
		UNION ALL SELECT 'state', to_jsonb(s) FROM web.users_state s
		UNION ALL SELECT 'history', to_jsonb(h) FROM web.users_history h
		UNION ALL SELECT 'table', to_jsonb(t) FROM userstore.user_table t
		UNION ALL SELECT 'trigger', to_jsonb(pg_get_triggerdef(oid)) FROM pg_trigger WHERE tgrelid = 'web.users'::regclass AND NOT tgisinternal
		UNION ALL SELECT 'policy', to_jsonb(p) FROM pg_policies p
		UNION ALL SELECT 'privilege', to_jsonb(relacl::text) FROM pg_class WHERE relnamespace = 'web'::regnamespace
		ORDER BY 1, 2});
}

# The name of the schema comes after userstore's, as tables are dumped.
my $attach = q{SELECT userstore.user_table_attach('web.users', created_column => 'joined',
	columns => '{"login": "Login", "n": "n", "active": "active"}')};
$node->safe_psql('userstore', q{
	CREATE ROLE app;
	CREATE SCHEMA web;
	GRANT USAGE ON SCHEMA web TO app;
	CREATE TABLE web.users (id serial PRIMARY KEY, "Login" text NOT NULL UNIQUE, n numeric(8,2) DEFAULT 1.5,
		active boolean NOT NULL DEFAULT true, joined timestamptz DEFAULT now(), boss int REFERENCES web.users);
	CREATE INDEX ON web.users (n);
	GRANT SELECT, INSERT, UPDATE ON web.users TO app;
	ALTER TABLE web.users ENABLE ROW LEVEL SECURITY;
	CREATE POLICY active ON web.users USING (active);
	CREATE FUNCTION web.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
	CREATE TRIGGER touch BEFORE UPDATE ON web.users FOR EACH ROW EXECUTE FUNCTION web.touch();
	INSERT INTO web.users ("Login") VALUES ('old')});

# ---- Detached --------------------------------------------------------------

my $before = dump_of('userstore', '-n', 'web', '-s');

$node->safe_psql('userstore', qq{$attach;
	SELECT userstore.user_patch('web.users', '1', '{"title": "Dr"}');
	SELECT userstore.user_table_detach('web.users');
	DROP TABLE web.users_history, web.users_idempotency, web.users_state});
is(dump_of('userstore', '-n', 'web', '-s'), $before, 'the table is as it was');

# ---- Restored --------------------------------------------------------------

$node->safe_psql('userstore', qq{$attach;
	SELECT userstore.user_patch('web.users', '1', '{"title": "Dr"}');
	SELECT userstore.user_create('web.users', '{"login": "ann", "active": true, "title": "Prof"}');
	UPDATE web.users SET n = 3 WHERE id = 2;
	DELETE FROM web.users WHERE id = 2;
	SELECT userstore.user_create('web.users', '{"login": "bob", "active": true, "list": [1]}', '3');
	GRANT SELECT ON web.users_state TO app});
my $all = everything('userstore');
$node->command_ok([ 'pg_dump', '--no-sync', '-Fc', '-h', $node->host, '-p', $node->port, '-f', "$dumps/all", 'userstore' ],
	'pg_dump');

$node->safe_psql('postgres', "CREATE DATABASE $_") foreach 'whole', 'parts', 'single';
restore('whole');
is(everything('whole'), $all, 'a whole database is restored');
restore('parts', '-s');
# as of any table with triggers
restore('parts', '-a', '--disable-triggers');
is(everything('parts'), $all, 'and so is one in two parts');
$node->safe_psql('whole', q{
	UPDATE web.users SET n = 4 WHERE id = 3;
	SELECT userstore.user_patch('web.users', '3', '{"list": [2]}')});
is( $node->safe_psql('whole',
		q{SELECT string_agg(version || ' ' || operation, ', ' ORDER BY version) FROM web.users_history WHERE user_id = 3}),
	'1 create, 2 sql, 3 patch', 'updates go on');
is($node->safe_psql('whole', q{SET ROLE app; SELECT count(*), count(document -> 'title') FROM web.users_state}),
	'2|1', 'the policy of the state table works');

# A single table, which is no user table until it is attached
$node->safe_psql('single', 'CREATE EXTENSION userstore; CREATE SCHEMA web; CREATE FUNCTION web.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$');
restore('single', '-n', 'web', '-t', 'users', '-t', 'users_state', '-t', 'users_id_seq');
is($node->safe_psql('single', q{UPDATE web.users SET n = 5; SELECT count(*) FROM web.users}), '2', 'a single table is restored');

# ---- Without the extension -------------------------------------------------

is($node->safe_psql('whole', q{DROP EXTENSION userstore; UPDATE web.users SET n = 6; SELECT count(*) FROM web.users_history}),
	'7', 'an app goes on without the extension');
is( $node->safe_psql('whole', qq{CREATE EXTENSION userstore; SET client_min_messages = error; $attach;
	SELECT userstore.user_get('web.users', '3') - 'meta'}),
	qq{web.users\n{"n": 6.00, "id": "3", "list": [2], "login": "bob", "active": true}}, 'and with it again');

done_testing();
