/*
 * bulk.c
 *	  The SQL functions on many users at once: read the request item by item,
 *	  apply it in slices, answer item by item.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "core/secret.h"
#include "functions/bulk.h"

PG_FUNCTION_INFO_V1(users_bulk_put);
PG_FUNCTION_INFO_V1(users_bulk_patch);

/*
 * Memory is taken for so many items, or so many bytes of them, at a time.  A
 * slice has its own statements, so most requests should be one.
 */
#define SLICE_ITEMS			32768
#define SLICE_BYTES			(32 * 1024 * 1024)

/* A number that is as long as no id is not one. */
#define MAX_SHOWN_NUMBER	255

/* Paths that were passed over are remembered up to so many. */
#define MAX_IGNORED_PATHS	100

/*
 * Is an error an item's own, rather than one of the transaction or the server?
 */
bool
is_items_own(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return false;
		default:
			return sqlstate != ERRCODE_LOCK_NOT_AVAILABLE;
	}
}

/*
 * Answering
 */

/*
 * The first failure of a request that is atomic: says which item it was.
 */
void
raise_failure(const BulkItem *item)
{
	ErrorData  *error = item->error;

	error->detail = error_detail_at(item->index, error->detail);
	error->detail_log = NULL;
	ReThrowError(error);
}

/*
 * Attributes that were passed over are named once for all items.
 */
void
collect_ignored(Bulk *bulk, List *paths)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->context);
	ListCell   *lc;
	ListCell   *known;

	foreach(lc, paths)
	{
		bool		is_known = list_length(bulk->ignored) >= MAX_IGNORED_PATHS;

		foreach(known, bulk->ignored)
			is_known |= strcmp(lfirst(known), lfirst(lc)) == 0;
		if (!is_known)
			bulk->ignored = lappend(bulk->ignored, pstrdup(lfirst(lc)));
	}
	MemoryContextSwitchTo(old);
}

/*
 * The id of an item that failed, as it was sent, or NULL.
 */
char *
sent_id(JsonbValue *body)
{
	if (body->type != jbvObject)
		return NULL;
	document_foreach(pair, body)
	{
		if (pair->key.val.string.len != 2 || pg_strncasecmp(pair->key.val.string.val, "id", 2) != 0)
			continue;
		if (pair->value.type == jbvString)
			return read_body_id(&pair->value);
		if (pair->value.type == jbvNumeric)
		{
			char	   *id = read_body_id(&pair->value);

			/* a few bytes of a request can be a number of 131,072 digits */
			return strlen(id) <= MAX_SHOWN_NUMBER ? id : NULL;
		}
	}
	return NULL;
}

/* An item is done: keep its part of the answer. */
static void
finish_item(Bulk *bulk, BulkItem *item)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->item);
	Road	   *road = &item->road;
	ItemResult	result = {0};
	Selection	selection = {0};
	Failure		failure;
	UserState	user;
	Jsonb	   *shown;

	result.body = road->body;
	result.id = item->error != NULL ? sent_id(road->body) : road->id_text;
	if (item->error != NULL)
	{
		if (bulk->call->atomic)
			raise_failure(item);
		failure_read(&failure, item->error, bulk->call->over_http);
		result.failure = &failure;
	}
	else
	{
		if (!item->alone)
		{
			road->row = item->result;
			road->created = item->creates;
			road->document = bulk->shape->bulk_shows_users ?
				document_from_jsonb(item->result.document) : NULL;
		}
		user = road_user(road);
		if (bulk->shape->bulk_shows_users)
		{
			select_answer(bulk->api->schema, bulk->api->profile, &selection);
			user.document = computed_document(bulk->table, bulk->api, &selection, READ_FRESH, user.id,
											  user.document);
		}
		result.user = &user;
		result.created = road->created;
		collect_ignored(bulk, road->update.ignored);
	}
	shown = document_to_jsonb(bulk->shape->show_item(bulk->api->schema, bulk->api->profile, &result));
	bulk->results[item->index] = MemoryContextAlloc(bulk->context, VARSIZE(shown));
	memcpy(bulk->results[item->index], shown, VARSIZE(shown));
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->item);
}

