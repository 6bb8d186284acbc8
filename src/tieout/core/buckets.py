"""Buckets: lines and balances summed to company, ledger, account id, fiscal year and period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import polars as pl

from tieout.core.frames import (
    ACCOUNT_YEARS,
    AMOUNT,
    BALANCES,
    BUCKET_KEY,
    BUCKETS,
    LINE_KEY,
    ZERO,
    Schema,
    as_schema,
    empty,
    sorted_by,
)
from tieout.core.periods import PERIODS_MAX
from tieout.errors import Refused

AMOUNT_DIGITS_MAX = 20  # JDE has 15; ten thousand million such amounts fit in AMOUNT
POSTED = "P"  # the only code of F0911.POST that counts (facts/jde-gl.md §2.9)
SUMMARY = "BF"  # document type of R09811's summaries; their details carry SUMM = Y
FOREIGN_LEDGER = "CA"

_KEY = list(BUCKET_KEY)
_GRAIN = [*BUCKET_KEY, "subledger", "subledger_type"]
# A fold of one read: what counts, and what was left out because a summary stands for it.
_FOLD = [*_KEY, "lines", "amount", "misdated", "left_out", "left_out_amount", "read"]
_FOLD_SCHEMA = {name: BUCKETS[name] for name in (*_KEY, "lines", "amount", "misdated")} | {
    "left_out": pl.Int64, "left_out_amount": AMOUNT, "read": pl.Int64,
}  # fmt: skip
# What proving made of one partition's rows, by what became of them: `rows` of buckets or lines.
PROVED_ROWS = {name: BUCKETS[name] for name in ("company", "ledger", "fiscal_year", "currency")} | {
    "run_number": pl.Int64,  # of the run that proved it, among the runs of its flow
    "what": pl.String,
    "rows": pl.Int64,
    "amount": AMOUNT,
}  # fmt: skip
_FOLDED = [*_GRAIN, "posted", "document_type", "summarized", "gl_date", "amount"]


def bucket_currency(ledger: str = "ledger", currency: str = "currency") -> pl.Expr:
    """CA is proved per currency; every other ledger over all currencies (facts/jde-gl.md §3.4)."""
    return pl.when(pl.col(ledger) == FOREIGN_LEDGER).then(pl.col(currency)).otherwise(pl.lit(""))


def fold_lines(lines: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Posted lines of one unit → one row per bucket and subledger, summarized details kept apart.

    `days` (company, fiscal_year, period, first_day, last_day) tells which lines carry a period that
    is not the one of their G/L date (rule 9). Details marked SUMM=Y and the BF row that replaces
    them may arrive in different units, so `add_folds` decides between them. Lines with any posted
    code but P are left out.
    """
    _check_size(lines, ["amount"])
    is_summary = (pl.col("document_type") == SUMMARY).fill_null(False)
    detail = (pl.col("summarized") == "Y").fill_null(False) & ~is_summary
    inside = pl.col("gl_date").is_between(pl.col("first_day"), pl.col("last_day")).fill_null(False)
    counted = {
        "lines": (~detail).cast(pl.Int64),
        "amount": pl.when(detail).then(ZERO).otherwise(pl.col("amount")),
        "detail_lines": detail.cast(pl.Int64),
        "detail_amount": pl.when(detail).then(pl.col("amount")).otherwise(ZERO),
        "summaries": is_summary.cast(pl.Int64),
        "misdated": (~inside & ~is_summary & ~detail).cast(pl.Int64),
        "detail_misdated": (~inside & detail).cast(pl.Int64),
    }
    return (
        lines.lazy()
        .select(_FOLDED)  # the other columns are not carried through the join
        .filter(pl.col("posted") == POSTED)
        .with_columns(currency=bucket_currency())
        .join(days.lazy(), on=["company", "fiscal_year", "period"], how="left", validate="m:1")
        .with_columns(**counted)
        .group_by(_GRAIN)
        .agg(pl.col(*counted).sum())
        .collect()
    )


