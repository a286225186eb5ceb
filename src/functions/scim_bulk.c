/*
 * scim_bulk.c
 *	  The bulk requests of SCIM (RFC 7644 section 3.7): operations of all kinds,
 *	  which may refer to users that others of them create.
 *
 * An operation comes after those that it refers to, so that none refers to a
 * user who could not be created.  Operations that refer to each other are done
 * together or not at all; the ids of their users are made up beforehand.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "core/errors.h"
#include "core/secret.h"
#include "core/validate.h"
#include "functions/bulk.h"
#include "functions/request.h"
#include "functions/string_map.h"

static const char bulk_request[] = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
static const char bulk_response[] = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
static const char bulk_id_prefix[] = "bulkId:";

typedef struct BulkOperation
{
	JsonbValue *message;		/* as it was sent */
	const char *method;			/* these as far as they are strings, or NULL */
	const char *path;
	const char *bulk_id;
	const char *version;
	JsonbValue *data;			/* or NULL */
	List	   *references;		/* of BulkOperation * */

	/* to find those that refer to each other */
	int			number;			/* in which they were come upon, from 1 */
	int			lowest;			/* number that it leads back to */
	bool		is_waiting;
	bool		refers_to_itself;

	Request		request;		/* while it is done */

	/* what came of it */
	bool		done;
	const char *id;				/* of its user, or NULL */
	Jsonb	   *result;
} BulkOperation;

typedef struct ScimBulk
{
	Request    *request;
	BulkOperation *operations;
	int			count;
	string_map_hash *bulk_ids;	/* bulkId → BulkOperation * */
	int64		errors_left;	/* that may still come; 0: no matter how many */
	bool		stopped;
	int			numbers;
	List	   *waiting;		/* of BulkOperation * */
	List	   *unit;			/* those that are done together */
	BulkOperation *current;
	MemoryContext memory;		/* lasts as long as a unit is done */
} ScimBulk;

/*
 * Reading
 */

static void
refuse_bulk(const char *path, const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("%s", message),
			 errdetail_path(path, SCIM_INVALID_SYNTAX),
			 errhint("%s", hint)));
}

/* A member whose name may be in any case, or NULL. */
static JsonbValue *
member_of(JsonbValue *object, const char *name)
{
	int			len = strlen(name);

	if (object->type != jbvObject)
		return NULL;
	document_foreach(pair, object)
	{
		if (pair->key.val.string.len == len &&
			pg_strncasecmp(pair->key.val.string.val, name, len) == 0)
			return &pair->value;
	}
	return NULL;
}

static const char *
string_of(JsonbValue *object, const char *name)
{
	JsonbValue *value = member_of(object, name);

	return value != NULL && value->type == jbvString ? document_cstring(value) : NULL;
}

static bool
is_bulk_request(JsonbValue *schemas)
{
	if (schemas == NULL || schemas->type != jbvArray)
		return false;
	for (int i = 0; i < schemas->val.array.nElems; i++)
	{
		JsonbValue *uri = &schemas->val.array.elems[i];

		if (uri->type == jbvString && uri->val.string.len == sizeof(bulk_request) - 1 &&
			pg_strncasecmp(uri->val.string.val, bulk_request, sizeof(bulk_request) - 1) == 0)
			return true;
	}
	return false;
}

/* After how many errors to stop; 0: never. */
static int64
read_fail_on_errors(JsonbValue *body)
{
	JsonbValue *value = member_of(body, "failOnErrors");
	bool		too_large = false;
	int64		count;

	if (value == NULL || value->type == jbvNull)
		return 0;
	if (!value_has_type(TYPE_INTEGER, value) ||
		!DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(value->val.numeric),
										  NumericGetDatum(int64_to_numeric(0)))))
		refuse_bulk("failOnErrors", "attribute \"failOnErrors\" must be a positive integer",
					"It says after how many errors to stop; leave it out to go on whatever fails.");
	count = numeric_int4_opt_error(value->val.numeric, &too_large);
	return too_large ? 0 : count;	/* so many there cannot be */
}

