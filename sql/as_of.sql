--
-- Time travel: user_as_of and users_as_of; who may read the past.
--
SET client_min_messages = warning;
CREATE ROLE regress_as_of;
CREATE ROLE regress_as_of_clerk;
CREATE ROLE regress_as_of_auditor;
CREATE SCHEMA regress_as_of AUTHORIZATION regress_as_of;
SET SESSION AUTHORIZATION regress_as_of;
SET search_path = regress_as_of, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END $$;
-- moments between the steps, by name
CREATE TABLE moment (name text PRIMARY KEY, at timestamptz);
CREATE PROCEDURE step(name text, commands text[] DEFAULT '{}') LANGUAGE plpgsql AS $$
DECLARE
	command text;
BEGIN
	FOREACH command IN ARRAY commands LOOP
		EXECUTE command;
	END LOOP;
	PERFORM pg_sleep(0.002);
	INSERT INTO moment VALUES (name, clock_timestamp());
	PERFORM pg_sleep(0.002);
	COMMIT;
END $$;

SELECT user_table_create('people');
-- until the feed has all that was changed: others, such as autovacuum, may hold it up
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT FROM people_history WHERE feed_position >= pg_snapshot_xmin(pg_current_snapshot())) LOOP
		PERFORM pg_sleep(0.01);
		COMMIT;
	END LOOP;
END $$;
SELECT user_table_create('numbers', id_type => 'bigint');
CALL step('0 empty');
CALL step('1 created', ARRAY[$$SELECT user_create('people', '{"name": "Ann", "n": 1}', 'ann')$$, $$SELECT user_create('people', '{"n": 1}', 'bob')$$]);
CALL step('2 sql', ARRAY[$$INSERT INTO people (id, document) VALUES ('sql', '{"n": 1}'), ('still', '{"n": 1}')$$]);
CALL step('3 changed', ARRAY[$$SELECT user_patch('people', 'ann', '{"n": 2}')$$, $$SELECT user_patch('people', 'sql', '{"n": 2}')$$]);
CALL step('4 deleted', ARRAY[$$SELECT user_delete('people', 'ann')$$, $$SELECT user_delete('people', 'sql')$$, $$SELECT user_delete('people', 'bob')$$]);
CALL step('5 again', ARRAY[$$SELECT user_create('people', '{"n": 5}', 'ann')$$, $$INSERT INTO people (id, document) VALUES ('sql', '{"n": 5}')$$,
	$$INSERT INTO people (id, document, created_at) VALUES ('bob', '{"n": 5}', '2000-01-01')$$]);
CALL step('6 changed', ARRAY[$$SELECT user_patch('people', 'sql', '{"n": 6}')$$, $$SELECT user_patch('people', 'still', '{}')$$]);

--
-- All users at each moment; those whom nobody had changed have no operation
--
CREATE VIEW states AS
SELECT m.name AS moment, u.id, u.version, u.operation, u.changed_by, u.document, u.changed_at <= m.at AS not_later
FROM moment m LEFT JOIN LATERAL users_as_of('people', m.at) u ON true;
SELECT * FROM states ORDER BY moment, id;
SELECT count(*) FROM users_as_of('people', '-infinity');
SELECT count(*) FROM users_as_of('people', 'infinity');
SELECT count(*) FROM users_as_of('numbers', 'infinity');

