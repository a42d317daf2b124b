"""The session goes from one of our hosts to another, once, and forms stay on their own host."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from core.errors import Invalid
from members.models import AuditEntry
from tenants.context import in_organization
from tenants.domains import add_domain, clean_host
from tenants.models import Domain, Handover
from tenants.platform import is_own_origin, link_from

pytestmark = pytest.mark.django_db
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
MAIN, OWN, OTHER = "localhost:8000", "crm.acme.test", "crm.elsewhere.test"


@pytest.fixture
def own_host(organization):
    add_domain(organization=organization, host=OWN)
    return OWN


def browser(user=None, *, host: str = MAIN) -> Client:
    client = Client(headers={"host": host})
    if user:
        client.force_login(user, backend=BACKEND)
    return client


def follow(client: Client, url: str):
    """Open an absolute address with one browser's cookies for that host."""
    parts = urlsplit(url)
    return client.get(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def ask(at_own: Client, *, source: str = MAIN) -> str:
    """Begin at the own host and return the address on the other one that it sends to."""
    response = at_own.get("/enter/acme/", {"from": source, "next": "/people/"})
    assert response.status_code == 302
    assert urlsplit(response.headers["Location"]).netloc == source
    return response.headers["Location"]


def token_url(owner, at_own: Client) -> str:
    given = follow(browser(owner.user), ask(at_own))
    assert given.status_code == 302
    assert given.headers["Location"].startswith(f"http://{OWN}/handover/")
    return given.headers["Location"]


def test_somebody_signed_in_on_the_main_host_gets_in_on_the_own_host(own_host, owner):
    page = browser(owner.user).get("/organizations/").content.decode()
    link = re.search(r'href="(http://crm\.acme\.test/enter/acme/[^"]+)"', page).group(1).replace("&amp;", "&")
    at_own = browser(host=OWN)
    sent = follow(at_own, link)
    taken = follow(at_own, follow(browser(owner.user), sent.headers["Location"]).headers["Location"])
    assert taken.status_code == 302
    assert taken.headers["Location"] == "/day/" or taken.headers["Location"].startswith("/")
    assert at_own.get("/people/").status_code == 200
    with in_organization(owner.client.organization):
        assert AuditEntry.objects.filter(action="member.signed_in", actor=owner.member).count() == 1


def test_and_back_from_the_own_host_to_the_main_one(own_host, owner, organization, elsewhere):
    from members.services.people import add_member

    with in_organization(elsewhere):
        add_member(user=owner.user, role="sales")
    at_own, at_main = browser(owner.user, host=OWN), browser()
    page = at_own.get("/people/").content.decode()
    link = re.search(r'href="(http://localhost:8000/enter/elsewhere/[^"]+)"', page).group(1).replace("&amp;", "&")
    sent = follow(at_main, link)
    taken = follow(at_main, follow(at_own, sent.headers["Location"]).headers["Location"])
    assert taken.headers["Location"].startswith("/o/elsewhere/")
    assert at_main.get("/o/elsewhere/people/").status_code == 200


def test_a_token_works_once(own_host, owner):
    at_own = browser(host=OWN)
    url = token_url(owner, at_own)
    state = at_own.cookies["loved-handover"].value
    assert follow(at_own, url).status_code == 302
    again = browser(host=OWN)
    again.cookies["loved-handover"] = state
    assert follow(again, url).status_code == 404
    assert again.get("/people/").status_code == 302


def test_a_token_is_of_no_use_in_another_browser(own_host, owner):
    url = token_url(owner, browser(host=OWN))
    thief = browser(host=OWN)
    assert follow(thief, url).status_code == 404
    assert thief.get("/people/").status_code == 302
    ask(thief)  # nor with a state of the thief's own
    assert follow(thief, url).status_code == 404


def test_a_token_is_of_no_use_on_another_host(own_host, owner, elsewhere):
    from members.services.people import add_member

    add_domain(organization=elsewhere, host=OTHER)
    with in_organization(elsewhere):
        add_member(user=owner.user, role="admin")
    at_own = browser(host=OWN)
    url = token_url(owner, at_own)
    for host in (OTHER, MAIN):
        wrong = browser(host=host)
        wrong.cookies["loved-handover"] = at_own.cookies["loved-handover"].value
        assert follow(wrong, url).status_code == 404
        assert "_auth_user_id" not in wrong.session


def test_a_token_is_of_no_use_after_a_minute(own_host, owner):
    at_own = browser(host=OWN)
    url = token_url(owner, at_own)
    Handover.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert follow(at_own, url).status_code == 404


def test_an_old_signature_is_refused_whatever_the_row_says(own_host, owner, monkeypatch):
    at_own = browser(host=OWN)
    url = token_url(owner, at_own)
    monkeypatch.setattr("tenants.handover.LIFE", timedelta(seconds=-1))
    assert follow(at_own, url).status_code == 404


def test_a_forged_token_is_refused(own_host, owner):
    at_own = browser(host=OWN)
    url = token_url(owner, at_own)
    assert follow(at_own, url[:-5] + "AAAA/").status_code == 404


def test_nobody_gets_a_token_for_a_host_or_organization_that_is_not_theirs(own_host, owner, stranger, organization):
    asked = parse_qs(urlsplit(ask(browser(host=OWN))).query)
    values = {name: found[0] for name, found in asked.items()}
    assert browser(stranger.user).get("/handover/", values).status_code == 404
    assert browser(owner.user).get("/handover/", {**values, "to": "evil.test"}).status_code == 404
    assert browser(owner.user).get("/handover/", {**values, "slug": "elsewhere"}).status_code == 404
    assert not Handover.objects.exists()


def test_whoever_is_signed_in_nowhere_signs_in_on_the_own_host(own_host):
    at_own = browser(host=OWN)
    back = follow(browser(), ask(at_own)).headers["Location"]
    assert back == f"http://{OWN}/people/"
    assert follow(at_own, back).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_the_way_never_leads_out(own_host, owner, path):
    at_own = browser(owner.user, host=OWN)
    assert at_own.get("/enter/acme/", {"from": MAIN, "next": path}).headers["Location"] == "/"
    asked = {"from": "evil.test", "next": "/people/"}
    assert browser(host=OWN).get("/enter/acme/", asked).headers["Location"] == "/people/"


def test_a_member_who_was_shut_out_meanwhile_stays_out(own_host, owner, colleague, organization):
    from members.services.people import deactivate_member

    at_own = browser(host=OWN)
    url = token_url(colleague, at_own)
    with in_organization(organization):
        deactivate_member(actor=owner.member, member_id=colleague.member.pk)
    assert follow(at_own, url).status_code == 404


def test_a_form_on_an_own_host_passes_behind_a_proxy_that_ends_tls(own_host, owner, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.PUBLIC_SCHEME, settings.CSRF_TRUSTED_ORIGINS, settings.LOVED_ENV = "https", [], "production"

    def post(origin: str) -> int:
        client = Client(enforce_csrf_checks=True, headers={"host": OWN, "X-Forwarded-Proto": "https"})
        client.force_login(owner.user, backend=BACKEND)
        page = client.get("/people/").content.decode()
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page).group(1)
        form = {"name": f"Team {origin}"[:60], "csrfmiddlewaretoken": token}
        return client.post("/people/teams/", form, headers={"origin": origin}).status_code

    assert post(f"https://{OWN}") in {200, 302}
    elsewhere = [f"http://{OWN}", f"https://{MAIN}", f"https://{OWN}:8443", f"https://x.{OWN}", "https://evil.test"]
    for origin in [*elsewhere, "null"]:
        assert post(origin) == 403, origin


def test_origin_and_host_are_compared_whole(settings):
    settings.LOVED_ENV, settings.PUBLIC_SCHEME = "production", "https"
    assert is_own_origin("https://crm.acme.test", host="CRM.acme.test")
    for origin in ("http://crm.acme.test", "https://crm.acme.test.evil.test", "https://acme.test", "null", ""):
        assert not is_own_origin(origin, host="crm.acme.test")
    assert not is_own_origin("https://", host="")


def test_a_domain_is_checked_before_it_is_given(organization, elsewhere, settings):
    settings.MAIN_HOST = "crm.example.com"
    assert clean_host(" CRM.Acme.Test. ") == OWN
    assert clean_host("crm.agência.com.br").startswith("crm.xn--")
    for host in (
        "",
        "localhost",
        "acme",
        "https://acme.test",
        "acme.test/x",
        "acme.test:80",
        "1.2.3.4",
        "-a.test",
        "a b.test",
        "crm.example.com",
        "x.crm.example.com",
        "a..test",
    ):
        with pytest.raises(Invalid):
            clean_host(host)
    add_domain(organization=organization, host=OWN)
    with pytest.raises(Invalid, match="already"):
        add_domain(organization=elsewhere, host=OWN.upper())


def test_the_command_gives_lists_and_takes_hosts_and_the_trail_says_so(organization, capsys):
    call_command("domain", "add", "acme", OWN)
    assert "CNAME" in capsys.readouterr().out
    call_command("domain", "list")
    assert OWN in capsys.readouterr().out
    call_command("domain", "remove", OWN)
    assert not Domain.objects.exists()
    with in_organization(organization):
        actions = AuditEntry.objects.filter(target="domain").values_list("action", flat=True)
        assert set(actions) == {"domain.added", "domain.removed"}
    for wrong in (["add", "nobody", OWN], ["add", "acme", "no host"], ["remove", OWN]):
        with pytest.raises(CommandError):
            call_command("domain", *wrong)


def test_the_proxy_may_ask_for_certificates_of_our_hosts_only(own_host):
    client = browser()
    assert client.get("/tls/allowed", {"domain": OWN}).status_code == 200
    assert client.get("/tls/allowed", {"domain": "evil.test"}).status_code == 404
    assert client.get("/tls/allowed").status_code == 404


def test_links_stay_paths_on_the_same_host(own_host, organization, elsewhere):
    assert link_from(OWN, organization, "crm:board") == "/board/"
    assert link_from(MAIN, elsewhere, "crm:board") == "/o/elsewhere/board/"
    assert link_from(MAIN, organization, "crm:board").startswith(f"http://{OWN}/enter/acme/")
