--
-- users_history: what changed of all users in a span of time; and which
-- privileges on columns a pure read takes.
--
SET client_min_messages = warning;
CREATE ROLE regress_users_history;
CREATE ROLE regress_users_history_reader;
CREATE ROLE regress_users_history_auditor;
CREATE SCHEMA regress_users_history AUTHORIZATION regress_users_history;
GRANT USAGE ON SCHEMA regress_users_history TO PUBLIC;
SET SESSION AUTHORIZATION regress_users_history;
SET search_path = regress_users_history, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END $$;

SELECT attribute_schema_define('{"id": "urn:regress:users-history:Person", "attributes": [{"name": "name"}, {"name": "n", "type": "integer"},
	{"name": "list", "multiValued": true, "type": "any"}]}');
SELECT user_table_create('people', schemas => '{urn:regress:users-history:Person}');
-- ann: created, changed, deleted, created again; sql: there before its first
-- change, deleted and inserted again by plain SQL; still: never changed; bob:
-- only created; empty: a version that changed no attribute
INSERT INTO people (id, document) VALUES ('sql', '{"name": "S", "n": 1}'), ('still', '{"n": 1}');
DO $do$
BEGIN
	PERFORM user_create('people', '{"name": "Ann", "n": 1}', 'ann');
	PERFORM user_create('people', '{"n": 1}', 'bob');
	PERFORM user_create('people', '{}', 'empty');
	PERFORM user_patch('people', 'ann', '{"n": 2, "list": [1, "two"]}', request_id => 'r 1');
	PERFORM user_patch('people', 'sql', '{"n": 2}');
	PERFORM set_config('userstore.actor', 'Jo', true);
	PERFORM user_delete('people', 'ann');
	PERFORM user_create('people', '{"n": 5}', 'ann');
	DELETE FROM people WHERE id = 'sql';
	INSERT INTO people (id, document) VALUES ('sql', '{"n": 5}');
	UPDATE people SET document = '{"n": 6}' WHERE id = 'sql';
END $do$;
-- each version a day of its own
UPDATE people_history h SET changed_at = timestamptz '2026-01-01 00:00Z' + (t.n - 1) * interval '1 day'
FROM (SELECT user_id, version, row_number() OVER (ORDER BY changed_at, user_id) AS n FROM people_history) t
WHERE (t.user_id, t.version) = (h.user_id, h.version);

SELECT to_char(h.changed_at AT TIME ZONE 'UTC', 'DD') AS day, h.id, h.version, h.operation, h.actor, h.request_id, h.path, h.old, h.new
FROM users_history('people') h ORDER BY h.changed_at, h.path;

--
-- It is what user_history tells of each
--
CREATE VIEW each AS SELECT i.id, h.* FROM (SELECT DISTINCT user_id AS id FROM people_history) i, user_history('people', i.id) h;
-- rows that only one of them has, of a span
CREATE FUNCTION differing(since timestamptz, until timestamptz, OUT rows bigint, OUT differ bigint) LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM users_history('people', since, until)), (SELECT count(*) FROM (
		(TABLE each EXCEPT ALL SELECT * FROM users_history('people')) UNION ALL (SELECT * FROM users_history('people') EXCEPT ALL TABLE each)) d)
		+ (SELECT count(*) FROM ((SELECT * FROM each WHERE (changed_at >= since OR since IS NULL) AND (changed_at < until OR until IS NULL)
				EXCEPT ALL SELECT * FROM users_history('people', since, until))
			UNION ALL (SELECT * FROM users_history('people', since, until) EXCEPT ALL
				SELECT * FROM each WHERE (changed_at >= since OR since IS NULL) AND (changed_at < until OR until IS NULL))) d)
