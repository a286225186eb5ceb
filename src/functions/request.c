/*
 * request.c
 *	  user_request: the parts of an HTTP request in, those of the response out,
 *	  so that a web app is one SQL call.
 *
 * Whatever is wrong with a request becomes a response, and what it had done is
 * taken back.  Only what the whole transaction has to repeat, and cancels, are
 * raised.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/fmgrprotos.h"

#include "core/errors.h"
#include "core/secret.h"
#include "functions/bulk.h"
#include "functions/request.h"

PG_FUNCTION_INFO_V1(user_request);

/* What Zuora documents of its header Zuora-Track-Id. */
#define MAX_TRACK_ID_LENGTH	64

/*
 * Finding the route
 */

static bool
is_pattern_of(const char *pattern, List *segments, int *length, const char **id)
{
	List	   *wanted = NIL;
	char	   *copy = pstrdup(pattern);
	char	   *saved;
	int			skipped;

	for (char *part = strtok_r(copy, "/", &saved); part != NULL; part = strtok_r(NULL, "/", &saved))
		wanted = lappend(wanted, part);
	skipped = list_length(segments) - list_length(wanted);
	*length = list_length(wanted);
	*id = NULL;
	if (skipped < 0)
		return false;
	for (int i = 0; i < *length; i++)
	{
		const char *part = list_nth(wanted, i);
		const char *segment = list_nth(segments, skipped + i);

		if (strcmp(part, "*") == 0)
			*id = segment;
		else if (pg_strcasecmp(part, segment) != 0)
			return false;
	}
	return true;
}

static void
refuse_method(Request *request, const char *allowed)
{
	document_add(request->response_headers, "Allow", document_string(allowed));
	ereport(ERROR,
			(errcode(ERRCODE_USER_METHOD_NOT_ALLOWED),
			 errmsg("method %s is not allowed here", shown_name(request->method, strlen(request->method))),
			 errdetail_path(NULL, NULL),
			 errhint("Use one of: %s.", allowed)));
}

/* Are there such requests for users of this profile? */
static bool
is_offered(const BodyShape *shape, const Profile *profile, Action action)
{
	if (action == ACTION_STATUS)
		return shape->read_status != NULL && profile->statuses != NULL;
	if (action == ACTION_DELETE)
		return profile->on_delete != ON_DELETE_REFUSE;
	return true;
}

/*
 * Which route it is: of those whose segments end the path, with whatever prefix
 * before them, the longest.
 */
static void
find_route(Request *request)
{
	const char *method = pg_strcasecmp(request->method, "HEAD") == 0 ? "GET" : request->method;
	StringInfoData allowed;
	int			best = 0;

	initStringInfo(&allowed);
	for (const Route *route = request->shape->routes; route->method != NULL; route++)
	{
		int			length;
		const char *id;

		if (!is_offered(request->shape, request->api->profile, route->action) ||
			!is_pattern_of(route->pattern, request->target->segments, &length, &id) ||
			length < best)
			continue;
		if (length > best)
		{
			best = length;
			request->route = NULL;
			resetStringInfo(&allowed);
		}
		if (strstr(allowed.data, route->method) == NULL)
			appendStringInfo(&allowed, "%s%s", allowed.len > 0 ? ", " : "", route->method);
		if (request->route == NULL && pg_strcasecmp(route->method, method) == 0)
		{
			request->route = route;
			request->id = id;
		}
	}
	if (best == 0)
		ereport(ERROR,
				(errcode(ERRCODE_USER_NOT_FOUND),
				 errmsg("there is nothing at \"%s\"", shown_name(request->path, strcspn(request->path, "?#"))),
				 errdetail_path(NULL, NULL),
				 errhint("Users are at \"/%s\".", request->shape->collection)));
	if (request->route == NULL)
		refuse_method(request, allowed.data);
}

/*
 * Reading
 */

