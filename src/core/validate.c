/*
 * validate.c
 *	  Judge values against their attributes.
 *
 * Names are in the schema's case here and nulls are gone: the update that made
 * the value saw to that.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "core/errors.h"
#include "core/lookup.h"
#include "core/validate.h"

/*
 * A unique value is kept in a btree, whose entries are limited to a third of a
 * page; this leaves room for the tenant and for letters that grow when they
 * are lowered.
 */
#define MAX_UNIQUE_BYTES	1500

/*
 * Report a problem: raise it, or remember it when all are collected (and
 * return).
 */
void
validation_problem(Validation *validation, const char *path, const char *scim_type,
				   const char *hint, const char *format,...)
{
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	if (validation->collect)
	{
		Problem    *problem = palloc(sizeof(Problem));

		problem->path = path;
		problem->scim_type = scim_type;
		problem->message = message.data;
		problem->hint = hint;
		validation->problems = lappend(validation->problems, problem);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg_internal("%s", message.data),
			 errdetail_path(path, scim_type),
			 hint ? errhint("%s", hint) : 0));
}

void
missing_required(Validation *validation, const Attribute *attribute)
{
	validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
					   "The attribute is required and cannot be left out or cleared.",
					   "attribute \"%s\" is missing", attribute->path);
}

static bool
is_whole(JsonbValue *value)
{
	Datum		truncated;

	if (numeric_is_nan(value->val.numeric) || numeric_is_inf(value->val.numeric))
		return false;
	truncated = DirectFunctionCall2(numeric_trunc, NumericGetDatum(value->val.numeric),
									Int32GetDatum(0));
	return DatumGetBool(DirectFunctionCall2(numeric_eq, truncated,
											NumericGetDatum(value->val.numeric)));
}

/*
 * Does a value have the JSON form of a type (RFC 7643 section 2.3)?  For
 * strings that have a syntax of their own (dateTime, binary) this looks no
 * further than the JSON form.
 */
bool
value_has_type(AttributeType type, JsonbValue *value)
{
	switch (type)
	{
		case TYPE_STRING:
		case TYPE_DATE_TIME:
		case TYPE_BINARY:
		case TYPE_REFERENCE:
			return value->type == jbvString;
		case TYPE_BOOLEAN:
			return value->type == jbvBool;
		case TYPE_DECIMAL:
			return value->type == jbvNumeric;
		case TYPE_INTEGER:
			return value->type == jbvNumeric && is_whole(value);
		case TYPE_COMPLEX:
			return value->type == jbvObject;
		case TYPE_ANY:
			return true;
	}
	return false;				/* keep the compiler quiet */
}

static const char *
type_noun(AttributeType type)
{
	switch (type)
	{
		case TYPE_STRING:
		case TYPE_REFERENCE:
		case TYPE_DATE_TIME:
		case TYPE_BINARY:
			return "a string";
		case TYPE_BOOLEAN:
			return "true or false";
		case TYPE_DECIMAL:
			return "a number";
		case TYPE_INTEGER:
			return "a whole number";
		case TYPE_COMPLEX:
			return "an object";
		case TYPE_ANY:
			break;
	}
	return "a value";
}

static const char *
type_hint(AttributeType type)
{
	switch (type)
	{
		case TYPE_STRING:
		case TYPE_REFERENCE:
		case TYPE_DATE_TIME:
		case TYPE_BINARY:
			return "Send it in quotes, as \"text\".";
		case TYPE_BOOLEAN:
			return "Send true or false without quotes.";
		case TYPE_DECIMAL:
			return "Send it without quotes, as 12.5.";
		case TYPE_INTEGER:
			return "Send it without quotes and fraction, as 12.";
		case TYPE_COMPLEX:
			return "Send it in braces, as {\"name\": value}.";
		case TYPE_ANY:
			break;
	}
	return NULL;
}

