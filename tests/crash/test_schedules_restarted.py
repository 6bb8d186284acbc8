"""Schedules fire in real workers while their database is restarted: each due time runs once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from demo_home import until
from sqlalchemy import Connection

from bench.cluster import Cluster
from bench.processes import Processes
from bench.schedule import Size, made, until_known
from tieout.app import Instance
from tieout.errors import Trouble
from tieout.store import schedules
from tieout.store.schema import UNFINISHED
from tieout.store.server_time import server_moment
from tieout.verbs import practice

SIZE = Size(flows=8, tenants=2, models=2, workers=2)
LEAD_SECONDS, SPREAD_SECONDS = 1.0, 6.0  # until the first is due, and from there to the last
ENDED_SECONDS_MAX = 180


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server of its own, in a folder that its user can reach."""
    with tempfile.TemporaryDirectory(prefix="tieout-restarted-") as folder:
        Path(folder).chmod(0o711)
        served = Cluster(Path(folder) / "server")
        yield served
        served.stop("fast")


@pytest.mark.needs("postgres", "initdb")
def test_each_due_time_runs_once_and_complete_though_the_database_restarts_meanwhile(
    cluster: Cluster, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    instance = made(home, cluster.url, SIZE)
    workers = Processes(home, cluster.url, SIZE.workers)
    try:
        names = [*instance.project().schedules]
        until_known(instance, workers, len(names))
        become_due(instance, names)
        until(lambda: len(instance.store.runs()) >= len(names) // 4)
        cluster.stop()  # as by a power cut: in the middle of runs, and before half of the times
        cluster.start()
        until(lambda: all_ended(instance, len(names)), ENDED_SECONDS_MAX)
        workers.refuse_dead()
        judge(instance, names)
        assert practice.control(home, "jde", "state")["sessions"] == 0
        seen = practice.control(home, "anaplan", "state")
        assert seen["counts"]["tasks"] == len(names)
        assert set(seen["open_tasks_max"].values()) == {1}
    finally:
        workers.stop()
        instance.close()
        practice.stop_practice(home)


def become_due(instance: Instance, names: list[str]) -> None:
    """Every schedule soon, one after the other, by the database's clock."""
    pause = timedelta(seconds=SPREAD_SECONDS / len(names))

    def write(connection: Connection) -> None:
        first = server_moment(connection) + timedelta(seconds=LEAD_SECONDS)
        for number, name in enumerate(names):
            schedules.change(connection, name, next_due=first + number * pause)

    instance.store.database.transact(write)


def all_ended(instance: Instance, count: int) -> bool:
    """Whether as many runs were begun and none is unfinished; not while the database is away."""
    with suppress(Trouble):
        store = instance.store
        return len(store.runs()) >= count and not store.runs(outcomes=UNFINISHED, limit=1)
    return False


def judge(instance: Instance, names: list[str]) -> None:
    """One due time of each schedule, one run of each due time, and each run complete."""
    runs = instance.store.runs()
    assert [run.sentence for run in runs if run.outcome != "complete"] == []
    assert sorted(run.trigger for run in runs) == sorted(f"schedule {name}" for name in names)
    with instance.store.database.read() as connection:
        fires = {name: schedules.fires(connection, name) for name in names}
    assert {name: len(found) for name, found in fires.items()} == dict.fromkeys(names, 1)
    begun = [run for found in fires.values() for fire in found for run in fire.runs.values()]
    assert sorted(begun) == sorted(run.id for run in runs)
    assert instance.store.verify_audit().whole
