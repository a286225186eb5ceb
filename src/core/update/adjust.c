/*
 * adjust.c
 *	  What a function of the table's owner makes of a new document before it is
 *	  written.
 *
 * It may change what a request may, and is not bound by what the profile says
 * of requests: which attributes are writable, what is lenient, what clears.
 * Only what it changes is judged, so data that was stored under other rules
 * does not stand in the way.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/lookup.h"
#include "core/update/update.h"

static JsonbValue *stored_form(Validation *validation, const Attribute *attribute,
							   JsonbValue *value);

static void
refuse(Validation *validation, const char *path, const char *hint)
{
	validation_problem(validation, path, SCIM_MUTABILITY, hint,
					   "attribute \"%s\" cannot be changed", path);
}

/* Null, and an empty array, mean no value (RFC 7643 section 2.5). */
static bool
is_no_value(const Attribute *attribute, JsonbValue *value)
{
	return value->type == jbvNull ||
		(attribute->multi_valued && value->type == jbvArray && value->val.array.nElems == 0);
}

/* The members of a complex value, or of an item of one, as they are stored. */
static JsonbValue *
stored_members(Validation *validation, const Attribute *parent, JsonbValue *object)
{
	JsonbValue *result = document_new_object();

	check_stack_depth();
	document_foreach(pair, object)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		Attribute  *attribute = attribute_find(&parent->subs, name, len);
		JsonbValue *value = &pair->value;

		if (attribute == NULL)
		{
			if (value->type != jbvNull)
				document_set(result, name, len, without_nulls(value));
			continue;
		}
		if (document_find(result, attribute->name, attribute->name_len) != NULL)
			validation_problem(validation, attribute->path, SCIM_INVALID_SYNTAX,
							   "Names are the same in any case.",
							   "attribute \"%s\" is there twice", attribute->path);
		value = stored_form(validation, attribute, value);
		if (value != NULL)
			document_set(result, attribute->name, attribute->name_len, value);
	}
	if (parent->lookup != NULL)
	{
		result = lookup_sent(parent, result);
		lookup_complete(parent, result);
	}
	return result;
}

/*
 * A value as it is stored: names in the schema's case, nulls gone; NULL when
 * that leaves no value.
 */
static JsonbValue *
stored_form(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	JsonbValue *array;

	if (is_no_value(attribute, value))
		return NULL;
	if (attribute->type == TYPE_ANY && value->type == jbvObject)
		return without_nulls(value);
	if (attribute->type != TYPE_COMPLEX)
		return value;
	if (value->type == jbvObject)
	{
		value = stored_members(validation, attribute, value);
		return is_empty_object(value) && !attribute->multi_valued ? NULL : value;
	}
	if (value->type != jbvArray || !attribute->multi_valued)
		return value;
	array = document_new_array();
	for (int i = 0; i < value->val.array.nElems; i++)
	{
		JsonbValue *item = &value->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		document_push(array, item->type == jbvObject ?
					  stored_members(validation, attribute, item) : item);
	}
	return array;
}

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

/* Has an item of the array this value of a sub-attribute? */
static bool
has_sub_value(JsonbValue *array, const Attribute *sub, JsonbValue *value)
{
	for (int i = 0; array != NULL && array->type == jbvArray && i < array->val.array.nElems; i++)
	{
		JsonbValue *item = &array->val.array.elems[i];
		JsonbValue *other = item->type != jbvObject ? NULL :
		document_find(item, sub->name, sub->name_len);

		if (other != NULL && document_equal(other, value))
			return true;
	}
	return false;
}

/* Items may be changed, but say nothing in readOnly members that none said. */
static void
judge_items(Validation *validation, const Attribute *attribute, JsonbValue *planned,
			JsonbValue *array)
{
	if (attribute->type != TYPE_COMPLEX || array->type != jbvArray)
		return;
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		JsonbValue *item = &array->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (item->type != jbvObject || has_item(planned, item))
			continue;
		document_foreach(pair, item)
		{
			Attribute  *sub = attribute_find(&attribute->subs, pair->key.val.string.val,
											 pair->key.val.string.len);

			if (sub != NULL && sub->mutability == MUTABILITY_READ_ONLY &&
				attribute->lookup == NULL && !has_sub_value(planned, sub, &pair->value))
				refuse(validation, sub->path, "The attribute is readOnly.");
		}
	}
}

