/*
 * select.c
 *	  Make what is shown of a document.
 *
 * Without a selection everything is shown but attributes that are never
 * returned or only on request.  "attributes" takes the place of that default;
 * "excludedAttributes" takes away from it; what is always returned stays in
 * either case.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/scim/path.h"
#include "core/select.h"

static JsonbValue *show_members(const AttributeSet *set, const Selection *selection,
								JsonbValue *object, bool wanted, bool is_top);

/*
 * Add a path that the request names.  What the schema does not know is taken
 * for the name of a member beside it; if there is none, it selects nothing.
 */
void
path_set_add(PathSet *set, const Schema *schema, const char *path)
{
	Attribute  *attribute = path_resolve(schema, path);

	set->given = true;
	if (attribute != NULL)
		set->attributes = lappend(set->attributes, attribute);
	else
		set->names = lappend(set->names, pstrdup(path));
}

static bool
has_name(const PathSet *set, const char *name, int len)
{
	ListCell   *lc;

	foreach(lc, set->names)
	{
		char	   *path = lfirst(lc);

		if (pg_strncasecmp(path, name, len) == 0 &&
			(path[len] == '\0' || path[len] == '.'))
			return true;
	}
	return false;
}

/*
 * Is a common attribute (id, meta, schemas) shown?
 */
bool
selection_shows_common(const Selection *selection, const char *name, bool always)
{
	if (always || selection == NULL)
		return true;
	if (selection->wanted.given)
		return has_name(&selection->wanted, name, strlen(name));
	return !has_name(&selection->excluded, name, strlen(name));
}

/* Is the attribute, or one below it, among the listed ones? */
static bool
lists(const PathSet *set, const Attribute *attribute, bool or_below)
{
	ListCell   *lc;

	foreach(lc, set->attributes)
	{
		if (lfirst(lc) == attribute)
			return true;
	}
	if (!or_below)
		return false;
	for (int i = 0; i < attribute->subs.count; i++)
	{
		if (lists(set, &attribute->subs.attributes[i], true))
			return true;
	}
	return false;
}

static JsonbValue *
show_value(const Attribute *attribute, const Selection *selection, JsonbValue *value,
		   bool wanted)
{
	JsonbValue *shown;

	check_stack_depth();
	if (attribute->type != TYPE_COMPLEX)
		return value;
	if (value->type == jbvObject)
	{
		shown = show_members(&attribute->subs, selection, value, wanted, false);
		return shown->val.object.nPairs > 0 ? shown : NULL;
	}
	if (value->type != jbvArray)
		return value;
	shown = document_new_array();
	for (int i = 0; i < value->val.array.nElems; i++)
	{
		JsonbValue *item = show_value(attribute, selection, &value->val.array.elems[i], wanted);

		if (item != NULL)
			document_push(shown, item);
	}
	return shown->val.array.nElems > 0 ? shown : NULL;
}

static JsonbValue *
show_attribute(const Attribute *attribute, const Selection *selection, JsonbValue *value,
			   bool wanted)
{
	bool		listed = selection != NULL && lists(&selection->wanted, attribute, false);

	switch (attribute->returned)
	{
		case RETURNED_NEVER:
			return NULL;
		case RETURNED_ALWAYS:
			return show_value(attribute, selection, value, true);
		case RETURNED_REQUEST:
			wanted = listed;
			break;
		case RETURNED_DEFAULT:
			wanted = wanted || listed;
			break;
	}
	if (selection != NULL && lists(&selection->excluded, attribute, false))
		return NULL;
	if (!wanted && !(attribute->type == TYPE_COMPLEX && selection != NULL &&
					 lists(&selection->wanted, attribute, true)))
		return NULL;
	return show_value(attribute, selection, value, wanted);
}

static bool
is_common_name(const JsonbValue *name)
{
	return document_is_string(unconstify(JsonbValue *, name), "id") ||
		document_is_string(unconstify(JsonbValue *, name), "meta") ||
		document_is_string(unconstify(JsonbValue *, name), "schemas");
}

static JsonbValue *
show_members(const AttributeSet *set, const Selection *selection, JsonbValue *object,
			 bool wanted, bool is_top)
{
	JsonbValue *shown = document_new_object();

	document_foreach(pair, object)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		Attribute  *attribute = attribute_find(set, name, len);
		JsonbValue *value = &pair->value;

		if (is_top && is_common_name(&pair->key))
			continue;			/* the API's, whatever a document says */
		if (attribute != NULL)
			value = show_attribute(attribute, selection, value, wanted);
		else if (selection != NULL &&
				 (has_name(&selection->excluded, name, len) ||
				  !(wanted || has_name(&selection->wanted, name, len))))
			value = NULL;
		if (value != NULL)
			document_append(shown, name, len, value);
	}
	return shown;
}

/*
 * The attributes of a stored document that an answer shows, as a new object.
 * selection may be NULL.
 */
JsonbValue *
select_attributes(const Schema *schema, const Selection *selection, JsonbValue *document)
{
	return show_members(&schema->attributes, selection, document,
						selection == NULL || !selection->wanted.given, true);
}
