/*
 * define.c
 *	  Define and drop attribute schemas and API profiles.
 *
 * Anyone may define them; each belongs to the role that did.  The rows are
 * written as the catalog's owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "core/errors.h"
#include "core/validate.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(attribute_schema_define);
PG_FUNCTION_INFO_V1(attribute_schema_drop);
PG_FUNCTION_INFO_V1(api_profile_define);
PG_FUNCTION_INFO_V1(api_profile_drop);
PG_FUNCTION_INFO_V1(shipped_guard);

static char *
text_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	require_argument(fcinfo, arg, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/*
 * May the caller redefine or drop a row of the catalog?  A role that is gone
 * leaves it to superusers.
 */
static void
require_row_owner(JsonbValue *row, const char *kind, const char *name)
{
	JsonbValue *owner_name = document_member(row, "owner");
	Oid			owner = get_role_oid(document_cstring(owner_name), true);

	if (OidIsValid(owner) ? !caller_owns(owner) : !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of %s \"%s\"", kind, name),
				 errhint("Define one of your own under another name.")));
}

static bool
uses_schema(const Registration *registration, const char *id)
{
	ListCell   *lc;

	foreach(lc, registration->schemas)
	{
		if (strcmp(lfirst(lc), id) == 0)
			return true;
	}
	return false;
}

/* Judge the users of one table against attributes that may come. */
static void
judge_table(Oid users, const Schema *schema, const Profile *profile, ReturnSetInfo *result)
{
	MemoryContext item = AllocSetContextCreate(CurrentMemoryContext,
											   "userstore stored user",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	const Layout *layout = &binding_open(users)->layout;
	Portal		portal;

	portal = SPI_cursor_open_with_args(NULL,
									   psprintf("SELECT %s::pg_catalog.text, %s FROM %s ORDER BY %s",
												layout->id_sql, layout->document_sql, layout->from_sql,
												layout->id_sql),
									   0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 100);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			HeapTuple	tuple = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;
			Validation	validation = {0};
			Jsonb	   *document;
			ListCell   *lc;

			CHECK_FOR_INTERRUPTS();
			old = MemoryContextSwitchTo(item);
			validation.collect = true;
			validation.absent = profile->absent;
			document = DatumGetJsonbP(result_column(tuple, desc, 2, JSONBOID, NULL));
			if (JB_ROOT_IS_OBJECT(document))
				validate_document(&validation, schema, document_from_jsonb(document));
			else
				validation_problem(&validation, "", SCIM_INVALID_SYNTAX, NULL,
								   "the document is not a JSON object");
			foreach(lc, validation.problems)
			{
				Problem    *problem = lfirst(lc);
				Datum		values[4];
				bool		nulls[4] = {0};

				values[0] = ObjectIdGetDatum(users);
				values[1] = SPI_getbinval(tuple, desc, 1, &nulls[1]);
				values[2] = CStringGetTextDatum(problem->path);
				values[3] = CStringGetTextDatum(problem->message);
				tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
			}
			MemoryContextSwitchTo(old);
			MemoryContextReset(item);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(item);
}

/* Users who share a value that would have to be unique. */
static void
judge_unique(Oid users, const Schema *schema, ReturnSetInfo *result)
{
	const Layout *layout = &binding_open(users)->layout;
	ListCell   *lc;

	foreach(lc, schema_unique_attributes(schema))
	{
		Attribute  *attribute = lfirst(lc);
		char	   *value = unique_comparison(schema, attribute);

		if (SPI_execute(psprintf("SELECT u.id::pg_catalog.text FROM"
								 " (SELECT id, %s AS value, pg_catalog.count(*) OVER (PARTITION BY d.tenant, %s) AS users"
								 " FROM (SELECT %s AS id, %s AS document, %s AS tenant FROM %s) d) u"
								 " WHERE u.value IS NOT NULL AND u.users OPERATOR(pg_catalog.>) 1 ORDER BY u.id",
								 value, value, layout->id_sql, layout->document_sql,
								 layout->tenant == NULL ? "null" :
								 psprintf("u.%s", quote_identifier(layout->tenant)),
								 layout->from_sql),
						true, 0) != SPI_OK_SELECT)
			elog(ERROR, "judging unique values failed");	/* can't happen */
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		values[4];
			bool		nulls[4] = {0};

			values[0] = ObjectIdGetDatum(users);
			values[1] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &nulls[1]);
			values[2] = CStringGetTextDatum(attribute->path);
			values[3] = CStringGetTextDatum(psprintf("attribute \"%s\" has a value that another user has",
													 attribute->path));
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
		SPI_freetuptable(SPI_tuptable);
	}
}

