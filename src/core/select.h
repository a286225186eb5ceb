/*
 * select.h
 *	  Which attributes an answer shows (RFC 7644 section 3.9, RFC 7643 section
 *	  7 "returned").
 */
#ifndef USERSTORE_SELECT_H
#define USERSTORE_SELECT_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "core/schema.h"

/* Paths that were asked for: found in the schema, or names beside it. */
typedef struct PathSet
{
	bool		given;
	List	   *attributes;		/* of Attribute * */
	List	   *names;			/* of char * */
	bool		names_are_exact;	/* as they are where no schema is */
} PathSet;

typedef struct Selection
{
	bool		hides_unknown;	/* attributes that no schema describes */
	PathSet		wanted;			/* "attributes" */
	PathSet		excluded;		/* "excludedAttributes" */
} Selection;

extern void path_set_add(PathSet *set, const Schema *schema, const char *path);
extern JsonbValue *select_common(const Selection *selection, const char *name,
								 JsonbValue *value);
extern JsonbValue *select_attributes(const Schema *schema, const Selection *selection,
									 JsonbValue *document);

#endif							/* USERSTORE_SELECT_H */
