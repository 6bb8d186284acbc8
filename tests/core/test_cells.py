"""Rules 10 to 13 and 18: buckets folded into what Anaplan holds, and what of it must be sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from core_frames import SHOWN, accounts, buckets, cells, mapping, rows, scope, values
from hypothesis import given
from hypothesis import strategies as st

from tieout.core import cells as core
from tieout.core.frames import CELL_KEY, CELLS

KEY = list(CELL_KEY)
CHART = accounts(
    "00000001=30.5005", "00000002=30.5005.TRAVEL", "00000003=M30.000456", "00000004=40.4010",
    "00000005=30.49995",
)  # fmt: skip
YEAR = scope("00001", "00060", "00070", first="2025-01")


# -------------------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("object", ["5005", "5005", "000456", "4010", "49995"]),
        ("object.subsidiary", ["5005", "5005.TRAVEL", "000456", "4010", "49995"]),
        ("account", ["30.5005", "30.5005.TRAVEL", "M30.000456", "40.4010", "30.49995"]),
        ("account_id", [f"{n:08d}" for n in range(1, 6)]),
    ],
)
def test_codes_keep_their_leading_zeros_and_parts(rule: str, codes: list[str]) -> None:
    """Trap 10."""
    assert CHART.select(core.account_code(rule)).to_series().to_list() == codes


@pytest.mark.parametrize(
    ("ranges", "object_account", "inside"),
    [
        (["4000-4999"], "4000", True),
        (["4000-4999"], "4999", True),
        (["4000-4999"], "4999.X", True),  # all that begins with the last code
        (["4000-4999"], "49995", True),
        (["4000-4999"], "40000", True),
        (["4000-4999"], "3999", False),
        (["4000-4999"], "39999", False),
        (["4000-4999"], "5000", False),
        (["4000-4999"], "400", False),
        (["4000-4999"], "4", False),
        (["4000-4999"], "04500", False),
        (["400-49"], "4950", True),  # the last code is the shorter one
        (["400-49"], "5", False),
        (["4-5"], "5999", True),
        (["4000"], "4000", True),
        (["4000"], "4001", False),
        (["000456-000460"], "000456", True),
        (["000456-000460"], "456", False),
        (["456-460"], "000456", False),
        (["4A00-4B99"], "4AZZ", True),
        (["4A00-4B99"], "4C00", False),
        (["4A00-4B99"], "4999", False),
        (["1-2", "4000-4999"], "4500", True),
        ([], "4500", False),
        (["4000-4999"], "", False),
    ],
)
def test_a_sign_range_holds_the_objects_it_says(
    ranges: list[str], object_account: str, inside: bool
) -> None:
    frame = pl.DataFrame({"object_account": [object_account]})
    assert frame.select(core.flipped(ranges)).item() is inside


# --------------------------------------------------------------------------- fold

MONEY = st.decimals(-(10**12), 10**12, places=2)
BUCKET = st.fixed_dictionaries(
    {
        "company": st.sampled_from(["00001", "00060"]),
        "account_id": st.sampled_from([f"{n:08d}" for n in range(1, 7)]),  # 6 is in no chart
        "period": st.integers(1, 14),
        "amount": MONEY,
        "balance": MONEY,
        "state": st.sampled_from(["tied", "balance", "held"]),
        "reason": st.just(""),
    }
)


def same_bucket(bucket: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two rows of BUCKET one bucket."""
    return bucket["company"], bucket["account_id"], bucket["period"]


BUCKET_LISTS = st.lists(BUCKET, max_size=15, unique_by=same_bucket)
TABLES = st.fixed_dictionaries(
    {
        "account": st.sampled_from([mapping(), mapping("5005>4010", "000456>4010@2025-03")]),
        "business_unit": st.sampled_from([mapping(), mapping("30>X", "40>X", "M30>X@2025-07")]),
    }
)


@given(BUCKET_LISTS, TABLES, st.sampled_from([[], ["4000-4999"], ["5"], ["0-9"]]))
def test_folding_conserves_the_sums_of_every_company_and_month(
    given_buckets: list[dict[str, Any]], tables: dict[str, pl.DataFrame], flip: list[str]
) -> None:
    whole = buckets(*given_buckets)
    found = cells(whole, CHART, YEAR, flip=flip, **tables)
    spoken = pl.when(pl.col("state") == "balance").then("balance").otherwise("amount")
    month = pl.col("period").clip(upper_bound=12)
    expected = (
        whole.group_by("company", period=month)
        .agg(f0911=spoken.sum(), f0902=pl.col("balance").sum(), buckets=pl.len().cast(pl.Int64))
        .sort("company", "period")
    )
    actual = (
        found.group_by("company", "period")
        .agg(pl.col("f0911").sum(), pl.col("f0902").sum(), pl.col("buckets").sum())
        .sort("company", "period")
    )
    assert actual.equals(expected)
    assert not found.select(KEY).is_duplicated().any()


