CREATE FUNCTION userstore.users_changes(users regclass, since text DEFAULT NULL, max integer DEFAULT 1000)
RETURNS TABLE (cursor text, id text, version bigint, operation text, changed text[], document jsonb, changed_at timestamptz,
	changed_by name, actor text, request_id text, era integer, transaction_id xid8)
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_changes(regclass, text, integer) IS
	'the next changes behind the cursor since (NULL: from the first), up to max: each once, those of a user in the order of versions, and none before all transactions have ended that began before it; each has the cursor that leads on from it; PT400 for a cursor that is broken or another table''s';
