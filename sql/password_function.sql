--
-- The function of a table that hashes passwords: it is the owner's, whoever
-- calls, and nobody else's.
--
SET client_min_messages = warning;
CREATE ROLE regress_password_owner;
CREATE ROLE regress_password_caller;
CREATE ROLE regress_password_other;
CREATE SCHEMA regress_password_function AUTHORIZATION regress_password_owner;
CREATE SCHEMA regress_password_hidden AUTHORIZATION regress_password_owner;
GRANT USAGE ON SCHEMA regress_password_function TO regress_password_caller;
SET SESSION AUTHORIZATION regress_password_owner;
SET search_path = regress_password_function, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned

CREATE FUNCTION regress_password_hidden.hash(password text, hash text) RETURNS text LANGUAGE sql AS $$ SELECT 'h' || md5(password) $$;
SELECT attribute_schema_define('{"id": "urn:regress:password_function", "attributes": [{"name": "login"}, {"name": "secret", "format": "password"}]}');
SELECT user_table_create('people', schemas => '{urn:regress:password_function}', password_function => 'regress_password_hidden.hash');
GRANT SELECT, INSERT, UPDATE ON people TO regress_password_caller;

-- the caller need not be able to reach it
SET SESSION AUTHORIZATION regress_password_caller;
SELECT user_put('people', 'ann', '{"login": "ann", "secret": "one"}') ->> 'login' AS login;
SELECT users_bulk_put('people', '[{"id": "ann", "secret": "two"}]');
SELECT user_password_verify('people', 'ann', 'two'), user_password_verify('people', 'ann', 'one');

-- one of the same name that is another role's does not take its place
SET SESSION AUTHORIZATION regress_password_owner;
GRANT USAGE, CREATE ON SCHEMA regress_password_hidden TO regress_password_other;
DROP FUNCTION regress_password_hidden.hash;
SET SESSION AUTHORIZATION regress_password_other;
CREATE FUNCTION regress_password_hidden.hash(password text, hash text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'called as %', current_user;
	RETURN coalesce(hash, 'x');
END $$;
SET SESSION AUTHORIZATION regress_password_caller;
SELECT user_put('people', 'ann', '{"login": "ann", "secret": "three"}');
SELECT users_bulk_put('people', '[{"id": "ann", "secret": "three"}]');
SELECT user_password_verify('people', 'ann', 'anything');

-- one of a superuser's does, and one of a role that may act for the owner
RESET SESSION AUTHORIZATION;
ALTER FUNCTION regress_password_hidden.hash OWNER TO CURRENT_USER;
SET SESSION AUTHORIZATION regress_password_caller;
SELECT user_put('people', 'ann', '{"login": "ann", "secret": "four"}') ->> 'login' AS login;
RESET SESSION AUTHORIZATION;
ALTER FUNCTION regress_password_hidden.hash OWNER TO regress_password_other;
GRANT regress_password_owner TO regress_password_other;
SET SESSION AUTHORIZATION regress_password_caller;
SELECT user_password_verify('people', 'ann', 'anything');

SET SESSION AUTHORIZATION regress_password_owner;
DROP TABLE people;
SELECT attribute_schema_drop('urn:regress:password_function');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_password_function, regress_password_hidden CASCADE;
DROP ROLE regress_password_owner, regress_password_caller, regress_password_other;
