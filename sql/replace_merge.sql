--
-- Replace and merge where values have parts: extensions, immutable and writeOnly
-- parts, defaults, what is no attribute at all
--
SET client_min_messages = warning;
CREATE ROLE regress_replace_merge;
CREATE SCHEMA regress_replace_merge AUTHORIZATION regress_replace_merge;
SET SESSION AUTHORIZATION regress_replace_merge;
SET search_path = regress_replace_merge, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on

-- prints the error of a command as SQLSTATE, message, DETAIL and HINT
CREATE FUNCTION answer(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
	detail text;
	hint text;
BEGIN
	EXECUTE 'SELECT ' || command INTO result;
	RETURN result - 'meta' - 'id';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:rm:Core", "attributes": [
	{"name": "a"},
	{"name": "secret", "mutability": "writeOnly"},
	{"name": "c", "type": "complex", "subAttributes": [{"name": "x"}, {"name": "i", "mutability": "immutable"}]},
	{"name": "d", "type": "complex", "subAttributes": [{"name": "x"}, {"name": "y", "default": "y"}]},
	{"name": "list", "type": "complex", "multiValued": true, "subAttributes": [{"name": "x"}, {"name": "y", "default": "y"}]}]}');
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:rm:Ext", "attributes": [
	{"name": "s"}, {"name": "n", "type": "integer"}, {"name": "kept", "absent": "keep"},
	{"name": "filled", "default": "DEF", "absent": "default"}]}');
SELECT api_profile_define('regress_rm', '{"absent": "blank", "unknown_attributes": "reject",
	"schemas": ["urn:regress:rm:Core", "urn:regress:rm:Ext"], "put_creates": true}');
SELECT user_table_create('people', api => 'regress_rm');

-- a writeOnly value is stored, kept and never shown
SELECT answer($$user_create('people', '{"a": "1", "secret": "s"}', 'w')$$);
SELECT answer($$user_get('people', 'w', '{secret}')$$);
SELECT answer($$user_put('people', 'w', '{"a": "2"}')$$);
SELECT document FROM people WHERE id = 'w';

-- an extension left out: each of its attributes was
SELECT answer($$user_create('people', '{"a": "1", "urn:regress:rm:Ext": {"s": "s", "n": 1, "kept": "k", "filled": "f"}}', 'e')$$);
SELECT answer($$user_put('people', 'e', '{"a": "1"}')$$);
SELECT answer($$user_put('people', 'e', '{"a": "1", "urn:regress:rm:Ext": {}}')$$);
SELECT answer($$user_put('people', 'e', '{"a": "1", "urn:regress:rm:Ext": null}')$$);
SELECT answer($$user_put('people', 'new', '{"a": "1"}')$$);
SELECT answer($$user_put('people', 'new', '{"a": "1"}')$$);
SELECT user_version('people', 'new');

-- an immutable part stands in the way of clearing the whole
SELECT answer($$user_put('people', 'i', '{"c": {"x": "x", "i": "1"}}')$$);
SELECT answer($$user_put('people', 'i', '{"c": null}')$$);
SELECT answer($$user_patch('people', 'i', '{"c": null}')$$);
SELECT answer($$user_put('people', 'i', '{"c": {"i": "2"}}')$$);
SELECT answer($$user_put('people', 'i', '{}')$$);

-- defaults fill a user who is created and items of lists, not what a merge or a PUT leaves out
SELECT answer($$user_create('people', '{"d": {"x": "1"}, "list": [{"x": "1"}]}', 'd')$$);
SELECT answer($$user_create('people', '{"a": "1"}', 'd2')$$);
SELECT answer($$user_patch('people', 'd2', '{"d": {"x": "1"}, "list": [{"x": "1"}]}')$$);
SELECT changed FROM people_history WHERE user_id = 'd2' ORDER BY version;
SELECT answer($$user_put('people', 'd3', '{"d": {"x": "1"}, "list": [{"x": "1"}]}')$$);

-- of an extension that is left out, what cannot go keeps what the extension requires; what is readOnly requires nothing
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:rm:Required", "attributes": [
	{"name": "n", "type": "integer", "required": true}, {"name": "i", "mutability": "immutable"}, {"name": "x"}, {"name": "r", "mutability": "readOnly"}]}');
