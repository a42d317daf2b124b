"""The error family: what went wrong, its status, and a sentence for the person who did it."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Sentence = str | Promise


class AppError(Exception):
    """Say that a request cannot be done, in words that its author understands.

    `code` is for machines, `status` for HTTP, `message` is shown as it is, `data` travels with it.
    """

    code = "error"
    status = 400
    message: Sentence = _("That did not work.")

    def __init__(self, message: Sentence | None = None, **data: Any) -> None:
        super().__init__(message)
        if message is not None:
            self.message = message
        self.data = data

    def __str__(self) -> str:
        return str(self.message)


class Invalid(AppError):
    """Refuse values that break a rule."""

    code = "invalid"
    status = 422
    message = _("Some of the values are not valid.")


class Stale(AppError):
    """Refuse a change that was made on an old version."""

    code = "stale"
    status = 409
    message = _("Somebody else changed this in the meantime.")


class Forbidden(AppError):
    """Refuse what the member's role does not allow."""

    code = "forbidden"
    status = 403
    message = _("Your role does not allow this.")


class Missing(AppError):
    """Say that the thing does not exist, or that the member may not know that it does."""

    code = "missing"
    status = 404
    message = _("This does not exist, or you do not have access to it.")


class Unavailable(AppError):
    """Say that something we depend on does not answer now."""

    code = "unavailable"
    status = 503
    message = _("This is not available right now. Try again in a moment.")
