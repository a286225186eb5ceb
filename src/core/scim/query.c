/*
 * query.c
 *	  Read a query as Oracle CPQ has them in the parameter q, such as
 *	  {status: {$eq: 1}, $or: [{login: 'ann'}, {lastName: {$like: 'B%'}}]}.
 *
 * Oracle calls it a subset of MongoDB's syntax: JSON, in which names may stand
 * without quotes and strings in single ones, with the operators below and no
 * others.  It makes the same tree as a filter of RFC 7644 section 3.4.2.2.  As
 * Oracle's samples have numbers in quotes, too, the attribute's type decides
 * what a value is.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/errors.h"
#include "core/scim/filter.h"
#include "core/scim/scalar.h"

typedef struct Query
{
	const char *at;
	TextPlace	place;			/* see position_of() */
	int			depth;
} Query;

static const struct
{
	const char *name;
	FilterOperator op;
}			operators[] = {
	{"$eq", OPERATOR_EQ},
	{"$ne", OPERATOR_NE},
	{"$gt", OPERATOR_GT},
	{"$gte", OPERATOR_GE},
	{"$lt", OPERATOR_LT},
	{"$lte", OPERATOR_LE},
	{"$like", OPERATOR_LIKE},
};

#define OPERATORS_HINT \
	"It is one of $eq, $ne, $gt, $gte, $lt, $lte, $like and $exists; $and and $or combine queries, and a sub-attribute is named as \"status.value\"."

static Filter *parse_query(Query *query);

static int
position_of(Query *query, const char *at)
{
	return text_position(&query->place, at);
}

#define BAD_QUERY(query, where, hint, ...) \
	bad_filter("query", SCIM_INVALID_FILTER, position_of(query, where), hint, __VA_ARGS__)

/*
 * Tokens
 */

static void
skip_blanks(Query *query)
{
	query->at += strspn(query->at, " \t\r\n");
}

/* Up to what cannot stand in a name or value without quotes. */
static int
word_length(const char *at)
{
	return strcspn(at, " \t\r\n:,{}[]\"'");
}

static char *
shown_here(const char *at)
{
	int			len = Max(word_length(at), 1);

	return *at == '\0' ? "the end" : psprintf("\"%s\"", shown_name(at, len));
}

/* Go on behind a punctuation mark, if that is what comes next. */
static bool
take(Query *query, char mark)
{
	skip_blanks(query);
	if (*query->at != mark)
		return false;
	query->at++;
	return true;
}

static void
expect(Query *query, char mark, const char *hint)
{
	if (!take(query, mark))
		BAD_QUERY(query, query->at, hint, "\"%c\" is expected instead of %s", mark,
				  shown_here(query->at));
}

/* A scalar, with or without quotes, and its text without them. */
static JsonbValue *
parse_scalar(Query *query, const char **word)
{
	const char *start;
	const char *end;
	JsonbValue *value;
	bool		is_string;

	skip_blanks(query);
	start = query->at;
	is_string = *start == '"' || *start == '\'';
	end = is_string ? scalar_string_end(start) : start + word_length(start);
	if (end == NULL)
		BAD_QUERY(query, start, "End it with the quote that it begins with.",
				  "a string is not closed");
	value = scalar_read(start, end - start);
	if (value == NULL && is_string)
		BAD_QUERY(query, start, "Write control characters, quotes and backslashes in it as in JSON.",
				  "a string is not one of JSON");
	query->at = end;
	*word = value != NULL && value->type == jbvString ? document_cstring(value) :
		pnstrdup(start, end - start);
	return value;
}

static const char *
parse_name(Query *query)
{
	const char *start = query->at;
	const char *name;

	(void) parse_scalar(query, &name);
	if (name[0] == '\0')
		BAD_QUERY(query, start, "A query is written as {login: {$eq: 'ann'}}.",
				  "a name is expected instead of %s", shown_here(query->at));
	expect(query, ':', "A name has a value behind it, as in {login: 'ann'}.");
	return name;
}

/*
 * Conditions
 */

static Filter *
new_filter(Query *query, FilterType type, const char *start)
{
	Filter	   *filter = palloc0(sizeof(Filter));

	filter->type = type;
	filter->text = "query";
	filter->position = position_of(query, start);
	return filter;
}

/* Several that hold together; gives the only one as it is. */
static Filter *
combine(Query *query, FilterType type, const char *start, List *parts)
{
	Filter	   *filter;

	if (list_length(parts) == 1)
		return linitial(parts);
	filter = new_filter(query, type, start);
	filter->parts = parts;
	return filter;
}

/* A pattern that SQL cannot read would fail in the middle of a list. */
static void
check_pattern(Query *query, const char *start, const char *pattern)
{
	for (; *pattern != '\0'; pattern++)
	{
		if (*pattern == '\\' && *++pattern == '\0')
			BAD_QUERY(query, start, "Write \\\\\\\\ in a string for a backslash.",
					  "a pattern ends with a backslash");
	}
}

