/*
 * value.c
 *	  What a value that was sent becomes: names in the schema's case, nulls
 *	  gone, readOnly members dropped, defaults filled in.
 *
 * Defaults fill what was left out of a user who is created and of the items of
 * a multi-valued attribute, which are new each time.  What becomes of attributes
 * left out elsewhere is for the kind of update to say.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/lookup.h"
#include "core/update/update.h"

/* An attribute that the profile's schemas do not know. */
static void
unknown_member(Update *update, SentMembers *members, const Attribute *parent,
			   JsonbPair *pair)
{
	const char *name = pair->key.val.string.val;
	int			len = pair->key.val.string.len;
	char	   *path;

	if (update->profile->unknown == UNKNOWN_KEEP)
	{
		members->unknown = lappend(members->unknown, pair);
		return;
	}
	path = unknown_path(parent, name, len);
	if (update->profile->unknown == UNKNOWN_IGNORE)
	{
		ListCell   *lc;

		/* items of an array have the same ones */
		foreach(lc, update->ignored)
		{
			if (strcmp(lfirst(lc), path) == 0)
				return;
		}
		update->ignored = lappend(update->ignored, path);
	}
	else
		validation_problem(&update->validation, path, SCIM_INVALID_SYNTAX,
						   "Leave it out, or define it in an attribute schema of the table.",
						   "attribute \"%s\" is not known", path);
}

/*
 * Find the attributes of an object's members.  Names match in any case (RFC
 * 7643 section 2.1), so one attribute may be named twice, which is refused.
 */
SentMembers
sent_members(Update *update, const AttributeSet *set, const Attribute *parent,
			 JsonbValue *sent)
{
	SentMembers members = {0};

	members.values = palloc0(sizeof(JsonbValue *) * Max(set->count, 1));
	if (sent == NULL)
		return members;
	document_foreach(pair, sent)
	{
		Attribute  *attribute = attribute_find(set, pair->key.val.string.val,
											   pair->key.val.string.len);
		JsonbValue **value;

		if (attribute == NULL)
		{
			unknown_member(update, &members, parent, pair);
			continue;
		}
		value = &members.values[attribute - set->attributes];
		if (*value != NULL)
			validation_problem(&update->validation, attribute->path, SCIM_INVALID_SYNTAX,
							   "Names are the same in any case; send one of them.",
							   "attribute \"%s\" is sent twice", attribute->path);
		*value = &pair->value;
	}
	return members;
}

/*
 * A value of a shape that no schema gives: nulls in objects mean no value and
 * go; an array stays as it is, as in RFC 7396.
 */
JsonbValue *
without_nulls(JsonbValue *value)
{
	JsonbValue *result;

	check_stack_depth();
	if (value->type != jbvObject)
		return value;
	result = document_new_object();
	document_foreach(pair, value)
	{
		if (pair->value.type != jbvNull)
			document_append(result, pair->key.val.string.val, pair->key.val.string.len,
							without_nulls(&pair->value));
	}
	return result;
}

/*
 * Null, and an empty array for a multi-valued attribute, mean "no value" (RFC
 * 7643 section 2.5).  Some APIs have a word for it.
 */
bool
clears(const Update *update, const Attribute *attribute, JsonbValue *sent)
{
	return sent->type == jbvNull ||
		(attribute->multi_valued && sent->type == jbvArray && sent->val.array.nElems == 0) ||
		(update->clear_token != NULL && attribute->type != TYPE_ANY &&
		 document_is_string(sent, update->clear_token));
}

bool
is_empty_object(JsonbValue *value)
{
	return value->type == jbvObject && value->val.object.nPairs == 0;
}

/*
 * What stays of a value that is cleared.  Parts that cannot be changed stand in
 * the way; an extension is a namespace rather than a value, so its readOnly
 * attributes stay.
 */
