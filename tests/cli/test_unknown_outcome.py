"""A start whose answer is lost: told as unknown, never sent again by itself, and safely gone on."""

from __future__ import annotations

import pytest
from demo_home import Home

NO_TASKS = '{"meta": {"paging": {"currentPageSize": 0, "totalSize": 0}}}'


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_lost_start_whose_task_is_not_seen_ends_as_unknown_and_the_next_run_ties(
    home: Home, kind: str
) -> None:
    """Cut before: never carried out. Cut after: it runs, while the list does not show it yet."""
    home.project('start_quiet = "4s"', 'start_quiet = "1s"\nrequest_timeout = "4s"')
    assert home.run("init", "--apply").code == 0
    home.control("jde", "event", name="late_post")
    before, tasks = home.positions(), tasks_of(home)
    lost = {"kind": kind, "method": "POST", "path": r"/imports/\d+/tasks$"}
    listed = {"kind": "replace", "method": "GET", "path": r"/imports/\d+/tasks(\?|$)"}
    hidden = listed | {"find": "^.*$", "body": NO_TASKS, "times": 100}
    home.control("anaplan", "faults", add=[lost, hidden])
    home.forget_requests()

    done = home.run("run", "actuals")

    assert done.code == 10, done
    told = " ".join(done.out.split())
    assert told.count("It is not known whether 'Load GL Actuals' was started") == 1, told
    assert "Who can do it: the administrator of Anaplan." in told
    assert done.out.rstrip().endswith(f"Next: tieout --home {home.path} run actuals")
    assert "Traceback" not in done.out + done.err
    assert len([c for c in home.changes() if c.endswith("/tasks")]) == 1
    assert home.positions() == before
    home.control("anaplan", "faults", clear=True)
    again = home.run("run", "actuals")
    assert again.code == 0, again
    assert "F0911 = F0902 = Anaplan" in again.out
    assert home.run("tie-out").code == 0
    assert tasks_of(home) == tasks + (2 if kind == "cut_after" else 1)


def tasks_of(home: Home) -> int:
    """How many tasks Anaplan was ever given."""
    return len(home.control("anaplan", "state")["tasks"])
