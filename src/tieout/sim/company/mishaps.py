"""Events that leave the ledger in doubt or out of sight: died posts, conversions, row security."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieout.sim.company.calendar import fiscal_year, julian
from tieout.sim.company.entries import unposted
from tieout.sim.company.journals import Row
from tieout.sim.company.living import key_of
from tieout.sim.company.post import move, movements
from tieout.sim.company.scene import Body, Scene

Answer = dict[str, Any]
PERIODS_NORMAL = 12
HIDDEN = "hidden_business_units"


def died_post(scene: Scene, body: Body) -> Answer:
    """The post dies half-way: lines say P, F0902 did not move, the batch stays in use."""
    lines, day = scene.lines(body)
    rows = scene.living.new_journal(lines, day, "Post died", balances=False)
    return scene.living.touched(rows)


def convert(scene: Scene, body: Body) -> Answer:
    """F0902 changes without a journal: a conversion, or a hand in the table."""
    lines, day = scene.lines(body)
    rows = scene.living.key(lines, day, "Conversion")
    for row in rows:
        for key, amount in movements(row, ""):
            move(scene.ledger, key, row, amount, scene.living.stamp())
        scene.ledger.delete("F0911", key_of(row))
    scene.ledger.delete("F0011", {"ICUT": rows[0]["ICUT"], "ICU": rows[0]["ICU"]})
    return scene.living.touched(rows)


def wrong_period(scene: Scene, body: Body) -> Answer:
    """A posted journal whose period is not the one of its G/L date (a custom loader's work)."""
    lines, day = scene.lines(body)
    rows = scene.living.key(lines, day, "Interface")
    for row in rows:
        scene.ledger.update("F0911", {"PN": 1 if row["PN"] > 1 else 2}, key_of(row))
    rows = scene.ledger.rows("F0911", {"ICUT": "G", "ICU": rows[0]["ICU"]})
    scene.living.post(rows)
    scene.living.header(rows[0], "D")
    return scene.living.touched(rows)


def in_use(scene: Scene, body: Body) -> Answer:
    """A batch is being posted (`done` true: no longer); default: the oldest unposted one.

    When it is done, a batch of posted lines is posted, another is approved (jde-gl.md §2.9).
    """
    where: Row
    if "batch_number" in body:
        where = {"ICUT": str(body["batch_type"]), "ICU": int(body["batch_number"])}
    else:
        answer = unposted(scene, body)
        where = {"ICUT": answer["batch_type"], "ICU": answer["batch_number"]}
    header = scene.ledger.rows("F0011", where)[0]
    lines = scene.ledger.rows("F0911", where)
    posted = all(line["POST"] == "P" for line in lines)
    scene.living.header(header, ("D" if posted else "A") if body.get("done") else "U")
    return scene.living.touched(lines)


def purge(scene: Scene, body: Body) -> Answer:
    """R09911: the lines of a `company` and fiscal `year` are gone, its balances stay."""
    company = scene.company(body)
    year = int(body.get("year", scene.living.current(company)[0] - 1))
    where: Row = {"CO": company, "CTRY": year // 100, "FY": year % 100}
    gone = scene.ledger.delete("F0911", where)
    return {"company": company, "period": f"{year}", "lines": gone, "touched": []}


def change_period(scene: Scene, body: Body) -> Answer:
    """F0010: the current period moves on by one; after the twelfth the next year begins."""
    company = scene.company(body)
    year, period = scene.living.current(company)
    change: Row = {}
    if period < PERIODS_NORMAL:
        period += 1
    else:
        year, period = year + 1, 1
        pattern = scene.living.companies()[company].pattern
        first = julian(fiscal_year(pattern, year).first)
        change = {"DFYJ": first, "DFF": first, "ARFJ": first, "APFJ": first}
    change |= {"PNC": period, "PNF": period, "ARPN": period, "APPN": period}
    scene.ledger.update("F0010", change, {"CO": company})
    return {"company": company, "period": f"{year}-{period:02}", "touched": []}


def _hidden(scene: Scene, change: Callable[[set[str], str], set[str]], unit: str) -> Answer:
    if scene.switch is None:
        raise LookupError("row security needs the running practice system")
    hidden = set(scene.switch({})["switches"][HIDDEN])
    units = sorted(change(hidden, unit))
    scene.switch({"name": HIDDEN, "value": units})
    companies = [row["CO"] for row in scene.ledger.rows("F0006", {"MCU": unit})]
    return {"company": companies[0] if companies else "", "hidden": units, "touched": []}


def hide_unit(scene: Scene, body: Body) -> Answer:
    """Row security hides a `unit` (default 45, whose lines net to zero) from the user."""
    return _hidden(scene, lambda hidden, unit: hidden | {unit}, str(body.get("unit", "45")))


def show_unit(scene: Scene, body: Body) -> Answer:
    """The `unit` is shown again."""
    return _hidden(scene, lambda hidden, unit: hidden - {unit}, str(body.get("unit", "45")))
