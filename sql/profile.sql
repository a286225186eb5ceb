--
-- API profiles: those that ship, how they are defined, what each setting does,
-- who may redefine which.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE ROLE regress_profile;
CREATE ROLE regress_profile_other;
CREATE SCHEMA regress_profile AUTHORIZATION regress_profile;
RESET client_min_messages;

--
-- The profiles that ship
--
SELECT name, body, put, put_creates, absent, unknown_attributes, lenient, on_delete, max_payload_size,
    quote_nullable(clear_token), quote_nullable(base_url), writable, answer
    FROM userstore.api_profile WHERE shipped ORDER BY name;
SELECT name, n, id FROM userstore.api_profile, unnest(schemas) WITH ORDINALITY AS u (id, n) WHERE shipped ORDER BY name, n;
SELECT name, rule, words FROM userstore.api_profile, jsonb_each(rules) AS u (rule, words) WHERE shipped ORDER BY 1, 2;

SET SESSION AUTHORIZATION regress_profile;
SET search_path = regress_profile;
GRANT USAGE ON SCHEMA regress_profile TO regress_profile_other;
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
-- Define the profile that is tested, over no other.
CREATE FUNCTION define(settings text, base text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.api_profile_define(''regress_profile'', %L, %L)::text', settings, base))
$$;
-- Updates of user u under it, answered without times.
CREATE FUNCTION answer(command text) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT (%s) #- ''{meta,created}'' #- ''{meta,lastModified}''', command))
$$;
CREATE FUNCTION put(body jsonb, id text DEFAULT 'u') RETURNS text LANGUAGE sql AS $$
    SELECT answer(format('userstore.user_put(''people'', %L, %L, api => ''regress_profile'')', id, body))
$$;
CREATE FUNCTION patch(body jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT answer(format('userstore.user_patch(''people'', ''u'', %L, api => ''regress_profile'')', body))
$$;
CREATE FUNCTION get() RETURNS text LANGUAGE sql AS $$
    SELECT answer('userstore.user_get(''people'', ''u'', api => ''regress_profile'')')
$$;
-- The user as stored before the next update, without a past.
CREATE FUNCTION reset(document jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM people;
    DELETE FROM people_history;
    INSERT INTO people (id, document) VALUES ('u', document);
END $$;

SELECT userstore.attribute_schema_define('{"id": "urn:regress:profile:User", "attributes": [
    {"name": "login", "required": true, "uniqueness": "server"}, {"name": "nick", "default": "non"}, {"name": "active", "type": "boolean"}, {"name": "memo", "absent": "blank"},
    {"name": "name", "type": "complex", "subAttributes": [{"name": "first"}, {"name": "last"}]},
    {"name": "mails", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "type"}]}]}');
SELECT userstore.attribute_schema_define('{"id": "urn:regress:profile:More", "attributes": [{"name": "team"}, {"name": "desk"}]}');
SELECT define('{"schemas": ["urn:regress:profile:User", "urn:regress:profile:More"]}');
SELECT userstore.user_table_create('people', api => 'regress_profile');
SELECT schemas FROM userstore.user_table WHERE users = 'people'::regclass;

--
-- Defining: over the defaults, over a base, over itself
--
SELECT define('{}');
SELECT to_jsonb(p) - 'defined_at' FROM userstore.api_profile p WHERE name = 'regress_profile';
SELECT define('{"put": "merge", "answer": ["login"]}', 'zuora');
SELECT define('{"put": "replace", "schemas": ["urn:regress:profile:User"]}', 'scim');
SELECT to_jsonb(p) - 'defined_at' FROM userstore.api_profile p WHERE name = 'regress_profile';
SELECT define('{"clear_token": "-"}', 'regress_profile');
SELECT to_jsonb(p) - 'defined_at' FROM userstore.api_profile p WHERE name = 'regress_profile';
-- null takes the base's setting back to the default
SELECT define('{"clear_token": null, "body": null, "unknown_attributes": null, "writable": null}', 'regress_profile');
SELECT to_jsonb(p) - 'defined_at' FROM userstore.api_profile p WHERE name = 'regress_profile';

