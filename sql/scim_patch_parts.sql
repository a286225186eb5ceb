--
-- PatchOp messages whose paths lead into complex values: what these require,
-- the keys of their lists, and lookups, whose two parts go together.
--
SET client_min_messages = warning;
CREATE ROLE regress_patch_parts;
CREATE SCHEMA regress_patch_parts AUTHORIZATION regress_patch_parts;
SET SESSION AUTHORIZATION regress_patch_parts;
SET search_path = regress_patch_parts, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only

SELECT attribute_schema_define('{"id": "urn:regress:parts:User", "attributes": [{"name": "login"},
	{"name": "place", "type": "complex", "subAttributes": [{"name": "city", "required": true}, {"name": "zip"}]},
	{"name": "marks", "type": "complex", "multiValued": true, "key": "k", "subAttributes": [{"name": "k"}, {"name": "v"}]},
	{"name": "currency", "type": "complex", "lookup": [{"value": "EUR", "displayValue": "Euro"}, {"value": "USD", "displayValue": "Dollar"}],
		"subAttributes": [{"name": "value"}, {"name": "displayValue"}, {"name": "note"}]},
	{"name": "units", "type": "complex", "multiValued": true, "subAttributes": [{"name": "unit"},
		{"name": "country", "type": "complex", "required": true, "lookup": [{"value": 1, "displayValue": "One"}, {"value": 2, "displayValue": "Two"}],
			"subAttributes": [{"name": "value", "type": "integer", "required": true}, {"name": "displayValue"}]}]},
	{"name": "speaks", "type": "complex", "multiValued": true, "lookup": [{"value": "de", "displayValue": "German"}, {"value": "fr", "displayValue": "French"}],
		"subAttributes": [{"name": "value"}, {"name": "displayValue"}]}]}');
SELECT attribute_schema_define('{"id": "urn:regress:parts:More", "attributes": [
	{"name": "number", "type": "integer", "required": true}, {"name": "note"}, {"name": "seen", "mutability": "readOnly"}]}');
SELECT api_profile_define('regress_parts', '{"schemas": ["urn:regress:parts:User", "urn:regress:parts:More"]}', base => 'scim');
SELECT user_table_create('people', api => 'regress_parts');

