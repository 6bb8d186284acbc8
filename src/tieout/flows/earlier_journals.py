"""What became of earlier journals of a plan before the next one is prepared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl

from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import DIFFERENCES, Schema, empty
from tieout.core.journal import HELD
from tieout.core.left_behind import ENTERED
from tieout.core.posting import NEEDS_RELEASE, POSTED, State, decide
from tieout.errors import Busy, Uncertain
from tieout.flows.plan_ledger import CELL, FILED, MARKS, scope_for
from tieout.flows.sending import (
    Moves,
    approved,
    cells_of,
    look_for,
    patience_of,
    told_of,
    write,
)
from tieout.flows.world import Result, World
from tieout.project import SubmitPlan
from tieout.store import batches, journals
from tieout.store.journals import GONE, NEVER_THERE, UNSETTLED, Journal
from tieout.store.schema import JOURNAL_STATES
from tieout.store.steps import Step

JOURNALS_SHOWN_MAX = 3
EARLIER: Schema = dict.fromkeys(("journal", "state", "reason", "company"), pl.String)
_AGAIN = (
    "Ask who did it; if its amounts shall be entered again, say so with `tieout prepare FLOW "
    "--again {journal} --why REASON`."
)
REMEDIES = {
    "deleted": _AGAIN,
    "voided": _AGAIN,
    "drifted": "Ask who changed it whether that was meant; `tieout prepare FLOW --again {journal} "
    "--why REASON` says that it is known.",
    "absent": "Its amounts are prepared anew; ask the JD Edwards administrator whether its call "
    "may still wait in a queue.",
    "unprocessed": "Have R09110Z run over the batch file F0911Z1, or its rows deleted; then "
    "prepare again.",
    "posted": "Ask the JD Edwards administrator whether the post died (R099102 in proof mode), and "
    "prepare again when the balances are right; `--again {journal} --why REASON` if they are.",
}


def refuse_while_open(step: Step, world: World[SubmitPlan]) -> Result:
    """Uncertain or Busy while a journal of this flow may still arrive: nothing is prepared."""
    waits = _of_flow(world, UNSETTLED)
    if not waits:
        return {"open": 0}
    names = ", ".join(f"{j.name} ({j.state})" for j in waits[:JOURNALS_SHOWN_MAX])
    what = f"What the ledger will hold is not known yet: {names}."
    do = "`tieout journals check` looks for them; then prepare again."
    if any(j.state in (State.SENDING, State.UNCERTAIN) for j in waits):
        raise Uncertain(what, untouched="Nothing was prepared.", do=do)
    raise Busy(what, untouched="Nothing was prepared.", do=do)


def look_at_earlier(step: Step, world: World[SubmitPlan], run: str, read: dict[str, Any]) -> Result:
    """Journals that the ledger shows otherwise than we know them, by their references.

    The lines were just read, so that only what is odd is asked for again: lines that are missing,
    changed or voided, posted since, or of a journal that was believed not to have come. Rows of
    ours that wait in the batch file while no journal waits for them may wait for ever. Keeps
    `earlier`, what a person must know of them, for `findings_of`.
    """
    marks = {
        str(row["reference"]): row
        for row in world.of_this_run(run, "marks", MARKS).iter_rows(named=True)
    }
    every = [
        journal for journal in _of_flow(world, JOURNAL_STATES)
        if journal.ledger in read["ledgers"] and journal.fiscal_year in read["years"]
    ]  # fmt: skip
    own = {j.token for j in every if j.batch == world.asked.get("batch")}
    living = {journal.key for journal in every if journal.state not in NEVER_THERE}
    moves, told = Moves(world), _filed(world, run, every, own)
    for stored in every:
        if stored.batch == world.asked.get("batch"):
            continue  # this run looks at its own itself
        mark = marks.get(stored.token)
        if _needs_a_look(stored, mark, living):
            told += _looked_at(step, world, stored, moves)
            living.add(stored.key)  # what came is this journal, no later one of the same key
        elif stored.state == State.ABSENT and not stored.given_up:
            told.append((stored.name, "absent", NEEDS_RELEASE, stored.company))
    step.keep("earlier", pl.DataFrame(told, schema=dict(EARLIER), orient="row"))
    return {"told": len(told)}


def _filed(
    world: World[SubmitPlan], run: str, known: Sequence[Journal], own: Collection[str]
) -> list[tuple[str, str, str, str]]:
    """Rows of ours in the batch file, but for those of this run's batch: told by reference."""
    names = {journal.token: journal.name for journal in known}
    companies = scope_for(world, run).company_codes()
    rows = world.of_this_run(run, "filed", FILED).sort("reference", "company")
    return [
        (names.get(reference, f"with reference {reference}"), "unprocessed",
         f"{counted(lines, 'row')} of it wait in the batch file F0911Z1 and count as in flight",
         company)
        for reference, company, lines in rows.iter_rows()
        if reference not in own and company in companies
    ]  # fmt: skip


