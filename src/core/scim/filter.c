/*
 * filter.c
 *	  Bind a filter to the attributes that it names, and evaluate it.
 *
 * Of a multi-valued attribute one value that matches is enough (RFC 7644
 * section 3.4.2.2).  An attribute without a value matches "ne", the comparison
 * with null by "eq", and nothing else.  So does a value of another type than the
 * attribute's, such as a list where the schema has a single value.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "core/errors.h"
#include "core/scim/filter.h"
#include "core/scim/path.h"
#include "core/scim/scalar.h"

static bool matches_at(const Filter *filter, int step, JsonbValue *value);

/*
 * Binding
 */

#define REFUSE(filter, hint, ...) \
	bad_filter((filter)->text, SCIM_INVALID_FILTER, (filter)->position, hint, __VA_ARGS__)

static const char *const operator_names[] = {
	[OPERATOR_EQ] = "eq",
	[OPERATOR_NE] = "ne",
	[OPERATOR_CO] = "co",
	[OPERATOR_SW] = "sw",
	[OPERATOR_EW] = "ew",
	[OPERATOR_GT] = "gt",
	[OPERATOR_GE] = "ge",
	[OPERATOR_LT] = "lt",
	[OPERATOR_LE] = "le",
	[OPERATOR_LIKE] = "$like",
};

static bool
is_part_of_string(FilterOperator op)
{
	return op == OPERATOR_CO || op == OPERATOR_SW || op == OPERATOR_EW || op == OPERATOR_LIKE;
}

static bool
is_order(FilterOperator op)
{
	return op >= OPERATOR_GT && op <= OPERATOR_LE;
}

/* The next name on the way to the attribute, and whether it may be a list. */
static void
add_name(Filter *filter, const char *name, bool is_list)
{
	filter->names = lappend(filter->names, unconstify(char *, name));
	filter->lists = lappend_int(filter->lists, is_list);
}

static void
add_attribute_name(Filter *filter, const Attribute *attribute)
{
	add_name(filter, attribute->name, attribute->multi_valued || attribute->type == TYPE_ANY);
}

/* Names that no schema knows: any will do. */
static void
bind_names(Filter *filter, const char *path)
{
	char	   *copy = pstrdup(path);
	char	   *end;

	for (char *name = copy; name != NULL; name = end)
	{
		end = strchr(name, '.');
		if (end != NULL)
			*end++ = '\0';
		add_name(filter, name, true);
	}
}

static void
bind_attribute(Filter *filter, const Schema *schema, const Schema *common,
			   const Attribute *parent)
{
	const AttributeSet *set;
	const char *path = filter->path;
	Attribute  *attribute = NULL;

	if (schema->ids == NIL)
	{
		bind_names(filter, path);
		return;
	}
	if (parent == NULL && common != NULL && path_resolve(schema, path) == NULL &&
		path_resolve(common, path) != NULL)
		schema = common;
	set = parent != NULL ? &parent->subs : &schema->attributes;
	if (parent == NULL)
		path = path_after_schema(schema, path, &attribute);
	if (attribute != NULL)
	{
		add_attribute_name(filter, attribute);
		set = &attribute->subs;
	}
	while (*path != '\0' || attribute == NULL)
	{
		int			len = strcspn(path, ".");

		if (attribute != NULL && attribute->type == TYPE_ANY)
		{
			bind_names(filter, path);
			break;
		}
		attribute = attribute_find(set, path, len);
		/* what is never shown must not be found out by asking either */
		if (attribute == NULL || attribute->returned == RETURNED_NEVER)
		{
			REFUSE(filter, "Name an attribute of the table's schemas.",
				   "attribute \"%s\" is not known", shown_name(filter->path, strlen(filter->path)));
			return;
		}
		if (attribute->is_computed)
		{
			REFUSE(filter, "Its value is not stored, but made when the user is shown.",
				   "computed attribute \"%s\" cannot be used", attribute->path);
			return;
		}
		add_attribute_name(filter, attribute);
		set = &attribute->subs;
		path += len;
		if (*path == '.')
			path++;
	}
	filter->attribute = attribute;
}

