/*
 * scim_patch.h
 *	  The operations of a PatchOp message (RFC 7644 section 3.5.2), which
 *	  patch_message.c reads and scim_patch.c applies.
 */
#ifndef USERSTORE_SCIM_PATCH_H
#define USERSTORE_SCIM_PATCH_H

#include "postgres.h"

#include "core/errors.h"
#include "core/scim/filter.h"
#include "core/update/update.h"

typedef enum PatchKind
{
	PATCH_ADD,
	PATCH_REMOVE,
	PATCH_REPLACE
} PatchKind;

/* A step of a path; the attribute is NULL where no schema knows it. */
typedef struct PatchStep
{
	const char *name;
	int			len;
	const Attribute *attribute;
} PatchStep;

/* What is to be done at the end of a path. */
typedef struct PatchOperation
{
	PatchKind	kind;
	const char *path;			/* for messages */
	List	   *steps;			/* of PatchStep *, at least one */
	Filter	   *filter;			/* selects values of the last step, or NULL */
	List	   *sub_steps;		/* below the values selected, or NIL */
	JsonbValue *value;			/* of a remove: NULL, or the values to go */
} PatchOperation;

#define BAD_PATCH(path, scim_type, hint, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_USER_BAD_REQUEST), \
			 errmsg(__VA_ARGS__), \
			 errdetail_path((path), (scim_type)), \
			 errhint("%s", (hint))))

#endif							/* USERSTORE_SCIM_PATCH_H */
