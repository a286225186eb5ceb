/*
 * json.h
 *	  JSON values found in bytes that come in pieces.
 */
#ifndef LOAD_JSON_H
#define LOAD_JSON_H

#include <json-c/json.h>

/* The server takes 256 levels, and says where there are more. */
#define JSON_MAX_DEPTH 512

/* json-c and PostgreSQL both have lengths that are an int. */
#define JSON_MAX_LENGTH ((size_t) 1024 * 1024 * 1024 - 1)

typedef struct JsonParser
{
	struct json_tokener *tokener;
	struct json_object *value;	/* JSON_DONE: what was parsed */
	const char *problem;		/* JSON_INVALID: why */
} JsonParser;

typedef enum JsonState
{
	JSON_MORE,					/* a value began and has not ended */
	JSON_DONE,
	JSON_INVALID,
	JSON_TOO_DEEP
} JsonState;

extern JsonParser *json_parser_new(void);
extern void json_parser_free(JsonParser *parser);

/* Forgets the last value, for another to begin. */
extern void json_parser_reset(JsonParser *parser);

/*
 * Goes on with a value.  *used says how many of the bytes belong to it, or
 * where the one is that cannot.  What is JSON_DONE must be given to json_check
 * as a whole, too.
 */
extern JsonState json_parse(JsonParser *parser, const char *data, size_t length,
							size_t *used);

/*
 * What json-c takes for JSON and RFC 8259 and the server do not: why and where,
 * or NULL.
 */
extern const char *json_check(const char *data, size_t length, size_t *where);

/*
 * Is this an object that is JSON beyond doubt, and the value of a member?  The
 * name of that may be spelt in any case, in ASCII.  It takes a tenth of the
 * time that json-c's tree does, which tells of all others: whatever is not
 * plain (errors, escapes in names, the member twice, many levels), what is
 * wrong and where.
 */
typedef struct PlainMember
{
	const char *name;
	size_t		name_length;
	const char *value;			/* as it stands there, or NULL: not there */
	size_t		length;
}			PlainMember;

extern bool json_plain(const char *data, size_t length, PlainMember * member);

/* Why this is not UTF-8 and where, or NULL. */
extern const char *utf8_check(const char *data, size_t length, size_t *where);

/* The length of the JSON number at the beginning of this, or 0 if what is there
 * is none. */
extern size_t json_number(const char *data, const char *end);

/*
 * The end of a value that is too long or too deep to be parsed, by its
 * brackets and quotes alone.
 */
typedef struct JsonSkip
{
	int64		depth;
	bool		in_string;
	bool		escaped;
} JsonSkip;

/* Goes on; false if the value has not ended.  *used is where it ends. */
extern bool json_skip(JsonSkip *skip, const char *data, size_t length, size_t *used);

static inline bool
json_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

#endif
