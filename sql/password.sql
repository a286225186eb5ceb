--
-- Passwords: never stored, only their hash; set, kept, cleared and verified;
-- under idempotency keys; hashed in the formats of others; and wishes, which
-- are recorded but not stored either.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
CREATE ROLE regress_password;
CREATE ROLE regress_password_clerk;
CREATE SCHEMA regress_password AUTHORIZATION regress_password;
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_password;
SET search_path = regress_password, userstore;

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
-- Updates of a user, answered without times.
CREATE FUNCTION put(people regclass, body jsonb, api text DEFAULT NULL, key text DEFAULT NULL, id text DEFAULT 'ann') RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.user_put(%L, %L, %L, api => %L, idempotency_key => %L) #- ''{meta,created}'' #- ''{meta,lastModified}''',
        people, id, body, api, key))
$$;
CREATE FUNCTION patch(people regclass, body jsonb, api text DEFAULT NULL, key text DEFAULT NULL, id text DEFAULT 'ann') RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.user_patch(%L, %L, %L, api => %L, idempotency_key => %L) #- ''{meta,created}'' #- ''{meta,lastModified}''',
        people, id, body, api, key))
$$;
CREATE FUNCTION make(people regclass, body jsonb, api text DEFAULT NULL, key text DEFAULT NULL, id text DEFAULT 'ann') RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.user_create(%L, %L, %L, api => %L, idempotency_key => %L) #- ''{meta,created}'' #- ''{meta,lastModified}''',
        people, body, id, api, key))
$$;
-- Is this the password?
CREATE FUNCTION verified(people regclass, password text, id text DEFAULT 'ann') RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.user_password_verify(%L, %L, %L)', people, id, password))
$$;
-- The newest row of history.
CREATE FUNCTION newest(people regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT concat_ws('' '', version, operation, changed, document) FROM %s_history ORDER BY changed_at DESC LIMIT 1', people)
        INTO result;
    RETURN result;
END $$;

-- None of ours takes a function that the caller has for pgcrypto's.
CREATE FUNCTION crypt(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'not that crypt'; END $$;
CREATE FUNCTION gen_salt(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'not that gen_salt'; END $$;
CREATE FUNCTION gen_salt(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'not that gen_salt'; END $$;

--
-- What can be a password: one single-valued string directly in a schema
--
-- A table whose core schema and extension have these attributes.
CREATE FUNCTION tried(core text, extension text DEFAULT '[{"name": "b"}]', settings text DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY[
        format($f$SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:password:core", "name": "Core", "attributes": %s}')$f$, core),
        format($f$SELECT count(*) FROM userstore.attribute_schema_define('{"id": "urn:regress:password:extension", "name": "Extension", "attributes": %s}')$f$, extension),
        format($f$SELECT userstore.api_profile_define('regress_password_tried', '%s')$f$, settings),
        $f$SELECT userstore.user_table_create('tried', 'regress_password_tried', '{urn:regress:password:core,urn:regress:password:extension}')$f$]
    LOOP
        answer := outcome(command);
        IF answer ~ '^[0-9A-Z]{5} ' THEN
            EXIT;
        END IF;
    END LOOP;
    IF answer = 'tried' THEN
        SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
                || coalesce(' (' || col_description(attrelid, attnum) || ')', ''), ', ')
            INTO answer FROM pg_attribute WHERE attrelid = 'tried'::regclass AND attname LIKE 'password%';
        DROP TABLE tried;
        answer := concat_ws(' ', 'created, with', coalesce(answer, 'no hash'));
    END IF;
    PERFORM userstore.api_profile_drop(name) FROM userstore.api_profile WHERE name = 'regress_password_tried';
    PERFORM userstore.attribute_schema_drop(s.id) FROM userstore.attribute_schema s WHERE s.id LIKE 'urn:regress:password:%';
    RETURN answer;
END $$;
SELECT tried('[{"name": "a"}]');
SELECT tried('[{"name": "a", "format": "password"}]');
SELECT tried('[{"name": "a", "format": "password", "minLength": 8, "required": true, "mutability": "writeOnly", "returned": "never"}]');
SELECT tried('[{"name": "a"}]', '[{"name": "b", "format": "password"}]');
SELECT tried('[{"name": "a", "format": "password", "multiValued": true}]');
SELECT tried('[{"name": "a", "type": "complex", "subAttributes": [{"name": "c", "format": "password"}]}]');
SELECT tried('[{"name": "a", "type": "complex", "multiValued": true, "subAttributes": [{"name": "c", "format": "password"}]}]');
SELECT tried('[{"name": "a"}]', '[{"name": "b", "type": "complex", "subAttributes": [{"name": "c", "type": "complex", "subAttributes": [{"name": "d", "format": "password"}]}]}]');
SELECT tried('[{"name": "a", "format": "password"}, {"name": "c", "format": "password"}]');
SELECT tried('[{"name": "a", "format": "password"}]', '[{"name": "b", "format": "password"}]');
SELECT type, tried(format('[{"name": "a", "format": "password", "type": "%s"}]', type))
    FROM unnest('{boolean,integer,decimal,dateTime,binary,reference,any,complex}'::text[]) type;
SELECT tried('[{"name": "a", "format": "password", "default": "secret"}]');
SELECT tried('[{"name": "a", "format": "password", "uniqueness": "server"}]');
SELECT tried('[{"name": "a", "format": "password", "uniqueness": "global"}]');
SELECT tried('[{"name": "a", "format": "password", "uniqueness": "none"}]');
-- a rule may say how long it is, but not what it is
SELECT rule, tried('[{"name": "a", "format": "password"}, {"name": "c"}]', settings => format('{"rules": {%s}}', rule))
    FROM unnest(ARRAY['"a": {"minLength": 8}', '"a": {"required": true}', '"a": {"mutability": "readOnly"}', '"a": {"format": "password"}',
        '"a": {"format": "email"}', '"a": {"default": "secret"}', '"c": {"format": "password"}', '"c": {"format": "email"}']) rule;

-- a schema in use cannot come to have a wrong one
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Changing", "attributes": [
    {"name": "name"}, {"name": "more", "type": "complex", "subAttributes": [{"name": "a"}]}]}');
SELECT user_table_create('changing', schemas => '{urn:regress:password}');
SELECT outcome($$SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Changing", "attributes": [
    {"name": "name"}, {"name": "more", "type": "complex", "subAttributes": [{"name": "a", "format": "password"}]}]}')$$);
SELECT put('changing', '{"name": "Ann"}');

--
-- A schema that gains a password, and the column
--
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Changing", "attributes": [
    {"name": "name"}, {"name": "pw", "format": "password", "mutability": "writeOnly", "returned": "never"}]}');
-- everything else goes on
SELECT put('changing', '{"name": "Bob"}');
SELECT user_get('changing', 'ann') ->> 'name';
SELECT put('changing', '{"name": "Bob", "pw": "secret"}');
SELECT patch('changing', '{"pw": "secret"}');
SELECT make('changing', '{"pw": "secret"}', id => 'bob');
SELECT verified('changing', 'secret');
SELECT user_table_refresh('changing');
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'changing'::regclass AND attname = 'password_hash';
SELECT user_table_refresh('changing');
SELECT count(*) FROM changing WHERE password_hash IS NULL;

