/*
 * scim_patch.c
 *	  A partial update by the operations of a PatchOp message (RFC 7644 section
 *	  3.5.2).
 *
 * They are applied one after the other, each to what those before it left.  What
 * a value becomes and whether it is good is for merge.c to say, as of any
 * partial update.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/lookup.h"
#include "core/update/scim_patch.h"

/* How much memory operations may fill before it is tidied. */
#define WORK_BYTES	(8 * 1024 * 1024)

/* How many values of an attribute are primary, and how many became so. */
typedef struct Primaries
{
	int			all;
	int			made;
} Primaries;

static JsonbValue *patch_object(Update *update, PatchOperation *operation, List *steps,
								int step, const Attribute *parent, JsonbValue *object);

/*
 * Values
 */

/* The values of what may be one or many, as an array of our own. */
static JsonbValue *
values_of(JsonbValue *value)
{
	JsonbValue *array = document_new_array();

	if (value != NULL && value->type == jbvArray)
	{
		for (int i = 0; i < value->val.array.nElems; i++)
			document_push(array, &value->val.array.elems[i]);
	}
	else if (value != NULL)
		document_push(array, value);
	return array;
}

/* Is an item one of an array, if that is one? */
static bool
has_item(JsonbValue *array, JsonbValue *item)
{
	for (int i = 0; array != NULL && array->type == jbvArray && i < array->val.array.nElems; i++)
	{
		if (document_equal(&array->val.array.elems[i], item))
			return true;
	}
	return false;
}

static bool
is_primary(JsonbValue *item)
{
	JsonbValue *primary = document_member(item, "primary");

	return primary != NULL && primary->type == jbvBool && primary->val.boolean;
}

/*
 * A value that an operation makes the primary one takes that from the others
 * (RFC 7644 section 3.5.2).
 */
static JsonbValue *
settle_primary(JsonbValue *before, JsonbValue *after)
{
	JsonbValue *settled;
	int			fresh = 0;

	if (after == NULL || after->type != jbvArray)
		return after;
	for (int i = 0; i < after->val.array.nElems; i++)
	{
		JsonbValue *item = &after->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		fresh += is_primary(item) && !has_item(before, item);
	}
	if (fresh != 1)
		return after;
	settled = document_new_array();
	for (int i = 0; i < after->val.array.nElems; i++)
	{
		JsonbValue *item = &after->val.array.elems[i];

		if (is_primary(item) && has_item(before, item))
		{
			item = document_copy_top(item);
			document_set(item, "primary", strlen("primary"), document_boolean(false));
		}
		document_push(settled, item);
	}
	return settled;
}

/* Count an item, which was a primary one before or not. */
static void
count_primary(Primaries *primaries, JsonbValue *item, bool was_primary)
{
	if (!is_primary(item))
		return;
	primaries->all++;
	primaries->made += !was_primary;
}

/* If an operation makes a value the primary one, no other may be. */
static void
refuse_primaries(Update *update, const Attribute *attribute, const Primaries *primaries)
{
	if (attribute != NULL && primaries->made > 0 && primaries->all > 1)
		validation_problem(&update->validation, attribute->path, SCIM_INVALID_VALUE,
						   "Set \"primary\" to true in one value only.",
						   "attribute \"%s\" has more than one primary value", attribute->path);
}

/* What is left or added alone is the primary one; what was alone stays as it is. */
static void
settle_only_item(const Attribute *attribute, JsonbValue *before, JsonbValue *after)
{
	if (attribute != NULL && attribute->multi_valued && !document_equal(before, after))
		mark_only_item(attribute, after);
}

/* Is an item the only one there, but for its being primary for that reason? */
static bool
is_only_item(const Attribute *attribute, JsonbValue *array, JsonbValue *item)
{
	JsonbValue *alone = document_new_array();

	if (attribute == NULL || !attribute->multi_valued || array->val.array.nElems != 1 ||
		item->type != jbvObject)
		return false;
	document_push(alone, item);
	mark_only_item(attribute, alone);
	return has_item(array, &alone->val.array.elems[0]);
}

/*
 * Values that are added to those there; one that is there already changes
 * nothing.
 */
static JsonbValue *
add_values(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *value)
{
	JsonbValue *after = values_of(before);
	JsonbValue *added = values_of(value);

	if (attribute != NULL && attribute->multi_valued)
		added = new_items_of(update, attribute, added, before);
	else if (attribute != NULL)
		added = new_value_of(update, attribute, added, before, false);
	for (int i = 0; i < added->val.array.nElems; i++)
	{
		JsonbValue *item = &added->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (has_item(after, item) || is_only_item(attribute, after, item))
			continue;
		if (attribute != NULL)
			validate_item(&update->validation, attribute, item);
		document_push(after, item);
	}
	settle_only_item(attribute, values_of(before), after);
	return after;
}