static Jsonb *
answer(Bulk *bulk)
{
	JsonbValue *items = document_new_array();

	for (int i = 0; i < bulk->count; i++)
	{
		JsonbValue	item = document_packed(bulk->results[i]);

		CHECK_FOR_INTERRUPTS();
		document_push(items, &item);
	}
	return document_pack(bulk->shape->show_bulk(bulk->api->profile, items));
}

/*
 * Reading
 */

/* Nothing that was meant may be passed over. */
static void
require_only_member(Jsonb *body, const char *member)
{
	JsonbIterator *iterator = JsonbIteratorInit(&body->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY && !document_is_string(&value, member))
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("\"%s\" is not known",
							shown_name(value.val.string.val, value.val.string.len)),
					 errdetail_path(shown_name(value.val.string.val, value.val.string.len),
									SCIM_INVALID_SYNTAX),
					 errhint("The body has the array \"%s\" alone.", member)));
	}
}

/*
 * Bytes of the packed body of an item.
 */
int64
item_size(const JsonbValue *body)
{
	return body->type == jbvBinary ? body->val.binary.len : 0;
}

/*
 * Is a slice of so many items, with so many bytes, as large as it should be?
 */
bool
slice_is_full(int items, int64 bytes)
{
	return items >= SLICE_ITEMS || bytes >= SLICE_BYTES;
}

/*
 * Find the items of the request, which stay packed.
 */
void
bulk_find_items(Bulk *bulk)
{
	const char *member = bulk->call->summarizes ? NULL : bulk->shape->bulk_member;
	JsonbContainer *root = &bulk->call->body->root;
	JsonbIterator *iterator;
	JsonbValue	item;
	int64		bytes = 0;

	if (member != NULL && JB_ROOT_IS_OBJECT(bulk->call->body))
	{
		JsonbValue *array;

		require_only_member(bulk->call->body, member);
		array = getKeyJsonValueFromContainer(root, member, strlen(member), NULL);
		root = array != NULL && array->type == jbvBinary ? array->val.binary.data : NULL;
	}
	else if (member != NULL)
		root = NULL;
	if (root == NULL || !JsonContainerIsArray(root) || JsonContainerIsScalar(root))
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 member != NULL ? errmsg("the body must be an object with an array \"%s\"", member) :
				 errmsg("the body must be an array"),
				 errdetail_path(member, SCIM_INVALID_SYNTAX),
				 errhint("Send the users in it, each with its id.")));
	bulk->count = JsonContainerSize(root);
	if (bulk->call->summarizes)
		summary_begin(bulk);
	bulk->bodies = palloc_extended(sizeof(JsonbValue) * Max(bulk->count, 1), MCXT_ALLOC_HUGE);
	iterator = JsonbIteratorInit(root);
	(void) JsonbIteratorNext(&iterator, &item, true);
	for (int i = 0; i < bulk->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) JsonbIteratorNext(&iterator, &bulk->bodies[i], true);
		bytes += item_size(&bulk->bodies[i]);
	}
	bulk->sliced = bulk->count > SLICE_ITEMS || bytes > SLICE_BYTES;
}

/*
 * Read an item from its packed body, in the current memory context.  What is
 * wrong with it is given, not raised.
 */
