/*
 * fields.c
 *	  Name/value fields, as Oracle Identity Governance has them: a user is a
 *	  list of {"name": …, "value": …}, shown with its id and a link to itself.
 *
 * A request has "fields" or, in a PATCH, "add" and "update" (fields to set) and
 * "delete" (fields to clear).  A field that comes twice counts as the last one
 * says.  Fields are called as the attributes are, unless the profile has names
 * of its own for them.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "api/api.h"
#include "core/errors.h"
#include "core/scim/path.h"

static const char *const set_lists[] = {"fields", "add", "update", NULL};
static const char *const clear_lists[] = {"delete", NULL};

#define BAD_FIELDS(path, hint, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_USER_BAD_REQUEST), \
			 errmsg(__VA_ARGS__), \
			 errdetail_path((path), SCIM_INVALID_SYNTAX), \
			 errhint("%s", (hint))))

static bool
is_one_of(const JsonbValue *name, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		if (document_is_string(unconstify(JsonbValue *, name), *names))
			return true;
	}
	return false;
}

/* The attribute that is meant by the name of a field, or NULL. */
static Attribute *
field_attribute(const Schema *schema, const Profile *profile, const JsonbValue *name)
{
	const char *field = name->val.string.val;
	int			len = name->val.string.len;

	if (profile->names == NULL)
		return attribute_find(&schema->attributes, field, len);
	document_foreach(pair, profile->names)
	{
		if (pair->key.val.string.len == len &&
			attribute_same_name(pair->key.val.string.val, field, len))
			return path_resolve(schema, document_cstring(&pair->value));
	}
	return NULL;
}

/* The name that a profile has for the attribute of a path. */
static const char *
field_of_path(const Profile *profile, const char *path)
{
	if (profile->names == NULL)
		return path;
	document_foreach(pair, profile->names)
	{
		if (pair->value.val.string.len == strlen(path) &&
			attribute_same_name(pair->value.val.string.val, path, pair->value.val.string.len))
			return document_cstring(&pair->key);
	}
	return path;
}

/* Set a value at the end of a way, making the objects on it. */
static void
set_value(JsonbValue *attributes, List *way, JsonbValue *value)
{
	JsonbValue *object = attributes;
	ListCell   *lc;

	foreach(lc, way)
	{
		Attribute  *step = lfirst(lc);
		JsonbValue *next;

		if (foreach_current_index(lc) == list_length(way) - 1)
		{
			document_set(object, step->name, step->name_len, value);
			return;
		}
		next = document_find(object, step->name, step->name_len);
		if (next == NULL || next->type != jbvObject)
		{
			document_set(object, step->name, step->name_len, document_new_object());
			next = document_find(object, step->name, step->name_len);
		}
		object = next;
	}
}

/* Take the fields of one list over into the attributes. */
static void
read_fields(const Schema *schema, const Profile *profile, const char *list, JsonbValue *fields, bool clears,
			JsonbValue *attributes)
{
	JsonbValue	none;

	none.type = jbvNull;
	if (fields->type != jbvArray)
		BAD_FIELDS(list, "Send it as [{\"name\": \"First Name\", \"value\": \"Ann\"}].",
				   "\"%s\" must be an array of fields", list);
	for (int i = 0; i < fields->val.array.nElems; i++)
	{
		JsonbValue *field = &fields->val.array.elems[i];
		JsonbValue *name = document_member(field, "name");
		JsonbValue *value = document_member(field, "value");
		Attribute  *attribute;

		if (name == NULL || name->type != jbvString)
			BAD_FIELDS(list, "Each field is an object with \"name\" and \"value\".",
					   "a field of \"%s\" has no name", list);
		if (value == NULL && !clears)
			BAD_FIELDS(document_cstring(name), "Send null to clear the field.",
					   "field \"%s\" has no value",
					   shown_name(name->val.string.val, name->val.string.len));
		attribute = field_attribute(schema, profile, name);
		/* of which nothing may stay behind, not even in a fingerprint */
		if (attribute != NULL && attribute == schema->password &&
			attribute_value(attribute_way(schema, attribute), attributes) != NULL)
			BAD_FIELDS(attribute->path, "Send one password.",
					   "field \"%s\" is sent twice", attribute->path);
		/* in the schema's case: the last of two is so in any case */
		if (attribute != NULL)
			set_value(attributes, attribute_way(schema, attribute), clears ? &none : value);
		else if (attribute_find(&schema->attributes, name->val.string.val,
								name->val.string.len) != NULL)
			BAD_FIELDS(document_cstring(name), "The setting \"names\" of the API profile has the fields.",
					   "field \"%s\" is not known",
					   shown_name(name->val.string.val, name->val.string.len));
		else
			document_set(attributes, name->val.string.val, name->val.string.len,
						 clears ? &none : value);
	}
}

