CREATE FUNCTION userstore.user_document(users regclass, document jsonb, VARIADIC columns "any")
RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_document(regclass, jsonb, "any") IS
	'the document of a user of an app''s own table, made of the one that is stored and of the columns that hold attributes, in the order in which userstore.user_table.layout lists them';
