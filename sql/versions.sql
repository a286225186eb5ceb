--
-- Versions: updates on the condition that the user has a certain one, missing
-- users, and dry runs, which answer as the real call does.
--
SET client_min_messages = warning;
CREATE ROLE regress_versions;
CREATE SCHEMA regress_versions AUTHORIZATION regress_versions;
SET SESSION AUTHORIZATION regress_versions;
SET search_path = regress_versions, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- plain creates at PUT, scim does not
SELECT user_table_create('things');
SELECT user_table_create('people', api => 'scim');

--
-- expected_version
--
SELECT user_put('things', 'a', '{"n": 1}') #> '{meta,version}' AS version;
-- right: the change is made, and counts
SELECT user_put('things', 'a', '{"n": 2}', expected_version => 1) #> '{meta,version}' AS version;
SELECT user_patch('things', 'a', '{"n": 3}', expected_version => 2) #> '{meta,version}' AS version;
-- right, and nothing to change
SELECT user_patch('things', 'a', '{"n": 3}', expected_version => 3) #> '{meta,version}' AS version;
-- wrong: refused, also where nothing would change
SELECT command, r.* FROM unnest(ARRAY[
	$$SELECT user_put('things', 'a', '{"n": 4}', expected_version => 2)$$, $$SELECT user_put('things', 'a', '{"n": 4}', expected_version => 4)$$,
	$$SELECT user_patch('things', 'a', '{"n": 4}', expected_version => 0)$$, $$SELECT user_patch('things', 'a', '{"n": 3}', expected_version => -1)$$,
	$$SELECT user_put('things', 'a', '{"n": 3}', expected_version => 9223372036854775807)$$, $$SELECT user_delete('things', 'a', expected_version => 1)$$]) WITH ORDINALITY AS c(command, n),
	raised(command) r ORDER BY n;
-- a wrong body on a wrong version
SELECT r.state FROM raised($$SELECT user_put('things', 'a', '[]', expected_version => 9)$$) r;
SELECT user_get('things', 'a') - 'meta' AS untouched, user_version('things', 'a') AS version,
	(SELECT count(*) FROM things_history) AS history;
SELECT user_delete('things', 'a', expected_version => 3);
-- missing: PUT that would create PT412, all else PT404
SELECT r.* FROM raised($$SELECT user_put('things', 'a', '{"n": 4}', expected_version => 4)$$) r;
SELECT command, r.state, r.message, r.detail FROM unnest(ARRAY[
	$$SELECT user_patch('things', 'a', '{"n": 4}', expected_version => 4)$$, $$SELECT user_delete('things', 'a', expected_version => 4)$$,
	$$SELECT user_put('people', 'a', '{"userName": "a"}', expected_version => 1)$$, $$SELECT user_patch('people', 'a', '{}', expected_version => 1)$$]) WITH ORDINALITY AS c(command, n),
	raised(command) r ORDER BY n;
SELECT (SELECT count(*) FROM things) AS things, (SELECT count(*) FROM people) AS people, (SELECT count(*) FROM things_history) AS history;
-- one who came back goes on with the next one
SELECT user_put('things', 'a', '{"n": 1}') #> '{meta,version}' AS version;
SELECT r.state FROM raised($$SELECT user_patch('things', 'a', '{"n": 2}', expected_version => 1)$$) r;
SELECT user_patch('things', 'a', '{"n": 2}', expected_version => 5) #> '{meta,version}' AS version;
-- two requests that have read the same: one of them is made
BEGIN;
SELECT user_patch('things', 'a', '{"n": 3}', expected_version => 6) #> '{meta,version}' AS version;
SELECT r.state, r.hint FROM raised($$SELECT user_patch('things', 'a', '{"m": 3}', expected_version => 6)$$) r;
COMMIT;
-- in SCIM it is the number of the ETag
SELECT user_create('people', '{"userName": "a"}', id => 'a') #> '{meta,version}' AS version;
SELECT user_patch('people', 'a', '{"title": "T"}', expected_version => 1) #> '{meta,version}' AS version;

--
-- user_version, and missing users
--
SELECT user_version('things', 'a') AS things, user_version('people', 'a') AS people;
SELECT command, r.* FROM unnest(ARRAY['user_version', 'user_get', 'user_delete']) WITH ORDINALITY AS c(command, n),
	raised(format('SELECT %s(%L, %L)', command, 'things', 'nobody')) r ORDER BY n;
SELECT api, r.state FROM unnest(ARRAY['plain', 'scim', 'zuora', 'zluri']) WITH ORDINALITY AS a(api, n),
	raised(format('SELECT user_patch(%L, %L, %L, api => %L)', 'things', 'nobody', '{}', api)) r ORDER BY n;
SELECT api, r.state FROM unnest(ARRAY['scim', 'zuora', 'zluri', 'plain']) WITH ORDINALITY AS a(api, n),
	raised(format('SELECT user_put(%L, %L, %L, api => %L)', 'things', 'nobody', '{}', api)) r ORDER BY n;
