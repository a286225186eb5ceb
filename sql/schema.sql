--
-- Attribute schemas: wrong documents, who may redefine which, dry runs over
-- stored users, redefinition, dropping, and the schemas that ship.  What each
-- word does is the topic schema_words.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE ROLE regress_schema;
CREATE ROLE regress_schema_other;
CREATE SCHEMA regress_schema AUTHORIZATION regress_schema;
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_schema;
SET search_path = regress_schema;
GRANT USAGE ON SCHEMA regress_schema TO regress_schema_other;

-- What a command gives, or how it is refused: SQLSTATE, message, DETAIL, HINT.
CREATE FUNCTION outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
    hint text;
BEGIN
    EXECUTE command INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION define(document text) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT count(*) || '' problems'' FROM userstore.attribute_schema_define(%L)', document))
$$;
-- A schema of one attribute "a" with these words.
CREATE FUNCTION define_a(words text) RETURNS text LANGUAGE sql AS $$
    SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "a", ' || words || '}]}')
$$;

--
-- Wrong documents: each is refused, says where, and leaves nothing
--
SELECT define('[]');
SELECT define('"urn:x:y"');
SELECT define('null');
SELECT define('{}');
SELECT define('{"attributes": []}');
SELECT define('{"id": 1, "attributes": []}');
SELECT define('{"id": "", "attributes": []}');
SELECT define('{"id": "User", "attributes": []}');
SELECT define('{"id": "urn:with blank", "attributes": []}');
SELECT define('{"id": "urn:' || repeat('x', 252) || '", "attributes": []}');
SELECT define('{"id": "urn:regress:wrong"}');
SELECT define('{"id": "urn:regress:wrong", "attributes": null}');
SELECT define('{"id": "urn:regress:wrong", "attributes": {}}');
SELECT define('{"id": "urn:regress:wrong", "attributes": ["a"]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": 1}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": ""}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "a.b"}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "a:b"}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "a[b"}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "a\"b"}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "a\nb"}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "' || repeat('n', 256) || '"}]}');
SELECT define('{"id": "urn:regress:wrong", "attributes": [{"name": "b"}, {"name": "a"}, {"name": "A"}]}');
SELECT define_a('"type": "complex", "subAttributes": [{"name": "x"}, {"name": "X"}]');
SELECT define_a('"type": "text"');
SELECT define_a('"type": 1');
SELECT define_a('"multiValued": "true"');
SELECT define_a('"required": 1');
SELECT define_a('"caseExact": "yes"');
SELECT define_a('"mutability": "writable"');
SELECT define_a('"returned": true');
SELECT define_a('"uniqueness": "table"');
SELECT define_a('"canonicalValues": "work"');
SELECT define_a('"absent": "forget"');
SELECT define_a('"primaryWhenOnly": 1');
SELECT define_a('"computed": false');
SELECT define_a('"subAttributes": [{"name": "x"}]');
SELECT define_a('"type": "any", "subAttributes": [{"name": "x"}]');
SELECT define_a('"type": "complex"');
SELECT define_a('"type": "complex", "subAttributes": []');
SELECT define_a('"type": "complex", "subAttributes": {}');
SELECT define_a('"type": "complex", "subAttributes": [{"name": "x", "type": "complex", "subAttributes": [{"name": "y", "type": "z"}]}]');
SELECT define_a('"type": "integer", "default": "one"');
SELECT define_a('"default": ["x"]');
SELECT define_a('"default": "x", "multiValued": true');
SELECT define_a('"default": "x", "enum": ["y"]');
SELECT define_a('"default": "x", "format": "email"');
SELECT define_a('"type": "complex", "subAttributes": [{"name": "x", "type": "integer"}], "default": {"x": "1"}');
SELECT define_a('"enum": "x"');
SELECT define_a('"enum": []');
SELECT define_a('"enum": ["x", 1]');
SELECT define_a('"type": "integer", "enum": [1, 1.5]');
SELECT define_a('"type": "complex", "subAttributes": [{"name": "x"}], "enum": [{"x": "1"}]');
SELECT define_a('"format": "telephone"');
SELECT define_a('"format": null');
SELECT userstore.attribute_schema_drop('urn:regress:wrong');
SELECT define_a('"format": 1');
SELECT define_a('"type": "integer", "format": "email"');
SELECT define_a('"pattern": "[a-"');
SELECT define_a('"pattern": "(a"');
SELECT define_a('"type": "boolean", "pattern": "a"');
SELECT define_a('"minLength": -1');
SELECT define_a('"minLength": 1.5');
SELECT define_a('"maxLength": "10"');
SELECT define_a('"maxLength": 3000000000');
SELECT define_a('"minLength": 6, "maxLength": 5');
SELECT define_a('"type": "integer", "maxLength": 5');
SELECT define_a('"minimum": 1');
SELECT define_a('"type": "integer", "minimum": "1"');
SELECT define_a('"type": "integer", "minimum": 2, "maximum": 1');
SELECT define_a('"dependentRequired": {}, "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT userstore.attribute_schema_drop('urn:regress:wrong');
SELECT define_a('"dependentRequired": [], "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT define_a('"dependentRequired": {"x": "x"}, "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT define_a('"dependentRequired": {"x": [1]}, "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT define_a('"dependentRequired": {"x": ["y"]}, "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT define_a('"dependentRequired": {"y": ["x"]}, "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT define_a('"key": "k", "type": "complex", "multiValued": true, "subAttributes": [{"name": "x"}]');
SELECT define_a('"key": "x", "type": "complex", "subAttributes": [{"name": "x"}]');
SELECT define_a('"key": "x", "type": "complex", "multiValued": true, "subAttributes": [{"name": "x", "multiValued": true}]');
SELECT define_a('"key": 1, "type": "complex", "multiValued": true, "subAttributes": [{"name": "x"}]');
SELECT define_a('"key": "a"');
SELECT define_a('"lookup": {}');
SELECT define_a('"lookup": [{"value": 1}]');
SELECT define_a('"lookup": [1]');
SELECT define_a('"lookup": [{"value": 1, "displayValue": "One"}]');
SELECT define_a('"lookup": [], "type": "complex", "subAttributes": [{"name": "value"}]');
SELECT define_a('"lookup": [], "type": "complex", "subAttributes": [{"name": "value", "multiValued": true}, {"name": "displayValue"}]');
SELECT define_a('"lookup": [], "type": "complex", "subAttributes": [{"name": "value"}, {"name": "displayValue", "type": "integer"}]');
SELECT define_a('"lookup": [{"value": 1, "displayValue": "One"}], "type": "complex", "subAttributes": [{"name": "value"}, {"name": "displayValue"}]');
SELECT define_a('"lookup": [{"value": "1", "displayValue": "One"}, {"value": "2", "displayValue": "one"}], "type": "complex", "subAttributes": [{"name": "value"}, {"name": "displayValue"}]');
SELECT define_a('"lookup": [{"value": "a", "displayValue": "One"}, {"value": "A", "displayValue": "Two"}], "type": "complex", "subAttributes": [{"name": "value"}, {"name": "displayValue"}]');
SELECT define_a('"defaultFrom": "b"');
SELECT define_a('"defaultFrom": "b"}, {"name": "b", "type": "integer"');
SELECT define_a('"type": "boolean", "primaryWhenOnly": true');
SELECT define_a('"computed": "now"');
-- too deep, too many, huge
SELECT left(define(format('{"id": "urn:regress:wrong", "attributes": %s%s}',
    repeat('[{"name": "a", "type": "complex", "subAttributes": ', 300) || '[{"name": "a"}]', repeat('}]', 300))), 200);
SELECT define(jsonb_build_object('id', 'urn:regress:wrong', 'attributes',
    (SELECT jsonb_agg(jsonb_build_object('name', 'a' || n)) FROM generate_series(1, 10001) n))::text);
SELECT define_a('"enum": ["' || repeat('x', 1000000) || '", 1]');
SELECT count(*) FROM userstore.attribute_schema WHERE id LIKE 'urn:regress:%';
-- as deep and as many as is allowed
SELECT define(format('{"id": "urn:regress:deep", "attributes": %s%s}',
    repeat('[{"name": "a", "type": "complex", "subAttributes": ', 100) || '[{"name": "a"}]', repeat('}]', 100)));
SELECT define(jsonb_build_object('id', 'urn:regress:many', 'attributes',
    (SELECT jsonb_agg(jsonb_build_object('name', 'a' || n, 'description', repeat('d', 100))) FROM generate_series(1, 10000) n))::text);
SELECT userstore.attribute_schema_drop('urn:regress:deep'), userstore.attribute_schema_drop('urn:regress:many');

--
-- NULL arguments
--
SELECT outcome('SELECT count(*) FROM userstore.attribute_schema_define(NULL)');
SELECT outcome($$SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:x", "attributes": []}', NULL)$$);
SELECT outcome('SELECT userstore.attribute_schema_drop(NULL)');

--
-- Who may redefine a schema, and drop it
--
SELECT define('{"id": "urn:regress:user", "name": "User", "attributes": [{"name": "login"}, {"name": "age", "type": "integer"}]}');
SELECT id, owner, shipped, document ->> 'name' FROM userstore.attribute_schema WHERE id = 'urn:regress:user';
SELECT define('{"id": "urn:regress:user", "name": "User 2", "attributes": [{"name": "login"}, {"name": "age", "type": "integer"}]}');
SET SESSION AUTHORIZATION regress_schema_other;
SELECT * FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": []}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": []}', dry_run => true);
\echo :LAST_ERROR_SQLSTATE
SELECT userstore.attribute_schema_drop('urn:regress:user');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM userstore.attribute_schema_define('{"id": "urn:ietf:params:scim:schemas:core:2.0:User", "attributes": []}');
\echo :LAST_ERROR_SQLSTATE
SELECT userstore.attribute_schema_drop('urn:ietf:params:scim:schemas:core:2.0:User');
\echo :LAST_ERROR_SQLSTATE
-- the rows themselves are read by all and written by none but their functions
SELECT count(*) > 0 FROM userstore.attribute_schema;
INSERT INTO userstore.attribute_schema (document) VALUES ('{"id": "urn:x:y"}');
UPDATE userstore.attribute_schema SET owner = 'regress_schema_other';
DELETE FROM userstore.attribute_schema;
-- a member of the owner is an owner
RESET SESSION AUTHORIZATION;
GRANT regress_schema TO regress_schema_other;
SET SESSION AUTHORIZATION regress_schema_other;
SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "name": "User 3", "attributes": [{"name": "login"}, {"name": "age", "type": "integer"}]}');
SELECT owner, document ->> 'name' FROM userstore.attribute_schema WHERE id = 'urn:regress:user';
RESET SESSION AUTHORIZATION;
REVOKE regress_schema FROM regress_schema_other;
SET SESSION AUTHORIZATION regress_schema;
SELECT outcome($$SELECT userstore.attribute_schema_drop('urn:regress:none')$$);

--
-- A dry run lists stored users who would no longer be valid, and stores nothing
--
SELECT userstore.api_profile_define('regress_schema', '{"schemas": ["urn:regress:user"], "put_creates": true}');
SELECT userstore.api_profile_define('regress_schema_rules', '{"schemas": ["urn:regress:user"], "absent": "blank",
    "rules": {"age": {"maximum": 50}}}');
SELECT userstore.user_table_create('one', api => 'regress_schema');
SELECT userstore.user_table_create('two', api => 'regress_schema_rules', id_type => 'int');
SELECT userstore.user_table_create('unrelated');
SELECT userstore.user_create('one', '{"login": "ann", "age": 1}', 'a') IS NULL,
    userstore.user_create('one', '{"login": "bob", "age": 70}', 'b') IS NULL,
    userstore.user_create('two', '{"login": "cyd", "age": 40}', '1') IS NULL,
    userstore.user_create('two', '{"login": "", "age": 3}', '2') IS NULL,
    userstore.user_create('unrelated', '{"login": 1, "age": "x"}', 'x') IS NULL;
-- stored by other means
INSERT INTO one (id, document) VALUES ('c', '{"login": 5, "age": "old"}'), ('d', '{}');
SELECT users, id, path, message FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "format": "email"}, {"name": "age", "type": "integer", "maximum": 30}]}', true) ORDER BY 1, 2, 3;
-- tables that the caller cannot read are passed over
RESET SESSION AUTHORIZATION;
GRANT CREATE ON SCHEMA regress_schema TO regress_schema_other;
SET SESSION AUTHORIZATION regress_schema_other;
SELECT userstore.user_table_create('regress_schema.theirs', api => 'regress_schema');
SELECT userstore.user_create('regress_schema.theirs', '{}', 'x') IS NULL;
SET SESSION AUTHORIZATION regress_schema;
SELECT users, id, path, message FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "required": true}, {"name": "age", "type": "integer"}]}', true) ORDER BY 1, 2, 3;
RESET SESSION AUTHORIZATION;
DROP TABLE regress_schema.theirs;
SET SESSION AUTHORIZATION regress_schema;
-- in collecting mode all that is wrong with a user is told
SELECT users, id, path, message FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "format": "email", "minLength": 4, "pattern": "^x"}, {"name": "age", "type": "integer"}]}', true)
    WHERE id = 'a' ORDER BY 3, 4;
