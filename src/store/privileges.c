/*
 * privileges.c
 *	  Who may do what with a user table: PostgreSQL's own privileges, looked at
 *	  before anything is done.
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "core/errors.h"
#include "store/store.h"

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
	/* who may not write at all is not told what reading for it takes */
	static const AclMode modes[] = {ACL_INSERT, ACL_UPDATE, ACL_DELETE, ACL_SELECT};

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
