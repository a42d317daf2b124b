"""Invented leads with a past: how each came in, went from stage to stage, and ended."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from django.utils import timezone
from faker import Faker

from crm.identity import parse_phone
from crm.models import Activity, Company, Contact, Lead, Pipeline, Stage, StageChange, Tag
from crm.positions import keys_between
from crm.services.people import company_key
from members.models import Member, Role
from members.services import audit

DAYS = 90


@dataclass(frozen=True)
class Scene:
    """What an organization sells, to whom, and what its people write about it."""

    count: int
    kinds: Sequence[str]
    services: Sequence[str]
    sources: Sequence[str]
    values: tuple[int, int]
    area_codes: Sequence[str]
    lost: Sequence[str]
    notes: Sequence[str]


@dataclass
class Story:
    """One lead and what happened to it, before any of it has a row."""

    lead: Lead
    moves: list[StageChange] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)


def invent_leads(
    *,
    scene: Scene,
    pipeline: Pipeline,
    members: Sequence[Member],
    tags: Sequence[Tag],
    random: Random,
    now: datetime,
) -> list[Lead]:
    """Write a scene's leads in a handful of statements; the same random numbers make the same leads."""
    faker = Faker("pt_BR")
    faker.seed_instance(random.randrange(2**32))
    contacts = _contacts(scene, faker, random)
    sellers = [member for member in members if member.role != Role.VIEWER]
    author = _Author(scene, list(pipeline.stages.all()), sellers, contacts, tags, random, now)
    stories = sorted(
        (author.story() for _ in range(scene.count)), key=lambda story: story.lead.updated_at, reverse=True
    )
    in_stage: dict[int, list[Lead]] = defaultdict(list)
    for story in stories:
        in_stage[story.lead.stage_id].append(story.lead)
    for leads in in_stage.values():
        for lead, key in zip(leads, keys_between(None, None, len(leads)), strict=True):
            lead.position = key
    leads = Lead.objects.bulk_create(story.lead for story in stories)
    StageChange.objects.bulk_create(move for story in stories for move in story.moves)
    Activity.objects.bulk_create(activity for story in stories for activity in story.activities)
    through = Lead.tags.through
    through.objects.bulk_create(through(lead=story.lead, tag=tag) for story in stories for tag in story.tags)
    made = [(lead, None, {"title": lead.title}) for lead in leads]
    audit.record_many(actor=members[0], action="lead.created", targets=made, demo=True)
    return leads