-- values that would have to be unique and are not; blanks are none
SELECT outcome($$SELECT userstore.user_create('one', '{"login": "BOB", "age": 1.0}', 'f') IS NULL$$);
INSERT INTO one (id, document) VALUES ('g', '{"login": ""}'), ('h', '{"login": ""}');
SELECT users, id, path, message FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "uniqueness": "server"}, {"name": "age", "type": "integer", "uniqueness": "server"}]}', true)
    WHERE message LIKE '%another%' ORDER BY 1, 2, 3;
SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "uniqueness": "server", "caseExact": true}, {"name": "age", "type": "integer"}]}', true) WHERE message LIKE '%another%';
SELECT outcome($$SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "uniqueness": "server", "multiValued": true}]}', true)$$);
DELETE FROM one WHERE id IN ('f', 'g', 'h');
-- nothing was stored, also of a schema that is new
SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:new", "attributes": []}', true);
SELECT id, document ->> 'name' FROM userstore.attribute_schema WHERE id LIKE 'urn:regress:%';

--
-- Redefined: the next update in the same session goes by the new words
--
SELECT outcome($$SELECT userstore.user_patch('one', 'a', '{"age": 200}') -> 'age'$$);
SELECT define('{"id": "urn:regress:user", "attributes": [{"name": "login"}, {"name": "age", "type": "integer", "maximum": 100}, {"name": "nick"}]}');
SELECT outcome($$SELECT userstore.user_patch('one', 'a', '{"age": 201}') -> 'age'$$);
SELECT outcome($$SELECT userstore.user_patch('one', 'a', '{"nick": "an"}') -> 'nick'$$);
-- old bad data does not block other changes
SELECT outcome($$SELECT userstore.user_patch('one', 'c', '{"nick": "cy"}') - 'meta'$$);
-- a redefinition that is rolled back leaves the old words in force
BEGIN;
SELECT define('{"id": "urn:regress:user", "attributes": [{"name": "login"}]}');
SELECT outcome($$SELECT userstore.user_patch('one', 'a', '{"nick": "no"}') -> 'nick'$$);
ROLLBACK;
SELECT outcome($$SELECT userstore.user_patch('one', 'a', '{"nick": "yes"}') -> 'nick'$$);
-- an attribute that is no longer defined stays in the documents
SELECT define('{"id": "urn:regress:user", "attributes": [{"name": "login"}, {"name": "age", "type": "integer"}]}');
SELECT outcome($$SELECT userstore.user_put('one', 'a', '{"login": "ann"}') - 'meta'$$);
-- a new unique attribute takes a refresh of the table
DROP TABLE two;
SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:user", "attributes": [
    {"name": "login", "uniqueness": "server"}, {"name": "age", "type": "integer"}]}');
