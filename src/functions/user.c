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

#define MAX_REQUEST_ID_LENGTH	255

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

	if (len < 1 || len > MAX_REQUEST_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("a request id has 1 to %d characters", MAX_REQUEST_ID_LENGTH),
				 errdetail_path("request_id", SCIM_INVALID_VALUE),
				 errhint("A random UUID makes a good one, or none at all.")));
	return request_id;
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
	UserCall	call = {0};

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
	call.has_expected_version = !PG_ARGISNULL(4);
	call.expected_version = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4);
	call.request_id = request_id_argument(fcinfo, 5);
	call.dry_run = PG_GETARG_BOOL(6);
	call.api = text_argument(fcinfo, 7);
	return give_answer(fcinfo, update_user(&call));
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
	UserCall	call = {0};

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
	return give_answer(fcinfo, update_user(&call));
}

/*
 * user_delete(users regclass, id text, idempotency_key text,
 *		expected_version bigint, request_id text, dry_run boolean, api text)
 */
Datum
user_delete(PG_FUNCTION_ARGS)
{
	UserCall	call = {0};

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	require_argument(fcinfo, 5, "dry_run");
	call.operation = OPERATION_DELETE;
	call.users = PG_GETARG_OID(0);
	call.id = text_argument(fcinfo, 1);
	call.idempotency_key = text_argument(fcinfo, 2);
	call.has_expected_version = !PG_ARGISNULL(3);
	call.expected_version = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
	call.request_id = request_id_argument(fcinfo, 4);
	call.dry_run = PG_GETARG_BOOL(5);
	call.api = text_argument(fcinfo, 6);
	return give_answer(fcinfo, update_user(&call));
}

/*
 * The user that a read asks for, as the calling query sees it.
 */
static Binding *
read_user(FunctionCallInfo fcinfo, UserState *user, UserRow *row)
{
	Binding    *table;
	char	   *id_text;
	Datum		id;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "id");
	id_text = text_argument(fcinfo, 1);
	table = binding_open(PG_GETARG_OID(0));
	id = binding_id_from_text(table, id_text);
	if (!user_read(table, id, READ_STABLE, row))
		user_missing(id_text);
	user->id = binding_id_to_text(table, id);
	user->sent = NULL;
	user->version = row->version;
	user->created = row->created;
	user->modified = row->modified;
	return table;
}

/* Paths that an argument lists. */
static void
add_paths(PathSet *set, const Schema *schema, Datum array)
{
	ListCell   *lc;

	set->given = true;
	foreach(lc, text_array_list(array))
		path_set_add(set, schema, lfirst(lc));
}

/* The arguments attributes and excluded_attributes. */
void
selection_arguments(FunctionCallInfo fcinfo, int wanted, int excluded, const Schema *schema,
					Selection *selection)
{
	if (!PG_ARGISNULL(wanted) && !PG_ARGISNULL(excluded))
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attributes and excluded_attributes cannot go together"),
				 errdetail_path("attributes", SCIM_INVALID_VALUE),
				 errhint("Name the attributes to show, or those to leave out.")));
	if (!PG_ARGISNULL(wanted))
		add_paths(&selection->wanted, schema, PG_GETARG_DATUM(wanted));
	if (!PG_ARGISNULL(excluded))
		add_paths(&selection->excluded, schema, PG_GETARG_DATUM(excluded));
}

/*
 * user_get(users regclass, id text, attributes text[],
 *		excluded_attributes text[], api text)
 */
Datum
user_get(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Selection	selection = {0};
	UserState	user;
	UserRow		row;
	const BoundApi *api;
	Binding    *table;
	Jsonb	   *shown;
	Jsonb	   *answer;

	SPI_connect();
	table = read_user(fcinfo, &user, &row);
	api = binding_api(table, text_argument(fcinfo, 4));
	selection_arguments(fcinfo, 2, 3, api->schema, &selection);
	user.document = document_from_jsonb(row.document);
	shown = document_to_jsonb(body_shape(api->profile->body)->show_user(api->schema, api->profile,
																		&user, &selection));
	answer = MemoryContextAlloc(caller, VARSIZE(shown));
	memcpy(answer, shown, VARSIZE(shown));
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

	SPI_connect();
	(void) read_user(fcinfo, &user, &row);
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
	UserRow		row;
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
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!user_read(table, id, READ_FRESH, &row))
			user_missing(id_text);
	} while (!user_password(table, id, &row, &hash));
	matches = hash != NULL && password_matches(table, text_argument(fcinfo, 2), hash);
	SPI_finish();
	PG_RETURN_BOOL(matches);
}
