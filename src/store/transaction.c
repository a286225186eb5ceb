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

/* Rows that are fetched at once. */
#define ROWS_AT_ONCE	100

/* Columns of the statement. */
enum
{
	COLUMN_USER_ID = 1,
	COLUMN_FIRST,
	COLUMN_OPERATION,
	COLUMN_LAST,
	COLUMN_DELETED,
	COLUMN_NEWEST,
	COLUMN_HAS_PREVIOUS,
	COLUMN_BEFORE
};

static void
take_change(Binding *binding, HeapTuple tuple, TupleDesc desc, TransactionChange *change)
{
	Datum		value = result_column(tuple, desc, COLUMN_USER_ID, binding->id_type, NULL);
	char	   *operation;
	bool		has_previous;
	bool		isnull;

	change->user_id = datumCopy(value, get_typbyval(binding->id_type), get_typlen(binding->id_type));
	change->first = DatumGetInt64(result_column(tuple, desc, COLUMN_FIRST, INT8OID, NULL));
	change->last = DatumGetInt64(result_column(tuple, desc, COLUMN_LAST, INT8OID, NULL));
	change->deleted = DatumGetBool(result_column(tuple, desc, COLUMN_DELETED, BOOLOID, NULL));
	change->newest = DatumGetInt64(result_column(tuple, desc, COLUMN_NEWEST, INT8OID, NULL));
	has_previous = DatumGetBool(result_column(tuple, desc, COLUMN_HAS_PREVIOUS, BOOLOID, NULL));
	value = result_column(tuple, desc, COLUMN_BEFORE, JSONBOID, &isnull);
	change->before = isnull ? NULL : DatumGetJsonbPCopy(value);
	if (change->before != NULL)
		require_object_document(change->before);

	/*
	 * A first version is one's creation, and so is one after a deletion. What
	 * came before others may have been purged.
	 */
	operation = TextDatumGetCString(result_column(tuple, desc, COLUMN_OPERATION, TEXTOID, NULL));
	change->is_known = change->before != NULL || has_previous || change->first == 1 ||
		strcmp(operation, "create") == 0 || history_may_lack(binding, change->first - 1);
}

/*
 * Visit what a transaction did to users who are shown to the caller, as history
 * has it now.
 */
void
past_transaction(const Past *past, int32 era, FullTransactionId transaction,
				 TransactionVisitor visit, void *arg)
{
	Binding    *binding = past->binding;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext rows = AllocSetContextCreate(context, "userstore transaction", ALLOCSET_DEFAULT_SIZES);
	SavedUser	saved;
	SPIPlanPtr	plan;
	Portal		portal;
	Datum		values[2];

	values[0] = FullTransactionIdGetDatum(transaction);
	values[1] = Int32GetDatum(era);
	become_owner(binding->owner, &saved);
	plan = statement_plan(binding, STATEMENT_PAST_TRANSACTION);
	plan_by_index(plan);
	portal = SPI_cursor_open(NULL, plan, values, NULL, false);
	become_caller_again(&saved);
	for (;;)
	{
		TransactionChange changes[ROWS_AT_ONCE];
		Datum		ids[ROWS_AT_ONCE];
		bool	   *shown;
		int			number;

		become_owner(binding->owner, &saved);
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		become_caller_again(&saved);
		number = SPI_processed;
		MemoryContextSwitchTo(rows);
		MemoryContextReset(rows);
		for (int i = 0; i < number; i++)
		{
			take_change(binding, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &changes[i]);
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
