--
-- Filters (RFC 7644 section 3.4.2.2) through user_matches: every operator on
-- every type, how conditions combine, what attributes without a value match,
-- what is refused and where.
--
SET client_min_messages = warning;
CREATE ROLE regress_filter;
CREATE SCHEMA regress_filter AUTHORIZATION regress_filter;
SET SESSION AUTHORIZATION regress_filter;
SET search_path = regress_filter, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

-- one attribute of every type, and an extension
SELECT attribute_schema_define('{"id": "urn:regress:filter:Thing", "attributes": [
	{"name": "userName"}, {"name": "code", "caseExact": true}, {"name": "active", "type": "boolean"},
	{"name": "count", "type": "integer"}, {"name": "weight", "type": "decimal"}, {"name": "hired", "type": "dateTime"},
	{"name": "photo", "type": "binary", "caseExact": true}, {"name": "site", "type": "reference"}, {"name": "extra", "type": "any"},
	{"name": "pin", "returned": "never"}, {"name": "photoOnDemand", "returned": "request"},
	{"name": "name", "type": "complex", "subAttributes": [{"name": "familyName"}, {"name": "givenName"}]},
	{"name": "boss", "type": "complex", "subAttributes": [{"name": "value", "caseExact": true}, {"name": "display"}]},
	{"name": "vault", "type": "complex", "returned": "never", "subAttributes": [{"name": "code"}]},
	{"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [
		{"name": "value"}, {"name": "type"}, {"name": "primary", "type": "boolean"}, {"name": "secret", "returned": "never"}]},
	{"name": "items", "type": "complex", "multiValued": true, "subAttributes": [{"name": "n", "type": "integer"},
		{"name": "parts", "type": "complex", "multiValued": true, "subAttributes": [{"name": "size", "type": "integer"}, {"name": "label"}]}]},
	{"name": "tags", "multiValued": true}, {"name": "scores", "type": "integer", "multiValued": true},
	{"name": "password", "format": "password", "mutability": "writeOnly", "returned": "never"}]}');
SELECT attribute_schema_define('{"id": "urn:regress:filter:1.0:Work", "attributes": [
	{"name": "badge"}, {"name": "manager", "type": "complex", "subAttributes": [{"name": "value"}]}]}');
SELECT user_table_create('things', schemas => '{urn:regress:filter:Thing,urn:regress:filter:1.0:Work}');
SELECT user_table_create('free');