$$;
SELECT s.since, s.until, d.* FROM (VALUES (NULL, NULL), ('-infinity', 'infinity'), (NULL, '2026-01-04 00:00Z'), ('2026-01-04 00:00Z', NULL),
	-- from its moment on, and before it
	('2026-01-04 00:00Z', '2026-01-05 00:00Z'), ('2026-01-04 00:00:00.000001Z', '2026-01-05 00:00Z'), ('2026-01-04 00:00Z', '2026-01-04 00:00:00.000001Z'),
	-- none
	('2026-01-04 00:00Z', '2026-01-04 00:00Z'), ('2026-01-05 00:00Z', '2026-01-04 00:00Z'), ('2030-01-01 00:00Z', NULL), (NULL, '2020-01-01 00:00Z')) s (since, until),
	differing(s.since::timestamptz, s.until::timestamptz) d;
-- what was before a span is known in it, until it is purged
SELECT h.id, h.path, h.old, h.new FROM users_history('people', '2026-01-06 00:00Z', '2026-01-07 00:00Z') h ORDER BY 2;
SELECT user_history_purge('people', '2026-01-05 12:00Z') AS purged;
SELECT d.* FROM differing(NULL, NULL) d;
SELECT h.id, h.version, h.operation, h.path, h.old, h.new FROM users_history('people', until => '2026-01-06 00:00Z') h ORDER BY 1, 2, 4;

