/*
 * index.h
 *	  Indexes on attributes, and what they can find of a filter.
 */
#ifndef USERSTORE_INDEX_H
#define USERSTORE_INDEX_H

#include "postgres.h"

#include "core/scim/filter.h"
#include "store/store.h"

/* Longer strings are cut off in an index: its entries have little room. */
#define INDEX_CHARACTERS	500

/* An attribute that can have an index, and the generated column that it needs. */
typedef struct IndexTarget
{
	const Attribute *attribute; /* NULL without a schema */
	const char *path;
	List	   *names;			/* of char *, from the top of the document */
	bool		is_folded;		/* strings are the same in any case */
	Oid			type;			/* of the column */
	const char *type_sql;
	char	   *expression;
} IndexTarget;

/* What a column is like in every row that a filter can match. */
typedef struct IndexCondition
{
	const char *column;
	const char *operator;		/* of pg_catalog */
	Oid			operand;		/* its type on both sides, maybe anyarray */
	Oid			type;			/* of the column and the value */
	Oid			collation;
	Datum		value;
} IndexCondition;

/* More conditions than this find no fewer rows. */
#define MAX_INDEX_CONDITIONS	8

/*
 * index.c
 */
extern char *names_literal(List *names);
extern bool same_names(const List *a, const List *b);
extern const char *index_target(const Schema *schema, const char *path, IndexTarget *target);
extern void sync_indexes(Oid users);

/*
 * condition.c
 */
extern List *index_conditions(Binding *binding, const BoundApi *api, const Filter *filter);
extern char *index_column_of(Binding *binding, const BoundApi *api, const Attribute *attribute);

#endif							/* USERSTORE_INDEX_H */
