"""The Celery application: `celery -A config.celery worker`."""

import os
from typing import Any

from celery.signals import setup_logging
from tenant_schemas_celery.app import CeleryApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class App(CeleryApp):  # type: ignore[misc]
    """Celery whose tasks know their organization, or refuse."""

    task_cls = "tenants.jobs:OrganizationTask"


app = App("loved")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]
def keep_our_logging(**kwargs: Any) -> None:
    """Leave logging as the settings made it."""
