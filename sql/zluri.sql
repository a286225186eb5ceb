--
-- Zluri's update of one user: only the fields that are sent change, and each
-- value must be one that the field allows.
--
SET client_min_messages = warning;
CREATE ROLE regress_zluri;
CREATE SCHEMA regress_zluri AUTHORIZATION regress_zluri;
SET SESSION AUTHORIZATION regress_zluri;
SET search_path = regress_zluri, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

SELECT user_table_create('people', api => 'zluri');

CREATE FUNCTION shown(answer jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT answer #- '{meta,created}' #- '{meta,lastModified}' $$;

-- What becomes of a PUT: "accepted", or the error.  Nothing stays changed.
CREATE FUNCTION fate(body jsonb, id text DEFAULT 'u1', OUT state text, OUT message text, OUT path text, OUT hint text)
LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	PERFORM user_put('people', id, body);
	RAISE EXCEPTION 'taken back' USING ERRCODE = 'UU000';
EXCEPTION WHEN SQLSTATE 'UU000' THEN
	state := 'accepted';
WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	path := detail::jsonb ->> 'path';
END $$;

-- Each field with a first value and another one.
CREATE TABLE field (name text, first jsonb, other jsonb);
INSERT INTO field VALUES
	('user_name', '"Ann"', '"Anna"'),
	('user_email', '"ann@example.com"', '"anna@example.com"'),
	('user_personal_email', '"ann@home.example"', '"anna@home.example"'),
	('user_department_id', '"507f1f77bcf86cd799439011"', '"507f1f77bcf86cd799439012"'),
	('user_status', '"active"', '"inactive"'),
	('reporting_manager_id', '"507f1f77bcf86cd799439021"', '"507f1f77bcf86cd799439022"'),
	('user_designation', '"Engineer"', '"Manager"'),
	('user_account_type', '"employee"', '"external"'),
	('user_archive', 'false', 'true'),
	('optimization_inclusion', '"include for all optimizations"', '"exclude for unused"'),
	('primary_source', '{"keyword": "k1", "org_integration_id": "507f1f77bcf86cd799439031", "integration_id": "507f1f77bcf86cd799439041"}',
		'{"keyword": "k2", "org_integration_id": "507f1f77bcf86cd799439032", "integration_id": "507f1f77bcf86cd799439042"}'),
	('user_custom_fields', '[{"field_id": "f1", "field_value": "v1"}]', '[{"field_id": "f1", "field_value": "v2"}]');

SELECT jsonb_pretty(shown(user_create('people', (SELECT jsonb_object_agg(name, first) FROM field), id => 'u1')));

--
-- Each field alone: it has its new value, and the other eleven are as before
--
CREATE FUNCTION set_alone(field field, OUT itself boolean, OUT others_kept bigint, OUT version int, OUT changed text[])
LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := user_get('people', 'u1') - '{id,meta}'::text[];
	after jsonb;
BEGIN
	after := user_put('people', 'u1', jsonb_build_object(field.name, field.other));
	itself := after -> field.name = field.other;
	others_kept := (SELECT count(*) FROM jsonb_each(before) b
		WHERE b.key <> field.name AND after -> b.key = b.value);
	version := after #> '{meta,version}';
	IF (SELECT p.document FROM people p WHERE p.id = 'u1') <> after - '{id,meta}'::text[] THEN
		RAISE 'stored otherwise than answered';
	END IF;
	changed := (SELECT h.changed FROM people_history h ORDER BY h.version DESC LIMIT 1);
END $$;
SELECT field.name, s.* FROM (SELECT * FROM field ORDER BY name COLLATE "C") field, set_alone(field) s;
-- all have changed by now, each by its own request
SELECT f.name FROM field f, people p WHERE p.document -> f.name IS DISTINCT FROM f.other;

-- each field alone is cleared by null; once it is gone that is no change (25
-- is 13 and twelve)
SELECT shown(user_patch('people', 'u1', '{}')) #> '{meta,version}' AS version;
SELECT f.name, NOT user_put('people', 'u1', jsonb_build_object(f.name, null)) ? f.name AS cleared,
	(SELECT count(*) FROM jsonb_object_keys(user_put('people', 'u1', jsonb_build_object(f.name, null)))) AS remaining
FROM (SELECT * FROM field ORDER BY name COLLATE "C") f;
SELECT id, document, version FROM people;
SELECT shown(user_put('people', 'u1', jsonb_object_agg(name, first))) #> '{meta,version}' AS version FROM field;

--
-- Invalid values: PT400 naming the field, and nothing changed
--
-- addresses: one in full; then those of 27 bad and of 14 good ones, in both
-- fields, that are judged otherwise
SELECT f.* FROM fate('{"user_email": "ann"}') f;
SELECT field, address, f.state, f.path, f.message = format('attribute "%s" must be an e-mail address', field) AS names_it
FROM unnest('{user_email,user_personal_email}'::text[]) field,
	unnest(ARRAY['', ' ', 'ann', '@example.com', 'ann@', 'ann@example', 'ann@@example.com', 'ann@b@example.com',
		'ann example@example.com', 'ann@exa mple.com', '.ann@example.com', 'ann.@example.com', 'an..n@example.com',
		'ann@-example.com', 'ann@example-.com', 'ann@.example.com', 'ann@example..com', 'ann@example.com.',
		'Ann <ann@example.com>', 'ann@example.com,bob@example.com', E'ann@example.com\n', E'ann\t@example.com',
		'"ann@example.com', 'ann@[300.1.1.1]', repeat('a', 65) || '@example.com',
		'ann@' || repeat('a', 64) || '.com', 'ann@' || repeat('example.', 40) || 'com']) WITH ORDINALITY AS a(address, n),
	fate(jsonb_build_object(field, address)) f
WHERE f.state <> 'PT400' OR f.path <> field OR f.message <> format('attribute "%s" must be an e-mail address', field)
ORDER BY field, n;
SELECT field, address, f.* FROM unnest('{user_email,user_personal_email}'::text[]) field,
	unnest(ARRAY['a@b.co', 'ann.lee@example.com', 'ann+tag@example.com', 'ANN@EXAMPLE.COM', 'o''hara@example.com',
		'ann_lee-1@sub.example.co.uk', '"ann lee"@example.com', 'ann@[192.0.2.1]', 'ann@[IPv6:2001:db8::1]',
		'1@1.example', U&'j\00fcrgen@b\00fccher.example', 'ann@xn--bcher-kva.example', repeat('a', 64) || '@example.com',
		'{ann}!#$%&*/=?^_`|~@example.com']) WITH ORDINALITY AS a(address, n),
	fate(jsonb_build_object(field, address)) f
WHERE f.state <> 'accepted'
ORDER BY field, n;

-- ObjectIds: 24 hexadecimal digits, wherever the page asks for one
CREATE FUNCTION with_id(field text, value text) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT CASE WHEN field LIKE 'primary_source.%'
		THEN jsonb_build_object('primary_source', '{"keyword": "k", "org_integration_id": "507f1f77bcf86cd799439031",
			"integration_id": "507f1f77bcf86cd799439041"}'::jsonb || jsonb_build_object(split_part(field, '.', 2), value))
		ELSE jsonb_build_object(field, value) END $$;
SELECT field, count(*) FILTER (WHERE f.state = 'PT400' AND f.path = field
		AND f.message = format('attribute "%s" must be an ObjectId', field)) AS refused, count(*) AS of,
	min(f.hint) AS hint
FROM unnest('{user_department_id,reporting_manager_id,primary_source.org_integration_id,primary_source.integration_id}'::text[])
		WITH ORDINALITY AS x(field, n),
	unnest(ARRAY['', '507f1f77bcf86cd79943901', '507f1f77bcf86cd7994390111', '507f1f77bcf86cd79943901g',
		' 507f1f77bcf86cd79943901', '507f1f77-bcf8-6cd7-9943-90', '507F1F77BCF86CD79943901G', '000000000000',
		U&'507f1f77bcf86cd79943901\ff11', E'507f1f77bcf86cd799439011\n']) value,
	fate(with_id(field, value)) f
GROUP BY n, field ORDER BY n;
-- no good one is refused
SELECT field, value, f.* FROM unnest('{user_department_id,reporting_manager_id,primary_source.org_integration_id,primary_source.integration_id}'::text[]) field,
	unnest(ARRAY['507f1f77bcf86cd799439099', '507F1F77BCF86CD799439099', '000000000000000000000000', 'ffffffffffffffffffffffff']) value,
	fate(with_id(field, value)) f
WHERE f.state <> 'accepted';

-- enumerations: each word of the page, in its case and no other
SELECT field, value, f.state, f.path, f.hint
FROM (VALUES (1, 'user_status', '{active,inactive,suspended,unknown,Active,ACTIVE,deleted,"active ",""}'::text[]),
	(2, 'user_account_type', '{group,service,employee,external,Group,SERVICE,user,""}'),
	(3, 'optimization_inclusion', '{include for all optimizations,exclude for all optimizations,exclude for undeprovisioned,exclude for unused,Include for all optimizations,include,exclude,exclude for  unused,exclude for undeprovisioned.,""}'))
		AS e(n, field, words),
	unnest(words) WITH ORDINALITY AS w(value, m),
	fate(jsonb_build_object(field, value)) f
ORDER BY n, m;

-- the wrong type, for each field every one
SELECT field.name, f.message, count(*), min(f.state) AS state, bool_and(f.path = field.name) AS path,
	jsonb_agg(value ORDER BY m) AS of
FROM field, unnest(ARRAY['"a"', '1', 'true', '{}', '{"a": 1}', '["a"]', '[[]]', '[]']::jsonb[]) WITH ORDINALITY AS v(value, m),
	fate(jsonb_build_object(field.name, value)) f
WHERE f.state <> 'accepted'
GROUP BY field.name, f.message ORDER BY field.name COLLATE "C", f.message COLLATE "C";
SELECT field.name, value
FROM field, unnest(ARRAY['"a"', '1', 'true', '{}', '{"a": 1}', '["a"]', '[[]]', '[]']::jsonb[]) WITH ORDINALITY AS v(value, m),
	fate(jsonb_build_object(field.name, value)) f
WHERE f.state = 'accepted'
ORDER BY field.name COLLATE "C", m;
-- and of what is below them
SELECT body, f.state, f.message, f.path FROM unnest(ARRAY[
	'{"primary_source": {"keyword": 1, "org_integration_id": "507f1f77bcf86cd799439031", "integration_id": "507f1f77bcf86cd799439041"}}',
	'{"primary_source": {"keyword": "k", "org_integration_id": 5, "integration_id": "507f1f77bcf86cd799439041"}}',
	'{"user_custom_fields": [{"field_id": 1, "field_value": "x"}]}',
	'{"user_custom_fields": [{"field_value": "x"}]}',
	'{"user_custom_fields": [{"field_id": null, "field_value": "x"}]}',
	'{"user_custom_fields": [{"field_id": "f1"}, null]}',
	'{"user_custom_fields": [{"field_id": "f1", "value": "x"}]}']::jsonb[]) WITH ORDINALITY AS b(body, n), fate(body) f ORDER BY n;

-- unknown fields, one level down as well; a good field beside does not help
SELECT f.* FROM fate('{"user_names": "x", "user_name": "y"}') f;
SELECT f.* FROM fate('{"primary_source": {"keyword": "k", "org_integration_id": "507f1f77bcf86cd799439031",
	"integration_id": "507f1f77bcf86cd799439041", "name": "x"}}') f;