ErrorData *
bulk_read_item(Bulk *bulk, JsonbValue *body, Road *road)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	road_begin(road, &bulk->call->common, bulk->table, bulk->api);
	road->creates = bulk->creates;
	road->is_item = true;
	PG_TRY();
	{
		road->body = document_from_value(body);
		road_read(road, road->body, item_size(body));
		if (!road->has_id && bulk->match == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("attribute \"id\" is missing"),
					 errdetail_path("id", SCIM_INVALID_VALUE),
					 errhint("Each item of a bulk request has the id of its user.")));
	}
	PG_CATCH();
	{
		if (!is_items_own(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (road->body == NULL)
		road->body = document_new_object();
	return error;
}

static ErrorData *
read_item(Bulk *bulk, int index, Road *road)
{
	return bulk_read_item(bulk, &bulk->bodies[index], road);
}

void
refuse_passwords(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_PAYLOAD_TOO_LARGE),
			 errmsg("the request has too many passwords"),
			 errdetail_path(path, NULL),
			 errhint("At most %d are hashed in one request.", MAX_PASSWORDS)));
}

static void
hash_password_of(void *road)
{
	road_hash_password(road);
}

/* Hash the password of an item; why it cannot be, the item itself will say. */
static void
hash_password(Bulk *bulk, int index, Road *road, KeyClaim *claim)
{
	ErrorData  *error = attempt(hash_password_of, road);
	KeyPassword *password;
	MemoryContext old;

	if (error != NULL)
	{
		if (!is_items_own(error->sqlerrcode))
			ReThrowError(error);
		return;
	}
	if (list_length(claim->passwords) == MAX_PASSWORDS)
		refuse_passwords(road->schema->password->path);
	old = MemoryContextSwitchTo(bulk->context);
	password = palloc(sizeof(KeyPassword));
	password->password = pstrdup(road->unstored.password);
	password->hash = pstrdup(road->password.hash);
	claim->passwords = lappend(claim->passwords, password);
	if (bulk->hashes == NULL)
		bulk->hashes = palloc0(sizeof(char *) * bulk->count);
	bulk->hashes[index] = password->hash;
	MemoryContextSwitchTo(old);
}

static Fingerprint *
fingerprint_options(Bulk *bulk, const KeyClaim *claim)
{
	Fingerprint *fingerprint = fingerprint_begin(claim->operation, NULL, bulk->api->profile->name);
	JsonbValue *options = document_new_object();

	document_add(options, "atomic", document_boolean(bulk->call->atomic));
	document_add(options, "creates", document_boolean(bulk->creates));
	if (bulk->call->match != NULL)
		document_add(options, "match", document_string(bulk->call->match));
	fingerprint_add(fingerprint, options);
	return fingerprint;
}

/*
 * A part of a feed that was sent before is sent as it was: what its key stands
 * for is told without reading its items, unless one may have a password.
 */
static bool
identify(Bulk *bulk, KeyClaim *claim)
{
	Fingerprint *fingerprint;

	if (!bulk->call->summarizes || bulk->sliced ||
		unstored_may_carry(bulk->api->schema, bulk->api->profile, bulk->call->body))
		return false;
	if (claim->key == NULL)
		return true;
	fingerprint = fingerprint_options(bulk, claim);
	fingerprint_add_packed(fingerprint, bulk->call->body);
	claim->fingerprint = fingerprint_end(fingerprint);
	return true;
}

