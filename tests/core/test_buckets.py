"""Rules 1 to 6, 12 and 18: what the lines and the balances of the ledger add up to."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from core_frames import f0902, lines, rows, scope, total
from hypothesis import given
from hypothesis import strategies as st

from tieout.core import buckets as core
from tieout.core.frames import (
    ACCOUNT_YEARS,
    BALANCES,
    BUCKET_KEY,
    BUCKETS,
    LINE_KEY,
    LINES,
    as_schema,
    empty,
)
from tieout.errors import Refused

KEY = list(BUCKET_KEY)
DAYS = scope().days()


def folded(*units: pl.DataFrame) -> pl.DataFrame:
    """The buckets of some units, as one read."""
    return core.add_folds([core.fold_lines(unit, DAYS) for unit in units], 7)


def amounts(frame: pl.DataFrame) -> dict[tuple[str, ...], Decimal]:
    """company/ledger/currency → amount."""
    columns = ["company", "ledger", "currency"]
    return {row[:3]: row[3] for row in frame.select(*columns, "amount").sort(columns).iter_rows()}


MONEY = st.decimals(-(10**13), 10**13, places=2)
LINE = st.fixed_dictionaries(
    {
        "amount": MONEY,
        "company": st.sampled_from(["00001", "00060"]),
        "ledger": st.sampled_from(["AA", "CA"]),
        "currency": st.sampled_from(["USD", "EUR", ""]),
        "account_id": st.sampled_from(["00000001", "00000002"]),
        "period": st.integers(1, 14),
        "posted": st.sampled_from(["P", "P", "P", "", "M"]),
        "document_type": st.sampled_from(["JE", "JE", "PV", "BF"]),
        "summarized": st.sampled_from(["", "", "Y"]),
        "subledger": st.sampled_from(["", "00001001"]),
    }
)


def by_hand(given_lines: list[dict[str, Any]]) -> dict[tuple[Any, ...], Decimal]:
    """The same sums in plain Python: a summary stands in for its details, never beside them."""
    counted: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    posted = [row for row in given_lines if row["posted"] == "P"]

    def grain(row: dict[str, Any]) -> tuple[Any, ...]:
        currency = row["currency"] if row["ledger"] == "CA" else ""
        ids = (row["company"], row["ledger"], currency, row["account_id"])
        return (*ids, 2025, row["period"]), row["subledger"]

    summed = {grain(row) for row in posted if row["document_type"] == "BF"}
    for row in posted:
        detail = row["summarized"] == "Y" and row["document_type"] != "BF"
        counted[grain(row)[0]] += 0 if detail and grain(row) in summed else row["amount"]
    return dict(counted)


@given(st.lists(LINE, min_size=1, max_size=30), st.data())
def test_units_of_any_size_and_order_give_the_same_buckets(
    given_lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = lines(*given_lines)
    order = data.draw(st.permutations(range(len(given_lines))), label="order")
    cuts = data.draw(st.sets(st.integers(1, len(given_lines))), label="cuts")
    shuffled = whole[list(order)]
    edges = [0, *sorted(cuts), len(given_lines)]
    units = [shuffled[a:b] for a, b in pairwise(edges)]
    assert folded(whole).sort(KEY).equals(folded(*units).sort(KEY))
    found = {row[:6]: row[6] for row in folded(whole).select(*KEY, "amount").iter_rows()}
    assert found == by_hand(given_lines)


@given(st.lists(LINE, max_size=30))
def test_buckets_add_up_to_the_posted_lines(given_lines: list[dict[str, Any]]) -> None:
    plain = [row | {"summarized": "", "document_type": "JE"} for row in given_lines]
    posted = sum((row["amount"] for row in plain if row["posted"] == "P"), Decimal(0))
    assert total(folded(lines(*plain)), "amount") == posted


@pytest.mark.parametrize("code", ["", "M", "D", "p", " "])
def test_only_lines_with_posted_code_p_count(code: str) -> None:
    found = folded(lines({"amount": 7, "posted": code}, {"amount": 5}))
    assert found.select("lines", "amount").rows() == [(1, Decimal(5))]


def test_a_reversal_counts_only_after_its_own_post() -> None:
    """Trap 11: the mirror of an accrual stands unposted in the next month at first."""
    accrual = {"amount": 500, "reversal": "R"}
    mirror = {"amount": -500, "period": 2, "gl_date": date(2025, 2, 1), "posted": ""}
    before = folded(lines(accrual, mirror))
    assert before.select("period", "amount").rows() == [(1, Decimal(500))]
    after = folded(lines(accrual, mirror | {"posted": "P"})).sort("period")
    assert after.select("period", "amount").rows() == [(1, Decimal(500)), (2, Decimal(-500))]


def test_a_line_belongs_to_the_company_of_its_account_not_of_its_document() -> None:
    """Trap 5."""
    found = folded(lines({"amount": 100, "company": "00060", "document_company": "00001"}))
    assert amounts(found) == {("00060", "AA", ""): Decimal(100)}


def test_the_two_rows_of_a_foreign_line_are_never_added() -> None:
    """Trap 6: one EUR journal is AA 110 USD and CA 100 EUR."""
    pair = ({"amount": 110, "currency": "EUR"}, {"amount": 100, "currency": "EUR", "ledger": "CA"})
    other = {"amount": 9, "currency": "GBP", "ledger": "CA"}
    assert amounts(folded(lines(*pair, other))) == {
        ("00001", "AA", ""): Decimal(110),
        ("00001", "CA", "EUR"): Decimal(100),
        ("00001", "CA", "GBP"): Decimal(9),
    }


@pytest.mark.parametrize("together", [True, False])
def test_a_summary_and_its_details_count_once(together: bool) -> None:
    summary = {"amount": 30, "document_type": "BF", "document": 90}
    details = [{"amount": n, "summarized": "Y"} for n in (10, 20)]
    units = [lines(*details, summary)] if together else [lines(*details), lines(summary)]
    assert folded(*units).select("lines", "amount").rows() == [(1, Decimal(30))]


def test_details_without_their_summary_are_not_lost() -> None:
    """Rule 18: a summary in another subledger replaces nothing here."""
    details = [{"amount": n, "summarized": "Y"} for n in (10, 20)]
    summary = {"amount": 5, "document_type": "BF", "subledger": "00001001"}
    assert folded(lines(*details, summary)).select("lines", "amount").rows() == [(3, Decimal(35))]


@pytest.mark.parametrize(
    ("line", "misdated"),
    [
        ({"gl_date": date(2025, 1, 31)}, 0),
        ({"gl_date": date(2025, 2, 1)}, 1),
        ({"gl_date": date(2024, 1, 15)}, 1),
        ({"gl_date": date(2025, 12, 31), "company": "00060", "period": 13}, 0),
        ({"gl_date": date(2025, 12, 31), "company": "00060", "period": 12}, 1),
        ({"gl_date": date(2025, 12, 31), "period": 13}, 1),  # pattern R has no thirteenth
        ({"gl_date": date(2025, 11, 15), "company": "00090", "period": 2}, 0),  # trap 8
        ({"gl_date": date(2025, 11, 15), "company": "00090", "period": 2, "fiscal_year": 2026}, 1),
        ({"fiscal_year": 1999}, 1),
        ({"gl_date": date(2024, 12, 31), "document_type": "BF"}, 0),
        (
            {
                "gl_date": date(2024, 12, 31),
                "document_type": "##",
                "fiscal_year": 2024,
                "period": 12,
            },
            0,
        ),
    ],
)
def test_a_line_whose_period_is_not_that_of_its_date_is_counted(
    line: dict[str, Any], misdated: int
) -> None:
    found = folded(lines(line | {"amount": 1}))
    assert found.select("misdated", "amount").rows() == [(misdated, Decimal(1))]


def test_a_misdated_detail_that_its_summary_replaced_holds_nothing_back() -> None:
    detail = {"amount": 10, "summarized": "Y", "gl_date": date(2024, 6, 1)}
    summary = {"amount": 10, "document_type": "BF"}
    assert folded(lines(detail, summary))["misdated"].to_list() == [0]
    assert folded(lines(detail))["misdated"].to_list() == [1]


@given(st.lists(LINE, max_size=40), st.data())
def test_every_posted_line_is_folded_or_left_out_for_the_summary_that_stands_for_it(
    given_lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    posted = [row for row in given_lines if row["posted"] == "P"]
    cut = data.draw(st.integers(0, len(given_lines)))
    units = [lines(*part) for part in (given_lines[:cut], given_lines[cut:]) if part]

    for fold in (folded(*units), core.join_folds([folded(unit) for unit in units])):
        assert fold["lines"].sum() + fold["left_out"].sum() == len(posted)
        both = fold.select((pl.col("amount") + pl.col("left_out_amount")).sum()).item()
        assert both == sum(row["amount"] for row in posted)


def test_no_lines_give_no_buckets_in_the_declared_shape() -> None:
    none = folded(empty(LINES))
    assert none.is_empty()
    counted = ["lines", "amount", "misdated", "left_out", "left_out_amount", "read"]
    assert none.columns == [*KEY, *counted]


# ---------------------------------------------------------------------- balances

BALANCE = st.fixed_dictionaries(
    {
        "company": st.sampled_from(["00001", "00060"]),
        "ledger": st.sampled_from(["AA", "CA"]),
        "currency": st.sampled_from(["", "USD", "EUR"]),
        "account_id": st.sampled_from(["00000001", "00000002"]),
        "fiscal_year": st.sampled_from([2024, 2025]),
        "net_01": MONEY,
        "net_13": MONEY,
        "debit_01": MONEY,
    }
)


@given(st.lists(BALANCE, max_size=12))
def test_no_column_of_a_balance_row_is_lost(given_rows: list[dict[str, Any]]) -> None:
    found = core.fold_balances(f0902(*given_rows))
    for column, source in (("balance", ("net_01", "net_13")), ("debit", ("debit_01",))):
        expected = sum((row[c] for row in given_rows for c in source), Decimal(0))
        assert total(found, column) == expected
    assert set(found["period"].to_list()) <= {1, 13}
    assert not found.select(KEY).is_duplicated().any()


def test_a_balance_with_and_without_currency_is_one_balance() -> None:
    """Post by currency was switched on in mid-life: F0902 has two rows for one account and year."""
    pair = ({"currency": "", "net_01": 40}, {"currency": "USD", "net_01": 60})
    found = core.fold_balances(f0902(*pair))
    assert found.select("currency", "balance").rows() == [("", Decimal(100))]
    assert core.account_years(f0902(*pair)).height == 1
    foreign = core.fold_balances(f0902(*({**row, "ledger": "CA"} for row in pair)))
    assert foreign.height == 2


def test_debits_and_credits_that_cancel_still_make_a_bucket() -> None:
    found = core.fold_balances(f0902({"net_03": 0, "debit_03": 50}))
    assert found.select("period", "balance", "debit").rows() == [(3, Decimal(0), Decimal(50))]


BUCKET = st.fixed_dictionaries(
    {
        "company": st.sampled_from(["00001", "00060"]),
        "account_id": st.sampled_from(["00000001", "00000002", "00000003"]),
        "period": st.integers(1, 3),
        "amount": MONEY,
    }
)


def same_bucket(bucket: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two rows of BUCKET one bucket."""
    return bucket["company"], bucket["account_id"], bucket["period"]