--
-- One user, as the API shows it: the same
--
SELECT count(*) AS compared, count(*) FILTER (WHERE NOT same) AS different FROM (
	SELECT (user_as_of('people', i.id, m.at) - 'meta', user_as_of('people', i.id, m.at) #> '{meta,version}')
		IS NOT DISTINCT FROM (s.document || jsonb_build_object('id', i.id), to_jsonb(s.version)) AS same
	FROM moment m, unnest('{ann,bob,sql,still}'::text[]) i (id) LEFT JOIN LATERAL (SELECT * FROM users_as_of('people', m.at) s WHERE s.id = i.id) s ON true) c;
-- at the very moment of each version, and just before
SELECT h.user_id, h.version, user_as_of('people', h.user_id, h.changed_at - interval '1 us') -> 'n' AS before, user_as_of('people', h.user_id, h.changed_at) -> 'n' AS from_then_on
FROM people_history h ORDER BY 1, 2;
-- created and lastModified: of that life, of that version
CREATE FUNCTION of_meta(id text, at timestamptz, member text) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT (user_as_of('people', id, at) #>> ARRAY['meta', member])::timestamptz
$$;
SELECT h.user_id, h.version, of_meta(h.user_id, h.changed_at, 'lastModified') = date_trunc('milliseconds', h.changed_at) AS modified,
	(SELECT min(f.version) FROM people_history f
	WHERE f.user_id = h.user_id AND date_trunc('milliseconds', f.changed_at) = of_meta(h.user_id, h.changed_at, 'created')) AS created_by_version,
	of_meta(h.user_id, h.changed_at, 'created') = (SELECT date_trunc('milliseconds', p.created_at) FROM people p WHERE p.id = h.user_id) AS created_as_now,
	of_meta(h.user_id, h.changed_at, 'created') = (SELECT date_trunc('milliseconds', before_since) FROM people_history b
		WHERE b.user_id = h.user_id AND b.version <= h.version ORDER BY b.version DESC LIMIT 1) AS created_before
FROM people_history h WHERE h.document IS NOT NULL ORDER BY 1, 2;
-- other APIs, other ids
SELECT user_as_of('people', 'still', 'infinity', 'scim') - 'meta' AS scim;
SELECT user_create('numbers', '{"n": 1}') -> 'id' AS id;
SELECT user_as_of('numbers', '1', 'infinity') - 'meta' AS number;
SELECT u.id, u.document FROM users_as_of('numbers', 'infinity') u;

SELECT r.* FROM unnest(ARRAY[$$SELECT user_as_of('people', 'nobody', now())$$, $$SELECT user_as_of('people', 'ann', NULL)$$, $$SELECT user_as_of('people', 'ann', now(), 'none')$$,
	$$SELECT user_as_of('numbers', 'x', now())$$, $$SELECT users_as_of('people', NULL)$$, $$SELECT users_as_of('moment', now())$$]) WITH ORDINALITY c (command, n), raised(command) r ORDER BY n;

--
-- Who may read the past: who may read the table, of the users whom the caller
-- sees now, and of those who are no more
--
GRANT USAGE ON SCHEMA regress_as_of TO regress_as_of_clerk, regress_as_of_auditor;
GRANT SELECT ON moment, states TO regress_as_of_clerk, regress_as_of_auditor;
SELECT user_patch('people', 'still', '{"hidden": true}') -> 'hidden' AS hidden;
SELECT user_patch('people', 'ann', '{"hidden": null}') -> 'n' AS n;
SELECT user_delete('people', 'bob');
CALL settle();
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON people FOR SELECT USING (NOT document ? 'hidden');
CREATE VIEW seen WITH (security_invoker) AS
SELECT 'users_as_of' AS what, id, version FROM moment, users_as_of('people', at) WHERE name ~ '^[26]'
UNION ALL SELECT 'users_changes', id, version FROM users_changes('people')
UNION ALL SELECT 'users_history', id, version FROM users_history('people')
UNION ALL SELECT 'user_history', id, h.version FROM unnest('{ann,sql,bob}'::text[]) id, user_history('people', id) h;
GRANT SELECT ON seen TO regress_as_of_clerk, regress_as_of_auditor;
CREATE VIEW calls AS SELECT * FROM unnest(ARRAY[$$SELECT user_history('people', 'still')$$, $$SELECT user_as_of('people', 'still', 'infinity')$$,
	$$SELECT user_history('people', 'nobody')$$, $$SELECT users_as_of('people', 'infinity')$$, $$SELECT users_changes('people')$$, $$SELECT users_history('people')$$,
	$$SELECT user_history('people', 'bob')$$]) WITH ORDINALITY c (command, n);
GRANT SELECT ON calls TO regress_as_of_clerk, regress_as_of_auditor;
-- nobody
SET SESSION AUTHORIZATION regress_as_of_clerk;
SET search_path = regress_as_of, userstore;
SELECT r.* FROM calls, raised(command) r ORDER BY n;
-- who may read some columns
SET SESSION AUTHORIZATION regress_as_of;
GRANT SELECT (id, version, created_at, modified_at) ON people TO regress_as_of_clerk;
SET SESSION AUTHORIZATION regress_as_of_clerk;
SELECT r.* FROM calls, raised(command) r ORDER BY n;
-- who may read the table, but not history; "still" is hidden
SET SESSION AUTHORIZATION regress_as_of;
GRANT SELECT ON people TO regress_as_of_clerk;
SET SESSION AUTHORIZATION regress_as_of_clerk;
SELECT r.* FROM calls, raised(command) r ORDER BY n;
SELECT what, string_agg(DISTINCT concat_ws(' ', id, version), ', ' ORDER BY concat_ws(' ', id, version)) FROM seen GROUP BY 1 ORDER BY 1;
SELECT r.* FROM raised('SELECT FROM people_history') r;
-- a page is full, whatever is hidden
SELECT count(*) FROM users_changes('people', max => 5);
SET row_security = off;
SELECT r.* FROM calls, raised(command) r ORDER BY n;
RESET row_security;
-- who may read history too reads all of it, as its policies say
SET SESSION AUTHORIZATION regress_as_of;
GRANT SELECT ON people, people_history TO regress_as_of_auditor;
SET SESSION AUTHORIZATION regress_as_of_auditor;
SET search_path = regress_as_of, userstore;
SELECT r.* FROM calls, raised(command) r ORDER BY n;
SELECT what, string_agg(DISTINCT concat_ws(' ', id, version), ', ' ORDER BY concat_ws(' ', id, version)) FROM seen GROUP BY 1 ORDER BY 1;
SET SESSION AUTHORIZATION regress_as_of;
ALTER TABLE people_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY recent ON people_history FOR SELECT USING (version > 1);
SET SESSION AUTHORIZATION regress_as_of_auditor;
SELECT what, string_agg(DISTINCT concat_ws(' ', id, version), ', ' ORDER BY concat_ws(' ', id, version)) FROM seen GROUP BY 1 ORDER BY 1;
-- which concern the clerk not at all, in the same session
SET SESSION AUTHORIZATION regress_as_of_clerk;
SELECT count(*) FROM users_changes('people') WHERE version = 1;
-- the owner under FORCE: as one who may read history
SET SESSION AUTHORIZATION regress_as_of;
SELECT count(*) FROM users_changes('people') WHERE version = 1;
ALTER TABLE people_history FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM users_changes('people') WHERE version = 1;
SET SESSION AUTHORIZATION regress_as_of_clerk;
SELECT count(*) FROM users_changes('people') WHERE version = 1;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_as_of CASCADE;
DROP ROLE regress_as_of, regress_as_of_clerk, regress_as_of_auditor;