static void
check_limits(const Request *request, int count)
{
	const Profile *profile = request->api->profile;
	int64		size = request->body_text != NULL ? strlen(request->body_text) : 0;

	if (count > profile->max_operations)
		ereport(ERROR,
				(errcode(ERRCODE_USER_PAYLOAD_TOO_LARGE),
				 errmsg("the request has too many operations"),
				 errdetail_path("Operations", NULL),
				 errhint("API profile \"%s\" accepts " INT64_FORMAT " operations.",
						 profile->name, profile->max_operations)));
	if (size > profile->max_payload_size)
		ereport(ERROR,
				(errcode(ERRCODE_USER_PAYLOAD_TOO_LARGE),
				 errmsg("the body is too large"),
				 errdetail_path(NULL, NULL),
				 errhint("API profile \"%s\" accepts " INT64_FORMAT " bytes.",
						 profile->name, profile->max_payload_size)));
}

/* The operation whose user a reference "bulkId:…" means; NULL: none. */
static BulkOperation *
referred_to(ScimBulk *bulk, const char *reference, int len)
{
	int			prefix = sizeof(bulk_id_prefix) - 1;
	StringEntry *entry;

	if (len < prefix || strncmp(reference, bulk_id_prefix, prefix) != 0)
		return NULL;
	entry = string_map_lookup(bulk->bulk_ids, pnstrdup(reference + prefix, len - prefix));
	return entry != NULL ? entry->value : NULL;
}

static void
add_reference(BulkOperation *operation, BulkOperation *other)
{
	if (other == operation)
		operation->refers_to_itself = true;
	else if (other != NULL)
		operation->references = list_append_unique_ptr(operation->references, other);
}

static void
find_references(ScimBulk *bulk, BulkOperation *operation, JsonbValue *value)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (value->type)
	{
		case jbvString:
			add_reference(operation, referred_to(bulk, value->val.string.val,
												 value->val.string.len));
			break;
		case jbvArray:
			for (int i = 0; i < value->val.array.nElems; i++)
				find_references(bulk, operation, &value->val.array.elems[i]);
			break;
		case jbvObject:
			document_foreach(pair, value)
				find_references(bulk, operation, &pair->value);
			break;
		default:
			break;
	}
}

/* The last segment of an operation's path. */
static const char *
path_end(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	return slash != NULL ? slash + 1 : path;
}

static void
read_operation(ScimBulk *bulk, BulkOperation *operation, JsonbValue *message)
{
	bool		found;

	operation->message = message;
	operation->method = string_of(message, "method");
	operation->path = string_of(message, "path");
	operation->bulk_id = string_of(message, "bulkId");
	operation->version = string_of(message, "version");
	operation->data = member_of(message, "data");
	/* of two with one bulkId the second one will be refused */
	if (operation->bulk_id != NULL &&
		string_map_lookup(bulk->bulk_ids, operation->bulk_id) == NULL)
		string_map_insert(bulk->bulk_ids, operation->bulk_id, &found)->value = operation;
}

static void
read_bulk(ScimBulk *bulk)
{
	JsonbValue *body = document_from_jsonb(bulk->request->body);
	JsonbValue *operations = member_of(body, "Operations");

	if (!is_bulk_request(member_of(body, "schemas")))
		refuse_bulk("schemas", "the body is not a bulk request",
					"Its \"schemas\" has \"urn:ietf:params:scim:api:messages:2.0:BulkRequest\".");
	if (operations == NULL || operations->type != jbvArray)
		refuse_bulk("Operations", "attribute \"Operations\" must be an array",
					"Each operation is an object with method, path and data.");
	bulk->count = operations->val.array.nElems;
	check_limits(bulk->request, bulk->count);
	bulk->errors_left = read_fail_on_errors(body);
	bulk->operations = palloc0(sizeof(BulkOperation) * Max(bulk->count, 1));
	bulk->bulk_ids = string_map_create(CurrentMemoryContext, Max(bulk->count, 16), NULL);
	for (int i = 0; i < bulk->count; i++)
		read_operation(bulk, &bulk->operations[i], &operations->val.array.elems[i]);
	for (int i = 0; i < bulk->count; i++)
	{
		BulkOperation *operation = &bulk->operations[i];
		const char *end = path_end(operation->path);

		if (end != NULL)
			add_reference(operation, referred_to(bulk, end, strlen(end)));
		if (operation->data != NULL)
			find_references(bulk, operation, operation->data);
	}
}

/*
 * Doing
 */

static bool
is_method(const BulkOperation *operation, const char *method)
{
	return operation->method != NULL && pg_strcasecmp(operation->method, method) == 0;
}

