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

/* update.c */
extern Jsonb *update_user(const UserCall *call);
extern void user_missing(const char *id);

#endif							/* USERSTORE_FUNCTIONS_H */
