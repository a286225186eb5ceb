/*
 * string_map.h
 *	  A map from strings to pointers, in a memory context of the caller's.
 */
#ifndef USERSTORE_STRING_MAP_H
#define USERSTORE_STRING_MAP_H

#include "postgres.h"

#include "common/hashfn.h"

typedef struct StringEntry
{
	const char *key;
	char		status;			/* for simplehash */
	void	   *value;
} StringEntry;

#define SH_PREFIX string_map
#define SH_ELEMENT_TYPE StringEntry
#define SH_KEY_TYPE const char *
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(tb, a, b) (strcmp((a), (b)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#endif							/* USERSTORE_STRING_MAP_H */
