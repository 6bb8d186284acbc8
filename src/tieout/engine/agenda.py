"""The schedules of an instance as they are due: by its configuration, and by what JD Edwards shows.

Made anew when either changes; otherwise looked at once a second by every process that executes.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tieout.core.schedule import Every, PeriodCloses, Rule, WorkingDay
from tieout.core.when import parse
from tieout.core.working_days import WEEKDAYS, WorkCalendar, period_ends
from tieout.errors import Misconfigured
from tieout.project import Calendar, Project, Schedule
from tieout.store.configs import Config
from tieout.store.looks import Look

DIGEST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Planned:
    """One schedule: when it is due, and what it runs."""

    name: str
    rule: Rule
    flows: tuple[str, ...]
    schedule: Schedule
    zone: ZoneInfo
    calendar: WorkCalendar | None  # None: its periods are not known
    digest: str  # of the calendar, as far as the rule goes by it
    trouble: str = ""  # why no time can be told
    watched: tuple[str, tuple[str, ...]] | None = None  # connection and companies that may close

    def next_after(self, moment: datetime) -> datetime | None:
        """Its next due time, None when none is known."""
        return self.rule.next_after(moment, self.calendar) if self.calendar else None


@dataclass(frozen=True, slots=True)
class Agenda:
    """All schedules of one applied configuration."""

    version: int = 0
    applied_at: datetime | None = None
    project: Project | None = None
    schedules: Mapping[str, Planned] = field(default_factory=dict)
    looked_at: Mapping[str, frozenset[str]] = field(default_factory=dict)  # connection → companies


def agenda_of(config: Config, project: Project, looks: Mapping[str, Look], home: Path) -> Agenda:
    """Every schedule with its calendar; what cannot be told is told at that schedule alone."""
    schedules: dict[str, Planned] = {}
    companies: dict[str, set[str]] = {}
    for name, schedule in project.schedules.items():
        calendar = project.calendar_of(schedule)
        rule = parse(schedule.when, calendar.zone)
        by_periods = isinstance(rule, WorkingDay) or (
            isinstance(rule, Every) and rule.window is not None
        )
        watched = project.watched_by(schedule) if isinstance(rule, PeriodCloses) else None
        needed = {calendar.connection: {calendar.company}} if by_periods else {}
        if watched:
            needed = {watched[0]: set(watched[1])}
        for connection, some in needed.items():
            if connection:
                companies.setdefault(connection, set()).update(some)
        found: WorkCalendar | None = WorkCalendar()
        trouble = ""
        if by_periods:
            found, trouble = _calendar(calendar, looks.get(calendar.connection), home)
        elif watched:
            look = looks.get(watched[0])
            trouble = look.trouble if look else ""
        schedules[name] = Planned(
            name, rule, schedule.run, schedule, _zone(rule, calendar), found,
            _digest(found) if by_periods else "", trouble, watched,
        )  # fmt: skip
    looked_at = {connection: frozenset(some) for connection, some in companies.items()}
    return Agenda(config.version, config.applied_at, project, schedules, looked_at)


def files_of(project: Project, home: Path) -> tuple[object, ...]:
    """What changes when a file of a calendar does."""
    marks: list[object] = []
    for calendar in project.calendars.values():
        if calendar.file:
            try:
                found = (home / calendar.file).stat()
                marks.append((found.st_mtime_ns, found.st_size))
            except OSError:
                marks.append(None)
    return tuple(marks)


def _zone(rule: Rule, calendar: Calendar) -> ZoneInfo:
    return ZoneInfo(calendar.zone) if isinstance(rule, PeriodCloses) else rule.zone


def _calendar(
    calendar: Calendar, look: Look | None, home: Path
) -> tuple[WorkCalendar | None, str]:  # fmt: skip
    """The working days by a calendar of the project file; without them, why they are not known."""
    weekend = frozenset(WEEKDAYS.index(day) for day in calendar.weekend)
    holidays = frozenset(calendar.holidays)
    if calendar.file:
        try:
            ends = _ends_in(home / calendar.file)
        except Misconfigured as trouble:
            return None, trouble.sentence()
        return WorkCalendar(f"the file {calendar.file}", ends, holidays, weekend), ""
    if not calendar.connection:
        return WorkCalendar(ends=None, holidays=holidays, weekend=weekend), ""
    title = f"F0008 of company {calendar.company}"
    stands = look.companies.get(calendar.company) if look else None
    fiscal = look.patterns.get(stands.pattern) if look and stands else None
    if fiscal is None or not fiscal.years:
        told = look.trouble if look else ""
        return None, told or f"{title} has not been read yet."
    ends = period_ends(year.ends for year in fiscal.years.values())
    return WorkCalendar(title, ends, holidays, weekend), ""


def _ends_in(path: Path) -> tuple[date, ...]:
    """The period ends in a CSV with a column `end`, one regular period a row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            ends = sorted({date.fromisoformat(row["end"].strip()) for row in csv.DictReader(file)})
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise Misconfigured(
            f"The calendar {path} cannot be read: {error}.",
            do="Give it a column `end` with the last day of each period, such as 2026-10-31.",
        ) from error
    if not ends:
        raise Misconfigured(f"The calendar {path} has no period.")
    return tuple(ends)


def _digest(calendar: WorkCalendar | None) -> str:
    if calendar is None:
        return ""
    days = [calendar.ends or (), sorted(calendar.holidays), sorted(calendar.weekend)]
    told = "|".join(",".join(map(str, part)) for part in days)
    return hashlib.sha256(told.encode()).hexdigest()[:DIGEST_DIGITS]
