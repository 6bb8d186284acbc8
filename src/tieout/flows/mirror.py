"""Which files of the mirror hold lines that count, told without opening them.

A line counts when it was kept by the read that its bucket names. Every file says in its manifest
from which reads its lines are, so one is passed over when no bucket of its partition names any.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import polars as pl

from tieout.flows.partitions import PARTITION
from tieout.store.files import Records
from tieout.store.records import Manifest

COPIED = "copied"  # in the sums of a manifest: from how many files its lines were copied
FIRST_KEPT = "kept_in"  # the column that says in which file a copied line was kept first
Place: TypeAlias = tuple[str, str, int]  # company, ledger, fiscal year
Reads: TypeAlias = Mapping[Place, Sequence[int]]  # in their order
KnownReads: TypeAlias = dict[tuple[str, ...], Reads]  # by the ids of the files of buckets
READS_KEPT_MAX = 50  # flows of actuals whose reads are kept in memory


def reads_that_hold(files: Records, buckets: Sequence[Manifest]) -> Reads:
    """The reads that some bucket names, by partition."""
    if not buckets:
        return {}
    named = files.scan(buckets).filter(pl.col("lines") > 0)
    found = named.group_by(PARTITION).agg(pl.col("read").unique().sort()).collect()
    return {(r[0], r[1], r[2]): r[3] for r in found.select(*PARTITION, "read").iter_rows()}


def counting(files: Records, lines: Iterable[Manifest], reads: Reads) -> list[Manifest]:
    """Those files of `lines` that may hold a line that counts."""
    return [m for m in lines if _names(files, m, reads.get(place_of(m), ()))]


def spanning(lines: Iterable[Manifest], name: str, values: pl.Series) -> list[Manifest]:
    """Those files of `lines` that may hold a line with one of these numbers."""
    wanted = values.drop_nulls().unique().sort().to_list()
    return [m for m in lines if not _all_outside(m, name, wanted)]


def _all_outside(manifest: Manifest, name: str, wanted: Sequence[int]) -> bool:
    first, _, last = manifest.sums.get(name, "").partition("..")
    at = bisect_left(wanted, int(first)) if last else 0
    return bool(last) and (at == len(wanted) or wanted[at] > int(last))


def uncounted(
    files: Records, lines: Sequence[Manifest], buckets: Sequence[Manifest],
    known: KnownReads | None = None,
) -> set[str]:  # fmt: skip
    """Ids of those files of a flow's mirror in which no line counts any more.

    `known` spares who only looks what this process has read before: a kept file never changes.
    """
    known, key = {} if known is None else known, tuple(m.id for m in buckets)
    reads = known.get(key)
    if reads is None:
        reads = reads_that_hold(files, buckets)
        while len(known) >= READS_KEPT_MAX:
            known.pop(next(iter(known)), None)
        known[key] = reads
    return {m.id for m in lines} - {m.id for m in counting(files, lines, reads)}


def place_of(manifest: Manifest) -> Place:
    """The partition that a file is of."""
    return (manifest.company, manifest.ledger, manifest.fiscal_year)


def _names(files: Records, manifest: Manifest, reads: Sequence[int]) -> bool:
    if not reads:
        return False
    first, last = _span(files, manifest)
    at = bisect_left(reads, first)
    return at < len(reads) and reads[at] <= last


def _span(files: Records, manifest: Manifest) -> tuple[int, int]:
    """The first and last read of a file; one of an older Tieout is opened to see."""
    first, _, last = manifest.sums.get("read", "").partition("..")
    if last:
        return int(first), int(last)
    read = pl.col("read")
    found = files.scan([manifest]).select(first=read.min(), last=read.max()).collect()
    return found.item(0, "first") or 0, found.item(0, "last") or 0
