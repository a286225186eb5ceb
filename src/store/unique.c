/*
 * unique.c
 *	  Unique attributes: a generated column for each, with a unique constraint.
 *
 * An index on an expression over the document would cost every update its HOT
 * path; one on a generated column costs it only where the value changes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "store/store.h"

/*
 * Numbers are the same however they are written; all else is kept as text.
 */
Oid
unique_column_type(const Attribute *attribute)
{
	return attribute->type == TYPE_DECIMAL || attribute->type == TYPE_INTEGER ?
		NUMERICOID : TEXTOID;
}

/*
 * A unique attribute as an expression over the document; last is the operator
 * that takes it from the object it belongs to.
 */
static char *
unique_value(const Schema *schema, const Attribute *attribute, const char *document, const char *last)
{
	ListCell   *lc;
	StringInfoData value;

	initStringInfo(&value);
	appendStringInfoString(&value, document);
	foreach(lc, attribute_way(schema, attribute))
	{
		Attribute  *step = lfirst(lc);

		if (step->multi_valued || (step == attribute && step->type == TYPE_COMPLEX))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("attribute \"%s\" cannot be unique in a table", attribute->path),
					 errdetail_path(attribute->path, NULL),
					 errhint("A unique attribute has a single simple value; say \"uniqueness\": \"none\" in the schema.")));
		appendStringInfo(&value, " OPERATOR(pg_catalog.%s) %s",
						 step == attribute ? last : "->", quote_literal_cstr(step->name));
	}
	return value.data;
}

/*
 * What is unique of it, in the document that is said in SQL.  Blank is no value;
 * without caseExact, case makes no difference (RFC 7643 section 2.2).
 */
char *
unique_expression(const Schema *schema, const Attribute *attribute, const char *document)
{
	char	   *value = unique_value(schema, attribute, document, "->>");

	if (unique_column_type(attribute) == NUMERICOID)
		return psprintf("(%s)::pg_catalog.numeric", value);
	if (attribute->case_exact)
		return psprintf("nullif(%s, '')", value);
	return psprintf("nullif(pg_catalog.lower(%s), '')", value);
}

/* The same for documents that may hold anything: it raises no error. */
char *
unique_comparison(const Schema *schema, const Attribute *attribute)
{
	if (unique_column_type(attribute) == NUMERICOID)
		return psprintf("nullif(%s, 'null')", unique_value(schema, attribute, "document", "->"));
	return unique_expression(schema, attribute, "document");
}

/*
 * Has the table a unique index on just these columns (a list of names ended by
 * NULL), for all its rows?  ON CONFLICT wants all such to be checked immediately.
 */
bool
table_has_key(Oid relid, const char *const *columns, bool immediate)
{
	Relation	relation = table_open(relid, AccessShareLock);
	bool		found = false;
	bool		deferrable = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;
		int			wanted;
		int			matching = 0;

		for (wanted = 0; columns[wanted] != NULL; wanted++)
		{
			AttrNumber	number = get_attnum(relid, columns[wanted]);

			for (int i = 0; i < form->indnkeyatts; i++)
			{
				if (number > 0 && form->indkey.values[i] == number)
					matching++;
			}
		}
		if (form->indisunique && form->indisvalid &&
			matching == wanted && form->indnkeyatts == wanted &&
			RelationGetIndexPredicate(index) == NIL)
		{
			found = true;
			if (!form->indimmediate)
				deferrable = true;
		}
		index_close(index, AccessShareLock);
	}
	table_close(relation, AccessShareLock);
	return found && !(immediate && deferrable);
}

/* Give the table what a unique attribute needs, unless it has it. */
static char *
add_unique(Oid users, const char *tenant, const char *table_sql, const char *table,
		   const Schema *schema, const Attribute *attribute)
{
	char	   *expression = unique_expression(schema, attribute, "document");
	int			nest_level = begin_plain_names();
	Oid			type = unique_column_type(attribute);
	char	   *column;
	const char *key[3] = {NULL, NULL, NULL};
	AttrNumber	number;

	for (int i = 0;; i++)
	{
		column = attribute_column("unique_", attribute->path, i);
		number = get_attnum(users, column);
		if (number == InvalidAttrNumber || column_is_generated(users, number, type, expression))
			break;
	}
	if (number == InvalidAttrNumber)
	{
		run_ddl("ALTER TABLE %s ADD COLUMN %s %s GENERATED ALWAYS AS (%s) STORED",
				table_sql, quote_identifier(column),
				type == TEXTOID ? "pg_catalog.text COLLATE \"C\"" : "pg_catalog.numeric",
				expression);
		run_ddl("COMMENT ON COLUMN %s.%s IS %s", table_sql, quote_identifier(column),
				quote_literal_cstr(psprintf("keeps attribute %s unique; computed from document",
											attribute->path)));
		CommandCounterIncrement();
	}
	key[0] = column;
	key[1] = tenant;
	if (!table_has_key(users, key, false))
		run_ddl("ALTER TABLE %s ADD CONSTRAINT %s UNIQUE (%s%s%s) DEFERRABLE INITIALLY IMMEDIATE",
				table_sql,
				quote_identifier(ChooseRelationName(table, column, "key",
													get_rel_namespace(users), true)),
				tenant != NULL ? quote_identifier(tenant) : "", tenant != NULL ? ", " : "",
				quote_identifier(column));
	AtEOXact_GUC(true, nest_level);
	return column;
}

/* Is a column that of one of these attributes? */
static bool
is_column_of(JsonbValue *columns, const char *column)
{
	document_foreach(pair, columns)
	{
		if (document_is_string(&pair->value, column))
			return true;
	}
	return false;
}

/*
 * Give a table the columns of these unique attributes, unless it has them, unique
 * for each tenant if there are several; gives the registration's account of them.
 */
JsonbValue *
add_unique_columns(Oid relid, const char *tenant, const Schema *schema, List *attributes)
{
	char	   *table = get_rel_name(relid);
	char	   *table_sql = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), table);
	JsonbValue *columns = document_new_object();
	ListCell   *lc;

	foreach(lc, attributes)
	{
		Attribute  *attribute = lfirst(lc);

		document_add(columns, attribute->path,
					 document_string(add_unique(relid, tenant, table_sql, table, schema, attribute)));
	}
	return columns;
}

/*
 * Bring the unique columns of a table in line with its schemas; gives the
 * registration's account of them.
 */
JsonbValue *
sync_unique_columns(Oid users, const char *tenant, List *schema_ids, const char *api,
					JsonbValue *known)
{
	Profile    *profile = catalog_profile(api);
	Schema	   *schema = catalog_schema(schema_ids, profile, profile, NULL);
	char	   *table_sql = quote_qualified_identifier(get_namespace_name(get_rel_namespace(users)),
													   get_rel_name(users));
	JsonbValue *columns = add_unique_columns(users, tenant, schema, schema_unique_attributes(schema));

	if (known != NULL)
	{
		document_foreach(pair, known)
		{
			char	   *column;

			if (pair->value.type != jbvString)
				continue;		/* not of our making */
			column = document_cstring(&pair->value);
			if (!is_column_of(columns, column) &&
				get_attnum(users, column) != InvalidAttrNumber)
				run_ddl("ALTER TABLE %s DROP COLUMN %s", table_sql, quote_identifier(column));
		}
	}
	return columns;
}
