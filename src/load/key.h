/*
 * key.h
 *	  By what the records of one user are known to belong together.
 */
#ifndef LOAD_KEY_H
#define LOAD_KEY_H

#include <json-c/json.h>

typedef struct Key Key;

extern Key *key_new(const char *attribute);
extern void key_free(Key *key);

/*
 * As it was given, and as names from the top of a record down.  The first may
 * be the URN of a schema, which only for extensions is a member of records.
 */
extern const char *key_attribute(const Key *key);
extern const char *const *key_names(const Key *key, int *count, bool *has_urn);

/* The hash of a record's value; false where it has none. */
extern bool key_of_record(const Key *key, struct json_object *record, uint64 *hash);

/*
 * The same for a record that can do without json-c; false where that has to
 * tell.
 */
extern bool key_of_plain(const Key *key, const char *data, size_t length, uint64 *hash);

/*
 * The same for a value alone: a hash that is equal whenever the server could
 * take the values for equal (and now and then when not).  Whether a number or
 * a string of its digits makes no difference, nor does case.  Only a number or
 * string has one.
 */
extern bool key_hash(struct json_object *value, uint64 *hash);
extern uint64 key_hash_text(const char *string, size_t length);

#endif
