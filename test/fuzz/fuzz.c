/*
 * fuzz.c
 *	  fuzz(): run libFuzzer inside a backend, and judge each run.
 *
 * What is found out ends the backend by abort(), as a sanitizer does: then
 * libFuzzer writes the input to a file.  To be found are, besides what the
 * sanitizers see: errors that are not for users, or not in the form of ours;
 * runs that take too long or too much memory; memory that is not given back;
 * and whatever a target expects and does not get.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sanitizer/allocator_interface.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "core/errors.h"

/* Of one run, under sanitizers on a machine that has other things to do. */
#define MAX_RUN_MS		10000
#define MAX_RUN_BYTES	(512 * 1024 * 1024)

/* So much may stay behind of all runs together: caches are filled. */
#define MAX_LEFT_BYTES	(4 * 1024 * 1024)
#define RUNS_TO_WARM_UP	2000
#define RUNS_TO_CHECK	500

/* Names from requests are shortened where messages show them. */
#define MAX_MESSAGE_BYTES	1000

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fuzz);

const FuzzTarget *fuzz_target;
List	   *fuzz_apis;

static const FuzzTarget *const targets[] = {
	&filter_target,
	&scim_patch_target,
	&json_patch_target,
	&body_target,
	&http_target,
	&planted_target,
};

static MemoryContext run_context;
static TimeoutId run_timeout;
static int64 run_start_ms;		/* of the processor's time */
static int64 runs;
static int64 left_before;		/* what stayed behind when all was warm */
static int64 heap_growth;		/* of malloc(), in all runs */

/* Which counters of the core's code have ever counted. */
static uint8 *covered;

static bool is_driving = false;
static sigjmp_buf driver_end;
static int	driver_status;
static ErrorData *driver_error;

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv,
								int (*run) (const uint8 *data, size_t size));
extern void __wrap_exit(int status) pg_attribute_noreturn();
extern void __real_exit(int status) pg_attribute_noreturn();

/* One byte for each edge of the instrumented code, in libFuzzer's order. */
extern uint8 __start___sancov_cntrs[] __attribute__((visibility("hidden")));
extern uint8 __stop___sancov_cntrs[] __attribute__((visibility("hidden")));

/*
 * Judging
 */

void
finding(const char *format,...)
{
	va_list		args;

	fputs("finding: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static int
max_run_ms(void)
{
	return fuzz_target->max_ms > 0 ? fuzz_target->max_ms : MAX_RUN_MS;
}

static int64
cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * INT64CONST(1000) + now.tv_nsec / 1000000;
}

/*
 * Time has passed, but a machine that is busy with something else, or stands
 * still, is no finding: what counts is what the run had of the processor.
 */
static void
run_too_long(void)
{
	static const char message[] = "finding: the run takes too long\n";

	if (cpu_ms() - run_start_ms < max_run_ms())
		return;
	(void) write(STDERR_FILENO, message, sizeof(message) - 1);
	abort();
}

static bool
is_one_line(const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (*c < ' ' || *c == 0x7f)
			return false;
	}
	return true;
}

static bool
may_end_with(int sqlstate)
{
	if (sqlstate == ERRCODE_USER_BAD_REQUEST)
		return true;
	for (int i = 0; i < lengthof(fuzz_target->errors); i++)
	{
		if (sqlstate == fuzz_target->errors[i])
			return true;
	}
	return false;
}

/* An error is one of those that are documented, and in their form. */
static void
judge_error(ErrorData *error)
{
	const char *code = unpack_sql_state(error->sqlerrcode);
	Jsonb	   *detail;

	if (!may_end_with(error->sqlerrcode))
		finding("SQLSTATE %s: %s", code, error->message);
	if (!is_one_line(error->message) || strlen(error->message) > MAX_MESSAGE_BYTES ||
		!pg_verifymbstr(error->message, strlen(error->message), true))
		finding("not a short line: %s", error->message);
	if (error->detail == NULL || (detail = json_read(error->detail)) == NULL ||
		!JB_ROOT_IS_OBJECT(detail))
		finding("the detail of \"%s\" is no object: %s", error->message,
				error->detail ? error->detail : "none");
	if (error->hint != NULL && !pg_verifymbstr(error->hint, strlen(error->hint), true))
		finding("the hint of \"%s\" is not encoded well", error->message);
}

