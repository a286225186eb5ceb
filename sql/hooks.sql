--
-- before_update: a function of the table's owner that sees each new document
-- before it is written, and changes or refuses it.
--
SET client_min_messages = warning;
CREATE ROLE regress_hooks;
CREATE ROLE regress_hooks_clerk;
CREATE SCHEMA regress_hooks AUTHORIZATION regress_hooks;
GRANT USAGE ON SCHEMA regress_hooks TO regress_hooks_clerk;
SET SESSION AUTHORIZATION regress_hooks;
SET search_path = regress_hooks, userstore;
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

SELECT user_table_create('people', api => 'scim');
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO regress_hooks_clerk;

--
-- Setting it
--

-- Writes down how it is called; the user's name in capitals is its display name.
CREATE TABLE calls (n serial, users regclass, id text, operation text, old jsonb, new jsonb, role name);
CREATE FUNCTION tidy(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO regress_hooks.calls (users, id, operation, old, new, role) VALUES (users, id, operation, old, new, current_user);
	IF new ->> 'title' = 'King' THEN
		RAISE EXCEPTION 'there is no king' USING ERRCODE = 'PT403', DETAIL = '{"path": "title"}', HINT = 'Ask for less.';
	END IF;
	RETURN new || jsonb_build_object('displayName', upper(new ->> 'userName'));
END $$;
SELECT user_table_set('people', 'before_update', 'tidy');
SELECT before_update FROM user_table WHERE users = 'people'::regclass;
-- the name as it stands, whatever search_path is; what there is no such function for
SELECT r.* FROM raised($$SELECT user_table_set('people', 'before_update', 'untidy')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'before_update', 'pg_catalog.lower')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'before_update', 'a b.c.')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'before_update', '')$$) r;
CREATE FUNCTION strict(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb STRICT LANGUAGE sql AS 'SELECT $5';
SELECT r.* FROM raised($$SELECT user_table_set('people', 'before_update', 'strict')$$) r;
CREATE FUNCTION many(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT $5';
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'before_update', 'many')$$) r;
CREATE FUNCTION wrong(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS text LANGUAGE sql AS 'SELECT $3';
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'before_update', 'wrong')$$) r;
-- settings that there are not, and who may set one
SELECT r.* FROM raised($$SELECT user_table_set('people', 'history', 'tidy')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'Before_Update', 'tidy')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', NULL, 'tidy')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set(NULL, 'notify', 'tidy')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('calls', 'notify', 'tidy')$$) r;
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT r.state, r.message FROM raised($$SELECT user_table_set('people', 'before_update', NULL)$$) r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_hooks;
SELECT before_update FROM user_table WHERE users = 'people'::regclass;

--
-- What it is called with
--
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT user_create('people', '{"userName": "ann"}', 'a') ->> 'displayName' AS "displayName";
SELECT user_put('people', 'a', '{"userName": "anna", "title": "Dr"}', 'key') ->> 'displayName' AS "displayName";
SELECT user_patch('people', 'a', '{"title": "Prof"}') ->> 'displayName' AS "displayName";
SELECT user_put('people', 'b', '{"userName": "bob"}', api => 'plain') ->> 'displayName' AS "displayName";
SELECT user_delete('people', 'b');
SET SESSION AUTHORIZATION regress_hooks;
-- as the owner, whoever calls
SELECT users, id, operation, old, new, role FROM calls ORDER BY n;
SELECT user_id, version, operation, document, changed, changed_by FROM people_history ORDER BY 1, 2;
TRUNCATE calls;
-- a replay does not call it, nor does what changes nothing
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT user_put('people', 'a', '{"userName": "anna", "title": "Dr"}', 'key') #>> '{meta,version}' AS version;
SELECT user_patch('people', 'a', '{"title": "Prof"}') #>> '{meta,version}' AS version;
SET SESSION AUTHORIZATION regress_hooks;
SELECT count(*) AS calls FROM calls;
-- what the request takes away and the function puts back is no change
SELECT user_put('people', 'a', '{"userName": "anna", "title": "Prof"}') #>> '{meta,version}' AS version;
SELECT old = new || '{"displayName": "ANNA"}' AS as_stands FROM calls;
-- a rehearsal calls it, and takes back what it wrote
SELECT user_patch('people', 'a', '{"userName": "annika"}', dry_run => true) ->> 'displayName' AS "displayName";
SELECT user_patch('people', 'a', '{"userName": "annika", "title": "King"}', dry_run => true);
SELECT count(*) AS calls FROM calls;
SELECT version, document ->> 'displayName' AS "displayName" FROM people WHERE id = 'a';

