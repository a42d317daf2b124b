"""People sign up, sign in, confirm and change their e-mail, and follow invitations."""

import re
import uuid

import pytest
from django.core import mail
from django.core.cache import caches
from django.test import Client

from members.models import Member
from members.services import people
from tenants.context import in_organization
from tenants.models import Membership, Organization, User

PASSWORD = "senha-bem-longa-1"
SIGN_UP = {
    "name": "Nina Nova", "organization": "Agência Nova", "email": "nina@nova.test", "password1": PASSWORD,
    "consent": "on",
}  # fmt: skip


def forget_limits() -> None:
    """Begin to count attempts anew."""
    caches["default"].key_prefix = uuid.uuid4().hex


def link_in(message) -> str:
    return re.search(r"https?://[^/\s]+(/\S+)", message.body).group(1)


def test_signing_up_makes_an_organization_and_leads_into_it(db):
    client = Client()
    response = client.post("/accounts/signup/", SIGN_UP, follow=True)
    assert response.redirect_chain[-1][0] == "/o/agencia-nova/day/"
    assert response.status_code == 200
    user = User.objects.get(email="nina@nova.test")
    assert user.terms_accepted_at
    assert user.privacy_accepted_at
    assert user.terms_version
    assert Membership.objects.filter(user=user, organization__slug="agencia-nova").exists()


@pytest.mark.parametrize(
    "change",
    [{"consent": ""}, {"organization": " "}, {"password1": "short"}, {"password1": "1234567890"}, {"email": "no"},
     {"name": ""}, {"name": "x" * 500}, {"email": "nina@nova.test\x00"}],
)  # fmt: skip
def test_a_bad_sign_up_says_why_keeps_what_was_typed_and_makes_nothing(db, change):
    before = (User.objects.count(), Organization.objects.count())
    response = Client().post("/accounts/signup/", {**SIGN_UP, **change})
    assert response.status_code in {200, 422}
    page = response.content.decode()
    assert 'role="alert"' in page
    if "organization" not in change:
        assert "Agência Nova" in page
    assert (User.objects.count(), Organization.objects.count()) == before


def test_a_script_in_a_name_is_text(db):
    client = Client()
    client.post("/accounts/signup/", {**SIGN_UP, "name": "<script>alert(1)</script>", "organization": "<b>Bold</b>"})
    page = client.get("/", follow=True).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;b&gt;Bold" in page


def test_an_e_mail_that_has_an_account_is_sent_to_sign_in(organization):
    """One may work before confirming an address, so sign-up cannot hide that it is taken."""
    before = User.objects.count()
    page = Client().post("/accounts/signup/", {**SIGN_UP, "email": "ana@acme.test"}).content.decode()
    assert User.objects.count() == before
    assert 'role="alert"' in page
    assert "Agência Nova" in page


