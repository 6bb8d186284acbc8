"""Workers that read one backfill side by side: one dies, another flow wants in, and all ties."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_home import Home, free_ports, until

from tieout.app import Instance
from tieout.clock import SystemClock
from tieout.settings import Environment
from tieout.store import executors, parts
from tieout.store.runs import NewRun, Run
from tieout.verbs import demo, practice, running, setting_up

LINES, SESSIONS, WORKERS = 2_500, 2, 2
NARROW = f"readers = {SESSIONS}\nreaders_a_run = 1\nparts = 6\npage_rows = 20\n"
ERP = "[connections.erp]\n"
BACKFILL = {"from": "2024-01", "to": "2025-12", "read": True}
SLOW = {"kind": "delay", "seconds": 0.4, "times": 100_000, "body_match": '"F0911".*BROWSE'}


@pytest.fixture
def loaded(tmp_path: Path, postgres_url: str) -> Iterator[tuple[Home, Instance]]:
    """Actuals on PostgreSQL that tie, before practice systems of which each answer takes time."""
    home = Home(tmp_path / "home")
    found = practice.start_practice(
        home.path, "--lines", str(LINES), "--port", str(free_ports())
    )  # fmt: skip
    nowhere = Environment(
        home=home.path, database=postgres_url, records="", clock_url="", kill_at="",
        log_level="WARNING", token="", standard={},
    )  # fmt: skip
    instance = Instance(nowhere, SystemClock())
    setting_up.make_instance(instance)
    listed = ", ".join(f'"{company}"' for company in demo.COMPANIES)
    text = demo.PROJECT.format(jde=found["jde"], anaplan=found["anaplan"], companies=listed)
    setting_up.apply_project(instance, text.replace(ERP, ERP + NARROW))
    for name, system in (("erp", "jde"), ("planning", "anaplan")):
        setting_up.connect(instance, name, practice.credentials(home.path)[system])
    try:
        yield home, instance
    finally:
        instance.close()
        home.stop()


@pytest.mark.needs("postgres")
def test_a_backfill_is_read_on_when_a_worker_dies_and_another_flow_is_not_kept_waiting(
    loaded: tuple[Home, Instance], postgres_url: str
) -> None:
    home, instance = loaded
    store, env = instance.store, {"TIEOUT_DATABASE": postgres_url}

    def ask(flow: str, **asked: object) -> str:
        kind = running.kind_of(instance.project().flows[flow])
        new = NewRun(flow, kind, "owner", outcome="waiting", config_version=1, asked=asked)
        return store.new_run(new).id

    def parts_of(run: str) -> list[Run]:
        with store.database.read() as connection:
            return parts.of_run(connection, run)

    def of_lines(run: str) -> list[Run]:
        return [p for p in parts_of(run) if not p.asked["what"].startswith("balances")]

    workers = [home.start("worker", env=env) for _ in range(WORKERS)]
    until(lambda: _executing(instance) == WORKERS)
    for flow in ("companies", "accounts", "cost_centers"):
        members = ask(flow)
        until(lambda: store.run(members).finished)  # noqa: B023 - looked at within the loop
        assert store.run(members).outcome == "complete", store.run(members).sentence
    home.control("jde", "faults", add=SLOW)
    run = ask("actuals")  # a first load, which reads everything
    until(lambda: any(part.finished for part in of_lines(run)), 120)
    beside = ask("companies")
    read = [part.id for part in of_lines(run) if part.finished]
    before = {s.name: s.finished_at for s in store.steps(run)}
    workers[0].send_signal(signal.SIGKILL)

    until(lambda: store.run(beside).finished)
    assert not store.run(run).finished
    until(lambda: store.run(run).finished, 120)

    ended = store.run(run)
    assert ended.exit_code in (0, 5), ended.sentence  # one unit of the demo is not mapped yet
    assert [part.outcome for part in of_lines(run)] == ["complete"] * 6
    assert {part.outcome for part in parts_of(run)} == {"complete"}
    assert read
    after = {s.name: s.finished_at for s in store.steps(run)}
    assert after.items() >= before.items()  # what was committed was not read again
    assert instance.store.verify_audit().whole
    for worker in workers[1:]:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    seen = home.control("jde", "state")
    assert seen["sessions_most"] <= SESSIONS
    assert seen["sessions"] == 0


def _executing(instance: Instance) -> int:
    with instance.store.database.read() as connection:
        return len(executors.listed(connection))
