/*
 * load.h
 *	  What the files of userstore-load share.
 *
 * userstore-load.c reads the options and calls one of load_users() (sender.c),
 * convert_users(), export_users() and sync_users().
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include <signal.h>

#include "libpq-fe.h"
#include "pqexpbuffer.h"

#include "exit.h"
#include "reader.h"

/* An option that may say yes, no or nothing. */
typedef enum Choice
{
	CHOICE_DEFAULT,
	CHOICE_NO,
	CHOICE_YES
} Choice;

typedef struct LoadOptions
{
	const char *table;
	ReaderOptions reader;

	/* connections */
	const char *dbname;
	const char *host;
	const char *port;
	const char *username;
	Choice		prompt;			/* for a password */

	/* what is done with each record */
	bool		patch;
	bool		dry_run;
	Choice		creates;
	const char *match;
	const char *api;
	const char *request_id;

	/* how they are sent */
	const char *load_id;
	bool		atomic;
	int			batch;
	int			jobs;
	int			retry_for;		/* in seconds */

	/* what is told of them */
	const char *rejects;
	Choice		progress;
	bool		quiet;

	/* the other tasks */
	bool		to_json;
	bool		exports;
	const char *output;
	bool		syncs;
	const char *missing;
	const char *scope;
	const char *guard;
	bool		no_guard;
} LoadOptions;

/*
 * userstore-load.c
 */

/*
 * Set by SIGINT and SIGTERM: stop, when what was begun is done.  Nothing more is
 * read then, or if there is another reason.
 */
extern volatile sig_atomic_t stop_requested;
extern volatile sig_atomic_t stop_reading;

extern int64 now_us(void);
extern int	convert_users(const LoadOptions *options);

/*
 * connection.c
 */
extern PGconn *connect_first(const LoadOptions *options);
extern PGconn *connect_again(const LoadOptions *options);
extern char *one_line(const char *message);
extern char *result_message(const PGresult *result);
extern void log_result(const char *what, const PGresult *result);

/*
 * batch.c
 */

/* What a batch remembers of a record. */
typedef struct BatchRecord
{
	int64		number;
	int64		line;
	size_t		start;			/* in the body of the batch */
	size_t		length;
	bool		has_key;
	uint64		key;
	char	   *raw;			/* as it stands in the input, or NULL: as in
								 * the body */
	size_t		raw_length;
	bool		raw_lost;		/* it was too long to be kept */
	char	   *reason;			/* for which it is rejected, or NULL */
} BatchRecord;

/* Records of a batch that are sent, those from one on and before another. */
typedef struct Range
{
	int			from;
	int			to;
} Range;

#define MAX_RANGES	64			/* more than a number can be halved */

typedef enum BatchState
{
	BATCH_WAITING,				/* to be sent */
	BATCH_SENT,
	BATCH_DONE
} BatchState;

typedef struct Batch
{
	BatchState	state;
	PQExpBufferData body;		/* [record,record,...] */
	BatchRecord *records;
	int			count;
	int			room;
	int		   *sent;			/* which of them are in the body */
	int			sent_count;
	int			rejected;

	/* ranges still to be done, the next one last */
	Range		ranges[MAX_RANGES];
	int			range_count;
	int64		due;			/* BATCH_WAITING: from when on */
	int			attempts;		/* that failed in a row */
	bool		has_claim;		/* its users are in no other batch under way */
} Batch;

typedef struct BatchSource
{
	const LoadOptions *options;
	Reader	   *reader;
	bool		keep_raw;
	int64		records_read;
	ReadResult	state;			/* READ_RECORD until there is no more */
} BatchSource;

extern bool batch_read(BatchSource *source, Batch *batch);
extern void batch_reject(Batch *batch, int index, const char *reason);
extern const char *batch_range_body(Batch *batch, PQExpBuffer part);
extern void batch_range_key(const LoadOptions *options, const Batch *batch, const char *body,
							char *key, size_t size);
extern void batch_range_split(Batch *batch);
extern void batch_clear(Batch *batch);

/*
 * answers.c
 */

/* What the server did with the records of a request. */
typedef struct Answer
{
	int64		created;
	int64		changed;
	int64		unchanged;
	int64		replayed;		/* all of these, if they were done before */
} Answer;

/* What to do about an error. */
typedef enum Verdict
{
	VERDICT_AGAIN,				/* it may go better */
	VERDICT_DATA,				/* it is that of a record */
	VERDICT_FATAL				/* it would be that of all requests */
} Verdict;

extern bool answer_read(const char *text, Batch *batch, Answer *answer);
extern Verdict error_verdict(const PGresult *result);
extern int	error_index(const PGresult *result);

/*
 * rejects.c
 */
extern void rejects_open(const LoadOptions *options);
extern bool rejects_add(const Reader *reader, const Batch *batch, const BatchRecord *record);
extern bool rejects_flush(void);
extern bool rejects_close(void);

/*
 * progress.c
 */
typedef struct Progress
{
	int64		read;			/* records */
	int64		rejected;
	Answer		applied;
	int64		bytes_read;
	int64		bytes_total;	/* or -1 */
} Progress;

extern void progress_begin(const LoadOptions *options);
extern int64 progress_due(void);
extern void progress_show(const Progress *progress);
extern void progress_end(void);
extern void progress_totals(const LoadOptions *options, const Progress *progress);

/*
 * sender.c
 */
extern int	load_users(const LoadOptions *options);

/*
 * export.c
 */
extern int	export_users(const LoadOptions *options);

/*
 * sync.c
 */
extern int	sync_users(const LoadOptions *options);

#endif
