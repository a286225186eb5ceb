/*
 * known.c
 *	  What the users of a slice of a bulk request are, as its items go by: read
 *	  once, then kept up with each change that is planned; and who
 *	  has which unique value by then.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "functions/bulk.h"
#include "functions/string_map.h"

/* Documents of users that are read for a set of items; as many are written. */
#define MAX_READ_BYTES		(64 * 1024 * 1024)

/* Who has a value of a unique attribute. */
typedef struct ValueHolder
{
	const char *id_text;		/* or NULL */
	int			freed;			/* in which wave it was given up; 0: it stands */
	KnownUser  *giver;			/* and by whom, in a set in no order */
} ValueHolder;

/* Who has which: value → ValueHolder *. */
typedef struct ValueMap
{
	UniqueIndex *index;
	const Attribute *attribute;
	List	   *way;
	string_map_hash *holders;
} ValueMap;

/*
 * In a set in no order, a value that an item takes from a user who gives it up,
 * or of whom that is not known yet.
 */
typedef struct Loan
{
	ValueMap   *map;
	char	   *key;
	KnownUser  *giver;
	BulkItem   *taker;
} Loan;

struct Known
{
	MemoryContext context;
	List	   *loans;			/* of Loan * */
	string_map_hash *users;		/* id_text → KnownUser * */
	List	   *values;			/* of ValueMap * */
	int			writes;			/* so many times triggers may have changed
								 * users since they were loaded */
};

/* In which what is planned lives, too. */
MemoryContext
known_context(Bulk *bulk)
{
	return bulk->known->context;
}

/* A user of whom something was learned, or NULL. */
static KnownUser *
known_find(Bulk *bulk, const char *id_text)
{
	StringEntry *entry = string_map_lookup(bulk->known->users, id_text);

	return entry != NULL ? entry->value : NULL;
}

/* Was it learned of the user with this id whether it exists? */
bool
known_has(Bulk *bulk, const char *id_text)
{
	return known_find(bulk, id_text) != NULL;
}

/*
 * A user by id; one who was not known so far does not exist.
 */
KnownUser *
known_user(Bulk *bulk, const char *id_text, Datum id)
{
	Known	   *known = bulk->known;
	MemoryContext old = MemoryContextSwitchTo(known->context);
	StringEntry *entry;
	KnownUser  *user;
	bool		found;

	entry = string_map_lookup(known->users, id_text);
	if (entry == NULL)
	{
		user = palloc0(sizeof(KnownUser));
		user->id_text = pstrdup(id_text);
		user->seen = known->writes;
		/* again from its text: that of the item may not live as long */
		user->id = binding_id_from_text(bulk->table, id_text);
		entry = string_map_insert(known->users, user->id_text, &found);
		entry->value = user;
	}
	MemoryContextSwitchTo(old);
	return entry->value;
}

/*
 * Users
 */

/*
 * Are users locked when they are read?  Those of a set in no order, of whom most
 * stay as they are, are not: see lock_changed().
 */
bool
known_locks(Bulk *bulk)
{
	return !bulk->in_no_order || bulk->locks_all;
}

/* Gives false when there is too much to read. */
static bool
load_users(Bulk *bulk, List *wanted, bool is_one)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(list_length(wanted), 1));
	FoundRow   *rows;
	NewestVersion *newest;
	Datum	   *hidden;
	ListCell   *lc;
	int			count = 0;
	int			number;

	if (wanted == NIL)
		return true;
	foreach(lc, wanted)
		ids[count++] = ((KnownUser *) lfirst(lc))->id;
	number = set_read(bulk->table, known_locks(bulk), ids, count, is_one ? 0 : MAX_READ_BYTES, &rows);
	if (number < 0)
	{
		/* only some were read; but all are to be locked in one order */
		if (known_locks(bulk))
			set_lock(bulk->table, ids, count);
		return false;
	}
	for (int i = 0; i < number; i++)
	{
		KnownUser  *user = known_user(bulk, binding_id_to_text(bulk->table, rows[i].id), rows[i].id);

		user->exists = true;
		user->row = rows[i].row;
	}

	count = 0;
	foreach(lc, wanted)
	{
		KnownUser  *user = lfirst(lc);

		if (!user->exists)
			ids[count++] = user->id;
	}
	if (count == 0)
		return true;
	if (binding_hides_rows(bulk->table))
	{
		number = set_existing(bulk->table, ids, count, &hidden);
		for (int i = 0; i < number; i++)
			known_user(bulk, binding_id_to_text(bulk->table, hidden[i]), hidden[i])->hidden = true;
	}
	if (!bulk->creates)
		return true;
	number = history_newest_versions(bulk->table, ids, count, &newest);
	for (int i = 0; i < number; i++)
	{
		KnownUser  *user = known_user(bulk, binding_id_to_text(bulk->table, newest[i].user_id),
									  newest[i].user_id);

		user->newest = newest[i].version;
		user->newest_at = newest[i].changed_at;
	}
	return true;
}

