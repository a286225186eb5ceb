--
-- Bulk: many users in one request, in the shapes of the APIs.  Each item has a
-- result of its own; that these are those of single calls, one after the other,
-- is for test/t/020_bulk_oracle.pl.
--
SET client_min_messages = warning;
CREATE ROLE regress_bulk;
CREATE ROLE regress_bulk_caller;
CREATE SCHEMA regress_bulk AUTHORIZATION regress_bulk;
SET SESSION AUTHORIZATION regress_bulk;
SET search_path = regress_bulk, userstore;
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
-- plain: an array of objects, each with its id; the answer is in their order
--
SELECT user_table_create('people');
SELECT jsonb_array_elements(users_bulk_put('people', '[{"id": "cid", "n": 1}, {"id": "ann", "n": 1}, {"id": "bob"}]')) AS item;
SELECT jsonb_array_elements(users_bulk_put('people', '[{"id": "dan", "n": 1}, {"id": "bob"}, {"id": "ann", "n": null, "m": [1, {"x": null}]}, {"n": 2, "id": "cid"}]')) AS item;
SELECT id, version, document FROM people ORDER BY id COLLATE "C";
SELECT user_id, version, operation, changed, document FROM people_history ORDER BY user_id COLLATE "C", version;
-- PATCH merges, and creates nobody
SELECT jsonb_array_elements(users_bulk_patch('people', '[{"id": "ann", "m": null, "o": {"p": 1}}, {"id": "eve", "n": 1}, {"id": "ann", "o": {"q": 2}}, {"id": "ann"}]')) AS item;
SELECT id, version, document FROM people ORDER BY id COLLATE "C";
-- what an answer has can be sent back
SELECT users_bulk_put('people', jsonb_build_array(user_get('people', 'ann'), user_get('people', 'bob')));

-- no items, no work
SELECT users_bulk_put('people', '[]'), users_bulk_patch('people', '[]', 'no items'), users_bulk_put('people', '[]', atomic => true);
SELECT operation, response FROM people_idempotency;

-- items without a user fail alone, with a reason
SELECT left((item - 'error')::text, 80) AS item, item ->> 'error' <> '' AS has_reason FROM jsonb_array_elements(users_bulk_put('people', jsonb_build_array('{"id": "eve"}'::jsonb, '{"n": 1}'::jsonb, '{"id": null}'::jsonb, '{"id": ""}'::jsonb, '{"id": true}'::jsonb,
	'{"id": {"id": "ann"}}'::jsonb, jsonb_build_object('id', repeat('x', 256)), '{}'::jsonb, '[]'::jsonb, '1'::jsonb, '"ann"'::jsonb, 'null'::jsonb, '[{"id": "ann"}]'::jsonb,
	'{"ID": "ann"}'::jsonb, '{"id": "fay"}'::jsonb))) AS item;
SELECT item - 'id', item ->> 'error' <> '' AS has_reason FROM jsonb_array_elements(users_bulk_patch('people', '[1, {"id": "ann"}, {"x": 1}]')) AS item;
-- as does one that is too large or too deep
SELECT item - 'id' AS item FROM jsonb_array_elements(users_bulk_put('people', jsonb_build_array('{"id": "big 1"}'::jsonb, jsonb_build_object('id', 'big 2', 'x', repeat('x', 1100000)),
	('{"id": "big 3", "x": ' || repeat('[', 300) || repeat(']', 300) || '}')::jsonb, '{"id": "big 4"}'::jsonb))) AS item;
-- while the whole may be of any size
SELECT count(*) FROM jsonb_array_elements(users_bulk_put('people', (SELECT jsonb_agg(jsonb_build_object('id', 'b' || i, 'x', repeat('x', 500000))) FROM generate_series(1, 10) i), dry_run => true)) AS item WHERE item ->> 'status' = '201';

-- ids that are numbers
SELECT user_table_create('numbered', id_type => 'integer');
SELECT jsonb_array_elements(users_bulk_put('numbered', '[{"id": 7, "n": 1}, {"id": "7", "n": 2}, {"id": "007", "n": 3}, {"id": "seven"}, {"id": 7.5}, {"id": 99999999999}]')) AS item;
SELECT id, version, document FROM numbered;