--
-- What it raises
--
SELECT r.* FROM raised($$SELECT user_patch('people', 'a', '{"title": "King"}')$$) r;
SELECT r.* FROM raised($$SELECT user_create('people', '{"userName": "king", "title": "King"}', 'k')$$) r;
SELECT status, body FROM user_request('people', 'PATCH', '/Users/a', body => '{"title": "King"}');
SELECT r.status, r.body #> '{Operations,0,response}' AS response FROM user_request('people', 'POST', '/Bulk',
	body => '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"method": "PATCH", "path": "/Users/a", "data": {"title": "King"}}]}') r;
SELECT version, document ->> 'title' AS title FROM people WHERE id = 'a';
SELECT count(*) AS users FROM people WHERE id = 'k';

--
-- What it gives
--

-- A function that does what it is told by the row of a table.
CREATE TABLE told (what text);
INSERT INTO told VALUES ('new');
CREATE FUNCTION obey(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
	expression text;
BEGIN
	SELECT what INTO expression FROM regress_hooks.told;
	EXECUTE 'SELECT ' || expression INTO result USING users, id, operation, old, new;
	RETURN result;
END $$;
SELECT attribute_schema_define('{"id": "urn:regress:hooks:Person", "name": "Person", "attributes": [
	{"name": "login", "required": true}, {"name": "nick"}, {"name": "level", "type": "integer"}, {"name": "badge", "mutability": "immutable"},
	{"name": "rank", "mutability": "readOnly"}, {"name": "secret", "format": "password"}, {"name": "notify", "type": "boolean", "mutability": "writeOnly", "transient": true},
	{"name": "home", "type": "complex", "subAttributes": [{"name": "city", "required": true}, {"name": "zip"}, {"name": "region", "mutability": "readOnly"}]},
	{"name": "phones", "type": "complex", "multiValued": true, "key": "value", "subAttributes": [{"name": "value"}, {"name": "type"}, {"name": "carrier", "mutability": "readOnly"},
		{"name": "primary", "type": "boolean"}]},
	{"name": "status", "type": "complex", "lookup": [{"value": "1", "displayValue": "hired"}, {"value": "2", "displayValue": "left"}],
		"subAttributes": [{"name": "value"}, {"name": "displayValue"}]},
	{"name": "free", "type": "any"}]}');
SELECT attribute_schema_define('{"id": "urn:regress:hooks:Work", "name": "Work", "attributes": [{"name": "team", "required": true}, {"name": "desk"}, {"name": "boss", "mutability": "readOnly"}]}');
SELECT api_profile_define('regress_hooks', base => 'zluri', settings => '{"schemas": ["urn:regress:hooks:Person", "urn:regress:hooks:Work"], "body": "object", "unknown_attributes": "reject"}');
CREATE FUNCTION hash(password text, hash text) RETURNS text LANGUAGE sql AS $$ SELECT 'h' || md5(password) $$;
SELECT user_table_create('staff', api => 'regress_hooks', password_function => 'regress_hooks.hash');
INSERT INTO staff (id, document) VALUES ('a', '{"login": "ann", "badge": "b1", "rank": "chief", "home": {"city": "Bonn", "zip": "53111", "region": "west"},
	"phones": [{"value": "1", "type": "home", "carrier": "x"}], "urn:regress:hooks:Work": {"team": "red", "boss": "bea"}, "old": 1, "LEVEL": "bad", "meta": {"n": 1}}');
