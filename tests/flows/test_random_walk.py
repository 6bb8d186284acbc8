"""After a long random life of the ledger, runs that died included, Anaplan equals the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
from books import Books, assert_quiet, assert_tied, changed, told
from wire_faults import grid

EVENTS = (
    "late_post", "backdated", "backdated", "move_period", "void_reenter", "net_to_zero", "offset",
    "edit_text", "unposted", "delete_unposted", "recode", "add_account", "change_period",
)  # fmt: skip
COMPANIES = ("00001", "00060", "00070", "00090", "00200")
MONEY_EVENTS = ("backdated", "unposted")
MOMENTS_MAX = 60  # a run has about fifteen steps of four moments each
RUN_EVERY_EVENTS = 8
CAMPAIGN = "walk" in os.environ.get("TIEOUT_CAMPAIGN", "")
WALKS, EVENTS_MIN, EVENTS_MAX = (20, 60, 100) if CAMPAIGN else (1, 30, 50)


def something_happens(books: Books, dice: Random) -> str:
    """One event of the ledger, or a value typed over in Anaplan; what it was."""
    if dice.random() < 0.06:
        cell = dice.choice(sorted(books.anaplan()))
        books.type_over(cell, Decimal(dice.randrange(-9_999, 9_999)))
        return f"typed over {cell}"
    name, body = dice.choice(EVENTS), {"company": dice.choice(COMPANIES)}
    if name in MONEY_EVENTS:
        body["period"] = f"{dice.choice((2024, 2025))}-{dice.randrange(1, 13):02}"
        body["amount"] = str(dice.randrange(-99_999, 99_999) or 1)
    if name in ("move_period", "void_reenter", "edit_text"):
        body["nth"] = str(dice.randrange(0, 5))
    if name == "add_account":
        body = {"code": f"30.7995.N{dice.randrange(99)}"}
    if name == "change_period" and dice.random() < 0.8:
        name, body = "backdated", {}
    try:
        books.event(name, **body)
    except LookupError as error:
        return f"{name} {body} was not possible: {error}"
    return f"{name} {body}"


def a_plain_run(books: Books, dice: Random) -> str:
    run = books.run()
    assert run.exit_code != 1, told(books, run)
    return run.sentence


def a_run_that_dies(books: Books, dice: Random) -> str:
    """Killed at up to three moments, and carried on while the ledger goes on living."""
    for _ in range(dice.randrange(1, 4)):
        run = books.run_killed(dice.randrange(1, MOMENTS_MAX))
        if run is None:
            return "ended before it died"
        something_happens(books, dice)
    ended = books.carry_on(run, {})
    assert ended.exit_code != 1, told(books, ended)
    return f"carried on: {ended.sentence}"


def a_run_with_a_fault(books: Books, dice: Random) -> str:
    case = dice.choice(grid(dice))
    books.fault(case.system, **case.fault)
    run = books.run()
    books.no_more_faults()
    assert run.exit_code != 1, told(books, run)
    return f"{case.id}: {run.sentence}"


def the_ledger_moves_during_the_run(books: Books, dice: Random) -> str:
    steps = ("look for changes:after", "read the balances:before", "plan the reads:before",
             "fold into cells:before", "start the import:before")  # fmt: skip
    run = books.run(meanwhile={dice.choice(steps): lambda: something_happens(books, dice)})
    assert run.exit_code != 1, told(books, run)
    return run.sentence


RUNS: tuple[Callable[[Books, Random], str], ...] = (
    a_plain_run, a_run_that_dies, a_run_with_a_fault, the_ledger_moves_during_the_run,
)  # fmt: skip


@pytest.mark.parametrize("walk", range(WALKS))
def test_after_a_random_life_one_clean_run_makes_anaplan_equal_the_ledger(
    books: Books, dice: Random, walk: int
) -> None:
    for _ in range(dice.randrange(EVENTS_MIN, EVENTS_MAX)):
        print(something_happens(books, dice))
        if dice.randrange(RUN_EVERY_EVENTS) == 0:
            how = dice.choice(RUNS)
            print(f"  {how.__name__}: {how(books, dice)}")

    books.tie_out()  # finds what was typed over
    for flow in ("accounts", "cost_centers"):
        assert books.run(flow).outcome == "complete"
    last = books.run()

    assert changed(books.expected(), books.anaplan()) == {}, told(books, last)
    assert_tied(books, last)
    assert_quiet(books)
    assert books.control("anaplan", "state")["running_tasks_max"].popitem()[1] == 1
    assert books.store.verify_audit().whole


def test_lines_posted_while_a_run_reads_are_never_loaded_in_part(
    books: Books, dice: Random
) -> None:
    for moment in ("look for changes:after", "read the balances:after", "plan the reads:after",
                   "fold into cells:before", "read back:before"):  # fmt: skip
        before = books.expected()
        books.event("backdated", amount=str(dice.randrange(1, 9_999)))
        between = books.expected()

        run = books.run(meanwhile={moment: lambda: books.event("backdated", company="00060")})

        assert run.exit_code in (0, 6), told(books, run)
        after = books.expected()
        for cell, value in books.anaplan().items():
            allowed = {before.get(cell), between.get(cell), after.get(cell)}
            assert value in allowed, (moment, cell, value)
        assert_tied(books, books.run())
