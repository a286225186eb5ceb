/*
 * json.c
 *	  JSON values found in bytes that come in pieces.
 *
 * json-c's tokener says where a value ends and what is in it.  Even when told
 * to be strict it takes more for JSON than RFC 8259 and PostgreSQL do, and
 * different things from one release to the next; json_check() has the rules
 * that it leaves out.
 */
#include "postgres_fe.h"

#include <ctype.h>

#include "exit.h"
#include "mb/pg_wchar.h"

#include "json.h"

/* 0.17 */
#define LENIENT_VERSION ((0 << 16) | (17 << 8))

JsonParser *
json_parser_new(void)
{
	JsonParser *parser = pg_malloc0(sizeof(JsonParser));

	parser->tokener = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (parser->tokener == NULL)
		pg_fatal("out of memory");

	/*
	 * UTF-8 is judged by utf8_check(), which a record may fail alone: whether
	 * a list goes on behind it can be told all the same.  From 0.17 on, to be
	 * strict means to refuse numbers of more than 64 bits, too; json_check()
	 * has all the other rules of that.
	 */
	json_tokener_set_flags(parser->tokener, JSON_TOKENER_ALLOW_TRAILING_CHARS |
						   (json_c_version_num() < LENIENT_VERSION ? JSON_TOKENER_STRICT : 0));
	return parser;
}

void
json_parser_free(JsonParser *parser)
{
	json_object_put(parser->value);
	json_tokener_free(parser->tokener);
	pg_free(parser);
}

void
json_parser_reset(JsonParser *parser)
{
	json_object_put(parser->value);
	parser->value = NULL;
	json_tokener_reset(parser->tokener);
}

JsonState
json_parse(JsonParser *parser, const char *data, size_t length, size_t *used)
{
	enum json_tokener_error error;

	parser->value = json_tokener_parse_ex(parser->tokener, data, length);
	error = json_tokener_get_error(parser->tokener);
	*used = json_tokener_get_parse_end(parser->tokener);
	switch (error)
	{
		case json_tokener_success:
			/* It takes white space behind the value for part of it. */
			while (*used > 0 && json_space(data[*used - 1]))
				(*used)--;
			return JSON_DONE;
		case json_tokener_continue:
			return JSON_MORE;
		case json_tokener_error_depth:
			return JSON_TOO_DEEP;
		case json_tokener_error_parse_eof:

			/* It stops at NUL as if all ended there. */
			parser->problem = "unexpected NUL byte";
			return JSON_INVALID;
		default:
			parser->problem = json_tokener_error_desc(error);
			return JSON_INVALID;
	}
}

static inline bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t
json_number(const char *data, const char *end)
{
	const char *at = data;

	if (at < end && *at == '-')
		at++;
	if (at == end || !digit(*at))
		return 0;
	if (*at++ != '0')
	{
		while (at < end && digit(*at))
			at++;
	}
	if (at < end && *at == '.')
	{
		if (++at == end || !digit(*at))
			return 0;
		while (at < end && digit(*at))
			at++;
	}
	if (at < end && (*at == 'e' || *at == 'E'))
	{
		if (++at < end && (*at == '+' || *at == '-'))
			at++;
		if (at == end || !digit(*at))
			return 0;
		while (at < end && digit(*at))
			at++;
	}
	/* 01 is not two numbers, and neither is 1-2. */
	if (at < end && !json_space(*at) && *at != ',' && *at != ']' && *at != '}')
		return 0;
	return at - data;
}

/* Length of the word, of those that JSON has, or 0. */
static size_t
json_word(const char *data, const char *end)
{
	static const char *const words[] = {"true", "false", "null"};

	for (int i = 0; i < lengthof(words); i++)
	{
		size_t		length = strlen(words[i]);

		if (end - data >= length && memcmp(data, words[i], length) == 0)
			return length;
	}
	return 0;
}

/* Bytes at which json_check() has something to look at. */
#define IN_STRING 1				/* not plain within a string */
#define BETWEEN 2				/* begins something, between the tokens */

