"""What every event needs: which company, account, amount, day and document it is about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from tieout.sim.company.journals import Line, Row
from tieout.sim.company.living import Found, Living, stored
from tieout.sim.company.people import People

Body = dict[str, Any]
Switch = Callable[[dict[str, Any]], dict[str, Any]]
DEFAULT_COMPANY, DEFAULT_AMOUNT = "00001", "1234.56"
AMOUNTS = {0: "123456", 3: "1234.567"}  # by the decimals of the currency


class Scene:
    """The living ledger and its people, with the defaults of the events.

    A body may name `company` (default 00001), `account` (BU.OBJ.SUB or short id), `amount`
    (decimal text) and `period` ("2025-03", the company's own fiscal period).
    """

    def __init__(self, living: Living, people: People) -> None:
        self.living, self.people, self.ledger = living, people, living.ledger
        self.switch: Switch | None = None

    def company(self, body: Body) -> str:
        company = str(body.get("company", DEFAULT_COMPANY))
        if company not in self.living.companies():
            raise LookupError(f"no company {company!r}")
        return company

    def amount(self, body: Body, company: str) -> int:
        decimals = self.living.companies()[company].decimals
        return stored(str(body.get("amount", AMOUNTS.get(decimals, DEFAULT_AMOUNT))), decimals)

    def day(self, body: Body, company: str) -> date:
        """The last day of `period`, or of the company's current period."""
        year, period = self.living.current(company)
        if "period" in body:
            year, period = (int(part) for part in str(body["period"]).split("-"))
        return self.living.day_in(company, year, period)

    def lines(self, body: Body) -> tuple[list[Line], date]:
        """Two balanced lines: the account of the event against accrued expenses."""
        company = self.company(body)
        account = (
            self.living.of_code(str(body["account"]))
            if "account" in body
            else self.living.busiest(company)
        )
        amount = self.amount(body, account.company)
        other = self.living.busiest(account.company, low="2110", high="2199")
        return [Line(account, amount, "Event"), Line(other, -amount, "Event")], self.day(
            body, account.company
        )

    def document(self, body: Body, company: str) -> list[Found]:
        """The posted two-line journal of one period that an event works on: stable, and plain."""
        found = self.ledger.query(
            "SELECT DCT, DOC, KCO FROM F0911 WHERE CO = ? AND LT = 'AA' AND POST = 'P' "
            "AND RE = '' AND SUMM = '' AND SBL = '' AND DCT IN ('RI', 'IM', 'PV') "
            "GROUP BY DCT, DOC, KCO HAVING count(*) = 2 AND min(CO) = max(CO) "
            "AND min(CRRM) = 'D' AND min(PN) > 1 ORDER BY max(CTRY * 100 + FY) DESC, DOC "
            "LIMIT 1 OFFSET ?",
            (company, int(body.get("nth", 0))),
        )
        if not found:
            raise LookupError(f"company {company} has no plain posted journal left")
        return self.ledger.rows("F0911", dict(zip(("DCT", "DOC", "KCO"), found[0], strict=True)))

    def other_unit(self, company: str, unit: str, object_account: str, subsidiary: str) -> str:
        """A cost center of the company that has not the object and subsidiary yet."""
        taken = self.ledger.query(
            "SELECT trim(MCU) FROM F0901 WHERE OBJ = ? AND SUB = ?", (object_account, subsidiary)
        )
        units = self.ledger.query(
            "SELECT trim(MCU) FROM F0006 WHERE CO = ? AND STYL = 'CC' AND PECC = '' ORDER BY MCU",
            (company,),
        )
        free = [u[0] for u in units if u not in taken and u[0] != unit]
        if not free:
            raise LookupError(f"every unit of {company} has {object_account}.{subsidiary}")
        return str(free[0])

    def new_account(self, unit: str, object_account: str, subsidiary: str, name: str) -> str:
        """Make the account if it is not there; returns its short id."""
        text: Row = {"MCU": unit, "OBJ": object_account, "SUB": subsidiary}
        known = self.ledger.rows("F0901", text)
        if known:
            return str(known[0]["AID"])
        units = self.ledger.rows("F0006", {"MCU": unit})
        if not units:
            raise LookupError(f"no business unit {unit!r}")
        alike = self.ledger.rows("F0901", {"OBJ": object_account})
        today, time = self.living.stamp()
        number = f"{int(max(row['AID'] for row in self.ledger.rows('F0901'))) + 1:08}"
        row: Row = text | {
            "AID": number, "CO": units[0]["CO"], "DL01": name, "LDA": "6", "BILL": "N",
            "R001": alike[0]["R001"] if alike else "OPX", "USER": "MHOLT", "PID": "P0901",
            "UPMJ": today, "UPMT": time,
        }  # fmt: skip
        self.ledger.insert("F0901", [row])
        return number
