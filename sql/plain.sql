--
-- Profile plain: users are any JSON objects.  PUT replaces or creates, PATCH is
-- RFC 7396's merge, and what is stored is exactly what was sent.
--
SET client_min_messages = warning;
CREATE ROLE regress_plain;
CREATE SCHEMA regress_plain AUTHORIZATION regress_plain;
SET SESSION AUTHORIZATION regress_plain;
SET search_path = regress_plain, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

SELECT user_table_create('people');

-- The attributes of an answer.
CREATE FUNCTION attributes(answer jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT answer - 'id' - 'meta' $$;

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

--
-- PUT creates, and replaces what it finds
--
SELECT user_put('people', 'ann', '{"name": "Ann", "age": 41}') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT user_put('people', 'ann', '{"age": 42, "dogs": 1}') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT user_put('people', 'ann', '{}') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT version, operation, document, changed FROM people_history WHERE user_id = 'ann' ORDER BY version;
-- PATCH does not create
SELECT r.* FROM raised($$SELECT user_patch('people', 'bob', '{"a": 1}')$$) r;
-- a generated id is a UUID
SELECT user_create('people', '{"made": true}') ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AS uuid;

-- null is no value, at any depth of objects; arrays are kept as they are
SELECT attributes(user_put('people', 'ann', '{"a": null, "b": {"c": null, "d": {"e": null}}, "f": [], "g": {},
	"h": [null, {"i": null}, []], "j": "", "k": false, "l": 0}'));

-- names are exact: case, blanks, dots and none at all make other ones
SELECT attributes(user_put('people', 'ann', '{"Name": 1, "name": 2, "NAME": {"x": 1, "X": 2}, " name": 3, "na.me": 4, "": 5,
	"n\"a''me": 6, "na\nme": 7, "$ref": 8, "name[x eq 1]": 9, "\u00e9": 10, "e\u0301": 11, "\ud83d\ude00": 12, "__proto__": 13}'));
SELECT attributes(user_patch('people', 'ann', '{"NAME": {"X": null}, "name": null, "": null, "\ud83d\ude00": "\ud83d\ude00", "E": 1}'));
SELECT changed FROM people_history WHERE user_id = 'ann' ORDER BY version DESC LIMIT 1;

--
-- RFC 7396, appendix A: the cases whose target and patch are objects.  Targets
-- are stored by plain SQL, since one of them has a null.
--
CREATE TABLE merge_case (n int, target jsonb, patch jsonb, result jsonb);
INSERT INTO merge_case VALUES
	(1, '{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
	(2, '{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
	(3, '{"a":"b"}', '{"a":null}', '{}'),
	(4, '{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
	(5, '{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
	(6, '{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
	(7, '{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
	(8, '{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
	(9, '{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
	(10, '{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
	-- section 3's example
	(11, '{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"}',
		'{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}',
		'{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}');
INSERT INTO people (id, document) SELECT 'case ' || n, target FROM merge_case;
SELECT n, attributes(user_patch('people', 'case ' || n, patch)) AS answer,
	attributes(user_get('people', 'case ' || n)) = target AS seen_before
FROM (SELECT * FROM merge_case ORDER BY n) c;
SELECT n, document, result FROM merge_case JOIN people ON id = 'case ' || n
WHERE document <> result;
-- merged again, nothing changes
SELECT n FROM merge_case, user_patch('people', 'case ' || n, patch) a WHERE a #> '{meta,version}' <> '2';
-- a scalar is no object
SELECT body, r.state, r.message FROM unnest(ARRAY['"x"', '5', 'true', 'null']) WITH ORDINALITY AS b(body, n),
	raised(format('SELECT user_patch(%L, %L, %L)', 'people', 'case 1', body)) r ORDER BY n;

--
-- Depth: 256 levels
--
-- the outermost object is a level
CREATE FUNCTION nested(levels int, opening text DEFAULT '{"a":', closing text DEFAULT '}') RETURNS jsonb
LANGUAGE sql AS $$
	SELECT ('{"a":' || repeat(opening, levels - 1) || '1' || repeat(closing, levels - 1) || '}')::jsonb $$;
SELECT what, levels, operation, r.state, r.message, r.hint
FROM (VALUES (1, 'objects', '{"a":', '}'), (2, 'arrays', '[', ']')) AS v(n, what, opening, closing),
	unnest('{255,256,257,10000}'::int[]) levels,
	unnest('{put,patch}'::text[]) operation,
	raised(format('SELECT user_%s(%L, %L, nested(%s, %L, %L))', operation, 'people', 'ann', levels, opening, closing)) r
ORDER BY n, levels, operation;
SELECT user_create('people', nested(256)) - 'id' - 'meta' = nested(256) AS same;
SELECT r.state FROM raised($$SELECT user_create('people', nested(257))$$) r;
-- levels merge with levels: what was 200 deep becomes 256 deep
SELECT attributes(user_put('people', 'deep', nested(200))) = nested(200) AS same;
SELECT attributes(user_patch('people', 'deep', nested(256))) = nested(256) AS same;

--
-- Width
--
SELECT attributes(user_put('people', 'wide', jsonb_object_agg('attribute ' || n, n))) = jsonb_object_agg('attribute ' || n, n) AS same
FROM generate_series(1, 1000) n;
SELECT cardinality(changed) FROM people_history WHERE user_id = 'wide';
-- one of them changes
SELECT (SELECT count(*) FROM jsonb_each(attributes(user_patch('people', 'wide', '{"attribute 500": "x"}')))) AS attributes;
SELECT changed FROM people_history WHERE user_id = 'wide' AND version = 2;
SELECT user_put('people', 'wide', jsonb_build_object('a', array_agg(n))) -> 'a' = jsonb_agg(n) AS same FROM generate_series(1, 10000) n;

--
-- Values, to the last digit
--
SELECT attributes(user_put('people', 'digits', '{
	"fifty": 12345678901234567890123456789012345678901234567890,
	"fraction": 0.12345678901234567890123456789012345678901234567890,
	"int64": 9223372036854775807, "beyond": 9223372036854775808, "below": -9223372036854775809,
	"double": 9007199254740993, "trailing": 1.500, "exponent": 1e3, "small": -2.5E-7}'));
SELECT user_put('people', 'digits', '{"huge": 1e400}') -> 'huge' = (1 || repeat('0', 400))::jsonb AS same;
-- a few bytes may not stand for an answer of a hundred thousand; 500 digits on either side are enough
SELECT length((user_put('people', 'digits', jsonb_build_object('most', repeat('9', 500)::numeric, 'least', ('0.' || repeat('0', 499) || '1')::numeric)) -> 'most')::text) AS digits;
SELECT user_put('people', 'digits', '{"a": {"b": [1, 1e500]}}');
SELECT user_put('people', 'digits', '{"a": {"b": [1, -1e131071]}}');
SELECT user_patch('people', 'digits', '{"a": 1e-501}');
SELECT user_patch('people', 'digits', '[{"op": "add", "path": "/a", "value": 1e501}]');
-- equal numbers are no change, whatever their spelling; those that a double
-- cannot tell apart are
SELECT attributes(user_put('people', 'digits', '{"n": 9007199254740992, "one": 1.0}'));
SELECT version FROM people WHERE id = 'digits';
SELECT attributes(user_put('people', 'digits', '{"n": 9007199254740992.00, "one": 1}'));
SELECT attributes(user_patch('people', 'digits', '{"n": 9.007199254740992e15, "one": 1.00}'));
SELECT version FROM people WHERE id = 'digits';
SELECT attributes(user_patch('people', 'digits', '{"n": 9007199254740993}'));
SELECT version FROM people WHERE id = 'digits';
SELECT attributes(user_put('people', 'text', '{"quotes": "\"''\\/", "control": "\u0001\t\n", "astral": "\ud83d\ude00", "percent": "%s %n $1", "null": "null"}'));

--
-- id, meta and schemas are the API's
--
-- in a body: the id must be that of the user, the others are passed over
SELECT attributes(user_put('people', 'ann', '{"id": "ann", "meta": {"version": 99}, "schemas": ["x"], "a": 1}'));
SELECT attributes(user_put('people', 'ann', '{"id": null, "a": 1}'));
SELECT r.* FROM raised($$SELECT user_put('people', 'ann', '{"id": "bob", "a": 1}')$$) r;
SELECT r.* FROM raised($$SELECT user_patch('people', 'ann', '{"id": "ANN"}')$$) r;
SELECT r.* FROM raised($$SELECT user_put('people', 'ann', '{"id": {"a": 1}}')$$) r;
SELECT user_put('people', '7', '{"id": 7}') -> 'id' AS id;
SELECT user_create('people', '{"id": 8.0, "a": 1}') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT user_create('people', '{"id": "given", "a": 1}') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT r.state, r.message FROM raised($$SELECT user_create('people', '{"id": "given"}', id => 'other')$$) r;
SELECT r.* FROM raised($$SELECT user_create('people', '{"id": "given"}')$$) r;
-- in other case, and below the top, they are attributes like any
SELECT attributes(user_put('people', 'ann', '{"ID": "bob", "Meta": 1, "sub": {"id": 1, "meta": 2, "schemas": 3}}'));
-- in a stored document they are not shown, and changes keep away from them
INSERT INTO people (id, document) VALUES ('odd', '{"id": "other", "meta": {"version": 99}, "schemas": ["x"], "a": 1}');
SELECT user_get('people', 'odd') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT user_patch('people', 'odd', '{"b": 2, "id": "odd", "meta": null}') #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT document FROM people WHERE id = 'odd';

--
-- What was read can be sent back: that is no change
--
SELECT id, user_put('people', id, user_get('people', id)) = user_get('people', id) AS same
FROM people WHERE id IN ('ann', 'wide', 'deep', 'digits', 'text', 'case 11') ORDER BY id COLLATE "C";
SELECT count(*) AS no_change FROM people WHERE (SELECT max(version) FROM people_history WHERE user_id = id) = version
	AND id IN ('ann', 'wide', 'deep', 'digits', 'text', 'case 11');

--
-- Parts of a user
--
SELECT attributes(user_put('people', 'ann', '{"a": {"b": {"x": 1, "y": 2}, "c": 3}, "A": 4, "d": [{"b": 5}], "n.m": 6}'));
SELECT user_get('people', 'ann', attributes => '{a,d}');
SELECT user_get('people', 'ann', attributes => '{a.b.x,d.b,n.m}');
SELECT user_get('people', 'ann', attributes => '{a.b,a.x,a.c.x,e}');
SELECT user_get('people', 'ann', excluded_attributes => '{a,meta,D,n.m}');
SELECT user_get('people', 'ann', excluded_attributes => '{a.b.x,a.c,meta,d.b}');
SELECT user_get('people', 'ann', excluded_attributes => '{a,A,d,n.m,meta.created,meta.lastModified,id}');
SELECT user_get('people', 'ann', attributes => '{meta.version}'), user_get('people', 'ann', attributes => '{}') AS none;
SELECT user_get('people', 'ann', attributes => '{meta}') -> 'meta' = user_get('people', 'ann') -> 'meta' AS meta;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_plain CASCADE;
DROP ROLE regress_plain;
