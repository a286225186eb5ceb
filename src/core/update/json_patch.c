/*
 * json_patch.c
 *	  A partial update by a JSON Patch (RFC 6902).
 *
 * The operations are done to a copy of the document as it stands.  The
 * attributes in which that comes to differ are then judged and set, as those of
 * any partial update are.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/update/update.h"

#define BAD_PATCH(code, pointer, scim_type, hint, ...) \
	ereport(ERROR, \
			(errcode(code), \
			 errmsg(__VA_ARGS__), \
			 errdetail_path((pointer), (scim_type)), \
			 errhint("%s", (hint))))

/* A JSON pointer (RFC 6901), with what it says of the user's attributes. */
typedef struct JsonPointer
{
	char	   *text;			/* for messages */
	List	   *tokens;			/* of char * */
} JsonPointer;

struct JsonPatchOperation
{
	char	   *op;
	JsonPointer path;
	JsonPointer from;			/* of move and copy */
	JsonbValue *value;
};

static void
no_target(const JsonPointer *pointer)
{
	BAD_PATCH(ERRCODE_USER_BAD_REQUEST, pointer->text, SCIM_NO_TARGET,
			  "Name a value that is there.", "\"%s\" points to nothing", pointer->text);
}

/* What answers show beside the attributes is no part of them. */
static void
refuse_common(Update *update, const char *name)
{
	static const char *const names[] = {"id", "meta", "schemas"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(name, names[i]) == 0)
			refuse_change(update, names[i], "It is set by the service provider.");
	}
}

/*
 * Reading
 */

static char *
unescape(char *token)
{
	char	   *to = token;

	for (char *c = token; *c; c++)
	{
		if (c[0] == '~' && (c[1] == '0' || c[1] == '1'))
			*to++ = *++c == '0' ? '~' : '/';
		else
			*to++ = *c;
	}
	*to = '\0';
	return token;
}

static JsonPointer
read_pointer(Update *update, JsonbValue *sent, const char *name)
{
	JsonbValue *value = document_member(sent, name);
	JsonPointer pointer = {0};
	char	   *token;
	char	   *end;
	Attribute  *attribute;

	if (value == NULL || value->type != jbvString)
		BAD_PATCH(ERRCODE_USER_BAD_REQUEST, NULL, SCIM_INVALID_SYNTAX,
				  "Send a JSON pointer such as \"/title\".",
				  "an operation has no \"%s\"", name);
	pointer.text = shown_name(value->val.string.val, value->val.string.len);
	token = document_cstring(value);
	if (*token != '\0' && *token != '/')
		BAD_PATCH(ERRCODE_USER_BAD_REQUEST, pointer.text, SCIM_INVALID_PATH,
				  "It begins with a slash, as \"/title\".",
				  "\"%s\" is no JSON pointer", pointer.text);
	for (char *c = token; *c; c++)
	{
		if (*c == '~' && c[1] != '0' && c[1] != '1')
			BAD_PATCH(ERRCODE_USER_BAD_REQUEST, pointer.text, SCIM_INVALID_PATH,
					  "Write ~ as ~0 and / as ~1.", "\"%s\" is no JSON pointer", pointer.text);
	}
	while (*token == '/')
	{
		token++;
		end = strchr(token, '/');
		pointer.tokens = lappend(pointer.tokens,
								 unescape(end != NULL ? pnstrdup(token, end - token) : pstrdup(token)));
		if (end == NULL)
			break;
		token = end;
	}
	if (pointer.tokens == NIL)
		BAD_PATCH(ERRCODE_USER_BAD_REQUEST, pointer.text, SCIM_INVALID_PATH,
				  "To replace all of the user, use PUT.", "an operation is for the user as a whole");
	refuse_common(update, linitial(pointer.tokens));
	/* attributes have their names in any case (RFC 7643 section 2.1) */
	attribute = attribute_member(&update->schema->attributes, linitial(pointer.tokens));
	if (attribute != NULL)
		linitial(pointer.tokens) = unconstify(char *, attribute->name);
	return pointer;
}

/*
 * Read a patch.  Gives its operations, of JsonPatchOperation *.
 */
