"""People of one organization, what they were invited to, and what they did."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a member is; `members.permissions` says what that allows."""

    ADMIN = "admin", _("Administrator")
    MANAGER = "manager", _("Manager")
    SALES = "sales", _("Sales")
    VIEWER = "viewer", _("Viewer")


class Team(models.Model):
    """A group of members who see one another's leads."""

    name = models.CharField(_("name"), max_length=60)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("name"), name="team_name_any_case")]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A person in this organization. `user_id` names their login in public; no foreign key leaves a schema."""

    user_id = models.BigIntegerField(unique=True)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), max_length=254)
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.SALES)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="members")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="member_role_known"),
        ]

    def __str__(self) -> str:
        return self.name


class Invitation(models.Model):
    """A link that makes one person a member. Only a hash of its token is kept."""

    token_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.SALES)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True)
    note = models.CharField(_("for whom"), max_length=120, blank=True)
    created_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="invitations")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="invitation_role_known"),
        ]

    @property
    def is_open(self) -> bool:
        """Whether the link still works."""
        return not (self.revoked_at or self.accepted_at) and self.expires_at > timezone.now()


class AuditEntry(models.Model):
    """One thing that somebody did. Never changed, never deleted: a trigger refuses."""

    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=40)
    target_id = models.BigIntegerField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    detail_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["target", "target_id", "-id"], name="audit_of_target")]

    def __str__(self) -> str:
        return f"{self.action} · {self.target} {self.target_id or ''}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An audit entry is never changed.")
        super().save(*args, **kwargs)


class AuditDetail(models.Model):
    """What the values were before and after: personal data, so it may be erased; the entry keeps its hash."""

    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, primary_key=True, related_name="detail")
    salt = models.CharField(max_length=32)
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)


class AuditSeal(models.Model):
    """Proof of a run of audit entries: their ids, a hash of each, and a hash over all that came before.

    Append-only like the entries. Whoever alters an entry must forge every later seal, and the head that
    was written down elsewhere.
    """

    at = models.DateTimeField(default=timezone.now)
    last_id = models.BigIntegerField(unique=True)
    entry_ids = ArrayField(models.BigIntegerField())
    # DIGEST bytes for each entry, in the order of entry_ids.
    entry_hashes = models.BinaryField()
    previous = models.CharField(max_length=64, blank=True)
    seal = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["last_id"]
