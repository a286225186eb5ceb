/*
 * scim_patch.c
 *	  A partial update by a PatchOp message (RFC 7644 section 3.5.2).
 *
 * Operations are read into one form, "do this at the end of that path", and
 * applied one after the other, each to what those before it left.  An operation
 * without a path is one for each attribute in its value.  What a value becomes
 * and whether it is good is for merge.c to say, as of any partial update.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "core/scim/filter.h"
#include "core/scim/path.h"
#include "core/update/update.h"

typedef enum PatchKind
{
	PATCH_ADD,
	PATCH_REMOVE,
	PATCH_REPLACE
} PatchKind;

/* A step of a path; the attribute is NULL where no schema knows it. */
typedef struct PatchStep
{
	const char *name;
	int			len;
	const Attribute *attribute;
} PatchStep;

/* How much memory operations may fill before it is tidied. */
#define WORK_BYTES	(8 * 1024 * 1024)

/* With what the URNs of core schemas begin. */
static const char core_urn[] = "urn:ietf:params:scim:schemas:core:";

struct PatchOperation
{
	PatchKind	kind;
	const char *path;			/* for messages */
	List	   *steps;			/* of PatchStep * */
	Filter	   *filter;			/* selects values of the last step, or NULL */
	List	   *sub_steps;		/* below the values selected, or NIL */
	JsonbValue *value;			/* NULL: remove */
};

static JsonbValue *patch_object(Update *update, PatchOperation *operation, List *steps,
								int step, const Attribute *parent, JsonbValue *object);

#define BAD_PATCH(path, scim_type, hint, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_USER_BAD_REQUEST), \
			 errmsg(__VA_ARGS__), \
			 errdetail_path((path), (scim_type)), \
			 errhint("%s", (hint))))

/*
 * Reading
 */

static bool
is_named(const JsonbValue *name, const char *wanted)
{
	return name->val.string.len == strlen(wanted) &&
		pg_strncasecmp(name->val.string.val, wanted, name->val.string.len) == 0;
}

/* A member of a message, whose names are the same in any case (RFC 7643 section 2.1). */
static JsonbValue *
message_member(JsonbValue *message, const char *name)
{
	if (message->type != jbvObject)
		return NULL;
	document_foreach(pair, message)
	{
		if (is_named(&pair->key, name))
			return &pair->value;
	}
	return NULL;
}

/*
 * Is a body a PatchOp message, rather than attributes of a user?
 */
bool
is_scim_patch(JsonbValue *body)
{
	static const char urn[] = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
	JsonbValue *schemas = message_member(body, "schemas");

	for (int i = 0; schemas != NULL && schemas->type == jbvArray && i < schemas->val.array.nElems; i++)
	{
		JsonbValue *uri = &schemas->val.array.elems[i];

		if (uri->type == jbvString && is_named(uri, urn))
			return true;
	}
	return false;
}

static void
add_step(List **steps, const char *name, int len, const Attribute *attribute)
{
	PatchStep  *step = palloc(sizeof(PatchStep));

	step->name = attribute != NULL ? attribute->name : name;
	step->len = attribute != NULL ? attribute->name_len : len;
	step->attribute = attribute;
	*steps = lappend(*steps, step);
}

/*
 * How much of a path that no schema knows is the URN of one: up to the name
 * behind a version, as in urn:ietf:params:scim:schemas:core:2.0:User.
 */
static int
urn_length(const char *path)
{
	int			len = 0;
	bool		after_version = false;

	if (pg_strncasecmp(path, "urn:", 4) != 0)
		return 0;
	for (const char *part = path; *part;)
	{
		int			part_len = strcspn(part, ":");
		bool		is_version = strspn(part, "0123456789.") == part_len;

		len = part + part_len - path;
		if (after_version && !is_version)
			return len;
		after_version = is_version;
		part += part_len;
		if (*part == ':')
			part++;
	}
	return len;
}

