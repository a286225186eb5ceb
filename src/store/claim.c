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
#include "utils/datum.h"
#include "utils/guc.h"
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
 * A user gives up a value in the statement that is about to be run, in which
 * another takes it: that one's row may come first.
 */
void
claim_release(Binding *binding, const UniqueIndex *unique, const char *key, Datum id)
{
	if (unique->is_claimed)
		give_up(binding, unique, key, id);
}

/* A row before a statement or after it. */
typedef struct ClaimingRow
{
	char	   *tenant;			/* NULL: the table has none */
	TableRow	row;			/* no document: there is no such row */
} ClaimingRow;

static void
read_row(Binding *binding, Relation relation, HeapTuple tuple, ClaimingRow *claiming)
{
	StateRow	state = {1, NULL};

	table_row_read(binding, relation, tuple, &state, &claiming->row);
	if (binding->layout.tenant != NULL)
		claiming->tenant = table_row_tenant(binding, relation, tuple);
}

/* Are they one user, before and after? */
static bool
is_same_user(Binding *binding, const ClaimingRow *mine, const ClaimingRow *other)
{
	return mine->row.document != NULL && other->row.document != NULL &&
		datum_image_eq(mine->row.id, other->row.id, get_typbyval(binding->id_type),
					   get_typlen(binding->id_type)) &&
		(mine->tenant == NULL || strcmp(mine->tenant, other->tenant) == 0);
}

/*
 * Give up, or claim, what a row has of the unique attributes and the same user's
 * other row has not.
 */
static void
change_claims(Binding *binding, const ClaimingRow *mine, const ClaimingRow *other,
			  void (*change) (Binding *, const UniqueIndex *, const char *, Datum))
{
	bool		is_same = is_same_user(binding, mine, other);
	int			nest_level = 0;
	ListCell   *lc;

	if (mine->row.document == NULL)
		return;
	if (mine->tenant != NULL)
		nest_level = tenant_select(mine->tenant);
	foreach(lc, binding->unique_indexes)
	{
		UniqueIndex *unique = lfirst(lc);
		char	   *key = unique->is_claimed ? claimed(unique, &mine->row) : NULL;
		char	   *other_key = key != NULL && is_same ? claimed(unique, &other->row) : NULL;

		if (key != NULL && (other_key == NULL || strcmp(key, other_key) != 0))
			change(binding, unique, key, mine->row.id);
	}
	if (mine->tenant != NULL)
		AtEOXact_GUC(true, nest_level);
}

/*
 * AFTER INSERT, UPDATE or DELETE of a row: it gives up what it had and claims
 * what it has.
 */
Datum
user_claims(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	ClaimingRow before = {0};
	ClaimingRow after = {0};
	Binding    *binding;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as the trigger that user_table_create makes",
						"user_claims")));
	binding = binding_find_for(trigger->tg_relation);
	if (binding == NULL || !OidIsValid(binding->claims))
		return PointerGetDatum(NULL);
	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		read_row(binding, trigger->tg_relation, trigger->tg_trigtuple, &after);
	else
		read_row(binding, trigger->tg_relation, trigger->tg_trigtuple, &before);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		read_row(binding, trigger->tg_relation, trigger->tg_newtuple, &after);
	change_claims(binding, &before, &after, give_up);
	change_claims(binding, &after, &before, claim);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* The unique attributes of schemas. */
static List *
claiming_attributes(List *schema_ids, const char *api, const Schema **schema)
{
	Profile    *profile = catalog_profile(api);

	*schema = catalog_schema(schema_ids, profile, profile, NULL);
	return schema_unique_attributes(*schema);
}

/* Claim what the users in a table, or in a partition, have of an attribute. */
static void
claim_all(Oid from, Oid claims, const char *tenant, const Schema *schema, const Attribute *attribute)
{
	char	   *expression = unique_expression(schema, attribute, "u.document");

	run_ddl("INSERT INTO %s (%sattribute, value, user_id) SELECT %s%s, (%s)::pg_catalog.text, u.id FROM %s u"
			" WHERE %s IS NOT NULL",
			table_sql(claims), tenant != NULL ? TENANT_COLUMN ", " : "",
			tenant != NULL ? psprintf("u.%s, ", quote_identifier(tenant)) : "",
			quote_literal_cstr(attribute->path), expression, table_sql(from), expression);
}

/*
 * Make the claims of a table anew, as its schemas and users are; nobody writes
 * meanwhile.  Gives the registration's account of them.
 */
JsonbValue *
claims_make(Oid users, Oid claims, const char *tenant, List *schema_ids, const char *api)
{
	const Schema *schema;
	List	   *attributes = claiming_attributes(schema_ids, api, &schema);
	JsonbValue *account = document_new_object();
	int			nest_level = begin_plain_names();
	ListCell   *lc;

	run_ddl("DELETE FROM %s", table_sql(claims));
	foreach(lc, attributes)
	{
		Attribute  *attribute = lfirst(lc);

		document_add(account, attribute->path, document_boolean(true));
		claim_all(users, claims, tenant, schema, attribute);
	}
	AtEOXact_GUC(true, nest_level);
	return account;
}

/*
 * A partition came, or went: so do the claims of the users in it, who cannot
 * change before that has committed.
 */
void
claims_follow_partition(const Registration *registration, Oid partition, bool has_come)
{
	const char *tenant = registration->tenant_column;
	const Schema *schema;
	List	   *attributes = claiming_attributes(registration->schemas, registration->api, &schema);
	SavedUser	saved;
	int			nest_level;
	ListCell   *lc;

	become_owner(relation_owner(registration->users), &saved);
	nest_level = begin_plain_names();
	foreach(lc, attributes)
	{
		Attribute  *attribute = lfirst(lc);

		/* user_table_refresh is for those that are news */
		if (document_member(registration->unique_columns, attribute->path) == NULL)
			continue;
		if (has_come)
			claim_all(partition, registration->claims, tenant, schema, attribute);
		else
			run_ddl("DELETE FROM %s c USING %s u WHERE c.attribute OPERATOR(pg_catalog.=) %s"
					" AND c.value OPERATOR(pg_catalog.=) (%s)::pg_catalog.text"
					" AND c.user_id OPERATOR(pg_catalog.=) u.id%s",
					table_sql(registration->claims), table_sql(partition),
					quote_literal_cstr(attribute->path),
					unique_expression(schema, attribute, "u.document"),
					tenant != NULL ? psprintf(" AND c." TENANT_COLUMN " OPERATOR(pg_catalog.=) u.%s",
											  quote_identifier(tenant)) : "");
	}
	AtEOXact_GUC(true, nest_level);
	become_caller_again(&saved);
}
