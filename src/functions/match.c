/*
 * match.c
 *	  SCIM filters in plain SQL.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "core/scim/filter.h"
#include "functions/functions.h"
#include "store/index.h"

PG_FUNCTION_INFO_V1(user_matches);
PG_FUNCTION_INFO_V1(user_matches_support);

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

/*
 * Planner support
 *
 * A filter that is constant, on the documents of the very table, becomes
 * conditions on indexed columns "and" the filter itself.  The columns are
 * generated from the document, so who may read that learns nothing new.  Behind
 * row security the conditions come first only as far as their operators are
 * leakproof, as everywhere; the filter is not.
 */

/* The filter, or NULL if it is wrong: that is for the call itself to say. */
static Filter *
try_filter(const BoundApi *api, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Filter	   *volatile filter = NULL;

	/* nothing in here touches a table or takes a lock */
	PG_TRY();
	{
		Filter	   *parsed = body_shape(api->profile->body)->read_filter(api->profile, text);

		filter_bind(parsed, api->schema, NULL, NULL);
		filter = parsed;
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_USER_BAD_REQUEST)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return filter;
}

/* A non-null constant of the call, or NULL. */
static Const *
constant_argument(FuncExpr *call, int number)
{
	Node	   *argument = list_nth(call->args, number);

	return IsA(argument, Const) && !((Const *) argument)->constisnull ? (Const *) argument : NULL;
}

/*
 * The document, if it is the column of the table in this query.  What an
 * ON CONFLICT calls "excluded" is no table.
 */
static Var *
document_argument(PlannerInfo *root, FuncExpr *call, Oid users)
{
	Var		   *var = list_nth(call->args, 1);
	RangeTblEntry *table;

	if (!IsA(var, Var) || var->varlevelsup != 0 || var->varno <= 0 ||
		var->varno > list_length(root->parse->rtable))
		return NULL;
	table = rt_fetch(var->varno, root->parse->rtable);
	if (table->rtekind != RTE_RELATION || table->relid != users ||
		(table->relkind != RELKIND_RELATION && table->relkind != RELKIND_PARTITIONED_TABLE) ||
		var->varattno != get_attnum(users, "document"))
		return NULL;

	/*
	 * Grouping sets that do not group by the document set it to null, and it
	 * alone.
	 */
	if (root->parse->groupingSets != NIL &&
		list_member(get_sortgrouplist_exprs(root->parse->groupClause, root->parse->targetList), var))
		return NULL;
	return var;
}

static Expr *
condition_expression(const IndexCondition *condition, Oid users, Var *document)
{
	Oid			operator = OpernameGetOprid(list_make2(makeString("pg_catalog"),
													   makeString(unconstify(char *, condition->operator))),
											condition->operand, condition->operand);
	Var		   *column = copyObject(document);
	int16		typlen;
	bool		typbyval;
	OpExpr	   *expression;

	column->varattno = get_attnum(users, condition->column);
	column->vartype = condition->type;
	column->vartypmod = -1;
	column->varcollid = condition->collation;
	get_typlenbyval(condition->type, &typlen, &typbyval);
	expression = (OpExpr *) make_opclause(operator, BOOLOID, false, (Expr *) column,
										  (Expr *) makeConst(condition->type, -1,
															 get_typcollation(condition->type),
															 typlen, condition->value, false,
															 typbyval),
										  InvalidOid, condition->collation);
	set_opfuncid(expression);
	return (Expr *) expression;
}

/*
 * A plan that relies on what is known of the table is made again when that
 * changes; the table itself it depends on anyway.
 */
static void
depend_on_catalog(PlannerInfo *root)
{
	static const Catalog catalogs[] = {
		CATALOG_ATTRIBUTE_SCHEMA, CATALOG_API_PROFILE, CATALOG_USER_TABLE, CATALOG_ATTRIBUTE_INDEX
	};

	for (int i = 0; i < lengthof(catalogs); i++)
		root->glob->relationOids = list_append_unique_oid(root->glob->relationOids,
														  catalog_relid(catalogs[i]));
}

/*
 * A call that has its conditions already.  The planner simplifies what comes out
 * of simplifying once more, in an "and" as long as it comes out as an "and"; all
 * that it keeps of a call are the arguments.  So the mark is where a constant
 * has its place in the text of the query, which only parse errors want to know.
 */
#define HAS_CONDITIONS	(-2)

/* The planner's own copy of the call does not last. */
static FuncExpr *
mark_call(FuncExpr *call)
{
	FuncExpr   *copy = copyObject(call);

	lthird_node(Const, copy->args)->location = HAS_CONDITIONS;
	return copy;
}

/* The call with conditions before it, or NULL if there are none. */
static Node *
simplified(PlannerInfo *root, FuncExpr *call)
{
	Const	   *users = constant_argument(call, 0);
	Const	   *wanted = constant_argument(call, 2);
	Var		   *document;
	const BoundApi *api;
	Binding    *binding;
	Filter	   *filter;
	List	   *conjuncts = NIL;
	ListCell   *lc;

	if (users == NULL || wanted == NULL || wanted->location == HAS_CONDITIONS)
		return NULL;
	document = document_argument(root, call, DatumGetObjectId(users->constvalue));
	if (document == NULL)
		return NULL;
	binding = binding_find(DatumGetObjectId(users->constvalue));
	if (binding == NULL)
		return NULL;
	api = binding_api(binding, NULL);
	filter = try_filter(api, TextDatumGetCString(wanted->constvalue));
	if (filter == NULL)
		return NULL;
	foreach(lc, index_conditions(binding, api, filter))
		conjuncts = lappend(conjuncts, condition_expression(lfirst(lc), binding->users, document));
	if (conjuncts == NIL)
		return NULL;
	depend_on_catalog(root);
	return (Node *) makeBoolExpr(AND_EXPR, lappend(conjuncts, mark_call(call)), -1);
}

/*
 * user_matches_support(internal)
 */
Datum
user_matches_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestSimplify))
	{
		SupportRequestSimplify *simplify = (SupportRequestSimplify *) request;

		/* expressions outside of queries have no table, or a root of no query */
		if (simplify->root != NULL && simplify->root->parse != NULL)
			result = simplified(simplify->root, simplify->fcall);
	}
	PG_RETURN_POINTER(result);
}