-- wrong bodies: nothing is done
SELECT body, r.* FROM unnest(ARRAY['{}', '{"id": "ann"}', '{"users": []}', '"ann"', '1', 'null', 'true']::jsonb[]) AS b(body),
	raised(format('SELECT users_bulk_put(%L, %L)', 'people', body)) r;

-- wrong arguments
SELECT command, r.state, r.message FROM unnest(ARRAY[
	$$SELECT users_bulk_put(NULL, '[]')$$, $$SELECT users_bulk_put('people', NULL)$$, $$SELECT users_bulk_put('people', '[]', atomic => NULL)$$,
	$$SELECT users_bulk_put('people', '[]', dry_run => NULL)$$, $$SELECT users_bulk_patch(NULL, '[]')$$, $$SELECT users_bulk_patch('people', NULL)$$,
	$$SELECT users_bulk_patch('people', '[]', NULL, false, NULL, NULL, NULL, false, NULL)$$,
	$$SELECT users_bulk_put('people', '[]', '')$$, $$SELECT users_bulk_put('people', '[]', request_id => '')$$,
	$$SELECT users_bulk_put('people', '[]', api => 'nothing')$$, $$SELECT users_bulk_put('pg_class', '[]')$$]) AS c(command), raised(command) r;

--
-- creates: in place of what the profile says
--
SELECT users_bulk_put('people', '[{"id": "gil"}, {"id": "ann", "n": 5}]', creates => false);
SELECT users_bulk_put('people', '[{"id": "gil"}, {"id": "gil", "n": 1}]', creates => true);
SELECT users_bulk_patch('people', '[{"id": "hal", "n": 1}]', creates => false);
SELECT users_bulk_patch('people', '[{"id": "hal", "n": 1}, {"id": "hal", "m": 1}]', creates => true);
SELECT user_id, version, operation, document FROM people_history WHERE user_id IN ('gil', 'hal') ORDER BY user_id, version;

--
-- Who asked, and in which request
--
SET userstore.actor = 'the sync job';
SELECT users_bulk_put('people', '[{"id": "ida"}, {"id": "ida", "n": 1}, {"id": "ida", "n": 1}]', request_id => 'request 1');
RESET userstore.actor;
SELECT version, operation, request_id, actor, changed_by FROM people_history WHERE user_id = 'ida' ORDER BY version;
SELECT h.changed_at = p.modified_at AS time, f.changed_at = p.created_at AS created, f.changed_at < h.changed_at AS rising
FROM people p, people_history h, people_history f WHERE p.id = 'ida' AND h.user_id = 'ida' AND h.version = 2 AND f.user_id = 'ida' AND f.version = 1;

--
-- Dry run: the same answers, and nothing happens
--
CREATE VIEW state AS SELECT (SELECT count(*) FROM people) AS users, (SELECT sum(version) FROM people) AS versions,
	(SELECT count(*) FROM people_history) AS history, (SELECT count(*) FROM people_idempotency) AS keys;
SELECT * FROM state \gset before_
SELECT users_bulk_put('people', '[{"id": "jim"}, {"id": "jim", "n": 1}, {"id": "ann", "n": 6}, {"x": 1}]', 'dry', dry_run => true) AS answer \gset dry_
SELECT (users, versions, history, keys) = (:before_users, :before_versions, :before_history, :before_keys) AS unchanged FROM state;
SELECT users_bulk_put('people', '[{"id": "jim"}, {"id": "jim", "n": 1}, {"id": "ann", "n": 6}, {"x": 1}]', 'dry') AS answer \gset
SELECT :'dry_answer' = :'answer' AS same, :'answer' AS answer;

