"""Run a flow, preview it, replay what was rejected, tie both sides out now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tieout.app import STORIES, Instance
from tieout.engine.durable import Engine
from tieout.engine.lock import executor_of
from tieout.errors import Misconfigured
from tieout.settings import LoadActuals, LoadMembers
from tieout.store.runs import NewRun, Run

OWNER = "owner"  # who acts on an instance without users
RUN_SECONDS_MAX = 24 * 3600.0
FINISH_SECONDS = 30.0
INTERRUPTED_EXIT_CODE = 130


def kind_of(flow: LoadActuals | LoadMembers) -> str:
    """The kind of a flow as the project file writes it."""
    return "load_actuals" if isinstance(flow, LoadActuals) else "load_members"


def engine_for(instance: Instance) -> Engine:
    """The executor of an instance; runs into one Anaplan model go one after the other."""

    def lane(run: Run) -> str:
        flow = instance.project().flows.get(run.flow)
        if flow is None:
            return run.flow
        connection = instance.project().anaplan(flow)
        return f"{connection.tenant}/{connection.workspace}/{connection.model}"

    return Engine(
        instance.store, STORIES, instance.world_for, lane_for=lane, failpoint=instance.failpoint()
    )


def run_flow(
    instance: Instance, flow: str, *, asked: Mapping[str, Any] | None = None,
    kind: str | None = None, wait: bool = True, engine: Engine | None = None,
) -> tuple[Run, bool]:  # fmt: skip
    """Start a run of `flow`, or carry on the one that is unfinished; (the run, whether carried on).

    With an executor elsewhere (`tieout serve`) the run is left to it and followed.
    """
    project = instance.project()
    configured = project.flows.get(flow)
    if configured is None:
        raise Misconfigured(
            f"There is no flow {flow!r}.",
            do=f"Name one of: {', '.join(sorted(project.flows)) or 'none is configured'}.",
        )
    wanted, asked = kind or kind_of(configured), dict(asked or {})
    with executing(instance, engine) as executor:
        unfinished = instance.store.unfinished_run(flow)
        if unfinished and (unfinished.kind, dict(unfinished.asked)) != (wanted, asked):
            executor.carry_out(unfinished.id, RUN_SECONDS_MAX)  # what was begun ends first
            unfinished = None
        config = instance.store.config()
        run = unfinished or instance.store.new_run(
            NewRun(
                flow, wanted, OWNER, outcome="waiting", asked=asked,
                config_version=config.version if config else None,
            )
        )  # fmt: skip
        if wait or not (engine or executor_of(instance.home)):
            run = executor.carry_out(run.id, RUN_SECONDS_MAX)
        return run, unfinished is not None


@contextmanager
def executing(instance: Instance, engine: Engine | None = None) -> Iterator[Engine]:
    """`engine`, or one of our own that is closed at the end.

    A step that does not come to its end in time keeps the instance locked; then this process ends
    at once, and the step is carried on by the next one, as after any kill.
    """
    if engine is not None:
        yield engine
        return
    own = engine_for(instance)
    instance.store.sweep()
    try:
        yield own
    finally:
        if not own.close(FINISH_SECONDS):
            os._exit(INTERRUPTED_EXIT_CODE)


def preview(instance: Instance, flow: str) -> Run:
    """Read and prove, and say what would be sent; nothing is sent."""
    return run_flow(instance, flow, asked={"preview": True})[0]


def replay(instance: Instance, run_id: str) -> Run:
    """Send again what run `run_id` could not load, with today's mapping and members."""
    earlier = instance.store.run(run_id)
    return run_flow(instance, earlier.flow, asked={"replay": run_id})[0]


def tie_out_now(instance: Instance, flow: str | None = None, engine: Engine | None = None) -> Run:
    """Read both sides now and compare them cell by cell; nothing is sent."""
    return run_flow(instance, flow or only_actuals(instance), kind="tie_out", engine=engine)[0]


def only_actuals(instance: Instance) -> str:
    """The name of the one actuals flow; Misconfigured when there are none or several."""
    names = [n for n, f in instance.project().flows.items() if isinstance(f, LoadActuals)]
    if len(names) == 1:
        return names[0]
    raise Misconfigured(
        f"{len(names)} flows load actuals ({', '.join(names) or 'none'}).",
        do="Name one with --flow.",
    )
