/*
 * trigger.c
 *	  Changes of users that plain SQL makes: a new version and a row of history
 *	  for each, as for those that our functions make.
 *
 * Our own writes are told apart by the command that made them, which no caller
 * can set: a row that a statement wrote has that statement's command id.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/update/update.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_table_changing);
PG_FUNCTION_INFO_V1(user_table_changed);
PG_FUNCTION_INFO_V1(user_table_truncated);

/* Users that are fetched at once when a table is truncated. */
#define ROWS_AT_ONCE	100

static const char *const operation = "sql";

/*
 * Our own writes
 */

/* The statements that run now, the innermost first. */
static OwnWrite *own_writes = NULL;

/*
 * The next statement writes rows of a user table as one of our functions has
 * it.
 */
void
own_write_begin(OwnWrite *own, Binding *binding, NewState *state)
{
	/* so that no other statement has its command id */
	CommandCounterIncrement();
	own->binding = binding;
	own->state = state;
	own->command = GetCurrentCommandId(false);
	own->outer = own_writes;
	own_writes = own;
}

void
own_write_end(OwnWrite *own)
{
	own_writes = own->outer;
}

/* Does one write users of this table? */
bool
own_write_runs(const Binding *binding)
{
	for (OwnWrite *own = own_writes; own != NULL; own = own->outer)
	{
		if (own->binding->users == binding->users)
			return true;
	}
	return false;
}

/* Is it the user table, or a partition of it? */
static bool
is_part_of(Relation relation, Oid users)
{
	return RelationGetRelid(relation) == users ||
		(relation->rd_rel->relispartition &&
		 list_member_oid(get_partition_ancestors(RelationGetRelid(relation)), users));
}

/* The statement of ours that wrote a row, or NULL. */
static OwnWrite *
own_write_of(const TriggerData *trigger, HeapTuple tuple)
{
	CommandId	command = TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ?
	HeapTupleHeaderGetCmax(tuple->t_data) : HeapTupleHeaderGetCmin(tuple->t_data);

	for (OwnWrite *own = own_writes; own != NULL; own = own->outer)
	{
		if (own->command == command && is_part_of(trigger->tg_relation, own->binding->users))
			return own;
	}
	return NULL;
}

/*
 * Rows
 */

/* Is one of the columns that hold a user's attributes another? */
static bool
columns_differ(const Layout *layout, Relation relation, HeapTuple old, HeapTuple new)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		const char *name = NameStr(column->attname);
		bool		old_null;
		bool		new_null;
		Datum		old_value;
		Datum		new_value;

		if (column->attisdropped ||
			((layout->document == NULL || strcmp(name, layout->document) != 0) &&
			 layout_path_of_column(layout, name) == NULL))
			continue;
		old_value = heap_getattr(old, i + 1, desc, &old_null);
		new_value = heap_getattr(new, i + 1, desc, &new_null);
		if (old_null != new_null ||
			(!old_null && !datum_image_eq(old_value, new_value, column->attbyval, column->attlen)))
			return true;
	}
	return false;
}

/* Are a user's attributes others?  The same may be written in two ways. */
static bool
attributes_differ(Binding *binding, Relation relation, HeapTuple old, HeapTuple new)
{
	StateRow	state = {1, NULL};
	TableRow	before;
	TableRow	after;

	if (!columns_differ(&binding->layout, relation, old, new))
		return false;
	table_row_read(binding, relation, old, &state, &before);
	table_row_read(binding, relation, new, &state, &after);
	return !document_equal(before.document, after.document);
}

/*
 * History
 */

/* What a user was before; no document: it was not there. */
typedef struct Before
{
	JsonbValue *document;
	int64		version;
	TimestampTz created;
} Before;

