/*
 * discovery.c
 *	  What clients can find out about a service provider (RFC 7644 section 4),
 *	  out of a table's schemas and an API profile.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "api/api.h"
#include "core/errors.h"

#define CORE_URN "urn:ietf:params:scim:schemas:core:2.0:"

static const char *const endpoints[] = {
	[ACTION_SHOW_CONFIG] = "ServiceProviderConfig",
	[ACTION_SHOW_SCHEMAS] = "Schemas",
	[ACTION_SHOW_RESOURCE_TYPES] = "ResourceTypes",
	[ACTION_SHOW_GROUPS] = "Groups",
};

static JsonbValue *show_attribute_list(const Schema *schema, const AttributeSet *set);

/* The beginning and the end of every document. */
static JsonbValue *
begin_document(const char *resource_type)
{
	JsonbValue *document = document_new_object();
	JsonbValue *schemas = document_new_array();

	document_push(schemas, document_string(psprintf(CORE_URN "%s", resource_type)));
	document_add(document, "schemas", schemas);
	return document;
}

static void
end_document(JsonbValue *document, const Profile *profile, const char *resource_type,
			 Action kind, const char *id)
{
	JsonbValue *meta = document_new_object();

	document_add(meta, "resourceType", document_string(resource_type));
	if (profile->base_url != NULL)
		document_add(meta, "location", document_string(user_url(profile, endpoints[kind], id)));
	document_add(document, "meta", meta);
}

static void
add_optional(JsonbValue *object, const char *name, const char *text)
{
	if (text !=NULL)
		document_add(object, name, document_string(text));
}

/*
 * The service provider's configuration (RFC 7643 section 5)
 */

static JsonbValue *
show_feature(bool supported)
{
	JsonbValue *feature = document_new_object();

	document_add(feature, "supported", document_boolean(supported));
	return feature;
}

static bool
is_writable(const Attribute *attribute)
{
	return attribute->writable != WRITABLE_NOT && attribute->mutability != MUTABILITY_READ_ONLY;
}

static JsonbValue *
show_config(const Schema *schema, const Profile *profile)
{
	JsonbValue *config = begin_document("ServiceProviderConfig");
	JsonbValue *bulk = show_feature(true);
	JsonbValue *filter = show_feature(true);

	document_add(bulk, "maxOperations", document_integer(profile->max_operations));
	document_add(bulk, "maxPayloadSize", document_integer(profile->max_payload_size));
	document_add(filter, "maxResults", document_integer(LIST_MAX_COUNT));
	document_add(config, "patch", show_feature(true));
	document_add(config, "bulk", bulk);
	document_add(config, "filter", filter);
	document_add(config, "changePassword",
				 show_feature(schema->password != NULL && is_writable(schema->password)));
	document_add(config, "sort", show_feature(true));
	document_add(config, "etag", show_feature(true));
	document_add(config, "authenticationSchemes", document_copy(profile->authentication));
	end_document(config, profile, "ServiceProviderConfig", ACTION_SHOW_CONFIG, NULL);
	return config;
}

/*
 * Schemas (RFC 7643 section 7)
 */

/* RFC 7643 section 8.7.2: both lists are of strings. */
static JsonbValue *
strings_of(JsonbValue *array)
{
	JsonbValue *strings = document_new_array();

	for (int i = 0; array != NULL && i < array->val.array.nElems; i++)
	{
		if (array->val.array.elems[i].type == jbvString)
			document_push(strings, document_copy(&array->val.array.elems[i]));
	}
	return strings;
}

static void
add_strings(JsonbValue *object, const char *name, JsonbValue *array)
{
	JsonbValue *strings = strings_of(array);

	if (strings->val.array.nElems > 0)
		document_add(object, name, strings);
}

/*
 * References and binary values are exact, whatever their schema says (RFC 7643
 * sections 2.3.6 and 2.3.7); of other types than strings there is no case.
 */
static bool
is_case_exact(const Attribute *attribute)
{
	return attribute->type == TYPE_REFERENCE || attribute->type == TYPE_BINARY ||
		(attribute->type == TYPE_STRING && attribute->case_exact);
}

/*
 * RFC 7643 has no type for values of any shape: a complex attribute that does
 * not say what its sub-attributes are comes closest.  What is not writable by
 * the profile is readOnly to its clients.
 */
static JsonbValue *
show_attribute(const Schema *schema, const Attribute *attribute)
{
	JsonbValue *shown = document_new_object();
	bool		required = attribute == schema->password ? schema->password_required : attribute->required;
	Mutability	mutability = attribute->writable == WRITABLE_NOT ? MUTABILITY_READ_ONLY : attribute->mutability;
	const char *uniqueness = attribute->global ? "global" : "server";

	check_stack_depth();
	document_add(shown, "name", document_string(attribute->name));
	document_add(shown, "type",
				 document_string(attribute_type_name(attribute->type == TYPE_ANY ? TYPE_COMPLEX :
													 attribute->type)));
	document_add(shown, "multiValued", document_boolean(attribute->multi_valued));
	add_optional(shown, "description", attribute->description);
	document_add(shown, "required", document_boolean(required));
	add_strings(shown, "canonicalValues",
				attribute->canonical_values != NULL ? attribute->canonical_values : attribute->enumeration);
	document_add(shown, "caseExact", document_boolean(is_case_exact(attribute)));
	document_add(shown, "mutability", document_string(mutability_name(mutability)));
	document_add(shown, "returned", document_string(returned_name(attribute->returned)));
	document_add(shown, "uniqueness", document_string(attribute->unique ? uniqueness : "none"));
	if (attribute->type == TYPE_REFERENCE)
		add_strings(shown, "referenceTypes", attribute->reference_types);
	if (attribute->type == TYPE_COMPLEX)
		document_add(shown, "subAttributes", show_attribute_list(schema, &attribute->subs));
	return shown;
}

