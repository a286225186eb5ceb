/*
 * store.h
 *	  All that touches tables: the catalog, user tables and their companions.
 */
#ifndef USERSTORE_STORE_H
#define USERSTORE_STORE_H

#include "postgres.h"

#include "access/transam.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/acl.h"
#include "utils/jsonb.h"
#include "utils/reltrigger.h"
#include "utils/timestamp.h"

#include "core/profile.h"
#include "core/schema.h"
#include "core/select.h"
#include "store/layout.h"

/*
 * catalog.c
 */
#define CATALOG_SCHEMA "userstore"

typedef enum Catalog
{
	CATALOG_ATTRIBUTE_SCHEMA,
	CATALOG_API_PROFILE,
	CATALOG_USER_TABLE,
	CATALOG_ATTRIBUTE_LOOKUP,
	CATALOG_TENANT_GRANT,
	CATALOG_ATTRIBUTE_COMPUTED,
	CATALOG_ATTRIBUTE_INDEX,
	CATALOG_USER_VIEW,
	CATALOG_ERA
} Catalog;
#define CATALOG_COUNT	(CATALOG_ERA + 1)

/* Columns of userstore.user_table. */
enum
{
	Anum_user_table_users = 1,
	Anum_user_table_history,
	Anum_user_table_idempotency,
	Anum_user_table_api,
	Anum_user_table_schemas,
	Anum_user_table_unique_columns,
	Anum_user_table_password_function,
	Anum_user_table_layout,
	Anum_user_table_state,
	Anum_user_table_registered_at,
	Anum_user_table_tenant_column,
	Anum_user_table_tenant_policy,
	Anum_user_table_before_update,
	Anum_user_table_notify,
	Anum_user_table_claims
};

/* Columns of userstore.attribute_lookup. */
enum
{
	Anum_attribute_lookup_users = 1,
	Anum_attribute_lookup_path,
	Anum_attribute_lookup_lookup
};

/* Columns of userstore.tenant_grant. */
enum
{
	Anum_tenant_grant_users = 1,
	Anum_tenant_grant_tenant,
	Anum_tenant_grant_grantee
};

/* Columns of userstore.attribute_computed. */
enum
{
	Anum_attribute_computed_users = 1,
	Anum_attribute_computed_path,
	Anum_attribute_computed_function
};

/* Columns of userstore.attribute_index. */
enum
{
	Anum_attribute_index_users = 1,
	Anum_attribute_index_path,
	Anum_attribute_index_column_name
};

/* Columns of userstore.user_view. */
enum
{
	Anum_user_view_view = 1,
	Anum_user_view_users,
	Anum_user_view_main
};

/* A row of userstore.user_table. */
typedef struct Registration
{
	Oid			users;
	Oid			history;
	Oid			idempotency;
	char	   *api;
	List	   *schemas;		/* of char * */
	JsonbValue *unique_columns; /* attribute path → column */
	char	   *password_function;	/* qualified and quoted, or NULL */
	char	   *before_update;	/* the same */
	char	   *notify;			/* a channel, or NULL */
	JsonbValue *layout;			/* names of columns, or NULL: our own */
	Oid			state;			/* or InvalidOid */
	TimestampTz registered_at;
	Oid			claims;			/* or InvalidOid */
	char	   *tenant_column;	/* or NULL */
	char	   *tenant_policy;	/* or NULL */
} Registration;

/* Who the caller was, while something is done as somebody else. */
typedef struct SavedUser
{
	Oid			userid;
	int			sec_context;
} SavedUser;

extern void store_init(void);
extern Oid	catalog_relid(Catalog catalog);
extern Oid	relation_owner(Oid relid);
extern void become_owner(Oid owner, SavedUser *saved);
extern void become_caller_again(const SavedUser *saved);
extern uint64 catalog_execute(const char *command, int nargs, Oid *types,
							  Datum *values, const char *nulls);
