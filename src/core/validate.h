/*
 * validate.h
 *	  Judge values against their attributes: type, format, allowed values,
 *	  lengths, what is required.
 */
#ifndef USERSTORE_VALIDATE_H
#define USERSTORE_VALIDATE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "core/schema.h"

/* What is wrong with a value, and what would be right. */
typedef struct Problem
{
	const char *path;
	const char *scim_type;		/* RFC 7644 section 3.12 */
	const char *message;		/* one line that names the attribute */
	const char *hint;			/* a sentence, or NULL */
} Problem;

/* Raise the first problem as PT400, or collect them all. */
typedef struct Validation
{
	bool		collect;
	List	   *problems;		/* of Problem * */
	Absent		absent;			/* the profile's: what can be blank */
} Validation;

extern void validation_problem(Validation *validation, const char *path,
							   const char *scim_type, const char *hint,
							   const char *format,...) pg_attribute_printf(5, 6);
extern bool value_has_type(AttributeType type, JsonbValue *value);
extern void validate_value(Validation *validation, const Attribute *attribute,
						   JsonbValue *value);
extern void validate_item(Validation *validation, const Attribute *attribute,
						  JsonbValue *item);
extern void validate_together(Validation *validation, const Attribute *attribute,
							  JsonbValue *array);
extern void validate_primary(Validation *validation, const Attribute *attribute,
							 JsonbValue *array);
extern bool attribute_same_value(const Attribute *attribute, JsonbValue *a,
								 JsonbValue *b);
extern void validate_required(Validation *validation, const AttributeSet *set,
							  JsonbValue *object);
extern bool extension_in_use(const Attribute *extension, JsonbValue *object);
extern void validate_sent_dependencies(Validation *validation,
									   const Attribute *attribute, JsonbValue *sent);
extern void validate_document(Validation *validation, const Schema *schema,
							  JsonbValue *document);
extern void missing_required(Validation *validation, const Attribute *attribute);

#endif							/* USERSTORE_VALIDATE_H */