/* At most 64 characters of US-ASCII, without some that could end a log's field. */
static void
read_track_id(Request *request)
{
	char	   *track_id = http_header(request->headers, "Zuora-Track-Id");

	if (track_id == NULL)
		return;
	for (const unsigned char *c = (const unsigned char *) track_id; *c; c++)
	{
		if (*c < ' ' || *c > '~' || strchr(":;\"'", *c) != NULL ||
			c - (const unsigned char *) track_id >= MAX_TRACK_ID_LENGTH)
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("header \"%s\" is not usable", "Zuora-Track-Id"),
					 errdetail_path("Zuora-Track-Id", SCIM_INVALID_VALUE),
					 errhint("It has at most %d characters of US-ASCII, none of : ; \" or '.",
							 MAX_TRACK_ID_LENGTH)));
	}
	if (track_id[0] == '\0')
		return;
	document_add(request->response_headers, "Zuora-Track-Id", document_string(track_id));
}

/*
 * PostgreSQL says in DETAIL what is wrong with JSON; from version 16 on also
 * of a character that the encoding lacks.  No encoding has \u0000.
 */
static void
refuse_json(const ErrorData *error)
{
	bool		is_character = (error->sqlerrcode == ERRCODE_UNTRANSLATABLE_CHARACTER ||
								error->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED) &&
	(error->detail == NULL || strstr(error->detail, "\\u0000") == NULL);

	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 is_character ? errmsg("the body has a character that the database cannot store") :
			 errmsg("the body is not valid JSON"),
			 errdetail_path(NULL, SCIM_INVALID_SYNTAX),
			 is_character ? errhint("Its encoding is %s.", GetDatabaseEncodingName()) :
			 error->detail != NULL ? errhint("%s", error->detail) : 0));
}

/* The body as jsonb; text that is none is the client's mistake. */
static Jsonb *
parse_body(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile body = NULL;

	PG_TRY();
	{
		body = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		switch (ERRCODE_TO_CATEGORY(geterrcode()))
		{
			case ERRCODE_DATA_EXCEPTION:
			case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			case ERRCODE_FEATURE_NOT_SUPPORTED: /* an escape, in SQL_ASCII */
				break;
			default:
				PG_RE_THROW();
		}
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		refuse_json(error);
	}
	PG_END_TRY();
	return body;
}

