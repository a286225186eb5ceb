/*
 * The catalog: attribute schemas, API profiles, registered user tables, their
 * lookup lists and computed attributes.
 *
 * Everyone may read it.  Rows are written by the functions, as the owner of
 * these tables; the owner of a database may insert, so that one who is no
 * superuser can restore a dump.
 */

GRANT USAGE ON SCHEMA userstore TO PUBLIC;

CREATE TABLE userstore.attribute_schema (
	id text COLLATE "C" GENERATED ALWAYS AS (document ->> 'id') STORED PRIMARY KEY,
	document jsonb NOT NULL,
	owner name NOT NULL DEFAULT current_user,
	shipped boolean NOT NULL DEFAULT false,
	defined_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE userstore.attribute_schema IS
	'attribute schemas (RFC 7643 section 7): which attributes users have; written by attribute_schema_define';
COMMENT ON COLUMN userstore.attribute_schema.id IS 'URI of the schema, as in its document';
COMMENT ON COLUMN userstore.attribute_schema.document IS
	'the schema document: id, name, attributes with name, type, multiValued, required, caseExact, mutability, returned, uniqueness, subAttributes, and the words that userstore adds';
COMMENT ON COLUMN userstore.attribute_schema.owner IS 'role that defined it; only its members may redefine it';
COMMENT ON COLUMN userstore.attribute_schema.shipped IS 'came with the extension: not dumped';
COMMENT ON COLUMN userstore.attribute_schema.defined_at IS 'when it was last defined';

CREATE TABLE userstore.api_profile (
	name text COLLATE "C" PRIMARY KEY,
	schemas text[] NOT NULL DEFAULT '{}',
	body text NOT NULL DEFAULT 'object' CHECK (body IN ('scim', 'object', 'fields')),
	put text NOT NULL DEFAULT 'replace' CHECK (put IN ('replace', 'merge')),
	put_creates boolean NOT NULL DEFAULT false,
	absent text NOT NULL DEFAULT 'remove' CHECK (absent IN ('remove', 'blank', 'default', 'keep')),
	unknown_attributes text NOT NULL DEFAULT 'reject' CHECK (unknown_attributes IN ('reject', 'ignore', 'keep')),
	rules jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rules) = 'object'),
	names jsonb CHECK (jsonb_typeof(names) = 'object'),
	clear_token text,
	lenient boolean NOT NULL DEFAULT false,
	writable text[],
	answer text[],
	on_delete text NOT NULL DEFAULT 'delete' CHECK (on_delete IN ('delete', 'deactivate', 'refuse')),
	base_url text,
	error_body text NOT NULL DEFAULT 'path' CHECK (error_body IN ('path', 'field', 'problem')),
	statuses jsonb CHECK (jsonb_typeof(statuses) = 'object'),
	ui_metadata text,
	resources_member text NOT NULL DEFAULT 'Resources',
	max_payload_size integer NOT NULL DEFAULT 1048576 CHECK (max_payload_size > 0),
	max_operations integer NOT NULL DEFAULT 1000 CHECK (max_operations > 0),
	authentication_schemes jsonb NOT NULL DEFAULT '[{"type": "oauthbearertoken", "name": "OAuth Bearer Token",
		"description": "A bearer token in the header Authorization (RFC 6750)", "primary": true}]' CHECK (jsonb_typeof(authentication_schemes) = 'array'),
	owner name NOT NULL DEFAULT current_user,
	shipped boolean NOT NULL DEFAULT false,
	defined_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE userstore.api_profile IS
	'API profiles: how requests are read and answered; written by api_profile_define';
COMMENT ON COLUMN userstore.api_profile.name IS 'name by which tables and the argument api refer to the profile';
COMMENT ON COLUMN userstore.api_profile.schemas IS
	'ids of the attribute schemas that a user table gets when it names none, the core schema first';
COMMENT ON COLUMN userstore.api_profile.body IS
	'shape of bodies and answers: scim (resources of RFC 7643), object (plain JSON objects) or fields (lists of names and values)';
