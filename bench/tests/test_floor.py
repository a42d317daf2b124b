"""The floor draws the same leads by SQL and by the ORM, and moves one."""

import os
import re
import subprocess
import sys

import psycopg
import pytest
from django.db import connection

from bench.data import SHARES, SIZES, STAGES, leads
from bench.database import ROOT, with_database
from bench.floor import tables
from bench.floor.page import PER_COLUMN, raw_board

ASK = """
import sys
from django.test import Client
from bench.floor import app
for path in ("/sql/bench1k/", "/orm/bench1k/", "/move/bench1k/5/6/", "/sql/bench1k/"):
    print(Client().get(path).content.decode().replace("\\n", " "))
"""


@pytest.fixture
def floor(django_db_setup, django_db_blocker, monkeypatch):
    """A database that holds the floor's tables of the small size; yields its environment."""
    name = f"{connection.settings_dict['NAME']}_floor"
    monkeypatch.setitem(SIZES, "bench10k", 1)
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(with_database(server, "postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        url = with_database(server, name)
        with psycopg.connect(url) as made:
            for size in SIZES:
                tables.make(made, size)
        yield {**os.environ, "DATABASE_URL": url}
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def ids(page: str) -> list[str]:
    return re.findall(r'id="lead-(\d+)"', page)


def test_both_boards_show_the_same_cards_and_a_move_moves_one(floor):
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, env=floor, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sql, orm, _moved, after = done.stdout.splitlines()
    assert len(ids(sql)) > 400
    assert ids(sql) == ids(orm)
    assert 'id="lead-5" data-stage="6"' in after.replace("  ", " ")
    with psycopg.connect(floor["DATABASE_URL"]) as bare:
        assert ids(raw_board(bare.cursor(), tables.schema_of("bench1k"))) == ids(after)


def test_the_leads_are_the_same_every_time_and_spread_as_promised():
    drawn = list(leads(2000))
    assert drawn[:50] == list(leads(50))
    for stage, share in enumerate(SHARES):
        assert abs(sum(lead.stage == stage for lead in drawn) / 20 - share) < 3, STAGES[stage]
    assert {len(lead.tags) for lead in drawn} == {0, 1, 2, 3}
    assert min(sum(lead.stage == stage for lead in drawn) for stage in range(6)) > PER_COLUMN
