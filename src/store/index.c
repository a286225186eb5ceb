/*
 * index.c
 *	  Indexes on attributes: a generated column for each, as of unique ones, so
 *	  that updates which leave the value as it is stay HOT.
 *
 * What a column holds follows from what filters compare (core/scim/filter.c):
 * strings in lower case unless caseExact, numbers, booleans, points in time; of
 * multi-valued attributes, an array of their strings.  A stored value of another
 * type than the attribute's is NULL there, and strings are cut off after
 * INDEX_CHARACTERS, so that no value keeps a user from being written.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "store/index.h"

PG_FUNCTION_INFO_V1(users_index);
PG_FUNCTION_INFO_V1(users_index_drop);

/*
 * What can be indexed
 */

static bool
is_string_type(AttributeType type)
{
	return type == TYPE_STRING || type == TYPE_REFERENCE || type == TYPE_BINARY;
}

/* Why an attribute cannot have an index, or NULL. */
static const char *
judge_way(List *way, bool is_list)
{
	const Attribute *last = llast(way);
	ListCell   *lc;

	foreach(lc, way)
	{
		const Attribute *step = lfirst(lc);

		if (step->returned == RETURNED_NEVER || step->transient || step->is_computed)
			return "Its values are in no document that could be looked at.";
	}
	if (last->type == TYPE_COMPLEX)
		return "Name one of its sub-attributes.";
	if (last->type == TYPE_ANY)
		return "Its values may be of any type.";
	if (is_list && !is_string_type(last->type))
		return "Of a multi-valued attribute, only strings are indexed.";
	return NULL;
}

/* The operators that lead from the document to a value. */
static char *
value_expression(List *names, const char *last)
{
	StringInfoData value;
	ListCell   *lc;

	initStringInfo(&value);
	appendStringInfoString(&value, "document");
	foreach(lc, names)
		appendStringInfo(&value, " OPERATOR(pg_catalog.%s) %s",
						 lnext(names, lc) == NULL ? last : "->", quote_literal_cstr(lfirst(lc)));
	return value.data;
}

bool
same_names(const List *a, const List *b)
{
	ListCell   *in_a;
	ListCell   *in_b;

	if (list_length(a) != list_length(b))
		return false;
	forboth(in_a, a, in_b, b)
	{
		if (strcmp(lfirst(in_a), lfirst(in_b)) != 0)
			return false;
	}
	return true;
}

/* A list of names as an array in SQL. */
char *
names_literal(List *names)
{
	return psprintf("%s::pg_catalog.text[]",
					quote_literal_cstr(OidOutputFunctionCall(F_ARRAY_OUT, list_text_array(names))));
}

static void
set_kind(IndexTarget *target, AttributeType type, bool is_list, bool case_exact)
{
	const char *json;

	target->is_folded = type == TYPE_STRING && !case_exact;
	if (is_list)
	{
		target->type = TEXTARRAYOID;
		target->type_sql = "pg_catalog.text[] COLLATE \"C\"";
		target->expression = psprintf("userstore.attribute_values(document, %s, %s)",
									  names_literal(target->names),
									  target->is_folded ? "true" : "false");
		return;
	}
	switch (type)
	{
		case TYPE_BOOLEAN:
		case TYPE_DECIMAL:
		case TYPE_INTEGER:
			target->type = type == TYPE_BOOLEAN ? BOOLOID : NUMERICOID;
			target->type_sql = type == TYPE_BOOLEAN ? "pg_catalog.bool" : "pg_catalog.numeric";
			json = value_expression(target->names, "->");
			target->expression = psprintf("CASE pg_catalog.jsonb_typeof(%s) WHEN '%s' THEN (%s)::%s END",
										  json, type == TYPE_BOOLEAN ? "boolean" : "number", json,
										  target->type_sql);
			break;
		case TYPE_DATE_TIME:
			target->type = TIMESTAMPTZOID;
			target->type_sql = "pg_catalog.timestamptz";
			target->expression = psprintf("userstore.attribute_time(document, %s)",
										  names_literal(target->names));
			break;
		default:
			target->type = TEXTOID;
			target->type_sql = "pg_catalog.text COLLATE \"C\"";
			target->expression = psprintf(target->is_folded ?
										  "pg_catalog.\"left\"(pg_catalog.lower(%s), %d)" :
										  "pg_catalog.\"left\"(%s, %d)",
										  value_expression(target->names, "->>"), INDEX_CHARACTERS);
	}
}

/* Without a schema a name may hold anything; strings are compared as they are. */
static const char *
free_target(char *path, IndexTarget *target)
{
	char	   *end;

	target->path = pstrdup(path);
	for (char *name = path; name != NULL; name = end)
	{
		end = strchr(name, '.');
		if (end != NULL)
			*end++ = '\0';
		if (*name == '\0')
			return "Write the path with dots, as \"name.familyName\".";
		target->names = lappend(target->names, name);
	}
	set_kind(target, TYPE_STRING, true, true);
	return NULL;
}

