"""Proof: a bucket's lines equal its balance, a company nets to zero, or we say why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import polars as pl

from tieout.core.buckets import FOREIGN_LEDGER
from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import ACCOUNT_YEARS, AMOUNT, BUCKET_KEY, BUCKETS, Schema
from tieout.core.scope import DICTIONARY_DECIMALS, Scope, places_exceeded

_KEY = list(BUCKET_KEY)
F = TypeVar("F", pl.DataFrame, pl.LazyFrame)

TIED, BALANCE, HELD = "tied", "balance", "held"
SUBJECTS_SHOWN_MAX = 5
IN_USE = "U"  # F0011.IST of a batch that is being posted, also left behind by a post that died

# The classes of facts/jde-gl.md §3.4 that hold a bucket; a held cell keeps its old Anaplan value.
TOO_MANY_DECIMALS = "too many decimals"
DIED_POST = "died post"
BATCH_IN_USE = "batch in use"
WRONG_PERIOD = "wrong period"
NO_BALANCE_ROW = "no balance row"
NO_JOURNALS = "balance without journals"
NO_LONGER_SHOWN = "no longer shown"
UNEXPLAINED = "unexplained"
# A balance that came without journals (a conversion), which two people signed: it loads.
BASELINE = "signed baseline"
BASELINES: Schema = {**{name: BUCKETS[name] for name in BUCKET_KEY}, "signed": AMOUNT}

REMEDIES = {
    TOO_MANY_DECIMALS: "Compare one document with what JD Edwards prints; then ask who set the "
    "decimals of the currency (F0013), or which program wrote these amounts.",
    DIED_POST: "Ask the JD Edwards team to run R099102 in proof mode for the batch, then in final "
    "mode.",
    BATCH_IN_USE: "Wait until the batch is posted; if its post died, ask the JD Edwards team to "
    "release it.",
    WRONG_PERIOD: "Ask the JD Edwards team to correct the period of these lines (R099103) and to "
    "repost.",
    NO_BALANCE_ROW: "Ask the JD Edwards team to run R099102: lines are posted to an account "
    "without F0902 row.",
    NO_JOURNALS: "Find out how the balance was loaded; if it was converted, prepare its baseline "
    "(`tieout baselines`), which another person signs, or set `detail_from` later.",
    NO_LONGER_SHOWN: "Ask the JD Edwards team whether row security changed or history was purged.",
    UNEXPLAINED: "Compare the lines and the balance in JD Edwards (R097001, R099102 in proof "
    "mode).",
}  # fmt: skip

RULES_OF_REASONS = {NO_LONGER_SHOWN: "no-longer-shown", TOO_MANY_DECIMALS: "decimals"}


def tie(
    buckets: pl.DataFrame, scope: Scope, batches: pl.DataFrame, baselines: pl.DataFrame
) -> pl.DataFrame:
    """Set state and reason of every bucket (facts/jde-gl.md §3.4).

    `batches`: BUCKET_KEY, in_use_amount, in_use_lines: what lines of batches in use put into a
    bucket; `baselines`: BASELINES, what people signed that a balance has beside its lines. Lines
    and balance that agree are tied, unless a line is misdated, its batch in use, or an amount finer
    than its currency: then it was read with wrong decimals, or written so.
    """
    detail = pl.lit(True)
    first = scope.rule.detail_from
    if first is not None:
        detail = (pl.col("fiscal_year") > first.fiscal_year) | (
            (pl.col("fiscal_year") == first.fiscal_year) & (pl.col("period") >= first.number)
        )
    difference = pl.col("amount") - pl.col("balance")
    signed = (difference + pl.col("signed") == 0).fill_null(False)
    reason = (
        pl.when(_places_exceeded(scope)).then(pl.lit(TOO_MANY_DECIMALS))
        .when(~detail).then(pl.when(signed).then(pl.lit(BASELINE)).otherwise(pl.lit("")))
        .when(pl.col("misdated") > 0).then(pl.lit(WRONG_PERIOD))
        .when((difference != 0) & (difference == pl.col("in_use_amount"))).then(pl.lit(DIED_POST))
        .when(pl.col("in_use_lines") > 0).then(pl.lit(BATCH_IN_USE))
        .when(difference == 0).then(pl.lit(""))
        .when(signed).then(pl.lit(BASELINE))
        .when(~pl.col("has_balance")).then(pl.lit(NO_BALANCE_ROW))
        .when(pl.col("lines") == 0).then(pl.lit(NO_JOURNALS))
        .otherwise(pl.lit(UNEXPLAINED))
    )  # fmt: skip
    joined = (
        buckets.join(batches, on=_KEY, how="left", validate="m:1")
        .with_columns(
            pl.col("in_use_amount").fill_null(pl.lit(0).cast(AMOUNT)),
            pl.col("in_use_lines").fill_null(0),
        )
        .join(baselines, on=_KEY, how="left", validate="m:1")
    )
    return joined.with_columns(reason=reason).with_columns(
        state=pl.when(~pl.col("reason").is_in(["", BASELINE])).then(pl.lit(HELD))
        .when(~detail | (pl.col("reason") == BASELINE)).then(pl.lit(BALANCE))
        .otherwise(pl.lit(TIED))
    ).select(buckets.columns)  # fmt: skip


def taken() -> pl.Expr:
    """What a bucket puts into its cell: F0902's value where F0902 speaks alone, else the lines'."""
    alone = pl.col("state") == BALANCE
    return pl.when(alone).then(pl.col("balance")).otherwise(pl.col("amount"))


def not_tied(buckets: pl.DataFrame) -> pl.DataFrame:
    """Held buckets whose lines and balance differ: reading them again may help."""
    differ = pl.col("amount") != pl.col("balance")
    return buckets.filter((pl.col("state") == HELD) & differ)


def _places_exceeded(scope: Scope) -> pl.Expr:
    """Whether lines or balance have more decimals than the currency that governs them (rule 4).

    The currency a ledger is kept in governs it (F0025), then in CA the currency of the line, then
    the currency of the company (facts/jde-gl.md §2.6).
    """
    of_company = {c.company: c.decimals for c in scope.companies}
    of_ledger = {
        ledger: scope.decimals.get(currency, DICTIONARY_DECIMALS)
        for ledger, currency in scope.denominated.items()
    }
    governing = (
        pl.when(pl.col("ledger").is_in(sorted(of_ledger)))
        .then(_looked_up("ledger", of_ledger))
        .when(pl.col("ledger") == FOREIGN_LEDGER)
        .then(_looked_up("currency", scope.decimals))
        .otherwise(_looked_up("company", of_company))
    )
    return places_exceeded("amount", governing) | places_exceeded("balance", governing)


def _looked_up(column: str, decimals: Mapping[str, int]) -> pl.Expr:
    return pl.col(column).replace_strict(
        dict(decimals), default=DICTIONARY_DECIMALS, return_dtype=pl.Int64
    )


def worth_reading(buckets: F, *, baselines_moved: bool = False) -> F:
    """Held buckets that a next run reads again; one that is not shown waits for its balance.

    With other baselines than before, those of which F0902 speaks alone are proved anew, too.
    """
    held = (pl.col("state") == HELD) & (pl.col("reason") != NO_LONGER_SHOWN)
    return buckets.filter(held | ((pl.col("state") == BALANCE) & pl.lit(baselines_moved)))


def hold_vanished(buckets: pl.DataFrame, before: pl.DataFrame, years: pl.DataFrame) -> pl.DataFrame:
    """Hold buckets whose account and year F0902 showed before and shows no longer.

    A balance row does not disappear from F0902 but by a purge or by row security, which hides a
    unit from F0911 and F0902 alike: the old value stays, and a person is asked. An account that
    `years` shows under another company (R09806 after a recode) has moved and is not gone.
    """
    key = [name for name in ACCOUNT_YEARS if name != "company"]
    gone = before.filter(pl.col("has_balance")).join(years, on=key, how="anti")
    kept = gone.with_columns(state=pl.lit(HELD), reason=pl.lit(NO_LONGER_SHOWN))
    return pl.concat([buckets.join(gone, on=_KEY, how="anti"), kept.select(buckets.columns)])


def not_zero(buckets: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """company, ledger, fiscal_year, period, f0911, f0902 where a company does not net to zero."""
    balanced = buckets.filter(pl.col("ledger").is_in(sorted(scope.must_balance)))
    return (
        balanced.group_by("company", "ledger", "currency", "fiscal_year", "period")
        .agg(f0911=pl.col("amount").sum().cast(AMOUNT), f0902=pl.col("balance").sum().cast(AMOUNT))
        .filter(pl.col("f0902") != 0)
        .sort("company", "ledger", "currency", "fiscal_year", "period")
    )


def summed(buckets: pl.LazyFrame) -> pl.LazyFrame:
    """Buckets over all accounts: as much as `completeness` needs, in few rows."""
    key = ["company", "ledger", "currency", "fiscal_year", "period", "has_balance"]
    return buckets.group_by(key).agg(pl.col("amount", "balance").sum().cast(AMOUNT))


def completeness(buckets: pl.DataFrame, scope: Scope) -> list[Finding]:
    """What the whole set of buckets must show: every company has rows and nets to zero."""
    findings = []
    present = set(buckets.filter(pl.col("has_balance"))["company"].to_list())
    for company in scope.companies:
        if company.company not in present:
            findings.append(
                Finding(
                    "company-without-rows", Severity.DIFFERENCE, f"company {company.company}",
                    f"JD Edwards shows no balance of company {company.company}.",
                    "Ask the JD Edwards administrator whether row security hides it.",
                    company.company,
                )
            )  # fmt: skip
    for row in not_zero(buckets, scope).iter_rows(named=True):
        subject = _subject(row)
        findings.append(
            Finding(
                "not-zero", Severity.DIFFERENCE, subject,
                f"The balances of {subject} do not net to zero.",
                "Ask the JD Edwards administrator for the missing side: row security, or a batch "
                "posted out of balance.", row["company"], amount=row["f0902"],
                currency=row["currency"] or scope.kept_in(row["ledger"], row["company"]),
            )
        )  # fmt: skip
    return findings


def held_findings(buckets: pl.DataFrame, scope: Scope) -> list[Finding]:
    """One finding per company, ledger, currency, period and reason of the held buckets."""
    groups = (
        buckets.filter(pl.col("state") == HELD)
        .group_by("company", "ledger", "currency", "fiscal_year", "period", "reason")
        .agg(
            accounts=pl.col("account_id").unique().sort().head(SUBJECTS_SHOWN_MAX),
            buckets=pl.len(),
            difference=(pl.col("amount") - pl.col("balance")).abs().sum().cast(AMOUNT),
        )
        .sort("company", "ledger", "currency", "fiscal_year", "period", "reason")
    )
    return [
        Finding(
            RULES_OF_REASONS.get(row["reason"], "not-proved"),
            Severity.DIFFERENCE,
            _subject(row),
            f"{counted(row['buckets'], 'account balance')} held: {row['reason']} "
            f"(account id {_some(row['accounts'], row['buckets'])}). "
            "Their cells keep the old value.",
            REMEDIES[row["reason"]],
            row["company"],
            amount=row["difference"],
            currency=row["currency"] or scope.kept_in(row["ledger"], row["company"]),
            cells=row["buckets"],
        )
        for row in groups.iter_rows(named=True)
    ]


def _subject(row: Mapping[str, object]) -> str:
    """Company, ledger and period in words."""
    period = f"{row['fiscal_year']}-{row['period']:02d}"
    return f"company {row['company']}, ledger {row['ledger']}, {period}"


def _some(names: Sequence[str], count: int) -> str:
    """The first names, and a sign that there are more."""
    return ", ".join(names) + ("…" if count > len(names) else "")


def batches_without_lines(posted: Sequence[tuple[str, int]], shown: pl.DataFrame) -> list[Finding]:
    """Posted batches (type, number) of which no line at all is shown.

    `shown`: batch_type, batch_number. F0011 carries no business unit, so row security by
    business unit does not hide a header.
    """
    seen = set(shown.select("batch_type", "batch_number").iter_rows())
    missing = [batch for batch in posted if batch not in seen]
    if not missing:
        return []
    names = _some(
        [f"{kind} {number}" for kind, number in missing[:SUBJECTS_SHOWN_MAX]], len(missing)
    )
    return [
        Finding(
            "batch-without-lines", Severity.DIFFERENCE, f"batches {names}",
            "This JD Edwards user sees no line of "
            f"{counted(len(missing), 'posted batch', 'posted batches')}.",
            "Ask the JD Edwards administrator whether row security hides a business unit.",
            cells=len(missing),
        )
    ]  # fmt: skip
