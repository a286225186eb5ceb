/*
 * sender.c
 *	  Sends batches on several connections and sees to it that each is done.
 *
 * Each connection is in pipeline mode and has a few batches in flight, so that
 * the server never waits for the next one; each batch is a transaction.  One
 * that fails is sent again under the same key, as often as it may yet succeed;
 * one whose records are to blame is done in halves until they are found.
 *
 * Records of one user are applied in the order of the input: a batch with a
 * user who is in one before it is sent when that is done.
 */
#include "postgres_fe.h"

#include <poll.h>
#include <unistd.h>

#include "common/hashfn.h"

#include "load.h"

/*
 * So many batches are in flight on a connection: one that the server works at,
 * one that it has, and one on the way.
 */
#define MAX_FLIGHT		3

/* So many bytes of records are in memory, one batch more or less. */
#define MAX_BYTES		(8 * 1024 * 1024)

/* Pauses before something is tried again, in microseconds. */
#define FIRST_PAUSE		INT64CONST(20000)
#define LAST_PAUSE		INT64CONST(5000000)

/* A server that does not even refuse a connection is not there, in microseconds. */
#define CONNECT_WAIT	INT64CONST(20000000)

/* A signal that came while nobody looked is seen after this time. */
#define MAX_WAIT		INT64CONST(1000000)

/* Notices that are shown: the same one comes with each batch. */
#define MAX_NOTICES		20

/*
 * Users of the batches that are under way.
 */
typedef struct UserEntry
{
	uint64		key;
	Batch	   *batch;			/* that has them */
	char		status;
} UserEntry;

#define SH_PREFIX users
#define SH_ELEMENT_TYPE UserEntry
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(tb, key) ((uint32) (key) ^ (uint32) ((key) >> 32))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_RAW_ALLOCATOR pg_malloc0
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef enum LinkState
{
	LINK_DOWN,
	LINK_CONNECTING,
	LINK_UP
} LinkState;

/* A connection and what it works at. */
typedef struct Link
{
	PGconn	   *connection;
	LinkState	state;
	PostgresPollingStatusType polling;
	int64		wake;			/* LINK_DOWN: when to connect again;
								 * LINK_CONNECTING: when to give it up */
	int			attempts;		/* of that in a row */
	bool		preparing;		/* what is answered first is the statement */
	Batch	   *flight[MAX_FLIGHT]; /* the oldest first */
	int			flight_count;
	PGresult   *result;			/* to the oldest; it counts when it is
								 * committed */
	bool		wants_write;
} Link;

typedef struct Sender
{
	const LoadOptions *options;
	BatchSource source;
	Link	   *links;
	Batch	  **window;			/* batches in the order of the input: a ring */
	int			window_size;
	int			first;
	int			count;
	int			unsent;			/* of them, that are to be sent */
	int64		bytes;			/* in them */
	Batch	  **spare;			/* that can be filled anew */
	int			spare_count;
	users_hash *users;
	PQExpBufferData part;
	const char *parameters[10]; /* of users_load() */
	Progress	progress;
	int64		failing_since;	/* nothing has gone well since then, or 0 */
	struct pollfd *fds;			/* of the connections, and of the input */
	bool		reading;		/* a batch is being read */
	bool		stopped;		/* nothing more is sent */
	int			status;			/* to exit with */
} Sender;

#define STATEMENT		"load"
#define PARAMETER_BODY	1
#define PARAMETER_KEY	3

static const char statement[] =
"SELECT userstore.users_load(users => $1::pg_catalog.regclass, body => $2::pg_catalog.jsonb, "
"patch => $3::pg_catalog.bool, idempotency_key => $4::pg_catalog.text, "
"atomic => $5::pg_catalog.bool, creates => $6::pg_catalog.bool, match => $7::pg_catalog.text, "
"request_id => $8::pg_catalog.text, dry_run => $9::pg_catalog.bool, api => $10::pg_catalog.text)";

static Batch *
window_batch(Sender *sender, int index)
{
	return sender->window[(sender->first + index) % sender->window_size];
}

/* It cannot go on. */
static void
stop(Sender *sender)
{
	sender->stopped = true;
	stop_reading = 1;
	sender->status = EXIT_FAILED;
}