static JsonbValue *
fields_read_user(const Schema *schema, const Profile *profile, JsonbValue *body,
				 char **body_id)
{
	JsonbValue *attributes = document_new_object();
	bool		has_list = false;

	require_object(body);
	document_foreach(pair, body)
	{
		bool		clears = is_one_of(&pair->key, clear_lists);
		char	   *name = document_cstring(&pair->key);

		if (clears || is_one_of(&pair->key, set_lists))
		{
			read_fields(schema, profile, name, &pair->value, clears, attributes);
			has_list = true;
		}
		else if (strcmp(name, "id") == 0 && pair->value.type != jbvNull)
			*body_id = read_body_id(&pair->value);
		else if (strcmp(name, "id") != 0 && strcmp(name, "links") != 0 &&
				 strcmp(name, "requestId") != 0)
			BAD_FIELDS(shown_name(name, strlen(name)), "Send the user's attributes as \"fields\".",
					   "\"%s\" is not known", shown_name(name, strlen(name)));
	}
	if (!has_list)
		BAD_FIELDS("fields", "Send it as {\"fields\": [{\"name\": \"First Name\", \"value\": \"Ann\"}]}.",
				   "the body has no fields");
	/* a field may be for an attribute deep inside another */
	document_require_depth(attributes);
	return attributes;
}

static JsonbValue *
show_field(const char *name, int len, JsonbValue *value)
{
	JsonbValue *field = document_new_object();
	JsonbValue	none;

	none.type = jbvNull;
	document_add(field, "name", document_string_len(name, len));
	document_add(field, "value", value != NULL ? value : &none);
	return field;
}

/*
 * The fields of a profile with names: those that were sent, or all (NULL).  Of
 * those sent, one that the document has not was cleared; one that is not shown
 * was not asked for.
 */
static JsonbValue *
show_named(const Schema *schema, const Profile *profile, JsonbValue *document, JsonbValue *shown,
		   JsonbValue *sent)
{
	JsonbValue *fields = document_new_array();

	document_foreach(pair, profile->names)
	{
		Attribute  *attribute = path_resolve(schema, document_cstring(&pair->value));
		List	   *way = attribute != NULL ? attribute_way(schema, attribute) : NIL;
		JsonbValue *value = attribute != NULL ? attribute_value(way, shown) : NULL;

		if (attribute != NULL && attribute->returned != RETURNED_NEVER &&
			(value != NULL || attribute_value(way, document) == NULL) &&
			(sent != NULL ? attribute_value(way, sent) : value) != NULL)
			document_push(fields, show_field(pair->key.val.string.val, pair->key.val.string.len,
											 value));
	}
	return fields;
}

