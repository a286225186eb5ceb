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

/* Rows that are fetched at once. */
#define ROWS_AT_ONCE		100

typedef struct Export
{
	Oid			users;
	char	   *api;
	char	   *portal;
	MemoryContext context;		/* of the rows that were fetched last */
	Jsonb	   *bodies[ROWS_AT_ONCE];
	int			count;
	int			next;			/* of them, to be given */
} Export;

/* All rows, as of now. */
static void
export_open(Export *export, MemoryContext context)
{
	Binding    *table = binding_open(export->users);
	const Layout *layout = &table->layout;
	SPIPlanPtr	plan;
	Portal		portal;
	char	   *query;

	(void) binding_api(table, export->api);
	binding_require_privileges(table, ACL_SELECT);
	query = psprintf("SELECT %s, %s FROM %s WHERE true%s ORDER BY 2", layout->object_sql,
					 layout->id_sql, layout->from_sql, tenant_condition(layout, "u"));
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s: %s", SPI_result_code_string(SPI_result), query);	/* can't happen */
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	export->portal = MemoryContextStrdup(context, portal->name);
}

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

/* The next rows; none are left when there are none of them. */
static void
export_fetch(Export *export)
{
	Binding    *table = binding_open(export->users);
	const BoundApi *api = binding_api(table, export->api);
	Portal		portal = SPI_cursor_find(export->portal);
	MemoryContext old;

	MemoryContextReset(export->context);
	export->count = export->next = 0;
	SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
	old = MemoryContextSwitchTo(export->context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		UserState	user = {0};

		CHECK_FOR_INTERRUPTS();
		user.document = document_from_jsonb(DatumGetJsonbP(result_column(tuple, desc, 1, JSONBOID,
																		 NULL)));
		user.id = binding_id_to_text(table, result_column(tuple, desc, 2, table->id_type, NULL));
		export->bodies[export->count++] = exported_body(api, body_shape(api->profile->body), &user);
	}
	MemoryContextSwitchTo(old);
	if (export->count == 0)
		SPI_cursor_close(portal);
	SPI_freetuptable(SPI_tuptable);
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
		export->context = AllocSetContextCreate(srf->multi_call_memory_ctx,
												"userstore exported users", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(old);
		SPI_connect();
		export_open(export, srf->multi_call_memory_ctx);
		SPI_finish();
		srf->user_fctx = export;
	}
	srf = SRF_PERCALL_SETUP();
	export = srf->user_fctx;
	if (export->next == export->count)
	{
		SPI_connect();
		export_fetch(export);
		SPI_finish();
	}
	if (export->count == 0)
		SRF_RETURN_DONE(srf);
	SRF_RETURN_NEXT(srf, JsonbPGetDatum(export->bodies[export->next++]));
}
