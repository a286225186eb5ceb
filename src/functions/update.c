/*
 * update.c
 *	  The road of every update of one user: claim the idempotency key, read the
 *	  row, check the expected version, make the new document, write it, append
 *	  history, answer, keep the answer under the key.
 *
 * The row is read without a lock and written under a guard, so an app's own
 * UPDATE is never overwritten; a miss locks the row and makes the document
 * anew from what stands then.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/secret.h"
#include "functions/functions.h"

/* One read without a lock, and two with. */
#define MAX_ROUNDS	3

/* So many attributes that were passed over are named, the others counted. */
#define MAX_IGNORED_NAMES	10

/* A call, and what it is answered. */
typedef struct UserAttempt
{
	const UserCall *call;
	Outcome    *outcome;
	Jsonb	   *answer;
} UserAttempt;

const char *const operation_names[] = {
	[OPERATION_CREATE] = "create",
	[OPERATION_PUT] = "put",
	[OPERATION_PATCH] = "patch",
	[OPERATION_DELETE] = "delete",
};

/*
 * Is the user to be deactivated where the call says deleted?
 */
bool
road_deactivates(const Road *road)
{
	return road->call->operation == OPERATION_DELETE &&
		road->profile->on_delete == ON_DELETE_DEACTIVATE;
}

/*
 * An error when users are not deleted at all.
 */
void
road_refuse_deletion(const Road *road)
{
	if (road->call->operation == OPERATION_DELETE && road->profile->on_delete == ON_DELETE_REFUSE)
		ereport(ERROR,
				(errcode(ERRCODE_USER_METHOD_NOT_ALLOWED),
				 errmsg("users of API profile \"%s\" are not deleted", road->profile->name),
				 errdetail_path(NULL, NULL),
				 errhint("Change the attribute that says whether the user is active.")));
}

/*
 * Meet the user as it stands: see RoadMeeting.
 */
void
road_meet(Road *road, const UserRow *row, int64 version, JsonbValue *before)
{
	if (road->meet != NULL)
		road->meet(road, row, version, before);
}

/* The privileges without which PostgreSQL would refuse the call's statements. */
AclMode
road_privileges(const Road *road)
{
	switch (road->call->operation)
	{
		case OPERATION_CREATE:
			return ACL_SELECT | ACL_INSERT;
		case OPERATION_DELETE:
			return road_deactivates(road) ? ACL_SELECT | ACL_UPDATE : ACL_SELECT | ACL_DELETE;
		default:
			return ACL_SELECT | ACL_UPDATE;
	}
}

void
user_missing(const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_NOT_FOUND),
			 errmsg("user \"%s\" does not exist", shown_name(id, strlen(id))),
			 errdetail_path("id", NULL),
			 errhint("Check the id, or create the user.")));
}

static bool
has_version(const int64 *versions, int count, int64 version)
{
	for (int i = 0; i < count; i++)
	{
		if (versions[i] == version)
			return true;
	}
	return false;
}

static void
version_differs(const Road *road, bool exists)
{
	const Expectation *expected = &road->call->expected;
	char	   *id = shown_name(road->id_text, strlen(road->id_text));
	int64		version = road->row.version;

	ereport(ERROR,
			(errcode(ERRCODE_USER_PRECONDITION_FAILED),
			 exists && expected->none ? errmsg("user \"%s\" exists already", id) :
			 exists && has_version(expected->refused, expected->refused_count, version) ?
			 errmsg("user \"%s\" has version " INT64_FORMAT " still", id, version) :
			 expected->any ? errmsg("user \"%s\" does not exist", id) :
			 expected->count == 1 ? errmsg("user \"%s\" does not have version " INT64_FORMAT,
										   id, expected->versions[0]) :
			 errmsg("user \"%s\" does not have a version that is expected", id),
			 errdetail_path("meta.version", NULL),
			 exists ?
			 errhint("Its version is " INT64_FORMAT "; read it and repeat the change on that.", version) :
			 errhint("The user does not exist.")));
}