def add_folds(parts: Iterable[pl.DataFrame], read: int) -> pl.DataFrame:
    """All units of one read → BUCKET_KEY, lines, amount, misdated, read; details count once.

    `left_out` and `left_out_amount` are the details that a summary stands for.
    """
    frames = [part for part in parts if not part.is_empty()]
    if not frames:
        return empty(_FOLD_SCHEMA)
    whole = pl.concat(frames).lazy().group_by(_GRAIN).agg(pl.all().sum())
    replaced = pl.col("summaries") > 0
    count = {
        name: pl.col(name) + pl.when(replaced).then(0).otherwise(pl.col(f"detail_{name}"))
        for name in ("lines", "misdated")
    }
    return (
        whole.with_columns(
            **count,
            amount=pl.col("amount")
            + pl.when(replaced).then(ZERO).otherwise(pl.col("detail_amount")),
            left_out=pl.when(replaced).then(pl.col("detail_lines")).otherwise(0),
            left_out_amount=pl.when(replaced).then(pl.col("detail_amount")).otherwise(ZERO),
        )
        .group_by(_KEY)
        .agg(
            lines=pl.col("lines").sum(),
            amount=pl.col("amount").sum().cast(AMOUNT),
            misdated=pl.col("misdated").sum(),
            left_out=pl.col("left_out").sum(),
            left_out_amount=pl.col("left_out_amount").sum().cast(AMOUNT),
        )
        .with_columns(read=pl.lit(read, pl.Int64))
        .collect()
    )


