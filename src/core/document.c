/*
 * document.c
 *	  Unpack a jsonb into a tree, find, set and compare in it, pack it again.
 *
 * A change to a jsonb unpacks and rebuilds every container around it; so all
 * changes of a request are made in one tree and the tree is packed once.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "core/document.h"
#include "core/errors.h"

/* Room for members or elements grows in powers of two from here. */
#define DOCUMENT_MIN_ROOM	4

static JsonbValue *read_container(JsonbIterator **iterator, JsonbValue *head,
								  JsonbIteratorToken token, int depth);
static int	compare_names(const char *a, int a_len, const char *b, int b_len);
static int	compare_pairs(const void *a, const void *b);
static void sort_members(JsonbValue *object);

static int
room_for(int count)
{
	int			room = DOCUMENT_MIN_ROOM;

	while (room < count)
		room *= 2;
	return room;
}

static JsonbValue *
new_value(enum jbvType type)
{
	JsonbValue *value = palloc0(sizeof(JsonbValue));

	value->type = type;
	return value;
}

static JsonbValue *
read_document(Jsonb *jsonb, int depth)
{
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	JsonbValue	head;
	JsonbIteratorToken token = JsonbIteratorNext(&iterator, &head, false);

	if (JB_ROOT_IS_SCALAR(jsonb))
	{
		JsonbValue *scalar = palloc(sizeof(JsonbValue));

		(void) JsonbIteratorNext(&iterator, scalar, false);
		return scalar;
	}
	return read_container(&iterator, &head, token, depth);
}

/*
 * The tree of a jsonb.  Refuses nesting over DOCUMENT_MAX_DEPTH.  The scalars
 * point into the jsonb.
 */
JsonbValue *
document_from_jsonb(Jsonb *jsonb)
{
	return read_document(jsonb, 1);
}

/* The same of a table's row, an object around what was accepted before. */
JsonbValue *
document_from_row(Jsonb *jsonb)
{
	return read_document(jsonb, 0);
}

/* The same of a part of a jsonb, as an iterator gives it. */
JsonbValue *
document_from_value(JsonbValue *value)
{
	JsonbIterator *iterator;
	JsonbValue	head;
	JsonbIteratorToken token;

	if (value->type != jbvBinary)
		return value;
	iterator = JsonbIteratorInit(value->val.binary.data);
	token = JsonbIteratorNext(&iterator, &head, false);
	return read_container(&iterator, &head, token, 1);
}

static void
require_depth(int depth)
{
	if (depth > DOCUMENT_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("the document is nested too deeply"),
				 errdetail_path(NULL, SCIM_INVALID_SYNTAX),
				 errhint("At most %d levels are accepted.", DOCUMENT_MAX_DEPTH)));
}

static JsonbValue *
read_container(JsonbIterator **iterator, JsonbValue *head,
			   JsonbIteratorToken token, int depth)
{
	JsonbValue *container;
	JsonbValue	item;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	require_depth(depth);
	if (token == WJB_BEGIN_OBJECT)
	{
		JsonbPair  *pair;

		container = new_value(jbvObject);
		container->val.object.nPairs = head->val.object.nPairs;
		pair = palloc0(sizeof(JsonbPair) * room_for(head->val.object.nPairs));
		container->val.object.pairs = pair;
		while (JsonbIteratorNext(iterator, &pair->key, false) == WJB_KEY)
		{
			token = JsonbIteratorNext(iterator, &item, false);
			pair->value = token == WJB_VALUE ? item :
				*read_container(iterator, &item, token, depth + 1);
			pair++;
			if (pair == container->val.object.pairs + container->val.object.nPairs)
			{
				token = JsonbIteratorNext(iterator, &item, false);
				Assert(token == WJB_END_OBJECT);
				break;
			}
		}
	}
	else
	{
		JsonbValue *elem;

		container = new_value(jbvArray);
		container->val.array.nElems = head->val.array.nElems;
		elem = palloc0(sizeof(JsonbValue) * room_for(head->val.array.nElems));
		container->val.array.elems = elem;
		while ((token = JsonbIteratorNext(iterator, &item, false)) != WJB_END_ARRAY)
			*elem++ = token == WJB_ELEM ? item :
				*read_container(iterator, &item, token, depth + 1);
	}
	return container;
}

