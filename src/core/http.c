/*
 * http.c
 *	  Read the parts of an HTTP request (RFC 9110) as far as user records need
 *	  them.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"

#include "core/errors.h"
#include "core/http.h"

/*
 * Targets (RFC 3986)
 */

static void
refuse_target(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("%s", message),
			 errdetail_path(NULL, SCIM_INVALID_SYNTAX),
			 errhint("Encode the bytes of UTF-8 that are not letters, digits or any of -._~ as %%XX.")));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = pg_ascii_tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode a part of a URL; in a query a plus sign stands for a space. */
static char *
decode(const char *string, int len, bool is_query)
{
	char	   *bytes = palloc(len + 1);
	int			count = 0;

	for (int i = 0; i < len; i++)
	{
		char		c = string[i];

		if (c == '%')
		{
			int			high = i + 2 < len ? hex_digit(string[i + 1]) : -1;
			int			low = i + 2 < len ? hex_digit(string[i + 2]) : -1;

			if (high < 0 || low < 0 || (high == 0 && low == 0))
				refuse_target("the URL has a wrong percent-encoding");
			c = high * 16 + low;
			i += 2;
		}
		else if (c == '+' && is_query)
			c = ' ';
		bytes[count++] = c;
	}
	bytes[count] = '\0';
	if (!pg_verify_mbstr(PG_UTF8, bytes, count, true))
		refuse_target("the URL is not encoded in UTF-8");
	return pg_any_to_server(bytes, count, PG_UTF8);
}

static List *
read_query(const char *query, int len)
{
	List	   *parameters = NIL;
	const char *end = query + len;

	for (const char *next; query < end; query = next + 1)
	{
		const char *equals;
		HttpParameter *parameter;

		next = memchr(query, '&', end - query);
		if (next == NULL)
			next = end;
		if (next == query)
			continue;
		equals = memchr(query, '=', next - query);
		if (equals == NULL)
			equals = next;
		parameter = palloc(sizeof(HttpParameter));
		parameter->name = decode(query, equals - query, true);
		parameter->value = equals == next ? "" : decode(equals + 1, next - equals - 1, true);
		parameters = lappend(parameters, parameter);
	}
	return parameters;
}

/*
 * A target as the request line has it: a path and perhaps a query.
 */
HttpTarget *
http_read_target(const char *target)
{
	HttpTarget *result = palloc0(sizeof(HttpTarget));
	int			len = strcspn(target, "?#");
	int			next;

	if (target[len] == '?')
		result->query = read_query(target + len + 1, strcspn(target + len + 1, "#"));
	for (int i = 0; i < len; i = next + 1)
	{
		const char *slash = memchr(target + i, '/', len - i);

		next = slash != NULL ? slash - target : len;
		if (next > i)
			result->segments = lappend(result->segments, decode(target + i, next - i, false));
	}
	return result;
}

/* The value of a parameter, whose name may be in any case, or NULL. */
const char *
http_parameter(List *query, const char *name)
{
	ListCell   *lc;

	foreach(lc, query)
	{
		HttpParameter *parameter = lfirst(lc);

		if (pg_strcasecmp(parameter->name, name) == 0)
			return parameter->value;
	}
	return NULL;
}

/*
 * A string as a segment of a path: what RFC 3986 does not reserve stays, and the
 * colons of URNs, which mean nothing there.
 */
char *
http_url_encode(const char *string)
{
	StringInfoData url;
	char	   *utf8 = pg_server_to_any(string, strlen(string), PG_UTF8);

	initStringInfo(&url);
	for (const unsigned char *c = (const unsigned char *) utf8; *c; c++)
	{
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9') || strchr("-._~:", *c))
			appendStringInfoChar(&url, *c);
		else
			appendStringInfo(&url, "%%%02X", *c);
	}
	return url.data;
}

/*
 * Headers
 */

static void
append_header_value(StringInfo string, JsonbValue *value)
{
	if (value->type == jbvString)
		appendBinaryStringInfo(string, value->val.string.val, value->val.string.len);
	else if (value->type == jbvNumeric)
		appendStringInfoString(string, DatumGetCString(DirectFunctionCall1(numeric_out,
																		   NumericGetDatum(value->val.numeric))));
}

/*
 * The value of a header, whose name may be in any case, without blanks around
 * it, or NULL.  One that came several times may be an array.
 */
char *
http_header(JsonbValue *headers, const char *name)
{
	StringInfoData joined;
	bool		found = false;
	char	   *start;
	int			len = strlen(name);

	if (headers == NULL)
		return NULL;
	initStringInfo(&joined);
	document_foreach(pair, headers)
	{
		bool		is_list = pair->value.type == jbvArray;
		int			count = is_list ? pair->value.val.array.nElems : 1;

		if (pair->key.val.string.len != len || pg_strncasecmp(pair->key.val.string.val, name, len) != 0 ||
			pair->value.type == jbvNull)
			continue;
		for (int i = 0; i < count; i++)
		{
			if (found)
				appendStringInfoString(&joined, ", ");
			append_header_value(&joined, is_list ? &pair->value.val.array.elems[i] : &pair->value);
			found = true;
		}
	}
	if (!found)
		return NULL;
	start = joined.data + strspn(joined.data, " \t");

	while (joined.len > start - joined.data && strchr(" \t", joined.data[joined.len - 1]) != NULL)
		joined.data[--joined.len] = '\0';

	return start;
}

