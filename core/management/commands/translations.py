"""Collect what the product says, keep the Portuguese catalogue complete, compile it."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

FUNCTIONS = {
    "_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None, "_t": None,
    "ngettext": (1, 2), "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2), "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3), "npgettext_lazy": ((1, "c"), 2, 3),
}  # fmt: skip
LOCALE = "pt_BR"


class Command(BaseCommand):
    """Update locale/pt_BR from the sources with Babel, so that no gettext needs to be installed.

    `--check` changes nothing and fails when a sentence is missing, empty or doubtful, or when the
    compiled catalogue is not that of the text.
    """

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po, write_po

        base = Path(settings.BASE_DIR)
        folder = base / "locale" / LOCALE / "LC_MESSAGES"
        po, mo = folder / "django.po", folder / "django.mo"
        catalog = read_po(io.BytesIO(po.read_bytes()), locale=LOCALE) if po.exists() else _empty_catalog()
        template = _empty_catalog()
        for file, line, message, context in _messages(base):
            template.add(message, locations=[(file, line)], context=context, auto_comments=[])
        known = {(message.id, message.context) for message in catalog if message.id}
        catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
        catalog.obsolete.clear()
        lacking = [m for m in catalog if m.id and (m.fuzzy or not _is_translated(m.string))]
        compiled = io.BytesIO()
        write_mo(compiled, catalog)
        if options["check"]:
            unseen = [m for m in catalog if m.id and (m.id, m.context) not in known]
            for message in [*unseen, *lacking][:30]:
                self.stderr.write(f"not translated: {message.id!r}")
            if unseen or lacking:
                raise CommandError(f"{len({str(m.id) for m in [*unseen, *lacking]})} sentences lack their Portuguese")
            if not mo.exists() or mo.read_bytes() != compiled.getvalue():
                raise CommandError("the compiled catalogue is old: run ./loved manage translations")
            return
        folder.mkdir(parents=True, exist_ok=True)
        with po.open("wb") as out:
            write_po(out, catalog, width=110, sort_output=True, include_lineno=False, omit_header=False)
        mo.write_bytes(compiled.getvalue())
        self.stdout.write(f"{len(catalog)} sentences, {len(lacking)} without Portuguese")


def _empty_catalog() -> Any:
    from babel.messages.catalog import Catalog

    # Fixed dates: the file changes when a sentence does, and not with the clock.
    begun = datetime(2026, 11, 23, tzinfo=UTC)
    return Catalog(
        locale=LOCALE, project="Loved CRM", version="0", fuzzy=False, creation_date=begun, revision_date=begun,
        header_comment="# Loved CRM in Brazilian Portuguese.", last_translator="Loved CRM", language_team="Loved CRM",
        msgid_bugs_address="",
    )  # fmt: skip


def _is_translated(string: Any) -> bool:
    return bool(string) and all(string) if isinstance(string, tuple | list) else bool(string)


# Babel's types and its own extractors disagree.
def _messages(base: Path) -> Iterator[tuple[str, int, Any, str | None]]:
    """Yield (file, line, message, context) of every marked sentence."""
    from babel.messages import extract as babel
    from jinja2.ext import babel_extract

    extract: Any = babel.extract
    extract_python: Any = babel.extract_python
    packages = [path for path in sorted(base.iterdir()) if (path / "__init__.py").exists()]
    apps = [path for path in packages if path.name not in {"tests", "bench"}]
    for app in apps:
        for file in sorted(app.rglob("*.py")):
            if {"tests", "migrations", "supervisor", "commands"} & set(file.parts):
                continue
            with file.open("rb") as source:
                yield from _named(file.relative_to(base), extract(extract_python, source, keywords=FUNCTIONS))
    for file in sorted((base / "templates").rglob("*")):
        if file.suffix not in {".html", ".txt"}:
            continue
        if "jinja" in file.parts:
            with file.open("rb") as source:
                yield from _named(file.relative_to(base), extract(babel_extract, source, keywords=FUNCTIONS))
            continue
        # What templatize leaves is indented as the page was, which Python's tokenizer does not forgive.
        lines = templatize(file.read_text(), origin=str(file)).splitlines()
        code = "\n".join(line.strip() for line in lines).encode()
        yield from _named(file.relative_to(base), extract(extract_python, io.BytesIO(code), keywords=FUNCTIONS))


def _named(file: Path, found: Any) -> Iterator[tuple[str, int, Any, str | None]]:
    for line, message, _comments, context in found:
        yield str(file), line, message, context
