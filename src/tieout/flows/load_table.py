"""Any table of JD Edwards into Anaplan: read it whole, fold, send what is not proved, read back."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from tieout.core import table as core
from tieout.core.findings import Finding, Severity, counted
from tieout.core.table import HELD, Shape
from tieout.core.table_tie_out import COMPARED
from tieout.flows import table_reading
from tieout.flows.bindings import check_bindings, stopped
from tieout.flows.closing import settle_earlier
from tieout.flows.loading import load
from tieout.flows.table_account import account, by_amounts, by_currency, total
from tieout.flows.table_reading import jde_table, money_of, read_table, shape
from tieout.flows.table_shown import (
    SHOWN_IN,
    compare,
    inside,
    known_codes,
    proved_before,
    read_back,
    unmatched,
)
from tieout.flows.world import Result, Run, Steps, World, tell
from tieout.project_tables import LoadTable
from tieout.store.steps import Step

OK, REJECTED, DIFFERS = 0, 5, 6
SEEN = "table"  # the position: what was read when Anaplan was last proved to show all of it
HELD_BACK = "another cell has no member"


def load_table(run: Run, world: World[LoadTable]) -> Result:
    """The story of one run; returns outcome, exit code, sentence and figures."""
    return _story(run, world, send=not world.asked.get("preview"))


def tie_out(run: Run, world: World[LoadTable]) -> Result:
    """The same story without sending: both sides as they are now, compared cell by cell."""
    return _story(run, world, send=False)


def _story(run: Run, world: World[LoadTable], *, send: bool) -> Result:
    step = Steps(run, world)
    read = step("read the table", read_table)
    if read["emptied"]:
        return step("stop before anything is emptied", emptied, read)
    found = step("fold into cells", fold_rows, run.id)
    if send and found["narrowed"]:
        return step("stop before what is left out is emptied", narrowed, read, found)
    if send and not found["touched"] and found["proved"] and not found["standing"]:
        return step("nothing new", nothing_new, run.id, read, found)
    checked = step("look for what the flow names", check_bindings_of, send)
    if checked["stops"]:
        return step("stop before anything is touched", stopped, checked["stops"])
    aligned = step("check the members", align, run.id, send)
    if world.asked.get("preview"):
        return step("preview", previewed, read, found, aligned)
    sent = 0
    if send and aligned["to_send"]:
        load(run, world, step, rows_to_send, by_amounts)
        sent = aligned["to_send"]
    step("read back", read_back)
    compared = step("compare", compare, run.id)
    told = compared | aligned | {"sent": sent, "sends": send}
    return step("close the run", close_the_run, run.id, read, told)


def check_bindings_of(step: Step, world: World[LoadTable], send: bool) -> Result:
    """What the flow names in Anaplan, as it is now."""
    return check_bindings(step, world, sends=send or bool(world.asked.get("preview")))


def maps_of(world: World[LoadTable]) -> dict[str, pl.DataFrame]:
    """Header → the mapping that its codes go through."""
    tables = {header: world.store.mapping(of) for header, of in world.flow.maps.items()}
    return {header: table for header, table in tables.items() if table.height}


def fold_rows(step: Step, world: World[LoadTable], run: str) -> Result:
    """Rows into cells; keeps `cells`, and `touched`: what Anaplan was not proved to show so.

    A cell that Anaplan shows and that no row stands behind any more is touched too, with zero: it
    is told, so that nothing leaves without a word. `narrowed`: there are such cells, and the flow
    or where it reads from was changed since, so that their rows may be there all the same.
    """
    of = shape(world.flow)
    rows = world.lazy(table_reading.ROWS, jde_table(world.flow).schema)
    core.refuse_look_alikes(rows, of, world.flow.table)
    meant = core.rows_as_meant(rows, of, money_of(world, run), maps_of(world))
    cells = core.fold(meant, of)
    proved, same = proved_before(world, of)
    items = bool(world.flow.read_back.list)
    touched = cells if _whole(world, same) else core.changed(cells, proved, of, items=items)
    gone = core.left_behind(cells, proved.filter(inside(world, proved, mapped=False)), of)
    narrows = bool(gone.height) and not same and not world.asked.get("full")
    step.keep("cells", cells, replace=True)
    step.keep("touched", pl.concat([touched, gone]))
    findings = core.without_member(meant, of, world.flow.table) + core.held_findings(cells, of)
    tell(step, world, findings + ([] if narrows else _left(world, gone, of)))
    seen = world.store.position(world.flow_name, SEEN) or {}
    standing = any(f.severity is Severity.REJECT for f in findings)
    without = meant.filter(pl.any_horizontal(pl.col(h) == "" for h in of.identify))
    return {
        "tally": {
            "rows": by_currency(meant, of, pl.len()).told(),
            "without a member": by_currency(without, of, pl.len()).told(),
            "touched": total(pl.concat([touched, gone]).lazy(), of).told(),
        },
        "cells": cells.height, "touched": touched.height + gone.height, "gone": gone.height,
        "proved": seen.get("under") == world.configured, "standing": standing, "narrowed": narrows,
        "mapping": world.store.mapping_version(),
    }  # fmt: skip


def _whole(world: World[LoadTable], same: bool) -> bool:
    """Whether every cell goes again, whatever was proved."""
    return bool(world.asked.get("full")) or not same


def _left(world: World[LoadTable], gone: pl.DataFrame, of: Shape) -> list[Finding]:
    if gone.is_empty():
        return []
    return [
        Finding(
            "row-left", Severity.NOTE, core.subjects(gone, of),
            f"{counted(gone.height, 'cell')} that Anaplan shows have no row of {world.flow.table} "
            "behind them any more: sent as zero.",
            "Nothing, if the rows were paid, closed or moved; else look at `where` and at the row "
            "security of the JDE user.", cells=gone.height,
        )
    ]  # fmt: skip


def align(step: Step, world: World[LoadTable], run: str, send: bool) -> Result:
    """What of the touched can be sent and what waits, and why; keeps `to_send` and `waiting`.

    Where nothing is to be sent, a cell waits for its own member only.
    """
    of = shape(world.flow)
    touched = world.of_this_run(run, "touched")
    held = touched.filter(pl.col(HELD) != "")
    free = touched.filter(pl.col(HELD) == "")
    known = known_codes(world)
    without, findings = unmatched(world, free, known, of)
    key = list(of.identify)
    free = free.join(without, on=key, how="anti", maintain_order="left")
    waiting = [held, without.with_columns(pl.lit("no such member in Anaplan").alias(HELD))]
    stops = send and bool(findings) and world.flow.unmatched == "stop"
    if stops:
        waiting.append(free.with_columns(pl.lit(HELD_BACK).alias(HELD)))
        free = free.clear()
    tell(step, world, findings)
    if free.height and _needs_whole_file(world):
        free = pl.concat([free, _others(world, free, known, of)], how="diagonal")
    step.keep("to_send", free)
    step.keep("waiting", pl.concat([w.select(*key, HELD) for w in waiting]))
    return {
        "to_send": free.height, "waiting": sum(w.height for w in waiting), "stopped": stops,
        "tally": {"to send": total(free.lazy(), of).told()},
    }  # fmt: skip


def _needs_whole_file(world: World[LoadTable]) -> bool:
    """Whether every other cell has to stand beside what is sent, or the import would empty it.

    Also after something was emptied that nobody configured to be.
    """
    if world.flow.import_clears != "nothing":
        return True
    wiped = pl.col("in_table") & (pl.col("shown") == 0) & (pl.col("value") != 0)
    compared = world.lazy("compared", COMPARED)
    return bool(compared.filter(wiped & (pl.col("waits") == "")).head(1).collect().height)


def _others(
    world: World[LoadTable], sent: pl.DataFrame, known: dict[str, pl.Series], of: Shape
) -> pl.DataFrame:
    """The cells that are not sent, as Anaplan was last read to show them; also those that wait."""
    proved, _ = proved_before(world, of)
    others = proved.join(sent.select(of.identify), on=list(of.identify), how="anti")
    for header, codes in known.items():
        others = others.filter(pl.col(header).is_in(codes.implode()))
    return others


def rows_to_send(world: World[LoadTable], run: str) -> Iterator[pl.DataFrame]:
    """What the import's file says, a row per cell or item, its headers as columns."""
    for rows in world.files_of_this_run(run, "to_send"):
        yield rows.drop(core.beside(shape(world.flow)), strict=False)