extern JsonbValue *catalog_schema_row(const char *id);
extern JsonbValue *catalog_profile_row(const char *name);
extern char *catalog_profile_with_schema(const char *id);
extern Profile *catalog_profile(const char *name);
extern Schema *catalog_schema(List *ids, const Profile *profile,
							  const Profile *default_profile, JsonbValue *lookups);
extern bool catalog_registration(Oid users, Registration *registration);
extern List *catalog_registrations(void);
extern bool catalog_registration_of(Oid relid, Registration *registration);
extern JsonbValue *catalog_lookups(Oid users);
extern JsonbValue *catalog_computed(Oid users);
extern JsonbValue *catalog_indexes(Oid users);
extern Oid	catalog_paths_type(void);
extern int	catalog_era(void);
extern int	catalog_present_era(void);
extern int64 catalog_era_system(int era);
extern List *text_array_list(Datum array);
extern Datum list_text_array(List *list);
extern bool caller_owns(Oid owner);
extern Datum result_column(HeapTuple tuple, TupleDesc desc, int column, Oid type,
						   bool *isnull);

/*
 * statements.c
 */
typedef enum BoundStatement
{
	STATEMENT_READ,
	STATEMENT_READ_GUARDED,
	STATEMENT_EXISTS,
	STATEMENT_VISIBLE,
	STATEMENT_LOCK,
	STATEMENT_INSERT,
	STATEMENT_INSERT_NO_ID,
	STATEMENT_INSERT_IF_NONE,
	STATEMENT_INSERT_PASSWORD,
	STATEMENT_INSERT_NO_ID_PASSWORD,
	STATEMENT_INSERT_IF_NONE_PASSWORD,
	STATEMENT_UPDATE,
	STATEMENT_UPDATE_PASSWORD,
	STATEMENT_PASSWORD,
	STATEMENT_PASSWORD_GUARDED,
	STATEMENT_SET_VERSION,
	STATEMENT_GUARD,
	STATEMENT_STATE_READ,
	STATEMENT_STATE_DOCUMENT,
	STATEMENT_STATE_WRITE,
	STATEMENT_STATE_WRITE_OVER,
	STATEMENT_STATE_DELETE,
	STATEMENT_STATE_CLEAR,
	STATEMENT_CLAIM_INSERT,
	STATEMENT_CLAIM_DELETE,
	STATEMENT_CLAIM_CLEAR,
	STATEMENT_ALL,
	STATEMENT_DELETE,
	STATEMENT_HISTORY_INSERT,
	STATEMENT_HISTORY_INSERT_BEFORE,
	STATEMENT_HISTORY_VERSION,
	STATEMENT_HISTORY_TIMES,
	STATEMENT_HISTORY_ADOPT,
	STATEMENT_SET_LOCK,
	STATEMENT_SET_LOCK_GUARDED,
	STATEMENT_SET_READ,
	STATEMENT_SET_READ_LOCKED,
	STATEMENT_SET_EXISTS,
	STATEMENT_SET_VISIBLE,
	STATEMENT_SET_INSERT,
	STATEMENT_SET_INSERT_RETURNING,
	STATEMENT_SET_UPDATE,
	STATEMENT_SET_UPDATE_RETURNING,
	STATEMENT_SET_DELETE,
	STATEMENT_SET_HISTORY_INSERT,
	STATEMENT_SET_HISTORY_INSERT_BEFORE,
	STATEMENT_SET_HISTORY_VERSION,
	STATEMENT_SET_HISTORY_NONE,
	STATEMENT_SET_FIRST,
	STATEMENT_SET_NEXT,
	STATEMENT_PAST_VERSIONS,	/* the past: each followed by the same as the
								 * caller */
	STATEMENT_PAST_VERSIONS_GRANTED,
	STATEMENT_PAST_SPAN,
	STATEMENT_PAST_SPAN_GRANTED,
	STATEMENT_PAST_STATE,
	STATEMENT_PAST_STATE_GRANTED,
	STATEMENT_PAST_STATES,
	STATEMENT_PAST_STATES_GRANTED,
	STATEMENT_PAST_NEWEST,
	STATEMENT_PAST_NEWEST_GRANTED,
	STATEMENT_PAST_LIFE,
	STATEMENT_PAST_LIFE_GRANTED,
	STATEMENT_PAST_CHANGES,
	STATEMENT_PAST_CHANGES_GRANTED,
	STATEMENT_PAST_TRANSACTION,
	STATEMENT_PAST_TRANSACTION_GRANTED,
	STATEMENT_PAST_VISIBLE,
	STATEMENT_PAST_EXISTING,
	STATEMENT_PAST_USERS,
	STATEMENT_HISTORY_DOCUMENTS,
	STATEMENT_HISTORY_ERASE,
	STATEMENT_HISTORY_BLANK,
	STATEMENT_HISTORY_PURGE,
	STATEMENT_KEYS_LOCK,
	STATEMENT_KEYS_OF_USER,
	STATEMENT_KEYS_OF_MANY,
	STATEMENT_KEY_DELETE,
	STATEMENT_KEY_READ,
	STATEMENT_KEY_INSERT,
	STATEMENT_KEY_UPDATE,
	STATEMENT_COUNT
} BoundStatement;

