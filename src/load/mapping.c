/*
 * mapping.c
 *	  From the columns of CSV to the attributes of JSON records.
 *
 * The paths of a mapping become a tree of the shape that each record will
 * have; a record is written by walking it.
 */
#include "postgres_fe.h"

#include "exit.h"

#include "json.h"
#include "mapping.h"

typedef enum NodeKind
{
	NODE_OBJECT,				/* its members are its children */
	NODE_ARRAY,					/* its items are */
	NODE_ITEM,					/* an object with the members of its filter */
	NODE_COLUMN,
	NODE_CONSTANT
} NodeKind;

typedef enum ColumnType
{
	COLUMN_STRING,
	COLUMN_NUMBER,
	COLUMN_INTEGER,
	COLUMN_BOOLEAN
} ColumnType;

static const char *const column_types[] = {"string", "number", "integer", "boolean"};

typedef struct Node
{
	NodeKind	kind;
	char	   *name;			/* of a member; of NODE_ITEM its filter, as
								 * the JSON members that it stands for */
	char	   *name_json;		/* quoted */
	struct Node *child;
	struct Node *next;
	bool		has_column;		/* itself or any below */

	/* NODE_COLUMN */
	char	   *column;
	int			number;			/* of that */
	ColumnType	type;
	struct json_object *values; /* from text to value, or NULL */
	bool		has_empty;		/* whether an empty field stands for this: */
	struct json_object *empty;
	bool		is_key;

	char	   *constant;		/* NODE_CONSTANT: its JSON text */
} Node;

struct Mapping
{
	Node	   *root;
	struct json_object *string; /* holds values */
};

/* What applying needs below. */
typedef struct Apply
{
	const CsvField *fields;
	PQExpBuffer record;
	PQExpBuffer problem;
	bool	   *has_key;
	uint64	   *key;
} Apply;

typedef enum Written
{
	WROTE_NOTHING,
	WROTE_CONSTANT,				/* and nothing else */
	WROTE_VALUE,
	WROTE_WRONG					/* problem says why */
} Written;


static void
append_json_string(PQExpBuffer to, const char *string, size_t length)
{
	const char *end = string + length;

	appendPQExpBufferChar(to, '"');
	while (string < end)
	{
		const char *plain = string;

		while (string < end && (unsigned char) *string >= 0x20 && *string != '"' && *string != '\\')
			string++;
		appendBinaryPQExpBuffer(to, plain, string - plain);
		if (string == end)
			break;
		switch (*string)
		{
			case '"':
			case '\\':
				appendPQExpBufferChar(to, '\\');
				appendPQExpBufferChar(to, *string);
				break;
			case '\n':
				appendPQExpBufferStr(to, "\\n");
				break;
			case '\r':
				appendPQExpBufferStr(to, "\\r");
				break;
			case '\t':
				appendPQExpBufferStr(to, "\\t");
				break;
			default:
				appendPQExpBuffer(to, "\\u%04x", (unsigned char) *string);
		}
		string++;
	}
	appendPQExpBufferChar(to, '"');
}

static char *
json_string(const char *string, size_t length)
{
	PQExpBufferData buffer;

	initPQExpBuffer(&buffer);
	append_json_string(&buffer, string, length);
	if (PQExpBufferDataBroken(buffer))
		pg_fatal("out of memory");
	return buffer.data;
}

/* ---- Paths ---------------------------------------------------------------- */

/* The child of this kind and name (its length given), made if it is not there. */
static Node *
get_child(Node *parent, NodeKind kind, const char *name, size_t length)
{
	Node	  **link = &parent->child;
	Node	   *node;

	for (; (node = *link) != NULL; link = &node->next)
	{
		if (node->kind == kind && strlen(node->name) == length &&
			memcmp(node->name, name, length) == 0)
			return node;
	}
	node = *link = pg_malloc0(sizeof(Node));
	node->kind = kind;
	node->name = pnstrdup(name, length);
	node->name_json = json_string(name, length);
	return node;
}

