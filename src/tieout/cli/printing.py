"""Results as a person reads them: sentences and tables on stdout, notes on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table

STEPS_SHOWN_SECONDS_DIGITS = 2


def note(text: str) -> None:
    """A remark on stderr."""
    click.echo(text, err=True)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=False)


def amount(value: object) -> str:
    """A decimal with thousands separators and two decimals at least, exact."""
    if value is None:
        return ""
    number = Decimal(str(value)).normalize()
    exponent = number.as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{number:,.{places}f}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> None:
    table = Table(title=title, title_justify="left")
    numbers = set(right.split())
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    _console().print(table)


def runs(found: Sequence[dict[str, Any]]) -> None:
    """The list of runs."""
    if not found:
        click.echo("No run yet. Start with `tieout preview FLOW`, or `tieout run FLOW`.")
        return
    rows = [(r["run"], r["outcome"], r["started_at"], r["seconds"], r["sentence"]) for r in found]
    _table("Runs", ("run", "outcome", "started", "seconds", "what it said"), rows, "seconds")


def run(found: dict[str, Any], whole: bool = False) -> None:
    """One run: its sentence first."""
    click.echo(found["sentence"] or f"{found['run']}: {found['outcome']}.")
    calls = found.get("calls") or {}
    if calls:
        told = ", ".join(f"{n} requests to {system}" for system, n in sorted(calls.items()))
        click.echo(f"{found['run']}: {found['outcome']} in {found['seconds']} s; {told}.")
    if whole:
        rows = [(s["name"], s["started_at"], s["finished_at"]) for s in found["steps"]]
        _table("Steps", ("step", "started", "finished"), rows)
    rejects(found.get("findings") or [], empty="")


def rejects(found: Sequence[dict[str, Any]], empty: str = "Nothing is rejected.") -> None:
    """Findings, the gravest first."""
    if not found:
        if empty:
            click.echo(empty)
        return
    order = {"reject": 0, "difference": 1, "note": 2}
    rows = [
        (f["rule"], f["subject"], f["cells"] or "", amount(f["amount"]), f["currency"],
         " ".join(filter(None, (f["what"], f["remedy"], f["vendor_words"] and f"Anaplan: {f['vendor_words']}"))))
        for f in sorted(found, key=lambda f: order.get(f["severity"], 3))
    ]  # fmt: skip
    _table("Findings", ("rule", "subject", "cells", "amount", "", "what and what to do"), rows, "cells amount")


def mappings(found: Sequence[dict[str, str]]) -> None:
    """The mapping table."""
    if not found:
        click.echo("Nothing is mapped: every code maps to itself.")
        return
    rows = [(m["dimension"], m["source"], m["target"], m["effective_from"]) for m in found]
    _table("Mappings", ("dimension", "from", "to", "effective from"), rows)


def tie_out(table: Sequence[dict[str, Any]], sentence: str) -> None:
    """The tie-out with totals per company, ledger and currency."""
    if not table:
        click.echo("Nothing to tie out yet: no run has read both sides.")
        return
    numbers = ("gross_f0911", "gross_f0902", "gross_anaplan", "f0911", "f0902", "anaplan", "difference")
    rows = []
    for row in table:
        period = f"{row['fiscal_year']}-{row['period']:02d}"
        rows.append((row["company"], row["ledger"] or "AA", row["currency"], period, row["cells"],
                     row["cells_differing"], *(amount(row[n]) for n in numbers)))  # fmt: skip
    keys = sorted({(r["company"], r["ledger"], r["currency"]) for r in table})
    for company, ledger, currency in keys:
        own = [r for r in table if (r["company"], r["ledger"], r["currency"]) == (company, ledger, currency)]
        sums = (amount(sum(Decimal(str(r[n])) for r in own)) for n in numbers)
        rows.append((company, ledger or "AA", currency, "total", sum(r["cells"] for r in own),
                     sum(r["cells_differing"] for r in own), *sums))  # fmt: skip
    columns = ("company", "ledger", "cur", "period", "cells", "differ", "gross F0911", "gross F0902",
               "gross Anaplan", "F0911", "F0902", "Anaplan", "difference")  # fmt: skip
    table_ = Table(title="Tie-out: F0911 = F0902 = Anaplan", title_justify="left")
    for column in columns:
        text = column in ("company", "ledger", "cur", "period")
        table_.add_column(column, justify="left" if text else "right", no_wrap=True)
    for cells in rows:
        style = "bold" if cells[3] == "total" else None
        table_.add_row(*(str(c) for c in cells), style=style)
    Console(highlight=False, width=190).print(table_)
    differing = sum(r["cells_differing"] for r in table)
    click.echo(sentence or (f"{differing} cells differ." if differing else "Every cell ties."))


def demo(result: dict[str, Any]) -> None:
    """The end of the demo."""
    rows = [(f["flow"], f["run"], f["outcome"], f["rows_read"], f["rows_sent"], f["rejects"], f["seconds"])
            for f in result["flows"]]  # fmt: skip
    tie_out(result["tie_out"], "")
    _table("Loads", ("flow", "run", "outcome", "rows read", "rows sent", "rejects", "seconds"), rows,
           "rejects seconds")  # fmt: skip
    click.echo("Both sides tie." if result["ok"] else "The two sides do not tie; see the findings above.")
