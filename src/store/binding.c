/*
 * binding.c
 *	  A user table as a backend knows it: what it is made of, and who may do
 *	  what with it.
 *
 * A binding is made at the first call on a table and kept until something that
 * it was made of changes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/genam.h"
#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

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

/* The unique attribute that is kept in a column, or NULL. */
static char *
path_of_column(JsonbValue *unique_columns, const char *column)
{
	document_foreach(pair, unique_columns)
	{
		if (document_is_string(&pair->value, column))
			return document_cstring(&pair->key);
	}
	return NULL;
}

/*
 * The column whose values an index keeps unique, in all rows or in those of each
 * tenant; InvalidAttrNumber when that is not what it does.
 */
static AttrNumber
unique_column_of(const Binding *binding, HeapTuple tuple)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
	AttrNumber	tenant = binding->layout.tenant != NULL ?
	get_attnum(binding->users, binding->layout.tenant) : InvalidAttrNumber;

	if (!form->indisunique || !heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		return InvalidAttrNumber;
	if (form->indnkeyatts == 1)
		return form->indkey.values[0];
	if (form->indnkeyatts == 2 && AttributeNumberIsValid(tenant) && form->indkey.values[0] == tenant)
		return form->indkey.values[1];
	return InvalidAttrNumber;
}

/* Note a unique column; false when it has no attribute. */
static bool
add_unique_index(Binding *binding, Oid index, AttrNumber number, JsonbValue *unique_columns)
{
	char	   *column = get_attname(binding->users, number, false);
	char	   *path = path_of_column(unique_columns, column);
	UniqueIndex *unique;

	if (path == NULL)
		return false;
	unique = palloc0(sizeof(UniqueIndex));
	unique->name = get_rel_name(index);
	unique->path = path;
	unique->column = column;
	unique->type = get_atttype(binding->users, number);
	unique->holders = NULL;
	binding->unique_indexes = lappend(binding->unique_indexes, unique);
	return true;
}

/* One whose values the table alone compares. */
static void
note_index(Binding *binding, const char *name, const char *path)
{
	UniqueIndex *unique = palloc0(sizeof(UniqueIndex));

	unique->name = pstrdup(name);
	unique->path = pstrdup(path);
	binding->unique_indexes = lappend(binding->unique_indexes, unique);
}

/* The only attribute in these columns (numbers as sysattr.h offsets them), or NULL. */
static const char *
only_path(Binding *binding, const Bitmapset *columns)
{
	const char *path = NULL;
	int			number = -1;

	while ((number = bms_next_member(columns, number)) >= 0)
	{
		char	   *column = get_attname(binding->users, number + FirstLowInvalidHeapAttributeNumber, true);
		const char *found = column != NULL ? layout_path_of_column(&binding->layout, column) : NULL;

		if (found != NULL && path != NULL)
			return NULL;
		path = found != NULL ? found : path;
	}
	return path;
}

/*
 * A unique index of an app's: note which attribute it is on, if that is one, so
 * that its violation can be explained.
 */
static void
note_own_index(Binding *binding, Relation relation, Oid index, HeapTuple tuple)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
	Bitmapset  *columns = NULL;
	Relation	opened = index_open(index, AccessShareLock);
	const char *path;

	for (int i = 0; i < form->indnkeyatts; i++)
	{
		if (AttributeNumberIsValid(form->indkey.values[i]))
			columns = bms_add_member(columns,
									 form->indkey.values[i] - FirstLowInvalidHeapAttributeNumber);
	}
	pull_varattnos((Node *) RelationGetIndexExpressions(opened), 1, &columns);
	index_close(opened, AccessShareLock);
	path = only_path(binding, columns);
	if (path != NULL)
		note_index(binding, get_rel_name(index), path);
}

/* A CHECK or foreign key of an app's, likewise. */
static void
note_own_constraint(Binding *binding, const char *name)
{
	JudgingConstraint *constraint;
	Oid			oid;
	const char *path = only_path(binding, get_relation_constraint_attnos(binding->users, name, true, &oid));

	if (path == NULL)
		return;
	constraint = palloc(sizeof(JudgingConstraint));
	constraint->name = pstrdup(name);
	constraint->path = path;
	binding->constraints = lappend(binding->constraints, constraint);
}