--
-- Keys: with its failed items a request is remembered as a whole
--
SELECT users_bulk_put('people', '[{"x": 1, "id": "jim"}, {"n": 1.0}, {"id": "kim"}]', 'key') AS answer \gset
SELECT users_bulk_put('people', '[{"id": "jim", "x": 1.0}, {"n": 1}, {"id": "kim"}]', 'key') = :'answer' AS replayed, :'answer' AS answer;
SELECT user_version('people', 'jim'), (SELECT operation || coalesce(user_id, '') || coalesce(version::text, '') FROM people_idempotency WHERE key = 'key') AS remembered;
SELECT c.what, r.state, r.message FROM (VALUES
	('other body', $$SELECT users_bulk_put('people', '[{"x": 1, "id": "jim"}, {"n": 1.0}, {"id": "kim", "n": 1}]', 'key')$$),
	('other order', $$SELECT users_bulk_put('people', '[{"n": 1.0}, {"x": 1, "id": "jim"}, {"id": "kim"}]', 'key')$$),
	('other operation', $$SELECT users_bulk_patch('people', '[{"x": 1, "id": "jim"}, {"n": 1.0}, {"id": "kim"}]', 'key')$$),
	('other profile', $$SELECT users_bulk_put('people', '[{"x": 1, "id": "jim"}, {"n": 1.0}, {"id": "kim"}]', 'key', api => 'scim')$$),
	('one user', $$SELECT user_put('people', 'jim', '{"x": 1}', 'key')$$)) AS c(what, command), raised(command) r;
-- another request_id is the same request
SELECT users_bulk_put('people', '[{"id": "jim", "x": 1}, {"n": 1}, {"id": "kim"}]', 'key', request_id => 'again') = :'answer' AS replayed;

--
-- atomic: the first failure is raised as its own error, with its place
--
SELECT * FROM state \gset before_
SELECT r.* FROM raised($$SELECT users_bulk_put('people', '[{"id": "lea"}, {"id": "ann", "n": 7}, {"x": 1}, {"id": ""}]', 'atomic', atomic => true)$$) r;
SELECT r.* FROM raised($$SELECT users_bulk_patch('people', '[{"id": "ann", "n": 8}, {"id": "nobody"}, {"x": 1}]', 'atomic', atomic => true)$$) r;
SELECT r.* FROM raised($$SELECT users_bulk_patch('people', '[{"id": "nobody"}]', atomic => true, dry_run => true)$$) r;
SELECT (users, versions, history, keys) = (:before_users, :before_versions, :before_history, :before_keys) AS unchanged FROM state;
SELECT users_bulk_put('people', '[{"id": "lea"}, {"id": "ann", "n": 7}]', 'atomic', atomic => true);

