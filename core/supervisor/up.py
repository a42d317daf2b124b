"""`./loved up`: servers, migrations, web, worker and beat, watched until somebody asks them to stop."""

import errno
import http
import http.client
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from core.supervisor import postgres, valkey
from core.supervisor.environment import check_answers, for_django, logs_of, own_environment
from core.supervisor.places import Place
from core.supervisor.processes import Family, stop_leftovers
from core.supervisor.servers import Hold, read_holder, start_servers
from core.supervisor.terminal import Interrupts, StopAsked, Trouble, plain, say

WEB_SECONDS = 90
CALM_SECONDS = 60  # a child that lived this long starts again without delay
LONGEST_DELAY = 30.0
LOG_BYTES = 10_000_000
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Options:
    host: str
    port: int
    demo: bool
    verbose: bool

    @property
    def site(self) -> str:
        """Return the name and port that people type: a loopback address is `localhost`."""
        host = "localhost" if self.host in LOOPBACK or self.host in EVERYWHERE else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def up(options: Options, *, place: Place) -> int:
    """Run everything until Ctrl-C or TERM."""
    interrupts = Interrupts()
    place.prepare()
    hold = Hold(place, doing="./loved up", address=f"http://{options.site}/")
    if not hold.take():
        raise Trouble(already_running(place))
    with ExitStack() as closing:
        closing.callback(hold.release)
        check_port(options)
        for log in place.logs.glob("*.log"):
            if log.stat().st_size > LOG_BYTES:
                log.replace(log.with_suffix(".old"))
        stop_leftovers(place.home)
        house = House(options, place=place, hold=hold, interrupts=interrupts)
        closing.callback(house.close)
        try:
            house.open()
            house.watch()
        except StopAsked:
            pass
    return 0


