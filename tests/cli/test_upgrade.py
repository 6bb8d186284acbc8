"""A run that an earlier build of the same engine version began is carried on by this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from demo_home import Done, Home

from tieout.engine import library

RECORDED = Path(__file__).with_name("steps_of_engine_version_5.json")


def shape(value: Any) -> Any:
    """What a result is made of: names and types, without what stands there; of a list its kinds."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(one)) for one in value})
    return type(value).__name__


def test_the_stories_have_the_steps_and_results_that_the_engine_version_promises(
    made: tuple[Home, Done],
) -> None:
    """Recorded by an earlier build; what is told otherwise needs another `library.ABI`.

    A run in flight goes on by the names of its steps, and reads the results of those that are done.
    To record anew, under the new version: write what `told` is here.
    """
    rows = made[0].rows("select run, name, result from app_step order by run, seq")
    told: dict[str, dict[str, Any]] = {}
    for run, name, result in rows:
        told.setdefault(run, {})[name] = shape(json.loads(result))

    recorded = json.loads(RECORDED.read_text())
    assert recorded["engine version"] == library.ABI
    assert recorded["runs"] == told
    assert all(list(recorded["runs"][run]) == list(told[run]) for run in told), "in another order"
