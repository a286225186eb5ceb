--
-- Idempotency keys: a request repeated under its key is answered as the first
-- time and does nothing; anything else under it is refused.
--
SET client_min_messages = warning;
CREATE ROLE regress_idempotency;
CREATE ROLE "regress_idempotency / clerk";
CREATE SCHEMA regress_idempotency AUTHORIZATION regress_idempotency;
SET SESSION AUTHORIZATION regress_idempotency;
SET search_path = regress_idempotency, userstore;
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
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

SELECT user_table_create('people');

-- A PUT of {"n": n} under a key: the version it answers with.
CREATE FUNCTION put(id text, n int, key text) RETURNS text
LANGUAGE sql AS $$ SELECT user_put('people', id, jsonb_build_object('n', n), key) #>> '{meta,version}' $$;

--
-- The key: 1 to 255 characters
--
SELECT length, chr(code) AS character, r.state, r.message, r.detail, r.hint
FROM unnest('{0,1,255,256}'::int[]) length, unnest('{97,233,128512}'::int[]) code,
	raised(format('SELECT put(%L, 1, %L)', 'keys', repeat(chr(code), length))) r
WHERE length > 0 OR code = 97
ORDER BY length, code;
SELECT length(key), octet_length(key), operation, user_id, version FROM people_idempotency ORDER BY key;
-- a key is what it is, to the letter
DELETE FROM people_idempotency;
SELECT key, put('keys', n::int, key) AS version
FROM unnest(ARRAY['k', 'K', ' k', 'k ', '''; DROP TABLE people; --', E'k\n', U&'\00e9', U&'e\0301', '%s', '\', '"', '/', 'NULL']) WITH ORDINALITY AS k(key, n) ORDER BY n;
SELECT count(*) = count(DISTINCT key) AND count(*) = 13 AS all_kept FROM people_idempotency;
-- no key, no memory
SELECT put('keys', 100, NULL) AS version, put('keys', 101, NULL) AS next;
SELECT count(*) FROM people_idempotency;
DELETE FROM people_idempotency;

--
-- A replay answers what was answered then, whatever came later
--
CREATE TABLE first_answer AS SELECT user_put('people', 'ann', '{"n": 1}', 'a1') AS answer;
SELECT put('ann', 2, 'a2');
SELECT user_put('people', 'ann', '{"n": 1}', 'a1') = answer AS same FROM first_answer;
SELECT document FROM people WHERE id = 'ann';
-- before the version is compared
SELECT user_put('people', 'ann', '{"n": 1}', 'a1', expected_version => 77) = answer AS same FROM first_answer;
SELECT r.state FROM raised($$SELECT user_put('people', 'ann', '{"n": 1}', 'a3', expected_version => 77)$$) r;
-- whatever the request is called
SELECT user_put('people', 'ann', '{"n": 1}', 'a1', request_id => 'again') = answer AS same FROM first_answer;
-- a deletion too, and after one
SELECT user_delete('people', 'ann', 'd1');
SELECT user_delete('people', 'ann', 'd1');
SELECT r.state FROM raised($$SELECT user_delete('people', 'ann', 'd2')$$) r;
SELECT user_put('people', 'ann', '{"n": 1}', 'a1') = answer AS same FROM first_answer;
SELECT count(*) AS users FROM people WHERE id = 'ann';
SELECT version, operation FROM people_history WHERE user_id = 'ann' ORDER BY version;
SELECT key, operation, version, response IS DISTINCT FROM 'null' AS has_response FROM people_idempotency ORDER BY key;
-- what deleted nobody, was not remembered
SELECT user_put('people', 'ann', '{"n": 9}') #> '{meta,version}' AS version;
SELECT user_delete('people', 'ann', 'd2'), user_delete('people', 'ann', 'd1');

-- a generated id is generated once
CREATE TABLE created AS SELECT user_create('people', '{"born": 1}', idempotency_key => 'c1') AS answer;
SELECT user_create('people', '{"born": 1}', idempotency_key => 'c1') = answer AS same FROM created;
SELECT user_create('people', '{"born": 1}', idempotency_key => 'c2') ->> 'id' <> answer ->> 'id' AS another FROM created;
SELECT count(*) FROM people WHERE document ? 'born';
-- an id makes another request of it, in the argument as in the body
SELECT r.state FROM raised($$SELECT user_create('people', '{"born": 1}', 'x', 'c1')$$) r;
SELECT r.state FROM raised($$SELECT user_create('people', '{"born": 1, "id": "x"}', idempotency_key => 'c1')$$) r;

--
-- The same request, and others
--
SELECT user_patch('people', 'keys', '{"a": [1, {"b": "c"}, null], "d": 1.50}', 'same') - 'meta' AS answer;
SELECT body, r.state FROM unnest(ARRAY['{"d": 1.5, "a": [1.0, {"b": "c"}, null]}', '{"d": 15e-1, "a": [1e0, {"b": "c"}, null]}',
	'{"id": "keys", "meta": {"version": 5}, "a": [1, {"b": "c"}, null], "d": 1.5}',
	'{"d": 1.5, "a": [1, {"b": "c"}]}', '{"d": "1.5", "a": [1, {"b": "c"}, null]}', '{"d": 1.5, "a": [{"b": "c"}, 1, null]}',
	'{"d": 1.5, "a": [[1, {"b": "c"}, null]]}', '{"d": 1.5, "a": [1, {"b": "c"}, null], "e": null}', '{"D": 1.5, "a": [1, {"b": "c"}, null]}', '{}']) WITH ORDINALITY AS b(body, n),
	raised(format('SELECT user_patch(%L, %L, %L, %L)', 'people', 'keys', body, 'same')) r ORDER BY n;
SELECT r.* FROM raised($$SELECT user_patch('people', 'Keys', '{"a": [1, {"b": "c"}, null], "d": 1.50}', 'same')$$) r;
SELECT r.state FROM raised($$SELECT user_put('people', 'keys', '{"a": [1, {"b": "c"}, null], "d": 1.50}', 'same')$$) r;
-- the default profile by its name is the same profile
SELECT r.state FROM raised($$SELECT user_patch('people', 'keys', '{"a": [1, {"b": "c"}, null], "d": 1.50}', 'same', api => 'plain')$$) r;
SELECT r.state FROM raised($$SELECT user_patch('people', 'keys', '{"a": [1, {"b": "c"}, null], "d": 1.50}', 'same', api => 'zluri')$$) r;
-- a request that changes nothing has its key as well
SELECT user_patch('people', 'keys', '{}', 'nothing') #> '{meta,version}' = user_patch('people', 'keys', '{}', 'nothing') #> '{meta,version}' AS same;
SELECT r.state FROM raised($$SELECT user_patch('people', 'keys', '{"x": 1}', 'nothing')$$) r;

--
-- Only what succeeded is remembered
--
SELECT r.state FROM raised($$SELECT user_patch('people', 'late', '{"n": 1}', 'f1')$$) r;
SELECT put('late', 0, NULL);
SELECT user_patch('people', 'late', '{"n": 1}', 'f1') - 'meta' AS answer;
-- also another request
SELECT r.state FROM raised($$SELECT user_put('people', 'late', '5', 'f2')$$) r;
SELECT r.state FROM raised($$SELECT user_put('people', 'late', '{}', 'f2', expected_version => 9)$$) r;
SELECT put('late', 2, 'f2');
-- nor what is rolled back
BEGIN;
SELECT put('late', 3, 'f3');
ROLLBACK;
SELECT user_version('people', 'late') AS version;
SELECT put('late', 4, 'f3');

--
-- Expiry
--
SELECT expires_at - now() BETWEEN '23:59:00' AND '24:00:01' AS a_day FROM people_idempotency WHERE key = 'f3';
SET userstore.idempotency_lifetime = 1;
SELECT put('late', 5, 'e1');
RESET userstore.idempotency_lifetime;
SELECT expires_at - now() <= '1 second' AS a_second FROM people_idempotency WHERE key = 'e1';
SELECT r.state FROM raised($$SELECT set_config('userstore.idempotency_lifetime', '0', false)$$) r;
SET userstore.idempotency_lifetime = '7d';
SELECT put('late', 6, 'e2');
SELECT expires_at - now() > '6 days' AS a_week FROM people_idempotency WHERE key = 'e2';
RESET userstore.idempotency_lifetime;
-- an expired key is a new one, for any request
UPDATE people_idempotency SET expires_at = now() - interval '1 second' WHERE key IN ('e1', 'f3', 'same');
SELECT put('late', 7, 'e1');
SELECT put('late', 7, 'e1');
SELECT user_delete('people', 'late', 'f3');
SELECT key, operation, expires_at > now() AS alive FROM people_idempotency WHERE key IN ('e1', 'f3', 'same') ORDER BY key;
-- an expired key that the transaction itself has renewed
UPDATE people_idempotency SET expires_at = now() WHERE key = 'e1';
BEGIN;
SELECT put('late', 8, 'e1');
SELECT put('late', 8, 'e1');
SELECT r.state FROM raised($$SELECT put('late', 9, 'e1')$$) r;
COMMIT;
-- those that are over are purged, so many at a time
DELETE FROM people_idempotency;
SELECT count(put('bulk', n, 'p' || n)) FROM generate_series(1, 25) n;
UPDATE people_idempotency SET expires_at = now() - substr(key, 2)::int * interval '1 second' WHERE key <> 'p25';
SELECT idempotency_purge('people', 10);
-- the oldest go first
SELECT count(*), bool_and(substr(key, 2)::int <= 14 OR key = 'p25') AS oldest_gone FROM people_idempotency;
SELECT idempotency_purge('people', 0) AS none, idempotency_purge('people') AS rest, idempotency_purge('people') AS no_more;
SELECT key FROM people_idempotency;

--
-- Dry runs claim no key and change nothing
--
SELECT user_put('people', 'dry', '{"n": 1}', 'y1', dry_run => true) - '{id}'::text[] #- '{meta,created}' #- '{meta,lastModified}' AS answer;
SELECT user_create('people', '{"n": 1}', 'dry', 'y1', dry_run => true) #> '{meta,version}' AS version;
SELECT (SELECT count(*) FROM people WHERE id = 'dry') AS users, (SELECT count(*) FROM people_history WHERE user_id = 'dry') AS history,
	(SELECT count(*) FROM people_idempotency WHERE key = 'y1') AS keys;
SELECT put('dry', 2, 'y1');
CREATE TABLE dry_before AS SELECT p.xmin::text AS row_xmin, p.*, (SELECT count(*) FROM people_history) AS history, (SELECT count(*) FROM people_idempotency) AS keys FROM people p WHERE id = 'dry';
SELECT user_patch('people', 'dry', '{"m": 1}', 'y2', dry_run => true) - 'meta' AS patched, user_delete('people', 'dry', 'y3', dry_run => true) AS deleted,
	user_put('people', 'dry', '{}', 'y1', dry_run => true) - 'meta' AS put;
-- one that fails, caught: the transaction goes on
BEGIN;
DO $$
BEGIN
	PERFORM user_put('people', 'dry', '{"id": "other"}', dry_run => true);
EXCEPTION WHEN SQLSTATE 'PT400' THEN
	RAISE NOTICE 'caught: %', SQLERRM;
END $$;
DO $$
BEGIN
	PERFORM user_create('people', '{}', id => 'dry', dry_run => true);
EXCEPTION WHEN unique_violation THEN
	RAISE NOTICE 'caught: %', SQLERRM;
END $$;
SELECT user_patch('people', 'dry', '{"n": 2}', dry_run => true) #> '{meta,version}' AS version;
COMMIT;
SELECT dry_before.* IS NOT DISTINCT FROM now_is.* AS untouched FROM dry_before,
	(SELECT p.xmin::text AS row_xmin, p.*, (SELECT count(*) FROM people_history) AS history, (SELECT count(*) FROM people_idempotency) AS keys FROM people p WHERE id = 'dry') AS now_is;

--
-- Many keys in one transaction: 256 are locked, the others inserted first
--
BEGIN;
SELECT count(put('many', n, 'm' || n)) AS puts FROM generate_series(1, 300) n;
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objsubid = 21843;
-- replays of both kinds, in the transaction
SELECT n, put('many', n, 'm' || n) AS version FROM unnest('{1,256,257,300}'::int[]) n;
SELECT n, r.state FROM unnest('{1,256,257,300}'::int[]) n, raised(format($$SELECT put('many', 0, 'm%s')$$, n)) r;
-- what fails after its key was inserted, takes the key back
SELECT r.state FROM raised($$SELECT user_put('people', 'many', '[]', 'm301')$$) r;
SELECT r.state FROM raised($$SELECT user_patch('people', 'nobody', '{}', 'm301')$$) r;
SELECT put('many', 301, 'm301');
-- creations and deletions
SELECT user_create('people', '{"many": true}', idempotency_key => 'mc') = user_create('people', '{"many": true}', idempotency_key => 'mc') AS same;
SELECT user_delete('people', 'bulk', 'md') IS NULL AND user_delete('people', 'bulk', 'md') IS NULL AS twice;
COMMIT;
-- and after it
SELECT n, put('many', n, 'm' || n) AS version FROM unnest('{1,256,257,300,301}'::int[]) n;
SELECT n, r.state FROM unnest('{1,256,257,300}'::int[]) n, raised(format($$SELECT put('many', 0, 'm%s')$$, n)) r;
SELECT count(*), count(response), count(user_id), max(version) FROM people_idempotency WHERE key ~ '^m[0-9]';
SELECT version FROM people WHERE id = 'many';
-- expired ones are new to this kind of claim, too
UPDATE people_idempotency SET expires_at = now() WHERE key IN ('m1', 'm2');
BEGIN;
SELECT count(put('many', 1000 + n, 'n' || n)) AS puts FROM generate_series(1, 260) n;
SELECT put('many', 5000, 'm1') AS new, put('many', 5000, 'm1') AS replay, put('many', 3, 'm3') AS other;
COMMIT;
SELECT put('many', 5000, 'm1');

-- a savepoint that is rolled back takes its keys with it, of either kind
BEGIN;
SELECT put('sub', 1, 's1');
SAVEPOINT a;
SELECT put('sub', 2, 's2');
ROLLBACK TO a;
SELECT put('sub', 3, 's2') AS another_request, put('sub', 1, 's1') AS replay;
SELECT count(put('sub', n, 't' || n)) FROM generate_series(1, 260) n;
SAVEPOINT b;
SELECT put('sub', 4, 's4');
ROLLBACK TO b;
SELECT put('sub', 5, 's4') AS another_request, put('sub', 260, 't260') AS replay;
COMMIT;
SELECT put('sub', 5, 's4') AS replay, put('sub', 3, 's2') AS replay_too;
SELECT r.state FROM raised($$SELECT put('sub', 4, 's4')$$) r;

--
-- A caller is the role and its client: none gets another's answer
--
SELECT put('shared', 1, 'x');
SET userstore.client = 'shop';
SELECT put('shared', 2, 'x');
SET userstore.client = 'Shop';
SELECT put('shared', 3, 'x');
SET userstore.client = 'shop';
SELECT put('shared', 2, 'x');
SELECT r.state FROM raised($$SELECT put('shared', 1, 'x')$$) r;
RESET userstore.client;
SELECT put('shared', 1, 'x');
-- a client's name may be of any length, beside the longest of keys: each is one of its own
SELECT set_config('userstore.client', repeat('c', 3000), false) IS NOT NULL;
SELECT put('shared', 71, repeat('k', 255));
SELECT set_config('userstore.client', repeat('c', 2999) || 'd', false) IS NOT NULL;
SELECT put('shared', 72, repeat('k', 255));
SELECT set_config('userstore.client', repeat('c', 3000), false) IS NOT NULL;
SELECT put('shared', 71, repeat('k', 255));
RESET userstore.client;
SELECT set_config('userstore.client', string_agg(chr(128512 + n), ''), false) IS NOT NULL AS set FROM generate_series(1, 255) n;
SELECT put('shared', 6, string_agg(chr(128512 + n), '')) = put('shared', 6, string_agg(chr(128512 + n), '')) AS same FROM generate_series(1, 255) n;
RESET userstore.client;
GRANT USAGE ON SCHEMA regress_idempotency TO "regress_idempotency / clerk";
GRANT SELECT, INSERT, UPDATE ON people TO "regress_idempotency / clerk";
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION "regress_idempotency / clerk";
SELECT put('shared', 4, 'x');
SET userstore.client = 'shop';
SELECT put('shared', 5, 'x');
SELECT put('shared', 5, 'x');
-- keys are nobody's to read or purge but the owner's
SELECT r.state FROM raised('SELECT * FROM people_idempotency') r;
SELECT r.state, r.message FROM raised($$SELECT idempotency_purge('people')$$) r;
RESET SESSION AUTHORIZATION;
-- who may not change users, gets no answer again
REVOKE UPDATE ON regress_idempotency.people FROM "regress_idempotency / clerk";
SET SESSION AUTHORIZATION "regress_idempotency / clerk";
SET userstore.client = 'shop';
SELECT r.state, r.message FROM raised($$SELECT put('shared', 5, 'x')$$) r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_idempotency;
SET search_path = regress_idempotency, userstore;
RESET userstore.client;
SELECT caller, version FROM people_idempotency WHERE key = 'x' ORDER BY version;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_idempotency CASCADE;
DROP ROLE regress_idempotency, "regress_idempotency / clerk";
