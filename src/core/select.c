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

static JsonbValue *show_members(const AttributeSet *set, const Attribute *parent,
								const Selection *selection, JsonbValue *object,
								bool wanted);

/*
 * Add a path that the request names.  What the schema does not know is taken
 * for the name of a member beside it; if there is none, it selects nothing.
 */
void
path_set_add(PathSet *set, const Schema *schema, const char *path)
{
	Attribute  *attribute = path_resolve(schema, path);

	set->given = true;
	set->names_are_exact = schema->ids == NIL;
	if (attribute != NULL)
		set->attributes = lappend(set->attributes, attribute);
	else
		set->names = lappend(set->names, pstrdup(path));
}

/* Does a path that was asked for begin with this one, and how does it go on? */
static bool
has_name(const PathSet *set, const char *path, char next)
{
	int			len = strlen(path);
	ListCell   *lc;

	foreach(lc, set->names)
	{
		char	   *name = lfirst(lc);

		if ((set->names_are_exact ? strncmp(name, path, len) : pg_strncasecmp(name, path, len)) == 0 &&
			name[len] == next)
			return true;
	}
	return false;
}

/*
 * What is shown of a value that no schema describes, or NULL.
 */
static JsonbValue *
show_untyped(const Selection *selection, const char *path, JsonbValue *value, bool wanted)
{
	JsonbValue *shown;

	check_stack_depth();
	if (selection == NULL)
		return value;
	if (has_name(&selection->excluded, path, '\0'))
		return NULL;
	wanted = wanted || has_name(&selection->wanted, path, '\0');
	if (value->type != jbvObject ||
		!(has_name(&selection->excluded, path, '.') || has_name(&selection->wanted, path, '.')))
		return wanted ? value : NULL;
	shown = document_new_object();
	document_foreach(pair, value)
	{
		JsonbValue *member = show_untyped(selection,
										  psprintf("%s.%.*s", path, pair->key.val.string.len,
												   pair->key.val.string.val),
										  &pair->value, wanted);

		if (member != NULL)
			document_append(shown, pair->key.val.string.val, pair->key.val.string.len, member);
	}
	return wanted || shown->val.object.nPairs > 0 ? shown : NULL;
}

/*
 * What is shown of a common attribute (RFC 7643 section 3.1) that may be left
 * out, or NULL.
 */
JsonbValue *
select_common(const Selection *selection, const char *name, JsonbValue *value)
{
	return show_untyped(selection, name, value, selection == NULL || !selection->wanted.given);
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
		shown = show_members(&attribute->subs, attribute, selection, value, wanted);
		/* an item that is empty as it is stored has nothing that was left out */
		return shown->val.object.nPairs > 0 || (wanted && value->val.object.nPairs == 0) ?
			shown : NULL;
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
	if (selection != NULL && attribute->is_extension)
		/* no attribute itself: what it always returns is never left out */
		return show_value(attribute, selection, value,
						  wanted && !lists(&selection->excluded, attribute, false));
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
show_members(const AttributeSet *set, const Attribute *parent, const Selection *selection,
			 JsonbValue *object, bool wanted)
{
	JsonbValue *shown = document_new_object();

	document_foreach(pair, object)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		Attribute  *attribute = attribute_find(set, name, len);
		JsonbValue *value = &pair->value;

		if (parent == NULL && is_common_name(&pair->key))
			continue;			/* the API's, whatever a document says */
		if (attribute != NULL)
			value = show_attribute(attribute, selection, value, wanted);
		else if (selection != NULL && selection->hides_unknown)
			value = NULL;
		else if (selection != NULL)
			value = show_untyped(selection, attribute_child_path(parent, name, len),
								 value, wanted);
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
	return show_members(&schema->attributes, NULL, selection, document,
						selection == NULL || !selection->wanted.given);
}
