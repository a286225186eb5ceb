/*
 * parse.c
 *	  Read the text of filters and paths (RFC 7644 figure 1 and section 3.5.2).
 *
 * Beyond that grammar, blanks may be more than one, and a name may have more
 * than one sub-attribute behind it, since attributes of ours nest.
 *
 * A filter of fields is written as Oracle Identity Governance documents it:
 * User::Login eq avink or Last Name sw 'K'.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "core/errors.h"
#include "core/scim/filter.h"
#include "core/scim/scalar.h"

typedef struct Parser
{
	const char *at;
	TextPlace	place;			/* see position_of() */
	const char *kind;			/* "filter" or "path" */
	const char *scim_type;		/* of errors */
	int			depth;
	bool		in_values;		/* between square brackets */
	bool		has_fields;		/* their names and values are of words */
	bool		is_lenient;		/* values in brackets may have a condition
								 * behind them */
} Parser;

static Filter *parse_or(Parser *parser);
static bool find_operator(const char *at, int len, FilterOperator *op);

/*
 * Refuse a filter or path, saying where in it.
 */
void
bad_filter(const char *text, const char *scim_type, int position, const char *hint,
		   const char *format,...)
{
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	ereport(ERROR,
			(errcode(ERRCODE_USER_BAD_REQUEST),
			 errmsg_internal("%s at position %d of the %s", message.data, position, text),
			 errdetail_position(scim_type, position),
			 errhint("%s", hint)));
}

/* The position of a place, counted from the last one. */
int
text_position(TextPlace *last, const char *at)
{
	if (at >= last->at)
		last->position += pg_mbstrlen_with_len(last->at, at - last->at);
	else
		last->position -= pg_mbstrlen_with_len(at, last->at - at);
	last->at = at;
	return last->position;
}

static int
position_of(Parser *parser, const char *at)
{
	return text_position(&parser->place, at);
}

#define BAD_SYNTAX(parser, where, hint, ...) \
	bad_filter((parser)->kind, (parser)->scim_type, position_of(parser, where), hint, __VA_ARGS__)

static void
skip_blanks(Parser *parser)
{
	while (*parser->at == ' ')
		parser->at++;
}

/* The word that begins here: up to a blank, a bracket, a quote or the end. */
static int
word_length(const char *at)
{
	return strcspn(at, " ()[]\"");
}

static bool
is_word(const char *at, int len, const char *word)
{
	return len == strlen(word) && pg_strncasecmp(at, word, len) == 0;
}

/* What is there, for a message. */
static char *
shown_here(const char *at)
{
	int			len = Max(word_length(at), 1);

	return *at == '\0' ? "the end" : psprintf("\"%s\"", shown_name(at, len));
}

/*
 * Attribute names
 */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ATTRNAME, which may begin with a dollar sign as $ref does, and subAttrs. */
static bool
is_name_with_subs(const char *name, int len)
{
	bool		begins = true;

	for (int i = 0; i < len; i++)
	{
		char		c = name[i];

		if (c == '.' && !begins)
			begins = true;
		else if (begins ? is_letter(c) || c == '$' || c == '_' :
				 is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '$')
			begins = false;
		else
			return false;
	}
	return !begins;
}

/*
 * attrPath: a name, with the URI of a schema before it or not.  A URI has
 * colons and dots of its own.
 */
static char *
parse_attribute_path(Parser *parser)
{
	const char *start = parser->at;
	int			len = word_length(start);
	const char *name = start;

	for (int i = 0; i < len; i++)
	{
		if (start[i] == ':')
			name = start + i + 1;
	}
	if (!is_name_with_subs(name, start + len - name) ||
		(name > start && memchr(start, ':', name - start - 1) == NULL))
		BAD_SYNTAX(parser, start, "It is written as userName, name.familyName or urn:...:User:name.",
				   "%s is no attribute", shown_here(start));
	parser->at += len;
	return pnstrdup(start, len);
}

