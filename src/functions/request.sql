CREATE FUNCTION userstore.user_request(users regclass, method text, path text, headers jsonb DEFAULT NULL, body text DEFAULT NULL,
	api text DEFAULT NULL, OUT status integer, OUT headers jsonb, OUT body jsonb)
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_request(regclass, text, text, jsonb, text, text) IS
	'serves an HTTP request for the users of a table, in the form of the API profile: method, path with its query (whatever stands before /Users or /users is passed over), headers as an object of names, in any case, to values, and body as text; returns the status, the headers and the body (NULL: none) of the response, which every error is, too, with nothing of the request done; only 40001, 40P01 and 57014 are raised, for the caller to repeat the transaction, and what is wrong with users or api; constraints that are deferred are checked before it answers (RFC 7644 section 3)';