static bool
is_expected(const Expectation *expected, int64 version)
{
	if (expected->none || has_version(expected->refused, expected->refused_count, version))
		return false;
	return !expected->given || expected->any ||
		has_version(expected->versions, expected->count, version);
}

static void
check_expected_version(const Road *road)
{
	if (!is_expected(&road->call->expected, road->row.version))
		version_differs(road, true);
}

/*
 * The user whose update is about to be answered again may meanwhile be hidden
 * from the caller.
 */
static void
check_replay_visible(Road *road, const KeyClaim *claim)
{
	UserRow		row;

	if (!claim->has_user_id || !binding_hides_rows(road->table) ||
		user_read(road->table, claim->user_id, READ_FRESH, &row))
		return;
	if (!user_exists(road->table, claim->user_id))
		return;					/* deleted, not hidden */
	road->id_text = binding_id_to_text(road->table, claim->user_id);
	user_missing(road->id_text);
}

/*
 * What the write gave: the document as it is stored, which a trigger may have
 * changed.
 */
static void
take_written(Road *road, Jsonb *written, JsonbValue *document)
{
	if (VARSIZE(written) == VARSIZE(road->row.document) &&
		memcmp(written, road->row.document, VARSIZE(written)) == 0)
		road->document = document;
	else
		road->document = document_from_jsonb(road->row.document);
}

static int
compare_paths(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * The paths (char *) of what an update changed, sorted; before and after are
 * documents, or NULL.
 */
List *
road_changes(const Road *road, JsonbValue *before, JsonbValue *after, bool new_password)
{
	List	   *changed = list_concat_copy(changes_between(road->schema, before, after),
										   road->unstored.wishes);

	if (new_password)
		changed = lappend(changed, unconstify(char *, road->schema->password->path));
	list_sort(changed, compare_paths);
	return changed;
}

/*
 * Append what the update made of the row that was read; that is NULL when the
 * user was created, and so is before, its document.
 */
static void
append_history(Road *road, const char *operation, const UserRow *read, JsonbValue *before,
			   bool new_password)
{
	HistoryEntry entry = {0};
	TimestampTz newest_at = DT_NOBEGIN;

	road->changed = true;
	entry.user_id = road->id;
	entry.version = road->row.version;
	entry.operation = operation;
	entry.document = road->document != NULL ? road->row.document : NULL;
	entry.changed = road_changes(road, before, road->document, new_password);
	entry.changed_at = road->row.modified;
	entry.request_id = road->call->request_id;
	if (read != NULL)
	{
		entry.before = read->document;
		entry.before_version = read->version;
		entry.before_since = read->created;
	}
	if (history_append(road->table, &entry))
		return;

	/*
	 * The user was deleted while we waited to insert it, or plain SQL
	 * inserted it anew with a version that history has seen: go on after the
	 * newest.
	 */
	entry.version = next_version(history_newest_version(road->table, road->id, &newest_at));
	road->row.modified = Max(road->row.modified, newest_at + 1);
	entry.changed_at = road->row.modified;
	entry.goes_on_elsewhere = true;
	if (read != NULL)
		entry.before_since = Max(read->created, newest_at);
	else
		road->row.created = road->row.modified;
	if (road->document != NULL)
		user_set_version(road->table, road->id, entry.version, &road->row);
	else
		road->row.version = entry.version;
	if (!history_append(road->table, &entry))
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("the history of table \"%s\" does not take a version of user \"%s\"",
						road->table->name,
						shown_name(road->id_text, strlen(road->id_text))),
				 errdetail_path("meta.version", NULL),
				 errhint("A BEFORE trigger on the history table that returns NULL drops the row; remove it.")));
}

/*
 * What plain SQL may have put beside the attributes is the API's own and means
 * nothing there: it stays as it is.
 */
