"""Contacts and companies: who sees them, their pages, and two contacts that become one."""

import json
from datetime import date

import pytest
from django.test.utils import CaptureQueriesContext

from core.errors import Forbidden, Invalid, Missing, Stale
from crm.models import Activity, Company, Contact, FollowUp, Lead
from crm.positions import keys_between
from crm.services import companies, contacts, merging
from crm.services.follow_ups import plan_follow_up
from crm.services.leads import add_note, archive_lead, create_lead
from crm.services.people import find_or_create_contact
from members.models import AuditEntry, Team

HTMX = {"HX-Request": "true"}


@pytest.fixture
def rosa(owner) -> Contact:
    return contacts.create_contact(
        actor=owner.member, name="Rosa Lima", email="rosa@sol.test", phone="(11) 98765-4321", company_name="Padaria Sol"
    )


@pytest.fixture
def south(colleague):
    """Put the sales person into a team of their own."""
    colleague.member.team = Team.objects.create(name="South")
    colleague.member.save()
    return colleague


def lead_of(person, stages, contact: Contact, **facts) -> Lead:
    lead = create_lead(actor=person.member, stage=stages[0], title="Site", owner=person.member, **facts)
    Lead.objects.filter(pk=lead.pk).update(contact=contact, company=contact.company)
    lead.refresh_from_db()
    return lead


def htmx(person, method: str, path: str, data=None, *, target: str = "contact-page"):
    return getattr(person.client, method)(path, data or {}, headers={**HTMX, "HX-Target": target})


def toast_of(response) -> dict:
    return json.loads(response.headers.get("HX-Trigger", "{}")).get("crm:toast", {})


# Who sees whom


def test_sales_people_see_the_contacts_of_leads_that_they_see_and_of_no_lead(owner, south, stages):
    hers, his, nobodys = (Contact.objects.create(name=name) for name in ("Hers", "His", "Nobody's"))
    lead_of(owner, stages, hers)
    lead_of(south, stages, his)
    assert set(Contact.objects.visible_to(south.member)) == {his, nobodys}
    assert set(Contact.objects.visible_to(owner.member)) == {hers, his, nobodys}
    owner.member.team = south.member.team
    owner.member.save()
    assert set(Contact.objects.visible_to(south.member)) == {hers, his, nobodys}


def test_sales_people_see_the_companies_of_what_they_see_and_of_nothing(owner, south, stages):
    for name in ("Hers", "His", "People", "Empty"):
        Company.objects.create(name=name, name_key=name.lower())
    by_name = {company.name: company for company in Company.objects.all()}
    lead_of(owner, stages, Contact.objects.create(name="A", company=by_name["Hers"]))
    lead_of(south, stages, Contact.objects.create(name="B", company=by_name["His"]))
    Contact.objects.create(name="C", company=by_name["People"])
    visible = Company.objects.visible_to(south.member).values_list("name", flat=True)
    assert set(visible) == {"His", "People", "Empty"}


def test_a_deactivated_member_sees_nobody(owner, colleague, rosa):
    colleague.member.is_active = False
    assert not Contact.objects.visible_to(colleague.member).exists()
    assert not Company.objects.visible_to(colleague.member).exists()


def test_somebody_elses_contact_is_not_found_anywhere(owner, south, stages, rosa):
    lead_of(owner, stages, rosa)
    for path in ("", "edit/?field=name"):
        assert south.client.get(f"/contacts/{rosa.pk}/{path}").status_code == 404
    for path in ("edit/", "notes/", "archive/", "restore/", "follow-ups/"):
        data = {"field": "name", "name": "x", "version": 1, "text": "x"}
        response = south.client.post(f"/contacts/{rosa.pk}/{path}", data)
        assert response.status_code == 404, path
    assert "Rosa" not in south.client.get("/contacts/").content.decode()
    assert south.client.get(f"/companies/{rosa.company_id}/").status_code == 404
    rosa.refresh_from_db()
    assert (rosa.name, rosa.version) == ("Rosa Lima", 1)


