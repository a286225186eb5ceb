--
-- user_erase and user_history_purge: privacy law and retention.  That nothing
-- of the values is left in a dump is in test/t/051_erase.pl.
--
SET client_min_messages = warning;
CREATE ROLE regress_erase;
CREATE ROLE regress_erase_clerk;
CREATE SCHEMA regress_erase AUTHORIZATION regress_erase;
SET SESSION AUTHORIZATION regress_erase;
SET search_path = regress_erase, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END $$;

SELECT attribute_schema_define('{"id": "urn:regress:erase:User", "attributes": [
	{"name": "login", "uniqueness": "server"}, {"name": "n", "type": "integer"},
	{"name": "fields", "type": "complex", "multiValued": true, "key": "id", "subAttributes": [{"name": "id"}, {"name": "value"}]}]}');
SELECT user_table_create('people', schemas => '{urn:regress:erase:User}');
CREATE VIEW history AS SELECT user_id, version, operation, document, changed, actor, request_id, before FROM people_history;

--
-- A user who is there is deleted; the newest version stays, without values
--
SET userstore.actor = 'Ann herself';
SELECT user_put('people', 'ann', '{"login": "Ann.Lee", "n": 1, "fields": [{"id": "secret", "value": "1"}]}', 'key 1', request_id => 'r 1') -> 'n' AS n;
SELECT user_patch('people', 'ann', '{"n": 2}', 'key 2') -> 'n' AS n;
SELECT user_patch('people', 'ann', '{"n": 2}', 'no change') -> 'n' AS n;
RESET userstore.actor;
SELECT user_put('people', 'bob', '{"login": "bob"}', 'key 3') -> 'login' AS login;
-- answers about many: with her; with her login, as it is looked up; with neither
SELECT users_bulk_patch('people', '[{"id": "bob", "n": 1}, {"id": "ann", "n": 3}]', 'bulk 1');
SELECT users_bulk_patch('people', '[{"id": "bob", "n": 2}, {"id": "ann", "n": "x"}]', 'bulk 2');
SELECT users_bulk_patch('people', '[{"id": "bob", "n": 3}, {"id": "joann.lee", "n": 3}]', 'bulk 3');
SELECT users_bulk_patch('people', '[{"id": "ann.lee", "n": 3}]', 'bulk 4');
BEGIN;
SELECT * FROM user_erase('people', 'ann');
SELECT * FROM history ORDER BY 1, 2;
SELECT key FROM people_idempotency ORDER BY 1;
SELECT id FROM people;
-- again, there is nothing
SELECT * FROM user_erase('people', 'ann');
-- versions go on, and what there was is not known any more
SELECT user_create('people', '{"login": "ann.lee"}', 'ann') #> '{meta,version}' AS version;
SELECT version, operation, path, old, new FROM user_history('people', 'ann');
SELECT user_as_of('people', 'ann', now()) AS before;
ROLLBACK;

-- one who was deleted; whom plain SQL deleted; whom nobody changed
SELECT user_delete('people', 'ann');
SELECT * FROM user_erase('people', 'ann');
SELECT user_put('people', 'cyd', '{"n": 1}') -> 'n' AS n;
DELETE FROM people WHERE id = 'cyd';
SELECT * FROM user_erase('people', 'cyd');
INSERT INTO people (id, document) VALUES ('dan', '{"n": 1}'), ('eve', '{"n": 1}');
SELECT * FROM user_erase('people', 'dan');
SELECT user_patch('people', 'eve', '{"n": 2}') -> 'n' AS n;
SELECT * FROM user_erase('people', 'eve');
SELECT * FROM history WHERE user_id <> 'bob' ORDER BY 1, 2;
-- one of whom nothing but a key is left
SELECT user_put('people', 'fay', '{"n": 1}', 'fay') -> 'n' AS n;
DELETE FROM people WHERE id = 'fay';
DELETE FROM people_history WHERE user_id = 'fay';
SELECT * FROM user_erase('people', 'fay');
-- whatever API profiles say of deletion
SELECT api_profile_define('regress_erase', '{"on_delete": "refuse"}');
SELECT user_table_create('kept', api => 'regress_erase');
SELECT user_put('kept', 'ann', '{"n": 1}', api => 'plain') -> 'n' AS n;
SELECT r.state FROM raised($$SELECT user_delete('kept', 'ann')$$) r;
SELECT * FROM user_erase('kept', 'ann');

