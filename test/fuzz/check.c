/*
 * check.c
 *	  What is to hold of every document that an update makes.
 */
#include "fuzz.h"

#include "utils/timestamp.h"

/* For messages. */
static char *
shown(JsonbValue *tree)
{
	return JsonbToCString(NULL, &document_to_jsonb(tree)->root, 0);
}

/*
 * A tree as it is now, to see later whether it still is.
 */
StringInfo
snapshot(JsonbValue *tree)
{
	StringInfo	bytes = makeStringInfo();

	document_canonical(tree, bytes);
	return bytes;
}

void
check_unchanged(JsonbValue *tree, StringInfo before, const char *what)
{
	StringInfo	after = snapshot(tree);

	if (after->len != before->len || memcmp(after->data, before->data, after->len) != 0)
		finding("%s is changed: %s", what, shown(tree));
}

/* A value is of a type that there is, and names in it are there once. */
void
check_value(JsonbValue *value, const char *what)
{
	switch (value->type)
	{
		case jbvNull:
		case jbvBool:
		case jbvNumeric:
		case jbvString:
			break;
		case jbvArray:
			for (int i = 0; i < value->val.array.nElems; i++)
				check_value(&value->val.array.elems[i], what);
			break;
		case jbvObject:
			document_foreach(pair, value)
			{
				for (JsonbPair *other = value->val.object.pairs; other < pair; other++)
				{
					if (document_equal(&other->key, &pair->key))
						finding("%s: two members are called \"%s\"", what, document_cstring(&pair->key));
				}
				check_value(&pair->value, what);
			}
			break;
		default:
			finding("%s: a value is of type %d", what, (int) value->type);
	}
}

/*
 * A tree can be stored and is then what it was.
 */
void
check_tree(JsonbValue *tree, const char *what)
{
	JsonbValue *read;

	check_value(tree, what);
	read = document_from_row(document_to_jsonb(tree));
	if (!document_equal(read, tree))
		finding("%s: stored, it is another: %s", what, shown(read));
}

Update
new_update(const FuzzInput *input)
{
	Update		update = {0};

	update.schema = input->api->schema;
	update.profile = input->api->profile;
	return update;
}

/*
 * What is wrong with a document, or NULL.  What has to be sent together is
 * judged in requests: of what is stored, a part may have gone since.
 */
static const char *
problem_of(const FuzzInput *input, JsonbValue *document)
{
	Validation	validation = {0};
	ListCell   *lc;

	validation.collect = true;
	validation.absent = input->api->profile->absent;
	validate_document(&validation, input->api->schema, document);
	foreach(lc, validation.problems)
	{
		Problem    *problem = lfirst(lc);

		if (strstr(problem->message, "\" lacks \"") == NULL)
			return problem->message;
	}
	return NULL;
}

typedef struct Creation
{
	FuzzInput  *input;
	JsonbValue *created;
} Creation;

static void
create(void *arg)
{
	Creation   *creation = arg;
	FuzzInput  *input = creation->input;
	Update		update = new_update(input);
	JsonbValue *body = document_from_jsonb(input->document);
	SentUnstored unstored;
	JsonbValue *sent = body;
	char	   *id = NULL;

	/* the document is the attributes, whatever a body is like */
	if (input->api->shape != &fields_shape)
		sent = input->api->shape->read_user(input->api->schema, input->api->profile, body, &id);
	unstored_take(&update, sent, body, &unstored);
	creation->created = create_document(&update, sent);
	check_tree(creation->created, "created");
	if (problem_of(input, creation->created) != NULL)
		finding("%s: created was %s", problem_of(input, creation->created), shown(creation->created));
}

/*
 * The document as a table has it: what creating a user of it gives or, where
 * that is refused, the document itself, which plain SQL may have stored.
 */
JsonbValue *
stored_document(FuzzInput *input, bool *is_valid)
{
	Creation	creation = {input};

	*is_valid = attempt(create, &creation);
	if (*is_valid)
		input->document = document_to_jsonb(creation.created);
	return document_from_jsonb(input->document);
}

static bool
is_common_path(const char *path)
{
	return strcmp(path, "id") == 0 || strcmp(path, "meta") == 0 || strcmp(path, "schemas") == 0;
}

static void
check_changes(const FuzzInput *input, JsonbValue *before, JsonbValue *after)
{
	List	   *changes = changes_between(input->api->schema, before, after);
	JsonbValue *old = document_copy_top(before);
	JsonbValue *new = document_copy_top(after);
	const char *last = "";
	ListCell   *lc;

	foreach(lc, changes)
	{
		const char *path = lfirst(lc);

		if (strcmp(last, path) > 0)
			finding("changes are not sorted: %s, %s", last, path);
		if (is_common_path(path))
			finding("\"%s\" is told as a change", path);
		last = path;
	}
	document_remove(old, "id", 2);
	document_remove(new, "id", 2);
	document_remove(old, "meta", 4);
	document_remove(new, "meta", 4);
	document_remove(old, "schemas", 7);
	document_remove(new, "schemas", 7);
	if (document_equal(old, new) != (changes == NIL))
		finding("%d changes from %s to %s", list_length(changes), shown(old), shown(new));
}

/* The answer can be sent. */
static void
check_answer(const FuzzInput *input, JsonbValue *after)
{
	UserState	user = {0};

	user.id = "ann";
	user.document = after;
	user.version = 2;
	user.created = user.modified = 0;
	check_value(show_update(input->api->shape, input->api->schema, input->api->profile, &user),
				"answer");
}

/*
 * What an update makes of a document: one that can be stored, read again,
 * answered with, told of in history and, if the one before was valid, is valid.
 */
void
check_result(FuzzInput *input, Update *update, JsonbValue *before, bool was_valid,
			 JsonbValue *after)
{
	unstored_drop(input->api->schema, after);
	check_tree(after, "result");
	/* or nobody can ever change the user again */
	if (tree_read(document_to_jsonb(after)) == NULL)
		finding("the result is refused when it is read again");
	if (was_valid && problem_of(input, after) != NULL)
		finding("%s: from a valid document came %s", problem_of(input, after), shown(after));
	check_changes(input, before, after);
	check_answer(input, after);
}
