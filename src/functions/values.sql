CREATE FUNCTION userstore.attribute_values(document jsonb, path text[], any_case boolean) RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_values(jsonb, text[], boolean) IS
	'the strings that a document has at the names of a path, in all values of lists, in lower case if any_case; each up to 500 characters; what indexes on multi-valued attributes hold';

CREATE FUNCTION userstore.attribute_text(document jsonb, path text[]) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_text(jsonb, text[]) IS
	'the string that a document has at the names of a path, of what a name with [] behind it leads to in the primary or else the first value; NULL if there is none, or a value of another type';

CREATE FUNCTION userstore.attribute_boolean(document jsonb, path text[]) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_boolean(jsonb, text[]) IS 'as attribute_text: a boolean';

CREATE FUNCTION userstore.attribute_integer(document jsonb, path text[]) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_integer(jsonb, text[]) IS 'as attribute_text: a whole number that fits into a bigint';

CREATE FUNCTION userstore.attribute_number(document jsonb, path text[]) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_number(jsonb, text[]) IS 'as attribute_text: a number';

CREATE FUNCTION userstore.attribute_time(document jsonb, path text[]) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_time(jsonb, text[]) IS
	'as attribute_text: a date and time (RFC 7643 section 2.3.5), in UTC when it says no offset';

CREATE FUNCTION userstore.attribute_json(document jsonb, path text[]) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.attribute_json(jsonb, text[]) IS 'as attribute_text: any value but null';
