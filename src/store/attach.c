/*
 * attach.c
 *	  Make a user table of one that exists: an app's own, with columns of its
 *	  own.
 *
 * Nothing is added to the app's table but triggers.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_table_attach);

/* Arguments that name a column, and what the layout calls them. */
static const struct
{
	int			arg;
	const char *part;
}			column_arguments[] = {
	{4, "id"},
	{5, "document"},
	{6, "version"},
	{7, "created"},
	{8, "modified"},
	{9, "password"},
};

#define ARGUMENT_COLUMNS	10
#define ARGUMENT_DEFAULTS	11
#define ARGUMENT_SENSITIVE	12
#define ARGUMENT_TENANT		13
#define ARGUMENT_POLICY		14

/*
 * Words in the names of columns that an API should not reach by mistake: who may
 * log in as whom, and as what.
 */
static const char *const sensitive_words[] = {
	"password", "passwd", "pwd", "hash", "salt", "secret", "token", "otp", "mfa", "totp", "credential",
	"superuser", "admin", "staff", "role", "permission", "privilege", "api_key", "apikey", "private_key",
	"recovery", "session", NULL
};

static char *
part_of(JsonbValue *layout, const char *part)
{
	JsonbValue *name = document_member(layout, part);

	return name != NULL && name->type == jbvString ? document_cstring(name) : NULL;
}

/*
 * Does it lack a column for a part of a user?
 */
bool
attach_needs_state(JsonbValue *layout)
{
	return part_of(layout, "document") == NULL || part_of(layout, "version") == NULL ||
		part_of(layout, "created") == NULL || part_of(layout, "modified") == NULL;
}

/*
 * Is there a column that says how often or when a user was changed?
 */
bool
attach_has_version(JsonbValue *layout)
{
	return part_of(layout, "version") != NULL || part_of(layout, "modified") != NULL;
}

/*
 * Columns
 */

static void
refuse_column(const char *column, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" cannot be used in this way", column),
			 errhint("%s", hint)));
}

/* The type of a column that has to be there. */
static Oid
column_type(Relation relation, const char *column)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), column);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", shown_name(column, strlen(column)),
						RelationGetRelationName(relation))));
	return TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid;
}

static void
require_writable(Relation relation, const char *column)
{
	Form_pg_attribute form;

	(void) column_type(relation, column);
	form = TupleDescAttr(RelationGetDescr(relation), get_attnum(RelationGetRelid(relation), column) - 1);
	if (form->attgenerated != '\0' || form->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
		refuse_column(column, "PostgreSQL computes it.");
}

static void
require_type(Relation relation, JsonbValue *layout, const char *part, Oid type, Oid other, Oid third)
{
	char	   *column = part_of(layout, part);
	Oid			actual;

	if (column == NULL)
		return;
	require_writable(relation, column);
	actual = getBaseType(column_type(relation, column));
	if (actual != type && actual != other && actual != third)
		refuse_column(column, psprintf("The column for %s is of type %s or %s.",
									   strcmp(part, "document") == 0 ? "documents" :
									   strcmp(part, "version") == 0 ? "versions" :
									   strcmp(part, "password") == 0 ? "hashes of passwords" : "times",
									   format_type_be(type), format_type_be(other)));
}

/* The column for ids: the one that is named, or the primary key. */
static char *
find_id(Relation relation)
{
	Oid			key = RelationGetPrimaryKeyIndex(relation);
	char	   *column = NULL;

	if (OidIsValid(key))
	{
		Relation	index = index_open(key, AccessShareLock);

		if (index->rd_index->indnkeyatts == 1)
			column = get_attname(RelationGetRelid(relation), index->rd_index->indkey.values[0], false);
		index_close(index, AccessShareLock);
	}
	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" has no primary key of one column", RelationGetRelationName(relation)),
				 errhint("Name the column for ids of users as id_column.")));
	return column;
}

/* Ids are unique, or those of each tenant are. */
static void
require_id(Relation relation, const char *column, const char *tenant)
{
	const char *const key[] = {column, NULL};
	const char *const keys[] = {tenant, column, NULL};
	Oid			type = column_type(relation, column);

	if (!is_id_type(type))
		refuse_id_type(type);
	if (tenant != NULL && !is_id_type(column_type(relation, tenant)))
		refuse_column(tenant, "The column for tenants is of type text, varchar, uuid, integer or bigint.");
	if (tenant != NULL && table_has_key(RelationGetRelid(relation), keys, true))
		return;
	if (!table_has_key(RelationGetRelid(relation), key, true) || tenant != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" has no key for ids of users", RelationGetRelationName(relation)),
				 tenant == NULL ?
				 errhint("Make the column %s its primary key, not deferrable.", column) :
				 errhint("Make the columns %s and %s its primary key, not deferrable; or add a unique index on both: CREATE UNIQUE INDEX CONCURRENTLY ON %s (%s, %s);",
						 tenant, column, table_sql(RelationGetRelid(relation)),
						 quote_identifier(tenant), quote_identifier(column))));
}

