/*
 * condition.c
 *	  What an index can find of a filter: conditions on generated columns that
 *	  every row meets which the filter matches.  They say no more than the filter
 *	  does, often less, so the filter is evaluated on what they find.
 *
 * Only what all of a filter depends on is looked at: parts that are combined by
 * "and", not those under "or" or "not".
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/scim/path.h"
#include "store/index.h"

/* A column that can be relied on under the schema of an API. */
typedef struct IndexColumn
{
	IndexTarget target;
	char	   *name;
	bool		blank_is_null;	/* a unique one: its value "" is NULL */
} IndexColumn;

typedef struct Search
{
	List	   *columns;		/* of IndexColumn * */
	List	   *found;			/* of IndexCondition * */
} Search;

/*
 * Columns
 */

/*
 * The column of a unique attribute.  It holds text, or a number; other values
 * are compared otherwise by filters.
 */
static bool
unique_target(const Schema *schema, const char *path, IndexTarget *target)
{
	const Attribute *attribute;

	if (index_target(schema, path, target) != NULL)
		return false;
	attribute = target->attribute;
	if (attribute == NULL || (target->type != TEXTOID && target->type != NUMERICOID))
		return false;
	target->type = unique_column_type(attribute);
	target->is_folded = target->type == TEXTOID && !attribute->case_exact;
	target->expression = unique_expression(schema, attribute, "document");
	return true;
}

/* Text has to be compared as filters do, byte by byte. */
static bool
has_plain_order(Oid users, AttrNumber number)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(users, number, &type, &typmod, &collation);
	return !OidIsValid(collation) || collation == C_COLLATION_OID;
}

/*
 * Note a column, if it still holds what the attribute's schema asks for: that
 * may have changed since, and owners do what they like with their columns.
 */
static List *
add_column(List *columns, Binding *binding, const Schema *schema, const char *path,
		   const char *name, bool is_unique)
{
	IndexColumn *column = palloc0(sizeof(IndexColumn));
	AttrNumber	number = get_attnum(binding->users, name);

	column->blank_is_null = is_unique;
	column->name = pstrdup(name);
	if (number == InvalidAttrNumber || !has_plain_order(binding->users, number) ||
		!(is_unique ? unique_target(schema, path, &column->target) :
		  index_target(schema, path, &column->target) == NULL) ||
		!column_is_generated(binding->users, number, column->target.type,
							 column->target.expression))
		return columns;
	return lappend(columns, column);
}

/*
 * The columns that filters under an API can use, found once.
 */
static List *
index_columns(Binding *binding, const BoundApi *api)
{
	BoundApi   *bound = unconstify(BoundApi *, api);
	MemoryContext old;
	List	   *columns = NIL;
	int			nest_level;
	ListCell   *lc;

	/* an app's own table has none of our columns */
	if (bound->has_index_columns || binding->is_attached ||
		(binding->unique_indexes == NIL && binding->indexed->val.object.nPairs == 0))
		return bound->index_columns;
	old = MemoryContextSwitchTo(binding->context);
	nest_level = begin_plain_names();
	foreach(lc, binding->unique_indexes)
	{
		UniqueIndex *unique = lfirst(lc);

		if (unique->column != NULL)
			columns = add_column(columns, binding, api->schema, unique->path, unique->column,
								 true);
	}
	document_foreach(pair, binding->indexed)
		columns = add_column(columns, binding, api->schema, document_cstring(&pair->key),
							 document_cstring(&pair->value), false);
	AtEOXact_GUC(true, nest_level);
	MemoryContextSwitchTo(old);
	bound->index_columns = columns;
	bound->has_index_columns = true;
	return columns;
}

/*
 * The column by which filters find users with a value of an attribute, or NULL.
 */
char *
index_column_of(Binding *binding, const BoundApi *api, const Attribute *attribute)
{
	ListCell   *lc;

	foreach(lc, index_columns(binding, api))
	{
		IndexColumn *column = lfirst(lc);

		if (column->target.attribute == attribute)
			return column->name;
	}
	return NULL;
}

/*
 * Conditions
 */

/* Is the comparison one with the attribute of a column? */
static bool
is_about(const Filter *filter, const IndexColumn *column, bool at_top)
{
	if (column->target.attribute != NULL)
		return filter->attribute == column->target.attribute;
	/* without a schema, names below a value path begin at its values */
	return at_top && filter->attribute == NULL && same_names(filter->names, column->target.names);
}

static void
found(Search *search, const IndexColumn *column, const char *operator, Oid operand, Datum value)
{
	IndexCondition *condition = palloc(sizeof(IndexCondition));

	condition->column = column->name;
	condition->operator = operator;
	condition->operand = operand;
	condition->type = column->target.type;
	condition->collation = column->target.type == TEXTOID || column->target.type == TEXTARRAYOID ?
		C_COLLATION_OID : InvalidOid;
	condition->value = value;
	search->found = lappend(search->found, condition);
}

