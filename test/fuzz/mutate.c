/*
 * mutate.c
 *	  New inputs from old ones.
 *
 * Bytes that are changed at random are hardly ever JSON, and never name an
 * attribute.  So requests are changed as the trees that they are, with the
 * names and values that the schemas of the profile have, and only now and then
 * as bytes.
 */
#include "fuzz.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "core/http.h"

/* Trees made up are no deeper than this, but for what grows by copies. */
#define MAX_NEW_DEPTH	3

/* libFuzzer's own, by bytes and words of the dictionary */
extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);

/* what libFuzzer calls */
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size,
									  unsigned int seed);
extern size_t LLVMFuzzerCustomCrossOver(const uint8 *a, size_t a_size, const uint8 *b,
										size_t b_size, uint8 *out, size_t max_size,
										unsigned int seed);

static JsonbValue *new_any(int depth);
static void add_filter(StringInfo out, const FuzzApi *api, const Attribute *parent, int depth);

static uint64 state;

/* A number below a limit (xorshift64*). */
static int
below(int limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return ((state * UINT64CONST(2685821657736338717)) >> 33) % limit;
}

static bool
one_in(int count)
{
	return below(count) == 0;
}

#define PICK(array)		((array)[below(lengthof(array))])

/*
 * Values
 */

static const char *const strings[] = {
	"", " ", "a", "ann", "Ann", "ANN", "b", "work", "home", "other", "on", "off", "x@y.example", "a@work.example",
	"true", "False", "2026-01-31T12:00:00Z", "2026-02-30T12:00:00Z", "2026-01-31T12:00:00+01:00", "2026-01-31",
	"EUR", "USD", "Euro", "urn:ietf:params:scim:schemas:core:2.0:User", "https://example.com/Users/26",
	"aGVsbG8=", "\xc3\x84rger", "\xe2\x82\xac", "0", "1", "-", "~", "/", "a.b", "a[b", "\"", "\\", "\n", "id", "schemas",
	"userName", "value", "primary", "$ref", "secret",
};

static const char *const numbers[] = {
	"0", "1", "2", "-1", "150", "151", "1.0", "0.5", "1e2", "-0", "2147483648", "99999999999999999999", "1e400", "1e-400",
};

static JsonbValue *
new_string(void)
{
	return document_string(PICK(strings));
}

static JsonbValue *
new_number(void)
{
	JsonbValue *value = palloc(sizeof(JsonbValue));

	value->type = jbvNumeric;
	value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(PICK(numbers)),
															 ObjectIdGetDatum(InvalidOid),
															 Int32GetDatum(-1)));
	return value;
}

static JsonbValue *
new_null(void)
{
	JsonbValue *value = palloc0(sizeof(JsonbValue));

	value->type = jbvNull;
	return value;
}

static JsonbValue *
new_container(bool is_array, int depth)
{
	JsonbValue *container = is_array ? document_new_array() : document_new_object();

	for (int i = below(4); i > 0; i--)
	{
		const char *name = PICK(strings);

		if (is_array)
			document_push(container, new_any(depth + 1));
		else
			document_set(container, name, strlen(name), new_any(depth + 1));
	}
	return container;
}

/* A value of no attribute. */
static JsonbValue *
new_any(int depth)
{
	switch (below(depth < MAX_NEW_DEPTH ? 8 : 5))
	{
		case 0:
			return new_null();
		case 1:
			return document_boolean(one_in(2));
		case 2:
			return new_number();
		case 3:
		case 4:
			return new_string();
		default:
			return new_container(one_in(2), depth);
	}
}

/* A name in another case, perhaps. */
static char *
in_some_case(const char *name)
{
	char	   *copy = pstrdup(name);

	if (one_in(8))
	{
		for (char *c = copy; *c; c++)
			*c = one_in(2) ? pg_ascii_toupper((unsigned char) *c) : pg_ascii_tolower((unsigned char) *c);
	}
	return copy;
}

static JsonbValue *new_value(const Attribute *attribute, int depth);

