"""News of leads, heard inside the transaction that makes it."""

from django.dispatch import Signal

# lead: Lead, actor: Member | None.
lead_created = Signal()
# lead: Lead, actor: Member, from_stage: Stage, to_stage: Stage. Also sent for a move within a stage.
lead_moved = Signal()
# lead: Lead, actor: Member, fields: set[str].
lead_changed = Signal()
# lead: Lead, actor: Member. The outcome is open, won or lost.
lead_closed = Signal()
# lead: Lead, actor: Member. `archived_at` says which way.
lead_archived = Signal()
# leads: list[Lead], actor: Member. Sent once for each chunk of an import instead of lead_created.
leads_imported = Signal()
# leads: list[Lead] as they were, actor: Member, is_archived: bool. Sent once for each chunk of a revert.
leads_archived = Signal()
# follow_up: FollowUp, actor: Member.
follow_up_planned = Signal()
# follow_up: FollowUp, actor: Member, fields: set[str].
follow_up_changed = Signal()
# follow_up: FollowUp, actor: Member. It is done, cancelled, or open again.
follow_up_closed = Signal()
# follow_up: FollowUp. Its owner wanted to be reminded now; sent once for each instant that was set.
follow_up_due = Signal()
# contact: Contact, actor: Member, fields: set[str].
contact_changed = Signal()
# contact: Contact (the one that stays), other: Contact (archived), actor: Member.
contacts_merged = Signal()