static int64
pause_after(int attempts)
{
	int64		pause = FIRST_PAUSE;

	for (int i = 1; i < attempts && pause < LAST_PAUSE; i++)
		pause *= 2;
	return Min(pause, LAST_PAUSE);
}

/*
 * Something failed that may yet succeed.  Gives false when it has been tried for
 * long enough.
 */
static bool
may_try_again(Sender *sender, const char *message)
{
	int64		now = now_us();

	if (sender->stopped || stop_requested)
		return false;
	if (sender->failing_since == 0)
	{
		sender->failing_since = now;
		if (sender->options->retry_for > 0)
			pg_log_warning("%s; trying again for %d seconds", message, sender->options->retry_for);
	}
	if (now - sender->failing_since < sender->options->retry_for * INT64CONST(1000000))
		return true;
	pg_log_error("nothing has succeeded for %d seconds: %s", sender->options->retry_for, message);
	stop(sender);
	return false;
}

/*
 * Batches
 */

/* Are its users in no other batch under way?  Then they are in this one. */
static bool
claim_users(Sender *sender, Batch *batch)
{
	bool		found;

	for (int i = 0; i < batch->count; i++)
	{
		if (batch->records[i].has_key &&
			users_lookup(sender->users, batch->records[i].key) != NULL)
			return false;
	}
	for (int i = 0; i < batch->count; i++)
	{
		if (batch->records[i].has_key)
			users_insert(sender->users, batch->records[i].key, &found)->batch = batch;
	}
	batch->has_claim = true;
	return true;
}

static void
release_users(Sender *sender, Batch *batch)
{
	for (int i = 0; batch->has_claim && i < batch->count; i++)
	{
		if (batch->records[i].has_key)
			(void) users_delete(sender->users, batch->records[i].key);
	}
	batch->has_claim = false;
}

/* Wants to be sent, from a time on. */
static void
requeue(Sender *sender, Batch *batch, int64 due)
{
	batch->state = BATCH_WAITING;
	batch->due = due;
	sender->unsent++;
}

static void
count_rejected(Sender *sender, const Batch *batch)
{
	sender->progress.rejected += batch->rejected;
	if (sender->status == EXIT_APPLIED && batch->rejected > 0)
		sender->status = EXIT_REJECTED;
	for (int i = 0; batch->rejected > 0 && i < batch->count; i++)
	{
		if (batch->records[i].reason != NULL &&
			!rejects_add(sender->source.reader, batch, &batch->records[i]))
		{
			stop(sender);
			return;
		}
	}
	if (batch->rejected > 0 && !rejects_flush())
		stop(sender);
}

/*
 * What was rejected is told in the order of the input: batches leave the window
 * as they came.
 */
static void
retire_batches(Sender *sender)
{
	while (sender->count > 0 && window_batch(sender, 0)->state == BATCH_DONE)
	{
		Batch	   *batch = window_batch(sender, 0);

		count_rejected(sender, batch);
		sender->bytes -= batch->body.len;
		batch_clear(batch);
		sender->spare[sender->spare_count++] = batch;
		sender->first = (sender->first + 1) % sender->window_size;
		sender->count--;
	}
}

/* The next range of the batch is done. */
static void
range_done(Sender *sender, Batch *batch)
{
	batch->attempts = 0;
	if (--batch->range_count > 0)
	{
		requeue(sender, batch, 0);
		return;
	}
	release_users(sender, batch);
	batch->state = BATCH_DONE;
	retire_batches(sender);
}

/* Is there something to be sent, or can it be read? */
static bool
read_batch(Sender *sender)
{
	Batch	   *batch;
	bool		is_read;

	if (sender->reading || sender->source.state != READ_RECORD ||
		sender->count == sender->window_size || (sender->count > 0 && sender->bytes >= MAX_BYTES))
		return false;
	if (sender->spare_count > 0)
		batch = sender->spare[--sender->spare_count];
	else
	{
		batch = pg_malloc0(sizeof(Batch));
		initPQExpBuffer(&batch->body);
	}
	sender->reading = true;
	is_read = batch_read(&sender->source, batch);
	sender->reading = false;
	if (!is_read)
	{
		batch_clear(batch);
		sender->spare[sender->spare_count++] = batch;
		return false;
	}
	sender->window[(sender->first + sender->count++) % sender->window_size] = batch;
	sender->bytes += batch->body.len;
	if (batch->state == BATCH_DONE)
		retire_batches(sender);
	else
		sender->unsent++;
	return true;
}

