-- The database of the example: profiles, tables, and who may do what.  Run once
-- by psql, as a superuser or the database's owner who may create roles:
--
--   createdb people
--   psql -d people -v base_url=https://id.example.com -f setup.sql

\set ON_ERROR_STOP on
\if :{?base_url}
\else
    \set base_url http://localhost:3000
\endif

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS userstore;
CREATE EXTENSION IF NOT EXISTS pgcrypto;	-- hashes passwords

-- Each API as it ships, with the address under which server.js mounts it.
SELECT count(userstore.api_profile_define('web_' || base, jsonb_build_object('base_url', :'base_url' || path), base => base)) AS profiles
FROM (VALUES
    ('scim', '/scim/v2'), ('entra', '/entra/scim/v2'), ('okta', '/okta/scim/v2'), ('zuora', '/zuora/scim/v2'),
    ('zluri', '/zluri'), ('cpq', '/rest/v19'), ('oig', '/iam/governance/selfservice/api/v1')) api (base, path);

-- People are served to three kinds of SCIM clients out of one table; the other
-- APIs have attributes, and so tables, of their own.
SELECT userstore.user_table_create('people', api => 'web_scim');
SELECT userstore.user_table_create('subscribers', api => 'web_zuora');
SELECT userstore.user_table_create('staff', api => 'web_zluri');
SELECT userstore.user_table_create('parties', api => 'web_cpq');
SELECT userstore.user_table_create('identities', api => 'web_oig');

-- The web app connects as people_web, who may do nothing but become one of the
-- roles that the tokens stand for.
CREATE ROLE people_admin;
CREATE ROLE people_reader;
CREATE ROLE people_web LOGIN NOINHERIT IN ROLE people_admin, people_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON people, subscribers, staff, parties, identities TO people_admin;
GRANT SELECT (id, document, version, created_at, modified_at) ON people, subscribers, staff, parties, identities
    TO people_reader;
COMMIT;
