--
-- The past of tables with tenants, and of partitioned ones: each tenant has a
-- past of its own, whatever ids are the same.
--
SET client_min_messages = warning;
CREATE ROLE regress_past_owner;
CREATE ROLE regress_past_a;
CREATE ROLE regress_past_b;
CREATE SCHEMA regress_past AUTHORIZATION regress_past_owner;
GRANT USAGE ON SCHEMA regress_past TO PUBLIC;
SET SESSION AUTHORIZATION regress_past_owner;
SET search_path = regress_past, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'
CREATE FUNCTION raised(command text, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END $$;
SELECT user_table_create('people', tenant_column => 'entity'), user_table_create('parts', 'scim', partitions => 4);
-- until the feed has all that was changed: others, such as autovacuum, may hold it up
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT feed_position FROM people_history WHERE feed_position >= pg_snapshot_xmin(pg_current_snapshot())
			UNION ALL SELECT feed_position FROM parts_history WHERE feed_position >= pg_snapshot_xmin(pg_current_snapshot())) LOOP
		PERFORM pg_sleep(0.01);
		COMMIT;
	END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO regress_past_a, regress_past_b;
SELECT tenant_grant('people', 'A', 'regress_past_a'), tenant_grant('people', 'B', 'regress_past_b');
-- the same ids, one of them deleted; and users whom plain SQL inserted
SET userstore.tenant = 'A';
SELECT count(user_put('people', id, '{"of": "A"}')) FROM unnest('{ann,gone}'::text[]) id;
SELECT user_patch('people', 'ann', '{"n": 1}') -> 'n' AS n;
SELECT user_delete('people', 'gone');
SET userstore.tenant = 'B';
SELECT count(user_put('people', id, '{"of": "B"}', 'key ' || id)) FROM unnest('{ann,bob}'::text[]) id;
INSERT INTO people (entity, id, document) VALUES ('A', 'sql', '{"of": "A"}'), ('B', 'sql', '{"of": "B"}');
SELECT user_patch('people', 'sql', '{"n": 1}') -> 'n' AS n;
CALL settle();

-- each sees the past of its tenant
SET SESSION AUTHORIZATION regress_past_a;
SET search_path = regress_past, userstore;
SET userstore.tenant = 'A';
SELECT c.id, c.version, c.operation, c.document FROM users_changes('people') c;
SELECT u.id, u.version, u.operation, u.document FROM users_as_of('people', 'infinity') u ORDER BY 1;
SELECT h.version, h.operation, h.path, h.old, h.new FROM user_history('people', 'ann') h;
SELECT h.id, h.version, h.operation, h.path, h.old, h.new FROM users_history('people') h ORDER BY 1, 2, 5;
SELECT user_as_of('people', 'ann', 'infinity') - 'meta' AS ann, user_as_of('people', 'gone', 'infinity') AS gone;
SELECT r.* FROM raised($$SELECT user_history('people', 'bob')$$) r;
SELECT cursor AS of_a FROM users_changes('people', max => 1) \gset
-- not that of another, nor of none
SET userstore.tenant = 'B';
SELECT command, r.* FROM unnest(ARRAY[$$SELECT users_changes('people')$$, $$SELECT users_history('people')$$, $$SELECT users_as_of('people', now())$$, $$SELECT user_history('people', 'ann')$$,
	$$SELECT user_as_of('people', 'gone', now())$$]) command, raised(command) r;
RESET userstore.tenant;
SELECT r.* FROM raised($$SELECT users_changes('people')$$) r;
SET SESSION AUTHORIZATION regress_past_b;
SET search_path = regress_past, userstore;
SET userstore.tenant = 'B';
SELECT c.id, c.version, c.operation, c.document FROM users_changes('people') c;
SELECT u.id, u.version, u.operation, u.document FROM users_as_of('people', 'infinity') u ORDER BY 1;
SELECT h.version, h.operation, h.path, h.old, h.new FROM user_history('people', 'sql') h;
SELECT h.id, h.version, h.operation, h.path, h.old, h.new FROM users_history('people') h ORDER BY 1, 2, 5;
SELECT r.* FROM raised($$SELECT user_history('people', 'gone')$$) r;
SELECT r.* FROM raised(format($$SELECT users_changes('people', %L)$$, :'of_a')) r;

-- erased in one, there in the other; purged in all
SET SESSION AUTHORIZATION regress_past_owner;
RESET userstore.tenant;
SELECT r.* FROM raised($$SELECT user_erase('people', 'ann')$$) r;
SET userstore.tenant = 'B';
SELECT * FROM user_erase('people', 'ann');
SELECT r.* FROM raised($$SELECT user_erase('people', 'gone')$$) r;
SELECT entity, id FROM people ORDER BY 1, 2;
SELECT tenant, user_id, version, document, before FROM people_history ORDER BY 1, 2, 3;
SELECT tenant, key FROM people_idempotency;
SELECT user_history_purge('people', 'infinity') AS purged;
SELECT tenant, user_id, version, document, before FROM people_history ORDER BY 1, 2, 3;

--
-- Partitions
--
RESET userstore.tenant;
SELECT jsonb_array_length(users_bulk_put('parts', (SELECT jsonb_agg(jsonb_build_object('id', 'u' || i, 'userName', 'u' || i)) FROM generate_series(1, 20) i), creates => true) -> 'Resources') AS created;
SELECT count(user_patch('parts', 'u' || i, '{"title": "T"}', 'key ' || i)) FROM generate_series(1, 20) i;
CALL settle();
SELECT count(*), count(DISTINCT (id, version)), bool_and(version > coalesce(before, 0)) AS in_order
FROM (SELECT id, version, lag(version) OVER (PARTITION BY id ORDER BY n) AS before FROM (SELECT row_number() OVER () AS n, c.id, c.version FROM users_changes('parts') c) f) c;
WITH RECURSIVE page AS (
	SELECT 1 AS n, (SELECT c.cursor FROM users_changes('parts', max => 1) c) AS cursor
	UNION ALL SELECT n + 1, (SELECT c.cursor FROM users_changes('parts', page.cursor, 1) c) FROM page WHERE page.cursor IS NOT NULL)
SELECT max(n) - 1 AS pages FROM page;
SELECT count(*), sum(version) FROM users_as_of('parts', 'infinity');
SELECT h.version, h.path, h.old, h.new FROM user_history('parts', 'u7') h;
-- of all at once, the same: none that only one has
WITH each AS (SELECT i, h.* FROM unnest(ARRAY(SELECT 'u' || i FROM generate_series(1, 20) i)) i, user_history('parts', i) h), all_of AS (SELECT * FROM users_history('parts'))
SELECT (SELECT count(*) FROM all_of) AS rows, (SELECT count(*) FROM (TABLE each EXCEPT ALL TABLE all_of) x) AS each, (SELECT count(*) FROM (TABLE all_of EXCEPT ALL TABLE each) x) AS all_of;
SELECT * FROM user_erase('parts', 'u7');
SELECT user_id, version, document FROM parts_history WHERE user_id = 'u7';
SELECT count(*) FROM parts_unique WHERE user_id = 'u7';
SELECT user_history_purge('parts', 'infinity', 5) AS purged;
SELECT user_history_purge('parts', 'infinity') AS purged;
SELECT count(*), count(document) FROM parts_history;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_past CASCADE;
DROP ROLE regress_past_owner, regress_past_a, regress_past_b;