typedef struct Binding Binding;
typedef struct UniqueIndex UniqueIndex;

extern SPIPlanPtr statement_plan(Binding *binding, BoundStatement statement);
extern SPIPlanPtr holders_plan(Binding *binding, UniqueIndex *unique);
extern void plan_by_index(SPIPlanPtr plan);
extern void statements_free(Binding *binding);

/*
 * function.c
 */
#define MAX_FUNCTION_ARGS	5

/* What is asked of a function that a table names. */
typedef struct FunctionKind
{
	const char *signature;		/* for messages */
	int			nargs;
	Oid			args[MAX_FUNCTION_ARGS];
	Oid			results[8];		/* types of which it returns one, then
								 * InvalidOid */
	bool		may_be_strict;
	const char *hint;			/* what such a function does */
} FunctionKind;

/* A function of a table, as a backend knows it. */
typedef struct BoundFunction
{
	const FunctionKind *kind;
	char	   *name;			/* qualified and quoted */
	FmgrInfo	info;
	uint64		found_at;		/* 0: it has to be found (again) */
	Oid			result;			/* type that it returns, as it was found */
	bool		is_volatile;
	bool		is_running;
	MemoryContext context;		/* what the function keeps between calls */
} BoundFunction;

extern const FunctionKind password_kind;
extern const FunctionKind hook_kind;
extern const FunctionKind computed_kind;
extern void function_init(void);
extern char *function_name(const FunctionKind *kind, const char *name);
extern char *function_name_for(const FunctionKind *kind, const char *name, Oid users);
extern char *function_name_of(const FunctionKind *kind, Oid function, Oid users);
extern BoundFunction *function_bind(const FunctionKind *kind, const char *name);
extern bool function_is_volatile(Binding *binding, BoundFunction *function);
extern Datum function_call(Binding *binding, BoundFunction *function,
						   const NullableDatum *args, bool *isnull);

/*
 * binding.c
 */
typedef struct BoundApi
{
	const Profile *profile;
	const Schema *schema;
	List	   *computed;		/* see computed.c */
	List	   *index_columns;	/* see condition.c */
	bool		has_index_columns;	/* they have been looked for */
} BoundApi;

/*
 * A user table as a backend knows it.  Lives until the end of the transaction
 * in which it was found out of date, so a caller may hold it for the length of
 * a call.
 */
