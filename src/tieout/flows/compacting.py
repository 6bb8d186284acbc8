"""Many small files of the mirror copied into few: every version of every line stays, as it was.

Lines that count and earlier versions go into files apart, so that a run which looks for what moved
opens only the former. Each line says in which file it was kept first, whose row of the manifest
stays: by which run, in which step and when it was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from tieout.core.buckets import bucket_currency
from tieout.core.findings import counted
from tieout.core.frames import BUCKET_KEY, BUCKETS
from tieout.errors import Refused
from tieout.flows.lines import UNIT_ROWS
from tieout.flows.mirror import COPIED, FIRST_KEPT, Place, place_of
from tieout.flows.partitions import partition_of, spans
from tieout.flows.world import Result, Run, Steps, World
from tieout.project import LoadActuals
from tieout.store.records import Manifest
from tieout.store.steps import Step

SMALL_ROWS = UNIT_ROWS // 2  # a file with fewer lines is small
FILES_MIN = 8  # small files of one partition that are worth copying
PARTITIONS_MAX = 1_000  # of one run; the next one goes on
COPY_ROWS = 200_000  # lines of one copy; they are in memory twice, as they were and as they are
FOUND_IN = "found_in"
_KEY = list(BUCKET_KEY)
_CURRENCY = {"currency": "bucket_currency"}


def small_files(files: Sequence[Manifest]) -> dict[Place, list[Manifest]]:
    """The small files of every partition that has enough of them, oldest first."""
    found: dict[Place, list[Manifest]] = {}
    for manifest in files:
        if manifest.rows < SMALL_ROWS:
            found.setdefault(place_of(manifest), []).append(manifest)
    return {place: small for place, small in sorted(found.items()) if len(small) >= FILES_MIN}


def compact(run: Run, world: World[LoadActuals]) -> Mapping[str, Any]:
    """Copy the small files of every partition that has many, one partition after the other."""
    tell = Steps(run, world)
    plan = tell("find small files", find_small_files)
    before = after = lines = 0
    for number, place in enumerate(plan["partitions"], 1):
        done = tell(f"copy lines {number}", copy_lines, tuple(place))
        before, after = before + done["before"], after + done["after"]
        lines += done["lines"]
    return {
        "outcome": "complete",
        "sentence": f"{counted(lines, 'line')} of the mirror were copied from "
        f"{counted(before, 'file')} into {counted(after, 'file')}; none was changed.",
        "figures": {"lines": lines, "files_before": before, "files_after": after},
    }


def find_small_files(step: Step, world: World[LoadActuals]) -> Result:
    """The partitions that have many small files; of very many, those that have most."""
    found = small_files(world.store.current(world.flow_name, "lines"))
    first = sorted(found, key=lambda place: (-len(found[place]), place))[:PARTITIONS_MAX]
    return {"partitions": [list(place) for place in sorted(first)]}


def copy_lines(step: Step, world: World[LoadActuals], place: Place) -> Result:
    """Copy the small files of one partition; they are retired with the commit of this step.

    Refused, with nothing changed, when what was written is not, line by line and summed by account
    balance, what the files held.
    """
    key = partition_of(place)
    small = small_files(world.store.current(world.flow_name, "lines", **key)).get(place, [])
    held = world.frame("buckets", BUCKETS, **key).filter(pl.col("lines") > 0)
    after = lines = 0
    for files in _together(small):
        found = with_first_kept(world, files).collect()
        here = found.with_columns(bucket_currency=bucket_currency())
        left, right = [_CURRENCY.get(n, n) for n in (*_KEY, "read")], [*_KEY, "read"]
        count = here.join(held, left_on=left, right_on=right, how="semi", maintain_order="left")
        earlier = here.join(held, left_on=left, right_on=right, how="anti", maintain_order="left")
        written = []
        for kind, those in (("lines", count), ("earlier_lines", earlier)):
            part = those.select(found.columns)
            if part.height:
                told = spans(part) | {COPIED: str(len(files))}
                written.append(step.keep(kind, part, **key, sums=told))
        _require_same(with_first_kept(world, files), world.store.scan(written), place)
        step.retire(files)
        after, lines = after + len(written), lines + found.height
    return {"before": len(small), "after": after, "lines": lines}


def with_first_kept(world: World[LoadActuals], files: Sequence[Manifest]) -> pl.LazyFrame:
    """The lines of `files`, each with the file in which it was kept first."""
    found = world.store.scan(files, source=FOUND_IN, more=[FIRST_KEPT])
    return found.with_columns(pl.coalesce(FIRST_KEPT, FOUND_IN).alias(FIRST_KEPT)).drop(FOUND_IN)


def _together(files: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Files put together until a copy of them would hold more than COPY_ROWS lines."""
    held: list[Manifest] = []
    for manifest in files:
        if held and sum(m.rows for m in held) + manifest.rows > COPY_ROWS:
            yield held
            held = []
        held.append(manifest)
    if len(held) > 1:
        yield held


def _require_same(old: pl.LazyFrame, new: pl.LazyFrame, place: Place) -> None:
    """Both are read from the disk: the same lines, and the same sum and count in every bucket."""
    group = [*_KEY, "read", FIRST_KEPT]
    sums = [
        side.group_by(group).agg(pl.len(), pl.col("amount").sum()).sort(group).collect()
        for side in (old, new)
    ]
    columns = sorted(old.collect_schema().names())
    rows = [side.select(columns).collect().hash_rows().sort() for side in (old, new)]
    if not (sums[0].equals(sums[1]) and rows[0].equals(rows[1])):
        company, ledger, year = place
        raise Refused(
            f"The copied lines of company {company}, ledger {ledger}, {year} are not those of "
            "their files.",
            untouched="The mirror is as it was.", do="Run `tieout audit verify`.",
        )  # fmt: skip
