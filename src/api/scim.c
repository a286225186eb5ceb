/*
 * scim.c
 *	  SCIM resources (RFC 7643 section 3).
 */
#include "postgres.h"

#include "utils/numeric.h"

#include "api/api.h"
#include "core/errors.h"

static bool
is_named(const JsonbValue *name, const char *wanted)
{
	return name->val.string.len == strlen(wanted) &&
		pg_strncasecmp(name->val.string.val, wanted, name->val.string.len) == 0;
}

static bool
has_schema(const Schema *schema, JsonbValue *uri)
{
	ListCell   *lc;

	foreach(lc, schema->ids)
	{
		if (is_named(uri, lfirst(lc)))
			return true;
	}
	return false;
}

/*
 * "schemas" says which schemas the body uses (RFC 7643 section 3).  What the
 * attributes are, their names tell; a schema that the table lacks is refused
 * as an attribute that it lacks is.
 */
static void
check_schemas(const Schema *schema, const Profile *profile, JsonbValue *schemas)
{
	if (schemas->type == jbvNull)
		return;
	refuse_message(schemas);
	for (int i = 0; schemas->type == jbvArray && i < schemas->val.array.nElems; i++)
	{
		JsonbValue *uri = &schemas->val.array.elems[i];

		if (uri->type != jbvString)
			break;
		if (profile->unknown == UNKNOWN_REJECT && !has_schema(schema, uri))
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("attribute \"schemas\" names unknown schema \"%s\"",
							shown_name(uri->val.string.val, uri->val.string.len)),
					 errdetail_path("schemas", SCIM_INVALID_VALUE),
					 errhint("Send the URIs of the table's schemas.")));
		if (i == schemas->val.array.nElems - 1)
			return;
	}
	if (schemas->type != jbvArray || schemas->val.array.nElems > 0)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attribute \"schemas\" must be an array of strings"),
				 errdetail_path("schemas", SCIM_INVALID_SYNTAX),
				 errhint("Send the URIs of the table's schemas.")));
}

/*
 * id and meta are the service provider's (RFC 7643 section 3.1): ignored, as
 * readOnly attributes are, unless an item of a bulk request needs its id.
 */
static JsonbValue *
scim_read_user(const Schema *schema, const Profile *profile, JsonbValue *body,
			   char **body_id)
{
	JsonbValue *attributes = document_new_object();

	require_object(body);
	document_foreach(pair, body)
	{
		if (is_named(&pair->key, "schemas"))
			check_schemas(schema, profile, &pair->value);
		else if (is_named(&pair->key, "id"))
		{
			/* of a user addressed otherwise it says nothing, whatever it is */
			if (pair->value.type == jbvString || pair->value.type == jbvNumeric)
				*body_id = read_body_id(&pair->value);
		}
		else if (!is_named(&pair->key, "meta"))
			document_append(attributes, pair->key.val.string.val,
							pair->key.val.string.len, &pair->value);
	}
	return attributes;
}

/* The core schema, and each extension that has values. */
JsonbValue *
show_schemas(const Schema *schema, JsonbValue *document)
{
	JsonbValue *schemas = document_new_array();
	ListCell   *lc;

	foreach(lc, schema->ids)
	{
		char	   *id = lfirst(lc);

		if (foreach_current_index(lc) == 0 || document_member(document, id) != NULL)
			document_push(schemas, document_string(id));
	}
	return schemas;
}

static JsonbValue *
show_meta(const Profile *profile, const UserState *user)
{
	JsonbValue *meta = document_new_object();

	document_add(meta, "resourceType", document_string("User"));
	document_add(meta, "created", document_string(show_timestamp(user->created)));
	document_add(meta, "lastModified", document_string(show_timestamp(user->modified)));
	document_add(meta, "version", document_string(http_entity_tag(user->version)));
	if (profile->base_url != NULL)
		document_add(meta, "location", document_string(user_url(profile, "Users", user->id)));
	return meta;
}

static JsonbValue *
scim_show_user(const Schema *schema, const Profile *profile, const UserState *user,
			   const Selection *selection)
{
	JsonbValue *resource = show_attributes(schema, profile, selection, user->document);
	JsonbValue *meta;

	document_add(resource, "schemas", show_schemas(schema, user->document));
	document_add(resource, "id", document_string(user->id));
	meta = select_common(selection, "meta", show_meta(profile, user));
	if (meta != NULL)
		document_add(resource, "meta", meta);
	return resource;
}

static const char error_urn[] = "urn:ietf:params:scim:api:messages:2.0:Error";

static JsonbValue *
message_schemas(const char *urn)
{
	JsonbValue *schemas = document_new_array();

	document_push(schemas, document_string(urn));
	return schemas;
}

