"""A replay sends what a run could not load, and only that; a period can be sent or read anew."""

from __future__ import annotations

from decimal import Decimal

import pytest
from books import Books, Cell, Cells, assert_quiet, assert_tied, changed, told

from tieout.errors import Misconfigured
from tieout.store.runs import Run
from tieout.verbs import demo, replaying
from tieout.verbs.setting_up import set_mapping


def waiting_for_members(books: Books) -> Run:
    """A first load in which only cells without a member wait."""
    books.set_actuals('unmatched = "load rest"')
    run = books.run()
    assert run.exit_code == 5, told(books, run)
    return run


def uploaded(books: Books) -> Cells:
    return books.uploaded_cells()


def test_a_replay_sends_what_a_run_could_not_load_and_leaves_what_moved_since(
    new_books: Books,
) -> None:
    run = waiting_for_members(new_books)
    open_before = new_books.open_cells()
    mended = changed(new_books.anaplan(), new_books.expected())
    new_books.event("late_post", company="00060")
    demo.map_unmatched(new_books.instance, run)
    moved = changed(new_books.anaplan(), new_books.expected())
    others = {c: v for c, v in moved.items() if c[0] == "00060" and c not in mended}
    assert others, "the event moved nothing"

    last = new_books.run(replay=run.id)

    assert (last.outcome, last.exit_code) == ("needs_attention", 6), told(new_books, last)
    assert new_books.rules(last) == {"not-asked-for"}
    assert uploaded(new_books) == {c: v for c, v in moved.items() if c not in others}
    assert new_books.open_cells() == others.keys()
    assert not open_before & new_books.open_cells()
    (found,) = new_books.findings(last, "not-asked-for")
    assert found.finding.cells == len(others)
    assert_tied(new_books, new_books.run())
    assert uploaded(new_books) == others
    assert_quiet(new_books)


def test_the_rejects_of_one_member_can_be_sent_alone(new_books: Books) -> None:
    centers = {"list": "Cost Centers", "item": _planned_center(new_books)}
    new_books.person("change_item", code="recoded", **centers)
    run = waiting_for_members(new_books)
    first, other = new_books.findings(run, "unmatched-member")
    assert {first.finding.member, other.finding.member} > {centers["item"]}
    mapped = first if first.finding.member != centers["item"] else other
    new_books.person("change_item", code=centers["item"], **centers | {"item": "recoded"})
    demo.map_unmatched(new_books.instance, run)
    set_mapping(new_books.instance, "business_unit", centers["item"], None, "it is there again")
    left = {c for c in new_books.open_cells() if c[2] == centers["item"]}

    last = new_books.run(rejects=[mapped.id])

    assert last.exit_code == 6, told(new_books, last)
    assert uploaded(new_books)
    assert new_books.open_cells() == left
    states = {r.id: r.state for r in new_books.store.rejects(run=run.id)}
    assert states[mapped.id] == "fixed"
    assert_tied(new_books, new_books.run())


def _planned_center(books: Books) -> str:
    return max(c[2] for c in books.expected() if c[0] == "00060")


def test_amounts_that_a_mapping_moves_are_sent_with_the_cells_they_come_from(
    books: Books,
) -> None:
    """The closure: no replay doubles in Anaplan what it moves, or loses it."""
    run = _with_one_cell_open(books)
    (cell,) = books.open_cells()
    other = _beside(books, cell)
    set_mapping(books.instance, "account", other, cell[1], "both are one from now on")
    totals = _totals(books.expected(), cell)

    last = books.run(replay=run.id)

    assert last.exit_code == 6, told(books, last)
    sent = uploaded(books)
    assert cell in sent
    assert sent[(cell[0], other, *cell[2:])] == 0
    assert _totals(books.anaplan(), cell) == totals
    assert_tied(books, books.run())


def test_a_mapping_that_is_set_while_a_replay_goes_on_is_for_the_next_run(books: Books) -> None:
    """What was folded by one version is not chosen by another: an amount would be lost."""
    run = _with_one_cell_open(books)
    (cell,) = books.open_cells()
    other = _beside(books, cell)
    set_mapping(books.instance, "account", other, cell[1], "both are one from now on")
    totals = _totals(books.expected(), cell)

    def taken_back() -> None:
        set_mapping(books.instance, "account", other, None, "they are two after all")

    last = books.run(replay=run.id, meanwhile={"check the members:before": taken_back})

    assert last.exit_code == 6, told(books, last)
    assert _totals(books.anaplan(), cell) == totals
    assert_tied(books, books.run())
    assert_quiet(books)


def _beside(books: Books, cell: Cell) -> str:
    """Another account that has an amount in the company, cost center and month of a cell."""
    return next(
        c[1] for c in sorted(books.anaplan())
        if (c[0], *c[2:]) == (cell[0], *cell[2:]) and c[1] != cell[1]
    )  # fmt: skip


def test_a_run_that_knew_no_mapping_is_replayed_by_the_one_of_today(new_books: Books) -> None:
    run = waiting_for_members(new_books)
    demo.map_unmatched(new_books.instance, run)
    assert new_books.tie_out().exit_code == 6

    assert_tied(new_books, new_books.run(replay=run.id))


