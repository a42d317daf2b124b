"""The proof of the trail: entries are chained into seals, and the newest seal is written down elsewhere."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from members.models import AuditDetail, AuditEntry, AuditSeal
from members.services.audit import detail_hash
from tenants.context import current_organization

MOST_ENTRIES = 5000
DIGEST = 16  # bytes of SHA-256 kept for each entry: enough to find it, and the seal is whole


def seal() -> list[AuditSeal]:
    """Seal the entries that have been committed since the last seal, and note the newest head in a file.

    No chain is kept in the transactions of the services themselves: it would make every one of them
    wait for the other. Returns the new seals; none when a long transaction is still writing entries.
    """
    made = []
    while sealed := _seal_once():
        made.append(sealed)
    if made:
        _write_head(made[-1])
    return made


@transaction.atomic
def _seal_once() -> AuditSeal | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.seal'))")
    horizon = _horizon()
    last = AuditSeal.objects.last()
    entries = list(
        AuditEntry.objects.filter(pk__gt=last.last_id if last else 0, pk__lte=horizon).order_by("pk")[:MOST_ENTRIES]
    )
    if not entries:
        return None
    ids = [entry.pk for entry in entries]
    hashes = b"".join(entry_hash(entry) for entry in entries)
    previous = last.seal if last else ""
    return AuditSeal.objects.create(
        last_id=ids[-1], entry_ids=ids, entry_hashes=hashes, previous=previous, seal=_seal(previous, ids, hashes)
    )


def _horizon() -> int:
    """Return the highest id below which no entry can appear any more.

    A number is drawn under the table's write lock, so a moment in which nobody holds that lock shows
    every number that was drawn and kept. The lock is let go at once; whoever is slow makes us try later.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '300ms'")
            cursor.execute("SAVEPOINT quiet")
            cursor.execute("LOCK TABLE members_auditentry IN SHARE MODE")
            cursor.execute("SELECT coalesce(max(id), 0) FROM members_auditentry")
            horizon: int = cursor.fetchone()[0]
            cursor.execute("ROLLBACK TO SAVEPOINT quiet")  # a savepoint's locks go with it
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
    except OperationalError:
        return 0
    return horizon


@dataclass(frozen=True)
class Verdict:
    """What a verification found: how much was checked, and every fault in words."""

    entries: int
    seals: int
    unsealed: int
    head: str
    faults: list[str]


def verify(*, head: str = "") -> Verdict:
    """Check every seal, entry and detail of the current organization.

    `head` is a seal that was written down earlier: it must still be part of the chain. Names each entry
    that was altered, removed or slipped in, whoever did it.
    """
    faults: list[str] = []
    previous, last_id, count, seals, seen = "", 0, 0, 0, set()
    for one in AuditSeal.objects.iterator(chunk_size=20):
        seals += 1
        hashes = bytes(one.entry_hashes)
        if one.previous != previous or one.seal != _seal(one.previous, one.entry_ids, hashes):
            faults.append(f"seal {one.pk} does not follow from the one before it")
        faults += _check_entries(one, hashes, after=last_id)
        previous, last_id = one.seal, one.last_id
        count += len(one.entry_ids)
        seen.add(one.seal)
    if head and head not in seen:
        faults.append("the head that was written down is not part of the chain")
    unsealed = AuditEntry.objects.filter(pk__gt=last_id).count()
    faults += list(_check_details())
    return Verdict(entries=count, seals=seals, unsealed=unsealed, head=previous, faults=faults)


def entry_hash(entry: AuditEntry) -> bytes:
    """Hash all that an entry says."""
    content = json.dumps(
        [entry.pk, entry.at, entry.actor_id, entry.action, entry.target, entry.target_id, entry.request_id,
         entry.facts, entry.detail_hash],
        sort_keys=True, cls=_Exact, separators=(",", ":"),
    )  # fmt: skip
    return hashlib.sha256(content.encode()).digest()[:DIGEST]


def _check_entries(one: AuditSeal, hashes: bytes, *, after: int) -> Iterator[str]:
    wanted = {pk: hashes[number * DIGEST : (number + 1) * DIGEST] for number, pk in enumerate(one.entry_ids)}
    for entry in AuditEntry.objects.filter(pk__gt=after, pk__lte=one.last_id).order_by("pk"):
        expected = wanted.pop(entry.pk, None)
        if expected is None:
            yield f"entry {entry.pk} was slipped in after its time was sealed"
        elif expected != entry_hash(entry):
            yield f"entry {entry.pk} ({entry.action}) was altered"
    for pk in sorted(wanted):
        yield f"entry {pk} was removed"


def _check_details() -> Iterator[str]:
    for detail in AuditDetail.objects.select_related("entry").iterator(chunk_size=500):
        if detail_hash(detail) != detail.entry.detail_hash:
            yield f"the details of entry {detail.pk} were altered"


def _seal(previous: str, ids: list[int], hashes: bytes) -> str:
    numbers = ",".join(map(str, ids)).encode()
    return hashlib.sha256(previous.encode() + b"|" + numbers + b"|" + hashes).hexdigest()


def _write_head(newest: AuditSeal) -> None:
    """Add a line to the organization's file of heads, which is kept apart from the database."""
    folder = Path(settings.STATE_DIR) / "audit-heads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = f"{timezone.now().isoformat(timespec='seconds')} {newest.last_id} {newest.seal}\n"
    file = os.open(folder / f"{current_organization().schema_name}.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(file, "a") as heads:
        heads.write(line)


class _Exact(DjangoJSONEncoder):
    """Write instants to the microsecond: Django's own encoder cuts them."""

    def default(self, o: object) -> object:
        return o.isoformat() if hasattr(o, "isoformat") else super().default(o)
