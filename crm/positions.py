"""The order of cards in a column: text keys between which there is always room for another.

A key is a whole number followed by a fraction, both in base 62. The first letter of the whole number
says how many digits it has (`a` one, `b` two, …; `Z` one, `Y` two, … below zero), so that comparing
keys byte by byte (`COLLATE "C"`) compares the numbers. Keys at the ends of a column are whole
numbers and stay short; a key between two others takes the fewest digits that make room.
"""

from bisect import bisect_right

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE = len(DIGITS)
# A column with a longer key wants to be written anew with keys_between(None, None, count).
REBALANCE_LENGTH = 40

_VALUE = {digit: value for value, digit in enumerate(DIGITS)}
_HEADS = 26
# _STARTS[n] is the first whole number that needs n + 1 digits.
_STARTS: list[int] = [0]
for _length in range(1, _HEADS + 1):
    _STARTS.append(_STARTS[-1] + BASE**_length)


def key_between(before: str | None, after: str | None) -> str:
    """Return a key after `before` and before `after`; None stands for an end of the column."""
    return keys_between(before, after, 1)[0]


def keys_between(before: str | None, after: str | None, count: int) -> list[str]:
    """Return `count` keys in order, evenly spread between two neighbours, as short as they can be.

    Raise ValueError if `before` does not come before `after`, or if one of them is not a key.
    """
    if count < 0:
        raise ValueError("the number of keys cannot be negative")
    low = _split(before) if before is not None else None
    high = _split(after) if after is not None else None
    if before is not None and after is not None and before >= after:
        raise ValueError(f"{before!r} does not come before {after!r}")
    if low is None and high is None:
        return [_join(whole, "") for whole in range(count)]
    if high is None:
        assert low is not None
        return [_join(low[0] + step, "") for step in range(1, count + 1)]
    if low is None:
        # A fraction lies above its whole number, which is then free itself.
        top = high[0] if high[1] else high[0] - 1
        return [_join(top - step, "") for step in range(count - 1, -1, -1)]
    return _spread(low, high, count)


def _spread(low: tuple[int, str], high: tuple[int, str], count: int) -> list[str]:
    places = 0
    while True:
        first, last = _scale(low, places), _scale(high, places, up=True)
        room = last - first - 1
        if room >= count:
            break
        places += 1
    steps = (first + (index + 1) * (room + 1) // (count + 1) for index in range(count))
    return [_unscale(step, places) for step in steps]


def _scale(key: tuple[int, str], places: int, *, up: bool = False) -> int:
    """Count a key in units of the given place, cut off, or with `up` rounded to the next unit."""
    whole, fraction = key
    digits = fraction[:places].ljust(places, DIGITS[0])
    unit: int = BASE**places
    units = whole * unit + _read(digits)
    return units + 1 if up and len(fraction) > places else units


def _unscale(units: int, places: int) -> str:
    whole, rest = divmod(units, BASE**places)
    return _join(whole, _write(rest, places).rstrip(DIGITS[0]))


def _read(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * BASE + _VALUE[digit]
    return number


def _write(number: int, length: int) -> str:
    digits = []
    for _place in range(length):
        number, digit = divmod(number, BASE)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))


def _join(whole: int, fraction: str) -> str:
    if whole >= 0:
        length = bisect_right(_STARTS, whole)
        if length > _HEADS:
            raise ValueError("the column has no room left at its end")
        return chr(ord("a") + length - 1) + _write(whole - _STARTS[length - 1], length) + fraction
    below = -whole - 1
    length = bisect_right(_STARTS, below)
    if length > _HEADS:
        raise ValueError("the column has no room left at its beginning")
    digits = _write(BASE**length - 1 - (below - _STARTS[length - 1]), length)
    return chr(ord("Z") - length + 1) + digits + fraction


def _split(key: str) -> tuple[int, str]:
    head = key[:1]
    if "a" <= head <= "z":
        length = ord(head) - ord("a") + 1
    elif "A" <= head <= "Z":
        length = ord("Z") - ord(head) + 1
    else:
        raise ValueError(f"{key!r} is not a position")
    digits, fraction = key[1 : length + 1], key[length + 1 :]
    is_whole = len(digits) == length and all(digit in _VALUE for digit in digits)
    is_fraction = all(digit in _VALUE for digit in fraction) and fraction[-1:] != DIGITS[0]
    if not (is_whole and is_fraction):
        raise ValueError(f"{key!r} is not a position")
    number = _read(digits)
    if head >= "a":
        return _STARTS[length - 1] + number, fraction
    return -(_STARTS[length - 1] + BASE**length - 1 - number) - 1, fraction
