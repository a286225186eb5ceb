/*
 * binding.c
 *	  A user table as a backend knows it: what it is made of, and who may do
 *	  what with it.
 *
 * A binding is made at the first call on a table and kept until something that
 * it was made of changes.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/errors.h"
#include "store/store.h"

typedef struct BindingEntry
{
	Oid			users;			/* hash key */
	Binding    *binding;
} BindingEntry;

static HTAB *bindings = NULL;
static List *retired = NIL;		/* of Binding *, freed when the transaction
								 * ends */

/* Counts invalidations, to notice one that comes while a binding is made. */
static uint64 invalidations = 0;

/* Counts the bindings that were made. */
static uint64 generations = 0;

/* Is any binding out of date? */
static bool any_invalid = false;

/* In characters. */
#define MAX_ID_LENGTH	255

/*
 * Cache
 */

/*
 * A relation changed (InvalidOid: any may have).  Only flags: a call may hold the
 * binding.
 */
void
binding_invalidate(Oid relid)
{
	HASH_SEQ_STATUS status;
	BindingEntry *entry;

	invalidations++;
	if (bindings == NULL)
		return;
	hash_seq_init(&status, bindings);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		Binding    *binding = entry->binding;

		if (binding != NULL &&
			(relid == InvalidOid || relid == binding->users ||
			 relid == binding->history || relid == binding->idempotency ||
			 relid == binding->layout.state || relid == binding->claims ||
			 list_member_oid(binding->indexes, relid)))
		{
			binding->valid = false;
			any_invalid = true;
		}
	}
}

static void
free_binding(Binding *binding)
{
	statements_free(binding);
	MemoryContextDelete(binding->context);
}

/*
 * Free what was found out of date in the transaction that ends, those of
 * tables that are gone too.
 */
void
binding_free_retired(void)
{
	HASH_SEQ_STATUS status;
	BindingEntry *entry;
	ListCell   *lc;

	foreach(lc, retired)
		free_binding(lfirst(lc));
	list_free(retired);
	retired = NIL;
	if (!any_invalid)
		return;
	any_invalid = false;
	hash_seq_init(&status, bindings);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->binding != NULL && entry->binding->valid)
			continue;
		if (entry->binding != NULL)
			free_binding(entry->binding);
		(void) hash_search(bindings, &entry->users, HASH_REMOVE, NULL);
	}
}

static void
retire(Binding *binding)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	retired = lappend(retired, binding);
	MemoryContextSwitchTo(old);
}

/*
 * What a table is made of
 */

static char *
qualified_name(Relation relation)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
									  RelationGetRelationName(relation));
}

/*
 * A companion is written as its own owner, who must be the user table's:
 * otherwise whoever owns the one could forge the other.
 */
static char *
companion_name(Oid relid, Binding *binding, const char *what)
{
	Relation	relation = try_relation_open(relid, AccessShareLock);
	char	   *name;

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the %s table of \"%s\" does not exist", what, binding->name),
				 errhint("Detach the table and attach it again, which creates it anew.")));
	if (relation->rd_rel->relowner != binding->owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the %s table of \"%s\" has another owner", what, binding->name),
				 errhint("Give \"%s\" the owner of \"%s\".",
						 RelationGetRelationName(relation), binding->name)));
	name = qualified_name(relation);
	relation_close(relation, AccessShareLock);
	return name;
}

static bool
has_password_column(Binding *binding)
{
	AttrNumber	number = binding->layout.password == NULL ? InvalidAttrNumber :
	get_attnum(binding->users, binding->layout.password);
	Oid			type = number != InvalidAttrNumber ? get_atttype(binding->users, number) : InvalidOid;

	return type == TEXTOID || (type == VARCHAROID && binding->is_attached);
}

/* Its ids, which may be of any type. */
static void
load_id_type(Binding *binding)
{
	Oid			function;
	bool		is_varlena;
	AttrNumber	number = get_attnum(binding->users, binding->layout.id);
	Oid			collation;

	if (number == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", binding->layout.id,
						binding->name)));
	get_atttypetypmodcoll(binding->users, number, &binding->id_type, &binding->id_typmod, &collation);
	getTypeInputInfo(binding->id_type, &function, &binding->id_in_param);
	fmgr_info_cxt(function, &binding->id_in, binding->context);
	getTypeOutputInfo(binding->id_type, &function, &is_varlena);
	fmgr_info_cxt(function, &binding->id_out, binding->context);
}

