/*
 * unstored.c
 *	  What a request may send and no document holds: a password, of which only
 *	  a hash is kept, and wishes (transient attributes), which are heard once.
 *
 * They are taken out of the request before anything is made of it, so that no
 * document, history, answer or idempotency key can come to hold them.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "core/update/update.h"

/*
 * Forget a string wherever the tree has it.  Trees of one jsonb share their
 * strings, so the same one is known by where it lies.
 */
static void
forget(JsonbValue *tree, const char *string)
{
	check_stack_depth();
	switch (tree->type)
	{
		case jbvString:
			if (tree->val.string.val == string)
				tree->type = jbvNull;
			break;
		case jbvArray:
			for (int i = 0; i < tree->val.array.nElems; i++)
				forget(&tree->val.array.elems[i], string);
			break;
		case jbvObject:
			document_foreach(pair, tree)
				forget(&pair->value, string);
			break;
		default:
			break;
	}
}

/*
 * Take an attribute out of an object that was sent; NULL when it is not there.
 */
static JsonbValue *
take_member(Update *update, const AttributeSet *set, const Attribute *attribute,
			JsonbValue *object, JsonbValue *body)
{
	JsonbValue *taken = NULL;

	for (int i = 0; i < object->val.object.nPairs; i++)
	{
		JsonbPair  *pair = &object->val.object.pairs[i];

		if (attribute_find(set, pair->key.val.string.val, pair->key.val.string.len) != attribute)
			continue;
		if (taken != NULL)
			validation_problem(&update->validation, attribute->path, SCIM_INVALID_SYNTAX,
							   "Names are the same in any case; send one of them.",
							   "attribute \"%s\" is sent twice", attribute->path);
		taken = palloc(sizeof(JsonbValue));
		*taken = pair->value;
		if (taken->type == jbvString && format_is_password(attribute->format))
			forget(body, taken->val.string.val);
		document_remove(object, pair->key.val.string.val, pair->key.val.string.len);
		i--;
	}
	return taken;
}

static JsonbValue *
take(Update *update, const Unstored *unstored, JsonbValue *sent, JsonbValue *body)
{
	const AttributeSet *set = &update->schema->attributes;
	JsonbValue *taken = NULL;

	if (unstored->extension == NULL)
		return take_member(update, set, unstored->attribute, sent, body);
	document_foreach(pair, sent)
	{
		JsonbValue *value;

		if (attribute_find(set, pair->key.val.string.val,
						   pair->key.val.string.len) != unstored->extension)
			continue;
		/* what clears the extension clears all that belongs to it */
		if (pair->value.type == jbvNull)
			taken = &pair->value;
		if (pair->value.type != jbvObject)
			continue;
		/* the body has the same members, and keeps their count */
		pair->value = *document_copy_top(&pair->value);
		value = take_member(update, &unstored->extension->subs, unstored->attribute,
							&pair->value, body);
		if (value != NULL)
			taken = value;
	}
	return taken;
}

static void
judge_password(Update *update, const Attribute *attribute, JsonbValue *value, SentUnstored *taken)
{
	taken->has_password = true;
	if (clears(update, attribute, value))
	{
		if (update->schema->password_required)
			missing_required(&update->validation, attribute);
		return;
	}
	validate_value(&update->validation, attribute, value);
	if (value->val.string.len == 0)
		validation_problem(&update->validation, attribute->path, SCIM_INVALID_VALUE,
						   "Send null to leave the user without one.",
						   "attribute \"%s\" is empty", attribute->path);
	taken->password = document_cstring(value);
}

/*
 * Take what no document holds out of the attributes that were sent, and the
 * clear text of a password out of the body that they came from.
 */
void
unstored_take(Update *update, JsonbValue *sent, JsonbValue *body, SentUnstored *taken)
{
	ListCell   *lc;

	memset(taken, 0, sizeof(SentUnstored));
	foreach(lc, update->schema->unstored)
	{
		Unstored   *unstored = lfirst(lc);
		Attribute  *attribute = unstored->attribute;
		JsonbValue *value = take(update, unstored, sent, body);

		if (value == NULL)
			continue;
		if (attribute == update->schema->password && value->type != jbvNull)
			taken->carries_password = true;
		if (attribute->mutability == MUTABILITY_READ_ONLY)
			continue;
		/* to clear a password that is not there is no offence: see later */
		if (attribute->writable == WRITABLE_NOT &&
			(value->type != jbvNull || attribute != update->schema->password))
			refuse_not_writable(update, attribute->path, value, NULL);
		else if (attribute == update->schema->password)
			judge_password(update, attribute, value, taken);
		else if (value->type != jbvNull)
		{
			if (update->profile->lenient)
				value = lenient_value(attribute, value);
			validate_value(&update->validation, attribute, value);
			if (value->val.boolean)
				taken->wishes = lappend(taken->wishes, unconstify(char *, attribute->path));
		}
	}
}

