--
-- User tables: created, attached, refreshed, detached, renamed, dropped; unique
-- attributes; what is commented.  DROP EXTENSION with tables in use is the
-- topic extension.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE ROLE regress_table;
CREATE ROLE regress_table_other;
CREATE SCHEMA regress_table AUTHORIZATION regress_table;
CREATE SCHEMA "Regress ""Table" AUTHORIZATION regress_table;
CREATE SCHEMA regress_table_closed;
RESET client_min_messages;
GRANT USAGE ON SCHEMA regress_table_closed TO regress_table;
SET SESSION AUTHORIZATION regress_table;
SET search_path = regress_table;
GRANT USAGE ON SCHEMA regress_table TO regress_table_other;

-- What a command gives, or how it is refused: SQLSTATE, message, DETAIL, HINT.
CREATE FUNCTION outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
    hint text;
BEGIN
    EXECUTE command INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- The same for a call of ours, which answers without times.
CREATE FUNCTION answer(call text) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT (userstore.%s) #- ''{meta,created}'' #- ''{meta,lastModified}''', call))
$$;

--
-- Names
--
SELECT userstore.user_table_create('people');
SELECT userstore.user_table_create('regress_table.clerks');
SELECT userstore.user_table_create('"Regress ""Table"."We ird.""people"');
SELECT userstore.user_table_create('PEOPLE2');  -- folded as SQL does
SELECT userstore.user_table_create(repeat('n', 51));
SELECT users, history, idempotency, api, schemas, unique_columns FROM userstore.user_table
    WHERE users IN (SELECT oid FROM pg_class WHERE relowner = 'regress_table'::regrole) ORDER BY users::oid;
SELECT answer($$user_create('"Regress ""Table"."We ird.""people"', '{"x": 1}', 'u')$$);
SELECT answer($$user_put('"Regress ""Table"."We ird.""people"', 'u', '{"x": 2}', idempotency_key => 'k')$$);
SELECT user_id, version, operation FROM "Regress ""Table"."We ird.""people_history" ORDER BY version;
SELECT key FROM "Regress ""Table"."We ird.""people_idempotency";
DROP SCHEMA "Regress ""Table" CASCADE;
SELECT outcome($$SELECT userstore.user_table_create('')$$);
SELECT outcome($$SELECT userstore.user_table_create('a.b.c')$$);
SELECT outcome($$SELECT userstore.user_table_create('a.b.c.d')$$);
SELECT outcome($$SELECT userstore.user_table_create('"people')$$);
SELECT outcome($$SELECT userstore.user_table_create('people; DROP TABLE people')$$);
SELECT outcome($$SELECT userstore.user_table_create(repeat('n', 52))$$);
SELECT outcome($$SELECT userstore.user_table_create('people')$$);
SELECT outcome($$SELECT userstore.user_table_create('none.people')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', api => 'none')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', schemas => '{urn:none}')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', schemas => '{urn:ietf:params:scim:schemas:core:2.0:User,urn:ietf:params:scim:schemas:core:2.0:User}')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', schemas => '{NULL}')$$);
SELECT outcome($$SELECT userstore.user_table_create('regress_table_closed.x')$$);
SET search_path = '';
SELECT regress_table.outcome($$SELECT userstore.user_table_create('x')$$);
SET search_path = regress_table;
-- a companion's name is taken
CREATE TABLE taken_history (x int);
SELECT outcome($$SELECT userstore.user_table_create('taken')$$);
DROP TABLE taken_history;
CREATE VIEW taken_idempotency AS SELECT 1;
SELECT outcome($$SELECT userstore.user_table_create('taken')$$);
DROP VIEW taken_idempotency;
SELECT to_regclass('taken'), to_regclass('taken_history'), to_regclass('x');

