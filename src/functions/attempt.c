/*
 * attempt.c
 *	  Do something in a subtransaction, so that it can be taken back; what an
 *	  answer tells of the error.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "core/errors.h"
#include "functions/functions.h"

/*
 * Do it, and keep what was done or not.  Gives the error that came up, in the
 * current memory context, or NULL; after an error nothing of it is left.
 */
static ErrorData *
in_subtransaction(void (*work) (void *), void *arg, bool keep)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Do something that may fail.  Gives NULL, or the error with which it did.
 */
ErrorData *
attempt(void (*work) (void *), void *arg)
{
	return in_subtransaction(work, arg, true);
}

/*
 * Do something to see what comes of it: constraints and triggers judge, and
 * all of it is taken back.  An error is raised as it came.
 */
void
rehearse(void (*work) (void *), void *arg)
{
	ErrorData  *error = in_subtransaction(work, arg, false);

	if (error != NULL)
		ReThrowError(error);
}

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
	if (!over_http || failure->status < 500)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg_internal("%s", error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 error->context != NULL ? errcontext_msg("%s", error->context) : 0));
	failure->message = "the server could not do this";
	failure->hint = failure->path = failure->scim_type = NULL;
}
