"""Posted ledger lines into Anaplan: mirror, prove, fold, send, read back, tie out (design §2)."""

from __future__ import annotations

from typing import Any

from tieout.flows.balances import read_accounts, read_balances, read_new_accounts
from tieout.flows.cells import align, fold_cells, rows_to_send
from tieout.flows.changes import look_for_changes
from tieout.flows.closing import close_the_run
from tieout.flows.lines import plan_reads, read_again, read_lines, read_moved_lines
from tieout.flows.loading import load
from tieout.flows.proving import prove
from tieout.flows.read_back import compare, read_back
from tieout.flows.scope import read_reference
from tieout.flows.shown import check_what_is_shown
from tieout.flows.world import Result, Run, Steps, World
from tieout.settings import LoadActuals
from tieout.store.steps import Step

HEALS_MAX = 2  # how often the lines of a bucket that does not tie are read again


def load_actuals(run: Run, world: World[LoadActuals]) -> Result:
    """The story of one run; returns outcome, exit code, sentence and figures."""
    return _story(run, world, send=not world.asked.get("preview"))


def tie_out(run: Run, world: World[LoadActuals]) -> Result:
    """The same story without sending: both sides as they are now, compared cell by cell.

    What differs stands open, so that the next run of the flow starts there.
    """
    return _story(run, world, send=False)


def _story(run: Run, world: World[LoadActuals], *, send: bool) -> Result:
    step = Steps(run, world)
    preview = bool(world.asked.get("preview"))
    full = bool(world.asked.get("full"))
    reference = step("read the calendar", read_reference, full)["reference"]
    changes = step("look for changes", look_for_changes, run.id, reference)
    if changes["quiet"] and send:
        return step("nothing new", nothing_new)

    step("read the accounts", read_accounts, changes)
    balances = step("read the balances", read_balances, run.id, changes)
    moved = step("read the moved lines", read_moved_lines, run.id, changes)
    plan = step("plan the reads", plan_reads, run.id, changes)
    lines = moved["lines"]
    for number in range(1, plan["reads"] + 1):
        title = f"read lines, {number} of {plan['reads']}"
        lines += step(title, read_lines, run.id, number)["lines"]
    lines += _prove(run, step, balances, plan, changes)

    step("look for new accounts", read_new_accounts)
    folded = step("fold into cells", fold_cells, changes)
    shown = step("check what is shown", check_what_is_shown, run.id)
    aligned = step("check the members", align, run.id, shown["doubted"])
    figures = {
        "rows_read": lines, "reasons": changes["reasons"], "cells": folded["cells"],
        "touched": folded["touched"], "waiting": aligned["waiting"],
    }  # fmt: skip
    if preview:
        return step("preview", previewed, aligned, figures)
    if send and aligned["to_send"]:
        load(run, world, step, rows_to_send)
        figures["rows_sent"] = aligned["to_send"]
    step("read back", read_back)
    step("compare", compare, run.id)
    return step("close the run", close_the_run, run.id, changes, figures)


def _prove(
    run: Run, step: Steps[LoadActuals], balances: Result, plan: Result, changes: Result
) -> int:
    """Tie every partition that was read; read again exactly what does not tie. Lines read again."""
    lines = 0
    partitions = sorted(map(list, {tuple(p) for p in balances["partitions"] + plan["partitions"]}))
    read_whole = changes["years"] if changes["everything"] else []
    again = step("prove", prove, run.id, partitions, read_whole)["again"]
    for heal in range(1, HEALS_MAX + 1):
        if not again:
            break
        number = plan["reads"] + heal
        lines += step(f"read again, {heal}", read_again, run.id, again, number)["lines"]
        again = step(f"prove again, {heal}", prove, run.id, again, read_whole)["again"]
    return lines


def nothing_new(step: Step, world: World[LoadActuals]) -> Result:
    """A quiet run touches nothing and says so."""
    return {
        "outcome": "complete", "exit_code": 0,
        "sentence": f"Nothing new for {world.flow_name}: the ledger is as it was when it was last "
        "proved; Anaplan was not asked.",
    }  # fmt: skip


def previewed(
    step: Step, world: World[LoadActuals], aligned: dict[str, Any], figures: dict[str, Any]
) -> Result:
    """A preview reads and proves, and says what would be sent; Anaplan is not changed."""
    return {
        "outcome": "complete", "exit_code": 0,
        "figures": figures | {"rows_to_send": aligned["to_send"]},
        "sentence": f"{aligned['to_send']} cells would be sent and {aligned['waiting']} would "
        "wait; nothing was sent.",
    }  # fmt: skip
