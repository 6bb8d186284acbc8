"""What a plan amount must satisfy before it may become a journal line, and the words for it.

Each rule is a column expression and a sentence; all rules look at all rows, so that a person sees
everything at once. `ROW_FAULTS` ask about a row of the plan, `CELL_FAULTS` about any ledger cell
that would be written, also one that a complete plan brings to zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tieout.core.findings import Finding, Severity
from tieout.core.frames import AMOUNT, ZERO
from tieout.core.members import NO_POSTING
from tieout.core.plan_periods import AHEAD, BEFORE_CURRENT, FAR_AHEAD, PRIOR_YEAR

DIGITS_MAX = 15  # F0911.AA, its decimals included

# Ledgers that are never written, whatever a configuration says (facts/jde-gl.md §4.2).
NEVER_WRITTEN = frozenset({"AA", "AC", "CA", "XA", "YA", "ZA", "AZ", "AU", "CU"})
BUDGET_LETTERS = ("B", "J", "K", "L", "M", "N", "O", "U")  # of ledgers that hold budgets

LOCKED = "K"
SUBLEDGER_NEEDED, SUBLEDGER_FORBIDDEN = "L", "X"
OPEN_ACCOUNTS = ("", "B", LOCKED, SUBLEDGER_NEEDED, SUBLEDGER_FORBIDDEN)  # F0901.PEC
CLOSED_WORDS = {
    **dict.fromkeys(NO_POSTING, "takes no postings"),
    "M": "takes only entries that JD Edwards makes itself",
    "S": "needs subledgers that F0902 does not keep, which budget journals may not use",
    "U": "needs units, which a plan of amounts does not have",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule: which rows break it, whom it concerns, and what a person reads."""

    rule: str
    severity: Severity
    broken: pl.Expr
    subject: pl.Expr
    what: str  # may name {subject}, {detail} and {cells}
    remedy: str  # and who can do it
    detail: pl.Expr | None = None
    dimension: str = ""


_ACCOUNT = pl.format("company {}, account {} × {}", "company", "account", "business_unit")
_PERIOD = pl.format("company {}, {}", "company", "member")
_UNIT = pl.format("company {}, business unit {}", "company", "business_unit")
_HAS_HOME = pl.col("ledger_company").is_not_null()
_HAS_ACCOUNT = pl.col("account_id").is_not_null()
_PLANNER, _JDE = "Ask the planner to ", "Ask the JD Edwards administrator to "
_OR_JDE = ", or ask the JD Edwards administrator to "


def too_long(column: str) -> pl.Expr:
    """Whether an amount has more digits than F0911.AA, which counts the currency's decimals."""
    limit = pl.lit(10**DIGITS_MAX).cast(AMOUNT)
    for places in range(1, 5):
        smaller = pl.lit(10 ** (DIGITS_MAX - places)).cast(AMOUNT)
        limit = pl.when(pl.col("decimals") == places).then(smaller).otherwise(limit)
    return pl.col(column).abs() >= limit


ROW_FAULTS = (
    Fault(
        "plan-company", Severity.REJECT, ~pl.col("company_known"),
        pl.format("company {}", "company"), "{subject} is none that this flow writes to.",
        _PLANNER + "leave the company out, or add it to `companies` of the flow.",
        dimension="company",
    ),
    Fault(
        "plan-period", Severity.REJECT,
        pl.col("company_known") & pl.col("period").is_null(), _PERIOD,
        "{subject} names no period: F0008 has no such year for this company, or the table of "
        "periods has no such member.",
        _JDE + "complete the fiscal date pattern (F0008), or correct `periods` of the flow.",
        dimension="period",
    ),
    Fault(
        "plan-version", Severity.REJECT, pl.col("ledger").is_null(),
        pl.format("version {}", "version"), "No ledger is configured for {subject}.",
        "Name its ledger in the flow, or export the approved version only.",
    ),
    Fault(
        "plan-amount", Severity.REJECT, pl.col("amount").is_null(), _ACCOUNT,
        "{cells} cells of {subject} have no amount.",
        _PLANNER + "enter an amount, 0 included, or take the approval back.",
    ),
    Fault(
        "plan-currency", Severity.REJECT,
        ~pl.col("currency").is_in([""]) & (pl.col("currency") != pl.col("base_currency")), _PERIOD,
        "{subject}: {cells} cells are in {detail}, not in the base currency of the company.",
        _PLANNER + "export the plan in the base currency of each company.",
        pl.format("{} instead of {}", "currency", "base_currency"), "company",
    ),
    Fault(
        "plan-duplicate", Severity.REJECT, pl.col("rows_of_cell") > 1, _ACCOUNT,
        "{cells} rows of {subject} stand for a cell that has several.",
        _PLANNER + "make the export show each cell once.",
    ),
    Fault(
        "plan-same-account", Severity.REJECT,
        (pl.col("rows_of_cell") == 1) & (pl.col("rows_of_account") > 1), _ACCOUNT,
        "{subject} means account id {detail}, which other plan cells of the same period mean too.",
        "Correct the targets of the flow so that one plan cell writes to one account.",
        pl.col("account_id"), "account",
    ),
    Fault(
        "plan-approver", Severity.REJECT, pl.col("approver") == "", _ACCOUNT,
        "{cells} cells of {subject} are approved, and by nobody who is named.",
        _PLANNER + "record who approved them.",
    ),
    Fault(
        "plan-account", Severity.REJECT,
        (pl.col("matches") == 0) & pl.col("elsewhere").is_null() & _HAS_HOME,
        _ACCOUNT, "No account of JD Edwards has the codes of {subject}.",
        "Correct the mapping" + _OR_JDE + "create the account (F0901).",
        dimension="account",
    ),
    Fault(
        "plan-account-company", Severity.REJECT,
        (pl.col("matches") == 0) & pl.col("elsewhere").is_not_null() & _HAS_HOME,
        _ACCOUNT, "{subject} is an account of company {detail}.",
        _PLANNER + "plan it in that company, or correct the mapping.", pl.col("elsewhere"),
        "account",
    ),
    Fault(
        "plan-account", Severity.REJECT, pl.col("matches") > 1, _ACCOUNT,
        "Several accounts stand behind {subject} (account id {detail}).",
        "Name the one that takes the plan as a target of the flow.", pl.col("several"), "account",
    ),
)  # fmt: skip

