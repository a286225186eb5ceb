CREATE FUNCTION userstore.user_erase(users regclass, id text, OUT versions bigint, OUT answers bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_erase(regclass, text) IS
	'deletes a user, if still there, whatever the API profile says of that, and erases all that history and idempotency keys know of the user but that there was one with this id and version; returns how many versions and answers had to go; waits for all requests with idempotency keys on the table and makes others wait until the transaction ends; PT404 for a user who never was; for the table''s owner';

CREATE FUNCTION userstore.user_history_purge(users regclass, before timestamptz, max_rows integer DEFAULT 10000) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_history_purge(regclass, timestamptz, integer) IS
	'purges history of versions that were superseded before a time, the oldest first, up to max_rows of them; what users were at any time since stays known; returns their number: call it until that is 0; for the table''s owner';
