--
-- Tables that have the users of several tenants
--
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_tenant_owner;
CREATE ROLE regress_tenant_a;
CREATE ROLE regress_tenant_b;
CREATE ROLE regress_tenant_none;
CREATE SCHEMA regress_tenant AUTHORIZATION regress_tenant_owner;
GRANT USAGE ON SCHEMA regress_tenant TO PUBLIC;
SET ROLE regress_tenant_owner;
SET search_path = regress_tenant, userstore;
-- an answer without times, or what went wrong
CREATE FUNCTION answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN result #- '{meta,created}' #- '{meta,lastModified}';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN format('%s %s | %s | %s', state, message, detail, hint);
END $$;
SELECT user_table_create('people', 'zuora', tenant_column => 'entity');
\d people
\d people_history
\d people_idempotency
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO regress_tenant_a, regress_tenant_b, regress_tenant_none;
GRANT SELECT ON people_history, people_idempotency TO regress_tenant_a, regress_tenant_b;
SELECT tenant_grant('people', 'A', 'regress_tenant_a'), tenant_grant('people', 'B', 'regress_tenant_b');
SELECT answer($$tenant_grant('people', 'A', 'regress_tenant_nobody')::text::jsonb$$);
SELECT answer($$tenant_grant('people_history', 'A', 'regress_tenant_a')::text::jsonb$$);

--
-- The same ids, names and keys in two tenants
--
SET ROLE regress_tenant_a;
SELECT answer($$user_create('people', '{"userName": "ann"}', '1')$$);
SET userstore.tenant = 'A';
SELECT answer($$user_create('people', '{"userName": "ann", "title": "of A"}', '1', 'k')$$);
SELECT answer($$user_create('people', '{"userName": "ANN"}', '2')$$);
SELECT answer($$user_create('people', '{"userName": "ann"}', '1')$$);
SET ROLE regress_tenant_b;
SELECT answer($$user_get('people', '1')$$);
SET userstore.tenant = 'B';
SELECT answer($$user_get('people', '1')$$);
SELECT answer($$user_create('people', '{"userName": "ann", "title": "of B"}', '1', 'k')$$);
SELECT answer($$user_patch('people', '1', '{"nickName": "B"}')$$);
SELECT jsonb_path_query_array(users_bulk_put('people', '[{"id": "1", "userName": "ann", "title": "of B"}, {"id": "2", "userName": "bob"}]'), '$.resources[*].detail');
SELECT answer($$user_create('people', '{"userName": "bob"}', '2')$$);
SELECT jsonb_path_query_array(users_bulk_patch('people', '[{"id": "1", "title": "of B in bulk"}, {"id": "2", "userName": "ann"}, {"userName": "bob", "title": "matched"}]', match => 'userName'), '$.resources[*].title');
SELECT jsonb_path_query_array(users_list('people', 'userName eq "ann"'), '$.resources[*].title'), users_list('people') -> 'totalResults';
SELECT user_version('people', '1');
-- what each sees, by plain SQL too
SELECT entity, id, document ->> 'title' FROM people ORDER BY 1, 2;
SELECT tenant, user_id, version FROM people_history ORDER BY 1, 2, 3;
SELECT tenant, key, user_id FROM people_idempotency ORDER BY 1, 2;
UPDATE people SET document = document || '{"title": "by SQL"}' WHERE id = '1';
SET userstore.tenant = 'A';
SELECT entity, id FROM people;
SELECT tenant FROM people_history UNION ALL SELECT tenant FROM people_idempotency;
SELECT answer($$user_put('people', '1', '{"userName": "mine"}')$$);
SELECT answer($$user_create('people', '{"userName": "ann", "title": "of A"}', '1', 'k')$$);
SELECT answer($$user_delete('people', '1')$$);
SELECT answer($$users_list('people')$$);
SELECT answer($$users_bulk_put('people', '[]')$$);
INSERT INTO people (entity, id, document) VALUES ('A', '9', '{}');
UPDATE people SET entity = 'A';
DELETE FROM people;
SET ROLE regress_tenant_none;
SELECT answer($$user_get('people', '1')$$);
TABLE people;
RESET userstore.tenant;
TABLE people;
SET ROLE regress_tenant_a;
SET userstore.tenant = 'A';
SELECT answer($$user_get('people', '1')$$);
SELECT answer($$user_delete('people', '1')$$);
SELECT answer($$user_create('people', '{"userName": "ann"}', '1')$$);

