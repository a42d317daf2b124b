"""Members come by invitation, change role and team, and leave."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Forbidden, Invalid, Missing
from members.models import Invitation, Member, Role, Team
from members.permissions import RANK, require
from members.services import audit
from members.signals import member_deactivated
from tenants.context import current_organization
from tenants.models import User
from tenants.services import admit, shut_out

INVITATION_DAYS = 7
DEFAULT_TEAM = "Comercial"


def add_owner(*, user: User) -> Member:
    """Make the first member of a new organization, and the team that everybody starts in."""
    team = Team.objects.create(name=DEFAULT_TEAM)
    member = Member.objects.create(user_id=user.pk, name=str(user)[:120], email=user.email, role=Role.ADMIN, team=team)
    audit.record(actor=member, action="member.joined", target=member, role=member.role)
    return member


@transaction.atomic
def add_member(*, user: User, role: str, team: Team | None = None, actor: Member | None = None) -> Member:
    """Make a user a member, or an active one again, and open the organization's door to them."""
    admit(organization=current_organization(), user=user)
    member, _created = Member.objects.update_or_create(
        user_id=user.pk,
        defaults={"name": str(user)[:120], "email": user.email, "role": role, "team": team, "is_active": True},
    )
    audit.record(actor=actor or member, action="member.joined", target=member, role=role)
    return member


