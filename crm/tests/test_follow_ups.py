"""Follow-ups: what is to be done next, by whom, and who is told."""

import json
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.errors import Forbidden, Invalid, Missing, Stale
from crm.models import Activity, Contact, DueState, FollowUp, Lead, due_state
from crm.positions import keys_between
from crm.services import follow_ups as service
from crm.services.leads import archive_lead, create_lead, move_lead
from crm.services.reminders import remind, stamp
from crm.signals import follow_up_due
from crm.tasks import remind_follow_up
from members.models import AuditEntry, Team
from tenants.models import Due

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
TOMORROW = timedelta(days=1)


def today() -> date:
    return timezone.localdate(timezone=SAO_PAULO)


@pytest.fixture
def lead(owner, stages) -> Lead:
    return create_lead(
        actor=owner.member, stage=stages[0], title="Padaria Sol", owner=owner.member, contact_name="Rosa"
    )


@pytest.fixture
def step(owner, lead) -> FollowUp:
    return service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today() + TOMORROW, title="Call Rosa")


@pytest.fixture
def south(owner, colleague):
    """Put the sales person into a team of their own, so that they do not see the owner's leads."""
    colleague.member.team = Team.objects.create(name="South")
    colleague.member.save()
    return colleague


def toast_of(response) -> dict:
    return json.loads(response.headers.get("HX-Trigger", "{}")).get("crm:toast", {})


def htmx(person, method: str, path: str, data=None, *, target: str = "lead-panel"):
    headers = {"HX-Request": "true", "HX-Target": target}
    return getattr(person.client, method)(path, data or {}, headers=headers)


# Rules


def test_a_day_without_a_time_is_due_when_it_ends_where_the_organization_is(owner, lead):
    step = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=date(2030, 3, 5))
    assert step.due_at == datetime(2030, 3, 5, 23, 59, 59, tzinfo=SAO_PAULO)
    assert not step.has_time
    timed = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=date(2030, 3, 5), at=time(14, 30))
    assert timed.due_at == datetime(2030, 3, 5, 14, 30, tzinfo=SAO_PAULO)
    assert service.day_and_time(timed) == (date(2030, 3, 5), time(14, 30))
    assert service.day_and_time(step) == (date(2030, 3, 5), None)


def test_planning_is_on_the_timeline_in_the_trail_and_counts_the_lead_up(owner, lead, step):
    assert step.owner == owner.member
    assert Activity.objects.filter(lead=lead, verb="follow_up_planned").count() == 1
    assert AuditEntry.objects.filter(action="follow_up.planned", target_id=step.pk).exists()
    assert Lead.objects.get(pk=lead.pk).version == lead.version + 1


def test_finishing_says_whether_something_else_is_planned(owner, lead, step):
    other = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today())
    first = service.finish_follow_up(actor=owner.member, follow_up_id=step.pk)
    assert first.has_next
    assert (first.follow_up.done_by, first.follow_up.is_open) == (owner.member, False)
    assert not service.finish_follow_up(actor=owner.member, follow_up_id=other.pk).has_next


def test_a_lead_that_is_won_is_not_asked_for_a_next_step(owner, lead, step, stages):
    move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[4].pk)
    assert service.finish_follow_up(actor=owner.member, follow_up_id=step.pk).has_next


def test_finishing_twice_is_once(owner, step):
    for _ in range(2):
        service.finish_follow_up(actor=owner.member, follow_up_id=step.pk)
    assert Activity.objects.filter(verb="follow_up_done").count() == 1


def test_what_is_done_or_cancelled_can_be_opened_again(owner, step):
    for close in (service.finish_follow_up, service.cancel_follow_up):
        close(actor=owner.member, follow_up_id=step.pk)
        assert not FollowUp.objects.open().exists()
        assert service.reopen_follow_up(actor=owner.member, follow_up_id=step.pk).is_open
    assert Activity.objects.filter(verb="follow_up_reopened").count() == 2


def test_a_change_keeps_before_and_after_and_meets_a_newer_version(owner, step):
    changed = service.change_follow_up(
        actor=owner.member, follow_up_id=step.pk, version=1, title="Visit Rosa", kind="meeting", day=today(), at=None
    )
    assert (changed.title, changed.kind, changed.version) == ("Visit Rosa", "meeting", 2)
    entry = AuditEntry.objects.get(action="follow_up.changed")
    assert entry.detail.before["title"] == "Call Rosa"
    assert "note" not in entry.detail.after
    with pytest.raises(Stale):
        service.change_follow_up(actor=owner.member, follow_up_id=step.pk, version=1, title="Late")


def test_a_change_of_nothing_is_none(owner, step):
    assert service.change_follow_up(actor=owner.member, follow_up_id=step.pk, title="Call  Rosa ").version == 1