/* The steps of a path below a level of attributes; false: no schema knows it. */
static bool
steps_below(const AttributeSet *set, const char *path, List **steps)
{
	bool		is_known = true;

	while (*path)
	{
		int			len = strcspn(path, ".");
		Attribute  *attribute = set != NULL ? attribute_find(set, path, len) : NULL;

		add_step(steps, path, len, attribute);
		if (attribute == NULL)
			is_known = false;
		set = attribute != NULL ? &attribute->subs : NULL;
		path += len;
		if (*path == '.')
			path++;
	}
	return is_known;
}

/*
 * The steps of a path from the top of the user.
 */
static bool
steps_of(const Schema *schema, const char *path, List **steps)
{
	Attribute  *attribute = path_resolve(schema, path);
	Attribute  *extension;
	const char *after;
	ListCell   *lc;
	int			len;

	*steps = NIL;
	if (attribute != NULL)
	{
		foreach(lc, attribute_way(schema, attribute))
			add_step(steps, NULL, 0, lfirst(lc));
		return true;
	}
	/* none that is known, but perhaps below one that takes any name */
	after = path_after_schema(schema, path, &extension);
	if (extension != NULL)
	{
		add_step(steps, NULL, 0, extension);
		(void) steps_below(&extension->subs, after, steps);
		return false;
	}
	len = after == path ? urn_length(path) : 0;
	if (len > 0)
	{
		if (pg_strncasecmp(path, core_urn, strlen(core_urn)) != 0)
			add_step(steps, path, len, NULL);
		if (path[len] != '\0')
			(void) steps_below(NULL, path + len + 1, steps);
		return false;
	}
	path = after;
	(void) steps_below(&schema->attributes, path, steps);
	return false;
}

/*
 * Is a path that no schema knows to be followed?  Below an attribute of any
 * shape it always is.
 */
static bool
follows_unknown(Update *update, PatchOperation *operation)
{
	ListCell   *lc;

	foreach(lc, operation->steps)
	{
		PatchStep  *step = lfirst(lc);

		if (step->attribute == NULL)
			break;
		if (step->attribute->type == TYPE_ANY)
			return true;
	}
	if (update->profile->unknown == UNKNOWN_KEEP)
		return true;
	if (update->profile->unknown == UNKNOWN_IGNORE)
	{
		update->ignored = lappend(update->ignored, pstrdup(operation->path));
		return false;
	}
	BAD_PATCH(operation->path, SCIM_INVALID_PATH, "Name an attribute of the table's schemas.",
			  "path \"%s\" names no attribute", operation->path);
	return false;
}

/*
 * Booleans in the filter of a path, as one of the big clients sends them.
 */
static void
read_lenient_filter(Filter *filter, const Attribute *parent)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, filter->parts)
		read_lenient_filter(lfirst(lc), parent);
	if (filter->type == FILTER_COMPARE)
	{
		const Attribute *sub = attribute_member(&parent->subs, filter->path);

		if (sub != NULL && sub->type == TYPE_BOOLEAN)
			filter->value = lenient_value(sub, filter->value);
	}
}

/* Those attributes are the service provider's own. */
static bool
is_common(Update *update, const char *path, JsonbValue *value, bool has_path, const char *id)
{
	if (pg_strcasecmp(path, "schemas") == 0)
		return true;			/* follows from the attributes */
	if (pg_strcasecmp(path, "id") != 0 && pg_strcasecmp(path, "meta") != 0 &&
		pg_strncasecmp(path, "meta.", 5) != 0)
		return false;
	if (!has_path && id != NULL && pg_strcasecmp(path, "id") == 0 && document_is_string(value, id))
		return true;
	if (!has_path && update->profile->lenient)
		return true;
	refuse_change(update, path, "It is set by the service provider.");
	return true;
}

