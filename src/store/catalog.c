/*
 * catalog.c
 *	  Attribute schemas, API profiles and registrations, as rows.
 *
 * Rows are read with a fresh catalog snapshot, not the transaction's: what is
 * cached must be what the last invalidation spoke of, also in a transaction
 * whose own snapshot is older.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_control.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "access/xlog.h"

#include "core/errors.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(catalog_changed);

static const char *const catalog_names[CATALOG_COUNT] = {
	[CATALOG_ATTRIBUTE_SCHEMA] = "attribute_schema",
	[CATALOG_API_PROFILE] = "api_profile",
	[CATALOG_USER_TABLE] = "user_table",
	[CATALOG_ATTRIBUTE_LOOKUP] = "attribute_lookup",
	[CATALOG_TENANT_GRANT] = "tenant_grant",
	[CATALOG_ATTRIBUTE_COMPUTED] = "attribute_computed",
	[CATALOG_ATTRIBUTE_INDEX] = "attribute_index",
	[CATALOG_USER_VIEW] = "user_view",
	[CATALOG_ERA] = "era",
};

/* Known until the next invalidation. */
static Oid	catalog_relids[CATALOG_COUNT];
static int	current_era = 0;

/*
 * Invalidation
 */

static bool
catalog_is(Oid relid)
{
	for (int i = 0; i < CATALOG_COUNT; i++)
	{
		if (catalog_relids[i] == relid)
			return true;
	}
	return false;
}

/* Only flags: nothing may be freed in here. */
static void
relcache_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || catalog_is(relid))
	{
		memset(catalog_relids, 0, sizeof(catalog_relids));
		current_era = 0;
		relid = InvalidOid;
	}
	binding_invalidate(relid);
}

/* A schema was renamed: statements name their tables with it. */
static void
namespace_changed(Datum arg, int cache, uint32 hash)
{
	binding_invalidate(InvalidOid);
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		binding_free_retired();
}

void
store_init(void)
{
	CacheRegisterRelcacheCallback(relcache_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, namespace_changed, (Datum) 0);
	RegisterXactCallback(transaction_ended, NULL);
	function_init();
}

/*
 * Statement trigger on the catalog tables: sessions that cached anything of
 * them are told when the transaction commits, and this one now.
 */
Datum
catalog_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"catalog_changed\" was not called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

Oid
catalog_relid(Catalog catalog)
{
	if (!OidIsValid(catalog_relids[catalog]))
	{
		Oid			relid = get_relname_relid(catalog_names[catalog],
											  get_namespace_oid(CATALOG_SCHEMA, true));

		if (!OidIsValid(relid))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("table \"%s.%s\" does not exist", CATALOG_SCHEMA,
							catalog_names[catalog]),
					 errhint("Create the extension userstore in this database.")));
		catalog_relids[catalog] = relid;
	}
	return catalog_relids[catalog];
}

/*
 * Acting as somebody else
 */

/*
 * Act as the owner of a table of ours.  Row security of the owner's own does
 * not apply; the context that is in force otherwise stays so.  An error takes
 * all of it back.
 */
void
become_owner(Oid owner, SavedUser *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(owner, saved->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
}

void
become_caller_again(const SavedUser *saved)
{
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}

Oid
relation_owner(Oid relid)
{
	Relation	relation = table_open(relid, AccessShareLock);
	Oid			owner = relation->rd_rel->relowner;

	table_close(relation, AccessShareLock);
	return owner;
}

/* May the caller do what an owner may? */
bool
caller_owns(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner);
}

/*
 * Run a command that writes the catalog, as its owner.  Gives the number of
 * rows.
 */
uint64
catalog_execute(const char *command, int nargs, Oid *types, Datum *values, const char *nulls)
{
	SavedUser	saved;
	uint64		processed;

	SPI_connect();
	become_owner(relation_owner(catalog_relid(CATALOG_USER_TABLE)), &saved);
	if (SPI_execute_with_args(command, nargs, types, values, nulls, false, 0) < 0)
		elog(ERROR, "SPI_execute_with_args failed: %s", command);	/* can't happen */
	processed = SPI_processed;
	become_caller_again(&saved);
	SPI_finish();
	return processed;
}

/*
 * Reading
 */

/*
 * The row of a catalog table whose first column has a value, as an object of
 * its columns; NULL when there is none.
 */