-- no other body than an object
SELECT body, f.state, f.message, f.hint FROM unnest(ARRAY['"x"', '1', 'true', 'null']::jsonb[]) body, fate(body) f;
-- nobody is created
SELECT f.* FROM fate('{"user_name": "x"}', id => 'u2') f;

-- of all this nothing is left
SELECT version, p.document = (SELECT jsonb_object_agg(name, first) FROM field) AS untouched FROM people p;

--
-- primary_source: the three come together or not at all
--
-- each of the three left out (-), null (n) or with a value (v); once over
-- nothing stored, once over all three
CREATE FUNCTION source(form text) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT jsonb_build_object('primary_source', coalesce(jsonb_object_agg(name,
			CASE c WHEN 'v' THEN value END) FILTER (WHERE c <> '-'), '{}'))
	FROM (VALUES (1, 'keyword', '"new"'::jsonb), (2, 'org_integration_id', '"aaaaaaaaaaaaaaaaaaaaaaaa"'),
		(3, 'integration_id', '"bbbbbbbbbbbbbbbbbbbbbbbb"')) AS m(n, name, value), substr(form, n, 1) c $$;
SELECT user_create('people', '{"user_name": "No Source"}', id => 'none') ->> 'id' AS id;
SELECT form, none.state AS over_none, stored.state AS over_stored, stored.message, stored.path
FROM (SELECT a || b || c AS form FROM unnest('{-,n,v}'::text[]) a, unnest('{-,n,v}'::text[]) b, unnest('{-,n,v}'::text[]) c) f,
	fate(source(form), 'none') none, fate(source(form), 'u1') stored
