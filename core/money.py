"""Money and counts as people read them, in Brazilian Portuguese and in English."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

# The space that CLDR puts between sign and number: it keeps them on one line.
SPACE = "\u00a0"

_SIGNS = {"BRL": "R$", "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_WITHOUT_CENTS = {"JPY", "CLP", "PYG", "KRW"}
# From this value on: divide by it, keep so many decimals, write this after it.
_COMPACT_PT = ((Decimal(10**9), " bi"), (Decimal(10**6), " mi"), (Decimal(10**3), " mil"))
_COMPACT_EN = ((Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))


def format_number(value: Decimal | int, *, language: str, decimals: int = 0) -> str:
    """Write a number with the language's separators."""
    text = f"{value:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if _is_portuguese(language) else text


def format_money(value: Decimal, currency: str, *, language: str) -> str:
    """Write an amount in full: R$ 4.200,00."""
    decimals = 0 if currency in _WITHOUT_CENTS else 2
    number = format_number(_round(abs(value), decimals), language=language, decimals=decimals)
    return _signed(value, f"{_sign(currency, language)}{number}")


@lru_cache(10_000)  # a board has hundreds of cards, and is drawn again and again
def format_money_compact(value: Decimal, currency: str, *, language: str) -> str:
    """Write an amount for a card or a column: R$ 850, R$ 4,2 mil, R$ 412 mil, R$ 1,3 mi."""
    amount, suffix = _round(abs(value), 0), ""
    for size, name in _COMPACT_PT if _is_portuguese(language) else _COMPACT_EN:
        # 999.950 and more already rounds to 1.000 of the smaller unit.
        if abs(value) >= size - size / 2000:
            amount, suffix = abs(value) / size, name.replace(" ", SPACE)
            break
    decimals = 1 if suffix and _round(amount, 1) < 100 and _round(amount, 1) % 1 else 0
    number = format_number(_round(amount, decimals), language=language, decimals=decimals)
    return _signed(value, f"{_sign(currency, language)}{number}{suffix}")


def _is_portuguese(language: str) -> bool:
    return language.lower().startswith("pt")


def _sign(currency: str, language: str) -> str:
    if _is_portuguese(language):
        return _SIGNS.get(currency, currency) + SPACE
    if currency == "USD":
        return "$"
    # English writes €10, but a code needs its space: CHF 10.
    return _SIGNS.get(currency, currency + SPACE)


def _signed(value: Decimal, text: str) -> str:
    return f"-{text}" if value < 0 else text


def _round(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
