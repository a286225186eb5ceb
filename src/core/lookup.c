/*
 * lookup.c
 *	  Lookup attributes: the value decides, and the list of the attribute fills
 *	  in what is displayed; a displayValue alone stands for its value.
 *
 * Lists have hundreds of entries (time zones, currencies) and every update
 * looks into several, so each is indexed once, when the schema is compiled.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "core/lookup.h"
#include "core/words.h"

/* So many values of a list are named in a hint, the others counted. */
#define MAX_HINT_VALUES	10

#define VALUE	"value"
#define DISPLAY	"displayValue"

/*
 * Take a list for an attribute.  What its entries are worth is judged when the
 * attribute's parts are known: see lookup_link.
 */
void
lookup_read(Attribute *attribute, JsonbValue *list, const char *where)
{
	if (list->type != jbvArray)
		BAD_SCHEMA_HINT(where,
						"It is an array of objects with \"" VALUE "\" and \"" DISPLAY "\".",
						"lookup list of attribute \"%s\" must be an array", attribute->path);
	for (int i = 0; i < list->val.array.nElems; i++)
	{
		JsonbValue *entry = &list->val.array.elems[i];

		if (entry->type != jbvObject || document_member(entry, VALUE) == NULL ||
			document_member(entry, DISPLAY) == NULL)
			BAD_SCHEMA_HINT(where,
							"Each element is an object with \"" VALUE "\" and \"" DISPLAY "\".",
							"element %d of the lookup list of attribute \"%s\" is no lookup",
							i, attribute->path);
	}
	attribute->lookup_list = document_copy(list);
}

