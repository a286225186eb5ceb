-- Who the reports in reports.sql are about: the some 300 people of a company that
-- does not exist, and a year of what happened to their accounts.  By psql, as a
-- superuser, in a database that has the extension; makes the roles reports_… and
-- the schema staff.  To be rid of them:
--
--	DROP SCHEMA staff CASCADE;
--	DROP ROLE reports_owner, reports_hr, reports_it, reports_dba, reports_analyst, reports_sales;
--
-- Each change is made by who would make it, in the way that he or she would: HR's
-- feed and its people (role reports_hr), the administrators' console (reports_it),
-- a DBA at psql, past the functions (reports_dba).  All of that happens now, in the
-- order of the plan; in the end the owner of the tables dates it back, which is the
-- one thing here that nobody should do to a history that is real.
--
-- Nothing depends on chance or on the clock: the same users, the same year.

\set QUIET on
\set ON_ERROR_STOP on
\if :{?today} \else \set today 2026-10-02 \endif
SET client_min_messages = warning;
SET timezone = 'UTC';
SET synchronous_commit = off;

CREATE ROLE reports_owner;
CREATE ROLE reports_hr;
CREATE ROLE reports_it;
CREATE ROLE reports_dba;
CREATE ROLE reports_analyst;	-- asks about all
CREATE ROLE reports_sales;		-- asks about the department Sales

CREATE SCHEMA staff AUTHORIZATION reports_owner;
GRANT USAGE ON SCHEMA staff TO reports_hr, reports_it, reports_dba, reports_analyst, reports_sales;

-- ---- The table, the views, and who may what -------------------------------

SET ROLE reports_owner;
SELECT userstore.user_table_create('staff.people', api => 'scim') \g /dev/null
SELECT userstore.user_view_create('staff.people', 'staff.person') \g /dev/null

GRANT SELECT, INSERT, UPDATE, DELETE ON staff.people TO reports_hr, reports_it, reports_dba;
GRANT SELECT ON staff.person TO reports_hr;

-- Who reports may read the views, and of the table what they and the functions
-- that tell the past read: not password_hash, no history, no keys.
GRANT SELECT ON staff.person, staff.person_emails, staff.person_phone_numbers TO reports_analyst, reports_sales;
GRANT SELECT (id, document, version, created_at, modified_at) ON staff.people TO reports_analyst, reports_sales;

