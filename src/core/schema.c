/*
 * schema.c
 *	  Compile attribute schemas: read the words of each attribute, check that
 *	  they fit together, index the names.
 *
 * Compiling goes in three steps, because a profile's rules and a table's lookup
 * lists are laid over the schemas' words before anything is looked up by name:
 * schema_compile, schema_apply_rules and schema_apply_lookups, schema_link.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/fmgrprotos.h"

#include "core/errors.h"
#include "core/lookup.h"
#include "core/schema.h"
#include "core/words.h"
#include "core/scim/path.h"
#include "core/validate.h"

/* More attributes than this on one level are taken for a mistake. */
#define MAX_ATTRIBUTES	10000

static void read_attributes(AttributeSet *set, JsonbValue *array,
							const Attribute *parent, const char *where,
							bool is_core);
static void link_attribute(Attribute *attribute, AttributeSet *siblings,
						   const Attribute *parent);

/* ASCII letters only: RFC 7643 section 2.1 has no others in names. */
static uint32
hash_name(const char *name, int len)
{
	uint32		hash = 2166136261u;

	for (int i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) pg_ascii_tolower((unsigned char) name[i])) * 16777619u;
	return hash;
}

bool
attribute_same_name(const char *a, const char *b, int len)
{
	if (memcmp(a, b, len) == 0)
		return true;
	for (int i = 0; i < len; i++)
	{
		if (pg_ascii_tolower((unsigned char) a[i]) != pg_ascii_tolower((unsigned char) b[i]))
			return false;
	}
	return true;
}

/*
 * The attribute of a name, in any case (RFC 7643 section 2.1), or NULL.
 */
Attribute *
attribute_find(const AttributeSet *set, const char *name, int len)
{
	if (set->count == 0)
		return NULL;
	for (uint32 slot = hash_name(name, len) & set->mask;
		 set->slots[slot] >= 0;
		 slot = (slot + 1) & set->mask)
	{
		Attribute  *attribute = &set->attributes[set->slots[slot]];

		if (attribute->name_len == len && attribute_same_name(attribute->name, name, len))
			return attribute;
	}
	return NULL;
}

Attribute *
attribute_member(const AttributeSet *set, const char *name)
{
	return attribute_find(set, name, strlen(name));
}

static void
init_set(AttributeSet *set, int count)
{
	uint32		slots = 8;

	while (slots < count * 2)
		slots *= 2;
	set->count = 0;
	set->attributes = palloc0(sizeof(Attribute) * Max(count, 1));
	set->mask = slots - 1;
	set->slots = palloc(sizeof(int16) * slots);
	memset(set->slots, 0xff, sizeof(int16) * slots);
}

/* Make the attribute that was just filled in known by its name. */
static void
enter_last(AttributeSet *set)
{
	Attribute  *attribute = &set->attributes[set->count];
	uint32		slot = hash_name(attribute->name, attribute->name_len) & set->mask;

	while (set->slots[slot] >= 0)
		slot = (slot + 1) & set->mask;
	set->slots[slot] = set->count++;
}

/*
 * The path of a member of an attribute, known to a schema or not: after the
 * URN of an extension a colon (RFC 7644 section 3.10), elsewhere a dot.
 */
char *
attribute_child_path(const Attribute *parent, const char *name, int len)
{
	if (parent == NULL)
		return pnstrdup(name, len);
	return psprintf("%s%c%.*s", parent->path, parent->is_extension ? ':' : '.', len, name);
}

/*
 * Names are free but for the characters that paths and filters are made of,
 * since APIs differ: OIG's fields have blanks in their names.
 */
static void
check_attribute_name(const char *name, int len, const char *where)
{
	bool		good = len > 0 && len <= 255;

	for (int i = 0; i < len; i++)
	{
		if ((unsigned char) name[i] < ' ' || name[i] == 0x7f || strchr(".:[]\"\\", name[i]))
			good = false;
	}
	if (!good)
		BAD_SCHEMA_HINT(where,
						"It has 1 to 255 bytes and no control characters, dots, colons, brackets, quotes or backslashes.",
						"\"%s\" cannot be the name of an attribute", shown_name(name, len));
}

/* Served by the API itself (RFC 7643 section 3.1), whatever a schema says. */
static bool
is_common_attribute(const char *name, int len)
{
	return (len == 2 && pg_strncasecmp(name, "id", 2) == 0) ||
		(len == 4 && pg_strncasecmp(name, "meta", 4) == 0) ||
		(len == 7 && pg_strncasecmp(name, "schemas", 7) == 0);
}

