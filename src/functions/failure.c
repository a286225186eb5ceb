/*
 * failure.c
 *	  What an answer tells of an error.
 */
#include "postgres.h"

#include "core/errors.h"
#include "functions/functions.h"

/*
 * What went wrong, as an answer tells it.  Over HTTP the client learns of its
 * own mistakes, the server's log of the server's.
 */
void
failure_read(Failure *failure, const ErrorData *error, bool over_http)
{
	char	   *path;
	char	   *scim_type;

	error_read_detail(error->detail, &path, &scim_type);
	failure->sqlstate = error->sqlerrcode;
	failure->status = http_status(failure->sqlstate);
	failure->message = error->message;
	failure->hint = error->hint;
	failure->path = path;
	failure->scim_type = scim_type;
	if (!over_http || failure->status < 500 || failure->sqlstate == ERRCODE_USER_NOT_IMPLEMENTED)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg_internal("%s", error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 error->context != NULL ? errcontext_msg("%s", error->context) : 0));
	failure->message = "the server could not do this";
	failure->hint = failure->path = failure->scim_type = NULL;
}
