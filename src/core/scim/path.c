/*
 * path.c
 *	  Find the attribute that a path names: "userName", "name.familyName",
 *	  "urn:…:2.0:User:manager.value", or a schema's URN alone.
 */
#include "postgres.h"

#include "core/scim/path.h"

/*
 * The part of a path behind a schema's URN: "" when the path is the URN
 * itself, NULL when it does not begin with it.  A URN may hold dots and
 * colons, so it is compared whole; its case does not matter.
 */
static const char *
after_urn(const char *path, const char *urn)
{
	size_t		len = strlen(urn);

	if (pg_strncasecmp(path, urn, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return path + len;
	return path[len] == ':' ? path + len + 1 : NULL;
}

/*
 * The part of a path behind the URN of one of the schemas, or the whole where
 * it does not begin with one.  The extension is NULL for the core schema.
 */
const char *
path_after_schema(const Schema *schema, const char *path, Attribute **extension)
{
	const AttributeSet *set = &schema->attributes;
	const char *after = NULL;
	const char *rest;

	/* of URNs that begin alike, the longest one is meant */
	*extension = NULL;
	if (schema->ids != NIL)
		after = after_urn(path, linitial(schema->ids));
	for (int i = 0; i < set->count; i++)
	{
		if (!set->attributes[i].is_extension ||
			(rest = after_urn(path, set->attributes[i].name)) == NULL ||
			(after != NULL && rest < after))
			continue;
		*extension = &set->attributes[i];
		after = rest;
	}
	return after != NULL ? after : path;
}

/*
 * The attribute that a path names, or NULL.  Names match in any case; those of
 * the core schema may have its URN before them.
 */
Attribute *
path_resolve(const Schema *schema, const char *path)
{
	const AttributeSet *set = &schema->attributes;
	Attribute  *attribute;

	path = path_after_schema(schema, path, &attribute);
	if (attribute != NULL)
	{
		if (*path == '\0')
			return attribute;
		set = &attribute->subs;
	}

	for (;;)
	{
		int			len = strcspn(path, ".");

		attribute = attribute_find(set, path, len);
		if (attribute == NULL || path[len] == '\0')
			return attribute;
		set = &attribute->subs;
		path += len + 1;
	}
}
