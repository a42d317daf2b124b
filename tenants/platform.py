"""The platform's own pages: reversed without an organization's prefix, and absent below one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.urls import ResolverMatch, get_script_prefix, reverse, set_script_prefix

# Views of these names, and all of allauth's, belong to the platform.
PLATFORM_NAMES = {
    "home",
    "organization_list",
    "organization_new",
    "invitation",
    "profile",
    "outbox",
    "outbox_message",
    "terms",
    "privacy",
    "health_live",
    "health_ready",
    "manifest",
    "set_language",
}


def is_platform_view(match: ResolverMatch | None) -> bool:
    """Say whether a resolved view belongs to the platform and not to an organization."""
    name = match.view_name if match else ""
    return name in PLATFORM_NAMES or name.startswith("account_")


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
