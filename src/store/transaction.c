/*
 * transaction.c
 *	  What one transaction did to users, as history has it.
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

/* Columns of the statement. */
enum
{
	COLUMN_USER_ID = 1,
	COLUMN_FIRST,
	COLUMN_OPERATION,
	COLUMN_LAST,
	COLUMN_DELETED,
	COLUMN_NEWEST,
	COLUMN_PREVIOUS,
	COLUMN_BEFORE,
	COLUMN_PASSWORD
};

/*
 * Is it known what was before?  A first version is one's creation, and so is one
 * after a deletion.  What came before others may have been purged; and policies
 * of the history table may hide it from the caller, who then sees another one.
 */
static bool
knows_before(const Past *past, const TransactionChange *change, int64 previous, const char *operation)
{
	if (previous > 0)
		return past->as_owner || previous == change->first - 1;
	return change->before != NULL || change->first == 1 || strcmp(operation, "create") == 0;
}

static void
take_change(const Past *past, HeapTuple tuple, TupleDesc desc, TransactionChange *change)
{
	Oid			id_type = past->binding->id_type;
	Datum		value = result_column(tuple, desc, COLUMN_USER_ID, id_type, NULL);
	char	   *operation;
	int64		previous;
	bool		isnull;

	change->user_id = datumCopy(value, get_typbyval(id_type), get_typlen(id_type));
	change->first = DatumGetInt64(result_column(tuple, desc, COLUMN_FIRST, INT8OID, NULL));
	operation = TextDatumGetCString(result_column(tuple, desc, COLUMN_OPERATION, TEXTOID, NULL));
	change->last = DatumGetInt64(result_column(tuple, desc, COLUMN_LAST, INT8OID, NULL));
	change->deleted = DatumGetBool(result_column(tuple, desc, COLUMN_DELETED, BOOLOID, NULL));
	change->newest = DatumGetInt64(result_column(tuple, desc, COLUMN_NEWEST, INT8OID, NULL));
	change->changes_password = DatumGetBool(result_column(tuple, desc, COLUMN_PASSWORD, BOOLOID, NULL));
	value = result_column(tuple, desc, COLUMN_PREVIOUS, INT8OID, &isnull);
	previous = isnull ? 0 : DatumGetInt64(value);
	value = result_column(tuple, desc, COLUMN_BEFORE, JSONBOID, &isnull);
	change->before = isnull ? NULL : DatumGetJsonbPCopy(value);
	change->is_known = knows_before(past, change, previous, operation);
	if (!change->is_known)
		change->before = NULL;
	if (change->before != NULL)
		require_object_document(change->before);
}

/*
 * Visit what a transaction did to users who are shown to the caller, as history
 * has it now, or as the caller may read that.
 */
void
past_transaction(const Past *past, int32 era, FullTransactionId transaction,
				 const char *password_path, TransactionVisitor visit, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext rows = AllocSetContextCreate(context, "userstore transaction", ALLOCSET_DEFAULT_SIZES);
	SavedUser	saved;
	SPIPlanPtr	plan;
	Portal		portal;
	Datum		values[3];
	char		nulls[] = "   ";

	values[0] = FullTransactionIdGetDatum(transaction);
	values[1] = Int32GetDatum(era);
	if (password_path != NULL)
		values[2] = CStringGetTextDatum(password_path);
	else
		nulls[2] = 'n';
	plan = past_begin(past, STATEMENT_PAST_TRANSACTION, &saved);
	plan_by_index(plan);
	portal = SPI_cursor_open(NULL, plan, values, nulls, false);
	past_end(past, &saved);
	for (;;)
	{
		TransactionChange changes[PAST_ROWS_AT_ONCE];
		Datum		ids[PAST_ROWS_AT_ONCE];
		bool	   *shown;
		int			number;

		number = past_fetch(past, portal);
		MemoryContextSwitchTo(rows);
		MemoryContextReset(rows);
		for (int i = 0; i < number; i++)
		{
			take_change(past, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &changes[i]);
			ids[i] = changes[i].user_id;
		}
		SPI_freetuptable(SPI_tuptable);
		if (number == 0)
			break;
		shown = past_which_are_shown(past, ids, number);
		for (int i = 0; i < number; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (shown[i])
				visit(arg, &changes[i]);
		}
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(rows);
}
