/*
 * judges.c
 *	  What may refuse or change a user on its way into the table: constraints,
 *	  whose violation our errors explain, triggers, partitions.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "store/store.h"

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

void
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
void
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
void
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
			(TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_UPDATE(trigger->tgtype)) &&
			!is_our_trigger(trigger))
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
void
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