/* Words as they are meant: "::" stands for a blank. */
static char *
join_words(const char *text, int len)
{
	char	   *words = palloc(len + 1);
	int			count = 0;

	for (int i = 0; i < len; i++)
	{
		if (i + 1 < len && text[i] == ':' && text[i + 1] == ':')
		{
			words[count++] = ' ';
			i++;
		}
		else
			words[count++] = text[i];
	}
	words[count] = '\0';
	return words;
}

/*
 * The name of a field: the words up to an operator.  "::" stands for a blank in
 * it, and so does a blank.
 */
static char *
parse_field_name(Parser *parser)
{
	const char *start = parser->at;
	StringInfoData name;

	initStringInfo(&name);
	for (;;)
	{
		const char *word = parser->at + strspn(parser->at, " ");
		int			len = word_length(word);
		FilterOperator op;

		if (len == 0 || (name.len > 0 && (is_word(word, len, "pr") || find_operator(word, len, &op))))
			break;
		appendStringInfo(&name, "%s%s", name.len > 0 ? " " : "", join_words(word, len));
		parser->at = word + len;
		if (*parser->at == '[')
			break;
	}
	if (name.len == 0)
		BAD_SYNTAX(parser, start, "It is written as User::Login.", "%s is no field",
				   shown_here(start));
	return name.data;
}

/*
 * Values
 */

/* compValue: a scalar as JSON has it; of a field, also words without quotes. */
static void
parse_value(Parser *parser, Filter *filter)
{
	const char *start = parser->at;
	bool		is_string = *start == '"' || (parser->has_fields && *start == '\'');
	const char *end = is_string ? scalar_string_end(start) : start + word_length(start);

	if (end == NULL)
		BAD_SYNTAX(parser, start, "End it with a quote.", "a string is not closed");
	/* single quotes are for fields */
	if (*start != '\'' || parser->has_fields)
		filter->value = scalar_read(start, end - start);
	if (parser->has_fields && !is_string && end > start)
	{
		filter->word = join_words(start, end - start);
		if (filter->value == NULL)
			filter->value = document_string(filter->word);
	}
	if (filter->value == NULL && is_string)
		BAD_SYNTAX(parser, start, "Write control characters, quotes and backslashes in it as in JSON.",
				   "a string is not one of JSON");
	if (filter->value == NULL)
		BAD_SYNTAX(parser, start, "It is a string in double quotes, a number, true, false or null.",
				   "%s is no value", shown_here(start));
	parser->at = end;
}

/*
 * Expressions
 */

static Filter *
new_filter(Parser *parser, FilterType type, const char *start)
{
	Filter	   *filter = palloc0(sizeof(Filter));

	filter->type = type;
	filter->text = parser->kind;
	filter->position = position_of(parser, start);
	return filter;
}

static bool
find_operator(const char *at, int len, FilterOperator *op)
{
	static const char *const names[] = {
		[OPERATOR_EQ] = "eq",
		[OPERATOR_NE] = "ne",
		[OPERATOR_CO] = "co",
		[OPERATOR_SW] = "sw",
		[OPERATOR_EW] = "ew",
		[OPERATOR_GT] = "gt",
		[OPERATOR_GE] = "ge",
		[OPERATOR_LT] = "lt",
		[OPERATOR_LE] = "le",
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (is_word(at, len, names[i]))
		{
			*op = i;
			return true;
		}
	}
	return false;
}

/* What stands between brackets, of either kind, which the parser is at. */
static Filter *
parse_bracketed(Parser *parser, char close)
{
	const char *open = parser->at++;
	Filter	   *filter;

	check_stack_depth();
	if (++parser->depth > MAX_FILTER_DEPTH)
		BAD_SYNTAX(parser, open, psprintf("At most %d levels are accepted.", MAX_FILTER_DEPTH),
				   "brackets are nested too deeply");
	filter = parse_or(parser);
	skip_blanks(parser);
	if (*parser->at != close)
		BAD_SYNTAX(parser, parser->at, psprintf("It closes that of position %d.", position_of(parser, open)),
				   "\"%c\" is expected instead of %s", close, shown_here(parser->at));
	parser->at++;
	parser->depth--;
	return filter;
}