/*
 * A batch that can be sent now, or NULL.  One whose users are in others waits,
 * and none behind it is read: so no user is ever overtaken.
 */
static Batch *
next_batch(Sender *sender)
{
	int64		now = now_us();

	do
	{
		for (int i = 0, seen = 0; seen < sender->unsent && i < sender->count; i++)
		{
			Batch	   *batch = window_batch(sender, i);

			if (batch->state != BATCH_WAITING)
				continue;
			seen++;
			if (batch->due > now)
				continue;
			if (batch->has_claim || claim_users(sender, batch))
				return batch;
			return NULL;
		}
	} while (read_batch(sender));
	return NULL;
}

/*
 * Connections
 */

/* What the server has to say of each batch is said once. */
static void
show_notice(void *arg, const char *message)
{
	static char *shown[MAX_NOTICES];
	static int	count = 0;
	char	   *notice = one_line(message);

	for (int i = 0; i < count; i++)
	{
		if (strcmp(shown[i], notice) == 0)
		{
			pg_free(notice);
			return;
		}
	}
	if (count == MAX_NOTICES)
	{
		pg_free(notice);
		return;
	}
	shown[count++] = notice;
	pg_log_warning("%s", notice);
}

static void
link_lost(Sender *sender, Link *link)
{
	char	   *message = one_line(PQerrorMessage(link->connection));
	int			count = link->flight_count;

	link->state = LINK_DOWN;
	link->wake = now_us() + pause_after(++link->attempts);
	link->flight_count = 0;
	PQclear(link->result);
	link->result = NULL;
	PQfinish(link->connection);
	link->connection = NULL;

	/* whether they were done or not, the server knows by their keys */
	for (int i = 0; i < count; i++)
		requeue(sender, link->flight[i], link->wake);
	(void) may_try_again(sender, message[0] != '\0' ? message : "the server does not answer");
	pg_free(message);
}

static void
link_up(Sender *sender, Link *link)
{
	link->state = LINK_UP;
	link->preparing = true;
	if (PQsetnonblocking(link->connection, 1) != 0 || !PQenterPipelineMode(link->connection) ||
		!PQsendPrepare(link->connection, STATEMENT, statement, 0, NULL) ||
		!PQpipelineSync(link->connection))
		link_lost(sender, link);
}

static void
link_connect(Sender *sender, Link *link)
{
	link->connection = connect_again(sender->options);
	link->state = LINK_CONNECTING;
	link->wake = now_us() + CONNECT_WAIT;
	link->polling = PGRES_POLLING_WRITING;
	PQsetNoticeProcessor(link->connection, show_notice, NULL);
	if (PQstatus(link->connection) == CONNECTION_BAD)
		link_lost(sender, link);
}

static void
link_connect_on(Sender *sender, Link *link)
{
	link->polling = PQconnectPoll(link->connection);
	if (link->polling == PGRES_POLLING_OK)
		link_up(sender, link);
	else if (link->polling == PGRES_POLLING_FAILED)
		link_lost(sender, link);
}

static void
link_send(Sender *sender, Link *link, Batch *batch)
{
	const char *body = batch_range_body(batch, &sender->part);
	char		key[64];

	sender->parameters[PARAMETER_BODY] = body;
	if (!sender->options->dry_run)
	{
		batch_range_key(sender->options, batch, body, key, sizeof(key));
		sender->parameters[PARAMETER_KEY] = key;
	}
	batch->state = BATCH_SENT;
	sender->unsent--;
	link->flight[link->flight_count++] = batch;
	if (!PQsendQueryPrepared(link->connection, STATEMENT, lengthof(sender->parameters),
							 sender->parameters, NULL, NULL, 0) ||
		!PQpipelineSync(link->connection))
		link_lost(sender, link);
}

