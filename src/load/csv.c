/*
 * csv.c
 *	  Records of CSV (RFC 4180): their fields, found byte by byte.
 *
 * What breaks the rules inside of one record is its own fault.  Only a quoted
 * field that never ends breaks more, since nothing tells where it should have
 * ended.
 */
#include "postgres_fe.h"

#include "exit.h"

#include "format.h"
#include "mapping.h"

/* What stands before the records in a file of rejected ones. */
#define COMMENT "# line "

typedef struct Span
{
	size_t		begin;			/* in the window, without quotes */
	size_t		end;
	bool		quoted;
	bool		doubled;		/* it has quotes within */
} Span;

struct CsvReader
{
	char		delimiter;
	Mapping    *mapping;
	char	   *header;			/* as it stands; NULL until it is read */
	size_t		header_length;
	int			columns;

	Span	   *spans;			/* of the fields of the last record */
	int			count;			/* of them */
	int			size;
	CsvField   *fields;			/* the same, to be mapped */
	char		problem[128];	/* of the last record, or empty */
	PQExpBufferData unquoted;	/* fields with quotes within, without */
	PQExpBufferData json;
};

static void set_problem(CsvReader *csv, const char *format,...) pg_attribute_printf(2, 3);


CsvReader *
csv_new(const ReaderOptions *options)
{
	CsvReader  *csv = pg_malloc0(sizeof(CsvReader));

	csv->delimiter = options->delimiter;
	if (options->mapping != NULL)
		csv->mapping = mapping_parse(options->mapping);
	csv->size = 64;
	csv->spans = pg_malloc(csv->size * sizeof(Span));
	csv->fields = pg_malloc(csv->size * sizeof(CsvField));
	initPQExpBuffer(&csv->unquoted);
	initPQExpBuffer(&csv->json);
	return csv;
}

void
csv_free(CsvReader *csv)
{
	if (csv->mapping != NULL)
		mapping_free(csv->mapping);
	pg_free(csv->header);
	pg_free(csv->spans);
	pg_free(csv->fields);
	termPQExpBuffer(&csv->unquoted);
	termPQExpBuffer(&csv->json);
	pg_free(csv);
}

const char *
csv_header(const CsvReader *csv, size_t *length)
{
	*length = csv->header_length;
	return csv->header;
}

/* ---- Finding records and fields ------------------------------------------- */

typedef struct Scan
{
	Reader	   *reader;
	CsvReader  *csv;
	size_t		at;				/* in the window */
	int64		line;			/* there, from 1 */
	bool		too_long;		/* the record is not kept */
	bool		at_end;			/* of the input */
} Scan;

/* Whether there is a byte here, reading on if need be. */
static bool
have_byte(Scan *scan)
{
	Window	   *window = &scan->reader->window;

	if (scan->at < window->length)
		return true;
	/* A carriage return before its end is no part of a record. */
	if (scan->at > scan->reader->options.max_record + 1)
		scan->too_long = true;

	/* The last byte may be a carriage return, to be looked at again. */
	if (scan->too_long && scan->at > 1)
	{
		window_drop(window, scan->at - 1);
		scan->at = 1;
	}
	scan->at_end = !window_more(window);
	return !scan->at_end;
}

static inline char
byte(const Scan *scan)
{
	return scan->reader->window.data[scan->at];
}

/* Whether a record ends here, before *end; then the end is passed. */
static bool
at_line_end(Scan *scan, size_t *end)
{
	if (!have_byte(scan))
	{
		*end = scan->at;
		return true;
	}
	if (byte(scan) == '\r')
	{
		scan->at++;
		if (have_byte(scan) && byte(scan) != '\n')
		{
			scan->at--;
			return false;
		}
		*end = scan->at - 1;
		if (!scan->at_end)
			scan->at++;
		return true;
	}
	if (byte(scan) != '\n')
		return false;
	*end = scan->at++;
	return true;
}

