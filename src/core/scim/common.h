/*
 * common.h
 *	  The attributes that every resource has (RFC 7643 section 3.1), which no
 *	  document holds.
 */
#ifndef USERSTORE_COMMON_H
#define USERSTORE_COMMON_H

#include "postgres.h"

#include "core/schema.h"

extern const Schema *common_schema(void);

#endif							/* USERSTORE_COMMON_H */