@given(
    st.lists(BUCKET, max_size=10, unique_by=same_bucket),
    st.lists(BUCKET, max_size=10, unique_by=same_bucket),
)
def test_joining_both_sides_loses_no_line_and_no_balance(
    left: list[dict[str, Any]], right: list[dict[str, Any]]
) -> None:
    side = {name: BUCKETS[name] for name in (*KEY, "lines", "amount", "misdated", "read")}
    of_lines = rows(side, left, ledger="AA", fiscal_year=2025, lines=1, read=7)
    kept = [{**b, "balance": b["amount"]} for b in right]
    of_balances = rows(BALANCES, [{k: v for k, v in b.items() if k in BALANCES} for b in kept],
                       ledger="AA", fiscal_year=2025)  # fmt: skip
    years = as_schema(of_balances.select(*ACCOUNT_YEARS).unique(), ACCOUNT_YEARS)
    joined = core.join_sides(of_lines, of_balances, years)
    assert total(joined, "amount") == total(of_lines, "amount")
    assert total(joined, "balance") == total(of_balances, "balance")
    both = pl.concat([of_lines.select(KEY), of_balances.select(KEY)]).unique()
    assert joined.select(KEY).sort(KEY).equals(both.sort(KEY))
    has = joined.filter("has_balance").select(ACCOUNT_YEARS.keys()).unique()
    assert has.join(years, on=list(ACCOUNT_YEARS), how="anti").is_empty()