--
-- What PostgreSQL has to say: constraints and triggers
--
ALTER TABLE people ADD CONSTRAINT small CHECK ((document ->> 'n')::numeric < 100),
	ADD friend text GENERATED ALWAYS AS (document ->> 'friend') STORED REFERENCES people;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.document ->> 'raise' = 'no row' THEN
		RETURN NULL;
	ELSIF NEW.document ? 'raise' THEN
		RAISE EXCEPTION 'refused by a trigger' USING ERRCODE = NEW.document ->> 'raise', DETAIL = coalesce(NEW.document ->> 'detail', '');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT jsonb_array_elements(users_bulk_put('people', '[{"id": "max", "n": 100}, {"id": "ann", "n": 100}, {"id": "ann", "n": 8}, {"id": "max", "n": 1},
	{"id": "ned", "friend": "oda"}, {"id": "oda", "friend": "oda"}, {"id": "ned", "friend": "oda"}, {"id": "pia", "n": "x"},
	{"id": "pia", "raise": "P0001"}, {"id": "pia", "raise": "22023"}, {"id": "pia", "raise": "23505"}, {"id": "pia", "raise": "23P01"}, {"id": "pia", "raise": "42501"},
	{"id": "pia", "raise": "PT418"}, {"id": "pia", "raise": "PTABC"}, {"id": "pia", "raise": "55000"}, {"id": "pia", "raise": "no row"}, {"id": "ann", "raise": "no row"},
	{"id": "pia", "raise": "P0001", "detail": "{\"path\": \"n\"}"}, {"id": "pia", "raise": "P0001", "detail": "{no JSON"}, {"id": "pia", "raise": "P0001", "detail": "[\"path\"]"},
	{"id": "pia"}]')) AS item;
SELECT user_id, version, operation, document FROM people_history WHERE user_id IN ('max', 'ned', 'oda', 'pia') ORDER BY user_id COLLATE "C", version;
SELECT r.state, r.message, r.detail FROM raised($$SELECT users_bulk_put('people', '[{"id": "pia", "n": 1}, {"id": "pia", "raise": "P0001", "detail": "{\"path\": \"n\"}"}]', atomic => true)$$) r;
SELECT r.state, r.message, r.detail FROM raised($$SELECT users_bulk_put('people', '[{"id": "pia", "n": 1}, {"id": "ann", "raise": "55000", "detail": "in words"}]', atomic => true)$$) r;
SELECT r.state, r.message, r.detail::jsonb FROM raised($$SELECT users_bulk_put('people', '[{"id": "pia", "n": 1}, {"id": "ann", "n": 100}]', atomic => true)$$) r;
-- what is not an item's own is raised at once: what a repetition of the whole can mend, what is wrong with the server
SELECT r.state, r.message FROM unnest('{40001,40P01,25006,53200,55P03,57P01,58030,XX001}'::text[]) AS s(code),
	raised(format('SELECT users_bulk_put(%L, %L)', 'people', jsonb_build_array(jsonb_build_object('id', 'pia', 'n', 1), jsonb_build_object('id', 'ann', 'raise', code)))) r;
SELECT user_version('people', 'pia');
-- a cancel is no item's failure
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
CREATE TRIGGER sleep BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.document ? 'sleep') EXECUTE FUNCTION sleep();
SET statement_timeout = '200ms';
SELECT users_bulk_put('people', '[{"id": "pia", "n": 1}, {"id": "ann", "sleep": true}]');
RESET statement_timeout;
SELECT user_version('people', 'pia');
-- a unique value that a trigger gives counts when it is given, before a later item frees it
SELECT attribute_schema_define('{"id": "urn:regress:bulk:User", "attributes": [{"name": "login", "uniqueness": "server"}, {"name": "nick"}]}');
SELECT user_table_create('logins', schemas => '{urn:regress:bulk:User}');
CREATE FUNCTION give_login() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.document := NEW.document || jsonb_build_object('login', coalesce(NEW.document -> 'nick', NEW.document -> 'login'));
	RETURN NEW;
END $$;
CREATE TRIGGER give_login BEFORE INSERT OR UPDATE ON logins FOR EACH ROW EXECUTE FUNCTION give_login();
SELECT jsonb_array_elements(users_bulk_put('logins', '[{"id": "a", "login": "x"}, {"id": "b", "login": "b", "nick": "c"}]')) AS item;
SELECT jsonb_array_elements(users_bulk_put('logins', '[{"id": "c", "login": "d", "nick": "X"}, {"id": "a", "login": "y"}]')) AS item;
SELECT jsonb_array_elements(users_bulk_put('logins', '[{"id": "b", "login": "e"}, {"id": "d", "login": "f", "nick": "C"}]')) AS item;
SELECT id, version, document FROM logins ORDER BY id;
-- constraints that wait for the end fail the whole
ALTER TABLE people ALTER CONSTRAINT people_friend_fkey DEFERRABLE INITIALLY DEFERRED;
SELECT users_bulk_put('people', '[{"id": "pia", "n": 1}, {"id": "ann", "friend": "nobody"}]');
SELECT user_version('people', 'pia');
SELECT users_bulk_put('people', '[{"id": "pia", "friend": "quy"}, {"id": "quy", "friend": "pia"}]');

--
-- match: users are found by an attribute in place of the id
--
SELECT user_table_create('staff', api => 'scim');
SELECT users_bulk_put('staff', '[{"id": "a", "userName": "ann", "externalId": "x1"}, {"id": "b", "userName": "bob", "externalId": "X1"},
	{"id": "c", "userName": "cid", "externalId": "x3"}, {"id": "d", "userName": "dan", "externalId": "x3"}]', creates => true) #> '{Resources,0,id}' AS created;