--
-- Without pgcrypto there is no password, and all else
--
SELECT extname FROM pg_extension WHERE extname = 'pgcrypto';
SELECT put('changing', '{"name": "Ann", "pw": "secret"}');
SELECT put('changing', '{"name": "Eve"}');
SELECT verified('changing', 'secret');
UPDATE changing SET password_hash = '$2a$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm';
SELECT verified('changing', 'password');
-- it may be anywhere, also where its users may not look
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
CREATE SCHEMA regress_password_crypto;
CREATE EXTENSION pgcrypto SCHEMA regress_password_crypto;
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_password;
SELECT verified('changing', 'password'), verified('changing', 'Password');
SELECT put('changing', '{"name": "Ann", "pw": "secret"}');
SELECT verified('changing', 'secret'), verified('changing', 'password');
-- or move, or come anew
RESET SESSION AUTHORIZATION;
ALTER EXTENSION pgcrypto SET SCHEMA public;
SET SESSION AUTHORIZATION regress_password;
SELECT verified('changing', 'secret');
RESET SESSION AUTHORIZATION;
DROP EXTENSION pgcrypto;
SET SESSION AUTHORIZATION regress_password;
SELECT verified('changing', 'secret');
RESET SESSION AUTHORIZATION;
CREATE EXTENSION pgcrypto SCHEMA regress_password_crypto;
SET SESSION AUTHORIZATION regress_password;
SELECT verified('changing', 'secret'), patch('changing', '{"pw": "other"}'), verified('changing', 'other');

-- a schema that loses its password takes no hash away
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Changing", "attributes": [{"name": "name"}]}');
SELECT put('changing', '{"name": "Eve"}'), verified('changing', 'other');
SELECT user_table_refresh('changing');
SELECT count(*) FROM changing WHERE password_hash IS NOT NULL;
DROP TABLE changing;

-- attaching adds the column, and takes one that is there
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Changing", "attributes": [
    {"name": "name"}, {"name": "pw", "format": "password"}]}');
CREATE TABLE attached (id text PRIMARY KEY, document jsonb NOT NULL, version bigint NOT NULL, created_at timestamptz NOT NULL, modified_at timestamptz NOT NULL);
INSERT INTO attached VALUES ('ann', '{"name": "Ann"}', 1, now(), now());
SELECT user_table_attach('attached', schemas => '{urn:regress:password}');
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'attached'::regclass AND attname = 'password_hash';
SELECT patch('attached', '{"pw": "secret"}'), verified('attached', 'secret');
SELECT user_table_detach('attached');
SELECT outcome($$SELECT user_password_verify('attached', 'ann', 'secret')$$);
SELECT user_table_attach('attached', schemas => '{urn:regress:password}');
SELECT verified('attached', 'secret');
DROP TABLE attached;
-- a column of that name must be what it is called
CREATE TABLE attached (id text PRIMARY KEY, document jsonb NOT NULL, version bigint NOT NULL, created_at timestamptz NOT NULL, modified_at timestamptz NOT NULL,
    password_hash bytea);
SELECT outcome($$SELECT user_table_attach('attached', schemas => '{urn:regress:password}')$$);
DROP TABLE attached;

--
-- SCIM users, with bcrypt
--
SELECT user_table_create('people', 'scim');
SELECT make('people', '{"userName": "ann", "password": "Tr0ub4dor&3"}');
SELECT document, version, password_hash ~ '^\$2[ab]\$10\$[./A-Za-z0-9]{53}$' AS bcrypt FROM people;
SELECT newest('people');
SELECT password, verified('people', password) FROM unnest(ARRAY['Tr0ub4dor&3', 'tr0ub4dor&3', 'Tr0ub4dor&', 'Tr0ub4dor&3 ', '', 'Tr0ub4dor&3Tr0ub4dor&3']) password;
SELECT verified('people', (SELECT password_hash FROM people));
SELECT user_get('people', 'ann') ? 'password' AS shown;
SELECT user_get('people', 'ann', attributes => '{password}') ? 'password' AS shown_when_asked_for;
-- two users with one password have not one hash
SELECT make('people', '{"userName": "bob", "PASSWORD": "Tr0ub4dor&3"}', id => 'bob');
SELECT count(DISTINCT password_hash), bool_and(user_password_verify('people', id, 'Tr0ub4dor&3')) FROM people;

-- arguments of user_password_verify
SELECT make('people', '{"userName": "eve"}', id => 'eve');
SELECT password_hash FROM people WHERE id = 'eve';
SELECT verified('people', 'x', 'eve'), verified('people', '', 'eve');
SELECT verified('people', 'x', 'nobody');
SELECT verified('people', 'x', '');
SELECT outcome($$SELECT user_password_verify(NULL, 'ann', 'x')$$);
SELECT outcome($$SELECT user_password_verify('people', NULL, 'x')$$);
SELECT outcome($$SELECT user_password_verify('people', 'ann', NULL)$$);
SELECT outcome($$SELECT user_password_verify('people_history', 'ann', 'x')$$);
SELECT user_password_verify(users => 'people', id => 'ann', password => 'Tr0ub4dor&3');
-- a hash that is none is nobody's password
UPDATE people SET password_hash = '' WHERE id = 'eve';
SELECT verified('people', '', 'eve'), verified('people', 'x', 'eve');
UPDATE people SET password_hash = '!' WHERE id = 'eve';
SELECT verified('people', '!', 'eve');
UPDATE people SET password_hash = NULL WHERE id = 'eve';

-- the same again is no change; another one is, beside others
CREATE FUNCTION standing(people regclass, id text DEFAULT 'ann') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT concat_ws('' '', xmin, version, md5(password_hash), (SELECT count(*) FROM %1$s_history)) FROM %1$s WHERE id = $1', people)
        INTO result USING id;
    RETURN result;
END $$;
SELECT standing('people') AS before \gset
SELECT put('people', '{"userName": "ann", "password": "Tr0ub4dor&3"}');
SELECT patch('people', '{"password": "Tr0ub4dor&3"}', api => 'nobody');
SELECT standing('people') = :'before' AS untouched;
SELECT put('people', '{"userName": "ann", "password": "correct horse"}');
SELECT newest('people'), verified('people', 'correct horse'), verified('people', 'Tr0ub4dor&3');
SELECT patch('people', '{"title": "Dr", "password": "battery", "active": true, "name": {"familyName": "A"}}');
SELECT newest('people'), verified('people', 'battery');
SELECT patch('people', '{"title": "Prof", "password": "battery"}');
SELECT newest('people'), verified('people', 'battery');
-- a different case is a different one
SELECT patch('people', '{"password": "Battery"}') IS NOT NULL, verified('people', 'Battery'), verified('people', 'battery');
-- left out, it stays, whatever a PUT does with what is left out
SELECT put('people', '{"userName": "ann"}');
SELECT newest('people'), verified('people', 'Battery');
SELECT put('people', '{"userName": "ann", "title": "X"}', api => 'zuora');
SELECT put('people', '{"userName": "ann"}', api => 'zuora');
SELECT newest('people'), verified('people', 'Battery');
-- null clears it; where there is none, it changes nothing
SELECT patch('people', '{"password": null}');
SELECT newest('people'), password_hash, verified('people', 'Battery') FROM people WHERE id = 'ann';
SELECT standing('people') AS before \gset
SELECT patch('people', '{"password": null}') IS NOT NULL, put('people', '{"userName": "ann", "title": "", "password": null}') IS NOT NULL;
SELECT standing('people') = :'before' AS untouched;
SELECT put('people', '{"userName": "ann", "password": "secret"}') IS NOT NULL, put('people', '{"userName": "ann", "password": null}') IS NOT NULL;
SELECT newest('people'), password_hash FROM people WHERE id = 'ann';
-- so does the token of a profile that has one, in a PATCH
SELECT patch('people', '{"password": "secret"}') IS NOT NULL, patch('people', '{"password": " "}', api => 'zuora');
SELECT newest('people'), password_hash FROM people WHERE id = 'ann';
-- of the strict profile it is a password
SELECT patch('people', '{"password": " "}') IS NOT NULL, verified('people', ' '), verified('people', '');

