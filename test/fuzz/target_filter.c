/*
 * target_filter.c
 *	  Filters, those of fields, queries, and the paths of PatchOp messages.
 */
#include "fuzz.h"

#include "mb/pg_wchar.h"

#include "core/scim/common.h"
#include "core/scim/filter.h"

static const char *const operators[] = {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"};

/* How closely the operators of the grammar bind. */
typedef enum Binds
{
	BINDS_OR,
	BINDS_AND,
	BINDS_NOT
} Binds;

static void
print_filter(StringInfo out, const Filter *filter, int around)
{
	Binds		binds = BINDS_NOT;
	ListCell   *lc;

	if (filter->type == FILTER_OR || filter->type == FILTER_AND)
		binds = filter->type == FILTER_OR ? BINDS_OR : BINDS_AND;
	switch (filter->type)
	{
		case FILTER_AND:
		case FILTER_OR:

			/* one in another of its kind came from parentheses */
			if (binds <= around)
				appendStringInfoChar(out, '(');
			foreach(lc, filter->parts)
			{
				if (foreach_current_index(lc) > 0)
					appendStringInfoString(out, filter->type == FILTER_AND ? " and " : " or ");
				print_filter(out, lfirst(lc), binds);
			}
			if (binds <= around)
				appendStringInfoChar(out, ')');
			break;
		case FILTER_NOT:
			appendStringInfoString(out, "not (");
			print_filter(out, linitial(filter->parts), -1);
			appendStringInfoChar(out, ')');
			break;
		case FILTER_VALUES:
			appendStringInfo(out, "%s[", filter->path);
			print_filter(out, linitial(filter->parts), -1);
			appendStringInfoChar(out, ']');
			break;
		case FILTER_PRESENT:
			appendStringInfo(out, "%s pr", filter->path);
			break;
		case FILTER_COMPARE:
			appendStringInfo(out, "%s %s ", filter->path, operators[filter->op]);
			(void) JsonbToCString(out, &document_to_jsonb(filter->value)->root, 0);
			break;
	}
}

static char *
printed(const Filter *filter)
{
	StringInfoData text;

	initStringInfo(&text);
	print_filter(&text, filter, -1);
	return text.data;
}

/* Positions of errors are in the text. */
static void
check_positions(const Filter *filter, const char *text)
{
	ListCell   *lc;

	if (filter->position < 1 || filter->position > pg_mbstrlen(text))
		finding("a condition is at position %d of %d characters", filter->position,
				pg_mbstrlen(text));
	foreach(lc, filter->parts)
		check_positions(lfirst(lc), text);
}

typedef struct Parsing
{
	const char *text;
	Filter	   *filter;
	PatchPath  *path;
} Parsing;

static void
parse_filter(void *arg)
{
	Parsing    *parsing = arg;

	parsing->filter = filter_parse(parsing->text);
	check_positions(parsing->filter, parsing->text);
}

static void
parse_fields(void *arg)
{
	Parsing    *parsing = arg;

	parsing->filter = filter_parse_fields(parsing->text);
	check_positions(parsing->filter, parsing->text);
}

static void
parse_query(void *arg)
{
	Parsing    *parsing = arg;

	parsing->filter = query_parse(parsing->text);
	check_positions(parsing->filter, parsing->text);
}

static void
parse_path(void *arg)
{
	Parsing    *parsing = arg;

	parsing->path = patch_path_parse(parsing->text);
}

/*
 * The same filter from its own print; NULL when that is too long.
 */
static Filter *
parse_print(const Filter *filter)
{
	Parsing		again = {printed(filter)};

	if (strlen(again.text) > MAX_FILTER_BYTES)
		return NULL;
	if (!attempt(parse_filter, &again))
		finding("the print of a filter is refused: %s", again.text);
	if (strcmp(again.text, printed(again.filter)) != 0)
		finding("the print of a filter is another: %s, %s", again.text, printed(again.filter));
	return again.filter;
}

static void
check_path(const PatchPath *path)
{
	Parsing		again = {0};
	char	   *text = path->attribute;

	if (path->filter != NULL)
		text = psprintf("%s[%s]%s%s", path->attribute, printed(path->filter),
						path->sub ? "." : "", path->sub ? path->sub : "");
	if (strlen(text) > MAX_FILTER_BYTES)
		return;
	again.text = text;
	if (!attempt(parse_path, &again))
		finding("the print of a path is refused: %s", text);
	if (strcmp(path->attribute, again.path->attribute) != 0 ||
		(path->filter == NULL) != (again.path->filter == NULL) ||
		(path->sub == NULL) != (again.path->sub == NULL) ||
		(path->sub != NULL && strcmp(path->sub, again.path->sub) != 0))
		finding("the print of a path is another: %s", text);
}

typedef struct Bind
{
	Filter	   *filter;
	const Schema *schema;
	const Schema *common;
} Bind;

static void
bind_filter(void *arg)
{
	Bind	   *bind = arg;

	filter_bind(bind->filter, bind->schema, bind->common, NULL);
}

/* A filter of other text gives this. */
static void
expect_match(FuzzInput *input, const char *text, JsonbValue *document, bool expected)
{
	Parsing		parsing = {text};
	Bind		bind = {NULL, input->api->schema, NULL};

	/* one pair of parentheses more may be one too many */
	if (strlen(text) > MAX_FILTER_BYTES || !attempt(parse_filter, &parsing))
		return;
	bind.filter = parsing.filter;
	if (!attempt(bind_filter, &bind))
		finding("cannot be bound: %s", text);
	if (filter_matches(parsing.filter, document) != expected)
		finding("does not give %d: %s", expected, text);
}

static void
parse_lenient(void *arg)
{
	Parsing    *parsing = arg;

	parsing->filter = filter_parse_lenient(parsing->text);
	check_positions(parsing->filter, parsing->text);
}

/* Another grammar, whose filters are evaluated as those of SCIM are. */
static void
run_grammar(FuzzInput *input, void (*parse) (void *), JsonbValue *document)
{
	Parsing		parsing = {input->request};
	Bind		bind = {NULL, input->api->schema, common_schema()};

	if (!attempt(parse, &parsing))
		return;
	bind.filter = parsing.filter;
	if (attempt(bind_filter, &bind) &&
		filter_matches(parsing.filter, document) != filter_matches(parsing.filter, document_copy(document)))
		finding("matches one of two equal documents");
}

static void
run(FuzzInput *input)
{
	JsonbValue *document = document_from_jsonb(input->document);
	StringInfo	before = snapshot(document);
	Parsing		parsing = {input->request};
	Bind		bind = {NULL, input->api->schema, NULL};
	Filter	   *again;
	Bind		with_common = {NULL, input->api->schema, common_schema()};
	bool		matches;

	run_grammar(input, parse_fields, document);
	run_grammar(input, parse_query, document);
	run_grammar(input, parse_lenient, document);
	check_unchanged(document, before, "the document");
	if (attempt(parse_path, &parsing))
		check_path(parsing.path);
	if (!attempt(parse_filter, &parsing))
		return;
	again = parse_print(parsing.filter);
	bind.filter = parsing.filter;
	with_common.filter = filter_parse(input->request);
	if (!attempt(bind_filter, &bind))
	{
		/* names of id and meta alone make the difference */
		if (attempt(bind_filter, &with_common))
			(void) filter_matches(with_common.filter, document);
		return;
	}
	matches = filter_matches(parsing.filter, document);
	if (filter_matches(parsing.filter, document) != matches)
		finding("matches now and then");
	if (filter_matches(parsing.filter, document_copy(document)) != matches)
		finding("matches one of two equal documents");
	if (!attempt(bind_filter, &with_common) ||
		filter_matches(with_common.filter, document) != matches)
		finding("id and meta, which it does not name, make a difference");
	if (again != NULL)
	{
		char	   *text = printed(again);

		expect_match(input, text, document, matches);
		expect_match(input, psprintf("not (%s)", text), document, !matches);
		expect_match(input, psprintf("(%s) and (%s)", text, text), document, matches);
		expect_match(input, psprintf("not (%s) or (%s)", text, text), document, true);
	}
	check_unchanged(document, before, "the document");
}

const FuzzTarget filter_target = {
	.name = "filter",
	.request = REQUEST_FILTER,
	.run = run,
};