static const unsigned char notable[256] = {
	/* control characters */
	[0x00] = IN_STRING,[0x01] = IN_STRING,[0x02] = IN_STRING,[0x03] = IN_STRING,
	[0x04] = IN_STRING,[0x05] = IN_STRING,[0x06] = IN_STRING,[0x07] = IN_STRING,
	[0x08] = IN_STRING,[0x09] = IN_STRING,[0x0a] = IN_STRING,[0x0b] = IN_STRING,
	[0x0c] = IN_STRING,[0x0d] = IN_STRING,[0x0e] = IN_STRING,[0x0f] = IN_STRING,
	[0x10] = IN_STRING,[0x11] = IN_STRING,[0x12] = IN_STRING,[0x13] = IN_STRING,
	[0x14] = IN_STRING,[0x15] = IN_STRING,[0x16] = IN_STRING,[0x17] = IN_STRING,
	[0x18] = IN_STRING,[0x19] = IN_STRING,[0x1a] = IN_STRING,[0x1b] = IN_STRING,
	[0x1c] = IN_STRING,[0x1d] = IN_STRING,[0x1e] = IN_STRING,[0x1f] = IN_STRING,
	['\\'] = IN_STRING,
	['"'] = IN_STRING | BETWEEN,
	['\''] = BETWEEN,['N'] = BETWEEN,['I'] = BETWEEN,['-'] = BETWEEN,
	['/'] = BETWEEN,[','] = BETWEEN,['T'] = BETWEEN,['F'] = BETWEEN,
	['t'] = BETWEEN,['f'] = BETWEEN,['n'] = BETWEEN,['i'] = BETWEEN,
	['0'] = BETWEEN,['1'] = BETWEEN,['2'] = BETWEEN,['3'] = BETWEEN,
	['4'] = BETWEEN,['5'] = BETWEEN,['6'] = BETWEEN,['7'] = BETWEEN,
	['8'] = BETWEEN,['9'] = BETWEEN
};

const char *
json_check(const char *data, size_t length, size_t *where)
{
	const unsigned char *begin = (const unsigned char *) data;
	const unsigned char *end = begin + length;
	const unsigned char *at = begin;

	for (;;)
	{
		size_t		number;
		size_t		length_of_word;

		while (at < end && !(notable[*at] & BETWEEN))
			at++;
		if (at >= end)
			return NULL;
		*where = at - begin;
		switch (*at)
		{
			case '"':
				for (at++; at < end && *at != '"';)
				{
					if (*at == '\\')
						at += 2;
					else if (*at < 0x20)
					{
						*where = at - begin;
						return "control character in a string";
					}
					while (at < end && !(notable[*at] & IN_STRING))
						at++;
				}
				at++;
				break;
			case '\'':
				return "strings are quoted by \"";
			case '/':
				return "comments are no part of JSON";
			case ',':
				for (at++; at < end && json_space((char) *at);)
					at++;
				if (at < end && (*at == ']' || *at == '}'))
					return "nothing follows the comma";
				break;
			case 't':
			case 'T':
			case 'f':
			case 'F':
			case 'n':
				length_of_word = json_word((const char *) at, data + length);
				if (length_of_word == 0)
					return "words of JSON are true, false and null";
				at += length_of_word;
				break;
			case 'i':
			case 'N':
			case 'I':
				return "NaN and Infinity are no numbers of JSON";
			default:
				number = json_number((const char *) at, data + length);
				if (number == 0)
					return "invalid number";
				at += number;
				break;
		}
	}
}

/*
 * Of a value that is JSON beyond doubt, where it ends; else NULL.
 */

/* More levels are not plain. */
#define PLAIN_DEPTH 32

static const char *plain_value(const char *at, const char *end, int depth);

static inline const char *
plain_space(const char *at, const char *end)
{
	while (at < end && json_space(*at))
		at++;
	return at;
}

/* From behind its first quote on. */
static const char *
plain_string(const char *at, const char *end)
{
	for (;;)
	{
		while (at < end && !(notable[(unsigned char) *at] & IN_STRING))
			at++;
		if (at >= end)
			return NULL;
		if (*at == '"')
			return at + 1;
		if (*at != '\\' || end - at < 2)
			return NULL;
		if (at[1] == 'u')
		{
			if (end - at < 6)
				return NULL;
			for (int i = 2; i < 6; i++)
			{
				if (!isxdigit((unsigned char) at[i]))
					return NULL;
			}
			at += 6;
		}
		else if (at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL)
			at += 2;
		else
			return NULL;
	}
}