/* Give each connection what it can take, in turn. */
static void
send_batches(Sender *sender)
{
	for (int depth = 1; depth <= MAX_FLIGHT; depth++)
	{
		for (int i = 0; i < sender->options->jobs; i++)
		{
			Link	   *link = &sender->links[i];
			Batch	   *batch;

			if (link->state != LINK_UP || link->flight_count >= depth)
				continue;
			batch = next_batch(sender);
			/* while it was read, others may have been sent */
			if (batch == NULL || link->state != LINK_UP || link->flight_count == MAX_FLIGHT)
				return;
			link_send(sender, link, batch);
		}
	}
}

/*
 * Answers
 */

/* The request was refused for the data in it. */
static void
range_refused(Sender *sender, Batch *batch, const PGresult *result)
{
	Range		range = batch->ranges[batch->range_count - 1];
	char	   *message = result_message(result);
	int			at = sender->options->atomic ? error_index(result) : -1;

	if (!sender->options->atomic && range.to - range.from > 1)
	{
		batch_range_split(batch);
		requeue(sender, batch, 0);
		pg_free(message);
		return;
	}
	if (at >= 0 && range.from + at < range.to)
	{
		const BatchRecord *record = &batch->records[batch->sent[range.from + at]];
		char	   *others;

		batch_reject(batch, batch->sent[range.from + at], message);
		others = psprintf("not applied, since the record of line " INT64_FORMAT " was refused: %s",
						  record->line, message);
		pg_free(message);
		message = others;
	}
	for (int i = range.from; i < range.to; i++)
		batch_reject(batch, batch->sent[i], message);
	pg_free(message);
	range_done(sender, batch);
}

static void
range_failed(Sender *sender, Batch *batch, const PGresult *result)
{
	Range		range = batch->ranges[batch->range_count - 1];
	char	   *message;

	switch (error_verdict(result))
	{
		case VERDICT_DATA:
			range_refused(sender, batch, result);
			return;
		case VERDICT_AGAIN:
			requeue(sender, batch, now_us() + pause_after(++batch->attempts));
			message = result_message(result);
			(void) may_try_again(sender, message);
			pg_free(message);
			return;
		case VERDICT_FATAL:
			requeue(sender, batch, PG_INT64_MAX);
			if (!sender->stopped)
			{
				message = psprintf("could not apply the records from line " INT64_FORMAT " on",
								   batch->records[batch->sent[range.from]].line);
				log_result(message, result);
				pg_free(message);
			}
			stop(sender);
			return;
	}
}

static void
range_answered(Sender *sender, Batch *batch, const PGresult *result)
{
	Answer	   *applied = &sender->progress.applied;
	Answer		answer;

	if (!answer_read(PQgetvalue(result, 0, 0), batch, &answer))
		pg_fatal("the server gave an answer that is none: %.200s", PQgetvalue(result, 0, 0));
	applied->created += answer.created;
	applied->changed += answer.changed;
	applied->unchanged += answer.unchanged;
	applied->replayed += answer.replayed;
	range_done(sender, batch);
}

/* The oldest request of a connection is over. */
static void
link_answered(Sender *sender, Link *link)
{
	PGresult   *result = link->result;
	Batch	   *batch;

	link->result = NULL;
	if (link->preparing)
	{
		link->preparing = false;
		if (PQresultStatus(result) != PGRES_COMMAND_OK && !sender->stopped)
		{
			log_result("could not prepare the load", result);
			stop(sender);
		}
		PQclear(result);
		return;
	}
	batch = link->flight[0];
	link->flight_count--;
	memmove(&link->flight[0], &link->flight[1], sizeof(Batch *) * link->flight_count);
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
	{
		sender->failing_since = 0;
		link->attempts = 0;
		range_answered(sender, batch, result);
	}
	else
		range_failed(sender, batch, result);
	PQclear(result);
}

/*
 * Of a request comes its result, then that of its commit: an error that comes
 * after success is the one that counts.
 */
