/*
 * merge.c
 *	  A partial update by a plain object: RFC 7396's merge, on attributes.
 *
 * Null clears; a complex value is merged member by member; a multi-valued
 * attribute is replaced whole or, where its schema names a key, merged item by
 * item.  Only what the request changes is judged, so data that was stored
 * under other rules never stands in the way.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/lookup.h"
#include "core/update/update.h"

static JsonbValue *merge_keyed(Update *update, const Attribute *attribute, JsonbValue *before,
							   JsonbValue *sent);

/*
 * RFC 7396 on values that no schema describes.
 */
JsonbValue *
merge_any(JsonbValue *before, JsonbValue *sent)
{
	JsonbValue *after;

	check_stack_depth();
	if (sent->type != jbvObject)
		return sent;
	if (before == NULL || before->type != jbvObject)
		return without_nulls(sent);
	after = document_copy_top(before);
	document_foreach(pair, sent)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;

		CHECK_FOR_INTERRUPTS();
		if (pair->value.type == jbvNull)
			document_remove(after, name, len);
		else
			document_set(after, name, len,
						 merge_any(document_find(after, name, len), &pair->value));
	}
	return after;
}

/*
 * An object that was sent, with null for each word that clears: what else the
 * request says there counts as it does beside null.
 */
static JsonbValue *
with_nulls(Update *update, const Attribute *parent, JsonbValue *sent)
{
	if (update->clear_token == NULL)
		return sent;
	sent = document_copy_top(sent);
	document_foreach(pair, sent)
	{
		Attribute  *attribute = attribute_find(&parent->subs, pair->key.val.string.val,
											   pair->key.val.string.len);

		if (attribute != NULL && pair->value.type == jbvString &&
			clears(update, attribute, &pair->value))
			pair->value.type = jbvNull;
	}
	return sent;
}

/*
 * Merge into a stored complex value, or an item of one.
 */
JsonbValue *
merge_object(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *sent)
{
	JsonbValue *after;

	if (attribute->lookup == NULL)
		return merge_members(update, &attribute->subs, attribute, before, sent);
	sent = lookup_sent(attribute, with_nulls(update, attribute, sent));
	after = merge_members(update, &attribute->subs, attribute,
						  lookup_base(attribute, before, sent), sent);
	lookup_complete(attribute, after);
	if (!is_empty_object(after))
		validate_item(&update->validation, attribute, after);
	return after;
}

static bool
has_null(JsonbValue *object)
{
	document_foreach(pair, object)
	{
		if (pair->value.type == jbvNull)
			return true;
	}
	return false;
}

/* Does a request clear all of an item but the key? */
static bool
leaves_only_key(const Attribute *attribute, JsonbValue *after, JsonbValue *sent)
{
	int			left = after->val.object.nPairs;

	if (lookup_fills_cleared(attribute, after, sent))
		left--;
	return left == 1 && has_null(sent);
}

/*
 * Of what is new, lists with a key are made of their items one by one, too: the
 * same request again then finds what it would make.
 */
static void
merge_new_lists(Update *update, const Attribute *parent, JsonbValue *sent, JsonbValue *after)
{
	SentMembers members = sent_members(update, &parent->subs, parent, sent);

	check_stack_depth();
	for (int i = 0; i < parent->subs.count; i++)
	{
		const Attribute *attribute = &parent->subs.attributes[i];
		JsonbValue *value = document_find(after, attribute->name, attribute->name_len);

		if (members.values[i] == NULL || value == NULL)
			continue;
		if (attribute->key != NULL && value->type == jbvArray)
		{
			value = merge_keyed(update, attribute, NULL, members.values[i]);
			if (value != NULL)
				document_set(after, attribute->name, attribute->name_len, value);
			else
				document_remove(after, attribute->name, attribute->name_len);
		}
		else if (attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
				 members.values[i]->type == jbvObject)
			merge_new_lists(update, attribute, members.values[i], value);
	}
}

/* A complex value, or an item of one, that was not there. */
static JsonbValue *
merge_new_object(Update *update, const Attribute *attribute, JsonbValue *sent, bool defaults)
{
	JsonbValue *value = new_object(update, &attribute->subs, attribute, sent, NULL, defaults);

	merge_new_lists(update, attribute, sent, value);
	if (!is_empty_object(value))
		validate_item(&update->validation, attribute, value);
	return value;
}

/*
 * Merge one item into the array under its key, and tell whether the request
 * clears all of it but the key.
 */
static void
merge_keyed_item(Update *update, const Attribute *attribute, JsonbValue *array,
				 JsonbValue *sent, bool *cleared)
{
	Attribute  *key = attribute->key;
	SentMembers members = sent_members(update, &attribute->subs, attribute, sent);
	JsonbValue *wanted = members.values[key - attribute->subs.attributes];
	JsonbValue *elems = array->val.array.elems;
	JsonbValue *after;
	int			at;

	if (wanted == NULL || clears(update, key, wanted))
	{
		missing_required(&update->validation, key);
		return;
	}
	for (at = 0; at < array->val.array.nElems; at++)
	{
		JsonbValue *value = document_find(&elems[at], key->name, key->name_len);

		if (value != NULL && attribute_same_value(key, wanted, value))
			break;
	}
	if (at < array->val.array.nElems)
	{
		after = merge_object(update, attribute, &elems[at], sent);
		elems[at] = *after;
	}
	else
	{
		after = merge_new_object(update, attribute, sent, true);
		document_push(array, after);
	}
	cleared[at] = leaves_only_key(attribute, after, with_nulls(update, attribute, sent));
}

