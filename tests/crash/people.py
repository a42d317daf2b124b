"""People at work on a site that breaks: they ask again when no answer comes, and write down what they were told."""

import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote, urlencode

from tests.crash.ledger import Facts

CHUNK = 500  # rows that an import writes in one transaction
PATIENCE = 90.0
BOUNDARY = "crash-rig-boundary"


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    text: str


@dataclass
class Lead:
    """A lead as its member believes it to be."""

    external_id: str
    pk: int
    stage: int
    version: int = 1
    is_archived: bool = False


@dataclass
class Book:
    """What everybody of one seed was told."""

    facts: Facts = field(default_factory=Facts)
    done: int = 0
    unanswered: int = 0
    complaints: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, *facts: tuple[object, ...]) -> None:
        with self.lock:
            self.facts.update(facts)
            self.done += 1

    def complain(self, sentence: str) -> None:
        with self.lock:
            self.complaints.append(sentence)


class Person:
    """A member with a browser: nobody else touches their leads, so they know each version."""

    def __init__(self, *, name: str, address: str, slug: str, session: str, stages: list[int], book: Book, seed: int):
        self.name, self.address, self.base, self.stages, self.book = name, address, f"/o/{slug}", stages, book
        self.random = Random(f"{seed}/{name}")
        token = "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=32))
        self.headers = {
            "Host": address, "Cookie": f"sessionid={session}; csrftoken={token}", "X-CSRFToken": token,
        }  # fmt: skip
        self.leads: list[Lead] = []
        self.number = 0

    def work(self, operations: int) -> None:
        """Do so many operations, mostly on leads of one's own."""
        for _operation in range(operations):
            self.number += 1
            lead = self.random.choice(self.leads) if self.leads else None
            what = self.random.choices(["create", "move", "note", "archive"], [25, 40, 25, 10])[0]
            if lead is None or what == "create":
                self.create()
            elif lead.is_archived:
                self.restore(lead)
            elif what == "move":
                self.move(lead)
            elif what == "note":
                self.note(lead)
            else:
                self.archive(lead)

    def create(self) -> None:
        external_id = f"{self.name}-{self.number}"
        stage = self.random.choice(self.stages)
        form = {"title": f"Lead {external_id}", "currency": "BRL", "stage": stage, "external_id": external_id}
        answer, in_doubt = self.ask_until_answered("/leads/new/", form)
        if answer.status == 422 and in_doubt:  # it is there already: find it
            listed = self.ask_until_answered(f"/leads/?q={external_id}")[0].text
            pk = re.search(r"/leads/(\d+)/", listed)
        else:
            pk = re.search(r"/leads/(\d+)/$", answer.location)
        if pk is None:
            self.book.complain(f"{external_id} was not created: {answer.status}")
            return
        self.leads.append(Lead(external_id, int(pk[1]), stage))
        self.book.acknowledge(("lead", external_id), ("audit", "lead.created", int(pk[1])))

    def move(self, lead: Lead) -> None:
        stage = self.random.choice([each for each in self.stages if each != lead.stage])
        if self.change(lead, "move", {"stage": stage}):
            self.book.acknowledge(("move", lead.pk, lead.stage, stage), ("audit", "lead.moved", lead.pk))
            lead.stage = stage

    def archive(self, lead: Lead) -> None:
        if self.change(lead, "archive", {}):
            self.book.acknowledge(("audit", "lead.archived", lead.pk))
            lead.is_archived = True

    def restore(self, lead: Lead) -> None:
        if self.change(lead, "restore", {}):
            self.book.acknowledge(("audit", "lead.restored", lead.pk))
            lead.is_archived = False

    def change(self, lead: Lead, what: str, form: dict[str, object]) -> bool:
        """Ask for a change of a version; without an answer, a conflict later says that it was made."""
        path = f"/leads/{lead.pk}/{what}/"
        answer, in_doubt = self.ask_until_answered(path, {**form, "version": lead.version})
        if answer.status in (200, 204, 302) or (answer.status == 409 and in_doubt):
            lead.version += 1
            return True
        self.book.complain(f"{what} of {lead.external_id} was refused: {answer.status}")
        return False

    def note(self, lead: Lead) -> None:
        text = f"note {self.name}-{self.number}-end"
        there = self.shown_on(f"/leads/{lead.pk}/", text)
        answer, _in_doubt = self.ask_until_answered(f"/leads/{lead.pk}/notes/", {"text": text}, is_there=there)
        if answer.status not in (200, 204, 302):
            self.book.complain(f"{text} was refused: {answer.status}")
            return
        lead.version += 1
        self.book.acknowledge(("note", text), ("audit", "lead.noted", lead.pk))

    def upload(self, rows: int) -> int | None:
        """Upload a spreadsheet and return the number of its import."""
        self.number += 1
        name = f"{self.name}-{self.number}.csv"
        lines = [f"Import {name} {row},{name}-{row}" for row in range(rows)]
        content = "\r\n".join(["Nome do lead,ID", *lines, ""])
        body = (
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=file; filename={name}\r\n"
            f"Content-Type: text/csv\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
        ).encode()
        answer, _in_doubt = self.ask_until_answered("/imports/new/", body, is_there=self.shown_on("/imports/", name))
        listed = answer.location or self.row_of(name)
        pk = re.search(r"/imports/(\d+)/", listed)
        if pk is None:
            self.book.complain(f"{name} was not taken: {answer.status}")
            return None
        self.book.acknowledge(("audit", "import.uploaded", int(pk[1])))
        return int(pk[1])

    def row_of(self, name: str) -> str:
        """Return the part of the list of imports in which a file's link stands."""
        listed = self.ask_until_answered("/imports/")[0].text
        found = re.search(rf'href="([^"]*/imports/\d+/)"[^>]*>\s*(?:<[^>]+>\s*)*{re.escape(name)}', listed)
        return found[1] if found else ""

    def start_import(self, pk: int, rows: int) -> None:
        name = f"{self.name}-{self.number}.csv"
        form = {
            "stage": self.stages[0],
            "date_order": "dmy",
            "decimal": ",",
            "column_0": "title",
            "column_1": "external_id",
        }
        answer, _in_doubt = self.ask_until_answered(f"/imports/{pk}/start/", form)
        if answer.status != 302:
            self.book.complain(f"{name} was not started: {answer.status}")
            return
        self.book.acknowledge(
            ("audit", "import.started", pk),
            ("import", name, "done", rows, rows, 0, 0),
            *(("lead", f"{name}-{row}") for row in range(rows)),
            *(("row", name, line) for line in range(2, rows + 2)),
            *(("audit", "lead.imported", pk) for _chunk in range(0, rows, CHUNK)),
        )

    def look(self, path: str) -> None:
        answer = self.ask_until_answered(path)[0]
        if answer.status != 200:
            self.book.complain(f"{path} answered {answer.status}")

    def settle(self) -> None:
        """Write down how each lead should look at the end."""
        for lead in self.leads:
            if lead.version > 1:
                self.book.facts["state", lead.pk, lead.version, lead.stage, lead.is_archived] += 1

    def shown_on(self, path: str, text: str) -> Callable[[], bool]:
        return lambda: text in self.ask_until_answered(path)[0].text

    def ask_until_answered(
        self, path: str, content: dict[str, object] | bytes | None = None, *, is_there: Callable[[], bool] | None = None
    ) -> tuple[Answer, bool]:
        """Ask again and again; say also whether an earlier try may have come through.

        What cannot be told apart when it is done twice is looked for first (`is_there`).
        """
        in_doubt, until = False, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if in_doubt and is_there and is_there():
                return Answer(200, "", ""), True
            answer = self.ask(path, content)
            if answer is not None and answer.status < 500:
                return answer, in_doubt
            if answer is not None:
                self.book.complain(f"{path} answered {answer.status}")
            in_doubt = True
            with self.book.lock:
                self.book.unanswered += 1
            time.sleep(0.2)
        raise AssertionError(f"no answer from {path} for {PATIENCE} s")

    def ask(self, path: str, content: dict[str, object] | bytes | None) -> Answer | None:
        """Ask once; None if the connection broke before the answer was whole."""
        headers, body, method = dict(self.headers), content, "POST"
        if content is None:
            method = "GET"
        elif isinstance(content, dict):
            headers["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(content).encode()
        else:
            headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, quote(self.base + path, safe="/?=&"), body=body, headers=headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return Answer(response.status, response.getheader("Location", ""), text)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