static Filter *
parse_comparison(Query *query, const char *start, const char *name, FilterOperator op)
{
	Filter	   *filter = new_filter(query, FILTER_COMPARE, start);
	const char *value;

	skip_blanks(query);
	value = query->at;
	filter->path = pstrdup(name);
	filter->op = op;
	filter->value = parse_scalar(query, &filter->word);
	if (filter->value == NULL)
		BAD_QUERY(query, value, "It is a string in quotes, a number, true, false or null.",
				  "%s is no value", shown_here(value));
	if (op == OPERATOR_LIKE)
		check_pattern(query, value, filter->word);
	return filter;
}

/* {$exists: true}: has it a value? */
static Filter *
parse_exists(Query *query, const char *start, const char *name)
{
	Filter	   *filter = new_filter(query, FILTER_PRESENT, start);
	Filter	   *not;
	const char *value;
	const char *word;

	skip_blanks(query);
	value = query->at;
	filter->path = pstrdup(name);
	(void) parse_scalar(query, &word);
	if (pg_strcasecmp(word, "true") == 0)
		return filter;
	if (pg_strcasecmp(word, "false") != 0)
		BAD_QUERY(query, value, "It is true or false.", "%s does not say whether it exists",
				  shown_here(value));
	not = new_filter(query, FILTER_NOT, start);
	not->parts = list_make1(filter);
	return not;
}

static Filter *
parse_operator(Query *query, const char *start, const char *name)
{
	const char *at;
	const char *op;

	skip_blanks(query);
	at = query->at;
	op = parse_name(query);
	if (pg_strcasecmp(op, "$exists") == 0)
		return parse_exists(query, start, name);
	for (int i = 0; i < lengthof(operators); i++)
	{
		if (pg_strcasecmp(op, operators[i].name) == 0)
			return parse_comparison(query, start, name, operators[i].op);
	}
	BAD_QUERY(query, at, OPERATORS_HINT, "\"%s\" is no operator", shown_name(op, strlen(op)));
	return NULL;				/* keep the compiler quiet */
}

/* What an attribute is compared with: a value, or an object of operators. */
static Filter *
parse_condition(Query *query, const char *start, const char *name)
{
	List	   *parts;

	if (!take(query, '{'))
		return parse_comparison(query, start, name, OPERATOR_EQ);
	parts = list_make1(parse_operator(query, start, name));
	while (take(query, ','))
		parts = lappend(parts, parse_operator(query, start, name));
	expect(query, '}', "Operators are separated by commas, as in {$gte: 1, $lt: 5}.");
	return combine(query, FILTER_AND, start, parts);
}

/* $and and $or: an array of queries. */
static Filter *
parse_array(Query *query, FilterType type, const char *start)
{
	List	   *parts;

	expect(query, '[', "Write it as [{login: 'ann'}, {login: 'bob'}].");
	parts = list_make1(parse_query(query));
	while (take(query, ','))
		parts = lappend(parts, parse_query(query));
	expect(query, ']', "Queries are separated by commas.");
	return combine(query, type, start, parts);
}

static Filter *
parse_member(Query *query)
{
	const char *start;
	const char *name;

	CHECK_FOR_INTERRUPTS();
	skip_blanks(query);
	start = query->at;
	name = parse_name(query);
	if (pg_strcasecmp(name, "$and") == 0)
		return parse_array(query, FILTER_AND, start);
	if (pg_strcasecmp(name, "$or") == 0)
		return parse_array(query, FILTER_OR, start);
	if (name[0] == '$')
		BAD_QUERY(query, start, OPERATORS_HINT, "\"%s\" stands without an attribute",
				  shown_name(name, strlen(name)));
	return parse_condition(query, start, name);
}

static List *
parse_members(Query *query)
{
	List	   *parts = list_make1(parse_member(query));

	while (take(query, ','))
		parts = lappend(parts, parse_member(query));
	expect(query, '}', "Conditions are separated by commas.");
	return parts;
}

/* Members hold all together; without one, every user is meant. */
static Filter *
parse_query(Query *query)
{
	List	   *parts = NIL;
	const char *start;

	check_stack_depth();
	skip_blanks(query);
	start = query->at;
	expect(query, '{', "A query is written as {login: {$eq: 'ann'}}.");
	if (++query->depth > MAX_FILTER_DEPTH)
		BAD_QUERY(query, start, psprintf("At most %d levels are accepted.", MAX_FILTER_DEPTH),
				  "queries are nested too deeply");
	if (!take(query, '}'))
		parts = parse_members(query);
	query->depth--;
	return combine(query, FILTER_AND, start, parts);
}

/*
 * The tree of a query, in the current memory context.
 */
Filter *
query_parse(const char *text)
{
	Query		query;
	Filter	   *filter;

	query.at = text;
	query.place.at = text;

	query.place.position = 1;
	query.depth = 0;
	if (strlen(text) > MAX_FILTER_BYTES)
		BAD_QUERY(&query, text, psprintf("At most %d bytes are accepted.", MAX_FILTER_BYTES),
				  "there is too much");
	filter = parse_query(&query);
	skip_blanks(&query);
	if (*query.at != '\0')
		BAD_QUERY(&query, query.at, "A query is one object in braces.",
				  "the end is expected instead of %s", shown_here(query.at));
	return filter;
}
