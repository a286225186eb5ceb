--
-- Attached tables: what cannot be attached, and errors of the app's constraints
--
CREATE ROLE regress_attach_errors;
CREATE SCHEMA regress_attach_errors AUTHORIZATION regress_attach_errors;
SET ROLE regress_attach_errors;
SET search_path = regress_attach_errors, userstore;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION failure(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text; name text;
BEGIN
	EXECUTE call;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, name = CONSTRAINT_NAME;
	RETURN format('%s %s | %s | %s | %s', state, message, detail, hint, name);
END $$;

--
-- What cannot be attached
--
CREATE TABLE app (id int PRIMARY KEY, name text, flag boolean NOT NULL, tags text[]);
CREATE VIEW shown AS SELECT * FROM app;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM app;
CREATE TEMPORARY TABLE passing (id int PRIMARY KEY, name text);
CREATE TABLE small (id smallint PRIMARY KEY, name text);
CREATE TABLE parent (id int PRIMARY KEY, name text);
CREATE TABLE child () INHERITS (parent);
SELECT failure($$SELECT user_table_attach('shown', id_column => 'id', columns => '{"name": "name"}')$$);
SELECT failure($$SELECT user_table_attach('kept', id_column => 'id', columns => '{"name": "name"}')$$);
SELECT failure($$SELECT user_table_attach('passing', columns => '{"name": "name"}')$$);
SELECT failure($$SELECT user_table_attach('small', columns => '{"name": "name"}')$$);
SELECT failure($$SELECT user_table_attach('parent', columns => '{"name": "name"}')$$);
SELECT failure($$SELECT user_table_attach('pg_class', columns => '{"name": "relname"}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"name": "ctid"}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"name": ["name"]}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '"name"')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"key": "id"}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"name": "name"}', defaults => '{"name": "x"}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"name": "name"}', defaults => '{"nothing": "x"}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"name": "name"}', defaults => '{"flag": "maybe"}')$$);
SELECT failure($$SELECT user_table_attach('app', columns => '{"name": "name"}', defaults => '{"flag": true, "tags": ["a"]}')$$);
SELECT relname FROM pg_class WHERE relnamespace = 'regress_attach_errors'::regnamespace AND relname ~ '_(history|state)$';
SELECT user_table_attach('app', columns => '{"name": "name"}', defaults => '{"flag": true, "tags": "{a}"}');
SELECT user_put('app', '1', '{}') - 'meta';
SELECT flag, tags FROM app;
DROP TABLE app CASCADE;
DROP TABLE passing;

--
-- Constraints: their SQLSTATE, their name, and the attribute, if they are about one
--
CREATE TABLE team (id int PRIMARY KEY);
INSERT INTO team VALUES (1);
CREATE TABLE app (id int PRIMARY KEY, low int CHECK (low > 0), high int, mail text UNIQUE DEFERRABLE, team int REFERENCES team, boss int REFERENCES app, room int NOT NULL DEFAULT 0,
	period int4range, CONSTRAINT ordered CHECK (low < high), CONSTRAINT twice UNIQUE (low, high), CONSTRAINT unasked CHECK (room < 9), CONSTRAINT apart EXCLUDE USING gist (period WITH &&));
SELECT user_table_attach('app', columns => '{"range.low": "low", "range.high": "high", "mail": "mail", "team": "team", "boss": "boss", "period": "period"}');
SELECT user_put('app', '1', '{"range": {"low": 1, "high": 2}, "mail": "a", "period": "[1,5)", "team": 1}') - 'meta';
SELECT failure($$SELECT user_patch('app', '1', '{"range": {"low": 0}}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"range": {"low": 3}}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"team": 2}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"boss": 2}')$$);
SELECT failure($$SELECT user_put('app', '2', '{"range": {"low": 1, "high": 2}}')$$);
SELECT failure($$SELECT user_put('app', '2', '{"mail": "a"}')$$);
SELECT failure($$SELECT user_put('app', '2', '{"period": "[4,6)"}')$$);
SELECT failure($$SELECT user_put('app', '2', '{"period": "[4,"}')$$);
ALTER TABLE app ALTER room SET DEFAULT 9;
SELECT failure($$SELECT user_put('app', '2', '{}')$$);
CREATE TABLE badge (holder int REFERENCES app);
INSERT INTO badge VALUES (1);
SELECT failure($$SELECT user_delete('app', '1')$$);
-- one that is deferred is PostgreSQL's at the end of the transaction
ALTER TABLE app ALTER room SET DEFAULT 0;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
SELECT user_put('app', '2', '{"mail": "a"}') - 'meta';
COMMIT;
SELECT id FROM app;
DROP TABLE app CASCADE;

--
-- Migrations of the app: a column that is renamed is still the attribute's, in other sessions too,
-- and one that is needed cannot be dropped
--
CREATE DOMAIN short AS varchar(20);
CREATE TABLE app (id int PRIMARY KEY, "First Name" text, last short, role text DEFAULT 'x', joined timestamptz, other int);
SELECT user_table_attach('app', created_column => 'joined', columns => '{"name.first": "First Name", "name.last": "last"}', defaults => '{"role": "y"}');
PREPARE change AS SELECT user_patch('app', '1', '{"name": {"first": "Anna"}}') - 'meta';
SELECT user_put('app', '1', '{"name": {"first": "Ann", "last": "Lee"}}') - 'meta';
ALTER TABLE app RENAME "First Name" TO given;
ALTER TABLE app RENAME COLUMN role TO position;
ALTER TABLE app RENAME joined TO created;
ALTER TABLE app RENAME other TO another;
EXECUTE change;
UPDATE app SET given = 'A', another = 1;
INSERT INTO app (id, given) VALUES (2, 'B');
SELECT user_put('app', '3', '{"name": {"first": "C"}}') - 'meta';
SELECT id, given, last, position FROM app ORDER BY id;
SELECT user_id, version, operation, changed FROM app_history ORDER BY user_id, version;
SELECT failure('ALTER TABLE app DROP given');
SELECT failure('ALTER TABLE app DROP last CASCADE');
SELECT failure('DROP DOMAIN short CASCADE');
SELECT failure('ALTER TABLE app DROP position');
SELECT failure('ALTER TABLE app DROP created');
SELECT failure('ALTER TABLE app DROP id');
SELECT failure('ALTER TABLE app DROP another');
ALTER TABLE app ALTER given TYPE varchar(5), ADD later text;
EXECUTE change;
SELECT failure($$SELECT user_patch('app', '1', '{"name": {"first": "Annabel"}}')$$);
ALTER TABLE app RENAME TO people;
SELECT user_get('people', '1') - 'meta';
SELECT user_table_detach('people');
ALTER TABLE people DROP given;
DROP TABLE people;
-- tenants too
CREATE TABLE staff (org int, id int, name text, PRIMARY KEY (org, id));
SELECT user_table_attach('staff', id_column => 'id', tenant_column => 'org', columns => '{"name": "name"}');
SET userstore.tenant = '7';
SELECT user_put('staff', '1', '{"name": "Ann"}') - 'meta';
ALTER TABLE staff RENAME org TO entity;
SELECT user_patch('staff', '1', '{"name": "Anna"}') - 'meta';
UPDATE staff SET name = 'A';
SELECT * FROM staff;
SELECT tenant, user_id, version, document FROM staff_history ORDER BY version;
SELECT failure('ALTER TABLE staff DROP entity');
RESET userstore.tenant;
DROP TABLE staff;

RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_attach_errors CASCADE;
DROP ROLE regress_attach_errors;
