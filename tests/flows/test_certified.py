"""A period is certified by two people, as long as exactly its amounts stay as they were."""

from __future__ import annotations

from decimal import Decimal

import pytest
from books import Books, assert_tied
from plan_books import ANNA, BEN, PlanBooks

from tieout.engine.story import Interrupted
from tieout.errors import Busy, Misconfigured, NotAllowed, Refused
from tieout.verbs import certifying

COMPANY, PERIOD = "00001", "2025-05"


@pytest.fixture
def people(books: Books) -> PlanBooks:
    """Loaded books with Anna, who prepares, and Ben, who approves."""
    found = PlanBooks(books)
    found.set_up()
    assert_tied(books, books.run())
    return found


def prepared(people: PlanBooks) -> str:
    """Anna prepares the certification; its digest."""
    done = certifying.prepare(people.as_(ANNA), "actuals", COMPANY, PERIOD)
    assert done["state"] == "prepared"
    return str(done["digest"])


def state(people: PlanBooks) -> str:
    """How the certification stands."""
    (one,) = certifying.listed(people.as_(BEN))
    return str(one["state"])


def test_one_prepares_another_certifies_and_a_later_posting_opens_it_again(
    people: PlanBooks,
) -> None:
    digest = prepared(people)
    with pytest.raises(NotAllowed):
        certifying.certify(people.as_(ANNA), "actuals", COMPANY, PERIOD, digest)
    done = certifying.certify(people.as_(BEN), "actuals", COMPANY, PERIOD, digest, "closed")
    assert (done["state"], done["prepared_by"], done["certified_by"]) == ("certified", ANNA, BEN)
    with pytest.raises(Refused, match="is certified by ben with exactly these amounts"):
        prepared(people)

    people.books.event("backdated", company="00060", period=PERIOD)
    assert_tied(people.books, people.books.run())
    assert state(people) == "certified", "another company moved, not this one"

    people.books.event("backdated", company=COMPANY, period=PERIOD, amount="12.34")
    run = people.books.run()

    assert_tied(people.books, run)
    assert state(people) == "reopened"
    (told,) = people.books.findings(run, "certification-reopened")
    assert "certified by ben" in told.finding.what
    acts = [e.act for e in people.store.audit(object_=f"actuals/{COMPANY}/{PERIOD}")]
    assert acts == ["prepared certification", "certified", "reopened certification"]
    assert people.store.verify_audit().whole


def test_nobody_certifies_other_amounts_than_those_that_were_prepared(people: PlanBooks) -> None:
    digest = prepared(people)
    with pytest.raises(Refused, match="not those that were prepared or shown"):
        certifying.certify(people.as_(BEN), "actuals", COMPANY, PERIOD, "0" * 64)
    people.books.event("backdated", company=COMPANY, period=PERIOD, amount="12.34")
    assert_tied(people.books, people.books.run())
    with pytest.raises(NotAllowed, match="is reopened"):
        certifying.certify(people.as_(BEN), "actuals", COMPANY, PERIOD, digest)
    assert state(people) == "reopened"


def test_nobody_certifies_while_a_run_may_find_other_amounts(people: PlanBooks) -> None:
    digest = prepared(people)
    with pytest.raises(Interrupted):
        people.books.run(full=True, meanwhile={"compare:before": interrupt})
    with pytest.raises(Busy, match="is under way and may find other amounts"):
        certifying.certify(people.as_(BEN), "actuals", COMPANY, PERIOD, digest)
    run = people.store.unfinished_run("actuals")
    assert run is not None
    assert_tied(people.books, people.books.carry_on(run, {}))
    done = certifying.certify(people.as_(BEN), "actuals", COMPANY, PERIOD, digest)
    assert done["state"] == "certified"


def interrupt() -> None:
    """The process of the run dies."""
    raise Interrupted("compare:before")


def test_a_period_with_a_difference_cannot_be_prepared_and_every_reason_is_told(
    people: PlanBooks,
) -> None:
    cell = next(c for c in sorted(people.books.anaplan()) if c[0] == COMPANY and c[3] == "May 25")
    people.books.type_over(cell, Decimal("1.23"))
    assert people.books.tie_out().exit_code == 6
    with pytest.raises(Refused, match=r"1 cell unexplained; .*anaplan-differs"):
        prepared(people)
    assert certifying.listed(people.as_(ANNA)) == []


def test_a_period_that_no_run_compared_cannot_be_prepared(people: PlanBooks) -> None:
    with pytest.raises(Misconfigured, match="has no cell of actuals/00001/2031-01"):
        certifying.prepare(people.as_(ANNA), "actuals", COMPANY, "2031-01")
    with pytest.raises(Misconfigured, match="Nobody has prepared"):
        certifying.certify(people.as_(BEN), "actuals", COMPANY, PERIOD, "0" * 64)
