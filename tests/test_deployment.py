"""The image, compose.yaml and the proxy fit the code: every command in them starts and answers."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet
from django.conf import settings

BASE = Path(settings.BASE_DIR)
BIN = Path(sys.executable).parent
COMPOSE = yaml.safe_load((BASE / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"] == "loved-crm"}
SECONDS = 90


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return what a process of ours finds in its container, with the servers of the tests."""
    config = settings.DATABASES["default"]
    from urllib.parse import quote

    database = f"postgresql://{config['USER']}@/{config['NAME']}?host={quote(config['HOST'])}&port={config['PORT']}"
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return {
        **kept, "PATH": f"{BIN}:/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "LOVED_ENV": "production",
        "SECRET_KEY": "s" * 25 + "-0123456789-abcdefghijklmnop-ABCDEFGH", "FIELD_KEYS": Fernet.generate_key().decode(),
        "MAIN_HOST": "crm.example.com", "DATABASE_URL": database, "REDIS_URL": settings.REDIS_URL,
        "STATE_DIR": str(folder), **more,
    }  # fmt: skip


def service_environment(name: str, folder: Path) -> dict[str, str]:
    extra = {key: value for key, value in SERVICES[name].get("environment", {}).items() if key == "DB_POOL"}
    return environment(folder, **extra)


