--
-- What clients can find out (RFC 7644 section 4): ServiceProviderConfig, Schemas,
-- ResourceTypes, made of the schemas and the profile; Groups there are none
--
SET client_min_messages = warning;
CREATE ROLE regress_discovery;
CREATE ROLE regress_discovery_other;
CREATE SCHEMA regress_discovery AUTHORIZATION regress_discovery;
SET SESSION AUTHORIZATION regress_discovery;
SET search_path = regress_discovery, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only

-- the body of a GET, and its status when that is another than 200
CREATE FUNCTION got(users regclass, path text, api text DEFAULT NULL, method text DEFAULT 'GET') RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE status WHEN 200 THEN body ELSE jsonb_strip_nulls(body || jsonb_build_object('status', status, 'allow', headers -> 'Allow')) - 'schemas' END
	FROM user_request(users, method, path, NULL, NULL, api)
$$;
-- the attributes of a schema document at all levels, each with its path from the top
CREATE FUNCTION flat(attributes jsonb) RETURNS TABLE (path text, attribute jsonb) LANGUAGE sql AS $$
	WITH RECURSIVE level AS (
		SELECT a ->> 'name' AS path, a FROM jsonb_array_elements(attributes) a
		UNION ALL
		SELECT concat(l.path, '.', s ->> 'name'), s FROM level l, jsonb_array_elements(l.a -> 'subAttributes') s)
	SELECT path, a - 'subAttributes' FROM level
$$;

SELECT user_table_create('people', api => 'scim');
SELECT api_profile_define('regress_discovery', '{"base_url": "https://id.example.com/scim/v2/"}', base => 'scim');

-- the whole response
SELECT status, headers, body FROM user_request('people', 'GET', '/scim/v2/ServiceProviderConfig', NULL, NULL);
-- what the profile sets, and where it is found
SELECT api_profile_define('regress_discovery_config', '{"base_url": "https://id.example.com", "max_operations": 50, "max_payload_size": 4000, "authentication_schemes": [
	{"type": "httpbasic", "name": "HTTP Basic", "description": "Name and password", "specUri": "https://www.rfc-editor.org/info/rfc7617"}]}', base => 'scim');
SELECT c -> 'bulk', c -> 'authenticationSchemes', c -> 'meta' FROM got('people', '/ServiceProviderConfig', 'regress_discovery_config') c;
-- a password can be changed where there is one and the profile writes it
SELECT api_profile_define('regress_discovery_page', '{"writable": ["nickName", "name.formatted"]}', base => 'scim');
SELECT api_profile_define('regress_discovery_locked', '{"rules": {"password": {"mutability": "readOnly"}}}', base => 'scim');
SELECT api, got('people', '/ServiceProviderConfig', api) -> 'changePassword' FROM unnest(ARRAY['scim', 'regress_discovery_page', 'regress_discovery_locked']) api;

-- schemas: the table's, then those of these documents themselves (RFC 7643 section 8.7.2)
SELECT l - 'Resources', s ->> 'id', s ->> 'name', s ->> 'description', s -> 'schemas', s -> 'meta', jsonb_array_length(s -> 'attributes')
FROM got('people', '/v2/Schemas', 'regress_discovery') l, jsonb_array_elements(l -> 'Resources') WITH ORDINALITY r (s, n) ORDER BY n;
-- each attribute has all characteristics and no words of ours
SELECT DISTINCT string_agg(k, ' ' ORDER BY k) FROM got('people', '/Schemas') l, jsonb_array_elements(l -> 'Resources') s, flat(s -> 'attributes') a, jsonb_object_keys(a.attribute) k
WHERE k NOT IN ('canonicalValues', 'referenceTypes', 'description') GROUP BY s ->> 'id', a.path;
-- of the schemas that ship, they say what the rows say, and otherwise the defaults of RFC 7643 section 2.2; but
-- references and binary values are exact (sections 2.3.6 and 2.3.7), any is shown as complex, an enum as suggestions, and an empty list not at all
SELECT user_table_create('staff', api => 'scim', schemas => ARRAY['urn:userstore:params:schemas:zluri:User', 'urn:userstore:params:schemas:cpq:19:User', 'urn:userstore:params:schemas:oig:User', 'urn:zuora:scim:schemas:1.0:UserExtension']);
WITH said AS (
	SELECT s.id, a.path, a.attribute FROM attribute_schema s, flat(s.document -> 'attributes') a WHERE shipped),
