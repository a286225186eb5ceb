--
-- The past of attached tables: rows that were there before, with versions of
-- their own or none; what plain SQL did; erasing with a state table.
--
SET client_min_messages = warning;
CREATE ROLE regress_attach_past;
CREATE SCHEMA regress_attach_past AUTHORIZATION regress_attach_past;
SET SESSION AUTHORIZATION regress_attach_past;
SET search_path = regress_attach_past, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE TABLE members (number int PRIMARY KEY, email text UNIQUE, name text, lock_version int NOT NULL DEFAULT 0, created timestamp NOT NULL, logins int NOT NULL DEFAULT 0);
INSERT INTO members VALUES (1, 'ann@example.com', 'Ann', 0, '2020-01-01'), (2, 'bob@example.com', 'Bob', 7, '2021-01-01'), (3, 'cyd@example.com', 'Cyd', 1, '2022-01-01'), (4, 'dan@example.com', 'Dan', 1, '2023-01-01');
CREATE TABLE accounts (login varchar(36) PRIMARY KEY, email text);
INSERT INTO accounts VALUES ('ann', 'ann@example.com'), ('bob', 'bob@example.com');
SELECT attribute_schema_define('{"id": "urn:regress:attach-past:Member", "attributes": [{"name": "email", "uniqueness": "server"}, {"name": "name"}, {"name": "note"}]}');
SELECT user_table_attach('members', schemas => '{urn:regress:attach-past:Member}', id_column => 'number', version_column => 'lock_version', created_column => 'created',
	columns => '{"email": "email", "name": "name"}');
SELECT user_table_attach('accounts', id_column => 'login', columns => '{"email": "email"}');
CREATE TABLE times AS SELECT users, registered_at FROM user_table;

-- before anything is changed, they are as they stand
SELECT u.id, u.version, u.document, u.changed_at AT TIME ZONE 'UTC' AS changed_at FROM generate_series(timestamptz '2020-06-01Z', '2023-06-01Z', '12 months') a (at), users_as_of('members', a.at) u ORDER BY a.at, 1;
SELECT u.id, u.version, u.document, u.changed_at = t.registered_at AS since_attached FROM users_as_of('accounts', 'infinity') u, times t WHERE t.users = 'accounts'::regclass ORDER BY 1;
SELECT count(*) FROM users_as_of('accounts', '2020-01-01');

-- by our functions, one by one and in bulk, and by plain SQL
SELECT user_patch('members', '1', '{"name": "Anna", "note": "new"}') - 'meta' AS answer;
SELECT users_bulk_patch('members', '[{"id": "2", "name": "Bo"}, {"id": "2", "name": "Bobby"}]');
UPDATE members SET name = 'Cy', logins = 3 WHERE number = 3;
UPDATE members SET logins = 4 WHERE number = 3;
DELETE FROM members WHERE number = 4;
INSERT INTO members VALUES (5, 'eve@example.com', 'Eve', 0, '2024-01-01');
SELECT user_patch('members', '5', '{"name": "Eva"}') - 'meta' AS answer;
UPDATE accounts SET email = 'bo@example.com' WHERE login = 'bob';
SELECT user_delete('accounts', 'ann');
SELECT id, h.version, h.operation, h.path, h.old, h.new FROM generate_series(1, 5) id, user_history('members', id::text) h ORDER BY 1, 2, 5;
SELECT id, h.version, h.operation, h.path, h.old, h.new FROM unnest('{ann,bob}'::text[]) id, user_history('accounts', id) h ORDER BY 1, 2, 5;
-- of all at once, the same: none that only one has
WITH each AS (SELECT id::text, h.* FROM generate_series(1, 5) id, user_history('members', id::text) h), all_of AS (SELECT * FROM users_history('members'))
SELECT (SELECT count(*) FROM all_of) AS rows, (SELECT count(*) FROM (TABLE each EXCEPT ALL TABLE all_of) x) AS each, (SELECT count(*) FROM (TABLE all_of EXCEPT ALL TABLE each) x) AS all_of;
SELECT user_id, version, before, before_since AT TIME ZONE 'UTC' AS before_since FROM members_history ORDER BY 1, 2;
SELECT h.user_id, h.version, h.before, h.before_since = t.registered_at AS since_attached FROM accounts_history h, times t WHERE t.users = 'accounts'::regclass ORDER BY 1, 2;
-- as they were before
SELECT u.id, u.version, u.operation, u.document FROM users_as_of('members', '2023-06-01') u ORDER BY 1;
SELECT u.id, u.version, u.operation, u.document FROM times t, users_as_of('accounts', t.registered_at) u WHERE t.users = 'accounts'::regclass ORDER BY 1;
SELECT user_as_of('members', '2', '2023-06-01') #- '{meta,lastModified}' AS bob;
SELECT u.id, u.version, u.operation, u.document FROM users_as_of('members', 'infinity') u ORDER BY 1;

-- a table that is emptied
BEGIN;
TRUNCATE members;
SELECT count(*) FROM users_as_of('members', 'infinity');
SELECT count(*) FROM users_as_of('members', '2023-06-01');
ROLLBACK;

-- erased, with the state table's part
SELECT * FROM user_erase('members', '1');
SELECT number, name FROM members ORDER BY 1;
SELECT user_id, document FROM members_state ORDER BY 1;
SELECT user_id, version, document, before FROM members_history WHERE user_id = 1;
SELECT * FROM user_erase('members', '4');
SELECT user_id, version, document, before FROM members_history WHERE user_id = 4;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_attach_past CASCADE;
SELECT userstore.attribute_schema_drop('urn:regress:attach-past:Member');
DROP ROLE regress_attach_past;