static void
keep_common(JsonbValue *before, JsonbValue *after)
{
	static const char *const names[] = {"id", "meta", "schemas"};

	for (int i = 0; i < lengthof(names); i++)
	{
		JsonbValue *value = document_member(before, names[i]);

		if (value != NULL)
			document_set(after, names[i], strlen(names[i]), value);
	}
}

/*
 * Does what is sent take the place of all that there is?
 */
bool
road_replaces(const Road *road)
{
	return road->call->operation == OPERATION_PUT && !road->profile->put_merges;
}

/* What operations make of a user, who may be new. */
static JsonbValue *
patch_by_operations(Road *road, JsonbValue *before)
{
	JsonbValue *start = before != NULL ? before : document_new_object();
	JsonbValue *after;

	if (road->patch == PATCH_JSON)
		after = json_patch_document(&road->update, start, road->operations);
	else
		after = scim_patch_document(&road->update, start, road->operations);
	if (before == NULL)
		validate_document(&road->update.validation, road->schema, after);
	return after;
}

/*
 * The document that the update makes of the one before; that is NULL when the
 * user is created.
 */
JsonbValue *
road_document(Road *road, JsonbValue *before)
{
	JsonbValue *sent = road->completed != NULL ? road->completed : road->sent;
	JsonbValue *after;

	/* not judged again; and the password is not known any more */
	if (road->restores)
		return layout_settle(&road->table->layout, document_copy(sent), before);
	if (before == NULL)
		unstored_require(&road->update, &road->unstored);
	if (road->patch != PATCH_MERGE)
		after = patch_by_operations(road, before);
	else if (road_replaces(road))
		after = replace_document(&road->update, before, sent);
	else if (before == NULL)
		after = create_document(&road->update, sent);
	else
		after = merge_document(&road->update, before, sent);
	if (before != NULL)
		keep_common(before, after);
	unstored_drop(road->schema, after);
	return layout_settle(&road->table->layout, after, before);
}

/*
 * Create the user.  Gives false when there is one with this id, where if_none
 * asks for that rather than for an error.
 */
static bool
create(Road *road, bool if_none)
{
	JsonbValue *document;
	Jsonb	   *jsonb;
	TimestampTz newest_at = DT_NOBEGIN;
	int64		newest = 0;

	if (!road->has_id)
		road->has_id = road->has_new_id = binding_generate_id(road->table, &road->id);
	if (road->meet != NULL)
		road_meet(road, NULL, road->has_id ?
				  history_newest_version(road->table, road->id, &newest_at) : 0, NULL);
	document = road_document(road, NULL);
	(void) road_hook(road, operation_names[road->call->operation], NULL, &document, NULL);
	jsonb = document_to_jsonb(document);

	/*
	 * Versions never go back: one who was deleted goes on after the deletion.
	 * A deletion that is not committed yet, for which the insert has to wait,
	 * shows when history takes no second row of that version.
	 */
	if (road->has_id)
		newest = history_newest_version(road->table, road->id, &newest_at);
	road->row.version = next_version(newest);
	road->row.modified = newest > 0 ? Max(GetCurrentTimestamp(), newest_at + 1) :
		GetCurrentTimestamp();
	if (!user_insert(road->table, &road->id, road->has_id, if_none, jsonb,
					 road->password.hash != NULL ? &road->password : NULL, &road->row))
	{
		if (if_none)
			return false;
		refuse_silent_trigger(road->table, "INSERT");
	}
	road->has_id = true;
	road->created = true;
	road->new_password = road->password.hash != NULL;
	road->id_text = binding_id_to_text(road->table, road->id);
	take_written(road, jsonb, document);
	append_history(road, operation_names[road->call->operation], NULL, NULL,
				   road->password.hash != NULL);
	return true;
}

/*
 * Is the password that was sent another one than the row's?  Gives false when
 * another row stands by now.
 */
