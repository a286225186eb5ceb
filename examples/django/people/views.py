import json
import logging
import random
import time

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import OperationalError, transaction
from django.http import HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from people import userstore

logger = logging.getLogger(__name__)


@login_required
@require_http_methods(["GET", "PATCH"])
def me(request):
    """The user who is logged in; PATCH changes what the profile django_me lets them."""
    try:
        if request.method == "GET":
            return JsonResponse(userstore.user_get(request.user.pk))
        return JsonResponse(userstore.user_patch(request.user.pk, json.loads(request.body), api="django_me"))
    except userstore.UserError as error:
        answer = {"error": str(error), "hint": error.hint, **error.detail}
        return JsonResponse(answer, status=error.status)
    except ValueError as error:
        return JsonResponse({"error": f"the body is no JSON: {error}"}, status=400)


def scim_error(status, detail, headers):
    answer = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": str(status),
        "detail": detail,
    }
    return JsonResponse(answer, status=status, headers=headers, content_type="application/scim+json")


def scim_client(request):
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        for known, client in settings.SCIM_TOKENS.items():
            if constant_time_compare(token.strip(), known):
                return client
    return None


@csrf_exempt  # its clients have a token, no cookies
@transaction.non_atomic_requests  # it may have to repeat its transaction
def scim(request):
    """SCIM 2.0 (RFC 7644): one call of user_request."""
    client = scim_client(request)
    if client is None:
        return scim_error(401, "a token of this application is needed", {"WWW-Authenticate": "Bearer"})
    try:
        # A zero, which text in PostgreSQL cannot have, is no JSON in any other disguise either.
        body = request.body.decode().replace("\0", "\x01") or None
    except UnicodeDecodeError:
        return scim_error(400, "the body is not valid UTF-8", {})
    secrets = ("Authorization", "Cookie")
    headers = {name: value for name, value in request.headers.items() if name not in secrets}

    for attempt in range(1, 9):
        try:
            with transaction.atomic():
                userstore.act_for(client, client)
                status, headers, body = userstore.user_request(
                    request.method, request.get_full_path(), headers, body
                )
            break
        except OperationalError as error:
            # What lost against another transaction is repeated.
            if attempt == 8 or getattr(error.__cause__, "sqlstate", None) not in ("40001", "40P01"):
                logger.exception("SCIM request")
                return scim_error(503, "the request could not be done; try again later", {"Retry-After": "1"})
        time.sleep(random.random() * 0.01 * 2**attempt)

    response = HttpResponse(body or "", status=status)
    del response["Content-Type"]
    for name, value in headers.items():
        response[name] = value
    return response
