--
-- Errors: which SQLSTATE, a short message on one line that names the attribute,
-- a DETAIL that programs can read; whatever the request is made of.
--
SET client_min_messages = warning;
CREATE ROLE regress_errors;
CREATE SCHEMA regress_errors AUTHORIZATION regress_errors;
SET SESSION AUTHORIZATION regress_errors;
SET search_path = regress_errors, userstore;
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

SELECT user_table_create('people', api => 'scim');
SELECT user_table_create('things');
SELECT user_create('people', '{"userName": "ann"}', id => 'ann') ->> 'id' AS id;

--
-- NULL arguments: of every function, of every argument in turn.  Those that
-- may be NULL have a default of NULL.
--
CREATE FUNCTION with_null(function regprocedure, n int) RETURNS text
LANGUAGE sql AS $$
	SELECT format('SELECT * FROM %s(%s)', p.oid::regproc, string_agg(format('%I => %s::%s', a.name,
		CASE WHEN a.i = n THEN 'NULL'
			WHEN a.name = 'users' THEN '''things''' WHEN a.name = 'id' AND p.proname = 'user_create' THEN '''new''' WHEN a.name = 'id' THEN '''t''' WHEN a.name = 'body' THEN '''{}'''
			WHEN a.name = 'dry_run' THEN 'true' WHEN a.name = 'max' THEN '1' ELSE 'NULL' END,
		a.type::regtype), ', ' ORDER BY a.i))
	FROM pg_proc p, unnest(p.proargnames, p.proargtypes::oid[]) WITH ORDINALITY AS a(name, type, i)
	WHERE p.oid = function GROUP BY p.oid $$;
SELECT user_put('things', 't', '{}') ->> 'id' AS id;
SELECT p.proname AS function, a.name AS argument, r.state, r.message
FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY AS a(name, i), raised(with_null(p.oid, a.i::int)) r
WHERE p.pronamespace = 'userstore'::regnamespace AND p.proname IN ('user_create', 'user_put', 'user_patch', 'user_delete', 'user_get', 'user_version', 'idempotency_purge')
	AND r.state IS NOT NULL
ORDER BY p.proname, a.i;

