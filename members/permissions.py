"""Who may do what: one table, and the three functions that read it."""

from enum import IntEnum
from typing import Any

from core.errors import Forbidden
from members.models import Member, Role


class Reach(IntEnum):
    """Whose things a right covers. Things without an owner are within everybody's reach."""

    OWN = 1
    TEAM = 2
    ALL = 3


OWN, TEAM, ALL = Reach

RIGHTS: dict[str, dict[str, Reach]] = {
    #                     admin           manager            sales             viewer
    "lead.view":       {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: TEAM, Role.VIEWER: ALL},
    "lead.create":     {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: ALL},
    "lead.edit":       {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: TEAM},
    "lead.move":       {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: TEAM},
    "lead.assign":     {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: OWN},
    "lead.archive":    {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: OWN},
    "lead.export":     {Role.ADMIN: ALL, Role.MANAGER: ALL},
    "lead.import":     {Role.ADMIN: ALL, Role.MANAGER: ALL},
    # Contacts and companies have no owner: whose leads they are about says who sees them.
    "contact.view":    {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: TEAM, Role.VIEWER: ALL},
    "contact.create":  {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: ALL},
    "contact.edit":    {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: ALL},
    "contact.archive": {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: ALL},
    "contact.merge":   {Role.ADMIN: ALL, Role.MANAGER: ALL},
    "member.view":     {Role.ADMIN: ALL, Role.MANAGER: ALL, Role.SALES: ALL, Role.VIEWER: ALL},
    "member.invite":   {Role.ADMIN: ALL, Role.MANAGER: ALL},
    "member.manage":   {Role.ADMIN: ALL},
    "pipeline.manage": {Role.ADMIN: ALL, Role.MANAGER: ALL},
    "organization.manage": {Role.ADMIN: ALL},
}  # fmt: skip

# Nobody invites or promotes above themselves.
RANK = {Role.VIEWER: 0, Role.SALES: 1, Role.MANAGER: 2, Role.ADMIN: 3}


def reach(member: Member, right: str) -> Reach | None:
    """Return how far a member's right goes, or None. An unknown right raises KeyError."""
    reaches = RIGHTS[right]
    return reaches.get(member.role) if member.is_active else None


def rights_of(member: Member) -> set[str]:
    """Name the rights of a member at whatever reach: for menus, never for a decision on one thing."""
    return {right for right in RIGHTS if reach(member, right) is not None}


def is_allowed(member: Member, right: str, thing: Any = None) -> bool:
    """Say whether a member may do this to a thing, which has `owner_id` and `owner`."""
    how_far = reach(member, right)
    if how_far is None:
        return False
    if thing is None or how_far is ALL or thing.owner_id in (None, member.pk):
        return True
    return how_far is TEAM and member.team_id is not None and thing.owner.team_id == member.team_id


def require(member: Member, right: str, thing: Any = None) -> None:
    """Raise `Forbidden` unless the member may do this."""
    if not is_allowed(member, right, thing):
        raise Forbidden
