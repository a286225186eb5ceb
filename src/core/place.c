/*
 * place.c
 *	  Find and set the one value that stands at a place in a document.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/place.h"
#include "core/scim/path.h"

static void
refuse_place(const char *path, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("\"%s\" is not the path of a single value", shown_name(path, strlen(path))),
			 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
			 errhint("%s", hint)));
}

/* The names in a path of a table without schemas, where dots go down. */
static List *
plain_names(char *path)
{
	List	   *names = NIL;

	for (;;)
	{
		int			len = strcspn(path, ".");

		if (len == 0)
			refuse_place(path, "Write the names of members with a dot between them.");
		names = lappend(names, pnstrdup(path, len));
		if (path[len] == '\0')
			return names;
		path += len + 1;
	}
}

/* Where the schema has the attribute; of those above it, none has many values. */
static void
resolve(Place *place, const Schema *schema, const PatchPath *parsed, const char *path)
{
	List	   *way;
	ListCell   *lc;

	place->attribute = path_resolve(schema, parsed->attribute);
	if (place->attribute == NULL)
		refuse_place(path, "The table's attribute schemas have no such attribute.");
	way = attribute_way(schema, place->attribute);
	foreach(lc, way)
	{
		Attribute  *step = lfirst(lc);

		if (step->multi_valued && lnext(way, lc) != NULL)
			refuse_place(path, "Say by a filter which of the values is meant, as in emails[primary eq true].value.");
		place->names = lappend(place->names, unconstify(char *, step->name));
	}
	if (place->filter == NULL)
		return;
	if (!place->attribute->multi_valued)
		refuse_place(path, "A filter is for attributes that have several values.");
	filter_bind(place->filter, schema, NULL, place->attribute);
	place->attribute = attribute_find(&place->attribute->subs, place->sub, strlen(place->sub));
	if (place->attribute == NULL || place->attribute->multi_valued)
		refuse_place(path, "Behind the filter stands a sub-attribute that has a single value.");
	place->sub = place->attribute->name;
}

/*
 * The place that a path names, in documents of these schemas.
 */
Place *
place_parse(const Schema *schema, const char *path)
{
	Place	   *place = palloc0(sizeof(Place));
	PatchPath  *parsed = patch_path_parse(path);

	place->path = path;
	place->filter = parsed->filter;
	place->sub = parsed->sub;
	if (place->filter != NULL && place->sub == NULL)
		refuse_place(path, "Behind the filter stands the name of a sub-attribute.");
	if (schema->ids != NIL)
		resolve(place, schema, parsed, path);
	else
	{
		place->names = plain_names(parsed->attribute);
		if (place->filter != NULL)
			filter_bind(place->filter, schema, NULL, NULL);
	}
	if (place->filter != NULL && filter_item(place->filter) == NULL)
		refuse_place(path, "The filter compares sub-attributes by eq, with and between them, so that a value can be made of it.");
	return place;
}

/* The first of the values that the filter selects, or NULL. */
static JsonbValue *
selected(const Place *place, JsonbValue *values)
{
	if (values == NULL || values->type != jbvArray)
		return NULL;
	for (int i = 0; i < values->val.array.nElems; i++)
	{
		JsonbValue *item = &values->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (item->type == jbvObject && filter_matches(place->filter, item))
			return item;
	}
	return NULL;
}

/*
 * The value that stands there, or NULL.
 */
JsonbValue *
place_find(const Place *place, JsonbValue *document)
{
	ListCell   *lc;

	foreach(lc, place->names)
	{
		if (document == NULL || document->type != jbvObject)
			return NULL;
		document = document_member(document, lfirst(lc));
	}
	if (place->filter == NULL)
		return document;
	document = selected(place, document);
	return document != NULL ? document_member(document, place->sub) : NULL;
}

static void
set_member(JsonbValue *object, const char *name, JsonbValue *value)
{
	if (value != NULL)
		document_set(object, name, strlen(name), value);
	else
		document_remove(object, name, strlen(name));
}

