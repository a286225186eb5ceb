/*
 * schema.h
 *	  Attribute schemas, compiled: what is known of each attribute, found by
 *	  name.
 *
 * A schema document has the format of RFC 7643 section 7; DESIGN's additions
 * are words of JSON Schema and a few of our own (see doc/schemas.md).
 */
#ifndef USERSTORE_SCHEMA_H
#define USERSTORE_SCHEMA_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/numeric.h"

#include "core/document.h"
#include "core/formats.h"

typedef enum AttributeType
{
	TYPE_STRING,
	TYPE_BOOLEAN,
	TYPE_DECIMAL,
	TYPE_INTEGER,
	TYPE_DATE_TIME,
	TYPE_BINARY,
	TYPE_REFERENCE,
	TYPE_COMPLEX,
	TYPE_ANY
} AttributeType;

typedef enum Mutability
{
	MUTABILITY_READ_WRITE,
	MUTABILITY_READ_ONLY,
	MUTABILITY_IMMUTABLE,
	MUTABILITY_WRITE_ONLY
} Mutability;

typedef enum Returned
{
	RETURNED_DEFAULT,
	RETURNED_ALWAYS,
	RETURNED_NEVER,
	RETURNED_REQUEST
} Returned;

/* What a replace does with an attribute that the request leaves out. */
typedef enum Absent
{
	ABSENT_INHERIT,				/* as the profile says */
	ABSENT_REMOVE,
	ABSENT_BLANK,
	ABSENT_DEFAULT,
	ABSENT_KEEP
} Absent;

typedef enum Writable
{
	WRITABLE_NOT,
	WRITABLE_PARTLY,			/* some of its sub-attributes are */
	WRITABLE
} Writable;

typedef struct Attribute Attribute;
typedef struct Lookup Lookup;

/* The attributes of one level, in the order of the document. */
typedef struct AttributeSet
{
	int			count;
	Attribute  *attributes;
	uint32		mask;			/* number of hash slots less one */
	int16	   *slots;			/* index of an attribute, or -1 */
} AttributeSet;

/* "If this sub-attribute is sent, so must these be." */
typedef struct Dependency
{
	Attribute  *trigger;
	List	   *needed;			/* of Attribute * */
} Dependency;

struct Attribute
{
	const char *name;			/* in the schema's case */
	int			name_len;
	const char *path;			/* RFC 7644 section 3.10, for messages and
								 * history */
	AttributeType type;
	bool		multi_valued;
	bool		required;
	bool		case_exact;
	bool		unique;
	bool global;				/* unique everywhere, the schema hopes */
	bool		is_common;		/* externalId, which no schema has to list */
	bool		is_extension;	/* the object of an extension, under its URN */
	Mutability	mutability;
	Returned	returned;
	Writable	writable;		/* as the profile says */
	AttributeSet subs;

	/* words for readers, or NULL */
	const char *description;
	JsonbValue *canonical_values;	/* an array */
	JsonbValue *reference_types;	/* an array */

	/* words of JSON Schema */
	JsonbValue *default_value;
	JsonbValue *enumeration;	/* an array */
	const Format *format;
	text	   *pattern;
	int			min_length;		/* in characters; -1: no limit */
	int			max_length;
	Numeric		minimum;
	Numeric		maximum;
	List	   *dependencies;	/* of Dependency * */

	/* words of our own */
	Absent		absent;
	Attribute  *key;
	Attribute  *default_from;
	Lookup	   *lookup;			/* see lookup.h */
	bool		primary_when_only;
	bool		transient;		/* a wish: heard, never stored */
	const char *computed;
	bool		is_computed;	/* the table has a function for it: it is not
								 * stored */

	/* names that are looked up when all attributes are known */
	JsonbValue *key_name;
	JsonbValue *default_from_name;
	JsonbValue *dependent_names;
	JsonbValue *lookup_list;	/* an array of {value, displayValue} */
};

/* An attribute that can be sent and is in no document. */
typedef struct Unstored
{
	Attribute  *attribute;
	Attribute  *extension;		/* that it belongs to, or NULL */
} Unstored;

/* What people call a schema. */
typedef struct SchemaTitle
{
	const char *name;
	const char *description;	/* or NULL */
} SchemaTitle;

typedef struct Schema
{
	List	   *ids;			/* of char *: the core schema, then extensions */
	List	   *titles;			/* of SchemaTitle *: theirs */
	AttributeSet attributes;	/* the core's, then one for each extension */
	List	   *unstored;		/* of Unstored *: a password, and wishes */
	Attribute  *password;		/* or NULL */
	bool		password_required;
} Schema;

extern Schema *schema_compile(List *documents, bool scim_common);
extern Schema *schema_compile_plain(JsonbValue *document);
extern void schema_apply_rules(Schema *schema, JsonbValue *rules, bool strict);
extern void schema_apply_lookups(Schema *schema, JsonbValue *lookups);
extern void schema_apply_writable(Schema *schema, List *paths);
extern void schema_link(Schema *schema);
extern char *schema_check(JsonbValue *document);

extern Attribute *attribute_find(const AttributeSet *set, const char *name, int len);
extern Attribute *attribute_member(const AttributeSet *set, const char *name);
extern bool attribute_same_name(const char *a, const char *b, int len);
extern const char *attribute_type_name(AttributeType type);
extern const char *mutability_name(Mutability mutability);
extern const char *returned_name(Returned returned);
extern char *attribute_child_path(const Attribute *parent, const char *name, int len);
extern List *attribute_way(const Schema *schema, const Attribute *attribute);
extern JsonbValue *attribute_value(List *way, JsonbValue *object);
extern List *schema_unique_attributes(const Schema *schema);

#endif							/* USERSTORE_SCHEMA_H */