ALTER TABLE staff.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON staff.people TO reports_hr, reports_it, reports_dba, reports_analyst USING (true);
CREATE POLICY department ON staff.people FOR SELECT TO reports_sales
	USING (document #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,department}' = 'Sales');
RESET ROLE;

-- ---- People ---------------------------------------------------------------

-- 1 is the head of all; each department has a head, the larger ones teams.
CREATE TEMP TABLE department (name text, head int, first int, last int, leads int, titles text[]);
INSERT INTO department VALUES
	('Management', 1, 1, 1, 0, NULL),
	('Engineering', 2, 2, 71, 4, '{Engineer,Senior Engineer,Test Engineer,Engineer}'),
	('Sales', 72, 72, 119, 3, '{Account Manager,Sales Engineer,Account Manager,Sales Assistant}'),
	('Support', 120, 120, 159, 2, '{Support Agent,Support Agent,Support Engineer}'),
	('Finance', 160, 160, 177, 0, '{Accountant,Controller,Payroll Specialist}'),
	('HR', 178, 178, 189, 0, '{Recruiter,HR Partner}'),
	('Operations', 190, 190, 213, 1, '{System Administrator,Buyer,Facility Manager}');

-- who joins in the year, month by month from the first: so many, to where
CREATE TEMP TABLE joiners (month int, joined int, left_ int, departments text[]);
INSERT INTO joiners VALUES
	(0, 5, 3, '{Engineering,Sales}'), (1, 8, 2, '{Engineering,Engineering,Sales}'), (2, 4, 4, '{Support,Finance}'),
	(3, 9, 6, '{Engineering,Sales,Operations}'), (4, 3, 14, '{Engineering}'), (5, 4, 5, '{HR,Sales}'),
	(6, 10, 4, '{Engineering,Sales,Finance}'), (7, 12, 3, '{Engineering,Sales,Sales}'), (8, 8, 6, '{Sales,Engineering}'),
	(9, 7, 4, '{Engineering,Operations}'), (10, 5, 6, '{Sales,Support}'), (11, 9, 3, '{Engineering,Engineering,Sales}');

CREATE TEMP TABLE employee AS
WITH start AS (SELECT date_trunc('month', :'today'::timestamptz) - interval '12 months' AS at),
	numbered AS (
	SELECT n, d.name AS department, '2019-01-07'::timestamptz + n * 41 % 2390 * interval '1 day' AS hired
	FROM generate_series(1, 213) n LEFT JOIN department d ON n BETWEEN d.first AND d.last
	UNION ALL
	SELECT 213 + row_number() OVER (ORDER BY month, i), departments[1 + i % cardinality(departments)],
		start.at + month * interval '1 month' + i * 29 / joined * interval '1 day'
	FROM joiners, generate_series(0, joined - 1) i, start),
	names AS (
	SELECT ARRAY['Ana', 'Ben', 'Carla', 'David', 'Emma', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Kaja', 'Liam', 'Maria', 'Noah', 'Olga', 'Pavel',
		'Quinn', 'Rosa', 'Samir', 'Tessa', 'Umar', 'Vera', 'Wim', 'Xenia', 'Yusuf', 'Zoë', 'Amir', 'Birgit', 'Chen', 'Divya'] AS given,
		ARRAY['Adler', 'Bauer', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'García', 'Haddad', 'Ivanov', 'Jensen', 'Kaya', 'Lindqvist', 'Moreau', 'Nguyen', 'Okafor',
		'Petrov', 'Quist', 'Rossi', 'Schmidt', 'Tanaka', 'Ueda', 'Vogel', 'Weiss', 'Yilmaz', 'Zhang', 'Ortiz', 'Müller', 'Novák', 'Smith', 'Patel'] AS family)
SELECT n, (1000 + n)::text AS id, given[1 + n % 30] AS given, family[1 + (n / 30 * 7 + n * 11) % 30] AS family,
	p.department, hired + (480 + n * 47 % 500) * interval '1 minute' AS hired,
	CASE WHEN n = 1 THEN 'Chief Executive' WHEN n = d.head THEN 'Head of ' || d.name WHEN n - d.head <= d.leads THEN 'Team Lead'
		ELSE titles[1 + n % cardinality(titles)] END AS title,
	CASE WHEN n = 1 THEN NULL WHEN n = d.head THEN 1 WHEN n - d.head <= d.leads OR d.leads = 0 THEN d.head
		ELSE d.head + 1 + n % d.leads END AS manager,
	CASE WHEN n % 19 = 7 AND n > 213 - 24 THEN 'Contractor' ELSE 'Employee' END AS type
FROM numbered p LEFT JOIN department d ON d.name = p.department, names;
ALTER TABLE employee ADD PRIMARY KEY (n), ADD user_name text;
UPDATE employee SET user_name = translate(lower(given || '.' || family), 'ëíüáé', 'eiuae');

-- A new user as SCIM clients send one.
CREATE FUNCTION pg_temp.scim(p employee) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('userName', p.user_name, 'name', jsonb_build_object('givenName', p.given, 'familyName', p.family),
		'displayName', p.given || ' ' || p.family, 'title', p.title, 'userType', p.type, 'active', true,
		'emails', jsonb_build_array(jsonb_build_object('type', 'work', 'primary', true, 'value', p.user_name || '@' || CASE
			WHEN p.type = 'Contractor' THEN 'agency.example' WHEN p.department = 'Operations' AND p.n % 2 = 0 THEN 'nordwind.example' ELSE 'example.com' END))
			|| CASE WHEN p.n % 9 = 4 THEN jsonb_build_array(jsonb_build_object('type', 'home', 'value', p.user_name || '@mail.example')) ELSE '[]' END,
		'phoneNumbers', jsonb_build_array(jsonb_build_object('type', 'work', 'value', format('+49 30 5550-%s', 1000 + p.n))),
		'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object('department', p.department,
			'employeeNumber', CASE WHEN p.type = 'Employee' AND p.n % 67 <> 11 THEN p.id END,
			'manager', CASE WHEN p.manager IS NOT NULL THEN jsonb_build_object('value', (1000 + p.manager)::text) END)))