static void
check_depth(JsonbValue *value, int depth)
{
	if (value->type != jbvObject && value->type != jbvArray)
		return;
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	require_depth(depth);
	if (value->type == jbvArray)
	{
		for (int i = 0; i < value->val.array.nElems; i++)
			check_depth(&value->val.array.elems[i], depth + 1);
		return;
	}
	document_foreach(pair, value)
		check_depth(&pair->value, depth + 1);
}

/*
 * Refuse a tree that nobody could read again: what was nested well may have been
 * put below a long path.
 */
void
document_require_depth(JsonbValue *document)
{
	check_depth(document, 1);
}

/*
 * The order of names in a jsonb object: by length, then by bytes.
 */
static int
compare_names(const char *a, int a_len, const char *b, int b_len)
{
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a, b, a_len);
}

static int
compare_pairs(const void *a, const void *b)
{
	const JsonbValue *ka = &((const JsonbPair *) a)->key;
	const JsonbValue *kb = &((const JsonbPair *) b)->key;

	return compare_names(ka->val.string.val, ka->val.string.len,
						 kb->val.string.val, kb->val.string.len);
}

/* Put the members of one object into jsonb's order; mostly they are. */
static void
sort_members(JsonbValue *object)
{
	JsonbPair  *pairs = object->val.object.pairs;
	int			count = object->val.object.nPairs;

	for (int i = 1; i < count; i++)
	{
		if (compare_pairs(&pairs[i - 1], &pairs[i]) > 0)
		{
			qsort(pairs, count, sizeof(JsonbPair), compare_pairs);
			break;
		}
	}
}

/* Put the members of all objects of a tree into jsonb's order. */
void
document_sort(JsonbValue *value)
{
	check_stack_depth();
	if (value->type == jbvObject)
	{
		sort_members(value);
		document_foreach(pair, value)
			document_sort(&pair->value);
	}
	else if (value->type == jbvArray)
	{
		for (int i = 0; i < value->val.array.nElems; i++)
			document_sort(&value->val.array.elems[i]);
	}
}

/*
 * Pack a tree.  Names in each object have to be unique; their order is put
 * right here.
 */
Jsonb *
document_to_jsonb(JsonbValue *document)
{
	document_sort(document);
	return JsonbValueToJsonb(document);
}

/*
 * Append a byte string that is equal for two trees exactly when their jsonb
 * values are equal (1.0 is 1; the order of names is none), to be hashed.
 * jsonb's own hash functions will not do: to them [[1], 2] and [[1, 2]] are
 * one.
 */
void
document_canonical(JsonbValue *document, StringInfo out)
{
	uint32		count;

	check_stack_depth();
	switch (document->type)
	{
		case jbvNull:
			appendStringInfoChar(out, 'n');
			break;
		case jbvBool:
			appendStringInfoChar(out, document->val.boolean ? 't' : 'f');
			break;
		case jbvNumeric:
			appendStringInfoChar(out, '#');
			appendStringInfoString(out, numeric_normalize(document->val.numeric));
			appendStringInfoChar(out, ';');
			break;
		case jbvString:
			count = document->val.string.len;
			appendStringInfoChar(out, 's');
			appendBinaryStringInfo(out, (char *) &count, sizeof(count));
			appendBinaryStringInfo(out, document->val.string.val, count);
			break;
		case jbvArray:
			count = document->val.array.nElems;
			appendStringInfoChar(out, 'a');
			appendBinaryStringInfo(out, (char *) &count, sizeof(count));
			for (int i = 0; i < document->val.array.nElems; i++)
				document_canonical(&document->val.array.elems[i], out);
			break;
		case jbvObject:
			count = document->val.object.nPairs;
			sort_members(document);
			appendStringInfoChar(out, 'o');
			appendBinaryStringInfo(out, (char *) &count, sizeof(count));
			document_foreach(pair, document)
			{
				document_canonical(&pair->key, out);
				document_canonical(&pair->value, out);
			}
			break;
		default:
			elog(ERROR, "unexpected jsonb value type %d", (int) document->type);	/* can't happen */
	}
}

