--
-- Indexes on attributes: users_index and users_index_drop, the conditions that
-- user_matches (planner support) and users_list make of a filter, and that they
-- find what a scan does.
--
SET client_min_messages = warning;
CREATE ROLE regress_index;
CREATE ROLE regress_index_clerk;
CREATE SCHEMA regress_index AUTHORIZATION regress_index;
GRANT USAGE ON SCHEMA regress_index TO regress_index_clerk;
SET SESSION AUTHORIZATION regress_index;
SET search_path = regress_index, userstore;
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- without sequential scans, each plan seems to cost enough to be compiled
SET jit = off;
RESET client_min_messages;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only

SELECT attribute_schema_define('{"id": "urn:regress:index:Thing", "attributes": [
	{"name": "userName", "uniqueness": "server"}, {"name": "badge", "uniqueness": "server", "type": "reference"}, {"name": "number", "uniqueness": "server", "type": "integer"},
	{"name": "since", "uniqueness": "server", "type": "dateTime"},
	{"name": "code", "caseExact": true}, {"name": "title"}, {"name": "active", "type": "boolean"}, {"name": "count", "type": "integer"}, {"name": "weight", "type": "decimal"},
	{"name": "hired", "type": "dateTime"}, {"name": "photo", "type": "binary"}, {"name": "site", "type": "reference"}, {"name": "extra", "type": "any"},
	{"name": "pin", "returned": "never"}, {"name": "password", "format": "password", "mutability": "writeOnly", "returned": "never"},
	{"name": "name", "type": "complex", "subAttributes": [{"name": "familyName"}, {"name": "givenName"}]},
	{"name": "vault", "type": "complex", "returned": "never", "subAttributes": [{"name": "code"}]},
	{"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "type"}, {"name": "primary", "type": "boolean"}]},
	{"name": "tags", "multiValued": true, "caseExact": true}, {"name": "scores", "type": "integer", "multiValued": true}]}');
