/*
 * idempotency.c
 *	  Idempotency keys: a request that comes again under its key is answered
 *	  as the first time, and nothing is done again.
 *
 * The primary key (caller, key) decides who came first.  An advisory lock
 * makes a twin wait early, before it has done any work; lock memory is shared,
 * so a transaction with many keys claims them by inserting the row first
 * instead.  Only what commits is remembered.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/hashfn.h"
#include "common/sha2.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"

#include "core/compat.h"
#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(idempotency_purge);

/* Advisory locks of applications have the classes 1 and 2, of Citus 4 to 15. */
#define KEY_LOCK_CLASS		0x5553

/* Locks of keys that one transaction takes before it claims by inserting. */
#define MAX_KEY_LOCKS		256

/* A longer name of a client stands in the key table as its hash. */
#define MAX_CLIENT_BYTES	255

#define MAX_KEY_LENGTH		255 /* in characters */

/* Who calls, beside the role: a setting, for pools that share one role. */
char	   *userstore_client = NULL;

/* How long a key is remembered, in seconds. */
int			userstore_idempotency_lifetime = 86400;

static LocalTransactionId locking_transaction = InvalidLocalTransactionId;
static int	locks_taken = 0;

struct Fingerprint
{
	pg_cryptohash_ctx *hash;
	StringInfoData part;
};

static void
hash_part(Fingerprint *fingerprint)
{
	if (pg_cryptohash_update(fingerprint->hash, (uint8 *) fingerprint->part.data,
							 fingerprint->part.len) < 0)
		elog(ERROR, "could not compute a SHA-256: %s", pg_cryptohash_error(fingerprint->hash)); /* can't happen */
	resetStringInfo(&fingerprint->part);
}

/*
 * What makes a request the same: operation, user, API profile and body, the
 * last, which may come in parts, by the equality of jsonb.
 */
Fingerprint *
fingerprint_begin(const char *operation, const char *id, const char *api)
{
	Fingerprint *fingerprint = palloc(sizeof(Fingerprint));
	StringInfo	part = &fingerprint->part;

	fingerprint->hash = pg_cryptohash_create(PG_SHA256);
	if (pg_cryptohash_init(fingerprint->hash) < 0)
		elog(ERROR, "could not compute a SHA-256: %s", pg_cryptohash_error(fingerprint->hash)); /* can't happen */
	initStringInfo(part);
	/* with their closing zeros, so that no two lists of parts run together */
	appendBinaryStringInfo(part, operation, strlen(operation) + 1);
	appendStringInfoChar(part, id != NULL ? '=' : '-');
	if (id != NULL)
		appendBinaryStringInfo(part, id, strlen(id) + 1);
	appendBinaryStringInfo(part, api, strlen(api) + 1);
	hash_part(fingerprint);
	return fingerprint;
}

void
fingerprint_add(Fingerprint *fingerprint, JsonbValue *body)
{
	document_canonical(body, &fingerprint->part);
	hash_part(fingerprint);
}

/* The same by its bytes: what is equal in other ones is another body then. */
void
fingerprint_add_packed(Fingerprint *fingerprint, Jsonb *body)
{
	appendBinaryStringInfo(&fingerprint->part, VARDATA(body), VARSIZE(body) - VARHDRSZ);
	hash_part(fingerprint);
}

