/*
 * batch.c
 *	  Records gathered into batches, and the keys of these.
 *
 * What a batch holds depends on the input and the options alone, so that a load
 * that was killed makes the same batches again, with the same idempotency keys.
 */
#include "postgres_fe.h"

#include "common/hashfn.h"

#include "load.h"

/* A batch is closed when it is as long as this, however few its records. */
#define BATCH_BYTES		(1024 * 1024)

static BatchRecord *
add_record(Batch *batch, const Record *read)
{
	BatchRecord *record;

	if (batch->count == batch->room)
	{
		batch->room = Max(batch->room * 2, 128);
		batch->records = pg_realloc(batch->records, sizeof(BatchRecord) * batch->room);
		batch->sent = pg_realloc(batch->sent, sizeof(int) * batch->room);
	}
	record = &batch->records[batch->count++];
	memset(record, 0, sizeof(BatchRecord));
	record->number = read->number;
	record->line = read->line;
	return record;
}

static void
keep_raw(BatchRecord *record, const Record *read)
{
	record->raw_length = read->raw_length;
	record->raw_lost = read->raw == NULL;
	if (read->raw == NULL)
		return;
	record->raw = pg_malloc(read->raw_length + 1);
	memcpy(record->raw, read->raw, read->raw_length);
}

/*
 * Read the next batch.  Gives false when there is none: all was read, or the
 * input is broken or reading was interrupted, and the records that were read for
 * it are left for the time when it is whole.
 */
bool
batch_read(BatchSource *source, Batch *batch)
{
	Record		read;

	batch->state = BATCH_WAITING;
	batch->count = batch->sent_count = batch->rejected = 0;
	batch->range_count = batch->attempts = 0;
	batch->due = 0;
	resetPQExpBuffer(&batch->body);
	appendPQExpBufferChar(&batch->body, '[');
	while (batch->count < source->options->batch && batch->body.len < BATCH_BYTES)
	{
		ReadResult	result = reader_next(source->reader, &read);
		BatchRecord *record;

		if (result == READ_END || result == READ_BROKEN)
		{
			source->state = result;
			break;
		}
		source->records_read++;
		record = add_record(batch, &read);
		if (result == READ_BAD)
		{
			batch_reject(batch, batch->count - 1, read.problem);
			if (source->keep_raw)
				keep_raw(record, &read);
			continue;
		}
		record->start = batch->body.len;
		record->length = read.length;
		record->has_key = read.has_key;
		record->key = read.key;
		appendBinaryPQExpBuffer(&batch->body, read.data, read.length);
		appendPQExpBufferChar(&batch->body, ',');
		batch->sent[batch->sent_count++] = batch->count - 1;
		if (source->keep_raw && (read.raw == NULL || read.raw_length != read.length ||
								 memcmp(read.raw, read.data, read.length) != 0))
			keep_raw(record, &read);
	}
	if (PQExpBufferBroken(&batch->body))
		pg_fatal("out of memory");
	if (batch->count == 0 || source->state == READ_BROKEN)
		return false;
	if (batch->sent_count > 0)
	{
		Range		all = {0, batch->sent_count};

		batch->ranges[batch->range_count++] = all;
	}
	else
		batch->state = BATCH_DONE;
	return true;
}

/* Of several reasons, the first one counts. */
void
batch_reject(Batch *batch, int index, const char *reason)
{
	BatchRecord *record = &batch->records[index];

	if (record->reason != NULL)
		return;
	record->reason = one_line(reason);
	batch->rejected++;
}

/* The records of the range that is next, as an array. */
const char *
batch_range_body(Batch *batch, PQExpBuffer part)
{
	Range		range = batch->ranges[batch->range_count - 1];
	const BatchRecord *first = &batch->records[batch->sent[range.from]];
	const BatchRecord *last = &batch->records[batch->sent[range.to - 1]];
	size_t		end = last->start + last->length;

	if (range.from == 0 && range.to == batch->sent_count)
	{
		/* in place of the comma after the last one */
		batch->body.data[end] = ']';
		return batch->body.data;
	}
	resetPQExpBuffer(part);
	appendPQExpBufferChar(part, '[');
	appendBinaryPQExpBuffer(part, batch->body.data + first->start, end - first->start);
	appendPQExpBufferChar(part, ']');
	if (PQExpBufferBroken(part))
		pg_fatal("out of memory");
	return part->data;
}

static uint64
hash_part(const char *part, uint64 seed)
{
	/* with the closing zero, so that no two lists of parts run together */
	return hash_bytes_extended((const unsigned char *) part, strlen(part) + 1, seed);
}

/*
 * The idempotency key of that range: a hash over all that its request is made
 * of.  Of two requests that have the same one nevertheless, the server refuses
 * the second.
 */
void
batch_range_key(const LoadOptions *options, const Batch *batch, const char *body,
				char *key, size_t size)
{
	Range		range = batch->ranges[batch->range_count - 1];
	uint64		hash[2] = {0, 1};
	char		request[64];

	snprintf(request, sizeof(request), "%d %d %d " INT64_FORMAT, options->patch, options->atomic,
			 options->creates, batch->records[batch->sent[range.from]].number);
	for (int i = 0; i < lengthof(hash); i++)
	{
		hash[i] = hash_part(request, hash[i]);
		hash[i] = hash_part(options->match != NULL ? options->match : "", hash[i]);
		hash[i] = hash_part(options->api != NULL ? options->api : "", hash[i]);
		hash[i] = hash_part(options->load_id != NULL ? options->load_id : "", hash[i]);
		hash[i] = hash_part(body, hash[i]);
	}
	snprintf(key, size, "userstore-load:%016" INT64_MODIFIER "x%016" INT64_MODIFIER "x",
			 hash[0], hash[1]);
}

/* Of the range that is next, do the first half before the other. */
void
batch_range_split(Batch *batch)
{
	Range	   *range = &batch->ranges[batch->range_count - 1];
	int			middle = range->from + (range->to - range->from) / 2;

	batch->ranges[batch->range_count++] = (Range)
	{
		range->from, middle
	};
	range->from = middle;
}

/* The batch can be filled anew. */
void
batch_clear(Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		pg_free(batch->records[i].raw);
		pg_free(batch->records[i].reason);
	}
	batch->count = 0;
	/* what one long record needed, not all batches are to keep */
	if (batch->body.maxlen > 2 * BATCH_BYTES)
	{
		termPQExpBuffer(&batch->body);
		initPQExpBuffer(&batch->body);
	}
}
