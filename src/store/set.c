/*
 * set.c
 *	  Read, lock and write many users at once, a statement for each of these
 *	  however many they are.
 *
 * Ids go into statements as arrays, and rows are locked and inserted in the
 * order of ids, so that two requests about the same users wait for each other
 * rather than lock each other out.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "store/store.h"

/* See KEY_LOCK_CLASS. */
#define SET_LOCK_CLASS		0x5554

/* Rows that are fetched at once; one may be as large as a user can be. */
#define READ_AT_ONCE		100

/* Columns of what the statements on rows give. */
enum
{
	COLUMN_DOCUMENT = 1,
	COLUMN_VERSION,
	COLUMN_CREATED,
	COLUMN_MODIFIED,
	COLUMN_ID,
	COLUMN_XMIN					/* where what was read may be written */
};

Datum
array_of(Oid type, Datum *elems, int count)
{
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(type, &len, &byval, &align);
	return PointerGetDatum(construct_array(elems, count, type, len, byval, align));
}

static void
run(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	int			result;

	plan_by_index(plan);
	result = SPI_execute_plan(plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result)); /* can't happen */
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
}

static Datum
copy_id(Binding *binding, HeapTuple tuple, TupleDesc desc, int column)
{
	Datum		id = result_column(tuple, desc, column, binding->id_type, NULL);

	return datumCopy(id, get_typbyval(binding->id_type), get_typlen(binding->id_type));
}

/* The rows that a statement gave. */
static FoundRow *
take_rows(Binding *binding)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	uint64		count = SPI_processed;
	FoundRow   *rows = palloc0(sizeof(FoundRow) * Max(count, 1));

	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		FoundRow   *row = &rows[i];

		CHECK_FOR_INTERRUPTS();
		row->id = copy_id(binding, tuple, desc, COLUMN_ID);
		row->row.document = DatumGetJsonbPCopy(result_column(tuple, desc, COLUMN_DOCUMENT, JSONBOID, NULL));
		require_object_document(row->row.document);
		row->row.version = DatumGetInt64(result_column(tuple, desc, COLUMN_VERSION, INT8OID, NULL));
		row->row.created = DatumGetTimestampTz(result_column(tuple, desc, COLUMN_CREATED, TIMESTAMPTZOID, NULL));
		row->row.modified = DatumGetTimestampTz(result_column(tuple, desc, COLUMN_MODIFIED, TIMESTAMPTZOID, NULL));
		row->row.xmin = desc->natts < COLUMN_XMIN ? InvalidTransactionId :
			DatumGetTransactionId(result_column(tuple, desc, COLUMN_XMIN, XIDOID, NULL));
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

/*
 * Requests that create users in the order of ids may do so beside each other.
 * Those that cannot, since they are too large for one set or are done item by
 * item, would lock others out and be locked out: they take turns with all.
 * Waits until others are done, if need be; lasts until the transaction ends, or
 * the subtransaction in which it was called is taken back.
 */
void
set_wait(Binding *binding, bool in_turn)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, binding->users, 0, SET_LOCK_CLASS);
	(void) LockAcquire(&tag, in_turn ? ExclusiveLock : ShareLock, false, false);
}

/*
 * Lock the users with these ids until the transaction ends.
 */
void
set_lock(Binding *binding, const Datum *ids, int count)
{
	Datum		values[1];

	values[0] = array_of(binding->id_type, unconstify(Datum *, ids), count);
	run(statement_plan(binding, STATEMENT_SET_LOCK), values, NULL);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * The same, if they all have the rows still that were read.  Gives false, with
 * some of them locked, when they have not.
 */
bool
set_lock_guarded(Binding *binding, const Datum *ids, const TransactionId *xmins, int count)
{
	Datum	   *elems = palloc(sizeof(Datum) * count);
	Datum		values[2];
	int64		number;

	values[0] = array_of(binding->id_type, unconstify(Datum *, ids), count);
	for (int i = 0; i < count; i++)
		elems[i] = TransactionIdGetDatum(xmins[i]);
	values[1] = array_of(XIDOID, elems, count);
	run(statement_plan(binding, STATEMENT_SET_LOCK_GUARDED), values, NULL);
	number = DatumGetInt64(result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, INT8OID, NULL));
	SPI_freetuptable(SPI_tuptable);
	pfree(elems);
	return number == count;
}

/*
 * Read the users with these ids as they stand now, locked or not.  Gives their
 * number, or -1 when their documents would take more memory than max_bytes (0:
 * no matter).
 */
