/*
 * view_shape.c
 *	  Which views, with which columns, show all that a schema knows of users.
 *
 * Single attributes are columns of the users' view, those of complex ones
 * flattened.  Of a multi-valued attribute that view has the primary value, or
 * else the first; all values are rows of a view of their own.  What is never
 * returned, or in no document, is in neither.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "store/view.h"

static void collect_set(List **shapes, ViewShape *shape, const AttributeSet *set, List *names,
						bool with_lists);

static bool
is_hidden(const Attribute *attribute)
{
	return attribute->returned == RETURNED_NEVER || attribute->transient ||
		attribute->is_computed;
}

static Oid
column_type(AttributeType type)
{
	switch (type)
	{
		case TYPE_BOOLEAN:
			return BOOLOID;
		case TYPE_INTEGER:
			return INT8OID;
		case TYPE_DECIMAL:
			return NUMERICOID;
		case TYPE_DATE_TIME:
			return TIMESTAMPTZOID;
		case TYPE_ANY:
		case TYPE_COMPLEX:
			return JSONBOID;
		default:
			return TEXTOID;
	}
}

static void
add_column(ViewShape *shape, const Attribute *attribute, List *names)
{
	ViewColumn *column = palloc0(sizeof(ViewColumn));

	column->names = names;
	column->path = attribute->path;
	column->description = attribute->description;
	column->type = column_type(attribute->type);
	shape->columns = lappend(shape->columns, column);
}

/* The view with a row for each value of a list. */
static void
add_list(List **shapes, const ViewShape *outer, const Attribute *attribute, List *names)
{
	ViewShape  *shape = palloc0(sizeof(ViewShape));

	shape->lists = lappend(list_copy(outer->lists), names);
	shape->path = attribute->path;
	*shapes = lappend(*shapes, shape);
	if (attribute->type == TYPE_COMPLEX)
		collect_set(shapes, shape, &attribute->subs, NIL, true);
	else
		add_column(shape, attribute, NIL);
}

/* What stands for a multi-valued complex attribute, or NULL: all of it. */
static const Attribute *
main_value(const Attribute *attribute)
{
	const Attribute *value = attribute->multi_valued ? attribute_member(&attribute->subs, "value") : NULL;

	return value != NULL && value->type != TYPE_COMPLEX && !is_hidden(value) ? value : NULL;
}

static void
collect_attribute(List **shapes, ViewShape *shape, const Attribute *attribute, List *before,
				  bool with_lists)
{
	List	   *names = list_copy(before);

	if (attribute->multi_valued && with_lists)
		add_list(shapes, shape, attribute,
				 lappend(list_copy(before), unconstify(char *, attribute->name)));
	names = lappend(names, attribute->multi_valued ? psprintf("%s" LIST_MARK, attribute->name) :
					unconstify(char *, attribute->name));
	if (attribute->type != TYPE_COMPLEX)
		add_column(shape, attribute, names);
	else if (main_value(attribute) != NULL)
		collect_attribute(shapes, shape, main_value(attribute), names, false);
	else
		collect_set(shapes, shape, &attribute->subs, names,
					with_lists && !attribute->multi_valued);
}

static void
collect_set(List **shapes, ViewShape *shape, const AttributeSet *set, List *names, bool with_lists)
{
	check_stack_depth();
	for (int i = 0; i < set->count; i++)
	{
		if (!is_hidden(&set->attributes[i]))
			collect_attribute(shapes, shape, &set->attributes[i], names, with_lists);
	}
}

/*
 * The views (ViewShape *) of a table with a schema, that of the users first.
 */
List *
view_shapes(const Schema *schema)
{
	ViewShape  *users = palloc0(sizeof(ViewShape));
	List	   *shapes = list_make1(users);

	collect_set(&shapes, users, &schema->attributes, NIL, true);
	return shapes;
}

/* Without the mark of a list. */
static int
name_length(const char *name)
{
	int			len = strlen(name);
	int			mark = strlen(LIST_MARK);

	return len > mark && strcmp(name + len - mark, LIST_MARK) == 0 ? len - mark : len;
}

/* Go down by names; false when something on the way must not be shown. */
static bool
go_down(const AttributeSet **set, const List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		const Attribute *attribute = *set != NULL ? attribute_find(*set, name, name_length(name)) : NULL;

		if (attribute != NULL && is_hidden(attribute))
			return false;
		*set = attribute != NULL ? &attribute->subs : NULL;
	}
	return true;
}

/*
 * May a view that there is go on showing what is at these names of the values of
 * its lists?  That which the schema has lost it may.
 */
bool
view_shows(const Schema *schema, const List *lists, const List *names)
{
	const AttributeSet *set = &schema->attributes;
	ListCell   *lc;

	foreach(lc, lists)
	{
		if (!go_down(&set, lfirst(lc)))
			return false;
	}
	return go_down(&set, names);
}

/*
 * Lists of names
 */

/* Names of attributes have no colon. */
static bool
is_urn(const char *name)
{
	return strchr(name, ':') != NULL;
}

/*
 * What people call it: name.familyName, with the URN of an extension before it
 * or without.  The value of a simple list, to which no name leads, is "value".
 */
char *
names_path(const List *names, bool with_urn)
{
	StringInfoData path;
	ListCell   *lc;

	initStringInfo(&path);
	foreach(lc, names)
	{
		char	   *name = lfirst(lc);

		if (is_urn(name) && !with_urn)
			continue;
		appendBinaryStringInfo(&path, name, name_length(name));
		if (lnext(names, lc) != NULL)
			appendStringInfoChar(&path, is_urn(name) ? ':' : '.');
	}
	return path.len > 0 ? path.data : pstrdup("value");
}

JsonbValue *
names_json(const List *names)
{
	JsonbValue *array = document_new_array();
	ListCell   *lc;

	foreach(lc, names)
		document_push(array, document_string(lfirst(lc)));
	return array;
}

List *
names_from_json(JsonbValue *array)
{
	List	   *names = NIL;

	for (int i = 0; array->type == jbvArray && i < array->val.array.nElems; i++)
	{
		if (array->val.array.elems[i].type == jbvString)
			names = lappend(names, document_cstring(&array->val.array.elems[i]));
	}
	return names;
}
