"""Cells without a member wait with their amount; cells of locked periods wait for a reason."""

from __future__ import annotations

from decimal import Decimal

from books import Books, Cells, assert_quiet, assert_tied, changed, told

from tieout.verbs import demo
from tieout.verbs.setting_up import set_mapping


def of_companies(cells: Cells, companies: set[str], *, inside: bool) -> Cells:
    return {cell: value for cell, value in cells.items() if (cell[0] in companies) is inside}


def stopped_companies(books: Books) -> set[str]:
    rejects = books.store.rejects(flow="actuals", state="open")
    return {r.finding.company for r in rejects if r.finding.rule == "company-stopped"}


def test_stop_company_loads_no_part_of_a_company_with_an_unmatched_member(
    new_books: Books,
) -> None:
    run = new_books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(new_books, run)
    stopped = stopped_companies(new_books)
    assert stopped == {"00001"}
    assert of_companies(new_books.anaplan(), stopped, inside=True) == {}
    others = of_companies(new_books.expected(), stopped, inside=False)
    assert of_companies(new_books.anaplan(), stopped, inside=False) == others
    waiting = of_companies(new_books.expected(), stopped, inside=True)
    assert new_books.open_cells() == waiting.keys()

    demo.map_unmatched(new_books.instance, run)
    last = new_books.run(replay=run.id)
    assert_tied(new_books, last)
    sent = {cell: value for cell, value in new_books.uploaded_cells().items() if value}
    assert sent == of_companies(new_books.expected(), stopped, inside=True)
    assert_quiet(new_books)


def test_load_rest_holds_only_the_cells_without_a_member(new_books: Books) -> None:
    new_books.set_actuals('unmatched = "load rest"')

    run = new_books.run()

    assert run.exit_code == 5, told(new_books, run)
    found = [r.finding for r in new_books.findings(run, "unmatched-member")]
    members = {f.member for f in found}
    assert members
    expected = new_books.expected()
    waiting = {c: v for c, v in expected.items() if c[2] in members or c[1] in members}
    assert new_books.open_cells() == waiting.keys()
    assert new_books.anaplan() == {c: v for c, v in expected.items() if c not in waiting}
    assert sum(f.amount or 0 for f in found) == sum(abs(v) for v in waiting.values())

    demo.map_unmatched(new_books.instance, run)
    touched = changed(new_books.anaplan(), new_books.expected())
    last = new_books.run(replay=run.id)
    assert_tied(new_books, last)
    assert new_books.uploaded_cells() == touched
    assert len(touched) <= len(waiting)


def test_amounts_that_wait_are_told_without_signs_so_that_none_cancels_another(
    new_books: Books,
) -> None:
    by_center: dict[str, Cells] = {}
    for cell, value in new_books.expected().items():
        by_center.setdefault(cell[2], {})[cell] = value
    netted = min(by_center, key=lambda center: abs(sum(by_center[center].values())))
    waiting = by_center[netted].values()
    assert sum(waiting) != sum(map(abs, waiting))
    new_books.person("change_item", list="Cost Centers", item=netted, code="recoded")

    run = new_books.run()

    found = [r.finding for r in new_books.findings(run, "unmatched-member")]
    amounts = {f.member: f.amount for f in found}
    assert amounts[netted] == sum(map(abs, waiting))


def test_a_mapping_pointed_elsewhere_zeroes_the_old_cells_and_loads_the_new_ones(
    books: Books,
) -> None:
    (unit, target), *_ = sorted(books.mapping().items())
    expected = books.expected()
    company = next(c[0] for c in expected if c[2] == target)
    other = sorted({c[2] for c in expected if c[0] == company and c[2] != target})[0]
    set_mapping(books.instance, "business_unit", unit, other, "planned elsewhere now")
    touched = changed(books.anaplan(), books.expected())
    assert {cell[2] for cell in touched} == {target, other}

    assert_tied(books, books.run())

    assert books.uploaded_cells() == touched
    assert_quiet(books)


def test_a_mapping_taken_back_leaves_the_cells_without_member_waiting(books: Books) -> None:
    books.set_actuals('unmatched = "load rest"')
    (unit, target), *_ = sorted(books.mapping().items())
    set_mapping(books.instance, "business_unit", unit, None, "asked by the controller")
    expected = books.expected()
    waiting = {cell for cell in expected if cell[2] == unit}
    touched = changed(books.anaplan(), {c: v for c, v in expected.items() if c not in waiting})

    run = books.run()

    assert run.exit_code == 5, told(books, run)
    assert books.uploaded_cells() == touched
    assert {cell[2] for cell in touched} == {target}
    assert books.open_cells() == waiting
    books.person("add_item", list="Cost Centers", code=unit, name=f"Unit {unit}")
    assert_tied(books, books.run())
    assert books.uploaded_cells().keys() == waiting