List *
json_patch_read(Update *update, JsonbValue *body)
{
	static const char *const names[] = {"add", "remove", "replace", "move", "copy", "test"};
	List	   *operations = NIL;

	for (int i = 0; i < body->val.array.nElems; i++)
	{
		JsonbValue *sent = &body->val.array.elems[i];
		JsonbValue *op = document_member(sent, "op");
		JsonPatchOperation *operation = palloc0(sizeof(JsonPatchOperation));

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < lengthof(names); k++)
		{
			if (document_is_string(op, names[k]))
				operation->op = unconstify(char *, names[k]);
		}
		if (operation->op == NULL)
			BAD_PATCH(ERRCODE_USER_BAD_REQUEST, NULL, SCIM_INVALID_SYNTAX,
					  "\"op\" is add, remove, replace, move, copy or test.",
					  "an operation has an unknown \"op\"");
		operation->path = read_pointer(update, sent, "path");
		if (strcmp(operation->op, "move") == 0 || strcmp(operation->op, "copy") == 0)
			operation->from = read_pointer(update, sent, "from");
		else if (strcmp(operation->op, "remove") != 0)
		{
			operation->value = document_member(sent, "value");
			if (operation->value == NULL)
				BAD_PATCH(ERRCODE_USER_BAD_REQUEST, operation->path.text, SCIM_INVALID_VALUE,
						  "Send what is to be there, or to be tested, as \"value\".",
						  "an operation has no value");
		}
		operations = lappend(operations, operation);
	}
	return operations;
}

/* A value to which tokens lead, and nothing else. */
static JsonbValue *
wrap_in_tokens(List *tokens, JsonbValue *value)
{
	for (int i = list_length(tokens) - 1; i >= 0; i--)
	{
		JsonbValue *object = document_new_object();

		document_add(object, list_nth(tokens, i), value);
		value = object;
	}
	return value;
}

/* The value to which tokens lead, or NULL. */
static JsonbValue *
find_by_tokens(JsonbValue *value, List *tokens)
{
	ListCell   *lc;

	foreach(lc, tokens)
		value = document_member(value, lfirst(lc));
	return value;
}

/* Does a pointer lead to what no document holds? */
static bool
is_unstored(const Schema *schema, const JsonPointer *pointer)
{
	ListCell   *lc;

	foreach(lc, schema->unstored)
	{
		Unstored   *unstored = lfirst(lc);
		const char *name = linitial(pointer->tokens);

		if (unstored->extension != NULL && list_length(pointer->tokens) > 1 &&
			strcmp(unstored->extension->name, name) == 0 &&
			attribute_member(&unstored->extension->subs, lsecond(pointer->tokens)) == unstored->attribute)
			return true;
		if (unstored->extension == NULL && strcmp(unstored->attribute->name, name) == 0)
			return true;
	}
	return false;
}

/*
 * What no document holds is taken out of the operations: it can be set and
 * removed.
 */
List *
json_patch_take_unstored(Update *update, List *operations, JsonbValue *body, SentUnstored *taken)
{
	List	   *others = NIL;
	ListCell   *lc;

	memset(taken, 0, sizeof(SentUnstored));
	foreach(lc, operations)
	{
		JsonPatchOperation *operation = lfirst(lc);
		List	   *tokens = operation->path.tokens;
		bool		removes = strcmp(operation->op, "remove") == 0;
		JsonbValue	none = {.type = jbvNull};
		JsonbValue *sent;
		SentUnstored part;

		if (removes || strcmp(operation->op, "add") == 0 || strcmp(operation->op, "replace") == 0)
		{
			sent = wrap_in_tokens(tokens, removes ? &none : operation->value);
			unstored_take(update, sent, body, &part);
			unstored_add(taken, &part);
			/* of the value, if it was more than that */
			sent = find_by_tokens(sent, tokens);
			if (sent == NULL)
				continue;
			if (!removes)
				operation->value = sent;
		}
		else if (is_unstored(update->schema, &operation->path))
			no_target(&operation->path);
		others = lappend(others, operation);
	}
	return others;
}

/*
 * Applying
 */

/* The place in an array that a token names; may_end: also the one behind it. */
static int
array_place(const JsonPointer *pointer, const char *token, int count, bool may_end)
{
	long		place = 0;

	if (may_end && strcmp(token, "-") == 0)
		return count;
	if (*token == '\0' || strspn(token, "0123456789") != strlen(token) ||
		(token[0] == '0' && token[1] != '\0'))
		BAD_PATCH(ERRCODE_USER_BAD_REQUEST, pointer->text, SCIM_INVALID_PATH,
				  "Values of a list are counted from 0; - is behind the last one.",
				  "\"%s\" does not name a value of a list", pointer->text);
	for (const char *c = token; *c && place <= count; c++)
		place = place * 10 + (*c - '0');
	if (place > count || (place == count && !may_end))
		no_target(pointer);
	return place;
}

