/*
 * rejects.c
 *	  Rejected records and why: in a file that can be loaded once it is mended,
 *	  or the first of them on standard error.
 */
#include "postgres_fe.h"

#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

/* So many are told of where there is no file for them. */
#define MAX_TOLD	10

static const char *path;
static FILE *file;
static bool has_header;
static int64 told;

/* The file of records is not overwritten with those that it rejects. */
static bool
is_input(const LoadOptions *options)
{
	struct stat input;
	struct stat rejects;

	if (options->reader.path == NULL || strcmp(options->reader.path, "-") == 0)
		return fstat(STDIN_FILENO, &input) == 0 && S_ISREG(input.st_mode) &&
			stat(path, &rejects) == 0 && input.st_dev == rejects.st_dev &&
			input.st_ino == rejects.st_ino;
	return stat(options->reader.path, &input) == 0 && stat(path, &rejects) == 0 &&
		input.st_dev == rejects.st_dev && input.st_ino == rejects.st_ino;
}

static bool
refuse_write(void)
{
	pg_log_error("could not write to file \"%s\": %m", path);
	return false;
}

/* Before anything is sent. */
void
rejects_open(const LoadOptions *options)
{
	path = options->rejects;
	if (path == NULL)
		return;
	if (is_input(options))
		pg_fatal("file \"%s\" for rejected records is the input itself", path);
	file = fopen(path, "w");
	if (file == NULL)
		pg_fatal("could not open file \"%s\": %m", path);
}

static void
write_record(const Reader *reader, const char *text, size_t length)
{
	if (reader_format(reader) != FORMAT_CSV)
	{
		write_json_line(file, text, length);
		return;
	}
	fwrite(text, 1, length, file);
	putc('\n', file);
}

static void
write_header(const Reader *reader)
{
	size_t		length;
	const char *header = reader_header(reader, &length);

	if (header != NULL)
		write_record(reader, header, length);
	has_header = true;
}

/* Gives false when it could not be written. */
bool
rejects_add(const Reader *reader, const Batch *batch, const BatchRecord *record)
{
	if (path == NULL)
	{
		if (told++ < MAX_TOLD)
			pg_log_warning("line " INT64_FORMAT ": %s", record->line, record->reason);
		else if (told == MAX_TOLD + 1)
			pg_log_warning("further rejected records are counted only; --rejects keeps them in a file");
		return true;
	}
	if (!has_header)
		write_header(reader);
	fprintf(file, "# line " INT64_FORMAT ": %s%s\n", record->line, record->reason,
			record->raw_lost ? " (left out here)" : "");
	if (record->raw != NULL)
		write_record(reader, record->raw, record->raw_length);
	else if (!record->raw_lost)
		write_record(reader, batch->body.data + record->start, record->length);
	return ferror(file) ? refuse_write() : true;
}

/* What was added is in the file, as far as the program goes. */
bool
rejects_flush(void)
{
	return file == NULL || fflush(file) == 0 || refuse_write();
}

bool
rejects_close(void)
{
	FILE	   *closed = file;

	file = NULL;
	return closed == NULL || fclose(closed) == 0 || refuse_write();
}