def test_a_stopped_company_is_told_with_the_amount_by_which_anaplan_stays_away(
    books: Books,
) -> None:
    """Cells that would go to zero are not "0.00": Anaplan keeps showing what they held."""
    (unit, _), *_ = sorted(books.mapping().items())
    set_mapping(books.instance, "business_unit", unit, None, "asked by the controller")
    expected, held = books.expected(), books.anaplan()
    behind = {c: v for c, v in changed(held, expected).items() if c[2] != unit}

    run = books.run()

    (stopped,) = (r.finding for r in books.findings(run, "company-stopped"))
    away = sum(abs(value - held.get(cell, Decimal(0))) for cell, value in behind.items())
    assert (stopped.cells, stopped.amount) == (len(behind), away)
    assert away > 0


def test_an_account_mapped_to_another_moves_its_amounts(books: Books) -> None:
    (source, target) = sorted({c[1] for c in books.anaplan() if c[1] < "4000"})[:2]
    set_mapping(books.instance, "account", source, target, "planned in one line")
    touched = changed(books.anaplan(), books.expected())

    assert_tied(books, books.run())

    assert books.uploaded_cells() == touched
    assert not [cell for cell in books.anaplan() if cell[1] == source]


def test_a_company_mapped_to_a_group_moves_its_cells_there_and_back(books: Books) -> None:
    books.person("add_item", list="Companies", code="GRP", name="Group")
    set_mapping(books.instance, "company", "00060", "GRP", "planned together")
    to = {"00060": "GRP"}
    expected = {(to.get(c[0], c[0]), *c[1:]): v for c, v in books.expected().items()}
    touched = changed(books.anaplan(), expected)

    run = books.run()

    assert run.outcome == "complete", told(books, run)
    assert books.uploaded_cells() == touched
    assert changed(expected, books.anaplan()) == {}
    books.event("backdated", company="00060", amount="12.34")
    assert books.run().outcome == "complete"
    set_mapping(books.instance, "company", "00060", None, "taken back")
    assert_tied(books, books.run())


def test_a_company_that_is_mapped_while_a_run_goes_on_stays_locked(books: Books) -> None:
    books.set_actuals('locked_through = "2024-12"')
    assert_tied(books, books.run())
    books.person("add_item", list="Companies", code="GRP", name="Group")
    books.event("backdated", company="00060", period="2024-05")
    held = books.anaplan()

    def mapped() -> None:
        set_mapping(books.instance, "company", "00060", "GRP", "planned together")

    run = books.run(meanwhile={"check the members:before": mapped})

    assert run.exit_code == 6, told(books, run)
    assert changed(held, books.anaplan()) == {}


def test_a_locked_period_is_not_overwritten_without_an_unlock(books: Books) -> None:
    books.set_actuals('locked_through = "2024-12"')
    held = books.anaplan()
    books.event("backdated", period="2024-05", amount="500.05")
    books.event("backdated", period="2025-05", amount="600.06")
    touched = changed(held, books.expected())

    run = books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(books, run)
    locked = {c: v for c, v in touched.items() if c[3] == "May 24"}
    assert len(locked) == 2
    assert books.open_cells() == locked.keys()
    finding = books.findings(run, "locked-period")[0].finding
    assert finding.cells == 2
    assert changed(held, books.anaplan()) == {c: v for c, v in touched.items() if c not in locked}

    last = books.run(unlock="the auditors asked for it")
    assert_tied(books, last)
    assert books.uploaded_cells() == locked
    entry = next(e for e in books.store.audit(run=last.id) if e.act == "started run")
    assert entry.told["asked"] == {"unlock": "the auditors asked for it"}
    assert_quiet(books)


def test_a_zero_for_a_member_that_anaplan_dropped_stops_nobody(books: Books) -> None:
    code = "30.7995.NEW"
    books.event("add_account", code=code, amount="77.10")
    assert books.run("accounts").outcome == "complete"
    assert_tied(books, books.run())
    books.event("net_to_zero", account=code)
    books.person("change_item", list="GL Accounts", item="7995.NEW", code="GONE", name="Gone")

    run = books.run()

    assert books.rules(run) == {"not-of-the-ledger"}, told(books, run)
    (left,) = books.open_cells()
    assert left[1] == "GONE"
    books.type_over(left, Decimal(0))
    assert_tied(books, books.run())
