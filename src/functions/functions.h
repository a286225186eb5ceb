/*
 * functions.h
 *	  What the SQL functions share: a call on one user, and the road that every
 *	  update takes.
 */
#ifndef USERSTORE_FUNCTIONS_H
#define USERSTORE_FUNCTIONS_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

#include "api/api.h"
#include "core/http.h"
#include "core/update/update.h"
#include "store/store.h"

typedef enum Operation
{
	OPERATION_CREATE,
	OPERATION_PUT,
	OPERATION_PATCH,
	OPERATION_DELETE
} Operation;
#define OPERATION_COUNT	(OPERATION_DELETE + 1)

/* A user whom a call was about. */
typedef struct Outcome
{
	const char *id;
	int64		version;
	bool		created;
} Outcome;

/* What one call asks for. */
typedef struct UserCall
{
	Operation	operation;
	Oid			users;
	const char *id;				/* NULL: to be generated */
	Jsonb	   *body;			/* NULL for a deletion */
	const char *idempotency_key;
	Expectation expected;
	const char *request_id;
	const char *api;
	Shown		shown;
	bool		dry_run;
	bool		hides;			/* the statement is hidden for this call */
	const char *password_hash;	/* of the password in the body, if it was
								 * hashed before */
} UserCall;

/* What a reading of one user asks for. */
typedef struct ReadCall
{
	Oid			users;
	const char *id;
	const char *api;
	Shown		shown;
} ReadCall;

/* A list that is asked for. */
typedef struct ListCall
{
	Oid			users;
	const char *api;
	ListRequest request;
} ListCall;

/* How a partial update is said. */
typedef enum PatchForm
{
	PATCH_MERGE,				/* by attributes */
	PATCH_SCIM,					/* by a PatchOp message */
	PATCH_JSON					/* by a JSON Patch */
} PatchForm;

struct Road;

/*
 * Meets the user whom an update is about: the row that stands and its document,
 * or NULL for both, and the newest version that there was, or 0.  May set
 * "completed", or raise an error.  Called again when another row stands by then.
 */
typedef void (*RoadMeeting) (struct Road *road, const UserRow *row, int64 version,
							 JsonbValue *before);

/* The update of one user on its way. */
typedef struct Road
{
	const UserCall *call;
	Binding    *table;
	const Profile *profile;
	const Schema *schema;
	const BodyShape *shape;
	bool		creates;		/* a user who is missing */
	bool		is_item;		/* of a bulk request */
	bool		restores;		/* what was sent is the document, as it was
								 * once */
	RoadMeeting meet;			/* or NULL */
	void	   *meeting;		/* what that goes by */
	Update		update;
	JsonbValue *body;			/* as it was sent */
	JsonbValue *sent;			/* the attributes in it */
	JsonbValue *completed;		/* the same with what a meeting adds, or NULL */
	PatchForm	patch;			/* a partial update by attributes, or by: */
	List	   *operations;		/* of PatchOperation * or JsonPatchOperation * */
	List	   *passed_over;	/* paths (char *) in them that nobody knows */
	SentUnstored unstored;		/* and what is no part of a document */
	NewPassword password;		/* what that comes to */
	bool		has_id;
	bool		has_new_id;		/* one that was made, for a user to be created */
	Datum		id;
	char	   *id_text;

	/* what came of it */
	UserRow		row;
	JsonbValue *document;
	bool		created;
	bool		new_password;	/* was one set, or cleared? */
	bool		changed;		/* or created: there is a new version */
} Road;

/*
 * update.c
 */
extern const char *const operation_names[];

extern Jsonb *update_user(const UserCall *call, Outcome *outcome);
extern void user_missing(const char *id);
extern void tell_ignored(List *paths);

extern bool road_replaces(const Road *road);
extern void road_begin(Road *road, const UserCall *call, Binding *table,
					   const BoundApi *api);
extern AclMode road_privileges(const Road *road);
extern void road_hash_password(Road *road);
extern KeyPassword *road_key_password(const Road *road);
extern bool road_deactivates(const Road *road);
extern void road_refuse_deletion(const Road *road);
extern void road_meet(Road *road, const UserRow *row, int64 version, JsonbValue *before);
extern JsonbValue *road_document(Road *road, JsonbValue *before);
extern List *road_changes(const Road *road, JsonbValue *before, JsonbValue *after,
						  bool new_password);
extern void road_travel(Road *road);
extern UserState road_user(const Road *road);

/*
 * read.c
 */
extern void road_address(Road *road, const char *id);
extern void road_address_matched(Road *road, const char *id);
extern void road_read(Road *road, JsonbValue *body, int64 size);

/*
 * activity.c
 */
extern bool is_inactive(const Schema *schema, const Profile *profile, JsonbValue *document);
extern JsonbValue *deactivation(const Binding *table, const BoundApi *api);
extern JsonbValue *with_activity(const Schema *schema, const Profile *profile, JsonbValue *sent,
								 JsonbValue *before);

/*
 * hook.c
 */
extern bool road_hook(Road *road, const char *operation, JsonbValue *before,
					  JsonbValue **document, const UserRow *read);

/*
 * user.c
 */
extern Jsonb *get_user(const ReadCall *call, Outcome *outcome);
extern char *text_argument(FunctionCallInfo fcinfo, int arg);
extern void shown_arguments(FunctionCallInfo fcinfo, int attributes, int excluded, Shown *shown);
extern void select_shown(Selection *selection, const Schema *schema, const Shown *shown);
extern char *request_id_argument(FunctionCallInfo fcinfo, int arg);
extern Jsonb *give_to_caller(Jsonb *answer);
extern char *give_string_to_caller(const char *string);

/*
 * list.c
 */
extern Jsonb *list_users(const ListCall *call);
extern JsonbValue *user_with_common(const BoundApi *api, const UserState *user);

/*
 * headers.c
 */
extern void take_key(JsonbValue *headers, UserCall *call);
extern void take_expectation(JsonbValue *headers, UserCall *call);
extern int	take_tenant(JsonbValue *headers, const Binding *table);
extern char *header_request_id(JsonbValue *headers);
extern void take_request_id(JsonbValue *headers, UserCall *call);
extern JsonbValue *current_headers(void);

/*
 * attempt.c
 */
extern ErrorData *attempt(void (*work) (void *), void *arg);
extern void rehearse(void (*work) (void *), void *arg);

/*
 * failure.c
 */
extern void failure_read(Failure *failure, const ErrorData *error, bool over_http);

#endif							/* USERSTORE_FUNCTIONS_H */
