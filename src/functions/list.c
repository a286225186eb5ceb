/*
 * list.c
 *	  users_list: the users that match a filter, page by page (RFC 7644 section
 *	  3.4.2).
 *
 * PostgreSQL finds the rows and sorts them, by the indexes of attributes that
 * the filter speaks of; the filter is evaluated here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "core/scim/common.h"
#include "core/scim/filter.h"
#include "core/scim/path.h"
#include "functions/functions.h"
#include "store/index.h"

PG_FUNCTION_INFO_V1(users_list);

/* Users on a page, if none are asked for; at most there are LIST_MAX_COUNT. */
#define DEFAULT_COUNT		100

/* Attributes to sort by, at most. */
#define MAX_SORT_KEYS		16

/* Rows that are fetched at once. */
#define ROWS_AT_ONCE		100

typedef struct Listing
{
	Binding    *table;
	const BoundApi *api;
	const BodyShape *shape;
	const ListRequest *request;
	Filter	   *filter;			/* or NULL: all users */
	Selection	selection;
	char	   *order;			/* of SQL */
	StringInfoData condition;	/* of SQL, with parameters, or "" */
	int			nconditions;
	Oid			parameter_types[MAX_INDEX_CONDITIONS];
	Datum		parameters[MAX_INDEX_CONDITIONS];
	ListPage	page;
	int64		found;			/* users who match, so far */
	MemoryContext row;			/* for one row */
} Listing;

/*
 * What to list
 */

/* Where the filter says which string or number the attribute of a path is, or NULL. */
static const Filter *
find_equality(const Filter *filter, const char *path)
{
	ListCell   *lc;

	if (filter->type == FILTER_AND)
	{
		foreach(lc, filter->parts)
		{
			const Filter *found = find_equality(lfirst(lc), path);

			if (found != NULL)
				return found;
		}
	}
	if (filter->type == FILTER_COMPARE && filter->op == OPERATOR_EQ && filter->attribute != NULL &&
		filter->attribute->type != TYPE_DATE_TIME && strcmp(filter->attribute->path, path) == 0 &&
		(filter->value->type == jbvString || filter->value->type == jbvNumeric))
		return filter;
	return NULL;
}

static void
add_condition(Listing *listing, const char *expression, const char *operator, Oid type, Datum value)
{
	int			number = listing->nconditions++;

	appendStringInfo(&listing->condition, "%s%s OPERATOR(pg_catalog.%s) $%d",
					 number == 0 ? "" : " AND ", expression, operator, number + 1);
	listing->parameter_types[number] = type;
	listing->parameters[number] = value;
}

/*
 * Of a partitioned table, claims tell who has a value; whom the caller sees is
 * still for the query to say.
 */
static void
use_claim(Listing *listing)
{
	ListCell   *lc;

	foreach(lc, listing->table->unique_indexes)
	{
		UniqueIndex *index = lfirst(lc);
		const Filter *equality = index->is_claimed ? find_equality(listing->filter, index->path) : NULL;
		char	   *key = equality == NULL ? NULL :
		unique_key(index->type, equality->attribute->case_exact, equality->value);
		Holder	   *holder;

		if (key == NULL || set_holders(listing->table, index, list_make1(key), &holder) == 0)
			continue;
		add_condition(listing, listing->table->layout.id_sql, "=", listing->table->id_type,
					  holder->id);
		return;
	}
}

/* Let indexes find the users who can match. */
static void
use_indexes(Listing *listing)
{
	const Filter *equality;
	ListCell   *lc;
	Datum		id;

	initStringInfo(&listing->condition);
	if (listing->filter == NULL)
		return;
	equality = find_equality(listing->filter, "id");
	if (equality != NULL && equality->value->type == jbvString &&
		binding_find_id(listing->table, document_cstring(equality->value), &id))
	{
		add_condition(listing, listing->table->layout.id_sql, "=", listing->table->id_type, id);
		return;
	}
	foreach(lc, index_conditions(listing->table, listing->api, listing->filter))
	{
		IndexCondition *condition = lfirst(lc);

		if (binding_may_read(listing->table, condition->column))
			add_condition(listing, psprintf("u.%s", quote_identifier(condition->column)),
						  condition->operator, condition->type, condition->value);
	}
	if (listing->nconditions == 0)
		use_claim(listing);
}