-- The document that operations make of one, or how they are refused.
CREATE FUNCTION patched(before jsonb, VARIADIC operations jsonb[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	DELETE FROM people;
	INSERT INTO people (id, document) VALUES ('ann', before);
	PERFORM user_patch('people', 'ann', jsonb_build_object('schemas', '{urn:ietf:params:scim:api:messages:2.0:PatchOp}'::text[], 'Operations', to_jsonb(operations)));
	RETURN (SELECT document FROM people);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', SQLSTATE, detail::jsonb ->> 'scimType', detail::jsonb ->> 'path') || ': ' || SQLERRM;
END $$;

-- A value that is made part by part has in the end what it requires; an extension, too.
SELECT patched('{}', '{"op": "add", "path": "place.zip", "value": "1"}');
SELECT patched('{}', '{"op": "add", "path": "place.zip", "value": "1"}', '{"op": "add", "path": "place.city", "value": "Ulm"}');
SELECT patched('{}', '{"op": "add", "path": "place.zip", "value": "1"}', '{"op": "remove", "path": "place.zip"}', '{"op": "add", "path": "login", "value": "a"}');
SELECT patched('{}', '{"op": "add", "path": "urn:regress:parts:More:note", "value": "n"}');
SELECT patched('{}', '{"op": "add", "value": {"urn:regress:parts:More": {"note": "n"}}}');
SELECT patched('{}', '{"op": "add", "path": "urn:regress:parts:More", "value": {"note": "n", "number": 1}}');
-- also one that was removed first, unless it stays away or comes back with all
SELECT patched('{"place": {"city": "Ulm"}}', '{"op": "remove", "path": "place"}', '{"op": "add", "path": "place.zip", "value": "1"}');
SELECT patched('{"place": {"city": "Ulm"}}', '{"op": "remove", "path": "place"}', '{"op": "add", "path": "place.zip", "value": "1"}', '{"op": "add", "path": "place.city", "value": "Bonn"}');
SELECT patched('{"place": {"city": "Ulm"}}', '{"op": "remove", "path": "place"}', '{"op": "add", "path": "place.zip", "value": "1"}', '{"op": "remove", "path": "place"}');
SELECT patched('{"urn:regress:parts:More": {"number": 1}}', '{"op": "remove", "path": "urn:regress:parts:More"}', '{"op": "add", "path": "urn:regress:parts:More:note", "value": "n"}');
SELECT patched('{"urn:regress:parts:More": {"number": 1, "seen": "s"}}', '{"op": "remove", "path": "urn:regress:parts:More"}');
-- one that lacked it before does not stand in the way
SELECT patched('{"place": {"zip": "1"}, "urn:regress:parts:More": {"note": "n"}}', '{"op": "add", "path": "place.zip", "value": "2"}', '{"op": "remove", "path": "urn:regress:parts:More:note"}');

-- A single value that a filter does not select is not made, least of all as a list.
SELECT patched('{}', '{"op": "add", "path": "place[city eq \"Ulm\"]", "value": {"zip": "1"}}');
SELECT patched('{}', '{"op": "add", "path": "place[city eq \"Ulm\"].zip", "value": "1"}');
SELECT patched('{"place": {"city": "Bonn"}}', '{"op": "add", "path": "place[city eq \"Bonn\"]", "value": {"zip": "1"}}');

-- A key stands for one item of a list, and each item has one.
SELECT patched('{"marks": [{"k": "a", "v": "1"}]}', '{"op": "add", "path": "marks", "value": [{"k": "A", "v": "2"}]}');
SELECT patched('{"marks": [{"k": "a", "v": "1"}, {"k": "b"}]}', '{"op": "replace", "path": "marks[k eq \"b\"].k", "value": "a"}');
SELECT patched('{"marks": [{"k": "a"}]}', '{"op": "add", "path": "marks", "value": {"v": "1"}}');
SELECT patched('{"marks": [{"k": "a", "v": "1"}]}', '{"op": "remove", "path": "marks.k"}');
SELECT patched('{"marks": [{"k": "a", "v": "1"}]}', '{"op": "add", "path": "marks", "value": [{"k": "b"}]}');

-- Of a lookup, what is displayed goes with the value.
SELECT patched('{"currency": {"value": "EUR", "displayValue": "Euro", "note": "n"}}', '{"op": "replace", "path": "currency.value", "value": "USD"}');
SELECT patched('{"currency": {"value": "EUR", "displayValue": "Euro"}}', '{"op": "replace", "path": "currency.displayValue", "value": "dollar"}');
SELECT patched('{"currency": {"value": "EUR", "displayValue": "Euro"}}', '{"op": "replace", "path": "currency.value", "value": "GBP"}');
SELECT patched('{"currency": {"value": "EUR", "displayValue": "Euro"}}', '{"op": "remove", "path": "currency.value"}');
SELECT patched('{"currency": {"value": "EUR", "displayValue": "Euro"}}', '{"op": "remove", "path": "currency.displayValue"}');
SELECT patched('{"currency": {"value": "EUR", "displayValue": "Euro"}}', '{"op": "add", "path": "currency.note", "value": "n"}');
SELECT patched('{}', '{"op": "add", "path": "currency.displayValue", "value": "Euro"}');
-- whatever is displayed beside it
SELECT patched(before, '{"op": "add", "path": "currency", "value": {"VALUE": "USD", "displayvalue": 7}}') FROM unnest(ARRAY['{}', '{"currency": {"value": "EUR", "displayValue": "Euro"}}', '{"currency": {"value": "USD", "displayValue": "Dollar"}}']::jsonb[]) before;
-- in lists and below them
SELECT patched('{"units": [{"unit": "u", "country": {"value": 1, "displayValue": "One"}}]}', '{"op": "replace", "path": "units.country.value", "value": 2}');
SELECT patched('{"units": [{"unit": "u", "country": {"value": 1, "displayValue": "One"}}]}', '{"op": "replace", "path": "units[unit eq \"u\"].country.value", "value": 3}');
SELECT patched('{"units": [{"unit": "u", "country": {"value": 1, "displayValue": "One"}}]}', '{"op": "remove", "path": "units.country.value"}');
SELECT patched('{"speaks": [{"value": "de", "displayValue": "German"}]}', '{"op": "add", "path": "speaks[value eq \"de\"]", "value": {"value": "fr"}}');
SELECT patched('{"speaks": [{"value": "de", "displayValue": "German"}]}', '{"op": "replace", "path": "speaks[value eq \"de\"].displayValue", "value": "French"}');

-- Below an attribute of any shape names are free, also behind a filter; below a string there are none.
SELECT attribute_schema_define('{"id": "urn:regress:parts:Any", "attributes": [{"name": "login"},
	{"name": "rows", "type": "complex", "multiValued": true, "subAttributes": [{"name": "k"}, {"name": "v", "type": "any"}]}]}');
SELECT api_profile_define('regress_parts_any', '{"schemas": ["urn:regress:parts:Any"], "unknown_attributes": "keep"}', base => 'scim');
DROP TABLE people;
SELECT user_table_create('people', schemas => '{urn:regress:parts:Any}', api => 'scim');
SELECT patched('{"rows": [{"k": "a"}]}', '{"op": "add", "path": "rows[k eq \"a\"].v.x.y", "value": 1}', '{"op": "add", "path": "rows.v.z", "value": 2}');
SELECT patched('{"rows": [{"k": "a"}]}', '{"op": "add", "path": "rows[k eq \"a\"].k.x", "value": 1}');
DROP TABLE people;
SELECT user_table_create('people', api => 'regress_parts_any');
SELECT patched('{"rows": [{"k": "a"}]}', '{"op": "add", "path": "rows[k eq \"a\"].more.x", "value": 1}', '{"op": "add", "path": "more.x", "value": 2}');
SELECT patched('{"rows": [{"k": "a"}]}', '{"op": "add", "path": "rows[k eq \"a\"].k.x", "value": 1}');
SELECT patched('{"login": "a"}', '{"op": "add", "path": "login.x", "value": 1}');
SELECT patched('{"login": "a"}', '{"op": "add", "value": {"login.x": 1}}');

-- No path makes a document that cannot be read again.
SELECT left(regexp_replace(patched('{}', jsonb_build_object('op', 'add', 'path', 'm' || repeat('.m', n - 1), 'value', 1)), '("m": \{)+', '... '), 60) FROM unnest(ARRAY[255, 256, 257, 5000]) n;
SELECT left(patched('{"more": {}}', jsonb_build_object('op', 'add', 'path', 'more.m', 'value', (repeat('[', 200) || repeat(']', 200))::jsonb),
	jsonb_build_object('op', 'add', 'path', 'more.n' || repeat('.n', 99), 'value', (repeat('[', 200) || repeat(']', 200))::jsonb)), 60);

DROP TABLE people;
SELECT api_profile_drop('regress_parts_any'), attribute_schema_drop('urn:regress:parts:Any');
SELECT api_profile_drop('regress_parts');
SELECT attribute_schema_drop('urn:regress:parts:User'), attribute_schema_drop('urn:regress:parts:More');
--
-- The only value is the primary one where a rule says so; one that is added to others is not
--
SELECT api_profile_define('regress_parts_primary', '{"rules": {"emails.primary": {"primaryWhenOnly": true}}}', base => 'scim');
SELECT user_table_create('primaries', 'regress_parts_primary');
SELECT user_create('primaries', '{"userName": "p"}', 'p') ->> 'userName';
CREATE FUNCTION patch_emails(operation jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT user_patch('primaries', 'p', jsonb_build_object('schemas', jsonb_build_array('urn:ietf:params:scim:api:messages:2.0:PatchOp'),
		'Operations', jsonb_build_array(operation))) -> 'emails' $$;
SELECT patch_emails('{"op": "add", "path": "emails", "value": [{"value": "a@example.com"}]}');
SELECT patch_emails('{"op": "add", "path": "emails", "value": [{"value": "a@example.com"}]}');
SELECT patch_emails('{"op": "add", "path": "emails", "value": [{"value": "b@example.com", "type": "home"}]}');
SELECT patch_emails('{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "c@example.com", "type": "home"}}');
SELECT patch_emails('{"op": "remove", "path": "emails[primary eq true]"}');
SELECT patch_emails('{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "d@example.com"}}');
SELECT patch_emails('{"op": "add", "path": "emails", "value": [{"value": "e@example.com"}]}');
SELECT patch_emails('{"op": "remove", "path": "emails", "value": [{"value": "d@example.com"}]}');

-- one that was stored without the rule stays as it is when nothing is added or removed
SELECT user_put('primaries', 'p', '{"userName": "p", "emails": [{"value": "a@example.com"}]}', api => 'scim') -> 'emails';
SELECT patch_emails('{"op": "add", "path": "emails", "value": [{"value": "a@example.com"}]}');
SELECT patch_emails('{"op": "remove", "path": "emails[type eq \"home\"]"}');
SELECT patch_emails('{"op": "remove", "path": "emails", "value": [{"value": "b@example.com"}]}');

-- the stored document is not touched while a new one is made: these operations together change nothing
\set two '[{"value": "a@example.com", "type": "work", "display": "A", "extra": 1}, {"value": "b@example.com", "type": "home", "display": "B", "extra": 1}]'
SELECT api_profile_define('regress_parts_keep', '{"unknown_attributes": "keep"}', base => 'regress_parts_primary');
SELECT user_put('primaries', 'p', jsonb_build_object('userName', 'p', 'emails', :'two'::jsonb), api => 'regress_parts_keep') -> 'emails' = :'two'::jsonb;
SELECT user_version('primaries', 'p') AS version \gset
SELECT user_patch('primaries', 'p', jsonb_build_object('schemas', jsonb_build_array('urn:ietf:params:scim:api:messages:2.0:PatchOp'),
	'Operations', jsonb_build_array(
		'{"op": "remove", "path": "emails[type eq \"home\"]"}'::jsonb,
		'{"op": "add", "path": "photos", "value": [{"value": "https://example.com/1", "type": "photo", "display": "P"},
			{"value": "https://example.com/2", "type": "photo", "display": "P"}]}'::jsonb,
		'{"op": "remove", "path": "photos"}'::jsonb,
		jsonb_build_object('op', 'replace', 'path', 'emails', 'value', :'two'::jsonb))), api => 'regress_parts_keep') -> 'emails' = :'two'::jsonb;
SELECT user_version('primaries', 'p') = :version;
DROP TABLE primaries;
DROP FUNCTION patch_emails;
SELECT api_profile_drop('regress_parts_keep');
SELECT api_profile_drop('regress_parts_primary');

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_patch_parts CASCADE;
DROP ROLE regress_patch_parts;