def _contacts(scene: Scene, faker: Faker, random: Random) -> list[Contact]:
    companies: dict[str, Company] = {}
    contacts = []
    for _ in range(scene.count * 4 // 5):
        name = f"{random.choice(scene.kinds)} {faker.last_name()}"
        company = companies.setdefault(company_key(name), Company(name=name, name_key=company_key(name)))
        person = f"{faker.first_name()} {faker.last_name()}"
        number = parse_phone(f"+55{random.choice(scene.area_codes)}9{random.randrange(60_000_000, 99_999_999)}")
        contacts.append(
            Contact(
                name=person,
                email=f"{_ascii(person)}@{_ascii(name).replace('.', '')}.example" if random.random() < 0.85 else "",
                phone=number.e164 if number else "",
                phone_key=(number.match_key or "") if number else "",
                company=company,
            )
        )
    Company.objects.bulk_create(companies.values())
    return Contact.objects.bulk_create(contacts)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return ".".join(plain.split())


class _Author:
    """Tell stories: a lead comes in, waits, is talked about, moves on, is won, lost or forgotten."""

    def __init__(
        self,
        scene: Scene,
        stages: list[Stage],
        sellers: list[Member],
        contacts: list[Contact],
        tags: Sequence[Tag],
        random: Random,
        now: datetime,
    ) -> None:
        self.scene, self.stages, self.sellers, self.tags = scene, stages, sellers, tags
        self.random, self.now = random, now
        self.contacts = contacts

    def story(self) -> Story:
        random = self.random
        story = self.beginning()
        lead, at = story.lead, story.lead.created_at
        number = 0
        while True:
            at = self.office_hour(at + timedelta(hours=random.expovariate(1 / 150) + 3), after=at)
            if at > self.now:
                break
            if random.random() < 0.55:
                self.write(story, "note", at, text=random.choice(self.scene.notes))
            fate = random.random()
            if fate < 0.12:  # forgotten
                break
            if fate < 0.24:
                self.lose(story, at)
                break
            if fate < 0.30 and number > 0:
                number -= 1
            else:
                number += 1
            self.move(story, self.stages[number], at)
            if number == len(self.stages) - 1:
                break
        if lead.outcome == Lead.Outcome.LOST and random.random() < 0.25:
            lead.archived_at = min(lead.updated_at + timedelta(days=3), self.now)
            self.write(story, "archived", lead.archived_at)
        lead.version = len(story.activities) + len(story.moves)
        return story

    def beginning(self) -> Story:
        random = self.random
        contact, owner = random.choice(self.contacts), random.choice(self.sellers)
        # More of them are recent, as in a company that grows.
        created = self.office_hour(self.now - timedelta(days=DAYS * random.random() ** 1.4, hours=1))
        low, high = self.scene.values
        value = Decimal(round(low * (high / low) ** random.random() / 50) * 50)
        company = contact.company.name if contact.company else contact.name
        lead = Lead(
            title=f"{random.choice(self.scene.services)} · {company}",
            value=value if random.random() < 0.93 else None,
            source=random.choice(self.scene.sources),
            owner=owner if random.random() < 0.92 else None,
            contact=contact,
            company=contact.company,
            stage=self.stages[0],
            created_at=created,
            created_by=owner,
            updated_at=created,
            stage_since=created,
        )
        if random.random() < 0.5:
            lead.expected_close = (created + timedelta(days=random.randrange(20, 120))).date()
        story = Story(lead, tags=random.sample(self.tags, random.choice([0, 1, 1, 2])))
        story.moves.append(
            StageChange(lead=lead, to_stage=lead.stage, to_name=lead.stage.name, actor=owner, at=created)
        )
        self.write(story, "created", created)
        return story

    def move(self, story: Story, stage: Stage, at: datetime) -> None:
        lead = story.lead
        story.moves.append(
            StageChange(
                lead=lead, from_stage=lead.stage, to_stage=stage, from_name=lead.stage.name, to_name=stage.name,
                actor=self.actor(lead), at=at,
            )
        )  # fmt: skip
        lead.stage, lead.stage_since, lead.updated_at = stage, at, at
        if stage.kind == Stage.Kind.WON:
            lead.outcome, lead.closed_at = Lead.Outcome.WON, at

    def lose(self, story: Story, at: datetime) -> None:
        lead = story.lead
        lead.outcome, lead.closed_at = Lead.Outcome.LOST, at
        lead.loss_reason = self.random.choice(self.scene.lost)
        self.write(story, "lost", at, text=lead.loss_reason)

    def write(self, story: Story, verb: str, at: datetime, *, text: str = "") -> None:
        actor = self.actor(story.lead) if verb != "created" else story.lead.created_by
        story.activities.append(Activity(lead=story.lead, verb=verb, actor=actor, text=text, at=at))
        story.lead.updated_at = max(story.lead.updated_at, at)

    def actor(self, lead: Lead) -> Member:
        """The owner does most of it, the manager some."""
        return lead.owner if lead.owner and self.random.random() < 0.85 else self.sellers[0]

    def office_hour(self, at: datetime, *, after: datetime | None = None) -> datetime:
        """Put a moment between nine and six of the same local day, unless that breaks the order of events."""
        local = timezone.localtime(at)
        moved = local.replace(hour=9 + local.hour * 9 // 24)
        return moved if moved <= self.now and (after is None or moved > after) else at
