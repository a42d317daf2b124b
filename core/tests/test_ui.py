"""The pieces of a page, and what every template must keep to."""

import json
import re
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import engines
from django.test import RequestFactory

from core.templatetags.ui import COLORS, avatar, color, icon, initials

BASE = Path(settings.BASE_DIR)
TEMPLATES = sorted((BASE / "templates").rglob("*.html"))


class AskForm(forms.Form):
    name = forms.CharField(label="Name", help_text="As on the card")
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    password = forms.CharField(label="Password", widget=forms.PasswordInput(attrs={"placeholder": "Password"}))
    agree = forms.BooleanField(label="I agree")
    size = forms.ChoiceField(label="Size", widget=forms.RadioSelect, choices=[("s", "Small"), ("l", "Large")])


def render(source: str, **context: object) -> str:
    return engines["django"].from_string(source).render(context, RequestFactory().get("/"))


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ana Maria Souza", "AS"),
        ("João da Silva", "JS"),
        ("Zé", "Z"),
        ("helena@aurora.example", "HE"),
        ("", "?"),
        ("  ", "?"),
        ("<b>Eva</b> Lima", "L"),
    ],
)
def test_initials(name, letters):
    assert initials(name) == letters


def test_a_name_keeps_its_color():
    assert color("Ana") == color("Ana")
    assert {color(str(number)) for number in range(200)} == set(COLORS)


def test_a_name_cannot_bring_markup_into_an_avatar():
    assert "<script>" not in avatar('"><script>alert(1)</script>')


def test_an_icon_is_decoration_unless_it_has_a_label():
    assert 'aria-hidden="true"' in icon("phone")
    assert 'role="img" aria-label="Call &quot;now&quot;"' in icon("phone", label='Call "now"')


def test_a_field_ties_label_help_and_errors_to_its_control():
    html = render("{% field form.name %}", form=AskForm({"name": ""}))
    assert '<label for="id_name">' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html


def test_a_field_keeps_what_was_typed_and_escapes_it():
    html = render("{% field form.name %}", form=AskForm({"name": '"><script>'}))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_field_says_when_it_is_optional():
    form = AskForm()
    assert "crm-optional" in render("{% field form.note %}", form=form)
    assert "crm-optional" not in render("{% field form.name %}", form=form)
    assert "crm-optional" not in render("{% field form.note required=True %}", form=form)


def test_a_password_can_be_shown_and_repeats_no_label():
    html = render("{% field form.password %}", form=AskForm())
    assert "data-reveal" in html
    assert "placeholder" not in html


def test_choices_stand_in_a_named_group():
    html = render("{% field form.size %}", form=AskForm())
    assert "<fieldset" in html
    assert "<legend>Size</legend>" in html


def test_a_forms_own_errors_stand_above_its_fields():
    form = AskForm({})
    form.add_error(None, "These two do not fit.")
    html = render("{% fields form %}", form=form)
    assert html.index("These two do not fit.") < html.index("id_name")


def test_an_amount_is_written_in_the_readers_language():
    source = "{% load i18n %}{% language 'en' %}{{ value|money:'BRL' }}{% endlanguage %}|{{ none|money:'BRL' }}"
    assert render(source, value=4200, none=None) == "R$4,200.00|"


def test_every_icon_in_use_is_in_the_sprite():
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (BASE / "static/icons.svg").read_text()))
    pattern = re.compile(r"""(?:\{% icon |icon_name=|\bicon\()["']([a-z0-9-]+)["']""")
    sources = [*TEMPLATES, *BASE.glob("crm/*.py"), *BASE.glob("crm/views/*.py"), *BASE.glob("members/*.py")]
    used = {name for file in sources for name in pattern.findall(file.read_text())}
    assert used - sprite == set(), "add them to frontend/icons.txt and run ./loved css"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(BASE / "templates")))
def test_a_template_keeps_to_the_content_security_policy(file):
    text = file.read_text()
    assert not re.search(r"<[^>]*\sstyle=", text), "no inline styles: use a class"
    assert not re.search(r"<[^>]*\son[a-z]+=", text), "no inline handlers: use static/js"
    assert not re.search(r"<[^>]*\shx-on", text), "hx-on needs eval"
    assert not re.search(r"""hx-vals=["']js:|hx-trigger="[^"]*\[""", text), "this needs eval"
    assert 'hx-swap-oob="morph:inner' not in text, "htmx reads it as a selector and does nothing"
    for attributes in re.findall(r"<script\b([^>]*)>", text):
        assert "src=" in attributes or "nonce=" in attributes or "application/json" in attributes


def test_every_static_file_that_a_template_names_exists():
    for file in TEMPLATES:
        for path in re.findall(r"""\{% static ["']([^"']+)["'] %\}""", file.read_text()):
            assert finders.find(path), f"{file.name} names {path}"


def test_the_manifests_icons_exist():
    manifest = json.loads((BASE / "static/manifest.webmanifest").read_text())
    for each in manifest["icons"]:
        assert (BASE / "static" / each["src"]).is_file()


def test_every_vendored_library_has_its_licence():
    folders = [folder for folder in (BASE / "static/vendor").iterdir() if folder.is_dir()]
    assert folders
    assert [folder.name for folder in folders if not (folder / "LICENSE").is_file()] == []