--
-- NULL arguments
--
SELECT outcome($$SELECT userstore.user_table_create(NULL)$$);
SELECT outcome($$SELECT userstore.user_table_create('x', api => NULL)$$);
SELECT outcome($$SELECT userstore.user_table_create('x', id_type => NULL)$$);
SELECT outcome($$SELECT userstore.user_table_attach(NULL)$$);
SELECT outcome($$SELECT userstore.user_table_attach('people', NULL)$$);
SELECT outcome($$SELECT userstore.user_table_detach(NULL)$$);
SELECT outcome($$SELECT userstore.user_table_refresh(NULL)$$);
SELECT outcome($$SELECT userstore.idempotency_purge(NULL)$$);
SELECT outcome($$SELECT userstore.idempotency_purge('people', NULL)$$);
SELECT outcome($$SELECT userstore.user_create(NULL, '{}')$$);
SELECT outcome($$SELECT userstore.user_create('people', NULL)$$);
SELECT outcome($$SELECT userstore.user_create('people', '{}', dry_run => NULL)$$);
SELECT outcome($$SELECT userstore.user_put('people', NULL, '{}')$$);
SELECT outcome($$SELECT userstore.user_put('people', 'u', NULL)$$);
SELECT outcome($$SELECT userstore.user_get(NULL, 'u')$$);
SELECT outcome($$SELECT userstore.user_get('people', NULL)$$);
SELECT outcome($$SELECT userstore.user_version('people', NULL)$$);
SELECT outcome($$SELECT userstore.user_delete('people', NULL)$$);

--
-- Types of ids
--
SELECT userstore.user_table_create('ids_varchar', id_type => 'varchar'), userstore.user_table_create('ids_uuid', id_type => 'uuid'),
    userstore.user_table_create('ids_int', id_type => 'int'), userstore.user_table_create('ids_bigint', id_type => 'bigint');
SELECT outcome($$SELECT userstore.user_table_create('x', id_type => 'smallint')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', id_type => 'jsonb')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', id_type => 'name')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', id_type => '0')$$);
SELECT table_name, column_name, data_type, is_identity, identity_generation FROM information_schema.columns
    WHERE table_schema = 'regress_table' AND table_name LIKE 'ids%' AND column_name IN ('id', 'user_id') ORDER BY 1;
SELECT answer($$user_create('ids_int', '{"a": 1}')$$);
SELECT answer($$user_create('ids_int', '{"a": 1}')$$);
SELECT answer($$user_put('ids_int', '007', '{"a": 1}')$$);
SELECT answer($$user_put('ids_int', '7', '{"a": 2}')$$);
SELECT answer($$user_put('ids_int', 'seven', '{"a": 2}')$$);
SELECT answer($$user_put('ids_int', '3000000000', '{"a": 2}')$$);
SELECT answer($$user_put('ids_bigint', '3000000000', '{"a": 2}')$$);
SELECT answer($$user_put('ids_uuid', '4AE68F98-2762-4001-B95C-34569B413E8E', '{"a": 2}')$$);
SELECT answer($$user_get('ids_uuid', '4ae68f9827624001b95c34569b413e8e')$$);
SELECT answer($$user_get('ids_uuid', 'u')$$);
SELECT answer($$user_put('ids_varchar', 'Ünïcode id', '{}')$$);
SELECT answer($$user_put('ids_varchar', '', '{}')$$);
SELECT answer($$user_put('ids_varchar', repeat('x', 256), '{}')$$);
SELECT length(userstore.user_create('people', '{}') ->> 'id'), (userstore.user_create('ids_uuid', '{}') ->> 'id')::uuid IS NOT NULL;
SELECT user_id, version FROM ids_int_history ORDER BY 1, 2;
DROP TABLE ids_varchar, ids_uuid, ids_int, ids_bigint, people, clerks, people2;
SELECT format('DROP TABLE %s', repeat('n', 51)) \gexec