static void
note_own_constraints(Binding *binding, Relation relation)
{
	TupleConstr *constr = RelationGetDescr(relation)->constr;
	ListCell   *lc;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
		note_own_constraint(binding, constr->check[i].ccname);
	foreach(lc, RelationGetFKeyList(relation))
		note_own_constraint(binding, get_constraint_name(((ForeignKeyCacheInfo *) lfirst(lc))->conoid));
}

/* The unique columns of the state table. */
static void
find_state_constraints(Binding *binding, JsonbValue *unique_columns)
{
	Relation	relation;
	ListCell   *lc;

	if (!OidIsValid(binding->layout.state))
		return;
	relation = table_open(binding->layout.state, AccessShareLock);
	foreach(lc, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		AttrNumber	number = index->rd_index->indkey.values[index->rd_index->indnkeyatts - 1];
		char	   *path = NULL;

		if (index->rd_index->indisunique && number > 0)
			path = path_of_column(unique_columns, get_attname(binding->layout.state, number, false));
		if (path != NULL)
			note_index(binding, RelationGetRelationName(index), path);
		index_close(index, AccessShareLock);
	}
	table_close(relation, AccessShareLock);
}

/*
 * The constraints whose violation our errors explain, and whether there are
 * others that compare rows.
 */
static void
find_constraints(Binding *binding, Relation relation, JsonbValue *unique_columns)
{
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(relation))
	{
		Oid			index = lfirst_oid(lc);
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
		Form_pg_index form;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", index); /* can't happen */
		binding->indexes = lappend_oid(binding->indexes, index);
		form = (Form_pg_index) GETSTRUCT(tuple);
		if (form->indisprimary)
			binding->primary_key = get_rel_name(index);
		else if (binding->is_attached)
		{
			/* what an app calls unique is compared as the app has it */
			if (form->indisunique)
				note_own_index(binding, relation, index, tuple);
			if (form->indisexclusion)
				note_own_constraint(binding, get_rel_name(index));
			binding->compares_rows |= form->indisunique || form->indisexclusion;
		}
		else if (AttributeNumberIsValid(unique_column_of(binding, tuple)))
		{
			AttrNumber	number = unique_column_of(binding, tuple);

			if (!add_unique_index(binding, index, number, unique_columns) &&
				number != get_attnum(binding->users, binding->layout.id))
				binding->compares_rows = true;
		}
		else if (form->indisunique || form->indisexclusion)
			binding->compares_rows = true;
		ReleaseSysCache(tuple);
	}
}

/* A CHECK that the table does not have from us. */
static bool
has_own_check(Relation relation, const char *table)
{
	TupleConstr *constr = RelationGetDescr(relation)->constr;
	char	   *ours = psprintf("%s_document_check", table);

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		if (strcmp(constr->check[i].ccname, ours) != 0)
			return true;
	}
	return false;
}

/* Columns of the tables that user_table_create makes. */
static const char *const own_columns[] = {"id", "document", "version", "created_at", "modified_at", NULL};

/*
 * A column beside ours that has to have a value, or is computed: which may
 * raise an error.
 */
static bool
has_judging_column(Binding *binding, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		bool		is_ours = false;
		ListCell   *lc;

		for (const char *const *name = own_columns; *name != NULL; name++)
			is_ours |= strcmp(NameStr(column->attname), *name) == 0;
		if (binding->layout.tenant != NULL)
			is_ours |= strcmp(NameStr(column->attname), binding->layout.tenant) == 0;
		foreach(lc, binding->unique_indexes)
		{
			UniqueIndex *unique = lfirst(lc);

			is_ours |= unique->column != NULL && strcmp(NameStr(column->attname), unique->column) == 0;
		}
		document_foreach(pair, binding->indexed)
			is_ours |= document_is_string(&pair->value, NameStr(column->attname)) &&
			column->attgenerated != '\0' && !column->attnotnull;
		if ((column->attnotnull || column->attgenerated != '\0') && !column->attisdropped && !is_ours)
			return true;
	}
	return false;
}