def test_a_shared_contact_shows_only_the_leads_that_one_sees(owner, south, stages, rosa):
    hers = lead_of(owner, stages, rosa)
    add_note(actor=owner.member, lead_id=hers.pk, text="Her secret")
    plan_follow_up(actor=owner.member, lead_id=hers.pk, day=date(2030, 1, 1), title="Her step")
    lead_of(south, stages, rosa)
    page = south.client.get(f"/contacts/{rosa.pk}/")
    assert page.context["lead_count"] == 1
    for secret in ("Her secret", "Her step"):
        assert secret not in page.content.decode()
    assert "Her secret" in owner.client.get(f"/contacts/{rosa.pk}/").content.decode()


# Lists


def test_the_list_is_searched_by_words_without_accents_and_by_digits(owner, rosa):
    Contact.objects.create(name="João Ávila", email="joao@x.test")
    for words in ("rosa", "avila joao", "8765", "98765-4321", "padaria", "x.test"):
        assert owner.client.get("/contacts/", {"q": words}).context["page"].paginator.count == 1, words
    assert "No contact matches" in owner.client.get("/contacts/", {"q": "zzz"}).content.decode()


def test_the_list_says_its_exact_total_and_pages(owner):
    Contact.objects.bulk_create(Contact(name=f"C{number:03}") for number in range(120))
    page = owner.client.get("/contacts/", {"page": 3}).context["page"]
    assert (page.paginator.count, [contact.name for contact in page][:2]) == (120, ["C100", "C101"])
    assert owner.client.get("/contacts/", {"sort": "-name"}).context["page"][0].name == "C119"


@pytest.mark.parametrize("path", ["/contacts/", "/companies/"])
@pytest.mark.parametrize(
    "query", [{"sort": "nonsense"}, {"page": "x"}, {"page": "-1"}, {"q": "\x00"}, {"q": "%' --"}, {"archived": "?"}]
)
def test_a_query_that_makes_no_sense_breaks_nothing(owner, rosa, path, query):
    assert owner.client.get(path, query).status_code == 200


def test_archived_contacts_and_companies_have_their_own_list(owner, rosa):
    contacts.archive_contact(actor=owner.member, contact_id=rosa.pk)
    companies.archive_company(actor=owner.member, company_id=rosa.company_id)
    for path in ("/contacts/", "/companies/"):
        assert owner.client.get(path).context["page"].paginator.count == 0
        assert owner.client.get(path, {"archived": "on"}).context["page"].paginator.count == 1


def test_lists_and_pages_cost_the_same_queries_however_long(owner, stages, rosa):
    from django.db import connection

    paths = ["/contacts/", "/companies/", f"/contacts/{rosa.pk}/", f"/companies/{rosa.company_id}/"]

    def cost(path: str) -> int:
        owner.client.get(path)
        with CaptureQueriesContext(connection) as caught:
            assert owner.client.get(path).status_code == 200
        return len(caught)

    lead_of(owner, stages, rosa)
    few = {path: cost(path) for path in paths}
    people = Contact.objects.bulk_create(
        Contact(name=f"C{number}", company=Company.objects.create(name=f"K{number}", name_key=f"k{number}"))
        for number in range(30)
    )
    Contact.objects.bulk_create(Contact(name=f"D{number}", company=rosa.company) for number in range(30))
    Lead.objects.bulk_create(
        Lead(title=f"L{number}", stage=stages[1], position=key, contact=person, company=person.company)
        for number, (person, key) in enumerate(zip([*people, *[rosa] * 20], keys_between(None, None, 50), strict=True))
    )
    for number in range(20):
        contacts.add_contact_note(actor=owner.member, contact_id=rosa.pk, text=str(number))
    assert {path: cost(path) for path in paths} == few
    assert max(few.values()) <= 20


# Making and changing


def test_a_contact_is_made_and_the_same_one_is_hinted_at(owner, rosa):
    data = {"name": "R. Lima", "email": "", "phone": "11 8765-4321", "company_name": ""}  # without the ninth digit
    hint = owner.client.get("/contacts/same/", {"phone": data["phone"]}).content.decode()
    assert "Rosa Lima" in hint
    response = owner.client.post("/contacts/new/", data)
    assert response.status_code == 422
    assert "Rosa Lima" in response.content.decode()
    assert Contact.objects.count() == 1
    assert owner.client.post("/contacts/new/", {**data, "is_sure": "on"}).status_code == 302
    assert Contact.objects.count() == 2