static void
append(Binding *binding, Datum id, int64 version, const Before *before, JsonbValue *after,
	   TimestampTz changed_at, UserRow *written)
{
	HistoryEntry entry = {0};
	TimestampTz newest_at = DT_NOBEGIN;

	entry.user_id = id;
	entry.version = version;
	entry.operation = operation;
	entry.document = after != NULL ? document_to_jsonb(after) : NULL;
	entry.changed = changes_between(binding_api(binding, NULL)->schema, before->document, after);
	entry.changed_at = changed_at;
	entry.before_version = before->version;
	entry.before_since = before->created;
	if (before->document != NULL && history_may_lack(binding, before->version))
		entry.before = document_to_jsonb(before->document);
	if (history_append(binding, &entry))
		return;

	/* one who was deleted comes back: go on after the newest version */
	entry.version = next_version(history_newest_version(binding, id, &newest_at));
	entry.changed_at = Max(changed_at, newest_at + 1);
	entry.goes_on_elsewhere = true;
	entry.before_since = Max(before->created, newest_at);
	if (before->document != NULL)
		entry.before = document_to_jsonb(before->document);
	if (written != NULL)
	{
		SavedUser	saved;

		written->modified = entry.changed_at;
		if (before->document == NULL)
			written->created = entry.changed_at;
		become_owner(binding->owner, &saved);
		user_set_version(binding, id, entry.version, written);
		become_caller_again(&saved);
		entry.changed_at = written->modified;
	}
	if (!history_append(binding, &entry))
		elog(ERROR, "history does not take a version of a user");	/* can't happen */
}

/* A row that an app's table has without an id by now is no user. */
static bool
has_id(const Layout *layout, Relation relation, HeapTuple tuple)
{
	bool		isnull;
	Oid			type;

	(void) table_row_column(relation, tuple, layout->id, &isnull, &type);
	return !isnull;
}

/* A user whom plain SQL inserted, or gave another id: then with a document in the state table. */
static void
row_inserted(Binding *binding, Relation relation, HeapTuple tuple, const StateRow *moved)
{
	StateRow	state = {1, moved != NULL ? moved->document : NULL};
	UserRow		written = {0};
	Before		before = {0};
	TableRow	row;

	if (!has_id(&binding->layout, relation, tuple))
		return;
	table_row_read(binding, relation, tuple, &state, &row);
	written.version = row.version;
	written.created = written.modified = GetCurrentTimestamp();
	if (OidIsValid(binding->layout.state))
		(void) state_write(binding, row.id,
						   state.document != NULL ? state.document : document_to_jsonb(document_new_object()),
						   &written, true, NULL);
	append(binding, row.id, row.version, &before, row.document, written.modified, &written);
}

static void
row_deleted(Binding *binding, Relation relation, HeapTuple tuple, StateRow *state)
{
	Before		before;
	TableRow	row;

	state->version = 1;
	state->document = NULL;
	if (!has_id(&binding->layout, relation, tuple))
		return;
	if (OidIsValid(binding->layout.state))
	{
		bool		isnull;
		Oid			type;
		Datum		id = table_row_column(relation, tuple, binding->layout.id, &isnull, &type);

		state_read(binding, id, state);
		state_delete(binding, id);
	}
	table_row_read(binding, relation, tuple, state, &row);
	before.document = row.document;
	before.version = row.version;
	before.created = table_row_created(&binding->layout, relation, tuple);
	append(binding, row.id, next_version(row.version), &before, NULL,
		   Max(GetCurrentTimestamp(), row.modified + 1), NULL);
}