bytea *
fingerprint_end(Fingerprint *fingerprint)
{
	bytea	   *result = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);

	SET_VARSIZE(result, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (pg_cryptohash_final(fingerprint->hash, (uint8 *) VARDATA(result),
							PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256: %s", pg_cryptohash_error(fingerprint->hash)); /* can't happen */
	pg_cryptohash_free(fingerprint->hash);
	return result;
}

/*
 * One caller never gets another's answer: the role, and the client that a pool
 * names.  A backslash before each slash of the role's name keeps pairs from
 * running together; quote_identifier() would not do, since a setting decides
 * what that gives.
 */
static char *
caller_name(void)
{
	StringInfoData name;

	initStringInfo(&name);
	for (const char *c = GetUserNameFromId(GetUserId(), false); *c; c++)
	{
		if (*c == '/' || *c == '\\')
			appendStringInfoChar(&name, '\\');
		appendStringInfoChar(&name, *c);
	}
	if (userstore_client == NULL || strlen(userstore_client) <= MAX_CLIENT_BYTES)
		appendStringInfo(&name, "/%s", userstore_client != NULL ? userstore_client : "");
	else
	{
		Datum		hash = DirectFunctionCall1(sha256_bytea,
											   CStringGetTextDatum(userstore_client));

		/* an index key has its limits; all other callers have a slash */
		hash = DirectFunctionCall2(binary_encode, hash, CStringGetTextDatum("hex"));
		appendStringInfo(&name, "#%s", TextDatumGetCString(hash));
	}
	return name.data;
}

static bool
may_lock_another(void)
{
	if (locking_transaction != MY_LOCAL_TRANSACTION_ID)
	{
		locking_transaction = MY_LOCAL_TRANSACTION_ID;
		locks_taken = 0;
	}
	return locks_taken < MAX_KEY_LOCKS;
}

static void
in_progress(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_CONFLICT),
			 errmsg("a request with the same idempotency key is in progress"),
			 errdetail_path(NULL, NULL),
			 errhint("Repeat the request later: it then gets the answer of the first one.")));
}

/*
 * Wait for whoever holds the key.
 */
static void
lock_key(Binding *binding, KeyClaim *claim)
{
	MemoryContext context = CurrentMemoryContext;
	StringInfoData name;
	LOCKTAG		tag;
	uint64		hash;

	initStringInfo(&name);
	appendBinaryStringInfo(&name, claim->caller, strlen(claim->caller) + 1);
	appendStringInfoString(&name, claim->key);
	hash = hash_bytes_extended((unsigned char *) name.data, name.len, binding->users);
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, KEY_LOCK_CLASS);

	PG_TRY();
	{
		(void) LockAcquire(&tag, ExclusiveLock, false, false);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		in_progress();
	}
	PG_END_TRY();
	locks_taken++;
}

/*
 * The fingerprint as it is kept: behind that of the request, the hash of each
 * password in it, with its closing zero.
 */
static bytea *
kept_fingerprint(KeyClaim *claim)
{
	StringInfoData kept;
	ListCell   *lc;

	initStringInfo(&kept);
	appendBinaryStringInfo(&kept, VARDATA_ANY(claim->fingerprint),
						   VARSIZE_ANY_EXHDR(claim->fingerprint));
	foreach(lc, claim->passwords)
	{
		KeyPassword *password = lfirst(lc);

		appendBinaryStringInfo(&kept, password->hash, strlen(password->hash) + 1);
	}
	return (bytea *) cstring_to_text_with_len(kept.data, kept.len);
}

/*
 * Was the key used for this very request?  Equal passwords have different
 * hashes, so each is compared with its own.
 */
static bool
is_same_request(Binding *binding, KeyClaim *claim, bytea *kept)
{
	char	   *hash = VARDATA_ANY(kept);
	char	   *end = hash + VARSIZE_ANY_EXHDR(kept);
	int			len = VARSIZE_ANY_EXHDR(claim->fingerprint);
	ListCell   *lc;

	if (VARSIZE_ANY_EXHDR(kept) < len ||
		memcmp(hash, VARDATA_ANY(claim->fingerprint), len) != 0)
		return false;
	hash += len;
	foreach(lc, claim->passwords)
	{
		KeyPassword *password = lfirst(lc);

		/* who may write the key table may have left the closing zero out */
		if (hash == end || memchr(hash, '\0', end - hash) == NULL ||
			!password_matches(binding, password->password, hash))
			return false;
		hash += strlen(hash) + 1;
	}
	return hash == end;
}

/*
 * Read the row of a key.  Gives false when there is none that is still alive.
 */
