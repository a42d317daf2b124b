"""The gate: from a login to the Member that may act here."""

from dataclasses import dataclass
from http.cookies import SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from members.models import Member
from tenants.context import in_organization
from tenants.models import Organization, User
from tenants.platform import find_organization

SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


def active_member(user: Any) -> Member | None:
    """Return the user's active Member in the current organization."""
    if not user.is_authenticated:
        return None
    return next(iter(Member.objects.filter(user_id=user.pk, is_active=True)), None)


@dataclass(frozen=True)
class Seat:
    """A socket's place: whose it is and where."""

    organization: Organization
    member: Member


def find_seat(*, host: str, slug: str, cookies: str) -> Seat | None:
    """Return the seat that a socket's handshake is entitled to, or None.

    One synchronous step, to be called in one thread hop: it switches to the organization and back.
    """
    user = _user_of(cookies)
    if user is None:
        return None
    organization, _prefix = find_organization(host=host, path=f"/o/{slug}/" if slug else "/")
    if organization is None:
        return None
    with in_organization(organization):
        member = active_member(user)
    return Seat(organization, member) if member else None


def _user_of(cookies: str) -> User | None:
    """Return the user of a session cookie, as django.contrib.auth would."""
    morsel = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if morsel is None:
        return None
    session = SessionStore(morsel.value)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if user and constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return user
    return None
