"""Spreadsheets that people upload and download: reading, understanding and writing CSV, no tables."""

from crm.spreadsheet.drafts import Draft, RowError, parse_row
from crm.spreadsheet.mapping import TARGETS, guess_mapping
from crm.spreadsheet.reading import Limits, Note, Row, Sheet, SpreadsheetError, inspect, rows
from crm.spreadsheet.values import Formats, detect_formats
from crm.spreadsheet.writing import safe_cell

__all__ = [
    "TARGETS",
    "Draft",
    "Formats",
    "Limits",
    "Note",
    "Row",
    "RowError",
    "Sheet",
    "SpreadsheetError",
    "detect_formats",
    "guess_mapping",
    "inspect",
    "parse_row",
    "rows",
    "safe_cell",
]