JsonbValue *
document_new_object(void)
{
	JsonbValue *object = new_value(jbvObject);

	object->val.object.pairs = palloc0(sizeof(JsonbPair) * DOCUMENT_MIN_ROOM);
	return object;
}

JsonbValue *
document_new_array(void)
{
	JsonbValue *array = new_value(jbvArray);

	array->val.array.elems = palloc0(sizeof(JsonbValue) * DOCUMENT_MIN_ROOM);
	return array;
}

JsonbValue *
document_string(const char *string)
{
	return document_string_len(string, strlen(string));
}

JsonbValue *
document_string_len(const char *string, int len)
{
	JsonbValue *value = new_value(jbvString);

	value->val.string.val = unconstify(char *, string);
	value->val.string.len = len;
	return value;
}

JsonbValue *
document_integer(int64 number)
{
	JsonbValue *value = new_value(jbvNumeric);

	value->val.numeric = int64_to_numeric(number);
	return value;
}

JsonbValue *
document_boolean(bool boolean)
{
	JsonbValue *value = new_value(jbvBool);

	value->val.boolean = boolean;
	return value;
}

/*
 * The value under a name, exactly as written, or NULL; NULL also when there is
 * no object to look in.
 */
JsonbValue *
document_find(JsonbValue *object, const char *name, int len)
{
	if (object == NULL || object->type != jbvObject)
		return NULL;
	document_foreach(pair, object)
	{
		if (pair->key.val.string.len == len &&
			memcmp(pair->key.val.string.val, name, len) == 0)
			return &pair->value;
	}
	return NULL;
}

JsonbValue *
document_member(JsonbValue *object, const char *name)
{
	return document_find(object, name, strlen(name));
}

/*
 * Add a member whose name the object does not have yet.  The value may be that
 * of another member, which moves when room is made.
 */
void
document_append(JsonbValue *object, const char *name, int len, JsonbValue *value)
{
	JsonbValue	appended = *value;
	int			count = object->val.object.nPairs;
	JsonbPair  *pair;

	if (count == room_for(count))
		object->val.object.pairs = repalloc(object->val.object.pairs,
											sizeof(JsonbPair) * count * 2);
	pair = &object->val.object.pairs[count];
	memset(pair, 0, sizeof(JsonbPair));
	pair->key.type = jbvString;
	pair->key.val.string.val = unconstify(char *, name);
	pair->key.val.string.len = len;
	pair->value = appended;
	object->val.object.nPairs++;
}

void
document_add(JsonbValue *object, const char *name, JsonbValue *value)
{
	document_append(object, name, strlen(name), value);
}

/* Set a member, which may be there already. */
void
document_set(JsonbValue *object, const char *name, int len, JsonbValue *value)
{
	JsonbValue *found = document_find(object, name, len);

	if (found != NULL)
		*found = *value;
	else
		document_append(object, name, len, value);
}

void
document_remove(JsonbValue *object, const char *name, int len)
{
	JsonbValue *found = document_find(object, name, len);
	JsonbPair  *pair;
	JsonbPair  *end = object->val.object.pairs + object->val.object.nPairs;

	if (found == NULL)
		return;
	pair = (JsonbPair *) ((char *) found - offsetof(JsonbPair, value));
	memmove(pair, pair + 1, (char *) end - (char *) (pair + 1));
	object->val.object.nPairs--;
}

/* Add an element, which may be a copy of another one. */
void
document_push(JsonbValue *array, JsonbValue *value)
{
	JsonbValue	pushed = *value;
	int			count = array->val.array.nElems;

	if (count == room_for(count))
		array->val.array.elems = repalloc(array->val.array.elems,
										  sizeof(JsonbValue) * count * 2);
	array->val.array.elems[count] = pushed;
	array->val.array.nElems++;
}