struct Binding
{
	Oid			users;
	MemoryContext context;
	bool		valid;
	uint64		generation;		/* of no two bindings the same */
	Oid			owner;
	Oid			history;
	Oid			idempotency;
	char	   *schema_name;
	char	   *name;			/* for messages */
	char	   *users_sql;		/* qualified and quoted */
	char	   *history_sql;
	char	   *idempotency_sql;
	Oid			claims;			/* or InvalidOid */
	char	   *claims_sql;
	Layout		layout;
	bool		is_attached;	/* an app's own table, with its own columns */
	Oid			id_type;
	int32		id_typmod;
	FmgrInfo	id_in;
	Oid			id_in_param;
	FmgrInfo	id_out;
	bool		has_password;	/* is there a column for its hash? */
	char	   *tenant_policy;	/* NULL: grants say */
	BoundFunction *password_function;	/* NULL: bcrypt */
	BoundFunction *before_update;	/* or NULL */
	char	   *notify;			/* a channel, or NULL */
	char	   *default_api;
	List	   *schema_ids;
	List	   *apis;			/* of BoundApi * */
	List	   *indexes;		/* OIDs, with those of partitions: what is
								 * known of them is cached too */
	List	   *unique_indexes; /* of UniqueIndex * */
	JsonbValue *indexed;		/* attribute path → column that finds users */
	List	   *constraints;	/* of JudgingConstraint * */
	char	   *primary_key;	/* name of its constraint */
	bool		changes_rows;	/* what is written may be made another row */
	bool		follows_rows;	/* what is written may make triggers write
								 * more, to any row */
	bool		judges_rows;	/* more than uniqueness may refuse a row */
	bool		compares_rows;	/* a row may be refused for the sake of
								 * another in ways that we do not know */
	SPIPlanPtr	plans[STATEMENT_COUNT]; /* NULL: not prepared yet */
};

/* A constraint of an app's table on a column that holds an attribute. */
typedef struct JudgingConstraint
{
	char	   *name;
	const char *path;			/* of the attribute */
} JudgingConstraint;

/* A unique constraint, and the attribute that it keeps unique. */
struct UniqueIndex
{
	char	   *name;
	char	   *path;
	char	   *column;			/* or NULL: values are the app's to compare,
								 * or there are claims */
	Oid			type;			/* of the column: text or numeric */
	bool		is_claimed;		/* then these are known: */
	bool		case_exact;
	List	   *way;			/* to the attribute */
	SPIPlanPtr	holders;		/* of holders_plan */
};

/* How a user is read. */
typedef enum ReadMode
{
	READ_STABLE,				/* with the snapshot of the calling query, not
								 * to be written: without xmin */
	READ_FRESH,					/* as it stands now */
	READ_LOCKED					/* and locked until the transaction ends */
} ReadMode;

/* What is to be written of a password. */
typedef struct NewPassword
{
	char	   *hash;			/* NULL: none */
} NewPassword;

/* A row of a user table. */
typedef struct UserRow
{
	Jsonb	   *document;
	int64		version;
	TimestampTz created;
	TimestampTz modified;
	TransactionId xmin;
} UserRow;

extern Binding *binding_open(Oid users);
extern Binding *binding_find(Oid users);
extern Binding *binding_find_for(Relation relation);
extern void binding_invalidate(Oid relid);
extern void binding_free_retired(void);
extern const BoundApi *binding_api(Binding *binding, const char *name);
extern bool binding_find_id(Binding *binding, const char *id_text, Datum *id);
extern Datum binding_id_from_text(Binding *binding, const char *text);
extern char *binding_id_to_text(Binding *binding, Datum id);
extern bool binding_generate_id(Binding *binding, Datum *id);

/*
 * hook.c
 */
extern Jsonb *hook_call(Binding *binding, const char *id, const char *operation,
						Jsonb *before, Jsonb *after, bool *wrote);

/*
 * computed.c
 */
extern List *computed_bind(const Schema *schema, JsonbValue *functions);
extern JsonbValue *computed_document(Binding *binding, const BoundApi *api,
									 const Selection *selection, ReadMode mode,
									 const char *id, JsonbValue *document);

/*
 * lookup.c
 */
extern void require_own_table(Oid users, Registration *registration);

/*
 * judges.c
 */
extern void find_constraints(Binding *binding, Relation relation, JsonbValue *unique_columns);
extern void find_state_constraints(Binding *binding, JsonbValue *unique_columns);
extern void note_own_constraints(Binding *binding, Relation relation);
extern void find_judges(Binding *binding, Relation relation);
extern bool is_our_trigger(const Trigger *trigger);

