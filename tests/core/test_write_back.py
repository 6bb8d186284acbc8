"""From plan to journals and back, over many revisions: each amount once, each journal its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import polars as pl
from core_frames import rows
from plan_frames import chart, checked, holdings, plan, years

from tieout.core.difference import Universe, revise
from tieout.core.journal import HELD, Batch, Journal, JournalRule, build
from tieout.core.periods import Period

CHART = chart("1=00001/30.5005", "2=00001/30.5006", "3=00001/30.5007", "4=00001/30.4010")
OBJECTS = {1: "5005", 2: "5006", 3: "5007", 4: "4010"}
YEARS = years()
MONTHS = ("Jan", "Feb")
SMALL = JournalRule("BN", "Plan", 2)  # two lines a document: chunks
EVERYTHING = Universe(["00001"], ["4000-5999"], Period(2026, 1), Period(2026, 12), True)

Cell = tuple[int, int]


@dataclass
class Books:
    """A ledger that takes documents, some posted and some not, and counts what it took."""

    amounts: dict[Cell, Decimal] = field(default_factory=dict)
    documents: Counter[Cell] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)

    def take(self, batch: Batch, journals: Sequence[Journal]) -> None:
        for journal in journals:
            self.names.append(journal.transaction_number)
            for account, amount in batch.lines_of(journal).select("account_id", "amount").rows():
                cell = (int(account), journal.period)
                self.amounts[cell] = self.amounts.get(cell, Decimal(0)) + amount
                self.documents[cell] += 1

    def prepare(self, target: dict[Cell, Decimal]) -> Batch:
        """What a run would make of the plan, with a memory that is as old as it may be: none."""
        named = plan(
            *({"account": OBJECTS[n], "member": f"{MONTHS[p - 1]} 26", "amount": amount}
              for (n, p), amount in target.items())
        )  # fmt: skip
        found = checked(named, CHART, scope=YEARS)
        moved = revise(found, holdings(self.amounts), YEARS, CHART, universe=EVERYTHING)
        seen = [
            {"account_id": f"{n:08d}", "period": p, "documents": count}
            for (n, p), count in self.documents.items()
        ]
        held = rows(HELD, seen, company="00001", ledger="BA", fiscal_year=2026)
        return build(moved.to_send(), held, SMALL)


def target_of(dice: Random) -> dict[Cell, Decimal]:
    """A plan of few amounts, so that revisions come back to earlier ones."""
    cells = [(n, p) for n in OBJECTS for p in (1, 2)]
    chosen = dice.sample(cells, dice.randint(1, len(cells)))
    return {cell: Decimal(dice.choice(["100", "120", "83.335"])) for cell in chosen}


def of_the_plan(target: dict[Cell, Decimal]) -> dict[Cell, Decimal]:
    """By hand: cents by half-up, revenue as credits, nothing where the plan says nothing."""
    cents = {Decimal("83.335"): Decimal("83.34")}
    signs = {cell: -1 if OBJECTS[cell[0]] == "4010" else 1 for cell in target}
    return {cell: cents.get(amount, amount) * signs[cell] for cell, amount in target.items()}


def test_a_plan_that_went_back_and_forth_is_in_the_ledger_once_under_names_of_its_own(
    dice: Random,
) -> None:
    for _ in range(6):
        books = Books()
        for _ in range(8):
            target = target_of(dice)
            batch = books.prepare(target)
            books.take(batch, batch.journals)
            assert {c: a for c, a in books.amounts.items() if a} == of_the_plan(target)
            assert books.prepare(target).journals == ()
        assert len(set(books.names)) == len(books.names)


def test_what_did_not_arrive_is_built_again_under_its_old_name_and_nothing_else(
    dice: Random,
) -> None:
    """A restored database knows nothing of the documents that arrived; the ledger does."""
    for _ in range(12):
        books, target = Books(), {}
        for _ in range(3):
            target = target_of(dice)
            batch = books.prepare(target)
            books.take(batch, batch.journals)
        target = target_of(dice)
        batch = books.prepare(target)
        arrived = [j for j in batch.journals if dice.random() < 0.5]
        books.take(batch, arrived)
        again = books.prepare(target)
        missing = [j for j in batch.journals if j not in arrived]
        assert [j.transaction_number for j in again.journals] == [
            j.transaction_number for j in missing
        ]
        assert sorted(again.lines.drop("transaction_number").rows()) == sorted(
            batch.lines.filter(
                pl.col("transaction_number").is_in([j.transaction_number for j in missing])
            )
            .drop("transaction_number")
            .rows()
        )
        books.take(again, again.journals)
        assert {c: a for c, a in books.amounts.items() if a} == of_the_plan(target)


def test_one_changed_amount_is_one_document_with_that_difference() -> None:
    books, cell = Books(), (1, 1)
    for amount, difference in ((120, 120), (100, -20), (120, 20), (100, -20)):
        batch = books.prepare({cell: Decimal(amount), (2, 1): Decimal(7)})
        lines = batch.lines.filter(pl.col("account_id") == "00000001")["amount"].to_list()
        assert lines == [Decimal(difference)]
        books.take(batch, batch.journals)
    assert len(set(books.names)) == 4
