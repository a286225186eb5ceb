/*
 * path.h
 *	  Attribute paths of RFC 7644 section 3.10.
 */
#ifndef USERSTORE_PATH_H
#define USERSTORE_PATH_H

#include "postgres.h"

#include "core/schema.h"

extern const char *path_after_schema(const Schema *schema, const char *path,
									 Attribute **extension);
extern Attribute *path_resolve(const Schema *schema, const char *path);

#endif							/* USERSTORE_PATH_H */