/*
 * Extensions are schemas of their own, and externalId belongs to every resource
 * (RFC 7643 section 3.1).
 */
static JsonbValue *
show_attribute_list(const Schema *schema, const AttributeSet *set)
{
	JsonbValue *list = document_new_array();

	for (int i = 0; i < set->count; i++)
	{
		const Attribute *attribute = &set->attributes[i];

		if (!attribute->is_extension && !attribute->is_common)
			document_push(list, show_attribute(schema, attribute));
	}
	return list;
}

/* One of the schemas: the core schema, or an extension. */
static JsonbValue *
show_schema(const Schema *schema, const Profile *profile, int index)
{
	JsonbValue *shown = begin_document("Schema");
	const char *id = list_nth(schema->ids, index);
	const SchemaTitle *title = list_nth(schema->titles, index);
	const AttributeSet *attributes = &schema->attributes;

	if (index > 0)
		attributes = &attribute_member(attributes, id)->subs;
	document_add(shown, "id", document_string(id));
	document_add(shown, "name", document_string(title->name));
	add_optional(shown, "description", title->description);
	document_add(shown, "attributes", show_attribute_list(schema, attributes));
	end_document(shown, profile, "Schema", ACTION_SHOW_SCHEMAS, id);
	return shown;
}

/* All schemas, or the one of a URI, which is the same in any case. */
static JsonbValue *
show_schema_list(const Schema *schema, const Profile *profile, const char *id)
{
	JsonbValue *shown = document_new_array();
	ListCell   *lc;

	foreach(lc, list_concat(list_make1(unconstify(Schema *, schema)), discovery_schemas()))
	{
		const Schema *each = lfirst(lc);

		for (int i = 0; i < list_length(each->ids); i++)
		{
			if (id == NULL || pg_strcasecmp(list_nth(each->ids, i), id) == 0)
				document_push(shown, show_schema(each, profile, i));
		}
	}
	return shown;
}

/*
 * Resource types (RFC 7643 section 6): users, as far as a schema says what
 * they are.
 */
static JsonbValue *
show_user_type(const Schema *schema, const Profile *profile)
{
	JsonbValue *type = begin_document("ResourceType");
	JsonbValue *extensions = document_new_array();

	document_add(type, "id", document_string("User"));
	document_add(type, "name", document_string("User"));
	document_add(type, "endpoint", document_string("/Users"));
	add_optional(type, "description", ((SchemaTitle *) linitial(schema->titles))->description);
	document_add(type, "schema", document_string(linitial(schema->ids)));
	for (int i = 0; i < schema->attributes.count; i++)
	{
		const Attribute *attribute = &schema->attributes.attributes[i];
		JsonbValue *extension;

		if (!attribute->is_extension)
			continue;
		extension = document_new_object();
		document_add(extension, "schema", document_string(attribute->name));
		document_add(extension, "required", document_boolean(attribute->required));
		document_push(extensions, extension);
	}
	document_add(type, "schemaExtensions", extensions);
	end_document(type, profile, "ResourceType", ACTION_SHOW_RESOURCE_TYPES, "User");
	return type;
}

static JsonbValue *
show_resource_types(const Schema *schema, const Profile *profile, const char *id)
{
	JsonbValue *shown = document_new_array();

	if (schema->ids != NIL && (id == NULL || strcmp(id, "User") == 0))
		document_push(shown, show_user_type(schema, profile));
	return shown;
}

/*
 * A document of discovery: one by its name, or all of a kind as a list.
 */
JsonbValue *
discovery_show(const Schema *schema, const Profile *profile, Action kind, const char *name)
{
	ListPage	page = {.start = 1};

	if (kind == ACTION_SHOW_CONFIG)
		return show_config(schema, profile);
	if (kind == ACTION_SHOW_SCHEMAS)
		page.items = show_schema_list(schema, profile, name);
	else if (kind == ACTION_SHOW_RESOURCE_TYPES)
		page.items = show_resource_types(schema, profile, name);
	else
		page.items = document_new_array();
	page.total = page.limit = page.items->val.array.nElems;
	if (name == NULL)
		return scim_shape.show_list(profile, NULL, &page);
	if (page.total == 0)
		ereport(ERROR,
				(errcode(ERRCODE_USER_NOT_FOUND),
				 errmsg("there is no \"%s\" in %s", shown_name(name, strlen(name)), endpoints[kind]),
				 errdetail_path("id", NULL),
				 errhint("GET /%s shows what there is.", endpoints[kind])));
	return &page.items->val.array.elems[0];
}