int
set_read(Binding *binding, bool locked, const Datum *ids, int count, int64 max_bytes,
		 FoundRow **found)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan = statement_plan(binding, locked ? STATEMENT_SET_READ_LOCKED : STATEMENT_SET_READ);
	Datum		values[1];
	Portal		portal;
	int64		bytes = 0;
	int			number = 0;

	values[0] = array_of(binding->id_type, unconstify(Datum *, ids), count);
	plan_by_index(plan);
	portal = SPI_cursor_open(NULL, plan, values, NULL, false);
	*found = MemoryContextAllocHuge(context, sizeof(FoundRow) * Max(count, 1));
	for (;;)
	{
		FoundRow   *rows;
		int			fetched;

		SPI_cursor_fetch(portal, true, READ_AT_ONCE);
		MemoryContextSwitchTo(context);
		fetched = SPI_processed;
		rows = take_rows(binding);
		for (int i = 0; i < fetched; i++)
		{
			bytes += VARSIZE(rows[i].row.document);
			(*found)[number++] = rows[i];
		}
		pfree(rows);
		if (fetched == 0 || (max_bytes > 0 && bytes > max_bytes))
			break;
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	return max_bytes > 0 && bytes > max_bytes ? -1 : number;
}

/*
 * All users whom the caller can see who were created up to a time, as the
 * calling query sees them or as they stand now, to be fetched some at a time.
 */
Portal
set_open(Binding *binding, TimestampTz until, bool as_of_now)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan = statement_plan(binding, STATEMENT_PAST_USERS);
	Datum		values[1];
	Portal		portal;

	values[0] = TimestampTzGetDatum(until);
	portal = SPI_cursor_open(NULL, plan, values, NULL, !as_of_now);
	MemoryContextSwitchTo(context);
	return portal;
}

int
set_fetch(Binding *binding, Portal portal, int count, FoundRow **found)
{
	MemoryContext context = CurrentMemoryContext;
	int			number;

	SPI_cursor_fetch(portal, true, count);
	MemoryContextSwitchTo(context);
	number = SPI_processed;
	*found = take_rows(binding);
	return number;
}

/*
 * The next users whom the caller can see, in the order of ids: behind this one,
 * or with NULL the first ones.  As the calling query sees them, each time: that
 * is the whole as of one time, and nothing has to be held meanwhile that a
 * savepoint or a commit may take away.  Gives their number, with ids and
 * documents alone.
 */
