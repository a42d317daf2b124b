"""Made-up leads, the same on every machine: what both the product's and the floor's boards hold."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bench.sample import CITIES, ENDINGS, FIRST_NAMES, LAST_NAMES, SOURCES, TRADES

SIZES = {"bench1k": 1_000, "bench10k": 10_000}
STAGES = ["Lead", "Contato", "Qualificado", "Proposta", "Negociação", "Fechado"]
SHARES = [40, 20, 15, 10, 5, 10]  # percent of the leads in each stage
OWNERS = [
    "Ana Souza",
    "Bruno Lima",
    "Carla Dias",
    "Diego Rocha",
    "Elaine Melo",
    "Fábio Nunes",
    "Gabi Ramos",
    "Hugo Leão",
]
TAGS = [
    "quente",
    "frio",
    "retorno",
    "site",
    "loja virtual",
    "tráfego pago",
    "redes sociais",
    "urgente",
    "parceiro",
    "VIP",
]
PASSWORD = "senha-bem-longa-1"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Drawn:
    """One lead. Stage, owner and tags are places in the lists above."""

    title: str
    contact: str
    email: str
    phone: str
    company: str
    value: Decimal
    source: str
    stage: int
    owner: int
    tags: list[int]
    priority: int
    due: date
    since: datetime


def email_of(owner: int) -> str:
    """Return the login of an owner."""
    return f"owner{owner}@bench.test"


def leads(count: int) -> Iterator[Drawn]:
    """Draw leads; the same count gives the same leads."""
    chance = random.Random(42)
    for index in range(count):
        given, family = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        company = f"{chance.choice(TRADES)} {chance.choice(LAST_NAMES)} {chance.choice(ENDINGS)}".strip()
        since = NOW - timedelta(days=chance.randrange(90), minutes=chance.randrange(1440))
        yield Drawn(
            title=f"{company} {index}",
            contact=f"{given} {family}",
            email=f"lead{index}@example.com",
            phone=f"+55{chance.choice(CITIES)[0]}9{60_000_000 + index:08}",
            company=company,
            value=Decimal(chance.randrange(10_000, 9_999_999)) / 100,
            source=chance.choice(SOURCES),
            stage=chance.choices(range(len(STAGES)), SHARES)[0],
            owner=chance.randrange(len(OWNERS)),
            tags=sorted(chance.sample(range(len(TAGS)), chance.randrange(4))),
            priority=chance.randrange(4),
            due=date(2026, 12, chance.randrange(1, 29)),
            since=since,
        )
