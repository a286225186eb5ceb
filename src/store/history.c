/*
 * history.c
 *	  The history table: a row for each version of each user.
 *
 * It is written as its owner, so that nobody who may update users can forge
 * it.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "core/compat.h"
#include "store/store.h"

/* Parameters of the statements that append. */
#define INSERT_PARAMETERS	15

/*
 * Where the feed has what is appended now: behind all that ended so far.
 *
 * Transaction ids are given when a transaction first writes, so a user may be
 * changed by a later one before an earlier one.  Positions rise with the
 * versions of a user: who wrote the version before has ended, or is this
 * transaction.  And a position is never less than its transaction, so what is
 * below all transactions that still run is complete.  Only what has ended, and
 * so is in the WAL, counts: a crash takes nothing of it back.
 */
static FullTransactionId
feed_position(FullTransactionId transaction)
{
	FullTransactionId ended;

	LWLockAcquire(ProcArrayLock, LW_SHARED);
	ended = LATEST_COMPLETED_XID;
	LWLockRelease(ProcArrayLock);
	return FullTransactionIdFollows(ended, transaction) ? ended : transaction;
}

/* Parameters 7 to 12: who changes users, for which request, in which transaction. */
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
	values[11] = FullTransactionIdGetDatum(feed_position(GetTopFullTransactionId()));
}

/*
 * May it be that history does not know a user in this version?  Then it is
 * looked up.  Users whom plain SQL inserted, or who were there before the table
 * was attached, have version 1; where an app keeps versions itself, any.
 */
bool
history_may_lack(const Binding *binding, int64 version)
{
	return version == 1 || (binding->is_attached && binding->layout.version != NULL);
}

/* May what the user was before be news to history? */
static bool
may_be_news(const Binding *binding, const HistoryEntry *entry)
{
	return entry->before != NULL &&
		(entry->goes_on_elsewhere || history_may_lack(binding, entry->before_version));
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

/* The times of the versions before and after one, as far as there are any. */
static void
read_times(Binding *binding, const HistoryEntry *entry, TimestampTz *before, TimestampTz *after)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan;
	SavedUser	saved;
	Datum		values[2];
	bool		isnull;
	Datum		value;

	values[0] = entry->user_id;
	values[1] = Int64GetDatum(entry->version);
	become_owner(binding->owner, &saved);
	plan = statement_plan(binding, STATEMENT_HISTORY_TIMES);
	CommandCounterIncrement();
	if (SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot, true, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading the times of history failed"); /* can't happen */
	become_caller_again(&saved);
	MemoryContextSwitchTo(context);
	value = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, TIMESTAMPTZOID, &isnull);
	*before = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
	value = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, TIMESTAMPTZOID, &isnull);
	*after = isnull ? DT_NOEND : DatumGetTimestampTz(value);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * When a version came about.  An app's column of times may have no fractions of
 * seconds, or be set by its triggers: times rise with versions all the same.
 * What a trigger changes while a write of ours runs is appended before that,
 * and leaves it room.
 */
static TimestampTz
time_of(Binding *binding, const HistoryEntry *entry)
{
	TimestampTz before;
	TimestampTz after;

	if (!binding->is_attached || binding->layout.modified == NULL)
		return entry->changed_at;
	read_times(binding, entry, &before, &after);
	if (TIMESTAMP_IS_NOEND(after))
		return Max(entry->changed_at, before + (own_write_runs(binding) ? 2 : 1));
	return Max(Min(entry->changed_at, after - 1), before + 1);
}

/*
 * Append a version.  Gives false when history has that version of the user
 * already.
 */
bool
history_append(Binding *binding, const HistoryEntry *entry)
{
	NameData	changed_by;
	Datum		values[INSERT_PARAMETERS] = {0};
	char		nulls[] = "               ";
	BoundStatement statement;

	values[0] = entry->user_id;
	values[1] = Int64GetDatum(entry->version);
	values[2] = CStringGetTextDatum(entry->operation);
	if (entry->document != NULL)
		values[3] = JsonbPGetDatum(entry->document);
	else
		nulls[3] = 'n';
	values[4] = list_text_array(entry->changed);
	values[5] = TimestampTzGetDatum(time_of(binding, entry));
	set_origin(entry->request_id, &changed_by, values, nulls);
	statement = STATEMENT_HISTORY_INSERT;
	if (may_be_news(binding, entry))
	{
		statement = STATEMENT_HISTORY_INSERT_BEFORE;
		values[12] = JsonbPGetDatum(entry->before);
		values[13] = TimestampTzGetDatum(entry->before_since);
		values[14] = BoolGetDatum(entry->goes_on_elsewhere);
	}
	if (insert(binding, statement, values, nulls) == 0)
		return false;
	notify_change(binding, entry);
	return true;
}