/* A complex attribute stands for its values (RFC 7644 section 3.5.2). */
static void
bind_default_value(Filter *filter)
{
	Attribute  *value;

	if (filter->attribute == NULL || filter->attribute->type != TYPE_COMPLEX ||
		filter->value->type == jbvNull)
		return;
	value = attribute_member(&filter->attribute->subs, "value");
	if (value == NULL || value->type == TYPE_COMPLEX)
		REFUSE(filter, "Name one of its sub-attributes.",
			   "attribute \"%s\" is complex and cannot be compared", filter->attribute->path);
	add_attribute_name(filter, value);
	filter->attribute = value;
}

static void
refuse_operator(const Filter *filter)
{
	REFUSE(filter, "Compare it with eq or ne.", "attribute \"%s\" of type %s cannot be compared with %s",
		   filter->attribute->path, attribute_type_name(filter->attribute->type),
		   operator_names[filter->op]);
}

static void
refuse_value(const Filter *filter, const char *hint)
{
	REFUSE(filter, hint, "attribute \"%s\" of type %s cannot be compared with this value",
		   filter->attribute->path, attribute_type_name(filter->attribute->type));
}

bool
filter_instant(const JsonbValue *value, int64 *instant)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *text;
	volatile bool is_read = false;

	if (value->type != jbvString || !is_date_time(value->val.string.val, value->val.string.len))
		return false;
	text = pnstrdup(value->val.string.val, value->val.string.len);

	/* without its offset from UTC there is none, whatever the session's is */
	if (!has_offset(text))
		text = psprintf("%sZ", text);

	PG_TRY();
	{
		*instant = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
														   ObjectIdGetDatum(InvalidOid),
														   Int32GetDatum(-1)));
		is_read = true;
	}
	PG_CATCH();
	{
		/* a day that the calendar does not have */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	pfree(text);
	return is_read;
}

/* As strings are compared that are the same in any case. */
char *
filter_fold(const JsonbValue *string)
{
	return str_tolower(string->val.string.val, string->val.string.len, DEFAULT_COLLATION_OID);
}

/* A value whose type is not the text's to say is of the attribute's. */
static void
fit_value(Filter *filter)
{
	const char *word = filter->word;
	JsonbValue *value = NULL;
	enum jbvType wanted;

	if (word == NULL || filter->attribute == NULL || filter->value->type == jbvNull)
		return;
	switch (filter->attribute->type)
	{
		case TYPE_BOOLEAN:
			wanted = jbvBool;
			if (pg_strcasecmp(word, "true") == 0 || pg_strcasecmp(word, "false") == 0)
				value = document_boolean(pg_tolower(word[0]) == 't');
			break;
		case TYPE_DECIMAL:
		case TYPE_INTEGER:
			wanted = jbvNumeric;
			value = scalar_read(word, strlen(word));
			break;
		case TYPE_STRING:
		case TYPE_REFERENCE:
		case TYPE_BINARY:
		case TYPE_DATE_TIME:
			wanted = jbvString;
			value = document_string(word);
			break;
		default:
			return;
	}
	if (value != NULL && value->type == wanted)
		filter->value = value;
}

/* Does the comparison make sense for the attribute's type? */
static void
bind_comparison(Filter *filter)
{
	const Attribute *attribute = filter->attribute;
	JsonbValue *value = filter->value;

	if (value->type == jbvNull)
	{
		if (filter->op != OPERATOR_EQ && filter->op != OPERATOR_NE)
			REFUSE(filter, "Compare with null by eq or ne.", "nothing can be compared with null by %s",
				   operator_names[filter->op]);
		return;
	}
	if (is_part_of_string(filter->op) && value->type != jbvString)
		REFUSE(filter, "Send a string in double quotes.", "%s looks for a string",
			   operator_names[filter->op]);
	if (attribute == NULL)
		return;
	switch (attribute->type)
	{
		case TYPE_BOOLEAN:
			if (filter->op != OPERATOR_EQ && filter->op != OPERATOR_NE)
				refuse_operator(filter);
			if (value->type != jbvBool)
				refuse_value(filter, "Write true or false, without quotes.");
			break;
		case TYPE_DECIMAL:
		case TYPE_INTEGER:
			if (is_part_of_string(filter->op))
				refuse_operator(filter);
			if (value->type != jbvNumeric)
				refuse_value(filter, "Write a number, without quotes.");
			break;
		case TYPE_DATE_TIME:
			if (!is_part_of_string(filter->op) && !filter_instant(value, &filter->instant))
				refuse_value(filter, "Write a date and time as \"2026-01-31T12:00:00Z\".");
			break;
		case TYPE_BINARY:
			if (is_order(filter->op))
				refuse_operator(filter);
			/* FALLTHROUGH */
		case TYPE_STRING:
		case TYPE_REFERENCE:
			if (value->type != jbvString)
				refuse_value(filter, "Write a string in double quotes.");
			if (attribute->type == TYPE_STRING && !attribute->case_exact)
				filter->folded = filter_fold(value);
			break;
		case TYPE_COMPLEX:
		case TYPE_ANY:
			break;
	}
}

