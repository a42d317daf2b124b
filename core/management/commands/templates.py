"""Compile every template of ours."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines


class Command(BaseCommand):
    """Compile every template, so that a slip is found before somebody opens the page."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        failed, seen = 0, 0
        for engine in engines.all():
            for folder in (Path(folder) for folder in engine.template_dirs):
                if not folder.is_relative_to(settings.BASE_DIR) or ".venv" in folder.parts:
                    continue
                for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                    seen += 1
                    try:
                        engine.get_template(str(file.relative_to(folder)))
                    except (TemplateSyntaxError, TemplateDoesNotExist, UnicodeDecodeError) as error:
                        failed += 1
                        self.stderr.write(f"{file.relative_to(settings.BASE_DIR)}: {error}")
        if failed:
            raise CommandError(f"{failed} of {seen} templates do not compile.")
        self.stdout.write(f"{seen} templates compile.")
