/*
 * http.h
 *	  The parts of an HTTP request: target, query, headers, entity tags.
 */
#ifndef USERSTORE_HTTP_H
#define USERSTORE_HTTP_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "core/document.h"

/* A parameter of a query, decoded. */
typedef struct HttpParameter
{
	char	   *name;
	char	   *value;
} HttpParameter;

/* What a request is about. */
typedef struct HttpTarget
{
	List	   *segments;		/* of the path: char *, decoded, none empty */
	List	   *query;			/* of HttpParameter * */
} HttpTarget;

/* The versions that a user has to have before anything is done. */
typedef struct Expectation
{
	bool		given;			/* If-Match, or the like */
	bool		any;			/* whatever the version is */
	const int64 *versions;		/* or one of these */
	int			count;

	bool		none;			/* If-None-Match: there must be no such user */
	const int64 *refused;		/* or none with one of these */
	int			refused_count;
} Expectation;

extern HttpTarget *http_read_target(const char *target);
extern const char *http_parameter(List *query, const char *name);
extern char *http_url_encode(const char *text);

extern char *http_header(JsonbValue *headers, const char *name);
extern char *http_read_string(const char *value);
extern char *http_preference(const char *value, const char *name);
extern bool http_is_json(const char *media_type);

extern char *http_entity_tag(int64 version);
extern Expectation http_read_entity_tags(const char *value);

#endif							/* USERSTORE_HTTP_H */
