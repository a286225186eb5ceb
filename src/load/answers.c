/*
 * answers.c
 *	  What the server says of the records of a request: see users_load().
 */
#include "postgres_fe.h"

#include <json-c/json.h>

#include "load.h"

static int64
member_count(json_object *object, const char *name)
{
	json_object *member;

	return json_object_object_get_ex(object, name, &member) ? json_object_get_int64(member) : 0;
}

/*
 * Note down what became of the records of the batch's next range.  Gives false
 * for an answer that is none.
 */
bool
answer_read(const char *text, Batch *batch, Answer *answer)
{
	Range		range = batch->ranges[batch->range_count - 1];
	json_object *root = json_tokener_parse(text);
	json_object *failed;
	json_object *replayed;
	int64		applied;

	if (!json_object_is_type(root, json_type_object) ||
		!json_object_object_get_ex(root, "failed", &failed) ||
		!json_object_is_type(failed, json_type_array))
	{
		json_object_put(root);
		return false;
	}
	answer->created = member_count(root, "created");
	answer->changed = member_count(root, "changed");
	answer->unchanged = member_count(root, "unchanged");
	applied = answer->created + answer->changed + answer->unchanged;
	answer->replayed = json_object_object_get_ex(root, "replayed", &replayed) ? applied : 0;
	for (int i = 0; i < json_object_array_length(failed); i++)
	{
		json_object *item = json_object_array_get_idx(failed, i);
		json_object *error;
		int64		index = range.from + member_count(item, "index");

		if (index < range.to && json_object_object_get_ex(item, "error", &error))
			batch_reject(batch, batch->sent[index], json_object_get_string(error));
	}
	applied += json_object_array_length(failed);
	json_object_put(root);
	return applied == range.to - range.from;
}

/* Which of the records it is about, in a request that is atomic; or -1. */
int
error_index(const PGresult *result)
{
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	json_object *root = detail != NULL ? json_tokener_parse(detail) : NULL;
	json_object *member;
	int			index = -1;

	if (json_object_is_type(root, json_type_object) &&
		json_object_object_get_ex(root, "index", &member))
		index = json_object_get_int(member);
	json_object_put(root);
	return index;
}

/*
 * By SQLSTATE, or the beginning of it; see the appendix "PostgreSQL Error Codes"
 * of its manual.  PT and three digits are errors of userstore's, with a status
 * of HTTP.
 */
static const struct
{
	const char *sqlstate;
	Verdict		verdict;
}			verdicts[] = {
	{"PT409", VERDICT_AGAIN},	/* the same key is being worked at */
	{"PT422", VERDICT_FATAL},	/* or was used for something else */
	{"PT4", VERDICT_DATA},
	{"08", VERDICT_AGAIN},		/* connection */
	{"21", VERDICT_DATA},
	{"22", VERDICT_DATA},
	{"23", VERDICT_DATA},
	{"40", VERDICT_AGAIN},		/* serialization, deadlock */
	{"44", VERDICT_DATA},
	{"53", VERDICT_AGAIN},		/* resources */
	{"54", VERDICT_DATA},		/* limits */
	{"55P03", VERDICT_AGAIN},	/* lock not available */
	{"57", VERDICT_AGAIN},		/* shutdown, cancel */
	{"P0", VERDICT_DATA}		/* raised by a trigger */
};

Verdict
error_verdict(const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	for (int i = 0; sqlstate != NULL && i < lengthof(verdicts); i++)
	{
		if (strncmp(sqlstate, verdicts[i].sqlstate, strlen(verdicts[i].sqlstate)) == 0)
			return verdicts[i].verdict;
	}
	return sqlstate != NULL ? VERDICT_FATAL : VERDICT_AGAIN;
}
