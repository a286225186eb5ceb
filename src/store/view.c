/*
 * view.c
 *	  user_view_create and user_view_refresh: views with a typed column for each
 *	  attribute, for people who report in plain SQL.
 *
 * They are views of the caller (security_invoker): who asks sees of the table
 * what privileges and row security let him see.  A value that is not of its
 * column's type is NULL (see functions/values.c), so no stored document can make
 * a view fail.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/errors.h"
#include "store/index.h"
#include "store/view.h"

PG_FUNCTION_INFO_V1(user_view_create);
PG_FUNCTION_INFO_V1(user_view_refresh);

/* Bytes of a view's name that names of its views of lists begin with. */
#define MAX_PREFIX	40

/* A view that there is. */
typedef struct UserView
{
	Oid			view;
	Oid			main;
	List	   *lists;			/* of List * of char * */
	JsonbValue *columns;		/* column → names */
} UserView;

/* A view as it is to be. */
typedef struct NewView
{
	Binding    *table;
	const Schema *schema;
	const ViewShape *shape;
	List	   *taken;			/* of char *: names of columns */
	StringInfoData select;		/* expressions with their names */
	JsonbValue *columns;		/* column → names */
	List	   *added;			/* of AddedColumn * */
} NewView;

typedef struct AddedColumn
{
	char	   *name;
	const ViewColumn *column;
} AddedColumn;

/*
 * Columns
 */

static bool
has_name(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* A column before those of attributes. */
typedef struct FixedColumn
{
	const char *name;
	const char *sql;
	const char *comment;
} FixedColumn;

static List *
add_fixed(List *columns, const char *name, const char *sql, const char *comment)
{
	FixedColumn *column = palloc(sizeof(FixedColumn));

	column->name = name;
	column->sql = sql;
	column->comment = comment;
	return lappend(columns, column);
}

static List *
fixed_columns(const NewView *view)
{
	const Layout *layout = &view->table->layout;
	const ViewShape *shape = view->shape;
	List	   *columns = add_fixed(NIL, "id", layout->id_sql, "id of the user");
	ListCell   *lc;

	if (layout->tenant != NULL)
		columns = add_fixed(columns, "tenant", psprintf("u.%s", quote_identifier(layout->tenant)),
							"tenant whose user it is");
	if (shape->lists == NIL)
	{
		columns = add_fixed(columns, "version", layout->version_sql, "version of the user");
		columns = add_fixed(columns, "created_at", layout->created_sql, "when the user was created");
		return add_fixed(columns, "modified_at", layout->modified_sql, "when the user last changed");
	}
	/* of a list within a list, the values of both have their places */
	foreach(lc, shape->lists)
	{
		char	   *path = names_path(lfirst(lc), false);

		columns = add_fixed(columns, lnext(shape->lists, lc) == NULL ? "position" :
							attribute_column("", psprintf("%s.position", path), 0),
							psprintf("l%d.position", foreach_current_index(lc) + 1),
							psprintf("place in %s, from 1", names_path(lfirst(lc), true)));
	}
	return columns;
}

static char *
plain_name(const List *names)
{
	return snake_name(names_path(names, false));
}

/* Would another column be called the same, without the URN? */
static bool
is_ambiguous(const NewView *view, const ViewColumn *column)
{
	char	   *name = plain_name(column->names);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, fixed_columns(view))
		found |= strcmp(((FixedColumn *) lfirst(lc))->name, name) == 0;
	foreach(lc, view->shape->columns)
	{
		ViewColumn *other = lfirst(lc);

		found |= other != column && strcmp(plain_name(other->names), name) == 0;
	}
	return found;
}

/*
 * A name for a new column: that of its path, with the URN of an extension only
 * where another one has the same; numbered if need be.
 */
static char *
choose_name(const NewView *view, const ViewColumn *column)
{
	char	   *path = names_path(column->names, is_ambiguous(view, column));

	/* of letters that are not ASCII there is nothing left */
	if (*snake_name(path) == '\0')
		path = "attribute";
	for (int i = 0;; i++)
	{
		char	   *name = attribute_column("", path, i);

		if (!has_name(view->taken, name))
			return name;
	}
}

/* An app's own table has it made of columns, once for each row: see from_sql(). */
static const char *
document_sql(const NewView *view)
{
	return view->table->is_attached ? "d.document" : view->table->layout.document_sql;
}

