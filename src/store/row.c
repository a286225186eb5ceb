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
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "store/store.h"

/* Who owns a table may put anything into it. */
void
require_object_document(Jsonb *document)
{
	if (!JB_ROOT_IS_OBJECT(document))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the document of a user in a user table is not a JSON object")));
}

/* Take version and times of the row that a statement gave. */
static void
take_times(UserRow *row)
{
	HeapTuple	tuple = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;

	row->version = DatumGetInt64(result_column(tuple, desc, 2, INT8OID, NULL));
	row->created = DatumGetTimestampTz(result_column(tuple, desc, 3, TIMESTAMPTZOID, NULL));
	row->modified = DatumGetTimestampTz(result_column(tuple, desc, 4, TIMESTAMPTZOID, NULL));
	SPI_freetuptable(SPI_tuptable);
}

/* Take the whole row. */
static void
take_row(UserRow *row, bool with_xmin)
{
	HeapTuple	tuple = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;

	row->document = DatumGetJsonbPCopy(result_column(tuple, desc, 1, JSONBOID, NULL));
	require_object_document(row->document);
	row->xmin = with_xmin ?
		DatumGetTransactionId(result_column(tuple, desc, 5, XIDOID, NULL)) : InvalidTransactionId;
	take_times(row);
}

/*
 * Read a user as the caller sees it.  False when there is none.
 */
bool
user_read(Binding *binding, Datum id, ReadMode mode, UserRow *row)
{
	Datum		values[1];

	BoundStatement statement = mode == READ_STABLE ? STATEMENT_READ :
	mode == READ_FRESH ? STATEMENT_READ_GUARDED : STATEMENT_LOCK;

	values[0] = id;
	if (run_statement(binding, statement, values, NULL, mode == READ_STABLE) == 0)
		return false;
	take_row(row, mode != READ_STABLE);
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
	count = run_statement(binding, STATEMENT_EXISTS, values, NULL, false);
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
 * Writing
 */

/* What is written of a document: the part that is stored as such, and columns. */
typedef struct Parts
{
	Jsonb	   *document;
	bool		has_columns;
	bool		changes_columns;
	Datum		texts;			/* text[] */
	Datum		changed;		/* boolean[]: which of the columns change */
} Parts;

static Datum
array_with_nulls(Oid type, Datum *elems, bool *nulls, int count)
{
	int			bound = 1;
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(type, &len, &byval, &align);
	return PointerGetDatum(construct_md_array(elems, nulls, 1, &count, &bound, type, len, byval,
											  align));
}

/* The parts of a document that comes after another, or NULL. */
static Parts
parts_of(Binding *binding, Jsonb *document, Jsonb *before)
{
	Parts		parts = {document};
	int			count = list_length(binding->layout.columns);
	char	  **texts;
	Datum	   *elems;
	bool	   *nulls;
	bool	   *changed;

	if (count == 0)
		return parts;
	texts = palloc(sizeof(char *) * count);
	elems = palloc0(sizeof(Datum) * count);
	nulls = palloc(sizeof(bool) * count);
	changed = palloc(sizeof(bool) * count);
	parts.has_columns = true;
	parts.document = document_to_jsonb(layout_split(&binding->layout, document_from_jsonb(document),
													before != NULL ? document_from_jsonb(before) : NULL,
													texts, changed));
	for (int i = 0; i < count; i++)
	{
		nulls[i] = texts[i] == NULL;
		if (!nulls[i])
			elems[i] = CStringGetTextDatum(texts[i]);
		parts.changes_columns |= changed[i];
	}
	parts.texts = array_with_nulls(TEXTOID, elems, nulls, count);
	for (int i = 0; i < count; i++)
		elems[i] = BoolGetDatum(changed[i]);
	parts.changed = array_of(BOOLOID, elems, count);
	return parts;
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
	Parts		parts = parts_of(binding, document, NULL);
	NewState	state = {parts.document, row};
	bool		has_state = OidIsValid(binding->layout.state);
	Datum		values[6];
	char		nulls[] = "      ";

	if (!has_id)
		statement = password ? STATEMENT_INSERT_NO_ID_PASSWORD : STATEMENT_INSERT_NO_ID;
	else if (if_none)
		statement = password ? STATEMENT_INSERT_IF_NONE_PASSWORD : STATEMENT_INSERT_IF_NONE;
	else
		statement = password ? STATEMENT_INSERT_PASSWORD : STATEMENT_INSERT;
	values[0] = has_id ? *id : (Datum) 0;
	nulls[0] = has_id ? ' ' : 'n';
	values[1] = JsonbPGetDatum(parts.document);
	values[2] = Int64GetDatum(row->version);
	values[3] = TimestampTzGetDatum(row->modified);
	values[4] = parts.texts;
	nulls[4] = parts.has_columns ? ' ' : 'n';
	if (password != NULL)
		set_hash(password, &values[5], &nulls[5]);
	row->created = row->modified;
	if (run_own_write(binding, statement, values, nulls, has_state ? &state : NULL) == 0)
		return false;
	*id = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5, binding->id_type, NULL);
	*id = datumCopy(*id, get_typbyval(binding->id_type), get_typlen(binding->id_type));
	take_row(row, false);
	/* our trigger has done it, if triggers fire */
	if (has_state && !state.is_written)
		(void) state_write(binding, *id, parts.document, row, true, NULL);
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

/* Does the row itself have to be written, rather than only its state? */
static bool
writes_row(const Layout *layout, const Parts *parts)
{
	return parts->changes_columns || layout->document != NULL || layout->version != NULL ||
		layout->modified != NULL;
}

/*
 * The same where a part of the user is in the state table.  All that write that
 * hold the lock on the row, so once it is ours, what is there stays.
 */
static bool
write_both(Binding *binding, Datum id, Jsonb *document, Datum *values, const char *nulls,
		   const Parts *parts, const NewPassword *password, const UserRow *before, UserRow *row)
{
	Datum		guard[2];
	UserRow		state = *before;

	guard[0] = id;
	guard[1] = TransactionIdGetDatum(before->xmin);
	if (run_statement(binding, STATEMENT_GUARD, guard, NULL, false) == 0)
		return false;
	SPI_freetuptable(SPI_tuptable);
	state.version = DatumGetInt64(values[2]);
	state.modified = DatumGetTimestampTz(values[3]);
	if (!state_write(binding, id, parts->document, &state, false, &before->version))
		return false;
	if (password == NULL && !writes_row(&binding->layout, parts))
	{
		*row = state;
		row->document = document;
		return true;
	}
	if (run_own_write(binding, password ? STATEMENT_UPDATE_PASSWORD : STATEMENT_UPDATE, values,
					  nulls, NULL) == 0)
		refuse_silent_trigger(binding, "UPDATE");
	take_row(row, false);
	if (binding->layout.created == NULL)
		row->created = before->created;
	return true;
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
	Parts		parts = parts_of(binding, document, before->document);
	Datum		values[8];
	char		nulls[] = "        ";

	values[0] = id;
	values[1] = JsonbPGetDatum(parts.document);
	values[2] = Int64GetDatum(next_version(before->version));
	values[3] = TimestampTzGetDatum(Max(GetCurrentTimestamp(), before->modified + 1));
	values[4] = parts.texts;
	nulls[4] = nulls[7] = parts.has_columns ? ' ' : 'n';
	nulls[5] = 'n';
	if (password != NULL)
		set_hash(password, &values[5], &nulls[5]);
	values[6] = TransactionIdGetDatum(before->xmin);
	values[7] = parts.changed;
	if (OidIsValid(binding->layout.state))
	{
		if (!write_both(binding, id, document, values, nulls, &parts, password, before, row))
			return false;
	}
	else
	{
		if (run_own_write(binding, password ? STATEMENT_UPDATE_PASSWORD : STATEMENT_UPDATE, values,
						  nulls, NULL) == 0)
			return false;
		take_row(row, false);
	}
	if (row->version <= before->version)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("a trigger of table \"%s\" set the version of a user back", binding->name),
				 errdetail_path("meta.version", NULL),
				 errhint("Leave the column \"%s\" alone.",
						 binding->layout.version != NULL ? binding->layout.version : "version")));
	return true;
}