static void
read_body(Request *request)
{
	char	   *type = http_header(request->headers, "Content-Type");

	if (request->body != NULL)
		return;
	if (request->body_text == NULL ||
		request->body_text[strspn(request->body_text, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("the body is missing"),
				 errdetail_path(NULL, SCIM_INVALID_SYNTAX),
				 errhint("Send it as JSON.")));
	if (type != NULL && !http_is_json(type))
		ereport(ERROR,
				(errcode(ERRCODE_USER_UNSUPPORTED_MEDIA_TYPE),
				 errmsg("media type \"%s\" is not supported", shown_name(type, strlen(type))),
				 errdetail_path(NULL, NULL),
				 errhint("Send JSON as \"%s\".", request->shape->media_type)));
	request->body = parse_body(request->body_text);
}

/*
 * Answering
 */

static void
add_header(Request *request, const char *name, const char *value)
{
	document_add(request->response_headers, name, document_string(value));
}

/* Where the user is: below base_url, or else beside the collection's own path. */
char *
request_location(const Request *request, const char *id)
{
	const Profile *profile = request->api->profile;
	StringInfoData url;
	int			count = list_length(request->target->segments) - (request->id != NULL ? 1 : 0);

	if (profile->base_url != NULL)
		return user_url(profile, request->shape->collection, id);
	initStringInfo(&url);
	for (int i = 0; i < count; i++)
		appendStringInfo(&url, "/%s", http_url_encode(list_nth(request->target->segments, i)));
	appendStringInfo(&url, "/%s", http_url_encode(id));
	return url.data;
}

/* The answer is the user, unless the client would rather do without. */
static void
answer_user(Request *request, int status, Jsonb *user)
{
	const Outcome *outcome = &request->outcome;
	char	   *preferred = http_preference(http_header(request->headers, "Prefer"), "return");

	request->status = status;
	if (outcome->version > 0)
		add_header(request, "ETag", http_entity_tag(outcome->version));
	if (status == 201 && outcome->id != NULL)
		add_header(request, "Location", request_location(request, outcome->id));
	if (preferred != NULL && pg_strcasecmp(preferred, "minimal") == 0)
	{
		add_header(request, "Preference-Applied", "return=minimal");
		if (status == 200)
			request->status = 204;
	}
	else
		request->response = user;
}

static void
answer_with(Request *request, Jsonb *body)
{
	request->status = 200;
	request->response = body;
}

/*
 * Doing
 */

static void
begin_call(Request *request, UserCall *call, Operation operation)
{
	call->operation = operation;
	call->users = request->table->users;
	call->id = operation == OPERATION_CREATE ? request->new_id : request->id;
	call->password_hash = request->password_hash;
	call->body = request->body;
	take_key(request->headers, call);
	call->request_id = request->request_id;
	call->api = request->api->profile->name;
	/* what was not read may carry anything */
	call->hides = request->hides && request->body != NULL;
}

static void
serve_update(Request *request, Operation operation)
{
	UserCall	call = {0};
	Jsonb	   *user;

	if (operation != OPERATION_DELETE)
		read_body(request);
	begin_call(request, &call, operation);
	take_expectation(request->headers, &call);
	request->shape->read_shown(request->api->profile, request->target->query, &call.shown);
	user = update_user(&call, &request->outcome);
	if (operation == OPERATION_DELETE)
		request->status = 204;
	else
		answer_user(request, request->outcome.created ? 201 : 200, user);
}

static void
serve_status(Request *request)
{
	UserCall	call = {0};

	read_body(request);
	request->body = document_to_jsonb(request->shape->read_status(request->api->profile,
																  document_from_jsonb(request->body)));
	begin_call(request, &call, OPERATION_PATCH);
	take_expectation(request->headers, &call);
	(void) update_user(&call, &request->outcome);
	add_header(request, "ETag", http_entity_tag(request->outcome.version));
	answer_with(request, document_to_jsonb(request->shape->show_status(request->api->profile,
																	   request->outcome.id)));
}

static void
serve_bulk(Request *request, Operation operation)
{
	BulkCall	call = {0};

	read_body(request);
	begin_call(request, &call.common, operation);
	call.body = request->body;
	call.over_http = true;
	answer_with(request, update_users(&call));
}

/* Is this version among those that a header names? */
static bool
names_version(const char *tags, int64 version)
{
	Expectation named = http_read_entity_tags(tags);

	for (int i = 0; i < named.count; i++)
	{
		if (named.versions[i] == version)
			return true;
	}
	return named.any;
}

/* What If-Match says holds for reading, too (RFC 9110 section 13.1.1). */
static void
require_match(const Request *request, int64 version)
{
	const char *tags = http_header(request->headers, "If-Match");

	if (tags != NULL && !names_version(tags, version))
		ereport(ERROR,
				(errcode(ERRCODE_USER_PRECONDITION_FAILED),
				 errmsg("user \"%s\" does not have a version that is expected",
						shown_name(request->id, strlen(request->id))),
				 errdetail_path("meta.version", NULL),
				 errhint("Its version is " INT64_FORMAT ".", version)));
}

static void
serve_get(Request *request)
{
	ReadCall	call = {0};
	const char *known = http_header(request->headers, "If-None-Match");
	Jsonb	   *user;

	call.users = request->table->users;
	call.id = request->id;
	call.api = request->api->profile->name;
	request->shape->read_shown(request->api->profile, request->target->query, &call.shown);
	SPI_connect();
	user = give_to_caller(get_user(&call, &request->outcome));
	SPI_finish();
	require_match(request, request->outcome.version);
	add_header(request, "ETag", http_entity_tag(request->outcome.version));
	if (known != NULL && names_version(known, request->outcome.version))
		request->status = 304;
	else
		answer_with(request, user);
}

static void
serve_list(Request *request)
{
	ListCall	call = {0};
	Jsonb	   *list;

	call.users = request->table->users;
	call.api = request->api->profile->name;
	if (request->route->action == ACTION_SEARCH)
	{
		read_body(request);
		request->shape->read_search(document_from_jsonb(request->body), &call.request);
	}
	else
		request->shape->read_list(request->api->profile, request->target->query, &call.request);
	SPI_connect();
	list = give_to_caller(list_users(&call));
	SPI_finish();
	answer_with(request, list);
}

/* Documents that nobody filters: to leave the filter out would mislead. */
static void
serve_discovery(Request *request)
{
	Action		kind = request->route->action;

	if (kind != ACTION_SHOW_GROUPS && http_parameter(request->target->query, "filter") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_FORBIDDEN),
				 errmsg("parameter \"%s\" is not allowed here", "filter"),
				 errdetail_path("filter", NULL),
				 errhint("Leave it out (RFC 7644 section 4).")));
	answer_with(request, document_to_jsonb(discovery_show(request->api->schema, request->api->profile,
														  kind, request->id)));
}

