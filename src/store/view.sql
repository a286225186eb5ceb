CREATE TABLE userstore.user_view (
	view regclass PRIMARY KEY,
	users regclass NOT NULL REFERENCES userstore.user_table ON DELETE CASCADE,
	main regclass NOT NULL,
	lists jsonb NOT NULL CHECK (jsonb_typeof(lists) = 'array'),
	columns jsonb NOT NULL CHECK (jsonb_typeof(columns) = 'object')
);
COMMENT ON TABLE userstore.user_view IS
	'views of user tables; written by user_view_create and user_view_refresh, cleared when a view or table is dropped, or a table detached';
COMMENT ON COLUMN userstore.user_view.view IS 'the view';
COMMENT ON COLUMN userstore.user_view.users IS 'the table of users';
COMMENT ON COLUMN userstore.user_view.main IS 'the view of the users themselves that it belongs to, or is';
COMMENT ON COLUMN userstore.user_view.lists IS
	'[] for a row for each user; else a row for each value of the multi-valued attribute at these names, [["emails"]], or of one within it, [["items"], ["parts"]]';
COMMENT ON COLUMN userstore.user_view.columns IS 'column to the names that lead to its attribute from the document or the value: {"name_family_name": ["name", "familyName"]}';

SELECT pg_catalog.pg_extension_config_dump('userstore.user_view', '');
GRANT SELECT ON userstore.user_view TO PUBLIC;
GRANT INSERT ON userstore.user_view TO pg_database_owner;
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.user_view
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER registration_guard BEFORE INSERT ON userstore.user_view
	FOR EACH ROW EXECUTE FUNCTION userstore.registration_guard();

CREATE FUNCTION userstore.user_view_create(users regclass, name text) RETURNS regclass
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_view_create(regclass, text) IS
	'creates a view of a user table under a name as SQL writes it, with a typed column for each attribute, and for each multi-valued attribute one with its values, called name_attribute; they show what who asks may see of the table; for the table''s owner; returns the view';

CREATE FUNCTION userstore.user_view_refresh(users regclass) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_view_refresh(regclass) IS
	'appends columns for attributes that are new to the views of a user table, or to those that belong to a view, and creates views of new multi-valued attributes; what a view has keeps its name, its type and its place; for the table''s owner';
