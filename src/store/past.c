/*
 * past.c
 *	  History as callers read it: versions, states at a time, the feed.
 *
 * Who may read the user table may read the past of the users whom they can see
 * now, and of those who no longer exist; who may read the history table itself
 * reads that, as its own policies say.
 *
 * All is read with the snapshot of the calling query, so that its parts go
 * together.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "store/store.h"

/* Columns of what the statements on versions give. */
enum
{
	COLUMN_USER_ID = 1,
	COLUMN_VERSION,
	COLUMN_OPERATION,
	COLUMN_DOCUMENT,
	COLUMN_CHANGED,
	COLUMN_CHANGED_AT,
	COLUMN_CHANGED_BY,
	COLUMN_ACTOR,
	COLUMN_REQUEST_ID,
	COLUMN_BEFORE,
	COLUMN_BEFORE_SINCE,
	COLUMN_ERA,
	COLUMN_TRANSACTION_ID,
	COLUMN_FEED_POSITION
};

/*
 * Find out what the caller may read of the past; an error when that is nothing.
 */
void
past_open(Past *past, Binding *binding)
{
	binding_require_privileges(binding, ACL_SELECT);
	past->binding = binding;
	past->as_owner = pg_class_aclcheck(binding->history, GetUserId(), ACL_SELECT) != ACLCHECK_OK;
	past->hides = past->as_owner && binding_hides_rows(binding);
}

/*
 * The plan of a statement on history, for the role that is to run it.
 */
SPIPlanPtr
past_begin(const Past *past, BoundStatement statement, SavedUser *saved)
{
	if (past->as_owner)
		become_owner(past->binding->owner, saved);
	return statement_plan(past->binding, past->as_owner ? statement : statement + 1);
}

void
past_end(const Past *past, const SavedUser *saved)
{
	if (past->as_owner)
		become_caller_again(saved);
}

/*
 * Fetch the next rows of such a statement.  Gives their number.
 */
int
past_fetch(const Past *past, Portal portal)
{
	SavedUser	saved;

	if (past->as_owner)
		become_owner(past->binding->owner, &saved);
	SPI_cursor_fetch(portal, true, PAST_ROWS_AT_ONCE);
	past_end(past, &saved);
	return SPI_processed;
}

/* Run a statement that gives a few rows.  Gives their number. */
static uint64
run(SPIPlanPtr plan, Datum *values)
{
	MemoryContext context = CurrentMemoryContext;

	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading the past failed"); /* can't happen */
	MemoryContextSwitchTo(context);
	return SPI_processed;
}

/*
 * Rows
 */