def _needs_a_look(stored: Journal, mark: Mapping[str, Any] | None, living: Collection[str]) -> bool:
    """Whether the lines under a reference are not those that we know."""
    if stored.state in NEVER_THERE:
        return mark is not None and stored.key not in living  # it came when nobody waited
    if stored.state in GONE:
        return "again" not in stored.evidence or mark is not None
    if mark is None or stored.state == State.DRIFTED:
        return True
    same = (mark["lines"], mark["debits"], mark["credits"]) == (
        stored.lines, stored.debit, stored.credit,
    )  # fmt: skip
    posted_since = mark["posted"] > 0 and stored.state != State.VERIFIED
    return not same or mark["voided"] > 0 or posted_since


def _looked_at(
    step: Step, world: World[SubmitPlan], stored: Journal, moves: Moves
) -> list[tuple[str, str, str, str]]:
    """Look at one journal and write down what is known of it now; what a person must know."""
    shown, seen = look_for(world, approved(world, stored.batch), stored)
    if shown.posted and shown.status == POSTED and stored.state != State.VERIFIED:
        shown = replace(shown, moved=moves.by(approved(world, stored.batch), stored))
    decision = decide(stored.posting, shown, timedelta(), patience_of(world.flow))
    told = told_of(seen, decision)
    write(step, stored, decision.posting, told, looked=True)
    state = decision.posting.state
    known = "again" in stored.evidence and told["seen"] == stored.evidence.get("seen")
    if known or state not in (*GONE, State.DRIFTED, State.POSTED):
        return []
    return [(stored.name, str(state), decision.reason, stored.company)]


def _of_flow(world: World[SubmitPlan], states: Sequence[str]) -> list[Journal]:
    with world.store.database.read() as connection:
        return journals.of_flow(connection, world.flow_name, states)


def findings_of(world: World[SubmitPlan], run: str) -> list[Finding]:
    """What became of earlier journals that a person must know, or say yes to, first."""
    rows = world.of_this_run(run, "earlier", EARLIER).iter_rows(named=True)
    return [_finding(row) for row in rows]


def _finding(row: Mapping[str, str]) -> Finding:
    asks = row["state"] in ("drifted", "absent")
    return Finding(
        f"journal-{row['state']}", Severity.ASK if asks else Severity.REJECT,
        f"journal {row['journal']}",
        f"Journal {row['journal']} is {row['state']}: {row['reason']}.",
        REMEDIES[row["state"]].format(**row), row["company"],
    )  # fmt: skip


def entered_again(world: World[SubmitPlan]) -> pl.DataFrame:
    """HELD of deleted journals that a person lets be prepared again: JD Edwards forgot them.

    So the next journal of these cells is another one than the one that was deleted.
    """
    cells = [
        cells_of(batch, batch.built(j.number)).select(CELL)
        for j in _of_flow(world, ("deleted",))
        if "again" in j.evidence
        for batch in [approved(world, j.batch)]
    ]
    if not cells:
        return empty(HELD)
    return pl.concat(cells).group_by(CELL).agg(documents=pl.len().cast(pl.Int64))


def entered_before(world: World[SubmitPlan]) -> pl.DataFrame:
    """ENTERED: what journals of this flow ever put into the ledger, and for which plan cells."""
    lines: list[pl.DataFrame] = []
    there = [state for state in JOURNAL_STATES if state not in (*NEVER_THERE, "reserved")]
    sent = _of_flow(world, there)
    for name in dict.fromkeys(j.batch for j in sent):
        known = approved(world, name)
        with world.store.database.read() as connection:
            run = batches.find(connection, name).run
        cells = pl.concat(
            cells_of(known, known.built(j.number)).select(CELL) for j in sent if j.batch == name
        )
        meant = world.of_this_run(run, "differences", DIFFERENCES).select(*ENTERED)
        lines.append(meant.join(cells, on=CELL, how="semi"))
    return pl.concat(lines).unique() if lines else empty(ENTERED)
