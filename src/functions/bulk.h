/*
 * bulk.h
 *	  What the files of a bulk request share.
 *
 * bulk.c reads the request and answers it; apply.c makes the changes of a slice
 * of its items; known.c remembers what the users of that slice are by then;
 * bulk_match.c finds users by an attribute; load.c answers with counts and with
 * what failed.
 */
#ifndef USERSTORE_BULK_H
#define USERSTORE_BULK_H

#include "postgres.h"

#include "functions/functions.h"

/* Each takes its time to hash: so many in a request. */
#define MAX_PASSWORDS	100

/* What one call asks for. */
typedef struct BulkCall
{
	UserCall	common;			/* of all its items */
	Jsonb	   *body;
	bool		atomic;
	bool		has_creates;
	bool		creates;
	const char *match;
	bool		over_http;
	bool		summarizes;		/* the answer is a summary: see load.c */
} BulkCall;

typedef struct Match Match;
typedef struct Known Known;

/* A user as the items before have left it. */
typedef struct KnownUser
{
	const char *id_text;		/* hash key */
	char		status;			/* for simplehash */
	Datum		id;
	bool		exists;
	bool		hidden;			/* from the caller */
	UserRow		row;			/* with the changes that are planned */
	int64		newest;			/* version in history of one who does not
								 * exist */
	TimestampTz newest_at;
	int			planned;		/* wave of the last change that is not written
								 * yet, or 0 */
	int			seen;			/* when it was read: see known_outdate */
	bool		awaits;			/* its item, in a set in no order */
	List	   *lent;			/* what others take from it: see known.c */
} KnownUser;

/* An item of the slice that is worked at. */
typedef struct BulkItem
{
	Road		road;
	int			index;			/* in the request */
	ErrorData  *unreadable;		/* what is wrong with it by itself */
	bool		has_own_id;		/* rather than one that was matched */
	bool		alone;			/* to be done as a single update */

	/* what it comes to */
	ErrorData  *error;
	KnownUser  *user;
	bool		writes;
	bool		creates;
	bool		deletes;
	int			wave;			/* in which it is written, from 1 */
	UserRow		read;			/* the row that the change is made of */
	UserRow		result;			/* and the one that it leaves */
	HistoryEntry history;		/* the version that it makes */
} BulkItem;

/* What became of an item, as a summary counts it: see load.c. */
typedef enum Fate
{
	FATE_FAILED,
	FATE_CREATED,
	FATE_CHANGED,
	FATE_UNCHANGED
} Fate;

typedef struct Bulk Bulk;

/* An item is done: see BulkItem for what it comes to. */
typedef void (*ItemFinisher) (Bulk *bulk, BulkItem *item);

struct Bulk
{
	const BulkCall *call;
	Binding    *table;
	const BoundApi *api;
	const BodyShape *shape;
	ItemFinisher finish;
	bool		creates;
	bool		in_no_order;	/* each user comes once, and what items give
								 * up, others of the set may take */
	bool		alone_last;		/* of such a set, items that are done by
								 * themselves do not come between others */
	bool		locks_all;		/* of such a set, even those who may stay as
								 * they are */
	bool		has_turn;		/* no other request creates users meanwhile,
								 * or it creates none */
	bool		wants_turn;		/* it cannot go on without */
	bool		has_created;	/* a user, in the order of all */
	bool		has_volatile_hook;	/* that is to see what the items before
									 * have written */
	Match	   *match;			/* or NULL: users are found by id */
	int			count;
	bool		sliced;			/* does it take more than one slice? */
	JsonbValue *bodies;			/* of the items, as the request has them */
	BulkItem   *items;			/* of the only slice, as they were read to
								 * tell what the request is; or NULL */
	char	  **hashes;			/* of the passwords in them, or NULL */
	bool		carries_password;	/* in clear, even if an item with it fails */
	Jsonb	  **results;
	Fate	   *fates;			/* for a summary, which has results of the
								 * items that failed alone */
	List	   *ignored;		/* paths (char *) of attributes passed over */
	MemoryContext context;		/* lasts as long as the request */
	MemoryContext slice;		/* as long as a slice of it */
	MemoryContext item;			/* as long as one item is looked at */
	Known	   *known;
};

/*
 * bulk.c
 */
extern Jsonb *update_users(const BulkCall *call);
extern void bulk_begin(Bulk *bulk, const BulkCall *call);
extern void bulk_find_items(Bulk *bulk);
extern bool slice_is_full(int items, int64 bytes);
extern ErrorData *bulk_read_item(Bulk *bulk, JsonbValue *body, Road *road);
extern void collect_ignored(Bulk *bulk, List *paths);
extern int64 item_size(const JsonbValue *body);
extern char *sent_id(JsonbValue *body);
extern Datum bulk_function(FunctionCallInfo fcinfo, Operation operation, int arg,
						   bool summarizes);
extern bool is_items_own(int sqlstate);
extern void raise_failure(const BulkItem *item);
extern void refuse_passwords(const char *path);
extern void require_visible(Binding *table, const Datum *ids, int count);

/*
 * load.c
 */
extern void summary_begin(Bulk *bulk);
extern void summarize_item(Bulk *bulk, BulkItem *item);
extern Jsonb *summary_show(const Bulk *bulk);
extern Jsonb *summary_replay(Jsonb *summary);

/*
 * apply.c
 */
extern void apply_items(Bulk *bulk, BulkItem *items, int from, int to);

/*
 * known.c
 */
extern bool known_load(Bulk *bulk, BulkItem *items, int from, int to);
extern MemoryContext known_context(Bulk *bulk);
extern bool known_locks(Bulk *bulk);
extern bool known_has(Bulk *bulk, const char *id_text);
extern KnownUser *known_user(Bulk *bulk, const char *id_text, Datum id);
extern bool known_loans_hold(Bulk *bulk);
extern void known_release_loans(Bulk *bulk);
extern bool known_take_values(Bulk *bulk, BulkItem *item, JsonbValue *before, JsonbValue *after);
extern bool known_same_values(Bulk *bulk, Jsonb *planned, Jsonb *written);
extern void known_settle(Bulk *bulk);
extern void known_outdate(Bulk *bulk);
extern bool known_is_outdated(Bulk *bulk, const KnownUser *user);
extern void known_read_again(Bulk *bulk, KnownUser *user);
extern void known_refresh(Bulk *bulk, BulkItem *item);

/*
 * bulk_match.c
 */
extern Match *match_open(Bulk *bulk, const char *path);
extern void match_load(Bulk *bulk, BulkItem *items, int from, int to);
extern void match_item(Bulk *bulk, BulkItem *item);
extern char *match_key(Match *match, JsonbValue *object);
extern void match_changed(Bulk *bulk, const char *id_text, JsonbValue *before,
						  JsonbValue *after);

#endif							/* USERSTORE_BULK_H */