int
set_next(Binding *binding, const Datum *after, int count, FoundRow **found)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan = statement_plan(binding, after != NULL ? STATEMENT_SET_NEXT : STATEMENT_SET_FIRST);
	Datum		values[2];
	int			number;

	values[0] = Int64GetDatum(count);
	values[1] = after != NULL ? *after : (Datum) 0;
	plan_by_index(plan);
	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading users failed");	/* can't happen */
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	number = SPI_processed;
	*found = palloc0(sizeof(FoundRow) * Max(number, 1));
	for (int i = 0; i < number; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		CHECK_FOR_INTERRUPTS();
		(*found)[i].row.document = DatumGetJsonbPCopy(result_column(tuple, desc, 1, JSONBOID, NULL));
		(*found)[i].id = copy_id(binding, tuple, desc, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	return number;
}

/*
 * Which of these ids are those of users, whether the caller can see them or
 * not?
 */
int
set_existing(Binding *binding, const Datum *ids, int count, Datum **found)
{
	SavedUser	saved;
	Datum		values[1];
	int			number;

	values[0] = array_of(binding->id_type, unconstify(Datum *, ids), count);
	become_owner(binding->owner, &saved);
	run(statement_plan(binding, STATEMENT_SET_EXISTS), values, NULL);
	become_caller_again(&saved);
	number = SPI_processed;
	*found = palloc(sizeof(Datum) * Max(number, 1));
	for (int i = 0; i < number; i++)
		(*found)[i] = copy_id(binding, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	return number;
}

/*
 * Are there users with these ids whom the caller cannot see?
 */
bool
set_hides_any(Binding *binding, const Datum *ids, int count)
{
	Datum		values[1];
	Datum	   *existing;
	uint64		visible;

	values[0] = array_of(binding->id_type, unconstify(Datum *, ids), count);
	run(statement_plan(binding, STATEMENT_SET_VISIBLE), values, NULL);
	visible = SPI_processed;
	SPI_freetuptable(SPI_tuptable);
	return set_existing(binding, ids, count, &existing) > visible;
}

/* Run a statement that writes rows of the user table; gives their number. */
static int
write_rows(Binding *binding, BoundStatement statement, Datum *values)
{
	OwnWrite	own;

	own_write_begin(&own, binding, NULL);
	PG_TRY();
	{
		run(statement_plan(binding, statement), values, NULL);
	}
	PG_FINALLY();
	{
		own_write_end(&own);
	}
	PG_END_TRY();
	return SPI_processed;
}

/*
 * Insert rows, in this order, write them over those that were read, or delete
 * those.  Gives the number of rows that came of it, which is less when a user
 * was changed meanwhile, or when somebody's trigger wants no row.  Where triggers may have changed the rows, they are given as written;
 * else that is NULL.
 */
int
set_write(Binding *binding, SetWrite kind, const NewRow *rows, int count, FoundRow **written)
{
	Datum	   *elems = palloc(sizeof(Datum) * count);
	Datum		values[5];
	bool		returns = binding->changes_rows && kind != SET_DELETE;
	int			nvalues = 0;
	int			number;

	for (int i = 0; i < count; i++)
		elems[i] = rows[i].id;
	values[nvalues++] = array_of(binding->id_type, elems, count);
	if (kind != SET_DELETE)
	{
		for (int i = 0; i < count; i++)
			elems[i] = JsonbPGetDatum(rows[i].document);
		values[nvalues++] = array_of(JSONBOID, elems, count);
		for (int i = 0; i < count; i++)
			elems[i] = Int64GetDatum(rows[i].version);
		values[nvalues++] = array_of(INT8OID, elems, count);
		for (int i = 0; i < count; i++)
			elems[i] = TimestampTzGetDatum(rows[i].modified);
		values[nvalues++] = array_of(TIMESTAMPTZOID, elems, count);
	}
	if (kind != SET_INSERT)
	{
		for (int i = 0; i < count; i++)
			elems[i] = TransactionIdGetDatum(rows[i].xmin);
		values[nvalues++] = array_of(XIDOID, elems, count);
	}
	if (kind == SET_DELETE)
		number = write_rows(binding, STATEMENT_SET_DELETE, values);
	else if (kind == SET_INSERT)
		number = write_rows(binding, returns ? STATEMENT_SET_INSERT_RETURNING : STATEMENT_SET_INSERT, values);
	else
		number = write_rows(binding, returns ? STATEMENT_SET_UPDATE_RETURNING : STATEMENT_SET_UPDATE, values);
	*written = returns ? take_rows(binding) : NULL;
	pfree(elems);
	while (nvalues > 0)
		pfree(DatumGetPointer(values[--nvalues]));
	return number;
}

/*
 * A value of a unique attribute as its column has it, as text; NULL when it is
 * no value there.  This is unique.c's expression once more.
 */
char *
unique_key(Oid type, bool case_exact, JsonbValue *value)
{
	Datum		lowered;
	char	   *key;

	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type == jbvNumeric)
		return type == NUMERICOID ? numeric_normalize(value->val.numeric) :
			DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	if (value->type == jbvBool)
		return pstrdup(value->val.boolean ? "true" : "false");
	if (value->type != jbvString || value->val.string.len == 0)
		return NULL;
	key = document_cstring(value);
	if (case_exact)
		return key;
	lowered = DirectFunctionCall1Coll(lower, DEFAULT_COLLATION_OID, CStringGetTextDatum(key));
	return TextDatumGetCString(lowered);
}

/*
 * Who has one of these values (char *, as unique_key gives them) of a unique
 * attribute, whether the caller can see the user or not: an index does not ask
 * either.  Gives their number.
 */
int
set_holders(Binding *binding, UniqueIndex *index, List *values, Holder **found)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(list_length(values), 1));
	Oid			type = index->is_claimed ? TEXTOID : index->type;
	SavedUser	saved;
	Datum		arguments[1];
	ListCell   *lc;
	int			number;

	foreach(lc, values)
		elems[foreach_current_index(lc)] = type == NUMERICOID ?
		DirectFunctionCall3(numeric_in, CStringGetDatum(lfirst(lc)),
							ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)) :
		CStringGetTextDatum((char *) lfirst(lc));
	arguments[0] = array_of(type, elems, list_length(values));
	become_owner(binding->owner, &saved);
	run(holders_plan(binding, index), arguments, NULL);
	become_caller_again(&saved);
	number = SPI_processed;
	*found = palloc(sizeof(Holder) * Max(number, 1));
	for (int i = 0; i < number; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Datum		value = result_column(tuple, desc, 2, type, NULL);

		(*found)[i].id = copy_id(binding, tuple, desc, 1);
		(*found)[i].value = type == NUMERICOID ?
			numeric_normalize(DatumGetNumeric(value)) : TextDatumGetCString(value);
	}
	SPI_freetuptable(SPI_tuptable);
	return number;
}