/* What RFC 7644 section 3.7 requires of an operation: where it goes to. */
static void
check_address(BulkOperation *operation)
{
	if (operation->message->type != jbvObject)
		refuse_bulk("Operations", "an operation must be an object",
					"It has method, path and data.");
	if (operation->method == NULL)
		refuse_bulk("Operations.method", "the operation has no method",
					"It is POST, PUT, PATCH or DELETE.");
	if (operation->path == NULL)
		refuse_bulk("Operations.path", "the operation has no path",
					"It is \"/Users\" for POST, else \"/Users/\" and the id of the user.");
}

/* And the rest of it. */
static void
check_operation(ScimBulk *bulk, BulkOperation *operation)
{
	JsonbValue *version;
	StringEntry *entry;

	if (operation->bulk_id == NULL && is_method(operation, "POST"))
		refuse_bulk("Operations.bulkId", "the operation has no bulkId",
					"A POST has one, unique in the request.");
	if (operation->data == NULL && !is_method(operation, "DELETE"))
		refuse_bulk("Operations.data", "the operation has no data",
					"It is the body of the request that the operation stands for.");
	version = member_of(operation->message, "version");
	if (version != NULL && version->type != jbvString && version->type != jbvNull)
		refuse_bulk("Operations.version", "the version of an operation must be a string",
					"It is the meta.version of the user that the operation expects.");
	if (operation->bulk_id == NULL)
		return;
	entry = string_map_lookup(bulk->bulk_ids, operation->bulk_id);
	if (entry->value != operation)
		refuse_bulk("Operations.bulkId", "another operation has the same bulkId",
					"It is unique in the request.");
}

/* The id of the user of another operation, which has to exist by now. */
static const char *
resolve(ScimBulk *bulk, const char *reference, int len)
{
	BulkOperation *other = referred_to(bulk, reference, len);
	const char *id;

	if (other == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("no operation has the \"%s\"", shown_name(reference, len)),
				 errdetail_path("Operations.bulkId", SCIM_INVALID_VALUE),
				 errhint("Refer to the bulkId of a POST of the same request.")));
	if (other->done)
		id = other->id;
	else
		id = other->request.new_id != NULL ? other->request.new_id : other->request.id;
	if (id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_CONFLICT),
				 errmsg("there is no user of \"%s\"", shown_name(reference, len)),
				 errdetail_path("Operations.bulkId", SCIM_INVALID_VALUE),
				 errhint("The operation that this one refers to has to go well.")));
	return id;
}

static bool
is_reference(const char *reference, int len)
{
	return len >= sizeof(bulk_id_prefix) - 1 &&
		strncmp(reference, bulk_id_prefix, sizeof(bulk_id_prefix) - 1) == 0;
}

/* Put ids in the place of references, in a tree that is the caller's own. */
static void
resolve_all(ScimBulk *bulk, JsonbValue *value)
{
	check_stack_depth();
	switch (value->type)
	{
		case jbvString:
			if (is_reference(value->val.string.val, value->val.string.len))
				*value = *document_string(resolve(bulk, value->val.string.val,
												  value->val.string.len));
			break;
		case jbvArray:
			for (int i = 0; i < value->val.array.nElems; i++)
				resolve_all(bulk, &value->val.array.elems[i]);
			break;
		case jbvObject:
			document_foreach(pair, value)
				resolve_all(bulk, &pair->value);
			break;
		default:
			break;
	}
}

/* The path as that of a request of its own, beside the bulk endpoint. */
static char *
full_path(ScimBulk *bulk, const char *path)
{
	List	   *segments = bulk->request->target->segments;
	const char *end = path_end(path);
	StringInfoData full;

	initStringInfo(&full);
	path += strspn(path, "/");
	for (int i = 0; i < list_length(segments) - 1; i++)
		appendStringInfo(&full, "/%s", http_url_encode(list_nth(segments, i)));
	if (is_reference(end, strlen(end)))
		appendStringInfo(&full, "/%.*s%s", (int) (end - path), path,
						 http_url_encode(resolve(bulk, end, strlen(end))));
	else
		appendStringInfo(&full, "/%s", path);
	return full.data;
}

/* See whom it is about, so that the answer can say that whatever fails. */
static void
find_operation(ScimBulk *bulk, BulkOperation *operation)
{
	bulk->current = operation;
	check_address(operation);
	operation->request.path = full_path(bulk, operation->path);
	request_find(&operation->request);
}

