"""A figure knows its target, and the document keeps one section for each benchmark."""

from bench.report import Area, Figure, as_markdown, as_text, insert, number

FIGURES = [
    Figure("import", 12.3456, "s", limit=20),
    Figure("board", 60.0, "ms", base=10.0, base_name="bare", times=5),
    Figure("bare", 10.0, "ms"),
]
AREA = Area("board", "Board", "gunicorn", "How it was done.", FIGURES)


def test_a_figure_passes_when_it_is_within_its_limit_and_its_ratio():
    assert [figure.passed for figure in FIGURES] == [True, False, None]
    assert Figure("both", 50.0, "ms", limit=40, base=10.0, times=5).passed is False
    assert AREA.failed == [FIGURES[1]]


def test_the_table_shows_figure_target_ratio_and_verdict():
    lines = as_text(AREA).splitlines()
    assert lines[0] == "Board (gunicorn)"
    assert lines[2].split() == ["import", "12.3", "s", "≤", "20", "s", "pass"]
    assert lines[3].split() == ["board", "60.0", "ms", "≤", "5", "×", "bare", "6.00", "FAIL"]


def test_json_says_what_is_not_given_as_null():
    assert AREA.as_json()["figures"][2] == {
        "name": "bare", "value": 10.0, "unit": "ms", "limit": None, "base": None, "ratio": None, "times": None,
        "passed": None,
    }  # fmt: skip


def test_numbers_keep_three_digits():
    assert [number(value) for value in (0.123, 9.876, 98.76, 987.6, 9876)] == ["0.12", "9.88", "98.8", "988", "9,876"]


def test_a_section_replaces_its_own_last_one_and_no_other():
    first = as_markdown(AREA, date="2026-11-22", machine="a laptop")
    document = insert("# Benchmarks\n", AREA, first)
    document = insert(document, Area("move", "Move", "gunicorn", "", []), "## Move\n")
    again = insert(document, AREA, first.replace("2026-11-22", "2026-11-23"))
    assert again.startswith("# Benchmarks\n")
    assert (again.count("## Board"), again.count("## Move")) == (1, 1)
    assert "Measured 2026-11-23 on a laptop." in again
    assert "2026-11-22" not in again
    assert "| board | 60.0 ms | ≤ 5 × bare | 6.00 | FAIL |" in again