static Filter *
parse_values(Parser *parser, const char *start, char *path)
{
	Filter	   *filter = new_filter(parser, FILTER_VALUES, start);

	if (parser->in_values)
		BAD_SYNTAX(parser, parser->at, "Name a sub-attribute of what the outer bracket belongs to.",
				   "a bracket in a bracket is not allowed");
	filter->path = path;
	parser->in_values = true;
	filter->parts = list_make1(parse_bracketed(parser, ']'));
	parser->in_values = false;
	return filter;
}

/* What is behind a bracket and a dot. */
static char *
parse_sub_attribute(Parser *parser)
{
	const char *sub = ++parser->at;
	int			len = word_length(sub);

	if (!is_name_with_subs(sub, len))
		BAD_SYNTAX(parser, sub, "Name a sub-attribute.", "%s is no attribute", shown_here(sub));
	parser->at += len;
	return pnstrdup(sub, len);
}

/* attrExp, from the operator on. */
static Filter *
parse_expression(Parser *parser, const char *start, char *path)
{
	Filter	   *filter;
	int			len;

	skip_blanks(parser);
	len = word_length(parser->at);
	if (is_word(parser->at, len, "pr"))
	{
		filter = new_filter(parser, FILTER_PRESENT, start);
		filter->path = path;
		parser->at += len;
		return filter;
	}
	filter = new_filter(parser, FILTER_COMPARE, start);
	filter->path = path;
	if (!find_operator(parser->at, len, &filter->op))
		BAD_SYNTAX(parser, parser->at, "It is one of eq, ne, co, sw, ew, gt, ge, lt, le and pr.",
				   "an operator is expected instead of %s", shown_here(parser->at));
	parser->at += len;
	/* the RFC's own example of section 3.5.2.2 has no blank before a quote */
	if (*parser->at != ' ' && *parser->at != '"')
		BAD_SYNTAX(parser, parser->at, "Put a blank between the operator and the value.",
				   "a blank is expected instead of %s", shown_here(parser->at));
	skip_blanks(parser);
	parse_value(parser, filter);
	return filter;
}

/*
 * One of the big clients writes emails[type eq "work"].value eq "a@b.c", which
 * no grammar has.  It means one more condition on the value.
 */
static void
parse_behind_values(Parser *parser, Filter *values)
{
	const char *start = parser->at + 1;
	char	   *sub = parse_sub_attribute(parser);
	Filter	   *both = new_filter(parser, FILTER_AND, start);

	both->parts = list_make2(linitial(values->parts), parse_expression(parser, start, sub));
	values->parts = list_make1(both);
}

/* attrExp, valuePath, or a group with or without "not" before it. */
static Filter *
parse_operand(Parser *parser)
{
	const char *start;
	Filter	   *filter;
	char	   *path;
	int			len;

	CHECK_FOR_INTERRUPTS();
	skip_blanks(parser);
	start = parser->at;
	if (*start == '(')
		return parse_bracketed(parser, ')');
	len = word_length(start);
	if (is_word(start, len, "not"))
	{
		parser->at += len;
		skip_blanks(parser);
		if (*parser->at == '(')
		{
			filter = new_filter(parser, FILTER_NOT, start);
			filter->parts = list_make1(parse_bracketed(parser, ')'));
			return filter;
		}
		parser->at = start;
	}
	path = parser->has_fields ? parse_field_name(parser) : parse_attribute_path(parser);
	if (*parser->at != '[')
		return parse_expression(parser, start, path);
	filter = parse_values(parser, start, path);
	if (parser->is_lenient && *parser->at == '.')
		parse_behind_values(parser, filter);
	return filter;
}

