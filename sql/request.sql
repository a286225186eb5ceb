-- user_request: an HTTP request in, the response out, in the form of each API;
-- whatever is wrong is a response, and leaves nothing half done.
SET client_min_messages = warning;
CREATE ROLE regress_request;
CREATE ROLE regress_request_reader;
CREATE ROLE regress_request_clerk;
CREATE SCHEMA regress_request AUTHORIZATION regress_request;
SET SESSION AUTHORIZATION regress_request;
SET search_path = regress_request, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

SELECT user_table_create('scim', 'scim'), user_table_create('zuora', 'zuora'), user_table_create('zluri', 'zluri'),
	user_table_create('cpq', 'cpq'), user_table_create('oig', 'oig'), user_table_create('plain');

-- The response as text: status, headers, body; without times, with <id> for an
-- id that was generated.  What is raised is marked.
CREATE FUNCTION ask(users regclass, method text, path text, headers jsonb DEFAULT '{}', body text DEFAULT NULL, api text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	SELECT * INTO r FROM user_request(users, method, path, headers, body, api);
	RETURN regexp_replace(concat_ws(' ', r.status, nullif(r.headers - 'Content-Type', '{}'), r.body #- '{meta,created}' #- '{meta,lastModified}'),
		'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}', '<id>', 'g');
EXCEPTION WHEN OTHERS OR query_canceled THEN
	RETURN 'raised ' || SQLSTATE || ' ' || SQLERRM;
END $$;

-- Nothing but the status, and the header of this name.
CREATE FUNCTION status(users regclass, method text, path text, headers jsonb DEFAULT '{}', body text DEFAULT NULL, header text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', r.status, r.headers ->> header) FROM user_request(users, method, path, headers, body) r
$$;

SELECT user_create('scim', '{"userName": "ann"}', 'ann') ->> 'id', user_create('scim', '{"userName": "a"}', 'a') ->> 'id', user_create('zuora', '{"userName": "ann"}', 'ann') ->> 'id',
	user_create('zluri', '{"user_name": "Ann"}', 'ann') ->> 'id', user_create('cpq', '{"login": "ann"}', 'ann'), user_create('oig', '{"fields": [{"name": "User Login", "value": "ann"}]}', 'ann') ->> 'id',
	user_create('plain', '{"name": "Ann"}', 'ann') ->> 'id';

--
-- Routes
--

-- what each method is at each place: an empty body goes on to be judged, or not
CREATE FUNCTION routes(users regclass, paths text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', method, path, '→', r.status, r.headers ->> 'Allow',
		coalesce(r.body ->> 'detail', r.body ->> 'error', r.body ->> 'reason'))
	FROM unnest(paths) WITH ORDINALITY p(path, i), unnest('{GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS}'::text[]) WITH ORDINALITY m(method, k),
		user_request(users, method, path, '{}', '5') r
	ORDER BY i, k
$$;
-- SCIM (RFC 7644 section 3.2), and Zuora's bulk
SELECT routes('scim', '{/Users,/Users/none,/Users/bulk,/Bulk}');
-- objects, where users are never deleted
SELECT routes('cpq', '{/users,/users/none}');
SELECT routes('zluri', '{/users/none}');
-- fields; a status has no other method
SELECT routes('oig', '{/users,/users/none,/users/none/status}');
-- only where the profile has words for it
SELECT ask('plain', 'PUT', '/users/ann/status', '{}', '{"status": "lock"}');

-- whatever stands before; names of places in any case; slashes at the end, or several
SELECT path, status('scim', 'GET', path) FROM unnest('{/Users/a,Users/a,/scim/v2/Users/a,/users/a,/USERS/a,/Users/a/,//Users//a,/Users/a?,/Users/a#x,
	/a/b/c/d/e/f/g/Users/a,/Users/Users/a,/Users/bulk/Users/a,/v1.0/%7Eme/Users/a}'::text[]) path;
-- nothing there
SELECT path, ask('scim', 'GET', path) FROM unnest('{"",/,//,?x=/Users,/User,/Users/a/b,/Users/a/devices,/Usersa,/Group/a,#/Users}'::text[]) path;
SELECT ask('scim', 'GET', '/' || repeat('é', 300) || '?password=x');
-- methods are in capitals; others are nobody's
SELECT method, ask('scim', method, '/Users/a') FROM unnest(ARRAY['FETCH', 'GET ', '', E'GE\nT', repeat('X', 300)]) method;

--
-- Ids
--
CREATE FUNCTION there_and_back(encoded text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	put record;
	got record;
	removed record;
BEGIN
	SELECT * INTO put FROM user_request('plain', 'PUT', '/v1/users/' || encoded, '{}', '{"name": "x"}');
	SELECT r.*, id INTO got FROM user_request('plain', 'GET', put.headers ->> 'Location') r, plain WHERE id <> 'ann';
	SELECT * INTO removed FROM user_request('plain', 'DELETE', '/users/' || encoded);
	RETURN concat_ws(' ', put.status, put.headers ->> 'Location', got.id, got.status, got.body = put.body, removed.status);
END $$;
SELECT encoded, there_and_back(encoded) FROM unnest(ARRAY['b', 'a%2Fb', '%2F', 'a%2fb%2F', '%C3%A4', 'ä', '%E2%82%AC', '%F0%9F%98%80', 'a+b', 'a%2Bb', 'a%20b', '%25', '%2525',
	'a?x=1', 'a%3Fx%3D1', 'a%23b', '.', '%2E%2E', 'users', 'bulk', '-._~', 'a@b:c;d,e!$&''()*=f', 'a"b\c', '%22%5C', '%7f%0A']) encoded;
-- wrong encodings: no hexadecimal digits, too few of them, no UTF-8, zero
SELECT path, ask('plain', 'GET', '/users/' || path) FROM unnest('{%,%4,a%4,%zz,%4g,%-1,%C3,%C3%28,%ED%A0%80,%C0%80,%FF,%F4%90%80%80,%00,a%00b}'::text[]) path;
SELECT ask('plain', 'GET', '/%zz/users/ann'), ask('plain', 'GET', '/users/ann?x=%zz'), ask('plain', 'GET', '/users/ann?%C3'), ask('plain', 'GET', '/users/ann#%zz') ~ '^200';
-- too long
SELECT status('plain', 'GET', '/users/' || repeat('%C3%A4', 255)), status('plain', 'GET', '/users/' || repeat('%C3%A4', 256));

-- of a deletion, too, with a body that nobody asked for
SELECT ask('plain', 'DELETE', '/users/' || repeat('x', 256)), ask('plain', 'DELETE', '/users/%00', '{}', '{"password": "x"}'), ask('plain', 'DELETE', '/users/none', '{}', '{"password": "x"}');

-- ids of other types
SELECT user_table_create('numbers', id_type => 'bigint'), user_table_create('uuids', id_type => 'uuid');
SELECT ask('numbers', 'PUT', '/users/7', '{}', '{"name": "Seven"}'), ask('numbers', 'GET', '/users/07');
SELECT status('uuids', 'PUT', '/users/A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{}', '{}', 'Location'), status('uuids', 'GET', '/users/%7Ba0eebc999c0b4ef8bb6d6bb9bd380a11}');
SELECT ask('numbers', 'POST', '/users', '{}', '{"name": "New"}'), ask('numbers', 'GET', '/users/x'), ask('numbers', 'DELETE', '/users/x');

--
-- Queries
--
SELECT query, ask('scim', 'GET', '/Users/a' || query) FROM unnest(ARRAY['?attributes=userName', '?ATTRIBUTES=userName', '?attributes=USERNAME', '?attributes=name.givenName,userName', '?attributes=',
	'?attributes', '?attributes=name, userName', '?attributes=name+%2C+userName', '?attributes=%75serName#&attributes=name', '?&&x=1&attributes=meta.version&', '?attributes=userName&attributes=meta',
	'?excludedAttributes=meta', '?excludedAttributes=userName,meta.version', '?excludedAttributes=id', '?attributes=urn:ietf:params:scim:schemas:core:2.0:User:userName',
	'?attributes=userName&excludedAttributes=meta', '?attributes=nobody', '?attributes=name[', '?unknown=1', '?attributes=a=b']) query;
-- of POST, PUT and PATCH they select what is shown, not what is done (RFC 7644 section 3.9)
SELECT ask('scim', 'POST', '/Users?attributes=displayName', '{}', '{"userName": "q", "displayName": "Q", "title": "T"}');
SELECT ask('scim', 'PUT', '/Users/a?attributes=displayName', '{}', '{"userName": "a", "displayName": "A", "title": "T"}');
SELECT ask('scim', 'PATCH', '/Users/a?excludedAttributes=displayName,meta', '{}', '{"displayName": "B", "nickName": "N"}');
SELECT ask('scim', 'PATCH', '/Users/a?attributes=title&excludedAttributes=title', '{}', '{"title": "half done"}');
SELECT document FROM scim WHERE id = 'a';
SELECT ask('cpq', 'PUT', '/users/ann?fields=firstName', '{}', '{"login": "ann", "firstName": "Ann"}');
SELECT ask('oig', 'PUT', '/users/ann?fields=Title', '{}', '{"fields": [{"name": "Title", "value": "Dr"}, {"name": "First Name", "value": "Ann"}]}');
SELECT ask('zluri', 'PUT', '/users/ann?fields=user_name', '{}', '{"user_name": "Anna"}');

--
-- Errors, in the form of each API
--
CREATE TABLE kinds (kind text, method text, path text, headers jsonb, body text);
INSERT INTO kinds VALUES
	('400 no JSON', 'PUT', '/users/ann', '{}', '{"a": '),
	('400 empty', 'PUT', '/users/ann', '{}', ''),
	('400 blank', 'PUT', '/users/ann', '{}', E' \r\n\t'),
	('400 missing', 'PUT', '/users/ann', '{}', NULL),
	('400 \u0000', 'PUT', '/users/ann', '{}', '{"a": "\u0000"}'),
	('400 half a character', 'PUT', '/users/ann', '{}', '{"a": "\ud800"}'),
	('400 an array', 'PUT', '/users/ann', '{}', '["a"]'),
	('400 a scalar', 'PUT', '/users/ann', '{}', '"a"'),
	('400 deep', 'PUT', '/users/ann', '{}', repeat('{"a":', 257) || '1' || repeat('}', 257)),
	('400 too deep to parse', 'PUT', '/users/ann', '{}', repeat('[', 1000000)),
	('404 user', 'GET', '/users/none', '{}', NULL),
	('404 route', 'GET', '/people', '{}', NULL),
	('405', 'DELETE', '/users', '{}', NULL),
	('412', 'PUT', '/users/ann', '{"If-Match": "W/\"77\""}', '{"fields": []}'),
	('413', 'PUT', '/users/ann', '{}', format('{"name": "%s"}', repeat('x', 1048576))),
	('415', 'PUT', '/users/ann', '{"Content-Type": "text/plain"}', '{}');
SELECT users, kind, ask(users::regclass, method, path, headers, body) FROM unnest('{scim,zuora,zluri,cpq,oig,plain}'::text[]) WITH ORDINALITY u(users, i), kinds
ORDER BY i, kind;
-- a field that is wrong
SELECT users, ask(users::regclass, 'PUT', '/users/ann', '{}', body) FROM (VALUES ('scim', '{"userName": "ann", "active": 5}'), ('zuora', '{"userName": "ann", "active": 5}'),
	('zluri', '{"user_name": 5}'), ('cpq', '{"login": "ann", "status": {"value": "x"}}'), ('oig', '{"fields": [{"name": "Start Date", "value": "tomorrow"}]}')) w(users, body);
-- 409: a value taken
SELECT users, ask(users::regclass, 'POST', '/users', '{}', body) FROM (VALUES ('scim', '{"userName": "A"}'), ('cpq', '{"login": "b"}'), ('oig', '{"fields": [{"name": "User Login", "value": "ANN"}]}'),
	('plain', '{"id": "ann"}')) w(users, body);

--
-- Media types
--
SELECT type, status('scim', 'PATCH', '/Users/a', jsonb_build_object('Content-Type', type), '{"title": "T"}') FROM unnest('{application/json,application/scim+json,APPLICATION/Scim+JSON; charset=utf-8,
	application/merge-patch+json,application/json;charset=UTF-8,application/x,application/jsonx,text/json,json,"",application/+json,"application/json, text/plain"}'::text[]) type;
-- a body that is not asked for has any type; and so has none
SELECT status('scim', 'GET', '/Users/a', '{"Content-Type": "text/plain"}', 'x'), status('scim', 'PATCH', '/Users/a', '{}', '{"title": "T"}');

--
-- Headers
--
SELECT headers, status('scim', 'PATCH', '/Users/a', headers, '{"title": "H"}', 'ETag') FROM unnest(ARRAY['{"if-match": "\"99\""}', '{"IF-MATCH": "\"99\""}', '{"If-Match": ["\"99\"", "\"98\""]}',
	'{"If-Match": []}', '{"If-Match": null}', '{"If-Match": 99}', '{"if-match": "\"99\"", "IF-MATCH": "*"}', '{"If-Match": "  *\t"}', '{}']::jsonb[]) headers;
SELECT ask('scim', 'GET', '/Users/a', NULL) ~ '^200', ask('scim', 'GET', '/Users/a', '[]'), ask('scim', 'GET', '/Users/a', '"x"');

-- the arguments
SELECT ask(NULL, 'GET', '/Users/a'), ask('scim', NULL, '/Users/a'), ask('scim', 'GET', NULL), ask('scim', 'GET', '/Users/a', '{}', NULL, 'nobody'), ask('kinds', 'GET', '/Users/a');
SELECT ask('scim', 'GET', '/users/a', '{}', NULL, 'plain');
-- what an answer looks like; no body, no type
SELECT * FROM user_request('plain', 'GET', '/users/none');
SELECT * FROM user_request('plain', 'HEAD', '/users/none');

--
-- Idempotency keys: the same answer again, and nothing done again
--
CREATE FUNCTION twice(users regclass, method text, path text, body text, key text, again text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	first record;
	second record;
BEGIN
	SELECT * INTO first FROM user_request(users, method, path, jsonb_build_object('Idempotency-Key', key), body);
	SELECT * INTO second FROM user_request(users, method, path, jsonb_build_object('idempotency-key', coalesce(again, key)), body);
	RETURN concat_ws(' ', first.status, first.headers ->> 'ETag', first.headers ->> 'Location', first = second);
END $$;
SELECT twice('plain', 'PUT', '/users/k', '{"name": "K"}', 'created');
SELECT twice('plain', 'PUT', '/users/k', '{"name": "L"}', 'changed', '"changed"');
SELECT twice('plain', 'PUT', '/users/k', '{"name": "L"}', '"unchanged"', 'unchanged');
SELECT twice('plain', 'PATCH', '/users/k', '[{"op": "replace", "path": "/name", "value": "M"}]', '"a \"b\" \\c"', 'a "b" \c');
SELECT twice('plain', 'PUT', '/users', '[{"id": "k", "name": "N"}, {"id": "k2"}, {"id": ""}]', 'bulk');
SELECT twice('plain', 'DELETE', '/users/k', NULL, 'deleted');
SELECT twice('plain', 'POST', '/users', '{"id": "k3"}', 'posted');
SELECT regexp_replace(twice('scim', 'POST', '/Users', '{"userName": "key"}', 'posted'), '[0-9a-f-]{36}', '<id>');
SELECT twice('oig', 'PUT', '/users/ann/status', '{"status": "lock"}', 'locked');
SELECT key, operation, user_id, version FROM plain_idempotency ORDER BY key;
SELECT user_id, version, operation FROM plain_history WHERE user_id LIKE 'k%' ORDER BY 1, 2;
-- the answer is that of then: the user has been changed, and is gone, since
SELECT ask('plain', 'PUT', '/users/k', '{"Idempotency-Key": "created"}', '{"name": "K"}'), status('plain', 'GET', '/users/k');
-- it comes before a version is looked at
SELECT ask('plain', 'PUT', '/users/k', '{"Idempotency-Key": "created", "If-Match": "\"99\""}', '{"name": "K"}');
-- another body, user, method or profile: 422; of another table it is another key
SELECT ask('plain', 'PUT', '/users/k', '{"Idempotency-Key": "created"}', '{"name": "X"}');
SELECT status('plain', 'PUT', '/users/x', '{"Idempotency-Key": "created"}', '{"name": "K"}'), status('plain', 'PATCH', '/users/k', '{"Idempotency-Key": "created"}', '{"name": "K"}'),
	status('plain', 'DELETE', '/users/k', '{"Idempotency-Key": "created"}'), ask('scim', 'POST', '/Users', '{"Idempotency-Key": "posted"}', '{"userName": "key"}', 'entra') ~ '^422',
	status('scim', 'PUT', '/Users/k', '{"Idempotency-Key": "created"}', '{"userName": "K"}');
SELECT users, ask(users::regclass, 'PATCH', '/users/ann', '{"Idempotency-Key": "mine"}', body) FROM (VALUES ('zuora', '{"nickName": "A"}'), ('zluri', '{"user_name": "A"}'), ('cpq', '{"firstName": "A"}'),
	('oig', '{"update": [{"name": "Title", "value": "A"}]}'), ('zuora', '{"nickName": "B"}'), ('zluri', '{"user_name": "B"}'), ('cpq', '{"firstName": "B"}'), ('oig', '{"update": [{"name": "Title", "value": "B"}]}')) w(users, body);
-- a failed request may be sent again under its key
SELECT status('plain', 'PATCH', '/users/k4', '{"Idempotency-Key": "again"}', '{"name": "K"}'), status('plain', 'PUT', '/users/k4', '{"Idempotency-Key": "again"}', '{"name": "K"}');
-- keys that are none
SELECT status('plain', 'PUT', '/users/k4', jsonb_build_object('Idempotency-Key', key), '{}') FROM unnest(ARRAY['', '""', ' ', repeat('k', 255), repeat('k', 256)]) key;
-- a read has none
SELECT status('plain', 'GET', '/users/k4', '{"Idempotency-Key": ""}');

--
-- Conditions (RFC 9110 section 13.1, RFC 7644 section 3.14)
--
SELECT user_create('plain', '{"n": 1}', 'c') -> 'meta' -> 'version', user_put('plain', 'c', '{"n": 2}') -> 'meta' -> 'version';
-- for a read: 304 has the tag and nothing else
SELECT ask('plain', 'GET', '/users/c', '{"If-None-Match": "W/\"2\""}');
SELECT tags, status('plain', 'GET', '/users/c', jsonb_build_object('If-None-Match', tags), NULL, 'ETag'), status('plain', 'HEAD', '/users/c', jsonb_build_object('If-None-Match', tags)),
	status('plain', 'GET', '/users/c', jsonb_build_object('If-Match', tags))
FROM unnest(ARRAY['*', '"2"', 'W/"2"', '"1"', '"1", "2"', '"1","3"', '"a,\"2", "2"', '2', 'W/2', '"02"', '"+2"', '" 2"', '"2', '""', '', ',,"2",', '"99999999999999999999"', '"-1"', '"*"']) tags;
-- for a write: If-Match has the version, If-None-Match has it not; a missing user has none
SELECT tags, status('plain', 'PUT', '/users/c', jsonb_build_object('If-Match', tags), '{"n": 2}'), status('plain', 'PUT', '/users/c', jsonb_build_object('If-None-Match', tags), '{"n": 2}'),
	status('plain', 'PUT', '/users/new', jsonb_build_object('If-Match', tags), '{}'), status('plain', 'PATCH', '/users/new', jsonb_build_object('If-Match', tags), '{}'),
	status('plain', 'DELETE', '/users/c', jsonb_build_object('If-Match', tags || ', "77"', 'If-None-Match', '*'))
FROM unnest(ARRAY['*', '"2"', 'W/"2"', '"1"', '"1", "2"', '', '"other"']) tags;
SELECT ask('plain', 'PUT', '/users/c', '{"If-None-Match": "*"}', '{"n": 3}'), ask('plain', 'PATCH', '/users/c', '{"If-None-Match": "\"1\", \"2\""}', '{"n": 3}'), ask('plain', 'GET', '/users/c', '{"If-Match": "\"1\""}');
SELECT ask('plain', 'PUT', '/users/new', '{"If-None-Match": "*"}', '{}'), status('plain', 'PUT', '/users/new', '{"If-None-Match": "*"}', '{}'), status('plain', 'DELETE', '/users/new', '{"If-None-Match": "\"1\""}'),
	status('plain', 'PUT', '/users/newer', '{"If-Match": "*", "If-None-Match": "*"}', '{}'), status('plain', 'PUT', '/users/newer', '{"If-None-Match": "\"1\""}', '{}'),
	status('plain', 'DELETE', '/users/newer', '{"If-Match": "\"1\"", "If-None-Match": "\"2\""}');
-- a creation has no user to compare with
SELECT status('plain', 'POST', '/users', '{"If-Match": "\"5\"", "If-None-Match": "*"}', '{"id": "p"}');
SELECT ask('oig', 'PUT', '/users/ann/status', '{"If-Match": "\"99\""}', '{"status": "unlock"}');

--
-- Prefer (RFC 7240)
--
SELECT prefer, ask('plain', 'PATCH', '/users/c', jsonb_build_object('Prefer', prefer), '{"n": 2}') FROM unnest(ARRAY['return=minimal', 'Return=MINIMAL', 'return="minimal"', 'return = minimal', 'wait=10, return=minimal; x="a,b"',
	'return=representation, return=minimal', 'return=minimal, return=representation', 'x="return=minimal, \", return=minimal"', 'return', 'return=', 'return="', 'return="minimal', 'returns=minimal', 'minimal', '', ',;=']) prefer;
SELECT ask('plain', 'PATCH', '/users/c', '{"prefer": ["respond-async", "return=minimal"]}', '{"n": 2}');
SELECT ask('plain', 'PUT', '/users/minimal', '{"Prefer": "return=minimal"}', '{}'), ask('plain', 'DELETE', '/users/minimal', '{"Prefer": "return=minimal"}'),
	ask('plain', 'POST', '/users', '{"Prefer": "return=minimal"}', '{}'), ask('plain', 'POST', '/users', '{"Prefer": "return=minimal"}', '5');

--
-- Zuora-Track-Id: checked, sent back, in history
--
SELECT id, ask('zuora', 'PATCH', '/Users/ann', jsonb_build_object('zuora-track-id', id), format('{"title": %s}', to_json(length(id)::text))) ~ '^200',
	status('zuora', 'GET', '/Users/none', jsonb_build_object('zuora-track-id', id), NULL, 'Zuora-Track-Id')
FROM unnest(ARRAY['t-1', repeat('t', 64), repeat('t', 65), 'a:b', 'a;b', 'a"b', 'a''b', E'a\nb', 'ä', E'a\x7f', 'a b', ' a ', '', '~!@#$%^&*()_+{}|<>?,./']) id;
SELECT request_id FROM zuora_history WHERE user_id = 'ann' ORDER BY version;
SELECT ask('zuora', 'GET', '/Users/ann', '{"Zuora-Track-Id": "a:b"}');
-- with any error, and any API
SELECT status('scim', 'FETCH', '/Users', '{"Zuora-Track-Id": "t"}', NULL, 'Zuora-Track-Id'), status('oig', 'PUT', '/users/ann', '{"Zuora-Track-Id": "t"}', '{', 'Zuora-Track-Id'), status('scim', 'GET', '/Users/%zz', '{"Zuora-Track-Id": "t"}', NULL, 'Zuora-Track-Id');
-- of a bulk request and a deletion, too
SELECT status('plain', 'PATCH', '/users', '{"Zuora-Track-Id": "t-bulk"}', '[{"id": "c", "n": 4}]'), status('plain', 'DELETE', '/users/c', '{"Zuora-Track-Id": "t-del"}', NULL, 'Zuora-Track-Id');
SELECT version, operation, request_id FROM plain_history WHERE user_id = 'c' AND request_id IS NOT NULL ORDER BY version;

--
-- HEAD: what GET says, without a body
--
SELECT ask('scim', 'HEAD', '/Users/a'), ask('scim', 'HEAD', '/Users/none'), ask('scim', 'HEAD', '/Users/a?attributes=name['), ask('scim', 'HEAD', '/Bulk');

--
-- Words of each API
--

-- OIG: /users/{id}/status
CREATE FUNCTION become(word text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text := ask('oig', 'PUT', '/iam/v1/users/ann/status', '{}', json_build_object('status', word)::text);
BEGIN
	RETURN concat_ws(' ', answer, (SELECT concat_ws(' ', document ->> 'Status', document ->> 'Account Status') FROM oig WHERE id = 'ann'));
END $$;
SELECT word, become(word) FROM unnest('{disable,lock,ENABLE,unlock,unlock}'::text[]) word;
SELECT ask('oig', 'PUT', '/users/ann/status', '{}', body) FROM unnest(ARRAY['{"status": "delete"}', '{"status": 1}', '{"status": ["lock"]}', '{"Status": "lock"}', '{}', '[]', 'null', '5']) body;
SELECT ask('oig', 'PUT', '/users/none/status', '{}', '{"status": "lock"}');
SELECT version, operation, changed FROM oig_history WHERE changed && '{Status, "Account Status"}' ORDER BY version;
-- with a base URL, links
SELECT api_profile_define('regress_request_oig', '{"base_url": "https://id.example.com/v1/"}', 'oig');
SELECT ask('oig', 'PUT', '/users/ann/status', '{}', '{"status": "lock"}', 'regress_request_oig');
SELECT ask('oig', 'PUT', '/v1/users', '{}', '{"users": [{"id": "ann", "requestId": "1", "fields": [{"name": "Title", "value": "Ms"}]}, {"id": "none", "requestId": "2", "fields": [{"name": "Title", "value": "Ms"}]}]}', 'regress_request_oig');

-- CPQ: uiMetadata=true shows icon and status of segments
SELECT status('cpq', 'PATCH', '/users/ann', '{}', '{"groups": {"items": [{"variableName": "g", "segments": {"items": [{"variableName": "s", "icon": "i", "status": 1}]}}]}}');
SELECT query, r.status, r.body #> '{groups,items,0,segments,items,0}' FROM unnest('{"",?uiMetadata=true,?uimetadata=TRUE,?uiMetadata=false,?uiMetadata=,?uiMetadata=1}'::text[]) query, user_request('cpq', 'GET', '/rest/v19/users/ann' || query) r;
-- which other APIs pass over
SELECT status('scim', 'GET', '/Users/a?uiMetadata=true'), ask('scim', 'GET', '/Users/a?uiMetadata=true', '{}', NULL, 'scim') = ask('scim', 'GET', '/Users/a');

-- Location is below base_url, or beside where the request went
SELECT api_profile_define('regress_request_scim', '{"base_url": "https://example.com/scim//"}', 'scim');
SELECT r.headers ->> 'Location' = 'https://example.com/scim/Users/' || (r.body ->> 'id'), r.headers -> 'Location' = r.body #> '{meta,location}'
FROM user_request('scim', 'POST', '/other/Users', '{}', '{"userName": "located"}', 'regress_request_scim') r;
SELECT status('plain', 'POST', '/a%20b/c/users/?x=1', '{}', '{"id": "ü/1"}', 'Location');

--
-- Triggers, constraints: what the client learns, and that nothing stays
--
CREATE TABLE noted (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO noted VALUES (NEW.document ->> 'title');
	IF NEW.document ->> 'title' ~ '^[0-9A-Z]{5}$' THEN
		RAISE EXCEPTION USING ERRCODE = NEW.document ->> 'title', MESSAGE = 'of the app', DETAIL = 'detail of the app', HINT = 'Hint of the app.';
	ELSIF NEW.document ->> 'title' = 'divides' THEN
		PERFORM 1 / 0;
	ELSIF NEW.document ->> 'title' = 'sleeps' THEN
		PERFORM pg_sleep(60);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON scim FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE scim ADD CONSTRAINT decent CHECK (document ->> 'title' <> 'indecent');
-- the errors that are logged are no part of the answer
CREATE FUNCTION fails(title text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text := ask('scim', 'PATCH', '/Users/a', '{"Idempotency-Key": "fails"}', json_build_object('title', title)::text);
BEGIN
	RETURN concat_ws(' ', answer, (SELECT count(*) FROM noted), (SELECT version FROM scim WHERE id = 'a') = (SELECT max(version) FROM scim_history WHERE user_id = 'a'),
		(SELECT document ->> 'title' FROM scim WHERE id = 'a'), (SELECT count(*) FROM scim_idempotency WHERE key = 'fails'));
END $$;
SELECT status('scim', 'PATCH', '/Users/a', '{}', '{"title": "before"}');
DELETE FROM noted;
SELECT title, fails(title) FROM unnest('{indecent,divides,P0001,23505,23001,23514,22P02,42501,42P01,XX000,53200,55P03,PT403,PT418,PT503,PT200,PT304,PT600,PT000,PTABC,40001,40P01,57014}'::text[]) title;
-- so it is with the items of a bulk request
SELECT title, r.body #>> '{Resources,0,status}', r.body #>> '{Resources,0,detail}', users_bulk_patch('scim', items) #>> '{Resources,0,detail}' AS in_sql
FROM unnest('{divides,42P01,P0001}'::text[]) title, jsonb_build_array(jsonb_build_object('id', 'a', 'title', title)) items, user_request('scim', 'PATCH', '/Users/bulk', '{}', items::text) r;
-- a timeout
SET statement_timeout = '100ms';
SELECT status('scim', 'PATCH', '/Users/a', '{}', '{"title": "sleeps"}');
RESET statement_timeout;
SELECT count(*) FROM noted;
-- what was done before the request in the transaction stands
BEGIN;
INSERT INTO noted VALUES ('before');
SELECT status('scim', 'PATCH', '/Users/a', '{}', '{"title": "divides"}'), status('scim', 'PATCH', '/Users/a', '{}', '{"title": "after"}', 'ETag');
COMMIT;
SELECT what FROM noted;

-- deferred constraints are checked before the answer, and stay deferred
CREATE TABLE offices (name text PRIMARY KEY);
ALTER TABLE plain ADD office text GENERATED ALWAYS AS (document ->> 'office') STORED;
ALTER TABLE plain ADD CONSTRAINT located FOREIGN KEY (office) REFERENCES offices DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.document ->> 'name' = 'late' THEN
		RAISE EXCEPTION 'too late' USING ERRCODE = 'PT409';
	END IF;
	RAISE WARNING 'checked % %', NEW.id, NEW.document ->> 'name';
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON plain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.document ? 'name') EXECUTE FUNCTION late();
SELECT ask('plain', 'PUT', '/users/d', '{}', '{"office": "Rome"}'), ask('plain', 'PUT', '/users/d', '{}', '{"name": "late"}'), (SELECT count(*) FROM plain WHERE id = 'd');
SELECT status('plain', 'PUT', '/users', '{}', '[{"id": "d"}, {"id": "e", "office": "Rome"}]'), (SELECT count(*) FROM plain WHERE id IN ('d', 'e'));
BEGIN;
SELECT status('plain', 'PUT', '/users/d', '{}', '{"name": "in time"}');
-- still deferred, for what else the transaction does
INSERT INTO plain (id, document) VALUES ('f', '{"office": "Oslo"}');
INSERT INTO offices VALUES ('Oslo');
SELECT status('plain', 'PUT', '/users/g', '{}', '{"office": "Oslo"}'), status('plain', 'PUT', '/users/h', '{}', '{"office": "Rome"}'), status('plain', 'GET', '/users/h');
COMMIT;
-- a user whom others refer to
CREATE TABLE badges (holder text REFERENCES plain, spare text REFERENCES plain DEFERRABLE INITIALLY DEFERRED);
INSERT INTO badges VALUES ('d', NULL), (NULL, 'f');
SELECT ask('plain', 'DELETE', '/users/d'), ask('plain', 'DELETE', '/users/f'), (SELECT count(*) FROM plain WHERE id IN ('d', 'f')), (SELECT count(*) FROM plain_history WHERE operation = 'delete' AND user_id IN ('d', 'f'));
-- and what the caller made immediate stays so
BEGIN;
SET CONSTRAINTS located IMMEDIATE;
SELECT status('plain', 'PUT', '/users/h', '{}', '{"office": "Rome"}');
SAVEPOINT s;
INSERT INTO plain (id, document) VALUES ('i', '{"office": "Rome"}');
ROLLBACK;
-- a unique value, which the transaction has deferred
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
SELECT status('scim', 'PATCH', '/Users/a', '{}', '{"userName": "q"}'), status('scim', 'PATCH', '/Users/a', '{}', '{"userName": "unique"}');
COMMIT;
-- a read checks nothing
BEGIN;
INSERT INTO plain (id, document) VALUES ('i', '{"office": "Rome"}');
SELECT status('plain', 'GET', '/users/i');
ROLLBACK;

--
-- Roles
--
GRANT USAGE ON SCHEMA regress_request TO regress_request_reader, regress_request_clerk;
GRANT SELECT ON scim, zluri, cpq, oig TO regress_request_reader;
GRANT SELECT, UPDATE ON scim TO regress_request_clerk;
GRANT INSERT ON noted TO regress_request_clerk;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_request_reader;
SELECT users, status(users::regclass, 'GET', '/users/ann'), ask(users::regclass, 'PATCH', '/users/ann', '{"Idempotency-Key": "reader"}', '{}') FROM unnest('{scim,zluri,cpq,oig,plain}'::text[]) users;
SELECT status('scim', 'POST', '/Users', '{}', '{"userName": "x"}'), status('scim', 'DELETE', '/Users/a'), status('scim', 'PATCH', '/Users/bulk', '{}', '[]'), status('plain', 'GET', '/users'), status('plain', 'GET', '/users/none');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_request_clerk;
SELECT status('scim', 'PATCH', '/Users/a', '{"Idempotency-Key": "clerk"}', '{"title": "Clerk"}'), status('scim', 'DELETE', '/Users/a'), status('scim', 'POST', '/Users', '{}', '{"userName": "x"}');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_request;
SELECT changed_by, changed FROM scim_history WHERE changed_by = 'regress_request_clerk';
-- row security: the hidden are missing, what a policy refuses is 403
ALTER TABLE scim ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON scim FOR SELECT TO regress_request_clerk USING (NOT document ? 'nickName' OR document ->> 'nickName' <> 'hidden');
CREATE POLICY writes ON scim FOR UPDATE TO regress_request_clerk USING (document ->> 'nickName' IS DISTINCT FROM 'shown') WITH CHECK (document ->> 'title' IS DISTINCT FROM 'Boss');
SELECT user_create('scim', '{"userName": "hidden", "nickName": "hidden"}', 'hidden') ->> 'id', user_create('scim', '{"userName": "shown", "nickName": "shown"}', 'shown') ->> 'id';
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_request_clerk;
SELECT ask('scim', 'GET', '/Users/hidden'), ask('scim', 'PATCH', '/Users/hidden', '{}', '{"title": "X"}'), ask('scim', 'PATCH', '/Users/shown', '{}', '{"title": "X"}'), ask('scim', 'PATCH', '/Users/a', '{}', '{"title": "Boss"}');
SELECT status('scim', 'PATCH', '/Users/a', '{"Idempotency-Key": "hides"}', '{"nickName": "a"}');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_request;
SELECT user_patch('scim', 'a', '{"nickName": "hidden"}') ->> 'nickName';
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_request_clerk;
-- no answer again about somebody who is hidden by now
SELECT status('scim', 'PATCH', '/Users/a', '{"Idempotency-Key": "hides"}', '{"nickName": "a"}');
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA regress_request CASCADE;
DELETE FROM userstore.api_profile WHERE name LIKE 'regress_request%';
DROP ROLE regress_request, regress_request_reader, regress_request_clerk;
