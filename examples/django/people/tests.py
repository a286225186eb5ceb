"""Django's own tests see the history, too: ./manage.py test"""

from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import TestCase, TransactionTestCase, override_settings

from people import userstore
from people.models import Change


class UserTests(TestCase):
    def test_two_ways(self):
        """What the app changes and what the functions change is one history."""
        ann = User.objects.create_user("ann", "ann@example.com", "secret")
        userstore.user_patch(ann.pk, {"name": {"familyName": "Lee"}, "title": "Dr"})
        ann.refresh_from_db()
        self.assertEqual(ann.last_name, "Lee")
        ann.first_name = "Ann"
        ann.save()
        self.assertEqual(
            list(ann.changes.values_list("version", "operation", "changed")),
            [
                (1, "sql", ["active", "emails", "userName"]),
                (2, "patch", ["name.familyName", "title"]),
                (3, "sql", ["name.givenName"]),
            ],
        )

    def test_errors(self):
        ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
        with self.assertRaises(IntegrityError):
            userstore.user_patch(bob.pk, {"userName": "ann"})
        with self.assertRaises(userstore.UserError) as caught:
            userstore.user_patch(bob.pk, {"active": "maybe"})
        self.assertEqual((caught.exception.status, caught.exception.detail["path"]), (400, "active"))
        with self.assertRaises(userstore.UserError) as caught:
            userstore.user_patch(ann.pk, {"title": "Dr"}, expected_version=7)
        self.assertEqual(caught.exception.status, 412)


class RequestTests(TransactionTestCase):
    def test_who(self):
        """History has who was logged in, as long as they are."""
        boss = User.objects.create_superuser("boss")
        ann = User.objects.create_user("ann")
        self.client.force_login(boss)
        self.client.post(f"/admin/auth/user/{ann.pk}/delete/", {"post": "yes"})
        self.client.logout()
        User.objects.filter(pk=boss.pk).update(first_name="B")
        changes = Change.objects.filter(user__in=[boss.pk, ann.pk]).order_by("changed_at")
        self.assertEqual(
            list(changes.values_list("user", "version", "operation", "actor")),
            [
                (boss.pk, 1, "sql", None),
                (ann.pk, 1, "sql", None),
                (ann.pk, 2, "sql", "boss"),
                (boss.pk, 2, "sql", None),
            ],
        )

    @override_settings(SCIM_TOKENS={"secret": "directory"})
    def test_scim(self):
        scim = {"content_type": "application/scim+json", "headers": {"Authorization": "Bearer secret"}}
        answer = self.client.post("/scim/v2/Users", {"userName": "ann"}, **scim)
        self.assertEqual(answer.status_code, 201)
        ann = User.objects.get(username="ann")
        self.assertEqual(answer.json()["id"], str(ann.pk))
        self.assertFalse(ann.has_usable_password())
        self.assertEqual(self.client.post("/scim/v2/Users", {"userName": "ann"}, **scim).status_code, 409)
        answer = self.client.delete(answer["Location"], **scim)
        self.assertEqual((answer.status_code, answer.content), (204, b""))
        self.assertFalse(User.objects.exists())
        self.assertEqual(
            list(Change.objects.filter(user=ann.pk).values_list("operation", "actor")),
            [("create", "directory"), ("delete", "directory")],
        )
