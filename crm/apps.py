"""Leads, board, people."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"

    def ready(self) -> None:
        from crm import receivers  # noqa: F401  (models must be loaded first)