ORDER BY form COLLATE "C";
-- the form that replaces, and those that clear
SELECT user_put('people', 'u1', source('vvv')) -> 'primary_source' AS source;
SELECT user_put('people', 'u1', source('nnn')) -> 'primary_source' AS source;
SELECT user_put('people', 'u1', source('vvv')) -> 'primary_source' AS source;
SELECT user_put('people', 'u1', '{"primary_source": null}') -> 'primary_source' AS source;
-- an equal half is refused too, since it was sent
SELECT f.state, f.message FROM user_put('people', 'u1', source('vvv')), fate('{"primary_source": {"keyword": "new"}}') f;

--
-- user_custom_fields: merged by field_id
--
CREATE FUNCTION custom(VARIADIC items jsonb[]) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT user_put('people', 'u1', jsonb_build_object('user_custom_fields', to_jsonb(items))) -> 'user_custom_fields' $$;
SELECT custom('{"field_id": "f2", "field_value": 2}', '{"field_id": "f3", "field_value": true}');
-- one added, one changed, one removed, one untouched
SELECT custom('{"field_id": "f4", "field_value": "new"}', '{"field_id": "f2", "field_value": 22}', '{"field_id": "f3", "field_value": null}');
SELECT changed FROM people_history ORDER BY version DESC LIMIT 1;
-- in another order; the same again; and none: no change
SELECT custom('{"field_value": 22.0, "field_id": "f2"}') = custom('{"field_id": "f4", "field_value": "new"}', '{"field_id": "f1", "field_value": "v1"}') AS same;
SELECT shown(user_put('people', 'u1', '{"user_custom_fields": []}')) #> '{meta,version}'
	= shown(user_put('people', 'u1', '{"user_custom_fields": [{"field_id": "f2", "field_value": 22}, {"field_id": "f9", "field_value": null}]}')) #> '{meta,version}' AS unchanged;