--
-- Wrong settings are refused by name, and leave the profile as it was
--
SELECT define('[]');
SELECT define('"scim"');
SELECT define('{"bodies": "scim"}');
SELECT define('{"Body": "scim"}');
SELECT define('{"name": "x"}');
SELECT define('{"owner": "postgres"}');
SELECT define('{"shipped": true}');
SELECT define('{"defined_at": "now"}');
SELECT define('{"ctid": "(0,1)"}');
SELECT define('{"body": "xml"}');
SELECT define('{"body": 1}');
SELECT define('{"schemas": "urn:regress:profile:User"}');
SELECT define('{"schemas": [1]}');
SELECT define('{"schemas": ["urn:regress:none"]}');
SELECT define('{"schemas": ["urn:regress:profile:User", "urn:regress:profile:More", "urn:regress:profile:More"]}');
SELECT define('{"schemas": ["urn:regress:profile:User", "urn:regress:profile:User"]}');
SELECT define('{"put": "patch"}');
SELECT define('{"put_creates": "yes"}');
SELECT define('{"absent": "forget"}');
SELECT define('{"unknown_attributes": "drop"}');
SELECT define('{"rules": []}');
SELECT define('{"rules": {"nick": "blank"}}');
SELECT define('{"rules": {"nick": {"format": "telephone"}}}');
SELECT define('{"rules": {"nick": {"sort": "yes"}}}');
SELECT define('{"rules": {"nick": {"type": "integer"}}}');
SELECT define('{"rules": {"nick": {"multiValued": true}}}');
SELECT define('{"rules": {"nick": {"uniqueness": "server"}}}');
SELECT define('{"rules": {"nick": {"caseExact": true}}}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "rules": {"nik": {"absent": "keep"}}}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "rules": {"active": {"default": "yes"}}}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "rules": {"mails.value": {"defaultFrom": "valeu"}}}');
SELECT define('{"clear_token": 1}');
SELECT define('{"lenient": 1}');
SELECT define('{"writable": "nick"}');
SELECT define('{"writable": [null]}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "writable": ["nick", "nik"]}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "writable": ["name.middle"]}');
SELECT define('{"answer": {}}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "answer": ["nik"]}');
SELECT define('{"on_delete": "hide"}');
SELECT define('{"base_url": 1}');
SELECT define('{"max_payload_size": 0}');
SELECT define('{"max_payload_size": 1.5}');
SELECT define('{"max_payload_size": "1MB"}');
SELECT define('{"max_payload_size": 3000000000}');
SELECT define('{"max_operations": 0}');
SELECT define('{"max_operations": "many"}');
SELECT define('{"authentication_schemes": "httpbasic"}');
SELECT define('{"authentication_schemes": ["httpbasic"]}');
SELECT define('{"authentication_schemes": [{"type": "httpbasic", "name": "HTTP Basic", "description": "Name and password"}, {"type": "oauth2", "name": "OAuth"}]}');
SELECT define('{"authentication_schemes": [{"type": 1, "name": "HTTP Basic", "description": "Name and password"}]}');
SELECT define('{}', 'regress_none');
SELECT outcome($$SELECT userstore.api_profile_define('')$$);
SELECT outcome($$SELECT userstore.api_profile_define(repeat('x', 256))$$);
SELECT to_jsonb(p) - 'defined_at' FROM userstore.api_profile p WHERE name = 'regress_profile';
-- NULL arguments; a NULL base is none
SELECT outcome($$SELECT userstore.api_profile_define(NULL)$$);
SELECT outcome($$SELECT userstore.api_profile_define('x', NULL)$$);
SELECT outcome($$SELECT userstore.api_profile_drop(NULL)$$);

--
-- body
--
SELECT reset('{"login": "ann"}');
SELECT define('{"body": "object"}');
SELECT get();
SELECT put('{"id": "other", "login": "ann"}');
SELECT define('{"body": "scim"}');
SELECT get();
SELECT put('{"id": "other", "schemas": ["urn:regress:profile:User"], "login": "ann", "externalId": "x1", "urn:regress:profile:More": {"team": "T"}}');
SELECT put('{"schemas": ["urn:regress:none"], "login": "ann"}');

--
-- put, put_creates
--
SELECT reset('{"login": "ann", "name": {"first": "A", "last": "B"}}');
SELECT define('{"put": "merge"}');
SELECT put('{"name": {"last": "C"}}');
SELECT define('{"put": "replace"}');
SELECT put('{"login": "ann", "name": {"last": "D"}}');
SELECT put('{"login": "bob"}', 'b');
SELECT define('{"put_creates": true}');
SELECT put('{"login": "bob"}', 'b');
SELECT define('{"put_creates": true, "put": "merge"}');
SELECT put('{"login": "cyd"}', 'c');
SELECT outcome($$SELECT userstore.user_patch('people', 'd', '{"login": "dan"}', api => 'regress_profile')$$);
DELETE FROM people WHERE id <> 'u';