-- bcrypt takes 72 bytes, no more, and no less than one character
SELECT length(password), octet_length(password), patch('people', jsonb_build_object('password', password)) ~ '"userName": "ann"' AS taken,
    verified('people', password)
FROM unnest(ARRAY[repeat('x', 72), repeat(U&'\20AC', 24), repeat(U&'\+01F511', 18)]) password;
SELECT length(password), octet_length(password), patch('people', jsonb_build_object('password', password))
FROM unnest(ARRAY[repeat('x', 73), repeat(U&'\20AC', 24) || '.', repeat('x', 100000), '']) password;
SELECT put('people', jsonb_build_object('userName', 'ann', 'password', repeat('x', 73)));
SELECT make('people', jsonb_build_object('userName', 'new', 'password', repeat('x', 73)), id => 'new');
SELECT make('people', jsonb_build_object('userName', 'new', 'password', ''), id => 'new');
-- what begins with the password is another
SELECT verified('people', repeat(U&'\+01F511', 18)), verified('people', repeat(U&'\+01F511', 18) || 'x'), verified('people', repeat(U&'\+01F511', 17));
-- what is no string
SELECT value, patch('people', format('{"password": %s}', value)::jsonb)
    FROM unnest(ARRAY['1', 'true', '["secret"]', '{"value": "secret"}', '[]', '{}']) value;
SELECT password_hash IS NULL AS cleared FROM people WHERE id = 'ann';

-- a dry run judges it, and leaves it
SELECT patch('people', '{"password": "secret"}') IS NOT NULL;
SELECT standing('people') AS before \gset
SELECT user_patch('people', 'ann', '{"password": "new"}', dry_run => true) #>> '{meta,version}';
SELECT outcome(format($$SELECT user_patch('people', 'ann', %L, dry_run => true)$$, jsonb_build_object('password', repeat('x', 73))));
SELECT user_patch('people', 'ann', '{"password": null}', dry_run => true) #>> '{meta,version}';
SELECT standing('people') = :'before' AS untouched, verified('people', 'secret');
-- a version that is not current, and a user who is missing, too
SELECT outcome($$SELECT user_patch('people', 'ann', '{"password": "new"}', expected_version => 1)$$);
SELECT patch('people', '{"password": "new"}', id => 'nobody');
SELECT standing('people') = :'before' AS untouched, verified('people', 'secret');

-- a user who comes again comes without
SELECT user_delete('people', 'ann');
SELECT newest('people');
SELECT verified('people', 'secret');
SELECT make('people', '{"userName": "ann"}') IS NOT NULL, verified('people', 'secret');

-- a trigger sees a hash
CREATE TABLE seen (row_was text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (to_jsonb(NEW)); RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION see();
SELECT patch('people', '{"password": "s33n", "title": "x"}') IS NOT NULL, make('people', '{"userName": "new", "password": "s33n"}', id => 'new') IS NOT NULL;
SELECT count(*), bool_and(row_was ~ '\$2a\$10\$' AND row_was !~ 's33n') AS hashed FROM seen;
DROP TRIGGER see ON people;
-- nobody else does: in no row but the user's own, and there not in clear
SELECT (SELECT count(*) FROM people p WHERE p::text ~ 's33n|secret|Battery') AS users,
    (SELECT count(*) FROM people_history h WHERE h::text ~ 's33n|secret|Battery|[$]2a[$]') AS history,
    (SELECT count(*) FROM people_history h WHERE document ? 'password') AS in_documents;

--
-- Rules of profiles and words of schemas, with a cheap hash
--
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA regress_password_crypto TO regress_password;
SET SESSION AUTHORIZATION regress_password;
CREATE FUNCTION cheap(password text, hash text) RETURNS text LANGUAGE sql AS $$
    SELECT regress_password_crypto.crypt(password, coalesce(hash, regress_password_crypto.gen_salt('bf', 4)))
$$;
SELECT api_profile_define('regress_password_' || name, settings::jsonb, 'scim') FROM (VALUES
    ('page', '{"writable": ["nickName", "password"]}'),
    ('other_page', '{"writable": ["nickName"]}'),
    ('reads', '{"rules": {"password": {"mutability": "readOnly"}}}'),
    ('long', '{"rules": {"password": {"minLength": 12}}}'),
    ('token', '{"clear_token": "none", "put": "merge"}'),
    ('token_put', '{"clear_token": "none"}'),
    ('removes', '{"absent": "remove", "rules": {"password": {"absent": "remove"}}}'),
    ('blanks', '{"absent": "blank", "rules": {"password": {"absent": "blank"}}}'),
    ('must', '{"rules": {"password": {"required": true}}}')) AS p (name, settings);
SELECT user_table_create('staff', 'scim', password_function => 'cheap');
SELECT make('staff', '{"userName": "ann", "password": "first"}');
SELECT verified('staff', 'first'), verified('staff', 'second'), password_hash ~ '^\$2a\$04\$' AS cheap FROM staff;
-- writable
SELECT patch('staff', '{"nickName": "A", "password": "second"}', 'regress_password_page') IS NOT NULL, verified('staff', 'second');
SELECT patch('staff', '{"nickName": "B", "password": "third"}', 'regress_password_other_page');
SELECT patch('staff', '{"nickName": "B", "password": "second"}', 'regress_password_other_page');
SELECT patch('staff', '{"nickName": "B", "password": null}', 'regress_password_other_page');
SELECT patch('staff', '{"nickName": "B"}', 'regress_password_other_page') IS NOT NULL, verified('staff', 'second');
SELECT make('staff', '{"nickName": "B", "userName": "gil", "password": "first"}', 'regress_password_other_page', id => 'gil');
-- to clear what is not there is no offence
SELECT make('staff', '{"userName": "gil"}', id => 'gil') IS NOT NULL, patch('staff', '{"password": null, "nickName": "G"}', 'regress_password_other_page', id => 'gil');
-- readOnly: ignored
SELECT patch('staff', '{"nickName": "C", "password": "third"}', 'regress_password_reads');
SELECT put('staff', '{"userName": "ann", "password": null}', 'regress_password_reads');
SELECT newest('staff'), verified('staff', 'second');
SELECT make('staff', '{"userName": "bob", "password": "first"}', 'regress_password_reads', id => 'bob') IS NOT NULL, verified('staff', 'first', 'bob');
SELECT password_hash FROM staff WHERE id = 'bob';
-- minLength
SELECT patch('staff', '{"password": "eleven char"}', 'regress_password_long');
SELECT patch('staff', '{"password": "twelve chars"}', 'regress_password_long') IS NOT NULL, verified('staff', 'twelve chars');
-- an old one that is too short stays
SELECT patch('staff', '{"password": "short"}') IS NOT NULL, put('staff', '{"userName": "ann", "title": "x"}', 'regress_password_long') IS NOT NULL,
    verified('staff', 'short');
-- a token, in a PATCH only
SELECT patch('staff', '{"password": "none"}', 'regress_password_token') IS NOT NULL, verified('staff', 'none'), newest('staff');
SELECT put('staff', '{"userName": "ann", "password": "none"}', 'regress_password_token_put') IS NOT NULL, verified('staff', 'none');
-- whatever is to become of what is left out
SELECT put('staff', '{"userName": "ann"}', 'regress_password_removes') IS NOT NULL, verified('staff', 'none');
SELECT put('staff', '{"userName": "ann"}', 'regress_password_blanks') IS NOT NULL, verified('staff', 'none');
SELECT put('staff', '{"userName": "ann"}', 'regress_password_token') IS NOT NULL, verified('staff', 'none');
-- required: not missing when created, not cleared
SELECT make('staff', '{"userName": "eve"}', 'regress_password_must', id => 'eve');
SELECT make('staff', '{"userName": "eve", "password": null}', 'regress_password_must', id => 'eve');
SELECT make('staff', '{"userName": "eve", "password": ""}', 'regress_password_must', id => 'eve');
SELECT make('staff', '{"userName": "eve", "password": "e"}', 'regress_password_must', id => 'eve');
SELECT put('staff', '{"userName": "eve", "title": "x"}', 'regress_password_must', id => 'eve');
SELECT put('staff', '{"userName": "eve", "password": null}', 'regress_password_must', id => 'eve');
SELECT patch('staff', '{"password": null}', 'regress_password_must', id => 'eve');
SELECT patch('staff', '{"title": "y"}', 'regress_password_must', id => 'eve') IS NOT NULL, verified('staff', 'e', 'eve');
-- one who has none may change all else
SELECT patch('staff', '{"title": "y"}', 'regress_password_must', id => 'bob');
SELECT put('staff', '{"userName": "bob"}', 'regress_password_must', id => 'bob');

-- in an extension; pattern; immutable; in the order of history
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Vault", "attributes": [
    {"name": "door"}, {"name": "Code", "format": "password", "pattern": "^[0-9]+$", "maxLength": 6}, {"name": "zone"}]}');
