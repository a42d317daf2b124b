"""Organizations are made whole, found by path, and opened to members only."""

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from core.errors import Invalid
from crm.models import Lead, Pipeline
from members.models import AuditEntry, Member, Role
from tenants.context import NoOrganization, current_organization, in_organization
from tenants.models import Due, Organization, SpareSchema, User
from tenants.schemas import behind, refill_spares, take_schema
from tenants.services import create_organization, remove_organization, suggest_slug


def test_a_new_organization_has_its_owner_and_the_default_pipeline(db):
    user = User.objects.create_user("nina@nova.test", "senha-bem-longa-1", name="Nina")
    organization = create_organization(name="Agência Nova", owner=user)
    assert organization.slug == "agencia-nova"
    with in_organization(organization):
        assert Member.objects.get().role == Role.ADMIN
        stages = Pipeline.objects.get().stages.values_list("name", "kind")
        assert [name for name, _kind in stages] == ["Lead", "Contato", "Proposta", "Negociação", "Fechado"]
        assert AuditEntry.objects.filter(action="pipeline.created").exists()


def test_a_taken_or_strange_address_is_refused(organization):
    user = User.objects.get(email="ana@acme.test")
    connection.set_schema_to_public()
    for slug in ("acme", "a", "admin", "x' , 'y", "pg_x", "-abc", "Abc"):
        with pytest.raises(Invalid):
            create_organization(name="Outra", owner=user, slug=slug)


def test_two_organizations_of_one_name_get_two_addresses(db):
    assert suggest_slug("Acme") == "acme-2"
    assert suggest_slug("Ünïcode & Filhos") == "unicode-filhos"
    assert suggest_slug("123") == "org-123"
    assert suggest_slug("!!!")


def test_a_spare_schema_is_taken_once(db):
    assert refill_spares() == 3
    names = {take_schema() for _ in range(4)}
    assert len(names) == 4
    assert SpareSchema.objects.count() == 0


def test_a_clone_lacks_no_migration(db):
    assert behind([take_schema()]) == []


def test_removing_an_organization_removes_its_schema(db):
    user = User.objects.create_user("rui@fim.test", "senha-bem-longa-1")
    organization = create_organization(name="Fim", owner=user)
    schema = organization.schema_name
    remove_organization(organization=organization)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [schema])
        assert cursor.fetchone()[0] == 0


def test_an_unknown_schema_yields_an_error_and_no_rows(db):
    connection.set_schema("o_nowhere")
    with pytest.raises(DatabaseError), transaction.atomic():
        list(Lead.objects.all())
    with pytest.raises(NoOrganization):
        current_organization()


def test_the_public_schema_has_no_table_of_an_organization(organization):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "INTERSECT SELECT tablename FROM pg_tables WHERE schemaname = %s",
            [organization.schema_name],
        )
        assert {name for (name,) in cursor.fetchall()} == {"django_migrations"}


def test_no_foreign_key_and_no_trigger_leaves_a_schema(organization):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint k JOIN pg_class a ON a.oid = k.conrelid "
            "JOIN pg_class b ON b.oid = k.confrelid WHERE k.contype = 'f' AND a.relnamespace <> b.relnamespace"
        )
        assert cursor.fetchone()[0] == 0
        cursor.execute(
            "SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND c.relnamespace <> p.pronamespace"
        )
        assert cursor.fetchone()[0] == 0


def test_audit_entries_cannot_be_changed_even_by_sql(organization):
    assert AuditEntry.objects.exists()
    for statement in (
        "UPDATE members_auditentry SET action = 'x'",
        "DELETE FROM members_auditentry",
        "TRUNCATE members_auditentry CASCADE",
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize("path", ["/o/acme/people/", "/o/acme/settings/"])
def test_only_active_members_come_in(owner, stranger, client, path):
    assert owner.client.get(path).status_code == 200
    assert stranger.client.get(path).status_code == 404
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/o/acme/")


@pytest.mark.parametrize(
    "path", ["/o/nowhere/people/", "/o/acme/accounts/login/", "/o/acme/organizations/", "/people/", "/o/acme"]
)
def test_pages_stand_only_where_they_belong(owner, path):
    assert owner.client.generic("GET", path if path.startswith("/o/") else "/o/x").status_code == 404


def test_due_work_of_one_organization_goes_with_it(organization):
    Due.objects.create(organization=organization, task="x", arguments={})
    assert Organization.objects.filter(dues__task="x").exists()
