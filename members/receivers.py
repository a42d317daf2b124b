"""What the people floor hears from the ground."""

from typing import Any

from django.dispatch import receiver

from members.services import audit, sealing
from members.services.people import add_owner, copy_user, note_sign_in, settle_restored
from tenants.models import Domain, Due, Organization, User
from tenants.signals import (
    domain_changed,
    organization_created,
    organization_hour,
    organization_restored,
    user_changed,
    user_signed_in,
    work_settled,
)


@receiver(organization_created)
def first_member(sender: Any, owner: User, **kwargs: Any) -> None:
    add_owner(user=owner)


@receiver(user_changed)
def copy_to_member(sender: Any, user: User, **kwargs: Any) -> None:
    copy_user(user=user)


@receiver(organization_hour)
def seal_the_trail(sender: Any, **kwargs: Any) -> None:
    sealing.seal()


@receiver(organization_restored)
def settle_members(sender: Any, organization: Organization, users: dict[int, int], **kwargs: Any) -> None:
    settle_restored(users=users)
    audit.record(actor=None, action="organization.restored", target=organization)


@receiver(user_signed_in)
def sign_in_on_the_trail(sender: Any, user: User, **kwargs: Any) -> None:
    note_sign_in(user=user)


@receiver(domain_changed)
def note_domain(sender: Any, domain: Domain, is_added: bool, **kwargs: Any) -> None:
    audit.record(actor=None, action="domain.added" if is_added else "domain.removed", target=domain, host=domain.domain)


@receiver(work_settled)
def note_settled_work(sender: Any, due: Due, how: str, user: User, **kwargs: Any) -> None:
    audit.record(actor=None, action=f"work.{how}", target=due, task=due.task, arguments=due.arguments, staff=user.pk)
