/*
 * userstore.c
 *	  Module start and settings.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "core/compat.h"
#include "core/secret.h"
#include "store/store.h"

USERSTORE_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomStringVariable("userstore.client",
							   "Names the client on whose behalf the role calls.",
							   "Idempotency keys belong to the role and this name together; a pool that shares one role sets it.",
							   &userstore_client, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("userstore.actor",
							   "Names the person on whose behalf users are changed.",
							   "History keeps it beside the role. It is a claim of the caller's, not a proof.",
							   &userstore_actor, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("userstore.tenant",
							   "Selects the tenant whose users are read and changed, in tables that have tenants.",
							   "It selects; whether the role may work for the tenant is decided by policies.",
							   &userstore_tenant, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("userstore.idempotency_lifetime",
							"How long an idempotency key is remembered.",
							NULL,
							&userstore_idempotency_lifetime, 86400, 1, INT_MAX / 1000,
							PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	MarkGUCPrefixReserved("userstore");
	secret_init();
	store_init();
}