/*
 * The hash of a password, or NULL: in the row that was read, or the one that
 * stands now (row is NULL).  Gives false when there is none.
 */
bool
user_password(Binding *binding, Datum id, const UserRow *row, char **hash)
{
	Datum		values[2];
	Datum		value;
	bool		isnull;

	values[0] = id;
	values[1] = TransactionIdGetDatum(row != NULL ? row->xmin : InvalidTransactionId);
	if (run_statement(binding, row != NULL ? STATEMENT_PASSWORD_GUARDED : STATEMENT_PASSWORD, values,
					  NULL, false) == 0)
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
	const Layout *layout = &binding->layout;
	Datum		values[4];

	values[0] = id;
	values[1] = Int64GetDatum(version);
	values[2] = TimestampTzGetDatum(row->created);
	values[3] = TimestampTzGetDatum(row->modified);
	row->version = version;
	if (layout->version != NULL || layout->created != NULL || layout->modified != NULL)
	{
		if (run_own_write(binding, STATEMENT_SET_VERSION, values, NULL, NULL) == 0)
			refuse_silent_trigger(binding, "UPDATE");
		take_times(row);
	}
	if (OidIsValid(layout->state))
		(void) state_write(binding, id, NULL, row, true, NULL);
}

/*
 * Is what was read of a user in two tables what stands in both?  Then it stays
 * so, for the row is locked; who may not do that, since it takes the right to
 * update, is told when it is too late to begin again.
 */
static bool
still_stands(Binding *binding, Datum id, Datum *guard, const UserRow *before)
{
	StateRow	state;

	if (binding_hides_rows(binding) ||
		pg_class_aclcheck(binding->users, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		return true;
	if (run_statement(binding, STATEMENT_GUARD, guard, NULL, false) == 0)
		return false;
	SPI_freetuptable(SPI_tuptable);
	state_read(binding, id, &state);
	return binding->layout.version != NULL || state.version == before->version;
}

/*
 * Delete the row that was read.  Gives false when it is not the one that
 * stands now.
 */
bool
user_remove(Binding *binding, Datum id, const UserRow *before)
{
	StateRow	state;
	Datum		values[2];

	values[0] = id;
	values[1] = TransactionIdGetDatum(before->xmin);
	if (OidIsValid(binding->layout.state) && !still_stands(binding, id, values, before))
		return false;
	if (run_own_write(binding, STATEMENT_DELETE, values, NULL, NULL) == 0)
		return false;
	if (!OidIsValid(binding->layout.state))
		return true;
	/* see still_stands() */
	state_read(binding, id, &state);
	if (binding->layout.version == NULL && state.version != before->version)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the user was changed by another transaction while it was deleted"),
				 errhint("Try again.")));
	state_delete(binding, id);
	return true;
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

		if (TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_BEFORE, wanted) &&
			!is_our_trigger(trigger))
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
