CREATE FUNCTION userstore.attribute_schema_define(document jsonb, dry_run boolean DEFAULT false)
RETURNS TABLE (users regclass, id text, path text, message text)
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_schema_define(jsonb, boolean) IS
	'checks an attribute schema (RFC 7643 section 7) and stores it under its id, anew or in place of the caller''s own; with dry_run it stores nothing and returns the stored users that it would make invalid, of the tables that the caller may read; PT400 for a wrong document, 42501 for a schema of another owner';

CREATE FUNCTION userstore.attribute_schema_drop(id text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_schema_drop(text) IS
	'removes an attribute schema that no user table or API profile uses; 42704 when there is none, 2BP01 when it is in use, 42501 for one of another owner';

CREATE FUNCTION userstore.api_profile_define(name text, settings jsonb DEFAULT '{}', base text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.api_profile_define(text, jsonb, text) IS
	'defines an API profile: an object of settings named as the columns of userstore.api_profile, over those of the profile base where one is named; PT400 for a wrong setting, 42704 for an unknown base, 42501 for a profile of another owner';

CREATE FUNCTION userstore.api_profile_drop(name text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.api_profile_drop(text) IS
	'removes an API profile that is no user table''s own; 42704 when there is none, 2BP01 when it is in use, 42501 for one of another owner';
