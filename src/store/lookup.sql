CREATE FUNCTION userstore.attribute_lookup_define(users regclass, path text, lookup jsonb) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_lookup_define(regclass, text, jsonb) IS
	'gives a lookup attribute of a user table its list: an array of objects with value and displayValue, which wins over the schema''s; NULL or an empty array takes it away; for the table''s owner; PT400 for an unknown path or a wrong list';
