"""The calendar and versions of a model as the API shows them; nothing here can be changed."""

from __future__ import annotations

import calendar
import json
from datetime import date

from tieout.sim.anaplan.build import MONTHS
from tieout.sim.anaplan.state import TIME_ID
from tieout.sim.anaplan.wire import Exchange, enveloped
from tieout.sim.box import Response

CALENDAR = "Calendar Months/Quarters/Years"


def _months(exchange: Exchange) -> list[str]:
    items = exchange.state.items(exchange.model, TIME_ID)
    return [i.name for i in items if not i.data.get("total")]


def _last_day(month: str) -> str:
    name, year = month.split()
    number, full = MONTHS.index(name) + 1, 2000 + int(year)
    return date(full, number, calendar.monthrange(full, number)[1]).isoformat()


def _current(exchange: Exchange) -> dict[str, str]:
    """The model's current period; its last month when none was set."""
    row = exchange.state.row("select data from models where id = ?", exchange.model)
    months = _months(exchange)
    month = json.loads(row[0]).get("current_period") or (months[-1] if months else "")
    return {"periodText": month, "lastDay": _last_day(month)} if month else {}


def get_current_period(exchange: Exchange) -> Response:
    """`GET …/currentPeriod` (A091)."""
    shown = _current(exchange) | {"calendarType": CALENDAR}
    return enveloped("currentPeriod", currentPeriod=shown)


def get_model_calendar(exchange: Exchange) -> Response:
    """`GET …/modelCalendar`: years of twelve calendar months (A091)."""
    current, months = _current(exchange), _months(exchange)
    year = current["periodText"].split()[1] if current else ""
    years = [m.split()[1] for m in months[::12]]
    at = years.index(year) if year else 0
    fiscal = {"year": f"FY{year}", "startDate": f"20{year}-01-01", "endDate": f"20{year}-12-31"}
    names = ("quarterTotals", "halfYearTotals", "yearToDateSummary", "yearToGoSummary",
             "totalOfAllPeriods")  # fmt: skip
    shown = {
        "calendarType": CALENDAR, "currentPeriod": current, "fiscalYear": fiscal,
        "pastYearsCount": at, "futureYearsCount": max(0, len(years) - at - 1),
        "totalsSelection": {name: name == "quarterTotals" for name in names},
    }  # fmt: skip
    return enveloped("modelCalendar", modelCalendar=shown)


def get_versions(exchange: Exchange) -> Response:
    """`GET …/versions`: the one version, Actual (A091)."""
    edit = {"editFrom": "", "editTo": ""}
    actual = {"id": "107000000001", "name": "Actual", "isCurrent": False, "isActual": True}
    return enveloped("version", versionMetadata=[actual | edit])
