-- users_load and users_export: parts of feeds, answered with counts and with
-- what failed; and users in the form in which they can be loaded again.
SET client_min_messages = warning;
CREATE EXTENSION pgcrypto;
CREATE ROLE regress_load;
CREATE SCHEMA load AUTHORIZATION regress_load;
SET ROLE regress_load;
SET search_path = load, public;
\pset format unaligned
SELECT userstore.attribute_schema_define('{"id": "urn:test:load:Person", "attributes": [
	{"name": "login", "uniqueness": "server"}, {"name": "n", "type": "integer"},
	{"name": "secret", "returned": "never"}, {"name": "note", "returned": "request"}, {"name": "seen", "mutability": "readOnly"}]}');
SELECT userstore.user_table_create('load.people', schemas => '{urn:test:load:Person}');

-- counts, and what failed: by its place, with its id if it had one
SELECT userstore.users_load('people', '[{"id": "a", "login": "ann", "n": 1}, {"id": "b", "login": "bob"}, {"id": "c", "login": "ANN"}, {"n": 1},
	{"id": "d", "n": "x"}, 5, {"id": "a", "n": 2}, {"id": "b", "login": "bob"}]');
SELECT id, document, version FROM people ORDER BY id;
SELECT userstore.users_load('people', '[]');
SELECT userstore.users_load('people', '[{"id": "a", "n": 5}, {"id": "z", "n": 5}]', patch => true);
SELECT userstore.users_load('people', '[{"id": "a", "n": 6}, {"id": "z", "n": 5}]', patch => NULL, creates => false);
SELECT userstore.users_load('people', '[{"login": "bob", "n": 7}]', true, match => 'login');

-- a dry run leaves nothing
SELECT userstore.users_load('people', '[{"id": "a", "n": 9}, {"id": "y"}]', dry_run => true, idempotency_key => 'dry');
SELECT id, document, version FROM people ORDER BY id;

-- a key: the same answer, and nothing done
SELECT userstore.users_load('people', '[{"id": "k", "n": 1}, {"id": "l", "n": "x"}]', idempotency_key => 'k1');
SELECT userstore.users_load('people', '[{"id": "k", "n": 1}, {"id": "l", "n": "x"}]', idempotency_key => 'k1');
SELECT count(*) FROM people_history WHERE user_id = 'k';
\set VERBOSITY sqlstate
SELECT userstore.users_load('people', '[{"id": "k", "n": 2}, {"id": "l", "n": "x"}]', idempotency_key => 'k1');
SELECT userstore.users_load('people', '[{"id": "k", "n": 1}, {"id": "l", "n": "x"}]', true, idempotency_key => 'k1');
SELECT userstore.users_load('people', '[{"id": "k", "n": 1}, {"id": "l", "n": "x"}]', atomic => true, idempotency_key => 'k1');
SELECT userstore.users_load('people', '[{"id": "k", "n": 1}, {"id": "l", "n": "x"}]', creates => false, idempotency_key => 'k1');
SELECT userstore.users_bulk_put('people', '[{"id": "k", "n": 1}, {"id": "l", "n": "x"}]', idempotency_key => 'k1');

-- what the request itself gets wrong
SELECT userstore.users_load('people', '{"users": []}');
SELECT userstore.users_load('people', '{}');
SELECT userstore.users_load(NULL, '[]');
SELECT userstore.users_load('people', NULL);
SELECT userstore.users_load('people', '[]', match => 'n.x');
SELECT userstore.users_load('people', '[]', api => 'none');
\set VERBOSITY default
SELECT userstore.users_load('people', '[{"id": "m", "n": 1}, {"id": "n", "n": "x"}]', atomic => true);

-- the same shape for all APIs
SELECT userstore.user_table_create('load.fields', api => 'oig');
SELECT userstore.users_load('fields', '[{"id": "1", "fields": [{"name": "User Login", "value": "ANN"}, {"name": "Last Name", "value": "Lee"}]},
	{"id": "2", "fields": [{"name": "Nothing", "value": 1}]}]', creates => true);
SELECT userstore.user_table_create('load.resources', api => 'scim');
SELECT userstore.users_load('resources', '[{"id": "1", "userName": "ann", "password": "secret"}, {"id": "2"}]', creates => true, idempotency_key => 'p');
SELECT userstore.users_load('resources', '[{"id": "1", "userName": "ann", "password": "secret"}, {"id": "2"}]', creates => true, idempotency_key => 'p');
\set VERBOSITY sqlstate
SELECT userstore.users_load('resources', '[{"id": "1", "userName": "ann", "password": "other"}, {"id": "2"}]', creates => true, idempotency_key => 'p');
\set VERBOSITY default
SELECT userstore.user_password_verify('resources', '1', 'secret');
SELECT count(*) FROM resources_idempotency WHERE response::text LIKE '%secret%';

-- all that is stored, but no password; nothing that the server adds
SELECT userstore.user_put('people', 'x', '{"login": "x", "secret": "s", "note": "n"}') - 'meta';
UPDATE people SET document = document || '{"id": "wrong", "meta": {"a": 1}, "schemas": ["b"], "seen": "now"}' WHERE id = 'x';
SELECT userstore.users_export('people');
SELECT userstore.users_export('fields');
SELECT userstore.users_export('resources');
SELECT userstore.users_export('resources', 'okta') = userstore.users_export('resources') AS alike;
SELECT count(*) FROM userstore.users_export('people') LIMIT 1;
SELECT userstore.users_export('people') LIMIT 2;
SELECT userstore.user_table_create('load.copies', schemas => '{urn:test:load:Person}');
SELECT userstore.users_load('copies', (SELECT jsonb_agg(u) FROM userstore.users_export('people') u));
SELECT p.id, p.document - '{id,meta,schemas,seen}'::text[] = c.document AS same FROM people p FULL JOIN copies c USING (id) ORDER BY id;

-- more than are fetched at once, as of one moment
SELECT userstore.users_load('copies', (SELECT jsonb_agg(jsonb_build_object('id', 'many' || i)) FROM generate_series(1, 250) i));
BEGIN;
DECLARE export CURSOR FOR SELECT userstore.users_export('copies');
FETCH export;
SELECT count(*), count(userstore.user_delete('copies', id)) FROM copies;
SELECT count(*) FROM copies;
MOVE 252 FROM export;
FETCH 2 FROM export;
ROLLBACK;
\set VERBOSITY sqlstate
SELECT userstore.users_export(NULL);
SELECT userstore.users_export('pg_class');
SELECT userstore.users_export('people', 'none');
\set VERBOSITY default

-- who may not read may not export, who may not write may not load
RESET ROLE;
CREATE ROLE regress_load_stranger;
GRANT USAGE ON SCHEMA load TO regress_load_stranger;
SET ROLE regress_load_stranger;
SELECT userstore.users_export('people');
SELECT userstore.users_load('people', '[{"id": "a"}]');
RESET ROLE;
GRANT SELECT ON people TO regress_load_stranger;
SET ROLE regress_load_stranger;
SELECT count(*) FROM userstore.users_export('people');
SELECT userstore.users_load('people', '[{"id": "a"}]');

-- tidy up
RESET ROLE;
DROP SCHEMA load CASCADE;
DELETE FROM userstore.attribute_schema WHERE id = 'urn:test:load:Person';
DROP ROLE regress_load_stranger, regress_load;
DROP EXTENSION pgcrypto;