SELECT user_table_set('staff', 'before_update', 'obey');
-- Changes a user while the function gives this; shows what of it differs from what was asked for.
CREATE FUNCTION given(expression text, body jsonb DEFAULT '{"nick": "an"}', OUT state text, OUT said text, OUT path text)
LANGUAGE plpgsql AS $$
DECLARE
	before jsonb;
	after jsonb;
	detail text;
BEGIN
	UPDATE told SET what = expression;
	SELECT document INTO before FROM staff WHERE id = 'a';
	PERFORM user_patch('staff', 'a', body);
	SELECT document INTO after FROM staff WHERE id = 'a';
	SELECT string_agg(coalesce(a.key, b.key) || ': ' || coalesce(a.value::text, 'gone'), ', ' ORDER BY coalesce(a.key, b.key)) INTO said
	FROM jsonb_each(after) a FULL JOIN jsonb_each(before || body) b ON a.key = b.key WHERE a.value IS DISTINCT FROM b.value;
	-- as it was
	DELETE FROM staff_history;
	UPDATE staff SET document = before, version = 1;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	path := (CASE WHEN detail LIKE '{%' THEN detail END)::jsonb ->> 'path';
END $$;
SELECT * FROM given('$5');
-- changes of its own: names in any case, null and [] for no value, what is displayed for a value
SELECT * FROM given($$$5 || '{"NICK": "anni", "nick": null, "level": 3}'$$);
SELECT * FROM given($$$5 - 'nick' || '{"NICK": "anni", "level": 3, "badge": null}'$$);
SELECT * FROM given($$$5 - 'nick' || '{"NICK": "anni", "level": 3}'$$);
SELECT * FROM given($$$5 || '{"phones": [], "status": {"value": "2"}, "free": {"a": null, "b": [null]}}'$$);
SELECT * FROM given($$$5 || '{"status": {"displayValue": "hired"}, "home": {"CITY": "Köln", "zip": "50667", "region": "west"}}'$$);
SELECT * FROM given($$jsonb_set($5, '{phones,0,type}', '"work"')$$);
SELECT * FROM given($$jsonb_set($5, '{urn:regress:hooks:Work,desk}', '"d1"')$$);
-- what the request changed may be taken back
SELECT * FROM given($$$4$$);
SELECT * FROM given($$$4$$, '{"nick": "an", "login": "anna"}');
-- old data that is not right, or that no schema knows, stands as it is, or goes
SELECT * FROM given($$$5 - 'old'$$);
SELECT * FROM given($$$5 - 'LEVEL' - 'meta'$$);
SELECT * FROM given($$$5 || '{"LEVEL": "worse"}'$$);
-- what it may not change
SELECT * FROM given($$$5 || '{"rank": "boss"}'$$);
SELECT * FROM given($$$5 - 'rank'$$);
SELECT * FROM given($$jsonb_set($5, '{home,region}', '"east"')$$);
SELECT * FROM given($$$5 || '{"home": {"city": "Bonn"}}'$$);
SELECT * FROM given($$$5 - 'home'$$);
SELECT * FROM given($$jsonb_set($5, '{phones,0,carrier}', '"y"')$$);
SELECT * FROM given($$jsonb_set($5, '{phones,1}', '{"value": "2", "carrier": "y"}')$$);
SELECT * FROM given($$$5 #- '{urn:regress:hooks:Work,boss}'$$);
SELECT * FROM given($$$5 - 'urn:regress:hooks:Work'$$);
SELECT * FROM given($$$5 || '{"badge": "b2"}'$$);
SELECT * FROM given($$$5 || '{"secret": "in clear"}'$$);
SELECT * FROM given($$$5 || '{"notify": true}'$$);
SELECT * FROM given($$$5 || '{"id": "z"}'$$);
SELECT * FROM given($$$5 || '{"meta": {"version": 99}}'$$);
SELECT * FROM given($$$5 || '{"Schemas": ["x"]}'$$);
SELECT * FROM given($$$5 || '{"nik": "typo"}'$$);
-- what is no such value
SELECT * FROM given($$$5 || '{"level": "three"}'$$);
SELECT * FROM given($$$5 || '{"level": [3]}'$$);
SELECT * FROM given($$$5 || '{"home": "Bonn"}'$$);
SELECT * FROM given($$$5 #- '{home,city}'$$);
SELECT * FROM given($$$5 - 'login'$$);
SELECT * FROM given($$$5 || '{"login": null}'$$);
SELECT * FROM given($$$5 || '{"status": {"value": "3"}}'$$);
SELECT * FROM given($$$5 || '{"phones": {"value": "3"}}'$$);
SELECT * FROM given($$$5 || '{"phones": [{"value": "3"}, {"value": "3"}]}'$$);
SELECT * FROM given($$$5 || '{"phones": [{"value": "3", "primary": true}, {"value": "4", "primary": true}]}'$$);
SELECT * FROM given($$$5 || '{"Nick": "a"}'$$);
-- what is no document
UPDATE told SET what = 'NULL';
SELECT r.* FROM raised($$SELECT user_patch('staff', 'a', '{"nick": "an"}')$$) r;
UPDATE told SET what = $$'"text"'::jsonb$$;
SELECT r.* FROM raised($$SELECT user_patch('staff', 'a', '{"nick": "an"}')$$) r;
UPDATE told SET what = $$'null'::jsonb$$;
SELECT r.state, r.message FROM raised($$SELECT user_patch('staff', 'a', '{"nick": "an"}')$$) r;
UPDATE told SET what = $$'{}'::jsonb$$;
SELECT r.* FROM raised($$SELECT user_delete('staff', 'a')$$) r;
-- over HTTP that is the server's fault, and the client is not told more
SELECT status, body FROM user_request('staff', 'PATCH', '/users/a', body => '{"nick": "an"}');
-- of a new user nothing stands yet
UPDATE told SET what = $$$5 || '{"badge": "b9", "level": 1}'$$;
SELECT user_create('staff', '{"login": "new", "badge": "b8"}', 'n') - 'meta' AS created;
UPDATE told SET what = $$$5 || '{"rank": "boss"}'$$;
SELECT r.state, r.message FROM raised($$SELECT user_create('staff', '{"login": "new"}', 'm')$$) r;
UPDATE told SET what = $$'{}'::jsonb$$;
SELECT r.state, r.message FROM raised($$SELECT user_create('staff', '{"login": "new"}', 'm')$$) r;
-- a password that changes alone is an update; the function does not see it
UPDATE told SET what = $$$5 || jsonb_build_object('nick', ($5 = $4)::text)$$;
SELECT user_patch('staff', 'n', '{"secret": "s1"}') - 'meta' AS answer, user_password_verify('staff', 'n', 's1');
-- nor is it bound by the paths that the profile may write
SELECT api_profile_define('regress_hooks_narrow', base => 'regress_hooks', settings => '{"writable": ["nick"]}');
UPDATE told SET what = $$$5 || '{"level": 7, "home": {"city": "Rom"}}'$$;
SELECT user_patch('staff', 'n', '{"nick": "en"}', api => 'regress_hooks_narrow') - 'meta' AS answer;

--
-- Functions that change users
--

-- the one it is called for: by a call, or by plain SQL, whatever this transaction has done before
UPDATE told SET what = $$userstore.user_patch('regress_hooks.staff', $2, '{"nick": "mine"}')$$;
SELECT r.* FROM raised($$SELECT user_patch('staff', 'n', '{"nick": "x"}')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_delete('staff', 'n')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_create('staff', '{"login": "x"}', 'x')$$) r;
CREATE FUNCTION rename(person text) RETURNS jsonb LANGUAGE sql AS $$
	UPDATE regress_hooks.staff SET document = document || '{"nick": "plain"}' WHERE id = person RETURNING document;
$$;
UPDATE told SET what = $$coalesce(regress_hooks.rename($2), '{}') || '{"login": "x"}'$$;
SELECT r.* FROM raised($$SELECT user_patch('staff', 'n', '{"nick": "x"}')$$) r;
BEGIN;
UPDATE told SET what = '$5';
SELECT user_patch('staff', 'n', '{"nick": "y"}') ->> 'nick' AS nick;
UPDATE told SET what = $$regress_hooks.rename($2)$$;
SELECT user_patch('staff', 'n', '{"nick": "x"}');
ROLLBACK;
CREATE FUNCTION remove(person text) RETURNS jsonb LANGUAGE sql AS $$
	DELETE FROM regress_hooks.staff WHERE id = person RETURNING document;
$$;
UPDATE told SET what = $$coalesce(regress_hooks.remove($2), '{}')$$;
SELECT r.state, r.message FROM raised($$SELECT user_patch('staff', 'n', '{"nick": "x"}')$$) r;
SELECT version, document FROM staff WHERE id = 'n';
-- others: theirs are changed in the same way, and with this one
CREATE FUNCTION follow(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	IF id <> 'a' THEN
		PERFORM userstore.user_patch(users, 'a', jsonb_build_object('nick', new ->> 'nick'));
	END IF;
	RETURN new || jsonb_build_object('free', operation || ' by ' || current_user);
END $$;
SELECT user_table_set('staff', 'before_update', 'follow');
SELECT user_patch('staff', 'n', '{"nick": "both"}') ->> 'free' AS free;
SELECT id, document ->> 'nick' AS nick, document ->> 'free' AS free FROM staff ORDER BY id;
-- round and round, and on and on
CREATE FUNCTION circle(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM userstore.user_patch(users, CASE id WHEN 'a' THEN 'n' ELSE 'a' END, jsonb_build_object('nick', new ->> 'nick'));
	RETURN new;
END $$;
SELECT user_table_set('staff', 'before_update', 'circle');
SELECT r.state, r.message FROM raised($$SELECT user_patch('staff', 'n', '{"nick": "round"}')$$) r;
CREATE FUNCTION more(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM userstore.user_create(users, new);
	RETURN new;
END $$;
SELECT user_table_set('staff', 'before_update', 'more');
SELECT r.* FROM raised($$SELECT user_create('staff', '{"login": "more"}')$$) r;
-- what went wrong in one does not stand in the way of the next
SELECT user_table_set('staff', 'before_update', 'follow');
SELECT user_patch('staff', 'n', '{"nick": "again"}') ->> 'nick' AS nick;

--
-- Many users at once
--

-- one that looks at nothing, and refuses some
CREATE FUNCTION pure(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF new ->> 'title' = 'King' THEN
		RAISE EXCEPTION 'no king' USING ERRCODE = 'PT403', DETAIL = '{"path": "title"}';
	ELSIF new ->> 'title' = 'Zero' THEN
		PERFORM 1 / 0;
	ELSIF new ->> 'title' = 'Check' THEN
		RAISE check_violation USING MESSAGE = 'no check';
	END IF;
	RETURN new || jsonb_build_object('old', old ->> 'title', 'name', upper(new ->> 'name'));
END $$;
SELECT user_table_create('crew', api => 'plain');
SELECT user_table_set('crew', 'before_update', 'pure');
SELECT * FROM jsonb_array_elements(users_bulk_put('crew', '[{"id": "1", "name": "ann"}, {"id": "2", "title": "King"}, {"id": "3", "name": "cy", "title": "a"},
	{"id": "4", "title": "Zero"}, {"id": "3", "name": "cy", "title": "b"}, {"id": "5", "title": "Check"}, {"id": "3", "name": "cy", "title": "b"}, {"id": "3", "title": "King"}]'));
SELECT id, version, document FROM crew ORDER BY id;
SELECT user_id, version, operation, document ->> 'title' AS title, changed FROM crew_history ORDER BY 1, 2;
SELECT * FROM jsonb_array_elements(users_bulk_patch('crew', '[{"id": "1", "title": "King"}, {"id": "1", "title": "Dr"}, {"id": "1", "title": "Dr"}, {"id": "9", "title": "King"}]'));
SELECT version, document FROM crew WHERE id = '1';
-- all or none
SELECT r.* FROM raised($$SELECT users_bulk_patch('crew', '[{"id": "1", "title": "Sir"}, {"id": "3", "title": "King"}]', atomic => true)$$) r;
SELECT users_bulk_patch('crew', '[{"id": "1", "title": "Sir"}, {"id": "3", "title": "King"}]', dry_run => true);
SELECT version, document FROM crew WHERE id = '1';
-- one that writes has to say so
CREATE FUNCTION note(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO regress_hooks.calls (operation) VALUES (what)';
CREATE FUNCTION liar(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM regress_hooks.note(id); RETURN new; END $$;
SELECT user_table_set('crew', 'before_update', 'liar');
SELECT r.* FROM raised($$SELECT user_patch('crew', '1', '{"title": "Sir"}')$$) r;
SELECT * FROM jsonb_array_elements(users_bulk_patch('crew', '[{"id": "1", "title": "Sir"}]'));
-- one that looks at the users sees what the items before it did, in their order
CREATE FUNCTION numbered(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO regress_hooks.calls (id, operation) VALUES (id, operation);
	RETURN new || jsonb_build_object('number', (SELECT count(*) FROM regress_hooks.crew c WHERE c.document ->> 'title' = new ->> 'title'));
END $$;
SELECT user_table_set('crew', 'before_update', 'numbered');
TRUNCATE calls RESTART IDENTITY;
SELECT users_bulk_put('crew', '[{"id": "z", "title": "x"}, {"id": "y", "title": "x"}, {"id": "1", "title": "x"}, {"id": "z", "title": "x"}, {"id": "z", "title": "x", "n": 1}]', 'bulk');
SELECT users_bulk_put('crew', '[{"id": "z", "title": "x"}, {"id": "y", "title": "x"}, {"id": "1", "title": "x"}, {"id": "z", "title": "x"}, {"id": "z", "title": "x", "n": 1}]', 'bulk') IS NOT NULL AS replayed;
SELECT n, id, operation FROM calls ORDER BY n;
SELECT id, version, document FROM crew WHERE document ->> 'title' = 'x' ORDER BY id;
-- users found by an attribute, one of whom an item before creates
SELECT user_table_create('crew2', api => 'scim');
SELECT user_table_set('crew2', 'before_update', 'tidy');
SELECT jsonb_array_length(users_bulk_put('crew2', '[{"userName": "l1", "externalId": "e1"}, {"userName": "l2", "externalId": "e1"}]', match => 'externalId', creates => true) -> 'Resources') AS items;
SELECT version, document FROM crew2;

-- unique values that it makes
CREATE FUNCTION same_name(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT $5 || jsonb_build_object('userName', left($5 ->> 'userName', 1)) $$;
SELECT user_table_set('crew2', 'before_update', 'same_name');
SELECT i ->> 'id' AS id, i ->> 'userName' AS "userName", i ->> 'detail' AS detail FROM jsonb_array_elements(users_bulk_put('crew2',
	'[{"id": "1", "userName": "ann"}, {"id": "2", "userName": "al"}, {"id": "3", "userName": "bob"}, {"id": "1", "userName": "cy"}, {"id": "4", "userName": "ada"}]', creates => true) -> 'Resources') i;
SELECT id, document ->> 'userName' AS "userName" FROM crew2 WHERE length(id) = 1 ORDER BY id;

--
-- Whose code it is
--

-- it runs as the owner, and can become nobody else; the caller's temporary objects and search_path are not its own
CREATE FUNCTION secrets() RETURNS text LANGUAGE sql AS $$ SELECT 'of the owner' $$;
CREATE FUNCTION guarded(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	said text[] := ARRAY[current_user, current_setting('search_path'), session_user];
BEGIN
	BEGIN
		EXECUTE new ->> 'command';
		said := said || 'done'::text;
	EXCEPTION WHEN OTHERS THEN
		said := said || sqlerrm;
	END;
	RETURN jsonb_build_object('said', said);
END $$;
SELECT user_table_set('crew', 'before_update', 'guarded');
GRANT SELECT, INSERT, UPDATE ON crew TO regress_hooks_clerk;
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT user_put('crew', 'g', format('{"command": "%s"}', c)::jsonb) -> 'said' AS said FROM unnest(ARRAY['SELECT 1', 'SET ROLE regress_hooks_clerk',
	'RESET ROLE', 'SET SESSION AUTHORIZATION regress_hooks_clerk', 'CREATE TEMP TABLE t ()', 'SET search_path = public', 'SELECT secrets()']) c;
SHOW search_path;
SELECT current_user;
-- it is not asked about users whom the caller may see but not change
SET SESSION AUTHORIZATION regress_hooks;
SELECT user_table_set('crew', 'before_update', 'numbered');
TRUNCATE calls;
ALTER TABLE crew ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON crew FOR SELECT USING (id <> 'hidden');
CREATE POLICY changed ON crew FOR UPDATE USING (id = 'g');
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT r.state, r.message FROM raised($$SELECT user_patch('crew', 'z', '{"a": 1}')$$) r;
SELECT user_patch('crew', 'g', '{"a": 1}') -> 'a' AS a;
SET SESSION AUTHORIZATION regress_hooks;
SELECT id FROM calls;
ALTER TABLE crew DISABLE ROW LEVEL SECURITY;
-- who may delete need not be able to update
REVOKE UPDATE ON crew FROM regress_hooks_clerk;
GRANT DELETE ON crew TO regress_hooks_clerk;
CREATE FUNCTION keep(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	IF new IS NULL AND old ? 'n' THEN
		RAISE restrict_violation USING MESSAGE = 'one with n stays';
	END IF;
	RETURN new;
END $$;
SELECT user_table_set('crew', 'before_update', 'keep');
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT r.state, r.message FROM raised($$SELECT user_delete('crew', 'z')$$) r;
SELECT user_delete('crew', 'y');
SELECT r.status, r.body FROM user_request('crew', 'DELETE', '/users/z') r;
SET SESSION AUTHORIZATION regress_hooks;
SELECT id FROM crew WHERE id IN ('y', 'z');
GRANT UPDATE ON crew TO regress_hooks_clerk;
SELECT user_table_set('crew', 'before_update', 'guarded');
-- a function of somebody else's does not take the owner's place
RESET SESSION AUTHORIZATION;
ALTER FUNCTION guarded(regclass, text, text, jsonb, jsonb) OWNER TO regress_hooks_clerk;
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT r.* FROM raised($$SELECT user_put('crew', 'g', '{"command": "SELECT 1"}')$$) r;
SET SESSION AUTHORIZATION regress_hooks;
SELECT r.* FROM raised($$SELECT user_table_set('crew', 'before_update', 'guarded')$$) r;
-- a superuser's does, unless the owner may not call it
RESET SESSION AUTHORIZATION;
ALTER FUNCTION guarded(regclass, text, text, jsonb, jsonb) OWNER TO CURRENT_USER;
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT user_put('crew', 'g', '{"command": "SELECT 2"}') -> 'said' ->> 3 AS said;
RESET SESSION AUTHORIZATION;
REVOKE EXECUTE ON FUNCTION guarded(regclass, text, text, jsonb, jsonb) FROM PUBLIC, regress_hooks, regress_hooks_clerk;
SET SESSION AUTHORIZATION regress_hooks_clerk;
SELECT r.state, r.message FROM raised($$SELECT user_put('crew', 'g', '{"command": "SELECT 3"}')$$) r;
-- one that is gone, or another by now
RESET SESSION AUTHORIZATION;
DROP FUNCTION guarded(regclass, text, text, jsonb, jsonb);
SET SESSION AUTHORIZATION regress_hooks;
SELECT r.* FROM raised($$SELECT user_put('crew', 'g', '{"command": "SELECT 4"}')$$) r;
SELECT r.state, r.message FROM raised($$SELECT users_bulk_put('crew', '[{"id": "g"}]')$$) r;
SELECT user_get('crew', 'g') -> 'said' ->> 0 AS read_all_the_same;
CREATE FUNCTION guarded(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT $5 || ''{"v": 1}''';
SELECT user_put('crew', 'g', '{"a": 1}') ->> 'v' AS v;
CREATE OR REPLACE FUNCTION guarded(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT $5 || ''{"v": 2}''';
SELECT user_put('crew', 'g', '{"a": 2}') ->> 'v' AS v;
SELECT count(*) FROM jsonb_array_elements(users_bulk_put('crew', (SELECT jsonb_agg(jsonb_build_object('id', n::text)) FROM generate_series(100, 300) n))) e WHERE e ->> 'status' = '201';
SELECT count(*) FROM crew WHERE document = '{"v": 2}';
ALTER FUNCTION guarded(regclass, text, text, jsonb, jsonb) STRICT;
SELECT r.state, r.message FROM raised($$SELECT user_put('crew', 'g', '{"a": 3}')$$) r;
-- ids that the table makes are not known before
SELECT user_table_create('counted', api => 'plain', id_type => 'bigint');
CREATE FUNCTION told_id(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT $5 || jsonb_build_object('told', $2) $$;
SELECT user_table_set('counted', 'before_update', 'told_id');
SELECT user_create('counted', '{}') - 'meta' AS created, user_create('counted', '{}', '7') - 'meta' AS with_id;
-- taken away
SELECT user_table_set('crew', 'before_update', NULL);
SELECT user_put('crew', 'g', '{"a": 3}') - 'meta' AS put;
SELECT user_table_set('crew', 'before_update', 'told_id'), user_table_set('crew', 'notify', 'c');
SELECT user_table_detach('crew');
SELECT user_table_attach('crew');
SELECT before_update, notify FROM user_table WHERE users = 'crew'::regclass;

-- an app's own table: the function sees documents, whatever columns hold them
CREATE TABLE app_users (id int PRIMARY KEY, login text NOT NULL UNIQUE, full_name text, seen int DEFAULT 0);
INSERT INTO app_users VALUES (1, 'ann', 'Ann');
SELECT user_table_attach('app_users', 'scim', columns => '{"userName": "login", "displayName": "full_name"}');
SELECT user_table_set('app_users', 'before_update', 'tidy');
TRUNCATE calls;
SELECT user_put('app_users', '1', '{"userName": "anna", "title": "Dr"}') ->> 'displayName' AS "displayName";
SELECT user_patch('app_users', '1', '{"title": "King"}');
SELECT i ->> 'displayName' AS "displayName", i ->> 'status' AS status FROM jsonb_array_elements(users_bulk_patch('app_users', '[{"id": "1", "userName": "annika"}, {"id": "1", "title": "King"}]') -> 'Resources') i;
SELECT * FROM app_users;
-- plain SQL does not ask it
UPDATE app_users SET login = 'plain';
SELECT id, operation, old ->> 'userName' AS old, new ->> 'userName' AS new FROM calls ORDER BY n;
SELECT version, operation, changed FROM app_users_history ORDER BY version;
-- the user it is called for, by plain SQL
CREATE FUNCTION meddle(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE %s SET login = login || ''!'' WHERE id = %L', users, id);
	RETURN new;
END $$;
SELECT user_table_set('app_users', 'before_update', 'meddle');
SELECT r.state, r.message FROM raised($$SELECT user_patch('app_users', '1', '{"title": "Sir"}')$$) r;
SELECT r.state, r.message FROM raised($$SELECT user_patch('app_users', '1', '{"title": "Sir", "userName": "x"}')$$) r;
SELECT login FROM app_users;

-- the function that hashes passwords may be changed, too
CREATE FUNCTION hash2(password text, hash text) RETURNS text LANGUAGE sql AS $$ SELECT 'H' || md5(password) $$;
SELECT user_table_set('staff', 'before_update', NULL);
SELECT user_table_set('staff', 'password_function', 'hash2');
SELECT user_password_verify('staff', 'n', 's1') AS by_the_old_one;
SELECT user_patch('staff', 'n', '{"secret": "s2"}') ->> 'nick' AS nick, user_password_verify('staff', 'n', 's2');
SELECT r.state, r.message FROM raised($$SELECT user_table_set('staff', 'password_function', 'hash3')$$) r;

DROP TABLE people, staff, crew, crew2, counted, app_users;
SELECT api_profile_drop('regress_hooks_narrow'), api_profile_drop('regress_hooks');
SELECT attribute_schema_drop('urn:regress:hooks:Person'), attribute_schema_drop('urn:regress:hooks:Work');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_hooks CASCADE;
DROP ROLE regress_hooks, regress_hooks_clerk;
