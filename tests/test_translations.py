"""Every page speaks one language: the reader's."""

import json
import re
from html.parser import HTMLParser

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import translation

from tests.test_isolation import patterns

# Words of the interface, and small words that no sentence does without.
ENGLISH = """
    Save Cancel Search Owner Stage Source Company Contact Settings People Pipeline Board Import Password Name Title
    Value Phone Role Team Members Archive Archived Restore Lost Won Undo Delete Remove Close Edit Create New Next
    Previous Filter Upload Preview Language Theme Light Dark Profile Address Any Nobody Nothing Today Yes More Sign
    the and or of to in is are was your you this that with from not for it they
"""
PORTUGUESE = """
    Salvar Cancelar Buscar Responsável Etapa Origem Empresa Configurações Pessoas Importar Senha Nome Título Valor
    Telefone Papel Equipe Membros Arquivar Restaurar Perdido Ganho Desfazer Excluir Remover Fechar Editar Criar Novo
    Próxima Anterior Enviar Prévia Idioma Tema Claro Escuro Perfil Endereço Nada Hoje Sim Mais Entrar Sair
    que uma seu sua não você este esta para ainda
"""
FOREIGN = {"pt-br": ENGLISH.split(), "en": PORTUGUESE.split()}
SAID = {"aria-label", "title", "placeholder", "alt", "data-confirm", "data-confirm-description", "data-confirm-label"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "use"}


class Reader(HTMLParser):
    """Collect what a page says to eyes and ears, but not what it says in another language on purpose."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.page_language = ""
        self.silent: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "html":
            self.page_language = named.get("lang", "")
        elif tag not in VOID and (self.silent or tag in {"script", "style"} or "lang" in named or tag == "datalist"):
            self.silent.append(tag)
        if not self.silent:
            self.said += [value for name, value in attrs if name in SAID and value]

    def handle_endtag(self, tag):
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data):
        if not self.silent and data.strip():
            self.said.append(data.strip())


def assert_speaks(language: str, response) -> None:
    """Check a page's own language, and that no word of the other stands on it."""
    page = Reader(response.content.decode())
    if page.page_language:
        assert page.page_language == language
    word = re.compile(rf"(?<![\w@.-])(?:{'|'.join(FOREIGN[language])})(?![\w@-]|\.\w)")
    leaks = [text for text in page.said if word.search(text)]
    assert not leaks, f"{response.request['PATH_INFO']} says {leaks}"


def is_page(response) -> bool:
    return response.get("Content-Type", "").startswith("text/html") and bool(response.content)


@pytest.fixture(params=["pt-br", "en"])
def language(request):
    with translation.override(request.param):
        yield request.param


@pytest.fixture
def reader(owner, language):
    """The owner, with a name of no language and the language in question."""
    owner.user.name, owner.user.language = "Ana Prado", language
    owner.user.save(update_fields=["name", "language"])
    owner.member.name = "Ana Prado"
    owner.member.save(update_fields=["name"])
    return owner


@pytest.fixture
def lead(reader, stages):
    from crm.models import Lead

    facts = {"title": "Xis", "value": "10", "currency": "BRL", "contact_name": "Zé", "company_name": "Zeta"}
    reader.client.post("/leads/new/", {**facts, "stage": stages[0].pk})
    made = Lead.objects.get()
    reader.client.post(f"/leads/{made.pk}/notes/", {"text": "!!!"})
    reader.client.post(f"/leads/{made.pk}/edit/", {"field": "title", "title": "Xisto", "version": made.version})
    return Lead.objects.get()


def test_no_sentence_lacks_its_portuguese():
    call_command("translations", check=True)


def test_every_place_without_arguments_speaks_the_readers_language(reader, language):
    seen = 0
    for name, _route, converters, _shape in patterns(get_resolver()):
        if converters:
            continue
        path = reverse(name)
        for address in {path, reader.client.at(path)}:
            response = Client.generic(reader.client, "GET", address)
            if is_page(response):
                assert_speaks(language, response)
                seen += 1
    assert seen > 20


def test_every_place_speaks_the_language_of_a_browser_that_is_not_signed_in(organization, language):
    client = Client(headers={"accept-language": language})
    from tenants.context import leave

    leave()
    for name, _route, converters, _shape in patterns(get_resolver()):
        if not converters:
            response = client.get(reverse(name))
            if is_page(response):
                assert_speaks(language, response)
    assert_speaks(language, client.get("/nowhere/"))
    assert_speaks(language, client.get("/invite/acme/nothing/"))