def test_a_doubled_account_year_stops_the_program_before_it_doubles_an_amount() -> None:
    balances = core.fold_balances(f0902({"net_01": 5}))
    years = core.account_years(f0902({"net_01": 5}))
    with pytest.raises(pl.exceptions.ComputeError):
        core.join_sides(folded(lines({"amount": 5})), balances, pl.concat([years, years]))


def test_folds_of_disjoint_selections_add_up_to_the_fold_of_all() -> None:
    parts = [lines({"amount": 5}), lines({"amount": 6, "document": 2})]
    joined = core.join_folds([folded(part) for part in parts])
    assert joined.select(KEY).equals(folded(*parts).select(KEY))
    assert joined["amount"].to_list() == [Decimal(11)]
    assert core.join_folds([]).is_empty()


@pytest.mark.parametrize("places", [2, 4])
def test_sums_of_the_largest_amounts_are_exact_to_the_last_digit(places: int) -> None:
    large = Decimal(10) ** 19 - Decimal(1).scaleb(-places)
    found = folded(lines(*({"amount": large} for _ in range(1000))))
    assert total(found, "amount") == large * 1000


@pytest.mark.parametrize("sign", [1, -1])
def test_an_amount_beyond_any_ledger_is_refused_and_never_wrapped(sign: int) -> None:
    with pytest.raises(Refused, match="more than 20 digits"):
        folded(lines({"amount": sign * Decimal(10) ** 21}))
    with pytest.raises(Refused, match="net_05"):
        core.fold_balances(f0902({"net_05": sign * Decimal(10) ** 21}))


