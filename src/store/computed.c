/*
 * computed.c
 *	  Attributes whose values a function of the table's owner gives, whenever a
 *	  user is shown: they are in no document.
 *
 * A schema may say that an attribute is computed; but a schema's author is not
 * the table's owner, so no table calls a function that its owner has not bound.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "core/validate.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(attribute_computed_define);

typedef struct ComputedAttribute
{
	const Attribute *attribute;
	List	   *way;			/* of Attribute *: from the document to it */
	BoundFunction *function;
} ComputedAttribute;

/*
 * Binding
 */

static void
refuse_attribute(const char *path, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("attribute \"%s\" cannot be computed", shown_name(path, strlen(path))),
			 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
			 errhint("%s", hint)));
}

/* Is there one place in a document for its value? */
static bool
has_place(const Schema *schema, const Attribute *attribute)
{
	ListCell   *lc;

	foreach(lc, attribute_way(schema, attribute))
	{
		if (lfirst(lc) != attribute && ((Attribute *) lfirst(lc))->multi_valued)
			return false;
	}
	return !attribute->is_extension;
}

/* Can the value of an attribute be a function's? */
static void
judge_attribute(const Schema *schema, const Attribute *attribute)
{
	if (attribute->is_extension)
		refuse_attribute(attribute->path, "An extension is no value: name an attribute of it.");
	if (attribute->mutability != MUTABILITY_READ_ONLY)
		refuse_attribute(attribute->path, "Requests may set it: it has to be readOnly.");
	if (attribute->unique)
		refuse_attribute(attribute->path, "It is unique, which only what is stored can be.");
	if (attribute->returned == RETURNED_NEVER)
		refuse_attribute(attribute->path, "It is never returned.");
	if (!has_place(schema, attribute))
		refuse_attribute(attribute->path, "It is part of a list: have the whole list computed.");
}

/* As a table's schemas have it, whatever rules its profile lays over them. */
static Attribute *
find_attribute(const Registration *registration, const char *path, const Schema **schema)
{
	Profile		without_rules = *catalog_profile(registration->api);

	without_rules.rules = NULL;
	*schema = catalog_schema(registration->schemas, &without_rules, &without_rules, NULL);
	return path_resolve(*schema, path);
}

/*
 * attribute_computed_define(users regclass, path text, function regprocedure)
 */
Datum
attribute_computed_define(PG_FUNCTION_ARGS)
{
	Registration registration;
	Oid			types[3] = {REGCLASSOID, TEXTOID, TEXTOID};
	Datum		values[3];
	const Schema *schema;
	Attribute  *attribute;
	char	   *path;
	uint64		count;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "path");
	path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	require_own_table(PG_GETARG_OID(0), &registration);
	attribute = find_attribute(&registration, path, &schema);
	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(attribute != NULL ? attribute->path : path);
	if (PG_ARGISNULL(2))
	{
		/* also that of an attribute that its schema has lost */
		count = catalog_execute("DELETE FROM userstore.attribute_computed WHERE users OPERATOR(pg_catalog.=) $1"
								" AND path OPERATOR(pg_catalog.=) $2", 2, types, values, NULL);
		if (attribute != NULL || count > 0)
			PG_RETURN_VOID();
	}
	if (attribute == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attribute \"%s\" is not known", shown_name(path, strlen(path))),
				 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
				 registration.schemas == NIL ?
				 errhint("The table has no attribute schema; functions are for attributes of one.") :
				 errhint("Write the path with dots, as \"name.formatted\".")));
	judge_attribute(schema, attribute);
	values[2] = CStringGetTextDatum(function_name_of(&computed_kind, PG_GETARG_OID(2),
													 registration.users));
	(void) catalog_execute("INSERT INTO userstore.attribute_computed AS c (users, path, function) VALUES ($1, $2, $3)"
						   " ON CONFLICT (users, path) DO UPDATE SET function = excluded.function",
						   3, types, values, NULL);
	PG_RETURN_VOID();
}

/*
 * Let an attribute be known as computed, with all below it: nobody may set it,
 * whatever a profile's rule says, nor filter by what is not stored.
 */
static void
mark_computed(Attribute *attribute)
{
	attribute->is_computed = true;
	for (int i = 0; i < attribute->subs.count; i++)
		mark_computed(&attribute->subs.attributes[i]);
}

/*
 * The computed attributes (ComputedAttribute *) of a schema of a table, by the
 * functions that are bound (path → name); marks them there.  What the schema
 * has lost is passed over.
 */
List *
computed_bind(const Schema *schema, JsonbValue *functions)
{
	List	   *bound = NIL;

	document_foreach(pair, functions)
	{
		Attribute  *attribute = path_resolve(schema, document_cstring(&pair->key));
		ComputedAttribute *computed;

		if (attribute == NULL || !has_place(schema, attribute))
			continue;
		attribute->mutability = MUTABILITY_READ_ONLY;
		mark_computed(attribute);
		computed = palloc(sizeof(ComputedAttribute));
		computed->attribute = attribute;
		computed->way = attribute_way(schema, attribute);
		computed->function = function_bind(&computed_kind, document_cstring(&pair->value));
		bound = lappend(bound, computed);
	}
	return bound;
}