$$;

-- Who was there before userstore: imported by plain SQL, so history has nothing of
-- it; with eight accounts that are no person's, and nobody's.
INSERT INTO staff.people (id, document, created_at, modified_at)
	SELECT p.id, pg_temp.scim(p), hired, hired FROM employee p WHERE n <= 213
	UNION ALL
	SELECT 's' || i, jsonb_build_object('userName', 'svc-' || name, 'displayName', 'Service ' || name, 'userType', 'Service', 'active', name <> 'fax'), at, at
	FROM unnest(ARRAY['backup', 'build', 'crm', 'fax', 'monitoring', 'payroll', 'print', 'scanner']) WITH ORDINALITY s (name, i),
		LATERAL (SELECT '2021-03-01 09:00Z'::timestamptz + i * interval '97 days') t (at);

-- ---- The year -------------------------------------------------------------

CREATE TEMP TABLE plan (n serial, at timestamptz, role name, actor text, command text);
\set start 'date_trunc(''month'', ' :'today' '::timestamptz) - interval ''12 months'''

-- HR's feed creates who joins.
INSERT INTO plan (at, role, actor, command)
	SELECT hired, 'reports_hr', 'hr-feed', format('SELECT userstore.user_create(%L, %L, id => %L)', 'staff.people', pg_temp.scim(p), p.id)
	FROM employee p WHERE n > 213;

-- Who leaves: in the fifth month those of Support, else here and there, but no
-- managers; most are deactivated by HR, some by the administrators.
CREATE TEMP TABLE leaver AS
WITH slot AS (
	SELECT month, i, month = 4 AS is_layoff, row_number() OVER (PARTITION BY month = 4 ORDER BY month, i) AS nth, left_ FROM joiners, generate_series(0, left_ - 1) i),
	candidate AS (
	SELECT n, id, department = 'Support' AS is_layoff, row_number() OVER (PARTITION BY department = 'Support' ORDER BY n * 37 % 211) AS nth
	FROM employee p WHERE n BETWEEN 2 AND 213 AND p.type = 'Employee' AND n NOT IN (SELECT manager FROM employee WHERE manager IS NOT NULL))
SELECT n, id, :start + month * interval '1 month' + (i * 27 / left_ + 2) * interval '1 day' + (900 + n * 7 % 120) * interval '1 minute' AS at
FROM slot JOIN candidate USING (is_layoff, nth);
INSERT INTO plan (at, role, actor, command)
	SELECT at, CASE n % 4 WHEN 0 THEN 'reports_it' ELSE 'reports_hr' END, CASE n % 4 WHEN 0 THEN 'omar.haddad@example.com' WHEN 1 THEN 'bea.ortiz@example.com' ELSE 'hr-feed' END,
		format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', id, '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "active", "value": false}]}')
	FROM leaver;

