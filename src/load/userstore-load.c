/*
 * userstore-load.c
 *	  Loads files of users into a table of userstore: the options, and which of
 *	  the tasks it is.
 */
#include "postgres_fe.h"

#include <time.h>
#include <unistd.h>

#include "fe_utils/option_utils.h"
#include "getopt_long.h"

#include "load.h"

#define DEFAULT_BATCH		100
#define DEFAULT_JOBS		2
#define DEFAULT_RETRY_FOR	60

volatile sig_atomic_t stop_requested = 0;
volatile sig_atomic_t stop_reading = 0;

static const char *progname;

/* Long options without a letter. */
enum
{
	OPTION_API = 256,
	OPTION_ATOMIC,
	OPTION_BATCH,
	OPTION_CREATES,
	OPTION_DELIMITER,
	OPTION_DRY_RUN,
	OPTION_EXPORT,
	OPTION_FORMAT,
	OPTION_GUARD,
	OPTION_LOAD_ID,
	OPTION_MAP,
	OPTION_MATCH,
	OPTION_MAX_RECORD,
	OPTION_MISSING,
	OPTION_NO_CREATES,
	OPTION_NO_GUARD,
	OPTION_NO_PROGRESS,
	OPTION_OUTPUT,
	OPTION_PATCH,
	OPTION_PROGRESS,
	OPTION_PUT,
	OPTION_REJECTS,
	OPTION_REQUEST_ID,
	OPTION_RETRY_FOR,
	OPTION_SCOPE,
	OPTION_SYNC,
	OPTION_TO_JSON
};

static const struct option long_options[] = {
	{"api", required_argument, NULL, OPTION_API},
	{"atomic-batches", no_argument, NULL, OPTION_ATOMIC},
	{"batch", required_argument, NULL, OPTION_BATCH},
	{"creates", no_argument, NULL, OPTION_CREATES},
	{"dbname", required_argument, NULL, 'd'},
	{"delimiter", required_argument, NULL, OPTION_DELIMITER},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"export", no_argument, NULL, OPTION_EXPORT},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"guard", required_argument, NULL, OPTION_GUARD},
	{"host", required_argument, NULL, 'h'},
	{"jobs", required_argument, NULL, 'j'},
	{"load-id", required_argument, NULL, OPTION_LOAD_ID},
	{"map", required_argument, NULL, OPTION_MAP},
	{"match", required_argument, NULL, OPTION_MATCH},
	{"max-record", required_argument, NULL, OPTION_MAX_RECORD},
	{"missing", required_argument, NULL, OPTION_MISSING},
	{"no-creates", no_argument, NULL, OPTION_NO_CREATES},
	{"no-guard", no_argument, NULL, OPTION_NO_GUARD},
	{"no-password", no_argument, NULL, 'w'},
	{"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
	{"output", required_argument, NULL, OPTION_OUTPUT},
	{"password", no_argument, NULL, 'W'},
	{"patch", no_argument, NULL, OPTION_PATCH},
	{"port", required_argument, NULL, 'p'},
	{"progress", no_argument, NULL, OPTION_PROGRESS},
	{"put", no_argument, NULL, OPTION_PUT},
	{"quiet", no_argument, NULL, 'q'},
	{"rejects", required_argument, NULL, OPTION_REJECTS},
	{"request-id", required_argument, NULL, OPTION_REQUEST_ID},
	{"retry-for", required_argument, NULL, OPTION_RETRY_FOR},
	{"scope", required_argument, NULL, OPTION_SCOPE},
	{"sync", no_argument, NULL, OPTION_SYNC},
	{"to-json", no_argument, NULL, OPTION_TO_JSON},
	{"username", required_argument, NULL, 'U'},
	{NULL, 0, NULL, 0}
};

