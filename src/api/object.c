/*
 * object.c
 *	  Plain JSON objects: a user is an object of its attributes, shown with its
 *	  id and with meta (created, lastModified, version).
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "api/api.h"
#include "core/errors.h"

/* Names are exact where no schema says otherwise. */
static bool
is_named(const Schema *schema, const JsonbValue *name, const char *wanted)
{
	int			len = strlen(wanted);

	if (name->val.string.len != len)
		return false;
	return schema->ids == NIL ? memcmp(name->val.string.val, wanted, len) == 0 :
		pg_strncasecmp(name->val.string.val, wanted, len) == 0;
}

/*
 * What an answer carries beside the attributes may come back in a body: meta
 * and schemas are passed over.
 */
static JsonbValue *
object_read_user(const Schema *schema, const Profile *profile, JsonbValue *body,
				 char **body_id)
{
	JsonbValue *attributes = document_new_object();

	require_object(body);
	document_foreach(pair, body)
	{
		if (is_named(schema, &pair->key, "id"))
		{
			if (pair->value.type != jbvNull)
				*body_id = read_body_id(&pair->value);
		}
		else if (is_named(schema, &pair->key, "schemas"))
			refuse_message(&pair->value);
		else if (!is_named(schema, &pair->key, "meta"))
			document_append(attributes, pair->key.val.string.val,
							pair->key.val.string.len, &pair->value);
	}
	return attributes;
}

static JsonbValue *
show_meta(const UserState *user)
{
	JsonbValue *meta = document_new_object();

	document_add(meta, "created", document_string(show_timestamp(user->created)));
	document_add(meta, "lastModified", document_string(show_timestamp(user->modified)));
	document_add(meta, "version", document_integer(user->version));
	return meta;
}

/*
 * A profile that answers with a list of attributes shows attributes alone.
 */
static JsonbValue *
object_show_user(const Schema *schema, const Profile *profile, const UserState *user,
				 const Selection *selection)
{
	JsonbValue *object = show_attributes(schema, profile, selection, user->document);

	if (profile->answers_full)
	{
		JsonbValue *meta;

		document_add(object, "id", document_string(user->id));
		meta = select_common(selection, "meta", show_meta(user));
		if (meta != NULL)
			document_add(object, "meta", meta);
	}
	return object;
}

static JsonbValue *
object_show_item(const Schema *schema, const Profile *profile, const ItemResult *item)
{
	JsonbValue *object = document_new_object();
	const Failure *failure = item->failure;

	if (item->id != NULL)
		document_add(object, "id", document_string(item->id));
	if (failure == NULL)
	{
		document_add(object, "status", document_integer(item->created ? 201 : 200));
		document_add(object, "version", document_integer(item->user->version));
		return object;
	}
	document_add(object, "status", document_integer(failure->status));
	document_add(object, "error", document_string(failure->message));
	if (failure->path != NULL)
		document_add(object, "path", document_string(failure->path));
	return object;
}

static bool
object_item_succeeded(JsonbValue *item)
{
	return document_member(item, "error") == NULL;
}

static JsonbValue *
object_show_bulk(const Profile *profile, JsonbValue *items)
{
	return items;
}

/*
 * Lists, with the parameters and members that Oracle CPQ has for them
 */

/* Users on a page, where the request does not say. */
#define DEFAULT_LIMIT	LIST_MAX_COUNT

/* lastName:desc,login */
static List *
read_orderby(const char *orderby)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, list_names(orderby))
	{
		char	   *name = lfirst(lc);
		char	   *colon = strrchr(name, ':');
		SortKey    *key = palloc0(sizeof(SortKey));

		key->path = name;
		key->descends = colon != NULL && pg_strcasecmp(colon, ":desc") == 0;
		if (key->descends || (colon != NULL && pg_strcasecmp(colon, ":asc") == 0))
			*colon = '\0';
		else if (colon != NULL && pg_strncasecmp(name, "urn:", strlen("urn:")) != 0)
			refuse_parameter("orderby", orderby, "Send it as orderby=lastName:desc,login:asc.");
		keys = lappend(keys, key);
	}
	return keys;
}

static bool
read_total_results(List *query)
{
	const char *value = list_parameter(query, "totalResults");

	if (value == NULL || pg_strcasecmp(value, "false") == 0)
		return false;
	if (pg_strcasecmp(value, "true") != 0)
		refuse_parameter("totalResults", value, "It is true or false.");
	return true;
}

/* An integer from 0 on. */
static bool
read_natural(List *query, const char *name, int64 *number)
{
	if (!list_integer(query, name, number))
		return false;
	if (*number < 0)
		refuse_parameter(name, list_parameter(query, name), "Send a whole number from 0 on.");
	return true;
}

static void
object_read_shown(const Profile *profile, List *query, Shown *shown)
{
	const char *fields = list_parameter(query, "fields");

	shown->selects = fields != NULL;
	if (fields != NULL)
		shown->attributes = list_names(fields);
}

