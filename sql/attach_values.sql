--
-- Attached tables: values of all types come from columns and go back to them
--
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE ROLE regress_attach_values;
CREATE SCHEMA regress_attach_values AUTHORIZATION regress_attach_values;
SET ROLE regress_attach_values;
SET search_path = regress_attach_values, userstore, public;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION failure(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text;
BEGIN
	EXECUTE call;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN format('%s %s | %s', state, message, detail);
END $$;
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE app (
	id int PRIMARY KEY,
	nick text, code char(5), bits bit(3), mail citext, mood mood, host inet, raw bytea, uid uuid, span interval, at time,
	score float8, ratio float4, amount numeric(8,2), level positive, small smallint,
	day date, ts timestamp, tstz timestamptz(3),
	tags text[], numbers int[], flags boolean[], doc json, docb jsonb,
	"Strange ""Name""" text);
SELECT user_table_attach('app', columns => '{"nick": "nick", "code": "code", "bits": "bits", "mail": "mail", "mood": "mood", "host": "host", "raw": "raw", "uid": "uid", "span": "span", "at": "at",
	"score": "score", "ratio": "ratio", "amount": "amount", "level": "level", "small": "small", "day": "day", "ts": "ts", "tstz": "tstz",
	"tags": "tags", "numbers": "numbers", "flags": "flags", "doc": "doc", "docb": "docb", "strange": "Strange \"Name\""}');
INSERT INTO app VALUES
	(1, 'Ann', 'ab', '101', 'Ann@Example.com', 'ok', '10.0.0.0/8', '\x00ff', '00000000-0000-0000-0000-00000000000a', '1 year 2 days 03:04:05.6', '12:34:56.789',
	 0.1::float8 + 0.2::float8, 0.1::float4, 1.50, 1, -32768, '2020-02-29', '2020-02-29 12:00:00.123456', '2020-02-29 12:00:00.1239+05',
	 '{x,"y, z",""}', '{1,2}', '{t,f}', '{"b":1,  "a": [1.0]}', '{"b": 1, "a": [1.0]}', 'it''s'),
	(2, '', '', '000', '', 'bad', '::1', '', NULL, '-1 day', '24:00', 'NaN', '-Infinity', 'NaN', NULL, NULL, 'infinity', '-infinity', 'infinity',
	 '{}', '{}', '{}', '"text"', '"text"', ''),
	(3, E'\t\u00e9\U0001F600', 'ab  c', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '-0', 1e-45, 0, NULL, 0, '0044-03-15 BC', '0044-03-15 12:00 BC', '0044-03-15 12:00Z BC',
	 '{a,NULL}', '{{1,2},{3,NULL}}', '{NULL,t}', 'null', 'null', NULL),
	(4, repeat('x', 100000), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1e308, 3e38, 999999.99, NULL, NULL, '20000-01-01', '20000-01-01', '20000-01-01 00:00Z',
	 NULL, NULL, NULL, '[]', '{}', NULL);
INSERT INTO app (id) VALUES (5);
CREATE TABLE stood AS SELECT * FROM app;
-- what user_get gives is put back, under several settings, and nothing changes, neither in the document nor in the row;
-- something else is patched, and the columns stay, even what JSON cannot say
SET client_min_messages = warning;
DO $$
DECLARE
	zone text; style text; intervals text; floats text;
	before jsonb; after jsonb; n int;
BEGIN
	FOREACH zone IN ARRAY '{UTC,America/New_York,Asia/Kathmandu}'::text[] LOOP
	FOREACH style IN ARRAY '{"ISO, MDY","SQL, DMY","German, DMY","Postgres, MDY"}'::text[] LOOP
	FOREACH intervals IN ARRAY '{postgres,iso_8601}'::text[] LOOP
	FOREACH floats IN ARRAY '{1,-15}'::text[] LOOP
		PERFORM set_config('TimeZone', zone, true), set_config('DateStyle', style, true), set_config('IntervalStyle', intervals, true), set_config('extra_float_digits', floats, true);
		FOR i IN 1..5 LOOP
			before := user_get('app', i::text);
			IF user_put('app', i::text, before) <> before THEN
				RAISE 'user % differs when it is put back under %, %, %, %: %', i, zone, style, intervals, floats, before;
			END IF;
			n := coalesce(n, 0) + 1;
			after := user_patch('app', i::text, jsonb_build_object('count', n));
			IF after - 'meta' - 'count' <> before - 'meta' - 'count' OR after #>> '{meta,version}' = before #>> '{meta,version}' THEN
				RAISE 'user % differs when something else changes under %, %, %, %: %', i, zone, style, intervals, floats, after;
			END IF;
			IF (SELECT a::text FROM app a WHERE id = i) <> (SELECT s::text FROM stood s WHERE id = i) THEN
				RAISE 'row % differs under %, %, %, %', i, zone, style, intervals, floats;
			END IF;
		END LOOP;
	END LOOP; END LOOP; END LOOP; END LOOP;
END $$;
SELECT DISTINCT user_get('app', '1') - 'meta' - 'count', user_get('app', '2') - 'meta' - 'count' FROM generate_series(1, 2);
SELECT user_get('app', '3') - 'meta' - 'count', (user_get('app', '4') - 'meta' - 'count') || '{"nick": "long"}', user_get('app', '5') - 'meta' - 'count';
-- a user made of that is the same user
SELECT user_put('app', '1' || i, user_get('app', i::text) - 'id') - 'id' - 'meta' = user_get('app', i::text) - 'id' - 'meta' AS same FROM generate_series(1, 5) i;
SELECT o.id, n.id FROM stood o JOIN app n ON n.id = 10 + o.id WHERE (to_jsonb(o) - 'id') <> (to_jsonb(n) - 'id') ORDER BY 1;
-- only the column that changes is written
SELECT user_patch('app', '3', '{"tags": ["b"]}') -> 'tags';
SELECT tags, numbers, flags, doc IS NULL, day, score::text FROM app WHERE id = 3;
-- and what a column cannot hold is an error of the attribute; what an update leaves alone is not judged
SELECT failure($$SELECT user_patch('app', '1', '{"mood": "sad"}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"level": 0}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"code": "abcdef"}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"amount": 1234567}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"small": 1.5}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"numbers": ["x"]}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"tags": "x"}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"raw": "\\x0"}')$$);
ALTER DOMAIN positive DROP CONSTRAINT positive_check;
UPDATE app SET level = -1 WHERE id = 1;
ALTER DOMAIN positive ADD CHECK (VALUE > 0) NOT VALID;
SELECT failure($$SELECT user_patch('app', '1', '{"nick": "A"}')$$);
DROP TABLE app, stood;

--
-- Columns that have to have a value
--
CREATE TABLE app (id int PRIMARY KEY, lang text NOT NULL DEFAULT 'en', active boolean NOT NULL DEFAULT false, n int NOT NULL DEFAULT 3,
	joined timestamptz NOT NULL DEFAULT clock_timestamp(), nick citext NOT NULL, mood mood, uid uuid);
SELECT user_table_attach('app', columns => '{"lang": "lang", "active": "active", "n": "n", "joined": "joined", "nick": "nick", "mood": "mood", "uid": "uid"}');
SELECT user_put('app', '1', '{"x": 1}') - 'joined' - 'meta';
-- the same again; defaults that are the same every time stand for no value, and one who is there joined when they did
SELECT user_put('app', '1', '{"x": 1}') #> '{meta,version}';
SELECT user_patch('app', '1', '{"active": null, "lang": null, "n": null, "joined": null, "nick": null}') #> '{meta,version}';
SELECT user_patch('app', '1', '{"active": true, "lang": "de", "nick": "A"}') - 'joined' - 'meta';
SELECT user_put('app', '1', '{"x": 1}') - 'joined' - 'meta';
SELECT user_put('app', '1', '{"x": 1}') #> '{meta,version}';
SELECT version, operation, changed FROM app_history ORDER BY version;
SELECT id, lang, active, n, nick, joined < clock_timestamp() FROM app;
-- "" is no value of types that have none
UPDATE app SET mood = 'ok', uid = '00000000-0000-0000-0000-00000000000a';
ALTER TABLE app ALTER mood SET NOT NULL, ALTER uid SET NOT NULL;
SELECT failure($$SELECT user_patch('app', '1', '{"mood": null}')$$);
SELECT failure($$SELECT user_patch('app', '1', '{"uid": null}')$$);
DROP TABLE app;

--
-- What statements have of constants is read under other settings than when they were first made
--
CREATE TABLE app (id int PRIMARY KEY, name text, born date NOT NULL DEFAULT '2001-02-03', seen timestamptz DEFAULT '2001-02-03 04:05:06Z', span interval DEFAULT '-1 year 2 days', score float8 DEFAULT 0.1 + 0.2::float8);
INSERT INTO app VALUES (1, 'Ann');
SELECT user_table_attach('app', columns => '{"name": "name", "born": "born", "seen": "seen", "span": "span", "score": "score"}');
ALTER TABLE app ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON app USING (true);
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = sql_standard;
SET TimeZone = 'Europe/Berlin';
SET extra_float_digits = -15;
SELECT user_get('app', '1') #>> '{meta,created}' AS created \gset
SELECT user_create('app', '{}', '2') - 'meta' - 'span';
-- another role, and the statements are made anew
RESET ROLE;
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = iso_8601;
SET TimeZone = 'Asia/Kathmandu';
SET extra_float_digits = 3;
SELECT user_get('app', '1') #>> '{meta,created}' = :'created';
SELECT user_create('app', '{}', '3') - 'meta';
SELECT born, seen, span, score FROM app WHERE id > 1 ORDER BY id;
SET ROLE regress_attach_values;
RESET DateStyle;
RESET IntervalStyle;
RESET TimeZone;
RESET extra_float_digits;
DROP TABLE app;

--
-- A default that calls a function of the owner's is for who inserts, not for who reads or changes
--
CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'called by %', current_user; END $$;
CREATE TABLE app (id int PRIMARY KEY, name text, lang varchar(9) NOT NULL DEFAULT told(), code char(3) NOT NULL DEFAULT lower('X') || 'y');
INSERT INTO app VALUES (1, 'Ann', 'en');
SELECT user_table_attach('app', columns => '{"name": "name", "lang": "lang", "code": "code"}');
RESET ROLE;
SELECT user_get('app', '1') - 'meta';
SELECT user_put('app', '1', '{"name": "Anna"}') - 'meta';
SELECT user_patch('app', '1', '{"code": "z"}') -> 'code';
SELECT user_patch('app', '1', '{"code": null}') -> 'code';
SET ROLE regress_attach_values;
SELECT failure($$SELECT user_put('app', '2', '{}')$$);
SELECT user_put('app', '2', '{"lang": "de"}') - 'meta';
DROP TABLE app;

--
-- Attributes of schemas have types, which are those of requests too
--
SELECT attribute_schema_define('{"id": "urn:regress:attach:Values", "attributes": [{"name": "start", "type": "dateTime"}, {"name": "cert", "type": "binary"}, {"name": "score", "type": "decimal"},
	{"name": "numbers", "type": "integer", "multiValued": true}, {"name": "flags", "type": "boolean", "multiValued": true}, {"name": "labels", "multiValued": true}, {"name": "badge"},
	{"name": "address", "type": "complex", "subAttributes": [{"name": "city"}]}, {"name": "phones", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "type"}]}]}');
