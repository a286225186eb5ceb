/*
 * export.c
 *	  users_export: all users in the form in which they can be loaded again.
 *
 * An answer shows a user as the API does, with what the server adds and without
 * what the schema does not return; this shows what is stored.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/errors.h"
#include "functions/functions.h"

PG_FUNCTION_INFO_V1(users_export);

/* Users who are read at once. */
#define ROWS_AT_ONCE		100

typedef struct Export
{
	Oid			users;
	char	   *api;
	MemoryContext context;		/* of those who were read last: */
	Jsonb	   *bodies[ROWS_AT_ONCE];
	Datum		last;			/* id of the last of them */
	int			count;
	int			next;			/* to be given */
} Export;

static Jsonb *
exported_body(const BoundApi *api, const BodyShape *shape, UserState *user)
{
	static const char *const names[] = {"meta", "schemas"};
	Selection	all = {0};
	JsonbValue *body;

	/* fields have names of their own */
	if (shape == &fields_shape)
	{
		body = shape->show_user(api->schema, api->profile, user, &all);
		document_remove(body, "links", strlen("links"));
		return document_to_jsonb(body);
	}
	body = document_copy_top(user->document);
	for (int i = 0; i < lengthof(names); i++)
		document_remove(body, names[i], strlen(names[i]));
	document_set(body, "id", strlen("id"), document_string(user->id));
	return document_to_jsonb(body);
}

/* The next users; none are left when there are none of them. */
static void
export_next(Export *export, MemoryContext context)
{
	Binding    *table = binding_open(export->users);
	const BoundApi *api = binding_api(table, export->api);
	MemoryContext next = AllocSetContextCreate(context, "userstore exported users", ALLOCSET_DEFAULT_SIZES);
	FoundRow   *found;
	MemoryContext old;

	binding_require_privileges(table, ACL_SELECT);
	old = MemoryContextSwitchTo(next);
	export->count = set_next(table, export->count > 0 ? &export->last : NULL, ROWS_AT_ONCE, &found);
	export->next = 0;
	for (int i = 0; i < export->count; i++)
	{
		UserState	user = {0};

		CHECK_FOR_INTERRUPTS();
		user.document = document_from_jsonb(found[i].row.document);
		user.id = binding_id_to_text(table, found[i].id);
		export->bodies[i] = exported_body(api, body_shape(api->profile->body), &user);
		export->last = found[i].id;
	}
	MemoryContextSwitchTo(old);
	if (export->context != NULL)
		MemoryContextDelete(export->context);
	export->context = next;
}

/*
 * users_export(users regclass, api text)
 */
Datum
users_export(PG_FUNCTION_ARGS)
{
	FuncCallContext *srf;
	Export	   *export;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		srf = SRF_FIRSTCALL_INIT();
		require_argument(fcinfo, 0, "users");
		old = MemoryContextSwitchTo(srf->multi_call_memory_ctx);
		export = palloc0(sizeof(Export));
		export->users = PG_GETARG_OID(0);
		export->api = text_argument(fcinfo, 1);
		MemoryContextSwitchTo(old);
		srf->user_fctx = export;
	}
	srf = SRF_PERCALL_SETUP();
	export = srf->user_fctx;
	if (export->next == export->count)
	{
		SPI_connect();
		export_next(export, srf->multi_call_memory_ctx);
		SPI_finish();
	}
	if (export->count == 0)
		SRF_RETURN_DONE(srf);
	SRF_RETURN_NEXT(srf, JsonbPGetDatum(export->bodies[export->next++]));
}
