/*
 * lookup.h
 *	  Lookup attributes: {value, displayValue}, where the value decides and a
 *	  list of the possible values says what is displayed for each.
 */
#ifndef USERSTORE_LOOKUP_H
#define USERSTORE_LOOKUP_H

#include "postgres.h"

#include "core/schema.h"
#include "core/validate.h"

/*
 * The list of an attribute, with an index by value and one by displayValue.
 * Without entries it is not known which values there are: all are accepted.
 */
struct Lookup
{
	const Attribute *value;
	const Attribute *display;
	JsonbValue *list;			/* an array of {value, displayValue} */
	uint32		mask;			/* number of slots less one, of each index */
	int		   *by_value;		/* place in the list, or -1 */
	int		   *by_display;
};

extern void lookup_read(Attribute *attribute, JsonbValue *list, const char *where);
extern void lookup_link(Attribute *attribute);
extern bool lookup_has_list(const Attribute *attribute);
extern JsonbValue *lookup_sent(const Attribute *attribute, JsonbValue *sent);
extern JsonbValue *lookup_base(const Attribute *attribute, JsonbValue *before,
							   JsonbValue *sent);
extern void lookup_complete(const Attribute *attribute, JsonbValue *object);
extern bool lookup_fills_cleared(const Attribute *attribute, JsonbValue *after,
								 JsonbValue *sent);
extern void lookup_validate(Validation *validation, const Attribute *attribute,
							JsonbValue *object);

#endif							/* USERSTORE_LOOKUP_H */