/* The container of what a pointer points to. */
static JsonbValue *
parent_of(JsonbValue *document, const JsonPointer *pointer)
{
	JsonbValue *value = document;
	ListCell   *lc;

	foreach(lc, pointer->tokens)
	{
		char	   *token = lfirst(lc);

		if (foreach_current_index(lc) == list_length(pointer->tokens) - 1)
			break;
		if (value->type == jbvArray)
			value = &value->val.array.elems[array_place(pointer, token, value->val.array.nElems, false)];
		else if (value->type != jbvObject || (value = document_member(value, token)) == NULL)
			no_target(pointer);
	}
	if (value->type != jbvObject && value->type != jbvArray)
		no_target(pointer);
	return value;
}

static JsonbValue *
value_at(JsonbValue *document, const JsonPointer *pointer)
{
	JsonbValue *parent = parent_of(document, pointer);
	char	   *token = llast(pointer->tokens);
	JsonbValue *value;

	if (parent->type == jbvArray)
		return &parent->val.array.elems[array_place(pointer, token, parent->val.array.nElems, false)];
	value = document_member(parent, token);
	if (value == NULL)
		no_target(pointer);
	return value;
}

static void
remove_at(JsonbValue *document, const JsonPointer *pointer)
{
	JsonbValue *parent = parent_of(document, pointer);
	char	   *token = llast(pointer->tokens);
	int			place;

	(void) value_at(document, pointer);
	if (parent->type == jbvObject)
	{
		document_remove(parent, token, strlen(token));
		return;
	}
	place = array_place(pointer, token, parent->val.array.nElems, false);
	memmove(&parent->val.array.elems[place], &parent->val.array.elems[place + 1],
			sizeof(JsonbValue) * (parent->val.array.nElems - place - 1));
	parent->val.array.nElems--;
}

static void
add_at(JsonbValue *document, const JsonPointer *pointer, JsonbValue *value)
{
	JsonbValue *parent = parent_of(document, pointer);
	char	   *token = llast(pointer->tokens);
	int			place;

	if (parent->type == jbvObject)
	{
		document_set(parent, token, strlen(token), value);
		return;
	}
	place = array_place(pointer, token, parent->val.array.nElems, true);
	document_push(parent, value);
	memmove(&parent->val.array.elems[place + 1], &parent->val.array.elems[place],
			sizeof(JsonbValue) * (parent->val.array.nElems - place - 1));
	parent->val.array.elems[place] = *value;
}

/* About how much memory a value takes. */
static int64
size_of(JsonbValue *value)
{
	int64		size = sizeof(JsonbValue);

	check_stack_depth();
	if (value->type == jbvString)
		size += value->val.string.len;
	for (int i = 0; value->type == jbvArray && i < value->val.array.nElems; i++)
		size += size_of(&value->val.array.elems[i]);
	if (value->type == jbvObject)
	{
		document_foreach(pair, value)
			size += pair->key.val.string.len + size_of(&pair->value);
	}
	return size;
}

/* A few copies of what was copied before would fill any memory. */
static void
count_copy(Update *update, const JsonPointer *pointer, JsonbValue *value, int64 *copied)
{
	*copied += size_of(value);
	if (*copied > update->profile->max_payload_size)
		BAD_PATCH(ERRCODE_USER_PAYLOAD_TOO_LARGE, pointer->text, NULL,
				  psprintf("API profile \"%s\" accepts " INT64_FORMAT " bytes.",
						   update->profile->name, update->profile->max_payload_size),
				  "the operations copy too much");
}

/* Is a pointer the beginning of another one? */
static bool
contains(const JsonPointer *outer, const JsonPointer *inner)
{
	ListCell   *a;
	ListCell   *b;

	if (list_length(outer->tokens) >= list_length(inner->tokens))
		return false;
	forboth(a, outer->tokens, b, inner->tokens)
	{
		if (strcmp(lfirst(a), lfirst(b)) != 0)
			return false;
	}
	return true;
}

