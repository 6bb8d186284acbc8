"""The books that flows load from a connection, and what is asked of their clock, decimals, rules.

Probes P2, P3 and P7 of facts/jde-gl.md §8; `checking_ledger` asks the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

import polars as pl

from tieout.clock import Clock
from tieout.core.findings import counted
from tieout.core.periods import FiscalCalendar
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import DaysAgo, Where, at_least, equal, every, not_equal, one_of
from tieout.verbs.checking import Check, good, notice, wrong

SECURITY, ACCOUNTING, CNC = (
    "the JDE security administrator", "who keeps the ledger in JD Edwards",
    "the CNC administrator of JD Edwards",
)  # fmt: skip
STAMPED_DAYS = 7  # how far back a fresh stamp is looked for
AHEAD_MAX = timedelta(hours=14)  # of UTC: no time zone is further
CLOCKS_APART_MAX = timedelta(minutes=2)
DICTIONARY_DECIMALS = 2  # by which AIS scales sums (jde-gl.md §2.6)
FOREIGN_LEDGER = "CA"  # whose amounts are in another currency than the company's
CONFIG = "/v2/defaultconfig"  # answered without signing in
YES = "Y"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the flows load from one connection, and the session to ask in."""

    name: str
    jde: Jde
    clock: Clock
    companies: tuple[str, ...]
    ledgers: tuple[str, ...]
    known: pl.DataFrame  # F0010 of the companies that are shown
    calendars: dict[str, FiscalCalendar]
    overlap_days: int  # that the flow with the fewest reads again

    def years(self) -> list[int]:
        """The current fiscal years of the companies, and the ones before."""
        found = {self.year_of(pattern, begins) for _, pattern, begins in self.stands()}
        return sorted(found | {year - 1 for year in found})

    def stands(self) -> list[tuple[str, str, date]]:
        """Each company that is shown: its date pattern, and when its fiscal year began."""
        names = ("company", "date_pattern", "fiscal_year_start")
        return list(self.known.drop_nulls("fiscal_year_start").sort("company").select(names).rows())

    def year_of(self, pattern: str, begins: date) -> int:
        """The fiscal year that begins on a day; without a date pattern its calendar year."""
        calendar = self.calendars.get(pattern)
        period = calendar.period_of(begins) if calendar else None
        return period.fiscal_year if period else begins.year

    def of_the_years(self) -> Where | None:
        """The rows of F0911 or F0902 that flows would load."""
        return every(
            one_of("company", list(self.companies)), one_of("ledger", list(self.ledgers)),
            one_of("fiscal_year", self.years()),
        )  # fmt: skip


# ------------------------------------------------------------------ P2: the clock


def clock(ledger: Ledger) -> Iterator[Check]:
    """P2: UPMJ and UPMT have no zone; how far they are from UTC decides what a window may miss."""
    recent = at_least("updated", DaysAgo(STAMPED_DAYS))
    day = ledger.jde.totals(tables.BATCHES, group_by=(), maxima=("updated",), where=recent)
    last = day["max_updated"][0]
    if last is None:
        yield notice(
            "ledger-clock",
            f"No batch of {ledger.name} was changed in the last {STAMPED_DAYS} days, so nothing "
            "tells by which clock rows are stamped.", "Ask again after a batch was posted.",
            ACCOUNTING,
        )  # fmt: skip
        return
    times = ledger.jde.totals(
        tables.BATCHES, group_by=(), maxima=("updated_time",), where=equal("updated", last)
    )
    stamped, server = _moment(last, int(times["max_updated_time"][0])), _server_time(ledger)
    ours = ledger.clock.now()
    here = f"the newest stamp of F0011 is {stamped:%Y-%m-%d %H:%M:%S}, at {ours:%H:%M} UTC here"
    apart = abs(server - ours) if server else None
    theirs = f", {server:%H:%M} UTC by the server" if server else ""
    if stamped - ours > AHEAD_MAX or (apart and apart > CLOCKS_APART_MAX):
        yield wrong(
            "ledger-clock", f"The clocks of {ledger.name} do not agree: {here}{theirs}.",
            "Set the clocks of the AIS and enterprise servers by one time service.", CNC,
        )  # fmt: skip
    elif ledger.overlap_days == 0:
        yield notice(
            "ledger-clock", f"Rows are stamped without a zone ({here}{theirs}), and a flow reads "
            "no day again: what was stamped by an earlier zone would be seen late.",
            "Set `overlap_days` of the flow to 1 or more.", "who keeps tieout.toml",
        )  # fmt: skip
    else:
        ahead = " ahead of UTC" if stamped > ours else ""
        yield good(
            "ledger-clock",
            f"Stamps have no zone; {here}{theirs}{ahead}. Flows read "
            f"{counted(ledger.overlap_days, 'day')} again, and see postings by their batches too.",
        )


def _moment(day: date, time: int) -> datetime:
    """A stamp as if it were in UTC; 93005 is 09:30:05."""
    hours, minutes, seconds = time // 10_000, time // 100 % 100, time % 100
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return moment + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _server_time(ledger: Ledger) -> datetime | None:
    """What the AIS server says the time is."""
    told = ledger.jde.session.unsigned(CONFIG).headers.get("date", "")
    try:
        return parsedate_to_datetime(told).astimezone(UTC)
    except ValueError:
        return None


# ------------------------------------------------------------------ P3: decimals