@pytest.mark.parametrize(
    "bad",
    [{"kind": "dance"}, {"title": "x" * 201}, {"note": "x" * 10_001}, {"day": date(1900, 1, 1)},
     {"day": date(9999, 1, 1)}, {"reminder": -1}, {"reminder": 10**6}],
)  # fmt: skip
def test_a_bad_step_is_refused(owner, lead, bad):
    with pytest.raises(Invalid):
        service.plan_follow_up(actor=owner.member, lead_id=lead.pk, **{"day": today(), **bad})
    assert not FollowUp.objects.exists()


def test_a_step_is_about_a_lead_or_a_contact(owner, lead):
    for about in ({}, {"lead_id": lead.pk, "contact_id": lead.contact_id}):
        with pytest.raises(Invalid):
            service.plan_follow_up(actor=owner.member, day=today(), **about)


@pytest.mark.parametrize(
    "broken",
    [{"lead": None}, {"kind": "dance"}, {"done_at": "2030-01-01T00:00Z"}, {"reminder": 5},
     {"cancelled_at": "2030-01-01T00:00Z", "done_at": "2030-01-01T00:00Z", "done_by": "owner"}],
)  # fmt: skip
def test_the_database_refuses_what_the_rules_refuse(owner, step, broken):
    broken = {key: owner.member if value == "owner" else value for key, value in broken.items()}
    with pytest.raises(IntegrityError), transaction.atomic():
        FollowUp.objects.filter(pk=step.pk).update(**broken)


# Rights


def test_who_does_not_see_the_lead_does_not_see_its_steps(south, lead, step):
    assert not FollowUp.objects.visible_to(south.member).exists()
    for work in (service.finish_follow_up, service.cancel_follow_up, service.reopen_follow_up):
        with pytest.raises(Missing):
            work(actor=south.member, follow_up_id=step.pk)
    with pytest.raises(Missing):
        service.plan_follow_up(actor=south.member, lead_id=lead.pk, day=today())


def test_who_may_only_look_plans_nothing(viewer, lead, step):
    assert FollowUp.objects.visible_to(viewer.member).count() == 1
    with pytest.raises(Forbidden):
        service.plan_follow_up(actor=viewer.member, lead_id=lead.pk, day=today())
    with pytest.raises(Forbidden):
        service.finish_follow_up(actor=viewer.member, follow_up_id=step.pk)


def test_a_step_is_given_only_to_who_sees_the_lead(owner, south, manager, lead):
    with pytest.raises(Invalid, match="Caio"):
        service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today(), owner=south.member)
    step = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today(), owner=manager.member)
    assert step.owner == manager.member


def test_an_archived_lead_takes_no_steps(owner, lead, step):
    archive_lead(actor=owner.member, lead_id=lead.pk)
    with pytest.raises(Invalid):
        service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today())


# Reminders


def heard(work) -> list[FollowUp]:
    found = []

    def listen(sender, follow_up, **kwargs):
        found.append(follow_up)

    follow_up_due.connect(listen)
    try:
        work()
    finally:
        follow_up_due.disconnect(listen)
    return found


def test_a_reminder_is_owed_for_its_instant_and_sent_once(owner, lead):
    step = service.plan_follow_up(
        actor=owner.member, lead_id=lead.pk, day=date(2030, 3, 5), at=time(14, 30), reminder=15
    )
    due = Due.objects.get(task=remind_follow_up.name)
    assert due.due_at == step.remind_at == datetime(2030, 3, 5, 14, 15, tzinfo=SAO_PAULO)
    assert due.arguments == {"follow_up_id": step.pk, "instant": stamp(step.remind_at)}
    twice = heard(lambda: [remind(follow_up_id=step.pk, at=stamp(step.remind_at)) for _ in range(2)])
    assert twice == [step]


def test_a_day_without_a_time_is_reminded_of_in_the_morning(owner, lead):
    step = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=date(2030, 3, 5), reminder=0)
    assert step.remind_at == datetime(2030, 3, 5, 9, tzinfo=SAO_PAULO)


def test_a_reminder_of_what_was_moved_or_done_stays_silent(owner, lead):
    step = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=date(2030, 3, 5), reminder=0)
    old = stamp(step.remind_at)
    step = service.change_follow_up(actor=owner.member, follow_up_id=step.pk, day=date(2030, 3, 6), at=None)
    assert heard(lambda: remind(follow_up_id=step.pk, at=old)) == []
    service.finish_follow_up(actor=owner.member, follow_up_id=step.pk)
    assert heard(lambda: remind(follow_up_id=step.pk, at=stamp(step.remind_at))) == []
    assert Due.objects.filter(task=remind_follow_up.name).count() == 2


