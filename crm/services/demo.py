"""Two organizations that show what the product does: invented people, leads and three months of history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from crm.models import Pipeline, Tag
from crm.services.demo_follow_ups import invent_follow_ups
from crm.services.demo_leads import Scene, invent_leads
from crm.services.pipelines import default_pipeline
from members.models import Member, Role, Team
from members.services.people import add_member, create_team
from tenants.context import in_organization, leave
from tenants.models import Organization, User
from tenants.services import create_organization, remove_organization

# Public, and the same for everybody in the demo: it is printed at the start and stands in the README.
PASSWORD = "loved-demo-2026"  # noqa: S105
DOMAIN = ".example"  # reserved: no mail ever arrives anywhere
SEED = 20_261


@dataclass(frozen=True)
class Company:
    """One demo organization: its people as (name, e-mail, role, team), its stages, its leads."""

    name: str
    slug: str
    second_team: str
    people: Sequence[tuple[str, str, Role, int]]
    pipeline: str
    stages: Sequence[str]
    tags: Sequence[tuple[str, str]]
    scene: Scene


AURORA = Company(
    name="Agência Aurora",
    slug="aurora",
    second_team="Contas",
    people=[
        ("Helena Prado", "helena@aurora.example", Role.ADMIN, 0),
        ("Rafael Nunes", "rafael@aurora.example", Role.MANAGER, 0),
        ("Bruna Castro", "bruna@aurora.example", Role.SALES, 0),
        ("Diego Farias", "diego@aurora.example", Role.SALES, 0),
        ("Yasmin Rocha", "yasmin@aurora.example", Role.SALES, 1),
        ("Otávio Reis", "otavio@aurora.example", Role.VIEWER, 1),
    ],
    pipeline="Funil comercial",
    stages=["Lead", "Contato", "Proposta", "Negociação", "Fechado"],
    tags=[
        ("tráfego pago", "blue"),
        ("social media", "pink"),
        ("site", "teal"),
        ("e-commerce", "violet"),
        ("recorrente", "green"),
        ("urgente", "red"),
        ("parceiro", "amber"),
    ],
    scene=Scene(
        count=260,
        kinds=[
            "Padaria",
            "Clínica",
            "Autopeças",
            "Colégio",
            "Pet Shop",
            "Farmácia",
            "Ótica",
            "Academia",
            "Bistrô",
            "Imobiliária",
        ],
        services=[
            "Gestão de tráfego",
            "Site institucional",
            "Campanha de Natal",
            "Social media",
            "Loja virtual",
            "Identidade visual",
            "SEO",
            "Vídeo de lançamento",
            "E-mail marketing",
        ],
        sources=["Instagram", "Google", "Indicação", "Site", "WhatsApp", "Evento"],
        values=(1_800, 42_000),
        area_codes=["11", "19", "21", "31", "41"],
        lost=["Preço", "Sem resposta", "Escolheu outra agência", "Sem verba este ano", "Não era o momento"],
        notes=[
            "Pediu um exemplo de relatório mensal antes de decidir.",
            "Conversa boa: quer começar no mês que vem. Falta a aprovação do sócio.",
            "Já trabalhou com outra agência e não gostou da falta de retorno.",
            "Verba de mídia de R$ 3 mil por mês, fora a nossa gestão.",
            "Prefere falar por WhatsApp, depois das 14h.",
            "Enviei a proposta com duas opções. Retornar na quinta-feira.",
            "Gostou do portfólio. Perguntou sobre prazo e forma de pagamento.",
            "Quem decide é a diretora; pediu uma reunião curta com ela.",
        ],
    ),
)
JATOBA = Company(
    name="Estúdio Jatobá",
    slug="jatoba",
    second_team="Interiores",
    people=[
        ("Marcos Teixeira", "marcos@jatoba.example", Role.ADMIN, 0),
        ("Lívia Sampaio", "livia@jatoba.example", Role.MANAGER, 0),
        ("Helena Prado", "helena@aurora.example", Role.SALES, 0),
        ("Caio Brandão", "caio@jatoba.example", Role.SALES, 0),
        ("Nina Duarte", "nina@jatoba.example", Role.SALES, 1),
        ("Tomás Vidal", "tomas@jatoba.example", Role.VIEWER, 1),
    ],
    pipeline="Projetos",
    stages=["Consulta", "Visita", "Orçamento", "Contrato", "Em obra"],
    tags=[
        ("residencial", "green"),
        ("comercial", "blue"),
        ("reforma", "amber"),
        ("interiores", "pink"),
        ("paisagismo", "teal"),
        ("prazo curto", "red"),
    ],
    scene=Scene(
        count=150,
        kinds=["Residência", "Condomínio", "Construtora", "Hotel", "Escritório", "Loja", "Café", "Consultório"],
        services=[
            "Projeto de interiores",
            "Reforma de apartamento",
            "Casa de campo",
            "Projeto comercial",
            "Paisagismo",
            "Regularização",
            "Iluminação",
            "Acompanhamento de obra",
        ],
        sources=["Indicação", "Pinterest", "Instagram", "Feira", "Site"],
        values=(9_000, 280_000),
        area_codes=["31", "48", "51", "61", "71"],
        lost=["Orçamento acima do previsto", "Obra adiada", "Contratou outro escritório", "Desistiu do imóvel"],
        notes=[
            "Visita marcada; levar amostras de madeira e pedra.",
            "O casal ainda discute o tamanho da cozinha.",
            "Precisa do projeto aprovado pelo condomínio até o fim do mês.",
            "Pediu para reduzir o escopo: primeiro a sala e a varanda.",
            "Enviei o orçamento com e sem acompanhamento de obra.",
            "Imóvel entregue em março; a pressa é real.",
        ],
    ),
)


def make_demo(*, now: datetime | None = None) -> list[Organization]:
    """Make the demo anew and return its organizations: the same leads whenever it is made at the same time.

    Raises `Invalid` if somebody else has their address.
    """
    remove_demo()
    users = _users()
    now = (now or timezone.now()).replace(second=0, microsecond=0)
    companies = enumerate((AURORA, JATOBA))
    return [_make(company, users, random=Random(SEED + number), now=now) for number, company in companies]


def remove_demo() -> int:
    """Remove the demo organizations, and their people as far as they are nowhere else; return how many."""
    leave()
    organizations = list(Organization.objects.filter(is_demo=True))
    for organization in organizations:
        remove_organization(organization=organization)
    User.objects.filter(email__endswith=DOMAIN, email__in=_emails(), memberships=None).delete()
    return len(organizations)


def had_organizations() -> bool:
    """Say whether there ever was an organization here, whatever became of it."""
    leave()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence('tenants_organization', 'id')::regclass)")
        return cursor.fetchone()[0] is not None


def demo_logins() -> list[str]:
    """Say in lines who may sign in to the demo, one person for each role; nothing if there is no demo."""
    leave()
    lines: list[str] = []
    for organization in Organization.objects.filter(is_demo=True).order_by("pk"):
        with in_organization(organization):
            people = list(Member.objects.filter(is_active=True, email__endswith=DOMAIN).order_by("pk"))
        first = {member.role: member for member in reversed(people)}
        lines.append(f"         {organization.name}  /o/{organization.slug}/")
        lines += [f"           {first[role].email:24} {role.value}" for role in Role if role in first]
    return [f"Demo     everybody's password is {PASSWORD}", *lines] if lines else []


def _emails() -> set[str]:
    return {email for company in (AURORA, JATOBA) for _name, email, _role, _team in company.people}


def _users() -> dict[str, User]:
    """Find or make the people of both organizations; hashing one password once keeps it quick."""
    names = {email: name for company in (AURORA, JATOBA) for name, email, _role, _team in company.people}
    password = make_password(PASSWORD)
    users = {}
    for email, name in names.items():
        user, _created = User.objects.update_or_create(email=email, defaults={"name": name, "password": password})
        EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
        users[email] = user
    return users


def _make(company: Company, users: dict[str, User], *, random: Random, now: datetime) -> Organization:
    organization = create_organization(
        name=company.name, slug=company.slug, owner=users[company.people[0][1]], is_demo=True
    )
    with in_organization(organization), timezone.override(organization.timezone), transaction.atomic():
        members = _people(company, users)
        pipeline = _pipeline(company)
        tags = Tag.objects.bulk_create(Tag(name=name, color=color) for name, color in company.tags)
        leads = invent_leads(scene=company.scene, pipeline=pipeline, members=members, tags=tags, random=random, now=now)
        invent_follow_ups(leads=leads, random=random, now=now)
    return organization


def _people(company: Company, users: dict[str, User]) -> list[Member]:
    owner = Member.objects.get()
    teams = [Team.objects.get(), create_team(actor=owner, name=company.second_team)]
    members = [owner]
    for _name, email, role, team in company.people[1:]:
        members.append(add_member(user=users[email], role=role, team=teams[team], actor=owner))
    return members


def _pipeline(company: Company) -> Pipeline:
    pipeline = default_pipeline()
    pipeline.name = company.pipeline
    pipeline.save(update_fields=["name"])
    stages = list(pipeline.stages.all())
    for stage, name in zip(stages, company.stages, strict=True):
        stage.name = name
        stage.save(update_fields=["name"])
    return pipeline