SELECT api_profile_define('regress_rm_required', '{"schemas": ["urn:regress:rm:Core", "urn:regress:rm:Required"], "absent": "remove"}', base => 'regress_rm');
SELECT user_table_create('required', api => 'regress_rm_required');
INSERT INTO required (id, document) VALUES ('i', '{"urn:regress:rm:Required": {"n": 1, "i": "1", "x": "x"}}'), ('r', '{"urn:regress:rm:Required": {"n": 1, "r": "r", "x": "x"}}');
SELECT answer($$user_put('required', 'i', '{"urn:regress:rm:Required": {"x": "y"}}')$$);
SELECT answer($$user_put('required', 'i', '{}')$$);
SELECT answer($$user_put('required', 'r', '{}')$$);
SELECT answer($$user_put('required', 'r', '{"urn:regress:rm:Required": {"x": "y"}}')$$);
SELECT id FROM attribute_schema_define((SELECT document FROM attribute_schema WHERE id = 'urn:regress:rm:Required'), dry_run => true);
-- what plain SQL stored under names in another case is no attribute, and goes with the rest
UPDATE required SET document = '{"urn:regress:rm:Required": {"n": 1, "R": "plain", "r": "r", "I": "plain"}}' WHERE id = 'r';
SELECT answer($$user_patch('required', 'r', '{"urn:regress:rm:Required": null}')$$);
DROP TABLE required;
SELECT api_profile_drop('regress_rm_required'), attribute_schema_drop('urn:regress:rm:Required');

-- a list with a key is merged item by item also where what it belongs to is new: the same request again changes nothing
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:rm:Keyed", "attributes": [
	{"name": "o", "type": "complex", "subAttributes": [
		{"name": "l", "type": "complex", "multiValued": true, "key": "k", "subAttributes": [{"name": "k"}, {"name": "v"},
			{"name": "m", "type": "complex", "multiValued": true, "key": "k", "subAttributes": [{"name": "k"}, {"name": "v"}]}]}]}]}');
SELECT user_table_create('keyed', schemas => '{urn:regress:rm:Keyed}');
SELECT answer($$user_create('keyed', '{}', 'k')$$);
SELECT answer($$user_patch('keyed', 'k', '{"o": {"l": [{"k": "a", "v": null}, {"k": "b", "v": "1", "m": [{"k": "c", "v": null}, {"k": "d"}]}, {"k": "B", "v": "2"}]}}')$$) FROM generate_series(1, 2);
SELECT version, changed FROM keyed_history ORDER BY version;
SELECT answer($$user_patch('keyed', 'k', '{"o": {"l": [{"k": "b", "v": null, "m": null}]}}')$$);
-- an item that is cleared and then named again stays where it is
SELECT answer($$user_patch('keyed', 'k', '{"o": {"l": [{"k": "x", "v": null}, {"k": "x", "v": "1"}, {"k": "y"}, {"k": "z", "v": "1"}, {"k": "Z", "v": null}]}}')$$) FROM generate_series(1, 2);
SELECT max(version) FROM keyed_history;
SELECT answer($$user_patch('keyed', 'k', '{"o": null}')$$);
-- an item has a key, whatever stands for none
SELECT api_profile_define('regress_rm_token', '{"schemas": ["urn:regress:rm:Keyed"], "clear_token": "-"}');
SELECT answer(format('user_patch(%L, %L, %L, api => %L)', 'keyed', 'k', body, 'regress_rm_token')) FROM unnest(ARRAY['{"o": {"l": [{"k": "-"}]}}', '{"o": {"l": [{"k": "-", "v": "1"}]}}', '{"o": {"l": [{"k": null, "v": "1"}]}}', '{"o": {"l": [{"v": "1"}]}}']) body;
-- the word clears as null does, so what has no more than its key goes
SELECT answer(format('user_patch(%L, %L, %L, api => %L)', 'keyed', 'k', body, api)) FROM (VALUES
	('{"o": {"l": [{"k": "e", "v": "5"}]}}', NULL), ('{"o": {"l": [{"k": "e", "v": "-"}]}}', 'regress_rm_token'), ('{"o": {"l": [{"k": "f", "v": "-"}]}}', 'regress_rm_token')) v (body, api);
SELECT document FROM keyed;
SELECT api_profile_drop('regress_rm_token');
DROP TABLE keyed;
SELECT attribute_schema_drop('urn:regress:rm:Keyed');

