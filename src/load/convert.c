/*
 * convert.c
 *	  Records of any format as NDJSON on standard output.
 */
#include "postgres_fe.h"

#include "load.h"

static int
refuse_write(void)
{
	pg_log_error("could not write to standard output: %m");
	return EXIT_FAILED;
}

int
convert_users(const LoadOptions *options)
{
	Reader	   *reader = reader_open(&options->reader);
	int			status = EXIT_APPLIED;
	Record		record;
	ReadResult	result;

	while ((result = reader_next(reader, &record)) == READ_RECORD || result == READ_BAD)
	{
		if (result == READ_RECORD)
		{
			write_json_line(stdout, record.data, record.length);
			if (ferror(stdout))
				return refuse_write();
			continue;
		}
		pg_log_warning("line " INT64_FORMAT ": %s", record.line, record.problem);
		status = EXIT_REJECTED;
	}
	if (fflush(stdout) != 0)
		return refuse_write();
	if (result == READ_BROKEN)
	{
		pg_log_error("%s", reader_problem(reader));
		status = EXIT_FAILED;
	}
	reader_close(reader);
	return status;
}
