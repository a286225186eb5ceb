/*
 * target_http.c
 *	  The parts of HTTP requests: the target with its query, and headers.  The
 *	  request is text of lines:
 *
 *		/Users?filter=userName+sw+%22a%22&count=5
 *		If-Match: W/"1"
 */
#include "fuzz.h"

#include "core/http.h"
#include "core/scim/common.h"
#include "core/select.h"

typedef struct Request
{
	FuzzInput  *input;
	char	   *url;
	JsonbValue *headers;
	JsonbValue *document;
	HttpTarget *target;
	ListRequest list;
	Filter	   *filter;
} Request;

static void
read_target(void *arg)
{
	Request    *request = arg;

	request->target = http_read_target(request->url);
}

/* What is encoded is decoded to the same. */
static void
check_encoding(const HttpTarget *target)
{
	StringInfoData url;
	ListCell   *a;
	ListCell   *b;
	HttpTarget *again;

	initStringInfo(&url);
	foreach(a, target->segments)
		appendStringInfo(&url, "/%s", http_url_encode(lfirst(a)));
	foreach(a, target->query)
	{
		HttpParameter *parameter = lfirst(a);

		appendStringInfo(&url, "%c%s=%s", foreach_current_index(a) == 0 ? '?' : '&',
						 http_url_encode(parameter->name), http_url_encode(parameter->value));
	}
	again = http_read_target(url.data);
	if (list_length(again->segments) != list_length(target->segments) ||
		list_length(again->query) != list_length(target->query))
		finding("the URL is another one when it is written again: %s", url.data);
	forboth(a, target->segments, b, again->segments)
	{
		if (strcmp(lfirst(a), lfirst(b)) != 0)
			finding("segment \"%s\" becomes \"%s\"", (char *) lfirst(a), (char *) lfirst(b));
	}
	forboth(a, target->query, b, again->query)
	{
		HttpParameter *before = lfirst(a);
		HttpParameter *after = lfirst(b);

		if (strcmp(before->name, after->name) != 0 || strcmp(before->value, after->value) != 0)
			finding("parameter \"%s\" becomes \"%s\"", before->name, after->name);
	}
}

static void
read_list(void *arg)
{
	Request    *request = arg;
	const FuzzApi *api = request->input->api;

	api->shape->read_list(api->profile, request->target->query, &request->list);
}

/* The body of a search, which is the document here. */
static void
read_search(void *arg)
{
	Request    *request = arg;

	request->input->api->shape->read_search(request->document, &request->list);
}

/* A list as far as it can be had without a table: a page of one user. */
static void
show_list(void *arg)
{
	Request    *request = arg;
	const ListRequest *list = &request->list;
	const FuzzApi *api = request->input->api;
	Selection	selection = {0};
	ListPage	page = {document_new_array(), Max(list->start, 1), list->count, true, -1};
	UserState	user = {0};
	ListCell   *lc;

	if (list->filter != NULL)
	{
		request->filter = api->shape->read_filter(api->profile, list->filter);
		filter_bind(request->filter, api->schema, common_schema(), NULL);
		(void) filter_matches(request->filter, request->document);
	}
	selection.wanted.given = list->shown.selects;
	selection.excluded.given = list->shown.excludes;
	foreach(lc, list->shown.attributes)
		path_set_add(&selection.wanted, api->schema, lfirst(lc));
	foreach(lc, list->shown.excluded)
		path_set_add(&selection.excluded, api->schema, lfirst(lc));
	user.id = "ann";
	user.document = request->document;
	user.version = 1;
	document_push(page.items, api->shape->show_listed(api->schema, api->profile, &user, &selection));
	check_value(api->shape->show_list(api->profile, list, &page), "list");
}

/* "Name: value" */
static void
add_header(JsonbValue *headers, char *line)
{
	char	   *value = strchr(line, ':');

	if (value == NULL)
		return;
	*value++ = '\0';
	document_set(headers, line, strlen(line), document_string(value));
}

static void
read_headers(const Request *request)
{
	static const char *const names[] = {"If-Match", "Prefer", "Idempotency-Key", "Content-Type"};

	for (int i = 0; i < lengthof(names); i++)
	{
		char	   *value = http_header(request->headers, names[i]);

		if (value == NULL)
			continue;
		(void) http_read_string(value);
		(void) http_preference(value, "return");
		(void) http_is_json(value);
		(void) http_read_entity_tags(value);
	}
}

/* A tag of ours is read as the version that it is of. */
static void
check_entity_tags(const Request *request)
{
	char	   *value = http_header(request->headers, "If-Match");
	Expectation expected;

	if (value == NULL)
		return;
	expected = http_read_entity_tags(value);
	for (int i = 0; i < expected.count; i++)
	{
		char	   *tag = http_entity_tag(expected.versions[i]);
		Expectation again = http_read_entity_tags(tag);

		if (again.any || again.count != 1 || again.versions[0] != expected.versions[i])
			finding("tag %s is not read as it is written", tag);
	}
}

static void
run(FuzzInput *input)
{
	Request		request = {input};
	char	   *line = input->request;
	StringInfo	before;

	request.document = document_from_jsonb(input->document);
	request.headers = document_new_object();
	before = snapshot(request.document);
	request.url = strsep(&line, "\n");
	while (line != NULL)
		add_header(request.headers, strsep(&line, "\n"));
	read_headers(&request);
	check_entity_tags(&request);
	if (attempt(read_target, &request))
	{
		check_encoding(request.target);
		if (attempt(read_list, &request))
			(void) attempt(show_list, &request);
	}
	if (input->api->shape->read_search != NULL)
	{
		memset(&request.list, 0, sizeof(ListRequest));
		if (attempt(read_search, &request))
			(void) attempt(show_list, &request);
	}
	check_unchanged(request.document, before, "the document");
}

const FuzzTarget http_target = {
	.name = "http",
	.request = REQUEST_HTTP,
	.run = run,
};