--
-- Tables
--
CREATE TABLE ordinary (id text PRIMARY KEY, document jsonb);
CREATE VIEW seen AS SELECT * FROM people;
CREATE SEQUENCE counter;
CREATE FUNCTION calls(users regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format(c, users::oid) FROM unnest(ARRAY['user_create(%s, ''{}'')', 'user_put(%s, ''a'', ''{}'')', 'user_patch(%s, ''a'', ''{}'')', 'user_delete(%s, ''a'')',
		'user_get(%s, ''a'')', 'user_version(%s, ''a'')', 'idempotency_purge(%s)']) c $$;
-- not registered: 42809, from every function
SELECT relation, min(r.state) AS state, max(r.state) AS too, min(r.message) AS message, min(r.hint) AS hint, count(*)
FROM unnest('{ordinary,seen,counter,ordinary_pkey,people_history,people_idempotency,pg_class}'::text[]) relation, calls(relation::regclass) c, raised('SELECT ' || c) r
GROUP BY relation ORDER BY relation COLLATE "C";
DROP VIEW seen;
-- dropped, or never there
SELECT user_table_create('gone');
SELECT 'gone'::regclass::oid AS gone \gset
DROP TABLE gone;
SELECT r.state, regexp_replace(r.message, '[0-9]+', 'N') AS message, count(*) FROM calls(:gone) c, raised('SELECT ' || c) r GROUP BY 1, 2;
SELECT r.state, r.message FROM raised($$SELECT user_get('gone', 'a')$$) r;
SELECT r.state, count(*) FROM calls(0) c, raised('SELECT ' || c) r GROUP BY 1;
-- renamed, in another schema, under an odd name: the same table
ALTER TABLE things RENAME TO "Odd ""things""";
RESET SESSION AUTHORIZATION;
CREATE SCHEMA regress_errors_2 AUTHORIZATION regress_errors;
SET SESSION AUTHORIZATION regress_errors;
SET search_path = regress_errors, userstore;
ALTER TABLE "Odd ""things""" SET SCHEMA regress_errors_2;
SELECT user_put('regress_errors_2."Odd ""things"""', 't', '{"a": 1}') - 'meta' AS answer;
SELECT r.state, r.message FROM raised($$SELECT user_create('regress_errors_2."Odd ""things"""', '{}', 't')$$) r;
ALTER TABLE regress_errors_2."Odd ""things""" SET SCHEMA regress_errors;
ALTER TABLE "Odd ""things""" RENAME TO things;
DROP SCHEMA regress_errors_2;
ALTER TABLE things_history RENAME TO past;
SELECT user_put('things', 't', '{"a": 2}') - 'meta' AS answer;
ALTER TABLE past RENAME TO things_history;
-- a renamed constraint is still explained
ALTER TABLE people RENAME CONSTRAINT people_pkey TO "my key";
SELECT r.state, r.message, r.detail FROM raised($$SELECT user_create('people', '{"userName": "x"}', id => 'ann')$$) r;
-- unknown profiles
SELECT api, r.state, r.message, r.hint FROM unnest(ARRAY['', 'SCIM', E'x\ny']) WITH ORDINALITY AS a(api, n),
	raised(format('SELECT user_get(%L, %L, api => %L)', 'people', 'ann', api)) r ORDER BY n;
SELECT length(r.message) < 200 AS short, r.state FROM raised(format('SELECT user_get(%L, %L, api => %L)', 'people', 'ann', repeat('p', 10000))) r;

--
-- Ids
--
SELECT length, character, r.state, r.message, r.detail
FROM (VALUES (0, 'a'), (1, 'a'), (255, 'a'), (255, U&'\00e9'), (256, 'a'), (256, U&'\00e9'), (10000, 'a')) AS v(length, character),
	raised(format('SELECT user_put(%L, %L, %L)', 'things', repeat(character, length), '{}')) r;
SELECT octet_length(id), version FROM things WHERE length(id) = 255 ORDER BY id;
SELECT length(id), r.state, r.message FROM unnest(ARRAY[repeat('b', 255), E'a\nb\tc', '"quoted"', '%s%n', U&'\00e9' || repeat(U&'\d83d\de00', 99)]) WITH ORDINALITY AS i(id, n),
	raised(format('SELECT user_get(%L, %L)', 'things', id)) r ORDER BY n;

--
-- Bodies
--
SELECT body, operation, r.* FROM unnest(ARRAY['[]', '[{"a": 1}]', '"a"', '1', 'true', 'null']) WITH ORDINALITY AS b(body, n),
	unnest('{put,patch,create}'::text[]) WITH ORDINALITY AS o(operation, m),
	raised(format(CASE operation WHEN 'create' THEN 'SELECT user_create(%L, %3$L)' ELSE 'SELECT user_' || operation || '(%L, %L, %L)' END, 'things', 't', body)) r
ORDER BY n, m;
-- too large: over 1 MB, whatever it is made of
SELECT r.* FROM raised($$SELECT user_put('things', 't', jsonb_build_object('a', repeat('x', 2000000)))$$) r;
SELECT operation, r.state FROM unnest('{put,patch}'::text[]) operation,
	raised(format('SELECT user_%s(%L, %L, (SELECT jsonb_object_agg(%L || n, n) FROM generate_series(1, 100000) n))', operation, 'things', 't', 'a')) r;
SELECT r.state FROM raised($$SELECT user_create('things', jsonb_build_object('a', repeat('x', 2000000)))$$) r;
SELECT length(user_put('things', 'large', jsonb_build_object('a', repeat('x', 1000000))) ->> 'a') AS fits;

--
-- Hostile names: one line, not endless, whole characters, valid JSON
--
CREATE FUNCTION judged(command text, OUT state text, OUT one_line boolean, OUT length int, OUT detail_is_json boolean, OUT has_path boolean, OUT message text)
LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	SELECT * INTO r FROM raised(command);
	state := r.state;
	one_line := r.message !~ '[\x01-\x1f\x7f]';
	length := length(r.message);
	message := left(r.message, 60);
	detail_is_json := jsonb_typeof(r.detail::jsonb) = 'object';
	has_path := r.detail::jsonb ? 'path';
END $$;
SELECT what, operation, j.* FROM (VALUES (1, 'newlines', E'a\nb\r\nc'), (2, 'controls', E'\x01\x1b[31m\x7f'), (3, 'quotes', 'a"b''c\d'), (4, 'formats', '%s %n %1$s %'), (5, 'none', ''),
		(6, '10 kB', repeat('a', 10000)), (7, '10 kB of newlines', repeat(E'\n', 10000)),
		(8, 'cut after 2 bytes of 4', repeat('a', 98) || repeat(U&'\d83d\de00', 10)), (9, 'cut after 1 of 2', repeat('a', 99) || repeat(U&'\00e9', 100)),
		(10, 'sql', '''; DROP TABLE people; --'), (11, 'json', '{"path": "x"}')) AS v(n, what, name),
	unnest('{put,patch,create}'::text[]) WITH ORDINALITY AS o(operation, m),
	judged(format(CASE operation WHEN 'create' THEN 'SELECT user_create(%L, %3$L)' ELSE 'SELECT user_' || operation || '(%L, %L, %L)' END,
		'people', 'ann', jsonb_build_object('userName', 'x', name, 1))) j
ORDER BY n, m;
-- the same one level down, and as names of schemas, ids, paths
SELECT n, j.* FROM unnest(ARRAY[
	format('SELECT user_put(%L, %L, %L)', 'people', 'ann', jsonb_build_object('userName', 'x', 'name', jsonb_build_object(E'a\n' || repeat('b', 10000), 1))),
	format('SELECT user_put(%L, %L, %L)', 'people', 'ann', jsonb_build_object('userName', 'x', 'emails', jsonb_build_array(jsonb_build_object(E'a\n' || repeat('b', 10000), 1)))),
	format('SELECT user_put(%L, %L, %L)', 'people', 'ann', jsonb_build_object('userName', 'x', 'schemas', jsonb_build_array(E'a\n' || repeat('b', 10000)))),
	format('SELECT user_patch(%L, %L, %L)', 'people', E'a\n' || repeat(U&'\00e9', 250), '{}'),
	format('SELECT user_put(%L, %L, %L)', 'things', 't', jsonb_build_object('id', E'a\n' || repeat('b', 10000))),
	format('SELECT user_put(%L, %L, %L, %L)', 'things', 't', '{}', E'a\n' || repeat('b', 10000)),
	format('SELECT user_put(%L, %L, %L, request_id => %L)', 'things', 't', '{}', E'a\n' || repeat('b', 10000))]) WITH ORDINALITY AS c(command, n),
	judged(command) j ORDER BY n;
-- what is passed over is told in a NOTICE that ends
SELECT user_put('people', 'ann', jsonb_build_object('userName', 'ann', E'a\n' || repeat('b', 1000), 1), api => 'zuora') ->> 'userName' AS name;
DO $$
DECLARE
	body jsonb := (SELECT jsonb_object_agg('unknown' || n, n) FROM generate_series(1, 2000) n);
BEGIN
	PERFORM user_put('people', 'ann', body || '{"userName": "ann"}', api => 'zuora');
END $$;

--
-- Each error of ours names its attribute, in the message as in DETAIL
--
SELECT attribute_schema_define('{"id": "urn:regress:errors:All", "attributes": [
	{"name": "text", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]*$"}, {"name": "mail", "format": "email"}, {"name": "one", "enum": ["a", "b"]},
	{"name": "flag", "type": "boolean"}, {"name": "whole", "type": "integer", "minimum": 0, "maximum": 9}, {"name": "number", "type": "decimal", "maximum": 0.5},
	{"name": "moment", "type": "dateTime"}, {"name": "bytes", "type": "binary"}, {"name": "link", "type": "reference", "format": "uri"},
	{"name": "fixed", "mutability": "immutable"}, {"name": "secret", "format": "password", "minLength": 3}, {"name": "code", "uniqueness": "server"},
	{"name": "pair", "type": "complex", "dependentRequired": {"left": ["right"]}, "subAttributes": [{"name": "left"}, {"name": "right"}, {"name": "must", "required": true}]},
	{"name": "list", "type": "complex", "multiValued": true, "key": "k", "subAttributes": [{"name": "k"}, {"name": "primary", "type": "boolean"}]},
	{"name": "choice", "type": "complex", "lookup": [{"value": 1, "displayValue": "One"}], "subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}]},
	{"name": "needed", "required": true}]}');
SELECT user_table_create('every', api => 'plain', schemas => '{urn:regress:errors:All}');
SELECT api_profile_define('regress_errors', '{"unknown_attributes": "reject", "schemas": ["urn:regress:errors:All"], "writable": ["text", "needed", "pair.left"]}', base => 'plain');
SELECT api_profile_define('regress_errors_strict', '{"unknown_attributes": "reject"}', base => 'plain');
SELECT user_create('every', '{"needed": "x", "fixed": "f", "code": "c"}', id => 'e') - 'meta' AS answer, user_create('every', '{"needed": "x", "code": "d"}', id => 'f') - 'meta' AS other;
SELECT p.body, r.state, r.message, r.detail, r.hint, r.message LIKE '%"' || (r.detail::jsonb ->> 'path') || '"%' AS names_it
FROM unnest(ARRAY['{"text": "a"}', '{"text": "abcde"}', '{"text": "A1"}', '{"mail": "a"}', '{"one": "c"}', '{"flag": 1}', '{"whole": 1.5}', '{"whole": -1}', '{"whole": 1e30}', '{"number": 0.51}', '{"number": "1"}',
	'{"moment": "yesterday"}', '{"bytes": "?"}', '{"link": "no link"}', '{"fixed": "g"}', '{"secret": "s"}', '{"code": "D"}', '{"pair": {"left": "l", "must": "m"}}', '{"pair": {"right": "r"}}',
	'{"list": [{"k": "a", "primary": true}, {"k": "b", "primary": true}]}', '{"list": [{"primary": true}]}', '{"list": {}}', '{"list": [1]}', '{"choice": {"value": 2}}', '{"choice": {"displayValue": "Two"}}',
	'{"needed": null}', '{"text": "ab", "TEXT": "cd"}', '{"other": 1}', '{"pair": {"other": 1, "must": "m"}}', '{"id": "f"}', '{"id": []}']::jsonb[]) WITH ORDINALITY AS p(body, n),
	raised(format('SELECT user_patch(%L, %L, %L, api => %L)', 'every', 'e', body, 'regress_errors_strict')) r
ORDER BY n;
-- what a profile does not write
SELECT p.body, r.state, r.message, r.detail, r.hint
FROM unnest(ARRAY['{"one": "a"}', '{"code": null}', '{"list": [{"k": "a"}]}', '{"pair": {"must": "m"}}']::jsonb[]) WITH ORDINALITY AS p(body, n),
	raised(format('SELECT user_patch(%L, %L, %L, api => %L)', 'every', 'e', body, 'regress_errors')) r
ORDER BY n;
SELECT user_patch('every', 'e', '{"one": null, "fixed": "f", "text": "ab"}', api => 'regress_errors', dry_run => true) - 'meta' AS unchanged_may_be_sent;
-- what a profile does not delete
SELECT api_profile_define('regress_errors', '{"on_delete": "refuse"}', base => 'plain');
SELECT r.* FROM raised($$SELECT user_delete('every', 'e', api => 'regress_errors')$$) r;
-- none of all this changed anything
SELECT user_get('every', 'e') - 'meta' AS untouched, (SELECT count(*) FROM every_history) AS history;

DROP TABLE people, things, every;
SELECT api_profile_drop('regress_errors'), api_profile_drop('regress_errors_strict');
SELECT attribute_schema_drop('urn:regress:errors:All');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_errors CASCADE;
DROP ROLE regress_errors;
