"""What the documents promise about files, commands and their own length is there."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from crm.services.demo import AURORA, JATOBA, PASSWORD

BASE = Path(settings.BASE_DIR)
PAGES = sorted([*BASE.glob("*.md"), *BASE.glob("docs/**/*.md")])
TOP = "config|core|tenants|members|crm|templates|static|tests|bench|docs|frontend|locale|\\.ci"


def name(page: Path) -> str:
    return str(page.relative_to(BASE))


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as the places that a link can point to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _hash, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (place and place not in anchors(target)):
            wrong.append(link)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page):
    """A path in backticks that begins with a folder of ours; `<app>`, `*` and `…` stand for anything."""
    if page.name == "CHANGELOG.md":
        pytest.skip("it tells of the past")
    named = re.findall(rf"`((?:{TOP})/[\w./@*-]*)(?:: \w+)?`", page.read_text())
    wrong = [path for path in named if not (list(BASE.glob(path)) if "*" in path else (BASE / path).exists())]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_are_named_exist(page):
    script = (BASE / "loved").read_text()
    known = set(re.findall(r"^  \./loved (\w+)", script, re.MULTILINE))
    handled = set(re.findall(r"\w+", " ".join(re.findall(r"^    ([a-z| ]+)\)", script, re.MULTILINE))))
    assert known <= handled
    text = page.read_text()
    assert set(re.findall(r"\./loved ([a-z]+)", text)) <= known
    assert set(re.findall(r"\./loved manage ([a-z_]+)", text)) <= set(get_commands())


def test_the_readme_knows_who_may_sign_in_to_the_demo():
    text = (BASE / "README.md").read_text()
    assert f"`{PASSWORD}`" in text
    people = [person for company in (AURORA, JATOBA) for person in company.people]
    named = set(re.findall(r"`([a-z]+@[a-z]+\.example)`", text))
    assert named
    assert named <= {email for _name, email, _role, _team in people}
    for company in (AURORA, JATOBA):
        assert f"{company.name}, `/o/{company.slug}/`" in text


@pytest.mark.parametrize("page", sorted(BASE.glob("docs/adr/0*.md")), ids=lambda page: page.stem)
def test_a_decision_is_short_and_listed(page):
    text = page.read_text()
    assert len(text.split()) <= 400
    assert text.startswith(f"# {int(page.name[:4])}. ")
    assert f"]({page.name})" in (page.parent / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_modules_and_functions_that_are_named_exist(page):
    """`tenants.jobs.defer` in backticks is a module, or something that a module of ours defines."""
    wrong = []
    for dotted in re.findall(r"`((?:core|tenants|members|crm)(?:\.\w+)+)(?:\(.*?\))?`", page.read_text()):
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            place = BASE.joinpath(*parts[:length])
            file = next((each for each in (place.with_suffix(".py"), place / "__init__.py") if each.exists()), None)
            if file:
                break
        rest = parts[length:]
        source = file.read_text() if file else ""
        if not file or (rest and not re.search(rf"\b{rest[0]}\b", source)):
            wrong.append(dotted)
    assert not wrong
