"""Spreadsheets that became leads."""

import uuid

from django.db import models
from django.utils import timezone

from members.models import Member
from tenants.context import current_schema


def private_path(instance: models.Model, filename: str) -> str:
    """Store a file below its organization, under a name that nobody chose."""
    return f"{current_schema()}/imports/{uuid.uuid4().hex}.csv"


class Import(models.Model):
    """One upload: its file, how its columns map, how far it is, and what came of it."""

    class Status(models.TextChoices):
        MAPPING = "mapping"
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    file = models.FileField(upload_to=private_path, max_length=200)
    original_name = models.CharField(max_length=200)
    status = models.CharField(max_length=8, choices=Status, default=Status.MAPPING)
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    total = models.PositiveIntegerField(default=0)
    # Rows of the file that are dealt with: where a cut-off run goes on.
    processed = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    errors_file = models.FileField(upload_to=private_path, max_length=200, blank=True)
    error = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="imports")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(total=0)
                | models.Q(processed=models.F("created") + models.F("skipped") + models.F("failed")),
                name="import_counts_add_up",
            )
        ]

    def __str__(self) -> str:
        return self.original_name
