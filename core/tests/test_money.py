"""Money and counts are written as the reader's language writes them."""

from decimal import Decimal

import pytest

from core.money import format_money, format_money_compact, format_number


@pytest.mark.parametrize(
    ("value", "currency", "language", "text"),
    [
        ("4200", "BRL", "pt-br", "R$ 4.200,00"),
        ("1234567.895", "BRL", "pt-br", "R$ 1.234.567,90"),
        ("-12.5", "BRL", "pt-br", "-R$ 12,50"),
        ("0", "BRL", "pt-br", "R$ 0,00"),
        ("1500", "USD", "pt-br", "US$ 1.500,00"),
        ("4200", "BRL", "en", "R$4,200.00"),
        ("1500.5", "USD", "en", "$1,500.50"),
        ("99", "EUR", "en", "€99.00"),
        ("10", "CHF", "en", "CHF 10.00"),
        ("1250", "JPY", "en", "¥1,250"),
    ],
)
def test_an_amount_in_full(value, currency, language, text):
    assert format_money(Decimal(value), currency, language=language).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        ("0", "pt-br", "R$ 0"),
        ("850.40", "pt-br", "R$ 850"),
        ("999.49", "pt-br", "R$ 999"),
        ("999.50", "pt-br", "R$ 1 mil"),
        ("1000", "pt-br", "R$ 1 mil"),
        ("4200", "pt-br", "R$ 4,2 mil"),
        ("99960", "pt-br", "R$ 100 mil"),
        ("412300", "pt-br", "R$ 412 mil"),
        ("999499", "pt-br", "R$ 999 mil"),
        ("999500", "pt-br", "R$ 1 mi"),
        ("1340000", "pt-br", "R$ 1,3 mi"),
        ("2500000000", "pt-br", "R$ 2,5 bi"),
        ("-4200", "pt-br", "-R$ 4,2 mil"),
        ("412300", "en", "R$412k"),
        ("1340000", "en", "R$1.3M"),
    ],
)
def test_an_amount_for_a_card(value, language, text):
    assert format_money_compact(Decimal(value), "BRL", language=language).replace("\u00a0", " ") == text


def test_an_amount_never_breaks_between_sign_and_number():
    assert " " not in format_money_compact(Decimal(4200), "BRL", language="pt-br")


def test_a_count_has_the_separators_of_the_language():
    assert format_number(8000, language="pt-br") == "8.000"
    assert format_number(8000, language="en") == "8,000"
