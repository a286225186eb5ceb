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
#define MAX_PARAMETERS	16

typedef struct Statement
{
	const char *text;			/* with words in braces: see add_word() */
	Oid			types[MAX_PARAMETERS];	/* of its parameters, then InvalidOid */
	bool		by_index;		/* for plan_by_index: so is what has IDS */
} Statement;

/* Parameters whose type is that of the table's ids, or an array of it. */
#define ID		ANYELEMENTOID
#define IDS		ANYARRAYOID

/* Several lists of paths: see catalog_paths_type(). */
#define LISTS	ANYCOMPATIBLEARRAYOID

/* What every statement on a user gives of its row. */
#define ROW_COLUMNS		"{document}, {version}, {created}, {modified}"

#define BY_ID			" WHERE {u.id} OPERATOR(pg_catalog.=) $1{u.mine}"

/* $1 id, $2 document, $3 version, $4 time, $5 texts of columns, $6 hash of the password */
#define INSERT_USER(new, conflict) \
	"INSERT INTO {users} AS u " new conflict " RETURNING {written}, {u.id}"
#define IF_NONE			" ON CONFLICT ({key}) DO NOTHING"

/*
 * The same, with $7 xmin of the row that was read, and $8 which of the columns
 * change
 */
#define UPDATE_USER(password) \
	"UPDATE {users} AS u SET {assignments}" password BY_ID \
	" AND u.xmin OPERATOR(pg_catalog.=) $7 RETURNING {written}"

/*
 * A join rather than "= ANY": a row that changed while we waited for it is
 * looked at again, and with it all that the condition has.
 */
#define FROM_SET		" FROM pg_catalog.unnest($1) w (id), {from} WHERE {u.id} OPERATOR(pg_catalog.=) w.id{u.mine}"
#define IN_TURN			" ORDER BY {u.id} FOR NO KEY UPDATE OF u"

#define IN_SET			" WHERE {u.id} OPERATOR(pg_catalog.=) ANY ($1){u.mine}"

#define INSERT_SET(returning) \
	"INSERT INTO {users} AS u ({my column}id, document, version, created_at, modified_at)" \
	" SELECT {my value}n.id, n.document, n.version, n.modified, n.modified" \
	" FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS n (id, document, version, modified, place)" \
	" ORDER BY n.place" returning

#define UPDATE_SET(returning) \
	"UPDATE {users} AS u SET document = n.document, version = n.version, modified_at = n.modified" \
	" FROM unnest($1, $2, $3, $4, $5) AS n (id, document, version, modified, xmin)" \
	" WHERE u.id OPERATOR(pg_catalog.=) n.id{u.mine} AND u.xmin OPERATOR(pg_catalog.=) n.xmin" returning

#define RETURNING_SET	" RETURNING " ROW_COLUMNS ", u.id, u.xmin"

/* $1 id, $2 document, $3 version, $4 created, $5 modified, $6 version before */
#define WRITE_STATE(condition) \
	"INSERT INTO {state} AS s ({tenant column}user_id, document, version, created_at, modified_at)" \
	" VALUES ({my value}$1, $2, $3, $4, $5) ON CONFLICT ({tenant column}user_id) DO UPDATE SET" \
	" document = coalesce(excluded.document, s.document), version = excluded.version," \
	" created_at = coalesce(excluded.created_at, s.created_at), modified_at = excluded.modified_at" condition

#define HISTORY_COLUMNS \
	"user_id, version, operation, document, changed, changed_at," \
	" changed_by, actor, request_id, era, transaction_id, feed_position"
#define ONCE			" ON CONFLICT ({tenant column}user_id, version) DO NOTHING"

#define HAS_HISTORY(id) \
	"EXISTS (SELECT FROM {history} p WHERE p.user_id OPERATOR(pg_catalog.=) " id "{p.mine})"

/* Versions, as past.c reads them. */
#define PAST_COLUMNS_WITH(before) \
	"h.user_id, h.version, h.operation, h.document, h.changed, h.changed_at," \
	" h.changed_by, h.actor, h.request_id, " before ", h.before_since, h.era, h.transaction_id, h.feed_position"