/* An index on expressions, or for some rows: those may raise errors too. */
static bool
has_judging_index(Relation relation)
{
	ListCell   *lc;
	bool		found = false;

	foreach(lc, RelationGetIndexList(relation))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(lc));	/* can't happen */
		found |= !heap_attisnull(tuple, Anum_pg_index_indexprs, NULL) ||
			!heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
		ReleaseSysCache(tuple);
	}
	return found;
}

/* A trigger of ours, which leaves our own writes as they are: see trigger.c. */
bool
is_our_trigger(const Trigger *trigger)
{
	return get_func_namespace(trigger->tgfoid) == get_namespace_oid(CATALOG_SCHEMA, true);
}

/* A trigger that is no part of a constraint. */
static bool
has_own_trigger(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (!triggers->triggers[i].tgisinternal && !is_our_trigger(&triggers->triggers[i]))
			return true;
	}
	return false;
}

/* One that may make another row of what is written. */
static bool
has_own_before_trigger(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
			!TRIGGER_FOR_DELETE(trigger->tgtype) && !is_our_trigger(trigger))
			return true;
	}
	return false;
}

/* Partitions may have triggers of their own, or be elsewhere. */
static void
find_partitions(Binding *binding)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(binding->users, AccessShareLock, NULL))
	{
		Relation	partition = table_open(lfirst_oid(lc), NoLock);

		binding->indexes = lappend_oid(binding->indexes, lfirst_oid(lc));
		binding->changes_rows |= has_own_before_trigger(partition->trigdesc) ||
			partition->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
		binding->follows_rows |= has_own_trigger(partition->trigdesc);
		table_close(partition, NoLock);
	}
}

/*
 * What may become of a row on its way into the table, other than what we know.
 */
static void
find_judges(Binding *binding, Relation relation)
{
	TriggerDesc *triggers = relation->trigdesc;
	ListCell   *lc;

	binding->changes_rows = binding->is_attached || relation->rd_rules != NULL ||
		has_own_before_trigger(triggers);
	binding->follows_rows = has_own_trigger(triggers);
	if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		find_partitions(binding);
	else if (relation->rd_rel->relhassubclass)
		binding->changes_rows = true;
	binding->follows_rows |= binding->changes_rows;
	binding->judges_rows = binding->follows_rows || relation->rd_rel->relrowsecurity ||
		has_own_check(relation, binding->name) || has_judging_column(binding, relation) ||
		has_judging_index(relation) || RelationGetFKeyList(relation) != NIL;
	foreach(lc, RelationGetFKeyList(relation))
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->confrelid == key->conrelid)
			binding->compares_rows = true;
	}
	/* sets are written for tables that have the columns of ours */
	binding->compares_rows |= binding->is_attached;
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

/*
 * Privileges
 */

/* Columns that our statements touch. */
typedef struct Touched
{
	const char *names[8 + MAX_ATTRIBUTE_COLUMNS];
	int			count;
} Touched;

static void
touch(Touched *touched, const char *column)
{
	if (column != NULL)
		touched->names[touched->count++] = column;
}

static bool
is_touched(const Touched *touched, const char *column)
{
	for (int i = 0; i < touched->count; i++)
	{
		if (strcmp(touched->names[i], column) == 0)
			return true;
	}
	return false;
}

/* What is read to be written is guarded by xmin. */
static Touched
touched_columns(Binding *binding, AclMode mode, bool guards)
{
	const Layout *layout = &binding->layout;
	Touched		touched = {.count = 0};
	ListCell   *lc;

	if (mode == ACL_DELETE)
		return touched;
	if (mode != ACL_UPDATE)
	{
		touch(&touched, layout->id);
		touch(&touched, layout->tenant);
		touch(&touched, layout->created);
	}
	if (guards)
		touch(&touched, "xmin");
	touch(&touched, layout->document);
	touch(&touched, layout->version);
	touch(&touched, layout->modified);
	foreach(lc, layout->columns)
		touch(&touched, ((AttributeColumn *) lfirst(lc))->name);
	return touched;
}

/*
 * Refuse a caller without a privilege on these columns.  Who has it on others
 * was meant to do something here, and is told what is missing.
 */
