/*
 * api.h
 *	  Body shapes: how requests are read and answers written.
 *
 * A shape knows the form of messages and nothing of tables.
 */
#ifndef USERSTORE_API_H
#define USERSTORE_API_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "core/http.h"
#include "core/profile.h"
#include "core/schema.h"
#include "core/scim/filter.h"
#include "core/select.h"

/* A user, as the store has it. */
typedef struct UserState
{
	const char *id;
	JsonbValue *document;
	JsonbValue *sent;			/* attributes that an update was sent, or NULL */
	int64		version;
	TimestampTz created;
	TimestampTz modified;
} UserState;

/* What went wrong with an item of a bulk request. */
typedef struct Failure
{
	int			sqlstate;
	int			status;			/* of HTTP */
	const char *message;
	const char *hint;			/* or NULL: what would be right */
	const char *path;			/* or NULL */
	const char *scim_type;		/* or NULL */
} Failure;

/* What became of an item of a bulk request, or of a request that failed. */
typedef struct ItemResult
{
	JsonbValue *body;			/* the item as it was sent */
	const char *id;				/* or NULL */
	const UserState *user;		/* as it is now, when nothing went wrong */
	bool		created;
	const Failure *failure;		/* or NULL */
} ItemResult;

/* More users than this are not on one page. */
#define LIST_MAX_COUNT		1000

/* Which attributes of a user an answer shows: all, unless it selects some. */
typedef struct Shown
{
	bool		selects;
	List	   *attributes;		/* of char * paths */
	bool		excludes;
	List	   *excluded;		/* of char * paths */
} Shown;

/* An attribute that a list is sorted by. */
typedef struct SortKey
{
	const char *path;
	bool		descends;
} SortKey;

/* What a list is asked for. */
typedef struct ListRequest
{
	const char *filter;			/* or NULL: see read_filter */
	List	   *sort_keys;		/* of SortKey * */
	int64		start;			/* from 1; less counts as 1 */
	bool		has_count;
	int64		count;			/* users on a page; less than 0 counts as 0 */
	Shown		shown;
	bool		wants_total;
	bool		has_query;		/* it came with a query, maybe an empty one: */
	List	   *query;			/* of HttpParameter * */
} ListRequest;

/* A page of a list of users. */
typedef struct ListPage
{
	JsonbValue *items;			/* an array */
	int64		start;			/* place of the first of them, from 1 */
	int64		limit;			/* how many were asked for */
	bool		has_more;		/* users behind these */
	int64		total;			/* users on all pages; -1: not counted */
} ListPage;

/* What a request over HTTP wants done. */
typedef enum Action
{
	ACTION_LIST,
	ACTION_SEARCH,				/* the same with a body */
	ACTION_CREATE,
	ACTION_GET,
	ACTION_PUT,
	ACTION_PATCH,
	ACTION_DELETE,
	ACTION_STATUS,				/* of a user, by a word of the profile's */
	ACTION_BULK_PUT,
	ACTION_BULK_PATCH,
	ACTION_SCIM_BULK,			/* operations of all kinds */
	/* what clients can find out (RFC 7644 section 4); groups there are none */
	ACTION_SHOW_CONFIG,
	ACTION_SHOW_SCHEMAS,
	ACTION_SHOW_RESOURCE_TYPES,
	ACTION_SHOW_GROUPS,
	ACTION_NOT_IMPLEMENTED
} Action;

/*
 * Which action a method means at the end of a path: its segments, "*" for that
 * with the user's id.
 */
typedef struct Route
{
	const char *method;
	const char *pattern;
	Action		action;
} Route;

