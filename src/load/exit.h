/*
 * exit.h
 *	  What the program ends with.
 */
#ifndef LOAD_EXIT_H
#define LOAD_EXIT_H

#include "common/logging.h"

#define EXIT_APPLIED	0		/* all records */
#define EXIT_REJECTED	1		/* all but some records */
#define EXIT_FAILED		2

/* PostgreSQL's own ends with 1. */
#undef pg_fatal
#define pg_fatal(...) \
	do { \
		pg_log_error(__VA_ARGS__); \
		exit(EXIT_FAILED); \
	} while (0)

#endif
