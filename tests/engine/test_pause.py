"""Between two looks a run lets time pass, and a process that stops does not wait for its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_program import RUN_SECONDS_MAX, Peer

from tieout.engine.durable import LAST_STEP_SECONDS, Engine
from tieout.engine.inline import tell_here
from tieout.engine.story import Run
from tieout.store.runs import NewRun
from tieout.store.steps import Step
from tieout.store.store import Store

TEN_MINUTES_SECONDS = 600.0


class Follower:
    """A story that sends, lets time pass, and looks."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def story(self, run: Run, peer: Peer) -> Mapping[str, Any]:
        run.step("send", self._call, peer, "send")
        run.pause(self.seconds)
        run.step("look", self._call, peer, "look")
        return {}

    def _call(self, step: Step, peer: Peer, word: str) -> dict[str, Any]:
        peer.call(word)
        return {}


def test_a_process_that_stops_leaves_a_long_pause_and_the_next_one_carries_the_run_on(
    store: Store, ask: Callable[..., str], make_engine: Callable[..., Engine], peer: Peer
) -> None:
    run, follower = ask("plan", "follow"), Follower(TEN_MINUTES_SECONDS)
    first = make_engine(follow=follower.story)
    first.launch()
    until(lambda: [step.name for step in store.steps(run)] == ["send"])

    began = time.monotonic()
    assert first.close(0)
    assert time.monotonic() - began < LAST_STEP_SECONDS
    assert store.run(run).outcome == "running"
    assert peer.calls() == ["send"]
    follower.seconds = 0.0
    second = make_engine(follow=follower.story)
    second.launch()

    assert second.wait(run, RUN_SECONDS_MAX).outcome == "complete"
    assert peer.calls() == ["send", "look"], "nothing is sent again"


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + RUN_SECONDS_MAX
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


class HandClock:
    """A clock that moves only when somebody sleeps on it; it remembers the longest sleep."""

    def __init__(self) -> None:
        self.seconds, self.longest = 0.0, 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 25, 9, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.longest = max(self.longest, seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.25, TEN_MINUTES_SECONDS + 0.5])
def test_a_pause_lasts_as_long_as_it_was_asked_for_by_the_clock_of_the_instance(
    tmp_path: Path, seconds: float
) -> None:
    clock, peer = HandClock(), Peer(tmp_path)
    with contextlib.closing(Store(tmp_path, clock)) as store:
        store.migrate()
        run = store.new_run(NewRun("plan", "follow", "Anna", outcome="waiting")).id
        done = tell_here(store, run, Follower(seconds).story, lambda _: given(peer))
    assert done.outcome == "complete"
    assert clock.seconds == seconds
    assert clock.longest <= 1, "whoever stops is noticed within a second"


@contextlib.contextmanager
def given(peer: Peer) -> Iterator[Peer]:
    yield peer
