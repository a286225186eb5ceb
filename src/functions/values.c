/*
 * values.c
 *	  What a document has at a path, as a value of SQL: for the columns of views
 *	  and indexes.
 *
 * A document may hold anything (plain SQL wrote it, or an older schema allowed
 * it), so nothing here raises an error over one: a value that is not of the
 * wanted type is NULL.  The containers are walked where they are; unpacking a
 * whole document for each column of a row would cost more.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "core/scim/filter.h"
#include "functions/functions.h"
#include "store/index.h"

PG_FUNCTION_INFO_V1(attribute_values);
PG_FUNCTION_INFO_V1(attribute_text);
PG_FUNCTION_INFO_V1(attribute_boolean);
PG_FUNCTION_INFO_V1(attribute_integer);
PG_FUNCTION_INFO_V1(attribute_number);
PG_FUNCTION_INFO_V1(attribute_time);
PG_FUNCTION_INFO_V1(attribute_json);

/*
 * The names of a path.  "[]" behind a name says that a list may be there; no
 * attribute is called so.
 */
typedef struct PathName
{
	const char *name;
	int			len;
	bool		is_list;
} PathName;

typedef struct Path
{
	PathName   *names;
	int			count;
} Path;

/* false when it has no names, or null among them. */
static bool
read_path(ArrayType *array, Path *path)
{
	Datum	   *elems;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elems, &nulls, &path->count);
	path->names = palloc(sizeof(PathName) * Max(path->count, 1));
	for (int i = 0; i < path->count; i++)
	{
		PathName   *name = &path->names[i];
		text	   *element;

		if (nulls[i])
			return false;
		element = DatumGetTextPP(elems[i]);
		name->name = VARDATA_ANY(element);
		name->len = VARSIZE_ANY_EXHDR(element);
		name->is_list = name->len > 2 && memcmp(name->name + name->len - 2, "[]", 2) == 0;
		if (name->is_list)
			name->len -= 2;
	}
	return true;
}

static bool
is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

/* The member of an object, or NULL. */
static JsonbValue *
member(const JsonbValue *value, const PathName *name)
{
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return getKeyJsonValueFromContainer(value->val.binary.data, name->name, name->len, NULL);
}

static JsonbValue
whole(Jsonb *document)
{
	JsonbValue	value;

	value.type = jbvBinary;
	value.val.binary.data = &document->root;
	value.val.binary.len = VARSIZE_ANY_EXHDR(document);
	return value;
}

/*
 * All strings
 */

typedef struct Strings
{
	Path		path;
	bool		folds;
	ArrayBuildState *found;
} Strings;

static void
add_string(Strings *strings, JsonbValue *value)
{
	char	   *text = strings->folds ? filter_fold(value) : document_cstring(value);
	int			len = pg_mbcharcliplen(text, strlen(text), INDEX_CHARACTERS);

	strings->found = accumArrayResult(strings->found,
									  PointerGetDatum(cstring_to_text_with_len(text, len)), false,
									  TEXTOID, CurrentMemoryContext);
}

/* As filters go on from a value on the path, but to all ends. */
static void
collect_at(Strings *strings, int step, JsonbValue *value)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (step > 0 && is_array(value))
	{
		JsonbContainer *array = value->val.binary.data;

		for (uint32 i = 0; i < JsonContainerSize(array); i++)
			collect_at(strings, step, getIthJsonbValueFromContainer(array, i));
	}
	else if (step < strings->path.count)
	{
		value = member(value, &strings->path.names[step]);
		if (value != NULL)
			collect_at(strings, step + 1, value);
	}
	else if (value->type == jbvString)
		add_string(strings, value);
}

/*
 * attribute_values(document jsonb, path text[], any_case boolean)
 */
Datum
attribute_values(PG_FUNCTION_ARGS)
{
	JsonbValue	document = whole(PG_GETARG_JSONB_P(0));
	Strings		strings = {0};

	if (!read_path(PG_GETARG_ARRAYTYPE_P(1), &strings.path))
		PG_RETURN_NULL();
	strings.folds = PG_GETARG_BOOL(2);
	strings.found = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	collect_at(&strings, 0, &document);
	PG_RETURN_DATUM(makeArrayResult(strings.found, CurrentMemoryContext));
}

