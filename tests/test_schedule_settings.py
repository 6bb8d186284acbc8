"""Schedules and calendars in the project file: what cannot be meant is told with its place."""

from __future__ import annotations

import pytest
from scheduled import FLOWS

from tieout.errors import Misconfigured
from tieout.settings import read_project
from tieout.verbs import starting

SCHEDULED = (
    FLOWS
    + """
[schedules.close]
when = "working day 1 at 06:00 America/Chicago"
run = ["accounts", "actuals"]
calendar = "us"

[calendars.us]
connection = "erp"
company = "00001"

[calendars.us.holidays]
2026-12-25 = "Christmas"
"""
)
OF_ACCOUNTS = (('run = ["accounts", "actuals"]', 'run = ["accounts"]'), ('calendar = "us"\n', ""))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("working day 1 at 06:00", "working day 1 at 6am")], "schedules.close.when: '6am' is no"),
        ([("America/Chicago", "Chicago")], "did you mean America/Chicago"),
        ([('"accounts", "actuals"]', '"acounts"]')], "which is no flow; did you mean 'accounts'"),
        ([('"accounts", "actuals"]', '"accounts", "accounts"]')], "names accounts twice"),
        ([('"accounts", "actuals"]', "]")], "schedules.close.run names no flow"),
        ([('calendar = "us"', 'calendar = "uk"')], "close.calendar = 'uk' is none of: us"),
        ([('calendar = "us"', 'missed = "never"')], "schedules.close.missed"),
        ([('calendar = "us"', 'calender = "us"')], "did you mean `calendar`?"),
        ([('calendar = "us"', 'companies = ["00001"]')], "is for “when the period closes”"),
        (
            [*OF_ACCOUNTS, ("working day 1 at 06:00 America/Chicago", "when the period closes")],
            "nothing says which company's period is meant",
        ),
        ([('company = "00001"\n\n', "\n")], "needs `connection` and `company` together"),
        ([('company = "00001"\n\n', 'company = "00001"\nfile = "a.csv"\n')], "else from"),
        ([('connection = "erp"\ncompany', 'connection = "planning"\ncompany')],
         "calendars.us.connection names no JD Edwards connection"),
        ([('company = "00001"\n\n', 'company = "00001"\nzone = "CET/Berlin"\n')],
         "calendars.us.zone: 'CET/Berlin' is no time zone"),
        ([("2026-12-25", "2026-13-25")], "calendars.us.holidays names a day that is no date"),
        ([('company = "00001"\n\n', 'company = "00001"\nweekend = ["sat"]\n')],
         "calendars.us.weekend"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_meant_is_told_with_its_place(
    changes: list[tuple[str, str]], words: str
) -> None:
    text = SCHEDULED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(Misconfigured) as told:
        read_project(text)
    assert words in str(told.value), str(told.value)


def test_a_schedule_and_its_calendar_are_read() -> None:
    project = read_project(SCHEDULED)
    schedule = project.schedules["close"]
    assert schedule.run == ("accounts", "actuals")
    calendar = project.calendar_of(schedule)
    assert [str(day) for day in calendar.holidays] == ["2026-12-25"]
    own = read_project(SCHEDULED.replace('calendar = "us"\n', "")).schedules["close"]
    assert project.calendar_of(own).company == "00001"  # that of the flow of actuals


def test_the_schedule_in_the_example_of_a_new_home_is_accepted_without_its_marks() -> None:
    example = starting.filled({})
    begin = example.index("# [schedules.close]")
    marked, _, rest = example[begin:].partition("\n\n")
    text = "\n".join(line.removeprefix("# ") for line in marked.splitlines())
    schedule = read_project(example[:begin] + text + "\n" + rest).schedules["close"]
    assert schedule.run == ("companies", "accounts", "cost_centers", "actuals")
    assert not read_project(example).schedules