static void
refuse_columns(Binding *binding, AclMode mode, const Touched *missing)
{
	const char *privilege = mode == ACL_SELECT ? "SELECT" : mode == ACL_INSERT ? "INSERT" : "UPDATE";
	StringInfoData columns;

	if (missing->count == 0 ||
		pg_attribute_aclcheck_all(binding->users, GetUserId(), mode, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, binding->name);
	initStringInfo(&columns);
	for (int i = 0; i < missing->count; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", quote_identifier(missing->names[i]));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for table %s", binding->name),
			 errhint("Missing is %s (%s), or %s on the whole table.", privilege, columns.data,
					 privilege)));
}

static void
require_privilege(Binding *binding, AclMode mode, const Touched *columns)
{
	Oid			caller = GetUserId();
	Touched		missing = {.count = 0};

	if (pg_class_aclcheck(binding->users, caller, mode) == ACLCHECK_OK)
		return;
	/* a privilege on each column that is touched does as well */
	for (int i = 0; i < columns->count; i++)
	{
		/* one column may hold a time and an attribute */
		if (pg_attribute_aclcheck(binding->users, get_attnum(binding->users, columns->names[i]),
								  caller, mode) != ACLCHECK_OK &&
			!is_touched(&missing, columns->names[i]))
			touch(&missing, columns->names[i]);
	}
	if (columns->count == 0 || missing.count > 0)
		refuse_columns(binding, mode, &missing);
}

/* Reading a user reads the state table too. */
static void
require_state_privilege(Binding *binding)
{
	Oid			state = binding->layout.state;

	if (!OidIsValid(state) || pg_class_aclcheck(state, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for table %s", get_rel_name(state)),
			 errhint("Who reads \"%s\" by these functions needs SELECT on \"%s\" as well, which shows the users that \"%s\" shows.",
					 binding->name, get_rel_name(state), binding->name)));
}

/*
 * Refuse a caller without the privileges that the statements of a call need,
 * as PostgreSQL does when they run: before a key is locked or an answer
 * replayed.
 */
void
binding_require_privileges(Binding *binding, AclMode mode)
{
	static const AclMode modes[] = {ACL_SELECT, ACL_INSERT, ACL_UPDATE, ACL_DELETE};

	tenant_require(binding);
	for (int i = 0; i < lengthof(modes); i++)
	{
		Touched		touched;

		if ((mode & modes[i]) == 0)
			continue;
		touched = touched_columns(binding, modes[i], modes[i] == ACL_SELECT && mode != ACL_SELECT);
		require_privilege(binding, modes[i], &touched);
	}
	if (mode & ACL_SELECT)
		require_state_privilege(binding);
}

/*
 * The same for the statements of a call that sets a password, which read the
 * one that stands.
 */
void
binding_require_password(Binding *binding, AclMode mode)
{
	Touched		touched = {{binding->layout.password}, 1};

	if (!binding->has_password)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no column for hashes of passwords", binding->name),
				 errdetail_path(NULL, NULL),
				 binding->is_attached ?
				 errhint("Its owner names it as password_column when the table is attached.") :
				 errhint("Its owner adds it with userstore.user_table_refresh.")));
	for (AclMode bit = ACL_INSERT; bit <= ACL_UPDATE; bit <<= 1)
	{
		if ((mode & bit) != 0)
			require_privilege(binding, bit, &touched);
	}
}

/* May the caller read a column? */
bool
binding_may_read(Binding *binding, const char *column)
{
	return pg_class_aclcheck(binding->users, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(binding->users, get_attnum(binding->users, column), GetUserId(),
							  ACL_SELECT) == ACLCHECK_OK;
}

/* May row security hide users from the caller? */
bool
binding_hides_rows(Binding *binding)
{
	return check_enable_rls(binding->users, InvalidOid, true) == RLS_ENABLED;
}

/*
 * Can an insert come to nothing every time: by a trigger, or for a user whom
 * the caller cannot see?
 */
bool
binding_may_refuse_insert(Binding *binding)
{
	Relation	relation = table_open(binding->users, AccessShareLock);

	/* ours are before no insert */
	bool		may = relation->trigdesc != NULL && relation->trigdesc->trig_insert_before_row;

	table_close(relation, AccessShareLock);
	return may || binding_hides_rows(binding);
}