-- What a filter makes of a table: the ids of those that match, or the error.
CREATE FUNCTION found_in(users regclass, filter text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE format('SELECT coalesce(string_agg(id, '' '' ORDER BY id COLLATE "C"), ''none'') FROM %s WHERE user_matches($1, document, $2)', users)
		INTO result USING users, filter;
	RETURN result;
EXCEPTION WHEN SQLSTATE 'PT400' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN format('%s %s: %s', SQLSTATE, detail, SQLERRM);
END $$;
-- The same for several, one a line.
CREATE FUNCTION found(VARIADIC filters text[]) RETURNS TABLE (filter text, found text) LANGUAGE sql AS $$
	SELECT f, found_in('things', f) FROM unnest(filters) WITH ORDINALITY AS u(f, n) ORDER BY n
$$;

--
-- Strings: in any case unless caseExact
--
INSERT INTO things (id, document) VALUES
	('ann', '{"userName": "Ann.Lee", "code": "aB"}'),
	('bob', '{"userName": "bob", "code": "Ab"}'),
	('cia', '{"userName": "ANN"}'),
	('none', '{}');
SELECT * FROM found('userName eq "ann.lee"', 'USERNAME EQ "ANN.LEE"', 'userName eq "ann"', 'userName ne "ANN"', 'userName co "N."',
	'userName co ""', 'userName sw "an"', 'userName sw "ann.lee!"', 'userName ew "EE"', 'userName ew "xann"', 'userName gt "ann"', 'userName ge "Ann"',
	'userName lt "Ann.lee"', 'userName le "ann.lee"', 'userName pr');
SELECT * FROM found('code eq "aB"', 'code eq "ab"', 'code ne "aB"', 'code co "b"', 'code sw "A"', 'code ew "B"', 'code gt "Ab"', 'code ge "Ab"',
	'code lt "aB"', 'code le "aB"', 'code pr');
-- beyond ASCII: as the database's lower() says
SELECT user_matches('things', '{"userName": "Zoë ÄÖ"}', 'userName eq "ZOË äö"') = (lower('ZOË ÄÖ') = 'zoë äö') AS eq,
	user_matches('things', '{"userName": "Zoë ÄÖ"}', 'userName ew "äö"') = (lower('ÄÖ') = 'äö') AS ew,
	user_matches('things', '{"userName": "ä", "code": "ä"}', 'userName eq "ä" and code eq "ä"') AS same,
	user_matches('things', '{"code": "Ä"}', 'code eq "ä"') AS exact,
	user_matches('things', '{"userName": "İstanbul"}', 'userName eq "İSTANBUL"') AS longer;
-- escapes, as in JSON
SELECT user_matches('things', jsonb_build_object('code', E'a"b\\c\nd'), 'code eq "a\"b\\c\nd"'),
	user_matches('things', '{"code": "ä😀"}', 'code eq "\u00e4\ud83d\ude00"');
-- LIKE's letters are none
SELECT * FROM found('userName co "%"', 'userName eq "b_b"');

--
-- Booleans and numbers
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES
	('no', '{"active": false, "count": -1, "weight": 0.1}'),
	('yes', '{"active": true, "count": 18446744073709551617, "weight": 12345678901234567890.123456789}'),
	('none', '{}'),
	('odd', '{"active": "true", "count": "7", "weight": null}');
SELECT * FROM found('active eq true', 'active eq false', 'active ne true', 'active ne false', 'active pr', 'not (active pr)');
-- numbers beyond 64 bits, and however they are spelt
SELECT * FROM found('count eq 18446744073709551617', 'count eq 18446744073709551616', 'count gt 18446744073709551616', 'count ge -1', 'count lt 0',
	'count le -1.0', 'count ne -1', 'count eq -10e-1', 'count gt -1.5', 'weight eq 12345678901234567890.123456789',
	'weight eq 12345678901234567890.12345678', 'weight lt 1', 'weight ge 0.10', 'weight eq 1E-1', 'weight pr');
SELECT * FROM found('active eq "true"', 'active eq 1', 'active gt true', 'active co "t"', 'active pr "x"', 'count eq "7"', 'count eq true', 'count co 1',
	'count sw "1"', 'weight ew "1"', 'weight eq false', 'count eq 1.2.3', 'count eq 0x10', 'count eq +1', 'count eq 01');

--
-- Times: instants, whatever the offset
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES
	('paris', '{"hired": "2026-01-31T13:00:00+01:00"}'),
	('utc', '{"hired": "2026-01-31T12:00:00Z"}'),
	('late', '{"hired": "2026-01-31T12:00:00.001Z"}'),
	('none', '{}'),
	('odd', '{"hired": "soon"}'),
	('bare', '{"hired": "2026-01-31T12:00:00"}');
SELECT * FROM found('hired eq "2026-01-31T12:00:00Z"', 'hired eq "2026-01-31T07:00:00-05:00"', 'hired ne "2026-01-31T12:00:00.000Z"', 'hired gt "2026-01-31T12:00:00Z"',
	'hired ge "2026-01-31T12:00:00Z"', 'hired lt "2026-01-31T12:00:00.0005Z"', 'hired le "2026-01-31T11:59:59Z"', 'hired pr',
	'hired sw "2026-01"', 'hired co "+01"', 'hired ew "Z"');
-- without an offset it is UTC, wherever the session is
SET timezone = 'America/New_York';
SELECT * FROM found('hired eq "2026-01-31T12:00:00Z"', 'hired eq "2026-01-31T12:00:00"');
RESET timezone;
SELECT * FROM found('hired eq "2026-01-31"', 'hired gt "yesterday"', 'hired eq "2026-02-30T00:00:00Z"', 'hired eq 2026', 'hired sw 2026',
	'hired eq true', 'hired lt "2026-01-31T24:30:00Z"');
-- what a store has of the end of time must not break a scan
SELECT user_matches('things', '{"hired": "9999-12-31T23:59:60Z"}', 'hired gt "2026-01-01T00:00:00Z"');

--
-- Binary, reference, any, complex
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES
	('a', '{"photo": "QUJD", "site": "https://example.com/A", "extra": "Text", "name": {"familyName": "Lee"}, "boss": {"value": "B1", "display": "Big"}}'),
	('b', '{"photo": "qujd", "site": "https://example.com/a", "extra": 7, "name": {"familyName": "", "givenName": "Bo"}, "boss": {"display": "B1"}}'),
	('c', '{"extra": true, "name": {}}'),
	('d', '{"extra": {"a": {"b": [1, 2]}}}'),
	('e', '{"extra": ["x", {"a": 5}]}');
SELECT * FROM found('photo eq "QUJD"', 'photo ne "QUJD"', 'photo co "UJ"', 'photo sw "qu"', 'photo ew "D"', 'photo pr', 'photo gt "QUJD"', 'photo eq 1');
SELECT * FROM found('site eq "https://example.com/a"', 'site ne "https://example.com/a"', 'site sw "https:"', 'site gt "https://example.com/A"',
	'site le "https://example.com/A"', 'site eq 5');
SELECT * FROM found('extra eq "Text"', 'extra eq "text"', 'extra eq 7.0', 'extra gt 6', 'extra eq true', 'extra ne true', 'extra pr', 'extra gt true',
	'extra.a.b eq 2', 'extra.a.b ne 2', 'extra.a[b eq 1]', 'extra.a eq 5', 'extra.a pr', 'extra.A pr', 'extra[a eq 5]', 'extra eq "x"');
-- a complex attribute is compared by its value, if it has one
SELECT * FROM found('boss eq "B1"', 'boss eq "b1"', 'boss ne "B1"', 'boss.display eq "b1"', 'boss pr', 'boss eq null', 'name eq "Lee"', 'name pr', 'name eq null',
	'name ne null', 'name.familyName eq "LEE"', 'name.familyName pr', 'name.givenName ne "x"');

--
-- Several values: one that matches is enough
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES
	('both', '{"emails": [{"value": "a@work.com", "type": "work", "primary": true}, {"value": "a@home.com", "type": "home"}], "tags": ["x", "Y"], "scores": [1, 5]}'),
	('home', '{"emails": [{"value": "b@work.com", "type": "home"}], "tags": ["z"], "scores": [3]}'),
	('empty', '{"emails": [], "tags": [], "scores": []}'),
	('blank', '{"emails": [{"value": ""}], "tags": [""]}'),
	('none', '{}'),
	('one', '{"emails": {"value": "c@work.com", "type": "work"}, "tags": "x"}');
SELECT * FROM found('emails.type eq "work"', 'emails.value co "work.com"', 'emails co "work.com"', 'emails eq "A@HOME.com"', 'emails pr', 'not (emails pr)',
	'emails.type ne "work"', 'not (emails.type eq "work")', 'emails.primary eq true', 'emails.primary ne true', 'emails.type pr',
	'tags eq "y"', 'tags ne "x"', 'tags sw "X"', 'tags pr', 'scores gt 4', 'scores gt 1 and scores lt 5', 'scores ne 3', 'tags eq null', 'scores eq null');
-- a value path asks for all of it of one value
SELECT * FROM found('emails.type eq "home" and emails.value co "work"', 'emails[type eq "home" and value co "work"]', 'emails[not (type eq "work")]',
	'not (emails[type eq "work"])', 'emails[type eq "work" and (primary eq true or value sw "c")]', 'emails[type eq "work"] and userName pr',
	'emails[type eq "work"] or emails[value eq ""]', 'emails[value pr]', 'emails[TYPE eq "WORK"]', 'EMAILS[primary pr]', 'emails[primary eq null]');
SELECT * FROM found('emails[name eq "x"]', 'emails[userName eq "x"]', 'emails[]', 'emails[type eq "work"', 'emails[type eq "work"].value eq "x"', 'emails[type eq "work"] eq "x"',
	'tags[value eq "x"]', 'userName[value eq "x"]', 'emails[emails[value pr]]', 'emails [type eq "work"]', 'emails[primary eq "true"]', 'emails[secret pr]');
-- lists in lists
UPDATE things SET document = '{"items": [{"n": 1, "parts": [{"size": 3, "label": "s"}, {"size": 9}]}, {"n": 2, "parts": [{"size": 5}]}]}' WHERE id = 'both';
SELECT * FROM found('items.parts.size eq 5', 'items[n eq 1 and parts.size eq 5]', 'items[n eq 2 and parts.size eq 5]', 'items.parts.label eq "S"', 'items.parts[size gt 4]',
	'items.parts pr', 'items eq 1', 'items.parts eq 3', 'items.n ne 1', 'items[parts[size eq 3]]');

--
-- Nothing there: absent, null, empty
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES
	('absent', '{}'), ('null', '{"userName": null, "name": {"familyName": null}, "emails": null, "count": null}'),
	('empty', '{"userName": "", "name": {}, "emails": []}'), ('hollow', '{"name": {"familyName": ""}, "emails": [{}]}'),
	('full', '{"userName": "x", "name": {"familyName": "y"}, "emails": [{"value": "z"}], "count": 0, "active": false}');
SELECT * FROM found('userName pr', 'name pr', 'name.familyName pr', 'emails pr', 'emails.value pr', 'count pr', 'active pr');
SELECT * FROM found('userName eq null', 'userName ne null', 'userName eq ""', 'name.familyName eq null', 'emails eq null', 'emails ne null', 'emails.value eq null', 'count eq null', 'count ne null');
SELECT * FROM found('userName ne "x"', 'count ne 0', 'active ne false', 'name.familyName ne "y"', 'emails.value ne "z"', 'hired ne "2026-01-31T12:00:00Z"');
SELECT * FROM found('userName lt "a"', 'count lt 1', 'not (count lt 1)', 'userName co ""', 'userName gt null', 'userName co null', 'count ge null');

-- a list where the schema has a single value: of another type, so nothing but "ne" is true of it
DELETE FROM things;
INSERT INTO things (id, document) VALUES ('list', '{"userName": ["Ann"], "name": [{"familyName": "Lee"}], "count": [5], "emails": {"value": "x"}, "extra": [{"k": [1]}]}');
SELECT * FROM found('userName eq "ann"', 'userName ne "ann"', 'userName pr', 'not (userName eq "ann")', 'userName eq null', 'name.familyName eq "lee"', 'name[familyName eq "lee"]', 'name.familyName ne "x"', 'count eq 5', 'emails.value eq "x"', 'emails[value eq "x"]', 'extra.k eq 1');

--
-- Combining
--
DELETE FROM things;
INSERT INTO things (id, document)
SELECT concat(a, b, c), jsonb_build_object('tags', array_remove(ARRAY[CASE a WHEN 1 THEN 'a' END, CASE b WHEN 1 THEN 'b' END, CASE c WHEN 1 THEN 'c' END], NULL))
FROM generate_series(0, 1) a, generate_series(0, 1) b, generate_series(0, 1) c;
-- each must be what SQL makes of the same, with its precedence: not, and, or
SELECT f.filter, found_in('things', f.filter) = wanted AS same, found_in('things', f.filter)
FROM (VALUES
	(1, 'tags eq "a" or tags eq "b" and tags eq "c"', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE id LIKE '1__' OR id LIKE '_1_' AND id LIKE '__1')),
	(2, '(tags eq "a" or tags eq "b") and tags eq "c"', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE (id LIKE '1__' OR id LIKE '_1_') AND id LIKE '__1')),
	(3, 'tags eq "a" and tags eq "b" or tags eq "c"', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE id LIKE '1__' AND id LIKE '_1_' OR id LIKE '__1')),
	(4, 'tags eq "a" and (tags eq "b" or tags eq "c")', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE id LIKE '1__' AND (id LIKE '_1_' OR id LIKE '__1'))),
	(5, 'not (tags eq "a") and tags eq "b"', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE NOT id LIKE '1__' AND id LIKE '_1_')),
	(6, 'not (tags eq "a" and tags eq "b")', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE NOT (id LIKE '1__' AND id LIKE '_1_'))),
	(7, 'NOT(tags eq "a") AND(NOT(tags eq "b" OR tags eq "c"))', '000'),
	(8, 'not (not (tags eq "a"))', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE id LIKE '1__')),
	(9, 'tags eq "a" or tags eq "b" or tags eq "c" and not (tags eq "a")', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE id LIKE '1__' OR id LIKE '_1_' OR id LIKE '__1' AND NOT id LIKE '1__')),
	(10, '  ((tags   eq "a"))   and   tags eq   "b"  ', (SELECT string_agg(id, ' ' ORDER BY id) FROM things WHERE id LIKE '1__' AND id LIKE '_1_'))) AS f(n, filter, wanted)
