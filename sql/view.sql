--
-- Views of user tables: user_view_create and user_view_refresh, what their
-- columns are called and hold, who sees what in them.
--
SET client_min_messages = warning;
CREATE ROLE regress_view;
CREATE ROLE regress_view_clerk;
CREATE ROLE regress_view_reader;
CREATE SCHEMA regress_view AUTHORIZATION regress_view;
CREATE SCHEMA regress_view_other AUTHORIZATION regress_view;
GRANT USAGE ON SCHEMA regress_view TO regress_view_clerk, regress_view_reader;
SET SESSION AUTHORIZATION regress_view;
SET search_path = regress_view, userstore;
SET timezone = 'UTC';
SET datestyle = 'ISO';
RESET client_min_messages;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only
\pset null '(null)'

SELECT attribute_schema_define(format('{"id": "urn:regress:view:Person", "attributes": [
	{"name": "userName", "description": "Name to sign in with."}, {"name": "active", "type": "boolean"}, {"name": "age", "type": "integer"}, {"name": "salary", "type": "decimal"},
	{"name": "startDate", "type": "dateTime"}, {"name": "photo", "type": "binary"}, {"name": "site", "type": "reference"}, {"name": "extra", "type": "any"},
	{"name": "name", "type": "complex", "subAttributes": [{"name": "familyName"}, {"name": "title", "type": "complex", "subAttributes": [{"name": "short"}]}, {"name": "aliases", "multiValued": true}]},
	{"name": "emails", "type": "complex", "multiValued": true, "description": "E-mail addresses.", "subAttributes": [{"name": "value", "description": "The address."}, {"name": "type"}, {"name": "primary", "type": "boolean"}, {"name": "secret", "returned": "never"}]},
	{"name": "items", "type": "complex", "multiValued": true, "subAttributes": [{"name": "n", "type": "integer"}, {"name": "parts", "type": "complex", "multiValued": true, "subAttributes": [{"name": "size", "type": "integer"}]}]},
	{"name": "tags", "multiValued": true}, {"name": "scores", "type": "integer", "multiValued": true},
	{"name": "password", "format": "password", "mutability": "writeOnly", "returned": "never"}, {"name": "pin", "mutability": "writeOnly"}, {"name": "vault", "type": "complex", "returned": "never", "subAttributes": [{"name": "code"}]},
	{"name": "notify", "type": "boolean", "mutability": "writeOnly", "transient": true}, {"name": "onDemand", "returned": "request"},
	{"name": "version"}, {"name": "Created At"}, {"name": "foo-bar"}, {"name": "fooBar"}, {"name": "foo_bar"}, {"name": "Größe"}, {"name": "年"}, {"name": "2fa"}, {"name": "select"}, {"name": "o''n$e"}, {"name": "%s"}, {"name": "%s"}, {"name": "department"}]}',
	repeat('long', 20), 'x' || repeat('long', 20))::jsonb);
SELECT attribute_schema_define('{"id": "urn:regress:view:1.0:Work", "attributes": [{"name": "department"}, {"name": "costCenter"}, {"name": "site", "multiValued": true}, {"name": "manager", "type": "complex", "subAttributes": [{"name": "value"}, {"name": "$ref"}]}]}');
SELECT user_table_create('people', schemas => '{urn:regress:view:Person,urn:regress:view:1.0:Work}');

