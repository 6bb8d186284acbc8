"""Posted ledger lines into Anaplan: mirror, prove, fold, send, read back, tie out (design §2)."""

from __future__ import annotations

from typing import Any

from tieout.core.findings import counted
from tieout.flows.aligning import align
from tieout.flows.balances import (
    plan_balances,
    read_accounts,
    read_balances,
    read_new_accounts,
)
from tieout.flows.bindings import check_bindings, stopped
from tieout.flows.cells import rows_to_send, tally_of_rows
from tieout.flows.changes import look_again, look_for_changes, tell_that_it_moves
from tieout.flows.closing import close_the_run
from tieout.flows.folding import fold_cells
from tieout.flows.lines import read_lines, read_moved_lines
from tieout.flows.loading import load
from tieout.flows.partitions import unpacked
from tieout.flows.parts import hand_out, hand_out_balances, piece_name, titled
from tieout.flows.proving import prove
from tieout.flows.read_back import compare, read_back
from tieout.flows.reads import plan_again, plan_reads
from tieout.flows.scope import read_reference, scope_for
from tieout.flows.shown import check_what_is_shown
from tieout.flows.world import Result, Run, Steps, World
from tieout.project import LoadActuals
from tieout.store.steps import Step

HEALS_MAX = 2  # how often the lines of a bucket that does not tie are read again
LOOKS_MAX = 3  # at the balances after they were read, before a ledger that never rests is told


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
    changes = step("look for changes", look_on_both_sides, run.id, reference, send)
    if changes["quiet"] and send:
        return step("nothing new", nothing_new)
    if changes.get("stops"):
        return step("stop before anything is touched", stopped, changes["stops"])

    step("read the accounts", read_accounts, changes)
    lines = step("read the moved lines", read_moved_lines, run.id, changes)["lines"]
    lines += _read_until_it_rests(run, step, changes, world.parts_max > 1)

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
        load(run, world, step, rows_to_send, tally_of_rows)
        figures["rows_sent"] = aligned["to_send"]
    step("read back", read_back)
    step("compare", compare, run.id)
    return step("close the run", close_the_run, run.id, changes, figures)


def _read_until_it_rests(
    run: Run, step: Steps[LoadActuals], changes: Result, in_parts: bool
) -> int:
    """Read and prove what moved, then look whether anything moved meanwhile. Lines read.

    `in_parts`: others may read parts of what is large.
    """
    lines, number = 0, 0
    moved, again = changes, ""
    for look in range(1, LOOKS_MAX + 1):
        balances = _read_balances(run, step, f"the balances{again}", moved, in_parts)
        if again and not balances["dirty"]:
            return lines  # what moved was proved already, or is of no period of ours
        plan = step(f"plan the reads{again}", plan_reads, run.id, moved, number)
        lines += _read(run, step, f"read lines{again}", number, plan)
        healed, number = _prove(run, step, balances, plan, changes, again)
        lines += healed
        if not step(f"look again, {look}", look_again, run.id, changes)["groups"]:
            return lines
        moved = changes | dict.fromkeys(("everything", "all_balances", "anew"), False)
        again = f" after look {look}"
    moving = step(f"read the balances{again}", read_balances, run.id, moved)["dirty"]
    if moving:
        step("say that the ledger moves", tell_that_it_moves, moving)
    return lines


def _read_balances(
    run: Run, step: Steps[LoadActuals], what: str, moved: Result, in_parts: bool
) -> Result:
    """Read what moved of the balances; others read the parts of what is large."""
    title = f"read {what}"
    plan: Result = {"pieces": 0}
    if in_parts and (moved["all_balances"] or moved["anew"]):
        plan = step(f"plan {what}", plan_balances, run.id, moved)
    if not (pieces := plan["pieces"]):
        return step(title, read_balances, run.id, moved)
    step.in_parts(f"{title}, in parts", hand_out_balances, run.id, title, pieces, moved)
    found = [
        step(piece_name(title, piece, pieces), read_balances, run.id, moved, piece)
        for piece in range(1, pieces + 1)
    ]
    return {
        "partitions": [some for one in found for some in one["partitions"]],
        "dirty": sum(one["dirty"] for one in found),
    }


def _read(run: Run, step: Steps[LoadActuals], title: str, number: int, plan: Result) -> int:
    """The reads of a plan after `number`, a step each; others read the parts of a large one.

    Lines read.
    """
    last: int = plan["reads"]
    if plan.get("parts"):
        step.in_parts(f"{title}, in parts", hand_out, run.id, title, number, last)
    return sum(
        step(name, read_lines, run.id, read)["lines"]
        for name, read in titled(title, number, last, range(number + 1, last + 1))
    )


def _prove(
    run: Run, step: Steps[LoadActuals], balances: Result, plan: Result, changes: Result, again: str
) -> tuple[int, int]:
    """Tie every partition that was read; read again exactly what does not tie.

    Returns how many lines were read again, and the number of the last read.
    """
    lines, number = 0, plan["reads"]
    both = unpacked(balances["partitions"] + plan["partitions"])
    partitions = [list(one) for one in dict.fromkeys(map(tuple, both))]
    whole = changes["years"] if changes["everything"] else []
    apart = step(f"prove{again}", prove, run.id, partitions, whole)["again"]
    for heal in range(1, HEALS_MAX + 1):
        if not apart:
            break
        which = f"{again} ({heal})"
        again_apart = unpacked(apart)
        plan = step(f"plan to read again{which}", plan_again, run.id, again_apart, number)
        lines += _read(run, step, f"read again{which}", number, plan)
        number = plan["reads"]
        apart = step(f"prove again{which}", prove, run.id, again_apart, whole)["again"]
    return lines, number


def look_on_both_sides(
    step: Step, world: World[LoadActuals], run: str, reference: str, send: bool
) -> Result:
    """What moved in the ledger; if anything did, what the flow names in Anaplan, as it is now."""
    found = look_for_changes(step, world, run, reference, polls=send)
    if found["quiet"] and send:
        return found
    return found | check_bindings(step, world, sends=send or bool(world.asked.get("preview")))


def nothing_new(step: Step, world: World[LoadActuals]) -> Result:
    """A quiet run touches nothing and says so, and which years it did not look at."""
    scope = scope_for(world)
    opened = scope.open_years()
    closed = (
        f" Of fiscal years before {opened[0]} only new stamps were looked for; their balances are "
        f"compared when anything is new, and every {counted(world.flow.sweep_days, 'day')}."
        if opened and opened != scope.years()
        else ""
    )
    return {
        "outcome": "complete", "exit_code": 0,
        "sentence": f"Nothing new for {world.flow_name}: the ledger is as it was when it was last "
        f"proved; Anaplan was not asked.{closed}",
    }  # fmt: skip


def previewed(
    step: Step, world: World[LoadActuals], aligned: dict[str, Any], figures: dict[str, Any]
) -> Result:
    """A preview reads and proves, and says what would be sent; Anaplan is not changed."""
    return {
        "outcome": "complete", "exit_code": 0,
        "figures": figures | {"rows_to_send": aligned["to_send"]},
        "sentence": f"{counted(aligned['to_send'], 'cell')} would be sent and "
        f"{aligned['waiting']:,} would wait; nothing was sent.",
    }  # fmt: skip
