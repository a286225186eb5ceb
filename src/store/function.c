/*
 * function.c
 *	  Functions that the owner of a user table names for it: they hash
 *	  passwords, see documents before they are written, compute attributes.
 *
 * They are the owner's choice and run as the owner, whoever calls, in a
 * security-restricted operation and with a search_path of their own: neither
 * can the caller's settings and temporary objects reach them, nor can they act
 * as the caller.
 *
 * A table knows its functions by name, so that a dump can be restored and a
 * function be replaced.  Under that name somebody else could come to have one,
 * so each is looked at again before it is called.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "core/errors.h"
#include "store/store.h"

const FunctionKind password_kind = {
	.signature = "(text, text) that returns text",
	.nargs = 2,
	.args = {TEXTOID, TEXTOID},
	.results = {TEXTOID},
	.may_be_strict = true,
	.hint = "A function that hashes passwords takes the password and a hash of which it uses the salt, or NULL, and returns the hash."
};

const FunctionKind hook_kind = {
	.signature = "(regclass, text, text, jsonb, jsonb) that returns jsonb",
	.nargs = 5,
	.args = {REGCLASSOID, TEXTOID, TEXTOID, JSONBOID, JSONBOID},
	.results = {JSONBOID},
	.hint = "A function that is called before updates takes the table, the user's id, the operation, the old and the new document, and returns the one to write."
};

const FunctionKind computed_kind = {
	.signature = "(text) that returns jsonb, text, boolean, integer, bigint or numeric",
	.nargs = 1,
	.args = {TEXTOID},
	.results = {JSONBOID, TEXTOID, BOOLOID, INT4OID, INT8OID, NUMERICOID},
	.may_be_strict = true,
	.hint = "A function that computes an attribute takes the user's id and returns the value."
};

/* Counts what may have changed a function, or who may do what. */
static uint64 changes = 1;

static void
functions_changed(Datum arg, int cache, uint32 hash)
{
	changes++;
}

void
function_init(void)
{
	CacheRegisterSyscacheCallback(PROCOID, functions_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, functions_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, functions_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, functions_changed, (Datum) 0);
}

/*
 * Finding
 */

static void
refuse_function(const FunctionKind *kind, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("function %s%s does not exist", shown_name(name, strlen(name)), kind->signature),
			 errhint("%s", kind->hint)));
}

/* Refuse a function that is not there, or not of this kind. */
static void
check_function(const FunctionKind *kind, Oid function, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		fits = false;
	bool		is_strict;

	if (!HeapTupleIsValid(tuple))
		refuse_function(kind, name);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	for (int i = 0; OidIsValid(kind->results[i]); i++)
		fits |= kind->results[i] == form->prorettype;
	fits &= form->prokind == PROKIND_FUNCTION && !form->proretset &&
		form->pronargs == kind->nargs &&
		memcmp(form->proargtypes.values, kind->args, sizeof(Oid) * kind->nargs) == 0;
	is_strict = form->proisstrict && !kind->may_be_strict;
	ReleaseSysCache(tuple);
	if (!fits)
		refuse_function(kind, name);
	if (is_strict)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s%s is strict", shown_name(name, strlen(name)), kind->signature),
				 errhint("It is called with NULL, too: ALTER FUNCTION ... CALLED ON NULL INPUT.")));
}

/* The function of this name, of this kind, as the current user sees it. */
static Oid
find_function(const FunctionKind *kind, const char *name)
{
	Oid			function = LookupFuncName(QUALIFIED_NAME_LIST(name), kind->nargs, kind->args, true);

	check_function(kind, function, name);
	return function;
}

/*
 * Refuse a function that would run as the table's owner and is not to be
 * trusted with that.
 */
static void
require_trusted(Oid function, const char *name, Oid table_owner, const char *table)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);	/* can't happen */
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	if (!superuser_arg(owner) && !has_privs_of_role(owner, table_owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s belongs to \"%s\", who may not act for the owner of table \"%s\"",
						name, GetUserNameFromId(owner, false), table),
				 errdetail_path(NULL, NULL),
				 errhint("It has to belong to that owner or to a superuser.")));
	if (FUNCTION_ACLCHECK(function, table_owner) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, name);
}

