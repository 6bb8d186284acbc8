"""What JD Edwards shows of a journal is compared with what was approved, line for line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from core_frames import rows

from tieout.core.found import FOUND, WAITING, moved, shown
from tieout.core.frames import AMOUNT, DIFFERENCES, LEDGER_CELL
from tieout.core.journal import HELD, Batch, Journal, JournalRule, build
from tieout.core.posting import Shown, Sight

AMOUNTS = [Decimal(20), Decimal("-5.50"), Decimal(7)]


def approved() -> tuple[Batch, Journal]:
    """One journal of three lines in January 2026."""
    given = [{"account_id": f"{n:08d}", "difference": a} for n, a in enumerate(AMOUNTS, 1)]
    frame = rows(
        DIFFERENCES, given, company="00001", ledger="BA", fiscal_year=2026, period=1,
        currency="USD", decimals=2, gl_date=date(2026, 1, 31), zeroed=False,
    )  # fmt: skip
    batch = build(frame, pl.DataFrame(schema=dict(HELD)), JournalRule("BN", "Plan", 500))
    return batch, batch.journals[0]


BATCH, JOURNAL = approved()
REF = JOURNAL.reference


def lines(numbers: Sequence[int] = (1, 2, 3), **options: object) -> pl.DataFrame:
    """Lines of our journal as F0911 shows them, unposted, but for what is given."""
    given = [{"account_id": f"{n:08d}", "amount": AMOUNTS[n - 1]} for n in numbers]
    usual = {
        "company": "00001", "ledger": "BA", "fiscal_year": 2026, "period": 1,
        "document_type": "BN", "document": 4711, "batch_number": 90123, "reference_1": REF,
        "reference_2": REF,
    }  # fmt: skip
    return rows(FOUND, given, **(usual | options))


def waiting(numbers: Sequence[int] = ()) -> pl.DataFrame:
    """Unprocessed rows of ours in the Z file."""
    given = [{"account_id": f"{n:08d}", "amount": AMOUNTS[n - 1]} for n in numbers]
    return rows(WAITING, given, ledger="BA", gl_date=date(2026, 1, 31))


def look(found: pl.DataFrame, in_z: pl.DataFrame | None = None, **options: object) -> Shown:
    return shown(BATCH, JOURNAL, found, waiting() if in_z is None else in_z, **options)


STRANGER = lines([1], reference_1="x", reference_2="x")


@pytest.mark.parametrize(
    ("found", "in_z", "sight"),
    [
        (lines([]), waiting(), Sight.NOTHING),
        (lines(), waiting(), Sight.WHOLE),
        (lines([1, 3]), waiting(), Sight.PART),
        (lines([]), waiting([1, 2, 3]), Sight.WAITING),
        (lines([]), waiting([2]), Sight.PART),
        (lines([1]), waiting([2, 3]), Sight.BOTH),  # being worked off
        (lines(), waiting([1, 2, 3]), Sight.BOTH),  # or about to come in twice
        (lines(period=2), waiting([1, 2, 3]), Sight.OTHER),
        (lines(), waiting([1, 1]), Sight.OTHER),
        (lines([1, 2, 3, 3]), waiting(), Sight.OTHER),
        (pl.concat([lines(), lines(document=4712)]), waiting(), Sight.OTHER),
        (pl.concat([lines([1, 2]), lines([3], document=4712)]), waiting(), Sight.OTHER),
        (lines(period=2), waiting(), Sight.OTHER),
        (lines(fiscal_year=2027), waiting(), Sight.OTHER),
        (lines(ledger="AA"), waiting(), Sight.OTHER),  # the blank ledger that became actuals
        (lines(company="00060"), waiting(), Sight.OTHER),
        (lines(document_type="JE"), waiting(), Sight.OTHER),
        (lines(reference_2="EDITED"), waiting(), Sight.WHOLE),
        (lines(reference_1="", reference_2=""), waiting(), Sight.FOREIGN),
        (
            pl.concat([lines(), lines([1], reference_1="x", reference_2="x")]),
            waiting(),
            Sight.OTHER,
        ),
    ],
)
def test_a_look_says_what_is_there_of_a_journal(
    found: pl.DataFrame, in_z: pl.DataFrame, sight: Sight
) -> None:
    assert look(found, in_z).sight is sight


def changed(edit: Callable[[pl.DataFrame], pl.DataFrame]) -> Sight:
    return look(edit(lines())).sight


def test_an_amount_that_moved_from_one_account_to_another_is_seen() -> None:
    """Count and total are as approved, and the ledger is wrong."""
    swapped = [Decimal("-5.50"), Decimal(20), Decimal(7)]
    assert changed(lambda f: f.with_columns(amount=pl.Series(swapped, dtype=AMOUNT))) is Sight.OTHER


def test_a_cent_is_seen() -> None:
    assert changed(
        lambda f: f.with_columns(amount=pl.col("amount") + pl.lit(Decimal("0.01")).cast(AMOUNT))
    ) is Sight.OTHER  # fmt: skip


def test_posted_means_every_line() -> None:
    assert look(lines(posted="P"), status="D").posted
    half = pl.concat([lines([1, 2], posted="P"), lines([3])])
    assert not look(half, status="D").posted
    assert not look(lines([])).posted


def test_a_void_is_seen_whatever_its_own_lines_say() -> None:
    reversed_ones = lines(reversal="V", period=2).with_columns(amount=-pl.col("amount"))
    both = pl.concat([lines(reversal="V", posted="P"), reversed_ones])
    assert look(both, status="").voided


CELL = {"company": "00001", "ledger": "BA", "fiscal_year": 2026, "period": 1}


def balances(**amounts: int) -> pl.DataFrame:
    schema = {name: DIFFERENCES[name] for name in LEDGER_CELL} | {"balance": AMOUNT}
    given = [
        CELL | {"account_id": f"{int(n[1:]):08d}", "balance": Decimal(a)}
        for n, a in amounts.items()
    ]
    return pl.DataFrame(given, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("before", "after", "others", "good"),
    [
        ({}, {"a1": 20}, {}, True),
        ({"a1": 5}, {"a1": 25, "a9": 3}, {}, True),
        ({"a1": 5}, {"a1": 5}, {}, False),  # the post died
        ({"a1": 5}, {"a1": 28}, {}, False),
        ({"a1": 5}, {"a1": 28}, {"a1": 3}, True),  # we know whose the three are
        ({"a1": 5}, {}, {}, False),
    ],
)
def test_verified_is_a_balance_that_moved_by_exactly_the_lines(
    before: dict[str, int], after: dict[str, int], others: dict[str, int], good: bool
) -> None:
    line = balances(a1=20).rename({"balance": "amount"})
    theirs = balances(**others).rename({"balance": "amount"})
    assert moved(line, balances(**before), balances(**after), theirs) is good