/*
 * What a document would do to the tables that use its schema: those that the
 * caller may read are judged.
 */
static void
judge_tables(const char *id, JsonbValue *document, ReturnSetInfo *result)
{
	ListCell   *lc;

	foreach(lc, catalog_registrations())
	{
		Registration *registration = lfirst(lc);
		Profile    *profile;
		Schema	   *schema;
		List	   *documents = NIL;
		ListCell   *ls;

		if (!uses_schema(registration, id) || get_rel_name(registration->users) == NULL)
			continue;
		if (pg_class_aclcheck(registration->users, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		{
			ereport(NOTICE,
					(errmsg("table \"%s\" is not judged: no privilege to read it",
							get_rel_name(registration->users))));
			continue;
		}
		foreach(ls, registration->schemas)
		{
			JsonbValue *row;

			if (strcmp(lfirst(ls), id) == 0)
			{
				documents = lappend(documents, document);
				continue;
			}
			row = catalog_schema_row(lfirst(ls));
			if (row != NULL)
				documents = lappend(documents, document_member(row, "document"));
		}
		profile = catalog_profile(registration->api);
		schema = schema_compile(documents, profile->scim_common);
		schema_apply_rules(schema, profile->rules, false);
		schema_apply_lookups(schema, catalog_lookups(registration->users));
		schema_link(schema);
		judge_table(registration->users, schema, profile, result);
		judge_unique(registration->users, schema, result);
	}
}

/* By a column or claims of ours, or by an index of the app's. */
static bool
is_kept_unique(const Registration *registration, const char *path)
{
	ListCell   *lc;

	if (document_member(registration->unique_columns, path) != NULL)
		return true;
	if (registration->layout == NULL)
		return false;
	foreach(lc, binding_open(registration->users)->unique_indexes)
	{
		if (strcmp(((UniqueIndex *) lfirst(lc))->path, path) == 0)
			return true;
	}
	return false;
}

/* New unique attributes need a column, which costs a rewrite: say so. */
static void
advise_refresh(const char *id)
{
	ListCell   *lc;

	foreach(lc, catalog_registrations())
	{
		Registration *registration = lfirst(lc);
		Profile		without_rules;
		ListCell   *la;

		if (!uses_schema(registration, id) || get_rel_name(registration->users) == NULL)
			continue;
		/* rules cannot change what is unique, and may be another role's */
		without_rules = *catalog_profile(registration->api);
		without_rules.rules = NULL;
		foreach(la, schema_unique_attributes(catalog_schema(registration->schemas,
															&without_rules, &without_rules, NULL)))
		{
			Attribute  *attribute = lfirst(la);

			if (!is_kept_unique(registration, attribute->path))
				ereport(NOTICE,
						(errmsg("attribute \"%s\" is not unique in table \"%s\" yet",
								attribute->path, get_rel_name(registration->users)),
						 errhint("Call userstore.user_table_refresh for the table.")));
		}
	}
}

/*
 * attribute_schema_define(document jsonb, dry_run boolean)
 */
Datum
attribute_schema_define(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Jsonb	   *jsonb;
	JsonbValue *document;
	JsonbValue *row;
	char	   *id;

	require_argument(fcinfo, 0, "document");
	require_argument(fcinfo, 1, "dry_run");
	InitMaterializedSRF(fcinfo, 0);
	jsonb = PG_GETARG_JSONB_P(0);
	document = document_from_jsonb(jsonb);
	id = schema_check(document);
	row = catalog_schema_row(id);
	if (row != NULL)
		require_row_owner(row, "attribute schema", id);
	if (PG_GETARG_BOOL(1))
	{
		SPI_connect();
		judge_tables(id, document, result);
		SPI_finish();
	}
	else
	{
		Oid			types[2] = {JSONBOID, NAMEOID};
		Datum		values[2];

		values[0] = JsonbPGetDatum(jsonb);
		values[1] = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(GetUserId(), false)));
		if (row == NULL)
			(void) catalog_execute("INSERT INTO userstore.attribute_schema (document, owner) VALUES ($1, $2)",
								   2, types, values, NULL);
		else
			(void) catalog_execute("UPDATE userstore.attribute_schema SET document = $1, defined_at = pg_catalog.now()"
								   " WHERE id OPERATOR(pg_catalog.=) ($1 OPERATOR(pg_catalog.->>) 'id')",
								   1, types, values, NULL);
		CommandCounterIncrement();
		advise_refresh(id);
	}
	return (Datum) 0;
}

