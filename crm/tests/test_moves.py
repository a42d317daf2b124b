"""Moving cards: what is answered, what is refused, and fifty at once into the same gap."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from crm.models import Lead, Pipeline, Stage, StageChange
from crm.positions import keys_between
from crm.services import columns
from crm.services.leads import archive_lead, create_lead, lose_lead, move_lead
from crm.services.pipelines import default_pipeline
from members.models import AuditEntry, Team
from tenants.context import in_organization

HTMX = {"HX-Request": "true"}


def move(person, lead, stage, *, after=None, version=None, query="", **more):
    values = {"stage": stage.pk, "after": after.pk if after else "", "version": version or lead.version, **more}
    return person.client.post(f"/leads/{lead.pk}/move/{query}", values, headers=HTMX)


def order_of(stage) -> list[str]:
    return list(Lead.objects.filter(stage=stage).order_by("position").values_list("title", flat=True))


def toast_of(response) -> dict:
    return json.loads(response.headers.get("HX-Trigger", "{}")).get("crm:toast", {})


@pytest.fixture
def leads(owner, stages) -> dict[str, Lead]:
    """A, B and C from the top of the first column, X and Y in the second."""
    made = {}
    for title, stage in (("C", 0), ("B", 0), ("A", 0), ("Y", 1), ("X", 1)):
        made[title] = create_lead(actor=owner.member, stage=stages[stage], title=title)
    return made


def test_a_card_lands_right_below_the_one_it_was_dropped_after(owner, leads, stages):
    assert move(owner, leads["B"], stages[1], after=leads["X"]).status_code == 200
    assert order_of(stages[0]) == ["A", "C"]
    assert order_of(stages[1]) == ["X", "B", "Y"]
    assert move(owner, leads["C"], stages[1]).status_code == 200
    assert order_of(stages[1]) == ["C", "X", "B", "Y"]
    assert move(owner, leads["A"], stages[1], after=leads["Y"]).status_code == 200
    assert order_of(stages[1]) == ["C", "X", "B", "Y", "A"]


def test_the_answer_is_the_card_and_both_headers_as_the_filters_show_them(owner, leads, stages):
    Lead.objects.filter(title__in="ABX").update(source="site")
    html = move(owner, leads["A"], stages[1], query="?source=site").content.decode()
    lead = Lead.objects.get(title="A")
    assert f'id="lead-{lead.pk}" data-v="2" data-stage="{stages[1].pk}" data-p="{lead.position}"' in html
    counts = re.findall(r'id="stage-(\d+)-header" data-count="(\d+)"', html)
    assert counts == [(str(stages[0].pk), "1"), (str(stages[1].pk), "2")]


def test_a_card_that_moves_within_its_column_changes_nothing_but_its_place(owner, leads, stages):
    response = move(owner, leads["A"], stages[0], after=leads["B"])
    assert order_of(stages[0]) == ["B", "A", "C"]
    assert "-header" not in response.content.decode()
    assert toast_of(response) == {}
    assert not StageChange.objects.exclude(from_stage=None).exists()


def test_undo_takes_a_move_back_to_the_very_place_and_the_history_keeps_both(owner, leads, stages):
    since = leads["B"].stage_since
    said = toast_of(move(owner, leads["B"], stages[2]))
    assert said["title"] == "B moved to Proposta"
    undo = said["action"]
    response = owner.client.post(undo["url"].removeprefix("/o/acme"), undo["values"], headers=HTMX)
    assert response.status_code == 200
    assert order_of(stages[0]) == ["A", "B", "C"]
    assert Lead.objects.get(title="B").stage_since == since
    changes = StageChange.objects.filter(lead=leads["B"]).exclude(from_stage=None).order_by("pk")
    assert [(change.from_name, change.to_name, change.is_undo) for change in changes] == [
        ("Lead", "Proposta", False),
        ("Proposta", "Lead", True),
    ]
    assert toast_of(response) == {"category": "success", "title": "B is back in Lead"}


def test_undo_comes_too_late_when_somebody_else_was_there(owner, manager, leads, stages):
    undo = toast_of(move(owner, leads["B"], stages[2]))["action"]
    move_lead(actor=manager.member, lead_id=leads["B"].pk, stage_id=stages[3].pk)
    response = owner.client.post(undo["url"].removeprefix("/o/acme"), undo["values"], headers=HTMX)
    assert response.status_code == 409
    assert order_of(stages[3]) == ["B"]


def test_dropping_on_the_won_stage_wins_and_undo_opens_again(owner, leads, stages):
    undo = toast_of(move(owner, leads["B"], stages[4]))["action"]
    assert Lead.objects.get(title="B").outcome == Lead.Outcome.WON
    owner.client.post(undo["url"].removeprefix("/o/acme"), undo["values"], headers=HTMX)
    assert Lead.objects.get(title="B").outcome == Lead.Outcome.OPEN


# Refusals: nothing changes, and the answer says why


def refused(response, status: int, stages) -> str:
    assert response.status_code == status
    assert response.content == b""
    assert order_of(stages[0]) == ["A", "B", "C"]
    assert order_of(stages[1]) == ["X", "Y"]
    assert not StageChange.objects.exclude(from_stage=None).exists()
    return toast_of(response)["title"]


def test_an_old_version_is_refused_with_the_name_of_who_was_first(owner, manager, leads, stages):
    move_lead(actor=manager.member, lead_id=leads["A"].pk, stage_id=stages[2].pk)
    response = move(owner, leads["A"], stages[1], version=1)
    assert response.status_code == 409
    assert toast_of(response)["title"] == "Mara Manager moved this lead to Proposta in the meantime."
    assert order_of(stages[2]) == ["A"]


def test_a_stage_of_another_pipeline_is_refused(owner, leads, stages):
    there = Stage.objects.create(pipeline=Pipeline.objects.create(name="Other"), name="There")
    assert "not part" in refused(move(owner, leads["A"], there), 422, stages)
    there.pk = 999999
    assert "not part" in refused(move(owner, leads["A"], there), 422, stages)


def test_a_viewer_moves_nothing(viewer, leads, stages):
    assert "role" in refused(move(viewer, leads["A"], stages[1]), 403, stages)


def test_who_does_not_see_a_lead_does_not_learn_that_it_exists(owner, colleague, leads, stages):
    colleague.member.team = Team.objects.create(name="South")
    colleague.member.save()
    Lead.objects.filter(pk=leads["A"].pk).update(owner=owner.member)
    there = refused(move(colleague, leads["A"], stages[1]), 404, stages)
    nowhere = colleague.client.post("/leads/999999/move/", {"stage": stages[1].pk, "version": 1}, headers=HTMX)
    assert nowhere.status_code == 404
    assert toast_of(nowhere)["title"] == there


def test_an_archived_lead_is_not_moved(owner, leads, stages):
    archive_lead(actor=owner.member, lead_id=leads["A"].pk)
    refused(move(owner, leads["A"], stages[1], version=2), 404, stages)


@pytest.mark.parametrize(
    "values", [{}, {"stage": "x"}, {"stage": "1", "version": "x"}, {"stage": "9" * 40}, {"stage": "1", "after": "-1"},
               {"stage": "1", "after": "\x00"}],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(owner, leads, stages, values):
    response = owner.client.post(f"/leads/{leads['A'].pk}/move/", {"version": "1"} | values, headers=HTMX)
    refused(response, 422, stages)


def test_a_move_is_a_post(owner, leads):
    assert owner.client.get(f"/leads/{leads['A'].pk}/move/").status_code == 405


def test_a_lost_lead_is_reopened_before_it_moves(owner, leads, stages):
    lose_lead(actor=owner.member, lead_id=leads["A"].pk, reason="price")
    refused(move(owner, leads["A"], stages[1], version=2), 422, stages)
    assert Lead.objects.get(title="A").outcome == Lead.Outcome.LOST


def test_a_move_costs_the_same_queries_in_a_long_column(owner, leads, stages):
    def queries(title: str, stage: Stage) -> int:
        lead = Lead.objects.get(title=title)
        with CaptureQueriesContext(connection) as caught:
            assert move(owner, lead, stage).status_code == 200
        return len([query for query in caught if "SAVEPOINT" not in query["sql"]])

    queries("A", stages[1])
    few = queries("B", stages[1])
    Lead.objects.bulk_create(
        Lead(title=f"more {number}", stage=stages[2], position=key)
        for number, key in enumerate(keys_between(None, None, 300))
    )
    assert queries("C", stages[2]) == few
    assert few <= 26


# Fifty at once

MOVES = 50


@pytest.fixture(scope="module")
def passed() -> set[str]:
    """What the two halves of the race have shown so far."""
    return set()


@contextmanager
def _race(committed):
    """Fifty cards in one column and a gap between two others in the next."""
    with in_organization(committed.client.organization):
        source, target = default_pipeline().stages.all()[:2]
        ids = [create_lead(actor=committed.member, stage=source, title=f"racer {number}").pk for number in range(MOVES)]
        below = create_lead(actor=committed.member, stage=target, title="below")
        above = create_lead(actor=committed.member, stage=target, title="above")
    start = threading.Barrier(MOVES)

    def run(lead_id: int) -> str:
        try:
            with in_organization(committed.client.organization):
                connection.ensure_connection()
                start.wait(timeout=60)
                move_lead(actor=committed.member, lead_id=lead_id, stage_id=target.pk, after_id=above.pk)
            return "moved"
        except (IntegrityError, OperationalError) as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(MOVES) as threads:
        outcomes = list(threads.map(run, ids))
    with in_organization(committed.client.organization):
        yield outcomes, ids, target, above, below


@pytest.mark.race
def test_fifty_moves_into_one_gap_lose_and_double_nothing(committed, passed):
    with _race(committed) as (outcomes, ids, target, above, below):
        assert outcomes == ["moved"] * MOVES
        column = list(Lead.objects.filter(stage=target).order_by("position").values_list("pk", "position"))
        # Each went right below `above`: who was last is first, and the log of the column's lock says who was last.
        log = AuditEntry.objects.filter(action="lead.moved", target_id__in=ids).order_by("-pk")
        assert [pk for pk, _key in column] == [above.pk, *log.values_list("target_id", flat=True), below.pk]
        assert len({key for _pk, key in column}) == MOVES + 2
        assert Lead.objects.filter(pk__in=ids, version=2).count() == MOVES
        changes = StageChange.objects.filter(lead__in=ids).exclude(from_stage=None)
        assert sorted(changes.values_list("lead_id", flat=True)) == sorted(ids)
    passed.add("race")


@pytest.mark.race
def test_without_the_lock_of_the_columns_the_same_race_is_lost(committed, passed, monkeypatch, closing_line):
    """The negative control: if it went well, the test above would prove nothing."""

    def look_only(*stage_ids: int, of_lead: int | None = None) -> dict[int, Stage]:
        wanted = Lead.objects.filter(pk=of_lead).values_list("stage", flat=True)
        return {stage.pk: stage for stage in Stage.objects.filter(pk__in={*stage_ids, *wanted})}

    monkeypatch.setattr(columns, "lock_columns", look_only)
    with _race(committed) as (outcomes, ids, target, above, _below):
        column = list(Lead.objects.filter(stage=target).order_by("position").values_list("pk", flat=True))
        log = AuditEntry.objects.filter(action="lead.moved", target_id__in=ids).order_by("-pk")
        is_in_order = column[1:-1] == list(log.values_list("target_id", flat=True))
        assert outcomes.count("moved") < MOVES or not is_in_order
        assert column[0] == above.pk
    if "race" in passed:
        closing_line(f"race: {MOVES} moves, 0 lost, 0 doubled, control failed as it must")
