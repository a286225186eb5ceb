-- A tour of userstore: the documented updates of four APIs, many users at once,
-- passwords, and reports over it all.  Run by ./run demo; also by psql in any
-- database where the extension is there and pgcrypto may be created (it comes
-- with PostgreSQL's contrib).

\set QUIET on
\pset footer off
\pset format aligned
\pset linestyle unicode
\pset border 1
\set ON_ERROR_STOP on

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgcrypto;	-- hashes passwords
CREATE SCHEMA demo;
SET LOCAL search_path = demo, userstore, public;

-- what a command is refused with: SQLSTATE and message, DETAIL, HINT
CREATE FUNCTION refused(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'not at all';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || E'\n' || detail || E'\n' || hint;
END
$$;

\echo '=== Zuora: PUT /scim/v2/Users/{id} replaces a user ==='
\echo
SELECT api_profile_define('demo_zuora', '{"base_url": "https://api.example.com/scim/v2"}', base => 'zuora') \g /dev/null
SELECT user_table_create('people', api => 'demo_zuora') \g /dev/null

-- who is there before: deactivated, with more attributes than the request has
SELECT user_create('people', id => '4ae68f98-2762-4001-b95c-34569b413e8e', body => '{
	"userName": "Amy+test5", "active": false, "nickName": "Amy", "title": "Tester",
	"name": {"givenName": "Lawrence", "familyName": "Amy", "middleName": "T."},
	"phoneNumbers": [{"value": "+1 555 0100", "type": "work"}]}') \g /dev/null

\set request '{"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension", "urn:ietf:params:scim:schemas:core:2.0:User"], "id": "4ae68f98-2762-4001-b95c-34569b413e8e", "externalId": "Amy+test5", "meta": {"created": "2023-01-04T18:48:30.180Z", "resourceType": "User"}, "userName": "Amy+test6", "name": {"formatted": "Amy Lawrence", "familyName": "Amy", "givenName": "Lawrence"}, "displayName": "Amy Lawrence", "preferredLanguage": "en", "locale": "en-US", "active": true, "emails": [{"value": "Amy+test5-updated@zuora.com"}], "groups": [{"value": "0fb99576-2154-4d96-a6cb-384dd430f45f", "display": "Amy Test"}], "roles": [{"value": "USER", "display": "USER"}], "urn:zuora:scim:schemas:1.0:UserExtension": {"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension"], "organizationId": "ec141dc2-901e-4813-a25d-ef480cff1e26", "status": "ACTIVE", "ssoEnabled": true, "region": "EU"}}'
\echo 'Request:'
SELECT jsonb_pretty(:'request'::jsonb) \g (tuples_only=on format=unaligned)
\echo
\echo 'Answer to user_put(''people'', id, body, idempotency_key => ''put-1''):'
\echo 'what was left out is blank, the e-mail is completed, the user is active again.'
SELECT jsonb_pretty(user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', :'request',
	idempotency_key => 'put-1')) \g (tuples_only=on format=unaligned)
\echo
\echo 'Stored row:'
SELECT id, version, jsonb_pretty(document) AS document FROM people \g (format=unaligned)
\echo
\echo 'History rows:'
SELECT version, operation, array_to_string(changed, E'\n') AS changed, changed_by, document IS NOT NULL AS "has after-image"
FROM people_history ORDER BY version;
\echo
\echo 'The same request under the same key: the same answer, and no new version.'
SELECT user_put('people', '4ae68f98-2762-4001-b95c-34569b413e8e', :'request',
		idempotency_key => 'put-1') -> 'meta' ->> 'version' AS "version answered",
	user_version('people', '4ae68f98-2762-4001-b95c-34569b413e8e') AS "version stored",
	(SELECT count(*) FROM people_history) AS "history rows";

\echo
\echo '=== Zuora: PATCH of many users at once ==='
\echo
SELECT user_create('people', format('{"userName": "user%s", "active": %s, "locale": "%s",
	"emails": [{"value": "user%s@%s"}]}', n, to_jsonb(n % 3 > 0), (ARRAY['en-US', 'de-DE', 'fr-FR'])[1 + n % 3], n,
	(ARRAY['example.com', 'example.org'])[1 + n % 2])::jsonb, id => 'user' || n)
