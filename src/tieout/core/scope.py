"""Which companies, ledgers and periods a flow loads, and where each period goes in Anaplan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from tieout.core.findings import Finding, Severity
from tieout.core.frames import AMOUNT, AMOUNT_DECIMALS
from tieout.core.periods import (
    PERIODS_MAX,
    REGULAR_PERIODS_MAX,
    FiscalCalendar,
    Period,
    PeriodMember,
    Policy,
    calendars,
    period_members,
    periods_in_scope,
)

DICTIONARY_DECIMALS = 2  # what JDE uses where no currency governs (facts/jde-gl.md §2.6)
TEMPLATE_COMPANY = "00000"


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """The periods a flow asks for; `to_period` None means each company's current period."""

    companies: Sequence[str]
    ledgers: Sequence[str]
    from_period: Period
    to_period: Period | None
    prior_years: int
    locked_through: Period | None
    detail_from: Period | None
    period_13: Mapping[str, Policy]
    member_table: Mapping[tuple[str, int, int], str] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """Small tables of JD Edwards that decide how ledger rows are read.

    `companies`: company, currency, date_pattern, fiscal_year_start, current_period (F0010);
    `patterns`: date_pattern, fiscal_year_start, end_01…end_14 (F0008); `currencies`: currency,
    decimals (F0013); `ledgers`: ledger, required_to_balance, denominated_currency (F0025).
    """

    companies: pl.DataFrame
    patterns: pl.DataFrame
    currencies: pl.DataFrame
    ledgers: pl.DataFrame


@dataclass(frozen=True, slots=True)
class CompanyScope:
    """What is loaded of one company."""

    company: str
    currency: str
    decimals: int
    calendar: FiscalCalendar
    current: Period
    members: tuple[PeriodMember, ...]

    def years(self) -> list[int]:
        """The fiscal years in scope."""
        return sorted({m.period.fiscal_year for m in self.members})

    def reach(self, detail_from: Period | None) -> Reach | None:
        """The days and periods whose lines F0911 explains; None when there are none."""
        known = [m.period for m in self.members if detail_from is None or m.period >= detail_from]
        if not known:
            return None
        first, last = min(known), max(known)
        year, end = self.calendar.years[first.fiscal_year], self.calendar.end(last)
        begin = year.begin
        if first.number > 1:
            begin = year.ends[first.number - 2] + timedelta(days=1)
        return None if end is None else Reach(begin, end, first, last)


@dataclass(frozen=True, slots=True, order=True)
class Reach:
    """From which day and period to which a company is loaded line by line."""

    begin: date
    end: date
    first: Period
    last: Period


