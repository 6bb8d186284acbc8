"""Claims about the pace of a door: a turn for every try, and a word about every 429."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tieout.errors import Unavailable
from tieout.http import Call, Http
from tieout.outgoing import Allowed
from tieout.sim.box import Box, Request, Response, serve
from tieout.sim.clock import PracticeClock


class Still:
    """A clock on which waiting takes no time."""

    def now(self) -> datetime:
        return datetime(2026, 11, 25, 9, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Nothing passes."""


class Peer:
    """A system that is content with everything and counts it."""

    name = "peer"

    def __init__(self) -> None:
        self.requests = 0

    def handle(self, request: Request) -> Response:
        self.requests += 1
        return Response(200, b"{}")

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        raise LookupError(verb)


class Turns:
    """A pace that a test reads: turns that were asked for, and what 429s asked for."""

    def __init__(self, turns: int = 100) -> None:
        self.left, self.asked, self.refusals = turns, 0, list[float | None]()

    def wait(self) -> None:
        if self.asked == self.left:
            raise Unavailable("The turns are used up.")
        self.asked += 1

    def refused(self, seconds: float | None) -> None:
        self.refusals.append(seconds)


class Bench:
    """A served peer and a door to it."""

    def __init__(self) -> None:
        self.peer, self.calls = Peer(), list[Call]()
        self.box = Box(self.peer, PracticeClock())
        self.url, self.stop = serve(self.box, 0, control=False)
        self.door = Http(
            self.url,
            system="The peer",
            clock=Still(),
            allow_http=True,
            allowed=Allowed([self.url]),
            told=self.calls.append,
        )

    def fault(self, kind: str, **fields: Any) -> None:
        self.box.faults.control({"add": {"kind": kind, **fields}})


@pytest.fixture
def bench() -> Iterator[Bench]:
    one = Bench()
    yield one
    one.door.close()
    one.stop()


def test_every_try_asks_for_a_turn_of_its_own(bench: Bench) -> None:
    turns = Turns()
    bench.door.keep(turns)
    bench.fault("cut_after", times=2)
    bench.door.send("GET", "/x", repeatable=True)
    assert turns.asked == len(bench.calls) == bench.peer.requests == 3


@pytest.mark.parametrize("once", [False, True])
def test_whoever_sets_the_pace_is_told_of_every_429(bench: Bench, once: bool) -> None:
    turns = Turns()
    bench.door.keep(turns)
    bench.fault("status", status=429, headers={"Retry-After": "7"}, times=2)
    for _ in range(2 if once else 1):
        bench.door.send("POST", "/x", json={}, repeatable=False, once=once)
    assert turns.refusals == [7.0, 7.0]


def test_a_429_without_a_time_is_told_too(bench: Bench) -> None:
    turns = Turns()
    bench.door.keep(turns)
    bench.fault("status", status=429)
    bench.door.send("GET", "/x", repeatable=True)
    assert turns.refusals == [None]


def test_what_gets_no_turn_is_not_sent(bench: Bench) -> None:
    bench.door.keep(Turns(0))
    with pytest.raises(Unavailable, match="used up"):
        bench.door.send("POST", "/x", json={}, repeatable=False, once=True)
    assert (bench.calls, bench.peer.requests) == ([], 0)
