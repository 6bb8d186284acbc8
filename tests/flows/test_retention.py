"""A purge removes exactly what its preview showed, and what it removed is told, not missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from books import Books, assert_tied
from retained import KINDS, LONG_AGO, RULES, advance, by_kind, files, purge, rows

from tieout.engine.story import Interrupted
from tieout.errors import Busy, Misconfigured, Refused
from tieout.flows.drill import Wanted
from tieout.verbs import retaining, seeing, trail
from tieout.verbs.tracing import trace


@pytest.fixture(scope="module")
def aged_template(loaded: Books, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Closed books that were loaded long ago and read whole since, with rules of 30 days."""
    made = loaded.copy(tmp_path_factory.mktemp("aged") / "home")
    made.change_flow("[flows.accounts]", f"{RULES}\n[flows.accounts]")
    made.event("late_post")
    assert_tied(made, made.run())
    advance(made, LONG_AGO)
    made.event("late_post")
    assert_tied(made, made.run())  # everything is read again
    made.close()
    return made


@pytest.fixture
def aged(aged_template: Books, tmp_path: Path) -> Iterator[Books]:
    """The same of this test alone."""
    copied = aged_template.copy(tmp_path / "home")
    advance(copied, LONG_AGO)  # a copy begins at the time of this machine
    yield copied
    copied.close()


def test_a_purge_removes_exactly_what_its_preview_showed(aged: Books) -> None:
    shown = retaining.preview(aged.instance)
    assert {kind for kind, told in by_kind(shown).items() if told["rows"]} == set(KINDS)
    before = files(aged)

    done = purge(aged)

    assert before - files(aged) == {item["path"] for item in shown["items"] if item["path"]}
    assert files(aged) < before
    assert done["kinds"] == shown["kinds"]
    called = {item["run"] for item in shown["items"] if item["kind"] == "calls"}
    assert called
    assert not [run for run in called if aged.store.calls(run)]


def test_the_books_still_tie_and_load_after_a_purge(aged: Books) -> None:
    purge(aged)

    aged.event("late_post")
    assert_tied(aged, aged.run())
    assert_tied(aged, aged.tie_out())
    aged.event("recode")
    assert_tied(aged, aged.run())


def test_totals_and_hashes_of_what_was_purged_remain(aged: Books) -> None:
    shown = retaining.preview(aged.instance)
    lines = [item for item in shown["items"] if item["record"] == "lines"]
    amounts = {
        item["path"]: pl.read_parquet(aged.home / "records" / item["path"])["amount"].sum()
        for item in lines
    }

    purge(aged)

    kept = {m[0]: m[1:] for m in rows(aged, "select path, rows, sha256, id from app_manifest")}
    stays = {row[0]: row[1] for row in rows(aged, "select object, totals from app_purged")}
    for item in lines:
        count, sha256, id_ = kept[item["path"]]
        assert (count, sha256) == (item["rows"], item["sha256"])
        assert stays[id_] == f'{{"amount":"{amounts[item["path"]]:f}"}}'
    calls = [item for item in shown["items"] if item["kind"] == "calls"]
    counted = dict(rows(aged, "select object, rows from app_purged where kind = 'calls'"))
    assert counted == {item["run"]: item["rows"] for item in calls}


def test_a_digest_of_another_preview_purges_nothing(aged: Books) -> None:
    digest = retaining.preview(aged.instance)["digest"]
    advance(aged, timedelta(days=31))
    aged.run()
    before = files(aged)

    with pytest.raises(Refused, match="not what that digest stands for"):
        retaining.purge(aged.instance, digest)

    assert files(aged) == before


