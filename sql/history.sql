--
-- History: one row for each version of each user, with what changed and by
-- whom; and what triggers and constraints of the application do to it.
--
SET client_min_messages = warning;
CREATE ROLE regress_history;
CREATE ROLE regress_history_clerk;
CREATE SCHEMA regress_history AUTHORIZATION regress_history;
SET SESSION AUTHORIZATION regress_history;
SET search_path = regress_history, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT "constraint" text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, "constraint" = CONSTRAINT_NAME;
END $$;

SELECT user_table_create('people', api => 'scim');
-- merged by key, and attributes of any shape
SELECT attribute_schema_define('{"id": "urn:regress:history:Fields", "attributes": [
	{"name": "fields", "type": "complex", "multiValued": true, "key": "id", "subAttributes": [{"name": "id", "caseExact": true}, {"name": "value", "type": "any"}]},
	{"name": "ranks", "type": "complex", "multiValued": true, "key": "rank", "subAttributes": [{"name": "rank", "type": "integer"}, {"name": "on", "type": "boolean"}]},
	{"name": "free", "type": "any"}]}');
SELECT user_table_create('things', api => 'plain', schemas => '{urn:regress:history:Fields}');

-- The newest version of a user, and whether it is what is stored.
CREATE FUNCTION newest(users regclass, id text, OUT version bigint, OUT operation text, OUT changed text, OUT as_stored text)
LANGUAGE plpgsql AS $$
DECLARE
	h people_history;
	p record;
BEGIN
	EXECUTE format('SELECT h.* FROM %s_history h WHERE h.user_id = $1 ORDER BY h.version DESC LIMIT 1', users) INTO h USING id;
	EXECUTE format('SELECT p.* FROM %s p WHERE p.id = $1', users) INTO p USING id;
	version := h.version;
	operation := h.operation;
	changed := array_to_string(h.changed, '  ');
	as_stored := CASE WHEN p IS NULL THEN 'gone' || CASE WHEN h.document IS NULL THEN ', without document' ELSE '' END
		WHEN (h.document, h.version, h.changed_at) = (p.document, p.version, p.modified_at) THEN 'yes' ELSE 'no' END;
END $$;

