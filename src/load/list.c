/*
 * list.c
 *	  Records that are the elements of one array: of one that is all there is,
 *	  or of the one in SCIM's ListResponse or in OIG's bulk body.
 *
 * Of the input only one element is in memory at a time.  Where it is not JSON,
 * nothing tells where the next element begins, so that is the end of reading.
 * Envelopes may follow each other, as the pages of a long list do.
 */
#include "postgres_fe.h"

#include "format.h"

typedef enum ListState
{
	LIST_BEGIN,					/* before an envelope, or the array alone */
	LIST_MEMBER,				/* before the name of a member */
	LIST_AFTER_MEMBER,
	LIST_FIRST,					/* before an element or the end of the array */
	LIST_AFTER_ELEMENT
} ListState;

struct ListReader
{
	ListState	state;
	size_t		at;				/* place in the window */
	bool		detecting;		/* nothing of the window may be dropped */
	bool		found;			/* the array, in this envelope */
	bool		empty;			/* no member so far, in this envelope */
	InputFormat seen;			/* what the members say that it is */
	int64		elements;
	int64		total;			/* what SCIM's totalResults says, or -1 */
};

typedef enum ValueState
{
	VALUE_READ,					/* parsed and checked, from 0 to list->at
								 * unless detecting */
	VALUE_TOO_LONG,				/* passed over */
	VALUE_TOO_DEEP,				/* passed over */
	VALUE_BROKEN				/* reader_broken() was called */
} ValueState;


static ListReader *
list_new(void)
{
	ListReader *list = pg_malloc0(sizeof(ListReader));

	list->total = -1;
	return list;
}

void
list_free(ListReader *list)
{
	pg_free(list);
}

/* The next byte that is not white space, or -1. */
static int
peek(Reader *reader)
{
	Window	   *window = &reader->window;
	ListReader *list = reader->list;

	for (;; list->at++)
	{
		if (list->at == window->length)
		{
			if (!list->detecting)
			{
				window_drop(window, list->at);
				list->at = 0;
			}
			else if (list->at > reader->options.max_record)
				return -1;
			if (!window_more(window))
				return -1;
		}
		if (!json_space(window->data[list->at]))
			return (unsigned char) window->data[list->at];
	}
}

/* What is here is not what must be. */
static ReadResult
unexpected(Reader *reader, int c, const char *wanted)
{
	if (c == -1)
		return reader_broken(reader, reader->list->at, "the input ends within the list");
	return reader_broken(reader, reader->list->at, "invalid JSON: expected %s", wanted);
}

static ValueState
pass_over(Reader *reader, ValueState why)
{
	Window	   *window = &reader->window;
	ListReader *list = reader->list;
	JsonSkip	skip = {0};

	json_parser_reset(reader->json);
	if (list->detecting)
		return why;
	while (!json_skip(&skip, window->data, window->length, &list->at))
	{
		window_drop(window, window->length);
		list->at = 0;
		if (!window_more(window))
		{
			(void) unexpected(reader, -1, NULL);
			return VALUE_BROKEN;
		}
	}
	return why;
}

/* The value that begins here; *begin is its place. */
static ValueState
read_value(Reader *reader, size_t *begin)
{
	Window	   *window = &reader->window;
	ListReader *list = reader->list;
	const char *problem;
	size_t		used;

	if (!list->detecting)
	{
		window_drop(window, list->at);
		list->at = 0;
	}
	*begin = list->at;
	json_parser_reset(reader->json);
	for (;;)
	{
		JsonState	state = json_parse(reader->json, window->data + list->at,
									   window->length - list->at, &used);

		list->at += used;
		if (state == JSON_INVALID)
		{
			(void) reader_broken(reader, list->at, "invalid JSON: %s", reader->json->problem);
			return VALUE_BROKEN;
		}
		if (state == JSON_TOO_DEEP)
			return pass_over(reader, VALUE_TOO_DEEP);
		if (list->at - *begin > reader->options.max_record)
			return pass_over(reader, VALUE_TOO_LONG);
		if (state == JSON_DONE)
			break;
		if (!window_more(window))
		{
			(void) unexpected(reader, -1, NULL);
			return VALUE_BROKEN;
		}
	}
	problem = json_check(window->data + *begin, list->at - *begin, &used);
	if (problem != NULL)
	{
		(void) reader_broken(reader, *begin + used, "invalid JSON: %s", problem);
		return VALUE_BROKEN;
	}
	return VALUE_READ;
}

