"""Read a CSV file of unknown making row by row, in flat memory."""

import codecs
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Invalid, Sentence
from crm.spreadsheet.recognition import refuse_other_formats

ENCODINGS: dict[str, Sentence] = {
    "utf-8": "UTF-8",
    "utf-8-sig": gettext_lazy("UTF-8 with byte order mark"),
    "cp1252": gettext_lazy("Windows-1252 (Excel in Western languages)"),
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
DELIMITERS: dict[str, Sentence] = {
    ",": gettext_lazy("comma"),
    ";": gettext_lazy("semicolon"),
    "\t": gettext_lazy("tab"),
    "|": gettext_lazy("vertical bar"),
}
SAMPLE_ROWS = 200
PROBE_BYTES = 1 << 16
# The csv module refuses a cell over 131,072 characters by itself; its limit belongs to the whole
# process, so it is left alone, and a line without end is refused before it is all in memory.
LONGEST_LINE = 1_000_000


class SpreadsheetError(Invalid):
    """Refuse a file that cannot be read as a table."""

    code = "spreadsheet"


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a file may be."""

    max_bytes: int = 20 * 1024 * 1024
    max_rows: int = 100_000
    max_columns: int = 300


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a file that its owner should know; a code and values, so that it can be stored."""

    code: str
    values: Mapping[str, str | int]

    @property
    def sentence(self) -> str:
        return {
            "duplicate_header": _("More than one column is called “%(name)s”; they are numbered."),
            "empty_header": _("Column %(number)s has no name."),
            "no_header": _("The first row looks like data, but it is read as the column names."),
            "undecodable": _("Characters that could not be read, shown as “�”: %(count)s."),
            "short_rows": _("Rows that end early: %(count)s, the first in line %(line)s."),
            "long_rows": _("Rows with more cells than the header: %(count)s, the first in line %(line)s."),
        }[self.code] % self.values


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known about a file after reading it once."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    row_count: int
    sample: tuple[tuple[str, ...], ...]
    notes: tuple[Note, ...] = ()

    @property
    def encoding_name(self) -> Sentence:
        return ENCODINGS[self.encoding]

    @property
    def delimiter_name(self) -> Sentence:
        return DELIMITERS[self.delimiter]


@dataclass(frozen=True, slots=True)
class Row:
    """One row under the header; `line` is its number as a spreadsheet program shows it."""

    line: int
    cells: Mapping[str, str]
    problem: str = ""


def inspect(path: Path, *, limits: Limits | None = None) -> Sheet:
    """Read a whole file once: encoding, delimiter, header, number of rows and the first of them.

    Raise SpreadsheetError with a sentence for the person if it is not a table within the limits.
    """
    limits = limits or Limits()
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise SpreadsheetError(_("The file is larger than %(limit)s MB.") % {"limit": limits.max_bytes // 2**20})
    with path.open("rb") as file:
        head = file.read(PROBE_BYTES)
        file.seek(max(0, size - PROBE_BYTES))
        tail = file.read()
    if not head.strip(b" \t\r\n;,|\x00\xef\xbb\xbf\xff\xfe"):
        raise SpreadsheetError(_("The file is empty."))
    if sentence := refuse_other_formats(head, tail):
        raise SpreadsheetError(sentence)
    encoding, unreadable = _find_encoding(path, head)
    delimiter = _find_delimiter(path, encoding)
    return _read_all(path, encoding, delimiter, limits, unreadable)


def rows(path: Path, sheet: Sheet, *, after_line: int = 0) -> Iterator[Row]:
    """Yield the rows under the header that are not blank, from the one after `after_line` on."""
    width = len(sheet.header)
    records = _records(path, sheet.encoding, sheet.delimiter)
    for line, cells in _without_header(records):
        if line <= after_line:
            continue
        problem = ""
        if not _is_blank(cells[width:]):
            problem = _("This row has %(cells)s cells, the header has %(columns)s.") % {
                "cells": len(cells),
                "columns": width,
            }
        padded = [*cells[:width], *[""] * (width - len(cells))]
        yield Row(line, dict(zip(sheet.header, padded, strict=True)), problem)


def _find_encoding(path: Path, head: bytes) -> tuple[str, int]:
    """Return the codec and how many bytes it cannot read."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", 0
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > pairs * 0.4:
        return "utf-16-le", 0
    if pairs and head[0::2].count(0) > pairs * 0.4:
        return "utf-16-be", 0
    utf8 = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    readable = unreadable = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        while text := file.read(PROBE_BYTES):
            if text.isascii():
                continue
            broken = sum("\udc80" <= letter <= "\udcff" for letter in text)
            unreadable += broken
            readable += sum(letter > "\x7f" for letter in text) - broken
    # A few broken bytes in a file full of right ones are damage; otherwise it never was UTF-8.
    if unreadable * 10 <= readable or not unreadable or utf8 == "utf-8-sig":
        return utf8, unreadable
    return "cp1252", 0


def _find_delimiter(path: Path, encoding: str) -> str:
    """Choose the delimiter that makes most rows as wide as the header; the widest wins a tie."""
    with _open(path, encoding) as file:
        text = file.read(PROBE_BYTES)
        is_cut = bool(file.read(1))
    first = text.lstrip("\r\n").split("\n", 1)[0].strip()
    if declared := _declared_delimiter(first):
        return declared
    best, best_score = ",", (0.0, 1)
    for delimiter in DELIMITERS:
        try:
            records = [row for row in csv.reader(text.splitlines(True), delimiter=delimiter) if row]
        except csv.Error:
            continue
        if is_cut and len(records) > 2:
            records.pop()
        width = len(records[0])
        if width == 1:
            continue
        alike = sum(len(row) == width for row in records[:100]) / len(records[:100])
        if (score := (round(alike, 1), width)) > best_score:
            best, best_score = delimiter, score
    return best


def _declared_delimiter(line: str) -> str:
    """Understand Excel's own first line `sep=;`."""
    if line.strip('"').lower().startswith("sep=") and len(line.strip('"')) <= 5:
        return line.strip('"')[4:] or "\t"
    return ""


def _read_all(path: Path, encoding: str, delimiter: str, limits: Limits, unreadable: int) -> Sheet:
    records = _records(path, encoding, delimiter)
    header, notes = _name_columns(next((cells for _line, cells in records if not _is_blank(cells)), []))
    width = len(header)
    if not width:
        raise SpreadsheetError(_("The file is empty."))
    if width > limits.max_columns:
        raise SpreadsheetError(
            _("The file has %(count)s columns; at most %(limit)s can be read.")
            % {"count": width, "limit": limits.max_columns}
        )
    sample: list[tuple[str, ...]] = []
    count = 0
    short: list[int] = []
    long: list[int] = []
    for line, cells in records:
        if _is_blank(cells):
            continue
        count += 1
        if count > limits.max_rows:
            raise SpreadsheetError(
                _("The file has more than %(limit)s rows. Split it and import the parts.") % {"limit": limits.max_rows}
            )
        if len(cells) < width:
            short.append(line)
        elif not _is_blank(cells[width:]):
            long.append(line)
        if len(sample) < SAMPLE_ROWS:
            sample.append((*cells[:width], *[""] * (width - len(cells))))
    if not count:
        raise SpreadsheetError(_("The file has column names, but no rows under them."))
    if unreadable:
        notes.append(Note("undecodable", {"count": unreadable}))
    for code, lines in (("short_rows", short), ("long_rows", long)):
        if lines:
            notes.append(Note(code, {"count": len(lines), "line": lines[0]}))
    return Sheet(encoding, delimiter, tuple(header), count, tuple(sample), tuple(notes))


def _name_columns(cells: list[str]) -> tuple[list[str], list[Note]]:
    """Give every column a name of its own."""
    names = [" ".join(cell.replace("\x00", "").split())[:200] for cell in cells]
    while names and not names[-1]:
        names.pop()
    notes: list[Note] = []
    taken: set[str] = set()
    header: list[str] = []
    for number, name in enumerate(names, 1):
        if not name:
            notes.append(Note("empty_header", {"number": number}))
            name = f"#{number}"
        elif name in taken:
            notes.append(Note("duplicate_header", {"name": name}))
        unique, copy = name, 2
        while unique in taken:
            unique, copy = f"{name} ({copy})", copy + 1
        taken.add(unique)
        header.append(unique)
    if any("@" in name or (name.isdigit() and len(name) > 3) for name in names):
        notes.append(Note("no_header", {}))
    return header, notes


def _without_header(records: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    is_header_seen = False
    for line, cells in records:
        if _is_blank(cells):
            continue
        if is_header_seen:
            yield line, cells
        is_header_seen = True


def _is_blank(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with its number, blank ones too, as spreadsheet programs count them."""
    with _open(path, encoding) as file:
        pending: list[str] = []
        reader = csv.reader(_lines(file, pending), delimiter=delimiter)
        number = 0
        while True:
            pending.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise SpreadsheetError(
                    _(
                        "The cell that begins in line %(line)s is too long. "
                        "Perhaps a quotation mark is never closed there."
                    )
                    % {"line": number + 1}
                ) from error
            if cells is None:
                return
            if number == 0 and _declared_delimiter("".join(pending).strip()):
                continue
            number += 1
            if len(pending) > 1:
                _refuse_open_quote(pending, delimiter, number)
            yield number, cells


def _lines(file: TextIO, pending: list[str]) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise csv.Error("line without end")
        pending.append(line)
        yield line


def _refuse_open_quote(pending: list[str], delimiter: str, number: int) -> None:
    """Refuse a record that ended only because the file did: it has swallowed the rows below."""
    try:
        list(csv.reader(pending, delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise SpreadsheetError(
                _("A quotation mark that opens in line %(line)s is never closed.") % {"line": number}
            ) from error


def _open(path: Path, encoding: str) -> TextIO:
    return path.open(encoding=encoding, errors="replace", newline="")
