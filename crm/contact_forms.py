"""What people type about contacts, companies and follow-ups, and by what they look for them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.forms import VersionForm, owners
from crm.identity import normalize_email
from crm.models import FollowUp
from crm.services.follow_ups import FIRST_DAY, LAST_DAY
from crm.signals import follow_up_due
from members.models import Member

REMINDERS = [
    ("", _("No reminder")),
    ("0", _("When it is due (a day without a time: at 9:00)")),
    ("15", _("15 minutes before")),
    ("60", _("1 hour before")),
    ("1440", _("1 day before")),
]


class FollowUpForm(forms.Form):
    """A next step: what, when, whose."""

    kind = forms.ChoiceField(label=_("Kind"), choices=FollowUp.Kind.choices, initial=FollowUp.Kind.CALL)
    title = forms.CharField(label=_("What"), max_length=200, required=False)
    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    at = forms.TimeField(
        label=_("Time"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    owner = forms.ModelChoiceField(Member.objects.none(), label=_("Owner"), empty_label=None)
    reminder = forms.TypedChoiceField(
        label=_("Reminder"), choices=REMINDERS, required=False, coerce=int, empty_value=None
    )
    note = forms.CharField(label=_("Note"), max_length=10_000, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, follow_up: FollowUp | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = owners(keep=follow_up.owner_id if follow_up else None)  # type: ignore[attr-defined]
        if not follow_up_due.has_listeners(FollowUp):
            # Nobody would tell the owner: what is not kept is not promised.
            del self.fields["reminder"]
            return
        kept = follow_up.reminder if follow_up else None
        if kept is not None and str(kept) not in dict(REMINDERS):
            choice: Any = self.fields["reminder"]
            choice.choices = [*REMINDERS, (str(kept), _("%(count)s minutes before") % {"count": kept})]

    def clean_day(self) -> Any:
        day = self.cleaned_data["day"]
        if not FIRST_DAY <= day <= LAST_DAY:
            raise forms.ValidationError(_("This day is too far away."))
        return day


class ContactForm(forms.Form):
    """Who a contact is; `only` keeps one of its fields, for editing in place."""

    name = forms.CharField(label=_("Name"), max_length=160, required=False)
    email = forms.CharField(
        label=_("E-mail"), max_length=254, required=False, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    phone = forms.CharField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={"type": "tel"})
    )
    company_name = forms.CharField(label=_("Company"), max_length=160, required=False)

    def __init__(self, *args: Any, only: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in [name for name in self.fields if only and name != only]:
            del self.fields[name]

    def clean_email(self) -> str:
        typed: str = self.cleaned_data["email"]
        address = normalize_email(typed)
        if typed and not address:
            raise forms.ValidationError(_("This is not an e-mail address."))
        return address


class CompanyForm(forms.Form):
    """What a company is called."""

    name = forms.CharField(label=_("Name"), max_length=160)


class PeopleFilterForm(forms.Form):
    """What the list of contacts or companies shows. A value that does not exist filters nothing."""

    q = forms.CharField(max_length=200, required=False)
    archived = forms.BooleanField(label=_("Archived"), required=False)
    sort = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, sorts: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = dict(self.fields)
        fields["sort"].choices = [(sign + name, name) for name in sorts for sign in ("", "-")]

    def known(self) -> dict[str, Any]:
        """Return what can be understood of the address; the rest is left out."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class MergeForm(VersionForm):
    """Whose value stays, field by field, and which versions of the two were looked at."""

    SIDES = (("this", "this"), ("other", "other"))

    other_version = forms.IntegerField(min_value=1, max_value=2**31 - 1)
    name = forms.ChoiceField(choices=SIDES)
    email = forms.ChoiceField(choices=SIDES)
    phone = forms.ChoiceField(choices=SIDES)
    company = forms.ChoiceField(choices=SIDES)

    def from_other(self) -> dict[str, bool]:
        """Say for each field whether the other's value was chosen."""
        return {name: self.cleaned_data[name] == "other" for name in ("name", "email", "phone", "company")}