--
-- The owner sees all by plain SQL, and one tenant by the functions
--
SET ROLE regress_tenant_owner;
SELECT entity, id, version FROM people ORDER BY 1, 2;
SELECT answer($$user_patch('people', '1', '{"title": "by the owner"}')$$);
SELECT tenant, user_id, version, operation FROM people_history WHERE user_id = '1' ORDER BY 1, 2, 3;
RESET userstore.tenant;
SELECT answer($$user_get('people', '1')$$);
SELECT idempotency_purge('people');
-- plain SQL needs no tenant selected: rows say whose they are
UPDATE people SET document = document || '{"title": "of all"}';
UPDATE people SET entity = 'C' WHERE entity = 'B' AND id = '2';
BEGIN;
TRUNCATE people;
SELECT tenant, user_id, version, operation FROM people_history WHERE document IS NULL ORDER BY 1, 2, 3;
ROLLBACK;
SELECT tenant, user_id, version, operation, changed FROM people_history WHERE operation = 'sql' ORDER BY 1, 2, 3;

--
-- By HTTP: the header selects, unless the application has
--
SET ROLE regress_tenant_b;
SELECT status, body ->> 'title' FROM user_request('people', 'GET', '/Users/1', '{"zuora-entity-ids": "B"}', NULL);
SHOW userstore.tenant;
SELECT status, body -> 'detail' FROM user_request('people', 'GET', '/Users/1', '{"Zuora-Entity-Ids": "A"}', NULL);
SELECT status, body -> 'detail' FROM user_request('people', 'GET', '/Users/1', '{"Zuora-Entity-Ids": "A,B"}', NULL);
SELECT status, body -> 'detail' FROM user_request('people', 'GET', '/Users/1', '{}', NULL);
SET userstore.tenant = 'B';
SELECT status, body ->> 'title' FROM user_request('people', 'GET', '/Users/1', '{}', NULL);
SELECT status, body -> 'detail' FROM user_request('people', 'GET', '/Users/1', '{"Zuora-Entity-Ids": "A"}', NULL);
RESET userstore.tenant;

