/*
 * target_body.c
 *	  Users and parts of users as they are sent: created, replaced, merged.  The
 *	  word beside the profile's name is "create", "put" or "patch".
 */
#include "fuzz.h"

typedef enum Way
{
	WAY_CREATE,
	WAY_REPLACE,
	WAY_MERGE
} Way;

typedef struct BodyChange
{
	FuzzInput  *input;
	Way			way;
	Jsonb	   *request;
	JsonbValue *before;
	JsonbValue *after;
	Update		update;
	SentUnstored unstored;
	bool		forgets;		/* first what is secret */
} BodyChange;

static Way
way_of(const FuzzInput *input)
{
	if (strcmp(input->word, "create") == 0)
		return WAY_CREATE;
	if (strcmp(input->word, "patch") == 0 || input->api->profile->put_merges)
		return WAY_MERGE;
	return WAY_REPLACE;
}

static void
make_change(void *arg)
{
	BodyChange	   *change = arg;
	const FuzzApi *api = change->input->api;
	JsonbValue *body = document_from_jsonb(change->request);
	JsonbValue *sent;
	char	   *id = NULL;

	change->update = new_update(change->input);
	if (change->way == WAY_MERGE)
		change->update.clear_token = api->profile->clear_token;
	if (change->forgets)
		(void) unstored_forget(api->schema, api->profile, body);
	sent = api->shape->read_user(api->schema, api->profile, body, &id);
	unstored_take(&change->update, sent, body, &change->unstored);
	if (change->way == WAY_CREATE)
		change->after = create_document(&change->update, sent);
	else if (change->way == WAY_REPLACE)
		change->after = replace_document(&change->update, change->before, sent);
	else
		change->after = merge_document(&change->update, change->before, sent);
}

/* As with patches. */
static void
check_secrecy(const BodyChange *change)
{
	BodyChange		again = *change;

	if (change->unstored.carries_password &&
		!unstored_may_carry(change->input->api->schema, change->input->api->profile, change->request))
		finding("carries a password that nobody expects");
	memset(&again.unstored, 0, sizeof(SentUnstored));
	again.forgets = true;
	(void) attempt(make_change, &again);
	if (again.unstored.carries_password)
		finding("a password is not forgotten");
}

static void
run(FuzzInput *input)
{
	BodyChange		change = {input, way_of(input), json_read(input->request)};
	BodyChange		again = change;
	bool		was_valid;
	bool		succeeded;
	StringInfo	before;

	if (change.request == NULL || tree_read(change.request) == NULL)
		return;
	change.before = stored_document(input, &was_valid);
	before = snapshot(change.before);
	succeeded = attempt(make_change, &change);
	check_unchanged(change.before, before, "the stored document");
	check_secrecy(&change);
	if (!succeeded)
		return;
	check_result(input, &change.update, change.way == WAY_CREATE ? document_new_object() : change.before,
				 was_valid || change.way == WAY_CREATE, change.after);

	/* the same once more changes nothing, if the keys of lists are such */
	if (!was_valid && change.way != WAY_CREATE)
		return;
	again.before = document_from_jsonb(document_to_jsonb(change.after));
	if (!attempt(make_change, &again))
		finding("the same request again is refused");
	unstored_drop(input->api->schema, again.after);
	if (!document_equal(change.after, again.after))
		finding("the same request again makes another document: %s, then %s",
				JsonbToCString(NULL, &document_to_jsonb(change.after)->root, 0),
				JsonbToCString(NULL, &document_to_jsonb(again.after)->root, 0));
}

const FuzzTarget body_target = {
	.name = "body",
	.request = REQUEST_BODY,
	.run = run,
};
