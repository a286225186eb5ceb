/*
 * target_planted.c
 *	  Faults that have to be found, each by its name as the request: a fuzzer
 *	  that finds nothing in the core may only be said to find something here.
 */
#include "fuzz.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/memutils.h"

static void
fail(void *arg)
{
	elog(ERROR, "planted");
}

static void
run(FuzzInput *input)
{
	const char *fault = input->request;
	char	   *chunk = palloc(8);
	volatile char *end = chunk + 8;
	volatile int large = INT_MAX;

	if (strcmp(fault, "overrun") == 0)
		*end = '\0';
	else if (strcmp(fault, "freed") == 0)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "planted",
													  ALLOCSET_SMALL_SIZES);
		volatile char *freed = MemoryContextAlloc(context, 8);

		MemoryContextDelete(context);
		*freed = '\0';
	}
	else if (strcmp(fault, "overflow") == 0)
		large++;
	else if (strcmp(fault, "internal error") == 0)
		(void) attempt(fail, NULL);
	else if (strcmp(fault, "unexpected error") == 0)
		fail(NULL);
	else if (strcmp(fault, "loop") == 0)
	{
		while (large > 0)
			continue;
	}
	else if (strcmp(fault, "leak") == 0)
		(void) MemoryContextAlloc(TopMemoryContext, 16 * 1024);
	else if (strcmp(fault, "change") == 0)
	{
		JsonbValue *document = document_from_jsonb(input->document);
		StringInfo	before = snapshot(document);

		document_add(document, "more", document_boolean(true));
		check_unchanged(document, before, "the document");
	}
	else if (strcmp(fault, "memory") == 0)
	{
		for (int i = 0; i < 1024; i++)
			(void) palloc(1024 * 1024);
	}
}

const FuzzTarget planted_target = {
	.name = "planted",
	.request = REQUEST_FILTER,
	.run = run,
	.max_ms = 300,
};
