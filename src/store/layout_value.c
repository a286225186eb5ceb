/*
 * layout_value.c
 *	  A user's document made of the columns that hold its parts, and taken apart
 *	  into them again.
 *
 * What is in columns of their own is taken out of the document that is stored,
 * so that each value stands in one place, where the app changes it too.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/base64.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_document_of);

/*
 * From columns to JSON
 */

/*
 * A date, or a point in time in UTC, as RFC 3339 and RFC 7643 write it; years
 * before Christ as PostgreSQL does.
 */
char *
layout_show_time(Datum value, Oid type)
{
	char		buffer[MAXDATELEN + 1];
	int			len;

	if (type == TIMESTAMPTZOID)
		type = TIMESTAMPOID;	/* inside it is one in UTC */
	JsonEncodeDateTime(buffer, value, type, NULL);
	if (type == DATEOID || !isdigit((unsigned char) buffer[0]))
		return pstrdup(buffer);
	len = strcspn(buffer, " ");
	return psprintf("%.*sZ%s", len, buffer, buffer + len);
}

/* The same of an attribute that is a dateTime, which dates and infinity are not. */
static JsonbValue *
date_time_value(Datum value, Oid type)
{
	char	   *shown;

	if (type == DATEOID)
		shown = layout_show_time(DirectFunctionCall1(date_timestamp, value), TIMESTAMPOID);
	else
		shown = layout_show_time(value, type);
	return is_date_time(shown, strlen(shown)) ? document_string(shown) : NULL;
}

/* A number with all its digits, whatever the setting extra_float_digits is. */
static char *
show_number(FmgrInfo *out, Datum value, Oid type)
{
	char	   *shown;

	switch (type)
	{
		case FLOAT4OID:
			shown = palloc(FLOAT_SHORTEST_DECIMAL_LEN);
			float_to_shortest_decimal_buf(DatumGetFloat4(value), shown);
			return shown;
		case FLOAT8OID:
			shown = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
			double_to_shortest_decimal_buf(DatumGetFloat8(value), shown);
			return shown;
		default:
			return OutputFunctionCall(out, value);
	}
}

/* NaN and infinity are no numbers of JSON, and no values of an attribute that is one. */
static JsonbValue *
number_value(const AttributeColumn *column, const char *shown)
{
	JsonbValue *value;

	if (column->is_string)
		return document_string(shown);
	if (strpbrk(shown, "Nn") != NULL)
		return column->place->attribute != NULL && column->place->attribute->type != TYPE_ANY ? NULL :
			document_string(shown);
	value = palloc(sizeof(JsonbValue));
	value->type = jbvNumeric;
	value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(shown),
															 ObjectIdGetDatum(InvalidOid),
															 Int32GetDatum(-1)));
	return value;
}

static JsonbValue *
boolean_value(const AttributeColumn *column, Datum value)
{
	if (column->is_string)
		return document_string(DatumGetBool(value) ? "true" : "false");
	return document_boolean(DatumGetBool(value));
}

static JsonbValue *
bytes_value(Datum value)
{
	bytea	   *bytes = DatumGetByteaPP(value);
	int			room = pg_b64_enc_len(VARSIZE_ANY_EXHDR(bytes));
	char	   *shown = palloc(room + 1);
	int			len = pg_b64_encode(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), shown, room);

	shown[len] = '\0';
	return document_string(shown);
}

static JsonbValue *
array_value(AttributeColumn *column, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	JsonbValue *list = document_new_array();
	Oid			type = ARR_ELEMTYPE(array);
	int16		len;
	bool		byval;
	char		align;
	Datum	   *elems;
	bool	   *nulls;
	int			count;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &elems, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		JsonbValue *item = NULL;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			continue;
		if (column->item_kind == COLUMN_BOOLEAN)
			item = boolean_value(column, elems[i]);
		else if (column->item_kind == COLUMN_NUMBER)
			item = number_value(column, show_number(&column->out, elems[i], getBaseType(type)));
		else
			item = document_string(OutputFunctionCall(&column->out, elems[i]));
		if (item != NULL)
			document_push(list, item);
	}
	return list;
}

/* What a column has for an attribute, or NULL for none. */
static JsonbValue *
column_value(AttributeColumn *column, Datum value, bool isnull)
{
	const Attribute *attribute = column->place->attribute;
	Oid			base = getBaseType(column->type);
	JsonbValue *json;
	char	   *shown;

	if (isnull)
		return NULL;
	switch (column->kind)
	{
		case COLUMN_BOOLEAN:
			return boolean_value(column, value);
		case COLUMN_NUMBER:
			return number_value(column, show_number(&column->out, value, base));
		case COLUMN_DATE:
		case COLUMN_TIMESTAMP:
		case COLUMN_TIMESTAMPTZ:
			if (attribute != NULL && attribute->type == TYPE_DATE_TIME)
				return date_time_value(value, base);
			return document_string(layout_show_time(value, base));
		case COLUMN_JSON:
			if (base == JSONOID)
				value = DirectFunctionCall1(jsonb_in,
											CStringGetDatum(TextDatumGetCString(value)));
			json = document_from_jsonb(DatumGetJsonbP(value));
			return json->type == jbvNull ? NULL : json;
		case COLUMN_BYTES:
			return bytes_value(value);
		case COLUMN_ARRAY:
			return array_value(column, value);
		case COLUMN_TEXT:
			shown = OutputFunctionCall(&column->out, value);
			if (base == BPCHAROID)
				shown[bpchartruelen(shown, strlen(shown))] = '\0';
			/* who may not leave it out writes "" for no value */
			if (shown[0] == '\0' && column->never_null && column->has_blank)
				return NULL;
			return document_string(shown);
	}
	return NULL;
}

