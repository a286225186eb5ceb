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
#include "catalog/pg_type.h"
#include "rewrite/rewriteHandler.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
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
	layout->id_sql = psprintf("u.%s", quote_identifier(layout->id));
	if (names == NULL)
	{
		layout->from_sql = psprintf("%s u", users_sql);
		layout->document_sql = "u.document";
		layout->version_sql = "u.version";
		layout->created_sql = "u.created_at";
		layout->modified_sql = "u.modified_at";
		return;
	}
	since = psprintf("%s::pg_catalog.timestamptz",
					 quote_literal_cstr(DatumGetCString(DirectFunctionCall1(timestamptz_out,
																			TimestampTzGetDatum(registered)))));
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

/* The default of a column as SQL, or NULL. */
static char *
default_of(Relation relation, AttrNumber number)
{
	Node	   *expression = build_column_default(relation, number);
	int			nest_level = NewGUCNestLevel();
	char	   *sql = NULL;

	/* names are written in full */
	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (expression != NULL)
		sql = deparse_expression(expression, NIL, false, false);
	AtEOXact_GUC(true, nest_level);
	return sql;
}

static AttributeColumn *
load_column(Relation relation, const Schema *schema, const char *path, const char *name)
{
	AttributeColumn *column = palloc0(sizeof(AttributeColumn));
	Form_pg_attribute form;
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
	column->kind = kind_of_type(getBaseType(form->atttypid));
	column->is_string = column->place->attribute != NULL && !column->place->attribute->multi_valued &&
		column->place->attribute->type != TYPE_BOOLEAN && column->place->attribute->type != TYPE_INTEGER &&
		column->place->attribute->type != TYPE_DECIMAL && column->place->attribute->type != TYPE_COMPLEX &&
		column->place->attribute->type != TYPE_ANY;
	column->never_null = form->attnotnull;
	/* without a type modifier: a longer value is an error then, not cut off */
	column->type_sql = format_type_be_qualified(form->atttypid);
	column->default_sql = default_of(relation, column->number);
	/* what is in UTC is read with its offset, and is inside the same number */
	getTypeInputInfo(column->kind == COLUMN_TIMESTAMP ? TIMESTAMPTZOID : column->type, &function,
					 &column->in_param);
	fmgr_info(function, &column->in);
	getTypeOutputInfo(column->type, &function, &is_varlena);
	fmgr_info(function, &column->out);
	return column;
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
	constant->type_sql = format_type_be_qualified(get_atttype(users, number));
	if (value->type == jbvString)
		constant->text = document_cstring(value);
	else if (value->type != jbvNull)
		constant->text = JsonbToCString(NULL, &document_to_jsonb(value)->root, 0);
	return constant;
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
	table_close(relation, AccessShareLock);
	if (layout->columns == NIL)
		return;
	initStringInfo(&arguments);
	foreach(lc, layout->columns)
		appendStringInfo(&arguments, ", u.%s", quote_identifier(((AttributeColumn *) lfirst(lc))->name));
	layout->document_sql = psprintf("userstore.user_document_of('%u'::pg_catalog.regclass, %s%s)",
									users, layout->document_sql, arguments.data);
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

/* A date, or a point in time in UTC, as RFC 3339 and RFC 7643 write it. */
static char *
show_time(Datum value, Oid type)
{
	char		buffer[MAXDATELEN + 1];

	if (type == TIMESTAMPTZOID)
		type = TIMESTAMPOID;	/* inside it is one in UTC */
	JsonEncodeDateTime(buffer, value, type, NULL);
	if (type == DATEOID || !isdigit((unsigned char) buffer[0]))
		return pstrdup(buffer);
	return psprintf("%sZ", buffer);
}

static JsonbValue *
array_value(const AttributeColumn *column, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	JsonbValue *list = document_new_array();
	Oid			type = ARR_ELEMTYPE(array);
	Oid			function;
	bool		is_varlena;
	int16		len;
	bool		byval;
	char		align;
	Datum	   *elems;
	bool	   *nulls;
	int			count;

	get_typlenbyvalalign(type, &len, &byval, &align);
	getTypeOutputInfo(type, &function, &is_varlena);
	deconstruct_array(array, type, len, byval, align, &elems, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			document_push(list, document_string(OidOutputFunctionCall(function, elems[i])));
	}
	return list;
}

static JsonbValue *
number_value(const char *text)
{
	JsonbValue *value = palloc(sizeof(JsonbValue));

	value->type = jbvNumeric;
	value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
															 ObjectIdGetDatum(InvalidOid),
															 Int32GetDatum(-1)));
	return value;
}

