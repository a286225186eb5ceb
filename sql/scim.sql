--
-- RFC 7644, strictly: PUT, PATCH by a plain resource, and reading, with the
-- mutability and "returned" of every kind of attribute.
--
SET client_min_messages = warning;
CREATE ROLE regress_scim;
CREATE SCHEMA regress_scim AUTHORIZATION regress_scim;
SET SESSION AUTHORIZATION regress_scim;
SET search_path = regress_scim, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION shown(answer jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT answer #- '{meta,created}' #- '{meta,lastModified}' $$;

-- The attributes of an answer, without what every answer has.
CREATE FUNCTION attributes(answer jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT answer - '{id,meta,schemas,userName}'::text[] $$;

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- What PUT and PATCH of a body raise.
CREATE FUNCTION refused(body jsonb, id text DEFAULT 'ann')
RETURNS TABLE (operation text, state text, message text, path text, scim_type text)
LANGUAGE sql AS $$
	SELECT o.operation, r.state, r.message, r.detail::jsonb ->> 'path', r.detail::jsonb ->> 'scimType'
	FROM unnest('{put,patch}'::text[]) WITH ORDINALITY AS o(operation, n),
		raised(format('SELECT user_%s(%L, %L, %L)', o.operation, 'people', id, body)) r
	ORDER BY o.n $$;

--
-- RFC 7644, section 3.5.1: the example
--
SELECT user_table_create('people', api => 'scim');
SELECT shown(user_create('people', '{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "old", "title": "Boss",
	"active": true, "name": {"honorificPrefix": "Ms."}, "roles": [{"value": "r"}], "emails": [{"value": "old@example.com", "primary": true}]}',
	id => '2819c223-7f76-453a-919d-413861904646'));
SELECT jsonb_pretty(shown(user_put('people', '2819c223-7f76-453a-919d-413861904646', '{
	"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
	"id": "2819c223-7f76-453a-919d-413861904646",
	"userName": "bjensen", "externalId": "bjensen",
	"name": {"formatted": "Ms. Barbara J Jensen III", "familyName": "Jensen", "givenName": "Barbara", "middleName": "Jane"},
	"roles": [],
	"emails": [{"value": "bjensen@example.com"}, {"value": "babs@jensen.org"}]}')));
-- PUT must not create
SELECT * FROM refused('{"userName": "x"}', 'nobody');

--
-- Mutability
--
-- a schema of our own, beside the core one
SELECT attribute_schema_define('{"id": "urn:regress:scim:Staff", "attributes": [
	{"name": "number", "type": "integer", "mutability": "immutable"},
	{"name": "hired", "type": "complex", "mutability": "immutable", "subAttributes": [{"name": "on"}, {"name": "by"}]},
	{"name": "tags", "multiValued": true, "mutability": "immutable"},
	{"name": "balance", "type": "decimal", "mutability": "readOnly"},
	{"name": "pin", "mutability": "writeOnly", "returned": "never"},
	{"name": "locker", "type": "complex", "subAttributes": [
		{"name": "place"}, {"name": "code", "mutability": "writeOnly", "returned": "never"}, {"name": "serial", "mutability": "readOnly"}]},
	{"name": "badge", "returned": "always"},
	{"name": "photo", "returned": "request"},
	{"name": "car", "type": "complex", "subAttributes": [{"name": "plate", "returned": "always"}, {"name": "colour"}, {"name": "key", "returned": "request"}]},
	{"name": "Unit", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "Label"}, {"name": "primary", "type": "boolean"}]}]}');
