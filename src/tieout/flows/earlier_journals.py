"""What became of earlier journals of a plan before the next one is prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from tieout.core.findings import Finding, Severity
from tieout.core.frames import empty
from tieout.core.journal import HELD
from tieout.core.posting import ARRIVED, State, decide
from tieout.errors import Busy, Uncertain
from tieout.flows.plan_ledger import CELL, MARKS
from tieout.flows.sending import approved, cells_of, look_for, patience_of, told_of, write
from tieout.flows.world import Result, World
from tieout.project import SubmitPlan
from tieout.store import journals
from tieout.store.journals import GONE, UNSETTLED, Journal
from tieout.store.steps import Step

JOURNALS_SHOWN_MAX = 3


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
    """Journals that the ledger shows otherwise than they were approved, by their references.

    The lines were just read, so that only what is odd is asked for again. What people deleted,
    voided or changed, and nobody has said may be prepared again, is told for `findings_of`.
    """
    marks = world.of_this_run(run, "marks", MARKS)
    lines = dict(marks.select("reference", "lines").iter_rows())
    voided = set(marks.filter(pl.col("voided") > 0)["reference"])
    found: list[dict[str, str]] = []
    for stored in _of_flow(world, (*map(str, ARRIVED), "deleted")):
        if stored.ledger not in read["ledgers"] or stored.fiscal_year not in read["years"]:
            continue
        as_sent = lines.get(stored.token) == stored.lines and stored.token not in voided
        if as_sent and stored.state not in (*GONE, State.DRIFTED):
            continue
        batch = approved(world, stored.batch)
        shown, seen = look_for(world, batch, stored)
        decision = decide(stored.posting, shown, timedelta(), patience_of(world.flow))
        write(step, stored, decision.posting, told_of(seen, decision), looked=True)
        state = str(decision.posting.state)
        if state in (*GONE, State.DRIFTED) and "again" not in stored.evidence:
            found.append({
                "journal": stored.name, "state": state, "reason": decision.reason,
                "company": stored.company,
            })  # fmt: skip
    return {"found": found}


def _of_flow(world: World[SubmitPlan], states: Sequence[str]) -> list[Journal]:
    with world.store.database.read() as connection:
        return journals.of_flow(connection, world.flow_name, states)


def findings_of(found: Sequence[Mapping[str, str]]) -> list[Finding]:
    """What people did to earlier journals: deleted and voided ones need a person's yes first."""
    return [
        Finding(
            f"journal-{one['state']}",
            Severity.ASK if one["state"] == State.DRIFTED else Severity.REJECT,
            f"journal {one['journal']}",
            f"Journal {one['journal']} is {one['state']}: {one['reason']}.",
            "Ask who did it whether that was meant."
            if one["state"] == State.DRIFTED
            else "Ask who did it; if its amounts shall be entered again, say so with `tieout "
            f"prepare FLOW --again {one['journal']} --why REASON`.",
            one["company"],
        )
        for one in found
    ]  # fmt: skip


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