SELECT outcome($$SELECT userstore.user_create('one', '{"login": "ANN"}', 'e') - 'meta'$$);
SELECT outcome($$SELECT userstore.user_table_refresh('one')$$);
SELECT outcome($$SELECT userstore.user_delete('one', 'e')$$);
SELECT outcome($$SELECT userstore.user_table_refresh('one')$$);
SELECT outcome($$SELECT userstore.user_create('one', '{"login": "ANN"}', 'e') - 'meta'$$);
SELECT users, unique_columns FROM userstore.user_table WHERE users = 'one'::regclass;

--
-- Dropping
--
SELECT outcome($$SELECT userstore.attribute_schema_drop('urn:regress:user')$$);
DROP TABLE one;
SELECT userstore.api_profile_drop('regress_schema_rules');
SELECT outcome($$SELECT userstore.attribute_schema_drop('urn:regress:user')$$);  -- a profile uses it
SELECT userstore.api_profile_drop('regress_schema');
SELECT outcome($$SELECT userstore.attribute_schema_drop('urn:regress:user')$$);
SELECT outcome($$SELECT userstore.attribute_schema_drop('urn:regress:user')$$);
SELECT count(*) FROM userstore.attribute_schema WHERE id LIKE 'urn:regress:%';

--
-- The schemas that ship
--
RESET SESSION AUTHORIZATION;
SELECT id, owner = (SELECT rolname FROM pg_authid WHERE oid = 10), document ->> 'name',
    (SELECT count(*) FROM userstore.attribute_schema_define(document, true)) AS problems
    FROM userstore.attribute_schema s WHERE shipped ORDER BY id COLLATE "C";
