"""What the section of follow-ups needs, on whatever page it stands."""

from typing import Any

from django.utils import timezone

from crm.agenda import steps_of_contact, steps_of_lead
from crm.contact_forms import FollowUpForm
from crm.models import Contact, FollowUp, Lead
from members.models import Member


def lead_steps(lead: Lead, *, member: Member, may_edit: bool) -> dict[str, Any]:
    """Return the follow-ups of a lead and the form that adds one."""
    steps = steps_of_lead(lead)
    return {
        "steps": steps,
        "steps_missing": not steps and lead.outcome == Lead.Outcome.OPEN and lead.archived_at is None,
        "may_plan": may_edit,
        "step_form": plan_form(member) if may_edit else None,
    }


def contact_steps(contact: Contact, *, member: Member, may_edit: bool) -> dict[str, Any]:
    """Return the follow-ups of a contact and of its leads, and the form that adds one to the contact."""
    return {
        "steps": steps_of_contact(contact, member=member),
        "steps_missing": False,
        "may_plan": may_edit,
        "step_form": plan_form(member) if may_edit else None,
    }


def plan_form(member: Member) -> FollowUpForm:
    """Return an empty form: a call today, by oneself."""
    return FollowUpForm(
        initial={"owner": member.pk, "day": timezone.localdate(), "kind": FollowUp.Kind.CALL}, auto_id="plan-%s"
    )
