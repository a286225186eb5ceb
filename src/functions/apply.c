/*
 * apply.c
 *	  Make the changes of a slice of a bulk request.
 *
 * Items count in the order in which they come, each on what those before it
 * have left.  That is worked out in memory, and written as sets: the first
 * changes of all users in one statement, then the second ones, and so on, then
 * the history of all.  When something refuses such a set, it is taken back and
 * done again in chunks, and a chunk that is refused in single updates, so that
 * a bad item fails alone.
 *
 * Triggers of the owner's may write more, to any user.  So on tables that have
 * some a set ends before a user comes again, and users are read again after it.
 * What a set's own triggers do to another user of that set comes after all of
 * it, not between the items.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "functions/bulk.h"

/* Of items that were refused as a set, so many are tried together. */
#define CHUNK_ITEMS		50

/* Items that are written together. */
typedef struct Batch
{
	Bulk	   *bulk;
	BulkItem   *items;
	int			from;
	int			to;
	int			waves;			/* the most changes of one user */
	TransactionId xid;			/* that wrote them */
	bool		is_outdated;	/* users are other than they were read */
} Batch;

/*
 * Taking turns
 *
 * Two requests that create the same users wait for each other, as long as both
 * create them in one order; so a request inserts in one statement, which sorts
 * them.  When it turns out that it cannot, all that it did is taken back, with
 * its locks, and done again while no other request creates users.
 *
 * Until then nothing is tried in a subtransaction of its own: those who wait
 * for a row of one that has been kept wait for the end of the transaction, even
 * when what is around it is taken back.
 */

static void
require_turn(Bulk *bulk)
{
	if (bulk->has_turn)
		return;
	bulk->wants_turn = true;
	/* nobody sees this: see apply() */
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("users have to be created in turn with other requests")));
}

/* Gives NULL, or why it failed, when nothing of it is left. */
static ErrorData *
try(Bulk *bulk, void (*work) (void *), void *arg)
{
	if (bulk->has_turn)
		return attempt(work, arg);
	work(arg);
	return NULL;
}

/*
 * Planning
 */

/* What history calls it. */
static const char *
operation_of(const Road *road)
{
	return operation_names[road_deactivates(road) ? OPERATION_PATCH : road->call->operation];
}

static void
plan_change(Bulk *bulk, BulkItem *item, JsonbValue *before, JsonbValue *after)
{
	KnownUser  *user = item->user;
	HistoryEntry *history = &item->history;
	MemoryContext old = MemoryContextSwitchTo(known_context(bulk));
	TimestampTz newest_at = user->exists ? user->row.modified : user->newest_at;
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *lc;

	item->writes = true;
	item->creates = !user->exists;
	item->deletes = after == NULL;
	if (item->creates && (bulk->match != NULL || bulk->has_created || item->wave > 1))
		require_turn(bulk);
	if (user->planned > 0)
		item->read.xmin = InvalidTransactionId; /* that of a row to come */
	user->planned = item->wave;
	history->user_id = user->id;
	history->operation = operation_of(&item->road);
	history->document = after != NULL ? document_to_jsonb(after) : NULL;
	history->changed = NIL;
	foreach(lc, road_changes(&item->road, before, after, false))
		history->changed = lappend(history->changed, pstrdup(lfirst(lc)));
	history->changed_at = history->version > 1 ? Max(now, newest_at + 1) : now;
	history->request_id = item->road.call->request_id;
	/* what is not written yet, history will know */
	history->before = item->creates || !TransactionIdIsValid(item->read.xmin) ? NULL :
		item->read.document;
	history->before_version = item->read.version;
	history->before_since = item->read.created;

	user->exists = after != NULL;
	if (!user->exists)
	{
		user->newest = history->version;
		user->newest_at = history->changed_at;
	}
	user->row.document = history->document;
	user->row.version = history->version;
	user->row.modified = history->changed_at;
	if (item->creates)
		user->row.created = history->changed_at;
	item->result = user->row;
	if (bulk->match != NULL)
		match_changed(bulk, item->road.id_text, before, after);
	MemoryContextSwitchTo(old);
}

