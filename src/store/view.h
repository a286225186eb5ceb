/*
 * view.h
 *	  Views of a user table with a column for each attribute.
 */
#ifndef USERSTORE_VIEW_H
#define USERSTORE_VIEW_H

#include "postgres.h"

#include "store/store.h"

/*
 * Behind the name of a multi-valued attribute: what is there may be a list, of
 * which one value is taken.  No attribute is called so.
 */
#define LIST_MARK	"[]"

/* An attribute as a column. */
typedef struct ViewColumn
{
	List	   *names;			/* of char *, from the top of what the row is */
	const char *path;			/* for people */
	const char *description;	/* or NULL */
	Oid			type;
} ViewColumn;

/* What a view should have: a row for each user, or for each value of a list. */
typedef struct ViewShape
{
	List	   *lists;			/* of List * of char *: the names that lead to
								 * the list, in the values of the list before */
	const char *path;			/* of the last one, for people */
	List	   *columns;		/* of ViewColumn * */
} ViewShape;

/*
 * view_shape.c
 */
extern List *view_shapes(const Schema *schema);
extern bool view_shows(const Schema *schema, const List *lists, const List *names);
extern char *names_path(const List *names, bool with_urn);
extern JsonbValue *names_json(const List *names);
extern List *names_from_json(JsonbValue *array);

#endif							/* USERSTORE_VIEW_H */