COMMENT ON COLUMN userstore.api_profile.put IS
	'what PUT does: replace (what is left out follows absent) or merge (what is left out stays)';
COMMENT ON COLUMN userstore.api_profile.put_creates IS 'does PUT create a user who is missing, rather than answer PT404';
COMMENT ON COLUMN userstore.api_profile.absent IS
	'what becomes of an attribute that a replacing PUT leaves out: remove, blank (a single string that had a value becomes ""), default, keep';
COMMENT ON COLUMN userstore.api_profile.unknown_attributes IS
	'attributes that no schema of the table knows: reject (PT400), ignore (with a NOTICE) or keep';
COMMENT ON COLUMN userstore.api_profile.rules IS
	'attribute path to schema words, laid over the table''s schemas when this profile is used';
COMMENT ON COLUMN userstore.api_profile.names IS
	'for the shape fields: name of a field to the path of its attribute; NULL means that fields are called as the attributes';
COMMENT ON COLUMN userstore.api_profile.clear_token IS 'a string that clears an attribute when it is sent in a partial update';
COMMENT ON COLUMN userstore.api_profile.lenient IS
	'accept "True" and "False" for booleans and a bare string for a complex value with a sub-attribute "value"';
COMMENT ON COLUMN userstore.api_profile.writable IS 'paths of the attributes that this profile may change; NULL means all';
COMMENT ON COLUMN userstore.api_profile.answer IS 'paths of the attributes with which updates are answered; NULL means the whole user';
COMMENT ON COLUMN userstore.api_profile.on_delete IS
	'what user_delete does: delete, deactivate (sets active to false) or refuse (PT405)';
COMMENT ON COLUMN userstore.api_profile.base_url IS 'URL before /Users/{id} in meta.location and before /users/{id} in links; NULL means neither';
COMMENT ON COLUMN userstore.api_profile.error_body IS
	'body of errors that user_request answers with, where the shape is object: path ({"status", "error", "path"}), field (the same with "field") or problem (RFC 9457, with o:errorCode and o:errorPath)';
COMMENT ON COLUMN userstore.api_profile.statuses IS
	'status to the attributes that it sets: for the shape fields, what PUT /users/{id}/status takes (NULL: there is no such route); for all, "disable" and "enable" say what makes a user inactive and active in place of the attribute active';
COMMENT ON COLUMN userstore.api_profile.ui_metadata IS
	'the profile that requests with the parameter uiMetadata=true use in place of this one; NULL means this one';
COMMENT ON COLUMN userstore.api_profile.resources_member IS
	'what a SCIM list (RFC 7644 section 3.4.2) calls its array of users: Resources, or resources as Zuora has it';
COMMENT ON COLUMN userstore.api_profile.max_payload_size IS 'bytes of jsonb that the body of one user may have; more is PT413';
COMMENT ON COLUMN userstore.api_profile.max_operations IS 'operations that one bulk request of RFC 7644 section 3.7 may have; more is PT413';
COMMENT ON COLUMN userstore.api_profile.authentication_schemes IS
	'how the web server in front finds out who calls, as ServiceProviderConfig shows it (RFC 7643 section 5): objects with type, name and description';
COMMENT ON COLUMN userstore.api_profile.owner IS 'role that defined it; only its members may redefine it';
COMMENT ON COLUMN userstore.api_profile.shipped IS 'came with the extension: not dumped';
COMMENT ON COLUMN userstore.api_profile.defined_at IS 'when it was last defined';

CREATE TABLE userstore.user_table (
	users regclass PRIMARY KEY,
	history regclass NOT NULL,
	idempotency regclass NOT NULL,
	api text NOT NULL,
	schemas text[] NOT NULL,
	unique_columns jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(unique_columns) = 'object'),
	password_function text,
	layout jsonb CHECK (jsonb_typeof(layout) = 'object'),
	state regclass,
	registered_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	tenant_column text,
	tenant_policy text,
	before_update text,
	notify text,
	claims regclass
);
COMMENT ON TABLE userstore.user_table IS
	'registered user tables; written by user_table_create and user_table_attach, cleared when a table is dropped';
