"""Rules 14 and 15: F0911 = F0902 = Anaplan, cell by cell, whatever a total would hide."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from core_frames import SHOWN, accounts, buckets, cells, mapping, rows, scope, total
from hypothesis import given
from hypothesis import strategies as st

from tieout.core import tie_out
from tieout.core.cells import company_currencies, shown_members
from tieout.core.findings import RULES
from tieout.core.frames import CELL_KEY, CELLS

KEY = list(CELL_KEY)
YEAR = scope("00001", "00060", first="2025-01")
CHART = accounts("00000001=30.5005", "00000002=40.5005", "00000003=30.4010")
CURRENCIES = {"00001": "USD", "00060": "USD"}


def members(**tables: pl.DataFrame) -> pl.DataFrame:
    """Company and member of every period in scope that shows itself."""
    frame = shown_members(YEAR.member_frame(), tables)
    return frame.filter(pl.col("period") == pl.col("shown_period"))


def shown(ledger: pl.DataFrame, *more: dict[str, Any]) -> pl.DataFrame:
    """Anaplan as it should be by the ledger's cells, and further cells."""
    right = rows(SHOWN, ledger.select(*KEY, shown="value").to_dicts())
    return pl.concat([right, rows(SHOWN, more, company="00001", member="Jan 25")])


def compared(ledger: pl.DataFrame, anaplan: pl.DataFrame) -> pl.DataFrame:
    """The three-sided comparison."""
    return tie_out.compare(ledger, anaplan, members())


