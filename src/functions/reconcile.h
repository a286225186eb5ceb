/*
 * reconcile.h
 *	  What users_sync and users_revert share: many users are brought to what
 *	  they are to be, as one set, and what became of each is a row.
 */
#ifndef USERSTORE_RECONCILE_H
#define USERSTORE_RECONCILE_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "functions/bulk.h"

typedef enum TargetKind
{
	TARGET_RECORD,				/* what a record of a feed makes of the user */
	TARGET_DOCUMENT,			/* that document */
	TARGET_INACTIVE,
	TARGET_GONE					/* deleted, as the API profile deletes */
} TargetKind;

/* What a user is to become. */
typedef struct Target
{
	TargetKind	kind;
	bool		has_record;
	int64		record;			/* its number in the feed */
	JsonbValue	body;			/* of the record, packed */
	char	   *id_text;		/* of others than records */
	Jsonb	   *document;
	bool		comes_back;		/* a user who was deleted */
	int64		version;		/* that the user was seen in, or 0 */
	ErrorData  *problem;		/* it cannot be done, or NULL */
	const char *remark;			/* what else is to be said of it, or NULL */
} Target;

/* What became of a user. */
typedef enum Effect
{
	EFFECT_CREATED,
	EFFECT_CHANGED,
	EFFECT_REACTIVATED,
	EFFECT_DEACTIVATED,
	EFFECT_DELETED,
	EFFECT_FAILED,
	EFFECT_SKIPPED,
	EFFECT_NONE
} Effect;
#define EFFECT_COUNT	EFFECT_NONE

extern const char *const effect_names[];

typedef struct Reconciliation Reconciliation;

/* Looks at a user as it stands before it is brought to its target: see RoadMeeting. */
typedef void (*TargetMeeting) (Reconciliation *all, const Target *target, Road *road,
							   const UserRow *row, int64 version, JsonbValue *before);

struct Reconciliation
{
	Bulk		bulk;			/* first: what is finished is looked up by it */
	BulkCall	call;
	UserCall	calls[TARGET_GONE + 1];
	ReturnSetInfo *result;
	bool		shows_records;	/* has the result a column for them? */
	bool		is_whole;		/* one who cannot be brought there is an error */
	TargetMeeting meet;			/* or NULL */
	int64		counts[EFFECT_COUNT];

	/* the targets at work, and the items made of them */
	struct Encounter *encounters;
	bool		is_last_try;	/* what fails now, fails */
	List	   *postponed;		/* of Target *: they wanted values that others
								 * still had */
	MemoryContext context;		/* of those */
};

extern void skip_target(Road *road, const char *path, const char *message, const char *hint) pg_attribute_noreturn();
extern void drop_target(Road *road) pg_attribute_noreturn();
extern void reconcile_begin(Reconciliation *all, FunctionCallInfo fcinfo);
extern void reconcile(Reconciliation *all, const Target *targets, int count);
extern void reconcile_end(Reconciliation *all);
extern ErrorData *target_problem(const char *path, char *message, char *hint);
extern char *request_id_or_new(char *request_id);

#endif							/* USERSTORE_RECONCILE_H */
