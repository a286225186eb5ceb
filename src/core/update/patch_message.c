/*
 * patch_message.c
 *	  A PatchOp message (RFC 7644 section 3.5.2), read into operations.
 *
 * However it is written, each operation becomes "do this at the end of that
 * path".  One without a path is an operation for each attribute in its value.
 * What clients send beside the letter of the RFC, and lenient profiles take, is
 * put right here if the document is not needed for it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/scim/path.h"
#include "core/update/scim_patch.h"

/* A message that is being read. */
typedef struct Reader
{
	Update	   *update;
	const char *id;				/* of the user */
	PatchKind	kind;			/* of the operation that is being read */
	List	   *operations;		/* of PatchOperation *: what was read */
} Reader;

/* With what the URNs of core schemas begin. */
static const char core_urn[] = "urn:ietf:params:scim:schemas:core:";

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

/*
 * Paths
 */

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

/* Is a path the URN of the core schema, which stands for the user? */
static bool
is_core_schema(const Schema *schema, const char *path)
{
	if (schema->ids != NIL)
		return pg_strcasecmp(path, linitial(schema->ids)) == 0;
	return pg_strncasecmp(path, core_urn, strlen(core_urn)) == 0 &&
		urn_length(path) == strlen(path);
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
 * The steps of a path from the top of the user; false: no schema knows it.
 */
static bool
steps_of(const Schema *schema, const char *path, List **steps)
{
	Attribute  *attribute = path_resolve(schema, path);
	Attribute  *extension;
	const char *after;
	ListCell   *lc;
	int			len;

	if (attribute != NULL)
	{
		foreach(lc, attribute_way(schema, attribute))
			add_step(steps, NULL, 0, lfirst(lc));
		return true;
	}
	/* none that is known, but perhaps below one that takes any name */
	after = path_after_schema(schema, path, &extension);
	len = after == path ? urn_length(path) : 0;
	if (extension != NULL)
	{
		add_step(steps, NULL, 0, extension);
		(void) steps_below(&extension->subs, after, steps);
	}
	else if (len > 0)
	{
		if (pg_strncasecmp(path, core_urn, strlen(core_urn)) != 0)
			add_step(steps, path, len, NULL);
		if (path[len] != '\0')
			(void) steps_below(NULL, path + len + 1, steps);
	}
	else
		(void) steps_below(&schema->attributes, after, steps);
	return false;
}

/* The steps to a member of a value, which may be a path for its name. */
static bool
steps_of_member(const Schema *schema, const char *name, List **steps)
{
	const Attribute *attribute = attribute_member(&schema->attributes, name);

	if (attribute == NULL)
		return steps_of(schema, name, steps);
	add_step(steps, NULL, 0, attribute);
	return true;
}

/*
 * A path as it should have been: some clients leave the URN of an extension out.
 * Where only one has an attribute of that name, they mean that.
 */
static const char *
with_extension(const Schema *schema, const char *path)
{
	int			len = strcspn(path, ".[");
	const Attribute *found = NULL;

	if (attribute_find(&schema->attributes, path, len) != NULL || memchr(path, ':', len) != NULL)
		return path;
	for (int i = 0; i < schema->attributes.count; i++)
	{
		const Attribute *extension = &schema->attributes.attributes[i];

		if (!extension->is_extension || attribute_find(&extension->subs, path, len) == NULL)
			continue;
		if (found != NULL)
			return path;
		found = extension;
	}
	return found != NULL ? psprintf("%s:%s", found->name, path) : path;
}

static bool
is_read_only(const List *steps)
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

/* The attribute that a path has come to when it goes on with names nobody knows. */
static const Attribute *
last_known(const PatchOperation *operation)
{
	const Attribute *known = NULL;
	ListCell   *lc;

	foreach(lc, list_concat_copy(operation->steps, operation->sub_steps))
	{
		PatchStep  *step = lfirst(lc);

		if (step->attribute == NULL)
			break;
		known = step->attribute;
	}
	return known;
}

/*
 * Is a path that no schema knows to be followed?  Below an attribute of any
 * shape it always is, below one that is no object never.
 */
static bool
follows_unknown(Update *update, const PatchOperation *operation)
{
	const Attribute *known = last_known(operation);

	if (known != NULL && known->type == TYPE_ANY)
		return true;
	if (update->profile->unknown == UNKNOWN_KEEP &&
		(known == NULL || known->type == TYPE_COMPLEX))
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

/*
 * Read the filter of a path as one on values of the attribute before it, and
 * what is behind it (or NULL).  False: that is no sub-attribute of a complex
 * attribute.
 */
static bool
read_filter(Update *update, PatchOperation *operation, const char *sub)
{
	const Attribute *attribute = ((PatchStep *) llast(operation->steps))->attribute;
	bool		is_complex = attribute != NULL && attribute->type == TYPE_COMPLEX;
	Schema		none = {0};
	bool		is_known = true;

	if (attribute != NULL && !is_complex && attribute->type != TYPE_ANY)
		BAD_PATCH(operation->path, SCIM_INVALID_PATH, "Only values of complex attributes are selected.",
				  "attribute \"%s\" is not complex", attribute->path);
	if (update->profile->lenient && is_complex)
		read_lenient_filter(operation->filter, attribute);
	filter_bind(operation->filter, is_complex ? update->schema : &none, NULL,
				is_complex ? attribute : NULL);
	if (sub != NULL)
		is_known = steps_below(is_complex ? &attribute->subs : NULL, sub, &operation->sub_steps);
	return is_known || !is_complex;
}

/*
 * Operations: each has as its target a path (has_path), or the members of its
 * value.
 */

/*
 * Is the target one of the attributes that are the service provider's own, and
 * so to be passed over?  It is an error to change them.
 */
static bool
is_common(const Reader *reader, const char *path, JsonbValue *value, bool has_path)
{
	Update	   *update = reader->update;

	if (pg_strcasecmp(path, "schemas") == 0)
		return true;			/* follows from the attributes */
	if (pg_strcasecmp(path, "id") != 0 && pg_strcasecmp(path, "meta") != 0 &&
		pg_strncasecmp(path, "meta.", 5) != 0)
		return false;
	if (!has_path && reader->id != NULL && pg_strcasecmp(path, "id") == 0 &&
		document_is_string(value, reader->id))
		return true;
	if (!has_path && update->profile->lenient)
		return true;
	refuse_change(update, shown_name(path, strlen(path)), "It is set by the service provider.");
	return true;
}

/* A list of one, as some clients send it for what is no list. */
static JsonbValue *
without_list(const PatchOperation *operation, JsonbValue *value)
{
	const Attribute *attribute = ((PatchStep *) llast(operation->steps))->attribute;

	if (operation->sub_steps != NIL)
		attribute = ((PatchStep *) llast(operation->sub_steps))->attribute;
	if (attribute == NULL || attribute->multi_valued || attribute->type == TYPE_ANY ||
		value == NULL || value->type != jbvArray || value->val.array.nElems != 1)
		return value;
	return &value->val.array.elems[0];
}

/*
 * Read what is to be done at a target.  Gives NULL when that is nothing.
 */
static PatchOperation *
read_target(const Reader *reader, const char *path, JsonbValue *value, bool has_path)
{
	Update	   *update = reader->update;
	PatchOperation *operation;
	const char *sub = NULL;
	bool		is_known;
	int			len;

	/* as some clients write it */
	if (update->profile->lenient && *path == '/')
		path++;
	if (is_common(reader, path, value, has_path))
		return NULL;
	if (update->profile->lenient)
		path = with_extension(update->schema, path);
	len = strlen(path);
	operation = palloc0(sizeof(PatchOperation));
	operation->kind = reader->kind;
	operation->path = shown_name(path, len);
	operation->value = value;
	if (!has_path && (len == 0 || (path[len - 1] == ':' && urn_length(path) > 0)))
		BAD_PATCH(operation->path, SCIM_INVALID_PATH, "Give each member of the value a name.",
				  "an attribute without a name was sent");
	if (has_path || strchr(path, '[') != NULL)
	{
		PatchPath  *parsed = patch_path_parse(path);

		is_known = steps_of(update->schema, parsed->attribute, &operation->steps);
		operation->filter = parsed->filter;
		sub = parsed->sub;
	}
	else
		is_known = steps_of_member(update->schema, path, &operation->steps);
	if (operation->steps == NIL)
		return NULL;
	/* clients send users back as they got them */
	if (!has_path && update->profile->lenient && is_read_only(operation->steps))
		return NULL;
	if (operation->filter != NULL && !read_filter(update, operation, sub))
		is_known = false;
	if (update->profile->lenient)
		operation->value = without_list(operation, value);
	return is_known || follows_unknown(update, operation) ? operation : NULL;
}

/* An extension is a namespace rather than a value. */
static bool
is_of_extension(const PatchOperation *operation)
{
	const PatchStep *last = llast(operation->steps);

	return last->attribute != NULL && last->attribute->is_extension;
}

/*
 * Is a member of an extension's value the "schemas" of that value, which some
 * clients send?  It follows from the attributes, as that of the user does.
 */
static bool
is_schemas(const PatchOperation *operation, const JsonbValue *name)
{
	const PatchStep *last = llast(operation->steps);

	return is_named(name, "schemas") && attribute_member(&last->attribute->subs, "schemas") == NULL;
}

/*
 * Add what is to be done at a target.  What is done to a schema's attributes as
 * a whole is done to those that the value has, as where there is no path.
 */
static void
add_target(Reader *reader, const char *path, JsonbValue *value, bool has_path)
{
	bool		is_whole = reader->kind != PATCH_REMOVE && value->type == jbvObject;
	PatchOperation *operation;

	check_stack_depth();
	if (is_whole && is_core_schema(reader->update->schema, path))
	{
		document_foreach(pair, value)
			add_target(reader, document_cstring(&pair->key), &pair->value, false);
		return;
	}
	operation = read_target(reader, path, value, has_path);
	if (operation == NULL)
		return;
	if (!is_whole || operation->filter != NULL || !is_of_extension(operation))
	{
		reader->operations = lappend(reader->operations, operation);
		return;
	}
	document_foreach(pair, value)
	{
		if (!is_schemas(operation, &pair->key))
			add_target(reader, psprintf("%s:%s", path, document_cstring(&pair->key)), &pair->value,
					   false);
	}
}

static PatchKind
read_kind(JsonbValue *sent)
{
	static const char *const names[] = {
		[PATCH_ADD] = "add",
		[PATCH_REMOVE] = "remove",
		[PATCH_REPLACE] = "replace",
	};
	JsonbValue *op = message_member(sent, "op");

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

/* The path of an operation; NULL when it is about the user as a whole. */
static char *
read_path(const Update *update, JsonbValue *sent)
{
	JsonbValue *member = message_member(sent, "path");
	char	   *path;

	if (member == NULL || member->type == jbvNull)
		return NULL;
	if (member->type != jbvString)
		BAD_PATCH("Operations", SCIM_INVALID_PATH, "Send it as \"emails[type eq \\\"work\\\"].value\".",
				  "the path of an operation must be a string");
	path = document_cstring(member);
	if (is_core_schema(update->schema, path) || (*path == '\0' && update->profile->lenient))
		return NULL;
	return path;
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
read_operation(Reader *reader, JsonbValue *sent)
{
	char	   *path;
	JsonbValue *value;

	if (sent->type != jbvObject)
		BAD_PATCH("Operations", SCIM_INVALID_SYNTAX,
				  "Send it as {\"op\": \"replace\", \"path\": \"active\", \"value\": false}.",
				  "an operation must be an object");
	reader->kind = read_kind(sent);
	path = read_path(reader->update, sent);
	value = message_member(sent, "value");
	if (reader->kind != PATCH_REMOVE && value == NULL)
		BAD_PATCH("Operations", SCIM_INVALID_VALUE, "Send what is to be there as \"value\".",
				  "an operation has no value");
	if (path != NULL)
	{
		add_target(reader, path, unwrap(reader->update, path, value), true);
		return;
	}
	if (reader->kind == PATCH_REMOVE)
		BAD_PATCH("Operations", SCIM_NO_TARGET, "Name what is to be removed as \"path\".",
				  "an operation that removes has no path");
	if (value->type != jbvObject)
		BAD_PATCH("Operations", SCIM_INVALID_VALUE, "Without a path, \"value\" is an object of attributes.",
				  "the value of an operation must be an object");
	document_foreach(pair, value)
		add_target(reader, document_cstring(&pair->key), &pair->value, false);
}

/*
 * Read a message for the user of this id.  Gives its operations, of
 * PatchOperation *.
 */
List *
scim_patch_read(Update *update, JsonbValue *body, const char *id)
{
	JsonbValue *array = message_member(body, "Operations");
	Reader		reader = {.update = update,.id = id};

	if (array == NULL || array->type != jbvArray ||
		(array->val.array.nElems == 0 && !update->profile->lenient))
		BAD_PATCH("Operations", SCIM_INVALID_SYNTAX, "Send at least one operation.",
				  "\"Operations\" must be an array of operations");
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_operation(&reader, &array->val.array.elems[i]);
	}
	return reader.operations;
}

/*
 * What no document holds
 */

/* A value at the end of steps, and nothing else. */
static JsonbValue *
wrap_in_steps(const List *steps, JsonbValue *value)
{
	for (int i = list_length(steps) - 1; i >= 0; i--)
	{
		PatchStep  *step = list_nth(steps, i);
		JsonbValue *object = document_new_object();

		document_append(object, step->name, step->len, value);
		value = object;
	}
	return value;
}

/* The value at the end of steps, or NULL. */
static JsonbValue *
find_at_steps(JsonbValue *value, const List *steps)
{
	ListCell   *lc;

	foreach(lc, steps)
	{
		PatchStep  *step = lfirst(lc);

		value = document_find(value, step->name, step->len);
	}
	return value;
}

/*
 * What no document holds is taken out of operations, too.
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
		bool		removes = operation->kind == PATCH_REMOVE;
		JsonbValue	none = {.type = jbvNull};
		JsonbValue *sent = wrap_in_steps(operation->steps, removes ? &none : operation->value);
		JsonbValue *left;
		SentUnstored part;

		unstored_take(update, sent, body, &part);
		unstored_add(taken, &part);
		/* of the value, if it was more than that */
		left = find_at_steps(sent, operation->steps);
		if (left == NULL)
			continue;
		if (!removes)
			operation->value = left;
		others = lappend(others, operation);
	}
	return others;
}
