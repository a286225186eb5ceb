/*
 * window.c
 *	  The stretch of the input that is in memory.
 */
#include "postgres_fe.h"

#include "window.h"

/* Two of the first fit into the cache of a processor's core. */
#define SMALLEST_WINDOW (256 * 1024)

void
window_init(Window *window, Input *input)
{
	memset(window, 0, sizeof(Window));
	window->input = input;
	window->line = 1;
	window->size = SMALLEST_WINDOW;
	window->buffer = pg_malloc(window->size);
	window->data = window->buffer;
}

void
window_free(Window *window)
{
	pg_free(window->buffer);
}

bool
window_more(Window *window)
{
	size_t		begin = window->data - window->buffer;
	ssize_t		got;

	if (window->at_end || window->broken)
		return false;
	if (begin + window->length == window->size)
	{
		/* Moving costs little while it moves less than it makes room for. */
		if (window->length <= window->size / 2)
			memmove(window->buffer, window->data, window->length);
		else
		{
			char	   *buffer = pg_malloc(window->size * 2);

			memcpy(buffer, window->data, window->length);
			pg_free(window->buffer);
			window->buffer = buffer;
			window->size *= 2;
		}
		window->data = window->buffer;
		begin = 0;
	}

	/*
	 * Not more than fits into the cache, though a record made the buffer
	 * long.
	 */
	got = input_read(window->input, window->buffer + begin + window->length,
					 Min(window->size - begin - window->length, SMALLEST_WINDOW));
	if (got > 0)
		window->length += got;
	else if (got == 0)
		window->at_end = true;
	else
		window->broken = true;
	return got > 0;
}

void
window_drop(Window *window, size_t length)
{
	Assert(length <= window->length);
	window->line += window_lines(window, length);
	window->offset += length;
	window->data += length;
	window->length -= length;
	if (window->length == 0)
		window->data = window->buffer;
}

int64
window_lines(const Window *window, size_t place)
{
	const char *end = window->data + place;
	int64		lines = 0;

	for (const char *at = window->data;
		 (at = memchr(at, '\n', end - at)) != NULL; at++)
		lines++;
	return lines;
}