/* A user whom an item creates without saying an id. */
static bool
generate_id(Bulk *bulk, BulkItem *item)
{
	MemoryContext old = MemoryContextSwitchTo(known_context(bulk));
	Road	   *road = &item->road;

	road->has_id = road->has_new_id = binding_generate_id(bulk->table, &road->id);
	if (road->has_id)
		road->id_text = binding_id_to_text(bulk->table, road->id);
	MemoryContextSwitchTo(old);
	return road->has_id;
}

/* The table's function, as it is asked for an item. */
typedef struct HookAttempt
{
	Bulk	   *bulk;
	BulkItem   *item;
	JsonbValue *before;
	JsonbValue *after;
} HookAttempt;

static void
call_hook(void *arg)
{
	HookAttempt *hook = arg;

	(void) road_hook(&hook->item->road, operation_of(&hook->item->road), hook->before, &hook->after,
					 NULL);
}

/*
 * What the table's function makes of a document.  It may fail halfway, so that
 * is taken back by itself.
 */
static JsonbValue *
ask_hook(Bulk *bulk, BulkItem *item, JsonbValue *before, JsonbValue *after)
{
	HookAttempt hook = {bulk, item, before, after};
	ErrorData  *error = attempt(call_hook, &hook);

	if (error != NULL)
		ReThrowError(error);
	return hook.after;
}

static bool
has_change(const Road *road, JsonbValue *before, JsonbValue *after)
{
	return before == NULL || !document_equal(before, after) || road->unstored.wishes != NIL;
}

/* The document that an item makes of one, or NULL: the user goes. */
static JsonbValue *
make_document(Bulk *bulk, Road *road, JsonbValue *before)
{
	/* kept with the item, which may be planned again */
	MemoryContext old = MemoryContextSwitchTo(bulk->slice);

	if (road_deactivates(road))
		road->sent = deactivation(bulk->table, bulk->api);
	MemoryContextSwitchTo(old);
	if (road->call->operation == OPERATION_DELETE && !road_deactivates(road))
		return NULL;
	return road_document(road, before);
}

/*
 * Work out what an item makes of its user.  Gives false when what was planned
 * has to be written first, or when only a single update can tell: then the item
 * is marked as alone.
 */
static bool
plan_item(Bulk *bulk, BulkItem *item)
{
	Road	   *road = &item->road;
	JsonbValue *before;
	JsonbValue *after;

	road->update.ignored = list_copy(road->passed_over);
	item->alone = true;			/* unless it goes well */
	if (bulk->match != NULL)
		match_item(bulk, item);
	if (!road->has_id)
	{
		if (!generate_id(bulk, item))
			return false;
	}
	else if (!known_has(bulk, road->id_text))
		return false;			/* one of several who were matched before */
	item->user = known_user(bulk, road->id_text, road->id);
	item->user->awaits = false;
	/* a trigger may have made another row of it: that has to be seen first */
	if (known_is_outdated(bulk, item->user) ||
		(bulk->table->follows_rows && item->user->planned > 0))
	{
		item->alone = false;
		return false;
	}
	if (item->user->hidden)
		return false;
	if (!item->user->exists && !road->creates)
		user_missing(road->id_text);
	before = item->user->exists ? document_from_jsonb(item->user->row.document) : NULL;
	road_meet(road, before != NULL ? &item->user->row : NULL,
			  before != NULL ? item->user->row.version : item->user->newest, before);
	after = make_document(bulk, road, before);
	item->read = item->result = item->user->row;
	item->wave = item->user->planned + 1;
	if (bulk->table->before_update != NULL && has_change(road, before, after))
		after = ask_hook(bulk, item, before, after);
	if (!has_change(road, before, after))
	{
		item->alone = false;
		return true;
	}
	item->history.version = next_version(before != NULL ? item->user->row.version :
										 item->user->newest);
	if (!known_take_values(bulk, item, before, after))
		return false;
	item->alone = false;
	plan_change(bulk, item, before, after);
	return true;
}

static List *
copy_paths(List *paths)
{
	List	   *copies = NIL;
	ListCell   *lc;

	foreach(lc, paths)
		copies = lappend(copies, pstrdup(lfirst(lc)));
	return copies;
}

/*
 * The same; what is wrong with an item is its own.
 */