static void
link_receive(Sender *sender, Link *link)
{
	if (!PQconsumeInput(link->connection))
	{
		link_lost(sender, link);
		return;
	}
	while ((link->preparing || link->flight_count > 0) && !PQisBusy(link->connection))
	{
		PGresult   *result = PQgetResult(link->connection);

		if (PQstatus(link->connection) == CONNECTION_BAD)
		{
			PQclear(result);
			link_lost(sender, link);
			return;
		}
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
		{
			PQclear(result);
			link_answered(sender, link);
		}
		else if (result != NULL)
		{
			PQclear(link->result);
			link->result = result;
		}
	}
}

/*
 * Waiting
 */

static bool
in_flight(const Sender *sender)
{
	for (int i = 0; i < sender->options->jobs; i++)
	{
		if (sender->links[i].flight_count > 0)
			return true;
	}
	return false;
}

static bool
is_done(const Sender *sender)
{
	if (in_flight(sender))
		return false;
	return sender->stopped || stop_requested ||
		(sender->count == 0 && sender->source.state != READ_RECORD);
}

/* When something is to be done that no connection tells of. */
static int64
next_wake(Sender *sender)
{
	int64		now = now_us();
	int64		wake = Min(progress_due(), now + MAX_WAIT);

	for (int i = 0; i < sender->options->jobs; i++)
	{
		if (sender->links[i].state != LINK_UP)
			wake = Min(wake, sender->links[i].wake);
	}
	for (int i = 0; sender->unsent > 0 && i < sender->count; i++)
	{
		Batch	   *batch = window_batch(sender, i);

		/* one that is due waits for a connection, which tells of itself */
		if (batch->state == BATCH_WAITING && batch->due > now)
			wake = Min(wake, batch->due);
	}
	return wake;
}

/* Or for the input, if it is being read. */
static void
wait_for_links(Sender *sender, int input)
{
	int			count = sender->options->jobs;
	struct pollfd *fds = sender->fds;
	int64		timeout = (next_wake(sender) - now_us()) / 1000 + 1;

	for (int i = 0; i < count; i++)
	{
		Link	   *link = &sender->links[i];

		fds[i].fd = -1;
		fds[i].events = fds[i].revents = 0;
		if (link->state == LINK_DOWN)
			continue;
		fds[i].fd = PQsocket(link->connection);
		if (link->state == LINK_CONNECTING)
			fds[i].events = link->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		else
			fds[i].events = POLLIN | (link->wants_write ? POLLOUT : 0);
	}
	fds[count].fd = input;
	fds[count].events = POLLIN;
	fds[count].revents = 0;
	if (poll(fds, count + 1, (int) Max(timeout, 0)) < 0 && errno != EINTR)
		pg_fatal("could not wait for the server: %m");
}

static void
serve_links(Sender *sender)
{
	for (int i = 0; i < sender->options->jobs; i++)
	{
		Link	   *link = &sender->links[i];

		if (sender->fds[i].revents == 0)
			continue;
		if (link->state == LINK_CONNECTING)
			link_connect_on(sender, link);
		else if (link->state == LINK_UP)
			link_receive(sender, link);
	}
}

/* Connect what is not connected, and send what was not sent. */
static void
tend_links(Sender *sender)
{
	int64		now = now_us();

	if (sender->stopped || stop_requested)
		return;
	for (int i = 0; i < sender->options->jobs; i++)
	{
		Link	   *link = &sender->links[i];

		if (link->state == LINK_UP || link->wake > now)
			continue;
		if (link->state == LINK_CONNECTING)
			link_lost(sender, link);
		else
			link_connect(sender, link);
	}
	send_batches(sender);
}

static void
flush_links(Sender *sender)
{
	for (int i = 0; i < sender->options->jobs; i++)
	{
		Link	   *link = &sender->links[i];
		int			left;

		if (link->state != LINK_UP)
			continue;
		left = PQflush(link->connection);
		link->wants_write = left > 0;
		if (left < 0)
			link_lost(sender, link);
	}
}

/*
 * The load as a whole
 */

static const char *
boolean_parameter(bool value)
{
	return value ? "true" : "false";
}

static void
set_parameters(Sender *sender)
{
	const LoadOptions *options = sender->options;
	const char *const parameters[] = {
		options->table, "[]", boolean_parameter(options->patch), NULL,
		boolean_parameter(options->atomic),
		options->creates == CHOICE_DEFAULT ? NULL : boolean_parameter(options->creates == CHOICE_YES),
		options->match, options->request_id, boolean_parameter(options->dry_run), options->api
	};

	StaticAssertStmt(sizeof(parameters) == sizeof(sender->parameters), "all parameters are there");
	memcpy(sender->parameters, parameters, sizeof(parameters));
}

