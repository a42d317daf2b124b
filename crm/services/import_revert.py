"""The way back of an import: its leads are put away, 500 at a time, and can be brought back."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Subquery
from django.utils import timezone

from crm.models import Activity, Company, Contact, FollowUp, Import, ImportRow, Lead, Stage
from crm.services.news import announce_bulk
from crm.signals import leads_archived
from members.models import Member
from members.services import audit

log = logging.getLogger(__name__)
CHUNK = 500
AT_WORK = frozenset({Import.Status.REVERTING, Import.Status.RESTORING})


def run_revert(import_id: int) -> None:
    """Take an import back, or bring it back, as its status says, from wherever it is.

    Each chunk locks the import and notes how far it came: any number of runs may work at once.
    """
    while _run_chunk_patiently(import_id):
        pass


def _run_chunk_patiently(import_id: int) -> bool:
    """Run one chunk again if somebody takes the id of a lead that comes back at the same moment."""
    for _attempt in range(3):
        try:
            return _run_chunk(import_id)
        except IntegrityError as error:
            log.info("revert of import %s repeats a chunk: %s", import_id, error)
    return _run_chunk(import_id)


@transaction.atomic
def _run_chunk(import_id: int) -> bool:
    """Deal with the next rows and say whether there may be more."""
    import_ = Import.objects.select_for_update(no_key=True, of=("self",)).filter(pk=import_id).first()
    if import_ is None or import_.status not in AT_WORK:
        return False
    state = import_.options["revert"]
    rows = list(ImportRow.objects.filter(run=import_, pk__gt=state["after"]).order_by("pk")[:CHUNK])
    is_reverting = import_.status == Import.Status.REVERTING
    if rows:
        work = _STEPS[state["step"]] if is_reverting else _restore_leads
        counts = Counter(state["counts"]) + Counter(work(import_, rows))
        state |= {"after": rows[-1].pk, "seen": state["seen"] + len(rows), "counts": dict(counts)}
    elif is_reverting and (step := _next_step(state["step"])):
        # People are looked at when all leads have gone: two leads may be about one of them.
        state |= {"step": step, "after": 0}
    else:
        _finish(import_)
        return False
    import_.save(update_fields=["options"])
    return True


def _put_leads_away(import_: Import, rows: Sequence[ImportRow]) -> dict[str, int]:
    state, counts = import_.options["revert"], Counter[str]()
    leads = _lock_leads(rows)
    chosen = []
    for row in rows:
        lead = leads[row.pk]
        if lead.archived_at:
            counts["gone"] += 1
        elif lead.version != row.version and not state["with_changed"]:
            counts["changed"] += 1
        else:
            counts["done"] += 1
            chosen.append(lead)
    pks = [lead.pk for lead in chosen]
    ids = Lead.objects.filter(pk=OuterRef("pk")).values("external_id")
    ImportRow.objects.filter(pk__in=pks).update(is_reverted=True, version=F("version") + 1, external_id=Subquery(ids))
    Lead.objects.filter(pk__in=pks).update(
        archived_at=_instant(import_), updated_at=timezone.now(), version=F("version") + 1, external_id=""
    )
    _tell(import_, chosen, verb="archived")
    return counts


def _restore_leads(import_: Import, rows: Sequence[ImportRow]) -> dict[str, int]:
    """Bring leads back with their people, except where another lead has taken the id in the other system."""
    counts = Counter[str]()
    leads = _lock_leads(rows)
    ids = {row.external_id for row in rows if row.external_id}
    taken = set(Lead.objects.filter(external_id__in=ids).values_list("external_id", flat=True)) if ids else set()
    chosen = []
    for row in rows:
        if not row.is_reverted or not leads[row.pk].archived_at:
            continue
        if row.external_id in taken:
            counts["taken"] += 1
        else:
            counts["done"] += 1
            chosen.append(leads[row.pk])
    pks = [lead.pk for lead in chosen]
    kept = ImportRow.objects.filter(pk=OuterRef("pk")).values("external_id")
    Lead.objects.filter(pk__in=pks).update(
        archived_at=None, updated_at=timezone.now(), version=F("version") + 1, external_id=Subquery(kept)
    )
    ImportRow.objects.filter(pk__in=pks).update(is_reverted=False, version=F("version") + 1, external_id="")
    contacts = Contact.objects.filter(leads__in=pks, archived_at=_instant(import_), merged_into=None)
    _set_archived(contacts.order_by("pk"), None)
    _set_archived(Company.objects.filter(leads__in=pks, archived_at=_instant(import_)).order_by("pk"), None)
    _tell(import_, chosen, verb="restored")
    return counts


def _put_contacts_away(import_: Import, rows: Sequence[ImportRow]) -> dict[str, int]:
    """Archive the people whom nothing else uses, and about whom nobody has written."""
    written = Activity.objects.filter(contact=OuterRef("pk")).exclude(verb__in=["archived", "restored"])
    planned = FollowUp.objects.open().filter(contact=OuterRef("pk"), lead=None)
    contacts = Contact.objects.filter(pk__in=[row.contact_id for row in rows if row.contact_id], archived_at=None)
    unused = contacts.filter(
        ~Exists(Lead.objects.current().filter(contact=OuterRef("pk"))), ~Exists(written), ~Exists(planned)
    )
    return {"contacts": _set_archived(unused.order_by("pk"), _instant(import_))}


def _put_companies_away(import_: Import, rows: Sequence[ImportRow]) -> dict[str, int]:
    """Archive the companies that nothing else uses."""
    companies = Company.objects.filter(pk__in=[row.company_id for row in rows if row.company_id], archived_at=None)
    unused = companies.filter(
        ~Exists(Lead.objects.current().filter(company=OuterRef("pk"))),
        ~Exists(Contact.objects.current().filter(company=OuterRef("pk"))),
    )
    return {"companies": _set_archived(unused.order_by("pk"), _instant(import_))}


_STEPS = {"leads": _put_leads_away, "contacts": _put_contacts_away, "companies": _put_companies_away}


def _next_step(step: str) -> str | None:
    return dict(pairwise(_STEPS)).get(step)


def _set_archived(found: Any, at: datetime | None) -> int:
    pks = list(found.values_list("pk", flat=True))
    changed: int = found.model.objects.filter(pk__in=pks).update(
        archived_at=at, updated_at=timezone.now(), version=F("version") + 1
    )
    return changed


def _lock_leads(rows: Sequence[ImportRow]) -> dict[int, Lead]:
    leads = Lead.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=[row.pk for row in rows])
    return {lead.pk: lead for lead in leads.order_by("pk")}


def _tell(import_: Import, leads: Sequence[Lead], *, verb: str) -> None:
    """Leave a chunk on the timelines and in the trail, and tell whoever listens."""
    if not leads:
        return
    actor = _actor(import_)
    facts = {"import": import_.pk, "file": import_.original_name}
    Activity.objects.bulk_create(Activity(lead=lead, verb=verb, actor=actor, facts=facts) for lead in leads)
    audit.record(actor=actor, action=f"lead.import_{verb}", target=import_, leads=[lead.pk for lead in leads])
    leads_archived.send(sender=Lead, leads=leads, actor=actor, is_archived=verb == "archived")


def _finish(import_: Import) -> None:
    state, actor = import_.options["revert"], _actor(import_)
    if import_.status == Import.Status.REVERTING:
        import_.status = Import.Status.REVERTED
        state["ended_at"] = timezone.now().isoformat()
        action = "import.reverted"
    else:
        whole = import_.processed == import_.total
        import_.status = Import.Status.DONE if whole else Import.Status.FAILED
        import_.options["restored"] = import_.options.pop("revert")
        action = "import.restored"
    import_.save(update_fields=["status", "options"])
    audit.record(actor=actor, action=action, target=import_, **state["counts"])
    stages: dict[int, list[int]] = {}
    touched = Stage.objects.filter(leads__import_row__run=import_).distinct().order_by("pk")
    for pipeline_id, stage_id in touched.values_list("pipeline_id", "pk"):
        stages.setdefault(pipeline_id, []).append(stage_id)
    for pipeline_id, stage_ids in stages.items():
        announce_bulk(pipeline_id=pipeline_id, stage_ids=stage_ids, actor=actor)


def _actor(import_: Import) -> Member:
    return Member.objects.get(pk=import_.options["revert"]["actor"])


def _instant(import_: Import) -> datetime:
    """Return when the revert was asked for: what it archives says so, and is found by it again."""
    return datetime.fromisoformat(import_.options["revert"]["at"])
