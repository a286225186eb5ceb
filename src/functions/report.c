/*
 * report.c
 *	  The past of users: what changed, from what to what, and what users were
 *	  at a time.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "core/errors.h"
#include "functions/functions.h"
#include "functions/past.h"

PG_FUNCTION_INFO_V1(user_history);
PG_FUNCTION_INFO_V1(users_history);
PG_FUNCTION_INFO_V1(user_as_of);
PG_FUNCTION_INFO_V1(users_as_of);

/*
 * Rows
 */

/* A column of type text, or NULL. */
void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	values[column] = text !=NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

/* A column of type name, or NULL. */
void
put_name(Datum *values, bool *nulls, int column, const char *name)
{
	nulls[column] = name == NULL;
	values[column] = name != NULL ? DirectFunctionCall1(namein, CStringGetDatum(name)) : (Datum) 0;
}

/* A column of type jsonb, or NULL. */
void
put_jsonb(Datum *values, bool *nulls, int column, Jsonb *jsonb)
{
	nulls[column] = jsonb == NULL;
	values[column] = jsonb != NULL ? JsonbPGetDatum(jsonb) : (Datum) 0;
}

/*
 * The user table of a call on the past of one user: an error when the caller
 * cannot see that user.
 */
static Datum
open_past(FunctionCallInfo fcinfo, Past *past)
{
	char	   *id_text = text_argument(fcinfo, 1);
	Binding    *table = binding_open(PG_GETARG_OID(0));
	Datum		id;

	past_open(past, table);
	id = binding_id_from_text(table, id_text);
	if (!past_shows(past, id))
		user_missing(id_text);
	return id;
}

/*
 * What changed
 */

typedef struct Report
{
	ReturnSetInfo *result;
	Binding    *ids_of;			/* rows begin with an id of this table, or
								 * NULL */
	const Schema *schema;
	MemoryContext context;		/* lasts as long as the call */
	Jsonb	   *last;			/* document of the version before, or NULL */
} Report;

/* The row of one attribute, with the values that it had and has. */
static void
report_change(Report *report, const PastVersion *version, const char *path, JsonbValue *old,
			  JsonbValue *new)
{
	Datum		values[10];
	bool		nulls[10] = {0};
	int			column = 0;

	if (report->ids_of != NULL)
		put_text(values, nulls, column++, binding_id_to_text(report->ids_of, version->user_id));
	values[column++] = Int64GetDatum(version->version);
	put_text(values, nulls, column++, version->operation);
	values[column++] = TimestampTzGetDatum(version->changed_at);
	put_name(values, nulls, column++, version->changed_by);
	put_text(values, nulls, column++, version->actor);
	put_text(values, nulls, column++, version->request_id);
	put_text(values, nulls, column++, path);
	put_jsonb(values, nulls, column++, old != NULL ? document_to_jsonb(old) : NULL);
	put_jsonb(values, nulls, column++, new != NULL ? document_to_jsonb(new) : NULL);
	tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
}

/*
 * The next change, if it is of this path, or NULL.  Both lists are sorted; one
 * path may come several times, where names have dots in them.
 */
static Change *
next_change(List *changes, int *next, const char *path)
{
	while (*next < list_length(changes))
	{
		Change	   *change = list_nth(changes, *next);
		int			order = strcmp(change->path, path);

		if (order > 0)
			break;
		(*next)++;
		if (order == 0)
			return change;
	}
	return NULL;
}

/*
 * What history says changed.  The paths are told from the documents as they
 * were told then; where schemas have changed since, or plain SQL came between,
 * by their names.
 */
static void
report_version(Report *report, const PastVersion *version, Jsonb *last)
{
	JsonbValue *before = last != NULL ? document_from_jsonb(last) : NULL;
	JsonbValue *after = version->document != NULL ? document_from_jsonb(version->document) : NULL;
	List	   *changes = changes_with_values(report->schema, before, after);
	int			next = 0;
	ListCell   *lc;

	foreach(lc, version->changed)
	{
		char	   *path = lfirst(lc);
		Change	   *change = next_change(changes, &next, path);

		CHECK_FOR_INTERRUPTS();
		if (change != NULL)
			report_change(report, version, path, change->before, change->after);
		else
			report_change(report, version, path, changed_value(report->schema, before, path),
						  changed_value(report->schema, after, path));
	}
	if (version->changed == NIL)
		report_change(report, version, NULL, NULL, NULL);
}