/*
 * Find the attributes that a filter names: in the schema, among the common ones
 * (or NULL), or below the parent that a value path names.  Refuses what makes
 * no sense for them.
 */
void
filter_bind(Filter *filter, const Schema *schema, const Schema *common, const Attribute *parent)
{
	ListCell   *lc;

	check_stack_depth();
	switch (filter->type)
	{
		case FILTER_AND:
		case FILTER_OR:
		case FILTER_NOT:
			foreach(lc, filter->parts)
				filter_bind(lfirst(lc), schema, common, parent);
			break;
		case FILTER_PRESENT:
			bind_attribute(filter, schema, common, parent);
			break;
		case FILTER_COMPARE:
			bind_attribute(filter, schema, common, parent);
			bind_default_value(filter);
			fit_value(filter);
			bind_comparison(filter);
			break;
		case FILTER_VALUES:
			bind_attribute(filter, schema, common, parent);
			if (filter->attribute != NULL && filter->attribute->type == TYPE_COMPLEX)
				filter_bind(linitial(filter->parts), schema, NULL, filter->attribute);
			else if (filter->attribute == NULL || filter->attribute->type == TYPE_ANY)
			{
				Schema		none = {0};

				filter_bind(linitial(filter->parts), &none, NULL, NULL);
			}
			else
				REFUSE(filter, "Only a complex attribute has sub-attributes to look at.",
					   "attribute \"%s\" is not complex", filter->attribute->path);
			break;
	}
}

/*
 * Evaluation
 */

static int
compare_bytes(const char *a, int a_len, const char *b, int b_len)
{
	int			difference = memcmp(a, b, Min(a_len, b_len));

	return difference != 0 ? difference : a_len - b_len;
}

static bool
order_matches(FilterOperator op, int difference)
{
	switch (op)
	{
		case OPERATOR_EQ:
			return difference == 0;
		case OPERATOR_NE:
			return difference != 0;
		case OPERATOR_GT:
			return difference > 0;
		case OPERATOR_GE:
			return difference >= 0;
		case OPERATOR_LT:
			return difference < 0;
		case OPERATOR_LE:
			return difference <= 0;
		default:
			return false;
	}
}

static bool
strings_match(FilterOperator op, const char *a, int a_len, const char *b, int b_len)
{
	switch (op)
	{
		case OPERATOR_CO:
			for (int i = 0; i + b_len <= a_len; i++)
			{
				if (memcmp(a + i, b, b_len) == 0)
					return true;
			}
			return false;
		case OPERATOR_SW:
			return a_len >= b_len && memcmp(a, b, b_len) == 0;
		case OPERATOR_EW:
			return a_len >= b_len && memcmp(a + a_len - b_len, b, b_len) == 0;
		case OPERATOR_LIKE:
			return DatumGetBool(DirectFunctionCall2Coll(textlike, C_COLLATION_OID,
														PointerGetDatum(cstring_to_text_with_len(a, a_len)),
														PointerGetDatum(cstring_to_text_with_len(b, b_len))));
		default:
			return order_matches(op, compare_bytes(a, a_len, b, b_len));
	}
}

static bool
string_matches(const Filter *filter, const JsonbValue *value)
{
	const Attribute *attribute = filter->attribute;
	const JsonbValue *wanted = filter->value;
	bool		result;
	char	   *folded;
	int64		instant;

	if (attribute != NULL && attribute->type == TYPE_DATE_TIME && !is_part_of_string(filter->op))
	{
		if (!filter_instant(value, &instant))
			return filter->op == OPERATOR_NE;
		return order_matches(filter->op, instant < filter->instant ? -1 : instant > filter->instant);
	}
	if (filter->folded == NULL)
		return strings_match(filter->op, value->val.string.val, value->val.string.len,
							 wanted->val.string.val, wanted->val.string.len);
	folded = filter_fold(value);
	result = strings_match(filter->op, folded, strlen(folded), filter->folded,
						   strlen(filter->folded));
	pfree(folded);
	return result;
}

