"""Claims about what `tieout doctor` tells of models and sessions that runs share."""

from __future__ import annotations

from ward import Shifted, Ward

from tieout.store import leases
from tieout.store.keys import in_home
from tieout.store.runs import NewRun
from tieout.store.seats import Room, Seat, Sitter
from tieout.store.store import Store


def told(ward: Ward, code: str) -> list[str]:
    return [check["what"] for check in ward.found()["checks"] if check["code"] == code]


def test_models_and_sessions_that_nobody_uses_are_told_too(ward: Ward) -> None:
    assert told(ward, "models") == ["Models of Anaplan in use: none."]
    assert told(ward, "sessions") == ["No session of JD Edwards is in use."]


def test_who_uses_models_and_sessions_is_told_with_those_in_line(ward: Ward) -> None:
    store = Store(ward.home, Shifted(0))
    runs = [store.new_run(NewRun(flow, "load_actuals", "anna")).id for flow in ("one", "two")]
    room = Room("erp", 1, in_home(ward.home))
    first, second = (Seat(store.database, room, Sitter(run, "process"), Shifted(0)) for run in runs)
    first.take()
    assert second._look(in_line=True) is None
    place = leases.Place("default", "8a8b", "FC12", "FP&A 2026")
    with store.begin() as connection:
        leases.take(connection, place, leases.Holder(runs[0], "process"), Shifted(0).now())
    store.close()
    assert told(ward, "models") == [f"Models of Anaplan in use: FP&A 2026 by {runs[0]}."]
    assert told(ward, "sessions") == [f"erp: 1 session in use ({runs[0]}); 1 run in line."]
