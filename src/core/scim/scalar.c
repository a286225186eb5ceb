/*
 * scalar.c
 *	  Read a value of a filter or query: a scalar as JSON has it, or a string in
 *	  single quotes.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"

#include "core/scim/scalar.h"

/* Behind the string that begins here with a quote, or NULL if it does not end. */
const char *
scalar_string_end(const char *at)
{
	char		quote = *at++;

	while (*at != quote)
	{
		if (*at == '\\' && at[1] != '\0')
			at++;
		if (*at == '\0')
			return NULL;
		at++;
	}
	return at + 1;
}

/* A string in single quotes, as JSON writes it. */
static char *
requote(const char *text, int len)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '"');
	for (int i = 1; i < len - 1; i++)
	{
		if (text[i] == '\\' && text[i + 1] == '\'')
			continue;
		if (text[i] == '"')
			appendStringInfoChar(&json, '\\');
		appendStringInfoChar(&json, text[i]);
		/* what is escaped is so still */
		if (text[i] == '\\')
			appendStringInfoChar(&json, text[++i]);
	}
	appendStringInfoChar(&json, '"');
	return json.data;
}

/*
 * The value, or NULL if the text is none.
 */
JsonbValue *
scalar_read(const char *text, int len)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *json = *text == '\'' ? requote(text, len) : pnstrdup(text, len);
	Jsonb	   *volatile value = NULL;

	PG_TRY();
	{
		/* an object or array is no scalar, and none begins like one */
		if (len > 0 && strchr("{[", *text) == NULL)
			value = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	}
	PG_CATCH();
	{
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return value != NULL ? document_from_jsonb(value) : NULL;
}
