/*
 * user.c
 *	  The SQL functions on one user.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/errors.h"
#include "core/secret.h"
#include "functions/functions.h"

PG_FUNCTION_INFO_V1(user_create);
PG_FUNCTION_INFO_V1(user_put);
PG_FUNCTION_INFO_V1(user_patch);
PG_FUNCTION_INFO_V1(user_delete);
PG_FUNCTION_INFO_V1(user_get);
PG_FUNCTION_INFO_V1(user_version);
PG_FUNCTION_INFO_V1(user_password_verify);

/*
 * Arguments
 */

/* A text argument, or NULL. */
char *
text_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

char *
request_id_argument(FunctionCallInfo fcinfo, int arg)
{
	char	   *request_id = text_argument(fcinfo, arg);
	int			len = request_id != NULL ? pg_mbstrlen(request_id) : 1;

	if (len < 1 || len > MAX_CLAIM_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("a request id has 1 to %d characters", MAX_CLAIM_LENGTH),
				 errdetail_path("request_id", SCIM_INVALID_VALUE),
				 errhint("A random UUID makes a good one, or none at all.")));
	if (request_id != NULL && strcmp(claim_text(request_id), request_id) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("a request id has no control characters"),
				 errdetail_path("request_id", SCIM_INVALID_VALUE),
				 errhint("A random UUID makes a good one, or none at all.")));
	return request_id;
}

/* Out of SPI's memory, which goes when it finishes. */
Jsonb *
give_to_caller(Jsonb *answer)
{
	return memcpy(SPI_palloc(VARSIZE(answer)), answer, VARSIZE(answer));
}

char *
give_string_to_caller(const char *string)
{
	Size		size = strlen(string) + 1;

	return memcpy(SPI_palloc(size), string, size);
}

/* The argument expected_version. */
static void
version_argument(FunctionCallInfo fcinfo, int arg, Expectation *expected)
{
	int64	   *version;

	expected->given = !PG_ARGISNULL(arg);
	if (!expected->given)
		return;
	version = palloc(sizeof(int64));
	*version = PG_GETARG_INT64(arg);
	expected->versions = version;
	expected->count = 1;
}

static Datum
give_answer(FunctionCallInfo fcinfo, Jsonb *answer)
{
	/* JSON null is how a deletion is answered and remembered */
	if (JB_ROOT_IS_SCALAR(answer))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(answer);
}

/*
 * user_put and user_patch(users regclass, id text, body jsonb,
 *		idempotency_key text, expected_version bigint, request_id text,
 *		dry_run boolean, api text)
 */
static Datum
put_or_patch(FunctionCallInfo fcinfo, Operation operation)
{
	JsonbValue *headers;
	UserCall	call = {0};
	Outcome		outcome = {0};

	call.hides = hide_statement();
	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	require_argument(fcinfo, 2, "body");
	require_argument(fcinfo, 6, "dry_run");
	call.operation = operation;
	call.users = PG_GETARG_OID(0);
	call.id = text_argument(fcinfo, 1);
	call.body = PG_GETARG_JSONB_P(2);
	call.idempotency_key = text_argument(fcinfo, 3);
	version_argument(fcinfo, 4, &call.expected);
	call.request_id = request_id_argument(fcinfo, 5);
	call.dry_run = PG_GETARG_BOOL(6);
	call.api = text_argument(fcinfo, 7);
	headers = current_headers();
	take_key(headers, &call);
	take_expectation(headers, &call);
	take_request_id(headers, &call);
	return give_answer(fcinfo, update_user(&call, &outcome));
}

Datum
user_put(PG_FUNCTION_ARGS)
{
	return put_or_patch(fcinfo, OPERATION_PUT);
}

Datum
user_patch(PG_FUNCTION_ARGS)
{
	return put_or_patch(fcinfo, OPERATION_PATCH);
}

/*
 * user_create(users regclass, body jsonb, id text, idempotency_key text,
 *		request_id text, dry_run boolean, api text)
 */
Datum
user_create(PG_FUNCTION_ARGS)
{
	JsonbValue *headers;
	UserCall	call = {0};
	Outcome		outcome = {0};

	call.hides = hide_statement();
	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "body");
	require_argument(fcinfo, 5, "dry_run");
	call.operation = OPERATION_CREATE;
	call.users = PG_GETARG_OID(0);
	call.body = PG_GETARG_JSONB_P(1);
	call.id = text_argument(fcinfo, 2);
	call.idempotency_key = text_argument(fcinfo, 3);
	call.request_id = request_id_argument(fcinfo, 4);
	call.dry_run = PG_GETARG_BOOL(5);
	call.api = text_argument(fcinfo, 6);
	headers = current_headers();
	take_key(headers, &call);
	take_request_id(headers, &call);
	return give_answer(fcinfo, update_user(&call, &outcome));
}

/*
 * user_delete(users regclass, id text, idempotency_key text,
 *		expected_version bigint, request_id text, dry_run boolean, api text)
 */