--
-- Columns and constraints, with a unique attribute
--
SELECT userstore.user_table_create('people', api => 'zluri');
\pset format aligned
\pset tuples_only off
\d people
\d people_history
\d people_idempotency
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
INSERT INTO people (id, document) VALUES ('x', '[]');
INSERT INTO people (id, document) VALUES ('x', NULL);
\set VERBOSITY default
DROP TABLE people;

--
-- Unique attributes: single, nested, of an extension, caseExact, of numbers
--
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:User", "attributes": [
    {"name": "userName", "uniqueness": "server"}, {"name": "code", "uniqueness": "global", "caseExact": true},
    {"name": "number", "type": "integer", "uniqueness": "server"}, {"name": "nick", "absent": "blank"},
    {"name": "alias", "uniqueness": "server", "absent": "blank"},
    {"name": "home", "type": "complex", "subAttributes": [{"name": "door", "type": "complex", "subAttributes": [
        {"name": "keyNumber", "uniqueness": "server"}]}]}]}');
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:More", "attributes": [{"name": "badge", "uniqueness": "server"}]}');
SELECT userstore.api_profile_define('regress_table', '{"schemas": ["urn:regress:table:User", "urn:regress:table:More"]}');
SELECT userstore.user_table_create('people', api => 'regress_table');
SELECT attribute, column_name, pg_get_expr(d.adbin, d.adrelid), format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum)
    FROM userstore.user_table, jsonb_each_text(unique_columns) AS u (attribute, column_name),
    pg_attribute a JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
    WHERE users = 'people'::regclass AND attrelid = users AND attname = column_name ORDER BY attribute COLLATE "C";
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'people'::regclass ORDER BY 1;
SELECT answer($$user_create('people', '{"userName": "Ann", "code": "a", "number": 1, "home": {"door": {"keyNumber": "K1"}},
    "urn:regress:table:More": {"badge": "b1"}}', 'a')$$);
SELECT answer($$user_create('people', '{"userName": "ANN"}', 'b')$$);
SELECT answer($$user_create('people', '{"userName": "Bob", "code": "a"}', 'b')$$);
SELECT answer($$user_create('people', '{"userName": "Bob", "number": 1.0}', 'b')$$);
SELECT answer($$user_create('people', '{"userName": "Bob", "home": {"door": {"keyNumber": "k1"}}}', 'b')$$);
SELECT answer($$user_create('people', '{"userName": "Bob", "urn:regress:table:More": {"badge": "B1"}}', 'b')$$);
SELECT answer($$user_create('people', '{"userName": "Bob", "code": "A", "number": 2}', 'b')$$);  -- caseExact
SELECT answer($$user_create('people', '{"userName": "Cyd"}', 'a')$$);
SELECT answer($$user_put('people', 'b', '{"userName": "ann"}')$$);
SELECT answer($$user_patch('people', 'b', '{"code": "a"}')$$);
SELECT answer($$user_put('people', 'a', '{"userName": "ann"}')$$);  -- one's own value in another case
SELECT answer($$user_create('people', jsonb_build_object('userName', repeat('ä', 751)), 'l')$$);
SELECT length(answer($$user_create('people', jsonb_build_object('userName', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 46) n)), 'l')$$));
-- blanks do not collide
SELECT answer($$user_create('people', '{"userName": "d", "alias": "x"}', 'd')$$);
SELECT answer($$user_create('people', '{"userName": "e", "alias": "y"}', 'e')$$);
SELECT answer($$user_put('people', 'd', '{"userName": "d"}')$$);
SELECT answer($$user_put('people', 'e', '{"userName": "e"}')$$);
-- nor do users without a value
SELECT count(*), count(unique_alias), count(unique_user_name) FROM people;
-- what drivers know of PostgreSQL's error stays
DO $$
DECLARE
    state text; message text; detail text; con text; tab text; sch text;
BEGIN
    PERFORM userstore.user_create('people', '{"userName": "ANN"}');
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        con = CONSTRAINT_NAME, tab = TABLE_NAME, sch = SCHEMA_NAME;
    RAISE NOTICE '% | % | % | % | % | %', state, message, detail, sch, tab, con;
