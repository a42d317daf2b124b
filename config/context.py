"""What every page's shell shows."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from members.permissions import rights_of
from tenants.services import has_confirmed_email, organizations_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Give templates the nonce, the theme, and inside an organization the member's rights."""
    user: Any = getattr(request, "user", None)
    member = getattr(request, "member", None)
    known = user is not None and user.is_authenticated
    return {
        "csp_nonce": getattr(request, "csp_nonce", ""),
        "theme": user.theme if known else "system",
        "organization": getattr(request, "organization", None),
        "member": member,
        "rights": rights_of(member) if member else set(),
        # Called by the switcher only, so that a fragment does not pay for it.
        "organizations": cache(lambda: organizations_of(user)) if known else list,
        # Likewise: only a full page asks.
        "must_confirm_email": (lambda: not has_confirmed_email(user)) if known else bool,
        "has_outbox": settings.HAS_OUTBOX,
    }
