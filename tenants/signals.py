"""News of the ground floor, heard inside the transaction that makes it."""

from django.dispatch import Signal

# organization: Organization, owner: User. Sent inside the new organization's schema.
organization_created = Signal()
# organization: Organization, user: User. Sent inside each organization in which the user has a membership.
user_changed = Signal()
# organization: Organization, user: User. Sent inside each organization of somebody who has signed in.
user_signed_in = Signal()
# organization: Organization. Sent once an hour inside each organization, for upkeep that is short.
organization_hour = Signal()
# organization: Organization, old_schema: str, users: dict of the user ids at the time of the backup to
# those of today. Sent inside the restored schema, in the transaction that makes it.
organization_restored = Signal()
# organization: Organization, domain: Domain, is_added: bool. Sent inside the organization.
domain_changed = Signal()
# organization: Organization, due: Due, how: "replayed" or "discarded", user: User. Sent inside the organization.
work_settled = Signal()