static void
read_attributes(AttributeSet *set, JsonbValue *array, const Attribute *parent,
				const char *where, bool is_core)
{
	check_stack_depth();
	if (array == NULL || array->type != jbvArray)
		BAD_SCHEMA(where, "schema word \"%s\" must be an array of attributes", where);
	if (array->val.array.nElems > MAX_ATTRIBUTES)
		BAD_SCHEMA(where, "schema word \"%s\" has more than %d attributes", where, MAX_ATTRIBUTES);
	/* one more than given: room for externalId */
	init_set(set, array->val.array.nElems + 1);
	for (int i = 0; i < array->val.array.nElems; i++)
	{
		JsonbValue *object = &array->val.array.elems[i];
		Attribute  *attribute = &set->attributes[set->count];
		char	   *here = psprintf("%s[%d]", where, i);
		JsonbValue *name;
		JsonbValue *subs;

		if (object->type != jbvObject)
			BAD_SCHEMA(here, "schema word \"%s\" must be an object", here);
		name = document_member(object, "name");
		if (name == NULL || name->type != jbvString)
			BAD_SCHEMA(here, "schema word \"%s.name\" must be a string", here);
		check_attribute_name(name->val.string.val, name->val.string.len, here);
		if (attribute_find(set, name->val.string.val, name->val.string.len) != NULL)
			BAD_SCHEMA_HINT(here, "Names are the same in any case.",
							"attribute \"%s\" is defined twice", document_cstring(name));

		memset(attribute, 0, sizeof(Attribute));
		attribute->name = document_cstring(name);
		attribute->name_len = name->val.string.len;
		attribute->path = attribute_child_path(parent, attribute->name, attribute->name_len);
		attribute->type = TYPE_STRING;
		attribute->min_length = -1;
		attribute->max_length = -1;
		attribute->writable = WRITABLE;
		attribute_read_words(attribute, object, here, false);

		subs = document_member(object, "subAttributes");
		if (subs != NULL && subs->type == jbvNull)
			subs = NULL;
		if (attribute->type == TYPE_COMPLEX)
		{
			read_attributes(&attribute->subs, subs, attribute,
							psprintf("%s.subAttributes", here), false);
			if (attribute->subs.count == 0)
				BAD_SCHEMA_HINT(here, "For a value of any shape there is the type \"any\".",
								"complex attribute \"%s\" has no subAttributes", attribute->path);
		}
		else if (subs != NULL && (subs->type != jbvArray || subs->val.array.nElems > 0))
			BAD_SCHEMA(here, "attribute \"%s\" has subAttributes but is not complex",
					   attribute->path);

		if (!is_core || !is_common_attribute(attribute->name, attribute->name_len))
			enter_last(set);
		pfree(here);
	}
}

/*
 * The URN under which a schema document goes.
 */
static char *
schema_id(JsonbValue *document)
{
	JsonbValue *id;
	char	   *string;

	if (document->type != jbvObject)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("a schema must be a JSON object"),
				 errdetail_path(NULL, SCIM_INVALID_SYNTAX)));
	id = document_member(document, "id");
	if (id == NULL || id->type != jbvString)
		BAD_SCHEMA("id", "schema word \"%s\" must be a string", "id");
	string = document_cstring(id);
	if (strlen(string) > 255 || !format_find("uri")->matches(string, strlen(string)))
		BAD_SCHEMA_HINT("id", "It is a URI such as \"urn:example:params:scim:schemas:2.0:User\".",
						"\"%s\" cannot be the id of a schema",
						shown_name(string, strlen(string)));
	return string;
}

/*
 * What people call a schema: without a name, the last part of its URI, since
 * clients name things after it.
 */
static SchemaTitle *
schema_title(const char *id, JsonbValue *document)
{
	SchemaTitle *title = palloc0(sizeof(SchemaTitle));
	JsonbValue *name = document_member(document, "name");
	JsonbValue *description = document_member(document, "description");

	if (name != NULL && name->type == jbvString && name->val.string.len > 0)
		title->name = document_cstring(name);
	else
	{
		const char *end = id + strlen(id);

		while (end > id && strchr(":/#", end[-1]) == NULL)
			end--;
		title->name = *end != '\0' ? end : id;
	}
	if (description != NULL && description->type == jbvString)
		title->description = document_cstring(description);
	return title;
}