@contextmanager
def running(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=BASE, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(found, process: subprocess.Popen[bytes], log: Path):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"did not come up:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port: int, path: str, **headers: str) -> tuple[int, str] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except OSError:
        return None
    finally:
        connection.close()


def end_connections() -> None:
    """Do to the servers' connections what a restart of PostgreSQL does."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def at_port(command: list[str], port: int) -> list[str]:
    """Let a command listen where the test may, which is all that differs from the container."""
    changed = [part.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for part in command]
    return [str(port) if part == "8000" else "127.0.0.1" if part == "0.0.0.0" else part for part in changed]


def test_every_process_of_the_product_is_there_and_watched():
    assert {"upgrade", "web", "sockets", "worker", "beat"} == OURS
    assert {"postgres", "valkey", "proxy"} == set(SERVICES) - OURS
    assert SERVICES["postgres"]["image"].startswith("postgres:18")
    assert SERVICES["valkey"]["image"].startswith("valkey/valkey:9")
    for name, service in SERVICES.items():
        assert name == "upgrade" or "healthcheck" in service, name
    for name in OURS - {"upgrade"}:
        assert SERVICES[name]["depends_on"]["upgrade"]["condition"] == "service_completed_successfully"
    named = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {volume for volume in named if not volume.startswith(".")} == set(COMPOSE["volumes"])
    assert not [name for name, service in SERVICES.items() if "ports" in service and name != "proxy"]


def test_no_secret_stands_in_the_files():
    text = (BASE / "compose.yaml").read_text()
    for name in ("SECRET_KEY", "FIELD_KEYS", "POSTGRES_PASSWORD", "MAIN_HOST"):
        assert re.search(rf"\$\{{{name}:\?", text), name
    assert ".env" in (BASE / ".dockerignore").read_text().split()


def test_the_image_has_no_root_no_node_and_what_it_copies():
    text = (BASE / "Dockerfile").read_text()
    stages = text.split("FROM ")[1:]
    assert len(stages) == 2
    assert re.search(r"^USER loved$", stages[-1], re.MULTILINE)
    assert not re.search(r"\b(node|npm)\b", re.sub(r"^#.*$", "", text, flags=re.MULTILINE))
    assert "--require-hashes" in text
    for source in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (BASE / source).exists()
    ignored = (BASE / ".dockerignore").read_text().split()
    for needed in ("manage.py", "config", "core", "tenants", "members", "crm", "templates", "static", "locale"):
        assert needed not in ignored
        assert (BASE / needed).exists()
    pinned = (BASE / "requirements.txt").read_text()
    for package in re.search(r"uninstall --yes (.+)$", text, re.MULTILINE).group(1).split():
        assert f"{package}==" in pinned


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    """The static files, collected by the line of the Dockerfile."""
    folder = tmp_path_factory.mktemp("static")
    text = (BASE / "Dockerfile").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^RUN (LOVED_ENV=.*collectstatic.*?) &&", text, re.MULTILINE)
    words = line.replace("/app/staticfiles", str(folder)).replace("/venv/bin/python", sys.executable).split()
    env = dict(word.split("=", 1) for word in words if "=" in word and word[0].isupper())
    command = words[words.index(sys.executable) :]
    subprocess.run(command, cwd=BASE, env={"PATH": os.environ["PATH"], **env}, check=True, capture_output=True)
    return folder


def test_static_files_are_collected_as_the_image_does(collected):
    assert (collected / "staticfiles.json").exists()
    assert list(collected.glob("css/app.*.css"))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["web", "sockets", "the image itself"])
def test_servers_start_as_written_and_answer(name, tmp_path, collected):
    if name == "the image itself":
        (found,) = re.findall(r"^CMD (\[.*\])$", (BASE / "Dockerfile").read_text(), re.MULTILINE)
        command, env = yaml.safe_load(found), environment(tmp_path)
    else:
        command, env = SERVICES[name]["command"], service_environment(name, tmp_path)
    env["STATIC_ROOT"] = str(collected)
    port = free_port()
    log = tmp_path / "log"
    with running(at_port(command, port), env, log) as process:
        status, said = wait_for(lambda: get(port, "/health/ready", Host="127.0.0.1:8000"), process, log)
        assert (status, '"database": true' in said, '"valkey": true' in said) == (200, True, True), said
        assert get(port, "/health/live", Host="crm.example.com")[0] == 200
        assert get(port, "/o/acme/board/", Host="crm.example.com")[0] == 301, "plain HTTP is sent to HTTPS"
        assert get(port, "/o/acme/board/", Host="crm.example.com", **{"X-Forwarded-Proto": "https"})[0] == 302
        assert get(port, "/o/acme/board/", Host="evil.example.com", **{"X-Forwarded-Proto": "https"})[0] == 404
        assert get(port, "/tls/allowed?domain=evil.example.com", Host="web:8000")[0] == 404
        end_connections()
        for _again in range(12):
            status, said = get(port, "/health/ready", Host="127.0.0.1:8000")
            assert (status, '"database": true' in said) == (200, True), "PostgreSQL came back, and nobody notices"
        for _again in range(8):  # whichever process answers, the sum is the same
            status, said = get(port, "/metrics", Host="web:8000")
            assert status == 200
            if name != "sockets":
                ready = re.search(r'_count\{method="GET",route="health_live",status="2xx"\} (\d+)', said)
                assert ready, said
                assert float(ready.group(1)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "sign"), [("worker", "ready."), ("beat", "beat: Starting")])
def test_background_processes_start_as_written(name, sign, tmp_path):
    command = [part.replace("/tmp/", f"{tmp_path}/") for part in SERVICES[name]["command"]]
    command = ["INFO" if part == "WARNING" else part for part in command]  # beat is silent otherwise
    # A Valkey database of its own: workers of other tests must not take part.
    env = service_environment(name, tmp_path) | {"REDIS_URL": re.sub(r"(db=|/)\d+$", r"\g<1>13", settings.REDIS_URL)}
    log = tmp_path / "log"
    with running(command, env, log) as process:
        wait_for(lambda: sign in log.read_text(), process, log)


@pytest.mark.django_db
def test_commands_of_one_run_exist(tmp_path):
    program, script, name = SERVICES["upgrade"]["command"]
    assert (program, script) == ("python", "manage.py")
    run = subprocess.run(
        [sys.executable, script, name, "--help"],
        cwd=BASE,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_proxy_sends_sockets_to_sockets():
    text = (BASE / "Caddyfile").read_text()
    (pattern,) = re.findall(r"@sockets path_regexp (\S+)", text)
    assert re.search(r"reverse_proxy @sockets sockets:8000", text)
    for path in ("/o/acme/ws/pipeline/3/", "/ws/pipeline/3/", "/ws/"):
        assert re.search(pattern, path), path
    for path in ("/o/acme/board/", "/static/ws/x.js", "/leads/ws/", "/o/acme/leads/ws/", "/o/ws/board/", "/"):
        assert not re.search(pattern, path), path
    from config.sockets import sockets

    routes = [str(route.pattern) for route in sockets.inner.routes]
    assert routes
    for route in routes:
        assert re.search(pattern, "/" + route.replace("<slug:slug>", "acme")), route
    for host, port in re.findall(r"(?:reverse_proxy (?:@\w+ )?|http://)([a-z]+):(\d+)", text):
        assert any(port in part for part in SERVICES[host]["command"]), (host, port)
    assert re.search(r"@machines path /metrics /tls/\*\s+respond @machines 404", text)
    assert "ask http://web:8000/tls/allowed" in text


@pytest.mark.skipif(not shutil.which("caddy"), reason="no caddy on this machine")
def test_caddy_itself_finds_the_file_right():
    subprocess.run(
        ["caddy", "validate", "--config", "Caddyfile", "--adapter", "caddyfile"],
        cwd=BASE,
        check=True,
        env={**os.environ, "MAIN_HOST": "crm.example.com"},
    )