static bool
read_key(Binding *binding, KeyClaim *claim, bool latest_snapshot)
{
	SPIPlanPtr	plan = statement_plan(binding, STATEMENT_KEY_READ);
	Datum		values[2];
	HeapTuple	tuple;
	TupleDesc	desc;
	bytea	   *fingerprint;
	Datum		datum;
	bool		isnull;
	int			result;

	values[0] = CStringGetTextDatum(claim->caller);
	values[1] = CStringGetTextDatum(claim->key);
	if (latest_snapshot)
		result = SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(),
									  InvalidSnapshot, true, false, 1);
	else
		result = SPI_execute_plan(plan, values, NULL, false, 1);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "reading an idempotency key failed: %s", SPI_result_code_string(result));	/* can't happen */
	if (SPI_processed == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		return false;
	}
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	datum = result_column(tuple, desc, 4, TIMESTAMPTZOID, NULL);
	if (DatumGetTimestampTz(datum) <= GetCurrentTimestamp())
	{
		SPI_freetuptable(SPI_tuptable);
		return false;
	}
	fingerprint = DatumGetByteaPP(result_column(tuple, desc, 1, BYTEAOID, NULL));
	if (!is_same_request(binding, claim, fingerprint))
		ereport(ERROR,
				(errcode(ERRCODE_USER_UNPROCESSABLE),
				 errmsg("the idempotency key was used for another request"),
				 errdetail_path(NULL, NULL),
				 errhint("Use a new key for each request, and the same one only to repeat it unchanged.")));
	datum = result_column(tuple, desc, 2, binding->id_type, &isnull);
	claim->has_user_id = !isnull;
	if (!isnull)
		claim->user_id = datumCopy(datum, TupleDescAttr(desc, 1)->attbyval,
								   TupleDescAttr(desc, 1)->attlen);
	datum = result_column(tuple, desc, 3, JSONBOID, &isnull);
	if (isnull)
		in_progress();			/* claimed by a caller of ours: a trigger came
								 * back here */
	claim->answer = DatumGetJsonbPCopy(datum);
	claim->operation = TextDatumGetCString(result_column(tuple, desc, 5, TEXTOID, NULL));
	datum = result_column(tuple, desc, 6, INT8OID, &isnull);
	claim->version = isnull ? 0 : DatumGetInt64(datum);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

/* Write the row of the key.  Gives false when somebody else's is there. */
static bool
insert_key(Binding *binding, KeyClaim *claim, const Datum *user_id, int64 version, Jsonb *answer)
{
	SPIPlanPtr	plan = statement_plan(binding, STATEMENT_KEY_INSERT);
	MemoryContext context = CurrentMemoryContext;
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[9] = {0};
	char		nulls[] = "         ";

	values[0] = CStringGetTextDatum(claim->caller);
	values[1] = CStringGetTextDatum(claim->key);
	values[2] = PointerGetDatum(kept_fingerprint(claim));
	values[3] = CStringGetTextDatum(claim->operation);
	nulls[4] = nulls[5] = nulls[6] = 'n';
	if (user_id != NULL)
	{
		values[4] = *user_id;
		values[5] = Int64GetDatum(version);
		nulls[4] = nulls[5] = ' ';
	}
	if (answer != NULL)
	{
		values[6] = JsonbPGetDatum(answer);
		nulls[6] = ' ';
	}
	values[7] = TimestampTzGetDatum(TimestampTzPlusMilliseconds(now, userstore_idempotency_lifetime * INT64CONST(1000)));
	values[8] = TimestampTzGetDatum(now);
	PG_TRY();
	{
		int			result = SPI_execute_plan(plan, values, nulls, false, 0);

		if (result != SPI_OK_INSERT)
			elog(ERROR, "writing an idempotency key failed: %s", SPI_result_code_string(result));	/* can't happen */
	}
	PG_CATCH();
	{
		/* a twin that inserted first made us wait here */
		if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		in_progress();
	}
	PG_END_TRY();
	return SPI_processed > 0;
}

static void
serialization_failure(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to a concurrent request with the same idempotency key"),
			 errhint("The transaction might succeed if retried.")));
}

/*
 * Claim a key for a request.  Gives true when the request was answered before:
 * then the answer and the user are in the claim.  Otherwise the key is the
 * caller's until the transaction ends, and idempotency_keep has to follow.
 */
