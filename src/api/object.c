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

/* As Oracle's REST APIs have it, offset counted from 0. */
static JsonbValue *
object_show_list(const Profile *profile, const ListPage *page)
{
	JsonbValue *list = document_new_object();
	int			count = page->items->val.array.nElems;

	document_add(list, "items", page->items);
	document_add(list, "count", document_integer(count));
	document_add(list, "offset", document_integer(page->start - 1));
	document_add(list, "limit", document_integer(page->limit));
	document_add(list, "hasMore", document_boolean(page->start - 1 + count < page->total));
	document_add(list, "totalResults", document_integer(page->total));
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

/* A list of users, many at once, one. */
static const Route object_routes[] = {
	{"GET", "users", ACTION_LIST},
	{"POST", "users", ACTION_CREATE},
	{"PUT", "users", ACTION_BULK_PUT},
	{"PATCH", "users", ACTION_BULK_PATCH},
	{"GET", "users/*", ACTION_GET},
	{"PUT", "users/*", ACTION_PUT},
	{"PATCH", "users/*", ACTION_PATCH},
	{"DELETE", "users/*", ACTION_DELETE},
	{NULL}
};

const BodyShape object_shape = {
	.name = "object",
	.read_user = object_read_user,
	.show_user = object_show_user,
	.takes_json_patch = true,
	.show_item = object_show_item,
	.item_succeeded = object_item_succeeded,
	.show_bulk = object_show_bulk,
	.show_list = object_show_list,
	.routes = object_routes,
	.media_type = "application/json",
	.collection = "users",
	.show_error = object_show_error,
};