/*
 * A value that may be a quoted string, as structured fields have them (RFC 8941
 * section 3.3.3), or stands as it is.
 */
char *
http_read_string(const char *value)
{
	int			len = strlen(value);
	char	   *string = palloc(len + 1);
	int			count = 0;

	if (len < 2 || value[0] != '"' || value[len - 1] != '"')
		return pstrdup(value);
	for (int i = 1; i < len - 1; i++)
	{
		if (value[i] == '\\' && i + 1 < len - 1)
			i++;
		string[count++] = value[i];
	}
	string[count] = '\0';
	return string;
}

/*
 * The next of the elements that commas separate; gives NULL after the last.
 * Commas inside quotes do not count.
 */
static char *
next_element(const char **list)
{
	const char *c = *list + strspn(*list, ", \t");
	const char *start = c;
	bool		quoted = false;
	int			len;

	if (*c == '\0')
		return NULL;
	for (; *c != '\0' && (quoted || *c != ','); c++)
	{
		if (quoted && *c == '\\' && c[1] != '\0')
			c++;
		else if (*c == '"')
			quoted = !quoted;
	}
	*list = c;
	len = c - start;
	while (len > 0 && strchr(" \t", start[len - 1]) != NULL)
		len--;
	return pnstrdup(start, len);
}

/*
 * What the header Prefer says of a preference, or NULL.  Of several it is the
 * first one; a token and a string are the same (RFC 7240 section 2).
 */
char *
http_preference(const char *value, const char *name)
{
	char	   *element;

	while (value != NULL && (element = next_element(&value)) != NULL)
	{
		int			len = strcspn(element, "=; \t");
		char	   *end;

		if (len != strlen(name) || pg_strncasecmp(element, name, len) != 0)
			continue;
		element += len;
		element += strspn(element, " \t");
		if (*element != '=')
			return "";
		element++;
		element += strspn(element, " \t");
		/* parameters of the preference come behind a semicolon */
		end = element + strcspn(element, "; \t");
		if (*element == '"')
		{
			for (end = element + 1; *end != '\0' && *end != '"'; end++)
			{
				if (*end == '\\' && end[1] != '\0')
					end++;
			}
			if (*end == '"')
				end++;
		}
		*end = '\0';
		return http_read_string(element);
	}
	return NULL;
}

/*
 * Is this a media type of JSON (RFC 6839 section 3.1), such as
 * application/scim+json; charset=utf-8?
 */
bool
http_is_json(const char *media_type)
{
	static const char application[] = "application/";
	int			len = strcspn(media_type, "; \t");
	const char *subtype = media_type + sizeof(application) - 1;

	if (pg_strncasecmp(media_type, application, sizeof(application) - 1) != 0)
		return false;
	len -= sizeof(application) - 1;
	return (len == 4 && pg_strncasecmp(subtype, "json", 4) == 0) ||
		(len > 5 && pg_strncasecmp(subtype + len - 5, "+json", 5) == 0);
}

/*
 * Entity tags (RFC 9110 section 8.8.3): the version of a user, weak, since
 * answers differ in what they show of it.
 */

char *
http_entity_tag(int64 version)
{
	return psprintf("W/\"" INT64_FORMAT "\"", version);
}

/* Gives false for a tag that is none of ours. */
static bool
read_entity_tag(const char *tag, int64 *version)
{
	char	   *end;
	char	   *shown;

	if (pg_strncasecmp(tag, "W/", 2) == 0)
		tag += 2;
	if (tag[0] != '"' || !isdigit((unsigned char) tag[1]))
		return false;
	errno = 0;
	*version = strtoi64(tag + 1, &end, 10);
	/* as it is written here, without zeros in front */
	shown = psprintf("\"" INT64_FORMAT "\"", *version);
	return errno == 0 && strcmp(tag, shown) == 0;
}

/*
 * What If-Match and If-None-Match have: "*", or a list of tags.  Weak ones count
 * as strong ones do (RFC 7644 section 3.14).
 */
Expectation
http_read_entity_tags(const char *value)
{
	Expectation expected = {.given = true};
	int64	   *versions = palloc(sizeof(int64) * (strlen(value) / 2 + 1));
	char	   *element;

	while ((element = next_element(&value)) != NULL)
	{
		if (strcmp(element, "*") == 0)
			expected.any = true;
		else if (read_entity_tag(element, &versions[expected.count]))
			expected.count++;
	}
	expected.versions = versions;
	return expected;
}