CREATE FUNCTION outcome(answer jsonb) RETURNS SETOF jsonb LANGUAGE sql AS $$
	SELECT CASE WHEN r ? 'status' THEN r - 'schemas' || CASE WHEN length(r ->> 'id') = 36 THEN '{"id": "a UUID"}' ELSE '{}' END::jsonb ELSE jsonb_build_object('id', CASE WHEN length(r ->> 'id') = 36 THEN 'a UUID' ELSE r ->> 'id' END,
		'userName', r -> 'userName', 'externalId', r -> 'externalId', 'version', r #> '{meta,version}') END
	FROM jsonb_array_elements(answer -> 'Resources') WITH ORDINALITY AS a(r, n) ORDER BY n $$;
-- hits and misses
SELECT outcome(users_bulk_put('staff', '[{"externalId": "x1", "userName": "anna"}, {"externalId": "x9", "userName": "eve"}, {"externalId": "X1", "userName": "bert"}]', match => 'externalId'));
-- two hits, no value, a wrong one
SELECT outcome(users_bulk_put('staff', '[{"externalId": "x3", "userName": "cy"}, {"userName": "fay"}, {"externalId": null, "userName": "fay"}, {"externalId": "", "userName": "fay"}, {"externalId": 3, "userName": "fay"}]', match => 'externalId'));
-- whom one item creates, the next one finds
SELECT outcome(users_bulk_put('staff', '[{"externalId": "x9", "userName": "eve"}, {"externalId": "x9", "userName": "eva"}, {"externalId": "x10", "userName": "EVA"}, {"externalId": "x10", "userName": "fay"}]',
	match => 'externalId', creates => true));
SELECT outcome(users_bulk_patch('staff', '[{"externalId": "x9", "title": "Dr"}, {"externalId": "x11", "title": "Dr"}]', match => 'externalId', creates => true));
-- in any case where the attribute has none; the name of the attribute has none either
SELECT outcome(users_bulk_patch('staff', '[{"userName": "ANNA", "title": "Prof"}, {"userName": "nobody", "title": "Prof"}]', match => 'username'));
SELECT operation, changed FROM staff u JOIN staff_history ON user_id = u.id WHERE u.document ->> 'externalId' = 'x9' ORDER BY staff_history.version;
-- what cannot be matched by
SELECT match, r.* FROM unnest('{emails,nickname,name,"",id,emails.value,"nothing at all",meta}'::text[]) AS m(match),
	raised(format('SELECT users_bulk_put(%L, %L, match => %L)', 'staff', '[]', match)) r;
-- a key tells requests apart that match otherwise
SELECT users_bulk_put('staff', '[{"id": "a", "externalId": "x1", "userName": "anna"}]', 'match', match => 'externalId') #> '{Resources,0,id}' AS id;
SELECT r.state, r.message FROM raised($$SELECT users_bulk_put('staff', '[{"id": "a", "externalId": "x1", "userName": "anna"}]', 'match')$$) r;

--
-- SCIM: a ListResponse, with Errors in the place of users
--
SELECT answer - 'Resources' AS message, jsonb_typeof(answer -> 'Resources') AS resources FROM users_bulk_put('staff', '[{"id": "a", "userName": "ann"}]') AS answer;
-- the answer is packed as PostgreSQL would
SELECT jsonb_array_length(answer -> 'Resources') AS users, answer::text::jsonb = answer AS is_same, answer #>> '{Resources,99,userName}' AS last,
	(SELECT count(*) FROM generate_series(0, 99) i WHERE answer #> ARRAY['Resources', i::text] @> jsonb_build_object('userName', 'user ' || i, 'title', repeat('x', i))) AS found
FROM users_bulk_put('staff', (SELECT jsonb_agg(jsonb_build_object('id', 'u' || i, 'userName', 'user ' || i, 'title', repeat('x', i)) ORDER BY i) FROM generate_series(0, 99) i), creates => true) AS answer;
SELECT users_bulk_put('staff', '[]');
SELECT jsonb_array_elements(users_bulk_put('staff', '[{"id": "a", "userName": "ann", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}, {"id": "b", "userName": "ANN"}, {"id": "z", "userName": "zoe"},
	{"userName": "nobody"}, {"id": "b", "userName": "bob", "shoe": 42}, {"id": "b"}, {"id": "c", "userName": "cy", "active": "yes"}]') -> 'Resources') #- '{meta,created}' #- '{meta,lastModified}' AS resource;

--
-- Zuora: a bare array of partial users; its ListResponse says "resources"
--
SELECT user_table_create('zuora', api => 'zuora');
SELECT count(user_create('zuora', jsonb_build_object('userName', name || '@example.com', 'name', jsonb_build_object('givenName', name, 'familyName', 'Example'), 'active', true), id => name))
FROM unnest('{ann,bob,cid}'::text[]) name;
SELECT answer - 'resources' AS message FROM users_bulk_patch('zuora', '[{"id": "ann", "title": "Dr"}, {"id": "nobody", "title": "Dr"}]') AS answer;
SELECT jsonb_array_elements(users_bulk_patch('zuora', '[{"id": "bob", "active": false}, {"id": "dan", "active": true}, {"id": "ann", "userName": "BOB@example.com"}, {"title": "Dr"},
	{"id": "ann", "title": " ", "emails": [{"value": "ann@example.com"}]}, {"id": "cid", "urn:zuora:scim:schemas:1.0:UserExtension": {"region": "EU"}}]') -> 'resources')
	#- '{meta,created}' #- '{meta,lastModified}' AS resource;
SELECT jsonb_array_elements(users_bulk_put('zuora', '[{"id": "cid", "userName": "cy@example.com"}]') -> 'resources') #- '{meta,created}' #- '{meta,lastModified}' AS resource;
-- another profile on the same table spells it as RFC 7644 does
SELECT answer ? 'Resources' AS rfc, answer ? 'resources' AS zuora FROM users_bulk_patch('zuora', '[{"id": "ann"}]', api => 'scim') AS answer;
-- names of attributes that are passed over
SELECT jsonb_array_length(users_bulk_patch('zuora', '[{"id": "ann", "shoe": 42, "title": "Dr"}, {"id": "bob", "shoe": 43, "hat": 1}]') -> 'resources') AS resources;

--
-- Zluri: PUT changes what is sent, and creates nobody
--
SELECT user_table_create('zluri', api => 'zluri');
SELECT user_create('zluri', '{"user_name": "Ann", "user_email": "ann@example.com"}', 'ann') ->> 'id' AS created;
SELECT jsonb_array_elements(users_bulk_put('zluri', '[{"id": "ann", "user_status": "inactive"}, {"id": "bob", "user_name": "Bob"}, {"id": "ann", "user_status": "asleep"}, {"id": "ann", "shoe": 42},
	{"id": "ann", "user_email": "nowhere"}, {"id": "ann", "user_name": null}]')) AS item;
SELECT document, version FROM zluri;
SELECT users_bulk_put('zluri', '[{"id": "bob", "user_name": "Bob"}, {"id": "cid", "user_email": "ANN@example.com"}]', creates => true);

--
-- Oracle CPQ: PUT creates and sets defaults; passwords go to their column
--
CREATE FUNCTION hash(password text, hash text) RETURNS text LANGUAGE sql AS $$ SELECT md5(password) $$;
SELECT user_table_create('cpq', api => 'cpq', password_function => 'regress_bulk.hash');
SELECT jsonb_array_elements(users_bulk_put('cpq', '[{"id": "1", "login": "ann", "isProxyPermEnabled": true, "password": "first", "emailPassword": true}, {"id": "2", "login": "bob", "shoe": 42},
	{"id": "2", "login": "ANN"}, {"id": "1", "login": "ann"}, {"id": "1", "login": "ann", "password": "second"}, {"id": "1", "login": "ann", "password": "second"},
	{"id": "2", "login": "bob", "password": 1}, {"id": "2", "login": "bob", "password": "third"}]', 'passwords')) AS item;
SELECT id, version, password_hash = md5(CASE id WHEN '1' THEN 'second' ELSE 'third' END) AS hashed, document -> 'isProxyPermEnabled' AS proxy FROM cpq ORDER BY id;
SELECT user_id, version, changed FROM cpq_history WHERE version > 1 ORDER BY user_id, version;
SELECT changed @> '{emailPassword,password}' AS wished FROM cpq_history WHERE user_id = '1' AND version = 1;
SELECT string_agg(t::text, '') ~ 'first|second|third' AS in_clear FROM (SELECT to_jsonb(u) FROM cpq u UNION ALL SELECT to_jsonb(h) FROM cpq_history h UNION ALL SELECT to_jsonb(k) FROM cpq_idempotency k) AS t;
-- passwords are part of the request
CREATE FUNCTION again(password text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN jsonb_array_length(users_bulk_put('cpq', jsonb_build_array('{"id": "1", "login": "ann", "isProxyPermEnabled": true, "password": "first", "emailPassword": true}'::jsonb, '{"id": "2", "login": "bob", "shoe": 42}'::jsonb,
		'{"id": "2", "login": "ANN"}'::jsonb, '{"id": "1", "login": "ann"}'::jsonb, '{"id": "1", "login": "ann", "password": "second"}'::jsonb, jsonb_build_object('id', '1', 'login', 'ann', 'password', password),
		'{"id": "2", "login": "bob", "password": 1}'::jsonb, '{"id": "2", "login": "bob", "password": "third"}'::jsonb), 'passwords'));
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT again('second'), again('other'), user_version('cpq', '1'), user_version('cpq', '2');
-- each takes its time, so there are not too many
SELECT r.* FROM raised($$SELECT users_bulk_put('cpq', (SELECT jsonb_agg(jsonb_build_object('id', i, 'login', i, 'password', 'p')) FROM generate_series(1, 101) i))$$) r;
SELECT count(*) FROM cpq;

--
-- Oracle Identity Governance
--
SELECT api_profile_define('regress_bulk_oig', '{"base_url": "http://pseudo.com:PORT/iam/governance/selfservice/api/v1"}', base => 'oig');
SELECT user_table_create('oig', api => 'regress_bulk_oig');
SELECT count(user_create('oig', jsonb_build_object('fields', jsonb_build_array(jsonb_build_object('name', 'User Login', 'value', login), jsonb_build_object('name', 'First Name', 'value', 'Old'))), id => id))
FROM (VALUES ('24', 'ANN'), ('25', 'BOB'), ('26', 'CID')) u(id, login);
-- the page's request and its response
SELECT users_bulk_put('oig', '{"users": [{"requestId": "123", "id": "24", "fields": [{"name": "First Name", "value": "UpdatedFN"}]},
	{"requestId": "123", "id": "9999", "fields": [{"name": "First Name", "value": "UpdatedFN1"}]}]}') =
	'{"users": [
		{"links": [{"rel": "self", "href": "http://pseudo.com:PORT/iam/governance/selfservice/api/v1/users/24"}], "requestId": "123", "status": "SUCCESS",
			"fields": [{"name": "First Name", "value": "UpdatedFN"}]},
		{"links": [{"rel": "self", "href": "http://pseudo.com:PORT/iam/governance/selfservice/api/v1/users/9999"}], "requestId": "123", "status": "FAIL",
			"reason": "IAM-2040028:User does not exists:"}]}' AS the_page;
SELECT document, version FROM oig WHERE id = '24';
-- items without requestId or id; a field twice; a user twice; an unknown field; a value that is taken
SELECT jsonb_array_elements(users_bulk_put('oig', '{"users": [
	{"id": "24", "fields": [{"name": "Title", "value": "one"}]},
	{"requestId": "a", "fields": [{"name": "Title", "value": "nobody''s"}]},
	{"requestId": "a", "id": "24", "fields": [{"name": "Title", "value": "two"}, {"name": "title", "value": "three"}]},
	{"requestId": "b", "id": "25", "fields": [{"name": "Shoe Size", "value": "42"}]},
	{"requestId": "c", "id": "25", "fields": [{"name": "User Login", "value": "ann"}]},
	{"requestId": "d", "id": "25", "fields": [{"name": "Start Date", "value": "31.1.2026"}]},
	{"requestId": "e", "id": "25", "fields": [{"name": "Title", "value": 1}]},
	{"requestId": "f", "id": "25", "fields": [{"name": "User Login", "value": null}]},
	{"requestId": "g", "id": "25"},
	{"requestId": "h", "id": "25", "fields": []},
	{"requestId": 9, "id": 25, "fields": [{"name": "Title", "value": null}]},
	{"requestId": "i", "id": "26", "fields": [{"name": "First Name", "value": "Old"}]}]}') -> 'users') AS item;
SELECT id, version, document FROM oig ORDER BY id;
SELECT user_id, version, operation, changed FROM oig_history WHERE version > 1 ORDER BY user_id, version;
-- PATCH
SELECT jsonb_array_elements(users_bulk_patch('oig', '{"users": [{"id": "26", "requestId": "1", "add": [{"name": "Title", "value": "Dr"}], "update": [{"name": "First Name", "value": "New"}]},
	{"id": "26", "requestId": "2", "delete": [{"name": "Title"}]}, {"id": "27", "requestId": "3", "delete": [{"name": "Title"}]}]}') -> 'users') AS item;
-- wrong bodies
SELECT body, r.* FROM unnest(ARRAY['[]', '{}', '{"users": {}}', '{"users": null}', '{"fields": []}', '{"users": [], "others": []}']::jsonb[]) AS b(body),
	raised(format('SELECT users_bulk_put(%L, %L)', 'oig', body)) r;
SELECT users_bulk_put('oig', '{"users": []}');
SELECT jsonb_array_elements(users_bulk_put('oig', '{"users": [1, null, {}, []]}') -> 'users') AS item;
-- atomic has no such answer for what fails
SELECT r.* FROM raised($$SELECT users_bulk_put('oig', '{"users": [{"id": "24", "fields": [{"name": "Title", "value": "X"}]}, {"id": "9999", "fields": []}]}', atomic => true)$$) r;
-- remembered as answered
SELECT users_bulk_put('oig', '{"users": [{"id": "24", "requestId": "1", "fields": [{"name": "Title", "value": "four"}]}, {"id": "1"}]}', 'key') AS answer \gset
SELECT users_bulk_put('oig', '{"users": [{"id": "24", "requestId": "1", "fields": [{"name": "Title", "value": "four"}]}, {"id": "1"}]}', 'key') = :'answer' AS replayed;
-- without a base URL there are no links
SELECT users_bulk_put('oig', '{"users": [{"id": "24", "fields": [{"name": "Title", "value": "four"}]}, {"id": "1", "fields": []}]}', api => 'oig');
SELECT users_bulk_put('oig', '{"users": [{"id": "30", "fields": [{"name": "User Login", "value": "NEW"}]}]}', creates => true);

--
-- Who may what
--
ALTER TABLE oig ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON oig USING (id <> '25') WITH CHECK (document ->> 'Title' IS DISTINCT FROM 'Boss');
GRANT USAGE ON SCHEMA regress_bulk TO regress_bulk_caller;
GRANT SELECT, UPDATE ON oig TO regress_bulk_caller;
GRANT SELECT ON people TO regress_bulk_caller;
SET SESSION AUTHORIZATION regress_bulk_caller;
SET search_path = regress_bulk, userstore;
-- whom row security hides answers as who is not there
SELECT jsonb_array_elements(users_bulk_put('oig', '{"users": [{"id": "25", "fields": [{"name": "Title", "value": "seen"}]}, {"id": "26", "fields": [{"name": "Title", "value": "seen"}]},
	{"id": "26", "fields": [{"name": "Title", "value": "Boss"}]}]}') -> 'users') AS item;
SELECT r.* FROM raised($$SELECT users_bulk_put('people', '[{"id": "ann", "n": 9}]')$$) r;
SELECT users_bulk_put('oig', '{"users": [{"id": "99", "fields": [{"name": "User Login", "value": "X"}]}]}', creates => true);
SET SESSION AUTHORIZATION regress_bulk;
SET search_path = regress_bulk, userstore;
SELECT changed_by, document ->> 'Title' AS title FROM oig_history WHERE user_id = '26' ORDER BY version DESC LIMIT 1;

DROP VIEW state;
DROP TABLE people, numbered, staff, zuora, zluri, cpq, oig, logins;
SELECT attribute_schema_drop('urn:regress:bulk:User');
SELECT api_profile_drop('regress_bulk_oig');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_bulk CASCADE;
DROP ROLE regress_bulk, regress_bulk_caller;
