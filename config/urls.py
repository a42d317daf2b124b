"""Every address of the product.

Pages of an organization stand below `/o/<slug>/` or on its own host; the middleware has cut the
prefix by the time this list is read. `tenants.platform` names those of the platform.
"""

from django.urls import include, path

from config.admin import organization_site, platform_site
from config.metrics import metrics
from config.views import health_live, health_ready

urlpatterns = [
    path("health/live", health_live, name="health_live"),
    path("health/ready", health_ready, name="health_ready"),
    path("metrics", metrics, name="metrics"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", organization_site.urls),
    path("platform/", platform_site.urls),
    path("", include("tenants.urls")),
    path("", include("members.urls")),
    path("", include("crm.urls")),
]
