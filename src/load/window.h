/*
 * window.h
 *	  The stretch of the input that is in memory.
 *
 * Places in it are counted from its beginning, since its bytes move when it
 * grows.
 */
#ifndef LOAD_WINDOW_H
#define LOAD_WINDOW_H

#include "input.h"

typedef struct Window
{
	Input	   *input;
	const char *data;			/* until the next call */
	size_t		length;
	int64		offset;			/* of its first byte in the input, from 0 */
	int64		line;			/* of that, from 1 */
	bool		at_end;			/* nothing comes after it */
	bool		broken;			/* and input_problem() says why */

	char	   *buffer;
	size_t		size;
} Window;

extern void window_init(Window *window, Input *input);
extern void window_free(Window *window);

/* Reads on; false where nothing more comes. */
extern bool window_more(Window *window);

/* Takes bytes off its beginning. */
extern void window_drop(Window *window, size_t length);

/* How many lines end before this place. */
extern int64 window_lines(const Window *window, size_t place);

#endif
