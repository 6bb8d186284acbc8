"""A converted balance loads when two people have signed it, and not a cent beside it."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from books import Books, assert_tied, changed, told
from plan_books import ANNA, BEN, PlanBooks

from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.flows.explained import CLASSES
from tieout.store import baselines
from tieout.store.runs import Run
from tieout.verbs import baselining, certifying, explaining

PERIOD, WHY = "2025-05", "balances of the acquired company, protocol 17"


@pytest.fixture
def people(books: Books) -> PlanBooks:
    """Loaded books with Anna, who prepares, and Ben, who approves."""
    found = PlanBooks(books)
    found.set_up()
    assert_tied(books, books.run())
    return found


def without_lines(books: Books) -> list[str]:
    """Two accounts of company 00001, as BU.OBJ.SUB, that have no line in the period."""
    store = books.store
    scan = {kind: store.scan(store.current("actuals", kind)).collect()
            for kind in ("accounts", "lines")}  # fmt: skip
    lines = scan["lines"].filter((pl.col("fiscal_year") == 2025) & (pl.col("period") == 5))
    accounts = scan["accounts"].join(lines, on="account_id", how="anti").filter(
        (pl.col("company") == "00001") & pl.col("business_unit").is_in(["50", "51"])
    )  # fmt: skip
    codes = accounts.select(
        code=pl.concat_str(
            "business_unit", pl.lit("."), "object_account",
            pl.when(pl.col("subsidiary") != "").then(pl.lit(".") + pl.col("subsidiary"))
            .otherwise(pl.lit("")),
        )
    )["code"].sort()  # fmt: skip
    return codes.to_list()[:2]


def convert(books: Books, amount: str = "250.00") -> None:
    """A conversion moves F0902 of two accounts that have no journal there; nets to zero."""
    first, other = without_lines(books)
    books.event("convert", account=first, amount=amount, period=PERIOD)
    books.event("convert", account=other, amount=f"-{amount}", period=PERIOD)


def assert_loaded(books: Books, run: Run, amount: str = "250.00") -> None:
    """Complete, and Anaplan holds what the lines say and the converted balances beside them."""
    assert (run.outcome, run.exit_code) == ("complete", 0), told(books, run)
    held, lines = books.anaplan(), books.expected()
    beside = {held.get(c, Decimal(0)) - lines.get(c, Decimal(0)) for c in changed(lines, held)}
    assert beside == {Decimal(amount), -Decimal(amount)}


def test_a_converted_balance_loads_after_one_prepared_and_another_signed_it(
    people: PlanBooks,
) -> None:
    books = people.books
    convert(books)
    run = books.run()
    assert run.exit_code == 6, told(books, run)
    held = books.open_cells()
    assert len(held) == 2

    prepared = baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    assert (prepared["balances"], prepared["gross"]) == (2, Decimal("500.0000"))
    assert books.run().exit_code == 6, "nobody has signed it yet"
    with pytest.raises(NotAllowed):
        baselining.sign(people.as_(ANNA), prepared["baseline"], prepared["digest"])
    with pytest.raises(Refused, match="not those of this digest"):
        baselining.sign(people.as_(BEN), prepared["baseline"], "0" * 64)
    signed = baselining.sign(people.as_(BEN), prepared["baseline"], prepared["digest"], "seen")
    assert (signed["state"], signed["prepared_by"], signed["decided_by"]) == ("signed", ANNA, BEN)

    assert_loaded(books, books.run())
    assert sum(v for c, v in books.uploaded_cells().items() if v) == 0
    assert {c[:4] for c in books.uploaded_cells()} == held
    explained = explaining.explain(people.as_(BEN), "actuals", PERIOD)
    (row,) = explained["classes"]
    assert (row["class"], row["cells"]) == ("signed baseline", 2)
    assert row["permits_complete"]
    assert row["permits_certification"]
    assert certifying.prepare(people.as_(ANNA), "actuals", "00001", PERIOD)["state"] == "prepared"
    quiet = books.run()
    assert "Nothing new" in quiet.sentence, told(books, quiet)


def test_a_balance_that_moves_after_it_was_signed_is_held_again(people: PlanBooks) -> None:
    books = people.books
    convert(books)
    books.run()
    prepared = baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    baselining.sign(people.as_(BEN), prepared["baseline"], prepared["digest"])
    assert_loaded(books, books.run())

    convert(books, "0.01")

    run = books.run()
    assert run.exit_code == 6, told(books, run)
    assert "not-proved" in books.rules(run)
    assert len(books.open_cells()) == 2


def test_what_is_withdrawn_holds_its_balances_again_although_nothing_moved(
    people: PlanBooks,
) -> None:
    books = people.books
    convert(books)
    books.run()
    prepared = baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    baselining.sign(people.as_(BEN), prepared["baseline"], prepared["digest"])
    assert_loaded(books, books.run())

    with pytest.raises(Misconfigured, match="without a reason"):
        baselining.withdraw(people.as_(BEN), prepared["baseline"], " ")
    baselining.withdraw(people.as_(BEN), prepared["baseline"], "the protocol was wrong")

    run = books.run()
    assert run.exit_code == 6, told(books, run)
    assert len(books.open_cells()) == 2
    with pytest.raises(NotAllowed, match="withdrawn"):
        baselining.sign(people.as_(BEN), prepared["baseline"], prepared["digest"])
    trail = [e.act for e in books.store.audit(object_=prepared["baseline"])]
    assert trail == ["prepared baseline", "signed baseline", "withdrawn baseline"]


def test_what_was_withdrawn_a_moment_ago_is_not_signed(people: PlanBooks) -> None:
    """The state that the second person was allowed to sign may be gone under the lock."""
    books = people.books
    convert(books)
    books.run()
    prepared = baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    name, digest = prepared["baseline"], prepared["digest"]
    baselining.withdraw(people.as_(BEN), name, "the protocol was wrong")
    at = books.instance.clock.now()

    with books.store.begin() as connection, pytest.raises(Refused, match="is withdrawn"):
        baselines.sign(connection, name, digest, BEN, "", at)


def test_nothing_is_certified_on_a_baseline_that_was_withdrawn_since(people: PlanBooks) -> None:
    books = people.books
    convert(books)
    books.run()
    prepared = baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    baselining.sign(people.as_(BEN), prepared["baseline"], prepared["digest"])
    assert_loaded(books, books.run())
    held = certifying.prepare(people.as_(ANNA), "actuals", "00001", PERIOD)

    baselining.withdraw(people.as_(BEN), prepared["baseline"], "the protocol was wrong")

    with pytest.raises(Refused, match="signed or withdrawn since"):
        certifying.certify(people.as_(BEN), "actuals", "00001", PERIOD, held["digest"])
    with pytest.raises(Refused, match="signed or withdrawn since"):
        certifying.prepare(people.as_(ANNA), "actuals", "00001", PERIOD)


def test_balances_before_the_first_lines_are_signed_and_withdrawn_though_they_load(
    books: Books,
) -> None:
    books.change_flow('detail_from = "2024-01"', 'detail_from = "2025-01"')
    people = PlanBooks(books)
    people.set_up()
    assert_tied(books, books.run())
    early = "2024-05"
    prepared = baselining.prepare(people.as_(ANNA), "actuals", "00001", early, early, WHY)
    assert _classes(people, early) == ["taken from balances"]

    baselining.sign(people.as_(BEN), prepared["baseline"], prepared["digest"])
    assert_tied(books, books.run())
    assert _classes(people, early) == ["signed baseline"]

    baselining.withdraw(people.as_(BEN), prepared["baseline"], "the protocol was wrong")
    assert_tied(books, books.run())
    assert _classes(people, early) == ["taken from balances"]


def _classes(people: PlanBooks, period: str) -> list[str]:
    told_of = explaining.explain(people.as_(BEN), "actuals", period)["classes"]
    return [row["class"] for row in told_of if row["ledger_company"] == "00001"]


def test_nothing_that_has_journals_can_be_prepared_as_converted(people: PlanBooks) -> None:
    with pytest.raises(Misconfigured, match="without journals"):
        baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    people.books.event("convert", period=PERIOD, amount="9.00")  # beside journals, on both sides
    people.books.run()
    with pytest.raises(Misconfigured, match="without journals"):
        baselining.prepare(people.as_(ANNA), "actuals", "00001", PERIOD, PERIOD, WHY)
    assert CLASSES["signed baseline"].certify