/* Has somebody asked this backend to end? */
static bool
is_for_us(int sqlstate)
{
	return sqlstate == ERRCODE_QUERY_CANCELED || sqlstate == ERRCODE_ADMIN_SHUTDOWN ||
		sqlstate == ERRCODE_CRASH_SHUTDOWN;
}

static ErrorData *
take_error(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	if (is_for_us(error->sqlerrcode))
	{
		driver_error = error;
		siglongjmp(driver_end, 1);
	}
	return error;
}

/* The error in which something ends, or NULL. */
static ErrorData *
error_of(void (*work) (void *), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		work(arg);
	}
	PG_CATCH();
	{
		error = take_error(context);
	}
	PG_END_TRY();
	return error;
}

/*
 * Do something that may end in one of our errors; gives false then.
 */
bool
attempt(void (*work) (void *), void *arg)
{
	ErrorData  *error = error_of(work, arg);

	if (error != NULL)
		judge_error(error);
	return error == NULL;
}

/* Do something that must not end in any error. */
void
must(void (*work) (void *), void *arg)
{
	ErrorData  *error = error_of(work, arg);

	if (error != NULL)
		finding("an error where there must be none: SQLSTATE %s: %s",
				unpack_sql_state(error->sqlerrcode), error->message);
}

/*
 * Input
 */

/*
 * Text as a jsonb, in memory of just its size; NULL when it is none.
 */
Jsonb *
json_read(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile read = NULL;
	Jsonb	   *jsonb;

	PG_TRY();
	{
		read = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		(void) take_error(context);
	}
	PG_END_TRY();
	if (read == NULL)
		return NULL;
	jsonb = palloc(VARSIZE(read));
	memcpy(jsonb, read, VARSIZE(read));
	return jsonb;
}

typedef struct Reading
{
	Jsonb	   *jsonb;
	JsonbValue *tree;
} Reading;

static void
read_tree(void *arg)
{
	Reading    *reading = arg;

	reading->tree = document_from_jsonb(reading->jsonb);
}

/* The tree of a jsonb, or NULL when it is refused. */
JsonbValue *
tree_read(Jsonb *jsonb)
{
	Reading		reading = {jsonb, NULL};

	return attempt(read_tree, &reading) ? reading.tree : NULL;
}

/* What no text of this server can hold becomes a question mark. */
static char *
read_text(const char *data, int size)
{
	char	   *string = palloc(size + 1);
	int			at = 0;

	memcpy(string, data, size);
	string[size] = '\0';
	while (at < size)
	{
		int			len = -1;

		if (string[at] != '\0')
			len = pg_encoding_verifymbchar(GetDatabaseEncoding(), string + at, size - at);
		if (len < 0)
			string[at] = '?';
		at += Max(len, 1);
	}
	return string;
}

/* The profile of a name; those that nobody knows stand for one of them, too. */
static const FuzzApi *
find_api(const char *name)
{
	uint32		sum = 0;
	ListCell   *lc;

	foreach(lc, fuzz_apis)
	{
		FuzzApi    *api = lfirst(lc);

		if (strcmp(api->profile->name, name) == 0)
			return api;
	}
	for (const char *c = name; *c; c++)
		sum += (unsigned char) *c;
	return list_nth(fuzz_apis, sum % list_length(fuzz_apis));
}

/*
 * An input in its parts; NULL when there is no such document.
 */
