-- Lists as the APIs ask for them: the parameters of SCIM, Oracle CPQ and Oracle Identity Governance, their filters, sort keys, pages and links
SET client_min_messages = warning;
CREATE ROLE regress_list_request;
CREATE SCHEMA regress_list_request AUTHORIZATION regress_list_request;
SET SESSION AUTHORIZATION regress_list_request;
SET search_path = regress_list_request, userstore;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only

-- a request for a list and its answer
CREATE FUNCTION get(users regclass, query text, api text DEFAULT NULL, path text DEFAULT '/users') RETURNS text LANGUAGE sql AS $$
	SELECT status || ' ' || body FROM user_request(users, 'GET', path || query, api => api)
$$;
-- a text as a query has it
CREATE FUNCTION encoded(t text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE WHEN b COLLATE "C" ~ '[A-Za-z0-9]' THEN b ELSE regexp_replace(upper(encode(convert_to(b, 'UTF8'), 'hex')), '(..)', '%\1', 'g') END, '' ORDER BY n)
	FROM regexp_split_to_table(t, '') WITH ORDINALITY c(b, n)
$$;
-- the users on a page by one attribute, or how the call is refused
CREATE FUNCTION listed(users regclass, filter text, member text DEFAULT 'login') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN coalesce((SELECT string_agg(u ->> member, ' ' ORDER BY n) FROM jsonb_array_elements(users_list(users, filter) -> 'items') WITH ORDINALITY i(u, n)), 'none');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- Oracle CPQ
SELECT user_table_create('parties', api => 'cpq');
SELECT count(users_bulk_put('parties', '[
	{"id": "1", "login": "ann", "firstName": "Ann", "lastName": "Lee", "status": {"value": 1, "displayValue": "Active"}, "type": {"value": "7"}, "jobTitle": "10% off"},
	{"id": "2", "login": "bob", "firstName": "Bob", "lastName": "lee", "status": {"value": 0, "displayValue": "Inactive"}, "isMobileEnabled": true, "jobTitle": "O''Hara \"Bo\" \\ 7"},
	{"id": "3", "login": "cyd", "firstName": "Zoé", "lastName": "Ray", "status": {"value": 10}, "fax": "007"},
	{"id": "4", "login": "dan", "firstName": "", "status": {"value": 2}, "phone": "1e3",
	 "groups": {"items": [{"variableName": "red"}, {"variableName": "blue"}]}}]'));

-- the query q, as Oracle writes it: names without quotes, strings in either ones; numbers may be quoted as well, and the other way round
SELECT q, listed('parties', q) FROM unnest(ARRAY[
	'{login: ''ann''}', '{"login": "ANN"}', '{login:{$eq:''Ann''}}', E' {\n\t"login" : { "$EQ" : "ann" }}', '{login: {$ne: ''ann''}}',
	'{status: {$gt: ''1''}}', '{status: {$gte: 1, $lt: 10}}', '{"status.value": {$lte: 1}}', '{status: {$eq: 1.0}}', '{"status.displayValue": "active"}', '{type: {$eq: 7}}',
	'{isMobileEnabled: true}', '{isMobileEnabled: {$ne: ''True''}}', '{fax: 007}', '{fax: ''007''}', '{phone: 1e3}', '{phone: 1000}',
	'{$and: [{lastName: ''LEE''}, {firstName: ''Bob''}]}', '{lastName: ''lee'', firstName: {$ne: ''Bob''}}', '{$or: [{login: ''ann''}, {login: ''dan''}]}',
	'{$and: [{lastName: {$exists: true}}, {$or: [{login: {$eq: "bob"}}, {status: {$gt: 5}}]}]}', '{$or: [{login: ''ann'', status: 0}, {login: ''bob'', status: 0}]}',
	'{lastName: {$exists: false}}', '{firstName: {$exists: ''true''}}', '{fax: null}', '{fax: {$ne: null}}', '{"groups.items.variableName": "blue"}',
	'{}', '{$and: [{}, {login: ''ann''}]}', '{id: 3}', '{"meta.version": "W/\"1\"", id: {$gt: ''2''}}', '{jobTitle: ''O\''Hara "Bo" \\ 7''}', '{jobTitle: "O''Hara \"Bo\" \\ 7"}']) q;
-- $like: % for any text, _ for one character, a backslash before what is meant itself
SELECT q, listed('parties', q) FROM unnest(ARRAY['{lastName: {$like: ''L%''}}', '{lastName: {$like: ''%e''}}', '{lastName: {$like: ''%E%''}}', '{firstName: {$like: ''z__''}}', '{firstName: {$like: ''_o_''}}', '{login: {$like: ''a%n''}}', '{login: {$like: ''ann''}}', '{login: {$like: ''''}}',
	'{jobTitle: {$like: ''10\\% %''}}', '{jobTitle: {$like: ''1\\%%''}}', '{fax: {$like: 007}}', '{login: {$like: ''a\\''}}', '{status: {$like: ''1%''}}', '{isMobileEnabled: {$like: ''t%''}}', '{login: {$like: null}}']) q;
-- what is none
SELECT q, listed('parties', q) FROM unnest(ARRAY['{', '{login', '{login:', '{login:}', '{login: ann}', '{login: ''ann}', '{login: "ann''}', '{login: ''ann''', '{login: ''ann''} x', '{login: ''ann'',}', '{: 1}', '{login: [''ann'']}', '{login: {}}', '{login: {$in: [''ann'']}}', '{login: {eq: ''ann''}}',
	'{$eq: ''ann''}', '{$nor: [{}]}', '{status: {value: 1}}', '{$and: {login: ''ann''}}', '{$or: []}', '{$or: [{login: ''ann''}', '{$or: [{login: ''ann''}] ]', '{login: {$exists: 1}}', '{login: {$eq: ''\q''}}', '{é: ''x'', shoe: 1}', '{shoe: 1}', '{password: ''x''}', '{password: {$exists: true}}',
	'{groups: 1}', '{status: ''x''}', '{isMobileEnabled: 1}', '{isMobileEnabled: {$gt: false}}', '{fax: {$gt: null}}']) q;
SELECT listed('parties', repeat('{$and: [', 64) || '{login: ''ann''}' || repeat(']}', 64)), listed('parties', repeat('{$and: [', 63) || '{login: ''ann''}' || repeat(']}', 63)),
	listed('parties', '{login: ''' || repeat('x', 65536) || '''}');
-- any other text is a filter of SCIM
SELECT listed('parties', 'login eq "ann" or status gt 5'), listed('parties', 'login eq ann'), listed('parties', '[1]');
-- an equality on what is unique is looked up by its index, also from a query
CREATE FUNCTION index_scans(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_stat_get_xact_numscans('parties_unique_login_key'::regclass);
BEGIN
	RETURN listed('parties', query) || ', ' || pg_stat_get_xact_numscans('parties_unique_login_key'::regclass) - before;
END
$$;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'parties'::regclass ORDER BY 1;
SET enable_seqscan = off;
SELECT q, index_scans(q) FROM unnest(ARRAY['{login: ''BOB''}', '{status: 0, $and: [{login: {$eq: ''bob''}}]}', '{$and: [{status: 1}, {login: ''bob''}]}', '{$or: [{login: ''bob''}]}', 'login eq "bob"', '{login: {$like: ''bob''}}', '{$or: [{login: ''bob''}, {status: 1}]}', '{login: {$ne: ''bob''}}']) q;
RESET enable_seqscan;

-- pages: limit is 1000 if it is not sent, and at most; offset counts from 0; the total only for those who ask
SELECT q, get('parties', q) FROM unnest(ARRAY['?fields=login', '?fields=login&limit=2', '?FIELDS=login&Limit=2&OFFSET=2&totalresults=True', '?fields=login&limit=3&offset=1', '?fields=login&offset=4&totalResults=true', '?fields=login&offset=9223372036854775806',
	'?fields=login&limit=0&totalResults=true', '?fields=login&limit=0', '?fields=login&limit=5000&totalResults=false', '?fields=&limit=1&fields=login', '?fields=login&limit=%201%20&page=7&sortBy=x&count=0', '?fields=login,+status.value+,,nothing&limit=1']) q;
-- with a query the same
SELECT q, get('parties', '?fields=login&' || q) FROM unnest(ARRAY['limit=1&q=' || encoded('{lastName: {$exists: true}}'), 'limit=1&offset=1&q=' || encoded('{lastName: {$exists: true}}'), 'limit=1&offset=2&q=' || encoded('{lastName: {$exists: true}}'), 'limit=0&q=' || encoded('{}'),
	'limit=1&totalResults=true&q=' || encoded('{lastName: {$exists: true}}'), 'filter=' || encoded('login eq "ann"'), 'q=' || encoded('login eq "ann"'), 'q=&filter=', 'q=' || encoded('{login: ''')]) q;
