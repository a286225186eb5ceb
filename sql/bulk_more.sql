--
-- Bulk, where it could part from what single calls do: items done by
-- themselves, triggers that follow up, what else refuses a row, matching.
--
SET client_min_messages = warning;
CREATE ROLE regress_bulk_more;
CREATE SCHEMA regress_bulk_more AUTHORIZATION regress_bulk_more;
-- what SPI holds on to at this moment, which only superusers may see
CREATE FUNCTION regress_bulk_more.spi_bytes() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
	$$ SELECT sum(total_bytes)::bigint FROM pg_catalog.pg_backend_memory_contexts WHERE name IN ('SPI Proc', 'SPI TupTable') $$;
SET SESSION AUTHORIZATION regress_bulk_more;
SET search_path = regress_bulk_more, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

--
-- Items that are done one by one, here since users refer to users, leave no
-- memory behind: the last of 500 finds what SPI holds to be as little as the
-- first did
--
SELECT user_table_create('staff');
ALTER TABLE staff ADD boss text GENERATED ALWAYS AS (document ->> 'boss') STORED REFERENCES staff;
CREATE TABLE measured (n int, bytes bigint);
CREATE FUNCTION measure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO measured VALUES ((NEW.document ->> 'n')::int, spi_bytes());
	RETURN NULL;
END $$;
CREATE TRIGGER measure AFTER INSERT OR UPDATE ON staff FOR EACH ROW WHEN (NEW.document ->> 'n' IN ('10', '500')) EXECUTE FUNCTION measure();
SELECT item ->> 'status' AS status, count(*) FROM jsonb_array_elements(users_bulk_put('staff',
	(SELECT jsonb_agg(jsonb_build_object('id', 's' || n, 'n', n, 'x', repeat('x', 1000))) FROM generate_series(1, 500) n))) AS item GROUP BY 1;
SELECT item ->> 'status' AS status, count(*) FROM jsonb_array_elements(users_bulk_put('staff',
	(SELECT jsonb_agg(jsonb_build_object('id', 's' || n, 'n', n, 'x', repeat('y', 1000))) FROM generate_series(1, 500) n))) AS item GROUP BY 1;
SELECT count(*), max(bytes) - min(bytes) < 100000 AS flat FROM measured;
DROP TABLE staff, measured;

--
-- Matching: an item that has an id too keeps it when the items are done again,
-- in chunks and one by one, for the sake of one that is refused
--
SELECT user_table_create('people');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'refused';
END $$;
SELECT item ->> 'status' AS status, count(*) FROM jsonb_array_elements(users_bulk_put('people',
	(SELECT jsonb_agg(jsonb_build_object('id', repeat('i', 200) || n, 'email', repeat('e', 200) || n)) FROM generate_series(1, 120) n))) AS item GROUP BY 1;
CREATE TRIGGER refuse AFTER UPDATE ON people FOR EACH ROW WHEN (NEW.document ? 'bad') EXECUTE FUNCTION refuse();
SELECT item ->> 'status' AS status, item ->> 'version' AS version, count(*), count(*) FILTER (WHERE right(item ->> 'id', -200) = ordinality::text) AS right_ones
	FROM jsonb_array_elements(users_bulk_put('people', (SELECT jsonb_agg(jsonb_build_object('id', repeat('i', 200) || n, 'email', repeat('e', 200) || n,
		CASE n WHEN 77 THEN 'bad' ELSE 'n' END, n) ORDER BY n) FROM generate_series(1, 120) n), match => 'email')) WITH ORDINALITY AS i (item, ordinality) GROUP BY 1, 2 ORDER BY 1, 2;
TRUNCATE people, people_history;
-- a user who comes to have another value is matched by that from then on,
-- whichever way it came
SELECT users_bulk_put('people', '[{"id": "x", "email": "old"}]');
SELECT jsonb_array_elements(users_bulk_put('people', '[{"id": "x", "email": "new"}, {"email": "new", "n": 1}, {"id": "y", "email": "old", "n": 2}, {"email": "old", "n": 3}]', match => 'email')) AS item;
SELECT id, version, document FROM people ORDER BY id;
-- one of two leaves: then the other can be matched
SELECT users_bulk_put('people', '[{"id": "p", "email": "two"}, {"id": "q", "email": "two"}]');
SELECT jsonb_array_elements(users_bulk_put('people', '[{"email": "two", "n": 1}, {"id": "p", "email": "one"}, {"email": "two", "n": 2}, {"email": "one", "n": 3}]', match => 'email')) AS item;
SELECT id, version, document FROM people WHERE id IN ('p', 'q') ORDER BY id;
DROP TABLE people;