static void
help(void)
{
	printf("%s loads files of users into a table of userstore.\n\n", progname);
	printf("Usage:\n");
	printf("  %s [OPTION]... TABLE [FILE]\n", progname);
	printf("  %s [OPTION]... --sync TABLE [FILE]\n", progname);
	printf("  %s [OPTION]... --export TABLE\n", progname);
	printf("  %s [OPTION]... --to-json [FILE]\n", progname);
	printf("\nWithout FILE, or if it is -, standard input is read.  It may be compressed with\n"
		   "gzip.\n");
	printf("\nWhat is done with each record:\n");
	printf("      --put                 replace the user, as the API profile puts (default)\n");
	printf("      --patch               change the attributes that the record has\n");
	printf("      --match=ATTRIBUTE     find users by this attribute rather than by id\n");
	printf("      --creates             create users who are missing\n");
	printf("      --no-creates          reject users who are missing\n");
	printf("      --api=PROFILE         API profile (default: the table's)\n");
	printf("      --request-id=ID       what history says as the request\n");
	printf("      --dry-run             only tell what would be applied or rejected\n");
	printf("\nWhat is read:\n");
	printf("      --format=FORMAT       ndjson, array, scim, oig, csv, or auto (default)\n");
	printf("      --map=MAPPING         which CSV column is which attribute: a JSON object\n"
		   "                            or a file with one\n");
	printf("      --delimiter=CHAR      what stands between CSV fields (default: a comma)\n");
	printf("      --max-record=SIZE     reject records longer than this (default: 16MB)\n");
	printf("\nHow it is sent:\n");
	printf("      --batch=COUNT         records in a transaction (default: %d)\n", DEFAULT_BATCH);
	printf("      --atomic-batches      reject all records of a batch with a bad one\n");
	printf("  -j, --jobs=COUNT          connections to the server (default: %d)\n", DEFAULT_JOBS);
	printf("      --load-id=ID          apply again what was applied under another ID\n");
	printf("      --retry-for=SECONDS   give up when nothing has succeeded for so long\n"
		   "                            (default: %d)\n", DEFAULT_RETRY_FOR);
	printf("\nWhat is told:\n");
	printf("      --rejects=FILE        write rejected records to FILE, with the reasons\n");
	printf("      --progress            show how far it is, although --quiet is given\n");
	printf("      --no-progress         do not show how far it is\n");
	printf("  -q, --quiet               tell of errors and rejected records only\n");
	printf("\nInstead of loading:\n");
	printf("      --to-json             write the records to standard output, as NDJSON\n");
	printf("      --export              write all users of TABLE, as NDJSON\n");
	printf("      --output=FILE         write them to FILE\n");
	printf("      --sync                make TABLE as the input says, all in one transaction\n");
	printf("      --missing=ACTION      do with users who are not in the input: ignore\n"
		   "                            (default), deactivate or delete\n");
	printf("      --scope=FILTER        users who do not match this are not missing\n");
	printf("      --guard=GUARD         do nothing at all if too many would be changed:\n"
		   "                            a JSON object such as {\"deactivated\": 0.05}\n");
	printf("      --no-guard            whatever would be changed\n");
	printf("\nConnection options:\n");
	printf("  -d, --dbname=DBNAME       database name or connection string\n");
	printf("  -h, --host=HOSTNAME       database server host or socket directory\n");
	printf("  -p, --port=PORT           database server port\n");
	printf("  -U, --username=USERNAME   database user name\n");
	printf("  -w, --no-password         never prompt for password\n");
	printf("  -W, --password            force password prompt\n");
	printf("\nOther options:\n");
	printf("  -V, --version             output version information, then exit\n");
	printf("  -?, --help                show this help, then exit\n");
	printf("\nIt ends with 0 if all records were applied, 1 if some were rejected, 2 if it\n"
		   "failed.\n");
}

/* What the options come to is no task. */
#define USAGE_ERROR(...) \
	do { \
		pg_log_error(__VA_ARGS__); \
		pg_log_error_hint("Try \"%s --help\" for more information.", progname); \
		exit(EXIT_FAILED); \
	} while (0)

/* Tasks, and which options they have. */
#define TASK_LOAD		1
#define TASK_SYNC		2
#define TASK_EXPORT		4
#define TASK_CONVERT	8
#define TASK_ANY		15

