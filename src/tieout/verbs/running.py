"""Run a flow, preview it, tie both sides out now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tieout.app import STORIES, Instance
from tieout.core.policy import Actor
from tieout.engine.durable import Engine, Pace
from tieout.engine.watch import executed
from tieout.errors import Busy, Misconfigured
from tieout.project import Flow, LoadActuals, LoadMembers, SubmitPlan
from tieout.project_tables import LoadTable
from tieout.store.runs import NewRun, Run
from tieout.verbs import acting, notifying, seeing

RUN_SECONDS_MAX = 24 * 3600.0
FINISH_SECONDS = 30.0
SERVING = Pace()
SOMEBODY_WAITS = Pace(poll_seconds=0.2)  # at a terminal, for the run of a command
INTERRUPTED_EXIT_CODE = 130
PREPARE, FOLLOW = "prepare_plan", "follow_journals"
TIE_OUT = "tie_out"  # the kind of a run that only compares


def kind_of(flow: Flow) -> str:
    """The kind of run that a flow is run by; a plan is prepared, and sent when it is approved."""
    if isinstance(flow, SubmitPlan):
        return PREPARE
    if isinstance(flow, LoadTable):
        return "load_table"
    return "load_actuals" if isinstance(flow, LoadActuals) else "load_members"


def engine_for(instance: Instance, pace: Pace = SERVING) -> Engine:
    """The executor of an instance; runs into one Anaplan model go one after the other."""

    def lane(run: Run) -> str:
        if run.part_of:
            return f"parts of {_read_from(instance, run.part_of)}"
        # As it was begun: a file that was edited since must not leave waiting runs lying.
        try:
            project = instance.applied(run.config_version)
        except Misconfigured:  # its story says so
            return run.flow
        flow = project.flows.get(run.flow)
        if flow is None:
            return run.flow
        if run.kind == FOLLOW:  # it may wait for long, and asks JD Edwards alone
            return f"journals of {run.flow}"
        connection = project.anaplan(flow)
        return f"{connection.tenant}/{connection.workspace}/{connection.model}"

    instance.store.safe.check()  # before a run begins that could not sign in
    engine = Engine(
        instance.store, STORIES, instance.world_for, pace=pace, lane_for=lane,
        failpoint=instance.failpoint(), places=instance.places,
    )  # fmt: skip
    instance.fence = engine.refuse_unheld
    return engine


def _read_from(instance: Instance, run_id: str) -> str:
    """The connection to JD Edwards that a run reads from."""
    run = instance.store.run(run_id)
    try:
        project = instance.applied(run.config_version)
        return project.jde_name(project.flows[run.flow])
    except (Misconfigured, KeyError):  # its story says so
        return run.flow


@dataclass(frozen=True, slots=True)
class Done:
    """A run that was asked for, and what had to be done before it."""

    run: Run
    carried_on: bool = False  # it was unfinished before
    first: Run | None = None  # another run that was unfinished and was carried to its end first


def run_flow(
    instance: Instance, flow: str, *, asked: Mapping[str, Any] | None = None,
    kind: str | None = None, wait: bool = True, engine: Engine | None = None,
) -> Done:  # fmt: skip
    """Start a run of `flow`, or carry on the one that is unfinished.

    An unfinished run that was asked for something else ends first, whatever it still sends. With
    an executor elsewhere (`tieout serve`) the run is left to it and followed.
    """
    by, wanted, asked = _wanted(instance, flow, kind, asked)
    first = None
    with executing(instance, engine) as executor:
        unfinished = _unfinished(instance, flow, wanted)
        other = wanted == PREPARE and unfinished and unfinished.started_by != by.name
        if unfinished and ((unfinished.kind, dict(unfinished.asked)) != (wanted, asked) or other):
            first = executor.carry_out(unfinished.id, RUN_SECONDS_MAX)
            unfinished = None
        run = unfinished or _new(instance, flow, wanted, by, asked)
        if wait or not (engine or executed(instance.store)):
            run = executor.carry_out(run.id, RUN_SECONDS_MAX)
        return Done(run, unfinished is not None, first)


def begin(
    instance: Instance, flow: str, *, asked: Mapping[str, Any] | None = None,
    kind: str | None = None, engine: Engine | None = None,
) -> Run:  # fmt: skip
    """Start a run of `flow` and leave it to who executes the instance: nobody waits for it.

    The unfinished one where it was asked for the same; Busy while the flow is at something else.
    """
    by, wanted, asked = _wanted(instance, flow, kind, asked)
    unfinished = _unfinished(instance, flow, wanted)
    if unfinished is not None:
        other = wanted == PREPARE and unfinished.started_by != by.name
        if (unfinished.kind, dict(unfinished.asked)) == (wanted, asked) and not other:
            return unfinished
        raise Busy(
            f"{unfinished.id} of {flow} is under way, begun by {unfinished.started_by}.",
            untouched="Nothing was begun.", do="Wait until it has ended, or end it.",
        )  # fmt: skip
    run = _new(instance, flow, wanted, by, asked)
    if engine is not None:
        engine.start()
    return run


def _wanted(
    instance: Instance, flow: str, kind: str | None, asked: Mapping[str, Any] | None
) -> tuple[Actor, str, dict[str, Any]]:
    """Who begins a run, of which kind, and what it is asked for; refused when it cannot be meant.

    NotAllowed, or Misconfigured.
    """
    by = acting.require(instance, "run")
    configured = seeing.known(instance, flow)
    wanted, told = kind or kind_of(configured), dict(asked or {})
    if wanted == PREPARE:
        acting.require(instance, "prepare")
    _refuse_unfit(instance, flow, configured, wanted, told)
    return by, wanted, told


def _new(instance: Instance, flow: str, kind: str, by: Actor, asked: Mapping[str, Any]) -> Run:
    config = instance.store.config()
    return instance.store.new_run(
        NewRun(
            flow, kind, by.name, outcome="waiting", asked=asked,
            config_version=config.version if config else None, alone=kind != PREPARE,
        )
    )  # fmt: skip


def _unfinished(instance: Instance, flow: str, wanted: str) -> Run | None:
    """The run to be carried on first; a preparation does not wait for journals to be settled."""
    found = instance.store.unfinished_run(flow)
    return None if found and wanted == PREPARE and found.kind != PREPARE else found


def _refuse_no_actuals(instance: Instance, flow: str, configured: Flow) -> None:
    if not isinstance(configured, LoadActuals):
        raise Misconfigured(
            f"The flow {flow} loads no actuals, so there is nothing to tie out.",
            untouched="Nothing was run.",
            do=f"Name one of: {', '.join(actuals_flows(instance)) or 'none is configured'}.",
        )


def _refuse_unfit(
    instance: Instance, flow: str, configured: Flow, wanted: str,
    asked: Mapping[str, Any],
) -> None:  # fmt: skip
    """Misconfigured for what a flow of this kind cannot do."""
    if wanted == TIE_OUT and not isinstance(configured, LoadTable):
        _refuse_no_actuals(instance, flow, configured)
    if isinstance(configured, LoadMembers | LoadTable) and "unlock" in asked:
        what = "a table" if isinstance(configured, LoadTable) else "members"
        raise Misconfigured(
            f"The flow {flow} loads {what}, which has no periods that could be locked.",
            untouched="Nothing was run.",
            do="Leave --unlock out; --full sends everything again.",
        )
    if isinstance(configured, SubmitPlan) and {"unlock", "replay"} & asked.keys():
        raise Misconfigured(
            f"The flow {flow} submits a plan, which is never loaded again as it was.",
            untouched="Nothing was run.",
            do=f"`tieout prepare {flow}` compares the plan with the ledger anew.",
        )
    if {"rejects", "periods"} & asked.keys() and not isinstance(configured, LoadActuals):
        raise Misconfigured(
            f"The flow {flow} loads no cells that could be sent alone.",
            untouched="Nothing was run.", do=f"`tieout run {flow}` sends what is not proved.",
        )  # fmt: skip
    if "replay" in asked:
        earlier = instance.store.run(str(asked["replay"]))
        if earlier.flow != flow:
            raise Misconfigured(
                f"{earlier.id} is a run of {earlier.flow}, not of {flow}.",
                untouched="Nothing was run.",
                do=f"`tieout runs --flow {flow}` lists those that can be replayed.",
            )


@contextmanager
def executing(instance: Instance, engine: Engine | None = None) -> Iterator[Engine]:
    """`engine`, or one of our own that is closed at the end.

    A step that does not come to its end in time keeps the instance locked; then this process ends
    at once, and the step is carried on by the next one, as after any kill.
    """
    if engine is not None:
        yield engine
        return
    own = engine_for(instance, SOMEBODY_WAITS)
    instance.store.sweep()
    try:
        yield own
    finally:
        if not own.close(FINISH_SECONDS):
            os._exit(INTERRUPTED_EXIT_CODE)
        notifying.tell(instance)  # nobody serves here who would


def preview(instance: Instance, flow: str) -> Done:
    """Read and prove, and say what would be sent; nothing is sent."""
    return run_flow(instance, flow, asked={"preview": True})


def tie_out_now(instance: Instance, flow: str | None = None, engine: Engine | None = None) -> Done:
    """Read both sides now and compare them cell by cell; nothing is sent."""
    return run_flow(instance, flow_to_tie_out(instance, flow), kind=TIE_OUT, engine=engine)


def actuals_flows(instance: Instance) -> list[str]:
    """The names of the flows that load actuals."""
    return [n for n, f in instance.project().flows.items() if isinstance(f, LoadActuals)]


def flow_to_tie_out(instance: Instance, flow: str | None = None) -> str:
    """The flow as named, if it loads actuals or a table, else the only one that loads actuals."""
    if flow is not None and isinstance(seeing.known(instance, flow), LoadTable):
        return flow
    return actuals_flow(instance, flow)


def actuals_flow(instance: Instance, flow: str | None = None) -> str:
    """The flow of actuals: as named, else the only one; Misconfigured for any other."""
    if flow is not None:
        _refuse_no_actuals(instance, flow, seeing.known(instance, flow))
        return flow
    names = actuals_flows(instance)
    if len(names) == 1:
        return names[0]
    raise Misconfigured(
        f"{len(names)} flows load actuals ({', '.join(names) or 'none'}).",
        do="Name one with --flow.",
    )