/* What is empty is no value of an attribute (RFC 7643 section 2.5). */
static bool
is_empty(const AttributeColumn *column, JsonbValue *value)
{
	if (value == NULL || column->place->attribute == NULL || column->place->attribute->type == TYPE_ANY)
		return false;
	return (value->type == jbvArray && value->val.array.nElems == 0) ||
		(value->type == jbvObject && value->val.object.nPairs == 0);
}

/* Put the attributes that are in columns into what is stored as such. */
static JsonbValue *
compose(const Layout *layout, JsonbValue *rest, JsonbValue **values)
{
	JsonbValue *document = document_copy(rest);
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		AttributeColumn *column = lfirst(lc);
		JsonbValue *value = values[foreach_current_index(lc)];

		place_set(column->place, document, is_empty(column, value) ? NULL : value);
	}
	return document;
}

/*
 * The document of a user: what is stored as such, and the attributes in
 * columns.
 */
JsonbValue *
layout_compose(const Layout *layout, JsonbValue *rest, const Datum *values, const bool *nulls)
{
	JsonbValue **parts = palloc(sizeof(JsonbValue *) * Max(list_length(layout->columns), 1));
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		int			i = foreach_current_index(lc);

		parts[i] = column_value(lfirst(lc), values[i], nulls[i]);
	}
	return compose(layout, rest, parts);
}

/*
 * From JSON to columns
 */

static char *
array_text(JsonbValue *list)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(list->val.array.nElems, 1));
	int			count = 0;

	for (int i = 0; i < list->val.array.nElems; i++)
	{
		JsonbValue *item = &list->val.array.elems[i];

		if (item->type != jbvNull)
			elems[count++] = CStringGetTextDatum(item->type == jbvString ? document_cstring(item) :
												 JsonbToCString(NULL, &document_to_jsonb(item)->root, 0));
	}
	return OidOutputFunctionCall(F_ARRAY_OUT, array_of(TEXTOID, elems, count));
}

static void
refuse_value(const AttributeColumn *column, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("attribute \"%s\" does not fit column \"%s\"", column->place->path, column->name),
			 errdetail_path(column->place->path, SCIM_INVALID_VALUE),
			 errhint("%s", hint)));
}

/* base64, or base64url, as the input function of bytea takes it. */
static char *
bytes_text(const AttributeColumn *column, const char *string)
{
	int			len = strlen(string);
	char	   *padded = palloc(len + 4);
	char	   *bytes = palloc(pg_b64_dec_len(len + 3));
	char	   *hex;
	int			count;

	if (!is_base64(string, len))
		refuse_value(column, "Encode the bytes as base64 or base64url.");
	for (int i = 0; i < len; i++)
		padded[i] = string[i] == '-' ? '+' : string[i] == '_' ? '/' : string[i];
	while (len % 4 != 0)
		padded[len++] = '=';
	count = pg_b64_decode(padded, len, bytes, pg_b64_dec_len(len));
	if (count < 0)
		refuse_value(column, "Encode the bytes as base64 or base64url.");
	hex = palloc(count * 2 + 3);
	hex[0] = '\\';
	hex[1] = 'x';
	hex[2 + hex_encode(bytes, count, hex + 2)] = '\0';
	return hex;
}

/* The value of an attribute as the column's input function takes it; NULL for none. */
static char *
column_text(const AttributeColumn *column, JsonbValue *value)
{
	char	   *string;

	if (value == NULL || value->type == jbvNull)
		return column->never_null && column->has_blank && column->default_sql == NULL ?
			pstrdup("") : NULL;
	if (column->kind == COLUMN_JSON)
		return JsonbToCString(NULL, &document_to_jsonb(value)->root, 0);
	switch (value->type)
	{
		case jbvString:
			string = document_cstring(value);
			if (column->kind == COLUMN_ARRAY)
				refuse_value(column, "Send an array.");
			/* a blank is no date and no number */
			if (string[0] == '\0' && column->kind != COLUMN_TEXT)
				return NULL;
			if (column->kind == COLUMN_BYTES)
				return bytes_text(column, string);

			/*
			 * without its offset from UTC a time has none, whatever the
			 * session's is
			 */
			if ((column->kind == COLUMN_TIMESTAMP || column->kind == COLUMN_TIMESTAMPTZ) &&
				is_date_time(string, strlen(string)) && !has_offset(string))
				return psprintf("%sZ", string);
			return string;
		case jbvNumeric:
			return numeric_normalize(value->val.numeric);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvArray:
			if (column->kind == COLUMN_ARRAY)
				return array_text(value);
			refuse_value(column, "Send a single value.");
			break;
		default:
			refuse_value(column, "Send a single value.");
	}
	return NULL;
}