static JsonbValue *
catalog_row(Catalog catalog, const char *column, const char *value)
{
	Relation	relation = table_open(catalog_relid(catalog), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	JsonbValue *row = NULL;

	ScanKeyInit(&key, get_attnum(RelationGetRelid(relation), column),
				BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(value));
	/* no index: there are a few dozen rows, read once per session */
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		record = heap_copy_tuple_as_datum(tuple, RelationGetDescr(relation));
		char	   *json = TextDatumGetCString(DirectFunctionCall1(row_to_json, record));

		row = document_from_row(DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
																   CStringGetDatum(json))));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return row;
}

/* An attribute schema's row, or NULL. */
JsonbValue *
catalog_schema_row(const char *id)
{
	return catalog_row(CATALOG_ATTRIBUTE_SCHEMA, "id", id);
}

/* An API profile's row, or NULL. */
JsonbValue *
catalog_profile_row(const char *name)
{
	return catalog_row(CATALOG_API_PROFILE, "name", name);
}

/* The name of an API profile that lists an attribute schema, or NULL. */
char *
catalog_profile_with_schema(const char *id)
{
	Relation	relation = table_open(catalog_relid(CATALOG_API_PROFILE), AccessShareLock);
	AttrNumber	schemas = get_attnum(RelationGetRelid(relation), "schemas");
	AttrNumber	name = get_attnum(RelationGetRelid(relation), "name");
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	char	   *found = NULL;

	while (found == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		ListCell   *lc;
		bool		isnull;

		foreach(lc, text_array_list(heap_getattr(tuple, schemas, RelationGetDescr(relation), &isnull)))
		{
			if (strcmp(lfirst(lc), id) == 0)
				found = TextDatumGetCString(heap_getattr(tuple, name, RelationGetDescr(relation), &isnull));
		}
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

/*
 * An API profile, compiled in the current memory context.
 */
Profile *
catalog_profile(const char *name)
{
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext,
											   "userstore catalog rows",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(rows);
	JsonbValue *row = catalog_profile_row(name);
	Profile    *profile;

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("API profile \"%s\" does not exist", shown_name(name, strlen(name))),
				 errhint("The table userstore.api_profile has the names.")));
	MemoryContextSwitchTo(old);
	profile = profile_compile(row);
	MemoryContextDelete(rows);
	return profile;
}

/* Rules of a profile may not go with a schema that was redefined. */
static void
tell_profile(void *name)
{
	errcontext("attribute schemas under API profile \"%s\"", (char *) name);
}

/*
 * The attributes of a table with these schemas, under a profile, compiled in
 * the current memory context.  What the table's own profile adds to them is
 * known under every profile, and so are its lookup lists (path → list).
 */
Schema *
catalog_schema(List *ids, const Profile *profile, const Profile *default_profile,
			   JsonbValue *lookups)
{
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext,
											   "userstore catalog rows",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(rows);
	ErrorContextCallback context;
	List	   *documents = NIL;
	Schema	   *schema;
	ListCell   *lc;

	foreach(lc, ids)
	{
		char	   *id = lfirst(lc);
		JsonbValue *row = catalog_schema_row(id);

		if (row == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("attribute schema \"%s\" does not exist",
							shown_name(id, strlen(id))),
					 errhint("The table userstore.attribute_schema has the ids; define it with attribute_schema_define.")));
		documents = lappend(documents, document_member(row, "document"));
	}
	MemoryContextSwitchTo(old);
	context.callback = tell_profile;
	context.arg = unconstify(char *, profile->name);
	context.previous = error_context_stack;
	error_context_stack = &context;
	schema = schema_compile(documents,
							profile->scim_common || default_profile->scim_common);
	schema_apply_rules(schema, profile->rules, false);
	schema_apply_lookups(schema, lookups);
	if (!profile->writes_all)
		schema_apply_writable(schema, profile->writable);
	schema_link(schema);
	error_context_stack = context.previous;
	MemoryContextDelete(rows);
	return schema;
}

List *
text_array_list(Datum array)
{
	Datum	   *elems;
	bool	   *nulls;
	int			count;
	List	   *list = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elems, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("array must not contain nulls")));
		list = lappend(list, TextDatumGetCString(elems[i]));
	}
	return list;
}