static bool
try_plan_item(Bulk *bulk, BulkItem *item)
{
	volatile bool is_planned = false;

	PG_TRY();
	{
		is_planned = item->error != NULL || plan_item(bulk, item);
	}
	PG_CATCH();
	{
		if (!is_items_own(geterrcode()) || bulk->wants_turn)
			PG_RE_THROW();
		MemoryContextSwitchTo(known_context(bulk));
		item->error = CopyErrorData();
		FlushErrorState();
		item->alone = false;
		is_planned = true;
	}
	PG_END_TRY();
	/* what was passed over is told when all is done */
	if (is_planned && item->error == NULL)
	{
		MemoryContextSwitchTo(known_context(bulk));
		item->road.update.ignored = copy_paths(item->road.update.ignored);
	}
	MemoryContextSwitchTo(bulk->item);
	MemoryContextReset(bulk->item);
	return is_planned;
}

/*
 * Plan items until one that has to be done by itself, unless such come last, or
 * that ends a request that is atomic.
 */
static void
plan_items(Batch *batch, int to)
{
	Bulk	   *bulk = batch->bulk;
	MemoryContext old = MemoryContextSwitchTo(bulk->item);

	batch->waves = 0;
	batch->to = batch->from;
	while (batch->to < to)
	{
		BulkItem   *item = &batch->items[batch->to];
		bool		is_planned;

		CHECK_FOR_INTERRUPTS();
		item->error = item->unreadable;
		item->user = NULL;
		item->writes = item->creates = item->deletes = false;
		is_planned = !item->alone && try_plan_item(bulk, item);
		if (!is_planned && item->user != NULL && known_is_outdated(bulk, item->user))
		{
			known_read_again(bulk, item->user);
			continue;
		}
		if (!is_planned && !(item->alone && bulk->alone_last))
			break;
		batch->to++;
		if (item->writes)
			batch->waves = Max(batch->waves, item->wave);
		if (item->error != NULL && bulk->call->atomic)
			break;
	}
	MemoryContextSwitchTo(old);
}

/*
 * Writing
 */

/* Less was written than there was to write: see item by item why. */
static void
refuse_set(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("not all users of a bulk request were written")));
}

/* What triggers may have made of the rows. */
static void
take_written(Bulk *bulk, FoundRow *written, int count)
{
	for (int i = 0; i < count; i++)
	{
		KnownUser  *user = known_user(bulk, binding_id_to_text(bulk->table, written[i].id),
									  written[i].id);

		if (written[i].row.version != user->row.version ||
			!known_same_values(bulk, user->row.document, written[i].row.document))
			refuse_set();
		user->row = written[i].row;
	}
}

/* In a wave, what gives up values comes before what may need them. */
static int
turn_of(const BulkItem *item)
{
	return item->deletes ? 0 : item->creates ? 2 : 1;
}

static int
compare_writes(const void *a, const void *b)
{
	const BulkItem *x = *(BulkItem *const *) a;
	const BulkItem *y = *(BulkItem *const *) b;

	if (x->wave != y->wave)
		return x->wave < y->wave ? -1 : 1;
	if (turn_of(x) != turn_of(y))
		return turn_of(x) - turn_of(y);
	/* all requests insert in one order, and so wait for each other in it */
	if (x->creates)
		return strcmp(x->user->id_text, y->user->id_text);
	return x->index < y->index ? -1 : 1;
}

/* The deletions, updates or inserts of one wave. */
static void
write_wave(Batch *batch, BulkItem **items, int count)
{
	Bulk	   *bulk = batch->bulk;
	NewRow	   *rows = palloc(sizeof(NewRow) * count);
	FoundRow   *written;

	for (int i = 0; i < count; i++)
	{
		BulkItem   *item = items[i];

		rows[i].id = item->user->id;
		rows[i].document = item->history.document;
		rows[i].version = item->history.version;
		rows[i].modified = item->history.changed_at;
		rows[i].xmin = TransactionIdIsValid(item->read.xmin) ? item->read.xmin : batch->xid;
	}
	if (set_write(bulk->table, items[0]->deletes ? SET_DELETE : items[0]->creates ? SET_INSERT : SET_UPDATE,
				  rows, count, &written) != count)
		refuse_set();
	if (written != NULL)
		take_written(bulk, written, count);
	pfree(rows);
}

