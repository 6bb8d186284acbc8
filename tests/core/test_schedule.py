"""Schedules are due at the right instants: five years of all zones and fiscal patterns."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from clock_changes import DAY, FIRST, LAST, MINUTE, Piece, dates, pieces, reached, zones_apart
from fiscal_years import PATTERNS, closes, years_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.core.schedule import Cron, Daily, Every, Rule, WorkingDay, next_times
from tieout.core.when import EXAMPLES, UnreadableError, parse
from tieout.core.working_days import SATURDAY_AND_SUNDAY, WorkCalendar, period_ends

MONTHS = WorkCalendar()


def due_between(
    rule: Rule, begin: datetime, end: datetime, calendar: WorkCalendar = MONTHS
) -> list[datetime]:  # fmt: skip
    found: list[datetime] = []
    while (due := rule.next_after(found[-1] if found else begin, calendar)) and due < end:
        assert due > (found[-1] if found else begin)
        found.append(due)
    return found


def changes(name: str) -> list[Piece]:
    return [piece for piece in pieces(name)[1:] if FIRST < piece.begin < LAST - 4 * DAY]


def a_telling_time(name: str, dice: Random) -> time:
    """A time of day that this zone leaves out or has twice, if there is one."""
    told = [
        p.begin + other.offset + timedelta(minutes=dice.randrange(-70, 70))
        for before, p in zip(pieces(name), pieces(name)[1:], strict=False)
        for other in (before, p)
    ]
    if told:
        return dice.choice(told).time()
    return time(dice.randrange(24), dice.randrange(60))


# ---------------------------------------------------------------------------- all zones


def test_a_daily_time_is_due_once_a_day_in_every_zone_for_five_years(dice: Random) -> None:
    zones = zones_apart()
    assert len(zones) > 40
    for name in zones:
        at = a_telling_time(name, dice)
        expected = {reached(name, datetime.combine(day, at)) for day in dates()}
        begin, end = FIRST + DAY, LAST - 4 * DAY
        rule = parse(f"daily at {at:%H:%M} {name}")
        wanted = sorted(due for due in expected if begin < due < end)
        assert due_between(rule, begin, end) == wanted, (name, at)


def test_intervals_go_by_elapsed_time_through_every_change_of_a_clock(dice: Random) -> None:
    for name in zones_apart():
        step = dice.choice([1, 7, 15, 20, 45, 60, 90, 120, 480, 1440])
        rule = Every(step, None, ZoneInfo(name))
        for change in dice.sample(changes(name), min(2, len(changes(name)))):
            begin, end = change.begin - DAY, change.begin + DAY
            expected, minute = [], begin
            while (minute := minute + MINUTE) < end:
                today = minute.astimezone(ZoneInfo(name)).date()
                first = reached(name, datetime.combine(today, time()))
                if (minute - first) % (step * MINUTE) == timedelta():
                    expected.append(minute)
            assert due_between(rule, begin, end) == expected, (name, step)


def test_a_cron_interval_is_due_whenever_the_wall_clock_shows_it(dice: Random) -> None:
    for name in zones_apart():
        step, hours = dice.choice([5, 15, 20, 30]), dice.choice([(0, 23), (0, 4), (22, 23)])
        spelled = "*" if hours == (0, 23) else f"{hours[0]}-{hours[1]}"
        rule = Cron(f"*/{step} {spelled} * * *", ZoneInfo(name))
        for change in dice.sample(changes(name), min(2, len(changes(name)))):
            begin, end = change.begin - DAY, change.begin + DAY
            expected, minute = [], begin
            while (minute := minute + MINUTE) < end:
                shown = minute.astimezone(ZoneInfo(name))
                if hours[0] <= shown.hour <= hours[1] and shown.minute % step == 0:
                    expected.append(minute)
            assert due_between(rule, begin, end) == expected, (name, rule)


def test_a_cron_time_is_due_once_a_day_like_a_daily_one(dice: Random) -> None:
    for name in dice.sample(zones_apart(), 25):
        at = a_telling_time(name, dice)
        zone = ZoneInfo(name)
        daily, cron = Daily(at, zone), Cron(f"{at.minute} {at.hour} * * *", zone)
        for change in dice.sample(changes(name), min(3, len(changes(name)))):
            span = change.begin - 3 * DAY, change.begin + 3 * DAY
            assert due_between(cron, *span) == due_between(daily, *span), (name, at)


@pytest.mark.parametrize(
    ("when", "since", "due"),
    [
        # left out: at the first instant after the gap
        ("daily at 02:30 America/Chicago", "2027-03-13T12:00Z", "2027-03-14T08:00Z"),
        ("daily at 02:30 Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("daily at 00:00 Africa/Cairo", "2027-04-29T12:00Z", "2027-04-29T22:00Z"),
        ("cron 30 2 * * * Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("daily at 02:10 Australia/Lord_Howe", "2026-10-03T00:00Z", "2026-10-03T15:30Z"),
        # twice on the wall clock: the first time, and then not before the next day
        ("daily at 02:30 Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),
        ("daily at 02:30 Europe/Berlin", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        ("cron 30 2 * * * Europe/Berlin", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        # an hour that comes twice counts twice for an interval
        ("cron 0 * * * * Europe/Berlin", "2026-10-25T00:00Z", "2026-10-25T01:00Z"),
        ("every 2 hours Europe/Berlin", "2026-10-25T00:00Z", "2026-10-25T02:00Z"),
        # a leap day, the end of a year, a day that a zone once left out
        ("cron 0 6 29 2 * UTC", "2026-06-01T00:00Z", "2028-02-29T06:00Z"),
        ("daily at 23:59 Pacific/Auckland", "2027-12-30T11:00Z", "2027-12-31T10:59Z"),
        ("daily at 12:00 Pacific/Apia", "2011-12-29T22:30Z", "2011-12-30T10:00Z"),
    ],
)
def test_a_clock_change_neither_loses_nor_repeats_a_time(when: str, since: str, due: str) -> None:
    found = parse(when).next_after(datetime.fromisoformat(since), MONTHS)
    assert found == datetime.fromisoformat(due)


# ---------------------------------------------------------------------------- fiscal patterns

EVERY_DAY = [date(2023, 1, 1) + timedelta(days=n) for n in range(4500)]


def calendar_of(
    pattern: str, begins: int, weekend: frozenset[int], holidays: frozenset[date]
) -> WorkCalendar:  # fmt: skip
    return WorkCalendar("X", period_ends(years_of(pattern, begins)), holidays, weekend)


@given(
    pattern=st.sampled_from(PATTERNS),
    begins=st.integers(1, 12),
    weekend=st.sampled_from([SATURDAY_AND_SUNDAY, frozenset({4, 5}), frozenset({6}), frozenset()]),
    holidays=st.frozensets(st.dates(date(2026, 1, 1), date(2031, 1, 1)), max_size=60),
    number=st.integers(-25, 25).filter(bool),
    zone=st.sampled_from(["UTC", "America/Chicago", "Asia/Tokyo", "Australia/Lord_Howe"]),
)
def test_a_working_day_is_counted_from_the_end_of_every_fiscal_period(
    pattern: str, begins: int, weekend: frozenset[int], holidays: frozenset[date], number: int,
    zone: str,
) -> None:  # fmt: skip
    calendar = calendar_of(pattern, begins, weekend, holidays)
    at_work = [d for d in EVERY_DAY if d.weekday() not in weekend and d not in holidays]
    days = set()
    for end in closes(pattern, begins):
        place = bisect_right(at_work, end)
        days.add(at_work[place + number - 1 if number > 0 else place + number])
    rule = WorkingDay(number, time(6), ZoneInfo(zone))
    expected = sorted(reached(zone, datetime.combine(day, time(6))) for day in days
                      if date(2026, 1, 3) < day < date(2030, 12, 29))  # fmt: skip
    found = due_between(rule, FIRST + 4 * DAY, LAST - 8 * DAY, calendar)
    assert found == [due for due in expected if FIRST + 4 * DAY < due < LAST - 8 * DAY]


@settings(max_examples=40)
@given(
    pattern=st.sampled_from(PATTERNS),
    weekend=st.sampled_from([SATURDAY_AND_SUNDAY, frozenset({4, 5})]),
    window=st.tuples(st.integers(-8, 8).filter(bool), st.integers(-8, 8).filter(bool)),
    since=st.dates(date(2026, 1, 5), date(2030, 6, 1)),
)
def test_a_window_around_the_close_has_every_day_between_its_working_days_once(
    pattern: str, weekend: frozenset[int], window: tuple[int, int], since: date
) -> None:
    first, last = sorted(window)
    calendar = calendar_of(pattern, 1, weekend, frozenset())
    days = set()
    for end in closes(pattern):
        begin, until = (calendar.working_day(end, n) for n in (first, last))
        days |= {day for day in EVERY_DAY if begin <= day <= until}
    moment = datetime.combine(since, time(), UTC)
    found = due_between(
        Every(720, (first, last), ZoneInfo("UTC")), moment, moment + 90 * DAY, calendar
    )
    expected = [
        datetime.combine(day, time(hour), UTC) for day in sorted(days) for hour in (0, 12)
    ]  # fmt: skip
    assert found == [due for due in expected if moment < due < moment + 90 * DAY]


def test_a_year_of_53_weeks_closes_a_week_later() -> None:
    ends = period_ends(years_of("4-4-5"))
    lengths = {
        (b - a).days // 7 for a, b in zip(ends[11::12], ends[23::12], strict=False)
    }  # fmt: skip
    assert lengths == {52, 53}


def test_an_adjusting_period_of_one_day_closes_nothing_of_its_own() -> None:
    ends = period_ends(years_of("months and 31 December"))
    assert date(2026, 12, 30) not in ends
    assert date(2026, 12, 31) in ends
    assert len([end for end in ends if end.year == 2026]) == 12


def test_after_the_last_known_period_no_time_is_made_up() -> None:
    calendar = WorkCalendar("X", (date(2026, 11, 30), date(2026, 12, 31)))
    rule = parse("working day 1 at 06:00 UTC")
    due = next_times(rule, datetime(2026, 11, 1, tzinfo=UTC), calendar, 5)
    assert [d.date() for d in due] == [date(2026, 12, 1), date(2027, 1, 1)]


# ---------------------------------------------------------------------------- what people write


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_can_be_read_and_reads_back_as_itself(text: str) -> None:
    rule = parse(text, "Asia/Kolkata")
    assert parse(str(rule)) == rule
    assert parse(text.upper().replace("CHICAGO", "Chicago").replace("AMERICA", "America")
                 .replace("EUROPE/BERLIN", "Europe/Berlin"), "Asia/Kolkata") == rule  # fmt: skip


def test_a_text_without_a_zone_means_that_of_its_calendar() -> None:
    assert str(parse("daily at 5:30", "Asia/Kolkata")) == "daily at 05:30 Asia/Kolkata"
    assert str(parse("daily at 05:30")) == "daily at 05:30 UTC"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("daily at 6am", "'6am' is no time of day; write hours and minutes such as 06:00"),
        ("daily at 5.30pm", "such as 05:30"),
        ("daily at 24:00", "such as 00:00"),
        ("daily 06:00", "write it as in “daily at 05:30"),
        ("workday 1 at 06:00", "write it as in “working day 1 at 06:00"),
        ("daily at 06:00 Chicago", "did you mean America/Chicago"),
        ("daily at 06:00 europe/berlin", "did you mean Europe/Berlin"),
        ("daily at 06:00 Europe/Berln", "did you mean Europe/Berlin"),
        ("daily at 06:00 ../../etc/passwd", "is no time zone"),
        ("daily at 06:00 localtime", "is no time zone"),
        ("daily at 06:00 America", "is no time zone"),
        ("working day 0 at 06:00", "there is no working day 0"),
        ("working day one at 06:00", "'one' is no number of a working day"),
        ("working day 99 at 06:00", "more than 31"),
        ("every 0 minutes", "write 1 to 1440 minutes"),
        ("every few minutes", "is no pace"),
        ("every 20 minutes from working day 5 to -2", "write “from working day -2 to 5”"),
        ("cron 61 * * * *", "its minute cannot be"),
        ("cron 0 0 31 2 *", "its day-of-month cannot be"),
        ("when it is ready", "write it as in “when the period closes”"),
        ("", "means no time"),
    ],
)
def test_what_cannot_be_read_is_told_with_a_suggestion(text: str, words: str) -> None:
    with pytest.raises(UnreadableError) as told:
        parse(text)
    assert words in str(told.value)


@given(st.text(max_size=60) | st.sampled_from(EXAMPLES).flatmap(
    lambda text: st.tuples(st.just(text), st.integers(0, len(text)), st.text(max_size=4)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :])
))  # fmt: skip
def test_no_text_ends_in_anything_but_a_time_or_a_sentence(text: str) -> None:
    with suppress(UnreadableError):
        next_times(parse(text), datetime(2026, 11, 26, tzinfo=UTC), MONTHS, 2)
