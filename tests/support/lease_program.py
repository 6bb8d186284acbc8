"""A process that tells runs, each of some tasks in one model, without any queue before them.

    python lease_program.py '{"home": …, "database": …, "url": …, "runs": […], …}'

An import and an export take turns; an import of nothing fails, and is a task all the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tieout.anaplan.client import Anaplan, Connection
from tieout.anaplan.sign_in import Basic
from tieout.clock import SystemClock
from tieout.engine.inline import tell_here
from tieout.engine.story import Run
from tieout.flows.exporting import run_export
from tieout.flows.leasing import hold_model, let_model_go, start_import_once
from tieout.http import Http
from tieout.outgoing import Allowed
from tieout.store.steps import Step
from tieout.store.store import Store
from tieout.store.tasks import TaskKey

TASKS = 2


def an_import(step: Step, world: Any) -> dict[str, Any]:
    found = world.anaplan.find("imports", "Load Ledger")
    ours = hold_model(step, world)
    key = TaskKey(step.run.id, step.name, "imports", found.id)
    task = start_import_once(step, world, ours, key, found.name)
    world.anaplan.wait("imports", found.id, task)
    let_model_go(step, world)
    return {"task": task}


def an_export(step: Step, world: Any) -> dict[str, Any]:
    found = world.anaplan.find("exports", "Ledger Export")
    return {"task": run_export(step, world, found.id, found.name, "")}


def story(run: Run, world: Any) -> dict[str, Any]:
    """Imports and exports, one after the other."""
    for number in range(TASKS):
        kind = an_export if number % 2 else an_import
        run.step(f"task {number}", kind, world)
    return {}


def main(asked: dict[str, Any]) -> None:
    """Tell every run to its end."""
    clock = SystemClock()
    store = Store(Path(asked["home"]), clock, asked["database"] or None)
    api, auth = (
        Http(
            asked["url"] + path,
            system="Anaplan",
            clock=clock,
            allow_http=True,
            allowed=Allowed([asked["url"]]),
        )
        for path in ("/2/0", "")
    )
    options = Connection(
        "Finance", "Small", poll_seconds=0.05, task_seconds_max=60.0, quiet_seconds=0.2
    )
    who = {"username": asked["username"], "password": asked["password"]}
    anaplan = Anaplan(api, auth, options, Basic(auth, lambda: who), clock)
    world = SimpleNamespace(
        anaplan=anaplan, store=store, clock=clock, tenant="acme",
        executor=f"process {os.getpid()}", give_way=lambda: None,
        patience=lambda: None,
    )  # fmt: skip

    @contextmanager
    def world_for(run: str) -> Iterator[Any]:
        yield world

    for run in asked["runs"]:
        done = tell_here(store, run, story, world_for)
        print(json.dumps({"run": run, "outcome": done.outcome, "said": done.sentence}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