@given(BUCKET_LISTS, TABLES)
def test_flipping_every_sign_shows_every_amount_negated(
    given_buckets: list[dict[str, Any]], tables: dict[str, pl.DataFrame]
) -> None:
    known = [b for b in given_buckets if b["account_id"] != "00000006"]
    plain = cells(buckets(*known), CHART, YEAR, **tables)
    turned = cells(buckets(*known), CHART, YEAR, flip=["0-9"], **tables)
    assert turned.with_columns(value=-pl.col("value")).drop("sign").equals(plain.drop("sign"))


def test_a_bucket_of_balances_alone_gives_what_f0902_says() -> None:
    """Rule 18: history without lines is not zero."""
    found = cells(buckets({"amount": 0, "balance": 80, "state": "balance"}), CHART, YEAR)
    assert values(found) == {"5005 30 Jan 25": Decimal(80)}


def test_one_held_bucket_holds_its_whole_cell_and_no_other() -> None:
    table = mapping("5005.TRAVEL>5005")
    mixed = buckets(
        {"amount": 5},
        {"amount": 9, "account_id": "00000002", "state": "held", "reason": "unexplained"},
        {"amount": 1, "account_id": "00000003"},
    )
    found = cells(mixed, CHART, YEAR, account=table).sort("account")
    assert found.select("account", "held").rows() == [("000456", ""), ("5005", "unexplained")]


@pytest.mark.parametrize("code", ["object", "object.subsidiary", "account", "account_id"])
def test_an_account_that_f0901_never_showed_is_held_with_its_id(code: str) -> None:
    found = cells(buckets({"amount": 5, "account_id": "00000099"}), CHART, YEAR, code=code)
    (cell,) = found.iter_rows(named=True)
    assert cell["held"] == core.UNKNOWN_ACCOUNT
    assert "00000099" in cell["account"]


def test_an_account_that_f0901_shows_no_longer_keeps_its_cell_and_is_not_zeroed() -> None:
    known = core.remembered(CHART, CHART.filter(pl.col("account_id") != "00000001"))
    found = cells(buckets({"amount": 5}), known, YEAR)
    assert found.select("account", "held").rows() == [("5005", core.UNKNOWN_ACCOUNT)]
    proved = rows(SHOWN, found.select(*KEY, shown="value").to_dicts())
    assert core.touched(found, proved).is_empty()


def test_an_account_that_is_shown_again_is_free_again() -> None:
    hidden = core.remembered(CHART, CHART.filter(pl.col("account_id") != "00000001"))
    shown = core.remembered(hidden, CHART)
    assert not shown["gone"].any()
    assert core.remembered(hidden, hidden.filter(~pl.col("gone")).drop("gone"))["gone"].sum() == 1


def test_an_account_that_was_recoded_empties_its_old_cell_and_fills_the_new_one() -> None:
    before = cells(buckets({"amount": 5}), CHART, YEAR)
    proved = rows(SHOWN, before.select(*KEY, shown="value").to_dicts())
    recoded = accounts("00000001=30.5010")
    after = core.touched(cells(buckets({"amount": 5}), recoded, YEAR), proved)
    assert values(after) == {"5005 30 Jan 25": Decimal(0), "5010 30 Jan 25": Decimal(5)}
    assert after["held"].to_list() == ["", ""]


def test_a_doubled_account_stops_the_program_before_it_doubles_an_amount() -> None:
    with pytest.raises(pl.exceptions.ComputeError):
        cells(buckets({"amount": 5}), pl.concat([CHART, CHART]), YEAR)


def test_the_thirteenth_period_is_part_of_december_where_it_folds() -> None:
    """Trap 9."""
    year_end = buckets(
        {"company": "00060", "period": 12, "amount": 70},
        {"company": "00060", "period": 13, "amount": 8},
    )
    folded = cells(year_end, CHART, YEAR)
    assert folded.select("member", "value", "period").rows() == [("Dec 25", Decimal(78), 12)]
    apart = scope("00060", first="2025-01", last="2025-13", period_13={"default": "refuse"})
    found = cells(year_end, CHART, apart)
    assert found.select("member", "value", "held").rows() == [
        ("?2025-13", Decimal(8), core.PERIOD_REFUSED),
        ("Dec 25", Decimal(70), ""),
    ]
    (finding,) = core.refused_findings(found, {"00060": "USD"})
    assert (finding.rule, finding.amount, finding.currency) == ("period-refused", 8, "USD")
    assert "2025-13" in finding.what


def test_two_refused_periods_are_two_cells_and_two_findings() -> None:
    apart = scope("00060", last="2025-14", period_13={"default": "refuse"})
    refused = [(2024, 13, 8), (2025, 13, 9), (2025, 14, -9)]
    year_ends = buckets(
        *(
            {"company": "00060", "fiscal_year": year, "period": period, "amount": amount}
            for year, period, amount in refused
        )
    )
    found = cells(year_ends, CHART, apart)
    assert found.select("fiscal_year", "period", "value").rows() == refused
    told = core.refused_findings(found, {"00060": "USD"})
    assert [(f.subject[-7:], f.amount) for f in told] == [
        ("2024-13", 8), ("2025-13", 9), ("2025-14", 9),
    ]  # fmt: skip