static void
refuse_sort(const char *path, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("users cannot be sorted by \"%s\"", shown_name(path, strlen(path))),
			 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
			 errhint("%s", hint)));
}

/* Of a list, the primary value counts, or else the first (RFC 7644 section 3.4.2.3). */
static char *
step_expression(const char *value, const Attribute *step, bool is_last, bool as_text)
{
	char	   *member = psprintf("%s OPERATOR(pg_catalog.%s) %s", value,
								  is_last && as_text && !step->multi_valued ? "->>" : "->",
								  quote_literal_cstr(step->name));

	if (!step->multi_valued)
		return member;
	return psprintf("coalesce(pg_catalog.jsonb_path_query_first(%s, '$[*] ? (@.primary == true)'), %s OPERATOR(pg_catalog.->) 0)",
					member, member);
}

static char *
attribute_expression(const Listing *listing, const Attribute *attribute)
{
	const Schema *schema = listing->api->schema;
	List	   *way = attribute_way(schema, attribute);
	bool		as_text = attribute->type != TYPE_BOOLEAN && attribute->type != TYPE_INTEGER &&
	attribute->type != TYPE_DECIMAL;
	char	   *value = unconstify(char *, listing->table->layout.document_sql);
	ListCell   *lc;

	foreach(lc, way)
		value = step_expression(value, lfirst(lc), foreach_current_index(lc) == list_length(way) - 1,
								as_text);
	return as_text && attribute->type == TYPE_STRING && !attribute->case_exact &&
		!attribute->multi_valued ? psprintf("pg_catalog.lower(%s)", value) : psprintf("(%s)", value);
}

static char *
sort_expression(Listing *listing, const char *path)
{
	const Layout *layout = &listing->table->layout;
	const struct
	{
		const char *path;
		const char *expression;
	}			columns[] = {
		{"id", layout->id_sql},
		{"meta.created", layout->created_sql},
		{"meta.lastModified", layout->modified_sql},
		{"meta.version", layout->version_sql},
	};
	const Schema *schema = listing->api->schema;
	Attribute  *attribute = path_resolve(schema, path);

	for (int i = 0; i < lengthof(columns); i++)
	{
		if (attribute == NULL && pg_strcasecmp(columns[i].path, path) == 0)
			return pstrdup(columns[i].expression);
	}
	/* without a schema names are exact, and a dot goes down */
	if (schema->ids == NIL)
		return psprintf("(%s OPERATOR(pg_catalog.#>) pg_catalog.string_to_array(%s, '.'))",
						layout->document_sql, quote_literal_cstr(path));
	if (attribute != NULL && attribute->type == TYPE_COMPLEX)
		attribute = attribute_member(&attribute->subs, "value");
	if (attribute == NULL || attribute->returned == RETURNED_NEVER)
		refuse_sort(path, "Name an attribute of the table's schemas that has simple values.");
	if (attribute->is_computed)
		refuse_sort(path, "Its value is not stored, but made when the user is shown.");
	return attribute_expression(listing, attribute);
}

/* Users without the attribute come last, or first in the other direction. */
static void
set_order(Listing *listing, List *keys)
{
	StringInfoData order;
	ListCell   *lc;

	if (list_length(keys) > MAX_SORT_KEYS)
		refuse_sort(((SortKey *) list_nth(keys, MAX_SORT_KEYS))->path,
					psprintf("At most %d attributes are sorted by.", MAX_SORT_KEYS));
	initStringInfo(&order);
	foreach(lc, keys)
	{
		SortKey    *key = lfirst(lc);

		appendStringInfo(&order, "%s %s, ", sort_expression(listing, key->path),
						 key->descends ? "DESC NULLS FIRST" : "ASC NULLS LAST");
	}
	appendStringInfoString(&order, listing->table->layout.id_sql);
	listing->order = order.data;
}

