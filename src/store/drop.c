/*
 * drop.c
 *	  What becomes of user tables that are dropped or detached, and of all of
 *	  them when the extension is dropped.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_table_dropped);
PG_FUNCTION_INFO_V1(user_tables_released);

/* Row security stays enabled, so who is not the owner sees nothing without it. */
static void
drop_policy(Oid relid, const char *name)
{
	if (OidIsValid(relid) && SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) &&
		has_policy(relid, name))
		run_ddl("DROP POLICY %s ON %s", name, table_sql(relid));
}

/*
 * Take away what of a user table would not let the extension go, or not work
 * without it: our triggers, whatever they are called by now, and our policies.
 */
void
release_table(const Registration *registration)
{
	Oid			users = registration->users;
	Oid			types[1] = {OIDOID};
	Datum		values[1];
	SPITupleTable *names;
	uint64		count;

	values[0] = ObjectIdGetDatum(users);
	if (SPI_execute_with_args("SELECT t.tgname FROM pg_catalog.pg_trigger t, pg_catalog.pg_proc p"
							  " WHERE t.tgrelid OPERATOR(pg_catalog.=) $1 AND p.oid OPERATOR(pg_catalog.=) t.tgfoid"
							  " AND p.pronamespace OPERATOR(pg_catalog.=) 'userstore'::pg_catalog.regnamespace"
							  " AND NOT t.tgisinternal",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading triggers failed"); /* can't happen */
	names = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
		run_ddl("DROP TRIGGER %s ON %s",
				quote_identifier(SPI_getvalue(names->vals[i], names->tupdesc, 1)), table_sql(users));
	drop_policy(registration->state, POLICY_VISIBLE);
	drop_policy(registration->state, POLICY_TENANT);
	drop_policy(users, POLICY_TENANT);
	drop_policy(registration->history, POLICY_TENANT);
	drop_policy(registration->idempotency, POLICY_TENANT);
}

static Oid
schema_owner(Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;		/* dropped as well */
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * A user table is gone: drop a companion that is still there, with what depends
 * on it where the command said CASCADE.  It is dropped as its owner, unless the
 * caller had no right to: then the registration named a table that was none of
 * the dropped one's, or it was given away.
 */
static void
drop_companion(Oid relid, bool cascade)
{
	Relation	relation = try_relation_open(relid, AccessExclusiveLock);
	SavedUser	saved;
	Oid			owner;
	char	   *sql;

	if (relation == NULL)
		return;
	if (!caller_owns(relation->rd_rel->relowner) &&
		!caller_owns(schema_owner(RelationGetNamespace(relation))))
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" was not dropped: it has another owner",
						RelationGetRelationName(relation))));
		relation_close(relation, AccessExclusiveLock);
		return;
	}
	owner = relation->rd_rel->relowner;
	sql = table_sql(relid);
	relation_close(relation, NoLock);
	become_owner(owner, &saved);
	run_ddl("DROP TABLE %s%s", sql, cascade ? " CASCADE" : "");
	become_caller_again(&saved);
}

/* Views are gone: so is what is known of them, and of those that belong to them. */
static void
forget_views(List *dropped)
{
	Oid			types[1] = {REGCLASSARRAYOID};
	Datum	   *elems = palloc(sizeof(Datum) * list_length(dropped));
	Datum		values[1];
	ListCell   *lc;

	foreach(lc, dropped)
		elems[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	values[0] = PointerGetDatum(construct_array(elems, list_length(dropped), REGCLASSOID,
												sizeof(Oid), true, TYPALIGN_INT));
	(void) catalog_execute("DELETE FROM userstore.user_view WHERE view OPERATOR(pg_catalog.=) ANY ($1)"
						   " OR main OPERATOR(pg_catalog.=) ANY ($1)", 1, types, values, NULL);
}

static bool
is_cascade(Node *command)
{
	if (IsA(command, DropStmt))
		return ((DropStmt *) command)->behavior == DROP_CASCADE;
	if (IsA(command, DropOwnedStmt))
		return ((DropOwnedStmt *) command)->behavior == DROP_CASCADE;
	return false;
}

/*
 * Event trigger on sql_drop.
 */
Datum
user_table_dropped(PG_FUNCTION_ARGS)
{
	List	   *dropped = NIL;
	List	   *narrowed = NIL;
	ListCell   *lc;
	bool		cascade;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"user_table_dropped\" was not called as an event trigger")));
	cascade = is_cascade(((EventTriggerData *) fcinfo->context)->parsetree);
	SPI_connect();
	if (SPI_execute("SELECT o.objid, o.objsubid FROM pg_catalog.pg_event_trigger_dropped_objects() o"
					" WHERE o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass"
					" AND o.object_type OPERATOR(pg_catalog.=) ANY ('{table,table column,view}')",
					false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading the dropped objects failed");	/* can't happen */
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Oid			relid = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));

		if (DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull)) == 0)
			dropped = lappend_oid(dropped, relid);
		else
			narrowed = lappend_oid(narrowed, relid);
	}
	if (dropped != NIL || narrowed != NIL)
	{
		forget_views(dropped);
		foreach(lc, catalog_registrations())
		{
			Registration *registration = lfirst(lc);

			if (list_member_oid(narrowed, registration->users))
				require_layout_columns(registration);
			if (!list_member_oid(dropped, registration->users))
				continue;
			delete_registration(registration->users);
			drop_companion(registration->history, cascade);
			drop_companion(registration->idempotency, cascade);
			if (OidIsValid(registration->state))
				drop_companion(registration->state, cascade);
			if (OidIsValid(registration->claims))
				drop_companion(registration->claims, cascade);
		}
	}
	SPI_finish();
	PG_RETURN_NULL();
}

/* Does a command drop this extension? */
static bool
drops_extension(Node *command)
{
	ListCell   *lc;

	if (!IsA(command, DropStmt) || ((DropStmt *) command)->removeType != OBJECT_EXTENSION)
		return false;
	foreach(lc, ((DropStmt *) command)->objects)
	{
		if (strcmp(strVal(lfirst(lc)), EXTENSION_NAME) == 0)
			return true;
	}
	return false;
}

static void
release_registered(const Registration *registration)
{
	Relation	relation = try_relation_open(registration->users, AccessExclusiveLock);
	SavedUser	saved;

	if (relation == NULL)
		return;
	become_owner(relation->rd_rel->relowner, &saved);
	release_table(registration);
	become_caller_again(&saved);
	relation_close(relation, NoLock);
}

/*
 * Event trigger on ddl_command_start of DROP EXTENSION: user tables stay, as
 * tables like any other.  Who may not drop the extension is refused by
 * PostgreSQL, and nothing is locked for him.
 */
Datum
user_tables_released(PG_FUNCTION_ARGS)
{
	ListCell   *lc;
	Oid			extension;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"user_tables_released\" was not called as an event trigger")));
	extension = get_extension_oid(EXTENSION_NAME, true);
	if (!drops_extension(((EventTriggerData *) fcinfo->context)->parsetree) ||
		!OidIsValid(extension) || !EXTENSION_OWNERCHECK(extension, GetUserId()))
		PG_RETURN_NULL();
	SPI_connect();
	foreach(lc, catalog_registrations())
		release_registered(lfirst(lc));
	SPI_finish();
	PG_RETURN_NULL();
}