--
-- absent; a schema's own word wins over it, and a rule over that
--
SELECT define('{"absent": "remove"}');
SELECT reset('{"login": "ann", "nick": "an", "active": true, "name": {"first": "A", "last": "B"}, "mails": [{"value": "x"}]}');
SELECT put('{"login": "ann"}');
SELECT define('{"absent": "blank"}');
SELECT reset('{"login": "ann", "nick": "an", "active": true, "name": {"first": "A", "last": "B"}, "mails": [{"value": "x"}]}');
SELECT put('{"login": "ann"}');
SELECT reset('{"login": "ann", "nick": "an", "active": true, "name": {"first": "A", "last": "B"}, "mails": [{"value": "x"}]}');
SELECT put('{"login": "ann", "name": {"first": "A"}}');
SELECT define('{"absent": "default"}');
SELECT reset('{"login": "ann", "nick": "an", "active": true}');
SELECT put('{"login": "ann"}');
SELECT define('{"absent": "keep"}');
SELECT reset('{"login": "ann", "nick": "an", "active": true, "name": {"first": "A", "last": "B"}, "mails": [{"value": "x"}]}');
SELECT put('{"login": "ann"}');
SELECT put('{"login": "ann", "name": {"first": "C"}, "active": null, "mails": []}');
SELECT define('{"absent": "remove"}');
SELECT reset('{"login": "ann", "nick": "an", "memo": "m"}');
SELECT put('{"login": "ann"}');
SELECT define('{"absent": "remove", "rules": {"active": {"absent": "keep"}, "memo": {"absent": "keep"}}}');
SELECT reset('{"login": "ann", "nick": "an", "active": true, "memo": "m"}');
SELECT put('{"login": "ann"}');

--
-- unknown_attributes
--
SELECT reset('{"login": "ann", "old": 1}');
SELECT define('{"unknown_attributes": "reject"}');
SELECT put('{"login": "ann", "new": 1}');
SELECT patch('{"name": {"new": 1}}');
SELECT patch('{"mails": [{"new": 1}]}');
SELECT patch('{"urn:regress:profile:More": {"new": 1}}');
SELECT put('{"login": "ann"}');  -- what a request cannot name it does not remove
SELECT define('{"unknown_attributes": "ignore"}');
SELECT put('{"login": "ann", "new": 1, "name": {"first": "A", "new": 1}, "mails": [{"value": "x", "new": 1}, {"new": 2}]}');
SELECT patch('{"new": 1}');
SELECT define('{"unknown_attributes": "keep"}');
SELECT put('{"login": "ann", "new": {"x": null, "y": [null]}, "name": {"first": "A", "new": 1}}');
SELECT patch('{"new": {"z": 1}, "name": {"new": null}}');

--
-- rules: seen under this profile alone
--
SELECT define('{"schemas": ["urn:regress:profile:User", "urn:regress:profile:More"], "rules": {
    "nick": {"maxLength": 3, "required": true}, "Name.First": {"pattern": "^[A-Z]"},
    "mails.type": {"default": "work"}, "urn:regress:profile:More:team": {"enum": ["red", "blue"]}}}');
SELECT reset('{"login": "ann"}');
SELECT put('{"login": "ann"}');
SELECT put('{"login": "ann", "nick": "long"}');
SELECT put('{"login": "ann", "nick": "an", "name": {"first": "a"}}');
SELECT put('{"login": "ann", "nick": "an", "urn:regress:profile:More": {"team": "green"}}');
SELECT put('{"login": "ann", "nick": "an", "mails": [{"value": "x"}], "urn:regress:profile:More": {"team": "red"}}');
SELECT answer($$userstore.user_put('people', 'u', '{"login": "ann", "nick": "long", "mails": [{"value": "x"}]}', api => 'plain')$$);

--
-- clear_token: in partial updates
--
SELECT define('{"clear_token": "-"}');
SELECT reset('{"login": "ann", "nick": "an", "active": true, "name": {"first": "A"}, "mails": [{"value": "x"}]}');
SELECT patch('{"nick": "-", "active": "-", "name": {"first": "-"}, "mails": "-"}');
SELECT patch('{"login": "-"}');
SELECT put('{"login": "ann", "nick": "-"}');
SELECT patch('{"nick": "--"}');

