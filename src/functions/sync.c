/*
 * sync.c
 *	  Bring a table in line with a complete feed: what its records say, and what
 *	  is to become of users whom it does not have.
 *
 * The feed is gone through twice.  First it is learned whom it has; those who
 * are missing come first, since they may give up unique values that records
 * want.  Then the records are applied.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "core/scim/common.h"
#include "core/scim/filter.h"
#include "core/secret.h"
#include "functions/guard.h"
#include "functions/string_map.h"
#include "functions/sync_source.h"

PG_FUNCTION_INFO_V1(users_sync);

/* Users who are looked at together. */
#define USERS_AT_ONCE	100

/* What becomes of users whom the feed does not have. */
typedef enum Missing
{
	MISSING_IGNORE,
	MISSING_DEACTIVATE,
	MISSING_DELETE
} Missing;

static const char *const missing_names[] = {
	[MISSING_IGNORE] = "ignore",
	[MISSING_DEACTIVATE] = "deactivate",
	[MISSING_DELETE] = "delete",
};

typedef struct Sync
{
	Reconciliation all;			/* first: see meet() */
	FunctionCallInfo fcinfo;
	Oid			staging;
	Missing		missing;
	char	   *scope;			/* or NULL */
	Filter	   *filter;			/* of it */
	Guard	   *guard;
	Source	   *source;
	string_map_hash *records;	/* id or value of "match" → has it come? */
	string_map_hash *ids;		/* that records have beside such a value */
	Match	   *match;			/* or NULL */
	bool		has_duplicates;
	int			passwords;
	GuardBase	base;
	bool		has_warned;		/* of the guard */
	List	   *absent;			/* of Target * */
	MemoryContext context;		/* as long as the call */
	MemoryContext slice;		/* as long as the records of one */
} Sync;

/*
 * Whom the feed has
 */

/* How the feed tells whom a record is about: id or value of "match"; or NULL. */
static char *
record_key(Sync *sync, const Road *road, const ErrorData *error)
{
	Bulk	   *bulk = &sync->all.bulk;
	char	   *id;
	Datum		value;

	if (bulk->match != NULL)
	{
		if (error != NULL && road->body->type != jbvObject)
			return NULL;
		return match_key(bulk->match, error == NULL ? road->sent : road->body);
	}
	if (error == NULL)
		return road->has_id ? road->id_text : NULL;
	/* what is wrong with the rest does not matter here */
	id = sent_id(road->body);
	if (id == NULL || !binding_find_id(bulk->table, id, &value))
		return NULL;
	return binding_id_to_text(bulk->table, value);
}

static void
refuse_untold(Sync *sync, const Target *target, int64 index, const ErrorData *error)
{
	const Bulk *bulk = &sync->all.bulk;
	const char *path = bulk->match != NULL ? bulk->call->match : "id";

	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("record " INT64_FORMAT " of the feed does not tell whom it is about: %s",
					target->has_record ? target->record : index + 1,
					error != NULL ? error->message :
					psprintf("attribute \"%s\" is missing", shown_name(path, strlen(path)))),
			 errdetail_internal("%s", error_detail_at((int) Min(index, PG_INT32_MAX),
													  error_detail(shown_name(path, strlen(path)),
																   SCIM_INVALID_VALUE))),
			 errhint("So it cannot be known who is missing.  Mend the record, or let missing users be ignored.")));
}

/* A password that is sent takes its time, and has to be kept out of the log. */
static void
note_password(Sync *sync, const Road *road, const ErrorData *error)
{
	Bulk	   *bulk = &sync->all.bulk;
	bool		carries = error != NULL ?
	unstored_forget(bulk->api->schema, bulk->api->profile, road->body) : road->unstored.carries_password;

	if (carries && !bulk->carries_password)
		hide_activity();
	bulk->carries_password |= carries;
	if (error == NULL && road->unstored.password != NULL && ++sync->passwords > MAX_PASSWORDS)
		refuse_passwords(road->schema->password->path);
}