static void
object_read_list(const Profile *profile, List *query, ListRequest *request)
{
	const char *q = list_parameter(query, "q");
	const char *filter = list_parameter(query, "filter");
	const char *orderby = list_parameter(query, "orderby");
	int64		offset = 0;

	if (q != NULL && filter != NULL)
		refuse_together("q", "filter");
	object_read_shown(profile, query, &request->shown);
	request->filter = q != NULL ? q : filter;
	request->sort_keys = orderby != NULL ? read_orderby(orderby) : NIL;
	(void) read_natural(query, "offset", &offset);
	request->start = offset < PG_INT64_MAX ? offset + 1 : offset;
	request->has_count = true;
	if (!read_natural(query, "limit", &request->count))
		request->count = DEFAULT_LIMIT;
	request->wants_total = read_total_results(query);
	request->has_query = true;
	request->query = query;
}

/* A query in CPQ's syntax begins as no filter does. */
static Filter *
object_read_filter(const Profile *profile, const char *text)
{
	return text[strspn(text, " \t\r\n")] == '{' ? query_parse(text) : filter_parse(text);
}

/* A user who is shown without id can be told by the link alone. */
static JsonbValue *
object_show_listed(const Schema *schema, const Profile *profile, const UserState *user,
				   const Selection *selection)
{
	JsonbValue *object = object_show_user(schema, profile, user, selection);

	if (!profile->answers_full && profile->base_url != NULL)
	{
		JsonbValue *links = document_new_array();

		push_link(links, "self", user_url(profile, object_shape.collection, user->id));
		document_set(object, "links", strlen("links"), links);
	}
	return object;
}

/* To this page and to those around it. */
static JsonbValue *
show_page_links(const Profile *profile, const ListRequest *request, const ListPage *page)
{
	JsonbValue *links = document_new_array();
	int64		offset = page->start - 1;

	push_link(links, "self", list_url(profile, object_shape.collection, request->query, offset,
									  page->limit));
	if (offset > 0 && page->limit > 0)
		push_link(links, "prev", list_url(profile, object_shape.collection, request->query,
										  Max(offset - page->limit, 0), page->limit));
	if (page->has_more && page->limit > 0)
		push_link(links, "next", list_url(profile, object_shape.collection, request->query,
										  offset + page->limit, page->limit));
	return links;
}

static JsonbValue *
object_show_list(const Profile *profile, const ListRequest *request, const ListPage *page)
{
	JsonbValue *list = document_new_object();

	document_add(list, "items", page->items);
	document_add(list, "count", document_integer(page->items->val.array.nElems));
	document_add(list, "offset", document_integer(page->start - 1));
	document_add(list, "limit", document_integer(page->limit));
	document_add(list, "hasMore", document_boolean(page->has_more));
	if (page->total >= 0)
		document_add(list, "totalResults", document_integer(page->total));
	if (request->has_query && profile->base_url != NULL)
		document_add(list, "links", show_page_links(profile, request, page));
	return list;
}

/*
 * Problem details (RFC 9457) with the members that Oracle's REST APIs add.
 */
static JsonbValue *
show_problem(const Failure *failure)
{
	JsonbValue *object = document_new_object();

	document_add(object, "type", document_string("about:blank"));
	document_add(object, "title", document_string(status_phrase(failure->status)));
	document_add(object, "status", document_string(psprintf("%d", failure->status)));
	document_add(object, "detail", document_string(failure_text(failure)));
	document_add(object, "o:errorCode", document_string(unpack_sql_state(failure->sqlstate)));
	if (failure->path != NULL)
		document_add(object, "o:errorPath", document_string(failure->path));
	return object;
}

static JsonbValue *
object_show_error(const Schema *schema, const Profile *profile, const ItemResult *result)
{
	const Failure *failure = result->failure;
	JsonbValue *object;

	if (profile->error_body == ERROR_BODY_PROBLEM)
		return show_problem(failure);
	object = document_new_object();
	document_add(object, "status", document_integer(failure->status));
	document_add(object, "error", document_string(failure_text(failure)));
	if (failure->path != NULL)
		document_add(object, profile->error_body == ERROR_BODY_FIELD ? "field" : "path",
					 document_string(failure->path));
	return object;
}

const BodyShape object_shape = {
	.name = "object",
	.read_user = object_read_user,
	.show_user = object_show_user,
	.takes_json_patch = true,
	.show_item = object_show_item,
	.item_succeeded = object_item_succeeded,
	.show_bulk = object_show_bulk,
	.read_shown = object_read_shown,
	.read_list = object_read_list,
	.read_filter = object_read_filter,
	.show_listed = object_show_listed,
	.show_list = object_show_list,
	.routes = user_routes,
	.media_type = "application/json",
	.collection = "users",
	.show_error = object_show_error,
};
