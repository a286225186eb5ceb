/*
 * table_row.c
 *	  A user in a tuple of the table, as triggers and composite values have it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_document);

/*
 * A column by its name, which may be NULL; so may its value.
 */
Datum
table_row_column(Relation relation, HeapTuple tuple, const char *name, bool *isnull, Oid *type)
{
	AttrNumber	number = name != NULL ? get_attnum(RelationGetRelid(relation), name) : InvalidAttrNumber;

	*isnull = true;
	*type = InvalidOid;
	if (number <= 0)
		return (Datum) 0;
	*type = TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid;
	return heap_getattr(tuple, number, RelationGetDescr(relation), isnull);
}

int64
table_row_version(const Layout *layout, Relation relation, HeapTuple tuple)
{
	bool		isnull;
	Oid			type;
	Datum		value = table_row_column(relation, tuple, layout->version, &isnull, &type);

	if (isnull)
		return 1;
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

Datum
table_version_datum(Oid type, int64 version)
{
	if ((type == INT2OID && version > PG_INT16_MAX) || (type == INT4OID && version > PG_INT32_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the version of the user is out of range")));
	if (type == INT2OID)
		return Int16GetDatum((int16) version);
	return type == INT4OID ? Int32GetDatum((int32) version) : Int64GetDatum(version);
}

/*
 * Whose user a row is, as text; "" when it has no tenant.
 */
char *
table_row_tenant(Binding *binding, Relation relation, HeapTuple tuple)
{
	bool		isnull;
	Oid			type;
	Oid			function;
	bool		is_varlena;
	Datum		tenant = table_row_column(relation, tuple, binding->layout.tenant, &isnull, &type);

	if (isnull)
		return "";
	getTypeOutputInfo(type, &function, &is_varlena);
	return OidOutputFunctionCall(function, tenant);
}

/*
 * When it last changed, as far as the row says; a time without zone is in UTC.
 */
TimestampTz
table_row_modified(const Layout *layout, Relation relation, HeapTuple tuple)
{
	bool		isnull;
	Oid			type;
	Datum		value = table_row_column(relation, tuple, layout->modified, &isnull, &type);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

/*
 * When the user was created, as far as the row says.
 */
TimestampTz
table_row_created(const Layout *layout, Relation relation, HeapTuple tuple)
{
	bool		isnull = true;
	Oid			type;
	Datum		value = (Datum) 0;

	if (layout->created != NULL)
		value = table_row_column(relation, tuple, layout->created, &isnull, &type);
	return isnull ? layout->registered : DatumGetTimestampTz(value);
}

/* What is stored as a document: in the row, or in the state table. */
static JsonbValue *
stored_document(const Layout *layout, Relation relation, HeapTuple tuple, const StateRow *state)
{
	bool		isnull;
	Oid			type;
	Datum		value;
	Jsonb	   *jsonb = state->document;

	if (layout->document != NULL)
	{
		value = table_row_column(relation, tuple, layout->document, &isnull, &type);
		if (isnull)
			jsonb = NULL;
		else if (type == JSONOID)
			jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
													   CStringGetDatum(TextDatumGetCString(value))));
		else
			jsonb = DatumGetJsonbPCopy(value);
	}
	/* an app may put there what has no attributes: that is between the two */
	if (jsonb == NULL || !JB_ROOT_IS_OBJECT(jsonb))
		return document_new_object();
	return document_from_jsonb(jsonb);
}

void
table_row_read(Binding *binding, Relation relation, HeapTuple tuple, const StateRow *state, TableRow *row)
{
	const Layout *layout = &binding->layout;
	int			count = list_length(layout->columns);
	Datum	   *values = palloc(sizeof(Datum) * Max(count, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(count, 1));
	bool		isnull;
	Oid			type;
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		int			i = foreach_current_index(lc);

		values[i] = table_row_column(relation, tuple, ((AttributeColumn *) lfirst(lc))->name, &nulls[i], &type);
	}
	row->id = table_row_column(relation, tuple, layout->id, &isnull, &type);
	row->document = layout_compose(layout, stored_document(layout, relation, tuple, state), values,
								   nulls);
	row->version = layout->version != NULL ? table_row_version(layout, relation, tuple) : state->version;
	row->modified = table_row_modified(layout, relation, tuple);
}

/* What the state table has of a user, as far as the caller may read it. */
static Jsonb *
state_document(Binding *binding, Datum id)
{
	Datum		values[1];
	bool		isnull = true;
	Datum		value;
	Jsonb	   *document = NULL;

	values[0] = id;
	SPI_connect();
	if (SPI_execute_plan(statement_plan(binding, STATEMENT_STATE_DOCUMENT), values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading the state of a user failed");	/* can't happen */
	if (SPI_processed > 0)
	{
		value = result_column(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, JSONBOID, &isnull);
		if (!isnull)
		{
			document = DatumGetJsonbP(value);
			document = memcpy(SPI_palloc(VARSIZE(document)), document, VARSIZE(document));
		}
	}
	SPI_finish();
	return document;
}

/*
 * user_document(users regclass, user_row record)
 */
Datum
user_document(PG_FUNCTION_ARGS)
{
	StateRow	state = {1, NULL};
	HeapTupleHeader header;
	HeapTupleData tuple;
	Relation	relation;
	Binding    *binding;
	TableRow	row;
	bool		isnull;
	Oid			type;

	require_argument(fcinfo, 0, "users");
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	binding = binding_open(PG_GETARG_OID(0));
	header = PG_GETARG_HEAPTUPLEHEADER(1);
	if (get_typ_typrelid(HeapTupleHeaderGetTypeId(header)) != binding->users)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the row is not one of table \"%s\"", binding->name),
				 errhint("Write user_document('%s', u) FROM %s u.", binding->name, binding->name)));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	relation = relation_open(binding->users, AccessShareLock);
	if (OidIsValid(binding->layout.state) && binding->layout.document == NULL)
		state.document = state_document(binding, table_row_column(relation, &tuple, binding->layout.id,
																  &isnull, &type));
	table_row_read(binding, relation, &tuple, &state, &row);
	relation_close(relation, AccessShareLock);
	PG_RETURN_JSONB_P(document_to_jsonb(row.document));
}