@dataclass(frozen=True, slots=True)
class Scope:
    """What a flow loads, and what is wrong with the reference data it needs."""

    rule: ScopeRule
    companies: tuple[CompanyScope, ...]
    must_balance: frozenset[str]
    decimals: Mapping[str, int]  # by currency
    findings: tuple[Finding, ...]
    denominated: Mapping[str, str]  # ledger → the one currency it is kept in (F0025.CRCX)

    def member_frame(self) -> pl.DataFrame:
        """One row per company and period: where it is shown, its member, whether it is locked."""
        rows = [
            (
                m.company, m.period.fiscal_year, m.period.number, m.shown.fiscal_year,
                m.shown.number, m.member, self.is_locked(m.shown), c.currency,
            )
            for c in self.companies for m in c.members
        ]  # fmt: skip
        return pl.DataFrame(
            rows,
            orient="row",
            schema={
                "company": pl.String, "fiscal_year": pl.Int32, "period": pl.Int16,
                "shown_year": pl.Int32, "shown_period": pl.Int16, "member": pl.String,
                "locked": pl.Boolean, "base_currency": pl.String,
            },
        )  # fmt: skip

    def days(self) -> pl.DataFrame:
        """company, fiscal_year, period, first_day, last_day of every period of the calendars."""
        rows = []
        for company in self.companies:
            for fiscal_year, year in company.calendar.years.items():
                first = year.begin
                for number, last in enumerate(year.ends, start=1):
                    rows.append((company.company, fiscal_year, number, first, last))
                    first = last + timedelta(days=1)
        return pl.DataFrame(
            rows,
            orient="row",
            schema={
                "company": pl.String, "fiscal_year": pl.Int32, "period": pl.Int16,
                "first_day": pl.Date, "last_day": pl.Date,
            },
        )  # fmt: skip

    def is_locked(self, period: Period) -> bool:
        """Whether `period` is at or before the lock."""
        return self.rule.locked_through is not None and period <= self.rule.locked_through

    def has_detail(self, period: Period) -> bool:
        """Whether F0911 still explains `period`; before `detail_from` F0902 speaks alone."""
        return self.rule.detail_from is None or period >= self.rule.detail_from

    def open_years(self) -> list[int]:
        """Fiscal years a poll looks at: from the current year back by `prior_years`."""
        if not self.companies:
            return []
        last = min(c.current.fiscal_year for c in self.companies)
        first = last - self.rule.prior_years
        return [year for year in self.years() if year >= first]

    def currency_of(self, company: str) -> str:
        """The base currency of a company; empty when it is not in scope."""
        return next((c.currency for c in self.companies if c.company == company), "")

    def kept_in(self, ledger: str, company: str) -> str:
        """The currency a ledger of a company is kept in, where its rows name none."""
        return self.denominated.get(ledger) or self.currency_of(company)

    def first_day_of_detail(self) -> date | None:
        """The first day F0911 still explains, in the company where it is latest."""
        first = max(filter(None, (self.rule.from_period, self.rule.detail_from)))
        years = [c.calendar.years.get(first.fiscal_year) for c in self.companies]
        starts = [
            y.begin if first.number == 1 else y.ends[first.number - 2] + timedelta(days=1)
            for y in years
            if y is not None
        ]
        return max(starts, default=None)

    def years(self) -> list[int]:
        """All fiscal years in scope."""
        return sorted({year for c in self.companies for year in c.years()})

    def company_codes(self) -> list[str]:
        """The companies in scope."""
        return [c.company for c in self.companies]


def scope_of(rule: ScopeRule, reference: Reference) -> Scope:
    """Resolve the rule against F0010, F0008, F0013 and F0025; what does not is a finding."""
    by_pattern = calendars(reference.patterns)
    decimals = {
        row["currency"]: int(row["decimals"])
        for row in reference.currencies.iter_rows(named=True)
        if row["decimals"].isdigit()
    }
    rows = {r["company"]: r for r in reference.companies.iter_rows(named=True)}
    companies: list[CompanyScope] = []
    findings: list[Finding] = []
    for company in dict.fromkeys(rule.companies):
        row = rows.get(company)
        calendar = by_pattern.get(row["date_pattern"]) if row else None
        current = current_period(row, calendar) if row and calendar else None
        if row is None or calendar is None or current is None:
            findings.append(_unresolved(company, row is not None, calendar is not None))
            continue
        last = rule.to_period or current
        policy = rule.period_13.get(company) or rule.period_13.get("default", "fold")
        periods = periods_in_scope(calendar, rule.from_period, last, policy)
        members = period_members(company, calendar, periods, policy, rule.member_table)
        missing = _missing_years(company, calendar, rule.from_period, last)
        findings.extend(missing or ([] if periods else [_no_period(company, rule, last)]))
        findings.extend(_without_member(members))
        members, clashes = _one_period_a_member(members)
        findings.extend(clashes)
        companies.append(
            CompanyScope(
                company, row["currency"], decimals.get(row["currency"], DICTIONARY_DECIMALS),
                calendar, current, tuple(members),
            )
        )  # fmt: skip
    balanced = reference.ledgers.filter(pl.col("required_to_balance") == "Y")["ledger"].to_list()
    named = reference.ledgers.filter(pl.col("denominated_currency") != "")
    denominated = dict(named.select("ledger", "denominated_currency").iter_rows())
    return Scope(
        rule, tuple(companies), frozenset(balanced), decimals, tuple(findings), denominated
    )


def current_period(row: Mapping[str, object], calendar: FiscalCalendar) -> Period | None:
    """F0010's current period: the fiscal year that holds DFYJ, and PNC."""
    begin, number = row["fiscal_year_start"], row["current_period"]
    for fiscal_year, year in calendar.years.items():
        if year.begin == begin and isinstance(number, int) and 1 <= number <= PERIODS_MAX:
            return Period(fiscal_year, number)
    return None


