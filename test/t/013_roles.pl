# Who may what: nothing here is more than PostgreSQL's own privileges give.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('roles');

# Runs SQL as a role; gives what it printed, or else SQLSTATE and message.
sub as
{
	my ($role, $sql) = @_;
	my ($out, $err);
	$node->psql('userstore', "\\set VERBOSITY verbose\nSET ROLE $role;\n$sql", stdout => \$out, stderr => \$err,
		on_error_die => 0, extra_params => ['-q']);
	return $1 if $err =~ /ERROR:  (.*)/;
	return $out;
}

# All that is in the tables, to see that nothing came of a call.
sub state_of
{
	my ($table) = @_;
	return $node->safe_psql('userstore', join ' UNION ALL ',
		map { "SELECT to_jsonb(t)::text FROM $table$_ t" } '', '_history', '_idempotency');
}

$node->safe_psql('userstore', q{
	CREATE ROLE owner; CREATE ROLE clerk; CREATE ROLE other; CREATE ROLE nobody; CREATE ROLE updater; CREATE ROLE narrow;
	CREATE SCHEMA app AUTHORIZATION owner;
	SET ROLE owner;
	GRANT USAGE ON SCHEMA app TO PUBLIC;
	SELECT userstore.user_table_create('app.people');
	SELECT userstore.user_table_create('app.secrets', 'scim');
	SELECT userstore.user_create('app.secrets', '{"userName": "ann"}', 'ann');
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.people TO clerk, other;
	GRANT UPDATE ON app.people, app.secrets TO updater;
});
as('clerk', q{SELECT userstore.user_create('app.people', '{"secret": 1}', 'ann', 'made')});
as('clerk', q{SELECT userstore.user_put('app.people', 'ann', '{"secret": 2}', 'k')});

# ---- A role without any right ----------------------------------------------

