/*
 * replace.c
 *	  PUT (RFC 7644 section 3.5.1): what was sent takes the place of what is
 *	  stored.
 *
 * readOnly attributes stay as they are, whatever was sent; writeOnly ones that
 * were left out are kept; an immutable value stays once it is set; of the
 * others that were left out, the schema or the profile says what becomes of
 * them (absent).
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/update/update.h"

static JsonbValue *replace_members(Update *update, const AttributeSet *set,
								   const Attribute *parent, JsonbValue *before,
								   JsonbValue *sent, Absent inherited);

static bool
lacks_required(const Attribute *attribute, JsonbValue *value)
{
	Validation	validation = {.collect = true};

	validate_required(&validation, &attribute->subs, value);
	return validation.problems != NIL;
}

/*
 * An extension that was left out, of which something stays that cannot go: then
 * what it requires stays, too.
 */
static void
keep_required(const Attribute *extension, JsonbValue *before, JsonbValue *value)
{
	if (!extension_in_use(extension, value))
		return;
	for (int i = 0; i < extension->subs.count; i++)
	{
		const Attribute *attribute = &extension->subs.attributes[i];
		JsonbValue *old = document_find(before, attribute->name, attribute->name_len);

		if (attribute->required && old != NULL &&
			document_find(value, attribute->name, attribute->name_len) == NULL)
			document_append(value, attribute->name, attribute->name_len, old);
	}
}

/*
 * An attribute that was left out.  in_sent says whether the object that it
 * belongs to was sent at all; if not, what becomes of that (inherited) goes
 * for its parts too, unless they say otherwise.  An extension is no value but a
 * namespace: left out whole, each of its attributes was.
 */
static JsonbValue *
left_out(Update *update, const Attribute *attribute, const Attribute *parent,
		 JsonbValue *before, bool in_sent, Absent inherited)
{
	bool		by_itself = in_sent || (parent != NULL && parent->is_extension);
	Absent		absent = attribute->absent == ABSENT_INHERIT ? inherited : attribute->absent;
	JsonbValue *value = NULL;
	bool		is_blank = false;

	if (attribute->mutability == MUTABILITY_IMMUTABLE ||
		attribute->mutability == MUTABILITY_WRITE_ONLY || absent == ABSENT_KEEP)
		value = before;
	/* of a namespace, or a value with parts that stay, each part is left out */
	else if (attribute->is_extension ||
			 (attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
			  before != NULL && before->type == jbvObject))
	{
		if (before == NULL || before->type != jbvObject)
			before = document_new_object();
		value = replace_members(update, &attribute->subs, attribute, before, NULL, absent);
		if (attribute->is_extension)
			keep_required(attribute, before, value);
		if (is_empty_object(value))
			value = NULL;
	}
	else if (attribute->writable == WRITABLE_PARTLY)
		value = before;
	else if (absent == ABSENT_BLANK && by_itself && before != NULL &&
			 before->type == jbvString && attribute->type == TYPE_STRING &&
			 !attribute->multi_valued)
	{
		value = document_string("");
		is_blank = true;
	}
	/* no part is removed that leaves the others behind as no value */
	if (value != NULL && before != NULL && !attribute->is_extension &&
		attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
		lacks_required(attribute, value))
		value = before;
	if (value == NULL && absent == ABSENT_DEFAULT && by_itself)
		value = attribute->default_value;
	if (in_sent && attribute->required && (value == NULL || is_blank))
		missing_required(&update->validation, attribute);
	return value;
}

/*
 * A single complex value that was sent.
 */
static JsonbValue *
replace_complex(Update *update, const Attribute *attribute, JsonbValue *before,
				JsonbValue *sent)
{
	JsonbValue *value;

	if (before == NULL || before->type != jbvObject)
		before = document_new_object();
	validate_sent_dependencies(&update->validation, attribute, sent);
	if (attribute->lookup != NULL)
	{
		/* what is displayed goes with the value, so none of it is kept */
		value = new_object(update, &attribute->subs, attribute, sent, before, false);
		validate_item(&update->validation, attribute, value);
	}
	else
		value = replace_members(update, &attribute->subs, attribute, before, sent,
								update->profile->absent);
	return is_empty_object(value) ? NULL : value;
}

/*
 * A blank that an earlier PUT made comes back when the user is read and sent
 * again: that is no new value to judge.
 */
static bool
is_standing_blank(const Attribute *attribute, JsonbValue *before, JsonbValue *value)
{
	return attribute->type == TYPE_STRING && !attribute->required &&
		document_is_string(before, "") && document_is_string(value, "");
}