/*
 * Unique values
 */

static char *
value_key(const ValueMap *map, JsonbValue *object)
{
	return unique_key(map->index->type, map->attribute->case_exact,
					  attribute_value(map->way, object));
}

static void
load_values(Bulk *bulk, ValueMap *map, BulkItem *items, int from, int to)
{
	List	   *wanted = NIL;
	Holder	   *holders;
	int			number;
	bool		found;

	map->holders = string_map_create(CurrentMemoryContext, 64, NULL);
	for (int i = from; i < to; i++)
	{
		char	   *key = items[i].unreadable ? NULL : value_key(map, items[i].road.sent);

		CHECK_FOR_INTERRUPTS();
		if (key == NULL)
			continue;
		if (string_map_lookup(map->holders, key) != NULL)
			continue;
		string_map_insert(map->holders, key, &found)->value = palloc0(sizeof(ValueHolder));
		wanted = lappend(wanted, key);
	}
	if (wanted == NIL)
		return;
	number = set_holders(bulk->table, map->index, wanted, &holders);
	for (int i = 0; i < number; i++)
	{
		StringEntry *entry = string_map_lookup(map->holders, holders[i].value);

		if (entry != NULL)
			((ValueHolder *) entry->value)->id_text = binding_id_to_text(bulk->table, holders[i].id);
	}
}

/*
 * Learn what there is to know for these items, and forget all else.  Gives
 * false when that is too much for the memory: then there have to be fewer.
 */
bool
known_load(Bulk *bulk, BulkItem *items, int from, int to)
{
	Known	   *known = bulk->known;
	List	   *wanted = NIL;
	MemoryContext old;
	ListCell   *lc;

	if (known == NULL)
	{
		known = bulk->known = MemoryContextAllocZero(bulk->context, sizeof(Known));
		known->context = AllocSetContextCreate(bulk->context, "userstore known users",
											   ALLOCSET_DEFAULT_SIZES);
	}
	MemoryContextReset(known->context);
	old = MemoryContextSwitchTo(known->context);
	known->users = string_map_create(known->context, Max(to - from, 16), NULL);
	known->values = NIL;
	known->loans = NIL;
	known->writes = 0;
	if (bulk->match != NULL)
		match_load(bulk, items, from, to);
	for (int i = from; i < to; i++)
	{
		Road	   *road = &items[i].road;
		KnownUser  *user;

		CHECK_FOR_INTERRUPTS();
		if (items[i].unreadable != NULL || !road->has_id)
			continue;
		user = known_user(bulk, road->id_text, road->id);
		if (user->planned == 0)
			wanted = lappend(wanted, user);
		user->planned = 1;
	}
	foreach(lc, wanted)
	{
		((KnownUser *) lfirst(lc))->planned = 0;
		((KnownUser *) lfirst(lc))->awaits = bulk->in_no_order;
	}
	if (!load_users(bulk, wanted, to - from == 1))
	{
		MemoryContextSwitchTo(old);
		return false;
	}
	foreach(lc, bulk->table->unique_indexes)
	{
		ValueMap   *map = palloc(sizeof(ValueMap));

		map->index = lfirst(lc);
		if (map->index->column == NULL && !map->index->is_claimed)
			continue;			/* the app's own, which the table judges */
		map->attribute = path_resolve(bulk->api->schema, map->index->path);
		if (map->attribute == NULL)
			continue;			/* no longer in the schema: nobody sends it */
		map->way = attribute_way(bulk->api->schema, map->attribute);
		load_values(bulk, map, items, from, to);
		known->values = lappend(known->values, map);
	}
	MemoryContextSwitchTo(old);
	return true;
}