static JsonbValue *
new_members(const AttributeSet *set, int depth)
{
	JsonbValue *object = document_new_object();

	if (set->count == 0)
		return object;
	for (int i = below(5); i > 0; i--)
	{
		const Attribute *member = &set->attributes[below(set->count)];
		char	   *name = in_some_case(member->name);

		document_set(object, name, strlen(name), new_value(member, depth + 1));
	}
	return object;
}

static JsonbValue *
new_item(const Attribute *attribute, int depth)
{
	if (attribute->enumeration != NULL && !one_in(4))
		return document_copy(&attribute->enumeration->val.array.elems[below(attribute->enumeration->val.array.nElems)]);
	switch (attribute->type)
	{
		case TYPE_BOOLEAN:
			return document_boolean(one_in(2));
		case TYPE_DECIMAL:
		case TYPE_INTEGER:
			return new_number();
		case TYPE_DATE_TIME:
			return document_string(one_in(2) ? "2026-01-31T12:00:00Z" : "2025-12-31T23:59:59.999+01:00");
		case TYPE_BINARY:
			return document_string("aGVsbG8=");
		case TYPE_COMPLEX:
			return depth < MAX_NEW_DEPTH + 1 ? new_members(&attribute->subs, depth) : document_new_object();
		case TYPE_ANY:
			return new_any(depth);
		default:
			return new_string();
	}
}

/* Mostly a good value of an attribute. */
static JsonbValue *
new_value(const Attribute *attribute, int depth)
{
	JsonbValue *array;

	if (one_in(12))
		return one_in(2) ? new_null() : new_any(depth);
	if (attribute == NULL)
		return new_any(depth);
	if (!attribute->multi_valued || one_in(6))
		return new_item(attribute, depth);
	array = document_new_array();
	for (int i = below(4); i > 0; i--)
		document_push(array, new_item(attribute, depth));
	return array;
}

static const Attribute *
any_attribute(const FuzzApi *api)
{
	if (api->attributes == NIL)
		return NULL;
	return list_nth(api->attributes, below(list_length(api->attributes)));
}

/*
 * Filters and paths
 */

static void
add_name(StringInfo out, const FuzzApi *api, const Attribute *parent)
{
	const Attribute *attribute;

	if (parent != NULL && parent->subs.count > 0)
		appendStringInfoString(out, in_some_case(parent->subs.attributes[below(parent->subs.count)].name));
	else if ((attribute = any_attribute(api)) != NULL && !one_in(16))
	{
		if (one_in(8) && api->schema->ids != NIL && strchr(attribute->path, ':') == NULL)
			appendStringInfo(out, "%s:", (char *) linitial(api->schema->ids));
		appendStringInfoString(out, in_some_case(attribute->path));
	}
	else
		appendStringInfoString(out, PICK(strings));
}

