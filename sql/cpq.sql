--
-- Oracle CPQ, version 19: PUT that creates and sets defaults, lookups and their
-- lists, nested groups and permissions, what is answered and shown
--
SET client_min_messages = warning;
CREATE ROLE regress_cpq;
CREATE ROLE regress_cpq_other;
CREATE SCHEMA regress_cpq AUTHORIZATION regress_cpq;
GRANT USAGE ON SCHEMA regress_cpq TO regress_cpq_other;
SET SESSION AUTHORIZATION regress_cpq;
SET search_path = regress_cpq, userstore;
RESET client_min_messages;
\pset format unaligned
\pset null NULL

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
SELECT user_table_create('people', api => 'cpq');
CREATE FUNCTION stored(user_id text) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT document FROM people WHERE id = user_id';

--
-- PUT creates, and the second time replaces; what is left out has its default
--
SELECT user_put('people', '300100', '{"login": "ann", "firstName": "Ann", "lastName": "Ashe", "email": "ann@example.com",
	"isMobileEnabled": true, "jobTitle": "Buyer", "units": {"value": 1, "displayValue": "Metric"}}');
SELECT jsonb_pretty(stored('300100'));
SELECT user_put('people', '300100', '{"login": "ann", "firstName": "Ann", "isWebServicesOnly": true}');
SELECT jsonb_pretty(stored('300100'));
-- null clears: it is no default
SELECT user_put('people', '300100', '{"login": "ann", "isMobileEnabled": null}');
SELECT stored('300100') ? 'isMobileEnabled' AS mobile, stored('300100') -> 'isProxyPermEnabled' AS proxy;
SELECT version, operation, changed FROM people_history ORDER BY version;

-- PATCH leaves the rest
SELECT user_put('people', '300100', '{"login": "ann", "firstName": "Ann", "lastName": "Ashe", "isProxyPermEnabled": true}');
SELECT user_patch('people', '300100', '{"lastName": "Berg", "isMobileEnabled": true}');
SELECT user_patch('people', '300100', '{"FIRSTNAME": null}');
SELECT jsonb_pretty(stored('300100'));
SELECT changed FROM people_history WHERE operation = 'patch' ORDER BY version;
SELECT answer($$user_patch('people', '300101', '{"login": "bob"}')$$);  -- only PUT creates

SELECT user_put('people', '300101', '{"login": "bob"}');
SELECT answer($$user_put('people', '300101', '{"login": "ANN"}')$$);

-- misspelled as in the page's prose; an attribute's own type
SELECT body, answer(format($$user_put('people', '300100', %L)$$, body)) FROM (VALUES
	('{"isAccessAdminPremEnabled": true}'), ('{"isAccessAdminPermEnabled": "true"}'), ('{"login": 1}'), ('{"groups": []}'),
	('{"groups": {"items": {}}}'), ('[]'), ('{"id": "300101"}')) b(body);

-- never deleted, only inactivated
SELECT answer($$user_delete('people', '300100')$$);

--
-- Lookups without a list: what is sent is stored, if its type is right
--
CREATE TABLE example (path text, value jsonb, display text, unknown jsonb, wrong_type jsonb);
INSERT INTO example VALUES
	('currency', '"EUR"', 'Euro', '"XXX"', '1'),
	('dateFormat', '3', 'dd/MM/yyyy HH:mm', '99', '"3"'),
	('enabledForSso', '"1"', 'Yes', '"9"', '1'),
	('groups.items.status', '1', 'Active', '9', '"1"'),
	('groups.items.type', '2', 'Sales', '9', 'true'),
	('language', '"de"', 'German', '"xx"', '[]'),
	('numberFormat', '2', '1.000,00', '9', '"2"'),
	('status', '1', 'Active', '9', '"1"'),
	('timeZone', '27', 'Europe/Berlin', '99', '"27"'),
	('type', '"F"', 'Full Access', '"X"', '1'),
	('units', '1', 'Metric', '9', '{}');
