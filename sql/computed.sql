--
-- Computed attributes: a function of the table's owner gives their values when
-- a user is shown, and nothing stores them.
--
SET client_min_messages = warning;
CREATE ROLE regress_computed;
CREATE ROLE regress_computed_clerk;
CREATE SCHEMA regress_computed AUTHORIZATION regress_computed;
GRANT USAGE ON SCHEMA regress_computed TO regress_computed_clerk;
SET SESSION AUTHORIZATION regress_computed;
SET search_path = regress_computed, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

--
-- The groups of a SCIM user, which are in tables of their own
--
SELECT user_table_create('people', api => 'scim');
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO regress_computed_clerk;
CREATE TABLE teams (id text PRIMARY KEY, name text);
CREATE TABLE members (team text REFERENCES teams, person text);
INSERT INTO teams VALUES ('t1', 'Red'), ('t2', 'Blue');
INSERT INTO members VALUES ('t1', 'a'), ('t2', 'a'), ('t2', 'b');
CREATE SEQUENCE calls MINVALUE 0 START 0;
CREATE FUNCTION groups(person text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT nextval('regress_computed.calls') * 0 IS NOT NULL;
	SELECT jsonb_agg(jsonb_build_object('value', t.id, 'display', t.name, 'type', 'direct') ORDER BY t.id)
	FROM regress_computed.members m JOIN regress_computed.teams t ON t.id = m.team WHERE m.person = $1;
$$;
-- How many times it was called since this was last asked.
CREATE FUNCTION calls() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint := nextval('calls');
BEGIN
	PERFORM setval('calls', 0, false);
	RETURN n;
END $$;
SELECT attribute_computed_define('people', 'GROUPS', 'groups(text)');
SELECT * FROM attribute_computed WHERE users = 'people'::regclass;

-- every answer shows them, to whoever may see the user
SET SESSION AUTHORIZATION regress_computed_clerk;
SELECT user_create('people', '{"userName": "ann", "groups": [{"value": "mine"}]}', 'a') -> 'groups' AS groups;
SELECT user_put('people', 'a', '{"userName": "ann", "title": "Dr", "groups": []}') -> 'groups' AS groups;
SELECT user_patch('people', 'a', '{"title": "Prof"}') -> 'groups' AS groups;
SELECT user_patch('people', 'a', '{"title": "Prof"}') -> 'groups' AS unchanged;
SELECT user_patch('people', 'a', '{"title": "Sir"}', dry_run => true) -> 'groups' AS rehearsed;
SELECT user_get('people', 'a') -> 'groups' AS groups;
SELECT e -> 'id' AS id, e -> 'groups' AS groups FROM jsonb_array_elements(users_bulk_put('people', '[{"id": "b", "userName": "bob"}, {"id": "c", "userName": "cy"}]', creates => true) -> 'Resources') e;
SELECT e -> 'id' AS id, e -> 'groups' AS groups FROM jsonb_array_elements(users_list('people') -> 'Resources') e;
SELECT status, body -> 'groups' AS groups FROM user_request('people', 'GET', '/Users/b');
SELECT status, body -> 'groups' AS groups FROM user_request('people', 'PUT', '/Users/b', body => '{"userName": "bob", "title": "x"}');
SELECT status, body #> '{Resources,0,groups}' AS groups FROM user_request('people', 'GET', '/Users?filter=userName%20eq%20%22bob%22');
SELECT has_table_privilege('members', 'SELECT') AS may_see_who_is_in_which;
SET SESSION AUTHORIZATION regress_computed;
-- nothing stores them
SELECT id, document FROM people ORDER BY id;
SELECT count(*) FROM people_history WHERE document ? 'groups' OR 'groups' = ANY (changed);
-- and what is there is there at once
INSERT INTO members VALUES ('t1', 'c');
SELECT user_get('people', 'c') -> 'groups' AS groups, user_version('people', 'c') AS version;

-- one call for each user that is shown, none when they are not
SELECT calls() > 0 AS so_far;
SELECT user_get('people', 'a') ? 'groups' AS shown, calls();
SELECT user_get('people', 'a', attributes => '{userName}') ? 'groups' AS shown, calls();
SELECT user_get('people', 'a', attributes => '{groups.value}') -> 'groups' AS shown, calls();
SELECT user_get('people', 'a', excluded_attributes => '{groups}') ? 'groups' AS shown, calls();
SELECT user_get('people', 'a', excluded_attributes => '{groups.display}') -> 'groups' -> 0 AS shown, calls();
SELECT jsonb_array_length(users_list('people', count => 2, sort_by => 'userName') -> 'Resources') AS users, calls();
SELECT users_list('people', 'userName eq "bob"') -> 'totalResults' AS users, calls();
SELECT users_list('people', 'title pr', count => 0) -> 'totalResults' AS users, calls();
SELECT users_list('people', attributes => '{userName}') -> 'totalResults' AS users, calls();
SELECT user_patch('people', 'a', '{"title": "Miss"}') ? 'groups' AS shown, calls();
SELECT status, body ? 'groups' AS shown FROM user_request('people', 'PATCH', '/Users/a?attributes=title', body => '{"title": "Mrs"}');
SELECT calls();
SELECT user_delete('people', 'c'), calls();
-- what a change brings about is in its answer
CREATE FUNCTION stable_groups(person text) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_agg(jsonb_build_object('value', m.team)) FROM regress_computed.members m WHERE m.person = $1 $$;
CREATE FUNCTION joins() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO members VALUES ('t1', NEW.id); RETURN NULL; END $$;
CREATE TRIGGER joins AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION joins();
SELECT attribute_computed_define('people', 'groups', 'stable_groups(text)');
SELECT user_create('people', '{"userName": "dan"}', 'd') -> 'groups' AS groups;
SELECT users_bulk_put('people', '[{"id": "e", "userName": "eve"}]', creates => true) #> '{Resources,0,groups}' AS groups;
DROP TRIGGER joins ON people;
DELETE FROM people WHERE id IN ('d', 'e');
SELECT attribute_computed_define('people', 'groups', 'groups(text)');
-- an answer that is given again is the one that was given
SELECT user_patch('people', 'b', '{"title": "k"}', 'key') -> 'groups' AS groups;
DELETE FROM members WHERE person = 'b';
SELECT user_patch('people', 'b', '{"title": "k"}', 'key') -> 'groups' AS groups;
SELECT user_get('people', 'b') -> 'groups' AS groups;

-- what is not stored cannot be looked for, sorted or matched by
SELECT r.* FROM raised($$SELECT users_list('people', 'groups.value eq "t1"')$$) r;
SELECT r.state, r.message FROM raised($$SELECT users_list('people', 'groups[value eq "t1" and display eq "Red"]')$$) r;
SELECT r.state, r.message FROM raised($$SELECT users_list('people', 'userName eq "a" or not (groups pr)')$$) r;
SELECT r.state, r.message FROM raised($$SELECT count(*) FROM people p WHERE user_matches('people', p.document, 'groups pr')$$) r;
SELECT r.* FROM raised($$SELECT users_list('people', sort_by => 'groups')$$) r;
SELECT r.state, r.message FROM raised($$SELECT users_bulk_put('people', '[]', match => 'groups.value')$$) r;
SELECT status, body FROM user_request('people', 'GET', '/Users?filter=groups%20pr');
-- nor set
SELECT r.state, r.message FROM raised($$SELECT user_patch('people', 'a', '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "groups", "value": [{"value": "t9"}]}]}')$$) r;
SELECT user_patch('people', 'a', '{"groups": [{"value": "t9"}]}') -> 'groups' AS groups;
-- one that plain SQL has stored is not shown
UPDATE people SET document = document || '{"groups": [{"value": "old"}]}';
SELECT user_get('people', 'a') #> '{groups,0,value}' AS a, user_get('people', 'b') -> 'groups' AS b;

--
-- What may be computed
--
SELECT attribute_schema_define('{"id": "urn:regress:computed:Person", "name": "Person", "attributes": [
	{"name": "login"}, {"name": "email", "uniqueness": "server", "mutability": "readOnly"}, {"name": "age", "type": "integer", "mutability": "readOnly"},
	{"name": "score", "type": "decimal", "mutability": "readOnly", "returned": "request"}, {"name": "manager", "type": "boolean", "mutability": "readOnly"},
	{"name": "hidden", "mutability": "readOnly", "returned": "never"}, {"name": "greeting", "mutability": "readOnly", "computed": "regress_computed.evil"},
	{"name": "name", "type": "complex", "subAttributes": [{"name": "given"}, {"name": "formatted", "mutability": "readOnly"}]},
	{"name": "phones", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "carrier", "mutability": "readOnly"}]},
	{"name": "roles", "multiValued": true, "mutability": "readOnly"}, {"name": "free", "type": "any", "mutability": "readOnly"}]}');
