/*
 * claim.c
 *	  Unique attributes of partitioned tables: a table of claims, in which each
 *	  value stands once.
 *
 * A unique constraint of a partitioned table has to include what it is
 * partitioned by, so it cannot keep anything else unique.  A trigger keeps the
 * claims, whoever writes the users.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_claims);

/*
 * The attributes that claims keep unique: those of the registration's account
 * whose value is true.
 */
void
claims_load(Binding *binding, JsonbValue *unique_columns)
{
	const Schema *schema;
	char	   *name;

	if (!OidIsValid(binding->claims))
		return;
	schema = binding_api(binding, NULL)->schema;
	name = get_rel_name(binding->claims);
	document_foreach(pair, unique_columns)
	{
		UniqueIndex *unique;
		char	   *path = document_cstring(&pair->key);
		Attribute  *attribute = path_resolve(schema, path);

		if (pair->value.type != jbvBool || attribute == NULL)
			continue;			/* no longer in the schema: nobody has it */
		unique = palloc0(sizeof(UniqueIndex));
		unique->name = psprintf("%s_pkey", name);
		unique->path = path;
		unique->type = unique_column_type(attribute);
		unique->is_claimed = true;
		unique->case_exact = attribute->case_exact;
		unique->way = attribute_way(schema, attribute);
		binding->unique_indexes = lappend(binding->unique_indexes, unique);
	}
}

static uint64
run_as_owner(Binding *binding, BoundStatement statement, Datum *values)
{
	SavedUser	saved;
	uint64		count;

	become_owner(binding->owner, &saved);
	count = run_statement(binding, statement, values, NULL, false);
	become_caller_again(&saved);
	return count;
}

/* What a user claims of an attribute; NULL for nothing. */
static char *
claimed(const UniqueIndex *unique, const TableRow *row)
{
	return row->document != NULL ?
		unique_key(unique->type, unique->case_exact, attribute_value(unique->way, row->document)) : NULL;
}

static void
give_up(Binding *binding, const UniqueIndex *unique, const char *key, Datum id)
{
	Datum		values[3];

	values[0] = CStringGetTextDatum(unique->path);
	values[1] = CStringGetTextDatum(key);
	values[2] = id;
	(void) run_as_owner(binding, STATEMENT_CLAIM_DELETE, values);
}

/* Waits for who claims the same and has not committed. */
static void
claim(Binding *binding, const UniqueIndex *unique, const char *key, Datum id)
{
	Datum		values[3];

	values[0] = CStringGetTextDatum(unique->path);
	values[1] = CStringGetTextDatum(key);
	values[2] = id;
	if (run_as_owner(binding, STATEMENT_CLAIM_INSERT, values) == 0)
		refuse_taken(binding, unique->path, unique->name);
}

/*
 * AFTER INSERT, UPDATE or DELETE of a row: it gives up what it had and claims
 * what it has.
 */
Datum
user_claims(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	StateRow	state = {1, NULL};
	TableRow	before = {0};
	TableRow	after = {0};
	Binding    *binding;
	HeapTuple	tuple;
	int			nest_level = 0;
	ListCell   *lc;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as the trigger that user_table_create makes",
						"user_claims")));
	binding = binding_find_for(trigger->tg_relation);
	if (binding == NULL || !OidIsValid(binding->claims))
		return PointerGetDatum(NULL);
	tuple = trigger->tg_trigtuple;
	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		table_row_read(binding, trigger->tg_relation, tuple, &state, &after);
	else
		table_row_read(binding, trigger->tg_relation, tuple, &state, &before);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		tuple = trigger->tg_newtuple;
		table_row_read(binding, trigger->tg_relation, tuple, &state, &after);
	}
	if (binding->layout.tenant != NULL)
		nest_level = tenant_select(table_row_tenant(binding, trigger->tg_relation, tuple));
	foreach(lc, binding->unique_indexes)
	{
		UniqueIndex *unique = lfirst(lc);
		char	   *old_key = unique->is_claimed ? claimed(unique, &before) : NULL;
		char	   *new_key = unique->is_claimed ? claimed(unique, &after) : NULL;

		if (old_key != NULL && new_key != NULL && strcmp(old_key, new_key) == 0)
			continue;
		if (old_key != NULL)
			give_up(binding, unique, old_key, before.id);
		if (new_key != NULL)
			claim(binding, unique, new_key, after.id);
	}
	if (binding->layout.tenant != NULL)
		AtEOXact_GUC(true, nest_level);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * Bring the claims of a table in line with its schemas: those of attributes that
 * are no longer unique go, the users' values of those that now are come.  Gives
 * the registration's account of them.
 */
JsonbValue *
claims_sync(Oid users, Oid claims, const char *tenant, List *schema_ids, const char *api,
			JsonbValue *known)
{
	Profile    *profile = catalog_profile(api);
	Schema	   *schema = catalog_schema(schema_ids, profile, profile, NULL);
	JsonbValue *account = document_new_object();
	ListCell   *lc;

	foreach(lc, schema_unique_attributes(schema))
	{
		Attribute  *attribute = lfirst(lc);
		char	   *expression = unique_expression(schema, attribute, "u.document");

		document_add(account, attribute->path, document_boolean(true));
		if (known != NULL && document_member(known, attribute->path) != NULL)
			continue;
		run_ddl("INSERT INTO %s (%sattribute, value, user_id) SELECT %s%s, (%s)::pg_catalog.text, u.id FROM %s u"
				" WHERE %s IS NOT NULL",
				table_sql(claims), tenant != NULL ? TENANT_COLUMN ", " : "",
				tenant != NULL ? psprintf("u.%s, ", quote_identifier(tenant)) : "",
				quote_literal_cstr(attribute->path), expression, table_sql(users), expression);
	}
	if (known != NULL)
	{
		document_foreach(pair, known)
		{
			char	   *path = document_cstring(&pair->key);

			if (document_member(account, path) == NULL)
				run_ddl("DELETE FROM %s WHERE attribute OPERATOR(pg_catalog.=) %s", table_sql(claims),
						quote_literal_cstr(path));
		}
	}
	return account;
}
