"""An approved plan is in the ledger once: prepared, approved by another, submitted, posted."""

from __future__ import annotations

import pytest
from books import Books
from plan_books import PlanBooks

UNFIT = {"plan-account-closed", "plan-subledger"}  # of three accounts that planners should not use


MONTHS = 3  # of the plan: a document a company and month


@pytest.fixture
def planned(books: Books) -> PlanBooks:
    """Books in which planners entered and approved a budget for 2026."""
    made = PlanBooks(books)
    made.set_up()
    books.person("enter_plan", version="BUD26", months=MONTHS)
    return made


def test_a_plan_ends_verified_in_the_ledger_to_the_cent(planned: PlanBooks) -> None:
    first = planned.prepare()
    assert (first.exit_code, first.figures["stopped"]) == (7, ["00001"])
    assert planned.books.rules(first) == {*UNFIT, "plan-sign"}
    planned.take_back_approval_of_unfit_accounts(first)

    run = planned.prepare()
    assert (run.exit_code, run.figures["stopped"], run.figures["rejects"]) == (7, [], 0)
    batch = planned.waiting()[0]
    assert [b.state for b in planned.batches()] == ["void", "prepared"], "the newer one replaces it"
    planned.approve(batch, ["plan-sign"])
    done = planned.submit(batch)
    assert [r.exit_code for r in done] == [0]
    assert {j.state for j in planned.journals(batch)} == {"created"}

    planned.people_post()
    checked = planned.check(batch)
    assert {j.state for j in planned.journals(batch)} == {"verified"}, checked.sentence
    assert planned.budget_held() == planned.budget_planned()
    assert len(planned.new_documents()) == len(planned.journals(batch))

    again = planned.prepare()
    assert (again.exit_code, again.figures["journals"]) == (0, 0), again.sentence
    assert not planned.waiting()


def test_one_changed_amount_is_one_document_with_that_difference(planned: PlanBooks) -> None:
    planned.only("00001")
    planned.take_back_approval_of_unfit_accounts(planned.prepare())
    planned.prepared_and_submitted()
    before = planned.new_documents()
    cell = planned.some_cell()
    planned.books.person(
        "change_plan", cells=[[*cell, "BUD26", "Mar 26"]], amount="1000.005", approved=True
    )

    batch, runs = planned.prepared_and_submitted()

    assert [r.exit_code for r in runs] == [0]
    assert (len(planned.journals(batch)), batch.lines) == (1, 1)
    assert len(planned.new_documents()) == len(before) + 1
