/*
 * discovery_schemas.c
 *	  The schemas of the documents of discovery themselves (RFC 7643 section
 *	  8.7.2): there is one for every schema that a resource names.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"

#include "api/api.h"

#define SCHEMA(name, description, attributes) \
	"{\"id\": \"urn:ietf:params:scim:schemas:core:2.0:" name "\", \"name\": \"" name "\", " \
	"\"description\": \"" description "\", \"attributes\": [" attributes "]}"
#define ATTRIBUTE(name, type, words, description) \
	"{\"name\": \"" name "\", \"type\": \"" type "\", " words "\"description\": \"" description "\"}"
#define COMPLEX(name, words, description, attributes) \
	ATTRIBUTE(name, "complex", words "\"subAttributes\": [" attributes "], ", description)
#define OPTIONAL	""
#define REQUIRED	"\"required\": true, "
#define MANY		"\"multiValued\": true, "
#define EXACT		"\"caseExact\": true, "
#define ONE_OF(values) "\"canonicalValues\": [" values "], "
#define REFERENCE(type) "\"referenceTypes\": [\"" type "\"], "

#define SUPPORTED \
	ATTRIBUTE("supported", "boolean", REQUIRED, "Whether it can be used.")
#define FEATURE(name, description) \
	COMPLEX(name, REQUIRED, description, SUPPORTED)

static const char config_schema[] =
SCHEMA("ServiceProviderConfig", "What a service provider supports of SCIM.",
	   ATTRIBUTE("documentationUri", "reference", REFERENCE("external"), "Where people can read about the service.") ", "
	   FEATURE("patch", "PATCH.") ", "
	   COMPLEX("bulk", REQUIRED, "Bulk requests.",
			   SUPPORTED ", "
			   ATTRIBUTE("maxOperations", "integer", REQUIRED, "Operations that one request can have.") ", "
			   ATTRIBUTE("maxPayloadSize", "integer", REQUIRED, "Bytes that its body can have.")) ", "
	   COMPLEX("filter", REQUIRED, "Filters.",
			   SUPPORTED ", "
			   ATTRIBUTE("maxResults", "integer", REQUIRED, "Resources that one response can have.")) ", "
	   FEATURE("changePassword", "Setting the password of a user.") ", "
	   FEATURE("sort", "Sorted lists.") ", "
	   FEATURE("etag", "Versions of resources as entity tags.") ", "
	   COMPLEX("authenticationSchemes", MANY REQUIRED, "How clients say who they are.",
			   ATTRIBUTE("type", "string", REQUIRED ONE_OF("\"oauth\", \"oauth2\", \"oauthbearertoken\", \"httpbasic\", \"httpdigest\""),
						 "The scheme.") ", "
			   ATTRIBUTE("name", "string", REQUIRED, "What people call it.") ", "
			   ATTRIBUTE("description", "string", REQUIRED, "What it is.") ", "
			   ATTRIBUTE("specUri", "reference", REFERENCE("external"), "Its specification.") ", "
			   ATTRIBUTE("documentationUri", "reference", REFERENCE("external"), "How to use it here.") ", "
			   ATTRIBUTE("primary", "boolean", OPTIONAL, "Whether it is the preferred one.")));

static const char resource_type_schema[] =
SCHEMA("ResourceType", "A kind of resources that a service provider has.",
	   ATTRIBUTE("id", "string", OPTIONAL, "Id of the resource type.") ", "
	   ATTRIBUTE("name", "string", REQUIRED, "Its name, as meta.resourceType has it.") ", "
	   ATTRIBUTE("description", "string", OPTIONAL, "What it is.") ", "
	   ATTRIBUTE("endpoint", "reference", REQUIRED REFERENCE("uri"), "Where its resources are, below the base URL.") ", "
	   ATTRIBUTE("schema", "reference", REQUIRED REFERENCE("uri"), "URI of its core schema.") ", "
	   COMPLEX("schemaExtensions", MANY, "The extensions of that.",
			   ATTRIBUTE("schema", "reference", REQUIRED REFERENCE("uri"), "URI of the extension.") ", "
			   ATTRIBUTE("required", "boolean", REQUIRED, "Whether every resource has it.")));

#define ATTRIBUTE_WORDS \
	ATTRIBUTE("name", "string", REQUIRED EXACT, "Name of the attribute.") ", " \
	ATTRIBUTE("type", "string", REQUIRED \
			  ONE_OF("\"string\", \"boolean\", \"decimal\", \"integer\", \"dateTime\", \"binary\", \"reference\", \"complex\""), \
			  "Type of its values.") ", " \
	ATTRIBUTE("multiValued", "boolean", REQUIRED, "Whether it has a list of them.") ", " \
	ATTRIBUTE("description", "string", EXACT, "What it means.") ", " \
	ATTRIBUTE("required", "boolean", OPTIONAL, "Whether every resource has it.") ", " \
	ATTRIBUTE("canonicalValues", "string", MANY EXACT, "Values that are suggested.") ", " \
	ATTRIBUTE("caseExact", "boolean", OPTIONAL, "Whether case matters to a string.") ", " \
	ATTRIBUTE("mutability", "string", EXACT \
			  ONE_OF("\"readOnly\", \"readWrite\", \"immutable\", \"writeOnly\""), "Whether and when it can be set.") ", " \
	ATTRIBUTE("returned", "string", EXACT \
			  ONE_OF("\"always\", \"never\", \"default\", \"request\""), "When answers have it.") ", " \
	ATTRIBUTE("uniqueness", "string", EXACT ONE_OF("\"none\", \"server\", \"global\""), "Among which resources a value is unique.") ", " \
	ATTRIBUTE("referenceTypes", "string", MANY EXACT, "What a reference leads to.")

static const char schema_schema[] =
SCHEMA("Schema", "Which attributes resources have.",
	   ATTRIBUTE("id", "string", REQUIRED, "URI of the schema.") ", "
	   ATTRIBUTE("name", "string", REQUIRED, "What people call it.") ", "
	   ATTRIBUTE("description", "string", OPTIONAL, "What it is for.") ", "
	   COMPLEX("attributes", MANY REQUIRED, "The attributes.",
			   ATTRIBUTE_WORDS ", "
			   COMPLEX("subAttributes", MANY, "What a complex attribute is made of.", ATTRIBUTE_WORDS)));

/*
 * They are compiled when they are asked for, which is seldom.
 */
List *
discovery_schemas(void)
{
	static const char *const documents[] = {config_schema, resource_type_schema, schema_schema};
	List	   *schemas = NIL;

	for (int i = 0; i < lengthof(documents); i++)
	{
		Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(documents[i])));
		Schema	   *schema = schema_compile_plain(document_from_jsonb(jsonb));

		/* nobody writes them: all is readOnly */
		schema_apply_writable(schema, NIL);
		schemas = lappend(schemas, schema);
	}
	return schemas;
}
