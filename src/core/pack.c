/*
 * pack.c
 *	  Pack a tree of which parts are packed already.
 *
 * PostgreSQL's own packer would unpack those first, and the answer to a bulk
 * request is made of a hundred thousand of them.  The layout is that of
 * utils/jsonb.h: a header, an entry for each child (of an object: its names,
 * then its values), then the data of these, numbers and containers aligned.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/document.h"
#include "core/errors.h"

static void pack_container(StringInfo out, JsonbValue *container);

static void
align(StringInfo out)
{
	while (out->len != INTALIGN(out->len))
		appendStringInfoChar(out, '\0');
}

/* The data of a value; gives the type bits of its entry. */
static JEntry
pack_value(StringInfo out, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return JENTRY_ISNULL;
		case jbvBool:
			return value->val.boolean ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE;
		case jbvString:
			appendBinaryStringInfo(out, value->val.string.val, value->val.string.len);
			return JENTRY_ISSTRING;
		case jbvNumeric:
			align(out);
			appendBinaryStringInfo(out, (char *) value->val.numeric,
								   VARSIZE_ANY(value->val.numeric));
			return JENTRY_ISNUMERIC;
		case jbvBinary:
			align(out);
			appendBinaryStringInfo(out, (char *) value->val.binary.data, value->val.binary.len);
			return JENTRY_ISCONTAINER;
		case jbvObject:
		case jbvArray:
			align(out);
			pack_container(out, value);
			return JENTRY_ISCONTAINER;
		default:
			elog(ERROR, "unexpected jsonb value type %d", (int) value->type);	/* can't happen */
	}
	return 0;
}

/* One child more: its data go to the end, its entry to its place. */
static void
pack_child(StringInfo out, int entries_at, int data_at, int index, JsonbValue *value)
{
	int			start = out->len;
	JEntry		entry = pack_value(out, value);
	int			size = index % JB_OFFSET_STRIDE == 0 ? out->len - data_at : out->len - start;

	CHECK_FOR_INTERRUPTS();
	if (out->len - data_at > JENTRY_OFFLENMASK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the answer is too large for a jsonb value"),
				 errhint("Send fewer users in one request.")));
	entry |= size;
	if (index % JB_OFFSET_STRIDE == 0)
		entry |= JENTRY_HAS_OFF;
	memcpy(out->data + entries_at + index * sizeof(JEntry), &entry, sizeof(JEntry));
}

static void
pack_container(StringInfo out, JsonbValue *container)
{
	bool		is_object = container->type == jbvObject;
	int			count = is_object ? container->val.object.nPairs : container->val.array.nElems;
	int			children = is_object ? 2 * count : count;
	uint32		header = count | (is_object ? JB_FOBJECT : JB_FARRAY);
	int			entries_at;
	int			data_at;

	check_stack_depth();
	appendBinaryStringInfo(out, (char *) &header, sizeof(header));
	entries_at = out->len;
	enlargeStringInfo(out, children * sizeof(JEntry));
	out->len += children * sizeof(JEntry);
	data_at = out->len;
	for (int i = 0; i < children; i++)
	{
		JsonbValue *child;

		if (!is_object)
			child = &container->val.array.elems[i];
		else if (i < count)
			child = &container->val.object.pairs[i].key;
		else
			child = &container->val.object.pairs[i - count].value;
		pack_child(out, entries_at, data_at, i, child);
	}
}

/*
 * A part of a tree that stays packed: the root of a jsonb, which has to be an
 * object or an array.
 */
JsonbValue
document_packed(Jsonb *jsonb)
{
	JsonbValue	value;

	Assert(!JB_ROOT_IS_SCALAR(jsonb));
	value.type = jbvBinary;
	value.val.binary.data = &jsonb->root;
	value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	return value;
}

/*
 * Pack a tree, an object or an array, of which parts are packed already.
 */
Jsonb *
document_pack(JsonbValue *document)
{
	StringInfoData out;

	document_sort(document);
	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	pack_container(&out, document);
	SET_VARSIZE(out.data, out.len);
	return (Jsonb *) out.data;
}