END $$;
-- an error of a constraint that is not ours is told as PostgreSQL does
ALTER TABLE people ADD CONSTRAINT no_zed CHECK (document ->> 'userName' <> 'Zed');
\set VERBOSITY terse
SELECT userstore.user_create('people', '{"userName": "Zed"}', 'z');
\set VERBOSITY default
CREATE UNIQUE INDEX people_nick ON people ((document ->> 'nick'));
SELECT answer($$user_patch('people', 'a', '{"nick": "n"}')$$);
SELECT answer($$user_patch('people', 'b', '{"nick": "n"}')$$);
DROP INDEX people_nick;
-- deferred, two users exchange their values
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
SELECT answer($$user_put('people', 'a', '{"userName": "bob"}')$$);
SELECT answer($$user_put('people', 'b', '{"userName": "ann"}')$$);
COMMIT;
SELECT id, document ->> 'userName' FROM people WHERE id IN ('a', 'b') ORDER BY id;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
SELECT answer($$user_patch('people', 'a', '{"userName": "ann"}')$$);
COMMIT;
SELECT id, document ->> 'userName' FROM people WHERE id IN ('a', 'b') ORDER BY id;
-- only single simple values can be unique
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "multiValued": true, "uniqueness": "server"}]}');
SELECT outcome($$SELECT userstore.user_table_create('multi', schemas => '{urn:regress:table:Multi}')$$);
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "multiValued": true,
    "type": "complex", "subAttributes": [{"name": "b", "uniqueness": "server"}]}]}');
SELECT outcome($$SELECT userstore.user_table_create('multi', schemas => '{urn:regress:table:Multi}')$$);
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "uniqueness": "server",
    "type": "complex", "subAttributes": [{"name": "b"}]}]}');
SELECT outcome($$SELECT userstore.user_table_create('multi', schemas => '{urn:regress:table:Multi}')$$);
SELECT to_regclass('multi');
-- names that would give the same column, and long ones, have one each
SELECT userstore.attribute_schema_define(format('{"id": "urn:regress:table:Multi", "attributes": [
    {"name": "fooBar", "uniqueness": "server"}, {"name": "foo_bar", "uniqueness": "server"}, {"name": "Ä%%''", "uniqueness": "server"},
    {"name": "%s", "uniqueness": "server"}, {"name": "%s", "uniqueness": "server"}]}', 'x' || repeat('l', 70), 'y' || repeat('l', 70))::jsonb);
SELECT userstore.user_table_create('multi', schemas => '{urn:regress:table:Multi}');
SELECT regexp_replace(attribute, 'l{70}', 'l*'), column_name FROM userstore.user_table, jsonb_each_text(unique_columns) AS u (attribute, column_name)
    WHERE users = 'multi'::regclass ORDER BY attribute COLLATE "C";
SELECT answer($$user_create('multi', '{"fooBar": "1", "foo_bar": "2", "Ä%''": "3"}', 'a')$$);
SELECT answer($$user_create('multi', '{"fooBar": "2", "foo_bar": "1"}', 'b')$$);
SELECT answer($$user_create('multi', '{"foo_bar": "1"}', 'c')$$);
SELECT answer($$user_create('multi', '{"fooBar": "1"}', 'c')$$);
SELECT answer($$user_create('multi', '{"Ä%''": "3"}', 'c')$$);
SELECT outcome($$SELECT userstore.user_create('multi', jsonb_build_object('x' || repeat('l', 70), 'v'), 'd') -> 'id'$$);
SELECT outcome($$SELECT userstore.user_create('multi', jsonb_build_object('y' || repeat('l', 70), 'v'), 'e') -> 'id'$$);
SELECT left(outcome($$SELECT userstore.user_create('multi', jsonb_build_object('y' || repeat('l', 70), 'v'), 'f') -> 'id'$$), 40);
SELECT userstore.user_table_refresh('multi');
SELECT count(*) FROM userstore.user_table, jsonb_each_text(unique_columns) WHERE users = 'multi'::regclass;
DROP TABLE multi;

