"""What a request is once the middleware has let it in."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from members.models import Member
from tenants.models import Organization, User


class MemberRequest(HttpRequest):
    """A request of an active member inside their organization: what every view of one receives."""

    id: str
    user: User
    organization: Organization
    member: Member
    htmx: HtmxDetails