static bool
is_read_only(List *steps)
{
	ListCell   *lc;

	foreach(lc, steps)
	{
		const Attribute *attribute = ((PatchStep *) lfirst(lc))->attribute;

		if (attribute != NULL && attribute->mutability == MUTABILITY_READ_ONLY)
			return true;
	}
	return false;
}

/*
 * Read what is to be done at a path.  Gives NULL when that is nothing.
 */
static PatchOperation *
read_target(Update *update, PatchKind kind, const char *path, JsonbValue *value, bool has_path,
			const char *id)
{
	PatchOperation *operation = palloc0(sizeof(PatchOperation));
	PatchStep  *last;
	PatchPath  *parsed;
	bool		is_known;
	int			len;

	/* as some clients write it */
	if (update->profile->lenient && *path == '/')
		path++;
	operation->kind = kind;
	operation->path = shown_name(path, strlen(path));
	operation->value = value;
	if (is_common(update, path, value, has_path, id))
		return NULL;
	len = strlen(path);
	if (!has_path && (len == 0 || (path[len - 1] == ':' && urn_length(path) > 0)))
		BAD_PATCH(operation->path, SCIM_INVALID_PATH, "Give each member of the value a name.",
				  "an attribute without a name was sent");
	if (strchr(path, '[') != NULL || has_path)
	{
		parsed = patch_path_parse(path);
		is_known = steps_of(update->schema, parsed->attribute, &operation->steps);
		operation->filter = parsed->filter;
	}
	else
	{
		parsed = NULL;
		is_known = attribute_member(&update->schema->attributes, path) != NULL;
		if (is_known)
			add_step(&operation->steps, NULL, 0, attribute_member(&update->schema->attributes, path));
		else
			is_known = steps_of(update->schema, path, &operation->steps);
	}
	if (operation->steps == NIL)
		return NULL;
	/* clients send users back as they got them */
	if (!has_path && update->profile->lenient && is_read_only(operation->steps))
		return NULL;
	last = llast(operation->steps);
	if (operation->filter != NULL)
	{
		Schema		none = {0};
		bool		is_complex = last->attribute != NULL && last->attribute->type == TYPE_COMPLEX;

		if (last->attribute != NULL && !is_complex && last->attribute->type != TYPE_ANY)
			BAD_PATCH(operation->path, SCIM_INVALID_PATH, "Only values of complex attributes are selected.",
					  "attribute \"%s\" is not complex", last->attribute->path);
		if (update->profile->lenient && is_complex)
			read_lenient_filter(operation->filter, last->attribute);
		filter_bind(operation->filter, is_complex ? update->schema : &none, NULL,
					is_complex ? last->attribute : NULL);
		if (parsed->sub != NULL &&
			!steps_below(is_complex ? &last->attribute->subs : NULL, parsed->sub,
						 &operation->sub_steps) && is_complex)
			is_known = false;
	}
	if (!is_known && !follows_unknown(update, operation))
		return NULL;
	return operation;
}

/* Is a path the URN of the core schema, which stands for the user? */
static bool
is_core_schema(const Schema *schema, const char *path)
{
	if (schema->ids != NIL)
		return pg_strcasecmp(path, linitial(schema->ids)) == 0;
	return pg_strncasecmp(path, core_urn, strlen(core_urn)) == 0 &&
		urn_length(path) == strlen(path);
}

/* An extension is a namespace rather than a value. */
static bool
is_of_extension(const PatchOperation *operation)
{
	const PatchStep *last = llast(operation->steps);

	return last->attribute != NULL && last->attribute->is_extension;
}

/*
 * What is done to a schema's attributes as a whole is done to those that the
 * value has, as where there is no path.
 */
