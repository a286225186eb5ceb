CREATE FUNCTION userstore.user_table_attach(users regclass, api text DEFAULT 'plain', schemas text[] DEFAULT NULL,
	password_function text DEFAULT NULL, id_column text DEFAULT NULL, document_column text DEFAULT NULL,
	version_column text DEFAULT NULL, created_column text DEFAULT NULL, modified_column text DEFAULT NULL,
	password_column text DEFAULT NULL, columns jsonb DEFAULT '{}', defaults jsonb DEFAULT '{}',
	sensitive_columns text[] DEFAULT '{}', tenant_column text DEFAULT NULL, tenant_policy text DEFAULT NULL)
RETURNS regclass
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_attach(regclass, text, text[], text, text, text, text, text, text, text, jsonb, jsonb, text[], text, text) IS
	'makes a user table of one that exists; without further arguments one with the columns that user_table_create makes, as after a restore of single tables, or an app''s own table by its primary key. For an app''s table: id_column (NULL: the primary key), document_column (json or jsonb), version_column (an integer), created_column and modified_column (timestamptz, or timestamp in UTC), password_column (hashes), columns (object: attribute path, with a filter as in emails[primary eq true].value, to the column that holds it), defaults (object: column to its value in users that the functions create), sensitive_columns (those among columns that look as if privileges hung on them and are meant all the same); what has no column is kept in the companion users_state. tenant_column and tenant_policy are as for user_table_create; an app''s own table keeps its own policies. Adds nothing to the table but triggers; companions that exist are adopted, others created; for the table''s owner; returns the table';