/*
 * privileges.c
 */
extern void binding_require_privileges(Binding *binding, AclMode mode);
extern void binding_require_password(Binding *binding, AclMode mode);
extern bool binding_may_read(Binding *binding, const char *column);
extern bool binding_hides_rows(Binding *binding);
extern bool binding_may_refuse_insert(Binding *binding);

/*
 * companion.c
 */
typedef enum CompanionKind
{
	COMPANION_HISTORY,
	COMPANION_KEYS,
	COMPANION_CLAIMS,
	COMPANION_STATE
} CompanionKind;

/* A column of one of our tables. */
typedef struct KnownColumn
{
	const char *name;
	Oid			type;			/* InvalidOid: that of ids */
} KnownColumn;

extern const char *missing_column(Oid relid, const KnownColumn *columns, Oid id_type);
extern void create_partitions(Oid namespace, const char *table, int partitions,
							  const char *with);
extern void companion_check_name(const char *table);
extern Oid	ensure_companion(Oid users, const char *id, const char *tenant,
							 CompanionKind kind, int partitions, bool adopts);

/*
 * table.c
 */
#define EXTENSION_NAME	"userstore"
#define POLICY_VISIBLE	"userstore_visible"
#define POLICY_TENANT	"userstore_tenant"

extern void run_ddl(const char *format,...) pg_attribute_printf(1, 2);
extern char *table_sql(Oid relid);
extern bool has_policy(Oid relid, const char *name);
extern void delete_registration(Oid users);
extern void require_table_owner(Oid users);
extern bool is_id_type(Oid type);
extern void refuse_id_type(Oid type);
extern bool is_user_table_layout(Oid users, const char **missing);
extern void register_table(Oid users, const char *api, List *schemas,
						   const char *password_function, JsonbValue *layout,
						   const char *tenant_column, const char *tenant_policy,
						   int partitions, bool adopts);
extern char *password_function_argument(FunctionCallInfo fcinfo, int arg);
extern List *schemas_argument(FunctionCallInfo fcinfo, int arg, const char *api);
extern void require_own_table(Oid users, Registration *registration);
extern void require_registration(Oid users, Registration *registration);

/*
 * generated.c
 */
extern char *snake_name(const char *path);
extern char *attribute_column(const char *prefix, const char *path, int number);
extern int	begin_plain_names(void);
extern bool column_is_generated(Oid users, AttrNumber number, Oid type, const char *expression);

/*
 * unique.c
 */
extern Oid	unique_column_type(const Attribute *attribute);
extern char *unique_comparison(const Schema *schema, const Attribute *attribute);
extern JsonbValue *sync_unique_columns(Oid users, const char *tenant, List *schema_ids,
									   const char *api, JsonbValue *known);
extern Oid	unique_column_type(const Attribute *attribute);
extern char *unique_expression(const Schema *schema, const Attribute *attribute,
							   const char *document);
extern JsonbValue *add_unique_columns(Oid relid, const char *tenant, const Schema *schema,
									  List *attributes);

/*
 * alter.c
 */
extern void require_layout_columns(const Registration *registration);

/*
 * drop.c
 */
extern void release_table(const Registration *registration);

/*
 * claim.c
 */
extern void claim_release(Binding *binding, const UniqueIndex *unique, const char *key,
						  Datum id);
extern void claims_load(Binding *binding, JsonbValue *unique_columns);
extern JsonbValue *claims_make(Oid users, Oid claims, const char *tenant, List *schema_ids,
							   const char *api);
extern void claims_follow_partition(const Registration *registration, Oid partition, bool has_come);

/*
 * tenant.c
 */

/* The column of companions; the user table's may be called otherwise. */
#define TENANT_COLUMN	"tenant"

extern char *userstore_tenant;
extern const char *tenant_selected_sql(Oid users, const char *column);
extern const char *tenant_condition(const Layout *layout, const char *alias);
extern void tenant_require(Binding *binding);
extern int	tenant_select(const char *tenant);
extern void create_tenant_policy(Oid relid, const char *name, const char *command, const char *column,
								 const char *type, const char *policy, const char *condition);
