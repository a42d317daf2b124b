"""An organization with a host of its own: people get in from the main host, and forms and sockets work there."""

import re
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def give_host(django_db_blocker, site):
    from django.db import connection

    from tenants.models import Domain, Organization

    def give(slug: str) -> str:
        host = f"{slug}.localhost:{urlsplit(site).port}"
        with django_db_blocker.unblock():
            Domain.objects.create(tenant=Organization.objects.get(slug=slug), domain=host, is_primary=True)
            connection.close()
        return host

    return give


def test_a_person_goes_to_the_own_host_and_works_there(signed_up, give_host, site):
    page = signed_up(name="Hilda Host", organization="Hilda Propria", email="hilda@host.test")
    host = give_host("hilda-propria")
    page.goto("/organizations/")
    page.click("text=Hilda Propria")
    page.wait_for_url(f"http://{host}/day/")
    assert not page.locator("form[action*='login']").count()

    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    page.goto(f"http://{host}/board/")
    page.wait_for_function("() => document.querySelector('[id^=stage-]')")
    for _again in range(50):
        if frames:
            break
        page.wait_for_timeout(100)
    assert any("hello" in frame for frame in frames), "the board of the own host is live"

    page.goto(f"http://{host}/people/")
    page.locator("form[action$='/teams/'] [name=name]").fill("Equipe do host")
    page.locator("form[action$='/teams/'] button").first.click()
    page.wait_for_selector('option:has-text("Equipe do host")', state="attached")


def test_a_used_way_in_says_so_in_words(signed_up, give_host, browser_of):
    page = signed_up(name="Hugo Host", organization="Hugo Proprio", email="hugo@host.test")
    host = give_host("hugo-proprio")
    ways: list[str] = []
    page.on("request", lambda request: re.search(r"/handover/.+/$", request.url) and ways.append(request.url))
    page.goto("/organizations/")
    page.click("text=Hugo Proprio")
    page.wait_for_url(f"http://{host}/day/")
    other = browser_of(width=390, height=844)
    other.goto(ways[0])
    assert other.locator("main").inner_text().strip()
    other.goto(f"http://{host}/day/")
    other.wait_for_url("**/accounts/login/**")