/* The fields that an update applied: those sent, as they stand now. */
static JsonbValue *
show_sent(const Schema *schema, const Profile *profile, JsonbValue *document, JsonbValue *shown,
		  JsonbValue *sent)
{
	JsonbValue *fields = document_new_array();

	if (profile->names != NULL)
		return show_named(schema, profile, document, shown, sent);
	document_foreach(pair, sent)
	{
		const char *name = pair->key.val.string.val;
		int			len = pair->key.val.string.len;
		Attribute  *attribute = attribute_find(&schema->attributes, name, len);
		JsonbValue *value = document_find(shown, name, len);

		if ((attribute == NULL || attribute->returned != RETURNED_NEVER) &&
			(value != NULL || document_find(document, name, len) == NULL))
			document_push(fields, show_field(name, len, value));
	}
	return fields;
}

static JsonbValue *
show_all(const Schema *schema, const Profile *profile, JsonbValue *shown)
{
	JsonbValue *fields = document_new_array();

	if (profile->names != NULL)
		return show_named(schema, profile, shown, shown, NULL);
	document_foreach(pair, shown)
		document_push(fields, show_field(pair->key.val.string.val, pair->key.val.string.len,
										 &pair->value));
	return fields;
}

static JsonbValue *
show_links(const Profile *profile, const char *id, const char *below)
{
	JsonbValue *links = document_new_array();

	if (profile->base_url != NULL && id != NULL)
		push_link(links, "self", psprintf("%s%s", user_url(profile, fields_shape.collection, id),
										  below));
	return links;
}

static JsonbValue *
fields_show_user(const Schema *schema, const Profile *profile, const UserState *user,
				 const Selection *selection)
{
	JsonbValue *shown = show_attributes(schema, profile, selection, user->document);
	JsonbValue *answer = document_new_object();

	document_add(answer, "id", document_string(user->id));
	document_add(answer, "links", show_links(profile, user->id, ""));
	document_add(answer, "fields", user->sent != NULL ?
				 show_sent(schema, profile, user->document, shown, user->sent) : show_all(schema, profile, shown));
	return answer;
}

/* A value as a reason shows it. */
static char *
value_text(JsonbValue *value)
{
	char	   *text;

	if (value == NULL)
		return "";
	if (value->type == jbvString)
		return shown_name(value->val.string.val, value->val.string.len);
	text = JsonbToCString(NULL, &document_to_jsonb(value)->root, 0);

	return shown_name(text, strlen(text));
}

/* The value that the item has for a field, or NULL. */
static JsonbValue *
sent_field(JsonbValue *body, const char *path)
{
	JsonbValue *found = NULL;

	for (int i = 0; set_lists[i] != NULL; i++)
	{
		JsonbValue *fields = document_member(body, set_lists[i]);

		if (fields == NULL || fields->type != jbvArray)
			continue;
		for (int k = 0; k < fields->val.array.nElems; k++)
		{
			JsonbValue *field = &fields->val.array.elems[k];
			JsonbValue *name = document_member(field, "name");

			if (name != NULL && name->type == jbvString &&
				name->val.string.len == strlen(path) &&
				attribute_same_name(name->val.string.val, path, name->val.string.len))
				found = document_member(field, "value");
		}
	}
	return found;
}

/*
 * Why an item failed, as CODE:text:argument:argument.  The codes are Oracle's
 * where one is known, else the SQLSTATE.
 */
static char *
reason(const Schema *schema, const Profile *profile, const ItemResult *item)
{
	const Failure *failure = item->failure;
	const char *path = failure->path != NULL ? field_of_path(profile, failure->path) : NULL;
	JsonbValue *name = path != NULL ? document_string(path) : NULL;
	Attribute  *attribute = path != NULL ? field_attribute(schema, profile, name) : NULL;
	char	   *value = "";

	/* of a password nothing is shown, whatever was sent in its place */
	if (path != NULL)
		value = value_text(attribute != NULL && attribute == schema->password ? NULL :
						   sent_field(item->body, path));
	/* rather than a route */
	if (failure->sqlstate == ERRCODE_USER_NOT_FOUND && path != NULL)
		return "IAM-2040028:User does not exists:";
	if (failure->sqlstate == ERRCODE_UNIQUE_VIOLATION && attribute != NULL)
		return psprintf("IAM-3050007:The user with the attribute %s and value %s already exists.:%s:%s",
						path, value, path, value);
	if (failure->sqlstate == ERRCODE_USER_BAD_REQUEST && path != NULL &&
		sent_field(item->body, path) != NULL)
	{
		if (attribute == NULL)
			return psprintf("IAM-3056160:Modify User Profile request cannot set or change attribute %s, since it is not defined in the corresponding data set.:%s:%s",
							path, item->id != NULL ? item->id : "", path);
		if (attribute->type == TYPE_DATE_TIME)
			return psprintf("IAM-0011009:%s:%s:%s", failure->message, path, value);
		if (failure->scim_type != NULL && strcmp(failure->scim_type, SCIM_INVALID_VALUE) == 0)
			return psprintf("IAM-3050068:%s:%s:%s", failure->message, path, value);
	}
	return psprintf("%s:%s:%s", unpack_sql_state(failure->sqlstate), failure->message,
					path != NULL ? path : "");
}

