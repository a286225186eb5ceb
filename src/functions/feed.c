/*
 * feed.c
 *	  The change feed: every change once, whoever writes meanwhile, from any
 *	  place on.
 *
 * A change is in the feed once all transactions have ended that began before
 * it was made.  Places in the feed rise for good: what comes later is behind
 * what was read.  A cursor is such a place, with the table and the cluster
 * that it is of.
 */
#include "postgres.h"

#include "common/base64.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "port/pg_crc32c.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "core/errors.h"
#include "functions/functions.h"
#include "functions/past.h"

PG_FUNCTION_INFO_V1(users_changes);

/* The longest cursor that there can be: an id has 255 characters. */
#define MAX_CURSOR_LENGTH	4096

/* What a cursor says beside the id: the format is its version. */
#define CURSOR_FORMAT \
	"1 %u %08x %08x %d " UINT64_FORMAT " " UINT64_FORMAT " " INT64_FORMAT " "

typedef struct Feed
{
	Binding    *table;
	ReturnSetInfo *result;
	int			era;			/* for which the system is known */
	int64		system;
} Feed;

/*
 * Cursors
 */

static uint32
checksum(const char *text)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, text, strlen(text));
	FIN_CRC32C(crc);
	return crc;
}

/* Cursors go into URLs. */
static void
swap_characters(char *text, char a, char b, char to_a, char to_b)
{
	for (; *text !='\0'; text ++)
	{
		if (*text == a)
			*text = to_a;
		else if (*text == b)
			*text = to_b;
	}
}

/* Positions of one tenant mean nothing to another. */
static uint32
tenant_checksum(const Binding *table)
{
	return checksum(table->layout.tenant != NULL ? userstore_tenant : "");
}

static char *
write_cursor(Feed *feed, const PastVersion *version)
{
	StringInfoData text;
	char	   *utf8;
	char	   *cursor;
	int			len;

	if (feed->era != version->era)
		feed->system = catalog_era_system(version->era);
	feed->era = version->era;
	initStringInfo(&text);
	appendStringInfo(&text, CURSOR_FORMAT "%s", feed->table->users, checksum(feed->table->users_sql),
					 tenant_checksum(feed->table),
					 version->era, (uint64) feed->system,
					 U64FromFullTransactionId(version->feed_position), version->version,
					 binding_id_to_text(feed->table, version->user_id));
	utf8 = pg_server_to_any(text.data, text.len, PG_UTF8);
	utf8 = psprintf("%08x%s", checksum(utf8), utf8);
	len = pg_b64_enc_len(strlen(utf8));
	cursor = palloc(len + 1);
	len = pg_b64_encode((void *) utf8, strlen(utf8), cursor, len);
	if (len < 0)
		elog(ERROR, "encoding a cursor failed");	/* can't happen */
	cursor[len] = '\0';
	swap_characters(cursor, '+', '/', '-', '_');
	cursor[strcspn(cursor, "=")] = '\0';
	return cursor;
}

static void
refuse_cursor(const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("%s", message),
			 errdetail_path("since", SCIM_INVALID_VALUE),
			 errhint("%s", hint)));
}

/* What a cursor says, in UTF-8 and without its checksum; NULL when it is none. */
static char *
decode_cursor(const char *cursor)
{
	static const char *const padding[] = {"", "===", "==", "="};
	int			len = strlen(cursor);
	char	   *padded;
	char	   *text;
	uint32		sum;

	if (len > MAX_CURSOR_LENGTH)
		return NULL;
	padded = psprintf("%s%s", cursor, padding[len % 4]);
	swap_characters(padded, '-', '_', '+', '/');
	len = pg_b64_dec_len(strlen(padded));
	text = palloc0(len + 1);

	len = pg_b64_decode(padded, strlen(padded), (void *) text, len);
	if (len < 8 || strlen(text) != len || !pg_verify_mbstr(PG_UTF8, text, len, true) ||
		sscanf(text, "%8x", &sum) != 1 || sum != checksum(text +8))
		return NULL;
	return text +8;
}

