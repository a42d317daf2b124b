"""Text search that forgives accents and typing errors; in public, used from every schema."""

from django.contrib.postgres.operations import TrigramExtension, UnaccentExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [UnaccentExtension(), TrigramExtension()]
