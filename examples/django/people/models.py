from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Change(models.Model):
    """The history of auth_user, which userstore writes: to read, not to write.

    A user who was deleted stays in it, so the user of a change may be missing.
    """

    pk = models.CompositePrimaryKey("user", "version")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="changes", db_constraint=False
    )
    version = models.BigIntegerField()
    operation = models.TextField()
    document = models.JSONField(null=True)
    changed = ArrayField(models.TextField())
    changed_at = models.DateTimeField()
    changed_by = models.TextField()
    actor = models.TextField(null=True)
    request_id = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "auth_user_history"
        ordering = ["user", "version"]

    def __str__(self):
        return f"{self.user_id} {self.version} {self.operation} {', '.join(self.changed)}"
