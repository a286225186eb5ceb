--
-- JSON Patch (RFC 6902): partial updates of profiles whose bodies are objects
--
SET client_min_messages = warning;
CREATE ROLE regress_json_patch;
CREATE SCHEMA regress_json_patch AUTHORIZATION regress_json_patch;
SET SESSION AUTHORIZATION regress_json_patch;
SET search_path = regress_json_patch, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only

-- the user after a patch without its times, or how the patch is refused
CREATE FUNCTION patched(users regclass, patch jsonb, api text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN user_patch(users, 'ann', patch, api => patched.api) - 'meta';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

SELECT user_table_create('people');
SELECT user_create('people', '{"a": 1, "list": [1, 2, 3], "o": {"x": 1, "y/z": 2, "t~": 3, "": 4}}', id => 'ann') - 'meta';

-- each operation (sections 4.1 to 4.6)
SELECT patched('people', '[{"op": "add", "path": "/b", "value": {"c": null}}]');
SELECT patched('people', '[{"op": "add", "path": "/a", "value": "in place of what was there"}]');
SELECT patched('people', '[{"op": "add", "path": "/list/1", "value": "before 2"}, {"op": "add", "path": "/list/-", "value": ["end"]}, {"op": "add", "path": "/list/5", "value": 5}]');
SELECT patched('people', '[{"op": "remove", "path": "/list/0"}, {"op": "remove", "path": "/list/3/0"}, {"op": "remove", "path": "/b"}]');
SELECT patched('people', '[{"op": "replace", "path": "/list/0", "value": "first"}, {"op": "replace", "path": "/a", "value": 1}]');
SELECT patched('people', '[{"op": "move", "from": "/list/0", "path": "/list/2"}, {"op": "move", "from": "/a", "path": "/o/a"}]');
SELECT patched('people', '[{"op": "copy", "from": "/o", "path": "/p"}, {"op": "replace", "path": "/p/x", "value": "of p alone"}]');
SELECT patched('people', '[{"op": "test", "path": "/o/x", "value": 1.0}, {"op": "test", "path": "/o", "value": {"": 4, "a": 1, "x": 1, "t~": 3, "y/z": 2}}, {"op": "remove", "path": "/p"}]');

-- pointers (RFC 6901)
SELECT patched('people', '[{"op": "replace", "path": "/o/y~1z", "value": "slash"}, {"op": "replace", "path": "/o/t~0", "value": "tilde"}, {"op": "replace", "path": "/o/", "value": "nothing"}]');
SELECT pointer, patched('people', jsonb_build_array(jsonb_build_object('op', 'remove', 'path', pointer))) FROM unnest(ARRAY[
	'', 'a', '/', '/nobody', '/o/nobody', '/o/x/y', '/o~', '/o~2', '/list/-', '/list/01', '/list/5', '/list/99999999999999999999', '/list/-1', '/list/x', '/list/0/x']) pointer;
SELECT patched('people', '[{"op": "add", "path": "/list/6", "value": 1}]');
SELECT patched('people', '[{"op": "add", "path": "/x/y", "value": 1}]');
SELECT patched('people', '[{"op": "move", "from": "/o", "path": "/o/x"}]');
SELECT patched('people', '[{"op": "move", "from": "/o", "path": "/o"}]') = patched('people', '[]') AS stays;

-- what is wrong with operations
SELECT operation, patched('people', jsonb_build_array(operation)) FROM unnest(ARRAY[
	'1', '{}', '{"op": "Add", "path": "/a", "value": 1}', '{"op": "add", "path": "/a"}', '{"op": "add", "value": 1}', '{"op": "add", "path": 1, "value": 1}',
	'{"op": "move", "path": "/a"}', '{"op": "copy", "from": "/nobody", "path": "/a"}', '{"op": "test", "path": "/o/x"}']::jsonb[]) operation;

-- all or nothing, in order; a test that fails is a conflict
SELECT patched('people', '[{"op": "remove", "path": "/o"}, {"op": "test", "path": "/list/0", "value": "another"}]');
SELECT patched('people', '[{"op": "remove", "path": "/o"}, {"op": "remove", "path": "/o/x"}]');
SELECT patched('people', '[{"op": "add", "path": "/n", "value": {}}, {"op": "add", "path": "/n/m", "value": 1}, {"op": "test", "path": "/n", "value": {"m": 1}}]');
-- no change, no write
SELECT patched('people', '[{"op": "remove", "path": "/n"}, {"op": "add", "path": "/n", "value": {"m": 1}}]');
SELECT version, operation, changed FROM people_history ORDER BY version;
SELECT user_patch('people', 'ann', '[{"op": "remove", "path": "/n"}]', idempotency_key => 'k') =
	user_patch('people', 'ann', '[{"path": "/n", "op": "remove"}]', idempotency_key => 'k') AS replayed;

-- copies make no document that cannot be read again
SELECT left(patched('people', jsonb_build_array(jsonb_build_object('op', 'add', 'path', '/deep', 'value', (repeat('[', 200) || repeat(']', 200))::jsonb),
	jsonb_build_object('op', 'copy', 'from', '/deep', 'path', '/deep' || repeat('/0', n) || '/-'), '{"op": "remove", "path": "/deep"}'::jsonb)), 60) FROM unnest(ARRAY[50, 100]) n;
SELECT left(patched('people', jsonb_build_array(jsonb_build_object('op', 'add', 'path', '/deep', 'value', (repeat('[', 200) || repeat(']', 200))::jsonb),
	jsonb_build_object('op', 'copy', 'from', '/deep', 'path', '/deep' || repeat('/0', n) || '/-'))), 60) FROM unnest(ARRAY[100]) n;

-- copies of copies do not fill the memory
SELECT patched('people', (SELECT jsonb_agg(jsonb_build_object('op', 'copy', 'from', '/o', 'path', '/o/' || n)) FROM generate_series(1, 40) n));

-- with a schema: what comes of it is judged as any update is
SELECT attribute_schema_define('{"id": "urn:regress:json-patch:User", "attributes": [
	{"name": "login", "required": true}, {"name": "status", "enum": ["on", "off"]}, {"name": "since", "mutability": "immutable"}, {"name": "groups", "mutability": "readOnly"},
	{"name": "name", "type": "complex", "subAttributes": [{"name": "first"}, {"name": "last"}]},
	{"name": "marks", "type": "complex", "multiValued": true, "key": "k", "subAttributes": [{"name": "k", "required": true}, {"name": "v", "type": "any"}]}]}');
