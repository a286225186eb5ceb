/*
 * origin.c
 *	  For whom and for which request users are changed, as the caller says:
 *	  claims, which history keeps beside the role, which is proven.
 *
 * A claim never makes a change fail.  One that is too long is cut, and shows
 * that; control characters, which could forge a line where history is printed,
 * become question marks.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "store/store.h"

/* Whom the application says it acts for: a setting. */
char	   *userstore_actor = NULL;

/* The characters U+0080 to U+009F are control characters, too. */
static bool
is_control(const unsigned char *c)
{
	if (GetDatabaseEncoding() == PG_UTF8 && c[0] == 0xC2)
		return c[1] >= 0x80 && c[1] < 0xA0;
	return c[0] < ' ' || c[0] == 0x7f;
}

/*
 * A claim as history keeps it; NULL when it is empty.
 */
char *
claim_text(const char *claim)
{
	int			len = strlen(claim);
	int			kept = pg_mbcharcliplen(claim, len, MAX_CLAIM_LENGTH);
	char	   *text;
	char	   *end;

	if (len == 0)
		return NULL;
	if (kept < len)
		kept = pg_mbcharcliplen(claim, len, MAX_CLAIM_LENGTH - 3);
	end = text = palloc(kept + sizeof("..."));

	for (int i = 0; i < kept;)
	{
		int			width = Min(pg_mblen(claim + i), kept - i);

		if (is_control((const unsigned char *) claim + i))
			*end++ = '?';
		else
		{
			memcpy(end, claim + i, width);
			end += width;
		}
		i += width;
	}
	*end = '\0';
	if (kept < len)
		memcpy(end, "...", sizeof("..."));
	return text;
}

/* Claims as the object that they are; NULL when they are none. */
static Jsonb *
parse_claims(const char *claims)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile parsed = NULL;

	PG_TRY();
	{
		parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(claims)));
	}
	PG_CATCH();
	{
		switch (ERRCODE_TO_CATEGORY(geterrcode()))
		{
			case ERRCODE_DATA_EXCEPTION:
			case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			case ERRCODE_FEATURE_NOT_SUPPORTED: /* an escape, in SQL_ASCII */
				break;
			default:
				PG_RE_THROW();
		}
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return parsed != NULL && JB_ROOT_IS_OBJECT(parsed) ? parsed : NULL;
}

/*
 * The subject of the JSON Web Token (RFC 7519 section 4.1.2) with which
 * PostgREST was called, or NULL.
 */
static char *
token_subject(void)
{
	const char *claims = GetConfigOption("request.jwt.claims", true, false);
	Jsonb	   *parsed;
	JsonbValue *subject;

	/* a setting that was local to a transaction is empty after it */
	if (claims == NULL || claims[0] == '\0' || (parsed = parse_claims(claims)) == NULL)
		return NULL;
	subject = getKeyJsonValueFromContainer(&parsed->root, "sub", strlen("sub"), NULL);
	if (subject == NULL)
		return NULL;
	if (subject->type == jbvString)
		return claim_text(document_cstring(subject));
	/* should be a string; but some issuers send their users' numbers */
	if (subject->type == jbvNumeric)
		return claim_text(DatumGetCString(DirectFunctionCall1(numeric_out,
															  NumericGetDatum(subject->val.numeric))));
	return NULL;
}

/*
 * Whom the caller says it acts for: the setting userstore.actor, or else whom
 * PostgREST knows; NULL when nobody says.
 */
char *
claimed_actor(void)
{
	if (userstore_actor != NULL && userstore_actor[0] != '\0')
		return claim_text(userstore_actor);
	return token_subject();
}
