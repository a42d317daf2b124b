"""Sockets of the CRM."""

from crm.models import Pipeline
from members.permissions import is_allowed
from members.services.access import Seat
from members.sockets import SubjectConsumer
from tenants.context import in_organization
from tenants.live import topic


class BoardConsumer(SubjectConsumer):
    """Whisper what changes on one pipeline's board."""

    def subject(self, seat: Seat) -> str | None:
        with in_organization(seat.organization):
            pipeline_id = self.scope["url_route"]["kwargs"]["pipeline_id"]
            if not is_allowed(seat.member, "lead.view"):
                return None
            return topic("board", pipeline_id) if Pipeline.objects.filter(pk=pipeline_id).exists() else None
