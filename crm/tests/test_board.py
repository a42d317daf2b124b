"""The board: what each person sees of it, and how it catches up."""

import json
import re
from decimal import Decimal

import pytest
from django.test.utils import CaptureQueriesContext

from crm.models import Company, Contact, Lead, Pipeline, Stage, Tag
from crm.positions import keys_between
from crm.services.leads import archive_lead, create_lead, lose_lead, move_lead
from members.models import Team

HTMX = {"HX-Request": "true"}


def fill(stage: Stage, count: int, **facts) -> list[Lead]:
    """Put leads named `<stage> 0`, `<stage> 1`, … into an empty column."""
    return Lead.objects.bulk_create(
        Lead(title=f"{stage.name} {number}", stage=stage, position=key, **facts)
        for number, key in enumerate(keys_between(None, None, count))
    )


def cards_of(response) -> list[str]:
    return re.findall(r'<li class="crm-card" id="lead-(\d+)"', response.content.decode())


def titles_of(response) -> list[str]:
    return re.findall(r'crm-card-title"><a [^>]*>([^<]*)<', response.content.decode())


def count_of(response, stage: Stage) -> str:
    header = response.content.decode().split(f'id="stage-{stage.pk}-header"')[1].split("</header>")[0]
    return re.search(r"data-count-text>([^<]*)<", header)[1]


def worth_of(response, stage: Stage) -> str:
    header = response.content.decode().split(f'id="stage-{stage.pk}-header"')[1].split("</header>")[0]
    found = re.search(r"crm-column-total\"[^>]*>([^<]*)<", header)
    return found[1].replace("\u00a0", " ") if found else ""


def toast_of(response) -> dict:
    return json.loads(response.headers.get("HX-Trigger", "{}")).get("crm:toast", {})


def alone(person) -> Team:
    """Put somebody into a team of their own."""
    person.member.team = Team.objects.create(name="South")
    person.member.save()
    return person.member.team


# Columns


def test_a_column_counts_and_adds_up_all_its_leads_however_many_are_loaded(owner, stages):
    fill(stages[0], 35, value=Decimal(100))
    response = owner.client.get("/board/")
    assert len(cards_of(response)) == 30
    assert count_of(response, stages[0]) == "35"
    assert worth_of(response, stages[0]) == "R$3.5k"
    assert count_of(response, stages[1]) == "0"
    assert "data-more-mark" in response.content.decode()


def test_currencies_are_added_up_apart(owner, stages):
    for currency, value in (("BRL", 100), ("USD", 900), ("BRL", 50)):
        create_lead(actor=owner.member, stage=stages[0], title="Any", value=Decimal(value), currency=currency)
    assert worth_of(owner.client.get("/board/"), stages[0]) == "$900 + R$150"


def test_more_of_a_column_goes_on_where_the_loaded_part_ends(owner, pipeline, stages):
    leads = fill(stages[0], 65)
    path = f"/board/{pipeline.pk}/column/{stages[0].pk}/"
    second = owner.client.get(path, {"after": leads[29].position})
    assert cards_of(second) == [str(lead.pk) for lead in leads[30:60]]
    assert "data-more-mark" in second.content.decode()
    last = owner.client.get(path, {"after": leads[59].position})
    assert cards_of(last) == [str(lead.pk) for lead in leads[60:]]
    assert "data-more-mark" not in last.content.decode()


@pytest.mark.parametrize(("asked", "given"), [("50", 50), ("5000", 100), ("0", 1), ("-3", 30), ("x", 30), ("٣", 30)])
def test_a_column_gives_as_many_cards_as_asked_up_to_a_hundred(owner, stages, asked, given):
    fill(stages[0], 120)
    assert len(cards_of(owner.client.get("/board/", {"per_column": asked}))) == given


def test_won_leads_stay_on_the_board_lost_and_archived_ones_leave_it(owner, stages):
    kept, lost, archived = (
        create_lead(actor=owner.member, stage=stages[0], title=title) for title in ("Kept", "Lost", "Gone")
    )
    move_lead(actor=owner.member, lead_id=kept.pk, stage_id=stages[4].pk)
    lose_lead(actor=owner.member, lead_id=lost.pk, reason="price")
    archive_lead(actor=owner.member, lead_id=archived.pk)
    assert titles_of(owner.client.get("/board/")) == ["Kept"]


