"""Many small files of the mirror become few, and no version of a line is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from books import Books, assert_tied
from retained import LONG_AGO, RULES, advance, by_kind, purge

from tieout.engine.story import Interrupted
from tieout.flows.drill import Wanted
from tieout.verbs import retaining, seeing, trail
from tieout.verbs.tracing import trace


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
    return [c for c in sorted(books.anaplan()) if (c[0], c[1]) in places][:12]


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


def test_a_compaction_says_nothing_about_whether_both_sides_tie(small_loads: Books) -> None:
    """A cell that is held open stays the verdict, whatever was copied since."""
    small_loads.event("died_post", period="2025-05")
    troubled = small_loads.run()
    assert troubled.exit_code == 6
    before = seeing.tied(small_loads.instance, "actuals")

    assert small_loads.run(kind="compact").outcome == "complete"

    assert seeing.tied(small_loads.instance, "actuals") == before
    assert (before["ok"], before["run"]) == (False, troubled.id)


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
