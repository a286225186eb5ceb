/*
 * changes.c
 *	  Name the attributes in which two documents differ.
 *
 * The names are RFC 7644 paths: a complex attribute by its sub-attributes, a
 * multi-valued one whole or, where its schema names a key, by the items that
 * differ: user_custom_fields[field_id eq "x"].
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "core/scim/path.h"
#include "core/update/update.h"

static void compare_members(const AttributeSet *set, const Attribute *parent,
							JsonbValue *before, JsonbValue *after, List **changes);

static void
changed(List **changes, char *path, JsonbValue *before, JsonbValue *after)
{
	Change	   *change = palloc(sizeof(Change));

	change->path = path;
	change->before = before;
	change->after = after;
	*changes = lappend(*changes, change);
}

/* A name that stands in a path without being taken for something else. */
static bool
is_plain_name(const JsonbValue *name)
{
	for (int i = 0; i < name->val.string.len; i++)
	{
		char		c = name->val.string.val[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || strchr("_-$", c)))
			return false;
	}
	return name->val.string.len > 0;
}

static bool
has_plain_names(JsonbValue *object)
{
	if (object == NULL)
		return true;
	if (object->type != jbvObject)
		return false;
	document_foreach(pair, object)
	{
		if (!is_plain_name(&pair->key))
			return false;
	}
	return true;
}

/* Values that no schema describes: objects by their members, if they have any. */
static void
compare_any(char *path, JsonbValue *before, JsonbValue *after, List **changes)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (document_equal(before, after))
		return;
	if (!has_plain_names(before) || !has_plain_names(after) ||
		(before != NULL && is_empty_object(before)) ||
		(after != NULL && is_empty_object(after)))
	{
		changed(changes, path, before, after);
		return;
	}
	if (before != NULL)
	{
		document_foreach(pair, before)
			compare_any(psprintf("%s.%.*s", path, pair->key.val.string.len,
								 pair->key.val.string.val),
						&pair->value,
						document_find(after, pair->key.val.string.val,
									  pair->key.val.string.len),
						changes);
	}
	if (after != NULL)
	{
		document_foreach(pair, after)
		{
			if (document_find(before, pair->key.val.string.val,
							  pair->key.val.string.len) == NULL)
				compare_any(psprintf("%s.%.*s", path, pair->key.val.string.len,
									 pair->key.val.string.val),
							NULL, &pair->value, changes);
		}
	}
}

/* list[name eq "key"] */
static char *
item_path(const char *list, const char *name, JsonbValue *key)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "%s[%s eq ", list, name);
	if (key->type == jbvString)
		escape_json(&path, document_cstring(key));
	else if (key->type == jbvNumeric)
		appendStringInfoString(&path, numeric_normalize(key->val.numeric));
	else
		appendStringInfoString(&path, key->type == jbvBool && key->val.boolean ? "true" : "false");
	appendStringInfoChar(&path, ']');
	return path.data;
}

static JsonbValue *
item_with_key(const Attribute *attribute, JsonbValue *array, JsonbValue *key)
{
	if (array == NULL)
		return NULL;
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		JsonbValue *item = &array->val.array.elems[i];
		JsonbValue *other = document_find(item, attribute->key->name,
										  attribute->key->name_len);

		if (other != NULL && attribute_same_value(attribute->key, key, other))
			return item;
	}
	return NULL;
}

/* Items by their keys can be told only where each has one. */
static bool
has_keys(const Attribute *attribute, JsonbValue *array)
{
	if (array == NULL)
		return true;
	if (array->type != jbvArray)
		return false;
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		if (document_find(&array->val.array.elems[i], attribute->key->name,
						  attribute->key->name_len) == NULL)
			return false;
	}
	return true;
}

static void
compare_keyed(const Attribute *attribute, JsonbValue *before, JsonbValue *after,
			  List **changes)
{
	int			known = list_length(*changes);

	if (has_keys(attribute, before) && has_keys(attribute, after))
	{
		for (int i = 0; before != NULL && i < before->val.array.nElems; i++)
		{
			JsonbValue *item = &before->val.array.elems[i];
			JsonbValue *key = document_find(item, attribute->key->name,
											attribute->key->name_len);
			JsonbValue *other;

			CHECK_FOR_INTERRUPTS();
			other = item_with_key(attribute, after, key);
			if (!document_equal(item, other))
				changed(changes, item_path(attribute->path, attribute->key->name, key), item, other);
		}
		for (int i = 0; after != NULL && i < after->val.array.nElems; i++)
		{
			JsonbValue *item = &after->val.array.elems[i];
			JsonbValue *key = document_find(item, attribute->key->name,
											attribute->key->name_len);

			CHECK_FOR_INTERRUPTS();
			if (item_with_key(attribute, before, key) == NULL)
				changed(changes, item_path(attribute->path, attribute->key->name, key), NULL, item);
		}
	}
	/* no keys to go by, or nothing but the order differs */
	if (list_length(*changes) == known)
		changed(changes, pstrdup(attribute->path), before, after);
}

static bool
is_object_or_none(JsonbValue *value)
{
	return value == NULL || value->type == jbvObject;
}

