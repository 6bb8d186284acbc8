"""A run that an earlier build of the same engine version began is carried on by this one."""

from __future__ import annotations

import json
from pathlib import Path

from demo_home import Done, Home

from tieout.engine import library

RECORDED = Path(__file__).with_name("steps_of_engine_version_4.json")


def test_the_stories_have_the_steps_that_the_engine_version_promises(
    made: tuple[Home, Done],
) -> None:
    """Recorded by an earlier build; other steps, or another order, need another `library.ABI`.

    A run in flight goes on by the names of its steps. To record anew: the steps of each run of
    `tieout demo --once --lines 4000`, under the new version.
    """
    recorded = json.loads(RECORDED.read_text())
    rows = made[0].rows("select run, name from app_step order by run, seq")
    told: dict[str, list[str]] = {}
    for run, name in rows:
        told.setdefault(run, []).append(name)

    assert recorded["engine version"] == library.ABI
    assert {run: one["steps"] for run, one in recorded["runs"].items()} == told
