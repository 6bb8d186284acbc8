"""Events that change what is posted or how it is named: re-dated, recoded, voided, edited."""

from __future__ import annotations

from typing import Any

from tieout.sim.company.calendar import from_julian, julian, period_of
from tieout.sim.company.journals import Line, Row
from tieout.sim.company.living import key_of
from tieout.sim.company.post import post_rows
from tieout.sim.company.scene import Body, Scene

Answer = dict[str, Any]


def move_period(scene: Scene, body: Body) -> Answer:
    """A posted journal is re-dated into the period before (or to `period`).

    Its key changes with its G/L date, F0902 of both periods moves, no stamp does.
    """
    company = scene.company(body)
    rows = scene.document(body, company)
    year, period = rows[0]["CTRY"] * 100 + rows[0]["FY"], rows[0]["PN"]
    day = scene.day({"period": f"{year}-{period - 1}", **body}, company)
    pattern = scene.living.companies()[company].pattern
    to_year, to_period = period_of(pattern, day)
    moved = []
    for row in rows:
        new: Row = {
            "DGJ": julian(day), "CTRY": to_year // 100, "FY": to_year % 100, "PN": to_period,
        }  # fmt: skip
        post_rows(scene.ledger, [row], scene.living.stamp(), -1)
        scene.ledger.update("F0911", new, key_of(row))
        moved.append(row | new)
    post_rows(scene.ledger, moved, scene.living.stamp())
    return scene.living.touched([*moved, *(r | {"AA": -r["AA"]} for r in rows)])


def recode(scene: Scene, body: Body) -> Answer:
    """F0901 of an `account` changes: `unit`, `object`, `subsidiary` (default: another unit).

    The short id stays, and so does the text in F0911 and F0902 until R09806 runs.
    """
    account = (
        scene.living.of_code(str(body["account"]))
        if "account" in body
        else scene.living.busiest(scene.company(body), low="6000", high="6999")
    )
    new: Row = {
        "MCU": str(body.get("unit") or scene.other_unit(account.company, account.unit,
                                                      account.object, account.subsidiary)),
        "OBJ": str(body.get("object", account.object)),
        "SUB": str(body.get("subsidiary", account.subsidiary)),
    }  # fmt: skip
    if scene.ledger.rows("F0901", new):
        raise ValueError(f"account {new} exists")
    today, time = scene.living.stamp()
    scene.ledger.update("F0901", new | {"UPMJ": today, "UPMT": time}, {"AID": account.id})
    posted = scene.ledger.rows("F0911", {"AID": account.id, "LT": "AA", "POST": "P"})
    code = ".".join(part for part in map(str, new.values()) if part)
    return {
        "company": account.company, "account": account.id, "code_before": account.code,
        "code": code, "lines": len(posted), "touched": [],
    }  # fmt: skip


def void_reenter(scene: Scene, body: Body) -> Answer:
    """A posted journal is voided, and entered again in another `unit` of the same object."""
    company = scene.company(body)
    rows = scene.document(body, company)
    first = next((r for r in rows if r["OBJ"] >= "4000"), rows[0])
    account = scene.living.account(AID=first["AID"])
    found = scene.ledger.query(
        "SELECT a.AID FROM F0901 a JOIN F0006 u ON u.MCU = a.MCU WHERE a.CO = ? AND a.OBJ = ? "
        "AND a.SUB = ? AND a.AID <> ? AND a.PEC = '' AND u.STYL = 'CC' AND u.PECC = '' "
        "ORDER BY a.AID LIMIT 1",
        (company, account.object, account.subsidiary, account.id),
    )
    if "unit" in body or not found:
        unit = str(body.get("unit") or scene.other_unit(
            company, account.unit, account.object, account.subsidiary))  # fmt: skip
        other = scene.new_account(unit, account.object, account.subsidiary, account.name)
    else:
        other = str(found[0][0])
    back = [scene.people.reversal(row) for row in rows]
    scene.living.post(back)
    scene.living.header(rows[0], "D")
    lines = [
        Line(scene.living.account(AID=other if r is first else r["AID"]), r["AA"], "Re-entered")
        for r in rows
    ]
    day = from_julian(rows[0]["DGJ"])
    entered = scene.living.new_journal(lines, day, "Voided and re-entered")
    return scene.living.touched([*back, *entered])


def edit_text(scene: Scene, body: Body) -> Answer:
    """The remark of a posted line changes, which sends its batch from D back to A."""
    rows = scene.document(body, scene.company(body))[:1]
    today, time = scene.living.stamp()
    change: Row = {
        "EXR": str(body.get("text", "Corrected, see mail")),
        "UPMJ": today,
        "UPMT": time,
    }
    scene.ledger.update("F0911", change, key_of(rows[0]))
    scene.living.header(rows[0], "A")
    return scene.living.touched(rows, amount_changed=False)


def edit_amount(scene: Scene, body: Body) -> Answer:
    """Both lines of a posted journal and their balances change by a hand in the tables, no stamp.

    Takes `amount`, by which the first line grows.
    """
    company = scene.company(body)
    amount = scene.amount(body, company)
    added = []
    for row, more in zip(scene.document(body, company), (amount, -amount), strict=True):
        scene.ledger.update("F0911", {"AA": row["AA"] + more}, key_of(row))
        added.append(row | {"AA": more, "U": 0})
    post_rows(scene.ledger, added, scene.living.stamp())
    return scene.living.touched(added)


def offset(scene: Scene, body: Body) -> Answer:
    """Two posted lines of one bucket change by opposite amounts: the total stays."""
    company = scene.company(body)
    found = scene.ledger.query(
        "SELECT AID, CTRY, FY, PN FROM F0911 WHERE CO = ? AND POST = 'P' AND LT = 'AA' "
        "AND OBJ >= '5000' AND AA > 20000 AND SBL = '' AND SUMM = '' GROUP BY AID, CTRY, FY, PN "
        "HAVING count(*) > 1 ORDER BY CTRY DESC, FY DESC, PN DESC, AID LIMIT 1",
        (company,),
    )
    where: Row = {
        **dict(zip(("AID", "CTRY", "FY", "PN"), found[0], strict=True)),
        "LT": "AA",
        "POST": "P",
    }
    rows = [r for r in scene.ledger.rows("F0911", where) if r["AA"] > 20_000][:2]
    today, time = scene.living.stamp()
    for row, sign in zip(rows, (1, -1), strict=True):
        row["AA"] += sign * 10_000
        scene.ledger.update("F0911", {"AA": row["AA"], "UPMJ": today, "UPMT": time}, key_of(row))
    return scene.living.touched(rows, bucket_changed=False)
