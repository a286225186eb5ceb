/*
 * past.h
 *	  What the functions that tell of the past share.
 */
#ifndef USERSTORE_PAST_H
#define USERSTORE_PAST_H

#include "postgres.h"

#include "utils/jsonb.h"

/* report.c: columns of a row */
extern void put_text(Datum *values, bool *nulls, int column, const char *text);
extern void put_name(Datum *values, bool *nulls, int column, const char *name);
extern void put_jsonb(Datum *values, bool *nulls, int column, Jsonb *jsonb);

#endif							/* USERSTORE_PAST_H */