extern void tenant_policies(Oid users, const Registration *registration, bool is_attached);

/*
 * attach.c
 */
extern bool attach_needs_state(JsonbValue *layout);
extern bool attach_has_version(JsonbValue *layout);
extern JsonbValue *attach_unique(Oid users, Oid state, const char *tenant, List *schema_ids,
								 const char *api, JsonbValue *layout);
extern bool table_has_key(Oid relid, const char *const *columns, bool immediate);

/*
 * run.c
 */
/* What a user who is inserted gets in the state table. */
typedef struct NewState
{
	Jsonb	   *document;
	const UserRow *row;
	bool		is_written;
} NewState;

extern uint64 run_statement(Binding *binding, BoundStatement statement, Datum *values,
							const char *nulls, bool read_only);
extern uint64 run_own_write(Binding *binding, BoundStatement statement, Datum *values,
							const char *nulls, NewState *state);
extern void refuse_taken(Binding *binding, const char *path, const char *constraint);

/*
 * row.c
 */
extern bool user_read(Binding *binding, Datum id, ReadMode mode, UserRow *row);
extern void require_object_document(Jsonb *document);
extern bool user_exists(Binding *binding, Datum id);
extern bool user_insert(Binding *binding, Datum *id, bool has_id, bool if_none,
						Jsonb *document, const NewPassword *password, UserRow *row);
extern int64 next_version(int64 version);
extern bool user_write(Binding *binding, Datum id, Jsonb *document,
					   const NewPassword *password, const UserRow *before,
					   UserRow *row);
extern bool user_password(Binding *binding, Datum id, const UserRow *row, char **hash);
extern void user_set_version(Binding *binding, Datum id, int64 version, UserRow *row);
extern bool user_remove(Binding *binding, Datum id, const UserRow *before);
extern void refuse_silent_trigger(Binding *binding, const char *event);

/*
 * state.c
 */
typedef struct StateRow
{
	int64		version;		/* 1 when there is none */
	Jsonb	   *document;		/* or NULL */
} StateRow;

extern void state_read(Binding *binding, Datum id, StateRow *state);
extern bool state_write(Binding *binding, Datum id, Jsonb *document, const UserRow *row,
						bool is_new, const int64 *over);
extern void state_delete(Binding *binding, Datum id);
extern void state_clear(Binding *binding);

/*
 * table_row.c
 */

/* A row of the user table, with what the state table has of it. */
typedef struct TableRow
{
	Datum		id;
	JsonbValue *document;
	int64		version;
	TimestampTz modified;
} TableRow;

extern Datum table_row_column(Relation relation, HeapTuple tuple, const char *name, bool *isnull,
							  Oid *type);
extern int64 table_row_version(const Layout *layout, Relation relation, HeapTuple tuple);
extern Datum table_version_datum(Oid type, int64 version);
extern char *table_row_tenant(Binding *binding, Relation relation, HeapTuple tuple);
extern TimestampTz table_row_created(const Layout *layout, Relation relation, HeapTuple tuple);
extern TimestampTz table_row_modified(const Layout *layout, Relation relation, HeapTuple tuple);
extern void table_row_read(Binding *binding, Relation relation, HeapTuple tuple,
						   const StateRow *state, TableRow *row);

/*
 * trigger.c
 */

/* A statement that writes rows of a user table. */
typedef struct OwnWrite
{
	Binding    *binding;
	CommandId	command;
	NewState   *state;			/* or NULL */
	struct OwnWrite *outer;
} OwnWrite;

extern void own_write_begin(OwnWrite *own, Binding *binding, NewState *state);
extern void own_write_end(OwnWrite *own);
extern bool own_write_runs(const Binding *binding);

/*
 * password.c
 */
extern char *password_hash(Binding *binding, const char *path, const char *password);
extern bool password_matches(Binding *binding, const char *password, const char *hash);

/*
 * origin.c
 */
#define MAX_CLAIM_LENGTH	255 /* in characters */

