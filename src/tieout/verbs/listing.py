"""Long lists a page at a time: runs, journals, the trail, the cells of a comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import msgspec
import polars as pl

from tieout.app import Instance
from tieout.core.frames import CELL_KEY
from tieout.core.listing import Column, Listed, Wanted, page_of
from tieout.errors import Misconfigured
from tieout.flows.scope import scope_for
from tieout.store import audit, listing, lists
from tieout.store import runs as stored
from tieout.verbs import acting, approving, framed, seeing

TOLD_CHARACTERS_MAX = 160  # of the detail of an entry, in a list
_KEY = list(CELL_KEY)
_NUMBER_DIGITS = 8  # so that the texts of two numbers sort like the numbers
_SEPARATOR = "\x1f"  # between the codes of a cell, in a key of one text


def runs(instance: Instance, wanted: Wanted) -> Listed:
    """A page of runs, parts of others left out."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = listing.page(connection, lists.RUNS, wanted)
    return replace(found, rows=[seeing.run_as_json(stored.read(row)) for row in found.rows])


def trail(instance: Instance, wanted: Wanted) -> Listed:
    """A page of the trail; `told` is the detail in one line, `short` its beginning."""
    acting.require(instance, "read trail")
    with instance.store.database.read() as connection:
        found = listing.page(connection, lists.TRAIL, wanted)
    rows = []
    for row in found.rows:
        told = _one_line(str(row["detail"]))
        short = _shortly(str(row["detail"]))
        if len(short) > TOLD_CHARACTERS_MAX:
            short = f"{short[:TOLD_CHARACTERS_MAX]} …"
        rows.append({**row, "told": told, "short": short})
    return replace(found, rows=rows)


def entry(instance: Instance, seq: int) -> dict[str, Any]:
    """One entry of the trail, whole; Misconfigured when there is none of this number."""
    acting.require(instance, "read trail")
    with instance.store.database.read() as connection:
        found = audit.entries(connection, after=seq - 1, limit=1)
    if not found or found[0].seq != seq:
        raise Misconfigured(f"The trail has no entry {seq}.")
    return asdict(found[0]) | {"told": found[0].told}


def _one_line(detail: str) -> str:
    told = msgspec.json.decode(detail)
    return "; ".join(
        f"{name}: {value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in told.items() if value not in (None, "", [], {})
    )  # fmt: skip


def _shortly(detail: str) -> str:
    """The same for a page: of many things of one kind only how many they are."""
    told = msgspec.json.decode(detail)
    counts = {k: str(len(v)) for k, v in told.items() if isinstance(v, list) and v
              and isinstance(v[0], dict)}  # fmt: skip
    return _one_line(msgspec.json.encode(told | counts).decode())


def journals(instance: Instance, columns: tuple[Column, ...], wanted: Wanted) -> Listed:
    """A page of the journals, by batch and number."""
    rows = [
        told | {"place": _in_order(told["journal"]), "period": _period(told)}
        for told in approving.all_journals(instance)
    ]
    by = "place" if wanted.sort == "journal" else wanted.sort
    return replace(page_of(rows, columns, replace(wanted, sort=by), "place"), wanted=wanted)


def _in_order(name: str) -> str:
    return re.sub(r"\d+", lambda found: found[0].zfill(_NUMBER_DIGITS), name)


def _period(row: Mapping[str, Any]) -> str:
    return f"{row['fiscal_year']}-{row['period']:02d}"


def compared(
    instance: Instance, flow: str, place: tuple[str, str], wanted: Wanted
) -> Listed:  # fmt: skip
    """A page of the cells that the last comparison of a flow compared; the whole is never held.

    `place` is a company of JD Edwards and a period (2025-03), either empty for all. Sorted by
    `size` (how far the sides are apart, without sign), `account` or `business_unit`.
    """
    acting.require(instance, "view")
    last = seeing.last_comparison(instance, flow)
    if last is None:
        raise Misconfigured(
            f"No run of {flow} has compared both sides yet.", do=f"`tieout run {flow}` does."
        )
    with instance.world_for(last[0], looking=True) as world:
        currencies = {c.company: c.currency for c in scope_for(world).companies}
    company, period = place
    found = instance.store.scan(instance.store.current(flow, "compared"))
    if company:
        found = found.filter(pl.col("ledger_company") == company)
    if period:
        year, number = seeing.period_of(period)
        found = found.filter(pl.col("fiscal_year") == year, pl.col("period") == number)
    for name, word in wanted.found_by.items():
        if name == "differs":
            found = found.filter(_SIZE > 0 if word == "yes" else _SIZE == 0)
        else:
            found = found.filter(pl.col(name) == word)
    key = pl.concat_str([pl.col(n).fill_null("") for n in _KEY], separator=_SEPARATOR)
    told = found.with_columns(
        size=_SIZE, key=key,
        shown_in=pl.when(pl.col("currency") != "").then(pl.col("currency"))
        .otherwise(pl.col("ledger_company").replace_strict(currencies, default="")),
    )  # fmt: skip
    return framed.page_of(told, wanted)


_SIZE = pl.max_horizontal(
    (pl.col("f0911") - pl.col("f0902")).abs(), (pl.col("f0911") - pl.col("anaplan")).abs()
)
