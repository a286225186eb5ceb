-- Bulk requests of SCIM (RFC 7644 section 3.7): operations of all kinds, which
-- may refer to users that others of them create.
SET client_min_messages = warning;
CREATE ROLE regress_scim_bulk;
CREATE ROLE regress_scim_bulk_clerk;
CREATE SCHEMA regress_scim_bulk AUTHORIZATION regress_scim_bulk;
SET SESSION AUTHORIZATION regress_scim_bulk;
SET search_path = regress_scim_bulk, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

SELECT user_table_create('people', 'scim');

-- A generated id as <id>.
CREATE FUNCTION masked(answer text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(answer, '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}', '<id>', 'g')
$$;

CREATE FUNCTION message(operations jsonb, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT (jsonb_build_object('schemas', '{urn:ietf:params:scim:api:messages:2.0:BulkRequest}'::text[], 'Operations', operations) || more)::text
$$;

-- What became of each operation, in a line; or of the whole, when that failed.
CREATE FUNCTION bulk(operations jsonb, more jsonb DEFAULT '{}', headers jsonb DEFAULT '{}', users regclass DEFAULT 'people') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	SELECT * INTO r FROM user_request(users, 'POST', '/v2/Bulk', headers, message(operations, more));
	IF r.status <> 200 THEN
		RETURN NEXT concat_ws(' ', 'whole:', r.status, r.body ->> 'scimType', r.body ->> 'detail');
	ELSE
		RETURN QUERY SELECT masked(concat_ws(' ', o ->> 'method', o ->> 'bulkId', o ->> 'status', o ->> 'version', o ->> 'location', o #>> '{response,scimType}', o #>> '{response,detail}'))
			FROM jsonb_array_elements(r.body -> 'Operations') WITH ORDINALITY x(o, i) ORDER BY i;
	END IF;
EXCEPTION WHEN OTHERS THEN
	RETURN NEXT 'raised ' || SQLSTATE || ' ' || SQLERRM;
END $$;

-- One operation; the data of a user with a manager.
CREATE FUNCTION op(method text, path text, bulk_id text DEFAULT NULL, data jsonb DEFAULT NULL, version text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('method', method, 'path', path, 'bulkId', bulk_id, 'data', data, 'version', version))
$$;
CREATE FUNCTION named(name text, manager text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('userName', name) || CASE WHEN manager IS NULL THEN '{}' ELSE
		jsonb_build_object('urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object('manager', jsonb_build_object('value', manager))) END
$$;
CREATE FUNCTION post(name text, manager text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT op('POST', '/Users', name, named(name, manager))
$$;
CREATE FUNCTION ops(VARIADIC operations jsonb[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb(operations) $$;
-- Who has which manager, by their names.
CREATE VIEW managed AS
	SELECT u.document ->> 'userName' AS name, coalesce(m.document ->> 'userName', u.document #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}') AS manager
	FROM people u LEFT JOIN people m ON m.id = u.document #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}'
	ORDER BY 1;

--
-- Messages
--

-- all methods (section 3.7.3); a status is a string, and what went well has no response
SELECT user_create('people', named(name), name) ->> 'id' FROM unnest('{bob,dave,eve}'::text[]) name;
SELECT r.status, r.headers, jsonb_pretty(masked(r.body::text)::jsonb) FROM user_request('people', 'POST', '/v2/Bulk', '{"Content-Type": "application/scim+json"}', message(ops(
	op('POST', '/Users', 'qwerty', '{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Alice"}'),
	op('PUT', '/Users/bob', NULL, '{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "bob", "userName": "Bob", "title": "T"}', 'W/"1"'),
	op('PATCH', '/Users/dave', NULL, '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "userName", "value": "Dave"}]}', 'W/"1"'),
	op('DELETE', '/Users/eve', NULL, NULL, 'W/"1"')), '{"failOnErrors": 1}')) r;
SELECT document FROM people ORDER BY 1;
-- all of them fail
SELECT jsonb_pretty(r.body) FROM user_request('people', 'POST', '/v2/Bulk', '{}', message(ops(
	op('POST', '/Users', 'qwerty', '{"active": "perhaps"}'), op('PUT', '/Users/bob', NULL, named('Bob'), 'W/"1"'), op('PATCH', '/Users/dave', NULL, '{"title": "T"}', 'W/"77"'), op('DELETE', '/Users/eve')))) r;

-- what is no message
SELECT sent, r.status, r.body ->> 'scimType', r.body ->> 'detail' FROM unnest(ARRAY['', '{', '[]', 'null', '{}', '{"schemas": "urn:ietf:params:scim:api:messages:2.0:BulkRequest", "Operations": []}',
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": []}', '{"schemas": [5], "Operations": []}',
	message('null'), message('{}'), message('"x"'), message('[]', '{"Operations": null}')]) sent, user_request('people', 'POST', '/Bulk', '{}', sent) r;
-- names in any case; other schemas beside; nothing to do
SELECT r.status, r.body FROM user_request('people', 'POST', '/bulk/', '{}', '{"SCHEMAS": ["urn:x", "urn:ietf:params:scim:api:messages:2.0:bulkRequest"], "operations": []}') r;
SELECT bulk('[{"METHOD": "post", "Path": "Users", "BulkId": "x", "DATA": {"USERNAME": "cased"}}]');

--
-- What an operation has
--
SELECT bulk(jsonb_build_array(o)) FROM unnest(ARRAY['5', 'null', '[]', '"x"', '{}', '{"method": 5}', '{"method": "PUT"}', '{"method": "PUT", "path": 5}', '{"method": "POST", "path": "/Users", "data": {"userName": "x"}}',
	'{"method": "POST", "path": "/Users", "bulkId": 5, "data": {"userName": "x"}}', '{"method": "POST", "path": "/Users", "bulkId": "x"}', '{"method": "PUT", "path": "/Users/bob"}', '{"method": "PATCH", "path": "/Users/bob", "data": null}',
	'{"method": "PATCH", "path": "/Users/bob", "data": 5}', '{"method": "PUT", "path": "/Users/bob", "data": []}', '{"method": "PUT", "path": "/Users/bob", "version": 2, "data": {"userName": "x"}}',
	'{"method": "PUT", "path": "/Users/bob", "version": ["W/\"2\""], "data": {"userName": "x"}}', '{"method": "PUT", "path": "", "data": {}}', '{"method": "PUT", "path": "/", "data": {}}']::jsonb[]) o;
-- where it may go, and how
SELECT bulk(ops(op(method, path, 'x', '{"userName": "wanders"}'))) FROM (VALUES ('GET', '/Users/bob'), ('GET', '/Users'), ('HEAD', '/Users/bob'), ('FETCH', '/Users/bob'), ('POST', '/Users/bob'), ('PUT', '/Users'), ('DELETE', '/Users'), ('PATCH', '/Users'),
	('POST', '/Groups'), ('POST', '/Bulk'), ('PUT', '/Users/bulk'), ('PATCH', '/Users/bulk'), ('POST', '/Users/.search'), ('PUT', '/Users/%zz'), ('PUT', '/Users/none'), ('DELETE', '/Users/a%2Fb'), ('PATCH', 'Users//none/'), ('DELETE', '/Users/none?x=1')) o(method, path);
-- a body nested too deeply is the whole request's
SELECT bulk(ops(op('POST', '/Users', 'x', (repeat('{"a":', 300) || '1' || repeat('}', 300))::jsonb)));
SELECT count(*) FROM people;

--
-- References
--

-- backwards and forwards; results stand in the order of the request
SELECT bulk(ops(post('ann'), post('ben', 'bulkId:ann'), post('cy', 'bulkId:dan'), post('dan', 'bulkId:eli'), post('eli')));
SELECT * FROM managed WHERE name IN ('ann', 'ben', 'cy', 'dan', 'eli');
-- in PUT and PATCH, in filters' values and arrays, in the path, and so a user who was created is changed and deleted
SELECT bulk(ops(op('PUT', '/Users/bob', NULL, named('Bob', 'bulkId:fay')),
	op('PATCH', '/Users/dave', NULL, '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "value": "bulkId:fay"},
		{"op": "add", "path": "x509Certificates", "value": []}, {"op": "add", "path": "ims", "value": [{"value": "bulkId:gus", "type": "xmpp"}]}]}'),
	op('PATCH', '/Users/bulkId:fay', NULL, '{"title": "T"}'), op('DELETE', '/Users/bulkId:gus'), op('PUT', '/Users/bulkId:hal', NULL, named('hal', 'bulkId:fay'), 'W/"1"'),
	op('PATCH', '/Users/bulkId:hal', NULL, '{"title": "stale"}', 'W/"1"'), post('fay'), post('gus'), post('hal')));
SELECT name, manager FROM managed WHERE name IN ('Bob', 'Dave', 'fay', 'gus', 'hal');
SELECT document #>> '{ims,0,value}' = (SELECT user_id FROM people_history WHERE document ->> 'userName' = 'gus') FROM people WHERE id = 'dave';
-- other strings stay
SELECT bulk(ops(op('POST', '/Users', 'strings', '{"userName": "strings", "nickName": "xbulkId:strings", "displayName": "BulkId:strings", "title": "bulkId"}')));
SELECT document FROM people WHERE document ->> 'userName' = 'strings';

-- to nobody; to one who failed; to one of two; what refers to those
SELECT bulk(ops(post('r1', 'bulkId:none'), post('r2', 'bulkId:r1'), op('DELETE', '/Users/bulkId:r2'), op('PATCH', '/Users/bulkId:', NULL, '{}'), post('r3', 'bulkId:'), op('PATCH', '/Users/bulkId:none', NULL, '{}'), post('r4')));
SELECT bulk(ops(post('twin'), post('twin'), op('POST', '/Users', 'twin', named('third')), post('of twin', 'bulkId:twin')));
SELECT * FROM managed WHERE name ~ 'twin|third|^r';

-- circles (section 3.7.1): two, three, oneself; with others that hang on them
SELECT bulk(ops(post('c1', 'bulkId:c2'), post('c2', 'bulkId:c1')));
SELECT bulk(ops(post('tail', 'bulkId:d2'), post('d1', 'bulkId:d2'), post('d2', 'bulkId:d3'), op('PATCH', '/Users/bulkId:d1', NULL, '{"title": "T"}'), post('d3', 'bulkId:d1'), post('e', 'bulkId:e')));
SELECT * FROM managed WHERE name ~ '^(c[0-9]|d[0-9]|tail|e)$';
SELECT document ->> 'userName', document ->> 'title', version FROM people WHERE document ->> 'userName' = 'd1';
-- one of a circle fails: so do the others, and who refers to them; two circles are nothing to each other
SELECT bulk(ops(post('f1', 'bulkId:f2'), op('POST', '/Users', 'f2', named('f2', 'bulkId:f3') || '{"active": 5}'), post('f3', 'bulkId:f1'), post('of f', 'bulkId:f1'), post('g1', 'bulkId:g2'), post('g2', 'bulkId:g1')));
SELECT * FROM managed WHERE name ~ 'f[0-9]?$|g[0-9]$';
-- a circle that refers to nobody; with a PUT in it
SELECT bulk(ops(post('h1', 'bulkId:h2'), op('POST', '/Users', 'h2', named('h2', 'bulkId:h1') || '{"nickName": "bulkId:none"}')));
SELECT bulk(ops(op('PUT', '/Users/bob', 'put', named('Bob', 'bulkId:i')), post('i', 'bulkId:put')));
SELECT * FROM managed WHERE name ~ '^([hi][0-9]?|Bob)$';
-- the value of a member that refers and is wrong
SELECT bulk(ops(op('POST', '/Users', 'j', '{"userName": "j", "active": "bulkId:j"}')));
-- any text is a bulkId
SELECT bulk(ops(op('POST', '/Users', '', named('empty', 'bulkId:')), op('POST', '/Users', 'a/b c%', named('odd', 'bulkId:a/b c%'))));
SELECT * FROM managed WHERE name IN ('empty', 'odd');

--
-- failOnErrors
--
SELECT count, bulk(ops(op('DELETE', '/Users/none'), post('n1' || count), op('DELETE', '/Users/none2'), post('n2' || count)), jsonb_build_object('failOnErrors', count)) FROM unnest('{1,2,3}'::int[]) count;
SELECT bulk(ops(post('n3')), jsonb_build_object('failOnErrors', value)) FROM unnest('{0,-1,-4294967297,1.5,"\"1\"",true,[],4294967297,"null",1,2e0,1.0}'::jsonb[]) value;
-- what failed together counts each; what was not come to is not told of
SELECT bulk(ops(post('m1', 'bulkId:m2'), post('m2', 'bulkId:m1') || '{"data": {"active": "bulkId:m1"}}', post('m3')), '{"failOnErrors": 2}');
SELECT bulk(ops(post('m4', 'bulkId:m5'), post('m5', 'bulkId:none'), post('m6')), '{"failOnErrors": 1}');

--
-- Versions
--
SELECT user_create('people', named('v'), 'v') ->> 'id';
SELECT version, bulk(ops(op('PATCH', '/Users/v', NULL, jsonb_build_object('title', version), version))) FROM unnest(ARRAY['W/"1"', '"2"', '"9", W/"3"', '*', 'W/"3"', '5', '', 'W/"05"']) version;
SELECT bulk(ops(op('DELETE', '/Users/v', NULL, NULL, '"4"'), op('PUT', '/Users/v', NULL, named('v', 'w'), '"5"'), op('DELETE', '/Users/v', NULL, NULL, '"6"'), op('DELETE', '/Users/v', NULL, NULL, '"7"'), op('PUT', '/Users/v', NULL, named('v'), '*')));
-- one that a POST has says nothing
SELECT bulk(ops(op('POST', '/Users', 'v', named('v'), '"77"')));

--
-- Limits (section 3.7.4)
--
SELECT masked(line), count(*) FROM (SELECT jsonb_agg(op('DELETE', '/Users/none')) AS all_of_them FROM generate_series(1, 1000)) o, bulk(all_of_them) line GROUP BY 1;
SELECT bulk((SELECT jsonb_agg(op('DELETE', '/Users/none')) FROM generate_series(1, 1001)));
SELECT bulk(ops(op('POST', '/Users', 'x', jsonb_build_object('userName', repeat('x', 1048576)))));
SELECT api_profile_define('regress_scim_bulk', '{"max_payload_size": 200, "base_url": "https://example.com/scim/"}', 'scim');
SELECT r.status, r.body ->> 'detail' FROM user_request('people', 'POST', '/Bulk', '{}', message(ops(post('small'), post('also'))), 'regress_scim_bulk') r;
-- with a base URL, locations are below it
SELECT r.status, masked(r.body #>> '{Operations,0,location}') FROM user_request('people', 'POST', '/v2/Bulk', '{}', message(ops(post('small'))), 'regress_scim_bulk') r;
-- a thousand users, each below the next
SELECT count(*), count(DISTINCT line) FROM (SELECT jsonb_agg(post('t' || i, CASE WHEN i < 1000 THEN 'bulkId:t' || (i + 1) END) ORDER BY i) AS all_of_them FROM generate_series(1, 1000) i) o,
	bulk(all_of_them) line WHERE line LIKE '% 201 W/"1" /v2/Users/<id>';
SELECT count(*) FROM managed WHERE manager = 't' || (substr(name, 2)::int + 1) AND name ~ '^t[0-9]+$';
-- and in a circle
SELECT count(*) FROM (SELECT jsonb_agg(post('u' || i, 'bulkId:u' || (i % 1000 + 1)) ORDER BY i) AS all_of_them FROM generate_series(1, 1000) i) o, bulk(all_of_them) line WHERE line LIKE '% 201 W/"1" /v2/Users/<id>';
SELECT count(*) FROM managed WHERE manager = 'u' || (substr(name, 2)::int % 1000 + 1) AND name ~ '^u[0-9]+$';

-- a deletion has no body, whatever comes as its data
SELECT bulk(ops(post('gone1'), op('DELETE', '/Users/bulkId:gone1', NULL, '5'), post('gone2'), op('DELETE', '/Users/bulkId:gone2', NULL, '{"id": "another", "x": "bulkId:none"}')));

--
-- Idempotency keys, of the whole
--
CREATE FUNCTION twice(key text, first text, second text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a record;
	b record;
	count bigint;
BEGIN
	SELECT * INTO a FROM user_request('people', 'POST', '/Bulk', jsonb_build_object('Idempotency-Key', key), first);
	SELECT count(*) INTO count FROM people_history;
	SELECT * INTO b FROM user_request('people', 'POST', '/Bulk', jsonb_build_object('Idempotency-Key', key), coalesce(second, first));
	RETURN concat_ws(' ', a.status, (SELECT string_agg(o ->> 'status', ',') FROM jsonb_array_elements(a.body -> 'Operations') o), b.status, a = b, (SELECT count(*) FROM people_history) - count);
END $$;
SELECT twice('k1', message(ops(post('k1', 'bulkId:k2'), post('k2'), op('DELETE', '/Users/none'), op('PATCH', '/Users/bob', NULL, '{"title": "k"}', '"1"'))));
-- in another order of members, and of none else
SELECT twice('k2', message(ops(post('k3'))), '{"Operations": [{"path": "/Users", "data": {"userName": "k3"}, "bulkId": "k3", "method": "POST"}], "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]}');
SELECT twice('k3', message(ops(post('k4'))), message(ops(post('k5')))), twice('k4', message(ops(post('k6'))), message(ops(post('k6')), '{"failOnErrors": 1}')), twice('k5', message(ops(post('k7'))), message(ops(post('k7'), post('k8'))));
-- what failed as a whole is not remembered
SELECT twice('k6', '{}', message(ops(post('k9'))));
SELECT key, operation, user_id, version FROM people_idempotency ORDER BY key;
-- a key is not another request's
SELECT r.status FROM user_request('people', 'POST', '/Users', '{"Idempotency-Key": "k1"}', '{"userName": "k"}') r;

--
-- Ids of other types
--
SELECT user_table_create('numbers', 'scim', id_type => 'bigint'), user_table_create('uuids', 'scim', id_type => 'uuid');
SELECT bulk(ops(post('a', 'bulkId:b'), post('b'), op('PATCH', '/Users/bulkId:a', NULL, '{"title": "T"}'), op('DELETE', '/Users/x'), op('DELETE', '/Users/2')), users => 'numbers');
SELECT id, document FROM numbers;
-- a number is known when its row is there, so those of a circle are not
SELECT bulk(ops(post('c', 'bulkId:d'), post('d', 'bulkId:c'), post('e', 'bulkId:e')), users => 'numbers');
SELECT bulk(ops(post('a', 'bulkId:b'), post('b', 'bulkId:a'), op('PATCH', '/Users/bulkId:a', NULL, '{"title": "T"}'), op('DELETE', '/Users/x')), users => 'uuids');
SELECT a.document #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}' = b.id::text FROM uuids a, uuids b WHERE a.id <> b.id;

--
-- The table's own rules
--
CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = NEW.document ->> 'title', MESSAGE = 'trouble';
END $$;
CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON people FOR EACH ROW WHEN (NEW.document ->> 'title' ~ '^[0-9A-Z]{5}$') EXECUTE FUNCTION trouble();
-- a server's mistake is told of as such, and the others are done
SELECT bulk(ops(post('x1'), op('POST', '/Users', 'x2', named('x2') || '{"title": "XX000"}'), op('POST', '/Users', 'x3', named('x3') || '{"title": "PT200"}'), op('POST', '/Users', 'x4', named('x4') || '{"title": "P0001"}'), post('x1'), post('x5')));
-- for these the transaction has to be done again, so nothing is
SELECT state, bulk(ops(post('x6'), op('POST', '/Users', 'x7', jsonb_build_object('userName', 'x7', 'title', state)))) FROM unnest('{40001,40P01}'::text[]) state;
SELECT name FROM managed WHERE name ~ '^x';
-- deferred constraints are judged when all that refer to each other are there
SELECT user_table_create('tree', 'scim');
ALTER TABLE tree ADD manager text GENERATED ALWAYS AS (document #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,value}') STORED;
ALTER TABLE tree ADD FOREIGN KEY (manager) REFERENCES tree DEFERRABLE INITIALLY DEFERRED;
SELECT bulk(ops(post('a', 'bulkId:b'), post('b', 'bulkId:a'), post('c', 'nobody'), post('d', 'bulkId:d'), post('e')), users => 'tree');
SELECT bulk(ops(post('f', 'bulkId:g'), op('POST', '/Users', 'g', named('g', 'nobody') || '{"nickName": "bulkId:f"}')), users => 'tree');
SELECT bulk(ops(op('POST', '/Users', 'h', named('h')), op('PATCH', '/Users/bulkId:h', NULL, named('h', 'nobody')), op('DELETE', '/Users/bulkId:h')), users => 'tree');
SELECT document ->> 'userName' FROM tree ORDER BY 1;

-- a header of the whole
SELECT bulk(ops(post('tracked')), headers => '{"Zuora-Track-Id": "track", "If-Match": "\"77\"", "Prefer": "return=minimal"}'), (SELECT request_id FROM people_history WHERE request_id IS NOT NULL);
SELECT request_id FROM people_history WHERE request_id IS NOT NULL;

-- who may do some of it does that; who may do none of it has no key either
SELECT user_table_create('rooms', 'scim');
SELECT user_create('rooms', named('a'), 'a') ->> 'id';
GRANT USAGE ON SCHEMA regress_scim_bulk TO regress_scim_bulk_clerk;
GRANT SELECT, UPDATE ON rooms TO regress_scim_bulk_clerk;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk_clerk;
SELECT bulk(ops(post('b'), op('PATCH', '/Users/a', NULL, '{"title": "T"}'), op('DELETE', '/Users/a')), headers => '{"Idempotency-Key": "some"}', users => 'rooms');
SELECT bulk(ops(post('b'), op('PATCH', '/Users/a', NULL, '{"title": "T"}'), op('DELETE', '/Users/a')), headers => '{"Idempotency-Key": "some"}', users => 'rooms');
SELECT bulk(ops(post('b'), op('DELETE', '/Users/a')), headers => '{"Idempotency-Key": "none"}', users => 'rooms');
SELECT bulk(ops(post('b')), users => 'people'), bulk('[]', users => 'people');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk;
SELECT caller, key FROM rooms_idempotency;
-- no answer again about somebody who is hidden by now; of whom nothing was said, it says nothing again
SELECT user_create('rooms', named('h'), 'h') ->> 'id';
ALTER TABLE rooms ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON rooms TO regress_scim_bulk_clerk USING (document ->> 'title' IS DISTINCT FROM 'secret');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk_clerk;
SELECT bulk(ops(op('DELETE', '/Users/a'), op('PATCH', '/Users/h', NULL, '{"nickName": "H"}')), headers => '{"Idempotency-Key": "hides"}', users => 'rooms');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk;
UPDATE rooms SET document = document || '{"title": "secret"}' WHERE id = 'a';
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk_clerk;
SELECT bulk(ops(op('DELETE', '/Users/a'), op('PATCH', '/Users/h', NULL, '{"nickName": "H"}')), headers => '{"Idempotency-Key": "hides"}', users => 'rooms');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk;
UPDATE rooms SET document = document || '{"title": "secret"}' WHERE id = 'h';
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk_clerk;
SELECT bulk(ops(op('DELETE', '/Users/a'), op('PATCH', '/Users/h', NULL, '{"nickName": "H"}')), headers => '{"Idempotency-Key": "hides"}', users => 'rooms');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_scim_bulk;

-- what the caller takes back is gone
BEGIN;
SELECT bulk(ops(post('back')));
ROLLBACK;
SELECT count(*) FROM managed WHERE name = 'back';

-- other profiles of this shape have it; the other APIs do not
SELECT user_table_create('zuora', 'zuora'), user_table_create('plain');
SELECT bulk(ops(post('z'), op('PATCH', '/Users/bulkId:z', NULL, '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "operations": [{"op": "replace", "path": "/emails", "value": {"emails": [{"value": "z@example.com"}]}}]}')), users => 'zuora');
SELECT document FROM zuora;
SELECT bulk(ops(post('z')), users => 'plain');

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_scim_bulk CASCADE;
DELETE FROM userstore.api_profile WHERE name = 'regress_scim_bulk';
DROP ROLE regress_scim_bulk, regress_scim_bulk_clerk;
