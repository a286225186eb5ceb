--
-- users_sync: a complete feed against a table
--
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET search_path = public, userstore;
CREATE ROLE regress_hr;
GRANT ALL ON SCHEMA public TO regress_hr;
SET ROLE regress_hr;

-- What a statement gives, or its error.
CREATE FUNCTION answer(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN QUERY EXECUTE format('SELECT concat_ws(''|'', s.*) FROM (%s) s', statement);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

SELECT user_table_create('staff', api => 'scim');

-- What there is, and how it came about.
CREATE FUNCTION state() RETURNS SETOF text LANGUAGE sql AS
	'SELECT concat_ws(''|'', id, version, document) FROM staff ORDER BY id COLLATE "C"';
CREATE FUNCTION story() RETURNS SETOF text LANGUAGE sql AS
	'SELECT concat_ws(''|'', user_id, version, operation, changed) FROM staff_history ORDER BY user_id COLLATE "C", version';

-- A preview: nothing is there after it.
SELECT count(*) FROM users_sync('staff', '[
	{"id": "ann", "userName": "ann", "externalId": "1", "title": "Engineer", "active": true, "department": "x"},
	{"id": "bob", "userName": "bob", "externalId": "2", "title": "Engineer", "active": true},
	{"id": "cyd", "userName": "cyd", "externalId": "3", "active": false},
	{"id": "dan", "userName": "dan", "externalId": "4", "title": "Manager", "active": true}]', dry_run => true);
SELECT * FROM state();

-- Users who are not there are created, whatever the profile says of PUT.
SELECT id, action, changed, old, new, version, record, error, transaction_id IS NOT NULL FROM users_sync('staff', '[
	{"id": "ann", "userName": "ann", "externalId": "1", "title": "Engineer", "active": true},
	{"id": "bob", "userName": "bob", "externalId": "2", "title": "Engineer", "active": true},
	{"id": "cyd", "userName": "cyd", "externalId": "3", "active": false},
	{"id": "dan", "userName": "dan", "externalId": "4", "title": "Manager", "active": true}]');
SELECT * FROM state();

-- The preview, and the run that it is of: a record that says nothing of active
-- leaves that as it is, but makes an inactive user active.
CREATE FUNCTION feed() RETURNS jsonb LANGUAGE sql AS $$SELECT '[
	{"id": "ann", "userName": "ann", "externalId": "1", "title": "Lead"},
	{"id": "cyd", "userName": "cyd", "externalId": "3"},
	{"id": "dan", "userName": "dan", "externalId": "4", "title": "Manager", "active": false},
	{"id": "eve", "userName": "eve", "name": {"familyName": "Ernst"}, "emails": [{"value": "e@example.com"}]}]'::jsonb$$;
CREATE TABLE preview AS SELECT * FROM users_sync('staff', feed(), missing => 'deactivate', dry_run => true);
SELECT * FROM preview;
SELECT * FROM state();
CREATE TABLE run AS SELECT * FROM users_sync('staff', feed(), missing => 'deactivate');
SELECT count(*), count(DISTINCT transaction_id), count(transaction_id) FROM run;
ALTER TABLE preview DROP transaction_id;
ALTER TABLE run DROP transaction_id;
(TABLE preview EXCEPT TABLE run) UNION ALL (TABLE run EXCEPT TABLE preview);
SELECT * FROM state();
SELECT * FROM story();
-- One transaction, one request.
SELECT count(DISTINCT transaction_id), count(DISTINCT request_id), bool_and(length(request_id) = 36) FROM staff_history WHERE version > 1;
-- The same again changes nothing.
SELECT * FROM users_sync('staff', feed(), missing => 'deactivate');
SELECT * FROM users_sync('staff', feed(), missing => 'ignore', request_id => 'night 2') WHERE action <> 'changed';
SELECT DISTINCT request_id FROM staff_history WHERE request_id LIKE 'night%';

-- Deleting. Missing users come first, so that what they had is free; others of
-- the feed may exchange what is unique.
SELECT id, action, old, new, version, record, error FROM users_sync('staff', '[
	{"id": "ann", "userName": "cyd"}, {"id": "cyd", "userName": "dan"}, {"id": "dan", "userName": "ann"},
	{"id": "fay", "userName": "bob"}]', missing => 'delete');
SELECT * FROM state();