--
-- lenient
--
SELECT define('{}');
SELECT patch('{"active": "True"}');
SELECT patch('{"mails": ["x"]}');
SELECT define('{"lenient": true}');
SELECT patch('{"active": "True", "mails": ["x"]}');
SELECT patch('{"active": "false"}');
SELECT patch('{"active": "no"}');
SELECT put('{"login": "ann", "mails": ["y", {"value": "z"}]}');

--
-- writable
--
SELECT define('{"schemas": ["urn:regress:profile:User", "urn:regress:profile:More"],
    "writable": ["nick", "name.last", "urn:regress:profile:More:desk"]}');
SELECT reset('{"login": "ann", "name": {"first": "A", "last": "B"}, "urn:regress:profile:More": {"team": "T"}}');
SELECT patch('{"nick": "n", "name": {"last": "C"}, "urn:regress:profile:More": {"desk": "1"}}');
SELECT patch('{"login": "bob"}');
SELECT patch('{"login": "ann", "nick": "m"}');  -- the same value is no change
SELECT patch('{"name": {"first": "X"}}');
SELECT patch('{"name": null}');
SELECT put('{"name": null}');
SELECT put('{"nick": "o"}');
SELECT patch('{"urn:regress:profile:More": {"team": "X"}}');
SELECT patch('{"mails": [{"value": "x"}]}');
SELECT put('{"nick": "p", "name": {"last": "D"}}');  -- what it cannot write stays
SELECT put('{"login": "bob", "nick": "p"}');
SELECT put('{}');
SELECT define('{"schemas": ["urn:regress:profile:User"], "writable": ["mails.type"]}');
SELECT reset('{"login": "ann", "mails": [{"value": "x", "type": "a"}, {"value": "y"}]}');
SELECT patch('{"mails": [{"value": "x", "type": "b"}, {"value": "y", "type": "c"}]}');
SELECT patch('{"mails": [{"value": "x", "type": "b"}]}');
SELECT patch('{"mails": [{"value": "x"}, {"value": "z"}]}');
SELECT patch('{"mails": []}');
SELECT put('{"mails": null}');
SELECT put('{}');
SELECT define('{"writable": ["name"], "unknown_attributes": "keep"}');
SELECT patch('{"name": {"last": "E", "title": "Dr"}}');
SELECT patch('{"new": 1}');
SELECT patch('{"mails": [{"value": "x"}]}');
-- schemas whose URNs begin alike
SELECT userstore.attribute_schema_define('{"id": "urn:regress:profile", "attributes": [{"name": "team"}]}');
SELECT define('{"schemas": ["urn:regress:profile:User", "urn:regress:profile", "urn:regress:profile:More"],
    "writable": ["urn:regress:profile:team", "urn:regress:profile:More:desk", "urn:regress:profile:User:nick"]}');
-- nothing at all
SELECT define('{"writable": []}');
SELECT patch('{"nick": "x"}');
SELECT patch('{"login": "ann"}');
-- of a table without schemas
SELECT userstore.user_table_create('free');
SELECT define('{"writable": ["nick"]}', 'plain');
INSERT INTO free (id, document) VALUES ('u', '{"nick": "x", "role": "admin"}');
SELECT answer($$userstore.user_put('free', 'u', '{"nick": "y"}', api => 'regress_profile')$$);
SELECT answer($$userstore.user_patch('free', 'u', '{"role": "owner"}', api => 'regress_profile')$$);
SELECT answer($$userstore.user_put('free', 'u', '{}', api => 'regress_profile')$$);

--
-- answer
--
SELECT reset('{"login": "ann", "nick": "n", "name": {"first": "A", "last": "B"}}');
SELECT define('{"answer": ["login", "name.last"]}');
SELECT patch('{"nick": "m"}');
SELECT get();
SELECT define('{"answer": []}');
SELECT patch('{"nick": "k"}');
SELECT define('{"answer": ["login"], "body": "scim"}');
SELECT patch('{"nick": "l"}');

--
-- on_delete
--
SELECT define('{"on_delete": "refuse"}');
SELECT answer($$userstore.user_delete('people', 'u', api => 'regress_profile')$$);
SELECT define('{"on_delete": "deactivate"}');
SELECT reset('{"login": "ann", "active": true}');
SELECT answer($$userstore.user_delete('people', 'u', api => 'regress_profile')$$);
SELECT document, version, (SELECT operation FROM people_history ORDER BY changed_at DESC LIMIT 1) FROM people WHERE id = 'u';
SELECT answer($$userstore.user_delete('free', 'u', api => 'regress_profile')$$);
SELECT define('{"on_delete": "delete"}');
SELECT answer($$userstore.user_delete('people', 'u', api => 'regress_profile')$$);
SELECT count(*) FROM people;
SELECT answer($$userstore.user_delete('people', 'u', api => 'regress_profile')$$);