static char *
text_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = result_column(tuple, desc, column, TEXTOID, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Jsonb *
jsonb_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = result_column(tuple, desc, column, JSONBOID, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

static FullTransactionId
xid_column(HeapTuple tuple, TupleDesc desc, int column)
{
	return DatumGetFullTransactionId(result_column(tuple, desc, column, XID8OID, NULL));
}

static void
take_version(Binding *binding, HeapTuple tuple, TupleDesc desc, PastVersion *version)
{
	Datum		value;
	bool		isnull;

	value = result_column(tuple, desc, COLUMN_USER_ID, binding->id_type, NULL);
	version->user_id = datumCopy(value, get_typbyval(binding->id_type), get_typlen(binding->id_type));
	version->version = DatumGetInt64(result_column(tuple, desc, COLUMN_VERSION, INT8OID, NULL));
	version->operation = text_column(tuple, desc, COLUMN_OPERATION);
	version->document = jsonb_column(tuple, desc, COLUMN_DOCUMENT);
	version->changed = text_array_list(result_column(tuple, desc, COLUMN_CHANGED, TEXTARRAYOID, NULL));
	version->changed_at =
		DatumGetTimestampTz(result_column(tuple, desc, COLUMN_CHANGED_AT, TIMESTAMPTZOID, NULL));
	value = result_column(tuple, desc, COLUMN_CHANGED_BY, NAMEOID, &isnull);
	version->changed_by = isnull ? NULL : pstrdup(NameStr(*DatumGetName(value)));
	version->actor = text_column(tuple, desc, COLUMN_ACTOR);
	version->request_id = text_column(tuple, desc, COLUMN_REQUEST_ID);
	version->before = jsonb_column(tuple, desc, COLUMN_BEFORE);
	version->era = DatumGetInt32(result_column(tuple, desc, COLUMN_ERA, INT4OID, NULL));
	version->transaction_id = xid_column(tuple, desc, COLUMN_TRANSACTION_ID);
	version->feed_position = xid_column(tuple, desc, COLUMN_FEED_POSITION);
	if (version->document != NULL)
		require_object_document(version->document);
	if (version->before != NULL)
		require_object_document(version->before);
}

/* Mark those of the users whom a statement finds. */
static void
mark_found(SPIPlanPtr plan, Datum *values, bool *marks)
{
	uint64		number;

	plan_by_index(plan);
	number = run(plan, values);
	for (uint64 i = 0; i < number; i++)
		marks[DatumGetInt64(result_column(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
										  INT8OID, NULL)) - 1] = true;
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Which of these users may be shown?
 */
bool *
past_which_are_shown(const Past *past, Datum *ids, int count)
{
	bool	   *shown = palloc0(sizeof(bool) * count);
	bool	   *existing = palloc0(sizeof(bool) * count);
	SavedUser	saved;
	Datum		values[1];

	if (!past->hides)
	{
		memset(shown, true, sizeof(bool) * count);
		return shown;
	}
	values[0] = array_of(past->binding->id_type, ids, count);
	mark_found(statement_plan(past->binding, STATEMENT_PAST_VISIBLE), values, shown);
	become_owner(past->binding->owner, &saved);
	mark_found(statement_plan(past->binding, STATEMENT_PAST_EXISTING), values, existing);
	become_caller_again(&saved);
	for (int i = 0; i < count; i++)
		shown[i] |= !existing[i];
	return shown;
}

/*
 * May the past of this user be shown?
 */
bool
past_shows(const Past *past, Datum id)
{
	return past_which_are_shown(past, &id, 1)[0];
}

/* What a scan of versions has to do. */
typedef struct PastScan
{
	PastVisitor visit;
	void	   *arg;
	int64		limit;			/* of versions that are shown */
	bool		is_filtered;	/* by whether their users are */
	bool		by_index;
	int64		shown;			/* so far */
} PastScan;

/*
 * Visit the versions that a statement gives, unless they are of users who are
 * not shown.
 */
static void
scan_versions(const Past *past, BoundStatement statement, Datum *values, const char *nulls,
			  PastScan *scan)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext rows = AllocSetContextCreate(context, "userstore past", ALLOCSET_DEFAULT_SIZES);
	SavedUser	saved;
	SPIPlanPtr	plan = past_begin(past, statement, &saved);
	Portal		portal;

	if (scan->by_index)
		plan_by_index(plan);
	portal = SPI_cursor_open(NULL, plan, values, nulls, true);
	past_end(past, &saved);
	while (scan->shown < scan->limit)
	{
		PastVersion versions[PAST_ROWS_AT_ONCE];
		Datum		ids[PAST_ROWS_AT_ONCE];
		bool	   *shown = NULL;
		int			number;

		number = past_fetch(past, portal);
		MemoryContextSwitchTo(rows);
		MemoryContextReset(rows);
		for (int i = 0; i < number; i++)
		{
			take_version(past->binding, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &versions[i]);
			ids[i] = versions[i].user_id;
		}
		SPI_freetuptable(SPI_tuptable);
		if (number == 0)
			break;
		if (scan->is_filtered)
			shown = past_which_are_shown(past, ids, number);
		for (int i = 0; i < number && scan->shown < scan->limit; i++)
		{
			CHECK_FOR_INTERRUPTS();
			scan->shown += shown == NULL || shown[i] ? 1 : 0;
			if (shown == NULL || shown[i])
				scan->visit(scan->arg, &versions[i]);
		}
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(rows);
}

/*
 * Visit the versions of a user in their order.  Gives their number.
 */
int64
past_versions(const Past *past, Datum id, PastVisitor visit, void *arg)
{
	PastScan	scan = {visit, arg, PG_INT64_MAX};

	scan_versions(past, STATEMENT_PAST_VERSIONS, &id, NULL, &scan);
	return scan.shown;
}

/*
 * Visit the versions of all users that were made from a time on and before
 * another, in no order.  What was before each is known as far as history has it.
 */
void
past_span(const Past *past, TimestampTz since, TimestampTz until, PastVisitor visit, void *arg)
{
	PastScan	scan = {visit, arg, PG_INT64_MAX, true};
	Datum		values[2];

	values[0] = TimestampTzGetDatum(since);
	values[1] = TimestampTzGetDatum(until);
	scan_versions(past, STATEMENT_PAST_SPAN, values, NULL, &scan);
}

/*
 * States
 */

/* The newest version of a user, if history has one. */
typedef struct Newest
{
	bool		is_known;
	bool		is_deletion;
	TimestampTz changed_at;
} Newest;

static Newest *
find_newest(const Past *past, Datum *ids, int count)
{
	Newest	   *newest = palloc0(sizeof(Newest) * count);
	SavedUser	saved;
	SPIPlanPtr	plan = past_begin(past, STATEMENT_PAST_NEWEST, &saved);
	Datum		values[1];
	uint64		number;

	values[0] = array_of(past->binding->id_type, ids, count);
	plan_by_index(plan);
	number = run(plan, values);
	past_end(past, &saved);
	for (uint64 i = 0; i < number; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Newest	   *found = &newest[DatumGetInt64(result_column(tuple, desc, 1, INT8OID, NULL)) - 1];

		found->is_known = true;
		found->is_deletion = DatumGetBool(result_column(tuple, desc, 2, BOOLOID, NULL));
		found->changed_at = DatumGetTimestampTz(result_column(tuple, desc, 3, TIMESTAMPTZOID, NULL));
	}
	SPI_freetuptable(SPI_tuptable);
	return newest;
}

/*
 * The state of a user of whom history knows nothing, or who was deleted: plain
 * SQL inserted it since.  False when it is not of that time.
 */
static bool
take_present(const Newest *newest, const UserRow *row, TimestampTz at, PastVersion *state)
{
	TimestampTz since = row->created;

	if (newest->is_known && !newest->is_deletion)
		return false;
	if (newest->is_known)
		since = Max(since, newest->changed_at);
	state->version = row->version;
	state->document = row->document;
	state->changed_at = since;
	return since <= at;
}

/* When the life of a user began that had this version, and has it ended? */
static TimestampTz
began(const Past *past, const PastVersion *state, bool *has_ended)
{
	SavedUser	saved;
	SPIPlanPtr	plan = past_begin(past, STATEMENT_PAST_LIFE, &saved);
	Datum		values[2];
	TimestampTz since = state->changed_at;

	values[0] = state->user_id;
	values[1] = Int64GetDatum(state->version);
	*has_ended = false;
	if (run(plan, values) > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		since = DatumGetTimestampTz(result_column(tuple, desc, 1, TIMESTAMPTZOID, NULL));
		*has_ended = DatumGetBool(result_column(tuple, desc, 2, BOOLOID, NULL));
	}
	past_end(past, &saved);
	SPI_freetuptable(SPI_tuptable);
	return since;
}

/* A state, copied to where it lasts. */
typedef struct KeptState
{
	MemoryContext context;
	PastVersion *state;
	bool		found;
} KeptState;

static void
keep_state(void *arg, PastVersion *version)
{
	KeptState  *kept = arg;
	MemoryContext old = MemoryContextSwitchTo(kept->context);

	kept->state->version = version->version;
	kept->state->operation = version->operation != NULL ? pstrdup(version->operation) : NULL;
	kept->state->changed_at = version->changed_at;
	kept->found = version->document != NULL;
	if (kept->found)
		kept->state->document = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(version->document));
	MemoryContextSwitchTo(old);
}

/*
 * What a user was at a time, and when it was created; false when it was not
 * there, or nobody knows.
 */
bool
past_state(const Past *past, Datum id, TimestampTz at, PastVersion *state, TimestampTz *created)
{
	KeptState	kept = {CurrentMemoryContext, state, false};
	PastScan	scan = {keep_state, &kept, 1};
	Datum		values[2];
	UserRow		row;
	bool		has_ended;

	memset(state, 0, sizeof(PastVersion));
	state->user_id = id;
	values[0] = TimestampTzGetDatum(at);
	values[1] = id;
	scan_versions(past, STATEMENT_PAST_STATE, values, NULL, &scan);
	if (!kept.found)
	{
		Newest	   *newest = find_newest(past, &id, 1);

		if ((newest->is_known && !newest->is_deletion) ||
			!user_read(past->binding, id, READ_STABLE, &row))
			return false;
		*created = row.created;
		return take_present(newest, &row, at, state);
	}
	*created = state->changed_at;
	if (state->operation == NULL)
		return true;
	*created = began(past, state, &has_ended);
	/* the user itself knows best: history may have been purged */
	if (!has_ended && user_read(past->binding, id, READ_STABLE, &row))
		*created = row.created;
	return true;
}

/* Visit users of whom history knows nothing, as far as they were there then. */
static void
visit_present(const Past *past, TimestampTz at, PastVisitor visit, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext rows = AllocSetContextCreate(context, "userstore present", ALLOCSET_DEFAULT_SIZES);
	Portal		portal = set_open(past->binding, at, false);

	for (;;)
	{
		Datum		ids[PAST_ROWS_AT_ONCE];
		FoundRow   *found;
		Newest	   *newest;
		int			number;

		MemoryContextSwitchTo(rows);
		MemoryContextReset(rows);
		number = set_fetch(past->binding, portal, PAST_ROWS_AT_ONCE, &found);
		if (number == 0)
			break;
		for (int i = 0; i < number; i++)
			ids[i] = found[i].id;
		newest = find_newest(past, ids, number);
		for (int i = 0; i < number; i++)
		{
			PastVersion state = {0};

			CHECK_FOR_INTERRUPTS();
			state.user_id = ids[i];
			if (take_present(&newest[i], &found[i].row, at, &state))
				visit(arg, &state);
		}
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(rows);
}

/*
 * Visit what all users were at a time; deletions (without a document) too.
 */
void
past_states(const Past *past, TimestampTz at, PastVisitor visit, void *arg)
{
	PastScan	scan = {visit, arg, PG_INT64_MAX, true};
	Datum		values[1];

	values[0] = TimestampTzGetDatum(at);
	scan_versions(past, STATEMENT_PAST_STATES, values, NULL, &scan);
	visit_present(past, at, visit, arg);
}

/*
 * The feed
 */

/*
 * Visit changes behind a place, up to so many, in an order that never changes:
 * what is visited later, also by others and at other times, comes behind them.
 */
void
past_changes(const Past *past, const FeedPlace *after, int64 limit, PastVisitor visit, void *arg)
{
	PastScan	scan = {visit, arg, limit, true, true};
	Datum		values[6];
	char		nulls[] = "      ";

	values[0] = Int32GetDatum(catalog_present_era());
	values[1] = Int32GetDatum(after->era);
	values[2] = FullTransactionIdGetDatum(after->position);
	values[3] = after->user_id;
	nulls[3] = after->has_user_id ? ' ' : 'n';
	values[4] = Int64GetDatum(after->version);
	values[5] = Int64GetDatum(limit);
	/* of what is not shown there may be any number */
	nulls[5] = past->hides ? 'n' : ' ';
	scan_versions(past, STATEMENT_PAST_CHANGES, values, nulls, &scan);
}
