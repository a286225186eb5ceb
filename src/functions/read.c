/*
 * read.c
 *	  Read what a request asks for: whom it is about, and the attributes or
 *	  operations in its body, in the shape of its API.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "functions/functions.h"

static void
refuse_other_id(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("attribute \"id\" is not that of the user addressed"),
			 errdetail_path("id", SCIM_MUTABILITY),
			 errhint("Leave it out of the body, or send the same id.")));
}

/*
 * The user that the request is about.
 */
void
road_address(Road *road, const char *id)
{
	road->id = binding_id_from_text(road->table, id);
	road->has_id = true;
	road->has_new_id = false;
	road->id_text = binding_id_to_text(road->table, road->id);
}

/*
 * The user turns out to be this one; an id of its own in the body has to be
 * the same.
 */
void
road_address_matched(Road *road, const char *id)
{
	if (!road->has_id)
		road_address(road, id);
	else if (strcmp(road->id_text, id) != 0)
		refuse_other_id();
}

/* Where there is no password, there is none to clear. */
static void
forget_needless(Road *road)
{
	if (road->unstored.password == NULL && !road->table->has_password)
		road->unstored.has_password = false;
}

/* Operations: a PatchOp message (RFC 7644 section 3.5.2) or a JSON Patch (RFC 6902). */
static void
read_operations(Road *road)
{
	if (road->patch == PATCH_JSON)
	{
		road->operations = json_patch_read(&road->update, road->body);
		road->operations = json_patch_take_unstored(&road->update, road->operations, road->body,
													&road->unstored);
	}
	else
	{
		road->operations = scim_patch_read(&road->update, road->body, road->id_text);
		road->operations = scim_patch_take_unstored(&road->update, road->operations, road->body,
													&road->unstored);
	}
	forget_needless(road);
	road->passed_over = road->update.ignored;
	road->sent = document_new_object();
}

/* Which kind of partial update a body is. */
static PatchForm
patch_form(const Road *road)
{
	if (road->call->operation != OPERATION_PATCH)
		return PATCH_MERGE;
	if (is_scim_patch(road->body))
		return PATCH_SCIM;
	return road->body->type == jbvArray && road->shape->takes_json_patch ? PATCH_JSON : PATCH_MERGE;
}

/*
 * A few bytes can be a number of 131,072 digits, which answers would have to
 * write out.  What no double precision number comes near, clients cannot read
 * anyway (RFC 8259 section 6).
 */
static void
refuse_long_numbers(JsonbValue *value, const char *path)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (value->type)
	{
		case jbvNumeric:
			if (!number_is_short(value->val.numeric))
				ereport(ERROR,
						(errcode(ERRCODE_USER_BAD_REQUEST),
						 path != NULL ? errmsg("attribute \"%s\" has a number that is too long", path) :
						 errmsg("the body has a number that is too long"),
						 errdetail_path(path, SCIM_INVALID_VALUE),
						 errhint("A number has at most %d digits before the point and after it.",
								 MAX_DIGITS)));
			break;
		case jbvArray:
			for (int i = 0; i < value->val.array.nElems; i++)
				refuse_long_numbers(&value->val.array.elems[i], path);
			break;
		case jbvObject:
			document_foreach(pair, value)
				refuse_long_numbers(&pair->value, path != NULL ? path :
									shown_name(pair->key.val.string.val, pair->key.val.string.len));
			break;
		default:
			break;
	}
}

/*
 * What the body, which takes so many bytes, says in the shape of its API.
 */
void
road_read(Road *road, JsonbValue *body, int64 size)
{
	char	   *body_id = NULL;
	Datum		id;

	if (size > road->profile->max_payload_size)
		ereport(ERROR,
				(errcode(ERRCODE_USER_PAYLOAD_TOO_LARGE),
				 errmsg("the body is too large"),
				 errdetail_path(NULL, NULL),
				 errhint("API profile \"%s\" accepts " INT64_FORMAT " bytes.",
						 road->profile->name, road->profile->max_payload_size)));
	refuse_long_numbers(body, NULL);
	road->body = body;
	if (road->call->operation != OPERATION_CREATE && !road_replaces(road))
		road->update.clear_token = road->profile->clear_token;
	road->patch = patch_form(road);
	if (road->patch != PATCH_MERGE)
	{
		JsonbValue *item_id = document_member(body, "id");

		read_operations(road);
		if (road->is_item && item_id != NULL && item_id->type != jbvNull)
			body_id = read_body_id(item_id);
	}
	else
	{
		road->sent = road->shape->read_user(road->schema, road->profile, road->body, &body_id);
		unstored_take(&road->update, road->sent, road->body, &road->unstored);
		forget_needless(road);
	}
	if (body_id == NULL || (road->shape->ignores_id && !road->is_item))
		return;
	if (!road->has_id)
	{
		road_address(road, body_id);
		return;
	}
	id = binding_id_from_text(road->table, body_id);
	if (strcmp(binding_id_to_text(road->table, id), road->id_text) != 0)
		refuse_other_id();
}