static void
apply(Update *update, JsonbValue *document, JsonPatchOperation *operation, int64 *copied)
{
	JsonbValue *value = operation->value;

	if (strcmp(operation->op, "test") == 0)
	{
		if (!document_equal(value_at(document, &operation->path), value))
			BAD_PATCH(ERRCODE_USER_CONFLICT, operation->path.text, NULL,
					  "The user has changed, or never was as the test has it; read it again.",
					  "the test of \"%s\" fails", operation->path.text);
		return;
	}
	if (strcmp(operation->op, "move") == 0 && contains(&operation->from, &operation->path))
		BAD_PATCH(ERRCODE_USER_BAD_REQUEST, operation->path.text, SCIM_INVALID_PATH,
				  "Move it elsewhere.", "\"%s\" cannot be moved into itself", operation->from.text);
	if (operation->from.tokens != NIL)
	{
		value = value_at(document, &operation->from);
		if (strcmp(operation->op, "copy") == 0)
			count_copy(update, &operation->path, value, copied);
		value = document_copy(value);
	}
	if (strcmp(operation->op, "move") == 0)
		remove_at(document, &operation->from);
	if (strcmp(operation->op, "remove") == 0)
		remove_at(document, &operation->path);
	else if (strcmp(operation->op, "replace") == 0)
		*value_at(document, &operation->path) = *document_copy(value);
	else
		add_at(document, &operation->path, document_copy(value));
}

/*
 * An attribute whose value the operations changed.  What they left is the whole
 * value: nothing of the one before is merged into it but what cannot be sent.
 */
static JsonbValue *
set_attribute(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *wanted)
{
	JsonbValue	none = {.type = jbvNull};
	JsonbValue *value;

	if (attribute->mutability == MUTABILITY_READ_ONLY)
		refuse_change(update, attribute->path, "The attribute is readOnly.");
	if (wanted == NULL && attribute->required)
		missing_required(&update->validation, attribute);
	if (wanted == NULL || attribute->writable == WRITABLE_NOT)
		return merge_attribute(update, attribute, before, wanted != NULL ? wanted : &none);
	value = clears(update, attribute, wanted) ? NULL :
		new_value_of(update, attribute, wanted, before, false);
	if (value != NULL && attribute->type == TYPE_COMPLEX && is_empty_object(value))
		value = NULL;
	if (value != NULL)
		validate_value(&update->validation, attribute, value);
	else if (attribute->required)
		missing_required(&update->validation, attribute);
	if (attribute->mutability == MUTABILITY_IMMUTABLE && before != NULL &&
		!document_equal(before, value))
		refuse_change(update, attribute->path, "The attribute is immutable: it can be set once.");
	require_fixed_part(update, attribute, before, value);
	return value;
}

/*
 * The document that the operations make of one.
 */
JsonbValue *
json_patch_document(Update *update, JsonbValue *before, List *operations)
{
	const AttributeSet *set = &update->schema->attributes;
	JsonbValue *wanted = document_copy(before);
	JsonbValue *unknown = document_new_object();
	JsonbValue *after = document_copy_top(before);
	JsonbValue	none = {.type = jbvNull};
	int64		copied = 0;
	ListCell   *lc;

	foreach(lc, operations)
	{
		CHECK_FOR_INTERRUPTS();
		apply(update, wanted, lfirst(lc), &copied);
	}
	document_require_depth(wanted);
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];
		JsonbValue *old = document_find(before, attribute->name, attribute->name_len);
		JsonbValue *value = document_find(wanted, attribute->name, attribute->name_len);

		if (document_equal(old, value))
			continue;
		value = set_attribute(update, attribute, old, value);
		if (value != NULL)
			document_set(after, attribute->name, attribute->name_len, value);
		else
			document_remove(after, attribute->name, attribute->name_len);
	}
	/* what no schema knows is merged, or refused, as the profile says */
	document_foreach(pair, wanted)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		JsonbValue *old = document_find(before, name, len);

		if (attribute_find(set, name, len) == NULL && !document_equal(old, &pair->value))
		{
			/* not merged with what is there: this is the whole value */
			document_remove(after, name, len);
			document_append(unknown, name, len, &pair->value);
		}
	}
	document_foreach(pair, before)
	{
		if (attribute_find(set, pair->key.val.string.val, pair->key.val.string.len) == NULL &&
			document_find(wanted, pair->key.val.string.val, pair->key.val.string.len) == NULL)
			document_append(unknown, pair->key.val.string.val, pair->key.val.string.len, &none);
	}
	return unknown->val.object.nPairs > 0 ? merge_document(update, after, unknown) : after;
}