/* The next version of a user. */
static void
report_next(void *arg, PastVersion *version)
{
	Report	   *report = arg;

	report_version(report, version, version->before != NULL ? version->before : report->last);
	if (report->last != NULL)
		pfree(report->last);
	report->last = NULL;
	if (version->document != NULL)
	{
		report->last = MemoryContextAlloc(report->context, VARSIZE(version->document));
		memcpy(report->last, version->document, VARSIZE(version->document));
	}
}

/*
 * user_history(users regclass, id text)
 */
Datum
user_history(PG_FUNCTION_ARGS)
{
	Report		report = {0};
	Past		past;
	UserRow		row;
	Datum		id;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	id = open_past(fcinfo, &past);
	report.result = (ReturnSetInfo *) fcinfo->resultinfo;
	report.schema = binding_api(past.binding, NULL)->schema;
	report.context = CurrentMemoryContext;
	if (past_versions(&past, id, report_next, &report) == 0 &&
		!user_read(past.binding, id, READ_STABLE, &row))
		user_missing(text_argument(fcinfo, 1));
	SPI_finish();
	PG_RETURN_NULL();
}

/* A version of any user, with what was before it. */
static void
report_any(void *arg, PastVersion *version)
{
	report_version(arg, version, version->before);
}

/*
 * users_history(users regclass, since timestamptz, until timestamptz)
 */
Datum
users_history(PG_FUNCTION_ARGS)
{
	Report		report = {0};
	Past		past;

	require_argument(fcinfo, 0, "users");
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	report.ids_of = binding_open(PG_GETARG_OID(0));
	past_open(&past, report.ids_of);
	report.result = (ReturnSetInfo *) fcinfo->resultinfo;
	report.schema = binding_api(report.ids_of, NULL)->schema;
	past_span(&past, PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1),
			  PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2), report_any, &report);
	SPI_finish();
	PG_RETURN_NULL();
}

/*
 * What users were
 */

static void
note_version(void *arg, PastVersion *version)
{
}

/*
 * user_as_of(users regclass, id text, at timestamptz, api text)
 */
Datum
user_as_of(PG_FUNCTION_ARGS)
{
	Past		past;
	PastVersion state = {0};
	UserState	user = {0};
	UserRow		row;
	TimestampTz at;
	const BoundApi *api;
	Jsonb	   *answer;
	Datum		id;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	require_argument(fcinfo, 2, "at");
	at = PG_GETARG_TIMESTAMPTZ(2);
	SPI_connect();
	id = open_past(fcinfo, &past);
	api = binding_api(past.binding, text_argument(fcinfo, 3));
	if (!past_state(&past, id, at, &state, &user.created))
	{
		/* one whom nobody ever knew is a mistake */
		if (past_versions(&past, id, note_version, NULL) == 0 &&
			!user_read(past.binding, id, READ_STABLE, &row))
			user_missing(text_argument(fcinfo, 1));
		SPI_finish();
		PG_RETURN_NULL();
	}
	user.id = binding_id_to_text(past.binding, id);
	user.document = document_from_jsonb(state.document);
	user.version = state.version;
	user.modified = state.changed_at;
	answer = document_to_jsonb(body_shape(api->profile->body)->show_user(api->schema, api->profile,
																		 &user, NULL));
	answer = give_to_caller(answer);
	SPI_finish();
	PG_RETURN_JSONB_P(answer);
}

typedef struct States
{
	Binding    *table;
	ReturnSetInfo *result;
} States;

static void
report_state(void *arg, PastVersion *state)
{
	States	   *states = arg;
	Datum		values[8];
	bool		nulls[8] = {0};

	if (state->document == NULL)
		return;					/* deleted by then */
	put_text(values, nulls, 0, binding_id_to_text(states->table, state->user_id));
	values[1] = Int64GetDatum(state->version);
	put_jsonb(values, nulls, 2, state->document);
	values[3] = TimestampTzGetDatum(state->changed_at);
	put_text(values, nulls, 4, state->operation);
	put_name(values, nulls, 5, state->changed_by);
	put_text(values, nulls, 6, state->actor);
	put_text(values, nulls, 7, state->request_id);
	tuplestore_putvalues(states->result->setResult, states->result->setDesc, values, nulls);
}

/*
 * users_as_of(users regclass, at timestamptz)
 */
Datum
users_as_of(PG_FUNCTION_ARGS)
{
	Past		past;
	States		states;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "at");
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	states.table = binding_open(PG_GETARG_OID(0));
	states.result = (ReturnSetInfo *) fcinfo->resultinfo;
	past_open(&past, states.table);
	past_states(&past, PG_GETARG_TIMESTAMPTZ(1), report_state, &states);
	SPI_finish();
	PG_RETURN_NULL();
}