extern char *userstore_actor;
extern char *claim_text(const char *claim);
extern char *claimed_actor(void);

/*
 * history.c
 */
typedef struct HistoryEntry
{
	Datum		user_id;
	int64		version;
	const char *operation;
	Jsonb	   *document;		/* NULL: deleted */
	List	   *changed;		/* of char * */
	TimestampTz changed_at;
	const char *request_id;

	/*
	 * What the user was before, or NULL.  It is kept where history does not
	 * know it: see history_may_lack().  Or the caller knows that history does
	 * not go on here.
	 */
	Jsonb	   *before;
	int64		before_version;
	TimestampTz before_since;
	bool		goes_on_elsewhere;
} HistoryEntry;

extern bool history_may_lack(const Binding *binding, int64 version);
extern void history_adopt(Binding *binding);
extern bool history_append(Binding *binding, const HistoryEntry *entry);
extern int64 history_newest_version(Binding *binding, Datum user_id,
									TimestampTz *changed_at);

/* The newest version that a user had. */
typedef struct NewestVersion
{
	Datum		user_id;
	int64		version;
	TimestampTz changed_at;
} NewestVersion;

extern int	history_append_set(Binding *binding, HistoryEntry *const *entries, int count);
extern int	history_newest_versions(Binding *binding, const Datum *ids, int count,
									NewestVersion **found);

/*
 * notify.c
 */
extern void notify_change(Binding *binding, const HistoryEntry *entry);

/*
 * past.c: history as callers read it
 */

/* Rows that are fetched at once, and asked about whether they are shown. */
#define PAST_ROWS_AT_ONCE	100

typedef struct Past
{
	Binding    *binding;
	bool		as_owner;		/* the caller may not read history itself */
	bool		hides;			/* users whom the caller cannot see */
} Past;

/* A version of a user, or what was before the first that history knows. */
typedef struct PastVersion
{
	Datum		user_id;
	int64		version;
	char	   *operation;		/* NULL: before the first version */
	Jsonb	   *document;		/* NULL: deleted */
	List	   *changed;		/* of char * */
	TimestampTz changed_at;
	char	   *changed_by;		/* or NULL */
	char	   *actor;			/* or NULL */
	char	   *request_id;		/* or NULL */
	Jsonb	   *before;			/* or NULL */
	int32		era;
	FullTransactionId transaction_id;
	FullTransactionId feed_position;
} PastVersion;

/* Where in the feed a change is. */
typedef struct FeedPlace
{
	int32		era;
	FullTransactionId position;
	bool		has_user_id;
	Datum		user_id;
	int64		version;
} FeedPlace;

typedef void (*PastVisitor) (void *arg, PastVersion *version);

/* What a transaction did to a user. */
typedef struct TransactionChange
{
	Datum		user_id;
	int64		first;			/* version that it made */
	int64		last;
	int64		newest;			/* that there is by now */
	bool		is_known;		/* what was before? */
	Jsonb	   *before;			/* NULL: no user */
	bool		deleted;
	bool		changes_password;
} TransactionChange;

typedef void (*TransactionVisitor) (void *arg, TransactionChange *change);

extern void past_open(Past *past, Binding *binding);
extern SPIPlanPtr past_begin(const Past *past, BoundStatement statement, SavedUser *saved);
extern void past_end(const Past *past, const SavedUser *saved);
extern int	past_fetch(const Past *past, Portal portal);
extern bool *past_which_are_shown(const Past *past, Datum *ids, int count);
extern bool past_shows(const Past *past, Datum id);
extern int64 past_versions(const Past *past, Datum id, PastVisitor visit, void *arg);
extern void past_span(const Past *past, TimestampTz since, TimestampTz until,
					  PastVisitor visit, void *arg);
extern bool past_state(const Past *past, Datum id, TimestampTz at, PastVersion *state,
					   TimestampTz *created);
extern void past_states(const Past *past, TimestampTz at, PastVisitor visit, void *arg);
extern void past_changes(const Past *past, const FeedPlace *after, int64 limit,
						 PastVisitor visit, void *arg);

