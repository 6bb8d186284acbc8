"""The exact lines of batches: all of one, a page of them, or those that agree with a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.core.frames import DIFFERENCES, JOURNAL_LINES, LEDGER_CELL
from tieout.core.journal import JOURNALS, batch_of
from tieout.core.listing import Column, Listed, Wanted
from tieout.store import batches, records
from tieout.store.batches import Batch
from tieout.store.records import Manifest
from tieout.verbs import acting, framed

CHECKED_KEPT = 200  # batches whose digest this process has computed: kept files never change
_KINDS = {"headers": JOURNALS, "lines": JOURNAL_LINES, "differences": DIFFERENCES}
# What a line says for itself beside its journal's header: where it comes from, and the ledger then.
_EXPLAINED = ("account", "business_unit", "member", "zeroed", "target", "posted", "in_flight")


def lines(instance: Instance, batch_id: str) -> list[dict[str, Any]]:
    """The exact lines of a batch, as they are or were to be sent, each with what explains it.

    Refused when the records do not make the digest that people decide over.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
    return frame(instance, batch).to_dicts()


def page(
    instance: Instance, batch_id: str, columns: tuple[Column, ...], wanted: Wanted,
    journal: int | None = None,
) -> Listed:  # fmt: skip
    """A page of the same, or of one journal's; `size` is the amount without its sign.

    `place` is journal and line.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        batch = batches.find(connection, batch_id)
    mine = [] if journal is None else [pl.col("journal") == journal]
    number = pl.col("period").cast(pl.String).str.zfill(2)
    found = frame(instance, batch, mine).lazy().with_row_index(framed.KEY).with_columns(
        pl.col(framed.KEY).cast(pl.Int64), size=pl.col("amount").abs(),
        period=pl.format("{}-{}", "fiscal_year", number),
        place=pl.format("{}.{}", "journal", "line"),
    )  # fmt: skip
    return framed.page_of(found.filter(*framed.agreeing(columns, wanted)), wanted)


def frame(
    instance: Instance, batch: Batch, conditions: Sequence[pl.Expr] = (),
    near: Sequence[pl.Expr] = (),
) -> pl.DataFrame:  # fmt: skip
    """The exact lines of a batch that agree, in their order, as columns: see `lines`.

    `near`: conditions that the difference behind such a line has, so that few lines are joined.
    """
    files = _files(instance, batch)
    headers, sent, explained = (
        instance.store.scan(files[kind], pl.Schema(schema)) for kind, schema in _KINDS.items()
    )
    _check(instance, batch, files, headers, sent)
    numbered = headers.with_row_index("journal", 1).select(
        "journal", "transaction_number", "ledger", "currency", "fiscal_year", "period", "gl_date"
    )
    nothing = pl.lit(0, JOURNAL_LINES["amount"])
    found = (
        sent.join(numbered, on="transaction_number", validate="m:1")
        .join(
            explained.filter(*near).select(*LEDGER_CELL, *_EXPLAINED), on=list(LEDGER_CELL),
            how="inner" if near else "left", validate="1:1",
        )
        .with_columns(
            debit=pl.when(pl.col("amount") > 0).then("amount").otherwise(nothing),
            credit=pl.when(pl.col("amount") < 0).then(-pl.col("amount")).otherwise(nothing),
        )
    )  # fmt: skip
    return found.filter(*conditions).sort("journal", "line").collect()


def _check(
    instance: Instance, batch: Batch, files: Mapping[str, Sequence[Manifest]],
    headers: pl.LazyFrame, sent: pl.LazyFrame,
) -> None:  # fmt: skip
    """Refused when these are not the lines that people decide over."""
    key = tuple(m.id for kind in ("headers", "lines") for m in files[kind])
    digests = instance.kept_digests
    digest = digests.get(key)
    if digest is None:  # every file is compared with its own hash whenever it is read
        digest = batch_of(headers.collect(), sent.collect()).digest
        while len(digests) >= CHECKED_KEPT:
            digests.pop(next(iter(digests)), None)
        digests[key] = digest
    batches.refuse_other_lines(batch, digest, "shown")


def _files(instance: Instance, batch: Batch) -> dict[str, list[Manifest]]:
    """What the run that prepared a batch kept, by kind."""
    with instance.store.database.read() as connection:
        found = records.of_runs(connection, [batch.run], _KINDS)
    return {kind: [m for m in found if m.kind == kind] for kind in _KINDS}


def with_any(
    instance: Instance, found: Sequence[Batch], conditions: Sequence[pl.Expr]
) -> list[Batch]:
    """Those of some batches that were prepared from a difference that agrees, in their order."""
    of_run = {b.run: b.id for b in found}
    with instance.store.database.read() as connection:
        files = records.of_runs(connection, of_run, ("differences",))
    if not files or not conditions:
        return list(found)
    of = {m.path: of_run[m.run] for m in files}
    rows = instance.store.scan(files, source="file").filter(*conditions)
    here = {of[path] for path in rows.select("file").unique().collect()["file"].to_list()}
    return [batch for batch in found if batch.id in here]