static const struct
{
	int			option;
	int			tasks;
}			tasks_of[] = {
	{OPTION_PUT, TASK_LOAD | TASK_SYNC},
	{OPTION_PATCH, TASK_LOAD | TASK_SYNC},
	{OPTION_MATCH, TASK_LOAD | TASK_SYNC},
	{OPTION_CREATES, TASK_LOAD},
	{OPTION_NO_CREATES, TASK_LOAD},
	{OPTION_API, TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{OPTION_REQUEST_ID, TASK_LOAD | TASK_SYNC},
	{OPTION_DRY_RUN, TASK_LOAD | TASK_SYNC},
	{OPTION_FORMAT, TASK_LOAD | TASK_SYNC | TASK_CONVERT},
	{OPTION_MAP, TASK_LOAD | TASK_SYNC | TASK_CONVERT},
	{OPTION_DELIMITER, TASK_LOAD | TASK_SYNC | TASK_CONVERT},
	{OPTION_MAX_RECORD, TASK_LOAD | TASK_SYNC | TASK_CONVERT},
	{OPTION_BATCH, TASK_LOAD},
	{OPTION_ATOMIC, TASK_LOAD},
	{'j', TASK_LOAD},
	{OPTION_LOAD_ID, TASK_LOAD},
	{OPTION_RETRY_FOR, TASK_LOAD},
	{OPTION_REJECTS, TASK_LOAD},
	{OPTION_PROGRESS, TASK_LOAD},
	{OPTION_NO_PROGRESS, TASK_LOAD},
	{'q', TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{OPTION_SYNC, TASK_SYNC},
	{OPTION_MISSING, TASK_SYNC},
	{OPTION_SCOPE, TASK_SYNC},
	{OPTION_GUARD, TASK_SYNC},
	{OPTION_NO_GUARD, TASK_SYNC},
	{OPTION_EXPORT, TASK_EXPORT},
	{OPTION_OUTPUT, TASK_EXPORT},
	{OPTION_TO_JSON, TASK_CONVERT},
	{'d', TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{'h', TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{'p', TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{'U', TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{'w', TASK_LOAD | TASK_SYNC | TASK_EXPORT},
	{'W', TASK_LOAD | TASK_SYNC | TASK_EXPORT}
};

/* Of these, one alone. */
static const int alternatives[][2] = {
	{OPTION_SYNC, OPTION_EXPORT},
	{OPTION_SYNC, OPTION_TO_JSON},
	{OPTION_EXPORT, OPTION_TO_JSON},
	{OPTION_PUT, OPTION_PATCH},
	{OPTION_CREATES, OPTION_NO_CREATES},
	{OPTION_GUARD, OPTION_NO_GUARD},
	{OPTION_PROGRESS, OPTION_NO_PROGRESS},
	{'w', 'W'}
};

#define MAX_OPTION	512

static bool given[MAX_OPTION];

static const char *
option_name(int option)
{
	for (const struct option *known = long_options; known->name != NULL; known++)
	{
		if (known->val == option)
			return known->name;
	}
	return "?";
}

/* A word out of a list that ends with NULL: its place in it. */
static int
parse_word(const char *word, int option, const char *const *words)
{
	PQExpBufferData list;

	initPQExpBuffer(&list);
	for (int i = 0; words[i] != NULL; i++)
	{
		if (strcmp(word, words[i]) == 0)
			return i;
		appendPQExpBuffer(&list, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	pg_log_error("invalid value \"%s\" for option --%s", word, option_name(option));
	pg_log_error_hint("It is one of: %s.", list.data);
	exit(EXIT_FAILED);
}

static int
parse_number(const char *number, int option, int min, int max)
{
	char		name[64];
	int			value;

	snprintf(name, sizeof(name), "--%s", option_name(option));
	if (!option_parse_int(number, name, min, max, &value))
		exit(EXIT_FAILED);
	return value;
}

/* As settings of the server have them: 64kB, 16MB. */
static size_t
parse_size(const char *text, int option, size_t max)
{
	static const struct
	{
		const char *unit;
		size_t		size;
	}			units[] = {{"B", 1}, {"kB", 1024}, {"MB", 1024 * 1024}};
	char	   *unit;
	unsigned long number = strtoul(text, &unit, 10);

	for (int i = 0; i < lengthof(units); i++)
	{
		if (strcmp(unit, units[i].unit) == 0 && isdigit((unsigned char) text[0]) &&
			number > 0 && number <= max / units[i].size)
			return number * units[i].size;
	}
	pg_log_error("invalid value \"%s\" for option --%s", text, option_name(option));
	pg_log_error_hint("It is a number with a unit, as 64kB or 16MB, of at most %zuMB.",
					  max / (1024 * 1024));
	exit(EXIT_FAILED);
}

static char
parse_delimiter(const char *delimiter)
{
	if (strcmp(delimiter, "tab") == 0 || strcmp(delimiter, "\\t") == 0)
		return '\t';
	if (strlen(delimiter) != 1 || strchr("\"\r\n", delimiter[0]) != NULL)
		USAGE_ERROR("a delimiter is one character, or \"tab\": \"%s\"", delimiter);
	return delimiter[0];
}

static void
take_option(LoadOptions *options, int option, char *value)
{
	static const char *const formats[] = {"auto", "ndjson", "array", "scim", "oig", "csv", NULL};
	static const char *const actions[] = {"ignore", "deactivate", "delete", NULL};

	switch (option)
	{
		case 'd':
			options->dbname = value;
			break;
		case 'h':
			options->host = value;
			break;
		case 'p':
			options->port = value;
			break;
		case 'U':
			options->username = value;
			break;
		case 'w':
			options->prompt = CHOICE_NO;
			break;
		case 'W':
			options->prompt = CHOICE_YES;
			break;
		case 'j':
			options->jobs = parse_number(value, option, 1, 100);
			break;
		case 'q':
			options->quiet = true;
			break;
		case OPTION_PUT:
			break;
		case OPTION_PATCH:
			options->patch = true;
			break;
		case OPTION_MATCH:
			options->match = options->reader.key = value;
			break;
		case OPTION_CREATES:
			options->creates = CHOICE_YES;
			break;
		case OPTION_NO_CREATES:
			options->creates = CHOICE_NO;
			break;
		case OPTION_API:
			options->api = value;
			break;
		case OPTION_REQUEST_ID:
			options->request_id = value;
			break;
		case OPTION_DRY_RUN:
			options->dry_run = true;
			break;
		case OPTION_FORMAT:
			options->reader.format = (InputFormat) parse_word(value, option, formats);
			break;
		case OPTION_MAP:
			options->reader.mapping = value;
			break;
		case OPTION_DELIMITER:
			options->reader.delimiter = parse_delimiter(value);
			break;
		case OPTION_MAX_RECORD:
			options->reader.max_record = parse_size(value, option, (size_t) 256 * 1024 * 1024);
			break;
		case OPTION_BATCH:
			options->batch = parse_number(value, option, 1, 10000);
			break;
		case OPTION_ATOMIC:
			options->atomic = true;
			break;
		case OPTION_LOAD_ID:
			options->load_id = value;
			break;
		case OPTION_RETRY_FOR:
			options->retry_for = parse_number(value, option, 0, 1000000);
			break;
		case OPTION_REJECTS:
			options->rejects = value;
			break;
		case OPTION_PROGRESS:
			options->progress = CHOICE_YES;
			break;
		case OPTION_NO_PROGRESS:
			options->progress = CHOICE_NO;
			break;
		case OPTION_SYNC:
			options->syncs = true;
			break;
		case OPTION_MISSING:
			options->missing = actions[parse_word(value, option, actions)];
			break;
		case OPTION_SCOPE:
			options->scope = value;
			break;
		case OPTION_GUARD:
			options->guard = value;
			break;
		case OPTION_NO_GUARD:
			options->no_guard = true;
			break;
		case OPTION_EXPORT:
			options->exports = true;
			break;
		case OPTION_OUTPUT:
			options->output = value;
			break;
		case OPTION_TO_JSON:
			options->to_json = true;
			break;
	}
	given[option] = true;
}

/* Options that do not go together. */
static void
check_options(const LoadOptions *options)
{
	int			task = options->syncs ? TASK_SYNC : options->exports ? TASK_EXPORT :
	options->to_json ? TASK_CONVERT : TASK_LOAD;

	for (int i = 0; i < lengthof(alternatives); i++)
	{
		if (given[alternatives[i][0]] && given[alternatives[i][1]])
			USAGE_ERROR("options --%s and --%s cannot be used together",
						option_name(alternatives[i][0]), option_name(alternatives[i][1]));
	}
	for (int i = 0; i < lengthof(tasks_of); i++)
	{
		int			option = tasks_of[i].option;

		if (!given[option] || (tasks_of[i].tasks & task))
			continue;
		if (task == TASK_LOAD)
			USAGE_ERROR("option --%s can only be used with --%s", option_name(option),
						tasks_of[i].tasks & TASK_SYNC ? "sync" : "export");
		USAGE_ERROR("options --%s and --%s cannot be used together", option_name(option),
					task == TASK_SYNC ? "sync" : task == TASK_EXPORT ? "export" : "to-json");
	}
	if (options->missing != NULL && strcmp(options->missing, "ignore") != 0 &&
		options->guard == NULL && !options->no_guard)
		USAGE_ERROR("--missing=%s needs --guard or --no-guard", options->missing);
	if ((given[OPTION_MAP] || given[OPTION_DELIMITER]) && given[OPTION_FORMAT] &&
		options->reader.format != FORMAT_AUTO && options->reader.format != FORMAT_CSV)
		USAGE_ERROR("option --%s is for the format csv",
					given[OPTION_MAP] ? "map" : "delimiter");
}

static void
take_arguments(LoadOptions *options, int argc, char **argv)
{
	if (!options->to_json)
	{
		if (optind >= argc)
			USAGE_ERROR("no table is given");
		options->table = argv[optind++];
	}
	if (!options->exports && optind < argc)
		options->reader.path = argv[optind++];
	if (optind < argc)
		USAGE_ERROR("too many command-line arguments (first is \"%s\")", argv[optind]);
}

/* Stop; the second time, at once. */
static void
handle_signal(int signal_number)
{
	stop_requested = stop_reading = 1;
	signal(signal_number, SIG_DFL);
}

/* Calls that wait for input must be interrupted: no SA_RESTART. */
static void
setup_signals(void)
{
	struct sigaction action = {.sa_handler = handle_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* what cannot be written is an error like others */
	signal(SIGPIPE, SIG_IGN);
}

int64
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64CONST(1000000) + now.tv_nsec / 1000;
}

int
main(int argc, char **argv)
{
	LoadOptions options = {
		.reader.key = "id",
		.reader.stop = &stop_reading,
		.batch = DEFAULT_BATCH,
		.jobs = DEFAULT_JOBS,
		.retry_for = DEFAULT_RETRY_FOR
	};
	int			option;

	pg_logging_init(argv[0]);
	progname = get_progname(argv[0]);
	set_pglocale_pgservice(argv[0], PG_TEXTDOMAIN("userstore-load"));

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0))
	{
		help();
		return EXIT_APPLIED;
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
	{
		printf("userstore-load (userstore) %s\n", USERSTORE_VERSION);
		return EXIT_APPLIED;
	}
	while ((option = getopt_long(argc, argv, "d:h:j:p:qU:wW", long_options, NULL)) != -1)
	{
		if (option == '?')
		{
			/* getopt_long() has said why */
			pg_log_error_hint("Try \"%s --help\" for more information.", progname);
			return EXIT_FAILED;
		}
		take_option(&options, option, optarg);
	}
	check_options(&options);
	take_arguments(&options, argc, argv);

	if (options.exports)
		return export_users(&options);
	if (options.syncs)
		return sync_users(&options);
	setup_signals();
	if (options.to_json)
		return convert_users(&options);
	return load_users(&options);
}
