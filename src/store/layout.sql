CREATE FUNCTION userstore.user_document_of(users regclass, document jsonb, VARIADIC columns "any")
RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_document_of(regclass, jsonb, "any") IS
	'for the functions'' own statements: a document made of the one that is stored and of the columns that hold attributes';

CREATE FUNCTION userstore.user_document(users regclass, user_row record) RETURNS jsonb
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_document(regclass, record) IS
	'the attributes of a user, given a row of the table, wherever they are kept: user_document(''users'', u) FROM users u; of an app''s own table the caller needs SELECT on its state table as well';
