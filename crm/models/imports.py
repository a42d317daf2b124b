"""Spreadsheets that became leads."""

import uuid

from django.db import models
from django.utils import timezone

from crm.models.leads import Lead
from crm.models.people import Company, Contact
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
        REVERTING = "undoing"
        REVERTED = "reverted"
        RESTORING = "restore"

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


class ImportRow(models.Model):
    """A lead that an import made, with the contact and the company that were made for it.

    `version` is the lead's as the import, its revert or its restoring left it: another one says that
    people have changed the lead since. While a revert holds the lead, its `external_id` is free for others.
    """

    lead = models.OneToOneField(Lead, on_delete=models.CASCADE, primary_key=True, related_name="import_row")
    run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rows", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    company = models.ForeignKey(Company, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    version = models.PositiveIntegerField(default=1)
    is_reverted = models.BooleanField(default=False)
    external_id = models.CharField(max_length=120, blank=True)

    class Meta:
        # A revert reads the rows of one import in the order of its leads.
        indexes = [models.Index(fields=["run", "lead"], name="import_row_of_run")]


class SavedMapping(models.Model):
    """What the columns of a header meant last time, and how such a file was read."""

    header_key = models.CharField(max_length=64, unique=True)
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    updated_at = models.DateTimeField(default=timezone.now)
