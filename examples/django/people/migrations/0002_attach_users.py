import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# How SCIM clients see users: as RFC 7643 has them, but for what Django asks of
# its own.  Passwords are Django's; what a client sends as one is ignored.
PROFILES = """
SELECT userstore.api_profile_define('django', '{
    "rules": {
        "userName": {"pattern": "^[[:word:].@+-]+$", "maxLength": 150},
        "name.givenName": {"maxLength": 150},
        "name.familyName": {"maxLength": 150},
        "emails.value": {"format": "email", "maxLength": 254},
        "emails.primary": {"primaryWhenOnly": true},
        "active": {"default": true, "absent": "keep"},
        "password": {"mutability": "readOnly"}
    }}', base => 'scim');

-- what users may change of themselves
SELECT userstore.api_profile_define('django_me', '{
    "writable": ["name", "displayName", "nickName", "title", "phoneNumbers", "preferredLanguage", "timezone"]
    }', base => 'django');
"""

# Attributes that have no column are kept in auth_user_state.  Nobody becomes
# staff or superuser by the functions: these columns have their default in users
# whom the functions create, and are not touched otherwise.
ATTACH = """
SELECT userstore.user_table_attach('auth_user', api => 'django',
    created_column => 'date_joined',
    columns => '{
        "userName": "username",
        "name.givenName": "first_name",
        "name.familyName": "last_name",
        "emails[primary eq true].value": "email",
        "active": "is_active"
    }',
    defaults => '{"password": "!", "is_superuser": false, "is_staff": false}');
"""


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0001_userstore"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(
            PROFILES,
            """
            SELECT userstore.api_profile_drop('django_me');
            SELECT userstore.api_profile_drop('django');
            """,
        ),
        # auth_user is as it was then; history and state stay, to be adopted when
        # it is attached again.
        migrations.RunSQL(ATTACH, "SELECT userstore.user_table_detach('auth_user')"),
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user", "version", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="changes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("version", models.BigIntegerField()),
                ("operation", models.TextField()),
                ("document", models.JSONField(null=True)),
                (
                    "changed",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.TextField()),
                ("actor", models.TextField(null=True)),
                ("request_id", models.TextField(null=True)),
            ],
            options={"db_table": "auth_user_history", "ordering": ["user", "version"], "managed": False},
        ),
    ]
