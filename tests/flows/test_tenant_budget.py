"""Claims about runs and the requests of their tenant: each asks for a turn, a sign-in does not."""

from __future__ import annotations

from books import Books

from tieout.project import REQUESTS_A_MINUTE
from tieout.store.budget import TURN_SECONDS_MAX, Budget, Rate

FEW = "headroom = 560\nburst = 38"  # requests are worth half a minute each


def test_a_run_whose_tenant_is_used_up_sends_nothing_and_says_so(books: Books) -> None:
    books.change_flow("headroom = 0\nburst = 300", FEW)
    clock, rate = books.clock, Rate(REQUESTS_A_MINUTE - 560, 38)
    tenant = Budget(books.store.database, "practice", rate, clock, by_database=False)
    tenant.refused(TURN_SECONDS_MAX)
    run = books.run("companies", full=True)
    assert run.outcome == "failed"
    assert "tenant practice allows a minute are used up" in run.sentence
    calls = [call for call in books.store.calls(run.id) if call.system.startswith("Anaplan")]
    assert {call.path.rpartition("/")[2] for call in calls} <= {"authenticate", "logout"}
    clock.sleep(TURN_SECONDS_MAX)
    assert books.run("companies", full=True).outcome == "complete"


def test_a_run_in_a_tenant_of_few_requests_goes_slowly_and_is_never_refused(books: Books) -> None:
    books.change_flow("headroom = 0\nburst = 300", "headroom = 560\nburst = 5")
    books.control("anaplan", "switch", name="rate_per_minute", value=40)
    began = books.clock.monotonic()
    run = books.run("companies", full=True)
    seen = books.control("anaplan", "state")
    sent = sum(call.system == "Anaplan" for call in books.store.calls(run.id))
    assert run.outcome == "complete"
    assert seen["requests_refused"] == 0
    assert books.clock.monotonic() - began >= (sent - 5) * 60 / 35
