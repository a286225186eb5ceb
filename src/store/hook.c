/*
 * hook.c
 *	  The function that a table has called before each change of a user.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"

#include "core/errors.h"
#include "store/store.h"

/* Hooks that change users whose hooks change users: so many at once. */
#define MAX_HOOKS	16

/* A hook that runs, and for whom. */
typedef struct RunningHook
{
	Oid			users;
	const char *id;				/* NULL: a user who has none yet */
	int			depth;
	struct RunningHook *outer;
} RunningHook;

static RunningHook *running = NULL;

static void
require_first(Binding *binding, const char *id)
{
	for (RunningHook *hook = running; hook != NULL; hook = hook->outer)
	{
		if (id != NULL && hook->id != NULL && hook->users == binding->users &&
			strcmp(hook->id, id) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("function %s of table \"%s\" changes user \"%s\", for whom it is called",
							binding->before_update->name, binding->name, shown_name(id, strlen(id))),
					 errdetail_path(NULL, NULL),
					 errhint("Let it return the document that the user is to have.")));
	}
	if (running != NULL && running->depth == MAX_HOOKS)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("functions that are called before updates change users whose functions change users, more than %d times",
						MAX_HOOKS),
				 errdetail_path(NULL, NULL),
				 errhint("Function %s of table \"%s\" may call itself without end.",
						 binding->before_update->name, binding->name)));
}

static NullableDatum
jsonb_argument(Jsonb *document)
{
	NullableDatum arg = {(Datum) 0, true};

	if (document != NULL)
	{
		arg.value = JsonbPGetDatum(document);
		arg.isnull = false;
	}
	return arg;
}

static NullableDatum
text_argument(const char *text)
{
	NullableDatum arg = {(Datum) 0, true};

	if (text !=NULL)
	{
		arg.value = CStringGetTextDatum(text);
		arg.isnull = false;
	}
	return arg;
}

static void
refuse_result(Binding *binding, int sqlstate, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("function %s %s", binding->before_update->name, what),
			 errdetail_path(NULL, NULL),
			 errhint("%s", hint)));
}

/*
 * Ask the function of a table what is to be written: gives the document, or
 * NULL for a user who is deleted.  before is NULL when the user is created.
 * Says, too, whether the function wrote anything itself.
 */
Jsonb *
hook_call(Binding *binding, const char *id, const char *operation, Jsonb *before, Jsonb *after,
		  bool *wrote)
{
	RunningHook hook = {binding->users, id, running != NULL ? running->depth + 1 : 1, running};
	CommandId	command;
	NullableDatum args[MAX_FUNCTION_ARGS];
	Datum		value = (Datum) 0;
	bool		isnull = true;
	Jsonb	   *document;

	require_first(binding, id);
	args[0].value = ObjectIdGetDatum(binding->users);
	args[0].isnull = false;
	args[1] = text_argument(id);
	args[2] = text_argument(operation);
	args[3] = jsonb_argument(before);
	args[4] = jsonb_argument(after);
	running = &hook;
	/* which counts commands that wrote */
	CommandCounterIncrement();
	command = GetCurrentCommandId(false);
	PG_TRY();
	{
		value = function_call(binding, binding->before_update, args, &isnull);
	}
	PG_FINALLY();
	{
		running = hook.outer;
	}
	PG_END_TRY();

	CommandCounterIncrement();
	*wrote = command != GetCurrentCommandId(false);
	/* users are planned together on the strength of that */
	if (*wrote && !function_is_volatile(binding, binding->before_update))
		refuse_result(binding, ERRCODE_E_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED,
					  "writes, and is not declared to", "Declare it VOLATILE.");
	if (after == NULL)
	{
		if (!isnull)
			refuse_result(binding, ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION,
						  "gave a document for a user who is deleted",
						  "It returns NULL when new is NULL, or raises an error to keep the user.");
		return NULL;
	}
	if (isnull)
		refuse_result(binding, ERRCODE_E_R_I_E_NULL_VALUE_NOT_ALLOWED, "gave no document",
					  "It returns new, changed or not, or raises an error to refuse the change.");
	document = DatumGetJsonbP(value);
	if (!JB_ROOT_IS_OBJECT(document))
		refuse_result(binding, ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION,
					  "gave a document that is not a JSON object",
					  "It returns new, changed or not, or raises an error to refuse the change.");
	return document;
}