def test_a_card_shows_its_facts_and_escapes_what_people_typed(owner, stages):
    company = Company.objects.create(name="Padaria <Sol>", name_key="padaria sol")
    lead = fill(stages[0], 1, company=company, value=Decimal("4200"), owner=owner.member)[0]
    Lead.objects.filter(pk=lead.pk).update(title="<script>alert(1)</script>")
    for name in ("d", "c", "B", "a", "e"):
        lead.tags.add(Tag.objects.create(name=f"{name}<b>"))
    html = owner.client.get("/board/").content.decode()
    card = html[html.index('<li class="crm-card"') :].split("</li>")[0]
    assert "<script>alert" not in card
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in card
    assert "Padaria &lt;Sol&gt;" in card
    assert "R$4.2k" in card
    assert "Ana Owner" in card
    assert re.findall(r'data-color="slate">([^<]*)&lt;', card) == ["a", "B", "c"]
    assert "+2</span>" in card
    assert f'href="/o/acme/leads/{lead.pk}/"' in card
    assert f'data-v="1" data-stage="{stages[0].pk}" data-p="{lead.position}"' in card


def test_a_pipeline_that_does_not_exist_is_not_found(owner):
    assert owner.client.get("/board/999999/").status_code == 404
    assert owner.client.get("/board/999999/delta/", {"ids": "1"}).status_code == 404


def test_a_stage_of_another_pipeline_is_not_found_on_this_board(owner, pipeline):
    other = Stage.objects.create(pipeline=Pipeline.objects.create(name="Other"), name="There")
    assert owner.client.get(f"/board/{pipeline.pk}/column/{other.pk}/").status_code == 404
    assert owner.client.post(f"/board/{pipeline.pk}/stage/{other.pk}/leads/", {"title": "x"}).status_code == 404


# Who sees what


def test_sales_people_see_and_count_their_own_their_teams_and_unowned_leads(owner, colleague, stages):
    team = alone(colleague)
    for title, who in (("Mine", colleague.member), ("Nobody's", None), ("Ana's", owner.member)):
        create_lead(actor=owner.member, stage=stages[0], title=title, value=Decimal(10), owner=who)
    response = colleague.client.get("/board/")
    assert sorted(titles_of(response)) == ["Mine", "Nobody&#39;s"]
    assert (count_of(response, stages[0]), worth_of(response, stages[0])) == ("2", "R$20")
    owner.member.team = team
    owner.member.save()
    assert count_of(colleague.client.get("/board/"), stages[0]) == "3"


def test_who_may_only_look_gets_no_handles(viewer, owner, stages):
    fill(stages[0], 1)
    board = viewer.client.get("/board/").content.decode()
    assert "crm-card" in board
    for handle in ("crm-card-menu", "board-move", "data-may-move", "data-quick-open"):
        assert handle not in board, handle
        assert handle in owner.client.get("/board/").content.decode(), handle


# Filters


def test_filters_narrow_cards_and_totals_alike(owner, colleague, stages):
    anna = Contact.objects.create(name="Conceição Araújo")
    fill(stages[0], 3, owner=owner.member, source="site", value=Decimal(5))
    fill(stages[1], 2, owner=colleague.member, source="Instagram & co")
    fill(stages[2], 1, contact=anna)
    for query, counts in (
        ({"owner": "me"}, "300"),
        ({"owner": str(colleague.member.pk)}, "020"),
        ({"owner": "none"}, "001"),
        ({"source": "Instagram & co"}, "020"),
        ({"q": "conceicao"}, "001"),
        ({"q": "lead", "owner": "me"}, "300"),
        ({"q": "lead", "owner": "none"}, "000"),
    ):
        response = owner.client.get("/board/", query)
        assert "".join(count_of(response, stage) for stage in stages[:3]) == counts, query
        assert len(cards_of(response)) == sum(map(int, counts))
        assert "data-removable" in response.content.decode()


@pytest.mark.parametrize(
    "query", [{"owner": "x"}, {"owner": "-1"}, {"owner": "9" * 30}, {"q": "\x00"}, {"per_column": "9" * 99}]
)
def test_a_filter_that_makes_no_sense_filters_nothing(owner, stages, query):
    fill(stages[0], 2)
    response = owner.client.get("/board/", query)
    assert response.status_code == 200
    assert len(cards_of(response)) == 2