static JsonbValue *
fields_show_item(const Schema *schema, const Profile *profile, const ItemResult *item)
{
	JsonbValue *answer = document_new_object();
	JsonbValue *request_id = document_member(item->body, "requestId");

	document_add(answer, "links", show_links(profile, item->id, ""));
	if (request_id != NULL)
		document_add(answer, "requestId", request_id);
	if (item->failure != NULL)
	{
		document_add(answer, "status", document_string("FAIL"));
		document_add(answer, "reason", document_string(reason(schema, profile, item)));
	}
	else
	{
		document_add(answer, "status", document_string("SUCCESS"));
		document_add(answer, "fields",
					 show_sent(schema, profile, item->user->document,
							   show_attributes(schema, profile, NULL, item->user->document),
							   item->user->sent));
	}
	return answer;
}

static bool
fields_item_succeeded(JsonbValue *item)
{
	return document_is_string(document_member(item, "status"), "SUCCESS");
}

static JsonbValue *
fields_show_bulk(const Profile *profile, JsonbValue *items)
{
	JsonbValue *answer = document_new_object();

	document_add(answer, "users", items);
	return answer;
}

/*
 * Lists
 */

/* Users on a page, where the request does not say: as in Oracle's samples. */
#define DEFAULT_LIMIT	10

/* The path that a field's name stands for. */
static char *
path_of_field(const Profile *profile, char *name)
{
	if (profile->names == NULL)
		return name;
	document_foreach(pair, profile->names)
	{
		if (pair->key.val.string.len == strlen(name) &&
			attribute_same_name(pair->key.val.string.val, name, pair->key.val.string.len))
			return document_cstring(&pair->value);
	}
	return name;
}

static void
fields_read_shown(const Profile *profile, List *query, Shown *shown)
{
	const char *fields = list_parameter(query, "fields");
	ListCell   *lc;

	shown->selects = fields != NULL;
	if (fields == NULL)
		return;
	foreach(lc, list_names(fields))
		shown->attributes = lappend(shown->attributes, path_of_field(profile, lfirst(lc)));
}

/* The offset is counted from 1. */
static void
fields_read_list(const Profile *profile, List *query, ListRequest *request)
{
	const char *q = list_parameter(query, "q");
	const char *filter = list_parameter(query, "filter");

	if (q != NULL && filter != NULL)
		refuse_together("q", "filter");
	fields_read_shown(profile, query, &request->shown);
	request->filter = q != NULL ? q : filter;
	if (!list_integer(query, "offset", &request->start))
		request->start = 1;
	if (request->start < 0)
		refuse_parameter("offset", list_parameter(query, "offset"), "Send a whole number from 1 on.");
	request->has_count = true;
	if (!list_integer(query, "limit", &request->count))
		request->count = DEFAULT_LIMIT;
	if (request->count < 0)
		refuse_parameter("limit", list_parameter(query, "limit"), "Send a whole number from 0 on.");
	request->wants_total = true;
	request->has_query = true;
	request->query = query;
}