SELECT attribute_schema_define('{"id": "urn:regress:index:1.0:Work", "attributes": [{"name": "department"}, {"name": "o''ne", "multiValued": true}, {"name": "roles", "multiValued": true}]}');
SELECT user_table_create('things', schemas => '{urn:regress:index:Thing,urn:regress:index:1.0:Work}');
ALTER TABLE things SET (autovacuum_enabled = off);
INSERT INTO things (id, document)
SELECT 'u' || i, jsonb_build_object('userName', 'User' || i, 'badge', 'B' || i, 'number', i, 'since', timestamptz '2020-01-01 00:00:00Z' + i * interval '1 hour', 'code', 'C' || i, 'title', 'Title ' || i % 100, 'active', i % 10 <> 0, 'count', i % 200, 'weight', i / 7.0,
	'hired', to_char(timestamp '2020-01-01' + i * interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'site', 'https://example.com/' || i, 'name', jsonb_build_object('familyName', 'Family' || i),
	'emails', jsonb_build_array(jsonb_build_object('value', 'U' || i || '@Example.com', 'type', 'work', 'primary', true), jsonb_build_object('value', 'shared' || i / 10 || '@example.org', 'type', 'home')),
	'tags', jsonb_build_array('even' || i % 2, 'T' || i), 'urn:regress:index:1.0:Work', jsonb_build_object('department', 'Dept ' || i % 50, 'roles', jsonb_build_array('w' || i)))
FROM generate_series(1, 1000) i;

--
-- Indexing: the cost is said; a second call does nothing
--
SELECT users_index('things', 'title');
SELECT users_index('things', 'TITLE');
\set VERBOSITY terse
SELECT a, users_index('things', a) FROM unnest(ARRAY['code', 'active', 'count', 'weight', 'hired', 'site', 'name.familyname', 'emails', 'tags',
	'urn:regress:index:1.0:Work:department', 'urn:regress:index:1.0:work:O''ne', 'urn:regress:index:1.0:Work:roles']) a;
SELECT users_index('things', 'emails.value'), users_index('things', 'username'), users_index('things', 'number');
-- what is unique, but not as filters compare it, gets one of its own
SELECT users_index('things', 'since'), users_index('things', 'badge');
SELECT path, column_name FROM attribute_index WHERE users = 'things'::regclass ORDER BY path;
SELECT attname, format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'things'::regclass AND attname ^@ 'index_' ORDER BY attnum;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'things'::regclass AND NOT indisunique ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT col_description('things'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname = 'index_title';
-- refused
\set VERBOSITY default
SELECT users_index('things', 'shoe');
SELECT users_index('things', 'name');
\set VERBOSITY terse
SELECT users_index('things', 'extra');
SELECT users_index('things', 'scores');
SELECT users_index('things', 'emails.primary');
SELECT users_index('things', 'pin');
SELECT users_index('things', 'password');
SELECT users_index('things', 'vault.code');
SELECT users_index('things', '');
SELECT users_index('things', NULL);
SELECT users_index(NULL, 'title');
SELECT users_index('things_history', 'title');
SELECT users_index_drop('things', 'name.givenName');
\echo :LAST_ERROR_SQLSTATE
SELECT users_index_drop('things', 'shoe');
SELECT users_index_drop('things', 'userName');
SET SESSION AUTHORIZATION regress_index_clerk;
SELECT userstore.users_index('regress_index.things', 'title');
SELECT userstore.users_index_drop('regress_index.things', 'title');
INSERT INTO userstore.attribute_index VALUES ('regress_index.things', 'title', 'document');
SET SESSION AUTHORIZATION regress_index;
SET search_path = regress_index, userstore;

--
-- Plans
--
ANALYZE things;
-- the plan of a filter
CREATE FUNCTION plan(filter text, users text DEFAULT 'things') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM %s WHERE user_matches(%L, document, %L)', users, users, filter);
END $$;
SET enable_seqscan = off;
SET enable_indexscan = off;
-- the conditions that an index is asked with
SELECT f, string_agg(regexp_replace(p, '.*Index Cond: ', ''), ' & ' ORDER BY p) FROM unnest(ARRAY['userName eq "USER5"', 'USERNAME EQ "user5"', 'urn:regress:index:Thing:userName eq "user5"', 'userName sw "User9"', 'userName gt "user99"', 'userName ge "user99"',
	'userName lt "user1"', 'userName eq ""', 'userName eq null', 'userName ne "user5"', 'userName co "5"', 'userName ew "5"', 'userName pr', 'badge eq "B7"', 'badge gt "B99"', 'number eq 7.0', 'number gt 990', 'number lt 3', 'since eq "2020-01-01T02:00:00+01:00"',
	'title eq "title 7"', 'title sw "TITLE 1"', 'title ge "title 9"', 'title lt "title 1"', 'title eq ""', 'title sw ""', 'code eq "C7"', 'code sw "C7"', 'active eq true', 'active eq false', 'active ne true', 'count eq 7', 'count ge 198', 'weight le 1.5', 'hired eq "2020-01-08T01:00:00+01:00"', 'hired lt "2020-02-01T00:00:00Z"',
	'hired sw "2020"', 'site eq "https://example.com/7"', 'name.familyName eq "FAMILY7"', 'name[familyName eq "family7"]', 'emails.value eq "U7@example.com"', 'emails eq "u7@example.com"', 'emails[value eq "u7@example.com" and type eq "work"]', 'emails.value sw "u7"', 'emails[not (value eq "u7@example.com")]', 'tags eq "T7"', 'tags eq "t7"',
	'urn:regress:index:1.0:Work:department eq "dept 7"', 'urn:regress:index:1.0:Work:roles eq "w7"']) WITH ORDINALITY u(f, n), LATERAL (SELECT * FROM plan(f) p WHERE p ~ 'Index Cond' OR p = 'Seq Scan on things') p GROUP BY n, f ORDER BY n;
RESET enable_indexscan;
-- the whole plan; combined by "and", anywhere in it
SELECT plan('userName eq "user5"');
SELECT plan('emails.value eq "u7@example.com" and active eq true');
SELECT plan('active eq false and (title pr and userName eq "user5")');
-- not under "or" or "not"
SELECT plan('userName eq "user5" or userName eq "user6"');
SELECT plan('not (userName eq "user5")');
SELECT plan('title pr and not (userName eq "user5" and active eq true)');
RESET enable_seqscan;
-- more conditions than are of use
SELECT count(*) FROM things WHERE user_matches('things', document, 'count ge 1 and count ge 2 and count ge 3 and count ge 4 and count ge 5 and count ge 6 and count ge 7 and count ge 8 and count ge 9 and count ge 199');
-- only the document of the table itself, and only a constant filter
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE user_matches('things', document || '{}', 'userName eq "user5"');
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE user_matches('things', document, current_setting('regress.filter'));
EXPLAIN (COSTS OFF) SELECT id FROM (SELECT id, jsonb_build_object('userName', id) AS document FROM things OFFSET 0) t WHERE user_matches('things', document, 'userName eq "user5"');
CREATE VIEW active_things AS SELECT id, document FROM things WHERE user_matches('things', document, 'active eq true');
EXPLAIN (COSTS OFF) SELECT id FROM active_things t WHERE user_matches('things', t.document, 'userName eq "user5"');
EXPLAIN (COSTS OFF) SELECT t.id FROM active_things t LEFT JOIN things o ON o.id = t.id WHERE user_matches('things', o.document, 'userName eq "user5"');
EXPLAIN (COSTS OFF) UPDATE things t SET version = t.version FROM things o WHERE o.id = 'u6' AND user_matches('things', t.document, 'userName eq "user5"');
EXPLAIN (COSTS OFF) SELECT EXISTS (SELECT FROM generate_series(1, 1) WHERE user_matches('things', t.document, 'userName eq "user5"') OFFSET 0) FROM things t WHERE id = 'u5';
-- parameters: a plan for the value at hand knows it, one for all values cannot
PREPARE found(text) AS SELECT id FROM things WHERE user_matches('things', document, $1);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE found('userName eq "user5"');
EXECUTE found('userName eq "user5"');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE found('userName eq "user5"');
EXECUTE found('userName eq "user5"');
RESET plan_cache_mode;

--
-- Results: an index finds what a scan finds, in whatever documents
--
DELETE FROM things WHERE length(id) > 3;
INSERT INTO things (id, document)
SELECT 'bad' || row_number() OVER (), d::jsonb FROM unnest(ARRAY['{"userName": ["user5"], "title": ["title 7"], "name": [{"familyName": "family7"}], "count": ["7"], "emails": {"value": "u7@example.com"}, "tags": "T7"}',
	'{"userName": 5, "title": 7, "active": "true", "count": "7", "weight": true, "hired": "yesterday", "name": "family7", "emails": "u7@example.com", "tags": {"a": "T7"}}',
	'{"userName": "", "title": "", "code": "", "site": "", "name": {}, "emails": [], "tags": []}', '{"title": null, "active": null, "count": null, "emails": null, "tags": null}',
	'{"emails": [[{"value": "u7@example.com"}], {"value": ["x", "U7@EXAMPLE.COM"]}], "tags": [["T7"], "T7", null]}', '{"TITLE": "title 7", "Emails": [{"Value": "u7@example.com"}]}',
	'{"hired": "2020-01-08T00:00:00", "title": "ÄÖ", "count": 1e400, "weight": -0.0}', '{"hired": "2020-01-08T01:00:00+01:00", "active": true, "title": "äÖ", "since": "2020-01-01T02:00:00+01:00"}', '{"hired": "2020-02-30T00:00:00Z"}']) d;
INSERT INTO things (id, document) SELECT 'long' || n, jsonb_build_object('title', v, 'code', v, 'tags', jsonb_build_array(v))
FROM (VALUES (1, repeat('é', 3000)), (2, repeat('é', 3000) || 'a'), (3, repeat('é', 499)), (4, repeat('é', 500)), (5, repeat('é', 501))) v(n, v);
-- how many users a filter finds by the plan that it has, when that is not what each document says by itself
CREATE FUNCTION wrong(filter text, users text DEFAULT 'things') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	planned text;
	scanned text;
	listed text;
BEGIN
	EXECUTE format('SELECT string_agg(id, '' '' ORDER BY id COLLATE "C") FROM %s WHERE user_matches(%L, document, %L)', users, users, filter) INTO planned;
	EXECUTE format('SELECT string_agg(id, '' '' ORDER BY id COLLATE "C") FROM %s WHERE user_matches(%L, document || ''{}'', %L)', users, users, filter) INTO scanned;
	SELECT string_agg(u ->> 'id', ' ' ORDER BY u ->> 'id' COLLATE "C") INTO listed FROM jsonb_array_elements(users_list(users, filter, count => 1000) -> 'items') u;
	IF planned IS DISTINCT FROM scanned THEN
		RETURN format('%s: %s instead of %s', left(filter, 80), planned, scanned);
	ELSIF cardinality(string_to_array(scanned, ' ')) <= 1000 AND listed IS DISTINCT FROM scanned THEN
		RETURN format('%s: %s on the list instead of %s', left(filter, 80), listed, scanned);
	END IF;
	RETURN NULL;
END $$;
SET enable_seqscan = off;
SELECT count(*), string_agg(wrong(f), '; ') FROM (
	SELECT format('%s %s %s', a, o, to_json(v)) f FROM unnest(ARRAY['userName', 'badge', 'code', 'title', 'site', 'name.familyName', 'emails', 'emails.value', 'tags', 'urn:regress:index:1.0:Work:department']) a,
		unnest(ARRAY['eq', 'ne', 'sw', 'gt', 'ge', 'lt', 'le']) o, unnest(ARRAY['user5', 'USER5', '["user5"]', 'title 7', 'Title 7', 'family7', 'u7@example.com', 'T7', 't7', '', 'ÄÖ', 'b1', 'B1', repeat('é', 500), repeat('É', 3000), 'dept 7']) v
	UNION ALL SELECT format('%s %s %s', a, o, v) FROM unnest(ARRAY['number', 'count', 'weight']) a, unnest(ARRAY['eq', 'ne', 'gt', 'ge', 'lt', 'le']) o, unnest(ARRAY['7', '7.0', '0', '-1', '1e400', '142.857142857142857143']) v
	UNION ALL SELECT format('active %s %s', o, v) FROM unnest(ARRAY['eq', 'ne']) o, unnest(ARRAY['true', 'false', 'null']) v
	UNION ALL SELECT format('%s %s "%s"', a, o, v) FROM unnest(ARRAY['hired', 'since']) a, unnest(ARRAY['eq', 'ne', 'sw', 'gt', 'ge', 'lt', 'le']) o, unnest(ARRAY['2020-01-08T00:00:00Z', '2020-01-08T01:00:00+01:00', '2020-01-01T01:00:00Z']) v
	UNION ALL SELECT * FROM unnest(ARRAY['emails[value eq "u7@example.com"]', 'emails[value eq "u7@example.com" and type eq "home"]', 'name[familyName eq "family7"]'])) f;
RESET enable_seqscan;
-- as a value it is what it was, with and without a document
SELECT user_matches('things', document, 'title eq "title 7"'), user_matches('things', document || '{}', 'title eq "title 7"'), count(*) FROM things GROUP BY 1, 2 ORDER BY 1;
SELECT user_matches('things', o.document, 'title eq "title 7"') AS matches, count(*) FROM things t LEFT JOIN things o ON o.id = t.id AND o.id ^@ 'u9' GROUP BY 1 ORDER BY 1;
SELECT DISTINCT user_matches('things', document, 'title eq "title 7"') AS matches FROM things GROUP BY ROLLUP (document) ORDER BY 1;
INSERT INTO things (id, document) VALUES ('u7', '{"title": "changed"}') ON CONFLICT (id) DO UPDATE SET version = things.version + 1
WHERE user_matches('things', excluded.document, 'title eq "changed"') AND user_matches('things', things.document, 'title eq "title 7"') RETURNING id, version, user_matches('things', document, 'title eq "title 7"');

-- users_list asks the same indexes
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT users_list('things', f) #>> '{items,0,id}', count FROM unnest(ARRAY['userName eq "user5"', 'emails.value eq "u7@example.com"', 'number eq 8 and active eq true', 'id eq "u9"']) f, LATERAL (SELECT jsonb_array_length(users_list('things', f) -> 'items')) c(count);
SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relid = 'things'::regclass;
COMMIT;

--
-- Wrong filters are said when they are asked, as ever
--
SELECT user_table_create('none', schemas => '{urn:regress:index:Thing}');
SELECT count(*) FROM none WHERE user_matches('none', document, 'userName eq');
SELECT count(*) FROM things WHERE user_matches('things', document, 'userName eq "user5" and shoe eq 1');
SELECT count(*) FROM things WHERE user_matches('things', document, 'userName eq 5');
SELECT count(*) FROM none WHERE user_matches('regress_index.none_history', document, 'userName eq "x"');
SELECT count(*) FROM things WHERE user_matches('none', document, 'userName eq "user5"');
SELECT count(*) FROM things WHERE user_matches('things', document, NULL);
DROP TABLE none;

--
-- Plans do not outlive what they rely on
--
SET enable_seqscan = off;
PREPARE titles AS SELECT count(*) FROM things WHERE user_matches('things', document, 'title eq "Title 7"');
EXECUTE titles;
-- case counts now: the column does not know it
CREATE FUNCTION redefine(words jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT attribute_schema_define(jsonb_set(document, '{attributes}', (SELECT jsonb_agg(CASE WHEN a ->> 'name' = 'title' THEN '{"name": "title"}' || words ELSE a END) FROM jsonb_array_elements(document -> 'attributes') a)))
	FROM attribute_schema WHERE id = 'urn:regress:index:Thing' $$;
SELECT redefine('{"caseExact": true}');
EXECUTE titles;
UPDATE things SET document = document || '{"title": "title 7"}' WHERE id = 'u7';
EXECUTE titles;
SELECT p FROM plan('title eq "Title 7"') p;
SELECT user_table_refresh('things');
SELECT path, column_name FROM attribute_index WHERE users = 'things'::regclass AND path = 'title';
EXECUTE titles;
SELECT p FROM plan('title eq "Title 7"') p;
SELECT redefine('{"type": "boolean"}');
EXECUTE titles;
SELECT user_table_refresh('things');
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname ~ 'title' AND NOT attisdropped;
SELECT redefine('{"type": "any"}');
SELECT user_table_refresh('things');
SELECT path FROM attribute_index WHERE users = 'things'::regclass AND path = 'title';
SELECT redefine('{}');
SELECT users_index('things', 'title');
EXECUTE titles;
-- dropped
SELECT users_index_drop('things', 'Title');
EXECUTE titles;
SELECT attname FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname ~ 'title' AND NOT attisdropped;
-- a column that is no longer ours, then none, then one of somebody's
SELECT users_index('things', 'title');
ALTER TABLE things ALTER index_title DROP EXPRESSION;
UPDATE things SET index_title = NULL;
EXECUTE titles;
SELECT users_index('things', 'title');
EXECUTE titles;
ALTER TABLE things DROP COLUMN index_title_1;
EXECUTE titles;
ALTER TABLE things RENAME index_title TO title;
ALTER TABLE things ADD index_title int GENERATED ALWAYS AS (1) STORED;
SELECT users_index('things', 'title');
EXECUTE titles;
DROP INDEX things_index_title_1_idx;
SELECT users_index('things', 'title');
-- detached and attached: what is there is taken up
SELECT user_table_detach('things');
SELECT count(*) FROM attribute_index;
SELECT user_table_attach('things', schemas => '{urn:regress:index:Thing,urn:regress:index:1.0:Work}');
SELECT p FROM plan('title eq "Title 7"') p;
SELECT users_index('things', 'title');
SELECT p FROM plan('title eq "Title 7"') p;

--
-- Tables without a schema: strings, as they are
--
SELECT user_table_create('free');
INSERT INTO free (id, document) VALUES ('a', '{"name": {"nick": ["Ann", "A"]}, "n": 5}'), ('b', '{"name": [{"nick": "Bob"}], "n": "5"}'), ('c', '{"name.nick": "Ann"}'), ('d', '{"list": [{"k": "v", "name": {"nick": "A"}}]}');
SELECT users_index('free', 'name.nick'), users_index('free', 'n'), users_index('free', 'name');
SELECT users_index('free', 'a..b');
SELECT plan('name.nick eq "Ann"', 'free');
SELECT plan('list[name.nick eq "A"]', 'free');
SELECT f, string_agg(id, ' ' ORDER BY id), wrong(f, 'free') FROM unnest(ARRAY['name.nick eq "Ann"', 'name.nick eq "ann"', 'n eq "5"', 'n eq 5', 'name[nick eq "A"]', 'list[name.nick eq "A"]']) f LEFT JOIN free ON user_matches('free', document, f) GROUP BY f ORDER BY f;
DROP TABLE free;

--
-- Behind row security: what is leakproof may come first, a filter never
--
ALTER TABLE things ENABLE ROW LEVEL SECURITY;
CREATE POLICY clerk ON things TO regress_index_clerk USING (document ->> 'code' < 'C5');
GRANT SELECT (id, document, version, created_at, modified_at) ON things TO regress_index_clerk;
ANALYZE things;
SET SESSION AUTHORIZATION regress_index_clerk;
SET search_path = regress_index, userstore;
SELECT index_title FROM things;
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE user_matches('things', document, 'userName eq "user5"');
EXPLAIN (COSTS OFF) SELECT id FROM things WHERE user_matches('things', document, 'emails.value eq "u7@example.com"');
SELECT id FROM things WHERE user_matches('things', document, 'userName eq "user5"');
SELECT id FROM things WHERE user_matches('things', document, 'userName eq "user4"');
SELECT users_list('things', 'userName eq "user5"'), users_list('things', 'userName eq "user4"') #> '{items,0,id}';
SELECT users_list('things', 'emails.value eq "u7@example.com"'), users_list('things', 'emails.value eq "u4@example.com"') #> '{items,0,id}';
SET SESSION AUTHORIZATION regress_index;
SET search_path = regress_index, userstore;
ALTER TABLE things DISABLE ROW LEVEL SECURITY;
RESET enable_seqscan;

--
-- Tables that inherit: what holds of one need not hold of the other
--
CREATE TABLE more_things (PRIMARY KEY (id)) INHERITS (things);
INSERT INTO more_things (id, document) VALUES ('more', '{"userName": "user5"}');
SELECT id FROM things WHERE user_matches('things', document, 'userName eq "user5"') ORDER BY id;
SELECT users_list('things', 'userName eq "user5"') #> '{items,1,id}';
DROP TABLE more_things;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_index CASCADE;
SELECT count(*) FROM userstore.attribute_index;
DELETE FROM userstore.attribute_schema WHERE id ^@ 'urn:regress:index:';
DROP ROLE regress_index, regress_index_clerk;