/*
 * Operands with a word between them; gives the only one as it is.
 */
static Filter *
parse_combined(Parser *parser, FilterType type, const char *word,
			   Filter *(*parse_part) (Parser *parser))
{
	const char *start = parser->at;
	Filter	   *first = parse_part(parser);
	Filter	   *filter = NULL;

	for (;;)
	{
		const char *before = parser->at;

		skip_blanks(parser);
		if (parser->at == before || !is_word(parser->at, word_length(parser->at), word))
		{
			parser->at = before;
			return filter != NULL ? filter : first;
		}
		parser->at += strlen(word);
		if (*parser->at != ' ' && *parser->at != '(')
			BAD_SYNTAX(parser, parser->at, "Another condition follows it.",
					   "a condition is expected instead of %s", shown_here(parser->at));
		if (filter == NULL)
		{
			filter = new_filter(parser, type, start);
			filter->parts = list_make1(first);
		}
		filter->parts = lappend(filter->parts, parse_part(parser));
	}
}

/* "and" binds more closely than "or" (RFC 7644 section 3.4.2.2). */
static Filter *
parse_and(Parser *parser)
{
	return parse_combined(parser, FILTER_AND, "and", parse_operand);
}

static Filter *
parse_or(Parser *parser)
{
	return parse_combined(parser, FILTER_OR, "or", parse_and);
}

static void
begin(Parser *parser, const char *text, const char *kind, const char *scim_type)
{
	memset(parser, 0, sizeof(Parser));
	parser->at = text;
	parser->place.at = text;

	parser->place.position = 1;

	parser->kind = kind;
	parser->scim_type = scim_type;
	if (strlen(text) > MAX_FILTER_BYTES)
		BAD_SYNTAX(parser, text, psprintf("At most %d bytes are accepted.", MAX_FILTER_BYTES),
				   "there is too much");
}

static void
end(Parser *parser, const char *hint)
{
	skip_blanks(parser);
	if (*parser->at != '\0')
		BAD_SYNTAX(parser, parser->at, hint, "the end is expected instead of %s",
				   shown_here(parser->at));
}

static Filter *
parse_filter(Parser *parser)
{
	Filter	   *filter = parse_or(parser);

	end(parser, "Conditions are combined with and, or, not and parentheses.");
	return filter;
}

/*
 * The tree of a filter, in the current memory context.
 */
Filter *
filter_parse(const char *text)
{
	Parser		parser;

	begin(&parser, text, "filter", SCIM_INVALID_FILTER);
	return parse_filter(&parser);
}

/*
 * The same of a filter as the clients of lenient profiles write it.
 */
Filter *
filter_parse_lenient(const char *text)
{
	Parser		parser;

	begin(&parser, text, "filter", SCIM_INVALID_FILTER);
	parser.is_lenient = true;
	return parse_filter(&parser);
}

/*
 * The same of a filter of fields.
 */
Filter *
filter_parse_fields(const char *text)
{
	Parser		parser;

	begin(&parser, text, "filter", SCIM_INVALID_FILTER);
	parser.has_fields = true;
	return parse_filter(&parser);
}

/*
 * PATH of RFC 7644 section 3.5.2: an attribute, or a value path that may have a
 * sub-attribute behind it.
 */
PatchPath *
patch_path_parse(const char *text)
{
	PatchPath  *path = palloc0(sizeof(PatchPath));
	Parser		parser;

	begin(&parser, text, "path", SCIM_INVALID_PATH);
	skip_blanks(&parser);
	path->attribute = parse_attribute_path(&parser);
	if (*parser.at == '[')
		path->filter = linitial(parse_values(&parser, parser.at, path->attribute)->parts);
	if (path->filter != NULL && *parser.at == '.')
		path->sub = parse_sub_attribute(&parser);
	end(&parser, "A path is written as emails[type eq \"work\"].value.");
	return path;
}
