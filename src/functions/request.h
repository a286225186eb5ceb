/*
 * request.h
 *	  An HTTP request on its way, for what is made of several (RFC 7644 section
 *	  3.7).
 */
#ifndef USERSTORE_REQUEST_H
#define USERSTORE_REQUEST_H

#include "postgres.h"

#include "functions/functions.h"

typedef struct Request
{
	Binding    *table;
	const BoundApi *api;
	const BodyShape *shape;
	const char *method;
	const char *path;
	JsonbValue *headers;		/* or NULL */
	const char *body_text;		/* or NULL */
	bool		hides;			/* the statement is hidden for this call */
	bool		is_operation;	/* of a bulk request */

	/* as it is read */
	HttpTarget *target;
	const Route *route;
	const char *id;				/* of the user in the path, or NULL */
	const char *new_id;			/* of a user to be created, or NULL */
	const char *password_hash;	/* of the password in the body, or NULL */
	Jsonb	   *body;			/* or NULL */
	const char *request_id;		/* or NULL */

	/* what it is answered */
	int			status;
	Outcome		outcome;
	JsonbValue *response_headers;
	Jsonb	   *response;		/* or NULL */
} Request;

/*
 * request.c
 */
extern void request_find(Request *request);
extern void request_serve(Request *request);
extern void request_answer_error(Request *request, ErrorData *error);
extern void check_deferred_constraints(void);
extern char *request_location(const Request *request, const char *id);

/*
 * scim_bulk.c
 */
extern Jsonb *scim_bulk(Request *request);

#endif							/* USERSTORE_REQUEST_H */
