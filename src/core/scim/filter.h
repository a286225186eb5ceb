/*
 * filter.h
 *	  Filters (RFC 7644 section 3.4.2.2) and the paths of PATCH operations
 *	  (section 3.5.2): parsed once, evaluated many times.
 */
#ifndef USERSTORE_FILTER_H
#define USERSTORE_FILTER_H

#include "postgres.h"

#include "core/schema.h"

typedef enum FilterType
{
	FILTER_AND,
	FILTER_OR,
	FILTER_NOT,
	FILTER_COMPARE,
	FILTER_PRESENT,				/* pr */
	FILTER_VALUES				/* emails[...] */
} FilterType;

typedef enum FilterOperator
{
	OPERATOR_EQ,
	OPERATOR_NE,
	OPERATOR_CO,
	OPERATOR_SW,
	OPERATOR_EW,
	OPERATOR_GT,
	OPERATOR_GE,
	OPERATOR_LT,
	OPERATOR_LE,
	OPERATOR_LIKE				/* of SQL, which only a query has */
} FilterOperator;

/* Longer or deeper ones are a mistake or an attack. */
#define MAX_FILTER_BYTES	65536
#define MAX_FILTER_DEPTH	64

typedef struct Filter Filter;

struct Filter
{
	FilterType	type;
	const char *text;			/* "filter", "path" or "query", for messages: */
	int			position;		/* where it begins there, in characters from 1 */
	List	   *parts;			/* of Filter *: those combined, or the inner
								 * one */
	char	   *path;			/* of the attribute, as written */
	FilterOperator op;
	JsonbValue *value;			/* a scalar */
	const char *word;			/* as written, where the attribute's type
								 * decides what it is, or NULL */

	/* once it is bound to a schema */
	List	   *names;			/* of char *, from the top of what it is
								 * applied to */
	List	   *lists;			/* of int, for each name: may it be a list? */
	const Attribute *attribute; /* at their end, or what any name below is of;
								 * NULL without a schema */
	char	   *folded;			/* the value, if it is a string in any case */
	int64		instant;		/* the value, if it is a date and time */
};

/* The path of a PATCH operation: emails[type eq "work"].value */
typedef struct PatchPath
{
	char	   *attribute;		/* as written */
	Filter	   *filter;			/* or NULL */
	char	   *sub;			/* behind the filter, or NULL */
} PatchPath;

/*
 * A place in a text that was asked for, and in which position it is.  Places
 * that are asked for one after the other are near each other, and the text may
 * be long.
 */
typedef struct TextPlace
{
	const char *at;
	int			position;		/* in characters, from 1 */
} TextPlace;

/* parse.c */
extern int	text_position(TextPlace *last, const char *at);
extern Filter *filter_parse(const char *text);
extern Filter *filter_parse_lenient(const char *text);
extern Filter *filter_parse_fields(const char *text);
extern PatchPath *patch_path_parse(const char *text);
extern void bad_filter(const char *text, const char *scim_type, int position, const char *hint,
					   const char *format,...) pg_attribute_printf(5, 6);

/* query.c */
extern Filter *query_parse(const char *text);

/* filter.c */
extern void filter_bind(Filter *filter, const Schema *schema, const Schema *common,
						const Attribute *parent);
extern char *filter_fold(const JsonbValue *string);
extern bool filter_instant(const JsonbValue *value, int64 *instant);
extern bool filter_matches(const Filter *filter, JsonbValue *document);
extern JsonbValue *filter_item(const Filter *filter);

#endif							/* USERSTORE_FILTER_H */
