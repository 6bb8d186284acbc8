"""A home whose mirror holds many lines: a real load, of which every line is multiplied.

The load is told by the product against the benchmark's server. Then each of its lines is written
COPIES times by the product's own writers, in the order in which JD Edwards would return them and in
files of the size that a load makes, as a second run that read everything again. The copies
cancel each other out two by two, so that all balances and cells stay proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from bench.__main__ import Served
from bench.ledger import drawn
from bench.measured import FLOW, WHO, measure, prepared
from tieout.app import Instance
from tieout.core.frames import AMOUNT, BUCKETS, LINES
from tieout.flows.lines import UNIT_ROWS, first_read
from tieout.flows.partitions import PARTITION, partition_of, spans
from tieout.store.records import Manifest
from tieout.store.runs import Ending, NewRun, Run
from tieout.store.steps import Step

TEXTS = ("explanation", "remark", "reference_2", "updated", "updated_time", "subledger")
COPIES = 99  # odd, so that all but one cancel each other out
READERS = 2


def build(home: Path, rows: int, seed: int, copies: int = COPIES, database: str = "") -> Instance:
    """An instance in `home` whose mirror holds about `rows` lines that count.

    `copies` of each line that was loaded, an odd number: fewer leave more accounts and cells.
    `database`: its address, SQLite in `home` without one.
    """
    served = Served(-(-rows // copies), seed)
    try:
        instance = prepared(home, served.told["url"], READERS, database)
        served.ask("begin")
        told = measure(instance)
    finally:
        served.stop()
    if told["outcome"] != "complete":
        raise SystemExit(f"The load that is multiplied did not tie: {told['sentence']}")
    multiply(instance, copies)
    return instance


def multiply(instance: Instance, copies: int = COPIES) -> Run:
    """One more run, which read every line `copies` times."""
    store = instance.store
    run = store.new_run(NewRun(FLOW, "load_actuals", WHO))
    by_place: dict[tuple[Any, ...], list[Manifest]] = {}
    for manifest in store.current(FLOW, "lines"):
        place = tuple(getattr(manifest, name) for name in PARTITION)
        by_place.setdefault(place, []).append(manifest)
    for number, (place, files) in enumerate(sorted(by_place.items())):
        keep = partial(
            _keep, instance, files, partition_of(place), first_read(run.number) + number, copies
        )  # fmt: skip
        store.run_step(run.id, f"read lines {number + 1}", keep)
    return store.finish_run(run.id, Ending("complete", "Multiplied.", 0, {}))


def _keep(
    instance: Instance,
    files: list[Manifest],
    key: dict[str, Any],
    read: int,
    copies: int,
    step: Step,
) -> dict[str, Any]:
    """The lines of one partition, and its buckets with as many lines more."""
    count, store = 0, instance.store
    for lines in _multiplied(instance, files, copies):
        numbered = lines.with_columns(read=pl.lit(read, pl.Int64))
        step.keep("lines", numbered, **key, sums=spans(numbered))
        count += lines.height
    buckets = store.scan(store.current(FLOW, "buckets", **key)).collect()
    more = {"lines": pl.col("lines") * copies, "read": pl.lit(read, pl.Int64)}
    step.keep("buckets", buckets.with_columns(**more).select(*BUCKETS), replace=True, **key)
    return {"lines": count}


def _multiplied(instance: Instance, files: list[Manifest], copies: int) -> Iterator[pl.DataFrame]:
    """The lines of a partition, each `copies` times, in the order of their key in every file."""
    numbered = pl.DataFrame({"copy": pl.int_range(copies, eager=True)})
    pair = (pl.col("copy") + 1) // 2  # two that cancel each other out; the first line stays
    more = pl.when(pair > 0).then(drawn(pl.col("document") * copies + pair, 7) % 100_000)
    amount = pl.col("amount") + more.otherwise(pl.lit(0)).cast(AMOUNT)
    for number, manifest in enumerate(files):
        lines = instance.store.scan([manifest]).select(*LINES).collect()
        for part in lines.iter_slices(UNIT_ROWS // copies):
            whole = part.join(numbered, how="cross", maintain_order="left_right")
            whole = whole.with_columns(
                # Copies that are alike would be packed to nothing.
                *(pl.col(name).shuffle(seed=number) for name in TEXTS),
                amount=pl.when(pl.col("copy") % 2 == 1).then(-amount).otherwise(amount),
                document=pl.col("document") * copies + pl.col("copy"),
                batch_number=pl.col("batch_number") * copies + pl.col("copy"),
            )
            yield whole.sort("document_type", "document", maintain_order=True).select(*LINES)
