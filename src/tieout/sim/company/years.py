"""Fills the demo company's periods with journals until the wanted number of lines is reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tieout.sim.company.calendar import days_of, period_of
from tieout.sim.company.journals import DOCUMENTS_PER_BATCH_MAX, Batch, Book, Journal, Line
from tieout.sim.company.trade import (
    KINDS,
    MONTHLY,
    Desk,
    in_foreign_currency,
    intercompany,
    reversing,
    weekday,
)

if TYPE_CHECKING:
    from tieout.sim.company.chart import Company

# Share of the lines by company, and of a normal period for an adjustment period.
WEIGHTS = {"00001": 44, "00060": 20, "00200": 17, "00070": 10, "00090": 9, "00900": 2}
FULL_PERIOD, ADJUSTMENT_PERIOD = 20, 3
FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2025, 12, 31)
LINES_PER_JOURNAL_MIN = 2
FOREIGN_ONE_IN = 9
PAYROLL_LINES_MAX = 12
FULL_LIFE_LINES_MIN = 24  # a period with fewer lines has only everyday journals


@dataclass(frozen=True, slots=True)
class Span:
    """A period to fill."""

    company: str
    year: int
    period: int
    first: date
    last: date
    weight: int


def spans(company: Company) -> list[Span]:
    """The 24 periods of 2024 and 2025 in the company's own fiscal years, adjustment periods too."""
    made = []
    for year in (2023, 2024, 2025):
        for period in range(1, 14):
            first, last = days_of(company.pattern, year, period)
            if first > last or period_of(company.pattern, last) != (year, period):
                continue  # no such period: it ends with the one before
            current = (company.year, company.period if company.period < 12 else 14)
            if last < FIRST_DAY + timedelta(days=20) or (year, period) > current:
                continue
            weight = ADJUSTMENT_PERIOD if first == last else FULL_PERIOD
            share = weight * WEIGHTS[company.code]
            made.append(Span(company.code, year, period, first, last, share))
    return made


def write_years(book: Book, lines: int) -> None:
    """Journals of all companies and periods, `lines` posted AA lines in all, exactly."""
    todo = [span for company in book.chart.companies.values() for span in spans(company)]
    weight, given, used = sum(span.weight for span in todo), 0, 0
    for span in todo:
        given += span.weight
        used += _fill(book, span, lines * given // weight - used)
    if used < lines:
        _split(book.batches[-1].journals[-1])


def _fill(book: Book, span: Span, quota: int) -> int:
    """Fill one period with at most `quota` lines; returns how many, at most one fewer."""
    desk, left = Desk(book, span.company), quota
    for kind, maker in MONTHLY.items():
        limit = quota // 8
        if limit >= LINES_PER_JOURNAL_MIN:
            batch = book.open("G", span.last)
            made = maker(desk, span.last, limit)
            book.enter(batch, span.company, ("JE", kind), span.last, made)
            left -= len(made)
    if quota >= FULL_LIFE_LINES_MIN and span.first < span.last:
        left -= _yearly_cases(book, desk, span)
    open_batches: dict[str, Batch] = {}
    while left >= LINES_PER_JOURNAL_MIN:
        left -= _one(desk, span, left, open_batches)
    return quota - left


def _yearly_cases(book: Book, desk: Desk, span: Span) -> int:
    """An intercompany sale and a reversing accrual; returns their posted lines."""
    first = len(book.batches)
    company, following = book.chart.companies[span.company], span.last + timedelta(days=1)
    if span.company == "00060":
        intercompany(book, weekday(book, span.first, span.last), "00060", "00001")
    if period_of(company.pattern, following) <= (company.year, company.period):
        reversing(desk, span.last, following, 3)
    return sum(len(j.lines) for batch in book.batches[first:] for j in batch.journals)


def _one(desk: Desk, span: Span, left: int, open_batches: dict[str, Batch]) -> int:
    """One everyday journal; returns its lines."""
    book = desk.book
    kinds = list(KINDS)
    kind = book.dice.choices(kinds, [KINDS[k][0] for k in kinds])[0]
    _, batch_type, document_type, maker = KINDS[kind]
    day = weekday(book, span.first, span.last)
    made = maker(desk, day, min(left, PAYROLL_LINES_MAX))
    batch = open_batches.get(batch_type)
    if batch is None or len(batch.journals) >= DOCUMENTS_PER_BATCH_MAX:
        batch = open_batches[batch_type] = book.open(batch_type, day, days=book.dice.randrange(4))
    journal = book.enter(batch, span.company, (document_type, kind), day, made)
    if kind == "Supplier vouchers" and book.dice.randrange(FOREIGN_ONE_IN) == 0:
        in_foreign_currency(desk, journal)
    return len(made)


def _split(journal: Journal) -> None:
    """Make two lines of a journal's first."""
    line = journal.lines[0]
    half = line.amount // 2
    foreign = line.foreign // 2
    line.amount -= half
    line.foreign -= foreign
    journal.lines.insert(0, Line(line.account, half, line.remark, foreign=foreign))
