--
-- Zuora's update of one user: PUT replaces, and what is left out becomes
-- blank.  The first body is the request sample that Zuora publishes.
--
SET client_min_messages = warning;
CREATE ROLE regress_zuora;
CREATE SCHEMA regress_zuora AUTHORIZATION regress_zuora;
SET SESSION AUTHORIZATION regress_zuora;
SET search_path = regress_zuora, userstore;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset null '(null)'

-- An answer without what the clock says; whether that is plausible, is asked
-- apart.
CREATE FUNCTION shown(answer jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT answer #- '{meta,created}' #- '{meta,lastModified}' $$;

-- What a command raises, one line each.
CREATE FUNCTION raised(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

SELECT user_table_create('people', api => 'zuora');
-- All that a request could write, in a form that shows whether it did.
CREATE FUNCTION traces(OUT rows_xmin text, OUT history bigint, OUT keys bigint)
LANGUAGE sql AS $$
	SELECT (SELECT string_agg(p.id || ' v' || p.version || ' ' || p.xmin || ' ' || p.modified_at, ', ' ORDER BY p.id) FROM people p),
		(SELECT count(*) FROM people_history), (SELECT count(*) FROM people_idempotency) $$;

SELECT api_profile_define('regress_zuora', '{"base_url": "https://rest.example.com/scim/v2/"}', base => 'zuora');

CREATE TABLE sample (body jsonb);
INSERT INTO sample VALUES ('{
	"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension", "urn:ietf:params:scim:schemas:core:2.0:User"],
	"id": "4ae68f98-2762-4001-b95c-34569b413e8e",
	"externalId": "Amy+test5",
	"meta": {"created": "2023-01-04T18:48:30.180Z", "resourceType": "User"},
	"userName": "Amy+test6",
	"name": {"formatted": "Amy Lawrence", "familyName": "Amy", "givenName": "Lawrence"},
	"displayName": "Amy Lawrence",
	"preferredLanguage": "en",
	"locale": "en-US",
	"active": true,
	"emails": [{"value": "Amy+test5-updated@zuora.com"}],
	"groups": [{"value": "0fb99576-2154-4d96-a6cb-384dd430f45f", "display": "Amy Test"}],
	"roles": [{"value": "USER", "display": "USER"}],
	"urn:zuora:scim:schemas:1.0:UserExtension": {
		"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension"],
		"organizationId": "ec141dc2-901e-4813-a25d-ef480cff1e26",
		"status": "ACTIVE", "ssoEnabled": true, "region": "EU"}}');

