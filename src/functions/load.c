/*
 * load.c
 *	  users_load: bulk requests that are answered with counts and with what
 *	  failed.
 *
 * A feed of a million users wants to know which records were refused and why;
 * the users themselves it has.  Neither are they rendered then, nor does each
 * idempotency key keep them.
 */
#include "postgres.h"

#include "functions/bulk.h"

PG_FUNCTION_INFO_V1(users_load);

void
summary_begin(Bulk *bulk)
{
	bulk->summary.failed = document_new_array();
}

static JsonbValue *
show_failed(const BulkItem *item, const ItemResult *result)
{
	const Failure *failure = result->failure;
	JsonbValue *failed = document_new_object();

	document_add(failed, "index", document_integer(item->index));
	if (result->id != NULL)
		document_add(failed, "id", document_string(result->id));
	document_add(failed, "status", document_integer(failure->status));
	document_add(failed, "error", document_string(failure->message));
	if (failure->path != NULL)
		document_add(failed, "path", document_string(failure->path));
	if (failure->hint != NULL)
		document_add(failed, "hint", document_string(failure->hint));
	return failed;
}

/* An item is done. */
void
summary_add(Bulk *bulk, const BulkItem *item, const ItemResult *result)
{
	Summary    *summary = &bulk->summary;
	MemoryContext old;
	Jsonb	   *failed;
	JsonbValue	packed;

	if (result->failure == NULL)
	{
		if (item->road.created)
			summary->created++;
		else if (item->road.changed)
			summary->changed++;
		else
			summary->unchanged++;
		return;
	}
	failed = document_to_jsonb(show_failed(item, result));
	old = MemoryContextSwitchTo(bulk->context);
	packed = document_packed(memcpy(palloc(VARSIZE(failed)), failed, VARSIZE(failed)));
	document_push(summary->failed, &packed);
	MemoryContextSwitchTo(old);
}

Jsonb *
summary_show(const Bulk *bulk)
{
	const Summary *summary = &bulk->summary;
	JsonbValue *answer = document_new_object();

	document_add(answer, "created", document_integer(summary->created));
	document_add(answer, "changed", document_integer(summary->changed));
	document_add(answer, "unchanged", document_integer(summary->unchanged));
	document_add(answer, "failed", summary->failed);
	return document_pack(answer);
}

/* Nothing in a summary is of a user whom the caller may not see any more. */
Jsonb *
summary_replay(Jsonb *summary)
{
	JsonbValue *answer = document_from_jsonb(summary);

	document_add(answer, "replayed", document_boolean(true));
	return document_to_jsonb(answer);
}

/*
 * users_load(users regclass, body jsonb, patch boolean, idempotency_key text,
 *		atomic boolean, creates boolean, match text, request_id text,
 *		dry_run boolean, api text)
 */
Datum
users_load(PG_FUNCTION_ARGS)
{
	bool		patch = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);

	return bulk_function(fcinfo, patch ? OPERATION_PATCH : OPERATION_PUT, 3, true);
}
