-- Ten questions that are asked about user accounts, as plain SQL over the typed
-- views of user_view_create and what users_as_of and users_history tell of the past.
--
--	./run reports		on a server of its own, with the users of reports_data.sql
--	psql -f examples/reports_data.sql -f examples/reports.sql	in a database of yours
--
-- The role that asks may read the views and the columns of the table behind them, no
-- more: see the GRANTs in reports_data.sql.  Nothing else is needed for the past, and
-- row security hides from it what it hides from every query.  doc/reports.md shows
-- what comes out.

\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\if :{?today} \else \set today 2026-10-02 \endif
\if :{?role} \else \set role reports_analyst \endif
\if :{?person} \else \set person 1003 \endif
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET search_path = staff, userstore;
SET ROLE :"role";

\echo '=== 1. Who left this week?'
-- HR asks, to end payroll and collect badges.  users_as_of gives those who were active
-- when the week began, the view person tells who no longer is, and user_history who
-- ended that, also by deleting the account.
SELECT was.id, was.document ->> 'displayName' AS name, was.document ->> 'title' AS title,
	ended.changed_at::timestamp(0) AS at, ended.operation, ended.actor
FROM users_as_of('people', date_trunc('week', :'today'::timestamptz)) was
LEFT JOIN person now USING (id)
CROSS JOIN LATERAL (SELECT * FROM user_history('people', was.id) h
	WHERE h.path = 'active' AND h.old = 'true' ORDER BY h.version DESC LIMIT 1) ended
WHERE was.document @> '{"active": true}' AND now.active IS NOT TRUE
ORDER BY ended.changed_at;

\echo
\echo '=== 2. Whose manager is missing, has left or is gone?'
-- An auditor asks: nobody approves what these accounts may do.  manager.value is an
-- id, so the view is joined with itself.  Whom row security hides counts as gone.
SELECT p.id, p.display_name AS name, p.department, CASE
	WHEN p.manager_value IS NULL THEN 'has none'
	WHEN m.id IS NULL THEN p.manager_value || ' is gone'
	ELSE m.display_name || ' has left' END AS manager
FROM person p LEFT JOIN person m ON m.id = p.manager_value
WHERE p.active AND p.user_type IS DISTINCT FROM 'Service' AND m.active IS NOT TRUE
ORDER BY p.department NULLS FIRST, manager, p.id;

\echo
\echo '=== 3. Which domains do our e-mails have?'
-- The security team asks: mail to other domains leaves the house.  emails is
-- multi-valued, so it has a view of its own with a row for each.
SELECT lower(split_part(e.value, '@', 2)) AS domain, count(*) AS e_mails, count(DISTINCT e.id) AS accounts,
	count(DISTINCT e.id) FILTER (WHERE p.active AND e.primary) AS "active, primary"
FROM person_emails e JOIN person p USING (id)
GROUP BY 1 ORDER BY 2 DESC, 1;

\echo
\echo '=== 4. Who changed whose status in the last thirty days, from what to what?'
-- The security team asks.  users_history tells it, of all users since a time: a row for
-- each attribute that a version changed.
SELECT c.changed_at::timestamp(0) AS at, c.id, c.path, c.old, c.new, c.changed_by, c.actor
FROM users_history('people', :'today'::timestamptz - interval '30 days') c
WHERE c.path IN ('active', 'userType') AND c.operation <> 'create'
ORDER BY c.changed_at, c.id, c.path;

\echo
\echo '=== 5. How many people did each department have, over twelve months?'
-- HR asks, for the board.  users_as_of gives all users as they were at each month's
-- first: in the department that was theirs then.
SELECT month::date, coalesce(u.document #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,department}', 'none') AS department,
	count(*) AS people
FROM generate_series(date_trunc('month', :'today'::timestamptz) - interval '12 months', :'today', interval '1 month') month
CROSS JOIN LATERAL users_as_of('people', month) u
WHERE u.document @> '{"active": true}' AND u.document ->> 'userType' <> 'Service'
GROUP BY 1, 2 ORDER BY 1, 2 \crosstabview

\echo
\echo '=== 6. How many joined and how many left, month by month?'
-- HR asks.  Who joins becomes active, who leaves is no longer, whether deactivated or
-- deleted; both are told by old and new of one path.  Who comes back joins again.
SELECT to_char(date_trunc('month', c.changed_at), 'YYYY-MM') AS month,
	count(*) FILTER (WHERE c.new = 'true') AS joined, count(*) FILTER (WHERE c.old = 'true') AS "left"
FROM users_history('people', date_trunc('month', :'today'::timestamptz) - interval '12 months', date_trunc('month', :'today'::timestamptz)) c
WHERE c.path = 'active'
GROUP BY 1 ORDER BY 1;

\echo
\echo '=== 7. Which accounts were changed by plain SQL, past the API?'
-- An auditor asks.  History calls such changes sql; the role is proven, the actor is
-- what the session said.  Of a list, its first value is shown.
SELECT c.changed_at::timestamp(0) AS at, c.id, c.version, regexp_replace(c.path, '^urn:.*:', '') AS attribute,
	coalesce(c.old #>> '{0,value}', c.old #>> '{}') AS old, coalesce(c.new #>> '{0,value}', c.new #>> '{}') AS new, c.changed_by, c.actor
FROM users_history('people') c
WHERE c.operation = 'sql' ORDER BY c.changed_at, c.id, c.path;

\echo
\echo '=== 8. Which accounts that work has nobody touched for a year?'
-- The security team asks: what nobody looks after is what gets stolen.
SELECT p.id, p.user_name, p.user_type, p.created_at::date AS created, p.modified_at::date AS modified
FROM person p
WHERE p.active AND p.modified_at < :'today'::timestamptz - interval '1 year'
ORDER BY p.modified_at, p.id;

\echo
\echo '=== 9. Which e-mails and phone numbers do several accounts share?'
-- The security team asks: a password is reset by them.  Compared as people read them,
-- not as they are written.
SELECT kind, value, count(*) AS accounts, string_agg(id, ', ' ORDER BY id) AS ids
FROM (SELECT DISTINCT 'e-mail' AS kind, lower(e.value) AS value, e.id FROM person_emails e
	UNION SELECT 'phone', '+' || regexp_replace(n.value, '\D', '', 'g'), n.id FROM person_phone_numbers n) x
GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2;

\echo
\echo '=== 10. What did we store of this person on a day, and who has changed it since?'
-- The privacy officer asks, for a person who wants to know.  user_as_of gives the user
-- as the API showed it then, user_history each value changed since.
SELECT jsonb_pretty(user_as_of('people', :'person', :'today'::timestamptz - interval '10 months')) AS record \g (format=unaligned tuples_only=on)
SELECT h.version, h.changed_at::date AS on, h.operation, regexp_replace(h.path, '^urn:.*:', '') AS attribute,
	coalesce(h.old #>> '{0,value}', h.old #>> '{}') AS old, coalesce(h.new #>> '{0,value}', h.new #>> '{}') AS new, h.changed_by, h.actor
FROM user_history('people', :'person') h
WHERE h.changed_at >= :'today'::timestamptz - interval '10 months'
ORDER BY h.version, h.path;