bool
idempotency_claim(Binding *binding, KeyClaim *claim)
{
	int			len = pg_mbstrlen(claim->key);
	SavedUser	saved;
	bool		found = false;

	if (len < 1 || len > MAX_KEY_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("an idempotency key has 1 to %d characters", MAX_KEY_LENGTH),
				 errdetail_path("idempotency_key", SCIM_INVALID_VALUE),
				 errhint("A random UUID makes a good key.")));
	claim->caller = caller_name();
	claim->inserted = false;
	if (may_lock_another())
	{
		lock_key(binding, claim);
		become_owner(binding->owner, &saved);
		found = read_key(binding, claim, false);
		/* a twin that committed after our snapshot is not ours to answer */
		if (!found && IsolationUsesXactSnapshot() && read_key(binding, claim, true))
			serialization_failure();
		become_caller_again(&saved);
	}
	else
	{
		become_owner(binding->owner, &saved);
		claim->inserted = insert_key(binding, claim, NULL, 0, NULL);
		if (!claim->inserted)
		{
			found = read_key(binding, claim, false);
			if (!found)
				serialization_failure();
		}
		become_caller_again(&saved);
	}
	return found;
}

/*
 * Remember the answer to a request under the key that was claimed; user_id is
 * NULL when it was about many.
 */
void
idempotency_keep(Binding *binding, KeyClaim *claim, const Datum *user_id, int64 version,
				 Jsonb *answer)
{
	SavedUser	saved;

	become_owner(binding->owner, &saved);
	if (claim->inserted)
	{
		SPIPlanPtr	plan = statement_plan(binding, STATEMENT_KEY_UPDATE);
		Datum		values[6];
		char		nulls[] = "      ";
		int			result;

		values[0] = CStringGetTextDatum(claim->caller);
		values[1] = CStringGetTextDatum(claim->key);
		values[2] = user_id != NULL ? *user_id : (Datum) 0;
		values[3] = Int64GetDatum(version);
		values[4] = JsonbPGetDatum(answer);
		values[5] = CStringGetTextDatum(claim->operation);
		nulls[2] = nulls[3] = user_id != NULL ? ' ' : 'n';
		result = SPI_execute_plan(plan, values, nulls, false, 0);
		if (result != SPI_OK_UPDATE)
			elog(ERROR, "writing an idempotency key failed: %s", SPI_result_code_string(result));	/* can't happen */
	}
	else if (!insert_key(binding, claim, user_id, version, answer))
		serialization_failure();
	become_caller_again(&saved);
}

/*
 * idempotency_purge(users regclass, max integer)
 *
 * Deletes keys that have expired, up to so many; gives their number.
 */
Datum
idempotency_purge(PG_FUNCTION_ARGS)
{
	Binding    *binding;
	SavedUser	saved;
	Oid			types[2] = {TIMESTAMPTZOID, INT4OID};
	Datum		values[2];
	const char *tenant;
	int64		deleted;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "max");
	binding = binding_open(PG_GETARG_OID(0));
	if (!caller_owns(binding->owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, binding->name);
	SPI_connect();
	become_owner(binding->owner, &saved);
	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = PG_GETARG_DATUM(1);
	tenant = binding->layout.tenant == NULL ? "" : ", e." TENANT_COLUMN;
	if (SPI_execute_with_args(psprintf("DELETE FROM %s k USING (SELECT e.caller, e.key%s FROM %s e"
									   " WHERE e.expires_at OPERATOR(pg_catalog.<=) $1"
									   " ORDER BY e.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) x"
									   " WHERE k.caller OPERATOR(pg_catalog.=) x.caller"
									   " AND k.key OPERATOR(pg_catalog.=) x.key%s",
									   binding->idempotency_sql, tenant, binding->idempotency_sql,
									   binding->layout.tenant == NULL ? "" :
									   " AND k." TENANT_COLUMN " OPERATOR(pg_catalog.=) x." TENANT_COLUMN),
							  2, types, values, NULL, false, 0) != SPI_OK_DELETE)
		elog(ERROR, "purging idempotency keys failed"); /* can't happen */
	deleted = SPI_processed;
	become_caller_again(&saved);
	SPI_finish();
	PG_RETURN_INT64(deleted);
}