static BulkItem *
new_items(MemoryContext context, int count)
{
	return MemoryContextAllocExtended(context, sizeof(BulkItem) * Max(count, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/*
 * Look through the whole request before any of it is done: for what its key
 * stands for, for passwords, which are hashed before anything is locked, and,
 * when it is done in several slices, for the users to lock.  What a single
 * slice has is kept as it was read.
 */
static void
survey(Bulk *bulk, KeyClaim *claim, Datum **ids, int *id_count)
{
	Fingerprint *fingerprint = NULL;
	MemoryContext old = CurrentMemoryContext;

	if (claim->key != NULL)
		fingerprint = fingerprint_options(bulk, claim);
	*id_count = 0;
	*ids = NULL;
	if (bulk->sliced)
		*ids = palloc_extended(sizeof(Datum) * bulk->count, MCXT_ALLOC_HUGE);
	if (!bulk->sliced)
		bulk->items = new_items(bulk->slice, bulk->count);
	for (int i = 0; i < bulk->count; i++)
	{
		Road	   *road = bulk->items != NULL ? &bulk->items[i].road :
		MemoryContextAlloc(bulk->item, sizeof(Road));
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(bulk->sliced ? bulk->item : bulk->slice);
		error = read_item(bulk, i, road);
		if (error != NULL ? unstored_forget(bulk->api->schema, bulk->api->profile, road->body) :
			road->unstored.carries_password)
		{
			if (!bulk->carries_password)
				hide_activity();
			bulk->carries_password = true;
		}
		if (error == NULL && road->unstored.password != NULL)
			hash_password(bulk, i, road, claim);
		MemoryContextSwitchTo(bulk->item);
		if (fingerprint != NULL)
			fingerprint_add(fingerprint, road->body);
		/* which is not the same as none at all */
		if (fingerprint != NULL && bulk->carries_password && road->password.hash == NULL)
			fingerprint_add(fingerprint, document_boolean(error == NULL &&
														  !road->unstored.carries_password));
		MemoryContextSwitchTo(old);
		if (error == NULL && road->has_id && *ids != NULL)
			(*ids)[(*id_count)++] = binding_id_from_text(bulk->table, road->id_text);
		if (!bulk->sliced)
			bulk->items[i].unreadable = error;
		MemoryContextReset(bulk->item);
	}
	if (fingerprint != NULL)
		claim->fingerprint = fingerprint_end(fingerprint);
}

/*
 * Applying
 */

/* Read and apply the items from one on; gives the one to go on with. */
static int
apply_slice(Bulk *bulk, int from)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->slice);
	int64		bytes = 0;
	BulkItem   *items = bulk->items;
	bool		is_read = items != NULL;
	int			count = 0;

	while (from + count < bulk->count && !slice_is_full(count, bytes))
		bytes += item_size(&bulk->bodies[from + count++]);
	if (!is_read)
		items = new_items(bulk->slice, count);
	bulk->items = NULL;			/* what is done again is read again */
	for (int i = 0; i < count; i++)
	{
		BulkItem   *item = &items[i];
		Road	   *road = &item->road;

		CHECK_FOR_INTERRUPTS();
		item->index = from + i;
		if (!is_read)
			item->unreadable = read_item(bulk, from + i, road);
		item->has_own_id = road->has_id;
		if (bulk->hashes != NULL)
			road->password.hash = bulk->hashes[from + i];
		item->alone = road->unstored.has_password || bulk->table->compares_rows ||
			bulk->has_volatile_hook;
	}
	apply_items(bulk, items, 0, count);
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->slice);
	return from + count;
}

static void
apply_slices(Bulk *bulk)
{
	for (int next = 0; next < bulk->count;)
		next = apply_slice(bulk, next);
}

static void
apply_beside_others(void *bulk)
{
	set_wait(((Bulk *) bulk)->table, false);
	apply_slices(bulk);
}

/*
 * Apply all items.  A request that creates users does so beside others that do,
 * if that goes well: see require_turn().
 */
static void
apply(Bulk *bulk)
{
	if (!bulk->has_turn)
	{
		ErrorData  *error = attempt(apply_beside_others, bulk);

		if (error == NULL)
			return;
		if (!bulk->wants_turn && !is_items_own(error->sqlerrcode))
			ReThrowError(error);
		MemoryContextReset(bulk->slice);
		set_wait(bulk->table, true);
		bulk->has_turn = true;
		bulk->wants_turn = false;
	}
	apply_slices(bulk);
}