CELL_FAULTS = (
    Fault(
        "plan-account-company", Severity.REJECT,
        _HAS_ACCOUNT & pl.col("unit_company").ne_missing(pl.col("account_company")), _UNIT,
        "{subject} belongs to company {detail} in F0006, and its accounts to another in F0901.",
        _JDE + "run R097041 and to correct the business unit or its accounts.",
        pl.col("unit_company").fill_null("(none)"), "business_unit",
    ),
    Fault(
        "plan-account-closed", Severity.REJECT,
        _HAS_ACCOUNT & ~pl.col("posting_edit").is_in(OPEN_ACCOUNTS), _ACCOUNT,
        "{subject} {detail} (F0901.PEC).",
        _PLANNER + "use another account" + _OR_JDE + "change its posting edit code.",
        pl.format(
            "{}: code {}",
            pl.col("posting_edit").replace_strict(CLOSED_WORDS, default="has an unknown code"),
            "posting_edit",
        ),
        "account",
    ),
    Fault(
        "plan-account-currency", Severity.REJECT,
        _HAS_ACCOUNT & ~pl.col("account_currency").is_in([""])
        & (pl.col("account_currency") != pl.col("base_currency")), _ACCOUNT,
        "{subject} is kept in {detail}, not in the base currency of its company.",
        _PLANNER + "use another account.", pl.col("account_currency"), "account",
    ),
    Fault(
        "plan-unit-closed", Severity.REJECT,
        _HAS_ACCOUNT & ~pl.col("unit_posting_edit").is_in(["", LOCKED]), _UNIT,
        "{subject} takes no postings (F0006.PECC {detail}).",
        _PLANNER + "use another business unit" + _OR_JDE + "open it.",
        pl.col("unit_posting_edit"), "business_unit",
    ),
    Fault(
        "plan-budget-locked", Severity.ASK,
        (pl.col("posting_edit") == LOCKED) | (pl.col("unit_posting_edit") == LOCKED), _ACCOUNT,
        "The original budget of {subject} is locked in JD Edwards (posting edit code K).",
        "Ask the controller whether the budget may still be changed.", dimension="account",
    ),
    Fault(
        "plan-subledger", Severity.REJECT,
        (pl.col("posting_edit") == SUBLEDGER_NEEDED) & (pl.col("subledger") == ""), _ACCOUNT,
        "{subject} needs a subledger (F0901.PEC L) and the plan names none.",
        "Name the subledger in the targets of the flow.", dimension="account",
    ),
    Fault(
        "plan-subledger", Severity.REJECT,
        (pl.col("posting_edit") == SUBLEDGER_FORBIDDEN) & (pl.col("subledger") != ""), _ACCOUNT,
        "{subject} takes no subledger (F0901.PEC X) and the targets of the flow name {detail}.",
        "Take the subledger out of the targets of the flow.", pl.col("subledger"), "account",
    ),
    Fault(
        "period-closed", Severity.REJECT, pl.col("says") == PRIOR_YEAR, _PERIOD,
        "{subject} lies in an earlier fiscal year than the current one (JD Edwards: PYEB).",
        _PLANNER + "leave closed periods out.", dimension="period",
    ),
    Fault(
        "period-closed", Severity.REJECT, pl.col("says") == BEFORE_CURRENT, _PERIOD,
        "{subject} lies before the company's current period (JD Edwards: PBCO).",
        _PLANNER + "leave closed periods out.", dimension="period",
    ),
    Fault(
        "before-switchover", Severity.REJECT,
        pl.col("early") & (pl.col("says") != PRIOR_YEAR) & (pl.col("says") != BEFORE_CURRENT),
        _PERIOD, "{subject} lies before the first period that this flow writes (`first_period`).",
        _PLANNER + "export only periods from the switchover on.", dimension="period",
    ),
    Fault(
        "period-ahead", Severity.NOTE, pl.col("says").is_in([AHEAD, FAR_AHEAD]), _PERIOD,
        "{subject}: JD Edwards will warn that the date lies ahead ({detail}); that is accepted.",
        "", pl.col("says"), "period",
    ),
    Fault(
        "plan-amount", Severity.REJECT, too_long("target"), _ACCOUNT,
        "{cells} amounts of {subject} have more than fifteen digits, which no ledger line holds.",
        _PLANNER + "correct them.",
    ),
)  # fmt: skip


