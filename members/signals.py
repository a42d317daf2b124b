"""News about people, heard inside the transaction that makes it."""

from django.dispatch import Signal

# member: Member, no longer active.
member_deactivated = Signal()