def test_a_reminder_that_would_be_in_the_past_is_not_owed(owner, lead):
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=date(2020, 3, 5), reminder=15)
    assert not Due.objects.filter(task=remind_follow_up.name).exists()


# How near


def test_how_near_a_step_is_goes_by_the_calendar_of_the_organization():
    with timezone.override("America/Sao_Paulo"):
        now = datetime(2030, 3, 5, 22, 0, tzinfo=SAO_PAULO)  # the sixth already in UTC
        assert due_state(None, now=now) is DueState.NONE
        assert due_state(now - timedelta(minutes=1), now=now) is DueState.OVERDUE
        assert due_state(now + timedelta(minutes=119), now=now) is DueState.TODAY
        assert due_state(now + timedelta(minutes=120), now=now) is DueState.FUTURE


def test_a_card_shows_how_near_the_next_step_is_in_words_too(owner, lead, stages):
    def card() -> str:
        page = owner.client.get("/board/").content.decode()
        return page[page.index(f'id="lead-{lead.pk}"') :].split("</li>")[0]

    assert 'data-state="none" title="No next step"' in card()
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today() + 3 * TOMORROW)
    assert 'data-state="future" title="Next step: Planned"' in card()
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today())
    assert 'data-state="today" title="Next step: Today"' in card()
    late = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today() - TOMORROW)
    assert 'data-state="overdue" title="Next step: Overdue"' in card()
    service.cancel_follow_up(actor=owner.member, follow_up_id=late.pk)
    assert 'data-state="today"' in card()


def test_a_won_card_without_a_step_shows_nothing(owner, lead, stages):
    move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[4].pk)
    assert "crm-card-step" not in owner.client.get("/board/").content.decode()


# Pages


@pytest.fixture
def told():
    """Let somebody listen for reminders, as whoever sends them does."""

    def listen(sender, **kwargs):
        pass

    follow_up_due.connect(listen)
    yield
    follow_up_due.disconnect(listen)


def test_a_reminder_is_offered_only_where_somebody_sends_it(owner, lead, told):
    assert 'name="reminder"' in owner.client.get(f"/leads/{lead.pk}/").content.decode()


def test_a_step_is_planned_done_and_undone_in_the_panel(owner, lead, told):
    data = {"kind": "call", "title": "Call", "day": "2030-03-05", "at": "14:30", "reminder": "15"}
    data["owner"] = owner.member.pk
    response = htmx(owner, "post", f"/leads/{lead.pk}/follow-ups/", data)
    assert response.status_code == 200
    step = FollowUp.objects.get()
    assert (step.reminder, step.has_time) == (15, True)
    page = response.content.decode()
    assert 'id="lead-panel"' in page
    assert f'id="follow-up-{step.pk}"' in page
    response = htmx(owner, "post", f"/follow-ups/{step.pk}/finish/", {"version": step.version})
    assert "What is the next step?" in toast_of(response)["description"]
    assert "crm:ask-next" in response.headers["HX-Trigger"]
    assert "No next step" in response.content.decode()
    undo = toast_of(response)["action"]
    assert owner.client.post(undo["url"], undo["values"], headers={"HX-Request": "true"}).status_code == 204
    assert FollowUp.objects.get().is_open


@pytest.mark.parametrize(
    ("field", "value"),
    [("day", ""), ("day", "yesterday"), ("day", "1900-01-01"), ("day", "99999-01-01"), ("at", "25:99"),
     ("kind", "dance"), ("title", "x" * 201), ("title", "a\x00b"), ("owner", "999999"), ("owner", "x"),
     ("reminder", "7"), ("note", "x" * 10_001)],
)  # fmt: skip
def test_a_bad_form_comes_back_with_what_was_typed(owner, lead, told, field, value):
    data = {"kind": "call", "title": "Kept", "day": "2030-03-05", "owner": owner.member.pk, field: value}
    response = htmx(owner, "post", f"/leads/{lead.pk}/follow-ups/", data)
    assert response.status_code == 422
    assert response.headers["HX-Retarget"] == "#plan-step"
    assert 'role="alert"' in response.content.decode()
    assert not FollowUp.objects.exists()


def test_a_step_is_changed_in_its_place(owner, lead, step):
    form = htmx(owner, "get", f"/follow-ups/{step.pk}/edit/").content.decode()
    assert 'value="Call Rosa"' in form
    data = {"kind": "task", "title": "Write", "day": "2030-03-05", "owner": owner.member.pk, "version": step.version}
    response = htmx(owner, "post", f"/follow-ups/{step.pk}/edit/", data)
    assert "Write" in response.content.decode()
    stale = htmx(owner, "post", f"/follow-ups/{step.pk}/edit/", {**data, "title": "Mine"})
    assert stale.status_code == 409
    assert 'value="Mine"' in stale.content.decode()
    assert htmx(owner, "post", f"/follow-ups/{step.pk}/edit/", {**data, "day": ""}).status_code == 422