--
-- Refresh adds and removes
--
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a"}, {"name": "b", "uniqueness": "server"}]}');
SELECT userstore.user_table_create('multi', schemas => '{urn:regress:table:Multi}');
SELECT userstore.user_table_refresh('multi');
SELECT unique_columns FROM userstore.user_table WHERE users = 'multi'::regclass;
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "uniqueness": "server"}, {"name": "b"}]}');
SELECT answer($$user_create('multi', '{"a": "1", "b": "1"}', 'a')$$);
SELECT answer($$user_create('multi', '{"a": "2", "b": "1"}', 'b')$$);  -- unique until the refresh
SELECT userstore.user_table_refresh('multi');
SELECT unique_columns FROM userstore.user_table WHERE users = 'multi'::regclass;
SELECT attname FROM pg_attribute WHERE attrelid = 'multi'::regclass AND attnum > 5 AND NOT attisdropped;
SELECT answer($$user_create('multi', '{"a": "2", "b": "1"}', 'b')$$);
SELECT answer($$user_create('multi', '{"a": "2"}', 'c')$$);
-- an attribute that becomes caseExact
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "uniqueness": "server", "caseExact": true}]}');
SELECT answer($$user_create('multi', '{"a": "X"}', 'x')$$);
SELECT userstore.user_table_refresh('multi');
SELECT unique_columns FROM userstore.user_table WHERE users = 'multi'::regclass;
SELECT answer($$user_create('multi', '{"a": "x"}', 'y')$$);
SELECT answer($$user_create('multi', '{"a": "X"}', 'z')$$);
-- a number, and back
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "uniqueness": "server", "type": "integer"}]}');
SELECT outcome($$SELECT userstore.user_table_refresh('multi')$$);
SELECT userstore.attribute_schema_define('{"id": "urn:regress:table:Multi", "attributes": [{"name": "a", "uniqueness": "server"}]}');
SELECT outcome($$SELECT userstore.user_table_refresh('multi')$$);
SELECT answer($$user_delete('multi', 'y')$$);
SELECT outcome($$SELECT userstore.user_table_refresh('multi')$$);
SELECT unique_columns FROM userstore.user_table WHERE users = 'multi'::regclass;
-- a constraint that somebody dropped
ALTER TABLE multi DROP CONSTRAINT multi_unique_a_key;
SELECT outcome($$SELECT userstore.user_table_refresh('multi')$$);
SELECT conname FROM pg_constraint WHERE conrelid = 'multi'::regclass AND contype = 'u';
SET SESSION AUTHORIZATION regress_table_other;
SELECT regress_table.outcome($$SELECT userstore.user_table_refresh('regress_table.multi')$$);
SELECT regress_table.outcome($$SELECT userstore.user_table_detach('regress_table.multi')$$);
SELECT regress_table.outcome($$SELECT userstore.user_table_attach('regress_table.multi')$$);
SET SESSION AUTHORIZATION regress_table;
SELECT outcome($$SELECT userstore.user_table_refresh('multi_history')$$);
SELECT outcome($$SELECT userstore.user_table_detach('multi_history')$$);
SELECT outcome($$SELECT userstore.user_table_detach(1)$$);
DROP TABLE multi;