def test_a_password_reset_does_not_tell_who_has_an_account(organization):
    known, unknown = (
        Client().post("/accounts/password/reset/", {"email": email}) for email in ("ana@acme.test", "nobody@acme.test")
    )
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_signing_in_and_out(organization):
    client = Client()
    wrong = client.post("/accounts/login/", {"login": "ana@acme.test", "password": "wrong"})
    assert 'role="alert"' in wrong.content.decode()
    response = client.post("/accounts/login/", {"login": "ANA@acme.test", "password": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/o/acme/day/"
    client.post("/accounts/logout/")
    assert client.get("/o/acme/day/").status_code == 302


def test_a_sign_in_is_on_the_trail_of_each_organization(organization, owner, elsewhere):
    from members.models import AuditEntry

    with in_organization(elsewhere):
        people.add_member(user=owner.user, role="viewer")
    Client().post("/accounts/login/", {"login": "ana@acme.test", "password": PASSWORD})
    for place in (organization, elsewhere):
        with in_organization(place):
            assert AuditEntry.objects.filter(action="member.signed_in", actor__email="ana@acme.test").count() == 1


def test_signing_in_leads_back_to_where_one_wanted_to_go(organization):
    client = Client()
    response = client.get("/o/acme/leads/?q=x")
    response = client.post(response["Location"], {"login": "ana@acme.test", "password": PASSWORD})
    assert response["Location"] == "/o/acme/leads/?q=x"


def test_guessing_passwords_is_slowed_down(organization):
    client = Client(headers={"accept-language": "en"})
    for _ in range(12):
        response = client.post("/accounts/login/", {"login": "ana@acme.test", "password": "wrong"})
    assert response.status_code == 429 or "Too many" in response.content.decode()
    right = client.post("/accounts/login/", {"login": "ana@acme.test", "password": PASSWORD})
    assert right.status_code != 302


def test_confirming_an_e_mail_and_sending_the_message_again(db):
    client = Client()
    client.post("/accounts/signup/", SIGN_UP)
    assert len(mail.outbox) == 1
    forget_limits()
    client.post("/accounts/email/", {"action_send": "", "email": "nina@nova.test"})
    assert len(mail.outbox) == 2
    path = link_in(mail.outbox[-1])
    assert client.get(path).status_code == 200
    client.post(path)
    assert User.objects.get(email="nina@nova.test").emailaddress_set.get().verified


def test_a_changed_e_mail_is_copied_to_each_member(db):
    client = Client()
    client.post("/accounts/signup/", SIGN_UP)
    client.post(link_in(mail.outbox[-1]))
    forget_limits()
    client.post("/accounts/email/", {"action_add": "", "email": "nina@other.test"})
    organization = Organization.objects.get(slug="agencia-nova")
    with in_organization(organization):
        assert Member.objects.get().email == "nina@nova.test"
    to_new = next(message for message in reversed(mail.outbox) if message.to == ["nina@other.test"])
    client.post(link_in(to_new))
    with in_organization(organization):
        assert Member.objects.get().email == "nina@other.test"
    assert (
        User.objects.get().email if User.objects.count() == 1 else User.objects.filter(email="nina@other.test").exists()
    )


def test_resetting_a_password(organization):
    from allauth.account.models import EmailAddress

    user = User.objects.get(email="ana@acme.test")
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    client = Client()
    client.post("/accounts/password/reset/", {"email": "ana@acme.test"})
    response = client.get(link_in(mail.outbox[-1]), follow=True)
    response = client.post(
        response.redirect_chain[-1][0], {"password1": "outra-senha-longa-2", "password2": "outra-senha-longa-2"}
    )
    assert response.status_code == 302
    user.refresh_from_db()
    assert user.check_password("outra-senha-longa-2")


def test_a_colleague_comes_by_link(organization, owner):
    _invitation, token = people.invite(actor=owner.member, role="sales")
    path = f"/invite/acme/{token}/"
    client = Client()
    page = client.get(path).content.decode()
    assert "Acme Agência" in page
    before = Organization.objects.count()
    form = {key: value for key, value in SIGN_UP.items() if key != "organization"}
    response = client.post("/accounts/signup/", {**form, "email": "bia@new.test", "name": "Bia"}, follow=True)
    assert response.redirect_chain[-1][0] == path
    assert Organization.objects.count() == before
    response = client.post(path)
    assert response["Location"] == "/o/acme/day/"
    assert client.get("/o/acme/people/").status_code == 200
    assert Client().get(path).status_code == 404


def test_a_wrong_link_says_so(organization):
    response = Client().get("/invite/acme/nonsense/")
    assert response.status_code == 404
    assert "no longer valid" in response.content.decode() or "não vale mais" in response.content.decode()
    assert Client().get("/invite/nowhere/nonsense/").status_code == 404


def test_two_organizations_and_a_switcher(organization, owner, elsewhere):
    from members.services.people import add_member

    with in_organization(elsewhere):
        add_member(user=owner.user, role="viewer")
    page = owner.client.get("/organizations/").content.decode()
    assert "/o/acme/day/" in page
    assert "/o/elsewhere/day/" in page
    assert owner.client.get("/o/elsewhere/people/").status_code == 200


def test_beginning_another_organization(organization, owner):
    assert owner.client.post("/organizations/new/", {"name": "Outra", "slug": "acme"}).status_code == 422
    assert owner.client.post("/organizations/new/", {"name": "Outra", "slug": "Não!"}).status_code == 422
    response = owner.client.post("/organizations/new/", {"name": "Outra", "slug": ""})
    assert response["Location"] == "/o/outra/day/"


def test_language_is_each_persons_choice(organization, owner, colleague):
    owner.client.post("/profile/", {"name": "Ana Owner", "language": "pt-br", "theme": "dark"})
    page = owner.client.get("/people/").content.decode()
    assert '<html lang="pt-br"' in page
    assert 'class="dark"' in page
    assert '<html lang="en"' in colleague.client.get("/people/").content.decode()


def test_a_browsers_language_counts_before_signing_in(db):
    for wanted, spoken in (("pt-BR,pt;q=0.9", "pt-br"), ("en-US", "en"), ("fr", "pt-br")):
        page = Client().get("/accounts/login/", headers={"Accept-Language": wanted}).content.decode()
        assert f'<html lang="{spoken}"' in page


def test_next_may_not_lead_to_another_site(organization, client):
    response = client.post("/language/", {"language": "en", "next": "https://evil.test/"})
    assert response["Location"] == "/"
    response = client.post(
        "/accounts/login/?next=https://evil.test/",
        {"login": "ana@acme.test", "password": PASSWORD, "next": "https://evil.test/"},
    )
    assert "evil" not in response["Location"]


def test_health(db, client, settings):
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json()["status"] == "ready"
