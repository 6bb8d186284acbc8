"""A run in parts: sessions that read side by side, companies a few at a time, one part ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeVar

import polars as pl

from tieout.core.cells import in_parts
from tieout.flows.world import World
from tieout.jde.client import Jde

T = TypeVar("T")
R = TypeVar("R")


def by_readers(world: World[Any], one: Callable[[Jde, T], R], work: Sequence[T]) -> list[R]:
    """`one` of every piece of `work`, each in the first session that is free; results in order.

    After the first failure no piece is begun; it is raised when all that had begun have ended.
    The first session signs in before the others try, so that a wrong password is tried once (J08).
    As many others join in as nobody else wants; when somebody waits, they leave after their piece,
    and the first one stands in line again.
    """
    readers = list(world.readers[:1])
    if len(work) > 1 and len(world.readers) > 1:
        world.jde.sign_in()
        readers += [r for r in world.readers[1 : len(work)] if r.may_read()]

    def stays(number: int) -> bool:
        if not world.somebody_waits():
            return True
        readers[number].close()
        return number == 0

    return shared([partial(one, reader) for reader in readers], work, stays)


def _all_stay(number: int) -> bool:
    return True


def shared(
    workers: Sequence[Callable[[T], R]], work: Sequence[T],
    stays: Callable[[int], bool] = _all_stay,
) -> list[R]:  # fmt: skip
    """Every piece of `work` done by the first worker that is free, a thread each; in order.

    `stays(number)` says after each piece whether that worker goes on; the first always does.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    for number in range(len(work)):
        waiting.put(number)
    found: dict[int, R] = {}
    failed = Event()

    def share(who: int) -> None:
        with suppress(Empty):
            while not failed.is_set():
                number = waiting.get_nowait()
                try:
                    found[number] = workers[who](work[number])
                except BaseException:
                    failed.set()
                    raise
                if not waiting.empty() and not stays(who):
                    return

    if len(workers) <= 1:
        share(0)
    else:
        with ThreadPoolExecutor(len(workers)) as pool:
            shares = [pool.submit(share, who) for who in range(len(workers))]
        for each in shares:
            each.result()
    return [found[number] for number in range(len(work))]


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
