"""The ground: organizations and logins."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from tenants import receivers  # noqa: F401  (models must be loaded first)
