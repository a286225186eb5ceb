/*
 * place.h
 *	  A place in documents where one value stands: name.familyName, or, with a
 *	  filter that says which of several values is meant, emails[primary eq
 *	  true].value.
 */
#ifndef USERSTORE_PLACE_H
#define USERSTORE_PLACE_H

#include "postgres.h"

#include "core/scim/filter.h"

typedef struct Place
{
	const char *path;			/* as a schema writes it, with the filter */
	List	   *names;			/* of char *, from the top of the document */
	const Attribute *attribute; /* at the end of the path; NULL without a
								 * schema */
	Filter	   *filter;			/* or NULL: of the values at the end of names */
	const char *sub;			/* of the value that the filter selects */
} Place;

extern Place *place_parse(const Schema *schema, const char *path);
extern JsonbValue *place_find(const Place *place, JsonbValue *document);
extern void place_set(const Place *place, JsonbValue *document, JsonbValue *value);
extern void place_take(const Place *place, JsonbValue *document);
extern bool places_overlap(const Place *a, const Place *b);

#endif							/* USERSTORE_PLACE_H */