def test_ledgers_and_foreign_currencies_stay_apart() -> None:
    several = buckets(
        {"amount": 110},
        {"amount": 100, "ledger": "CA", "currency": "EUR"},
        {"amount": 900, "ledger": "CA", "currency": "JPY"},
    )
    found = cells(several, CHART, YEAR)
    assert found.select("ledger", "currency", "value").rows() == [
        ("AA", "", Decimal(110)), ("CA", "EUR", Decimal(100)), ("CA", "JPY", Decimal(900)),
    ]  # fmt: skip


# ------------------------------------------------------------------------ touched


def cell_rows(*given_cells: dict[str, Any]) -> pl.DataFrame:
    """CELLS of company 00001, account 5005, unit 30, Jan 25, but for what is given."""
    return rows(CELLS, given_cells, company="00001", account="5005", business_unit="30",
                member="Jan 25", sign=1, buckets=1)  # fmt: skip


def shown_rows(*given_cells: dict[str, Any]) -> pl.DataFrame:
    """What Anaplan was proved to show, with the same defaults."""
    return rows(SHOWN, given_cells, company="00001", account="5005", business_unit="30",
                member="Jan 25")  # fmt: skip


def test_a_cell_is_sent_with_its_whole_new_value_never_with_a_delta() -> None:
    """Trap 3: 1,000 was loaded, 50 was posted since."""
    sent = core.touched(cell_rows({"value": 1050}), shown_rows({"shown": 1000}))
    assert values(sent) == {"5005 30 Jan 25": Decimal(1050)}


def test_a_value_that_vanished_is_sent_as_an_explicit_zero() -> None:
    """Trap 4: the line was voided, or moved to another period."""
    moved = core.touched(cell_rows({"value": 7, "member": "Feb 25"}), shown_rows({"shown": 7}))
    assert values(moved) == {"5005 30 Jan 25": Decimal(0), "5005 30 Feb 25": Decimal(7)}
    voided = core.touched(cell_rows({"value": 0}), shown_rows({"shown": 7}))
    assert values(voided) == {"5005 30 Jan 25": Decimal(0)}


def test_a_cell_that_never_had_a_value_is_not_sent_as_zero() -> None:
    assert core.touched(cell_rows({"value": 0}), shown_rows()).is_empty()
    assert core.touched(cell_rows(), shown_rows({"shown": 0})).is_empty()


def test_a_cell_whose_sign_flag_changed_is_sent_again() -> None:
    chart, one = accounts("00000001=30.4010"), buckets({"amount": -5})
    proved = rows(SHOWN, cells(one, chart, YEAR).select(*KEY, shown="value").to_dicts())
    sent = core.touched(cells(one, chart, YEAR, flip=["4000-4999"]), proved)
    assert values(sent) == {"4010 30 Jan 25": Decimal(5)}


CELL = st.fixed_dictionaries(
    {
        "account": st.sampled_from(["5005", "5010", "000456"]),
        "member": st.sampled_from(["Jan 25", "Feb 25"]),
        "value": st.sampled_from([Decimal(0), Decimal("0.01"), Decimal(5)]),
        "held": st.sampled_from(["", "unexplained"]),
    }
)


def same_cell(cell: dict[str, Any]) -> tuple[str, str]:
    """What makes two rows of CELL one cell."""
    return cell["account"], cell["member"]


CELL_LISTS = st.lists(CELL, max_size=6, unique_by=same_cell)


@given(CELL_LISTS, CELL_LISTS)
def test_what_is_touched_and_what_stays_proved_is_all_there_is(
    now: list[dict[str, Any]], was: list[dict[str, Any]]
) -> None:
    ledger = cell_rows(*now)
    proved = shown_rows(
        *({"shown": c["value"], **{k: c[k] for k in ("account", "member")}} for c in was)
    )
    touched = core.touched(ledger, proved)
    merged = {same_cell(c): c["shown"] for c in proved.iter_rows(named=True)}
    merged |= {same_cell(c): c["value"] for c in touched.iter_rows(named=True)}
    wanted = {same_cell(c): c["value"] for c in ledger.iter_rows(named=True)}
    for key in merged.keys() | wanted.keys():
        assert merged.get(key, 0) == wanted.get(key, 0)
    untouched = ledger.join(touched, on=KEY, how="anti").join(proved, on=KEY, how="left")
    assert (untouched["value"] == untouched["shown"].fill_null(0)).all()
    assert touched.height + untouched.height == len(
        {same_cell(c) for c in now} | {same_cell(c) for c in touched.iter_rows(named=True)}
    )