/* Act as the owner of a table who is not to gain anything by it. */
static void
enter(Oid owner, SavedUser *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(owner, saved->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

/* A function's name, qualified and quoted. */
static char *
qualified_function(Oid function)
{
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
									  get_func_name(function));
}

/*
 * The name under which a table that the caller is about to create keeps a
 * function.
 */
char *
function_name(const FunctionKind *kind, const char *name)
{
	return qualified_function(find_function(kind, name));
}

/*
 * The name under which a table keeps a function, which has to be one that can
 * be called for it.  The name is looked up as the caller writes it.
 */
char *
function_name_for(const FunctionKind *kind, const char *name, Oid users)
{
	Oid			function = find_function(kind, name);
	char	   *qualified = qualified_function(function);

	require_trusted(function, qualified, relation_owner(users), get_rel_name(users));
	return qualified;
}

/* The same for one that the caller gives as itself. */
char *
function_name_of(const FunctionKind *kind, Oid function, Oid users)
{
	char	   *qualified = get_func_name(function) == NULL ? "-" : qualified_function(function);

	check_function(kind, function, qualified);
	require_trusted(function, qualified, relation_owner(users), get_rel_name(users));
	return qualified;
}

BoundFunction *
function_bind(const FunctionKind *kind, const char *name)
{
	BoundFunction *function = palloc0(sizeof(BoundFunction));

	function->kind = kind;
	function->name = pstrdup(name);
	function->context = AllocSetContextCreate(CurrentMemoryContext, "userstore function",
											  ALLOCSET_SMALL_SIZES);
	return function;
}

/* Find it as the owner, who is the current user. */
static Oid
find_bound(Binding *binding, BoundFunction *function)
{
	Oid			found = find_function(function->kind, function->name);

	require_trusted(found, function->name, binding->owner, binding->name);
	function->result = get_func_rettype(found);
	function->is_volatile = func_volatile(found) == PROVOLATILE_VOLATILE;
	return found;
}

/*
 * What is needed to call it: found once, and again when something changed.  A
 * call that comes while another one runs has its own, since a function may keep
 * its state there.
 */
static FmgrInfo *
function_info(Binding *binding, BoundFunction *function)
{
	uint64		changes_before = changes;
	FmgrInfo   *info;

	if (function->is_running)
	{
		info = palloc(sizeof(FmgrInfo));
		fmgr_info(find_bound(binding, function), info);
		return info;
	}
	if (function->found_at == changes)
		return &function->info;
	function->found_at = 0;
	MemoryContextReset(function->context);
	fmgr_info_cxt(find_bound(binding, function), &function->info, function->context);
	function->found_at = changes_before;
	return &function->info;
}

/*
 * Is the function one that sees what was written since the calling query
 * began, or writes?
 */
bool
function_is_volatile(Binding *binding, BoundFunction *function)
{
	SavedUser	saved;

	enter(binding->owner, &saved);
	(void) function_info(binding, function);
	become_caller_again(&saved);
	return function->is_volatile;
}

/*
 * Call a function of a table, with as many arguments as its kind has.
 */
Datum
function_call(Binding *binding, BoundFunction *function, const NullableDatum *args, bool *isnull)
{
	int			nest_level = NewGUCNestLevel();
	volatile bool is_first = false;
	volatile Datum result = (Datum) 0;
	SavedUser	saved;

	*isnull = true;
	enter(binding->owner, &saved);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	PG_TRY();
	{
		LOCAL_FCINFO(fcinfo, MAX_FUNCTION_ARGS);
		FmgrInfo   *info = function_info(binding, function);
		bool		has_null = false;

		is_first = !function->is_running;
		function->is_running = true;
		InitFunctionCallInfoData(*fcinfo, info, function->kind->nargs, DEFAULT_COLLATION_OID,
								 NULL, NULL);
		for (int i = 0; i < function->kind->nargs; i++)
		{
			fcinfo->args[i] = args[i];
			has_null |= args[i].isnull;
		}
		if (!has_null || !info->fn_strict)
		{
			result = FunctionCallInvoke(fcinfo);
			*isnull = fcinfo->isnull;
		}
	}
	PG_CATCH();
	{
		/* what it left there may be half done */
		if (is_first)
		{
			function->is_running = false;
			function->found_at = 0;
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (is_first)
		function->is_running = false;
	AtEOXact_GUC(false, nest_level);
	become_caller_again(&saved);
	return result;
}
