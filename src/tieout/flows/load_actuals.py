"""Posted ledger lines into Anaplan: mirror, prove, fold, send, read back, tie out (design §2)."""

from __future__ import annotations

from typing import Any

from tieout.flows.balances import read_accounts, read_balances
from tieout.flows.cells import align, fold_cells, rows_to_send
from tieout.flows.changes import look_for_changes
from tieout.flows.lines import plan_reads, read_again, read_lines, read_moved_lines
from tieout.flows.loading import load
from tieout.flows.proving import prove
from tieout.flows.read_back import close_the_run, close_the_tie_out, compare, read_back
from tieout.flows.scope import list_years, read_reference
from tieout.flows.shown import check_what_is_shown
from tieout.flows.world import Result, Run, Steps, World
from tieout.settings import LoadActuals
from tieout.store.steps import Step

HEALS_MAX = 2  # how often the lines of a bucket that does not tie are read again


def load_actuals(run: Run, world: World[LoadActuals]) -> Result:
    """The story of one run; returns outcome, exit code, sentence and figures."""
    step = Steps(run, world)
    reference = step("read the calendar", read_reference, bool(world.asked.get("full")))
    changes = step("look for changes", look_for_changes, reference["moved"])
    if changes["quiet"]:
        return step("nothing new", nothing_new)

    figures = _mirror_and_prove(run, step, changes)
    folded = step("fold into cells", fold_cells)
    step("check what is shown", check_what_is_shown, run.id, changes)
    aligned = step("check the members", align, run.id)
    figures |= {
        "cells": folded["cells"],
        "touched": folded["touched"],
        "waiting": aligned["waiting"],
    }
    if world.asked.get("preview"):
        return step("preview", previewed, aligned, figures)
    figures["rows_sent"] = aligned["to_send"]
    if aligned["to_send"]:
        load(run, world, step, rows_to_send)

    step("read back", read_back)
    step("compare", compare, run.id)
    return step("close the run", close_the_run, run.id, changes, figures)


def tie_out(run: Run, world: World[LoadActuals]) -> Result:
    """Both sides as they are now, compared cell by cell; nothing is sent.

    F0902 and Anaplan are read anew and compared with the mirrored lines. What differs stands open,
    so that the next run of the flow starts there.
    """
    step = Steps(run, world)
    step("read the calendar", read_reference, True)
    changes = {
        "everything": True,
        "all_balances": True,
        "years": step("list the years", list_years)["years"],
    }
    balances = step("read the balances", read_balances, run.id, changes)
    for company, ledger, year, _ in balances["partitions"]:
        place = {"company": company, "ledger": ledger, "year": year}
        step(f"prove {_title(place)}", prove, run.id, place, False)
    step("fold into cells", fold_cells)
    step("check what is shown", check_what_is_shown, run.id, changes)
    step("read back", read_back)
    step("compare", compare, run.id)
    return step("close the tie-out", close_the_tie_out, run.id)


def _mirror_and_prove(run: Run, step: Steps[LoadActuals], changes: Result) -> Result:
    """Read what moved into the mirror and tie its buckets; returns how much that was."""
    if changes["accounts_moved"] or changes["everything"]:
        step("read the accounts", read_accounts)
    balances = step("read the balances", read_balances, run.id, changes)
    moved = step("read the moved lines", read_moved_lines, run.id, changes)
    plan = step("plan the reads", plan_reads, run.id, changes)
    lines = moved["lines"]
    for number, read in enumerate(plan["reads"], start=1):
        lines += step(f"read lines {_title(read)}", read_lines, run.id, read, number)["lines"]
    lines += _prove_partitions(run, step, balances, plan, changes)
    return {"rows_read": lines, "reasons": changes["reasons"]}


def _prove_partitions(
    run: Run, step: Steps[LoadActuals], balances: Result, plan: Result, changes: Result
) -> int:
    """Tie every partition that was read; read again exactly what does not tie. Lines read again."""
    lines = 0
    partitions = sorted({tuple(p[:3]) for p in [*balances["partitions"], *plan["partitions"]]})
    number = len(plan["reads"])
    for company, ledger, year in partitions:
        place = {"company": company, "ledger": ledger, "year": year}
        everything = changes["everything"] and year in changes["years"]
        proved = step(f"prove {_title(place)}", prove, run.id, place, everything)
        for heal in range(1, HEALS_MAX + 1):
            if not proved["again"]:
                break
            number += 1
            title = f"{_title(place)} ({heal})"
            again = step(f"read again {title}", read_again, run.id, place, number)
            lines += again["lines"]
            proved = step(f"prove {title}", prove, run.id, place, everything)
    return lines


def _title(read: dict[str, Any]) -> str:
    """`00001 AA 2025-03…12` for the name of a step."""
    title = f"{read['company']} {read['ledger']} {read['year']}"
    periods = read.get("periods")
    if not periods:
        return title
    last = f"…{periods[-1]:02d}" if len(periods) > 1 else ""
    return f"{title}-{periods[0]:02d}{last}"


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