/*
 * transaction.c
 */
extern void past_transaction(const Past *past, int32 era, FullTransactionId transaction,
							 const char *password_path, TransactionVisitor visit, void *arg);

/*
 * erase.c: what the companions know of users goes, as their owner
 */
extern void erase_begin(Binding *binding);
extern List *erase_documents(Binding *binding, Datum id);
extern int64 erase_history(Binding *binding, Datum id);
extern int64 erase_keys(Binding *binding, Datum id,
						bool (*mentions) (void *arg, Jsonb *response), void *arg);
extern int64 purge_history(Binding *binding, TimestampTz before, int32 limit);

/*
 * set.c: many users at once
 */
typedef struct FoundRow
{
	Datum		id;
	UserRow		row;
} FoundRow;

typedef enum SetWrite
{
	SET_INSERT,
	SET_UPDATE,
	SET_DELETE
} SetWrite;

/*
 * A row as it is to be: a new one, or the next version of one that was read, or
 * one that is to go.
 */
typedef struct NewRow
{
	Datum		id;
	Jsonb	   *document;		/* NULL: to go */
	int64		version;
	TimestampTz modified;
	TransactionId xmin;			/* of the row that was read */
} NewRow;

/* Who has a value of a unique attribute. */
typedef struct Holder
{
	Datum		id;
	char	   *value;
} Holder;

extern Datum array_of(Oid type, Datum *elems, int count);
extern void set_wait(Binding *binding, bool in_turn);
extern void set_lock(Binding *binding, const Datum *ids, int count);
extern bool set_lock_guarded(Binding *binding, const Datum *ids, const TransactionId *xmins,
							 int count);
extern int	set_read(Binding *binding, bool locked, const Datum *ids, int count, int64 max_bytes,
					 FoundRow **found);
extern bool set_hides_any(Binding *binding, const Datum *ids, int count);
extern Portal set_open(Binding *binding, TimestampTz until, bool as_of_now);
extern int	set_fetch(Binding *binding, Portal portal, int count, FoundRow **found);
extern int	set_next(Binding *binding, const Datum *after, int count, FoundRow **found);
extern int	set_existing(Binding *binding, const Datum *ids, int count, Datum **found);
extern int	set_write(Binding *binding, SetWrite write, const NewRow *rows, int count,
					  FoundRow **written);
extern int	set_holders(Binding *binding, UniqueIndex *index, List *values, Holder **found);
extern char *unique_key(Oid type, bool case_exact, JsonbValue *value);

/*
 * idempotency.c
 */
typedef struct KeyPassword
{
	const char *password;		/* in clear */
	char	   *hash;			/* to be kept with the key */
} KeyPassword;

typedef struct KeyClaim
{
	const char *key;
	char	   *caller;
	bytea	   *fingerprint;	/* of the request without passwords */
	List	   *passwords;		/* of KeyPassword *: those of the request */
	const char *operation;		/* what is done; "create" when a PUT creates */
	bool		inserted;		/* the row stands and awaits its answer */
	Jsonb	   *answer;			/* of the request that came first, or NULL */
	bool		has_user_id;
	Datum		user_id;		/* which user that was */
	int64		version;		/* that it has since, or 0 */
} KeyClaim;

extern char *userstore_client;
extern int	userstore_idempotency_lifetime;
extern bool idempotency_claim(Binding *binding, KeyClaim *claim);
extern void idempotency_keep(Binding *binding, KeyClaim *claim, const Datum *user_id,
							 int64 version, Jsonb *answer);

/* A fingerprint in the making. */
typedef struct Fingerprint Fingerprint;

extern Fingerprint *fingerprint_begin(const char *operation, const char *id, const char *api);
extern void fingerprint_add(Fingerprint *fingerprint, JsonbValue *body);
extern void fingerprint_add_packed(Fingerprint *fingerprint, Jsonb *body);
extern bytea *fingerprint_end(Fingerprint *fingerprint);

#endif							/* USERSTORE_STORE_H */
