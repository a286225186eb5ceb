/*
 * export.c
 *	  All users of a table as NDJSON, in the form in which they can be loaded.
 */
#include "postgres_fe.h"

#include "fe_utils/cancel.h"

#include "load.h"

static FILE *file;
static const char *path;		/* of it, or NULL: standard output */

static void
fail_write(void)
{
	if (path != NULL)
		pg_fatal("could not write to file \"%s\": %m", path);
	pg_fatal("could not write to standard output: %m");
}

/* One user at a time, all as of one snapshot. */
static void
start_export(const LoadOptions *options, PGconn *connection)
{
	const char *const parameters[] = {options->table, options->api};

	if (!PQsendQueryParams(connection, "SELECT userstore.users_export($1::pg_catalog.regclass, $2)",
						   lengthof(parameters), NULL, parameters, NULL, NULL, 0) ||
		!PQsetSingleRowMode(connection))
		pg_fatal("%s", one_line(PQerrorMessage(connection)));
}

static void
write_user(const PGresult *result)
{
	if (fwrite(PQgetvalue(result, 0, 0), 1, PQgetlength(result, 0, 0), file) == 0 ||
		putc('\n', file) == EOF)
		fail_write();
}

int
export_users(const LoadOptions *options)
{
	PGconn	   *connection = connect_first(options);
	int64		count = 0;
	PGresult   *result;

	path = options->output;
	setup_cancel_handler(NULL);
	SetCancelConn(connection);
	start_export(options, connection);
	while ((result = PQgetResult(connection)) != NULL)
	{
		if (PQresultStatus(result) == PGRES_FATAL_ERROR)
		{
			char	   *what = psprintf("could not export \"%s\"", options->table);

			log_result(what, result);
			exit(EXIT_FAILED);
		}
		/* a file that is there is kept when nothing can be read */
		if (file == NULL)
			file = path != NULL ? fopen(path, "w") : stdout;
		if (file == NULL)
			pg_fatal("could not open file \"%s\": %m", path);
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
		{
			write_user(result);
			count++;
		}
		PQclear(result);
	}
	if (fflush(file) != 0 || (path != NULL && fclose(file) != 0))
		fail_write();
	PQfinish(connection);
	if (!options->quiet && path != NULL)
		fprintf(stderr, INT64_FORMAT " users exported\n", count);
	return EXIT_APPLIED;
}