/*
 * Values named in a remove, which the RFC does not speak of but one of the big
 * clients sends: no more than these may go.
 */
static JsonbValue *
remove_values(const Attribute *attribute, JsonbValue *before, JsonbValue *value)
{
	JsonbValue *after = document_new_array();
	JsonbValue *removed = values_of(value);
	JsonbValue *items = values_of(before);

	for (int i = 0; i < items->val.array.nElems; i++)
	{
		JsonbValue *item = &items->val.array.elems[i];
		bool		is_removed = has_item(removed, item);

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < removed->val.array.nElems && !is_removed; k++)
		{
			JsonbValue *wanted = document_member(&removed->val.array.elems[k], "value");
			JsonbValue *standing = document_member(item, "value");

			is_removed = wanted != NULL && standing != NULL && document_equal(wanted, standing);
		}
		if (!is_removed)
			document_push(after, item);
	}
	settle_only_item(attribute, items, after);
	return after->val.array.nElems > 0 ? after : NULL;
}

/* What becomes of a value that was selected; NULL when it is no more. */
static JsonbValue *
patch_selected(Update *update, PatchOperation *operation, const Attribute *attribute, JsonbValue *item)
{
	JsonbValue *after;

	if (operation->sub_steps != NIL)
		after = patch_object(update, operation, operation->sub_steps, 0, attribute, item);
	else if (operation->kind == PATCH_REMOVE || operation->value->type == jbvNull)
		return NULL;
	else if (attribute == NULL)
		after = operation->kind == PATCH_ADD ? merge_any(item, operation->value) :
			without_nulls(operation->value);
	else if (operation->kind == PATCH_ADD && operation->value->type == jbvObject &&
			 item->type == jbvObject)
		after = merge_object(update, attribute, item, operation->value);
	else
	{
		JsonbValue *array = attribute->multi_valued ?
		new_items_of(update, attribute, values_of(operation->value), NULL) :
		new_value_of(update, attribute, values_of(operation->value), NULL, false);

		if (array->val.array.nElems != 1)
			BAD_PATCH(operation->path, SCIM_INVALID_VALUE, "Send the one value that takes the place of those selected.",
					  "attribute \"%s\" takes one value there", attribute->path);
		after = &array->val.array.elems[0];
	}
	if (is_empty_object(after))
		return NULL;
	if (attribute != NULL)
		validate_item(&update->validation, attribute, after);
	return after;
}

/*
 * The value that an operation adds because its filter selects none: a lenient
 * profile does so for a replace, too.
 */
static JsonbValue *
new_selected(Update *update, PatchOperation *operation, const Attribute *attribute, bool is_list)
{
	JsonbValue *item = NULL;

	if (update->profile->lenient || operation->kind == PATCH_ADD)
		item = filter_item(operation->filter);
	if (item == NULL || !is_list ||
		(operation->sub_steps == NIL && operation->value->type != jbvObject))
		BAD_PATCH(operation->path, SCIM_NO_TARGET, "Check the filter in the path, or add the value.",
				  "path \"%s\" selects no value", operation->path);
	if (operation->sub_steps == NIL)
		return merge_any(item, operation->value);
	return patch_object(update, operation, operation->sub_steps, 0, attribute, item);
}

/* The values that a filter selects. */
static JsonbValue *
patch_values(Update *update, PatchOperation *operation, const Attribute *attribute, JsonbValue *before)
{
	JsonbValue *items = values_of(before);
	JsonbValue *after = document_new_array();
	bool		is_list = attribute == NULL || attribute->multi_valued;
	bool		found = false;
	Primaries	primaries = {0};

	if (before != NULL)
		is_list = before->type == jbvArray;
	for (int i = 0; i < items->val.array.nElems; i++)
	{
		JsonbValue *item = &items->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (filter_matches(operation->filter, item))
		{
			bool		was = is_primary(item);

			found = true;
			item = patch_selected(update, operation, attribute, item);
			if (item == NULL)
				continue;
			count_primary(&primaries, item, was);
		}
		document_push(after, item);
	}
	/* who is to be gone and is not there is as wanted */
	if (!found && operation->kind != PATCH_REMOVE)
		after = add_values(update, attribute, after,
						   new_selected(update, operation, attribute, is_list));
	else
		settle_only_item(attribute, items, after);
	refuse_primaries(update, attribute, &primaries);
	if (after->val.array.nElems == 0)
		return NULL;
	return is_list ? after : &after->val.array.elems[0];
}

/* A value that no schema describes. */
static JsonbValue *
patch_any(PatchOperation *operation, JsonbValue *before)
{
	bool		is_list = before != NULL && before->type == jbvArray;

	if (operation->kind == PATCH_ADD && is_list)
		return operation->value->type == jbvNull ? before :
			add_values(NULL, NULL, before, operation->value);
	if (operation->kind == PATCH_REMOVE || operation->value->type == jbvNull)
		return NULL;
	return merge_any(before, operation->value);
}