/* From behind its bracket on. */
static const char *
plain_array(const char *at, const char *end, int depth)
{
	at = plain_space(at, end);
	if (at < end && *at == ']')
		return at + 1;
	for (;;)
	{
		at = plain_value(plain_space(at, end), end, depth);
		if (at == NULL)
			return NULL;
		at = plain_space(at, end);
		if (at >= end || (*at != ',' && *at != ']'))
			return NULL;
		if (*at++ == ']')
			return at;
	}
}

/* From behind its brace on; with the value of a member, if that is wanted. */
static const char *
plain_object(const char *at, const char *end, int depth, PlainMember * member)
{
	at = plain_space(at, end);
	if (at < end && *at == '}')
		return at + 1;
	for (;;)
	{
		const char *name;
		const char *value;
		bool		is_wanted = false;

		at = plain_space(at, end);
		if (at >= end || *at != '"')
			return NULL;
		name = at + 1;
		at = plain_string(name, end);
		if (at == NULL)
			return NULL;
		if (member != NULL)
		{
			size_t		length = at - 1 - name;

			if (memchr(name, '\\', length) != NULL)
				return NULL;
			is_wanted = length == member->name_length &&
				pg_strncasecmp(name, member->name, length) == 0;
		}
		at = plain_space(at, end);
		if (at >= end || *at != ':')
			return NULL;
		value = plain_space(at + 1, end);
		at = plain_value(value, end, depth);
		if (at == NULL)
			return NULL;
		if (is_wanted)
		{
			if (member->value != NULL)
				return NULL;
			member->value = value;
			member->length = at - value;
		}
		at = plain_space(at, end);
		if (at >= end || (*at != ',' && *at != '}'))
			return NULL;
		if (*at++ == '}')
			return at;
	}
}

static const char *
plain_value(const char *at, const char *end, int depth)
{
	size_t		length;

	if (at >= end || depth == PLAIN_DEPTH)
		return NULL;
	switch (*at)
	{
		case '"':
			return plain_string(at + 1, end);
		case '{':
			return plain_object(at + 1, end, depth + 1, NULL);
		case '[':
			return plain_array(at + 1, end, depth + 1);
		case 't':
		case 'f':
		case 'n':
			length = json_word(at, end);
			return length > 0 ? at + length : NULL;
		default:
			length = json_number(at, end);
			return length > 0 ? at + length : NULL;
	}
}

bool
json_plain(const char *data, size_t length, PlainMember * member)
{
	member->value = NULL;
	return length > 0 && data[0] == '{' &&
		plain_object(data + 1, data + length, 1, member) == data + length;
}

const char *
utf8_check(const char *data, size_t length, size_t *where)
{
	*where = pg_encoding_verifymbstr(PG_UTF8, data, length);
	if (*where == length)
		return NULL;
	return data[*where] == '\0' ? "NUL byte" : "invalid UTF-8";
}

bool
json_skip(JsonSkip *skip, const char *data, size_t length, size_t *used)
{
	for (const char *at = data; at < data + length; at++)
	{
		bool		ended = false;

		if (skip->in_string)
		{
			if (skip->escaped)
				skip->escaped = false;
			else if (*at == '\\')
				skip->escaped = true;
			else if (*at == '"')
			{
				skip->in_string = false;
				ended = skip->depth == 0;
			}
		}
		else if (*at == '"')
			skip->in_string = true;
		else if (*at == '[' || *at == '{')
			skip->depth++;
		else if (*at == ']' || *at == '}')
		{
			if (skip->depth-- == 0)
			{
				/* not its own: it was a number, or nothing */
				*used = at - data;
				return true;
			}
			ended = skip->depth == 0;
		}
		else if (skip->depth == 0 && (*at == ',' || json_space(*at)))
		{
			*used = at - data;
			return true;
		}
		if (ended)
		{
			*used = at + 1 - data;
			return true;
		}
	}
	*used = length;
	return false;
}
