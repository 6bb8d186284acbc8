"""Home: is the period in, and is it right?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from starlette.responses import Response

from tieout.verbs import checklist, cockpit
from tieout.web.charts import Mark, Picture, standing
from tieout.web.view import View

# How a period stands → its words, tone and sign, in the picture and in the table.
PERIODS = {
    "agrees": ("Agrees", "good", "✓"), "certified": ("Certified", "good", "★"),
    "differs": ("Differs", "bad", "▲"), "open": ("Cells open", "wait", "○"),
    "reopened": ("Reopened", "wait", "↺"),
}  # fmt: skip


def home(view: View) -> Response:
    """The close cockpit of one period, or what is left to set up."""
    found = cockpit.cockpit(view.instance, view.query.get("period", ""))
    shown = found["periods"][-cockpit.PERIODS_SHOWN :]
    return view.page(
        "home.html", section="home", title=found["period"] or "How it stands", found=found,
        strip=_strip(shown), periods=PERIODS,
        command=("tieout runs", "tieout tie-out --last"),
        evidence=(("Instance", found["home"]),),
    )  # fmt: skip


def _strip(shown: list[dict[str, Any]]) -> Picture | None:
    """The last periods: as high as they have cells, in the tone of how they stand."""
    if not shown:
        return None
    marks, before = [], ""
    for row in shown:
        words, tone, sign = PERIODS[row["state"]]
        size = Decimal(row["cells"] or row["open"])
        year, _, number = row["period"].partition("-")
        marks.append(Mark(number, words, size, tone, sign, year if year != before else ""))
        before = year
    last = shown[-1]["period"]
    about = f"{len(shown)} periods to {last}; a bar is as high as the period has cells."
    return standing("Periods", about, marks)


def start(view: View) -> Response:
    """The set-up checklist."""
    steps = checklist.checklist(view.instance)
    return view.page(
        "start.html", section="home", title="Set up", steps=steps,
        done=sum(step["done"] for step in steps), command=("tieout doctor",),
    )  # fmt: skip
