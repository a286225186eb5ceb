/*
 * tenant.c
 *	  Tables that have the users of several tenants: which tenant is selected,
 *	  and who may work for it.
 *
 * The setting userstore.tenant selects.  Statements of the functions touch users
 * of that tenant only; row security lets who is not the table's owner see no
 * others, however he asks.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(current_tenant);
PG_FUNCTION_INFO_V1(tenant_grant);
PG_FUNCTION_INFO_V1(tenant_revoke);

char	   *userstore_tenant = NULL;

/*
 * The tenant that is selected, in SQL, as the table's column has it.
 */
const char *
tenant_selected_sql(Oid users, const char *column)
{
	return psprintf("pg_catalog.current_setting('userstore.tenant')::%s",
					format_type_be_qualified(get_atttype(users, get_attnum(users, column))));
}

/*
 * The condition that a row of the table (u) or of a companion is that tenant's;
 * "" where there are no tenants.
 */
const char *
tenant_condition(const Layout *layout, const char *alias)
{
	if (layout->tenant == NULL)
		return "";
	return psprintf(" AND %s.%s OPERATOR(pg_catalog.=) %s", alias,
					strcmp(alias, "u") == 0 ? quote_identifier(layout->tenant) : TENANT_COLUMN,
					layout->tenant_sql);
}

/* May the caller work for a tenant, as grants say? */
static bool
is_granted(Oid users, const char *tenant)
{
	Relation	relation = table_open(catalog_relid(CATALOG_TENANT_GRANT), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		granted = false;

	ScanKeyInit(&keys[0], Anum_tenant_grant_users, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(users));
	ScanKeyInit(&keys[1], Anum_tenant_grant_tenant, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(tenant));
	scan = systable_beginscan(relation, RelationGetPrimaryKeyIndex(relation), true, NULL, 2, keys);
	while (!granted && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		name = heap_getattr(tuple, Anum_tenant_grant_grantee, RelationGetDescr(relation), &isnull);
		Oid			grantee = get_role_oid(NameStr(*DatumGetName(name)), true);

		granted = OidIsValid(grantee) && has_privs_of_role(GetUserId(), grantee);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return granted;
}

/*
 * Let the owner's expression mean the same to whoever asks: names that say no
 * schema are pg_catalog's, never what the caller has put into search_path.  Ends
 * with AtEOXact_GUC().
 */
static int
begin_policy(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/* The same, as an expression of the owner's says. */
static bool
is_granted_by(const char *policy)
{
	int			nest_level = begin_policy();
	bool		isnull = true;
	bool		granted = false;

	if (SPI_execute(psprintf("SELECT (%s)::pg_catalog.bool", policy), true, 1) != SPI_OK_SELECT)
		elog(ERROR, "evaluating the policy of tenants failed"); /* can't happen */
	if (SPI_processed > 0)
		granted = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	AtEOXact_GUC(true, nest_level);
	return granted && !isnull;
}

/*
 * Refuse a call without a tenant, or for one that is none of the caller's: keys
 * and histories are read as their owner, to whom policies do not apply.  Within
 * a connection to SPI.
 */
void
tenant_require(Binding *binding)
{
	MemoryContext context = CurrentMemoryContext;
	bool		granted;

	if (binding->layout.tenant == NULL)
		return;
	if (userstore_tenant == NULL || userstore_tenant[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("no tenant of table \"%s\" is selected", binding->name),
				 errdetail_path(NULL, NULL),
				 errhint("Set userstore.tenant.")));
	if (caller_owns(binding->owner))
		return;
	granted = binding->tenant_policy != NULL ? is_granted_by(binding->tenant_policy) :
		is_granted(binding->users, userstore_tenant);
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	if (!granted)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for tenant \"%s\" of table \"%s\"",
						shown_name(userstore_tenant, strlen(userstore_tenant)), binding->name),
				 errdetail_path(NULL, NULL)));
}

/*
 * Select a tenant for a while; what is returned ends that, with AtEOXact_GUC().
 */
