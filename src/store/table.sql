CREATE DOMAIN userstore.attribute_paths AS text[];
COMMENT ON DOMAIN userstore.attribute_paths IS 'the paths of one change, where those of many go as an array: text[] has no array of lists that differ in length';

CREATE FUNCTION userstore.user_table_create(users text, api text DEFAULT 'plain', schemas text[] DEFAULT NULL, id_type regtype DEFAULT 'text',
	password_function text DEFAULT NULL, tenant_column text DEFAULT NULL, tenant_policy text DEFAULT NULL,
	partitions integer DEFAULT NULL)
RETURNS regclass
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_create(text, text, text[], regtype, text, text, text, integer) IS
	'creates a user table and its companions users_history and users_idempotency, owned by the caller; users is the name as SQL writes it, api the profile of calls that name none, schemas the attribute schemas (those of the profile when NULL, the core schema first), id_type text, varchar, uuid, integer or bigint, password_function the name of a function (password text, hash text) returning text that takes the place of pgcrypto''s bcrypt and runs as the owner, tenant_column the name of a column that says whose users they are (NULL: all are one tenant''s), tenant_policy an expression of SQL that says whether the caller may work for the tenant that userstore.tenant selects (NULL: as tenant_grant says), partitions the number of hash partitions of users and history (NULL: they are not partitioned), where a companion users_unique keeps attributes unique; returns the table';

CREATE FUNCTION userstore.user_table_detach(users regclass) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_detach(regclass) IS
	'ends the registration of a user table and takes away its triggers and lookup lists; the table is as it was, its companions stay; for the table''s owner';

CREATE FUNCTION userstore.user_table_refresh(users regclass) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_refresh(regclass) IS
	'gives a user table the columns and constraints of attributes that its schemas now call unique, takes away those of attributes that no longer are, makes the indexes of users_index anew where attributes are compared otherwise now, and adds the column for passwords when there now is one; locks and rewrites the table; for the table''s owner';
