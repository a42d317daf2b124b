"""Tell what a file is that is not a CSV, whatever its name says."""

from django.utils.translation import gettext_lazy as _

from core.errors import Sentence

_SAVE_AS_CSV = _("This is an Excel workbook. In Excel, save it as “CSV UTF-8” and choose that file.")
_OFFICE: list[tuple[bytes, Sentence]] = [
    (b"xl/", _SAVE_AS_CSV),
    (
        b"opendocument.spreadsheet",
        _("This is a LibreOffice spreadsheet. Save it as “Text CSV” and choose that file."),
    ),
    (b"word/", _("This is a Word document, not a CSV file.")),
]
_ZIP = _("This is a ZIP archive. Unpack it and choose the CSV file inside.")
_SIGNATURES: list[tuple[bytes, Sentence]] = [
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _SAVE_AS_CSV),
    (b"%PDF", _("This is a PDF document, not a CSV file.")),
    (b"\x89PNG", _("This is a picture, not a CSV file.")),
    (b"\xff\xd8\xff", _("This is a picture, not a CSV file.")),
    (b"GIF8", _("This is a picture, not a CSV file.")),
    (b"MZ", _("This is a program, not a CSV file.")),
    (b"\x7fELF", _("This is a program, not a CSV file.")),
    (b"\x1f\x8b", _("This is a compressed archive. Unpack it and choose the CSV file inside.")),
    (b"Rar!", _("This is a compressed archive. Unpack it and choose the CSV file inside.")),
    (
        b"7z\xbc\xaf\x27\x1c",
        _("This is a compressed archive. Unpack it and choose the CSV file inside."),
    ),
    (b"{\\rtf", _("This is a text document, not a CSV file.")),
]
_MARKUP: list[tuple[bytes, Sentence]] = [
    (b"<!doctype html", _("This is a web page, not a CSV file. Export it again as CSV.")),
    (b"<html", _("This is a web page, not a CSV file. Export it again as CSV.")),
    (b"<table", _("This is a web page, not a CSV file. Export it again as CSV.")),
    (b"<?xml", _("This is an XML file, not a CSV file. Export it again as CSV.")),
    (b'{"', _("This is a JSON file, not a CSV file. Export it again as CSV.")),
    (b"[{", _("This is a JSON file, not a CSV file. Export it again as CSV.")),
]
_BINARY = _("This file is not text. Choose a CSV file.")


def refuse_other_formats(head: bytes, tail: bytes) -> Sentence | None:
    """Return what to tell the person if the first and last bytes are not those of a text table."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next((text for sign, text in _OFFICE if sign in head or sign in tail), _ZIP)
    for signature, sentence in _SIGNATURES:
        # Two letters alone could also begin the name of a column.
        if head.startswith(signature) and (len(signature) > 2 or b"\x00" in head[:512]):
            return sentence
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, sentence in _MARKUP:
        if start.startswith(signature):
            return sentence
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    sample = head[:4096]
    is_utf16 = max(sample[0::2].count(0), sample[1::2].count(0)) > len(sample) * 0.2
    strange = sum(byte < 9 or 14 <= byte < 27 or 28 <= byte < 32 for byte in sample)
    return _BINARY if strange > len(sample) * 0.02 + 8 and not is_utf16 else None