SELECT user_table_create('staff', api => 'scim', schemas => '{urn:ietf:params:scim:schemas:core:2.0:User,urn:regress:scim:Staff}');
CREATE FUNCTION staff(answer jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT answer -> 'urn:regress:scim:Staff' $$;
CREATE FUNCTION put(attributes jsonb, id text DEFAULT 'ann') RETURNS jsonb
LANGUAGE sql AS $$ SELECT staff(user_put('staff', id, jsonb_build_object('userName', id, 'urn:regress:scim:Staff', attributes))) $$;
CREATE FUNCTION patch(attributes jsonb, id text DEFAULT 'ann') RETURNS jsonb
LANGUAGE sql AS $$ SELECT staff(user_patch('staff', id, jsonb_build_object('urn:regress:scim:Staff', attributes))) $$;
-- What is stored, seen or not.
CREATE FUNCTION stored(id text DEFAULT 'ann') RETURNS jsonb
LANGUAGE sql AS $$ SELECT s.document -> 'urn:regress:scim:Staff' FROM staff s WHERE s.id = stored.id $$;
SELECT shown(user_create('staff', '{"userName": "ann"}', id => 'ann'));

-- readOnly: ignored whatever is sent, also when it is of no use, and kept
UPDATE staff SET document = document || '{"groups": [{"value": "g"}], "urn:regress:scim:Staff": {"balance": 5}}';
SELECT put('{"balance": 6}');
SELECT put('{"balance": "a lot"}');
SELECT patch('{"balance": null}');
SELECT put('{}');
SELECT attributes(user_put('staff', 'ann', '{"userName": "ann", "groups": [{"value": "h"}], "id": "bob", "meta": {"version": "W/\"9\""}}'));
SELECT attributes(user_patch('staff', 'ann', '{"groups": [], "userName": "ann"}'));
SELECT attributes(user_patch('staff', 'ann', '{"urn:regress:scim:Staff": null}'));
SELECT attributes(user_put('staff', 'ann', '{"userName": "ann", "urn:regress:scim:Staff": null}'));
SELECT version FROM staff;

-- immutable: once, then the same or nothing
SELECT put('{"number": 7, "hired": {"on": "2026-01-31"}, "tags": ["a"]}');
SELECT put('{"number": 7.0, "hired": {"on": "2026-01-31"}, "tags": ["a"]}');
SELECT put('{}');
SELECT patch('{"number": 7}');
SELECT body, o.operation, r.state, r.message, r.detail
FROM unnest(ARRAY['{"number": 8}', '{"number": null}', '{"hired": {"on": "2026-02-01"}}', '{"hired": {"on": "2026-01-31", "by": "bob"}}', '{"hired": null}',
		'{"tags": ["a", "b"]}', '{"tags": []}']) WITH ORDINALITY AS b(body, n),
	unnest('{put,patch}'::text[]) WITH ORDINALITY AS o(operation, m),
	raised(format('SELECT %s(%L)', operation, body)) r
ORDER BY n, m;
-- nor does it go with its extension
SELECT r.* FROM raised($$SELECT user_patch('staff', 'ann', '{"urn:regress:scim:Staff": null}')$$) r;
SELECT r.state FROM raised($$SELECT put(NULL)$$) r;
SELECT stored();

-- writeOnly: kept when left out, changed, cleared, and never seen
SELECT put('{"pin": "1234", "locker": {"place": "A", "code": "42"}}');
SELECT stored();
SELECT put('{"locker": {"place": "B", "serial": "9"}}');
SELECT stored();
SELECT put('{}');
SELECT stored();
SELECT patch('{"pin": "4321", "locker": {"place": "C"}}');
SELECT stored();
SELECT user_get('staff', 'ann', attributes => '{urn:regress:scim:Staff:pin,urn:regress:scim:Staff:locker.code}');
SELECT patch('{"pin": null, "locker": {"code": null}}');
SELECT stored();

-- a password that cannot be stored leaves no trace: see password.sql for those that can
SELECT b.body - 'password' AS beside, r.* FROM unnest(ARRAY['{"password": "Tr0ub4dor"}', '{"userName": "bjensen", "PassWord": "Tr0ub4dor"}',
		'{"userName": "bjensen", "password": ["Tr0ub4dor"]}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	refused(body, '2819c223-7f76-453a-919d-413861904646') r ORDER BY n;
SELECT r.message, r.detail, r.hint FROM raised($$SELECT user_create('people', '{"userName": "p", "password": "Tr0ub4dor"}', idempotency_key => 'p')$$) r
WHERE r::text NOT LIKE '%Tr0ub4dor%';
SELECT (SELECT count(*) FROM people p WHERE p::text LIKE '%Tr0ub%') + (SELECT count(*) FROM people_history h WHERE h::text LIKE '%Tr0ub%')
	+ (SELECT count(*) FROM people_idempotency k WHERE k::text LIKE '%Tr0ub%') AS traces;
-- to clear what is never there is no offence
SELECT attributes(user_patch('people', '2819c223-7f76-453a-919d-413861904646', '{"password": null, "title": "x"}')) -> 'title' AS title;

--
-- Names, in any case, are stored in the schema's
--
SELECT attributes(user_put('people', '2819c223-7f76-453a-919d-413861904646', '{"USERNAME": "bjensen", "NickName": "babs",
	"NAME": {"GIVENNAME": "Barbara"}, "emails": [{"VALUE": "b@example.com", "TYPE": "work"}], "Schemas": [], "ID": "x", "META": {},
	"URN:IETF:PARAMS:SCIM:SCHEMAS:EXTENSION:ENTERPRISE:2.0:USER": {"DEPARTMENT": "D", "manager": {"Value": "m", "$REF": "../Users/m"}}}'));
SELECT attributes(user_patch('people', '2819c223-7f76-453a-919d-413861904646', '{"nickname": null, "name": {"givenNAME": "B", "familyname": "J"}}'));
SELECT document FROM people;
-- one attribute under two names
SELECT r.* FROM unnest(ARRAY['{"userName": "a", "USERNAME": "b"}', '{"userName": "a", "name": {"givenName": "a", "givenname": "a"}}',
		'{"userName": "a", "emails": [{"value": "a", "Value": "b"}]}',
		'{"userName": "a", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": "a", "Division": "b"}}',
		'{"userName": "a", "title": null, "Title": "b"}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	refused(body, '2819c223-7f76-453a-919d-413861904646') r ORDER BY n;
-- unknown ones
SELECT r.* FROM unnest(ARRAY['{"userName": "a", "shoeSize": 1}', '{"userName": "a", "name": {"given": "a"}}', '{"userName": "a", "emails": [{"mail": "a"}]}',
		'{"userName": "a", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"boss": "a"}}',
		'{"userName": "a", "urn:example:Other": {"a": 1}}', '{"userName": "a", "name.givenName": "a"}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	refused(body, '2819c223-7f76-453a-919d-413861904646') r ORDER BY n;

-- "schemas": those of the table, in any case, or none
SELECT r.* FROM unnest(ARRAY['{"userName": "a", "schemas": ["urn:example:Other"]}',
		'{"userName": "a", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"]}',
		'{"userName": "a", "schemas": "urn:ietf:params:scim:schemas:core:2.0:User"}', '{"userName": "a", "schemas": [1]}',
		'{"userName": "a", "schemas": {}}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	refused(body, '2819c223-7f76-453a-919d-413861904646') r ORDER BY n;
SELECT attributes(user_patch('people', '2819c223-7f76-453a-919d-413861904646', jsonb_build_object('schemas', schemas))) IS NOT NULL AS accepted
FROM unnest(ARRAY['null', '[]', '["URN:ietf:params:scim:schemas:core:2.0:user"]',
	'["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]']::jsonb[]) schemas;

--
-- Types and multi-valued attributes
--
SELECT r.* FROM unnest(ARRAY['{"userName": 1}', '{"userName": "a", "active": "true"}', '{"userName": "a", "name": "A"}', '{"userName": "a", "emails": {"value": "a"}}',
		'{"userName": "a", "emails": ["a"]}', '{"userName": "a", "emails": [{"primary": "true"}]}', '{"userName": "a", "title": ["a"]}',
		'{"userName": "a", "x509Certificates": [{"value": "not base64"}]}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	refused(body, '2819c223-7f76-453a-919d-413861904646') r ORDER BY n;
-- one primary value, of whatever attribute
SELECT r.* FROM unnest(ARRAY['{"userName": "a", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}',
		'{"userName": "a", "roles": [{"value": "a", "primary": true}, {"value": "b"}, {"value": "c", "PRIMARY": true}]}']::jsonb[]) WITH ORDINALITY AS b(body, n),
	refused(body, '2819c223-7f76-453a-919d-413861904646') r ORDER BY n;
SELECT r.state, r.message FROM raised($$SELECT put('{"unit": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}')$$) r;
SELECT user_patch('people', '2819c223-7f76-453a-919d-413861904646', '{"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": false}, {"value": "c"}]}') -> 'emails' AS emails;
-- a patch replaces all values
SELECT user_patch('people', '2819c223-7f76-453a-919d-413861904646', '{"emails": [{"value": "d"}]}') -> 'emails' AS emails;
-- an item without values is one all the same: what is read can be sent back
SELECT attributes(user_put('people', '2819c223-7f76-453a-919d-413861904646', '{"userName": "bjensen", "emails": [{"value": "a"}, {}], "roles": [{"value": null}]}'));
SELECT user_put('people', id, user_get('people', id)) = user_get('people', id) AS same FROM people;
-- null and [] are no value, {} is none either
SELECT attributes(user_put('people', '2819c223-7f76-453a-919d-413861904646', '{"userName": "bjensen", "name": {}, "emails": [], "title": null,
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {}}}'));

--
-- Extensions: "schemas" names those that have values
--
SELECT body, user_put('people', '2819c223-7f76-453a-919d-413861904646', body || '{"userName": "bjensen"}') -> 'schemas' AS schemas
FROM unnest(ARRAY['{}', '{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": "a"}}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": null}}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "m"}}}',
	'{"schemas": ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]}']::jsonb[]) WITH ORDINALITY AS b(body, n) ORDER BY n;
SELECT user_patch('people', '2819c223-7f76-453a-919d-413861904646', body) -> 'schemas' AS schemas
FROM unnest(ARRAY['{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": "a", "costCenter": "c"}}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": null}}',
	'{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"costCenter": null}}']::jsonb[]) WITH ORDINALITY AS b(body, n) ORDER BY n;
SELECT document FROM people;
SELECT operation, changed FROM people_history ORDER BY version DESC LIMIT 3;

--
-- Reading: attributes, excludedAttributes, and "returned"
--
SELECT put('{"number": 7, "pin": "1", "badge": "b", "photo": "p", "car": {"plate": "AA", "colour": "red", "key": "k"}, "unit": [{"VALUE": "u1", "label": "U"}, {"value": "u2"}]}') AS answer;
SELECT shown(user_patch('staff', 'ann', '{"name": {"givenName": "Ann", "familyName": "Lee"}, "title": "T", "emails": [{"value": "a@example.com", "type": "work"}, {"type": "home"}]}')) - 'urn:regress:scim:Staff' AS core;
CREATE FUNCTION seen(attributes text[] DEFAULT NULL, excluded text[] DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS $$ SELECT shown(user_get('staff', 'ann', attributes, excluded)) - 'id' - 'schemas' $$;
-- id and schemas always are there
SELECT user_get('staff', 'ann', '{title}') AS of_one, user_get('staff', 'ann', '{}') AS of_none;
SELECT user_get('staff', 'ann', NULL, '{id,schemas,meta,title,name,emails,groups,urn:regress:scim:Staff}') AS excluded;
-- by default all but "never" and "request"
SELECT seen();
-- paths: sub-attributes, of multi-valued attributes too, in any case
SELECT seen('{NAME.familyname,emails.value}');
-- URNs: of an extension with or without an attribute, of the core schema
SELECT seen('{urn:regress:scim:Staff:number,urn:ietf:params:scim:schemas:core:2.0:User:title}');
SELECT seen('{urn:REGRESS:scim:staff}');
SELECT seen('{urn:regress:scim:Staff:unit.label,urn:ietf:params:scim:schemas:core:2.0:User:name.givenName}');
-- "request": when it is named itself
SELECT seen('{urn:regress:scim:Staff:photo,urn:regress:scim:Staff:car.key}');
SELECT seen('{urn:regress:scim:Staff:car}');
-- "always": named or not, excluded or not (below a complex attribute, as long
-- as that is shown); "never": not even named
SELECT seen('{urn:regress:scim:Staff:pin,title}');
SELECT seen(NULL, '{urn:regress:scim:Staff:badge,urn:regress:scim:Staff:car.plate,urn:regress:scim:Staff:unit,meta,emails,groups}');
SELECT seen(NULL, '{urn:regress:scim:staff,meta,emails,groups,name}');
SELECT seen(NULL, '{urn:regress:scim:Staff:car,urn:regress:scim:Staff:number,urn:regress:scim:Staff:balance,urn:regress:scim:Staff:hired,urn:regress:scim:Staff:tags,urn:regress:scim:Staff:unit.value,name.givenName,emails.type,meta.version,groups}');
-- names that mean nothing select nothing
SELECT seen('{shoeSize,name.given,number,urn:example:Other:title,"",.,name.}');
SELECT seen(NULL, '{shoeSize,name.given}') = seen() AS all_there;
SELECT seen('{meta.resourceType}'), seen('{meta}');
-- both together is a mistake, as is a null among them
SELECT r.* FROM raised($$SELECT user_get('staff', 'ann', '{title}', '{name}')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_get('staff', 'ann', '{title,NULL}')$$) r;
SELECT r.* FROM raised($$SELECT user_get('staff', 'bob')$$) r;
-- answers of updates show the default
SELECT put('{"photo": "q"}');
SELECT stored() -> 'photo' AS photo;

DROP TABLE people, staff;
SELECT attribute_schema_drop('urn:regress:scim:Staff');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_scim CASCADE;
DROP ROLE regress_scim;