def test_a_credit_of_nothing_is_zero_and_has_no_sign() -> None:
    found = folded(lines({"amount": Decimal("-0.00")}, {"amount": Decimal("0.00")}))
    assert str(found["amount"].to_list()[0]) in ("0", "0.0000")


# ------------------------------------------------------------------ what changed


def test_a_bucket_whose_balance_or_debit_moved_is_found_also_when_it_is_gone() -> None:
    before = core.fold_balances(
        f0902({"net_01": 1, "net_02": 2, "net_03": 3, "debit_05": 5, "net_06": 6})
    )
    now = core.fold_balances(
        f0902({"net_01": 1, "net_02": 9, "net_04": 4, "debit_05": 6, "net_06": 6})
    )
    assert core.moved_buckets(before, now)["period"].to_list() == [2, 3, 4, 5]
    assert core.moved_buckets(now, now).is_empty()


LINE_CHANGES = [
    ({}, []),
    ({"explanation": "new text", "reference_2": "x", "updated": date(2025, 9, 9)}, []),
    ({"amount": 11}, [1]),
    ({"posted": ""}, [1]),
    ({"period": 2}, [1, 2]),
    ({"fiscal_year": 2024}, [1, 1]),
    ({"account_id": "00000002"}, [1, 1]),
    ({"company": "00060"}, [1, 1]),
    ({"summarized": "Y"}, [1]),
]


@pytest.mark.parametrize(("change", "periods"), LINE_CHANGES)
def test_a_line_that_changed_makes_its_old_and_its_new_bucket_dirty(
    change: dict[str, Any], periods: list[int]
) -> None:
    was = {"amount": 10, "document": 1}
    dirty = core.changed_lines(lines(was | change), lines(was))
    assert dirty["period"].to_list() == periods


def test_a_new_posted_line_makes_its_bucket_dirty_and_an_unposted_one_does_not() -> None:
    assert core.changed_lines(lines({"amount": 1}), empty(LINES)).height == 1
    assert core.changed_lines(lines({"amount": 1, "posted": ""}), empty(LINES)).is_empty()


def test_the_same_document_number_of_another_company_or_ledger_is_another_line() -> None:
    """Rule 2: seven columns are the identity of a line."""
    one = lines({"amount": 1, "document": 1})
    for name in LINE_KEY:
        other = one.with_columns(
            pl.lit(date(2025, 1, 16)).alias(name) if name == "gl_date"
            else pl.lit(2, pl.Int64).alias(name) if name == "document"
            else pl.lit("Z").alias(name)
        )  # fmt: skip
        assert core.changed_lines(other, one).height == 1, name


def test_a_summary_of_another_subledger_type_replaces_nothing() -> None:
    """Rule 18: the type is part of the subledger."""
    same = {"subledger": "00001001"}
    details = [{"amount": n, "summarized": "Y", "subledger_type": "C"} | same for n in (10, 20)]
    summary = {"amount": 5, "document_type": "BF", "subledger_type": "A"} | same
    (row,) = folded(lines(*details, summary)).select("lines", "amount").rows()
    assert row == (3, 35)
