"""A purge removes exactly what its preview showed, and what it removed is told, not missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from books import Books, assert_tied

from tieout.engine.story import Interrupted
from tieout.errors import Busy, Misconfigured, Refused
from tieout.flows.drill import Wanted
from tieout.verbs import retaining, seeing, trail
from tieout.verbs.tracing import trace

KINDS = ("lines", "uploads", "workings", "calls")
RULES = "\n[retention]\n" + "".join(f'{kind} = "30 days"\n' for kind in KINDS)
LONG_AGO = timedelta(days=60)


def advance(books: Books, time: timedelta) -> None:
    books.clock.practice.advance(time.total_seconds())


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


def purge(books: Books) -> dict[str, Any]:
    """Look and purge."""
    return retaining.purge(books.instance, retaining.preview(books.instance)["digest"], "old")


def files(books: Books) -> set[str]:
    root = books.home / "records"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def rows(books: Books, query: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(books.home / "tieout.sqlite")
    try:
        with db:
            return db.execute(query).fetchall()
    finally:
        db.close()


def by_kind(found: dict[str, Any]) -> dict[str, Any]:
    return {kind["kind"]: kind for kind in found["kinds"]}


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


# ---------------------------------------------------------------------------- compaction


@pytest.fixture(scope="module")
def small_template(loaded: Books, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Closed books with many small loads behind them."""
    made = loaded.copy(tmp_path_factory.mktemp("small") / "home")
    rules = f'{RULES}compacted = "30 days"\n'
    made.change_flow("[flows.accounts]", f"{rules}\n[flows.accounts]")
    for n in range(9):
        made.event("backdated", company="00001", period=f"2025-0{1 + n % 3}")
        assert_tied(made, made.run())
    made.close()
    return made


@pytest.fixture
def small_loads(small_template: Books, tmp_path: Path) -> Iterator[Books]:
    """The same of this test alone."""
    copied = small_template.copy(tmp_path / "home")
    yield copied
    copied.close()


Cells = list[tuple[str, str, str, str]]


def cells_read_again(books: Books) -> Cells:
    """Some cells of accounts that the small loads have read again."""
    buckets = books.store.scan(books.store.current("actuals", "buckets"))
    accounts = books.store.scan(books.store.current("actuals", "accounts"))
    again = buckets.filter(pl.col("read") > pl.col("read").min(), pl.col("lines") > 0)
    named = again.join(accounts, on="account_id").select("company", "object_account").collect()
    places = set(named.iter_rows())
    return [c for c in sorted(books.anaplan()) if (c[0], c[1]) in places][:5]


def stories(books: Books, cells: Cells) -> list[Any]:
    """Every version of every line of these, with the run, step and time of its reading."""
    told = []
    for cell in cells:
        wanted = Wanted(company=cell[0], account=cell[1], business_unit=cell[2], member=cell[3])
        found = trace(books.instance, wanted)
        lines = found["story"]["lines"] if "story" in found else []
        told.append(sorted(lines, key=lambda line: sorted(map(str, line.items()))))
    return told


def test_compaction_loses_no_version_of_any_line(small_loads: Books) -> None:
    cells, files_before = (
        cells_read_again(small_loads),
        small_loads.store.current("actuals", "lines"),
    )
    before = stories(small_loads, cells)
    assert {line["holds"] for lines in before for line in lines} == {True, False}
    every = small_loads.store.scan(files_before).collect().drop("read")

    run = small_loads.run(kind="compact")

    assert run.outcome == "complete", run.sentence
    now = [
        m for kind in ("lines", "earlier_lines") for m in small_loads.store.current("actuals", kind)
    ]
    assert len(now) < len(files_before)
    assert run.figures["files_before"] - run.figures["files_after"] == len(files_before) - len(now)
    after = small_loads.store.scan(now, more=["kept_in"]).collect().select(every.columns)
    assert after.hash_rows().sort().equals(every.hash_rows().sort())
    assert stories(small_loads, cells) == before
    assert trail.check(small_loads.instance)["ok"]


def test_old_files_are_rebuilt_and_loads_tie_after_compaction(small_loads: Books) -> None:
    runs = [r for r in small_loads.store.runs(flow="actuals") if r.figures.get("rows_sent")]
    before = {run.id: seeing.reproduce(small_loads.instance, run.id) for run in runs}

    small_loads.run(kind="compact")

    assert all(found["same"] for found in before.values())
    assert {run.id: seeing.reproduce(small_loads.instance, run.id) for run in runs} == before
    for event in ("backdated", "recode", "void_reenter", "move_period"):
        small_loads.event(event)
        assert_tied(small_loads, small_loads.run())


def test_what_compaction_copied_may_be_purged_without_a_loss(small_loads: Books) -> None:
    small_loads.run(kind="compact")
    cells = cells_read_again(small_loads)
    before = stories(small_loads, cells)
    advance(small_loads, LONG_AGO)
    small_loads.event("backdated", company="00060")
    small_loads.run()
    kinds = by_kind(retaining.preview(small_loads.instance))
    assert kinds["compacted"]["files"] > 1

    purge(small_loads)

    after = stories(small_loads, cells)
    for lines, now in zip(before, after, strict=True):
        held = [line["document"] for line in lines if line["holds"]]
        assert set(held) <= {line["document"] for line in now}
    assert trail.check(small_loads.instance)["ok"]


def test_a_compaction_that_dies_anywhere_is_carried_on(small_loads: Books) -> None:
    cells = cells_read_again(small_loads)
    before = stories(small_loads, cells)
    for moments in range(1, 40, 4):
        run = small_loads.store.unfinished_run("actuals")
        run = run or small_loads._begun("actuals", "compact", {})
        left = [moments]

        def moment(step: str, point: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Interrupted(f"{step}:{point}")

        try:
            small_loads.told(run, moment)
        except Interrupted:
            assert stories(small_loads, cells) == before
            continue
        break
    assert small_loads.store.run(run.id).outcome == "complete"
    assert stories(small_loads, cells) == before
    assert trail.check(small_loads.instance)["ok"]