static bool
compare_password(Road *road, bool *differs)
{
	const char *sent = road->unstored.password;
	char	   *hash;

	*differs = false;
	if (!road->unstored.has_password)
		return true;
	if (!user_password(road->table, road->id, &road->row, &hash))
		return false;
	if (sent == NULL || hash == NULL)
		*differs = sent != hash;
	else
		*differs = !password_matches(road->table, sent, hash);
	if (*differs && road->schema->password->writable == WRITABLE_NOT)
		refuse_change(&road->update, road->schema->password->path,
					  psprintf("API profile \"%s\" does not write it.", road->profile->name));
	if (*differs && hash != NULL &&
		road->schema->password->mutability == MUTABILITY_IMMUTABLE)
		refuse_change(&road->update, road->schema->password->path,
					  "The attribute is immutable: it can be set once.");
	return true;
}

/*
 * Write what the update makes of the row that was read.  Gives false when
 * another row stands by now.
 */
static bool
modify(Road *road, const char *operation)
{
	JsonbValue *before = document_from_jsonb(road->row.document);
	JsonbValue *after;
	UserRow		read = road->row;
	Jsonb	   *jsonb;
	bool		new_password;
	bool		changes;

	road_meet(road, &read, read.version, before);
	after = road_document(road, before);
	if (!compare_password(road, &new_password))
		return false;
	changes = !document_equal(before, after);
	if (changes || new_password || road->unstored.wishes != NIL)
	{
		if (!road_hook(road, operation, before, &after, &read))
			return false;
		changes = !document_equal(before, after);
	}
	if (!changes && !new_password && road->unstored.wishes == NIL)
	{
		road->document = before;	/* no change, no write */
		return true;
	}
	jsonb = document_to_jsonb(after);
	if (!user_write(road->table, road->id, jsonb, new_password ? &road->password : NULL, &read,
					&road->row))
		return false;
	take_written(road, jsonb, after);
	road->new_password = new_password;
	append_history(road, operation, &read, before, new_password);
	return true;
}

static bool
delete(Road *road)
{
	UserRow		read = road->row;
	JsonbValue *before = document_from_jsonb(read.document);
	JsonbValue *after = NULL;
	int64		version = next_version(read.version);

	road_meet(road, &read, read.version, before);
	if (!road_hook(road, operation_names[OPERATION_DELETE], before, &after, &road->row) ||
		!user_remove(road->table, road->id, &road->row))
		return false;
	road->document = NULL;
	road->row.version = version;
	road->row.modified = Max(GetCurrentTimestamp(), road->row.modified + 1);
	append_history(road, operation_names[OPERATION_DELETE], &read, before, false);
	return true;
}

static bool
change(Road *road)
{
	if (road_deactivates(road))
	{
		road->sent = deactivation(road->table, binding_api(road->table, road->profile->name));
		return modify(road, operation_names[OPERATION_PATCH]);
	}
	if (road->call->operation == OPERATION_DELETE)
		return delete(road);
	return modify(road, operation_names[road->call->operation]);
}

/*
 * How to read a user whom somebody else changed meanwhile.  Who may delete but
 * not update cannot lock, which takes the privilege to update; the deletion
 * itself waits then.
 */
static ReadMode
reading_again(const Road *road)
{
	return road->call->operation == OPERATION_DELETE && !road_deactivates(road) &&
		pg_class_aclcheck(road->table->users, GetUserId(), ACL_UPDATE) != ACLCHECK_OK ?
		READ_FRESH : READ_LOCKED;
}

/*
 * Change a user who exists, or create one where PUT does.
 */
