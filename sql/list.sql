--
-- users_list: filters, sorting, pages, in the shapes of the APIs
--
SET client_min_messages = warning;
CREATE ROLE regress_list;
CREATE ROLE regress_list_clerk;
CREATE SCHEMA regress_list AUTHORIZATION regress_list;
SET SESSION AUTHORIZATION regress_list;
SET search_path = regress_list, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only

-- the users on a page by one attribute, then how many there are, or how the call is refused
CREATE FUNCTION listed(users regclass, filter text DEFAULT NULL, sort_by text DEFAULT NULL, sort_order text DEFAULT 'ascending',
	start_index bigint DEFAULT 1, count bigint DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	list jsonb;
	detail text;
	hint text;
BEGIN
	list := users_list(users, filter, sort_by, sort_order, start_index, count);
	RETURN concat((SELECT string_agg(u ->> 'id', ' ' ORDER BY n) FROM jsonb_array_elements(list -> 'Resources') WITH ORDINALITY r(u, n)),
		' of ', list -> 'totalResults', ' from ', list -> 'startIndex', ', ', list -> 'itemsPerPage');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

SELECT user_table_create('people', api => 'scim');
SELECT count(users_bulk_put('people', creates => true, body => jsonb_build_array(jsonb_build_object('id', i, 'userName', n, 'active', a, 'title', t,
	'emails', e::jsonb, 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object('department', d)))))
FROM (VALUES
	('a', 'Zoe', true, 'Dr', '[{"value": "m@example.com"}, {"value": "a@example.com", "primary": true}]', 'Sales'),
	('b', 'yan', false, 'dr', '[{"value": "z@example.com", "type": "work"}]', 'Tools'),
	('c', 'Xia', NULL, NULL, NULL, NULL),
	('d', 'Vic', true, 'Prof', '[{"value": "B@example.org", "type": "home"}]', 'sales'),
	('e', 'wim', true, '', '[]', 'Sales')) v(i, n, a, t, e, d);
UPDATE people SET created_at = timestamptz '2026-01-01 12:00:00+00' + interval '1 hour' * (ascii(id) - 97), modified_at = timestamptz '2026-02-01 12:00:00+00' - interval '1 hour' * (ascii(id) - 97);

-- all, by id
SELECT listed('people');
-- pages: counted from 1, a negative count is 0, which asks for the total alone
SELECT listed('people', start_index => 2, count => 2), listed('people', start_index => 5, count => 2), listed('people', start_index => 6), listed('people', start_index => -3, count => 1);
SELECT listed('people', count => 0), listed('people', count => -1), listed('people', filter => 'active eq true', count => 0), listed('people', count => 9223372036854775807);
SELECT listed('people', filter => 'active eq true', start_index => 2, count => 1), listed('people', filter => 'active eq true', start_index => 3), listed('people', start_index => 9223372036854775807);
-- filters, on what no document holds as well
SELECT f, listed('people', f) FROM unnest(ARRAY['userName eq "zoe"', 'userName eq "nobody"', 'title pr', 'emails[type eq "work"]', 'emails.value ew ".org"', 'id eq "c"', 'id eq "C"', 'not (id gt "b")',
	'meta.created ge "2026-01-01T16:00:00+01:00"', 'meta.lastModified lt "2026-02-01T09:00:00Z"', 'meta.version eq "W/\"1\""', 'meta.resourceType eq "User"', 'meta.location pr',
	'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "SALES"', 'userName eq "Zoe" and active eq false', 'userName eq "Zoe" or userName eq "yan"',
	'userName ne "Zoe"', 'schemas eq "x"', 'meta.created gt 5', 'password pr', 'shoe eq 1', 'userName']) f;
-- an equality on a unique attribute is looked up by its index; what else the filter says is judged as well
SET enable_seqscan = off;
SELECT listed('people', 'active eq true and (title pr and userName eq "VIC")');
RESET enable_seqscan;
-- sorted: in any case where case does not count; who has none comes last, or first when descending
SELECT s, listed('people', sort_by => s), listed('people', sort_by => s, sort_order => 'Descending') FROM unnest(ARRAY['userName', 'title', 'active', 'emails', 'emails.value', 'emails.type',
	'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department', 'id', 'meta.created', 'meta.lastModified', 'name', 'password', 'shoe', '']) s;
SELECT listed('people', sort_order => 'sideways');
SELECT listed('people', 'active eq true', 'userName', 'descending', 2, 1);
-- attributes as user_get has them
SELECT users_list('people', filter => 'id eq "a"', attributes => '{userName, emails.value}') -> 'Resources';
SELECT users_list('people', filter => 'id eq "c"', excluded_attributes => '{userName, meta}');
SELECT users_list('people', attributes => '{userName}', excluded_attributes => '{title}');
SELECT users_list(NULL);
SELECT users_list('people', start_index => NULL);

-- as lenient profiles read it: a condition behind the bracket is one on the same value
SELECT f, (SELECT string_agg(u ->> 'id', ' ') FROM jsonb_array_elements(users_list('people', filter => f, api => 'entra') -> 'Resources') u) FROM unnest(ARRAY[
	'emails[type eq "home"].value eq "b@example.org"', 'emails[type eq "work"].value eq "b@example.org"', 'emails[type eq "home" or type eq "work"].value sw "z" or title eq "dr"',
	'not (emails[type eq "work" or value ew ".org"].type pr)']) f;
SELECT users_list('people', filter => 'emails[type eq "home"].shoe eq "b@example.org"', api => 'entra');
SELECT users_list('people', filter => 'emails[type eq "home"].', api => 'entra');
SELECT users_list('people', filter => 'emails[type eq "home"].value', api => 'entra');
SELECT listed('people', 'emails[type eq "home"].value eq "b@example.org"');

-- Zuora's spelling, and other shapes
SELECT users_list('people', filter => 'id eq "c"', attributes => '{userName}', api => 'zuora');
SELECT user_table_create('parties', api => 'cpq');
SELECT count(users_bulk_put('parties', '[{"id": "1", "login": "kim"}, {"id": "2", "login": "lee", "firstName": "Lee"}]'));
SELECT users_list('parties', filter => 'firstName pr', attributes => '{login}'), users_list('parties', start_index => 2, count => 1, attributes => '{login}');
SELECT user_table_create('identities', api => 'oig');
SELECT user_create('identities', '{"fields": [{"name": "User Login", "value": "ANN"}]}', '24') -> 'id', user_create('identities', '{"fields": [{"name": "User Login", "value": "BOB"}]}', '25') -> 'id';
SELECT users_list('identities', count => 1), users_list('identities', start_index => 2);
-- without a schema names are exact
SELECT user_table_create('things', id_type => 'int');
SELECT count(users_bulk_put('things', '[{"id": 10, "n": 2, "o": {"p": "x"}}, {"id": 9, "n": 10}, {"id": 11, "N": 1}]'));
SELECT users_list('things', filter => 'n gt 1', sort_by => 'n', sort_order => 'descending') #> '{items}' @? '$[0] ? (@.n == 10)' AS ten_first,
	users_list('things', sort_by => 'o.p', count => 1) #>> '{items,0,id}' AS has_one, users_list('things', filter => 'id eq "11"') #>> '{items,0,N}' AS by_id;

-- only whom the caller sees
GRANT SELECT ON people TO regress_list_clerk;
GRANT USAGE ON SCHEMA regress_list TO regress_list_clerk;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY others ON people TO regress_list_clerk USING (id <> 'b');
SET SESSION AUTHORIZATION regress_list_clerk;
SET search_path = regress_list, userstore;
SELECT listed('people'), listed('people', 'userName eq "yan"');
SELECT listed('things');

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_list CASCADE;
DROP ROLE regress_list, regress_list_clerk;