-- What fails, fails alone, and is not missing for that.
SELECT id, action, old, new, version, record, error FROM users_sync('staff', '[
	{"id": "ann", "userName": ""}, {"id": "cyd", "userName": "dan", "nobody": 1}, {"id": "dan"},
	{"id": "fay", "userName": "fay"}, {"id": "FAY", "userName": "fay"}, {"id": "fay", "userName": "bob"}, "gus", {"userName": "hal"}]');
SELECT * FROM state();
SELECT id, action, error FROM users_sync('staff', '[{"id": "ann", "userName": 1}, {"id": "cyd", "userName": "dan"}, {"id": "dan", "userName": "ann"}]',
	missing => 'delete');
-- But nobody may be missing for a record that tells nothing.
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "ann"}, {"userName": "hal"}]', missing => 'deactivate')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "ann"}, 17]', missing => 'delete')$$);
SELECT * FROM state();

-- By an attribute.
SELECT id, action, changed, version, error FROM users_sync('staff', '[
	{"externalId": "9", "userName": "ANN", "title": "Lead"}, {"externalId": "10", "userName": "dan"}]', match => 'userName', patch => true);
SELECT action, changed, old, new, error FROM users_sync('staff', '[
	{"externalId": "9", "title": "Boss"}, {"externalId": "11", "userName": "ida", "emails": [{"value": "i@example.com", "type": "work"}]}, {"title": "x"}]',
	match => 'externalId', patch => true);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"externalId": "9"}, {"title": "x"}]', match => 'externalId', missing => 'delete')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', match => 'emails.value')$$);
-- Who has no value of it is not of the feed; so kim stays, who has none.
SELECT user_create('staff', '{"userName": "kim"}', id => 'kim') ->> 'id';
SELECT old ->> 'userName', action, error FROM users_sync('staff', '[{"externalId": "9"}]', match => 'externalId', missing => 'delete', patch => true)
	ORDER BY old ->> 'userName' COLLATE "C";
SELECT count(*), count(*) FILTER (WHERE id = 'kim') FROM staff;

-- A scope: the feed is complete for those whom it matches.
SELECT count(*) FROM users_sync('staff', (SELECT jsonb_agg(jsonb_build_object('id', 'u' || i, 'userName', 'u' || i, 'active', true,
	'userType', CASE WHEN i <= 10 THEN 'Employee' ELSE 'Guest' END)) FROM generate_series(1, 20) i));
SELECT id, action, old, new FROM users_sync('staff', '[{"id": "u1", "userName": "u1", "userType": "Employee", "active": true},
	{"id": "u11", "userName": "u11", "userType": "Employee", "active": true}]', missing => 'deactivate', scope => 'userType eq "employee"') ORDER BY id COLLATE "C";
SELECT count(*) FROM staff WHERE document -> 'active' = 'true';
SELECT id, action FROM users_sync('staff', '[]', missing => 'delete', scope => 'id eq "u12" or meta.version eq "W/\"7\""');
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', scope => 'shoeSize gt 40')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', scope => 'userName eq')$$);

-- Guards, at the limit and above it: 11 are in scope now, 9 of whom are inactive.
SELECT count(*) FROM staff WHERE document ->> 'userType' = 'Employee';
SELECT action, count(*) FROM users_sync('staff', '[]', missing => 'delete', scope => 'userType eq "Employee"', guard => '{"deleted": 11}', dry_run => true)
	GROUP BY action;
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', missing => 'delete', scope => 'userType eq "Employee"', guard => '{"deleted": 10}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', missing => 'delete', scope => 'userType eq "Employee"', guard => '{"deleted": 0.99}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', missing => 'deactivate', scope => 'userType eq "Employee"', guard => '{"deactivated": 0.18}')$$);
SELECT count(*) FROM users_sync('staff', '[]', missing => 'deactivate', scope => 'userType eq "Employee"', guard => '{"deactivated": 0.19}', dry_run => true);
-- A record that says so deactivates as well.
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "u13", "active": false}, {"id": "u14", "active": false}]', patch => true,
	guard => '{"deactivated": 1, "created": 0}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "u1", "active": "?"}, {"id": "u14", "title": "x"}]', patch => true, guard => '{"failed": 0}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "u1", "active": "?"}, {"id": "u14", "title": "x"}]', patch => true, guard => '{"failed": 0.4}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "u14", "title": "x"}]', patch => true, guard => '{"changed": 0}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[{"id": "new", "userName": "new"}]', guard => '{"created": 0}')$$);
