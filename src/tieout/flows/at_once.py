"""A run in parts: sessions that read side by side, companies a few at a time, one part ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

import polars as pl

from tieout.core.cells import in_parts
from tieout.flows.world import World
from tieout.jde.client import Jde
from tieout.settings import LoadActuals

T = TypeVar("T")
R = TypeVar("R")


def by_readers(world: World[LoadActuals], one: Callable[[Jde, T], R], work: Sequence[T]) -> list[R]:
    """`one` of every piece of `work`, each in the first session that is free; results in order.

    The first failure is raised when all that had begun have ended; what had not begun is left.
    """
    readers = world.readers[: len(work)]
    if len(readers) <= 1:
        return [one(world.jde, piece) for piece in work]
    free: SimpleQueue[Jde] = SimpleQueue()
    for reader in readers:
        free.put(reader)

    def in_a_session(piece: T) -> R:
        reader = free.get()
        try:
            return one(reader, piece)
        finally:
            free.put(reader)

    with ThreadPoolExecutor(len(readers)) as pool:
        return list(pool.map(in_a_session, work))


def ahead(parts: Iterable[T]) -> Iterator[T]:
    """The same parts; the next one is made while the last is worked on, never two."""
    coming = iter(parts)
    with ThreadPoolExecutor(1) as making:
        next_part = making.submit(_one_of, coming)
        while part := next_part.result():
            next_part = making.submit(_one_of, coming)
            yield part[0]


def _one_of(parts: Iterator[T]) -> tuple[T, ...]:
    """The next part, or nothing at the end."""
    return tuple(islice(parts, 1))


def parts_of(*cells: pl.LazyFrame) -> list[pl.Expr]:
    """Conditions that take a few companies each, and all of them once; at least one."""
    companies = pl.concat([frame.select("company") for frame in cells])
    sizes = dict(companies.group_by("company").len().collect().iter_rows())
    return [pl.col("company").is_in(part) for part in in_parts(sizes)] or [pl.lit(True)]
