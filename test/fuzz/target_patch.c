/*
 * target_patch.c
 *	  PatchOp messages (RFC 7644 section 3.5.2) and JSON Patch (RFC 6902).
 */
#include "fuzz.h"

#include "core/errors.h"

/* The id of the user who is patched. */
#define USER_ID		"ann"

typedef struct Patch
{
	FuzzInput  *input;
	JsonbValue *body;
	JsonbValue *before;
	JsonbValue *after;
	Update		update;
	List	   *operations;
	SentUnstored unstored;
} Patch;

/*
 * What says of a request that was not read whether it may carry a password, and
 * what makes it forget one, know of each that is found when it is read.
 */
static void
check_secrecy(Patch *patch, Jsonb *request, void (*apply) (void *))
{
	const Schema *schema = patch->input->api->schema;
	Patch		again = *patch;

	if (patch->unstored.carries_password && !unstored_may_carry(schema, patch->input->api->profile, request))
		finding("carries a password that nobody expects");
	again.body = document_from_jsonb(request);
	again.update.ignored = NIL;
	memset(&again.unstored, 0, sizeof(SentUnstored));
	(void) unstored_forget(schema, patch->input->api->profile, again.body);
	(void) attempt(apply, &again);
	if (again.unstored.carries_password)
		finding("a password is not forgotten");
}

static void
run_patch(FuzzInput *input, enum jbvType type, void (*apply) (void *), void (*more) (Patch *patch))
{
	Jsonb	   *request = json_read(input->request);
	Patch		patch = {input};
	bool		was_valid;
	bool		succeeded;
	StringInfo	before;
	StringInfo	body;

	if (request == NULL)
		return;
	patch.body = tree_read(request);
	if (patch.body == NULL || patch.body->type != type)
		return;
	patch.before = stored_document(input, &was_valid);
	patch.update = new_update(input);
	patch.update.clear_token = patch.update.profile->clear_token;
	before = snapshot(patch.before);
	body = snapshot(patch.body);
	succeeded = attempt(apply, &patch);
	check_unchanged(patch.before, before, "the stored document");
	check_secrecy(&patch, request, apply);
	if (!succeeded)
		return;
	check_result(input, &patch.update, patch.before, was_valid, patch.after);
	if (more != NULL && was_valid)
		more(&patch);
	check_unchanged(patch.before, before, "the stored document");
	/* a password is forgotten at once */
	if (!patch.unstored.carries_password)
		check_unchanged(patch.body, body, "the request");
}

/*
 * PatchOp
 */

static void
apply_scim_patch(void *arg)
{
	Patch	   *patch = arg;

	(void) is_scim_patch(patch->body);
	patch->operations = scim_patch_read(&patch->update, patch->body, USER_ID);
	patch->operations = scim_patch_take_unstored(&patch->update, patch->operations, patch->body,
												 &patch->unstored);
	patch->after = scim_patch_document(&patch->update, patch->before, patch->operations);
}

static void
run_scim_patch(FuzzInput *input)
{
	run_patch(input, jbvObject, apply_scim_patch, NULL);
}

const FuzzTarget scim_patch_target = {
	.name = "scim_patch",
	.request = REQUEST_SCIM_PATCH,
	.run = run_scim_patch,
};

/*
 * JSON Patch
 */

static void
apply_json_patch(void *arg)
{
	Patch	   *patch = arg;

	patch->operations = json_patch_read(&patch->update, patch->body);
	patch->operations = json_patch_take_unstored(&patch->update, patch->operations, patch->body,
												 &patch->unstored);
	patch->after = json_patch_document(&patch->update, patch->before, patch->operations);
}

/* A JSON pointer to a member of the user. */
static char *
pointer_to(const JsonbValue *name)
{
	StringInfoData pointer;

	initStringInfo(&pointer);
	appendStringInfoChar(&pointer, '/');
	for (int i = 0; i < name->val.string.len; i++)
	{
		char		c = name->val.string.val[i];

		if (c == '~' || c == '/')
			appendStringInfoString(&pointer, c == '~' ? "~0" : "~1");
		else
			appendStringInfoChar(&pointer, c);
	}
	return pointer.data;
}

/* Each member tests as what it is, and is then what it was. */
static void
test_result(Patch *patch)
{
	Patch		tests = {patch->input};

	tests.body = document_new_array();
	tests.before = patch->after;
	tests.update = new_update(patch->input);
	document_foreach(pair, patch->after)
	{
		JsonbValue *operation = document_new_object();

		document_add(operation, "op", document_string("test"));
		document_add(operation, "path", document_string(pointer_to(&pair->key)));
		document_add(operation, "value", document_copy(&pair->value));
		document_push(tests.body, operation);
	}
	if (!attempt(apply_json_patch, &tests))
		finding("a test of the result fails");
	if (!document_equal(tests.before, tests.after))
		finding("tests change the document");
}

static void
run_json_patch(FuzzInput *input)
{
	run_patch(input, jbvArray, apply_json_patch, test_result);
}

const FuzzTarget json_patch_target = {
	.name = "json_patch",
	.request = REQUEST_JSON_PATCH,
	.run = run_json_patch,
	.errors = {ERRCODE_USER_CONFLICT, ERRCODE_USER_PAYLOAD_TOO_LARGE},
};
