--
-- The fuzzer in a database, with the API profiles that its inputs name: those
-- that ship, and some that use every word of schemas and profiles.
--
-- usage: psql -v module=FILE -f setup.sql
--
CREATE FUNCTION fuzz(target text, apis jsonb, log text, options text[]) RETURNS text
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS :'module';

SELECT userstore.attribute_schema_define('{"id": "urn:fuzz:Words", "attributes": [
	{"name": "login", "required": true, "uniqueness": "server", "maxLength": 40},
	{"name": "exact", "caseExact": true, "pattern": "^[a-z]+([0-9]|-)*$", "minLength": 1},
	{"name": "status", "enum": ["on", "off", "Ünder"], "default": "on", "absent": "default"},
	{"name": "kept", "absent": "keep"},
	{"name": "blank", "absent": "blank", "format": "email"},
	{"name": "since", "mutability": "immutable", "type": "dateTime"},
	{"name": "groups", "mutability": "readOnly", "multiValued": true},
	{"name": "hidden", "mutability": "writeOnly", "multiValued": true},
	{"name": "never", "returned": "never"},
	{"name": "secret", "format": "password", "minLength": 3, "mutability": "writeOnly"},
	{"name": "welcome", "type": "boolean", "mutability": "writeOnly", "transient": true},
	{"name": "active", "type": "boolean"},
	{"name": "age", "type": "integer", "minimum": 0, "maximum": 150},
	{"name": "factor", "type": "decimal"},
	{"name": "photo", "type": "binary"},
	{"name": "link", "type": "reference", "format": "uri"},
	{"name": "numbers", "type": "integer", "multiValued": true},
	{"name": "anything", "type": "any"},
	{"name": "things", "type": "any", "multiValued": true},
	{"name": "address", "type": "complex", "dependentRequired": {"street": ["city"], "zip": ["city", "street"]}, "subAttributes": [
		{"name": "city"}, {"name": "street"}, {"name": "zip", "mutability": "immutable"}, {"name": "display", "mutability": "readOnly"},
		{"name": "shown", "defaultFrom": "city"},
		{"name": "geo", "type": "complex", "subAttributes": [
			{"name": "x", "type": "decimal", "required": true}, {"name": "y", "type": "decimal", "default": 0},
			{"name": "marks", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "more", "type": "any"}]}]}]},
	{"name": "mails", "type": "complex", "multiValued": true, "subAttributes": [
		{"name": "value", "required": true, "format": "email"}, {"name": "type", "enum": ["work", "home"], "default": "work"},
		{"name": "display", "defaultFrom": "value"}, {"name": "primary", "type": "boolean", "primaryWhenOnly": true}]},
	{"name": "keyed", "type": "complex", "multiValued": true, "key": "k", "subAttributes": [
		{"name": "k", "required": true}, {"name": "v", "type": "any"}, {"name": "n", "type": "integer"},
		{"name": "inner", "type": "complex", "multiValued": true, "key": "id", "subAttributes": [{"name": "id", "type": "integer"}, {"name": "text"}]}]},
	{"name": "currency", "type": "complex", "lookup": [{"value": "EUR", "displayValue": "Euro"}, {"value": "USD", "displayValue": "US Dollar"}],
		"subAttributes": [{"name": "value"}, {"name": "displayValue"}, {"name": "note"}]},
	{"name": "units", "type": "complex", "multiValued": true, "key": "unit", "subAttributes": [
		{"name": "unit"}, {"name": "country", "type": "complex", "lookup": [{"value": 1, "displayValue": "One"}, {"value": 2, "displayValue": "Two"}],
			"subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue", "caseExact": true}]}]}]}');
SELECT userstore.attribute_schema_define('{"id": "urn:fuzz:Words:2.0:Extension", "attributes": [
	{"name": "number", "type": "integer", "required": true}, {"name": "manager", "type": "complex", "subAttributes": [
		{"name": "value"}, {"name": "$ref", "type": "reference"}, {"name": "displayName", "mutability": "readOnly"}]},
	{"name": "fixed", "mutability": "immutable"}, {"name": "ours", "mutability": "readOnly"}]}');

SELECT userstore.api_profile_define('words', '{"schemas": ["urn:fuzz:Words", "urn:fuzz:Words:2.0:Extension"], "unknown_attributes": "keep"}');
SELECT userstore.api_profile_define('words_scim', '{"body": "scim", "unknown_attributes": "reject"}', base => 'words');
SELECT userstore.api_profile_define('words_lenient', '{"lenient": true, "unknown_attributes": "ignore", "clear_token": " ", "absent": "blank"}', base => 'words_scim');
SELECT userstore.api_profile_define('words_part', '{"writable": ["login", "address.city", "address.geo", "mails.display", "keyed.v", "urn:fuzz:Words:2.0:Extension:number"],
	"absent": "keep", "answer": ["login", "address.geo.x", "keyed.k", "urn:fuzz:Words:2.0:Extension:manager"]}', base => 'words');
SELECT userstore.api_profile_define('words_fields', '{"body": "fields", "unknown_attributes": "reject", "put": "merge",
	"names": {"User Login": "login", "City": "address.city", "X": "address.geo.x", "Number": "urn:fuzz:Words:2.0:Extension:number", "PIN": "secret"}}', base => 'words');
SELECT userstore.api_profile_define('free', '{"body": "scim", "unknown_attributes": "keep"}');
SELECT userstore.api_profile_define('small', '{"max_payload_size": 300}', base => 'plain');

CREATE FUNCTION fuzz_apis() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT jsonb_agg(jsonb_build_object('profile', to_jsonb(p), 'schemas', (
			SELECT coalesce(jsonb_agg(s.document ORDER BY n), '[]')
			FROM unnest(p.schemas) WITH ORDINALITY AS u (id, n) JOIN userstore.attribute_schema s USING (id)))
		ORDER BY p.name)
	FROM userstore.api_profile p
$$;