static void
make_constraints_immediate(void *unused)
{
	SPI_connect();
	if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "checking constraints failed"); /* can't happen */
	SPI_finish();
}

/*
 * What is deferred until commit would fail after the answer was sent.  Checked
 * in a rehearsal, so that it stays deferred for what else the transaction does.
 */
void
check_deferred_constraints(void)
{
	rehearse(make_constraints_immediate, NULL);
}

/* The profile that shows more, for those who ask for it. */
static void
choose_profile(Request *request)
{
	const char *metadata = http_parameter(request->target->query, "uiMetadata");

	if (metadata != NULL && pg_strcasecmp(metadata, "true") == 0 &&
		request->api->profile->ui_metadata != NULL)
		request->api = binding_api(request->table, request->api->profile->ui_metadata);
}

/* What an operation of a bulk request may do (RFC 7644 section 3.7). */
static void
require_operation(Request *request)
{
	switch (request->route->action)
	{
		case ACTION_CREATE:
		case ACTION_PUT:
		case ACTION_PATCH:
		case ACTION_DELETE:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("a bulk request cannot have this operation"),
					 errdetail_path("Operations.method", SCIM_INVALID_VALUE),
					 errhint("Users are created by POST, and changed by PUT, PATCH and DELETE.")));
	}
}

/*
 * An id that the table cannot have is nobody's, unless the user would be created
 * with it.
 */
static void
require_possible_id(const Request *request)
{
	Datum		id;

	switch (request->route->action)
	{
		case ACTION_GET:
		case ACTION_PATCH:
		case ACTION_DELETE:
		case ACTION_STATUS:
			break;
		case ACTION_PUT:
			if (!request->api->profile->put_creates)
				break;
			return;
		default:
			return;
	}
	if (!binding_find_id(request->table, request->id, &id))
		user_missing(request->id);
}

/*
 * See what the request is about.  What is wrong is raised.
 */
void
request_find(Request *request)
{
	read_track_id(request);
	if (!request->is_operation)
		request->request_id = header_request_id(request->headers);
	request->target = http_read_target(request->path);
	find_route(request);
	if (request->is_operation)
		require_operation(request);
	choose_profile(request);
}

/*
 * Do what it asks for.
 */
void
request_serve(Request *request)
{
	require_possible_id(request);
	switch (request->route->action)
	{
		case ACTION_LIST:
		case ACTION_SEARCH:
			serve_list(request);
			return;
		case ACTION_GET:
			serve_get(request);
			return;
		case ACTION_CREATE:
			serve_update(request, OPERATION_CREATE);
			break;
		case ACTION_PUT:
			serve_update(request, OPERATION_PUT);
			break;
		case ACTION_PATCH:
			serve_update(request, OPERATION_PATCH);
			break;
		case ACTION_DELETE:
			serve_update(request, OPERATION_DELETE);
			break;
		case ACTION_STATUS:
			serve_status(request);
			break;
		case ACTION_BULK_PUT:
			serve_bulk(request, OPERATION_PUT);
			break;
		case ACTION_BULK_PATCH:
			serve_bulk(request, OPERATION_PATCH);
			break;
		case ACTION_SCIM_BULK:
			read_body(request);
			answer_with(request, scim_bulk(request));
			return;
		case ACTION_SHOW_CONFIG:
		case ACTION_SHOW_SCHEMAS:
		case ACTION_SHOW_RESOURCE_TYPES:
		case ACTION_SHOW_GROUPS:
			serve_discovery(request);
			return;
		case ACTION_NOT_IMPLEMENTED:
			ereport(ERROR,
					(errcode(ERRCODE_USER_NOT_IMPLEMENTED),
					 errmsg("nobody here knows which user the client is"),
					 errdetail_path(NULL, NULL),
					 errhint("Address the user by id.")));
	}
	/* operations may need each other: see do_unit() */
	if (!request->is_operation)
		check_deferred_constraints();
}

