/*
 * errors.c
 *	  The parts of an error report that our errors share.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/json.h"

#include "core/errors.h"

/* The longest part of a request's text that a message repeats, in bytes. */
#define SHOWN_NAME_LENGTH	100

/*
 * The DETAIL of our errors: {"path": …, "scimType": …}.  Either may be NULL
 * and is then left out.
 */
char *
error_detail(const char *path, const char *scim_type)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	if (path != NULL)
	{
		appendStringInfoString(&json, "\"path\": ");
		escape_json(&json, path);
	}
	if (scim_type != NULL)
	{
		appendStringInfoString(&json, path ? ", \"scimType\": " : "\"scimType\": ");
		escape_json(&json, scim_type);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * For use inside ereport(): says where in the user (an attribute path of RFC
 * 7644 section 3.10) and what kind of error, in a form that programs read.
 */
int
errdetail_path(const char *path, const char *scim_type)
{
	return errdetail_internal("%s", error_detail(path, scim_type));
}

/*
 * A name or value from a request as a message may show it: on one line and not
 * endless.
 */
char *
shown_name(const char *name, int len)
{
	char	   *shown;
	int			clipped = pg_mbcliplen(name, len, SHOWN_NAME_LENGTH);

	shown = palloc(clipped + sizeof("..."));
	memcpy(shown, name, clipped);
	shown[clipped] = '\0';
	for (char *c = shown; *c; c++)
	{
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = '?';
	}
	if (clipped < len)
		strlcat(shown, "...", clipped + sizeof("..."));
	return shown;
}

/*
 * Refuse NULL for an argument of an SQL function that has to have a value.
 */
void
require_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}