@pytest.mark.parametrize("action", ["finish", "cancel", "reopen", "edit"])
def test_without_a_version_nothing_happens(owner, step, action):
    data = {"kind": "call", "day": "2030-03-05", "owner": owner.member.pk}
    assert htmx(owner, "post", f"/follow-ups/{step.pk}/{action}/", data).status_code == 422
    assert FollowUp.objects.get().version == 1


def test_a_viewer_sees_steps_without_handles(viewer, lead, step):
    page = viewer.client.get(f"/leads/{lead.pk}/").content.decode()
    assert "Call Rosa" in page
    for handle in ("finish/", "plan-step", "follow-ups/"):
        assert handle not in page, handle
    assert htmx(viewer, "get", f"/follow-ups/{step.pk}/edit/").status_code == 403


def test_what_people_typed_is_escaped(owner, lead):
    service.plan_follow_up(
        actor=owner.member, lead_id=lead.pk, day=today(), title="<script>alert(1)</script>", note="<b>x</b>"
    )
    for path in (f"/leads/{lead.pk}/", "/day/"):
        page = owner.client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;b&gt;x" in page


# My day


def test_my_day_shows_what_is_late_today_and_in_the_next_seven_days(owner, manager, lead):
    for days, title in ((-2, "Late"), (0, "Now"), (1, "Soon"), (7, "Last"), (8, "Beyond")):
        service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today() + days * TOMORROW, title=title)
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today(), title="Hers", owner=manager.member)
    groups = owner.client.get("/day/").context["groups"]
    assert [(group.name, [step.title for step in group.steps]) for group in groups] == [
        ("overdue", ["Late"]), ("today", ["Now"]), ("next", ["Soon", "Last"]),
    ]  # fmt: skip
    assert [group.count for group in groups] == [1, 1, 2]


def test_my_day_names_my_open_leads_without_a_next_step(owner, manager, lead, stages):
    other = create_lead(actor=owner.member, stage=stages[0], title="Forgotten", owner=owner.member)
    create_lead(actor=owner.member, stage=stages[0], title="Hers", owner=manager.member)
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today())
    context = owner.client.get("/day/").context
    assert (list(context["unplanned"]), context["counts"]["unplanned"]) == ([other], 1)


def test_what_is_put_away_is_not_in_my_day(owner, lead, step):
    archive_lead(actor=owner.member, lead_id=lead.pk)
    assert all(not group.count for group in owner.client.get("/day/").context["groups"])


def test_a_step_is_done_in_my_day_itself(owner, lead):
    step = service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today(), title="Now")
    response = htmx(owner, "post", f"/follow-ups/{step.pk}/finish/", {"version": 1}, target="day-page")
    page = response.content.decode()
    assert page.strip().startswith('<div class="crm-page" id="day-page"')
    assert "Padaria Sol" in page  # without a next step now
    assert f"follow-up-{step.pk}" not in page


def test_steps_of_a_contact_alone_stand_on_its_page_and_in_my_day(owner):
    contact = Contact.objects.create(name="Rosa")
    data = {"kind": "call", "title": "Say hello", "day": str(today()), "owner": owner.member.pk}
    response = htmx(owner, "post", f"/contacts/{contact.pk}/follow-ups/", data, target="contact-page")
    assert "Say hello" in response.content.decode()
    assert "Say hello" in owner.client.get("/day/").content.decode()


# Queries


def cost(person, path: str) -> int:
    from django.db import connection

    person.client.get(path)
    with CaptureQueriesContext(connection) as caught:
        assert person.client.get(path).status_code == 200
    return len(caught)


def test_pages_cost_the_same_queries_however_much_is_planned(owner, lead, stages):
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today() - TOMORROW)
    service.plan_follow_up(actor=owner.member, lead_id=lead.pk, day=today())
    paths = ["/board/", "/day/", f"/leads/{lead.pk}/", f"/contacts/{lead.contact_id}/"]
    few = {path: cost(owner, path) for path in paths}
    leads = Lead.objects.bulk_create(
        Lead(title=f"L{number}", stage=stages[1], position=key, owner=owner.member, contact=lead.contact)
        for number, key in enumerate(keys_between(None, None, 20))
    )
    for each in [lead, *leads]:
        for days in (-1, 0, 2):
            service.plan_follow_up(actor=owner.member, lead_id=each.pk, day=today() + days * TOMORROW)
    assert {path: cost(owner, path) for path in paths} == few
    assert few["/board/"] <= 20