static bool
has_child(const Node *parent, const char *name, size_t length)
{
	for (const Node *node = parent->child; node != NULL; node = node->next)
	{
		if (strlen(node->name) == length && memcmp(node->name, name, length) == 0)
			return true;
	}
	return false;
}

/* The end of a word or JSON value in a filter. */
static const char *
word_end(const char *string)
{
	if (*string == '"')
	{
		for (string++; *string != '"'; string++)
		{
			if (*string == '\\' && string[1] != '\0')
				string++;
			if (*string == '\0')
				return string;
		}
		return string + 1;
	}
	return string + strcspn(string, " ]\"");
}

static const char *
skip_spaces(const char *string)
{
	return string + strspn(string, " ");
}

static bool
is_word(const char *string, const char *end, const char *word)
{
	return end - string == strlen(word) && pg_strncasecmp(string, word, end - string) == 0;
}

static bool
is_literal(const char *string, const char *end)
{
	JsonParser *parser;
	size_t		used;
	bool		result;

	if (json_number(string, end) == end - string)
		return end > string;
	if (*string != '"')
		return is_word(string, end, "true") || is_word(string, end, "false");
	parser = json_parser_new();
	result = json_parse(parser, string, end - string, &used) == JSON_DONE &&
		used == end - string && json_check(string, used, &used) == NULL;
	json_parser_free(parser);
	return result;
}

/*
 * A value filter (RFC 7644 section 3.5.2) of "attribute eq value" joined by
 * "and", from behind its bracket: as the members {"type": "work"} that an item
 * must have.  Returns the place behind it, or NULL.
 */
static const char *
parse_filter(const char *string, PQExpBuffer members)
{
	for (;;)
	{
		const char *end;

		string = skip_spaces(string);
		end = word_end(string);
		if (end == string || *string == '"')
			return NULL;
		append_json_string(members, string, end - string);
		string = skip_spaces(end);
		end = word_end(string);
		if (!is_word(string, end, "eq"))
			return NULL;
		string = skip_spaces(end);
		end = word_end(string);
		if (!is_literal(string, end))
			return NULL;
		appendPQExpBufferStr(members, ": ");
		if (*string == '"')
			appendBinaryPQExpBuffer(members, string, end - string);
		else
			for (; string < end; string++)
				appendPQExpBufferChar(members, pg_ascii_tolower(*string));
		string = skip_spaces(end);
		if (*string == ']')
			return string + 1;
		end = word_end(string);
		if (!is_word(string, end, "and"))
			return NULL;
		appendPQExpBufferStr(members, ", ");
		string = end;
	}
}

#define CORE_URN "urn:ietf:params:scim:schemas:core:2.0:User:"

/*
 * The leaf of this path, made with all that is above it: names with dots
 * between, each perhaps with a filter, behind the URN of an extension.
 */
static Node *
make_path(Node *root, const char *path, NodeKind kind, char **problem)
{
	Node	   *node = root;
	const char *name = path;

	if (pg_strncasecmp(path, CORE_URN, strlen(CORE_URN)) == 0)
		name = path + strlen(CORE_URN);
	else if (pg_strncasecmp(path, "urn:", 4) == 0)
	{
		const char *colon = path + strcspn(path, "[");

		while (*--colon != ':')
			;
		node = get_child(node, NODE_OBJECT, path, colon - path);
		name = colon + 1;
	}
	for (;;)
	{
		size_t		length = strcspn(name, ".[]\"");
		const char *end = name + length;

		if (length == 0 || *end == ']' || *end == '"')
		{
			*problem = psprintf("path \"%s\" is not one of names with dots between", path);
			return NULL;
		}
		if (node->kind == NODE_ITEM)
		{
			char	   *member = psprintf("\"%.*s\": ", (int) length, name);

			if (strstr(node->name, member) != NULL)
				*problem = psprintf("path \"%s\" has a value for this in its filter", path);
			pg_free(member);
			if (*problem != NULL)
				return NULL;
		}
		if (*end == '[')
		{
			PQExpBufferData members;

			node = get_child(node, NODE_ARRAY, name, length);
			initPQExpBuffer(&members);
			end = parse_filter(end + 1, &members);
			if (end == NULL || *end != '.')
			{
				termPQExpBuffer(&members);
				if (end != NULL)
					*problem = psprintf("path \"%s\" needs a sub-attribute behind the bracket", path);
				else
					*problem = psprintf("path \"%s\" has a filter other than [name eq value]", path);
				return NULL;
			}
			node = get_child(node, NODE_ITEM, members.data, members.len);
			termPQExpBuffer(&members);
			name = end + 1;
			continue;
		}
		if (*end == '\0')
		{
			if (has_child(node, name, length))
			{
				*problem = psprintf("path \"%s\" is there twice, or is part of another", path);
				return NULL;
			}
			return get_child(node, kind, name, length);
		}
		node = get_child(node, NODE_OBJECT, name, length);
		name = end + 1;
	}
}

