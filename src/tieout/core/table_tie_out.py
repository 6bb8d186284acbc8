"""What Anaplan shows beside what a table says: every number of every cell, and every text."""

from __future__ import annotations

import polars as pl

from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, ZERO, Schema, empty
from tieout.core.table import CURRENCY, HELD, ROWS, Shape, currency_column, subjects

COMPARED: Schema = {
    "item": pl.String, "value": AMOUNT, "shown": AMOUNT, CURRENCY: pl.String,
    "in_table": pl.Boolean, "waits": pl.String,
}  # fmt: skip


def compare(
    cells: pl.DataFrame, shown: pl.DataFrame, waiting: pl.DataFrame, shape: Shape
) -> pl.DataFrame:
    """Full outer join, a row per cell and number: identify, COMPARED.

    `waiting` (identify, held) are the cells that were not sent, and why.
    """
    key = list(shape.identify)
    ours = cells.with_columns(in_table=pl.lit(True)).drop(HELD, ROWS)
    both = ours.join(shown.select(shape.schema.keys()), on=key, how="full", coalesce=True,
                     suffix="\nshown")  # fmt: skip
    both = both.join(waiting.select(*key, waits=HELD), on=key, how="left").with_columns(
        pl.col("in_table").fill_null(False),
        pl.col("waits").fill_null(""),
    )  # fmt: skip
    beside = ["in_table", "waits"]
    parts = [
        both.select(
            *key, *beside, pl.col(currency_column(h)).fill_null("").alias(CURRENCY),
            item=pl.lit(h), value=pl.col(h).fill_null(ZERO),
            shown=pl.col(f"{h}\nshown").fill_null(ZERO),
        ).filter(pl.col("in_table") | (pl.col("shown") != 0))
        for h in shape.numbers
    ]  # fmt: skip
    schema = {**dict.fromkeys(key, pl.String), **COMPARED}
    return pl.concat([empty(schema), *(p.select(schema.keys()) for p in parts)])


def texts_apart(cells: pl.DataFrame, shown: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Items of a list that Anaplan has with another text: identify, item, value, shown."""
    key = list(shape.identify)
    both = cells.join(shown.select(shape.schema.keys()), on=key, how="inner", suffix="\nshown")
    parts = [
        both.select(*key, item=pl.lit(t), value=pl.col(t), shown=pl.col(f"{t}\nshown"))
        .filter(pl.col("value") != pl.col("shown"))
        for t in shape.texts
    ]  # fmt: skip
    schema = {**dict.fromkeys(key, pl.String), "item": pl.String, "value": pl.String,
              "shown": pl.String}  # fmt: skip
    return pl.concat([empty(schema), *parts])


def difference_findings(compared: pl.DataFrame, shape: Shape, table: str) -> list[Finding]:
    """What Anaplan shows otherwise than the table says, by number, currency and kind.

    Cells that were not sent are told where they were held back.
    """
    rule = (
        pl.when(~pl.col("in_table")).then(pl.lit("not-of-the-table"))
        .when(pl.col("shown") == 0).then(pl.lit("anaplan-wiped"))
        .otherwise(pl.lit("anaplan-differs"))
    )  # fmt: skip
    apart = compared.filter((pl.col("value") != pl.col("shown")) & (pl.col("waits") == ""))
    words = {
        "not-of-the-table": f"with a number in Anaplan that no row of {table} stands behind",
        "anaplan-wiped": f"empty in Anaplan although {table} has a number",
        "anaplan-differs": f"with another number in Anaplan than {table} says",
    }
    found = []
    by = ["rule", "item", CURRENCY]
    groups = apart.with_columns(rule=rule).sort(by).group_by(by, maintain_order=True)
    for (why, item, currency), some in groups:
        gap = some.select((pl.col("value") - pl.col("shown")).abs().sum()).item()
        found.append(
            Finding(
                str(why), Severity.DIFFERENCE, f"{item}: {subjects(some, shape)}",
                f"{counted(some.height, 'cell')} {words[str(why)]}.",
                "The next run sends these cells again; find out who or what changed them in "
                "Anaplan.", amount=gap if currency else None, currency=str(currency),
                cells=some.height,
            )
        )  # fmt: skip
    return found


def table_of(compared: pl.DataFrame) -> pl.DataFrame:
    """A row per number and currency: cells, cells_differing, sums and difference.

    Amounts without a currency of their own are a control total only.
    """
    gap = (pl.col("value") - pl.col("shown")).abs()
    return (
        compared.group_by("item", CURRENCY, maintain_order=True)
        .agg(
            cells=pl.len(), cells_differing=(gap != 0).sum(),
            gross_table=pl.col("value").abs().sum().cast(AMOUNT),
            gross_anaplan=pl.col("shown").abs().sum().cast(AMOUNT),
            table=pl.col("value").sum().cast(AMOUNT), anaplan=pl.col("shown").sum().cast(AMOUNT),
            difference=gap.sum().cast(AMOUNT),
        )
        .sort("item", CURRENCY)
    )  # fmt: skip