def test_a_run_that_failed_before_it_knew_its_cells_is_not_replayed(new_books: Books) -> None:
    new_books.control("jde", "switch", name="date_literal", value="yyyyMMdd")
    run = new_books.run()
    assert run.outcome == "failed", told(new_books, run)

    with pytest.raises(Misconfigured, match="before it knew"):
        replaying.of_run(new_books.instance, run.id)


def _totals(cells: Cells, where: Cell) -> Decimal:
    """What stands in a company's cost center and month, over all accounts."""
    return sum(
        (v for c, v in cells.items() if (c[0], *c[2:]) == (where[0], *where[2:])), Decimal(0)
    )


def _with_one_cell_open(books: Books) -> Run:
    """A run during which somebody typed over a cell that it had sent."""
    cell = next(c for c in sorted(books.anaplan()) if c[0] == "00001" and c[3] == "May 25")
    books.event("late_post")
    run = books.run(meanwhile={"read back:before": lambda: books.type_over(cell, Decimal("1.23"))})
    assert books.open_cells() == {cell}, told(books, run)
    return run


def test_a_period_goes_again_whole_although_all_of_it_was_proved(books: Books) -> None:
    of_period = {c: v for c, v in books.anaplan().items() if c[0] == "00001" and c[3] == "Mar 25"}
    books.event("late_post", company="00060")

    run = books.run(periods={"from": "2025-03", "to": "2025-03", "companies": ["00001"]})

    assert run.exit_code == 6, told(books, run)
    assert uploaded(books) == of_period
    assert_tied(books, books.run())


def test_a_company_of_several_in_one_cell_goes_with_the_others(books: Books) -> None:
    """Else its old cells would be emptied, and the new ones wait."""
    unit = min(c[2] for c in books.anaplan() if c[0] == "00001")
    before = _of_both(books)
    set_mapping(books.instance, "company", "00060", "00001", "planned together")
    set_mapping(books.instance, "business_unit", "*", unit, "planned in one cost center")

    run = books.run(periods={"from": "2025-03", "to": "2025-03", "companies": ["00060"]})

    assert run.exit_code == 6, told(books, run)
    assert not {c for c in uploaded(books) if c[3] != "Mar 25"}
    assert uploaded(books)
    assert _of_both(books) == before


def _of_both(books: Books) -> Decimal:
    """Revenue and expense of both companies in a month; over all accounts it would be nothing."""
    cells = books.anaplan().items()
    both = [v for c, v in cells if c[0] in ("00001", "00060") and c[3] == "Mar 25" and c[1] >= "5"]
    return sum(both, Decimal(0))


def test_a_locked_period_in_which_nothing_moved_is_told_and_is_no_difference(books: Books) -> None:
    books.set_actuals('locked_through = "2024-12"')
    assert_tied(books, books.run())
    tasks = books.tasks()

    run = books.run(periods={"from": "2024-05", "to": "2024-05", "companies": ["00001"]})

    assert_tied(books, run)
    assert books.tasks() == tasks
    (note,) = books.findings(run, "locked-period")
    assert note.finding.severity == "note"
    assert "not sent" in note.finding.what


@pytest.mark.parametrize("period", ["2025-13", "2031-01"])
def test_a_period_that_is_none_of_the_flow_is_no_success(books: Books, period: str) -> None:
    run = books.run(periods={"from": period, "to": period})

    assert (run.outcome, run.exit_code) == ("failed", 3), told(books, run)
    assert f"no period from {period}" in run.sentence
    assert_quiet(books)


def test_a_backfill_reads_and_sends_its_periods_anew_and_nothing_else(books: Books) -> None:
    before = books.anaplan()
    of_periods = {
        c: v for c, v in before.items() if c[0] == "00001" and c[3] in ("Feb 24", "Mar 24")
    }
    books.requests("jde")

    run = books.run(periods={
        "from": "2024-02", "to": "2024-03", "companies": ["00001"], "read": True,
    })  # fmt: skip

    assert_tied(books, run)
    assert run.figures["rows_read"] >= len(of_periods)
    assert uploaded(books) == of_periods
    (lines,) = {m.company for m in books.store.kept(run.id, kind="lines")}
    assert lines == "00001"
    assert_quiet(books)


def test_a_backfill_opens_the_lock_of_its_own_periods_only(books: Books) -> None:
    books.set_actuals('locked_through = "2024-12"')
    assert_tied(books, books.run())
    for period in ("2024-02", "2024-05"):
        books.event("backdated", company="00001", period=period)
    asked = {"from": "2024-02", "to": "2024-02", "companies": ["00001"], "read": True}

    run = books.run(periods=asked, unlock="the auditors' entry")

    assert run.exit_code == 6, told(books, run)
    assert {c[3] for c in books.open_cells()} == {"May 24"}
    assert books.rules(run) == {"locked-period"}
    assert {c[3] for c in uploaded(books)} == {"Feb 24"}
    left = changed(books.anaplan(), books.expected())
    assert {c[3] for c in left} == {"May 24"}


@pytest.mark.parametrize("asked", [{"replay": "actuals-1"}, {"rejects": [10**9]}])
def test_a_replay_of_nothing_that_is_left_sends_nothing(books: Books, asked: object) -> None:
    books.requests("anaplan")
    tasks = books.tasks()

    run = books.run(**asked)  # type: ignore[arg-type]  # what a run is asked for

    assert_tied(books, run)
    assert books.tasks() == tasks