static void
row_updated(Binding *binding, Relation relation, HeapTuple old, HeapTuple new)
{
	const Layout *layout = &binding->layout;
	StateRow	state = {1, NULL};
	UserRow		written = {0};
	Before		before;
	TableRow	row;
	TableRow	after;
	Oid			type;
	bool		old_null;
	bool		new_null;
	Datum		old_id = table_row_column(relation, old, layout->id, &old_null, &type);
	Datum		new_id = table_row_column(relation, new, layout->id, &new_null, &type);

	if (binding->layout.tenant != NULL &&
		strcmp(table_row_tenant(binding, relation, old), table_row_tenant(binding, relation, new)) != 0)
	{
		int			nest_level = tenant_select(table_row_tenant(binding, relation, old));

		row_deleted(binding, relation, old, &state);
		AtEOXact_GUC(true, nest_level);
		row_inserted(binding, relation, new, &state);
		return;
	}
	if (old_null || new_null ||
		!datum_image_eq(old_id, new_id, get_typbyval(binding->id_type), get_typlen(binding->id_type)))
	{
		/* to those who know users by their ids it is another one */
		row_deleted(binding, relation, old, &state);
		row_inserted(binding, relation, new, &state);
		return;
	}
	if (!attributes_differ(binding, relation, old, new))
		return;
	if (OidIsValid(layout->state))
		state_read(binding, old_id, &state);
	table_row_read(binding, relation, old, &state, &row);
	table_row_read(binding, relation, new, &state, &after);
	before.document = row.document;
	before.version = row.version;
	before.created = table_row_created(layout, relation, old);
	if (layout->version == NULL)
		after.version = next_version(before.version);
	written.version = after.version;
	written.modified = Max(GetCurrentTimestamp(), row.modified + 1);
	if (OidIsValid(layout->state))
		(void) state_write(binding, new_id, NULL, &written, false, NULL);
	written.created = before.created;
	append(binding, new_id, after.version, &before, after.document,
		   layout->modified != NULL ? after.modified : written.modified, &written);
}

/*
 * One whom a function of ours inserts: its state is written before triggers of
 * the app's may change the user again.
 */
static void
own_row_inserted(const OwnWrite *own, Relation relation, HeapTuple tuple)
{
	bool		isnull;
	Oid			type;
	Datum		id = table_row_column(relation, tuple, own->binding->layout.id, &isnull, &type);

	SPI_connect();
	(void) state_write(own->binding, id, own->state->document, own->state->row, true, NULL);
	own->state->is_written = true;
	SPI_finish();
}

/*
 * The triggers
 */

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *name, bool for_row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || (TRIGGER_FIRED_FOR_ROW(trigger->tg_event) != 0) != for_row)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as the trigger that user_table_attach makes",
						name)));
	return trigger;
}

/*
 * BEFORE UPDATE: a row whose attributes change has the next version, unless the
 * statement gave it one itself.
 */
Datum
user_table_changing(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "user_table_changing", true);
	Relation	relation = trigger->tg_relation;
	HeapTuple	old = trigger->tg_trigtuple;
	HeapTuple	new = trigger->tg_newtuple;
	Binding    *binding;
	const Layout *layout;
	int64		version;
	bool		differs;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			count = 0;

	if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"user_table_changing\" is for BEFORE UPDATE")));
	binding = binding_find_for(relation);
	if (binding == NULL)
		return PointerGetDatum(new);
	layout = &binding->layout;
	version = table_row_version(layout, relation, old);
	if (layout->version != NULL && table_row_version(layout, relation, new) > version)
		return PointerGetDatum(new);
	differs = attributes_differ(binding, relation, old, new);
	if (layout->version != NULL)
	{
		/* it never goes back */
		columns[count] = get_attnum(RelationGetRelid(relation), layout->version);
		values[count++] = table_version_datum(get_atttype(RelationGetRelid(relation), columns[0]),
											  differs ? next_version(version) : version);
	}
	if (differs && layout->modified != NULL &&
		table_row_modified(layout, relation, new) <= table_row_modified(layout, relation, old))
	{
		columns[count] = get_attnum(RelationGetRelid(relation), layout->modified);
		values[count] = TimestampTzGetDatum(Max(GetCurrentTimestamp(),
												table_row_modified(layout, relation, old) + 1));
		/* as precise as the column is */
		values[count] = DirectFunctionCall2(timestamptz_scale, values[count],
											Int32GetDatum(TupleDescAttr(RelationGetDescr(relation),
																		columns[count] - 1)->atttypmod));
		count++;
	}
	if (count == 0)
		return PointerGetDatum(new);
	return PointerGetDatum(heap_modify_tuple_by_cols(new, RelationGetDescr(relation), count, columns,
													 values, nulls));
}

