CREATE FUNCTION userstore.user_create(users regclass, body jsonb, id text DEFAULT NULL, idempotency_key text DEFAULT NULL,
	request_id text DEFAULT NULL, dry_run boolean DEFAULT false, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_create(regclass, jsonb, text, text, text, boolean, text) IS
	'creates a user with the attributes of body and returns it; its id is the argument, else that of an object body, else generated; 23505 when there is one with this id or a unique value, PT400 for a wrong body';

CREATE FUNCTION userstore.user_put(users regclass, id text, body jsonb, idempotency_key text DEFAULT NULL,
	expected_version bigint DEFAULT NULL, request_id text DEFAULT NULL, dry_run boolean DEFAULT false, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_put(regclass, text, jsonb, text, bigint, text, boolean, text) IS
	'PUT: replaces the attributes of a user by those of body (or merges them, or creates the user, where the API profile says so) and returns the user; a request repeated under its idempotency_key is answered as the first time and does nothing; with expected_version, PT412 unless that is the user''s version; with dry_run, answers as it would and changes nothing; PT400 for a wrong body, PT404 for a missing user, PT422 for a key of another request';

CREATE FUNCTION userstore.user_patch(users regclass, id text, body jsonb, idempotency_key text DEFAULT NULL,
	expected_version bigint DEFAULT NULL, request_id text DEFAULT NULL, dry_run boolean DEFAULT false, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_patch(regclass, text, jsonb, text, bigint, text, boolean, text) IS
	'PATCH: changes the attributes of a user that body has (RFC 7396: null clears; multi-valued attributes with a key are merged item by item) and returns the user; arguments and errors as of user_put, but a missing user is never created';

CREATE FUNCTION userstore.user_delete(users regclass, id text, idempotency_key text DEFAULT NULL,
	expected_version bigint DEFAULT NULL, request_id text DEFAULT NULL, dry_run boolean DEFAULT false, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_delete(regclass, text, text, bigint, text, boolean, text) IS
	'deletes a user, or deactivates it where the API profile says so; returns NULL; PT404 for a missing user, PT412 unless the user has expected_version, PT405 where users are not deleted';

CREATE FUNCTION userstore.user_get(users regclass, id text, attributes text[] DEFAULT NULL,
	excluded_attributes text[] DEFAULT NULL, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_get(regclass, text, text[], text[], text) IS
	'the user, as the API profile shows it, with the attributes of these paths or without those (RFC 7644 section 3.9); PT404 for a missing user';

CREATE FUNCTION userstore.user_version(users regclass, id text) RETURNS bigint
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_version(regclass, text) IS
	'the version of a user, which grows by one with each change; PT404 for a missing user';

CREATE FUNCTION userstore.user_password_verify(users regclass, id text, password text) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_password_verify(regclass, text, text) IS
	'is this the password of a user: false also for a user who has none; needs SELECT on the column password_hash; PT404 for a missing user';