ORDER BY n;

--
-- Names: in any case, with URNs, of extensions
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES ('ann', '{"userName": "ann", "name": {"familyName": "Lee"}, "not": 1,
	"emails": [{"value": "a@b.c"}], "urn:regress:filter:1.0:Work": {"badge": "X7", "manager": {"value": "Bob"}}}');
SELECT * FROM found('urn:regress:filter:Thing:userName eq "ann"', 'URN:REGRESS:FILTER:thing:NAME.FAMILYNAME eq "lee"', 'urn:regress:filter:Thing:emails[value sw "a"]',
	'urn:regress:filter:1.0:Work:badge eq "x7"', 'urn:regress:filter:1.0:WORK:manager.value eq "bob"', 'urn:regress:filter:1.0:Work:manager eq "bob"',
	'urn:regress:filter:1.0:Work pr', 'urn:regress:filter:1.0:Work:badge pr and userName pr');
SELECT * FROM found('badge eq "x7"', 'urn:regress:filter:2.0:Work:badge pr', 'urn:regress:filter:Thing:badge pr', 'nobody eq 1', 'name.middle pr', 'userName.value eq "x"',
	'emails.value.x pr', 'id eq "ann"', 'ID pr', 'meta.lastModified gt "2026-01-01T00:00:00Z"', 'meta pr', 'schemas eq "x"', 'password pr', 'password eq "x"', 'pin pr', 'pin ne "0"',
	'emails.secret pr', 'vault pr', 'vault.code pr', 'vault[code pr]', 'not (pin eq "0")', 'photoOnDemand pr', 'externalId pr');
