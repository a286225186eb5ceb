/*
 * userstore-load.c
 *	  Loads files of users through the bulk functions of userstore.
 */
#include "postgres_fe.h"

#include "common/logging.h"
#include "fe_utils/option_utils.h"
#include "getopt_long.h"

#include "reader.h"

static const char *progname;

static void
help(const char *name)
{
	printf("%s --to-json [FILE]\n", name);
}

int
main(int argc, char **argv)
{
	static struct option long_options[] = {
		{"to-json", no_argument, NULL, 1},
		{"format", required_argument, NULL, 2},
		{"map", required_argument, NULL, 3},
		{"delimiter", required_argument, NULL, 4},
		{"match", required_argument, NULL, 5},
		{"max-record", required_argument, NULL, 6},
		{NULL, 0, NULL, 0}
	};
	static const char *const formats[] = {
		"auto", "ndjson", "array", "scim", "oig", "csv"
	};
	ReaderOptions options = {.key = "id"};
	Reader	   *reader;
	Record		record;
	ReadResult	result;
	int			status = 0;
	int			c;

	pg_logging_init(argv[0]);
	set_pglocale_pgservice(argv[0], "userstore-load");
	progname = get_progname(argv[0]);
	handle_help_version_opts(argc, argv, progname, help);

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
	{
		switch (c)
		{
			case 1:
				break;
			case 2:
				for (int i = 0; i < (int) lengthof(formats); i++)
				{
					if (strcmp(optarg, formats[i]) == 0)
						options.format = (InputFormat) i;
				}
				break;
			case 3:
				options.mapping = optarg;
				break;
			case 4:
				options.delimiter = optarg[0];
				break;
			case 5:
				options.key = optarg;
				break;
			case 6:
				options.max_record = strtoul(optarg, NULL, 10);
				break;
			default:
				pg_log_error_hint("Try \"%s --help\" for more information.",
								  progname);
				exit(2);
		}
	}
	options.path = argv[optind];

	reader = reader_open(&options);
	while ((result = reader_next(reader, &record)) == READ_RECORD ||
		   result == READ_BAD)
	{
		if (result == READ_RECORD)
		{
			write_json_line(stdout, record.data, record.length);
		}
		else
		{
			pg_log_error("line " INT64_FORMAT ": %s", record.line, record.problem);
			status = 1;
		}
	}
	if (result == READ_BROKEN)
	{
		pg_log_error("%s", reader_problem(reader));
		status = 2;
	}
	reader_close(reader);
	if (fflush(stdout) != 0)
	{
		pg_log_error("could not write to standard output: %m");
		status = 2;
	}
	return status;
}