static void
add_comparison(StringInfo out, const FuzzApi *api, const Attribute *parent)
{
	static const char *const operators[] = {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ"};
	JsonbValue *value = one_in(2) ? new_string() : new_any(MAX_NEW_DEPTH);

	add_name(out, api, parent);
	if (one_in(5))
	{
		appendStringInfoString(out, " pr");
		return;
	}
	appendStringInfo(out, " %s ", PICK(operators));
	(void) JsonbToCString(out, &document_to_jsonb(value)->root, 0);
}

static void
add_filter(StringInfo out, const FuzzApi *api, const Attribute *parent, int depth)
{
	const Attribute *attribute;

	switch (below(depth < MAX_NEW_DEPTH ? 10 : 4))
	{
		case 4:
		case 5:
			add_filter(out, api, parent, depth + 1);
			appendStringInfoString(out, one_in(2) ? " and " : " or ");
			add_filter(out, api, parent, depth + 1);
			break;
		case 6:
		case 7:
			appendStringInfoString(out, one_in(2) ? "not (" : "(");
			add_filter(out, api, parent, depth + 1);
			appendStringInfoChar(out, ')');
			break;
		case 8:
		case 9:
			attribute = any_attribute(api);
			appendStringInfo(out, "%s[", attribute != NULL ? attribute->path : PICK(strings));
			add_filter(out, api, attribute, depth + 1);
			appendStringInfoChar(out, ']');
			break;
		default:
			add_comparison(out, api, parent);
			break;
	}
}

/* The path of a PatchOp, for an attribute or none. */
static char *
new_path(const FuzzApi *api, const Attribute *attribute)
{
	StringInfoData path;

	initStringInfo(&path);
	if (attribute == NULL)
		add_name(&path, api, NULL);
	else
		appendStringInfoString(&path, in_some_case(attribute->path));
	if (one_in(3))
	{
		appendStringInfoChar(&path, '[');
		add_filter(&path, api, attribute, MAX_NEW_DEPTH - below(2));
		appendStringInfoChar(&path, ']');
	}
	if (one_in(4))
	{
		appendStringInfoChar(&path, '.');
		add_name(&path, api, attribute);
	}
	return path.data;
}

static void
add_token(StringInfo pointer, const char *token)
{
	appendStringInfoChar(pointer, '/');
	for (; *token; token++)
	{
		if (*token == '~' || *token == '/')
			appendStringInfoString(pointer, *token == '~' ? "~0" : "~1");
		else
			appendStringInfoChar(pointer, *token);
	}
}

/* A JSON pointer into a document, perhaps to what is not there. */
static char *
new_pointer(const FuzzApi *api, JsonbValue *document)
{
	const Attribute *attribute = any_attribute(api);
	StringInfoData pointer;

	initStringInfo(&pointer);
	for (JsonbValue *at = document; !one_in(4) || pointer.len == 0;)
	{
		if (at->type == jbvObject && at->val.object.nPairs > 0 && !one_in(6))
		{
			JsonbPair  *pair = &at->val.object.pairs[below(at->val.object.nPairs)];

			add_token(&pointer, document_cstring(&pair->key));
			at = &pair->value;
		}
		else if (at->type == jbvArray && at->val.array.nElems > 0 && !one_in(6))
		{
			int			place = below(at->val.array.nElems);

			appendStringInfo(&pointer, "/%d", place);
			at = &at->val.array.elems[place];
		}
		else
		{
			if (at->type == jbvArray)
				appendStringInfo(&pointer, one_in(2) ? "/-" : "/%d", below(5));
			else
				add_token(&pointer, attribute != NULL && one_in(2) ? attribute->name : PICK(strings));
			break;
		}
	}
	return pointer.data;
}

/*
 * Requests
 */

static JsonbValue *
new_operation(const FuzzApi *api, JsonbValue *document)
{
	static const char *const scim_operations[] = {"add", "remove", "replace", "Add", "Replace", "REMOVE"};
	static const char *const json_operations[] = {"add", "remove", "replace", "move", "copy", "test", "add", "replace"};
	JsonbValue *operation = document_new_object();
	const Attribute *attribute = any_attribute(api);

	if (fuzz_target->request == REQUEST_JSON_PATCH)
	{
		document_add(operation, "op", document_string(PICK(json_operations)));
		document_add(operation, "path", document_string(new_pointer(api, document)));
		document_add(operation, "from", document_string(new_pointer(api, document)));
		document_add(operation, "value", new_value(attribute, 0));
		return operation;
	}
	document_add(operation, "op", document_string(PICK(scim_operations)));
	if (one_in(6))
	{
		JsonbValue *value = new_members(&api->schema->attributes, 0);

		if (attribute != NULL && one_in(2))
			document_set(value, new_path(api, attribute), strlen(attribute->path),
						 new_value(attribute, 0));
		document_add(operation, "value", value);
		return operation;
	}
	document_add(operation, "path", document_string(new_path(api, attribute)));
	if (!one_in(6))
		document_add(operation, "value", one_in(3) ? new_any(0) : new_value(attribute, 0));
	return operation;
}

static JsonbValue *
operations_of(JsonbValue *request)
{
	JsonbValue *operations = request;

	if (fuzz_target->request == REQUEST_SCIM_PATCH)
		operations = document_member(request, "Operations");
	return operations != NULL && operations->type == jbvArray ? operations : NULL;
}

static void
add_operation(const FuzzApi *api, JsonbValue *request, JsonbValue *document)
{
	JsonbValue *operations = operations_of(request);

	if (operations != NULL)
		document_push(operations, new_operation(api, document));
}

/*
 * Trees
 */

static void
collect_values(JsonbValue *value, List **values)
{
	*values = lappend(*values, value);
	if (value->type == jbvArray)
	{
		for (int i = 0; i < value->val.array.nElems; i++)
			collect_values(&value->val.array.elems[i], values);
	}
	else if (value->type == jbvObject)
	{
		document_foreach(pair, value)
			collect_values(&pair->value, values);
	}
}

static JsonbValue *
any_value(JsonbValue *tree)
{
	List	   *values = NIL;

	collect_values(tree, &values);
	return list_nth(values, below(list_length(values)));
}

static void
change_string(JsonbValue *value)
{
	int			len = value->val.string.len;
	char	   *bytes = palloc(len + 65);

	memcpy(bytes, value->val.string.val, len);
	len = LLVMFuzzerMutate((uint8 *) bytes, len, len + 64);
	/* what jsonb cannot hold */
	for (int i = 0; i < len; i++)
	{
		if (bytes[i] == '\0' || (unsigned char) bytes[i] >= 0x80)
			bytes[i] = '?';
	}
	value->val.string.val = bytes;
	value->val.string.len = len;
}

static void
change_array(JsonbValue *array)
{
	int			count = array->val.array.nElems;
	int			place = count > 0 ? below(count) : 0;
	JsonbValue	taken;

	if (count == 0 || one_in(4))
		document_push(array, new_any(0));
	else if (one_in(3))
		document_push(array, document_copy(&array->val.array.elems[place]));
	else if (one_in(2))
		array->val.array.elems[place] = array->val.array.elems[--array->val.array.nElems];
	else
	{
		taken = array->val.array.elems[place];
		array->val.array.elems[place] = array->val.array.elems[0];
		array->val.array.elems[0] = taken;
	}
}

static void
change_object(const FuzzApi *api, JsonbValue *object)
{
	int			count = object->val.object.nPairs;
	JsonbPair  *pair = count > 0 ? &object->val.object.pairs[below(count)] : NULL;
	const Attribute *attribute = any_attribute(api);
	char	   *name = attribute != NULL ? in_some_case(attribute->name) : pstrdup(PICK(strings));

	if (pair == NULL || one_in(3))
		document_set(object, name, strlen(name), new_value(attribute, 1));
	else if (one_in(2))
		document_remove(object, pair->key.val.string.val, pair->key.val.string.len);
	else if (one_in(2))
	{
		JsonbValue *value = document_copy(&pair->value);

		name = in_some_case(document_cstring(&pair->key));
		document_set(object, name, strlen(name), value);
	}
	else if (document_find(object, name, strlen(name)) == NULL)
		pair->key = *document_string(name);
}

/* A value of the attribute that a member is called as. */
static bool
change_members(const FuzzApi *api, JsonbValue *tree)
{
	JsonbValue *object = any_value(tree);
	JsonbPair  *pair;
	ListCell   *lc;

	if (object->type != jbvObject || object->val.object.nPairs == 0)
		return false;
	pair = &object->val.object.pairs[below(object->val.object.nPairs)];
	foreach(lc, api->attributes)
	{
		const Attribute *attribute = lfirst(lc);

		if (attribute->name_len == pair->key.val.string.len &&
			attribute_same_name(attribute->name, pair->key.val.string.val, attribute->name_len))
		{
			pair->value = *new_value(attribute, 0);
			return true;
		}
	}
	return false;
}

static void
change_value(const FuzzApi *api, JsonbValue *tree, JsonbValue *document)
{
	JsonbValue *value = any_value(tree);

	if (change_members(api, tree))
		return;
	switch (below(8))
	{
		case 0:
			*value = *new_any(0);
			break;
		case 1:
			*value = *document_copy(any_value(tree));
			break;
		case 2:
			*value = *document_copy(any_value(document));
			break;
		case 3:
			*value = *document_string(fuzz_target->request == REQUEST_JSON_PATCH ?
									  new_pointer(api, document) : new_path(api, any_attribute(api)));
			break;
		default:
			if (value->type == jbvString)
				change_string(value);
			else if (value->type == jbvArray)
				change_array(value);
			else if (value->type == jbvObject)
				change_object(api, value);
			else
				*value = *new_any(MAX_NEW_DEPTH);
			break;
	}
}

/*
 * Inputs
 */

static Jsonb *
as_json(const char *text)
{
	Jsonb	   *jsonb = json_read(text);

	return jsonb != NULL ? jsonb : document_to_jsonb(document_new_object());
}

/*
 * Text
 */

/* A query in the syntax of Oracle CPQ. */
static void
add_query(StringInfo out, const FuzzApi *api, int depth)
{
	static const char *const operators[] = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$like", "$exists", "$Eq"};

	appendStringInfoChar(out, '{');
	for (int i = below(3); i >= 0; i--)
	{
		JsonbValue *value = one_in(2) ? new_string() : new_any(MAX_NEW_DEPTH);

		if (depth < MAX_NEW_DEPTH && one_in(3))
		{
			appendStringInfoString(out, one_in(2) ? "$and: [" : "$or: [");
			add_query(out, api, depth + 1);
			appendStringInfoString(out, ", ");
			add_query(out, api, depth + 1);
			appendStringInfoChar(out, ']');
		}
		else
		{
			add_name(out, api, NULL);
			appendStringInfo(out, ": {%s: ", PICK(operators));
			(void) JsonbToCString(out, &document_to_jsonb(value)->root, 0);
			appendStringInfoChar(out, '}');
		}
		if (i > 0)
			appendStringInfoString(out, ", ");
	}
	appendStringInfoChar(out, '}');
}

static char *
new_filter(const FuzzApi *api)
{
	StringInfoData filter;

	initStringInfo(&filter);
	if (api->shape == &object_shape && one_in(2))
		add_query(&filter, api, 0);
	else
		add_filter(&filter, api, NULL, 0);
	return filter.data;
}

static char *
change_filter(const FuzzApi *api, const char *filter)
{
	char	   *other = new_filter(api);

	if (one_in(2))
		return other;
	return psprintf(one_in(2) ? "%s and %s" : "%s or (%s)", filter, other);
}

static const char *const parameters[] = {
	"filter", "attributes", "excludedAttributes", "sortBy", "sortOrder", "startIndex", "count", "q", "fields", "orderby",
	"offset", "limit", "totalResults", "FILTER",
};

static const char *const headers[] = {
	"If-Match: W/\"1\", *", "if-none-match: \"7\"", "If-Match: W/\"9223372036854775808\"",
	"Prefer: return=\"minimal\"; x, a", "Idempotency-Key: \"a\\\"b\"", "Content-Type: application/scim+json; charset=utf-8",
};

/* A URL, and headers. */
static char *
change_http(const FuzzApi *api, const char *request)
{
	const Attribute *attribute = any_attribute(api);
	int			len = strcspn(request, "\n");
	const char *name = PICK(parameters);
	char	   *value;

	if (one_in(4))
		return psprintf("%s\n%s", request, PICK(headers));
	if (one_in(8))
		return psprintf("/%s%s", http_url_encode(PICK(strings)), request);
	if (pg_strcasecmp(name, "filter") == 0 || strcmp(name, "q") == 0)
		value = new_filter(api);
	else if (attribute != NULL && one_in(2))
		value = psprintf(one_in(2) ? "%s" : "%s, userName:desc", attribute->path);
	else
		value = one_in(2) ? pstrdup(PICK(numbers)) : new_path(api, attribute);
	return psprintf("%.*s%c%s=%s%s", len, request, memchr(request, '?', len) != NULL ? '&' : '?', name,
					http_url_encode(value), request + len);
}

static char *
change_request(const FuzzInput *input, JsonbValue *document)
{
	JsonbValue *request;

	if (fuzz_target->request == REQUEST_FILTER)
		return change_filter(input->api, input->request);
	if (fuzz_target->request == REQUEST_HTTP)
		return change_http(input->api, input->request);
	request = document_from_jsonb(as_json(input->request));
	if (one_in(3))
		add_operation(input->api, request, document);
	else
		change_value(input->api, request, document);
	return JsonbToCString(NULL, &document_to_jsonb(request)->root, 0);
}

typedef struct Mutation
{
	char	   *data;
	int			size;
	char	   *result;
} Mutation;

static char *
join(const FuzzInput *input, const char *document, const char *request)
{
	return psprintf("%s %s\n%s\n%s", input->api->profile->name, input->word, document, request);
}

static void
mutate(void *arg)
{
	Mutation   *mutation = arg;
	FuzzInput  *input = input_read(mutation->data, mutation->size);
	JsonbValue *document;
	char	   *request;

	if (input == NULL)
		return;
	document = document_from_jsonb(input->document);
	request = input->request;
	if (one_in(16))
		input->api = list_nth(fuzz_apis, below(list_length(fuzz_apis)));
	else if (one_in(6))
		change_value(input->api, document, document);
	else if (one_in(6))
	{
		JsonbValue *more = new_members(&input->api->schema->attributes, 0);

		document_foreach(pair, more)
			document_set(document, pair->key.val.string.val, pair->key.val.string.len, &pair->value);
	}
	else
		request = change_request(input, document);
	mutation->result = join(input, JsonbToCString(NULL, &document_to_jsonb(document)->root, 0), request);
}

static MemoryContext
mutation_context(void)
{
	static MemoryContext context = NULL;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "fuzz mutation", ALLOCSET_DEFAULT_SIZES);
	return context;
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned int seed)
{
	MemoryContext old = MemoryContextSwitchTo(mutation_context());
	Mutation	mutation = {(char *) data, size, NULL};
	const char *request;

	state = seed * UINT64CONST(0x9e3779b97f4a7c15) + 1;
	(void) below(2);
	if (!one_in(4))
		(void) attempt(mutate, &mutation);
	if (mutation.result != NULL && strlen(mutation.result) <= max_size)
	{
		size = strlen(mutation.result);
		memcpy(data, mutation.result, size);
	}
	else
	{
		/* of bytes, mostly those of the request */
		request = memchr(data, '\n', size);
		if (request != NULL)
			request = memchr(request + 1, '\n', (char *) data + size - request - 1);
		if (request != NULL && !one_in(8))
		{
			size_t		before = request + 1 - (char *) data;

			size = before + LLVMFuzzerMutate(data + before, size - before, max_size - before);
		}
		else
			size = LLVMFuzzerMutate(data, size, max_size);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(mutation_context());
	return size;
}

/* The user of one, and the request of the other, or the operations of both. */
static void
cross(const FuzzInput *a, const FuzzInput *b, Mutation *mutation)
{
	JsonbValue *operations;
	JsonbValue *more;
	JsonbValue *request;
	char	   *crossed = b->request;

	if (fuzz_target->request == REQUEST_FILTER)
		crossed = psprintf("%s and %s", a->request, b->request);
	else if (fuzz_target->request != REQUEST_HTTP && one_in(2))
	{
		request = document_from_jsonb(as_json(a->request));
		operations = operations_of(request);
		more = operations_of(document_from_jsonb(as_json(b->request)));
		for (int i = 0; operations != NULL && more != NULL && i < more->val.array.nElems; i++)
			document_push(operations, &more->val.array.elems[i]);
		crossed = JsonbToCString(NULL, &document_to_jsonb(request)->root, 0);
	}
	mutation->result = join(a, JsonbToCString(NULL, &a->document->root, 0), crossed);
}

typedef struct Crossing
{
	Mutation	a;
	Mutation	b;
} Crossing;

static void
cross_over(void *arg)
{
	Crossing   *crossing = arg;
	FuzzInput  *a = input_read(crossing->a.data, crossing->a.size);
	FuzzInput  *b = input_read(crossing->b.data, crossing->b.size);

	if (a != NULL && b != NULL)
		cross(a, b, &crossing->a);
}

size_t
LLVMFuzzerCustomCrossOver(const uint8 *a, size_t a_size, const uint8 *b, size_t b_size,
						  uint8 *out, size_t max_size, unsigned int seed)
{
	MemoryContext old = MemoryContextSwitchTo(mutation_context());
	Crossing	crossing = {{(char *) a, a_size, NULL}, {(char *) b, b_size, NULL}};
	size_t		size = 0;

	state = seed * UINT64CONST(0x9e3779b97f4a7c15) + 1;
	(void) below(2);
	(void) attempt(cross_over, &crossing);
	if (crossing.a.result != NULL && strlen(crossing.a.result) <= max_size)
	{
		size = strlen(crossing.a.result);
		memcpy(out, crossing.a.result, size);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(mutation_context());
	return size;
}
