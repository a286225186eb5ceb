/*
 * bulk_match.c
 *	  Find the users of a bulk request by an attribute in place of their ids.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "functions/bulk.h"
#include "functions/string_map.h"

struct Match
{
	const char *path;
	List	   *names;			/* of char *: from the top of the document
								 * down */
	const Attribute *attribute; /* where a schema knows it */
	List	   *way;			/* of Attribute *, to there */
	bool		case_exact;
	Oid			type;			/* of what is compared */
	SPIPlanPtr	plan;
	MemoryContext context;		/* as long as found lasts */
	string_map_hash *found;		/* value → List * of ids (char *) */
};


/* Without a schema any name will do, and case counts. */
static List *
split_path(const char *path)
{
	List	   *names = NIL;
	char	   *copy = pstrdup(path);
	char	   *end;

	for (char *name = copy; name != NULL; name = end)
	{
		end = strchr(name, '.');
		if (end != NULL)
			*end++ = '\0';
		names = lappend(names, name);
	}
	return names;
}

static void
refuse_match(const char *path, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("users cannot be matched by \"%s\"", shown_name(path, strlen(path))),
			 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
			 errhint("%s", hint)));
}

static void
resolve(Bulk *bulk, Match *match)
{
	const Schema *schema = bulk->api->schema;
	Attribute  *attribute;
	ListCell   *lc;

	if (schema->ids == NIL)
	{
		match->names = split_path(match->path);
		match->case_exact = true;
		return;
	}
	attribute = path_resolve(schema, match->path);
	if (attribute == NULL)
		refuse_match(match->path, "No schema of the table has this attribute.");
	if (attribute->type == TYPE_COMPLEX || attribute->type == TYPE_ANY ||
		attribute->type == TYPE_BOOLEAN || attribute->transient || attribute == schema->password)
		refuse_match(match->path, "Name an attribute that has a single string or number.");
	if (attribute->is_computed)
		refuse_match(match->path, "Its value is not stored, but made when the user is shown.");
	match->path = attribute->path;
	match->attribute = attribute;
	match->way = attribute_way(schema, attribute);
	match->case_exact = attribute->case_exact;
	foreach(lc, match->way)
	{
		Attribute  *step = lfirst(lc);

		if (step->multi_valued)
			refuse_match(match->path, "Name an attribute that has a single string or number.");
		match->names = lappend(match->names, unconstify(char *, step->name));
	}
}

/* The attribute as an expression: its column if it has one, which is indexed. */
static char *
expression(Bulk *bulk, Match *match)
{
	StringInfoData value;
	ListCell   *lc;

	foreach(lc, bulk->table->unique_indexes)
	{
		UniqueIndex *index = lfirst(lc);

		if (match->way == NIL || index->column == NULL ||
			strcmp(index->path, ((Attribute *) llast(match->way))->path) != 0)
			continue;
		match->type = index->type;
		return psprintf("u.%s", quote_identifier(index->column));
	}
	match->type = TEXTOID;
	initStringInfo(&value);
	appendStringInfoString(&value, bulk->table->layout.document_sql);
	foreach(lc, match->names)
		appendStringInfo(&value, " OPERATOR(pg_catalog.%s) %s",
						 foreach_current_index(lc) == list_length(match->names) - 1 ? "->>" : "->",
						 quote_literal_cstr(lfirst(lc)));
	return match->case_exact ? psprintf("(%s)", value.data) :
		psprintf("pg_catalog.lower(%s)", value.data);
}

/*
 * Match users by the attribute of this path.
 */
Match *
match_open(Bulk *bulk, const char *path)
{
	MemoryContext context = CurrentMemoryContext;
	Match	   *match = palloc0(sizeof(Match));
	Oid			types[1];
	char	   *value;

	match->path = path;
	resolve(bulk, match);
	value = expression(bulk, match);
	types[0] = get_array_type(match->type);
	/* planned anew each time: with the values at hand, they can be hashed */
	match->plan = SPI_prepare_cursor(psprintf("SELECT %s, %s FROM %s WHERE %s OPERATOR(pg_catalog.=) ANY ($1)%s",
											  bulk->table->layout.id_sql, value,
											  bulk->table->layout.from_sql, value,
											  tenant_condition(&bulk->table->layout, "u")),
									 1, types, CURSOR_OPT_CUSTOM_PLAN);
	if (match->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));	/* can't happen */
	MemoryContextSwitchTo(context); /* SPI leaves us in its own */
	match->context = AllocSetContextCreate(bulk->context, "userstore matched users",
										   ALLOCSET_DEFAULT_SIZES);
	return match;
}

static JsonbValue *
member_of(Match *match, JsonbValue *object)
{
	ListCell   *lc;

	if (match->way != NIL)
		return attribute_value(match->way, object);
	foreach(lc, match->names)
		object = document_member(object, lfirst(lc));
	return object;
}

/*
 * The value of an object by which users are matched, as they are compared; NULL
 * when it has none.
 */
char *
match_key(Match *match, JsonbValue *object)
{
	return unique_key(match->type, match->case_exact, member_of(match, object));
}