static bool
is_unstored(const Schema *schema, const Attribute *attribute)
{
	ListCell   *lc;

	foreach(lc, schema->unstored)
	{
		if (((Unstored *) lfirst(lc))->attribute == attribute)
			return true;
	}
	return false;
}

/* One level of a document: its own, that of an extension, or of a complex value. */
typedef struct Level
{
	const Schema *schema;
	Validation *validation;
	bool		keeps_unknown;
	bool		removes;		/* all that it has */
	const AttributeSet *set;
	const Attribute *parent;	/* NULL: the document itself */
} Level;

static JsonbValue *adjust_level(const Level *level, JsonbValue *before, JsonbValue *planned,
								JsonbValue *given);

/* Is it an object with attributes that are judged one by one, or nothing yet? */
static bool
is_level(const Attribute *attribute, JsonbValue *value)
{
	return attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
		attribute->lookup == NULL && (value == NULL || value->type == jbvObject);
}

static JsonbValue *
adjust_below(const Level *level, const Attribute *attribute, JsonbValue *before,
			 JsonbValue *planned, JsonbValue *given)
{
	Level		below = *level;
	JsonbValue *value;

	check_stack_depth();
	below.set = &attribute->subs;
	below.parent = attribute;
	below.removes = given == NULL;
	value = adjust_level(&below, is_level(attribute, before) ? before : NULL, planned,
						 given != NULL ? given : document_new_object());
	return is_empty_object(value) ? NULL : value;
}

/* A new value as a whole; of one whose parts are judged, how they go together. */
static void
judge_value(const Level *level, const Attribute *attribute, JsonbValue *planned, JsonbValue *value)
{
	Validation *validation = level->validation;

	if (!is_level(attribute, value) || planned == NULL || !is_level(attribute, planned))
	{
		if (attribute->multi_valued)
			judge_items(validation, attribute, planned, value);
		validate_value(validation, attribute, value);
		return;
	}
	validate_sent_dependencies(validation, attribute, value);
	if (attribute->is_extension && !extension_in_use(attribute, planned) &&
		extension_in_use(attribute, value))
		validate_required(validation, &attribute->subs, value);
}

/*
 * What an attribute becomes; the values are NULL where there is none.
 */
static JsonbValue *
adjust_attribute(const Level *level, const Attribute *attribute, JsonbValue *before,
				 JsonbValue *planned, JsonbValue *given)
{
	Validation *validation = level->validation;
	JsonbValue *value = given;

	if (given != NULL && is_no_value(attribute, given))
		value = given = NULL;
	if (attribute->mutability != MUTABILITY_READ_ONLY && is_level(attribute, given) &&
		is_level(attribute, planned))
		value = adjust_below(level, attribute, before, planned, given);
	else if (given != NULL)
		value = stored_form(validation, attribute, given);
	if (document_equal(planned, value))
		return planned;
	if (attribute->mutability == MUTABILITY_READ_ONLY)
		refuse(validation, attribute->path, "The attribute is readOnly.");
	else if (is_unstored(level->schema, attribute))
		refuse(validation, attribute->path, "No document holds its value.");
	else if (attribute->mutability == MUTABILITY_IMMUTABLE && before != NULL &&
			 !document_equal(before, value))
		refuse(validation, attribute->path,
			   "The attribute is immutable: it can be set once.");
	else if (value != NULL)
		judge_value(level, attribute, planned, value);
	else if (attribute->required && !level->removes)
		missing_required(validation, attribute);
	return value;
}

/* The API's own (RFC 7643 section 3.1). */
static const char *const common_names[] = {"id", "meta", "schemas"};

