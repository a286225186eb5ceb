CREATE FUNCTION userstore.users_revert(users regclass, transaction_id xid8, atomic boolean DEFAULT false, dry_run boolean DEFAULT false,
	request_id text DEFAULT NULL, api text DEFAULT NULL)
RETURNS TABLE (id text, action text, changed text[], old jsonb, new jsonb, version bigint, error text, revert_transaction_id xid8)
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_revert(regclass, xid8, boolean, boolean, text, text) IS
	'gives the users whom a transaction changed the documents that they had before it, as new versions: those whom it deleted come back, without their passwords, and those whom it created go as the API profile deletes; a row for each, as of users_sync; a user who was changed since is skipped, and says so, or with atomic the whole is refused (PT409); PT404 when the transaction changed nobody';