/* Is an error for the caller of the function, rather than for the client? */
static bool
is_callers(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_QUERY_CANCELED:
			return true;
		default:
			return false;
	}
}

/* Of the headers, what does not tell of a success. */
static JsonbValue *
headers_of_error(JsonbValue *headers)
{
	static const char *const names[] = {"Allow", "Zuora-Track-Id"};
	JsonbValue *kept = document_new_object();

	for (int i = 0; i < lengthof(names); i++)
	{
		JsonbValue *value = document_member(headers, names[i]);

		if (value != NULL)
			document_add(kept, names[i], value);
	}
	return kept;
}

/* The body as far as an error shows parts of it: one nested too deeply has none. */
static JsonbValue *
body_of_error(const Request *request)
{
	MemoryContext context = CurrentMemoryContext;
	JsonbValue *volatile body = NULL;

	if (request->body == NULL)
		return document_new_object();
	PG_TRY();
	{
		body = document_from_jsonb(request->body);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_USER_BAD_REQUEST)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		body = document_new_object();
	}
	PG_END_TRY();
	return body;
}

/*
 * An error that took back all that the request did becomes the response, unless
 * it is the caller's.
 */
void
request_answer_error(Request *request, ErrorData *error)
{
	Failure		failure;
	ItemResult	result = {0};

	if (is_callers(error->sqlerrcode))
		ReThrowError(error);
	failure_read(&failure, error, true);
	result.id = request->id;
	result.body = body_of_error(request);
	result.failure = &failure;
	request->status = failure.status;
	request->response_headers = headers_of_error(request->response_headers);
	request->response = document_to_jsonb(request->shape->show_error(request->api->schema,
																	 request->api->profile, &result));
}

static void
serve(void *arg)
{
	Request    *request = arg;
	int			nest_level = take_tenant(request->headers, request->table);

	request_find(request);
	request_serve(request);
	if (nest_level > 0)
		AtEOXact_GUC(true, nest_level);
}

static JsonbValue *
headers_argument(FunctionCallInfo fcinfo, int arg)
{
	JsonbValue *headers;

	if (PG_ARGISNULL(arg))
		return current_headers();
	headers = document_from_jsonb(PG_GETARG_JSONB_P(arg));
	if (headers->type != jbvObject)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a JSON object", "headers"),
				 errhint("It has the headers' names and values.")));
	return headers;
}

/*
 * user_request(users regclass, method text, path text, headers jsonb,
 *		body text, api text, OUT status integer, OUT headers jsonb,
 *		OUT body jsonb)
 */
Datum
user_request(PG_FUNCTION_ARGS)
{
	Request		request = {0};
	ErrorData  *error;
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false};

	request.hides = hide_statement();
	if (PG_ARGISNULL(4) && request.hides)
	{
		show_statement_again();
		request.hides = false;
	}
	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "method");
	require_argument(fcinfo, 2, "path");
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "user_request does not return a row");	/* can't happen */
	request.method = text_argument(fcinfo, 1);
	request.path = text_argument(fcinfo, 2);
	request.headers = headers_argument(fcinfo, 3);
	request.body_text = text_argument(fcinfo, 4);
	request.response_headers = document_new_object();
	request.table = binding_open(PG_GETARG_OID(0));
	request.api = binding_api(request.table, text_argument(fcinfo, 5));
	request.shape = body_shape(request.api->profile->body);

	error = attempt(serve, &request);
	if (error != NULL)
		request_answer_error(&request, error);
	if (request.response != NULL)
		add_header(&request, "Content-Type", request.shape->media_type);
	/* the headers are those of GET (RFC 9110 section 9.3.2) */
	if (pg_strcasecmp(request.method, "HEAD") == 0)
		request.response = NULL;

	values[0] = Int32GetDatum(request.status);
	values[1] = JsonbPGetDatum(document_to_jsonb(request.response_headers));
	nulls[2] = request.response == NULL;
	values[2] = nulls[2] ? (Datum) 0 : JsonbPGetDatum(request.response);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
