/*
 * key.c
 *	  By what the records of one user are known to belong together.
 *
 * Batches with a user in common are sent one after the other.  So two values
 * that the server takes for the same must have one hash, while two that it
 * tells apart may share one: then a batch waits that need not.
 */
#include "postgres_fe.h"

#include <math.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"

#include "json.h"
#include "key.h"

struct Key
{
	char	   *attribute;
	char	  **names;
	int			count;
	bool		has_urn;
	bool		is_ascii;
};

/* An integer that json-c shows as it is. */
#define MAX_PLAIN_DIGITS 18


/*
 * "userName", "name.familyName", "urn:...:User:employeeNumber": the URN of a
 * schema has dots of its own and ends at the last colon.
 */
Key *
key_new(const char *attribute)
{
	Key		   *key = pg_malloc0(sizeof(Key));
	const char *name = attribute;
	const char *colon = strrchr(attribute, ':');

	key->attribute = pg_strdup(attribute);
	key->is_ascii = true;
	for (const char *c = attribute; *c != '\0'; c++)
		key->is_ascii &= !IS_HIGHBIT_SET(*c);
	key->names = pg_malloc((strlen(attribute) + 2) * sizeof(char *));
	if (colon != NULL && pg_strncasecmp(attribute, "urn:", 4) == 0)
	{
		key->has_urn = true;
		key->names[key->count++] = pnstrdup(attribute, colon - attribute);
		name = colon + 1;
	}
	for (;;)
	{
		size_t		length = strcspn(name, ".");

		key->names[key->count++] = pnstrdup(name, length);
		if (name[length] == '\0')
			break;
		name += length + 1;
	}
	return key;
}

void
key_free(Key *key)
{
	for (int i = 0; i < key->count; i++)
		pg_free(key->names[i]);
	pg_free(key->names);
	pg_free(key->attribute);
	pg_free(key);
}

const char *
key_attribute(const Key *key)
{
	return key->attribute;
}

const char *const *
key_names(const Key *key, int *count, bool *has_urn)
{
	*count = key->count;
	*has_urn = key->has_urn;
	return (const char *const *) key->names;
}

/* Schemas know names in any case; without one there is only the exact one. */
static struct json_object *
member(struct json_object *object, const char *name)
{
	struct json_object *found;
	struct json_object_iter other;

	if (!json_object_is_type(object, json_type_object))
		return NULL;
	if (json_object_object_get_ex(object, name, &found))
		return found;
	json_object_object_foreachC(object, other)
	{
		if (pg_strcasecmp(other.key, name) == 0)
			found = other.val;
	}
	return found;
}

/* Of OIG's fields, {"name": ..., "value": ...}, the one of this name. */
static struct json_object *
field(struct json_object *fields, const char *name)
{
	struct json_object *found = NULL;

	if (!json_object_is_type(fields, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(fields); i++)
	{
		struct json_object *item = json_object_array_get_idx(fields, i);
		struct json_object *other = member(item, "name");

		if (json_object_is_type(other, json_type_string) &&
			pg_strcasecmp(json_object_get_string(other), name) == 0)
			found = member(item, "value");
	}
	return found;
}

static struct json_object *
find(const Key *key, struct json_object *record)
{
	struct json_object *value = record;

	for (int i = 0; i < key->count && value != NULL; i++)
	{
		if (i == 0 && key->has_urn && member(value, key->names[0]) == NULL)
			continue;
		value = member(value, key->names[i]);
	}
	if (value == NULL)
		value = field(member(record, "fields"), key->attribute);
	if (value == NULL)
		value = field(member(record, "update"), key->attribute);
	if (value == NULL)
		value = field(member(record, "add"), key->attribute);
	return value;
}

bool
key_of_record(const Key *key, struct json_object *record, uint64 *hash)
{
	return key_hash(find(key, record), hash);
}

bool
key_of_plain(const Key *key, const char *data, size_t length, uint64 *hash)
{
	PlainMember member = {.name = key->names[0],.name_length = strlen(key->names[0])};

	if (key->count != 1 || !key->is_ascii || !json_plain(data, length, &member) ||
		member.value == NULL)
		return false;
	if (member.value[0] == '"' && memchr(member.value, '\\', member.length) == NULL)
	{
		*hash = key_hash_text(member.value + 1, member.length - 2);
		return true;
	}
	if (member.length > MAX_PLAIN_DIGITS ||
		strspn(member.value, "0123456789") < member.length)
		return false;
	*hash = key_hash_text(member.value, member.length);
	return true;
}

bool
key_hash(struct json_object *value, uint64 *hash)
{
	const char *string;
	char		whole[32];
	double		number;

	switch (json_object_get_type(value))
	{
		case json_type_double:
			/* 5.0 and 5e0 are 5. */
			number = json_object_get_double(value);
			if (number == floor(number) && fabs(number) < 1e19)
			{
				int			length = snprintf(whole, sizeof(whole), "%.0f", number);

				*hash = key_hash_text(whole, length);
			}
			else
				*hash = hash_bytes_extended((unsigned char *) &number, sizeof(number), 0);
			return true;
		case json_type_int:
		case json_type_string:
			string = json_object_get_string(value);
			*hash = key_hash_text(string, strlen(string));
			return true;
		default:
			return false;
	}
}

/* What may be the text of an integer, modulo 2^64; 007 counts as 7. */
static bool
whole_number(const char *string, size_t length, uint64 *number)
{
	bool		negative = length > 1 && string[0] == '-';

	*number = 0;
	for (size_t i = negative ? 1 : 0; i < length; i++)
	{
		if (string[i] < '0' || string[i] > '9')
			return false;
		*number = *number * 10 + (string[i] - '0');
	}
	if (negative)
		*number = -*number;
	return length > 0;
}

/*
 * One for all spellings of a character, or 0 for one that is left out because
 * which spellings it has is not known here.  "i" and "k" are, for the sake of
 * the dotted I and of the sign for Kelvin.
 */
static pg_wchar
fold(pg_wchar c)
{
	if (c < 0x80)
	{
		c = pg_ascii_tolower(c);
		return c == 'i' || c == 'k' ? 0 : c;
	}
	if (c >= 0x0410 && c <= 0x042f)
		return c + 0x20;		/* Cyrillic */
	if (c >= 0x0430 && c <= 0x044f)
		return c;
	if ((c >= 0x0590 && c < 0x10a0) ||	/* from Hebrew to Myanmar */
		(c >= 0x3040 && c < 0xa000) ||	/* Japanese, Chinese */
		(c >= 0xac00 && c < 0xd7a4))	/* Korean */
		return c;
	return 0;
}

uint64
key_hash_text(const char *string, size_t length)
{
	const unsigned char *at = (const unsigned char *) string;
	const unsigned char *end = at + length;
	pg_wchar	folded[256];
	int			count = 0;
	uint64		number;
	uint64		hash = 0;

	if (whole_number(string, length, &number))
		return hash_bytes_extended((unsigned char *) &number, sizeof(number), 0);
	while (at < end)
	{
		int			size = pg_utf_mblen(at);
		pg_wchar	c = end - at >= size ? fold(utf8_to_unicode(at)) : 0;

		if (c != 0)
			folded[count++] = c;
		at += size;
		if (count == lengthof(folded))
		{
			hash = hash_bytes_extended((unsigned char *) folded, sizeof(folded), hash);
			count = 0;
		}
	}
	return hash_bytes_extended((unsigned char *) folded, count * sizeof(pg_wchar), hash);
}
