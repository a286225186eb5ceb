-- A tour of userstore: the documented updates of two APIs, on tables of their
-- own, and reports over them.  Run by ./run demo; also by psql in any database
-- where the extension is there.

\set QUIET on
\pset footer off
\pset format aligned
\pset linestyle unicode
\pset border 1
\set ON_ERROR_STOP on

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA demo;

\echo '=== Zuora: PUT /scim/v2/Users/{id} replaces a user ==='
\echo
SELECT userstore.api_profile_define('demo_zuora', '{"base_url": "https://api.example.com/scim/v2"}', base => 'zuora') \g /dev/null
SELECT userstore.user_table_create('demo.people', api => 'demo_zuora') \g /dev/null

-- who is there before: deactivated, with more attributes than the request has
SELECT userstore.user_create('demo.people', id => '4ae68f98-2762-4001-b95c-34569b413e8e', body => '{
	"userName": "Amy+test5", "active": false, "nickName": "Amy", "title": "Tester",
	"name": {"givenName": "Lawrence", "familyName": "Amy", "middleName": "T."},
	"phoneNumbers": [{"value": "+1 555 0100", "type": "work"}]}') \g /dev/null

\set request '{"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension", "urn:ietf:params:scim:schemas:core:2.0:User"], "id": "4ae68f98-2762-4001-b95c-34569b413e8e", "externalId": "Amy+test5", "meta": {"created": "2023-01-04T18:48:30.180Z", "resourceType": "User"}, "userName": "Amy+test6", "name": {"formatted": "Amy Lawrence", "familyName": "Amy", "givenName": "Lawrence"}, "displayName": "Amy Lawrence", "preferredLanguage": "en", "locale": "en-US", "active": true, "emails": [{"value": "Amy+test5-updated@zuora.com"}], "groups": [{"value": "0fb99576-2154-4d96-a6cb-384dd430f45f", "display": "Amy Test"}], "roles": [{"value": "USER", "display": "USER"}], "urn:zuora:scim:schemas:1.0:UserExtension": {"schemas": ["urn:zuora:scim:schemas:1.0:UserExtension"], "organizationId": "ec141dc2-901e-4813-a25d-ef480cff1e26", "status": "ACTIVE", "ssoEnabled": true, "region": "EU"}}'
\echo 'Request:'
\pset tuples_only on
\pset format unaligned
SELECT jsonb_pretty(:'request'::jsonb);
\pset format aligned
\pset tuples_only off
\echo
\echo 'Answer to user_put(''demo.people'', id, body, idempotency_key => ''put-1''):'
\echo 'what was left out is blank, the e-mail is completed, the user is active again.'
\pset tuples_only on
\pset format unaligned
SELECT jsonb_pretty(userstore.user_put('demo.people', '4ae68f98-2762-4001-b95c-34569b413e8e', :'request',
	idempotency_key => 'put-1'));
\pset format aligned
\pset tuples_only off
\echo
\echo 'Stored row:'
\pset format unaligned
SELECT id, version, jsonb_pretty(document) AS document FROM demo.people;
\pset format aligned
\echo
\echo 'History rows:'
SELECT version, operation, array_to_string(changed, E'\n') AS changed, changed_by, document IS NOT NULL AS "has after-image"
FROM demo.people_history ORDER BY version;
\echo
\echo 'The same request under the same key: the same answer, and no new version.'
SELECT userstore.user_put('demo.people', '4ae68f98-2762-4001-b95c-34569b413e8e', :'request',
		idempotency_key => 'put-1') -> 'meta' ->> 'version' AS "version answered",
	userstore.user_version('demo.people', '4ae68f98-2762-4001-b95c-34569b413e8e') AS "version stored",
	(SELECT count(*) FROM demo.people_history) AS "history rows";

\echo
\echo '=== Zluri: an update of the fields that are sent ==='
\echo
SELECT userstore.user_table_create('demo.staff', api => 'zluri') \g /dev/null
SELECT userstore.user_create('demo.staff', id => '65f1c0ffee0123456789abcd', body => '{
	"user_name": "Ravi Kumar", "user_email": "ravi@example.com", "user_status": "active",
	"user_designation": "Engineer", "user_archive": false,
	"user_custom_fields": [{"field_id": "cost_center", "field_value": "CC-7"}, {"field_id": "badge", "field_value": 1234}]}') \g /dev/null

\set request '{"user_status": "suspended", "user_designation": "Staff Engineer", "user_custom_fields": [{"field_id": "cost_center", "field_value": "CC-9"}]}'
\echo 'Request:'
\pset tuples_only on
\pset format unaligned
SELECT jsonb_pretty(:'request'::jsonb);
\pset format aligned
\pset tuples_only off
\echo
\echo 'Answer to user_put(''demo.staff'', id, body): the other fields, and the other custom field, stay.'
\pset tuples_only on
\pset format unaligned
SELECT jsonb_pretty(userstore.user_put('demo.staff', '65f1c0ffee0123456789abcd', :'request'));
\pset format aligned
\pset tuples_only off
\echo
\echo 'Stored row:'
\pset format unaligned
SELECT id, version, jsonb_pretty(document) AS document FROM demo.staff;
\pset format aligned
\echo
\echo 'History rows:'
SELECT version, operation, array_to_string(changed, E'\n') AS changed, changed_by, document IS NOT NULL AS "has after-image"
FROM demo.staff_history ORDER BY version;
\echo
\echo 'A wrong value is refused, and says what would be right:'
DO $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM userstore.user_put('demo.staff', '65f1c0ffee0123456789abcd', '{"user_status": "asleep"}');
EXCEPTION WHEN sqlstate 'PT400' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE WARNING USING MESSAGE = SQLSTATE || ' ' || SQLERRM || E'\n' || detail || E'\n' || hint;
END
$$;

\echo
\echo '=== Reports are plain SQL ==='
\echo
SELECT userstore.user_create('demo.people', format('{"userName": "user%s", "active": %s, "locale": "%s",
	"emails": [{"value": "user%s@%s"}]}', n, to_jsonb(n % 3 > 0), (ARRAY['en-US', 'de-DE', 'fr-FR'])[1 + n % 3], n,
	(ARRAY['example.com', 'example.org'])[1 + n % 2])::jsonb, id => 'user' || n)
FROM generate_series(1, 12) n \g /dev/null
SELECT userstore.user_patch('demo.people', 'user' || n, '{"active": false}')
FROM generate_series(2, 5) n \g /dev/null

\echo 'Active and inactive users by locale:'
SELECT document ->> 'locale' AS locale,
	count(*) FILTER (WHERE (document ->> 'active')::boolean) AS active,
	count(*) FILTER (WHERE NOT (document ->> 'active')::boolean) AS inactive
FROM demo.people GROUP BY 1 ORDER BY 1;
\echo
\echo 'Users by e-mail domain:'
SELECT split_part(email ->> 'value', '@', 2) AS domain, count(*) AS users
FROM demo.people, jsonb_array_elements(document -> 'emails') email
GROUP BY 1 ORDER BY 2 DESC, 1;
\echo
\echo 'Who was deactivated, and what they were before:'
SELECT h.user_id, h.version, h.operation, h.changed_by,
	old.document -> 'active' AS "before", h.document -> 'active' AS "after"
FROM demo.people_history h
JOIN demo.people_history old ON (old.user_id, old.version) = (h.user_id, h.version - 1)
WHERE 'active' = ANY (h.changed) AND NOT (h.document ->> 'active')::boolean
ORDER BY h.user_id;

ROLLBACK;