my $denied = '42501: permission denied for table people';
my $not_owner = '42501: must be owner of table people';
my $state = state_of('app.people');
my %calls = (
	q{userstore.user_create('app.people', '{}', 'ann')} => $denied,
	q{userstore.user_create('app.people', '{}', 'bob')} => $denied,
	q{userstore.user_create('app.people', '{"secret": 1}', 'ann', 'made')} => $denied,
	q{userstore.user_put('app.people', 'ann', '{}')} => $denied,
	q{userstore.user_put('app.people', 'nobody', '{}')} => $denied,
	q{userstore.user_put('app.people', 'ann', '{"secret": 2}', 'k')} => $denied,
	q{userstore.user_put('app.people', 'ann', '{}', dry_run => true)} => $denied,
	q{userstore.user_put('app.people', 'ann', '{}', api => 'zluri')} => $denied,
	q{userstore.user_patch('app.people', 'ann', '{"secret": null}')} => $denied,
	q{userstore.user_patch('app.people', 'ann', '{}', expected_version => 9)} => $denied,
	q{userstore.user_delete('app.people', 'ann')} => $denied,
	q{userstore.user_delete('app.people', 'nobody')} => $denied,
	q{userstore.user_get('app.people', 'ann')} => $denied,
	q{userstore.user_get('app.people', 'nobody')} => $denied,
	q{userstore.user_history('app.people', 'ann')} => $denied,
	q{userstore.user_history('app.people', 'nobody')} => $denied,
	q{userstore.users_history('app.people')} => $denied,
	q{userstore.users_history('app.people', now(), now())} => $denied,
	q{userstore.user_as_of('app.people', 'ann', now())} => $denied,
	q{userstore.user_as_of('app.people', 'nobody', now())} => $denied,
	q{userstore.users_as_of('app.people', now())} => $denied,
	q{userstore.users_changes('app.people')} => $denied,
	q{userstore.users_changes('app.people', 'no cursor')} => $denied,
	q{userstore.user_version('app.people', 'ann')} => $denied,
	q{userstore.user_version('app.people', 'nobody')} => $denied,
	q{userstore.user_password_verify('app.people', 'ann', 'x')} => $denied,
	q{userstore.users_bulk_put('app.people', '[]')} => $denied,
	# shows nothing but what the caller has already
	q{userstore.users_list('app.people')} => $denied,
	q{userstore.user_matches('app.people', '{}', 'a pr')} => 'f',
	q{userstore.user_document('app.people', NULL)} => '',
	q{userstore.user_document_of('app.people', '{}', 1)} => '22023: table "people" has 0 columns with attributes, not 1',
	q{userstore.user_request('app.people', 'GET', '/users/nobody')} => qq{(403,"{""Content-Type"": ""application/json""}","{""error"": ""permission denied for table people"", ""status"": 403}")},
	q{userstore.user_request('app.people', 'PUT', '/users/ann', NULL, '{"secret": 3}')} =>
	  qq{(403,"{""Content-Type"": ""application/json""}","{""error"": ""permission denied for table people"", ""status"": 403}")},
	q{userstore.users_bulk_put('app.people', '[{"id": "ann"}]', 'k')} => $denied,
	q{userstore.users_bulk_patch('app.people', '[{"id": "ann"}]', match => 'secret')} => $denied,
	q{userstore.users_load('app.people', '[{"id": "ann"}]', idempotency_key => 'k')} => $denied,
	q{userstore.users_export('app.people')} => $denied,
	q{userstore.users_sync('app.people', '[]')} => $denied,
	q{userstore.users_sync('app.people', '[{"id": "ann"}]', missing => 'delete', dry_run => true)} => $denied,
	q{userstore.users_revert('app.people', '1')} => $denied,
	q{userstore.attribute_lookup_define('app.people', 'a', '[]')} => $not_owner,
	q{userstore.user_table_set('app.people', 'notify', 'c')} => $not_owner,
	q{userstore.attribute_computed_define('app.people', 'a', 'pg_catalog.lower(text)')} => $not_owner,
	q{userstore.user_password_verify('app.secrets', 'ann', 'x')} => '42501: permission denied for table secrets',
	q{userstore.user_password_verify('app.secrets', 'nobody', 'x')} => '42501: permission denied for table secrets',
	q{userstore.user_patch('app.secrets', 'ann', '{"password": "x"}')} => '42501: permission denied for table secrets',
	q{userstore.idempotency_purge('app.people')} => $not_owner,
	q{userstore.users_index('app.people', 'a')} => $not_owner,
	q{userstore.users_index_drop('app.people', 'a')} => $not_owner,
	q{userstore.user_view_create('app.people', 'v')} => $not_owner,
	q{userstore.user_view_refresh('app.people')} => $not_owner,
	q{userstore.user_erase('app.people', 'ann')} => $not_owner,
	q{userstore.user_erase('app.people', 'nobody')} => $not_owner,
	q{userstore.user_history_purge('app.people', now())} => $not_owner,
	q{userstore.user_table_attach('app.people')} => $not_owner,
	q{userstore.user_table_detach('app.people')} => $not_owner,
	q{userstore.tenant_grant('app.people', 'A', 'nobody')} => '42809: relation "people" is not a user table with tenants',
	q{userstore.tenant_revoke('app.people', 'A', 'nobody')} => '42809: relation "people" is not a user table with tenants',
	q{userstore.user_table_refresh('app.people')} => $not_owner,
	q{userstore.user_table_create('app.more')} => '42501: permission denied for schema app',
	q{userstore.user_table_attach('app.people_history')} => '42501: must be owner of table people_history',
);
# Every function of the extension that takes a table is tried.
is(join(' ', sort { $a cmp $b } keys %{ { map { /userstore\.(\w+)/ ? ($1 => 1) : () } keys %calls } }),
	$node->safe_psql('userstore', q{SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM pg_proc
		WHERE pronamespace = 'userstore'::regnamespace AND proargnames && '{users}' AND proname <> 'attribute_schema_define'}),
	'all functions on tables are called');
for my $role (qw(nobody updater))
{
	for my $call (sort keys %calls)
	{
		next if $role eq 'updater' && $call !~ /user_(put|patch|get)/;
		is(as($role, "SELECT $call"), $calls{$call}, "$role: $call");
	}
}
is(as('nobody', 'TABLE app.people_history'), '42501: permission denied for table people_history', 'no history');
is(as('nobody', 'TABLE app.people_idempotency'), '42501: permission denied for table people_idempotency', 'no keys');

