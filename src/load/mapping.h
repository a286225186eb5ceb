/*
 * mapping.h
 *	  From the columns of CSV to the attributes of JSON records.
 */
#ifndef LOAD_MAPPING_H
#define LOAD_MAPPING_H

#include "key.h"
#include "pqexpbuffer.h"

typedef struct CsvField
{
	const char *string;			/* without quotes; not terminated */
	size_t		length;
	bool		quoted;
} CsvField;

typedef struct Mapping Mapping;

/* A JSON object, or the name of a file with one; pg_fatal() if it is none. */
extern Mapping *mapping_parse(const char *string);

/* Without one, the names of the columns are paths and all values strings. */
extern Mapping *mapping_of_columns(char **columns, int count, char **problem);

/*
 * Finds the columns, and the attribute by which users are told apart.  False,
 * and why, where a column is not there.
 */
extern bool mapping_bind(Mapping *mapping, char **columns, int count,
						 const Key *key, char **problem);

/*
 * Makes a record; false, and why in problem, when a value does not fit.
 */
extern bool mapping_apply(const Mapping *mapping, const CsvField *fields,
						  PQExpBuffer record, PQExpBuffer problem,
						  bool *has_key, uint64 *key);
extern void mapping_free(Mapping *mapping);

#endif
