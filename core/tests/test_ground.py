"""Errors in words at each edge, secrets encrypted, a cache that may be away."""

import json

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from core import fields
from core.cache import ForgivingRedisCache
from core.errors import Forbidden, Stale
from core.htmx import toast, trigger
from core.middleware import ErrorMiddleware, error_response


def request(**headers):
    made = RequestFactory().get("/", headers=headers)
    made.htmx = HtmxDetails(made)
    return made


def test_htmx_is_told_by_a_toast_and_swaps_nothing():
    response = error_response(request(**{"HX-Request": "true"}), Stale("Ana moved it"))
    assert response.status_code == 409
    assert response.headers["HX-Reswap"] == "none"
    assert json.loads(response.headers["HX-Trigger"])["crm:toast"]["title"] == "Ana moved it"


def test_a_program_gets_a_problem(rf):
    response = error_response(request(Accept="application/json"), Forbidden())
    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["code"] == "forbidden"


def test_an_error_that_is_not_ours_is_left_to_django(rf):
    assert ErrorMiddleware(lambda r: None).process_exception(request(), ValueError()) is None


def test_a_response_carries_several_events():
    from django.http import HttpResponse

    response = toast(trigger(HttpResponse(), "one", 1), "Título", description="x")
    assert json.loads(response.headers["HX-Trigger"]) == {
        "one": 1, "crm:toast": {"category": "success", "title": "Título", "description": "x"},
    }  # fmt: skip


@pytest.fixture
def keys(settings):
    def use(*values):
        settings.FIELD_KEYS = list(values)
        fields._fernet.cache_clear()

    yield use
    fields._fernet.cache_clear()


def test_a_secret_is_encrypted_and_opens_with_an_older_key(keys):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    field = fields.EncryptedTextField()
    keys(old)
    stored = field.get_prep_value("s3cret")
    assert "s3cret" not in stored
    keys(new, old)
    assert field.from_db_value(stored, None, None) == "s3cret"
    keys(new)
    with pytest.raises(ImproperlyConfigured) as caught:
        field.from_db_value(stored, None, None)
    assert "s3cret" not in str(caught.value)
    assert stored not in str(caught.value)


def test_a_secret_cannot_be_searched():
    with pytest.raises(TypeError):
        fields.EncryptedTextField().get_lookup("exact")


def test_a_cache_that_is_away_is_an_empty_one():
    cache = ForgivingRedisCache("unix:///nowhere/valkey.sock", {})
    assert cache.get("x", "nothing") == "nothing"
    cache.set("x", 1)
    assert cache.add("x", 1) is True
    assert cache.incr("x") == 1
    assert cache.get_many(["x"]) == {}