# Not even a lock that others would have to wait for.
my $writer = $node->background_psql('userstore');
$writer->query_safe('BEGIN; UPDATE app.people SET version = version; ');
is(as('nobody', "SET lock_timeout = '5s'; SELECT userstore.user_table_detach('app.people')"), $not_owner,
	'nobody waits for a lock on a table of another');
$writer->query_safe('ROLLBACK');
$writer->quit;

# ---- Nobody forges history, keys or registrations ---------------------------

for my $role (qw(clerk nobody))
{
	for my $table (qw(people_history people_idempotency))
	{
		is(as($role, $_), "42501: permission denied for table $table", "$role: $_")
			for "INSERT INTO app.$table SELECT * FROM app.$table", "UPDATE app.$table SET version = 1",
			"DELETE FROM app.$table", "TRUNCATE app.$table";
	}
	for my $table (qw(user_table attribute_schema api_profile attribute_lookup attribute_computed attribute_index user_view era))
	{
		is(as($role, $_), "42501: permission denied for table $table", "$role: $_")
			for "INSERT INTO userstore.$table DEFAULT VALUES", "DELETE FROM userstore.$table",
			"TRUNCATE userstore.$table";
	}
	like(as($role, q{SELECT userstore.attribute_schema_define('{"id": "urn:ietf:params:scim:schemas:core:2.0:User",
		"name": "User", "attributes": [{"name": "a"}]}')}), qr/^42501: must be owner of attribute schema/,
		"$role: a schema of another");
	like(as($role, q{SELECT userstore.api_profile_define('plain')}), qr/^42501: must be owner of API profile/,
		"$role: a profile of another");
}
is(state_of('app.people'), $state, 'all that was refused left nothing');
is($node->safe_psql('userstore', 'SELECT version, changed_by FROM app.people_history ORDER BY 1'),
	"1|clerk\n2|clerk", 'history names the caller, not the owner who writes it');

# ---- Keys belong to role and client ----------------------------------------

my $request = q{userstore.user_patch('app.people', 'keys', '{"a": 1}', 'same') -> 'meta' ->> 'version'};
my $made = q{SELECT count(*) FROM app.people_idempotency WHERE key = 'same'};
as('clerk', q{SELECT userstore.user_create('app.people', '{}', 'keys')});
is(as('clerk', "SELECT $request"), '2', 'the first');
is(as('other', q{SELECT userstore.user_patch('app.people', 'keys', '{"a": 2}', 'same') -> 'meta' ->> 'version'}), '3',
	'another role has a key of its own, for another body');
is(as('clerk', "SELECT $request"), '2', 'the first is answered again');
is(as('clerk', "SET userstore.client = 'shop'; SELECT userstore.user_patch('app.people', 'keys', '{\"a\": 3}', 'same') -> 'meta' ->> 'version'"),
	'4', 'another client has a key of its own');
is(as('clerk', "SET quote_all_identifiers = on; SELECT $request"), '2', 'whatever the settings');
is($node->safe_psql('userstore', $made), '3', 'three callers');
$node->safe_psql('userstore', q{CREATE ROLE "a/b"; CREATE ROLE a; CREATE ROLE "a\\"; GRANT SELECT, UPDATE ON app.people TO "a/b", a, "a\\"});
my @pairs = ([ '"a/b"', 'c' ], [ 'a', 'b/c' ], [ 'a', '/b/c' ], [ '"a\\"', 'b/c' ], [ '"a\\"', '/b/c' ]);
for my $n (0 .. $#pairs)
{
	my ($role, $client) = @{ $pairs[$n] };
	is(as($role, "SET userstore.client = '$client';
		SELECT userstore.user_patch('app.people', 'keys', '{\"b\": $n}', 'same') -> 'b'"), $n, "$role with client $client: a caller of its own");
}

# ---- Columns ---------------------------------------------------------------

$node->safe_psql('userstore', q{
	ALTER TABLE app.people ADD COLUMN salary int DEFAULT 1000;
	GRANT SELECT (id, document, version, created_at, modified_at, xmin), UPDATE (document, version, modified_at)
		ON app.people TO narrow});
is(as('narrow', q{SELECT userstore.user_get('app.people', 'ann') - 'meta'}), '{"id": "ann", "secret": 2}', 'columns: get');
is(as('narrow', q{SELECT userstore.user_put('app.people', 'ann', '{"secret": 3}', 'narrow') - 'meta'}),
	'{"id": "ann", "secret": 3}', 'columns: put');
is(as('narrow', q{SELECT userstore.user_delete('app.people', 'ann')}), $denied, 'columns: no delete');
is(as('narrow', q{SELECT userstore.user_put('app.people', 'none', '{}')}), $denied, 'columns: no creating put');
is(as('narrow', q{SELECT salary FROM app.people}), $denied, 'columns: not the others');
$node->safe_psql('userstore', 'REVOKE SELECT (document) ON app.people FROM narrow');
is(as('narrow', q{SELECT userstore.user_get('app.people', 'ann')}), $denied, 'columns: one is missing, get');
is(as('narrow', q{SELECT userstore.user_put('app.people', 'ann', '{"secret": 3}', 'narrow')}), $denied,
	'columns: one is missing, replay');

# Who only reads needs no xmin, which is there to guard what is written.
$node->safe_psql('userstore', q{
	CREATE ROLE reader;
	GRANT SELECT (id, document, version, created_at, modified_at) ON app.people TO reader});
for my $call (sort keys %calls)
{
	next if $calls{$call} ne $denied;
	my $reads = $call =~ /user_get|user_version|user_history|users_history|as_of|users_list|users_changes|users_export/;
	if ($reads)
	{
		unlike(as('reader', "SELECT $call"), qr/^42501/, "reader: $call");
	}
	else
	{
		is(as('reader', "SELECT $call"), $call =~ /verify/ ? '55000: users of table "people" have no passwords' : $denied, "reader: $call");
	}
}
is(as('reader', q{SELECT id, count(*) FROM userstore.users_history('app.people') WHERE id = 'ann' GROUP BY 1}), 'ann|3', 'and gets what there is');
my $hint = sub {
	my ($role, $sql) = @_;
	my (undef, undef, $err) = $node->psql('userstore', "SET ROLE $role; SELECT $sql");
	return $err =~ /^HINT:  (.*)/m ? $1 : 'none';
};
is($hint->('narrow', q{userstore.user_get('app.people', 'ann')}), 'Missing is SELECT (document), or SELECT on the whole table.', 'what is missing is told');
is($hint->('reader', q{userstore.user_delete('app.people', 'ann')}), 'none', 'but not what reading takes to who may not delete');
is($hint->('reader', q{userstore.user_patch('app.people', 'ann', '{}')}), 'none', 'nor update');
is($hint->('nobody', q{userstore.user_get('app.people', 'ann')}), 'none', 'nor anything to whom nothing was granted');
$node->safe_psql('userstore', 'GRANT UPDATE (document, version, modified_at) ON app.people TO reader');
is($hint->('reader', q{userstore.user_patch('app.people', 'ann', '{}')}), 'Missing is SELECT (xmin), or SELECT on the whole table.', 'of what guards a write');
$node->safe_psql('userstore', 'REVOKE UPDATE (modified_at) ON app.people FROM reader');
is($hint->('reader', q{userstore.user_patch('app.people', 'ann', '{}')}), 'Missing is UPDATE (modified_at), or UPDATE on the whole table.', 'of what is written');

# ---- Row security ----------------------------------------------------------

$node->safe_psql('userstore', q{
	SET ROLE owner;
	SELECT userstore.user_table_create('app.rows');
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.rows TO clerk;
	ALTER TABLE app.rows ENABLE ROW LEVEL SECURITY;
	CREATE POLICY see ON app.rows FOR SELECT USING (NOT document ? 'hidden');
	CREATE POLICY ins ON app.rows FOR INSERT WITH CHECK (true);
	CREATE POLICY upd ON app.rows FOR UPDATE USING (NOT document ? 'frozen') WITH CHECK (NOT document ? 'bad');
	CREATE POLICY del ON app.rows FOR DELETE USING (NOT document ? 'frozen');
	SELECT userstore.user_create('app.rows', '{"hidden": 1}', 'hidden');
	SELECT userstore.user_create('app.rows', '{"frozen": 1}', 'frozen');
	SELECT userstore.user_create('app.rows', '{}', 'ann');
	RESET ROLE;
	SET ROLE clerk;
	SELECT userstore.user_patch('app.rows', 'ann', '{"n": 1}', 'k');
	SELECT userstore.user_create('app.rows', '{}', 'gone', 'gone');
	SELECT userstore.user_delete('app.rows', 'gone');
	RESET ROLE;
	UPDATE app.rows SET document = document || '{"hidden": 1}' WHERE id = 'ann'});
$state = state_of('app.rows');
for my $id (qw(hidden ann nobody))
{
	my $missing = qq{PT404: user "$id" does not exist};
	is(as('clerk', "SELECT userstore.user_get('app.rows', '$id')"), $missing, "get of $id");
	is(as('clerk', "SELECT userstore.user_version('app.rows', '$id')"), $missing, "version of $id");
	is(as('clerk', "SELECT userstore.user_patch('app.rows', '$id', '{\"n\": 1}')"), $missing, "patch of $id");
	is(as('clerk', "SELECT userstore.user_patch('app.rows', '$id', '{\"n\": 1}', expected_version => 1)"), $missing,
		"patch of $id with a version");
	is(as('clerk', "SELECT userstore.user_put('app.rows', '$id', '{\"n\": 1}', api => 'zluri')"),
		$missing, "put of $id, a wrong body");
	is(as('clerk', "SELECT userstore.user_put('app.rows', '$id', '{}', api => 'zluri')"), $missing, "put of $id");
	is(as('clerk', "SELECT userstore.user_delete('app.rows', '$id')"), $missing, "delete of $id");
}
is(as('clerk', q{SELECT userstore.user_patch('app.rows', 'ann', '{"n": 1}', 'k')}), 'PT404: user "ann" does not exist',
	'no replay for one who is hidden by now');
is(as('clerk', q{SELECT userstore.user_create('app.rows', '{}', 'gone', 'gone') - 'meta'}), '{"id": "gone"}',
	'but for one who is gone');
like(as('clerk', q{SELECT userstore.user_put('app.rows', 'hidden', '{}')}), qr/^23505: a user with this "id" exists already/,
	'creating one who is hidden fails, as an INSERT does');
is(as('clerk', q{SELECT userstore.user_get('app.rows', 'frozen') - 'meta'}), '{"id": "frozen", "frozen": 1}', 'seen');
is(as('clerk', q{SELECT userstore.user_patch('app.rows', 'frozen', '{"n": 1}')}),
	'42501: permission denied to change user "frozen" of table "rows"', 'but not to be changed');
like(as('clerk', q{SELECT userstore.user_delete('app.rows', 'frozen')}), qr/^42501: /, 'nor deleted');
is(state_of('app.rows'), $state, 'nothing came of all this');
as('owner', q{SELECT userstore.user_create('app.rows', '{}', 'bob')});
like(as('clerk', q{SELECT userstore.user_patch('app.rows', 'bob', '{"bad": 1}')}),
	qr/^42501: new row violates row-level security policy/, 'WITH CHECK');
is(as('clerk', q{SET row_security = off; SELECT userstore.user_get('app.rows', 'bob')}),
	'42501: query would be affected by row-level security policy for table "rows"', 'row_security = off');

# The owner is exempt, until FORCE: then also for replays, and whoever called
# before in the session.
is(as('owner', q{SELECT userstore.user_get('app.rows', 'hidden') - 'meta'}), '{"id": "hidden", "hidden": 1}', 'the owner sees all');
as('owner', q{SELECT userstore.user_patch('app.rows', 'bob', '{"hidden": 1}', 'forced')});
$node->safe_psql('userstore', 'ALTER TABLE app.rows FORCE ROW LEVEL SECURITY');
my $forced = q{userstore.user_patch('app.rows', 'bob', '{"hidden": 1}', 'forced')};
is(as('owner', q{SELECT userstore.user_get('app.rows', 'bob')}), 'PT404: user "bob" does not exist', 'FORCE: get');
is(as('owner', "SELECT $forced"), 'PT404: user "bob" does not exist', 'FORCE: replay');
is(as('owner', q{DO $$ BEGIN PERFORM } . $forced . q{; EXCEPTION WHEN SQLSTATE 'PT404' THEN NULL; END $$;
	SELECT userstore.user_get('app.rows', 'bob')}), 'PT404: user "bob" does not exist', 'FORCE: get after a replay');
is(as('owner', q{SELECT userstore.user_create('app.rows', '{}', 'eve', 'forced too') - 'meta'}), '{"id": "eve"}',
	'FORCE does not keep history and keys from being written');

# ---- SECURITY DEFINER ------------------------------------------------------

$node->safe_psql('userstore', q{
	CREATE FUNCTION app.wrapper(n int) RETURNS jsonb LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
		$$SELECT userstore.user_patch('app.people', 'ann', jsonb_build_object('n', n), 'wrapped') - 'meta'$$;
	ALTER FUNCTION app.wrapper OWNER TO clerk});
is(as('nobody', 'SELECT app.wrapper(1)'), '{"n": 1, "id": "ann", "secret": 3}', 'a wrapper does what its owner may');
is(as('nobody', 'SELECT app.wrapper(2)'), 'PT422: the idempotency key was used for another request', 'as one caller');
is($node->safe_psql('userstore', q{SELECT changed_by FROM app.people_history WHERE user_id = 'ann' ORDER BY version DESC LIMIT 1}),
	'clerk', 'and history names that one');

# ---- Companions of another owner -------------------------------------------

$node->safe_psql('userstore', q{CREATE ROLE thief; GRANT thief TO owner; SET ROLE owner;
	SELECT userstore.user_table_create('app.given'); GRANT SELECT, INSERT, UPDATE ON app.given TO clerk;
	RESET ROLE; GRANT CREATE ON SCHEMA app TO thief});
is(as('clerk', q{SELECT userstore.user_put('app.given', 'a', '{}') -> 'meta' ->> 'version'}), '1', 'companions of one owner');
for my $companion (qw(history idempotency))
{
	$node->safe_psql('userstore', "ALTER TABLE app.given_$companion OWNER TO thief");
	is(as('clerk', q{SELECT userstore.user_put('app.given', 'a', '{"n": 1}')}),
		qq{55000: the $companion table of "given" has another owner}, "$companion of another owner");
	$node->safe_psql('userstore', "ALTER TABLE app.given_$companion OWNER TO owner");
}
# Dropping the table drops what is the same owner's only.
$node->safe_psql('userstore', 'ALTER TABLE app.given_history OWNER TO postgres; ALTER TABLE app.given_history SET SCHEMA public');
as('owner', 'DROP TABLE app.given');
is($node->safe_psql('userstore', q{SELECT string_agg(relname, ' ') FROM pg_class WHERE relname LIKE 'given%' AND relkind = 'r'}),
	'given_history', 'a companion that was given away is not dropped');

# ---- What the search path has ----------------------------------------------

$node->safe_psql('userstore', q{
	CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
	CREATE FUNCTION evil.fail(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil ='; END $$;
	CREATE FUNCTION evil.fail(bigint, bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil ='; END $$;
	CREATE FUNCTION evil.fail(xid, xid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil ='; END $$;
	CREATE FUNCTION evil.fail(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil ='; END $$;
	CREATE FUNCTION evil.fail(jsonb, text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil ->>'; END $$;
	CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.fail);
	CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.fail);
	CREATE OPERATOR evil.= (LEFTARG = xid, RIGHTARG = xid, FUNCTION = evil.fail);
	CREATE OPERATOR evil.<= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.fail);
	CREATE OPERATOR evil.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = evil.fail);
	CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil lower'; END $$;
	CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil now'; END $$;
	CREATE FUNCTION evil.jsonb_typeof(jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'evil typeof'; END $$;
	CREATE DOMAIN evil.int8 AS text CHECK (value = 'evil');
	CREATE DOMAIN evil.jsonb AS text CHECK (value = 'evil');
	GRANT CREATE ON SCHEMA app TO clerk;
	GRANT TEMPORARY ON DATABASE userstore TO clerk});
my $evil = q{SET search_path = evil, app, pg_catalog, userstore; };
like(as('clerk', $evil . q{SELECT lower('x')}), qr/evil lower/, 'the trap is set');
like(as('clerk', $evil . q{SELECT 'x'::text = 'x'::text}), qr/evil =/, 'so are its operators');
my $work = q{
	CREATE TEMP TABLE searched (id text PRIMARY KEY);
	CREATE TEMP TABLE searched_history (id text);
	CREATE TEMP TABLE searched_idempotency (id text);
	SELECT FROM userstore.user_table_create('app.searched', 'scim');
	SELECT FROM userstore.user_create('app.searched', '{"userName": "Ann"}', 'a', 'k1');
	SELECT FROM userstore.user_create('app.searched', '{"userName": "Ann"}', 'a', 'k1');
	SELECT FROM userstore.user_put('app.searched', 'a', '{"userName": "Bob"}', 'k2', 1);
	SELECT FROM userstore.user_patch('app.searched', 'a', '{"active": true}');
	SELECT FROM userstore.user_delete('app.searched', 'a');
	SELECT FROM userstore.user_create('app.searched', '{"userName": "Ann"}', 'a');
	SELECT FROM userstore.user_get('app.searched', 'a');
	SELECT FROM userstore.idempotency_purge('app.searched');
	SELECT FROM userstore.attribute_schema_define('{"id": "urn:example:evil", "name": "User", "attributes": [{"name": "a"}]}');
	SELECT FROM userstore.attribute_schema_define('{"id": "urn:example:evil", "name": "User", "attributes": [{"name": "b"}]}');
	SELECT FROM userstore.api_profile_define('evil', base => 'scim');
	SELECT FROM userstore.user_table_refresh('app.searched');
	SELECT FROM userstore.api_profile_drop('evil');
	SELECT FROM userstore.attribute_schema_drop('urn:example:evil');
	SELECT pg_catalog.count(*) FROM searched;
	SELECT FROM userstore.user_create('app.searched', '{"userName": "ANN"}', 'b')};
is(as('clerk', $evil . $work), '23505: a user with this "userName" exists already', 'everything works but what should not');
is($node->safe_psql('userstore', q{SELECT count(*) FROM app.searched_history}), '5', 'and is in the right tables');
as('clerk', 'DROP TABLE app.searched');

# ---- Triggers --------------------------------------------------------------

# Triggers on the user table run as the caller; one that changes the role for
# good does not make our writes another's.
$node->safe_psql('userstore', q{
	CREATE ROLE app_login; GRANT clerk TO app_login;
	CREATE TABLE app.seen (what text); GRANT INSERT ON app.seen TO PUBLIC;
	CREATE FUNCTION app.set_role() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		SET ROLE clerk;
		RETURN NEW;
	END $$;
	SET ROLE owner;
	SELECT userstore.user_table_create('app.roles');
	SELECT userstore.user_create('app.roles', '{}', 'a');
	GRANT SELECT, INSERT, UPDATE ON app.roles TO clerk;
	CREATE TRIGGER set_role BEFORE UPDATE ON app.roles FOR EACH ROW EXECUTE FUNCTION app.set_role()});
is($node->safe_psql('userstore', q{
	SET SESSION AUTHORIZATION app_login;
	SELECT userstore.user_patch('app.roles', 'a', '{"n": 1}', 'k') ->> 'n';
	SELECT current_user}), "1\nclerk", 'SET ROLE in a trigger');
is($node->safe_psql('userstore', q{SELECT version, changed_by FROM app.roles_history ORDER BY 1}), "1|owner\n2|clerk",
	'history has the role under which the change came to be written');

# What the owner attaches to the companions runs as the owner, and cannot
# become the caller.
$node->safe_psql('userstore', q{
	CREATE TABLE app.precious (n int);
	GRANT SELECT, INSERT, UPDATE ON app.people TO other;
	ALTER TABLE app.precious OWNER TO other;
	CREATE FUNCTION app.spy() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		tried text := tg_table_name || ' ' || current_user;
	BEGIN
		BEGIN
			INSERT INTO app.precious VALUES (1);
			tried := tried || ', inserted';
		EXCEPTION WHEN OTHERS THEN
			tried := tried || ', ' || sqlerrm;
		END;
		BEGIN
			SET ROLE other;
			tried := tried || ', set role';
		EXCEPTION WHEN OTHERS THEN
			tried := tried || ', ' || sqlerrm;
		END;
		BEGIN
			SET SESSION AUTHORIZATION other;
			tried := tried || ', set session authorization';
		EXCEPTION WHEN OTHERS THEN
			tried := tried || ', ' || sqlerrm;
		END;
		INSERT INTO app.seen VALUES (tried);
		RETURN NULL;
	END $$;
	SET ROLE owner;
	CREATE TRIGGER spy AFTER INSERT ON app.people_history FOR EACH ROW EXECUTE FUNCTION app.spy();
	CREATE TRIGGER spy AFTER INSERT ON app.people_idempotency FOR EACH ROW EXECUTE FUNCTION app.spy()});
is($node->safe_psql('userstore', q{SET SESSION AUTHORIZATION other;
	SELECT userstore.user_patch('app.people', 'ann', '{"spied": 1}', 'spied') ->> 'spied'; SELECT current_user}), "1\nother", 'a call');
is($node->safe_psql('userstore', 'SELECT what FROM app.seen ORDER BY 1'), join("\n", map {
	"$_ owner, permission denied for table precious, " .
	'cannot set parameter "role" within security-definer function, ' .
	'cannot set parameter "session_authorization" within security-definer function' } qw(people_history people_idempotency)),
	'what spied was the owner, nobody else');

# ---- What an owner does to columns and rows --------------------------------

# Values that are not what they were when the table was attached are refused,
# not read as something else.
$node->safe_psql('userstore', q{SET ROLE owner;
	CREATE TABLE app.own (id text PRIMARY KEY, document jsonb, version bigint, created_at timestamptz, modified_at timestamptz);
	SELECT userstore.user_table_attach('app.own');
	INSERT INTO app.own VALUES ('null', NULL, 1, now(), now()), ('array', '[1]', 1, now(), now()),
		('version', '{}', NULL, now(), now()), ('time', '{}', 1, now(), NULL), ('good', '{}', 1, now(), now())});
for my $call ("userstore.user_get('app.own', %s)", "userstore.user_put('app.own', %s, '{\"n\": 1}')", "userstore.user_delete('app.own', %s)")
{
	like(as('owner', sprintf "SELECT $call", q{'null'}), qr/^22004: column "document"/, "$call: no document");
	like(as('owner', sprintf "SELECT $call", q{'array'}), qr/^XX001: the document .* is not a JSON object/, "$call: an array");
	like(as('owner', sprintf "SELECT $call", q{'version'}), qr/^22004: column "version"/, "$call: no version");
	like(as('owner', sprintf "SELECT $call", q{'time'}), qr/^22004: column "modified_at"/, "$call: no time");
}
as('owner', 'ALTER TABLE app.own ALTER document TYPE text');
like(as('owner', q{SELECT userstore.user_get('app.own', 'good')}), qr/^42804: column "document" .* is of type text/, 'another type');
as('owner', q{ALTER TABLE app.own ALTER document TYPE jsonb USING '{}'});
as('owner', q{ALTER TABLE app.own_idempotency ALTER fingerprint TYPE int USING 1;
	INSERT INTO app.own_idempotency VALUES ('owner/', 'k', 1, 'put', NULL, NULL, NULL, 'infinity')});
like(as('owner', q{SELECT userstore.user_put('app.own', 'good', '{}', 'k')}), qr/^42804: column "fingerprint"/, 'of a key');
as('owner', q{ALTER TABLE app.own_history ALTER version TYPE text});
as('owner', q{SELECT userstore.user_delete('app.own', 'good')});
like(as('owner', q{SELECT userstore.user_create('app.own', '{}', 'good')}), qr/^42804: column "version"/, 'of history');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'the server never crashed');

done_testing();
