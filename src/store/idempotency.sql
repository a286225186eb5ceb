CREATE FUNCTION userstore.idempotency_purge(users regclass, max integer DEFAULT 10000) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.idempotency_purge(regclass, integer) IS
	'deletes idempotency keys of a user table that have expired, at most max of them, passing over locked ones; returns how many; for the table''s owner';