/* Whether two children have one name but differ in kind, as "a" and "a.b" do. */
static bool
is_ambiguous(const Node *node)
{
	for (const Node *child = node->child; child != NULL; child = child->next)
	{
		for (const Node *other = child->next; other != NULL; other = other->next)
		{
			if (strcmp(child->name, other->name) == 0)
				return true;
		}
		if (is_ambiguous(child))
			return true;
	}
	return false;
}

/* ---- The text of a mapping ------------------------------------------------ */

static char *
read_text(const char *path)
{
	FILE	   *file = fopen(path, PG_BINARY_R);
	PQExpBufferData string;
	char		buffer[8192];
	size_t		got;

	if (file == NULL)
		pg_fatal("could not open file \"%s\": %m", path);
	initPQExpBuffer(&string);
	while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
		appendBinaryPQExpBuffer(&string, buffer, got);
	if (ferror(file))
		pg_fatal("could not read file \"%s\": %m", path);
	if (PQExpBufferDataBroken(string))
		pg_fatal("out of memory");
	fclose(file);
	return string.data;
}

/* {"column": ..., "type" or "values": ..., "empty": ...} */
static void
parse_column(Node *node, const char *path, struct json_object *spec)
{
	bool		has_type = false;
	struct json_object_iter member;

	json_object_object_foreachC(spec, member)
	{
		const char *name = member.key;
		struct json_object *value = member.val;

		if (strcmp(name, "column") == 0 && json_object_is_type(value, json_type_string))
			node->column = pg_strdup(json_object_get_string(value));
		else if (strcmp(name, "values") == 0 && json_object_is_type(value, json_type_object))
			node->values = value;
		else if (strcmp(name, "empty") == 0)
		{
			node->has_empty = true;
			node->empty = value;
		}
		else if (strcmp(name, "type") == 0 && json_object_is_type(value, json_type_string))
		{
			has_type = true;
			while (strcmp(json_object_get_string(value), column_types[node->type]) != 0)
			{
				if (++node->type == lengthof(column_types))
					pg_fatal("mapping of \"%s\": \"type\" must be string, number, integer or boolean", path);
			}
		}
		else
			pg_fatal("mapping of \"%s\": \"%s\" is not understood", path, name);
	}
	if (node->values != NULL && has_type)
		pg_fatal("mapping of \"%s\": \"values\" and \"type\" do not go together", path);
}

