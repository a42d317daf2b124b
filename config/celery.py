"""The Celery application: `celery -A config.celery worker`."""

import gc
import os
from typing import Any

from celery.signals import setup_logging, worker_before_create_process
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


@worker_before_create_process.connect  # type: ignore[untyped-decorator]
def keep_memory_shared(**kwargs: Any) -> None:
    """Leave what is loaded out of garbage collection, which would copy all of it into each child."""
    gc.freeze()