/* An app's table has rows of its own making: each has to be a user's. */
static void
require_not_null(Relation relation, const char *column)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), column);

	if (!TupleDescAttr(RelationGetDescr(relation), number - 1)->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" may have rows without an id", RelationGetRelationName(relation)),
				 errhint("Set the column %s NOT NULL, or name another as id_column.", column)));
}

static bool
is_listed(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

static void
refuse_sensitive(const char *column, List *named)
{
	char	   *lowered = pstrdup(column);

	for (char *c = lowered; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	for (const char *const *word = sensitive_words; *word != NULL; word++)
	{
		if (strstr(lowered, *word) != NULL && !is_listed(named, column))
			refuse_column(column, "Its name says that who may log in, or as what, hangs on it. If API clients are to write it all the same, name it in sensitive_columns as well; a column for hashes of passwords is named as password_column.");
	}
}

/* Can values of the attribute be kept in a column of this type? */
static void
require_fit(const Place *place, const char *column, Oid type)
{
	const Attribute *attribute = place->attribute;
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	bool		is_list;
	bool		is_number;

	if (attribute == NULL || base == JSONOID || base == JSONBOID)
		return;
	if (attribute->type == TYPE_COMPLEX || attribute->type == TYPE_ANY)
		refuse_column(column, psprintf("Attribute %s has parts of its own, which a column of type jsonb can hold.",
									   place->path));
	is_list = attribute->multi_valued && place->filter == NULL;
	if (is_list && !OidIsValid(element))
		refuse_column(column, psprintf("Attribute %s has several values, which a column of type text[] or jsonb can hold.",
									   place->path));
	if (!is_list && OidIsValid(element))
		refuse_column(column, psprintf("Attribute %s has a single value.", place->path));
	if (is_list)
		base = getBaseType(element);
	is_number = base == INT2OID || base == INT4OID || base == INT8OID ||
		base == FLOAT4OID || base == FLOAT8OID || base == NUMERICOID;
	if ((attribute->type == TYPE_BOOLEAN) != (base == BOOLOID))
		refuse_column(column, psprintf("Attribute %s is of type %s.", place->path,
									   attribute_type_name(attribute->type)));
	if ((attribute->type == TYPE_INTEGER || attribute->type == TYPE_DECIMAL) && !is_number)
		refuse_column(column, psprintf("Attribute %s is a number.", place->path));
}

/* Can a column have this value? */
static void
require_default(Relation relation, const char *column, JsonbValue *value)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), column);
	Form_pg_attribute form = TupleDescAttr(RelationGetDescr(relation), number - 1);
	MemoryContext context = CurrentMemoryContext;
	Oid			function;
	Oid			parameter;

	getTypeInputInfo(form->atttypid, &function, &parameter);
	PG_TRY();
	{
		(void) OidInputFunctionCall(function, layout_constant_text(value), parameter, form->atttypmod);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		error->message = psprintf("the default for column \"%s\" does not fit: %s", column,
								  error->message);
		ReThrowError(error);
	}
	PG_END_TRY();
}

