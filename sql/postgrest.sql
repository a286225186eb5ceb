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

RESET ROLE;
DROP SCHEMA regress_postgrest CASCADE;
DROP SCHEMA regress_postgrest_api CASCADE;
DROP ROLE regress_postgrest;