-- sorted by several attributes, each in its direction, and by id at last
SELECT o, get('parties', '?fields=login&orderby=' || o) FROM unnest(ARRAY['lastName', 'lastName:desc', 'lastName,login:desc', 'lastName:ASC,+firstName:Desc', 'status:desc', 'status.value:asc', 'isMobileEnabled:desc,id:desc', 'meta.version,login:desc', '', 'id:desc']) o;
-- what is refused, and why
SELECT q, get('parties', '?' || q) FROM unnest(ARRAY['limit=ten', 'limit=-1', 'limit=1.5', 'limit=9223372036854775808', 'offset=-1', 'offset=0x1', 'totalResults=1', 'orderby=login:up', 'orderby=shoe', 'orderby=password', 'orderby=groups', 'orderby=login,:desc', 'orderby=' || repeat('login,', 16) || 'fax', 'q=x&filter=y', 'q=' || encoded('{login: {$near: 1}}')]) q;
-- links, where there is an address: the query as it was sent, with the place of the page
SELECT api_profile_define('regress_list_request_cpq', '{"base_url": "https://example.com/rest/v19/"}', base => 'cpq');
SELECT jsonb_pretty(body) FROM user_request('parties', 'GET', '/rest/v19/users?limit=1&offset=2&q=' || encoded('{login: {$ne: ''x/é''}}') || '&fields=login,firstName&session=a%26b', api => 'regress_list_request_cpq');
SELECT q, get('parties', '?fields=login&' || q, 'regress_list_request_cpq') FROM unnest(ARRAY['limit=4', 'limit=3', 'limit=3&offset=1', 'limit=0', 'offset=2&limit=3']) q;
SELECT users_list('parties', '{login: ''ann''}', attributes => '{login}', api => 'regress_list_request_cpq') AS from_sql, user_get('parties', '1', '{login}', api => 'regress_list_request_cpq') AS alone;
-- a page whose users nobody counts is done when it is full
SELECT count(users_bulk_put('parties', (SELECT jsonb_agg(jsonb_build_object('id', i, 'login', 'u' || i)) FROM generate_series(5, 350) i)));
CREATE FUNCTION rows_read(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_stat_get_xact_tuples_returned('parties_pkey'::regclass);
BEGIN
	RETURN get('parties', query) || ', ' || CASE WHEN pg_stat_get_xact_tuples_returned('parties_pkey'::regclass) - before >= 350 THEN 'all read' ELSE 'not all read' END;
END
$$;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT q, rows_read('?fields=login&limit=1&' || q) FROM unnest(ARRAY['', 'q=' || encoded('{login: {$gte: ''a''}}'), 'totalResults=true&q=' || encoded('{login: {$gte: ''a''}}'), 'q=' || encoded('{login: {$lt: ''b''}}')]) q;
RESET enable_seqscan;
RESET enable_sort;
-- of one user, fields as well
SELECT get('parties', '?fields=login,fax', path => '/users/3'), get('parties', '?fields=login&limit=x', path => '/users/3');
-- without a schema names and strings are exact, and values are of the type that they are written in
SELECT user_table_create('things');
SELECT count(users_bulk_put('things', '[{"id": "a", "n": 2, "o": {"p": "x"}}, {"id": "b", "n": "2"}, {"id": "c", "N": 1}]'));
SELECT q, listed('things', q, 'id') FROM unnest(ARRAY['{n: 2}', '{n: ''2''}', '{"o.p": {$like: ''X''}}', '{"o.p": {$like: ''x%''}}', '{n: {$exists: false}}', '{n: {$like: 2}}']) q;
SELECT id, user_matches('things', document, '{n: {$gt: 1}}') FROM things ORDER BY id;

-- Oracle Identity Governance
SELECT user_table_create('identities', api => 'oig');
SELECT user_create('identities', jsonb_build_object('fields', jsonb_build_array(jsonb_build_object('name', 'User Login', 'value', l), jsonb_build_object('name', 'First Name', 'value', f), jsonb_build_object('name', 'Last Name', 'value', s),
	jsonb_build_object('name', 'Employee Number', 'value', e), jsonb_build_object('name', 'Start Date', 'value', d))), id => i::text) ->> 'id'
FROM (VALUES (1, 'AVINK', 'Avin', 'Kamboj', '007', '2024-02-29T10:00:00Z'), (2, 'MGRAFF', 'Molly', 'Graff de Luxe', '8', NULL), (3, 'JSMITH', 'John', 'Sm"it''h', NULL, NULL)) v(i, l, f, s, e, d);
-- a filter as Oracle writes it: two colons, or a blank, in the names; values with quotes of either kind or without
CREATE FUNCTION matched(filter text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN coalesce((SELECT string_agg(u ->> 'id', ' ' ORDER BY n) FROM jsonb_array_elements(users_list('identities', filter) -> 'users') WITH ORDINALITY i(u, n)), 'none') ||
		', ' || (SELECT count(*) FROM identities WHERE filter !~ 'id eq' AND user_matches('identities', document, filter));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;
SELECT f, matched(f) FROM unnest(ARRAY['User::Login eq avink', 'User::Login eq avink or Last Name eq kamboj', 'Last::Name sw ''G''', 'Last::Name eq Graff::de::Luxe', 'Last Name eq "graff de luxe"', 'last  name pr', 'Last Name EQ ''Sm"it\''h''', 'Last Name eq "Sm\"it''h"', 'First Name eq "Avin" and (Last Name co "boj")',
	'not (User::Login eq AVINK)', 'Employee::Number eq 007', 'Employee::Number eq 7', 'Employee::Number eq 8', 'Employee::Number eq null', 'Employee Number ne null', 'Employee Number eq "null"', 'Start Date gt 2024-02-29T11:00:00+02:00', 'id eq 2', 'urn:userstore:params:schemas:oig:User:User Login eq mgraff']) f;
SELECT f, matched(f) FROM unnest(ARRAY['', 'User Login', 'User::Login avink', 'eq avink', 'User Login eq', 'User Login eq "avink', 'User Login eq ''avink', 'User Login eq ''\q''', 'User Login eq Graff de Luxe', 'Shoe::Size eq 1', 'User Login eq (avink)', '(User Login eq avink', 'User Login like x', 'Start Date gt today']) f;
-- pages: offset counts from 1, limit is 10 if it is not sent
SELECT q, get('identities', q) FROM unnest(ARRAY['?fields=User%20Login', '?fields=User+Login&limit=2', '?FIELDS=user+login,Last+Name&Offset=2&LIMIT=1&orderby=x', '?fields=User+Login&offset=0&limit=1', '?fields=nothing&offset=4', '?fields=User+Login&limit=0', '?fields=User+Login&q=User%3A%3ALogin%20eq%20MGRAFF', '?fields=User+Login&limit=1&filter=Last::Name+pr',
	'?offset=-1', '?limit=-1', '?limit=x', '?q=x&filter=y', '?q=User::Login+is+x']) q;
SELECT count(user_create('identities', jsonb_build_object('fields', jsonb_build_array(jsonb_build_object('name', 'User Login', 'value', 'U' || i))), id => 'u' || i)) FROM generate_series(1, 9) i;
SELECT body -> 'count' AS count, body -> 'hasMore' AS more, body -> 'totalResult' AS total FROM user_request('identities', 'GET', '/users');
-- links, where there is an address
SELECT api_profile_define('regress_list_request_oig', '{"base_url": "https://example.com/api/v1"}', base => 'oig');
SELECT jsonb_pretty(body) FROM user_request('identities', 'GET', '/users?fields=User+Login&q=User::Login+sw+U&limit=1&offset=3&x=y', api => 'regress_list_request_oig');
SELECT jsonb_path_query_array(body, '$.links.href') FROM unnest(ARRAY['', '?limit=1&offset=12', '?limit=0', '?LIMIT=100']) q, user_request('identities', 'GET', '/users' || q, api => 'regress_list_request_oig');
SELECT users_list('identities', count => 0, api => 'regress_list_request_oig') AS from_sql;
-- page by page, each user comes once
CREATE FUNCTION followed(users regclass, path text, api text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	ids text[] := '{}';
	pages int := 0;
	answer jsonb;
BEGIN
	WHILE path IS NOT NULL AND pages < 100 LOOP
		answer := (SELECT r.body FROM user_request(users, 'GET', path, api => api) r);
		ids := ids || ARRAY(SELECT coalesce(u ->> 'id', u ->> 'login') FROM jsonb_array_elements(coalesce(answer -> 'items', answer -> 'users')) u);
		pages := pages + 1;
		path := jsonb_path_query_first(answer, '$.links ? (@.rel == "next").href') #>> '{}';
	END LOOP;
	RETURN concat(pages, ' pages, ', array_length(ids, 1), ' users, ', (SELECT count(DISTINCT i) FROM unnest(ids) i), ' of them different');
END
$$;
SELECT followed('parties', '/users?limit=100&fields=login&orderby=login:desc&q=' || encoded('{login: {$ne: "a&b=c%+é\"#"}, $or: [{login: {$like: ''u%''}}, {fax: ''007''}]}'), 'regress_list_request_cpq'), followed('identities', '/users', 'regress_list_request_oig'),
	followed('identities', '/users?q=User::Login+sw+U&limit=2', 'regress_list_request_oig');
-- of one user
SELECT get('identities', '?fields=User+Login,Employee+Number&limit=x', path => '/users/1');
-- the fields of another schema
SELECT user_table_create('people', api => 'scim');
SELECT user_create('people', '{"userName": "ann", "name": {"familyName": "Lee"}}', '1') ->> 'id', user_create('people', '{"userName": "bob", "emails": [{"value": "bob@example.com", "type": "work"}]}', '2') ->> 'id';
SELECT api_profile_define('regress_list_request_names', '{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "names": {"User Login": "userName", "Last Name": "name.familyName"}}', base => 'oig');
SELECT q, get('people', q, 'regress_list_request_names') FROM unnest(ARRAY['?q=User::Login+eq+ANN', '?q=last+name+pr&fields=user+login', '?q=not+(name.familyName+pr)+and+emails%5Btype+eq+work%5D', '?fields=User+Login,userName']) q;

-- SCIM: parameters in any case; what nobody knows is passed over
SELECT q, get('people', q, path => '/Users') FROM unnest(ARRAY['?attributes=userName&filter=userName+eq+%22ANN%22', '?Attributes=userName,name.familyName&SORTBY=userName&sortorder=Descending', '?attributes=id&count=1', '?attributes=id&startIndex=2&count=-1', '?attributes=id&startIndex=-5&x=y&limit=0&q=x', '?excludedAttributes=userName,emails,meta&count=1', '?attributes=&count=&filter=&sortBy=&attributes=id',
	'?count=many', '?count=&attributes=id', '?startIndex=1.5', '?sortBy=userName&sortOrder=up', '?sortBy=shoe', '?filter=userName', '?attributes=id&excludedAttributes=meta']) q;
-- schemas and meta.location are filtered as they are shown; id by its index, in the spelling that is shown
SELECT user_patch('people', '2', '{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "IT"}}') ->> 'id';
SELECT api_profile_define('regress_list_request_url', '{"base_url": "https://example.com/scim/v2"}', base => 'scim');
SELECT q, get('people', '?attributes=id&filter=' || q, 'regress_list_request_url', path => '/Users') FROM unnest(ARRAY['schemas+eq+%22urn:ietf:params:scim:schemas:extension:enterprise:2.0:User%22', 'schemas+co+%22core%22', 'not+(schemas+co+%22enterprise%22)',
	'meta.location+eq+%22https://example.com/scim/v2/Users/2%22', 'meta.location+ew+%22/1%22', 'id+eq+%222%22', 'id+eq+%222%22+and+userName+eq+%22ann%22', 'id+eq+%22%22', 'id+eq+%22nobody%22']) q;
SELECT user_table_create('numbers', api => 'scim', id_type => 'bigint');
SELECT user_create('numbers', '{"userName": "ann"}', '1') ->> 'id';
SELECT q, get('numbers', '?attributes=id&filter=id+eq+' || q, path => '/Users') FROM unnest('{%221%22,%2201%22,%22x%22}'::text[]) q;
DROP TABLE numbers;
-- the same in a body
CREATE FUNCTION search(body text, path text DEFAULT '/Users/.search') RETURNS text LANGUAGE sql AS $$
	SELECT q.status || ' ' || q.body FROM user_request('people', 'POST', path, '{"Content-Type": "application/scim+json"}', search.body) q
$$;
SELECT b, search(b) FROM unnest(ARRAY['{"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "attributes": ["userName", "name.familyName"], "filter": "userName sw \"a\"", "startIndex": 1, "count": 10}', '{"Schemas": ["URN:ietf:params:scim:api:messages:2.0:SearchRequest"], "SORTBY": "userName", "sortOrder": "descending", "attributes": ["id"], "count": 1, "excludedAttributes": null, "limit": "x"}',
	'{"excludedAttributes": ["userName", "meta", "emails", "name"], "startIndex": 2}', '{"attributes": [], "count": 0}', '{"count": "1", "attributes": "id"}', '{"count": 1.5}', '{"count": true}', '{"attributes": [1]}', '{"attributes": {"id": true}}', '{"filter": ["userName pr"], "attributes": ["id"]}', '{"sortOrder": "up"}', '{"filter": "userName"}',
	'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]}', '{"schemas": []}', '{"schemas": "urn:ietf:params:scim:api:messages:2.0:SearchRequest"}', '{"attributes": ["id"], "excludedAttributes": ["meta"]}', '[]', '"x"', '', '{']) b;
SELECT search('{"attributes": ["id"], "count": 1}', '/scim/v2/.search'), search('{"attributes": ["id"], "count": 1}', '/Users/.search?count=0');

SELECT api_profile_drop('regress_list_request_names'), api_profile_drop('regress_list_request_url'), api_profile_drop('regress_list_request_oig'), api_profile_drop('regress_list_request_cpq');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_list_request CASCADE;
DROP ROLE regress_list_request;
