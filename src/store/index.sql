CREATE TABLE userstore.attribute_index (
	users regclass REFERENCES userstore.user_table ON DELETE CASCADE,
	path text COLLATE "C",
	column_name name NOT NULL,
	PRIMARY KEY (users, path)
);
COMMENT ON TABLE userstore.attribute_index IS
	'indexed attributes of user tables; written by users_index, cleared when a table is dropped or detached';
COMMENT ON COLUMN userstore.attribute_index.users IS 'the table of users';
COMMENT ON COLUMN userstore.attribute_index.path IS 'path of the attribute (RFC 7644 section 3.10), as its schema writes it';
COMMENT ON COLUMN userstore.attribute_index.column_name IS 'the generated column that has an index';

SELECT pg_catalog.pg_extension_config_dump('userstore.attribute_index', '');
GRANT SELECT ON userstore.attribute_index TO PUBLIC;
GRANT INSERT ON userstore.attribute_index TO pg_database_owner;
CREATE TRIGGER catalog_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON userstore.attribute_index
	FOR EACH STATEMENT EXECUTE FUNCTION userstore.catalog_changed();
CREATE TRIGGER registration_guard BEFORE INSERT ON userstore.attribute_index
	FOR EACH ROW EXECUTE FUNCTION userstore.registration_guard();

CREATE FUNCTION userstore.users_index(users regclass, attribute text) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_index(regclass, text) IS
	'gives an attribute of a user table an index, by which user_matches and users_list find users: strings, numbers, booleans and dates by value, strings of multi-valued attributes by equality; locks the table and rewrites it once; for the table''s owner; returns the generated column, which is there already when the attribute is unique or has an index';

CREATE FUNCTION userstore.users_index_drop(users regclass, attribute text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_index_drop(regclass, text) IS
	'takes the index of an attribute away again, with its column; for the table''s owner';
