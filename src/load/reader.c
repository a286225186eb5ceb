/*
 * reader.c
 *	  Records out of a file of users, whatever its format.
 */
#include "postgres_fe.h"

#include "reader.h"

struct Reader
{
	ReaderOptions options;
};

Reader *
reader_open(const ReaderOptions *options)
{
	Reader	   *reader = pg_malloc0(sizeof(Reader));

	reader->options = *options;
	return reader;
}

ReadResult
reader_next(Reader *reader, Record *record)
{
	return READ_END;
}

void
reader_close(Reader *reader)
{
	pg_free(reader);
}

const char *
reader_problem(const Reader *reader)
{
	return NULL;
}

const char *
reader_incomplete(const Reader *reader)
{
	return NULL;
}

InputFormat
reader_format(const Reader *reader)
{
	return reader->options.format;
}

const char *
reader_header(const Reader *reader, size_t *length)
{
	return NULL;
}

int64
reader_bytes_read(const Reader *reader)
{
	return 0;
}

int64
reader_bytes_total(const Reader *reader)
{
	return -1;
}
