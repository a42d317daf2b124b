"""Links between the platform and its organizations."""

from typing import Any

from django import template

from tenants.models import Organization
from tenants.platform import platform_reverse

register = template.Library()


@register.simple_tag
def platform_url(name: str, *args: Any, **kwargs: Any) -> str:
    """Link to a page of the platform from inside an organization."""
    return platform_reverse(name, *args, **kwargs)


@register.simple_tag
def organization_url(organization: Organization, name: str, *args: Any, **kwargs: Any) -> str:
    """Link to a page of an organization from anywhere."""
    return organization.link(name, *args, **kwargs)
