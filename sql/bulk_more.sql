--
-- Bulk, where it could part from what single calls do: items done by
-- themselves, triggers that follow up, what else refuses a row, matching.
--
SET client_min_messages = warning;
CREATE ROLE regress_bulk_more;
CREATE SCHEMA regress_bulk_more AUTHORIZATION regress_bulk_more;
-- what SPI holds on to at this moment, which only superusers may see
CREATE FUNCTION regress_bulk_more.spi_bytes() RETURNS bigint
LANGUAGE sql SECURITY DEFINER AS
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

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_bulk_more CASCADE;
DROP ROLE regress_bulk_more;