/* A quoted field, from its opening quote on, until behind the closing one. */
static bool
scan_quoted(Scan *scan, Span *span)
{
	Window	   *window = &scan->reader->window;
	int64		line = scan->line;

	span->quoted = true;
	span->begin = ++scan->at;
	while (have_byte(scan))
	{
		const char *from = window->data + scan->at;
		const char *end = window->data + window->length;
		const char *quote = memchr(from, '"', end - from);

		if (quote == NULL)
			quote = end;
		for (const char *at = from; (at = memchr(at, '\n', quote - at)) != NULL; at++)
			scan->line++;
		scan->at += quote - from;
		if (quote == end)
			continue;
		span->end = scan->at++;
		if (!have_byte(scan) || byte(scan) != '"')
			return true;
		span->doubled = true;
		scan->at++;
	}
	if (!window->broken)
		scan->line = line;
	return false;
}

static void
add_span(CsvReader *csv, const Span *span)
{
	/* Of a record with too many fields it is enough to know how many. */
	if (csv->count == csv->size && csv->header == NULL)
	{
		csv->size *= 2;
		csv->spans = pg_realloc(csv->spans, csv->size * sizeof(Span));
		csv->fields = pg_realloc(csv->fields, csv->size * sizeof(CsvField));
	}
	if (csv->count < csv->size)
		csv->spans[csv->count] = *span;
	csv->count++;
}

