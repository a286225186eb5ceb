--
-- Oracle Identity Governance: one user as a list of fields
--
SET client_min_messages = warning;
CREATE ROLE regress_oig;
CREATE SCHEMA regress_oig AUTHORIZATION regress_oig;
SET SESSION AUTHORIZATION regress_oig;
SET search_path = regress_oig, userstore;
RESET client_min_messages;
\pset format unaligned

-- prints the error of a command as SQLSTATE, message, DETAIL and HINT
CREATE FUNCTION answer(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
	hint text;
BEGIN
	EXECUTE 'SELECT (' || command || ')::text' INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- links as on the page: the base URL is the profile's
SELECT api_profile_define('regress_oig', '{"base_url": "http://pseudo.com:PORT/iam/governance/selfservice/api/v1/"}', base => 'oig');
SELECT user_table_create('people', api => 'regress_oig');
SELECT user_create('people', '{"fields": [{"name": "User Login", "value": "ANN"}, {"name": "First Name", "value": "Ann"},
	{"name": "Email", "value": "ann@example.com"}, {"name": "Start Date", "value": "2026-01-31T00:00:00Z"}]}', '24');

-- the page's fields: only those that are sent change, and only they are shown
SELECT user_put('people', '24', '{"fields": [{"name": "First Name", "value": "UpdatedFN"}]}');
SELECT user_get('people', '24');
SELECT document FROM people;
SELECT version, operation, changed FROM people_history ORDER BY version;

-- an item of the bulk request does as a body too; its id is that of the user
SELECT user_put('people', '24', '{"requestId": "123", "id": "24", "fields": [{"name": "First Name", "value": "Ann"}]}');
SELECT answer($$user_put('people', '24', '{"id": "25", "fields": [{"name": "First Name", "value": "X"}]}')$$);

-- a name twice: the last wins; names in any case; null clears
SELECT user_put('people', '24', '{"fields": [{"name": "Title", "value": "A"}, {"name": "title", "value": "B"}]}');
SELECT user_put('people', '24', '{"fields": [{"name": "Title", "value": "A"}, {"name": "Title", "value": "C"}]}');
SELECT user_put('people', '24', '{"fields": [{"name": "TITLE", "value": null}]}');

-- PATCH with add, update and delete
SELECT user_patch('people', '24', '{"add": [{"name": "Title", "value": "Dr"}], "update": [{"name": "Email", "value": "a@example.com"}],
	"delete": [{"name": "Start Date"}]}');
SELECT document FROM people;
SELECT user_get('people', '24', attributes => '{Email, "User Login"}');

-- what is wrong with fields
SELECT body, answer(format($$user_put('people', '24', %L)$$, body)) FROM (VALUES
	('{}'), ('[]'), ('{"fields": {}}'), ('{"fields": [1]}'), ('{"fields": [{"value": 1}]}'), ('{"fields": [{"name": 1, "value": 1}]}'),
	('{"fields": [{"name": "Title"}]}'), ('{"First Name": "Ann"}'), ('{"fields": [{"name": "Shoe Size", "value": 1}]}'),
	('{"fields": [{"name": "Title", "value": 1}]}'), ('{"fields": [{"name": "Start Date", "value": "31.1.2026"}]}'),
	('{"fields": [{"name": "User Login", "value": null}]}'), ('{"fields": [{"name": "User Login", "value": ""}]}')) b(body);
SELECT answer($$user_put('people', '9999', '{"fields": [{"name": "First Name", "value": "UpdatedFN1"}]}')$$);
SELECT user_create('people', '{"fields": [{"name": "User Login", "value": "BOB"}]}', 'b') -> 'fields';
SELECT answer($$user_put('people', 'b', '{"fields": [{"name": "User Login", "value": "ann"}]}')$$);

-- the same request under its key; no base URL, no link
SELECT user_put('people', '24', '{"fields": [{"name": "Title", "value": "Prof"}]}', idempotency_key => 'k') =
	user_put('people', '24', '{"fields": [{"value": "Prof", "name": "Title"}]}', idempotency_key => 'k') AS same;
SELECT user_version('people', '24');
SELECT user_put('people', '24', '{"fields": [{"name": "Title", "value": "Prof"}]}', api => 'oig');

