/*
 * errors.h
 *	  What our own errors have in common: SQLSTATEs that carry an HTTP status
 *	  (PostgREST answers PTnnn with status nnn), a DETAIL that is a JSON object,
 *	  and names from requests made fit for a one-line message.
 *
 * What PostgreSQL itself says keeps its own SQLSTATE.
 */
#ifndef USERSTORE_ERRORS_H
#define USERSTORE_ERRORS_H

#include "postgres.h"

#include "fmgr.h"

#define ERRCODE_USER_BAD_REQUEST			MAKE_SQLSTATE('P', 'T', '4', '0', '0')
#define ERRCODE_USER_FORBIDDEN				MAKE_SQLSTATE('P', 'T', '4', '0', '3')
#define ERRCODE_USER_NOT_FOUND				MAKE_SQLSTATE('P', 'T', '4', '0', '4')
#define ERRCODE_USER_METHOD_NOT_ALLOWED		MAKE_SQLSTATE('P', 'T', '4', '0', '5')
#define ERRCODE_USER_CONFLICT				MAKE_SQLSTATE('P', 'T', '4', '0', '9')
#define ERRCODE_USER_PRECONDITION_FAILED	MAKE_SQLSTATE('P', 'T', '4', '1', '2')
#define ERRCODE_USER_PAYLOAD_TOO_LARGE		MAKE_SQLSTATE('P', 'T', '4', '1', '3')
#define ERRCODE_USER_UNSUPPORTED_MEDIA_TYPE	MAKE_SQLSTATE('P', 'T', '4', '1', '5')
#define ERRCODE_USER_UNPROCESSABLE			MAKE_SQLSTATE('P', 'T', '4', '2', '2')

#define ERRCODE_USER_NOT_IMPLEMENTED		MAKE_SQLSTATE('P', 'T', '5', '0', '1')

/* Error types of RFC 7644 section 3.12, for the scimType of a DETAIL. */
#define SCIM_INVALID_SYNTAX		"invalidSyntax"
#define SCIM_INVALID_FILTER		"invalidFilter"
#define SCIM_INVALID_PATH		"invalidPath"
#define SCIM_INVALID_VALUE		"invalidValue"
#define SCIM_MUTABILITY			"mutability"
#define SCIM_NO_TARGET			"noTarget"
#define SCIM_UNIQUENESS			"uniqueness"

extern int	errdetail_path(const char *path, const char *scim_type);
extern int	errdetail_position(const char *scim_type, int position);
extern char *error_detail(const char *path, const char *scim_type);
extern char *error_detail_at(int index, const char *detail);
extern void error_read_detail(const char *detail, char **path, char **scim_type);
extern int	http_status(int sqlstate);
extern char *shown_name(const char *name, int len);
extern void require_argument(FunctionCallInfo fcinfo, int arg, const char *name);

#endif							/* USERSTORE_ERRORS_H */
