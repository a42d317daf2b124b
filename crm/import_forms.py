"""What people choose for an import: the file, and what its columns mean."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from crm.models import Import, Stage
from crm.services.imports import check_mapping
from crm.spreadsheet import TARGETS


class ImportUploadForm(forms.Form):
    """A spreadsheet."""

    file = forms.FileField(
        label=_("CSV file"),
        error_messages={
            "required": _("Choose a file first."),
            "empty": _("The file is empty."),
            "invalid": _("Choose a file first."),
            "missing": _("Choose a file first."),
        },
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
    )


class ImportColumnsForm(forms.Form):
    """A meaning for each column, and how the file is written."""

    stage = forms.ModelChoiceField(
        Stage.objects.none(),
        label=_("Stage"),
        empty_label=None,
        help_text=_("For rows that do not name a stage of this pipeline."),
        error_messages={"invalid_choice": _("This stage does not exist any more.")},
    )
    date_order = forms.ChoiceField(
        label=_("Dates"),
        choices=[("dmy", _("Day first: 31/12/2025")), ("mdy", _("Month first: 12/31/2025"))],
    )
    decimal = forms.ChoiceField(label=_("Amounts"), choices=[(",", "1.234,56"), (".", "1,234.56")])
    is_matching_people = forms.BooleanField(
        label=_("Skip people who have a lead already"),
        help_text=_("Recognised by e-mail or phone. Without it only the id in the other system is compared."),
        required=False,
    )

    def __init__(self, *args: Any, import_: Import, **kwargs: Any) -> None:
        options = import_.options
        kwargs["initial"] = {
            "stage": options.get("stage"),
            "date_order": options["date_order"],
            "decimal": options["decimal"],
            "is_matching_people": options.get("match_people", True),
        }
        super().__init__(*args, **kwargs)
        stages: Any = self.fields["stage"]
        stages.queryset = Stage.objects.select_related("pipeline").order_by("pipeline__order", "pipeline", "order")
        self.header: list[str] = options["header"]
        for number, column in enumerate(self.header):
            self.fields[f"column_{number}"] = forms.ChoiceField(
                label=column,
                choices=list(TARGETS.items()),
                required=False,
                initial=import_.mapping.get(column, ""),
                error_messages={"invalid_choice": _("Choose a meaning for each column.")},
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            try:
                check_mapping(self.mapping)
            except Invalid as error:
                raise forms.ValidationError(str(error)) from error
        return values

    @property
    def mapping(self) -> dict[str, str]:
        """The chosen meaning of each column."""
        return {column: self.cleaned_data[f"column_{number}"] for number, column in enumerate(self.header)}

    def columns(self) -> Iterator[tuple[str, BoundField]]:
        """Go through the columns of the file with their fields."""
        for number, column in enumerate(self.header):
            yield column, self[f"column_{number}"]