-- Its preview comes with a warning.
SELECT id, action FROM users_sync('staff', '[{"id": "new", "userName": "new"}]', guard => '{"created": 0}', dry_run => true);
SELECT count(*) FROM staff WHERE id = 'new';
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', guard => '{"deactivate": 0.05}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', guard => '{"deleted": "5%"}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', guard => '{"deleted": -1}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', guard => '{"deleted": 1.5}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', guard => '0.05')$$);

-- A staging table, or a view of one.
CREATE TABLE incoming (line integer, login text, surname text);
INSERT INTO incoming VALUES (1, 'u1', 'Ulm'), (2, 'u2', 'Unger'), (3, NULL, 'Nobody'), (4, 'u1', 'Again');
CREATE VIEW feed_of_incoming AS
	SELECT line::bigint AS record, jsonb_build_object('userName', login, 'name', jsonb_build_object('familyName', surname)) AS body FROM incoming;
SELECT id, action, new, record, error FROM users_sync('staff', match => 'userName', patch => true, staging => 'feed_of_incoming');
SELECT * FROM answer($$SELECT * FROM users_sync('staff', match => 'userName', missing => 'delete', staging => 'feed_of_incoming')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', staging => 'incoming')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', staging => 'incoming')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '{}')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', missing => 'forget')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('staff', '[]', missing => NULL)$$);
SELECT * FROM answer($$SELECT * FROM users_sync('incoming', '[]')$$);

-- Who is inactive is said otherwise elsewhere: by the statuses of the profile.
SELECT user_table_create('identities', api => 'oig');
SELECT id, action, new FROM users_sync('identities', '{"users": [{"id": "1", "fields": [{"name": "User Login", "value": "ANN"}, {"name": "Status", "value": "Active"}]},
	{"id": "2", "fields": [{"name": "User Login", "value": "BOB"}]}, {"id": "3", "fields": [{"name": "User Login", "value": "CYD"}, {"name": "Status", "value": "Disabled"}]}]}');
SELECT id, action, old, new FROM users_sync('identities', '{"users": [{"id": "1", "fields": []}, {"id": "3", "fields": []}]}', missing => 'deactivate');
SELECT id, document FROM identities ORDER BY id;
-- Or nothing says it; and some are never deleted.
SELECT user_table_create('parties', api => 'cpq');
SELECT * FROM answer($$SELECT * FROM users_sync('parties', '[]', missing => 'deactivate')$$);
SELECT * FROM answer($$SELECT * FROM users_sync('parties', '[]', missing => 'delete')$$);

-- Each wants the value of the next one, and the last that of one who keeps it:
-- nobody gets any, and that is found at once, not one by one.
SELECT user_table_create('queue', api => 'scim');
SELECT count(*) FROM users_sync('queue', (SELECT jsonb_agg(jsonb_build_object('id', i::text, 'userName', 'place ' || i)) FROM generate_series(1, 4000) i));
SET statement_timeout = '60s';
SELECT action, error, count(*) FROM users_sync('queue', (SELECT jsonb_agg(jsonb_build_object('id', i::text, 'userName', 'place ' || i + 1)) FROM generate_series(1, 3999) i))
	GROUP BY action, error;
SELECT action, error, count(*) FROM users_sync('queue', (SELECT jsonb_agg(jsonb_build_object('id', i::text, 'userName', 'place ' || i + 1) ORDER BY i::text COLLATE "C")
	FROM generate_series(1, 3999) i)) GROUP BY action, error;
-- With the one who keeps it all move up.
SELECT action, error, count(*) FROM users_sync('queue', (SELECT jsonb_agg(jsonb_build_object('id', i::text, 'userName', 'place ' || i + 1) ORDER BY i::text COLLATE "C")
	FROM generate_series(1, 4000) i)) GROUP BY action, error;
RESET statement_timeout;

-- Ids may be numbers, as keys are.
SELECT user_table_create('numbered', api => 'scim', id_type => 'bigint');
SELECT id, action, new, error FROM users_sync('numbered', '[{"id": 7, "userName": "ann"}, {"id": "008", "userName": "bob"}, {"id": 8.5, "userName": "cyd"}, {"id": true, "userName": "dan"}]');
SELECT id, action, old, new FROM users_sync('numbered', '[{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "id": 7,
	"Operations": [{"op": "add", "path": "title", "value": "Dr."}]}, {"id": 8}]', missing => 'delete', patch => true);

DROP VIEW feed_of_incoming;
DROP TABLE staff, identities, parties, numbered, queue, incoming, preview, run;
DROP FUNCTION state, story, feed, answer;
RESET ROLE;
REVOKE ALL ON SCHEMA public FROM regress_hr;
DROP ROLE regress_hr;
