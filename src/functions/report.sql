CREATE FUNCTION userstore.user_history(users regclass, id text)
RETURNS TABLE (version bigint, operation text, changed_at timestamptz, changed_by name, actor text, request_id text,
	path text, old jsonb, new jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_history(regclass, text) IS
	'what changed of a user, who is or was: a row for each attribute that a version changed, with its old and new value (NULL: none, or one that is not kept), or one without a path where none did; PT404 for a user who never was or whom the caller cannot see';

CREATE FUNCTION userstore.users_history(users regclass, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS TABLE (id text, version bigint, operation text, changed_at timestamptz, changed_by name, actor text, request_id text,
	path text, old jsonb, new jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_history(regclass, timestamptz, timestamptz) IS
	'what changed of all users, who are or were, from since on and before until (NULL: always): the rows of user_history, with the id of the user, in no order; users whom the caller cannot see are left out';

CREATE FUNCTION userstore.user_as_of(users regclass, id text, at timestamptz, api text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_as_of(regclass, text, timestamptz, text) IS
	'a user as it was at a time, as the API profile shows it; NULL when it was not there, or history no longer knows; PT404 for a user who never was or whom the caller cannot see';

CREATE FUNCTION userstore.users_as_of(users regclass, at timestamptz)
RETURNS TABLE (id text, version bigint, document jsonb, changed_at timestamptz, operation text, changed_by name, actor text, request_id text)
LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.users_as_of(regclass, timestamptz) IS
	'all users who were there at a time, with their attributes and the change that had made them so; those whom nobody had changed by then have no operation';