/*
 * What an index on the attribute of a path is made of.  Gives NULL, or else why
 * there can be none, as a hint; then the target has no path when the schemas
 * know no such attribute.
 */
const char *
index_target(const Schema *schema, const char *path, IndexTarget *target)
{
	Attribute  *attribute;
	const char *problem;
	bool		is_list = false;
	List	   *way;
	ListCell   *lc;

	memset(target, 0, sizeof(IndexTarget));
	if (schema->ids == NIL)
		return free_target(pstrdup(path), target);
	attribute = path_resolve(schema, path);
	/* as in filters, a complex attribute stands for its value */
	if (attribute != NULL && attribute->type == TYPE_COMPLEX &&
		attribute_member(&attribute->subs, "value") != NULL)
		attribute = attribute_member(&attribute->subs, "value");
	if (attribute == NULL)
		return "Name an attribute of the table's schemas.";
	target->attribute = attribute;
	target->path = attribute->path;
	way = attribute_way(schema, attribute);
	foreach(lc, way)
	{
		Attribute  *step = lfirst(lc);

		is_list |= step->multi_valued;
		target->names = lappend(target->names, unconstify(char *, step->name));
	}
	problem = judge_way(way, is_list);
	if (problem == NULL)
		set_kind(target, attribute->type, is_list, attribute->case_exact);
	return problem;
}

/*
 * Columns and their indexes
 */

/* Has the table an index that finds all rows by this column? */
static bool
has_index(Oid users, AttrNumber number)
{
	Relation	relation = table_open(users, AccessShareLock);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		found |= index->rd_index->indkey.values[0] == number && index->rd_index->indisvalid &&
			RelationGetIndexPredicate(index) == NIL;
		index_close(index, AccessShareLock);
	}
	table_close(relation, AccessShareLock);
	return found;
}

/* The cost, said before it is paid. */
static void
tell_cost(Oid users, const char *path, const char *column, bool rewrites)
{
	ereport(NOTICE,
			(rewrites ?
			 errmsg("table \"%s\" is locked and rewritten once, to index attribute \"%s\"",
					get_rel_name(users), path) :
			 errmsg("table \"%s\" is locked while its attribute \"%s\" is indexed",
					get_rel_name(users), path),
			 errdetail("Each update of a document computes column \"%s\" again. It stays a HOT update when the value does not change; when it does, every index of the table gets an entry.",
					   column)));
}

/* Drop a column with its index, if it is there and of our making. */
static void
drop_index_column(Oid users, const char *column)
{
	AttrNumber	number = get_attnum(users, column);

	if (number > 0 && get_attgenerated(users, number) != '\0')
		run_ddl("ALTER TABLE %s DROP COLUMN %s", table_sql(users), quote_identifier(column));
}

/*
 * Give the table what an index needs, unless it has it; says the cost.  The
 * column that the attribute had (NULL: none) goes, if it is another.  Gives the
 * column.
 */
static char *
add_index(Oid users, const IndexTarget *target, const char *before)
{
	char	   *sql = table_sql(users);
	int			nest_level = begin_plain_names();
	AttrNumber	number = before != NULL ? get_attnum(users, before) : InvalidAttrNumber;
	char	   *column;

	if (number != InvalidAttrNumber &&
		!column_is_generated(users, number, target->type, target->expression))
	{
		drop_index_column(users, before);
		CommandCounterIncrement();
	}
	for (int i = 0;; i++)
	{
		column = attribute_column("index_", target->path, i);
		number = get_attnum(users, column);
		if (number == InvalidAttrNumber ||
			column_is_generated(users, number, target->type, target->expression))
			break;
	}
	if (number == InvalidAttrNumber || !has_index(users, number))
		tell_cost(users, target->path, column, number == InvalidAttrNumber);
	if (number == InvalidAttrNumber)
	{
		run_ddl("ALTER TABLE %s ADD COLUMN %s %s GENERATED ALWAYS AS (%s) STORED",
				sql, quote_identifier(column), target->type_sql, target->expression);
		run_ddl("COMMENT ON COLUMN %s.%s IS %s", sql, quote_identifier(column),
				quote_literal_cstr(psprintf("finds users by attribute %s; computed from document",
											target->path)));
		CommandCounterIncrement();
		number = get_attnum(users, column);
	}
	if (!has_index(users, number))
		run_ddl("CREATE INDEX %s ON %s USING %s (%s)",
				quote_identifier(ChooseRelationName(get_rel_name(users), column, "idx",
													get_rel_namespace(users), false)),
				sql, target->type == TEXTARRAYOID ? "gin" : "btree",
				quote_identifier(column));
	AtEOXact_GUC(true, nest_level);
	return column;
}

/*
 * Registration
 */

static void
write_index(Oid users, const char *path, const char *column)
{
	Oid			types[3] = {REGCLASSOID, TEXTOID, NAMEOID};
	Datum		values[3];

	values[0] = ObjectIdGetDatum(users);
	values[1] = CStringGetTextDatum(path);
	values[2] = CStringGetDatum(pstrdup(column));
	values[2] = DirectFunctionCall1(namein, values[2]);
	(void) catalog_execute("INSERT INTO userstore.attribute_index (users, path, column_name) VALUES ($1, $2, $3)"
						   " ON CONFLICT (users, path) DO UPDATE SET column_name = excluded.column_name",
						   3, types, values, NULL);
}