/* History has the row as it was written. */
static void
amend_history(BulkItem *item)
{
	HistoryEntry *history = &item->history;
	JsonbValue *before = item->creates ? NULL : document_from_jsonb(item->read.document);

	item->result = item->user->row;
	history->document = item->result.document;
	history->changed_at = item->result.modified;
	history->changed = road_changes(&item->road, before, document_from_jsonb(history->document),
									false);
}

static void
write_history(Batch *batch, BulkItem **items, int count)
{
	HistoryEntry **entries = palloc(sizeof(HistoryEntry *) * count);

	for (int i = 0; i < count; i++)
	{
		if (batch->bulk->table->changes_rows && !items[i]->deletes)
			amend_history(items[i]);
	}
	for (int operation = 0; operation < OPERATION_COUNT; operation++)
	{
		int			number = 0;

		for (int i = 0; i < count; i++)
		{
			if (items[i]->history.operation == operation_names[operation])
				entries[number++] = &items[i]->history;
		}
		if (number > 0 && history_append_set(batch->bulk->table, entries, number) != number)
			refuse_set();
	}
	pfree(entries);
}

/* What a batch writes, in a subtransaction. */
static void
write_batch(void *arg)
{
	Batch	   *batch = arg;
	MemoryContext old = MemoryContextSwitchTo(known_context(batch->bulk));
	BulkItem  **items = palloc(sizeof(BulkItem *) * (batch->to - batch->from));
	int			count = 0;
	int			next;

	batch->xid = GetCurrentTransactionId();
	for (int i = batch->from; i < batch->to; i++)
	{
		if (batch->items[i].writes)
			items[count++] = &batch->items[i];
	}
	qsort(items, count, sizeof(BulkItem *), compare_writes);
	known_release_loans(batch->bulk);
	for (int i = 0; i < count; i = next)
	{
		CHECK_FOR_INTERRUPTS();
		for (next = i + 1; next < count; next++)
		{
			if (items[next]->wave != items[i]->wave || turn_of(items[next]) != turn_of(items[i]))
				break;
		}
		write_wave(batch, &items[i], next - i);
	}
	write_history(batch, items, count);
	MemoryContextSwitchTo(old);
}

/* The users as they stand now, for the items that follow. */
static void
settle(Batch *batch)
{
	if (batch->waves > 1)
		known_settle(batch->bulk);
	if (batch->waves > 0)
		known_outdate(batch->bulk);
	for (int i = batch->from; i < batch->to; i++)
	{
		BulkItem   *item = &batch->items[i];

		if (!item->writes)
			continue;
		item->user->planned = 0;
		batch->bulk->has_created |= item->creates;
		if (!batch->bulk->table->changes_rows)
			item->user->row.xmin = batch->xid;
	}
}

/* An item to be done as a single update. */
typedef struct Alone
{
	Bulk	   *bulk;
	BulkItem   *item;
	bool		from_scratch;
} Alone;

static bool
may_create(Bulk *bulk, Road *road)
{
	return bulk->creates &&
		!(road->has_id && known_has(bulk, road->id_text) &&
		  known_user(bulk, road->id_text, road->id)->exists);
}

static void
travel_alone(void *arg)
{
	Alone	   *alone = arg;
	Road	   *road = &alone->item->road;

	if (alone->bulk->match != NULL && alone->from_scratch)
		match_load(alone->bulk, alone->item, 0, 1);
	if (alone->bulk->match != NULL)
		match_item(alone->bulk, alone->item);
	if ((alone->bulk->match != NULL || alone->bulk->has_created) && may_create(alone->bulk, road))
		require_turn(alone->bulk);
	road_hash_password(road);
	road_travel(road);
}

/*
 * Do a single item.  With from_scratch, nothing that was planned stands.
 */
static void
do_alone(Bulk *bulk, BulkItem *items, int at, bool from_scratch)
{
	BulkItem   *item = &items[at];
	MemoryContext old = MemoryContextSwitchTo(bulk->item);
	Alone		alone = {bulk, item, from_scratch};

	item->alone = true;
	item->error = item->unreadable;
	item->writes = false;
	if (item->error == NULL)
		item->error = try(bulk, travel_alone, &alone);
	if (item->error != NULL && !is_items_own(item->error->sqlerrcode))
		ReThrowError(item->error);
	if (item->error == NULL)
		bulk->has_created |= item->road.created;
	if (item->error == NULL && !from_scratch)
	{
		known_outdate(bulk);
		known_refresh(bulk, item);
	}
	bulk->finish(bulk, item);
	MemoryContextSwitchTo(old);
	MemoryContextReset(bulk->item);
}

