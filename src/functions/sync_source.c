/*
 * sync_source.c
 *	  The records of a feed, one after the other: the items of a body, as those
 *	  of a bulk request, or the rows of a staging table, of any number.
 *
 * A staging table is read as the caller, and with the snapshot of the calling
 * query each time, so that it has the same records whenever it is gone through.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/errors.h"
#include "functions/sync_source.h"

/* Rows that are fetched at once. */
#define ROWS_AT_ONCE	100

struct Source
{
	Bulk	   *bulk;
	int			next;			/* item, or row of those fetched */
	/* of a staging table: */
	SPIPlanPtr	plan;			/* or NULL: the body's items */
	bool		has_numbers;
	Portal		portal;
	SPITupleTable *rows;		/* fetched last, or NULL */
	uint64		row_count;
};

static void
refuse_staging(Oid staging, const char *column, const char *type)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" has no column \"%s\" of type %s", get_rel_name(staging), column, type),
			 errdetail_path("staging", NULL),
			 errhint("A staging table has the records in a column \"body\" of type jsonb and, if their order matters, their numbers in a column \"record\" of type bigint.")));
}

/* The statement that reads a staging table. */
static char *
staging_query(Oid staging, bool *has_numbers)
{
	AttrNumber	body;
	AttrNumber	record;
	char	   *name;

	if (get_rel_name(staging) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", staging)));
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(staging)),
									  get_rel_name(staging));
	body = get_attnum(staging, "body");
	if (body == InvalidAttrNumber || get_atttype(staging, body) != JSONBOID)
		refuse_staging(staging, "body", "jsonb");
	record = get_attnum(staging, "record");
	*has_numbers = record != InvalidAttrNumber;
	if (!*has_numbers)
		return psprintf("SELECT s.body FROM %s s", name);
	if (get_atttype(staging, record) != INT8OID)
		refuse_staging(staging, "record", "bigint");
	return psprintf("SELECT s.body, s.record FROM %s s ORDER BY s.record", name);
}

/*
 * The records of the staging table, or, where that is InvalidOid, of the body
 * of the request.
 */
Source *
source_open(Bulk *bulk, Oid staging)
{
	MemoryContext context = CurrentMemoryContext;
	Source	   *source = palloc0(sizeof(Source));

	source->bulk = bulk;
	if (!OidIsValid(staging))
	{
		bulk_find_items(bulk);
		return source;
	}
	source->plan = SPI_prepare(staging_query(staging, &source->has_numbers), 0, NULL);
	if (source->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));	/* can't happen */
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	source_rewind(source);
	return source;
}

/*
 * Begin again with the first record.
 */
void
source_rewind(Source *source)
{
	MemoryContext context = CurrentMemoryContext;

	source->next = 0;
	if (source->plan == NULL)
		return;
	source_close(source);
	source->portal = SPI_cursor_open(NULL, source->plan, NULL, NULL, true);
	MemoryContextSwitchTo(context);
}

void
source_close(Source *source)
{
	if (source->rows != NULL)
		SPI_freetuptable(source->rows);
	source->rows = NULL;
	source->row_count = 0;
	if (source->portal != NULL)
		SPI_cursor_close(source->portal);
	source->portal = NULL;
}

/* Have a row at hand.  Gives false when there is no other. */
static bool
fetch(Source *source)
{
	MemoryContext context = CurrentMemoryContext;

	if (source->next < source->row_count)
		return true;
	if (source->rows != NULL)
		SPI_freetuptable(source->rows);
	SPI_cursor_fetch(source->portal, true, ROWS_AT_ONCE);
	MemoryContextSwitchTo(context);
	source->rows = SPI_tuptable;
	source->row_count = SPI_processed;
	source->next = 0;
	return source->row_count > 0;
}

/*
 * The next record, in the current memory context.  Gives false when there is no
 * other.
 */
bool
source_next(Source *source, Target *target)
{
	HeapTuple	tuple;
	Datum		body;
	bool		isnull;

	memset(target, 0, sizeof(Target));
	target->kind = TARGET_RECORD;
	if (source->plan == NULL)
	{
		if (source->next == source->bulk->count)
			return false;
		target->body = source->bulk->bodies[source->next];
		target->has_record = true;
		target->record = ++source->next;
		return true;
	}
	if (!fetch(source))
		return false;
	tuple = source->rows->vals[source->next++];
	body = result_column(tuple, source->rows->tupdesc, 1, JSONBOID, &isnull);
	target->body.type = jbvNull;
	if (!isnull)
	{
		Jsonb	   *jsonb = DatumGetJsonbPCopy(body);

		if (!JB_ROOT_IS_SCALAR(jsonb))
			target->body = document_packed(jsonb);
		else
			(void) JsonbExtractScalar(&jsonb->root, &target->body);
	}
	if (source->has_numbers)
	{
		target->record = DatumGetInt64(result_column(tuple, source->rows->tupdesc, 2, INT8OID, &isnull));
		target->has_record = !isnull;
	}
	return true;
}
