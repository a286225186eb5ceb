/*
 * erase.c
 *	  What the companions of a user table know of users goes: all of one user,
 *	  or all that is older than a time.
 *
 * Of each user the newest row of history stays, without values, so that
 * versions never go back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store/store.h"

/* Answers that are looked through at once. */
#define ANSWERS_AT_ONCE		100

/* Run a statement as the owner; gives the number of rows. */
static uint64
run(Binding *binding, BoundStatement statement, Datum *values)
{
	MemoryContext context = CurrentMemoryContext;
	SavedUser	saved;
	int			result;

	become_owner(binding->owner, &saved);
	result = SPI_execute_plan(statement_plan(binding, statement), values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result)); /* can't happen */
	become_caller_again(&saved);
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	return SPI_processed;
}

/*
 * Wait until nobody is about to keep an answer, and let nobody be until the
 * transaction ends: who has looked for a key may have read the user since, and
 * would keep what is erased here.
 */
void
erase_begin(Binding *binding)
{
	(void) run(binding, STATEMENT_KEYS_LOCK, NULL);
}

/*
 * All documents (Jsonb *) that history has of a user.
 */
List *
erase_documents(Binding *binding, Datum id)
{
	uint64		number = run(binding, STATEMENT_HISTORY_DOCUMENTS, &id);
	List	   *documents = NIL;

	for (uint64 i = 0; i < number; i++)
	{
		CHECK_FOR_INTERRUPTS();
		documents = lappend(documents,
							DatumGetJsonbPCopy(result_column(SPI_tuptable->vals[i],
															 SPI_tuptable->tupdesc, 1, JSONBOID, NULL)));
	}
	SPI_freetuptable(SPI_tuptable);
	return documents;
}

/*
 * Erase the history of a user who is no more.  Gives the number of versions
 * that had anything to erase.
 */
int64
erase_history(Binding *binding, Datum id)
{
	TimestampTz newest_at;
	Datum		values[2];
	int64		erased;

	values[0] = id;
	values[1] = Int64GetDatum(history_newest_version(binding, id, &newest_at));
	erased = run(binding, STATEMENT_HISTORY_ERASE, values);
	return erased + run(binding, STATEMENT_HISTORY_BLANK, values);
}

/* Forget a key, with its answer. */
static void
delete_key(Binding *binding, List *key)
{
	Datum		values[2];

	values[0] = PointerGetDatum(linitial(key));
	values[1] = PointerGetDatum(lsecond(key));
	(void) run(binding, STATEMENT_KEY_DELETE, values);
}

/* The keys (caller and key, of text *) of requests on many users whose answers mention one. */
static List *
find_keys(Binding *binding, bool (*mentions) (void *arg, Jsonb *response), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext rows = AllocSetContextCreate(context, "userstore answers", ALLOCSET_DEFAULT_SIZES);
	List	   *keys = NIL;
	SavedUser	saved;
	Portal		portal;

	become_owner(binding->owner, &saved);
	portal = SPI_cursor_open(NULL, statement_plan(binding, STATEMENT_KEYS_OF_MANY), NULL, NULL, false);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, ANSWERS_AT_ONCE);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			HeapTuple	tuple = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;

			CHECK_FOR_INTERRUPTS();
			MemoryContextSwitchTo(rows);
			if (mentions(arg, DatumGetJsonbP(result_column(tuple, desc, 3, JSONBOID, NULL))))
			{
				MemoryContextSwitchTo(context);
				keys = lappend(keys, list_make2(DatumGetTextPCopy(result_column(tuple, desc, 1, TEXTOID, NULL)),
												DatumGetTextPCopy(result_column(tuple, desc, 2, TEXTOID, NULL))));
			}
			MemoryContextReset(rows);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	become_caller_again(&saved);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(rows);
	return keys;
}

/*
 * Forget the keys of requests about a user, and of those about many users whose
 * answer mentions this one.  Gives their number.
 */
int64
erase_keys(Binding *binding, Datum id, bool (*mentions) (void *arg, Jsonb *response), void *arg)
{
	int64		erased = run(binding, STATEMENT_KEYS_OF_USER, &id);
	List	   *keys = find_keys(binding, mentions, arg);
	ListCell   *lc;

	foreach(lc, keys)
		delete_key(binding, lfirst(lc));
	return erased + list_length(keys);
}

/*
 * Purge history of what is of no time since the one given, up to so many rows.
 * Gives the number of rows.
 */
int64
purge_history(Binding *binding, TimestampTz before, int32 limit)
{
	Datum		values[2];
	int64		purged;

	values[0] = TimestampTzGetDatum(before);
	values[1] = Int32GetDatum(limit);
	(void) run(binding, STATEMENT_HISTORY_PURGE, values);
	purged = DatumGetInt64(result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, INT8OID, NULL));
	SPI_freetuptable(SPI_tuptable);
	return purged;
}