SELECT attribute_schema_define('{"id": "urn:regress:computed:Work", "name": "Work", "attributes": [{"name": "team", "required": true}, {"name": "boss", "mutability": "readOnly", "returned": "always"}]}');
SELECT api_profile_define('regress_computed', base => 'scim', settings => '{"schemas": ["urn:regress:computed:Person", "urn:regress:computed:Work"]}');
SELECT user_table_create('staff', api => 'regress_computed');
CREATE FUNCTION evil(id text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'called as %', current_user; END $$;
-- what the schema says is not called until the table's owner says so
SELECT user_create('staff', '{"login": "ann", "name": {"given": "Ann"}}', 'a') - 'meta' AS created;
CREATE FUNCTION word(id text) RETURNS text LANGUAGE sql AS $$ SELECT 'of ' || id $$;
CREATE TABLE told (what jsonb);
INSERT INTO told VALUES ('null');
CREATE FUNCTION given(text) RETURNS jsonb LANGUAGE sql AS $$ SELECT what FROM regress_computed.told $$;
CREATE FUNCTION "define"(path text, function text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE sql AS $$
	SELECT raised(format('SELECT attribute_computed_define(%L, %L, %L::regprocedure)', 'staff', path, function)) $$;
SELECT * FROM "define"('login', 'word(text)');
SELECT * FROM "define"('email', 'word(text)');
SELECT * FROM "define"('hidden', 'word(text)');
SELECT * FROM "define"('phones.carrier', 'word(text)');
SELECT * FROM "define"('urn:regress:computed:Work', 'word(text)');
SELECT * FROM "define"('nothing', 'word(text)');
SELECT * FROM "define"('nothing', NULL);
SELECT * FROM "define"('meta.version', 'word(text)');
-- by what function
CREATE FUNCTION wrong(integer) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE FUNCTION wrong_too(text) RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() $$;
CREATE FUNCTION many(text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'x' $$;
SELECT * FROM "define"('age', 'wrong(integer)');
SELECT f.state, f.message FROM "define"('age', 'wrong_too(text)') f;
SELECT f.state, f.message FROM "define"('age', 'many(text)') f;
SELECT f.state, f.message FROM "define"('age', '-') f;
SELECT f.state, f.message FROM "define"('age', '1') f;
SELECT f.state, f.message FROM "define"('age', 'none(text)') f;
SELECT f.state, f.message FROM "define"('age', 'pg_catalog.length(text)') f;
-- for whom
SELECT r.state, r.message FROM raised($$SELECT attribute_computed_define('teams', 'a', 'word(text)')$$) r;
SELECT r.state, r.message FROM raised($$SELECT attribute_computed_define(NULL, 'a', 'word(text)')$$) r;
SELECT r.state, r.message FROM raised($$SELECT attribute_computed_define('staff', NULL, 'word(text)')$$) r;
SET SESSION AUTHORIZATION regress_computed_clerk;
SELECT f.state, f.message FROM regress_computed."define"('age', 'word(text)') f;
SET SESSION AUTHORIZATION regress_computed;
SELECT user_table_create('loose');
SELECT r.state, r.message, r.hint FROM raised($$SELECT attribute_computed_define('loose', 'a', 'word(text)')$$) r;

--
-- Values of all types, anywhere
--
CREATE FUNCTION yes(text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION big(text) RETURNS bigint LANGUAGE sql AS $$ SELECT 12345678901 $$;
CREATE FUNCTION half(text) RETURNS numeric LANGUAGE sql AS $$ SELECT 0.5 $$;
SELECT path, state, message FROM (VALUES ('age', 'big'), ('score', 'half'), ('manager', 'yes'), ('name.formatted', 'word'), ('roles', 'given'), ('free', 'given'),
	('urn:regress:computed:Work:boss', 'word')) AS d (path, function), LATERAL "define"(path, function || '(text)');
SELECT path, function FROM attribute_computed WHERE users = 'staff'::regclass ORDER BY path;
SELECT user_get('staff', 'a') - 'meta' AS shown;
SELECT user_get('staff', 'a', attributes => '{score, name.given}') - 'meta' AS shown;
SELECT user_get('staff', 'a', attributes => '{name}') - 'meta' AS shown;
SELECT user_create('staff', '{"login": "bob"}', 'b') - 'meta' AS created;
SELECT document FROM staff ORDER BY id;
-- no value is none
UPDATE told SET what = '[]';
SELECT user_get('staff', 'a', attributes => '{roles, free}') - '{meta,schemas}'::text[] AS shown;
UPDATE told SET what = '["x", "y"]';
SELECT user_get('staff', 'a', attributes => '{roles, free}') - '{meta,schemas}'::text[] AS shown;
-- one that is not the attribute's
UPDATE told SET what = '"x"';
SELECT r.* FROM raised($$SELECT user_get('staff', 'a')$$) r;
SELECT r.state, r.message FROM raised($$SELECT users_list('staff')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_patch('staff', 'a', '{"login": "anna"}')$$) r;
SELECT r.state, r.message FROM raised($$SELECT users_bulk_patch('staff', '[{"id": "a", "login": "anna"}]')$$) r;
SELECT status, body FROM user_request('staff', 'GET', '/Users/a');
SELECT document ->> 'login' AS login FROM staff WHERE id = 'a';
UPDATE told SET what = '["x", 1]';
SELECT r.state, r.message FROM raised($$SELECT user_get('staff', 'a')$$) r;
SELECT user_get('staff', 'a', excluded_attributes => '{roles}') ->> 'login' AS without;
UPDATE told SET what = '[]';
SELECT f.state, f.message FROM "define"('age', 'half(text)') f;
SELECT r.state, r.message FROM raised($$SELECT user_get('staff', 'a')$$) r;
SELECT f.state, f.message FROM "define"('age', NULL) f;
-- what it raises
SELECT f.state, f.message FROM "define"('greeting', 'evil(text)') f;
SET SESSION AUTHORIZATION regress_computed;
GRANT SELECT, UPDATE ON staff TO regress_computed_clerk;
SET SESSION AUTHORIZATION regress_computed_clerk;
SELECT r.state, r.message FROM raised($$SELECT user_get('staff', 'a')$$) r;
SELECT status, body FROM user_request('staff', 'GET', '/Users/a');
SET SESSION AUTHORIZATION regress_computed;

-- a profile's rule does not make it anybody's to set
SELECT api_profile_define('regress_computed_open', base => 'regress_computed', settings => '{"rules": {"roles": {"mutability": "readWrite"}}}');
SELECT f.state, f.message FROM "define"('greeting', NULL) f;
UPDATE told SET what = '["x"]';
SELECT user_patch('staff', 'a', '{"roles": ["mine"], "login": "anni"}', api => 'regress_computed_open') -> 'roles' AS roles;
SELECT document FROM staff WHERE id = 'a';
-- nor does the owner's hook
CREATE FUNCTION hook(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT $5 || '{"roles": ["hooked"]}' $$;
SELECT user_table_set('staff', 'before_update', 'hook');
SELECT r.state, r.message FROM raised($$SELECT user_patch('staff', 'a', '{"login": "x"}', api => 'regress_computed_open')$$) r;
SELECT user_table_set('staff', 'before_update', NULL);

--
-- Functions that are gone, or somebody else's by now
--
SELECT f.state, f.message FROM unnest('{age,score,manager,name.formatted,free,urn:regress:computed:Work:boss}'::text[]) p, LATERAL "define"(p, NULL) f;
DROP FUNCTION given(text);
SELECT r.* FROM raised($$SELECT user_get('staff', 'a')$$) r;
SELECT user_get('staff', 'a', excluded_attributes => '{roles}') ->> 'login' AS without;
CREATE FUNCTION given(text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '["new"]'::jsonb $$;
SELECT user_get('staff', 'a') -> 'roles' AS roles;
CREATE OR REPLACE FUNCTION given(text) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb(ARRAY[current_user::text, current_setting('search_path')]) $$;
SET SESSION AUTHORIZATION regress_computed_clerk;
SELECT user_get('staff', 'a') -> 'roles' AS roles;
RESET SESSION AUTHORIZATION;
ALTER FUNCTION given(text) OWNER TO regress_computed_clerk;
SET SESSION AUTHORIZATION regress_computed_clerk;
SELECT r.* FROM raised($$SELECT user_get('staff', 'a')$$) r;
SET SESSION AUTHORIZATION regress_computed;
SELECT f.state, f.message FROM "define"('roles', 'given(text)') f;
-- a schema in which it has no place any more, and one that has lost it
SELECT f.state, f.message FROM "define"('name.formatted', 'word(text)') f;
SELECT attribute_schema_define('{"id": "urn:regress:computed:Person", "name": "Person", "attributes": [{"name": "login"},
	{"name": "name", "type": "complex", "multiValued": true, "subAttributes": [{"name": "given"}, {"name": "formatted", "mutability": "readOnly"}]}]}');
SELECT user_get('staff', 'a') - 'meta' AS shown;
SELECT f.state, f.message FROM "define"('name.formatted', NULL) f;
SELECT attribute_schema_define('{"id": "urn:regress:computed:Person", "name": "Person", "attributes": [{"name": "login"}]}');
SELECT user_get('staff', 'a') - 'meta' AS shown;
SELECT f.state, f.message FROM "define"('roles', NULL) f;
SELECT count(*) FROM attribute_computed WHERE users = 'staff'::regclass;

-- it goes with the registration
SELECT user_table_detach('people');
SELECT count(*) FROM attribute_computed WHERE users = 'people'::regclass;
SELECT user_table_attach('people', 'scim');
SELECT user_get('people', 'a') #> '{groups,0,value}' AS stored;

DROP TABLE people, staff, loose;
SELECT api_profile_drop('regress_computed_open'), api_profile_drop('regress_computed');
SELECT attribute_schema_drop('urn:regress:computed:Person'), attribute_schema_drop('urn:regress:computed:Work');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_computed CASCADE;
DROP ROLE regress_computed, regress_computed_clerk;
