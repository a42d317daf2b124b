"""Files of every making are read, or refused with a sentence that says why."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.spreadsheet import Limits, Sheet, SpreadsheetError, inspect, rows, safe_cell

TEXT = "nome;e-mail;observação\nJoão;joao@example.com;ação\nMaria;maria@example.com;“aspas”\n"


@pytest.fixture(autouse=True, scope="module")
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def write(tmp_path: Path, content: str | bytes, *, encoding: str = "utf-8") -> Path:
    path = tmp_path / "leads.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def table(path: Path, sheet: Sheet) -> list[list[str]]:
    return [list(row.cells.values()) for row in rows(path, sheet)]


@pytest.mark.parametrize(
    ("encoding", "recognised"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_is_recognised(tmp_path: Path, encoding: str, recognised: str) -> None:
    path = write(tmp_path, TEXT, encoding=encoding)
    sheet = inspect(path)
    assert sheet.encoding == recognised
    assert sheet.encoding_name
    assert sheet.header == ("nome", "e-mail", "observação")
    assert table(path, sheet)[0] == ["João", "joao@example.com", "ação"]
    assert table(path, sheet)[1][2] == "“aspas”"


def test_windows_text_is_recognised_though_its_first_accent_comes_late(tmp_path: Path) -> None:
    lines = "".join(f"Ana {number};a{number}@example.com;x\n" for number in range(5000))
    path = write(tmp_path, f"nome;email;obs\n{lines}José;j@example.com;y\n", encoding="cp1252")
    sheet = inspect(path)
    assert sheet.encoding == "cp1252"
    assert table(path, sheet)[-1][0] == "José"


def test_one_broken_byte_does_not_turn_a_file_into_mojibake(tmp_path: Path) -> None:
    names = "".join(f"João {number};x\n" for number in range(50))
    path = write(tmp_path, f"nome;obs\n{names}".encode() + b"Jos\xe9;y\n")
    sheet = inspect(path)
    assert sheet.encoding == "utf-8"
    assert table(path, sheet)[0][0] == "João 0"
    assert [note.code for note in sheet.notes] == ["undecodable"]
    assert "1" in sheet.notes[0].sentence


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised(tmp_path: Path, delimiter: str) -> None:
    lines = [["nome", "valor", "obs"], ["Ana", "1200.50", "oi"], ["Bia", "30", "tudo bem"]]
    path = write(tmp_path, "\n".join(delimiter.join(line) for line in lines))
    sheet = inspect(path)
    assert sheet.delimiter == delimiter
    assert sheet.delimiter_name
    assert table(path, sheet) == lines[1:]


def test_decimal_commas_do_not_pass_for_delimiters(tmp_path: Path) -> None:
    path = write(tmp_path, "nome;valor, em R$;cidade\nAna;1.234,56;Rio\nBia;7,00;Natal\n")
    assert inspect(path).header == ("nome", "valor, em R$", "cidade")


def test_a_delimiter_that_the_file_declares_is_believed(tmp_path: Path) -> None:
    path = write(tmp_path, "sep=;\r\nnome;a,b,c\r\nAna;1,2,3\r\n")
    sheet = inspect(path)
    assert sheet.header == ("nome", "a,b,c")
    assert [row.line for row in rows(path, sheet)] == [2], "Excel does not count that line"


def test_one_column_is_a_table_too(tmp_path: Path) -> None:
    path = write(tmp_path, "email\nana@example.com\n")
    assert inspect(path).header == ("email",)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_ending_works(tmp_path: Path, newline: str) -> None:
    path = write(tmp_path, newline.join(["a,b", "1,2", "3,4"]))
    assert table(path, inspect(path)) == [["1", "2"], ["3", "4"]]


def test_a_quoted_cell_may_hold_newlines_delimiters_and_quotes(tmp_path: Path) -> None:
    path = write(tmp_path, 'nome,nota\nAna,"linha 1\nlinha 2, e ""mais"""\nBia,ok\n')
    sheet = inspect(path)
    assert sheet.row_count == 2
    assert table(path, sheet)[0][1] == 'linha 1\nlinha 2, e "mais"'
    assert [row.line for row in rows(path, sheet)] == [2, 3]


def test_blank_rows_are_passed_over_but_counted_as_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "\na,b\n\n1,2\n,\n3,4\n\n")
    sheet = inspect(path)
    assert sheet.row_count == 2
    assert [row.line for row in rows(path, sheet)] == [4, 6]


def test_reading_goes_on_after_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n3,4\n5,6\n")
    assert [row.line for row in rows(path, inspect(path), after_line=3)] == [4]


def test_short_rows_are_filled_and_long_rows_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,c\n1,2\n1,2,3\n1,2,3,4\n1,2,3,,\n")
    sheet = inspect(path)
    short, whole, long, padded = rows(path, sheet)
    assert list(short.cells.values()) == ["1", "2", ""]
    assert [row.problem for row in (short, whole, padded)] == ["", "", ""]
    assert "4 cells" in long.problem
    assert [(note.code, note.values["line"]) for note in sheet.notes] == [
        ("short_rows", 2),
        ("long_rows", 4),
    ]
    assert all(note.sentence for note in sheet.notes)


