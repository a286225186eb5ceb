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
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "store/store.h"

/* More than any statement has parameters. */
#define MAX_PARAMETERS	12

typedef struct Statement
{
	const char *text;			/* with words in braces: see add_word() */
	Oid			types[MAX_PARAMETERS];	/* of its parameters, then InvalidOid */
} Statement;

/* Parameters whose type is that of the table's ids, or an array of it. */
#define ID		ANYELEMENTOID
#define IDS		ANYARRAYOID

/* What every statement on a user gives of its row. */
#define ROW_COLUMNS		"{document}, {version}, {created}, {modified}"

#define BY_ID			" WHERE {u.id} OPERATOR(pg_catalog.=) $1{u.mine}"

/* $1 id, $2 document, $3 version, $4 time, $5 texts of columns, $6 hash of the password */
#define INSERT_USER(new, conflict) \
	"INSERT INTO {users} AS u " new conflict " RETURNING {written}, {u.id}"
#define IF_NONE			" ON CONFLICT ({key}) DO NOTHING"

/* $1 id, $2 document, $3 version, $4 time, $5 texts of columns, $6 hash of the password, $7 xmin of the row that was read */
#define UPDATE_USER(password) \
	"UPDATE {users} AS u SET {assignments}" password BY_ID \
	" AND u.xmin OPERATOR(pg_catalog.=) $7 RETURNING {written}"

/*
 * A join rather than "= ANY": a row that changed while we waited for it is
 * looked at again, and with it all that the condition has.
 */
#define LOCK_SET(columns) \
	"SELECT " columns " FROM pg_catalog.unnest($1) w (id), {from}" \
	" WHERE {u.id} OPERATOR(pg_catalog.=) w.id{u.mine} ORDER BY {u.id} FOR NO KEY UPDATE OF u"

#define IN_SET			" WHERE {u.id} OPERATOR(pg_catalog.=) ANY ($1){u.mine}"

#define INSERT_SET(returning) \
	"INSERT INTO {users} AS u ({my column}id, document, version, created_at, modified_at)" \
	" SELECT {my value}n.id, n.document, n.version, n.modified, n.modified" \
	" FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS n (id, document, version, modified, place)" \
	" ORDER BY n.place ON CONFLICT ({key}) DO NOTHING" returning

#define UPDATE_SET(returning) \
	"UPDATE {users} AS u SET document = n.document, version = n.version, modified_at = n.modified" \
	" FROM unnest($1, $2, $3, $4, $5) AS n (id, document, version, modified, xmin)" \
	" WHERE u.id OPERATOR(pg_catalog.=) n.id{u.mine} AND u.xmin OPERATOR(pg_catalog.=) n.xmin" returning

#define RETURNING_SET	" RETURNING " ROW_COLUMNS ", u.xmin, u.id"

/* $1 id, $2 document, $3 version, $4 created, $5 modified, $6 version before */
#define WRITE_STATE(condition) \
	"INSERT INTO {state} AS s ({tenant column}user_id, document, version, created_at, modified_at)" \
	" VALUES ({my value}$1, $2, $3, $4, $5) ON CONFLICT ({tenant column}user_id) DO UPDATE SET" \
	" document = coalesce(excluded.document, s.document), version = excluded.version," \
	" created_at = coalesce(excluded.created_at, s.created_at), modified_at = excluded.modified_at" condition

#define HISTORY_COLUMNS \
	"user_id, version, operation, document, changed, changed_at," \
	" changed_by, actor, request_id, era, transaction_id"

#define BY_KEY \
	" WHERE k.caller OPERATOR(pg_catalog.=) $1 AND k.key OPERATOR(pg_catalog.=) $2{k.mine}"

/*
 * A plan remembers the role that it was made for, but not whether that role
 * went past FORCE ROW LEVEL SECURITY.  What is always run as the owner is a
 * statement of its own, then, even if callers run one that reads the same: so
 * STATEMENT_EXISTS and STATEMENT_VISIBLE, STATEMENT_STATE_READ and
 * STATEMENT_STATE_DOCUMENT, STATEMENT_SET_EXISTS and STATEMENT_SET_VISIBLE.
 */