/*
 * Read what there is for the items of a batch, or the first of them.  This may
 * fail, too: a policy may raise an error for one of the users.
 */
static void
load(void *arg)
{
	Batch	   *batch = arg;

	while (!known_load(batch->bulk, batch->items, batch->from, batch->to))
		batch->to = batch->from + (batch->to - batch->from) / 2;
}

/* Lock those who are to be changed, in the order of their ids as all do. */
static void
lock_changed(void *arg)
{
	Batch	   *batch = arg;
	Bulk	   *bulk = batch->bulk;
	MemoryContext old = MemoryContextSwitchTo(known_context(bulk));
	Datum	   *ids = palloc(sizeof(Datum) * (batch->to - batch->from));
	TransactionId *xmins = palloc(sizeof(TransactionId) * (batch->to - batch->from));
	int			count = 0;

	for (int i = batch->from; i < batch->to; i++)
	{
		BulkItem   *item = &batch->items[i];

		if (!item->writes || item->creates || !TransactionIdIsValid(item->read.xmin))
			continue;
		ids[count] = item->user->id;
		xmins[count++] = item->read.xmin;
	}
	batch->is_outdated = count > 0 && !set_lock_guarded(bulk->table, ids, xmins, count);
	/* nobody sees this; but it frees those who were locked */
	if (batch->is_outdated)
		refuse_set();
	MemoryContextSwitchTo(old);
}

/*
 * What is planned for a set in no order may be impossible: items wanted values
 * that were not given up, or users were changed by others since they were read.
 * Gives false when it is: then it has to be planned again.
 */
static bool
plan_stands(Batch *batch, ErrorData **error)
{
	Bulk	   *bulk = batch->bulk;

	batch->is_outdated = false;
	if (!bulk->in_no_order)
		return true;
	if (!known_loans_hold(bulk))
		return false;
	if (!known_locks(bulk) && batch->waves > 0)
		*error = try(bulk, lock_changed, batch);
	if (batch->is_outdated)
		*error = NULL;
	bulk->locks_all |= batch->is_outdated;
	return !batch->is_outdated;
}

/*
 * Apply items, in their order.
 */
void
apply_items(Bulk *bulk, BulkItem *items, int from, int to)
{
	while (from < to)
	{
		Batch		batch = {bulk, items, from, to};
		ErrorData  *error = try(bulk, load, &batch);
		int			end = batch.to;

		while (batch.from < end && error == NULL)
		{
			plan_items(&batch, end);
			if (!plan_stands(&batch, &error))
			{
				batch.to = end;
				error = try(bulk, load, &batch);
				end = batch.to;
				continue;
			}
			if (error != NULL)
				break;
			if (batch.waves > 0)
				error = try(bulk, write_batch, &batch);
			if (error != NULL)
				break;
			settle(&batch);
			for (int i = batch.from; i < batch.to; i++)
			{
				if (!items[i].alone)
					bulk->finish(bulk, &items[i]);
			}
			for (int i = batch.from; i < batch.to; i++)
			{
				if (items[i].alone)
					do_alone(bulk, items, i, false);
			}
			batch.from = batch.to;
			if (batch.from < end && items[batch.from].alone)
				do_alone(bulk, items, batch.from++, false);
		}
		from = batch.from;
		bulk->locks_all = false;
		if (error == NULL)
			continue;
		if (!is_items_own(error->sqlerrcode))
			ReThrowError(error);
		from = batch.to;
		if (batch.to - batch.from > CHUNK_ITEMS)
		{
			for (int i = batch.from; i < batch.to; i += CHUNK_ITEMS)
				apply_items(bulk, items, i, Min(i + CHUNK_ITEMS, batch.to));
		}
		else
		{
			for (int i = batch.from; i < batch.to; i++)
				do_alone(bulk, items, i, true);
		}
	}
}