/*
 * Listing
 */

/*
 * A user's document with what no document holds, for filters to look at.
 */
JsonbValue *
user_with_common(const BoundApi *api, const UserState *user)
{
	const Profile *profile = api->profile;
	JsonbValue *resource = document_copy_top(user->document);
	JsonbValue *meta = document_new_object();

	document_add(meta, "resourceType", document_string("User"));
	document_add(meta, "created", document_string(show_timestamp(user->created)));
	document_add(meta, "lastModified", document_string(show_timestamp(user->modified)));
	document_add(meta, "version", document_string(http_entity_tag(user->version)));
	if (profile->base_url != NULL)
		document_add(meta, "location",
					 document_string(user_url(profile, body_shape(profile->body)->collection,
											  user->id)));
	document_set(resource, "id", strlen("id"), document_string(user->id));
	document_set(resource, "meta", strlen("meta"), meta);
	document_set(resource, "schemas", strlen("schemas"), show_schemas(api->schema, user->document));
	return resource;
}

static void
take_user(Listing *listing, HeapTuple tuple, TupleDesc desc)
{
	UserState	user = {0};
	Jsonb	   *document = DatumGetJsonbPCopy(result_column(tuple, desc, 1, JSONBOID, NULL));
	ListPage   *page = &listing->page;
	MemoryContext old;

	require_object_document(document);
	user.document = document_from_jsonb(document);
	user.version = DatumGetInt64(result_column(tuple, desc, 2, INT8OID, NULL));
	user.created = DatumGetTimestampTz(result_column(tuple, desc, 3, TIMESTAMPTZOID, NULL));
	user.modified = DatumGetTimestampTz(result_column(tuple, desc, 4, TIMESTAMPTZOID, NULL));
	user.id = binding_id_to_text(listing->table,
								 result_column(tuple, desc, 5, listing->table->id_type, NULL));
	if (listing->filter != NULL && !filter_matches(listing->filter, user_with_common(listing->api, &user)))
		return;
	listing->found++;
	if (listing->found < page->start)
		return;
	if (listing->found - page->start >= page->limit)
	{
		page->has_more = true;
		return;
	}
	user.document = computed_document(listing->table, listing->api, &listing->selection, READ_STABLE, user.id,
									  user.document);
	old = MemoryContextSwitchTo(GetMemoryChunkContext(page->items));
	document_push(page->items,
				  document_copy(listing->shape->show_listed(listing->api->schema, listing->api->profile,
															&user, &listing->selection)));
	MemoryContextSwitchTo(old);
}

