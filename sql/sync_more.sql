--
-- users_sync and users_revert, where things go wrong: whom the caller may not
-- see or change, what staging tables have, tenants, tables of other kinds, and a
-- past that is not as it was
--
SET client_min_messages = warning;
CREATE ROLE regress_sync;
CREATE ROLE regress_sync_clerk;
CREATE SCHEMA regress_sync AUTHORIZATION regress_sync;
GRANT USAGE ON SCHEMA regress_sync TO regress_sync_clerk;
SET SESSION AUTHORIZATION regress_sync;
SET search_path = regress_sync, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'
\pset tuples_only on

-- The rows of a sync or a revert but for transactions, in an order of their own,
-- or what was raised
CREATE FUNCTION raised(state text, message text, detail text) RETURNS text LANGUAGE sql AS
	$$ SELECT concat_ws(' ', state, message, nullif(detail, '')) $$;
CREATE FUNCTION sync(users regclass, body jsonb, missing text DEFAULT 'ignore', match text DEFAULT NULL, scope text DEFAULT NULL, guard jsonb DEFAULT NULL,
	dry_run boolean DEFAULT false, api text DEFAULT NULL, patch boolean DEFAULT false, staging regclass DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN QUERY SELECT concat_ws(' ', s.record || ':', CASE WHEN length(s.id) = 36 THEN '(made up)' ELSE s.id END, s.action, s.changed, s.old, s.new, 'v' || s.version, s.error)
		FROM users_sync(users, body, missing => missing, match => match, scope => scope, guard => guard, dry_run => dry_run, api => api, patch => patch, staging => staging) s
		ORDER BY s.record NULLS FIRST, s.id COLLATE "C";
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN NEXT raised(SQLSTATE, SQLERRM, detail);
END $$;
CREATE FUNCTION revert(users regclass, transaction_id text, atomic boolean DEFAULT false, dry_run boolean DEFAULT false, api text DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN QUERY SELECT concat_ws(' ', s.id, s.action, s.changed, s.old, s.new, 'v' || s.version, s.error)
		FROM users_revert(users, transaction_id::xid8, atomic => atomic, dry_run => dry_run, api => api) s ORDER BY s.id COLLATE "C";
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN NEXT raised(SQLSTATE, CASE WHEN length(transaction_id) < 10 THEN replace(SQLERRM, ' ' || transaction_id || ' ', ' (of that id) ') ELSE SQLERRM END, detail);
END $$;
-- the transaction of a request
CREATE FUNCTION xid(users text, request text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	xid text;
BEGIN
	EXECUTE format('SELECT DISTINCT transaction_id FROM %I WHERE request_id = %L', users || '_history', request) INTO STRICT xid;
	RETURN xid;
END $$;
SELECT attribute_schema_define('{"id": "urn:regress:sync:User", "attributes": [{"name": "login", "required": true, "uniqueness": "server"},
	{"name": "dept"}, {"name": "title"}, {"name": "active", "type": "boolean"}, {"name": "badge", "mutability": "immutable"}, {"name": "made", "mutability": "readOnly"}]}');
SELECT api_profile_define('regress_sync', '{"schemas": ["urn:regress:sync:User"], "unknown_attributes": "reject"}', base => 'plain');
SELECT api_profile_define('regress_sync_refuse', '{"on_delete": "refuse"}', base => 'regress_sync');
SELECT api_profile_define('regress_sync_deactivate', '{"on_delete": "deactivate"}', base => 'regress_sync');
SELECT api_profile_define('regress_sync_page', '{"writable": ["title"]}', base => 'regress_sync');
CREATE FUNCTION begin_anew() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS people;
	PERFORM user_table_create('people', api => 'regress_sync');
	PERFORM users_bulk_put('people', '[{"id": "ann", "login": "ann", "dept": "lab"}, {"id": "bob", "login": "bob", "dept": "lab"},
		{"id": "cid", "login": "cid", "dept": "shop"}, {"id": "dot", "login": "dot", "dept": "shop", "active": false}]');
END $$;
SET client_min_messages = warning;
SELECT begin_anew();

--
-- Arguments
--
SELECT sync(NULL, '[]');
SELECT sync('people', '[]', missing => NULL);
SELECT sync('people', '[]', dry_run => NULL);
SELECT sync('people', '[]', patch => NULL);
SELECT sync('people', '[]', missing => 'Delete', scope => 'id eq "nobody"');
SELECT sync('people', '[]', missing => '');
SELECT sync('people', '[]', api => 'no such profile');
SELECT sync('people', 'null');
SELECT sync('people', '1');
SELECT sync('people', '{"users": []}');
SELECT sync('people', '[]', guard => 'null');
SELECT sync('people', '[]', guard => '[]');
SELECT sync('people', '[]', guard => '{}');
SELECT sync('people', '[]', guard => '{"deleted": null}');
SELECT sync('people', '[]', guard => '{"deleted": "NaN"}');
SELECT sync('people', '[]', guard => '{"deleted": true}');
SELECT sync('people', '[]', guard => '{"deleted": -0.0}');
SELECT sync('people', '[]', guard => '{"deleted": 1e400}');
SELECT sync('people', '[]', guard => '{"skipped": 1}');
SELECT sync('people', '[]', scope => '');
SELECT sync('people', '[]', scope => 'login eq "a" or');
SELECT sync('people', '[]', scope => 'shoe eq 1');
SELECT sync('people', '[]', match => '');
SELECT sync('people', '[]', match => 'shoe');
SELECT sync('people', '[]', match => 'active');
SELECT sync('people', '[]', match => 'id');
SELECT revert(NULL, '1');
SELECT revert('people', NULL);
SELECT revert('people', '1', atomic => NULL);
SELECT revert('people', '1', dry_run => NULL);
SELECT revert('people', '0');
SELECT revert('people', '18446744073709551615');
SELECT revert('people', pg_current_xact_id()::text, api => 'no such profile');

--
-- An empty feed: everybody is missing
--
SELECT sync('people', '[]');
SELECT sync('people', '[]', 'deactivate', dry_run => true);
SELECT sync('people', '[]', 'delete', guard => '{"deleted": 0.999999999999999999999}');
SELECT sync('people', '[]', 'delete', guard => '{"deleted": 3}');
SELECT sync('people', '[]', 'delete', guard => '{"deleted": 4}', dry_run => true);
-- a share is exact: 29 of 100 are 0.29 of them, 30 are more; of none anything is too much
SELECT user_table_create('hundred', api => 'regress_sync');
SELECT sync('hundred', '[{"id": "x", "login": "x"}]', guard => '{"created": 0.5}');
SELECT count(*) FROM users_sync('hundred', (SELECT jsonb_agg(jsonb_build_object('id', n::text, 'login', n::text)) FROM generate_series(1, 100) n));
CREATE FUNCTION last_ones(count int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', n::text, 'login', n::text)) FROM generate_series(101 - count, 100) n $$;
SELECT count(*) FROM sync('hundred', last_ones(71), 'delete', guard => '{"deleted": 0.29}', dry_run => true);
SELECT sync('hundred', last_ones(70), 'delete', guard => '{"deleted": 0.29}');
SELECT count(*) FROM hundred;
SELECT count(*) FROM sync('hundred', last_ones(71), 'delete', guard => '{"deleted": 0.29, "deactivated": 0, "changed": 0, "created": 0, "failed": 0, "reactivated": 0}');
SELECT count(*) FROM hundred;
DROP TABLE hundred;

--
-- Staging tables
--
CREATE TABLE staged (record bigint, body jsonb);
SELECT sync('people', NULL, staging => 'staged');
INSERT INTO staged VALUES (30, '{"id": "ann", "login": "ann", "dept": "third"}'), (NULL, '{"id": "bob", "login": "bob", "dept": "last"}'),
	(10, '{"id": "ann", "login": "ann", "dept": "first"}'), (20, NULL), (20, 'null'), (-1, '[]'), (9223372036854775807, '"text"'), (20, '{"id": "ann"}');
SELECT sync('people', NULL, staging => 'staged');
SELECT sync('people', NULL, 'delete', staging => 'staged');
SELECT sync('people', '[]', staging => 'staged');
-- what is none
CREATE TABLE no_body (record bigint, doc jsonb);
CREATE TABLE text_body (body text);
CREATE TABLE json_body (body json);
CREATE TABLE int_record (record int, body jsonb);
CREATE TABLE dropped (body jsonb);
ALTER TABLE dropped DROP body;
CREATE TABLE odd ("Body" jsonb);
CREATE SEQUENCE numbers;
CREATE INDEX staged_index ON staged (record);
SELECT s, sync('people', NULL, staging => s) FROM unnest('{no_body,text_body,json_body,int_record,dropped,odd,numbers,staged_index,people}'::regclass[]) s;
SELECT sync('people', NULL, staging => 0::regclass);
SELECT sync('people', NULL, staging => 4000000000::oid::regclass);
-- names that must be quoted; a temporary table before others of its name
CREATE TEMP TABLE staged (body jsonb);
INSERT INTO pg_temp.staged VALUES ('{"id": "ann", "login": "ann", "dept": "temporary"}');
SELECT sync('people', NULL, staging => 'pg_temp.staged');
DROP TABLE pg_temp.staged;
CREATE TABLE "a; DROP ""TABLE"" people" (body jsonb, "Record" int);
INSERT INTO "a; DROP ""TABLE"" people" VALUES ('{"id": "ann", "login": "ann", "dept": "quoted"}');
SELECT sync('people', NULL, staging => '"a; DROP ""TABLE"" people"');
DROP TABLE "a; DROP ""TABLE"" people", no_body, text_body, json_body, int_record, dropped, odd;
DROP SEQUENCE numbers;
-- a view that fails, partitions, a table that changes while it is read
CREATE VIEW failing AS SELECT body, 1 / (record - 30) AS record FROM staged WHERE record > 0;
SELECT sync('people', NULL, staging => 'failing');
DROP VIEW failing;
CREATE TABLE parted (body jsonb, record bigint) PARTITION BY RANGE (record);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 (record bigint, body jsonb);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES ('{"id": "eve", "login": "eve"}', 11), ('{"id": "ann", "login": "ann", "dept": "parted"}', 1);
SELECT sync('people', NULL, staging => 'parted');
DROP TABLE parted;
CREATE FUNCTION stage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO staged VALUES (1, jsonb_build_object('id', 'from trigger', 'login', 'from trigger'));
	RETURN NULL;
END $$;
CREATE TRIGGER stage AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION stage();
TRUNCATE staged;
INSERT INTO staged VALUES (1, '{"id": "ann", "login": "ann", "dept": "once"}');
SELECT sync('people', NULL, staging => 'staged');
SELECT sync('people', NULL, staging => 'staged');
DROP TRIGGER stage ON people;

--
-- Who may not: all that the call could need is asked for before anything is done
--
SELECT begin_anew();
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA regress_sync TO regress_sync_clerk;
\set feed '''[{"id": "ann", "login": "ann", "dept": "lab"}, {"id": "bob", "login": "bob", "dept": "hall"}, {"id": "eve", "login": "eve"}]'''
RESET SESSION AUTHORIZATION;
SET ROLE regress_sync_clerk;
SET search_path = regress_sync, userstore;
SELECT sync('people', :feed, 'delete');
SELECT sync('people', '[]', dry_run => true);
SELECT revert('people', '3');
SET ROLE regress_sync;
GRANT SELECT ON people TO regress_sync_clerk;
SET ROLE regress_sync_clerk;
SELECT sync('people', :feed, 'delete');
SELECT revert('people', '3');
SET ROLE regress_sync;
GRANT UPDATE ON people TO regress_sync_clerk;
SET ROLE regress_sync_clerk;
SELECT sync('people', :feed, 'delete', dry_run => true);
SELECT sync('people', :feed, 'deactivate', dry_run => true);
SELECT sync('people', '[{"id": "bob", "login": "bob", "dept": "hall"}]', dry_run => true);
SELECT sync('people', '[]', staging => 'staged');
SELECT sync('people', NULL, staging => 'staged');
SET ROLE regress_sync;
GRANT INSERT ON people TO regress_sync_clerk;
GRANT SELECT (record) ON staged TO regress_sync_clerk;
SET ROLE regress_sync_clerk;
SELECT sync('people', :feed, 'delete', dry_run => true);
SELECT sync('people', :feed, 'deactivate', dry_run => true);
SELECT sync('people', NULL, staging => 'staged');
SET ROLE regress_sync;
GRANT DELETE ON people TO regress_sync_clerk;
GRANT SELECT ON staged TO regress_sync_clerk;
ALTER TABLE staged ENABLE ROW LEVEL SECURITY;
SET ROLE regress_sync_clerk;
SELECT sync('people', :feed, 'delete', dry_run => true);
-- of the feed it sees nothing: then everybody is missing
SELECT sync('people', NULL, 'delete', staging => 'staged', guard => '{"deleted": 0.5}');

--
-- Users who are hidden are not missing; those who are seen but may not be
-- changed fail
--
SET ROLE regress_sync;
DROP TABLE staged;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON people TO regress_sync_clerk USING (document ->> 'dept' <> 'shop');
CREATE POLICY added ON people FOR INSERT TO regress_sync_clerk WITH CHECK (true);
SET ROLE regress_sync_clerk;
SELECT sync('people', '[]', 'delete', guard => '{"deleted": 1}');
SELECT sync('people', '[{"id": "ann", "login": "ann", "dept": "lab"}, {"id": "cid", "login": "cid", "dept": "lab"}, {"id": "eve", "login": "dot"}]', 'delete', dry_run => true);
SELECT sync('people', '[{"login": "cid"}]', 'deactivate', match => 'login', dry_run => true);
-- nor may they be made so
SELECT sync('people', '[{"id": "ann", "login": "ann", "dept": "shop"}, {"id": "bob", "login": "bob", "dept": "lab"}]', 'delete');
SET ROLE regress_sync;
DROP POLICY seen ON people;
CREATE POLICY seen ON people FOR SELECT TO regress_sync_clerk USING (true);
CREATE POLICY changed ON people FOR UPDATE TO regress_sync_clerk USING (id <> 'ann');
CREATE POLICY deleted ON people FOR DELETE TO regress_sync_clerk USING (id <> 'bob');
SET ROLE regress_sync_clerk;
SELECT sync('people', '[{"id": "ann", "login": "ann", "dept": "hall"}, {"id": "cid", "login": "cid", "dept": "hall"}]', 'delete', dry_run => true);
SELECT sync('people', '[]', 'deactivate', dry_run => true);
SET ROLE regress_sync;
SELECT count(*), max(version) FROM people;
-- the owner reverts, the clerk may see but not change ann
SELECT count(*) FROM users_sync('people', '[{"id": "ann", "login": "a"}, {"id": "cid", "login": "c"}]', request_id => 'r1');
SET ROLE regress_sync_clerk;
SET search_path = regress_sync, userstore;
SELECT revert('people', (SELECT max(transaction_id::text) FROM userstore.users_changes('people') WHERE request_id = 'r1'), dry_run => true);
SELECT revert('people', (SELECT max(transaction_id::text) FROM userstore.users_changes('people') WHERE request_id = 'r1'), atomic => true);
RESET ROLE;
SET SESSION AUTHORIZATION regress_sync;
SET search_path = regress_sync, userstore;

--
-- Profiles: what is deleted, what may be written, what is set once
--
SELECT begin_anew();
SELECT sync('people', '[]', 'delete', api => 'regress_sync_refuse');
SELECT sync('people', '[]', 'deactivate', api => 'regress_sync_refuse', scope => 'dept eq "shop"', dry_run => true);
SELECT sync('people', '[{"id": "dot", "login": "dot"}]', 'delete', api => 'regress_sync_deactivate', dry_run => true);
SELECT sync('people', '[]', 'delete', api => 'regress_sync_deactivate', guard => '{"deactivated": 2}');
SELECT sync('people', '[]', 'delete', api => 'regress_sync_deactivate', guard => '{"deleted": 0}', dry_run => true);
SELECT sync('people', '[{"id": "ann", "title": "Dr", "dept": "hall"}, {"id": "eve", "title": "Dr"}]', 'deactivate', api => 'regress_sync_page', patch => true, dry_run => true);
SELECT count(*) FROM users_sync('people', '[{"id": "ann", "login": "ann", "badge": "1"}, {"id": "eve", "login": "eve"}]', request_id => 'badges');
SELECT sync('people', '[{"id": "ann", "login": "ann", "badge": "2", "made": "here"}]');
SELECT revert('people', xid('people', 'badges'), api => 'regress_sync_refuse');
SELECT revert('people', xid('people', 'badges'), api => 'regress_sync_page', dry_run => true);
SELECT revert('people', xid('people', 'badges'), api => 'regress_sync_deactivate', dry_run => true);
SELECT revert('people', xid('people', 'badges'));
SELECT id, document, version FROM people WHERE id IN ('ann', 'eve');
-- those whom nothing can deactivate
SELECT user_table_create('staff', api => 'zluri');
SELECT sync('staff', '[{"id": "1", "user_name": "Ann"}]', 'deactivate');
SELECT sync('staff', '[{"id": "1", "user_name": "Ann"}]', 'delete');
DROP TABLE staff;
-- of a plain table without schemas anything can say so; only false is inactive
SELECT user_table_create('things');
SELECT sync('things', '[{"id": "1", "active": "no"}, {"id": "2", "active": 0}, {"id": "3"}, {"id": "4", "active": false}, {"id": "5", "Active": false}]');
SELECT sync('things', '[{"id": "4"}]', 'deactivate');
SELECT sync('things', '[{"id": "5", "Active": false}, {"id": "4", "active": "no"}]', 'deactivate');
SELECT sync('things', '[{"id": "5", "x": 1}, {"id": "4"}, {"id": "1", "active": null}]', 'deactivate', patch => true);
DROP TABLE things;

--
-- Whom a record is about
--
SELECT begin_anew();
-- one value to match, two users; one user, two values
SELECT count(*) FROM users_sync('people', '[{"id": "ann", "login": "ann", "title": "Dr"}, {"id": "bob", "login": "bob", "title": "Dr"}]');
SELECT sync('people', '[{"title": "Dr", "login": "x"}]', 'delete', match => 'title', dry_run => true);
SELECT sync('people', '[{"id": "ann", "login": "anna", "title": "Dr"}, {"login": "bob"}, {"login": "cid"}, {"login": "dot"}]', 'delete', match => 'login', patch => true, dry_run => true);
SELECT sync('people', '[{"id": "bob", "login": "ann"}]', match => 'login', dry_run => true);
SELECT sync('people', '[{"id": "ann", "login": "ANN", "title": "1"}, {"login": "Ann", "title": "2"}]', 'delete', match => 'login', scope => 'login eq "ann"');
SELECT sync('people', '[{"id": "", "login": "bob"}, {"id": 7, "login": "seven"}, {"id": {}, "login": "eight"}]', match => 'login');
SELECT sync('people', '[{"id": "7", "login": "seven"}, {"id": 7.0, "login": "seven"}]');

--
-- Transactions: several syncs in one, a sync that is rolled back, what else is
-- done in one
--
SELECT begin_anew();
BEGIN;
SELECT sync('people', '[{"id": "ann", "login": "ann", "dept": "1"}]');
SELECT sync('people', '[{"id": "ann", "login": "ann", "dept": "2"}, {"id": "bob", "login": "ann"}]', 'delete');
SAVEPOINT s;
SELECT sync('people', '[]', 'delete');
ROLLBACK TO s;
SELECT user_patch('people', 'ann', '{"title": "Dr"}', request_id => 'all of it') ->> 'title';
COMMIT;
SELECT user_id, version, operation, changed FROM people_history WHERE transaction_id::text = xid('people', 'all of it') ORDER BY 1, 2;
SELECT revert('people', xid('people', 'all of it'));
SELECT id, document, version FROM people ORDER BY id;
-- again: an error that reaches the caller without anybody's help
SELECT revert('people', xid('people', 'all of it'));
SELECT xid('people', 'all of it') AS xid \gset
SELECT * FROM users_revert('people', :'xid', atomic => true);
SELECT * FROM users_sync('people', '[{"id": "ann", "login": "x"}, {"id": "ann", "login": "y"}]', guard => '{"failed": 0}');
-- in the transaction itself
BEGIN;
SELECT sync('people', '[{"id": "eve", "login": "eve"}, {"id": "ann", "login": "ann"}]');
SELECT revert('people', pg_current_xact_id()::text);
SELECT id, document FROM people WHERE id IN ('ann', 'eve');
SELECT revert('people', pg_current_xact_id()::text);
COMMIT;
-- another table's
SELECT user_table_create('others', api => 'regress_sync');
SELECT revert('others', xid('people', 'all of it'));
DROP TABLE others;

--
-- A past that is not as it was: purged, erased, forged, another era's
--
SELECT begin_anew();
SELECT count(*) FROM users_sync('people', '[{"id": "ann", "login": "ann", "title": "1"}, {"id": "bob", "login": "bob", "title": "1"}, {"id": "cid", "login": "cid", "title": "1"},
	{"id": "eve", "login": "eve"}]', missing => 'delete', request_id => 'first');
SELECT versions > 0 AS erased FROM user_erase('people', 'bob');
SELECT revert('people', xid('people', 'first'), dry_run => true);
BEGIN;
DELETE FROM people_history WHERE user_id = 'ann' AND version = 1;
UPDATE people_history SET document = '{"login": "cid", "dept": "forged"}' WHERE user_id = 'cid' AND version = 1;
DELETE FROM people_history WHERE user_id = 'dot' AND version = 1;
SELECT revert('people', xid('people', 'first'), dry_run => true);
SELECT revert('people', xid('people', 'first'), atomic => true, dry_run => true);
UPDATE people_history SET document = '"no object"' WHERE user_id = 'cid' AND version = 1;
SELECT revert('people', xid('people', 'first'), dry_run => true);
-- a value that another has, attributes that there are not, versions that never were
UPDATE people_history SET document = '{"login": "ann", "shoe": 42}' WHERE user_id = 'cid' AND version = 1;
UPDATE people_history SET version = 7 WHERE user_id = 'eve';
SELECT revert('people', xid('people', 'first'), dry_run => true);
UPDATE people_history SET document = '{"login": "cid", "shoe": 42}' WHERE user_id = 'cid' AND version = 1;
SELECT revert('people', xid('people', 'first'), dry_run => true);
ROLLBACK;
-- all but the newest are gone
SELECT user_history_purge('people', now()) > 0 AS purged;
SELECT revert('people', xid('people', 'first'));
SELECT sync('people', '[{"id": "ann", "login": "ann", "title": "2"}]');
UPDATE people_history SET era = era + 1 WHERE request_id = 'first';
SELECT revert('people', xid('people', 'first'));

--
-- Tables that an app has: attributes in columns, foreign keys, what is refused
--
CREATE TABLE dept (id text PRIMARY KEY);
INSERT INTO dept VALUES ('lab'), ('shop');
CREATE TABLE app (no int PRIMARY KEY, login text NOT NULL, dept text REFERENCES dept, enabled boolean, CONSTRAINT not_root CHECK (login <> 'root'));
CREATE UNIQUE INDEX ON app (lower(login));
CREATE TABLE badge (id int PRIMARY KEY, owner int REFERENCES app);
INSERT INTO app VALUES (1, 'ann', 'lab', true), (2, 'bob', 'lab', true), (3, 'cid', 'shop', false);
INSERT INTO badge VALUES (1, 2);
SELECT user_table_attach('app', columns => '{"login": "login", "dept": "dept", "active": "enabled"}', api => 'regress_sync');
SELECT sync('app', '[{"id": 1, "login": "ann", "dept": "none"}, {"id": 4, "login": "root"}, {"id": 5, "login": "eve", "title": "Dr"}, {"id": "x", "login": "x"}]', dry_run => true);
SELECT sync('app', '[{"id": 1, "login": "ann", "dept": "none"}, {"id": "x", "login": "x"}]', 'delete');
SELECT count(*) FROM users_sync('app', '[{"id": 1, "login": "anna", "title": "Dr"}, {"id": 5, "login": "eve", "title": "Dr"}]', missing => 'delete', request_id => 'app');
SELECT a.*, user_document('app', a) FROM app a ORDER BY 1;
SELECT user_id, version, operation, changed FROM app_history ORDER BY 1, 2;
SELECT revert('app', xid('app', 'app'));
SELECT a.*, user_document('app', a) FROM app a ORDER BY 1;
DROP TABLE badge, app, dept;

--
-- Partitions
--
SELECT user_table_create('parted', api => 'regress_sync', partitions => 3);
SELECT count(*) FROM users_sync('parted', '[{"id": "ann", "login": "ann"}, {"id": "bob", "login": "bob"}, {"id": "cid", "login": "cid"}]');
SELECT sync('parted', '[{"id": "ann", "login": "bob"}, {"id": "dot", "login": "cid"}]', 'delete', dry_run => true);
SELECT count(*) FROM users_sync('parted', '[{"id": "ann", "login": "bob"}, {"id": "dot", "login": "cid"}]', missing => 'delete', request_id => 'round');
SELECT revert('parted', xid('parted', 'round'));
SELECT id, document FROM parted ORDER BY 1;
DROP TABLE parted;

--
-- Tenants
--
SELECT user_table_create('firms', api => 'regress_sync', tenant_column => 'firm');
SELECT sync('firms', '[]');
SELECT tenant_grant('firms', 'A', 'regress_sync_clerk'), tenant_grant('firms', 'B', 'regress_sync_clerk');
GRANT SELECT, INSERT, UPDATE, DELETE ON firms TO regress_sync_clerk;
RESET SESSION AUTHORIZATION;
SET ROLE regress_sync_clerk;
SET search_path = regress_sync, userstore;
SELECT sync('firms', '[]');
SET userstore.tenant = 'A';
SELECT sync('firms', '[{"id": "ann", "login": "ann"}, {"id": "bob", "login": "bob"}]');
SET userstore.tenant = 'B';
SELECT count(*) FROM users_sync('firms', '[{"id": "ann", "login": "ann", "dept": "B"}, {"id": "eve", "login": "eve"}]', request_id => 'B');
SET userstore.tenant = 'A';
SELECT sync('firms', '[{"id": "eve", "login": "bob"}]', 'delete', guard => '{"deleted": 2}');
SELECT revert('firms', (SELECT DISTINCT transaction_id::text FROM users_changes('firms') WHERE version = 1 AND id = 'eve'), dry_run => true);
SET userstore.tenant = 'B';
SELECT transaction_id AS b FROM users_changes('firms') LIMIT 1 \gset
SELECT sync('firms', '[{"id": "ann", "login": "ann", "dept": "B"}, {"id": "eve", "login": "eve"}]', 'delete', guard => '{"deleted": 0}');
SET userstore.tenant = 'A';
SELECT revert('firms', :'b');
SET userstore.tenant = 'C';
SELECT sync('firms', '[]', 'delete');
SET userstore.tenant = 'B';
SELECT revert('firms', :'b');
RESET userstore.tenant;
SET ROLE regress_sync;
SELECT firm, id, document FROM firms ORDER BY 1, 2;

--
-- Hooks and triggers that refuse, change and drop
--
SELECT begin_anew();
CREATE FUNCTION hook(users regclass, id text, operation text, old jsonb, new jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	IF id = 'bob' THEN
		RAISE EXCEPTION 'bob stays as he is' USING ERRCODE = 'PT403';
	END IF;
	RETURN new || '{"title": "hooked"}';
END $$;
SELECT user_table_set('people', 'before_update', 'regress_sync.hook');
SELECT sync('people', '[{"id": "ann", "login": "ann", "dept": "lab"}, {"id": "eve", "login": "eve"}]', 'deactivate');
SELECT user_id, version, operation, changed, document FROM people_history WHERE version > 1 OR user_id = 'eve' ORDER BY 1, 2;
SELECT user_table_set('people', 'before_update', NULL);
CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER drop_it BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION drop_it();
SELECT sync('people', '[]', 'delete');
DROP TRIGGER drop_it ON people;
-- one that changes what is written, and is for deletions as well
CREATE FUNCTION capital() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		RETURN OLD;
	END IF;
	NEW.document := jsonb_set(NEW.document, '{dept}', to_jsonb(upper(NEW.document ->> 'dept')));
	RETURN NEW;
END $$;
CREATE TRIGGER capital BEFORE INSERT OR UPDATE OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION capital();
SELECT sync('people', '[{"id": "fay", "login": "fay", "dept": "hall"}, {"id": "eve", "login": "eve", "dept": "hall"}]');
SELECT jsonb_agg(i -> 'status') FROM jsonb_array_elements(users_bulk_put('people', '[{"id": "gus", "login": "gus", "dept": "hall"}, {"id": "fay", "login": "fay", "dept": "lobby"}]')) i;
SELECT h.user_id, h.version, h.changed, h.document, h.document = p.document AS stands FROM people_history h JOIN people p ON p.id = h.user_id AND p.version = h.version
	WHERE h.user_id IN ('eve', 'fay', 'gus') ORDER BY 1;

DROP TABLE people, firms;
SELECT api_profile_drop(name) FROM unnest('{regress_sync_page,regress_sync_deactivate,regress_sync_refuse,regress_sync}'::text[]) name;
SELECT attribute_schema_drop('urn:regress:sync:User');
RESET ROLE;
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_sync CASCADE;
DROP ROLE regress_sync, regress_sync_clerk;