def test_a_hint_says_nothing_about_whom_one_does_not_see(owner, south, stages, rosa):
    lead_of(owner, stages, rosa)
    assert "Rosa" not in south.client.get("/contacts/same/", {"email": "rosa@sol.test"}).content.decode()


@pytest.mark.parametrize(
    "bad",
    [{}, {"name": " "}, {"name": "x" * 161}, {"name": "a\x00b"}, {"name": "A", "email": "no"}, {"phone": "1" * 41}],
)
def test_a_bad_contact_is_refused(owner, bad):
    response = owner.client.post("/contacts/new/", bad)
    assert response.status_code == 422
    assert not Contact.objects.exists()


def test_facts_are_changed_in_place_and_leads_hear_of_it(owner, stages, rosa):
    lead = lead_of(owner, stages, rosa)
    form = htmx(owner, "get", f"/contacts/{rosa.pk}/edit/?field=phone").content.decode()
    assert 'value="(11) 98765-4321"' in form
    data = {"field": "name", "name": "Rosa Maria", "version": rosa.version}
    assert "Rosa Maria" in htmx(owner, "post", f"/contacts/{rosa.pk}/edit/", data).content.decode()
    assert Lead.objects.get(pk=lead.pk).version == lead.version + 1
    assert AuditEntry.objects.get(action="contact.changed").detail.before == {"name": "Rosa Lima"}
    stale = htmx(owner, "post", f"/contacts/{rosa.pk}/edit/", {**data, "name": "Mine"})
    assert (stale.status_code, 'value="Mine"' in stale.content.decode()) == (409, True)


def test_a_lead_that_changes_its_contact_counts_the_contact_up(rosa):
    found = find_or_create_contact(name="", email="rosa@sol.test", phone="", company=None)
    assert (found, found.version) == (rosa, 1)
    Contact.objects.filter(pk=rosa.pk).update(phone="", phone_key="")
    assert find_or_create_contact(name="", email="rosa@sol.test", phone="11987654321", company=None).version == 2


@pytest.mark.parametrize(
    "data",
    [{"field": "archived_at"}, {"field": ""}, {"field": "email", "email": "no", "version": 1},
     {"field": "name", "name": "x"}, {"field": "name", "name": "x", "version": "x"}],
)  # fmt: skip
def test_a_bad_change_changes_nothing(owner, rosa, data):
    assert htmx(owner, "post", f"/contacts/{rosa.pk}/edit/", data).status_code == 422
    rosa.refresh_from_db()
    assert rosa.version == 1


def test_a_contact_keeps_something_that_says_who_it_is(owner):
    contact = Contact.objects.create(name="Only")
    with pytest.raises(Invalid):
        contacts.change_contact(actor=owner.member, contact_id=contact.pk, name=" ")


def test_one_timeline_holds_the_contacts_notes_and_its_leads_history(owner, stages, rosa):
    lead = lead_of(owner, stages, rosa)
    htmx(owner, "post", f"/contacts/{rosa.pk}/notes/", {"text": "Likes mornings"})
    add_note(actor=owner.member, lead_id=lead.pk, text="Wants a site")
    for path in (f"/contacts/{rosa.pk}/", f"/companies/{rosa.company_id}/"):
        page = owner.client.get(path).content.decode()
        assert "Likes mornings" in page
        assert "Wants a site" in page
    assert htmx(owner, "post", f"/contacts/{rosa.pk}/notes/", {"text": " "}).status_code == 422


def test_archiving_can_be_undone_and_new_leads_do_not_find_the_archived(owner, rosa):
    response = htmx(owner, "post", f"/contacts/{rosa.pk}/archive/", {"version": rosa.version})
    undo = toast_of(response)["action"]
    assert find_or_create_contact(name="R", email="rosa@sol.test", phone="", company=None) != rosa
    data = {"field": "name", "name": "x", "version": 2}
    assert htmx(owner, "post", f"/contacts/{rosa.pk}/edit/", data).status_code == 422
    assert owner.client.post(undo["url"], undo["values"], headers=HTMX).status_code == 204
    rosa.refresh_from_db()
    assert rosa.archived_at is None