/* How many users there are, when nobody asks which. */
static int64
count_users(Listing *listing)
{
	bool		isnull;
	int64		count;

	if (SPI_execute(psprintf("SELECT pg_catalog.count(*) FROM %s u WHERE true%s",
							 listing->table->users_sql, tenant_condition(&listing->table->layout, "u")),
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "counting users failed");	/* can't happen */
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return count;
}

static void
go_through(Listing *listing)
{
	MemoryContext context = CurrentMemoryContext;
	ListPage   *page = &listing->page;
	const Layout *layout = &listing->table->layout;
	StringInfoData query;
	SPIPlanPtr	plan;
	Portal		portal;

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT %s, %s, %s, %s, %s FROM %s WHERE %s%s ORDER BY %s",
					 layout->document_sql, layout->version_sql, layout->created_sql,
					 layout->modified_sql, layout->id_sql, layout->from_sql,
					 listing->nconditions > 0 ? listing->condition.data : "true",
					 tenant_condition(layout, "u"), listing->order);
	/* one more than the page has tells whether there are more */
	if (listing->filter == NULL)
		appendStringInfo(&query, " OFFSET " INT64_FORMAT " LIMIT " INT64_FORMAT, page->start - 1,
						 page->limit + 1);
	plan = SPI_prepare(query.data, listing->nconditions, listing->parameter_types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s: %s", SPI_result_code_string(SPI_result), query.data);	/* can't happen */
	portal = SPI_cursor_open(NULL, plan, listing->parameters, NULL, true);
	/* of all users, those before the page are passed over by PostgreSQL */
	if (listing->filter == NULL)
		listing->found = page->start - 1;
	/* behind the page, users are only counted */
	while (!page->has_more || listing->request->wants_total)
	{
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			CHECK_FOR_INTERRUPTS();
			MemoryContextSwitchTo(listing->row);
			take_user(listing, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
			MemoryContextReset(listing->row);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	page->total = -1;
	if (listing->request->wants_total)
		page->total = listing->filter == NULL ? count_users(listing) : listing->found;
	MemoryContextSwitchTo(context);
}

/*
 * A page of users, in the shape of the API; within a connection to SPI.
 */
Jsonb *
list_users(const ListCall *call)
{
	const ListRequest *request = &call->request;
	Listing		listing = {0};
	const Profile *profile;

	listing.request = request;
	listing.table = binding_open(call->users);
	listing.api = binding_api(listing.table, call->api);
	profile = listing.api->profile;
	listing.shape = body_shape(profile->body);
	binding_require_privileges(listing.table, ACL_SELECT);
	if (request->filter != NULL)
	{
		listing.filter = listing.shape->read_filter(profile, request->filter);
		filter_bind(listing.filter, listing.api->schema, common_schema(), NULL);
	}
	use_indexes(&listing);
	set_order(&listing, request->sort_keys);
	select_shown(&listing.selection, listing.api->schema, &request->shown);
	listing.page.start = Max(request->start, 1);
	/* negative is 0 (RFC 7644 section 3.4.2.4) */
	listing.page.limit = request->has_count ? Min(Max(request->count, 0), LIST_MAX_COUNT) : DEFAULT_COUNT;
	listing.page.items = document_new_array();
	listing.row = AllocSetContextCreate(CurrentMemoryContext, "userstore listed user",
										ALLOCSET_DEFAULT_SIZES);
	go_through(&listing);
	return document_to_jsonb(listing.shape->show_list(profile, request, &listing.page));
}

/* The arguments sort_by and sort_order. */
static void
sort_arguments(FunctionCallInfo fcinfo, int by, int order, ListRequest *request)
{
	SortKey    *key = palloc0(sizeof(SortKey));
	char	   *direction = text_argument(fcinfo, order);

	key->path = text_argument(fcinfo, by);
	key->descends = pg_strcasecmp(direction, "descending") == 0;
	if (!key->descends && pg_strcasecmp(direction, "ascending") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("argument \"%s\" is not known: \"%s\"", "sort_order",
						shown_name(direction, strlen(direction))),
				 errdetail_path("sort_order", SCIM_INVALID_VALUE),
				 errhint("It is ascending or descending.")));
	if (key->path != NULL)
		request->sort_keys = list_make1(key);
}

/*
 * users_list(users regclass, filter text, sort_by text, sort_order text,
 *		start_index bigint, count bigint, attributes text[],
 *		excluded_attributes text[], api text)
 */
Datum
users_list(PG_FUNCTION_ARGS)
{
	ListCall	call = {0};
	ListRequest *request = &call.request;
	Jsonb	   *answer;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 3, "sort_order");
	require_argument(fcinfo, 4, "start_index");
	call.users = PG_GETARG_OID(0);
	request->filter = text_argument(fcinfo, 1);
	sort_arguments(fcinfo, 2, 3, request);
	request->start = PG_GETARG_INT64(4);
	request->has_count = !PG_ARGISNULL(5);
	request->count = request->has_count ? PG_GETARG_INT64(5) : 0;
	shown_arguments(fcinfo, 6, 7, &request->shown);
	request->wants_total = true;
	call.api = text_argument(fcinfo, 8);
	SPI_connect();
	answer = give_to_caller(list_users(&call));
	SPI_finish();
	PG_RETURN_JSONB_P(answer);
}