/* A user gives up one value, in the wave that is said, and has another. */
static void
move_value(Bulk *bulk, ValueMap *map, const char *id_text, char *old_key, char *new_key, int wave)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->known->context);
	StringEntry *entry;
	ValueHolder *holder;
	bool		found;

	if (old_key != NULL && (entry = string_map_lookup(map->holders, old_key)) != NULL)
	{
		holder = entry->value;
		if (holder->id_text != NULL && strcmp(holder->id_text, id_text) == 0)
		{
			holder->id_text = NULL;
			holder->freed = wave;
			holder->giver = bulk->in_no_order && wave > 0 ? known_find(bulk, id_text) : NULL;
		}
	}
	if (new_key != NULL)
	{
		entry = string_map_lookup(map->holders, new_key);
		if (entry == NULL)
		{
			entry = string_map_insert(map->holders, pstrdup(new_key), &found);
			entry->value = palloc0(sizeof(ValueHolder));
		}
		((ValueHolder *) entry->value)->id_text = pstrdup(id_text);
	}
	MemoryContextSwitchTo(old);
}

static void
note_loan(Bulk *bulk, BulkItem *item, ValueMap *map, const char *key, KnownUser *giver)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->known->context);
	Loan	   *loan = palloc(sizeof(Loan));

	loan->map = map;
	loan->key = pstrdup(key);
	loan->giver = giver;
	loan->taker = item;
	giver->lent = lappend(giver->lent, loan);
	bulk->known->loans = lappend(bulk->known->loans, loan);
	MemoryContextSwitchTo(old);
}

/*
 * In a set in no order, what a user has whose item is still to come may be
 * taken, on trust.  Gives false when it may not.
 */
static bool
lend(Bulk *bulk, BulkItem *item, ValueMap *map, const char *key, const ValueHolder *holder)
{
	KnownUser  *giver = known_find(bulk, holder->id_text);

	if (giver == NULL || !giver->awaits)
		return false;
	note_loan(bulk, item, map, key, giver);
	return true;
}

/* The error of an item that wants a value which another user keeps. */
static ErrorData *
taken_error(Bulk *bulk, const ValueMap *map)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		refuse_taken(bulk->table, map->index->path, map->index->name);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(bulk->slice);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

/* Those whose givers keep what they lent. */
static List *
broken_loans(Bulk *bulk)
{
	List	   *broken = NIL;
	ListCell   *lc;

	foreach(lc, bulk->known->loans)
	{
		Loan	   *loan = lfirst(lc);
		KnownUser  *giver = loan->giver;
		MemoryContext old = MemoryContextSwitchTo(bulk->item);
		char	   *key = !giver->exists ? NULL :
		value_key(loan->map, document_from_jsonb(giver->row.document));
		bool		keeps = key != NULL && strcmp(key, loan->key) == 0;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(bulk->item);
		MemoryContextSwitchTo(bulk->known->context);
		if (keeps)
			broken = lappend(broken, loan);
		MemoryContextSwitchTo(old);
	}
	return broken;
}

/*
 * Have those given up their values from whom items took them?  If not, these
 * items are refused, and what is planned cannot be.  Nor do their users then
 * give up what others took from them, and so on: all of these are found at
 * once, since each time a set is planned again it takes as long as the first.
 */
bool
known_loans_hold(Bulk *bulk)
{
	List	   *broken = broken_loans(bulk);
	MemoryContext old = MemoryContextSwitchTo(bulk->known->context);
	bool		hold = broken == NIL;

	/* which gets longer meanwhile */
	for (int i = 0; i < list_length(broken); i++)
	{
		Loan	   *loan = list_nth(broken, i);

		CHECK_FOR_INTERRUPTS();
		if (loan->taker->unreadable != NULL)
			continue;
		loan->taker->unreadable = taken_error(bulk, loan->map);
		MemoryContextSwitchTo(bulk->known->context);
		broken = list_concat(broken, loan->taker->user->lent);
	}
	MemoryContextSwitchTo(old);
	return hold;
}

/*
 * They are about to.
 */
void
known_release_loans(Bulk *bulk)
{
	ListCell   *lc;

	foreach(lc, bulk->known->loans)
	{
		Loan	   *loan = lfirst(lc);

		claim_release(bulk->table, loan->map->index, loan->key, loan->giver->id);
	}
	bulk->known->loans = NIL;
}

/*
 * Give the item's user the unique values of the document that is planned; an
 * error when another has one of them.  A value that another gives up cannot be
 * written before that is, which may move the item's wave.  Gives false when
 * only the table itself can tell what becomes of it: then nothing is given.
 */
