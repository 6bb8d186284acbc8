"""An approved plan is in the ledger once: prepared, approved by another, submitted, posted."""

from __future__ import annotations

import pytest
from books import Books
from plan_books import PlanBooks


@pytest.fixture
def planned(books: Books) -> PlanBooks:
    made = PlanBooks(books)
    made.set_up()
    books.person("enter_plan", version="BUD26")
    return made


def test_a_plan_is_prepared_approved_submitted_posted_and_verified(planned: PlanBooks) -> None:
    run = planned.prepare()
    print(run.sentence, run.figures)
    for f in planned.books.findings(run)[:0]:
        print(f.finding.severity, f.finding.rule, f.finding.what)
    assert run.exit_code == 7
    batch = planned.waiting()[0]
    print(batch.summary["asks"])
    planned.approve(batch, [a["rule"] for a in batch.summary["asks"]])
    runs = planned.submit(batch)
    print([r.sentence for r in runs])
    assert {j.state for j in planned.journals()} == {"created"}
    planned.people_post()
    done = planned.books.run("plan", kind="follow_journals", batch=batch.id, digest=batch.digest)
    print(done.sentence)
    assert {j.state for j in planned.journals()} == {"verified"}
    again = planned.prepare()
    for f in planned.books.findings(again):
        if f.finding.severity != "note":
            print(f.finding.severity, f.finding.rule, f.finding.what)
    print(again.sentence)
    assert again.exit_code == 0
    assert not planned.waiting()
