"""The lines that a run read against those the mirror held before: new, changed, unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from tieout.core import buckets as fold
from tieout.core.frames import AMOUNT, BUCKET_KEY, BUCKETS, LINE_KEY, LINES, Schema, empty
from tieout.core.tally import CurrencyOf, Tally, added, label, tally_of
from tieout.flows.lines import of_buckets
from tieout.flows.mirror import counting
from tieout.flows.partitions import PARTITION
from tieout.flows.scope import scope_for
from tieout.flows.world import World
from tieout.project import LoadActuals
from tieout.store.records import Manifest

NEW, CHANGED, UNCHANGED, CLOSED = "new", "changed", "unchanged", "closed"
LINES_AT_ONCE = 1_000_000  # compared in one go; bounds memory, at some 50 bytes a line and side
_KEY = list(BUCKET_KEY)
_HELD: Schema = {name: BUCKETS[name] for name in (*BUCKET_KEY, "read")}
_MARKS: Schema = {
    "key": pl.UInt64, "content": pl.UInt64, "name": pl.Categorical(), "amount": AMOUNT,
}  # fmt: skip
_CONTENT = [name for name in LINES if name not in LINE_KEY]


def in_the_mirror(world: World[LoadActuals], run: str) -> Tally:
    """What the files hold that a run added to the mirror, read from these files."""
    currency_of = scope_for(world).kept_in
    by_place: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in world.store.kept(run, kind="lines"):
        by_place.setdefault((manifest.company, manifest.ledger), []).append(manifest)
    return added(_held_by(world, there, place, currency_of) for place, there in by_place.items())


def _held_by(
    world: World[LoadActuals], there: Sequence[Manifest], place: tuple[str, str],
    currency_of: CurrencyOf,
) -> Tally:  # fmt: skip
    company, ledger = place
    lines = world.store.scan(there)
    if ledger == fold.FOREIGN_LEDGER:
        columns = ("company", "ledger", "currency", "amount")
        return tally_of(of_buckets(lines.select(columns).collect()), "amount", currency_of)
    found = lines.select(rows=pl.len(), sum=pl.col("amount").sum()).collect()
    name = label(ledger, currency_of(ledger, company))
    return Tally(found.item(0, "rows"), {name: found.item(0, "sum")})


def against_the_mirror(world: World[LoadActuals], run: str, held: Tally) -> dict[str, Tally]:
    """What the lines are that a run read last of each bucket, and the lines that are closed.

    A line is known by its seven columns; `changed` where any other column is not as it was. Lines
    that were there before and were not returned are `closed`. `held`: as many as were counted, all
    of them new where nothing was replaced.
    """
    replaced = _replaced(world, run)
    if replaced.is_empty():
        return {NEW: held}
    now = _last_read(world, run)
    earlier, ours = _files(world, run, replaced), world.store.kept(run, kind="lines")
    parts = 1 + sum(m.rows for m in [*earlier, *ours]) // LINES_AT_ONCE
    found = dict.fromkeys((NEW, CHANGED, UNCHANGED, CLOSED), Tally())
    currency_of = scope_for(world).kept_in
    for part in range(parts):
        mine = pl.col("document") % parts == part
        is_, was = (
            _marks(world, files, buckets, mine, currency_of)
            for files, buckets in ((ours, now), (earlier, replaced))
        )
        for name, tally in _compared(is_, was).items():
            found[name] += tally
    return found


def _replaced(world: World[LoadActuals], run: str) -> pl.DataFrame:
    """The buckets of before, with their reads, whose lines were read anew by this run."""
    manifests = world.store.before(run, world.flow_name, "buckets")
    touched = {m.key for m in world.store.kept(run, kind="buckets")}
    manifests = [m for m in manifests if m.key in touched]
    if not manifests:
        return empty(_HELD)
    before = world.store.scan(manifests).filter(pl.col("lines") > 0).select(_HELD.keys())
    now = world.lazy("buckets", BUCKETS).select(_HELD.keys())
    return before.join(now, on=[*_KEY, "read"], how="anti").collect()


def _last_read(world: World[LoadActuals], run: str) -> pl.DataFrame:
    """Every bucket that this run read, with the read that holds."""
    folds = world.lazy_of_this_run(run, "folds", _HELD).select(_HELD.keys())
    return folds.group_by(_KEY).agg(pl.col("read").max()).collect()


def _files(world: World[LoadActuals], run: str, replaced: pl.DataFrame) -> list[Manifest]:
    """The files of earlier runs that may hold lines of `replaced` buckets."""
    of_place = replaced.group_by(PARTITION).agg(pl.col("read").unique().sort())
    reads = {(r[0], r[1], r[2]): r[3] for r in of_place.select(*PARTITION, "read").iter_rows()}
    kept = [m for m in world.store.current(world.flow_name, "lines") if m.run != run]
    return counting(world.store.records, kept, reads)


def _marks(
    world: World[LoadActuals], files: Sequence[Manifest], buckets: pl.DataFrame, mine: pl.Expr,
    currency_of: CurrencyOf,
) -> pl.DataFrame:  # fmt: skip
    """Lines of `buckets` as hashes of their key and their content, with name and amount."""
    currency = pl.struct("ledger", "company").map_elements(
        lambda row: currency_of(row["ledger"], row["company"]), return_dtype=pl.String
    )
    frames = [empty(_MARKS)]
    for lines in _lines_of(world, files, buckets, mine):
        named = lines.select("company", "ledger", "bucket_currency").unique()
        own = pl.col("bucket_currency")
        named = named.with_columns(
            name=pl.concat_str(
                "ledger", pl.lit(" "), pl.when(own != "").then(own).otherwise(currency)
            ).str.strip_chars()
        )
        marked = lines.join(named, on=["company", "ledger", "bucket_currency"], how="left")
        frames.append(
            marked.select(
                key=pl.struct(LINE_KEY).hash(), content=pl.struct(_CONTENT).hash(),
                name=pl.col("name").cast(pl.Categorical()), amount="amount",
            )
        )  # fmt: skip
    return pl.concat(frames)


def _lines_of(
    world: World[LoadActuals], files: Sequence[Manifest], buckets: pl.DataFrame, mine: pl.Expr
) -> Iterator[pl.DataFrame]:
    """One file after the other: the lines that the reads of `buckets` hold."""
    reads, posted = buckets["read"].unique(), pl.col("posted") == fold.POSTED
    on = [name if name != "currency" else "bucket_currency" for name in _KEY]
    for manifest in files:
        lines = (
            world.store.scan([manifest])
            .filter(pl.col("read").is_in(reads.implode()), mine, posted)
            .with_columns(bucket_currency=fold.bucket_currency())
            .join(buckets.lazy(), left_on=[*on, "read"], right_on=[*_KEY, "read"], how="semi")
            .collect()
        )
        if lines.height:
            yield lines


def _compared(now: pl.DataFrame, was: pl.DataFrame) -> Mapping[str, Tally]:
    there = now.join(was.select("key", before="content"), on="key", how="left")
    same = pl.col("before") == pl.col("content")
    return {
        NEW: _named(there.filter(pl.col("before").is_null())),
        CHANGED: _named(there.filter(~same)),
        UNCHANGED: _named(there.filter(same)),
        CLOSED: _named(was.join(now, on="key", how="anti")),
    }


def _named(marks: pl.DataFrame) -> Tally:
    groups = marks.group_by("name").agg(pl.col("amount").sum().cast(AMOUNT))
    return Tally(marks.height, {str(name): amount for name, amount in groups.iter_rows()})
