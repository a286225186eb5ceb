/*
 * notify.c
 *	  Tell of changes on the channel that a table names.
 *
 * PostgreSQL sends notifications when the transaction commits, in the order of
 * the changes.
 */
#include "postgres.h"

#include "commands/async.h"
#include "utils/json.h"

#include "store/store.h"

/* NOTIFY takes no more: see its reference page. */
#define MAX_PAYLOAD		7999

static char *
payload_of(Binding *binding, const HistoryEntry *entry, const char *id)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"table\": ");
	escape_json(&json, binding->users_sql);
	appendStringInfoString(&json, ", \"id\": ");
	if (id != NULL)
		escape_json(&json, id);
	else
		appendStringInfoString(&json, "null");
	appendStringInfo(&json, ", \"version\": " INT64_FORMAT ", \"operation\": \"%s\"}",
					 entry->version, entry->operation);
	return json.data;
}

/*
 * Tell of a version that history has now, if the table tells.  It says who
 * changed, not to what: whoever can connect may listen.  An id for which there
 * is no room is null, as it is not of use when it is cut.
 */
void
notify_change(Binding *binding, const HistoryEntry *entry)
{
	char	   *id;
	char	   *payload;

	if (binding->notify == NULL)
		return;
	id = binding_id_to_text(binding, entry->user_id);
	payload = payload_of(binding, entry, id);
	if (strlen(payload) > MAX_PAYLOAD)
		payload = payload_of(binding, entry, NULL);
	Async_Notify(binding->notify, payload);
	pfree(payload);
	pfree(id);
}
