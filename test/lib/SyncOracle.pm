# What a sync has to do, by the simplest means: calls on one user, one after the
# other, on a twin of the table; and feeds to try it with.
#
#   use SyncOracle;
#   SyncOracle::setup($node);
#   SyncOracle::try_feeds($node, feeds => 30, seed => 1);
#
# Each feed is previewed, run, run again, reverted, and that reverted, too; with
# guards at their limit and beyond it; as a body, from a table or from a view.

package SyncOracle;

use strict;
use warnings;

use JSON::PP;
use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8->ascii->allow_nonref;

my $sql = <<'SQL';
CREATE SCHEMA oracle;
CREATE TABLE oracle.difference (feed text, what text);
CREATE TABLE oracle.outcome (action text, missing text, count bigint);
CREATE TABLE oracle.staged (record bigint, body jsonb, n int);
CREATE VIEW oracle.staged_view AS SELECT body, record, n FROM oracle.staged WHERE n IS NOT NULL;
CREATE TABLE oracle.plain_staged (body jsonb, "unrelated column" text DEFAULT 'x');

CREATE FUNCTION oracle.users(users regclass) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	documents jsonb;
BEGIN
	EXECUTE format('SELECT coalesce(jsonb_object_agg(id::text, document), ''{}'') FROM %s', users) INTO documents;
	RETURN documents;
END $$;

CREATE FUNCTION oracle.versions(users regclass) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	versions jsonb;
BEGIN
	EXECUTE format('SELECT coalesce(jsonb_object_agg(id::text, version), ''{}'') FROM %s', users) INTO versions;
	RETURN versions;
END $$;

