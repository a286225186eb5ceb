/*
 * revert.c
 *	  Give the users whom a transaction changed what they had before it.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "core/errors.h"
#include "functions/reconcile.h"

PG_FUNCTION_INFO_V1(users_revert);

#define LOOK_AT_HISTORY	"Look at the user's history, and change it by itself."

typedef struct Revert
{
	Reconciliation all;			/* first: see meet() */
	FunctionCallInfo fcinfo;
	FullTransactionId transaction;
	int64		users;			/* whom it changed */

	/* of those who are looked at: */
	Target	   *targets;
	int			count;
	int			room;
	int64		bytes;
	MemoryContext slice;		/* in which they are */
} Revert;

static char *
changed_since(const char *id_text, int64 version)
{
	return psprintf("user \"%s\" was changed since, to version " INT64_FORMAT,
					shown_name(id_text, strlen(id_text)), version);
}

/* Is the user still in the version that the transaction left, or deleted in it? */
static void
meet(Reconciliation *all, const Target *target, Road *road, const UserRow *row, int64 version,
	 JsonbValue *before)
{
	if (version != target->version || (row == NULL && !target->comes_back))
		skip_target(road, "meta.version", changed_since(road->id_text, version), LOOK_AT_HISTORY);
}

static void
revert_slice(Revert *revert)
{
	if (revert->count > 0)
		reconcile(&revert->all, revert->targets, revert->count);
	MemoryContextReset(revert->slice);
	revert->targets = NULL;
	revert->count = revert->room = 0;
	revert->bytes = 0;
}

static Target *
new_target(Revert *revert)
{
	if (revert->targets == NULL)
		revert->targets = palloc(sizeof(Target) * (revert->room = 1024));
	else if (revert->count == revert->room)
		revert->targets = repalloc_huge(revert->targets, sizeof(Target) * (revert->room *= 2));
	memset(&revert->targets[revert->count], 0, sizeof(Target));
	return &revert->targets[revert->count++];
}

/* What the transaction did to a user: what takes it back? */
static void
take_back(void *arg, TransactionChange *change)
{
	Revert	   *revert = arg;
	MemoryContext old = MemoryContextSwitchTo(revert->slice);
	Target	   *target = new_target(revert);

	revert->users++;
	target->id_text = binding_id_to_text(revert->all.bulk.table, change->user_id);
	target->version = change->last;
	target->kind = change->before != NULL ? TARGET_DOCUMENT : TARGET_GONE;
	target->comes_back = change->deleted;
	if (change->before != NULL)
	{
		target->document = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(change->before));
		revert->bytes += VARSIZE(target->document);
	}
	if (change->newest != change->last)
		target->problem = target_problem("meta.version", changed_since(target->id_text, change->newest),
										 LOOK_AT_HISTORY);
	else if (!change->is_known)
		target->problem = target_problem("meta.version",
										 psprintf("history does not have what user \"%s\" was before",
												  shown_name(target->id_text,
															 strlen(target->id_text))),
										 "It was purged up to then.");
	if (change->changes_password && change->before != NULL && !change->deleted)
		target->remark = "history has no passwords: this one stays as it is";
	/* who came and went is as before */
	if (change->is_known && change->before == NULL && change->deleted)
		revert->count--;
	MemoryContextSwitchTo(old);
	if (slice_is_full(revert->count, revert->bytes))
		revert_slice(revert);
}

static void
take_back_all(void *arg)
{
	Revert	   *revert = arg;
	Reconciliation *all = &revert->all;
	const Attribute *password;
	Past		past;

	SPI_connect();
	reconcile_begin(all, revert->fcinfo);
	all->meet = meet;
	password = all->bulk.api->schema->password;
	revert->slice = AllocSetContextCreate(all->bulk.context, "userstore revert slice",
										  ALLOCSET_DEFAULT_SIZES);
	past_open(&past, all->bulk.table);
	binding_require_privileges(all->bulk.table, ACL_SELECT | ACL_UPDATE);
	set_wait(all->bulk.table, true);
	past_transaction(&past, catalog_present_era(), revert->transaction,
					 password != NULL ? password->path : NULL, take_back, revert);
	if (revert->users == 0)
		ereport(ERROR,
				(errcode(ERRCODE_USER_NOT_FOUND),
				 errmsg("transaction " UINT64_FORMAT " changed no users of \"%s\"",
						U64FromFullTransactionId(revert->transaction), all->bulk.table->name),
				 errdetail_path("transaction_id", NULL),
				 errhint("users_changes shows who was changed, by which transaction.")));
	revert_slice(revert);
	reconcile_end(all);
	SPI_finish();
}

/*
 * users_revert(users regclass, transaction_id xid8, atomic boolean,
 *		dry_run boolean, request_id text, api text)
 */
Datum
users_revert(PG_FUNCTION_ARGS)
{
	Revert	   *revert = palloc0(sizeof(Revert));
	UserCall   *call = &revert->all.call.common;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "transaction_id");
	require_argument(fcinfo, 2, "atomic");
	require_argument(fcinfo, 3, "dry_run");
	call->users = PG_GETARG_OID(0);
	revert->transaction = PG_GETARG_FULLTRANSACTIONID(1);
	revert->all.is_whole = PG_GETARG_BOOL(2);
	call->dry_run = PG_GETARG_BOOL(3);
	call->request_id = request_id_argument(fcinfo, 4);
	call->api = text_argument(fcinfo, 5);
	call->operation = OPERATION_PUT;
	take_request_id(current_headers(), call);
	call->request_id = request_id_or_new(unconstify(char *, call->request_id));
	InitMaterializedSRF(fcinfo, 0);
	revert->fcinfo = fcinfo;
	if (call->dry_run)
		rehearse(take_back_all, revert);
	else
		take_back_all(revert);
	PG_RETURN_NULL();
}