-- Do something to a user, then see the newest version.
CREATE FUNCTION step(users regclass, id text, command text, OUT version bigint, OUT operation text, OUT changed text, OUT as_stored text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	SELECT n.* INTO version, operation, changed, as_stored FROM newest(users, id) n;
END $$;

--
-- Which attributes changed
--
SELECT s.* FROM step('people', 'ann', $$SELECT user_create('people',
	'{"userName": "ann", "title": "T", "name": {"givenName": "Ann", "familyName": "Lee"}, "emails": [{"value": "a"}]}', id => 'ann')$$) s;
-- single ones; sub-attributes; multi-valued ones whole; extensions by URN
SELECT body, s.changed, s.version, s.operation, s.as_stored FROM unnest(ARRAY[
	'{"title": "U"}', '{"name": {"familyName": "Li"}}', '{"name": {"givenName": null, "middleName": "M"}, "nickName": "A"}', '{"name": null}',
	'{"emails": [{"value": "a", "type": "work"}]}', '{"emails": []}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": "D", "manager": {"value": "m"}}}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "n"}}}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": null}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	step('people', 'ann', format('SELECT user_patch(%L, %L, %L)', 'people', 'ann', body)) s
ORDER BY n;
SELECT s.* FROM step('people', 'ann', $$SELECT user_put('people', 'ann', '{"userName": "ann2", "active": true}')$$) s;
-- keyed items one by one, with the key as JSON has it; order alone as a whole
SELECT body, s.changed, s.version, s.operation, s.as_stored FROM unnest(ARRAY[
	'{"fields": [{"id": "x", "value": 1}, {"id": "y\"]", "value": 2}], "ranks": [{"rank": 2, "on": true}, {"rank": 10}]}',
	'{"fields": [{"id": "X", "value": 1}, {"id": "x", "value": 1}], "ranks": [{"rank": 10.0}]}',
	'{"fields": [{"id": "x", "value": 1}, {"id": "X", "value": 1}], "ranks": [{"rank": 10}]}',
	-- members of what no schema describes, if their names are plain
	'{"free": {"a": {"b": 1, "c": [1]}, "d": 1}}', '{"free": {"a": {"b": 2, "c": [1]}, "e": 1}}',
	'{"free": {"a": {"b": 2, "c": [1], "odd name": 1}, "e": 1}, "beside": {"f": 1}}', '{"free": [], "beside": {"f": {}}}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	step('things', 't', format('SELECT user_put(%L, %L, %L)', 'things', 't', body)) s
ORDER BY n;

--
-- Who, for whom, in which request
--
SELECT changed_by, actor, request_id, era = (SELECT max(e.era) FROM era e) AS era, transaction_id <= pg_current_xact_id() AS transaction
FROM people_history WHERE version = 1;
GRANT USAGE ON SCHEMA regress_history TO regress_history_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO regress_history_clerk;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_history_clerk;
SET userstore.actor = 'Jo "the boss" O''Neil';
BEGIN;
SELECT user_patch('people', 'ann', '{"title": "by clerk"}', request_id => 'r 1') ->> 'title' AS title;
SELECT user_put('people', 'ann', '{"userName": "ann", "title": "by clerk again"}', request_id => repeat('r', 255)) ->> 'title' AS title;
COMMIT;
RESET userstore.actor;
SELECT user_delete('people', 'ann', request_id => 'r 2');
-- the clerk cannot touch history, nor read it
SELECT r.state, r.message FROM raised('UPDATE people_history SET actor = NULL') r;
SELECT r.state FROM raised('SELECT * FROM people_history') r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_history;
SET search_path = regress_history, userstore;
SELECT version, operation, changed, changed_by, actor, left(request_id, 4) AS request_id, length(request_id),
	transaction_id = lag(transaction_id) OVER (ORDER BY version) AS same_transaction
FROM people_history WHERE user_id = 'ann' AND version > 11 ORDER BY version;
SELECT r.* FROM raised($$SELECT user_patch('people', 'ann', '{}', request_id => '')$$) r;
SELECT r.state FROM raised($$SELECT user_patch('people', 'ann', '{}', request_id => repeat('r', 256))$$) r;

--
-- Versions go on: over deletions and creations, in several rounds
--
SELECT command, s.* FROM unnest(ARRAY[
	$$SELECT user_create('people', '{"userName": "ann"}', id => 'ann')$$,
	$$SELECT user_delete('people', 'ann')$$,
	$$SELECT user_create('people', '{"userName": "ann"}', id => 'ann')$$,
	$$SELECT user_patch('people', 'ann', '{"title": "T"}')$$,
	$$SELECT user_delete('people', 'ann')$$]) WITH ORDINALITY AS c(command, n),
	step('people', 'ann', command) s ORDER BY n;
-- by a PUT that creates
SELECT command, s.* FROM unnest(ARRAY[
	$$SELECT user_delete('things', 't')$$, $$SELECT user_put('things', 't', '{"a": 1}')$$,
	$$SELECT user_delete('things', 't')$$, $$SELECT user_put('things', 't', '{}')$$]) WITH ORDINALITY AS c(command, n),
	step('things', 't', command) s ORDER BY n;
SELECT document IS NULL AS no_document, operation = 'delete' AS deleted, count(*) FROM people_history GROUP BY 1, 2;
-- the answer says so too, and the user is a new one
SELECT user_get('things', 't') #> '{meta,version}' AS version, created_at = modified_at AS new FROM things;
-- the same in one transaction
BEGIN;
SELECT user_put('things', 'u', '{"a": 1}') #> '{meta,version}' AS version;
SELECT user_delete('things', 'u');
SELECT user_put('things', 'u', '{"a": 1}') #> '{meta,version}' AS version;
SELECT user_delete('things', 'u');
COMMIT;
-- deleted by plain SQL, which history knows: versions go on after that
SELECT s.* FROM step('things', 'u', $$SELECT user_put('things', 'u', '{"a": 1}')$$) s;
DELETE FROM things WHERE id = 'u';
SELECT s.* FROM step('things', 'u', $$SELECT user_put('things', 'u', '{"a": 2}')$$) s;

-- deleted by us, inserted by plain SQL: with versions that history has seen
SELECT s.* FROM step('things', 'v', $$SELECT user_put('things', 'v', '{"a": 1}')$$) s;
SELECT user_delete('things', 'v');
INSERT INTO things (id, document) VALUES ('v', '{"a": 2}');
SELECT s.* FROM step('things', 'v', $$SELECT user_patch('things', 'v', '{"a": 3}')$$) s;
SELECT user_delete('things', 'v');
INSERT INTO things (id, document) VALUES ('v', '{"a": 4}');
SELECT user_delete('things', 'v');
SELECT version, operation, document, changed FROM things_history WHERE user_id = 'v' ORDER BY version;

--
-- Times rise with versions, strictly, also within a transaction
--
DO $$
BEGIN
	FOR i IN 1 .. 200 LOOP
		PERFORM user_put('things', 'fast', jsonb_build_object('i', i));
		IF i % 50 = 0 THEN
			PERFORM user_delete('things', 'fast');
		END IF;
	END LOOP;
END $$;
SELECT count(*), max(version), count(*) FILTER (WHERE changed_at <= before) AS not_later
FROM (SELECT version, changed_at, lag(changed_at) OVER (ORDER BY version) AS before FROM things_history WHERE user_id = 'fast') h;
-- even when the clock was ahead
UPDATE things SET modified_at = '2999-01-01' WHERE id = 't';
SELECT user_patch('things', 't', '{"x": 1}') #>> '{meta,lastModified}' AS last_modified;
SELECT (changed_at AT TIME ZONE 'UTC')::text AS changed_at FROM things_history WHERE user_id = 't' ORDER BY version DESC LIMIT 1;

--
-- No change, no write: and so no trigger, version, time or history row
--
CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'a row is written';
END $$;
SELECT user_put('things', 'still', '{"a": {"b": 1.0}, "fields": [{"id": "x", "value": []}]}') #> '{meta,version}' AS version;
CREATE TABLE before AS SELECT xmin::text AS row_xmin, ctid AS row_ctid, * FROM things WHERE id = 'still';
CREATE TRIGGER forbid BEFORE INSERT OR UPDATE OR DELETE ON things FOR EACH ROW EXECUTE FUNCTION forbid();
SELECT user_put('things', 'still', '{"fields": [{"value": [], "id": "x"}], "a": {"b": 1}, "none": null}') #> '{meta,version}' AS version;
SELECT user_patch('things', 'still', '{"a": {"b": 1.00}, "none": null, "fields": [{"id": "y", "value": null}]}', 'key') #> '{meta,version}' AS version;
SELECT user_patch('things', 'still', '{}') #> '{meta,version}' AS version;
SELECT before.* IS NOT DISTINCT FROM now_is.* AS untouched, (SELECT count(*) FROM things_history WHERE user_id = 'still') AS history
FROM before, (SELECT xmin::text AS row_xmin, ctid AS row_ctid, * FROM things WHERE id = 'still') AS now_is;
-- while a change does meet the trigger
SELECT r.state, r.message FROM raised($$SELECT user_patch('things', 'still', '{"a": {"b": 1.01}}')$$) r;
DROP TRIGGER forbid ON things;

--
-- Triggers that change the document: row, history and answer agree
--
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.document := NEW.document || jsonb_build_object('stamp', TG_OP || ' ' || coalesce(NEW.document ->> 'a', ''));
	RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT answer - '{id,meta}'::text[] AS answer, (SELECT document FROM things WHERE id = 's') AS unseen_yet FROM user_put('things', 's', '{"a": "1"}') answer;
SELECT n.*, t.document FROM newest('things', 's') n, things t WHERE id = 's';
SELECT answer - '{id,meta}'::text[] AS answer FROM user_patch('things', 's', '{"a": "2"}') answer;
SELECT n.*, t.document FROM newest('things', 's') n, things t WHERE id = 's';
SELECT answer - '{id,meta}'::text[] AS answer FROM user_create('things', '{"a": "3"}', id => 's3') answer;
SELECT n.*, t.document FROM newest('things', 's3') n, things t WHERE id = 's3';
DROP TRIGGER stamp ON things;

--
-- Triggers that drop the change: an error that names them
--
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER "swallow it" BEFORE INSERT OR UPDATE OR DELETE ON things FOR EACH ROW EXECUTE FUNCTION swallow();
SELECT command, r.state, r.message, r.detail, r.hint FROM unnest(ARRAY[
	$$SELECT user_create('things', '{}', id => 'new')$$, $$SELECT user_put('things', 'new', '{}')$$,
	$$SELECT user_put('things', 's', '{}')$$, $$SELECT user_patch('things', 's', '{"b": 1}')$$, $$SELECT user_delete('things', 's')$$]) WITH ORDINALITY AS c(command, n),
	raised(command) r ORDER BY n;
DROP TRIGGER "swallow it" ON things;

-- one that raises afterwards: its own error, and nothing is left
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'not on % of %', TG_OP, coalesce(NEW.id, OLD.id) USING ERRCODE = 'ZZ001';
END $$;
CREATE TRIGGER refuse AFTER INSERT OR UPDATE OR DELETE ON things FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT r.state, r.message FROM unnest(ARRAY[
	$$SELECT user_create('things', '{}', id => 'new')$$, $$SELECT user_put('things', 'new', '{}')$$,
	$$SELECT user_put('things', 's', '{}', 'k')$$, $$SELECT user_delete('things', 's')$$]) WITH ORDINALITY AS c(command, n),
	raised(command) r ORDER BY n;
DROP TRIGGER refuse ON things;
SELECT (SELECT count(*) FROM things WHERE id = 'new') AS users, (SELECT count(*) FROM things_history WHERE user_id = 'new') AS history,
	(SELECT count(*) FROM things_idempotency WHERE key = 'k') AS keys, n.* FROM newest('things', 's') n;

--
-- Plain SQL beside it
--
-- an inserted user has version 1 and no history; the first change makes 2
INSERT INTO things (id, document) VALUES ('sql', '{"a": 1}');
SELECT user_version('things', 'sql') AS version, (SELECT count(*) FROM things_history WHERE user_id = 'sql') AS history;
SELECT s.* FROM step('things', 'sql', $$SELECT user_patch('things', 'sql', '{"a": 2, "b": 1}')$$) s;
INSERT INTO things (id) VALUES ('sql2');
SELECT s.* FROM step('things', 'sql2', $$SELECT user_delete('things', 'sql2')$$) s;
SELECT s.* FROM step('things', 'sql2', $$SELECT user_put('things', 'sql2', '{}')$$) s;

-- constraints of the application keep their SQLSTATE and name
ALTER TABLE things ADD CONSTRAINT short CHECK (length(document ->> 'code') < 5);
ALTER TABLE things ADD COLUMN boss text GENERATED ALWAYS AS (document ->> 'boss') STORED CONSTRAINT boss REFERENCES things (id);
SELECT r.state, r."constraint", r.message FROM raised($$SELECT user_patch('things', 'sql', '{"code": "12345"}')$$) r;
SELECT r.state, r."constraint", r.message FROM raised($$SELECT user_put('things', 'new', '{"code": "12345"}')$$) r;
SELECT r.state, r."constraint", r.message FROM raised($$SELECT user_patch('things', 'sql', '{"boss": "nobody"}')$$) r;
SELECT user_patch('things', 'sql', '{"boss": "s"}') ->> 'boss' AS boss;
SELECT r.state, r."constraint", r.message FROM raised($$SELECT user_delete('things', 's')$$) r;
-- and nothing is left of what they refused
SELECT id, (newest('things', id)).* FROM things WHERE id IN ('s', 'sql', 'new') ORDER BY id;

DROP TABLE people, things;
SELECT to_regclass('people_history') AS history, to_regclass('things_idempotency') AS keys;
SELECT attribute_schema_drop('urn:regress:history:Fields');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_history CASCADE;
DROP ROLE regress_history, regress_history_clerk;
