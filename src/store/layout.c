/*
 * layout.c
 *	  Which columns of a table hold what of a user, as a binding knows it.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#include "store/store.h"

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
		layout->document_sql = layout->object_sql = layout->written_sql = "u.document";
		layout->version_sql = "u.version";
		layout->created_sql = "u.created_at";
		layout->modified_sql = "u.modified_at";
		return;
	}
	since = psprintf("%s::pg_catalog.timestamptz",
					 quote_literal_cstr(layout_show_time(TimestampTzGetDatum(registered), TIMESTAMPTZOID)));
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
	layout->object_sql = layout->document == NULL ? layout->document_sql :
		psprintf("CASE WHEN pg_catalog.jsonb_typeof(%s) OPERATOR(pg_catalog.=) 'object' THEN %s ELSE '{}' END",
				 layout->document_sql, layout->document_sql);
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
	layout->object_sql = document_of(users, layout->object_sql, arguments.data);
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