static void
add_hit(Match *match, char *key, char *id_text)
{
	StringEntry *entry;
	bool		found;
	ListCell   *lc;

	entry = string_map_insert(match->found, key, &found);
	/* one who lost the value since it was looked up, and got it back */
	foreach(lc, found ? (List *) entry->value : NIL)
	{
		if (strcmp(lfirst(lc), id_text) == 0)
			return;
	}
	entry->value = lappend(found ? entry->value : NIL, id_text);
}

static List *
hits_of(Match *match, const char *key)
{
	StringEntry *entry = string_map_lookup(match->found, key);

	return entry != NULL ? entry->value : NIL;
}

/* A result column as the key that unique_key() would make of it. */
static char *
column_key(Match *match, Datum value)
{
	return match->type == NUMERICOID ? numeric_normalize(DatumGetNumeric(value)) :
		TextDatumGetCString(value);
}

static void
look_up(Bulk *bulk, Match *match, List *keys)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(list_length(keys), 1));
	Datum		values[1];
	ListCell   *lc;

	foreach(lc, keys)
		elems[foreach_current_index(lc)] = match->type == NUMERICOID ?
		DirectFunctionCall3(numeric_in, CStringGetDatum(lfirst(lc)),
							ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)) :
		CStringGetTextDatum((char *) lfirst(lc));
	values[0] = array_of(match->type, elems, list_length(keys));
	if (SPI_execute_plan(match->plan, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "matching users failed: %s", SPI_result_code_string(SPI_result));	/* can't happen */
	MemoryContextSwitchTo(match->context);	/* SPI leaves us in its own */
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		CHECK_FOR_INTERRUPTS();
		add_hit(match, column_key(match, result_column(tuple, desc, 2, match->type, NULL)),
				binding_id_to_text(bulk->table,
								   result_column(tuple, desc, 1, bulk->table->id_type, NULL)));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Find the user whom an item is about, if there is one. */
static void
address(Match *match, BulkItem *item)
{
	char	   *key = match_key(match, item->road.sent);
	List	   *hits = key != NULL ? hits_of(match, key) : NIL;

	if (!item->has_own_id && list_length(hits) == 1)
		road_address(&item->road, linitial(hits));
}

/*
 * Look up once what all these items match.
 */
void
match_load(Bulk *bulk, BulkItem *items, int from, int to)
{
	Match	   *match = bulk->match;
	MemoryContext old;
	List	   *keys = NIL;

	MemoryContextReset(match->context);
	old = MemoryContextSwitchTo(match->context);
	match->found = string_map_create(match->context, Max(to - from, 16), NULL);
	for (int i = from; i < to; i++)
	{
		char	   *key = match_key(match, items[i].road.sent);

		if (key != NULL)
			keys = lappend(keys, key);
	}
	if (keys != NIL)
		look_up(bulk, match, keys);
	for (int i = from; i < to; i++)
	{
		/* may have been another when this was done before */
		items[i].road.has_id = items[i].has_own_id;
		address(match, &items[i]);
	}
	MemoryContextSwitchTo(old);
}

/*
 * See whom an item is about now that its turn has come, when those before it
 * may have created that user; an error when it cannot be said.
 */
void
match_item(Bulk *bulk, BulkItem *item)
{
	Match	   *match = bulk->match;
	char	   *key = match_key(match, item->road.sent);
	List	   *hits;

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attribute \"%s\" is missing", match->path),
				 errdetail_path(match->path, SCIM_INVALID_VALUE),
				 errhint("Users are matched by it.")));
	if (match->attribute != NULL)
		validate_value(&item->road.update.validation, match->attribute,
					   member_of(match, item->road.sent));
	/* whoever it was when this was looked up */
	item->road.has_id = item->has_own_id;
	hits = hits_of(match, key);
	if (list_length(hits) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_USER_CONFLICT),
				 errmsg("several users have this \"%s\"", match->path),
				 errdetail_path(match->path, SCIM_UNIQUENESS),
				 errhint("Address the user by id.")));
	if (hits != NIL)
	{
		MemoryContext old = MemoryContextSwitchTo(match->context);

		road_address_matched(&item->road, linitial(hits));
		MemoryContextSwitchTo(old);
	}
	else if (!bulk->creates)
		ereport(ERROR,
				(errcode(ERRCODE_USER_NOT_FOUND),
				 errmsg("no user has this \"%s\"", match->path),
				 errdetail_path(match->path, NULL),
				 errhint("Check the value, or create the user.")));
}

/*
 * A user was created or changed, whom later items may match by another value.
 */
void
match_changed(Bulk *bulk, const char *id_text, JsonbValue *before, JsonbValue *after)
{
	Match	   *match = bulk->match;
	MemoryContext old = MemoryContextSwitchTo(match->context);
	char	   *old_key = match_key(match, before);
	char	   *new_key = match_key(match, after);
	StringEntry *entry = old_key != NULL ? string_map_lookup(match->found, old_key) : NULL;
	ListCell   *lc;

	if (old_key == NULL || new_key == NULL || strcmp(old_key, new_key) != 0)
	{
		foreach(lc, entry != NULL ? (List *) entry->value : NIL)
		{
			if (strcmp(lfirst(lc), id_text) == 0)
				entry->value = foreach_delete_current((List *) entry->value, lc);
		}
		if (new_key != NULL)
			add_hit(match, new_key, pstrdup(id_text));
	}
	MemoryContextSwitchTo(old);
}
