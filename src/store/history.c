/*
 * history.c
 *	  The history table: a row for each version of each user.
 *
 * It is written as its owner, so that nobody who may update users can forge
 * it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "store/store.h"

/* Parameters 7 to 11: who changes users, for which request, in which transaction. */
static void
set_origin(const char *request_id, NameData *changed_by, Datum *values, char *nulls)
{
	char	   *actor = claimed_actor();

	/* before the switch: it is the caller who changes */
	namestrcpy(changed_by, GetUserNameFromId(GetUserId(), false));
	values[6] = NameGetDatum(changed_by);
	if (actor != NULL)
		values[7] = CStringGetTextDatum(actor);
	else
		nulls[7] = 'n';
	if (request_id != NULL)
		values[8] = CStringGetTextDatum(request_id);
	else
		nulls[8] = 'n';
	values[9] = Int32GetDatum(catalog_era());
	values[10] = FullTransactionIdGetDatum(GetTopFullTransactionId());
}

/* Gives the number of versions that history did not have. */
static uint64
insert(Binding *binding, BoundStatement statement, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	SavedUser	saved;
	int			result;

	become_owner(binding->owner, &saved);
	result = SPI_execute_plan(statement_plan(binding, statement), values, nulls, false, 0);
	if (result != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result)); /* can't happen */
	become_caller_again(&saved);
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	return SPI_processed;
}

/*
 * Append a version.  Gives false when history has that version of the user
 * already.
 */
bool
history_append(Binding *binding, const HistoryEntry *entry)
{
	NameData	changed_by;
	Datum		values[11] = {0};
	char		nulls[] = "           ";

	values[0] = entry->user_id;
	values[1] = Int64GetDatum(entry->version);
	values[2] = CStringGetTextDatum(entry->operation);
	if (entry->document != NULL)
		values[3] = JsonbPGetDatum(entry->document);
	else
		nulls[3] = 'n';
	values[4] = list_text_array(entry->changed);
	values[5] = TimestampTzGetDatum(entry->changed_at);
	set_origin(entry->request_id, &changed_by, values, nulls);
	if (insert(binding, STATEMENT_HISTORY_INSERT, values, nulls) == 0)
		return false;
	notify_change(binding, entry);
	return true;
}

/*
 * Append versions of many users, all made by the same operation of the same
 * request and none of them a deletion.  Gives the number of those that history
 * did not have.
 */
int
history_append_set(Binding *binding, HistoryEntry *const *entries, int count)
{
	Datum	   *elems = palloc(sizeof(Datum) * count);
	NameData	changed_by;
	Datum		values[11] = {0};
	char		nulls[] = "           ";
	int			appended;

	for (int i = 0; i < count; i++)
		elems[i] = entries[i]->user_id;
	values[0] = array_of(binding->id_type, elems, count);
	for (int i = 0; i < count; i++)
		elems[i] = Int64GetDatum(entries[i]->version);
	values[1] = array_of(INT8OID, elems, count);
	for (int i = 0; i < count; i++)
		elems[i] = JsonbPGetDatum(entries[i]->document);
	values[2] = array_of(JSONBOID, elems, count);
	/* lists of different lengths make no array: each goes as its text */
	for (int i = 0; i < count; i++)
		elems[i] = CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT,
															 list_text_array(entries[i]->changed)));
	values[3] = array_of(TEXTOID, elems, count);
	for (int i = 0; i < count; i++)
		elems[i] = TimestampTzGetDatum(entries[i]->changed_at);
	values[4] = array_of(TIMESTAMPTZOID, elems, count);
	values[5] = CStringGetTextDatum(entries[0]->operation);
	set_origin(entries[0]->request_id, &changed_by, values, nulls);
	appended = insert(binding, STATEMENT_SET_HISTORY_INSERT, values, nulls);
	for (int i = 0; i < 5; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(elems);
	/* less than all are taken back by the caller, and with them what is told */
	for (int i = 0; i < count && appended == count; i++)
		notify_change(binding, entries[i]);
	return appended;
}

/*
 * The newest version that a user ever had, and its time; 0 when history knows
 * none.  A snapshot is taken for it: a deletion that committed while the
 * caller waited has to be seen, also by a transaction that reads an older
 * state otherwise.
 */
int64
history_newest_version(Binding *binding, Datum user_id, TimestampTz *changed_at)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan;
	SavedUser	saved;
	Datum		values[1];
	int64		version = 0;
	int			result;

	values[0] = user_id;
	become_owner(binding->owner, &saved);
	plan = statement_plan(binding, STATEMENT_HISTORY_VERSION);
	CommandCounterIncrement();
	result = SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, true, false, 1);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(result)); /* can't happen */
	become_caller_again(&saved);
	MemoryContextSwitchTo(context);
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		version = DatumGetInt64(result_column(tuple, desc, 1, INT8OID, NULL));
		*changed_at = DatumGetTimestampTz(result_column(tuple, desc, 2, TIMESTAMPTZOID, NULL));
	}
	SPI_freetuptable(SPI_tuptable);
	return version;
}

/*
 * The same of many users; gives the number of those whom history knows.
 */
int
history_newest_versions(Binding *binding, const Datum *ids, int count, NewestVersion **found)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan;
	SavedUser	saved;
	Datum		values[1];
	int			result;
	int			number;

	values[0] = array_of(binding->id_type, unconstify(Datum *, ids), count);
	become_owner(binding->owner, &saved);
	CommandCounterIncrement();
	plan = statement_plan(binding, STATEMENT_SET_HISTORY_VERSION);
	plan_by_index(plan);
	result = SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot, true, false, 0);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(result)); /* can't happen */
	become_caller_again(&saved);
	MemoryContextSwitchTo(context);
	number = SPI_processed;
	*found = palloc(sizeof(NewestVersion) * Max(number, 1));
	for (int i = 0; i < number; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		NewestVersion *newest = &(*found)[i];

		newest->version = DatumGetInt64(result_column(tuple, desc, 1, INT8OID, NULL));
		newest->changed_at = DatumGetTimestampTz(result_column(tuple, desc, 2, TIMESTAMPTZOID, NULL));
		newest->user_id = datumCopy(result_column(tuple, desc, 3, binding->id_type, NULL),
									get_typbyval(binding->id_type), get_typlen(binding->id_type));
	}
	SPI_freetuptable(SPI_tuptable);
	return number;
}
