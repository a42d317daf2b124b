"""Money, dates and text as people type them into cells."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from datetime import timezone as fixed_zone
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from django.utils.translation import gettext as _

from crm.spreadsheet.reading import Row
from crm.spreadsheet.writing import unescape_cell

DateOrder = Literal["dmy", "mdy"]
DecimalMark = Literal[",", "."]

LARGEST_VALUE = Decimal("999999999999.99")
EMPTY_WORDS = frozenset({"null", "nan", "#n/a", "#n/d", "n/a", "#ref!", "#value!", "-", "--", "—"})
SYMBOLS = {"R$": "BRL", "US$": "USD", "U$": "USD", "€": "EUR", "£": "GBP", "$": ""}

_HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MONEY = re.compile(
    r"^(?P<before>R\$|US?\$|[€£$]|BRL|USD|EUR|GBP)?\s*(?P<digits>[\d.,]+)\s*"
    r"(?P<after>R\$|US?\$|[€£$]|BRL|USD|EUR|GBP)?$",
    re.IGNORECASE | re.ASCII,
)
_NEGATIVE = re.compile(r"^(?:[A-Z$€£]{0,3}\s*[-\u2212]|\(.*\)$|.*\d\s*[-\u2212]$)", re.IGNORECASE)
_TIME = (
    r"(?:[\sT,]+(?:(?:às|as|at)\s+)?(?P<hour>\d{1,2})[:h](?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?$"
)
_YEAR_FIRST = re.compile(
    r"^(?P<year>\d{4})(?P<mark>[-/.]?)(?P<month>\d{2}|(?<=\D)\d)(?P=mark)"
    r"(?P<day>\d{2}|(?<=\D)\d)" + _TIME,
    re.IGNORECASE | re.ASCII,
)
_YEAR_LAST = re.compile(
    r"^(?P<first>\d{1,2})(?P<mark>[-/. ])(?P<other>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})" + _TIME,
    re.IGNORECASE | re.ASCII,
)
_DAY_NAMED = re.compile(
    r"^(?P<day>\d{1,2})[º°]?(?:\s+de\s+|[\s/.-]+)(?P<name>[a-zç]{3,9})\.?(?:\s+de\s+|[\s/.,-]+)"
    r"(?P<year>\d{4})" + _TIME,
    re.IGNORECASE,
)
_MONTH_NAMED = re.compile(
    r"^(?P<name>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})" + _TIME,
    re.IGNORECASE,
)
_SERIAL = re.compile(r"^(?P<days>[2-7]\d{4})(?:[.,](?P<part>\d{1,15}))?$", re.ASCII)
_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan",
            "feb fev",
            "mar",
            "apr abr",
            "may mai",
            "jun",
            "jul",
            "aug ago",
            "sep set",
            "oct out",
            "nov",
            "dec dez",
        ],
        1,
    )
    for name in names.split()
}
_EXCEL_DAY_ZERO = date(1899, 12, 30)


class Refused(ValueError):
    """Carry the reason, in the person's language, why a cell cannot be taken."""


@dataclass(frozen=True, slots=True)
class Formats:
    """How dates and amounts are written in one file."""

    date_order: DateOrder = "dmy"
    decimal: DecimalMark = ","


def clean(text: str, *, is_multiline: bool = False) -> str:
    """Return the text without what cannot be seen, composed and trimmed; '' for words like NULL."""
    text = unescape_cell(text.strip())
    text = _HIDDEN.sub("", unicodedata.normalize("NFC", text))
    if is_multiline:
        lines = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
        text = "\n".join(line.rstrip() for line in lines).strip()
    else:
        text = " ".join(_CONTROL.sub("", text).split())
    return "" if text.casefold() in EMPTY_WORDS and text != "Null" else text


def parse_money(text: str, *, decimal: DecimalMark) -> tuple[Decimal, str]:
    """Read an amount and the currency written beside it ('' if none).

    `decimal` decides only where a text alone does not: 1.234 is 1234 in a file with comma decimals.
    """
    text = re.sub(r"[\s'\u2019]", "", text)
    if _NEGATIVE.match(text):
        raise Refused(_("The value is negative."))
    found = _MONEY.match(text)
    if found is None or not found["digits"].strip(".,"):
        raise Refused(_("This is not an amount."))
    if len(found["digits"]) > 24:  # well within the precision of Decimal
        raise Refused(_("The value is too large."))
    number = _plain_number(found["digits"], decimal)
    amount = Decimal(number).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    if amount > LARGEST_VALUE:
        raise Refused(_("The value is too large."))
    beside = (found["before"] or found["after"] or "").upper()
    return amount, SYMBOLS.get(beside, beside)


