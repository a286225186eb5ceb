/*
 * companion.c
 *	  The tables that stand beside a user table: history, keys, and, where it
 *	  needs them, the state table and the claims.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "store/store.h"

/* The name of a companion, which must not be cut off. */
static char *
companion_table_name(const char *table, const char *suffix)
{
	char	   *name = psprintf("%s_%s", table, suffix);

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of user table \"%s\" is too long", table),
				 errhint("It has at most %d bytes, to leave room for the names of its companions.",
						 (int) (NAMEDATALEN - sizeof("_idempotency")))));
	return name;
}

/* The columns of a companion that depend on the user table, in SQL. */
typedef struct Leading
{
	const char *id_type;
	const char *tenant;			/* definition of the column for tenants, or "" */
	const char *key;			/* that column in a key, or "" */
	const char *partition_by;	/* or "" */
} Leading;

static void
create_history(const char *sql, const Leading *leading)
{
	run_ddl("CREATE TABLE %s (%s"
			"user_id %s NOT NULL, "
			"version pg_catalog.int8 NOT NULL, "
			"operation pg_catalog.text NOT NULL, "
			"document pg_catalog.jsonb, "
			"changed pg_catalog.text[] NOT NULL, "
			"changed_at pg_catalog.timestamptz NOT NULL, "
			"changed_by pg_catalog.name NOT NULL, "
			"actor pg_catalog.text, "
			"request_id pg_catalog.text, "
			"era pg_catalog.int4 NOT NULL, "
			"transaction_id pg_catalog.xid8 NOT NULL, "
			"feed_position pg_catalog.xid8 NOT NULL, "
			"before pg_catalog.jsonb, "
			"before_since pg_catalog.timestamptz, "
			"PRIMARY KEY (%suser_id, version))%s", sql, leading->tenant, leading->id_type, leading->key,
			leading->partition_by);
	run_ddl("CREATE INDEX ON %s (%sera, feed_position)", sql, leading->key);
	/* rows come in the order of time: this costs a write nothing to speak of */
	run_ddl("CREATE INDEX ON %s USING brin (changed_at)", sql);
	run_ddl("COMMENT ON TABLE %s IS 'history of a user table of the extension userstore: one row for each version of each user'", sql);
	run_ddl("COMMENT ON COLUMN %s.user_id IS 'id of the user'", sql);
	run_ddl("COMMENT ON COLUMN %s.version IS 'version of the user that the change made'", sql);
	run_ddl("COMMENT ON COLUMN %s.operation IS 'create, put, patch, delete or sql'", sql);
	run_ddl("COMMENT ON COLUMN %s.document IS 'attributes after the change; NULL after a deletion'", sql);
	run_ddl("COMMENT ON COLUMN %s.changed IS 'paths of the attributes that changed (RFC 7644 section 3.10), sorted; with a password that was set and wishes (transient attributes)'", sql);
	run_ddl("COMMENT ON COLUMN %s.changed_at IS 'when; rises with the version'", sql);
	run_ddl("COMMENT ON COLUMN %s.changed_by IS 'the role that changed it'", sql);
	run_ddl("COMMENT ON COLUMN %s.actor IS 'whom that role said it acted for: setting userstore.actor'", sql);
	run_ddl("COMMENT ON COLUMN %s.request_id IS 'the caller''s name for the request'", sql);
	run_ddl("COMMENT ON COLUMN %s.era IS 'cluster in which transaction_id counts: see userstore.era'", sql);
	run_ddl("COMMENT ON COLUMN %s.transaction_id IS 'the transaction that changed it'", sql);
	run_ddl("COMMENT ON COLUMN %s.feed_position IS 'where the feed (users_changes) has it, within the era: the newest transaction by then; never less than transaction_id, nor than that of the version before'", sql);
	run_ddl("COMMENT ON COLUMN %s.before IS 'attributes before the change, of a user of whom history had no version: whom plain SQL inserted, or who was there before the table was attached; else NULL'", sql);
	run_ddl("COMMENT ON COLUMN %s.before_since IS 'since when the user was that'", sql);
}

