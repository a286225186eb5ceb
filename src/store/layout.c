/*
 * layout.c
 *	  A user's document made of the columns that hold its parts, and taken apart
 *	  into them again.
 *
 * What is in columns of their own is taken out of the document that is stored,
 * so that each value stands in one place, where the app changes it too.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/base64.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#include "core/errors.h"
#include "core/formats.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_document_of);

static char *show_time(Datum value, Oid type);

/*
 * What a layout is made of
 */

static char *
part_name(JsonbValue *names, const char *part, const char *ours)
{
	JsonbValue *name = names != NULL ? document_member(names, part) : NULL;

	if (names == NULL)
		return pstrdup(ours);
	return name != NULL && name->type == jbvString ? document_cstring(name) : NULL;
}

/*
 * A point in time as an expression.  A column without a time zone is in UTC, as
 * web frameworks keep it.
 */
static const char *
time_sql(Oid users, const char *column, const char *state_column, const char *otherwise)
{
	char	   *value;

	if (column == NULL)
		value = psprintf("s.%s", state_column);
	else if (get_atttype(users, get_attnum(users, column)) == TIMESTAMPOID)
		value = psprintf("pg_catalog.timezone('UTC', u.%s)", quote_identifier(column));
	else
		value = psprintf("u.%s", quote_identifier(column));
	return otherwise != NULL ? psprintf("coalesce(%s, %s)", value, otherwise) : value;
}

/*
 * The parts of a layout, but for the attributes in columns.  A user whom an app
 * inserted has no row in the state table: version 1, known since the table is
 * registered.
 */
void
layout_load(Layout *layout, Oid users, const char *users_sql, JsonbValue *names, Oid state,
			const char *tenant, TimestampTz registered)
{
	char	   *since;

	layout->id = part_name(names, "id", "id");
	layout->document = part_name(names, "document", "document");
	layout->version = part_name(names, "version", "version");
	layout->created = part_name(names, "created", "created_at");
	layout->modified = part_name(names, "modified", "modified_at");
	layout->password = part_name(names, "password", "password_hash");
	layout->tenant = tenant != NULL ? pstrdup(tenant) : NULL;
	layout->tenant_sql = tenant != NULL ? tenant_selected_sql(users, tenant) : NULL;
	layout->columns = layout->constants = NIL;
	layout->state = state;
	layout->registered = registered;
	layout->id_sql = psprintf("u.%s", quote_identifier(layout->id));
	if (names == NULL)
	{
		layout->from_sql = psprintf("%s u", users_sql);
		layout->document_sql = layout->written_sql = "u.document";
		layout->version_sql = "u.version";
		layout->created_sql = "u.created_at";
		layout->modified_sql = "u.modified_at";
		return;
	}
	since = psprintf("%s::pg_catalog.timestamptz",
					 quote_literal_cstr(show_time(TimestampTzGetDatum(registered), TIMESTAMPTZOID)));
	if (OidIsValid(state))
	{
		layout->state_sql = quote_qualified_identifier(get_namespace_name(get_rel_namespace(state)),
													   get_rel_name(state));
		layout->from_sql = psprintf("%s u LEFT JOIN %s s ON s.user_id OPERATOR(pg_catalog.=) %s%s",
									users_sql, layout->state_sql, layout->id_sql, tenant == NULL ? "" :
									psprintf(" AND s." TENANT_COLUMN " OPERATOR(pg_catalog.=) u.%s",
											 quote_identifier(tenant)));
	}
	else
		layout->from_sql = psprintf("%s u", users_sql);
	layout->document_sql = layout->document != NULL ?
		psprintf("coalesce(u.%s::pg_catalog.jsonb, '{}')", quote_identifier(layout->document)) :
		"coalesce(s.document, '{}')";
	layout->written_sql = layout->document != NULL ? layout->document_sql : "$2";
	layout->version_sql = layout->version != NULL ?
		psprintf("coalesce(u.%s::pg_catalog.int8, 1)", quote_identifier(layout->version)) :
		"coalesce(s.version, 1)";
	layout->created_sql = time_sql(users, layout->created, "created_at", since);
	layout->modified_sql = time_sql(users, layout->modified, "modified_at", layout->created_sql);
}