def test_a_hold_keeps_what_it_covers_until_it_is_released(aged: Books) -> None:
    digest = retaining.preview(aged.instance)["digest"]
    retaining.hold(aged.instance, "case-7", company="00060", why="a suit")
    with pytest.raises(Refused, match="digest"):
        retaining.purge(aged.instance, digest)

    shown = retaining.preview(aged.instance)
    companies = {item["company"] for item in shown["items"]}
    assert {"00001", "00200"} < companies
    assert not {"", "00060"} & companies
    assert [held["hold"] for held in shown["held"]] == ["case-7"]
    purge(aged)
    retaining.release(aged.instance, "case-7", "settled")

    rest = retaining.preview(aged.instance)
    assert {item["company"] for item in rest["items"]} == {"00060", ""}
    acts = [(e.act, e.object) for e in aged.store.audit() if e.object == "case-7"]
    assert acts == [("held", "case-7"), ("released hold", "case-7")]


def test_a_hold_on_everything_leaves_nothing_to_purge(aged: Books) -> None:
    retaining.hold(aged.instance, "audit", why="the auditors are here")

    with pytest.raises(Misconfigured, match="nothing to purge"):
        purge(aged)
    with pytest.raises(Misconfigured, match="There is, or was, a hold"):
        retaining.hold(aged.instance, "audit", why="again")


def test_without_rules_nothing_is_ever_purged(books: Books) -> None:
    advance(books, timedelta(days=4_000))

    assert retaining.preview(books.instance)["items"] == []
    with pytest.raises(Misconfigured, match="nothing to purge"):
        purge(books)


def test_nothing_is_purged_while_a_run_is_under_way(aged: Books) -> None:
    digest = retaining.preview(aged.instance)["digest"]
    died = aged.run_killed(3)
    assert died is not None

    with pytest.raises((Busy, Refused)):
        retaining.purge(aged.instance, digest)
    with pytest.raises(Busy, match="under way"):
        purge(aged)

    aged.carry_on(died, {})
    purge(aged)


# ---------------------------------------------------------------------------- what is told


def test_a_purged_file_verifies_as_purged_and_one_deleted_by_hand_as_missing(aged: Books) -> None:
    purge(aged)
    found = trail.check(aged.instance)
    assert found["ok"], found["problems"]
    gone = len(rows(aged, "select 1 from app_purged where kind <> 'calls'"))
    assert any(f"{gone}" in note and "purged" in note for note in found["notices"])

    (kept,) = aged.store.current("actuals", "compared")[:1]
    (aged.home / "records" / kept.path).unlink()

    assert trail.check(aged.instance)["problems"] == [
        p for p in trail.check(aged.instance)["problems"] if kept.path in p and "missing" in p
    ]
    assert not trail.check(aged.instance)["ok"]


def test_a_tombstone_without_an_entry_in_the_trail_excuses_no_missing_file(aged: Books) -> None:
    """Whoever can write the database can say that a file was purged; the trail does not."""
    purge(aged)
    victim = aged.store.current("actuals", "compared")[0]
    rows(
        aged,
        "insert into app_purged select "
        f"'{victim.id}', 1, 'workings', '30 days', flow, run, rows, bytes, sha256, '{{}}' "
        f"from app_manifest where id = '{victim.id}'",
    )
    (aged.home / "records" / victim.path).unlink()

    found = trail.check(aged.instance)

    assert not found["ok"]
    assert any(victim.path in p and "missing" in p for p in found["problems"])


def test_a_file_that_a_planted_tombstone_hides_is_named_although_it_is_there(aged: Books) -> None:
    """What is marked as purged is read no more; so is what only a hand has marked."""
    purge(aged)
    victim = aged.store.current("actuals", "compared")[0]
    rows(
        aged,
        "insert into app_purged select "
        f"'{victim.id}', 1, 'workings', '30 days', flow, run, rows, bytes, sha256, '{{}}' "
        f"from app_manifest where id = '{victim.id}'",
    )
    planted = trail.check(aged.instance)
    rows(aged, f"delete from app_purged where object = '{victim.id}'")
    assert trail.check(aged.instance)["ok"]
    rows(aged, "delete from app_purged where object = "
         "(select min(object) from app_purged where kind <> 'calls')")  # fmt: skip
    lifted = trail.check(aged.instance)

    assert [p for p in planted["problems"] if victim.path in p and "not both" in p]
    assert [p for p in lifted["problems"] if "not both" in p]


