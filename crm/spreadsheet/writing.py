"""Cells that a spreadsheet program shows as they are and never calculates."""

import re

FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# Without a letter there is no function, no cell and no command to call. Numbers keep their sign;
# a phone keeps its plus if a space follows the country code, else Excel would subtract its groups.
_PLAIN = re.compile(r"^(?:[+-]?\d+(?:[.,]\d+)*|\+\d{1,3} [\d ()-]*\d)$", re.ASCII)


def safe_cell(value: object) -> str:
    """Return the text of a cell, with an apostrophe before what would be taken for a formula."""
    text = "" if value is None else str(value)
    if text[:1] in FORMULA_STARTS and text and not _PLAIN.match(text):
        return "'" + text
    return text


def unescape_cell(text: str) -> str:
    """Take away the apostrophe of safe_cell, so that our own exports can be imported again."""
    if text[:1] == "'" and text[1:2] in FORMULA_STARTS and len(text) > 1:
        return text[1:]
    return text