static ColumnKind
kind_of_type(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return COLUMN_BOOLEAN;
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return COLUMN_NUMBER;
		case DATEOID:
			return COLUMN_DATE;
		case TIMESTAMPOID:
			return COLUMN_TIMESTAMP;
		case TIMESTAMPTZOID:
			return COLUMN_TIMESTAMPTZ;
		case JSONOID:
		case JSONBOID:
			return COLUMN_JSON;
		default:
			return OidIsValid(get_element_type(type)) ? COLUMN_ARRAY : COLUMN_TEXT;
	}
}

static bool
is_owners(Oid function, void *context)
{
	return function >= FirstUnpinnedObjectId;
}

/*
 * Does an expression call functions other than PostgreSQL's own?  Who only reads
 * a table does not call those that its owner has put into defaults.
 */
static bool
calls_owners(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_owners, NULL) ||
		expression_tree_walker(node, calls_owners, NULL);
}

/* The default of a column: as SQL, and as a value, if it always is the same. */
static void
load_default(AttributeColumn *column, Relation relation)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog"}, {"DateStyle", "ISO, YMD"}, {"IntervalStyle", "postgres"},
		{"extra_float_digits", "1"},
	};
	Node	   *expression = build_column_default(relation, column->number);
	int			nest_level;

	if (expression == NULL)
		return;
	nest_level = NewGUCNestLevel();

	/*
	 * names are written in full, and constants so that they can be read under
	 * any settings
	 */
	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	column->default_sql = deparse_expression(expression, NIL, false, false);
	AtEOXact_GUC(true, nest_level);
	if (calls_owners(expression, NULL))
		return;
	expression = eval_const_expressions(NULL, expression);
	if (IsA(expression, Const) && !((Const *) expression)->constisnull)
	{
		Const	   *constant = (Const *) expression;

		column->has_constant = true;
		column->constant = datumCopy(constant->constvalue, constant->constbyval, constant->constlen);
	}
}

/* Has a type strings, and among them an empty one? */
static bool
has_blank(Oid type)
{
	char		category;
	bool		is_preferred;

	get_type_category_preferred(getBaseType(type), &category, &is_preferred);
	return category == TYPCATEGORY_STRING;
}

/*
 * A type to cast to, without a modifier: a value that is too long is an error
 * then, not cut off.  (SQL's "character" is one of a single character.)
 */
static char *
cast_type(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

static AttributeColumn *
load_column(Relation relation, const Schema *schema, const char *path, const char *name)
{
	AttributeColumn *column = palloc0(sizeof(AttributeColumn));
	const Attribute *attribute;
	Form_pg_attribute form;
	Oid			base;
	Oid			shown;
	Oid			function;
	bool		is_varlena;

	column->number = get_attnum(RelationGetRelid(relation), name);
	if (column->number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name,
						RelationGetRelationName(relation)),
				 errhint("Detach the table and attach it again with the columns that it has.")));
	form = TupleDescAttr(RelationGetDescr(relation), column->number - 1);
	column->place = place_parse(schema, pstrdup(path));
	column->name = pstrdup(name);
	column->type = form->atttypid;
	column->typmod = form->atttypmod;
	attribute = column->place->attribute;
	base = getBaseType(form->atttypid);
	shown = form->atttypid;
	column->kind = kind_of_type(base);
	if (column->kind == COLUMN_ARRAY)
	{
		shown = get_element_type(base);
		column->item_kind = kind_of_type(getBaseType(shown));
	}
	if (base == BYTEAOID && attribute != NULL && attribute->type == TYPE_BINARY)
		column->kind = COLUMN_BYTES;
	column->is_string = attribute != NULL && attribute->type != TYPE_BOOLEAN &&
		attribute->type != TYPE_INTEGER && attribute->type != TYPE_DECIMAL &&
		attribute->type != TYPE_COMPLEX && attribute->type != TYPE_ANY;
	column->has_blank = has_blank(form->atttypid);
	column->never_null = form->attnotnull;
	column->type_sql = cast_type(form->atttypid);
	load_default(column, relation);
	/* what is in UTC is read with its offset, and is inside the same number */
	getTypeInputInfo(column->kind == COLUMN_TIMESTAMP ? TIMESTAMPTZOID : column->type, &function,
					 &column->in_param);
	fmgr_info(function, &column->in);
	getTypeOutputInfo(shown, &function, &is_varlena);
	fmgr_info(function, &column->out);
	return column;
}