CREATE FUNCTION around(path text, value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN path LIKE 'groups.items.%'
		THEN jsonb_build_object('groups', jsonb_build_object('items', jsonb_build_array(jsonb_build_object(split_part(path, '.', 3), value))))
		ELSE jsonb_build_object(path, value) END $$;
CREATE FUNCTION inside(path text, document jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT document #> string_to_array(replace(path, 'items.', 'items.0.'), '.') $$;
-- what a PUT with this value stores, or why it is refused
CREATE FUNCTION put_lookup(path text, value jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	refused text := answer(format('user_put(''people'', ''300200'', %L)', around(path, value)));
BEGIN
	RETURN CASE WHEN refused = '{}' THEN coalesce(inside(path, stored('300200'))::text, 'nothing') ELSE refused END;
END
$$;
SELECT path, put_lookup(path, jsonb_build_object('value', value)) AS by_value,
	put_lookup(path, jsonb_build_object('displayValue', display)) AS by_display_value,
	put_lookup(path, jsonb_build_object('value', value, 'displayValue', 'any')) AS by_both,
	put_lookup(path, jsonb_build_object('value', unknown)) AS unknown
FROM example ORDER BY path;
SELECT path, put_lookup(path, jsonb_build_object('value', wrong_type)) AS wrong_type FROM example ORDER BY path;
SELECT path, put_lookup(path, value) AS bare FROM example ORDER BY path;
SELECT put_lookup('status', '{"displayValue": 1}'), put_lookup('status', '{"value": 1, "code": 2}'), put_lookup('status', '{"value": null}'), put_lookup('status', '{}');
-- PATCH: what is displayed goes with the value
SELECT user_put('people', '300200', '{"currency": {"value": "EUR", "displayValue": "Euro"}}');
SELECT user_patch('people', '300200', '{"currency": {"displayValue": "euro"}}');
SELECT stored('300200') -> 'currency' AS another_display_value;
SELECT user_patch('people', '300200', '{"currency": {"value": "EUR"}}');
SELECT stored('300200') -> 'currency' AS same_value;
SELECT user_patch('people', '300200', '{"currency": {"value": "USD"}}');
SELECT stored('300200') -> 'currency' AS another_value;
SELECT user_patch('people', '300200', '{"currency": {"value": null}}');
SELECT stored('300200') ? 'currency' AS cleared;

--
-- With a list: the value decides, or a displayValue alone
--
CREATE FUNCTION define_lists() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(attribute_lookup_define('people', path, jsonb_build_array(
		jsonb_build_object('value', CASE jsonb_typeof(value) WHEN 'number' THEN '0'::jsonb ELSE '"0"' END, 'displayValue', 'None'),
		jsonb_build_object('value', value, 'displayValue', display))))
	FROM example $$;
SELECT define_lists();
SELECT path, put_lookup(path, jsonb_build_object('value', value)) AS by_value,
	put_lookup(path, jsonb_build_object('displayValue', display)) AS by_display_value,
	put_lookup(path, jsonb_build_object('value', value, 'displayValue', 'any')) AS by_both
FROM example ORDER BY path;
SELECT path, put_lookup(path, jsonb_build_object('value', unknown)) AS unknown FROM example ORDER BY path;
SELECT path, put_lookup(path, jsonb_build_object('value', unknown, 'displayValue', display)) AS unknown_with_display_value FROM example WHERE path IN ('currency', 'status');
SELECT path, put_lookup(path, '{"displayValue": "any"}') AS unknown_display_value FROM example ORDER BY path;
SELECT path, put_lookup(path, jsonb_build_object('value', wrong_type)) AS wrong_type FROM example ORDER BY path;
SELECT path, put_lookup(path, value) AS bare FROM example WHERE path IN ('currency', 'groups.items.type') ORDER BY path;
-- numbers by value; displayValue in any case, as its schema says, but codes exactly
SELECT put_lookup('status', '{"value": 1.0}'), put_lookup('currency', '{"displayValue": "EURO"}');
SELECT put_lookup('currency', '{"value": "eur"}');
SELECT put_lookup('status', '{"displayValue": 1}');
SELECT put_lookup('status', '{"value": null, "displayValue": "active"}'), put_lookup('status', '{"value": null}'), put_lookup('status', '{}');
-- PATCH: by value, by displayValue; clearing one of the two
SELECT user_put('people', '300200', '{"status": {"value": 1}}');
SELECT user_patch('people', '300200', '{"status": {"displayValue": "none"}}');
SELECT stored('300200') -> 'status' AS by_display_value;
SELECT user_patch('people', '300200', '{"status": {"value": 1}}');
SELECT stored('300200') -> 'status' AS by_value;
SELECT user_patch('people', '300200', '{"status": {"displayValue": null}}');
SELECT stored('300200') -> 'status' AS filled_in_again;
SELECT answer($$user_patch('people', '300200', '{"status": {"value": 2}}')$$);
SELECT answer($$user_patch('people', '300200', '{"status": {"displayValue": "Gone"}}')$$);
SELECT answer($$user_patch('people', '300200', '{"status": "Active"}')$$);
SELECT user_patch('people', '300200', '{"status": {"VALUE": null}}');
SELECT stored('300200') ? 'status' AS cleared;

-- a profile that may change the value changes what is displayed for it
SELECT api_profile_define('regress_cpq_writable', '{"writable": ["status.value"]}', base => 'cpq');
SELECT user_put('people', '300200', '{"status": {"value": 1}}', api => 'regress_cpq_writable');
SELECT stored('300200') -> 'status' AS put;
SELECT user_patch('people', '300200', '{"status": {"value": 0}}', api => 'regress_cpq_writable');
SELECT stored('300200') -> 'status' AS patched;
SELECT user_patch('people', '300200', '{"status": null}', api => 'regress_cpq_writable');
SELECT stored('300200') ? 'status' AS cleared;
SELECT api_profile_define('regress_cpq_writable', '{"writable": ["login"]}', base => 'cpq');
SELECT answer($$user_patch('people', '300200', '{"status": {"value": 0}}', api => 'regress_cpq_writable')$$);
SELECT api_profile_drop('regress_cpq_writable');

-- the hint names some of a long list
SELECT attribute_lookup_define('people', 'timeZone', (SELECT jsonb_agg(jsonb_build_object('value', n, 'displayValue', 'Zone ' || n) ORDER BY n) FROM generate_series(1, 600) n));
SELECT put_lookup('timeZone', '{"displayValue": "zone 587"}'), put_lookup('timeZone', '{"value": 13}');
SELECT put_lookup('timeZone', '{"value": 601}');

-- what is stored stays when a list changes, until the attribute is sent again
SELECT put_lookup('currency', '{"value": "EUR"}');
SELECT attribute_lookup_define('people', 'currency', '[{"value": "EUR", "displayValue": "Euros"}, {"value": "USD", "displayValue": "US Dollar"}]');
SELECT user_patch('people', '300200', '{"login": "carl"}');
SELECT stored('300200') -> 'currency' AS as_stored;
SELECT user_patch('people', '300200', '{"currency": {"value": "EUR"}}');
SELECT stored('300200') -> 'currency' AS sent_again;
SELECT attribute_lookup_define('people', 'currency', '[{"value": "USD", "displayValue": "US Dollar"}]');
SELECT user_patch('people', '300200', '{"login": "cyd"}');
SELECT stored('300200') -> 'currency' AS no_longer_there;
SELECT answer($$user_put('people', '300200', '{"currency": {"value": "EUR"}}')$$);
-- a list counts from its transaction's point on, and no longer than that
BEGIN;
SELECT attribute_lookup_define('people', 'currency', '[{"value": "EUR", "displayValue": "Euro"}]');
SELECT put_lookup('currency', '{"value": "EUR"}'), put_lookup('currency', '{"value": "USD"}');
ROLLBACK;
SELECT put_lookup('currency', '{"value": "EUR"}'), put_lookup('currency', '{"value": "USD"}');

--
-- attribute_lookup_define
--
-- what cannot be a list
SELECT path, list, answer(format('attribute_lookup_define(''people'', %L, %L)', path, list)) FROM (VALUES
	('status', '{"value": 1, "displayValue": "One"}'), ('status', '1'), ('status', 'null'), ('status', '[1]'), ('status', '[{"value": 1}]'), ('status', '[{"displayValue": "One"}]'),
	('status', '[{"value": 1, "displayvalue": "One"}]'),
	('status', '[{"value": "1", "displayValue": "One"}]'), ('status', '[{"value": 1, "displayValue": 1}]'), ('status', '[{"value": null, "displayValue": "None"}]'),
	('status', '[{"value": 1, "displayValue": null}]'), ('status', '[{"value": [1], "displayValue": "One"}]'),
	('currency', '[{"value": "EUR", "displayValue": "Euro"}, {"value": 1, "displayValue": "One"}]'),
	('status', '[{"value": 1, "displayValue": "One"}, {"value": 1.0, "displayValue": "Two"}]'),
	('currency', '[{"value": "EUR", "displayValue": "Euro"}, {"value": "USD", "displayValue": "Dollar"}, {"value": "EUR", "displayValue": "Euros"}]'),
	('groups.items.status', '[{"value": 1, "displayValue": "One"}, {"value": 2, "displayValue": "ONE"}]'),
	('firstName', '[{"value": 1, "displayValue": "One"}]'), ('isMobileEnabled', '[{"value": true, "displayValue": "Yes"}]'), ('groups', '[{"value": 1, "displayValue": "One"}]'),
	('groups.items.company', '[{"value": 1, "displayValue": "One"}]'), ('status.value', '[{"value": 1, "displayValue": "One"}]'),
	('state', '[{"value": 1, "displayValue": "One"}]'), ('groups.status', '[{"value": 1, "displayValue": "One"}]'), ('', '[{"value": 1, "displayValue": "One"}]'),
	('state', '[]'), ('state', NULL)) d(path, list);
SELECT answer(command) FROM unnest(ARRAY['attribute_lookup_define(NULL, ''status'', ''[]'')', 'attribute_lookup_define(''people'', NULL, ''[]'')',
	'attribute_lookup_define(''people_history'', ''status'', ''[]'')', 'attribute_lookup_define(''example'', ''status'', ''[]'')']) command;
-- codes are exact where their attribute says so: two of them
SELECT attribute_lookup_define('people', 'currency', '[{"value": "eur", "displayValue": "Old euro"}, {"value": "EUR", "displayValue": "Euro"}]');
SELECT put_lookup('currency', '{"value": "eur"}'), put_lookup('currency', '{"value": "EUR"}');
-- under the name that the schema has
SELECT attribute_lookup_define('people', 'urn:userstore:params:schemas:cpq:19:User:GROUPS.Items.STATUS', '[{"value": 5, "displayValue": "Five"}]');
SELECT path, jsonb_array_length(lookup) AS entries, lookup -> 0 AS first FROM attribute_lookup WHERE users = 'people'::regclass ORDER BY path;
-- taken away, in either way, also where there is none
SELECT attribute_lookup_define('people', 'CURRENCY', '[]'), attribute_lookup_define('people', 'units', NULL), attribute_lookup_define('people', 'units', NULL);
SELECT put_lookup('currency', '{"value": "XXX"}'), put_lookup('units', '{"value": 9}');
-- readable by all; written by the function, for the table's owner
SET SESSION AUTHORIZATION regress_cpq_other;
SELECT count(*) FROM attribute_lookup WHERE users = 'regress_cpq.people'::regclass;
SELECT attribute_lookup_define('people', 'units', '[{"value": 1, "displayValue": "Metric"}]');
INSERT INTO attribute_lookup VALUES ('people', 'units', '[]');
SET SESSION AUTHORIZATION regress_cpq;
DELETE FROM attribute_lookup;  -- not even the owner of the table
-- a table without schemas has no lookups
SELECT user_table_create('things');
SELECT answer($$attribute_lookup_define('things', 'status', '[{"value": 1, "displayValue": "One"}]')$$);

-- a table's list wins over the schema's and over a rule's; taken away, the schema's counts again
SELECT attribute_schema_define('{"id": "urn:regress:cpq", "attributes": [{"name": "size", "type": "complex", "lookup": [{"value": 1, "displayValue": "Small"}],
	"subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}, {"name": "note"}]}, {"name": "other"}]}');
SELECT api_profile_define('regress_cpq', '{"schemas": ["urn:regress:cpq"], "unknown_attributes": "reject"}', base => 'plain');
SELECT api_profile_define('regress_cpq_rule', '{"rules": {"size": {"lookup": [{"value": 2, "displayValue": "Rule"}]}}}', base => 'regress_cpq');
SELECT user_table_create('sizes', api => 'regress_cpq');
SELECT user_put('sizes', 'a', '{"size": {"value": 1, "note": "n"}}') -> 'size' AS schemas, answer($$user_put('sizes', 'a', '{"size": {"value": 3}}')$$);
SELECT user_put('sizes', 'a', '{"size": {"value": 2}}', api => 'regress_cpq_rule') -> 'size' AS rules;
SELECT attribute_lookup_define('sizes', 'size', '[{"value": 3, "displayValue": "Large"}]');
SELECT user_put('sizes', 'a', '{"size": {"value": 3, "note": "n"}}') -> 'size' AS tables, answer($$user_put('sizes', 'a', '{"size": {"value": 1}}')$$),
	answer($$user_put('sizes', 'a', '{"size": {"value": 2}}', api => 'regress_cpq_rule')$$);
-- a dry run of a schema judges by the table's lists
SELECT users, id, path, message FROM attribute_schema_define('{"id": "urn:regress:cpq", "attributes": [{"name": "size", "type": "complex",
	"subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}]}]}', dry_run => true);
SELECT attribute_lookup_define('sizes', 'size', '[{"value": 4, "displayValue": "Huge"}]');
SELECT users, id, path, message FROM attribute_schema_define('{"id": "urn:regress:cpq", "attributes": [{"name": "size", "type": "complex",
	"subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}]}]}', dry_run => true);
-- parts beside the two stay in a PATCH
SELECT user_patch('sizes', 'a', '{"size": {"displayValue": "huge"}}') -> 'size' AS patched;
SELECT attribute_lookup_define('sizes', 'size', NULL);
SELECT user_put('sizes', 'a', '{"size": {"value": 1}}') -> 'size' AS schemas;
-- a schema that the list does not go with: the error says so, and it can be mended; one that lost the attribute passes over it
SELECT attribute_lookup_define('sizes', 'size', '[{"value": 4, "displayValue": "Huge"}]');
SELECT attribute_schema_define('{"id": "urn:regress:cpq", "attributes": [{"name": "size", "type": "complex", "subAttributes": [{"name": "value"}, {"name": "displayValue"}]}, {"name": "other"}]}');
SELECT answer($$user_put('sizes', 'a', '{"other": "x"}')$$);
SELECT attribute_lookup_define('sizes', 'size', '[{"value": "4", "displayValue": "Huge"}]');
SELECT user_put('sizes', 'a', '{"size": {"displayValue": "Huge"}}') -> 'size' AS mended;
SELECT attribute_schema_define('{"id": "urn:regress:cpq", "attributes": [{"name": "other"}]}');
SELECT user_put('sizes', 'a', '{"other": "x"}') -> 'other' AS passed_over;
SELECT attribute_lookup_define('sizes', 'size', NULL), answer($$attribute_lookup_define('sizes', 'size', NULL)$$);
-- lists of lookups, merged by their key or replaced
SELECT attribute_schema_define('{"id": "urn:regress:cpq", "attributes": [{"name": "size", "type": "complex", "multiValued": true, "key": "value", "lookup": [],
	"subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}]}]}');
SELECT attribute_lookup_define('sizes', 'size', '[{"value": 1, "displayValue": "Small"}, {"value": 2, "displayValue": "Large"}]');
SELECT user_put('sizes', 'b', '{"size": [{"value": 1}, {"displayValue": "large"}]}') -> 'size' AS replaced;
SELECT user_patch('sizes', 'b', '{"size": [{"value": 1, "displayValue": "Tiny"}]}') -> 'size' AS merged;
SELECT user_patch('sizes', 'b', '{"size": [{"value": 1, "displayValue": null}]}') -> 'size' AS removed, user_patch('sizes', 'b', '{"size": [{"value": 1, "displayValue": null}]}') -> 'size' AS again;
SELECT answer($$user_patch('sizes', 'b', '{"size": [{"value": 3}]}')$$);

-- lists go with the registration
SELECT count(*) FROM attribute_lookup WHERE users = 'sizes'::regclass;
SELECT user_table_detach('sizes');
SELECT count(*) FROM attribute_lookup WHERE users = 'sizes'::regclass;
SELECT user_table_attach('sizes', 'regress_cpq');
SELECT attribute_lookup_define('sizes', 'size', '[{"value": 1, "displayValue": "Small"}]');
DROP TABLE sizes;
SELECT users, count(*) FROM attribute_lookup GROUP BY users;

--
-- Nested items
--
SELECT user_put('people', '300300', '{"login": "dora", "accessPermissions": {"items": [{"name": "Pumps", "type": "productFamily"}, {"type": "dataTableFolder", "variableName": "v", "hasAccess": true}]},
	"groups": {"items": [{"variableName": "g", "links": [{"href": "http://example.com/g"}, {"rel": "parent"}], "segments": {"items": [{"variableName": "s", "status": 2,
	"segments": {"items": [{"variableName": "t"}]}}]}, "users": {"items": [{"login": "eve"}], "links": [{"name": "all"}]}}, {}]}}');
SELECT jsonb_pretty(stored('300300') - array(SELECT jsonb_object_keys(stored('300300')) k EXCEPT VALUES ('accessPermissions'), ('groups')));
CREATE FUNCTION segment(members text) RETURNS text LANGUAGE sql AS
	$$SELECT format('{"groups": {"items": [{"segments": {"items": [{%s}]}}]}}', members)$$;
CREATE FUNCTION subsegment(members text) RETURNS text LANGUAGE sql AS
	$$SELECT segment(format('"variableName": "s", "segments": {"items": [{%s}]}', members))$$;
SELECT body, answer(format($$user_put('people', '300301', %L)$$, body)) FROM (VALUES
	('{"accessPermissions": {"items": [{"type": "supportedProductFamily"}]}}'), ('{"accessPermissions": {"items": [{"type": "folder"}]}}'),
	('{"accessPermissions": {"items": [{"type": "ProductFamily"}]}}'), ('{"accessPermissions": {"items": [{"hasAccess": 1}]}}'), ('{"accessPermissions": {"items": [{"right": true}]}}'),
	('{"accessPermissions": [{"type": "productFamily"}]}'),
	(segment('"variableName": "s", "status": 0')), (segment('"variableName": "s", "status": 1')), (segment('"variableName": "s", "status": 2')), (segment('"variableName": "s", "status": 3')),
	(segment('"variableName": "s", "status": 1.5')), (segment('"variableName": "s", "status": "1"')), (segment('"checked": true')), (segment('"variableName": null, "checked": true')), (segment('"variableName": "s", "title": "t"')),
	(subsegment('"variableName": "t", "status": 0, "title": "T"')), (subsegment('"variableName": "t", "status": 3')), (subsegment('"title": "T"')), (subsegment('"variableName": "t", "segments": {}')),
	('{"groups": {"items": [{"company": "c"}]}}'), ('{"groups": {"items": [{"company": {"id": 1}}]}}'), ('{"groups": {"items": [{"readOnly": "no"}]}}'),
	('{"groups": {"items": [{"links": {"href": "h"}}]}}'), ('{"groups": {"items": [{"links": {}}]}}'), ('{"groups": {"items": [{"links": [{"href": 1}]}]}}'), ('{"groups": {"items": [{"users": {"items": [{"email": "e"}]}}]}}')) b(body);
SELECT answer($$user_create('people', '{"groups": {"items": {}}}', '300301')$$);
-- the items of a list are replaced together
SELECT user_patch('people', '300300', '{"groups": {"items": [{"label": "L"}]}}');
SELECT stored('300300') -> 'groups' AS groups, stored('300300') #> '{accessPermissions,items,0,name}' AS rest;
SELECT user_patch('people', '300300', '{"accessPermissions": {"items": []}, "groups": null}');
SELECT stored('300300') ?| '{groups,accessPermissions}' AS cleared;

--
-- A user with every attribute of the page but the two of passwords
--
SELECT define_lists();
CREATE FUNCTION whole() RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT '{
	"accessPermissions": {"items": [
		{"hasAccess": true, "name": "Pumps", "type": "productFamily", "variableName": "pumps"},
		{"hasAccess": false, "name": "Prices", "type": "dataTableFolder", "variableName": "prices"}]},
	"approvalDelegate": "bob", "billAddress1": "1 High Street", "billAddress2": "Yard", "billCity": "Leeds", "billCompany": "Acme", "billCompany2": "Pumps",
	"billCountry": "GB", "billEmail": "bills@example.com", "billFax": "+44 1", "billFirstName": "Bill", "billLastName": "Payer", "billPhone": "+44 2",
	"billStateProvince": "Yorkshire", "billZip": "LS1", "currency": {"value": "EUR", "displayValue": "Euro"},
	"dateFormat": {"value": 3, "displayValue": "dd/MM/yyyy HH:mm"}, "email": "ann@example.com", "enabledForSso": {"value": "1", "displayValue": "Yes"},
	"externalSsoId": "a-1", "fax": "+44 3", "firstName": "Ann", "groups": {"items": [{
		"company": {"loginName": "acme", "name": "Acme"}, "description": "All who sell", "label": "Sales", "links": [{"href": "https://example.com/groups/sales", "name": "sales", "rel": "self"}],
		"readOnly": false, "segments": {"items": [{"checked": true, "icon": "/a.png", "status": 1, "variableName": "a", "segments": {"items": [
			{"checked": true, "icon": "/b.png", "status": 2, "title": "B", "variableName": "b"}, {"checked": false, "icon": "/c.png", "status": 0, "title": "C", "variableName": "c"}]}}],
			"links": [{"href": "https://example.com/segments", "name": "segments", "rel": "parent"}]},
		"status": {"value": 1, "displayValue": "Active"}, "type": {"value": 2, "displayValue": "Sales"},
		"users": {"items": [{"firstName": "Ann", "lastName": "Ashe", "login": "ann"}], "links": [{"href": "https://example.com/users", "name": "users", "rel": "child"}]}, "variableName": "sales"}]},
	"isAccessAdminPermEnabled": true, "isApplicationAdminPermEnabled": true, "isMobileEnabled": true, "isNotifyEmail": true, "isNotifyFax": true, "isProxyPermEnabled": true,
	"isUserAdminPermEnabled": true, "isWebServicesOnly": true, "jobTitle": "Buyer", "language": {"value": "de", "displayValue": "German"}, "lastName": "Ashe", "login": "ann",
	"numberFormat": {"value": 2, "displayValue": "1.000,00"}, "oauthClientId": "c-1", "partnerLogin": "partner", "phone": "+44 4", "separateShipAddr": true, "sfdcOrgId": "00D",
	"shipAddress1": "2 Low Street", "shipAddress2": "Gate", "shipCity": "York", "shipCompany": "Acme", "shipCompany2": "Stores", "shipCountry": "GB", "shipEmail": "ship@example.com",
	"shipFax": "+44 5", "shipFirstName": "Sam", "shipLastName": "Taker", "shipPhone": "+44 6", "shipStateProvince": "Yorkshire", "shipZip": "YO1",
	"status": {"value": 1, "displayValue": "Active"}, "timeZone": {"value": 27, "displayValue": "Europe/Berlin"}, "type": {"value": "F", "displayValue": "Full Access"},
	"units": {"value": 1, "displayValue": "Metric"}}'::jsonb $$;
-- every path of the schema is in it, and no other
CREATE FUNCTION schema_paths() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	WITH RECURSIVE attribute(path, definition) AS (
		SELECT a ->> 'name', a FROM attribute_schema, jsonb_array_elements(document -> 'attributes') a WHERE id = 'urn:userstore:params:schemas:cpq:19:User'
		UNION ALL SELECT path || '.' || (a ->> 'name'), a FROM attribute, jsonb_array_elements(definition -> 'subAttributes') a)
	SELECT path FROM attribute $$;
CREATE FUNCTION paths(document jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
	WITH RECURSIVE member(path, value) AS (
		SELECT '', document
		UNION ALL SELECT m.path || coalesce('.' || o.name, ''), coalesce(o.value, i.value)
		FROM member m LEFT JOIN jsonb_each(CASE jsonb_typeof(m.value) WHEN 'object' THEN m.value ELSE '{}' END) o(name, value) ON true
			LEFT JOIN jsonb_array_elements(CASE jsonb_typeof(m.value) WHEN 'array' THEN m.value ELSE '[]' END) i(value) ON true
		WHERE coalesce(o.value, i.value) IS NOT NULL)
	SELECT DISTINCT substr(path, 2) FROM member WHERE path <> '' $$;
SELECT count(*) AS paths, count(*) FILTER (WHERE path NOT LIKE '%.%') AS top_level FROM schema_paths() path;
(SELECT 'not sent' AS what, schema_paths() EXCEPT SELECT 'not sent', paths(whole())) UNION ALL
(SELECT 'not known', paths(whole()) EXCEPT SELECT 'not known', schema_paths()) ORDER BY 2;
-- each has the type that the page says, and refuses another one
CREATE FUNCTION leaves(document jsonb) RETURNS TABLE (way text[], path text, value jsonb) LANGUAGE sql IMMUTABLE AS $$
	WITH RECURSIVE member(way, value) AS (
		SELECT '{}'::text[], document
		UNION ALL SELECT m.way || coalesce(o.name, (i.n - 1)::text), coalesce(o.value, i.value)
		FROM member m LEFT JOIN jsonb_each(CASE jsonb_typeof(m.value) WHEN 'object' THEN m.value ELSE '{}' END) o(name, value) ON true
			LEFT JOIN jsonb_array_elements(CASE jsonb_typeof(m.value) WHEN 'array' THEN m.value ELSE '[]' END) WITH ORDINALITY i(value, n) ON true
		WHERE coalesce(o.value, i.value) IS NOT NULL)
	SELECT way, regexp_replace(array_to_string(way, '.'), '[.][0-9]+', '', 'g'), value FROM member
	WHERE jsonb_typeof(value) NOT IN ('object', 'array') $$;
SELECT jsonb_typeof(value) AS type, count(DISTINCT path) AS attributes, string_agg(DISTINCT path COLLATE "C", ' ' ORDER BY path COLLATE "C") AS paths
FROM leaves(whole()) GROUP BY 1 ORDER BY 1;
CREATE FUNCTION wrong(value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
	$$SELECT CASE jsonb_typeof(value) WHEN 'string' THEN '1' WHEN 'number' THEN '"1"' ELSE '"true"' END::jsonb$$;
-- with the lists away, since they decide what is displayed
SELECT count(attribute_lookup_define('people', path, NULL)) FROM example;
SELECT count(*) AS leaves, count(*) FILTER (WHERE error LIKE 'PT400 attribute "' || path || '" must be %' AND error LIKE '%"path": "' || path || '"%') AS refused,
	string_agg(path || ': ' || error, E'\n') FILTER (WHERE error NOT LIKE 'PT400 attribute "' || path || '" must be %') AS otherwise
FROM (SELECT path, answer(format('user_put(''people'', ''300401'', %L)', jsonb_set(whole(), way, wrong(value)))) AS error FROM leaves(whole())) e;
SELECT define_lists();
-- stored as it was sent; answered with the three members of the page
SELECT user_put('people', '300100', '{}');
SELECT user_put('people', '300400', whole());
SELECT stored('300400') = whole() AS as_sent;
SELECT user_put('people', '300400', whole());
SELECT version FROM people WHERE id = '300400';  -- no change, no version
-- the same with codes alone, and with displayValues alone
CREATE FUNCTION without(document jsonb, member text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN CASE jsonb_typeof(document)
		WHEN 'object' THEN (SELECT jsonb_object_agg(key, without(value, member)) FROM jsonb_each(document) WHERE NOT (document ? 'displayValue' AND key = member))
		WHEN 'array' THEN (SELECT jsonb_agg(without(value, member)) FROM jsonb_array_elements(document))
		ELSE document END;
END
$$;
SELECT user_put('people', '300401', without(whole(), 'displayValue') || '{"login": "a"}'), user_put('people', '300402', without(whole(), 'value') || '{"login": "b"}');
SELECT stored('300401') - 'login' = whole() - 'login' AS from_values, stored('300402') - 'login' = whole() - 'login' AS from_display_values;
-- reading: all attributes, without id and meta; icon and status of segments only with uiMetadata
SELECT jsonb_pretty(user_get('people', '300400') #> '{groups,items,0,segments}');
SELECT user_get('people', '300400', api => 'cpq_ui_metadata') = whole() AS whole;
SELECT jsonb_pretty(user_get('people', '300400', attributes => '{login, groups.items.segments.items.icon, groups.items.segments.items.segments.items.status}'));
SELECT path FROM paths(whole()) path EXCEPT SELECT paths(user_get('people', '300400')) ORDER BY 1;
SELECT user_get('people', '300400', attributes => '{id, meta, login, currency.value}');
SELECT user_get('people', '300400', excluded_attributes => '{groups, accessPermissions}') = whole() - '{groups,accessPermissions}'::text[] AS without_groups;
-- both profiles serve the same users, in the same way
SELECT user_put('people', '300400', whole() || '{"login": "ANN"}', api => 'cpq_ui_metadata');
SELECT user_patch('people', '300400', '{"login": "ann"}', api => 'cpq_ui_metadata'), answer($$user_delete('people', '300400', api => 'cpq_ui_metadata')$$);
SELECT user_put('people', '300403', '{}', api => 'cpq_ui_metadata');
SELECT version, operation, changed FROM people_history WHERE user_id = '300400' ORDER BY version OFFSET 1;
-- left out, all of it: booleans are false, the others unassigned
SELECT user_put('people', '300400', '{"login": "ann"}');
SELECT jsonb_pretty(stored('300400'));
SELECT count(*) FROM jsonb_each(stored('300400')) WHERE value = 'false';
SELECT changed = ARRAY(SELECT path COLLATE "C" FROM (SELECT DISTINCT CASE WHEN path LIKE '%.items%' THEN regexp_replace(path, '[.]items.*', '.items') ELSE path END FROM paths(whole()) path) p(path)
	WHERE path NOT IN ('accessPermissions', 'groups', 'login', 'currency', 'dateFormat', 'enabledForSso', 'language', 'numberFormat', 'status', 'timeZone', 'type', 'units') ORDER BY 1) AS all_but_login
FROM people_history WHERE user_id = '300400' ORDER BY version DESC LIMIT 1;
-- created by a PUT with nothing is the same as replaced by it
SELECT stored('300403') = stored('300400') - 'login' AS same;
-- the same request under its key
SELECT user_put('people', '300404', whole() - 'login', idempotency_key => 'k'), user_put('people', '300404', whole() - 'login', idempotency_key => 'k');
SELECT answer($$user_put('people', '300404', whole() - 'login' - 'fax', idempotency_key => 'k')$$);
SELECT version FROM people WHERE id = '300404';

DROP TABLE people, things;
SELECT count(*) FROM attribute_lookup;
SELECT api_profile_drop('regress_cpq_rule'), api_profile_drop('regress_cpq');
SELECT attribute_schema_drop('urn:regress:cpq');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_cpq CASCADE;
DROP ROLE regress_cpq, regress_cpq_other;
