/*
 * table.c
 *	  Create, attach, refresh, detach and drop user tables.
 *
 * Tables are created as the caller, who owns them; only the registration row
 * is written as the catalog's owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/errors.h"
#include "store/index.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(user_table_create);
PG_FUNCTION_INFO_V1(user_table_detach);
PG_FUNCTION_INFO_V1(user_table_refresh);
PG_FUNCTION_INFO_V1(registration_guard);

/*
 * Triggers of one event fire in the order of their names.  Before a change ours
 * comes last, to see what the app's have made of the row; after it ours comes
 * first, before the app's, or PostgreSQL's own for foreign keys, which begin
 * with RI, change users again.
 */
#define TRIGGER_CHANGING	"zz_userstore_changing"
#define TRIGGER_CHANGED		"\"00_userstore_changed\""
#define TRIGGER_TRUNCATED	"zz_userstore_truncated"
#define TRIGGER_CLAIMS		"zz_userstore_claims"

/* Room on each page for the next version of its rows: see HOT updates. */
#define FILLFACTOR			" WITH (fillfactor = 80)"

/* More would make planning slow. */
#define MAX_PARTITIONS		1024

/* The parts of a user table's name. */
typedef struct TableName
{
	char	   *schema;
	char	   *table;
} TableName;

static void
execute(const char *command)
{
	int			result = SPI_execute(command, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s: %s", SPI_result_code_string(result), command); /* can't happen */
}

/*
 * Run a command that defines something, as the current user.
 */
void
run_ddl(const char *format,...)
{
	StringInfoData command;

	initStringInfo(&command);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&command, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&command, needed);
	}
	execute(command.data);
}

/*
 * Names
 */

static TableName
parse_name(const char *name)
{
	TableName	parsed;
	Oid			namespace;
	RangeVar   *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));

	if (range->catalogname != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name of a user table: \"%s\"", shown_name(name, strlen(name))),
				 errhint("Write it as table or schema.table.")));
	/* where CREATE TABLE puts it: not where a table of this name is found */
	namespace = RangeVarGetCreationNamespace(range);
	if (isAnyTempNamespace(namespace))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a user table cannot be temporary"),
				 errhint("Name a schema that stays.")));
	parsed.schema = get_namespace_name(namespace);
	parsed.table = range->relname;
	return parsed;
}

static char *
qualified(const char *schema, const char *table)
{
	return quote_qualified_identifier(schema, table);
}