--
-- Renamed in use, in the same session
--
SELECT answer($$user_create('people', '{"userName": "one"}', '1')$$);
ALTER TABLE people RENAME TO persons;
SELECT answer($$user_patch('persons', '1', '{"nick": "a"}', idempotency_key => 'k1')$$);
ALTER TABLE people_history RENAME TO persons_past;
SELECT answer($$user_patch('persons', '1', '{"nick": "b"}')$$);
ALTER TABLE people_idempotency RENAME TO persons_keys;
SELECT answer($$user_patch('persons', '1', '{"nick": "c"}', idempotency_key => 'k2')$$);
SELECT answer($$user_patch('persons', '1', '{"nick": "a"}', idempotency_key => 'k1')$$);  -- a replay
ALTER TABLE persons RENAME CONSTRAINT people_unique_user_name_key TO persons_name;
SELECT answer($$user_create('persons', '{"userName": "ONE"}', '2')$$);
ALTER INDEX persons_name RENAME TO persons_name2;
SELECT answer($$user_create('persons', '{"userName": "ONE"}', '2')$$);
ALTER INDEX people_pkey RENAME TO persons_id;
SELECT answer($$user_create('persons', '{"userName": "two"}', '1')$$);
SELECT answer($$user_get('persons', '1')$$);
RESET SESSION AUTHORIZATION;
ALTER SCHEMA regress_table RENAME TO regress_table2;
SET search_path = regress_table2;
SET SESSION AUTHORIZATION regress_table;
SELECT answer($$user_patch('persons', '1', '{"nick": "d"}', idempotency_key => 'k3')$$);
RESET SESSION AUTHORIZATION;
ALTER SCHEMA regress_table2 RENAME TO regress_table;
CREATE SCHEMA regress_table_moved AUTHORIZATION regress_table;
SET SESSION AUTHORIZATION regress_table;
SET search_path = regress_table;
ALTER TABLE persons SET SCHEMA regress_table_moved;
SELECT answer($$user_patch('regress_table_moved.persons', '1', '{"nick": "e"}', idempotency_key => 'k4')$$);
SELECT user_id, version, operation, changed FROM persons_past WHERE user_id = '1' ORDER BY 2;
SELECT key FROM persons_keys WHERE user_id = '1' ORDER BY 1;

--
-- Another owner: companions have to go along
--
RESET SESSION AUTHORIZATION;
GRANT USAGE, CREATE ON SCHEMA regress_table, regress_table_moved TO regress_table_other;
ALTER TABLE regress_table_moved.persons OWNER TO regress_table_other;
SET SESSION AUTHORIZATION regress_table_other;
SELECT regress_table.answer($$user_patch('regress_table_moved.persons', '1', '{"nick": "f"}')$$);
RESET SESSION AUTHORIZATION;
ALTER TABLE regress_table.persons_past OWNER TO regress_table_other;
SELECT regress_table.answer($$user_patch('regress_table_moved.persons', '1', '{"nick": "f"}')$$);
ALTER TABLE regress_table.persons_keys OWNER TO regress_table_other;
SELECT regress_table.answer($$user_patch('regress_table_moved.persons', '1', '{"nick": "f"}')$$);
-- dropped, wherever they are
DROP TABLE regress_table_moved.persons;
SELECT to_regclass('regress_table.persons_past'), to_regclass('regress_table.persons_keys');
SELECT count(*) FROM userstore.user_table WHERE users NOT IN (SELECT oid FROM pg_class);

