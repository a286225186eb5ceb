/*
 * input.h
 *	  The bytes of a file or of standard input, unpacked where they are gzip.
 */
#ifndef LOAD_INPUT_H
#define LOAD_INPUT_H

#include "reader.h"

typedef struct Input Input;

/* The options must last as long. */
extern Input *input_open(const ReaderOptions *options);

/* At most so many bytes; 0 at the end, -1 when input_problem() says why there
 * will be no more. */
extern ssize_t input_read(Input *input, char *to, size_t size);
extern const char *input_problem(const Input *input);

/* Of the file itself; the total is -1 where it is not known. */
extern int64 input_bytes_read(const Input *input);
extern int64 input_bytes_total(const Input *input);
extern void input_close(Input *input);

#endif
