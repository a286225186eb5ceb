/*
 * hook.c
 *	  Have the function that a table calls before each update say what is
 *	  written, and judge that.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"

#include "core/errors.h"
#include "functions/functions.h"

/* What is wrong is the function's doing, not the client's. */
static void
refuse_document(const Road *road, const Problem *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION),
			 errmsg("function %s gave a document that is refused: %s",
					road->table->before_update->name, problem->message),
			 errdetail_path(problem->path, problem->scim_type),
			 problem->hint != NULL ? errhint("%s", problem->hint) : 0));
}

/*
 * Does the row that was read still stand?  Raises an error when the function
 * has written it itself: what was planned would take that back.
 */
static bool
still_stands(const Road *road, const UserRow *read)
{
	UserRow		row;

	if (!user_read(road->table, road->id, READ_FRESH, &row))
		return false;
	if (TransactionIdEquals(row.xmin, read->xmin) && row.version == read->version &&
		row.modified == read->modified && VARSIZE(row.document) == VARSIZE(read->document) &&
		memcmp(row.document, read->document, VARSIZE(row.document)) == 0)
		return true;
	if (!TransactionIdIsCurrentTransactionId(row.xmin))
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("function %s of table \"%s\" changes user \"%s\", for whom it is called",
					road->table->before_update->name, road->table->name,
					shown_name(road->id_text, strlen(road->id_text))),
			 errdetail_path(NULL, NULL),
			 errhint("Let it return the document that the user is to have.")));
	return false;				/* keep the compiler quiet */
}

/*
 * Let the table's function, where it has one, say what is written in place of
 * the document that is planned.  before is NULL when the user is created, the
 * document when it is deleted; read is the row that stands, or NULL.  Gives
 * false when another row stands by now.
 */
bool
road_hook(Road *road, const char *operation, JsonbValue *before, JsonbValue **document,
		  const UserRow *read)
{
	JsonbValue *planned = *document;
	Validation	validation = {.collect = true};
	JsonbValue *given;
	Jsonb	   *jsonb;
	bool		wrote;

	if (road->table->before_update == NULL)
		return true;
	jsonb = hook_call(road->table, road->has_id ? binding_id_to_text(road->table, road->id) : NULL,
					  operation, before != NULL ? document_to_jsonb(before) : NULL,
					  planned != NULL ? document_to_jsonb(planned) : NULL, &wrote);
	if (read != NULL && wrote && !still_stands(road, read))
		return false;
	if (planned == NULL)
		return true;
	given = document_from_jsonb(jsonb);
	if (document_equal(given, planned))
		return true;
	*document = adjust_document(&validation, road->schema, road->profile, before, planned, given);
	if (validation.problems != NIL)
		refuse_document(road, linitial(validation.problems));
	return true;
}