Datum
list_text_array(List *list)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(list_length(list), 1));
	ListCell   *lc;

	foreach(lc, list)
		elems[foreach_current_index(lc)] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(elems, list_length(list), TEXTOID, -1,
										   false, TYPALIGN_INT));
}

/* A list of paths as an element: of many there is an array, of text[] not. */
Oid
catalog_paths_type(void)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("attribute_paths"),
									   ObjectIdGetDatum(get_namespace_oid(CATALOG_SCHEMA, true)));

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"%s.attribute_paths\" does not exist", CATALOG_SCHEMA)));
	return type;
}

/*
 * A column of what a statement of ours gave.  Owners may alter their tables in
 * every way, so the type is not what it was at first, nor the value there:
 * without isnull, null is refused too.
 */
Datum
result_column(HeapTuple tuple, TupleDesc desc, int column, Oid type, bool *isnull)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, column - 1);
	bool		none;
	Datum		value;

	if (attribute->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of a user table or its companion is of type %s, not %s",
						NameStr(attribute->attname), format_type_be(attribute->atttypid),
						format_type_be(type))));
	value = heap_getattr(tuple, column, desc, &none);
	if (isnull != NULL)
		*isnull = none;
	else if (none)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column \"%s\" of a user table or its companion is null",
						NameStr(attribute->attname)),
				 errhint("Such columns should be NOT NULL.")));
	return value;
}

