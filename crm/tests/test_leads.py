"""The rules of a lead, as its services keep them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from core.errors import Forbidden, Invalid, Missing, Stale
from crm.models import Activity, Company, Contact, Lead, Stage, StageChange, Tag
from crm.services import leads as service
from crm.services.timeline import timeline
from crm.signals import lead_archived, lead_changed, lead_closed, lead_created, lead_moved
from members.models import AuditDetail, AuditEntry, Member
from members.services.audit import detail_hash
from members.services.people import deactivate_member


def make(actor, stage, title="Padaria Sol", **values) -> Lead:
    return service.create_lead(actor=actor.member, stage=stage, title=title, **values)


def last_entry(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("pk")


@pytest.fixture
def lead(owner, stages) -> Lead:
    return make(owner, stages[0], value=Decimal("4200.50"), owner=owner.member, email="sol@padaria.test")


@pytest.fixture
def heard():
    """Collect the news that leads make, with whether a transaction was open when it came."""
    news: list[tuple[object, dict, bool]] = []

    def listen(sender, signal, **facts):
        news.append((signal, facts, connection.in_atomic_block))

    signals = [lead_created, lead_moved, lead_changed, lead_closed, lead_archived]
    for signal in signals:
        signal.connect(listen)
    yield news
    for signal in signals:
        signal.disconnect(listen)


class TestCreating:
    def test_it_stands_on_top_of_its_column(self, owner, stages):
        first, second = make(owner, stages[0], "first"), make(owner, stages[0], "second")
        assert second.position < first.position
        assert (second.version, second.outcome, second.closed_at) == (1, "open", None)

    def test_everything_that_is_said_is_kept(self, owner, colleague, stages):
        lead = make(
            owner,
            stages[1],
            "  Site   novo ",
            value=Decimal("10.5"),
            currency="USD",
            source=" Feira  de maio ",
            owner=colleague.member,
            contact_name="Rui",
            email="RUI@x.test",
            phone="(11) 91234-5678",
            company_name="Padaria  Sol",
            expected_close=date(2030, 1, 2),
            external_id=" 77 ",
            tags=["Novo", "novo", "site"],
        )
        lead.refresh_from_db()
        assert (lead.title, lead.value, lead.currency, lead.source) == (
            "Site novo",
            Decimal("10.50"),
            "USD",
            "Feira de maio",
        )
        assert (lead.owner, lead.created_by, lead.external_id) == (colleague.member, owner.member, "77")
        assert (lead.contact.email, lead.contact.phone, lead.company.name) == (
            "rui@x.test",
            "+5511912345678",
            "Padaria Sol",
        )
        assert sorted(tag.name for tag in lead.tags.all()) == ["Novo", "site"]

    def test_a_won_stage_makes_it_won(self, owner, stages):
        lead = make(owner, stages[-1])
        assert lead.outcome == "won"
        assert lead.closed_at

    def test_it_leaves_history_trail_and_news(self, owner, stages, heard):
        lead = make(owner, stages[0], email="sol@padaria.test", value=Decimal(10))
        assert StageChange.objects.get(lead=lead).to_name == stages[0].name
        assert [line.verb for line in timeline(lead)] == ["created"]
        entry = last_entry("lead.created")
        assert (entry.target, entry.target_id, entry.actor) == ("lead", lead.pk, owner.member)
        assert entry.detail.after == {"title": "Padaria Sol", "value": "10.00", "email": "sol@padaria.test"}
        assert entry.detail_hash == detail_hash(entry.detail)
        assert "padaria" not in str(entry.facts).lower()
        assert [(signal, inside) for signal, _facts, inside in heard] == [(lead_created, True)]

    def test_what_a_listener_refuses_did_not_happen(self, owner, stages):
        def refuse(**kwargs):
            raise Invalid("no")

        lead_created.connect(refuse)
        try:
            with pytest.raises(Invalid):
                make(owner, stages[0])
        finally:
            lead_created.disconnect(refuse)
        assert not Lead.objects.exists()
        assert not AuditEntry.objects.filter(action="lead.created").exists()

    def test_a_viewer_may_not(self, viewer, stages):
        with pytest.raises(Forbidden):
            make(viewer, stages[0])

    @pytest.mark.parametrize("title", ["", "   ", "x" * 201])
    def test_a_title_has_one_to_two_hundred_characters(self, owner, stages, title):
        with pytest.raises(Invalid):
            make(owner, stages[0], title)
        assert not Lead.objects.exists()

    @pytest.mark.parametrize("value", [Decimal(-1), Decimal("-0.01"), Decimal("1000000000000")])
    def test_a_value_has_limits(self, owner, stages, value):
        with pytest.raises(Invalid):
            make(owner, stages[0], value=value)

    @pytest.mark.parametrize("value", [Decimal(0), Decimal("999999999999.99"), None])
    def test_a_value_may_be_at_the_limits_or_nothing(self, owner, stages, value):
        lead = make(owner, stages[0], value=value)
        lead.refresh_from_db()
        assert lead.value == value

    def test_an_unknown_currency_is_refused(self, owner, stages):
        with pytest.raises(Invalid):
            make(owner, stages[0], currency="XXX")

    def test_nobody_who_left_becomes_the_owner(self, owner, colleague, stages):
        deactivate_member(actor=owner.member, member_id=colleague.member.pk)
        colleague.member.refresh_from_db()
        with pytest.raises(Invalid):
            make(owner, stages[0], owner=colleague.member)

    def test_an_external_id_comes_once(self, owner, stages):
        make(owner, stages[0], external_id="olist-1")
        with pytest.raises(Invalid, match="external id") as refused:
            make(owner, stages[1], external_id="olist-1", company_name="Nova")
        assert refused.value.data["field"] == "external_id"
        assert not Company.objects.exists()
        make(owner, stages[0], "without one")
        make(owner, stages[0], "without one either")

    def test_a_stage_that_has_gone_is_missing(self, owner, pipeline):
        stage = Stage.objects.create(pipeline=pipeline, name="Brief", order=9)
        gone = Stage.objects.get(pk=stage.pk)
        stage.delete()
        with pytest.raises(Missing):
            make(owner, gone)

    def test_more_than_twenty_tags_are_refused(self, owner, stages):
        with pytest.raises(Invalid):
            make(owner, stages[0], tags=[f"tag {number}" for number in range(21)])
        assert not Tag.objects.exists()
        make(owner, stages[0], tags=[f"tag {number}" for number in range(20)])

    @pytest.mark.parametrize("name", ["", "x" * 41])
    def test_a_tag_has_one_to_forty_characters(self, owner, stages, name):
        with pytest.raises(Invalid):
            make(owner, stages[0], tags=[name])


class TestFindingPeople:
    def test_the_same_email_is_the_same_person(self, owner, stages):
        first = make(owner, stages[0], contact_name="Rui", email="rui@x.test")
        second = make(owner, stages[0], email=" RUI@X.test ")
        assert first.contact == second.contact

    def test_the_same_phone_is_the_same_person_with_and_without_the_ninth_digit(self, owner, stages):
        first = make(owner, stages[0], contact_name="Rui", phone="(11) 91234-5678")
        second = make(owner, stages[0], phone="+55 11 91234 5678")
        assert first.contact == second.contact
        old = make(owner, stages[0], contact_name="Eva", phone="(11) 8123-4567")
        new = make(owner, stages[0], phone="11 98123-4567")
        assert old.contact == new.contact
        assert new.contact.phone == "+551181234567"  # what was said first is kept

    def test_blanks_are_filled_and_nothing_is_overwritten(self, owner, stages):
        make(owner, stages[0], contact_name="Rui", email="rui@x.test")
        lead = make(
            owner, stages[0], contact_name="Outro nome", email="rui@x.test", phone="11 91234-5678", company_name="Sol"
        )
        contact = Contact.objects.get()
        assert (contact.name, contact.phone, contact.company) == ("Rui", "+5511912345678", lead.company)

    def test_an_archived_person_is_not_found(self, owner, stages):
        first = make(owner, stages[0], email="rui@x.test")
        Contact.objects.filter(pk=first.contact_id).update(archived_at=timezone.now())
        assert make(owner, stages[0], email="rui@x.test").contact != first.contact

    def test_a_name_alone_finds_nobody(self, owner, stages):
        assert make(owner, stages[0], contact_name="Ana").contact != make(owner, stages[0], contact_name="Ana").contact

    def test_nothing_said_is_nobody(self, owner, stages):
        lead = make(owner, stages[0])
        assert (lead.contact, lead.company) == (None, None)

    def test_a_company_is_the_same_whatever_accents_and_case(self, owner, stages):
        first = make(owner, stages[0], company_name="Café São João")
        assert make(owner, stages[0], company_name=" CAFE  SAO JOAO ").company == first.company

    def test_what_is_no_phone_is_kept_as_typed(self, owner, stages):
        contact = make(owner, stages[0], phone="ramal 12, com a Bia").contact
        assert (contact.phone, contact.phone_key) == ("ramal 12, com a Bia", "")

    @pytest.mark.parametrize("typed", ["98765-4321", "190"])
    def test_a_phone_without_area_code_is_kept_as_typed(self, owner, stages, typed):
        contact = make(owner, stages[0], contact_name="Bia", phone=typed).contact
        assert (contact.phone, contact.phone_key) == (typed, "")

    def test_what_is_no_email_is_refused(self, owner, stages):
        with pytest.raises(Invalid):
            make(owner, stages[0], email="rui at x")


class TestChanging:
    def test_each_fact(self, owner, colleague, lead):
        tag = Tag.objects.create(name="Quente")
        changed = service.change_lead(
            actor=owner.member,
            lead_id=lead.pk,
            version=1,
            title="Novo nome",
            value=Decimal("1.00"),
            currency="EUR",
            source="Site",
            owner=colleague.member,
            expected_close=date(2031, 5, 6),
            tags=[tag, "frio"],
            company_name="Sol",
            contact_name="Rui",
            email="novo@x.test",
            phone="11 91234-5678",
        )
        lead.refresh_from_db()
        assert changed.version == lead.version == 2
        assert (lead.title, lead.value, lead.currency, lead.source) == ("Novo nome", Decimal(1), "EUR", "Site")
        assert (lead.owner, lead.expected_close, lead.company.name) == (colleague.member, date(2031, 5, 6), "Sol")
        assert (lead.contact.name, lead.contact.email, lead.contact.phone) == ("Rui", "novo@x.test", "+5511912345678")
        assert {tag.name for tag in lead.tags.all()} == {"Quente", "frio"}

    def test_before_and_after_stand_on_the_timeline_and_in_the_erasable_detail(self, owner, lead):
        service.change_lead(actor=owner.member, lead_id=lead.pk, value=None, expected_close=date(2031, 5, 6))
        line = timeline(lead)[0]
        assert [(c.field, c.before, c.after) for c in line.changes] == [
            ("expected_close", None, date(2031, 5, 6)),
            ("value", Decimal("4200.50"), None),
        ]
        entry = last_entry("lead.changed")
        assert entry.facts == {"fields": ["expected_close", "value"]}
        assert entry.detail.before == {"expected_close": None, "value": "4200.50"}
        assert entry.detail.after == {"expected_close": "2031-05-06", "value": None}
        assert entry.detail_hash == detail_hash(AuditDetail.objects.get(entry=entry))

    def test_the_same_again_is_no_change(self, owner, lead, heard):
        entries = AuditEntry.objects.count()
        same = service.change_lead(
            actor=owner.member,
            lead_id=lead.pk,
            title=" Padaria  Sol",
            value=Decimal("4200.5"),
            owner=owner.member,
            email="SOL@padaria.test",
            tags=[],
            company_name="",
            expected_close=None,
        )
        assert same.version == 1
        assert AuditEntry.objects.count() == entries
        assert heard == []

    def test_two_owners_of_one_name_are_two(self, owner, colleague, lead):
        Member.objects.filter(pk=colleague.member.pk).update(name=owner.member.name)
        colleague.member.refresh_from_db()
        assert service.change_lead(actor=owner.member, lead_id=lead.pk, owner=colleague.member).version == 2

    def test_an_owner_goes_and_comes(self, owner, lead):
        service.change_lead(actor=owner.member, lead_id=lead.pk, owner=None)
        assert Lead.objects.get().owner is None
        service.change_lead(actor=owner.member, lead_id=lead.pk, owner=owner.member)
        assert timeline(lead)[0].changes[0].before is None

    def test_who_left_stays_the_owner_and_does_not_become_one(self, owner, colleague, lead):
        service.change_lead(actor=owner.member, lead_id=lead.pk, owner=colleague.member)
        deactivate_member(actor=owner.member, member_id=colleague.member.pk)
        colleague.member.refresh_from_db()
        service.change_lead(actor=owner.member, lead_id=lead.pk, owner=colleague.member, title="Outro")
        service.change_lead(actor=owner.member, lead_id=lead.pk, owner=None)
        with pytest.raises(Invalid):
            service.change_lead(actor=owner.member, lead_id=lead.pk, owner=colleague.member)

    def test_only_what_changed_is_written(self, owner, lead):
        statements = _Statements()
        with connection.execute_wrapper(statements):
            service.change_lead(actor=owner.member, lead_id=lead.pk, source="Site")
        update = next(sql for sql in statements.seen if sql.startswith('UPDATE "crm_lead"'))
        assert '"title"' not in update
        assert '"position"' not in update

    def test_an_older_version_is_stale_and_changes_nothing(self, owner, manager, lead):
        service.change_lead(actor=manager.member, lead_id=lead.pk, version=1, title="Da gerente")
        with pytest.raises(Stale) as refused:
            service.change_lead(actor=owner.member, lead_id=lead.pk, version=1, title="Do dono")
        assert refused.value.data["version"] == 2
        assert Lead.objects.get().title == "Da gerente"

    def test_stale_says_who_moved_it(self, owner, manager, lead, stages):
        service.move_lead(actor=manager.member, lead_id=lead.pk, stage_id=stages[2].pk)
        with pytest.raises(Stale, match=r"Mara Manager.*Proposta"):
            service.change_lead(actor=owner.member, lead_id=lead.pk, version=1, title="x")

    def test_a_broken_rule_changes_nothing_at_all(self, owner, lead):
        with pytest.raises(Invalid):
            service.change_lead(actor=owner.member, lead_id=lead.pk, company_name="Nova", tags=["novo"], title=" ")
        assert (Lead.objects.get().version, Company.objects.count(), Tag.objects.count()) == (1, 0, 0)

    def test_an_unknown_fact_is_a_mistake_of_ours(self, owner, lead):
        with pytest.raises(AttributeError):
            service.change_lead(actor=owner.member, lead_id=lead.pk, positon="a0")

    def test_a_shared_contact_is_changed_for_all_and_all_boards_hear_it(self, owner, lead, stages):
        sibling = make(owner, stages[2], "sibling", email="sol@padaria.test")
        stranger = make(owner, stages[2], "stranger", email="other@padaria.test")
        service.change_lead(actor=owner.member, lead_id=lead.pk, version=1, contact_name="Rui Sol")
        sibling.refresh_from_db()
        stranger.refresh_from_db()
        assert (sibling.contact.name, sibling.version, stranger.version) == ("Rui Sol", 2, 1)

    def test_a_contact_of_whom_nothing_is_left_is_let_go(self, owner, lead):
        contact = lead.contact
        service.change_lead(actor=owner.member, lead_id=lead.pk, email="")
        lead.refresh_from_db()
        contact.refresh_from_db()
        assert (lead.contact, contact.email) == (None, "sol@padaria.test")

    def test_typing_the_email_of_somebody_known_finds_them(self, owner, stages, lead):
        other = make(owner, stages[0], "without contact")
        service.change_lead(actor=owner.member, lead_id=other.pk, email="sol@padaria.test")
        other.refresh_from_db()
        assert other.contact == lead.contact


class _Statements:
    def __init__(self):
        self.seen = []

    def __call__(self, execute, sql, params, many, context):
        self.seen.append(sql)
        return execute(sql, params, many, context)


class TestMoving:
    def test_a_won_stage_wins_it_and_leaving_opens_it_again(self, owner, lead, stages, heard):
        won = service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[-1].pk)
        assert (won.outcome, won.stage, bool(won.closed_at)) == ("won", stages[-1], True)
        back = service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[0].pk, is_undo=True)
        assert (back.outcome, back.closed_at) == ("open", None)
        assert [signal for signal, _facts, _inside in heard] == [lead_moved, lead_closed, lead_moved, lead_closed]
        assert all(inside for _signal, _facts, inside in heard)
        assert [line.facts["is_undo"] for line in timeline(lead) if line.verb == "moved"] == [True, False]

    def test_it_lands_below_the_card_that_was_named(self, owner, stages):
        low, high, moved = (
            make(owner, stages[1], "low"),
            make(owner, stages[1], "high"),
            make(owner, stages[0], "moved"),
        )
        service.move_lead(actor=owner.member, lead_id=moved.pk, stage_id=stages[1].pk, after_id=high.pk)
        assert list(Lead.objects.filter(stage=stages[1]).order_by("position")) == [high, moved, low]

    def test_within_a_column_nothing_but_the_place_changes(self, owner, stages):
        low, high = make(owner, stages[0], "low"), make(owner, stages[0], "high")
        moved = service.move_lead(actor=owner.member, lead_id=high.pk, stage_id=stages[0].pk, after_id=low.pk)
        assert moved.position > low.position
        assert moved.stage_since == high.stage_since
        assert StageChange.objects.filter(lead=high).count() == 1

    def test_the_trail_says_from_where_to_where(self, owner, lead, stages):
        service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[3].pk)
        facts = {"from_stage": stages[0].pk, "to_stage": stages[3].pk, "undo": False}
        assert last_entry("lead.moved").facts == facts

    def test_another_version_another_pipeline_a_lost_and_an_archived_lead_are_refused(self, owner, lead, stages):
        from crm.services.pipelines import create_default_pipeline

        elsewhere = create_default_pipeline(actor=owner.member).stages.first()
        with pytest.raises(Stale):
            service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[1].pk, version=7)
        with pytest.raises(Invalid):
            service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=elsewhere.pk)
        service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="Preço")
        with pytest.raises(Invalid):
            service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[1].pk)
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
        with pytest.raises(Missing):
            service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[1].pk)


class TestClosing:
    def test_lost_keeps_its_stage_and_says_why(self, owner, lead, heard):
        lost = service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="  Sem   verba ", version=1)
        assert (lost.outcome, lost.loss_reason, lost.stage, lost.version) == ("lost", "Sem verba", lead.stage, 2)
        assert (timeline(lead)[0].verb, timeline(lead)[0].text) == ("lost", "Sem verba")
        assert last_entry("lead.lost").detail.after == {"reason": "Sem verba"}
        assert [(signal, inside) for signal, _facts, inside in heard] == [(lead_closed, True)]
        assert not Lead.objects.on_board(lead.stage.pipeline).exists()

    def test_reopened_it_is_as_its_stage_says(self, owner, lead, stages):
        service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="Preço")
        again = service.reopen_lead(actor=owner.member, lead_id=lead.pk)
        assert (again.outcome, again.closed_at, again.loss_reason) == ("open", None, "")
        assert last_entry("lead.reopened").target_id == lead.pk
        won = make(owner, stages[-1])
        service.lose_lead(actor=owner.member, lead_id=won.pk, reason="Desistiu")
        assert service.reopen_lead(actor=owner.member, lead_id=won.pk).outcome == "won"

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
    def test_a_reason_has_one_to_two_hundred_characters(self, owner, lead, reason):
        with pytest.raises(Invalid):
            service.lose_lead(actor=owner.member, lead_id=lead.pk, reason=reason)

    def test_twice_lost_or_open_reopened_is_refused(self, owner, lead):
        with pytest.raises(Invalid):
            service.reopen_lead(actor=owner.member, lead_id=lead.pk)
        service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="Preço")
        with pytest.raises(Invalid):
            service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="Prazo")

    def test_another_version_is_stale(self, owner, lead):
        for work in (
            lambda: service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="x", version=9),
            lambda: service.reopen_lead(actor=owner.member, lead_id=lead.pk, version=9),
            lambda: service.archive_lead(actor=owner.member, lead_id=lead.pk, version=9),
            lambda: service.restore_lead(actor=owner.member, lead_id=lead.pk, version=9),
        ):
            with pytest.raises(Stale):
                work()


class TestArchiving:
    def test_it_comes_back_to_its_place(self, owner, stages, heard):
        low, lead, high = make(owner, stages[0], "low"), make(owner, stages[0], "lead"), make(owner, stages[0], "high")
        heard.clear()
        away = service.archive_lead(actor=owner.member, lead_id=lead.pk, version=1)
        assert away.archived_at
        assert set(Lead.objects.on_board(stages[0].pipeline)) == {low, high}
        service.restore_lead(actor=owner.member, lead_id=lead.pk, version=2)
        assert list(Lead.objects.on_board(stages[0].pipeline).order_by("position")) == [high, lead, low]
        assert [line.verb for line in timeline(lead)] == ["restored", "archived", "created"]
        assert last_entry("lead.restored").target_id == lead.pk
        assert [(signal, inside) for signal, _facts, inside in heard] == [(lead_archived, True)] * 2

    def test_twice_is_once(self, owner, lead):
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
        assert service.archive_lead(actor=owner.member, lead_id=lead.pk).version == 2
        assert AuditEntry.objects.filter(action="lead.archived").count() == 1

    def test_an_archived_lead_is_changed_by_nothing_but_its_return(self, owner, lead):
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
        for work in (
            lambda: service.change_lead(actor=owner.member, lead_id=lead.pk, title="x"),
            lambda: service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="x"),
            lambda: service.reopen_lead(actor=owner.member, lead_id=lead.pk),
            lambda: service.add_note(actor=owner.member, lead_id=lead.pk, text="x"),
        ):
            with pytest.raises(Invalid, match="archived"):
                work()


class TestNotes:
    def test_a_note_is_a_line_and_counts_as_a_change(self, owner, lead, heard):
        noted = service.add_note(actor=owner.member, lead_id=lead.pk, text="  Ligar amanhã\n às 15h ")
        assert noted.version == 2
        assert (timeline(lead)[0].verb, timeline(lead)[0].text) == ("note", "Ligar amanhã\n às 15h")
        assert last_entry("lead.noted").detail_hash == ""
        assert heard[0][1]["fields"] == {"note"}

    @pytest.mark.parametrize("text", ["", " \n ", "x" * 10_001])
    def test_a_note_has_one_to_ten_thousand_characters(self, owner, lead, text):
        with pytest.raises(Invalid):
            service.add_note(actor=owner.member, lead_id=lead.pk, text=text)
        assert not Activity.objects.filter(verb="note").exists()

    def test_a_timeline_is_newest_first_and_ends_somewhere(self, owner, lead):
        now = timezone.now()
        Activity.objects.bulk_create(
            Activity(lead=lead, verb="note", text=str(number), at=now + timedelta(seconds=number))
            for number in range(150)
        )
        lines = timeline(lead)
        assert (len(lines), lines[0].text) == (100, "149")
