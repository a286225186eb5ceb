/*
 * attempt.c
 *	  Do something in a subtransaction, so that it can be taken back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

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
