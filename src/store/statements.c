/*
 * statements.c
 *	  The statements on a user table and its companions: their texts, their
 *	  parameters, and the plans that a binding keeps of them.
 *
 * They mean the same whatever search_path is: tables are qualified, functions
 * and operators are pg_catalog's.  An unnest of several arrays can only be
 * written without its schema, and is pg_catalog's then.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "store/store.h"

/* The table that a statement is on. */
typedef enum StatementTable
{
	ON_USERS,
	ON_HISTORY,
	ON_KEYS
} StatementTable;

/* More than any statement has parameters. */
#define MAX_PARAMETERS	12

typedef struct Statement
{
	StatementTable table;
	const char *text;			/* "%s" is the table */
	Oid			types[MAX_PARAMETERS];	/* of its parameters, then InvalidOid */
} Statement;

/* Parameters whose type is that of the table's ids, or an array of it. */
#define ID		ANYELEMENTOID
#define IDS		ANYARRAYOID

/* What every statement on a user gives of its row. */
#define ROW_COLUMNS		"u.document, u.version, u.created_at, u.modified_at"

#define BY_ID			" WHERE u.id OPERATOR(pg_catalog.=) $1"

/* $1 id, $2 document, $3 version, $4 time, $5 hash of the password */
#define INSERT_USER(columns, values, conflict) \
	"INSERT INTO %s AS u (" columns ") VALUES (" values ")" conflict " RETURNING " ROW_COLUMNS ", u.id"
#define NEW_COLUMNS		"document, version, created_at, modified_at"
#define NEW_VALUES		"$2, $3, $4, $4"
#define IF_NONE			" ON CONFLICT (id) DO NOTHING"

/* $1 id, $2 document, $3 version, $4 time, $5 xmin of the row that was read, $6 hash of the password */
#define UPDATE_USER(password) \
	"UPDATE %s AS u SET document = $2, version = $3, modified_at = $4" password BY_ID \
	" AND u.xmin OPERATOR(pg_catalog.=) $5 RETURNING " ROW_COLUMNS

/*
 * A join rather than "= ANY": a row that changed while we waited for it is
 * looked at again, and with it all that the condition has.
 */
#define LOCK_SET(columns) \
	"SELECT " columns " FROM pg_catalog.unnest($1) w (id), %s u" \
	" WHERE u.id OPERATOR(pg_catalog.=) w.id ORDER BY u.id FOR NO KEY UPDATE OF u"

#define IN_SET			" WHERE u.id OPERATOR(pg_catalog.=) ANY ($1)"

#define INSERT_SET(returning) \
	"INSERT INTO %s AS u (id, document, version, created_at, modified_at)" \
	" SELECT n.id, n.document, n.version, n.modified, n.modified" \
	" FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS n (id, document, version, modified, place)" \
	" ORDER BY n.place ON CONFLICT (id) DO NOTHING" returning

#define UPDATE_SET(returning) \
	"UPDATE %s AS u SET document = n.document, version = n.version, modified_at = n.modified" \
	" FROM unnest($1, $2, $3, $4, $5) AS n (id, document, version, modified, xmin)" \
	" WHERE u.id OPERATOR(pg_catalog.=) n.id AND u.xmin OPERATOR(pg_catalog.=) n.xmin" returning

#define RETURNING_SET	" RETURNING " ROW_COLUMNS ", u.xmin, u.id"

#define HISTORY_COLUMNS \
	"user_id, version, operation, document, changed, changed_at," \
	" changed_by, actor, request_id, era, transaction_id"

#define BY_KEY \
	" WHERE k.caller OPERATOR(pg_catalog.=) $1 AND k.key OPERATOR(pg_catalog.=) $2"

/*
 * A plan remembers the role that it was made for, but not whether that role
 * went past FORCE ROW LEVEL SECURITY.  What is always run as the owner is a
 * statement of its own, then, even if callers run one that reads the same: so
 * STATEMENT_EXISTS, STATEMENT_SET_EXISTS and STATEMENT_SET_VISIBLE.
 */