/* The user of an item that went well: whom it addressed, or was matched. */
static bool
answered_id(Bulk *bulk, int index, JsonbValue *answer, Datum *id)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->item);
	JsonbValue *member = document_member(answer, "id");
	char	   *id_text = NULL;
	Road		road;

	if (!bulk->shape->item_succeeded(answer))
		id_text = NULL;
	else if (bulk->match != NULL)
		id_text = member != NULL && member->type == jbvString ? document_cstring(member) : NULL;
	else if (read_item(bulk, index, &road) == NULL && road.has_id)
		id_text = road.id_text;

	MemoryContextSwitchTo(old);
	if (id_text != NULL)
		*id = binding_id_from_text(bulk->table, id_text);
	MemoryContextReset(bulk->item);
	return id_text != NULL;
}

/*
 * Refuse to answer again when some of these users are hidden from the caller.
 */
void
require_visible(Binding *table, const Datum *ids, int count)
{
	if (set_hides_any(table, ids, count))
		ereport(ERROR,
				(errcode(ERRCODE_USER_NOT_FOUND),
				 errmsg("a user of the request does not exist"),
				 errdetail_path("id", NULL),
				 errhint("Send the request under a new key to see which.")));
}

/*
 * Users whose update is about to be answered again may meanwhile be hidden from
 * the caller.
 */
