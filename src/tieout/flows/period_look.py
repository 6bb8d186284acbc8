"""A look at where companies stand (F0010), and at the period ends of their patterns (F0008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieout.core.periods import FiscalCalendar, calendars
from tieout.errors import Refused
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import one_of
from tieout.store.looks import Current

COLUMNS = ("company", "fiscal_year_start", "current_period", "date_pattern")


@dataclass(frozen=True, slots=True)
class Seen:
    """Where each company stands; `patterns` None when they were not asked for."""

    companies: Mapping[str, Current]
    patterns: Mapping[str, FiscalCalendar] | None = None


def look_at_periods(jde: Jde, companies: Sequence[str], known: Mapping[str, Current]) -> Seen:
    """F0010 of `companies`; F0008 too when `known` is not what F0010 shows of years and patterns.

    `known` empty asks for both. Refused when a company is not there, or is not shown to this user:
    its closing would be waited for in vain.
    """
    rows = jde.read_whole(tables.COMPANIES, one_of("company", list(companies)), columns=COLUMNS)
    stands = {
        company: Current(str(begins or ""), period or 0, pattern)
        for company, begins, period, pattern in rows.select(COLUMNS).iter_rows()
    }
    if missing := sorted(set(companies) - set(stands)):
        raise Refused(
            f"JD Edwards shows no company {', '.join(missing)} in F0010.",
            untouched="No schedule that waits for it can run.",
            do="Correct the company in tieout.toml, or let the JDE user see it.",
            who="who keeps tieout.toml, or the JDE security administrator",
        )
    if _years(stands) == _years(known):
        return Seen(stands)
    patterns = sorted({current.pattern for current in stands.values()})
    found = jde.read_whole(tables.DATE_PATTERNS, one_of("date_pattern", patterns))
    return Seen(stands, calendars(found))


def _years(companies: Mapping[str, Current]) -> dict[str, tuple[str, str]]:
    return {name: (c.year_begins, c.pattern) for name, c in companies.items()}
