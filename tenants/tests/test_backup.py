"""Backups come back whole, beside the others, or not at all."""

import hashlib
import json
import secrets
import zipfile

import pytest
from cryptography.fernet import Fernet
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader

from crm.models import Import, Lead
from crm.services.leads import create_lead
from crm.services.pipelines import default_pipeline
from members.models import AuditEntry, AuditSeal, Member
from members.services import sealing
from tenants.context import in_organization
from tenants.models import Domain, Due, Membership, Organization, User
from tenants.restores import build_schema
from tenants.schemas import behind
from tenants.services import create_organization, remove_organization

LEADS = 300
FORGED = b"1\tforged\n"


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def firm(committed, media):
    """A committed organization with some hundred leads, an upload, a host, and owed work."""
    organization = committed.client.organization
    with in_organization(organization):
        stage = default_pipeline().stages.first()
        for number in range(LEADS):
            create_lead(actor=committed.member, title=f"Lead {number} \\ tab\t line\n ç", stage=stage)
        import_ = Import.objects.create(original_name="a.csv", created_by=committed.member)
        import_.file.save("a.csv", ContentFile(b"name\nAna\n"))
    Domain.objects.create(tenant=organization, domain=f"{organization.slug}.firm.test", is_primary=True)
    Due.objects.create(organization=organization, task="nothing", arguments={"n": 1})
    yield committed
    for other in Organization.objects.filter(slug__startswith="again-"):
        remove_organization(organization=other)
    User.objects.filter(email__endswith="@gone.test").delete()


def fingerprint(organization, *, without=()):
    """Hash every table of an organization."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [organization.schema_name])
        hashes = {}
        for (table,) in cursor.fetchall():
            if table in without:
                continue
            cursor.execute(
                f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
                f'FROM "{organization.schema_name}".{table} t'
            )
            hashes[table] = cursor.fetchone()
    return hashes


# What restoring itself must change: the trail gets a line, uploads get a new place, bookkeeping gets times.
CHANGED = ("members_auditentry", "crm_import", "django_migrations")


def test_a_restore_drill_brings_everything_back_beside_the_others(firm, tmp_path, media):
    original = firm.client.organization
    elsewhere = Organization.objects.get(slug="elsewhere")
    others = fingerprint(original), fingerprint(elsewhere)
    file = tmp_path / "firm.loved"
    call_command("backup", original.slug, str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    call_command("restore", str(file), "--as", "again-1")

    restored = Organization.objects.get(slug="again-1")
    assert restored.schema_name != original.schema_name
    assert fingerprint(restored, without=CHANGED) == fingerprint(original, without=CHANGED)
    assert (fingerprint(original), fingerprint(elsewhere)) == others
    with in_organization(restored):
        assert Lead.objects.count() == LEADS
        import_ = Import.objects.get()
        assert import_.file.name.startswith(f"{restored.schema_name}/")
        assert import_.file.read() == b"name\nAna\n"
        assert AuditEntry.objects.filter(action="organization.restored").count() == 1
        newest = create_lead(actor=Member.objects.get(), title="One more", stage=default_pipeline().stages.first())
        assert newest.pk > LEADS
    assert not Domain.objects.filter(tenant=restored).exists(), "the host stays with the original"
    assert not Due.objects.filter(organization=restored).exists(), "owed work is not done twice"
    assert firm.client.get(f"/o/{restored.slug}/board/").status_code == 200


def test_the_trail_of_a_restored_organization_can_still_not_be_changed(firm, tmp_path):
    file = tmp_path / "firm.loved"
    call_command("backup", firm.client.organization.slug, str(file))
    call_command("restore", str(file), "--as", "again-1")
    with in_organization(Organization.objects.get(slug="again-1")):
        for statement in (
            "DELETE FROM members_auditentry",
            "UPDATE members_auditentry SET action = 'x'",
            "TRUNCATE members_auditentry CASCADE",
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


def test_seals_of_the_trail_still_fit_after_a_restore(firm, tmp_path, settings, capsys):
    settings.STATE_DIR = tmp_path
    with in_organization(firm.client.organization):
        assert sealing.seal()
    file = tmp_path / "firm.loved"
    call_command("backup", firm.client.organization.slug, str(file))
    call_command("restore", str(file), "--as", "again-1")
    with in_organization(Organization.objects.get(slug="again-1")):
        assert sealing.seal(), "what came after is sealed in its turn"
    call_command("audit_verify", "again-1")
    with in_organization(Organization.objects.get(slug="again-1")):
        assert AuditSeal.objects.count() == 2


def test_people_are_found_by_email_and_made_without_a_password(firm, tmp_path):
    original = firm.client.organization
    leaver = User.objects.create_user("lia@gone.test", "senha-bem-longa-1", name="Lia")
    nobody = User.objects.create_user("nilo@gone.test", "senha-bem-longa-1", name="Nilo")
    from members.services.people import add_member

    with in_organization(original):
        add_member(user=leaver, role="sales")
        Member.objects.create(user_id=nobody.pk, name="Nilo", email=nobody.email)  # no door leads to him
    file = tmp_path / "firm.loved"
    call_command("backup", original.slug, str(file))
    leaver.delete()
    call_command("restore", str(file), "--as", "again-1")
    restored = Organization.objects.get(slug="again-1")
    again = User.objects.get(email="lia@gone.test")
    assert not again.has_usable_password()
    assert Membership.objects.filter(organization=restored, user=again, is_active=True).exists()
    with in_organization(restored):
        assert Member.objects.get(email="lia@gone.test").user_id == again.pk
        assert Member.objects.get(email=firm.user.email).user_id == firm.user.pk
        orphan = Member.objects.get(email="nilo@gone.test")
        assert orphan.user_id < 0
        assert not orphan.is_active


def test_an_address_that_is_taken_is_refused_unless_told_to_replace(firm, tmp_path):
    original = firm.client.organization
    file = tmp_path / "firm.loved"
    call_command("backup", original.slug, str(file))
    with pytest.raises(CommandError, match="There is an organization with the address"):
        call_command("restore", str(file))
    with in_organization(original):
        Lead.objects.all().delete()
    call_command("restore", str(file), "--replace")
    restored = Organization.objects.get(slug=original.slug)
    assert restored.domains.get().domain == f"{original.slug}.firm.test"
    assert restored.dues.get().task == "nothing"
    with in_organization(restored):
        assert Lead.objects.count() == LEADS
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [original.schema_name])
        assert cursor.fetchone()[0] == 0
    firm.client.organization.pk, firm.client.organization.schema_name = restored.pk, restored.schema_name


def changed(source, target, *, manifest=None, parts=None):
    """Copy a backup with another manifest or other parts."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = (parts or {}).get(name, old.read(name))
            if name == "manifest.json" and manifest:
                content = json.dumps(manifest(json.loads(content)))
            new.writestr(name, content)
    return target