static void
do_operation(ScimBulk *bulk, BulkOperation *operation)
{
	Request    *request = &operation->request;

	bulk->current = operation;
	check_operation(bulk, operation);
	if (operation->version != NULL)
		document_add(request->headers, "If-Match", document_string(operation->version));
	/* a deletion has no body: what it has as data is passed over */
	if (operation->data != NULL && request->route->action != ACTION_DELETE)
	{
		JsonbValue *data = document_copy(operation->data);

		resolve_all(bulk, data);
		request->body = document_to_jsonb(data);
	}
	request_serve(request);
}

static void
do_unit(void *arg)
{
	ScimBulk   *bulk = arg;
	ListCell   *lc;

	foreach(lc, bulk->unit)
		find_operation(bulk, lfirst(lc));
	foreach(lc, bulk->unit)
		do_operation(bulk, lfirst(lc));
	check_deferred_constraints();
}

/* Before it is done, or done again. */
static void
begin_operation(ScimBulk *bulk, BulkOperation *operation)
{
	Request    *request = &operation->request;
	Request    *whole = bulk->request;

	request->table = whole->table;
	request->api = whole->api;
	request->shape = whole->shape;
	request->method = operation->method;
	request->headers = document_new_object();
	request->is_operation = true;
	request->request_id = whole->request_id;
	request->id = NULL;
	request->response_headers = document_new_object();
}

/* An id for the user of an operation that is referred to before it is done. */
static void
make_id(ScimBulk *bulk, BulkOperation *operation)
{
	Datum		id;

	if (is_method(operation, "POST") && binding_generate_id(bulk->request->table, &id))
		operation->request.new_id = binding_id_to_text(bulk->request->table, id);
}

static void
fail(ScimBulk *bulk, BulkOperation *operation, ErrorData *error)
{
	request_answer_error(&operation->request, error);
	operation->request.outcome.version = 0;
	if (bulk->errors_left > 0 && --bulk->errors_left == 0)
		bulk->stopped = true;
}

/* The others of a unit that failed. */
static ErrorData *
error_of_others(void)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->sqlerrcode = ERRCODE_USER_CONFLICT;
	error->message = "an operation failed that this one refers to";
	error->detail = error_detail("Operations.bulkId", SCIM_INVALID_VALUE);
	return error;
}

/* Where the user of an operation is, if there is one. */
static char *
location_of(const BulkOperation *operation)
{
	const Request *request = &operation->request;
	const char *id = request->outcome.id != NULL ? request->outcome.id : request->id;

	if (request->target == NULL || request->route == NULL || id == NULL ||
		(request->status >= 300 && is_method(operation, "POST")))
		return NULL;
	return request_location(request, id);
}

static JsonbValue *
show_operation(const BulkOperation *operation)
{
	const Request *request = &operation->request;
	JsonbValue *result = document_new_object();
	char	   *location = location_of(operation);

	if (operation->method != NULL)
		document_add(result, "method", document_string(operation->method));
	if (operation->bulk_id != NULL)
		document_add(result, "bulkId", document_string(operation->bulk_id));
	if (location != NULL)
		document_add(result, "location", document_string(location));
	if (request->outcome.version > 0 && !is_method(operation, "DELETE"))
		document_add(result, "version", document_string(http_entity_tag(request->outcome.version)));
	document_add(result, "status", document_string(psprintf("%d", request->status)));
	/* of a success, who wants to see the user can ask for it */
	if (request->status >= 300)
		document_add(result, "response", document_from_jsonb(request->response));
	return result;
}

/* Keep what came of an operation, and nothing else. */
static void
finish_operation(BulkOperation *operation, MemoryContext keep)
{
	Jsonb	   *result = document_to_jsonb(show_operation(operation));
	MemoryContext old = MemoryContextSwitchTo(keep);

	operation->done = true;
	operation->result = palloc(VARSIZE(result));
	memcpy(operation->result, result, VARSIZE(result));
	if (operation->request.status < 300 && operation->request.outcome.id != NULL)
		operation->id = pstrdup(operation->request.outcome.id);
	MemoryContextSwitchTo(old);
}

/* Do operations that stand together. */
static void
finish_unit(ScimBulk *bulk)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->memory);
	ErrorData  *error;
	ListCell   *lc;

	foreach(lc, bulk->unit)
	{
		BulkOperation *operation = lfirst(lc);

		begin_operation(bulk, operation);
		if (list_length(bulk->unit) > 1 || operation->refers_to_itself)
			make_id(bulk, operation);
	}
	error = attempt(do_unit, bulk);
	foreach(lc, bulk->unit)
	{
		BulkOperation *operation = lfirst(lc);

		if (error != NULL)
			fail(bulk, operation, operation == bulk->current ? error : error_of_others());
		finish_operation(operation, old);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->memory);
	bulk->unit = NIL;
}

