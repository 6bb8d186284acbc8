"""Running an export of Anaplan to its end; what it reads is never changed by it."""

from __future__ import annotations

from typing import Any

from tieout.errors import Refused
from tieout.flows.leasing import hold_model, let_model_go, start_export
from tieout.flows.world import World
from tieout.store.steps import Step


def run_export(step: Step, world: World[Any], export_id: str, name: str, untouched: str) -> str:
    """Run an export, wait for its end, and say which task it was; Refused when it did not succeed.

    A repeated step may run it again: its file is written anew. The model is let go when the step is
    done, so that nobody else writes the file while it is read.
    """
    task = start_export(step, world, hold_model(step, world), export_id, name)
    done = world.anaplan.wait(
        "exports", export_id, task, name=name, progress=lambda state: world.give_way()
    )
    if done.outcome != "ok":
        raise Refused(
            f"The export {name} did not succeed ({done.state}).", untouched=untouched,
            do="Run it in Anaplan and correct what it says.", evidence="; ".join(done.words),
            who="the administrator of Anaplan",
        )  # fmt: skip
    let_model_go(step, world)
    return task