static int
compare_numeric(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

static char *
number_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/* The allowed values as a hint shows them. */
static char *
enumeration_hint(const Attribute *attribute)
{
	StringInfoData hint;

	initStringInfo(&hint);
	appendStringInfoString(&hint, "Allowed values:");
	for (int i = 0; i < attribute->enumeration->val.array.nElems; i++)
	{
		JsonbValue *allowed = &attribute->enumeration->val.array.elems[i];

		if (allowed->type == jbvString)
			appendStringInfo(&hint, "%s \"%.*s\"", i > 0 ? "," : "",
							 allowed->val.string.len, allowed->val.string.val);
		else if (allowed->type == jbvNumeric)
			appendStringInfo(&hint, "%s %s", i > 0 ? "," : "",
							 number_text(allowed->val.numeric));
		else if (allowed->type == jbvBool)
			appendStringInfo(&hint, "%s %s", i > 0 ? "," : "",
							 allowed->val.boolean ? "true" : "false");
	}
	appendStringInfoChar(&hint, '.');
	return hint.data;
}

/* Equal, strings in any case unless the attribute is caseExact. */
bool
attribute_same_value(const Attribute *attribute, JsonbValue *a, JsonbValue *b)
{
	if (!attribute->case_exact && a->type == jbvString && b->type == jbvString)
		return a->val.string.len == b->val.string.len &&
			pg_strncasecmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
	return document_equal(a, b);
}

static void
validate_enumeration(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	for (int i = 0; i < attribute->enumeration->val.array.nElems; i++)
	{
		if (attribute_same_value(attribute, value, &attribute->enumeration->val.array.elems[i]))
			return;
	}
	validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
					   enumeration_hint(attribute),
					   "attribute \"%s\" has a value that is not allowed", attribute->path);
}

static void
validate_string(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	char	   *string = value->val.string.val;
	int			len = value->val.string.len;
	int			characters = -1;

	if (attribute->type == TYPE_DATE_TIME && !is_date_time(string, len))
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   "Send it as \"2026-01-31T12:00:00Z\".",
						   "attribute \"%s\" must be a date and time", attribute->path);
	if (attribute->type == TYPE_BINARY && !is_base64(string, len))
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   "Encode the bytes as base64 or base64url.",
						   "attribute \"%s\" must be base64", attribute->path);
	if (attribute->format != NULL && !attribute->format->matches(string, len))
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("Send it as \"%s\".", attribute->format->example),
						   "attribute \"%s\" must be %s", attribute->path,
						   attribute->format->noun);
	if (attribute->min_length >= 0 || attribute->max_length >= 0)
		characters = pg_mbstrlen_with_len(string, len);
	if (attribute->min_length >= 0 && characters < attribute->min_length)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("At least %d characters are needed.", attribute->min_length),
						   "attribute \"%s\" is too short", attribute->path);
	if (attribute->max_length >= 0 && characters > attribute->max_length)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("At most %d characters are accepted.", attribute->max_length),
						   "attribute \"%s\" is too long", attribute->path);
	if (attribute->unique && len > MAX_UNIQUE_BYTES)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("A unique value has at most %d bytes.", MAX_UNIQUE_BYTES),
						   "attribute \"%s\" is too long", attribute->path);
	if (attribute->pattern != NULL &&
		!RE_compile_and_execute(attribute->pattern, string, len, REG_ADVANCED,
								C_COLLATION_OID, 0, NULL))
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("The pattern is %s.", text_to_cstring(attribute->pattern)),
						   "attribute \"%s\" does not match its pattern", attribute->path);
}

static void
validate_number(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	if (attribute->minimum != NULL && compare_numeric(value->val.numeric, attribute->minimum) < 0)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("It is at least %s.", number_text(attribute->minimum)),
						   "attribute \"%s\" is too small", attribute->path);
	if (attribute->maximum != NULL && compare_numeric(value->val.numeric, attribute->maximum) > 0)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   psprintf("It is at most %s.", number_text(attribute->maximum)),
						   "attribute \"%s\" is too large", attribute->path);
}