static Binding *
load_binding(Oid users, bool must_be)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "userstore binding",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Binding    *binding = palloc0(sizeof(Binding));
	Registration registration;
	Relation	relation;

	relation = try_relation_open(users, AccessShareLock);
	if (relation == NULL || !catalog_registration(users, &registration))
	{
		if (!must_be)
		{
			if (relation != NULL)
				relation_close(relation, AccessShareLock);
			MemoryContextSwitchTo(old);
			MemoryContextDelete(context);
			return NULL;
		}
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 relation ? errmsg("\"%s\" is not a user table", RelationGetRelationName(relation)) :
				 errmsg("relation with OID %u is not a user table", users),
				 errhint("Create one with userstore.user_table_create, or attach a table that exists with userstore.user_table_attach.")));
	}
	binding->context = context;
	binding->users = users;
	binding->owner = relation->rd_rel->relowner;
	binding->schema_name = get_namespace_name(RelationGetNamespace(relation));
	binding->name = pstrdup(RelationGetRelationName(relation));
	binding->users_sql = qualified_name(relation);
	binding->history = registration.history;
	binding->history_sql = companion_name(registration.history, binding, "history");
	binding->idempotency = registration.idempotency;
	binding->idempotency_sql = companion_name(registration.idempotency, binding, "idempotency");
	binding->default_api = registration.api;
	binding->schema_ids = registration.schemas;
	if (registration.password_function != NULL)
		binding->password_function = function_bind(&password_kind, registration.password_function);
	if (registration.before_update != NULL)
		binding->before_update = function_bind(&hook_kind, registration.before_update);
	binding->notify = registration.notify;
	binding->is_attached = registration.layout != NULL;
	binding->claims = registration.claims;
	if (OidIsValid(registration.claims))
		binding->claims_sql = companion_name(registration.claims, binding, "unique");
	if (OidIsValid(registration.state))
		(void) companion_name(registration.state, binding, "state");
	layout_load(&binding->layout, users, binding->users_sql, registration.layout, registration.state,
				registration.tenant_column, registration.registered_at);
	binding->tenant_policy = registration.tenant_policy;
	binding->has_password = has_password_column(binding);
	load_id_type(binding);
	if (binding->is_attached)
		layout_load_columns(&binding->layout, users, binding_api(binding, NULL)->schema,
							registration.layout);
	binding->indexed = catalog_indexes(users);
	find_constraints(binding, relation, registration.unique_columns);
	if (binding->is_attached)
		note_own_constraints(binding, relation);
	find_state_constraints(binding, registration.unique_columns);
	claims_load(binding, registration.unique_columns);
	find_judges(binding, relation);
	relation_close(relation, AccessShareLock);

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	MemoryContextSetIdentifier(context, binding->name);
	return binding;
}

