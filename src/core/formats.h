/*
 * formats.h
 *	  Named formats of strings: JSON Schema's, and a few of the APIs' own.
 */
#ifndef USERSTORE_FORMATS_H
#define USERSTORE_FORMATS_H

#include "postgres.h"

typedef struct Format
{
	const char *name;			/* as the word "format" gives it */
	const char *noun;			/* what a message says it must be */
	const char *example;		/* for the hint */
	bool		(*matches) (const char *string, int len);
} Format;

extern const Format *format_find(const char *name);
extern char *format_names(void);
extern bool format_is_password(const Format *format);

/* Also the syntax of the types dateTime and binary (RFC 7643 section 2.3). */
extern bool is_date_time(const char *string, int len);
extern bool has_offset(const char *date_time);
extern bool is_base64(const char *string, int len);

#endif							/* USERSTORE_FORMATS_H */
