--
-- users_changes, the change feed: its rows, its order, its cursors.  What
-- happens while others write is in test/t/050_feed.pl.
--
SET client_min_messages = warning;
CREATE ROLE regress_feed;
CREATE SCHEMA regress_feed AUTHORIZATION regress_feed;
CREATE SCHEMA regress_feed_2 AUTHORIZATION regress_feed;
SET SESSION AUTHORIZATION regress_feed;
SET search_path = regress_feed, userstore;
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
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

SELECT user_table_create('people'), user_table_create('others'), user_table_create('numbers', id_type => 'bigint');
-- until the feed has all that was changed: others, such as autovacuum, may hold it up
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT FROM people_history WHERE feed_position >= pg_snapshot_xmin(pg_current_snapshot())) LOOP
		PERFORM pg_sleep(0.01);
		COMMIT;
	END LOOP;
END $$;
SELECT count(*) FROM users_changes('people');
SET userstore.actor = 'Jo';
SELECT user_create('people', '{"n": 1}', 'ann', request_id => 'r 1') -> 'n' AS n;
RESET userstore.actor;
CALL settle();
BEGIN;
SELECT count(user_put('people', id, '{"n": 2}')) FROM unnest('{bob,ann,cyd}'::text[]) id;
-- one's own changes come when they are committed
SELECT count(*) FROM users_changes('people');
COMMIT;
BEGIN;
SELECT user_put('people', 'ann', '{"n": 3}') -> 'n' AS n;
ROLLBACK;
SELECT user_delete('people', 'ann');
SELECT user_put('people', 'É "q" /?', '{}') -> 'id' AS id;

CALL settle();
-- In the order of transactions; of a transaction, in that of ids and versions
SELECT id, version, operation, changed, document, changed_by, actor, request_id, era = (SELECT max(e.era) FROM era e) AS era,
	transaction_id = lag(transaction_id) OVER () AS same_transaction FROM users_changes('people');
SELECT c.changed_at = h.changed_at AS changed_at, c.transaction_id = h.transaction_id AS transaction_id
FROM users_changes('people') c JOIN people_history h ON h.user_id = c.id AND h.version = c.version WHERE c.id = 'bob';

-- From each change on, the feed goes on behind it
CREATE TABLE fed AS SELECT row_number() OVER () AS n, c.cursor FROM users_changes('people') c;
SELECT f.n, (SELECT string_agg(concat_ws(' ', c.id, c.version), ', ') FROM users_changes('people', f.cursor, 2) c) AS next_two FROM fed f ORDER BY f.n;
SELECT count(DISTINCT cursor) AS cursors, bool_and(cursor ~ '^[-_0-9A-Za-z]+$') AS fit_for_urls FROM fed;
-- page by page, of one
WITH RECURSIVE page AS (
	SELECT p.* FROM users_changes('people', max => 1) p
	UNION ALL SELECT c.* FROM page, users_changes('people', page.cursor, 1) c)
SELECT string_agg(concat_ws(' ', id, version), ', ') FROM page;
-- at the end there is nothing, until there is
SELECT count(*) FROM fed f, users_changes('people', f.cursor) WHERE f.n = (SELECT max(n) FROM fed);
SELECT user_patch('people', 'bob', '{"n": 9}') -> 'n' AS n;
CALL settle();
SELECT c.id, c.version FROM fed f, users_changes('people', f.cursor) c WHERE f.n = (SELECT max(n) FROM fed);
-- other types of ids
SELECT user_create('numbers', '{}') -> 'id' AS id FROM generate_series(1, 10);
SELECT user_patch('people', 'cyd', '{"n": 9}') -> 'n' AS n;
CALL settle();
SELECT string_agg(c.id, ' ') FROM users_changes('numbers', (SELECT cursor FROM users_changes('numbers', max => 2) OFFSET 1)) c;

-- Cursors of the table under another name are good, in another place too
ALTER TABLE people RENAME TO members;
SELECT c.id, c.version FROM fed f, users_changes('members', f.cursor) c WHERE f.n = (SELECT max(n) FROM fed);
ALTER TABLE members SET SCHEMA regress_feed_2;
SELECT c.id, c.version FROM fed f, users_changes('regress_feed_2.members', f.cursor) c WHERE f.n = (SELECT max(n) FROM fed);
ALTER TABLE regress_feed_2.members SET SCHEMA regress_feed;
ALTER TABLE members RENAME TO people;

-- Broken ones are not, nor another table's
SELECT u.n, r.* FROM fed f, unnest(ARRAY[
	$$SELECT users_changes('people', '')$$, $$SELECT users_changes('people', 'x')$$, $$SELECT users_changes('people', 'é')$$,
	format($$SELECT users_changes('people', %L)$$, left(f.cursor, -1)), format($$SELECT users_changes('people', %L)$$, f.cursor || 'A'),
	format($$SELECT users_changes('people', %L)$$, overlay(f.cursor PLACING 'A' FROM 1)), format($$SELECT users_changes('people', %L)$$, repeat(f.cursor, 100)),
	-- made by somebody else: see src/functions/feed.c
	$$SELECT users_changes('people', 'MDAwMDAwMDA')$$,
	format($$SELECT users_changes('others', %L)$$, f.cursor), format($$SELECT users_changes('numbers', %L)$$, f.cursor)]) WITH ORDINALITY u (command, n),
	raised(command) r WHERE f.n = 1 ORDER BY u.n;
-- nor of a state that this database does not have: another cluster's
RESET SESSION AUTHORIZATION;
BEGIN;
UPDATE userstore.era SET system_identifier = 1;
SELECT r.* FROM regress_feed.fed f, regress_feed.raised(format($$SELECT userstore.users_changes('regress_feed.people', %L)$$, f.cursor)) r WHERE f.n = 1;
-- the eras before this one are complete, whatever runs here
SELECT count(*) FROM userstore.users_changes('regress_feed.people') c;
ROLLBACK;
SET SESSION AUTHORIZATION regress_feed;
SELECT r.* FROM unnest(ARRAY[$$SELECT users_changes('people', max => 0)$$, $$SELECT users_changes('people', max => -1)$$, $$SELECT users_changes('people', max => NULL)$$,
	$$SELECT users_changes(NULL)$$, $$SELECT users_changes('people_history')$$]) WITH ORDINALITY c (command, n), raised(command) r ORDER BY n;

-- It is read by its index, a page at a time
INSERT INTO people (id) SELECT i FROM generate_series(1, 3000) i;
SELECT jsonb_array_length(users_bulk_put('people', (SELECT jsonb_agg(jsonb_build_object('id', i, 'n', 1)) FROM generate_series(1, 3000) i)));
CREATE FUNCTION reads(OUT heap bigint, OUT index bigint) LANGUAGE sql AS $$
	SELECT pg_stat_get_xact_tuples_returned('people_history'::regclass), pg_stat_get_xact_tuples_returned('people_history_era_feed_position_idx'::regclass)
$$;
SELECT FROM pg_stat_force_next_flush();
BEGIN;
SELECT count(*) FROM users_changes('people', max => 5);
SELECT heap = 0 AS no_scan, index BETWEEN 5 AND 200 AS few FROM reads();
ROLLBACK;

DROP TABLE people, others, numbers;
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_feed, regress_feed_2 CASCADE;
DROP ROLE regress_feed;
