/*
 * sync.c
 *	  Makes a table as a complete feed says: see users_sync().
 *
 * The feed is copied into a temporary table first, so that it may be of any
 * size, and nothing is changed unless all of it could be read.
 */
#include "postgres_fe.h"

#include "fe_utils/cancel.h"
#include "fe_utils/print.h"
#include "port/pg_bswap.h"

#include "load.h"

/* The feed is sent in pieces of this size. */
#define PIECE_BYTES		(64 * 1024)

/* So many rows are shown as one table, as wide as they need. */
#define ROWS_AT_ONCE	1000

static PGconn *connection;

/* Nothing has been changed, or all of it is undone. */
static void
fail_sync(const char *message)
{
	pg_log_error("%s", message);
	pg_log_error_detail("Nothing has been changed.");
	exit(EXIT_FAILED);
}

static PGresult *
run(const char *query, int count, const char *const *parameters, ExecStatusType expected,
	const char *what)
{
	PGresult   *result;

	SetCancelConn(connection);
	result = PQexecParams(connection, query, count, NULL, parameters, NULL, NULL, 0);
	ResetCancelConn();
	if (PQresultStatus(result) != expected)
	{
		log_result(what, result);
		exit(EXIT_FAILED);
	}
	return result;
}

static void
command(const char *query)
{
	PQclear(run(query, 0, NULL, PGRES_COMMAND_OK, "could not synchronize"));
}

/*
 * Copying, in COPY's binary format, in which nothing is escaped
 */

static void
send_piece(PQExpBuffer piece)
{
	if (PQExpBufferBroken(piece))
		fail_sync("out of memory");
	if (PQputCopyData(connection, piece->data, piece->len) != 1)
		fail_sync(one_line(PQerrorMessage(connection)));
	resetPQExpBuffer(piece);
}

static void
append_int16(PQExpBuffer piece, uint16 value)
{
	uint16		network = pg_hton16(value);

	appendBinaryPQExpBuffer(piece, (char *) &network, sizeof(network));
}

static void
append_int32(PQExpBuffer piece, uint32 value)
{
	uint32		network = pg_hton32(value);

	appendBinaryPQExpBuffer(piece, (char *) &network, sizeof(network));
}

static void
append_int64(PQExpBuffer piece, uint64 value)
{
	uint64		network = pg_hton64(value);

	appendBinaryPQExpBuffer(piece, (char *) &network, sizeof(network));
}

/* A row: the number of the record, and its JSON, which has a version of 1. */
static void
append_record(PQExpBuffer piece, const Record *record)
{
	append_int16(piece, 2);
	append_int32(piece, sizeof(int64));
	append_int64(piece, record->number);
	append_int32(piece, record->length + 1);
	appendPQExpBufferChar(piece, 1);
	appendBinaryPQExpBuffer(piece, record->data, record->length);
}

static void
refuse_record(const Record *record)
{
	char	   *message = psprintf("line " INT64_FORMAT ": %s", record->line, record->problem);

	pg_log_error("%s", message);
	pg_log_error_detail("Nothing has been changed: without this record it is unknown who is missing.");
	exit(EXIT_FAILED);
}

static void
require_complete(const LoadOptions *options, const Reader *reader)
{
	const char *incomplete = reader_incomplete(reader);

	if (incomplete == NULL)
		return;
	if (options->missing != NULL && strcmp(options->missing, "ignore") != 0)
		fail_sync(incomplete);
	pg_log_warning("%s", incomplete);
}

/* Gives how many records there are. */
static int64
copy_feed(const LoadOptions *options, Reader *reader)
{
	static const char signature[] = "PGCOPY\n\377\r\n"; /* its zero is part of
														 * it */
	int64		count = 0;
	PQExpBufferData piece;
	Record		record;
	ReadResult	read;
	PGresult   *result;

	PQclear(run("COPY pg_temp.userstore_load_feed FROM STDIN (FORMAT binary)", 0, NULL, PGRES_COPY_IN,
				"could not copy the feed"));
	initPQExpBuffer(&piece);
	appendBinaryPQExpBuffer(&piece, signature, sizeof(signature));
	append_int32(&piece, 0);
	append_int32(&piece, 0);
	while ((read = reader_next(reader, &record)) == READ_RECORD)
	{
		append_record(&piece, &record);
		if (piece.len >= PIECE_BYTES)
			send_piece(&piece);
		count++;
	}
	if (CancelRequested)
		fail_sync("interrupted");
	if (read == READ_BAD)
		refuse_record(&record);
	if (read == READ_BROKEN)
		fail_sync(reader_problem(reader));
	require_complete(options, reader);
	append_int16(&piece, (uint16) -1);
	send_piece(&piece);
	termPQExpBuffer(&piece);
	if (PQputCopyEnd(connection, NULL) != 1)
		fail_sync(one_line(PQerrorMessage(connection)));
	result = PQgetResult(connection);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);

		/* which tells the record */
		log_result("could not copy the feed", result);
		if (context != NULL)
			pg_log_error_detail("%s", one_line(context));
		exit(EXIT_FAILED);
	}
	PQclear(result);
	while ((result = PQgetResult(connection)) != NULL)
		PQclear(result);
	return count;
}

/*
 * What it comes to
 */

