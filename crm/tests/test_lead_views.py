"""The page of a lead and the panel beside the board, as somebody's browser uses them."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from crm.models import Activity, Lead, Tag
from crm.services import leads as service
from members.models import AuditEntry
from members.services.people import change_member, create_team, deactivate_member
from tenants.context import in_organization

HUGE = "9" * 30
SCRIPT = '<script>alert("x")</script>'


@pytest.fixture
def lead(owner, stages) -> Lead:
    return service.create_lead(
        actor=owner.member,
        stage=stages[0],
        title="Padaria Sol",
        value=Decimal("4200.50"),
        owner=owner.member,
        contact_name="Rui",
        email="rui@sol.test",
        phone="11 91234-5678",
        company_name="Sol",
        tags=["quente"],
    )


def htmx(person, method: str, path: str, data=None, *, target: str = "lead-panel"):
    headers = {"HX-Request": "true", "HX-Target": target}
    return getattr(person.client, method)(path, data or {}, headers=headers)


def edit(person, lead, field, value, *, version=None, **more):
    data = {"field": field, field: value, "version": lead.version if version is None else version, **more}
    return htmx(person, "post", f"/leads/{lead.pk}/edit/", data)


def words(response) -> str:
    return response.content.decode()


def fresh(lead) -> Lead:
    return Lead.objects.get(pk=lead.pk)


class TestShowing:
    def test_a_browser_gets_a_page_and_the_board_a_panel(self, owner, lead):
        page = owner.client.get(f"/leads/{lead.pk}/")
        assert page.status_code == 200
        assert "<html" in words(page)
        assert 'id="lead-page"' in words(page)
        panel = htmx(owner, "get", f"/leads/{lead.pk}/", target="panel")
        assert "<html" not in words(panel)
        assert words(panel).strip().startswith('<div class="contents" id="lead-panel"')

    def test_it_shows_what_is_known(self, owner, lead):
        Lead.objects.filter(pk=lead.pk).update(extra={"landing_page": "abc123"}, external_id="olist-1")
        page = words(owner.client.get(f"/leads/{lead.pk}/"))
        for text in (
            "Padaria Sol",
            "mailto:rui@sol.test",
            "tel:+5511912345678",
            "(11) 91234-5678",
            "quente",
            "landing_page",
            "abc123",
            "olist-1",
            "Ana Owner",
            "4,200.50",
        ):
            assert text in page

    def test_every_line_of_a_timeline_has_its_template(self, owner, lead, stages):
        service.change_lead(
            actor=owner.member, lead_id=lead.pk, value=None, expected_close=date(2030, 1, 2), tags=[], owner=None
        )
        service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[2].pk)
        service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[0].pk, is_undo=True)
        service.add_note(actor=owner.member, lead_id=lead.pk, text=SCRIPT)
        service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="Price")
        service.reopen_lead(actor=owner.member, lead_id=lead.pk)
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
        service.restore_lead(actor=owner.member, lead_id=lead.pk)
        page = words(owner.client.get(f"/leads/{lead.pk}/"))
        for text in (
            "created the lead",
            "changed",
            "moved it from Lead to",
            "undone",
            "wrote a note",
            "marked it as lost: Price",
            "reopened it",
            "archived it",
            "brought it back",
            "R$",
        ):
            assert text in page
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page

    def test_a_line_without_a_person_names_the_system(self, owner, lead):
        Activity.objects.create(lead=lead, verb="note", text="x")
        assert "The system" in words(owner.client.get(f"/leads/{lead.pk}/"))

    def test_nothing_new_since_is_answered_without_a_page(self, owner, lead):
        assert htmx(owner, "get", f"/leads/{lead.pk}/?seen=1").status_code == 204
        assert htmx(owner, "get", f"/leads/{lead.pk}/?seen=0").status_code == 200
        assert owner.client.get(f"/leads/{lead.pk}/?seen=1").status_code == 200

    def test_a_viewer_gets_facts_without_controls(self, viewer, lead):
        page = words(viewer.client.get(f"/leads/{lead.pk}/"))
        assert "your role cannot change it" in page
        for control in ("/edit/", "/notes/", "/lose/", "/archive/"):
            assert f'hx-post="{viewer.client.at(f"/leads/{lead.pk}{control}")}' not in page
        assert "mailto:rui@sol.test" in page
        assert "?field=" not in page

    def test_a_lost_and_an_archived_lead_offer_the_way_back(self, owner, lead):
        service.lose_lead(actor=owner.member, lead_id=lead.pk, reason="Price")
        page = words(owner.client.get(f"/leads/{lead.pk}/"))
        assert "/reopen/" in page
        assert "/lose/" not in page
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
        page = words(owner.client.get(f"/leads/{lead.pk}/"))
        assert "/restore/" in page
        assert "/notes/" not in page

    @pytest.mark.parametrize("number", ["0", "999999", HUGE])
    def test_an_unknown_lead_is_not_there(self, owner, number):
        assert owner.client.get(f"/leads/{number}/").status_code == 404

    def test_queries_do_not_grow_with_the_timeline(self, owner, lead, django_assert_max_num_queries):
        for number in range(40):
            service.add_note(actor=owner.member, lead_id=lead.pk, text=str(number))
        with django_assert_max_num_queries(14):
            htmx(owner, "get", f"/leads/{lead.pk}/", target="panel")


ENDPOINTS = [
    ("get", ""),
    ("get", "edit/?field=title"),
    ("post", "edit/"),
    ("post", "notes/"),
    ("post", "lose/"),
    ("post", "reopen/"),
    ("post", "archive/"),
    ("post", "restore/"),
]


class TestDoors:
    @pytest.mark.parametrize(("method", "path"), ENDPOINTS)
    def test_a_lead_of_another_organization_or_team_is_not_there(
        self, owner, colleague, stranger, elsewhere, method, path
    ):
        from crm.services.pipelines import default_pipeline

        with in_organization(elsewhere):
            Lead.objects.create(pk=777_001, stage=default_pipeline().stages.first(), title="Secret", position="a0")
        data = {"field": "title", "title": "stolen", "text": "x", "reason": "x", "version": "1"}
        assert (
            getattr(owner.client, method)(f"/leads/777001/{path}", data if method == "post" else {}).status_code == 404
        )
        team = create_team(actor=owner.member, name="Contas")
        change_member(actor=owner.member, member_id=colleague.member.pk, role="sales", team_id=team.pk)
        ours = service.create_lead(
            actor=owner.member, stage=default_pipeline().stages.first(), title="Ours", owner=owner.member
        )
        response = getattr(colleague.client, method)(f"/leads/{ours.pk}/{path}", data if method == "post" else {})
        assert response.status_code == 404
        assert fresh(ours).version == 1

    @pytest.mark.parametrize(("method", "path"), [each for each in ENDPOINTS if each != ("get", "")])
    def test_a_viewer_changes_nothing(self, viewer, lead, method, path):
        data = {"field": "title", "title": "x", "text": "x", "reason": "x", "version": "1"}
        response = getattr(viewer.client, method)(f"/leads/{lead.pk}/{path}", data if method == "post" else {})
        assert response.status_code == 403
        assert fresh(lead).version == 1

    @pytest.mark.parametrize("path", ["notes/", "lose/", "reopen/", "archive/", "restore/"])
    def test_reading_changes_nothing(self, owner, lead, path):
        assert owner.client.get(f"/leads/{lead.pk}/{path}").status_code == 405


class TestEditing:
    @pytest.mark.parametrize(
        "field",
        [
            "title",
            "value",
            "currency",
            "source",
            "owner",
            "expected_close",
            "tags",
            "company_name",
            "contact_name",
            "email",
            "phone",
        ],
    )
    def test_every_fact_has_a_field_with_what_it_says(self, owner, lead, field):
        response = htmx(owner, "get", f"/leads/{lead.pk}/edit/?field={field}")
        assert response.status_code == 200
        assert f'name="{field}"' in words(response)
        assert 'name="version" value="1"' in words(response)

    def test_one_fact_at_a_time(self, owner, colleague, lead):
        for field, value, shown in (
            ("title", SCRIPT, "&lt;script&gt;"),
            ("source", "Site", "Site"),
            ("expected_close", "2030-02-01", "02/01/2030"),
            ("tags", "novo, Quente ,novo", "novo"),
            ("company_name", "Lua", "Lua"),
            ("contact_name", "Eva", "Eva"),
            ("email", "EVA@lua.test", "eva@lua.test"),
            ("phone", "(21) 98888-7777", "(21) 98888-7777"),
            ("owner", colleague.member.pk, "Caio Colleague"),
        ):
            response = edit(owner, fresh(lead), field, value)
            assert response.status_code == 200, field
            assert shown in words(response)
            assert 'id="lead-panel"' in words(response)
        assert SCRIPT not in words(response)
        assert sorted(tag.name for tag in fresh(lead).tags.all()) == ["novo", "quente"]
        assert fresh(lead).version == 10

    def test_a_value_comes_with_its_currency_as_the_person_writes_it(self, owner, lead):
        edit(owner, lead, "value", "1,234.50", currency="USD")
        assert (fresh(lead).value, fresh(lead).currency) == (Decimal("1234.50"), "USD")
        owner.user.language = "pt-br"
        owner.user.save()
        edit(owner, fresh(lead), "value", "R$ 1.234,5", currency="BRL")
        assert (fresh(lead).value, fresh(lead).currency) == (Decimal("1234.50"), "BRL")
        assert "1.234,50" in words(htmx(owner, "get", f"/leads/{lead.pk}/edit/?field=value"))
        edit(owner, fresh(lead), "value", "", currency="BRL")
        assert fresh(lead).value is None

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("title", ""),
            ("title", "x" * 201),
            ("title", "a\x00b"),
            ("value", "muito"),
            ("value", "-5"),
            ("value", HUGE),
            ("value", "1e9"),
            ("value", "9" * 100_000),
            ("currency", "XXX"),
            ("owner", "999999"),
            ("owner", HUGE),
            ("owner", "a\x00"),
            ("source", "x" * 81),
            ("source", "\x00"),
            ("expected_close", "31/02/2030"),
            ("expected_close", "0001-01-01"),
            ("expected_close", "9999-12-31"),
            ("tags", "x" * 41),
            ("tags", ",".join(str(n) for n in range(21))),
            ("tags", "a\x00"),
            ("company_name", "x" * 161),
            ("contact_name", "\x00"),
            ("email", "rui at x"),
            ("email", f"{SCRIPT}@x.test"),
            ("email", "a@" + "x" * 300 + ".test"),
            ("phone", "9" * 41),
            ("phone", "\x00"),
        ],
    )
    def test_a_bad_value_is_said_beside_it_and_stays_typed(self, owner, lead, field, value):
        before = AuditEntry.objects.count()
        response = edit(owner, lead, field, value, **({"currency": "BRL"} if field == "value" else {}))
        assert response.status_code == 422
        assert response["HX-Retarget"] == f"#fact-{field}"
        assert 'role="alert"' in words(response)
        assert "data-fact-form" in words(response)
        assert SCRIPT not in words(response)
        if field in {"title", "phone", "email"} and 0 < len(value) < 60 and "\x00" not in value and "<" not in value:
            assert f'value="{value}"' in words(response)
        assert (fresh(lead).version, AuditEntry.objects.count(), Tag.objects.count()) == (1, before, 1)

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"field": "position", "position": "a0", "version": "1"},
            {"field": "stage", "stage": "1", "version": "1"},
            {"field": "title", "title": "x"},
            {"field": "title", "title": "x", "version": "one"},
            {"field": "title", "title": "x", "version": HUGE},
            {"field": "title", "title": "x", "version": "-1"},
            {"field": "title", "version": "1"},
            {"field": "title\x00", "title": "x", "version": "1"},
        ],
    )
    def test_a_form_that_lacks_something_is_refused_in_words(self, owner, lead, data):
        response = htmx(owner, "post", f"/leads/{lead.pk}/edit/", data)
        assert response.status_code == 422
        assert "crm:toast" in response.headers.get("HX-Trigger", "") or 'role="alert"' in words(response)
        assert fresh(lead).version == 1

    def test_a_conflict_shows_both_and_the_second_save_is_deliberate(self, owner, manager, lead):
        service.change_lead(actor=manager.member, lead_id=lead.pk, source="Feira")
        response = edit(owner, lead, "source", "Meu texto", version=1)
        assert response.status_code == 409
        assert response["HX-Retarget"] == "#fact-source"
        assert response["HX-Reswap"] == "innerHTML"
        assert "Feira" in words(response)
        assert 'value="Meu texto"' in words(response)
        assert 'name="version" value="2"' in words(response)
        assert "crm:toast" in response["HX-Trigger"]
        assert fresh(lead).source == "Feira"
        assert edit(owner, lead, "source", "Meu texto", version=2).status_code == 200

    def test_sales_do_not_give_away_what_is_not_theirs(self, owner, colleague, lead):
        assert "?field=owner" not in words(colleague.client.get(f"/leads/{lead.pk}/"))
        assert edit(colleague, lead, "owner", colleague.member.pk).status_code == 403
        assert edit(colleague, lead, "source", "Site").status_code == 200

    def test_an_owner_who_left_can_stay_but_is_not_offered_to_others(self, owner, colleague, lead):
        deactivate_member(actor=owner.member, member_id=colleague.member.pk)
        assert "Caio" not in words(htmx(owner, "get", f"/leads/{lead.pk}/edit/?field=owner"))
        Lead.objects.filter(pk=lead.pk).update(owner=colleague.member)
        assert "Caio" in words(htmx(owner, "get", f"/leads/{lead.pk}/edit/?field=owner"))

    def test_who_gives_a_lead_out_of_sight_is_taken_to_the_list(self, owner, colleague, stages):
        team = create_team(actor=owner.member, name="Contas")
        change_member(actor=owner.member, member_id=colleague.member.pk, role="sales", team_id=team.pk)
        colleague.member.refresh_from_db()
        mine = service.create_lead(actor=colleague.member, stage=stages[0], title="Mine", owner=colleague.member)
        response = edit(colleague, mine, "owner", owner.member.pk)
        assert response["HX-Redirect"] == colleague.client.at("/leads/")

    def test_an_archived_lead_is_not_edited(self, owner, lead):
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
        response = edit(owner, fresh(lead), "title", "x")
        assert response.status_code == 422
        assert "archived" in words(response)


class TestDoing:
    def test_a_note(self, owner, lead):
        response = htmx(owner, "post", f"/leads/{lead.pk}/notes/", {"text": "Ligar amanhã"})
        assert "Ligar amanhã" in words(response)

    @pytest.mark.parametrize("data", [{}, {"text": ""}, {"text": "x" * 10_001}, {"text": "a\x00b"}])
    def test_a_note_that_is_none(self, owner, lead, data):
        response = htmx(owner, "post", f"/leads/{lead.pk}/notes/", data)
        assert response.status_code == 422
        assert json.loads(response["HX-Trigger"])["crm:toast"]["title"]
        assert fresh(lead).version == 1

    def test_lost_and_back_by_the_toasts_button(self, owner, lead):
        response = htmx(owner, "post", f"/leads/{lead.pk}/lose/", {"reason": SCRIPT, "version": 1})
        assert fresh(lead).loss_reason == SCRIPT
        assert SCRIPT not in words(response)
        undo = json.loads(response["HX-Trigger"])["crm:toast"]["action"]
        again = owner.client.post(undo["url"], undo["values"], headers={"HX-Request": "true"})
        assert again.status_code == 204
        assert fresh(lead).outcome == "open"

    def test_archived_and_back_by_the_toasts_button(self, owner, lead):
        response = htmx(owner, "post", f"/leads/{lead.pk}/archive/", {"version": 1}, target="lead-page")
        assert 'id="lead-page"' in words(response)
        undo = json.loads(response["HX-Trigger"])["crm:toast"]["action"]
        owner.client.post(undo["url"], undo["values"], headers={"HX-Request": "true"})
        assert fresh(lead).archived_at is None

    @pytest.mark.parametrize("path", ["lose/", "reopen/", "archive/", "restore/"])
    @pytest.mark.parametrize("version", ["", "x", "0", HUGE, "\x00"])
    def test_without_a_version_nothing_happens(self, owner, lead, path, version):
        response = htmx(owner, "post", f"/leads/{lead.pk}/{path}", {"version": version, "reason": "x"})
        assert response.status_code == 422
        assert fresh(lead).version == 1

    @pytest.mark.parametrize("path", ["lose/", "reopen/", "archive/", "restore/"])
    def test_an_old_version_is_refused_and_said(self, owner, lead, path):
        response = htmx(owner, "post", f"/leads/{lead.pk}/{path}", {"version": 5, "reason": "x"})
        assert response.status_code == 409
        assert "meantime" in json.loads(response["HX-Trigger"])["crm:toast"]["title"]

    @pytest.mark.parametrize("reason", ["", "x" * 201, "\x00"])
    def test_a_reason_is_needed(self, owner, lead, reason):
        assert htmx(owner, "post", f"/leads/{lead.pk}/lose/", {"reason": reason, "version": 1}).status_code == 422
        assert fresh(lead).outcome == "open"

    def test_without_scripts_it_is_a_plain_form(self, owner, lead):
        response = owner.client.post(f"/leads/{lead.pk}/notes/", {"text": "x"})
        assert (response.status_code, response["Location"]) == (302, owner.client.at(f"/leads/{lead.pk}/"))


class TestCreating:
    def form(self, stages, **more):
        return {"title": "Novo", "currency": "BRL", "stage": stages[1].pk, **more}

    def test_all_fields_make_a_lead(self, owner, colleague, stages):
        assert owner.client.get("/leads/new/").status_code == 200
        response = owner.client.post(
            "/leads/new/",
            self.form(
                stages,
                value="4,200.50",
                owner=colleague.member.pk,
                source="Site",
                expected_close="2030-01-02",
                contact_name="Rui",
                email="rui@x.test",
                phone="11 91234-5678",
                company_name="Sol",
                tags="a, b",
                external_id="77",
            ),
        )
        lead = Lead.objects.get()
        assert response["Location"] == owner.client.at(f"/leads/{lead.pk}/")
        assert (lead.value, lead.owner, lead.stage, lead.external_id) == (
            Decimal("4200.50"),
            colleague.member,
            stages[1],
            "77",
        )
        assert (lead.contact.name, lead.company.name, lead.tags.count()) == ("Rui", "Sol", 2)

    def test_an_external_id_that_exists_is_said_beside_it(self, owner, stages):
        owner.client.post("/leads/new/", self.form(stages, external_id="77"))
        response = owner.client.post("/leads/new/", self.form(stages, title="Outro", external_id="77"))
        assert response.status_code == 422
        assert "There is already a lead with this external id." in words(response)
        assert 'value="Outro"' in words(response)
        assert Lead.objects.count() == 1

    @pytest.mark.parametrize(
        "bad",
        [
            {"title": ""},
            {"title": "\x00"},
            {"title": "x" * 201},
            {"stage": ""},
            {"stage": "999999"},
            {"stage": HUGE},
            {"stage": "x\x00"},
            {"currency": ""},
            {"value": "abc"},
            {"email": "x"},
            {"owner": "999999"},
            {"external_id": "x" * 121},
            {"tags": "x" * 41},
            {"expected_close": "tomorrow"},
            {"phone": "1" * 41},
        ],
    )
    def test_bad_values_are_said_and_kept(self, owner, stages, bad):
        response = owner.client.post("/leads/new/", self.form(stages, source="Feira") | bad)
        assert response.status_code == 422
        assert 'role="alert"' in words(response)
        assert 'value="Feira"' in words(response)
        assert not Lead.objects.exists()

    def test_a_stage_of_another_organization_is_no_stage(self, owner, elsewhere, stages):
        from crm.models import Pipeline, Stage

        with in_organization(elsewhere):
            theirs = Stage.objects.create(pk=888_001, pipeline=Pipeline.objects.first(), name="Theirs", order=77)
        assert owner.client.post("/leads/new/", self.form(stages, stage=theirs.pk)).status_code == 422

    def test_a_viewer_may_not(self, viewer, stages):
        assert viewer.client.get("/leads/new/").status_code == 403
        assert viewer.client.post("/leads/new/", self.form(stages)).status_code == 403

    def test_the_addresses_are_what_others_link_to(self):
        assert reverse("crm:lead_detail", args=[4]).endswith("/leads/4/")
        assert reverse("crm:lead_edit", args=[4]).endswith("/leads/4/edit/")