def test_a_leads_page_panel_and_history_speak_the_readers_language(reader, lead, language):
    places = [f"/leads/{lead.pk}/", "/board/", "/leads/", "/leads/?q=nenhum-xyz", "/board/?q=nenhum-xyz", "/day/"]
    for path in places:
        assert_speaks(language, reader.client.get(path))
    assert_speaks(language, reader.client.get(f"/leads/{lead.pk}/", headers={"hx-request": "true"}))
    for field in ("title", "value", "owner", "source", "expected_close", "tags", "contact_name", "email", "phone"):
        assert_speaks(language, reader.client.get(f"/leads/{lead.pk}/edit/?field={field}"))
    assert_speaks(language, reader.client.post(f"/leads/{lead.pk}/lose/", {"reason": "$$$", "version": lead.version}))
    assert_speaks(language, reader.client.get(f"/leads/{lead.pk}/"))
    lead.refresh_from_db()
    assert_speaks(language, reader.client.post(f"/leads/{lead.pk}/archive/", {"version": lead.version}))
    assert_speaks(language, reader.client.get(f"/leads/{lead.pk}/"))


def test_toasts_speak_the_readers_language(reader, lead, stages, language):
    moved = reader.client.post(f"/leads/{lead.pk}/move/", {"stage": stages[1].pk, "after": "", "version": lead.version})
    toast = json.loads(moved["HX-Trigger"])["crm:toast"]
    assert toast["action"]["label"] == {"pt-br": "Desfazer", "en": "Undo"}[language]
    stale = reader.client.post(f"/leads/{lead.pk}/notes/", {"text": ""}, headers={"hx-request": "true"})
    said = json.loads(stale["HX-Trigger"])["crm:toast"]["title"] if "HX-Trigger" in stale else ""
    assert not set(said.split()) & set(FOREIGN[language])


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/leads/new/", {"title": "", "value": "xx", "email": "yy", "owner": "99999", "expected_close": "zz"}),
        ("/accounts/password/change/", {"oldpassword": "x", "password1": "1", "password2": "2"}),
        ("/accounts/email/", {"email": "x", "action_add": ""}),
        ("/organizations/new/", {"name": "", "slug": "?"}),
        ("/profile/", {"name": "x" * 500, "language": "xx", "theme": "xx"}),
        ("/people/invitations/", {"role": "xx"}),
        ("/people/teams/", {"name": ""}),
        ("/settings/", {"name": "", "timezone": "xx", "currency": "xx"}),
    ],
)
def test_refusals_speak_the_readers_language(reader, language, path, values):
    response = reader.client.post(path, values, follow=True)
    assert_speaks(language, response)


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"])
def test_the_doors_refuse_in_the_browsers_language(organization, language, path):
    from tenants.context import leave

    leave()
    values = {"login": "ana@acme.test", "password": "x", "email": "ana@acme.test", "password1": "123", "name": ""}
    response = Client(headers={"accept-language": language}).post(path, values)
    if is_page(response):
        assert_speaks(language, response)


def test_the_steps_of_an_import_speak_the_readers_language(reader, language):
    rows = "Xa;Xb;Xc\nUm;xx;1\nDois;b@b.example;10\nOito;b@b.example\n"
    for content in (b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, b"a,b\n"):
        refused = reader.client.post("/imports/new/", {"file": SimpleUploadedFile("x.csv", content)})
        assert_speaks(language, refused)
    sent = reader.client.post("/imports/new/", {"file": SimpleUploadedFile("x.csv", rows.encode())})
    assert sent.status_code == 302
    page = reader.client.get(sent["Location"])
    assert_speaks(language, page)
    assert_speaks(language, reader.client.post(f"{sent['Location']}start/", {}))


def test_e_mails_speak_the_language_of_whoever_asked(organization, language, mailoutbox):
    from tenants.context import leave

    leave()
    client = Client(headers={"accept-language": language})
    client.post("/accounts/password/reset/", {"email": "nobody@nowhere.example"})
    client.post("/accounts/password/reset/", {"email": "ana@acme.test"})
    assert len(mailoutbox) == 2
    for mail in mailoutbox:
        said = re.sub(r"\S*[@/]\S*", "", f"{mail.subject}\n{mail.body}")
        assert not set(re.findall(r"\w+", said)) & set(FOREIGN[language]), said