/* Each required attribute of a level is there (readOnly ones are ours). */
void
validate_required(Validation *validation, const AttributeSet *set, JsonbValue *object)
{
	for (int i = 0; i < set->count; i++)
	{
		Attribute  *attribute = &set->attributes[i];

		if (attribute->required && attribute->mutability != MUTABILITY_READ_ONLY &&
			document_find(object, attribute->name, attribute->name_len) == NULL)
			missing_required(validation, attribute);
	}
}

/*
 * Has an extension anything that a client could have sent?  What is readOnly
 * stays when all else goes, and requires nothing.
 */
bool
extension_in_use(const Attribute *extension, JsonbValue *object)
{
	document_foreach(pair, object)
	{
		Attribute  *attribute = attribute_find(&extension->subs, pair->key.val.string.val,
											   pair->key.val.string.len);

		if (attribute == NULL || attribute->mutability != MUTABILITY_READ_ONLY)
			return true;
	}
	return false;
}

static void
dependent_missing(Validation *validation, const Attribute *attribute,
				  const Attribute *trigger, const Attribute *needed)
{
	validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
					   psprintf("\"%s\" and \"%s\" are sent together or not at all.",
								trigger->name, needed->name),
					   "attribute \"%s\" lacks \"%s\"", attribute->path, needed->name);
}

/*
 * What is sent together or not at all, judged on the value as it was sent: a
 * sub-attribute that is stored does not stand in for one left out, and one
 * that is cleared (null) takes the others with it.
 */
void
validate_sent_dependencies(Validation *validation, const Attribute *attribute,
						   JsonbValue *sent)
{
	ListCell   *lc;
	ListCell   *ln;

	foreach(lc, attribute->dependencies)
	{
		Dependency *dependency = lfirst(lc);
		JsonbValue *trigger = NULL;

		document_foreach(pair, sent)
		{
			if (attribute_find(&attribute->subs, pair->key.val.string.val,
							   pair->key.val.string.len) == dependency->trigger)
				trigger = &pair->value;
		}
		if (trigger == NULL)
			continue;
		foreach(ln, dependency->needed)
		{
			Attribute  *needed = lfirst(ln);
			JsonbValue *value = NULL;

			document_foreach(pair, sent)
			{
				if (attribute_find(&attribute->subs, pair->key.val.string.val,
								   pair->key.val.string.len) == needed)
					value = &pair->value;
			}
			if (value == NULL || (value->type == jbvNull && trigger->type != jbvNull))
				dependent_missing(validation, attribute, dependency->trigger, needed);
		}
	}
}

/* The same on a whole value. */
static void
validate_dependencies(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	ListCell   *lc;
	ListCell   *ln;

	foreach(lc, attribute->dependencies)
	{
		Dependency *dependency = lfirst(lc);

		if (document_member(value, dependency->trigger->name) == NULL)
			continue;
		foreach(ln, dependency->needed)
		{
			Attribute  *needed = lfirst(ln);

			if (document_member(value, needed->name) == NULL)
				dependent_missing(validation, attribute, dependency->trigger, needed);
		}
	}
}

static void
validate_members(Validation *validation, const AttributeSet *set, JsonbValue *object)
{
	document_foreach(pair, object)
	{
		Attribute  *attribute = attribute_find(set, pair->key.val.string.val,
											   pair->key.val.string.len);

		if (attribute == NULL || pair->value.type == jbvNull)
			continue;
		if (format_is_password(attribute->format))
			validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
							   "The next update of the user takes it out of the document.",
							   "password \"%s\" is stored in clear", attribute->path);
		else
			validate_value(validation, attribute, &pair->value);
	}
}

/*
 * The blank of an attribute that a replace blanks, in a stored document: it
 * stands for no value, whatever values have to look like.  A request that sets
 * one is judged as any other.
 */
static bool
is_blank(const Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	Absent		absent = attribute->absent;

	if (absent == ABSENT_INHERIT)
		absent = validation->absent;
	return validation->collect && absent == ABSENT_BLANK && attribute->type == TYPE_STRING &&
		!attribute->multi_valued && !attribute->required &&
		document_is_string(value, "");
}

/*
 * Judge one value, or one item of a multi-valued attribute.
 */
