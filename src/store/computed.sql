CREATE FUNCTION userstore.attribute_computed_define(users regclass, path text, function regprocedure) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_computed_define(regclass, text, regprocedure) IS
	'has a readOnly attribute of a user table computed whenever a user is shown, by a function of the id, (text) returning jsonb, text, boolean, integer, bigint or numeric, that runs as the table''s owner; NULL ends that; for that owner; PT400 for an attribute that cannot be';