def previewed(
    step: Step, world: World[LoadTable], read: Result, found: Result, aligned: Result
) -> Result:
    """A preview reads and compares with what was proved, and says what would be sent."""
    waits = f" {aligned['waiting']:,} would wait." if aligned["waiting"] else ""
    return {
        "outcome": "complete", "exit_code": OK,
        "figures": {
            "rows_read": read["rows"], "rows_sent": 0, "cells": found["cells"],
            "rows_to_send": aligned["to_send"], "gone": found["gone"],
            "waiting": aligned["waiting"],
        },
        "sentence": f"{aligned['to_send']:,} of {counted(found['cells'], 'cell')} would be sent; "
        f"nothing was sent.{waits}",
    }  # fmt: skip


def close_the_run(
    step: Step, world: World[LoadTable], run: str, read: Result, told: Result
) -> Result:
    """Keep what Anaplan shows; the position moves only when that is all that the table says."""
    of = shape(world.flow)
    step.keep("proved", world.of_this_run(run, "anaplan", of.schema), replace=True)
    before, here = world.store.position(world.flow_name, SHOWN_IN), [world.target, list(of.schema)]
    # A look does not make what was changed of the flow its own: that stops the next run still.
    looks = before and before["in"] == here and not told["sends"]
    under = before["under"] if looks else world.configured
    step.move_position(SHOWN_IN, before, {"in": here, "under": under})
    given = account(step, world, run)
    settle_earlier(step, world, run, sent=bool(told["sent"]), found=given["missing"])
    findings = [r.finding for r in world.store.rejects(run=run)] + given["missing"]
    causes = sorted({f.rule for f in findings if f.severity is not Severity.NOTE})
    exit_code = OK
    if any(f.severity is Severity.REJECT for f in findings):
        exit_code = REJECTED
    elif told["differing"] or causes:
        exit_code = DIFFERS
    if exit_code == OK:
        before = world.store.position(world.flow_name, SEEN)
        step.move_position(
            SEEN, before, {"under": world.configured, "run": run, "rows": read["rows"]}
        )
    figures = {
        "rows_read": read["rows"], "rows_sent": told["sent"], "cells": told["cells"],
        "open_cells": told["waiting"] + told["differing"],
        "rejects": sum(f.cells for f in findings if f.severity is Severity.REJECT),
        **{f"rows_{name}": read[name] for name in ("new", "changed", "gone") if name in read},
    }  # fmt: skip
    if exit_code == OK:
        sentence = (
            f"{world.title} are in and proved: {counted(told['cells'], 'cell')} of "
            f"{counted(read['rows'], 'row')}, {world.flow.table} = Anaplan."
        )
    else:
        sentence = (
            f"{world.title} need attention ({', '.join(causes)}): "
            f"{counted(told['sent'], 'row')} sent, {counted(told['waiting'], 'cell')} waiting, "
            f"{counted(told['differing'], 'number')} of Anaplan differing."
        )
    return {
        "outcome": "complete" if exit_code == OK else "needs_attention", "exit_code": exit_code,
        "sentence": sentence, "figures": figures, "accounted": given["accounted"],
    }  # fmt: skip


