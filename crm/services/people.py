"""Contacts and companies."""

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from crm.identity import fold, normalize_email, parse_phone
from crm.models import Company, Contact


def find_or_create_company(*, name: str) -> Company | None:
    """Return the company of this name, accents and case aside; None for no name."""
    name = " ".join(name.split())[:160]
    if not name:
        return None
    company, _created = Company.objects.get_or_create(name_key=company_key(name), defaults={"name": name})
    if company.archived_at:
        # Whoever names it again needs it again: its name can exist only once.
        company.archived_at = None
        company.save(update_fields=["archived_at"])
    return company


def company_key(name: str) -> str:
    """Reduce a company's name to what two spellings share."""
    return " ".join(fold(name).split())[:160]


def find_or_create_contact(*, name: str, email: str, phone: str, company: Company | None) -> Contact | None:
    """Return the person with this e-mail or phone, else a new one; None when nothing is said.

    Fills blanks of a person who is found, and overwrites nothing. Raises `Invalid`.
    """
    fields = contact_fields(name=name, email=email, phone=phone)
    if not any(fields.values()):
        return None
    found = None
    if fields["email"]:
        found = Contact.objects.filter(email=fields["email"], archived_at=None).order_by("pk").first()
    if found is None and fields["phone_key"]:
        found = Contact.objects.filter(phone_key=fields["phone_key"], archived_at=None).order_by("pk").first()
    if found is None:
        return Contact.objects.create(**fields, company=company)
    blanks = [field for field, value in fields.items() if value and not getattr(found, field)]
    for field in blanks:
        setattr(found, field, fields[field])
    if company and found.company_id is None:
        found.company = company
        blanks.append("company")
    if blanks:
        _save(found, blanks)
    return found


def update_contact(*, contact: Contact | None, company: Company | None, **typed: str) -> Contact | None:
    """Change what a person typed about a contact, or make the contact. Raises `Invalid`.

    Return None if nothing is left that says who it is: the contact itself stays as it was.
    """
    if contact is None:
        return find_or_create_contact(**{"name": "", "email": "", "phone": "", **typed}, company=company)
    current = {"name": contact.name, "email": contact.email, "phone": contact.phone}
    fields = contact_fields(**{**current, **typed})
    if not any(fields.values()):
        return None
    for field, value in fields.items():
        setattr(contact, field, value)
    _save(contact, list(fields))
    return contact


def contact_fields(*, name: str, email: str, phone: str) -> dict[str, str]:
    """Normalize what was typed. A phone that nobody could dial from elsewhere is kept as typed, without a key."""
    address = normalize_email(email)
    if email.strip() and not address:
        raise Invalid(_("This is not an e-mail address."))
    number = parse_phone(phone)
    return {
        "name": " ".join(name.split())[:160],
        "email": address,
        "phone": ((number and number.e164) or phone.strip())[:40],
        "phone_key": (number.match_key or "")[:20] if number else "",
    }


def _save(contact: Contact, fields: list[str]) -> None:
    contact.version += 1
    contact.updated_at = timezone.now()
    contact.save(update_fields=[*fields, "version", "updated_at"])
