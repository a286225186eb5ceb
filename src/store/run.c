/*
 * run.c
 *	  Run the statements on a user table, and say of what they violate what it
 *	  means for a user.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "utils/lsyscache.h"

#include "core/errors.h"
#include "store/store.h"

static char *
taken_message(const char *path)
{
	return psprintf("a user with this \"%s\" exists already", path);
}

static char *
taken_hint(const char *path)
{
	return psprintf("Send another value of \"%s\", or update the user who has this one.", path);
}

/*
 * Another user has the value of a unique attribute.
 */
void
refuse_taken(Binding *binding, const char *path, const char *constraint)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg_internal("%s", taken_message(path)),
			 errdetail_path(path, SCIM_UNIQUENESS),
			 errhint("%s", taken_hint(path)),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, binding->schema_name),
			 err_generic_string(PG_DIAG_TABLE_NAME, binding->name),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* The relation that an error names: the user table, its state table or a partition. */
static Oid
named_relation(Binding *binding, const ErrorData *error)
{
	Oid			relid = get_relname_relid(error->table_name, get_namespace_oid(error->schema_name, true));

	if (relid == binding->users || relid == binding->layout.state || !OidIsValid(relid))
		return relid;
	return get_rel_relispartition(relid) && llast_oid(get_partition_ancestors(relid)) == binding->users ?
		relid : InvalidOid;
}

/*
 * What the user table calls a unique constraint that an error names: a partition
 * has a name of its own for it.
 */
static const char *
unique_constraint(Oid relid, const char *constraint)
{
	Oid			index = get_relname_relid(constraint, get_rel_namespace(relid));

	return get_rel_relispartition(relid) && OidIsValid(index) && get_rel_relispartition(index) ?
		get_rel_name(llast_oid(get_partition_ancestors(index))) : constraint;
}

/* The attribute that a constraint of the table, or else its column, is about, or NULL. */
static const char *
path_of_violation(Binding *binding, const ErrorData *error)
{
	ListCell   *lc;

	if (error->column_name != NULL)
		return layout_path_of_column(&binding->layout, error->column_name);
	foreach(lc, binding->constraints)
	{
		JudgingConstraint *constraint = lfirst(lc);

		if (error->constraint_name != NULL && strcmp(error->constraint_name, constraint->name) == 0)
			return constraint->path;
	}
	return NULL;
}

/*
 * What a violated constraint of the user table means for a user.  The SQLSTATE,
 * the constraint and the table stay, since drivers and ORMs know them; a DETAIL
 * that shows the row does not.
 */
static void
explain_violation(Binding *binding, ErrorData *error)
{
	const char *path = NULL;
	const char *constraint;
	Oid			relid;
	ListCell   *lc;

	/* our own errors are explained already */
	if (error->table_name == NULL || error->schema_name == NULL ||
		(error->hint != NULL && error->detail != NULL && error->detail[0] == '{'))
		return;
	relid = named_relation(binding, error);
	if (!OidIsValid(relid))
		return;
	if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION || error->constraint_name == NULL)
	{
		path = path_of_violation(binding, error);
		if (path != NULL)
			error->message = psprintf("attribute \"%s\" does not fit: %s", path, error->message);
		error->detail = error_detail(path != NULL ? path : error->column_name, SCIM_INVALID_VALUE);
		error->detail_log = NULL;
		return;
	}
	constraint = unique_constraint(relid, error->constraint_name);
	if (binding->primary_key != NULL && strcmp(constraint, binding->primary_key) == 0)
		path = "id";
	foreach(lc, binding->unique_indexes)
	{
		UniqueIndex *unique = lfirst(lc);

		if (strcmp(constraint, unique->name) == 0)
			path = unique->path;
	}
	error->detail = error_detail(path, SCIM_UNIQUENESS);
	error->detail_log = NULL;
	if (path == NULL)
		return;
	error->message = taken_message(path);
	error->hint = taken_hint(path);
}

/*
 * Run a statement.  Gives the number of rows; when there are some, SPI_tuptable
 * is to be freed.
 */
uint64
run_statement(Binding *binding, BoundStatement statement, Datum *values, const char *nulls,
			  bool read_only)
{
	SPIPlanPtr	plan = statement_plan(binding, statement);
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		int			result = SPI_execute_plan(plan, values, nulls, read_only, 0);

		if (result < 0)
			elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result)); /* can't happen */
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		explain_violation(binding, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	/* what SPI keeps, and the context in which it leaves us, last too long */
	MemoryContextSwitchTo(context);
	if (SPI_processed == 0)
		SPI_freetuptable(SPI_tuptable);
	return SPI_processed;
}

/*
 * The same for what writes rows of the user table: our triggers leave those
 * alone, but for the state (NULL: none) of a user who is inserted.
 */
uint64
run_own_write(Binding *binding, BoundStatement statement, Datum *values, const char *nulls,
			  NewState *state)
{
	OwnWrite	own;
	volatile uint64 count = 0;

	own_write_begin(&own, binding, state);
	PG_TRY();
	{
		count = run_statement(binding, statement, values, nulls, false);
	}
	PG_FINALLY();
	{
		own_write_end(&own);
	}
	PG_END_TRY();
	return count;
}