Mapping *
mapping_parse(const char *string)
{
	Mapping    *mapping = pg_malloc0(sizeof(Mapping));
	JsonParser *parser = json_parser_new();
	char	   *file = NULL;
	char	   *problem = NULL;
	struct json_object_iter member;
	size_t		length;
	size_t		used;

	while (json_space(*string))
		string++;
	if (*string != '{')
		string = file = read_text(string);
	if (strncmp(string, "\xef\xbb\xbf", 3) == 0)
		string += 3;
	length = strlen(string);
	while (length > 0 && json_space(string[length - 1]))
		length--;
	if (json_parse(parser, string, length, &used) != JSON_DONE || used < length ||
		json_check(string, length, &used) != NULL || utf8_check(string, length, &used) != NULL)
		pg_fatal("the mapping is not JSON: %s at byte %zu",
				 parser->problem != NULL ? parser->problem : "it is broken", used + 1);
	if (!json_object_is_type(parser->value, json_type_object))
		pg_fatal("the mapping is not a JSON object");
	mapping->string = json_object_get(parser->value);
	mapping->root = pg_malloc0(sizeof(Node));

	json_object_object_foreachC(mapping->string, member)
	{
		const char *path = member.key;
		struct json_object *spec = member.val;
		struct json_object *constant;
		bool		is_object = json_object_is_type(spec, json_type_object);
		Node	   *node;

		if (is_object && json_object_object_length(spec) == 1 &&
			json_object_object_get_ex(spec, "value", &constant))
		{
			node = make_path(mapping->root, path, NODE_CONSTANT, &problem);
			if (node != NULL)
				node->constant = pg_strdup(json_object_to_json_string_ext(constant,
																		  JSON_C_TO_STRING_NOSLASHESCAPE));
		}
		else
		{
			node = make_path(mapping->root, path, NODE_COLUMN, &problem);
			if (node != NULL && json_object_is_type(spec, json_type_string))
				node->column = pg_strdup(json_object_get_string(spec));
			else if (node != NULL && is_object)
				parse_column(node, path, spec);
		}
		if (node == NULL)
			pg_fatal("mapping: %s", problem);
		if (node->kind == NODE_COLUMN && node->column == NULL)
			pg_fatal("mapping of \"%s\": needs the name of a column, or {\"column\": ...} or {\"value\": ...}", path);
	}
	if (is_ambiguous(mapping->root))
		pg_fatal("mapping: a path is part of another");
	json_parser_free(parser);
	pg_free(file);
	return mapping;
}

Mapping *
mapping_of_columns(char **columns, int count, char **problem)
{
	Mapping    *mapping = pg_malloc0(sizeof(Mapping));

	mapping->root = pg_malloc0(sizeof(Node));
	for (int i = 0; i < count; i++)
	{
		Node	   *node = make_path(mapping->root, columns[i], NODE_COLUMN, problem);

		if (node == NULL)
		{
			mapping_free(mapping);
			return NULL;
		}
		node->column = pg_strdup(columns[i]);
	}
	if (is_ambiguous(mapping->root))
	{
		*problem = pg_strdup("the name of a column is part of another's path");
		mapping_free(mapping);
		return NULL;
	}
	return mapping;
}

static bool
bind_node(Node *node, char **columns, int count, char **problem)
{
	if (node->kind == NODE_COLUMN)
	{
		node->has_column = true;
		node->number = -1;
		for (int i = 0; i < count; i++)
		{
			if (strcmp(columns[i], node->column) != 0)
				continue;
			if (node->number >= 0)
			{
				*problem = psprintf("column \"%s\" is there twice", node->column);
				return false;
			}
			node->number = i;
		}
		if (node->number < 0)
		{
			*problem = psprintf("there is no column \"%s\"", node->column);
			return false;
		}
	}
	for (Node *child = node->child; child != NULL; child = child->next)
	{
		if (!bind_node(child, columns, count, problem))
			return false;
		node->has_column |= child->has_column;
	}
	return true;
}