int
tenant_select(const char *tenant)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("userstore.tenant", tenant, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/* What the last row of the same query was answered. */
typedef struct CurrentTenant
{
	Oid			relid;
	Oid			caller;
	char	   *tenant;
	bool		granted;
} CurrentTenant;

/*
 * current_tenant(relation regclass): for policies on a user table and its
 * companions.
 */
Datum
current_tenant(PG_FUNCTION_ARGS)
{
	CurrentTenant *current = fcinfo->flinfo->fn_extra;
	Oid			relid = PG_GETARG_OID(0);
	Registration registration;

	if (userstore_tenant == NULL || userstore_tenant[0] == '\0')
		PG_RETURN_NULL();
	if (current == NULL || current->relid != relid || current->caller != GetUserId() ||
		strcmp(current->tenant, userstore_tenant) != 0)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		current = fcinfo->flinfo->fn_extra = palloc(sizeof(CurrentTenant));
		current->relid = relid;
		current->caller = GetUserId();
		current->tenant = pstrdup(userstore_tenant);
		MemoryContextSwitchTo(old);
		current->granted = catalog_registration_of(relid, &registration) &&
			(registration.tenant_policy != NULL || is_granted(registration.users, userstore_tenant));
	}
	if (!current->granted)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(userstore_tenant));
}

/*
 * Policies
 */

/*
 * A policy that lets the rows through that meet a condition and whose column has
 * the tenant that is selected, as long as the caller may work for it.  Nothing
 * is done where one of that name stands.
 */
void
create_tenant_policy(Oid relid, const char *name, const char *command, const char *column,
					 const char *type, const char *policy, const char *condition)
{
	char	   *sql = table_sql(relid);
	char	   *whole;
	int			nest_level;

	if (has_policy(relid, name))
		return;
	whole = psprintf("%s OPERATOR(pg_catalog.=) userstore.current_tenant(%s::pg_catalog.regclass)%s%s%s",
					 column, quote_literal_cstr(sql), type,
					 policy == NULL ? "" : psprintf(" AND (%s)", policy),
					 condition == NULL ? "" : psprintf(" AND %s", condition));
	nest_level = begin_policy();
	run_ddl("CREATE POLICY %s ON %s FOR %s USING (%s)", name, sql, command, whole);
	AtEOXact_GUC(true, nest_level);
}

static void
create_policy(Oid relid, const char *column, const char *type, const char *policy)
{
	run_ddl("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", table_sql(relid));
	create_tenant_policy(relid, POLICY_TENANT, "ALL", quote_identifier(column), psprintf("::%s", type),
						 policy, NULL);
}

/*
 * The policies of a table with tenants and of its companions.  An app's own table
 * has the app's policies.
 */
void
tenant_policies(Oid users, const Registration *registration, bool is_attached)
{
	const char *type = format_type_be_qualified(get_atttype(users,
															get_attnum(users, registration->tenant_column)));

	if (!is_attached)
		create_policy(users, registration->tenant_column, type, registration->tenant_policy);
	create_policy(registration->history, TENANT_COLUMN, type, registration->tenant_policy);
	create_policy(registration->idempotency, TENANT_COLUMN, type, registration->tenant_policy);
}

/*
 * Grants
 */

static void
change_grant(FunctionCallInfo fcinfo, const char *command)
{
	Oid			types[3] = {REGCLASSOID, TEXTOID, NAMEOID};
	Datum		values[3];
	Registration registration;
	Oid			users;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "tenant");
	require_argument(fcinfo, 2, "grantee");
	users = PG_GETARG_OID(0);
	if (!catalog_registration(users, &registration) || registration.tenant_column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is not a user table with tenants",
						get_rel_name(users) ? get_rel_name(users) : "?")));
	if (!caller_owns(relation_owner(users)))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(users));
	values[0] = ObjectIdGetDatum(users);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = PG_GETARG_DATUM(2);
	(void) catalog_execute(command, 3, types, values, NULL);
}

/*
 * tenant_grant(users regclass, tenant text, grantee name)
 */
Datum
tenant_grant(PG_FUNCTION_ARGS)
{
	require_argument(fcinfo, 2, "grantee");
	(void) get_role_oid(NameStr(*PG_GETARG_NAME(2)), false);
	change_grant(fcinfo, "INSERT INTO userstore.tenant_grant (users, tenant, grantee) VALUES ($1, $2, $3)"
				 " ON CONFLICT DO NOTHING");
	PG_RETURN_VOID();
}

/*
 * tenant_revoke(users regclass, tenant text, grantee name)
 */
Datum
tenant_revoke(PG_FUNCTION_ARGS)
{
	change_grant(fcinfo, "DELETE FROM userstore.tenant_grant WHERE users OPERATOR(pg_catalog.=) $1"
				 " AND tenant OPERATOR(pg_catalog.=) $2 AND grantee OPERATOR(pg_catalog.=) $3");
	PG_RETURN_VOID();
}