/*
 * An item of which the request clears all but the key is removed; at the end,
 * so that one that it names again stays where it is.
 */
static JsonbValue *
merge_keyed(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *sent)
{
	JsonbValue *array = document_new_array();
	JsonbValue *left = document_new_array();
	bool	   *cleared;

	if (before != NULL && before->type == jbvArray)
	{
		for (int i = 0; i < before->val.array.nElems; i++)
			document_push(array, &before->val.array.elems[i]);
	}
	cleared = palloc0(sizeof(bool) * (array->val.array.nElems + sent->val.array.nElems));
	for (int i = 0; i < sent->val.array.nElems; i++)
	{
		JsonbValue *item = &sent->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (item->type == jbvObject)
			merge_keyed_item(update, attribute, array, item, cleared);
		else
			validate_item(&update->validation, attribute, item);
	}
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		if (!cleared[i])
			document_push(left, &array->val.array.elems[i]);
	}
	validate_primary(&update->validation, attribute, left);
	return left->val.array.nElems > 0 ? left : NULL;
}

static JsonbValue *
merge_complex(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *sent)
{
	JsonbValue *value;

	validate_sent_dependencies(&update->validation, attribute, sent);
	if (is_empty_object(sent) && !attribute->is_extension)
		/* nothing is said; but what must not be half there is not there */
		validate_required(&update->validation, &attribute->subs, sent);
	if (before != NULL && before->type == jbvObject)
		value = merge_object(update, attribute, before, sent);
	else
		value = merge_new_object(update, attribute, sent, false);
	return is_empty_object(value) ? NULL : value;
}

/* Does the request clear the attribute? */
static bool
merge_clears(Update *update, const Attribute *attribute, JsonbValue *sent)
{
	if (attribute->key != NULL && sent->type == jbvArray)
		return false;			/* items that are not sent stay */
	return clears(update, attribute, sent);
}

/*
 * What one attribute becomes.
 */
JsonbValue *
merge_attribute(Update *update, const Attribute *attribute, JsonbValue *before,
				JsonbValue *sent)
{
	JsonbValue *value;

	if (attribute->mutability == MUTABILITY_READ_ONLY)
		return before;
	if (attribute->writable == WRITABLE_NOT)
	{
		refuse_not_writable(update, attribute->path, sent, before);
		return before;
	}
	if (document_equal(before, sent) && attribute->dependencies == NIL)
		return before;
	if (merge_clears(update, attribute, sent))
		value = left_when_cleared(update, attribute, before);
	else if (attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
			 sent->type == jbvObject)
		value = merge_complex(update, attribute, before, sent);
	else if (attribute->key != NULL && sent->type == jbvArray)
		value = merge_keyed(update, attribute, before, sent);
	else
	{
		if (attribute->type == TYPE_ANY && !attribute->multi_valued)
			value = merge_any(before, sent);
		else
			value = new_value_of(update, attribute, sent, before, false);
		validate_value(&update->validation, attribute, value);
	}
	if (attribute->mutability == MUTABILITY_IMMUTABLE && before != NULL &&
		!document_equal(before, value))
		refuse_change(update, attribute->path,
					  "The attribute is immutable: it can be set once.");
	require_fixed_part(update, attribute, before, value);
	return value;
}

/*
 * One level of a merge.
 */
JsonbValue *
merge_members(Update *update, const AttributeSet *set, const Attribute *parent,
			  JsonbValue *before, JsonbValue *sent)
{
	SentMembers members = sent_members(update, set, parent, sent);
	JsonbValue *after = document_copy_top(before);
	ListCell   *lc;

	check_stack_depth();
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];
		JsonbValue *value;

		if (members.values[i] == NULL)
			continue;
		value = merge_attribute(update, attribute,
								document_find(before, attribute->name, attribute->name_len),
								members.values[i]);
		if (value != NULL)
			document_set(after, attribute->name, attribute->name_len, value);
		else
			document_remove(after, attribute->name, attribute->name_len);
	}
	foreach(lc, members.unknown)
	{
		JsonbPair  *pair = lfirst(lc);
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;

		CHECK_FOR_INTERRUPTS();
		if (!writes_unknown(update, parent, name, len))
			refuse_not_writable(update, unknown_path(parent, name, len), &pair->value,
								document_find(before, name, len));
		else if (pair->value.type == jbvNull)
			document_remove(after, name, len);
		else
			document_set(after, name, len,
						 merge_any(document_find(before, name, len), &pair->value));
	}

	/* a complex value that is cleared part by part goes as a whole */
	if (parent != NULL && is_empty_object(after))
		return after;
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];

		if (attribute->required && members.values[i] != NULL &&
			document_find(before, attribute->name, attribute->name_len) != NULL &&
			document_find(after, attribute->name, attribute->name_len) == NULL)
			missing_required(&update->validation, attribute);
	}
	return after;
}

/*
 * The document that a partial update makes.
 */
JsonbValue *
merge_document(Update *update, JsonbValue *before, JsonbValue *sent)
{
	return merge_members(update, &update->schema->attributes, NULL, before, sent);
}