static bool
is_list_response(struct json_object *schemas)
{
	if (!json_object_is_type(schemas, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(schemas); i++)
	{
		struct json_object *urn = json_object_array_get_idx(schemas, i);

		if (json_object_is_type(urn, json_type_string) &&
			pg_strcasecmp(json_object_get_string(urn),
						  "urn:ietf:params:scim:api:messages:2.0:ListResponse") == 0)
			return true;
	}
	return false;
}

/*
 * A member of the envelope, from its name on.  The array is left to be read,
 * everything else is read here.
 */
static ReadResult
read_member(Reader *reader)
{
	ListReader *list = reader->list;
	size_t		begin;
	char	   *name;
	InputFormat names = FORMAT_AUTO;
	ValueState	state;
	int			c = peek(reader);

	if (c != '"')
		return unexpected(reader, c, "the name of a member");
	if (read_value(reader, &begin) != VALUE_READ)
	{
		if (reader->broken == NULL)
			return unexpected(reader, 0, "a shorter name of a member");
		return READ_BROKEN;
	}
	name = pg_strdup(json_object_get_string(reader->json->value));
	c = peek(reader);
	if (c != ':')
	{
		pg_free(name);
		return unexpected(reader, c, "\":\"");
	}
	list->at++;
	c = peek(reader);
	if (pg_strcasecmp(name, "Resources") == 0)
		names = FORMAT_SCIM;
	else if (pg_strcasecmp(name, "users") == 0)
		names = FORMAT_OIG;
	if (c == '[' && names != FORMAT_AUTO && (reader->format == names || list->detecting))
	{
		list->seen = names;
		if (list->found)
		{
			(void) reader_broken(reader, list->at, "the array \"%s\" is there twice", name);
			pg_free(name);
			return READ_BROKEN;
		}
		pg_free(name);
		list->found = true;
		list->at++;
		list->state = LIST_FIRST;
		return READ_RECORD;
	}
	state = c == -1 ? VALUE_BROKEN : read_value(reader, &begin);
	if (c == -1)
		(void) unexpected(reader, c, NULL);
	if (state == VALUE_READ && pg_strcasecmp(name, "schemas") == 0 &&
		is_list_response(reader->json->value))
		list->seen = FORMAT_SCIM;
	if (state == VALUE_READ && pg_strcasecmp(name, "totalResults") == 0 &&
		json_object_is_type(reader->json->value, json_type_int))
		list->total = json_object_get_int64(reader->json->value);
	pg_free(name);
	list->state = LIST_AFTER_MEMBER;
	return state == VALUE_BROKEN ? READ_BROKEN : READ_RECORD;
}

/* The end of an envelope. */
static ReadResult
end_envelope(Reader *reader)
{
	ListReader *list = reader->list;

	if (!list->found && reader->format == FORMAT_OIG)
		return reader_broken(reader, list->at, "the object has no array \"users\"");

	/* RFC 7644 section 3.4.2: a list of none may go without. */
	if (!list->found && list->total < 0)
		return reader_broken(reader, list->at, "the object has no array \"Resources\"");
	list->at++;
	list->state = LIST_BEGIN;
	return READ_RECORD;
}

InputFormat
list_detect(Reader *reader, size_t begin)
{
	ListReader *list = list_new();
	InputFormat format;
	int			c;

	reader->list = list;
	list->detecting = true;
	list->at = begin + 1;
	c = peek(reader);
	while (c != -1 && c != '}' && list->seen == FORMAT_AUTO &&
		   list->at <= reader->options.max_record &&
		   read_member(reader) == READ_RECORD && list->state == LIST_AFTER_MEMBER)
	{
		c = peek(reader);
		if (c != ',')
			break;
		list->at++;
	}
	format = list->seen != FORMAT_AUTO ? list->seen : FORMAT_NDJSON;

	/* All is read again from the beginning, and judged then. */
	list_free(list);
	reader->list = NULL;
	pg_free(reader->broken);
	reader->broken = NULL;
	return format;
}

static ReadResult
read_element(Reader *reader, Record *record)
{
	ListReader *list = reader->list;
	Window	   *window = &reader->window;
	size_t		begin;

	list->state = LIST_AFTER_ELEMENT;
	list->elements++;
	record_begin(reader, record, list->at);
	switch (read_value(reader, &begin))
	{
		case VALUE_BROKEN:
			return READ_BROKEN;
		case VALUE_TOO_LONG:
			return record_bad(reader, record, "record is longer than %zu bytes",
							  reader->options.max_record);
		case VALUE_TOO_DEEP:
			return record_bad(reader, record, "record has more than %d levels",
							  JSON_MAX_DEPTH);
		case VALUE_READ:
			break;
	}
	record->raw = record->data = window->data + begin;
	record->raw_length = record->length = list->at - begin;
	/* The next call drops it. */
	reader->used = list->at;
	list->at = 0;
	return record_judge(reader, record);
}

/* The end of all. */
static ReadResult
end_list(Reader *reader)
{
	ListReader *list = reader->list;

	if (reader->window.broken)
		return reader_broken(reader, 0, "cannot be read");
	if (list->elements < list->total && reader->incomplete == NULL)
		reader->incomplete = psprintf("the list has only " INT64_FORMAT " of its " INT64_FORMAT " users",
									  list->elements, list->total);
	return READ_END;
}

ReadResult
list_next(Reader *reader, Record *record)
{
	ListReader *list = reader->list;

	if (list == NULL)
		list = reader->list = list_new();
	for (;;)
	{
		ReadResult	result = READ_RECORD;
		int			c = peek(reader);

		switch (list->state)
		{
			case LIST_BEGIN:
				if (c == -1)
					return end_list(reader);
				if (reader->format == FORMAT_ARRAY)
				{
					if (list->found)
						return reader_broken(reader, list->at, "something follows the array");
					if (c != '[')
						return unexpected(reader, c, "an array");
					list->state = LIST_FIRST;
				}
				else
				{
					if (c != '{')
						return unexpected(reader, c, "an object");
					list->state = LIST_MEMBER;
					list->empty = true;
				}
				list->found = reader->format == FORMAT_ARRAY;
				list->at++;
				break;
			case LIST_MEMBER:
				if (c == '}' && list->empty)
					result = end_envelope(reader);
				else
					result = read_member(reader);
				list->empty = false;
				break;
			case LIST_AFTER_MEMBER:
				if (c == '}')
					result = end_envelope(reader);
				else if (c == ',')
				{
					list->state = LIST_MEMBER;
					list->at++;
				}
				else
					return unexpected(reader, c, "\",\" or \"}\"");
				break;
			case LIST_FIRST:
				if (c != ']' && c != -1)
					return read_element(reader, record);
				/* FALLTHROUGH */
			case LIST_AFTER_ELEMENT:
				if (c != ',' && c != ']')
					return unexpected(reader, c, "\",\" or \"]\"");
				list->at++;
				if (c == ']')
				{
					list->state = reader->format == FORMAT_ARRAY ? LIST_BEGIN : LIST_AFTER_MEMBER;
					break;
				}
				c = peek(reader);
				if (c == ']' || c == -1)
					return unexpected(reader, c, "another element");
				return read_element(reader, record);
		}
		if (result == READ_BROKEN)
			return READ_BROKEN;
	}
}
