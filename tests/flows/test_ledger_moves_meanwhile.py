"""A ledger that moves while it is read: read again until it held still, or nothing is loaded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from books import Books, assert_quiet, assert_tied, changed, told

ONE_READER = 'secret = "secret://erp"\nreaders = 1\npage_rows = 50'
READ = "plan the reads:after"  # from then on lines are read, company 00001 first


@pytest.fixture
def slow(books: Books) -> Books:
    """Loaded books that are read by one session, 50 rows a page."""
    books.change_flow('secret = "secret://erp"', ONE_READER)
    assert_tied(books, books.run())
    return books


def posts_at(books: Books, *, times: int = 1, **request: Any) -> None:
    """A journal of last year is posted just before some request for ledger lines is answered."""
    does = {"event": {"name": "backdated", "period": "2024-05", "amount": "19.99"}}
    books.fault("jde", "delay", meanwhile=does, times=times, **request)


NEXT_PAGE = {"path": "/next.*formOID=F0911"}
FIRST_PAGE = {"path": "/dataservice$", "body_match": '"F0911".*"BROWSE"'}
FIRST_PAGE_OF_2025 = {
    "path": "/dataservice$",
    "body_match": r'"F0911".*"BROWSE".*F0911\.FY","operator":"EQUAL","value":\[\{"content":"25"',
}
COUNTED_AFTER = {"path": "/dataservice$", "body_match": '"F0911".*"AGGREGATION"', "nth": 2}


@pytest.mark.parametrize(
    "request_", [FIRST_PAGE, NEXT_PAGE, NEXT_PAGE | {"nth": 5}, COUNTED_AFTER], ids=str
)
def test_lines_posted_while_lines_are_read_are_read_again_and_loaded_with_this_run(
    slow: Books, request_: dict[str, Any]
) -> None:
    held = slow.anaplan()

    run = slow.run(full=True, meanwhile={READ: lambda: posts_at(slow, **request_)})

    assert slow.faults_hit("jde") == 1
    assert_tied(slow, run)
    assert len(changed(held, slow.anaplan())) == 2
    tasks = slow.tasks()
    assert_tied(slow, slow.run())
    assert slow.tasks() == tasks
    assert_quiet(slow)


def test_an_amount_changed_while_its_account_is_read_is_read_again_and_so_is_its_other_side(
    slow: Books,
) -> None:
    """As many lines as before, but another sum; only the balances tell of the other side."""
    line = slow.event("edit_text")  # of the journal that will be edited
    slow.event("backdated", account=line["account"], period=line["period"])

    def edited() -> None:
        does = {"event": {"name": "edit_amount", "amount": "3.33"}}
        slow.fault("jde", "delay", meanwhile=does, **COUNTED_AFTER)

    run = slow.run(meanwhile={READ: edited})

    assert slow.faults_hit("jde") == 1
    assert_tied(slow, run)
    assert_tied(slow, slow.run())
    assert_quiet(slow)


def test_a_ledger_that_moves_under_every_try_is_said_to_and_nothing_is_loaded(slow: Books) -> None:
    held, position, tasks = slow.anaplan(), slow.position(), slow.tasks()

    def never_rests() -> None:
        for request in (FIRST_PAGE, NEXT_PAGE):
            posts_at(slow, times=999, **request)

    run = slow.run(full=True, meanwhile={READ: never_rests})

    assert slow.faults_hit("jde") >= 3
    assert run.outcome == "failed", told(slow, run)
    print(run.sentence, run.exit_code)
    assert "3 tries did not agree" in run.sentence
    assert run.sentence.count("Nothing was loaded.") == 1
    assert (slow.anaplan(), slow.position(), slow.tasks()) == (held, position, tasks)
    slow.no_more_faults()
    assert_tied(slow, slow.run())
    assert_quiet(slow)


def test_a_journal_redated_into_a_year_that_was_read_already_is_read_again_in_this_run(
    slow: Books,
) -> None:
    """Every partition ties without it: it has left the one, and is not yet in the other."""
    held = slow.anaplan()

    def redated() -> None:
        does = {"event": {"name": "move_period", "period": "2024-11"}}
        slow.fault("jde", "delay", meanwhile=does, **FIRST_PAGE_OF_2025)

    run = slow.run(full=True, meanwhile={READ: redated})

    assert slow.faults_hit("jde") == 1
    assert_tied(slow, run)
    assert len(changed(held, slow.anaplan())) == 4
    assert_quiet(slow)


def test_balances_that_never_rest_are_told_and_the_next_run_ties(slow: Books) -> None:
    def never_rests() -> None:
        does = {"event": {"name": "backdated", "period": "2024-05", "amount": "19.99"}}
        grouped = {"path": "/dataservice$", "body_match": '"F0902".*"AGGREGATION".*OBJ'}
        slow.fault("jde", "delay", meanwhile=does, times=999, **grouped)

    run = slow.run(full=True, meanwhile={READ: never_rests})

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(slow, run)
    assert slow.rules(run) == {"ledger-moved"}
    assert "ledger-moved" in run.sentence
    slow.no_more_faults()
    assert_tied(slow, slow.run())
    assert_quiet(slow)


def test_a_balance_that_moves_between_the_two_groupings_of_a_look_is_read_all_the_same(
    slow: Books,
) -> None:
    """One grouping shows it, and the other only with what moved later, somewhere else."""
    first, torn, later = three_accounts(slow)
    grouped = {"path": "/dataservice$", "times": 1}
    by_object = grouped | {"body_match": '"F0902".*"AGGREGATION".*"groupBy".*F0902.OBJ'}
    by_unit = grouped | {"body_match": '"F0902".*"AGGREGATION".*"groupBy".*F0902.MCU'}

    def posts(account: str) -> dict[str, Any]:
        return {"event": {"name": "backdated", "account": account, "period": "2025-05"}}

    def posting() -> None:
        slow.event("backdated", account=first, period="2025-05")
        slow.fault("jde", "delay", meanwhile=posts(torn), nth=1, **by_unit)
        slow.fault("jde", "delay", meanwhile=posts(later), nth=2, **by_object)

    run = slow.run(full=True, meanwhile={"prove:after": posting})

    assert slow.faults_hit("jde") == 2
    assert_tied(slow, run)
    assert_tied(slow, slow.run())
    assert_quiet(slow)


def three_accounts(books: Books) -> tuple[str, str, str]:
    """Accounts of expenses of which no two share their object or their unit."""
    ledger, found = books.systems.jde.ledger, dict[tuple[str, str], str]()
    planned = {cell[1:3] for cell in books.anaplan() if cell[0] == "00001"}
    for row in ledger.rows("F0901", {"CO": "00001", "SUB": ""}):
        code, unit = str(row["OBJ"]), str(row["MCU"]).strip()
        taken = {part for key in found for part in key}
        if code > "6" and (code, unit) in planned and not {code, unit} & taken:
            found[code, unit] = str(row["AID"])
    first, torn, later, *_ = found.values()
    return first, torn, later


def a_code_not_used_yet(books: Books) -> str:
    """A unit and an object that Anaplan has both, and JD Edwards has no account of."""
    ledger = books.systems.jde.ledger
    taken = {(r["MCU"].strip(), r["OBJ"]) for r in ledger.rows("F0901", {"SUB": ""})}
    cells = [cell for cell in books.anaplan() if cell[0] == "00001" and "." not in cell[1]]
    accounts, units = ({cell[n] for cell in cells} for n in (1, 2))
    planned = {r["MCU"].strip() for r in ledger.rows("F0006", {"CO": "00001", "STYL": "CC"})}
    free = [(u, a) for u in units & planned for a in accounts if a > "6" and (u, a) not in taken]
    return ".".join(min(free))


def test_an_account_made_after_the_accounts_were_read_is_loaded_under_its_code(
    books: Books,
) -> None:
    code, held = a_code_not_used_yet(books), books.anaplan()
    made = {
        "read the accounts:after": lambda: books.event("add_account", code=code, amount="77.10")
    }

    run = books.run(full=True, meanwhile=made)

    assert_tied(books, run)
    unit, _, account = code.partition(".")
    new = {cell for cell in changed(held, books.anaplan()) if cell[1:3] == (account, unit)}
    assert [books.anaplan()[cell] for cell in new] == [Decimal("77.10")]
    assert_tied(books, books.run())
    assert_quiet(books)


def test_a_balance_that_moves_before_its_lines_are_read_is_read_once_more_after_them(
    books: Books,
) -> None:
    held = books.anaplan()
    moves = {"read the balances:after": lambda: books.event("backdated", amount="55.10")}

    run = books.run(full=True, meanwhile=moves)

    assert_tied(books, run)
    assert len(changed(held, books.anaplan())) == 2
    assert not [s.name for s in books.store.steps(run.id) if s.name.startswith("read again")]


@pytest.mark.parametrize("nth", [9, 16])
@pytest.mark.parametrize(("name", "period"), [("move_period", "2024-11"), ("backdated", "2025-05")])
def test_rows_that_repeat_or_fall_out_between_pages_by_offset_are_all_loaded_once(
    slow: Books, name: str, period: str, nth: int
) -> None:
    slow.control("jde", "switch", name="cursor_reads", value="offset")
    does = {"event": {"name": name, "period": period}}
    later = {"kind": "delay", "meanwhile": does, "nth": nth, **NEXT_PAGE}

    def planned() -> None:
        slow.fault("jde", "delay", meanwhile={"faults": {"add": later}}, **FIRST_PAGE_OF_2025)

    run = slow.run(full=True, meanwhile={READ: planned})

    assert slow.faults_hit("jde") == 2
    assert (run.outcome, run.exit_code) == ("complete", 0), told(slow, run)
    late = {cell[3] for cell in changed(slow.expected(), slow.anaplan())}
    assert late <= {"Nov 24"}  # a period that had been read before the journal moved there
    assert_tied(slow, slow.run())
    assert_quiet(slow)
