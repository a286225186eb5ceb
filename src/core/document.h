/*
 * document.h
 *	  The attribute document: a jsonb value unpacked into a tree, changed there,
 *	  and packed once at the end.
 *
 * A tree is made of PostgreSQL's own JsonbValue.  A container is always jbvObject or
 * jbvArray, never jbvBinary, but in a tree that is made for document_pack().  Scalars may point into the jsonb that the tree
 * was read from, which has to live as long as the tree.
 */
#ifndef USERSTORE_DOCUMENT_H
#define USERSTORE_DOCUMENT_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Nesting that is accepted in any document or request. */
#define DOCUMENT_MAX_DEPTH	256

/* Digits of a number in a request, on either side of its point. */
#define MAX_DIGITS	500

extern JsonbValue *document_from_jsonb(Jsonb *jsonb);
extern JsonbValue *document_from_row(Jsonb *jsonb);
extern JsonbValue *document_from_value(JsonbValue *value);
extern Jsonb *document_to_jsonb(JsonbValue *document);
extern JsonbValue document_packed(Jsonb *jsonb);
extern Jsonb *document_pack(JsonbValue *document);
extern void document_require_depth(JsonbValue *document);
extern void document_sort(JsonbValue *value);
extern void document_canonical(JsonbValue *document, StringInfo out);

extern JsonbValue *document_new_object(void);
extern JsonbValue *document_new_array(void);
extern JsonbValue *document_string(const char *string);
extern JsonbValue *document_string_len(const char *string, int len);
extern JsonbValue *document_integer(int64 value);
extern JsonbValue *document_boolean(bool value);

extern JsonbValue *document_find(JsonbValue *object, const char *name, int len);
extern JsonbValue *document_member(JsonbValue *object, const char *name);
extern void document_append(JsonbValue *object, const char *name, int len,
							JsonbValue *value);
extern void document_add(JsonbValue *object, const char *name,
						 JsonbValue *value);
extern void document_set(JsonbValue *object, const char *name, int len,
						 JsonbValue *value);
extern void document_remove(JsonbValue *object, const char *name, int len);
extern void document_push(JsonbValue *array, JsonbValue *value);
extern JsonbValue *document_copy(JsonbValue *value);
extern JsonbValue *document_copy_top(JsonbValue *object);

extern bool document_equal(JsonbValue *a, JsonbValue *b);
extern bool document_is_string(JsonbValue *value, const char *string);
extern bool number_is_short(Numeric number);
extern char *document_cstring(JsonbValue *string);

/* One member of an object, as a loop meets it. */
#define document_foreach(pair, container) \
	for (JsonbPair *pair = (container)->val.object.pairs, \
		 *pair##_end = pair + (container)->val.object.nPairs; \
		 pair < pair##_end; pair++)

#endif							/* USERSTORE_DOCUMENT_H */