-- a SCIM table knows externalId
SELECT user_table_create('people', api => 'scim');
SELECT user_matches('people', '{"externalId": "X1"}', 'externalId eq "X1"'), user_matches('people', '{"externalId": "X1"}', 'externalId eq "x1"') AS exact;
SELECT user_matches('people', '{"emails": [{"value": "a@b.c", "type": "work"}], "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "7"}}',
	'userName ne "bob" and (emails co "B.C" or urn:ietf:params:scim:schemas:core:2.0:User:title pr) and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "7"');

--
-- No schema: names and values exactly
--
INSERT INTO free (id, document) VALUES
	('ann', '{"Name": "Ann", "n": 5, "ok": true, "when": "2026-01-31T12:00:00Z", "list": [1, {"k": "v"}, [7]], "o": {"p": {"q": "r"}}, "not": "x", "urn:a:b": {"c": 1}}'),
	('bob', '{"Name": null, "n": "5", "ok": "true", "list": [], "o": {}}');
SELECT f, found_in('free', f) FROM unnest(ARRAY['Name eq "Ann"', 'name eq "Ann"', 'Name eq "ann"', 'n eq 5', 'n eq "5"', 'n ne 5', 'n gt 4', 'n gt "4"', 'ok eq true', 'ok gt false',
	'when eq "2026-01-31T13:00:00+01:00"', 'when gt "2026"', 'list eq 1', 'list eq 7', 'list.k eq "v"', 'list[k eq "v"]', 'list pr', 'list eq null', 'o.p.q eq "r"', 'o[p.q eq "r"]',
	'o pr', 'nobody ne 1', 'nobody pr', 'id eq "ann"', 'password pr', 'not eq "x"', 'not (not eq "x")', 'Name co 5', 'Name gt null']) WITH ORDINALITY AS u(f, n) ORDER BY n;

