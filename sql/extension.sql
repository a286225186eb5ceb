--
-- The extension created by the owner of a database, dropped under the feet of a
-- session that uses it, and created again: tables and companions stay.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\set database :DBNAME
CREATE ROLE regress_extension;
CREATE DATABASE regress_extension OWNER regress_extension TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_extension
SET SESSION AUTHORIZATION regress_extension;
CREATE SCHEMA app;
CREATE EXTENSION userstore;  -- trusted: no superuser is needed
CREATE EXTENSION userstore SCHEMA app;
SELECT userstore.user_table_create('app.people', api => 'zluri');
SELECT userstore.user_create('app.people', '{"user_name": "Ann", "user_email": "ann@example.com"}', 'a', 'k1') - 'meta';
SELECT userstore.user_table_create('app.other');
-- its parts are not the database owner's to drop
DROP TABLE userstore.user_table;
DROP FUNCTION userstore.user_get;
SELECT userstore.attribute_schema_drop('urn:userstore:params:schemas:zluri:User');
-- as a restore inserts them: registrations, lookup lists and computed attributes of own tables
INSERT INTO userstore.user_table VALUES ('pg_class', 'app.people_history', 'app.people_idempotency', 'plain', '{}');
INSERT INTO userstore.attribute_lookup VALUES ('pg_class', 'a', '[]');
INSERT INTO userstore.attribute_computed VALUES ('pg_class', 'a', 'lower');
INSERT INTO userstore.attribute_lookup VALUES ('app.people_history', 'a', '[]');
INSERT INTO userstore.attribute_lookup VALUES ('app.people', 'a', '{}');
INSERT INTO userstore.attribute_lookup VALUES ('app.people', 'a', '[]');
SELECT userstore.attribute_lookup_define('app.people', 'a', NULL);
SELECT count(*) FROM userstore.attribute_lookup;

-- dropped and back again with a transaction
BEGIN;
DROP EXTENSION userstore;
SELECT userstore.user_get('app.people', 'a');
ROLLBACK;
SELECT userstore.user_get('app.people', 'a') - 'meta';
SELECT userstore.user_patch('app.people', 'a', '{"user_name": "Bea"}') #> '{meta,version}';

-- indexes of lists, and views, are made by its functions
\set VERBOSITY terse
SELECT userstore.users_index('app.other', 'tags');
SELECT userstore.user_view_create('app.people', 'app.people_view');
DROP EXTENSION userstore;
\set VERBOSITY default
SELECT userstore.users_index_drop('app.other', 'tags');
DROP VIEW app.people_view, app.people_view_user_custom_fields;
-- dropped
DROP EXTENSION userstore;
SELECT oid::regclass FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY oid::regclass::text COLLATE "C";
SELECT evtname FROM pg_event_trigger;
-- tables work on without it
INSERT INTO app.people (id, document) VALUES ('b', '{"user_email": "ANN@example.com"}');
INSERT INTO app.people (id, document) VALUES ('b', '{"user_email": "bob@example.com"}');
DROP TABLE app.other;
DROP TABLE app.other_history, app.other_idempotency;

-- created again: nothing is registered until it is attached
CREATE EXTENSION userstore;
SELECT userstore.user_get('app.people', 'a');
\echo :LAST_ERROR_SQLSTATE
SELECT userstore.user_table_attach('app.people', 'zluri');
SELECT userstore.user_patch('app.people', 'a', '{"user_name": "Cyd"}') #> '{meta,version}';
SELECT userstore.user_create('app.people', '{"user_name": "Ann", "user_email": "ann@example.com"}', 'a', 'k1') - 'meta';  -- a replay
SELECT userstore.user_patch('app.people', 'b', '{"user_email": "ann@example.com"}');
SELECT user_id, version, operation, era FROM app.people_history ORDER BY user_id, version;
DROP SCHEMA app CASCADE;
SELECT count(*) FROM userstore.user_table;

RESET SESSION AUTHORIZATION;
\c :database
DROP DATABASE regress_extension;
DROP ROLE regress_extension;