def join_folds(folds: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Folds of disjoint selections → one; a bucket split over selections is added up."""
    frames = [part.select(_FOLD) for part in folds if not part.is_empty()]
    if not frames:
        return empty(_FOLD_SCHEMA)
    counts = [pl.col(n).sum() for n in ("lines", "misdated", "left_out")]
    sums = [pl.col(n).sum().cast(AMOUNT) for n in ("amount", "left_out_amount")]
    return (
        pl.concat(frames).group_by(_KEY).agg(*counts, *sums, read=pl.col("read").max())
        .select(_FOLD)
    )  # fmt: skip


def no_lines(keys: pl.DataFrame, read: int) -> pl.DataFrame:
    """Buckets (BUCKET_KEY) that a read looked for and found without any line."""
    return keys.select(
        *_KEY, *(pl.lit(0, pl.Int64).alias(n) for n in ("lines", "misdated", "left_out")),
        amount=ZERO, left_out_amount=ZERO, read=pl.lit(read, pl.Int64),
    ).select(_FOLD)  # fmt: skip


def fold_balances(balances: pl.DataFrame, into: Schema = BALANCES) -> pl.DataFrame:
    """F0902 rows (net_01…net_14, debit_01…debit_14) → BALANCES, one row per period that moved.

    Summed over subledger, except into PLAN_BALANCES, and, except in CA, over currency.
    """
    _check_size(balances, [f"{part}_{n:02d}" for part in ("net", "debit") for n in range(1, 15)])
    rows = balances.with_columns(currency=bucket_currency())
    key = [name for name in into if name not in ("period", "balance", "debit")]
    numbers = [f"{n:02d}" for n in range(1, PERIODS_MAX + 1)]
    sums = [pl.col(f"{part}_{n}").sum().cast(AMOUNT) for part in ("net", "debit") for n in numbers]
    grouped = rows.group_by(key).agg(sums)
    parts = [
        grouped.select(
            *key,
            period=pl.lit(int(n), pl.Int16),
            balance=pl.col(f"net_{n}"),
            debit=pl.col(f"debit_{n}"),
        ).filter((pl.col("balance") != 0) | (pl.col("debit") != 0))
        for n in numbers
    ]
    return as_schema(pl.concat(parts), into)


def _check_size(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Refuse an amount so large that a sum of many could leave 38 digits: Polars would wrap it."""
    limit = Decimal(10) ** AMOUNT_DIGITS_MAX
    ends = [(c, [frame.get_column(c).min(), frame.get_column(c).max()]) for c in columns]
    large = [c for c, both in ends if any(isinstance(v, Decimal) and abs(v) >= limit for v in both)]
    if large:
        raise Refused(
            f"The ledger holds an amount of more than {AMOUNT_DIGITS_MAX} digits before the "
            f"decimal point (column {large[0]}).",
            untouched="Nothing was loaded.",
            do="Correct that amount in JD Edwards; its columns hold fifteen digits.",
        )


def account_years(balances: pl.DataFrame) -> pl.DataFrame:
    """ACCOUNT_YEARS: which accounts and years F0902 has a row for, moved or not."""
    rows = balances.with_columns(currency=bucket_currency())
    return as_schema(rows.select(*ACCOUNT_YEARS).unique(), ACCOUNT_YEARS)


def join_sides(lines: pl.DataFrame, balances: pl.DataFrame, years: pl.DataFrame) -> pl.DataFrame:
    """Full outer join of both folds into the BUCKETS schema; state and reason are still empty."""
    joined = lines.join(balances, on=_KEY, how="full", coalesce=True, validate="1:1")
    filled = joined.join(
        years.with_columns(has_balance=pl.lit(True)),
        on=list(ACCOUNT_YEARS),
        how="left",
        validate="m:1",
    ).with_columns(
        pl.col("lines").fill_null(0),
        pl.col("misdated").fill_null(0),
        pl.col("read").fill_null(0),
        pl.col("amount").fill_null(ZERO),
        pl.col("balance").fill_null(ZERO),
        pl.col("debit").fill_null(ZERO),
        pl.col("has_balance").fill_null(False),
        state=pl.lit(""),
        reason=pl.lit(""),
    )
    return sorted_by(as_schema(filled, BUCKETS), _KEY)


def moved_buckets(before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """BUCKET_KEY where balance or debit (of BALANCES) is not what it was, or is gone."""
    was = before.select(*_KEY, was_balance="balance", was_debit="debit")
    joined = was.join(now, on=_KEY, how="full", coalesce=True)
    changed = (pl.col("was_balance").fill_null(ZERO) != pl.col("balance").fill_null(ZERO)) | (
        pl.col("was_debit").fill_null(ZERO) != pl.col("debit").fill_null(ZERO)
    )
    return joined.filter(changed).select(_KEY).sort(_KEY)


def changed_lines(seen: pl.DataFrame, mirrored: pl.DataFrame) -> pl.DataFrame:
    """BUCKET_KEY of lines that are new, changed or no longer posted: where they were and are.

    `seen`: LINES just read; `mirrored`: the current posted LINES with the same keys.
    """
    kept = [
        "posted",
        "company",
        "account_id",
        "fiscal_year",
        "period",
        "amount",
        "currency",
        "summarized",
    ]
    columns = [*LINE_KEY, *kept]
    now, was = seen.select(columns), mirrored.select(columns)
    posted = now.filter(pl.col("posted") == POSTED)
    arrived = posted.join(was, on=columns, how="anti", nulls_equal=True)
    same_key = was.join(now, on=list(LINE_KEY), how="semi")
    left = same_key.join(posted, on=columns, how="anti", nulls_equal=True)
    both = pl.concat([arrived, left]).with_columns(currency=bucket_currency())
    return both.select(_KEY).unique().sort(_KEY)


def proved_rows(
    rows: pl.DataFrame, run_number: int, counts: Mapping[str, tuple[pl.Expr, pl.Expr]]
) -> pl.DataFrame:
    """`rows` of one partition (with BUCKET_KEY) added up to PROVED_ROWS.

    `counts`: by what became of them, how many and how much, as sums over `rows`.
    """
    if rows.is_empty():
        return empty(PROVED_ROWS)
    sums = [
        expression.alias(f"{what}|{name}")
        for what, both in counts.items()
        for name, expression in zip(("rows", "amount"), both, strict=True)
    ]
    first = rows.row(0, named=True)
    grouped = (
        rows.group_by("currency").agg(sums) if first["ledger"] == FOREIGN_LEDGER
        else rows.select(pl.lit(first["currency"]).alias("currency"), *sums)
    )  # fmt: skip
    place = {name: first[name] for name in ("company", "ledger", "fiscal_year")}
    told = [
        place | {
            "currency": row["currency"], "run_number": run_number, "what": what,
            "rows": row[f"{what}|rows"], "amount": row[f"{what}|amount"],
        }
        for row in grouped.iter_rows(named=True) for what in counts
    ]  # fmt: skip
    return pl.DataFrame(told, schema=PROVED_ROWS)
