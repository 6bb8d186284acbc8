"""The account a run gives of its rows: what came into every step went somewhere, to the cent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from tieout.core import buckets as fold
from tieout.core.tally import (
    Loaded,
    Passage,
    Tally,
    added,
    control_total,
    tallies_by,
    tally_from,
)
from tieout.flows.cells import GONE_MEMBER
from tieout.flows.proving import AGAIN, FOLDED, HIDDEN, OUTSIDE, SUMMARISED
from tieout.flows.scope import scope_for
from tieout.flows.versions import CLOSED, against_the_mirror, in_the_mirror
from tieout.flows.world import Result, World
from tieout.project import LoadActuals

Steps = Mapping[str, Mapping[str, Any]]  # the result of every step, by its name
CLOSE = "close the run"
PROVE, READ = "prove", "read lines"


def account_for_rows(
    world: World[LoadActuals], run: str, compared: pl.LazyFrame
) -> tuple[list[Passage], dict[str, int]]:
    """Every passage of the rows of a run, from what its steps counted and what its files hold.

    With it the lines seen besides: looked at to find what moved, and closed because the ledger
    returns them no longer.
    """
    told = {s.name: s.result for s in world.store.steps(run)}
    lines, closed = _lines(world, run, told)
    looked_at = told["read the moved lines"]["lines"]
    passages = [*lines, *_cells(told), *_sent(world, run, told), *_shown(told, compared)]
    return passages, {"looked_at": looked_at, "closed": closed.rows}


def _of(result: Mapping[str, Any], name: str) -> Tally:
    return tally_from(result["tally"][name])


def _lines(world: World[LoadActuals], run: str, told: Steps) -> tuple[list[Passage], Tally]:
    """From the pages of JD Edwards to the mirror, and from there to the buckets."""
    reads = [r for r in told.values() if "broken off" in r.get("tally", {})]
    read, unposted, broken = (
        added(_of(r, name) for r in reads) for name in ("read", "not posted", "broken off")
    )
    rows = world.frame("proved_rows", fold.PROVED_ROWS)
    rows = rows.filter(pl.col("run_number") == world.number)
    counted = tallies_by(rows, "what", scope_for(world).kept_in)
    proved = {what: counted.get(what, Tally()) for what in (FOLDED, SUMMARISED, HIDDEN, OUTSIDE)}
    again = counted.get(AGAIN, Tally()) + broken
    mirrored = in_the_mirror(world, run)
    classes = against_the_mirror(world, run, mirrored - again - unposted)
    closed = classes.pop(CLOSED, Tally())
    excluded = {"not posted": unposted, "repeated": again}
    return [
        Passage(READ, "read", "lines", read, {"in the mirror": mirrored}),
        Passage(READ, "read", "lines", read, {**classes, **excluded}),
        Passage(PROVE, "mirrored", "lines", mirrored,
                {"folded into account balances": proved.pop(FOLDED), **proved, **excluded}),
    ], closed  # fmt: skip


def _cells(told: Steps) -> Iterator[Passage]:
    """From the buckets to the cells, and from those touched to what is sent."""
    name, folded = "fold into cells", told["fold into cells"]
    yield Passage(
        name, "proved", "account balances", _of(folded, "proved"),
        {"in cells": _of(folded, "in cells"), "out of scope": _of(folded, "out of scope")},
    )  # fmt: skip
    name, aligned = "check the members", told["check the members"]
    waiting = {f"wait ({why})": tally_from(t) for why, t in aligned["tally"]["waiting"].items()}
    went = {"to send": _of(aligned, "to send"), **waiting, GONE_MEMBER: _of(aligned, GONE_MEMBER)}
    yield Passage(name, "touched", "cells", _of(folded, "touched"), went)


def _sent(world: World[LoadActuals], run: str, told: Steps) -> Iterator[Passage]:
    """From what is to be sent to the rows of the file, and what Anaplan made of them."""
    if "write the file" not in told:
        return
    aligned, written = told["check the members"], told["write the file"]
    sending = _of(aligned, "to send") + _of(aligned, "beside")
    rows = _of(written, "rows")
    yield Passage("write the file", "to send", "cells", sending, {"rows of the file": rows})
    sent = control_total(world.lazy_of_this_run(run, "sent"), "amount")
    kept = {"kept as they were sent": sent}
    yield Passage("write the file", "wrote", "rows", rows.control(), kept)
    file = written["file"]
    uploaded = told["start the import"].get("file") or told["upload the file"]["file"]
    same = file["bytes"] if uploaded == file else 0
    yield Passage("upload the file", "wrote", "bytes", Tally(file["bytes"]),
                  {"uploaded": Tally(same)})  # fmt: skip
    loaded = Loaded(**told["keep the dump"]["counts"])
    became = loaded.settled(rows.rows, told["compare"]["not_shown"])
    yield Passage(
        "wait for the import", "sent", "rows", Tally(rows.rows),
        {name: Tally(count) for name, count in became.items()},
    )  # fmt: skip


def _shown(told: Steps, compared: pl.LazyFrame) -> Iterator[Passage]:
    """From the cells of both sides to the comparison, and from there to the end of the run."""
    folded, both = told["fold into cells"], told["compare"]
    ledger = {"compared": _of(both, "ledger")}
    yield Passage("compare", "folded", "cells of the ledger", _of(folded, "cells"), ledger)
    shown = {"compared": _of(both, "shown"), "out of scope": _of(both, "out of scope")}
    read = _of(told["read back"], "shown")
    yield Passage("compare", "read back", "cells of Anaplan", read, shown)
    ended = control_total(compared, "shown")
    came = _of(both, "compared").control()
    yield Passage(CLOSE, "compared", "cells", came, {"at the end": ended})


def told_of(passages: Sequence[Passage], besides: Mapping[str, int]) -> Result:
    """The account of a run as its last step keeps it and `show` prints it."""
    return {
        "agree": all(p.agrees for p in passages), "passages": [p.told() for p in passages],
        **besides,
    }  # fmt: skip