/* Each attribute in a column of its own that the API may write. */
static void
check_columns(Relation relation, const Schema *schema, JsonbValue *layout, const char *tenant,
			  List *sensitive)
{
	JsonbValue *columns = document_member(layout, "columns");
	List	   *places = NIL;
	List	   *used = tenant != NULL ? list_make1(unconstify(char *, tenant)) : NIL;
	ListCell   *lc;

	for (int i = 0; i < lengthof(column_arguments); i++)
	{
		char	   *column = part_of(layout, column_arguments[i].part);

		if (column != NULL && is_listed(used, column))
			refuse_column(column, "Each column holds one part of a user.");
		used = column != NULL ? lappend(used, column) : used;
	}
	if (columns->val.object.nPairs > MAX_ATTRIBUTE_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d attributes cannot be in columns of their own", MAX_ATTRIBUTE_COLUMNS)));
	document_foreach(pair, columns)
	{
		char	   *path = document_cstring(&pair->key);
		char	   *column;
		Place	   *place;

		if (pair->value.type != jbvString)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the column of attribute \"%s\" is not a string", shown_name(path, strlen(path))),
					 errhint("columns is an object of attribute paths and names of columns.")));
		column = document_cstring(&pair->value);
		require_writable(relation, column);
		if (is_listed(used, column))
			refuse_column(column, "Each column holds one part of a user.");
		used = lappend(used, column);
		refuse_sensitive(column, sensitive);
		place = place_parse(schema, path);
		if (strcmp(linitial(place->names), "id") == 0 || strcmp(linitial(place->names), "meta") == 0 ||
			strcmp(linitial(place->names), "schemas") == 0)
			refuse_column(column, "id, meta and schemas are made, not stored; columns for the id, the version and times are named as id_column, version_column, created_column and modified_column.");
		if (place->attribute != NULL &&
			(place->attribute == schema->password || place->attribute->transient ||
			 place->attribute->computed != NULL))
			refuse_column(column, psprintf("Attribute %s is not kept as it is sent; the column for hashes of passwords is named as password_column.",
										   path));
		require_fit(place, column, column_type(relation, column));
		foreach(lc, places)
		{
			if (places_overlap(place, lfirst(lc)))
				refuse_column(column, psprintf("Attribute %s is in another column already: %s.", path,
											   ((Place *) lfirst(lc))->path));
		}
		places = lappend(places, place);
	}
	document_foreach(pair, document_member(layout, "defaults"))
	{
		char	   *column = document_cstring(&pair->key);

		require_writable(relation, column);
		if (is_listed(used, column))
			refuse_column(column, "Defaults are for columns that hold no part of a user.");
		require_default(relation, column, &pair->value);
		used = lappend(used, column);
	}
	for (int i = 0; i < RelationGetNumberOfAttributes(relation); i++)
	{
		Form_pg_attribute form = TupleDescAttr(RelationGetDescr(relation), i);

		if (form->attisdropped || !form->attnotnull || form->atthasdef || form->attidentity != '\0' ||
			is_listed(used, NameStr(form->attname)))
			continue;
		ereport(NOTICE,
				(errmsg("users cannot be created in \"%s\" by the functions: column \"%s\" has to have a value",
						RelationGetRelationName(relation), NameStr(form->attname)),
				 errhint("Give it one in the argument \"defaults\", or name it in \"columns\".")));
	}
}

/*
 * Unique attributes
 */

/* An expression over the table's columns as indexes have it. */
static Node *
index_expression(Relation relation, const char *sql)
{
	ParseState *pstate = make_parsestate(NULL);
	List	   *parsed = raw_parser(psprintf("SELECT %s", sql), RAW_PARSE_DEFAULT);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, relation, AccessShareLock, NULL,
															 false, true);
	Node	   *expression;

	addNSItemToQuery(pstate, item, true, true, true);
	expression = transformExpr(pstate, linitial_node(ResTarget, select->targetList)->val,
							   EXPR_KIND_INDEX_EXPRESSION);
	assign_expr_collations(pstate, expression);
	expression = eval_const_expressions(NULL, expression);
	fix_opfuncids(expression);
	free_parsestate(pstate);
	return expression;
}

/* Is this key of an index the column, or one of these expressions? */
static bool
is_key_on(Relation relation, Relation index, int key, const char *column, List *expressions)
{
	AttrNumber	number = index->rd_index->indkey.values[key];
	int			before = 0;
	ListCell   *lc;

	if (AttributeNumberIsValid(number))
		return column != NULL && number == get_attnum(RelationGetRelid(relation), column);
	for (int i = 0; i < key; i++)
		before += AttributeNumberIsValid(index->rd_index->indkey.values[i]) ? 0 : 1;
	foreach(lc, expressions)
	{
		if (equal(list_nth(RelationGetIndexExpressions(index), before),
				  index_expression(relation, lfirst(lc))))
			return true;
	}
	return false;
}

/*
 * Is there a unique index on the column alone, or on nothing but one of these
 * expressions?  Where there are tenants, it may be one for each of them.
 */
static bool
has_unique_index(Relation relation, const char *tenant, const char *column, List *expressions)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;
		int			others = 0;
		int			matching = 0;

		if (form->indisunique && form->indisvalid)
		{
			for (int i = 0; i < form->indnkeyatts; i++)
			{
				if (is_key_on(relation, index, i, column, expressions))
					matching++;
				else if (tenant == NULL || !is_key_on(relation, index, i, tenant, NIL))
					others++;
			}
			found |= matching == 1 && others == 0;
		}
		index_close(index, AccessShareLock);
	}
	return found;
}