def test_who_may_only_look_changes_nothing(viewer, rosa):
    page = viewer.client.get(f"/contacts/{rosa.pk}/").content.decode()
    assert "Rosa Lima" in page
    for handle in ("fact-name-edit", "/archive/", "/merge/", "note-text", "plan-step"):
        assert handle not in page, handle
    for path in ("edit/", "notes/", "archive/"):
        data = {"field": "name", "name": "x", "version": 1, "text": "x"}
        assert viewer.client.post(f"/contacts/{rosa.pk}/{path}", data).status_code == 403
    for path in ("/contacts/new/", "/companies/new/", f"/contacts/{rosa.pk}/merge/"):
        assert viewer.client.get(path).status_code == 403


def test_what_people_typed_is_escaped(owner):
    contact = contacts.create_contact(actor=owner.member, name="<script>alert(1)</script>", company_name="<b>Sol</b>")
    for path in ("/contacts/", f"/contacts/{contact.pk}/", "/companies/", f"/companies/{contact.company_id}/"):
        page = owner.client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<b>Sol" not in page


# Companies


def test_a_company_is_made_renamed_and_its_name_is_taken_once(owner, stages, rosa):
    assert owner.client.post("/companies/new/", {"name": "PADARIA  SÓL"}).status_code == 422
    assert owner.client.post("/companies/new/", {"name": "Livraria"}).status_code == 302
    lead = lead_of(owner, stages, rosa)
    path = f"/companies/{rosa.company_id}/edit/"
    response = htmx(owner, "post", path, {"field": "name", "name": "Livraria", "version": 1}, target="company-page")
    assert response.status_code == 422
    response = htmx(owner, "post", path, {"field": "name", "name": "Padaria Lua", "version": 1}, target="company-page")
    assert "Padaria Lua" in response.content.decode()
    assert Lead.objects.get(pk=lead.pk).version == lead.version + 1
    stale = htmx(owner, "post", path, {"field": "name", "name": "Mine", "version": 1}, target="company-page")
    assert stale.status_code == 409


def test_a_company_that_is_named_again_leaves_the_archive(owner, rosa):
    companies.archive_company(actor=owner.member, company_id=rosa.company_id)
    contacts.create_contact(actor=owner.member, name="New", company_name="padaria sol")
    assert Company.objects.get().archived_at is None


# Merging


@pytest.fixture
def double(owner) -> Contact:
    return contacts.create_contact(actor=owner.member, name="R. Lima", email="r.lima@sol.test")


def test_a_merge_moves_everything_and_archives_the_other(owner, stages, rosa, double):
    lead = lead_of(owner, stages, double)
    plan_follow_up(actor=owner.member, contact_id=double.pk, day=date(2030, 1, 1))
    contacts.add_contact_note(actor=owner.member, contact_id=double.pk, text="Met at the fair")
    path = f"/contacts/{rosa.pk}/merge/{double.pk}/"
    page = owner.client.get(path)
    assert (page.context["moving"].leads, page.context["moving"].follow_ups, page.context["moving"].notes) == (1, 1, 1)
    assert "cannot be undone" in page.content.decode()
    double.refresh_from_db()
    data = {"version": rosa.version, "other_version": double.version, "name": "this", "email": "other", "phone": "this",
            "company": "this"}  # fmt: skip
    assert owner.client.post(path, data).status_code == 302
    rosa.refresh_from_db()
    double.refresh_from_db()
    assert (rosa.name, rosa.email, rosa.phone) == ("Rosa Lima", "r.lima@sol.test", "+5511987654321")
    assert (double.merged_into, double.archived_at is None) == (rosa, False)
    assert Lead.objects.get(pk=lead.pk).contact == rosa
    assert FollowUp.objects.get().contact == rosa
    assert not Activity.objects.filter(contact=double).exists()
    entry = AuditEntry.objects.get(action="contact.merged")
    assert entry.facts["leads"] == [lead.pk]
    page = owner.client.get(f"/contacts/{rosa.pk}/").content.decode()
    assert "Met at the fair" in page
    assert "R. Lima" in page
    assert "became part of another" in owner.client.get(f"/contacts/{double.pk}/").content.decode()
    assert Lead.objects.get(pk=lead.pk).version > lead.version


