CREATE FUNCTION userstore.user_table_altered() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_altered() IS
	'event trigger: follows the renaming of columns that hold attributes of users in an app''s own table, and partitions of user tables that are attached or detached';

CREATE EVENT TRIGGER userstore_user_table_altered ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE')
	EXECUTE FUNCTION userstore.user_table_altered();
COMMENT ON EVENT TRIGGER userstore_user_table_altered IS
	'follows the renaming of columns that hold attributes of users in an app''s own table, and partitions of user tables that are attached or detached';

