--
-- PatchOp messages (RFC 7644 section 3.5.2): every operation at every kind of
-- path, strictly, leniently and without schemas; sequence and atomicity; what
-- is refused and how; what the big clients send.
--
SET client_min_messages = warning;
CREATE ROLE regress_scim_patch;
CREATE SCHEMA regress_scim_patch AUTHORIZATION regress_scim_patch;
CREATE SCHEMA regress_scim_patch_crypto;
CREATE EXTENSION pgcrypto SCHEMA regress_scim_patch_crypto;
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_scim_patch;
SET search_path = regress_scim_patch, userstore;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

SELECT api_profile_define('regress_free', '{"body": "scim", "unknown_attributes": "keep"}');
SELECT api_profile_define('regress_ignore', '{"unknown_attributes": "ignore"}', base => 'scim');
SELECT api_profile_define('regress_keep', '{"unknown_attributes": "keep"}', base => 'scim');
SELECT api_profile_define('regress_lenient', '{"lenient": true, "unknown_attributes": "ignore"}', base => 'scim');
SELECT user_table_create('people', api => 'scim');
SELECT user_table_create('free', api => 'regress_free');

CREATE FUNCTION message(operations jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('schemas', '{urn:ietf:params:scim:api:messages:2.0:PatchOp}'::text[], 'Operations', operations)
$$;

-- What a body makes of a new user with this document: the document, with what
-- history says has changed, or how it is refused.
CREATE FUNCTION patched(body jsonb, before jsonb, api text DEFAULT NULL, users text DEFAULT 'people') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	after jsonb;
	paths text[];
	detail text;
BEGIN
	EXECUTE format('DELETE FROM %s; DELETE FROM %s_history', users, users);
	EXECUTE format('INSERT INTO %s (id, document) VALUES (''u'', %L)', users, before);
	PERFORM user_patch(users, 'u', body, api => api);
	EXECUTE format('SELECT document FROM %s', users) INTO after;
	EXECUTE format('SELECT changed FROM %s_history', users) INTO paths;
	-- no change, no write
	RETURN CASE WHEN paths IS NULL AND after = before THEN 'unchanged'
		WHEN paths IS NULL OR after = before THEN format('WRONG: %s %s', after, paths)
		ELSE format('%s %s', after, paths) END;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', SQLSTATE, CASE WHEN detail LIKE '{%' THEN concat_ws(' ', detail::jsonb ->> 'scimType', detail::jsonb ->> 'path', detail::jsonb ->> 'position') END) || ': ' || SQLERRM;
END $$;

-- One operation each, on the user of the table "sample".
CREATE TABLE sample (document jsonb);
INSERT INTO sample VALUES ('{"userName": "ann", "title": "Boss", "active": true,
	"name": {"familyName": "Lee", "givenName": "Ann"},
	"emails": [{"value": "a@work.com", "type": "work", "primary": true}, {"value": "a@home.com", "type": "home"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "IT", "manager": {"value": "26"}}}');
CREATE FUNCTION shown(result text) RETURNS text LANGUAGE sql AS $$
	SELECT replace(replace(result, 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', 'ENTERPRISE'), 'urn:ietf:params:scim:schemas:core:2.0:User', 'CORE')
$$;
CREATE FUNCTION each(api text, VARIADIC operations text[]) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT o || E'\n    ' || shown(patched(message(jsonb_build_array(
			replace(replace(o, 'ENTERPRISE', 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'), 'CORE', 'urn:ietf:params:scim:schemas:core:2.0:User')::jsonb)), s.document, api))
	FROM sample s, unnest(operations) WITH ORDINALITY AS u(o, n) ORDER BY n
$$;

--
-- add (section 3.5.2.1)
--
-- no path
SELECT each('scim',
	'{"op": "add", "value": {"nickName": "A", "title": "Chief", "emails": [{"value": "a@x.com"}], "name": {"middleName": "B"}}}',
	'{"op": "add", "value": {"ENTERPRISE": {"costCenter": "7"}}}',
	'{"op": "add", "value": {"ENTERPRISE:costCenter": "7", "name.givenName": "Bo"}}',
	'{"op": "add", "value": {"CORE": {"nickName": "A"}}}',
	'{"op": "add", "value": {"CORE:nickName": "A"}}',
	'{"op": "add", "value": {"schemas": ["ENTERPRISE"], "NICKNAME": "A"}}',
	'{"op": "add", "value": {}}');
-- an attribute: single, complex, multi-valued; also when it is there
SELECT each('scim',
	'{"op": "add", "path": "nickName", "value": "A"}',
	'{"op": "add", "path": "title", "value": "Chief"}',
	'{"op": "add", "path": "TITLE", "value": "Boss"}',
	'{"op": "add", "path": "CORE:title", "value": "Chief"}',
	'{"op": "add", "path": "name", "value": {"givenName": "Bo", "middleName": "C"}}',
	'{"op": "add", "path": "emails", "value": [{"value": "a@x.com"}, {"value": "a@y.com"}]}',
	'{"op": "add", "path": "emails", "value": {"value": "a@x.com", "type": "other"}}',
	'{"op": "add", "path": "phoneNumbers", "value": {"value": "1"}}',
	'{"op": "add", "path": "title", "value": null}',
	'{"op": "add", "path": "emails", "value": []}');
-- a sub-attribute, one of an extension, an extension
SELECT each('scim',
	'{"op": "add", "path": "name.middleName", "value": "C"}',
	'{"op": "add", "path": "name.givenName", "value": "Bo"}',
	'{"op": "add", "path": "ENTERPRISE:costCenter", "value": "7"}',
	'{"op": "add", "path": "ENTERPRISE:manager.value", "value": "27"}',
	'{"op": "add", "path": "ENTERPRISE:manager", "value": {"$ref": "/Users/26"}}',
	'{"op": "add", "path": "ENTERPRISE", "value": {"costCenter": "7"}}',
	'{"op": "add", "path": "CORE", "value": {"nickName": "A"}}',
	'{"op": "add", "path": "emails.display", "value": "d"}',
	'{"op": "add", "path": "phoneNumbers.value", "value": "1"}');
-- a value path, with and without a sub-attribute; none that matches is made
SELECT each('scim',
	'{"op": "add", "path": "emails[type eq \"work\"]", "value": {"display": "d"}}',
	'{"op": "add", "path": "emails[type eq \"work\"].display", "value": "d"}',
	'{"op": "add", "path": "emails[value co \"@\"].display", "value": "d"}',
	'{"op": "add", "path": "emails[type eq \"other\"].value", "value": "a@x.com"}',
	'{"op": "add", "path": "emails[type eq \"other\" and display eq \"d\"]", "value": {"value": "a@x.com"}}',
	'{"op": "add", "path": "emails[type ne \"work\" and type ne \"home\"].value", "value": "a@x.com"}',
	'{"op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}',
	'{"op": "add", "path": "emails[type eq \"work\"]", "value": "a@x.com"}',
	'{"op": "add", "path": "name[familyName eq \"Lee\"].middleName", "value": "C"}');

--
-- remove (section 3.5.2.2)
--
SELECT each('scim',
	'{"op": "remove", "path": "title"}',
	'{"op": "remove", "path": "nickName"}',
	'{"op": "remove", "path": "name"}',
	'{"op": "remove", "path": "emails"}',
	'{"op": "remove", "path": "name.givenName"}',
	'{"op": "remove", "path": "name.middleName"}',
	'{"op": "remove", "path": "emails.type"}',
	'{"op": "remove", "path": "phoneNumbers.type"}',
	'{"op": "remove", "path": "ENTERPRISE:department"}',
	'{"op": "remove", "path": "ENTERPRISE:manager.value"}',
	'{"op": "remove", "path": "ENTERPRISE"}',
	'{"op": "remove", "path": "emails[type eq \"work\" and value ew \"work.com\"]"}',
	'{"op": "remove", "path": "emails[type eq \"other\"]"}',
	'{"op": "remove", "path": "emails[value pr]"}',
	'{"op": "remove", "path": "emails[type eq \"work\"].primary"}',
	'{"op": "remove", "path": "emails[type eq \"other\"].primary"}',
	'{"op": "remove", "path": "emails[not (primary eq true)].type"}',
	'{"op": "remove", "path": "CORE"}',
	'{"op": "remove", "path": "emails", "value": [{"value": "a@home.com"}]}',
	'{"op": "remove", "path": "emails", "value": {"value": "a@work.com"}}',
	'{"op": "remove", "path": "emails", "value": []}',
	'{"op": "remove", "path": "emails[type eq \"work\"]", "value": [{"value": "a@home.com"}]}',
	'{"op": "remove", "path": "title", "value": "Boss"}',
	'{"op": "remove"}',
	'{"op": "remove", "path": null}',
	'{"op": "remove", "path": ""}');
-- what is empty then goes
SELECT patched(message('[{"op": "remove", "path": "name.givenName"}]'), '{"userName": "ann", "name": {"givenName": "Ann"}}');
SELECT patched(message('[{"op": "remove", "path": "emails[type eq \"work\"]"}]'), '{"userName": "ann", "emails": [{"type": "work", "value": "a@x.com"}]}');
SELECT patched(message('[{"op": "remove", "path": "emails[type eq \"work\"].type"}]'), '{"userName": "ann", "emails": [{"type": "work"}, {"value": "a@x.com"}]}');

--
-- replace (section 3.5.2.3)
--
SELECT each('scim',
	'{"op": "replace", "value": {"title": "Chief", "emails": [{"value": "a@x.com"}], "name": {"givenName": "Bo"}, "nickName": "A"}}',
	'{"op": "replace", "value": {"ENTERPRISE": {"department": "HR"}}}',
	'{"op": "replace", "value": {"title": null, "emails": [], "name": {"givenName": null}}}',
	'{"op": "replace", "path": "title", "value": "Chief"}',
	'{"op": "replace", "path": "title", "value": "Boss"}',
	'{"op": "replace", "path": "nickName", "value": "A"}',
	'{"op": "replace", "path": "title", "value": null}',
	'{"op": "replace", "path": "name", "value": {"givenName": "Bo"}}',
	'{"op": "replace", "path": "name.givenName", "value": "Bo"}',
	'{"op": "replace", "path": "emails", "value": [{"value": "a@x.com"}]}',
	'{"op": "replace", "path": "emails", "value": {"value": "a@x.com"}}',
	'{"op": "replace", "path": "emails", "value": []}',
	'{"op": "replace", "path": "emails.type", "value": "other"}',
	'{"op": "replace", "path": "ENTERPRISE:department", "value": "HR"}',
	'{"op": "replace", "path": "ENTERPRISE", "value": {"department": "HR"}}',
	'{"op": "replace", "path": "emails[type eq \"work\"]", "value": {"value": "a@x.com"}}',
	'{"op": "replace", "path": "emails[value co \"@\"]", "value": {"value": "a@x.com"}}',
	'{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x.com"}',
	'{"op": "replace", "path": "emails[value co \"@\"].display", "value": "d"}',
	'{"op": "replace", "path": "emails[type eq \"other\"].value", "value": "a@x.com"}',
	'{"op": "replace", "path": "emails[type eq \"other\"]", "value": {"value": "a@x.com"}}',
	'{"op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}',
	'{"op": "replace", "path": "emails[type eq \"work\"]", "value": [{"value": "a@x.com"}, {"value": "a@y.com"}]}',
	'{"op": "replace", "path": "emails[type eq \"work\"]", "value": null}',
	'{"op": "replace", "path": "emails[type eq \"work\"].value", "value": null}');

--
-- primary: one only, the one that was set last
--
SELECT each('scim',
	'{"op": "add", "path": "emails", "value": [{"value": "a@x.com", "primary": true}]}',
	'{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}',
	'{"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": true}}',
	'{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "a@x.com", "primary": true}}',
	'{"op": "add", "path": "emails", "value": [{"value": "a@x.com", "primary": true}, {"value": "a@y.com", "primary": true}]}',
	'{"op": "replace", "path": "emails", "value": [{"value": "a@x.com", "primary": true}, {"value": "a@y.com", "primary": true}]}',
	'{"op": "replace", "path": "emails[value pr].primary", "value": true}',
	'{"op": "replace", "path": "emails.primary", "value": true}',
	'{"op": "replace", "path": "emails.primary", "value": false}',
	'{"op": "add", "path": "emails", "value": [{"value": "a@x.com", "primary": false}]}',
	'{"op": "replace", "value": {"emails": [{"value": "a@home.com", "type": "home", "primary": true}, {"value": "a@work.com", "type": "work", "primary": true}]}}');
SELECT shown(patched(message('[{"op": "add", "path": "emails", "value": [{"value": "b", "primary": true}]}, {"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}]}]'), document)) FROM sample;
-- two were there before: whoever adds one says so of the others
SELECT patched(message('[{"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}]}]'),
	'{"userName": "ann", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}');
SELECT patched(message('[{"op": "replace", "path": "title", "value": "x"}]'),
	'{"userName": "ann", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}');

--
-- Duplicates: a value that is there is not added again
--
SELECT each('scim',
	'{"op": "add", "path": "emails", "value": [{"type": "home", "value": "a@home.com"}]}',
	'{"op": "add", "path": "emails", "value": [{"value": "a@home.com", "type": "home"}, {"value": "n"}, {"value": "n"}]}',
	'{"op": "add", "path": "emails", "value": [{"value": "a@home.com", "type": "work"}]}',
	'{"op": "add", "value": {"emails": [{"value": "a@home.com", "type": "home"}], "title": "Boss"}}');

--
-- Sequence and atomicity
--
SELECT shown(patched(message('[{"op": "replace", "path": "title", "value": "1"}, {"op": "replace", "path": "title", "value": "2"}]'), document)) FROM sample;
SELECT shown(patched(message('[{"op": "add", "path": "emails", "value": {"type": "other", "value": "n"}}, {"op": "replace", "path": "emails[type eq \"other\"].value", "value": "m"},
	{"op": "remove", "path": "emails[type eq \"home\"]"}, {"op": "remove", "path": "emails[type eq \"work\"]"}]'), document)) FROM sample;
SELECT shown(patched(message('[{"op": "remove", "path": "emails"}, {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "m"}]'), document)) FROM sample;
-- there and back is no change
SELECT shown(patched(message('[{"op": "replace", "path": "title", "value": "1"}, {"op": "replace", "path": "title", "value": "Boss"}]'), document)) FROM sample;
SELECT shown(patched(message('[{"op": "remove", "path": "name.givenName"}, {"op": "add", "path": "name.givenName", "value": "Ann"}]'), document)) FROM sample;
-- nothing is half done
SELECT user_create('people', '{"userName": "bob", "title": "Boss"}', 'bob') ->> 'userName';
SELECT user_patch('people', 'bob', message('[{"op": "replace", "path": "title", "value": "Chief"}, {"op": "add", "path": "nickName", "value": "B"}, {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"}]'));
SELECT user_patch('people', 'bob', message('[{"op": "replace", "path": "title", "value": "Chief"}, {"op": "frobnicate", "path": "nickName", "value": "B"}]'));
SELECT document, version FROM people WHERE id = 'bob';
SELECT count(*) FROM people_history WHERE user_id = 'bob';
-- each message is one version, whatever it has
SELECT user_patch('people', 'bob', message('[{"op": "replace", "path": "title", "value": "Chief"}, {"op": "add", "path": "nickName", "value": "B"}, {"op": "add", "path": "name.givenName", "value": "Bob"}]')) -> 'meta' ->> 'version';
SELECT user_patch('people', 'bob', message('[{"op": "add", "path": "nickName", "value": "B"}, {"op": "remove", "path": "emails"}]')) -> 'meta' ->> 'version';
SELECT operation, version, changed FROM people_history WHERE user_id = 'bob' ORDER BY version;
-- a missing user, another version, a table without the user
SELECT user_patch('people', 'eve', message('[{"op": "add", "path": "nickName", "value": "B"}]'));
SELECT user_patch('people', 'bob', message('[{"op": "add", "path": "nickName", "value": "C"}]'), expected_version => 1);
-- schemas follow from the attributes
SELECT user_patch('people', 'bob', message('[{"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division", "value": "x"}]')) -> 'schemas';
SELECT user_patch('people', 'bob', message('[{"op": "remove", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"}]')) -> 'schemas';
-- an extension's value may have "schemas" of its own, as the user has
SELECT user_patch('people', 'bob', message('[{"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
	"value": {"schemas": ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"], "division": "y"}}]')) -> 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' AS extension;
SELECT user_patch('people', 'bob', message('[{"op": "remove", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"}]')) -> 'schemas';

--
-- Mutability
--
SELECT attribute_schema_define('{"id": "urn:regress:scim_patch:Staff", "attributes": [
	{"name": "number", "type": "integer", "mutability": "immutable"}, {"name": "balance", "type": "decimal", "mutability": "readOnly"},
	{"name": "tags", "multiValued": true, "mutability": "immutable"}, {"name": "level", "required": true},
	{"name": "pin", "mutability": "writeOnly", "returned": "never"}, {"name": "since", "type": "dateTime"}, {"name": "any", "type": "any"},
	{"name": "cards", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "serial", "mutability": "immutable"}, {"name": "seen", "mutability": "readOnly"}, {"name": "kind", "required": true}]}]}');
SELECT user_table_create('staff', api => 'scim', schemas => '{urn:ietf:params:scim:schemas:core:2.0:User,urn:regress:scim_patch:Staff}');
CREATE FUNCTION staff(before text, VARIADIC operations text[]) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT o || E'\n    ' || replace(patched(message(jsonb_build_array(replace(o, 'STAFF', 'urn:regress:scim_patch:Staff')::jsonb)),
		jsonb_build_object('userName', 'ann', 'urn:regress:scim_patch:Staff', before::jsonb), NULL, 'staff'), 'urn:regress:scim_patch:Staff', 'STAFF')
	FROM unnest(operations) WITH ORDINALITY AS u(o, n) ORDER BY n
$$;
-- immutable: once, or the same
SELECT staff('{"level": "1"}', '{"op": "add", "path": "STAFF:number", "value": 7}', '{"op": "replace", "path": "STAFF:number", "value": 7}',
	'{"op": "remove", "path": "STAFF:number"}', '{"op": "add", "path": "STAFF:tags", "value": ["a"]}');
SELECT staff('{"level": "1", "number": 7, "tags": ["a"], "cards": [{"value": "c", "serial": "s", "kind": "k"}]}',
	'{"op": "add", "path": "STAFF:number", "value": 7.0}', '{"op": "add", "path": "STAFF:number", "value": 8}', '{"op": "replace", "path": "STAFF:number", "value": 8}',
	'{"op": "remove", "path": "STAFF:number"}', '{"op": "replace", "value": {"STAFF": {"number": 8}}}', '{"op": "remove", "path": "STAFF"}',
	'{"op": "add", "path": "STAFF:tags", "value": ["a"]}', '{"op": "add", "path": "STAFF:tags", "value": ["b"]}', '{"op": "remove", "path": "STAFF:tags"}',
	'{"op": "replace", "path": "STAFF:cards[value eq \"c\"].serial", "value": "t"}', '{"op": "add", "path": "STAFF:cards[value eq \"c\"]", "value": {"serial": "t"}}',
	'{"op": "remove", "path": "STAFF:cards[value eq \"c\"].serial"}', '{"op": "replace", "path": "STAFF:cards[value eq \"c\"].serial", "value": "s"}');
-- required, at each level
SELECT staff('{"level": "1", "cards": [{"value": "c", "kind": "k"}]}',
	'{"op": "remove", "path": "STAFF:level"}', '{"op": "replace", "path": "STAFF:level", "value": null}', '{"op": "replace", "value": {"STAFF:level": null}}',
	'{"op": "remove", "path": "STAFF:cards[value eq \"c\"].kind"}', '{"op": "add", "path": "STAFF:cards", "value": [{"value": "d"}]}',
	'{"op": "replace", "path": "STAFF:cards[value eq \"c\"]", "value": {"value": "d"}}', '{"op": "replace", "path": "STAFF:cards[value eq \"c\"].kind", "value": "l"}',
	'{"op": "remove", "path": "STAFF:cards.kind"}');
SELECT each('scim', '{"op": "remove", "path": "userName"}', '{"op": "replace", "path": "userName", "value": null}', '{"op": "replace", "path": "userName", "value": "bo"}');
-- readOnly, whatever is sent
SELECT staff('{"level": "1", "balance": 5, "cards": [{"value": "c", "kind": "k", "seen": "x"}]}',
	'{"op": "add", "path": "STAFF:balance", "value": 5}', '{"op": "replace", "path": "STAFF:balance", "value": 6}', '{"op": "remove", "path": "STAFF:balance"}',
	'{"op": "replace", "value": {"STAFF": {"balance": 6}}}', '{"op": "replace", "path": "STAFF:cards[value eq \"c\"].seen", "value": "y"}',
	'{"op": "replace", "path": "STAFF:cards[value eq \"c\"]", "value": {"value": "d", "kind": "k", "seen": "y"}}', '{"op": "remove", "path": "STAFF:cards"}');
SELECT each('scim', '{"op": "add", "path": "groups", "value": [{"value": "g"}]}', '{"op": "remove", "path": "groups"}');
-- writeOnly
SELECT staff('{"level": "1", "pin": "1"}', '{"op": "replace", "path": "STAFF:pin", "value": "2"}', '{"op": "remove", "path": "STAFF:pin"}');
-- of any shape: names in it are free
SELECT staff('{"level": "1", "any": {"a": {"b": [1]}}}', '{"op": "replace", "path": "STAFF:any", "value": {"c": 2}}', '{"op": "add", "path": "STAFF:any.a.c", "value": 2}',
	'{"op": "remove", "path": "STAFF:any.a"}', '{"op": "add", "path": "STAFF:any.a.b", "value": [2]}', '{"op": "replace", "path": "STAFF:any", "value": 5}');
-- the service provider's own
SELECT each('scim', '{"op": "replace", "path": "id", "value": "v"}', '{"op": "remove", "path": "id"}', '{"op": "replace", "value": {"id": "v"}}', '{"op": "replace", "value": {"id": "u", "title": "x"}}',
	'{"op": "replace", "path": "meta.location", "value": "v"}', '{"op": "remove", "path": "meta.a\nb"}', '{"op": "remove", "path": "meta"}', '{"op": "add", "value": {"meta": {"version": "1"}}}',
	'{"op": "add", "path": "schemas", "value": ["urn:x:y"]}', '{"op": "remove", "path": "schemas"}');

--
-- Values that the attribute does not take
--
SELECT each('scim', '{"op": "replace", "path": "active", "value": "yes"}', '{"op": "replace", "path": "active", "value": "True"}', '{"op": "add", "path": "title", "value": 5}',
	'{"op": "add", "path": "title", "value": ["x"]}', '{"op": "add", "path": "name", "value": "Ann"}', '{"op": "add", "path": "emails", "value": "a@x.com"}',
	'{"op": "add", "path": "emails", "value": [{"value": 5}]}', '{"op": "replace", "path": "emails[type eq \"work\"].primary", "value": "true"}',
	'{"op": "add", "path": "ENTERPRISE", "value": "x"}', '{"op": "replace", "path": "ENTERPRISE:manager", "value": "26"}', '{"op": "add", "path": "name.givenName.x", "value": "y"}');
-- what was stored under other rules does not stand in the way
SELECT patched(message('[{"op": "replace", "path": "active", "value": false}]'), '{"userName": "ann", "active": true, "title": 5, "emails": [{"value": 5, "primary": true}, {"primary": true}]}');

--
-- Unknown attributes: as the profile says
--
SELECT api || E'\n' || each(api, '{"op": "add", "path": "nobody", "value": "x"}', '{"op": "add", "path": "name.nobody", "value": "x"}', '{"op": "remove", "path": "nobody.x"}',
	'{"op": "replace", "value": {"nobody": 1, "title": "T"}}', '{"op": "add", "path": "name", "value": {"nobody": 1, "givenName": "T"}}', '{"op": "add", "path": "ENTERPRISE:nobody", "value": "x"}',
	'{"op": "add", "path": "ENTERPRISE", "value": {"nobody": 1, "division": "D"}}', '{"op": "add", "path": "urn:other:1.0:Thing:x", "value": 1}', '{"op": "add", "path": "nobody[x eq 1].y", "value": 2}',
	'{"op": "add", "path": "emails[type eq \"work\"].nobody", "value": "x"}', '{"op": "replace", "value": {"": 1}}')
FROM unnest('{scim,regress_ignore,regress_keep}'::text[]) WITH ORDINALITY AS u(api, n) ORDER BY n;
-- a filter that names one is no path in any of them
SELECT api || E'\n' || each(api, '{"op": "remove", "path": "emails[nobody eq 1]"}', '{"op": "remove", "path": "emails[primary eq \"true\"]"}', '{"op": "remove", "path": "title[x eq 1]"}')
FROM unnest('{scim,regress_ignore,regress_keep}'::text[]) WITH ORDINALITY AS u(api, n) ORDER BY n;

--
-- Messages that are none
--
SELECT body || E'\n    ' || patched(body::jsonb, '{"userName": "ann"}') FROM unnest(ARRAY[
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}',
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": null}',
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": {}}',
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": []}',
	'{"schemas": ["URN:ietf:params:SCIM:api:messages:2.0:patchop"], "OPERATIONS": [{"OP": "add", "Path": "title", "VALUE": "x"}]}',
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp", "urn:x:y"], "Operations": [{"op": "add", "path": "title", "value": "x"}], "more": 1}',
	'{"Operations": [{"op": "add", "path": "title", "value": "x"}]}',
	'{"schemas": "urn:ietf:params:scim:api:messages:2.0:PatchOp", "Operations": [{"op": "add", "path": "title", "value": "x"}]}']) WITH ORDINALITY AS u(body, n) ORDER BY n;
SELECT each('scim', '"add"', '{}', 'null', '{"op": "move", "path": "title"}', '{"op": 5, "path": "title"}', '{"op": null}', '{"op": "", "path": "title", "value": 1}', '{"op": "ADD", "path": "title", "value": "x"}',
	'{"op": "add", "path": 5, "value": 1}', '{"op": "add", "path": ["title"], "value": 1}', '{"op": "add", "path": "title"}', '{"op": "replace"}', '{"op": "add", "value": "x"}', '{"op": "replace", "value": null}',
	'{"op": "add", "value": [{"title": "x"}]}', '{"op": "add", "path": "", "value": {"title": "x"}}', '{"op": "add", "path": " title ", "value": "x"}', '{"op": "add", "path": "/title", "value": "x"}');
SELECT each('scim', '{"op": "remove", "path": "emails["}', '{"op": "remove", "path": "emails[]"}', '{"op": "remove", "path": "emails[type eq \"work\""}', '{"op": "remove", "path": "emails[type eq \"work\"]x"}',
	'{"op": "remove", "path": "emails[type eq \"work\"]."}', '{"op": "remove", "path": "emails[type eq \"ä\"].val ue"}', '{"op": "remove", "path": "emails[type eq \"work\"].value.x"}', '{"op": "remove", "path": "title."}',
	'{"op": "remove", "path": ".title"}', '{"op": "remove", "path": "emails[0]"}', '{"op": "remove", "path": "emails.value eq \"x\""}', '{"op": "remove", "path": "emails[type eq \"work\"].value[x eq 1]"}',
	'{"op": "remove", "path": "emails[type eq \"work\"] and title pr"}', '{"op": "remove", "path": "emails[type like \"work\"]"}');
-- the path may be as long as a filter, and no longer
SELECT left(patched(message(jsonb_build_array(jsonb_build_object('op', 'remove', 'path', 'emails[value eq "' || repeat('x', 65536 - 19) || '"]'))), '{"userName": "a"}'), 100);
SELECT left(patched(message(jsonb_build_array(jsonb_build_object('op', 'remove', 'path', 'emails[value eq "' || repeat('x', 65536 - 18) || '"]'))), '{"userName": "a"}'), 100);
SELECT left(patched(message(jsonb_build_array(jsonb_build_object('op', 'remove', 'path', 'emails[' || repeat('(', 65) || 'value pr' || repeat(')', 65) || ']'))), '{"userName": "a"}'), 100);

--
-- Without schemas: the operations alone say what is single and what is many
--
CREATE FUNCTION freely(before text, VARIADIC operations text[]) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT o || E'\n    ' || patched(message(jsonb_build_array(o::jsonb)), before::jsonb, NULL, 'free')
	FROM unnest(operations) WITH ORDINALITY AS u(o, n) ORDER BY n
$$;
SELECT freely('{"a": 1, "o": {"p": {"q": 1}, "r": 2}, "l": [1, 2], "m": [{"k": "x", "v": 1}, {"k": "y", "v": 2}], "urn:x:1.0:Ext": {"e": 1}}',
	'{"op": "add", "value": {"b": 2, "o": {"s": 3}, "l": [2, 3]}}', '{"op": "add", "path": "A", "value": 2}', '{"op": "add", "path": "o.p.q2", "value": 2}', '{"op": "add", "path": "n.e.w", "value": 2}', '{"op": "add", "path": "l", "value": 3}',
	'{"op": "add", "path": "l", "value": [1, 3]}', '{"op": "add", "path": "m", "value": {"k": "z"}}', '{"op": "add", "path": "m[k eq \"x\"]", "value": {"w": 5}}', '{"op": "add", "path": "m[k eq \"z\"].v", "value": 5}',
	'{"op": "add", "path": "urn:x:1.0:Ext:f", "value": 2}', '{"op": "add", "path": "urn:x:1.0:Ext", "value": {"f": 2}}', '{"op": "add", "path": "urn:y:1.0:Ext:f", "value": 2}',
	'{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:b", "value": 2}', '{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User", "value": {"b": 2}}', '{"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"b": 2}}}',
	'{"op": "remove", "path": "a"}', '{"op": "remove", "path": "o.p"}', '{"op": "remove", "path": "o.p.q"}', '{"op": "remove", "path": "o.p.q.z"}', '{"op": "remove", "path": "m.v"}', '{"op": "remove", "path": "m[v gt 1]"}', '{"op": "remove", "path": "m[v gt 0].v"}', '{"op": "remove", "path": "m[v gt 0]"}',
	'{"op": "remove", "path": "urn:x:1.0:Ext:e"}', '{"op": "remove", "path": "l[x eq 1]"}', '{"op": "remove", "path": "urn:ietf:params:scim:schemas:core:2.0:User"}',
	'{"op": "replace", "path": "a", "value": null}', '{"op": "replace", "path": "o", "value": {"r": 3}}', '{"op": "replace", "path": "l", "value": [5]}', '{"op": "replace", "path": "m[k eq \"x\"]", "value": {"k": "z"}}', '{"op": "replace", "path": "m[k eq \"q\"].v", "value": 1}',
	'{"op": "replace", "path": "m[k eq \"x\"].v", "value": 7}', '{"op": "replace", "path": "m.v", "value": 7}', '{"op": "replace", "path": "a.b", "value": 7}', '{"op": "replace", "value": {"a": null, "o": {"r": null}}}', '{"op": "replace", "path": "id", "value": 1}');
SELECT freely('{"m": [{"v": 1, "primary": true}, {"v": 2}]}', '{"op": "add", "path": "m", "value": {"v": 3, "primary": true}}', '{"op": "replace", "path": "m[v eq 2].primary", "value": true}');

--
-- Lenient profiles: what clients are known to send
--
SELECT each('regress_lenient',
	'{"op": "Replace", "path": "active", "value": "False"}',
	'{"op": "Add", "path": "emails[type eq \"work\"].primary", "value": "True"}',
	'{"op": "replace", "value": {"active": "true", "name.givenName": "Bo", "ENTERPRISE:division": "D", "ENTERPRISE:manager.value": "27", "emails[type eq \"home\"].value": "b@home.com"}}',
	'{"op": "Add", "value": {"phoneNumbers[type eq \"mobile\"].value": "1"}}',
	'{"op": "replace", "path": "/title", "value": {"title": "x"}}',
	'{"op": "replace", "path": "/emails", "value": {"emails": [{"value": "a@x.com"}]}}',
	'{"op": "replace", "path": "emails", "value": {"EMAILS": [{"value": "a@x.com"}]}}',
	'{"op": "replace", "path": "/name/givenName", "value": "x"}',
	'{"op": "replace", "path": "emails[type eq \"other\"].value", "value": "a@x.com"}',
	'{"op": "replace", "path": "addresses[type eq \"work\" and primary eq true].country", "value": "AT"}',
	'{"op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}',
	'{"op": "Replace", "path": "emails[primary eq \"True\" and not (type eq \"home\")].value", "value": "a@x.com"}',
	'{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin"}',
	'{"op": "replace", "path": "phoneNumbers[type ne \"work\"].value", "value": "1"}',
	'{"op": "replace", "path": "phoneNumbers[type eq \"work\" or type eq \"home\"].value", "value": "1"}',
	'{"op": "Add", "path": "ENTERPRISE:manager", "value": "27"}',
	'{"op": "Replace", "value": {"ENTERPRISE": {"manager": "27"}}}',
	'{"op": "Remove", "path": "emails", "value": [{"value": "a@home.com"}]}',
	'{"op": "Remove", "path": "emails", "value": [{"value": "a@home.com", "type": "home"}, {"value": "a@work.com"}]}',
	'{"op": "Remove", "path": "emails", "value": [{"value": "nobody@home.com"}]}',
	'{"op": "Remove", "path": "emails", "value": null}',
	'{"op": "add", "path": "emails", "value": "a@x.com"}',
	'{"op": "replace", "path": "", "value": {"title": "x"}}',
	'{"op": "remove", "path": ""}',
	'{"op": "replace", "value": {"id": "v", "meta": {"version": "9"}, "schemas": ["urn:x:y"], "title": "x"}}',
	'{"op": "replace", "path": "id", "value": "v"}');
SELECT patched(message('[]'), '{"userName": "ann"}', 'regress_lenient');
SELECT patched('{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}', '{"userName": "ann"}', 'regress_lenient');
-- what of that a strict profile says
SELECT each('scim',
	'{"op": "replace", "path": "active", "value": "False"}',
	'{"op": "replace", "path": "/title", "value": "x"}',
	'{"op": "replace", "path": "emails", "value": {"emails": [{"value": "a@x.com"}]}}',
	'{"op": "add", "path": "ENTERPRISE:manager", "value": "27"}');

-- Zuora: the whole message as its own sample has it, and the word that clears
SELECT user_table_create('zuora_people', api => 'zuora');
SELECT patched('{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "operations": [{"op": "replace", "path": "/emails", "value": {"emails": [{"value": "a@x.com"}]}}]}',
	'{"userName": "ann", "emails": [{"value": "old@x.com", "type": "work", "primary": true}]}', NULL, 'zuora_people');
SELECT patched(message('[{"op": "replace", "path": "title", "value": " "}, {"op": "replace", "path": "name.givenName", "value": " "}, {"op": "replace", "path": "emails", "value": " "},
	{"op": "replace", "value": {"urn:zuora:scim:schemas:1.0:UserExtension": {"region": " "}}}]'),
	'{"userName": "ann", "title": "T", "name": {"givenName": "A", "familyName": "L"}, "emails": [{"value": "a@x.com"}], "urn:zuora:scim:schemas:1.0:UserExtension": {"region": "EU", "status": "ACTIVE"}}', NULL, 'zuora_people');
SELECT patched(message('[{"op": "replace", "path": "userName", "value": " "}]'), '{"userName": "ann"}', NULL, 'zuora_people');
-- a blank is a value where the profile has no such word
SELECT patched(message('[{"op": "replace", "path": "title", "value": " "}]'), '{"userName": "ann"}');
-- an e-mail that is made by a value path has the defaults, too
SELECT patched(message('[{"op": "replace", "path": "emails[type eq \"home\"].value", "value": "a@x.com"}]'), '{"userName": "ann"}', NULL, 'zuora_people');

--
-- Profiles that write some attributes only
--
SELECT api_profile_define('regress_self', '{"writable": ["nickName", "name.givenName", "emails.display", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"]}', base => 'scim');
SELECT each('regress_self', '{"op": "replace", "path": "nickName", "value": "x"}', '{"op": "replace", "path": "title", "value": "x"}', '{"op": "replace", "path": "title", "value": "Boss"}', '{"op": "remove", "path": "title"}',
	'{"op": "add", "path": "name", "value": {"givenName": "x"}}', '{"op": "add", "path": "name", "value": {"givenName": "x", "familyName": "y"}}', '{"op": "remove", "path": "name"}', '{"op": "remove", "path": "name.givenName"}',
	'{"op": "replace", "path": "emails[type eq \"work\"].display", "value": "x"}', '{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"}', '{"op": "remove", "path": "emails[type eq \"work\"]"}',
	'{"op": "add", "path": "emails", "value": [{"value": "x"}]}', '{"op": "add", "path": "emails", "value": [{"display": "x"}]}', '{"op": "replace", "path": "emails[type eq \"work\"]", "value": {"value": "x"}}',
	'{"op": "add", "path": "ENTERPRISE", "value": {"division": "x"}}', '{"op": "add", "path": "ENTERPRISE:department", "value": "x"}', '{"op": "remove", "path": "ENTERPRISE"}',
	'{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}');

--
-- Passwords in operations: hashed, and nowhere else
--
SELECT user_create('people', '{"userName": "pat"}', 'pat') ->> 'userName';
CREATE FUNCTION verified(password text) RETURNS boolean LANGUAGE sql AS $$ SELECT user_password_verify('people', 'pat', password) $$;
SELECT user_patch('people', 'pat', message('[{"op": "add", "path": "password", "value": "first secret"}, {"op": "add", "path": "title", "value": "x"}]')) ? 'password', verified('first secret');
SELECT user_patch('people', 'pat', message('[{"op": "replace", "value": {"PASSWORD": "second secret", "title": "y"}}]')) ? 'password', verified('first secret'), verified('second secret');
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:password", "value": "third secret"}]')) ? 'password', verified('third secret');
-- the last of several counts; the one that is there is no change
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": "a secret"}, {"op": "replace", "path": "password", "value": "last secret"}]')) -> 'meta' ->> 'version', verified('a secret'), verified('last secret');
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": "last secret"}]')) -> 'meta' ->> 'version';
SELECT operation, version, changed, document FROM people_history WHERE user_id = 'pat' ORDER BY version;
-- what is no password; none in a message of ours
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": 5}]'));
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": "last secret"}, {"op": "add", "path": "nobody", "value": "last secret"}]'));
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password[value eq \"last secret\"]", "value": "last secret"}]'));
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password.value", "value": "last secret"}]'));
SELECT verified('last secret');
-- under a key: verified rather than compared
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": "key secret"}]'), 'k1') -> 'meta' ->> 'version';
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": "key secret"}]'), 'k1') -> 'meta' ->> 'version';
SELECT user_patch('people', 'pat', message('[{"op": "replace", "path": "password", "value": "other secret"}]'), 'k1');
SELECT count(*) FROM people_idempotency i WHERE i::text LIKE '%secret%';
SELECT count(*) FROM people_history h WHERE h::text LIKE '%secret%';
SELECT count(*) FROM people p WHERE p::text LIKE '%secret%';
-- gone
SELECT user_patch('people', 'pat', message('[{"op": "remove", "path": "password"}]')) -> 'meta' ->> 'version', verified('key secret');
SELECT version, changed FROM people_history WHERE user_id = 'pat' ORDER BY version DESC LIMIT 1;

--
-- Keys and dry runs
--
SELECT user_create('people', '{"userName": "kim", "emails": [{"value": "k@x.com"}]}', 'kim') ->> 'userName';
SELECT jsonb_path_query_array(user_patch('people', 'kim', message('[{"op": "add", "path": "emails", "value": {"value": "l@x.com"}}]'), 'k2'), '$.emails.value') FROM generate_series(1, 2);
SELECT user_patch('people', 'kim', message('[{"op": "add", "path": "emails", "value": {"value": "m@x.com"}}]'), 'k2');
-- also when something else happened in between
SELECT user_patch('people', 'kim', message('[{"op": "remove", "path": "emails"}]')) ? 'emails';
SELECT jsonb_path_query_array(user_patch('people', 'kim', message('[{"op": "add", "path": "emails", "value": {"value": "l@x.com"}}]'), 'k2'), '$.emails.value');
SELECT document FROM people WHERE id = 'kim';
SELECT user_patch('people', 'kim', message('[{"op": "add", "path": "nickName", "value": "K"}]'), dry_run => true) ->> 'nickName';
SELECT user_patch('people', 'kim', message('[{"op": "remove", "path": "userName"}]'), dry_run => true);
SELECT document, version FROM people WHERE id = 'kim';
-- a value that is taken
SELECT user_patch('people', 'kim', message('[{"op": "replace", "path": "userName", "value": "PAT"}]'));

--
-- In bulk, and where no body is a SCIM resource
--
SELECT users_bulk_patch('people', jsonb_build_array(message('[{"op": "add", "path": "title", "value": "T"}]') || '{"id": "kim"}')) #> '{Resources,0,title}';
SELECT users_bulk_patch('people', jsonb_build_array(message('[{"op": "add", "path": "title", "value": "U"}]'))) #>> '{Resources,0,detail}';
SELECT document FROM people WHERE id = 'kim';
SELECT user_table_create('plain');
SELECT user_put('plain', 'ann', '{"b": 2}') - 'meta';
SELECT user_put('plain', 'ann', message('[{"op": "add", "path": "a", "value": 1}]')) - 'meta';
-- tables of other shapes take messages, too
SELECT user_patch('plain', 'ann', message('[{"op": "remove", "path": "b"}, {"op": "add", "path": "a", "value": 1}]')) - 'meta';

-- without a schema values may be anything, also where a path goes on below them
SELECT user_put('plain', 'bob', '{"list": ["a", {"k": 1}], "word": "w"}') - 'meta';
SELECT user_patch('plain', 'bob', message('[{"op": "remove", "path": "list[not (k eq 1)].sub"}, {"op": "remove", "path": "word.sub"}]')) - 'meta';
SELECT user_patch('plain', 'bob', message('[{"op": "add", "path": "list[not (k eq 1)]", "value": {"b": 2}}]')) - 'meta';
SELECT user_patch('plain', 'bob', message('[{"op": "replace", "path": "list[x pr].sub", "value": 1}]'));
SELECT user_put('plain', 'bob', '{"list": ["a"]}') - 'meta';
SELECT user_patch('plain', 'bob', message('[{"op": "replace", "path": "list[not (x pr)].sub", "value": 1}]'));

-- the profiles of the two big clients, who send back what they got
SELECT user_create('people', '{"userName": "lena"}', 'lena') ->> 'userName';
SELECT user_patch('people', 'lena', message('[{"op": "Replace", "value": {"active": "False", "name.familyName": "Li", "groups": [{"value": "g"}], "nobody": 1}},
	{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "li@example.com"}, {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "7"}]'), api => p) - 'meta' FROM (VALUES ('entra'), ('okta')) v(p);
SELECT user_patch('people', 'lena', message('[{"op": "replace", "value": {"groups": [{"value": "g"}]}}]'));

-- an attribute of an extension without the URN, and a list of one for what is single
SELECT user_patch('people', 'lena', message(o), api => 'entra') #> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager}' AS manager
FROM unnest('{"[{\"op\": \"Add\", \"path\": \"manager\", \"value\": [{\"$ref\": \"/Users/7\", \"value\": \"7\"}]}]",
	"[{\"op\": \"Replace\", \"path\": \"manager\", \"value\": \"8\"}]", "[{\"op\": \"Replace\", \"path\": \"Manager.value\", \"value\": [\"9\"]}]",
	"[{\"op\": \"Replace\", \"value\": {\"manager\": [\"10\"]}}]", "[{\"op\": \"Remove\", \"path\": \"manager\"}]"}'::jsonb[]) o;
SELECT user_patch('people', 'lena', message('[{"op": "Replace", "path": "manager", "value": "8"}]'), api => 'scim');
SELECT user_patch('people', 'lena', message('[{"op": "Replace", "path": "title", "value": ["Dr", "Prof"]}]'), api => 'entra');

DROP TABLE people, free, staff, zuora_people, plain;
SELECT attribute_schema_drop('urn:regress:scim_patch:Staff');
SELECT count(api_profile_drop(name)) FROM api_profile WHERE name LIKE 'regress\_%';
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_scim_patch CASCADE;
DROP EXTENSION pgcrypto;
DROP SCHEMA regress_scim_patch_crypto;
DROP ROLE regress_scim_patch;