--
-- base_url
--
SELECT define('{"body": "scim", "base_url": "https://example.com/scim/v2/"}');
INSERT INTO people (id, document) VALUES ('ä b/c?d=e&f#g%~._-', '{"login": "x"}');
SELECT userstore.user_get('people', 'ä b/c?d=e&f#g%~._-', api => 'regress_profile') #>> '{meta,location}';
SELECT define('{"body": "scim", "base_url": "https://example.com/scim/v2"}');
SELECT userstore.user_get('people', 'ä b/c?d=e&f#g%~._-', api => 'regress_profile') #>> '{meta,location}';
SELECT define('{"body": "scim"}');
SELECT userstore.user_get('people', 'ä b/c?d=e&f#g%~._-', api => 'regress_profile') -> 'meta' ? 'location';
DELETE FROM people;

--
-- max_payload_size
--
SELECT reset('{"login": "ann"}');
SELECT define('{"max_payload_size": 100}');
SELECT patch('{"nick": "short"}');
SELECT patch(jsonb_build_object('nick', repeat('x', 100)));
SELECT define('{}');
SELECT left(patch(jsonb_build_object('nick', repeat('x', 1048000))), 20);
SELECT left(patch(jsonb_build_object('nick', repeat('x', 1048576))), 120);

--
-- Redefined in a transaction that is rolled back
--
SELECT reset('{"login": "ann"}');
BEGIN;
SELECT define('{"answer": ["login"]}');
SELECT patch('{"nick": "a"}');
ROLLBACK;
SELECT patch('{"nick": "a"}');

--
-- Who may redefine, drop and use a profile
--
SET SESSION AUTHORIZATION regress_profile_other;
SELECT outcome($$SELECT userstore.api_profile_define('regress_profile', '{}')$$);
SELECT outcome($$SELECT userstore.api_profile_drop('regress_profile')$$);
SELECT outcome($$SELECT userstore.api_profile_define('scim', '{"unknown_attributes": "keep"}', 'scim')$$);
SELECT outcome($$SELECT userstore.api_profile_drop('scim')$$);
SELECT outcome($$SELECT userstore.api_profile_define('regress_profile_theirs', '{"answer": ["login"]}', 'regress_profile')$$);
SELECT owner FROM userstore.api_profile WHERE name = 'regress_profile_theirs';
INSERT INTO userstore.api_profile (name) VALUES ('x');
UPDATE userstore.api_profile SET owner = 'regress_profile_other';
DELETE FROM userstore.api_profile;
SET SESSION AUTHORIZATION regress_profile;
SELECT answer($$userstore.user_patch('people', 'u', '{"nick": "b"}', api => 'regress_profile_theirs')$$);
SELECT outcome($$SELECT userstore.api_profile_drop('regress_profile_theirs')$$);
SET SESSION AUTHORIZATION regress_profile_other;
SELECT outcome($$SELECT userstore.api_profile_drop('regress_profile_theirs')$$);
SELECT outcome($$SELECT userstore.api_profile_drop('regress_profile_theirs')$$);
SET SESSION AUTHORIZATION regress_profile;
SELECT answer($$userstore.user_patch('people', 'u', '{"nick": "c"}', api => 'regress_profile_theirs')$$);
SELECT answer($$userstore.user_get('people', 'u', api => 'regress_profile_theirs')$$);
SELECT outcome($$SELECT userstore.api_profile_drop('regress_profile')$$);  -- the table's own

--
-- A renamed copy behaves as the original does
--
SELECT userstore.api_profile_define('regress_zuora', base => 'zuora'), userstore.api_profile_define('regress_zluri', base => 'zluri');
SELECT name, (to_jsonb(p) - '{name,owner,shipped,defined_at}'::text[]) =
        (SELECT to_jsonb(o) - '{name,owner,shipped,defined_at}'::text[] FROM userstore.api_profile o WHERE o.name = substr(p.name, 9))
    FROM userstore.api_profile p WHERE name IN ('regress_zuora', 'regress_zluri') ORDER BY name;
