/*
 * update.h
 *	  What each kind of update makes of a document.
 */
#ifndef USERSTORE_UPDATE_H
#define USERSTORE_UPDATE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "core/profile.h"
#include "core/schema.h"
#include "core/validate.h"

typedef struct Update
{
	const Schema *schema;
	const Profile *profile;
	Validation	validation;
	const char *clear_token;	/* a string that clears, or NULL */
	List	   *ignored;		/* paths (char *) of attributes passed over */
} Update;

/* The members of an object that was sent, by attribute. */
typedef struct SentMembers
{
	JsonbValue **values;		/* one for each attribute of the set, or NULL */
	List	   *unknown;		/* of JsonbPair *: to be kept */
} SentMembers;

/* replace.c */
extern JsonbValue *replace_document(Update *update, JsonbValue *before,
									JsonbValue *sent);
extern JsonbValue *create_document(Update *update, JsonbValue *sent);

/* merge.c */
extern JsonbValue *merge_document(Update *update, JsonbValue *before,
								  JsonbValue *sent);
extern JsonbValue *merge_any(JsonbValue *before, JsonbValue *sent);
extern JsonbValue *merge_attribute(Update *update, const Attribute *attribute,
								   JsonbValue *before, JsonbValue *sent);
extern JsonbValue *merge_object(Update *update, const Attribute *attribute,
								JsonbValue *before, JsonbValue *sent);
extern JsonbValue *merge_members(Update *update, const AttributeSet *set,
								 const Attribute *parent, JsonbValue *before,
								 JsonbValue *sent);

/* unstored.c */
typedef struct SentUnstored
{
	bool		carries_password;	/* in clear, even if it is ignored */
	bool		has_password;
	const char *password;		/* in clear; NULL: cleared */
	List	   *wishes;			/* of const char *: paths of transient
								 * attributes */
} SentUnstored;

extern void unstored_take(Update *update, JsonbValue *sent, JsonbValue *body,
						  SentUnstored *taken);
extern void unstored_add(SentUnstored *taken, const SentUnstored *part);
extern bool unstored_forget(const Schema *schema, const Profile *profile,
							JsonbValue *body);
extern bool unstored_may_carry(const Schema *schema, const Profile *profile,
							   Jsonb *body);
extern void unstored_drop(const Schema *schema, JsonbValue *document);
extern void unstored_require(Update *update, const SentUnstored *taken);

/* patch_message.c */
extern bool is_scim_patch(JsonbValue *body);
extern List *scim_patch_read(Update *update, JsonbValue *body, const char *id);
extern List *scim_patch_take_unstored(Update *update, List *operations, JsonbValue *body,
									  SentUnstored *taken);

/* scim_patch.c */
extern JsonbValue *scim_patch_document(Update *update, JsonbValue *before,
									   List *operations);

/* json_patch.c */
typedef struct JsonPatchOperation JsonPatchOperation;

extern List *json_patch_read(Update *update, JsonbValue *body);
extern List *json_patch_take_unstored(Update *update, List *operations, JsonbValue *body,
									  SentUnstored *taken);
extern JsonbValue *json_patch_document(Update *update, JsonbValue *before,
									   List *operations);

/* adjust.c */
extern JsonbValue *adjust_document(Validation *validation, const Schema *schema,
								   const Profile *profile, JsonbValue *before,
								   JsonbValue *planned, JsonbValue *given);

/* changes.c */
typedef struct Change
{
	char	   *path;			/* RFC 7644 section 3.10 */
	JsonbValue *before;			/* NULL: it had none */
	JsonbValue *after;
} Change;

extern List *changes_with_values(const Schema *schema, JsonbValue *before,
								 JsonbValue *after);
extern List *changes_between(const Schema *schema, JsonbValue *before,
							 JsonbValue *after);
extern JsonbValue *changed_value(const Schema *schema, JsonbValue *document,
								 const char *path);

/* value.c: for the kinds of update */
extern SentMembers sent_members(Update *update, const AttributeSet *set,
								const Attribute *parent, JsonbValue *sent);
extern JsonbValue *new_object(Update *update, const AttributeSet *set,
							  const Attribute *parent, JsonbValue *sent,
							  JsonbValue *stored, bool defaults);
extern JsonbValue *new_value_of(Update *update, const Attribute *attribute,
								JsonbValue *sent, JsonbValue *stored,
								bool defaults);
extern JsonbValue *new_items_of(Update *update, const Attribute *attribute,
								JsonbValue *sent, JsonbValue *stored);
extern void mark_only_item(const Attribute *attribute, JsonbValue *array);
extern JsonbValue *left_when_cleared(Update *update, const Attribute *attribute,
									 JsonbValue *stored);
extern JsonbValue *lenient_value(const Attribute *attribute, JsonbValue *sent);
extern JsonbValue *without_nulls(JsonbValue *value);
extern bool clears(const Update *update, const Attribute *attribute,
				   JsonbValue *sent);
extern bool is_empty_object(JsonbValue *value);

/* writable.c */
extern void refuse_change(Update *update, const char *path, const char *hint);
extern void refuse_not_writable(Update *update, const char *path,
								JsonbValue *sent, JsonbValue *stored);
extern char *unknown_path(const Attribute *parent, const char *name, int len);
extern bool writes_unknown(Update *update, const Attribute *parent, const char *name,
						   int len);
extern void require_fixed_part(Update *update, const Attribute *attribute,
							   JsonbValue *before, JsonbValue *after);

#endif							/* USERSTORE_UPDATE_H */
