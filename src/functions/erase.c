/*
 * erase.c
 *	  Privacy law and retention: all that is known of a user goes, or all of
 *	  the past that is older than a time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/numeric.h"

#include "core/errors.h"
#include "functions/functions.h"

PG_FUNCTION_INFO_V1(user_erase);
PG_FUNCTION_INFO_V1(user_history_purge);

static void
require_owner(const Binding *table)
{
	if (!caller_owns(table->owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, table->name);
}

/*
 * Mentions of a user in answers about many
 */

/* By what a user is mentioned. */
typedef struct Traces
{
	char	   *id;
	char	   *id_in_url;
	List	   *values;			/* of char *: of unique attributes, folded */
} Traces;

static bool
ends_with_segment(const char *string, const char *segment)
{
	const char *slash = strrchr(string, '/');

	return slash != NULL && strcmp(slash + 1, segment) == 0;
}

/* Is this part of a word? */
static bool
is_word(char c)
{
	return isalnum((unsigned char) c) || IS_HIGHBIT_SET(c);
}

/* In one case, as far as letters have no accents: values are compared in any. */
static char *
fold(const char *string)
{
	return asc_tolower(string, strlen(string));
}

/* Does a value stand in a text, as a word by itself? */
static bool
has_value(const char *text, const char *value)
{
	int			len = strlen(value);

	for (const char *at = strstr(text, value); at != NULL; at = strstr(at + 1, value))
	{
		if ((at == text ||!is_word(at[-1]) || !is_word(value[0])) &&
			(!is_word(at[len]) || !is_word(value[len - 1])))
			return true;
	}
	return false;
}

static bool
string_mentions(const Traces *traces, const char *string)
{
	ListCell   *lc;

	if (strcmp(string, traces->id) == 0 || ends_with_segment(string, traces->id) ||
		ends_with_segment(string, traces->id_in_url) ||
		strstr(string, psprintf("user \"%s\"", traces->id)) != NULL)
		return true;
	string = fold(string);
	foreach(lc, traces->values)
	{
		if (has_value(string, lfirst(lc)))
			return true;
	}
	return false;
}

static bool
mentions(void *arg, Jsonb *response)
{
	const Traces *traces = arg;
	JsonbIterator *iterator = JsonbIteratorInit(&response->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token != WJB_VALUE && token != WJB_ELEM)
			continue;
		if (value.type == jbvString && string_mentions(traces, document_cstring(&value)))
			return true;
		if (value.type == jbvNumeric &&
			string_mentions(traces, numeric_normalize(value.val.numeric)))
			return true;
	}
	return false;
}

/* What the unique attributes of a document are, which others' errors may tell. */
static void
add_unique_values(Traces *traces, const Schema *schema, Jsonb *jsonb)
{
	JsonbValue *document = document_from_jsonb(jsonb);
	ListCell   *lc;
	ListCell   *known;

	foreach(lc, schema_unique_attributes(schema))
	{
		JsonbValue *value = attribute_value(attribute_way(schema, lfirst(lc)), document);
		bool		is_known = false;
		char	   *string;

		if (value == NULL || (value->type != jbvString && value->type != jbvNumeric))
			continue;
		string = value->type == jbvString ? fold(document_cstring(value)) :
			numeric_normalize(value->val.numeric);
		foreach(known, traces->values)
			is_known |= strcmp(lfirst(known), string) == 0;
		if (!is_known && string[0] != '\0')
			traces->values = lappend(traces->values, string);
	}
}

/*
 * Erasing
 */

/* What others have read before would come back, or stay unseen by us. */
static void
require_read_committed(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("users are erased in transactions that are READ COMMITTED"),
				 errdetail_path(NULL, NULL),
				 errhint("One of this isolation level does not see all that there is to erase.")));
}

/*
 * Delete the user as user_delete does, whatever the API profile and the hook
 * say of that.
 * False when there is none.
 */
static bool
delete_user(Binding *table, Datum id, char *id_text, UserRow *row)
{
	HistoryEntry entry = {0};
	TimestampTz newest_at = DT_NOBEGIN;

	if (!user_read(table, id, READ_LOCKED, row))
	{
		if (!user_exists(table, id))
			return false;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change user \"%s\" of table \"%s\"",
						shown_name(id_text, strlen(id_text)), table->name),
				 errdetail_path("id", NULL),
				 errhint("A row security policy hides the user, also from the owner, or does not allow updates.")));
	}
	if (!user_remove(table, id, row))
		refuse_silent_trigger(table, "DELETE");
	entry.user_id = id;
	entry.version = next_version(Max(row->version, history_newest_version(table, id, &newest_at)));
	entry.operation = operation_names[OPERATION_DELETE];
	entry.changed_at = Max(GetCurrentTimestamp(), Max(row->modified, newest_at) + 1);
	if (!history_append(table, &entry))
		refuse_silent_trigger(table, "INSERT");
	return true;
}

/*
 * user_erase(users regclass, id text, OUT versions bigint, OUT answers bigint)
 */
Datum
user_erase(PG_FUNCTION_ARGS)
{
	char	   *id_text;
	Binding    *table;
	const Schema *schema;
	Traces		traces = {0};
	UserRow		row;
	TupleDesc	desc;
	TimestampTz newest_at;
	Datum		id;
	Datum		values[2];
	bool		nulls[2] = {0};
	bool		is_known;
	ListCell   *lc;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	id_text = text_argument(fcinfo, 1);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");	/* can't happen */
	desc = BlessTupleDesc(desc);
	SPI_connect();
	table = binding_open(PG_GETARG_OID(0));
	require_owner(table);
	tenant_require(table);
	require_read_committed();
	id = binding_id_from_text(table, id_text);
	schema = binding_api(table, NULL)->schema;
	traces.id = binding_id_to_text(table, id);
	traces.id_in_url = http_url_encode(traces.id);

	erase_begin(table);
	is_known = delete_user(table, id, traces.id, &row);
	/* its app may have deleted it while nobody looked */
	if (OidIsValid(table->layout.state))
		state_delete(table, id);
	if (is_known)
		add_unique_values(&traces, schema, row.document);
	is_known |= history_newest_version(table, id, &newest_at) > 0;
	foreach(lc, erase_documents(table, id))
		add_unique_values(&traces, schema, lfirst(lc));
	values[0] = Int64GetDatum(erase_history(table, id));
	values[1] = Int64GetDatum(erase_keys(table, id, mentions, &traces));
	if (!is_known && DatumGetInt64(values[1]) == 0)
		user_missing(id_text);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/*
 * user_history_purge(users regclass, before timestamptz, max_rows integer)
 */
Datum
user_history_purge(PG_FUNCTION_ARGS)
{
	Binding    *table;
	int64		purged;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "before");
	require_argument(fcinfo, 2, "max_rows");
	SPI_connect();
	table = binding_open(PG_GETARG_OID(0));
	require_owner(table);
	if (PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("argument \"%s\" must be positive", "max_rows"),
				 errdetail_path("max_rows", SCIM_INVALID_VALUE),
				 errhint("It says how many rows of history to purge at most.")));
	purged = purge_history(table, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_INT32(2));
	SPI_finish();
	PG_RETURN_INT64(purged);
}