/*
 * A copy that shares nothing with the original, nor with the jsonb that it was
 * read from.
 */
JsonbValue *
document_copy(JsonbValue *value)
{
	JsonbValue *copy;

	check_stack_depth();
	switch (value->type)
	{
		case jbvObject:
			copy = document_new_object();
			document_foreach(pair, value)
				document_append(copy,
								pnstrdup(pair->key.val.string.val, pair->key.val.string.len),
								pair->key.val.string.len, document_copy(&pair->value));
			return copy;
		case jbvArray:
			copy = document_new_array();
			for (int i = 0; i < value->val.array.nElems; i++)
				document_push(copy, document_copy(&value->val.array.elems[i]));
			return copy;
		case jbvString:
			return document_string_len(pnstrdup(value->val.string.val, value->val.string.len),
									   value->val.string.len);
		default:
			copy = palloc(sizeof(JsonbValue));
			*copy = *value;
			if (value->type == jbvNumeric)
				copy->val.numeric = DatumGetNumericCopy(NumericGetDatum(value->val.numeric));
			return copy;
	}
}

/*
 * A copy of an object whose members can be set, added and removed without
 * touching the original.  The members' own values are shared.
 */
JsonbValue *
document_copy_top(JsonbValue *object)
{
	JsonbValue *copy = new_value(jbvObject);
	int			count = object->val.object.nPairs;

	copy->val.object.nPairs = count;
	copy->val.object.pairs = palloc(sizeof(JsonbPair) * room_for(count));
	memcpy(copy->val.object.pairs, object->val.object.pairs,
		   sizeof(JsonbPair) * count);
	return copy;
}

/*
 * Equal as jsonb values are: numbers by value, names in any order, elements in
 * theirs.  NULL stands for no value and equals only NULL.
 */
bool
document_equal(JsonbValue *a, JsonbValue *b)
{
	check_stack_depth();
	if (a == b)
		return true;
	if (a == NULL || b == NULL || a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvNumeric:
			return DatumGetBool(DirectFunctionCall2(numeric_eq,
													NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
		case jbvArray:
			if (a->val.array.nElems != b->val.array.nElems)
				return false;
			for (int i = 0; i < a->val.array.nElems; i++)
			{
				if (!document_equal(&a->val.array.elems[i], &b->val.array.elems[i]))
					return false;
			}
			return true;
		case jbvObject:
			if (a->val.object.nPairs != b->val.object.nPairs)
				return false;
			sort_members(a);
			sort_members(b);
			for (int i = 0; i < a->val.object.nPairs; i++)
			{
				if (compare_pairs(&a->val.object.pairs[i], &b->val.object.pairs[i]) != 0 ||
					!document_equal(&a->val.object.pairs[i].value,
									&b->val.object.pairs[i].value))
					return false;
			}
			return true;
		default:
			elog(ERROR, "unexpected jsonb value type %d", (int) a->type);	/* can't happen */
	}
	return false;				/* keep the compiler quiet */
}

bool
document_is_string(JsonbValue *value, const char *string)
{
	return value != NULL && value->type == jbvString &&
		value->val.string.len == strlen(string) &&
		memcmp(value->val.string.val, string, value->val.string.len) == 0;
}

char *
document_cstring(JsonbValue *string)
{
	Assert(string->type == jbvString);
	return pnstrdup(string->val.string.val, string->val.string.len);
}

/*
 * Is a number written out with at most MAX_DIGITS digits before its point, and
 * as many after it?
 */
bool
number_is_short(Numeric number)
{
	static Numeric limit = NULL;
	Datum		size = DirectFunctionCall1(numeric_abs, NumericGetDatum(number));

	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number))) > MAX_DIGITS)
		return false;
	if (limit == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
		Datum		power = DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("1e%d", MAX_DIGITS)),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

		limit = DatumGetNumeric(power);
		MemoryContextSwitchTo(old);
	}
	return DatumGetBool(DirectFunctionCall2(numeric_lt, size, NumericGetDatum(limit)));
}