/*
 * Do an operation after those that it refers to; those that refer to each other
 * are found as R. Tarjan's algorithm finds strongly connected components.
 */
static void
visit(ScimBulk *bulk, BulkOperation *operation)
{
	BulkOperation *other;
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	operation->number = operation->lowest = ++bulk->numbers;
	operation->is_waiting = true;
	bulk->waiting = lappend(bulk->waiting, operation);
	foreach(lc, operation->references)
	{
		other = lfirst(lc);
		if (other->number == 0)
		{
			visit(bulk, other);
			if (bulk->stopped)
				return;
			operation->lowest = Min(operation->lowest, other->lowest);
		}
		else if (other->is_waiting)
			operation->lowest = Min(operation->lowest, other->number);
	}
	if (operation->lowest < operation->number)
		return;
	do
	{
		other = llast(bulk->waiting);
		bulk->waiting = list_delete_last(bulk->waiting);
		other->is_waiting = false;
		bulk->unit = lcons(other, bulk->unit);
	} while (other != operation);
	finish_unit(bulk);
}

/*
 * Answering
 */

static Jsonb *
show_bulk(const ScimBulk *bulk)
{
	JsonbValue *answer = document_new_object();
	JsonbValue *schemas = document_new_array();
	JsonbValue *operations = document_new_array();

	for (int i = 0; i < bulk->count; i++)
	{
		BulkOperation *operation = &bulk->operations[i];
		JsonbValue	result;

		if (!operation->done)
			continue;
		result = document_packed(operation->result);
		document_push(operations, &result);
	}
	document_push(schemas, document_string(bulk_response));
	document_add(answer, "schemas", schemas);
	document_add(answer, "Operations", operations);
	return document_pack(answer);
}

/*
 * The idempotency key of the whole
 */

static Operation
kind_of(const BulkOperation *operation)
{
	if (is_method(operation, "POST"))
		return OPERATION_CREATE;
	if (is_method(operation, "PUT"))
		return OPERATION_PUT;
	return is_method(operation, "DELETE") ? OPERATION_DELETE : OPERATION_PATCH;
}

static void
hash_password_of(void *road)
{
	road_hash_password(road);
}

/*
 * Take the password out of the data of an operation, so that the key does not
 * come to hold it.  What else is wrong with them, the operation will say.
 */