bool
known_take_values(Bulk *bulk, BulkItem *item, JsonbValue *before, JsonbValue *after)
{
	const char *id_text = item->user->id_text;
	ListCell   *lc;

	foreach(lc, bulk->known->values)
	{
		ValueMap   *map = lfirst(lc);
		char	   *old_key = value_key(map, before);
		char	   *new_key = value_key(map, after);
		StringEntry *entry;
		ValueHolder *holder;

		if (new_key == NULL || (old_key != NULL && strcmp(old_key, new_key) == 0))
			continue;
		entry = string_map_lookup(map->holders, new_key);
		/* made of something else than was sent: nobody was asked */
		if (entry == NULL)
			return false;
		holder = entry->value;
		if (holder->id_text == NULL)
		{
			item->wave = Max(item->wave, holder->freed);
			if (holder->giver != NULL)
				note_loan(bulk, item, map, new_key, holder->giver);
		}
		if (holder->id_text == NULL || strcmp(holder->id_text, id_text) == 0)
			continue;
		if (lend(bulk, item, map, new_key, holder))
			continue;
		/* the table might refuse it for another reason first */
		if (bulk->table->judges_rows)
			return false;
		refuse_taken(bulk->table, map->index->path, map->index->name);
	}
	foreach(lc, bulk->known->values)
	{
		ValueMap   *map = lfirst(lc);

		move_value(bulk, map, id_text, value_key(map, before), value_key(map, after), item->wave);
	}
	return true;
}

/*
 * See what stands now of a user who may have been changed by others than the
 * plan.
 */
void
known_read_again(Bulk *bulk, KnownUser *user)
{
	MemoryContext old = MemoryContextSwitchTo(bulk->known->context);
	JsonbValue *before = NULL;
	JsonbValue *after = NULL;
	ListCell   *lc;

	if (user->exists)
		before = document_from_jsonb(user->row.document);
	user->exists = user_read(bulk->table, user->id, READ_FRESH, &user->row);
	user->hidden = !user->exists && binding_hides_rows(bulk->table) &&
		user_exists(bulk->table, user->id);
	user->seen = bulk->known->writes;
	if (user->exists)
		after = document_from_jsonb(user->row.document);
	else
		user->newest = history_newest_version(bulk->table, user->id, &user->newest_at);
	foreach(lc, bulk->known->values)
	{
		ValueMap   *map = lfirst(lc);

		move_value(bulk, map, user->id_text, value_key(map, before), value_key(map, after), 0);
	}
	if (bulk->match != NULL)
		match_changed(bulk, user->id_text, before, after);
	MemoryContextSwitchTo(old);
}

/*
 * The item's user was changed by itself.
 */
void
known_refresh(Bulk *bulk, BulkItem *item)
{
	if (item->road.has_id)
		known_read_again(bulk, known_user(bulk, item->road.id_text, item->road.id));
}

/*
 * Triggers have seen what was written, and may have changed any user.
 */
void
known_outdate(Bulk *bulk)
{
	if (bulk->table->follows_rows)
		bulk->known->writes++;
}

bool
known_is_outdated(Bulk *bulk, const KnownUser *user)
{
	return user->seen != bulk->known->writes;
}

/*
 * All that was planned is written: what was given up is free.
 */
void
known_settle(Bulk *bulk)
{
	ListCell   *lc;

	foreach(lc, bulk->known->values)
	{
		ValueMap   *map = lfirst(lc);
		string_map_iterator iterator;
		StringEntry *entry;

		string_map_start_iterate(map->holders, &iterator);
		while ((entry = string_map_iterate(map->holders, &iterator)) != NULL)
			((ValueHolder *) entry->value)->freed = 0;
	}
}

/*
 * Has a document the unique values that were planned?  A trigger may have
 * given it others, which nobody looked up.
 */
bool
known_same_values(Bulk *bulk, Jsonb *planned, Jsonb *written)
{
	JsonbValue *before;
	JsonbValue *after;
	ListCell   *lc;

	if (VARSIZE(planned) == VARSIZE(written) && memcmp(planned, written, VARSIZE(planned)) == 0)
		return true;
	before = document_from_jsonb(planned);
	after = document_from_jsonb(written);
	foreach(lc, bulk->known->values)
	{
		ValueMap   *map = lfirst(lc);
		char	   *a = value_key(map, before);
		char	   *b = value_key(map, after);

		if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
			return false;
	}
	return true;
}