/* Has a value nothing but what the filter says of it? */
static bool
says_nothing(const Place *place, JsonbValue *item)
{
	JsonbValue *made = filter_item(place->filter);

	document_foreach(pair, item)
	{
		JsonbValue *said = document_find(made, pair->key.val.string.val, pair->key.val.string.len);

		if (said == NULL || !document_equal(said, &pair->value))
			return false;
	}
	return true;
}

/* The values with that of the place set or removed; NULL when none is left. */
static JsonbValue *
set_selected(const Place *place, JsonbValue *values, JsonbValue *value)
{
	JsonbValue *item = selected(place, values);
	JsonbValue *left;

	if (item == NULL)
	{
		if (value == NULL)
			return values;
		if (values == NULL || values->type != jbvArray)
			values = document_new_array();
		item = filter_item(place->filter);
		set_member(item, place->sub, value);
		document_push(values, item);
		return values;
	}
	set_member(item, place->sub, value);
	/* a type, say, means nothing without the value that it is of */
	if (value != NULL || (!says_nothing(place, item) && strcmp(place->sub, "value") != 0))
		return values;
	left = document_new_array();
	for (int i = 0; i < values->val.array.nElems; i++)
	{
		if (&values->val.array.elems[i] != item)
			document_push(left, &values->val.array.elems[i]);
	}
	return left->val.array.nElems > 0 ? left : NULL;
}

static void
set_below(const Place *place, int depth, JsonbValue *object, JsonbValue *value)
{
	const char *name = list_nth(place->names, depth);
	JsonbValue *member = document_member(object, name);

	check_stack_depth();
	if (depth == list_length(place->names) - 1)
	{
		set_member(object, name, place->filter != NULL ? set_selected(place, member, value) : value);
		return;
	}
	if (member == NULL || member->type != jbvObject)
	{
		if (value == NULL)
			return;
		document_set(object, name, strlen(name), document_new_object());
		member = document_member(object, name);
	}
	set_below(place, depth + 1, member, value);
	if (value == NULL && member->val.object.nPairs == 0)
		document_remove(object, name, strlen(name));
}

/*
 * Put a value there, in a tree that may be changed; NULL takes away the one that
 * stands, and objects and values that are left empty by that.
 */
void
place_set(const Place *place, JsonbValue *document, JsonbValue *value)
{
	set_below(place, 0, document, value);
}

/*
 * Take away the value that stands there, but not the one of several to which it
 * belongs: that keeps its place among them.
 */
void
place_take(const Place *place, JsonbValue *document)
{
	JsonbValue *values = document;
	JsonbValue *item;
	ListCell   *lc;

	if (place->filter == NULL)
	{
		place_set(place, document, NULL);
		return;
	}
	foreach(lc, place->names)
	{
		if (values == NULL || values->type != jbvObject)
			return;
		values = document_member(values, lfirst(lc));
	}
	item = selected(place, values);
	if (item != NULL)
		set_member(item, place->sub, NULL);
}

/* Can no value be selected by both filters? */
static bool
filters_differ(const Filter *a, const Filter *b)
{
	JsonbValue *other = filter_item(b);

	document_foreach(pair, filter_item(a))
	{
		JsonbValue *said = document_find(other, pair->key.val.string.val, pair->key.val.string.len);

		if (said != NULL && !document_equal(said, &pair->value))
			return true;
	}
	return false;
}

/*
 * May one of them be at the other, or a part of it?
 */
bool
places_overlap(const Place *a, const Place *b)
{
	ListCell   *la;
	ListCell   *lb;

	forboth(la, a->names, lb, b->names)
	{
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
			return false;
	}
	if (list_length(a->names) != list_length(b->names) || a->filter == NULL || b->filter == NULL)
		return true;
	return strcmp(a->sub, b->sub) == 0 && !filters_differ(a->filter, b->filter);
}
