"""Where things are: which organization a host and path name, and which pages are the platform's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import Http404
from django.urls import ResolverMatch, get_script_prefix, reverse, set_script_prefix

from tenants.models import SLUG, Organization

# Views of these names, and all of allauth's, belong to the platform.
PLATFORM_NAMES = {
    "home",
    "organization_list",
    "organization_new",
    "members:invitation",
    "profile",
    "outbox",
    "outbox_message",
    "terms",
    "privacy",
    "health_live",
    "health_ready",
    "manifest",
    "set_language",
    "organization_enter",
    "handover_give",
    "handover_take",
    "tls_allowed",
    "metrics",
}
STAFF_NAMES = "platform_admin:"


# What programs of the installation ask for, by whatever name they reach this process.
MACHINE_PATHS = {"/health/live", "/health/ready", "/metrics", "/tls/allowed"}


def is_platform_view(match: ResolverMatch | None) -> bool:
    """Say whether a resolved view belongs to the platform and not to an organization."""
    name = match.view_name if match else ""
    return name in PLATFORM_NAMES or name.startswith(("account_", STAFF_NAMES))


def is_staff_view(match: ResolverMatch | None) -> bool:
    """Say whether a resolved view is for the platform's staff: those exist on the main host only."""
    return bool(match) and match.view_name.startswith(STAFF_NAMES)  # type: ignore[union-attr]


@contextmanager
def without_prefix() -> Iterator[None]:
    """Reverse as on the main host, for a block."""
    before = get_script_prefix()
    set_script_prefix("/")
    try:
        yield
    finally:
        set_script_prefix(before)


def platform_reverse(name: str, *args: Any, **kwargs: Any) -> str:
    """Reverse a page of the platform from anywhere."""
    with without_prefix():
        return reverse(name, args=args, kwargs=kwargs)


def find_organization(*, host: str, path: str) -> tuple[Organization | None, str]:
    """Return (organization or None, path prefix that named it) for a host and a path.

    Raises Http404 for an unknown slug. The host has passed ALLOWED_HOSTS; one that is not the main
    host and belongs to nobody serves the platform's pages in development only.
    """
    if path in MACHINE_PATHS:
        return None, ""
    if path.startswith("/o/"):
        slug = path[3:].partition("/")[0]
        prefix = f"/o/{slug}/"
        if is_main_host(host) and SLUG.fullmatch(slug) and path.startswith(prefix):
            organization = next(iter(Organization.objects.filter(slug=slug)), None)
            if organization is not None:
                return organization, prefix
        raise Http404("no such organization")
    if is_main_host(host):
        return None, ""
    organization = Organization.objects.filter(domains__domain=host.lower()).first()
    if organization is None:
        raise Http404("no such host")
    return organization, ""


def is_own_origin(origin: str, *, host: str) -> bool:
    """Say whether a browser's Origin is the very site that its request goes to, TLS before a proxy included.

    One rule for forms and sockets. That the host is one of ours is `find_organization`'s to say.
    """
    parts = urlsplit(origin)
    schemes = {settings.PUBLIC_SCHEME} if settings.LOVED_ENV == "production" else {"http", "https"}
    return bool(host) and parts.scheme in schemes and parts.netloc.lower() == host.lower()


def host_of(organization: Organization) -> str:
    """Name the host on which an organization lives: its own, or the main one."""
    own = next((domain.domain for domain in organization.domains.all() if domain.is_primary), None)
    return own or settings.MAIN_HOST


def is_host_of(organization: Organization, host: str) -> bool:
    """Say whether an organization can be found on a host."""
    return is_main_host(host) or organization.domains.filter(domain=host.lower()).exists()


def is_known_host(host: str) -> bool:
    """Say whether a host is the main one or some organization's own."""
    return is_main_host(host) or Organization.objects.filter(domains__domain=host.lower()).exists()


def link_from(host: str, organization: Organization, name: str, *args: Any, **kwargs: Any) -> str:
    """Link to a page of an organization for a browser that is on some host of ours.

    To another host it leads over the page there that fetches the session: cookies stay on their host.
    """
    link, target = organization.link(name, *args, **kwargs), host_of(organization)
    path = urlsplit(link).path
    if target == host.lower() or (is_main_host(target) and is_main_host(host)):
        return path
    asked = urlencode({"from": host, "next": path})
    return f"{settings.PUBLIC_SCHEME}://{target}{platform_reverse('organization_enter', organization.slug)}?{asked}"


def is_main_host(host: str) -> bool:
    """Say whether a Host header names the main site.

    In development any loopback name and port will do, since `--host` and `--port` are free there.
    """
    host = host.lower()
    if host == settings.MAIN_HOST.lower():
        return True
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return settings.LOVED_ENV != "production" and name in {"localhost", "127.0.0.1", "[::1]", "testserver"}
