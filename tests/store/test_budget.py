"""Claims about the requests of a tenant: no minute holds more than its limit, whoever asks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from anaplan_practice import Practice, practice
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, delete, select

from tieout.clock import Clock, SystemClock
from tieout.errors import Unavailable
from tieout.sim.anaplan.rate import WINDOW_SECONDS as PRACTICE_WINDOW_SECONDS
from tieout.store.budget import TURN_SECONDS_MAX, Budget, Rate, app_budget
from tieout.store.database import Database
from tieout.store.schema import metadata
from tieout.store.store import Store

PROGRAM = Path(__file__).parent.parent / "support" / "budget_program.py"
TENANT = "acme"


@pytest.fixture
def store(lasting: Store) -> Store:
    """A store in which nobody has sent a request."""
    with lasting.begin() as connection:
        connection.execute(delete(app_budget))
    return lasting


class Watch:
    """A clock that only the test moves, unless it `runs`: who sleeps says when it would go."""

    def __init__(self, *, runs: bool = False, oversleeps: float = 0.0) -> None:
        self.at, self.slept, self._oversleeps = 1_000_000.0, 0.0, oversleeps
        self._runs = runs

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self._runs or self._oversleeps:
            self.at += seconds + self._oversleeps
            self._oversleeps = 0.0

    def goes(self, budget: Budget) -> float:
        """When the next request of `budget` may go."""
        self.slept = 0.0
        budget.wait()
        return self.at if self._runs else self.at + self.slept


class InMemory:
    """A database of one connection, without a disk that examples would wait for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    read = begin


@contextmanager
def in_memory() -> Iterator[InMemory]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, tables=[app_budget])
    yield InMemory(engine)
    engine.dispose()


def budget_of(database: object, rate: Rate, clock: Clock) -> Budget:
    stands_in: Any = database
    return Budget(stands_in, TENANT, rate, clock, by_database=False)


def most_in(seconds: float, times: list[float]) -> int:
    """The most of `times` in any window, its beginning not counted."""
    times = sorted(times)
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


GAPS = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.integers(1, 12), st.floats(0.0, 2.0)), min_size=1,
    max_size=25,
)  # fmt: skip


@settings(max_examples=60)
@given(limit=st.integers(2, 40), share=st.floats(0, 0.99), gaps=GAPS, processes=st.integers(1, 3))
def test_no_minute_holds_more_requests_than_the_limit_however_they_come(
    limit: int, share: float, gaps: list[tuple[float, int, float]], processes: int
) -> None:
    rate, clock = Rate(limit, max(1, int(limit * share))), Watch()
    if rate.burst >= limit:
        return
    arrived: list[float] = []
    with in_memory() as database:
        askers = [budget_of(database, rate, clock) for _ in range(processes)]
        try:
            for gap, requests, late in gaps:
                clock.at += gap
                for number in range(requests):
                    on_its_way = late if number % 2 else 0.0
                    arrived.append(clock.goes(askers[number % processes]) + on_its_way)
        except Unavailable:  # more than five minutes ahead is not promised
            pass
    assert most_in(rate.window_seconds, arrived) <= limit


@settings(max_examples=20)
@given(limit=st.integers(10, 60), share=st.floats(0.05, 0.9))
def test_who_keeps_asking_gets_the_steady_rate_and_a_rest_brings_the_burst_back(
    limit: int, share: float
) -> None:
    rate, clock = Rate(limit, max(1, int(limit * share))), Watch()
    with in_memory() as database:
        asker = budget_of(database, rate, clock)
        waits = [clock.goes(asker) - clock.at for _ in range(rate.burst + 3)]
        assert waits[: rate.burst] == [0.0] * rate.burst
        apart = [after - before for before, after in zip(waits[-4:], waits[-3:], strict=False)]
        assert apart == pytest.approx([rate.worth / 1e6] * 3, abs=1e-5)
        clock.at += (rate.burst + 3) * rate.worth / 1e6
        assert [clock.goes(asker) - clock.at for _ in range(rate.burst)] == [0.0] * rate.burst


def test_a_429_makes_everybody_wait_and_then_go_at_the_steady_rate(store: Store) -> None:
    rate, clock = Rate(600, 100), Watch(runs=True)
    one, other = (budget_of(store.database, rate, clock) for _ in range(2))
    began = clock.at
    assert clock.goes(one) == began
    one.refused(7.0)
    gone = [clock.goes(each) - began for each in (other, one, other)]
    assert gone == pytest.approx([7.0 + n * rate.worth / 1e6 for n in (1, 2, 3)], abs=0.001)


def test_who_waits_already_when_a_429_comes_waits_on(store: Store) -> None:
    class Meanwhile(Watch):
        def sleep(self, seconds: float) -> None:
            if not self.slept:
                other.refused(30.0)
            super().sleep(seconds)

    clock = Meanwhile(runs=True)
    one, other = (budget_of(store.database, Rate(20, 1), clock) for _ in range(2))
    began = clock.at
    assert clock.goes(one) == began
    assert clock.goes(one) - began > 30.0