/* The value at the end of the path. */
static JsonbValue *
patch_value(Update *update, PatchOperation *operation, const Attribute *attribute, JsonbValue *before)
{
	JsonbValue	none = {.type = jbvNull};
	JsonbValue *value = operation->kind == PATCH_REMOVE ? &none : operation->value;

	if (operation->kind == PATCH_REMOVE && operation->value != NULL &&
		operation->value->type != jbvNull && before != NULL && before->type == jbvArray)
		return remove_values(attribute, before, operation->value);
	if (attribute == NULL)
		return patch_any(operation, before);
	if (attribute->multi_valued)
	{
		bool		is_nothing = clears(update, attribute, value);

		if (operation->kind == PATCH_ADD && is_nothing)
			return before;
		if (operation->kind == PATCH_ADD && attribute->writable != WRITABLE_NOT)
			return add_values(update, attribute, before, value);
		/* one value stands for a list of it */
		if (!is_nothing && value->type != jbvArray)
			value = values_of(value);
	}
	return merge_attribute(update, attribute, before, value);
}

/* All values of a list, when a path goes on below it; where there is none, a new one. */
static JsonbValue *
patch_each(Update *update, PatchOperation *operation, List *steps, int step,
		   const Attribute *attribute, JsonbValue *before)
{
	JsonbValue *items = values_of(before);
	JsonbValue *after = document_new_array();
	bool		is_new = items->val.array.nElems == 0 && operation->kind != PATCH_REMOVE;
	Primaries	primaries = {0};

	if (is_new)
		document_push(items, document_new_object());
	for (int i = 0; i < items->val.array.nElems; i++)
	{
		JsonbValue *item = &items->val.array.elems[i];
		bool		was = is_primary(item);

		CHECK_FOR_INTERRUPTS();
		if (item->type == jbvObject)
			item = patch_object(update, operation, steps, step + 1, attribute, item);
		if (is_empty_object(item))
			continue;
		if (is_new && attribute != NULL)
			validate_item(&update->validation, attribute, item);
		count_primary(&primaries, item, was);
		document_push(after, item);
	}
	refuse_primaries(update, attribute, &primaries);
	return after->val.array.nElems > 0 ? after : NULL;
}

/* What is below the value of a step that is not the last one. */
static JsonbValue *
patch_below(Update *update, PatchOperation *operation, List *steps, int step,
			const Attribute *attribute, JsonbValue *before)
{
	JsonbValue *after;

	if ((before != NULL && before->type == jbvArray) ||
		(before == NULL && attribute != NULL && attribute->multi_valued))
		return patch_each(update, operation, steps, step, attribute, before);
	if (before == NULL || before->type != jbvObject)
	{
		if (operation->kind == PATCH_REMOVE)
			return before;		/* there is nothing to remove */
		before = document_new_object();
	}
	after = patch_object(update, operation, steps, step + 1, attribute, before);
	return is_empty_object(after) ? NULL : after;
}

/* May the attribute of a step be changed, as far as one can say before? */
static void
require_changeable(Update *update, const PatchOperation *operation, const PatchStep *step,
				   const Attribute *parent)
{
	if (step->attribute != NULL && step->attribute->mutability == MUTABILITY_READ_ONLY)
		refuse_change(update, step->attribute->path, "The attribute is readOnly.");
	if (step->attribute == NULL && !writes_unknown(update, parent, step->name, step->len))
		refuse_change(update, operation->path,
					  psprintf("API profile \"%s\" does not write it.", update->profile->name));
}

/* May an attribute become what it is now? */
static void
require_good_change(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *after)
{
	if (attribute->required && before != NULL && after == NULL)
		refuse_change(update, attribute->path, "The attribute is required.");
	if (attribute->multi_valued && after != NULL && after->type == jbvArray)
		validate_together(&update->validation, attribute, after);
	if (attribute->mutability == MUTABILITY_IMMUTABLE && before != NULL &&
		!document_equal(before, after))
		refuse_change(update, attribute->path, "The attribute is immutable: it can be set once.");
	require_fixed_part(update, attribute, before, after);
}

static bool
is_of_lookup(const Attribute *parent, const Attribute *attribute)
{
	return parent != NULL && parent->lookup != NULL &&
		(attribute == parent->lookup->value || attribute == parent->lookup->display);
}

