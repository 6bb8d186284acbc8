"""Claims about who may have a task in a model: one run, until Anaplan says the task is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import delete, event, update

from tieout.errors import Busy
from tieout.flows import leasing
from tieout.store import leases
from tieout.store.database import DatabaseAway, TryAgain
from tieout.store.leases import STARTED, STARTING, TAKEN, Asked, Holder, Lease, Place, app_lease
from tieout.store.runs import Ending, NewRun
from tieout.store.schema import app_run
from tieout.store.store import Store
from tieout.store.tasks import TaskKey

MODEL = Place("acme", "8a8b", "FC12", "FP&A 2026")
LOAD = Asked("imports", "112000000001", "Load GL Actuals", ("A1",))
AT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@pytest.fixture
def store(lasting: Store) -> Store:
    """A store in which nobody holds a model, and no run is under way."""
    with lasting.begin() as connection:
        connection.execute(delete(app_lease))
        connection.execute(update(app_run).values(outcome="cancelled"))
    return lasting


def begun(store: Store, flow: str = "actuals") -> Holder:
    return Holder(store.new_run(NewRun(flow, "load_actuals", "Anna")).id, "one")


def take(store: Store, holder: Holder, place: Place = MODEL) -> Lease:
    with store.begin() as connection:
        return leases.take(connection, place, holder, AT)


def note(store: Store, lease: Lease, asked: Asked | None, task: str | None = None) -> None:
    with store.begin() as connection:
        leases.note(connection, lease, asked, task, AT)


def over(store: Store, held: Lease, holder: Holder) -> bool:
    with store.begin() as connection:
        return leases.take_over(connection, held, holder, AT)


def end(store: Store, holder: Holder) -> None:
    store.finish_run(holder.run, Ending("cancelled", "", 1, {}))


def test_a_model_that_nobody_has_is_taken_and_taken_again_by_the_same_run(store: Store) -> None:
    mine = begun(store)
    for _ in range(2):
        lease = take(store, mine)
        assert (lease.holder, lease.state, lease.asked, lease.task) == (mine, TAKEN, None, None)
    note(store, lease, LOAD)
    assert take(store, mine).state == STARTING
    note(store, lease, LOAD, "A2")
    again = take(store, mine)
    assert (again.state, again.asked, again.task) == (STARTED, LOAD, "A2")


def test_another_run_is_told_who_has_the_model_and_whether_that_run_has_ended(store: Store) -> None:
    mine, other = begun(store), begun(store, "plan")
    take(store, mine)
    assert (take(store, other).holder, take(store, other).run_ended) == (mine, False)
    end(store, mine)
    assert (take(store, other).holder, take(store, other).run_ended) == (mine, True)


def test_time_frees_nothing_and_neither_does_the_death_of_a_process(store: Store) -> None:
    mine, other = begun(store), begun(store, "plan")
    note(store, take(store, mine), LOAD, "A2")
    carried_on = Holder(mine.run, "another process")
    assert take(store, other).holder == mine
    assert take(store, carried_on).task == "A2"
    assert take(store, other).holder == carried_on


@pytest.mark.parametrize("task", ["A2", None])
def test_of_two_runs_that_find_the_task_over_one_takes_the_model(
    store: Store, task: str | None
) -> None:
    mine, first, second = begun(store), begun(store, "plan"), begun(store, "accounts")
    if task is not None:
        note(store, take(store, mine), LOAD, task)
    take(store, mine)
    end(store, mine)
    held = take(store, first)
    assert over(store, held, first)
    assert not over(store, held, second)
    assert (take(store, second).holder, take(store, second).state) == (first, TAKEN)


def test_a_run_that_is_told_elsewhere_by_now_starts_nothing_from_here(store: Store) -> None:
    """A process that was stopped for long wakes up between its look and its start."""
    mine = begun(store)
    here = take(store, mine)
    take(store, Holder(mine.run, "another process"))
    with pytest.raises(Busy, match=f"Another process carries on {mine.run} by now"):
        note(store, here, LOAD)
    assert take(store, begun(store, "plan")).state == TAKEN


def test_who_lost_the_model_starts_nothing(store: Store) -> None:
    mine, other = begun(store), begun(store, "plan")
    here = take(store, mine)
    end(store, mine)
    assert over(store, take(store, other), other)
    key = TaskKey(mine.run, "start the import", LOAD.kind, LOAD.anaplan_id)
    with pytest.raises(Busy), store.begin() as connection:
        leases.intend(connection, here, key, LOAD.name, [], AT)
    assert store.task(key) is None, "what is not begun is not written down either"


def test_a_start_is_written_down_with_its_step_and_with_the_model(store: Store) -> None:
    mine = begun(store)
    lease = take(store, mine)
    key = TaskKey(mine.run, "start the import", LOAD.kind, LOAD.anaplan_id)
    with store.begin() as connection:
        leases.intend(connection, lease, key, LOAD.name, ["A1"], AT)
    assert (take(store, mine).state, take(store, mine).asked) == (STARTING, LOAD)
    with store.begin() as connection:
        leases.note_task(connection, lease, key, LOAD, "A2", AT)
    found = store.task(key)
    assert found is not None
    assert found.task_id == take(store, mine).task == "A2"


def test_a_model_that_was_let_go_is_free_and_only_its_holder_lets_it_go(store: Store) -> None:
    mine, other = begun(store), begun(store, "plan")
    take(store, mine)
    with store.begin() as connection:
        leases.release(connection, MODEL, other.run)
    assert take(store, other).holder == mine
    with store.begin() as connection:
        leases.release(connection, MODEL, mine.run)
        assert leases.listed(connection) == []
    assert take(store, other).holder == other


def test_models_of_the_same_name_in_two_tenants_are_two_models(store: Store) -> None:
    mine, other = begun(store), begun(store, "plan")
    elsewhere = Place("other", MODEL.workspace, MODEL.model, MODEL.name)
    assert take(store, mine).holder == mine
    assert take(store, other, elsewhere).holder == other
    with store.database.read() as connection:
        assert {lease.place.tenant for lease in leases.listed(connection)} == {"acme", "other"}


def test_of_many_that_ask_at_once_one_has_the_model(store: Store) -> None:
    holders = [begun(store, f"flow {n}") for n in range(6)]
    together = Barrier(len(holders))

    def ask(holder: Holder) -> str:
        together.wait()
        lease = store.database.transact(lambda c: leases.take(c, MODEL, holder, AT))
        return lease.holder.run

    with ThreadPoolExecutor(len(holders)) as threads:
        found = list(threads.map(ask, holders))
    assert len(set(found)) == 1


def test_a_model_that_is_let_go_while_another_asks_for_it_is_that_ones(store: Store) -> None:
    """Between two statements of the one that asks, which has PostgreSQL look anew at each."""
    if store.database.is_sqlite:
        return  # whoever writes keeps all others from writing
    mine, other = begun(store), begun(store, "plan")
    take(store, mine)
    gone = []

    @event.listens_for(store.database.engine, "after_cursor_execute")
    def lets_go(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO app_lease") and not gone:
            gone.append(True)
            with store.begin() as connection:
                leases.release(connection, MODEL, mine.run)

    try:
        assert take(store, other).holder == other
    finally:
        event.remove(store.database.engine, "after_cursor_execute", lets_go)


@pytest.mark.parametrize("trouble", [DatabaseAway, TryAgain])
def test_a_start_that_may_have_happened_stays_with_the_lease_when_what_we_keep_was_away(
    store: Store, trouble: type[Exception]
) -> None:
    """Its answer was lost, and the look for its task asked the database for the tenant's budget."""
    lease = take(store, begun(store))
    note(store, lease, LOAD)

    def start(*_about: object, **_more: object) -> str:
        raise trouble("The database does not answer.")

    world: Any = SimpleNamespace(anaplan=SimpleNamespace(start=start), store=store)
    with pytest.raises(trouble):
        leasing._started(cast(Any, SimpleNamespace(at=lambda: AT)), world, lease, LOAD, again=False)
    with store.database.read() as connection:
        found = leases.find(connection, MODEL)
    assert found is not None
    assert (found.state, found.asked) == (STARTING, LOAD)
