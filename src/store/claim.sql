CREATE FUNCTION userstore.user_claims() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.user_claims() IS
	'trigger of partitioned user tables, AFTER INSERT, UPDATE or DELETE: keeps the table of claims, by which attributes are unique';