#define PAST_COLUMNS	PAST_COLUMNS_WITH("h.before")

#define PAST_VERSIONS \
	"SELECT " PAST_COLUMNS " FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) $1{h.mine} ORDER BY h.version"

/*
 * Versions made from time $1 on and before $2, with what was before: history
 * has that in the same row, or in that of the version before.
 */
#define PAST_SPAN \
	"SELECT " PAST_COLUMNS_WITH("coalesce(h.before, (SELECT p.document FROM {history} p" \
	" WHERE p.user_id OPERATOR(pg_catalog.=) h.user_id AND p.version OPERATOR(pg_catalog.<) h.version{p=h}" \
	" ORDER BY p.version DESC LIMIT 1))") \
	" FROM {history} h WHERE h.changed_at OPERATOR(pg_catalog.>=) $1 AND h.changed_at OPERATOR(pg_catalog.<) $2{h.mine}"

/*
 * The states of users at time $1: a version, or what was before the first that
 * history has.
 */
#define PAST_STATES(condition) \
	"SELECT h.user_id, CASE WHEN NOT s.is_before THEN h.version WHEN EXISTS (SELECT FROM {history} p" \
	" WHERE p.user_id OPERATOR(pg_catalog.=) h.user_id AND p.version OPERATOR(pg_catalog.=) (h.version OPERATOR(pg_catalog.-) 1){p.mine})" \
	" THEN 1 ELSE h.version OPERATOR(pg_catalog.-) 1 END," \
	" CASE WHEN NOT s.is_before THEN h.operation END," \
	" CASE WHEN s.is_before THEN h.before ELSE h.document END, h.changed," \
	" CASE WHEN s.is_before THEN h.before_since ELSE h.changed_at END," \
	" CASE WHEN NOT s.is_before THEN h.changed_by END, CASE WHEN NOT s.is_before THEN h.actor END," \
	" CASE WHEN NOT s.is_before THEN h.request_id END, NULL::pg_catalog.jsonb, h.before_since, h.era," \
	" h.transaction_id, h.feed_position" \
	" FROM (SELECT DISTINCT ON (v.user_id) v.user_id, v.version, v.is_before" \
	" FROM (SELECT h.user_id, h.version, false FROM {history} h" \
	" WHERE h.changed_at OPERATOR(pg_catalog.<=) $1{h.mine}" condition \
	" UNION ALL SELECT h.user_id, h.version, true FROM {history} h" \
	" WHERE h.before_since OPERATOR(pg_catalog.<=) $1{h.mine}" condition ") v (user_id, version, is_before)" \
	" ORDER BY v.user_id, v.version DESC, v.is_before) s, {history} h" \
	" WHERE h.user_id OPERATOR(pg_catalog.=) s.user_id AND h.version OPERATOR(pg_catalog.=) s.version{h.mine}"

/* The newest version of each of some users: is it a deletion, and when was it? */
#define PAST_NEWEST \
	"SELECT w.place, n.document IS NULL, n.changed_at FROM pg_catalog.unnest($1) WITH ORDINALITY w (id, place)," \
	" LATERAL (SELECT h.document, h.changed_at FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) w.id{h.mine}" \
	" ORDER BY h.version DESC LIMIT 1) n"

/* When did the life begin that user $1 had in version $2, and has it ended since? */
#define PAST_LIFE \
	"SELECT v.since, EXISTS (SELECT FROM {history} e WHERE e.user_id OPERATOR(pg_catalog.=) $1" \
	" AND e.version OPERATOR(pg_catalog.>) $2{e.mine} AND (e.document IS NULL OR e.before_since IS NOT NULL))" \
	" FROM (SELECT h.version, coalesce(h.before_since, h.changed_at) AS since, h.before_since IS NOT NULL" \
	" OR pg_catalog.lag(h.document IS NULL, 1, true) OVER (ORDER BY h.version) AS begins" \
	" FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) $1 AND h.version OPERATOR(pg_catalog.<=) $2{h.mine}) v" \
	" WHERE v.begins ORDER BY v.version DESC LIMIT 1"

