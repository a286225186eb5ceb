/*
 * api.c
 *	  Find a body shape; what the shapes have in common.
 */
#include "postgres.h"

#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "api/api.h"
#include "core/errors.h"
#include "core/http.h"

static const BodyShape *const shapes[] = {
	&scim_shape,
	&object_shape,
	&fields_shape,
};

/* Of the shapes that are not SCIM's: a list of users, many at once, one. */
const Route user_routes[] = {
	{"GET", "users", ACTION_LIST},
	{"POST", "users", ACTION_CREATE},
	{"PUT", "users", ACTION_BULK_PUT},
	{"PATCH", "users", ACTION_BULK_PATCH},
	{"GET", "users/*", ACTION_GET},
	{"PUT", "users/*", ACTION_PUT},
	{"PATCH", "users/*", ACTION_PATCH},
	{"DELETE", "users/*", ACTION_DELETE},
	{"PUT", "users/*/status", ACTION_STATUS},
	{NULL}
};

/* The shape that a profile names. */
const BodyShape *
body_shape(const char *name)
{
	for (int i = 0; i < lengthof(shapes); i++)
	{
		if (strcmp(shapes[i]->name, name) == 0)
			return shapes[i];
	}
	elog(ERROR, "unknown body shape \"%s\"", name); /* can't happen */
	return NULL;				/* keep the compiler quiet */
}

/*
 * What of a user the answer to an update shows: all, or what the profile
 * answers with.
 */
void
select_answer(const Schema *schema, const Profile *profile, Selection *selection)
{
	ListCell   *lc;

	if (profile->answers_full)
		return;
	selection->wanted.given = true;
	foreach(lc, profile->answer)
		path_set_add(&selection->wanted, schema, lfirst(lc));
}

/*
 * The answer to an update.
 */
JsonbValue *
show_update(const BodyShape *shape, const Schema *schema, const Profile *profile,
			const UserState *user)
{
	Selection	selection = {0};

	select_answer(schema, profile, &selection);
	return shape->show_user(schema, profile, user, profile->answers_full ? NULL : &selection);
}

/*
 * The attributes of a user that an answer shows.  A profile that does not take
 * attributes beside its schemas does not show them either, so that what it
 * shows can be sent back.
 */
JsonbValue *
show_attributes(const Schema *schema, const Profile *profile, const Selection *selection,
				JsonbValue *document)
{
	Selection	shown = {0};

	if (selection != NULL)
		shown = *selection;
	shown.hides_unknown = profile->unknown != UNKNOWN_KEEP;
	return select_attributes(schema, &shown, document);
}

void
require_object(JsonbValue *body)
{
	if (body->type != jbvObject)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("the body must be a JSON object"),
				 errdetail_path(NULL, SCIM_INVALID_SYNTAX),
				 errhint("Send the user's attributes as {\"name\": value, ...}.")));
}

/* UTC with three digits, as in RFC 7643's examples. */
char *
show_timestamp(TimestampTz timestamp)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(timestamp) ||
		timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year, tm.tm_mon,
					tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int) (fsec / 1000));
}

/* An id in the body: a string or, as some keys are, a number. */
char *
read_body_id(JsonbValue *value)
{
	if (value->type == jbvString)
		return document_cstring(value);
	if (value->type == jbvNumeric)
		return numeric_normalize(value->val.numeric);
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("attribute \"id\" must be a string or a number"),
			 errdetail_path("id", SCIM_INVALID_VALUE),
			 errhint("Send the id as answers show it.")));
	return NULL;				/* keep the compiler quiet */
}

/*
 * Where a user, or a collection (without an id), is found: below the profile's
 * base_url, which it has to have.
 */
char *
user_url(const Profile *profile, const char *collection, const char *id)
{
	int			len = strlen(profile->base_url);

	while (len > 0 && profile->base_url[len - 1] == '/')
		len--;
	if (id == NULL)
		return psprintf("%.*s/%s", len, profile->base_url, collection);
	return psprintf("%.*s/%s/%s", len, profile->base_url, collection, http_url_encode(id));
}

/*
 * A message of another kind (RFC 7644 section 8.2) must not be taken for a
 * user: its members would be ignored or stored.
 */
void
refuse_message(JsonbValue *schemas)
{
	static const char prefix[] = "urn:ietf:params:scim:api:messages:";

	for (int i = 0; schemas->type == jbvArray && i < schemas->val.array.nElems; i++)
	{
		JsonbValue *uri = &schemas->val.array.elems[i];

		if (uri->type == jbvString && uri->val.string.len > sizeof(prefix) - 1 &&
			pg_strncasecmp(uri->val.string.val, prefix, sizeof(prefix) - 1) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("the body is a message \"%s\", not a user",
							shown_name(uri->val.string.val, uri->val.string.len)),
					 errdetail_path("schemas", SCIM_INVALID_SYNTAX),
					 errhint("Send the attributes to change as a plain object.")));
	}
}

/* What is wrong, and what would be right. */
char *
failure_text(const Failure *failure)
{
	return failure->hint == NULL ? pstrdup(failure->message) :
		psprintf("%s. %s", failure->message, failure->hint);
}

/* The reason phrase of an HTTP status (RFC 9110 section 15). */
const char *
status_phrase(int status)
{
	static const struct
	{
		int			status;
		const char *phrase;
	}			phrases[] = {
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{422, "Unprocessable Content"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
	};

	for (int i = 0; i < lengthof(phrases); i++)
	{
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return status < 500 ? "Bad Request" : "Internal Server Error";
}
