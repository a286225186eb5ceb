--
-- Partitioned user tables: unique attributes are kept so by a table of claims
--
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_partition;
CREATE SCHEMA regress_partition AUTHORIZATION regress_partition;
SET ROLE regress_partition;
SET search_path = regress_partition, userstore;
CREATE FUNCTION answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
	state text; message text; detail text; hint text; name text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN result #- '{meta,created}' #- '{meta,lastModified}';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, name = CONSTRAINT_NAME;
	RETURN format('%s %s | %s | %s | %s', state, message, detail, hint, name);
END $$;
SELECT answer($$user_table_create('people', partitions => 0)::text::jsonb$$);
SELECT answer($$user_table_create('people', partitions => 1025)::text::jsonb$$);
SELECT user_table_create('people', 'scim', partitions => 8);
SELECT c.relname, c.relkind, pg_get_partkeydef(c.oid), (SELECT count(*) FROM pg_inherits WHERE inhparent = c.oid), c.reloptions
	FROM pg_class c WHERE relnamespace = 'regress_partition'::regnamespace AND relkind IN ('r', 'p') AND relname !~ '_p[1-7]$' ORDER BY relname;
SELECT unique_columns, claims FROM user_table WHERE users = 'people'::regclass;
-- one at a time
SELECT answer($$user_create('people', '{"userName": "ann", "externalId": "1"}', 'a')$$);
SELECT answer($$user_create('people', '{"userName": "ANN"}', 'b')$$);
SELECT answer($$user_create('people', '{"userName": "bob"}', 'a')$$);
SELECT answer($$user_create('people', '{"userName": "bob"}', 'b')$$);
SELECT answer($$user_patch('people', 'b', '{"userName": "Ann"}')$$);
SELECT answer($$user_patch('people', 'b', '{"title": "T"}')$$);
SELECT answer($$user_patch('people', 'a', '{"userName": "anna"}')$$);
SELECT answer($$user_patch('people', 'b', '{"userName": "ann"}')$$);
SELECT attribute, value, user_id FROM people_unique ORDER BY 1, 2;
-- in bulk: one gives up what another takes, and names change hands
SELECT i ->> 'id' AS id, coalesce(i ->> 'userName', i ->> 'detail') AS name
	FROM users_bulk_put('people', '[{"id": "a", "userName": "x"}, {"id": "b", "userName": "anna"}, {"id": "a", "userName": "ann"}, {"id": "b", "userName": "ANN"}, {"id": "b", "userName": "x"}]') b, jsonb_array_elements(b -> 'Resources') i;
SELECT attribute, value, user_id FROM people_unique ORDER BY 1, 2;
SELECT jsonb_path_query_array(users_list('people', 'userName eq "X"'), '$.Resources[*].id'), jsonb_path_query_array(users_list('people', 'userName eq "gone"'), '$.Resources[*].id');
-- by plain SQL
INSERT INTO people (id, document) VALUES ('c', '{"userName": "ann"}');
INSERT INTO people (id, document) VALUES ('c', '{"userName": "cid"}'), ('d', '{"userName": "dan"}'), ('e', '{}');
UPDATE people SET document = '{"userName": "CID"}' WHERE id = 'd';
UPDATE people SET document = '{"userName": "dan2"}' WHERE id = 'd';
UPDATE people SET id = 'f' WHERE id = 'd';
DELETE FROM people WHERE id = 'c';
SELECT attribute, value, user_id FROM people_unique ORDER BY 1, 2;
SELECT user_id, version, operation FROM people_history WHERE user_id IN ('c', 'd', 'f') ORDER BY 1, 2;
SELECT answer($$user_delete('people', 'f')$$);
SELECT answer($$user_create('people', '{"userName": "dan2"}', 'd')$$);
SELECT count(*) = count(DISTINCT tableoid) AS spread, count(*) FROM (SELECT DISTINCT ON (tableoid) tableoid FROM people) p;
-- a schema that calls more attributes unique, or fewer
SELECT attribute_schema_define('{"id": "urn:regress:partition:User", "attributes": [{"name": "login"}, {"name": "number", "type": "decimal", "uniqueness": "server"}]}');
SELECT user_table_create('staff', schemas => '{urn:regress:partition:User}', partitions => 2);
SELECT answer($$user_create('staff', '{"login": "ann", "number": 1.0}', 'a')$$), answer($$user_create('staff', '{"login": "ANN", "number": 1}', 'b')$$), answer($$user_create('staff', '{"login": "ANN", "number": 2}', 'b')$$);
SELECT attribute_schema_define('{"id": "urn:regress:partition:User", "attributes": [{"name": "login", "uniqueness": "server"}, {"name": "number", "type": "decimal"}]}');
SELECT answer($$user_table_refresh('staff')::text::jsonb$$);
SELECT answer($$user_patch('staff', 'b', '{"login": "bob"}')$$);
SELECT user_table_refresh('staff');
SELECT attribute, value, user_id FROM staff_unique ORDER BY 1, 2;
SELECT answer($$user_patch('staff', 'b', '{"number": 1, "login": "Ann"}')$$);
TRUNCATE staff;
SELECT count(*) FROM staff_unique;
SELECT user_id, version, operation FROM staff_history ORDER BY 1, 2;
-- with tenants
SELECT user_table_create('members', 'scim', partitions => 4, tenant_column => 'org');
SET userstore.tenant = 'A';
SELECT answer($$user_create('members', '{"userName": "ann"}', 'a')$$);
SET userstore.tenant = 'B';
SELECT answer($$user_create('members', '{"userName": "ann"}', 'a')$$), answer($$user_create('members', '{"userName": "ann"}', 'b')$$);
TABLE members_unique;
RESET userstore.tenant;
-- a user who is given to another tenant, or another id in the same partition, takes his names along
UPDATE members SET org = 'C' WHERE org = 'B';
UPDATE members SET id = to_id FROM (SELECT i::text AS to_id FROM generate_series(1, 100) i
	WHERE satisfies_hash_partition('members'::regclass, 4, (SELECT right(tableoid::regclass::text, 1)::int FROM members WHERE org = 'C'), i::text) LIMIT 1) n
	WHERE org = 'C';