/*
 * Changes of transactions that have ended with all that were before them: $1
 * era of the present, behind $2 era, $3 position, $4 user and $5 version, $6 at
 * most.
 */
#define PAST_CHANGES \
	"SELECT " PAST_COLUMNS " FROM {history} h" \
	" WHERE ROW(h.era, h.feed_position) OPERATOR(pg_catalog.<)" \
	" ROW($1, pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()))" \
	" AND ROW(h.era, h.feed_position, h.user_id, h.version) OPERATOR(pg_catalog.>) ROW($2, $3, $4, $5){h.mine}" \
	" ORDER BY h.era, h.feed_position, h.user_id, h.version LIMIT $6"

/*
 * What transaction $1 of era $2 did to each user, a change of $3 among it or not,
 * and what was before: history has that in the first row of it, or in the row before.  Positions in the feed
 * are never less than their transaction, and indexed.
 */
#define PAST_TRANSACTION \
	"SELECT t.user_id, f.version, f.operation, l.version, l.document IS NULL, n.version, p.version," \
	" coalesce(f.before, p.document), t.changes_password" \
	" FROM (SELECT h.user_id, pg_catalog.min(h.version) AS first, pg_catalog.max(h.version) AS last," \
	" coalesce(pg_catalog.bool_or($3 OPERATOR(pg_catalog.=) ANY (h.changed)), false) AS changes_password FROM {history} h" \
	" WHERE h.era OPERATOR(pg_catalog.=) $2 AND h.feed_position OPERATOR(pg_catalog.>=) $1" \
	" AND h.transaction_id OPERATOR(pg_catalog.=) $1{h.mine} GROUP BY h.user_id OFFSET 0) t" \
	" JOIN {history} f ON f.user_id OPERATOR(pg_catalog.=) t.user_id AND f.version OPERATOR(pg_catalog.=) t.first{f.mine}" \
	" JOIN {history} l ON l.user_id OPERATOR(pg_catalog.=) t.user_id AND l.version OPERATOR(pg_catalog.=) t.last{l.mine}" \
	" CROSS JOIN LATERAL (SELECT m.version FROM {history} m WHERE m.user_id OPERATOR(pg_catalog.=) t.user_id{m.mine}" \
	" ORDER BY m.version DESC LIMIT 1) n" \
	" LEFT JOIN LATERAL (SELECT b.version, b.document FROM {history} b WHERE b.user_id OPERATOR(pg_catalog.=) t.user_id" \
	" AND b.version OPERATOR(pg_catalog.<) t.first{b.mine} ORDER BY b.version DESC LIMIT 1) p ON true" \
	" ORDER BY t.user_id"