class House:
    """Everything that `up` runs."""

    def __init__(self, options: Options, *, place: Place, hold: Hold, interrupts: Interrupts) -> None:
        self.options, self.place, self.hold, self.interrupts = options, place, hold, interrupts
        self.env = own_environment()
        self.family = Family(place.home)
        self.recipes: dict[str, Callable[[], object]] = {}
        self.delays: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.due: dict[str, float] = {}
        self.read: dict[Path, int] = {log: log.stat().st_size for log in place.logs.glob("*.log")}

    def open(self) -> None:
        """Start everything in the order in which it is needed, and say how to get in."""
        say("Loved CRM is starting.")
        began = time.monotonic()
        given = {name: value for name, value in self.env.items() if name in ("DATABASE_URL", "REDIS_URL")}
        for variable, url in given.items():
            check_answers(variable, url=url)
        found = start_servers(self.family, place=self.place, fast=False, given=given)
        self.recipes |= self.server_recipes(given)
        self.interrupts.obey()
        self.env = for_django(self.env, place=self.place, database_url=found.database_url, redis_url=found.redis_url)
        self.env.setdefault("MAIN_HOST", self.options.site)
        say(f"  PostgreSQL and Valkey answer ({time.monotonic() - began:.1f} s)")
        logins = self.bring_up_to_date()
        say(f"  The database is up to date ({time.monotonic() - began:.1f} s)")
        self.hold.announce(found)
        self.start("web", self.start_web)
        self.wait_for_web()
        self.start("worker", self.start_worker)
        self.start("beat", self.start_beat)
        say(f"  Web, worker and beat run ({time.monotonic() - began:.1f} s)")
        self.welcome(logins)

    def server_recipes(self, given: dict[str, str]) -> dict[str, Callable[[], object]]:
        recipes: dict[str, Callable[[], object]] = {}
        if "DATABASE_URL" not in given:
            recipes["postgres"] = lambda: postgres.start(self.family, place=self.place, fast=False)
        if "REDIS_URL" not in given:
            recipes["valkey"] = lambda: valkey.start(self.family, place=self.place, fast=False)
        return recipes

    def bring_up_to_date(self) -> str:
        """Migrate what is behind, make the demo on the first start; return the demo's logins."""
        log, logins = self.place.logs / "prepare.log", self.place.home / "logins.txt"
        if not logins.exists():
            say("  Making the database; the first time takes a little longer.")
        command: list[str | Path] = [sys.executable, "-m", "core.supervisor.prepare", logins]
        command += ["--demo"] if self.options.demo and self.env["LOVED_ENV"] != "production" else []
        child = self.family.start("command", command, env=self.env, log=log)
        while (status := child.popen.poll()) is None:
            self.interrupts.obey()
            time.sleep(0.05)
        self.family.forget("command")
        if status:
            raise Trouble(f"The database could not be brought up to date: {last_line(log)} All of it is in {log}.")
        return logins.read_text() if logins.exists() else ""

    def start_web(self) -> object:
        command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", self.options.host]
        command += ["--port", str(self.options.port), "--lifespan", "off", "--no-access-log", "--no-proxy-headers"]
        command += ["--timeout-graceful-shutdown", "3"]
        return self.family.start("web", command, env={"DB_POOL": "10"} | self.env, log=self.log("web"))

    def start_worker(self) -> object:
        command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--loglevel", "INFO"]
        command += ["--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        stop = (signal.SIGTERM, signal.SIGQUIT)  # let the task end, then put it back
        return self.family.start("worker", command, env=self.env, log=self.log("worker"), signals=stop)

    def start_beat(self) -> object:
        command = [sys.executable, "-m", "celery", "-A", "config.celery", "beat", "--loglevel", "WARNING"]
        command += ["--pidfile", "", "--schedule", str(self.place.home / "beat-schedule")]
        return self.family.start("beat", command, env=self.env, log=self.log("beat"))

    def start(self, name: str, recipe: Callable[[], object]) -> None:
        self.recipes[name] = recipe
        self.started[name] = time.monotonic()
        recipe()

    def wait_for_web(self) -> None:
        """Wait for the first answer; a web process that cannot even start needs a person."""
        began, log = time.monotonic(), self.log("web")
        while (status := health(self.options)) != http.HTTPStatus.OK:
            self.interrupts.obey()
            if status is not None or self.family.died("web") is not None:
                raise Trouble(f"The web process could not start: {last_line(log)} Its log is {log}.")
            if time.monotonic() - began > WEB_SECONDS:
                raise Trouble(f"The web process does not answer after {WEB_SECONDS} s; its log is {log}.")
            time.sleep(0.1)

    def welcome(self, logins: str) -> None:
        say()
        say(f"  Open     http://{self.options.site}/")
        for line in logins.splitlines():
            say(f"  {line}")
        say(f"  Logs     {logs_of(self.place)}")
        if self.options.host in EVERYWHERE:
            say("  Other machines reach it under the name that MAIN_HOST says (name:port).")
        say("  Stop     Ctrl-C")
        say()

    def watch(self) -> None:
        """Start again what dies, a little later each time it does not live long."""
        while True:
            self.interrupts.obey()
            for name, recipe in self.recipes.items():
                if name in self.family.children:
                    self.look_at(name)
                elif time.monotonic() >= self.due.get(name, 0):
                    self.start_again(name, recipe)
            if self.options.verbose:
                self.show_logs()
            time.sleep(0.2)

    def look_at(self, name: str) -> None:
        status = self.family.died(name)
        if status is None:
            return
        lived = time.monotonic() - self.started.get(name, 0)
        delay = 0.5 if lived > CALM_SECONDS else min(self.delays.get(name, 0.25) * 2, LONGEST_DELAY)
        self.delays[name], self.due[name] = delay, time.monotonic() + delay
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        say(f"{name} stopped unexpectedly ({how}); starting it again in {delay:g} s. Its log: {self.log(name)}")

    def start_again(self, name: str, recipe: Callable[[], object]) -> None:
        self.started[name] = time.monotonic()
        try:
            recipe()
        except (Trouble, OSError) as error:
            say(plain(error) if isinstance(error, OSError) else str(error))
            self.family.stop(name)
            self.delays[name] = min(self.delays.get(name, 0.25) * 2, LONGEST_DELAY)
            self.due[name] = time.monotonic() + self.delays[name]

    def show_logs(self) -> None:
        for log in sorted(self.place.logs.glob("*.log")):
            with log.open("rb") as file:
                file.seek(self.read.get(log, 0))
                lines = file.readlines()
                self.read[log] = file.tell()
            for line in lines:
                say(f"{log.stem:8} | {line.decode(errors='replace').rstrip()}")

    def close(self) -> None:
        """Stop everything in order."""
        began = bool(self.family.children)
        if began:
            say("Stopping.")
        self.family.stop_all()
        if began:
            say("Stopped.")

    def log(self, name: str) -> Path:
        return self.place.logs / f"{name}.log"


def check_port(options: Options) -> None:
    """Refuse a port that somebody has, before anything starts."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise Trouble(f"This machine does not know the host '{options.host}': try --host 127.0.0.1.") from None
    except PermissionError:
        raise Trouble(f"Only root may use port {options.port}: choose one above 1023, such as --port 8000.") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise Trouble(f"{options.host} is not an address of this machine: try --host 127.0.0.1.") from None
        raise Trouble(
            f"Port {options.port} is taken by another program: stop that one, or choose another port, "
            f"such as ./loved up --port {options.port + 1 if options.port < 65535 else 8000}."
        ) from None


def already_running(place: Place) -> str:
    holder = read_holder(place)
    if holder and holder.address:
        return (
            f"Loved already runs from this folder at {holder.address} (process {holder.pid}): "
            "open that address, or stop it first with Ctrl-C."
        )
    who = f"'{holder.doing}' (process {holder.pid})" if holder else "Another ./loved"
    return f"{who} is using the local servers of this folder: let it end, then start again."


def health(options: Options) -> int | None:
    """Return the status with which the web process says that it lives; None while it does not answer."""
    host = EVERYWHERE.get(options.host, options.host)
    connection = http.client.HTTPConnection(host, options.port, timeout=5)
    try:
        connection.request("GET", "/health/live", headers={"Host": options.site})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1].rstrip('.')}." if lines else "it said nothing."