static const Statement statements[STATEMENT_COUNT] = {
	[STATEMENT_READ] = {
		ON_USERS,
		"SELECT " ROW_COLUMNS ", u.xmin FROM %s u" BY_ID,
		{ID}
	},
	[STATEMENT_EXISTS] = {
		ON_USERS,
		"SELECT FROM %s u" BY_ID,
		{ID}
	},
	[STATEMENT_LOCK] = {
		ON_USERS,
		"SELECT " ROW_COLUMNS ", u.xmin FROM %s u" BY_ID " FOR NO KEY UPDATE",
		{ID}
	},
	[STATEMENT_INSERT] = {
		ON_USERS,
		INSERT_USER("id, " NEW_COLUMNS, "$1, " NEW_VALUES, ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID}
	},
	[STATEMENT_INSERT_NO_ID] = {
		ON_USERS,
		INSERT_USER(NEW_COLUMNS, NEW_VALUES, ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID}
	},
	[STATEMENT_INSERT_IF_NONE] = {
		ON_USERS,
		INSERT_USER("id, " NEW_COLUMNS, "$1, " NEW_VALUES, IF_NONE),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID}
	},
	[STATEMENT_INSERT_PASSWORD] = {
		ON_USERS,
		INSERT_USER("id, " NEW_COLUMNS ", password_hash", "$1, " NEW_VALUES ", $5", ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTOID}
	},
	[STATEMENT_INSERT_NO_ID_PASSWORD] = {
		ON_USERS,
		INSERT_USER(NEW_COLUMNS ", password_hash", NEW_VALUES ", $5", ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTOID}
	},
	[STATEMENT_INSERT_IF_NONE_PASSWORD] = {
		ON_USERS,
		INSERT_USER("id, " NEW_COLUMNS ", password_hash", "$1, " NEW_VALUES ", $5", IF_NONE),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTOID}
	},
	[STATEMENT_UPDATE] = {
		ON_USERS,
		UPDATE_USER(""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, XIDOID}
	},
	[STATEMENT_UPDATE_PASSWORD] = {
		ON_USERS,
		UPDATE_USER(", password_hash = $6"),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, XIDOID, TEXTOID}
	},
	[STATEMENT_PASSWORD] = {
		ON_USERS,
		"SELECT u.password_hash FROM %s u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2",
		{ID, XIDOID}
	},
	[STATEMENT_SET_VERSION] = {
		ON_USERS,
		"UPDATE %s AS u SET version = $2, created_at = $3, modified_at = $4" BY_ID
		" RETURNING " ROW_COLUMNS,
		{ID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[STATEMENT_DELETE] = {
		ON_USERS,
		"DELETE FROM %s AS u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2",
		{ID, XIDOID}
	},
	[STATEMENT_HISTORY_INSERT] = {
		ON_HISTORY,
		"INSERT INTO %s (" HISTORY_COLUMNS ")"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT (user_id, version) DO NOTHING",
		{ID, INT8OID, TEXTOID, JSONBOID, TEXTARRAYOID, TIMESTAMPTZOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID}
	},
	[STATEMENT_HISTORY_VERSION] = {
		ON_HISTORY,
		"SELECT h.version, h.changed_at FROM %s h WHERE h.user_id OPERATOR(pg_catalog.=) $1"
		" ORDER BY h.version DESC LIMIT 1",
		{ID}
	},
	[STATEMENT_SET_LOCK] = {
		ON_USERS,
		"SELECT pg_catalog.count(*) FROM (" LOCK_SET("") ") l",
		{IDS}
	},
	[STATEMENT_SET_READ_LOCKED] = {
		ON_USERS,
		LOCK_SET(ROW_COLUMNS ", u.xmin, u.id"),
		{IDS}
	},
	[STATEMENT_SET_EXISTS] = {
		ON_USERS,
		"SELECT u.id FROM %s u" IN_SET,
		{IDS}
	},
	[STATEMENT_SET_VISIBLE] = {
		ON_USERS,
		"SELECT u.id FROM %s u" IN_SET,
		{IDS}
	},
	[STATEMENT_SET_INSERT] = {
		ON_USERS,
		INSERT_SET(""),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[STATEMENT_SET_INSERT_RETURNING] = {
		ON_USERS,
		INSERT_SET(RETURNING_SET),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[STATEMENT_SET_UPDATE] = {
		ON_USERS,
		UPDATE_SET(""),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, XIDARRAYOID}
	},
	[STATEMENT_SET_UPDATE_RETURNING] = {
		ON_USERS,
		UPDATE_SET(RETURNING_SET),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, XIDARRAYOID}
	},
	[STATEMENT_SET_HISTORY_INSERT] = {
		ON_HISTORY,
		"INSERT INTO %s (" HISTORY_COLUMNS ")"
		" SELECT n.user_id, n.version, $6, n.document, n.changed::pg_catalog.text[], n.changed_at,"
		" $7, $8, $9, $10, $11"
		" FROM unnest($1, $2, $3, $4, $5) AS n (user_id, version, document, changed, changed_at)"
		" ON CONFLICT (user_id, version) DO NOTHING",
		{IDS, INT8ARRAYOID, JSONBARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TEXTOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID}
	},
	[STATEMENT_SET_HISTORY_VERSION] = {
		ON_HISTORY,
		"SELECT DISTINCT ON (h.user_id) h.version, h.changed_at, h.user_id FROM %s h"
		" WHERE h.user_id OPERATOR(pg_catalog.=) ANY ($1)"
		" ORDER BY h.user_id, h.version DESC",
		{IDS}
	},
	[STATEMENT_KEY_READ] = {
		ON_KEYS,
		"SELECT k.fingerprint, k.user_id, k.response, k.expires_at, k.operation, k.version FROM %s k" BY_KEY,
		{TEXTOID, TEXTOID}
	},
	[STATEMENT_KEY_INSERT] = {
		ON_KEYS,
		"INSERT INTO %s AS k (caller, key, fingerprint, operation, user_id, version, response, expires_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
		" ON CONFLICT (caller, key) DO UPDATE SET fingerprint = excluded.fingerprint,"
		" operation = excluded.operation, user_id = excluded.user_id, version = excluded.version,"
		" response = excluded.response, expires_at = excluded.expires_at"
		" WHERE k.expires_at OPERATOR(pg_catalog.<=) $9",
		{TEXTOID, TEXTOID, BYTEAOID, TEXTOID, ID, INT8OID, JSONBOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[STATEMENT_KEY_UPDATE] = {
		ON_KEYS,
		"UPDATE %s AS k SET user_id = $3, version = $4, response = $5, operation = $6" BY_KEY,
		{TEXTOID, TEXTOID, ID, INT8OID, JSONBOID, TEXTOID}
	},
};

static const char *
table_of(const Binding *binding, StatementTable table)
{
	switch (table)
	{
		case ON_USERS:
			return binding->users_sql;
		case ON_HISTORY:
			return binding->history_sql;
		case ON_KEYS:
			return binding->idempotency_sql;
	}
	elog(ERROR, "unexpected table %d", (int) table);	/* can't happen */
	return NULL;
}

/*
 * A plan for the length of the session.  One about many users is planned once
 * for all that it may be about.
 */
static SPIPlanPtr
prepare(const char *text, int ntypes, Oid *types, bool is_set)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan = SPI_prepare_cursor(text, ntypes, types, is_set ? CURSOR_OPT_GENERIC_PLAN : 0);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s: %s", SPI_result_code_string(SPI_result), text); /* can't happen */
	SPI_keepplan(plan);
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	return plan;
}

/*
 * The plan of a statement, prepared once.
 *
 * One that is out of date is analysed again when it runs.  It cannot be freed
 * before the binding is: a trigger may have come back here while it runs.
 */
SPIPlanPtr
statement_plan(Binding *binding, BoundStatement number)
{
	const Statement *statement = &statements[number];
	Oid			types[MAX_PARAMETERS];
	int			ntypes;

	if (binding->plans[number] != NULL)
		return binding->plans[number];
	for (ntypes = 0; OidIsValid(statement->types[ntypes]); ntypes++)
	{
		types[ntypes] = statement->types[ntypes];
		if (types[ntypes] == ID)
			types[ntypes] = binding->id_type;
		else if (types[ntypes] == IDS)
			types[ntypes] = get_array_type(binding->id_type);
	}
	binding->plans[number] = prepare(psprintf(statement->text, table_of(binding, statement->table)),
									 ntypes, types, statement->types[0] == IDS);
	return binding->plans[number];
}

/*
 * The plan of the look-up of who has which values of a unique attribute.
 */
SPIPlanPtr
holders_plan(Binding *binding, UniqueIndex *unique)
{
	if (unique->holders == NULL)
	{
		const char *column = quote_identifier(unique->column);
		Oid			type = get_array_type(unique->type);

		unique->holders = prepare(psprintf("SELECT u.id, u.%s FROM %s u WHERE u.%s OPERATOR(pg_catalog.=) ANY ($1)",
										   column, binding->users_sql, column),
								  1, &type, true);
	}
	return unique->holders;
}

/*
 * Have a statement planned with an index look-up for each id.  The planner
 * cannot know how many there will be, and what it knows of a table may be from
 * when that was empty: it might read the whole table for each.  The settings
 * must not reach the statements of triggers, so the plan is made here, not when
 * it runs; being a generic one, it is that which runs.
 */
void
plan_by_index(SPIPlanPtr plan)
{
	static const char *const others[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin"};
	int			nest_level = NewGUCNestLevel();
	CachedPlan *cached;

	for (int i = 0; i < lengthof(others); i++)
		(void) set_config_option(others[i], "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	cached = SPI_plan_get_cached_plan(plan);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(true, nest_level);
}

/*
 * Free the plans of a binding that nobody uses any more.
 */
void
statements_free(Binding *binding)
{
	ListCell   *lc;

	for (int i = 0; i < STATEMENT_COUNT; i++)
	{
		if (binding->plans[i] != NULL)
			SPI_freeplan(binding->plans[i]);
	}
	foreach(lc, binding->unique_indexes)
	{
		UniqueIndex *unique = lfirst(lc);

		if (unique->holders != NULL)
			SPI_freeplan(unique->holders);
	}
}