-- New cost centres for everybody who has an employee number, in the third month.
INSERT INTO plan (at, role, actor, command) SELECT :start + interval '3 months 11 days 7 hours', 'reports_hr', 'hr-feed', $$
	SELECT userstore.users_bulk_patch('staff.people', request_id => 'cost-centres', atomic => true, body => jsonb_agg(jsonb_build_object('id', p.id,
		'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object('costCenter', 'CC-' || upper(left(p.department, 3))))))
	FROM staff.person p WHERE p.employee_number IS NOT NULL AND p.department IS NOT NULL$$;

-- In the seventh month a third of Engineering becomes Research, with a head of its own.
INSERT INTO plan (at, role, actor, command) SELECT :start + interval '6 months 9 hours', 'reports_hr', 'bea.ortiz@example.com', $$
	SELECT userstore.users_bulk_patch('staff.people', request_id => 'reorganisation', atomic => true, body => jsonb_agg(jsonb_build_object('id', p.id,
		'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object('department', 'Research')
			|| CASE WHEN p.id = '1003' THEN '{}' ELSE '{"manager": {"value": "1003"}}'::jsonb END) ORDER BY p.id))
	FROM staff.person p WHERE p.active AND p.department = 'Engineering' AND (p.id = '1003' OR p.id ~ '[258]$' AND p.title !~ 'Head|Lead')$$;
INSERT INTO plan (at, role, actor, command) SELECT :start + interval '6 months 9 hours 20 minutes', 'reports_hr', 'bea.ortiz@example.com',
	format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', '1003', '{"title": "Head of Research"}');

-- Promotions, all through the year.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + n * 53 % 360 * interval '1 day' + interval '10 hours', 'reports_hr', 'bea.ortiz@example.com',
		format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', id, jsonb_build_object('title', 'Senior ' || title))
	FROM employee WHERE n <= 213 AND n % 11 = 3 AND title !~ 'Senior|Head|Lead|Chief' AND n NOT IN (SELECT n FROM leaver);

-- The head of Research as an identity provider sends him: all of the user, with a PUT.
INSERT INTO plan (at, role, actor, command) SELECT :start + interval '9 months 4 days 11 hours', 'reports_it', 'leila.kaya@example.com', $$
	SELECT userstore.user_put('staff.people', '1003', userstore.user_get('staff.people', '1003') - 'phoneNumbers'
		|| '{"title": "Director of Research", "emails": [{"value": "research@example.com", "type": "work", "primary": true}]}')$$;

-- Deactivated by mistake, and back again.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + at::interval, 'reports_it', actor, format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', id, body)
	FROM (VALUES ('5 months 8 days 13 hours', 'omar.haddad@example.com', '1100', '{"active": false}'),
		('5 months 8 days 15 hours 12 minutes', 'leila.kaya@example.com', '1100', '{"active": true}'),
		('11 months 9 days 9 hours', 'omar.haddad@example.com', '1040', '{"active": false}'),
		('11 months 10 days 8 hours 5 minutes', 'omar.haddad@example.com', '1040', '{"active": true}')) c (at, actor, id, body);

-- Contractors who become employees, and one the other way round.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + at::interval, 'reports_hr', 'bea.ortiz@example.com', format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', id, body)
	FROM (VALUES ('8 months 10 hours', '1197', '{"userType": "Employee"}'), ('11 months 15 days 10 hours', '1235', '{"userType": "Employee"}'),
		('11 months 20 days 16 hours', '1011', '{"userType": "Contractor"}')) c (at, id, body);

-- What the DBA does by plain SQL: a domain that is given up; managers taken away; at
-- night, the account of somebody who had left, which the administrators end again.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + at::interval, 'reports_dba', actor, command
	FROM (VALUES ('7 months 8 days 16 hours', 'ticket 4711', $$
		UPDATE staff.people SET document = replace(document::text, '@nordwind.example', '@example.com')::jsonb
		WHERE document @> '{"active": true}' AND document::text ~ '@nordwind[.]example' AND id < '1200'$$),
		('8 months 17 days 2 hours 14 minutes', NULL, format($$
		UPDATE staff.people SET document = document || '{"active": true}' WHERE id = %L$$, (SELECT id FROM leaver ORDER BY at LIMIT 1))),
		('10 months 2 days 12 hours', 'ticket 4902', $$
		UPDATE staff.people SET document = document #- '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager}' WHERE id IN ('1083', '1133', '1205')$$)) c (at, actor, command);
INSERT INTO plan (at, role, actor, command)
	SELECT :start + interval '8 months 20 days 9 hours', 'reports_it', 'leila.kaya@example.com', format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', id, '{"active": false}')
	FROM leaver ORDER BY leaver.at LIMIT 1;

-- E-mails and phones that are not one person's.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + at::interval, 'reports_it', 'omar.haddad@example.com', format('SELECT userstore.user_patch(%L, %L, %L)', 'staff.people', id,
		jsonb_build_object('schemas', '{urn:ietf:params:scim:api:messages:2.0:PatchOp}'::text[], 'Operations', jsonb_build_array(jsonb_build_object('op', 'add', 'path', path, 'value', value))))
	FROM (VALUES ('2 months 9 hours', '1200', 'emails', '[{"value": "frontdesk@example.com", "type": "other"}]'::jsonb),
		('2 months 9 hours 1 minutes', '1194', 'emails', '[{"value": "frontdesk@example.com", "type": "other"}]'),
		('4 months 9 hours', '1203', 'emails', '[{"value": "Frontdesk@Example.com", "type": "other"}]'),
		('5 months 19 days 14 hours', '1166', 'phoneNumbers', '[{"value": "+49 (30) 5550 1170", "type": "mobile"}]')) c (at, id, path, value);

-- Those who had people to lead, and left: a team lead, and one whose account is gone.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + at::interval, role, actor, command
	FROM (VALUES ('10 months 13 days 17 hours', 'reports_hr', 'hr-feed', $$SELECT userstore.user_patch('staff.people', '1121', '{"active": false}')$$),
		('9 months 28 days 12 hours', 'reports_it', 'omar.haddad@example.com', $$SELECT userstore.user_delete('staff.people', '1191')$$),
		('5 months 24 days 12 hours', 'reports_it', 'omar.haddad@example.com', $$SELECT userstore.user_delete('staff.people', '1216')$$)) c (at, role, actor, command);

-- Most of their people get another manager soon.
INSERT INTO plan (at, role, actor, command)
	SELECT :start + at::interval, 'reports_hr', 'bea.ortiz@example.com', format($$
		SELECT userstore.users_bulk_patch('staff.people', atomic => true, body => jsonb_agg(jsonb_build_object('id', p.id,
			'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', '{"manager": {"value": %s}}'::jsonb) ORDER BY p.id))
		FROM staff.person p WHERE p.manager_value = %L AND p.id !~ '3$|8$'$$, to_json(manager), gone)
	FROM (VALUES ('9 months 29 days 10 hours', '1191', '1190'::text), ('10 months 16 days 11 hours', '1121', '1120')) c (at, gone, manager);

-- This week.
INSERT INTO plan (at, role, actor, command)
	SELECT date_trunc('week', :'today'::timestamptz) + at::interval, role, actor, command
	FROM (VALUES ('1 day 16 hours 30 minutes', 'reports_hr', 'hr-feed', $$SELECT userstore.user_patch('staff.people', '1043', '{"active": false}')$$),
		('2 days 15 hours 2 minutes', 'reports_it', 'leila.kaya@example.com', $$SELECT userstore.user_patch('staff.people', '1093', '{"active": false}')$$),
		('2 days 17 hours', 'reports_hr', 'hr-feed', $$SELECT userstore.user_patch('staff.people', '1250', '{"active": false}')$$),
		('3 days 11 hours 48 minutes', 'reports_it', 'omar.haddad@example.com', $$SELECT userstore.user_delete('staff.people', '1273')$$)) c (at, role, actor, command);

-- It happens, one transaction each; what became of it is noted with its time.
CREATE TEMP TABLE dated (user_id text, version bigint, at timestamptz, PRIMARY KEY (user_id, version));
DO $$
DECLARE
	step plan;
BEGIN
	FOR step IN SELECT * FROM plan ORDER BY at, n LOOP
		PERFORM set_config('role', step.role, true), set_config('userstore.actor', step.actor, true);
		EXECUTE step.command;
		RESET ROLE;
		INSERT INTO dated SELECT h.user_id, h.version, step.at FROM staff.people_history h
		WHERE NOT EXISTS (SELECT FROM dated d WHERE (d.user_id, d.version) = (h.user_id, h.version));
		COMMIT;
	END LOOP;
END $$;

-- ---- The owner dates it back ------------------------------------------------

GRANT SELECT ON dated TO reports_owner;
SET ROLE reports_owner;
UPDATE staff.people_history h SET changed_at = d.at FROM dated d WHERE (d.user_id, d.version) = (h.user_id, h.version);
-- version 1 of those who were imported is not in history
UPDATE staff.people p SET modified_at = d.last, created_at = CASE d.version WHEN 1 THEN d.first ELSE p.created_at END
FROM (SELECT user_id, min(version) AS version, min(at) AS first, max(at) AS last FROM dated GROUP BY user_id) d WHERE d.user_id = p.id;
RESET ROLE;
ANALYZE staff.people, staff.people_history;