static void
create_idempotency(const char *sql, const Leading *leading)
{
	run_ddl("CREATE TABLE %s (%s"
			"caller pg_catalog.text COLLATE \"C\" NOT NULL, "
			"key pg_catalog.text COLLATE \"C\" NOT NULL, "
			"fingerprint pg_catalog.bytea NOT NULL, "
			"operation pg_catalog.text NOT NULL, "
			"user_id %s, "
			"version pg_catalog.int8, "
			"response pg_catalog.jsonb, "
			"expires_at pg_catalog.timestamptz NOT NULL, "
			"PRIMARY KEY (%scaller, key))", sql, leading->tenant, leading->id_type, leading->key);
	run_ddl("CREATE INDEX ON %s (expires_at)", sql);
	run_ddl("COMMENT ON TABLE %s IS 'idempotency keys of a user table of the extension userstore, with the answers given under them'", sql);
	run_ddl("COMMENT ON COLUMN %s.caller IS 'role, a slash, and the setting userstore.client'", sql);
	run_ddl("COMMENT ON COLUMN %s.key IS 'the key, 1 to 255 characters'", sql);
	run_ddl("COMMENT ON COLUMN %s.fingerprint IS 'SHA-256 of operation, user, API profile and body; behind it the hash of each password that was sent'", sql);
	run_ddl("COMMENT ON COLUMN %s.operation IS 'create (also by PUT), put, patch, delete, bulk_put, bulk_patch or bulk'", sql);
	run_ddl("COMMENT ON COLUMN %s.user_id IS 'id of the user; NULL for many'", sql);
	run_ddl("COMMENT ON COLUMN %s.version IS 'version of the user after the request; NULL for many'", sql);
	run_ddl("COMMENT ON COLUMN %s.response IS 'the answer, given again when the request is repeated'", sql);
	run_ddl("COMMENT ON COLUMN %s.expires_at IS 'from then on the key is as new'", sql);
}

static void
create_state(const char *sql, const Leading *leading)
{
	run_ddl("CREATE TABLE %s (%s"
			"user_id %s NOT NULL, "
			"document pg_catalog.jsonb, "
			"version pg_catalog.int8, "
			"created_at pg_catalog.timestamptz, "
			"modified_at pg_catalog.timestamptz, "
			"PRIMARY KEY (%suser_id)) WITH (fillfactor = 80)", sql, leading->tenant, leading->id_type,
			leading->key);
	run_ddl("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", sql);
	run_ddl("COMMENT ON TABLE %s IS 'what a user table of the extension userstore has no columns for: one row for each user'", sql);
	run_ddl("COMMENT ON COLUMN %s.user_id IS 'id of the user'", sql);
	run_ddl("COMMENT ON COLUMN %s.document IS 'attributes that have no column of their own; NULL: the table has a column for documents'", sql);
	run_ddl("COMMENT ON COLUMN %s.version IS 'grows by one with each change; the ETag; NULL: the table has it'", sql);
	run_ddl("COMMENT ON COLUMN %s.created_at IS 'when the user was created; NULL: the table has it'", sql);
	run_ddl("COMMENT ON COLUMN %s.modified_at IS 'when the user last changed; NULL: the table has it'", sql);
}

static void
create_claims(const char *sql, const Leading *leading)
{
	run_ddl("CREATE TABLE %s (%s"
			"attribute pg_catalog.text COLLATE \"C\" NOT NULL, "
			"value pg_catalog.text COLLATE \"C\" NOT NULL, "
			"user_id %s NOT NULL, "
			"PRIMARY KEY (%sattribute, value))", sql, leading->tenant, leading->id_type, leading->key);
	run_ddl("COMMENT ON TABLE %s IS 'values of unique attributes of a partitioned user table of the extension userstore, each once'", sql);
	run_ddl("COMMENT ON COLUMN %s.attribute IS 'path of the attribute'", sql);
	run_ddl("COMMENT ON COLUMN %s.value IS 'its value, as it is compared'", sql);
	run_ddl("COMMENT ON COLUMN %s.user_id IS 'id of the user who has it'", sql);
}

static const KnownColumn history_columns[] = {
	{"user_id", InvalidOid},
	{"version", INT8OID},
	{"operation", TEXTOID},
	{"document", JSONBOID},
	{"changed", TEXTARRAYOID},
	{"changed_at", TIMESTAMPTZOID},
	{"changed_by", NAMEOID},
	{"actor", TEXTOID},
	{"request_id", TEXTOID},
	{"era", INT4OID},
	{"transaction_id", XID8OID},
	{"feed_position", XID8OID},
	{"before", JSONBOID},
	{"before_since", TIMESTAMPTZOID},
	{NULL}
};

static const KnownColumn claim_columns[] = {
	{"attribute", TEXTOID},
	{"value", TEXTOID},
	{"user_id", InvalidOid},
	{NULL}
};

static const KnownColumn state_columns[] = {
	{"user_id", InvalidOid},
	{"document", JSONBOID},
	{"version", INT8OID},
	{"created_at", TIMESTAMPTZOID},
	{"modified_at", TIMESTAMPTZOID},
	{NULL}
};