static void
change_or_create(Road *road)
{
	TransactionId seen = InvalidTransactionId;
	Binding    *table = road->table;
	bool		locks_first;

	/* what the table's function writes must not stand twice */
	locks_first = table->before_update != NULL &&
		function_is_volatile(table, table->before_update);

	/*
	 * One whom others delete and create all the time may be missed more
	 * often; rounds end when it is sure that nothing but the table refuses.
	 */
	for (int round = 0;; round++)
	{
		bool		is_last = round >= MAX_ROUNDS - 1;

		CHECK_FOR_INTERRUPTS();
		road->update.ignored = list_copy(road->passed_over);
		if (user_read(table, road->id, round > 0 || locks_first ? reading_again(road) : READ_FRESH,
					  &road->row))
		{
			bool		stood = road->row.xmin == seen;

			seen = road->row.xmin;
			check_expected_version(road);
			if (change(road))
				return;
			if (is_last && (stood || reading_again(road) == READ_LOCKED))
				refuse_silent_trigger(road->table,
									  road->call->operation == OPERATION_DELETE &&
									  !road_deactivates(road) ? "DELETE" : "UPDATE");
			continue;
		}
		if ((round > 0 || locks_first) && user_read(table, road->id, READ_FRESH, &road->row))
		{
			/* the same row as before, so it stood while it was to be locked */
			if (road->row.xmin == seen)
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("permission denied to change user \"%s\" of table \"%s\"",
								shown_name(road->id_text, strlen(road->id_text)),
								road->table->name),
						 errdetail_path("id", NULL),
						 errhint("A row security policy shows the user but does not allow updates.")));
			seen = road->row.xmin;
			continue;
		}
		if (!road->creates)
			user_missing(road->id_text);
		if (road->call->expected.given)
			version_differs(road, false);
		/* the last try lets PostgreSQL say why there can be no such row */
		if (create(road, !is_last || !binding_may_refuse_insert(road->table)))
			return;
	}
}

/* The user as the update left it. */
UserState
road_user(const Road *road)
{
	UserState	user;

	user.id = road->id_text;
	user.sent = road->sent;
	user.document = road->document;
	user.version = road->row.version;
	user.created = road->row.created;
	user.modified = road->row.modified;
	return user;
}

static Jsonb *
answer(const Road *road)
{
	UserState	user = road_user(road);
	Selection	selection = {0};
	bool		selects;
	JsonbValue	none;

	if (road->call->operation == OPERATION_DELETE)
	{
		none.type = jbvNull;
		return JsonbValueToJsonb(&none);
	}
	selects = road->call->shown.selects || road->call->shown.excludes;
	if (selects)
		select_shown(&selection, road->schema, &road->call->shown);
	else
		select_answer(road->schema, road->profile, &selection);
	user.document = computed_document(road->table, binding_api(road->table, road->profile->name),
									  &selection, READ_FRESH, user.id, user.document);
	if (selects)
		return document_to_jsonb(road->shape->show_user(road->schema, road->profile, &user,
														&selection));
	return document_to_jsonb(show_update(road->shape, road->schema, road->profile, &user));
}

/* Say once which attributes were passed over. */
void
tell_ignored(List *paths)
{
	StringInfoData names;
	ListCell   *lc;

	if (paths == NIL)
		return;
	initStringInfo(&names);
	foreach(lc, paths)
	{
		if (foreach_current_index(lc) == MAX_IGNORED_NAMES)
		{
			appendStringInfo(&names, " and %d more", list_length(paths) - MAX_IGNORED_NAMES);
			break;
		}
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", (char *) lfirst(lc));
	}
	ereport(NOTICE,
			(errmsg("unknown attributes were ignored: %s", names.data)));
}

/*
 * Hash the password that was sent, if one was.  That takes its time, so it
 * comes before anything is locked.
 */
void
road_hash_password(Road *road)
{
	if (!road->unstored.has_password)
		return;
	binding_require_password(road->table, road_privileges(road));
	if (road->unstored.password != NULL && road->password.hash == NULL)
		road->password.hash = password_hash(road->table, road->schema->password->path,
											road->unstored.password);
}

