from django.db import transaction

from people import userstore


class ActorMiddleware:
    """History says who was logged in when a user was changed.

    The setting lasts as long as the transaction, so the next request of the
    connection does not inherit it, with a pool in transaction mode either.
    ATOMIC_REQUESTS makes a transaction for the view alone, which is a savepoint
    of this one: what the view did is still taken back when it fails.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not request.user.is_authenticated:
            return self.get_response(request)
        with transaction.atomic():
            userstore.act_for(request.user.get_username())
            return self.get_response(request)
