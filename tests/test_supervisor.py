"""The supervisor starts real servers, leaves no process behind, and says in one sentence what is wrong."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from core.supervisor import commands, environment, postgres, services
from core.supervisor.places import ROOT, Place, place_at
from core.supervisor.processes import Family, birth, command_of, stop_leftovers, wait_until
from core.supervisor.servers import Hold, read_holder
from core.supervisor.terminal import Trouble
from core.supervisor.up import Options, check_port

HOLD_SERVERS = """
import sys, time
from pathlib import Path
from core.supervisor import services
with services(state=Path(sys.argv[1]), fast=True, doing="a test") as found:
    print(found.database_url, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def state(tmp_path) -> Iterator[Path]:
    """A folder with a space in its name; as root its place is elsewhere and goes away too."""
    folder = tmp_path / "a folder"
    yield folder
    place_at(folder).remove()


@pytest.fixture(scope="module")
def warm(tmp_path_factory) -> Iterator[Path]:
    """A place whose database exists already."""
    folder = tmp_path_factory.mktemp("warm")
    with services(state=folder, fast=True):
        pass
    yield folder
    place_at(folder).remove()


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process that holds the servers of a place."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD_SERVERS, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    assert other.stdout.readline()
    try:
        yield other
    finally:
        other.kill()
        other.wait()
        assert wait_until(lambda: not processes_of(place_at(folder)), seconds=10)


def processes_of(place: Place) -> list[int]:
    """Return the processes whose command line names the place."""
    numbers = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [number for number in numbers if birth(number) and str(place.home) in command_of(number) + state_of(number)]


def state_of(number: int) -> str:
    """Return the STATE_DIR in a process's environment."""
    try:
        words = Path(f"/proc/{number}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return ""
    return next((word for word in words if word.startswith("STATE_DIR=")), "")


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
def test_servers_start_answer_keep_their_data_and_stop(state):
    with services(state=state, fast=True) as found:
        with psycopg.connect(found.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('ÉÇÃ')")
        assert redis.Redis.from_url(found.redis_url).ping()
        assert processes_of(place_at(state))
    assert not processes_of(place_at(state))
    with services(state=state, fast=True) as found, psycopg.connect(found.database_url) as connection:
        assert connection.execute("SELECT lower(word) FROM kept").fetchone() == ("éçã",)
        assert connection.execute("SHOW max_locks_per_transaction").fetchone() == ("1024",)
    assert not list(place_at(state).home.glob("processes-*"))


def test_the_folder_of_sockets_is_closed_to_others(warm):
    assert place_at(warm).sockets.stat().st_mode & 0o777 == 0o700
    assert place_at(warm).database.stat().st_mode & 0o777 == 0o700


def test_a_path_that_cannot_name_a_socket_gets_a_short_one(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    for name in ("a folder", "pasta-ç", "long" * 25):
        sockets = Place(tmp_path / name, None).sockets
        assert sockets.parent == Path("/tmp")
        assert sockets == Place(tmp_path / name, None).sockets
    assert Place(Path("/srv/loved"), None).sockets == Path("/srv/loved/sockets")


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_supervisor_leaves_no_process(warm, number):
    with holding(warm) as other:
        assert processes_of(place_at(warm))
        other.send_signal(number)
        other.wait()
        assert wait_until(lambda: not processes_of(place_at(warm)), seconds=10)


@linux
def test_what_is_left_when_supervisor_and_warden_were_killed_is_stopped_at_the_next_start(warm):
    place = place_at(warm)
    with holding(warm) as other:
        wardens = [number for number in processes_of(place) if "core.supervisor.warden" in command_of(number)]
        for number in (*wardens, other.pid):
            os.kill(number, signal.SIGKILL)
        other.wait()
        left = processes_of(place)
        assert left
        with services(state=warm, fast=True) as found:
            psycopg.connect(found.database_url).close()
            assert not set(left) & set(processes_of(place))


def test_a_record_that_names_a_recycled_number_stops_nobody(tmp_path):
    innocent = subprocess.Popen(["sleep", "30"])
    names = ("name", "pid", "born", "signals", "grace", "leads_group")
    entries = [("parent", 1, "long ago", [], 0, False), ("web", innocent.pid, "long ago", [signal.SIGTERM], 1, True)]
    record = tmp_path / "processes-1.json"
    record.write_text(json.dumps([dict(zip(names, entry, strict=True)) for entry in entries]))
    stop_leftovers(tmp_path)
    assert innocent.poll() is None
    assert not record.exists()
    innocent.kill()
    innocent.wait()


def test_a_stale_lock_file_of_postgres_does_not_hinder_the_start(warm):
    place = place_at(warm)
    (place.database / "postmaster.pid").write_text(f"{os.getpid()}\n{place.database}\n")
    with services(state=warm, fast=True) as found:
        psycopg.connect(found.database_url).close()


def test_data_of_another_major_version_is_refused_and_left_alone(warm):
    version = place_at(warm).database / "PG_VERSION"
    before = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(Trouble, match=r"made by PostgreSQL 17.*reset"), services(state=warm, fast=True):
            pass
    finally:
        version.write_text(before)


def test_a_second_command_shares_the_servers_and_the_first_waits_for_it(warm):
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD_SERVERS.replace("sleep(60)", "sleep(0.5)"), str(warm)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout
    assert first.stdout.readline()
    holder = read_holder(place_at(warm))
    assert holder
    assert holder.pid == first.pid
    assert holder.doing == "a test"
    with services(state=warm, fast=True) as found:
        assert found == holder.services
        time.sleep(1)
        assert first.poll() is None
        psycopg.connect(found.database_url).close()
    assert first.wait(10) == 0
    first.stdout.close()
    assert read_holder(place_at(warm)) is None


def test_only_one_supervisor_runs_in_a_place(tmp_path):
    place = Place(tmp_path, None)
    one = Hold(place, doing="./loved up", address="http://localhost:8000/")
    assert one.take()
    assert not Hold(place, doing="./loved up").take()
    one.release()
    assert Hold(place, doing="./loved up").take()


def test_a_child_that_ignores_a_polite_request_is_ended_with_its_group(tmp_path):
    family = Family(tmp_path)
    stubborn = "trap '' TERM; sleep 60 & echo $!; wait; sleep 60"
    child = family.start("web", ["sh", "-c", stubborn], env=dict(os.environ), log=tmp_path / "web.log", grace=0.2)
    assert wait_until(lambda: (tmp_path / "web.log").read_text().strip() != "", seconds=5)
    grandchild = int((tmp_path / "web.log").read_text())
    family.stop_all()
    assert child.popen.returncode == -signal.SIGKILL
    assert wait_until(lambda: birth(grandchild) is None, seconds=5)


@linux
def test_up_serves_heals_refuses_a_second_one_and_stops_in_order(state):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "core.supervisor", "up", "--no-demo", "--port", str(port), "--state", str(state)]
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}  # no LANG, no addresses
    words = state.with_name("words")
    with words.open("w") as output:
        running = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
    try:
        assert wait_until(lambda: "Ctrl-C" in words.read_text() or running.poll() is not None, seconds=60)
        assert f"http://localhost:{port}/" in words.read_text()
        assert is_live(port)
        second = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert second.returncode == 1
        assert f"already runs from this folder at http://localhost:{port}/" in second.stderr
        web = next(number for number in processes_of(place_at(state)) if "uvicorn" in command_of(number))
        os.kill(web, signal.SIGKILL)
        assert wait_until(lambda: "web stopped unexpectedly (signal 9)" in words.read_text(), seconds=5)
        assert wait_until(lambda: is_live(port), seconds=20, every=0.2)
    finally:
        running.terminate()
        assert running.wait(30) == 0
    assert words.read_text().endswith("Stopping.\nStopped.\n")
    assert not processes_of(place_at(state))


def is_live(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_a_taken_port_is_said_with_the_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Trouble, match=f"Port {port} is taken.*--port"):
            check_port(Options("127.0.0.1", port, demo=True, verbose=False))
    with pytest.raises(Trouble, match="does not know the host"):
        check_port(Options("no.such.host.invalid", 8000, demo=True, verbose=False))


@pytest.mark.parametrize(
    ("variable", "url", "says"),
    [
        ("DATABASE_URL", "mysql://localhost/loved", "must begin with postgresql://"),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/loved", "refused"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "refused"),
    ],
)
def test_an_address_that_does_not_answer_is_said_with_the_remedy(variable, url, says):
    with pytest.raises(Trouble) as trouble:
        environment.check_answers(variable, url=url)
    sentence = str(trouble.value)
    assert says in sentence
    assert "remove it to use the server that Loved brings" in sentence
    assert "\n" not in sentence


def test_a_wrong_database_name_is_said(warm):
    with services(state=warm, fast=True) as found:
        environment.check_answers("DATABASE_URL", url=found.database_url)
        with pytest.raises(Trouble, match='database "lost" does not exist'):
            environment.check_answers("DATABASE_URL", url=found.database_url.replace("@/loved", "@/lost"))


def test_a_full_disk_is_said_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(Trouble, match=r"full \(1 MB free\)"):
        Place(tmp_path / "var", None).prepare()
    assert "disk is full" in postgres.explain("initdb: error: could not write file: No space left on device")


def test_keys_are_made_once_and_kept_to_their_owner(tmp_path):
    place = Place(tmp_path, None)
    first = environment.local_keys(place)
    assert environment.local_keys(place) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    from cryptography.fernet import Fernet

    Fernet(first["FIELD_KEYS"])


def test_reset_asks_first_and_leaves_a_running_place_alone(state, monkeypatch):
    place = place_at(state)
    place.prepare()
    monkeypatch.setattr(os, "isatty", lambda number: False)
    with pytest.raises(Trouble, match="--yes"):
        commands.reset(state=state, sure=False)
    hold = Hold(place, doing="./loved up")
    assert hold.take()
    with pytest.raises(Trouble, match="stop it first"):
        commands.reset(state=state, sure=True)
    hold.release()
    assert commands.reset(state=state, sure=True) == 0
    assert not place.home.exists()