--
-- What is wrong is shown, in characters
--
SELECT * FROM found('', ' ', 'userName', 'userName eq', 'userName eq ', 'userName is "x"', 'userName eq x', 'userName eq "x', 'userName eq "x\"', 'userName eq ''x''', 'userName eq "\q"',
	'userName eq "\u0000"', 'userName eq "\ud800"', 'userName eq {"a": 1}', 'userName eq [1]', 'userName eq {}', '(userName pr', 'userName pr)', '()', '(userName pr]', 'emails[value pr)', 'and', 'userName pr and', 'userName pr or or count eq 1',
	'userName pr userName pr', 'not userName pr', 'not', 'userName pr and not', 'userName.', '.userName', 'userName..x pr', '1name pr', 'na@me pr', 'urn:x pr', '"userName" pr', 'userName eq "a""b"',
	'userName eq trueish', 'userName eq nul', 'active eq TRUE', 'userName eq"x"', 'userName pr and(count eq 1)', 'userName prand count eq 1', 'userName pr and count eq 1or active pr', 'userName eq "b"OR active pr', E'userName\tpr', E'userName pr\n', E'userName eq "a\nb"');
SELECT * FROM found('userName eq "ÄÖÜ" and nobody eq 1', 'userName eq "😀" nobody', 'ünknown eq "ä"', 'userName eq "äö" and count eq "ü"');
\set VERBOSITY default
SELECT user_matches('things', '{}', 'userName eq "ä" and count gt "5"');
SELECT user_matches('things', '{}', 'userName eq "ä" or (count gt 5');
SELECT user_matches('things', '{}', 'userName like "ä"');
\set VERBOSITY terse
-- long names are cut, control characters not shown
SELECT found_in('things', repeat('x', 300) || ' pr');
SELECT found_in('things', E'user\x01Name pr');

