"""Events that enter or post journals: late, backdated, to nothing, unposted, to a new account."""

from __future__ import annotations

from typing import Any

from tieout.sim.company.calendar import julian
from tieout.sim.company.journals import Line, Row
from tieout.sim.company.living import key_of
from tieout.sim.company.scene import Body, Scene

Answer = dict[str, Any]


def late_post(scene: Scene, body: Body) -> Answer:
    """The oldest unposted batch is posted; the stamp of its lines does not move.

    `restamp` true is the other variant. Takes `company`.
    """
    company = scene.company(body)
    found = scene.ledger.query(
        "SELECT ICUT, ICU FROM F0911 WHERE CO = ? AND POST = '' AND LT = 'AA' AND DGJ <= ? "
        "GROUP BY ICUT, ICU HAVING min(EXA) <> 'Accrual, reverses' ORDER BY min(DGJ), ICU",
        (company, julian(scene.day({}, company))),
    )
    usable = [scene.ledger.rows("F0011", {"ICUT": t, "ICU": n})[0] for t, n in found]
    usable = [header for header in usable if header["IST"] in ("", "A")]
    if not usable:
        raise LookupError(f"company {company} has no unposted batch left")
    header = usable[0] | {"IST": "A"}
    rows = scene.people.post(header, restamp=bool(body.get("restamp", False)))
    return scene.living.touched(rows)


def backdated(scene: Scene, body: Body) -> Answer:
    """A new posted journal with a G/L date in an earlier `period` (default: the year's 3rd)."""
    company = scene.company(body)
    year, period = scene.living.current(company)
    earlier = f"{year}-03" if period > 3 else f"{year - 1}-09"
    lines, day = scene.lines({"period": earlier, **body})
    return scene.living.touched(scene.living.new_journal(lines, day, "Backdated entry"))


def net_to_zero(scene: Scene, body: Body) -> Answer:
    """A new journal takes a cell of the `account` (and `period`) to nothing."""
    company = scene.company(body)
    account = (
        scene.living.of_code(str(body["account"]))
        if "account" in body
        else scene.living.busiest(company, low="7000", high="7299")
    )
    held: dict[tuple[int, int], int] = {}
    for row in scene.ledger.rows("F0911", {"AID": account.id, "LT": "AA", "POST": "P"}):
        at = (row["CTRY"] * 100 + row["FY"], row["PN"])
        counted = 0 if row["SUMM"] == "Y" else row["AA"]
        held[at] = held.get(at, 0) + counted
    wanted = tuple(int(p) for p in str(body["period"]).split("-")) if "period" in body else None
    cells = [at for at in sorted(held) if held[at] and (wanted is None or at == wanted)]
    if not cells:
        raise LookupError(f"{account.code} holds nothing")
    year, period = cells[-1]
    other = scene.living.busiest(company, low="2110", high="2199")
    amount = held[year, period]
    lines = [Line(account, -amount, "Reversed in full"), Line(other, amount, "Reversed")]
    day = scene.living.day_in(company, year, period)
    return scene.living.touched(scene.living.new_journal(lines, day, "Reversed in full"))


def post_batch(scene: Scene, body: Body) -> Answer:
    """R09801 for one approved batch; takes `batch_type`, `batch_number`."""
    return scene.people({"do": "post", **body})


def unposted(scene: Scene, body: Body) -> Answer:
    """A new batch that nobody posts."""
    lines, day = scene.lines(body)
    return scene.living.touched(scene.living.key(lines, day, "Not posted yet"))


def delete_unposted(scene: Scene, body: Body) -> Answer:
    """The oldest unposted batch of the company is deleted, leaving no trace (§2.10)."""
    company = scene.company(body)
    found = scene.ledger.query(
        "SELECT ICUT, ICU FROM F0911 WHERE CO = ? AND POST = '' ORDER BY DGJ, ICU LIMIT 1",
        (company,),
    )
    if not found:
        raise LookupError(f"company {company} has no unposted batch left")
    batch: Row = {"ICUT": found[0][0], "ICU": found[0][1]}
    rows = scene.ledger.rows("F0911", {**batch, "POST": ""})
    for row in rows:
        scene.ledger.delete("F0911", key_of(row))
    scene.ledger.delete("F0011", batch)
    return scene.living.touched(rows)


def add_account(scene: Scene, body: Body) -> Answer:
    """A new account (`code`, default 30.7995.NEW) with one posted journal."""
    unit, object_account, *rest = str(body.get("code", "30.7995.NEW")).split(".")
    number = scene.new_account(
        unit, object_account, "".join(rest), str(body.get("text", "New account"))
    )
    lines, day = scene.lines({**body, "account": number})
    return scene.living.touched(scene.living.new_journal(lines, day, "First posting"))
