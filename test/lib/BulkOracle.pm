# What bulk has to do, by the simplest means: a loop of calls on one user, each
# in a savepoint of its own.
#
#   use BulkOracle;
#   $node->safe_psql('userstore', $BulkOracle::sql);
#
# makes the schema "oracle" with these functions:
#   status(sqlstate)            the HTTP status of an item that failed so
#   one_by_one(users, operation, body, api)
#                               the answer of a bulk "put" or "patch" in the
#                               shape of profile "plain"; failed items have
#                               their SQLSTATE as "sqlstate", too
#   differences(singles, bulk)    where a bulk answer is not that of the loop
#   wrong_histories(users)      users whose history is not the story of their
#                               row

package BulkOracle;

use strict;
use warnings;

our $sql = <<'SQL';
CREATE SCHEMA oracle;

CREATE FUNCTION oracle.status(state text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN state ~ '^PT[0-9]{3}$' THEN substr(state, 3)::int
		WHEN state IN ('23505', '23503', '23P01') THEN 409
		WHEN state ~ '^(22|23)' OR state = 'P0001' THEN 400
		WHEN state = '42501' THEN 403
		ELSE 500 END $$;

-- The path in a DETAIL, which may be any text.
CREATE FUNCTION oracle.path(detail text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN detail::jsonb ->> 'path';
EXCEPTION WHEN invalid_text_representation THEN
	RETURN NULL;
END $$;

CREATE FUNCTION oracle.is_there(users regclass, id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN userstore.user_version(users, id) IS NOT NULL;
EXCEPTION WHEN SQLSTATE 'PT404' OR SQLSTATE 'PT400' THEN
	RETURN false;
END $$;

CREATE FUNCTION oracle.one_by_one(users regclass, operation text, body jsonb, api text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	answers jsonb[];
	item jsonb;
	answer jsonb;
	status int;
	state text;
	message text;
	detail text;
BEGIN
	FOR item IN SELECT value FROM jsonb_array_elements(body) WITH ORDINALITY AS i(value, n) ORDER BY n LOOP
		IF jsonb_typeof(item -> 'id') IS NULL OR jsonb_typeof(item -> 'id') NOT IN ('string', 'number') THEN
			answers := answers || '{"status": 400, "sqlstate": "PT400"}'::jsonb;
			CONTINUE;
		END IF;
		BEGIN
			status := CASE WHEN oracle.is_there(users, item ->> 'id') THEN 200 ELSE 201 END;
			IF operation = 'put' THEN
				answer := userstore.user_put(users, item ->> 'id', item, api => api);
			ELSE
				answer := userstore.user_patch(users, item ->> 'id', item, api => api);
			END IF;
			answers := answers || jsonb_build_object('id', answer -> 'id', 'status', status, 'version', answer #> '{meta,version}');
		EXCEPTION WHEN serialization_failure OR deadlock_detected THEN
			RAISE;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
			answers := answers || jsonb_strip_nulls(jsonb_build_object('id', item ->> 'id',
				'status', oracle.status(state), 'error', message, 'path', oracle.path(detail), 'sqlstate', state));
		END;
	END LOOP;
	RETURN coalesce(to_jsonb(answers), '[]');
END $$;

-- What is said of an item without an id is left to bulk, as long as it is said.
-- An id may be shown as the table writes it, one that is wrong may be left out.
CREATE FUNCTION oracle.is_right(singles jsonb, bulk jsonb) RETURNS boolean LANGUAGE sql AS $$
	SELECT CASE
		WHEN NOT singles ? 'id' THEN bulk - 'error' - 'path' = '{"status": 400}' AND bulk ->> 'error' <> ''
		WHEN singles ->> 'path' = 'id' AND singles ->> 'status' = '400' THEN bulk - 'id' = singles - 'sqlstate' - 'id'
		ELSE bulk - 'id' = singles - 'sqlstate' - 'id' AND ltrim(bulk ->> 'id', '0') = ltrim(singles ->> 'id', '0') END $$;

CREATE FUNCTION oracle.differences(singles jsonb, bulk jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('item %s: %s, the loop gives %s', l.n - 1, b.value, l.value)
	FROM jsonb_array_elements(singles) WITH ORDINALITY AS l(value, n)
		FULL JOIN jsonb_array_elements(bulk) WITH ORDINALITY AS b(value, n) USING (n)
	WHERE oracle.is_right(l.value, b.value) IS NOT TRUE
	ORDER BY n $$;

-- Versions without holes, times that rise, and a last row that is the user's.
CREATE FUNCTION oracle.wrong_histories(users regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	count bigint;
BEGIN
	EXECUTE format($q$
		SELECT count(*)
		FROM (SELECT h.*, lag(version, 1, 0::bigint) OVER w AS version_before, lag(changed_at) OVER w AS time_before,
				lead(version) OVER w AS next_version
			FROM %1$s_history h WINDOW w AS (PARTITION BY user_id ORDER BY version)) h
			FULL JOIN %1$s u ON u.id = h.user_id
		WHERE h.user_id IS NULL OR h.version <> version_before + 1 OR changed_at <= time_before
			OR next_version IS NULL AND (u.version, u.document, u.modified_at)
				IS DISTINCT FROM (CASE WHEN operation <> 'delete' THEN h.version END, h.document,
					CASE WHEN operation <> 'delete' THEN changed_at END)
			OR changed IS NULL
		$q$, users) INTO count;
	RETURN count;
END $$;
SQL

1;