typedef struct BodyShape
{
	const char *name;			/* as a profile's "body" gives it */

	/*
	 * The attributes of a request's body: an object without what belongs to
	 * the message.  An id in the body, where the shape has one, is given in
	 * body_id; otherwise that stays as it is.  ignores_id: where the user is
	 * known without it, it says nothing.
	 */
	bool		ignores_id;

	/* Can an array of operations (RFC 6902) take the place of a body? */
	bool		takes_json_patch;
	JsonbValue *(*read_user) (const Schema *schema, const Profile *profile,
							  JsonbValue *body, char **body_id);

	/* A user as an answer; selection may be NULL. */
	JsonbValue *(*show_user) (const Schema *schema, const Profile *profile,
							  const UserState *user, const Selection *selection);

	/*
	 * Bulk requests: under which name the body has the array of items (NULL:
	 * it is that array); does the answer show the documents of the users; an
	 * item of the answer; does such an item tell of a success; the answer
	 * around them.
	 */
	const char *bulk_member;
	bool		bulk_shows_users;
	JsonbValue *(*show_item) (const Schema *schema, const Profile *profile,
							  const ItemResult *item);
	bool		(*item_succeeded) (JsonbValue *item);
	JsonbValue *(*show_bulk) (const Profile *profile, JsonbValue *items);

	/* Which attributes the parameters of a query ask for. */
	void		(*read_shown) (const Profile *profile, List *query, Shown *shown);

	/*
	 * Lists: what the parameters of a query ask for, or a message in their
	 * place (NULL: there is none such); a filter in the API's own form; a
	 * user on a page; the page.
	 */
	void		(*read_list) (const Profile *profile, List *query, ListRequest *request);
	void		(*read_search) (JsonbValue *body, ListRequest *request);
	Filter	   *(*read_filter) (const Profile *profile, const char *text);
	JsonbValue *(*show_listed) (const Schema *schema, const Profile *profile,
								const UserState *user, const Selection *selection);
	JsonbValue *(*show_list) (const Profile *profile, const ListRequest *request,
							  const ListPage *page);

	/*
	 * A body that asks for a status, as that of an update, and the answer; or
	 * NULL, when there are none.
	 */
	JsonbValue *(*read_status) (const Profile *profile, JsonbValue *body);
	JsonbValue *(*show_status) (const Profile *profile, const char *id);

	/* Over HTTP: routes up to one without a method, and an error as a body. */
	const Route *routes;
	const char *media_type;
	const char *collection;		/* the last segment before an id */
	JsonbValue *(*show_error) (const Schema *schema, const Profile *profile,
							   const ItemResult *result);
} BodyShape;

extern const Route user_routes[];

extern const BodyShape scim_shape;
extern const BodyShape object_shape;
extern const BodyShape fields_shape;

extern const BodyShape *body_shape(const char *name);
extern void select_answer(const Schema *schema, const Profile *profile, Selection *selection);
extern JsonbValue *show_update(const BodyShape *shape, const Schema *schema,
							   const Profile *profile, const UserState *user);
extern JsonbValue *show_attributes(const Schema *schema, const Profile *profile,
								   const Selection *selection, JsonbValue *document);
extern JsonbValue *discovery_show(const Schema *schema, const Profile *profile,
								  Action kind, const char *name);
extern List *discovery_schemas(void);
extern void require_object(JsonbValue *body);
extern void refuse_message(JsonbValue *schemas);
extern char *read_body_id(JsonbValue *value);
extern char *user_url(const Profile *profile, const char *collection, const char *id);
extern JsonbValue *show_schemas(const Schema *schema, JsonbValue *document);
extern char *failure_text(const Failure *failure);
extern const char *status_phrase(int status);
extern char *show_timestamp(TimestampTz timestamp);

/* list.c */
extern const char *list_parameter(List *query, const char *name);
extern List *list_names(const char *text);
extern bool list_integer(List *query, const char *name, int64 *number);
extern void refuse_parameter(const char *name, const char *value, const char *hint);
extern void refuse_together(const char *name, const char *other);
extern void push_link(JsonbValue *links, const char *rel, const char *href);
extern char *list_url(const Profile *profile, const char *collection, List *query, int64 offset,
					  int64 limit);

#endif							/* USERSTORE_API_H */
