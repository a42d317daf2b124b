"""Turn one row into what will be written, or into the reason why not."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from decimal import Decimal

from django.utils.translation import gettext as _

from crm.identity import Phone, normalize_email, parse_phone
from crm.spreadsheet.reading import Row
from crm.spreadsheet.values import (
    DateOrder,
    DecimalMark,
    Refused,
    clean,
    parse_created,
    parse_due,
    parse_money,
)

LONGEST: dict[str, int] = {
    "external_id": 120,
    "title": 200,
    "name": 160,
    "email": 254,
    "phone": 40,
    "company": 160,
    "currency": 20,
    "source": 80,
    "owner_email": 254,
    "stage": 60,
    "tags": 500,
    "note": 10_000,
    "": 10_000,
}
LONGEST_TAG = 40
MOST_TAGS = 20


@dataclass(slots=True)
class Draft:
    """The values of one row, checked and clean, before anything is looked up in the database."""

    line: int
    title: str = ""
    external_id: str = ""
    name: str = ""
    email: str = ""
    phone: Phone | None = None
    phone_text: str = ""
    company: str = ""
    value: Decimal | None = None
    currency: str = ""
    source: str = ""
    owner: str = ""
    stage: str = ""
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    expected_close: date | None = None
    note: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def phone_key(self) -> str:
        return (self.phone and self.phone.match_key) or ""


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row cannot be taken: which line and column, the reason for people, the cell."""

    line: int
    column: str
    reason: str
    value: str = ""


def parse_row(
    row: Row,
    mapping: Mapping[str, str],
    *,
    today: date,
    timezone: tzinfo,
    date_order: DateOrder,
    decimal: DecimalMark,
) -> Draft | RowError:
    """Read one row by the mapping of its columns; never raises for what a cell holds."""
    if row.problem:
        return RowError(row.line, "", row.problem)
    reader = _Reader(row.line, today, timezone, date_order, decimal)
    for column, cell in row.cells.items():
        target = mapping.get(column, "")
        if target == "skip":
            continue
        text = clean(cell, is_multiline=target in {"note", ""})
        if not text:
            continue
        try:
            _refuse_long(text, target)
            reader.take(column, target, text)
        except Refused as refusal:
            return RowError(row.line, column, str(refusal), text[:200])
    return reader.finish()


def make_title(draft: Draft) -> str:
    """Name a lead by the best that is known about it."""
    origin = f"{draft.source or _('Lead')} · {draft.external_id[:8]}" if draft.external_id else ""
    return draft.title or draft.company or draft.name or origin or draft.email or draft.phone_text


def _refuse_long(text: str, target: str) -> None:
    # A cell with two phones is long, but each of them is not.
    longest = LONGEST.get(target, 200) * (3 if target == "phone" else 1)
    if len(text) > longest:
        raise Refused(_("This is longer than %(limit)s characters.") % {"limit": longest})


class _Reader:
    """Fill one draft, cell by cell."""

    def __init__(self, line: int, today: date, zone: tzinfo, order: DateOrder, decimal: DecimalMark) -> None:
        self.draft = Draft(line)
        self.today, self.zone, self.order, self.decimal = today, zone, order, decimal
        self.refused_phone: tuple[str, str] | None = None
        self.takers: dict[str, Callable[[str, str], None]] = {
            "name": self.take_name,
            "email": self.take_email,
            "phone": self.take_phone,
            "value": self.take_value,
            "currency": self.take_currency,
            "tags": self.take_tags,
            "created_at": self.take_created,
            "expected_close": self.take_due,
            "note": self.take_note,
            "": self.keep,
        }

    def take(self, column: str, target: str, text: str) -> None:
        if target in self.takers:
            self.takers[target](column, text)
        elif target == "owner_email":
            self.draft.owner = text
        else:
            setattr(self.draft, target, text)

    def keep(self, column: str, text: str) -> None:
        self.draft.extra[column] = text

    def take_name(self, _column: str, text: str) -> None:
        if text not in self.draft.name:
            self.draft.name = f"{self.draft.name} {text}".strip()[: LONGEST["name"]]

    def take_email(self, column: str, text: str) -> None:
        addresses = [normalize_email(part) for part in re.split(r"[;,\s]+", text) if part]
        if not all(addresses) or not addresses:
            raise Refused(_("This is not an e-mail address."))
        if self.draft.email:
            self.keep(column, text)
        else:
            self.draft.email = addresses[0]
            if len(addresses) > 1:
                self.keep(column, text)

    def take_phone(self, column: str, text: str) -> None:
        found = parse_phone(text)
        candidates = [found] if found else list(map(parse_phone, re.split(r"\s*[/;,|]\s*", text)))
        phones = [phone for phone in candidates if phone]
        if not phones:
            raise Refused(_("This is not a phone number."))
        if len(candidates) > 1:
            self.keep(column, text)
        best = max(phones, key=_usefulness)
        held = self.draft.phone
        if held is None or _usefulness(best) > _usefulness(held):
            # The number that gives way stays readable beside the lead.
            if held is not None and column not in self.draft.extra:
                self.keep(_("Other phone"), self.draft.phone_text)
            self.draft.phone, self.draft.phone_text = best, best.e164 or text[: LONGEST["phone"]]
        elif best != held:
            self.keep(column, text)

    def take_value(self, _column: str, text: str) -> None:
        self.draft.value, currency = parse_money(text, decimal=self.decimal)
        self.draft.currency = self.draft.currency or currency

    def take_currency(self, _column: str, text: str) -> None:
        code = {"R$": "BRL", "US$": "USD", "€": "EUR", "£": "GBP"}.get(text, text.upper())
        if not re.fullmatch(r"[A-Z]{3}", code):
            raise Refused(_("This is not a currency code such as BRL or USD."))
        self.draft.currency = code

    def take_tags(self, _column: str, text: str) -> None:
        names = [name.strip() for name in re.split(r"[,;|]", text) if name.strip()]
        tags = list(dict.fromkeys([*self.draft.tags, *names]))
        if len(tags) > MOST_TAGS:
            raise Refused(_("These are more than %(limit)s tags.") % {"limit": MOST_TAGS})
        if any(len(tag) > LONGEST_TAG for tag in tags):
            raise Refused(_("A tag is longer than %(limit)s characters.") % {"limit": LONGEST_TAG})
        self.draft.tags = tuple(tags)

    def take_created(self, _column: str, text: str) -> None:
        self.draft.created_at = parse_created(text, order=self.order, zone=self.zone, today=self.today)

    def take_due(self, _column: str, text: str) -> None:
        self.draft.expected_close = parse_due(text, order=self.order, zone=self.zone, today=self.today)

    def take_note(self, _column: str, text: str) -> None:
        self.draft.note = f"{self.draft.note}\n\n{text}".strip()

    def finish(self) -> Draft | RowError:
        self.draft.title = make_title(self.draft)[: LONGEST["title"]]
        if not self.draft.title:
            return RowError(self.draft.line, "", _("Nothing in this row could become the title of a lead."))
        return self.draft


def _usefulness(phone: Phone) -> int:
    """Prefer what can receive a message, then what can be told apart from others."""
    return {"mobile": 3, "foreign": 3, "landline": 2, "service": 1, "local": 0}[phone.kind]
