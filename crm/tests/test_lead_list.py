"""The list of leads: found, filtered, sorted, paged, and taken away as a spreadsheet."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from crm.models import Lead
from crm.positions import keys_between
from crm.services import leads as service
from members.models import AuditEntry
from members.services.people import change_member, create_team


@pytest.fixture
def leads(owner, colleague, stages) -> dict[str, Lead]:
    """Four leads that differ in everything the list can tell apart."""
    make = service.create_lead
    made = {
        "sol": make(
            actor=owner.member,
            stage=stages[0],
            title="Padaria Sol",
            value=Decimal(300),
            owner=owner.member,
            source="Site",
            company_name="Café São João",
            email="rui@sol.test",
            tags=["quente"],
        ),
        "lua": make(
            actor=owner.member,
            stage=stages[1],
            title="Clínica Lua",
            value=Decimal(100),
            owner=colleague.member,
            source="Feira",
            contact_name="Eva Lima",
            phone="11 91234-5678",
        ),
        "mar": make(
            actor=owner.member, stage=stages[2], title="Ótica Mar", value=Decimal(200), source="Site", external_id="x-7"
        ),
        "rio": make(actor=owner.member, stage=stages[-1], title="Bistrô Rio", owner=owner.member),
    }
    for number, lead in enumerate(made.values()):
        Lead.objects.filter(pk=lead.pk).update(created_at=datetime(2026, 3, 1 + number, 12, tzinfo=UTC))
    return made


def titles(person, query: str) -> list[str]:
    response = person.client.get(f"/leads/?{query}")
    assert response.status_code == 200
    return [lead.title for lead in response.context["page"]]


SOL, LUA, MAR, RIO = "Padaria Sol", "Clínica Lua", "Ótica Mar", "Bistrô Rio"


@pytest.mark.usefixtures("leads")
class TestFinding:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=padaria", [SOL]),
            ("q=sao+joao", [SOL]),
            ("q=OTICA", [MAR]),
            ("q=rui@sol", [SOL]),
            ("q=eva", [LUA]),
            ("q=91234", [LUA]),
            ("q=x-7", [MAR]),
            ("q=padaria+lua", []),
            ("q=%25", []),
            ("q=_", []),
            ("source=Site", [MAR, SOL]),
            ("owner=me", [RIO, SOL]),
            ("owner=none", [MAR]),
            ("outcome=won", [RIO]),
            ("outcome=open", [MAR, LUA, SOL]),
            ("outcome=lost", []),
            ("archived=on", []),
            ("source=Site&owner=me", [SOL]),
        ],
    )
    def test_by_words_and_facts(self, owner, query, found):
        assert titles(owner, query) == found

    def test_by_stage_owner_and_tag(self, owner, colleague, stages, leads):
        assert titles(owner, f"stage={stages[1].pk}") == [LUA]
        assert titles(owner, f"owner={colleague.member.pk}") == [LUA]
        assert titles(owner, f"tag={leads['sol'].tags.get().pk}") == [SOL]

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("", [RIO, MAR, LUA, SOL]),
            ("created", [SOL, LUA, MAR, RIO]),
            ("title", [RIO, LUA, MAR, SOL]),
            ("-title", [SOL, MAR, LUA, RIO]),
            ("value", [LUA, MAR, SOL, RIO]),
            ("-value", [SOL, MAR, LUA, RIO]),
            ("stage", [SOL, LUA, MAR, RIO]),
            ("owner", [RIO, SOL, LUA, MAR]),
            ("company", [SOL, RIO, MAR, LUA]),
            ("source", [RIO, LUA, MAR, SOL]),
        ],
    )
    def test_in_every_order_accents_aside_and_with_nothing_last(self, owner, sort, order):
        assert titles(owner, f"sort={sort}") == order

    def test_archived_leads_stand_apart(self, owner, leads):
        service.archive_lead(actor=owner.member, lead_id=leads["sol"].pk)
        assert SOL not in titles(owner, "")
        assert titles(owner, "archived=on") == [SOL]

    @pytest.mark.parametrize(
        "query",
        [
            "q=%00",
            "owner=%00",
            "owner=999999",
            "owner=x",
            "stage=x",
            "stage=" + "9" * 30,
            "tag=-1",
            "outcome=maybe",
            "sort=password",
            "sort=stage__pipeline",
            "page=x",
            "page=0",
            "page=-1",
            "page=" + "9" * 5000,
            "source=%00",
            "q=" + "x" * 5000,
        ],
    )
    def test_what_means_nothing_filters_nothing(self, owner, query):
        assert len(titles(owner, query)) == 4

    def test_a_script_in_the_search_stays_text(self, owner):
        response = owner.client.get("/leads/", {"q": '"><script>alert(1)</script>'})
        assert b"<script>alert(1)" not in response.content


class TestSeeing:
    def test_sales_see_their_own_their_teams_and_nobodys(self, owner, colleague, leads):
        team = create_team(actor=owner.member, name="Contas")
        change_member(actor=owner.member, member_id=colleague.member.pk, role="sales", team_id=team.pk)
        assert titles(colleague, "") == [MAR, LUA]

    def test_an_empty_organization_says_what_to_do(self, owner, viewer):
        page = owner.client.get("/leads/").content.decode()
        assert "No leads yet" in page
        assert owner.client.at("/leads/new/") in page
        page = viewer.client.get("/leads/").content.decode()
        assert "No leads yet" in page
        assert viewer.client.at("/leads/new/") not in page

    def test_filters_that_hide_everything_can_be_cleared(self, owner, leads):
        page = owner.client.get("/leads/?q=nothing").content.decode()
        assert "No lead matches" in page
        assert "Clear filters" in page

    def test_a_change_of_filters_brings_only_the_results_and_a_clean_address(self, owner, leads):
        response = owner.client.get(
            "/leads/?q=sol&owner=&source=&sort=", headers={"HX-Request": "true", "HX-Target": "lead-results"}
        )
        assert b"<html" not in response.content
        assert response["HX-Push-Url"] == owner.client.at("/leads/?q=sol")

    def test_fifty_a_page_counted_exactly_in_few_queries(self, owner, stages, django_assert_max_num_queries):
        keys = keys_between(None, None, 120)
        Lead.objects.bulk_create(
            Lead(title=f"Lead {number}", stage=stages[0], position=key, owner=owner.member, source=f"source {number}")
            for number, key in enumerate(keys)
        )
        with django_assert_max_num_queries(18):
            first = owner.client.get("/leads/?source=")
        assert len(first.context["page"]) == 50
        assert "1–50 of 120" in first.content.decode()
        last = owner.client.get("/leads/?page=99&sort=title")
        assert len(last.context["page"]) == 20
        assert "sort=title" in last.content.decode()


class TestExport:
    def rows(self, person, query: str = "") -> list[list[str]]:
        response = person.client.get(f"/leads/export.csv?{query}")
        assert response.status_code == 200
        text = b"".join(response.streaming_content).decode()
        assert text.startswith("\ufeff")
        return list(csv.reader(io.StringIO(text[1:]), delimiter=";" if person.user.language == "pt-br" else ","))

    def test_it_holds_what_the_list_shows_in_its_order(self, owner, leads):
        rows = self.rows(owner, "source=Site&sort=value")
        assert [row[0] for row in rows] == ["Title", MAR, SOL]
        assert rows[2][1:8] == ["300.00", "BRL", "Lead", "Open", "", "Ana Owner", "Site"]

    def test_brazilians_get_semicolons_and_decimal_commas(self, owner, leads):
        owner.user.language = "pt-br"
        owner.user.save()
        assert self.rows(owner, "q=sol")[1][1] == "300,00"

    def test_no_cell_is_a_formula(self, owner, stages):
        service.create_lead(
            actor=owner.member, stage=stages[0], title='=HYPERLINK("http://x")', source="+cmd|x", contact_name="@x"
        )
        row = self.rows(owner)[1]
        assert row[0] == '\'=HYPERLINK("http://x")'
        assert row[7] == "'+cmd|x"
        assert row[8] == "'@x"

    def test_all_of_a_lead_is_there_in_the_organizations_zone(self, owner, leads):
        Lead.objects.filter(pk=leads["lua"].pk).update(expected_close=date(2030, 1, 2), created_at="2026-03-02T01:30Z")
        row = self.rows(owner, "q=lua")[1]
        assert row[8:] == ["Eva Lima", "", "(11) 91234-5678", "", "", "2030-01-02", "2026-03-01 22:30", ""]

    def test_it_is_on_the_trail_with_a_count_and_no_names(self, owner, organization, leads):
        self.rows(owner, "source=Site")
        entry = AuditEntry.objects.get(action="lead.exported")
        assert (entry.actor, entry.target, entry.target_id, entry.facts) == (
            owner.member,
            "organization",
            organization.pk,
            {"count": 2},
        )

    def test_many_come_in_pieces_and_each_finds_the_organization_again(self, owner, stages):
        from django.db import connection

        Lead.objects.bulk_create(
            Lead(title=f"Lead {number}", stage=stages[0], position=key)
            for number, key in enumerate(keys_between(None, None, 1100))
        )
        response = owner.client.get("/leads/export.csv?sort=created")
        here = connection.tenant
        connection.set_schema_to_public()  # as a server does: the request is over, the body is still to come
        pieces = list(response.streaming_content)
        assert connection.schema_name == "public"
        connection.set_tenant(here)
        assert len(pieces) == 4
        assert b"".join(pieces).count(b"\r\n") == 1101

    def test_only_who_may(self, colleague, viewer, leads):
        for person in (colleague, viewer):
            assert person.client.get("/leads/export.csv").status_code == 403
            assert "export.csv" not in person.client.get("/leads/").content.decode()
        assert not AuditEntry.objects.filter(action="lead.exported").exists()

    def test_its_name_says_whose_and_when(self, owner, leads):
        response = owner.client.get("/leads/export.csv")
        day = timezone.localdate(timezone=None).isoformat()
        assert response["Content-Disposition"].startswith('attachment; filename="leads-acme-')
        assert day[:7] in response["Content-Disposition"]
