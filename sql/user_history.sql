--
-- user_history: one row for each attribute that a version changed, with its
-- old and new value.
--
SET client_min_messages = warning;
CREATE ROLE regress_user_history;
CREATE SCHEMA regress_user_history AUTHORIZATION regress_user_history;
SET SESSION AUTHORIZATION regress_user_history;
SET search_path = regress_user_history, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$;
-- without times
CREATE FUNCTION report(users regclass, id text, OUT version bigint, OUT operation text, OUT path text, OUT old jsonb, OUT new jsonb) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT h.version, h.operation, replace(h.path, 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:', '…'), h.old, h.new
	FROM user_history(users, id) h
$$;

SELECT user_table_create('people', api => 'scim');
SELECT attribute_schema_define('{"id": "urn:regress:user-history:Fields", "attributes": [
	{"name": "fields", "type": "complex", "multiValued": true, "key": "id", "subAttributes": [{"name": "id", "caseExact": true}, {"name": "value", "type": "any"}]},
	{"name": "free", "type": "any"},
	{"name": "wish", "type": "boolean", "mutability": "writeOnly", "transient": true}]}');
SELECT user_table_create('things', api => 'plain', schemas => '{urn:regress:user-history:Fields}');

--
-- Old and new: of sub-attributes, lists as a whole, extensions by URN
--
DO $do$
BEGIN
	PERFORM user_create('people', '{"userName": "ann", "name": {"givenName": "Ann", "familyName": "Lee"}, "emails": [{"value": "a"}]}', id => 'ann');
	PERFORM user_patch('people', 'ann', '{"name": {"familyName": "Li"}, "active": true}');
	PERFORM user_patch('people', 'ann', '{"emails": [{"value": "a", "type": "work"}], "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": "D", "manager": {"value": "m"}}}');
	PERFORM user_patch('people', 'ann', '{"emails": [], "active": null, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "n"}}}');
	PERFORM user_patch('people', 'ann', '{"active": null}');  -- changes nothing
	PERFORM user_delete('people', 'ann');
	PERFORM user_create('people', '{"userName": "ann", "active": false}', id => 'ann');
END $do$;
SELECT r.* FROM report('people', 'ann') r;

--
-- Items by their key, members of what no schema describes, wishes; names that
-- look like paths; a version without attributes
--
DO $do$
BEGIN
	PERFORM user_put('things', 't', '{"fields": [{"id": "x", "value": 1}, {"id": "y\"]", "value": [2]}], "free": {"a": {"b": 1, "c": [1]}}, "a.b": 1}');
	PERFORM user_patch('things', 't', '{"fields": [{"id": "x", "value": null}, {"id": "z", "value": {"q": 1}}], "free": {"a": {"b": 2}}, "a.b": 2, "a": {"b": 3}}');
	PERFORM user_patch('things', 't', '{"fields": [], "free": "text", "wish": true, "a": null}');
	PERFORM user_patch('things', 't', '{"wish": true}');
	PERFORM user_put('things', 'gone', '{}');
	PERFORM user_delete('things', 'gone');
END $do$;
SELECT r.* FROM report('things', 't') r;
SELECT r.* FROM report('things', 'gone') r;

--
-- The whole row: who, for whom, in which request
--
SET userstore.actor = 'Jo';
SELECT user_patch('things', 'gone', '{}', request_id => 'r 0') FROM things WHERE id = 'gone';
SELECT user_put('things', 'gone', '{"a": 1}', request_id => 'r 1') -> 'a' AS a;
RESET userstore.actor;
SELECT h.version, h.operation, h.changed_at = p.modified_at AS changed_at, h.changed_by, h.actor, h.request_id, h.path, h.old, h.new
FROM user_history('things', 'gone') h, things p WHERE p.id = 'gone' AND h.version = 3;

--
-- Users whom plain SQL inserted: history keeps what they were before, once
--
INSERT INTO people (id, document, created_at) VALUES ('sql', '{"userName": "sql", "title": "T", "nickName": "N"}', '2020-01-01');
SELECT count(*) FROM user_history('people', 'sql');
DO $do$
BEGIN
	PERFORM user_patch('people', 'sql', '{"title": "U"}');
	PERFORM user_patch('people', 'sql', '{"title": "V", "nickName": null}');
END $do$;
SELECT r.* FROM report('people', 'sql') r;
SELECT version, before, before_since = '2020-01-01' AS since_created FROM people_history WHERE user_id = 'sql' ORDER BY version;
-- deleted at once
INSERT INTO things (id, document) VALUES ('again', '{"a": 1}');
SELECT user_delete('things', 'again');
SELECT r.* FROM report('things', 'again') r;
-- inserted again, with a version that history has: it goes on behind that
INSERT INTO things (id, document) VALUES ('again', '{"b": 1}');
SELECT user_patch('things', 'again', '{"b": 2}') -> 'b' AS b;
SELECT r.* FROM report('things', 'again') r;
SELECT h.version, h.before, h.before_since >= p.changed_at AS behind_deletion
FROM things_history h JOIN things_history p ON p.user_id = 'again' AND p.operation = 'delete' WHERE h.user_id = 'again' ORDER BY h.version;
-- by our functions created or inserted, users have no before
SELECT count(*) FROM things_history WHERE user_id IN ('t', 'gone') AND before IS NOT NULL;

-- in bulk: some whom history knows, some not, some several times, some new
INSERT INTO things (id, document) VALUES ('bulk 1', '{"a": 1}'), ('bulk 2', '{"a": 2, "b": 2}');
SELECT users_bulk_put('things', '[{"id": "bulk 1", "a": 10}, {"id": "bulk 3", "a": 3}, {"id": "bulk 2", "a": 2}, {"id": "gone", "a": 9},
	{"id": "bulk 3", "a": 30}, {"id": "bulk 1", "a": 100}]');
SELECT id, r.* FROM unnest(ARRAY['bulk 1', 'bulk 2']) id, report('things', id) r;
SELECT user_id, version, before, before_since IS NULL AS no_time FROM things_history WHERE user_id ~ 'bulk|gone' ORDER BY user_id, version;
-- with triggers that change rows
INSERT INTO things (id, document) VALUES ('bulk 4', '{"a": 1}'), ('bulk 5', '{"a": 1}');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.document := NEW.document || '{"stamp": 1}';
	RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT users_bulk_patch('things', '[{"id": "bulk 4", "a": 2}, {"id": "bulk 4", "a": 3}, {"id": "bulk 5", "a": 2}, {"id": "bulk 6", "a": 1}]', creates => true);
SELECT user_id, version, before, changed, document FROM things_history WHERE user_id ~ 'bulk [456]' ORDER BY user_id, version;
DROP TRIGGER stamp ON things;

--
-- Schemas that changed since: paths are as they were, and still lead to values
--
SELECT attribute_schema_define('{"id": "urn:regress:user-history:Fields", "attributes": [{"name": "fields", "type": "any"}]}');
SELECT r.* FROM report('things', 't') r WHERE version > 1;

--
-- Errors
--
SELECT r.* FROM unnest(ARRAY[$$SELECT user_history('people', 'nobody')$$, $$SELECT user_history('people', '')$$,
	$$SELECT user_history('people', NULL)$$, $$SELECT user_history(NULL, 'ann')$$, $$SELECT user_history('people_history', 'ann')$$]) WITH ORDINALITY c (command, n),
	raised(command) r ORDER BY n;

DROP TABLE people, things;
SELECT attribute_schema_drop('urn:regress:user-history:Fields');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_user_history CASCADE;
DROP ROLE regress_user_history;
