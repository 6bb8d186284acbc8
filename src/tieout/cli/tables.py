"""What `tieout tie-out` and `tieout trace` print of a flow that loads a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieout.cli import progress
from tieout.cli.main import Context
from tieout.cli.printing import following, paragraph, table
from tieout.core.findings import counted
from tieout.errors import Misconfigured
from tieout.verbs.words import amount, moment

if TYPE_CHECKING:
    from tieout.app import Instance

BETWEEN = "×"  # members of a cell, as findings name them
CELLS_SHOWN_MAX = 25
ROWS_SHOWN_MAX = 20
Found = Mapping[str, Any]


def refuse_periods(flow: str, *asked: object) -> None:
    """Misconfigured for what a tie-out of a table does not have."""
    if any(asked):
        raise Misconfigured(
            f"The flow {flow} loads a table, which has no periods.",
            untouched="Nothing was read.",
            do=f"`tieout tie-out --flow {flow}` compares the whole table.",
        )


def members_of(key: str) -> list[str]:
    """The members that a person names: `00001 × 1110`, or one of them."""
    return [member.strip() for member in key.split(BETWEEN) if member.strip()]


def traced(instance: Instance, flow: str, key: str, run: str) -> dict[str, Any]:
    """The story of a cell of a table; what is no table has its own options."""
    from tieout.verbs import tables

    if not tables.is_table(instance, flow):
        raise Misconfigured(
            f"The flow {flow} loads no table, so its records are not found by members alone.",
            untouched="Nothing was searched.",
            do="Leave --flow out and name an account, a document or an amount.",
        )
    return tables.trace(instance, flow, members_of(key), run)


def tied_out(
    context: Context, instance: Instance, flow: str, last: bool, to: Path | None, cells: bool,
    carried: Callable[[Any], dict[str, Any]],
) -> None:  # fmt: skip
    """Compare a table with Anaplan, cell by cell, and hand the comparison out."""
    from tieout.verbs import exporting_tables, running
    from tieout.verbs import tables as of_tables

    done = None
    if not last:
        with progress.shown(instance):
            done = running.tie_out_now(instance, flow)
    result = of_tables.tied(instance, flow, done.run if done else None)
    result |= carried(done) if done else {}
    if to:
        result["export"] = exporting_tables.export(instance, flow, to, cells=cells)

    def show() -> None:
        tie_out(result["table_tie_out"], result.get("sentence", ""))
        if to:
            click.echo(f"Wrote {to}, SHA-256 {result['export']['sha256']}.")

    context.show(result, show)
    sys.exit(result["exit_code"])


def tie_out(rows: Sequence[Found], told: str) -> None:
    """A line per number and currency, then the sentence."""
    if not rows:
        click.echo("Nothing to tie out yet: no run has read both sides.")
        following("tieout run FLOW")
        return
    columns = ("number", "currency", "cells", "differ", "table", "Anaplan", "difference")
    lines = [
        (
            r["item"], r["currency"] or "-", f"{r['cells']:,}", f"{r['cells_differing']:,}",
            *(amount(r[n], r["currency"]) for n in ("gross_table", "gross_anaplan", "difference")),
        )
        for r in rows
    ]  # fmt: skip
    click.echo("Tie-out: the table = Anaplan. Amounts are sums of cells without their signs.")
    table(columns, lines, columns[2:])
    paragraph(told, indent="")


def story(result: Found) -> None:
    """The cells that were found, and of a single one where its numbers come from."""
    names = [*result["identify"], "number", "table", "Anaplan"]
    rows = [
        (
            *(c[n] for n in result["identify"]), c["item"],
            amount(c["value"], c["currency"]), amount(c["shown"], c["currency"]),
        )
        for c in result["cells"][:CELLS_SHOWN_MAX]
    ]  # fmt: skip
    click.echo(f"{counted(result['found'], 'cell')} of {result['table']}")
    table(names, rows, ("table", "Anaplan"))
    if len(result["cells"]) > len(rows):
        click.echo(f"… and {len(result['cells']) - len(rows):,} numbers more (`--json` has them).")
    one = result.get("story")
    if one is None:
        return
    click.echo()
    _rows(one["rows"], result["table"])
    for load in one["loads"]:
        answer = f"rejected: {'; '.join(load['rejected'])}" if load["rejected"] else "not rejected"
        paragraph(
            f"Sent by {load['run']} at {moment(load['sent_at'])}, line {load['line']} of its file "
            f"(chunk {load['chunk']}), task {load['task']}: {answer}."
        )
    for finding in one["findings"]:
        paragraph(f"Found by {finding['run']}: {finding['what']} {finding['remedy']}")


def _rows(rows: Sequence[Found], name: str) -> None:
    """The rows of the table behind a cell, what is blank or zero left out."""
    click.echo(f"{counted(len(rows), 'row')} of {name} behind it")
    for row in rows[:ROWS_SHOWN_MAX]:
        said = [f"{k} {v}" for k, v in row.items() if k != "run" and v not in (None, "", 0)]
        paragraph(", ".join(said))
