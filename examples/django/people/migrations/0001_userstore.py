from django.contrib.postgres.operations import CreateExtension
from django.db import migrations


class Migration(migrations.Migration):
    # Trusted: the database's owner may create it.
    operations = [CreateExtension("userstore")]