-- the fields of another schema: names of fields for its paths
SELECT api_profile_define('regress_oig_names', '{"base_url": "https://id.example.com/v1", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"], "names": {"User Login": "userName", "First Name": "name.givenName", "Last Name": "name.familyName",
	"Employee Number": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"}}', base => 'oig');
SELECT user_table_create('staff', api => 'scim');
SELECT user_create('staff', '{"userName": "ann", "name": {"givenName": "Ann", "familyName": "Lee"}, "title": "Dr"}', '1') -> 'userName';
SELECT user_put('staff', '1', '{"fields": [{"name": "first name", "value": "Anna"}, {"name": "Employee Number", "value": "7"}]}', api => 'regress_oig_names');
SELECT user_get('staff', '1', api => 'regress_oig_names');
SELECT document FROM staff;
SELECT user_patch('staff', '1', '{"delete": [{"name": "Last Name"}]}', api => 'regress_oig_names');
SELECT document -> 'name' FROM staff;
SELECT jsonb_pretty(users_bulk_put('staff', '{"users": [{"id": "1", "fields": [{"name": "User Login", "value": null}]}, {"id": "1", "fields": [{"name": "title", "value": "X"}]},
	{"id": "1", "fields": [{"name": "Shoe Size", "value": 1}]}, {"id": "1", "fields": [{"name": "First Name", "value": 1}]},
	{"id": "1", "fields": [{"name": "Last Name", "value": "Li"}]}]}', api => 'regress_oig_names') -> 'users');
SELECT answer($$api_profile_define('regress_oig_wrong', '{"names": {"Shoe Size": "shoe"}}', base => 'oig')$$);
SELECT answer($$api_profile_define('regress_oig_wrong', '{"names": {"Shoe Size": 1}}', base => 'oig')$$);
SELECT answer($$api_profile_define('regress_oig_wrong', '{"names": ["Title"]}', base => 'oig')$$);
DROP TABLE staff;
SELECT api_profile_drop('regress_oig_names');

--
-- Every field, under the name that people call it by
--
CREATE TABLE field (name text, value jsonb, wrong jsonb);
INSERT INTO field SELECT name, to_jsonb(lower(name)), '1' FROM unnest('{User Login,First Name,Middle Name,Last Name,Display Name,Email,Title,Role,
	Organization Name,Employee Number,Department Number,Telephone Number,Home Phone,Street,Locality Name,Country,usr_locale,Manager Login}'::text[]) name;
INSERT INTO field VALUES ('Start Date', '"2026-01-31T00:00:00Z"', '"31.1.2026"'), ('End Date', '"2026-12-31T23:59:59+01:00"', '20261231');
CREATE FUNCTION one(name text, value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
	$$SELECT jsonb_build_object('fields', jsonb_build_array(jsonb_build_object('name', name, 'value', value)))$$;
SELECT count(user_create('people', (SELECT jsonb_build_object('fields', jsonb_agg(jsonb_build_object('name', name, 'value', value))) FROM field), 'c')) AS created;
SELECT count(*) AS fields, bool_and(shown = jsonb_build_object('name', f.name, 'value', f.value)) AS shown, (SELECT count(*) FROM jsonb_object_keys(document)) AS stored
FROM people p, jsonb_array_elements(user_get('people', 'c') -> 'fields') shown JOIN field f ON f.name = shown ->> 'name' WHERE p.id = 'c' GROUP BY p.document;
-- the schema has no other but those that PUT /users/{id}/status sets
SELECT a ->> 'name' FROM attribute_schema, jsonb_array_elements(document -> 'attributes') a WHERE id = 'urn:userstore:params:schemas:oig:User'
EXCEPT SELECT name FROM field;
-- each refuses another type, and is cleared alone
SELECT count(*) AS fields, count(*) FILTER (WHERE answer(format($$user_put('people', 'c', %L)$$, one(name, wrong))) LIKE 'PT400 attribute "' || name || '" must be %') AS refused FROM field;
SELECT count(*) AS fields, count(*) FILTER (WHERE user_put('people', 'c', one(name, null)) -> 'fields' = one(name, null) -> 'fields') AS cleared
FROM field WHERE name <> 'User Login';
-- each by a version of its own
SELECT document, version FROM people WHERE id = 'c';

DROP TABLE people;
SELECT api_profile_drop('regress_oig');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_oig CASCADE;
DROP ROLE regress_oig;
