"""A house for the whole run, and a line at its end that says what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import CLOSING_LINES
from tests.crash.house import House


def pytest_addoption(parser):
    parser.addoption("--seeds", type=int, default=10, help="how many seeds the crash rig runs (50 operations each)")

    parser.addoption("--away", type=float, default=15, help="for how many seconds Valkey is away")


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, metafunc.config.getoption("--seeds") + 1))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.crash)


@dataclass
class Tally:
    seeds: int = 0
    operations: int = 0
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        return f"crash: {self.seeds} seeds, {self.operations} operations, {self.lost} lost, {self.doubled} doubled"


@pytest.fixture(scope="session")
def tally(pytestconfig) -> Iterator[Tally]:
    """Count over all seeds; printed last."""
    counted = Tally()
    yield counted
    pytestconfig.stash[CLOSING_LINES].append(str(counted))


@pytest.fixture(scope="session")
def house(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[House]:
    """Serve the product from processes of our own on this run's copy of the test database."""
    built = House(tmp_path_factory.mktemp("crash"))
    with django_db_blocker.unblock():
        try:
            built.open()
            yield built
        finally:
            built.close()
