"""Work that many ask for at the same moment is done once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crm import once as module
from crm.once import once
from crm.services.leads import create_lead
from crm.views import board
from members.models import Team
from tenants.services import change_user


def test_those_who_come_together_get_one_result():
    done = []
    gate = threading.Barrier(8)

    def ask(_number):
        gate.wait()
        return once("together", lambda: (time.sleep(0.05), done.append(1), object())[-1])

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(ask, range(8)))
    assert len(done) == 1
    assert len({id(answer) for answer in answers}) == 1


def test_another_key_is_other_work():
    assert [once(("key", number), lambda number=number: number) for number in range(3)] == [0, 1, 2]


def test_a_result_does_not_outlive_its_moment(monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.0)
    assert [once("moment", lambda: "first"), once("moment", lambda: "second")] == ["first", "second"]


def test_work_that_raises_is_done_again():
    with pytest.raises(ZeroDivisionError):
        once("raises", lambda: 1 / 0)
    assert once("raises", lambda: "well") == "well"


def test_only_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    for number in range(5):
        once(("kept", number), lambda: None)
    assert list(module._answers) == [("kept", 3), ("kept", 4)]


def test_a_delta_is_shared_by_those_who_see_all_and_by_nobody_else(
    owner, manager, viewer, colleague, pipeline, stages, monkeypatch
):
    drawn, number = [], [1]
    draw = board._draw
    monkeypatch.setattr(board, "_draw", lambda *args, **kwargs: drawn.append(1) or draw(*args, **kwargs))
    monkeypatch.setattr(board, "position", lambda subject: ("a test", number[0]))
    colleague.member.team = Team.objects.create(name="South")
    colleague.member.save()
    lead = create_lead(actor=owner.member, stage=stages[0], title="Padaria Sol", owner=owner.member)

    def ask(person, **query) -> tuple[bool, int]:
        """Return what a person is given, and how often anything has been drawn so far."""
        query = {"ids": lead.pk, "stages": stages[0].pk, **query}
        page = person.client.get(f"/board/{pipeline.pk}/delta/", query).content.decode()
        return ("Padaria Sol" in page, len(drawn))

    assert ask(owner) == (True, 1)
    assert ask(manager) == (True, 1)
    assert ask(viewer) == (True, 2)  # whose cards have no menu
    assert ask(colleague) == (False, 3)  # who sees their own leads
    assert ask(colleague) == (False, 4)
    assert ask(manager, q="nothing like it") == (False, 5)
    assert ask(manager, stages="") == (True, 6)
    change_user(user=manager.user, language="pt-br")
    assert ask(manager) == (True, 7)
    number[0] = 2
    assert ask(owner) == (True, 8)