static bool
is_common(const Level *level, const JsonbValue *name)
{
	for (int i = 0; i < lengthof(common_names) && level->parent == NULL; i++)
	{
		if (name->val.string.len == strlen(common_names[i]) &&
			pg_strncasecmp(name->val.string.val, common_names[i], name->val.string.len) == 0)
			return true;
	}
	return false;
}

/* A member that no schema knows, and that is not as it was. */
static JsonbValue *
adjust_unknown(const Level *level, JsonbPair *given)
{
	const JsonbValue *name = &given->key;
	char	   *path;

	if (given->value.type == jbvNull)
		return NULL;
	path = unknown_path(level->parent, name->val.string.val, name->val.string.len);
	if (is_common(level, name))
		refuse(level->validation, path, "It is no attribute, but the API's own.");
	else if (!level->keeps_unknown)
		validation_problem(level->validation, path, SCIM_INVALID_SYNTAX,
						   "Define it in an attribute schema of the table.",
						   "attribute \"%s\" is not known", path);
	return without_nulls(&given->value);
}

static JsonbValue *
adjust_level(const Level *level, JsonbValue *before, JsonbValue *planned, JsonbValue *given)
{
	JsonbValue *result = document_new_object();
	bool	   *is_given = palloc0(sizeof(bool) * Max(level->set->count, 1));

	document_foreach(pair, given)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		Attribute  *attribute = attribute_find(level->set, name, len);
		JsonbValue *was = document_find(planned, name, len);
		JsonbValue *value;

		CHECK_FOR_INTERRUPTS();
		if (attribute != NULL)
		{
			/*
			 * plain SQL may have stored it in another case, beside the right
			 * one
			 */
			if (was == NULL || document_is_string(&pair->key, attribute->name))
			{
				if (is_given[attribute - level->set->attributes])
					validation_problem(level->validation, attribute->path, SCIM_INVALID_SYNTAX,
									   "Names are the same in any case.",
									   "attribute \"%s\" is there twice", attribute->path);
				is_given[attribute - level->set->attributes] = true;
			}
		}
		if (was != NULL && document_equal(was, &pair->value))
		{
			document_set(result, name, len, was);
			continue;
		}
		if (attribute == NULL)
		{
			value = adjust_unknown(level, pair);
			if (value != NULL)
				document_set(result, name, len, value);
			continue;
		}
		value = adjust_attribute(level, attribute,
								 document_find(before, attribute->name, attribute->name_len),
								 document_find(planned, attribute->name, attribute->name_len),
								 &pair->value);
		if (value != NULL)
			document_set(result, attribute->name, attribute->name_len, value);
	}
	/* and what it took away */
	for (int i = 0; i < level->set->count; i++)
	{
		Attribute  *attribute = &level->set->attributes[i];
		JsonbValue *was = document_find(planned, attribute->name, attribute->name_len);
		JsonbValue *value;

		if (was == NULL || is_given[i])
			continue;
		value = adjust_attribute(level, attribute,
								 document_find(before, attribute->name, attribute->name_len),
								 was, NULL);
		if (value != NULL)
			document_set(result, attribute->name, attribute->name_len, value);
	}
	return result;
}

/*
 * The document to write, where one was planned and the function gave another;
 * before is that of the user so far, or NULL.  What is wrong with it is noted in
 * validation.
 */
JsonbValue *
adjust_document(Validation *validation, const Schema *schema, const Profile *profile,
				JsonbValue *before, JsonbValue *planned, JsonbValue *given)
{
	Level		level = {schema, validation, profile->unknown == UNKNOWN_KEEP, false, &schema->attributes, NULL};
	JsonbValue *result = adjust_level(&level, before, planned, given);

	/* what plain SQL put there means nothing and stays, as in an update */
	for (int i = 0; i < lengthof(common_names); i++)
	{
		JsonbValue *value = document_member(planned, common_names[i]);

		if (value != NULL)
			document_set(result, common_names[i], strlen(common_names[i]), value);
	}
	return result;
}