def test_repeated_and_missing_column_names_are_numbered_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, "Email,,Email,Nome,,\na@x.com,b,c@x.com,Ana,,\n")
    sheet = inspect(path)
    assert sheet.header == ("Email", "#2", "Email (2)", "Nome")
    assert {note.code for note in sheet.notes} == {"duplicate_header", "empty_header"}
    assert all(note.sentence for note in sheet.notes)


def test_a_file_without_column_names_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "Ana,ana@example.com\nBia,bia@example.com\n")
    assert [note.code for note in inspect(path).notes] == ["no_header"]


def test_nul_bytes_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, b"nome,obs\nAn\x00a,x\n")
    sheet = inspect(path)
    assert table(path, sheet)[0][0].replace("\x00", "") == "Ana"


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"\xef\xbb\xbf", b";;;\n;;;\n", b"\xff\xfe"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SpreadsheetError, match="empty"):
        inspect(write(tmp_path, content))


def test_column_names_without_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpreadsheetError, match="no rows"):
        inspect(write(tmp_path, "nome,email\n"))


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, "x" * 100_000)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive("leads.csv"), "ZIP"),
        (archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), "Excel"),
        (archive("[Content_Types].xml", "word/document.xml"), "Word"),
        (b"PK\x03\x04" + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "LibreOffice"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "picture"),
        (b"GIF89a\x01\x00", "picture"),
        (b"MZ\x90\x00\x03\x00\x00\x00", "program"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "program"),
        (b"\x1f\x8b\x08\x00", "archive"),
        (b"{\\rtf1 x}", "text document"),
        (b"<html><table><tr><td>nome</td></tr></table></html>", "web page"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><p>", "web page"),
        (b"<?xml version='1.0'?><Workbook/>", "XML"),
        (b'[{"nome": "Ana"}]', "JSON"),
        (b'{"nome": "Ana"}', "JSON"),
        (bytes(range(32)) * 40, "not text"),
    ],
)
def test_another_kind_of_file_is_recognised_by_its_content(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(SpreadsheetError, match=said):
        inspect(write(tmp_path, content))


def test_a_column_may_begin_with_the_letters_of_a_program(tmp_path: Path) -> None:
    assert inspect(write(tmp_path, "MZ,b\n1,2\n")).header == ("MZ", "b")


def test_a_huge_cell_is_refused_with_its_line(tmp_path: Path) -> None:
    cell = "x" * (10 * 1024 * 1024)
    path = write(tmp_path, f"nome,nota\nAna,ok\nBia,{cell}\n")
    with pytest.raises(SpreadsheetError, match="line 3"):
        inspect(path)


def test_a_cell_just_over_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpreadsheetError, match="line 2"):
        inspect(write(tmp_path, f"nome,nota\nAna,{'x' * 140_000}\nBia,ok\n"))


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path) -> None:
    rest = "".join(f"Ana {number},x\n" for number in range(20))
    with pytest.raises(SpreadsheetError, match="line 2"):
        inspect(write(tmp_path, f'nome,nota\nBia,"aberta\n{rest}'))


def test_limits_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,c\n" + "1,2,3\n" * 400_000)
    with pytest.raises(SpreadsheetError, match="1 MB"):
        inspect(path, limits=Limits(max_bytes=1024 * 1024))
    with pytest.raises(SpreadsheetError, match="more than 1000 rows"):
        inspect(path, limits=Limits(max_rows=1000))
    with pytest.raises(SpreadsheetError, match="3 columns"):
        inspect(path, limits=Limits(max_columns=2))


def test_thousands_of_columns_are_refused(tmp_path: Path) -> None:
    header = ",".join(f"c{number}" for number in range(5000))
    with pytest.raises(SpreadsheetError, match="5000 columns"):
        inspect(write(tmp_path, f"{header}\n1\n"))


def test_a_large_file_is_read_in_flat_memory(tmp_path: Path) -> None:
    path = write(tmp_path, "nome,email,nota\n" + "João,joao@example.com,uma nota\n" * 100_000)
    tracemalloc.start()
    sheet = inspect(path)
    count = sum(1 for _row in rows(path, sheet))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sheet.row_count == count == 100_000
    assert peak < 2_000_000


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        sheet = inspect(path)
    except SpreadsheetError:
        return
    assert sum(1 for _row in rows(path, sheet)) == sheet.row_count


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text.csv"
    path.write_bytes(content.encode(errors="replace"))
    try:
        sheet = inspect(path)
    except SpreadsheetError:
        return
    assert sum(1 for _row in rows(path, sheet)) == sheet.row_count


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-1+1", "'-1+1"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r=1+1"),
        ("\n=1", "'\n=1"),
        ("＝1+1", "'＝1+1"),
        ("-", "'-"),
        ("+55-11-9", "'+55-11-9"),
        ("-10", "-10"),
        ("-1234.56", "-1234.56"),
        ("+1,5", "+1,5"),
        ("+5511912345678", "+5511912345678"),
        ("+55 (11) 91234-5678", "+55 (11) 91234-5678"),
        ("Ana", "Ana"),
        ("'Ana", "'Ana"),
        ("ana@example.com", "ana@example.com"),
        (12, "12"),
        (None, ""),
        ("", ""),
    ],
)
def test_a_cell_is_never_calculated(value: object, written: str) -> None:
    assert safe_cell(value) == written


@given(st.text())
def test_no_cell_with_letters_begins_like_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert cell.removeprefix("'") == text.removeprefix("'")
    if any(letter.isalpha() for letter in cell):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