def decimals(ledger: Ledger) -> Iterator[Check]:
    """P3: one line per currency, as its row says it and as its sum does, for a controller to see.

    A row has the decimals of its currency, its sum those of the data dictionary (§2.6). A row that
    says the digits of the database would be wrong by powers of ten.
    """
    shown = ledger.jde.read_whole(tables.CURRENCIES, None, columns=("currency", "decimals"))
    places = {code: int(text or DICTIONARY_DECIMALS) for code, text in shown.iter_rows()}
    seen: list[str] = []
    for currency, companies in _by_currency(ledger).items():
        found = _one_line(ledger, companies)
        if found is None:
            continue
        amount, total, document, company = found
        fits = places.get(currency, DICTIONARY_DECIMALS)
        stored = total.scaleb(DICTIONARY_DECIMALS)
        if amount == stored != stored.scaleb(-fits):
            yield wrong(
                "ledger-decimals",
                f"{ledger.name} shows {document} of company {company} as {amount:f} {currency}, "
                f"the digits of its database: amounts would be wrong by {10**fits} times.",
                "Let AIS show amounts with the decimals of their currency, as it does by default.",
                CNC,
            )  # fmt: skip
        elif amount != stored.scaleb(-fits) and amount != total:
            yield notice(
                "ledger-decimals",
                f"{document} of company {company} is {amount:f} {currency} by its row and "
                f"{total:f} by its sum: {fits} decimals explain neither.",
                "Compare the document with JD Edwards before anything is loaded.", ACCOUNTING,
            )  # fmt: skip
        else:
            seen.append(f"{document} of {company} {amount.normalize():,f} {currency}")
    if seen:
        yield good(
            "ledger-decimals",
            f"Amounts come with the decimals of their currency: "
            f"{'; '.join(seen)}. Compare one of each with JD Edwards.",
        )


def _by_currency(ledger: Ledger) -> dict[str, list[str]]:
    """The companies by their currency."""
    found: dict[str, list[str]] = {}
    for company, currency in ledger.known.sort("company").select("company", "currency").iter_rows():
        found.setdefault(currency, []).append(company)
    return found


def _one_line(ledger: Ledger, companies: list[str]) -> tuple[Decimal, Decimal, str, str] | None:
    """A posted line of one of the companies: its amount, its sum, its document and company."""
    own = [lt for lt in ledger.ledgers if lt != FOREIGN_LEDGER]
    if not own:
        return None
    where = every(
        equal("posted", "P"), one_of("company", companies), one_of("ledger", own),
        one_of("fiscal_year", ledger.years()), not_equal("amount", 0),
    )  # fmt: skip
    page = next(iter(ledger.jde.read(tables.ACCOUNT_LEDGER, where)), None)  # one page is enough
    if page is None or page.is_empty():
        return None
    line = page.row(0, named=True)
    key = every(*(equal(name, line[name]) for name in tables.ACCOUNT_LEDGER.key))
    total = ledger.jde.measure(tables.ACCOUNT_LEDGER, key, ("amount",)).sums[0][1]
    document = f"{line['document_type']} {line['document']}"
    return line["amount"], total, document, line["company"]


# ------------------------------------------------------------------ P7: rules and constants


def rules(ledger: Ledger) -> Iterator[Check]:
    """P7: what F0025 says of the ledgers that are loaded: who must balance, what is denominated."""
    found = ledger.jde.read_whole(tables.LEDGERS, one_of("ledger", list(ledger.ledgers)))
    missing = sorted(set(ledger.ledgers) - {*found["ledger"]})
    if missing:
        yield wrong(
            "ledger-rules", f"F0025 of {ledger.name} has no ledger {', '.join(missing)}.",
            "Correct `ledgers` in tieout.toml, or let the JDE user see it.", SECURITY,
        )  # fmt: skip
    told = []
    for row in found.sort("ledger").iter_rows(named=True):
        says = [
            words for column, words in (
                ("required_to_balance", "must balance"),
                ("close_to_retained_earnings", "closes to retained earnings"),
                ("intercompany_settlements", "makes intercompany settlements"),
            ) if row[column] == YES
        ]  # fmt: skip
        if row["denominated_currency"]:
            says.append(f"is denominated in {row['denominated_currency']}")
        told.append(f"{row['ledger']} {', '.join(says) or 'has no rule'}")
    if told:
        yield good("ledger-rules", f"Rules of the ledgers (F0025): {'; '.join(told)}.")


def constants(ledger: Ledger) -> Iterator[Check]:
    """P7: the general accounting constants (F0009), and which of them lets closed periods move."""
    found = ledger.jde.read_whole(tables.GENERAL_CONSTANTS, None)
    if found.is_empty():
        yield notice(
            "ledger-constants", f"{ledger.name} shows no general accounting constants (F0009).",
            "Let the JDE user read F0009, or ask for them.", SECURITY,
        )  # fmt: skip
        return
    row = found.sort("system").row(-1, named=True)
    said = ", ".join(
        f"{words} {'yes' if row[column] == YES else row[column] or 'no'}"
        for column, words in (
            ("approval", "manager approval"), ("batch_control", "batch control"),
            ("before_cutoff", "posting before cut-off"), ("invalid_accounts", "invalid accounts"),
            ("intercompany", "intercompany method"),
        )
    )  # fmt: skip
    told = f"General accounting constants (F0009): {said}."
    moves = [
        words for column, words in (
            ("before_cutoff", "closed periods can be posted to: lock them (`locked_through`)"),
            ("invalid_accounts", "journals may name accounts that do not exist and fail only when "
             "they are posted"),
        ) if row[column] == YES
    ]  # fmt: skip
    if moves:
        yield notice("ledger-constants", told, f"{'; '.join(moves).capitalize()}.", ACCOUNTING)
    else:
        yield good("ledger-constants", told)
