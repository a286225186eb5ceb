/*
 * activity.c
 *	  Whether a user is active, and how one is made so or not.
 *
 * It is the attribute "active" that says so (RFC 7643 section 4.1.1), unless the
 * API profile has the statuses "enable" and "disable": then a user is inactive
 * who has all the values of the latter.
 */
#include "postgres.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "functions/functions.h"

/* The values by which a user becomes active, or inactive, where the profile has some. */
static JsonbValue *
status_values(const Profile *profile, bool active)
{
	JsonbValue *values = NULL;

	if (profile->statuses != NULL && document_member(profile->statuses, "enable") != NULL)
		values = document_member(profile->statuses, active ? "enable" : "disable");
	return values != NULL && values->type == jbvObject ? values : NULL;
}

/* The name in documents of an attribute that a status names, as bodies would. */
static void
attribute_name(const Schema *schema, const Profile *profile, const JsonbPair *pair,
			   const char **name, int *len)
{
	JsonbValue *path = profile->names == NULL ? NULL :
	document_find(profile->names, pair->key.val.string.val, pair->key.val.string.len);
	char	   *text = document_cstring(path != NULL && path->type == jbvString ? path :
										unconstify(JsonbValue *, &pair->key));
	Attribute  *attribute = attribute_member(&schema->attributes, text);

	*name = attribute != NULL ? attribute->name : text;

	*len = attribute != NULL ? attribute->name_len : strlen(text);
}

/* What makes a user active or not, by the names in documents. */
static JsonbValue *
activity(const Schema *schema, const Profile *profile, bool active)
{
	JsonbValue *values = status_values(profile, active);
	JsonbValue *object = document_new_object();

	if (values == NULL)
	{
		document_add(object, "active", document_boolean(active));
		return object;
	}
	document_foreach(pair, values)
	{
		const char *name;
		int			len;

		attribute_name(schema, profile, pair, &name, &len);
		document_set(object, name, len, &pair->value);
	}
	return object;
}

/*
 * Does the document say that the user is inactive?  Who is not there is not.
 */
bool
is_inactive(const Schema *schema, const Profile *profile, JsonbValue *document)
{
	JsonbValue *wanted;

	if (document == NULL)
		return false;
	wanted = activity(schema, profile, false);
	document_foreach(pair, wanted)
	{
		JsonbValue *value = document_find(document, pair->key.val.string.val,
										  pair->key.val.string.len);

		if (value == NULL || !document_equal(value, &pair->value))
			return false;
	}
	return wanted->val.object.nPairs > 0;
}

/* Do attributes that were sent say whether the user is active? */
static bool
says_activity(const Schema *schema, const Profile *profile, JsonbValue *sent)
{
	JsonbValue *values = activity(schema, profile, true);

	document_foreach(pair, values)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;

		document_foreach(member, sent)
		{
			const char *sent_name = member->key.val.string.val;

			/* names are exact where no schema says otherwise */
			if (member->key.val.string.len == len &&
				(schema->ids == NIL ? memcmp(sent_name, name, len) == 0 :
				 pg_strncasecmp(sent_name, name, len) == 0))
				return true;
		}
	}
	return false;
}

/*
 * What is sent to deactivate a user; an error when users of the table cannot
 * be.
 */
JsonbValue *
deactivation(const Binding *table, const BoundApi *api)
{
	const Schema *schema = api->schema;
	Attribute  *active = attribute_member(&schema->attributes, "active");

	if (status_values(api->profile, false) == NULL &&
		(schema->ids != NIL || api->profile->unknown != UNKNOWN_KEEP) &&
		(active == NULL || active->type != TYPE_BOOLEAN))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("users of \"%s\" cannot be deactivated", table->name),
				 errhint("It takes a boolean attribute \"active\", or statuses \"enable\" and \"disable\" of API profile \"%s\".",
						 api->profile->name)));
	return activity(schema, api->profile, false);
}

/*
 * What was sent, if that does not say whether the user is active: completed, in
 * a copy, so that it leaves an active user active and makes others so.
 */
JsonbValue *
with_activity(const Schema *schema, const Profile *profile, JsonbValue *sent, JsonbValue *before)
{
	bool		reactivates = is_inactive(schema, profile, before);
	JsonbValue *values = activity(schema, profile, true);
	JsonbValue *completed = document_copy_top(sent);

	if (before == NULL || says_activity(schema, profile, sent))
		return sent;
	document_foreach(pair, values)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		JsonbValue *value = reactivates ? &pair->value : document_find(before, name, len);

		if (value != NULL)
			document_set(completed, name, len, value);
	}
	return completed;
}