--
-- Deep and huge
--
SELECT left(found_in('things', repeat('(', 64) || 'userName pr' || repeat(')', 64)), 100), left(found_in('things', repeat('(', 65) || 'userName pr' || repeat(')', 65)), 120);
SELECT left(found_in('things', repeat('not (', 64) || 'userName pr' || repeat(')', 64)), 100), left(found_in('things', repeat('not (', 65) || 'userName pr' || repeat(')', 65)), 120);
SELECT left(found_in('things', repeat('(', 60000)), 120);
SELECT found_in('things', 'userName eq "' || repeat('x', 65536 - 14) || '"'), found_in('things', 'userName eq "' || repeat('x', 65536 - 13) || '"');
-- many conditions, one after the other, are neither
SELECT length(f), user_matches('things', '{"userName": "u4000"}', f), user_matches('things', '{"userName": "u4001"}', f)
FROM (SELECT string_agg(format('count eq %s', n), ' or ') || ' or userName eq "u4000"' AS f FROM generate_series(1, 3800) n) g;
-- nor do they take long
SET statement_timeout = '8s';
SELECT count(*) FROM generate_series(1, 20) n WHERE user_matches('free', '{"a20": 1}', repeat('b pr or ', 8000) || format('a%s pr', n));
RESET statement_timeout;
-- deep documents
SELECT user_matches('free', (repeat('{"a":', 5000) || '1' || repeat('}', 5000))::jsonb, 'b pr');
SELECT user_matches('free', (repeat('[', 5000) || '1' || repeat(']', 5000))::jsonb, 'b pr');
SELECT user_matches('free', jsonb_build_object('a', (repeat('[', 5000) || '7' || repeat(']', 5000))::jsonb), 'a eq 7');

--
-- One call, many filters, tables and documents
--
DELETE FROM things;
INSERT INTO things (id, document) VALUES ('ann', '{"userName": "Ann", "count": 1}'), ('bob', '{"userName": "Bob", "count": 2}');
TRUNCATE free;
INSERT INTO free (id, document) SELECT id, document FROM things;
SELECT f.users, f.filter, string_agg(t.id, ' ' ORDER BY t.id) FILTER (WHERE user_matches(f.users, t.document, f.filter)) AS found
FROM (VALUES (1, 'things'::regclass, 'username eq "ann"'), (2, 'free', 'username eq "ann"'), (3, 'free', 'userName eq "Ann"'), (4, 'things', 'username eq "ann"'),
		(5, 'things', 'count gt 1'), (6, 'free', 'count gt 1')) AS f(n, users, filter), things t