COMMENT ON COLUMN userstore.user_table.users IS 'the table of users';
COMMENT ON COLUMN userstore.user_table.history IS 'its companion with one row for each version of each user';
COMMENT ON COLUMN userstore.user_table.idempotency IS 'its companion with idempotency keys and the answers given under them';
COMMENT ON COLUMN userstore.user_table.api IS 'the API profile of calls that name none';
COMMENT ON COLUMN userstore.user_table.schemas IS 'ids of its attribute schemas, the core schema first';
COMMENT ON COLUMN userstore.user_table.unique_columns IS
	'attribute path to the generated column that a unique constraint keeps unique; true: the table of claims keeps it unique';
COMMENT ON COLUMN userstore.user_table.password_function IS
	'function (password text, hash text) returning text that hashes passwords in the manner of crypt(3); NULL means bcrypt by pgcrypto';
COMMENT ON COLUMN userstore.user_table.before_update IS
	'function (users regclass, id text, operation text, old jsonb, new jsonb) returning jsonb that is called before a user is changed and returns the document to write; NULL means none';
COMMENT ON COLUMN userstore.user_table.notify IS
	'channel on which each change of a user is notified; NULL means none';

COMMENT ON COLUMN userstore.user_table.layout IS
	'which columns of an app''s own table hold what: id, document, version, created, modified, password (null: the state table has it), columns (attribute path to column), defaults (column to its value in new rows); NULL means the columns that user_table_create makes';
COMMENT ON COLUMN userstore.user_table.state IS
	'companion of an app''s own table with one row for each user: what the table has no columns for';
COMMENT ON COLUMN userstore.user_table.registered_at IS
	'when it was created or attached; users who were there before are shown as created then, unless a column says when';

COMMENT ON COLUMN userstore.user_table.claims IS
	'companion of a partitioned table: the values of unique attributes, each once';
COMMENT ON COLUMN userstore.user_table.tenant_column IS
	'column that says whose users they are; NULL: the table has one tenant only';
COMMENT ON COLUMN userstore.user_table.tenant_policy IS
	'the owner''s expression that says whether the caller may work for the tenant of a row; NULL: as userstore.tenant_grant says';

CREATE TABLE userstore.tenant_grant (
	users regclass REFERENCES userstore.user_table ON DELETE CASCADE,
	tenant text COLLATE "C",
	grantee name,
	PRIMARY KEY (users, tenant, grantee)
);
COMMENT ON TABLE userstore.tenant_grant IS
	'which roles may work for which tenants of a user table; written by tenant_grant and tenant_revoke, cleared when a table is dropped or detached';
COMMENT ON COLUMN userstore.tenant_grant.users IS 'the table of users';
COMMENT ON COLUMN userstore.tenant_grant.tenant IS 'value of its tenant column, as text';
COMMENT ON COLUMN userstore.tenant_grant.grantee IS 'the role; its members may as well';

CREATE TABLE userstore.attribute_lookup (
	users regclass REFERENCES userstore.user_table ON DELETE CASCADE,
	path text COLLATE "C",
	lookup jsonb NOT NULL CHECK (jsonb_typeof(lookup) = 'array'),
	PRIMARY KEY (users, path)
);
COMMENT ON TABLE userstore.attribute_lookup IS
	'lookup lists of user tables: the values that lookup attributes may have; written by attribute_lookup_define, cleared when a table is dropped or detached';
COMMENT ON COLUMN userstore.attribute_lookup.users IS 'the table of users';
COMMENT ON COLUMN userstore.attribute_lookup.path IS 'path of the attribute (RFC 7644 section 3.10), as its schema writes it';
COMMENT ON COLUMN userstore.attribute_lookup.lookup IS
	'array of objects with value and displayValue; wins over the list that a schema or a profile''s rule has';

