/*
 * words.c
 *	  Read the words of an attribute's definition: those of RFC 7643 section 7,
 *	  of JSON Schema, and our own.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"

#include "core/lookup.h"
#include "core/validate.h"
#include "core/words.h"

typedef void (*WordReader) (Attribute *attribute, JsonbValue *value,
							const char *where);

static const char *const type_names[] = {
	[TYPE_STRING] = "string",
	[TYPE_BOOLEAN] = "boolean",
	[TYPE_DECIMAL] = "decimal",
	[TYPE_INTEGER] = "integer",
	[TYPE_DATE_TIME] = "dateTime",
	[TYPE_BINARY] = "binary",
	[TYPE_REFERENCE] = "reference",
	[TYPE_COMPLEX] = "complex",
	[TYPE_ANY] = "any",
	NULL
};

static const char *const mutability_names[] = {
	[MUTABILITY_READ_WRITE] = "readWrite",
	[MUTABILITY_READ_ONLY] = "readOnly",
	[MUTABILITY_IMMUTABLE] = "immutable",
	[MUTABILITY_WRITE_ONLY] = "writeOnly",
	NULL
};

static const char *const returned_names[] = {
	[RETURNED_DEFAULT] = "default",
	[RETURNED_ALWAYS] = "always",
	[RETURNED_NEVER] = "never",
	[RETURNED_REQUEST] = "request",
	NULL
};

static const char *const uniqueness_names[] = {"none", "server", "global", NULL};

static const char *const absent_names[] = {
	[ABSENT_INHERIT] = "",
	[ABSENT_REMOVE] = "remove",
	[ABSENT_BLANK] = "blank",
	[ABSENT_DEFAULT] = "default",
	[ABSENT_KEEP] = "keep",
	NULL
};

const char *
attribute_type_name(AttributeType type)
{
	return type_names[type];
}

const char *
mutability_name(Mutability mutability)
{
	return mutability_names[mutability];
}

const char *
returned_name(Returned returned)
{
	return returned_names[returned];
}

static int
read_choice(JsonbValue *value, const char *const *names, const char *where)
{
	if (value->type == jbvString)
	{
		char	   *given = document_cstring(value);

		for (int i = 0; names[i] != NULL; i++)
		{
			if (names[i][0] != '\0' && pg_strcasecmp(names[i], given) == 0)
				return i;
		}
	}
	{
		StringInfoData hint;

		initStringInfo(&hint);
		for (int i = 0; names[i] != NULL; i++)
		{
			if (names[i][0] != '\0')
				appendStringInfo(&hint, "%s%s", hint.len > 0 ? ", " : "It is one of: ", names[i]);
		}
		appendStringInfoChar(&hint, '.');
		BAD_SCHEMA_HINT(where, hint.data, "schema word \"%s\" has an unknown value", where);
	}
	return 0;					/* keep the compiler quiet */
}

static bool
read_boolean(JsonbValue *value, const char *where)
{
	if (value->type != jbvBool)
		BAD_SCHEMA(where, "schema word \"%s\" must be true or false", where);
	return value->val.boolean;
}

static char *
read_string(JsonbValue *value, const char *where)
{
	if (value->type != jbvString)
		BAD_SCHEMA(where, "schema word \"%s\" must be a string", where);
	return document_cstring(value);
}

static Numeric
read_number(JsonbValue *value, const char *where)
{
	if (value->type != jbvNumeric)
		BAD_SCHEMA(where, "schema word \"%s\" must be a number", where);
	return value->val.numeric;
}

static Numeric
copy_number(Numeric number)
{
	return DatumGetNumericCopy(NumericGetDatum(number));
}

static int
read_count(JsonbValue *value, const char *where)
{
	bool		error = false;
	int			count = 0;

	if (value_has_type(TYPE_INTEGER, value))
		count = numeric_int4_opt_error(value->val.numeric, &error);
	if (!value_has_type(TYPE_INTEGER, value) || error || count < 0)
		BAD_SCHEMA(where, "schema word \"%s\" must be a whole number of at least 0", where);
	return count;
}