/* What the values of a column are in, in SQL. */
static const char *
source_sql(const NewView *view)
{
	int			depth = list_length(view->shape->lists);

	return depth == 0 ? document_sql(view) : psprintf("l%d.item", depth);
}

static char *
value_sql(const NewView *view, List *names, Oid type)
{
	const char *function;

	if (!view_shows(view->schema, view->shape->lists, names))
		return psprintf("NULL::%s", format_type_be_qualified(type));
	switch (type)
	{
		case BOOLOID:
			function = "attribute_boolean";
			break;
		case INT8OID:
			function = "attribute_integer";
			break;
		case NUMERICOID:
			function = "attribute_number";
			break;
		case TIMESTAMPTZOID:
			function = "attribute_time";
			break;
		case JSONBOID:
			function = "attribute_json";
			break;
		default:
			function = "attribute_text";
	}
	return psprintf("userstore.%s(%s, %s)", function, source_sql(view), names_literal(names));
}

static void
select_column(NewView *view, const char *expression, const char *name)
{
	appendStringInfo(&view->select, "%s%s AS %s", view->select.len > 0 ? ", " : "", expression,
					 quote_identifier(name));
	view->taken = lappend(view->taken, pstrdup(name));
}

static void
select_fixed(NewView *view)
{
	ListCell   *lc;

	foreach(lc, fixed_columns(view))
	{
		FixedColumn *column = lfirst(lc);

		select_column(view, column->sql, column->name);
	}
}

static void
select_attribute(NewView *view, List *names, Oid type, const char *name)
{
	select_column(view, value_sql(view, names, type), name);
	document_add(view->columns, name, names_json(names));
}

static bool
is_column_type(Oid type)
{
	return type == TEXTOID || type == BOOLOID || type == INT8OID || type == NUMERICOID ||
		type == TIMESTAMPTZOID || type == JSONBOID;
}

static void
refuse_changed(Oid view, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("view \"%s\" has a column \"%s\" that is not of its making",
					get_rel_name(view), column),
			 errhint("Drop the view and create it anew.")));
}

/* The columns that the view has, as they are; their number must not shrink. */
static void
select_existing(NewView *view, const UserView *existing)
{
	Relation	relation = relation_open(existing->view, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	int			fixed = list_length(view->taken);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		char	   *name = NameStr(column->attname);
		JsonbValue *names = document_member(existing->columns, name);

		if (i < fixed ? strcmp(list_nth(view->taken, i), name) != 0 :
			(names == NULL || !is_column_type(column->atttypid)))
			refuse_changed(existing->view, name);
		if (i >= fixed)
			select_attribute(view, names_from_json(names), column->atttypid, name);
	}
	relation_close(relation, NoLock);
}

/* Is a column of this type for these names in the view already? */
static bool
is_selected(const NewView *view, const UserView *existing, const ViewColumn *column)
{
	if (existing == NULL)
		return false;
	document_foreach(pair, existing->columns)
	{
		char	   *name = document_cstring(&pair->key);
		AttrNumber	number = get_attnum(existing->view, name);

		if (number > 0 && get_atttype(existing->view, number) == column->type &&
			same_names(names_from_json(&pair->value), column->names))
			return true;
	}
	return false;
}

static void
select_new(NewView *view, const UserView *existing)
{
	ListCell   *lc;

	foreach(lc, view->shape->columns)
	{
		ViewColumn *column = lfirst(lc);
		AddedColumn *added;

		if (is_selected(view, existing, column))
			continue;
		added = palloc(sizeof(AddedColumn));
		added->name = choose_name(view, column);
		added->column = column;
		view->added = lappend(view->added, added);
		select_attribute(view, column->names, column->type, added->name);
	}
}

/*
 * Definition
 */

/* The values of a list, in lax mode of SQL/JSON: a value that is no list is one. */
static char *
values_path(List *names)
{
	StringInfoData path;
	ListCell   *lc;

	initStringInfo(&path);
	appendStringInfoChar(&path, '$');
	foreach(lc, names)
	{
		appendStringInfoChar(&path, '.');
		escape_json(&path, lfirst(lc));
	}
	appendStringInfoString(&path, "[*] ? (@ != null)");
	return psprintf("%s::pg_catalog.jsonpath", quote_literal_cstr(path.data));
}