/*
 * Showing
 */

/* Some value of an attribute, with all that it may have. */
static JsonbValue *
sample_value(const Attribute *attribute)
{
	static JsonbValue none = {.type = jbvNull};
	JsonbValue *sample = &none;
	JsonbValue *array;

	if (attribute->type == TYPE_COMPLEX)
	{
		sample = document_new_object();
		for (int i = 0; i < attribute->subs.count; i++)
			document_append(sample, attribute->subs.attributes[i].name,
							attribute->subs.attributes[i].name_len, &none);
	}
	if (!attribute->multi_valued)
		return sample;
	array = document_new_array();
	document_push(array, sample);
	return array;
}

/*
 * Put a value at the end of a way, from a step on, in an object that is the
 * caller's own; NULL takes away what is there.
 */
static void
put_value(JsonbValue *object, List *way, int step, JsonbValue *value)
{
	const Attribute *attribute = list_nth(way, step);

	if (step < list_length(way) - 1)
	{
		JsonbValue *below = document_find(object, attribute->name, attribute->name_len);

		below = below != NULL && below->type == jbvObject ? document_copy_top(below) :
			document_new_object();
		put_value(below, way, step + 1, value);
		value = below->val.object.nPairs > 0 ? below : NULL;
	}
	if (value != NULL)
		document_set(object, attribute->name, attribute->name_len, value);
	else
		document_remove(object, attribute->name, attribute->name_len);
}

/* Is it among what a selection shows? */
static bool
is_shown(const Schema *schema, const Selection *selection, const ComputedAttribute *computed)
{
	JsonbValue *sample = document_new_object();

	put_value(sample, computed->way, 0, sample_value(computed->attribute));
	return select_attributes(schema, selection, sample)->val.object.nPairs > 0;
}

/* What a function returned, as a value; NULL when it is none. */
static JsonbValue *
read_result(Oid type, Datum result)
{
	JsonbValue *value;
	Jsonb	   *jsonb;

	switch (type)
	{
		case TEXTOID:
			return document_string(TextDatumGetCString(result));
		case BOOLOID:
			return document_boolean(DatumGetBool(result));
		case INT4OID:
			return document_integer(DatumGetInt32(result));
		case INT8OID:
			return document_integer(DatumGetInt64(result));
		case NUMERICOID:
			value = palloc(sizeof(JsonbValue));
			value->type = jbvNumeric;
			value->val.numeric = DatumGetNumeric(result);
			return value;
	}
	jsonb = DatumGetJsonbP(result);
	value = JB_ROOT_IS_SCALAR(jsonb) ? getIthJsonbValueFromContainer(&jsonb->root, 0) :
		document_from_jsonb(jsonb);
	if (value->type == jbvNull || (value->type == jbvArray && value->val.array.nElems == 0))
		return NULL;
	return value;
}

static void
refuse_value(const ComputedAttribute *computed, const Problem *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION),
			 errmsg("function %s gave a value of attribute \"%s\" that is refused: %s",
					computed->function->name, computed->attribute->path, problem->message),
			 errdetail_path(problem->path, problem->scim_type),
			 problem->hint != NULL ? errhint("%s", problem->hint) : 0));
}

static JsonbValue *
compute(Binding *binding, const ComputedAttribute *computed, const char *id)
{
	Validation	validation = {.collect = true};
	NullableDatum arg;
	JsonbValue *value;
	Datum		result;
	bool		isnull;

	arg.value = CStringGetTextDatum(id);
	arg.isnull = false;
	result = function_call(binding, computed->function, &arg, &isnull);
	value = isnull ? NULL : read_result(computed->function->result, result);
	if (value == NULL)
		return NULL;
	validate_value(&validation, computed->attribute, value);
	if (validation.problems != NIL)
		refuse_value(computed, linitial(validation.problems));
	return value;
}

/*
 * The document of a user with the computed attributes that an answer shows.
 * selection may be NULL.  With mode READ_FRESH the functions see what the call
 * has written.
 */
JsonbValue *
computed_document(Binding *binding, const BoundApi *api, const Selection *selection,
				  ReadMode mode, const char *id, JsonbValue *document)
{
	ListCell   *lc;

	if (api->computed == NIL)
		return document;
	if (mode == READ_FRESH)
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
	}
	document = document_copy_top(document);
	foreach(lc, api->computed)
	{
		const ComputedAttribute *computed = lfirst(lc);

		if (is_shown(api->schema, selection, computed))
			put_value(document, computed->way, 0, compute(binding, computed, id));
	}
	if (mode == READ_FRESH)
		PopActiveSnapshot();
	return document;
}