def _unresolved(company: str, known: bool, has_pattern: bool) -> Finding:
    if not known:
        what = f"Company {company} is not in F0010, or this JD Edwards user may not see it."
        remedy = "Correct `companies` in the flow, or ask the JD Edwards administrator for access."
    elif not has_pattern:
        what = f"The date pattern of company {company} has no rows in F0008."
        remedy = "Ask the JD Edwards administrator to set up the fiscal date pattern."
    else:
        what = (
            f"F0008 has no year that begins on the first day of company {company}'s current year."
        )
        remedy = "Ask the JD Edwards administrator to complete the fiscal date pattern."
    return Finding(
        "period-missing", Severity.DIFFERENCE, f"company {company}", what, remedy, company
    )


def _missing_years(
    company: str, calendar: FiscalCalendar, first: Period, last: Period
) -> list[Finding]:
    """A year that F0008 lacks would fall out of the scope silently."""
    missing = [
        str(year)
        for year in range(first.fiscal_year, last.fiscal_year + 1)
        if year not in calendar.years
    ]
    if not missing:
        return []
    return [
        Finding(
            "period-missing", Severity.DIFFERENCE, f"company {company}, {', '.join(missing)}",
            f"F0008 has no row, several, or one whose first period ends in another year, for "
            f"fiscal year {', '.join(missing)} of date pattern {calendar.pattern} of company "
            f"{company}; nothing of it is loaded.",
            "Ask the JD Edwards administrator to complete the fiscal date pattern, or correct "
            "`from_period` and `to_period`.", company, "period",
        )
    ]  # fmt: skip


def _no_period(company: str, rule: ScopeRule, last: Period) -> Finding:
    """A company of which nothing is loaded, which nobody would miss."""
    return Finding(
        "period-missing", Severity.DIFFERENCE, f"company {company}, {rule.from_period}",
        f"No period of company {company} is loaded: from_period is {rule.from_period}, and the "
        f"last one that has begun or was named is {last}.",
        "Correct `from_period`, or `to_period`.", company, "period",
    )  # fmt: skip


def _without_member(members: Sequence[PeriodMember]) -> list[Finding]:
    """Regular periods that the table of periods does not name; adjusting ones follow a policy."""
    without = [m for m in members if m.member == "" and m.period.number <= REGULAR_PERIODS_MAX]
    if not without:
        return []
    company, names = without[0].company, ", ".join(str(m.period) for m in without)
    return [
        Finding(
            "period-missing", Severity.DIFFERENCE, f"company {company}, {names}",
            f"No member of Anaplan's calendar is named for {names} of company {company}.",
            "Add these periods to the table of periods (`periods` in the flow).", company, "period",
        )
    ]  # fmt: skip


def _one_period_a_member(
    members: Sequence[PeriodMember],
) -> tuple[list[PeriodMember], list[Finding]]:
    """Two periods in one member would add up silently, so neither gets it, and a finding says so.

    Periods that fold into one period are meant to add up: they show the same period.
    """
    shown: dict[str, list[PeriodMember]] = {}
    for m in members:
        if m.member and all(m.shown != other.shown for other in shown.get(m.member, [])):
            shown.setdefault(m.member, []).append(m)
    clashes = {member: there for member, there in shown.items() if len(there) > 1}
    findings = [
        Finding(
            "period-missing", Severity.DIFFERENCE, f"company {there[0].company}, {member}",
            f"Periods {' and '.join(str(m.shown) for m in there)} of company {there[0].company} "
            f"both go to {member}; none of them is loaded.",
            "Map the periods by a table (`periods = \"periods.csv\"`).", there[0].company,
            "period", member,
        )
        for member, there in clashes.items()
    ]  # fmt: skip
    return [replace(m, member="") if m.member in clashes else m for m in members], findings


def places_exceeded(amount: str, decimals: pl.Expr) -> pl.Expr:
    """Whether the amount column has digits beyond `decimals`, an integer column of 0 or more.

    Exact: the remainder of a division by the smallest unit, without rounding. An amount holds four
    decimals at most, so a currency with four or more, or without a number, exceeds nothing.
    """
    unit = pl.lit(Decimal(1).scaleb(-AMOUNT_DECIMALS)).cast(AMOUNT)
    for places in range(AMOUNT_DECIMALS):
        larger = pl.lit(Decimal(1).scaleb(-places)).cast(AMOUNT)
        unit = pl.when(decimals == places).then(larger).otherwise(unit)
    return pl.col(amount) % unit != 0