/* Of a lookup, one part goes with the other, as in any partial update. */
static JsonbValue *
patch_lookup(Update *update, PatchOperation *operation, const Attribute *parent,
			 const Attribute *attribute, JsonbValue *object)
{
	JsonbValue	none = {.type = jbvNull};
	JsonbValue *sent = document_new_object();
	JsonbValue *after;

	document_append(sent, attribute->name, attribute->name_len,
					operation->kind == PATCH_REMOVE ? &none : operation->value);
	after = merge_object(update, parent, object, sent);
	require_good_change(update, attribute,
						document_find(object, attribute->name, attribute->name_len),
						document_find(after, attribute->name, attribute->name_len));
	return after;
}

/*
 * Follow the steps of a path in an object; gives the object as it is then.
 */
static JsonbValue *
patch_object(Update *update, PatchOperation *operation, List *steps, int step,
			 const Attribute *parent, JsonbValue *object)
{
	PatchStep  *here = list_nth(steps, step);
	const Attribute *attribute = here->attribute;
	JsonbValue *before = document_find(object, here->name, here->len);
	JsonbValue *after;
	bool		is_last = step == list_length(steps) - 1;

	check_stack_depth();
	/* where no schema says so, a value may be anything */
	if (object->type != jbvObject)
	{
		if (operation->kind == PATCH_REMOVE)
			return object;
		BAD_PATCH(operation->path, SCIM_NO_TARGET, "Name a value that is an object.",
				  "path \"%s\" goes on below a value that has no attributes", operation->path);
	}
	require_changeable(update, operation, here, parent);
	if (is_last && is_of_lookup(parent, attribute) &&
		(operation->filter == NULL || steps != operation->steps))
		return patch_lookup(update, operation, parent, attribute, object);
	if (!is_last)
		after = patch_below(update, operation, steps, step, attribute, before);
	else if (steps == operation->steps && operation->filter != NULL)
		after = patch_values(update, operation, attribute, before);
	else
		after = patch_value(update, operation, attribute, before);
	/* who sends all values says of each whether it is */
	if (!is_last || operation->filter != NULL || operation->kind != PATCH_REPLACE)
		after = settle_primary(before, after);
	if (attribute != NULL)
		require_good_change(update, attribute, before, after);
	object = document_copy_top(object);
	if (after != NULL)
		document_set(object, here->name, here->len, after);
	else
		document_remove(object, here->name, here->len);
	return object;
}

static MemoryContext
new_work_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "userstore operations",
								 ALLOCSET_DEFAULT_SIZES);
}

/*
 * Leave behind what earlier operations needed: each copies the lists that it
 * changes, so a message of a megabyte would otherwise take some gigabytes.
 * Gives the context to go on in.
 */
static MemoryContext
tidy(Update *update, MemoryContext old, JsonbValue **document)
{
	MemoryContext work = new_work_context();
	MemoryContext outer;
	List	   *ignored = NIL;
	ListCell   *lc;

	foreach(lc, update->ignored)
		ignored = lappend(ignored, pstrdup(lfirst(lc)));
	update->ignored = ignored;
	outer = MemoryContextSwitchTo(work);
	*document = document_copy(*document);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(old);
	return work;
}

/*
 * A complex value that operations made part by part has what it requires when
 * all of them are done.  (Values of a list are judged one by one.)
 */
static void
require_parts(Update *update, const AttributeSet *set, JsonbValue *before, JsonbValue *after)
{
	check_stack_depth();
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];
		JsonbValue *old = document_find(before, attribute->name, attribute->name_len);
		JsonbValue *new = document_find(after, attribute->name, attribute->name_len);

		/* it went with a value of which other parts came back */
		if (attribute->required && attribute->mutability != MUTABILITY_READ_ONLY &&
			old != NULL && new == NULL)
			missing_required(&update->validation, attribute);
		if (attribute->type != TYPE_COMPLEX || new == NULL || new->type != jbvObject ||
			document_equal(old, new) ||
			(attribute->is_extension && !extension_in_use(attribute, new)))
			continue;
		if (old == NULL)
			validate_required(&update->validation, &attribute->subs, new);
		require_parts(update, &attribute->subs, old, new);
	}
}

/*
 * The document that the operations make of one.
 */
JsonbValue *
scim_patch_document(Update *update, JsonbValue *before, List *operations)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext work = new_work_context();
	JsonbValue *document = before;
	Size		limit = WORK_BYTES;
	ListCell   *lc;

	foreach(lc, operations)
	{
		PatchOperation *operation = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (MemoryContextMemAllocated(work, true) > limit)
		{
			work = tidy(update, work, &document);
			limit = WORK_BYTES + 2 * MemoryContextMemAllocated(work, true);
		}
		MemoryContextSwitchTo(work);
		document = patch_object(update, operation, operation->steps, 0, NULL, document);
		MemoryContextSwitchTo(outer);
	}
	document_require_depth(document);
	require_parts(update, &update->schema->attributes, before, document);
	return document == before ? document_copy_top(before) : document;
}