static JsonbValue *
replace_attribute(Update *update, const Attribute *attribute, const Attribute *parent,
				  JsonbValue *before, JsonbValue *sent, bool in_sent, Absent inherited)
{
	JsonbValue *value;

	if (attribute->mutability == MUTABILITY_READ_ONLY)
		return before;
	if (attribute->writable == WRITABLE_NOT)
	{
		refuse_not_writable(update, attribute->path, sent, before);
		return before;
	}
	if (sent == NULL)
		return left_out(update, attribute, parent, before, in_sent, inherited);
	if (clears(update, attribute, sent))
		value = left_when_cleared(update, attribute, before);
	else if (attribute->type == TYPE_COMPLEX && !attribute->multi_valued &&
			 sent->type == jbvObject)
		value = replace_complex(update, attribute, before, sent);
	else
	{
		value = new_value_of(update, attribute, sent, before, false);
		if (attribute->type == TYPE_COMPLEX && !attribute->multi_valued && is_empty_object(value))
			value = NULL;
		else if (!is_standing_blank(attribute, before, value))
			validate_value(&update->validation, attribute, value);
	}
	if (value == NULL && attribute->required)
		missing_required(&update->validation, attribute);
	if (attribute->mutability == MUTABILITY_IMMUTABLE && before != NULL &&
		!document_equal(before, value))
		refuse_change(update, attribute->path,
					  "The attribute is immutable: it can be set once.");
	require_fixed_part(update, attribute, before, value);
	return value;
}

/*
 * What a stored readOnly member of a complex value says of another member
 * (a manager's displayName of the manager's id) is out of date when that one
 * changes.
 */
static bool
is_outdated(const AttributeSet *set, const Attribute *parent, const Attribute *attribute,
			JsonbValue *before, SentMembers *members)
{
	Attribute  *value;

	if (parent == NULL || parent->is_extension ||
		attribute->mutability != MUTABILITY_READ_ONLY)
		return false;
	value = attribute_member(set, "value");
	if (value == NULL || value->mutability == MUTABILITY_READ_ONLY)
		return false;
	return !document_equal(document_find(before, value->name, value->name_len),
						   members->values[value - set->attributes]);
}

/*
 * What is taken from a sibling that was sent (a display from a value) goes with
 * it, whatever was stored.
 */
static void
take_from_siblings(const AttributeSet *set, JsonbValue *after, JsonbValue *sent,
				   SentMembers *members, Absent inherited)
{
	for (int i = 0; sent != NULL && i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];
		const Attribute *sibling = attribute->default_from;
		Absent		absent = attribute->absent == ABSENT_INHERIT ? inherited : attribute->absent;
		JsonbValue *value;

		if (sibling == NULL || members->values[i] != NULL || absent == ABSENT_KEEP ||
			attribute->mutability != MUTABILITY_READ_WRITE ||
			attribute->writable != WRITABLE ||
			members->values[sibling - set->attributes] == NULL)
			continue;
		value = document_find(after, sibling->name, sibling->name_len);
		if (value != NULL)
			document_set(after, attribute->name, attribute->name_len, value);
	}
}

/*
 * One level of a replace.  sent is NULL when the object that the level belongs
 * to was left out.
 */
static JsonbValue *
replace_members(Update *update, const AttributeSet *set, const Attribute *parent,
				JsonbValue *before, JsonbValue *sent, Absent inherited)
{
	SentMembers members = sent_members(update, set, parent, sent);
	JsonbValue *after = document_new_object();
	bool		keeps_unknown;
	ListCell   *lc;

	check_stack_depth();
	keeps_unknown = update->profile->unknown != UNKNOWN_KEEP ||
		update->profile->absent == ABSENT_KEEP;
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];
		JsonbValue *old = document_find(before, attribute->name, attribute->name_len);
		JsonbValue *value;

		if (old != NULL && is_outdated(set, parent, attribute, before, &members))
			continue;
		value = replace_attribute(update, attribute, parent, old, members.values[i],
								  sent != NULL, inherited);
		if (value != NULL)
			document_append(after, attribute->name, attribute->name_len, value);
	}

	take_from_siblings(set, after, sent, &members, inherited);

	/* a request that cannot name an attribute cannot mean to remove it */
	document_foreach(pair, before)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;

		if (attribute_find(set, name, len) == NULL &&
			(keeps_unknown || !writes_unknown(update, parent, name, len)))
			document_append(after, name, len, &pair->value);
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
			document_set(after, name, len, without_nulls(&pair->value));
	}
	return after;
}

/*
 * The document that a PUT makes.  before is NULL when the user is created: the
 * same request again then makes the same document, so it is no more than a
 * replacement of nothing.
 */
JsonbValue *
replace_document(Update *update, JsonbValue *before, JsonbValue *sent)
{
	return replace_members(update, &update->schema->attributes, NULL,
						   before != NULL ? before : document_new_object(), sent,
						   update->profile->absent);
}

/*
 * The document of a user who is created: defaults fill what is left out.
 */
JsonbValue *
create_document(Update *update, JsonbValue *sent)
{
	JsonbValue *document = new_object(update, &update->schema->attributes, NULL, sent, NULL,
									  true);

	validate_document(&update->validation, update->schema, document);
	return document;
}
