/*
 * profile.c
 *	  Compile an API profile from the row that holds it.
 */
#include "postgres.h"

#include "utils/numeric.h"

#include "core/errors.h"
#include "core/profile.h"
#include "core/scim/path.h"
#include "core/validate.h"

#define BAD_PROFILE(setting, hint) \
	ereport(ERROR, \
			(errcode(ERRCODE_USER_BAD_REQUEST), \
			 errmsg("setting \"%s\" of the API profile is not usable", (setting)), \
			 errdetail_path((setting), SCIM_INVALID_VALUE), \
			 errhint("%s", (hint))))

/* A setting that has a value, or NULL. */
static JsonbValue *
setting(JsonbValue *document, const char *name)
{
	JsonbValue *value = document_member(document, name);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static char *
string_setting(JsonbValue *document, const char *name)
{
	JsonbValue *value = setting(document, name);

	if (value == NULL)
		return NULL;
	if (value->type != jbvString)
		BAD_PROFILE(name, "It is a string.");
	return document_cstring(value);
}

static bool
boolean_setting(JsonbValue *document, const char *name)
{
	JsonbValue *value = setting(document, name);

	if (value == NULL)
		return false;
	if (value->type != jbvBool)
		BAD_PROFILE(name, "It is true or false.");
	return value->val.boolean;
}

/* An object of strings, or NULL. */
static JsonbValue *
names_setting(JsonbValue *document, const char *name)
{
	JsonbValue *value = setting(document, name);

	if (value == NULL)
		return NULL;
	if (value->type != jbvObject)
		BAD_PROFILE(name, "It maps names of fields to attribute paths.");
	document_foreach(pair, value)
	{
		if (pair->value.type != jbvString)
			BAD_PROFILE(name, "It maps names of fields to attribute paths.");
	}
	return document_copy(value);
}

/* An object of objects, or NULL. */
static JsonbValue *
statuses_setting(JsonbValue *document, const char *name)
{
	JsonbValue *value = setting(document, name);

	if (value == NULL)
		return NULL;
	if (value->type != jbvObject)
		BAD_PROFILE(name, "It maps each status to an object of fields.");
	document_foreach(pair, value)
	{
		if (pair->value.type != jbvObject)
			BAD_PROFILE(name, "It maps each status to an object of fields.");
	}
	return document_copy(value);
}

/* Which of the names a setting has; the first is the default. */
static int
choice_setting(JsonbValue *document, const char *name, const char *const *names,
			   const char *hint)
{
	char	   *given = string_setting(document, name);

	if (given == NULL)
		return 0;
	for (int i = 0; names[i] != NULL; i++)
	{
		if (strcmp(names[i], given) == 0)
			return i;
	}
	BAD_PROFILE(name, hint);
	return 0;					/* keep the compiler quiet */
}

static List *
list_setting(JsonbValue *document, const char *name)
{
	JsonbValue *value = setting(document, name);
	List	   *list = NIL;

	if (value == NULL)
		return NIL;
	if (value->type != jbvArray)
		BAD_PROFILE(name, "It is an array of strings.");
	for (int i = 0; i < value->val.array.nElems; i++)
	{
		if (value->val.array.elems[i].type != jbvString)
			BAD_PROFILE(name, "It is an array of strings.");
		list = lappend(list, document_cstring(&value->val.array.elems[i]));
	}
	return list;
}

/* A whole number of at least 1. */
static int64
limit_setting(JsonbValue *document, const char *name, int64 otherwise, const char *hint)
{
	JsonbValue *value = setting(document, name);
	bool		error = false;
	int64		limit = 0;

	if (value == NULL)
		return otherwise;
	if (value_has_type(TYPE_INTEGER, value))
		limit = numeric_int4_opt_error(value->val.numeric, &error);
	if (!value_has_type(TYPE_INTEGER, value) || error || limit < 1)
		BAD_PROFILE(name, hint);
	return limit;
}

/*
 * An array of authentication schemes, each with what RFC 7643 section 5
 * requires of one.
 */
static JsonbValue *
authentication_setting(JsonbValue *document, const char *name)
{
	static const char *const required[] = {"type", "name", "description"};
	static const char hint[] = "It is an array of objects with the strings type, name and description.";
	JsonbValue *value = setting(document, name);

	if (value == NULL)
		return document_new_array();
	if (value->type != jbvArray)
		BAD_PROFILE(name, hint);
	for (int i = 0; i < value->val.array.nElems; i++)
	{
		JsonbValue *scheme = &value->val.array.elems[i];

		for (int k = 0; k < lengthof(required); k++)
		{
			JsonbValue *member = scheme->type == jbvObject ? document_member(scheme, required[k]) : NULL;

			if (member == NULL || member->type != jbvString)
				BAD_PROFILE(name, hint);
		}
	}
	return document_copy(value);
}

/*
 * The profile of a row of userstore.api_profile, given as an object of its
 * columns.  Allocated in the current memory context, without pointers into the
 * document.
 */
Profile *
profile_compile(JsonbValue *document)
{
	static const char *const bodies[] = {"object", "scim", "fields", NULL};
	static const char *const puts[] = {"replace", "merge", NULL};
	static const char *const absents[] = {"remove", "blank", "default", "keep", NULL};
	static const char *const unknowns[] = {"reject", "ignore", "keep", NULL};
	static const char *const error_bodies[] = {"path", "field", "problem", NULL};
	static const char *const deletes[] = {"delete", "deactivate", "refuse", NULL};

	Profile    *profile = palloc0(sizeof(Profile));
	JsonbValue *rules;

	profile->name = string_setting(document, "name");
	profile->body = bodies[choice_setting(document, "body", bodies, "It is object, scim or fields.")];
	profile->scim_common = strcmp(profile->body, "scim") == 0;
	profile->schemas = list_setting(document, "schemas");
	profile->put_merges = choice_setting(document, "put", puts, "It is replace or merge.") == 1;
	profile->put_creates = boolean_setting(document, "put_creates");
	profile->absent = ABSENT_REMOVE +
		choice_setting(document, "absent", absents, "It is remove, blank, default or keep.");
	profile->unknown = choice_setting(document, "unknown_attributes", unknowns,
									  "It is reject, ignore or keep.");
	rules = setting(document, "rules");
	profile->rules = rules != NULL ? document_copy(rules) : NULL;
	if (profile->rules != NULL && profile->rules->type != jbvObject)
		BAD_PROFILE("rules", "It maps attribute paths to objects of schema words.");
	profile->names = names_setting(document, "names");
	profile->clear_token = string_setting(document, "clear_token");
	profile->lenient = boolean_setting(document, "lenient");
	profile->writes_all = setting(document, "writable") == NULL;
	profile->writable = list_setting(document, "writable");
	profile->answers_full = setting(document, "answer") == NULL;
	profile->answer = list_setting(document, "answer");
	profile->on_delete = choice_setting(document, "on_delete", deletes,
										"It is delete, deactivate or refuse.");
	profile->base_url = string_setting(document, "base_url");
	profile->error_body = choice_setting(document, "error_body", error_bodies,
										 "It is path, field or problem.");
	profile->statuses = statuses_setting(document, "statuses");
	profile->ui_metadata = string_setting(document, "ui_metadata");
	profile->resources_member = string_setting(document, "resources_member");
	if (profile->resources_member == NULL)
		profile->resources_member = "Resources";
	profile->max_payload_size = limit_setting(document, "max_payload_size", 1048576,
											  "It is a number of bytes, at least 1.");
	profile->max_operations = limit_setting(document, "max_operations", 1000,
											"It is a number of operations, at least 1.");
	profile->authentication = authentication_setting(document, "authentication_schemes");
	return profile;
}

static void
check_paths(const Schema *schema, List *paths, const char *name)
{
	ListCell   *lc;

	foreach(lc, paths)
	{
		char	   *path = lfirst(lc);

		if (path_resolve(schema, path) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_USER_BAD_REQUEST),
					 errmsg("setting \"%s\" of the API profile names unknown attribute \"%s\"",
							name, shown_name(path, strlen(path))),
					 errdetail_path(name, SCIM_INVALID_PATH)));
	}
}

/*
 * Do the paths of a profile name attributes of its own schemas?  Without
 * schemas all names are known.
 */
void
profile_check(const Profile *profile, const Schema *schema)
{
	if (profile->schemas == NIL)
		return;
	check_paths(schema, profile->writable, "writable");
	check_paths(schema, profile->answer, "answer");
	if (profile->names != NULL)
	{
		List	   *paths = NIL;

		document_foreach(pair, profile->names)
			paths = lappend(paths, document_cstring(&pair->value));
		check_paths(schema, paths, "names");
	}
}