def emptied(step: Step, world: World[LoadTable], read: Result) -> Result:
    """Not a row is shown any more: perhaps they are hidden, so nothing is brought to zero."""
    table = world.flow.table
    tell(step, world, [
        Finding(
            "table-empty", Severity.DIFFERENCE, table,
            f"JD Edwards shows no row of {table} that meets the conditions any more; "
            f"{counted(read['gone'], 'row')} did when it was read last.",
            f"Look at `where` and at the row security of the JDE user; `tieout run "
            f"{world.flow_name} --full` brings all of them to zero.", cells=read["gone"],
        )
    ])  # fmt: skip
    return {
        "outcome": "needs_attention", "exit_code": DIFFERS,
        "figures": {"rows_read": 0, "rows_sent": 0},
        "sentence": f"{world.title} need attention (table-empty): JD Edwards shows no row of "
        f"{table} any more; nothing was sent.",
    }  # fmt: skip


def narrowed(step: Step, world: World[LoadTable], read: Result, found: Result) -> Result:
    """Rows left a flow that was changed: they may be there all the same, so nothing is emptied."""
    told = f"{counted(found['gone'], 'cell')} that Anaplan shows"
    tell(step, world, [
        Finding(
            "table-narrowed", Severity.DIFFERENCE, world.flow.table,
            f"{told} have no row of {world.flow.table} behind them any more, and {world.flow_name} "
            "or its connection was changed since they were loaded.",
            f"`tieout run {world.flow_name} --full` brings all of them to zero; if they shall "
            "stay, take back what was changed of `where`, or of the role of the JDE user.",
            cells=found["gone"],
        )
    ])  # fmt: skip
    return {
        "outcome": "needs_attention", "exit_code": DIFFERS,
        "figures": {"rows_read": read["rows"], "rows_sent": 0},
        "sentence": f"{world.title} need attention (table-narrowed): {told} are left out since "
        "the flow was changed; nothing was sent.",
    }  # fmt: skip


def nothing_new(
    step: Step, world: World[LoadTable], run: str, read: Result, found: Result
) -> Result:
    """A quiet run touches nothing and says so; what an earlier one still had open is fixed."""
    given = account(step, world, run, quiet=True)
    settle_earlier(step, world, run, sent=True, found=given["missing"])
    if given["missing"]:
        return {
            "outcome": "needs_attention", "exit_code": DIFFERS, "accounted": given["accounted"],
            "figures": {"rows_read": read["rows"], "rows_sent": 0},
            "sentence": f"{world.title} need attention (not-accounted): rows are missing between "
            "two steps; nothing was sent.",
        }  # fmt: skip
    return {
        "outcome": "complete", "exit_code": OK, "accounted": given["accounted"],
        "figures": {"rows_read": read["rows"], "rows_sent": 0, "rejects": 0},
        "sentence": f"Nothing new for {world.flow_name}: {counted(found['cells'], 'cell')} of "
        f"{counted(read['rows'], 'row')}, all as last proved; Anaplan was not asked.",
    }  # fmt: skip