static void
add_target(Update *update, List **operations, PatchKind kind, const char *path,
		   JsonbValue *value, bool has_path, const char *id)
{
	bool		is_whole = kind != PATCH_REMOVE && value->type == jbvObject;
	PatchOperation *operation;

	check_stack_depth();
	if (is_whole && is_core_schema(update->schema, path))
	{
		document_foreach(pair, value)
			add_target(update, operations, kind, document_cstring(&pair->key), &pair->value, false, id);
		return;
	}
	operation = read_target(update, kind, path, value, has_path, id);
	if (operation == NULL)
		return;
	if (!is_whole || operation->filter != NULL || !is_of_extension(operation))
	{
		*operations = lappend(*operations, operation);
		return;
	}
	document_foreach(pair, value)
		add_target(update, operations, kind,
				   psprintf("%s:%s", path, document_cstring(&pair->key)), &pair->value, false, id);
}

static PatchKind
read_kind(JsonbValue *op)
{
	static const char *const names[] = {
		[PATCH_ADD] = "add",
		[PATCH_REMOVE] = "remove",
		[PATCH_REPLACE] = "replace",
	};

	/* in any case: that is how the biggest of clients sends it */
	for (int i = 0; i < lengthof(names); i++)
	{
		if (op != NULL && op->type == jbvString && is_named(op, names[i]))
			return i;
	}
	BAD_PATCH("Operations", SCIM_INVALID_SYNTAX, "\"op\" is add, remove or replace.",
			  "an operation has an unknown \"op\"");
	return PATCH_ADD;			/* keep the compiler quiet */
}

/* A value that is wrapped in an object of the path's own name. */
static JsonbValue *
unwrap(Update *update, const char *path, JsonbValue *value)
{
	if (*path == '/')
		path++;
	if (update->profile->lenient && value != NULL && value->type == jbvObject &&
		value->val.object.nPairs == 1 && is_named(&value->val.object.pairs[0].key, path))
		return &value->val.object.pairs[0].value;
	return value;
}

static void
read_operation(Update *update, List **operations, JsonbValue *sent, const char *id)
{
	JsonbValue *path;
	JsonbValue *value;
	PatchKind	kind;

	if (sent->type != jbvObject)
		BAD_PATCH("Operations", SCIM_INVALID_SYNTAX,
				  "Send it as {\"op\": \"replace\", \"path\": \"active\", \"value\": false}.",
				  "an operation must be an object");
	kind = read_kind(message_member(sent, "op"));
	path = message_member(sent, "path");
	value = message_member(sent, "value");
	if (path != NULL && path->type == jbvNull)
		path = NULL;
	if (path != NULL && path->type != jbvString)
		BAD_PATCH("Operations", SCIM_INVALID_PATH, "Send it as \"emails[type eq \\\"work\\\"].value\".",
				  "the path of an operation must be a string");
	if (kind != PATCH_REMOVE && value == NULL)
		BAD_PATCH("Operations", SCIM_INVALID_VALUE, "Send what is to be there as \"value\".",
				  "an operation has no value");
	if (path != NULL && is_core_schema(update->schema, document_cstring(path)))
		path = NULL;
	if (path != NULL && (path->val.string.len > 0 || !update->profile->lenient))
	{
		char	   *text = document_cstring(path);

		add_target(update, operations, kind, text, unwrap(update, text, value), true, id);
		return;
	}
	if (kind == PATCH_REMOVE)
		BAD_PATCH("Operations", SCIM_NO_TARGET, "Name what is to be removed as \"path\".",
				  "an operation that removes has no path");
	if (value->type != jbvObject)
		BAD_PATCH("Operations", SCIM_INVALID_VALUE, "Without a path, \"value\" is an object of attributes.",
				  "the value of an operation must be an object");
	document_foreach(pair, value)
		add_target(update, operations, kind, document_cstring(&pair->key), &pair->value, false, id);
}

/*
 * Read a message for the user of this id.  Gives its operations, of
 * PatchOperation *.
 */
