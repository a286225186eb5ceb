/*
 * sync_source.h
 *	  The records of a feed: of a body, or of a staging table.
 */
#ifndef USERSTORE_SYNC_SOURCE_H
#define USERSTORE_SYNC_SOURCE_H

#include "postgres.h"

#include "functions/reconcile.h"

typedef struct Source Source;

extern Source *source_open(Bulk *bulk, Oid staging);
extern void source_rewind(Source *source);
extern bool source_next(Source *source, Target *target);
extern void source_close(Source *source);

#endif							/* USERSTORE_SYNC_SOURCE_H */
