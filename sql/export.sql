--
-- users_export: all users, as of one time, however they are fetched
--
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET search_path = public, userstore;
CREATE ROLE regress_hr;
CREATE ROLE regress_clerk;
GRANT ALL ON SCHEMA public TO regress_hr;
SET ROLE regress_hr;

SELECT user_table_create('staff', api => 'scim');
SELECT count(*) FROM users_sync('staff', (SELECT jsonb_agg(jsonb_build_object('id', 'u' || i, 'userName', 'u' || i)) FROM generate_series(1, 500) i));
-- By id, each once, with the id and what is stored.
SELECT count(*), count(DISTINCT e), bool_and(e = s.document || jsonb_build_object('id', s.id)) FROM users_export('staff') e JOIN staff s ON s.id = e ->> 'id';
SELECT bool_and(is_next) FROM (SELECT e ->> 'id' >= coalesce(lag(e ->> 'id') OVER (), '') AS is_next FROM users_export('staff') e) x;
SELECT users_export('staff') LIMIT 2;
SELECT * FROM users_export('staff', api => 'plain') OFFSET 499;

-- As of when it began, whatever happens to users meanwhile.
DO $$
DECLARE
	exported jsonb;
	count int := 0;
BEGIN
	FOR exported IN SELECT userstore.users_export('staff') LOOP
		count := count + 1;
		PERFORM userstore.user_patch('staff', exported ->> 'id', '{"title": "exported"}');
		PERFORM userstore.user_create('staff', jsonb_build_object('userName', 'x' || count), id => 'x' || count);
		IF exported ? 'title' THEN
			RAISE EXCEPTION 'saw itself';
		END IF;
	END LOOP;
	RAISE NOTICE '% users', count;
END $$;
SELECT count(*), count(DISTINCT e -> 'id'), count(e -> 'title') FROM users_export('staff') e;

-- It may be left alone in the middle, and nothing of it stays.
BEGIN;
SELECT users_export('staff') ->> 'id' LIMIT 1;
DO $$ BEGIN FOR i IN 1 .. 10 LOOP PERFORM userstore.users_export('staff') LIMIT 1; END LOOP; END $$;
SELECT count(*) FROM pg_cursors;
-- It goes on after a savepoint that is gone,
DECLARE ids CURSOR FOR SELECT users_export('staff') ->> 'id';
SAVEPOINT first;
FETCH 1 FROM ids;
ROLLBACK TO first;
MOVE 998 FROM ids;
FETCH 5 FROM ids;
-- and after a commit, as it was then.
DECLARE held CURSOR WITH HOLD FOR SELECT users_export('staff') ->> 'id';
MOVE 150 FROM held;
COMMIT;
DELETE FROM staff WHERE id LIKE 'x%';
MOVE 845 FROM held;
FETCH 10 FROM held;
CLOSE held;
CREATE PROCEDURE commit_often() LANGUAGE plpgsql AS $$
DECLARE
	exported jsonb;
	count int := 0;
BEGIN
	FOR exported IN SELECT userstore.users_export('staff') LOOP
		count := count + 1;
		COMMIT;
	END LOOP;
	RAISE NOTICE '% users', count;
END $$;
CALL commit_often();

-- Of one's own tenant; of a table with partitions.
SELECT user_table_create('parted', partitions => 3);
SELECT count(*) FROM users_sync('parted', (SELECT jsonb_agg(jsonb_build_object('id', i::text, 'place', i)) FROM generate_series(1, 250) i));
SELECT count(*), count(DISTINCT e), min(e ->> 'id'), max(e ->> 'id') FROM users_export('parted') e;
SELECT user_table_create('shared', tenant_column => 'tenant', tenant_policy => 'true', id_type => 'bigint');
SET userstore.tenant = 'a';
SELECT count(*) FROM users_sync('shared', (SELECT jsonb_agg(jsonb_build_object('id', i, 'of', 'a')) FROM generate_series(1, 250) i));
SET userstore.tenant = 'b';
SELECT count(*) FROM users_sync('shared', '[{"id": 7, "of": "b"}, {"id": -8, "of": "b"}]');
SELECT users_export('shared');
SET userstore.tenant = 'a';
SELECT count(*), count(DISTINCT e), max((e ->> 'id')::int), min(e ->> 'of') FROM users_export('shared') e;

-- Whoever may read, what that one may read.
RESET ROLE;
GRANT USAGE ON SCHEMA public TO regress_clerk;
SET ROLE regress_hr;
ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
CREATE POLICY three ON staff TO regress_clerk USING (id IN ('u1', 'u200', 'u499'));
RESET ROLE;
SET ROLE regress_clerk;
\set VERBOSITY terse
SELECT users_export('staff');
RESET ROLE;
GRANT SELECT ON staff TO regress_clerk;
SET ROLE regress_clerk;
SELECT e ->> 'id' FROM users_export('staff') e;
SELECT users_export(NULL);
SELECT users_export('staff', api => 'none');
SELECT users_export('pg_class');

RESET ROLE;
DROP PROCEDURE commit_often;
DROP TABLE staff, parted, shared;
REVOKE ALL ON SCHEMA public FROM regress_hr, regress_clerk;
DROP ROLE regress_hr, regress_clerk;