GROUP BY f.n, f.users, f.filter ORDER BY f.n;
-- in turn, so that nothing of the filter before may be left
SELECT t.id, n, user_matches(CASE n % 2 WHEN 0 THEN 'things' ELSE 'free' END::regclass, t.document, CASE n WHEN 0 THEN 'USERNAME sw "a"' WHEN 1 THEN 'userName sw "A"' ELSE 'count lt 2' END) AS matches
FROM things t, generate_series(0, 3) n ORDER BY t.id, n;
-- a wrong filter leaves nothing behind, either
CREATE FUNCTION ask(filter text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN user_matches('things', '{"userName": "ann"}', filter);
EXCEPTION WHEN SQLSTATE 'PT400' THEN
	RETURN NULL;
END $$;
SELECT f, ask(f) FROM unnest(ARRAY['userName eq "ANN"', 'userName eq', 'userName eq "ANN"', 'nobody pr', 'userName eq "bob"', 'nobody pr', 'userName eq "ANN"']) WITH ORDINALITY AS u(f, n) ORDER BY n;
-- NULL asks for nothing
SELECT user_matches('things', NULL, 'userName pr'), user_matches('things', '{}', NULL), user_matches(NULL, '{}', 'userName pr');
-- what is no document of a user has no attributes
SELECT user_matches('things', '[]', 'userName pr'), user_matches('things', '"x"', 'userName ne "x"'), user_matches('things', '[{"userName": "x"}]', 'userName eq "x"');
-- a table that is none of ours
CREATE TABLE other (id text, document jsonb);
SELECT user_matches('other', '{}', 'userName pr');
SELECT user_matches(0, '{}', 'userName pr');

-- a schema that is redefined between calls, in the same place
SELECT attribute_schema_define('{"id": "urn:regress:filter:Change", "attributes": [{"name": "v"}]}');
SELECT user_table_create('changing', schemas => '{urn:regress:filter:Change}');
INSERT INTO changing (id, document) VALUES ('a', '{"v": "A"}');
CREATE FUNCTION changed(filter text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SELECT string_agg(id, ' ') INTO result FROM changing WHERE user_matches('changing', document, filter);
	RETURN coalesce(result, 'none');
EXCEPTION WHEN SQLSTATE 'PT400' THEN
	RETURN SQLERRM;
END $$;
SELECT changed('v eq "a"'), changed('w pr');
SELECT attribute_schema_define('{"id": "urn:regress:filter:Change", "attributes": [{"name": "v", "caseExact": true}, {"name": "w"}]}');
SELECT changed('v eq "a"'), changed('w pr');
SELECT attribute_schema_define('{"id": "urn:regress:filter:Change", "attributes": [{"name": "w"}]}');
SELECT changed('v eq "a"'), changed('w pr');
-- also while one call goes on
CREATE FUNCTION redefine(id text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM attribute_schema_define(jsonb_build_object('id', 'urn:regress:filter:Change', 'attributes', jsonb_build_array(jsonb_build_object('name', 'v', 'caseExact', id = 'b'))));
	RETURN id;
END $$;
SELECT id, user_matches('changing', '{"v": "X"}', CASE WHEN redefine(id) = id THEN 'v eq "x"' END) FROM unnest('{a,b,c}'::text[]) id;

--
-- Who cannot read the table can still not ask much: the document is an argument
--
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
CREATE ROLE regress_filter_other;
RESET client_min_messages;
GRANT USAGE ON SCHEMA regress_filter TO regress_filter_other;
SET SESSION AUTHORIZATION regress_filter_other;
SET search_path = regress_filter, userstore;
SELECT user_matches('things', '{"userName": "x"}', 'userName eq "X"');
SELECT count(*) FROM things WHERE user_matches('things', document, 'userName eq "X"');
RESET SESSION AUTHORIZATION;

--
-- Parallel workers evaluate it, too
--
SET SESSION AUTHORIZATION regress_filter;
SET search_path = regress_filter, userstore;
INSERT INTO free (id, document) SELECT 'p' || i, jsonb_build_object('n', i) FROM generate_series(1, 20000) i;
ANALYZE free;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION plan_of(query text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query;
END $$;
SELECT count(*) FROM plan_of($$SELECT count(*) FROM free WHERE user_matches('free', document, 'n gt 19990')$$) WHERE line LIKE '%Parallel Seq Scan on free%';
SELECT count(*) FROM free WHERE user_matches('free', document, 'n gt 19990');
-- and bind it themselves, in a session that has never seen the table
\c -
SET search_path = regress_filter, userstore;
SET ROLE regress_filter;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT count(*) FROM free WHERE user_matches('free', document, 'n gt 19990');
SELECT count(*) FROM free WHERE user_matches('free', document, 'n gt');
DROP TABLE things, free, people, changing;
SELECT count(attribute_schema_drop(id)) FROM attribute_schema WHERE id LIKE 'urn:regress:filter:%';
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_filter CASCADE;
DROP ROLE regress_filter, regress_filter_other;