def test_a_merged_contact_does_not_come_back(owner, rosa, double):
    merging.merge_contacts(actor=owner.member, contact_id=rosa.pk, other_id=double.pk, from_other={})
    with pytest.raises(Invalid):
        contacts.restore_contact(actor=owner.member, contact_id=double.pk)


def test_what_the_first_has_not_it_takes_from_the_other(owner, rosa):
    bare = Contact.objects.create(name="Bare")
    merged = merging.merge_contacts(actor=owner.member, contact_id=bare.pk, other_id=rosa.pk, from_other={})
    assert (merged.name, merged.email, merged.company) == ("Bare", "rosa@sol.test", rosa.company)
    assert merged.phone_key == "+5511987654321"


def test_pointers_of_earlier_merges_follow(owner, rosa, double):
    third = Contact.objects.create(name="Third")
    merging.merge_contacts(actor=owner.member, contact_id=double.pk, other_id=third.pk, from_other={})
    merging.merge_contacts(actor=owner.member, contact_id=rosa.pk, other_id=double.pk, from_other={})
    assert Contact.objects.get(pk=third.pk).merged_into == rosa


def test_a_merge_of_what_changed_meanwhile_is_refused(owner, rosa, double):
    with pytest.raises(Stale):
        merging.merge_contacts(
            actor=owner.member, contact_id=rosa.pk, other_id=double.pk, from_other={}, version=1, other_version=9
        )
    path = f"/contacts/{rosa.pk}/merge/{double.pk}/"
    sides = dict.fromkeys(("name", "email", "phone", "company"), "this")
    assert owner.client.post(path, {**sides, "version": 1, "other_version": 9}).status_code == 409
    assert owner.client.post(path, {"version": 1, "other_version": 1}).status_code == 422
    assert owner.client.post(path, {**sides, "name": "neither", "version": 1, "other_version": 1}).status_code == 422
    assert not Contact.objects.exclude(merged_into=None).exists()


def test_only_who_sees_everything_merges(colleague, viewer, owner, rosa, double):
    for person in (colleague, viewer):
        with pytest.raises(Forbidden):
            merging.merge_contacts(actor=person.member, contact_id=rosa.pk, other_id=double.pk, from_other={})
        assert person.client.get(f"/contacts/{rosa.pk}/merge/{double.pk}/").status_code == 403


def test_nobody_is_merged_with_themselves_with_nobody_or_from_the_archive(owner, rosa, double):
    with pytest.raises(Invalid):
        merging.merge_contacts(actor=owner.member, contact_id=rosa.pk, other_id=rosa.pk, from_other={})
    with pytest.raises(Missing):
        merging.merge_contacts(actor=owner.member, contact_id=rosa.pk, other_id=999999, from_other={})
    contacts.archive_contact(actor=owner.member, contact_id=double.pk)
    with pytest.raises(Invalid):
        merging.merge_contacts(actor=owner.member, contact_id=rosa.pk, other_id=double.pk, from_other={})
    assert owner.client.get(f"/contacts/{rosa.pk}/merge/{rosa.pk}/").status_code == 422


def test_the_other_is_found_by_the_same_phone_first_and_by_words(owner, rosa, double):
    twin = Contact.objects.create(name="Twin", phone="+551187654321", phone_key="+5511987654321")
    assert owner.client.get(f"/contacts/{rosa.pk}/merge/").context["found"] == [twin]
    assert owner.client.get(f"/contacts/{rosa.pk}/merge/", {"q": "r.lima"}).context["found"] == [double]
    assert "Compare and merge" in owner.client.get(f"/contacts/{rosa.pk}/").content.decode()


def test_archived_leads_count_as_leads_of_somebody(owner, south, stages, rosa):
    lead = lead_of(owner, stages, rosa)
    archive_lead(actor=owner.member, lead_id=lead.pk)
    assert not Contact.objects.visible_to(south.member).exists()