/* The table, with each user's document and the lists as l1, l2 and so on. */
static char *
from_sql(const NewView *view)
{
	const Layout *layout = &view->table->layout;
	StringInfoData from;
	ListCell   *lc;

	initStringInfo(&from);
	appendStringInfoString(&from, layout->from_sql);
	if (view->table->is_attached)
		appendStringInfo(&from, " CROSS JOIN LATERAL (SELECT %s AS document OFFSET 0) d",
						 layout->document_sql);
	foreach(lc, view->shape->lists)
	{
		int			number = foreach_current_index(lc) + 1;

		appendStringInfo(&from, " CROSS JOIN LATERAL pg_catalog.jsonb_path_query(%s, %s) WITH ORDINALITY l%d (item, position)",
						 number == 1 ? document_sql(view) : psprintf("l%d.item", number - 1),
						 values_path(lfirst(lc)), number);
	}
	if (!view_shows(view->schema, view->shape->lists, NIL))
		appendStringInfoString(&from, " WHERE false");
	return from.data;
}

/* The options that an owner has given the view, or ours. */
static char *
options_sql(Oid view)
{
	HeapTuple	tuple = OidIsValid(view) ? SearchSysCache1(RELOID, ObjectIdGetDatum(view)) : NULL;
	StringInfoData options;
	bool		isnull = true;
	Datum		stored = (Datum) 0;
	ListCell   *lc;

	if (tuple == NULL)
		return "security_invoker = true";
	stored = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull);
	initStringInfo(&options);
	foreach(lc, isnull ? NIL : text_array_list(stored))
	{
		char	   *name = lfirst(lc);
		char	   *value = strchr(name, '=');

		*value++ = '\0';
		appendStringInfo(&options, "%s%s = %s", options.len > 0 ? ", " : "",
						 quote_identifier(name), quote_literal_cstr(value));
	}
	ReleaseSysCache(tuple);
	return options.len > 0 ? options.data : "security_invoker = false";
}

static void
comment_columns(const NewView *view, const char *sql)
{
	ListCell   *lc;

	foreach(lc, view->added)
	{
		AddedColumn *added = lfirst(lc);
		const ViewColumn *column = added->column;

		run_ddl("COMMENT ON COLUMN %s.%s IS %s", sql, quote_identifier(added->name),
				quote_literal_cstr(column->description == NULL ? column->path :
								   psprintf("%s: %s", column->path, column->description)));
	}
}

/* It belongs to the owner of the user table, whoever creates it. */
static void
settle_view(const NewView *view, const char *sql)
{
	const char *path = view->shape->path;
	ListCell   *lc;

	run_ddl("ALTER VIEW %s OWNER TO %s", sql,
			quote_identifier(GetUserNameFromId(view->table->owner, false)));
	run_ddl("COMMENT ON VIEW %s IS %s", sql,
			quote_literal_cstr(path == NULL ?
							   psprintf("users of %s, a column for each attribute; made by user_view_create of the extension userstore",
										view->table->users_sql) :
							   psprintf("values of attribute %s of the users of %s; made by user_view_create of the extension userstore",
										path, view->table->users_sql)));
	foreach(lc, fixed_columns(view))
	{
		FixedColumn *column = lfirst(lc);

		run_ddl("COMMENT ON COLUMN %s.%s IS %s", sql, quote_identifier(column->name),
				quote_literal_cstr(column->comment));
	}
}

/*
 * Registration
 */

static void
write_view(Oid view, Oid users, Oid main, const List *lists, JsonbValue *columns)
{
	Oid			types[5] = {REGCLASSOID, REGCLASSOID, REGCLASSOID, JSONBOID, JSONBOID};
	JsonbValue *array = document_new_array();
	Datum		values[5];
	ListCell   *lc;

	foreach(lc, lists)
		document_push(array, names_json(lfirst(lc)));
	values[0] = ObjectIdGetDatum(view);
	values[1] = ObjectIdGetDatum(users);
	values[2] = ObjectIdGetDatum(main);
	values[3] = JsonbPGetDatum(document_to_jsonb(array));
	values[4] = JsonbPGetDatum(document_to_jsonb(columns));
	(void) catalog_execute("INSERT INTO userstore.user_view (view, users, main, lists, columns) VALUES ($1, $2, $3, $4, $5)"
						   " ON CONFLICT (view) DO UPDATE SET users = excluded.users, main = excluded.main,"
						   " lists = excluded.lists, columns = excluded.columns",
						   5, types, values, NULL);
}

