/*
 * input.c
 *	  The bytes of a file or of standard input, unpacked where they are gzip.
 *
 * What a file is is told by its first bytes, not by its name: feeds come
 * through pipes, too.
 */
#include "postgres_fe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "exit.h"

#include "input.h"

#define PACKED_SIZE (64 * 1024)

struct Input
{
	int			fd;
	char	   *name;			/* for messages, as "file "x"" */
	const ReaderOptions *options;
	bool		waits;			/* a pipe or terminal, not a plain file */
	int64		read;
	int64		total;
	char	   *problem;

	bool		sniffed;		/* whether it is known what it is */
	bool		at_end;			/* of the file */
	bool		gzip;
	bool		in_member;		/* of gzip: within one */
	z_stream	zlib;			/* its input is what was read and not used */
	unsigned char packed[PACKED_SIZE];
};

static ssize_t fail(Input *input, const char *format,...) pg_attribute_printf(2, 3);


static ssize_t
fail(Input *input, const char *format,...)
{
	va_list		args;
	char		problem[1024];

	va_start(args, format);
	vsnprintf(problem, sizeof(problem), format, args);
	va_end(args);
	input->problem = pg_strdup(problem);
	return -1;
}

Input *
input_open(const ReaderOptions *options)
{
	const char *path = options->path;
	Input	   *input = pg_malloc0(sizeof(Input));
	struct stat status;

	input->options = options;
	input->total = -1;
	if (path == NULL || strcmp(path, "-") == 0)
	{
		input->fd = STDIN_FILENO;
		input->name = pg_strdup("standard input");
	}
	else
	{
		input->fd = open(path, O_RDONLY | PG_BINARY, 0);
		if (input->fd < 0)
			pg_fatal("could not open file \"%s\": %m", path);
		input->name = psprintf("file \"%s\"", path);
	}
	if (fstat(input->fd, &status) != 0)
		pg_fatal("could not stat %s: %m", input->name);
	if (S_ISDIR(status.st_mode))
		pg_fatal("could not read %s: it is a directory", input->name);
	input->waits = !S_ISREG(status.st_mode);
	if (!input->waits)
	{
		off_t		begin = lseek(input->fd, 0, SEEK_CUR);

		/* Standard input may be a file of which some was read before. */
		input->total = Max(status.st_size - Max(begin, 0), 0);
	}
	return input;
}

void
input_close(Input *input)
{
	if (input->gzip)
		inflateEnd(&input->zlib);
	if (input->fd != STDIN_FILENO)
		close(input->fd);
	pg_free(input->problem);
	pg_free(input->name);
	pg_free(input);
}

const char *
input_problem(const Input *input)
{
	return input->problem;
}

int64
input_bytes_read(const Input *input)
{
	return input->read;
}

int64
input_bytes_total(const Input *input)
{
	return input->total;
}

/* Until there is something to read or to end for. */
static void
wait_for_file(const Input *input)
{
	const ReaderOptions *options = input->options;

	while (options->stop == NULL || !*options->stop)
	{
		struct pollfd fd = {.fd = input->fd,.events = POLLIN};

		if (options->wait != NULL ? options->wait(options->wait_arg, input->fd) :
		/* a signal may come just before, hence the time limit */
			poll(&fd, 1, 500) > 0)
			break;
	}
}

/*
 * As read(), but told to stop in time: a read() that waits for a pipe would
 * go on waiting after a signal, poll() does not.
 */
static ssize_t
read_file(Input *input, void *to, size_t size)
{
	const volatile sig_atomic_t *stop = input->options->stop;
	ssize_t		got;

	if (input->at_end)
		return 0;
	do
	{
		if (input->waits)
			wait_for_file(input);
		if (stop != NULL && *stop)
			return fail(input, "reading was interrupted");
		got = read(input->fd, to, size);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return fail(input, "could not read %s: %m", input->name);
	if (got == 0)
		input->at_end = true;
	input->read += got;
	return got;
}

/* Reads until so many bytes are there that were not used, or the file ends. */
static bool
have_packed(Input *input, size_t size)
{
	z_stream   *zlib = &input->zlib;

	if (zlib->avail_in > 0)
		memmove(input->packed, zlib->next_in, zlib->avail_in);
	zlib->next_in = input->packed;
	while (zlib->avail_in < size)
	{
		ssize_t		got = read_file(input, input->packed + zlib->avail_in,
									PACKED_SIZE - zlib->avail_in);

		if (got <= 0)
			return got == 0;
		zlib->avail_in += got;
	}
	return true;
}

/* Whether a member of a gzip file begins here. */
static bool
at_magic(const Input *input)
{
	return input->zlib.avail_in >= 2 &&
		input->zlib.next_in[0] == 0x1f && input->zlib.next_in[1] == 0x8b;
}

static bool
sniff(Input *input)
{
	if (!have_packed(input, 2))
		return false;
	input->sniffed = true;
	if (at_magic(input))
	{
		/* 15 is zlib's largest window, 16 asks for the format of gzip. */
		if (inflateInit2(&input->zlib, 15 + 16) != Z_OK)
			pg_fatal("out of memory");
		input->gzip = true;
		input->in_member = true;
	}
	return true;
}

/*
 * RFC 1952 section 2.2: a file has one member or several.  Some tools fill the
 * last block with zeros.  Returns 1 where another member begins.
 */
static int
next_member(Input *input)
{
	z_stream   *zlib = &input->zlib;

	if (!have_packed(input, 2))
		return -1;
	if (at_magic(input))
	{
		inflateReset(zlib);
		input->in_member = true;
		return 1;
	}
	while (zlib->avail_in > 0)
	{
		for (; zlib->avail_in > 0; zlib->next_in++, zlib->avail_in--)
		{
			if (*zlib->next_in != 0)
				return fail(input, "%s has something behind its compressed data", input->name);
		}
		if (!have_packed(input, 1))
			return -1;
	}
	return 0;
}

static ssize_t
unpack(Input *input, char *to, size_t size)
{
	z_stream   *zlib = &input->zlib;

	zlib->next_out = (unsigned char *) to;
	zlib->avail_out = size;
	while (zlib->avail_out == size)
	{
		int			status;

		if (!input->in_member)
		{
			int			next = next_member(input);

			if (next <= 0)
				return next;
		}
		if (zlib->avail_in == 0 && !have_packed(input, 1))
			return -1;
		status = inflate(zlib, Z_NO_FLUSH);
		if (status == Z_STREAM_END)
			input->in_member = false;
		else if (status == Z_MEM_ERROR)
			pg_fatal("out of memory");
		else if (status == Z_BUF_ERROR && zlib->avail_in == 0 && input->at_end)
			return fail(input, "the compressed data of %s ends too soon", input->name);
		else if (status != Z_OK && status != Z_BUF_ERROR)
			return fail(input, "the compressed data of %s is damaged: %s", input->name,
						zlib->msg != NULL ? zlib->msg : zError(status));
	}
	return size - zlib->avail_out;
}

ssize_t
input_read(Input *input, char *to, size_t size)
{
	z_stream   *zlib = &input->zlib;

	if (input->problem != NULL)
		return -1;
	if (!input->sniffed && !sniff(input))
		return -1;
	if (input->gzip)
		return unpack(input, to, size);
	if (zlib->avail_in > 0)
	{
		/* what told that it is not compressed */
		size = Min(size, zlib->avail_in);
		memcpy(to, zlib->next_in, size);
		zlib->next_in += size;
		zlib->avail_in -= size;
		return size;
	}
	return read_file(input, to, size);
}