/* A value for new rows as the column's input function takes it; NULL: null. */
char *
layout_constant_text(JsonbValue *value)
{
	if (value->type == jbvNull)
		return NULL;
	return value->type == jbvString ? document_cstring(value) :
		JsonbToCString(NULL, &document_to_jsonb(value)->root, 0);
}

static ConstantColumn *
load_constant(Oid users, const char *name, JsonbValue *value)
{
	ConstantColumn *constant = palloc0(sizeof(ConstantColumn));
	AttrNumber	number = get_attnum(users, name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name, get_rel_name(users)),
				 errhint("Detach the table and attach it again with the columns that it has.")));
	constant->name = pstrdup(name);
	constant->type_sql = cast_type(get_atttype(users, number));
	constant->text = layout_constant_text(value);
	return constant;
}

static char *
document_of(Oid users, const char *stored, const char *columns)
{
	return psprintf("userstore.user_document_of('%u'::pg_catalog.regclass, %s%s)", users, stored, columns);
}

/*
 * The attributes in columns of their own.
 */
void
layout_load_columns(Layout *layout, Oid users, const Schema *schema, JsonbValue *names)
{
	JsonbValue *columns = document_member(names, "columns");
	JsonbValue *defaults = document_member(names, "defaults");
	Relation	relation = table_open(users, AccessShareLock);
	StringInfoData arguments;
	ListCell   *lc;

	if (columns != NULL)
	{
		document_foreach(pair, columns)
			layout->columns = lappend(layout->columns,
									  load_column(relation, schema, document_cstring(&pair->key),
												  document_cstring(&pair->value)));
	}
	if (defaults != NULL)
	{
		document_foreach(pair, defaults)
			layout->constants = lappend(layout->constants,
										load_constant(users, document_cstring(&pair->key),
													  &pair->value));
	}
	if (layout->password != NULL && get_attnum(users, layout->password) > 0)
	{
		Form_pg_attribute form = TupleDescAttr(RelationGetDescr(relation),
											   get_attnum(users, layout->password) - 1);

		layout->has_blank_password = form->attnotnull;
		layout->needs_password = form->attnotnull && !form->atthasdef;
	}
	table_close(relation, AccessShareLock);
	if (layout->columns == NIL)
		return;
	initStringInfo(&arguments);
	foreach(lc, layout->columns)
		appendStringInfo(&arguments, ", u.%s", quote_identifier(((AttributeColumn *) lfirst(lc))->name));
	layout->document_sql = document_of(users, layout->document_sql, arguments.data);
	layout->written_sql = document_of(users, layout->written_sql, arguments.data);
}

/*
 * The attribute in a column, or NULL.
 */
const char *
layout_path_of_column(const Layout *layout, const char *column)
{
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		AttributeColumn *attribute = lfirst(lc);

		if (strcmp(attribute->name, column) == 0)
			return attribute->place->path;
	}
	return NULL;
}

/*
 * From columns to JSON
 */

/*
 * A date, or a point in time in UTC, as RFC 3339 and RFC 7643 write it; years
 * before Christ as PostgreSQL does.
 */
static char *
show_time(Datum value, Oid type)
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
		shown = show_time(DirectFunctionCall1(date_timestamp, value), TIMESTAMPOID);
	else
		shown = show_time(value, type);
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
			return document_string(show_time(value, base));
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
 * SQL for statements
 *
 * The texts of the columns come as elements of one array, texts.
 */

static char *
cast_text(const AttributeColumn *column, const char *texts, int number)
{
	if (column->kind == COLUMN_TIMESTAMP)
		return psprintf("pg_catalog.timezone('UTC', %s[%d]::pg_catalog.timestamptz)", texts, number);
	return psprintf("%s[%d]::%s", texts, number, column->type_sql);
}

/* A part of a user that the table has a column for, and the value that it gets. */
typedef struct Part
{
	const char *column;
	const char *value;
} Part;