/* What a column has for an attribute, or NULL for none. */
static JsonbValue *
column_value(AttributeColumn *column, Datum value, bool isnull)
{
	Oid			base = getBaseType(column->type);
	JsonbValue *json;
	char	   *shown;

	if (isnull)
		return NULL;
	switch (column->kind)
	{
		case COLUMN_BOOLEAN:
			if (column->is_string)
				return document_string(DatumGetBool(value) ? "true" : "false");
			return document_boolean(DatumGetBool(value));
		case COLUMN_NUMBER:
			shown = OutputFunctionCall(&column->out, value);
			/* NaN and infinity are no numbers of JSON */
			if (column->is_string || strpbrk(shown, "Nn") != NULL)
				return document_string(shown);
			return number_value(shown);
		case COLUMN_DATE:
		case COLUMN_TIMESTAMP:
		case COLUMN_TIMESTAMPTZ:
			return document_string(show_time(value, base));
		case COLUMN_JSON:
			if (base == JSONOID)
				value = DirectFunctionCall1(jsonb_in,
											CStringGetDatum(TextDatumGetCString(value)));
			json = document_from_jsonb(DatumGetJsonbP(value));
			return json->type == jbvNull ? NULL : json;
		case COLUMN_ARRAY:
			return array_value(column, value);
		case COLUMN_TEXT:
			shown = OutputFunctionCall(&column->out, value);
			if (base == BPCHAROID)
				shown[bpchartruelen(shown, strlen(shown))] = '\0';
			/* who may not leave it out writes "" for no value */
			if (shown[0] == '\0' && column->never_null)
				return NULL;
			return document_string(shown);
	}
	return NULL;
}

/*
 * The document of a user: what is stored as such, and the attributes in
 * columns.
 */
JsonbValue *
layout_compose(const Layout *layout, JsonbValue *rest, const Datum *values, const bool *nulls)
{
	JsonbValue *document = document_copy(rest);
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		AttributeColumn *column = lfirst(lc);
		int			i = foreach_current_index(lc);

		place_set(column->place, document, column_value(column, values[i], nulls[i]));
	}
	return document;
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

/* The value of an attribute as the column's input function takes it; NULL for none. */
static char *
column_text(const AttributeColumn *column, JsonbValue *value)
{
	char	   *string;

	if (value == NULL || value->type == jbvNull)
		return column->never_null && column->kind == COLUMN_TEXT && column->default_sql == NULL ?
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

/*
 * Take a document apart, in memory: gives what is stored as such, and fills in
 * the texts of the columns (NULL: null).
 */
JsonbValue *
layout_split(const Layout *layout, JsonbValue *document, char **texts)
{
	JsonbValue *rest = document_copy(document);
	ListCell   *lc;

	foreach(lc, layout->columns)
	{
		AttributeColumn *column = lfirst(lc);

		texts[foreach_current_index(lc)] = column_text(column, place_find(column->place, document));
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

/*
 * A document as it will be read again: columns have types and precisions of
 * their own.  Without attributes in columns it is the document itself.
 */
JsonbValue *
layout_settle(const Layout *layout, JsonbValue *document)
{
	int			count = list_length(layout->columns);
	char	  **texts;
	Datum	   *values;
	bool	   *nulls;
	JsonbValue *rest;
	ListCell   *lc;

	if (count == 0)
		return document;
	texts = palloc(sizeof(char *) * count);
	values = palloc0(sizeof(Datum) * count);
	nulls = palloc(sizeof(bool) * count);
	rest = layout_split(layout, document, texts);
	foreach(lc, layout->columns)
	{
		int			i = foreach_current_index(lc);

		nulls[i] = texts[i] == NULL;
		if (!nulls[i])
			values[i] = column_datum(lfirst(lc), texts[i]);
	}
	return layout_compose(layout, rest, values, nulls);
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