static const KnownColumn idempotency_columns[] = {
	{"caller", TEXTOID},
	{"key", TEXTOID},
	{"fingerprint", BYTEAOID},
	{"operation", TEXTOID},
	{"user_id", InvalidOid},
	{"version", INT8OID},
	{"response", JSONBOID},
	{"expires_at", TIMESTAMPTZOID},
	{NULL}
};

typedef struct Companion
{
	const char *suffix;
	void		(*create) (const char *sql, const Leading *leading);
	const KnownColumn *columns;
	const char *key[4];			/* with room for the tenant */
} Companion;

static const Companion companions[] = {
	[COMPANION_HISTORY] = {"history", create_history, history_columns, {"user_id", "version", NULL}},
	[COMPANION_KEYS] = {"idempotency", create_idempotency, idempotency_columns, {"caller", "key", NULL}},
	[COMPANION_CLAIMS] = {"unique", create_claims, claim_columns, {"attribute", "value", NULL}},
	[COMPANION_STATE] = {"state", create_state, state_columns, {"user_id", NULL}},
};

static bool
is_table(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

/*
 * The first of the columns (ended by NULL) that a relation lacks, or NULL.
 */
const char *
missing_column(Oid relid, const KnownColumn *columns, Oid id_type)
{
	for (; columns->name != NULL; columns++)
	{
		AttrNumber	number = get_attnum(relid, columns->name);
		Oid			type = OidIsValid(columns->type) ? columns->type : id_type;

		if (number == InvalidAttrNumber || get_atttype(relid, number) != type)
			return columns->name;
	}
	return NULL;
}

/*
 * Hash partitions of a table, as many as are said; none for 0.
 */
void
create_partitions(Oid namespace, const char *table, int partitions, const char *with)
{
	char	   *schema = get_namespace_name(namespace);

	for (int i = 0; i < partitions; i++)
	{
		char	   *name = ChooseRelationName(table, NULL, psprintf("p%d", i), namespace, false);

		run_ddl("CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS %d, REMAINDER %d)%s",
				quote_qualified_identifier(schema, name), quote_qualified_identifier(schema, table), partitions, i, with);
		CommandCounterIncrement();
	}
}

/*
 * The companion of a table that is created, or of one that is attached: then
 * one that stands is adopted, if it is what it is called.
 */
Oid
ensure_companion(Oid users, const char *id, const char *tenant, CompanionKind kind, int partitions,
				 bool adopts)
{
	const Companion *companion = &companions[kind];
	Oid			namespace = get_rel_namespace(users);
	char	   *name = companion_table_name(get_rel_name(users), companion->suffix);
	Oid			relid = get_relname_relid(name, namespace);
	Oid			id_type = get_atttype(users, get_attnum(users, id));
	const char *key[5] = {NULL};
	int			keys;

	if (!OidIsValid(relid) || !adopts)
	{
		Leading		leading = {format_type_be_qualified(id_type), "", "", ""};

		char	   *sql = quote_qualified_identifier(get_namespace_name(namespace), name);

		if (tenant != NULL)
		{
			leading.tenant = psprintf(TENANT_COLUMN " %s NOT NULL, ",
									  format_type_be_qualified(get_atttype(users, get_attnum(users, tenant))));
			leading.key = TENANT_COLUMN ", ";
		}
		if (partitions > 0)
			leading.partition_by = " PARTITION BY HASH (user_id)";
		companion->create(sql, &leading);
		create_partitions(namespace, name, partitions, "");
		if (tenant != NULL)
			run_ddl("COMMENT ON COLUMN %s." TENANT_COLUMN " IS 'whose user it is'", sql);
		/* it belongs to the owner of the user table, whoever attaches that */
		run_ddl("ALTER TABLE %s OWNER TO %s", sql,
				quote_identifier(GetUserNameFromId(relation_owner(users), false)));
		CommandCounterIncrement();
		return get_relname_relid(name, namespace);
	}
	for (keys = 0; companion->key[keys] != NULL; keys++)
		key[keys] = companion->key[keys];
	if (tenant != NULL)
		key[keys] = TENANT_COLUMN;
	if (!is_table(relid) || missing_column(relid, companion->columns, id_type) != NULL ||
		(tenant != NULL) != (get_attnum(relid, TENANT_COLUMN) != InvalidAttrNumber) ||
		!table_has_key(relid, key, true))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("\"%s\" is not the %s table of a user table like \"%s\"",
						name, companion->suffix, get_rel_name(users)),
				 errhint("Rename it or move it elsewhere, so that one can be created.")));
	return relid;
}

/*
 * Refuse the name of a user table that leaves no room for those of companions.
 */
void
companion_check_name(const char *table)
{
	(void) companion_table_name(table, companions[COMPANION_KEYS].suffix);
}