-- ids are exact
SELECT custom('{"field_id": "F2", "field_value": "another"}');
-- values of any type
SELECT custom('{"field_id": "s", "field_value": ""}', '{"field_id": "n", "field_value": -1.50}',
	'{"field_id": "b", "field_value": false}', '{"field_id": "a", "field_value": [1, null, []]}',
	'{"field_id": "o", "field_value": {"x": {"y": 1}, "z": null}}');
-- all go with null, the last one with its own null
SELECT user_put('people', 'u1', '{"user_custom_fields": null}') ? 'user_custom_fields' AS any_left;
SELECT custom('{"field_id": "f1", "field_value": 1}');
SELECT user_put('people', 'u1', '{"user_custom_fields": [{"field_id": "f1", "field_value": null}]}') ? 'user_custom_fields' AS any_left;

--
-- Old data, stored under other rules, is nobody's obstacle
--
UPDATE people SET document = '{"user_email": "not an address", "user_status": "gone", "user_department_id": 5,
	"primary_source": {"keyword": "alone"}, "user_custom_fields": "none", "legacy": {"a": 1}}' WHERE id = 'u1';
SELECT shown(user_put('people', 'u1', '{"user_archive": true}')) - 'meta' AS answer;
-- what is sent is judged; the same as stored is no change
SELECT f.state, f.message FROM fate('{"user_status": "going"}') f;
SELECT f.state FROM fate('{"user_status": "gone"}') f;
-- and it can be put right, field by field
SELECT shown(user_put('people', 'u1', '{"user_status": "active", "user_custom_fields": [{"field_id": "f1", "field_value": 1}]}')) - 'meta' AS answer;
SELECT shown(user_put('people', 'u1', source('vvv'))) - 'meta' AS answer;

--
-- One address, one user
--
SELECT user_put('people', 'none', '{"user_email": "ann@example.com"}') ->> 'user_email' AS email;
SELECT f.* FROM fate('{"user_email": "ANN@example.com"}') f;
-- the one who has it may send it, in another case as well
SELECT user_put('people', 'none', '{"user_email": "Ann@Example.com"}') ->> 'user_email' AS email;
-- cleared it is free
SELECT user_put('people', 'none', '{"user_email": null}') ->> 'user_email' AS email;
SELECT user_put('people', 'u1', '{"user_email": "ANN@example.com"}') ->> 'user_email' AS email;
-- two without do not clash
SELECT user_create('people', '{}', id => 'empty') - 'meta' AS answer;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_zluri CASCADE;
DROP ROLE regress_zluri;