SELECT user_table_create('vaults', 'plain', '{urn:userstore:params:schemas:zluri:User,urn:regress:password}', password_function => 'regress_password.cheap');
SELECT put('vaults', '{"designation": "x", "urn:regress:password": {"door": "A", "code": "0042", "zone": "Z"}}');
SELECT newest('vaults'), verified('vaults', '0042');
SELECT document FROM vaults;
SELECT put('vaults', '{"urn:regress:password": {"code": "0043"}}');
SELECT newest('vaults'), verified('vaults', '0043');
SELECT code, patch('vaults', jsonb_build_object('urn:regress:password', jsonb_build_object('Code', code))) FROM unnest(ARRAY['12a4', '1234567', '']) code;
SELECT patch('vaults', '{"urn:regress:password": {"zone": "Y"}}') IS NOT NULL, verified('vaults', '0043');
SELECT put('vaults', '{"designation": "x"}') IS NOT NULL, verified('vaults', '0043');
SELECT document FROM vaults;
-- clearing the extension clears what it has
SELECT patch('vaults', '{"urn:regress:password": null}') IS NOT NULL, newest('vaults');
SELECT password_hash FROM vaults;
SELECT patch('vaults', '{"urn:regress:password": {"Code": "1"}}') IS NOT NULL, put('vaults', '{"urn:regress:password": null}') IS NOT NULL, newest('vaults');
SELECT password_hash FROM vaults;
-- by JSON Patch: as a part of the extension, with it, and as nothing that can be tested
SELECT patch('vaults', '[{"op": "add", "path": "/urn:regress:password", "value": {"door": "B"}}, {"op": "add", "path": "/URN:regress:password/code", "value": "7"}]');
SELECT newest('vaults'), verified('vaults', '7');
SELECT patch('vaults', '[{"op": "replace", "path": "/urn:regress:password", "value": {"CODE": "8", "door": "C"}}]');
SELECT newest('vaults'), verified('vaults', '8');
SELECT patch('vaults', format('[{"op": "%s", "path": "/urn:regress:password/code", "value": "8", "from": "/designation"}]', op)::jsonb) FROM unnest(ARRAY['test', 'move', 'copy']) op;
SELECT patch('vaults', '[{"op": "add", "path": "/urn:regress:password/code", "value": "9a"}]');
SELECT patch('vaults', '[{"op": "remove", "path": "/urn:regress:password/code"}]') IS NOT NULL, newest('vaults');
SELECT password_hash FROM vaults;
SELECT patch('vaults', '[{"op": "add", "path": "/urn:regress:password/code", "value": "9"}, {"op": "remove", "path": "/urn:regress:password"}]'), newest('vaults');
SELECT password_hash FROM vaults;
DROP TABLE vaults;
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Vault", "attributes": [
    {"name": "door"}, {"name": "code", "format": "password", "mutability": "immutable"}]}');
SELECT user_table_create('vaults', 'plain', '{urn:regress:password}', password_function => 'cheap');
SELECT put('vaults', '{"door": "A"}'), patch('vaults', '{"code": "1"}'), patch('vaults', '{"code": "1", "door": "B"}');
SELECT patch('vaults', '{"code": "2"}');
SELECT patch('vaults', '{"code": null}');
SELECT put('vaults', '{"door": "C"}'), verified('vaults', '1');
DROP TABLE vaults;

-- what takes its default from it, gets none
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Vault", "attributes": [
    {"name": "door", "defaultFrom": "code"}, {"name": "code", "format": "password", "returned": "always", "mutability": "readWrite"}]}');
SELECT user_table_create('vaults', 'plain', '{urn:regress:password}', password_function => 'cheap');
SELECT put('vaults', '{"code": "1"}');
SELECT user_get('vaults', 'ann') - 'meta', document, verified('vaults', '1') FROM vaults;
DROP TABLE vaults;

-- fields: those applied are answered, but a password is not
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Fields", "attributes": [
    {"name": "User Login"}, {"name": "usr_password", "format": "password", "mutability": "writeOnly", "returned": "never"}]}');
SELECT user_table_create('fields', 'oig', '{urn:regress:password}', password_function => 'cheap');
SELECT make('fields', '{"fields": [{"name": "User Login", "value": "ANN"}, {"name": "usr_password", "value": "f1eld"}]}', key => 'k');
SELECT put('fields', '{"fields": [{"name": "usr_password", "value": "f2eld"}, {"name": "User Login", "value": "EVE"}]}', key => 'k2');
SELECT verified('fields', 'f2eld'), newest('fields');
SELECT put('fields', '{"fields": [{"name": "USR_PASSWORD", "value": null}]}');
SELECT newest('fields'), password_hash FROM fields;
-- nor is one that is refused, in a reason
SELECT users_bulk_put('fields', format('{"users": [{"id": "ann", "fields": [{"name": "usr_password", "value": %s}]}]}', value)::jsonb, 'k ' || value) #>> '{users,0,reason}'
    FROM unnest(ARRAY['["f1eld"]', '12345', '{"f1eld": 1}', '""']) value;
SELECT (SELECT count(*) FROM fields_history t WHERE t::text ~ 'f[12]eld') AS history, (SELECT count(*) FROM fields_idempotency t WHERE t.response::text ~ 'f[12]eld|12345') AS keys;
DROP TABLE fields;

