"""Leads, board, people."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = _("Sales")

    def ready(self) -> None:
        from crm import receivers  # noqa: F401  (models must be loaded first)
