"""What happens to companies by themselves: created, renamed, archived."""

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing, Stale
from crm.models import Company
from crm.services.contacts import lock_leads, touch_leads
from crm.services.people import company_key
from members.models import Member
from members.permissions import require
from members.services import audit


@transaction.atomic
def create_company(*, actor: Member, name: str) -> Company:
    """Create a company. Raises `Invalid` if one of this name exists, accents and case aside."""
    require(actor, "contact.create")
    name = _clean_name(name)
    company, is_new = Company.objects.get_or_create(name_key=company_key(name), defaults={"name": name})
    if not is_new:
        raise _taken(company)
    audit.record(actor=actor, action="company.created", target=company, after={"name": name})
    return company


@transaction.atomic
def rename_company(*, actor: Member, company_id: int, name: str, version: int | None = None) -> Company:
    """Give a company another name. Locks its leads, then the company; their boards are told."""
    company = _locked(actor, company_id)
    require(actor, "contact.edit")
    if company.archived_at:
        raise Invalid(_("This company is archived. Restore it first."))
    _check_version(company, version)
    before, name = company.name, _clean_name(name)
    if name == before:
        return company
    company.name, company.name_key = name, company_key(name)
    try:
        with transaction.atomic():
            _save(company, ["name", "name_key"])
    except IntegrityError as error:
        raise _taken(Company.objects.filter(name_key=company_key(name)).first()) from error
    audit.record(actor=actor, action="company.changed", target=company, before={"name": before}, after={"name": name})
    touch_leads(Q(company=company), at=company.updated_at, actor=actor)
    return company


@transaction.atomic
def archive_company(*, actor: Member, company_id: int, version: int | None = None) -> Company:
    """Put a company away. Its contacts and leads stay as they are."""
    return _archive(actor=actor, company_id=company_id, version=version, archived=True)


@transaction.atomic
def restore_company(*, actor: Member, company_id: int, version: int | None = None) -> Company:
    """Bring an archived company back."""
    return _archive(actor=actor, company_id=company_id, version=version, archived=False)


def _archive(*, actor: Member, company_id: int, version: int | None, archived: bool) -> Company:
    company = _locked(actor, company_id)
    require(actor, "contact.archive")
    _check_version(company, version)
    if bool(company.archived_at) == archived:
        return company
    company.archived_at = timezone.now() if archived else None
    _save(company, ["archived_at"])
    audit.record(actor=actor, action="company.archived" if archived else "company.restored", target=company)
    return company


def _locked(actor: Member, company_id: int) -> Company:
    if not Company.objects.visible_to(actor).filter(pk=company_id).exists():
        raise Missing
    lock_leads(Q(company=company_id))
    return Company.objects.select_for_update(no_key=True).get(pk=company_id)


def _save(company: Company, fields: list[str]) -> None:
    company.version += 1
    company.updated_at = timezone.now()
    company.save(update_fields=[*fields, "version", "updated_at"])


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or not company_key(name):
        raise Invalid(_("Give the company a name."))
    if len(name) > 160:
        raise Invalid(_("A name has at most 160 characters."))
    return name


def _taken(company: Company | None) -> Invalid:
    if company and company.archived_at:
        return Invalid(_("There is a company with this name in the archive. Restore it there."), field="name")
    return Invalid(_("There is already a company with this name."), field="name")


def _check_version(company: Company, version: int | None) -> None:
    if version is not None and version != company.version:
        raise Stale(_("Somebody else changed this company in the meantime. Look at it again."), version=company.version)
