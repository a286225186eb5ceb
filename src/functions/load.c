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
	bulk->fates = palloc_extended(sizeof(Fate) * Max(bulk->count, 1), MCXT_ALLOC_HUGE);
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

/* An item is done, maybe anew. */
void
summarize_item(Bulk *bulk, BulkItem *item)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->item);
	Fate	   *fate = &bulk->fates[item->index];

	if (item->error != NULL && bulk->call->atomic)
		raise_failure(item);
	if (item->error != NULL)
	{
		Jsonb	   *failed = document_to_jsonb(show_failed(item));

		*fate = FATE_FAILED;
		bulk->results[item->index] = memcpy(MemoryContextAlloc(bulk->context, VARSIZE(failed)),
											failed, VARSIZE(failed));
	}
	else
	{
		collect_ignored(bulk, item->road.update.ignored);
		if (item->alone ? item->road.created : item->creates)
			*fate = FATE_CREATED;
		else if (item->alone ? item->road.changed : item->writes)
			*fate = FATE_CHANGED;
		else
			*fate = FATE_UNCHANGED;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->item);
}

Jsonb *
summary_show(const Bulk *bulk)
{
	JsonbValue *answer = document_new_object();
	JsonbValue *failed = document_new_array();
	int64		counts[FATE_UNCHANGED + 1] = {0};

	for (int i = 0; i < bulk->count; i++)
	{
		counts[bulk->fates[i]]++;
		if (bulk->fates[i] == FATE_FAILED)
		{
			JsonbValue	item = document_packed(bulk->results[i]);

			document_push(failed, &item);
		}
	}
	document_add(answer, "created", document_integer(counts[FATE_CREATED]));
	document_add(answer, "changed", document_integer(counts[FATE_CHANGED]));
	document_add(answer, "unchanged", document_integer(counts[FATE_UNCHANGED]));
	document_add(answer, "failed", failed);
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
