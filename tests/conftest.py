"""What every test may use: a printed seed, an empty PostgreSQL database, and the count left out."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from random import Random

import psycopg
import pytest
from hypothesis import settings
from object_storage import ObjectStorage, served
from sqlalchemy import URL, make_url

from bench.cluster import programs

DEFAULT_DATABASE = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
CONNECT_SECONDS_MAX = 3
LEFT_OUT = "left out, needs "
AT_MOST = "at most"  # how the name of what is not added up ends: the largest counts
SAMPLE_FROM_TESTS = 1000  # who runs fewer has chosen them
LONGEST_FIRST = ("crash", "cli", "flows", "engine")  # folders of tests
# Folders of tests that take long: the seed draws so many of them, and half of the cases of each.
SHARES = {"crash": 0.2, "cli": 0.2, "flows": 0.15, "browser": 0.5, "web": 0.5}
EVERY = {"browser": 6}  # one in so many cases, where a case takes seconds
ALWAYS = "test_chaos.py"  # of these, is never left out

# A shared machine may pause a test for longer than Hypothesis allows an example to take.
settings.register_profile("tieout", deadline=None, print_blob=True)
settings.load_profile("tieout")


def pytest_configure() -> None:
    """One seed for the whole run; the worker processes inherit it."""
    os.environ.setdefault("TIEOUT_SEED", str(secrets.randbelow(10**9)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first, so that no worker is left alone with one at the end.

    Of the tests that take long a share is drawn, but never in a campaign: it counts all it names.
    """
    if not os.environ.get("TIEOUT_CAMPAIGN") and len(items) > SAMPLE_FROM_TESTS:
        long = [i for i in items if i.path.parent.name in SHARES and i.path.name != ALWAYS]
        left_out = {i.nodeid for i in long} - _drawn(i.nodeid for i in long)
        items[:] = [item for item in items if item.nodeid not in left_out]

    def turn(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=turn)


def _drawn(names: Iterable[str]) -> set[str]:
    """The share of each folder, and half of the cases of each test, at least one, by the seed."""
    cases: dict[str, list[str]] = {}
    for name in names:
        cases.setdefault(name.partition("[")[0], []).append(name)
    drawn: set[str] = set()
    for test, some in sorted(cases.items()):
        dice = Random(f"{os.environ['TIEOUT_SEED']} {test}")
        if dice.random() > SHARES[test.split("/")[1]]:
            continue
        every = EVERY.get(test.split("/")[1], 2)
        drawn.update(dice.sample(sorted(some), -(-len(some) // every)))
    return drawn


def pytest_report_header() -> list[str]:
    seed = os.environ["TIEOUT_SEED"]
    told = ", ".join(f"{share:.0%} in {folder}" for folder, share in SHARES.items())
    return [
        f"seed: {seed} (TIEOUT_SEED={seed} repeats it)",
        f"when all are asked for, it draws {told} of the tests there, with half of their cases "
        "(make campaign PARTS=all tries all)",
    ]


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> Random:
    """Randomness that depends on the run's seed and the test's name, and on nothing else."""
    seed = f"{os.environ['TIEOUT_SEED']} {request.node.name}"
    print(f"dice: {seed}")
    return Random(seed)


def _connect(url: URL) -> psycopg.Connection:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, connect_timeout=CONNECT_SECONDS_MAX, autocommit=True)


def _test_database() -> URL:
    return make_url(os.environ.get("TIEOUT_TEST_DATABASE", DEFAULT_DATABASE))


@cache
def _is_there(name: str) -> bool:
    """Whether this machine has what a test needs."""
    if name == "chromium":
        return shutil.which("chromium") is not None
    if name == "gcc":
        return shutil.which("gcc") is not None
    if name == "initdb":
        return programs() is not None
    assert name == "postgres", f"nobody knows how to look for {name!r}"
    try:
        _connect(_test_database()).close()
    except psycopg.OperationalError:
        return False
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out when the machine lacks what it needs, or fail if that is required."""
    required = os.environ.get("TIEOUT_REQUIRE", "").replace(" ", "").split(",")
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if _is_there(name):
                continue
            if name in required:
                pytest.fail(f"TIEOUT_REQUIRE names {name}, which this machine does not have")
            pytest.skip(f"{LEFT_OUT}{name}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests counted (`record_property`), and how much was left out, also when nothing."""
    counted: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, count in report.user_properties:
                most = name.endswith(AT_MOST)
                counted[name] = max(counted[name], count) if most else counted[name] + count
    if counted:
        told = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
        waited = counted["journals that waited"] / max(1, counted["journals"])
        of_journals = f"; {waited:.1%} of the journals waited" if counted["journals"] else ""
        terminalreporter.write_line(f"counted: {told}{of_journals}")
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else "")
        counts[reason.partition(LEFT_OUT)[2] or "for other reasons"] += 1
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    terminalreporter.write_line(f"left out: {told or 'nothing'}")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database of its own; mark the test `needs("postgres")`."""
    server = _test_database()
    name = f"tieout_{secrets.token_hex(6)}"
    with _connect(server) as connection:
        connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")
    yield server.set(database=name).render_as_string(hide_password=False)
    with _connect(server) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def object_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    """An S3 server with an empty bucket, once for all tests of a process."""
    with served(tmp_path_factory.mktemp("moto")) as storage:
        yield storage


@pytest.fixture(autouse=True)
def without_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """The faults of one test are not those of the next."""
    yield
    if "object_storage" in request.fixturenames:
        request.getfixturevalue("object_storage").mend()
