/*
 * guard.c
 *	  Limits to what a feed may do to a table: so many users, or such a share of
 *	  them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "core/errors.h"
#include "functions/guard.h"

/* Effects of which a guard may speak. */
#define GUARDED_COUNT	(EFFECT_FAILED + 1)

struct Guard
{
	Numeric		limits[GUARDED_COUNT];	/* NULL: none */
};

static void
refuse_guard(const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg("%s", message),
			 errdetail_path("guard", SCIM_INVALID_VALUE),
			 errhint("%s", hint)));
}

static Numeric
numeric_of(int64 number)
{
	return DatumGetNumeric(DirectFunctionCall1(int8_numeric, Int64GetDatum(number)));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

/* Less than one is a share, more are so many. */
static bool
is_share(Numeric limit)
{
	return compare(limit, numeric_of(0)) > 0 && compare(limit, numeric_of(1)) < 0;
}

static Numeric
read_limit(const char *name, const JsonbValue *value)
{
	Numeric		limit = value->type == jbvNumeric ? value->val.numeric : NULL;

	if (limit == NULL || compare(limit, numeric_of(0)) < 0 ||
		(!is_share(limit) &&
		 compare(limit, DatumGetNumeric(DirectFunctionCall1(numeric_floor, NumericGetDatum(limit)))) != 0))
		refuse_guard(psprintf("the guard's limit \"%s\" is no number of users and no share of them", name),
					 "Below 1 it is a share, as 0.05; 1 and more are so many users, and 0 is none.");
	return limit;
}

/*
 * Read a guard: an object from effects to limits.
 */
Guard *
guard_read(Jsonb *jsonb)
{
	Guard	   *guard = palloc0(sizeof(Guard));
	JsonbValue *object = jsonb != NULL ? document_from_jsonb(jsonb) : document_new_object();

	if (object->type != jbvObject)
		refuse_guard("the guard must be an object", "Send one as {\"deactivated\": 0.05}.");
	document_foreach(pair, object)
	{
		int			effect = 0;

		while (effect < GUARDED_COUNT && !document_is_string(&pair->key, effect_names[effect]))
			effect++;
		if (effect == GUARDED_COUNT)
			refuse_guard(psprintf("the guard does not know \"%s\"",
								  shown_name(pair->key.val.string.val, pair->key.val.string.len)),
						 "It limits created, changed, reactivated, deactivated, deleted and failed.");
		guard->limits[effect] = read_limit(effect_names[effect], &pair->value);
	}
	return guard;
}

/*
 * Does it have to be known how many users there are?
 */
bool
guard_wants_users(const Guard *guard)
{
	for (int effect = 0; effect < EFFECT_FAILED; effect++)
	{
		if (guard->limits[effect] != NULL && is_share(guard->limits[effect]))
			return true;
	}
	return false;
}

/* What a program may want to know of it. */
static char *
guard_detail(int effect, int64 count, int64 whole, Numeric limit)
{
	const char *of = effect == EFFECT_FAILED ? "records" : "users";

	return psprintf("{\"guard\": \"%s\", \"count\": " INT64_FORMAT ", \"limit\": %s%s}",
					effect_names[effect], count, numeric_normalize(limit),
					whole < 0 ? "" : psprintf(", \"%s\": " INT64_FORMAT, of, whole));
}

/*
 * Raise an error, or a warning, when more is done than the guard allows.  Gives
 * true after a warning.
 */
bool
guard_check(const Guard *guard, const int64 *counts, const GuardBase *base, int elevel)
{
	bool		is_exceeded = false;

	for (int effect = 0; effect < GUARDED_COUNT; effect++)
	{
		Numeric		limit = guard->limits[effect];
		bool		of_records = effect == EFFECT_FAILED;
		int64		whole = of_records ? base->records : base->users;
		Numeric		allowed = limit;

		if (limit == NULL)
			continue;
		if (is_share(limit))
			allowed = DatumGetNumeric(DirectFunctionCall2(numeric_mul, NumericGetDatum(limit),
														  NumericGetDatum(numeric_of(whole))));
		if (compare(numeric_of(counts[effect]), allowed) <= 0)
			continue;
		is_exceeded = true;
		ereport(elevel,
				(errcode(ERRCODE_USER_CONFLICT),
				 is_share(limit) ?
				 errmsg("guard \"%s\" is exceeded: " INT64_FORMAT " of " INT64_FORMAT " %s",
						effect_names[effect], counts[effect], whole, of_records ? "records" : "users") :
				 errmsg("guard \"%s\" is exceeded: " INT64_FORMAT ", and at most %s allowed",
						effect_names[effect], counts[effect], numeric_normalize(limit)),
				 errdetail_internal("%s", guard_detail(effect, counts[effect], whole, limit)),
				 errhint("Look at what the feed would do with dry_run, and mend the feed or raise the limit.")));
	}
	return is_exceeded;
}
