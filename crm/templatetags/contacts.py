"""How pages write what belongs to contacts."""

from django import template

from crm.identity import display_phone

register = template.Library()


@register.filter
def phone(number: str) -> str:
    """Write a stored number as people in its country do."""
    return display_phone(number)
