/*
 * headers.c
 *	  What the headers of an HTTP request say of an update: its idempotency key,
 *	  the version that the user has to have, and what the request is called.
 *
 * PostgREST hands a request's headers to SQL as the setting request.headers, a
 * JSON object.  There the update functions take from them what is not given as
 * an argument.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "core/errors.h"
#include "functions/functions.h"

/*
 * Take the key from the headers, which may be NULL, unless the call has one.
 */
void
take_key(JsonbValue *headers, UserCall *call)
{
	char	   *key = http_header(headers, "Idempotency-Key");

	if (call->idempotency_key == NULL && key != NULL)
		call->idempotency_key = http_read_string(key);
}

/*
 * The same with the versions that are expected.
 */
void
take_expectation(JsonbValue *headers, UserCall *call)
{
	char	   *match = http_header(headers, "If-Match");
	char	   *none_match = http_header(headers, "If-None-Match");

	if (call->expected.given)
		return;
	if (match != NULL)
		call->expected = http_read_entity_tags(match);
	if (none_match != NULL)
	{
		Expectation refused = http_read_entity_tags(none_match);

		call->expected.none = refused.any;
		call->expected.refused = refused.versions;
		call->expected.refused_count = refused.count;
	}
}

/*
 * Select the tenant that the header Zuora-Entity-Ids names, in a table that has
 * tenants, until AtEOXact_GUC() is called with what is returned: a pool's next
 * transaction does not inherit it.  Gives 0 when there is nothing to select.  A
 * setting is the application's word, which a client's header does not change.
 */
int
take_tenant(JsonbValue *headers, const Binding *table)
{
	char	   *tenant = http_header(headers, "Zuora-Entity-Ids");

	if (tenant == NULL || tenant[0] == '\0' || table->layout.tenant == NULL)
		return 0;
	if (strchr(tenant, ',') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("header \"%s\" has more than one id", "Zuora-Entity-Ids"),
				 errdetail_path(NULL, SCIM_INVALID_VALUE),
				 errhint("A request is about the users of one entity.")));
	if (userstore_tenant != NULL && userstore_tenant[0] != '\0')
	{
		if (strcmp(userstore_tenant, tenant) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_USER_FORBIDDEN),
					 errmsg("header \"%s\" does not name the tenant that is selected", "Zuora-Entity-Ids"),
					 errdetail_path(NULL, NULL),
					 errhint("Leave it out: the application selects the tenant by userstore.tenant.")));
		return 0;
	}
	return tenant_select(tenant);
}

/*
 * What the headers, which may be NULL, call the request; NULL when they do not.
 */
char *
header_request_id(JsonbValue *headers)
{
	static const char *const names[] = {"Zuora-Track-Id", "X-Request-Id"};

	for (int i = 0; i < lengthof(names); i++)
	{
		char	   *value = http_header(headers, names[i]);

		if (value != NULL && value[0] != '\0')
			return claim_text(value);
	}
	return NULL;
}

/*
 * Take that from the headers, unless the call says it.
 */
void
take_request_id(JsonbValue *headers, UserCall *call)
{
	if (call->request_id == NULL)
		call->request_id = header_request_id(headers);
}

/*
 * The headers of the request that PostgREST serves, or NULL.
 */
JsonbValue *
current_headers(void)
{
	const char *setting = GetConfigOption("request.headers", true, false);
	JsonbValue *headers;

	/* a setting that was local to a transaction is empty after it */
	if (setting == NULL || setting[0] == '\0')
		return NULL;
	headers = document_from_jsonb(DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
																	 CStringGetDatum(setting))));
	if (headers->type != jbvObject)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("setting \"%s\" must be a JSON object", "request.headers"),
				 errhint("It has the names and values of the headers of an HTTP request, as PostgREST sets it.")));
	return headers;
}
