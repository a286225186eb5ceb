/*
 * layout.h
 *	  Which columns of a table hold what of a user.
 *
 * A table that user_table_create made has a column for each part.  An app's own
 * table, which was attached, may have attributes in columns of their own, and
 * lack columns for other parts: those are in its companion, the state table.
 */
#ifndef USERSTORE_LAYOUT_H
#define USERSTORE_LAYOUT_H

#include "postgres.h"

#include "fmgr.h"

#include "core/place.h"

/* As many arguments as a function may have, less those before. */
#define MAX_ATTRIBUTE_COLUMNS	(FUNC_MAX_ARGS - 2)

/* How values of a column are read and written as JSON. */
typedef enum ColumnKind
{
	COLUMN_TEXT,				/* and all that has no kind of its own */
	COLUMN_BOOLEAN,
	COLUMN_NUMBER,
	COLUMN_DATE,
	COLUMN_TIMESTAMP,			/* which is taken to be in UTC */
	COLUMN_TIMESTAMPTZ,
	COLUMN_JSON,
	COLUMN_BYTES,				/* of a binary attribute, which is base64 */
	COLUMN_ARRAY				/* of numbers, booleans, or else strings */
} ColumnKind;

/* A column that holds an attribute. */
typedef struct AttributeColumn
{
	Place	   *place;
	char	   *name;
	AttrNumber	number;
	ColumnKind	kind;
	ColumnKind	item_kind;		/* of the elements of an array */
	bool		is_string;		/* the attribute is, whatever the column is */
	bool		has_blank;		/* the type has ""; for no value, where NULL
								 * cannot be */
	bool		never_null;
	char	   *type_sql;
	char	   *default_sql;	/* or NULL */
	bool		has_constant;	/* which is the default */
	Datum		constant;
	Oid			type;
	int32		typmod;
	FmgrInfo	in;
	Oid			in_param;
	FmgrInfo	out;			/* of an element, if it is an array */
} AttributeColumn;

/* A value for new rows, of a column that no attribute is in. */
typedef struct ConstantColumn
{
	char	   *name;
	char	   *type_sql;
	char	   *text;			/* NULL: null */
} ConstantColumn;

typedef struct Layout
{
	/* names of columns; NULL where the state table has the part */
	char	   *id;
	char	   *document;
	char	   *version;
	char	   *created;
	char	   *modified;
	char	   *password;		/* NULL: passwords are not kept */
	char	   *tenant;			/* NULL: the table has one for all */
	bool		has_blank_password; /* "" for none, where NULL cannot be */
	bool		needs_password; /* and which has no default */
	List	   *columns;		/* of AttributeColumn * */
	List	   *constants;		/* of ConstantColumn * */
	Oid			state;			/* InvalidOid: none */
	char	   *state_sql;		/* qualified and quoted */
	TimestampTz registered;		/* since when users are known who were there */

	/* in SQL, of a row u of the table and s of the state table */
	const char *tenant_sql;		/* the one that is selected */
	const char *from_sql;
	const char *id_sql;
	const char *document_sql;
	const char *object_sql;		/* the document, or {} where plain SQL has put
								 * what is none */
	const char *written_sql;	/* the document, as a write with $2 gives it */
	const char *version_sql;
	const char *created_sql;
	const char *modified_sql;
} Layout;

/* What is written, in SQL. */
typedef struct LayoutValues
{
	const char *document;
	const char *version;
	const char *modified;		/* a timestamptz */
	const char *texts;			/* text[]: of the attributes in columns */
	const char *changed;		/* boolean[]: which of them an update changes */
} LayoutValues;

/* The columns as a user table's registration names them; NULL: our own. */
extern void layout_load(Layout *layout, Oid users, const char *users_sql, JsonbValue *names,
						Oid state, const char *tenant, TimestampTz registered);
extern void layout_load_columns(Layout *layout, Oid users, const Schema *schema, JsonbValue *names);
extern char *layout_show_time(Datum value, Oid type);
extern JsonbValue *layout_compose(const Layout *layout, JsonbValue *rest, const Datum *values,
								  const bool *nulls);
extern JsonbValue *layout_split(const Layout *layout, JsonbValue *document, JsonbValue *before,
								char **texts, bool *changed);
extern JsonbValue *layout_settle(const Layout *layout, JsonbValue *document, JsonbValue *before);
extern void layout_insert_sql(const Layout *layout, Oid users, const LayoutValues *values,
							  StringInfo columns, StringInfo expressions);
extern void layout_update_sql(const Layout *layout, Oid users, const LayoutValues *values,
							  StringInfo assignments);
extern void layout_versions_sql(const Layout *layout, Oid users, StringInfo assignments);
extern void layout_written_sql(const Layout *layout, Oid users, const char *document,
							   const char *version, const char *created, const char *modified,
							   StringInfo expressions);
extern char *layout_constant_text(JsonbValue *value);
extern const char *layout_path_of_column(const Layout *layout, const char *column);

#endif							/* USERSTORE_LAYOUT_H */