-- Those whom the feed should have; who cannot be matched is not one of them.
CREATE FUNCTION oracle.in_scope(users regclass, scope text, match text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	ids text[];
BEGIN
	EXECUTE format('SELECT coalesce(array_agg(id::text ORDER BY id), ''{}'') FROM %s WHERE ($1 IS NULL OR userstore.user_matches(%L, document, $1))
		AND ($2 IS NULL OR document #>> string_to_array($2, ''.'') <> '''')', users, users) INTO ids USING scope, match;
	RETURN ids;
END $$;

-- All that is in the tables, but for times and transactions; of users whose id
-- was made up, the mark by which they are known
CREATE FUNCTION oracle.rows(users regclass, made_up jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT format('user %%s version %%s: %%s', coalesce($1 ->> id::text, id::text), version, document) FROM %1$s
		UNION ALL SELECT format('history of %%s version %%s: %%s %%s: %%s', coalesce($1 ->> user_id::text, user_id::text), version, operation, changed, document)
		FROM %1$s_history$q$, users) USING made_up;
END $$;

-- Why the user of a record cannot be told, or who it is: an id, or by the value
-- of the attribute to match, somebody new.
CREATE FUNCTION oracle.who(users jsonb, item jsonb, match text, exact boolean, OUT id text, OUT new_key text, OUT several text[]) LANGUAGE plpgsql AS $$
DECLARE
	wanted jsonb := item #> string_to_array(match, '.');
	hits text[];
	sent text;
BEGIN
	IF jsonb_typeof(item -> 'id') IN ('string', 'number') AND length(item ->> 'id') BETWEEN 1 AND 255 THEN
		id := item ->> 'id';
	END IF;
	IF match IS NULL THEN
		RETURN;
	END IF;
	sent := id;
	id := NULL;
	IF jsonb_typeof(wanted) IS DISTINCT FROM 'string' THEN
		RETURN;
	END IF;
	SELECT array_agg(u.key) FROM jsonb_each(users) u
		WHERE CASE WHEN exact THEN u.value #> string_to_array(match, '.') = wanted
			ELSE lower(u.value #>> string_to_array(match, '.')) = lower(wanted #>> '{}') END INTO hits;
	IF cardinality(hits) = 1 THEN
		id := hits[1];
	ELSIF hits IS NULL AND sent IS NOT NULL THEN
		id := sent;
	ELSE
		several := hits;
		new_key := CASE WHEN exact THEN wanted #>> '{}' ELSE lower(wanted #>> '{}') END;
	END IF;
END $$;

CREATE FUNCTION oracle.says_active(item jsonb) RETURNS boolean LANGUAGE sql AS $$
	SELECT EXISTS (SELECT FROM jsonb_object_keys(item) k WHERE lower(k) = 'active') $$;

-- What became of a user by an update
CREATE FUNCTION oracle.effect(users regclass, user_id text, before jsonb, version_before bigint, record bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	stands jsonb := oracle.users(users) -> user_id;
	now_version bigint := (oracle.versions(users) ->> user_id)::bigint;
	changed jsonb;
	old jsonb;
	new jsonb;
BEGIN
	IF stands IS NULL AND before IS NULL OR now_version = version_before THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT max(version) FROM %s_history WHERE user_id::text = $1', users) INTO now_version USING user_id;
	EXECUTE format('SELECT to_jsonb(changed) FROM %s_history WHERE user_id::text = $1 AND version = $2', users) INTO changed USING user_id, now_version;
	SELECT jsonb_object_agg(h.path, h.old) FILTER (WHERE h.old IS NOT NULL), jsonb_object_agg(h.path, h.new) FILTER (WHERE h.new IS NOT NULL)
		FROM userstore.user_history(users, user_id) h WHERE h.version = now_version AND h.path IS NOT NULL INTO old, new;
	RETURN jsonb_build_object('id', user_id, 'action', CASE
		WHEN before IS NULL THEN 'created'
		WHEN stands IS NULL THEN 'deleted'
		WHEN before -> 'active' = 'false' AND stands -> 'active' IS DISTINCT FROM 'false' THEN 'reactivated'
		WHEN before -> 'active' IS DISTINCT FROM 'false' AND stands -> 'active' = 'false' THEN 'deactivated'
		ELSE 'changed' END,
		'changed', changed, 'old', old, 'new', new, 'version', now_version, 'record', record);
END $$;

-- Unique values that several users have by now, and whose records must fail for
-- it: those who keep a value have it, of others the first who comes.
CREATE FUNCTION oracle.conflicts(users regclass, uniques jsonb, before jsonb, records jsonb, OUT failed int[], OUT errors text[]) LANGUAGE plpgsql AS $$
DECLARE
	keeping boolean;
BEGIN
	FOREACH keeping IN ARRAY ARRAY[true, false] LOOP
		WITH holder AS (
			SELECT u.n AS attribute, u.value ->> 0 AS path, k.key, d.key AS id, (records ->> d.key)::int AS record,
				b.key IS NOT DISTINCT FROM k.key AS keeps
			FROM jsonb_array_elements(uniques) WITH ORDINALITY AS u(value, n), jsonb_each(oracle.users(users)) d,
				LATERAL (SELECT nullif(CASE WHEN (u.value -> 1)::boolean THEN d.value ->> (u.value ->> 0) ELSE lower(d.value ->> (u.value ->> 0)) END, '')) k(key),
				LATERAL (SELECT nullif(CASE WHEN (u.value -> 1)::boolean THEN before -> d.key ->> (u.value ->> 0) ELSE lower(before -> d.key ->> (u.value ->> 0)) END, '')) b(key)
			WHERE k.key IS NOT NULL),
		crowd AS (
			SELECT h.*, bool_or(keeps) OVER w AS kept, min(record) OVER w AS first, count(*) OVER w AS count FROM holder h WINDOW w AS (PARTITION BY attribute, key)),
		failing AS (
			SELECT DISTINCT ON (record) record, path FROM crowd
			WHERE count > 1 AND kept = keeping AND NOT keeps AND (kept OR record <> first) ORDER BY record, attribute)
		SELECT array_agg(record), array_agg(format('a user with this "%s" exists already', path)) FROM failing INTO failed, errors;
		EXIT WHEN failed IS NOT NULL;
	END LOOP;
END $$;

-- What users_sync has to give, as objects of its columns.  The twin has no
-- unique values: whose record fails for them is judged in the end, over all
-- records, which may exchange values.  Raises PT400 when the user of a record
-- cannot be told and somebody could be missing.
CREATE FUNCTION oracle.sync(users regclass, body jsonb, match text, exact boolean, missing text, scope text, api text, patch boolean,
	uniques jsonb, numbers bigint[], OUT rows jsonb[], OUT scope_count bigint) LANGUAGE plpgsql AS $$
DECLARE
	-- maybe because that is how the profile deletes
	deactivates boolean := missing = 'deactivate' OR (missing = 'delete' AND EXISTS (SELECT FROM userstore.api_profile p, userstore.user_table t
		WHERE t.users = sync.users AND p.name = coalesce(sync.api, t.api) AND p.on_delete = 'deactivate'));
	before jsonb := oracle.users(users);
	versions jsonb := oracle.versions(users);
	scoped text[] := oracle.in_scope(users, scope, match);
	found_ids text[];
	new_keys text[];
	several text[] := '{}';
	refused text[];
	done jsonb;
	i int;
	n int;
	item jsonb;
	answer jsonb;
	person text;
	told record;
	c record;
BEGIN
	FOR i IN 0 .. jsonb_array_length(body) - 1 LOOP
		told := oracle.who(before, body -> i, match, exact);
		found_ids[i] := told.id;
		new_keys[i] := told.new_key;
		several := several || told.several;
		IF coalesce(told.id, told.new_key) IS NULL THEN
			IF missing <> 'ignore' THEN
				RAISE SQLSTATE 'PT400' USING MESSAGE = 'cannot be told', DETAIL = jsonb_build_object('index', i);
			END IF;
			refused[i] := '*';
		ELSIF told.id = ANY (found_ids[:i - 1]) OR told.new_key = ANY (new_keys[:i - 1]) THEN
			refused[i] := '*';
		END IF;
	END LOOP;
	scope_count := cardinality(scoped);
	LOOP
		rows := '{}';
		done := '{}';
		BEGIN
			FOREACH person IN ARRAY scoped LOOP
				CONTINUE WHEN person = ANY (found_ids || several);
				CONTINUE WHEN missing = 'ignore';
				BEGIN
					IF missing = 'delete' THEN
						PERFORM userstore.user_delete(users, person, api => api);
					ELSE
						PERFORM userstore.user_patch(users, person, '{"active": false}', api => api);
					END IF;
					rows := array_append(rows, oracle.effect(users, person, before -> person, (versions ->> person)::bigint, NULL));
				EXCEPTION WHEN OTHERS THEN
					rows := array_append(rows, jsonb_build_object('id', person, 'action', 'failed', 'error', sqlerrm));
				END;
			END LOOP;
			FOR i IN 0 .. jsonb_array_length(body) - 1 LOOP
				item := body -> i;
				person := found_ids[i];
				IF refused[i] IS NOT NULL THEN
					rows := array_append(rows, jsonb_build_object('id', person, 'action', 'failed', 'record', numbers[i + 1], 'error', refused[i]));
					CONTINUE;
				END IF;
				IF deactivates AND before ? person AND NOT oracle.says_active(item) THEN
					IF before #> ARRAY[person, 'active'] = 'false' THEN
						item := item || '{"active": true}';
					ELSIF before -> person ? 'active' AND NOT patch THEN
						item := item || jsonb_build_object('active', before #> ARRAY[person, 'active']);
					END IF;
				END IF;
				BEGIN
					IF before ? person AND patch THEN
						PERFORM userstore.user_patch(users, person, item, api => api);
					ELSIF before ? person THEN
						PERFORM userstore.user_put(users, person, item, api => api);
					ELSE
						IF patch THEN
							answer := userstore.users_bulk_patch(users, jsonb_build_array(item), creates => true, atomic => true, match => match, api => api);
						ELSE
							answer := userstore.users_bulk_put(users, jsonb_build_array(item), creates => true, atomic => true, match => match, api => api);
						END IF;
						person := coalesce(answer -> 0, answer #> '{Resources,0}', answer #> '{resources,0}') ->> 'id';
					END IF;
					rows := array_append(rows, oracle.effect(users, person, before -> person, (versions ->> person)::bigint, numbers[i + 1]));
					done := done || jsonb_build_object(person, i);
				EXCEPTION WHEN OTHERS THEN
					rows := array_append(rows, jsonb_build_object('id', coalesce(person, item ->> 'id'), 'action', 'failed', 'record', numbers[i + 1], 'error', sqlerrm));
				END;
			END LOOP;
			c := oracle.conflicts(users, uniques, before, done);
			EXIT WHEN c.failed IS NULL;
			RAISE SQLSTATE 'UU001';
		EXCEPTION WHEN SQLSTATE 'UU001' THEN
			FOR n IN 1 .. cardinality(c.failed) LOOP
				refused[c.failed[n]] := c.errors[n];
			END LOOP;
		END;
	END LOOP;
	rows := array_remove(rows, NULL);
END $$;

-- Rows of users_sync as lines to compare.  The id of a user that was made up is
-- not known beforehand, nor is the wording of what only a sync can say; an
-- empty object is as good as none.
CREATE FUNCTION oracle.lines(rows jsonb[], made_up jsonb, unsaid bigint[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT CASE WHEN r ->> 'error' <> '' AND (r ->> 'record')::bigint = ANY (unsaid) THEN format('%s record %s', r ->> 'action', r ->> 'record')
		ELSE format('%s %s record %s version %s %s: %s -> %s%s', coalesce(made_up ->> (r ->> 'id'), r ->> 'id'), r ->> 'action', r ->> 'record', r ->> 'version', r ->> 'changed',
			nullif(nullif(r -> 'old', 'null'), '{}'), nullif(nullif(r -> 'new', 'null'), '{}'), ' error ' || (r ->> 'error')) END
	FROM unnest(rows) r $$;

-- The ids that were made up, each with a mark of the user
CREATE FUNCTION oracle.made_up(rows jsonb[], body jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(jsonb_object_agg(r ->> 'id', '(made up for ' || (r ->> 'new') || ')'), '{}') FROM unnest(rows) r
	WHERE r ->> 'action' = 'created' AND r ->> 'id' NOT IN (SELECT item ->> 'id' FROM jsonb_array_elements(body) item WHERE item ->> 'id' IS NOT NULL) $$;

CREATE PROCEDURE oracle.differ(feed text, what text) LANGUAGE sql AS $$ INSERT INTO oracle.difference VALUES (feed, what) $$;

CREATE FUNCTION oracle.call(function text, arguments jsonb, OUT rows jsonb[], OUT state text, OUT message text, OUT detail jsonb) LANGUAGE plpgsql AS $$
DECLARE
	named text;
	text_detail text;
BEGIN
	SELECT string_agg(format('%I => %L', key, value), ', ') FROM jsonb_each_text(arguments) WHERE value IS NOT NULL INTO named;
	EXECUTE format('SELECT array_agg(to_jsonb(s) - ''ordinality'' ORDER BY ordinality) FROM userstore.%I(''synced.people'', %s) WITH ORDINALITY AS s(%s, ordinality)', function, named,
		CASE function WHEN 'users_sync' THEN 'id, action, changed, old, new, version, record, error, transaction_id'
			ELSE 'id, action, changed, old, new, version, error, transaction_id' END) INTO rows;
	rows := coalesce(rows, '{}');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, text_detail = PG_EXCEPTION_DETAIL;
	detail := CASE WHEN text_detail LIKE '{%' THEN text_detail::jsonb END;
END $$;

-- The same, taken back
CREATE FUNCTION oracle.call_in_vain(function text, arguments jsonb, OUT rows jsonb[], OUT state text, OUT message text, OUT detail jsonb) LANGUAGE plpgsql AS $$
BEGIN
	SELECT * FROM oracle.call(function, arguments) INTO rows, state, message, detail;
	RAISE SQLSTATE 'UU002';
EXCEPTION WHEN SQLSTATE 'UU002' THEN
	RETURN;
END $$;

CREATE FUNCTION oracle.without_transactions(rows jsonb[]) RETURNS jsonb[] LANGUAGE sql AS $$
	SELECT coalesce(array_agg(r - 'transaction_id' ORDER BY n), '{}') FROM unnest(rows) WITH ORDINALITY AS u(r, n) $$;

-- The twin becomes what the table is.
CREATE PROCEDURE oracle.make_twin() LANGUAGE plpgsql AS $$
DECLARE
	names text;
	part text;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOREACH part IN ARRAY ARRAY['people_history', 'people'] LOOP
		SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
			WHERE attrelid = ('looped.' || part)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' INTO names;
		EXECUTE format('DELETE FROM looped.%1$I; INSERT INTO looped.%1$I (%2$s) SELECT %2$s FROM synced.%1$I', part, names);
	END LOOP;
	SET LOCAL session_replication_role = origin;
END $$;

CREATE PROCEDURE oracle.try_guards(feed text, arguments jsonb, body jsonb, numbers bigint[], preview jsonb[], scope_count bigint)
LANGUAGE plpgsql AS $$
DECLARE
	lines text[] := ARRAY(SELECT oracle.lines(preview, oracle.made_up(preview, body)) ORDER BY 1);
	before text[] := ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1);
	g record;
	limits numeric[];
	good numeric;
	bad numeric;
	o record;
BEGIN
	FOR g IN
		SELECT k AS name, (SELECT count(*) FROM unnest(preview) p WHERE p ->> 'action' = k) AS count,
			CASE k WHEN 'failed' THEN jsonb_array_length(body) ELSE scope_count END AS total
		FROM unnest('{created,changed,reactivated,deactivated,deleted,failed}'::text[]) k
	LOOP
		-- the last that is allowed, the first that is not
		limits := ARRAY[g.count, g.count - 1];
		IF g.count > 0 AND g.count < g.total THEN
			good := ceil(1e10 * g.count / g.total) / 1e10;
			limits := limits || CASE WHEN good < 1 THEN ARRAY[good, good - 1e-10] END;
		END IF;
		FOR i IN 1 .. cardinality(limits) BY 2 LOOP
			-- who cannot be deleted, or deactivated, may count or not
			CONTINUE WHEN g.name IN ('deleted', 'deactivated')
				AND EXISTS (SELECT FROM unnest(preview) p WHERE p ->> 'action' = 'failed' AND p ->> 'record' IS NULL);
			SELECT * FROM oracle.call_in_vain('users_sync', arguments || jsonb_build_object('guard', jsonb_build_object(g.name, limits[i]))) INTO o;
			IF ARRAY(SELECT oracle.lines(o.rows, oracle.made_up(o.rows, body)) ORDER BY 1) <> lines THEN
				CALL oracle.differ(feed, format('guard %s %s, count is %s of %s: run gives %s %s', g.name, limits[i], g.count, g.total, o.state, o.message));
			END IF;
			bad := limits[i + 1];
			CONTINUE WHEN bad < 0;
			SELECT * FROM oracle.call('users_sync', arguments || jsonb_build_object('guard', jsonb_build_object(g.name, bad))) INTO o;
			IF o.state IS DISTINCT FROM 'PT409' OR o.detail ->> 'guard' IS DISTINCT FROM g.name OR (o.detail ->> 'count')::numeric IS DISTINCT FROM g.count
				OR (o.detail ->> 'limit')::numeric IS DISTINCT FROM bad OR bad > 0 AND bad < 1 AND (o.detail ->> CASE g.name WHEN 'failed' THEN 'records' ELSE 'users' END)::numeric IS DISTINCT FROM g.total
				OR position(g.count::text IN o.message) = 0 THEN
				CALL oracle.differ(feed, format('guard %s %s, count is %s of %s: run gives %s %s %s', g.name, bad, g.count, g.total, o.state, o.message, o.detail));
			END IF;
			IF before <> ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1) THEN
				CALL oracle.differ(feed, format('guard %s %s: something was done', g.name, bad));
			END IF;
		END LOOP;
	END LOOP;
END $$;

-- Revert, and that again; the tables are as the sync left them but for versions.
CREATE PROCEDURE oracle.try_revert(feed text, run jsonb[], before jsonb, api text, atomic boolean, deactivates boolean) LANGUAGE plpgsql AS $$
DECLARE
	synced jsonb := oracle.users('synced.people');
	expected jsonb := before;
	target jsonb;
	undone jsonb := to_jsonb(run);
	versions jsonb;
	preview record;
	o record;
	round text;
	changes bigint;
	person text;
BEGIN
	-- users created are deactivated where the profile deletes so
	IF deactivates THEN
		SELECT before || coalesce(jsonb_object_agg(r ->> 'id', synced -> (r ->> 'id') || '{"active": false}'), '{}') FROM unnest(run) r
			WHERE r ->> 'action' = 'created' INTO expected;
	END IF;
	FOREACH round IN ARRAY ARRAY['revert', 'revert of the revert'] LOOP
		EXIT WHEN jsonb_array_length(undone) = 0;
		target := CASE round WHEN 'revert' THEN expected ELSE synced END;
		SELECT jsonb_object_agg(h.user_id, h.version) FROM (SELECT user_id, max(version) FROM synced.people_history GROUP BY 1) h(user_id, version) INTO versions;
		SELECT * FROM oracle.call('users_revert', jsonb_build_object('transaction_id', jsonb_path_query_first(undone, '$[*].transaction_id ? (@ != null)'), 'dry_run', true, 'atomic', atomic, 'api', api)) INTO preview;
		SELECT * FROM oracle.call('users_revert', jsonb_build_object('transaction_id', jsonb_path_query_first(undone, '$[*].transaction_id ? (@ != null)'), 'atomic', atomic, 'api', api)) INTO o;
		IF o.state IS NOT NULL THEN
			CALL oracle.differ(feed, format('%s: %s %s %s', round, o.state, o.message, o.detail));
			COMMIT;
			RETURN;
		END IF;
		IF oracle.without_transactions(o.rows) IS DISTINCT FROM oracle.without_transactions(preview.rows) THEN
			CALL oracle.differ(feed, format('preview of %s: %s %s, run gives %s', round, preview.state, preview.rows, o.rows));
		END IF;
		COMMIT;
		IF oracle.users('synced.people') <> target THEN
			FOR person IN SELECT coalesce(a.key, b.key) FROM jsonb_each(target) a FULL JOIN jsonb_each(oracle.users('synced.people')) b USING (key)
				WHERE a.value IS DISTINCT FROM b.value LOOP
				CALL oracle.differ(feed, format('%s leaves %s as %s, not as %s', round, person, oracle.users('synced.people') -> person, target -> person));
			END LOOP;
		END IF;
		-- a row for each user who is changed, with the next version and the values
		INSERT INTO oracle.difference
		SELECT feed, format('%s: row %s of %s', round, n, e)
		FROM (SELECT r ->> 'id' AS id, r ->> 'action' AS action FROM jsonb_array_elements(undone) r WHERE r ->> 'action' NOT IN ('failed', 'skipped')
				AND r -> 'changed' <> '[]'
				AND NOT (deactivates AND round = 'revert' AND r ->> 'action' = 'created' AND synced #> ARRAY[r ->> 'id', 'active'] IS NOT DISTINCT FROM 'false')) e
			FULL JOIN (SELECT r ->> 'id' AS id, r AS n FROM unnest(o.rows) r) n USING (id)
		WHERE n.n ->> 'action' IS DISTINCT FROM CASE e.action WHEN 'created' THEN CASE WHEN deactivates AND round = 'revert' THEN 'deactivated' ELSE 'deleted' END WHEN 'deleted' THEN 'created'
				WHEN 'reactivated' THEN 'deactivated' WHEN 'deactivated' THEN 'reactivated' ELSE e.action END
			OR (n.n ->> 'version')::bigint IS DISTINCT FROM (versions ->> id)::bigint + 1 OR n.n ->> 'error' IS NOT NULL;
		EXECUTE 'SELECT count(*) FROM synced.people_history WHERE transaction_id::text = $1 AND operation IN (''put'', ''patch'', ''delete'')'
			INTO changes USING o.rows[1] ->> 'transaction_id';
		IF changes <> cardinality(o.rows) OR (SELECT count(DISTINCT request_id) <> 1 FROM synced.people_history WHERE transaction_id::text = o.rows[1] ->> 'transaction_id') THEN
			CALL oracle.differ(feed, format('%s: %s rows, %s in history, or several request ids', round, cardinality(o.rows), changes));
		END IF;
		INSERT INTO oracle.outcome VALUES (round, NULL, cardinality(o.rows));
		undone := to_jsonb(o.rows);
		COMMIT;
	END LOOP;
END $$;

CREATE FUNCTION oracle.let_judge(yes boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'synced.people'::regclass AND tgname = 'judge') THEN
		EXECUTE format('ALTER TABLE synced.people %s TRIGGER judge', CASE WHEN yes THEN 'ENABLE' ELSE 'DISABLE' END);
	END IF;
END $$;

CREATE PROCEDURE oracle.try_feed(feed text, body jsonb, match text, exact boolean, missing text, scope text, api text, patch boolean,
	way text, guards boolean, atomic boolean, deactivates boolean, uniques jsonb) LANGUAGE plpgsql AS $$
DECLARE
	arguments jsonb := jsonb_build_object('match', match, 'missing', missing, 'scope', scope, 'api', api, 'patch', patch);
	numbers bigint[];
	before jsonb := oracle.users('synced.people');
	standing text[];
	model record;
	model_state text;
	model_detail text;
	preview record;
	run record;
	again record;
	model_made_up jsonb;
	run_made_up jsonb;
	unsaid bigint[];
	changes bigint;
	xid text;
	count bigint;
BEGIN
	CALL oracle.make_twin();
	COMMIT;
	standing := ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1);
	IF standing <> ARRAY(SELECT oracle.rows('looped.people') ORDER BY 1) THEN
		CALL oracle.differ(feed, 'there is no twin to compare with');
	END IF;
	TRUNCATE oracle.staged, oracle.plain_staged;
	IF way = 'body' THEN
		numbers := ARRAY(SELECT generate_series(1, jsonb_array_length(body)));
	ELSIF way = 'table without numbers' THEN
		numbers := '{}';
	ELSE
		numbers := ARRAY(SELECT 7 + 3 * generate_series(0, jsonb_array_length(body) - 1));
	END IF;
	IF way = 'body' THEN
		arguments := arguments || jsonb_build_object('body', body);
	ELSIF way = 'table without numbers' THEN
		INSERT INTO oracle.plain_staged SELECT value FROM jsonb_array_elements(body) WITH ORDINALITY AS b(value, n) ORDER BY n;
		arguments := arguments || jsonb_build_object('staging', 'oracle.plain_staged');
	ELSE
		INSERT INTO oracle.staged SELECT numbers[n], value, n FROM jsonb_array_elements(body) WITH ORDINALITY AS b(value, n) ORDER BY random();
		arguments := arguments || jsonb_build_object('staging', CASE way WHEN 'view' THEN 'oracle.staged_view' ELSE 'oracle.staged' END);
	END IF;
	COMMIT;

	BEGIN
		SELECT * FROM oracle.sync('looped.people', body, match, exact, missing, scope, 'lax_' || api, patch, uniques, numbers) INTO model;
	EXCEPTION WHEN SQLSTATE 'PT400' THEN
		GET STACKED DIAGNOSTICS model_detail = PG_EXCEPTION_DETAIL;
		model_state := 'PT400';
	END;
	COMMIT;
	SELECT * FROM oracle.call('users_sync', arguments || '{"dry_run": true}') INTO preview;
	COMMIT;
	IF standing <> ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1) THEN
		CALL oracle.differ(feed, 'the preview left something');
	END IF;
	IF guards AND preview.state IS NULL AND model_state IS NULL THEN
		CALL oracle.try_guards(feed, arguments, body, numbers, preview.rows, model.scope_count);
		COMMIT;
	END IF;
	SELECT * FROM oracle.call('users_sync', arguments) INTO run;
	COMMIT;

	IF model_state IS NOT NULL THEN
		INSERT INTO oracle.outcome VALUES ('refused', missing, 1);
		IF run.state IS DISTINCT FROM model_state OR way = 'body' AND run.detail -> 'index' IS DISTINCT FROM model_detail::jsonb -> 'index' OR run.message IS DISTINCT FROM preview.message
			OR standing <> ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1) THEN
			CALL oracle.differ(feed, format('%s for %s: %s %s %s', model_state, model_detail, run.state, run.message, run.detail));
		END IF;
		COMMIT;
		RETURN;
	END IF;
	IF run.state IS NOT NULL OR preview.state IS NOT NULL THEN
		CALL oracle.differ(feed, format('raised %s %s %s, in preview %s', run.state, run.message, run.detail, preview.message));
		COMMIT;
		RETURN;
	END IF;
	INSERT INTO oracle.outcome SELECT r ->> 'action', missing, count(*) FROM unnest(run.rows) r GROUP BY 1;

	-- preview and run
	IF EXISTS (SELECT FROM unnest(preview.rows) r WHERE r ->> 'transaction_id' IS NOT NULL) THEN
		CALL oracle.differ(feed, 'the preview has a transaction id');
	END IF;
	run_made_up := oracle.made_up(run.rows, body);
	INSERT INTO oracle.difference SELECT feed, 'only in the preview: ' || l
		FROM (SELECT oracle.lines(preview.rows, oracle.made_up(preview.rows, body)) EXCEPT ALL SELECT oracle.lines(run.rows, run_made_up)) d(l);
	INSERT INTO oracle.difference SELECT feed, 'not in the preview: ' || l
		FROM (SELECT oracle.lines(run.rows, run_made_up) EXCEPT ALL SELECT oracle.lines(preview.rows, oracle.made_up(preview.rows, body))) d(l);

	-- run and model
	unsaid := ARRAY(SELECT (m ->> 'record')::bigint FROM unnest(model.rows) m WHERE m ->> 'error' = '*');
	model_made_up := oracle.made_up(model.rows, body);
	INSERT INTO oracle.difference SELECT feed, 'not in the model: ' || l
		FROM (SELECT oracle.lines(run.rows, run_made_up, unsaid) EXCEPT ALL SELECT oracle.lines(model.rows, model_made_up, unsaid)) d(l);
	INSERT INTO oracle.difference SELECT feed, 'only in the model: ' || l
		FROM (SELECT oracle.lines(model.rows, model_made_up, unsaid) EXCEPT ALL SELECT oracle.lines(run.rows, run_made_up, unsaid)) d(l);
	INSERT INTO oracle.difference SELECT feed, 'the sync left ' || l
		FROM (SELECT oracle.rows('synced.people', run_made_up) EXCEPT ALL SELECT oracle.rows('looped.people', model_made_up)) d(l);
	INSERT INTO oracle.difference SELECT feed, 'the model left ' || l
		FROM (SELECT oracle.rows('looped.people', model_made_up) EXCEPT ALL SELECT oracle.rows('synced.people', run_made_up)) d(l);

	-- all of it is of one request and one transaction, which the rows name
	changes := (SELECT count(*) FROM unnest(run.rows) r WHERE r ->> 'action' NOT IN ('failed', 'skipped'));
	xid := (SELECT max(r ->> 'transaction_id') FROM unnest(run.rows) r);
	EXECUTE 'SELECT count(*) FROM synced.people_history WHERE transaction_id::text = $1' INTO count USING xid;
	IF count <> changes OR (SELECT count(DISTINCT request_id) FROM synced.people_history h WHERE h.transaction_id::text = xid) <> least(changes, 1)
		OR (SELECT count(DISTINCT r ->> 'transaction_id') > 1 OR count(*) <> count(r ->> 'transaction_id') FROM unnest(run.rows) r WHERE r ->> 'action' NOT IN ('failed', 'skipped')) THEN
		CALL oracle.differ(feed, format('%s changes, %s in history, or not one request, or not one transaction', changes, count));
	END IF;
	COMMIT;

	-- the same once more
	standing := ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1);
	IF NOT EXISTS (SELECT FROM unnest(run.rows) r WHERE r ->> 'action' = 'failed') AND position('"lower"' IN body::text) = 0 THEN
		SELECT * FROM oracle.call('users_sync', arguments) INTO again;
		IF again.state IS NOT NULL OR again.rows <> '{}' OR standing <> ARRAY(SELECT oracle.rows('synced.people') ORDER BY 1) THEN
			CALL oracle.differ(feed, format('once more: %s %s %s', again.state, again.message, again.rows));
		END IF;
		INSERT INTO oracle.outcome VALUES ('again', missing, 1);
	END IF;
	COMMIT;
	IF changes > 0 THEN
		-- an app that refuses to go back is another story
		PERFORM oracle.let_judge(false);
		COMMIT;
		CALL oracle.try_revert(feed, run.rows, before, api, atomic, deactivates);
		PERFORM oracle.let_judge(true);
	END IF;
END $$;
SQL

my %feature = (
	checks => q{
		ALTER TABLE people ADD CONSTRAINT age_is_human CHECK ((document ->> 'age')::numeric < 150),
			ADD CONSTRAINT title_is_there CHECK (document ->> 'title' IS DISTINCT FROM 'unchecked')},
	# of an app, which may refuse any change
	triggers => q{
		CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_OP = 'DELETE' THEN
				IF OLD.document ->> 'dept' = 'board' THEN
					RAISE EXCEPTION 'nobody of the board is deleted';
				END IF;
				RETURN OLD;
			ELSIF NEW.document ->> 'title' = 'refused' THEN
				RAISE EXCEPTION 'refused' USING ERRCODE = '23514';
			ELSIF NEW.document ->> 'title' = 'lower' THEN
				NEW.document := jsonb_set(NEW.document, '{title}', '"LOWER"');
			END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER judge BEFORE INSERT OR UPDATE OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION judge()});

# What is known of a kind of table: how it is made, its attributes and what may
# be sent for them.
my @departments = qw(sales lab board);
my @titles = (qw(Engineer Manager Clerk), "\x{dc}ber-Chef \"1\"");
my %own = (
	api => 'own',
	unique => [qw(login badge)],
	match => [ [ 'login', 0 ], [ 'badge', 1 ] ],
	value => {
		dept => sub { one_of(@departments) },
		title => sub { chance(0.2) ? undef : one_of(@titles) },
		age => sub { int rand 100 },
		name => sub { { family => one_of(qw(Li Lee Roth)), chance(0.5) ? (given => one_of(qw(Ann Bob))) : () } },
		marks => sub { [ map { { k => $_, v => int rand 3 } } grep { chance(0.5) } 'a' .. 'c' ] },
	},
	bad => [
		sub { $_[0]{age} = 'old' }, sub { $_[0]{age} = 1001 }, sub { $_[0]{shoe} = 42 },
		sub { $_[0]{login} = '' }, sub { $_[0]{login} = [] }, sub { $_[0]{fixed} = 'g' . int rand 10 },
		sub { $_[0]{active} = 'yes' }, sub { $_[0]{marks} = [ { k => 'a', v => 'x' } ] } ],
	scopes => [ 'dept eq "lab"', 'not (dept eq "sales")', 'active eq true', 'title pr and age lt 50', 'login sw "l1"' ],
	# apart from what the table's own profile says, that may be named
	other_apis => ['own_updates'],
);
my @trouble = (sub { $_[0]{title} = 'refused' }, sub { $_[0]{title} = 'lower' });

my %kinds = (
	'plain' => {
		api => 'plain', unique => [], match => [ [ 'mail', 1 ], [ 'name.login', 1 ] ], missing => [qw(ignore deactivate delete)],
		value => {
			dept => sub { one_of(@departments) }, free => sub { one_of(1, '1', JSON::PP::true, [], [ 1, { a => 'b' } ], { a => { b => int rand 3 } }, undef) },
			'odd "name"' => sub { one_of('', 'x', "\n") }, name => undef },
		bad => [ sub { $_[0]{meta} = 1; $_[0]{id} .= 'x' x 255 if exists $_[0]{id} } ],
		scopes => [ 'dept eq "lab"', 'not (active eq false)', 'free pr' ], marks => [qw(mail)] },
	'own' => { %own },
	'own with numbers for ids' => { %own, id_type => 'bigint' },
	'own on partitions' => { %own, partitions => 4 },
	'own with triggers' => { %own, features => [qw(checks triggers)], bad => [ @{ $own{bad} }, sub { $_[0]{age} = 150 }, sub { $_[0]{title} = 'unchecked' }, @trouble, @trouble, @trouble ] },
	'own that deactivates' => { %own, api => 'own_deactivates', other_apis => undef, deactivates => 1 },
	'own that merges' => { %own, api => 'own_merges' },
	'scim' => {
		api => 'scim', unique => ['userName'], match => [ [ 'userName', 0 ], [ 'externalId', 1 ] ], other_apis => ['entra'],
		value => {
			title => sub { chance(0.2) ? undef : one_of(@titles) }, displayName => sub { one_of(qw(A B C)) },
			name => sub { { familyName => one_of(qw(Li Lee)), chance(0.5) ? (givenName => one_of(qw(Ann Bob))) : () } },
			emails => sub { [ map { { value => "$_\@example.com", type => 'work', chance(0.5) ? (primary => JSON::PP::true) : () } } grep { chance(0.5) } 'a' ] },
			userType => sub { one_of(@departments) },
			'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' => sub { { department => one_of(@departments), chance(0.3) ? (manager => { value => 'm' . int rand 3 }) : () } } },
		bad => [ sub { $_[0]{title} = 42 }, sub { $_[0]{emails} = 'a@example.com' }, sub { $_[0]{userName} = '' }, sub { $_[0]{name} = { familyName => [] } }, sub { $_[0]{active} = 'perhaps' } ],
		scopes => [ 'userType eq "lab"', 'emails[type eq "work"]', 'active eq true', 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales"' ] },
	'zluri' => {
		api => 'zluri', unique => [], match => [ [ 'user_email', undef ] ], missing => [qw(ignore delete)], marks => ['user_email'], inactive => 0,
		value => { user_name => sub { one_of(qw(Ann Bob Cid)) }, user_status => sub { one_of(qw(active suspended)) }, user_designation => sub { one_of(@titles) },
			user_custom_fields => sub { [ map { { field_id => $_, field_value => int rand 3 } } grep { chance(0.5) } 'a' .. 'c' ] } },
		bad => [ sub { $_[0]{user_status} = 'asleep' }, sub { $_[0]{user_email} = 'nowhere' }, sub { $_[0]{shoe} = 1 } ],
		scopes => ['user_status eq "active"'] },
);

my ($node, $fresh);

sub query { return $node->safe_psql('userstore', @_) }
sub one_of { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }

sub setup
{
	($node) = @_;
	query($sql);
	query(q{
		SELECT userstore.attribute_schema_define('{"id": "urn:test:sync:User", "attributes": [
			{"name": "login", "required": true, "uniqueness": "server", "minLength": 1},
			{"name": "badge", "caseExact": true, "uniqueness": "server"},
			{"name": "dept"}, {"name": "title"}, {"name": "age", "type": "integer", "maximum": 1000},
			{"name": "active", "type": "boolean"}, {"name": "fixed", "mutability": "immutable"},
			{"name": "name", "type": "complex", "subAttributes": [{"name": "family"}, {"name": "given"}]},
			{"name": "marks", "type": "complex", "multiValued": true, "key": "k",
				"subAttributes": [{"name": "k"}, {"name": "v", "type": "integer"}]}]}');
		SELECT userstore.api_profile_define('own', '{"schemas": ["urn:test:sync:User"], "unknown_attributes": "reject"}', base => 'plain');
		-- the same without unique values
		SELECT userstore.attribute_schema_define(jsonb_set(document, '{id}', to_jsonb('urn:test:sync:lax:' || md5(document ->> 'id'))) || jsonb_build_object('attributes', (
				SELECT jsonb_agg(a - 'uniqueness' ORDER BY n) FROM jsonb_array_elements(document -> 'attributes') WITH ORDINALITY AS e(a, n))))
			FROM userstore.attribute_schema WHERE document ->> 'id' IN ('urn:test:sync:User', 'urn:ietf:params:scim:schemas:core:2.0:User');
		SELECT userstore.api_profile_define('lax_own', jsonb_build_object('schemas', jsonb_build_array('urn:test:sync:lax:' || md5('urn:test:sync:User'))), base => 'own');
		SELECT userstore.api_profile_define('lax_' || base, jsonb_build_object('schemas', jsonb_build_array('urn:test:sync:lax:' || md5('urn:ietf:params:scim:schemas:core:2.0:User'),
			'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User')), base => base) FROM unnest('{scim,entra}'::text[]) base;
		SELECT userstore.api_profile_define('lax_' || base, '{}', base => base) FROM unnest('{plain,zluri}'::text[]) base;
		SELECT userstore.api_profile_define(lax || 'own_updates', '{"put_creates": false}', base => lax || 'own'),
			userstore.api_profile_define(lax || 'own_deactivates', '{"on_delete": "deactivate"}', base => lax || 'own'),
			userstore.api_profile_define(lax || 'own_merges', '{"put": "merge"}', base => lax || 'own')
			FROM unnest('{"",lax_}'::text[]) lax});
	return;
}

sub make_tables
{
	my ($kind) = @_;
	my $arguments = join '', map { defined $kind->{$_} ? ", $_ => '$kind->{$_}'" : '' } qw(id_type partitions);

	my %lax = (synced => '', looped => 'lax_');

	foreach my $place (qw(synced looped))
	{
		query(qq{
			SET client_min_messages = warning;
			DROP SCHEMA IF EXISTS $place CASCADE;
			CREATE SCHEMA $place;
			SET search_path = $place;
			SELECT userstore.user_table_create('people', api => '$lax{$place}$kind->{api}'$arguments);
			} . join ';', map { $feature{$_} } @{ $kind->{features} // [] });
		# what one of the two makes up, the other does not
		query("ALTER TABLE $place.people ALTER id RESTART " . ($place eq 'synced' ? 100_000 : 200_000)) if $kind->{id_type};
	}
	return;
}

# ---- Feeds -----------------------------------------------------------------

# A value that is anybody's only.
sub fresh_value
{
	my ($attribute) = @_;

	$fresh++;
	return $attribute =~ /mail/ ? "l$fresh\@example.com" : substr($attribute, 0, 1) . $fresh;
}

sub marks
{
	my ($kind) = @_;

	return @{ $kind->{marks} // [] }, @{ $kind->{unique} }, $kind->{api} eq 'scim' ? 'externalId' : ();
}

sub new_record
{
	my ($kind) = @_;
	my $id = ++$fresh;
	my %record = (id => $kind->{id_type} ? 1000 + $id : "u$id");

	$record{$_} = fresh_value($_) foreach grep { $_ =~ /^(?:login|userName|user_email)$/ || chance(0.8) } marks($kind);
	$record{name} = { login => fresh_value('login') } if $kind->{api} eq 'plain' && chance(0.7);
	foreach my $attribute (grep { $kind->{value}{$_} && chance(0.5) } sort keys %{ $kind->{value} })
	{
		$record{$attribute} = $kind->{value}{$attribute}->();
	}
	$record{active} = one_of(JSON::PP::true, JSON::PP::true, JSON::PP::false) if chance(0.5) && ($kind->{inactive} // 1);
	return \%record;
}

sub changed_record
{
	my ($kind, $record) = @_;
	my @attributes = grep { $kind->{value}{$_} } sort keys %{ $kind->{value} };

	foreach (1 .. 1 + int rand 3)
	{
		my $attribute = one_of(@attributes);

		if (chance(0.2))
		{
			delete $record->{$attribute};
		}
		else
		{
			$record->{$attribute} = $kind->{value}{$attribute}->();
		}
	}
	$record->{active} = one_of(JSON::PP::true, JSON::PP::false, undef) if chance(0.3) && ($kind->{inactive} // 1);
	delete $record->{active} if chance(0.1);
	return;
}

# A feed about users who stand there; options say how likely what is.
sub feed
{
	my ($kind, $users, $match, %likely) = @_;
	my @records;
	my @unique = @{ $kind->{unique} };
	my %missing;

	# ids that were made up say nothing that a seed could repeat
	my %text = map { $_ => $json->encode($users->{$_}) } keys %$users;
	my @ids = sort { $text{$a} cmp $text{$b} || $a cmp $b } keys %$users;
	my @gone;

	foreach my $id (@ids)
	{
		my $record = { %{ $json->decode($json->encode($users->{$id})) }, id => $id };

		if (chance($likely{missing}))
		{
			$missing{$id} = $record;
			push @gone, $id;
			next;
		}
		# a feed that says nothing of it
		delete $record->{active} if $likely{silent};
		changed_record($kind, $record) if chance($likely{change});
		push @records, $record;
	}
	@records = shuffle(@records) if chance(0.7);

	# unique values that are exchanged, passed on, those of who is missing
	if (grep({ !$match || $_ ne $match->[0] } @unique) && @records > 3 && chance($likely{swap}))
	{
		my $attribute = one_of(grep { !$match || $_ ne $match->[0] } @unique);
		my @some = (shuffle(0 .. $#records))[ 0 .. 2 ];
		my @values = map { $records[$_]{$attribute} } @some;

		@values = one_of([ @values[ 1, 0, 2 ] ], [ @values[ 1, 2, 0 ] ], [ $values[1], fresh_value($attribute), $values[0] ], [ fresh_value($attribute), @values[ 0, 1 ] ])->@*;
		if (my ($gone) = shuffle(grep { defined $missing{$_}{$attribute} } @gone))
		{
			$values[ int rand 3 ] = $missing{$gone}{$attribute};
		}
		foreach my $n (0 .. 2)
		{
			defined $values[$n] ? ($records[ $some[$n] ]{$attribute} = $values[$n]) : delete $records[ $some[$n] ]{$attribute};
		}
	}
	foreach (1 .. $likely{new})
	{
		my $record = new_record($kind);

		splice @records, int rand(@records + 1), 0, $record;
		if (@unique && chance(0.3) && (my ($gone) = shuffle(@gone)))
		{
			my $attribute = one_of(@unique);

			$record->{$attribute} = $missing{$gone}{$attribute} if defined $missing{$gone}{$attribute} && !($match && $attribute eq $match->[0]);
		}
	}
	if ($match)
	{
		my @path = split /\./, $match->[0];

		# those whom the attribute cannot tell do not come, or only at times
		@records = grep { defined value($_, @path) || chance($likely{lost}) } @records;
		foreach my $record (@records)
		{
			delete $record->{id} if chance(0.8) || !defined value($record, @path);
			$record->{ $path[0] } = chance(0.5) ? uc $record->{ $path[0] } : lc $record->{ $path[0] }
			  if @path == 1 && defined $match->[1] && !$match->[1] && !$users->{ $record->{id} // '' } && defined $record->{ $path[0] } && chance(0.2);
		}
	}
	foreach my $record (grep { chance($likely{bad}) } @records)
	{
		my $spoilt = $json->decode($json->encode($record));

		one_of(@{ $kind->{bad} })->($spoilt);
		# whom it is about is still told
		next if $match && (value($spoilt, split /\./, $match->[0]) // '') ne value($record, split /\./, $match->[0]);
		next if !$match && length $spoilt->{id} > 255 && !chance($likely{lost});
		%$record = %$spoilt;
	}
	foreach my $record (grep { chance($likely{twice}) } @records)
	{
		my $twin = $json->decode($json->encode($record));

		changed_record($kind, $twin) if chance(0.5);
		push @records, $twin;
	}
	if (chance(8 * $likely{lost}))
	{
		my @lost = ('[]', '1', 'null', '{}', '{"id": null}', '{"id": ""}', '{"id": true}', '{"id": ["u1"]}', '{"id": "' . 'x' x 256 . '"}');

		splice @records, int rand(@records + 1), 0, $json->decode(one_of(@lost)) foreach 1 .. 1 + int rand 2;
	}
	return \@records;
}

sub value
{
	my ($record, @path) = @_;

	while (@path && ref $record eq 'HASH')
	{
		$record = $record->{ shift @path };
	}
	return @path || ref $record ? undef : $record;
}

# What the feed of a kind is like.
sub try_feed
{
	my ($name, $kind, $number) = @_;
	my $users = $json->decode(query('SELECT oracle.users(\'synced.people\')'));
	my $match = chance(0.4) && $number > 1 ? one_of(@{ $kind->{match} }) : undef;
	my $missing = one_of(@{ $kind->{missing} // [qw(ignore deactivate deactivate delete delete)] });
	my $way = one_of('body', 'body', 'table', 'view', 'table without numbers');
	# without numbers, it is hard to tell which record fails
	my $clean = $way eq 'table without numbers' || chance(0.3);
	my $body = $number == 1
	  ? [ map { new_record($kind) } 1 .. 30 ]
	  : feed($kind, $users, $match, missing => one_of(0, 0.1, 0.1, 0.5, 1), change => one_of(0, 0.1, 0.3), new => one_of(0, 1, 5, 10),
		swap => 0.5, silent => chance(0.2), map { $_ => $clean ? 0 : one_of(0, 0.05, 0.1) } qw(bad twice lost));
	my @arguments = (
		$match ? "'$match->[0]'" : 'NULL', $match && $match->[1] ? 'true' : 'false', "'$missing'",
		chance(0.4) ? "'" . one_of(@{ $kind->{scopes} }) . "'" : 'NULL', $kind->{other_apis} && chance(0.2) ? "'" . one_of(@{ $kind->{other_apis} }) . "'" : 'NULL',
		chance(0.3) ? 'true' : 'false', "'$way'",
		chance(0.3) ? 'true' : 'false', chance(0.5) ? 'true' : 'false', $kind->{deactivates} ? 'true' : 'false',
		"'" . $json->encode([ map { [ $_, $_ eq 'badge' ? JSON::PP::true : JSON::PP::false ] } @{ $kind->{unique} } ]) . "'");
	my $call = sprintf q{CALL oracle.try_feed('%s', $feed$%s$feed$, %s)}, "$name $number", $json->encode($body), join ', ', @arguments;

	query("SET client_min_messages = error; $call");
	my $differences = query(qq{SELECT what FROM oracle.difference WHERE feed = '$name $number' LIMIT 12});
	if ($differences ne '')
	{
		PostgreSQL::Test::Utils::append_to_file("${PostgreSQL::Test::Utils::log_path}/sync_$name $number.sql", "$call;\n");
		diag("$name $number, users $missing when missing, arguments @arguments:\n$differences");
	}
	return $differences eq '';
}

# So many feeds, on all kinds of tables in turn.
sub try_feeds
{
	my ($cluster, %opt) = @_;
	my @names = grep { !$opt{only} || $_ eq $opt{only} } sort keys %kinds;
	my $each = int(($opt{feeds} + $#names) / @names);

	$node = $cluster;
	srand $opt{seed};
	note("seed $opt{seed}");
	foreach my $name (@names)
	{
		my $kind = $kinds{$name};
		my @wrong;

		$fresh = 0;
		make_tables($kind);
		foreach my $number (1 .. $each)
		{
			push @wrong, $number unless try_feed($name, $kind, $number);
		}
		is("@wrong", '', "$name: $each feeds do as single calls would");
	}
	my %outcome = map { split /\|/ } split /\n/, query('SELECT action, sum(count) FROM oracle.outcome GROUP BY 1');
	note(join ', ', map { "$_: $outcome{$_}" } sort keys %outcome);
	return \%outcome;
}

1;