static void
synchronize(const LoadOptions *options)
{
	const char *const parameters[] = {
		options->table, options->match, options->missing != NULL ? options->missing : "ignore",
		options->scope, options->guard, options->dry_run ? "true" : "false", options->request_id,
		options->api, options->patch ? "true" : "false"
	};
	char	   *what = psprintf("could not synchronize \"%s\"", options->table);

	command("CREATE TEMPORARY TABLE userstore_load_changes (number bigint, id text, action text, "
			"changed text[], old jsonb, new jsonb, error text, transaction_id text)");
	PQclear(run("INSERT INTO pg_temp.userstore_load_changes "
				"SELECT s.ordinality, s.id, s.action, s.changed, s.old, s.new, "
				"CASE WHEN s.record IS NOT NULL THEN pg_catalog.format('record %s: ', s.record) ELSE '' END || s.error, "
				"s.transaction_id::pg_catalog.text "
				"FROM userstore.users_sync(users => $1::pg_catalog.regclass, match => $2, missing => $3, "
				"scope => $4, guard => $5::pg_catalog.jsonb, dry_run => $6::pg_catalog.bool, "
				"request_id => $7, api => $8, patch => $9::pg_catalog.bool, "
				"staging => 'pg_temp.userstore_load_feed'::pg_catalog.regclass) WITH ORDINALITY s",
				lengthof(parameters), parameters, PGRES_COMMAND_OK, what));
	pg_free(what);
}

/* One line for each attribute, in tables of some height. */
static void
show_changes(void)
{
	printQueryOpt print = {0};
	bool		is_last = false;

	print.topt.format = PRINT_ALIGNED;
	print.topt.border = 1;
	print.topt.start_table = print.topt.stop_table = true;
	print.topt.default_footer = false;
	print.topt.encoding = PQclientEncoding(connection);
	command("BEGIN");
	command("DECLARE changes NO SCROLL CURSOR FOR "
			"SELECT c.id, c.action, a.path AS attribute, c.old -> a.path AS old, "
			"coalesce((c.new -> a.path)::pg_catalog.text, c.error) AS new "
			"FROM pg_temp.userstore_load_changes c "
			"LEFT JOIN LATERAL pg_catalog.unnest(c.changed) WITH ORDINALITY a(path, number) ON true "
			"ORDER BY c.number, a.number");
	while (!is_last)
	{
		PGresult   *result = run("FETCH " CppAsString2(ROWS_AT_ONCE) " FROM changes", 0, NULL,
								 PGRES_TUPLES_OK, "could not read the changes");

		is_last = PQntuples(result) < ROWS_AT_ONCE;
		if (PQntuples(result) > 0)
			printQuery(result, &print, stdout, false, NULL);
		PQclear(result);
	}
	command("COMMIT");
}

/* How many users it was done with; gives how many failed. */
static int64
show_totals(const LoadOptions *options, int64 records)
{
	PGresult   *result = run("SELECT action, pg_catalog.count(*), pg_catalog.max(transaction_id) "
							 "FROM pg_temp.userstore_load_changes GROUP BY action ORDER BY action",
							 0, NULL, PGRES_TUPLES_OK, "could not read the changes");
	const char *transaction_id = NULL;
	int64		failed = 0;
	PQExpBufferData totals;

	initPQExpBuffer(&totals);
	for (int i = 0; i < PQntuples(result); i++)
	{
		appendPQExpBuffer(&totals, ", %s %s", PQgetvalue(result, i, 1), PQgetvalue(result, i, 0));
		if (strcmp(PQgetvalue(result, i, 0), "failed") == 0)
			failed = strtoi64(PQgetvalue(result, i, 1), NULL, 10);
		if (!PQgetisnull(result, i, 2))
			transaction_id = PQgetvalue(result, i, 2);
	}
	if (!options->quiet)
	{
		fprintf(stderr, INT64_FORMAT " read%s%s\n", records,
				totals.len > 0 ? totals.data : ", nothing to change",
				options->dry_run ? " (dry run)" : "");
		if (transaction_id != NULL)
		{
			char	   *table = PQescapeLiteral(connection, options->table, strlen(options->table));

			fprintf(stderr, "to revert: SELECT * FROM userstore.users_revert(%s, '%s')\n",
					table != NULL ? table : "", transaction_id);
			PQfreemem(table);
		}
	}
	termPQExpBuffer(&totals);
	PQclear(result);
	return failed;
}

int
sync_users(const LoadOptions *options)
{
	ReaderOptions input = options->reader;
	Reader	   *reader;
	int64		records;
	int64		failed;

	input.stop = &CancelRequested;
	reader = reader_open(&input);
	connection = connect_first(options);
	setup_cancel_handler(NULL);
	command("BEGIN");
	command("CREATE TEMPORARY TABLE userstore_load_feed (record bigint, body jsonb)");
	records = copy_feed(options, reader);
	reader_close(reader);
	synchronize(options);
	command("COMMIT");
	if (!options->quiet)
		show_changes();
	/* where both go to one place, the totals come last */
	if (fflush(stdout) != 0)
		pg_log_warning("could not write to standard output: %m");
	failed = show_totals(options, records);
	PQfinish(connection);
	return failed > 0 ? EXIT_REJECTED : EXIT_APPLIED;
}