shown AS (
	SELECT s ->> 'id' AS id, a.path, a.attribute FROM unnest(ARRAY['people', 'staff']) users, jsonb_array_elements(got(users::regclass, '/Schemas') -> 'Resources') WITH ORDINALITY r (s, n), flat(s -> 'attributes') a
	WHERE s ->> 'id' !~ '2.0:(ServiceProviderConfig|ResourceType|Schema)$')
SELECT word, coalesce(d.attribute, t.attribute) ->> 'type' AS type, coalesce(d.attribute -> word, unsaid) AS said, t.attribute -> word AS shown, count(*), min(path)
FROM said d FULL JOIN shown t USING (id, path),
	(VALUES ('name', NULL), ('type', '"string"'::jsonb), ('multiValued', 'false'), ('description', NULL), ('required', 'false'), ('canonicalValues', NULL), ('caseExact', 'false'),
		('mutability', '"readWrite"'), ('returned', '"default"'), ('uniqueness', '"none"'), ('referenceTypes', NULL)) v (word, unsaid)
WHERE coalesce(d.attribute -> word, unsaid) IS DISTINCT FROM t.attribute -> word
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
SELECT count(*) FROM attribute_schema, flat(document -> 'attributes') WHERE shipped;

-- one, by its URI in any case and as it is encoded in a URL; what is not there is not found
SELECT path, b - 'attributes' - 'schemas', b -> 'attributes' -> 0 ->> 'name' FROM unnest(ARRAY['/scim/v2/Schemas/URN:IETF:params:scim:schemas:core:2.0:user',
	'/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Aextension%3Aenterprise%3A2.0%3AUser?attributes=id', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:Schema',
	'/Schemas/User', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group', '/Schemas/urn:userstore:params:schemas:oig:User']) path, got('people', path, 'regress_discovery') b;

-- the profile's rules are laid over, and what it does not write is readOnly
SELECT api_profile_define('regress_discovery_rules', '{"rules": {"title": {"required": true, "description": "Dr", "canonicalValues": ["Dr", 7, "Prof"]}, "nickName": {"mutability": "immutable", "returned": "request"},
	"userName": {"enum": ["a", "b"]}, "profileUrl": {"referenceTypes": ["uri"]}, "timezone": {"mutability": "writeOnly"}}}', base => 'scim');
SELECT a.path, string_agg(concat(k, ': ', n.attribute -> k), ', ' ORDER BY k)
FROM flat(got('people', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:User') -> 'attributes') a JOIN
	flat(got('people', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:User', 'regress_discovery_rules') -> 'attributes') n USING (path), jsonb_object_keys(n.attribute) k
WHERE n.attribute -> k IS DISTINCT FROM a.attribute -> k GROUP BY 1 ORDER BY 1;
SELECT attribute ->> 'mutability', count(*), string_agg(path, ' ') FILTER (WHERE attribute ->> 'mutability' <> 'readOnly')
FROM flat(got('people', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:User', 'regress_discovery_page') -> 'attributes') GROUP BY 1 ORDER BY 1;

-- a schema of one's own: named by the end of its URI, without our words and types
SELECT attribute_schema_define('{"id": "https://example.com/schemas/Staff", "attributes": [
	{"name": "login", "required": true, "uniqueness": "global", "caseExact": true, "pattern": "^[a-z]", "maxLength": 40},
	{"name": "anything", "type": "any", "multiValued": true, "description": "Whatever there is"},
	{"name": "level", "enum": ["low", "high"], "default": "low"},
	{"name": "rank", "type": "integer", "enum": [1, 2], "minimum": 1},
	{"name": "teams", "type": "complex", "multiValued": true, "key": "id", "subAttributes": [{"name": "id"}, {"name": "lead", "type": "complex", "subAttributes": [
		{"name": "who", "type": "complex", "subAttributes": [{"name": "ref", "type": "reference", "referenceTypes": ["User", "external"]}]}]}]},
	{"name": "photo", "type": "binary"},
	{"name": "secret", "format": "password", "required": true, "mutability": "writeOnly"},
	{"name": "welcome", "type": "boolean", "transient": true, "mutability": "writeOnly"},
	{"name": "externalId", "uniqueness": "server", "caseExact": true}]}');
SELECT attribute_schema_define('{"id": "urn:regress:discovery", "name": "", "description": null, "attributes": [{"name": "must", "required": true, "description": 5, "referenceTypes": "User"}]}');
SELECT user_table_create('own', api => 'scim', schemas => '{https://example.com/schemas/Staff, urn:regress:discovery}');
SELECT s - 'attributes' FROM got('own', '/Schemas/https:%2F%2Fexample.com%2Fschemas%2FStaff', 'regress_discovery') s;
SELECT path, attribute - 'name' FROM got('own', '/Schemas/https:%2F%2Fexample.com%2Fschemas%2FStaff') s, flat(s -> 'attributes') WITH ORDINALITY ORDER BY ordinality;
SELECT got('own', '/Schemas/urn:regress:discovery');

-- resource types: users, with the extensions, which a rule can require
SELECT status, body FROM user_request('people', 'GET', '/ResourceTypes', NULL, NULL);
SELECT got('people', '/ResourceTypes/User', 'regress_discovery');
SELECT api_profile_define('regress_discovery_rules', '{"schemas": ["https://example.com/schemas/Staff", "urn:regress:discovery"], "rules": {"urn:regress:discovery": {"required": true}}}', base => 'scim');
SELECT t ->> 'schema', t ->> 'description', t -> 'schemaExtensions' FROM got('own', '/ResourceTypes/User', 'regress_discovery_rules') t;
SELECT got('people', '/ResourceTypes/Group');

-- users without a schema are of no type that could be described
SELECT user_table_create('loose');
SELECT got('loose', '/ResourceTypes', 'scim'), got('loose', '/ServiceProviderConfig', 'scim') -> 'changePassword';
SELECT s ->> 'id' FROM jsonb_array_elements(got('loose', '/Schemas', 'scim') -> 'Resources') s;
-- and APIs other than SCIM have none of this
SELECT path, got('loose', path) FROM unnest(ARRAY['/ServiceProviderConfig', '/Schemas', '/ResourceTypes', '/Groups']) path;

-- Zuora's lists call their array differently
SELECT user_table_create('customers', api => 'zuora');
SELECT (l -> 'resources' -> 1) - 'attributes' FROM got('customers', '/Schemas') l;

-- groups: none
SELECT method, path, got('people', path, NULL, method) FROM (VALUES ('GET', '/scim/v2/Groups'), ('GET', '/Groups?filter=displayName eq "a"&count=1'), ('POST', '/Groups/.search'), ('GET', '/Groups/7'),
	('POST', '/Groups')) v (method, path);

-- nobody else's methods; a filter would be passed over, so it is refused
SELECT path, method, got('people', path, NULL, method) FROM unnest(ARRAY['/ServiceProviderConfig', '/Schemas', '/Schemas/urn:regress:discovery', '/ResourceTypes/User']) path, unnest(ARRAY['POST', 'PUT', 'PATCH', 'DELETE']) method;
SELECT path, got('people', path || '?filter=id%20pr') FROM unnest(ARRAY['/ServiceProviderConfig', '/Schemas', '/ResourceTypes']) path;
SELECT l ->> 'totalResults', jsonb_array_length(l -> 'Resources') FROM got('people', '/Schemas?startIndex=2&count=1&sortBy=id') l;
SELECT status, headers, body FROM user_request('people', 'HEAD', '/Schemas', NULL, NULL);

-- who may not read users can find out all the same
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA regress_discovery TO regress_discovery_other;
SET SESSION AUTHORIZATION regress_discovery_other;
SELECT l -> 'totalResults' FROM got('people', '/Schemas') l;
SELECT got('people', '/Users');

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_discovery CASCADE;
SELECT api_profile_drop(name) FROM api_profile WHERE name LIKE 'regress_discovery%';
SELECT attribute_schema_drop(id) FROM attribute_schema WHERE id IN ('https://example.com/schemas/Staff', 'urn:regress:discovery');
DROP ROLE regress_discovery, regress_discovery_other;