static void
set_problem(CsvReader *csv, const char *format,...)
{
	va_list		args;

	if (csv->problem[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(csv->problem, sizeof(csv->problem), format, args);
	va_end(args);
}

/* The fields of a record, which is the window up to *end; false if it breaks off. */
static bool
scan_record(Scan *scan, size_t *end)
{
	Window	   *window = &scan->reader->window;
	CsvReader  *csv = scan->csv;
	bool		last = false;

	csv->count = 0;
	csv->problem[0] = '\0';
	while (!last)
	{
		Span		span = {.begin = scan->at};

		if (have_byte(scan) && byte(scan) == '"' && !scan_quoted(scan, &span))
			return false;
		for (;;)
		{
			const char *data = window->data;
			size_t		at = scan->at;

			while (at < window->length && data[at] != csv->delimiter &&
				   data[at] != '"' && data[at] != '\n' && data[at] != '\r')
				at++;
			if (at > scan->at && span.quoted)
				set_problem(csv, "something follows the closing quote of field %d",
							csv->count + 1);
			scan->at = at;
			last = at_line_end(scan, end);
			if (last)
				break;
			if (byte(scan) == csv->delimiter)
			{
				*end = scan->at++;
				break;
			}
			if (byte(scan) == '"')
				set_problem(csv, "a quote is inside of field %d, which is not quoted",
							csv->count + 1);
			else if (byte(scan) == '\r')
				set_problem(csv, "a carriage return is inside of field %d, which is not quoted",
							csv->count + 1);
			else
				continue;		/* only now read */
			scan->at++;
		}
		if (!span.quoted)
			span.end = *end;
		add_span(csv, &span);
	}
	return !(scan->at_end && window->broken);
}

/* The text of the fields, which stays as long as the window does. */
static void
unquote(CsvReader *csv, const Window *window, size_t length)
{
	resetPQExpBuffer(&csv->unquoted);

	/* All at once, so that it does not move. */
	if (!enlargePQExpBuffer(&csv->unquoted, length))
		pg_fatal("out of memory");
	for (int i = 0; i < csv->count; i++)
	{
		const Span *span = &csv->spans[i];
		CsvField   *field = &csv->fields[i];
		const char *at = window->data + span->begin;
		const char *end = window->data + span->end;

		field->string = at;
		field->length = end - at;
		field->quoted = span->quoted;
		if (!span->doubled)
			continue;
		field->string = csv->unquoted.data + csv->unquoted.len;
		while (at < end)
		{
			const char *quote = memchr(at, '"', end - at);

			if (quote == NULL)
				quote = end - 1;
			appendBinaryPQExpBuffer(&csv->unquoted, at, quote + 1 - at);
			at = quote + 2;
			if (quote == end - 1)
				at = end;
		}
		field->length = csv->unquoted.data + csv->unquoted.len - field->string;
	}
}

/* ---- Header and records ---------------------------------------------------- */

static ReadResult
read_header(Reader *reader, size_t length)
{
	Window	   *window = &reader->window;
	CsvReader  *csv = reader->csv;
	char	  **columns;
	char	   *problem = NULL;
	size_t		where;

	if (utf8_check(window->data, length, &where) != NULL)
		return reader_broken(reader, where, "the header is not UTF-8");
	if (csv->problem[0] != '\0')
		return reader_broken(reader, 0, "the header is no record of CSV: %s", csv->problem);
	unquote(csv, window, length);
	columns = pg_malloc(csv->count * sizeof(char *));
	for (int i = 0; i < csv->count; i++)
		columns[i] = pnstrdup(csv->fields[i].string, csv->fields[i].length);
	if (csv->mapping == NULL)
		csv->mapping = mapping_of_columns(columns, csv->count, &problem);
	if (problem == NULL)
		mapping_bind(csv->mapping, columns, csv->count, reader->key, &problem);
	for (int i = 0; i < csv->count; i++)
		pg_free(columns[i]);
	pg_free(columns);
	if (problem != NULL)
	{
		(void) reader_broken(reader, 0, "the header does not fit: %s", problem);
		pg_free(problem);
		return READ_BROKEN;
	}
	csv->columns = csv->count;
	csv->header = pnstrdup(window->data, length);
	csv->header_length = length;
	return READ_RECORD;
}

static ReadResult
map_record(Reader *reader, Record *record)
{
	CsvReader  *csv = reader->csv;
	const char *problem;
	size_t		where;

	if (csv->problem[0] != '\0')
		return record_bad(reader, record, "%s", csv->problem);
	if (csv->count != csv->columns)
		return record_bad(reader, record, ngettext("record has %d field, and the header has %d",
												   "record has %d fields, and the header has %d",
												   csv->count),
						  csv->count, csv->columns);
	problem = utf8_check(record->raw, record->raw_length, &where);
	if (problem != NULL)
		return record_bad(reader, record, "%s at byte %zu", problem, where + 1);
	unquote(csv, &reader->window, record->raw_length);
	if (!mapping_apply(csv->mapping, csv->fields, &csv->json, &reader->problem,
					   &record->has_key, &record->key))
	{
		record->has_key = false;
		record->problem = reader->problem.data;
		return READ_BAD;
	}
	record->data = csv->json.data;
	record->length = csv->json.len;
	return READ_RECORD;
}

ReadResult
csv_next(Reader *reader, Record *record)
{
	Window	   *window = &reader->window;
	CsvReader  *csv = reader->csv;

	for (;;)
	{
		Scan		scan = {.reader = reader,.csv = csv,.line = window->line};
		size_t		end;

		if (!have_byte(&scan))
			return window->broken ? reader_broken(reader, 0, "cannot be read") : READ_END;
		while (byte(&scan) == COMMENT[0] && window->length < strlen(COMMENT) &&
			   window_more(window))
			;
		if (window->length >= strlen(COMMENT) &&
			memcmp(window->data, COMMENT, strlen(COMMENT)) == 0)
		{
			while (have_byte(&scan) && byte(&scan) != '\n')
				scan.at++;
			window_drop(window, Min(scan.at + 1, window->length));
			continue;
		}
		if (at_line_end(&scan, &end))
		{
			/* An empty line is no record with one empty field. */
			window_drop(window, scan.at);
			continue;
		}
		if (csv->header != NULL)
			record_begin(reader, record, 0);
		if (!scan_record(&scan, &end))
		{
			/* What is in memory may begin later. */
			(void) reader_broken(reader, 0, "cannot be read");
			if (!window->broken)
			{
				pg_free(reader->broken);
				reader->broken = psprintf("line " INT64_FORMAT ": the quoted field that begins here never ends",
										  scan.line);
			}
			return READ_BROKEN;
		}
		if (scan.too_long || end > reader->options.max_record)
		{
			window_drop(window, scan.at);
			if (csv->header == NULL)
				return reader_broken(reader, 0, "the header is longer than %zu bytes",
									 reader->options.max_record);
			return record_bad(reader, record, "record is longer than %zu bytes",
							  reader->options.max_record);
		}
		if (csv->header == NULL)
		{
			if (read_header(reader, end) == READ_BROKEN)
				return READ_BROKEN;
			window_drop(window, scan.at);
			continue;
		}
		record->raw = window->data;
		record->raw_length = end;
		reader->used = scan.at;
		return map_record(reader, record);
	}
}
