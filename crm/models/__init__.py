"""Leads and what belongs to them, one schema per organization."""

from crm.models.activities import Activity
from crm.models.follow_ups import DueState, FollowUp, FollowUpQuerySet, due_state
from crm.models.imports import Import, ImportRow, SavedMapping
from crm.models.leads import Lead, LeadQuerySet, StageChange, Tag
from crm.models.people import Company, Contact
from crm.models.pipelines import Pipeline, Stage

__all__ = [
    "Activity",
    "Company",
    "Contact",
    "DueState",
    "FollowUp",
    "FollowUpQuerySet",
    "Import",
    "ImportRow",
    "Lead",
    "LeadQuerySet",
    "Pipeline",
    "SavedMapping",
    "Stage",
    "StageChange",
    "Tag",
    "due_state",
]