FROM generate_series(1, 12) n \g /dev/null
\set request '[{"id": "user2", "active": false}, {"id": "user99", "active": false}]'
\echo 'Request:'
\echo :request
\echo
\echo 'Answer to users_bulk_patch(''people'', body): a ListResponse, with an Error in the'
\echo 'place of a user who is missing.'
SELECT jsonb_pretty(users_bulk_patch('people', :'request')) \g (tuples_only=on format=unaligned)

\echo
\echo '=== Zluri: an update of the fields that are sent ==='
\echo
SELECT user_table_create('staff', api => 'zluri') \g /dev/null
SELECT user_create('staff', id => '65f1c0ffee0123456789abcd', body => '{
	"user_name": "Ravi Kumar", "user_email": "ravi@example.com", "user_status": "active",
	"user_designation": "Engineer", "user_archive": false,
	"user_custom_fields": [{"field_id": "cost_center", "field_value": "CC-7"}, {"field_id": "badge", "field_value": 1234}]}') \g /dev/null

\set request '{"user_status": "suspended", "user_designation": "Staff Engineer", "user_custom_fields": [{"field_id": "cost_center", "field_value": "CC-9"}]}'
\echo 'Request:'
SELECT jsonb_pretty(:'request'::jsonb) \g (tuples_only=on format=unaligned)
\echo
\echo 'Answer to user_put(''staff'', id, body): the other fields, and the other custom field, stay.'
SELECT jsonb_pretty(user_put('staff', '65f1c0ffee0123456789abcd', :'request')) \g (tuples_only=on format=unaligned)
\echo
\echo 'History rows:'
SELECT version, operation, array_to_string(changed, E'\n') AS changed, changed_by, document IS NOT NULL AS "has after-image"
FROM staff_history ORDER BY version;
\echo
\echo 'A wrong value is refused, and the error says what would be right:'
SELECT refused($$SELECT user_put('staff', '65f1c0ffee0123456789abcd', '{"user_status": "asleep"}')$$) \g (tuples_only=on format=unaligned)

\echo
\echo '=== Oracle CPQ: PUT /rest/v19/users/{partyNumber} creates or replaces ==='
\echo
SELECT user_table_create('parties', api => 'cpq') \g /dev/null
-- the codes are an installation's own
SELECT attribute_lookup_define('parties', 'currency', '[
	{"value": "EUR", "displayValue": "Euro"}, {"value": "USD", "displayValue": "US Dollar"}]') \g /dev/null

\set request '{"login": "kim", "firstName": "Kim", "lastName": "Lee", "email": "kim@example.com", "currency": {"value": "EUR"}, "isNotifyEmail": true, "password": "correct horse", "emailPassword": true}'
\echo 'Request:'
SELECT jsonb_pretty(:'request'::jsonb) \g (tuples_only=on format=unaligned)
\echo
\echo 'Answer to user_put(''parties'', ''300100'', body):'
SELECT user_put('parties', '300100', :'request') AS "first time";
SELECT user_put('parties', '300100', '{"login": "kim", "firstName": "Kim", "lastName": "Lee-Ray", "currency": {"displayValue": "US Dollar"}}') AS "second time, with less";
\echo
\echo 'History rows: the first PUT set every boolean to its default, the second one put back'
\echo 'what it left out.  The password is in neither; that it was set, and to be mailed, is.'
SELECT version, operation, array_to_string(changed, E'\n') AS changed,
	jsonb_pretty(document) AS "after-image"
FROM parties_history ORDER BY version;
\echo
\echo 'The password, which the second PUT left out, is still the same:'
SELECT left(password_hash, 7) || '...' AS "stored",
	user_password_verify('parties', '300100', 'correct horse') AS "correct horse",
	user_password_verify('parties', '300100', 'battery staple') AS "battery staple"
FROM parties;
\echo
\echo 'A code that the list lacks is refused:'
SELECT refused($$SELECT user_put('parties', '300100', '{"login": "kim", "currency": {"value": "XXX"}}')$$) \g (tuples_only=on format=unaligned)