static JsonbValue *
read_array(JsonbValue *value, const char *where)
{
	if (value->type != jbvArray)
		BAD_SCHEMA(where, "schema word \"%s\" must be an array", where);
	return value;
}

static void
word_type(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->type = read_choice(value, type_names, where);
}

static void
word_multi_valued(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->multi_valued = read_boolean(value, where);
}

static void
word_required(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->required = read_boolean(value, where);
}

static void
word_case_exact(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->case_exact = read_boolean(value, where);
}

static void
word_mutability(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->mutability = read_choice(value, mutability_names, where);
}

static void
word_returned(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->returned = read_choice(value, returned_names, where);
}

/* Within one table "global" is no stronger than "server". */
static void
word_uniqueness(Attribute *attribute, JsonbValue *value, const char *where)
{
	int			uniqueness = read_choice(value, uniqueness_names, where);

	attribute->unique = uniqueness > 0;
	attribute->global = uniqueness > 1;
}

/* Suggestions (RFC 7643 section 7): checked for their form, never enforced. */
static void
word_canonical_values(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->canonical_values = document_copy(read_array(value, where));
}

/* These two are passed over where they are not what they should be. */
static void
word_description(Attribute *attribute, JsonbValue *value, const char *where)
{
	if (value->type == jbvString)
		attribute->description = document_cstring(value);
}

static void
word_reference_types(Attribute *attribute, JsonbValue *value, const char *where)
{
	if (value->type == jbvArray)
		attribute->reference_types = document_copy(value);
}

static void
word_default(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->default_value = document_copy(value);
}

static void
word_enum(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->enumeration = document_copy(read_array(value, where));
	if (value->val.array.nElems == 0)
		BAD_SCHEMA(where, "schema word \"%s\" allows no value", where);
}

static void
word_format(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->format = format_find(read_string(value, where));
	if (attribute->format == NULL)
		BAD_SCHEMA_HINT(where, psprintf("It is one of: %s.", format_names()),
						"schema word \"%s\" names an unknown format", where);
}

