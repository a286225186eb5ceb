CREATE FUNCTION userstore.user_table_dropped() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_table_dropped() IS
	'event trigger: drops the companions of user tables that were dropped and ends their registration, and that of views; refuses to drop a column that an app''s table needs as a user table';

CREATE EVENT TRIGGER userstore_user_table_dropped ON sql_drop
	WHEN TAG IN ('DROP TABLE', 'DROP VIEW', 'DROP SCHEMA', 'DROP OWNED', 'DROP EXTENSION', 'ALTER TABLE', 'DROP TYPE', 'DROP DOMAIN')
	EXECUTE FUNCTION userstore.user_table_dropped();
COMMENT ON EVENT TRIGGER userstore_user_table_dropped IS
	'drops the companions of user tables that were dropped and ends their registration, and that of views; refuses to drop a column that an app''s table needs as a user table';

CREATE FUNCTION userstore.user_tables_released() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_tables_released() IS
	'event trigger: takes the triggers from user tables when the extension is dropped, so that the tables stay without it';

CREATE EVENT TRIGGER userstore_user_tables_released ON ddl_command_start
	WHEN TAG IN ('DROP EXTENSION')
	EXECUTE FUNCTION userstore.user_tables_released();
COMMENT ON EVENT TRIGGER userstore_user_tables_released IS
	'takes the triggers from user tables when the extension is dropped, so that the tables stay without it';
