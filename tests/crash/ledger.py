"""What people were told, and what is there: two multisets that must be equal."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count

from crm.models import Activity, Import, Lead, StageChange
from members.models import AuditEntry
from members.services.sealing import seal, verify
from tenants.context import in_organization
from tenants.models import Due, Organization

Facts = Counter[tuple[object, ...]]
WATCHED = (
    "lead.created", "lead.moved", "lead.noted", "lead.archived", "lead.restored",
    "lead.imported", "import.uploaded", "import.started",
)  # fmt: skip


def facts_of(organization: Organization) -> Facts:
    """Read all that the operations of a script can leave behind, each as often as it is there."""
    with in_organization(organization):
        return Counter(_facts())


def _facts() -> Iterator[tuple[object, ...]]:
    for lead in Lead.objects.all():
        yield "lead", lead.external_id
        if lead.version > 1:
            yield "state", lead.pk, lead.version, lead.stage_id, lead.archived_at is not None
    for text in Activity.objects.filter(verb="note").values_list("text", flat=True):
        yield "note", text
    for facts in Activity.objects.filter(verb="imported").values_list("facts", flat=True):
        yield "row", facts["file"], facts["line"]
    for lead_id, from_stage, to_stage in StageChange.objects.exclude(from_stage=None).values_list(
        "lead_id", "from_stage_id", "to_stage_id"
    ):
        yield "move", lead_id, from_stage, to_stage
    for each in Import.objects.all():
        yield "import", each.original_name, each.status, each.processed, each.created, each.skipped, each.failed
    for action, target in AuditEntry.objects.filter(action__in=WATCHED).values_list("action", "target_id"):
        yield "audit", action, target


def owed(organization: Organization) -> list[str]:
    """Name the work that is still owed to an organization, given up or not."""
    return [f"{due.task} {due.arguments} {due.last_error}" for due in Due.objects.filter(organization=organization)]


def broken_rules(organization: Organization) -> list[str]:
    """Name what must hold whatever was asked for: one lead in a place, a trail that is whole."""
    with in_organization(organization):
        seal()
        places = Lead.objects.values("stage", "position").annotate(count=Count("pk")).filter(count__gt=1)
        firsts = StageChange.objects.filter(from_stage=None).values("lead").annotate(count=Count("pk")).exclude(count=1)
        return [
            *(f"two leads in one place: {place}" for place in places),
            *(f"a lead came into being more than once: {first}" for first in firsts),
            *verify().faults,
        ]
