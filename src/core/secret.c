/*
 * secret.c
 *	  Statements that carry a password stay out of the server's log.
 *
 * By default the log shows the statement in which an error came up, and the
 * statements around it as context.  What our functions raise themselves could
 * say errhidestmt(); but a constraint that is checked at commit, a trigger, or
 * a caller who goes on to fail after us log the very same text.  So it is the
 * statement that is marked, and what is logged while it runs is looked at.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

#include "core/secret.h"

/* When the client's statement that must not be logged began; 0: none. */
static TimestampTz hidden_statement = 0;

static emit_log_hook_type next_emit_log_hook = NULL;

static bool
is_hidden(void)
{
	return hidden_statement != 0 && hidden_statement == GetCurrentStatementStartTimestamp();
}

static void
hide_secrets(ErrorData *edata)
{
	if (is_hidden())
	{
		edata->hide_stmt = true;
		edata->hide_ctx = true;
	}
	if (next_emit_log_hook != NULL)
		next_emit_log_hook(edata);
}

void
secret_init(void)
{
	next_emit_log_hook = emit_log_hook;
	emit_log_hook = hide_secrets;
}

/*
 * Keep what the client sent out of the log until its next statement.  Gives
 * false when that is so already.
 */
bool
hide_statement(void)
{
	if (is_hidden())
		return false;
	hidden_statement = GetCurrentStatementStartTimestamp();
	return true;
}

/*
 * It does carry a password.  Whoever comes upon a deadlock logs the statements
 * of all who take part, and the postmaster that of a backend that crashed; both
 * read it where pg_stat_activity does.
 */
void
hide_activity(void)
{
	uint64		query_id = pgstat_get_my_query_id();

	pgstat_report_activity(STATE_RUNNING, "<a statement that carries a password>");
	pgstat_report_query_id(query_id, true);
}

/* It carries no password after all. */
void
show_statement_again(void)
{
	hidden_statement = 0;
}
