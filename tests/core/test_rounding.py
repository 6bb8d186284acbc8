"""A plan amount is rounded once, exactly, and by the rule that is stated."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tieout.core.frames import PLAN_AMOUNT
from tieout.core.rounding import Rounding, quantised

MODES = {"half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN}
AMOUNTS = st.decimals(-(10**15), 10**15, places=18, allow_nan=False)
HALVES = st.integers(-(10**9), 10**9).map(lambda n: Decimal(n) / 2 / 1000)


def rounded(amount: Decimal, decimals: int, rounding: Rounding) -> Decimal:
    frame = pl.DataFrame(
        {"amount": [amount], "decimals": [decimals]},
        schema={"amount": PLAN_AMOUNT, "decimals": pl.Int8},
    )
    found = frame.select(quantised(pl.col("amount"), pl.col("decimals"), rounding))
    value: Decimal = found.item()
    return value


@given(st.one_of(AMOUNTS, HALVES), st.integers(0, 4), st.sampled_from(["half-up", "half-even"]))
@example(Decimal("-0.005"), 2, "half-up")
@example(Decimal("0.125"), 2, "half-even")
@example(Decimal("999999999999999.9999999999"), 2, "half-even")
def test_columns_round_exactly_as_decimal_arithmetic_does(
    amount: Decimal, decimals: int, rounding: Rounding
) -> None:
    with localcontext(prec=60):
        expected = amount.quantize(Decimal(1).scaleb(-decimals), MODES[rounding])
    assert rounded(amount, decimals, rounding) == expected


@pytest.mark.parametrize(
    ("amount", "decimals", "up", "even"),
    [
        ("83.333333333333333333", 2, "83.33", "83.33"),
        ("0.125", 2, "0.13", "0.12"),
        ("-0.125", 2, "-0.13", "-0.12"),
        ("2.5", 0, "3", "2"),  # a yen has no cents
        ("1.0005", 3, "1.001", "1.000"),  # a dinar has three
    ],
)
def test_a_half_goes_where_the_rule_says(amount: str, decimals: int, up: str, even: str) -> None:
    assert rounded(Decimal(amount), decimals, "half-up") == Decimal(up)
    assert rounded(Decimal(amount), decimals, "half-even") == Decimal(even)