--
-- What refuses it
--
SELECT user_put('people', 'gus', '{"n": 1}', 'gus') -> 'n' AS n;
CREATE TABLE orders (id int PRIMARY KEY, person text REFERENCES people);
INSERT INTO orders VALUES (1, 'gus');
SELECT r.state FROM raised($$SELECT user_erase('people', 'gus')$$) r;
DROP TABLE orders;
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION swallow();
SELECT r.* FROM raised($$SELECT user_erase('people', 'gus')$$) r;
DROP TRIGGER swallow ON people;
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT r.* FROM raised($$SELECT user_erase('people', 'gus')$$) r;
ALTER TABLE people NO FORCE ROW LEVEL SECURITY;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT r.* FROM raised($$SELECT user_erase('people', 'gus')$$) r;
ROLLBACK;
SELECT r.* FROM unnest(ARRAY[$$SELECT user_erase('people', 'nobody')$$, $$SELECT user_erase('people', '')$$, $$SELECT user_erase('people', NULL)$$,
	$$SELECT user_erase('history', 'gus')$$, $$SELECT user_history_purge('people', NULL)$$, $$SELECT user_history_purge('people', now(), 0)$$,
	$$SELECT user_history_purge('people', now(), NULL)$$]) WITH ORDINALITY c (command, n), raised(command) r ORDER BY n;
SELECT (SELECT count(*) FROM history WHERE user_id = 'gus') AS history, (SELECT count(*) FROM people_idempotency WHERE key = 'gus') AS keys;
GRANT USAGE ON SCHEMA regress_erase TO regress_erase_clerk;
GRANT ALL ON ALL TABLES IN SCHEMA regress_erase TO regress_erase_clerk;
SET SESSION AUTHORIZATION regress_erase_clerk;
SET search_path = regress_erase, userstore;
SELECT r.* FROM raised($$SELECT user_erase('people', 'gus')$$) r;
SELECT r.* FROM raised($$SELECT user_history_purge('people', now())$$) r;
SET SESSION AUTHORIZATION regress_erase;

--
-- Purging: what was superseded by then goes; what users were since stays
--
DELETE FROM people;
TRUNCATE people_history, people_idempotency;
SELECT count(user_put('people', 'ann', jsonb_build_object('n', n, 'fields', jsonb_build_array(jsonb_build_object('id', n::text))), 'ann ' || n)) FROM generate_series(1, 4) n;
SELECT count(user_put('people', 'old', jsonb_build_object('n', n))) FROM generate_series(1, 2) n;
INSERT INTO people (id, document) VALUES ('sql', '{"n": 1}'), ('sql 2', '{"n": 1}');
SELECT user_patch('people', 'sql', '{"n": 2}') -> 'n' AS n;
SELECT user_put('people', 'gone', '{"n": 1}') -> 'n' AS n;
SELECT user_delete('people', 'gone');
SELECT user_patch('people', 'sql 2', '{"n": 2}') -> 'n' AS n;
-- as if changed at noon, version by version, on these days
UPDATE people_history SET before_since = '2024-01-01 12:00Z' WHERE before IS NOT NULL;
UPDATE people_history SET changed_at = timestamptz '2024-01-01 12:00Z' + version * interval '1 day';
UPDATE people_history SET changed_at = '2024-02-01 12:00Z' WHERE user_id = 'sql 2';
CREATE VIEW states AS SELECT a.at, u.id, u.version, u.document FROM generate_series(timestamptz '2024-01-04 00:00Z', '2024-01-06 00:00Z', '12 hours') a (at), users_as_of('people', a.at) u;
CREATE TABLE states_before AS SELECT * FROM states;
-- keys without an answer would be answered from history
UPDATE people_idempotency SET response = NULL WHERE key IN ('ann 1', 'ann 4');
SELECT user_history_purge('people', '2024-01-01 00:00Z') AS purged;
SELECT user_history_purge('people', '2024-01-04 00:00Z', 1) AS purged;
SELECT user_history_purge('people', '2024-01-04 00:00Z') AS purged;
SELECT user_history_purge('people', '2024-01-04 00:00Z') AS purged;
SELECT * FROM history ORDER BY 1, 2;
SELECT key FROM people_idempotency ORDER BY 1;
SELECT count(*) AS states FROM states_before;
(TABLE states EXCEPT TABLE states_before) UNION ALL (TABLE states_before EXCEPT TABLE states);
SELECT version, operation, path, old, new FROM user_history('people', 'ann');
SELECT user_as_of('people', 'ann', '2024-01-02 00:00Z');
SELECT user_as_of('people', 'ann', 'infinity') #> '{meta,created}' = user_get('people', 'ann') #> '{meta,created}' AS created;
-- all that is of the past: one version of each user
SELECT user_history_purge('people', 'infinity') AS purged;
SELECT user_id, version, document, before FROM history ORDER BY 1, 2;
SELECT user_put('people', 'gone', '{}') #> '{meta,version}' AS version;

SET client_min_messages = warning;
DROP TABLE people, kept CASCADE;
SELECT attribute_schema_drop('urn:regress:erase:User'), api_profile_drop('regress_erase');
RESET SESSION AUTHORIZATION;
DROP SCHEMA regress_erase CASCADE;
DROP ROLE regress_erase, regress_erase_clerk;