--
-- Dropping drops companions and registration
--
SET SESSION AUTHORIZATION regress_table;
SELECT userstore.user_table_create('people'), userstore.user_table_create('regress_table_moved.people');
SELECT answer($$user_create('people', '{}', 'a')$$);
DROP TABLE people;
SELECT to_regclass('people_history'), to_regclass('people_idempotency');
SELECT outcome($$SELECT userstore.user_get('people', 'a')$$);
SELECT userstore.user_table_create('people');  -- the name is free
SELECT answer($$user_create('people', '{}', 'a')$$);
DROP SCHEMA regress_table_moved CASCADE;
SELECT count(*) FROM userstore.user_table WHERE users NOT IN (SELECT oid FROM pg_class);
-- in a transaction that is rolled back
BEGIN;
DROP TABLE people;
ROLLBACK;
SELECT answer($$user_patch('people', 'a', '{"x": 1}')$$);
-- something else depends on a companion
CREATE VIEW report AS SELECT * FROM people_history;
SELECT outcome($$DROP TABLE people$$);
SELECT answer($$user_get('people', 'a')$$);
BEGIN;
DROP TABLE people CASCADE;
SELECT to_regclass('report'), to_regclass('people_history');
ROLLBACK;
DROP VIEW report;
-- a companion alone
DROP TABLE people_history;
SELECT answer($$user_patch('people', 'a', '{"x": 2}')$$);
SELECT userstore.user_table_detach('people');
SELECT userstore.user_table_attach('people');
SELECT answer($$user_patch('people', 'a', '{"x": 2}')$$);
DROP TABLE people_idempotency;
SELECT answer($$user_patch('people', 'a', '{"x": 3}')$$);
DROP TABLE people;
SELECT to_regclass('people_history');
-- by another who may: the owner of the schema, and DROP OWNED
SELECT userstore.user_table_create('people');
GRANT CREATE ON SCHEMA regress_table TO regress_table_other;
SET SESSION AUTHORIZATION regress_table_other;
SELECT userstore.user_table_create('regress_table.theirs');
SET SESSION AUTHORIZATION regress_table;
DROP TABLE theirs;
SELECT to_regclass('theirs_history'), to_regclass('theirs_idempotency');
SET SESSION AUTHORIZATION regress_table_other;
SELECT userstore.user_table_create('regress_table.theirs');
DROP OWNED BY regress_table_other;
SELECT to_regclass('regress_table.theirs'), to_regclass('regress_table.theirs_history'), to_regclass('regress_table.people_history');
SELECT count(*) FROM userstore.user_table WHERE users NOT IN (SELECT oid FROM pg_class);
SET SESSION AUTHORIZATION regress_table;

--
-- Detached and attached again
--
SELECT answer($$user_create('people', '{"x": 1}', 'a', idempotency_key => 'k')$$);
SELECT userstore.user_table_detach('people');
SELECT answer($$user_get('people', 'a')$$);
SELECT outcome($$SELECT userstore.user_table_detach('people')$$);
SELECT count(*) FROM people_history;
SELECT userstore.user_table_attach('people');
SELECT outcome($$SELECT userstore.user_table_attach('people')$$);
SELECT answer($$user_create('people', '{"x": 1}', 'a', idempotency_key => 'k')$$);  -- a replay
SELECT answer($$user_patch('people', 'a', '{"x": 2}')$$);
SELECT version, operation FROM people_history ORDER BY version;
-- under another profile, with other schemas
SELECT userstore.user_table_detach('people');
SELECT userstore.user_table_attach('people', 'regress_table');
SELECT users, history, idempotency, api, schemas, unique_columns FROM userstore.user_table WHERE users = 'people'::regclass;
SELECT answer($$user_put('people', 'a', '{"userName": "ann", "alias": "x"}')$$);
SELECT userstore.user_table_detach('people');
SELECT userstore.user_table_attach('people', 'regress_table');  -- columns that exist are adopted
SELECT answer($$user_create('people', '{"userName": "ANN"}', 'b')$$);
SELECT userstore.user_table_detach('people');
DROP TABLE people;  -- detached, its companions are no longer ours to drop
SELECT to_regclass('people_history'), to_regclass('people_idempotency');
DROP TABLE people_history, people_idempotency;
-- foreign layouts
CREATE TABLE app (id text PRIMARY KEY, name text);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
DROP TABLE app;
CREATE TABLE app (id date PRIMARY KEY, document jsonb, version bigint, created_at timestamptz, modified_at timestamptz);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
DROP TABLE app;
CREATE TABLE app (id text PRIMARY KEY, document json, version bigint, created_at timestamptz, modified_at timestamptz);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
DROP TABLE app;
CREATE TABLE app (id text, document jsonb, version bigint, created_at timestamptz, modified_at timestamptz);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);  -- no key
CREATE UNIQUE INDEX ON app (id, version);
CREATE UNIQUE INDEX ON app (id) WHERE version = 1;
ALTER TABLE app ADD PRIMARY KEY (id) DEFERRABLE;
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);  -- none that ON CONFLICT can use
ALTER TABLE app DROP CONSTRAINT app_pkey;
CREATE UNIQUE INDEX ON app (id);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
SELECT answer($$user_put('app', 'x', '{"a": 1}')$$);
DROP TABLE app;
CREATE VIEW app AS SELECT 'x'::text AS id, '{}'::jsonb AS document, 1::bigint AS version, now() AS created_at, now() AS modified_at;
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
DROP VIEW app;
SELECT outcome($$SELECT userstore.user_table_attach('userstore.api_profile')$$);
SELECT outcome($$SELECT userstore.user_table_attach(1)$$);
-- companions that are something else
CREATE TABLE app (id text PRIMARY KEY, document jsonb, version bigint, created_at timestamptz, modified_at timestamptz);
CREATE TABLE app_history (x int);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
DROP TABLE app_history;
CREATE VIEW app_idempotency AS SELECT 1;
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
DROP VIEW app_idempotency;
CREATE TABLE app_history (user_id int, version int8, operation text, document jsonb, changed text[], changed_at timestamptz,
    changed_by name, actor text, request_id text, era int4, transaction_id xid8,
    feed_position xid8, before jsonb, before_since timestamptz);
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);  -- ids of another type
DROP TABLE app_history;
SELECT to_regclass('app_history'), to_regclass('app_idempotency');
SELECT outcome($$SELECT userstore.user_table_attach('app')$$);
SELECT answer($$user_create('app', '{"x": 1}', 'a')$$);
-- a column that only looks like ours
SELECT userstore.user_table_detach('app');
ALTER TABLE app ADD unique_user_name text;
SELECT outcome($$SELECT userstore.user_table_attach('app', 'regress_table')$$);
SELECT unique_columns ->> 'userName' FROM userstore.user_table WHERE users = 'app'::regclass;
DROP TABLE app, app_history, app_idempotency;