/* Learn whom the feed has. */
static void
survey(Sync *sync)
{
	Bulk	   *bulk = &sync->all.bulk;
	MemoryContext old = CurrentMemoryContext;
	Target		target;

	sync->records = string_map_create(sync->context, 1024, NULL);
	sync->ids = string_map_create(sync->context, 64, NULL);
	while (MemoryContextSwitchTo(bulk->item), source_next(sync->source, &target))
	{
		Road		road;
		ErrorData  *error = bulk_read_item(bulk, &target.body, &road);
		char	   *key = record_key(sync, &road, error);
		bool		found = false;

		CHECK_FOR_INTERRUPTS();
		note_password(sync, &road, error);
		if (key == NULL && sync->missing != MISSING_IGNORE)
			refuse_untold(sync, &target, sync->base.records, error);
		if (key != NULL && string_map_lookup(sync->records, key) == NULL)
			string_map_insert(sync->records, MemoryContextStrdup(sync->context, key), &found)->value = NULL;
		else if (key != NULL)
			sync->has_duplicates = true;
		if (error == NULL && sync->match != NULL && road.has_id)
			string_map_insert(sync->ids, MemoryContextStrdup(sync->context, road.id_text), &found);
		sync->base.records++;
		MemoryContextReset(bulk->item);
	}
	MemoryContextSwitchTo(old);
}

/*
 * Whom it has not
 */

static bool
is_in_scope(Sync *sync, char *id_text, const UserRow *row, JsonbValue *document)
{
	UserState	user = {0};

	if (sync->filter == NULL)
		return true;
	user.id = id_text;
	user.document = document;
	user.version = row->version;
	user.created = row->created;
	user.modified = row->modified;
	return filter_matches(sync->filter, user_with_common(sync->all.bulk.api, &user));
}

/* Who has no value to be matched by is not of this feed. */
static bool
is_of_feed(Sync *sync, JsonbValue *document)
{
	return sync->match == NULL || match_key(sync->match, document) != NULL;
}

/* Is there no record of the user, by neither value nor id? */
static bool
is_missing(Sync *sync, const char *id_text, JsonbValue *document)
{
	const char *key = sync->match != NULL ? match_key(sync->match, document) : id_text;

	return key != NULL && string_map_lookup(sync->records, key) == NULL &&
		string_map_lookup(sync->ids, id_text) == NULL;
}

static void
add_absent(Sync *sync, const char *id_text, int64 version)
{
	MemoryContext old = MemoryContextSwitchTo(sync->context);
	Target	   *target = palloc0(sizeof(Target));

	target->kind = sync->missing == MISSING_DELETE ? TARGET_GONE : TARGET_INACTIVE;
	target->id_text = pstrdup(id_text);
	target->version = version;
	sync->absent = lappend(sync->absent, target);
	MemoryContextSwitchTo(old);
}

/* A user of the table: is it one whom the feed should have, and has not? */
static void
look_at(Sync *sync, FoundRow *found)
{
	Bulk	   *bulk = &sync->all.bulk;
	JsonbValue *document = document_from_jsonb(found->row.document);
	char	   *id_text = binding_id_to_text(bulk->table, found->id);

	if (!is_of_feed(sync, document) || !is_in_scope(sync, id_text, &found->row, document))
		return;
	sync->base.users++;
	if (sync->missing == MISSING_IGNORE || !is_missing(sync, id_text, document))
		return;
	if (sync->missing == MISSING_DELETE || !is_inactive(bulk->api->schema, bulk->api->profile, document))
		add_absent(sync, id_text, found->row.version);
}