/* With which a key remembers that password. */
KeyPassword *
road_key_password(const Road *road)
{
	KeyPassword *password = palloc(sizeof(KeyPassword));

	password->password = road->unstored.password;
	password->hash = road->password.hash;
	return password;
}

/*
 * Set out: the call on a table through an API.
 */
void
road_begin(Road *road, const UserCall *call, Binding *table, const BoundApi *api)
{
	memset(road, 0, sizeof(Road));
	road->call = call;
	road->table = table;
	road->profile = api->profile;
	road->schema = api->schema;
	road->shape = body_shape(api->profile->body);
	road->creates = call->operation == OPERATION_PUT && api->profile->put_creates;
	road->update.schema = road->schema;
	road->update.profile = road->profile;
}

/*
 * Make the change, and write it.
 */
void
road_travel(Road *road)
{
	if (road->call->operation == OPERATION_CREATE || !road->has_id)
		(void) create(road, false);
	else
		change_or_create(road);
}

/*
 * Go the road.  Within a connection to SPI.
 */
static Jsonb *
travel(const UserCall *call, Outcome *outcome)
{
	Road		road;
	KeyClaim	claim = {0};
	Fingerprint *fingerprint;
	Binding    *table = binding_open(call->users);
	Jsonb	   *result;
	bool		has_key = call->idempotency_key != NULL && !call->dry_run;

	road_begin(&road, call, table, binding_api(table, call->api));
	PG_TRY();
	{
		binding_require_privileges(table, road_privileges(&road));
		if (call->id != NULL)
			road_address(&road, call->id);
		if (call->body != NULL)
			road_read(&road, document_from_jsonb(call->body), VARSIZE(call->body));
	}
	PG_CATCH();
	{
		if (call->hides && !unstored_may_carry(road.schema, road.profile, call->body))
			show_statement_again();
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (road.unstored.carries_password)
		hide_activity();
	else if (call->hides)
		show_statement_again();
	road_refuse_deletion(&road);
	road.password.hash = unconstify(char *, call->password_hash);
	road_hash_password(&road);
	if (has_key)
	{
		claim.key = call->idempotency_key;
		claim.operation = operation_names[call->operation];
		fingerprint = fingerprint_begin(claim.operation, road.id_text, road.profile->name);
		if (road.body != NULL)
			fingerprint_add(fingerprint, road.body);
		claim.fingerprint = fingerprint_end(fingerprint);
		if (road.password.hash != NULL)
			claim.passwords = list_make1(road_key_password(&road));
		if (idempotency_claim(table, &claim))
		{
			check_replay_visible(&road, &claim);
			if (claim.has_user_id)
				outcome->id = binding_id_to_text(table, claim.user_id);
			outcome->version = claim.version;
			outcome->created = strcmp(claim.operation, operation_names[OPERATION_CREATE]) == 0;
			return claim.answer;
		}
	}
	road_travel(&road);
	tell_ignored(road.update.ignored);
	result = answer(&road);
	outcome->id = road.id_text;
	outcome->version = road.row.version;
	outcome->created = road.created;
	if (road.created)
		claim.operation = operation_names[OPERATION_CREATE];
	if (has_key)
		idempotency_keep(table, &claim, &road.id, road.row.version, result);
	return result;
}

static void
travel_connected(void *arg)
{
	UserAttempt *attempt = arg;

	SPI_connect();
	attempt->answer = give_to_caller(travel(attempt->call, attempt->outcome));
	if (attempt->outcome->id != NULL)
		attempt->outcome->id = give_string_to_caller(attempt->outcome->id);
	SPI_finish();
}

/*
 * Update one user; gives the answer.
 */
Jsonb *
update_user(const UserCall *call, Outcome *outcome)
{
	UserAttempt attempt = {call, outcome, NULL};

	if (call->dry_run)
		rehearse(travel_connected, &attempt);
	else
		travel_connected(&attempt);
	return attempt.answer;
}