/* An extension's attributes, as one complex attribute under its URN. */
static void
read_extension(Attribute *attribute, const char *id, JsonbValue *document)
{
	memset(attribute, 0, sizeof(Attribute));
	attribute->name = id;
	attribute->name_len = strlen(id);
	attribute->path = id;
	attribute->type = TYPE_COMPLEX;
	attribute->is_extension = true;
	attribute->min_length = -1;
	attribute->max_length = -1;
	attribute->writable = WRITABLE;
	read_attributes(&attribute->subs, document_member(document, "attributes"),
					attribute, "attributes", false);
}

/* externalId, which every SCIM resource has (RFC 7643 section 3.1). */
static void
add_external_id(AttributeSet *set)
{
	Attribute  *attribute = &set->attributes[set->count];

	if (attribute_member(set, "externalId") != NULL)
		return;
	memset(attribute, 0, sizeof(Attribute));
	attribute->name = "externalId";
	attribute->name_len = strlen(attribute->name);
	attribute->path = attribute->name;
	attribute->type = TYPE_STRING;
	attribute->case_exact = true;
	attribute->is_common = true;
	attribute->min_length = -1;
	attribute->max_length = -1;
	attribute->writable = WRITABLE;
	enter_last(set);
}

/*
 * First step: the attributes of schema documents (a list of trees, the core
 * schema first), everything allocated in the current memory context.  Without
 * documents the schema knows no attribute.
 */
Schema *
schema_compile(List *documents, bool scim_common)
{
	Schema	   *schema = palloc0(sizeof(Schema));
	AttributeSet *set = &schema->attributes;
	ListCell   *lc;

	if (documents == NIL)
	{
		init_set(set, 0);
		return schema;
	}
	foreach(lc, documents)
	{
		JsonbValue *document = lfirst(lc);
		char	   *id = schema_id(document);

		if (schema->ids == NIL)
		{
			AttributeSet core;

			read_attributes(&core, document_member(document, "attributes"), NULL,
							"attributes", true);
			if (scim_common)
				add_external_id(&core);
			init_set(set, core.count + list_length(documents));
			for (int i = 0; i < core.count; i++)
			{
				set->attributes[i] = core.attributes[i];
				enter_last(set);
			}
		}
		else
		{
			if (attribute_member(set, id) != NULL ||
				pg_strcasecmp(id, linitial(schema->ids)) == 0)
				BAD_SCHEMA("id", "schema \"%s\" is given twice", id);
			read_extension(&set->attributes[set->count], id, document);
			enter_last(set);
		}
		schema->ids = lappend(schema->ids, id);
		schema->titles = lappend(schema->titles, schema_title(id, document));
	}
	return schema;
}

/*
 * A schema whose attributes may be called as the API's own are.
 */
Schema *
schema_compile_plain(JsonbValue *document)
{
	Schema	   *schema = palloc0(sizeof(Schema));

	schema->ids = list_make1(schema_id(document));
	schema->titles = list_make1(schema_title(linitial(schema->ids), document));
	read_attributes(&schema->attributes, document_member(document, "attributes"), NULL,
					"attributes", false);
	schema_link(schema);
	return schema;
}

/*
 * Second step: lay the rules of a profile (path → words) over the schema.  A
 * path that the schema lacks is an error, or passed over where a profile
 * serves tables with other schemas.
 */
void
schema_apply_rules(Schema *schema, JsonbValue *rules, bool strict)
{
	if (rules == NULL || rules->type == jbvNull)
		return;
	if (rules->type != jbvObject)
		BAD_SCHEMA_HINT("rules", "It maps attribute paths to objects of schema words.",
						"\"rules\" must be an object");
	document_foreach(pair, rules)
	{
		char	   *path = document_cstring(&pair->key);
		Attribute  *attribute = path_resolve(schema, path);
		Attribute	other = {0};

		if (pair->value.type != jbvObject)
			BAD_SCHEMA("rules", "rule for attribute \"%s\" must be an object",
					   shown_name(path, strlen(path)));
		if (attribute == NULL && strict)
			BAD_SCHEMA("rules", "rule for unknown attribute \"%s\"",
					   shown_name(path, strlen(path)));
		/* of a rule that is passed over, the words are judged all the same */
		other.path = shown_name(path, strlen(path));
		attribute_read_words(attribute ? attribute : &other, &pair->value,
							 psprintf("rules.%s", path), true);
	}
}