static JsonbValue *
without_password(ScimBulk *bulk, BulkOperation *operation, KeyClaim *claim)
{
	MemoryContext context = CurrentMemoryContext;
	Request    *whole = bulk->request;
	UserCall	call = {.operation = kind_of(operation)};
	JsonbValue *data = document_copy(operation->data);
	Road		road;
	ErrorData  *error;
	KeyPassword *password;

	road_begin(&road, &call, whole->table, whole->api);
	PG_TRY();
	{
		road_read(&road, data, 0);
	}
	PG_CATCH();
	{
		if (!is_items_own(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		(void) unstored_forget(whole->api->schema, whole->api->profile, data);
		return data;
	}
	PG_END_TRY();
	if (road.unstored.password == NULL)
		return data;
	error = attempt(hash_password_of, &road);
	if (error != NULL && !is_items_own(error->sqlerrcode))
		ReThrowError(error);
	if (error != NULL)
		return data;
	if (list_length(claim->passwords) == MAX_PASSWORDS)
		refuse_passwords(whole->api->schema->password->path);
	password = road_key_password(&road);
	claim->passwords = lappend(claim->passwords, password);
	operation->request.password_hash = password->hash;
	return data;
}

/*
 * Look through the whole request before any of it is done: for passwords, which
 * are hashed before anything is locked, and for what its key stands for.
 */
static void
survey(ScimBulk *bulk, KeyClaim *claim)
{
	Request    *whole = bulk->request;
	Fingerprint *fingerprint = fingerprint_begin(claim->operation, NULL, whole->api->profile->name);

	for (int i = 0; i < bulk->count; i++)
	{
		BulkOperation *operation = &bulk->operations[i];
		JsonbValue *message = operation->message;

		CHECK_FOR_INTERRUPTS();
		if (operation->data != NULL)
		{
			JsonbValue *data = without_password(bulk, operation, claim);

			message = document_copy_top(message);
			*member_of(message, "data") = *data;
		}
		fingerprint_add(fingerprint, message);
		/* whose password it is: null may have stood in its place */
		fingerprint_add(fingerprint, document_boolean(operation->request.password_hash != NULL));
	}
	fingerprint_add(fingerprint, document_integer(bulk->errors_left));
	claim->fingerprint = fingerprint_end(fingerprint);
}

/* What privileges an operation needs. */
typedef struct Need
{
	Binding    *table;
	AclMode		mode;
} Need;

static void
require_need(void *arg)
{
	Need	   *need = arg;

	binding_require_privileges(need->table, need->mode);
}

/*
 * Who has the privileges for none of the operations gets no key and no answer
 * again.  For some of them will do: the others fail by themselves.
 */
static void
require_privileges(const ScimBulk *bulk)
{
	AclMode		tried = 0;
	ErrorData  *error = NULL;
	Need		need = {bulk->request->table, ACL_SELECT};

	require_need(&need);
	for (int i = 0; i < bulk->count; i++)
	{
		UserCall	call = {.operation = kind_of(&bulk->operations[i])};
		Road		road;

		road_begin(&road, &call, bulk->request->table, bulk->request->api);
		need.mode = road_privileges(&road);
		if ((need.mode & ~tried) == 0)
			continue;
		tried |= need.mode;
		error = attempt(require_need, &need);
		if (error == NULL)
			return;
	}
	if (error != NULL)
		ReThrowError(error);
}

/* The user of an operation that went well, out of its part of the answer. */
static bool
answered_id(Binding *table, JsonbValue *result, Datum *id)
{
	const char *status = string_of(result, "status");
	const char *location = string_of(result, "location");
	HttpTarget *target;

	if (status == NULL || status[0] != '2' || location == NULL)
		return false;
	target = http_read_target(location);
	if (target->segments == NIL)
		return false;
	*id = binding_id_from_text(table, llast(target->segments));
	return true;
}

/*
 * Users whose update is about to be answered again may meanwhile be hidden from
 * the caller.
 */
static void
check_replay_visible(const ScimBulk *bulk, Jsonb *answer)
{
	Binding    *table = bulk->request->table;
	JsonbValue *results;
	Datum	   *ids;
	int			count = 0;

	if (!binding_hides_rows(table))
		return;
	results = document_member(document_from_jsonb(answer), "Operations");
	ids = palloc(sizeof(Datum) * Max(bulk->count, 1));
	for (int i = 0; results != NULL && results->type == jbvArray &&
		 i < Min(results->val.array.nElems, bulk->count); i++)
	{
		CHECK_FOR_INTERRUPTS();
		count += answered_id(table, &results->val.array.elems[i], &ids[count]);
	}
	require_visible(table, ids, count);
}

static Jsonb *
answer_bulk(Request *request)
{
	ScimBulk	bulk = {.request = request};
	UserCall	headers = {0};
	KeyClaim	claim = {.operation = "bulk"};
	Jsonb	   *answer;

	bulk.memory = AllocSetContextCreate(CurrentMemoryContext, "userstore bulk operation",
										ALLOCSET_DEFAULT_SIZES);
	/* while one operation waits, others may log the statement */
	if (unstored_may_carry(request->api->schema, request->api->profile, request->body))
		hide_activity();
	else if (request->hides)
		show_statement_again();
	read_bulk(&bulk);
	require_privileges(&bulk);
	take_key(request->headers, &headers);
	claim.key = headers.idempotency_key;
	if (claim.key != NULL || request->api->schema->password != NULL)
		survey(&bulk, &claim);
	if (claim.key != NULL && idempotency_claim(request->table, &claim))
	{
		check_replay_visible(&bulk, claim.answer);
		return claim.answer;
	}
	for (int i = 0; i < bulk.count && !bulk.stopped; i++)
	{
		if (bulk.operations[i].number == 0)
			visit(&bulk, &bulk.operations[i]);
	}
	answer = show_bulk(&bulk);
	if (claim.key != NULL)
		idempotency_keep(request->table, &claim, NULL, 0, answer);
	return answer;
}

/*
 * Do all operations of a bulk request; gives the answer.
 */
Jsonb *
scim_bulk(Request *request)
{
	Jsonb	   *answer;

	SPI_connect();
	answer = give_to_caller(answer_bulk(request));
	SPI_finish();
	return answer;
}