List *
scim_patch_read(Update *update, JsonbValue *body, const char *id)
{
	JsonbValue *array = message_member(body, "Operations");
	List	   *operations = NIL;

	if (array == NULL || array->type != jbvArray ||
		(array->val.array.nElems == 0 && !update->profile->lenient))
		BAD_PATCH("Operations", SCIM_INVALID_SYNTAX, "Send at least one operation.",
				  "\"Operations\" must be an array of operations");
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_operation(update, &operations, &array->val.array.elems[i], id);
	}
	return operations;
}

/*
 * What no document holds is taken out of operations, too.  The last password
 * counts.
 */
List *
scim_patch_take_unstored(Update *update, List *operations, JsonbValue *body, SentUnstored *taken)
{
	List	   *others = NIL;
	ListCell   *lc;

	memset(taken, 0, sizeof(SentUnstored));
	foreach(lc, operations)
	{
		PatchOperation *operation = lfirst(lc);
		JsonbValue *sent = document_new_object();
		JsonbValue	none = {.type = jbvNull};
		JsonbValue *value = operation->value != NULL && operation->kind != PATCH_REMOVE ? operation->value : &none;
		SentUnstored part;

		for (int i = list_length(operation->steps) - 1; i >= 0; i--)
		{
			PatchStep  *step = list_nth(operation->steps, i);

			sent = document_new_object();
			document_append(sent, step->name, step->len, value);
			value = sent;
		}
		unstored_take(update, sent, body, &part);
		taken->carries_password |= part.carries_password;
		taken->wishes = list_concat(taken->wishes, part.wishes);
		if (part.has_password)
		{
			taken->has_password = true;
			taken->password = part.password;
		}
		/* what is left of the value, if it was more than that */
		value = sent;
		for (int i = 0; value != NULL && i < list_length(operation->steps); i++)
		{
			PatchStep  *step = list_nth(operation->steps, i);

			value = document_find(value, step->name, step->len);
		}
		if (value == NULL)
			continue;
		if (operation->kind != PATCH_REMOVE)
			operation->value = value;
		others = lappend(others, operation);
	}
	return others;
}

/*
 * Applying
 */

static bool
is_primary(JsonbValue *item)
{
	JsonbValue *primary = document_member(item, "primary");

	return primary != NULL && primary->type == jbvBool && primary->val.boolean;
}

/* Was the item there before, and the primary one? */
static bool
was_primary(JsonbValue *before, JsonbValue *item)
{
	for (int i = 0; before != NULL && before->type == jbvArray && i < before->val.array.nElems; i++)
	{
		if (document_equal(&before->val.array.elems[i], item))
			return true;
	}
	return false;
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

		fresh += is_primary(item) && !was_primary(before, item);
	}
	if (fresh != 1)
		return after;
	settled = document_new_array();
	for (int i = 0; i < after->val.array.nElems; i++)
	{
		JsonbValue *item = &after->val.array.elems[i];

		if (is_primary(item) && was_primary(before, item))
		{
			item = document_copy_top(item);
			document_set(item, "primary", strlen("primary"), document_boolean(false));
		}
		document_push(settled, item);
	}
	return settled;
}

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

static bool
has_item(JsonbValue *array, JsonbValue *item)
{
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		if (document_equal(&array->val.array.elems[i], item))
			return true;
	}
	return false;
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

	if (attribute != NULL)
		added = new_value_of(update, attribute, added, before, false);
	for (int i = 0; i < added->val.array.nElems; i++)
	{
		JsonbValue *item = &added->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (has_item(after, item))
			continue;
		if (attribute != NULL)
			validate_item(&update->validation, attribute, item);
		document_push(after, item);
	}
	return after;
}

/*
 * Values named in a remove, which the RFC does not speak of but one of the big
 * clients sends: no more than these may go.
 */