def test_who_reads_what_was_purged_is_told_so_in_a_sentence(aged: Books) -> None:
    first = "actuals-1"
    assert seeing.reproduce(aged.instance, first)["same"]

    purge(aged)

    sentence = r"^Purged on 20\d\d-\d\d-\d\d by owner under the rule \w+ = \"30 days\"; totals and"
    with pytest.raises(Refused, match=sentence):
        seeing.reproduce(aged.instance, first)
    told = seeing.show(aged.instance, first)["purged"]
    assert len(told) == len(KINDS)
    assert all("Purged on" in sentence for sentence in told)


def test_a_trace_tells_which_part_of_the_story_was_purged(aged: Books) -> None:
    cell = sorted(aged.anaplan())[0]
    wanted = Wanted(company=cell[0], account=cell[1], business_unit=cell[2], member=cell[3])
    before = trace(aged.instance, wanted)["story"]
    assert {line["holds"] for line in before["lines"]} == {True, False}
    assert before["purged"] == []

    purge(aged)

    story = trace(aged.instance, wanted)["story"]
    holding = [line for line in before["lines"] if line["holds"]]
    assert [line for line in story["lines"] if line["holds"]] == holding
    assert len(story["lines"]) < len(before["lines"])
    assert any("earlier versions of ledger lines: Purged on" in told for told in story["purged"])


# ---------------------------------------------------------------------------- what can go wrong


def test_a_purge_that_dies_after_its_commit_leaves_files_that_the_next_removes(
    aged: Books,
) -> None:
    shown = retaining.preview(aged.instance)
    before = files(aged)

    def dies(_step: str, _point: str) -> None:
        raise Interrupted("killed")

    aged._moment = dies
    with pytest.raises(Interrupted):
        retaining.purge(aged.instance, shown["digest"])
    aged._moment = lambda step, point: None
    assert files(aged) == before
    assert trail.check(aged.instance)["ok"]
    assert retaining.preview(aged.instance)["items"] == []

    with pytest.raises(Misconfigured, match="nothing to purge"):
        purge(aged)

    assert before - files(aged) == {item["path"] for item in shown["items"] if item["path"]}
    assert trail.check(aged.instance)["ok"]


def test_a_sweep_removes_what_a_purge_had_no_time_for(aged: Books) -> None:
    shown = retaining.preview(aged.instance)
    path = next(item["path"] for item in shown["items"] if item["path"])
    data = (aged.home / "records" / path).read_bytes()
    purge(aged)
    (aged.home / "records" / path).write_bytes(data)

    assert aged.store.sweep(age_seconds_min=0) == [path]


@pytest.mark.parametrize("deed", ["deleted", "changed"])
def test_a_purge_covers_no_loss_up(aged: Books, deed: str) -> None:
    """A file that is not the one that was written is told, and nothing is purged."""
    shown = retaining.preview(aged.instance)
    victim = next(i for i in shown["items"] if i["record"] == "file")
    path = aged.home / "records" / victim["path"]
    if deed == "deleted":
        path.unlink()
    else:
        path.write_bytes(bytes(victim["bytes"]))
    before = files(aged)

    with pytest.raises(Refused, match="cannot be used"):
        purge(aged)

    assert files(aged) == before
    assert any(victim["path"] in p for p in trail.check(aged.instance)["problems"])


def test_what_something_open_refers_to_is_never_due(aged: Books) -> None:
    """The last run, open rejects and open cells keep the records of their runs."""
    aged.event("died_post", period="2025-05")
    troubled = aged.run()
    assert aged.open_cells()
    aged.event("late_post")
    aged.run()
    advance(aged, timedelta(days=400))

    due = {item["run"] for item in retaining.preview(aged.instance)["items"]}

    assert troubled.id not in due
    assert aged.store.runs(flow="actuals")[0].id not in due
    assert "actuals-1" in due
