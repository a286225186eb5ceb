/*
 * layout_sql.c
 *	  What statements that write users say of the columns of a table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store/store.h"

/*
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