static JsonbValue *
remove_values(Update *update, const Attribute *attribute, JsonbValue *before, JsonbValue *value)
{
	JsonbValue *after = document_new_array();
	JsonbValue *removed = values_of(value);
	JsonbValue *items = values_of(before);

	for (int i = 0; i < items->val.array.nElems; i++)
	{
		JsonbValue *item = &items->val.array.elems[i];
		bool		is_removed = has_item(removed, item);

		for (int k = 0; k < removed->val.array.nElems && !is_removed; k++)
		{
			JsonbValue *wanted = document_member(&removed->val.array.elems[k], "value");
			JsonbValue *standing = document_member(item, "value");

			is_removed = wanted != NULL && standing != NULL && document_equal(wanted, standing);
		}
		if (!is_removed)
			document_push(after, item);
	}
	return after->val.array.nElems > 0 ? after : NULL;
}

/* Of the values that an operation makes primary there is one at most. */
static void
refuse_primaries(Update *update, const Attribute *attribute, int made, int all)
{
	if (attribute != NULL && made > 0 && all > 1)
		validation_problem(&update->validation, attribute->path, SCIM_INVALID_VALUE,
						   "Set \"primary\" to true in one value only.",
						   "attribute \"%s\" has more than one primary value", attribute->path);
}

/*
 * An item that a lenient profile makes when a filter selects none: it has what
 * the filter says it is equal to.  NULL when the filter says more than that.
 */