SELECT api_profile_define('regress_json_patch', '{"schemas": ["urn:regress:json-patch:User"]}');
SELECT api_profile_define('regress_json_patch_name', '{"writable": ["name.first"]}', base => 'regress_json_patch');
-- id, meta and schemas are no attributes, with or without a schema
SELECT path, patched('people', jsonb_build_array(jsonb_build_object('op', 'add', 'path', path, 'value', 'x'))),
	patched('people', jsonb_build_array(jsonb_build_object('op', 'remove', 'path', path)))
FROM unnest('{/id,/meta,/meta/version,/schemas,/schemas/0,/ID}'::text[]) path;
SELECT patched('people', '[{"op": "move", "from": "/id", "path": "/b"}]');
SELECT document ?| '{id,meta,schemas}' FROM people;
SELECT user_table_create('staff', api => 'regress_json_patch');
SELECT user_create('staff', '{"login": "ann", "since": "2020", "name": {"first": "Ann", "last": "Lee"}, "marks": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]}', id => 'ann') - 'meta';
-- names in any case; items of a list that is merged by key otherwise are gone when they are removed
SELECT patched('staff', '[{"op": "add", "path": "/STATUS", "value": "on"}, {"op": "remove", "path": "/name/last"}, {"op": "remove", "path": "/marks/0"}, {"op": "replace", "path": "/marks/0/v", "value": {"w": null}}]');
SELECT version, changed FROM staff_history ORDER BY version;
SELECT patch, patched('staff', patch) FROM unnest(ARRAY[
	'[{"op": "add", "path": "/status", "value": "asleep"}]', '[{"op": "remove", "path": "/login"}]', '[{"op": "replace", "path": "/login", "value": null}]',
	'[{"op": "replace", "path": "/since", "value": "2021"}]', '[{"op": "add", "path": "/groups", "value": "admins"}]', '[{"op": "add", "path": "/shoe", "value": 1}]',
	'[{"op": "add", "path": "/name/shoe", "value": 1}]', '[{"op": "add", "path": "/marks/-", "value": {"v": 1}}]', '[{"op": "replace", "path": "/marks", "value": "a"}]',
	'[{"op": "add", "path": "/id", "value": "bob"}]']::jsonb[]) patch;
SELECT patched('staff', '[{"op": "replace", "path": "/name", "value": {"first": "Anna"}}]', api => 'regress_json_patch_name');
SELECT patched('staff', '[{"op": "replace", "path": "/status", "value": "off"}]', api => 'regress_json_patch_name');
SELECT patched('staff', '[{"op": "remove", "path": "/marks"}, {"op": "remove", "path": "/name"}]');

-- SCIM resources take PatchOp messages instead
SELECT user_table_create('resources', api => 'scim');
SELECT user_create('resources', '{"userName": "ann"}', id => 'ann') -> 'userName';
SELECT patched('resources', '[{"op": "add", "path": "/title", "value": "Dr"}]');

DROP TABLE people, staff, resources;
SELECT api_profile_drop('regress_json_patch'), api_profile_drop('regress_json_patch_name'), attribute_schema_drop('urn:regress:json-patch:User');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_json_patch CASCADE;
DROP ROLE regress_json_patch;