--
-- All is commented, and functions are what they are meant to be
--
SELECT userstore.user_table_create('people', 'regress_table');
RESET SESSION AUTHORIZATION;
-- (the query must find nothing)
WITH member AS (
    SELECT classid, objid FROM pg_depend
        WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'userstore')),
described AS (
    SELECT classid, objid, 0 AS objsubid FROM member
        WHERE classid IN ('pg_proc'::regclass, 'pg_event_trigger'::regclass)
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, a.attnum FROM pg_class c, LATERAL (
            SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
            UNION ALL SELECT 0) a
        WHERE relkind = 'r' AND (c.oid IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)
            OR relnamespace = 'regress_table'::regnamespace))
SELECT pg_describe_object(classid, objid, objsubid) FROM described d
    WHERE NOT EXISTS (SELECT FROM pg_description p WHERE p.classoid = d.classid AND p.objoid = d.objid AND p.objsubid = d.objsubid AND description <> '')
    AND NOT EXISTS (SELECT FROM pg_proc WHERE oid = objid AND proname IN ('outcome', 'answer'));
-- what is a member at all, apart from what tables bring along
SELECT classid::regclass, count(*) > 0 FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
    AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'userstore')
    -- (the row types of tables are members from PostgreSQL 17 on)
    AND classid <> 'pg_type'::regclass
    GROUP BY 1 ORDER BY classid::regclass::text COLLATE "C";
SELECT p.oid::regprocedure, provolatile, proparallel, proisstrict, prosecdef, proleakproof
    FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'userstore' ORDER BY p.oid::regprocedure::text COLLATE "C";

SET client_min_messages = warning;
DROP SCHEMA regress_table, regress_table_closed CASCADE;
SELECT userstore.api_profile_drop('regress_table');
SELECT userstore.attribute_schema_drop(id) FROM userstore.attribute_schema WHERE id LIKE 'urn:regress:table:%';
DROP ROLE regress_table, regress_table_other;