FuzzInput *
input_read(const char *data, int size)
{
	FuzzInput  *input = palloc0(sizeof(FuzzInput));
	const char *end = data + size;
	const char *line = memchr(data, '\n', size);
	const char *rest = line != NULL ? memchr(line + 1, '\n', end - line - 1) : NULL;
	char	   *name;
	char	   *word;

	if (rest == NULL)
		return NULL;
	name = read_text(data, line - data);
	word = strchr(name, ' ');
	if (word != NULL)
		*word++ = '\0';
	input->word = word != NULL ? word : "";
	input->api = find_api(name);
	input->document = json_read(read_text(line + 1, rest - line - 1));
	input->request = read_text(rest + 1, end - rest - 1);
	/* a table takes no others */
	if (input->document == NULL || !JB_ROOT_IS_OBJECT(input->document) ||
		tree_read(input->document) == NULL)
		return NULL;
	return input;
}

/*
 * Running
 */

static void
run_target(void *arg)
{
	fuzz_target->run(arg);
}

/* Of what runs leave behind, caches fill up and leaks grow. */
static void
check_memory(void)
{
	int64		left;

	if (heap_growth > 4 * MAX_LEFT_BYTES)
		finding("malloc: " INT64_FORMAT " bytes were not freed in " INT64_FORMAT " runs",
				heap_growth, runs);
	if (runs % RUNS_TO_CHECK != 0)
		return;
	left = allocated_bytes();
	if (runs == RUNS_TO_WARM_UP)
		left_before = left;
	else if (runs > RUNS_TO_WARM_UP && left > left_before + MAX_LEFT_BYTES)
	{
		MemoryContextStats(TopMemoryContext);
		finding("memory contexts: " INT64_FORMAT " bytes were not freed in " INT64_FORMAT " runs",
				left - left_before, runs);
	}
}

static void
note_coverage(void)
{
	int			count = __stop___sancov_cntrs - __start___sancov_cntrs;

	for (int i = 0; i < count; i++)
		covered[i] |= __start___sancov_cntrs[i];
}

static int
run_one(const uint8 *data, size_t size)
{
	MemoryContext old = MemoryContextSwitchTo(run_context);
	int64		heap = __sanitizer_get_current_allocated_bytes();
	FuzzInput  *input;

	CHECK_FOR_INTERRUPTS();
	run_start_ms = cpu_ms();
	enable_timeout_every(run_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), max_run_ms()),
						 max_run_ms());
	input = input_read((const char *) data, size);
	if (input != NULL)
		must(run_target, input);
	if (chunk_bytes() > MAX_RUN_BYTES)
		finding("the run takes too much memory");
	disable_timeout(run_timeout, false);
	MemoryContextSwitchTo(old);
	MemoryContextReset(run_context);
	runs++;
	if (runs > RUNS_TO_WARM_UP)
		heap_growth += (int64) __sanitizer_get_current_allocated_bytes() - heap;
	check_memory();
	note_coverage();
	return 0;
}

/* libFuzzer ends when it is done; the backend goes on. */
void
__wrap_exit(int status)
{
	if (!is_driving)
		__real_exit(status);
	driver_status = status;
	siglongjmp(driver_end, 1);
}

static void
drive(int argc, char **argv)
{
	driver_status = 0;
	driver_error = NULL;
	is_driving = true;
	if (sigsetjmp(driver_end, 0) == 0)
		driver_status = LLVMFuzzerRunDriver(&argc, &argv, run_one);
	is_driving = false;
	if (driver_error != NULL)
		ReThrowError(driver_error);
	if (driver_status != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("libFuzzer ends with status %d", driver_status)));
}

/*
 * Setting out
 */

static void
collect_attributes(const AttributeSet *set, List **attributes)
{
	for (int i = 0; i < set->count; i++)
	{
		*attributes = lappend(*attributes, &set->attributes[i]);
		collect_attributes(&set->attributes[i].subs, attributes);
	}
}

