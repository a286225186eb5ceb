CREATE FUNCTION userstore.user_table_changing() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_changing() IS
	'trigger of user tables, BEFORE UPDATE: gives a user whose attributes plain SQL changes the next version';

CREATE FUNCTION userstore.user_table_changed() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_changed() IS
	'trigger of user tables, AFTER INSERT, UPDATE or DELETE: appends what plain SQL does to the history';

CREATE FUNCTION userstore.user_table_truncated() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_truncated() IS
	'trigger of user tables, BEFORE TRUNCATE: appends the deletion of each user to the history';
