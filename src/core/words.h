/*
 * words.h
 *	  What a schema document says of an attribute, word by word.
 */
#ifndef USERSTORE_WORDS_H
#define USERSTORE_WORDS_H

#include "postgres.h"

#include "core/errors.h"
#include "core/schema.h"

/* A schema document that cannot be used: where in it, and why. */
#define BAD_SCHEMA(where, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_USER_BAD_REQUEST), \
			 errmsg(__VA_ARGS__), \
			 errdetail_path((where), SCIM_INVALID_VALUE)))

#define BAD_SCHEMA_HINT(where, hint, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_USER_BAD_REQUEST), \
			 errmsg(__VA_ARGS__), \
			 errdetail_path((where), SCIM_INVALID_VALUE), \
			 errhint("%s", (hint))))

extern void attribute_read_words(Attribute *attribute, JsonbValue *object,
								 const char *where, bool is_rule);
extern void attributes_tell_unknown_words(JsonbValue *array, const char *where);

#endif							/* USERSTORE_WORDS_H */
