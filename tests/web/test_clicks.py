"""Clicks on Approve, 200 at once, over HTTP at real servers on either database: one decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from demo_home import Home, Person
from web_office import PASSWORD, WebOffice, a_batch

from tieout.verbs import approving

CLICKS, HANDS = 200, 32
# Several processes serve one PostgreSQL database; on SQLite there is one.
SERVERS = {"sqlite": 1, "postgresql": 2}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[WebOffice, int]]:
    """An instance on a database, and how many servers are to serve it."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    found = WebOffice(tmp_path / "home", url)
    found.people()
    for name in ("ben", "carla"):
        found.with_password(name)
    yield found, SERVERS[request.param]
    found.close()


def test_200_clicks_on_approve_at_real_servers_make_one_decision_and_one_run(
    office: tuple[WebOffice, int], record_property: pytest.RecordProperty
) -> None:
    made, servers = office
    batch = a_batch(made)
    digest = str(approving.approval(made.desk("dora"), batch)["digest"])
    env = {"TIEOUT_DATABASE": made.url} if made.url.startswith("postgresql") else {}
    with ExitStack() as stack:
        served = [stack.enter_context(Home(made.home).served(env=env)) for _ in range(servers)]
        people = [one.signed_in(who, PASSWORD) for one in served for who in ("ben", "carla")]
        statuses = clicked(people, f"/approvals/{batch}/approve", digest)
    told = [name for _, name, _ in made.trail("approved batch")]
    assert told.count(batch) == 1
    assert approving.approval(made.desk("dora"), batch)["state"] == "approved"
    assert [run.kind for run in made.store.runs(limit=1_000)].count("submit_plan") == 1
    assert set(statuses) <= {303, 409, 503}, statuses
    record_property("clicks on Approve", len(statuses))
    record_property("decisions of them", told.count(batch))


def clicked(people: Sequence[Person], path: str, digest: str) -> list[int]:
    """The answers to clicks of all of them at once."""
    form = {"digest": digest, "why": "as planned"}

    def click(n: int) -> int:
        return people[n % len(people)].ask(path, "POST", form=form)[0]

    with ThreadPoolExecutor(HANDS) as pool:
        return list(pool.map(click, range(CLICKS)))
