"""Forms about people and the organization."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from members.models import Member, Role, Team
from members.permissions import RANK
from tenants.models import Organization


class InvitationForm(forms.Form):
    """Invite somebody to a role that is not above one's own."""

    role = forms.ChoiceField(label=_("Role"), initial=Role.SALES)
    team = forms.ModelChoiceField(Team.objects.none(), label=_("Team"), required=False, empty_label=_("The first one"))
    note = forms.CharField(label=_("For whom (only you see this)"), max_length=120, required=False)

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = RANK[Role(member.role)]
        self.fields["role"].choices = [(role.value, role.label) for role in Role if RANK[role] <= own]  # type: ignore[attr-defined]
        self.fields["team"].queryset = Team.objects.order_by("name")  # type: ignore[attr-defined]


class MemberForm(forms.Form):
    """Change a member's role and team."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    team_id = forms.IntegerField(required=False)


class TeamForm(forms.Form):
    """Name a team."""

    name = forms.CharField(label=_("New team"), max_length=60)


class OrganizationSettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an administrator may change about the organization."""

    class Meta:
        model = Organization
        fields = ["name", "timezone", "currency"]