/* Both NULL, or both the same? */
static bool
same_value(JsonbValue *a, JsonbValue *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return document_equal(a, b);
}

/*
 * Take a document apart, in memory: gives what is stored as such, and fills in
 * the texts of the columns (NULL: null) and which of them are others than those
 * of the document before (NULL: there is none).
 */
JsonbValue *
layout_split(const Layout *layout, JsonbValue *document, JsonbValue *before, char **texts, bool *changed)
{
	JsonbValue *rest = document_copy(document);
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		AttributeColumn *column = lfirst(lc);
		int			i = foreach_current_index(lc);
		JsonbValue *value = place_find(column->place, document);

		changed[i] = before == NULL || !same_value(value, place_find(column->place, before));
		texts[i] = changed[i] ? column_text(column, value) : NULL;
		place_take(column->place, rest);
	}
	return rest;
}

/* What the input function of a column says of a value is said of the attribute. */
static Datum
column_datum(AttributeColumn *column, char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		value = 0;

	PG_TRY();
	{
		value = InputFunctionCall(&column->in, text, column->in_param, column->typmod);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		error->message = psprintf("attribute \"%s\" does not fit column \"%s\": %s",
								  column->place->path, column->name, error->message);
		error->detail = error_detail(column->place->path, SCIM_INVALID_VALUE);
		ReThrowError(error);
	}
	PG_END_TRY();
	return value;
}

/* What a value will be when it is read again from its column. */
static JsonbValue *
settle_value(AttributeColumn *column, JsonbValue *value, JsonbValue *before, bool exists)
{
	char	   *text = column_text(column, value);

	if (text !=NULL)
		return column_value(column, column_datum(column, text), false);
	if (!column->never_null || column->default_sql == NULL)
		return NULL;
	if (column->has_constant)
		return column_value(column, column->constant, false);

	/*
	 * A default like now() is for the day on which the user is created: one
	 * who is there keeps what it was then.
	 */
	return exists ? before : NULL;
}

/*
 * A document as it will be read again, given the one before (NULL: there is
 * none): columns have types, precisions and defaults of their own.  What does
 * not change is not judged by them.  Without attributes in columns it is the
 * document itself.
 */
JsonbValue *
layout_settle(const Layout *layout, JsonbValue *document, JsonbValue *before)
{
	JsonbValue **values;
	JsonbValue *rest;
	ListCell   *lc;

	if (layout->columns == NIL)
		return document;
	values = palloc(sizeof(JsonbValue *) * list_length(layout->columns));
	rest = document_copy(document);
	foreach(lc, layout->columns)
	{
		AttributeColumn *column = lfirst(lc);
		JsonbValue *value = place_find(column->place, document);
		JsonbValue *old = before != NULL ? place_find(column->place, before) : NULL;

		if (before == NULL || !same_value(value, old))
			value = settle_value(column, value, old, before != NULL);
		values[foreach_current_index(lc)] = value;
		place_take(column->place, rest);
	}
	return compose(layout, rest, values);
}

/*
 * user_document_of(users regclass, document jsonb, VARIADIC columns "any")
 */
Datum
user_document_of(PG_FUNCTION_ARGS)
{
	Binding    *binding;
	int			count;
	Datum	   *values;
	bool	   *nulls;
	Jsonb	   *rest;

	require_argument(fcinfo, 0, "users");
	binding = binding_open(PG_GETARG_OID(0));
	count = list_length(binding->layout.columns);
	if (PG_NARGS() != count + 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has %d columns with attributes, not %d", binding->name, count,
						PG_NARGS() - 2),
				 errhint("Use userstore.user_document with a row of the table.")));
	values = palloc(sizeof(Datum) * Max(count, 1));
	nulls = palloc(sizeof(bool) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		AttributeColumn *column = list_nth(binding->layout.columns, i);

		if (get_fn_expr_argtype(fcinfo->flinfo, i + 2) != column->type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("argument %d is not of the type of column \"%s\"", i + 3, column->name),
					 errhint("Use userstore.user_document with a row of the table.")));
		values[i] = PG_GETARG_DATUM(i + 2);
		nulls[i] = PG_ARGISNULL(i + 2);
	}
	rest = PG_ARGISNULL(1) ? document_to_jsonb(document_new_object()) : PG_GETARG_JSONB_P(1);
	require_object_document(rest);
	PG_RETURN_JSONB_P(document_to_jsonb(layout_compose(&binding->layout, document_from_jsonb(rest),
													   values, nulls)));
}
