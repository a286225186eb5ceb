/*
 * progress.c
 *	  How far the load is, on standard error: a bar on a terminal, now and then
 *	  a line elsewhere; and the totals.
 */
#include "postgres_fe.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "load.h"

#define BAR_INTERVAL	INT64CONST(200000)	/* microseconds */
#define LINE_INTERVAL	INT64CONST(10000000)

#define MAX_WIDTH		500
#define MAX_BAR			40

static bool shows;
static bool is_bar;				/* rather than lines */
static bool is_drawn;			/* there is a bar on the terminal */
static int64 begun;
static int64 due;

/* Messages do not run into the bar. */
static void
clear_bar(void)
{
	if (is_drawn)
		fputs("\r\033[K", stderr);
	is_drawn = false;
}

void
progress_begin(const LoadOptions *options)
{
	begun = now_us();
	shows = options->progress == CHOICE_DEFAULT ? !options->quiet :
		options->progress == CHOICE_YES;
	is_bar = shows && isatty(STDERR_FILENO);
	due = begun + (is_bar ? BAR_INTERVAL : LINE_INTERVAL);
	if (is_bar)
		pg_logging_set_pre_callback(clear_bar);
}

/* When the progress is to be shown again. */
int64
progress_due(void)
{
	return shows ? due : PG_INT64_MAX;
}

static int
terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return Min(size.ws_col, MAX_WIDTH);
	return 80;
}

/* 1234567 as 1,234,567: the digits of a million are hard to count. */
static const char *
grouped(int64 number, char *buffer, size_t size)
{
	char		digits[32];
	int			length = snprintf(digits, sizeof(digits), INT64_FORMAT, number);
	int			out = 0;

	Assert(size >= sizeof(digits) * 2);
	for (int i = 0; i < length; i++)
	{
		if (i > 0 && (length - i) % 3 == 0)
			buffer[out++] = ',';
		buffer[out++] = digits[i];
	}
	buffer[out] = '\0';
	return buffer;
}

/* Seconds as 1:02:03. */
static const char *
as_time(double seconds, char *buffer, size_t size)
{
	int64		whole = (int64) Min(seconds + 0.5, 1e9);

	if (whole >= 3600)
		snprintf(buffer, size, "%d:%02d:%02d", (int) (whole / 3600), (int) (whole / 60 % 60),
				 (int) (whole % 60));
	else
		snprintf(buffer, size, "%d:%02d", (int) (whole / 60), (int) (whole % 60));
	return buffer;
}

static int64
records_done(const Progress *progress)
{
	return progress->applied.created + progress->applied.changed +
		progress->applied.unchanged + progress->rejected;
}

/* "1,000 records, 500/s, 2:10 left, 3 rejected" */
static void
describe(const Progress *progress, double share, char *words, size_t size)
{
	char		buffer[64];
	double		seconds = (now_us() - begun) / 1000000.0;
	int64		done = records_done(progress);
	int			length;

	length = snprintf(words, size, "%s records", grouped(done, buffer, sizeof(buffer)));
	if (seconds > 0)
		length += snprintf(words + length, size - length, ", %s/s",
						   grouped((int64) (done / seconds), buffer, sizeof(buffer)));
	if (share > 0 && share <= 1)
		length += snprintf(words + length, size - length, ", %s left",
						   as_time(seconds / share * (1 - share), buffer, sizeof(buffer)));
	if (progress->rejected > 0)
		snprintf(words + length, size - length, ", %s rejected",
				 grouped(progress->rejected, buffer, sizeof(buffer)));
}

static void
draw_bar(double share, const char *words)
{
	char		line[MAX_WIDTH + 1];
	char		head[MAX_BAR + 16] = "";
	int			width = terminal_width() - 1;	/* the cursor's place is free */
	int			room = Min(width - (int) strlen(words) - 8, MAX_BAR);

	if (share >= 0)
	{
		int			length = snprintf(head, sizeof(head), "%3d%% ", (int) (share * 100));

		if (room >= 10)
		{
			head[length++] = '[';
			for (int i = 0; i < room; i++)
				head[length++] = i < (int) (share * room) ? '#' : '.';
			head[length++] = ']';
			head[length++] = ' ';
			head[length] = '\0';
		}
	}
	snprintf(line, Max(width, 0) + 1, "%s%s", head, words);
	fprintf(stderr, "\r%s\033[K", line);
	is_drawn = true;
}

/* If it is time. */
void
progress_show(const Progress *progress)
{
	int64		now;
	double		share = -1;
	char		words[256];

	if (!shows || (now = now_us()) < due)
		return;
	due = now + (is_bar ? BAR_INTERVAL : LINE_INTERVAL);
	if (progress->bytes_total > 0)
		share = Min((double) progress->bytes_read / progress->bytes_total, 1);
	describe(progress, share, words, sizeof(words));
	if (is_bar)
		draw_bar(share, words);
	else if (share >= 0)
		fprintf(stderr, "%3d%% %s\n", (int) (share * 100), words);
	else
		fprintf(stderr, "%s\n", words);
	fflush(stderr);
}

void
progress_end(void)
{
	clear_bar();
	fflush(stderr);
	shows = false;
}

/*
 * One line that tells what was done.
 */
void
progress_totals(const LoadOptions *options, const Progress *progress)
{
	const Answer *applied = &progress->applied;
	int64		count = applied->created + applied->changed + applied->unchanged;
	double		seconds = (now_us() - begun) / 1000000.0;

	if (options->quiet)
		return;
	fprintf(stderr, INT64_FORMAT " read, " INT64_FORMAT " %s (" INT64_FORMAT " created, "
			INT64_FORMAT " changed, " INT64_FORMAT " as they were",
			progress->read, count, options->dry_run ? "would be applied" : "applied",
			applied->created, applied->changed, applied->unchanged);
	if (applied->replayed > 0)
		fprintf(stderr, "; " INT64_FORMAT " of them before", applied->replayed);
	fprintf(stderr, "), " INT64_FORMAT " rejected, %.1f s, %.0f/s\n", progress->rejected, seconds,
			seconds > 0 ? (count + progress->rejected) / seconds : 0.0);
}
