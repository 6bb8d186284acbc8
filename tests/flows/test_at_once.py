"""Two workers side by side: results in order, and nothing is begun after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from tieout.flows.at_once import ahead, shared


def test_results_come_in_the_order_of_the_work_whoever_did_it() -> None:
    second_done = Event()

    def slow(piece: int) -> int:
        assert second_done.wait(5)
        return piece

    def quick(piece: int) -> int:
        second_done.set()
        return piece

    assert shared([slow, quick], [0, 1, 2, 3, 4]) == [0, 1, 2, 3, 4]


def test_after_a_failure_nothing_more_is_begun_and_what_had_begun_ends() -> None:
    both, failed = Barrier(2), Event()
    begun: list[int] = []
    ended: list[int] = []

    def fails(piece: int) -> None:
        begun.append(piece)
        both.wait(5)
        failed.set()
        raise LookupError(f"piece {piece}")

    def ends(piece: int) -> None:
        begun.append(piece)
        both.wait(5)
        assert failed.wait(5)
        ended.append(piece)

    with pytest.raises(LookupError):
        shared([fails, ends], range(50))

    assert len(ended) == len(begun) - 1
    assert len(begun) <= 3, "one of each worker, and one that began while the other failed"


def test_no_work_and_one_worker_need_no_thread() -> None:
    assert shared([], []) == []
    assert shared([str], [1, 2]) == ["1", "2"]


def test_a_part_is_made_while_the_last_is_worked_on_and_none_after_that() -> None:
    made: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    for part in ahead(parts()):
        assert part <= made[-1] <= part + 1
    assert made == [0, 1, 2, 3, 4]


def test_a_part_that_cannot_be_made_stops_the_work() -> None:
    def parts() -> Iterator[int]:
        yield 1
        raise LookupError("no second part")

    seen: list[int] = []
    with pytest.raises(LookupError):
        seen.extend(ahead(parts()))
    assert seen == [1]
