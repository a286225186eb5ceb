/*
 * errors.c
 *	  The parts of an error report that our errors share.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "core/document.h"
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

/* A DETAIL as the object that it is, or NULL. */
static JsonbValue *
parse_detail(const char *detail)
{
	MemoryContext context = CurrentMemoryContext;
	JsonbValue *volatile parsed = NULL;

	if (detail == NULL || detail[0] != '{')
		return NULL;
	PG_TRY();
	{
		parsed = document_from_jsonb(DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
																		CStringGetDatum(detail))));
	}
	PG_CATCH();
	{
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return parsed;
}

/*
 * A DETAIL that says, too, which item of a request it is about.  One of
 * somebody else's that is no object is left out.
 */
char *
error_detail_at(int index, const char *detail)
{
	JsonbValue *parsed = parse_detail(detail);

	if (parsed == NULL || parsed->val.object.nPairs == 0)
		return psprintf("{\"index\": %d}", index);
	return psprintf("{\"index\": %d, %s", index, detail + 1);
}

/*
 * Take such a DETAIL apart.  Where it is somebody else's, both are NULL.
 */
void
error_read_detail(const char *detail, char **path, char **scim_type)
{
	JsonbValue *parsed = parse_detail(detail);
	JsonbValue *member;

	*path = *scim_type = NULL;
	if (parsed == NULL)
		return;
	member = document_member(parsed, "path");
	if (member != NULL && member->type == jbvString)
		*path = document_cstring(member);
	member = document_member(parsed, "scimType");
	if (member != NULL && member->type == jbvString)
		*scim_type = document_cstring(member);
}

/*
 * The HTTP status that goes with an SQLSTATE: ours say it themselves, of
 * PostgreSQL's the ones that tell of the request rather than of the server.
 */
int
http_status(int sqlstate)
{
	char	   *code = unpack_sql_state(sqlstate);

	/* a trigger may raise others, but what failed has not another status */
	if (strncmp(code, "PT", 2) == 0 && strspn(code + 2, "0123456789") == 3 &&
		(code[2] == '4' || code[2] == '5'))
		return (code[2] - '0') * 100 + (code[3] - '0') * 10 + code[4] - '0';
	switch (sqlstate)
	{
		case ERRCODE_DIVISION_BY_ZERO:	/* a trigger's: users have no sums */
			return 500;
		case ERRCODE_UNIQUE_VIOLATION:
		case ERRCODE_FOREIGN_KEY_VIOLATION:
		case ERRCODE_RESTRICT_VIOLATION:
		case ERRCODE_EXCLUSION_VIOLATION:
			return 409;
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return 403;
		case ERRCODE_RAISE_EXCEPTION:
			return 400;
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_READ_ONLY_SQL_TRANSACTION: /* a standby's, for instance */
			return 503;
	}
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
			return 400;
		case ERRCODE_INSUFFICIENT_RESOURCES:
			return 503;
	}
	return 500;
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

/* The same for what is wrong in a text: {"scimType": …, "position": …}. */
int
errdetail_position(const char *scim_type, int position)
{
	return errdetail_internal("{\"scimType\": \"%s\", \"position\": %d}", scim_type, position);
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

	/* to SQL_ASCII a byte is a character, but most that it holds is UTF-8 */
	if (GetDatabaseEncoding() == PG_SQL_ASCII && clipped < len)
	{
		while (clipped > 0 && (name[clipped] & 0xC0) == 0x80)
			clipped--;
	}
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