/*
 * What all requests have in common is tried with one that has no records: what
 * is wrong with it is not theirs.
 */
static void
probe(Sender *sender, PGconn *connection)
{
	PGresult   *result = PQexecParams(connection, statement, lengthof(sender->parameters), NULL,
									  sender->parameters, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		char	   *what = psprintf("could not load into \"%s\"", sender->options->table);

		log_result(what, result);
		exit(EXIT_FAILED);
	}
	PQclear(result);
}

static void
open_links(Sender *sender)
{
	Link	   *first;

	sender->links = pg_malloc0(sizeof(Link) * sender->options->jobs);
	first = &sender->links[0];
	first->connection = connect_first(sender->options);
	PQsetNoticeProcessor(first->connection, show_notice, NULL);
	probe(sender, first->connection);
	link_up(sender, first);
}

static void
close_links(Sender *sender)
{
	for (int i = 0; i < sender->options->jobs; i++)
		PQfinish(sender->links[i].connection);
}

static void
show_progress(Sender *sender)
{
	sender->progress.read = sender->source.records_read;
	sender->progress.bytes_read = reader_bytes_read(sender->source.reader);
	sender->progress.bytes_total = reader_bytes_total(sender->source.reader);
	progress_show(&sender->progress);
}

/*
 * While the input has nothing to read, connections are served.  Gives true when
 * it has.
 */
static bool
wait_for_input(void *arg, int input)
{
	Sender	   *sender = arg;

	tend_links(sender);
	flush_links(sender);
	show_progress(sender);
	wait_for_links(sender, input);
	serve_links(sender);
	return sender->fds[sender->options->jobs].revents != 0;
}

/* Say why not all records were applied. */
static void
tell_end(Sender *sender)
{
	const char *incomplete;

	if (stop_requested && (sender->count > 0 || sender->source.state != READ_END))
	{
		pg_log_error("interrupted");
		sender->status = EXIT_FAILED;
	}
	else if (sender->source.state == READ_BROKEN && !sender->stopped)
	{
		pg_log_error("%s", reader_problem(sender->source.reader));
		sender->status = EXIT_FAILED;
	}
	else if (sender->source.state == READ_END &&
			 (incomplete = reader_incomplete(sender->source.reader)) != NULL)
		pg_log_warning("%s", incomplete);
	if (sender->status == EXIT_FAILED && !sender->options->dry_run)
		pg_log_error_hint("Start it again with the same input and options: what was applied is not applied again.");
}

int
load_users(const LoadOptions *options)
{
	Sender		sender = {.options = options};
	ReaderOptions input = options->reader;

	input.stop = &stop_reading;
	input.wait = wait_for_input;
	input.wait_arg = &sender;
	sender.source.options = options;
	sender.source.reader = reader_open(&input);
	sender.source.keep_raw = options->rejects != NULL;
	sender.source.state = READ_RECORD;
	sender.window_size = Max(64, options->jobs * MAX_FLIGHT * 4);
	sender.window = pg_malloc0(sizeof(Batch *) * sender.window_size);
	sender.spare = pg_malloc0(sizeof(Batch *) * (sender.window_size + 1));
	sender.users = users_create(1024, NULL);
	initPQExpBuffer(&sender.part);
	set_parameters(&sender);
	sender.fds = pg_malloc0(sizeof(struct pollfd) * (options->jobs + 1));
	open_links(&sender);
	rejects_open(options);
	progress_begin(options);

	for (;;)
	{
		tend_links(&sender);
		flush_links(&sender);
		show_progress(&sender);
		if (is_done(&sender))
			break;
		wait_for_links(&sender, -1);
		serve_links(&sender);
	}

	progress_end();
	close_links(&sender);
	if (!rejects_close())
		stop(&sender);
	tell_end(&sender);
	progress_totals(options, &sender.progress);
	reader_close(sender.source.reader);
	return sender.status;
}
