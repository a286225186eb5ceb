CREATE FUNCTION userstore.user_is_visible(state oid, id text) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_is_visible(oid, text) IS
	'policy of the state tables of user tables: can the caller see this user in the table itself';