static void
index_missing(Relation relation, const char *tenant, const char *path, const char *expression)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("attribute \"%s\" is unique, and table \"%s\" has no unique index for it", path,
					RelationGetRelationName(relation)),
			 errhint("CREATE UNIQUE INDEX CONCURRENTLY ON %s (%s%s%s);",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												RelationGetRelationName(relation)),
					 tenant != NULL ? quote_identifier(tenant) : "", tenant != NULL ? ", " : "",
					 expression)));
}

/* The app's index for a unique attribute in a column. */
static void
require_column_index(Relation relation, const char *tenant, const Attribute *attribute,
					 const char *column)
{
	const char *quoted = quote_identifier(column);
	Oid			type = getBaseType(column_type(relation, column));
	bool		folds = !attribute->case_exact && (type == TEXTOID || type == VARCHAROID);
	List	   *expressions = NIL;

	if (type == TEXTOID || type == VARCHAROID)
		expressions = list_make2(psprintf("pg_catalog.lower(%s)", quoted),
								 psprintf("nullif(pg_catalog.lower(%s), '')", quoted));
	if (!has_unique_index(relation, tenant, column, expressions))
		index_missing(relation, tenant, attribute->path, folds ? psprintf("lower(%s)", quoted) : quoted);
}

/* The app's index for one in its column of documents. */
static void
require_document_index(Relation relation, const char *tenant, const Schema *schema,
					   const Attribute *attribute, const char *column)
{
	char	   *expression = unique_expression(schema, attribute, quote_identifier(column));

	if (getBaseType(column_type(relation, column)) != JSONBOID ||
		!has_unique_index(relation, tenant, NULL, list_make1(expression)))
		index_missing(relation, tenant, attribute->path, psprintf("(%s)", expression));
}

/*
 * Unique attributes are kept so by the app's own indexes; by columns of the
 * state table if they are there.  Gives the account of these.
 */
JsonbValue *
attach_unique(Oid users, Oid state, const char *tenant, List *schema_ids, const char *api,
			  JsonbValue *layout)
{
	Profile    *profile = catalog_profile(api);
	Schema	   *schema = catalog_schema(schema_ids, profile, profile, NULL);
	Relation	relation = table_open(users, AccessShareLock);
	char	   *document = part_of(layout, "document");
	List	   *in_state = NIL;
	int			nest_level = NewGUCNestLevel();
	ListCell   *lc;

	/* the operators of the expressions are pg_catalog's */
	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	foreach(lc, schema_unique_attributes(schema))
	{
		Attribute  *attribute = lfirst(lc);
		char	   *column = NULL;

		document_foreach(pair, document_member(layout, "columns"))
		{
			Place	   *place = place_parse(schema, document_cstring(&pair->key));

			if (place->filter == NULL && place->attribute == attribute)
				column = document_cstring(&pair->value);
		}
		if (column != NULL)
			require_column_index(relation, tenant, attribute, column);
		else if (document != NULL)
			require_document_index(relation, tenant, schema, attribute, document);
		else
			in_state = lappend(in_state, attribute);
	}
	AtEOXact_GUC(true, nest_level);
	table_close(relation, AccessShareLock);
	return in_state != NIL ? add_unique_columns(state, tenant != NULL ? TENANT_COLUMN : NULL, schema, in_state) : document_new_object();
}

/*
 * The arguments
 */

static bool
names_columns(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < lengthof(column_arguments); i++)
	{
		if (!PG_ARGISNULL(column_arguments[i].arg))
			return true;
	}
	return JB_ROOT_COUNT(PG_GETARG_JSONB_P(ARGUMENT_COLUMNS)) > 0 ||
		JB_ROOT_COUNT(PG_GETARG_JSONB_P(ARGUMENT_DEFAULTS)) > 0;
}

static JsonbValue *
object_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	Jsonb	   *object;

	require_argument(fcinfo, arg, name);
	object = PG_GETARG_JSONB_P(arg);
	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is not a JSON object", name)));
	return document_from_jsonb(object);
}

