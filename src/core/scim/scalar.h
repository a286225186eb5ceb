/*
 * scalar.h
 *	  Values in the text of filters and queries.
 */
#ifndef USERSTORE_SCALAR_H
#define USERSTORE_SCALAR_H

#include "postgres.h"

#include "core/document.h"

extern const char *scalar_string_end(const char *at);
extern JsonbValue *scalar_read(const char *text, int len);

#endif							/* USERSTORE_SCALAR_H */