--
-- Keys: the fingerprint knows no password, a hash beside it does
--
SELECT user_create('staff', '{"userName": "kim"}', 'kim') ->> 'id';
SELECT patch('staff', '{"title": "x", "password": "A"}', key => 'k1', id => 'kim') AS first \gset
SELECT :'first';
SELECT patch('staff', '{"title": "x", "password": "B"}', key => 'k2', id => 'kim');
SELECT patch('staff', '{"title": "x"}', key => 'k3', id => 'kim');
SELECT patch('staff', '{"title": "x", "password": null}', key => 'k4', id => 'kim') IS NOT NULL, patch('staff', '{"password": "B"}', id => 'kim') IS NOT NULL;
SELECT standing('staff', 'kim') AS before \gset
-- a replay with the same one, also after another change
SELECT patch('staff', '{"title": "x", "password": "A"}', key => 'k1', id => 'kim') = :'first' AS replay;
SELECT patch('staff', '{"password": "A", "title": "x"}', key => 'k1', id => 'kim') = :'first' AS replay;
SELECT patch('staff', '{"title": "x", "password": "B"}', key => 'k2', id => 'kim');
-- not with another
SELECT password, patch('staff', format('{"title": "x", "password": %s}', password)::jsonb, key => 'k1', id => 'kim')
    FROM unnest(ARRAY['"B"', '"a"', '"A "', '" "', 'null']) password;
SELECT patch('staff', '{"title": "x"}', key => 'k1', id => 'kim');
SELECT patch('staff', '{"title": "y", "password": "A"}', key => 'k1', id => 'kim');
SELECT put('staff', '{"title": "x", "password": "A"}', key => 'k1', id => 'kim');
SELECT patch('staff', '{"title": "x", "password": "A"}', key => 'k1', id => 'ann');
SELECT patch('staff', '{"title": "x", "password": "B"}', key => 'k3', id => 'kim');
SELECT patch('staff', '{"title": "x", "password": null}', key => 'k3', id => 'kim');
SELECT patch('staff', '{"title": "x", "password": "B"}', key => 'k4', id => 'kim');
SELECT standing('staff', 'kim') = :'before' AS untouched, verified('staff', 'B', 'kim');
SELECT key, octet_length(fingerprint), encode(substring(fingerprint FROM 33), 'escape') ~ '^[$]2a[$]04[$][./A-Za-z0-9]{53}\\000$' AS bcrypt,
    response ? 'password' AS answered FROM staff_idempotency ORDER BY key;
-- of two passwords, one fingerprint
SELECT count(DISTINCT substring(fingerprint FOR 32)) AS fingerprints, count(DISTINCT substring(fingerprint FROM 33)) AS hashes FROM staff_idempotency WHERE key IN ('k1', 'k2');
SELECT count(*) FROM staff_idempotency WHERE sha256('A') = substring(fingerprint FOR 32);
-- what was refused may be sent again with another
SELECT patch('staff', '{"password": ""}', key => 'k5', id => 'kim');
SELECT patch('staff', '{"password": "C"}', key => 'k5', id => 'kim') IS NOT NULL, patch('staff', '{"password": "D"}', key => 'k5', id => 'kim');
-- so may what has expired
UPDATE staff_idempotency SET expires_at = now() WHERE key = 'k5';
SELECT patch('staff', '{"password": "D"}', key => 'k5', id => 'kim') IS NOT NULL, patch('staff', '{"password": "D"}', key => 'k5', id => 'kim') IS NOT NULL,
    patch('staff', '{"password": "C"}', key => 'k5', id => 'kim');
SELECT verified('staff', 'D', 'kim');
-- a creation, by its generated id
SELECT user_create('staff', '{"userName": "lee", "password": "A"}', idempotency_key => 'c1') = user_create('staff', '{"userName": "lee", "password": "A"}', idempotency_key => 'c1') AS replay;
SELECT make('staff', '{"userName": "lee", "password": "B"}', key => 'c1', id => NULL);
-- the same one as before is no change, but a request
SELECT patch('staff', '{"password": "D"}', key => 'k6', id => 'kim') IS NOT NULL, patch('staff', '{"password": "E"}', key => 'k6', id => 'kim');
-- keys that are inserted first keep it as well
BEGIN;
SELECT count(user_patch('staff', 'kim', '{}', 'many' || n)) FROM generate_series(1, 257) n;
SELECT user_patch('staff', 'kim', '{"password": "A"}', 'late') #>> '{meta,version}' = user_patch('staff', 'kim', '{"password": "A"}', 'late') #>> '{meta,version}' AS replay;
SELECT patch('staff', '{"password": "B"}', key => 'late', id => 'kim');
COMMIT;
SELECT patch('staff', '{"password": "B"}', key => 'late', id => 'kim');
SELECT patch('staff', '{"password": "B"}', id => 'kim') IS NOT NULL, patch('staff', '{"password": "A"}', key => 'late', id => 'kim') IS NOT NULL, verified('staff', 'B', 'kim');
-- with bcrypt
SELECT patch('people', '{"password": "A"}', key => 'k1') AS first \gset
SELECT patch('people', '{"password": "B"}', key => 'k2') IS NOT NULL;
SELECT patch('people', '{"password": "A"}', key => 'k1') = :'first' AS replay, patch('people', '{"password": "B"}', key => 'k1'), verified('people', 'B');

--
-- CPQ: the password, and the wish to have it mailed
--
SELECT api_profile_define('regress_password_cpq', '{"body": "object", "schemas": ["urn:userstore:params:schemas:cpq:19:User"], "put_creates": true,
    "absent": "default", "unknown_attributes": "reject", "answer": ["login", "firstName", "lastName"]}');
SELECT user_table_create('parties', 'regress_password_cpq', password_function => 'cheap');
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "password": "Secret", "emailPassword": true}', key => 'p1');
SELECT version, operation, ARRAY(SELECT path FROM unnest(changed) path WHERE path !~ '^is|^separate') AS changed FROM parties_history;
SELECT document - (SELECT array_agg(name) FROM jsonb_object_keys(document) name WHERE name ~ '^is|^separate') FROM parties;
SELECT verified('parties', 'Secret'), verified('parties', 'secret');
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "password": "Secret", "emailPassword": true}', key => 'p1');
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "password": "secret", "emailPassword": true}', key => 'p1');
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "password": "Secret", "emailPassword": false}', key => 'p1');
SELECT user_version('parties', 'ann');
-- a PUT that leaves the password out keeps it, and what is not asked for is no change
SELECT put('parties', '{"login": "ann", "firstName": "Ann"}');
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "emailPassword": false}');
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "emailPassword": null, "password": "Secret"}');
SELECT user_version('parties', 'ann'), verified('parties', 'Secret');
-- a wish alone makes a version, each time
SELECT put('parties', '{"login": "ann", "firstName": "Ann", "emailPassword": true}');
SELECT version, operation, changed FROM parties_history WHERE version > 1 ORDER BY version;
SELECT patch('parties', '{"emailPassword": true}'), patch('parties', '{"emailPassword": false}'), patch('parties', '{"emailPassword": null}');
SELECT patch('parties', '{"lastName": "Lee", "emailPassword": true, "password": "third"}');
SELECT version, operation, changed FROM parties_history WHERE version > 2 ORDER BY version;
SELECT user_version('parties', 'ann'), verified('parties', 'third');
SELECT count(*) FROM parties p WHERE p::text ~ 'emailPassword|third';
SELECT count(*) FROM parties_history WHERE document ?| '{emailPassword,password}';
SELECT user_get('parties', 'ann', attributes => '{emailPassword,password,login}');
-- not what is no boolean
SELECT wish, patch('parties', jsonb_build_object('emailPassword', wish)) FROM unnest(ARRAY['"true"', '1', '[true]', '{}']::jsonb[]) wish;
-- a dry run wishes nothing
SELECT user_patch('parties', 'ann', '{"emailPassword": true}', dry_run => true) IS NOT NULL, user_version('parties', 'ann');
-- nor does who may not
SELECT api_profile_define('regress_password_cpq2', '{"writable": ["firstName"]}', 'regress_password_cpq');
SELECT patch('parties', '{"emailPassword": true}', 'regress_password_cpq2');
SELECT patch('parties', '{"firstName": "A"}', 'regress_password_cpq2');
-- the word
SELECT words, tried(format('[{"name": "a"} , {"name": "c", %s}]', words)) FROM unnest(ARRAY[
    '"type": "boolean", "mutability": "writeOnly", "transient": true', '"type": "boolean", "mutability": "writeOnly", "transient": false',
    '"type": "boolean", "mutability": "writeOnly", "transient": 1',
    '"type": "boolean", "transient": true', '"mutability": "writeOnly", "transient": true',
    '"type": "boolean", "mutability": "writeOnly", "transient": true, "multiValued": true',
    '"type": "complex", "subAttributes": [{"name": "d", "type": "boolean", "mutability": "writeOnly", "transient": true}]']) words;