static List *
lists_from_json(JsonbValue *array)
{
	List	   *lists = NIL;

	for (int i = 0; i < array->val.array.nElems; i++)
		lists = lappend(lists, names_from_json(&array->val.array.elems[i]));
	return lists;
}

/* The views (UserView *) of a user table that there are. */
static List *
read_views(Oid users)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			types[1] = {REGCLASSOID};
	Datum		values[1];
	List	   *views = NIL;

	values[0] = ObjectIdGetDatum(users);
	if (SPI_execute_with_args("SELECT v.view, v.main, v.lists, v.columns FROM userstore.user_view v"
							  " WHERE v.users OPERATOR(pg_catalog.=) $1 ORDER BY v.main, v.view",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading views failed");	/* can't happen */
	MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		UserView   *view = palloc(sizeof(UserView));
		bool		isnull;

		view->view = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		view->main = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
		view->lists = lists_from_json(document_from_jsonb(DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 3, &isnull))));
		view->columns = document_from_jsonb(DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 4, &isnull)));
		if (get_rel_relkind(view->view) == RELKIND_VIEW)
			views = lappend(views, view);
	}
	SPI_freetuptable(SPI_tuptable);
	return views;
}

/*
 * Making views
 */

/* Where a view is. */
typedef struct ViewName
{
	Oid			namespace;
	const char *name;
} ViewName;

static char *
name_sql(const ViewName *name)
{
	return quote_qualified_identifier(get_namespace_name(name->namespace), name->name);
}

/* A view under a name that is free, or one that there is (or NULL) once more. */
static Oid
make_view(Binding *table, const ViewShape *shape, const ViewName *name, const UserView *existing,
		  Oid main)
{
	NewView		view = {0};
	char	   *sql = name_sql(name);
	int			nest_level;
	Oid			relid;

	view.table = table;
	view.schema = binding_api(table, NULL)->schema;
	view.shape = shape;
	view.columns = document_new_object();
	initStringInfo(&view.select);
	select_fixed(&view);
	if (existing != NULL)
		select_existing(&view, existing);
	select_new(&view, existing);
	nest_level = begin_plain_names();
	run_ddl("CREATE%s VIEW %s WITH (%s) AS SELECT %s FROM %s", existing != NULL ? " OR REPLACE" : "",
			sql, options_sql(existing != NULL ? existing->view : InvalidOid), view.select.data,
			from_sql(&view));
	CommandCounterIncrement();
	if (existing == NULL)
		settle_view(&view, sql);
	comment_columns(&view, sql);
	AtEOXact_GUC(true, nest_level);
	relid = get_relname_relid(name->name, name->namespace);
	write_view(relid, table->users, OidIsValid(main) ? main : relid, shape->lists, view.columns);
	return relid;
}

/* The view of a list: people_view_emails. */
static ViewName
choose_view_name(const ViewName *main, const ViewShape *shape)
{
	ViewName	name = *main;
	char	   *prefix = psprintf("%s_", pnstrdup(main->name, pg_mbcliplen(main->name, strlen(main->name),
																		   MAX_PREFIX)));
	List	   *names = NIL;
	char	   *path;
	ListCell   *lc;

	foreach(lc, shape->lists)
		names = list_concat(names, lfirst(lc));
	path = names_path(names, false);
	for (int i = 0;; i++)
	{
		name.name = attribute_column(prefix, *snake_name(path) == '\0' ? "attribute" : path, i);
		if (!OidIsValid(get_relname_relid(name.name, name.namespace)))
			return name;
	}
}

static bool
same_lists(const List *a, const List *b)
{
	ListCell   *in_a;
	ListCell   *in_b;

	if (list_length(a) != list_length(b))
		return false;
	forboth(in_a, a, in_b, b)
	{
		if (!same_names(lfirst(in_a), lfirst(in_b)))
			return false;
	}
	return true;
}

static void
make_again(Binding *table, const ViewShape *shape, const UserView *view)
{
	ViewName	name = {get_rel_namespace(view->view), get_rel_name(view->view)};

	(void) make_view(table, shape, &name, view, view->main);
}