/*
 * Lay a table's own lookup lists (path → list, or NULL) over what schemas and
 * rules say.  A path that the schema lacks by now is passed over.
 */
void
schema_apply_lookups(Schema *schema, JsonbValue *lookups)
{
	if (lookups == NULL)
		return;
	document_foreach(pair, lookups)
	{
		Attribute  *attribute = path_resolve(schema, document_cstring(&pair->key));

		if (attribute != NULL)
			lookup_read(attribute, &pair->value, attribute->path);
	}
}

static void
mark_writable(AttributeSet *set, Writable writable)
{
	for (int i = 0; i < set->count; i++)
	{
		set->attributes[i].writable = writable;
		mark_writable(&set->attributes[i].subs, writable);
	}
}

/* An attribute some of whose sub-attributes are writable is so in part. */
static Writable
mark_partly(AttributeSet *set)
{
	Writable	any = WRITABLE_NOT;

	for (int i = 0; i < set->count; i++)
	{
		Attribute  *attribute = &set->attributes[i];

		if (attribute->writable == WRITABLE_NOT &&
			mark_partly(&attribute->subs) != WRITABLE_NOT)
			attribute->writable = WRITABLE_PARTLY;
		if (attribute->writable != WRITABLE_NOT)
			any = WRITABLE_PARTLY;
	}
	return any;
}

/*
 * The attributes that a profile may change: those of the given paths (char *)
 * with all below them, and no others.
 */
void
schema_apply_writable(Schema *schema, List *paths)
{
	ListCell   *lc;

	mark_writable(&schema->attributes, WRITABLE_NOT);
	foreach(lc, paths)
	{
		Attribute  *attribute = path_resolve(schema, lfirst(lc));

		if (attribute != NULL)
		{
			attribute->writable = WRITABLE;
			mark_writable(&attribute->subs, WRITABLE);
		}
	}
	(void) mark_partly(&schema->attributes);
}

static Attribute *
named_attribute(AttributeSet *set, JsonbValue *name, const Attribute *owner, const char *word)
{
	Attribute  *attribute = attribute_find(set, name->val.string.val, name->val.string.len);

	if (attribute == NULL)
		BAD_SCHEMA(owner->path, "\"%s\" of attribute \"%s\" names no attribute: \"%s\"",
				   word, owner->path, shown_name(name->val.string.val, name->val.string.len));
	return attribute;
}

/* Refuse words that say nothing for the attribute's type. */
static void
check_words(const Attribute *attribute, const Attribute *parent)
{
	bool		is_text = attribute->type == TYPE_STRING || attribute->type == TYPE_REFERENCE;
	bool		is_number = attribute->type == TYPE_INTEGER || attribute->type == TYPE_DECIMAL;
	const char *misplaced = NULL;

	if (attribute->format && !is_text)
		misplaced = "format";
	else if (attribute->pattern && !is_text)
		misplaced = "pattern";
	else if (attribute->min_length >= 0 && !is_text)
		misplaced = "minLength";
	else if (attribute->max_length >= 0 && !is_text)
		misplaced = "maxLength";
	else if (attribute->minimum && !is_number)
		misplaced = "minimum";
	else if (attribute->maximum && !is_number)
		misplaced = "maximum";
	else if (attribute->dependencies && attribute->type != TYPE_COMPLEX)
		misplaced = "dependentRequired";
	else if (attribute->enumeration && attribute->type == TYPE_COMPLEX)
		misplaced = "enum";
	else if (attribute->key && !(attribute->multi_valued && attribute->type == TYPE_COMPLEX))
		misplaced = "key";
	else if (attribute->primary_when_only &&
			 !(attribute->type == TYPE_BOOLEAN && parent != NULL && parent->multi_valued))
		misplaced = "primaryWhenOnly";
	else if (attribute->computed && attribute->mutability != MUTABILITY_READ_ONLY)
		misplaced = "computed";
	else if (attribute->transient &&
			 (attribute->type != TYPE_BOOLEAN || attribute->multi_valued ||
			  (attribute->mutability != MUTABILITY_WRITE_ONLY &&
			   attribute->mutability != MUTABILITY_READ_ONLY)))
		misplaced = "transient";
	if (misplaced != NULL)
		BAD_SCHEMA_HINT(attribute->path,
						"format, pattern, minLength and maxLength are for strings, minimum and maximum for numbers, key for multi-valued complex attributes, dependentRequired for complex ones, lookup for complex ones with value and displayValue, primaryWhenOnly for a boolean of a multi-valued one, computed for readOnly ones, transient for a writeOnly boolean.",
						"\"%s\" does not go with attribute \"%s\" of type %s",
						misplaced, attribute->path, attribute_type_name(attribute->type));
	if (attribute->min_length >= 0 && attribute->max_length >= 0 &&
		attribute->min_length > attribute->max_length)
		BAD_SCHEMA(attribute->path, "minLength of attribute \"%s\" is over its maxLength",
				   attribute->path);
	if (attribute->minimum != NULL && attribute->maximum != NULL &&
		DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(attribute->minimum),
										 NumericGetDatum(attribute->maximum))))
		BAD_SCHEMA(attribute->path, "minimum of attribute \"%s\" is over its maximum",
				   attribute->path);
}