--
-- An expression of the owner's, in place of grants; an app's own table
--
SET ROLE regress_tenant_owner;
SELECT tenant_revoke('people', 'B', 'regress_tenant_b');
SET ROLE regress_tenant_b;
SET userstore.tenant = 'B';
SELECT count(*) FROM people;
SELECT answer($$user_get('people', '1')$$);
SET ROLE regress_tenant_owner;
SELECT user_table_create('staff', tenant_column => 'tenant', tenant_policy => $$current_setting('userstore.tenant') = ANY (string_to_array(current_setting('regress.tenants', true), ','))$$);
GRANT SELECT, INSERT, UPDATE, DELETE ON staff TO regress_tenant_b;
SET ROLE regress_tenant_b;
SELECT answer($$user_put('staff', 'x', '{"a": 1}')$$);
SET regress.tenants = 'A,B';
SELECT answer($$user_put('staff', 'x', '{"a": 1}')$$);
SELECT * FROM staff WHERE tenant <> 'B';
SET regress.tenants = 'A';
TABLE staff;
SET ROLE regress_tenant_owner;
-- it means what it meant to the owner: nobody's search_path makes another of it
SELECT answer($$user_table_create('staff2', tenant_column => 'tenant', tenant_policy => 'is_mine()')::text::jsonb$$);
RESET ROLE;
CREATE SCHEMA regress_tenant_own AUTHORIZATION regress_tenant_owner;
SET ROLE regress_tenant_owner;
GRANT ALL ON SCHEMA regress_tenant_own TO regress_tenant_b;
SET ROLE regress_tenant_b;
CREATE FUNCTION regress_tenant_own.current_setting(text) RETURNS text LANGUAGE sql AS $$SELECT 'B'$$;
CREATE FUNCTION regress_tenant_own.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$SELECT 'B'$$;
SET search_path = regress_tenant_own, pg_catalog;
SELECT regress_tenant.answer($$userstore.user_history('regress_tenant.staff', 'x')::text::jsonb$$);
RESET search_path;
SET search_path = regress_tenant, userstore;
SET ROLE regress_tenant_owner;
-- an app's own table: its state follows the expression, too; names are unique for each tenant
CREATE TABLE guests (org text, id int, name text, PRIMARY KEY (org, id));
SELECT user_table_attach('guests', id_column => 'id', tenant_column => 'org', tenant_policy => $$current_setting('userstore.tenant') = current_setting('regress.tenants', true)$$);
GRANT SELECT ON guests, guests_state TO regress_tenant_b;
SET userstore.tenant = 'B';
SELECT answer($$user_create('guests', '{"x": 1}', '1')$$);
SET ROLE regress_tenant_b;
SELECT tenant, user_id FROM guests_state;
SET regress.tenants = 'B';
SELECT tenant, user_id FROM guests_state;
SET ROLE regress_tenant_owner;
SELECT attribute_schema_define('{"id": "urn:regress:tenant:User", "attributes": [{"name": "login", "uniqueness": "server"}]}');
CREATE TABLE logins (org int, id int, login text, PRIMARY KEY (org, id));
SELECT answer($$user_table_attach('logins', schemas => '{urn:regress:tenant:User}', id_column => 'id', columns => '{"login": "login"}', tenant_column => 'org')::text::jsonb$$);
CREATE UNIQUE INDEX ON logins (org, lower(login));
SELECT user_table_attach('logins', schemas => '{urn:regress:tenant:User}', id_column => 'id', columns => '{"login": "login"}', tenant_column => 'org');
SET userstore.tenant = '1';
SELECT answer($$user_create('logins', '{"login": "ann"}', '1')$$);
SET userstore.tenant = '2';
SELECT answer($$user_create('logins', '{"login": "ann"}', '1')$$), answer($$user_create('logins', '{"login": "ANN"}', '2')$$);
RESET userstore.tenant;
-- partitioned by tenant: the attribute is named, whatever a partition calls its index
CREATE TABLE sites (org int, id int, login text, PRIMARY KEY (org, id)) PARTITION BY LIST (org);
CREATE UNIQUE INDEX ON sites (org, lower(login));
CREATE TABLE sites_2 PARTITION OF sites FOR VALUES IN (2);
SELECT user_table_attach('sites', schemas => '{urn:regress:tenant:User}', id_column => 'id', columns => '{"login": "login"}', tenant_column => 'org');
SET userstore.tenant = '2';
SELECT answer($$user_create('sites', '{"login": "ann"}', '1')$$), answer($$user_create('sites', '{"login": "ANN"}', '2')$$), answer($$user_create('sites', '{"login": "bob"}', '1')$$);
RESET userstore.tenant;
CREATE TABLE members (org int NOT NULL, id int NOT NULL, email text, UNIQUE (org, id), UNIQUE (org, email));
SELECT answer($$user_table_attach('members', id_column => 'id', columns => '{"email": "email"}')::text::jsonb$$);
SELECT user_table_attach('members', id_column => 'id', columns => '{"email": "email"}', tenant_column => 'org');
SELECT tenant_grant('members', '7', 'regress_tenant_b');
GRANT SELECT, INSERT, UPDATE, DELETE ON members TO regress_tenant_b;
GRANT SELECT ON members_state TO regress_tenant_b;
INSERT INTO members VALUES (7, 1, 'ann'), (8, 1, 'eve');
SET userstore.tenant = '8';
SELECT answer($$user_patch('members', '1', '{"secret": "of 8"}')$$);
SET ROLE regress_tenant_b;
SELECT answer($$user_get('members', '1')$$);
SET userstore.tenant = '7';
SELECT answer($$user_patch('members', '1', '{"x": "of 7"}')$$);
SELECT answer($$user_create('members', '{"email": "eve", "x": 1}', '2')$$);
SELECT answer($$user_create('members', '{"email": "eve", "x": 1}', '3')$$);
SELECT tenant, user_id, document, version FROM members_state ORDER BY 1, 2;
SET userstore.tenant = 'seven';
SELECT answer($$user_get('members', '1')$$);
RESET userstore.tenant;
-- detached, nothing is shown but to the owner; attached again, all is as before
SET ROLE regress_tenant_owner;
SELECT user_table_detach('people');
SELECT polname FROM pg_policy WHERE polrelid::regclass::text LIKE 'people%';
GRANT SELECT ON people TO regress_tenant_a;
SET ROLE regress_tenant_a;
SET userstore.tenant = 'A';
SELECT count(*) FROM people;
SET ROLE regress_tenant_owner;
SELECT user_table_attach('people', 'zuora', tenant_column => 'entity');
SELECT tenant_grant('people', 'A', 'regress_tenant_a');
SET ROLE regress_tenant_a;
SELECT entity, id FROM people;
SELECT answer($$user_get('people', '1')$$);
SET ROLE regress_tenant_owner;
SELECT user_table_detach('people');
SELECT answer($$user_table_attach('people', 'zuora')::text::jsonb$$);
RESET userstore.tenant;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_tenant, regress_tenant_own CASCADE;
SELECT userstore.attribute_schema_drop('urn:regress:tenant:User');
SELECT count(*) FROM userstore.tenant_grant;
DROP ROLE regress_tenant_owner, regress_tenant_a, regress_tenant_b, regress_tenant_none;