/*
 * attribute_schema_drop(id text)
 */
Datum
attribute_schema_drop(PG_FUNCTION_ARGS)
{
	char	   *id = text_argument(fcinfo, 0, "id");
	JsonbValue *row = catalog_schema_row(id);
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	ListCell   *lc;
	char	   *profile;

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("attribute schema \"%s\" does not exist", shown_name(id, strlen(id)))));
	require_row_owner(row, "attribute schema", id);
	foreach(lc, catalog_registrations())
	{
		Registration *registration = lfirst(lc);

		if (uses_schema(registration, id) && get_rel_name(registration->users) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop attribute schema \"%s\" because table \"%s\" uses it",
							id, get_rel_name(registration->users))));
	}
	profile = catalog_profile_with_schema(id);
	if (profile != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop attribute schema \"%s\" because API profile \"%s\" uses it",
						id, profile)));
	values[0] = CStringGetTextDatum(id);
	(void) catalog_execute("DELETE FROM userstore.attribute_schema WHERE id OPERATOR(pg_catalog.=) $1",
						   1, types, values, NULL);
	PG_RETURN_VOID();
}

static bool
is_reserved_setting(const char *name)
{
	return strcmp(name, "name") == 0 || strcmp(name, "owner") == 0 ||
		strcmp(name, "shipped") == 0 || strcmp(name, "defined_at") == 0;
}

/*
 * Lay settings over those of a row.  A setting of null has its default.
 */
static JsonbValue *
merge_settings(JsonbValue *base, JsonbValue *settings)
{
	JsonbValue *merged = document_new_object();
	Oid			relid = catalog_relid(CATALOG_API_PROFILE);

	if (base != NULL)
	{
		document_foreach(pair, base)
		{
			if (!is_reserved_setting(document_cstring(&pair->key)) &&
				pair->value.type != jbvNull)
				document_append(merged, pair->key.val.string.val,
								pair->key.val.string.len, &pair->value);
		}
	}
	document_foreach(pair, settings)
	{
		char	   *name = document_cstring(&pair->key);

		if (is_reserved_setting(name) || get_attnum(relid, name) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("API profiles have no setting \"%s\"", shown_name(name, strlen(name))),
					 errdetail_path(shown_name(name, strlen(name)), SCIM_INVALID_SYNTAX),
					 errhint("The columns of userstore.api_profile are the settings.")));
		if (pair->value.type == jbvNull)
			document_remove(merged, pair->key.val.string.val, pair->key.val.string.len);
		else
			document_set(merged, pair->key.val.string.val, pair->key.val.string.len,
						 &pair->value);
	}
	return merged;
}

/* Does all that a profile says make sense for its own schemas? */
static void
check_profile(JsonbValue *settings)
{
	Profile    *profile = profile_compile(settings);
	List	   *documents = NIL;
	Schema	   *schema;
	ListCell   *lc;

	foreach(lc, profile->schemas)
	{
		JsonbValue *row = catalog_schema_row(lfirst(lc));

		if (row == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("attribute schema \"%s\" does not exist",
							shown_name(lfirst(lc), strlen(lfirst(lc))))));
		documents = lappend(documents, document_member(row, "document"));
	}
	schema = schema_compile(documents, profile->scim_common);
	schema_apply_rules(schema, profile->rules, profile->schemas != NIL);
	schema_link(schema);
	profile_check(profile, schema);
}

/*
 * api_profile_define(name text, settings jsonb, base text)
 */