/* What the parts of a request add up to: the last password counts. */
void
unstored_add(SentUnstored *taken, const SentUnstored *part)
{
	taken->carries_password |= part->carries_password;
	taken->wishes = list_concat(taken->wishes, part->wishes);
	if (part->has_password)
	{
		taken->has_password = true;
		taken->password = part->password;
	}
}

/*
 * A document from before an attribute became one of these holds it no longer.
 */
void
unstored_drop(const Schema *schema, JsonbValue *document)
{
	ListCell   *lc;

	foreach(lc, schema->unstored)
	{
		Unstored   *unstored = lfirst(lc);
		Attribute  *attribute = unstored->attribute;
		JsonbValue *object = document;

		if (unstored->extension != NULL)
		{
			object = document_find(document, unstored->extension->name,
								   unstored->extension->name_len);
			if (object == NULL || object->type != jbvObject)
				continue;
			*object = *document_copy_top(object);
		}
		document_remove(object, attribute->name, attribute->name_len);
	}
}

/* A user who is created has what is required. */
void
unstored_require(Update *update, const SentUnstored *taken)
{
	if (update->schema->password_required && taken->password == NULL)
		missing_required(&update->validation, update->schema->password);
}

/*
 * Bodies that were not read
 */

/*
 * What the password is called (char *): as an attribute, in JSON pointers (RFC
 * 6901), and as a field of the profile's.
 */
static List *
password_names(const Schema *schema, const Profile *profile)
{
	const Attribute *password = schema->password;
	StringInfoData pointer;
	List	   *names;

	if (password == NULL)
		return NIL;
	initStringInfo(&pointer);
	for (const char *c = password->name; *c; c++)
	{
		if (*c == '~' || *c == '/')
			appendStringInfoString(&pointer, *c == '~' ? "~0" : "~1");
		else
			appendStringInfoChar(&pointer, *c);
	}
	names = list_make2(unconstify(char *, password->name), pointer.data);
	if (profile->names != NULL)
	{
		document_foreach(pair, profile->names)
		{
			if (path_resolve(schema, document_cstring(&pair->value)) == password)
				names = lappend(names, document_cstring(&pair->key));
		}
	}
	return names;
}

static int
length_without_blanks(const char *text, int len)
{
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return len;
}

/* Does a text end with one of the names, as a path does that leads there? */
static bool
ends_with_name(const JsonbValue *text, List *names)
{
	int			len = length_without_blanks(text->val.string.val, text->val.string.len);
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		int			name_len = length_without_blanks(name, strlen(name));

		if (len >= name_len &&
			attribute_same_name(text->val.string.val + len - name_len, name, name_len))
			return true;
	}
	return false;
}

/*
 * May a body that was not read carry a password?  If anything in it, be it a
 * name or a path or the value of a "name", ends as the attribute is called.
 */
bool
unstored_may_carry(const Schema *schema, const Profile *profile, Jsonb *body)
{
	List	   *names = password_names(schema, profile);
	JsonbIterator *iterator = JsonbIteratorInit(&body->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while (names != NIL && (token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if ((token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM) &&
			value.type == jbvString && ends_with_name(&value, names))
			return true;
	}
	return false;
}

static bool
forget_named(JsonbValue *body, List *names)
{
	bool		found = false;
	bool		is_named = false;

	check_stack_depth();
	if (body->type == jbvArray)
	{
		for (int i = 0; i < body->val.array.nElems; i++)
			found |= forget_named(&body->val.array.elems[i], names);
	}
	if (body->type != jbvObject)
		return found;
	document_foreach(pair, body)
		is_named |= pair->value.type == jbvString && ends_with_name(&pair->value, names);
	document_foreach(pair, body)
	{
		if (ends_with_name(&pair->key, names) ||
			(is_named && pair->key.val.string.len == strlen("value") &&
			 attribute_same_name("value", pair->key.val.string.val, strlen("value"))))
		{
			pair->value.type = jbvNull;
			found = true;
		}
		else
			found |= forget_named(&pair->value, names);
	}
	return found;
}

/*
 * Forget the password in a body that could not be read: whatever has its name,
 * as a member, or as a field {"name": …, "value": …} or the path of an operation
 * beside a value.  Gives true when there is such.
 */
bool
unstored_forget(const Schema *schema, const Profile *profile, JsonbValue *body)
{
	List	   *names = password_names(schema, profile);

	return names != NIL && forget_named(body, names);
}
