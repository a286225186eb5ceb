/*
 * alter.c
 *	  What becomes of a user table when its columns are renamed or dropped, and
 *	  when its partitions come and go.
 *
 * The triggers of a user table need the columns that its layout names: without
 * one of them the app's own writes would fail.  So the layout follows what is
 * renamed, and what it names is not dropped.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store/store.h"

PG_FUNCTION_INFO_V1(user_table_altered);

/*
 * Renaming
 */

static JsonbValue *
renamed(JsonbValue *name, const char *from, const char *to)
{
	return document_is_string(name, from) ? document_string(to) : name;
}

/* The layout with another name of a column. */
static JsonbValue *
rename_in_layout(JsonbValue *layout, const char *from, const char *to)
{
	JsonbValue *result = document_new_object();

	document_foreach(part, layout)
	{
		char	   *name = document_cstring(&part->key);
		JsonbValue *members;

		if (part->value.type != jbvObject)
		{
			document_add(result, name, renamed(&part->value, from, to));
			continue;
		}
		members = document_new_object();
		document_foreach(pair, &part->value)
		{
			char	   *key = document_cstring(&pair->key);

			/* attributes to their columns, and columns to their defaults */
			if (strcmp(name, "columns") == 0)
				document_add(members, key, renamed(&pair->value, from, to));
			else
				document_add(members, strcmp(key, from) == 0 ? pstrdup(to) : key, &pair->value);
		}
		document_add(result, name, members);
	}
	return result;
}

/* With a column, that of the tables which inherit it is renamed. */
static void
follow_renaming(const RenameStmt *command)
{
	Oid			relid = RangeVarGetRelid(command->relation, NoLock, true);
	List	   *relids;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	relids = find_all_inheritors(relid, NoLock, NULL);
	foreach(lc, catalog_registrations())
	{
		Registration *registration = lfirst(lc);
		Oid			types[4] = {REGCLASSOID, JSONBOID, TEXTOID, TEXTOID};
		Datum		values[4];
		char		nulls[] = "    ";

		if (!list_member_oid(relids, registration->users))
			continue;
		values[0] = ObjectIdGetDatum(registration->users);
		if (registration->layout != NULL)
			values[1] = JsonbPGetDatum(document_to_jsonb(rename_in_layout(registration->layout,
																		  command->subname,
																		  command->newname)));
		else
			nulls[1] = 'n';
		values[2] = CStringGetTextDatum(command->subname);
		values[3] = CStringGetTextDatum(command->newname);
		(void) catalog_execute("UPDATE userstore.user_table SET layout = $2, tenant_column ="
							   " CASE WHEN tenant_column OPERATOR(pg_catalog.=) $3 THEN $4 ELSE tenant_column END"
							   " WHERE users OPERATOR(pg_catalog.=) $1", 4, types, values, nulls);
	}
}

/*
 * Partitions
 */

static void
follow_partition(Oid relid, const PartitionCmd *command, bool has_come)
{
	Oid			partition = RangeVarGetRelid(command->name, NoLock, true);
	ListCell   *lc;

	if (!OidIsValid(partition))
		return;
	foreach(lc, catalog_registrations())
	{
		Registration *registration = lfirst(lc);

		if (OidIsValid(registration->claims) &&
			(registration->users == relid ||
			 list_member_oid(get_partition_ancestors(relid), registration->users)))
			claims_follow_partition(registration, partition, has_come);
	}
}

static void
follow_partitions(const AlterTableStmt *command)
{
	Oid			relid = RangeVarGetRelid(command->relation, NoLock, true);
	ListCell   *lc;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(lc, command->cmds)
	{
		AlterTableCmd *change = lfirst_node(AlterTableCmd, lc);

		if (change->subtype == AT_AttachPartition)
			follow_partition(relid, castNode(PartitionCmd, change->def), true);
		else if (change->subtype == AT_DetachPartition || change->subtype == AT_DetachPartitionFinalize)
			follow_partition(relid, castNode(PartitionCmd, change->def), false);
	}
}

/*
 * Event trigger on ddl_command_end of ALTER TABLE.
 */
Datum
user_table_altered(PG_FUNCTION_ARGS)
{
	Node	   *command;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"user_table_altered\" was not called as an event trigger")));
	command = ((EventTriggerData *) fcinfo->context)->parsetree;
	if (IsA(command, RenameStmt) && ((RenameStmt *) command)->renameType == OBJECT_COLUMN)
	{
		SPI_connect();
		follow_renaming((RenameStmt *) command);
		SPI_finish();
	}
	else if (IsA(command, AlterTableStmt) && ((AlterTableStmt *) command)->objtype == OBJECT_TABLE)
	{
		SPI_connect();
		follow_partitions((AlterTableStmt *) command);
		SPI_finish();
	}
	PG_RETURN_NULL();
}

/*
 * Dropping
 */

static void
require_column(Oid users, const char *column, const char *what)
{
	if (get_attnum(users, column) > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop column \"%s\" of table \"%s\" because the user table needs it", column,
					get_rel_name(users)),
			 errdetail("It %s.", what),
			 errhint("Call userstore.user_table_detach for the table, and attach it again without the column.")));
}

/*
 * Columns of a table were dropped: refuse that, if its layout names one.
 */
void
require_layout_columns(const Registration *registration)
{
	JsonbValue *layout = registration->layout;

	if (get_rel_name(registration->users) == NULL)
		return;
	if (registration->tenant_column != NULL)
		require_column(registration->users, registration->tenant_column, "is the table's tenant_column");
	if (layout == NULL)
		return;
	document_foreach(part, layout)
	{
		const char *name = document_cstring(&part->key);

		if (part->value.type == jbvString)
			require_column(registration->users, document_cstring(&part->value),
						   psprintf("is the table's %s_column", name));
		else if (strcmp(name, "columns") == 0)
		{
			document_foreach(pair, &part->value)
				require_column(registration->users, document_cstring(&pair->value),
							   psprintf("holds attribute \"%s\"", document_cstring(&pair->key)));
		}
		else
		{
			document_foreach(pair, &part->value)
				require_column(registration->users, document_cstring(&pair->key),
							   "has a default for users whom the functions create");
		}
	}
}
