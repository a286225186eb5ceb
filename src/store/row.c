/*
 * row.c
 *	  Read, lock and write the rows of a user table.
 *
 * Rows are read and written as the caller, so privileges, row security,
 * constraints and triggers apply as to any statement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "store/store.h"

char *
taken_message(const char *path)
{
	return psprintf("a user with this \"%s\" exists already", path);
}

char *
taken_hint(const char *path)
{
	return psprintf("Send another value of \"%s\", or update the user who has this one.", path);
}

/*
 * What a violated constraint of the user table means for a user.  The SQLSTATE,
 * the constraint and the table stay, since drivers and ORMs know them; a DETAIL
 * that shows the row does not.
 */
static void
explain_violation(Binding *binding, ErrorData *error)
{
	const char *path = NULL;
	ListCell   *lc;

	if (error->table_name == NULL || strcmp(error->table_name, binding->name) != 0 ||
		error->schema_name == NULL || strcmp(error->schema_name, binding->schema_name) != 0)
		return;
	if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION || error->constraint_name == NULL)
	{
		error->detail = error_detail(error->column_name, SCIM_INVALID_VALUE);
		error->detail_log = NULL;
		return;
	}
	if (binding->primary_key != NULL &&
		strcmp(error->constraint_name, binding->primary_key) == 0)
		path = "id";
	foreach(lc, binding->unique_indexes)
	{
		UniqueIndex *unique = lfirst(lc);

		if (strcmp(error->constraint_name, unique->name) == 0)
			path = unique->path;
	}
	if (path == NULL)
		return;
	error->message = taken_message(path);
	error->detail = error_detail(path, SCIM_UNIQUENESS);
	error->detail_log = NULL;
	error->hint = taken_hint(path);
}

/*
 * Run a statement on the user table.  Gives the number of rows.
 */
static uint64
run(Binding *binding, BoundStatement statement, Datum *values, const char *nulls,
	bool read_only)
{
	SPIPlanPtr	plan = statement_plan(binding, statement);
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		int			result = SPI_execute_plan(plan, values, nulls, read_only, 0);

		if (result < 0)
			elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result)); /* can't happen */
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		explain_violation(binding, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	/* what SPI keeps, and the context in which it leaves us, last too long */
	MemoryContextSwitchTo(context);
	if (SPI_processed == 0)
		SPI_freetuptable(SPI_tuptable);
	return SPI_processed;
}

/* Who owns a table may put anything into it. */
void
require_object_document(Jsonb *document)
{
	if (!JB_ROOT_IS_OBJECT(document))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the document of a user in a user table is not a JSON object")));
}

/* Take the row that a statement gave. */
static void
take_row(UserRow *row, bool with_xmin)
{
	HeapTuple	tuple = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;

	row->document = DatumGetJsonbPCopy(result_column(tuple, desc, 1, JSONBOID, NULL));
	require_object_document(row->document);
	row->version = DatumGetInt64(result_column(tuple, desc, 2, INT8OID, NULL));
	row->created = DatumGetTimestampTz(result_column(tuple, desc, 3, TIMESTAMPTZOID, NULL));
	row->modified = DatumGetTimestampTz(result_column(tuple, desc, 4, TIMESTAMPTZOID, NULL));
	row->xmin = with_xmin ?
		DatumGetTransactionId(result_column(tuple, desc, 5, XIDOID, NULL)) : InvalidTransactionId;
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Read a user as the caller sees it.  False when there is none.
 */
bool
user_read(Binding *binding, Datum id, ReadMode mode, UserRow *row)
{
	Datum		values[1];

	values[0] = id;
	if (run(binding, mode == READ_LOCKED ? STATEMENT_LOCK : STATEMENT_READ, values, NULL,
			mode == READ_STABLE) == 0)
		return false;
	take_row(row, true);
	return true;
}

/*
 * Is there such a user, whether the caller can see it or not?
 */
bool
user_exists(Binding *binding, Datum id)
{
	SavedUser	saved;
	Datum		values[1];
	uint64		count;

	values[0] = id;
	become_owner(binding->owner, &saved);
	count = run(binding, STATEMENT_EXISTS, values, NULL, false);
	become_caller_again(&saved);
	SPI_freetuptable(SPI_tuptable);
	return count > 0;
}

static void
set_hash(const NewPassword *password, Datum *value, char *isnull)
{
	*isnull = password->hash != NULL ? ' ' : 'n';
	*value = password->hash != NULL ? CStringGetTextDatum(password->hash) : (Datum) 0;
}

/*
 * Insert a user with the version and time that row says.  Gives false when no
 * row came of it: with if_none, because there is one with this id (or a trigger
 * wants none).
 */
bool
user_insert(Binding *binding, Datum *id, bool has_id, bool if_none, Jsonb *document,
			const NewPassword *password, UserRow *row)
{
	BoundStatement statement;
	Datum		values[5];
	char		nulls[] = "     ";

	if (!has_id)
		statement = password ? STATEMENT_INSERT_NO_ID_PASSWORD : STATEMENT_INSERT_NO_ID;
	else if (if_none)
		statement = password ? STATEMENT_INSERT_IF_NONE_PASSWORD : STATEMENT_INSERT_IF_NONE;
	else
		statement = password ? STATEMENT_INSERT_PASSWORD : STATEMENT_INSERT;
	values[0] = has_id ? *id : (Datum) 0;
	nulls[0] = has_id ? ' ' : 'n';
	values[1] = JsonbPGetDatum(document);
	values[2] = Int64GetDatum(row->version);
	values[3] = TimestampTzGetDatum(row->modified);
	if (password != NULL)
		set_hash(password, &values[4], &nulls[4]);
	if (run(binding, statement, values, nulls, false) == 0)
		return false;
	*id = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5, binding->id_type, NULL);
	*id = datumCopy(*id, get_typbyval(binding->id_type), get_typlen(binding->id_type));
	take_row(row, false);
	return true;
}

