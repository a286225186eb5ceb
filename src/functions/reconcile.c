/*
 * reconcile.c
 *	  Bring many users to what they are to be, in no order, and tell what became
 *	  of each.
 *
 * Since there is no order, values that are unique may go round: a set is
 * planned as a whole.  Sets are slices of all there is, and an item that wants
 * what a user of another slice still has is done again after all the others.
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

#include "core/errors.h"
#include "core/update/update.h"
#include "functions/past.h"
#include "functions/reconcile.h"

/* More columns than a result has. */
#define MAX_COLUMNS		9

const char *const effect_names[] = {
	[EFFECT_CREATED] = "created",
	[EFFECT_CHANGED] = "changed",
	[EFFECT_REACTIVATED] = "reactivated",
	[EFFECT_DEACTIVATED] = "deactivated",
	[EFFECT_DELETED] = "deleted",
	[EFFECT_FAILED] = "failed",
	[EFFECT_SKIPPED] = "skipped",
};

/* A target, and the user as it was met. */
typedef struct Encounter
{
	Reconciliation *all;
	const Target *target;
	int64		version;		/* or the newest there was */
	JsonbValue *before;			/* as long as the item is looked at, or NULL */
	bool		skips;
	bool		is_moot;
} Encounter;

static void
meet_user(Road *road, const UserRow *row, int64 version, JsonbValue *before)
{
	Encounter  *encounter = road->meeting;
	const Target *target = encounter->target;

	encounter->version = version;
	encounter->before = before;
	road->completed = NULL;
	road_refuse_deletion(road);
	if (encounter->all->meet != NULL)
		encounter->all->meet(encounter->all, target, road, row, version, before);
}

/*
 * A user turns out, when it is met, not to be one to bring to its target: says
 * why.
 */
void
skip_target(Road *road, const char *path, const char *message, const char *hint)
{
	((Encounter *) road->meeting)->skips = true;
	ereport(ERROR,
			(errcode(ERRCODE_USER_CONFLICT),
			 errmsg("%s", message),
			 errdetail_path(path, NULL),
			 errhint("%s", hint)));
	pg_unreachable();
}

/*
 * The same, and another target of the user says all there is to say.
 */
void
drop_target(Road *road)
{
	((Encounter *) road->meeting)->is_moot = true;
	skip_target(road, "id", "the user has another target", "It is brought to that.");
}

/*
 * Items
 */

static void
begin_item(Reconciliation *all, const Target *target, BulkItem *item)
{
	Bulk	   *bulk = &all->bulk;
	Road	   *road = &item->road;

	if (target->problem != NULL || target->kind != TARGET_RECORD)
	{
		road_begin(road, &all->calls[target->kind], bulk->table, bulk->api);
		road->is_item = true;
		road->body = road->sent = document_new_object();
		item->unreadable = target->problem;
		if (target->id_text != NULL)
			road_address(road, target->id_text);
	}
	switch (target->kind)
	{
		case TARGET_RECORD:
			if (target->problem == NULL)
				item->unreadable = bulk_read_item(bulk, unconstify(JsonbValue *, &target->body), road);
			break;
		case TARGET_DOCUMENT:
			road->restores = true;
			road->creates = target->comes_back;
			if (target->document != NULL)
				road->sent = document_from_jsonb(target->document);
			break;
		case TARGET_INACTIVE:
			road->sent = deactivation(bulk->table, bulk->api);
			break;
		case TARGET_GONE:
			break;
	}
	item->has_own_id = road->has_id;
	item->alone = road->unstored.has_password || bulk->table->compares_rows || bulk->has_volatile_hook;
}

/*
 * Bring users to their targets; those who have to wait for others, later.
 */