def test_a_change_of_filters_brings_the_region_alone_and_a_clean_address(owner, pipeline, stages):
    fill(stages[0], 2, source="site")
    headers = {**HTMX, "HX-Target": "board-region"}
    response = owner.client.get(f"/board/{pipeline.pk}/", {"q": "", "owner": "", "source": "site"}, headers=headers)
    assert "<html" not in response.content.decode()
    assert len(cards_of(response)) == 2
    assert response.headers["HX-Replace-Url"] == f"/o/acme/board/{pipeline.pk}/?source=site"
    assert 'data-query="source=site"' in response.content.decode()


def test_an_empty_pipeline_offers_three_ways_to_begin_and_filters_one_way_back(owner, viewer, stages):
    begin = owner.client.get("/board/").content.decode()
    assert "No leads yet" in begin
    assert "/o/acme/imports/" in begin.split("No leads yet")[1]
    assert "/o/acme/people/" in begin.split("No leads yet")[1]
    assert "Import a spreadsheet" not in viewer.client.get("/board/").content.decode()
    fill(stages[0], 1)
    nothing = owner.client.get("/board/", {"q": "nobody"}).content.decode()
    assert "No lead matches these filters" in nothing
    assert "No leads yet" not in nothing


# Catching up


def test_the_delta_gives_cards_that_are_here_and_marks_those_that_are_not(owner, colleague, pipeline, stages):
    alone(colleague)
    seen, hidden, archived = (
        create_lead(actor=owner.member, stage=stages[0], title=title, owner=who)
        for title, who in (("Seen", colleague.member), ("Hidden", owner.member), ("Archived", colleague.member))
    )
    archive_lead(actor=owner.member, lead_id=archived.pk)
    ids = [seen.pk, hidden.pk, archived.pk, 999999]
    response = colleague.client.get(
        f"/board/{pipeline.pk}/delta/", {"ids": ",".join(map(str, ids)), "stages": str(stages[0].pk)}, headers=HTMX
    )
    assert cards_of(response) == [str(seen.pk)]
    # What one may not see looks like what does not exist.
    gone = re.findall(r'<li id="lead-(\d+)" data-gone></li>', response.content.decode())
    assert gone == sorted(map(str, [hidden.pk, archived.pk, 999999]), key=int)
    assert "Hidden" not in response.content.decode()
    assert count_of(response, stages[0]) == "1"
    assert f"stage-{stages[1].pk}" not in response.content.decode()


def test_the_delta_keeps_to_the_filters(owner, pipeline, stages):
    lead = create_lead(actor=owner.member, stage=stages[0], title="Site", source="site")
    path = f"/board/{pipeline.pk}/delta/"
    assert cards_of(owner.client.get(path, {"ids": str(lead.pk), "source": "site"})) == [str(lead.pk)]
    assert cards_of(owner.client.get(path, {"ids": str(lead.pk), "source": "fair"})) == []


def test_the_delta_says_who_moved_what_to_everybody_else(owner, manager, pipeline, stages):
    first, second = (
        create_lead(actor=owner.member, stage=stages[0], title=title) for title in ("Padaria Sol", "Clínica")
    )
    path = f"/board/{pipeline.pk}/delta/"
    assert toast_of(manager.client.get(path, {"ids": f"{first.pk}"})) == {}
    move_lead(actor=owner.member, lead_id=first.pk, stage_id=stages[2].pk)
    assert toast_of(manager.client.get(path, {"ids": f"{first.pk}"})) == {
        "category": "info",
        "title": "Ana Owner moved Padaria Sol to Proposta",
    }
    assert toast_of(owner.client.get(path, {"ids": f"{first.pk}"})) == {}
    move_lead(actor=owner.member, lead_id=second.pk, stage_id=stages[1].pk)
    both = toast_of(manager.client.get(path, {"ids": f"{first.pk},{second.pk}"}))
    assert both["title"] == "Ana Owner moved Clínica to Contato"
    assert both["description"] == "and 1 more change"


def test_a_move_of_long_ago_is_not_news_when_something_else_changes(owner, manager, pipeline, stages):
    from crm.services.leads import change_lead

    lead = create_lead(actor=owner.member, stage=stages[0], title="Padaria Sol")
    move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[2].pk)
    change_lead(actor=owner.member, lead_id=lead.pk, title="Padaria Lua")
    assert toast_of(manager.client.get(f"/board/{pipeline.pk}/delta/", {"ids": f"{lead.pk}"})) == {}


