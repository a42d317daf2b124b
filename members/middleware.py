"""Nobody is inside an organization without being an active member of it."""

from collections.abc import Callable

import structlog
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRedirect

from members.models import Member
from members.services.access import active_member
from tenants.platform import is_platform_view, platform_reverse

Next = Callable[[HttpRequest], HttpResponse]


class MemberMiddleware:
    """Put the Member on the request; send strangers away before any view of an organization runs.

    Anonymous: to sign-in. Signed in without an active Member: 404, as if there were nothing here.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.member = None  # type: ignore[attr-defined]
        if request.organization is not None:  # type: ignore[attr-defined]
            request.member = active_member(request.user)  # type: ignore[attr-defined]
            if request.member is not None:  # type: ignore[attr-defined]
                structlog.contextvars.bind_contextvars(member=request.member.pk)  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        match = request.resolver_match
        # The first page is the platform's; inside an organization it leads on, and only members.
        is_inside = request.organization is not None and match is not None and match.view_name == "home"  # type: ignore[attr-defined]
        if is_platform_view(match) and not is_inside:
            return None
        if request.organization is None:  # type: ignore[attr-defined]
            raise Http404("a page of an organization, outside of any")
        if isinstance(request.member, Member):  # type: ignore[attr-defined]
            return None
        if request.user.is_authenticated:
            raise Http404("not a member")
        login = platform_reverse("account_login")
        if getattr(request, "htmx", False):
            return HttpResponseClientRedirect(login)
        return redirect_to_login(request.get_full_path(), login)