SELECT tried('[{"name": "a"}]', '[{"name": "c", "type": "boolean", "mutability": "writeOnly", "transient": true}]');
SELECT tried('[{"name": "a", "type": "boolean", "mutability": "writeOnly"}]', settings => '{"rules": {"a": {"transient": true}}}');

--
-- Bulk: each item as a request of its own
--
CREATE FUNCTION bulk(people regclass, body jsonb, key text DEFAULT NULL, atomic boolean DEFAULT false, patch boolean DEFAULT true) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.users_bulk_%s(%L, %L, %L, %L)', CASE WHEN patch THEN 'patch' ELSE 'put' END, people, body, key, atomic))
$$;
CREATE FUNCTION is_password(people regclass, VARIADIC passwords text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(concat_ws('' '', id, version, (SELECT p FROM unnest($1) p WHERE userstore.user_password_verify(%1$L, id, p))), '', '' ORDER BY id) FROM %1$s', people)
        INTO result USING passwords;
    RETURN result;
END $$;
SELECT count(*) FROM attribute_schema_define('{"id": "urn:regress:password", "name": "Crowd", "attributes": [
    {"name": "n", "uniqueness": "server"}, {"name": "pw", "format": "password"}, {"name": "mail", "type": "boolean", "mutability": "writeOnly", "transient": true}]}');
SELECT user_table_create('crowd', 'plain', '{urn:regress:password}', password_function => 'cheap');
SELECT bulk('crowd', '[{"id": "a", "n": "1", "pw": "one"}, {"id": "b", "n": "2"}, {"id": "c", "pw": "three", "mail": true}]', patch => false);
SELECT is_password('crowd', 'one', 'two', 'three');
-- a bulk request of SCIM under a key: whose password it is counts
SELECT user_table_create('team', 'scim', password_function => 'cheap');
CREATE FUNCTION hired(key text, password jsonb, other jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.status, r.body ->> 'detail') FROM userstore.user_request('team', 'POST', '/Bulk', jsonb_build_object('Idempotency-Key', key),
        format('{"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "%1$s", "password": %2$s}}, {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "%1$s2", "password": %3$s}}]}', key, password, other)) r
$$;
SELECT hired('t1', '"one"', 'null'), hired('t1', 'null', '"one"'), hired('t1', '"one"', 'null'), hired('t1', '"two"', 'null'), hired('t1', 'null', 'null');
SELECT count(*), count(password_hash) FROM team;
SELECT user_id, version, operation, changed, document FROM crowd_history ORDER BY 1, 2;
-- one user several times; the same again, and none
SELECT bulk('crowd', '[{"id": "a", "pw": "one"}, {"id": "b", "pw": "two"}, {"id": "a", "pw": "two", "n": "x"}, {"id": "c", "pw": null}, {"id": "a", "n": "y"}, {"id": "b", "pw": "two"}, {"id": "a", "pw": "one"}]');
SELECT is_password('crowd', 'one', 'two', 'three');
SELECT user_id, version, operation, changed, document FROM crowd_history WHERE version > 1 ORDER BY 1, 2;
-- what fails, fails alone, before and after its password was hashed
SELECT bulk('crowd', '[{"id": "a", "pw": "five"}, {"id": "b", "pw": ["five"]}, {"id": "b", "pw": ""}, {"id": "b", "pw": "five", "n": "y"}, {"id": "d", "pw": "five"}, {"id": "c", "pw": "five"}]');
SELECT is_password('crowd', 'one', 'two', 'three', 'five');
-- or takes all with it
SELECT bulk('crowd', '[{"id": "a", "pw": "six"}, {"id": "b", "pw": ["six"]}]', atomic => true);
SELECT bulk('crowd', '[{"id": "a", "pw": "six"}, {"id": "b", "pw": "six", "n": "y"}]', atomic => true);
SELECT is_password('crowd', 'one', 'two', 'three', 'five', 'six');
-- under a key: each password is that of its item
SELECT bulk('crowd', '[{"id": "a", "pw": "A"}, {"id": "b", "pw": "B"}, {"id": "c", "n": "C"}]', 'k1') AS first \gset
SELECT :'first';
SELECT bulk('crowd', '[{"id": "a", "pw": "later"}, {"id": "b", "pw": "later"}]') IS NOT NULL;
SELECT bulk('crowd', '[{"id": "a", "pw": "A"}, {"id": "b", "pw": "B"}, {"id": "c", "n": "C"}]', 'k1') = :'first' AS replay;
SELECT body, bulk('crowd', body, 'k1') FROM unnest(ARRAY['[{"id": "a", "pw": "B"}, {"id": "b", "pw": "A"}, {"id": "c", "n": "C"}]', '[{"id": "a", "pw": "A"}, {"id": "b", "pw": "A"}, {"id": "c", "n": "C"}]',
    '[{"id": "a", "pw": "A"}, {"id": "b"}, {"id": "c", "n": "C"}]', '[{"id": "a", "pw": "A"}, {"id": "b"}, {"id": "c", "n": "C", "pw": "B"}]', '[{"id": "a", "pw": "A"}, {"id": "b", "pw": null}, {"id": "c", "n": "C"}]',
    '[{"id": "a", "pw": "A"}, {"id": "b", "pw": "B"}, {"id": "c", "n": "C", "pw": "C"}]']::jsonb[]) body;
SELECT is_password('crowd', 'A', 'B', 'later', 'five');
SELECT key, octet_length(fingerprint), response::text ~ 'pw' AS answered FROM crowd_idempotency;
-- a wish of each
SELECT bulk('crowd', '[{"id": "a", "mail": true}, {"id": "b", "mail": false}, {"id": "a", "mail": true, "n": "w"}]');
SELECT version, changed FROM (SELECT version, changed FROM crowd_history WHERE user_id = 'a' ORDER BY version DESC LIMIT 2) h ORDER BY 1;
SELECT count(*) FROM crowd_history WHERE document ?| '{pw,mail}';
DROP TABLE crowd;

--
-- Hashes of others: Django's
--
CREATE FUNCTION pbkdf2(password text, salt text, iterations int) RETURNS bytea LANGUAGE plpgsql STRICT SET search_path = regress_password_crypto, pg_temp AS $$
DECLARE
    u bytea := hmac(convert_to(salt, 'UTF8') || '\x00000001', convert_to(password, 'UTF8'), 'sha256');
    key bytea := u;