static JsonbValue *
item_of_filter(const Filter *filter)
{
	JsonbValue *item = document_new_object();
	List	   *parts = filter->type == FILTER_AND ? filter->parts : list_make1(unconstify(Filter *, filter));
	ListCell   *lc;

	foreach(lc, parts)
	{
		Filter	   *part = lfirst(lc);

		if (part->type != FILTER_COMPARE || part->op != OPERATOR_EQ || strchr(part->path, '.') != NULL)
			return NULL;
		if (part->attribute != NULL)
			document_set(item, part->attribute->name, part->attribute->name_len, part->value);
		else
			document_set(item, part->path, strlen(part->path), part->value);
	}
	return item;
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
		after = merge_members(update, &attribute->subs, attribute, item, operation->value);
	else
	{
		JsonbValue *array = new_value_of(update, attribute, values_of(operation->value), NULL, false);

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

/* The values that a filter selects. */
static JsonbValue *
patch_values(Update *update, PatchOperation *operation, const Attribute *attribute, JsonbValue *before)
{
	JsonbValue *items = values_of(before);
	JsonbValue *after = document_new_array();
	bool		is_list = before == NULL || before->type == jbvArray;
	bool		found = false;
	int			primaries = 0;
	int			made_primary = 0;

	for (int i = 0; i < items->val.array.nElems; i++)
	{
		JsonbValue *item = &items->val.array.elems[i];

		CHECK_FOR_INTERRUPTS();
		if (filter_matches(operation->filter, item))
		{
			bool		was = is_primary(item);

			found = true;
			item = patch_selected(update, operation, attribute, item);
			if (item != NULL && is_primary(item))
			{
				primaries++;
				made_primary += !was;
			}
		}
		if (item != NULL)
			document_push(after, item);
	}
	/* who is to be gone and is not there is as wanted */
	if (!found && operation->kind != PATCH_REMOVE)
	{
		JsonbValue *item = update->profile->lenient || operation->kind == PATCH_ADD ?
		item_of_filter(operation->filter) : NULL;

		if (item == NULL || !is_list ||
			(operation->sub_steps == NIL && operation->value->type != jbvObject))
			BAD_PATCH(operation->path, SCIM_NO_TARGET, "Check the filter in the path, or add the value.",
					  "path \"%s\" selects no value", operation->path);
		if (operation->sub_steps == NIL)
			item = merge_any(item, operation->value);
		else
			item = patch_object(update, operation, operation->sub_steps, 0, attribute, item);
		after = add_values(update, attribute, after, item);
	}
	refuse_primaries(update, attribute, made_primary, primaries);
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
		return remove_values(update, attribute, before, operation->value);
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
	int			primaries = 0;
	int			made_primary = 0;

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
		if (is_primary(item))
		{
			primaries++;
			made_primary += !was;
		}
		document_push(after, item);
	}
	refuse_primaries(update, attribute, made_primary, primaries);
	return after->val.array.nElems > 0 ? after : NULL;
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
	if (attribute != NULL && attribute->mutability == MUTABILITY_READ_ONLY)
		refuse_change(update, attribute->path, "The attribute is readOnly.");
	if (attribute == NULL && !writes_unknown(update, parent, here->name, here->len))
		refuse_change(update, operation->path,
					  psprintf("API profile \"%s\" does not write it.", update->profile->name));
	if (is_last && steps == operation->steps && operation->filter != NULL)
		after = patch_values(update, operation, attribute, before);
	else if (is_last)
		after = patch_value(update, operation, attribute, before);
	else if ((before != NULL && before->type == jbvArray) ||
			 (before == NULL && attribute != NULL && attribute->multi_valued))
		after = patch_each(update, operation, steps, step, attribute, before);
	else
	{
		if (before == NULL || before->type != jbvObject)
		{
			if (operation->kind == PATCH_REMOVE)
				return object;	/* there is nothing to remove */
			before = document_new_object();
		}
		after = patch_object(update, operation, steps, step + 1, attribute, before);
		if (is_empty_object(after))
			after = NULL;
	}
	/* who sends all values says of each whether it is */
	if (!is_last || operation->filter != NULL || operation->kind != PATCH_REPLACE)
		after = settle_primary(before, after);
	if (attribute != NULL && attribute->required && before != NULL && after == NULL)
		refuse_change(update, attribute->path, "The attribute is required.");
	if (attribute != NULL && attribute->multi_valued && after != NULL && after->type == jbvArray)
		validate_primary(&update->validation, attribute, after);
	if (attribute != NULL && attribute->mutability == MUTABILITY_IMMUTABLE && before != NULL &&
		!document_equal(before, after))
		refuse_change(update, attribute->path, "The attribute is immutable: it can be set once.");
	if (attribute != NULL)
		require_fixed_part(update, attribute, before, after);
	object = document_copy_top(object);
	if (after != NULL)
		document_set(object, here->name, here->len, after);
	else
		document_remove(object, here->name, here->len);
	return object;
}

/*
 * Leave behind what earlier operations needed: each copies the lists that it
 * changes, so a message of a megabyte would otherwise take some gigabytes.
 */
static MemoryContext
new_work_context(Update *update, MemoryContext old, JsonbValue **document)
{
	MemoryContext parent = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(parent, "userstore operations",
											   ALLOCSET_DEFAULT_SIZES);
	List	   *ignored = NIL;
	ListCell   *lc;

	if (old == NULL)
		return work;
	foreach(lc, update->ignored)
		ignored = lappend(ignored, pstrdup(lfirst(lc)));
	update->ignored = ignored;
	MemoryContextSwitchTo(work);
	*document = document_copy(*document);
	MemoryContextSwitchTo(parent);
	MemoryContextDelete(old);
	return work;
}

/*
 * The document that the operations make of one.
 */
JsonbValue *
scim_patch_document(Update *update, JsonbValue *before, List *operations)
{
	MemoryContext outer = CurrentMemoryContext;
	JsonbValue *document = before;
	MemoryContext work = new_work_context(update, NULL, NULL);
	Size		limit = WORK_BYTES;
	ListCell   *lc;

	foreach(lc, operations)
	{
		PatchOperation *operation = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (MemoryContextMemAllocated(work, true) > limit)
		{
			work = new_work_context(update, work, &document);
			limit = WORK_BYTES + 2 * MemoryContextMemAllocated(work, true);
		}
		MemoryContextSwitchTo(work);
		document = patch_object(update, operation, operation->steps, 0, NULL, document);
		MemoryContextSwitchTo(outer);
	}
	return document == before ? document_copy_top(before) : document;
}
