/*
 * settings.c
 *	  Settings of a user table, which its owner changes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_table_set);

typedef struct Setting
{
	const char *name;			/* and of its column of userstore.user_table */
	char	   *(*check) (const char *value, Oid users);	/* as it is kept */
} Setting;

static char *
check_password_function(const char *value, Oid users)
{
	return function_name_for(&password_kind, value, users);
}

static char *
check_before_update(const char *value, Oid users)
{
	return function_name_for(&hook_kind, value, users);
}

/* As NOTIFY has it. */
static char *
check_notify(const char *value, Oid users)
{
	if (value[0] == '\0' || strlen(value) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a channel has a name of 1 to %d bytes", NAMEDATALEN - 1),
				 errhint("Name it as LISTEN does; LISTEN folds names that are not quoted to lower case.")));
	return pstrdup(value);
}

static const Setting settings[] = {
	{"before_update", check_before_update},
	{"notify", check_notify},
	{"password_function", check_password_function},
};

static const Setting *
find_setting(const char *name)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(settings); i++)
	{
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", settings[i].name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("user tables have no setting \"%s\"", shown_name(name, strlen(name))),
			 errhint("They have: %s.", names.data)));
	return NULL;				/* keep the compiler quiet */
}

/*
 * user_table_set(users regclass, setting text, value text)
 */
Datum
user_table_set(PG_FUNCTION_ARGS)
{
	Registration registration;
	const Setting *setting;
	Oid			types[2] = {REGCLASSOID, TEXTOID};
	Datum		values[2] = {0};
	char		nulls[] = "  ";

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "setting");
	require_own_table(PG_GETARG_OID(0), &registration);
	setting = find_setting(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	values[0] = PG_GETARG_DATUM(0);
	if (PG_ARGISNULL(2))
		nulls[1] = 'n';
	else
		values[1] = CStringGetTextDatum(setting->check(text_to_cstring(PG_GETARG_TEXT_PP(2)),
													   registration.users));
	(void) catalog_execute(psprintf("UPDATE userstore.user_table SET %s = $2"
									" WHERE users OPERATOR(pg_catalog.=) $1", setting->name),
						   2, types, values, nulls);
	PG_RETURN_VOID();
}
