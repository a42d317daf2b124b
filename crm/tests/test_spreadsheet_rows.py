"""A row becomes a draft with clean values, or one reason why not."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from crm.spreadsheet import TARGETS, Draft, Row, RowError, parse_row
from crm.spreadsheet.values import Refused, clean, parse_due, parse_moment, parse_money

BRASILIA = ZoneInfo("America/Sao_Paulo")
TODAY = date(2026, 3, 10)


@pytest.fixture(autouse=True, scope="module")
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def read(cells: dict[str, str], **options: Any) -> Draft | RowError:
    """Read a row whose columns are called like their targets."""
    mapping = {name: name if name in TARGETS else "" for name in cells}
    settings = {"today": TODAY, "timezone": BRASILIA, "date_order": "dmy", "decimal": ","}
    return parse_row(Row(7, cells), mapping, **{**settings, **options})


def draft(cells: dict[str, str], **options: Any) -> Draft:
    found = read(cells, **options)
    assert isinstance(found, Draft), found
    return found


def refused(cells: dict[str, str]) -> RowError:
    found = read(cells)
    assert isinstance(found, RowError), found
    assert found.line == 7
    assert found.reason
    return found


def test_a_whole_row_becomes_a_draft() -> None:
    found = draft(
        {
            "title": "Site novo",
            "name": "Ana  Souza",
            "email": " Ana@Example.com",
            "phone": "(11) 91234-5678",
            "company": "Padaria São João",
            "value": "R$ 1.234,50",
            "source": "Indicação",
            "stage": "Proposta",
            "owner_email": "dono@example.com",
            "tags": "quente; site, quente",
            "created_at": "31/01/2024 14:30",
            "expected_close": "30/06/2026",
            "note": "linha 1\r\nlinha 2",
            "external_id": "abc-1",
            "Cidade": "Natal",
        }
    )
    assert found.line == 7
    assert found.title == "Site novo"
    assert found.name == "Ana Souza"
    assert found.email == "ana@example.com"
    assert found.phone_text == found.phone_key == "+5511912345678"
    assert (found.value, found.currency) == (Decimal("1234.50"), "BRL")
    assert found.tags == ("quente", "site")
    assert found.created_at == datetime(2024, 1, 31, 17, 30, tzinfo=UTC)
    assert found.expected_close == date(2026, 6, 30)
    assert found.note == "linha 1\nlinha 2"
    assert found.owner == "dono@example.com"
    assert found.extra == {"Cidade": "Natal"}


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        ({"title": "T", "company": "C", "name": "N"}, "T"),
        ({"company": "C", "name": "N", "email": "a@b.co"}, "C"),
        ({"name": "N", "source": "social", "external_id": "dac32acd4db4"}, "N"),
        ({"source": "social", "external_id": "dac32acd4db4", "email": "a@b.co"}, "social · dac32acd"),
        ({"external_id": "dac32acd4db4"}, "Lead · dac32acd"),
        ({"email": "a@b.co", "phone": "11912345678"}, "a@b.co"),
        ({"phone": "11912345678", "source": "social"}, "+5511912345678"),
        ({"phone": "3456-7890"}, "3456-7890"),
        ({"name": "<script>alert(1)</script>"}, "<script>alert(1)</script>"),
        ({"name": "=cmd|' /C calc'!A0"}, "=cmd|' /C calc'!A0"),
        ({"name": "'=cmd"}, "=cmd"),
    ],
)
def test_the_title_is_the_best_that_is_known(cells: dict[str, str], title: str) -> None:
    assert draft(cells).title == title


@pytest.mark.parametrize(
    "cells", [{}, {"title": "", "note": ""}, {"source": "social"}, {"Cidade": "Natal"}, {"name": "NULL"}]
)
def test_a_row_about_nobody_is_refused(cells: dict[str, str]) -> None:
    assert "title" in refused(cells).reason


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("R$ 1.234,56", "1234.56", "BRL"),
        ("R$1.234,56", "1234.56", "BRL"),
        ("1.234,56 BRL", "1234.56", "BRL"),
        ("US$ 99,90", "99.90", "USD"),
        ("€ 10", "10", "EUR"),
        ("$ 10", "10", ""),
        ("1234", "1234", ""),
        ("1.234", "1234", ""),
        ("1.234.567", "1234567", ""),
        ("1,234.56", "1234.56", ""),
        ("1,234,567", "1234567", ""),
        ("12,5", "12.50", ""),
        ("12.5", "12.50", ""),
        ("0.375", "0.38", ""),
        ("1234.5678", "1234.57", ""),
        ("1 234,56", "1234.56", ""),
        ("1\u00a0234,56", "1234.56", ""),
        ("0", "0", ""),
        ("0,00", "0", ""),
        (",50", "0.50", ""),
        ("10,", "10", ""),
    ],
)
def test_money_is_read_as_people_write_it(text: str, amount: str, currency: str) -> None:
    assert parse_money(text, decimal=",") == (Decimal(amount), currency)


def test_the_file_decides_what_the_text_does_not() -> None:
    assert parse_money("1.234", decimal=",")[0] == 1234
    assert parse_money("1.234", decimal=".")[0] == Decimal("1.23")
    assert parse_money("1,234", decimal=".")[0] == 1234


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-1", "negative"),
        ("R$ -10,00", "negative"),
        ("-R$ 10,00", "negative"),
        ("(100)", "negative"),
        ("100-", "negative"),
        ("1.5k", "amount"),
        ("10%", "amount"),
        ("mil", "amount"),
        ("1.23.4,5", "amount"),
        ("1,2,3", "amount"),
        ("1.234,567.89", "amount"),
        ("1e9", "amount"),
        ("R$", "amount"),
        (".", "amount"),
        ("NaN1", "amount"),
        ("9999999999999", "too large"),
        ("9" * 400, "too large"),
    ],
)
def test_what_is_not_an_amount_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse_money(text, decimal=",")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", "2024-01-31T03:00"),
        ("2024/1/31", "2024-01-31T03:00"),
        ("20240131", "2024-01-31T03:00"),
        ("31/01/2024", "2024-01-31T03:00"),
        ("31.01.2024", "2024-01-31T03:00"),
        ("31-1-24", "2024-01-31T03:00"),
        ("1/2/99", "1999-02-01T02:00"),
        ("01/31/2024", "2024-01-31T03:00"),
        ("31/01/2024 14:30", "2024-01-31T17:30"),
        ("31/01/2024 às 14h30", "2024-01-31T17:30"),
        ("31/01/2024, 2:30 PM", "2024-01-31T17:30"),
        ("31/01/2024 12:05 am", "2024-01-31T03:05"),
        ("2024-01-31T14:30:15Z", "2024-01-31T14:30:15"),
        ("2024-01-31T14:30:15.123+02:00", "2024-01-31T12:30:15"),
        ("2024-01-31 14:30:15 UTC", "2024-01-31T14:30:15"),
        ("2024-01-31 14:30:15 -0300", "2024-01-31T17:30:15"),
        ("31 de janeiro de 2024", "2024-01-31T03:00"),
        ("1º de março de 2024", "2024-03-01T03:00"),
        ("31/jan/2024", "2024-01-31T03:00"),
        ("5 fev. 2024 09:00", "2024-02-05T12:00"),
        ("Jan 31, 2024", "2024-01-31T03:00"),
        ("December 25th, 2023", "2023-12-25T03:00"),
        ("45322", "2024-01-31T03:00"),
        ("45322.5", "2024-01-31T15:00"),
        ("45322,604166666664", "2024-01-31T17:30"),
        ("04/11/2018", "2018-11-04T03:00"),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, moment: str) -> None:
    read_moment = parse_moment(text, order="dmy", zone=BRASILIA)
    assert read_moment == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_a_month_first_file_is_read_month_first() -> None:
    moment = parse_moment("02/01/2024", order="mdy", zone=UTC)
    assert (moment.month, moment.day) == (2, 1)
    assert parse_moment("31/01/2024", order="mdy", zone=UTC).day == 31


@pytest.mark.parametrize(
    "text",
    [
        "ontem", "31/02/2024", "2024-13-01", "00/00/0000", "31/01", "2024", "1.5", "12345678901",
        "31/01/2024 25:00", "31/01/2024 13:00 pm", "31 de foo de 2024", "2024-01-31T14:30+99:99",
        "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "99999", "-45322", "31//01/2024", "१/१/२०२४",
    ],
)  # fmt: skip
def test_what_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_moment(text, order="dmy", zone=BRASILIA)


def test_far_dates_are_refused_with_their_reason() -> None:
    assert "future" in refused({"name": "Ana", "created_at": "12/03/2026"}).reason
    assert "future" in refused({"name": "Ana", "created_at": "01/01/2099"}).reason
    assert "1990" in refused({"name": "Ana", "created_at": "31/12/1989"}).reason
    assert "ahead" in refused({"name": "Ana", "expected_close": "01/01/2060"}).reason
    assert draft({"name": "Ana", "created_at": "10/03/2026 23:59"}).created_at
    with pytest.raises(Refused):
        parse_due("1/1/1980", order="dmy", zone=UTC, today=TODAY)


@pytest.mark.parametrize(
    ("cells", "column", "said"),
    [
        ({"name": "Ana", "email": "ana@"}, "email", "e-mail"),
        ({"name": "Ana", "phone": "12 99"}, "phone", "phone"),
        ({"name": "Ana", "value": "-5"}, "value", "negative"),
        ({"name": "Ana", "currency": "reais"}, "currency", "currency"),
        ({"name": "Ana", "created_at": "ontem"}, "created_at", "date"),
        ({"name": "x" * 161}, "name", "160"),
        ({"title": "x" * 201}, "title", "200"),
        ({"name": "Ana", "note": "x" * 10_001}, "note", "10000"),
        ({"name": "Ana", "Cidade": "x" * 10_001}, "Cidade", "10000"),
        ({"name": "Ana", "tags": "x" * 41}, "tags", "40"),
        ({"name": "Ana", "tags": ",".join(map(str, range(21)))}, "tags", "20"),
        ({"name": "Ana", "external_id": "x" * 121}, "external_id", "120"),
    ],
)
def test_a_bad_cell_is_refused_with_column_and_reason(cells: dict[str, str], column: str, said: str) -> None:
    error = refused(cells)
    assert error.column == column
    assert said in error.reason
    assert error.value == cells[column][:200]


def test_a_row_that_does_not_fit_the_header_is_refused() -> None:
    row = Row(3, {"name": "Ana"}, problem="too many")
    settings = {"today": TODAY, "timezone": UTC, "date_order": "dmy", "decimal": ","}
    assert parse_row(row, {"name": "name"}, **settings) == RowError(3, "", "too many")  # type: ignore[arg-type]


def test_a_mobile_is_preferred_to_a_landline_and_nothing_is_lost() -> None:
    cells = {"Telefone": "(11) 3456-7890", "Celular": "(11) 91234-5678", "Nome": "Ana"}
    mapping = {"Telefone": "phone", "Celular": "phone", "Nome": "name"}
    settings = {"today": TODAY, "timezone": UTC, "date_order": "dmy", "decimal": ","}
    found = parse_row(Row(2, cells), mapping, **settings)  # type: ignore[arg-type]
    assert isinstance(found, Draft)
    assert found.phone_text == "+5511912345678"
    assert "+551134567890" in found.extra.values()


def test_two_phones_in_one_cell_are_understood() -> None:
    found = draft({"name": "Ana", "phone": "(11) 3456-7890 / (11) 91234-5678"})
    assert found.phone_text == "+5511912345678"
    assert found.extra == {"phone": "(11) 3456-7890 / (11) 91234-5678"}


def test_a_phone_without_area_code_is_kept_as_it_is() -> None:
    found = draft({"name": "Ana", "phone": "91234-5678"})
    assert (found.phone_text, found.phone_key) == ("91234-5678", "")


def test_first_and_last_name_are_joined() -> None:
    settings = {"today": TODAY, "timezone": UTC, "date_order": "dmy", "decimal": ","}
    cells = {"Nome": "Ana", "Sobrenome": "de Souza"}
    found = parse_row(Row(2, cells), dict.fromkeys(cells, "name"), **settings)  # type: ignore[arg-type]
    assert isinstance(found, Draft)
    assert found.name == "Ana de Souza"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  Ana \t Souza\n", "Ana Souza"),
        ("An\x00a\x07", "Ana"),
        ("\u202eanA\u202c", "anA"),
        ("\ufeffAna\u200b", "Ana"),
        ("Joa\u0303o", "João"),
        ("NULL", ""),
        ("#N/D", ""),
        ("-", ""),
        ("Null", "Null"),
        ("👩‍💻", "👩‍💻"),
    ],
)
def test_what_cannot_be_seen_is_taken_away(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.dictionaries(st.sampled_from([*TARGETS, "x"]), st.text(max_size=60)), st.sampled_from([",", "."]))
def test_no_cell_can_raise(cells: dict[str, str], decimal: str) -> None:
    found = read(cells, decimal=decimal)
    if isinstance(found, Draft):
        assert found.title.isprintable() or found.title.strip()
        assert "\x00" not in repr(found).replace("\\x00", "\x00")
        assert found.value is None or found.value >= 0
    else:
        assert found.reason


amount_like = st.text(alphabet="0123456789.,-()R$ kK%eE'", max_size=25)
date_like = st.text(alphabet="0123456789/-. :TZjanfev+º", max_size=25)


@given(amount_like)
def test_amounts_are_read_or_refused(text: str) -> None:
    try:
        amount, _currency = parse_money(text, decimal=",")
    except Refused:
        return
    assert amount >= 0
    assert amount == amount.quantize(Decimal("0.01"))


@given(st.decimals(0, 10**11, places=2))
def test_what_brazil_writes_is_read_back(amount: Decimal) -> None:
    written = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    assert parse_money(f"R$ {written}", decimal=",") == (amount, "BRL")


@given(date_like)
def test_dates_are_read_or_refused(text: str) -> None:
    try:
        moment = parse_moment(text, order="dmy", zone=BRASILIA)
    except Refused:
        return
    assert moment.tzinfo is UTC


@given(st.dates(date(1970, 1, 1), date(2069, 12, 31)))
def test_every_day_is_read_back(day: date) -> None:
    for written in (day.isoformat(), f"{day:%d/%m/%Y}", f"{day:%d/%m/%y}", f"{day:%d.%m.%Y}"):
        read_day = parse_moment(written, order="dmy", zone=BRASILIA).astimezone(BRASILIA).date()
        assert read_day == day