static const Statement statements[STATEMENT_COUNT] = {
	[STATEMENT_READ] = {
		"SELECT " ROW_COLUMNS ", u.xmin FROM {from}" BY_ID,
		{ID}
	},
	[STATEMENT_EXISTS] = {
		"SELECT FROM {users} u" BY_ID,
		{ID}
	},
	[STATEMENT_VISIBLE] = {
		"SELECT FROM {users} u" BY_ID,
		{ID}
	},
	[STATEMENT_LOCK] = {
		"SELECT " ROW_COLUMNS ", u.xmin FROM {from}" BY_ID " FOR NO KEY UPDATE OF u",
		{ID}
	},
	[STATEMENT_INSERT] = {
		INSERT_USER("{new with id}", ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID}
	},
	[STATEMENT_INSERT_NO_ID] = {
		INSERT_USER("{new}", ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID}
	},
	[STATEMENT_INSERT_IF_NONE] = {
		INSERT_USER("{new with id}", IF_NONE),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID}
	},
	[STATEMENT_INSERT_PASSWORD] = {
		INSERT_USER("{new with id, hash}", ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID}
	},
	[STATEMENT_INSERT_NO_ID_PASSWORD] = {
		INSERT_USER("{new with hash}", ""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID}
	},
	[STATEMENT_INSERT_IF_NONE_PASSWORD] = {
		INSERT_USER("{new with id, hash}", IF_NONE),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID}
	},
	[STATEMENT_UPDATE] = {
		UPDATE_USER(""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID, XIDOID}
	},
	[STATEMENT_UPDATE_PASSWORD] = {
		UPDATE_USER(", {hash} = $6"),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID, XIDOID}
	},
	[STATEMENT_PASSWORD] = {
		"SELECT u.{hash} FROM {users} u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2",
		{ID, XIDOID}
	},
	[STATEMENT_SET_VERSION] = {
		"UPDATE {users} AS u SET {versions}" BY_ID " RETURNING {written}",
		{ID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[STATEMENT_GUARD] = {
		"SELECT FROM {users} u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
		{ID, XIDOID}
	},
	[STATEMENT_STATE_READ] = {
		"SELECT s.version, s.document FROM {state} s WHERE s.user_id OPERATOR(pg_catalog.=) $1{s.mine}",
		{ID}
	},
	[STATEMENT_STATE_DOCUMENT] = {
		"SELECT s.document FROM {state} s WHERE s.user_id OPERATOR(pg_catalog.=) $1{s.mine}",
		{ID}
	},
	[STATEMENT_STATE_WRITE] = {
		WRITE_STATE(""),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[STATEMENT_STATE_WRITE_OVER] = {
		WRITE_STATE(" WHERE coalesce(s.version OPERATOR(pg_catalog.=) $6, true)"),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}
	},
	[STATEMENT_STATE_DELETE] = {
		"DELETE FROM {state} AS s WHERE s.user_id OPERATOR(pg_catalog.=) $1{s.mine}",
		{ID}
	},
	[STATEMENT_STATE_CLEAR] = {
		"DELETE FROM {state}"
	},
	[STATEMENT_CLAIM_INSERT] = {
		"INSERT INTO {claims} ({tenant column}attribute, value, user_id) VALUES ({my value}$1, $2, $3)"
		" ON CONFLICT ({tenant column}attribute, value) DO NOTHING",
		{TEXTOID, TEXTOID, ID}
	},
	[STATEMENT_CLAIM_DELETE] = {
		"DELETE FROM {claims} AS c WHERE c.attribute OPERATOR(pg_catalog.=) $1"
		" AND c.value OPERATOR(pg_catalog.=) $2 AND c.user_id OPERATOR(pg_catalog.=) $3{c.mine}",
		{TEXTOID, TEXTOID, ID}
	},
	[STATEMENT_CLAIM_CLEAR] = {
		"DELETE FROM {claims}"
	},
	[STATEMENT_ALL] = {
		"SELECT " ROW_COLUMNS ", {u.id}{, tenant} FROM {from}"
	},
	[STATEMENT_DELETE] = {
		"DELETE FROM {users} AS u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2",
		{ID, XIDOID}
	},
	[STATEMENT_HISTORY_INSERT] = {
		"INSERT INTO {history} ({tenant column}" HISTORY_COLUMNS ")"
		" VALUES ({my value}$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT ({tenant column}user_id, version) DO NOTHING",
		{ID, INT8OID, TEXTOID, JSONBOID, TEXTARRAYOID, TIMESTAMPTZOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID}
	},
	[STATEMENT_HISTORY_VERSION] = {
		"SELECT h.version, h.changed_at FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) $1{h.mine}"
		" ORDER BY h.version DESC LIMIT 1",
		{ID}
	},
	[STATEMENT_SET_LOCK] = {
		"SELECT pg_catalog.count(*) FROM (" LOCK_SET("") ") l",
		{IDS}
	},
	[STATEMENT_SET_READ_LOCKED] = {
		LOCK_SET(ROW_COLUMNS ", u.xmin, {u.id}"),
		{IDS}
	},
	[STATEMENT_SET_EXISTS] = {
		"SELECT {u.id} FROM {users} u" IN_SET,
		{IDS}
	},
	[STATEMENT_SET_VISIBLE] = {
		"SELECT {u.id} FROM {users} u" IN_SET,
		{IDS}
	},
	[STATEMENT_SET_INSERT] = {
		INSERT_SET(""),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[STATEMENT_SET_INSERT_RETURNING] = {
		INSERT_SET(RETURNING_SET),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[STATEMENT_SET_UPDATE] = {
		UPDATE_SET(""),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, XIDARRAYOID}
	},
	[STATEMENT_SET_UPDATE_RETURNING] = {
		UPDATE_SET(RETURNING_SET),
		{IDS, JSONBARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, XIDARRAYOID}
	},
	[STATEMENT_SET_HISTORY_INSERT] = {
		"INSERT INTO {history} ({tenant column}" HISTORY_COLUMNS ")"
		" SELECT {my value}n.user_id, n.version, $6, n.document, n.changed::pg_catalog.text[], n.changed_at,"
		" $7, $8, $9, $10, $11"
		" FROM unnest($1, $2, $3, $4, $5) AS n (user_id, version, document, changed, changed_at)"
		" ON CONFLICT ({tenant column}user_id, version) DO NOTHING",
		{IDS, INT8ARRAYOID, JSONBARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TEXTOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID}
	},
	[STATEMENT_SET_HISTORY_VERSION] = {
		"SELECT DISTINCT ON (h.user_id) h.version, h.changed_at, h.user_id FROM {history} h"
		" WHERE h.user_id OPERATOR(pg_catalog.=) ANY ($1){h.mine}"
		" ORDER BY h.user_id, h.version DESC",
		{IDS}
	},
	[STATEMENT_KEY_READ] = {
		"SELECT k.fingerprint, k.user_id, k.response, k.expires_at, k.operation, k.version FROM {keys} k" BY_KEY,
		{TEXTOID, TEXTOID}
	},
	[STATEMENT_KEY_INSERT] = {
		"INSERT INTO {keys} AS k ({tenant column}caller, key, fingerprint, operation, user_id, version, response, expires_at)"
		" VALUES ({my value}$1, $2, $3, $4, $5, $6, $7, $8)"
		" ON CONFLICT ({tenant column}caller, key) DO UPDATE SET fingerprint = excluded.fingerprint,"
		" operation = excluded.operation, user_id = excluded.user_id, version = excluded.version,"
		" response = excluded.response, expires_at = excluded.expires_at"
		" WHERE k.expires_at OPERATOR(pg_catalog.<=) $9",
		{TEXTOID, TEXTOID, BYTEAOID, TEXTOID, ID, INT8OID, JSONBOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[STATEMENT_KEY_UPDATE] = {
		"UPDATE {keys} AS k SET user_id = $3, version = $4, response = $5, operation = $6" BY_KEY,
		{TEXTOID, TEXTOID, ID, INT8OID, JSONBOID, TEXTOID}
	},
};

static void add_text(StringInfo sql, const Binding *binding, const char *text);

/* Words for the parts of a single row's statement. */
static const LayoutValues row_values = {"$2", "$3", "$4", "$5"};

/* The columns of a new row and their values. */
static void
add_new(StringInfo sql, const Binding *binding, bool with_id, bool with_hash)
{
	const Layout *layout = &binding->layout;
	StringInfoData columns;
	StringInfoData values;

	initStringInfo(&columns);
	initStringInfo(&values);
	if (layout->tenant != NULL)
	{
		appendStringInfoString(&columns, quote_identifier(layout->tenant));
		appendStringInfoString(&values, layout->tenant_sql);
	}
	if (with_id)
	{
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "", quote_identifier(layout->id));
		appendStringInfo(&values, "%s$1", values.len > 0 ? ", " : "");
	}
	layout_insert_sql(layout, binding->users, &row_values, &columns, &values);
	if (with_hash)
	{
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
						 quote_identifier(layout->password));
		appendStringInfo(&values, "%s$6", values.len > 0 ? ", " : "");
	}
	if (columns.len > 0)
		appendStringInfo(sql, "(%s) VALUES (%s)", columns.data, values.data);
	else
		appendStringInfoString(sql, "DEFAULT VALUES");
}

/* What a word in braces stands for. */
static void
add_word(StringInfo sql, const Binding *binding, const char *word)
{
	const Layout *layout = &binding->layout;
	const struct
	{
		const char *word;
		const char *sql;
	}			words[] = {
		{"users", binding->users_sql},
		{"history", binding->history_sql},
		{"keys", binding->idempotency_sql},
		{"state", layout->state_sql},
		{"claims", binding->claims_sql},
		{"from", layout->from_sql},
		{"id", quote_identifier(layout->id)},
		{"key", layout->tenant == NULL ? quote_identifier(layout->id) :
		psprintf("%s, %s", quote_identifier(layout->tenant), quote_identifier(layout->id))},
		{"u.mine", tenant_condition(layout, "u")},
		{"h.mine", tenant_condition(layout, "h")},
		{"k.mine", tenant_condition(layout, "k")},
		{"s.mine", tenant_condition(layout, "s")},
		{"c.mine", tenant_condition(layout, "c")},
		{"my column", layout->tenant == NULL ? "" : psprintf("%s, ", quote_identifier(layout->tenant))},
		{"my value", layout->tenant == NULL ? "" : psprintf("%s, ", layout->tenant_sql)},
		{"tenant column", layout->tenant == NULL ? "" : TENANT_COLUMN ", "},
		{", tenant", layout->tenant == NULL ? "" :
		psprintf(", u.%s::pg_catalog.text", quote_identifier(layout->tenant))},
		{"u.id", layout->id_sql},
		{"document", layout->document_sql},
		{"version", layout->version_sql},
		{"created", layout->created_sql},
		{"modified", layout->modified_sql},
		{"hash", layout->password != NULL ? quote_identifier(layout->password) : NULL},
	};

	for (int i = 0; i < lengthof(words); i++)
	{
		if (strcmp(words[i].word, word) == 0 && words[i].sql != NULL)
		{
			appendStringInfoString(sql, words[i].sql);
			return;
		}
	}
	if (strncmp(word, "new", 3) == 0)
		add_new(sql, binding, strstr(word, "id") != NULL, strstr(word, "hash") != NULL);
	else if (strcmp(word, "assignments") == 0)
		layout_update_sql(layout, binding->users, &row_values, sql);
	else if (strcmp(word, "versions") == 0)
		layout_versions_sql(layout, binding->users, sql);
	else if (strcmp(word, "written") == 0)
		/* what the state table has of it is read when that is written too */
		add_text(sql, binding, layout->state_sql == NULL ? ROW_COLUMNS :
				 "null::pg_catalog.jsonb, 0::pg_catalog.int8, {u.id}, {u.id}");
	else
		elog(ERROR, "unexpected word \"%s\" in a statement", word); /* can't happen */
}

static void
add_text(StringInfo sql, const Binding *binding, const char *text)
{
	while (*text !='\0')
	{
		int			len = strcspn(text, "{");

		appendBinaryStringInfo(sql, text, len);
		text	  +=len;

		if (*text == '\0')
			break;
		len = strcspn(text, "}");
		add_word(sql, binding, pnstrdup(text +1, len - 1));
		text	  +=len + 1;
	}
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
	StringInfoData sql;
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
	initStringInfo(&sql);
	add_text(&sql, binding, statement->text);
	binding->plans[number] = prepare(sql.data, ntypes, types, statement->types[0] == IDS);
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
		const char *column = unique->column != NULL ? quote_identifier(unique->column) : NULL;
		Oid			type = unique->is_claimed ? TEXTARRAYOID : get_array_type(unique->type);

		if (unique->is_claimed)
			unique->holders = prepare(psprintf("SELECT c.user_id, c.value FROM %s c WHERE c.attribute OPERATOR(pg_catalog.=) %s"
											   " AND c.value OPERATOR(pg_catalog.=) ANY ($1)%s",
											   binding->claims_sql, quote_literal_cstr(unique->path),
											   tenant_condition(&binding->layout, "c")),
									  1, &type, true);
		else
			unique->holders = prepare(psprintf("SELECT u.id, u.%s FROM %s u WHERE u.%s OPERATOR(pg_catalog.=) ANY ($1)%s",
											   column, binding->users_sql, column,
											   tenant_condition(&binding->layout, "u")),
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