/*
 * The version that follows one.
 */
int64
next_version(int64 version)
{
	if (version == PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the version of the user is out of range"),
				 errdetail_path("meta.version", NULL),
				 errhint("Plain SQL has set the column \"version\" to the largest there is.")));
	return version + 1;
}

/*
 * Write a new document over the row that was read, with the next version.
 * Gives false when that row is not the one that stands now.
 *
 * The guard is the row's xmin: an update of an app's own changes it, whatever
 * it does to our columns.  The clock is read before the write; since the write
 * succeeds only when nobody else wrote since the row was read, times of one
 * user rise with its versions all the same.
 */
bool
user_write(Binding *binding, Datum id, Jsonb *document, const NewPassword *password,
		   const UserRow *before, UserRow *row)
{
	Datum		values[6];
	char		nulls[] = "      ";

	values[0] = id;
	values[1] = JsonbPGetDatum(document);
	values[2] = Int64GetDatum(next_version(before->version));
	values[3] = TimestampTzGetDatum(Max(GetCurrentTimestamp(), before->modified + 1));
	values[4] = TransactionIdGetDatum(before->xmin);
	if (password != NULL)
		set_hash(password, &values[5], &nulls[5]);
	if (run(binding, password ? STATEMENT_UPDATE_PASSWORD : STATEMENT_UPDATE, values, nulls,
			false) == 0)
		return false;
	take_row(row, false);
	if (row->version <= before->version)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("a trigger of table \"%s\" set the version of a user back", binding->name),
				 errdetail_path("meta.version", NULL),
				 errhint("Leave the column \"version\" alone.")));
	return true;
}

/*
 * The hash of the password in the row that was read, or NULL.  Gives false when
 * that row is not the one that stands now.
 */
bool
user_password(Binding *binding, Datum id, const UserRow *row, char **hash)
{
	Datum		values[2];
	Datum		value;
	bool		isnull;

	values[0] = id;
	values[1] = TransactionIdGetDatum(row->xmin);
	if (run(binding, STATEMENT_PASSWORD, values, NULL, false) == 0)
		return false;
	value = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, TEXTOID, &isnull);
	*hash = isnull ? NULL : TextDatumGetCString(value);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

/*
 * Let the versions of a user who comes back go on where they ended.
 */
void
user_set_version(Binding *binding, Datum id, int64 version, UserRow *row)
{
	Datum		values[4];

	values[0] = id;
	values[1] = Int64GetDatum(version);
	values[2] = TimestampTzGetDatum(row->created);
	values[3] = TimestampTzGetDatum(row->modified);
	if (run(binding, STATEMENT_SET_VERSION, values, NULL, false) == 0)
		refuse_silent_trigger(binding, "UPDATE");
	take_row(row, false);
}

/*
 * Delete the row that was read.  Gives false when it is not the one that
 * stands now.
 */
bool
user_remove(Binding *binding, Datum id, const UserRow *before)
{
	Datum		values[2];

	values[0] = id;
	values[1] = TransactionIdGetDatum(before->xmin);
	return run(binding, STATEMENT_DELETE, values, NULL, false) > 0;
}

/*
 * A write of a row that is there and ours to write came to nothing: that is a
 * BEFORE trigger's doing, and nobody would know.
 */
void
refuse_silent_trigger(Binding *binding, const char *event)
{
	Relation	relation = table_open(binding->users, AccessShareLock);
	StringInfoData names;
	int16		wanted = TRIGGER_TYPE_UPDATE;

	if (strcmp(event, "INSERT") == 0)
		wanted = TRIGGER_TYPE_INSERT;
	else if (strcmp(event, "DELETE") == 0)
		wanted = TRIGGER_TYPE_DELETE;
	initStringInfo(&names);
	for (int i = 0; relation->trigdesc != NULL && i < relation->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &relation->trigdesc->triggers[i];

		if (TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_BEFORE, wanted))
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", trigger->tgname);
	}
	table_close(relation, AccessShareLock);
	if (names.len == 0 && binding_hides_rows(binding))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change this user of table \"%s\"", binding->name),
				 errdetail_path("id", NULL),
				 errhint("A row security policy shows the user but does not allow %s.", event)));
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("%s on table \"%s\" was suppressed by trigger %s", event, binding->name,
					names.len > 0 ? names.data : "or rule"),
			 errdetail_path(NULL, NULL),
			 errhint("A BEFORE trigger that returns NULL drops the change; let it raise an error instead.")));
}
