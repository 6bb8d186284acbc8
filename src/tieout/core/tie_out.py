"""The tie-out: F0911 = F0902 = Anaplan, cell by cell, as a full outer join of the whole scope."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tieout.core.cells import NONE, kept_in
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, CELL_KEY, ZERO, sorted_by

_KEY = list(CELL_KEY)
SUBJECTS_SHOWN_MAX = 3


def compare(cells: pl.DataFrame, anaplan: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Full outer join of the ledger's cells and Anaplan's (CELL_KEY, shown).

    Returns CELL_KEY, ledger_company, fiscal_year, period, f0911, f0902, anaplan (all in ledger
    sign), value, shown (in Anaplan's sign), held. Anaplan cells outside the scope are left out;
    `members` (company, member, ledger_company, fiscal_year, period) says what is inside.
    """
    inside = (
        members.select(
            "company",
            "member",
            in_year="fiscal_year",
            in_period="period",
            in_company=members.get_column("ledger_company", default=members["company"]),
        )
        # Of companies that share a code: the first.
        .sort("company", "member", "in_year", "in_period", "in_company")
        .unique(["company", "member"], keep="first", maintain_order=True)
    )
    read = anaplan.join(inside, on=["company", "member"], how="inner")
    joined = (
        cells.join(read, on=_KEY, how="full", coalesce=True)
        .with_columns(
            pl.col("ledger_company").fill_null(pl.col("in_company")),
            pl.col("fiscal_year").fill_null(pl.col("in_year")),
            pl.col("period").fill_null(pl.col("in_period")),
            pl.col("sign").fill_null(1),
            pl.col("held").fill_null(""),
            in_ledger=pl.col("value").is_not_null(),
            **{c: pl.col(c).fill_null(ZERO) for c in ("f0911", "f0902", "value", "shown")},
        )
        .with_columns(
            # Exact also where a cell mixes signs: it differs by what Anaplan shows too much.
            anaplan=(
                pl.col("f0911")
                + pl.when(pl.col("sign") < 0)
                .then(pl.col("value") - pl.col("shown"))
                .otherwise(pl.col("shown") - pl.col("value"))
            ).cast(AMOUNT)
        )
    )
    columns = [
        "ledger_company",
        "fiscal_year",
        "period",
        "f0911",
        "f0902",
        "anaplan",
        "value",
        "shown",
        "held",
        "in_ledger",
    ]
    return sorted_by(joined.select(*_KEY, *columns), _KEY)


def differs() -> pl.Expr:
    """Whether a compared cell's three values are not all equal."""
    return (pl.col("f0911") != pl.col("f0902")) | (pl.col("f0911") != pl.col("anaplan"))


def table(
    compared: pl.DataFrame, currencies: Mapping[str, str], denominated: Mapping[str, str] = NONE
) -> pl.DataFrame:
    """One row per company, ledger, currency and period, with counts, sums and difference.

    `gross_*` sums absolute cell values; `difference` sums absolute cell differences (the larger of
    F0911 − F0902 and F0911 − Anaplan). `currencies`, `denominated`: as for `cells.kept_in`.
    """
    gap = pl.max_horizontal(
        (pl.col("f0911") - pl.col("f0902")).abs(), (pl.col("f0911") - pl.col("anaplan")).abs()
    )
    return (
        compared.with_columns(currency=kept_in(currencies, denominated), gap=gap)
        .group_by("company", "ledger", "currency", "fiscal_year", "period")
        .agg(
            cells=pl.len(),
            cells_differing=(pl.col("gap") != 0).sum(),
            gross_f0911=pl.col("f0911").abs().sum().cast(AMOUNT),
            gross_f0902=pl.col("f0902").abs().sum().cast(AMOUNT),
            gross_anaplan=pl.col("anaplan").abs().sum().cast(AMOUNT),
            f0911=pl.col("f0911").sum().cast(AMOUNT),
            f0902=pl.col("f0902").sum().cast(AMOUNT),
            anaplan=pl.col("anaplan").sum().cast(AMOUNT),
            difference=pl.col("gap").sum().cast(AMOUNT),
        )
        .sort("company", "ledger", "currency", "fiscal_year", "period")
    )


def difference_findings(
    compared: pl.DataFrame, currencies: Mapping[str, str], denominated: Mapping[str, str] = NONE
) -> list[Finding]:
    """Anaplan's differences, one per company, period and kind; held cells are told elsewhere."""
    differing = (pl.col("value") != pl.col("shown")) & (pl.col("held") == "")
    shown = compared.filter(differing).with_columns(
        currency=kept_in(currencies, denominated),
        rule=pl.when(~pl.col("in_ledger")).then(pl.lit("not-of-the-ledger"))
        .when(pl.col("shown") == 0).then(pl.lit("anaplan-wiped"))
        .otherwise(pl.lit("anaplan-differs"))
    )  # fmt: skip
    groups = (
        shown.group_by("rule", "company", "ledger", "currency", "fiscal_year", "period")
        .agg(
            cells=pl.len(),
            amount=(pl.col("anaplan") - pl.col("f0911")).abs().sum().cast(AMOUNT),
            subjects=pl.concat_str("account", pl.lit(" × "), "business_unit")
            .sort()
            .head(SUBJECTS_SHOWN_MAX),
        )
        .sort("company", "ledger", "currency", "fiscal_year", "period", "rule")
    )
    words = {
        "not-of-the-ledger": "with an amount in Anaplan that the ledger does not have",
        "anaplan-wiped": "empty in Anaplan although the ledger has an amount",
        "anaplan-differs": "with another amount in Anaplan than in the ledger",
    }
    return [
        Finding(
            row["rule"], Severity.DIFFERENCE,
            f"company {row['company']}, ledger {row['ledger'] or 'all'}, "
            f"{row['fiscal_year']}-{row['period']:02d}",
            f"{counted(row['cells'], 'cell')} {words[row['rule']]} ({', '.join(row['subjects'])}"
            f"{'…' if row['cells'] > len(row['subjects']) else ''}).",
            "The next run sends these cells again; find out who or what changed them in Anaplan.",
            row["company"], amount=row["amount"],
            currency=row["currency"],
            cells=row["cells"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip
