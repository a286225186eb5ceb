/*
 * profile.h
 *	  API profiles, compiled: how requests are read and answered.
 */
#ifndef USERSTORE_PROFILE_H
#define USERSTORE_PROFILE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "core/schema.h"

typedef enum UnknownAttributes
{
	UNKNOWN_REJECT,
	UNKNOWN_IGNORE,				/* with a NOTICE */
	UNKNOWN_KEEP
} UnknownAttributes;

typedef enum OnDelete
{
	ON_DELETE_DELETE,
	ON_DELETE_DEACTIVATE,
	ON_DELETE_REFUSE
} OnDelete;

typedef enum ErrorBody
{
	ERROR_BODY_PATH,
	ERROR_BODY_FIELD,
	ERROR_BODY_PROBLEM
} ErrorBody;

typedef struct Profile
{
	const char *name;
	const char *body;			/* shape of bodies and answers: see api.h */
	bool		scim_common;	/* users have externalId (RFC 7643 section
								 * 3.1) */
	List	   *schemas;		/* of char *: the default ones */
	bool		put_merges;		/* else it replaces */
	bool		put_creates;
	Absent		absent;
	UnknownAttributes unknown;
	JsonbValue *rules;			/* path → schema words, or NULL */
	JsonbValue *names;			/* field name → path, or NULL */
	const char *clear_token;	/* a string that clears when merged, or NULL */
	bool		lenient;
	bool		writes_all;		/* else the attributes of writable */
	List	   *writable;		/* of char * paths */
	bool		answers_full;	/* else the attributes of answer */
	List	   *answer;			/* of char * */
	OnDelete	on_delete;
	const char *base_url;		/* without a slash at its end, or NULL */
	ErrorBody	error_body;
	JsonbValue *statuses;		/* status → object of fields, or NULL */
	const char *ui_metadata;	/* name of the profile that shows more, or
								 * NULL */
	const char *resources_member;	/* of lists of users: their array */
	int64		max_payload_size;	/* bytes of one user's body */
	int64		max_operations; /* of one bulk request of RFC 7644 */
	JsonbValue *authentication; /* an array: schemes of RFC 7643 section 5 */
} Profile;

extern Profile *profile_compile(JsonbValue *document);
extern void profile_check(const Profile *profile, const Schema *schema);

#endif							/* USERSTORE_PROFILE_H */
