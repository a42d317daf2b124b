"""Tags: words that come to be by being used."""

import zlib
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing
from crm.models import Pipeline, Stage, Tag
from crm.services.news import announce_bulk
from members.models import Member
from members.permissions import require
from members.services import audit

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


@transaction.atomic
def change_tag(*, actor: Member, tag_id: int, name: str, color: str) -> Tag:
    """Change a tag's name and colour wherever it is used. Raises `Invalid` when the name is taken."""
    require(actor, "pipeline.manage")
    tag = _locked(tag_id)
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise Invalid(_("A tag has 1 to 40 characters."))
    if color not in Stage.Color.values:
        raise Invalid(_("Choose a colour."))
    before = {"name": tag.name, "color": tag.color}
    tag.name, tag.color = name, Stage.Color(color)
    try:
        with transaction.atomic():
            tag.save(update_fields=["name", "color"])
    except IntegrityError as error:
        raise Invalid(_("There is a tag of this name.")) from error
    audit.record(actor=actor, action="tag.changed", target=tag, before=before, after={"name": name, "color": color})
    _tell_boards(actor)
    return tag


@transaction.atomic
def delete_tag(*, actor: Member, tag_id: int) -> None:
    """Take a tag off every lead and delete it; the trail says on how many it was."""
    require(actor, "pipeline.manage")
    tag = _locked(tag_id)
    uses = tag.leads.count()
    audit.record(actor=actor, action="tag.deleted", target=tag, before={"name": tag.name}, leads=uses)
    tag.delete()
    _tell_boards(actor)


def _locked(tag_id: int) -> Tag:
    tag = Tag.objects.select_for_update().filter(pk=tag_id).first()
    if tag is None:
        raise Missing
    return tag


def _tell_boards(actor: Member) -> None:
    for pipeline in Pipeline.objects.all():
        announce_bulk(pipeline_id=pipeline.pk, stage_ids=[], actor=actor)