static Binding *
open_binding(Oid users, bool must_be)
{
	BindingEntry *entry;
	uint64		invalidations_before;
	Binding    *binding;
	bool		found;

	if (bindings == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(BindingEntry);
		control.hcxt = CacheMemoryContext;
		bindings = hash_create("userstore bindings", 16, &control,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}

	/*
	 * Its name must not come to mean another table while a call waits for a
	 * key.
	 */
	LockRelationOid(users, AccessShareLock);
	AcceptInvalidationMessages();
	entry = hash_search(bindings, &users, HASH_FIND, NULL);
	if (entry != NULL && entry->binding != NULL)
	{
		if (entry->binding->valid)
			return entry->binding;
		binding = entry->binding;
		entry->binding = NULL;
		retire(binding);
	}
	invalidations_before = invalidations;
	binding = load_binding(users, must_be);
	if (binding == NULL)
		return NULL;
	entry = hash_search(bindings, &users, HASH_ENTER, &found);
	entry->binding = binding;
	/* one that came meanwhile makes this binding good for this call only */
	binding->generation = ++generations;
	binding->valid = invalidations == invalidations_before;
	any_invalid |= !binding->valid;
	return binding;
}

/*
 * The binding of a user table; 42809 when the table is not registered.
 */
Binding *
binding_open(Oid users)
{
	return open_binding(users, true);
}

/*
 * The same, or NULL when the table is not registered.
 */
Binding *
binding_find(Oid users)
{
	return open_binding(users, false);
}

/*
 * The user table whose row a trigger is about: that of a partition is the one
 * that was attached.  NULL when there is none any more.
 */
Binding *
binding_find_for(Relation relation)
{
	ListCell   *lc;

	if (!relation->rd_rel->relispartition)
		return binding_find(RelationGetRelid(relation));
	foreach(lc, get_partition_ancestors(RelationGetRelid(relation)))
	{
		Binding    *binding = binding_find(lfirst_oid(lc));

		if (binding != NULL)
			return binding;
	}
	return binding_find(RelationGetRelid(relation));
}

/*
 * The profile and schema for a call: the table's own (NULL) or another.
 */
const BoundApi *
binding_api(Binding *binding, const char *name)
{
	MemoryContext context;
	MemoryContext old;
	BoundApi   *api;
	const Profile *default_profile;
	JsonbValue *lookups;
	JsonbValue *computed;
	ListCell   *lc;

	if (name == NULL)
		name = binding->default_api;
	foreach(lc, binding->apis)
	{
		api = lfirst(lc);
		if (strcmp(api->profile->name, name) == 0)
			return api;
	}
	lookups = catalog_lookups(binding->users);
	computed = catalog_computed(binding->users);
	context = AllocSetContextCreate(CurrentMemoryContext, "userstore api",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	api = palloc0(sizeof(BoundApi));
	api->profile = catalog_profile(name);
	default_profile = strcmp(name, binding->default_api) == 0 ? api->profile :
		catalog_profile(binding->default_api);
	api->schema = catalog_schema(binding->schema_ids, api->profile, default_profile, lookups);
	api->computed = computed_bind(api->schema, computed);
	MemoryContextSetParent(context, binding->context);
	MemoryContextSwitchTo(binding->context);
	binding->apis = lappend(binding->apis, api);
	MemoryContextSwitchTo(old);
	return api;
}

/*
 * Ids
 */

/*
 * The id that a text is; false when no user of the table can have it.
 */
bool
binding_find_id(Binding *binding, const char *id_text, Datum *id)
{
	MemoryContext context = CurrentMemoryContext;
	int			len = pg_mbstrlen(id_text);
	volatile bool is_id = true;

	if (len == 0 || len > MAX_ID_LENGTH)
		return false;
	PG_TRY();
	{
		*id = InputFunctionCall(&binding->id_in, unconstify(char *, id_text),
								binding->id_in_param, binding->id_typmod);
	}
	PG_CATCH();
	{
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		is_id = false;
	}
	PG_END_TRY();
	return is_id;
}

/*
 * The id of a user, from the text in which requests have it.
 */
Datum
binding_id_from_text(Binding *binding, const char *id_text)
{
	int			len = pg_mbstrlen(id_text);
	Datum		id;

	if (binding_find_id(binding, id_text, &id))
		return id;
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 len == 0 || len > MAX_ID_LENGTH ?
			 errmsg("the id of a user has 1 to %d characters", MAX_ID_LENGTH) :
			 errmsg("the id of a user in \"%s\" is a value of type %s", binding->name,
					format_type_with_typemod(binding->id_type, binding->id_typmod)),
			 errdetail_path("id", SCIM_INVALID_VALUE),
			 errhint("Send the id of the user as the table has it.")));
	return (Datum) 0;			/* keep the compiler quiet */
}

/* Its text as the type itself writes it. */
char *
binding_id_to_text(Binding *binding, Datum id)
{
	return OutputFunctionCall(&binding->id_out, id);
}

static bool
has_default(Oid users, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(users, column);
	Form_pg_attribute form;
	bool		has;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	has = form->atthasdef || form->attidentity != '\0';
	ReleaseSysCache(tuple);
	return has;
}

/*
 * Make an id for a user that comes without; false when the table's own
 * identity column does.
 */
bool
binding_generate_id(Binding *binding, Datum *id)
{
	Datum		uuid;

	/* an app's table makes them as the app has it */
	if (binding->is_attached &&
		has_default(binding->users, binding->layout.id))
		return false;
	switch (binding->id_type)
	{
		case INT4OID:
		case INT8OID:
			return false;
		default:
			uuid = OidFunctionCall0(F_GEN_RANDOM_UUID);
			*id = binding_id_from_text(binding,
									   DatumGetCString(DirectFunctionCall1(uuid_out, uuid)));
			return true;
	}
}
