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

#include "utils/memutils.h"

#include "functions/bulk.h"

PG_FUNCTION_INFO_V1(users_load);

void
summary_begin(Bulk *bulk)
{
	bulk->summary.failed = document_new_array();
}

static JsonbValue *
show_failed(const BulkItem *item)
{
	JsonbValue *failed = document_new_object();
	char	   *id = sent_id(item->road.body);
	Failure		failure;

	failure_read(&failure, item->error, false);
	document_add(failed, "index", document_integer(item->index));
	if (id != NULL)
		document_add(failed, "id", document_string(id));
	document_add(failed, "status", document_integer(failure.status));
	document_add(failed, "error", document_string(failure.message));
	if (failure.path != NULL)
		document_add(failed, "path", document_string(failure.path));
	if (failure.hint != NULL)
		document_add(failed, "hint", document_string(failure.hint));
	return failed;
}

static void
add_failed(Bulk *bulk, const BulkItem *item)
{
	Jsonb	   *failed = document_to_jsonb(show_failed(item));
	MemoryContext old = MemoryContextSwitchTo(bulk->context);
	JsonbValue	packed = document_packed(memcpy(palloc(VARSIZE(failed)), failed, VARSIZE(failed)));

	document_push(bulk->summary.failed, &packed);
	MemoryContextSwitchTo(old);
}

/* An item is done. */
void
summarize_item(Bulk *bulk, BulkItem *item)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->item);
	Summary    *summary = &bulk->summary;

	if (item->error != NULL && bulk->call->atomic)
		raise_failure(item);
	if (item->error != NULL)
		add_failed(bulk, item);
	else
	{
		collect_ignored(bulk, item->road.update.ignored);
		if (item->alone ? item->road.created : item->creates)
			summary->created++;
		else if (item->alone ? item->road.changed : item->writes)
			summary->changed++;
		else
			summary->unchanged++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->item);
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
