CREATE FUNCTION userstore.user_matches_support(internal) RETURNS internal
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_matches_support(internal) IS
	'planner support for user_matches: lets indexes on attributes find the users that match a constant filter';

-- as costly as reading a document is
CREATE FUNCTION userstore.user_matches(users regclass, document jsonb, filter text) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50 SUPPORT userstore.user_matches_support AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_matches(regclass, jsonb, text) IS
	'does the document of a user match a filter (RFC 7644 section 3.4.2.2) on the attributes of the table''s schemas; PT400 with scimType invalidFilter for a wrong filter, an unknown attribute or a comparison that its type does not have';
