/*
 * lookup.c
 *	  The lookup lists of a user table, which are the installation's own data.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "core/errors.h"
#include "core/scim/path.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(attribute_lookup_define);

/*
 * The registration of a table that is the caller's.  Users may be updated
 * meanwhile: they follow the list that was committed when they began.
 */
void
require_own_table(Oid users, Registration *registration)
{
	Relation	relation = try_relation_open(users, AccessShareLock);

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", users)));
	if (!caller_owns(relation->rd_rel->relowner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(relation));
	if (!catalog_registration(users, registration))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a user table", RelationGetRelationName(relation))));
	relation_close(relation, NoLock);
}

/*
 * The path as the table's schemas write it.  Gives NULL when they know no such
 * attribute; refuses a list (NULL: none) that cannot be the attribute's.
 */
static const char *
judge_lookup(const Registration *registration, char *path, JsonbValue *list)
{
	JsonbValue *lookups = document_new_object();
	Profile		without_rules;
	Attribute  *attribute;

	if (list != NULL)
		document_append(lookups, path, strlen(path), list);
	/* rules cannot change what a list has to be, and may be another role's */
	without_rules = *catalog_profile(registration->api);
	without_rules.rules = NULL;
	attribute = path_resolve(catalog_schema(registration->schemas, &without_rules,
											&without_rules, lookups), path);
	return attribute != NULL ? attribute->path : NULL;
}

static void
unknown_attribute(const Registration *registration, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("attribute \"%s\" is not known", shown_name(path, strlen(path))),
			 errdetail_path(shown_name(path, strlen(path)), SCIM_INVALID_PATH),
			 registration->schemas == NIL ?
			 errhint("The table has no attribute schema; lookup lists are for attributes of one.") :
			 errhint("Write the path with dots, as \"groups.items.status\".")));
}

/*
 * attribute_lookup_define(users regclass, path text, lookup jsonb)
 */
Datum
attribute_lookup_define(PG_FUNCTION_ARGS)
{
	Registration registration;
	Oid			types[3] = {REGCLASSOID, TEXTOID, JSONBOID};
	Datum		values[3];
	JsonbValue *list = NULL;
	char	   *path;
	const char *known;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 1, "path");
	path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	require_own_table(PG_GETARG_OID(0), &registration);
	if (!PG_ARGISNULL(2))
		list = document_from_jsonb(PG_GETARG_JSONB_P(2));
	if (list != NULL && list->type == jbvArray && list->val.array.nElems == 0)
		list = NULL;
	known = judge_lookup(&registration, path, list);

	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(known != NULL ? known : path);
	if (list == NULL)
	{
		/* also that of an attribute that its schema has lost */
		if (catalog_execute("DELETE FROM userstore.attribute_lookup WHERE users OPERATOR(pg_catalog.=) $1"
							" AND path OPERATOR(pg_catalog.=) $2", 2, types, values, NULL) == 0 &&
			known == NULL)
			unknown_attribute(&registration, path);
		PG_RETURN_VOID();
	}
	if (known == NULL)
		unknown_attribute(&registration, path);
	values[2] = PG_GETARG_DATUM(2);
	(void) catalog_execute("INSERT INTO userstore.attribute_lookup AS l (users, path, lookup) VALUES ($1, $2, $3)"
						   " ON CONFLICT (users, path) DO UPDATE SET lookup = excluded.lookup",
						   3, types, values, NULL);
	PG_RETURN_VOID();
}