@pytest.mark.parametrize("ids", ["x", "1;2", "-1", "9" * 20, ",".join(map(str, range(101)))])
def test_the_delta_refuses_what_are_no_ids(owner, pipeline, ids):
    assert owner.client.get(f"/board/{pipeline.pk}/delta/", {"ids": ids}, headers=HTMX).status_code == 422


def test_all_columns_can_be_drawn_anew_with_the_position_they_show(owner, pipeline, stages):
    fill(stages[0], 40)
    response = owner.client.get(f"/board/{pipeline.pk}/columns/", {"per_column": "40"}, headers=HTMX)
    assert len(cards_of(response)) == 40
    assert re.search(r'id="board" [^>]*data-epoch="\w*" data-number="\d+"', response.content.decode())
    assert "<html" not in response.content.decode()


# New leads


def test_a_lead_is_made_in_a_column_and_belongs_to_its_maker(owner, pipeline, stages):
    fill(stages[1], 2)
    path = f"/board/{pipeline.pk}/stage/{stages[1].pk}/leads/"
    response = owner.client.post(path, {"title": "Nova", "value": "4,200.50"}, headers=HTMX)
    lead = Lead.objects.get(title="Nova")
    assert (lead.value, lead.currency, lead.owner, lead.created_by) == (
        Decimal("4200.50"),
        "BRL",
        owner.member,
        owner.member,
    )
    assert cards_of(response) == [str(lead.pk)]
    assert count_of(response, stages[1]) == "3"
    assert lead.position < min(Lead.objects.exclude(pk=lead.pk).values_list("position", flat=True))


@pytest.mark.parametrize(
    "typed",
    [
        {"title": "", "value": "12"},
        {"title": "  ", "value": ""},
        {"title": "x" * 201, "value": ""},
        {"title": "Kept", "value": "many"},
        {"title": "Kept", "value": "-5"},
        {"title": "Kept", "value": "9" * 20},
    ],
)
def test_a_bad_new_lead_is_refused_in_place_and_keeps_what_was_typed(owner, pipeline, stages, typed):
    response = owner.client.post(f"/board/{pipeline.pk}/stage/{stages[0].pk}/leads/", typed, headers=HTMX)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.content.decode()
    assert typed["title"].strip() in response.content.decode()
    assert not Lead.objects.exists()


def test_a_new_lead_that_the_filters_hide_is_said_to_be_there(owner, pipeline, stages):
    path = f"/board/{pipeline.pk}/stage/{stages[0].pk}/leads/?source=fair"
    response = owner.client.post(path, {"title": "Nova", "value": ""}, headers=HTMX)
    assert cards_of(response) == []
    assert toast_of(response)["title"] == "The lead was created, but the filters hide it."


def test_who_may_only_look_makes_no_lead(viewer, pipeline, stages):
    path = f"/board/{pipeline.pk}/stage/{stages[0].pk}/leads/"
    assert viewer.client.post(path, {"title": "Nova"}, headers=HTMX).status_code == 403
    assert not Lead.objects.exists()


# Queries


def queries(django_db_connection, work) -> int:
    with CaptureQueriesContext(django_db_connection) as caught:
        response = work()
    assert response.status_code == 200
    return len([query for query in caught if "SAVEPOINT" not in query["sql"]])


def test_a_board_costs_the_same_queries_however_much_is_on_it(owner, pipeline, stages):
    from django.db import connection

    fill(stages[0], 1)
    owner.client.get("/board/")
    few = queries(connection, lambda: owner.client.get("/board/"))
    tag = Tag.objects.create(name="any")
    for number in range(6):
        stage = Stage.objects.create(pipeline=pipeline, name=f"S{number}", order=10 + number)
        for lead in fill(stage, 40, owner=owner.member, value=1):
            lead.tags.add(tag)
    assert queries(connection, lambda: owner.client.get("/board/")) == few
    ids = ",".join(str(pk) for pk in Lead.objects.values_list("pk", flat=True)[:100])
    path = f"/board/{pipeline.pk}/delta/"
    one = queries(connection, lambda: owner.client.get(path, {"ids": ids.split(",")[0], "stages": str(stages[0].pk)}))
    every = ",".join(str(stage.pk) for stage in pipeline.stages.all())
    assert queries(connection, lambda: owner.client.get(path, {"ids": ids, "stages": every})) == one
    assert few <= 20
    assert one <= 14
