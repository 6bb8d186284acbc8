"""Members of an exported plan as codes: an export shows names or codes, the ledger knows codes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, PLAN, as_schema

PLAN_MEMBER = "plan-member"
DIMENSIONS = {"company": "company", "account": "account", "business_unit": "business unit"}
FINDINGS_MAX = 20  # per dimension; the rest is counted in one more

_UNKNOWN = "is no lowest member of the Anaplan list: it is a total, or not there"
_AMBIGUOUS = "is the name of one member of the Anaplan list and the name or code of another"
_NO_CODE = "is a member of the Anaplan list without a code"
_MANY = "are no lowest members of the Anaplan list, or could be two of them"
_REMEDIES = {
    _UNKNOWN: "Ask the planner to plan on lowest members, or the Anaplan administrator to leave "
    "totals out of the exported view; then prepare again.",
    _AMBIGUOUS: "Ask the Anaplan administrator to rename one of the two, or to export codes; then "
    "prepare again.",
    _MANY: "Correct the values above, then prepare again.",
    _NO_CODE: "Ask the Anaplan administrator to give it JD Edwards' code; then prepare again.",
}


def in_codes(
    rows: pl.DataFrame, members: Mapping[str, pl.DataFrame]
) -> tuple[pl.DataFrame, list[Finding]]:
    """PLAN with codes instead of names, and findings about what is neither, or could be either.

    `members`: dimension → name and code of its lowest members; a list with its totals tells them by
    `is_parent`. No row is dropped: a value that is not understood stays as it is, so that a
    complete plan can leave its cells alone. Its finding is a note where none of its rows is
    approved, because then none would be sent.
    """
    findings: list[Finding] = []
    codes = as_schema(rows, PLAN)
    for dimension in DIMENSIONS:
        if dimension in members:
            table = _understood(rows[dimension], members[dimension])
            codes = codes.with_columns(
                pl.col(dimension).replace_strict(table["value"], table["code"], default=None)
            )
            findings += _findings(rows, dimension, table.filter(pl.col("fault").is_not_null()))
    return codes, findings


def _understood(values: pl.Series, members: pl.DataFrame) -> pl.DataFrame:
    """Each value once: value, the code it means (else itself), and why it means none."""
    known = members.with_columns(pl.col("name", "code").fill_null(""))
    if "is_parent" not in members.columns:
        known = known.with_columns(is_parent=pl.lit(False))
    lowest, totals = known.filter(~pl.col("is_parent")), known.filter("is_parent")
    of_names = lowest.group_by(value="name").agg(
        named=pl.col("code").first(), several=pl.col("code").n_unique() > 1
    )
    of_codes = lowest.filter(pl.col("code") != "").select(value="code", coded="code").unique()
    shown = pl.DataFrame({"value": values.drop_nulls().unique()})
    table = shown.join(of_names, on="value", how="left").join(of_codes, on="value", how="left")
    named, coded = pl.col("named"), pl.col("coded")
    of_totals = pl.concat([totals["name"], totals["code"].filter(totals["code"] != "")])
    total = pl.col("value").is_in(of_totals.implode())
    fault = (
        pl.when(named.is_null() & coded.is_null()).then(pl.lit(_UNKNOWN))
        .when(pl.col("several").fill_null(False) | total | (named != coded).fill_null(False))
        .then(pl.lit(_AMBIGUOUS))
        .when(named == "").then(pl.lit(_NO_CODE))
    )  # fmt: skip
    means = pl.when(fault.is_null()).then(pl.coalesce(named, coded)).otherwise(pl.col("value"))
    return table.select("value", code=means, fault=fault)


def _findings(rows: pl.DataFrame, dimension: str, faulty: pl.DataFrame) -> list[Finding]:
    """One finding per value, those of the largest amounts first; the rest is added up."""
    values = (
        rows.join(faulty, left_on=dimension, right_on="value")
        .group_by(pl.col(dimension).alias("value"), "fault")
        .agg(
            cells=pl.len(),
            amount=pl.col("amount").abs().cast(AMOUNT).sum(),
            approved=pl.col("approved").any(),
        )
        .sort("amount", "value", descending=[True, False])
    )
    found = [
        _finding(dimension, f"{DIMENSIONS[dimension]} {row[0] or '(blank)'}", *row)
        for row in values.head(FINDINGS_MAX).iter_rows()
    ]
    rest = values.slice(FINDINGS_MAX)
    if rest.height:
        sums = rest.select(
            value=pl.lit(""), fault=pl.lit(_MANY), cells=pl.col("cells").sum(),
            amount=pl.col("amount").sum(), approved=pl.col("approved").any(),
        )  # fmt: skip
        subject = f"{rest.height:,} more values of {DIMENSIONS[dimension]}"
        found.append(_finding(dimension, subject, *sums.row(0)))
    return found


def _finding(
    dimension: str, subject: str, value: str, fault: str, cells: int, amount: Decimal,
    approved: bool,
) -> Finding:  # fmt: skip
    return Finding(
        PLAN_MEMBER, Severity.REJECT if approved else Severity.NOTE, subject,
        f"{subject[0].upper()}{subject[1:]} of the plan {fault}; {counted(cells, 'row')} of the "
        "export cannot be sent.",
        _REMEDIES[fault], company=value if dimension == "company" else "", dimension=dimension,
        member=value, amount=amount, cells=cells,
    )  # fmt: skip
