"""Tags: words that come to be by being used."""

import zlib
from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from crm.models import Stage, Tag

MAX_TAGS = 20
MAX_NAME = 40
# Slate is left to what has no colour.
_COLORS = [color for color in Stage.Color if color != Stage.Color.SLATE]


def find_or_create_tags(names: Iterable[Tag | str]) -> list[Tag]:
    """Return the tags of these names, whatever the case, and make those that are missing. Raises `Invalid`."""
    tags: dict[int, Tag] = {}
    for name in names:
        tag = name if isinstance(name, Tag) else _find_or_create(" ".join(name.split()))
        tags[tag.pk] = tag
    if len(tags) > MAX_TAGS:
        raise Invalid(_("A lead has at most 20 tags."))
    return list(tags.values())


def _find_or_create(name: str) -> Tag:
    if not name or len(name) > MAX_NAME:
        raise Invalid(_("A tag has 1 to 40 characters."))
    tag, _created = Tag.objects.get_or_create(name__iexact=name, defaults={"name": name, "color": color_of(name)})
    return tag


def color_of(name: str) -> Stage.Color:
    """Choose the colour of a new tag, always the same one for the same name."""
    return _COLORS[zlib.crc32(name.lower().encode()) % len(_COLORS)]
