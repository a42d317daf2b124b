"""The pieces that every page is made of: icons, avatars, money, form fields, navigation links."""

import zlib
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from core.money import format_money, format_money_compact, format_number

register = template.Library()

COLORS = ("blue", "violet", "amber", "green", "red", "teal", "pink")  # slate is for what has no colour
_SMALL_WORDS = {"da", "das", "de", "do", "dos", "e", "of", "the"}


@register.simple_tag
@lru_cache(512)  # a page has dozens, and they are the same few
def icon(name: str, *, label: str = "", size: str = "") -> SafeString:
    """Draw an icon of the sprite; with a label it is read aloud, without one it is decoration."""
    meaning = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    extent = format_html(' data-size="{}"', size) if size else SafeString("")
    return format_html(
        '<svg class="crm-icon" {}{}><use href="{}#{}"></use></svg>', meaning, extent, static("icons.svg"), name
    )


@register.filter
def initials(name: object) -> str:
    """Take the first letters of the first and the last name."""
    words = [word for word in str(name).replace("@", " ").replace(".", " ").split() if word.lower() not in _SMALL_WORDS]
    letters = [word[0] for word in words if word[0].isalnum()]
    return "".join([letters[0], letters[-1]] if len(letters) > 1 else letters).upper() or "?"


@register.filter
def color(name: object) -> str:
    """Choose a colour, always the same one for the same name."""
    return COLORS[zlib.crc32(str(name).encode()) % len(COLORS)]


@register.simple_tag
def avatar(name: object, *, size: str = "sm", title: bool = True) -> SafeString:
    """Draw a person as a coloured circle with initials."""
    hint = format_html(' title="{}"', name) if title else SafeString("")
    return format_html(
        '<span class="avatar" data-size="{}" data-color="{}"{} aria-hidden="true"><span>{}</span></span>',
        size, color(name), hint, initials(name),
    )  # fmt: skip


@register.filter
def money(value: Decimal | int | None, currency: str = "BRL") -> str:
    """Write an amount in full in the reader's language; nothing stays nothing."""
    return "" if value is None else format_money(Decimal(value), currency, language=get_language() or "pt-br")


@register.filter
def money_compact(value: Decimal | int | None, currency: str = "BRL") -> str:
    """Write an amount shortly in the reader's language."""
    return "" if value is None else format_money_compact(Decimal(value), currency, language=get_language() or "pt-br")


@register.filter
def count(value: int | None) -> str:
    """Write a whole number with the reader's separators."""
    return format_number(value or 0, language=get_language() or "pt-br")


@register.inclusion_tag("_field.html")
def field(
    bound: BoundField,
    *,
    label: str = "",
    help_text: str | None = None,
    required: bool | None = None,
    autofocus: bool = False,
) -> dict[str, Any]:
    """Render one form field: label, control, help and errors, tied together for screen readers.

    `help_text=""` hides the form's own; `required` overrules what the label says, not what is checked.
    """
    kind = bound.widget_type
    attrs: dict[str, Any] = {}
    if kind not in {"checkbox", "radioselect", "checkboxselectmultiple", "hidden"}:
        attrs["class"] = " ".join(filter(None, [bound.field.widget.attrs.get("class", ""), _control_class(kind)]))
    if kind in {"email", "password"} or getattr(bound.field.widget, "input_type", "") == "email":
        attrs["placeholder"] = False  # the label says it
    if autofocus:
        attrs["autofocus"] = True
    return {
        "field": bound,
        "kind": kind,
        "control": bound.as_widget(attrs=attrs),
        "label": label or bound.label,
        "help_text": bound.help_text if help_text is None else help_text,
        "required": bound.field.required if required is None else required,
        "is_group": kind in {"radioselect", "checkboxselectmultiple"},
    }


@register.inclusion_tag("_fields.html")
def fields(form: BaseForm) -> dict[str, Any]:
    """Render all fields of a form, with its own errors above them."""
    return {"form": form}


@register.simple_tag(takes_context=True)
def is_current(context: Context, *prefixes: str) -> str:
    """Give aria-current="page" when the page's URL name begins with one of these."""
    match = getattr(context.get("request"), "resolver_match", None)
    here = match is not None and match.view_name.startswith(prefixes)
    return SafeString(' aria-current="page"') if here else ""


def _control_class(kind: str) -> str:
    return {"textarea": "textarea", "select": "select", "selectmultiple": "textarea"}.get(kind, "input")