static void
compare_attribute(const Attribute *attribute, JsonbValue *before, JsonbValue *after,
				  List **changes)
{
	int			known = list_length(*changes);

	if (document_equal(before, after))
		return;
	if (attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
		is_object_or_none(before) && is_object_or_none(after))
	{
		compare_members(&attribute->subs, attribute, before, after, changes);
		/* an empty object came or went */
		if (list_length(*changes) == known)
			changed(changes, pstrdup(attribute->path), before, after);
	}
	else if (attribute->key != NULL)
		compare_keyed(attribute, before, after, changes);
	else if (attribute->type == TYPE_ANY && !attribute->multi_valued)
		compare_any(pstrdup(attribute->path), before, after, changes);
	else
		changed(changes, pstrdup(attribute->path), before, after);
}

static void
compare_member(const AttributeSet *set, const Attribute *parent, JsonbValue *name,
			   JsonbValue *before, JsonbValue *after, List **changes)
{
	Attribute  *attribute = attribute_find(set, name->val.string.val, name->val.string.len);

	/* the API's own, no attributes (RFC 7643 section 3.1) */
	if (parent == NULL &&
		(document_is_string(name, "id") || document_is_string(name, "meta") ||
		 document_is_string(name, "schemas")))
		return;
	if (attribute != NULL && attribute->name_len == name->val.string.len &&
		memcmp(attribute->name, name->val.string.val, attribute->name_len) == 0)
		compare_attribute(attribute, before, after, changes);
	else
		compare_any(attribute_child_path(parent, name->val.string.val, name->val.string.len),
					before, after, changes);
}

static void
compare_members(const AttributeSet *set, const Attribute *parent, JsonbValue *before,
				JsonbValue *after, List **changes)
{
	check_stack_depth();
	if (before != NULL)
	{
		document_foreach(pair, before)
			compare_member(set, parent, &pair->key, &pair->value,
						   document_find(after, pair->key.val.string.val,
										 pair->key.val.string.len),
						   changes);
	}
	if (after != NULL)
	{
		document_foreach(pair, after)
		{
			if (document_find(before, pair->key.val.string.val,
							  pair->key.val.string.len) == NULL)
				compare_member(set, parent, &pair->key, NULL, &pair->value, changes);
		}
	}
}

static int
compare_changes(const ListCell *a, const ListCell *b)
{
	return strcmp(((Change *) lfirst(a))->path, ((Change *) lfirst(b))->path);
}

/*
 * What differs between two documents (Change *), sorted by path.  NULL stands
 * for no user: then all that the other one has differs.
 */
List *
changes_with_values(const Schema *schema, JsonbValue *before, JsonbValue *after)
{
	List	   *changes = NIL;

	compare_members(&schema->attributes, NULL, before, after, &changes);
	list_sort(changes, compare_changes);
	return changes;
}

/*
 * The same, the paths (char *) alone.
 */
List *
changes_between(const Schema *schema, JsonbValue *before, JsonbValue *after)
{
	List	   *changes = changes_with_values(schema, before, after);
	ListCell   *lc;

	foreach(lc, changes)
		lfirst(lc) = ((Change *) lfirst(lc))->path;
	return changes;
}

/* The item of a list that a path ends with in brackets: see item_path(). */
static JsonbValue *
item_at(const Schema *schema, JsonbValue *document, const char *path)
{
	const char *bracket = strchr(path, '[');
	const char *name_end = bracket != NULL ? strstr(bracket, " eq ") : NULL;
	JsonbValue *array;
	char	   *list;
	char	   *name;

	if (name_end == NULL)
		return NULL;
	list = pnstrdup(path, bracket - path);
	name = pnstrdup(bracket + 1, name_end - bracket - 1);
	array = changed_value(schema, document, list);
	for (int i = 0; array != NULL && array->type == jbvArray && i < array->val.array.nElems; i++)
	{
		JsonbValue *item = &array->val.array.elems[i];
		JsonbValue *key = document_member(item, name);

		CHECK_FOR_INTERRUPTS();
		if (key != NULL && IsAJsonbScalar(key) && strcmp(item_path(list, name, key), path) == 0)
			return item;
	}
	return NULL;
}

/*
 * The value in a document at a path that changes_between gave once, maybe under
 * another schema; NULL when there is none.
 */
JsonbValue *
changed_value(const Schema *schema, JsonbValue *document, const char *path)
{
	Attribute  *attribute = path_resolve(schema, path);
	JsonbValue *value;

	check_stack_depth();
	if (document == NULL)
		return NULL;
	if (attribute != NULL)
		return attribute_value(attribute_way(schema, attribute), document);
	if (path[0] != '\0' && path[strlen(path) - 1] == ']' &&
		(value = item_at(schema, document, path)) != NULL)
		return value;
	path = path_after_schema(schema, path, &attribute);
	if (attribute != NULL)
		document = document_find(document, attribute->name, attribute->name_len);
	/* what no schema describes may have dots in its name */
	while ((value = document_find(document, path, strlen(path))) == NULL && document != NULL)
	{
		int			len = strcspn(path, ".");

		if (path[len] == '\0')
			return NULL;
		document = document_find(document, path, len);
		path += len + 1;
	}
	return value;
}