SELECT userstore.user_table_create('zuora', 'zuora'), userstore.user_table_create('zuora_copy', 'regress_zuora'),
    userstore.user_table_create('zluri', 'zluri'), userstore.user_table_create('zluri_copy', 'regress_zluri');
CREATE TABLE request (n int GENERATED ALWAYS AS IDENTITY, api text, call text);
INSERT INTO request (api, call) VALUES
    ('zuora', $$user_create('%s', '{"userName": "amy", "nickName": "am", "active": true, "emails": [{"value": "amy@example.com"}], "name": {"givenName": "A", "middleName": "B"}}', 'u')$$),
    ('zuora', $$user_put('%s', 'u', '{"userName": "amy", "name": {"givenName": "C"}, "emails": [{"value": "a@example.com"}], "unknown": 1}')$$),
    ('zuora', $$user_put('%s', 'u', '{"name": {"givenName": "C"}}')$$),
    ('zuora', $$user_put('%s', 'u', '{"userName": "amy", "active": "False", "urn:zuora:scim:schemas:1.0:UserExtension": {"region": "EU", "schemas": ["x:y"]}}')$$),
    ('zuora', $$user_patch('%s', 'u', '{"nickName": " ", "emails": ["b@example.com", "c@example.com"]}')$$),
    ('zuora', $$user_patch('%s', 'u', '{"active": 1}')$$),
    ('zuora', $$user_put('%s', 'none', '{"userName": "x"}')$$),
    ('zuora', $$user_delete('%s', 'u')$$),
    ('zluri', $$user_create('%s', '{"user_name": "amy", "user_email": "amy@example.com", "user_custom_fields": [{"field_id": "x", "field_value": 1}]}', 'u')$$),
    ('zluri', $$user_put('%s', 'u', '{"user_designation": "CTO", "user_custom_fields": [{"field_id": "y", "field_value": [1]}]}')$$),
    ('zluri', $$user_put('%s', 'u', '{"user_custom_fields": [{"field_id": "x", "field_value": null}], "user_name": null}')$$),
    ('zluri', $$user_put('%s', 'u', '{"user_email": "amy"}')$$),
    ('zluri', $$user_put('%s', 'u', '{"user_status": "gone"}')$$),
    ('zluri', $$user_put('%s', 'u', '{"unknown": 1}')$$),
    ('zluri', $$user_put('%s', 'u', '{"primary_source": {"keyword": "k"}}')$$),
    ('zluri', $$user_put('%s', 'none', '{"user_name": "x"}')$$);
CREATE TABLE answered (n int, original text, copy text);
DO $$
DECLARE
    r request;
BEGIN
    FOR r IN SELECT * FROM request ORDER BY n LOOP
        INSERT INTO answered VALUES (r.n, answer('userstore.' || format(r.call, r.api)),
            answer('userstore.' || format(r.call, r.api || '_copy')));
    END LOOP;
END $$;
SELECT n, original FROM answered ORDER BY n;
SELECT n, original, copy FROM answered WHERE original <> copy;
SELECT count(*) FROM ((SELECT user_id, version, operation, document, changed FROM zuora_history
    EXCEPT SELECT user_id, version, operation, document, changed FROM zuora_copy_history)
    UNION ALL (SELECT user_id, version, operation, document, changed FROM zluri_history
    EXCEPT SELECT user_id, version, operation, document, changed FROM zluri_copy_history)) differing;

--
-- An unknown profile
--
SELECT outcome($$SELECT userstore.user_get('people', 'u', api => 'none')$$);
SELECT outcome($$SELECT userstore.user_put('people', 'u', '{}', api => 'none')$$);
SELECT outcome($$SELECT userstore.user_table_create('x', api => 'none')$$);
SELECT outcome($$SELECT userstore.api_profile_drop('none')$$);
SELECT outcome($$SELECT userstore.user_get('people', 'u', api => 'SCIM')$$);  -- names are exact

--
-- A shipped profile that its owner redefines is one that shipped all the same
--
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT userstore.api_profile_define('scim', '{"base_url": "https://example.com"}', 'scim');
SELECT shipped, base_url FROM userstore.api_profile WHERE name = 'scim';
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA regress_profile CASCADE;
SELECT userstore.api_profile_drop(name) FROM userstore.api_profile WHERE name LIKE 'regress%';
SELECT userstore.attribute_schema_drop(id) FROM userstore.attribute_schema WHERE id LIKE 'urn:regress:%';
DROP ROLE regress_profile, regress_profile_other;