def newer(manifest):
    manifest["organizations"][0]["migrations"].append(["crm", "9999_from_the_future"])
    return manifest


def forged(manifest):
    manifest["parts"]["organizations/00000/tables/crm_lead"]["sha256"] = hashlib.sha256(FORGED).hexdigest()
    return manifest


def without_a_table(manifest):
    del manifest["organizations"][0]["tables"]["crm_tag"]
    return manifest


BROKEN = {
    "missing": (lambda file, to: to, "There is no file"),
    "something else": (lambda file, to: to.write_bytes(b"%PDF-1.7 hello") and to, "is not a backup of Loved"),
    "half": (lambda file, to: to.write_bytes(file.read_bytes()[: file.stat().st_size // 2]) and to, "not all of it"),
    "another zip": (lambda file, to: changed(file, to, manifest=lambda m: {"kind": "letters"}), "is not a backup"),
    "other format": (lambda file, to: changed(file, to, manifest=lambda m: {**m, "format": 99}), "has format 99"),
    "newer": (lambda file, to: changed(file, to, manifest=newer), "newer version of Loved"),
    "altered": (
        lambda file, to: changed(file, to, parts={"organizations/00000/tables/crm_lead": FORGED}),
        "is damaged",
    ),
    "altered with its checksum": (
        lambda file, to: changed(file, to, manifest=forged, parts={"organizations/00000/tables/crm_lead": FORGED}),
        "nothing was changed",
    ),
    "other tables": (lambda file, to: changed(file, to, manifest=without_a_table), "wrong file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_wrong_file_is_refused_in_words_and_changes_nothing(firm, tmp_path, media, kind):
    file, organizations = tmp_path / "firm.loved", Organization.objects.count()
    call_command("backup", firm.client.organization.slug, str(file))
    schemas = count_schemas()
    breaks, words = BROKEN[kind]
    with pytest.raises(CommandError, match=words):
        call_command("restore", str(breaks(file, tmp_path / "broken.loved")), "--as", "again-1")
    assert Organization.objects.count() == organizations
    assert count_schemas() == schemas
    assert [path.name for path in media.iterdir()] == [firm.client.organization.schema_name]


def test_a_failure_in_the_middle_leaves_nothing(firm, tmp_path, media, monkeypatch):
    file = tmp_path / "firm.loved"
    call_command("backup", firm.client.organization.slug, str(file))
    schemas = count_schemas()
    monkeypatch.setattr("tenants.restores._open_every_secret", lambda: int("no number"))
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("restore", str(file), "--as", "again-1")
    assert not Organization.objects.filter(slug="again-1").exists()
    assert count_schemas() == schemas
    assert len(list(media.iterdir())) == 1


def test_the_wrong_key_is_refused(firm, tmp_path, settings):
    file = tmp_path / "firm.loved"
    call_command("backup", firm.client.organization.slug, str(file))
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="locked with the key"):
        call_command("restore", str(file), "--as", "again-1")
    assert not Organization.objects.filter(slug="again-1").exists()


def older_organization(user) -> Organization:
    """Make an organization that lacks the newest migration of the CRM."""
    graph = MigrationLoader(None).graph
    last = {node for node in graph.leaf_nodes() if node[0] == "crm"}
    schema = f"o_older{secrets.token_hex(4)}"
    with transaction.atomic():
        build_schema(schema, [node for node in graph.node_map if node not in last])
    assert behind([schema]) == [schema]
    organization = Organization.objects.create(slug="again-old", name="Old", schema_name=schema)
    Membership.objects.create(organization=organization, user=user)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {schema}.members_member (user_id, name, email, role, is_active, created_at) "
            "VALUES (%s, 'Old', 'old@gone.test', 'admin', true, now())",
            [user.pk],
        )
    return organization


def test_an_older_backup_is_brought_up_to_date(firm, tmp_path):
    older_organization(firm.user)
    call_command("backup", "again-old", str(tmp_path / "old.loved"))
    call_command("restore", str(tmp_path / "old.loved"), "--as", "again-2")
    restored = Organization.objects.get(slug="again-2")
    assert behind([restored.schema_name]) == []
    with in_organization(restored):
        assert Member.objects.get().name == "Old"
        assert Lead.objects.count() == 0


def test_everything_comes_back_with_logins(firm, tmp_path):
    user = User.objects.create_user("olga@gone.test", "senha-bem-longa-1", name="Olga")
    lone = create_organization(name="Again", owner=user, slug="again-3")
    file = tmp_path / "all.loved"
    call_command("backup", str(file))
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert len(manifest["organizations"]) == Organization.objects.count()
    kept = changed(
        file,
        tmp_path / "one.loved",
        manifest=lambda m: {**m, "organizations": [each for each in m["organizations"] if each["slug"] == "again-3"]},
    )
    remove_organization(organization=lone)
    user.delete()
    call_command("restore", str(kept))
    assert User.objects.get(email="olga@gone.test").check_password("senha-bem-longa-1")
    assert Organization.objects.get(slug="again-3").memberships.get().user.email == "olga@gone.test"


def test_a_backup_never_overwrites_and_never_leaves_half(firm, tmp_path):
    file = tmp_path / "firm.loved"
    file.write_text("the backup of yesterday")
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", firm.client.organization.slug, str(file))
    assert file.read_text() == "the backup of yesterday"
    with pytest.raises(CommandError, match="no organization"):
        call_command("backup", "nobody-here", str(tmp_path / "x"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["firm.loved"]


def count_schemas() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'o\\_%%'")
        return cursor.fetchone()[0]


def test_every_row_of_public_that_belongs_to_an_organization_can_be_carried():
    """A backup carries columns that are values, the organization, or a person; another reference would be lost."""
    from tenants.backups import belongings

    for model, owner in belongings():
        for field in model._meta.concrete_fields:
            assert field.related_model in (None, User) or field is owner, f"{model.__name__}.{field.name}"


def test_a_backup_needs_no_column_that_the_next_version_brings(firm, tmp_path, monkeypatch):
    """Before an upgrade, the code knows columns that the tables do not have yet."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_organization RENAME COLUMN is_demo TO is_demo_later")
        cursor.execute("ALTER TABLE tenants_user RENAME COLUMN theme TO theme_later")
    try:
        call_command("backup", firm.client.organization.slug, str(tmp_path / "one.loved"))
        call_command("backup", str(tmp_path / "all.loved"))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_organization RENAME COLUMN is_demo_later TO is_demo")
            cursor.execute("ALTER TABLE tenants_user RENAME COLUMN theme_later TO theme")
    call_command("restore", str(tmp_path / "one.loved"), "--as", "again-1")
    assert Organization.objects.get(slug="again-1").is_demo is False


def test_an_upgrade_backs_up_what_is_behind_and_migrates_it(firm, tmp_path, settings, capsys):
    settings.STATE_DIR = tmp_path
    call_command("upgrade")
    assert "up to date" in capsys.readouterr().out
    assert not (tmp_path / "backups").exists()
    schema = older_organization(firm.user).schema_name
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("upgrade", "--backup", str(tmp_path / "no" / "such" / "folder.loved"))
    assert behind([schema]) == [schema]
    capsys.readouterr()
    call_command("upgrade")
    assert "none behind" in capsys.readouterr().out
    (file,) = (tmp_path / "backups").iterdir()
    call_command("restore", str(file), "--check")
    assert behind([schema]) == []
