/*
 * connection.c
 *	  Connections to the server, and what it says of errors.
 */
#include "postgres_fe.h"

#include "common/string.h"

#include "load.h"

static char *password;

/* Connect, or begin to. */
static PGconn *
start_connecting(const LoadOptions *options, bool wait)
{
	/* the name of a database may be a connection string, which goes before */
	const char *keywords[] = {
		"host", "port", "user", "password", "dbname", "fallback_application_name",
		"client_encoding", NULL
	};
	const char *values[] = {
		options->host, options->port, options->username, password, options->dbname,
		"userstore-load", "UTF8", NULL
	};
	PGconn	   *connection;

	if (wait)
		connection = PQconnectdbParams(keywords, values, true);
	else
		connection = PQconnectStartParams(keywords, values, true);
	if (connection == NULL)
		pg_fatal("out of memory");
	return connection;
}

/* The first connection, for which a password may have to be asked. */
PGconn *
connect_first(const LoadOptions *options)
{
	PGconn	   *connection;

	if (options->prompt == CHOICE_YES)
		password = simple_prompt("Password: ", false);
	connection = start_connecting(options, true);
	if (PQstatus(connection) == CONNECTION_BAD && PQconnectionNeedsPassword(connection) &&
		password == NULL && options->prompt != CHOICE_NO)
	{
		PQfinish(connection);
		password = simple_prompt("Password: ", false);
		connection = start_connecting(options, true);
	}
	if (PQstatus(connection) == CONNECTION_BAD)
		pg_fatal("%s", PQerrorMessage(connection));
	return connection;
}

/* A further one, or one in place of one that was lost: see PQconnectPoll(). */
PGconn *
connect_again(const LoadOptions *options)
{
	return start_connecting(options, false);
}

/* A copy without line breaks, nor white space at its end. */
char *
one_line(const char *message)
{
	char	   *line = pg_strdup(message);

	for (char *c = line; *c != '\0'; c++)
	{
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	}
	for (int length = strlen(line); length > 0 && line[length - 1] == ' '; length--)
		line[length - 1] = '\0';
	return line;
}

/* userstore's details are JSON, for programs. */
static const char *
readable_detail(const PGresult *result)
{
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	return detail != NULL && detail[0] != '{' ? detail : NULL;
}

/* The message of an error and its detail, in one line. */
char *
result_message(const PGresult *result)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = readable_detail(result);
	char	   *both;
	char	   *line;

	if (message == NULL || detail == NULL)
		return one_line(message != NULL ? message : PQresultErrorMessage(result));
	both = psprintf("%s: %s", message, detail);
	line = one_line(both);
	pg_free(both);
	return line;
}

/* Tell of an error, with what may help. */
void
log_result(const char *what, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	char	   *message = result_message(result);

	pg_log_error("%s: %s", what, message);
	if (sqlstate != NULL && strcmp(sqlstate, "3F000") == 0)
		pg_log_error_hint("The extension userstore must have been created in the database.");
	else if (sqlstate != NULL && strcmp(sqlstate, "42883") == 0)
		pg_log_error_hint("The extension userstore in the database must not be older than this program: ALTER EXTENSION userstore UPDATE.");
	else if (hint != NULL)
		pg_log_error_hint("%s", hint);
	pg_free(message);
}