--
-- An index finds the span
--
INSERT INTO people_history (user_id, version, operation, document, changed, changed_at, changed_by, era, transaction_id, feed_position)
SELECT 'old', i, 'patch', jsonb_build_object('n', i, 'name', repeat('x', 300)), '{n}', timestamptz '2020-01-01 00:00Z' + i * interval '1 minute', 'somebody', h.era, h.transaction_id, h.feed_position
FROM generate_series(1, 30000) i, (SELECT era, transaction_id, feed_position FROM people_history LIMIT 1) h;
VACUUM (ANALYZE) people_history;
CREATE FUNCTION reads(since timestamptz, until timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	heap bigint := pg_stat_get_xact_numscans('people_history'::regclass);
	spans bigint := pg_stat_get_xact_numscans('people_history_changed_at_idx'::regclass);
	number bigint := (SELECT count(*) FROM users_history('people', since, until));
BEGIN
	RETURN format('%s rows, %s scans of the table, %s of the index', number, pg_stat_get_xact_numscans('people_history'::regclass) - heap,
		pg_stat_get_xact_numscans('people_history_changed_at_idx'::regclass) - spans);
END $$;
SELECT reads('2020-01-10 00:00Z', '2020-01-10 01:00Z');
SELECT reads(NULL, NULL);
-- more than work_mem has room for
SET work_mem = '64kB';
SELECT count(*), count(old), min(new::int), max(new::int), bool_and(new::int = coalesce(old::int, 0) + 1) AS follow
FROM users_history('people') WHERE id = 'old' AND path = 'n';
RESET work_mem;
DELETE FROM people_history WHERE user_id = 'old';

--
-- Who may read some columns reads, without xmin; who lacks some is told
-- which, unless it may not write at all
--
SELECT user_patch('people', 'bob', '{"hidden": true}', api => 'plain') -> 'meta' -> 'version' AS hidden;
SELECT user_patch('people', 'empty', '{"n": 0}') -> 'n' AS n;
SELECT user_delete('people', 'empty');
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON people USING (id <> 'bob');
CREATE TABLE calls (n serial, command text);
INSERT INTO calls (command) VALUES ($$SELECT user_get('people', 'ann')$$), ($$SELECT user_version('people', 'ann')$$), ($$SELECT users_list('people')$$),
	($$SELECT user_history('people', 'ann')$$), ($$SELECT users_history('people')$$), ($$SELECT user_as_of('people', 'ann', now())$$),
	($$SELECT users_as_of('people', now())$$), ($$SELECT users_changes('people')$$), ($$SELECT user_request('people', 'GET', '/users/ann')$$),
	($$SELECT user_patch('people', 'ann', '{"n": 9}')$$), ($$SELECT user_create('people', '{}', 'new')$$), ($$SELECT user_delete('people', 'ann')$$);
GRANT SELECT ON calls TO PUBLIC;
-- none
SET SESSION AUTHORIZATION regress_users_history_reader;
SET search_path = regress_users_history, userstore;
SELECT DISTINCT r.* FROM calls, raised(command) r WHERE command !~ 'user_request';
-- some
SET SESSION AUTHORIZATION regress_users_history;
GRANT SELECT (id, version, created_at) ON people TO regress_users_history_reader;
SET SESSION AUTHORIZATION regress_users_history_reader;
SELECT DISTINCT r.* FROM calls, raised(command) r WHERE command !~ 'user_request' ORDER BY 3;
-- those that are read: reads are done, writes are not
SET SESSION AUTHORIZATION regress_users_history;
GRANT SELECT (document, modified_at) ON people TO regress_users_history_reader;
SET SESSION AUTHORIZATION regress_users_history_reader;
SELECT regexp_replace(command, '^SELECT (\w+).*', '\1') AS call, r.* FROM calls, raised(command) r ORDER BY n;
SELECT (r).status FROM user_request('people', 'GET', '/users/ann') r;
SELECT user_get('people', 'ann') - 'meta' AS ann, user_version('people', 'ann'), user_as_of('people', 'ann', now()) - 'meta' AS ann_now;
SELECT string_agg(id, ' ' ORDER BY id) AS now FROM users_as_of('people', now());
-- of whom is hidden nothing is told, of who is gone all
SELECT h.id, count(*), min(h.version), max(h.version) FROM users_history('people') h GROUP BY 1 ORDER BY 1;
-- and what is written, with xmin
SET SESSION AUTHORIZATION regress_users_history;
GRANT UPDATE (document, version) ON people TO regress_users_history_reader;
SET SESSION AUTHORIZATION regress_users_history_reader;
SELECT r.* FROM raised($$SELECT user_patch('people', 'ann', '{"n": 9}')$$) r;
SET SESSION AUTHORIZATION regress_users_history;
GRANT UPDATE (modified_at) ON people TO regress_users_history_reader;
SET SESSION AUTHORIZATION regress_users_history_reader;
SELECT r.* FROM raised($$SELECT user_patch('people', 'ann', '{"n": 9}')$$) r;
SET SESSION AUTHORIZATION regress_users_history;
GRANT SELECT (xmin) ON people TO regress_users_history_reader;
SET SESSION AUTHORIZATION regress_users_history_reader;
SELECT user_patch('people', 'ann', '{"n": 9}') -> 'n' AS n;
-- who may read history reads all of it, as its policies say
SET SESSION AUTHORIZATION regress_users_history;
GRANT SELECT ON people, people_history TO regress_users_history_auditor;
SET SESSION AUTHORIZATION regress_users_history_auditor;
SET search_path = regress_users_history, userstore;
SELECT string_agg(DISTINCT id, ' ' ORDER BY id) FROM users_history('people');
SET SESSION AUTHORIZATION regress_users_history;
ALTER TABLE people_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY late ON people_history USING (version > 1);
SET SESSION AUTHORIZATION regress_users_history_auditor;
SELECT h.id, h.version, h.path, h.old, h.new FROM users_history('people') h WHERE h.id IN ('bob', 'empty') ORDER BY 1, 2, 3;

--
-- Errors
--
SELECT r.* FROM unnest(ARRAY[$$SELECT users_history(NULL)$$, $$SELECT users_history('people_history')$$]) WITH ORDINALITY c (command, n), raised(command) r ORDER BY n;

SET SESSION AUTHORIZATION regress_users_history;
DROP VIEW each;
DROP TABLE people;
SELECT attribute_schema_drop('urn:regress:users-history:Person');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_users_history CASCADE;
DROP ROLE regress_users_history, regress_users_history_reader, regress_users_history_auditor;
