/*
 * state.c
 *	  The state table of an app's own table: what that has no columns for, a row
 *	  for each user.
 *
 * It is read by joins, as the caller, and written as its owner, by whoever holds
 * the lock on the user's row.  A user whom an app inserted may have no row here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "utils/builtins.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_is_visible);

/* Which table a state table is of, as an earlier call from the same place found. */
typedef struct StateTable
{
	Oid			state;
	Oid			users;
} StateTable;

static uint64
run_as_owner(Binding *binding, BoundStatement statement, Datum *values, const char *nulls)
{
	SavedUser	saved;
	uint64		count;

	become_owner(binding->owner, &saved);
	count = run_statement(binding, statement, values, nulls, false);
	become_caller_again(&saved);
	return count;
}

/*
 * What is there of a user.
 */
void
state_read(Binding *binding, Datum id, StateRow *state)
{
	Datum		values[1];
	Datum		value;
	bool		isnull;

	state->version = 1;
	state->document = NULL;
	values[0] = id;
	if (run_as_owner(binding, STATEMENT_STATE_READ, values, NULL) == 0)
		return;
	value = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, INT8OID, &isnull);
	if (!isnull)
		state->version = DatumGetInt64(value);
	value = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, JSONBOID, &isnull);
	if (!isnull)
		state->document = DatumGetJsonbPCopy(value);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Put there what the table has no columns for, of document (NULL: as it is) and
 * row.  Over says which version is to be there before.  Gives false when another
 * is.
 */
bool
state_write(Binding *binding, Datum id, Jsonb *document, const UserRow *row, bool is_new,
			const int64 *over)
{
	const Layout *layout = &binding->layout;
	Datum		values[6];
	char		nulls[] = "      ";

	values[0] = id;
	values[1] = JsonbPGetDatum(document);
	nulls[1] = layout->document == NULL && document != NULL ? ' ' : 'n';
	values[2] = Int64GetDatum(row->version);
	nulls[2] = layout->version == NULL ? ' ' : 'n';
	values[3] = TimestampTzGetDatum(row->created);
	nulls[3] = layout->created == NULL && is_new ? ' ' : 'n';
	values[4] = TimestampTzGetDatum(row->modified);
	nulls[4] = layout->modified == NULL ? ' ' : 'n';
	if (over == NULL)
		return run_as_owner(binding, STATEMENT_STATE_WRITE, values, nulls) > 0;
	values[5] = Int64GetDatum(*over);
	return run_as_owner(binding, STATEMENT_STATE_WRITE_OVER, values, nulls) > 0;
}

/*
 * A user who is gone has no state.
 */
void
state_delete(Binding *binding, Datum id)
{
	Datum		values[1];

	values[0] = id;
	(void) run_as_owner(binding, STATEMENT_STATE_DELETE, values, NULL);
}

/*
 * Nobody has.
 */
void
state_clear(Binding *binding)
{
	(void) run_as_owner(binding, STATEMENT_STATE_CLEAR, NULL, NULL);
}

/*
 * user_is_visible(state oid, id text): the policy of state tables.
 */
Datum
user_is_visible(PG_FUNCTION_ARGS)
{
	StateTable *cached = fcinfo->flinfo->fn_extra;
	Oid			state = PG_GETARG_OID(0);
	Binding    *binding;
	Datum		values[1];
	bool		is_visible;

	if (cached == NULL)
		cached = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
																   sizeof(StateTable));
	if (cached->state != state)
	{
		Registration registration;

		cached->users = catalog_registration_of(state, &registration) ? registration.users : InvalidOid;
		cached->state = state;
	}
	binding = OidIsValid(cached->users) ? binding_find(cached->users) : NULL;
	/* what is no longer registered shows nothing, but to its owner */
	if (binding == NULL || binding->layout.state != state)
		PG_RETURN_BOOL(false);
	SPI_connect();
	values[0] = binding_id_from_text(binding, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (SPI_execute_plan(statement_plan(binding, STATEMENT_VISIBLE), values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "looking for a user failed");	/* can't happen */
	is_visible = SPI_processed > 0;
	SPI_finish();
	PG_RETURN_BOOL(is_visible);
}