static void
link_attribute(Attribute *attribute, AttributeSet *siblings, const Attribute *parent)
{
	check_stack_depth();
	for (int i = 0; i < attribute->subs.count; i++)
		link_attribute(&attribute->subs.attributes[i], &attribute->subs, attribute);

	if (attribute->key_name != NULL)
	{
		attribute->key = named_attribute(&attribute->subs, attribute->key_name,
										 attribute, "key");
		if (attribute->key->multi_valued || attribute->key->type == TYPE_COMPLEX ||
			attribute->key->type == TYPE_ANY)
			BAD_SCHEMA(attribute->path, "key of attribute \"%s\" must be a single simple sub-attribute",
					   attribute->path);
		if (attribute->key->mutability == MUTABILITY_READ_ONLY)
			BAD_SCHEMA(attribute->path, "key of attribute \"%s\" must not be readOnly",
					   attribute->path);
	}
	if (attribute->default_from_name != NULL)
	{
		attribute->default_from = named_attribute(siblings, attribute->default_from_name,
												  attribute, "defaultFrom");
		if (attribute->default_from == attribute)
			BAD_SCHEMA(attribute->path, "defaultFrom of attribute \"%s\" names the attribute itself",
					   attribute->path);
		if (attribute->default_from->type != attribute->type ||
			attribute->default_from->multi_valued != attribute->multi_valued)
			BAD_SCHEMA(attribute->path,
					   "defaultFrom of attribute \"%s\" names an attribute of another type",
					   attribute->path);
	}
	if (attribute->dependent_names != NULL)
	{
		attribute->dependencies = NIL;
		document_foreach(pair, attribute->dependent_names)
		{
			Dependency *dependency = palloc0(sizeof(Dependency));

			dependency->trigger = named_attribute(&attribute->subs, &pair->key,
												  attribute, "dependentRequired");
			for (int i = 0; i < pair->value.val.array.nElems; i++)
				dependency->needed =
					lappend(dependency->needed,
							named_attribute(&attribute->subs,
											&pair->value.val.array.elems[i],
											attribute, "dependentRequired"));
			attribute->dependencies = lappend(attribute->dependencies, dependency);
		}
	}
	/* RFC 7643 section 7: a writeOnly value is never returned */
	if (attribute->mutability == MUTABILITY_WRITE_ONLY)
		attribute->returned = RETURNED_NEVER;
	check_words(attribute, parent);
	if (attribute->lookup_list != NULL)
		lookup_link(attribute);
	if (attribute->enumeration != NULL)
	{
		for (int i = 0; i < attribute->enumeration->val.array.nElems; i++)
		{
			if (!value_has_type(attribute->type, &attribute->enumeration->val.array.elems[i]))
				BAD_SCHEMA(attribute->path, "enum of attribute \"%s\" has a value that is no %s",
						   attribute->path, attribute_type_name(attribute->type));
		}
	}
	/* a default that the attribute itself would refuse helps nobody */
	if (attribute->default_value != NULL)
	{
		Validation	validation = {0};

		validation.collect = true;
		validate_value(&validation, attribute, attribute->default_value);
		if (validation.problems != NIL)
			BAD_SCHEMA_HINT(attribute->path,
							psprintf("An update would be refused: %s.",
									 ((Problem *) linitial(validation.problems))->message),
							"default of attribute \"%s\" is not a value of it",
							attribute->path);
	}
}

/*
 * What is taken out of a request before a document is made of it is looked for
 * at the top of a schema only, and there once.
 */