void
reconcile(Reconciliation *all, const Target *targets, int count)
{
	Bulk	   *bulk = &all->bulk;
	MemoryContext old = MemoryContextSwitchTo(bulk->slice);
	BulkItem   *items = palloc_extended(sizeof(BulkItem) * Max(count, 1),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	all->encounters = palloc_extended(sizeof(Encounter) * Max(count, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < count; i++)
	{
		BulkItem   *item = &items[i];

		CHECK_FOR_INTERRUPTS();
		item->index = i;
		begin_item(all, &targets[i], item);
		all->encounters[i].all = all;
		all->encounters[i].target = &targets[i];
		item->road.meet = meet_user;
		item->road.meeting = &all->encounters[i];
	}
	apply_items(bulk, items, 0, count);
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->slice);
}

/*
 * Results
 */

/* What a user was, or NULL, when the item had an effect on it. */
static JsonbValue *
before_of(const BulkItem *item, const Encounter *encounter)
{
	if (item->alone)
		return encounter->before;
	return item->creates ? NULL : document_from_jsonb(item->read.document);
}

/* And what it is, or NULL. */
static JsonbValue *
after_of(const BulkItem *item)
{
	if (item->alone)
		return item->road.document;
	return item->deletes ? NULL : document_from_jsonb(item->result.document);
}

static bool
has_effect(const BulkItem *item, const Encounter *encounter)
{
	if (!item->alone)
		return item->writes;
	return item->road.document == NULL || item->road.created ||
		item->road.row.version != encounter->version;
}

static Effect
effect_of(const Reconciliation *all, JsonbValue *before, JsonbValue *after)
{
	const Schema *schema = all->bulk.api->schema;
	const Profile *profile = all->bulk.api->profile;
	bool		was_inactive;
	bool		is_now_inactive;

	if (before == NULL)
		return EFFECT_CREATED;
	if (after == NULL)
		return EFFECT_DELETED;
	was_inactive = is_inactive(schema, profile, before);
	is_now_inactive = is_inactive(schema, profile, after);
	if (was_inactive != is_now_inactive)
		return is_now_inactive ? EFFECT_DEACTIVATED : EFFECT_REACTIVATED;
	return EFFECT_CHANGED;
}

/* Is there nothing to do, or nothing that may be done, rather than a failure? */
static bool
is_skipped(const Encounter *encounter, const ErrorData *error)
{
	char	   *path;
	char	   *scim_type;

	if (encounter->target->kind == TARGET_RECORD)
		return false;
	if (encounter->skips || error == encounter->target->problem)
		return true;

	/*
	 * gone by now: see user_missing(); a function of the owner's fails
	 * otherwise
	 */
	error_read_detail(error->detail, &path, &scim_type);
	return error->sqlerrcode == ERRCODE_USER_NOT_FOUND && path != NULL && strcmp(path, "id") == 0;
}

/* An object of the values by their paths, before or after. */
static Jsonb *
values_of(List *changes, bool is_after)
{
	JsonbValue *object = document_new_object();
	ListCell   *lc;

	foreach(lc, changes)
	{
		Change	   *change = lfirst(lc);
		JsonbValue *value = is_after ? change->after : change->before;

		if (value != NULL)
			document_append(object, change->path, strlen(change->path), value);
	}
	return document_to_jsonb(object);
}

static void
put_row(Reconciliation *all, Datum *values, bool *nulls, const Target *target, Effect effect,
		const char *error)
{
	int			column = 6;

	all->counts[effect]++;
	put_text(values, nulls, 1, effect_names[effect]);
	if (all->shows_records)
	{
		nulls[column] = !target->has_record;
		values[column++] = Int64GetDatum(target->record);
	}
	put_text(values, nulls, column++, error);
	nulls[column] = all->call.common.dry_run || effect >= EFFECT_FAILED;
	if (!nulls[column])
		values[column] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	tuplestore_putvalues(all->result->setResult, all->result->setDesc, values, nulls);
}

static void
show_failure(Reconciliation *all, const BulkItem *item, const Encounter *encounter)
{
	Datum		values[MAX_COLUMNS] = {0};
	bool		nulls[MAX_COLUMNS] = {false, false, true, true, true, true};
	const Road *road = &item->road;
	const char *id = road->has_id && !road->has_new_id ? road->id_text : sent_id(road->body);

	if (all->is_whole)
		ReThrowError(item->error);
	put_text(values, nulls, 0, id);
	put_row(all, values, nulls, encounter->target,
			is_skipped(encounter, item->error) ? EFFECT_SKIPPED : EFFECT_FAILED, item->error->message);
}

static void
show_change(Reconciliation *all, const BulkItem *item, const Encounter *encounter)
{
	Datum		values[MAX_COLUMNS] = {0};
	bool		nulls[MAX_COLUMNS] = {0};
	JsonbValue *before = before_of(item, encounter);
	JsonbValue *after = after_of(item);
	const Schema *schema = all->bulk.api->schema;
	List	   *changes = changes_with_values(schema, before, after);

	put_text(values, nulls, 0, item->road.id_text);
	values[2] = list_text_array(road_changes(&item->road, before, after,
											 item->road.new_password));
	put_jsonb(values, nulls, 3, before != NULL ? values_of(changes, false) : NULL);
	put_jsonb(values, nulls, 4, after != NULL ? values_of(changes, true) : NULL);
	values[5] = Int64GetDatum(item->alone ? item->road.row.version : item->result.version);
	put_row(all, values, nulls, encounter->target, effect_of(all, before, after),
			encounter->target->remark);
}

/* A user who stays as it is. */
static void
show_remark(Reconciliation *all, const BulkItem *item, const Target *target)
{
	Datum		values[MAX_COLUMNS] = {0};
	bool		nulls[MAX_COLUMNS] = {false, false, true, true, true, true};

	put_text(values, nulls, 0, item->road.id_text);
	put_row(all, values, nulls, target, EFFECT_SKIPPED, target->remark);
}

/* Keep a target for later, when others may have given up what it wants. */
static void
postpone(Reconciliation *all, const Target *target)
{
	Jsonb	   *body = NULL;
	MemoryContext old;
	Target	   *copy;

	/* what it takes to pack it again goes with the item */
	if (target->kind == TARGET_RECORD)
		body = document_to_jsonb(document_from_value(unconstify(JsonbValue *, &target->body)));
	old = MemoryContextSwitchTo(all->context);
	copy = palloc(sizeof(Target));
	*copy = *target;
	if (body != NULL)
		copy->body = document_packed((Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(body)));
	if (target->document != NULL)
		copy->document = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(target->document));
	if (target->id_text != NULL)
		copy->id_text = pstrdup(target->id_text);
	all->postponed = lappend(all->postponed, copy);
	MemoryContextSwitchTo(old);
}