/*
 * The views that belong to a main one: those that there are (UserView *, of all
 * main ones) once more, and new ones.
 */
static void
make_views(Binding *table, Oid main, List *existing)
{
	ViewName	main_name = {get_rel_namespace(main), get_rel_name(main)};
	List	   *shapes = view_shapes(binding_api(table, NULL)->schema);
	ListCell   *in_shapes;
	ListCell   *in_views;

	foreach(in_shapes, shapes)
	{
		ViewShape  *shape = lfirst(in_shapes);
		bool		found = false;

		foreach(in_views, existing)
		{
			UserView   *view = lfirst(in_views);

			if (view->main != main || !same_lists(view->lists, shape->lists))
				continue;
			make_again(table, shape, view);
			found = true;
		}
		if (!found && shape->lists != NIL)
		{
			ViewName	name = choose_view_name(&main_name, shape);

			(void) make_view(table, shape, &name, NULL, main);
		}
	}
	/* of lists that the schema has lost: what must not be shown must not be */
	foreach(in_views, existing)
	{
		UserView   *view = lfirst(in_views);
		ViewShape	lost = {0};
		bool		is_known = view->main != main;

		foreach(in_shapes, shapes)
			is_known |= same_lists(view->lists, ((ViewShape *) lfirst(in_shapes))->lists);
		lost.lists = view->lists;
		if (!is_known)
			make_again(table, &lost, view);
	}
}

/*
 * SQL functions
 */

/* The table, which has to be the caller's and to have attributes that are known. */
static Binding *
open_table(Oid users)
{
	Registration registration;
	Binding    *table;

	require_own_table(users, &registration);
	table = binding_open(users);
	if (table->schema_ids == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("user table \"%s\" has no attribute schema", table->name),
				 errhint("Columns are made of the attributes of a schema; write a view of your own.")));
	return table;
}

static ViewName
view_name_argument(FunctionCallInfo fcinfo, int arg)
{
	RangeVar   *range = makeRangeVarFromNameList(textToQualifiedNameList(PG_GETARG_TEXT_PP(arg)));
	ViewName	name;

	name.namespace = RangeVarGetCreationNamespace(range);
	name.name = range->relname;
	if (isAnyTempNamespace(name.namespace))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a view of users cannot be temporary"),
				 errhint("Name a schema that stays.")));
	return name;
}

/*
 * user_view_create(users regclass, name text)
 */
Datum
user_view_create(PG_FUNCTION_ARGS)
{
	ViewName	name;
	Binding    *table;
	Oid			main;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "name");
	table = open_table(PG_GETARG_OID(0));
	name = view_name_argument(fcinfo, 1);
	SPI_connect();
	main = make_view(table, linitial(view_shapes(binding_api(table, NULL)->schema)), &name, NULL,
					 InvalidOid);
	make_views(table, main, NIL);
	SPI_finish();
	PG_RETURN_OID(main);
}

/* The view (UserView) that a relation is, or NULL, and its table. */
static UserView *
find_view(Oid relid, Oid *users)
{
	Oid			types[1] = {REGCLASSOID};
	Datum		values[1];
	ListCell   *lc;
	bool		isnull;

	values[0] = ObjectIdGetDatum(relid);
	if (SPI_execute_with_args("SELECT v.users FROM userstore.user_view v WHERE v.view OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading views failed");	/* can't happen */
	if (SPI_processed == 0)
		return NULL;
	*users = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	foreach(lc, read_views(*users))
	{
		UserView   *view = lfirst(lc);

		if (view->view == relid)
			return view;
	}
	return NULL;
}

/*
 * user_view_refresh(users regclass): all views of a table, or those that belong
 * together with one of them
 */
Datum
user_view_refresh(PG_FUNCTION_ARGS)
{
	Oid			users;
	UserView   *one;
	List	   *existing;
	Binding    *table;
	ListCell   *lc;

	require_argument(fcinfo, 0, "users");
	users = PG_GETARG_OID(0);
	SPI_connect();
	one = find_view(users, &users);
	table = open_table(users);
	existing = read_views(users);
	foreach(lc, existing)
	{
		UserView   *view = lfirst(lc);

		if (view->main == view->view && (one == NULL || one->main == view->view))
			make_views(table, view->view, existing);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