SELECT c.tenant, c.value, c.user_id = m.id AS is_mine FROM members_unique c, members m WHERE m.org = c.tenant ORDER BY 1;
SET userstore.tenant = 'B';
SELECT answer($$user_create('members', '{"userName": "ann"}', 'b')$$);
SET userstore.tenant = 'C';
SELECT answer($$user_create('members', '{"userName": "ann"}', 'b')$$);
DELETE FROM members WHERE org = 'C';
SELECT answer($$user_create('members', '{"userName": "ann"}', 'b')$$);
RESET userstore.tenant;
-- partitions that come and go take their claims along
SELECT user_table_create('parts', 'scim', partitions => 2);
SELECT count(user_create('parts', jsonb_build_object('userName', 'n' || i), i::text)) FROM generate_series(1, 9) i;
ALTER TABLE parts DETACH PARTITION parts_p1;
SELECT count(*) FROM parts_unique c FULL JOIN parts u ON u.id = c.user_id WHERE c.value IS DISTINCT FROM u.document ->> 'userName';
SELECT id AS away FROM parts_p1 ORDER BY 1 LIMIT 1 \gset
SELECT id AS here FROM parts_p0 ORDER BY 1 LIMIT 1 \gset
SELECT answer(format($$user_patch('parts', '%s', '{"userName": "N%s"}')$$, :'here', :'away')) LIKE '%"userName": "N%';
ALTER TABLE parts ATTACH PARTITION parts_p1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT relispartition FROM pg_class WHERE oid = 'parts_p1'::regclass;
UPDATE parts_p1 SET document = '{"userName": "other"}' WHERE id = :'away';
ALTER TABLE parts ATTACH PARTITION parts_p1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT count(*) FROM parts_unique c FULL JOIN parts u ON u.id = c.user_id WHERE c.value IS DISTINCT FROM lower(u.document ->> 'userName');
SELECT value = 'other' FROM parts_unique WHERE user_id = :'away';
-- what was in one that is dropped is free after a refresh
DROP TABLE parts_p0;
SELECT count(*) > 0 FROM parts_unique c WHERE user_id NOT IN (SELECT id FROM parts);
SELECT user_table_refresh('parts');
SELECT count(*) FROM parts_unique c FULL JOIN parts u ON u.id = c.user_id WHERE c.value IS DISTINCT FROM u.document ->> 'userName';
-- detached and attached again; dropped
SELECT user_table_detach('people');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'people'::regclass AND NOT tgisinternal;
INSERT INTO people (id, document) VALUES ('late', '{"userName": "late"}');
SELECT user_table_attach('people', 'scim');
SELECT answer($$user_create('people', '{"userName": "LATE"}')$$);
DROP TABLE people, staff, members, parts;
SELECT relname FROM pg_class WHERE relnamespace = 'regress_partition'::regnamespace AND relkind IN ('r', 'p');
SELECT attribute_schema_drop('urn:regress:partition:User');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_partition CASCADE;
DROP ROLE regress_partition;