Datum
api_profile_define(PG_FUNCTION_ARGS)
{
	char	   *name = text_argument(fcinfo, 0, "name");
	JsonbValue *settings;
	JsonbValue *base = NULL;
	JsonbValue *merged;
	JsonbValue *row;
	StringInfoData columns;
	Oid			types[3] = {TEXTOID, NAMEOID, JSONBOID};
	Datum		values[3];

	require_argument(fcinfo, 1, "settings");
	if (name[0] == '\0' || strlen(name) > 255)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("the name of an API profile has 1 to 255 bytes"),
				 errdetail_path("name", SCIM_INVALID_VALUE)));
	settings = document_from_jsonb(PG_GETARG_JSONB_P(1));
	if (settings->type != jbvObject)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("the settings of an API profile must be a JSON object"),
				 errdetail_path(NULL, SCIM_INVALID_SYNTAX)));
	if (!PG_ARGISNULL(2))
	{
		char	   *base_name = text_to_cstring(PG_GETARG_TEXT_PP(2));

		base = catalog_profile_row(base_name);
		if (base == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("API profile \"%s\" does not exist",
							shown_name(base_name, strlen(base_name)))));
	}
	row = catalog_profile_row(name);
	if (row != NULL)
		require_row_owner(row, "API profile", name);
	merged = merge_settings(base, settings);
	check_profile(merged);

	initStringInfo(&columns);
	document_foreach(pair, merged)
		appendStringInfo(&columns, ", %s", quote_identifier(document_cstring(&pair->key)));
	values[0] = CStringGetTextDatum(name);
	values[1] = DirectFunctionCall1(namein,
									CStringGetDatum(row ? document_cstring(document_member(row, "owner")) :
													GetUserNameFromId(GetUserId(), false)));
	values[2] = JsonbPGetDatum(document_to_jsonb(merged));
	(void) catalog_execute("DELETE FROM userstore.api_profile WHERE name OPERATOR(pg_catalog.=) $1",
						   1, types, values, NULL);
	(void) catalog_execute(psprintf("INSERT INTO userstore.api_profile (name, owner%s) SELECT $1, $2%s"
									" FROM pg_catalog.jsonb_populate_record(NULL::userstore.api_profile, $3) p",
									columns.data, columns.data),
						   3, types, values, NULL);
	/* one that shipped is there again before a dump is restored */
	if (row != NULL && document_member(row, "shipped")->val.boolean)
		(void) catalog_execute("UPDATE userstore.api_profile SET shipped = true WHERE name OPERATOR(pg_catalog.=) $1",
							   1, types, values, NULL);
	PG_RETURN_VOID();
}

/*
 * api_profile_drop(name text)
 */
Datum
api_profile_drop(PG_FUNCTION_ARGS)
{
	char	   *name = text_argument(fcinfo, 0, "name");
	JsonbValue *row = catalog_profile_row(name);
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	ListCell   *lc;

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("API profile \"%s\" does not exist", shown_name(name, strlen(name)))));
	require_row_owner(row, "API profile", name);
	foreach(lc, catalog_registrations())
	{
		Registration *registration = lfirst(lc);

		if (strcmp(registration->api, name) == 0 && get_rel_name(registration->users) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop API profile \"%s\" because table \"%s\" uses it",
							name, get_rel_name(registration->users))));
	}
	values[0] = CStringGetTextDatum(name);
	(void) catalog_execute("DELETE FROM userstore.api_profile WHERE name OPERATOR(pg_catalog.=) $1",
						   1, types, values, NULL);
	PG_RETURN_VOID();
}

/*
 * Row trigger on schemas and profiles.  Only the extension's script ships them:
 * a copy that somebody inserts is their own, and belongs in dumps.
 */
Datum
shipped_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;
	TupleDesc	desc;
	int			column;
	Datum		value = BoolGetDatum(false);
	bool		isnull = false;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"shipped_guard\" was not called as a BEFORE INSERT trigger")));
	tuple = trigger->tg_trigtuple;
	desc = RelationGetDescr(trigger->tg_relation);
	column = SPI_fnumber(desc, "shipped");
	if (!creating_extension && column > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, 1, &column, &value, &isnull);
	return PointerGetDatum(tuple);
}
