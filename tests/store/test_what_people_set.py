"""Configuration, mappings and runs: every version is kept, and the trail says who set it."""

from __future__ import annotations

import polars as pl
import pytest

from tieout.errors import Busy, Misconfigured, Refused
from tieout.store import runs
from tieout.store.mappings import TABLE, Mapping
from tieout.store.runs import Ending, NewRun
from tieout.store.store import Store

MEALS = Mapping("account", "8740.MEALS", "8740", why="one member in the plan")
OTHER = Mapping("account", "8740.OTHER", "8740")


def rows(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    assert frame.schema == TABLE
    return frame.rows()


def test_nothing_mapped_is_an_empty_table(store: Store) -> None:
    assert rows(store.mapping("account")) == []
    assert store.mapping_version() == 0
    assert store.set_mappings([], "Anna") == 0


def test_an_earlier_version_of_the_mapping_can_be_used_again(store: Store) -> None:
    assert store.set_mappings([MEALS, OTHER], "Anna") == 1
    later = Mapping("account", "8740.MEALS", "8750", effective_from="2025-07")
    assert store.set_mappings([later, Mapping("company", "00060", "DE01")], "Ben") == 2
    assert rows(store.mapping("account")) == [
        ("8740.MEALS", "8740", ""),
        ("8740.MEALS", "8750", "2025-07"),
        ("8740.OTHER", "8740", ""),
    ]
    assert store.set_mappings([Mapping("account", "8740.MEALS", None)], "Ben") == 3
    assert rows(store.mapping("account")) == [
        ("8740.MEALS", "8750", "2025-07"),
        ("8740.OTHER", "8740", ""),
    ]
    assert rows(store.mapping("account", at_version=1)) == [
        ("8740.MEALS", "8740", ""),
        ("8740.OTHER", "8740", ""),
    ]
    assert rows(store.mapping("company")) == [("00060", "DE01", "")]
    assert rows(store.mapping("company", at_version=1)) == []


def test_who_mapped_a_code_and_why_is_kept(store: Store) -> None:
    store.set_mappings([MEALS], "Anna")
    store.set_mappings([Mapping("account", "8740.MEALS", None, why="split again")], "Ben")
    history = store.mapping_history("account", "8740.MEALS")
    assert [(s.version, s.set_by, s.mapping.target, s.mapping.why) for s in history] == [
        (1, "Anna", "8740", "one member in the plan"),
        (2, "Ben", None, "split again"),
    ]
    assert [(e.actor, e.act) for e in store.audit(object_="account 8740.MEALS")] == [
        ("Anna", "set mapping"),
        ("Ben", "withdrew mapping"),
    ]


def test_the_same_configuration_again_makes_no_new_version(store: Store) -> None:
    assert store.config() is None
    assert store.apply_config("a = 1\n", "Anna").version == 1
    assert store.apply_config("a = 1\n", "Ben").version == 1
    assert store.apply_config("a = 2\n", "Ben").version == 2
    assert store.apply_config("a = 1\n", "Anna").version == 3, "going back is a change too"
    first = store.config(1)
    assert first is not None
    assert (first.text, first.applied_by) == ("a = 1\n", "Anna")
    assert store.config(4) is None
    assert [e.told["version"] for e in store.audit(object_="configuration")] == [1, 2, 3]


def test_runs_are_numbered_within_their_flow(store: Store) -> None:
    ending = Ending("complete", "All 12 cells tie.", 0, {"cells": 12})
    for number in (1, 2):
        run = store.new_run(NewRun("actuals", "load_actuals", "Anna"))
        assert run.id == f"actuals-{number}"
        store.finish_run(run.id, ending)
    assert store.new_run(NewRun("accounts", "load_members", "Anna")).id == "accounts-1"
    assert [run.id for run in store.runs()] == ["accounts-1", "actuals-2", "actuals-1"]
    assert [run.id for run in store.runs(flow="actuals", limit=1)] == ["actuals-2"]
    assert [run.id for run in store.runs(outcomes=["running"])] == ["accounts-1"]


def test_the_last_run_of_a_flow_is_its_last_also_when_the_clock_was_set_back(store: Store) -> None:
    store.finish_run(
        store.new_run(NewRun("actuals", "load_actuals", "Anna")).id,
        Ending("complete", "All 12 cells tie.", 0, {}),
    )
    store.clock.sleep(-3600)
    store.new_run(NewRun("actuals", "load_actuals", "Anna"))
    assert [run.id for run in store.runs(flow="actuals", limit=1)] == ["actuals-2"]


def test_a_flow_has_one_unfinished_run_at_a_time(store: Store) -> None:
    first = store.new_run(NewRun("actuals", "load_actuals", "Anna", outcome="waiting"))
    with pytest.raises(Busy, match="Run actuals-1 of actuals is not finished"):
        store.new_run(NewRun("actuals", "load_actuals", "Ben"))
    beside = store.new_run(NewRun("actuals", "load_actuals", "Ben", alone=False))
    assert store.unfinished_run("actuals") == beside
    for run in (first, beside):
        store.finish_run(run.id, Ending("cancelled", "Cancelled by Anna.", 130, {}))
    assert store.unfinished_run("actuals") is None


def test_a_run_that_has_ended_stays_as_it_ended(store: Store, run: str) -> None:
    ended = store.finish_run(run, Ending("failed", "A full disk.", 4, {"total": "1.50"}))
    assert (ended.outcome, ended.exit_code, ended.figures) == ("failed", 4, {"total": "1.50"})
    assert store.finish_run(run, Ending("complete", "All tie.", 0, {})) == ended
    with pytest.raises(Refused, match="has ended"), store.begin() as connection:
        runs.take_up(connection, run)
    assert [e.act for e in store.audit(run=run)] == ["started run", "finished run"]
    assert store.run(run).finished


def test_a_run_nobody_started_is_named(store: Store) -> None:
    with pytest.raises(Misconfigured, match="There is no run actuals-99"):
        store.run("actuals-99")
    with pytest.raises(Misconfigured, match="There is no run actuals-99"):
        store.run_step("actuals-99", "read", lambda step: {})