/*
 * One value
 */

/* Of several values, the primary one, or else the first; NULL if there is none. */
static JsonbValue *
chosen(JsonbValue *value)
{
	static const char primary[] = "primary";

	while (value != NULL && is_array(value))
	{
		JsonbContainer *array = value->val.binary.data;
		JsonbValue *first = NULL;

		CHECK_FOR_INTERRUPTS();
		value = NULL;
		for (uint32 i = 0; i < JsonContainerSize(array) && value == NULL; i++)
		{
			JsonbValue *item = getIthJsonbValueFromContainer(array, i);
			JsonbValue *mark = NULL;

			if (item->type == jbvBinary && JsonContainerIsObject(item->val.binary.data))
				mark = getKeyJsonValueFromContainer(item->val.binary.data, primary,
													strlen(primary), NULL);
			if (mark != NULL && mark->type == jbvBool && mark->val.boolean)
				value = item;
			if (first == NULL)
				first = item;
		}
		if (value == NULL)
			value = first;
	}
	return value;
}

/*
 * The value at the end of the path, or NULL; a null is none.  An empty path is
 * that of the whole.
 */
static JsonbValue *
find_value(FunctionCallInfo fcinfo)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	JsonbValue *value = palloc(sizeof(JsonbValue));
	Path		path;

	if (!read_path(PG_GETARG_ARRAYTYPE_P(1), &path))
		return NULL;
	*value = whole(document);
	if (JB_ROOT_IS_SCALAR(document))
		(void) JsonbExtractScalar(&document->root, value);
	for (int i = 0; i < path.count && value != NULL; i++)
	{
		value = member(value, &path.names[i]);
		if (path.names[i].is_list)
			value = chosen(value);
	}
	return value != NULL && value->type != jbvNull ? value : NULL;
}

static JsonbValue *
find_of_type(FunctionCallInfo fcinfo, enum jbvType type)
{
	JsonbValue *value = find_value(fcinfo);

	return value != NULL && value->type == type ? value : NULL;
}

/*
 * attribute_text(document jsonb, path text[])
 */
Datum
attribute_text(PG_FUNCTION_ARGS)
{
	JsonbValue *value = find_of_type(fcinfo, jbvString);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(value->val.string.val, value->val.string.len));
}

/*
 * attribute_boolean(document jsonb, path text[])
 */
Datum
attribute_boolean(PG_FUNCTION_ARGS)
{
	JsonbValue *value = find_of_type(fcinfo, jbvBool);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(value->val.boolean);
}

/*
 * attribute_number(document jsonb, path text[])
 */
Datum
attribute_number(PG_FUNCTION_ARGS)
{
	JsonbValue *value = find_of_type(fcinfo, jbvNumeric);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(datumCopy(NumericGetDatum(value->val.numeric), false, -1));
}

/*
 * attribute_integer(document jsonb, path text[])
 */
Datum
attribute_integer(PG_FUNCTION_ARGS)
{
	JsonbValue *value = find_of_type(fcinfo, jbvNumeric);
	char	   *digits;
	char	   *end;
	int64		result;

	if (value == NULL)
		PG_RETURN_NULL();
	/* 5.0 is 5 */
	digits = numeric_normalize(value->val.numeric);
	errno = 0;
	result = strtoi64(digits, &end, 10);
	if (errno != 0 || *end != '\0')
		PG_RETURN_NULL();
	PG_RETURN_INT64(result);
}

/*
 * attribute_time(document jsonb, path text[])
 */
Datum
attribute_time(PG_FUNCTION_ARGS)
{
	JsonbValue *value = find_of_type(fcinfo, jbvString);
	int64		instant;

	if (value == NULL || !filter_instant(value, &instant))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(instant);
}

/*
 * attribute_json(document jsonb, path text[])
 */
Datum
attribute_json(PG_FUNCTION_ARGS)
{
	JsonbValue *value = find_value(fcinfo);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(JsonbValueToJsonb(value));
}
