"""An organization's own host, the main host, and hosts of nobody."""

import pytest
from django.test import Client

from tenants.models import Domain
from tenants.platform import find_organization

pytestmark = pytest.mark.django_db
PASSWORD = "senha-bem-longa-1"


@pytest.fixture
def own_host(organization):
    Domain.objects.create(tenant=organization, domain="crm.acme.test", is_primary=True)
    return "crm.acme.test"


def sign_in(host: str) -> Client:
    client = Client(headers={"host": host})
    client.post("/accounts/login/", {"login": "ana@acme.test", "password": PASSWORD})
    return client


def test_a_host_of_its_own_serves_the_organization_without_a_prefix(own_host):
    client = sign_in(own_host)
    page = client.get("/people/")
    assert page.status_code == 200
    assert 'href="/board/"' in page.content.decode()
    assert "/o/acme/" not in page.content.decode()


def test_another_organizations_path_means_nothing_there(own_host, elsewhere):
    client = sign_in(own_host)
    assert client.get("/o/elsewhere/people/").status_code == 404
    assert client.get("/o/acme/people/").status_code == 404


def test_strangers_find_nothing_on_that_host(own_host, stranger):
    client = Client(headers={"host": own_host})
    client.force_login(stranger.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/people/").status_code == 404


@pytest.mark.parametrize("host", ["nobody.test", "acme.test", "crm.acme.test.evil.test", "127.0.0.1.evil.test"])
def test_a_host_of_nobody_is_refused(own_host, host):
    assert Client(headers={"host": host}).get("/accounts/login/").status_code == 404


def test_links_lead_to_the_organizations_own_host(own_host, organization):
    assert organization.url("crm:board") == "http://crm.acme.test/board/"
    organization.domains.all().delete()
    assert organization.url("crm:board").endswith("/o/acme/board/")


def test_only_the_main_host_knows_paths(organization):
    assert find_organization(host="localhost:8000", path="/o/acme/x/")[0] == organization


def test_production_takes_the_main_host_alone(organization, settings):
    settings.LOVED_ENV, settings.MAIN_HOST = "production", "crm.example.com"
    from django.http import Http404

    assert find_organization(host="crm.example.com", path="/") == (None, "")
    for host in ("localhost", "127.0.0.1", "crm.example.com:8000", "evil.test"):
        with pytest.raises(Http404):
            find_organization(host=host, path="/")
