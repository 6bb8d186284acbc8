"""What was seen through a connection is kept, compared and marked, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tieout.core.drift import Thing
from tieout.store import bindings, catalogue, notices
from tieout.store.catalogue import Catalogued
from tieout.store.notices import Event
from tieout.store.store import Store

FIRST = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
LOAD = Thing("import", "112000000001", "Load", {"columns": ["Code", "Name"], "source": "113"})
PLAN = Thing("orchestration", "ORC_1", "Plan", {"inputs": {"Company": "String"}})


def look(store: Store, day: int, *things: Thing, place: str = "model M") -> list[str]:
    at = FIRST + timedelta(days=day)
    made = Catalogued("planning", place, {"model": "M"}, at, "anna")
    return store.database.transact(lambda c: catalogue.keep(c, made, things))


def test_a_look_says_what_is_new_gone_back_and_changed_since_the_last_one(store: Store) -> None:
    assert look(store, 0, LOAD) == []
    assert look(store, 1, LOAD, PLAN) == ["orchestration Plan: new"]
    wider = Thing("import", LOAD.id, "Load 2", {"columns": ["Code", "Name", "Parent"]})
    assert look(store, 2, wider) == [
        "import Load 2: it was renamed from 'Load'; 1 column added: Parent",
        "orchestration Plan: gone",
    ]
    assert look(store, 3, wider) == []
    assert look(store, 4, wider, PLAN) == ["orchestration Plan: there again"]
    with store.database.read() as connection:
        seen = catalogue.seen(connection, "planning")
        last = catalogue.last(connection, "planning")
    assert [(s.thing.name, s.first_seen.day, s.changed_at.day) for s in seen] == [
        ("Load 2", 5, 7), ("Plan", 6, 9),
    ]  # fmt: skip
    assert seen[0].thing.told["source"] == "113"  # what was not asked for again stays known
    assert last is not None
    assert (last.looked_at, last.looked_by) == (FIRST + timedelta(days=4), "anna")


def test_another_model_behind_a_connection_is_looked_at_as_for_the_first_time(
    store: Store,
) -> None:
    look(store, 0, LOAD)
    assert look(store, 1, PLAN, place="model N") == []
    with store.database.read() as connection:
        assert [s.thing for s in catalogue.seen(connection, "planning", gone=True)] == [PLAN]


def test_what_a_flow_used_last_replaces_what_it_used_before(store: Store, run: str) -> None:
    for thing in (LOAD, Thing("import", "112000000002", "Load", {"columns": ["Code"]})):
        key = {("import", "Load"): thing}
        store.database.transact(
            lambda c, key=key: bindings.keep(c, "actuals", "M", key, run, FIRST)
        )
    with store.database.read() as connection:
        assert bindings.of_flow(connection, "actuals", "M") == key
        assert bindings.of_flow(connection, "actuals", "COPY") == {}
        assert bindings.of_flow(connection, "plan", "M") == {}


def test_an_event_is_claimed_by_one_process_and_a_lost_one_by_none(store: Store) -> None:
    def in_one(at: datetime) -> notices.Note | None:
        return store.database.transact(lambda c: notices.claim(c, at))

    event = Event("run actuals-1", "failed", "actuals", {"run": "actuals-1", "rules": {}})
    with store.begin() as connection:
        assert notices.begin(connection, "team", FIRST) == FIRST
        for _ in range(2):
            notices.add(connection, "team", event, FIRST)
    claimed = in_one(FIRST)
    assert claimed is not None
    assert (claimed.about, claimed.tries) == ("run actuals-1", 1)
    assert in_one(FIRST) is None
    assert in_one(FIRST + timedelta(seconds=notices.SENDING_SECONDS_MAX + 1)) is None
    with store.database.read() as connection:
        assert [note.state for note in notices.listed(connection)] == ["uncertain"]