/* As the store compiles them for a table: {"profile": …, "schemas": […]} */
static FuzzApi *
compile_api(JsonbValue *document)
{
	FuzzApi    *api = palloc0(sizeof(FuzzApi));
	Profile    *profile = profile_compile(document_member(document, "profile"));
	JsonbValue *array = document_member(document, "schemas");
	List	   *documents = NIL;
	Schema	   *schema;

	for (int i = 0; array->type == jbvArray && i < array->val.array.nElems; i++)
		documents = lappend(documents, &array->val.array.elems[i]);
	schema = schema_compile(documents, profile->scim_common);
	schema_apply_rules(schema, profile->rules, true);
	if (!profile->writes_all)
		schema_apply_writable(schema, profile->writable);
	schema_link(schema);
	api->profile = profile;
	api->schema = schema;
	api->shape = body_shape(profile->body);
	collect_attributes(&schema->attributes, &api->attributes);
	return api;
}

static void
compile_apis(Jsonb *jsonb)
{
	JsonbValue *array = document_from_jsonb(jsonb);

	fuzz_apis = NIL;
	for (int i = 0; i < array->val.array.nElems; i++)
		fuzz_apis = lappend(fuzz_apis, compile_api(&array->val.array.elems[i]));
}

static const FuzzTarget *
find_target(const char *name)
{
	for (int i = 0; i < lengthof(targets); i++)
	{
		if (strcmp(targets[i]->name, name) == 0)
			return targets[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("target \"%s\" does not exist", name),
			 errhint("There are filter, scim_patch, json_patch, body, http and planted.")));
	return NULL;				/* keep the compiler quiet */
}

/* argv for libFuzzer: the name of a program, and options. */
static char **
read_options(ArrayType *array, int *argc)
{
	Datum	   *elems;
	char	  **argv;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elems, NULL, &count);
	argv = palloc(sizeof(char *) * (count + 2));
	argv[0] = "fuzz";
	for (int i = 0; i < count; i++)
		argv[i + 1] = TextDatumGetCString(elems[i]);
	argv[count + 1] = NULL;
	*argc = count + 1;
	return argv;
}

/* What all that the backend has to say is written to. */
static int
redirect_errors(const char *path)
{
	int			old = dup(STDERR_FILENO);
	int			new = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (old < 0 || new < 0 || dup2(new, STDERR_FILENO) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write to \"%s\": %m", path)));
	close(new);
	return old;
}

static char *
summary(void)
{
	int			count = __stop___sancov_cntrs - __start___sancov_cntrs;
	int			hit = 0;

	/* of those that the sanitizers added, most are never to be reached */
	for (int i = 0; i < count; i++)
		hit += covered[i] != 0;
	return psprintf(INT64_FORMAT " runs, %d edges of the code", runs, hit);
}

/*
 * fuzz(target text, apis jsonb, log text, options text[]) returns text
 *
 * apis has the profiles that inputs can name, each with its schemas; options
 * are libFuzzer's, which writes to the file log.
 */
Datum
fuzz(PG_FUNCTION_ARGS)
{
	char	   *target = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *apis = PG_GETARG_JSONB_P(1);
	char	   *log = text_to_cstring(PG_GETARG_TEXT_PP(2));
	int			argc;
	char	  **argv = read_options(PG_GETARG_ARRAYTYPE_P(3), &argc);
	int			errors;

	fuzz_target = find_target(target);
	compile_apis(apis);
	run_context = AllocSetContextCreate(CurrentMemoryContext, "fuzz run",
										ALLOCSET_DEFAULT_SIZES);
	if (covered == NULL)
	{
		run_timeout = RegisterTimeout(USER_TIMEOUT, run_too_long);
		covered = MemoryContextAlloc(TopMemoryContext,
									 __stop___sancov_cntrs - __start___sancov_cntrs);
	}
	memset(covered, 0, __stop___sancov_cntrs - __start___sancov_cntrs);
	runs = left_before = heap_growth = 0;
	errors = redirect_errors(log);
	PG_TRY();
	{
		drive(argc, argv);
	}
	PG_FINALLY();
	{
		is_driving = false;
		disable_timeout(run_timeout, false);
		dup2(errors, STDERR_FILENO);
		close(errors);
	}
	PG_END_TRY();
	PG_RETURN_TEXT_P(cstring_to_text(summary()));
}
