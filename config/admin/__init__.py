"""Django's own admin, twice: inside each organization for its administrators, and for platform staff."""

from config.admin import organization, platform
from config.admin.sites import organization_site, platform_site

__all__ = ["organization", "organization_site", "platform", "platform_site"]
