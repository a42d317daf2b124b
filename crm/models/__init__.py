"""Leads and what belongs to them, one schema per organization."""

from crm.models.activities import Activity
from crm.models.imports import Import
from crm.models.leads import Lead, LeadQuerySet, StageChange, Tag
from crm.models.people import Company, Contact
from crm.models.pipelines import Pipeline, Stage

__all__ = [
    "Activity",
    "Company",
    "Contact",
    "Import",
    "Lead",
    "LeadQuerySet",
    "Pipeline",
    "Stage",
    "StageChange",
    "Tag",
]
