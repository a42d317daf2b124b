"""Somebody with a browser: signs in by the form, looks at boards, moves cards."""

import random
import re
from dataclasses import dataclass, field

import httpx
import psycopg

from bench.data import PASSWORD, email_of

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
PER_COLUMN = 80


def browser(address: str, *, visitor: int = 1) -> httpx.Client:
    """Return a client that keeps cookies and its connection; `visitor` numbers the address that a proxy would see."""
    headers = {"Accept": "text/html", "Accept-Language": "pt-BR", "X-Forwarded-For": f"192.0.2.{visitor}"}
    return httpx.Client(base_url=f"http://{address}", timeout=60, headers=headers)


def sign_in(client: httpx.Client, owner: int = 0) -> None:
    """Sign in by the form, as people do."""
    page = client.get("/accounts/login/")
    form = {"login": email_of(owner), "password": PASSWORD, "csrfmiddlewaretoken": token_of(page)}
    answer = client.post("/accounts/login/", data=form)
    if answer.status_code != 302:
        raise RuntimeError(f"signing in as {email_of(owner)} answered {answer.status_code}")


def token_of(page: httpx.Response) -> str:
    """Take the CSRF token from a page with a form."""
    found = TOKEN.search(page.text)
    if page.status_code != 200 or not found:
        raise RuntimeError(f"{page.url} answered {page.status_code} without a form")
    return found.group(1)


def cards_in(page: str) -> int:
    """Count the cards of a board."""
    return page.count('id="lead-')


@dataclass
class Mover:
    """Moves cards of one organization and remembers where they are, as a browser does."""

    client: httpx.Client
    slug: str
    columns: dict[int, list[int]]
    versions: dict[int, int]
    pipeline: int
    chance: random.Random = field(default_factory=lambda: random.Random(42))

    def move(self) -> int:
        """Move some card of the board to another column, half of the time below another card; return its id."""
        source, target = self.chance.sample([stage for stage, leads in self.columns.items() if leads], 2)
        lead = self.chance.choice(self.columns[source][:PER_COLUMN])
        above = self.chance.randrange(-PER_COLUMN // 2, PER_COLUMN // 2)
        after = self.columns[target][above] if 0 <= above < len(self.columns[target]) else ""
        form = {"stage": target, "after": after, "version": self.versions[lead]}
        headers = {"HX-Request": "true", "X-CSRFToken": self.client.cookies["csrftoken"]}
        answer = self.client.post(f"/o/{self.slug}/leads/{lead}/move/", data=form, headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"a move answered {answer.status_code}: {answer.text[:300]}")
        self.columns[source].remove(lead)
        self.columns[target].insert(above + 1 if after else 0, lead)
        self.versions[lead] += 1
        return lead


def mover(client: httpx.Client, database_url: str, slug: str) -> Mover:
    """Look up where an organization's cards are, and return somebody who moves them."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT schema_name FROM tenants_organization WHERE slug = %s", [slug]).fetchone()
        assert row is not None, slug
        connection.execute("SELECT set_config('search_path', %s, false)", [row[0]])
        pipeline = connection.execute("SELECT min(id) FROM crm_pipeline").fetchone()
        assert pipeline is not None
        columns: dict[int, list[int]] = {
            pk: [] for (pk,) in connection.execute('SELECT id FROM crm_stage ORDER BY "order"').fetchall()
        }
        versions = {}
        rows = connection.execute("SELECT id, stage_id, version FROM crm_lead ORDER BY stage_id, position").fetchall()
    for lead, stage, version in rows:
        columns[stage].append(lead)
        versions[lead] = version
    return Mover(client, slug, columns, versions, pipeline[0])