Datum
user_delete(PG_FUNCTION_ARGS)
{
	JsonbValue *headers;
	UserCall	call = {0};
	Outcome		outcome = {0};

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	require_argument(fcinfo, 5, "dry_run");
	call.operation = OPERATION_DELETE;
	call.users = PG_GETARG_OID(0);
	call.id = text_argument(fcinfo, 1);
	call.idempotency_key = text_argument(fcinfo, 2);
	version_argument(fcinfo, 3, &call.expected);
	call.request_id = request_id_argument(fcinfo, 4);
	call.dry_run = PG_GETARG_BOOL(5);
	call.api = text_argument(fcinfo, 6);
	headers = current_headers();
	take_key(headers, &call);
	take_expectation(headers, &call);
	take_request_id(headers, &call);
	return give_answer(fcinfo, update_user(&call, &outcome));
}

/*
 * The user that a read asks for, as the calling query sees it.
 */
static Binding *
read_user(Oid users, const char *id_text, UserState *user, UserRow *row)
{
	Binding    *table = binding_open(users);


	Datum		id = binding_id_from_text(table, id_text);

	binding_require_privileges(table, ACL_SELECT);
	if (!user_read(table, id, READ_STABLE, row))
		user_missing(id_text);
	user->id = binding_id_to_text(table, id);
	user->sent = NULL;
	user->version = row->version;
	user->created = row->created;
	user->modified = row->modified;
	return table;
}

/* The arguments attributes and excluded_attributes. */
void
shown_arguments(FunctionCallInfo fcinfo, int attributes, int excluded, Shown *shown)
{
	shown->selects = !PG_ARGISNULL(attributes);
	if (shown->selects)
		shown->attributes = text_array_list(PG_GETARG_DATUM(attributes));
	shown->excludes = !PG_ARGISNULL(excluded);
	if (shown->excludes)
		shown->excluded = text_array_list(PG_GETARG_DATUM(excluded));
}

static void
add_paths(PathSet *set, const Schema *schema, List *paths)
{
	ListCell   *lc;

	set->given = true;
	foreach(lc, paths)
		path_set_add(set, schema, lfirst(lc));
}

/* The attributes that a request asks to be shown. */
void
select_shown(Selection *selection, const Schema *schema, const Shown *shown)
{
	if (shown->selects && shown->excludes)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attributes and excluded_attributes cannot go together"),
				 errdetail_path("attributes", SCIM_INVALID_VALUE),
				 errhint("Name the attributes to show, or those to leave out.")));
	if (shown->selects)
		add_paths(&selection->wanted, schema, shown->attributes);
	if (shown->excludes)
		add_paths(&selection->excluded, schema, shown->excluded);
}

/*
 * A user, in the shape of the API; within a connection to SPI.
 */
Jsonb *
get_user(const ReadCall *call, Outcome *outcome)
{
	Selection	selection = {0};
	UserState	user;
	UserRow		row;
	Binding    *table = read_user(call->users, call->id, &user, &row);
	const BoundApi *api = binding_api(table, call->api);
	const BodyShape *shape = body_shape(api->profile->body);

	select_shown(&selection, api->schema, &call->shown);
	user.document = computed_document(table, api, &selection, READ_STABLE, user.id,
									  document_from_jsonb(row.document));
	outcome->id = user.id;
	outcome->version = user.version;
	return document_to_jsonb(shape->show_user(api->schema, api->profile, &user, &selection));
}

/*
 * user_get(users regclass, id text, attributes text[],
 *		excluded_attributes text[], api text)
 */
Datum
user_get(PG_FUNCTION_ARGS)
{
	ReadCall	call = {0};
	Outcome		outcome = {0};
	Jsonb	   *answer;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	call.users = PG_GETARG_OID(0);
	call.id = text_argument(fcinfo, 1);
	shown_arguments(fcinfo, 2, 3, &call.shown);
	call.api = text_argument(fcinfo, 4);
	SPI_connect();
	answer = give_to_caller(get_user(&call, &outcome));
	SPI_finish();
	PG_RETURN_JSONB_P(answer);
}

/*
 * user_version(users regclass, id text)
 */
Datum
user_version(PG_FUNCTION_ARGS)
{
	UserState	user;
	UserRow		row;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	SPI_connect();
	(void) read_user(PG_GETARG_OID(0), text_argument(fcinfo, 1), &user, &row);
	SPI_finish();
	PG_RETURN_INT64(row.version);
}

/*
 * user_password_verify(users regclass, id text, password text)
 */
Datum
user_password_verify(PG_FUNCTION_ARGS)
{
	Binding    *table;
	Datum		id;
	char	   *id_text;
	char	   *hash;
	bool		matches;

	(void) hide_statement();
	hide_activity();
	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	require_argument(fcinfo, 2, "password");
	id_text = text_argument(fcinfo, 1);
	SPI_connect();
	table = binding_open(PG_GETARG_OID(0));
	id = binding_id_from_text(table, id_text);
	binding_require_privileges(table, ACL_SELECT);
	if (binding_api(table, NULL)->schema->password == NULL && !table->has_password)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("users of table \"%s\" have no passwords", table->name),
				 errdetail_path(NULL, NULL),
				 errhint("None of the table's attribute schemas has an attribute with the format \"password\".")));
	binding_require_password(table, ACL_SELECT);
	if (!user_password(table, id, NULL, &hash))
		user_missing(id_text);
	matches = hash != NULL && password_matches(table, text_argument(fcinfo, 2), hash);
	SPI_finish();
	PG_RETURN_BOOL(matches);
}