static void
link_unstored(Schema *schema, Attribute *attribute, Attribute *extension)
{
	bool		is_password = format_is_password(attribute->format);
	Unstored   *unstored;

	if (!is_password && !attribute->transient)
		return;
	if (is_password && attribute->type != TYPE_STRING)
		BAD_SCHEMA(attribute->path, "attribute \"%s\" is a password, which is a string",
				   attribute->path);
	if (attribute->multi_valued || attribute->unique || (attribute->required && !is_password) ||
		attribute->default_value != NULL || attribute->default_from != NULL)
		BAD_SCHEMA_HINT(attribute->path,
						"It has a single value, which is sent: no default, no uniqueness.",
						"attribute \"%s\" is never stored, which its words contradict",
						attribute->path);
	if (is_password && schema->password != NULL)
		BAD_SCHEMA_HINT(attribute->path, "A user has one password.",
						"attributes \"%s\" and \"%s\" are both passwords",
						schema->password->path, attribute->path);
	if (is_password)
	{
		schema->password = attribute;
		schema->password_required = attribute->required;
		/* documents are judged without it */
		attribute->required = false;
		attribute->returned = RETURNED_NEVER;
	}
	unstored = palloc(sizeof(Unstored));
	unstored->attribute = attribute;
	unstored->extension = extension;
	schema->unstored = lappend(schema->unstored, unstored);
}

/* Nothing below this level can be one of those. */
static void
refuse_unstored(const AttributeSet *set)
{
	check_stack_depth();
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];

		if (attribute->transient || format_is_password(attribute->format))
			BAD_SCHEMA_HINT(attribute->path, "Make it an attribute of the schema itself.",
							"\"%s\" cannot be part of a value: it is never stored",
							attribute->path);
		refuse_unstored(&attribute->subs);
	}
}

/*
 * Third step: look up the names that words refer to and refuse what does not
 * fit together.
 */
void
schema_link(Schema *schema)
{
	for (int i = 0; i < schema->attributes.count; i++)
	{
		Attribute  *attribute = &schema->attributes.attributes[i];

		link_attribute(attribute, &schema->attributes, NULL);
		if (!attribute->is_extension)
		{
			link_unstored(schema, attribute, NULL);
			refuse_unstored(&attribute->subs);
			continue;
		}
		for (int k = 0; k < attribute->subs.count; k++)
		{
			link_unstored(schema, &attribute->subs.attributes[k], attribute);
			refuse_unstored(&attribute->subs.attributes[k].subs);
		}
	}
}

/*
 * Check one schema document by itself; gives its id.  Errors say where in the
 * document ("attributes[2].type").
 */
char *
schema_check(JsonbValue *document)
{
	Schema	   *schema = schema_compile(list_make1(document), false);

	schema_link(schema);
	attributes_tell_unknown_words(document_member(document, "attributes"), "attributes");
	return linitial(schema->ids);
}

static void
collect_unique(AttributeSet *set, List **found)
{
	for (int i = 0; i < set->count; i++)
	{
		Attribute  *attribute = &set->attributes[i];

		if (attribute->unique)
			*found = lappend(*found, attribute);
		if (attribute->type == TYPE_COMPLEX)
			collect_unique(&attribute->subs, found);
	}
}

/* All attributes whose values are unique, at any level. */
List *
schema_unique_attributes(const Schema *schema)
{
	List	   *found = NIL;

	collect_unique(unconstify(AttributeSet *, &schema->attributes), &found);
	return found;
}

static bool
find_way(const AttributeSet *set, const Attribute *wanted, List **way)
{
	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];

		if (attribute == wanted || find_way(&attribute->subs, wanted, way))
		{
			*way = lcons(unconstify(Attribute *, attribute), *way);
			return true;
		}
	}
	return false;
}

/*
 * The attributes (Attribute *) from the top of the schema down to one.
 */
List *
attribute_way(const Schema *schema, const Attribute *attribute)
{
	List	   *way = NIL;

	(void) find_way(&schema->attributes, attribute, &way);
	return way;
}

/*
 * The value at the end of such a way through single values, in a document or
 * in what was sent, with names in any case; NULL when there is none.
 */
JsonbValue *
attribute_value(List *way, JsonbValue *object)
{
	ListCell   *lc;

	foreach(lc, way)
	{
		Attribute  *step = lfirst(lc);
		JsonbValue *found = NULL;

		if (object == NULL || object->type != jbvObject)
			return NULL;
		document_foreach(pair, object)
		{
			if (pair->key.val.string.len == step->name_len &&
				attribute_same_name(step->name, pair->key.val.string.val, step->name_len))
				found = &pair->value;
		}
		object = found;
	}
	return object;
}