char *
table_sql(Oid relid)
{
	return qualified(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/*
 * Registration
 */

static void
set_text(const char *text_value, Datum *value, char *isnull)
{
	*isnull = text_value != NULL ? ' ' : 'n';
	*value = text_value != NULL ? CStringGetTextDatum(text_value) : (Datum) 0;
}

static void
write_registration(Oid users, Oid history, Oid idempotency, const char *api, List *schemas,
				   JsonbValue *unique_columns, const char *password_function, JsonbValue *layout,
				   Oid state, Oid claims, const char *tenant_column, const char *tenant_policy)
{
	Oid			types[12] = {REGCLASSOID, REGCLASSOID, REGCLASSOID, TEXTOID, TEXTARRAYOID, JSONBOID, TEXTOID,
	JSONBOID, REGCLASSOID, TEXTOID, TEXTOID, REGCLASSOID};
	Datum		values[12] = {0};
	char		nulls[] = "            ";

	values[0] = ObjectIdGetDatum(users);
	values[1] = ObjectIdGetDatum(history);
	values[2] = ObjectIdGetDatum(idempotency);
	values[3] = CStringGetTextDatum(api);
	values[4] = list_text_array(schemas);
	values[5] = JsonbPGetDatum(document_to_jsonb(unique_columns));
	set_text(password_function, &values[6], &nulls[6]);
	if (layout != NULL)
		values[7] = JsonbPGetDatum(document_to_jsonb(layout));
	else
		nulls[7] = 'n';
	values[8] = ObjectIdGetDatum(state);
	nulls[8] = OidIsValid(state) ? ' ' : 'n';
	set_text(tenant_column, &values[9], &nulls[9]);
	set_text(tenant_policy, &values[10], &nulls[10]);
	values[11] = ObjectIdGetDatum(claims);
	nulls[11] = OidIsValid(claims) ? ' ' : 'n';
	(void) catalog_execute("INSERT INTO userstore.user_table (users, history, idempotency, api, schemas, unique_columns,"
						   " password_function, layout, state, tenant_column, tenant_policy, claims)"
						   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", 12, types, values, nulls);
	CommandCounterIncrement();
}

void
delete_registration(Oid users)
{
	Oid			types[1] = {REGCLASSOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(users);
	(void) catalog_execute("DELETE FROM userstore.user_table WHERE users OPERATOR(pg_catalog.=) $1",
						   1, types, values, NULL);
}

/*
 * The column for hashes of passwords, when the schemas have a password.  It is
 * never taken away: who could log in must not be locked out by a schema.
 */
static void
ensure_password_column(Oid users, List *schema_ids, const char *api)
{
	Profile    *profile = catalog_profile(api);
	AttrNumber	number = get_attnum(users, "password_hash");
	char	   *sql = table_sql(users);

	if (catalog_schema(schema_ids, profile, profile, NULL)->password == NULL)
		return;
	if (number == InvalidAttrNumber)
	{
		run_ddl("ALTER TABLE %s ADD COLUMN password_hash pg_catalog.text", sql);
		run_ddl("COMMENT ON COLUMN %s.password_hash IS 'hash of the password; NULL: none'", sql);
		CommandCounterIncrement();
	}
	else if (get_atttype(users, number) != TEXTOID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" is not of type text",
						"password_hash", get_rel_name(users)),
				 errhint("Hashes of passwords are kept there.")));
}

/*
 * The triggers that note what plain SQL does: see trigger.c.  Rows that plain SQL
 * inserts into a table of ours begin their history with their first change.
 */
static void
create_triggers(const char *sql, bool bumps, bool is_attached)
{
	if (bumps)
		run_ddl("CREATE OR REPLACE TRIGGER " TRIGGER_CHANGING " BEFORE UPDATE ON %s"
				" FOR EACH ROW EXECUTE FUNCTION userstore.user_table_changing()", sql);
	run_ddl("CREATE OR REPLACE TRIGGER " TRIGGER_CHANGED " AFTER %sUPDATE OR DELETE ON %s"
			" FOR EACH ROW EXECUTE FUNCTION userstore.user_table_changed()",
			is_attached ? "INSERT OR " : "", sql);
	run_ddl("CREATE OR REPLACE TRIGGER " TRIGGER_TRUNCATED " BEFORE TRUNCATE ON %s"
			" FOR EACH STATEMENT EXECUTE FUNCTION userstore.user_table_truncated()", sql);
}

/*
 * Has a table a policy of ours, as one that is adopted may?
 */
bool
has_policy(Oid relid, const char *name)
{
	Oid			types[2] = {OIDOID, TEXTOID};
	Datum		values[2];

	values[0] = ObjectIdGetDatum(relid);
	values[1] = CStringGetTextDatum(name);
	if (SPI_execute_with_args("SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid OPERATOR(pg_catalog.=) $1"
							  " AND p.polname::pg_catalog.text OPERATOR(pg_catalog.=) $2",
							  2, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading policies failed"); /* can't happen */
	return SPI_processed > 0;
}

/*
 * Who may read the table may read its state table; which shows the users whom
 * the table shows.
 */
static void
open_state(Oid users, Oid state, const char *tenant, const char *policy)
{
	static const char *const visible =
	"userstore.user_is_visible(tableoid, user_id::pg_catalog.text)";
	Oid			types[1] = {OIDOID};
	Datum		values[1];
	SPITupleTable *grantees;
	uint64		count;

	/* ids are those of one tenant */
	if (tenant != NULL)
		create_tenant_policy(state, POLICY_VISIBLE, "SELECT", TENANT_COLUMN "::pg_catalog.text", "",
							 policy, visible);
	else if (!has_policy(state, POLICY_VISIBLE))
		run_ddl("CREATE POLICY " POLICY_VISIBLE " ON %s FOR SELECT USING (%s)", table_sql(state), visible);
	values[0] = ObjectIdGetDatum(users);
	if (SPI_execute_with_args("SELECT DISTINCT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'"
							  " ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END"
							  " FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a"
							  " WHERE c.oid OPERATOR(pg_catalog.=) $1 AND a.privilege_type OPERATOR(pg_catalog.=) 'SELECT'"
							  " AND a.grantee OPERATOR(pg_catalog.<>) c.relowner ORDER BY 1",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading privileges failed");	/* can't happen */
	grantees = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
		run_ddl("GRANT SELECT ON %s TO %s", table_sql(state),
				SPI_getvalue(grantees->vals[i], grantees->tupdesc, 1));
}

/*
 * Companions, unique columns, triggers and registration of a table.  A layout
 * (NULL: the columns are those of our own tables) names the columns that hold
 * what.
 */
void
register_table(Oid users, const char *api, List *schemas, const char *password_function,
			   JsonbValue *layout, const char *tenant_column, const char *tenant_policy,
			   int partitions, bool adopts)
{
	char	   *id = layout != NULL ? document_cstring(document_member(layout, "id")) : "id";
	Oid			past = ensure_companion(users, id, tenant_column, COMPANION_HISTORY, partitions, adopts);
	Oid			keys = ensure_companion(users, id, tenant_column, COMPANION_KEYS, 0, adopts);
	Oid			state = InvalidOid;
	Oid			claims = InvalidOid;
	Registration registration;
	JsonbValue *unique_columns;

	if (layout == NULL)
	{
		if (get_rel_relkind(users) == RELKIND_PARTITIONED_TABLE)
		{
			claims = ensure_companion(users, id, tenant_column, COMPANION_CLAIMS, 0, adopts);
			unique_columns = claims_make(users, claims, tenant_column, schemas, api);
			run_ddl("CREATE OR REPLACE TRIGGER " TRIGGER_CLAIMS " AFTER INSERT OR UPDATE OR DELETE ON %s"
					" FOR EACH ROW EXECUTE FUNCTION userstore.user_claims()", table_sql(users));
		}
		else
			unique_columns = sync_unique_columns(users, tenant_column, schemas, api, NULL);
		ensure_password_column(users, schemas, api);
	}
	else
	{
		if (attach_needs_state(layout))
		{
			state = ensure_companion(users, id, tenant_column, COMPANION_STATE, 0, adopts);
			open_state(users, state, tenant_column, tenant_policy);
		}
		unique_columns = attach_unique(users, state, tenant_column, schemas, api, layout);
	}
	create_triggers(table_sql(users), layout == NULL || attach_has_version(layout), layout != NULL);
	write_registration(users, past, keys, api, schemas, unique_columns, password_function, layout,
					   state, claims, tenant_column, tenant_policy);
	if (tenant_column != NULL && catalog_registration(users, &registration))
		tenant_policies(users, &registration, layout != NULL);
	/* what cannot work must not be registered */
	(void) binding_api(binding_open(users), NULL);
	if (adopts)
		history_adopt(binding_open(users));
}

bool
is_id_type(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == UUIDOID ||
		type == INT4OID || type == INT8OID;
}

void
refuse_id_type(Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("ids of users cannot be of type %s",
					format_type_extended(type, -1, FORMAT_TYPE_ALLOW_INVALID)),
			 errhint("It is text, varchar, uuid, integer or bigint.")));
}

char *
password_function_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL :
		function_name(&password_kind, text_to_cstring(PG_GETARG_TEXT_PP(arg)));
}

/* Schemas as given, or those of the profile. */
List *
schemas_argument(FunctionCallInfo fcinfo, int arg, const char *api)
{
	if (!PG_ARGISNULL(arg))
		return text_array_list(PG_GETARG_DATUM(arg));
	return catalog_profile(api)->schemas;
}

/*
 * user_table_create(users text, api text, schemas text[], id_type regtype,
 *		password_function text, tenant_column text, tenant_policy text,
 *		partitions integer)
 */
Datum
user_table_create(PG_FUNCTION_ARGS)
{
	TableName	name;
	char	   *sql;
	char	   *api;
	List	   *schemas;
	Oid			id_type;
	Oid			users;
	char	   *password_function;
	char	   *tenant_column;
	char	   *tenant_policy;
	const char *tenant = "";
	int			partitions;
	bool		is_serial;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "api");
	require_argument(fcinfo, 3, "id_type");
	password_function = password_function_argument(fcinfo, 4);
	tenant_column = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	tenant_policy = PG_ARGISNULL(6) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(6));
	partitions = PG_ARGISNULL(7) ? 0 : PG_GETARG_INT32(7);
	if (!PG_ARGISNULL(7) && (partitions < 1 || partitions > MAX_PARTITIONS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a user table has 1 to %d partitions", MAX_PARTITIONS),
				 errhint("Leave the argument \"partitions\" out for a table that is not partitioned.")));
	name = parse_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	companion_check_name(name.table);
	api = text_to_cstring(PG_GETARG_TEXT_PP(1));
	schemas = schemas_argument(fcinfo, 2, api);
	id_type = PG_GETARG_OID(3);
	if (!is_id_type(id_type))
		refuse_id_type(id_type);
	is_serial = id_type == INT4OID || id_type == INT8OID;

	SPI_connect();
	sql = qualified(name.schema, name.table);
	if (tenant_column != NULL)
		tenant = quote_identifier(tenant_column);
	run_ddl("CREATE TABLE %s (%s%s"
			"id %s%s NOT NULL, "
			"document pg_catalog.jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(document) OPERATOR(pg_catalog.=) 'object'), "
			"version pg_catalog.int8 NOT NULL DEFAULT 1, "
			"created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
			"modified_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
			"PRIMARY KEY (%s%sid))%s",
			sql, tenant, tenant_column != NULL ? " pg_catalog.text NOT NULL, " : "",
			format_type_be_qualified(id_type),
			is_serial ? " GENERATED BY DEFAULT AS IDENTITY" : "",
			tenant, tenant_column != NULL ? ", " : "",
			partitions > 0 ? " PARTITION BY HASH (id)" : FILLFACTOR);
	CommandCounterIncrement();
	users = RangeVarGetRelid(makeRangeVar(name.schema, name.table, -1), AccessExclusiveLock, false);
	create_partitions(get_rel_namespace(users), name.table, partitions, FILLFACTOR);
	run_ddl("COMMENT ON TABLE %s IS 'users, updated by the functions of the extension userstore'", sql);
	run_ddl("COMMENT ON COLUMN %s.id IS 'id of the user'", sql);
	run_ddl("COMMENT ON COLUMN %s.document IS 'attributes of the user, under their schema names'", sql);
	run_ddl("COMMENT ON COLUMN %s.version IS 'grows by one with each change; the ETag'", sql);
	run_ddl("COMMENT ON COLUMN %s.created_at IS 'when the user was created'", sql);
	run_ddl("COMMENT ON COLUMN %s.modified_at IS 'when the user last changed'", sql);
	if (tenant_column != NULL)
		run_ddl("COMMENT ON COLUMN %s.%s IS 'whose user it is'", sql, tenant);
	register_table(users, api, schemas, password_function, NULL, tenant_column, tenant_policy,
				   partitions, false);
	SPI_finish();
	PG_RETURN_OID(users);
}

/* A table to be changed: the caller must own it, and nobody else may write. */
void
require_table_owner(Oid users)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(users));
	Relation	relation;

	/* before the lock, too: others must not make writers wait */
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (!caller_owns(form->relowner))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, NameStr(form->relname));
		ReleaseSysCache(tuple);
	}
	relation = try_relation_open(users, ShareRowExclusiveLock);
	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", users)));
	if (!caller_owns(relation->rd_rel->relowner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(relation));
	relation_close(relation, NoLock);
}

