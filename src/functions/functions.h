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
#include "core/update/update.h"
#include "store/store.h"

typedef enum Operation
{
	OPERATION_CREATE,
	OPERATION_PUT,
	OPERATION_PATCH,
	OPERATION_DELETE
} Operation;

/* What one call asks for. */
typedef struct UserCall
{
	Operation	operation;
	Oid			users;
	const char *id;				/* NULL: to be generated */
	Jsonb	   *body;			/* NULL for a deletion */
	const char *idempotency_key;
	bool		has_expected_version;
	int64		expected_version;
	const char *request_id;
	const char *api;
	bool		dry_run;
	bool		hides;			/* the statement is hidden for this call */
} UserCall;

/* How a partial update is said. */
typedef enum PatchForm
{
	PATCH_MERGE,				/* by attributes */
	PATCH_SCIM,					/* by a PatchOp message */
	PATCH_JSON					/* by a JSON Patch */
} PatchForm;

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
	Update		update;
	JsonbValue *body;			/* as it was sent */
	JsonbValue *sent;			/* the attributes in it */
	PatchForm	patch;			/* a partial update by attributes, or by: */
	List	   *operations;		/* of PatchOperation * or JsonPatchOperation * */
	List	   *passed_over;	/* paths (char *) in them that nobody knows */
	SentUnstored unstored;		/* and what is no part of a document */
	NewPassword password;		/* what that comes to */
	bool		has_id;
	Datum		id;
	char	   *id_text;

	/* what came of it */
	UserRow		row;
	JsonbValue *document;
	bool		created;
} Road;

/*
 * update.c
 */
extern const char *const operation_names[];

extern Jsonb *update_user(const UserCall *call);
extern void user_missing(const char *id);
extern void tell_ignored(List *paths);

extern void road_begin(Road *road, const UserCall *call, Binding *table,
					   const BoundApi *api);
extern AclMode road_privileges(const Road *road);
extern void road_address(Road *road, const char *id);
extern void road_address_matched(Road *road, const char *id);
extern void road_read(Road *road, JsonbValue *body, int64 size);
extern void road_hash_password(Road *road);
extern KeyPassword *road_key_password(const Road *road);
extern JsonbValue *road_document(Road *road, JsonbValue *before);
extern List *road_changes(const Road *road, JsonbValue *before, JsonbValue *after,
						  bool new_password);
extern void road_travel(Road *road);
extern UserState road_user(const Road *road);

/*
 * user.c
 */
extern char *text_argument(FunctionCallInfo fcinfo, int arg);
extern void selection_arguments(FunctionCallInfo fcinfo, int wanted, int excluded,
								const Schema *schema, Selection *selection);
extern char *request_id_argument(FunctionCallInfo fcinfo, int arg);

/*
 * attempt.c
 */
extern ErrorData *attempt(void (*work) (void *), void *arg);
extern void rehearse(void (*work) (void *), void *arg);

#endif							/* USERSTORE_FUNCTIONS_H */
