/*
 * match.c
 *	  SCIM filters in plain SQL.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/scim/filter.h"
#include "functions/functions.h"

PG_FUNCTION_INFO_V1(user_matches);

/* A filter that was bound in an earlier call from the same place. */
typedef struct BoundFilter
{
	Oid			users;
	uint64		generation;		/* of the table's binding */
	char	   *text;
	Filter	   *filter;
	MemoryContext context;
	MemoryContext scratch;		/* for one evaluation */
} BoundFilter;

static BoundFilter *
bind(FunctionCallInfo fcinfo, Oid users, const char *text, int len)
{
	BoundFilter *bound = fcinfo->flinfo->fn_extra;
	Binding    *table = binding_open(users);
	const BoundApi *api;
	MemoryContext old;

	if (bound != NULL && bound->users == users && bound->generation == table->generation &&
		strlen(bound->text) == len && memcmp(bound->text, text, len) == 0)
		return bound;
	if (bound == NULL)
	{
		bound = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(BoundFilter));
		bound->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "userstore filter",
											   ALLOCSET_SMALL_SIZES);
		bound->scratch = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "userstore filter evaluation",
											   ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = bound;
	}
	bound->users = InvalidOid;	/* until it is done */
	MemoryContextReset(bound->context);
	old = MemoryContextSwitchTo(bound->context);
	bound->text = pnstrdup(text, len);
	api = binding_api(table, NULL);
	bound->filter = body_shape(api->profile->body)->read_filter(api->profile, bound->text);
	filter_bind(bound->filter, api->schema, NULL, NULL);
	bound->generation = table->generation;
	bound->users = users;
	MemoryContextSwitchTo(old);
	return bound;
}

/*
 * user_matches(users regclass, document jsonb, filter text)
 */
Datum
user_matches(PG_FUNCTION_ARGS)
{
	text	   *filter = PG_GETARG_TEXT_PP(2);
	BoundFilter *bound = bind(fcinfo, PG_GETARG_OID(0), VARDATA_ANY(filter),
							  VARSIZE_ANY_EXHDR(filter));
	MemoryContext old = MemoryContextSwitchTo(bound->scratch);
	bool		matches = filter_matches(bound->filter, document_from_jsonb(PG_GETARG_JSONB_P(1)));

	MemoryContextSwitchTo(old);
	MemoryContextReset(bound->scratch);
	PG_RETURN_BOOL(matches);
}
