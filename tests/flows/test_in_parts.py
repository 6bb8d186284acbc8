"""A large read that is cut into parts is read like one that is not, and ends as one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import polars as pl
import pytest
from books import Books, assert_tied

from tieout.errors import Refused
from tieout.store import parts
from tieout.store.runs import Run
from tieout.verbs import seeing
from tieout.verbs.cancelling import cancel

ERP = "[connections.erp]\n"
IN_PARTS = "parts = 3\npage_rows = 20\n"  # 4,000 lines are 200 pages, and 20 make a part
BACKFILL = {"from": "2024-01", "to": "2025-12", "read": True}


def cut(books: Books) -> Books:
    """Books whose large reads are cut into three parts."""
    books.change_flow(ERP, ERP + IN_PARTS)
    return books


def parts_of(books: Books, run: Run) -> list[Run]:
    with books.store.database.read() as connection:
        return parts.of_run(connection, run.id)


def lines_of(books: Books, run: Run) -> pl.DataFrame:
    """Every line that a run put into the mirror, whoever read it."""
    found = kept(books, run, "lines").drop("read")
    return found.sort(found.columns)


def kept(books: Books, run: Run, kind: str) -> pl.DataFrame:
    return books.store.scan(books.store.kept(run.id, kind=kind)).collect()


def told(books: Books, run: Run) -> dict[str, pl.DataFrame]:
    """All that a run proved, compared and sent, in one order; which read it was is its own."""
    kinds = {"buckets": ["read"], "compared": [], "sent": []}
    frames = {kind: kept(books, run, kind).drop(without) for kind, without in kinds.items()}
    return {kind: frame.sort(frame.columns) for kind, frame in frames.items()}


def test_a_run_in_parts_reads_proves_and_sends_what_a_whole_one_does(
    make: Callable[..., Books], tmp_path: Path, dice: Random
) -> None:
    seed = dice.randrange(10_000)
    first = make(seed=seed, lines=3_000)
    for flow in ("companies", "accounts", "cost_centers"):
        first.run(flow)
    first.close()
    whole, in_parts = first.copy(tmp_path / "whole"), cut(first.copy(tmp_path / "parts"))
    try:
        one, many = whole.run(), in_parts.run()

        found = parts_of(in_parts, many)
        assert {part.outcome for part in found} == {"complete"}
        balances = [part for part in found if part.asked["what"].startswith("balances of ")]
        assert len(balances) == len(found) - len(balances) == 3
        assert parts_of(whole, one) == []
        assert lines_of(whole, one).equals(lines_of(in_parts, many)), f"seed {seed}"
        for kind, frame in told(whole, one).items():
            assert frame.equals(told(in_parts, many)[kind]), f"{kind}, seed {seed}"
        assert one.figures == many.figures
        assert sum(part.figures.get("rows_read", 0) for part in found) == many.figures["rows_read"]
        agree = seeing.show(in_parts.instance, many.id)["accounted"]
        assert agree["agree"], agree
    finally:
        whole.close()
        in_parts.close()


def test_a_small_run_is_not_cut(books: Books) -> None:
    cut(books)
    books.event("late_post")

    run = books.run()

    assert_tied(books, run)
    assert parts_of(books, run) == []


def test_what_moves_while_parts_are_read_is_found_by_the_look_of_the_whole_run(
    books: Books,
) -> None:
    cut(books)
    moved: list[object] = []
    third = [f"read lines, 3 of {last}:inside" for last in range(3, 50)]

    run = books.run(
        periods=BACKFILL,
        meanwhile=dict.fromkeys(third, lambda: moved.append(books.event("move_period"))),
    )

    assert len(moved) == 1
    assert_tied(books, run)
    assert len(parts_of(books, run)) == 6
    assert any(step.name.endswith("after look 1") for step in books.store.steps(run.id))
    # Nobody takes its parts for runs of the flow.
    assert books.store.runs(flow="actuals")[0].id == run.id
    assert {each.flow for each in books.store.runs()} <= {*books.instance.project().flows}
    shown = seeing.show(books.instance, run.id)
    assert [part["outcome"] for part in shown["parts"]] == ["complete"] * 6
    for place, words in ((0, "balances of company "), (-1, "company ")):
        one = seeing.show(books.instance, shown["parts"][place]["run"])
        assert one["part_of"] == run.id
        assert one["reads"].startswith(words)
    assert books.control("jde", "state")["sessions"] == 0


def test_a_part_that_fails_ends_the_run_with_one_sentence_and_nothing_is_loaded(
    books: Books,
) -> None:
    cut(books)
    books.fault(
        "jde", "status", body_match='"F0911".*BROWSE', nth=4, times=10_000, status=403,
        path="/v2/dataservice$",
    )  # fmt: skip
    run = books.run(periods=BACKFILL)

    found = parts_of(books, run)
    failed = [part for part in found if part.outcome == "failed"]
    assert len(failed) == 1
    assert run.outcome == "failed"
    assert run.exit_code == failed[0].exit_code == 4
    assert run.sentence.startswith(f"{failed[0].id}, which reads company ")
    assert failed[0].sentence in run.sentence
    assert {part.outcome for part in found} == {"complete", "failed", "cancelled"}
    assert "rows_sent" not in run.figures
    books.no_more_faults()
    assert_tied(books, books.run(periods=BACKFILL))


def test_who_cancels_a_run_cancels_its_parts(books: Books) -> None:
    cut(books)
    seen: list[bool] = []

    def now() -> None:
        run = books.store.unfinished_run("actuals")
        assert run is not None
        part = parts_of(books, run)[-1]
        with pytest.raises(Refused, match=f"is a part of {run.id}"):
            cancel(books.instance, part.id, "only this")
        seen.append(cancel(books.instance, run.id, "the wrong year")["will_end"])

    run = books.run(periods=BACKFILL, meanwhile={"read lines, in parts:after": now})

    assert seen == [True]
    assert run.outcome == "cancelled"
    assert run.sentence.startswith("Cancelled by owner: the wrong year.")
    outcomes = [part.outcome for part in parts_of(books, run)]
    assert outcomes == ["complete"] * 3 + ["cancelled"] * 3, "balances were read by then"
