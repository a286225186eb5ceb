CREATE FUNCTION userstore.users_load(users regclass, body jsonb, patch boolean DEFAULT false, idempotency_key text DEFAULT NULL,
	atomic boolean DEFAULT false, creates boolean DEFAULT NULL, match text DEFAULT NULL, request_id text DEFAULT NULL, dry_run boolean DEFAULT false,
	api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_load(regclass, jsonb, boolean, text, boolean, boolean, text, text, boolean, text) IS
	'a part of a feed, as userstore-load sends it: users_bulk_put or, with patch, users_bulk_patch, with an array of bodies and an answer that is short and the same for all API profiles: {"created", "changed", "unchanged": counts, "failed": [{"index", "id", "status", "error", "path", "hint"}]}, and "replayed": true when the request was done before under its key';

CREATE FUNCTION userstore.users_export(users regclass, api text DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_export(regclass, text) IS
	'all users, ordered by id, each as a body of user_put or an item of users_load that gives the same document again: id and attributes, without what the server gives (meta, links) and without passwords; in the SELECT list, users come as they are read';
