"""Rounding: a plan amount becomes an amount of its currency once, exactly and by a stated rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import polars as pl

from tieout.core.frames import AMOUNT, AMOUNT_DECIMALS, PLAN_AMOUNT

Rounding = Literal["half-up", "half-even"]

_NOTHING = pl.lit(0).cast(PLAN_AMOUNT)


def smallest_unit(decimals: pl.Expr) -> pl.Expr:
    """One unit of the last place of a currency; an amount holds four decimals at most."""
    unit = pl.lit(Decimal(1).scaleb(-AMOUNT_DECIMALS)).cast(PLAN_AMOUNT)
    for places in range(AMOUNT_DECIMALS):
        larger = pl.lit(Decimal(1).scaleb(-places)).cast(PLAN_AMOUNT)
        unit = pl.when(decimals == places).then(larger).otherwise(unit)
    return unit


def quantised(amount: pl.Expr, decimals: pl.Expr, rounding: Rounding) -> pl.Expr:
    """`amount` (PLAN_AMOUNT) as AMOUNT, rounded to `decimals` places.

    A half goes away from zero (half-up, as people round) or to the even neighbour (half-even). Only
    remainders of exact decimals are taken, so nothing is lost on the way.
    """
    unit = smallest_unit(decimals)
    size = amount.abs()
    rest = size % unit
    down = size - rest
    half = rest + rest
    up = half >= unit
    if rounding == "half-even":
        odd = down % (unit + unit) != _NOTHING
        up = (half > unit) | ((half == unit) & odd)
    found = pl.when(up).then(down + unit).otherwise(down)
    return pl.when(amount < _NOTHING).then(-found).otherwise(found).cast(AMOUNT)