static void
delete_index(Oid users, const char *path)
{
	Oid			types[2] = {REGCLASSOID, TEXTOID};
	Datum		values[2];

	values[0] = ObjectIdGetDatum(users);
	values[1] = CStringGetTextDatum(path);
	(void) catalog_execute("DELETE FROM userstore.attribute_index WHERE users OPERATOR(pg_catalog.=) $1"
						   " AND path OPERATOR(pg_catalog.=) $2", 2, types, values, NULL);
}

/* The column of an attribute that is indexed, or NULL. */
static char *
registered_column(Oid users, const char *path)
{
	JsonbValue *column = document_member(catalog_indexes(users), path);

	return column != NULL ? document_cstring(column) : NULL;
}

/* The schema in whose terms filters are read when they name no profile. */
static const Schema *
default_schema(Oid users)
{
	return binding_api(binding_open(users), NULL)->schema;
}

/*
 * Bring the indexed columns of a table in line with its schemas.
 */
void
sync_indexes(Oid users)
{
	const Schema *schema = default_schema(users);
	JsonbValue *known = catalog_indexes(users);

	document_foreach(pair, known)
	{
		char	   *path = document_cstring(&pair->key);
		char	   *column = document_cstring(&pair->value);
		IndexTarget target;
		const char *now;

		if (index_target(schema, path, &target) != NULL || strcmp(target.path, path) != 0)
		{
			ereport(NOTICE,
					(errmsg("attribute \"%s\" is no longer indexed: as its schema has it now, it cannot be",
							path)));
			drop_index_column(users, column);
			delete_index(users, path);
			continue;
		}
		now = add_index(users, &target, column);
		if (strcmp(now, column) != 0)
			write_index(users, path, now);
	}
}

/*
 * SQL functions
 */

/* The column of a unique attribute that filters find users by, or NULL. */
static char *
unique_attribute_column(Oid users, const IndexTarget *target)
{
	Binding    *binding = binding_open(users);

	return target->attribute != NULL && target->attribute->unique ?
		index_column_of(binding, binding_api(binding, NULL), target->attribute) : NULL;
}

/* A name that outlives the connection to SPI. */
static text *
give_column(const char *column)
{
	text	   *answer = SPI_palloc(VARHDRSZ + strlen(column));

	SET_VARSIZE(answer, VARHDRSZ + strlen(column));
	memcpy(VARDATA(answer), column, strlen(column));
	return answer;
}

/*
 * users_index(users regclass, attribute text)
 */
Datum
users_index(PG_FUNCTION_ARGS)
{
	Registration registration;
	IndexTarget target;
	const char *problem;
	char	   *path;
	char	   *column;
	text	   *answer;
	Oid			users;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "attribute");
	users = PG_GETARG_OID(0);
	path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	require_registration(users, &registration);
	if (registration.layout != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is an app's own, which gets no columns for indexes",
						get_rel_name(users)),
				 errhint("Index the column that has the attribute, or an expression over the document.")));
	problem = index_target(default_schema(users), path, &target);
	if (problem != NULL && target.path == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attribute \"%s\" is not known", shown_name(path, strlen(path))),
				 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
				 errhint("%s", problem)));
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("attribute \"%s\" cannot be indexed", target.path),
				 errdetail_path(target.path, NULL),
				 errhint("%s", problem)));
	column = unique_attribute_column(users, &target);
	if (column != NULL)
	{
		ereport(NOTICE,
				(errmsg("attribute \"%s\" has an index already, since it is unique", target.path)));
		PG_RETURN_TEXT_P(cstring_to_text(column));
	}
	column = registered_column(users, target.path);
	SPI_connect();
	column = add_index(users, &target, column);
	write_index(users, target.path, column);
	answer = give_column(column);
	SPI_finish();
	PG_RETURN_TEXT_P(answer);
}

/*
 * users_index_drop(users regclass, attribute text)
 */
Datum
users_index_drop(PG_FUNCTION_ARGS)
{
	Registration registration;
	IndexTarget target;
	char	   *path;
	char	   *column;
	Oid			users;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "attribute");
	users = PG_GETARG_OID(0);
	path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	require_registration(users, &registration);
	/* also of an attribute that its schema has lost */
	(void) index_target(default_schema(users), path, &target);
	if (target.path != NULL)
		path = unconstify(char *, target.path);
	column = registered_column(users, path);
	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("attribute \"%s\" of table \"%s\" is not indexed",
						shown_name(path, strlen(path)), get_rel_name(users)),
				 errhint("The table userstore.attribute_index has those that are.")));
	SPI_connect();
	drop_index_column(users, column);
	delete_index(users, path);
	SPI_finish();
	PG_RETURN_VOID();
}
