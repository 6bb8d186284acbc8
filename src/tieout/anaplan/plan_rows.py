"""The file of an exported plan, and of its control export, as exact columns or as findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tieout.anaplan.exports import IGNORED, ExportLayout, check_export_columns
from tieout.anaplan.sign_in import WHO
from tieout.anaplan.wire import rows_of
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import PLAN, PLAN_AMOUNT, PLAN_CONTROL, PLAN_DECIMALS, as_schema
from tieout.errors import Misconfigured, Refused
from tieout.strict_json import plain

PLAN_NEEDED = ("company", "account", "business_unit", "period", "amount")
PLAN_MEANINGS = (*PLAN_NEEDED, "version", "currency", "approved", "approver", IGNORED)
CONTROL_NEEDED = ("company", "period", "rows", "amount")
CONTROL_MEANINGS = (*CONTROL_NEEDED, "version", IGNORED)
UNREADABLE = "plan-unreadable"
WHOLE_DIGITS = 38 - PLAN_DECIMALS  # before the decimal point of PLAN_AMOUNT
COUNT_DIGITS = 18  # what an Int64 holds whatever they are
EXAMPLES_SHOWN_MAX = 3
EXAMPLE_CHARACTERS_MAX = 40
NOTHING_PREPARED = "Nothing was prepared."

# Numbers as they are read, and no others; what is none of them is never guessed at.
_NUMBER = rf"^-?[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,{PLAN_DECIMALS}}})?$"
_LONG = rf"^-?[0-9]{{{WHOLE_DIGITS + 1},}}(\.[0-9]+)?$"
_FINE = rf"^-?[0-9]+\.[0-9]{{{PLAN_DECIMALS + 1},}}$"
_COUNT = rf"^[0-9]{{1,{COUNT_DIGITS}}}(\.0+)?$"

_NO_NUMBER = "no plain number"
_TOO_LONG = f"more than {WHOLE_DIGITS} digits before the decimal point"
_TOO_FINE = f"more than {PLAN_DECIMALS} decimals"
_NO_YES = "neither true nor false"
_NO_COUNT = "no whole number"
_NOTHING = "nothing"
_PLANNER, _MODEL = "Ask the planner to ", "Ask the Anaplan administrator to "
_REMEDIES = {
    _NO_NUMBER: _MODEL + "export it as a number: a point before decimals, no thousands separators, "
    "currency signs, brackets or exponents; then prepare again.",
    _TOO_LONG: _PLANNER + "correct the amounts; then prepare again.",
    _TOO_FINE: _PLANNER + f"round to {PLAN_DECIMALS} decimals at most; then prepare again.",
    _NO_YES: _MODEL + "make it a line item of format boolean; then prepare again.",
}


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """What one column holds that cannot be read, and in how many rows."""

    header: str
    kind: str
    rows: int
    examples: Sequence[str]

    def sentence(self, export: str) -> str:
        shown = [repr(plain(e[:EXAMPLE_CHARACTERS_MAX])) for e in self.examples if e]
        told = f": {', '.join(shown)}" if shown else ""
        return (
            f"The column {self.header!r} of the export {export!r} holds {self.kind} in "
            f"{counted(self.rows, 'row')}{told}."
        )


def plan_rows(
    data: bytes, layout: ExportLayout, columns: Mapping[str, str]
) -> tuple[pl.DataFrame, list[Finding]]:
    """The file of an exported plan → PLAN, one row for each of its rows, and what is unreadable.

    `columns`: header → one of PLAN_MEANINGS. Members stay as the export shows them, names or codes.
    A blank amount is null. An unreadable amount is null and an unreadable approval is none, each
    with a finding; the row stays, because a complete plan brings to zero what it does not name.
    """
    headers = _headers(layout, columns, PLAN_NEEDED, PLAN_MEANINGS)
    rows = _read(data, layout, headers)
    amount = _amount_fault(rows["amount"])
    unreadable = _unreadable(headers["amount"], rows["amount"], amount)
    approved = pl.lit(True)
    if "approved" in headers:
        said = rows["approved"].str.to_lowercase()
        approved = pl.lit(said == "true")
        fault = said.is_in(["true", "false"]).not_().replace_strict({True: _NO_YES}, default=None)
        unreadable += _unreadable(headers["approved"], rows["approved"], fault)
    frame = rows.with_columns(
        member=pl.col("period"),
        version=_or_blank("version", headers),
        currency=_or_blank("currency", headers),
        amount=_exact(rows["amount"], amount),
        approved=approved,
        approver=pl.col("approver") if "approver" in headers else pl.lit(None, pl.String),
    )
    findings = [
        Finding(
            UNREADABLE, Severity.REJECT, f"column {u.header}, {u.kind}",
            u.sentence(layout.name) + " These rows are not sent.", _REMEDIES[u.kind], cells=u.rows,
        )
        for u in unreadable
    ]  # fmt: skip
    return as_schema(frame, PLAN), findings


def control_rows(data: bytes, layout: ExportLayout, columns: Mapping[str, str]) -> pl.DataFrame:
    """The file of a control export → PLAN_CONTROL; Refused if anything is unreadable.

    `columns`: header → one of CONTROL_MEANINGS. Without a version, `version` is "".
    """
    headers = _headers(layout, columns, CONTROL_NEEDED, CONTROL_MEANINGS)
    rows = _read(data, layout, headers)
    count, amount = rows["rows"], rows["amount"]
    fault = _amount_fault(amount)
    no_amount = pl.select(pl.when(amount == "").then(pl.lit(_NOTHING)).otherwise(fault)).to_series()
    no_count = (~count.str.contains(_COUNT)).replace_strict({True: _NO_COUNT}, default=None)
    unreadable = [
        *_unreadable(headers["rows"], count, no_count),
        *_unreadable(headers["amount"], amount, no_amount),
    ]
    if unreadable:
        raise Refused(
            " ".join(u.sentence(layout.name) for u in unreadable),
            untouched=NOTHING_PREPARED,
            do="Correct the control export, or `columns` of the flow; then prepare again.", who=WHO,
        )  # fmt: skip
    frame = rows.with_columns(
        member=pl.col("period"),
        version=_or_blank("version", headers),
        rows=count.str.extract(r"^([0-9]+)"),
    )
    return as_schema(frame, PLAN_CONTROL)


def _headers(
    layout: ExportLayout, columns: Mapping[str, str], needed: Collection[str],
    known: Collection[str],
) -> dict[str, str]:  # fmt: skip
    """Meaning → header, when the export and the flow fit each other; else Misconfigured."""
    check_export_columns(layout, columns)
    used = [m for m in columns.values() if m != IGNORED]
    problems = [f"{m!r} means nothing" for m in sorted(set(used) - set(known))]
    problems += [f"no column means {m!r}" for m in needed if m not in used]
    problems += [f"several columns mean {m!r}" for m in sorted(set(used)) if used.count(m) > 1]
    if problems:
        raise Misconfigured(
            f"The columns of the export {layout.name!r} are not usable: {'; '.join(problems)}.",
            untouched=NOTHING_PREPARED,
            do=f"Correct `columns` of the flow; a column may mean {', '.join(known)}.",
        )
    return {meaning: header for header, meaning in columns.items() if meaning != IGNORED}


def _read(data: bytes, layout: ExportLayout, headers: Mapping[str, str]) -> pl.DataFrame:
    """The columns that have a meaning, under its name, as text."""
    rows = rows_of(data, f"export {layout.name!r}")
    if rows.width and tuple(rows.columns) != layout.headers:
        raise Refused(
            f"The export {layout.name!r} came with the columns {plain(', '.join(rows.columns))}, "
            f"and Anaplan describes it with {plain(', '.join(layout.headers))}.",
            untouched=NOTHING_PREPARED,
            do="Prepare again, in case it was changed meanwhile; if it stays so, define the export "
            "again.", who=WHO,
        )  # fmt: skip
    if not rows.height:
        raise Refused(
            f"The export {layout.name!r} is empty.",
            untouched=NOTHING_PREPARED,
            do="Ask the planners whether anything is approved; if so, look at the filters of the "
            "view it exports, and at what this user may read.", who=f"the planners, or {WHO}",
        )  # fmt: skip
    return rows.select(pl.col(header).alias(meaning) for meaning, header in headers.items())


def _or_blank(meaning: str, headers: Mapping[str, str]) -> pl.Expr:
    return pl.col(meaning) if meaning in headers else pl.lit("")


def _amount_fault(text: pl.Series) -> pl.Series:
    """Why a text is no amount; null where it is one, or blank."""
    column = pl.lit(text)
    fault = (
        pl.when((column == "") | column.str.contains(_NUMBER))
        .then(pl.lit(None, pl.String))
        .when(column.str.contains(_LONG))
        .then(pl.lit(_TOO_LONG))
        .when(column.str.contains(_FINE))
        .then(pl.lit(_TOO_FINE))
        .otherwise(pl.lit(_NO_NUMBER))
    )
    return pl.select(fault).to_series()


def _exact(text: pl.Series, fault: pl.Series) -> pl.Expr:
    """The amounts of the texts without a fault, digit by digit; null where blank or faulty."""
    readable = pl.lit(fault).is_null() & (pl.lit(text) != "")
    return pl.when(readable).then(pl.lit(text)).cast(PLAN_AMOUNT)


def _unreadable(header: str, text: pl.Series, fault: pl.Series) -> list[_Unreadable]:
    """One entry per kind of fault in a column."""
    groups = (
        pl.select(text=pl.lit(text), kind=pl.lit(fault))
        .filter(pl.col("kind").is_not_null())
        .group_by("kind", maintain_order=True)
        .agg(
            rows=pl.len(),
            examples=pl.col("text").unique(maintain_order=True).head(EXAMPLES_SHOWN_MAX),
        )
    )
    return [_Unreadable(header, *group) for group in groups.iter_rows()]