/* The resource or, in its place, an error (RFC 7644 section 3.12). */
static JsonbValue *
scim_show_item(const Schema *schema, const Profile *profile, const ItemResult *item)
{
	const Failure *failure = item->failure;
	JsonbValue *error;

	if (failure == NULL)
		return show_update(&scim_shape, schema, profile, item->user);
	error = document_new_object();
	document_add(error, "schemas", message_schemas(error_urn));
	if (item->id != NULL)
		document_add(error, "id", document_string(item->id));
	document_add(error, "status", document_string(psprintf("%d", failure->status)));
	if (failure->scim_type != NULL)
		document_add(error, "scimType", document_string(failure->scim_type));
	document_add(error, "detail", document_string(failure->message));
	return error;
}

static bool
scim_item_succeeded(JsonbValue *item)
{
	JsonbValue *schemas = document_member(item, "schemas");

	return schemas == NULL || schemas->type != jbvArray || schemas->val.array.nElems == 0 ||
		!document_is_string(&schemas->val.array.elems[0], error_urn);
}

/* RFC 7644 section 3.9. */
static void
scim_read_shown(const Profile *profile, List *query, Shown *shown)
{
	const char *attributes = list_parameter(query, "attributes");
	const char *excluded = list_parameter(query, "excludedAttributes");

	if (attributes != NULL && excluded != NULL)
		refuse_together("attributes", "excludedAttributes");
	shown->selects = attributes != NULL;
	if (attributes != NULL)
		shown->attributes = list_names(attributes);
	shown->excludes = excluded != NULL;
	if (excluded != NULL)
		shown->excluded = list_names(excluded);
}

/* RFC 7644 sections 3.4.2.3 and 3.4.2.4. */
static void
scim_read_list(const Profile *profile, List *query, ListRequest *request)
{
	const char *sort_by = list_parameter(query, "sortBy");
	const char *sort_order = list_parameter(query, "sortOrder");

	scim_read_shown(profile, query, &request->shown);
	if (sort_order != NULL && pg_strcasecmp(sort_order, "ascending") != 0 &&
		pg_strcasecmp(sort_order, "descending") != 0)
		refuse_parameter("sortOrder", sort_order, "It is ascending or descending.");
	request->filter = list_parameter(query, "filter");
	if (sort_by != NULL)
	{
		SortKey    *key = palloc0(sizeof(SortKey));

		key->path = sort_by;
		key->descends = sort_order != NULL && pg_strcasecmp(sort_order, "descending") == 0;
		request->sort_keys = list_make1(key);
	}
	if (!list_integer(query, "startIndex", &request->start))
		request->start = 1;
	request->has_count = list_integer(query, "count", &request->count);
	request->wants_total = true;
}

static const char search_urn[] = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

static void
refuse_search(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("the body is no request for a search"),
			 errdetail_path(path, SCIM_INVALID_SYNTAX),
			 errhint("Send an object with \"schemas\": [\"%s\"].", search_urn)));
}

static void
check_search_schemas(JsonbValue *schemas)
{
	for (int i = 0; schemas->type == jbvArray && i < schemas->val.array.nElems; i++)
	{
		JsonbValue *uri = &schemas->val.array.elems[i];

		if (uri->type == jbvString && is_named(uri, search_urn))
			return;
	}
	refuse_search("schemas");
}

typedef enum SearchType
{
	SEARCH_STRING,
	SEARCH_INTEGER,
	SEARCH_NAMES
} SearchType;

static const struct
{
	const char *name;
	SearchType	type;
}			search_members[] = {
	{"filter", SEARCH_STRING},
	{"sortBy", SEARCH_STRING},
	{"sortOrder", SEARCH_STRING},
	{"startIndex", SEARCH_INTEGER},
	{"count", SEARCH_INTEGER},
	{"attributes", SEARCH_NAMES},
	{"excludedAttributes", SEARCH_NAMES},
};

/* A member of a SearchRequest as a query would have it, or NULL. */
static char *
search_value(SearchType type, JsonbValue *value)
{
	StringInfoData names;

	switch (type)
	{
		case SEARCH_STRING:
			return value->type == jbvString ? document_cstring(value) : NULL;
		case SEARCH_INTEGER:
			return value->type == jbvNumeric ? numeric_normalize(value->val.numeric) : NULL;
		case SEARCH_NAMES:
			break;
	}
	if (value->type != jbvArray)
		return NULL;
	initStringInfo(&names);
	for (int i = 0; i < value->val.array.nElems; i++)
	{
		JsonbValue *name = &value->val.array.elems[i];

		if (name->type != jbvString)
			return NULL;
		appendStringInfo(&names, "%s,", document_cstring(name));
	}
	return names.data;
}

static HttpParameter *
search_parameter(JsonbPair *pair)
{
	static const char *const hints[] = {
		[SEARCH_STRING] = "Send a string.",
		[SEARCH_INTEGER] = "Send an integer, without quotes.",
		[SEARCH_NAMES] = "Send an array of strings.",
	};

	for (int i = 0; i < lengthof(search_members); i++)
	{
		HttpParameter *parameter;

		if (!is_named(&pair->key, search_members[i].name))
			continue;
		parameter = palloc(sizeof(HttpParameter));
		parameter->name = pstrdup(search_members[i].name);
		parameter->value = search_value(search_members[i].type, &pair->value);
		if (parameter->value == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("parameter \"%s\" has the wrong type", parameter->name),
					 errdetail_path(parameter->name, SCIM_INVALID_SYNTAX),
					 errhint("%s", hints[search_members[i].type])));
		return parameter;
	}
	return NULL;
}