/* Which of these versions follow one that history does not know?  Or NULL: none. */
static bool *
find_news(Binding *binding, HistoryEntry *const *entries, int count)
{
	MemoryContext context = CurrentMemoryContext;
	Datum	   *ids = palloc(sizeof(Datum) * count);
	int		   *places = palloc(sizeof(int) * count);
	bool	   *is_news = NULL;
	SPIPlanPtr	plan;
	SavedUser	saved;
	Datum		values[1];
	int			number = 0;

	for (int i = 0; i < count; i++)
	{
		if (!may_be_news(binding, entries[i]))
			continue;
		ids[number] = entries[i]->user_id;
		places[number++] = i;
	}
	if (number > 0)
	{
		values[0] = array_of(binding->id_type, ids, number);
		become_owner(binding->owner, &saved);
		plan = statement_plan(binding, STATEMENT_SET_HISTORY_NONE);
		plan_by_index(plan);
		if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "reading the history failed");	/* can't happen */
		become_caller_again(&saved);
		MemoryContextSwitchTo(context);
		if (SPI_processed > 0)
			is_news = palloc0(sizeof(bool) * count);
		for (uint64 i = 0; i < SPI_processed; i++)
			is_news[places[DatumGetInt64(result_column(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
													   1, INT8OID, NULL)) - 1]] = true;
		SPI_freetuptable(SPI_tuptable);
	}
	pfree(ids);
	pfree(places);
	return is_news;
}

/* An array of what there is for some of the elements. */
static Datum
array_with_nulls(Oid type, Datum *elems, bool *nulls, int count)
{
	int16		len;
	bool		byval;
	char		align;
	int			lower = 1;

	get_typlenbyvalalign(type, &len, &byval, &align);
	return PointerGetDatum(construct_md_array(elems, nulls, 1, &count, &lower, type, len, byval, align));
}

/* Parameters 13 and 14: what users of whom history did not know were before. */
static void
set_before(HistoryEntry *const *entries, int count, bool *is_news, Datum *values)
{
	Datum	   *elems = palloc0(sizeof(Datum) * count);
	bool	   *nulls = palloc(sizeof(bool) * count);

	for (int i = 0; i < count; i++)
	{
		nulls[i] = !is_news[i];
		if (is_news[i])
			elems[i] = JsonbPGetDatum(entries[i]->before);
	}
	values[12] = array_with_nulls(JSONBOID, elems, nulls, count);
	for (int i = 0; i < count; i++)
		elems[i] = TimestampTzGetDatum(entries[i]->before_since);
	values[13] = array_with_nulls(TIMESTAMPTZOID, elems, nulls, count);
	pfree(elems);
	pfree(nulls);
}

/*
 * Append versions of many users, all made by the same operation of the same
 * request.  Gives their number.  An error when history has one of them: then
 * each is to be done by itself.
 */
int
history_append_set(Binding *binding, HistoryEntry *const *entries, int count)
{
	Datum	   *elems = palloc(sizeof(Datum) * count);
	bool	   *no_document = palloc(sizeof(bool) * count);
	NameData	changed_by;
	Datum		values[INSERT_PARAMETERS] = {0};
	char		nulls[] = "               ";
	bool	   *is_news = find_news(binding, entries, count);
	int			appended;

	for (int i = 0; i < count; i++)
		elems[i] = entries[i]->user_id;
	values[0] = array_of(binding->id_type, elems, count);
	for (int i = 0; i < count; i++)
		elems[i] = Int64GetDatum(entries[i]->version);
	values[1] = array_of(INT8OID, elems, count);
	for (int i = 0; i < count; i++)
	{
		no_document[i] = entries[i]->document == NULL;
		elems[i] = JsonbPGetDatum(entries[i]->document);
	}
	values[2] = array_with_nulls(JSONBOID, elems, no_document, count);
	for (int i = 0; i < count; i++)
		elems[i] = list_text_array(entries[i]->changed);
	values[3] = array_of(catalog_paths_type(), elems, count);
	for (int i = 0; i < count; i++)
		elems[i] = TimestampTzGetDatum(entries[i]->changed_at);
	values[4] = array_of(TIMESTAMPTZOID, elems, count);
	values[5] = CStringGetTextDatum(entries[0]->operation);
	set_origin(entries[0]->request_id, &changed_by, values, nulls);
	if (is_news != NULL)
		set_before(entries, count, is_news, values);
	appended = insert(binding, is_news != NULL ? STATEMENT_SET_HISTORY_INSERT_BEFORE :
					  STATEMENT_SET_HISTORY_INSERT, values, nulls);
	for (int i = 0; i < 5; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(elems);
	pfree(no_document);
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

/*
 * History that came with a table, as from a restore of single tables, may be
 * another cluster's, with transactions that are still to come in this one: then
 * its eras are made earlier than all of this database's, so that the feed goes
 * on behind them.
 */
void
history_adopt(Binding *binding)
{
	MemoryContext context = CurrentMemoryContext;
	SavedUser	saved;
	Datum		values[1];

	values[0] = Int32GetDatum(catalog_present_era());
	become_owner(binding->owner, &saved);
	if (SPI_execute_plan(statement_plan(binding, STATEMENT_HISTORY_ADOPT), values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "adopting a history failed");	/* can't happen */
	become_caller_again(&saved);
	MemoryContextSwitchTo(context);
}