--
-- Triggers that write more after a row is written: later items of the same
-- request see it, as later calls do (those of another user only from the next
-- set on, since the triggers of a set come after it)
--
SELECT user_table_create('bulk'), user_table_create('single');
CREATE FUNCTION follow_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() > 1 THEN
		RETURN NULL;
	END IF;
	-- the same row, another one, one that goes and one that comes
	EXECUTE format('UPDATE %I SET document = document || jsonb_build_object(''count'', coalesce((document ->> ''count'')::int, 0) + 1) WHERE id = $1', TG_TABLE_NAME) USING NEW.id;
	EXECUTE format('UPDATE %I SET document = document || jsonb_build_object(''last'', $1) WHERE id = ''log''', TG_TABLE_NAME) USING NEW.id;
	EXECUTE format('DELETE FROM %I WHERE id = $1', TG_TABLE_NAME) USING NEW.document ->> 'ends';
	EXECUTE format('INSERT INTO %I (id) SELECT $1 WHERE $1 <> ''''', TG_TABLE_NAME) USING NEW.document ->> 'begins';
	RETURN NULL;
END $$;
CREATE TRIGGER follow_up AFTER INSERT OR UPDATE ON bulk FOR EACH ROW EXECUTE FUNCTION follow_up();
CREATE TRIGGER follow_up AFTER INSERT OR UPDATE ON single FOR EACH ROW EXECUTE FUNCTION follow_up();
CREATE TABLE items AS SELECT * FROM jsonb_array_elements('[{"id": "ann", "n": 1}, {"id": "log", "n": 1}, {"id": "ann", "n": 2}, {"id": "bob", "n": 1},
	{"id": "log", "n": 2}, {"id": "ann", "count": 1}, {"id": "ann", "ends": "bob"}, {"id": "ann"}, {"id": "bob", "n": 2}, {"id": "ann", "begins": "cid"}, {"id": "ann", "n": 1}, {"id": "cid", "n": 1}]')
	WITH ORDINALITY AS i (item, n);
CREATE FUNCTION one_by_one() RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
	i jsonb;
BEGIN
	FOR i IN SELECT item FROM items ORDER BY n LOOP
		RETURN NEXT user_put('single', i ->> 'id', i) -> 'meta' -> 'version';
	END LOOP;
END $$;
SELECT jsonb_agg(v) AS versions FROM one_by_one() v;
SELECT jsonb_agg(i -> 'version') AS versions FROM jsonb_array_elements(users_bulk_put('bulk', (SELECT jsonb_agg(item ORDER BY n) FROM items))) i;
SELECT s.id, s.version, s.document, b.document = s.document AND b.version = s.version AS same FROM single s FULL JOIN bulk b USING (id) ORDER BY id;
SELECT s.user_id, s.version, s.operation, s.document, s.changed, b.document = s.document AND b.changed = s.changed AS same
	FROM single_history s FULL JOIN bulk_history b USING (user_id, version) ORDER BY user_id, version;
DROP TABLE bulk, single, items;

--
-- A value that is taken is the reason only if nothing refuses the row before
--
SELECT attribute_schema_define('{"id": "urn:test:bulk_more:User", "attributes": [{"name": "login", "uniqueness": "server"}, {"name": "dept"}]}');
CREATE TABLE dept (id text PRIMARY KEY);
CREATE PROCEDURE compare(addition text) LANGUAGE plpgsql AS $$
DECLARE
	single text;
	bulk text;
BEGIN
	PERFORM user_table_create('people', schemas => '{urn:test:bulk_more:User}');
	PERFORM user_create('people', '{"login": "ann"}', 'ann'), user_create('people', '{"login": "bob"}', 'bob');
	EXECUTE addition;
	BEGIN
		PERFORM user_patch('people', 'ann', '{"login": "bob", "dept": "none"}');
	EXCEPTION WHEN OTHERS THEN
		single := SQLERRM;
	END;
	bulk := users_bulk_patch('people', '[{"id": "ann", "login": "bob", "dept": "none"}]') -> 0 ->> 'error';
	RAISE INFO '%: % (bulk: %)', addition, single, CASE bulk WHEN single THEN 'the same' ELSE bulk END;
	DROP TABLE people;
END $$;
CALL compare('SELECT');
CALL compare('ALTER TABLE people ADD dept text GENERATED ALWAYS AS (document ->> ''dept'') STORED REFERENCES dept');
CALL compare('ALTER TABLE people ADD dept int GENERATED ALWAYS AS ((document ->> ''dept'')::int) STORED');
CALL compare('CREATE INDEX ON people (((document ->> ''dept'')::int))');
CALL compare('CREATE INDEX ON people (version) WHERE (document ->> ''dept'')::int > 0');
CALL compare('CREATE TRIGGER "AAA" AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION refuse()');
CALL compare('CREATE TRIGGER refuse BEFORE UPDATE ON people FOR EACH STATEMENT EXECUTE FUNCTION refuse()');
DROP TABLE dept;
SELECT attribute_schema_drop('urn:test:bulk_more:User');

--
-- The DETAIL of an atomic request is an object, whatever a trigger says in its
-- own
--
SELECT user_table_create('people');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'told' USING DETAIL = NEW.document ->> 'detail';
END $$;
CREATE TRIGGER tell AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION tell();
CREATE FUNCTION detail_of(told text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM users_bulk_put('people', jsonb_build_array(jsonb_build_object('id', 'ann', 'detail', told)), atomic => true);
EXCEPTION WHEN raise_exception THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
SELECT told, detail_of(told) FROM unnest('{"why not", "{1,2}", "{", "{}", "{ }", "[1]", "{\"path\": \"n\"}"}'::text[]) told;
DROP TRIGGER tell ON people;

--
-- No version follows the largest there is
--
INSERT INTO people (id, version) VALUES ('ann', 9223372036854775807), ('bob', 9223372036854775806);
SELECT item - 'id' AS item FROM jsonb_array_elements(users_bulk_put('people', '[{"id": "ann", "n": 1}, {"id": "bob", "n": 1}, {"id": "bob", "n": 2}]')) AS item;
SELECT user_put('people', 'ann', '{"n": 1}');
SELECT user_delete('people', 'ann');
SELECT id, version, document FROM people ORDER BY id;
SELECT user_id, version FROM people_history;

--
-- A short request has no long answer
--
SELECT length(users_bulk_put('people', '[{"id": 1e131000}, {"id": 1e-16000}]')::text) < 300 AS "short";
SELECT user_table_create('fielded', api => 'oig');
SELECT users_bulk_put('fielded', '{"users": [{"id": 1e131000, "fields": []}]}');
SELECT user_create('fielded', '{"fields": [{"name": "User Login", "value": "ann"}]}', 'ann') -> 'id' AS id;
SELECT left(item ->> 'reason', 50) AS reason, length(item::text) < 600 AS "short"
	FROM jsonb_array_elements(users_bulk_put('fielded', '{"users": [{"id": "ann", "fields": [{"name": "First Name", "value": 1e131000}]}]}') -> 'users') AS item;
DROP TABLE people, fielded;

--
-- A policy that raises an error for one user fails the items of that user
--
SELECT user_table_create('people');
SELECT users_bulk_put('people', '[{"id": "ann", "email": "a"}, {"id": "bob", "email": "b"}, {"id": "cid", "email": "c"}]') IS NULL AS none;
CREATE FUNCTION may_see(id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF id = 'bob' THEN
		RAISE EXCEPTION 'not for you';
	END IF;
	RETURN true;
END $$;
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY see ON people USING (may_see(id));
SELECT jsonb_array_elements(users_bulk_put('people', '[{"id": "ann", "n": 1}, {"id": "bob", "n": 1}, {"id": "cid", "n": 1}, {"id": "ann", "n": 2}]')) AS item;
SELECT users_bulk_put('people', '[{"id": "ann", "n": 3}, {"id": "bob", "n": 3}]', atomic => true);
SELECT user_id, max(version) AS version FROM people_history GROUP BY 1 ORDER BY 1;
DROP TABLE people;

--
-- An answer is not replayed for users whom row security hides by now: those of
-- the request, or those who were matched
--
SELECT user_table_create('people', api => 'scim');
SELECT user_create('people', '{"userName": "ann", "nickName": "PRIVATE"}', id => 'ann') ->> 'userName';
SELECT users_bulk_patch('people', '[{"id": "ann", "title": "b"}]', idempotency_key => 'k1') -> 'totalResults',
	users_bulk_patch('people', '[{"userName": "ann", "title": "c"}]', match => 'userName', idempotency_key => 'k2') -> 'totalResults';
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY see ON people USING (document ->> 'title' <> 'secret') WITH CHECK (true);
SELECT users_bulk_patch('people', '[{"id": "ann", "title": "b"}]', idempotency_key => 'k1') #>> '{Resources,0,nickName}';
ALTER TABLE people NO FORCE ROW LEVEL SECURITY;
UPDATE people SET document = document || '{"title": "secret"}';
ALTER TABLE people FORCE ROW LEVEL SECURITY;
SELECT users_bulk_patch('people', '[{"id": "ann", "title": "b"}]', idempotency_key => 'k1');
-- one of whom nothing was said but that there is no such user is as before
SELECT users_bulk_patch('people', '[{"id": "ann", "title": "b"}]', idempotency_key => 'k3') = users_bulk_patch('people', '[{"id": "ann", "title": "b"}]', idempotency_key => 'k3') AS replayed;
SELECT users_bulk_patch('people', '[{"userName": "ann", "title": "c"}]', match => 'userName', idempotency_key => 'k2');
DROP TABLE people;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_bulk_more CASCADE;
DROP ROLE regress_bulk_more;
