CREATE FUNCTION userstore.current_tenant(relation regclass) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.current_tenant(regclass) IS
	'for policies on a user table with tenants and its companions: the tenant that userstore.tenant selects, NULL when none is, or when the caller may not work for it';

CREATE FUNCTION userstore.tenant_grant(users regclass, tenant text, grantee name) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.tenant_grant(regclass, text, name) IS
	'lets a role and its members work for a tenant of a user table, as far as their privileges go; for the table''s owner';

CREATE FUNCTION userstore.tenant_revoke(users regclass, tenant text, grantee name) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION userstore.tenant_revoke(regclass, text, name) IS
	'takes back what tenant_grant gave; for the table''s owner';