static Node *
child_named(const Node *parent, NodeKind kind, const char *name)
{
	for (Node *node = parent->child; node != NULL; node = node->next)
	{
		if (node->kind == kind && pg_strcasecmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

/* The column of the attribute by which users are told apart; see key.c. */
static Node *
find_key(const Mapping *mapping, const Key *key)
{
	const Node *node = mapping->root;
	const char *const *names;
	const char *attribute = key_attribute(key);
	char	   *name;
	int			count;
	bool		has_urn;

	names = key_names(key, &count, &has_urn);
	for (int i = 0; i < count - 1 && node != NULL; i++)
	{
		if (i == 0 && has_urn && child_named(node, NODE_OBJECT, names[0]) == NULL)
			continue;
		node = child_named(node, NODE_OBJECT, names[i]);
	}
	if (node != NULL && child_named(node, NODE_COLUMN, names[count - 1]) != NULL)
		return child_named(node, NODE_COLUMN, names[count - 1]);

	/* OIG's fields[name eq "User Login"].value */
	node = child_named(mapping->root, NODE_ARRAY, "fields");
	if (node == NULL)
		return NULL;
	name = json_string(attribute, strlen(attribute));
	attribute = psprintf("\"name\": %s", name);
	node = child_named(node, NODE_ITEM, attribute);
	pg_free(unconstify(char *, attribute));
	pg_free(name);
	return node != NULL ? child_named(node, NODE_COLUMN, "value") : NULL;
}

bool
mapping_bind(Mapping *mapping, char **columns, int count, const Key *key, char **problem)
{
	Node	   *node;

	if (!bind_node(mapping->root, columns, count, problem))
		return false;
	node = find_key(mapping, key);
	if (node != NULL)
		node->is_key = true;
	return true;
}

static void
free_nodes(Node *node)
{
	while (node != NULL)
	{
		Node	   *next = node->next;

		free_nodes(node->child);
		pg_free(node->name);
		pg_free(node->name_json);
		pg_free(node->column);
		pg_free(node->constant);
		pg_free(node);
		node = next;
	}
}

void
mapping_free(Mapping *mapping)
{
	free_nodes(mapping->root);
	json_object_put(mapping->string);
	pg_free(mapping);
}

/* ---- Records -------------------------------------------------------------- */

static Written
wrong(const Apply *apply, const Node *node, const char *wanted)
{
	const CsvField *field = &apply->fields[node->number];
	size_t		shown = Min(field->length, 60);

	/* As much as is useful to see, and no part of a character. */
	while (shown > 0 && shown < field->length && (field->string[shown] & 0xc0) == 0x80)
		shown--;
	resetPQExpBuffer(apply->problem);
	appendPQExpBuffer(apply->problem, "column \"%s\": ", node->column);
	append_json_string(apply->problem, field->string, shown);
	if (shown < field->length)
		appendPQExpBufferStr(apply->problem, "...");
	appendPQExpBuffer(apply->problem, " is not %s", wanted);
	return WROTE_WRONG;
}

static Written
write_json(const Apply *apply, const Node *node, struct json_object *value)
{
	if (node->is_key)
		*apply->has_key = key_hash(value, apply->key);
	appendPQExpBufferStr(apply->record,
						 json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
	return WROTE_VALUE;
}

/* One of the mapping's "values". */
static Written
write_listed(const Apply *apply, const Node *node)
{
	const CsvField *field = &apply->fields[node->number];
	PQExpBufferData wanted;
	struct json_object_iter member;
	Written		result;

	json_object_object_foreachC(node->values, member)
	{
		if (strlen(member.key) == field->length &&
			memcmp(member.key, field->string, field->length) == 0)
			return write_json(apply, node, member.val);
	}
	if (field->length == 0 && !field->quoted)
		return WROTE_NOTHING;
	initPQExpBuffer(&wanted);
	json_object_object_foreachC(node->values, member)
	{
		appendPQExpBufferStr(&wanted, wanted.len == 0 ? "one of " : ", ");
		append_json_string(&wanted, member.key, strlen(member.key));
	}
	result = wrong(apply, node, wanted.data);
	termPQExpBuffer(&wanted);
	return result;
}

/* As PostgreSQL's boolean reads it, if in full. */
static const char *
boolean(const CsvField *field)
{
	static const char *const spellings[][2] = {
		{"true", "true"}, {"t", "true"}, {"yes", "true"}, {"y", "true"},
		{"on", "true"}, {"1", "true"},
		{"false", "false"}, {"f", "false"}, {"no", "false"}, {"n", "false"},
		{"off", "false"}, {"0", "false"}
	};

	for (int i = 0; i < lengthof(spellings); i++)
	{
		if (is_word(field->string, field->string + field->length, spellings[i][0]))
			return spellings[i][1];
	}
	return NULL;
}

static Written
write_column(const Apply *apply, const Node *node)
{
	const CsvField *field = &apply->fields[node->number];
	const char *end = field->string + field->length;
	struct json_object *number;
	PQExpBufferData string;

	if (node->has_empty && field->length == 0 && !field->quoted)
		return write_json(apply, node, node->empty);
	if (node->values != NULL)
		return write_listed(apply, node);
	if (field->length == 0 && !field->quoted)
		return WROTE_NOTHING;
	switch (node->type)
	{
		case COLUMN_BOOLEAN:
			if (boolean(field) == NULL)
				return wrong(apply, node, "true or false");
			appendPQExpBufferStr(apply->record, boolean(field));
			break;
		case COLUMN_INTEGER:
			if (memchr(field->string, '.', field->length) != NULL ||
				memchr(field->string, 'e', field->length) != NULL ||
				memchr(field->string, 'E', field->length) != NULL)
				return wrong(apply, node, "an integer");
			/* FALLTHROUGH */
		case COLUMN_NUMBER:
			if (field->length == 0 || json_number(field->string, end) != field->length)
				return wrong(apply, node, node->type == COLUMN_INTEGER ?
							 "an integer" : "a number such as 1234.5");
			appendBinaryPQExpBuffer(apply->record, field->string, field->length);
			if (node->is_key)
			{
				initPQExpBuffer(&string);
				appendBinaryPQExpBuffer(&string, field->string, field->length);
				number = json_tokener_parse(string.data);
				*apply->has_key = key_hash(number, apply->key);
				json_object_put(number);
				termPQExpBuffer(&string);
			}
			break;
		case COLUMN_STRING:
			append_json_string(apply->record, field->string, field->length);
			if (node->is_key)
			{
				*apply->has_key = true;
				*apply->key = key_hash_text(field->string, field->length);
			}
			break;
	}
	return WROTE_VALUE;
}

/* Nothing is left of an object or array in which nothing was written. */
static Written
write_node(const Apply *apply, const Node *node)
{
	PQExpBuffer record = apply->record;
	bool		is_array = node->kind == NODE_ARRAY;
	size_t		begin = record->len;
	Written		result = WROTE_NOTHING;
	bool		first;

	if (node->kind == NODE_COLUMN)
		return write_column(apply, node);
	if (node->kind == NODE_CONSTANT)
	{
		appendPQExpBufferStr(record, node->constant);
		return WROTE_CONSTANT;
	}
	appendPQExpBufferChar(record, is_array ? '[' : '{');
	if (node->kind == NODE_ITEM)
		appendPQExpBufferStr(record, node->name);
	first = node->kind != NODE_ITEM;
	for (const Node *child = node->child; child != NULL; child = child->next)
	{
		size_t		before = record->len;
		Written		written;

		if (!first)
			appendPQExpBufferStr(record, ", ");
		if (!is_array)
		{
			appendPQExpBufferStr(record, child->name_json);
			appendPQExpBufferStr(record, ": ");
		}
		written = write_node(apply, child);
		if (written == WROTE_WRONG)
			return written;
		if (written == WROTE_NOTHING)
		{
			record->len = before;
			continue;
		}
		first = false;
		result = Max(result, written);
	}
	/* An item of which the columns are empty is none, whatever its type. */
	if (node->kind == NODE_ITEM && node->has_column && result != WROTE_VALUE)
		result = WROTE_NOTHING;
	if (result == WROTE_NOTHING)
		record->len = begin;
	else
		appendPQExpBufferChar(record, is_array ? ']' : '}');
	return result;
}

bool
mapping_apply(const Mapping *mapping, const CsvField *fields, PQExpBuffer record,
			  PQExpBuffer problem, bool *has_key, uint64 *key)
{
	Apply		apply = {fields, record, problem, has_key, key};

	*has_key = false;
	resetPQExpBuffer(record);
	switch (write_node(&apply, mapping->root))
	{
		case WROTE_WRONG:
			return false;
		case WROTE_NOTHING:
			appendPQExpBufferStr(record, "{}");
			break;
		default:
			break;
	}
	if (PQExpBufferBroken(record))
		pg_fatal("out of memory");
	return true;
}