static void
name_paths(const Profile *profile, Filter *filter)
{
	ListCell   *lc;

	check_stack_depth();
	if (filter->path != NULL)
		filter->path = path_of_field(profile, filter->path);
	/* what stands in brackets is named below the path */
	if (filter->type == FILTER_VALUES)
		return;
	foreach(lc, filter->parts)
		name_paths(profile, lfirst(lc));
}

static Filter *
fields_read_filter(const Profile *profile, const char *text)
{
	Filter	   *filter = filter_parse_fields(text);

	name_paths(profile, filter);
	return filter;
}

/* To this page, the first, and the next. */
static JsonbValue *
show_page_links(const Profile *profile, const ListRequest *request, const ListPage *page)
{
	JsonbValue *links = document_new_array();

	if (!request->has_query || profile->base_url == NULL)
		return links;
	push_link(links, "self", list_url(profile, fields_shape.collection, request->query, page->start,
									  page->limit));
	push_link(links, "first", list_url(profile, fields_shape.collection, request->query, 1,
									   page->limit));
	if (page->has_more && page->limit > 0)
		push_link(links, "next", list_url(profile, fields_shape.collection, request->query,
										  page->start + page->limit, page->limit));
	return links;
}

static JsonbValue *
fields_show_list(const Profile *profile, const ListRequest *request, const ListPage *page)
{
	JsonbValue *list = document_new_object();

	document_add(list, "count", document_integer(page->items->val.array.nElems));
	document_add(list, "hasMore", document_boolean(page->has_more));
	document_add(list, "links", show_page_links(profile, request, page));
	document_add(list, "totalResult", document_integer(page->total));
	document_add(list, "users", page->items);
	return list;
}

/*
 * The body {"status": "unlock"} as the body of an update: the fields that the
 * profile has for that word.
 */
static JsonbValue *
fields_read_status(const Profile *profile, JsonbValue *body)
{
	JsonbValue *status = document_member(body, "status");
	JsonbValue *wanted = NULL;
	JsonbValue *update = document_new_object();
	JsonbValue *fields = document_new_array();
	StringInfoData words;

	initStringInfo(&words);
	document_foreach(pair, profile->statuses)
	{
		appendStringInfo(&words, "%s%s", words.len > 0 ? ", " : "", document_cstring(&pair->key));
		if (status != NULL && status->type == jbvString &&
			status->val.string.len == pair->key.val.string.len &&
			pg_strncasecmp(status->val.string.val, pair->key.val.string.val,
						   pair->key.val.string.len) == 0)
			wanted = &pair->value;
	}
	if (wanted == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("the body has no known \"status\""),
				 errdetail_path("status", SCIM_INVALID_VALUE),
				 errhint("Send it as {\"status\": ...} with one of: %s.", words.data)));
	document_foreach(pair, wanted)
		document_push(fields, show_field(pair->key.val.string.val, pair->key.val.string.len,
										 &pair->value));
	document_add(update, "fields", fields);
	return update;
}

static JsonbValue *
fields_show_status(const Profile *profile, const char *id)
{
	JsonbValue *answer = document_new_object();

	document_add(answer, "links", show_links(profile, id, "/status"));
	document_add(answer, "status", document_string("SUCCESS"));
	return answer;
}

const BodyShape fields_shape = {
	.name = "fields",
	.read_user = fields_read_user,
	.show_user = fields_show_user,
	.bulk_member = "users",
	.bulk_shows_users = true,
	.show_item = fields_show_item,
	.item_succeeded = fields_item_succeeded,
	.show_bulk = fields_show_bulk,
	.read_shown = fields_read_shown,
	.read_list = fields_read_list,
	.read_filter = fields_read_filter,
	.show_listed = fields_show_user,
	.show_list = fields_show_list,
	.read_status = fields_read_status,
	.show_status = fields_show_status,
	.routes = user_routes,
	.media_type = "application/json",
	.collection = "users",
	.show_error = fields_show_item,
};
