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
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "store/store.h"

/* Whom the application says it acts for: a setting, shown beside the role. */
char	   *userstore_actor = NULL;

/*
 * Append a version.  Gives false when history has that version of the user
 * already.
 */
bool
history_append(Binding *binding, const HistoryEntry *entry)
{
	SPIPlanPtr	plan;
	SavedUser	saved;
	NameData	changed_by;
	Datum		values[11] = {0};
	char		nulls[] = "           ";
	int			result;

	values[0] = entry->user_id;
	values[1] = Int64GetDatum(entry->version);
	values[2] = CStringGetTextDatum(entry->operation);
	if (entry->document != NULL)
		values[3] = JsonbPGetDatum(entry->document);
	else
		nulls[3] = 'n';
	values[4] = list_text_array(entry->changed);
	values[5] = TimestampTzGetDatum(entry->changed_at);
	/* before the switch: it is the caller who changes */
	namestrcpy(&changed_by, GetUserNameFromId(GetUserId(), false));
	values[6] = NameGetDatum(&changed_by);
	if (userstore_actor != NULL && userstore_actor[0] != '\0')
		values[7] = CStringGetTextDatum(userstore_actor);
	else
		nulls[7] = 'n';
	if (entry->request_id != NULL)
		values[8] = CStringGetTextDatum(entry->request_id);
	else
		nulls[8] = 'n';
	values[9] = Int32GetDatum(catalog_era());
	values[10] = FullTransactionIdGetDatum(GetTopFullTransactionId());

	become_owner(binding->owner, &saved);
	plan = binding_plan(binding, STATEMENT_HISTORY_INSERT);
	result = SPI_execute_plan(plan, values, nulls, false, 0);
	if (result != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result)); /* can't happen */
	become_caller_again(&saved);
	return SPI_processed > 0;
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
	SPIPlanPtr	plan;
	SavedUser	saved;
	Datum		values[1];
	int64		version = 0;
	int			result;

	values[0] = user_id;
	become_owner(binding->owner, &saved);
	plan = binding_plan(binding, STATEMENT_HISTORY_VERSION);
	CommandCounterIncrement();
	result = SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, true, false, 1);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(result)); /* can't happen */
	become_caller_again(&saved);
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
