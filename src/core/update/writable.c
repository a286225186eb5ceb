/*
 * writable.c
 *	  What an API profile may change: all, or the paths that it lists.
 *
 * This guards against mistakes.  It is no privilege: the caller chooses the
 * profile.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/update/update.h"

void
refuse_change(Update *update, const char *path, const char *hint)
{
	validation_problem(&update->validation, path, SCIM_MUTABILITY, hint,
					   "attribute \"%s\" cannot be changed", path);
}

/* An attribute outside the profile's writable paths may only stay as it is. */
void
refuse_not_writable(Update *update, const char *path, JsonbValue *sent, JsonbValue *stored)
{
	if (sent == NULL || (sent->type == jbvNull && stored == NULL) ||
		document_equal(sent, stored))
		return;
	refuse_change(update, path,
				  psprintf("API profile \"%s\" does not write it.", update->profile->name));
}

/* The path of a member that no schema knows, as an error may show it. */
char *
unknown_path(const Attribute *parent, const char *name, int len)
{
	char	   *path = attribute_child_path(parent, name, len);

	return shown_name(path, strlen(path));
}

/*
 * May the profile change a member that no schema knows?  If it may change what
 * the member belongs to, or lists the member itself, in this very case.
 */
bool
writes_unknown(Update *update, const Attribute *parent, const char *name, int len)
{
	char	   *path;
	ListCell   *lc;

	if (update->profile->writes_all ||
		(parent != NULL && parent->writable == WRITABLE))
		return true;
	path = attribute_child_path(parent, name, len);
	foreach(lc, update->profile->writable)
	{
		if (strcmp(lfirst(lc), path) == 0)
			return true;
	}
	return false;
}

/*
 * The part of a value that the profile cannot change, or NULL.  readOnly
 * members are not the profile's business.
 */
static JsonbValue *
fixed_part(Update *update, const Attribute *attribute, JsonbValue *value)
{
	JsonbValue *part;

	check_stack_depth();
	if (value == NULL || attribute->writable == WRITABLE ||
		attribute->mutability == MUTABILITY_READ_ONLY)
		return NULL;
	if (attribute->writable == WRITABLE_NOT)
		return value;
	if (value->type == jbvArray)
	{
		part = document_new_array();
		for (int i = 0; i < value->val.array.nElems; i++)
		{
			JsonbValue *item = fixed_part(update, attribute, &value->val.array.elems[i]);

			if (item != NULL)
				document_push(part, item);
		}
		return part->val.array.nElems > 0 ? part : NULL;
	}
	if (value->type != jbvObject)
		return NULL;
	part = document_new_object();
	document_foreach(pair, value)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		Attribute  *member = attribute_find(&attribute->subs, name, len);
		JsonbValue *fixed = &pair->value;

		if (member != NULL)
			fixed = fixed_part(update, member, fixed);
		else if (writes_unknown(update, attribute, name, len))
			fixed = NULL;
		if (fixed != NULL)
			document_append(part, name, len, fixed);
	}
	return part->val.object.nPairs > 0 ? part : NULL;
}

/*
 * Of an attribute that is writable in part, the rest must stay: also when the
 * whole is cleared, or items of it are left out.
 */
void
require_fixed_part(Update *update, const Attribute *attribute, JsonbValue *before,
				   JsonbValue *after)
{
	if (attribute->writable != WRITABLE_PARTLY || before == NULL ||
		document_equal(fixed_part(update, attribute, before),
					   fixed_part(update, attribute, after)))
		return;
	refuse_change(update, attribute->path,
				  psprintf("API profile \"%s\" does not write all of it.",
						   update->profile->name));
}
