"""Who looks at a run that is under way takes nothing from the process that tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from scheduled import FLOWS
from sqlalchemy import select

from tieout.app import Instance
from tieout.clock import SystemClock
from tieout.settings import environment
from tieout.store.keys import in_home
from tieout.store.runs import NewRun
from tieout.store.seat_schema import app_seat
from tieout.store.seats import Room, Seat, Sitter
from tieout.store.vault import KEY_FILE, make_key


@pytest.mark.parametrize("reads", [False, True])
def test_a_look_at_a_run_under_way_leaves_it_its_session(tmp_path: Path, reads: bool) -> None:
    """Else its session would be signed out while it reads, or while it sends a journal."""
    instance = Instance(environment(str(tmp_path)), SystemClock())
    store = instance.store
    store.migrate()
    make_key(tmp_path / KEY_FILE)
    version = store.apply_config(FLOWS, "Anna").version
    run = store.new_run(NewRun("actuals", "load_actuals", "Anna", config_version=version)).id
    room = Room("erp", 2, in_home(tmp_path))
    teller = Seat(store.database, room, Sitter(run, "another"), SystemClock())
    teller.take()
    teller.sit("its session")

    with instance.world_for(run, looking=True) as world:
        assert not reads or world.jde.may_read()

    with store.database.read() as connection:
        held = connection.execute(select(app_seat.c.executor, app_seat.c.session)).all()
    assert [(who, room.opened(session)) for who, session in held][:1] == [
        ("another", "its session")
    ]
    instance.close()