static void
check_replay_visible(Bulk *bulk, Jsonb *answer)
{
	JsonbValue *items;
	Datum	   *ids;
	int			count = 0;

	if (!binding_hides_rows(bulk->table))
		return;
	items = document_from_jsonb(answer);
	if (items->type == jbvObject)
		items = document_member(items, bulk->shape->bulk_member != NULL ? bulk->shape->bulk_member :
								bulk->api->profile->resources_member);
	ids = palloc_extended(sizeof(Datum) * Max(bulk->count, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; items != NULL && items->type == jbvArray && i < items->val.array.nElems &&
		 i < bulk->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		count += answered_id(bulk, i, &items->val.array.elems[i], &ids[count]);
	}
	require_visible(bulk->table, ids, count);
}

/*
 * Set out on a bulk request, within a connection to SPI; its context is the
 * current one then.
 */
void
bulk_begin(Bulk *bulk, const BulkCall *call)
{
	memset(bulk, 0, sizeof(Bulk));
	bulk->call = call;
	bulk->table = binding_open(call->common.users);
	bulk->api = binding_api(bulk->table, call->common.api);
	bulk->shape = body_shape(bulk->api->profile->body);
	bulk->creates = call->has_creates ? call->creates :
		call->common.operation == OPERATION_PUT && bulk->api->profile->put_creates;
	bulk->has_volatile_hook = bulk->table->before_update != NULL &&
		function_is_volatile(bulk->table, bulk->table->before_update);
	bulk->context = AllocSetContextCreate(CurrentMemoryContext, "userstore bulk request",
										  ALLOCSET_DEFAULT_SIZES);
	bulk->slice = AllocSetContextCreate(bulk->context, "userstore bulk slice",
										ALLOCSET_DEFAULT_SIZES);
	bulk->item = AllocSetContextCreate(bulk->context, "userstore bulk item",
									   ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(bulk->context);
}

static Jsonb *
travel(const BulkCall *call)
{
	Bulk	   *bulk = palloc(sizeof(Bulk));
	KeyClaim	claim = {0};
	Road		road;
	bool		has_key = call->common.idempotency_key != NULL && !call->common.dry_run;
	Datum	   *ids = NULL;
	int			id_count = 0;
	Jsonb	   *result;

	bulk_begin(bulk, call);
	bulk->finish = call->summarizes ? summarize_item : finish_item;
	road_begin(&road, &call->common, bulk->table, bulk->api);
	PG_TRY();
	{
		binding_require_privileges(bulk->table, road_privileges(&road));
		bulk_find_items(bulk);
		bulk->results = palloc_extended(sizeof(Jsonb *) * Max(bulk->count, 1), MCXT_ALLOC_HUGE);
		if (call->match != NULL)
			bulk->match = match_open(bulk, call->match);
	}
	PG_CATCH();
	{
		if (call->common.hides && !unstored_may_carry(bulk->api->schema, bulk->api->profile, call->body))
			show_statement_again();
		PG_RE_THROW();
	}
	PG_END_TRY();

	if (has_key)
		claim.key = call->common.idempotency_key;
	if (call->summarizes)
		claim.operation = call->common.operation == OPERATION_PUT ? "load_put" : "load_patch";
	else
		claim.operation = call->common.operation == OPERATION_PUT ? "bulk_put" : "bulk_patch";
	if (bulk->api->schema->password == NULL && call->common.hides)
		show_statement_again();
	if ((has_key || bulk->api->schema->password != NULL || bulk->sliced) &&
		!identify(bulk, &claim))
		survey(bulk, &claim, &ids, &id_count);
	if (!bulk->carries_password && call->common.hides)
		show_statement_again();
	if (has_key && idempotency_claim(bulk->table, &claim))
	{
		if (call->summarizes)
			return summary_replay(claim.answer);
		check_replay_visible(bulk, claim.answer);
		return claim.answer;
	}
	bulk->has_turn = bulk->sliced || !bulk->creates || bulk->has_volatile_hook;
	if (bulk->sliced || (bulk->creates && bulk->has_volatile_hook))
		set_wait(bulk->table, true);
	if (id_count > 0)
		set_lock(bulk->table, ids, id_count);
	apply(bulk);
	tell_ignored(bulk->ignored);
	result = call->summarizes ? summary_show(bulk) : answer(bulk);
	if (has_key)
		idempotency_keep(bulk->table, &claim, NULL, 0, result);
	return result;
}

/* A call, and what it is answered. */
typedef struct BulkAttempt
{
	const BulkCall *call;
	Jsonb	   *answer;
} BulkAttempt;

static void
travel_connected(void *arg)
{
	BulkAttempt *bulk = arg;

	SPI_connect();
	bulk->answer = give_to_caller(travel(bulk->call));
	SPI_finish();
}

/*
 * Update many users; gives the answer.
 */
Jsonb *
update_users(const BulkCall *call)
{
	BulkAttempt attempt = {call, NULL};

	if (call->common.dry_run)
		rehearse(travel_connected, &attempt);
	else
		travel_connected(&attempt);
	return attempt.answer;
}

/*
 * A function with users regclass and body jsonb and, from an argument on,
 * idempotency_key text, atomic boolean, creates boolean, match text,
 * request_id text, dry_run boolean, api text.
 */
Datum
bulk_function(FunctionCallInfo fcinfo, Operation operation, int arg, bool summarizes)
{
	JsonbValue *headers;
	BulkCall	call = {0};

	call.common.hides = hide_statement();
	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "body");
	require_argument(fcinfo, arg + 1, "atomic");
	require_argument(fcinfo, arg + 5, "dry_run");
	call.common.operation = operation;
	call.summarizes = summarizes;
	call.common.users = PG_GETARG_OID(0);
	call.body = PG_GETARG_JSONB_P(1);
	call.common.idempotency_key = text_argument(fcinfo, arg);
	call.atomic = PG_GETARG_BOOL(arg + 1);
	call.has_creates = !PG_ARGISNULL(arg + 2);
	call.creates = call.has_creates && PG_GETARG_BOOL(arg + 2);
	call.match = text_argument(fcinfo, arg + 3);
	call.common.request_id = request_id_argument(fcinfo, arg + 4);
	call.common.dry_run = PG_GETARG_BOOL(arg + 5);
	call.common.api = text_argument(fcinfo, arg + 6);
	headers = current_headers();
	take_key(headers, &call.common);
	take_request_id(headers, &call.common);
	PG_RETURN_JSONB_P(update_users(&call));
}

Datum
users_bulk_put(PG_FUNCTION_ARGS)
{
	return bulk_function(fcinfo, OPERATION_PUT, 2, false);
}

Datum
users_bulk_patch(PG_FUNCTION_ARGS)
{
	return bulk_function(fcinfo, OPERATION_PATCH, 2, false);
}
