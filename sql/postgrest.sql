-- Under PostgREST: the functions take the idempotency key and the expected
-- version from the headers of the request, which it hands on as a setting.
\set VERBOSITY terse
\pset format unaligned
CREATE ROLE regress_postgrest;
CREATE SCHEMA regress_postgrest AUTHORIZATION regress_postgrest;
SET ROLE regress_postgrest;
SET search_path = regress_postgrest, userstore, public;
SELECT user_table_create('people', api => 'scim');

-- the wrapper that an app exposes, as the README has it
RESET ROLE;
CREATE SCHEMA regress_postgrest_api AUTHORIZATION regress_postgrest;
SET ROLE regress_postgrest;
CREATE FUNCTION regress_postgrest_api.put_person(id text, body jsonb) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT userstore.user_put('regress_postgrest.people', id, body)
$$;
SELECT user_create('people', '{"userName": "ann"}', 'a') ->> 'userName' AS created;

-- What PostgREST does around a request.
CREATE FUNCTION serve(headers json, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
	state text;
	said text;
BEGIN
	PERFORM set_config('request.headers', headers::text, true);
	EXECUTE 'SELECT ' || statement INTO answer;
	PERFORM set_config('request.headers', '', true);
	RETURN concat_ws(' ', answer ->> 'userName', answer ->> 'title', answer #>> '{meta,version}');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
	RETURN state || ' ' || said;
END $$;

-- a key, bare and as structured fields write it, is one
SELECT serve('{"idempotency-key": "k1"}', $$regress_postgrest_api.put_person('a', '{"userName": "ann", "title": "Dr"}')$$);
SELECT serve('{"idempotency-key": "\"k1\""}', $$regress_postgrest_api.put_person('a', '{"userName": "ann", "title": "Dr"}')$$);
SELECT serve('{"idempotency-key": "k1"}', $$regress_postgrest_api.put_person('a', '{"userName": "ann", "title": "Prof"}')$$);
SELECT key, operation, user_id, version FROM people_idempotency;
-- the argument comes first
SELECT serve('{"idempotency-key": "k1"}', $$user_put('people', 'a', '{"userName": "ann", "title": "Prof"}', 'k2')$$);

-- If-Match: a version, weak or not, one of several, any
SELECT serve('{"if-match": "W/\"2\""}', $$user_patch('people', 'a', '{"title": "Sir"}')$$);
SELECT serve('{"if-match": "\"3\""}', $$user_patch('people', 'a', '{"title": "Sir"}')$$);
SELECT serve('{"if-match": "\"1\", W/\"4\""}', $$user_patch('people', 'a', '{"title": "Lady"}')$$);
SELECT serve('{"if-match": "\"1\", \"2\""}', $$user_patch('people', 'a', '{"title": "Sir"}')$$);
SELECT serve('{"if-match": "*"}', $$user_patch('people', 'a', '{"title": "Dame"}')$$);
SELECT serve('{"if-match": "\"of somebody else\""}', $$user_patch('people', 'a', '{"title": "Sir"}')$$);
SELECT serve('{"if-match": ""}', $$user_patch('people', 'a', '{"title": "Sir"}')$$);
SELECT serve('{"if-match": "\"06\""}', $$user_patch('people', 'a', '{"title": "Sir"}')$$);
SELECT serve('{"if-match": "\"6\""}', $$user_patch('people', 'a', '{"title": "Sir"}', expected_version => 1)$$);
SELECT serve('{"if-none-match": "*"}', $$user_put('people', 'a', '{"userName": "ann"}')$$);
SELECT serve('{"if-none-match": "*"}', $$user_put('people', 'b', '{"userName": "bob"}', api => 'plain')$$);
SELECT serve('{"if-match": "*"}', $$user_put('people', 'c', '{"userName": "cy"}', api => 'plain')$$);
SELECT serve('{"if-match": "\"1\""}', $$user_delete('people', 'a')$$);
SELECT serve('{"if-match": "\"6\"", "idempotency-key": "gone"}', $$user_delete('people', 'a')$$) = '' AS deleted;
SELECT serve('{"if-match": "\"6\"", "idempotency-key": "gone"}', $$user_delete('people', 'a')$$) = '' AS answered_again;

-- a bulk request has a key
SELECT serve('{"idempotency-key": "all", "if-match": "\"99\""}', $$users_bulk_put('people', '[{"id": "b", "userName": "bea"}]')$$) = '' AS done;
SELECT key, operation, version FROM people_idempotency ORDER BY key;
-- and so has a creation
SELECT serve('{"idempotency-key": "new"}', $$user_create('people', '{"userName": "dan"}')$$);
SELECT serve('{"idempotency-key": "new"}', $$user_create('people', '{"userName": "dan"}')$$);

-- user_request takes those of the setting when it is given none
SELECT set_config('request.headers', '{"zuora-track-id": "t1"}', false);
SELECT r.status, r.headers ->> 'Zuora-Track-Id' AS track_id FROM user_request('people', 'GET', '/Users/b') r;
SELECT r.status, r.headers ->> 'Zuora-Track-Id' AS track_id FROM user_request('people', 'GET', '/Users/b', '{}') r;
-- what is no headers
SELECT set_config('request.headers', '["a"]', false);
SELECT user_patch('people', 'b', '{"title": "Dr"}');
SELECT set_config('request.headers', 'x', false);
SELECT user_patch('people', 'b', '{"title": "Dr"}');
RESET request.headers;
SELECT user_patch('people', 'b', '{"title": "Dr"}') #>> '{meta,version}' AS version;

--
-- Who: the subject of the token is the actor, unless the app names one
--

-- Changes a user under these claims; gives what history says of it.
CREATE FUNCTION changed_with(claims text, headers text DEFAULT '', app text DEFAULT '', OUT actor text, OUT request_id text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('request.jwt.claims', claims, true), set_config('request.headers', headers, true),
		set_config('userstore.actor', app, true);
	PERFORM user_patch('people', 'b', jsonb_build_object('title', gen_random_uuid()));
	PERFORM set_config('request.headers', '', true);
	SELECT h.actor, h.request_id INTO changed_with.actor, changed_with.request_id
	FROM people_history h WHERE h.user_id = 'b' ORDER BY h.version DESC LIMIT 1;
END $$;
\pset null '(null)'
SELECT actor FROM changed_with('{"sub": "3f1b", "role": "web", "email": "ann@example.com"}');
SELECT actor FROM changed_with('{"sub": "3f1b"}', app => 'the import');
SELECT actor FROM changed_with('', app => 'the import');
-- a string by RFC 7519, a number of some
SELECT actor FROM changed_with('{"sub": 1042}');
-- what names nobody
SELECT c AS claims, (changed_with(c)).actor FROM unnest(ARRAY['', '{}', '{"role": "anon"}', '{"sub": null}', '{"sub": ""}',
	'{"sub": ["a"]}', '{"sub": {"a": "b"}}', '{"SUB": "a"}', '{"a": {"sub": "b"}}', '"sub"', '["sub"]', 'null', '42']) c;
-- what is no JSON, or too much of it, stands in nobody's way
SELECT left(c, 20) AS claims, (changed_with(c)).actor FROM unnest(ARRAY['{"sub": "a"', 'x', '{"sub": "\u0000"}', '{"sub": "\ud800"}',
	'{"sub": "a"} {"sub": "b"}', repeat('[', 100000), '{"sub": "a", "b": ' || repeat('[', 300) || repeat(']', 300) || '}']) c;
-- on one line, and not endless
SELECT actor, length(actor) FROM changed_with(jsonb_build_object('sub', E'a\n2026-01-01 \r\t\x1b\x7f|\u0085\u009b b')::text);
SELECT left(actor, 3) AS actor, right(actor, 5) AS "end", length(actor) FROM changed_with('', app => repeat('é', 256));
SELECT right(actor, 5) AS "end", length(actor) FROM changed_with('', app => repeat('é', 255));
SELECT right(actor, 5) AS "end", length(actor) FROM changed_with('{"sub": 1' || repeat('0', 1000) || '}');
SELECT actor FROM changed_with('', app => E'a\nb');
SELECT actor FROM changed_with('{"sub": "a"}', app => ' ');

--
-- Which request: the argument, else what the proxy calls it
--
SELECT request_id FROM changed_with('', '{"x-request-id": "r-1"}');
SELECT request_id FROM changed_with('', '{"X-Request-ID": "r-1", "zuora-track-id": "z-1"}');
SELECT request_id FROM changed_with('', '{"x-request-id": "", "zuora-track-id": ""}');
SELECT request_id FROM changed_with('', '{"x-request-id": "r-1", "zuora-track-id": ""}');
SELECT request_id FROM changed_with('', '{"x-request-id": null}');
SELECT request_id FROM changed_with('', '{"x-request-id": "a\nb"}');
SELECT right(request_id, 5) AS "end", length(request_id) FROM changed_with('', jsonb_build_object('x-request-id', repeat('r', 10000))::text);
SELECT set_config('request.headers', '{"x-request-id": "r-2"}', false), set_config('request.jwt.claims', '{"sub": "ann"}', false);
-- of every function that changes users
SELECT user_create('people', '{"userName": "eve"}', 'e') ->> 'id' AS created, user_create('people', '{"userName": "fay"}', 'f', request_id => 'mine') ->> 'id' AS mine;
SELECT user_put('people', 'e', '{"userName": "eva"}') ->> 'id' AS put;
SELECT user_patch('people', 'e', '{"title": "Dr"}', request_id => 'mine') ->> 'id' AS patched;
SELECT jsonb_array_length(users_bulk_patch('people', '[{"id": "e", "title": "Sir"}, {"id": "f", "title": "Sir"}]') -> 'Resources') AS patched;
SELECT jsonb_array_length(users_bulk_put('people', '[{"id": "e", "userName": "eve"}]') -> 'Resources') AS put;
SELECT status FROM user_request('people', 'PATCH', '/Users/e', body => '{"title": "Lady"}');
SELECT status FROM user_request('people', 'PATCH', '/Users/e', '{"x-request-id": "its own"}', '{"title": "Dame"}');
SELECT status FROM user_request('people', 'PATCH', '/Users/e', '{}', '{"title": "Prof"}');
SELECT body #>> '{Operations,0,status}' AS status FROM user_request('people', 'POST', '/Bulk',
	body => '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"method": "PATCH", "path": "/Users/e", "data": {"title": "of many"}}]}');
SELECT user_delete('people', 'e') IS NULL AS deleted;
SELECT user_id, version, operation, actor, request_id FROM people_history WHERE user_id IN ('e', 'f') ORDER BY user_id, version;
-- an argument is the caller's own, and is told what is wrong with it
SELECT serve('{}', $$user_put('people', 'f', '{"userName": "fay"}', request_id => E'a\nb')$$);
RESET request.headers;
RESET request.jwt.claims;

RESET ROLE;
DROP SCHEMA regress_postgrest CASCADE;
DROP SCHEMA regress_postgrest_api CASCADE;
DROP ROLE regress_postgrest;