@transaction.atomic
def invite(*, actor: Member, role: str, team: Team | None = None, note: str = "") -> tuple[Invitation, str]:
    """Make an invitation and return it with its token, which cannot be read again afterwards."""
    require(actor, "member.invite")
    if role not in Role.values:
        raise Invalid(_("Choose a role."))
    if RANK[Role(role)] > RANK[Role(actor.role)]:
        raise Forbidden(_("You cannot invite somebody to a role above your own."))
    token = secrets.token_urlsafe(24)
    invitation = Invitation.objects.create(
        token_hash=_hash(token),
        role=role,
        team=team,
        note=note.strip()[:120],
        created_by=actor,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    audit.record(actor=actor, action="invitation.created", target=invitation, role=role)
    return invitation, token


@transaction.atomic
def revoke_invitation(*, actor: Member, invitation_id: int) -> None:
    """End an invitation that nobody has used."""
    require(actor, "member.invite")
    invitation = Invitation.objects.select_for_update().filter(pk=invitation_id).first()
    if invitation is None:
        raise Missing
    if invitation.is_open:
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        audit.record(actor=actor, action="invitation.revoked", target=invitation)


def find_invitation(*, token: str) -> Invitation:
    """Return an open invitation, or raise `Missing`: used, revoked and expired ones look alike."""
    invitation = Invitation.objects.select_related("created_by").filter(token_hash=_hash(token)).first()
    if invitation is None or not invitation.is_open or not invitation.created_by.is_active:
        raise Missing(_("This invitation is no longer valid. Ask for a new link."))
    return invitation


@transaction.atomic
def accept_invitation(*, token: str, user: User) -> Member:
    """Use an invitation once. An active member keeps their role, and the link stays unused."""
    invitation = Invitation.objects.select_for_update().filter(pk=find_invitation(token=token).pk).get()
    if not invitation.is_open:
        raise Missing(_("This invitation is no longer valid. Ask for a new link."))
    existing = Member.objects.filter(user_id=user.pk, is_active=True).first()
    if existing:
        return existing
    team = invitation.team or Team.objects.order_by("pk").first()
    member = add_member(user=user, role=invitation.role, team=team)
    invitation.accepted_at = timezone.now()
    invitation.accepted_by = member
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    audit.record(actor=member, action="invitation.accepted", target=invitation)
    return member


@transaction.atomic
def change_member(*, actor: Member, member_id: int, role: str, team_id: int | None) -> Member:
    """Change a member's role and team. The last administrator stays one."""
    require(actor, "member.manage")
    member = _locked(member_id)
    if role not in Role.values:
        raise Invalid(_("Choose a role."))
    team = Team.objects.filter(pk=team_id).first() if team_id else None
    if team_id and team is None:
        raise Invalid(_("Choose a team."))
    if member.role == Role.ADMIN and role != Role.ADMIN:
        _keep_an_admin(member)
    before = {"role": member.role, "team": member.team_id}
    member.role, member.team = role, team
    member.save(update_fields=["role", "team"])
    audit.record(actor=actor, action="member.changed", target=member, previous=before, role=role, team=team_id)
    return member


@transaction.atomic
def deactivate_member(*, actor: Member, member_id: int) -> Member:
    """Shut a member out at once: pages, sockets and tasks ask for an active member."""
    require(actor, "member.manage")
    member = _locked(member_id)
    if member.pk == actor.pk:
        raise Invalid(_("You cannot deactivate yourself."))
    if member.role == Role.ADMIN:
        _keep_an_admin(member)
    member.is_active = False
    member.save(update_fields=["is_active"])
    shut_out(organization=current_organization(), user_id=member.user_id)
    audit.record(actor=actor, action="member.deactivated", target=member)
    member_deactivated.send(sender=Member, member=member)
    return member


@transaction.atomic
def reactivate_member(*, actor: Member, member_id: int) -> Member:
    """Let a deactivated member in again."""
    require(actor, "member.manage")
    member = _locked(member_id)
    user = User.objects.filter(pk=member.user_id).first()
    if user is None:
        raise Missing
    admit(organization=current_organization(), user=user)
    member.is_active = True
    member.save(update_fields=["is_active"])
    audit.record(actor=actor, action="member.reactivated", target=member)
    return member


@transaction.atomic
def create_team(*, actor: Member, name: str) -> Team:
    """Create a team; its name is taken whatever the case."""
    require(actor, "member.manage")
    team = Team.objects.create(name=_free_team_name(name))
    audit.record(actor=actor, action="team.created", target=team)
    return team


@transaction.atomic
def rename_team(*, actor: Member, team_id: int, name: str) -> Team:
    """Give a team another name."""
    require(actor, "member.manage")
    team = _locked_team(team_id)
    before, team.name = team.name, _free_team_name(name, but=team)
    team.save(update_fields=["name"])
    audit.record(actor=actor, action="team.changed", target=team, before={"name": before}, after={"name": team.name})
    return team


@transaction.atomic
def delete_team(*, actor: Member, team_id: int) -> None:
    """Delete a team that nobody is in. Open invitations to it lead to the first team instead."""
    require(actor, "member.manage")
    team = _locked_team(team_id)
    if Member.objects.filter(team=team).exists():
        raise Invalid(_("There are people in this team. Put them into another one first."))
    if not Team.objects.exclude(pk=team.pk).exists():
        raise Invalid(_("The organization needs at least one team."))
    audit.record(actor=actor, action="team.deleted", target=team, before={"name": team.name})
    team.delete()


def copy_user(*, user: User) -> None:
    """Copy a user's name and e-mail to their Member here."""
    Member.objects.filter(user_id=user.pk).update(name=str(user)[:120], email=user.email)


def settle_restored(*, users: Mapping[int, int]) -> None:
    """Point members of a restored organization to the logins of this installation.

    `users` maps the ids of the backup to those of here. Whoever is not in it belongs to nobody: the
    number, made negative, must not fall to a stranger. Two steps, since numbers are unique at once.
    """
    Member.objects.update(user_id=-F("user_id"))
    for member in Member.objects.filter(user_id__in=[-old for old in users]):
        member.user_id = users[-member.user_id]
        member.save(update_fields=["user_id"])
    Member.objects.filter(user_id__lt=0).update(is_active=False)


def note_sign_in(*, user: User) -> None:
    """Put a sign-in on the trail."""
    member = Member.objects.filter(user_id=user.pk, is_active=True).first()
    if member:
        audit.record(actor=member, action="member.signed_in", target=member)


def _locked(member_id: int) -> Member:
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None:
        raise Missing
    return member


def _locked_team(team_id: int) -> Team:
    team = Team.objects.select_for_update().filter(pk=team_id).first()
    if team is None:
        raise Missing
    return team


def _free_team_name(name: str, *, but: Team | None = None) -> str:
    name = name.strip()
    if not name or len(name) > 60:
        raise Invalid(_("Give the team a name of at most 60 characters."))
    others = Team.objects.exclude(pk=but.pk) if but else Team.objects.all()
    if others.filter(name__iexact=name).exists():
        raise Invalid(_("There is already a team with this name."))
    return name


def _keep_an_admin(member: Member) -> None:
    admins = Member.objects.select_for_update(no_key=True).filter(role=Role.ADMIN, is_active=True)
    if not [admin for admin in admins if admin.pk != member.pk]:
        raise Invalid(_("The organization needs at least one administrator."))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