/* A time as the column has it. */
static const char *
time_value(Oid users, const char *column, const char *value)
{
	return get_atttype(users, get_attnum(users, column)) == TIMESTAMPOID ?
		psprintf("pg_catalog.timezone('UTC', %s)", value) : value;
}

static List *
add_part(List *parts, const char *column, const char *value)
{
	Part	   *part;

	if (column == NULL)
		return parts;
	part = palloc(sizeof(Part));
	part->column = quote_identifier(column);
	part->value = value;
	return lappend(parts, part);
}

static List *
parts_of(const Layout *layout, Oid users, const LayoutValues *values, bool inserts)
{
	List	   *parts = NIL;
	ListCell   *lc;

	parts = add_part(parts, layout->document, values->document);
	parts = add_part(parts, layout->version, values->version);
	if (inserts && layout->created != NULL)
		parts = add_part(parts, layout->created, time_value(users, layout->created, values->modified));
	if (layout->modified != NULL)
		parts = add_part(parts, layout->modified, time_value(users, layout->modified, values->modified));
	foreach(lc, layout->columns)
	{
		AttributeColumn *column = lfirst(lc);
		char	   *value = cast_text(column, values->texts, foreach_current_index(lc) + 1);

		/* what is left out of an INSERT has its default */
		if (column->default_sql != NULL && (inserts || column->never_null))
			value = psprintf("coalesce(%s, %s)", value, column->default_sql);
		/* what an update leaves alone stays, also what JSON cannot say */
		if (!inserts)
			value = psprintf("CASE WHEN %s[%d] THEN %s ELSE u.%s END", values->changed,
							 foreach_current_index(lc) + 1, value, quote_identifier(column->name));
		parts = add_part(parts, column->name, value);
	}
	foreach(lc, layout->constants)
	{
		ConstantColumn *constant = lfirst(lc);

		if (inserts)
			parts = add_part(parts, constant->name,
							 constant->text == NULL ? "null" :
							 psprintf("%s::%s", quote_literal_cstr(constant->text), constant->type_sql));
	}
	return parts;
}

/*
 * The columns of an INSERT, without that of the id, and their values.
 */
void
layout_insert_sql(const Layout *layout, Oid users, const LayoutValues *values, StringInfo columns,
				  StringInfo expressions)
{
	ListCell   *lc;

	foreach(lc, parts_of(layout, users, values, true))
	{
		Part	   *part = lfirst(lc);

		appendStringInfo(columns, "%s%s", columns->len > 0 ? ", " : "", part->column);
		appendStringInfo(expressions, "%s%s", expressions->len > 0 ? ", " : "", part->value);
	}
}

static void
add_assignments(StringInfo sql, List *parts)
{
	ListCell   *lc;

	foreach(lc, parts)
	{
		Part	   *part = lfirst(lc);

		appendStringInfo(sql, "%s%s = %s", foreach_current_index(lc) > 0 ? ", " : "", part->column,
						 part->value);
	}
}

/*
 * The assignments of an UPDATE.
 */
void
layout_update_sql(const Layout *layout, Oid users, const LayoutValues *values, StringInfo assignments)
{
	add_assignments(assignments, parts_of(layout, users, values, false));
}

/*
 * The assignments of version ($2), time of creation ($3) and of the last change
 * ($4), as far as the table has columns for them.
 */
void
layout_versions_sql(const Layout *layout, Oid users, StringInfo assignments)
{
	List	   *parts = NIL;

	parts = add_part(parts, layout->version, "$2");
	if (layout->created != NULL)
		parts = add_part(parts, layout->created, time_value(users, layout->created, "$3"));
	if (layout->modified != NULL)
		parts = add_part(parts, layout->modified, time_value(users, layout->modified, "$4"));
	add_assignments(assignments, parts);
}

/*
 * What a write gives of a row: what the table has of it then, and for the rest
 * these expressions of what was written.
 */
void
layout_written_sql(const Layout *layout, Oid users, const char *document, const char *version,
				   const char *created, const char *modified, StringInfo expressions)
{
	appendStringInfo(expressions, "%s, %s, %s, %s", document,
					 layout->version != NULL ? layout->version_sql : version,
					 layout->created != NULL ? layout->created_sql : created,
					 layout->modified != NULL ? time_sql(users, layout->modified, NULL, modified) : modified);
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
