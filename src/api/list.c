/*
 * list.c
 *	  What requests for lists have in common: the parameters of their query, and
 *	  links to the pages.
 *
 * A parameter without a value is taken for one that was left out, as web forms
 * send them; those that nobody knows are passed over.
 */
#include "postgres.h"

#include "api/api.h"
#include "core/errors.h"

/* The value of a parameter, whose name may be in any case, or NULL. */
const char *
list_parameter(List *query, const char *name)
{
	ListCell   *lc;

	foreach(lc, query)
	{
		HttpParameter *parameter = lfirst(lc);

		if (pg_strcasecmp(parameter->name, name) == 0 &&
			parameter->value[strspn(parameter->value, " ")] != '\0')
			return parameter->value;
	}
	return NULL;
}

void
refuse_parameter(const char *name, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("parameter \"%s\" cannot be \"%s\"", name, shown_name(value, strlen(value))),
			 errdetail_path(name, SCIM_INVALID_VALUE),
			 errhint("%s", hint)));
}

void
refuse_together(const char *name, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("parameters \"%s\" and \"%s\" cannot go together", name, other),
			 errdetail_path(name, SCIM_INVALID_VALUE),
			 errhint("Send one of them.")));
}

/* Names that commas separate; they may have blanks in them. */
List *
list_names(const char *text)
{
	List	   *names = NIL;

	for (;;)
	{
		const char *start = text +strspn(text, " ");
		int			len = strcspn(start, ",");
		const char *next = start + len;

		while (len > 0 && start[len - 1] == ' ')
			len--;
		if (len > 0)
			names = lappend(names, pnstrdup(start, len));
		if (*next == '\0')
			return names;
		text = next + 1;
	}
}

/* An integer, if the parameter is there. */
bool
list_integer(List *query, const char *name, int64 *number)
{
	const char *value = list_parameter(query, name);
	char	   *end;

	if (value == NULL)
		return false;
	errno = 0;
	*number = strtoi64(value, &end, 10);
	if (errno != 0 || end == value || end[strspn(end, " ")] != '\0')
		refuse_parameter(name, value, "Send a whole number.");
	return true;
}

void
push_link(JsonbValue *links, const char *rel, const char *href)
{
	JsonbValue *link = document_new_object();

	document_add(link, "rel", document_string(rel));
	document_add(link, "href", document_string(href));
	document_push(links, link);
}

/*
 * Where a page is found: the query as it was sent, but with the page's own place.
 */
char *
list_url(const Profile *profile, const char *collection, List *query, int64 offset, int64 limit)
{
	StringInfoData url;
	ListCell   *lc;

	initStringInfo(&url);
	appendStringInfo(&url, "%s?", user_url(profile, collection, NULL));
	foreach(lc, query)
	{
		HttpParameter *parameter = lfirst(lc);

		if (pg_strcasecmp(parameter->name, "offset") != 0 &&
			pg_strcasecmp(parameter->name, "limit") != 0)
			appendStringInfo(&url, "%s=%s&", http_url_encode(parameter->name),
							 http_url_encode(parameter->value));
	}
	appendStringInfo(&url, "offset=" INT64_FORMAT "&limit=" INT64_FORMAT, offset, limit);
	return url.data;
}