--
-- Names and types
--
SELECT user_view_create('people', 'people_view');
CREATE FUNCTION columns(view regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws('|', attname, format_type(atttypid, NULL), coalesce(replace(col_description(attrelid, attnum), repeat('long', 20), 'long*'), '(null)')) FROM pg_attribute WHERE attrelid = view AND attnum > 0 ORDER BY attnum $$;
SELECT columns('people_view');
SELECT view, main, lists FROM user_view WHERE users = 'people'::regclass ORDER BY view;
SELECT c.oid::regclass, reloptions, pg_get_userbyid(relowner), obj_description(c.oid, 'pg_class') FROM pg_class c WHERE relkind = 'v' AND relnamespace = 'regress_view'::regnamespace ORDER BY relname COLLATE "C";
SELECT columns('people_view_emails');
SELECT columns('people_view_tags');
SELECT columns('people_view_scores');
SELECT columns('people_view_name_aliases');
SELECT columns('people_view_items');
SELECT columns('people_view_items_parts');
SELECT columns('people_view_site');

--
-- Values
--
INSERT INTO people (id, document) VALUES
	('ann', '{"userName": "ann", "active": true, "age": 42, "salary": 12.50, "startDate": "2026-01-31T12:00:00+01:00", "photo": "AAAA", "site": "https://example.com", "extra": {"a": [1, null]},
		"name": {"familyName": "Lee", "title": {"short": "Dr"}, "aliases": ["Annie", "An"]}, "emails": [{"value": "a@example.com", "type": "work"}, {"value": "b@example.com", "primary": true, "secret": "s"}],
		"items": [{"n": 1, "parts": [{"size": 3}, {"size": 9}]}, {"n": 2, "parts": [{"size": 5}]}], "tags": ["x", "y"], "scores": [7, 8], "pin": "1234", "vault": {"code": "c"}, "onDemand": "o", "version": "v2",
		"foo-bar": "1", "fooBar": "2", "foo_bar": "3", "2fa": "yes", "o''n$e": "q", "department": "core", "urn:regress:view:1.0:Work": {"department": "Sales", "site": ["Rome", "Oslo"], "manager": {"value": "bob", "$ref": "/Users/bob"}}}'),
	('bob', '{"userName": "bob", "active": false, "startDate": "2026-02-01T00:00:00", "emails": [{"value": "bob@example.com"}], "age": 5.0}'),
	('cyd', '{}');
SELECT id, version, user_name, active, age, salary, start_date, photo, site, extra, name_family_name, name_title_short, name_aliases, emails_value, items_n, items_parts_size, tags, scores, on_demand, version_1, foo_bar, foo_bar_1, foo_bar_2, "2fa", o_n_e, department, urn_regress_view_1_0_work_department, cost_center, manager_value, manager_ref FROM people_view ORDER BY id;
SELECT * FROM people_view_emails ORDER BY id, position;
SELECT * FROM people_view_items_parts ORDER BY 1, 2, 3;
SELECT id, position, value FROM people_view_name_aliases UNION ALL SELECT id, position, value::text FROM people_view_scores UNION ALL SELECT id, position, value FROM people_view_tags UNION ALL SELECT * FROM people_view_site ORDER BY 1, 3, 2;
-- in any time zone, the same
SET timezone = 'Asia/Tokyo';
SELECT id, start_date = '2026-01-31T11:00:00Z' AS ann, start_date = '2026-02-01T00:00:00Z' AS bob FROM people_view WHERE start_date IS NOT NULL ORDER BY id;
SET timezone = 'UTC';
-- values that are not what they should be, as plain SQL or an older schema left them
DELETE FROM people;
INSERT INTO people (id, document) SELECT 'bad' || n, d::jsonb FROM unnest(ARRAY[
	'{"userName": 5, "active": "true", "age": "42", "salary": "much", "startDate": "yesterday", "photo": {}, "site": [], "extra": null, "name": "Lee", "emails": "a@example.com", "items": 5, "tags": "x", "scores": ["x", 1.5, 2]}',
	'{"userName": ["ann"], "active": 1, "age": 1.5, "salary": true, "startDate": "2026-02-30T00:00:00Z", "name": ["x", {"familyName": "y"}], "emails": {"value": "one@example.com"}, "items": {"n": 1, "parts": {"size": 2}}, "tags": {"a": 1}}',
	'{"userName": null, "age": 9223372036854775808, "salary": 1e400, "startDate": "999999-01-01T00:00:00Z", "name": {"familyName": {"a": 1}}, "emails": [null, "x", {"value": null}, [{"value": "deep@example.com"}]], "items": [{"parts": [null, {}]}], "tags": [null, 1, "z"]}',
	'{"age": -9223372036854775808, "salary": -0.0, "startDate": "2026-01-31", "emails": [{"primary": "true", "value": "no"}, {"primary": true, "value": "yes"}, {"primary": true, "value": "late"}], "name": null, "urn:regress:view:1.0:Work": "x"}']) WITH ORDINALITY u(d, n);
SELECT id, user_name, active, age, left(salary::text, 5) AS salary, start_date, photo, site, extra, name_family_name, emails_value, items_n, items_parts_size, tags, scores, cost_center FROM people_view ORDER BY id;
SELECT * FROM people_view_emails ORDER BY id, position;
SELECT * FROM people_view_items_parts ORDER BY 1, 2, 3;
SELECT * FROM people_view_scores ORDER BY 1, 2;
SELECT * FROM people_view_tags ORDER BY 1, 2;
-- no document of an app's own can either
ALTER TABLE people DROP CONSTRAINT people_document_check;
INSERT INTO people (id, document) VALUES ('array', '[{"userName": "x"}]'), ('scalar', '"x"');
SELECT id, user_name, active, emails_value FROM people_view WHERE id !~ 'bad' ORDER BY id;
SELECT count(*) FROM people_view_emails WHERE id !~ 'bad';
TRUNCATE people;

--
-- Refreshing appends; grants, options and comments are the owner's
--
INSERT INTO people (id, document) VALUES ('ann', '{"userName": "ann", "age": 42, "nick": "A", "active": [true], "site": "x", "tags": ["x"], "phones": ["1"], "emails": [{"value": "a"}], "extra": {"deep": 1}}');
GRANT SELECT ON people_view TO regress_view_reader;
ALTER VIEW people_view SET (security_barrier = true);
COMMENT ON COLUMN people_view.user_name IS 'mine';
CREATE VIEW mine AS SELECT id, user_name, age FROM people_view;
SELECT attribute_schema_define('{"id": "urn:regress:view:Person", "attributes": [
	{"name": "nick"}, {"name": "userName", "description": "Changed."}, {"name": "active", "type": "boolean", "multiValued": true}, {"name": "age", "type": "string"}, {"name": "extra", "type": "complex", "subAttributes": [{"name": "deep", "type": "integer"}]}, {"name": "site", "returned": "never"},
	{"name": "phones", "multiValued": true}, {"name": "tags", "multiValued": true, "returned": "never"}, {"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "verified", "type": "boolean"}]}]}');
CREATE TABLE before AS SELECT columns('people_view') AS c;
SELECT user_view_refresh('people');
SELECT count(*) FROM before WHERE c NOT IN (SELECT columns('people_view'));
SELECT c FROM (SELECT columns('people_view')) n(c) WHERE c NOT IN (SELECT b.c FROM before b);
SELECT id, user_name, active, active_1, age, age_1, extra, extra_deep, site, tags, nick, phones FROM people_view;
SELECT * FROM people_view_phones;
SELECT * FROM people_view_tags;
SELECT columns('people_view_emails');
SELECT reloptions, (SELECT a FROM unnest(relacl) a WHERE a::text ~ 'reader') FROM pg_class WHERE oid = 'people_view'::regclass;
SELECT * FROM mine;
-- nothing new, nothing done; also by the name of one of the views
TRUNCATE before;
INSERT INTO before SELECT columns('people_view');
SELECT user_view_refresh('people_view'), user_view_refresh('people_view_emails');
SELECT count(*) FROM before b FULL JOIN (SELECT columns('people_view')) n(c) USING (c) WHERE b.c IS NULL OR n.c IS NULL;
-- a second set of views is refreshed by itself, or with all
SELECT user_view_create('people', 'regress_view_other.x');
SELECT count(*) FROM user_view WHERE users = 'people'::regclass AND main = 'regress_view_other.x'::regclass;
SELECT attribute_schema_define((SELECT jsonb_insert(document, '{attributes,0}', '{"name": "added"}') FROM attribute_schema WHERE id = 'urn:regress:view:Person'));
SELECT user_view_refresh('regress_view_other.x');
SELECT attrelid::regclass FROM pg_attribute WHERE attname = 'added';
SELECT user_view_refresh('people');
SELECT attrelid::regclass FROM pg_attribute WHERE attname = 'added' ORDER BY attrelid;
-- what somebody changed in a view is not guessed
ALTER VIEW regress_view_other.x RENAME nick TO alias;
SELECT user_view_refresh('people');
SELECT user_view_refresh('people_view');
-- dropped views are forgotten
DROP VIEW people_view_phones;
SELECT count(*) FROM user_view WHERE view NOT IN (SELECT oid FROM pg_class);
SELECT user_view_refresh('people_view');
SELECT * FROM people_view_phones;
DROP VIEW regress_view_other.x;
SELECT count(*) FROM user_view WHERE main::text !~ 'people_view';
SET client_min_messages = warning;
DROP SCHEMA regress_view_other CASCADE;
RESET client_min_messages;
-- long names are cut, and taken ones numbered
SELECT user_view_create('people', 'a' || repeat('é', 25) || 'b');
SELECT view FROM user_view WHERE main = ('a' || repeat('é', 25) || 'b')::regclass ORDER BY view::text COLLATE "C";
DO $$ BEGIN EXECUTE 'DROP VIEW ' || (SELECT string_agg(view::text, ', ') FROM user_view WHERE view::text ~ 'é'); END $$;
CREATE TABLE other_emails ();
SELECT user_view_create('people', 'other');
SELECT view FROM user_view WHERE main = 'other'::regclass AND lists @> '[["emails"]]';

--
-- Refused
--
SELECT user_view_create('people', 'people_view');
\echo :LAST_ERROR_SQLSTATE
SELECT user_view_create('people', 'pg_temp.v');
SELECT user_view_create('people', 'nowhere.v');
SELECT user_view_create('people', 'a.b.c.d');
SELECT user_view_create('people', '');
SELECT user_view_create('people', NULL);
SELECT user_view_create(NULL, 'v');
SELECT user_view_refresh(NULL);
SELECT user_view_create('people_history', 'v');
SELECT user_view_refresh('mine');
SELECT user_view_refresh(1);
SELECT user_table_create('free');
SELECT user_view_create('free', 'free_view');

--
-- Who sees what
--
TRUNCATE people;
INSERT INTO people (id, document) VALUES ('ann', '{"userName": "ann", "emails": [{"value": "a"}]}'), ('bob', '{"userName": "bob", "emails": [{"value": "b"}]}');
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON people USING (id = current_setting('regress.id'));
GRANT SELECT ON people_view, people_view_emails, people TO regress_view_clerk;
GRANT SELECT ON people_view_emails TO regress_view_reader;
SET SESSION AUTHORIZATION regress_view_clerk;
SET search_path = regress_view, userstore;
SET regress.id = 'bob';
SELECT id, user_name FROM people_view;
SELECT id, value FROM people_view_emails;
SET regress.id = '';
SELECT count(*) FROM people_view;
SELECT userstore.user_view_create('people', 'v');
SELECT userstore.user_view_refresh('people');
SELECT userstore.user_view_refresh('people_view');
SELECT * FROM people_view_phones;
INSERT INTO userstore.user_view VALUES ('people_view', 'people', 'people_view', '[]', '{}');
-- a view gives no more than the table does
SET SESSION AUTHORIZATION regress_view_reader;
SET search_path = regress_view, userstore;
SELECT id FROM people_view;
SELECT id FROM people_view_emails;
SET SESSION AUTHORIZATION regress_view;
SET search_path = regress_view, userstore;
-- whoever makes the view, it is the owner's of the table
RESET SESSION AUTHORIZATION;
SELECT userstore.user_view_create('regress_view.people', 'regress_view.made');
SELECT pg_get_userbyid(relowner), count(*) FROM pg_class WHERE relname ^@ 'made' GROUP BY 1;
SET SESSION AUTHORIZATION regress_view;
SET search_path = regress_view, userstore;
SELECT user_view_refresh('made');

--
-- An app's own table
--
CREATE TABLE members (id int PRIMARY KEY, login text NOT NULL, is_active boolean NOT NULL DEFAULT true, joined timestamptz);
INSERT INTO members VALUES (1, 'ann', true, '2026-01-01Z'), (2, 'bob', false, NULL);
SELECT attribute_schema_define('{"id": "urn:regress:view:Member", "attributes": [{"name": "userName"}, {"name": "active", "type": "boolean"}, {"name": "joined", "type": "dateTime"}, {"name": "nick"}]}');
SELECT user_table_attach('members', schemas => '{urn:regress:view:Member}', columns => '{"userName": "login", "active": "is_active", "joined": "joined"}');
SELECT user_patch('members', '2', '{"nick": "B"}') - 'meta';
SELECT user_view_create('members', 'members_view');
SELECT id, version, user_name, active, joined, nick FROM members_view ORDER BY id;
SELECT users_index('members', 'userName');

--
-- Tenants: whose user it is
--
SELECT user_table_create('tenants', tenant_column => 'entity', schemas => '{urn:regress:view:Person}');
INSERT INTO tenants (entity, id, document) VALUES ('A', '1', '{"userName": "a", "phones": ["1"]}'), ('B', '1', '{"userName": "b", "phones": ["2"]}');
SELECT user_view_create('tenants', 'tenants_view');
GRANT SELECT ON tenants, tenants_view, tenants_view_phones TO regress_view_clerk;
SELECT tenant_grant('tenants', 'B', 'regress_view_clerk');
SET SESSION AUTHORIZATION regress_view_clerk;
SET search_path = regress_view, userstore;
SET userstore.tenant = 'B';
SELECT id, tenant, user_name FROM tenants_view;
SELECT * FROM tenants_view_phones;
SET userstore.tenant = 'A';
SELECT id, tenant, user_name FROM tenants_view;
RESET userstore.tenant;
SET SESSION AUTHORIZATION regress_view;
SET search_path = regress_view, userstore;
SELECT id, tenant, user_name FROM tenants_view ORDER BY tenant;
SET client_min_messages = warning;
DROP TABLE tenants CASCADE;
RESET client_min_messages;

--
-- Dropped with the table, forgotten with its registration
--
SELECT user_table_detach('members');
DROP TABLE people;
SET client_min_messages = warning;
DROP TABLE people CASCADE;
SELECT * FROM user_view;
RESET SESSION AUTHORIZATION;
DROP SCHEMA regress_view CASCADE;
DELETE FROM userstore.attribute_schema WHERE id ^@ 'urn:regress:view:';
DROP ROLE regress_view, regress_view_clerk, regress_view_reader;
