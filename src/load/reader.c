/*
 * reader.c
 *	  Records out of a file of users, whatever its format.
 */
#include "postgres_fe.h"

#include "common/logging.h"

#include "format.h"

#define DEFAULT_MAX_RECORD (16 * 1024 * 1024)


Reader *
reader_open(const ReaderOptions *options)
{
	Reader	   *reader = pg_malloc0(sizeof(Reader));

	reader->options = *options;
	if (reader->options.max_record == 0)
		reader->options.max_record = DEFAULT_MAX_RECORD;
	reader->options.max_record = Min(reader->options.max_record, JSON_MAX_LENGTH);
	if (reader->options.delimiter == '\0')
		reader->options.delimiter = ',';
	reader->format = options->format;

	/* Only CSV has these.  A mapping must be one before anything is read. */
	if (reader->format == FORMAT_AUTO &&
		(options->mapping != NULL || options->delimiter != '\0'))
		reader->format = FORMAT_CSV;
	if (reader->format == FORMAT_CSV)
		reader->csv = csv_new(&reader->options);
	reader->json = json_parser_new();
	reader->key = key_new(options->key);
	initPQExpBuffer(&reader->problem);
	reader->input = input_open(&reader->options);
	window_init(&reader->window, reader->input);
	return reader;
}

void
reader_close(Reader *reader)
{
	if (reader->csv != NULL)
		csv_free(reader->csv);
	if (reader->list != NULL)
		list_free(reader->list);
	window_free(&reader->window);
	input_close(reader->input);
	json_parser_free(reader->json);
	key_free(reader->key);
	termPQExpBuffer(&reader->problem);
	pg_free(reader->broken);
	pg_free(reader->incomplete);
	pg_free(reader);
}

static bool
ends_with(const char *string, const char *end)
{
	size_t		length = strlen(string);

	return length >= strlen(end) && pg_strcasecmp(string + length - strlen(end), end) == 0;
}

static InputFormat
detect(Reader *reader)
{
	Window	   *window = &reader->window;
	const char *path = reader->options.path;
	size_t		begin = 0;

	if (path != NULL && (ends_with(path, ".csv") || ends_with(path, ".csv.gz")))
		return FORMAT_CSV;
	for (;; begin++)
	{
		if (begin == window->length && !window_more(window))
			return FORMAT_NDJSON;
		if (!json_space(window->data[begin]))
			break;
		/* There may be megabytes of it. */
		if (begin == reader->options.max_record)
			return FORMAT_NDJSON;
	}
	if (window->data[begin] == '[')
		return FORMAT_ARRAY;
	if (window->data[begin] == '{')
		return list_detect(reader, begin);
	return FORMAT_NDJSON;
}

/* What comes before the first record: byte order marks, and which format it is. */
static ReadResult
begin(Reader *reader)
{
	Window	   *window = &reader->window;

	reader->begun = true;
	while (window->length < 3 && window_more(window))
		;
	if (window->length >= 2 &&
		(memcmp(window->data, "\xff\xfe", 2) == 0 || memcmp(window->data, "\xfe\xff", 2) == 0))
		return reader_broken(reader, 0, "the input is UTF-16, not UTF-8");
	if (window->length >= 3 && memcmp(window->data, "\xef\xbb\xbf", 3) == 0)
		window_drop(window, 3);
	if (reader->format == FORMAT_AUTO)
		reader->format = detect(reader);
	if (reader->format == FORMAT_CSV && reader->csv == NULL)
		reader->csv = csv_new(&reader->options);
	return READ_RECORD;
}

ReadResult
reader_next(Reader *reader, Record *record)
{
	memset(record, 0, sizeof(Record));
	if (reader->broken != NULL)
		return READ_BROKEN;
	if (!reader->begun && begin(reader) == READ_BROKEN)
		return READ_BROKEN;
	window_drop(&reader->window, reader->used);
	reader->used = 0;
	switch (reader->format)
	{
		case FORMAT_NDJSON:
			return ndjson_next(reader, record);
		case FORMAT_CSV:
			return csv_next(reader, record);
		default:
			return list_next(reader, record);
	}
}

void
record_begin(Reader *reader, Record *record, size_t place)
{
	record->number = ++reader->number;
	record->line = reader->window.line + window_lines(&reader->window, place);
}

ReadResult
record_bad(Reader *reader, Record *record, const char *format,...)
{
	va_list		args;
	char		problem[1024];

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	resetPQExpBuffer(&reader->problem);
	appendPQExpBufferStr(&reader->problem, problem);
	record->problem = reader->problem.data;
	record->has_key = false;
	return READ_BAD;
}

ReadResult
reader_broken(Reader *reader, size_t place, const char *format,...)
{
	const Window *window = &reader->window;
	va_list		args;
	char		problem[1024];

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	if (window->broken)
		reader->broken = pg_strdup(input_problem(reader->input));
	else
		reader->broken = psprintf("line " INT64_FORMAT ", byte " INT64_FORMAT ": %s",
								  window->line + window_lines(window, place),
								  window->offset + (int64) place + 1, problem);
	return READ_BROKEN;
}

/* Is it UTF-8?  If not, it is bad. */
static bool
is_utf8(Reader *reader, Record *record)
{
	size_t		where;
	const char *problem = utf8_check(record->data, record->length, &where);

	if (problem != NULL)
		(void) record_bad(reader, record, "%s at byte %zu", problem, where + 1);
	return problem == NULL;
}

ReadResult
record_plain(Reader *reader, Record *record)
{
	record->has_key = true;
	return is_utf8(reader, record) ? READ_RECORD : READ_BAD;
}

ReadResult
record_judge(Reader *reader, Record *record)
{
	if (!is_utf8(reader, record))
		return READ_BAD;
	if (record->data[0] != '{')
		return record_bad(reader, record, "record is not a JSON object");
	record->has_key = key_of_record(reader->key, reader->json->value, &record->key);
	return READ_RECORD;
}

const char *
reader_problem(const Reader *reader)
{
	return reader->broken;
}

const char *
reader_incomplete(const Reader *reader)
{
	return reader->incomplete;
}

InputFormat
reader_format(const Reader *reader)
{
	return reader->format;
}

const char *
reader_header(const Reader *reader, size_t *length)
{
	return reader->csv != NULL ? csv_header(reader->csv, length) : NULL;
}

int64
reader_bytes_read(const Reader *reader)
{
	return input_bytes_read(reader->input);
}

int64
reader_bytes_total(const Reader *reader)
{
	return input_bytes_total(reader->input);
}