CREATE TABLE app (id int PRIMARY KEY, start date, cert bytea, score float8, numbers bigint[], flags boolean[], labels int[], badge int, names text[], address jsonb, phones json);
SELECT failure($$SELECT user_table_attach('app', schemas => '{urn:regress:attach:Values}', columns => '{"numbers": "names"}')$$);
SELECT failure($$SELECT user_table_attach('app', schemas => '{urn:regress:attach:Values}', columns => '{"flags": "names"}')$$);
SELECT failure($$SELECT user_table_attach('app', schemas => '{urn:regress:attach:Values}', columns => '{"labels": "badge"}')$$);
SELECT user_table_attach('app', schemas => '{urn:regress:attach:Values}', columns => '{"start": "start", "cert": "cert", "score": "score", "numbers": "numbers", "flags": "flags", "labels": "labels", "badge": "badge", "address": "address", "phones": "phones"}');
INSERT INTO app VALUES (1, '2020-01-01', '\x00fffe', 1.5, '{1,2}', '{t,f}', '{7}', 8, NULL, '{"city": "X"}', '[{"value": "1", "type": "work"}]'),
	(2, 'infinity', '', 'NaN', '{}', '{}', '{}', NULL, NULL, '{}', '[]'), (3, NULL, NULL, NULL, '{NULL}', '{NULL}', '{NULL}', NULL, NULL, 'null', '[{}]');
SELECT user_get('app', id::text) - 'meta' FROM app ORDER BY id;
SELECT user_put('app', id::text, user_get('app', id::text)) #> '{meta,version}' FROM app;
SELECT user_patch('app', '1', '{"cert": "__79", "start": "2021-01-01T23:00:00-05:00", "numbers": [3], "flags": [false], "labels": ["9"]}') - 'meta';
SELECT user_patch('app', '2', '{"badge": "12"}') - 'meta';
SELECT * FROM app ORDER BY id;
SELECT failure($$SELECT user_patch('app', '1', '{"labels": ["x"]}')$$);
DROP TABLE app;
SELECT attribute_schema_drop('urn:regress:attach:Values');

RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_attach_values CASCADE;
DROP ROLE regress_attach_values;
DROP EXTENSION citext;