/* An unusable pattern is the schema's error, not that of the first user. */
static void
word_pattern(Attribute *attribute, JsonbValue *value, const char *where)
{
	MemoryContext context = CurrentMemoryContext;
	text	   *pattern = cstring_to_text(read_string(value, where));

	PG_TRY();
	{
		(void) RE_compile_and_cache(pattern, REG_ADVANCED, C_COLLATION_OID);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (geterrcode() != ERRCODE_INVALID_REGULAR_EXPRESSION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		BAD_SCHEMA_HINT(where, psprintf("PostgreSQL says: %s.", error->message),
						"schema word \"%s\" is not a regular expression", where);
	}
	PG_END_TRY();
	attribute->pattern = pattern;
}

static void
word_min_length(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->min_length = read_count(value, where);
}

static void
word_max_length(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->max_length = read_count(value, where);
}

static void
word_minimum(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->minimum = copy_number(read_number(value, where));
}

static void
word_maximum(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->maximum = copy_number(read_number(value, where));
}

static void
word_dependent_required(Attribute *attribute, JsonbValue *value, const char *where)
{
	if (value->type != jbvObject)
		BAD_SCHEMA_HINT(where,
						"It maps the name of a sub-attribute to an array of names.",
						"schema word \"%s\" must be an object", where);
	document_foreach(pair, value)
	{
		(void) read_array(&pair->value, where);
		for (int i = 0; i < pair->value.val.array.nElems; i++)
			(void) read_string(&pair->value.val.array.elems[i], where);
	}
	attribute->dependent_names = document_copy(value);
}

static void
word_key(Attribute *attribute, JsonbValue *value, const char *where)
{
	(void) read_string(value, where);
	attribute->key_name = document_copy(value);
}

static void
word_lookup(Attribute *attribute, JsonbValue *value, const char *where)
{
	lookup_read(attribute, value, where);
}

static void
word_absent(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->absent = read_choice(value, absent_names, where);
}

static void
word_default_from(Attribute *attribute, JsonbValue *value, const char *where)
{
	(void) read_string(value, where);
	attribute->default_from_name = document_copy(value);
}

static void
word_primary_when_only(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->primary_when_only = read_boolean(value, where);
}

static void
word_transient(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->transient = read_boolean(value, where);
}

static void
word_computed(Attribute *attribute, JsonbValue *value, const char *where)
{
	attribute->computed = read_string(value, where);
}

static void
word_read_elsewhere(Attribute *attribute, JsonbValue *value, const char *where)
{
}

typedef struct Word
{
	const char *name;
	WordReader	read;
	bool		is_structure;	/* decides what is stored: not for a rule */
} Word;

static const Word words[] = {
	{"name", word_read_elsewhere, true},
	{"type", word_type, true},
	{"multiValued", word_multi_valued, true},
	{"subAttributes", word_read_elsewhere, true},
	{"description", word_description, false},
	{"referenceTypes", word_reference_types, false},
	{"required", word_required, false},
	{"canonicalValues", word_canonical_values, false},
	{"caseExact", word_case_exact, true},
	{"mutability", word_mutability, false},
	{"returned", word_returned, false},
	{"uniqueness", word_uniqueness, true},
	{"default", word_default, false},
	{"enum", word_enum, false},
	{"format", word_format, false},
	{"pattern", word_pattern, false},
	{"minLength", word_min_length, false},
	{"maxLength", word_max_length, false},
	{"minimum", word_minimum, false},
	{"maximum", word_maximum, false},
	{"dependentRequired", word_dependent_required, false},
	{"key", word_key, false},
	{"lookup", word_lookup, false},
	{"absent", word_absent, false},
	{"defaultFrom", word_default_from, false},
	{"primaryWhenOnly", word_primary_when_only, false},
	{"computed", word_computed, false},
	{"transient", word_transient, true},
};

static const Word *
find_word(const char *name, int len)
{
	for (int i = 0; i < lengthof(words); i++)
	{
		if (strlen(words[i].name) == len && attribute_same_name(words[i].name, name, len))
			return &words[i];
	}
	return NULL;
}

/*
 * Read what an object says of an attribute: all its words, or those that a
 * rule lays over them.  A word without a value (null) is not there.  Words of
 * others are left alone, since schema documents of other SCIM systems have to
 * load.
 */
void
attribute_read_words(Attribute *attribute, JsonbValue *object, const char *where, bool is_rule)
{
	document_foreach(pair, object)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		const Word *word = find_word(name, len);
		char	   *shown = shown_name(name, len);
		char	   *here = psprintf("%s.%s", where, shown);

		if (word == NULL && is_rule)
			BAD_SCHEMA(here, "rule for attribute \"%s\" has an unknown word \"%s\"",
					   attribute->path, shown);
		if (word != NULL && is_rule && word->is_structure)
			BAD_SCHEMA_HINT(here, "Say it in the schema.",
							"a rule cannot change \"%s\" of attribute \"%s\"",
							word->name, attribute->path);
		if (word != NULL && pair->value.type != jbvNull)
		{
			bool		was_password = format_is_password(attribute->format);

			word->read(attribute, &pair->value, here);
			if (is_rule && format_is_password(attribute->format) != was_password)
				BAD_SCHEMA_HINT(here, "Say it in the schema.",
								"a rule cannot change whether attribute \"%s\" is a password",
								attribute->path);
		}
		pfree(here);
		pfree(shown);
	}
}

/*
 * Name the words of others in an array of attributes that was read without
 * error: they may be ours misspelled.
 */
void
attributes_tell_unknown_words(JsonbValue *array, const char *where)
{
	check_stack_depth();
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		JsonbValue *object = &array->val.array.elems[i];
		JsonbValue *subs = document_member(object, "subAttributes");
		char	   *here = psprintf("%s[%d]", where, i);

		document_foreach(pair, object)
		{
			const char *name = pair->key.val.string.val;
			int			len = pair->key.val.string.len;

			if (find_word(name, len) == NULL)
				ereport(NOTICE,
						(errmsg("unknown schema word \"%s.%s\" is ignored", here,
								shown_name(name, len))));
		}
		if (subs != NULL && subs->type == jbvArray)
			attributes_tell_unknown_words(subs, psprintf("%s.subAttributes", here));
	}
}
