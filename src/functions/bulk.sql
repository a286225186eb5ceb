CREATE FUNCTION userstore.users_bulk_put(users regclass, body jsonb, idempotency_key text DEFAULT NULL, atomic boolean DEFAULT false,
	creates boolean DEFAULT NULL, match text DEFAULT NULL, request_id text DEFAULT NULL, dry_run boolean DEFAULT false, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_bulk_put(regclass, jsonb, text, boolean, boolean, text, text, boolean, text) IS
	'PUT of many users: an array of bodies, each with its id (or {"users": [...]} for profiles with fields), applied in order, each as user_put would; returns what became of each, in the same order; a bad item fails alone, or with atomic the whole, which raises its error with the index in DETAIL; creates overrides what the API profile says of users who are missing; match names a single-valued attribute by which users are found in place of their ids; idempotency_key, request_id, dry_run and api as of user_put';

CREATE FUNCTION userstore.users_bulk_patch(users regclass, body jsonb, idempotency_key text DEFAULT NULL, atomic boolean DEFAULT false,
	creates boolean DEFAULT NULL, match text DEFAULT NULL, request_id text DEFAULT NULL, dry_run boolean DEFAULT false, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_bulk_patch(regclass, jsonb, text, boolean, boolean, text, text, boolean, text) IS
	'PATCH of many users: as users_bulk_put, each item as user_patch would; users who are missing are created only with creates';
