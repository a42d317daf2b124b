"""Bring the database up to date and make the demo, in one Django process of its own."""

import os
import sys
from pathlib import Path


def prepare(logins: Path, *, demo: bool) -> None:
    """Migrate what is behind; on the first start make the demo; write down who may sign in to it."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate_organizations")
    if demo:
        call_command("demo", "--if-first")
    with logins.open("w") as output:
        call_command("demo", "--logins", stdout=output)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    prepare(Path(sys.argv[1]), demo="--demo" in sys.argv)