--
-- The page's sample over a deactivated user with more attributes set
--
-- of each kind of attribute, some that the sample leaves out: strings, a
-- reference, a complex attribute's sub-attributes, multi-valued ones
SELECT shown(user_create('people', '{
	"externalId": "old", "userName": "old",
	"name": {"formatted": "Old Name", "middleName": "M", "honorificPrefix": "Dr"},
	"nickName": "olly", "profileUrl": "https://example.com/old", "title": "Boss", "timezone": "Europe/Paris",
	"active": false,
	"emails": [{"value": "old@example.com", "type": "home"}, {"value": "older@example.com"}],
	"phoneNumbers": [{"value": "1", "type": "work"}],
	"addresses": [{"country": "FR"}],
	"x509Certificates": [{"value": "MIIB"}]}', id => '4ae68f98-2762-4001-b95c-34569b413e8e'));
-- groups are readOnly: only the installation itself sets them
UPDATE people SET document = document || '{"groups": [{"value": "g1", "display": "Ours"}]}';

SELECT jsonb_pretty(shown(user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', body, idempotency_key => 'k1'))) FROM sample;
-- it is stored as it was answered
SELECT user_get('people', id) = (SELECT response FROM people_idempotency WHERE key = 'k1') AS same_answer,
	document || jsonb_build_object('id', id, 'schemas', user_get('people', id) -> 'schemas', 'meta', user_get('people', id) -> 'meta')
		= user_get('people', id) AS same_document
FROM people;
SELECT version, operation, changed FROM people_history WHERE operation = 'put';

-- meta: both times in UTC with three digits, as the row has them; no location
-- without a base_url
SELECT (a -> 'meta') - 'created' - 'lastModified' AS meta,
	a #>> '{meta,created}' = to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created,
	a #>> '{meta,lastModified}' = to_char(modified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_modified,
	modified_at > created_at AS later
FROM people, user_get('people', id) a;
SELECT user_get('people', id, api => 'regress_zuora') #>> '{meta,location}' AS location FROM people;
-- an id is made fit for a URL
SELECT user_create('people', '{"userName": "odd"}', id => U&'a b/c?d=\00e9~', api => 'regress_zuora') #>> '{meta,location}' AS location;
SELECT user_delete('people', U&'a b/c?d=\00e9~');

--
-- A retry is answered as the first time, and nothing is written
--
CREATE TABLE before AS SELECT * FROM traces();
SELECT user_put('people', id, body, idempotency_key => 'k1') = (SELECT response FROM people_idempotency WHERE key = 'k1') AS same
FROM people, sample;
-- bodies compare as JSON values: order and spelling of numbers do not matter
SELECT user_put('people', id, (SELECT jsonb_object_agg(key, value ORDER BY key DESC) FROM jsonb_each(body)), idempotency_key => 'k1')
	= (SELECT response FROM people_idempotency WHERE key = 'k1') AS same
FROM people, sample;
-- a body is another one also where it differs in what is not the client's to say
SELECT r.state FROM people, sample,
	raised(format($$SELECT user_put('people', %L, %L, idempotency_key => 'k1')$$, id, body #- '{meta,created}')) r;
SELECT before.* IS NOT DISTINCT FROM traces.* AS nothing_written FROM before, traces();

-- anything else under the key is refused, and writes nothing either
SELECT r.* FROM sample, raised(format($$SELECT user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', %L, 'k1')$$, body || '{"title": "x"}')) r;
SELECT r.state FROM sample, raised(format($$SELECT user_put('people', 'other', %L, 'k1')$$, body)) r;
SELECT r.state FROM sample, raised(format($$SELECT user_patch('people', '4ae68f98-2762-4001-b95c-34569b413e8e', %L, 'k1')$$, body)) r;
SELECT r.state FROM sample, raised(format($$SELECT user_create('people', %L, '4ae68f98-2762-4001-b95c-34569b413e8e', 'k1')$$, body)) r;
SELECT r.state FROM raised($$SELECT user_delete('people', '4ae68f98-2762-4001-b95c-34569b413e8e', 'k1')$$) r;
SELECT r.state FROM sample, raised(format($$SELECT user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', %L, 'k1', api => 'scim')$$, body)) r;
SELECT before.* IS NOT DISTINCT FROM traces.* AS nothing_written FROM before, traces();

-- 1.0 is 1, in the body as in the answer
SELECT shown(user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', '{"userName": "n", "unheard": 1.0}', idempotency_key => 'k2'));
SELECT shown(user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', '{"unheard": 1, "userName": "n"}', idempotency_key => 'k2'));
SELECT r.state FROM raised($$SELECT user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', '{"unheard": "1", "userName": "n"}', 'k2')$$) r;
SELECT user_id, version, operation FROM people_history ORDER BY user_id COLLATE "C", version;

--
-- What is left out: blank, by type
--
SELECT shown(user_create('people', '{
	"userName": "bea", "nickName": "b", "title": "T",
	"name": {"givenName": "Bea", "familyName": "Bee"},
	"profileUrl": "https://example.com/b", "active": false, "roles": [{"value": "r"}],
	"urn:zuora:scim:schemas:1.0:UserExtension": {"status": "ACTIVE", "ssoEnabled": true}}', id => 'bea'));
-- single strings "", also below a complex attribute that was sent; all else
-- is gone; active stays; nothing that had no value gets one
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "name": {"givenName": "Bea"},
	"urn:zuora:scim:schemas:1.0:UserExtension": {"ssoEnabled": false}}'));
-- to leave out blanks again changes nothing
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "name": {"givenName": "Bea"},
	"urn:zuora:scim:schemas:1.0:UserExtension": {"ssoEnabled": false}}')) #>> '{meta,version}' AS version;
-- nor does sending back what was read
SELECT user_put('people', 'bea', user_get('people', 'bea')) = user_get('people', 'bea') AS same;
-- a complex attribute left out is gone with its blanks; of an extension, which is no attribute but has some, the strings are blank
SELECT shown(user_put('people', 'bea', '{"userName": "bea"}'));
-- true re-enables; left out afterwards it stays true
SELECT user_put('people', 'bea', '{"userName": "bea", "active": true}') -> 'active' AS active;
SELECT user_put('people', 'bea', '{"userName": "bea"}') -> 'active' AS active;
-- as do the strings that lenient clients send for it
SELECT user_put('people', 'bea', '{"userName": "bea", "active": "False"}') -> 'active' AS active;
-- what is sent empty overwrites as well, with a value there before or without
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "title": "T", "name": {"givenName": "Bea"}}'));
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "title": "", "displayName": "", "name": {"givenName": "", "familyName": ""}}'));
-- null and [] clear, whatever the attribute
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "active": null, "nickName": null, "title": null,
	"name": null, "emails": [], "roles": null}'));

-- blanks neither clash nor are judged by format, enum, pattern or length
SELECT attribute_schema_define('{"id": "urn:regress:zuora:Badge", "attributes": [
	{"name": "badge", "type": "string", "uniqueness": "server", "minLength": 4, "pattern": "^[0-9]+$"},
	{"name": "level", "type": "string", "enum": ["low", "high"]},
	{"name": "mail", "type": "string", "format": "email"}]}');
SELECT user_table_create('badges', api => 'zuora',
	schemas => '{urn:ietf:params:scim:schemas:core:2.0:User,urn:regress:zuora:Badge}');
SELECT shown(user_create('badges', format('{"userName": "u%s", "urn:regress:zuora:Badge":
	{"badge": "000%s", "level": "low", "mail": "u%s@example.com"}}', n, n, n)::jsonb, id => 'u' || n))
FROM generate_series(1, 2) n;
SELECT shown(user_put('badges', 'u' || n, format('{"userName": "u%s", "urn:regress:zuora:Badge": {}}', n)::jsonb))
FROM generate_series(1, 2) n;
-- a blank that is sent back as it was read is no new value to judge
SELECT user_put('badges', 'u1', user_get('badges', 'u1')) = user_get('badges', 'u1') AS same;
-- but nobody sets one over a value or where none was
SELECT shown(user_put('badges', 'u1', '{"userName": "u1", "urn:regress:zuora:Badge": {"level": "high", "badge": "0001"}}'));
SELECT r.* FROM raised($$SELECT user_put('badges', 'u1', '{"userName": "u1", "urn:regress:zuora:Badge": {"level": ""}}')$$) r;
SELECT r.* FROM raised($$SELECT user_put('badges', 'u1', '{"userName": "u1", "urn:regress:zuora:Badge": {"badge": ""}}')$$) r;
-- values do clash, in any case
SELECT r.* FROM raised($$SELECT user_put('badges', 'u2', '{"userName": "U1"}')$$) r;
SELECT r.* FROM raised($$SELECT user_put('badges', 'u2', '{"userName": "u2", "urn:regress:zuora:Badge": {"badge": "0001"}}')$$) r;

-- the types of the extension, and any value of them
SELECT name, value, r.state, r.message
FROM (VALUES ('organizationId', '1'), ('status', 'true'), ('status', '"ANY"'), ('region', '["EU"]'), ('region', '"APAC"'), ('ssoEnabled', '"yes"'), ('ssoEnabled', '1'),
		('schemas', '1'), ('schemas', '[1]')) v(name, value),
	raised(format('SELECT user_patch(%L, %L, %L, dry_run => true)', 'people', 'bea', format('{"urn:zuora:scim:schemas:1.0:UserExtension": {"%s": %s}}', name, value))) r;
-- what is required is neither blanked nor cleared
SELECT r.* FROM raised($$SELECT user_put('people', 'bea', '{"title": "x"}')$$) r;
SELECT r.* FROM raised($$SELECT user_put('people', 'bea', '{"userName": null}')$$) r;
SELECT r.* FROM raised($$SELECT user_put('people', 'bea', '{"userName": ""}')$$) r;
-- a missing user is not created
SELECT r.* FROM raised($$SELECT user_put('people', 'nobody', '{"userName": "x"}')$$) r;

--
-- E-mails are filled in as on the page; what was sent wins
--
SELECT user_put('people', 'bea', '{"userName": "bea", "emails": [{"value": "b@example.com"}]}') -> 'emails' AS emails;
SELECT user_put('people', 'bea', '{"userName": "bea", "emails": [{"value": "b@example.com", "display": "B", "type": "home", "primary": false}]}') -> 'emails' AS emails;
-- of several, none is made the primary one
SELECT user_put('people', 'bea', '{"userName": "bea", "emails": [{"value": "b@example.com"}, {"value": "c@example.com", "type": "other"}]}') -> 'emails' AS emails;
-- one without an address has nothing to display
SELECT user_put('people', 'bea', '{"userName": "bea", "emails": [{"type": "home"}]}') -> 'emails' AS emails;
-- a bare string, as some clients send
SELECT user_put('people', 'bea', '{"userName": "bea", "emails": ["d@example.com"]}') -> 'emails' AS emails;
-- only e-mails are
SELECT user_put('people', 'bea', '{"userName": "bea", "phoneNumbers": [{"value": "1"}]}') -> 'phoneNumbers' AS phones;

-- all that is the profile's: by RFC 7644 on the same table nothing is added,
-- nothing blanked, active not kept
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "title": "T", "active": true}'));
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "emails": [{"value": "b@example.com"}]}', api => 'scim'));

-- unknown attributes are passed over, with a word; strictly they are refused
SELECT shown(user_put('people', 'bea', '{"userName": "bea", "shoeSize": 43, "name": {"given": "B"}}'));
SELECT r.* FROM raised($$SELECT user_put('people', 'bea', '{"userName": "bea", "shoeSize": 43}', api => 'scim')$$) r;

-- one space clears, in a partial update
SELECT shown(user_patch('people', 'bea', '{"title": "T", "nickName": "N"}'));
SELECT shown(user_patch('people', 'bea', '{"title": " "}'));

--
-- Bulk: the answer to a single user is the page's list of one
--
SELECT user_delete('people', '4ae68f98-2762-4001-b95c-34569b413e8e');
SELECT user_create('people', '{"userName": "new"}', '4ae68f98-2762-4001-b95c-34569b413e8e') ->> 'id' AS id;
SELECT shown - 'resources' AS message, shown -> 'resources' = '[{
	"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:zuora:scim:schemas:1.0:UserExtension"],
	"id": "4ae68f98-2762-4001-b95c-34569b413e8e", "externalId": "Amy+test6", "userName": "assingh151@zuora.com",
	"meta": {"resourceType": "User", "version": "W/\"7\""},
	"name": {"formatted": "Amy Lawrence", "familyName": "Amy", "givenName": "Lawrence"},
	"displayName": "Amy Lawrence", "preferredLanguage": "en", "locale": "en-US", "active": true,
	"emails": [{"value": "Amy+test5-updated@zuora.com", "display": "Amy+test5-updated@zuora.com", "type": "work", "primary": true}],
	"roles": [{"value": "USER", "display": "USER"}],
	"urn:zuora:scim:schemas:1.0:UserExtension": {"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension"],
		"organizationId": "5619df2e-fa8c-47fa-9c1e-16ab5af4936e", "status": "ACTIVE", "ssoEnabled": true, "region": "EU"}}]' AS the_page
FROM users_bulk_patch('people', '[{"id": "4ae68f98-2762-4001-b95c-34569b413e8e", "externalId": "Amy+test6", "userName": "assingh151@zuora.com",
	"name": {"formatted": "Amy Lawrence", "familyName": "Amy", "givenName": "Lawrence"},
	"displayName": "Amy Lawrence", "preferredLanguage": "en", "locale": "en-US", "active": true,
	"emails": [{"value": "Amy+test5-updated@zuora.com"}], "roles": [{"value": "USER", "display": "USER"}],
	"urn:zuora:scim:schemas:1.0:UserExtension": {"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension"],
		"organizationId": "5619df2e-fa8c-47fa-9c1e-16ab5af4936e", "status": "ACTIVE", "ssoEnabled": true, "region": "EU"}}]') answer,
	LATERAL (SELECT answer #- '{resources,0,meta,created}' #- '{resources,0,meta,lastModified}') a(shown);

DROP TABLE people, badges;
SELECT attribute_schema_drop('urn:regress:zuora:Badge');
SELECT api_profile_drop('regress_zuora');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_zuora CASCADE;
DROP ROLE regress_zuora;
