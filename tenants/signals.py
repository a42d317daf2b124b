"""News of the ground floor, heard inside the transaction that makes it."""

from django.dispatch import Signal

# organization: Organization, owner: User. Sent inside the new organization's schema.
organization_created = Signal()
# organization: Organization, user: User. Sent inside each organization in which the user has a membership.
user_changed = Signal()
