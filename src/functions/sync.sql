CREATE FUNCTION userstore.users_sync(users regclass, body jsonb DEFAULT NULL, match text DEFAULT NULL, missing text DEFAULT 'ignore',
	scope text DEFAULT NULL, guard jsonb DEFAULT NULL, dry_run boolean DEFAULT false, request_id text DEFAULT NULL, api text DEFAULT NULL,
	patch boolean DEFAULT false, staging regclass DEFAULT NULL)
RETURNS TABLE (id text, action text, changed text[], old jsonb, new jsonb, version bigint, record bigint, error text, transaction_id xid8)
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_sync(regclass, jsonb, text, text, text, jsonb, boolean, text, text, boolean, regclass) IS
	'brings a table in line with a complete feed: body as of users_bulk_put, or a staging table with records in its column body and maybe their numbers in record; each record as user_put would, or with patch as user_patch, creating users who are not there; users whom the feed does not have (of those whom scope, a SCIM filter, matches) are left alone, deactivated or deleted, as missing says; a row for each user who is changed: action (created, changed, reactivated, deactivated, deleted, failed, skipped), the paths that changed, objects of their old and new values, version; PT409 and nothing done when a guard, as {"deactivated": 0.05}, is exceeded; dry_run gives the same rows and changes nothing; transaction_id is what users_revert takes';