def differing(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells whose three values are not all equal."""
    return frame.filter(tie_out.differs())


LEDGER = cells(
    buckets(
        {"amount": 500}, {"amount": 300, "account_id": "00000002"},
        {"amount": -800, "account_id": "00000003"}, {"amount": 40, "period": 2},
    ),
    CHART, YEAR, flip=["4000-4999"],
)  # fmt: skip


def test_a_load_that_arrived_whole_has_no_difference() -> None:
    found = compared(LEDGER, shown(LEDGER))
    assert differing(found).is_empty()
    assert tie_out.difference_findings(found, CURRENCIES) == []
    assert found.height == LEDGER.height


@pytest.mark.parametrize("column", ["account", "business_unit", "member"])
def test_an_amount_moved_between_two_cells_is_found_although_totals_agree(column: str) -> None:
    swap = {"account": ("5005", "4010"), "business_unit": ("30", "40"),
            "member": ("Jan 25", "Feb 25")}[column]  # fmt: skip
    first, second = swap
    here = (pl.col("account") == "5005") & (pl.col("business_unit") == "30")
    here = here & (pl.col("member") == "Jan 25")
    there = pl.col(column) == second
    if column == "account":
        there = there & (pl.col("business_unit") == "30")
    else:
        there = there & (pl.col("account") == "5005")
    right = shown(LEDGER)
    moved = right.with_columns(
        shown=pl.col("shown")
        + pl.when(here).then(100).otherwise(0)
        - pl.when(there).then(100).otherwise(0)
    )
    assert total(moved, "shown") == total(right, "shown")
    found = differing(compared(LEDGER, moved))
    assert found.height == 2
    assert {row[column] for row in found.iter_rows(named=True)} == set(swap)
    gaps = found.select((pl.col("anaplan") - pl.col("f0911")).abs()).to_series().to_list()
    assert gaps == [Decimal(100), Decimal(100)]
    assert first != second


@given(st.integers(0, 3), st.integers(0, 3), st.decimals(-9999, 9999, places=2))
def test_what_one_cell_has_too_much_and_another_too_little_never_cancels(
    one: int, other: int, amount: Decimal
) -> None:
    step = pl.int_range(pl.len())
    delta = pl.when(step == one).then(amount).otherwise(0)
    delta = delta - pl.when(step == other).then(amount).otherwise(0)
    moved = shown(LEDGER).with_columns(shown=(pl.col("shown") + delta).cast(SHOWN["shown"]))
    expected = 0 if one == other or amount == 0 else 2
    found = compared(LEDGER, moved)
    assert differing(found).height == expected
    table = tie_out.table(found, CURRENCIES)
    assert total(table, "difference") == (2 * abs(amount) if expected else 0)


def test_a_stale_cell_of_anaplan_without_a_ledger_cell_is_a_difference() -> None:
    stale = {"account": "9999", "business_unit": "30", "shown": Decimal(12)}
    found = compared(LEDGER, shown(LEDGER, stale))
    (cell,) = differing(found).iter_rows(named=True)
    assert (cell["account"], cell["f0911"], cell["anaplan"]) == ("9999", 0, 12)
    assert (cell["fiscal_year"], cell["period"], cell["in_ledger"]) == (2025, 1, False)
    (finding,) = tie_out.difference_findings(found, CURRENCIES)
    assert (finding.rule, finding.amount) == ("not-of-the-ledger", 12)


@pytest.mark.parametrize(
    "outside", [{"company": "00999"}, {"member": "Jan 19"}, {"member": "Total"}]
)
def test_what_the_flow_does_not_load_is_not_compared(outside: dict[str, str]) -> None:
    stale = {"account": "9999", "business_unit": "30", "shown": Decimal(12)} | outside
    assert differing(compared(LEDGER, shown(LEDGER, stale))).is_empty()


def test_a_cell_that_was_wiped_is_told_from_one_that_shows_another_amount() -> None:
    here = pl.col("business_unit") == "40"
    right = shown(LEDGER)
    for frame, rule in (
        (right.filter(~here), "anaplan-wiped"),
        (right.with_columns(shown=pl.when(here).then(1).otherwise("shown")), "anaplan-differs"),
    ):
        as_declared = frame.cast({"shown": SHOWN["shown"]})
        (finding,) = tie_out.difference_findings(compared(LEDGER, as_declared), CURRENCIES)
        assert finding.rule == rule
        assert "5005 × 40" in finding.what
        assert rule in RULES


def test_anaplan_is_compared_in_the_sign_of_the_ledger() -> None:
    found = compared(LEDGER, shown(LEDGER)).filter(pl.col("account") == "4010")
    assert found.select("f0911", "anaplan", "value", "shown").rows() == [(-800, -800, 800, 800)]
    wrong = shown(LEDGER).with_columns(
        shown=pl.when(pl.col("account") == "4010").then(-pl.col("shown")).otherwise("shown")
    )
    (cell,) = differing(compared(LEDGER, wrong)).iter_rows(named=True)
    assert (cell["f0911"], cell["anaplan"]) == (-800, 800)


def test_a_cell_of_two_signs_differs_by_what_anaplan_shows_too_much() -> None:
    both = cells(
        buckets({"amount": 500}, {"amount": -800, "account_id": "00000003"}),
        CHART, YEAR, flip=["4000-4999"], account=mapping("4010>5005"),
    )  # fmt: skip
    assert both.select("f0911", "value").rows() == [(-300, 1300)]
    assert differing(compared(both, shown(both))).is_empty()
    more = shown(both).with_columns(shown=pl.col("shown") + 25)
    (cell,) = compared(both, more).iter_rows(named=True)
    assert cell["anaplan"] - cell["f0911"] == 25


def test_december_with_its_thirteenth_period_is_one_cell_on_all_sides() -> None:
    december = cells(
        buckets(
            {"company": "00060", "period": 12, "amount": 70},
            {"company": "00060", "period": 13, "amount": 8},
        ),
        CHART, YEAR,
    )  # fmt: skip
    found = compared(december, shown(december))
    assert found.select("period", "f0911", "f0902", "anaplan").rows() == [(12, 78, 78, 78)]
    only_twelve = shown(december).with_columns(shown=pl.lit(70).cast(SHOWN["shown"]))
    assert differing(compared(december, only_twelve)).height == 1


def test_a_mapped_company_is_compared_under_the_code_anaplan_has() -> None:
    table = {"company": mapping("00001>US01")}
    mapped = cells(buckets({"amount": 500}), CHART, YEAR, **table)
    found = tie_out.compare(mapped, shown(mapped), members(**table))
    assert differing(found).is_empty()
    (row,) = tie_out.table(found, company_currencies(members(**table))).iter_rows(named=True)
    assert (row["company"], row["currency"]) == ("US01", "USD")


def test_a_stale_cell_of_two_companies_with_one_code_stands_in_the_earlier_period() -> None:
    """September 2025 is 2024-12 of the Oct–Sep company and 2025-09 of the other."""
    both = scope("00001", "00090", first="2024-01").member_frame()
    joined = shown_members(both, {"company": mapping("00090>00001")})
    stale = {"company": "00001", "account": "9999", "member": "Sep 25", "shown": Decimal(3)}
    for order in (joined, joined.reverse()):
        found = tie_out.compare(LEDGER.clear(), rows(SHOWN, [stale]), order)
        assert found.select("fiscal_year", "period").rows() == [(2024, 12)]


def test_a_held_cell_is_a_difference_of_the_tie_out_but_not_a_second_finding() -> None:
    held = cells(
        buckets({"amount": 5, "balance": 3, "state": "held", "reason": "unexplained"}), CHART, YEAR
    )
    found = compared(held, shown(held).with_columns(shown=pl.lit(4).cast(SHOWN["shown"])))
    assert differing(found).height == 1
    assert tie_out.difference_findings(found, CURRENCIES) == []


def test_foreign_currencies_are_told_apart_in_table_and_findings() -> None:
    """Rule 5: yen and euro are never added."""
    foreign = cells(
        buckets(
            {"ledger": "CA", "currency": "EUR", "amount": 5},
            {"ledger": "CA", "currency": "JPY", "amount": 700},
        ),
        CHART, YEAR,
    )  # fmt: skip
    found = compared(foreign, shown(foreign).clear())
    table = tie_out.table(found, CURRENCIES)
    assert table.select("currency", "f0911", "difference").rows() == [
        ("EUR", 5, 5), ("JPY", 700, 700),
    ]  # fmt: skip
    findings = tie_out.difference_findings(found, CURRENCIES)
    assert [(f.amount, f.currency) for f in findings] == [(5, "EUR"), (700, "JPY")]


CELL = st.fixed_dictionaries(
    {
        "company": st.sampled_from(["00001", "00060"]),
        "account": st.sampled_from(["5005", "4010"]),
        "business_unit": st.sampled_from(["30", "40"]),
        "member": st.sampled_from(["Jan 25", "Feb 25"]),
        "f0911": st.decimals(-1000, 1000, places=2),
        "f0902": st.decimals(-1000, 1000, places=2),
        "shown": st.none() | st.decimals(-1000, 1000, places=2),
        "sign": st.sampled_from([1, -1]),
        "only_in_anaplan": st.booleans(),
    }
)


def same_cell(cell: dict[str, Any]) -> tuple[str, ...]:
    """What makes two rows of CELL one cell."""
    return cell["company"], cell["account"], cell["business_unit"], cell["member"]


@given(st.lists(CELL, max_size=10, unique_by=same_cell))
def test_the_table_adds_up_to_the_cells_and_the_cells_to_both_sides(
    given_cells: list[dict[str, Any]],
) -> None:
    of_ledger = [c for c in given_cells if not c["only_in_anaplan"]]
    month = {"Jan 25": 1, "Feb 25": 2}
    ledger = rows(
        CELLS,
        [
            {k: v for k, v in c.items() if k in CELLS}
            | {"value": c["sign"] * c["f0911"], "fiscal_year": 2025, "period": month[c["member"]]}
            for c in of_ledger
        ],
    )
    in_anaplan = [c for c in given_cells if c["shown"] is not None]
    anaplan = rows(SHOWN, [{k: v for k, v in c.items() if k in SHOWN} for c in in_anaplan])
    found = compared(ledger, anaplan)
    expected = {same_cell(c) for c in of_ledger} | {same_cell(c) for c in in_anaplan}
    assert {same_cell(c) for c in found.iter_rows(named=True)} == expected
    assert found.height == len(expected)
    table = tie_out.table(found, CURRENCIES)
    for column in ("f0911", "f0902"):
        assert total(table, column) == total(ledger, column)
    assert total(found, "shown") == total(anaplan, "shown")
    assert table["cells"].sum() == found.height
    assert table["cells_differing"].sum() == differing(found).height
    assert (total(table, "difference") == 0) is differing(found).is_empty()
    gross = sum((abs(a) for a in found["anaplan"].to_list()), Decimal(0))
    assert total(table, "gross_anaplan") == gross


def test_an_empty_scope_makes_an_empty_table() -> None:
    nothing = compared(LEDGER.clear(), shown(LEDGER.clear()))
    assert tie_out.table(nothing, {}).is_empty()


def test_a_ledger_that_is_kept_in_one_currency_is_told_in_that_currency() -> None:
    """Rule 4: F0025's currency goes before the company's (XA is kept in euros here)."""
    restated = cells(buckets({"ledger": "XA", "amount": 5}, {"amount": 7}), CHART, YEAR)
    found = compared(restated, shown(restated).clear())
    table = tie_out.table(found, CURRENCIES, YEAR.denominated)
    assert table.select("ledger", "currency", "difference").rows() == [
        ("AA", "USD", 7), ("XA", "EUR", 5),
    ]  # fmt: skip
    findings = tie_out.difference_findings(found, CURRENCIES, YEAR.denominated)
    assert [(f.amount, f.currency) for f in findings] == [(7, "USD"), (5, "EUR")]