/* Go through the users of the table as they stand now, after waiting for others. */
static void
find_absent(Sync *sync)
{
	Bulk	   *bulk = &sync->all.bulk;
	MemoryContext old = CurrentMemoryContext;
	Portal		portal;

	sync->base.users = -1;
	if (sync->missing == MISSING_IGNORE && !guard_wants_users(sync->guard))
		return;
	sync->base.users = 0;
	portal = set_open(bulk->table, DT_NOEND, true);
	for (;;)
	{
		FoundRow   *found;
		int			number;

		MemoryContextSwitchTo(bulk->item);
		number = set_fetch(bulk->table, portal, USERS_AT_ONCE, &found);
		if (number == 0)
			break;
		for (int i = 0; i < number; i++)
		{
			CHECK_FOR_INTERRUPTS();
			look_at(sync, &found[i]);
		}
		MemoryContextReset(bulk->item);
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(old);
}

/* Before anything is written for nothing: is it too many already? */
static void
check_absent(Sync *sync)
{
	int64		counts[EFFECT_COUNT] = {0};

	counts[sync->missing == MISSING_DELETE ? EFFECT_DELETED : EFFECT_DEACTIVATED] =
		list_length(sync->absent);
	sync->has_warned = guard_check(sync->guard, counts, &sync->base,
								   sync->all.call.common.dry_run ? WARNING : ERROR);
}

/*
 * Applying
 */

/*
 * A user as it stands when its turn has come.  Where being in the feed is what
 * makes a user active, records need not say so.
 */
static void
meet(Reconciliation *all, const Target *target, Road *road, const UserRow *row, int64 version,
	 JsonbValue *before)
{
	Sync	   *sync = (Sync *) all;

	if (target->kind == TARGET_RECORD)
	{
		if (sync->missing == MISSING_DEACTIVATE && road->patch == PATCH_MERGE)
			road->completed = with_activity(road->schema, road->profile, road->sent, before);
		return;
	}
	if (row == NULL || row->version == target->version)
		return;
	if (!is_in_scope(sync, road->id_text, row, before))
		skip_target(road, "id", psprintf("user \"%s\" left the scope of the feed meanwhile",
										 shown_name(road->id_text, strlen(road->id_text))),
					"The feed need not have the user any more.");
	if (!is_missing(sync, road->id_text, before))
		drop_target(road);		/* that of its record */
}

static void
apply_absent(Sync *sync)
{
	Match	   *match = sync->all.bulk.match;
	int			count = 0;
	Target	   *targets;
	ListCell   *lc;

	MemoryContextSwitchTo(sync->slice);
	targets = palloc_extended(sizeof(Target) * Max(list_length(sync->absent), 1), MCXT_ALLOC_HUGE);
	/* they are known by their ids */
	sync->all.bulk.match = NULL;
	foreach(lc, sync->absent)
	{
		targets[count++] = *(Target *) lfirst(lc);
		if (slice_is_full(count, 0) || lnext(sync->absent, lc) == NULL)
		{
			reconcile(&sync->all, targets, count);
			count = 0;
		}
	}
	sync->all.bulk.match = match;
	MemoryContextSwitchTo(sync->context);
	MemoryContextReset(sync->slice);
}

/* One user has one record; which of several would be right nobody can say. */
static void
refuse_duplicate(Sync *sync, Target *target)
{
	Bulk	   *bulk = &sync->all.bulk;
	Road		road;
	ErrorData  *error;
	StringEntry *entry;
	char	   *key;

	MemoryContextSwitchTo(bulk->item);
	error = bulk_read_item(bulk, &target->body, &road);
	key = record_key(sync, &road, error);
	MemoryContextSwitchTo(sync->slice);
	entry = key != NULL ? string_map_lookup(sync->records, key) : NULL;
	if (entry != NULL && entry->value != NULL)
	{
		target->problem = target_problem(bulk->match != NULL ? bulk->call->match : "id",
										 psprintf("the feed has another record of this user (\"%s\")",
												  shown_name(key, strlen(key))),
										 "A user has one record, or none.");
		if (bulk->match == NULL)
			target->id_text = pstrdup(key);
	}
	else if (entry != NULL)
		entry->value = sync;
	MemoryContextReset(bulk->item);
}

static void
apply_records(Sync *sync)
{
	int			count;

	source_rewind(sync->source);
	do
	{
		int			room = 1024;
		int64		bytes = 0;
		Target	   *targets;

		MemoryContextSwitchTo(sync->slice);
		targets = palloc(sizeof(Target) * room);
		for (count = 0; !slice_is_full(count, bytes); count++)
		{
			if (count == room)
				targets = repalloc_huge(targets, sizeof(Target) * (room *= 2));
			CHECK_FOR_INTERRUPTS();
			if (!source_next(sync->source, &targets[count]))
				break;
			bytes += item_size(&targets[count].body);
			if (sync->has_duplicates)
				refuse_duplicate(sync, &targets[count]);
		}
		if (count > 0)
			reconcile(&sync->all, targets, count);
		MemoryContextSwitchTo(sync->context);
		MemoryContextReset(sync->slice);
	} while (count > 0);
}

/*
 * The call
 */

/* What is asked for has to be possible at all. */
static void
check_call(Sync *sync)
{
	Bulk	   *bulk = &sync->all.bulk;
	AclMode		privileges = ACL_SELECT | ACL_UPDATE;
	Road		deletion;

	road_begin(&deletion, &sync->all.calls[TARGET_GONE], bulk->table, bulk->api);
	if (sync->missing == MISSING_DELETE)
		privileges |= road_privileges(&deletion);
	binding_require_privileges(bulk->table, privileges);
	if (sync->missing == MISSING_DELETE)
		road_refuse_deletion(&deletion);
	/* where that is how the profile deletes */
	if (sync->missing == MISSING_DELETE && road_deactivates(&deletion))
		sync->missing = MISSING_DEACTIVATE;
	if (sync->missing == MISSING_DEACTIVATE)
		(void) deactivation(bulk->table, bulk->api);
	if (bulk->call->match != NULL)
		sync->match = bulk->match = match_open(bulk, bulk->call->match);
	if (sync->scope != NULL)
	{
		sync->filter = bulk->shape->read_filter(bulk->api->profile, sync->scope);
		filter_bind(sync->filter, bulk->api->schema, common_schema(), NULL);
	}
}

static void
synchronize(void *arg)
{
	Sync	   *sync = arg;
	Reconciliation *all = &sync->all;
	bool		hides = all->call.common.hides;

	SPI_connect();
	reconcile_begin(all, sync->fcinfo);
	all->meet = meet;
	sync->context = AllocSetContextCreate(all->bulk.context, "userstore sync", ALLOCSET_DEFAULT_SIZES);
	sync->slice = AllocSetContextCreate(sync->context, "userstore sync slice", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(sync->context);
	if (hides && all->bulk.api->schema->password == NULL)
		show_statement_again();
	check_call(sync);
	sync->source = source_open(&all->bulk, sync->staging);
	survey(sync);
	if (hides && !all->bulk.carries_password)
		show_statement_again();
	set_wait(all->bulk.table, true);
	find_absent(sync);
	check_absent(sync);
	apply_absent(sync);
	apply_records(sync);
	source_close(sync->source);
	reconcile_end(all);
	if (!sync->has_warned)
		(void) guard_check(sync->guard, all->counts, &sync->base,
						   all->call.common.dry_run ? WARNING : ERROR);
	SPI_finish();
}

static Missing
missing_argument(FunctionCallInfo fcinfo, int arg)
{
	char	   *name = text_argument(fcinfo, arg);

	for (int i = 0; i < lengthof(missing_names); i++)
	{
		if (pg_strcasecmp(name, missing_names[i]) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("argument \"%s\" is not known: \"%s\"", "missing", shown_name(name, strlen(name))),
			 errdetail_path("missing", SCIM_INVALID_VALUE),
			 errhint("It is ignore, deactivate or delete.")));
	return MISSING_IGNORE;		/* keep the compiler quiet */
}

/*
 * users_sync(users regclass, body jsonb, match text, missing text, scope text,
 *		guard jsonb, dry_run boolean, request_id text, api text, patch boolean,
 *		staging regclass)
 */
Datum
users_sync(PG_FUNCTION_ARGS)
{
	Sync	   *sync = palloc0(sizeof(Sync));
	BulkCall   *call = &sync->all.call;

	call->common.hides = hide_statement();
	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 3, "missing");
	require_argument(fcinfo, 6, "dry_run");
	require_argument(fcinfo, 9, "patch");
	call->common.users = PG_GETARG_OID(0);
	call->body = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	call->match = text_argument(fcinfo, 2);
	sync->missing = missing_argument(fcinfo, 3);
	sync->scope = text_argument(fcinfo, 4);
	sync->guard = guard_read(PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5));
	call->common.dry_run = PG_GETARG_BOOL(6);
	call->common.request_id = request_id_argument(fcinfo, 7);
	call->common.api = text_argument(fcinfo, 8);
	call->common.operation = PG_GETARG_BOOL(9) ? OPERATION_PATCH : OPERATION_PUT;
	sync->staging = PG_ARGISNULL(10) ? InvalidOid : PG_GETARG_OID(10);
	if ((call->body == NULL) == !OidIsValid(sync->staging))
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("a feed is either a body or a staging table"),
				 errdetail_path("body", SCIM_INVALID_VALUE),
				 errhint("Give one of the arguments \"body\" and \"staging\".")));
	take_request_id(current_headers(), &call->common);
	call->common.request_id = request_id_or_new(unconstify(char *, call->common.request_id));
	InitMaterializedSRF(fcinfo, 0);
	sync->fcinfo = fcinfo;
	sync->all.shows_records = true;
	if (call->common.dry_run)
		rehearse(synchronize, sync);
	else
		synchronize(sync);
	PG_RETURN_NULL();
}