-- attribute by attribute: those of RFC 7643 section 8.7.1 (and a primary address),
-- of Zuora's extension, of Zluri's table, of the CPQ page and of OIG's fields
WITH RECURSIVE attribute AS (
    SELECT document ->> 'name' AS schema, ARRAY[n] AS place, a ->> 'name' AS path, a
        FROM userstore.attribute_schema, jsonb_array_elements(document -> 'attributes') WITH ORDINALITY AS u (a, n)
        WHERE shipped
    UNION ALL
    SELECT schema, place || n, path || '.' || (s ->> 'name'), s
        FROM attribute, jsonb_array_elements(a -> 'subAttributes') WITH ORDINALITY AS u (s, n))
SELECT schema, path, a ->> 'type', CASE WHEN (a ->> 'multiValued')::boolean THEN 'multi' ELSE 'single' END,
    a ->> 'mutability', a ->> 'returned', a ->> 'uniqueness',
    concat_ws(' ', CASE WHEN (a ->> 'required')::boolean THEN 'required' END,
        CASE WHEN (a ->> 'caseExact')::boolean THEN 'caseExact' END, a ->> 'format', a ->> 'key', a ->> 'canonicalValues', a ->> 'enum',
        'default ' || (a ->> 'default'))
    FROM attribute ORDER BY schema COLLATE "C", place;
-- nothing in them but words that are known: defining a copy tells of none
SELECT count(*) FROM userstore.attribute_schema s,
    userstore.attribute_schema_define(jsonb_set(document, '{id}', to_jsonb('urn:regress:copy'::text)), true) WHERE shipped;

SET client_min_messages = warning;
DROP SCHEMA regress_schema CASCADE;
DROP OWNED BY regress_schema, regress_schema_other;
DROP ROLE regress_schema, regress_schema_other;
