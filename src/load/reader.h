/*
 * reader.h
 *	  Records out of a file of users, whatever its format.
 *
 * The bytes of a record are those of the input: nothing is written anew but
 * what a mapping makes of CSV.
 */
#ifndef LOAD_READER_H
#define LOAD_READER_H

#include <signal.h>

typedef enum InputFormat
{
	FORMAT_AUTO,
	FORMAT_NDJSON,				/* a record a line */
	FORMAT_ARRAY,				/* one JSON array of records */
	FORMAT_SCIM,				/* ListResponse of RFC 7644 section 3.4.2 */
	FORMAT_OIG,					/* bulk body of Oracle Identity Governance */
	FORMAT_CSV					/* RFC 4180, with a header */
} InputFormat;

typedef struct ReaderOptions
{
	const char *path;			/* NULL or "-": standard input */
	InputFormat format;
	const char *mapping;		/* for CSV: a JSON object, or the name of a
								 * file with one; or NULL */
	char		delimiter;		/* for CSV; 0 is a comma */
	const char *key;			/* attribute by which users are told apart:
								 * "id", or that of --match */
	size_t		max_record;		/* longer ones are bad; 0 is 16 MB */
	const volatile sig_atomic_t *stop;	/* NULL, or ends reading when set:
										 * READ_BROKEN */
	bool		(*wait) (void *arg, int fd);	/* NULL, or called when
												 * reading would block: does
												 * other things until it would
												 * not, if it gives true */
	void	   *wait_arg;
} ReaderOptions;

typedef enum ReadResult
{
	READ_RECORD,				/* a record, in *record until the next call */
	READ_BAD,					/* one that is no record: record->problem says
								 * why; reading can go on */
	READ_END,					/* all was read */
	READ_BROKEN					/* nothing more can be read: reader_problem()
								 * says why */
} ReadResult;

typedef struct Record
{
	int64		number;			/* from 1 */
	int64		line;			/* where it begins, from 1 */
	const char *data;			/* the JSON text of it */
	size_t		length;
	const char *raw;			/* as it stands in the input: of NDJSON the
								 * line without its end, of CSV the record
								 * without its end.  NULL if it is longer than
								 * max_record */
	size_t		raw_length;
	bool		has_key;		/* whether it has the attribute options->key */
	uint64		key;			/* hash of that: equal, whenever the server
								 * could take the values for equal */
	const char *problem;		/* READ_BAD: a line for a message */
} Record;

typedef struct Reader Reader;

/* pg_fatal() when the input cannot be opened or the mapping is none. */
extern Reader *reader_open(const ReaderOptions *options);
extern ReadResult reader_next(Reader *reader, Record *record);
extern void reader_close(Reader *reader);

/*
 * Writes JSON as a line of NDJSON: the ends of lines in it, which can only be
 * between its tokens, become spaces.  ferror() tells how that went.
 */
extern void write_json_line(FILE *file, const char *data, size_t length);

/* READ_BROKEN: why, with line and byte. */
extern const char *reader_problem(const Reader *reader);

/* After READ_END: what makes the input less than a whole list, or NULL. */
extern const char *reader_incomplete(const Reader *reader);

/* After the first reader_next(): what the input is, never FORMAT_AUTO. */
extern InputFormat reader_format(const Reader *reader);

/* The header of CSV as it stands, without its end, for the file of rejected
 * records; else NULL. */
extern const char *reader_header(const Reader *reader, size_t *length);

/* Of the file itself: compressed bytes, where it is compressed.  The total is
 * -1 where it cannot be known. */
extern int64 reader_bytes_read(const Reader *reader);
extern int64 reader_bytes_total(const Reader *reader);

#endif