/*
 * AFTER INSERT, UPDATE or DELETE of a row: history, unless it is a write of our
 * own, which has its own entry.
 */
Datum
user_table_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "user_table_changed", true);
	Relation	relation = trigger->tg_relation;
	HeapTuple	tuple = trigger->tg_trigtuple;
	Binding    *binding;
	OwnWrite   *own;
	StateRow	state;
	int			nest_level = 0;

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		tuple = trigger->tg_newtuple;
	own = own_write_of(trigger, tuple);
	if (own != NULL && own->state != NULL && TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		own_row_inserted(own, relation, tuple);
	if (own != NULL)
		return PointerGetDatum(NULL);
	binding = binding_find_for(relation);
	if (binding == NULL)
		return PointerGetDatum(NULL);
	SPI_connect();
	/* what plain SQL does needs no tenant selected */
	if (binding->layout.tenant != NULL)
		nest_level = tenant_select(table_row_tenant(binding, relation, tuple));
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		row_inserted(binding, relation, tuple, NULL);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		row_deleted(binding, relation, tuple, &state);
	else
		row_updated(binding, relation, trigger->tg_trigtuple, tuple);
	if (binding->layout.tenant != NULL)
		AtEOXact_GUC(true, nest_level);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * BEFORE TRUNCATE: all users are deleted.
 */
Datum
user_table_truncated(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "user_table_truncated", false);
	Binding    *binding = binding_find(RelationGetRelid(trigger->tg_relation));
	MemoryContext row_context;
	MemoryContext old;
	SavedUser	saved;
	Portal		portal;
	int			nest_level = 0;

	if (binding == NULL)
		return PointerGetDatum(NULL);
	SPI_connect();
	row_context = AllocSetContextCreate(CurrentMemoryContext, "userstore truncated user",
										ALLOCSET_DEFAULT_SIZES);
	become_owner(binding->owner, &saved);
	portal = SPI_cursor_open(NULL, statement_plan(binding, STATEMENT_ALL), NULL, NULL, true);
	become_caller_again(&saved);
	for (;;)
	{
		SPITupleTable *rows;
		uint64		count;

		become_owner(binding->owner, &saved);
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		become_caller_again(&saved);
		rows = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			Jsonb	   *document;
			TimestampTz modified;
			Before		before;

			CHECK_FOR_INTERRUPTS();
			old = MemoryContextSwitchTo(row_context);
			document = DatumGetJsonbP(result_column(rows->vals[i], rows->tupdesc, 1, JSONBOID, NULL));
			/* plain SQL may have put anything there */
			before.document = JB_ROOT_IS_OBJECT(document) ? document_from_jsonb(document) :
				document_new_object();
			before.version = DatumGetInt64(result_column(rows->vals[i], rows->tupdesc, 2, INT8OID, NULL));
			before.created = DatumGetTimestampTz(result_column(rows->vals[i], rows->tupdesc, 3, TIMESTAMPTZOID,
															   NULL));
			modified = DatumGetTimestampTz(result_column(rows->vals[i], rows->tupdesc, 4, TIMESTAMPTZOID,
														 NULL));
			if (binding->layout.tenant != NULL)
				nest_level = tenant_select(SPI_getvalue(rows->vals[i], rows->tupdesc, 6));
			append(binding, result_column(rows->vals[i], rows->tupdesc, 5, binding->id_type, NULL),
				   next_version(before.version), &before, NULL, Max(GetCurrentTimestamp(), modified + 1), NULL);
			if (binding->layout.tenant != NULL)
				AtEOXact_GUC(true, nest_level);
			MemoryContextSwitchTo(old);
			MemoryContextReset(row_context);
		}
		SPI_freetuptable(rows);
		if (count == 0)
			break;
	}
	SPI_cursor_close(portal);
	if (OidIsValid(binding->layout.state))
		state_clear(binding);
	if (OidIsValid(binding->claims))
	{
		become_owner(binding->owner, &saved);
		(void) run_statement(binding, STATEMENT_CLAIM_CLEAR, NULL, NULL, false);
		become_caller_again(&saved);
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}
