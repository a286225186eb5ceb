/*
 * ndjson.c
 *	  Newline-delimited JSON: a record a line.
 *
 * Empty lines are passed over, and so are lines that begin with "#", so that a
 * file of rejected records can be loaded again as it is.
 */
#include "postgres_fe.h"

#include "format.h"

/*
 * The length of the next line without its end.  *next is where the next one
 * begins, *ended whether it has an end.  Of a line that is too long all is
 * dropped but its end, and the result is false.
 */
static bool
find_line(Reader *reader, size_t *length, size_t *next, bool *ended)
{
	Window	   *window = &reader->window;
	size_t		looked = 0;
	bool		whole = true;

	for (;;)
	{
		const char *end = memchr(window->data + looked, '\n', window->length - looked);

		*length = *next = window->length;
		*ended = end != NULL;
		if (end != NULL)
		{
			*length = end - window->data;
			*next = *length + 1;
		}
		/* A carriage return before the end is part of that. */
		if (*length > reader->options.max_record + 1)
			whole = false;
		if (end != NULL)
			break;
		looked = window->length;
		if (!whole)
		{
			window_drop(window, window->length);
			looked = 0;
		}
		if (!window_more(window))
			break;
	}
	if (*length > 0 && window->data[*length - 1] == '\r')
		(*length)--;
	return whole && *length <= reader->options.max_record;
}

ReadResult
ndjson_next(Reader *reader, Record *record)
{
	Window	   *window = &reader->window;
	size_t		length;
	size_t		used;
	bool		ended;

	for (;;)
	{
		bool		whole = find_line(reader, &length, &reader->used, &ended);

		if (window->broken && !ended)
			return reader_broken(reader, 0, "cannot be read");
		if (!whole)
		{
			record_begin(reader, record, 0);
			return record_bad(reader, record, "record is longer than %zu bytes",
							  reader->options.max_record);
		}
		record->raw = record->data = window->data;
		record->raw_length = record->length = length;
		while (record->length > 0 && json_space(*record->data))
			record->data++, record->length--;
		while (record->length > 0 && json_space(record->data[record->length - 1]))
			record->length--;
		if (record->length > 0 && record->raw[0] != '#')
			break;
		if (!ended)
			return READ_END;
		window_drop(window, reader->used);
	}

	record_begin(reader, record, 0);
	if (key_of_plain(reader->key, record->data, record->length, &record->key))
		return record_plain(reader, record);
	if (record->data[0] == '{')
	{
		const char *problem = NULL;
		size_t		begin = record->data - record->raw;
		size_t		where;

		json_parser_reset(reader->json);
		switch (json_parse(reader->json, record->data, record->length, &used))
		{
			case JSON_DONE:
				problem = json_check(record->data, used, &where);
				if (problem == NULL && used < record->length)
				{
					problem = "something follows the object";
					for (where = used; json_space(record->data[where]);)
						where++;
				}
				break;
			case JSON_MORE:
				if (!ended)
					return reader_broken(reader, length, "the input ends within a record");
				problem = "the line ends within the object";
				where = record->length;
				break;
			case JSON_INVALID:
				problem = reader->json->problem;
				where = used;
				break;
			case JSON_TOO_DEEP:
				return record_bad(reader, record, "record has more than %d levels", JSON_MAX_DEPTH);
		}
		if (problem != NULL && !ended)
			return reader_broken(reader, begin + where,
								 "invalid JSON: %s, and the input ends within the line", problem);
		if (problem != NULL)
			return record_bad(reader, record, "invalid JSON: %s at byte %zu",
							  problem, begin + where + 1);
	}
	return record_judge(reader, record);
}

void
write_json_line(FILE *file, const char *data, size_t length)
{
	const char *end = data + length;

	while (data < end)
	{
		const char *line = memchr(data, '\n', end - data);

		if (line == NULL)
			line = end;
		else if (line > data && line[-1] == '\r')
			line--;
		fwrite(data, 1, line - data, file);
		for (data = line; data < end && (*data == '\n' || *data == '\r'); data++)
			putc(' ', file);
	}
	putc('\n', file);
}