/*
 * The place of a cursor.  Its table may have another name by now, or another
 * OID after a restore, but not both; and eras are compared with their clusters,
 * since one number is given by each of two databases that came from one dump.
 */
static void
read_cursor(Binding *table, const char *cursor, FeedPlace *place)
{
	char	   *text = decode_cursor(cursor);
	Oid			users;
	uint32		name;
	uint32		tenant;
	uint64		system;
	uint64		position;
	int			rest = 0;

	if (text == NULL ||
		sscanf(text, CURSOR_FORMAT "%n", &users, &name, &tenant, &place->era, &system, &position,
			   &place->version, &rest) != 7 || rest == 0)
		refuse_cursor("the cursor is broken",
					  "Send a cursor as users_changes gave it, or NULL to begin at the beginning.");
	if (users != table->users && name != checksum(table->users_sql))
		refuse_cursor(psprintf("the cursor is not one of table \"%s\"", table->name),
					  "Send a cursor that users_changes gave for this table.");
	if (tenant != tenant_checksum(table))
		refuse_cursor("the cursor is another tenant's",
					  "Send a cursor that users_changes gave for the tenant that is selected.");
	if ((uint64) catalog_era_system(place->era) != system)
		refuse_cursor("the cursor is of a state that this database never had",
					  "It was restored from an earlier state, or the cursor is another database's: begin at the beginning, with NULL.");
	place->position = FullTransactionIdFromU64(position);
	text = pg_any_to_server(text +rest, strlen(text +rest), PG_UTF8);

	place->has_user_id = binding_find_id(table, text, &place->user_id);
	if (!place->has_user_id)
		refuse_cursor(psprintf("the cursor is not one of table \"%s\"", table->name),
					  "Send a cursor that users_changes gave for this table.");
}

/*
 * Changes
 */

static void
report_change(void *arg, PastVersion *version)
{
	Feed	   *feed = arg;
	Datum		values[12];
	bool		nulls[12] = {0};

	put_text(values, nulls, 0, write_cursor(feed, version));
	put_text(values, nulls, 1, binding_id_to_text(feed->table, version->user_id));
	values[2] = Int64GetDatum(version->version);
	put_text(values, nulls, 3, version->operation);
	values[4] = list_text_array(version->changed);
	put_jsonb(values, nulls, 5, version->document);
	values[6] = TimestampTzGetDatum(version->changed_at);
	put_name(values, nulls, 7, version->changed_by);
	put_text(values, nulls, 8, version->actor);
	put_text(values, nulls, 9, version->request_id);
	values[10] = Int32GetDatum(version->era);
	values[11] = FullTransactionIdGetDatum(version->transaction_id);
	tuplestore_putvalues(feed->result->setResult, feed->result->setDesc, values, nulls);
}

/*
 * users_changes(users regclass, since text, max integer)
 */
Datum
users_changes(PG_FUNCTION_ARGS)
{
	FeedPlace	place = {0};
	Feed		feed = {0};
	Past		past;
	int			max;

	require_argument(fcinfo, 0, "users");
	require_argument(fcinfo, 2, "max");
	max = PG_GETARG_INT32(2);
	if (max < 1)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("argument \"%s\" must be positive", "max"),
				 errdetail_path("max", SCIM_INVALID_VALUE),
				 errhint("It says how many changes to give at most.")));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	feed.table = binding_open(PG_GETARG_OID(0));
	feed.result = (ReturnSetInfo *) fcinfo->resultinfo;
	past_open(&past, feed.table);
	place.era = PG_INT32_MIN;
	if (!PG_ARGISNULL(1))
		read_cursor(feed.table, text_argument(fcinfo, 1), &place);
	past_changes(&past, &place, max, report_change, &feed);
	SPI_finish();
	PG_RETURN_NULL();
}