def findings_of(faults: Sequence[Fault], rows: pl.DataFrame) -> list[Finding]:
    """One finding per rule and subject, with the cells and the amount concerned."""
    return [found for fault in faults for found in _findings(fault, rows)]


def _findings(fault: Fault, rows: pl.DataFrame) -> list[Finding]:
    detail = pl.lit("") if fault.detail is None else fault.detail.fill_null("")
    groups = (
        rows.filter(fault.broken.fill_null(False))
        .select(
            "company", subject=fault.subject, detail=detail,
            member=pl.col(_MEMBER[fault.dimension]) if fault.dimension else pl.lit(""),
            currency=pl.col("base_currency").fill_null(""),
            amount=pl.col("target").abs().fill_null(ZERO),
        )
        .group_by("company", "subject", "detail", "member", "currency")
        .agg(cells=pl.len(), amount=pl.col("amount").sum().cast(AMOUNT))
        .sort("company", "subject", "detail", "member", "currency")
    )  # fmt: skip
    return [
        Finding(
            fault.rule, fault.severity, row["subject"],
            _sentence(fault.what.format(**row)), fault.remedy, row["company"], fault.dimension,
            row["member"], amount=row["amount"], currency=row["currency"], cells=row["cells"],
        )
        for row in groups.iter_rows(named=True)
    ]  # fmt: skip


_MEMBER = {
    "account": "account", "business_unit": "business_unit", "company": "company",
    "period": "member",
}  # fmt: skip


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def refusals(faults: Sequence[Fault]) -> pl.Expr:
    """The rules that refuse a row, each once, joined by a blank; "" when it may be sent."""
    rules: dict[str, pl.Expr] = {}
    for fault in faults:
        if fault.severity is Severity.REJECT:
            broken = fault.broken.fill_null(False)
            rules[fault.rule] = rules[fault.rule] | broken if fault.rule in rules else broken
    words = [pl.when(broken).then(pl.lit(rule)) for rule, broken in rules.items()]
    return pl.concat_str(words, separator=" ", ignore_nulls=True)


def refused_ledgers(
    wanted: Collection[str],
    allowed: Collection[str],
    ledgers: pl.DataFrame,
    currencies: Collection[str],
) -> dict[str, str]:
    """Ledgers that may not be written, each with why: forbidden, not allowed, or marked in F0025.

    `ledgers`: ledger, close_to_retained_earnings, denominated_currency, units_ledger (F0025).
    `currencies`: the base currencies of the companies that the plan names.
    """
    known = {row["ledger"]: row for row in ledgers.iter_rows(named=True)}
    units = {row["units_ledger"] for row in known.values()}
    refused = {}
    for ledger in sorted(wanted):
        row = known.get(ledger)
        if ledger in NEVER_WRITTEN or not ledger.startswith(BUDGET_LETTERS):
            why = "holds actuals or what JD Edwards makes itself; a plan never writes to it"
        elif ledger not in allowed:
            why = "is not among the ledgers that this installation lets a plan write to"
        elif row is None:
            why = "is not in F0025, or this JD Edwards user may not see it"
        elif row["close_to_retained_earnings"] == "Y":
            why = "is closed to retained earnings (F0025), so it holds actuals"
        elif ledger in units:
            why = "holds units, not amounts (F0025)"
        elif row["denominated_currency"] and {*currencies} != {row["denominated_currency"]}:
            why = f"is kept in {row['denominated_currency']} (F0025), not in the base currency"
        else:
            continue
        refused[ledger] = why
    return refused


def ledger_findings(refused: Mapping[str, str], rows: pl.DataFrame) -> list[Finding]:
    """One finding per refused ledger, with the plan amounts that would go there."""
    one = pl.col("base_currency").n_unique() == 1  # else there is no sum
    sums = rows.group_by("ledger").agg(
        cells=pl.len(),
        amount=pl.when(one).then(pl.col("target").abs().sum().cast(AMOUNT)),
        currency=pl.when(one).then(pl.col("base_currency").first()).otherwise(pl.lit("")),
    )
    told = {row["ledger"]: row for row in sums.iter_rows(named=True)}
    return [
        Finding(
            "ledger-refused", Severity.REJECT, f"ledger {ledger or '(blank)'}",
            f"Ledger {ledger or '(blank)'} {why}.",
            "Name a budget ledger such as BA in the flow; ask the JD Edwards administrator which "
            "one.", amount=told[ledger]["amount"], currency=told[ledger]["currency"] or "",
            cells=told[ledger]["cells"],
        )
        for ledger, why in refused.items()
        if ledger in told
    ]  # fmt: skip