/* Equal values have equal hashes: see attribute_same_value. */
static uint32
hash_value(const Attribute *attribute, JsonbValue *value)
{
	uint32		hash = 2166136261u;

	switch (value->type)
	{
		case jbvString:
			for (int i = 0; i < value->val.string.len; i++)
			{
				unsigned char c = value->val.string.val[i];

				hash = (hash ^ (attribute->case_exact ? c : pg_tolower(c))) * 16777619u;
			}
			return hash;
		case jbvNumeric:
			return DatumGetUInt32(DirectFunctionCall1(hash_numeric,
													  NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return value->val.boolean;
		default:
			return 0;			/* equals no entry */
	}
}

/*
 * Where in an index a value is, or would be.
 */
static int *
find_slot(const Lookup *lookup, int *index, const Attribute *attribute, const char *member,
		  JsonbValue *value)
{
	uint32		slot = hash_value(attribute, value) & lookup->mask;

	while (index[slot] >= 0 &&
		   !attribute_same_value(attribute, value,
								 document_member(&lookup->list->val.array.elems[index[slot]],
												 member)))
		slot = (slot + 1) & lookup->mask;
	return &index[slot];
}

/* A value as messages show it. */
static char *
shown_value(JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return psprintf("\"%s\"", shown_name(value->val.string.val, value->val.string.len));
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		default:
			return value->val.boolean ? "true" : "false";
	}
}

static int *
index_entries(Lookup *lookup, const Attribute *owner, const Attribute *attribute,
			  const char *member)
{
	int		   *index = palloc(sizeof(int) * (lookup->mask + 1));

	memset(index, 0xff, sizeof(int) * (lookup->mask + 1));
	for (int i = 0; i < lookup->list->val.array.nElems; i++)
	{
		JsonbValue *value = document_member(&lookup->list->val.array.elems[i], member);
		Validation	validation = {.collect = true};
		int		   *slot;

		CHECK_FOR_INTERRUPTS();
		/* an entry that the attribute itself would refuse helps nobody */
		validate_value(&validation, attribute, value);
		if (validation.problems != NIL)
			BAD_SCHEMA_HINT(owner->path,
							psprintf("An update would be refused: %s.",
									 ((Problem *) linitial(validation.problems))->message),
							"element %d of the lookup list of attribute \"%s\" is not a value of it",
							i, owner->path);
		slot = find_slot(lookup, index, attribute, member, value);
		if (*slot >= 0)
			BAD_SCHEMA_HINT(owner->path, "Each stands for the other, so each is there once.",
							"lookup list of attribute \"%s\" has the %s %s twice",
							owner->path, member, shown_value(value));
		*slot = i;
	}
	return index;
}

/* The parts of a lookup are single values that a list can hold. */
static Attribute *
part_of(const Attribute *attribute, const char *name)
{
	Attribute  *part = attribute_member(&attribute->subs, name);

	return part == NULL || part->multi_valued || part->type == TYPE_COMPLEX ||
		part->type == TYPE_ANY ? NULL : part;
}

/*
 * Judge and index the list of an attribute, all of whose parts are known by
 * now.
 */
void
lookup_link(Attribute *attribute)
{
	Lookup	   *lookup = palloc0(sizeof(Lookup));
	Attribute  *value = part_of(attribute, VALUE);
	Attribute  *display = part_of(attribute, DISPLAY);
	uint32		slots = 8;

	if (value == NULL || display == NULL || display->type != TYPE_STRING)
		BAD_SCHEMA_HINT(attribute->path,
						"A lookup is a complex attribute with a \"" VALUE "\" and a string \"" DISPLAY "\", each single and simple.",
						"attribute \"%s\" is no lookup", attribute->path);
	/* who may choose the value may have displayed what goes with it */
	if (value->writable == WRITABLE)
		display->writable = WRITABLE;
	lookup->value = value;
	lookup->display = display;
	lookup->list = attribute->lookup_list;
	while (slots < (uint32) lookup->list->val.array.nElems * 2)
		slots *= 2;
	lookup->mask = slots - 1;
	lookup->by_value = index_entries(lookup, attribute, lookup->value, VALUE);
	lookup->by_display = index_entries(lookup, attribute, lookup->display, DISPLAY);
	attribute->lookup = lookup;
}

bool
lookup_has_list(const Attribute *attribute)
{
	return attribute->lookup != NULL && attribute->lookup->list->val.array.nElems > 0;
}

/* The entry of a value or, where there is none, of a displayValue; or NULL. */
static JsonbValue *
find_entry(const Lookup *lookup, JsonbValue *value, JsonbValue *display)
{
	int			at = -1;

	if (value != NULL)
		at = *find_slot(lookup, lookup->by_value, lookup->value, VALUE, value);
	else if (display != NULL)
		at = *find_slot(lookup, lookup->by_display, lookup->display, DISPLAY, display);
	return at < 0 ? NULL : &lookup->list->val.array.elems[at];
}

static JsonbValue *
part_value(const Attribute *part, JsonbValue *object)
{
	return document_find(object, part->name, part->name_len);
}

/* What was sent for a part, under its name in any case; NULL: nothing. */
static JsonbValue *
part_sent(const Attribute *attribute, const Attribute *part, JsonbValue *sent)
{
	document_foreach(pair, sent)
	{
		if (attribute_find(&attribute->subs, pair->key.val.string.val,
						   pair->key.val.string.len) == part)
			return &pair->value;
	}
	return NULL;
}

/*
 * What of a lookup that was sent counts: beside a value, a displayValue says
 * nothing where the list does.
 */
JsonbValue *
lookup_sent(const Attribute *attribute, JsonbValue *sent)
{
	JsonbValue *value = part_sent(attribute, attribute->lookup->value, sent);
	JsonbValue *counts = document_new_object();
	int			displayed = 0;

	if (value == NULL || value->type == jbvNull || !lookup_has_list(attribute))
		return sent;
	document_foreach(pair, sent)
	{
		if (attribute_find(&attribute->subs, pair->key.val.string.val,
						   pair->key.val.string.len) != attribute->lookup->display)
			document_append(counts, pair->key.val.string.val, pair->key.val.string.len,
							&pair->value);
		else if (displayed++ > 0)
			return sent;		/* twice, which the update refuses */
	}
	return counts;
}

/*
 * What of a stored lookup a partial update is merged into: what is displayed
 * goes with the value, so a new one of either leaves the other behind.  Where
 * no list says what a displayValue stands for, the value stays.
 */
JsonbValue *
lookup_base(const Attribute *attribute, JsonbValue *before, JsonbValue *sent)
{
	const Lookup *lookup = attribute->lookup;
	JsonbValue *value = part_sent(attribute, lookup->value, sent);
	JsonbValue *display = part_sent(attribute, lookup->display, sent);
	JsonbValue *base = document_copy_top(before);

	if (value != NULL && !document_equal(value, part_value(lookup->value, before)))
		document_remove(base, lookup->display->name, lookup->display->name_len);
	else if (value == NULL && display != NULL && display->type != jbvNull &&
			 lookup_has_list(attribute))
		document_remove(base, lookup->value->name, lookup->value->name_len);
	return base;
}

/*
 * Fill in what the list knows of a new lookup.
 */
void
lookup_complete(const Attribute *attribute, JsonbValue *object)
{
	const Lookup *lookup = attribute->lookup;
	JsonbValue *value;
	JsonbValue *display;
	JsonbValue *entry;

	if (!lookup_has_list(attribute) || object->type != jbvObject)
		return;
	value = part_value(lookup->value, object);
	display = part_value(lookup->display, object);
	entry = find_entry(lookup, value, display);
	if (entry != NULL)
	{
		document_set(object, lookup->value->name, lookup->value->name_len,
					 document_member(entry, VALUE));
		document_set(object, lookup->display->name, lookup->display->name_len,
					 document_member(entry, DISPLAY));
	}
}

/* Did the list fill in a displayValue that a request clears? */
bool
lookup_fills_cleared(const Attribute *attribute, JsonbValue *after, JsonbValue *sent)
{
	JsonbValue *display;

	if (!lookup_has_list(attribute))
		return false;
	display = part_sent(attribute, attribute->lookup->display, sent);
	return display != NULL && display->type == jbvNull &&
		part_value(attribute->lookup->display, after) != NULL;
}

static char *
list_hint(const Lookup *lookup)
{
	StringInfoData hint;
	int			count = lookup->list->val.array.nElems;

	initStringInfo(&hint);
	appendStringInfoString(&hint, "Values of its lookup list:");
	for (int i = 0; i < Min(count, MAX_HINT_VALUES); i++)
	{
		JsonbValue *entry = &lookup->list->val.array.elems[i];

		appendStringInfo(&hint, "%s %s (%s)", i > 0 ? "," : "",
						 shown_value(document_member(entry, VALUE)),
						 shown_value(document_member(entry, DISPLAY)));
	}
	if (count > MAX_HINT_VALUES)
		appendStringInfo(&hint, " and %d more", count - MAX_HINT_VALUES);
	appendStringInfoChar(&hint, '.');
	return hint.data;
}

/*
 * Judge a lookup: its value, or the displayValue that stands alone, has to be
 * one that its list has.  What displayValue goes with a value is not judged,
 * since updates fill it in and lists may change.
 */
void
lookup_validate(Validation *validation, const Attribute *attribute, JsonbValue *object)
{
	const Lookup *lookup = attribute->lookup;
	JsonbValue *value;
	JsonbValue *display;

	if (!lookup_has_list(attribute))
		return;
	value = part_value(lookup->value, object);
	display = part_value(lookup->display, object);
	if ((value != NULL || display != NULL) && find_entry(lookup, value, display) == NULL)
		validation_problem(validation, attribute->path, SCIM_INVALID_VALUE, list_hint(lookup),
						   "attribute \"%s\" has a %s that its lookup list lacks",
						   attribute->path, value != NULL ? VALUE : DISPLAY);
}