SELECT user_delete('things', 'nobody');
-- an id is exact where it is text
SELECT r.state FROM raised($$SELECT user_version('things', 'A')$$) r;
SELECT r.state FROM raised($$SELECT user_version('things', 'a ')$$) r;

-- other types of id: read as the type reads it, answered as it writes it
SELECT user_table_create('by_uuid', id_type => 'uuid');
SELECT user_table_create('by_number', id_type => 'bigint');
SELECT user_put('by_uuid', '{4AE68F98-27624001-b95c-34569b413e8e}', '{"id": "4ae68f98-2762-4001-b95c-34569b413e8e"}') -> 'id' AS id;
SELECT user_version('by_uuid', '4ae68f9827624001b95c34569b413e8e') AS version;
SELECT user_put('by_number', ' 007', '{}') -> 'id' AS id;
SELECT user_version('by_number', '7') AS version;
SELECT table_name, id, r.* FROM (VALUES (1, 'by_uuid', 'x'), (2, 'by_uuid', '4ae68f98-2762-4001-b95c-34569b413e8'), (3, 'by_number', 'x'),
		(4, 'by_number', '1.5'), (5, 'by_number', '9223372036854775808')) AS v(n, table_name, id),
	raised(format('SELECT user_get(%L, %L)', table_name, id)) r ORDER BY n;
SELECT r.state FROM raised($$SELECT user_get('by_number', '-1')$$) r;
-- numbers that the table gives, one after the other
SELECT user_create('by_number', '{"a": 1}') -> 'id' AS first, user_create('by_number', '{"a": 1}') -> 'id' AS second;

--
-- A dry run answers as the real call, and does nothing
--
-- An answer without its times, or the error.
CREATE FUNCTION answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
	detail text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN coalesce((result #- '{meta,created}' #- '{meta,lastModified}')::text, 'null');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, CASE WHEN detail ^@ '{' THEN detail END);
END $$;
-- All that stands.
CREATE FUNCTION everything() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN concat((SELECT string_agg(t::text, ' ' ORDER BY id) FROM (SELECT xmin::text AS row_xmin, ctid::text AS row_ctid, * FROM things) t),
		(SELECT count(*) FROM things_history));
END $$;
-- A call as a dry run, then as it is.
CREATE FUNCTION twice(call text, OUT same boolean, OUT nothing_done boolean, OUT answer text)
LANGUAGE plpgsql AS $$
DECLARE
	before text := everything();
	dry text := answer(regexp_replace(call, '\)$', ', dry_run => true)'));
BEGIN
	nothing_done := before = everything();
	answer := answer(call);
	same := dry = answer;
END $$;
SELECT command, b.* FROM unnest(ARRAY[
	$$user_put('things', 'a', '{"n": 8}')$$, $$user_put('things', 'a', '{"n": 8}')$$, $$user_patch('things', 'a', '{"n": 9, "m": null}')$$,
	$$user_put('things', 'new', '{"n": 8}')$$, $$user_create('things', '{"n": 8}', id => 'newer')$$,
	$$user_delete('things', 'new')$$, $$user_put('things', 'new', '{"n": 9}')$$, $$user_patch('things', 'a', '{"n": 1}', expected_version => 9)$$,
	-- and as the real call it fails
	$$user_put('things', 'a', '{"n": 1}', expected_version => 8)$$, $$user_patch('things', 'nobody', '{}')$$, $$user_delete('things', 'nobody')$$,
	$$user_put('things', 'a', '[]')$$, $$user_create('things', '{}', id => 'a')$$, $$user_put('things', 'a', '{"id": "b"}')$$,
	$$user_patch('things', '', '{}')$$, $$user_patch('things', 'a', '{}', api => 'none')$$]) WITH ORDINALITY AS c(command, n),
	twice(command) b ORDER BY n;
-- constraints and triggers judge a dry run as well
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.document ? 'bad' THEN
		RAISE EXCEPTION 'bad' USING ERRCODE = 'ZZ001';
	END IF;
	NEW.document := NEW.document || '{"judged": true}';
	RETURN NEW;
END $$;
CREATE TRIGGER judge BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION judge();
ALTER TABLE things ADD CONSTRAINT small CHECK ((document ->> 'n')::numeric < 100);
SELECT command, b.* FROM unnest(ARRAY[
	$$user_put('things', 'a', '{"n": 10}')$$, $$user_put('things', 'a', '{"bad": 1}')$$, $$user_patch('things', 'a', '{"n": 100}')$$]) WITH ORDINALITY AS c(command, n),
	twice(command) b ORDER BY n;
-- many of them leave nothing behind
SELECT count(user_patch('things', 'a', jsonb_build_object('n', n % 90), dry_run => true)) FROM generate_series(1, 1000) n;
SELECT user_get('things', 'a') -> 'n' AS n, user_version('things', 'a') AS version;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_versions CASCADE;
DROP ROLE regress_versions;
