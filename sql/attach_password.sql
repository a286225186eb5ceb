--
-- Attached tables: hashes of passwords in a column of the app's
--
CREATE ROLE regress_attach_password;
CREATE SCHEMA regress_attach_password AUTHORIZATION regress_attach_password;
CREATE EXTENSION pgcrypto SCHEMA regress_attach_password;
SET ROLE regress_attach_password;
SET search_path = regress_attach_password, userstore;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SELECT attribute_schema_define('{"id": "urn:regress:attach:Password", "attributes": [{"name": "login"}, {"name": "password", "format": "password", "mutability": "writeOnly", "returned": "never"}]}');
-- varchar that may be null; that may not, with a default and without: "" is no hash then
CREATE TABLE optional (id serial PRIMARY KEY, login text, hash varchar(255));
CREATE TABLE defaulted (id serial PRIMARY KEY, login text, hash varchar(255) NOT NULL DEFAULT '!');
CREATE TABLE needed (id serial PRIMARY KEY, login text, hash text NOT NULL);
SELECT user_table_attach(name, schemas => '{urn:regress:attach:Password}', columns => '{"login": "login"}', password_column => 'hash') FROM unnest('{optional,defaulted,needed}'::regclass[]) name;
CREATE FUNCTION try(users regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	kept text;
BEGIN
	RETURN NEXT user_create(users, '{"login": "none"}') -> 'id';
	EXECUTE format('SELECT coalesce(%L || hash, %L) FROM %s WHERE id = 1', 'is ', 'null', users) INTO kept;
	RETURN NEXT kept;
	RETURN NEXT user_password_verify(users, '1', '') OR user_password_verify(users, '1', '!');
	RETURN NEXT user_patch(users, '1', '{"password": "secret"}') #> '{meta,version}';
	RETURN NEXT user_password_verify(users, '1', 'secret') AND NOT user_password_verify(users, '1', 'other');
	RETURN NEXT user_patch(users, '1', '{"password": "secret", "login": "none"}') #> '{meta,version}';
	RETURN NEXT user_patch(users, '1', '{"password": null}') #> '{meta,version}';
	RETURN NEXT user_patch(users, '1', '{"password": null}') #> '{meta,version}';
	EXECUTE format('SELECT coalesce(%L || hash, %L) FROM %s WHERE id = 1', 'is ', 'null', users) INTO kept;
	RETURN NEXT kept;
	RETURN NEXT user_create(users, '{"login": "some", "password": "secret"}') -> 'id';
	RETURN NEXT user_password_verify(users, '2', 'secret');
END $$;
SELECT string_agg(line, ' | ') FROM try('optional') line;
SELECT string_agg(line, ' | ') FROM try('defaulted') line;
SELECT string_agg(line, ' | ') FROM try('needed') line;
-- what the app does with it is no change of an attribute
UPDATE needed SET hash = 'by the app';
SELECT user_id, version, operation, changed FROM needed_history ORDER BY user_id, version;
SELECT user_password_verify('needed', '2', 'secret');
DROP TABLE optional, defaulted, needed;
SELECT attribute_schema_drop('urn:regress:attach:Password');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_attach_password CASCADE;
DROP ROLE regress_attach_password;