JsonbValue *
left_when_cleared(Update *update, const Attribute *attribute, JsonbValue *stored)
{
	JsonbValue *left;
	JsonbValue	none;

	if (stored == NULL || stored->type != jbvObject)
		return NULL;
	left = document_new_object();
	none.type = jbvNull;
	document_foreach(pair, stored)
	{
		Attribute  *sub = attribute_find(&attribute->subs, pair->key.val.string.val,
										 pair->key.val.string.len);

		/* attributes are stored in the schema's case */
		if (sub == NULL || !document_is_string(&pair->key, sub->name))
			continue;
		if (sub->mutability == MUTABILITY_READ_ONLY)
		{
			if (attribute->is_extension)
				document_append(left, sub->name, sub->name_len, &pair->value);
		}
		else if (sub->writable == WRITABLE_NOT)
			refuse_not_writable(update, sub->path, &none, &pair->value);
		else if (sub->mutability == MUTABILITY_IMMUTABLE)
			refuse_change(update, sub->path,
						  "The attribute is immutable: it can be set once.");
	}
	return is_empty_object(left) ? NULL : left;
}

/* The default of an attribute that was left out of something new, or NULL. */
static JsonbValue *
default_of(const Attribute *attribute, JsonbValue *siblings)
{
	if (attribute->default_value != NULL)
		return attribute->default_value;
	if (attribute->default_from != NULL)
		return document_find(siblings, attribute->default_from->name,
							 attribute->default_from->name_len);
	return NULL;
}

/*
 * What clients of a lenient profile are known to send in place of a boolean
 * and of a complex value.
 */
JsonbValue *
lenient_value(const Attribute *attribute, JsonbValue *sent)
{
	Attribute  *value;
	JsonbValue *object;

	if (sent->type != jbvString)
		return sent;
	if (attribute->type == TYPE_BOOLEAN)
	{
		if (sent->val.string.len == 4 && pg_strncasecmp(sent->val.string.val, "true", 4) == 0)
			return document_boolean(true);
		if (sent->val.string.len == 5 && pg_strncasecmp(sent->val.string.val, "false", 5) == 0)
			return document_boolean(false);
	}
	else if (attribute->type == TYPE_COMPLEX &&
			 (value = attribute_member(&attribute->subs, "value")) != NULL)
	{
		object = document_new_object();
		document_append(object, value->name, value->name_len, sent);
		return object;
	}
	return sent;
}

/*
 * The stored item that a sent one stands for, by the key of the attribute or
 * else by "value"; NULL when there is none.  Its readOnly members live on.
 */
static JsonbValue *
stored_item(const Attribute *attribute, JsonbValue *sent, JsonbValue *stored)
{
	Attribute  *key = attribute->key ? attribute->key : attribute_member(&attribute->subs, "value");
	JsonbValue *wanted = NULL;

	if (key == NULL || stored == NULL || stored->type != jbvArray || sent->type != jbvObject)
		return NULL;
	document_foreach(pair, sent)
	{
		if (attribute_find(&attribute->subs, pair->key.val.string.val,
						   pair->key.val.string.len) == key)
			wanted = &pair->value;
	}
	if (wanted == NULL)
		return NULL;
	for (int i = 0; i < stored->val.array.nElems; i++)
	{
		JsonbValue *item = &stored->val.array.elems[i];
		JsonbValue *value = document_find(item, key->name, key->name_len);

		if (value != NULL && attribute_same_value(key, wanted, value))
			return item;
	}
	return NULL;
}

static JsonbValue *
new_item(Update *update, const Attribute *attribute, JsonbValue *sent, JsonbValue *stored,
		 bool defaults)
{
	if (update->profile->lenient)
		sent = lenient_value(attribute, sent);
	if (attribute->type == TYPE_COMPLEX && sent->type == jbvObject)
		return new_object(update, &attribute->subs, attribute, sent, stored, defaults);
	if (attribute->type == TYPE_ANY)
		return without_nulls(sent);
	return sent;
}

/*
 * The only item is the primary one, where a rule says so.  The array is the
 * caller's own, the item may be one of the stored document.
 */