def parse_moment(text: str, *, order: DateOrder, zone: tzinfo) -> datetime:
    """Read a date, with or without time, as an instant in UTC; a date alone is its midnight in `zone`."""
    if found := _SERIAL.match(text):
        part = Decimal(f"0.{found['part'] or 0}")
        seconds = int((part * 86400).to_integral_value(ROUND_HALF_UP))
        moment = datetime.combine(_EXCEL_DAY_ZERO + timedelta(days=int(found["days"])), time(), zone) + timedelta(
            seconds=seconds
        )
        return moment.astimezone(UTC)
    for pattern in (_YEAR_FIRST, _YEAR_LAST, _DAY_NAMED, _MONTH_NAMED):
        if found := pattern.match(text):
            return _moment(found, order, zone)
    raise Refused(_("This is not a date."))


def parse_created(text: str, *, order: DateOrder, zone: tzinfo, today: date) -> datetime:
    """Read the date on which something happened: since 1990 and not in the future."""
    moment = parse_moment(text, order=order, zone=zone)
    day = moment.astimezone(zone).date()
    if day.year < 1990:
        raise Refused(_("The date is before 1990."))
    if day > today + timedelta(days=1):
        raise Refused(_("The date is in the future."))
    return moment


def parse_due(text: str, *, order: DateOrder, zone: tzinfo, today: date) -> date:
    """Read the day on which something is expected: since 1990 and within twenty years."""
    day = parse_moment(text, order=order, zone=zone).astimezone(zone).date()
    if day.year < 1990:
        raise Refused(_("The date is before 1990."))
    if day > today + timedelta(days=20 * 366):
        raise Refused(_("The date is more than twenty years ahead."))
    return day


def detect_formats(rows: Iterable[Row], mapping: Mapping[str, str]) -> Formats:
    """Find out how the mapped dates and amounts of a file are written, from some of its rows."""
    dates = [column for column, target in mapping.items() if target in {"created_at", "expected_close"}]
    amounts = [column for column, target in mapping.items() if target == "value"]
    day_first = month_first = 0
    comma = point = 0.0
    for row in rows:
        for column in dates:
            if found := _YEAR_LAST.match(row.cells.get(column, "").strip()):
                day_first += int(found["first"]) > 12
                month_first += int(found["other"]) > 12
        for column in amounts:
            mark, weight = _decimal_evidence(row.cells.get(column, ""))
            comma += weight if mark == "," else 0
            point += weight if mark == "." else 0
    return Formats(
        "mdy" if month_first > day_first else "dmy",
        "." if point > comma else ",",
    )


def _plain_number(digits: str, decimal: DecimalMark) -> str:
    marks = [letter for letter in digits if letter in ".,"]
    if not marks:
        return digits
    last = marks[-1]
    is_mixed = len(set(marks)) == 2
    head, _mark, tail = digits.rpartition(last)
    if is_mixed:
        is_decimal = True
    elif len(marks) > 1:
        is_decimal = False
    else:
        is_decimal = last == decimal or len(tail) != 3 or not 1 <= len(head) <= 3 or head == "0"
    whole, fraction = (head, tail) if is_decimal else (digits, "")
    groups = re.split(r"[.,]", whole)
    separators = {letter for letter in whole if letter in ".,"}
    is_grouped = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    if not is_grouped or len(separators) > 1 or (is_decimal and last in separators):
        raise Refused(_("This is not an amount."))
    return f"{''.join(groups) or '0'}.{fraction or '0'}"


def _decimal_evidence(text: str) -> tuple[str, float]:
    marks = re.findall(r"[.,]", text)
    if not marks:
        return "", 0
    other = "." if marks[-1] == "," else ","
    if len(set(marks)) == 2:
        return marks[-1], 1
    if len(marks) > 1:
        return other, 1
    tail = re.search(r"[.,](\d*)", text)
    # A lone mark before three digits more often groups thousands.
    return (other, 0.1) if tail and len(tail[1]) == 3 else (marks[-1], 1)


def _moment(found: re.Match[str], order: DateOrder, zone: tzinfo) -> datetime:
    groups = found.groupdict()
    year, month, day = int(groups["year"]), 0, 0
    if "first" in groups:
        day, month = int(groups["first"]), int(groups["other"])
        # 01/31 in a day-first file can only be a month and a day.
        if (order == "mdy" and day <= 12) or (month > 12 >= day):
            day, month = month, day
        if len(groups["year"]) == 2:
            year += 2000 if year < 70 else 1900
    else:
        day = int(groups["day"])
        month = int(groups.get("month") or 0) or _MONTHS.get(groups["name"][:3].lower(), 0)
    hour = int(groups["hour"] or 0)
    if half := (groups["half"] or "").lower():
        if not 1 <= hour <= 12:
            raise Refused(_("This is not a date."))
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        moment = datetime(
            year,
            month,
            day,
            hour,
            int(groups["minute"] or 0),
            int(groups["second"] or 0),
            tzinfo=_written_zone(groups["zone"]) or zone,
        )
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(_("This day does not exist.")) from error


def _written_zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    sign = -1 if text[0] == "-" else 1
    return fixed_zone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))