\echo
\echo '=== Oracle Identity Governance: PUT .../users changes fields of many users ==='
\echo
SELECT api_profile_define('demo_oig', '{"base_url": "http://pseudo.com:PORT/iam/governance/selfservice/api/v1"}', base => 'oig') \g /dev/null
SELECT user_table_create('identities', api => 'demo_oig') \g /dev/null
SELECT user_create('identities', '{"fields": [{"name": "User Login", "value": "FN"}, {"name": "First Name", "value": "FN"},
	{"name": "Last Name", "value": "LN"}]}', id => '24') \g /dev/null

\set request '{"users": [{"requestId": "123", "id": "24", "fields": [{"name": "First Name", "value": "UpdatedFN"}]}, {"requestId": "123", "id": "9999", "fields": [{"name": "First Name", "value": "UpdatedFN1"}]}]}'
\echo 'Request:'
SELECT jsonb_pretty(:'request'::jsonb) \g (tuples_only=on format=unaligned)
\echo
\echo 'Answer to users_bulk_put(''identities'', body): one user is there, the other is not.'
SELECT jsonb_pretty(users_bulk_put('identities', :'request')) \g (tuples_only=on format=unaligned)

\echo
\echo '=== Many users at once, in any API ==='
\echo
\echo 'Items apply in order, each has its own result, and a bad one fails alone.  Here users'
\echo 'are found by their e-mail, and created where there are none:'
SELECT item
FROM jsonb_array_elements(users_bulk_put('staff', match => 'user_email', creates => true, body => '[
	{"user_email": "ravi@example.com", "user_status": "active"},
	{"user_email": "mia@example.com", "user_name": "Mia"},
	{"user_email": "mia@example.com", "user_designation": "Analyst"},
	{"user_email": "mia@example.com", "user_status": "asleep"}]')) WITH ORDINALITY AS items (answer, n),
	-- that of a user whose id was generated
	LATERAL (SELECT CASE WHEN answer ->> 'id' LIKE '%-%' THEN answer || '{"id": "(a new UUID)"}' ELSE answer END) AS shown (item)
ORDER BY n;
\echo
\echo 'With atomic, all or none; the error says which item it was:'
SELECT refused($$SELECT users_bulk_put('staff', match => 'user_email', atomic => true, body => '[
	{"user_email": "ravi@example.com", "user_status": "inactive"},
	{"user_email": "mia@example.com", "user_status": "asleep"}]')$$) \g (tuples_only=on format=unaligned)
SELECT document ->> 'user_name' AS name, document ->> 'user_status' AS status, version FROM staff ORDER BY 1;

\echo
\echo '=== Reports are plain SQL ==='
\echo
SELECT users_bulk_patch('people', jsonb_agg(jsonb_build_object('id', 'user' || n, 'active', false)))
FROM generate_series(3, 5) n \g /dev/null

\echo 'Active and inactive users by locale:'
SELECT document ->> 'locale' AS locale,
	count(*) FILTER (WHERE (document ->> 'active')::boolean) AS active,
	count(*) FILTER (WHERE NOT (document ->> 'active')::boolean) AS inactive
FROM people GROUP BY 1 ORDER BY 1;
\echo
\echo 'Users by e-mail domain:'
SELECT split_part(email ->> 'value', '@', 2) AS domain, count(*) AS users
FROM people, jsonb_array_elements(document -> 'emails') email
GROUP BY 1 ORDER BY 2 DESC, 1;
\echo
\echo 'Who was deactivated, and what they were before:'
SELECT h.user_id, h.version, h.operation, h.changed_by,
	old.document -> 'active' AS "before", h.document -> 'active' AS "after"
FROM people_history h
JOIN people_history old ON (old.user_id, old.version) = (h.user_id, h.version - 1)
WHERE 'active' = ANY (h.changed) AND NOT (h.document ->> 'active')::boolean
ORDER BY h.user_id;
\echo
\echo 'Passwords that somebody has to mail:'
SELECT user_id, version, document ->> 'email' AS email
FROM parties_history WHERE 'emailPassword' = ANY (changed);

ROLLBACK;