def test_a_429_without_a_time_stops_everybody_for_ten_seconds(store: Store) -> None:
    clock = Watch(runs=True)
    one, other = (budget_of(store.database, Rate(600, 100), clock) for _ in range(2))
    began = clock.at
    one.refused(None)
    assert clock.goes(other) - began == pytest.approx(10.0, abs=0.2)


def test_who_waits_longer_for_a_turn_than_is_sensible_is_told_and_takes_no_turn(
    store: Store,
) -> None:
    clock = Watch()
    asker = budget_of(store.database, Rate(2, 1), clock)
    gone: list[float] = []

    def ask_on() -> None:
        while True:
            gone.append(clock.goes(asker) - clock.at)

    with pytest.raises(Unavailable, match="used up for the next 5 minutes") as told:
        ask_on()
    assert "This request was not sent" in told.value.sentence()
    assert gone[-1] <= TURN_SECONDS_MAX
    with pytest.raises(Unavailable):
        asker.wait()
    clock.at += 2 * Rate(2, 1).worth / 1e6
    assert clock.goes(asker) - clock.at <= TURN_SECONDS_MAX


def used_until(store: Store) -> int:
    with store.database.read() as connection:
        return int(connection.execute(select(app_budget.c.used_until)).scalar_one())


def test_a_process_that_was_stopped_and_wakes_after_its_turn_asks_anew(store: Store) -> None:
    """Its turn would be a request too many for the minute it wakes in."""
    rate, clock = Rate(10, 1), Watch(oversleeps=5.0)
    asker = Budget(store.database, TENANT, rate, clock)
    asker.wait()
    before = used_until(store)
    asker.wait()
    assert used_until(store) - before == 2 * rate.worth


def test_a_clock_that_was_set_back_stops_nobody_for_long(store: Store) -> None:
    rate, clock = Rate(600, 100), Watch(runs=True)
    asker = budget_of(store.database, rate, clock)
    asker.refused(60.0)
    clock.at -= 3600
    began = clock.at
    waits = [clock.goes(asker) - began for _ in range(3)]
    assert waits == pytest.approx([n * rate.worth / 1e6 for n in (1, 2, 3)], abs=0.001)


def test_tenants_do_not_wait_for_each_other(store: Store) -> None:
    clock = Watch()
    for tenant in ("one", "other"):
        asker = Budget(store.database, tenant, Rate(2, 1), clock, by_database=False)
        assert clock.goes(asker) == clock.at


# ------------------------------------------------------------------ real processes

PROCESSES, THREADS, SECONDS = 4, 3, 3.0
SCALE = 30.0  # practice seconds in one: a practice minute lasts two
RATE = Rate(90, 20, window_seconds=PRACTICE_WINDOW_SECONDS / SCALE, late_seconds=0.5)


def hammered(served: Practice, database: Database) -> list[dict[str, object]]:
    """What each of several processes says that asked as fast as it was allowed to."""
    asked = {
        "database": database.url.render_as_string(hide_password=False), "url": served.url,
        "tenant": TENANT, "threads": THREADS,
        "seconds": SECONDS, "limit": RATE.limit, "burst": RATE.burst,
        "window_seconds": RATE.window_seconds, "late_seconds": RATE.late_seconds,
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(asked)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    return [json.loads(process.communicate(timeout=60)[0]) for process in started]


def test_four_processes_never_exceed_the_limit_as_the_practice_anaplan_counts(
    store: Store, tmp_path: Path
) -> None:
    """Measured at the server, with the 429 it would answer, by the time requests arrive."""
    with practice(tmp_path) as served:
        served.switch("rate_per_minute", RATE.limit)
        served.switch("rate_counting", "window")
        served.clock.set_scale(SCALE)
        told = hammered(served, store.database)
        seen = served.system.control("state", {})
    sent = [int(str(each["sent"])) for each in told]
    print(f"worst window {seen['requests_worst_minute']}, sent {sent}, {told}")
    assert seen["requests_refused"] == 0
    assert seen["requests_worst_minute"] <= RATE.limit
    steady = SECONDS * 1e6 / RATE.worth
    assert sum(sent) >= 0.6 * steady, "they wait much longer than they have to"
    assert min(sent) > 0


def test_no_turns_are_lost_to_a_clock_of_our_own_that_is_wrong(store: Store) -> None:
    """Time comes from the database; a wall clock that is an hour off changes nothing."""

    class Wrong(SystemClock):
        def now(self) -> datetime:
            return datetime(1970, 1, 1, tzinfo=UTC)

    rate = Rate(30, 2)
    askers = [Budget(store.database, TENANT, rate, clock) for clock in (SystemClock(), Wrong())]
    for asker in askers:
        asker.wait()
    later = Watch()
    Budget(store.database, TENANT, rate, later).wait()
    assert 0 < later.slept <= rate.worth / 1e6 + 0.001
