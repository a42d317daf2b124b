"""The session's way between our hosts: cookies stay where they are, a word that works once goes over.

The host that wants somebody makes up a state and keeps it in a cookie; the host that knows them answers
with a signed token bound to person, organization, host and that state. A token that was caught is of no
use in another browser, on another host, twice, or after a minute.
"""

import hashlib
import secrets
from datetime import timedelta

from django.core import signing
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from core.errors import Missing
from tenants.models import Handover, Membership, Organization, User
from tenants.platform import is_host_of

LIFE = timedelta(seconds=60)
SALT = "tenants.handover"
STATE_COOKIE = "loved-handover"


class HandoverOver(Missing):
    """A way in that was used, is too old, or belongs to another browser or host."""

    code = "handover_over"
    message = _("This way in is no longer valid. Open the page again, or sign in here.")


def fingerprint(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def safe_path(path: str) -> str:
    """Return a path within a site, `/` for anything else."""
    is_path = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if is_path and len(path) <= 500 else "/"


def is_member(user: User, organization: Organization) -> bool:
    return Membership.objects.filter(user=user, organization=organization, is_active=True).exists()


def give(*, user: User, organization: Organization, host: str, state_hash: str, next_path: str) -> str:
    """Return a token for one host; raise `Missing` if the person or the host has nothing to do with it."""
    if not is_member(user, organization) or not is_host_of(organization, host):
        raise Missing
    Handover.objects.filter(expires_at__lt=timezone.now()).delete()
    word = secrets.token_urlsafe(32)
    Handover.objects.create(
        token_hash=fingerprint(word),
        user=user,
        organization=organization,
        host=host.lower(),
        state_hash=state_hash[:64],
        next_path=safe_path(next_path),
        expires_at=timezone.now() + LIFE,
    )
    return signing.dumps(word, salt=SALT)


def take(*, token: str, host: str, state: str) -> tuple[User, Organization, str]:
    """Use a token up and return (user, organization, path to go to); raise `HandoverOver` whatever is wrong with it.

    The row is deleted before anything else is looked at: whoever comes second finds nothing.
    """
    try:
        word = signing.loads(token, salt=SALT, max_age=LIFE)
    except signing.BadSignature as error:
        raise HandoverOver from error
    row = Handover.objects.select_related("user", "organization").filter(token_hash=fingerprint(word)).first()
    if row is None or not Handover.objects.filter(pk=row.pk).delete()[0]:
        raise HandoverOver
    fits = row.host == host.lower() and constant_time_compare(row.state_hash, fingerprint(state))
    if not fits or row.expires_at < timezone.now() or not row.user.is_active:
        raise HandoverOver
    if not is_member(row.user, row.organization) or not is_host_of(row.organization, host):
        raise HandoverOver
    return row.user, row.organization, row.next_path
