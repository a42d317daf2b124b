"""Organizations come and go, and people come to them."""

import re
import shutil
import unicodedata
from functools import partial
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from tenants import schemas
from tenants.context import in_organization, leave
from tenants.jobs import nudge
from tenants.models import SLUG, Membership, Organization, User
from tenants.signals import organization_created, user_changed, user_signed_in
from tenants.tasks import refill_spares

RESERVED_SLUGS = {"admin", "api", "www", "app", "static", "media", "accounts", "health", "public", "template"}


def create_organization(*, name: str, owner: User, slug: str = "", is_demo: bool = False) -> Organization:
    """Create an organization with its schema, its owner and what other apps give a new one.

    One transaction: there is no half-made organization. Raises `Invalid` for a bad or taken slug.
    """
    name = name.strip()
    if not name:
        raise Invalid(_("Give the organization a name."))
    leave()
    wanted = slug or suggest_slug(name)
    if not SLUG.fullmatch(wanted) or wanted in RESERVED_SLUGS:
        raise Invalid(_("This address cannot be used."))
    if Organization.objects.filter(slug=wanted).exists():
        raise Invalid(_("This address is taken."))
    try:
        return _create(name=name[:80], slug=wanted, owner=owner, is_demo=is_demo)
    except IntegrityError as error:  # somebody took the slug since we looked
        if slug:
            raise Invalid(_("This address is taken.")) from error
        return _create(name=name[:80], slug=suggest_slug(name), owner=owner, is_demo=is_demo)


@transaction.atomic
def _create(*, name: str, slug: str, owner: User, is_demo: bool) -> Organization:
    organization = Organization(name=name, slug=slug, schema_name=schemas.take_schema(), is_demo=is_demo)
    organization.save()
    admit(organization=organization, user=owner)
    with in_organization(organization):
        organization_created.send(sender=Organization, organization=organization, owner=owner)
    transaction.on_commit(_ask_for_spares)
    return organization


def remove_organization(*, organization: Organization) -> None:
    """Remove an organization and everything in it, its uploads too. This cannot be undone."""
    schema = organization.schema_name
    leave()
    with transaction.atomic():
        organization.delete()
        schemas.drop_schema(schema)
        transaction.on_commit(partial(shutil.rmtree, Path(settings.MEDIA_ROOT) / schema, ignore_errors=True))


def admit(*, organization: Organization, user: User) -> Membership:
    """Let a user try the organization's door. Call it together with what makes the Member."""
    membership, _created = Membership.objects.update_or_create(
        organization=organization, user=user, defaults={"is_active": True}
    )
    return membership


def shut_out(*, organization: Organization, user_id: int) -> None:
    """Take an organization out of a user's switcher. Call it together with what ends the Member."""
    Membership.objects.filter(organization=organization, user_id=user_id).update(is_active=False)


def organizations_of(user: User) -> list[Organization]:
    """List the organizations that a user may try to enter, by name."""
    organizations = Organization.objects.filter(memberships__user=user, memberships__is_active=True)
    return list(organizations.prefetch_related("domains").order_by("name", "pk"))


def has_confirmed_email(user: User) -> bool:
    """Say whether a user has shown that their e-mail address is theirs."""
    return bool(EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists())


def record_consent(*, user: User, version: str) -> None:
    """Note that a user accepted this version of the terms and of the privacy notice, now."""
    user.terms_accepted_at = user.privacy_accepted_at = timezone.now()
    user.terms_version = version
    user.save(update_fields=["terms_accepted_at", "privacy_accepted_at", "terms_version"])


def change_user(*, user: User, **values: str) -> None:
    """Change a user's own name, e-mail, language or theme, and tell each organization."""
    for field, value in values.items():
        setattr(user, field, value)
    with transaction.atomic():
        user.save(update_fields=list(values))
        if not values.keys() & {"name", "email"}:
            return
        for organization in Organization.objects.filter(memberships__user=user):
            with in_organization(organization):
                user_changed.send(sender=User, organization=organization, user=user)


def tell_of_sign_in(*, user: User) -> None:
    """Tell each organization that a user may enter that they have signed in."""
    for organization in organizations_of(user):
        with in_organization(organization):
            user_signed_in.send(sender=User, organization=organization, user=user)


def suggest_slug(name: str) -> str:
    """Make a free slug out of a name: accents dropped, a number added when it is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:30].strip("-")
    if not re.match(r"[a-z]", base):
        base = f"org-{base}".strip("-")
    if len(base) < 3 or base in RESERVED_SLUGS:
        base = f"{base}-crm"
    taken = set(Organization.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug


def _ask_for_spares() -> None:
    nudge(refill_spares, schema_name="public", arguments={})