/* Does one value that is there match a comparison? */
static bool
value_matches(const Filter *filter, JsonbValue *value)
{
	const JsonbValue *wanted = filter->value;

	if (wanted->type == jbvNull || value->type != wanted->type)
		return filter->op == OPERATOR_NE;
	switch (value->type)
	{
		case jbvString:
			return string_matches(filter, value);
		case jbvNumeric:
			return order_matches(filter->op,
								 DatumGetInt32(DirectFunctionCall2(numeric_cmp,
																   NumericGetDatum(value->val.numeric),
																   NumericGetDatum(wanted->val.numeric))));
		case jbvBool:
			/* of booleans without a schema, too, there is no order */
			return !is_order(filter->op) &&
				order_matches(filter->op, value->val.boolean != wanted->val.boolean);
		default:
			return filter->op == OPERATOR_NE;
	}
}

/* Has it a value: not null, not empty, or for an object, something in it? */
static bool
is_present(JsonbValue *value)
{
	check_stack_depth();
	switch (value->type)
	{
		case jbvNull:
			return false;
		case jbvString:
			return value->val.string.len > 0;
		case jbvArray:
			for (int i = 0; i < value->val.array.nElems; i++)
			{
				if (is_present(&value->val.array.elems[i]))
					return true;
			}
			return false;
		case jbvObject:
			document_foreach(pair, value)
			{
				if (is_present(&pair->value))
					return true;
			}
			return false;
		default:
			return true;
	}
}

/* What an attribute without a value matches. */
static bool
nothing_matches(const Filter *filter)
{
	return filter->type == FILTER_COMPARE &&
		filter->op == (filter->value->type == jbvNull ? OPERATOR_EQ : OPERATOR_NE);
}

/* A value at the end of the path. */
static bool
end_matches(const Filter *filter, JsonbValue *value)
{
	switch (filter->type)
	{
		case FILTER_PRESENT:
			return is_present(value);
		case FILTER_VALUES:
			return filter_matches(linitial(filter->parts), value);
		default:
			return value_matches(filter, value);
	}
}

/*
 * Go on from a value on the path; step counts the names behind it.  Values of
 * lists are asked one by one.
 */
static bool
matches_at(const Filter *filter, int step, JsonbValue *value)
{
	check_stack_depth();
	if (value->type == jbvArray && step > 0 && list_nth_int(filter->lists, step - 1))
	{
		for (int i = 0; i < value->val.array.nElems; i++)
		{
			if (matches_at(filter, step, &value->val.array.elems[i]))
				return true;
		}
		return value->val.array.nElems == 0 && nothing_matches(filter);
	}
	if (step == list_length(filter->names))
		return value->type == jbvNull ? nothing_matches(filter) : end_matches(filter, value);
	value = document_member(value, list_nth(filter->names, step));
	return value != NULL ? matches_at(filter, step + 1, value) :
		nothing_matches(filter);
}

/*
 * Does a document, or a value of the attribute that the filter is bound below,
 * match?
 */
bool
filter_matches(const Filter *filter, JsonbValue *document)
{
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (filter->type)
	{
		case FILTER_AND:
			foreach(lc, filter->parts)
			{
				if (!filter_matches(lfirst(lc), document))
					return false;
			}
			return true;
		case FILTER_OR:
			foreach(lc, filter->parts)
			{
				if (filter_matches(lfirst(lc), document))
					return true;
			}
			return false;
		case FILTER_NOT:
			return !filter_matches(linitial(filter->parts), document);
		default:
			return matches_at(filter, 0, document);
	}
}

/*
 * An item that a filter would select: it has what the filter says it is equal
 * to.  NULL when the filter says more than that.
 */
JsonbValue *
filter_item(const Filter *filter)
{
	JsonbValue *item = document_new_object();
	List	   *parts = filter->type == FILTER_AND ? filter->parts : list_make1(unconstify(Filter *, filter));
	ListCell   *lc;

	foreach(lc, parts)
	{
		Filter	   *part = lfirst(lc);

		if (part->type != FILTER_COMPARE || part->op != OPERATOR_EQ || strchr(part->path, '.') != NULL)
			return NULL;
		if (part->attribute != NULL)
			document_set(item, part->attribute->name, part->attribute->name_len, part->value);
		else
			document_set(item, part->path, strlen(part->path), part->value);
	}
	return item;
}
