"""Next steps for invented leads: some late, some today, most in the next days, and some leads without any."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from random import Random

from django.utils import timezone

from crm.models import Activity, FollowUp, Lead
from crm.services.follow_ups import due_instant

STEPS = [
    (FollowUp.Kind.CALL, "Retornar a ligação"),
    (FollowUp.Kind.CALL, "Confirmar se recebeu a proposta"),
    (FollowUp.Kind.CALL, "Primeiro contato"),
    (FollowUp.Kind.MESSAGE, "Enviar exemplos de trabalhos parecidos"),
    (FollowUp.Kind.MESSAGE, "Perguntar sobre o prazo"),
    (FollowUp.Kind.MEETING, "Apresentar a proposta"),
    (FollowUp.Kind.MEETING, "Reunião de briefing"),
    (FollowUp.Kind.TASK, "Revisar o orçamento"),
    (FollowUp.Kind.TASK, "Preparar o contrato"),
]
# Days from today, and how often: a person who mostly keeps up.
WHEN = {-4: 1, -2: 2, -1: 3, 0: 5, 1: 4, 2: 3, 3: 3, 5: 2, 6: 1, 9: 2, 14: 1}
WITH_STEP = 0.75


def invent_follow_ups(*, leads: Sequence[Lead], random: Random, now: datetime) -> list[FollowUp]:
    """Plan something for most of the open leads that somebody owns, and write it on their timelines."""
    today = timezone.localdate(now)
    steps, lines = [], []
    for lead in leads:
        if lead.outcome != Lead.Outcome.OPEN or lead.archived_at or lead.owner is None or random.random() > WITH_STEP:
            continue
        kind, title = random.choice(STEPS)
        day = today + timedelta(days=random.choices(list(WHEN), weights=list(WHEN.values()))[0])
        at = None
        if kind == FollowUp.Kind.MEETING or random.random() < 0.4:
            at = time(random.randrange(9, 18), random.choice([0, 30]))
        step = FollowUp(
            kind=kind, title=title, lead=lead, owner=lead.owner, created_by=lead.owner, due_at=due_instant(day, at),
            has_time=at is not None, created_at=lead.updated_at,
        )  # fmt: skip
        steps.append(step)
        facts = {
            "kind": step.kind, "title": step.title, "due_at": step.due_at.isoformat(), "has_time": step.has_time,
            "owner": lead.owner.name,
        }  # fmt: skip
        lines.append(Activity(lead=lead, verb="follow_up_planned", actor=lead.owner, facts=facts, at=lead.updated_at))
    Activity.objects.bulk_create(lines)
    return FollowUp.objects.bulk_create(steps)