void
mark_only_item(const Attribute *attribute, JsonbValue *array)
{
	JsonbValue *item = array->val.array.elems;

	if (array->val.array.nElems != 1 || item->type != jbvObject)
		return;
	for (int i = 0; i < attribute->subs.count; i++)
	{
		Attribute  *sub = &attribute->subs.attributes[i];

		if (!sub->primary_when_only || document_find(item, sub->name, sub->name_len) != NULL)
			continue;
		*item = *document_copy_top(item);
		document_append(item, sub->name, sub->name_len, document_boolean(true));
	}
}

/*
 * The items of a multi-valued attribute made of those that were sent, which may
 * not be all.
 */
JsonbValue *
new_items_of(Update *update, const Attribute *attribute, JsonbValue *sent, JsonbValue *stored)
{
	JsonbValue *array = document_new_array();

	for (int i = 0; i < sent->val.array.nElems; i++)
	{
		JsonbValue *item = &sent->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		document_push(array, new_item(update, attribute, item,
									  stored_item(attribute, item, stored), true));
	}
	return array;
}

/*
 * The value of an attribute made of what was sent.  It is not judged here, and
 * what does not have the attribute's shape is left for validation to refuse.
 */
JsonbValue *
new_value_of(Update *update, const Attribute *attribute, JsonbValue *sent, JsonbValue *stored,
			 bool defaults)
{
	JsonbValue *array;

	check_stack_depth();
	if (!attribute->multi_valued)
		return new_item(update, attribute, sent, stored, defaults);
	if (sent->type != jbvArray)
		return sent;
	array = new_items_of(update, attribute, sent, stored);
	mark_only_item(attribute, array);
	return array;
}

/*
 * A new object of a level of attributes, made of what was sent, and of defaults
 * if told to.  Of a stored object that it takes the place of, it keeps what
 * requests cannot send.
 */
JsonbValue *
new_object(Update *update, const AttributeSet *set, const Attribute *parent,
		   JsonbValue *sent, JsonbValue *stored, bool defaults)
{
	SentMembers members = sent_members(update, set, parent, sent);
	JsonbValue *object = document_new_object();
	ListCell   *lc;

	check_stack_depth();
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];
		JsonbValue *value = members.values[i];
		JsonbValue *old = document_find(stored, attribute->name, attribute->name_len);

		if (attribute->mutability == MUTABILITY_READ_ONLY)
			value = old;
		else if (attribute->writable == WRITABLE_NOT)
		{
			refuse_not_writable(update, attribute->path, value, old);
			value = old;
		}
		else if (value != NULL)
		{
			if (is_empty_object(value) && !attribute->multi_valued && !attribute->is_extension)

				/*
				 * nothing is said; but what must not be half there is not
				 * there
				 */
				validate_required(&update->validation, &attribute->subs, value);
			value = clears(update, attribute, value) ? NULL :
				new_value_of(update, attribute, value, old, defaults);
			if (value != NULL && attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
				is_empty_object(value))
				value = NULL;
		}
		else if (old != NULL && (attribute->mutability == MUTABILITY_WRITE_ONLY ||
								 attribute->mutability == MUTABILITY_IMMUTABLE))
			value = old;
		else if (defaults)
			value = attribute->default_value;
		if (attribute->mutability == MUTABILITY_IMMUTABLE && old != NULL &&
			!document_equal(old, value))
			refuse_change(update, attribute->path,
						  "The attribute is immutable: it can be set once.");
		if (value != NULL)
			document_append(object, attribute->name, attribute->name_len, value);
	}
	/* once all that was sent is there: what is taken from a sibling */
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];

		if (attribute->default_from != NULL && members.values[i] == NULL &&
			document_find(object, attribute->name, attribute->name_len) == NULL)
		{
			JsonbValue *value = default_of(attribute, object);

			if (value != NULL)
				document_append(object, attribute->name, attribute->name_len, value);
		}
	}
	foreach(lc, members.unknown)
	{
		JsonbPair  *pair = lfirst(lc);
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;

		if (!writes_unknown(update, parent, name, len))
			refuse_not_writable(update, unknown_path(parent, name, len), &pair->value, NULL);
		else if (pair->value.type != jbvNull)
			document_append(object, name, len, without_nulls(&pair->value));
	}
	if (parent != NULL)
		lookup_complete(parent, object);
	return object;
}