-- of a lookup, too: a cleared value leaves what is displayed to say which, a cleared display says nothing; a name sent twice is refused also where it would say nothing
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:rm:Lookup", "attributes": [{"name": "c", "type": "complex", "lookup": [{"value": "EUR", "displayValue": "Euro"}, {"value": "USD", "displayValue": "Dollar"}],
	"subAttributes": [{"name": "value"}, {"name": "displayValue"}]}]}');
SELECT api_profile_define('regress_rm_lookup', '{"schemas": ["urn:regress:rm:Lookup"], "clear_token": "-"}');
SELECT user_table_create('chosen', api => 'regress_rm_lookup');
SELECT user_create('chosen', document, id) IS NOT NULL FROM (VALUES ('none', '{}'::jsonb), ('some', '{"c": {"value": "EUR"}}')) v (id, document);
SELECT c, id, answer(format('user_patch(%L, %L, %L, dry_run => true)', 'chosen', id, jsonb_build_object('c', c))) FROM unnest(ARRAY[
	'{"value": null, "displayValue": "Dollar"}', '{"value": "-", "displayValue": "Dollar"}', '{"value": "-"}', '{"displayValue": null}', '{"displayValue": "-"}',
	'{"value": "-", "displayvalue": "Euro", "displayValue": "Dollar"}', '{"value": "USD", "displayvalue": "Euro", "displayValue": "Dollar"}']::jsonb[]) WITH ORDINALITY u (c, n), chosen ORDER BY n, id;
DROP TABLE chosen;
SELECT api_profile_drop('regress_rm_lookup'), attribute_schema_drop('urn:regress:rm:Lookup');

-- a message of operations is read as one
SELECT answer($$user_patch('people', 'd', '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
	"Operations": [{"op": "replace", "path": "a", "value": "T"}]}')$$);
SELECT user_table_create('resources', api => 'zuora');
SELECT answer($$user_create('resources', '{"userName": "x"}', 'x')$$);
SELECT answer($$user_patch('resources', 'x', '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
	"Operations": [{"op": "replace", "path": "title", "value": "T"}]}')$$);

-- what plain SQL put under the API's own names is no change, and stays
SELECT user_table_create('things');
INSERT INTO things (id, document) VALUES ('t', '{"id": "zz", "meta": 5, "schemas": [], "n": 1}');
SELECT answer($$user_put('things', 't', '{"n": 1}')$$);
SELECT user_version('things', 't');
SELECT answer($$user_put('things', 't', '{"n": 2}')$$);
SELECT document FROM things;
SELECT version, changed FROM things_history;

-- a trigger may change a user, and does not turn back its version: ours comes after it
CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.version = 1; RETURN NEW; END';
CREATE TRIGGER back BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION back();
SELECT answer($$user_put('things', 't', '{"n": 3}')$$);
SELECT version, document -> 'n' FROM things;

-- nor may one keep a change out of history
DROP TRIGGER back ON things;
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER forget BEFORE INSERT ON things_history FOR EACH ROW EXECUTE FUNCTION forget();
SELECT answer($$user_put('things', 't', '{"n": 4}')$$);
SELECT answer($$user_create('things', '{"n": 4}', 'u')$$);
SELECT answer($$user_delete('things', 't')$$);
SELECT id, version, document -> 'n' FROM things;

-- a copy of what shipped is its copier's, and goes into dumps
RESET SESSION AUTHORIZATION;
INSERT INTO userstore.api_profile SELECT (jsonb_populate_record(p, '{"name": "regress_copy"}')).* FROM userstore.api_profile p WHERE name = 'zuora';
INSERT INTO userstore.attribute_schema (document, owner, shipped)
	SELECT jsonb_set(document, '{id}', '"urn:regress:rm:copy"'), owner, shipped FROM userstore.attribute_schema WHERE id = 'urn:userstore:params:schemas:zluri:User';
SELECT name, shipped FROM userstore.api_profile WHERE name IN ('zuora', 'regress_copy') ORDER BY name;
SELECT id, shipped FROM userstore.attribute_schema WHERE id = 'urn:regress:rm:copy';
SELECT api_profile_drop('regress_copy'), attribute_schema_drop('urn:regress:rm:copy');

DROP TABLE people, things, resources;
SELECT api_profile_drop('regress_rm');
SELECT attribute_schema_drop('urn:regress:rm:Core'), attribute_schema_drop('urn:regress:rm:Ext');
SET client_min_messages = warning;
DROP SCHEMA regress_replace_merge CASCADE;
DROP ROLE regress_replace_merge;