/*
 * Has a table the columns of a user table?  Else says which it lacks.
 */
bool
is_user_table_layout(Oid users, const char **missing)
{
	static const KnownColumn columns[] = {
		{"id", InvalidOid},
		{"document", JSONBOID},
		{"version", INT8OID},
		{"created_at", TIMESTAMPTZOID},
		{"modified_at", TIMESTAMPTZOID},
		{NULL}
	};
	AttrNumber	number = get_attnum(users, "id");
	Oid			id_type = number == InvalidAttrNumber ? InvalidOid : get_atttype(users, number);

	*missing = missing_column(users, columns, id_type);
	return *missing == NULL;
}

/*
 * The registration of a table that is to be changed, whose owner the caller must
 * be; nobody else may write until the transaction ends.
 */
void
require_registration(Oid users, Registration *registration)
{
	require_table_owner(users);
	if (!catalog_registration(users, registration))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a user table", get_rel_name(users))));
}

/*
 * user_table_detach(users regclass)
 */
Datum
user_table_detach(PG_FUNCTION_ARGS)
{
	Registration registration;

	require_argument(fcinfo, 0, "users");
	require_registration(PG_GETARG_OID(0), &registration);
	SPI_connect();
	release_table(&registration);
	delete_registration(registration.users);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * user_table_refresh(users regclass)
 */
Datum
user_table_refresh(PG_FUNCTION_ARGS)
{
	Registration registration;
	JsonbValue *unique_columns;
	Oid			types[2] = {REGCLASSOID, JSONBOID};
	Datum		values[2];

	require_argument(fcinfo, 0, "users");
	require_registration(PG_GETARG_OID(0), &registration);
	SPI_connect();
	if (registration.layout != NULL)
		unique_columns = attach_unique(registration.users, registration.state,
									   registration.tenant_column, registration.schemas,
									   registration.api, registration.layout);
	else
	{
		unique_columns = OidIsValid(registration.claims) ?
			claims_make(registration.users, registration.claims, registration.tenant_column,
						registration.schemas, registration.api) :
			sync_unique_columns(registration.users, registration.tenant_column,
								registration.schemas, registration.api, registration.unique_columns);
		ensure_password_column(registration.users, registration.schemas, registration.api);
	}
	values[0] = ObjectIdGetDatum(registration.users);
	values[1] = JsonbPGetDatum(document_to_jsonb(unique_columns));
	(void) catalog_execute("UPDATE userstore.user_table SET unique_columns = $2"
						   " WHERE users OPERATOR(pg_catalog.=) $1", 2, types, values, NULL);
	CommandCounterIncrement();
	sync_indexes(registration.users);
	SPI_finish();
	PG_RETURN_VOID();
}

/* Who owns a relation; InvalidOid when there is none. */
static Oid
owner_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Row trigger on the registrations, lookup lists and all else that is known of a
 * table.  The owner of a database may insert them, to restore a dump; but what
 * registrations name is dropped when somebody drops the user table, and lists
 * decide what its users may have, so it has to be the inserter's own.  Our
 * functions insert as the catalog's owner, after checks of their own.
 */
Datum
registration_guard(PG_FUNCTION_ARGS)
{
	static const AttrNumber user_table_relations[] = {
		Anum_user_table_users, Anum_user_table_history, Anum_user_table_idempotency,
		Anum_user_table_state, Anum_user_table_claims, InvalidAttrNumber
	};
	static const AttrNumber view_relations[] = {
		Anum_user_view_view, Anum_user_view_users, Anum_user_view_main, InvalidAttrNumber
	};
	static const AttrNumber other_relations[] = {Anum_attribute_lookup_users, InvalidAttrNumber};
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	Oid			catalog;
	const AttrNumber *relations;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		((catalog = RelationGetRelid(trigger->tg_relation)) != catalog_relid(CATALOG_USER_TABLE) &&
		 catalog != catalog_relid(CATALOG_ATTRIBUTE_LOOKUP) &&
		 catalog != catalog_relid(CATALOG_ATTRIBUTE_COMPUTED) &&
		 catalog != catalog_relid(CATALOG_TENANT_GRANT) &&
		 catalog != catalog_relid(CATALOG_ATTRIBUTE_INDEX) &&
		 catalog != catalog_relid(CATALOG_USER_VIEW)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"registration_guard\" was not called as a trigger of a table of userstore")));
	desc = RelationGetDescr(trigger->tg_relation);
	relations = catalog == catalog_relid(CATALOG_USER_TABLE) ? user_table_relations :
		catalog == catalog_relid(CATALOG_USER_VIEW) ? view_relations : other_relations;
	for (; *relations != InvalidAttrNumber; relations++)
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(heap_getattr(trigger->tg_trigtuple, *relations, desc, &isnull));
		Oid			owner = isnull ? InvalidOid : owner_of(relid);

		if (isnull && (*relations == Anum_user_table_state || *relations == Anum_user_table_claims))
			continue;			/* it has none */
		if (OidIsValid(owner) ? !caller_owns(owner) : !superuser())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("only who owns a table and its companions may register them")));
	}
	return PointerGetDatum(trigger->tg_trigtuple);
}
