/*
 * common.c
 *	  The attributes that every resource has, as filters and sorting see them.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "core/scim/common.h"

static const char common_document[] =
"{\"id\": \"urn:ietf:params:scim:schemas:core:2.0:Resource\", \"attributes\": ["
"{\"name\": \"id\", \"caseExact\": true, \"mutability\": \"readOnly\"},"
"{\"name\": \"schemas\", \"multiValued\": true, \"mutability\": \"readOnly\"},"
"{\"name\": \"meta\", \"type\": \"complex\", \"mutability\": \"readOnly\", \"subAttributes\": ["
"{\"name\": \"resourceType\", \"caseExact\": true}, {\"name\": \"created\", \"type\": \"dateTime\"},"
"{\"name\": \"lastModified\", \"type\": \"dateTime\"}, {\"name\": \"location\", \"type\": \"reference\"},"
"{\"name\": \"version\", \"caseExact\": true}]}]}";

/*
 * They are compiled once per session.
 */
const Schema *
common_schema(void)
{
	static Schema *schema = NULL;

	if (schema == NULL)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
													  "userstore common attributes",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
															   CStringGetDatum(common_document)));

		/* as an extension: there no name is the API's own */
		Schema	   *compiled = schema_compile_plain(document_from_jsonb(jsonb));

		MemoryContextSwitchTo(old);
		MemoryContextSetParent(context, TopMemoryContext);
		schema = compiled;
	}
	return schema;
}
