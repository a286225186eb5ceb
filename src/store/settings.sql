CREATE FUNCTION userstore.user_table_set(users regclass, setting text, value text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_set(regclass, text, text) IS
	'changes a setting of a user table, or with NULL takes it away: before_update, the name of a function (users regclass, id text, operation text, old jsonb, new jsonb) returning jsonb that is called before each change and returns the document to write; notify, a channel on which changes are notified; password_function, as of user_table_create; functions run as the table''s owner; for that owner';