void
validate_item(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	if (is_blank(validation, attribute, value))
		return;
	if (!value_has_type(attribute->type, value))
	{
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   type_hint(attribute->type),
						   "attribute \"%s\" must be %s", attribute->path,
						   type_noun(attribute->type));
		return;
	}
	if (attribute->enumeration != NULL)
		validate_enumeration(validation, attribute, value);
	switch (attribute->type)
	{
		case TYPE_STRING:
		case TYPE_DATE_TIME:
		case TYPE_BINARY:
		case TYPE_REFERENCE:
			validate_string(validation, attribute, value);
			break;
		case TYPE_DECIMAL:
		case TYPE_INTEGER:
			validate_number(validation, attribute, value);
			break;
		case TYPE_COMPLEX:
			/* first, as a displayValue that stands alone is one of the list */
			if (attribute->lookup != NULL)
				lookup_validate(validation, attribute, value);
			validate_members(validation, &attribute->subs, value);
			if (!attribute->is_extension || extension_in_use(attribute, value))
				validate_required(validation, &attribute->subs, value);
			validate_dependencies(validation, attribute, value);
			break;
		case TYPE_BOOLEAN:
		case TYPE_ANY:
			break;
	}
}

/*
 * At most one item is the primary one (RFC 7643 section 2.4).
 */
void
validate_primary(Validation *validation, const Attribute *attribute, JsonbValue *array)
{
	Attribute  *primary = attribute_member(&attribute->subs, "primary");
	int			count = 0;

	if (primary == NULL || primary->type != TYPE_BOOLEAN)
		return;
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		JsonbValue *value = document_member(&array->val.array.elems[i], primary->name);

		if (value != NULL && value->type == jbvBool && value->val.boolean)
			count++;
	}
	if (count > 1)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   "Set \"primary\" to true in one value only.",
						   "attribute \"%s\" has more than one primary value",
						   attribute->path);
}

/* Each value of the key stands for one item. */
static void
validate_keys(Validation *validation, const Attribute *attribute, JsonbValue *array)
{
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		JsonbValue *key = document_member(&array->val.array.elems[i], attribute->key->name);

		CHECK_FOR_INTERRUPTS();
		if (key == NULL)
		{
			missing_required(validation, attribute->key);
			continue;
		}
		for (int j = 0; j < i; j++)
		{
			JsonbValue *other = document_member(&array->val.array.elems[j],
												attribute->key->name);

			if (other != NULL && attribute_same_value(attribute->key, key, other))
				validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
								   psprintf("Send one item for each value of \"%s\".",
											attribute->key->name),
								   "attribute \"%s\" has two items with the same \"%s\"",
								   attribute->path, attribute->key->name);
		}
	}
}

/*
 * Judge the values of a multi-valued attribute side by side.
 */
void
validate_together(Validation *validation, const Attribute *attribute, JsonbValue *array)
{
	if (attribute->type == TYPE_COMPLEX)
		validate_primary(validation, attribute, array);
	if (attribute->key != NULL)
		validate_keys(validation, attribute, array);
}

/*
 * Judge a whole value of an attribute, all below it included.
 */
void
validate_value(Validation *validation, const Attribute *attribute, JsonbValue *value)
{
	check_stack_depth();
	if (!attribute->multi_valued)
	{
		validate_item(validation, attribute, value);
		return;
	}
	if (value->type != jbvArray)
	{
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE,
						   "Send it in brackets, as [...], also when it has one value.",
						   "attribute \"%s\" must be an array", attribute->path);
		return;
	}
	for (int i = 0; i < value->val.array.nElems; i++)
	{
		CHECK_FOR_INTERRUPTS();
		validate_item(validation, attribute, &value->val.array.elems[i]);
	}
	validate_together(validation, attribute, value);
}

/*
 * Judge a stored document.
 */
void
validate_document(Validation *validation, const Schema *schema, JsonbValue *document)
{
	validate_members(validation, &schema->attributes, document);
	validate_required(validation, &schema->attributes, document);
}