static void
finish_item(Bulk *bulk, BulkItem *item)
{
	Reconciliation *all = (Reconciliation *) bulk;
	Encounter  *encounter = &all->encounters[item->index];
	MemoryContext old = MemoryContextSwitchTo(bulk->item);

	if (item->error != NULL && item->error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && !all->is_last_try)
		postpone(all, encounter->target);
	else if (item->error != NULL && !encounter->is_moot)
		show_failure(all, item, encounter);
	else if (item->error == NULL)
	{
		collect_ignored(bulk, item->road.update.ignored);
		if (has_effect(item, encounter))
			show_change(all, item, encounter);
		else if (encounter->target->remark != NULL)
			show_remark(all, item, encounter->target);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->item);
}

/*
 * Begin and end
 */

/* Those who have to wait live in it. */
static MemoryContext
postponed_context(const Reconciliation *all)
{
	return AllocSetContextCreate(all->bulk.context, "userstore postponed users",
								 ALLOCSET_DEFAULT_SIZES);
}

/*
 * Set out, within a connection to SPI, as "call" says.  Others who reconcile
 * users of this table, or create some, are waited for.
 */
void
reconcile_begin(Reconciliation *all, FunctionCallInfo fcinfo)
{
	static const Operation operations[] = {
		[TARGET_DOCUMENT] = OPERATION_PUT,
		[TARGET_INACTIVE] = OPERATION_PATCH,
		[TARGET_GONE] = OPERATION_DELETE,
	};
	Bulk	   *bulk = &all->bulk;

	all->call.has_creates = all->call.creates = true;
	bulk_begin(bulk, &all->call);
	bulk->finish = finish_item;
	bulk->in_no_order = true;
	bulk->has_turn = true;
	for (int kind = 0; kind < lengthof(operations); kind++)
	{
		all->calls[kind] = all->call.common;
		if (kind != TARGET_RECORD)
			all->calls[kind].operation = operations[kind];
	}
	all->result = (ReturnSetInfo *) fcinfo->resultinfo;
	all->context = postponed_context(all);
}

/*
 * Those who had to wait, in sets as large as can be.  The last ones come first:
 * they waited for nobody behind them, but those before them may wait for them.
 */
static void
reconcile_postponed(Reconciliation *all)
{
	List	   *postponed = all->postponed;
	MemoryContext context = all->context;
	Target	   *targets = palloc_extended(sizeof(Target) * list_length(postponed), MCXT_ALLOC_HUGE);
	int			next = 0;

	/* which lasts as long as they do; who has to wait again is copied again */
	all->context = postponed_context(all);
	all->postponed = NIL;
	for (int i = 0; i < list_length(postponed); i++)
		targets[i] = *(Target *) list_nth(postponed, list_length(postponed) - 1 - i);
	while (next < list_length(postponed))
	{
		int			from = next;
		int64		bytes = 0;

		while (next < list_length(postponed) && !slice_is_full(next - from, bytes))
		{
			bytes += targets[next].document != NULL ? VARSIZE(targets[next].document) :
				item_size(&targets[next].body);
			next++;
		}
		reconcile(all, targets + from, next - from);
	}
	pfree(targets);
	MemoryContextDelete(context);
}

/*
 * Finish with those who had to wait.
 */
void
reconcile_end(Reconciliation *all)
{
	all->bulk.alone_last = true;
	while (all->postponed != NIL)
	{
		int			count = list_length(all->postponed);

		reconcile_postponed(all);
		/* none of them got what it wants: they fail as they come */
		all->is_last_try = list_length(all->postponed) == count;
	}
	tell_ignored(all->bulk.ignored);
}

/*
 * What is wrong with a target that cannot be tried: a conflict.
 */
ErrorData *
target_problem(const char *path, char *message, char *hint)
{
	ErrorData  *problem = palloc0(sizeof(ErrorData));

	problem->elevel = ERROR;
	/* thrown as it is, it would be seen by nobody otherwise */
	problem->output_to_server = problem->output_to_client = true;
	problem->sqlerrcode = ERRCODE_USER_CONFLICT;
	problem->message = message;
	problem->detail = error_detail(path, NULL);
	problem->hint = hint;
	problem->assoc_context = CurrentMemoryContext;
	return problem;
}

/*
 * A request id for all, given or made.
 */
char *
request_id_or_new(char *request_id)
{
	if (request_id != NULL)
		return request_id;
	return DatumGetCString(DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, (Datum) 0)));
}
