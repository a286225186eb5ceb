/*
 * fuzz.h
 *	  A fuzzer of the core: parsers of filters and paths, and what makes a new
 *	  document of one that is stored.
 *
 * It is a module of its own, with the objects of src/core and src/api in it,
 * built by clang with its sanitizers.  The SQL function fuzz() runs libFuzzer
 * inside a backend, since the core needs what a backend has: memory contexts,
 * ereport(), jsonb, numeric, regular expressions, collations.
 *
 * An input is text of three parts:
 *
 *		scim patch						the API profile, and a word for the target
 *		{"userName": "ann"}				the stored document
 *		userName eq "ann"				the request: all that follows
 */
#ifndef USERSTORE_FUZZ_H
#define USERSTORE_FUZZ_H

#include "postgres.h"

#include "api/api.h"
#include "core/update/update.h"

/* A profile with its schemas, as a table under it has them. */
typedef struct FuzzApi
{
	const Profile *profile;
	const Schema *schema;
	const BodyShape *shape;
	List	   *attributes;		/* of Attribute *: at every level */
} FuzzApi;

typedef struct FuzzInput
{
	const FuzzApi *api;
	char	   *word;			/* "" if there is none */
	Jsonb	   *document;
	char	   *request;
} FuzzInput;

/* What the request of a target is, to those who make up new ones. */
typedef enum FuzzRequest
{
	REQUEST_FILTER,
	REQUEST_SCIM_PATCH,
	REQUEST_JSON_PATCH,
	REQUEST_BODY,
	REQUEST_HTTP
} FuzzRequest;

typedef struct FuzzTarget
{
	const char *name;
	FuzzRequest request;
	void		(*run) (FuzzInput *input);	/* ends in no error */

	/* SQLSTATEs that it may end with besides PT400 */
	int			errors[2];
	int			max_ms;			/* of a run; 0: what is usual */
} FuzzTarget;

extern const FuzzTarget filter_target;
extern const FuzzTarget scim_patch_target;
extern const FuzzTarget json_patch_target;
extern const FuzzTarget body_target;
extern const FuzzTarget http_target;
extern const FuzzTarget planted_target;

/* fuzz.c */
extern const FuzzTarget *fuzz_target;
extern List *fuzz_apis;			/* of FuzzApi * */

extern void finding(const char *format,...) pg_attribute_printf(1, 2) pg_attribute_noreturn();
extern bool attempt(void (*work) (void *), void *arg);
extern void must(void (*work) (void *), void *arg);
extern FuzzInput *input_read(const char *data, int size);
extern Jsonb *json_read(const char *text);
extern JsonbValue *tree_read(Jsonb *jsonb);

/* memory.c */
extern int64 chunk_bytes(void);
extern int64 allocated_bytes(void);

/* check.c */
extern StringInfo snapshot(JsonbValue *tree);
extern void check_unchanged(JsonbValue *tree, StringInfo before, const char *what);
extern void check_value(JsonbValue *value, const char *what);
extern void check_tree(JsonbValue *tree, const char *what);
extern void check_result(FuzzInput *input, Update *update, JsonbValue *before,
						 bool was_valid, JsonbValue *after);
extern Update new_update(const FuzzInput *input);
extern JsonbValue *stored_document(FuzzInput *input, bool *is_valid);

#endif							/* USERSTORE_FUZZ_H */
