/*
 * guard.h
 *	  Limits to what a feed may do to a table.
 */
#ifndef USERSTORE_GUARD_H
#define USERSTORE_GUARD_H

#include "postgres.h"

#include "functions/reconcile.h"

typedef struct Guard Guard;

/* What there was of users and records when a guard is asked. */
typedef struct GuardBase
{
	int64		users;			/* in the scope of the feed; -1: not counted */
	int64		records;
} GuardBase;

extern Guard *guard_read(Jsonb *jsonb);
extern bool guard_wants_users(const Guard *guard);
extern bool guard_check(const Guard *guard, const int64 *counts, const GuardBase *base, int elevel);

#endif							/* USERSTORE_GUARD_H */