/* A string as the column has it; strings that are cut off are so alike. */
static Datum
text_value(const Filter *filter, const IndexColumn *column)
{
	char	   *text = column->target.is_folded ? filter_fold(filter->value) :
	document_cstring(filter->value);
	int			len = column->blank_is_null ? strlen(text) :
	pg_mbcharcliplen(text, strlen(text), INDEX_CHARACTERS);

	return PointerGetDatum(cstring_to_text_with_len(text, len));
}

/*
 * Strings.  Where the filter tells cases apart and the column does not, the
 * order is another; and a column of a unique attribute has no blank values,
 * which come before all others.
 */
static void
find_text(Search *search, const Filter *filter, const IndexColumn *column)
{
	bool		same_order = column->target.is_folded == (filter->folded != NULL);
	Datum		value;

	if (filter->value->type != jbvString ||
		(column->blank_is_null && filter->value->val.string.len == 0) ||
		(!same_order && !column->target.is_folded))
		return;
	value = text_value(filter, column);
	if (filter->op == OPERATOR_EQ)
		found(search, column, "=", TEXTOID, value);
	if (!same_order)
		return;
	switch (filter->op)
	{
		case OPERATOR_SW:
			found(search, column, "^@", TEXTOID, value);
			break;
			/* what is greater may be equal where it is cut off */
		case OPERATOR_GT:
		case OPERATOR_GE:
			found(search, column, ">=", TEXTOID, value);
			break;
		case OPERATOR_LT:
		case OPERATOR_LE:
			if (!column->blank_is_null)
				found(search, column, "<=", TEXTOID, value);
			break;
		default:
			break;
	}
}

static void
find_texts(Search *search, const Filter *filter, const IndexColumn *column)
{
	Datum		value;

	if (filter->value->type != jbvString || filter->op != OPERATOR_EQ)
		return;
	value = text_value(filter, column);
	found(search, column, "@>", ANYARRAYOID,
		  PointerGetDatum(construct_array(&value, 1, TEXTOID, -1, false, TYPALIGN_INT)));
}

/* Values with an order that columns and filters share. */
static void
find_ordered(Search *search, const Filter *filter, const IndexColumn *column, Datum value)
{
	static const char *const operators[] = {
		[OPERATOR_EQ] = "=",
		[OPERATOR_GT] = ">",
		[OPERATOR_GE] = ">=",
		[OPERATOR_LT] = "<",
		[OPERATOR_LE] = "<=",
		[OPERATOR_LIKE] = NULL
	};

	if (operators[filter->op] != NULL)
		found(search, column, operators[filter->op], column->target.type, value);
}

static void
find_comparison(Search *search, const Filter *filter, const IndexColumn *column)
{
	switch (column->target.type)
	{
		case TEXTOID:
			find_text(search, filter, column);
			break;
		case TEXTARRAYOID:
			find_texts(search, filter, column);
			break;
		case NUMERICOID:
			if (filter->value->type == jbvNumeric)
				find_ordered(search, filter, column, NumericGetDatum(filter->value->val.numeric));
			break;
		case BOOLOID:
			if (filter->value->type == jbvBool && filter->op == OPERATOR_EQ)
				found(search, column, "=", BOOLOID, BoolGetDatum(filter->value->val.boolean));
			break;
		case TIMESTAMPTZOID:
			if (filter->value->type == jbvString)
				find_ordered(search, filter, column, TimestampTzGetDatum(filter->instant));
			break;
	}
}

static void
find_conditions(Search *search, const Filter *filter, bool at_top)
{
	ListCell   *lc;

	switch (filter->type)
	{
		case FILTER_AND:
			foreach(lc, filter->parts)
				find_conditions(search, lfirst(lc), at_top);
			break;
		case FILTER_VALUES:
			/* all of it holds of one value, so each part of it does of one */
			find_conditions(search, linitial(filter->parts), false);
			break;
		case FILTER_COMPARE:
			foreach(lc, search->columns)
			{
				if (is_about(filter, lfirst(lc), at_top) &&
					list_length(search->found) < MAX_INDEX_CONDITIONS)
					find_comparison(search, filter, lfirst(lc));
			}
			break;
		default:
			break;
	}
}

/*
 * The conditions (IndexCondition *) for a filter that is bound to the schema of
 * an API; they live where memory is allocated now, but not longer than the
 * filter and the binding.
 */
List *
index_conditions(Binding *binding, const BoundApi *api, const Filter *filter)
{
	Search		search = {0};

	search.columns = index_columns(binding, api);
	if (search.columns != NIL)
		find_conditions(&search, filter, true);
	return search.found;
}
