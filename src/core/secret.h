/*
 * secret.h
 *	  Statements that carry a password stay out of the server's log.
 */
#ifndef USERSTORE_SECRET_H
#define USERSTORE_SECRET_H

#include "postgres.h"

extern void secret_init(void);
extern bool hide_statement(void);
extern void hide_activity(void);
extern void show_statement_again(void);

#endif							/* USERSTORE_SECRET_H */