BEGIN
    FOR i IN 2 .. iterations LOOP
        u := hmac(u, convert_to(password, 'UTF8'), 'sha256');
        FOR b IN 0 .. 31 LOOP
            key := set_byte(key, b, get_byte(key, b) # get_byte(u, b));
        END LOOP;
    END LOOP;
    RETURN key;
END $$;
CREATE FUNCTION django(password text, hash text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws('$', 'pbkdf2_sha256', iterations, salt, encode(regress_password.pbkdf2(password, salt, iterations), 'base64'))
    FROM (SELECT coalesce(split_part(hash, '$', 2)::int, 3), coalesce(split_part(hash, '$', 3), encode(regress_password_crypto.gen_random_bytes(9), 'hex')))
        AS parameters (iterations, salt)
    WHERE hash IS NULL OR hash ~ '^pbkdf2_sha256[$][1-9][0-9]{0,6}[$][^$]+[$]'
$$;
SELECT user_table_create('pythons', 'scim', password_function => 'django');
SELECT make('pythons', '{"userName": "ann", "password": "swordfish"}');
SELECT password_hash ~ '^pbkdf2_sha256[$]3[$][0-9a-f]{18}[$][A-Za-z0-9+/]{43}=$' AS django, verified('pythons', 'swordfish'), verified('pythons', 'swordfis'), verified('pythons', '') FROM pythons;
-- made by Python's hashlib
UPDATE pythons SET password_hash = 'pbkdf2_sha256$7$seasalt2$ea6AbdmgzmIJ8nk+Z+qiyfNIjRcFeAymPKQEC6LcJqk=';
SELECT verified('pythons', U&'Gr\00FC\00DFe, J\00FCrgen'), verified('pythons', 'Gruesse, Juergen'), verified('pythons', 'swordfish');
UPDATE pythons SET password_hash = 'pbkdf2_sha256$2$NaCl$Q8yS5lSuIJrMLgWh6exKKhsr7/DtS5EWXHKNflgRcGo=';
SELECT verified('pythons', repeat('y', 64)), verified('pythons', repeat('y', 65));
-- the same one keeps that hash, another is hashed anew
SELECT patch('pythons', jsonb_build_object('password', repeat('y', 64))) IS NOT NULL, version, password_hash FROM pythons;
SELECT patch('pythons', '{"password": "sardine"}') IS NOT NULL;
SELECT verified('pythons', 'sardine'), password_hash ~ '^pbkdf2_sha256[$]3[$]' AS anew FROM pythons;
-- a hash of another kind is nobody's
UPDATE pythons SET password_hash = '$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm';
SELECT verified('pythons', 'password');
-- more than bcrypt takes
SELECT patch('pythons', jsonb_build_object('password', repeat('y', 73))) IS NOT NULL, verified('pythons', repeat('y', 73)), verified('pythons', repeat('y', 72));
SELECT patch('pythons', '{"password": "sardine"}') IS NOT NULL, verified('pythons', 'sardine');

-- Laravel's
CREATE FUNCTION laravel(password text, hash text) RETURNS text LANGUAGE sql AS $$
    SELECT '$2y$' || substr(regress_password_crypto.crypt(password, coalesce('$2a$' || substr(hash, 5), regress_password_crypto.gen_salt('bf', 4))), 5)
$$;
SELECT user_table_create('artisans', 'scim', password_function => 'regress_password.laravel');
SELECT make('artisans', '{"userName": "ann", "password": "swordfish"}');
SELECT password_hash ~ '^\$2y\$04\$.{53}$' AS laravel, verified('artisans', 'swordfish'), verified('artisans', 'swordfis') FROM artisans;
-- made by libxcrypt
UPDATE artisans SET password_hash = '$2y$04$abcdefghijklmnopqrstuueuVAhS03vnQnw0.2Pjo3RZ/QZHcvWJa';
SELECT verified('artisans', U&'Gr\00FC\00DFe, J\00FCrgen'), verified('artisans', 'Gruesse, Juergen');
UPDATE artisans SET password_hash = '$2y$05$CCCCCCCCCCCCCCCCCCCCC.V5.O8VGvEuWDHrXG22SU/QJZjovrdby';
SELECT verified('artisans', repeat('z', 72)), verified('artisans', repeat('z', 71));
SELECT patch('artisans', jsonb_build_object('password', repeat('z', 72))) IS NOT NULL, version, password_hash FROM artisans;
-- the replay of a request verifies in the same manner
SELECT patch('artisans', '{"password": "A"}', key => 'k1') IS NOT NULL, patch('artisans', '{"password": "B"}', key => 'k2') IS NOT NULL,
    patch('artisans', '{"password": "A"}', key => 'k1') ~ '"W/\\"2\\""' AS replay;
SELECT patch('artisans', '{"password": "B"}', key => 'k1'), verified('artisans', 'B');

-- without such a function, a hash that pgcrypto does not know is nobody's
UPDATE people SET password_hash = '$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm' WHERE id = 'ann';
SELECT verified('people', 'password');
UPDATE people SET password_hash = 'pbkdf2_sha256$2$NaCl$Q8yS5lSuIJrMLgWh6exKKhsr7/DtS5EWXHKNflgRcGo=' WHERE id = 'ann';
SELECT verified('people', repeat('y', 64));

--
-- What such a function is, and what it may
--
CREATE FUNCTION one(text) RETURNS text LANGUAGE sql RETURN 'x';
CREATE FUNCTION three(text, text, text DEFAULT NULL) RETURNS text LANGUAGE sql RETURN 'x';
CREATE FUNCTION number(text, text) RETURNS int LANGUAGE sql RETURN 1;
CREATE FUNCTION many(text, text) RETURNS SETOF text LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION other(text, int) RETURNS text LANGUAGE sql RETURN 'x';
CREATE PROCEDURE proc(text, text) LANGUAGE sql AS '';
CREATE AGGREGATE gathered(text, text) (SFUNC = three, STYPE = text);
SELECT name, outcome(format('SELECT user_table_create(''wrong'', ''scim'', password_function => %L)', name))
    FROM unnest(ARRAY['nowhere', 'nowhere.cheap', 'one', 'three', 'number', 'many', 'other', 'proc', 'gathered', '', 'cheap(text, text)', 'a b', 'pg_catalog.cheap']) name;
SELECT to_regclass('wrong');
-- a table without a password needs none
SELECT outcome($$SELECT user_table_create('wrong', 'zluri', password_function => 'cheap')$$);
DROP TABLE IF EXISTS wrong;
-- it is found where it was found then, under the name that it had
SET search_path = pg_catalog;
SELECT userstore.user_patch('regress_password.artisans', 'ann', '{"password": "found"}') ->> 'id', userstore.user_password_verify('regress_password.artisans', 'ann', 'found');
SET search_path = regress_password, userstore;
ALTER FUNCTION laravel(text, text) RENAME TO artisan;
SELECT verified('artisans', 'found');
SELECT patch('artisans', '{"password": "lost"}');
SELECT patch('artisans', '{"title": "all else goes on"}') IS NOT NULL;
ALTER FUNCTION artisan(text, text) RENAME TO laravel;
SELECT verified('artisans', 'found');
-- attaching names it as well
SELECT user_table_detach('pythons');
SELECT user_table_attach('pythons', 'scim', password_function => 'django');
SELECT verified('pythons', 'sardine');

-- NULL is no hash, nor is the password
CREATE FUNCTION nothing(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
CREATE FUNCTION empty(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''''::text';
CREATE FUNCTION fails(password text, hash text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'no hash today' USING ERRCODE = 'P0042'; END $$;
SELECT user_table_create('t_' || f, 'scim', password_function => f) FROM unnest('{nothing,empty,fails}'::text[]) f;
SELECT f, make(('t_' || f)::regclass, '{"userName": "ann", "password": "secret"}') FROM unnest('{nothing,empty,fails}'::text[]) f;
SELECT (SELECT count(*) FROM t_nothing) + (SELECT count(*) FROM t_empty) + (SELECT count(*) FROM t_fails) AS users;
-- an error that is caught leaves role and settings as they were
SELECT current_user, current_setting('search_path');
DROP TABLE t_nothing, t_empty, t_fails;

-- it runs as the table's owner, who is not the caller, and can do nothing lasting to the session
CREATE FUNCTION whose(password text, hash text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' / ', current_user, session_user, current_setting('search_path'), md5(password)) $$;
CREATE FUNCTION roams(password text, hash text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN SET ROLE regress_password_clerk; RETURN 'x'; END $$;
CREATE FUNCTION makes(password text, hash text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE left_behind (); RETURN 'x'; END $$;
SELECT user_table_create('t_' || f, 'scim', password_function => f) FROM unnest('{whose,roams,makes}'::text[]) f;
GRANT USAGE ON SCHEMA regress_password TO regress_password_clerk;
GRANT SELECT, INSERT, UPDATE ON t_whose, t_roams, t_makes TO regress_password_clerk;
REVOKE EXECUTE ON FUNCTION whose FROM PUBLIC;
RESET SESSION AUTHORIZATION;
GRANT regress_password_clerk TO regress_password;
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT f, make(('t_' || f)::regclass, '{"userName": "ann", "password": "secret"}') FROM unnest('{whose,roams,makes}'::text[]) f;
SELECT password_hash FROM t_whose;
SELECT verified('t_whose', 'secret'), current_user;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_password;
DROP TABLE t_whose, t_roams, t_makes;

--
-- Who may set and verify one
--
GRANT SELECT (xmin, id, document, version, created_at, modified_at), UPDATE (document, version, modified_at), INSERT (id, document, version, created_at, modified_at)
    ON staff TO regress_password_clerk;
CREATE FUNCTION as_clerk() RETURNS TABLE (what text, came text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'get', (user_get('staff', 'ann') ->> 'userName');
    RETURN QUERY SELECT 'patch without', patch('staff', jsonb_build_object('title', clock_timestamp()::text)) !~ '^[0-9A-Z]{5} ' || '';
    RETURN QUERY SELECT 'put without', put('staff', jsonb_build_object('userName', 'ann', 'title', clock_timestamp()::text)) !~ '^[0-9A-Z]{5} ' || '';
    RETURN QUERY SELECT 'create without', regexp_replace(make('staff', '{"userName": "sue"}', id => 'sue'), '^\{.*', 'done');
    RETURN QUERY SELECT 'patch', regexp_replace(patch('staff', '{"password": "clerk"}'), '^\{.*', 'done');
    RETURN QUERY SELECT 'clear', regexp_replace(patch('staff', '{"password": null}'), '^\{.*', 'done');
    RETURN QUERY SELECT 'put', regexp_replace(put('staff', '{"userName": "ann", "password": "clerk"}'), '^\{.*', 'done');
    RETURN QUERY SELECT 'create', regexp_replace(make('staff', '{"userName": "tom", "password": "clerk"}', id => 'tom'), '^\{.*', 'done');
    RETURN QUERY SELECT 'verify', verified('staff', 'clerk');
END $$;
\pset fieldsep ': '
SELECT outcome($$SELECT user_password_verify('staff', 'ann', 'none')$$), outcome($$SELECT user_password_verify('staff', 'nobody', 'none')$$);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT * FROM as_clerk();
SELECT outcome($$SELECT user_password_verify('staff', 'nobody', 'none')$$);
RESET SESSION AUTHORIZATION;
GRANT UPDATE (password_hash), INSERT (password_hash) ON regress_password.staff TO regress_password_clerk;
DELETE FROM regress_password.staff WHERE id = 'sue';
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT * FROM as_clerk();
RESET SESSION AUTHORIZATION;
REVOKE UPDATE (password_hash), INSERT (password_hash) ON regress_password.staff FROM regress_password_clerk;
GRANT SELECT (password_hash) ON regress_password.staff TO regress_password_clerk;
DELETE FROM regress_password.staff WHERE id IN ('sue', 'tom');
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT * FROM as_clerk();
RESET SESSION AUTHORIZATION;
GRANT UPDATE (password_hash), INSERT (password_hash) ON regress_password.staff TO regress_password_clerk;
DELETE FROM regress_password.staff WHERE id IN ('sue', 'tom');
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT * FROM as_clerk();
-- a column that no update names is not touched
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_password;
CREATE TRIGGER see AFTER UPDATE OF password_hash ON staff FOR EACH ROW EXECUTE FUNCTION see();
TRUNCATE seen;
SELECT patch('staff', '{"title": "untouched"}') IS NOT NULL, patch('staff', '{"title": "still", "password": "clerk"}') IS NOT NULL;
SELECT count(*) FROM seen;
SELECT patch('staff', '{"password": "touched"}') IS NOT NULL;
SELECT count(*) FROM seen;
DROP TRIGGER see ON staff;
-- a replay takes the privileges that the request took
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT patch('staff', '{"password": "again"}', key => 'p1') ~ '"ann"', patch('staff', '{"password": "again"}', key => 'p1') ~ '"ann"';
RESET SESSION AUTHORIZATION;
REVOKE SELECT (password_hash) ON regress_password.staff FROM regress_password_clerk;
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT patch('staff', '{"password": "again"}', key => 'p1');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_password;
GRANT SELECT (password_hash) ON staff TO regress_password_clerk;
-- a user who is hidden has no password
ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
CREATE POLICY others ON staff TO regress_password_clerk USING (id <> 'ann');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_password_clerk;
SELECT verified('staff', 'again'), verified('staff', 'e', 'eve');
RESET SESSION AUTHORIZATION;

SET SESSION AUTHORIZATION regress_password;
-- an attribute that becomes a password: what stands in clear is told, and goes with the next update
SELECT userstore.attribute_schema_define('{"id": "urn:regress:password:Late", "attributes": [{"name": "login"}, {"name": "pw"}]}');
SELECT userstore.user_table_create('late', schemas => '{urn:regress:password:Late}');
SELECT userstore.users_bulk_put('late', '[{"id": "a", "login": "a", "pw": "in clear"}, {"id": "b", "login": "b"}]');
SELECT * FROM userstore.attribute_schema_define('{"id": "urn:regress:password:Late", "attributes": [{"name": "login"}, {"name": "pw", "format": "password"}]}', dry_run => true);
SELECT userstore.attribute_schema_define('{"id": "urn:regress:password:Late", "attributes": [{"name": "login"}, {"name": "pw", "format": "password"}]}');
SELECT count(userstore.user_patch('late', id, '{"login": "c"}')) FROM (VALUES ('a'), ('b')) l(id);
SELECT l.document, h.document AS in_history, h.changed FROM late l JOIN late_history h ON h.user_id = l.id AND h.version = l.version ORDER BY l.id;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_password CASCADE;
SELECT userstore.api_profile_drop(name) FROM userstore.api_profile WHERE name LIKE 'regress_password%';
SELECT userstore.attribute_schema_drop(id) FROM userstore.attribute_schema WHERE id LIKE 'urn:regress:password%';
DROP EXTENSION pgcrypto;
DROP SCHEMA regress_password_crypto;
DROP ROLE regress_password, regress_password_clerk;