#define WHICH_ARE_THERE \
	"SELECT w.place FROM pg_catalog.unnest($1) WITH ORDINALITY w (id, place)" \
	" WHERE EXISTS (SELECT FROM {users} u WHERE {u.id} OPERATOR(pg_catalog.=) w.id{u.mine})"

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
		"SELECT " ROW_COLUMNS " FROM {from}" BY_ID,
		{ID}
	},
	[STATEMENT_READ_GUARDED] = {
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
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID, XIDOID, BOOLARRAYOID}
	},
	[STATEMENT_UPDATE_PASSWORD] = {
		UPDATE_USER(", {hash} = {new hash}"),
		{ID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID, XIDOID, BOOLARRAYOID}
	},
	[STATEMENT_PASSWORD] = {
		"SELECT nullif(u.{hash}::pg_catalog.text, '') FROM {users} u" BY_ID,
		{ID}
	},
	[STATEMENT_PASSWORD_GUARDED] = {
		"SELECT nullif(u.{hash}::pg_catalog.text, '') FROM {users} u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2",
		{ID, XIDOID}
	},
	[STATEMENT_SET_VERSION] = {
		"UPDATE {users} AS u SET {versions}" BY_ID " RETURNING {times}",
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
		"SELECT {object}, {version}, {created}, {modified}" ", {u.id}{, tenant} FROM {from}"
	},
	[STATEMENT_DELETE] = {
		"DELETE FROM {users} AS u" BY_ID " AND u.xmin OPERATOR(pg_catalog.=) $2",
		{ID, XIDOID}
	},
	[STATEMENT_HISTORY_INSERT] = {
		"INSERT INTO {history} ({tenant column}" HISTORY_COLUMNS ")"
		" VALUES ({my value}$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)" ONCE,
		{ID, INT8OID, TEXTOID, JSONBOID, TEXTARRAYOID, TIMESTAMPTZOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID, XID8OID}
	},
	/* the look-up is made once, not for each column: OFFSET 0 sees to that */
	[STATEMENT_HISTORY_INSERT_BEFORE] = {
		"INSERT INTO {history} ({tenant column}" HISTORY_COLUMNS ", before, before_since)"
		" SELECT {my value}$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
		" CASE WHEN b.is_news THEN $13 END, CASE WHEN b.is_news THEN $14 END"
		" FROM (SELECT $15 OR NOT " HAS_HISTORY("$1") " AS is_news OFFSET 0) b" ONCE,
		{ID, INT8OID, TEXTOID, JSONBOID, TEXTARRAYOID, TIMESTAMPTZOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID, XID8OID,
		JSONBOID, TIMESTAMPTZOID, BOOLOID}
	},
	[STATEMENT_HISTORY_VERSION] = {
		"SELECT h.version, h.changed_at FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) $1{h.mine}"
		" ORDER BY h.version DESC LIMIT 1",
		{ID}
	},
	[STATEMENT_HISTORY_TIMES] = {
		"SELECT (SELECT h.changed_at FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) $1{h.mine}"
		" AND h.version OPERATOR(pg_catalog.<) $2 ORDER BY h.version DESC LIMIT 1),"
		" (SELECT h.changed_at FROM {history} h WHERE h.user_id OPERATOR(pg_catalog.=) $1{h.mine}"
		" AND h.version OPERATOR(pg_catalog.>) $2 ORDER BY h.version LIMIT 1)",
		{ID, INT8OID}
	},
	[STATEMENT_HISTORY_ADOPT] = {
		"UPDATE {history} AS h SET era = h.era OPERATOR(pg_catalog.-) n.era FROM"
		" (SELECT m.era, m.feed_position FROM {history} m ORDER BY m.era DESC, m.feed_position DESC LIMIT 1) n"
		" WHERE ROW(n.era, n.feed_position) OPERATOR(pg_catalog.>=)"
		" ROW($1, pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()))",
		{INT4OID}
	},
	[STATEMENT_SET_LOCK] = {
		"SELECT pg_catalog.count(*) FROM (SELECT" FROM_SET IN_TURN ") l",
		{IDS}
	},
	[STATEMENT_SET_LOCK_GUARDED] = {
		"SELECT pg_catalog.count(*) FROM (SELECT FROM unnest($1, $2) AS w (id, xmin), {from}"
		" WHERE {u.id} OPERATOR(pg_catalog.=) w.id{u.mine} AND u.xmin OPERATOR(pg_catalog.=) w.xmin" IN_TURN ") l",
		{IDS, XIDARRAYOID}
	},
	[STATEMENT_SET_READ] = {
		"SELECT " ROW_COLUMNS ", {u.id}, u.xmin" FROM_SET,
		{IDS}
	},
	[STATEMENT_SET_READ_LOCKED] = {
		"SELECT " ROW_COLUMNS ", {u.id}, u.xmin" FROM_SET IN_TURN,
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
	[STATEMENT_SET_DELETE] = {
		"DELETE FROM {users} AS u USING unnest($1, $2) AS n (id, xmin)"
		" WHERE u.id OPERATOR(pg_catalog.=) n.id{u.mine} AND u.xmin OPERATOR(pg_catalog.=) n.xmin",
		{IDS, XIDARRAYOID}
	},
	[STATEMENT_SET_HISTORY_INSERT] = {
		"INSERT INTO {history} ({tenant column}" HISTORY_COLUMNS ")"
		" SELECT {my value}n.user_id, n.version, $6, n.document, n.changed, n.changed_at,"
		" $7, $8, $9, $10, $11, $12"
		" FROM unnest($1, $2, $3, $4, $5) AS n (user_id, version, document, changed, changed_at)",
		{IDS, INT8ARRAYOID, JSONBARRAYOID, LISTS, TIMESTAMPTZARRAYOID, TEXTOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID, XID8OID}
	},
	[STATEMENT_SET_HISTORY_INSERT_BEFORE] = {
		"INSERT INTO {history} ({tenant column}" HISTORY_COLUMNS ", before, before_since)"
		" SELECT {my value}n.user_id, n.version, $6, n.document, n.changed, n.changed_at,"
		" $7, $8, $9, $10, $11, $12, n.before, n.before_since"
		" FROM unnest($1, $2, $3, $4, $5, $13, $14) AS n (user_id, version, document, changed, changed_at, before, before_since)",
		{IDS, INT8ARRAYOID, JSONBARRAYOID, LISTS, TIMESTAMPTZARRAYOID, TEXTOID, NAMEOID, TEXTOID, TEXTOID, INT4OID, XID8OID, XID8OID,
		JSONBARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[STATEMENT_SET_HISTORY_VERSION] = {
		"SELECT DISTINCT ON (h.user_id) h.version, h.changed_at, h.user_id FROM {history} h"
		" WHERE h.user_id OPERATOR(pg_catalog.=) ANY ($1){h.mine}"
		" ORDER BY h.user_id, h.version DESC",
		{IDS}
	},
	[STATEMENT_SET_HISTORY_NONE] = {
		"SELECT w.place FROM pg_catalog.unnest($1) WITH ORDINALITY w (id, place) WHERE NOT " HAS_HISTORY("w.id"),
		{IDS}
	},
	/* the past: as its owner, or as a caller who may read it */
	[STATEMENT_PAST_VERSIONS] = {PAST_VERSIONS, {ID}},
	[STATEMENT_PAST_VERSIONS_GRANTED] = {PAST_VERSIONS, {ID}},
	[STATEMENT_PAST_SPAN] = {PAST_SPAN, {TIMESTAMPTZOID, TIMESTAMPTZOID}},
	[STATEMENT_PAST_SPAN_GRANTED] = {PAST_SPAN, {TIMESTAMPTZOID, TIMESTAMPTZOID}},
	[STATEMENT_PAST_STATE] = {
		PAST_STATES(" AND h.user_id OPERATOR(pg_catalog.=) $2"),
		{TIMESTAMPTZOID, ID}
	},
	[STATEMENT_PAST_STATE_GRANTED] = {
		PAST_STATES(" AND h.user_id OPERATOR(pg_catalog.=) $2"),
		{TIMESTAMPTZOID, ID}
	},
	[STATEMENT_PAST_STATES] = {PAST_STATES(""), {TIMESTAMPTZOID}},
	[STATEMENT_PAST_STATES_GRANTED] = {PAST_STATES(""), {TIMESTAMPTZOID}},
	[STATEMENT_PAST_NEWEST] = {PAST_NEWEST, {IDS}},
	[STATEMENT_PAST_NEWEST_GRANTED] = {PAST_NEWEST, {IDS}},
	[STATEMENT_PAST_LIFE] = {PAST_LIFE, {ID, INT8OID}},
	[STATEMENT_PAST_LIFE_GRANTED] = {PAST_LIFE, {ID, INT8OID}},
	[STATEMENT_PAST_CHANGES] = {
		PAST_CHANGES, {INT4OID, INT4OID, XID8OID, ID, INT8OID, INT8OID}, true
	},
	[STATEMENT_PAST_CHANGES_GRANTED] = {
		PAST_CHANGES, {INT4OID, INT4OID, XID8OID, ID, INT8OID, INT8OID}, true
	},
	[STATEMENT_PAST_TRANSACTION] = {PAST_TRANSACTION, {XID8OID, INT4OID, TEXTOID}, true},
	[STATEMENT_PAST_TRANSACTION_GRANTED] = {PAST_TRANSACTION, {XID8OID, INT4OID, TEXTOID}, true},
	[STATEMENT_PAST_VISIBLE] = {WHICH_ARE_THERE, {IDS}},
	[STATEMENT_PAST_EXISTING] = {WHICH_ARE_THERE, {IDS}},
	[STATEMENT_PAST_USERS] = {
		"SELECT " ROW_COLUMNS ", {u.id} FROM {from} WHERE {created} OPERATOR(pg_catalog.<=) $1{u.mine}",
		{TIMESTAMPTZOID}
	},
	/* users in the order of ids: $1 at most, all or those behind $2 */
	[STATEMENT_SET_FIRST] = {
		"SELECT {object}, {u.id} FROM {from} WHERE true{u.mine} ORDER BY {u.id} LIMIT $1", {INT8OID}, true
	},
	[STATEMENT_SET_NEXT] = {
		"SELECT {object}, {u.id} FROM {from} WHERE {u.id} OPERATOR(pg_catalog.>) $2{u.mine} ORDER BY {u.id} LIMIT $1",
		{INT8OID, ID}, true
	},
	/* what has to be known of those who are erased, before and after */
	[STATEMENT_HISTORY_DOCUMENTS] = {
		"SELECT d.document FROM {history} h, LATERAL (VALUES (h.document), (h.before)) d (document)"
		" WHERE h.user_id OPERATOR(pg_catalog.=) $1{h.mine} AND d.document IS NOT NULL",
		{ID}
	},
	[STATEMENT_HISTORY_ERASE] = {
		"DELETE FROM {history} AS h WHERE h.user_id OPERATOR(pg_catalog.=) $1 AND h.version OPERATOR(pg_catalog.<) $2{h.mine}",
		{ID, INT8OID}
	},
	[STATEMENT_HISTORY_BLANK] = {
		"UPDATE {history} AS h SET operation = 'delete', document = NULL, changed = ARRAY[]::pg_catalog.text[], actor = NULL, request_id = NULL,"
		" before = NULL, before_since = NULL"
		" WHERE h.user_id OPERATOR(pg_catalog.=) $1 AND h.version OPERATOR(pg_catalog.=) $2{h.mine}"
		" AND (h.operation OPERATOR(pg_catalog.<>) 'delete' OR h.document IS NOT NULL"
		" OR h.changed OPERATOR(pg_catalog.<>) ARRAY[]::pg_catalog.text[] OR h.actor IS NOT NULL OR h.request_id IS NOT NULL"
		" OR h.before IS NOT NULL)",
		{ID, INT8OID}
	},

	/*
	 * $1 time, $2 rows at most.  A version goes when the one after it was
	 * there by then: it is of no time since.  Of others, what they tell of
	 * the time before goes: the values of that, and keys in paths.
	 */
	[STATEMENT_HISTORY_PURGE] = {
		"WITH old AS (SELECT {h.tenant}h.user_id, h.version, n.follows FROM {history} h LEFT JOIN LATERAL"
		" (SELECT true AS follows FROM {history} s WHERE s.user_id OPERATOR(pg_catalog.=) h.user_id{s=h}"
		" AND s.version OPERATOR(pg_catalog.>) h.version AND s.changed_at OPERATOR(pg_catalog.<=) $1 LIMIT 1) n ON true"
		" WHERE h.changed_at OPERATOR(pg_catalog.<=) $1 AND (n.follows OR h.before_since IS NOT NULL"
		" OR pg_catalog.array_to_string(h.changed, '') OPERATOR(pg_catalog.~~) '%[%')"
		" ORDER BY h.era, h.feed_position LIMIT $2 FOR UPDATE OF h SKIP LOCKED),"
		" gone AS (DELETE FROM {history} AS d USING old o WHERE o.follows AND d.user_id OPERATOR(pg_catalog.=) o.user_id"
		" AND d.version OPERATOR(pg_catalog.=) o.version{d=o} RETURNING {d.tenant}d.user_id, d.version),"
		" keys AS (DELETE FROM {keys} AS k USING gone g WHERE k.user_id OPERATOR(pg_catalog.=) g.user_id"
		" AND k.version OPERATOR(pg_catalog.=) g.version{k=g} AND k.response IS NULL),"
		" bare AS (UPDATE {history} AS b SET before = NULL, before_since = NULL, changed = ARRAY(SELECT DISTINCT"
		" pg_catalog.split_part(c, '[', 1) COLLATE \"C\" FROM pg_catalog.unnest(b.changed) c ORDER BY 1)"
		" FROM old o WHERE o.follows IS NULL AND b.user_id OPERATOR(pg_catalog.=) o.user_id"
		" AND b.version OPERATOR(pg_catalog.=) o.version{b=o} RETURNING 1)"
		" SELECT (SELECT pg_catalog.count(*) FROM gone) OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM bare)",
		{TIMESTAMPTZOID, INT4OID}
	},
	[STATEMENT_KEYS_LOCK] = {"LOCK TABLE {keys} IN ACCESS EXCLUSIVE MODE"},
	[STATEMENT_KEYS_OF_USER] = {
		"DELETE FROM {keys} AS k WHERE k.user_id OPERATOR(pg_catalog.=) $1{k.mine}",
		{ID}
	},
	[STATEMENT_KEYS_OF_MANY] = {
		"SELECT k.caller, k.key, k.response FROM {keys} k WHERE k.user_id IS NULL AND k.response IS NOT NULL{k.mine}"
	},
	[STATEMENT_KEY_DELETE] = {"DELETE FROM {keys} AS k" BY_KEY, {TEXTOID, TEXTOID}},
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
static const LayoutValues row_values = {"$2", "$3", "$4", "$5", "$8"};

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
	if (with_hash || layout->needs_password)
	{
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
						 quote_identifier(layout->password));
		appendStringInfo(&values, "%s%s", values.len > 0 ? ", " : "", with_hash ? "$6" : "''");
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
		{"my column", layout->tenant == NULL ? "" : psprintf("%s, ", quote_identifier(layout->tenant))},
		{"my value", layout->tenant == NULL ? "" : psprintf("%s, ", layout->tenant_sql)},
		{"tenant column", layout->tenant == NULL ? "" : TENANT_COLUMN ", "},
		{", tenant", layout->tenant == NULL ? "" :
		psprintf(", u.%s::pg_catalog.text", quote_identifier(layout->tenant))},
		{"u.id", layout->id_sql},
		{"document", layout->document_sql},
		{"object", layout->object_sql},
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
	if (strcmp(word, "new hash") == 0)
		appendStringInfoString(sql, layout->has_blank_password ? "coalesce($6, '')" : "$6");
	else if (strcmp(word + 1, ".mine") == 0)
		appendStringInfoString(sql, tenant_condition(layout, pnstrdup(word, 1)));
	else if (strcmp(word + 1, ".tenant") == 0)
		appendStringInfo(sql, layout->tenant != NULL ? "%c." TENANT_COLUMN ", " : "", word[0]);
	else if (word[1] == '=')
		appendStringInfo(sql, layout->tenant != NULL ?
						 " AND %c." TENANT_COLUMN " OPERATOR(pg_catalog.=) %c." TENANT_COLUMN : "",
						 word[0], word[2]);
	else if (strncmp(word, "new", 3) == 0)
		add_new(sql, binding, strstr(word, "id") != NULL, strstr(word, "hash") != NULL);
	else if (strcmp(word, "assignments") == 0)
		layout_update_sql(layout, binding->users, &row_values, sql);
	else if (strcmp(word, "versions") == 0)
		layout_versions_sql(layout, binding->users, sql);
	else if (strcmp(word, "written") == 0 && layout->state_sql == NULL)
		add_text(sql, binding, ROW_COLUMNS);
	else if (strcmp(word, "written") == 0)
		layout_written_sql(layout, binding->users, layout->written_sql, "$3", "$4", "$4", sql);
	else if (strcmp(word, "times") == 0)
		layout_written_sql(layout, binding->users, "null::pg_catalog.jsonb", "$2", "$3", "$4", sql);
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
		else if (types[ntypes] == LISTS)
			types[ntypes] = get_array_type(catalog_paths_type());
	}
	initStringInfo(&sql);
	add_text(&sql, binding, statement->text);
	binding->plans[number] = prepare(sql.data, ntypes, types,
									 statement->types[0] == IDS || statement->by_index);
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
	static const char *const others[] = {"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"};
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
