"""What people type about leads, and by what they look for them."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, ProhibitNullCharactersValidator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core.money import format_number
from crm.identity import normalize_email
from crm.models import Lead, Pipeline, Stage, Tag
from crm.services.tags import MAX_NAME, MAX_TAGS
from crm.spreadsheet.values import Refused, parse_money
from members.models import Member
from tenants.models import CURRENCIES

LONGEST_AMOUNT = 40


class MoneyField(forms.CharField):
    """An amount as people type it: 4.200,50 and R$ 4200 in Portuguese, 4,200.50 in English."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        if len(text) > LONGEST_AMOUNT:
            raise forms.ValidationError(_("This is not an amount."))
        try:
            amount, _currency = parse_money(text, decimal="," if _is_portuguese() else ".")
        except Refused as error:
            raise forms.ValidationError(str(error)) from error
        return amount

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Decimal):
            return value
        return format_number(value, language=get_language() or "pt-br", decimals=2 if value % 1 else 0)

    def run_validators(self, value: Any) -> None:
        """Leave out the validators of text: what arrives here is a number."""


class TagsField(forms.CharField):
    """Tags by their names, separated by commas. Cleans to a list of names."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "data-tags": True})

    def to_python(self, value: Any) -> Any:
        # Names by their lower case: the first spelling stays.
        names: dict[str, str] = {}
        for part in (super().to_python(value) or "").split(","):
            if name := " ".join(part.split()):
                names.setdefault(name.lower(), name)
        if any(len(name) > MAX_NAME for name in names.values()):
            raise forms.ValidationError(_("A tag has 1 to 40 characters."))
        if len(names) > MAX_TAGS:
            raise forms.ValidationError(_("A lead has at most 20 tags."))
        return list(names.values())

    def validate(self, value: Any) -> None:
        if any("\x00" in name for name in value):
            raise forms.ValidationError(ProhibitNullCharactersValidator.message)

    def run_validators(self, value: Any) -> None:
        """Leave out the validators of text: what arrives here is a list."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(tag) for tag in value) if isinstance(value, list) else value


class LeadForm(forms.Form):
    """All that is said about a lead; `only` keeps some of its fields, for editing in place."""

    title = forms.CharField(label=_("Title"), max_length=200)
    value = MoneyField(label=_("Value"), max_length=LONGEST_AMOUNT, required=False)
    currency = forms.ChoiceField(label=_("Currency"), choices=CURRENCIES)
    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("Stage"), empty_label=None)
    owner = forms.ModelChoiceField(Member.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    source = forms.CharField(
        label=_("Source"), max_length=80, required=False, widget=forms.TextInput(attrs={"list": "lead-sources"})
    )
    expected_close = forms.DateField(
        label=_("Expected close"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[
            MinValueValidator(date(1990, 1, 1), message=_("The date is before 1990.")),
            MaxValueValidator(date(2100, 12, 31)),
        ],
    )
    contact_name = forms.CharField(label=_("Name"), max_length=160, required=False)
    email = forms.CharField(
        label=_("E-mail"),
        max_length=254,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    phone = forms.CharField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={"type": "tel"})
    )
    company_name = forms.CharField(label=_("Company"), max_length=160, required=False)
    tags = TagsField(label=_("Tags"), max_length=900, required=False, help_text=_("Separate tags with commas."))
    external_id = forms.CharField(label=_("External id"), max_length=120, required=False)

    def __init__(
        self,
        *args: Any,
        member: Member,
        pipeline: Pipeline | None = None,
        lead: Lead | None = None,
        only: Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.member = member
        for name in [name for name in self.fields if only is not None and name not in only]:
            del self.fields[name]
        if "stage" in self.fields and pipeline is not None:
            self.fields["stage"].queryset = pipeline.stages.all()  # type: ignore[attr-defined]
        if "owner" in self.fields:
            self.fields["owner"].queryset = owners(keep=lead.owner_id if lead else None)  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        typed: str = self.cleaned_data["email"]
        address = normalize_email(typed)
        if typed and not address:
            raise forms.ValidationError(_("This is not an e-mail address."))
        return address


class NoteForm(forms.Form):
    """A note on a lead."""

    text = forms.CharField(label=_("Note"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}))


class LoseForm(forms.Form):
    """Why a lead is lost."""

    reason = forms.CharField(
        label=_("Why was it lost?"), max_length=200, widget=forms.TextInput(attrs={"list": "lead-reasons"})
    )


class VersionForm(forms.Form):
    """Which version of a lead somebody saw when they decided."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class MoveForm(VersionForm):
    """Where a lead goes: into which stage, right below which lead (none: at the top)."""

    stage = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    after = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    undo = forms.BooleanField(required=False)


class LeadFilterForm(forms.Form):
    """What the list of leads shows: words, facts, order. A value that does not exist filters nothing."""

    SORTS = ("title", "company", "stage", "value", "owner", "source", "created")

    q = forms.CharField(label=_("Search leads"), max_length=200, required=False)
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    source = forms.CharField(label=_("Source"), max_length=80, required=False)
    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("Stage"), required=False, empty_label=_("Any stage"))
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any outcome")), *Lead.Outcome.choices]
    )
    tag = forms.ModelChoiceField(Tag.objects.none(), label=_("Tag"), required=False, empty_label=_("Any tag"))
    archived = forms.BooleanField(label=_("Archived"), required=False)
    sort = forms.ChoiceField(required=False, choices=[(sign + name, name) for name in SORTS for sign in ("", "-")])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(pk), name) for pk, name in owners().values_list("pk", "name")]
        fields: dict[str, Any] = dict(self.fields)
        fields["owner"].choices = [("", _("Any owner")), ("me", _("Me")), ("none", _("Nobody")), *people]
        fields["stage"].queryset = Stage.objects.select_related("pipeline")
        fields["tag"].queryset = Tag.objects.all()

    def known(self) -> dict[str, Any]:
        """Return what can be understood of the address; the rest is left out."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def owners(*, keep: int | None = None) -> Any:
    """List the people who may own a lead: active members, and the one who owns it now."""
    active = Member.objects.filter(is_active=True)
    if keep is not None:
        active = active | Member.objects.filter(pk=keep)
    return active.order_by("name", "pk")


def _is_portuguese() -> bool:
    return (get_language() or "pt-br").startswith("pt")
