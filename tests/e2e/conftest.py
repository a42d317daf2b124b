"""A real site for real browsers: uvicorn and a worker of their own on a copy of the test database."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def site(django_db_setup, tmp_path_factory) -> Iterator[str]:
    """Serve the product and yield its address."""
    database = settings.DATABASES["default"]
    port = free_port()
    state = tmp_path_factory.mktemp("site")
    environment = {
        **os.environ,
        "LOVED_ENV": "development",
        "MAIN_HOST": f"localhost:{port}",
        "STATE_DIR": str(state),
        "DATABASE_URL": f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
        f"?host={database['HOST']}&port={database['PORT']}",
        "REDIS_URL": site_valkey(),
        "CSRF_TRUSTED_ORIGINS": f"http://localhost:{port}",
    }
    python = [sys.executable, "-m"]
    log = (state / "log").open("wb")
    children = [
        subprocess.Popen([*python, *command], env=environment, cwd=settings.BASE_DIR, stdout=log, stderr=log)
        for command in (
            ["uvicorn", "config.asgi:application", "--port", str(port), "--log-level", "warning"],
            ["celery", "-A", "config.celery", "worker", "--pool", "solo", "--loglevel", "WARNING"],
        )
    ]
    try:
        wait_for(f"http://localhost:{port}/health/ready", children, state / "log")
        yield f"http://localhost:{port}"
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        log.close()


def wait_for(url: str, children: list[subprocess.Popen[bytes]], log: Path) -> None:
    for _ in range(150):
        if any(child.poll() is not None for child in children):
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the site did not come up:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """One Chromium for all browser tests; each person gets a context of their own."""
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium")
        pytest.skip("no Chromium on this machine: install the package chromium, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop open in this thread, which Django's guard would take for our mistake.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browser_of(chromium, site):
    """Open a page as a new person: `browser_of(width=390)`. The console must stay free of errors."""
    contexts, complaints = [], []

    def open_page(
        *, width: int = 1440, height: int = 900, language: str = "pt-BR", dark: bool = False, touch: bool = False
    ):
        context = chromium.new_context(
            base_url=site, viewport={"width": width, "height": height}, locale=language, has_touch=touch,
            color_scheme="dark" if dark else "light", reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and expected(message.text) is False
                and complaints.append(f"{page.url}: {message.text}")
            ),
        )
        contexts.append(context)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


def expected(text: str) -> bool:
    """Refused forms and moves answer 4xx, which Chromium and htmx report as errors of the page; so is being offline."""
    is_about_a_request = "Failed to load resource" in text or "Response Status Error" in text
    return is_about_a_request and any(code in text for code in ("403", "404", "409", "422", "INTERNET_DISCONNECTED"))


def forget_limits() -> None:
    """Begin to count attempts anew: all the people of all the tests come from one address."""
    valkey = redis.Redis.from_url(site_valkey())
    for key in valkey.scan_iter("*:rl:*"):
        valkey.delete(key)
    valkey.close()


def site_valkey() -> str:
    """Name the site's own database in Valkey: its worker must not meet what other tests have queued."""
    return settings.REDIS_URL.replace("db=0", "db=7")


@pytest.fixture
def signed_up(browser_of):
    """Sign somebody up through the pages and return their page, on the new organization's first page."""

    def sign_up(*, name: str, organization: str, email: str, **window):
        forget_limits()
        page = browser_of(**window)
        page.goto("/accounts/signup/")
        page.fill("[name=name]", name)
        page.fill("[name=organization]", organization)
        page.fill("[name=email]", email)
        page.fill("[name=password1]", "senha-bem-longa-1")
        page.check("[name=consent]")
        page.click("main button[type=submit], main form button.btn")
        page.wait_for_url("**/day/")
        return page

    return sign_up