CREATE TABLE userstore.attribute_computed (
	users regclass REFERENCES userstore.user_table ON DELETE CASCADE,
	path text COLLATE "C",
	function text NOT NULL,
	PRIMARY KEY (users, path)
);
COMMENT ON TABLE userstore.attribute_computed IS
	'readOnly attributes of user tables whose values functions give whenever a user is shown; written by attribute_computed_define, cleared when a table is dropped or detached';
COMMENT ON COLUMN userstore.attribute_computed.users IS 'the table of users';
COMMENT ON COLUMN userstore.attribute_computed.path IS 'path of the attribute (RFC 7644 section 3.10), as its schema writes it';
COMMENT ON COLUMN userstore.attribute_computed.function IS
	'function (id text) that gives the value, qualified; it runs as the owner of the table';

CREATE TABLE userstore.era (
	era integer PRIMARY KEY,
	system_identifier bigint NOT NULL,
	began_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE userstore.era IS
	'clusters in which this database has been written: transaction ids are comparable within one era only';
COMMENT ON COLUMN userstore.era.era IS 'number of the era, from 1; history rows carry it';
COMMENT ON COLUMN userstore.era.system_identifier IS 'database system identifier of the cluster';
COMMENT ON COLUMN userstore.era.began_at IS 'when the first user was changed in it';

SELECT pg_catalog.pg_extension_config_dump('userstore.attribute_schema', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('userstore.api_profile', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('userstore.user_table', '');
SELECT pg_catalog.pg_extension_config_dump('userstore.attribute_lookup', '');
SELECT pg_catalog.pg_extension_config_dump('userstore.attribute_computed', '');
SELECT pg_catalog.pg_extension_config_dump('userstore.tenant_grant', '');
SELECT pg_catalog.pg_extension_config_dump('userstore.era', '');

GRANT SELECT ON userstore.attribute_schema, userstore.api_profile, userstore.user_table, userstore.attribute_lookup,
	userstore.attribute_computed, userstore.tenant_grant, userstore.era TO PUBLIC;
GRANT INSERT ON userstore.attribute_schema, userstore.api_profile, userstore.user_table, userstore.attribute_lookup,
	userstore.attribute_computed, userstore.tenant_grant, userstore.era TO pg_database_owner;

CREATE FUNCTION userstore.catalog_changed() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.catalog_changed() IS
	'trigger of the catalog tables: makes every session forget what it cached of them';

CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.attribute_schema
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.api_profile
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.user_table
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.attribute_lookup
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.tenant_grant
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.attribute_computed
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.era
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();

CREATE FUNCTION userstore.registration_guard() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.registration_guard() IS
	'trigger of userstore.user_table, attribute_lookup, attribute_computed, tenant_grant, attribute_index and user_view: only who owns a table and its companions may register them, say what its attributes are, grant its tenants, or register indexes and views';

CREATE TRIGGER registration_guard BEFORE INSERT ON userstore.user_table
	FOR EACH ROW EXECUTE FUNCTION userstore.registration_guard();
CREATE TRIGGER registration_guard BEFORE INSERT ON userstore.attribute_lookup
	FOR EACH ROW EXECUTE FUNCTION userstore.registration_guard();
CREATE TRIGGER registration_guard BEFORE INSERT ON userstore.tenant_grant
	FOR EACH ROW EXECUTE FUNCTION userstore.registration_guard();
CREATE TRIGGER registration_guard BEFORE INSERT ON userstore.attribute_computed
	FOR EACH ROW EXECUTE FUNCTION userstore.registration_guard();

CREATE FUNCTION userstore.shipped_guard() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.shipped_guard() IS
	'trigger of schemas and profiles: only those that the extension''s script inserts have shipped with it';

CREATE TRIGGER shipped_guard BEFORE INSERT ON userstore.attribute_schema
	FOR EACH ROW EXECUTE FUNCTION userstore.shipped_guard();
CREATE TRIGGER shipped_guard BEFORE INSERT ON userstore.api_profile
	FOR EACH ROW EXECUTE FUNCTION userstore.shipped_guard();
