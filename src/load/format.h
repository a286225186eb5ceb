/*
 * format.h
 *	  What the readers of the formats share.
 */
#ifndef LOAD_FORMAT_H
#define LOAD_FORMAT_H

#include "json.h"
#include "key.h"
#include "pqexpbuffer.h"
#include "reader.h"
#include "window.h"

typedef struct CsvReader CsvReader;
typedef struct ListReader ListReader;

struct Reader
{
	ReaderOptions options;
	InputFormat format;			/* FORMAT_AUTO until it is known */
	bool		begun;
	Input	   *input;
	Window		window;
	size_t		used;			/* of the window: what was returned, to be
								 * dropped at the next call */
	int64		number;			/* of records so far */
	JsonParser *json;
	Key		   *key;
	PQExpBufferData problem;	/* of the last record that is none */
	char	   *broken;			/* why nothing more can be read */
	char	   *incomplete;
	CsvReader  *csv;
	ListReader *list;
};

/* Each reads a record of its format. */
extern ReadResult ndjson_next(Reader *reader, Record *record);
extern ReadResult list_next(Reader *reader, Record *record);
extern ReadResult csv_next(Reader *reader, Record *record);

extern void list_free(ListReader *list);
extern void csv_free(CsvReader *csv);
extern CsvReader *csv_new(const ReaderOptions *options);
extern const char *csv_header(const CsvReader *csv, size_t *length);

/*
 * Which of the formats that begin with a brace it is.  Reads as far as it has
 * to, and drops nothing.
 */
extern InputFormat list_detect(Reader *reader, size_t begin);

/* A record begins at this place of the window. */
extern void record_begin(Reader *reader, Record *record, size_t place);

/* READ_BAD, with record->problem. */
extern ReadResult record_bad(Reader *reader, Record *record, const char *format,...) pg_attribute_printf(3, 4);

/*
 * READ_BROKEN, with the line and byte of this place of the window, unless the
 * input has a problem of its own.
 */
extern ReadResult reader_broken(Reader *reader, size_t place, const char *format,...) pg_attribute_printf(3, 4);

/*
 * What is to be said of a record that the parser took, a whole JSON value:
 * whether it is UTF-8 and an object, and its key.
 */
extern ReadResult record_judge(Reader *reader, Record *record);

/* The same of one that is plain, whose key is known. */
extern ReadResult record_plain(Reader *reader, Record *record);

#endif