/* A SearchRequest (RFC 7644 section 3.4.3) has the same parameters. */
static void
scim_read_search(JsonbValue *body, ListRequest *request)
{
	List	   *query = NIL;

	if (body->type != jbvObject)
		refuse_search(NULL);
	document_foreach(pair, body)
	{
		HttpParameter *parameter;

		if (is_named(&pair->key, "schemas"))
			check_search_schemas(&pair->value);
		if (pair->value.type == jbvNull)
			continue;
		parameter = search_parameter(pair);
		if (parameter != NULL)
			query = lappend(query, parameter);
	}
	scim_read_list(NULL, query, request);
}

static Filter *
scim_read_filter(const Profile *profile, const char *text)
{
	return profile->lenient ? filter_parse_lenient(text) : filter_parse(text);
}

/* A ListResponse (RFC 7644 section 3.4.2). */
static JsonbValue *
scim_show_list(const Profile *profile, const ListRequest *request, const ListPage *page)
{
	JsonbValue *list = document_new_object();

	document_add(list, "schemas",
				 message_schemas("urn:ietf:params:scim:api:messages:2.0:ListResponse"));
	document_add(list, "totalResults", document_integer(page->total));
	document_add(list, profile->resources_member, page->items);
	document_add(list, "startIndex", document_integer(page->start));
	document_add(list, "itemsPerPage", document_integer(page->items->val.array.nElems));
	return list;
}

/* All that was sent is on one page. */
static JsonbValue *
scim_show_bulk(const Profile *profile, JsonbValue *items)
{
	ListPage	page = {.items = items,.start = 1,.total = items->val.array.nElems};

	return scim_show_list(profile, NULL, &page);
}

static JsonbValue *
scim_show_error(const Schema *schema, const Profile *profile, const ItemResult *result)
{
	const Failure *failure = result->failure;
	Failure		told = *failure;
	ItemResult	item = {.failure = &told};

	told.message = failure_text(failure);
	return scim_show_item(schema, profile, &item);
}

/* RFC 7644 section 3.2; a bulk update as Zuora has it. */
static const Route scim_routes[] = {
	{"GET", "Users", ACTION_LIST},
	{"POST", "Users", ACTION_CREATE},
	{"POST", "Users/.search", ACTION_SEARCH},
	{"POST", ".search", ACTION_SEARCH},
	{"PUT", "Users/bulk", ACTION_BULK_PUT},
	{"PATCH", "Users/bulk", ACTION_BULK_PATCH},
	{"POST", "Bulk", ACTION_SCIM_BULK},
	{"GET", "Me", ACTION_NOT_IMPLEMENTED},
	{"POST", "Me", ACTION_NOT_IMPLEMENTED},
	{"PUT", "Me", ACTION_NOT_IMPLEMENTED},
	{"PATCH", "Me", ACTION_NOT_IMPLEMENTED},
	{"DELETE", "Me", ACTION_NOT_IMPLEMENTED},
	{"GET", "Users/*", ACTION_GET},
	{"PUT", "Users/*", ACTION_PUT},
	{"PATCH", "Users/*", ACTION_PATCH},
	{"DELETE", "Users/*", ACTION_DELETE},
	{"GET", "ServiceProviderConfig", ACTION_SHOW_CONFIG},
	{"GET", "Schemas", ACTION_SHOW_SCHEMAS},
	{"GET", "Schemas/*", ACTION_SHOW_SCHEMAS},
	{"GET", "ResourceTypes", ACTION_SHOW_RESOURCE_TYPES},
	{"GET", "ResourceTypes/*", ACTION_SHOW_RESOURCE_TYPES},
	{"GET", "Groups", ACTION_SHOW_GROUPS},
	{"POST", "Groups/.search", ACTION_SHOW_GROUPS},
	{"GET", "Groups/*", ACTION_SHOW_GROUPS},
	{NULL}
};

const BodyShape scim_shape = {
	.name = "scim",
	.read_user = scim_read_user,
	.show_user = scim_show_user,
	.ignores_id = true,
	.bulk_shows_users = true,
	.show_item = scim_show_item,
	.item_succeeded = scim_item_succeeded,
	.show_bulk = scim_show_bulk,
	.read_shown = scim_read_shown,
	.read_list = scim_read_list,
	.read_search = scim_read_search,
	.read_filter = scim_read_filter,
	.show_listed = scim_show_user,
	.show_list = scim_show_list,
	.routes = scim_routes,
	.media_type = "application/scim+json",
	.collection = "Users",
	.show_error = scim_show_error,
};
