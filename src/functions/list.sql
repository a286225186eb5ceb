CREATE FUNCTION userstore.users_list(users regclass, filter text DEFAULT NULL, sort_by text DEFAULT NULL, sort_order text DEFAULT 'ascending',
	start_index bigint DEFAULT 1, count bigint DEFAULT NULL, attributes text[] DEFAULT NULL, excluded_attributes text[] DEFAULT NULL, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_list(regclass, text, text, text, bigint, bigint, text[], text[], text) IS
	'a page of the users that match a filter (RFC 7644 section 3.4.2; a query {login: {$eq: ''ann''}} in object profiles, field names in fields profiles), which may also name id and meta: count users (100, if NULL; at most 1000) from start_index, which counts from 1, sorted by the attribute sort_by, ascending or descending, and by id; attributes as of user_get; PT400 for a wrong filter or attribute';