/* The layout that the arguments say. */
static JsonbValue *
read_layout(FunctionCallInfo fcinfo, Relation relation)
{
	JsonbValue *layout = document_new_object();

	for (int i = 0; i < lengthof(column_arguments); i++)
	{
		int			arg = column_arguments[i].arg;

		if (!PG_ARGISNULL(arg))
			document_add(layout, column_arguments[i].part,
						 document_string(text_to_cstring(PG_GETARG_TEXT_PP(arg))));
	}
	if (document_member(layout, "id") == NULL)
		document_add(layout, "id", document_string(find_id(relation)));
	document_add(layout, "columns", object_argument(fcinfo, ARGUMENT_COLUMNS, "columns"));
	document_add(layout, "defaults", object_argument(fcinfo, ARGUMENT_DEFAULTS, "defaults"));
	return layout;
}

static void
check_layout(Relation relation, const char *api, List *schemas, JsonbValue *layout,
			 const char *tenant, List *sensitive)
{
	Profile    *profile = catalog_profile(api);

	require_id(relation, part_of(layout, "id"), tenant);
	require_not_null(relation, part_of(layout, "id"));
	if (tenant != NULL)
		require_not_null(relation, tenant);
	require_type(relation, layout, "document", JSONBOID, JSONOID, JSONBOID);
	require_type(relation, layout, "version", INT8OID, INT4OID, INT2OID);
	require_type(relation, layout, "created", TIMESTAMPTZOID, TIMESTAMPOID, TIMESTAMPOID);
	require_type(relation, layout, "modified", TIMESTAMPTZOID, TIMESTAMPOID, TIMESTAMPOID);
	require_type(relation, layout, "password", TEXTOID, VARCHAROID, TEXTOID);
	check_columns(relation, catalog_schema(schemas, profile, profile, NULL), layout, tenant,
				  sensitive);
}

/*
 * user_table_attach(users regclass, api text, schemas text[],
 *		password_function text, id_column text, document_column text,
 *		version_column text, created_column text, modified_column text,
 *		password_column text, columns jsonb, defaults jsonb,
 *		sensitive_columns text[], tenant_column text, tenant_policy text)
 */
Datum
user_table_attach(PG_FUNCTION_ARGS)
{
	Registration registration;
	Oid			users;
	Relation	relation;
	JsonbValue *layout = NULL;
	List	   *schemas;
	char	   *api;
	char	   *password_function;
	char	   *tenant_column;
	char	   *tenant_policy;
	const char *missing;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "api");
	require_argument(fcinfo, ARGUMENT_COLUMNS, "columns");
	require_argument(fcinfo, ARGUMENT_DEFAULTS, "defaults");
	require_argument(fcinfo, ARGUMENT_SENSITIVE, "sensitive_columns");
	password_function = password_function_argument(fcinfo, 3);
	tenant_column = PG_ARGISNULL(ARGUMENT_TENANT) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_TENANT));
	tenant_policy = PG_ARGISNULL(ARGUMENT_POLICY) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_POLICY));
	users = PG_GETARG_OID(0);
	api = text_to_cstring(PG_GETARG_TEXT_PP(1));
	schemas = schemas_argument(fcinfo, 2, api);
	require_table_owner(users);
	if (catalog_registration(users, &registration))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("\"%s\" is a user table already", get_rel_name(users)),
				 errhint("Detach it first to attach it in another way.")));
	relation = relation_open(users, NoLock);
	if (RelationUsesLocalBuffers(relation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a user table cannot be temporary")));
	if (relation->rd_rel->relkind != RELKIND_RELATION &&
		relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(relation))));
	if (relation->rd_rel->relkind == RELKIND_RELATION &&
		find_inheritance_children(users, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("other tables inherit from table \"%s\"", RelationGetRelationName(relation)),
				 errhint("Their rows would be its users, but without its key and its triggers; partitions have both.")));
	if (names_columns(fcinfo))
	{
		layout = read_layout(fcinfo, relation);
		check_layout(relation, api, schemas, layout, tenant_column,
					 text_array_list(PG_GETARG_DATUM(ARGUMENT_SENSITIVE)));
	}
	else if (is_user_table_layout(users, &missing))
		require_id(relation, "id", tenant_column);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" lacks the column \"%s\" of a user table",
						RelationGetRelationName(relation), missing),
				 errhint("A user table has the columns id, document jsonb, version bigint, created_at timestamptz and modified_at timestamptz. Of an app's own table, name the columns that hold attributes in the argument \"columns\", or at least the key as id_column.")));
	table_close(relation, NoLock);
	SPI_connect();
	register_table(users, api, schemas, password_function, layout, tenant_column, tenant_policy, 0,
				   true);
	SPI_finish();
	PG_RETURN_OID(users);
}
