"""The trail: what services leave behind in their own transaction."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from structlog.contextvars import get_contextvars

from members.models import AuditDetail, AuditEntry, Member


def record(
    *,
    actor: Member | None,
    action: str,
    target: models.Model,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **facts: Any,
) -> AuditEntry:
    """Write one audit entry.

    `facts` must say nothing about a person: ids, counts, roles. Personal values go to `before` and
    `after`, which can be erased later while the entry keeps their salted hash.
    """
    return record_many(actor=actor, action=action, targets=[(target, before, after)], **facts)[0]


def record_many(
    *,
    actor: Member | None,
    action: str,
    targets: Sequence[tuple[models.Model, Mapping[str, Any] | None, Mapping[str, Any] | None]],
    **facts: Any,
) -> list[AuditEntry]:
    """Write an audit entry for each of many targets, in two statements."""
    request_id = get_contextvars().get("request", "")
    entries, details = [], []
    for target, before, after in targets:
        entry = AuditEntry(
            actor=actor,
            action=action,
            target=str(target._meta.model_name),
            target_id=target.pk,
            request_id=request_id,
            facts=facts,
        )
        if before or after:
            detail = AuditDetail(salt=secrets.token_hex(16), before=dict(before or {}), after=dict(after or {}))
            entry.detail_hash = detail_hash(detail)
            details.append((entry, detail))
        entries.append(entry)
    AuditEntry.objects.bulk_create(entries)
    for entry, detail in details:
        detail.entry = entry
    AuditDetail.objects.bulk_create([detail for _entry, detail in details])
    return entries


def detail_hash(detail: AuditDetail) -> str:
    """Hash a detail with its salt: SHA-256 over canonical JSON."""
    content = json.dumps([detail.before, detail.after], sort_keys=True, cls=DjangoJSONEncoder, separators=(",", ":"))
    return hashlib.sha256(f"{detail.salt}:{content}".encode()).hexdigest()
