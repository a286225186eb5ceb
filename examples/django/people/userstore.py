"""The functions of the extension userstore, called through Django's connection.

Users are JSON as the extension has them: dictionaries that go to and come from
the functions as they are.  What a constraint of the table refuses is Django's
IntegrityError, as everywhere; what a function refuses is UserError.
"""

import json

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction


class UserError(Exception):
    """What is wrong with a request: an HTTP status, and what would be right."""

    def __init__(self, status, diagnostics):
        super().__init__(diagnostics.message_primary)
        self.status = status
        self.detail = json.loads(diagnostics.message_detail or "{}")
        self.hint = diagnostics.message_hint


def act_for(actor, client=""):
    """Who is behind the changes of the current transaction, for the history."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('userstore.actor', %s, true), set_config('userstore.client', %s, true)",
            [actor, client],
        )


def _call(function, result, **arguments):
    users = connection.ops.quote_name(get_user_model()._meta.db_table)
    named = "".join(f", {name} => %({name})s" for name in arguments)
    try:
        # A savepoint, so that a caller within a transaction can go on after an error.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {result} FROM userstore.{function}(%(users)s{named}) AS answer",
                {"users": users, **arguments},
            )
            return cursor.fetchone()
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", None) or ""
        if not state.startswith("PT"):
            raise
        raise UserError(int(state[2:]), error.__cause__.diag) from error


def _document(function, user_id, **arguments):
    (answer,) = _call(function, "answer::text", id=str(user_id), **arguments)
    return answer and json.loads(answer)


def user_get(user_id, **options):
    return _document("user_get", user_id, **options)


def user_put(user_id, body, **options):
    """Replaces the user; options are the function's: idempotency_key, expected_version, api ..."""
    return _document("user_put", user_id, body=json.dumps(body), **options)


def user_patch(user_id, body, **options):
    """Changes what body has; options as of user_put."""
    return _document("user_patch", user_id, body=json.dumps(body), **options)


def user_request(method, path, headers, body=None, **options):
    """Serves an HTTP request: status, headers and body (text, or None) of the response."""
    status, headers, body = _call(
        "user_request",
        "status, headers::text, body::text",
        method=method,
        path=path,
        headers=json.dumps(headers),
        body=body,
        **options,
    )
    return status, json.loads(headers), body