static char *
text_or_null(HeapTuple tuple, int column, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
read_registration(HeapTuple tuple, TupleDesc desc, Registration *registration)
{
	bool		isnull;
	Datum		value;

	registration->users = DatumGetObjectId(heap_getattr(tuple, Anum_user_table_users, desc, &isnull));
	registration->history = DatumGetObjectId(heap_getattr(tuple, Anum_user_table_history, desc, &isnull));
	registration->idempotency = DatumGetObjectId(heap_getattr(tuple, Anum_user_table_idempotency, desc, &isnull));
	registration->api = TextDatumGetCString(heap_getattr(tuple, Anum_user_table_api, desc, &isnull));
	registration->schemas = text_array_list(heap_getattr(tuple, Anum_user_table_schemas, desc, &isnull));
	registration->unique_columns =
		document_from_jsonb(DatumGetJsonbPCopy(heap_getattr(tuple, Anum_user_table_unique_columns,
															desc, &isnull)));
	registration->password_function = text_or_null(tuple, Anum_user_table_password_function, desc);
	registration->before_update = text_or_null(tuple, Anum_user_table_before_update, desc);
	registration->notify = text_or_null(tuple, Anum_user_table_notify, desc);
	value = heap_getattr(tuple, Anum_user_table_layout, desc, &isnull);
	registration->layout = isnull ? NULL : document_from_jsonb(DatumGetJsonbPCopy(value));
	value = heap_getattr(tuple, Anum_user_table_state, desc, &isnull);
	registration->state = isnull ? InvalidOid : DatumGetObjectId(value);
	registration->registered_at =
		DatumGetTimestampTz(heap_getattr(tuple, Anum_user_table_registered_at, desc, &isnull));
	value = heap_getattr(tuple, Anum_user_table_claims, desc, &isnull);
	registration->claims = isnull ? InvalidOid : DatumGetObjectId(value);
	registration->tenant_column = text_or_null(tuple, Anum_user_table_tenant_column, desc);
	registration->tenant_policy = text_or_null(tuple, Anum_user_table_tenant_policy, desc);
}

/* The registration of a user table; false when it has none. */
bool
catalog_registration(Oid users, Registration *registration)
{
	Relation	relation = table_open(catalog_relid(CATALOG_USER_TABLE), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_user_table_users, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(users));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		read_registration(tuple, RelationGetDescr(relation), registration);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* All registrations (Registration *), those of dropped tables too. */
List *
catalog_registrations(void)
{
	Relation	relation = table_open(catalog_relid(CATALOG_USER_TABLE), AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *registrations = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Registration *registration = palloc(sizeof(Registration));

		read_registration(tuple, RelationGetDescr(relation), registration);
		registrations = lappend(registrations, registration);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return registrations;
}

/*
 * The registration of a user table, given that or one of its companions; false
 * when there is none.
 */
bool
catalog_registration_of(Oid relid, Registration *registration)
{
	ListCell   *lc;

	if (catalog_registration(relid, registration))
		return true;
	foreach(lc, catalog_registrations())
	{
		*registration = *(Registration *) lfirst(lc);
		if (registration->state == relid || registration->history == relid ||
			registration->idempotency == relid || registration->claims == relid)
			return true;
	}
	return false;
}

/*
 * The lookup lists of a user table: an object that maps attribute paths to
 * lists.
 */
JsonbValue *
catalog_lookups(Oid users)
{
	Relation	relation = table_open(catalog_relid(CATALOG_ATTRIBUTE_LOOKUP), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	JsonbValue *lookups = document_new_object();
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_attribute_lookup_users, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(users));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		char	   *path = TextDatumGetCString(heap_getattr(tuple, Anum_attribute_lookup_path, desc, &isnull));
		Jsonb	   *lookup = DatumGetJsonbPCopy(heap_getattr(tuple, Anum_attribute_lookup_lookup, desc, &isnull));

		document_append(lookups, path, strlen(path), document_from_jsonb(lookup));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return lookups;
}

/*
 * The indexed attributes of a user table: an object that maps their paths to
 * columns.
 */
JsonbValue *
catalog_indexes(Oid users)
{
	Relation	relation = table_open(catalog_relid(CATALOG_ATTRIBUTE_INDEX), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	JsonbValue *indexes = document_new_object();
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_attribute_index_users, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(users));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		char	   *path = TextDatumGetCString(heap_getattr(tuple, Anum_attribute_index_path, desc, &isnull));
		Name		column = DatumGetName(heap_getattr(tuple, Anum_attribute_index_column_name, desc, &isnull));

		document_append(indexes, path, strlen(path), document_string(pstrdup(NameStr(*column))));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return indexes;
}

/*
 * The functions of a user table's computed attributes: an object that maps
 * attribute paths to names.
 */
JsonbValue *
catalog_computed(Oid users)
{
	Relation	relation = table_open(catalog_relid(CATALOG_ATTRIBUTE_COMPUTED), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	JsonbValue *functions = document_new_object();
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_attribute_computed_users, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(users));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		document_add(functions, text_or_null(tuple, Anum_attribute_computed_path, desc),
					 document_string(text_or_null(tuple, Anum_attribute_computed_function, desc)));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return functions;
}

/* The cluster of an era; 0 when none such has begun. */
int64
catalog_era_system(int era)
{
	Relation	relation = table_open(catalog_relid(CATALOG_ERA), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	int64		system = 0;
	bool		isnull;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(era));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		system = DatumGetInt64(heap_getattr(tuple, 2, RelationGetDescr(relation), &isnull));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return system;
}

/* The newest era; 0 when none has begun.  Says whether it is this cluster's. */
static int
newest_era(bool *is_ours)
{
	Relation	relation = table_open(catalog_relid(CATALOG_ERA), AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	int			newest = 0;

	*is_ours = false;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int			era = DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(relation), &isnull));
		int64		system = DatumGetInt64(heap_getattr(tuple, 2, RelationGetDescr(relation), &isnull));

		if (era > newest)
		{
			newest = era;
			*is_ours = (uint64) system == GetSystemIdentifier();
		}
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return newest;
}

/*
 * The era in which this transaction writes.  A database that is found in
 * another cluster than before begins a new one, since transaction ids do not
 * survive a restore.
 */
int
catalog_era(void)
{
	bool		is_ours;
	int			era;

	if (current_era > 0)
		return current_era;
	era = newest_era(&is_ours);
	if (!is_ours)
	{
		Oid			types[2] = {INT4OID, INT8OID};
		Datum		values[2];

		values[0] = Int32GetDatum(era + 1);
		values[1] = Int64GetDatum((int64) GetSystemIdentifier());
		/* another session may begin it at the same time: that one counts */
		(void) catalog_execute("INSERT INTO userstore.era (era, system_identifier)"
							   " VALUES ($1, $2) ON CONFLICT (era) DO NOTHING",
							   2, types, values, NULL);
		CommandCounterIncrement();
		era = newest_era(&is_ours);
	}
	current_era = era;
	return era;
}

/*
 * The era of what would be written now, which does not begin by asking.
 */
int
catalog_present_era(void)
{
	bool		is_ours;
	int			era = newest_era(&is_ours);

	return is_ours ? era : era + 1;
}
