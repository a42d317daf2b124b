"""Links between the platform and its organizations."""

from typing import Any

from django import template
from django.template import Context

from tenants.models import Organization
from tenants.platform import link_from, platform_reverse

register = template.Library()


@register.simple_tag
def platform_url(name: str, *args: Any, **kwargs: Any) -> str:
    """Link to a page of the platform from inside an organization."""
    return platform_reverse(name, *args, **kwargs)


@register.simple_tag(takes_context=True)
def organization_url(context: Context, organization: Organization, name: str, *args: Any, **kwargs: Any) -> str:
    """Link to a page of an organization from a page on any of our hosts."""
    return link_from(context["request"].get_host(), organization, name, *args, **kwargs)
