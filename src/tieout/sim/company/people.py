"""What the people at JD Edwards do with a batch: approve, post, void, edit, add to, delete it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieout.sim.company.batches import Batches, Body
from tieout.sim.company.calendar import days_of, from_julian, julian, period_of
from tieout.sim.company.journals import Row
from tieout.sim.company.living import Found, Living, key_of

REVERSES, VOIDED = "R", "V"


class People:
    """The control verb `people`: {"do", "batch_type", "batch_number"}, and what the act needs."""

    def __init__(self, living: Living) -> None:
        self.living, self.ledger = living, living.ledger
        self.batches = Batches(living)

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Do it, and answer the batch's new status and the lines it touched."""
        tasks: dict[str, Callable[[Found, Body], list[Found]]] = {
            "approve": lambda header, _: self.approve(header),
            "post": self._post, "void": self.void, "edit": self.batches.edit,
            "add": self.batches.add, "delete": self.batches.delete,
        }  # fmt: skip
        do = body["do"]
        if do not in tasks:
            raise ValueError(f"people do {', '.join(tasks)}, they do not {do!r}")
        where: Row = {"ICUT": str(body["batch_type"]), "ICU": int(body["batch_number"])}
        headers = self.ledger.rows("F0011", where)
        if not headers:
            raise LookupError(f"no batch {where['ICUT']} {where['ICU']}")
        if do == "post" and (errors := self._errors(headers[0])):
            return self.living.touched([], did=do, status="E", errors=errors)
        rows = tasks[do](headers[0], body)
        after = self.ledger.rows("F0011", where)
        return self.living.touched(rows, did=do, status=after[0]["IST"] if after else None)

    def _lines(self, header: Found, **more: str) -> list[Found]:
        return self.ledger.rows("F0911", {"ICUT": header["ICUT"], "ICU": header["ICU"], **more})

    def approve(self, header: Found) -> list[Found]:
        """J124: pending (blank) → approved (A); JDE refuses any other status."""
        if header["IST"] != "":
            raise ValueError(f"batch is {header['IST']!r}, not pending")
        self.living.header(header, "A")
        where: Row = {"ICUT": header["ICUT"], "ICU": header["ICU"]}
        self.ledger.update("F0011", {"IAPP": "A", "AUSR": "KSTONE"}, where)
        return self._lines(header)

    def post(self, header: Found, *, restamp: bool = False) -> list[Found]:
        """J124: R09801 posts an approved batch, and makes the mirrors of its reversing entries."""
        if header["IST"] != "A":
            raise ValueError(f"batch is {header['IST']!r}, not approved")
        rows = self._lines(header, POST="")
        self.living.post(rows, restamp=restamp)
        self.living.header(header, "D")
        self._mirrors([row for row in rows if row["RE"] == REVERSES])
        return rows

    def _errors(self, header: Found) -> list[str]:
        """J125: what R09801 finds; a batch with an error is not posted and is in error (E)."""
        found = self.batches.errors(self._lines(header, POST="")) if header["IST"] == "A" else []
        if found:
            self.living.header(header, "E")
        return found

    def _post(self, header: Found, body: Body) -> list[Found]:
        """J126: post; with `dies` only so many lines are flagged and the batch stays in use (U).

        F0902 does not move for them unless `balances` is true.
        """
        if "dies" not in body:
            return self.post(header, restamp=bool(body.get("restamp", False)))
        if header["IST"] != "A":
            raise ValueError(f"batch is {header['IST']!r}, not approved")
        rows = self._lines(header, POST="")[: int(body["dies"])]
        self.living.post(rows, balances=bool(body.get("balances", False)))
        self.living.header(header, "U")
        return rows

    def void(self, header: Found, body: Body) -> list[Found]:
        """J127 J128: unposted lines go; posted ones get a reversing set, which must be posted.

        One `document` or all; the set is dated in the same period, or at the end of `period`.
        """
        rows = self.batches.lines(header, body)
        waiting = [row for row in rows if row["POST"] == ""]
        posted = [row for row in rows if row["POST"] == "P"]
        for row in waiting:
            self.ledger.delete("F0911", key_of(row))
        made = [self.reversal(row, body.get("period")) for row in posted if row["RE"] != VOIDED]
        if made:
            self.living.header(header, "A")
        return made or waiting

    def reversal(self, row: Found, period: object = None) -> Found:
        """The voiding line of a posted line, unposted, under the same document (§2.10).

        The G/L date is part of the key, so it takes another day of the same period, or the last
        day of another `period` ("2026-02").
        """
        stamp = self.living.stamp()
        pattern = self.living.companies()[row["CO"]].pattern
        day = from_julian(self.other_day(row))
        if period is not None:
            year, number = (int(part) for part in str(period).split("-"))
            day = self.living.day_in(row["CO"], year, number)
        at = period_of(pattern, day)
        self.ledger.update("F0911", {"RE": VOIDED}, key_of(row))
        made = row | {
            "DGJ": julian(day), "CTRY": at[0] // 100, "FY": at[0] % 100, "PN": at[1],
            "AA": -row["AA"], "ACR": -row["ACR"], "U": -row["U"],
            "POST": "", "RE": VOIDED, "DSYJ": stamp[0], "UPMJ": stamp[0], "UPMT": stamp[1],
        }  # fmt: skip
        self.ledger.insert("F0911", [made])
        return made

    def other_day(self, row: Found) -> int:
        """Another day of the line's period, or the first day after a period of one day."""
        pattern = self.living.companies()[row["CO"]].pattern
        first, last = days_of(pattern, row["CTRY"] * 100 + row["FY"], row["PN"])
        day = from_julian(row["DGJ"])
        free = (julian(d) for d in (last, first) if d != day)
        return next(free, row["DGJ"] + 1)

    def _mirrors(self, rows: list[Found]) -> None:
        """Mirror rows on the first day of the next period, unposted, where none exist yet."""
        companies = self.living.companies()
        for row in rows:
            pattern = companies[row["CO"]].pattern
            year, period = row["CTRY"] * 100 + row["FY"], row["PN"] + 1
            if period > 12 or days_of(pattern, year, period)[0] > days_of(pattern, year, period)[1]:
                year, period = year + 1, 1
            mirror = row | {
                "DGJ": julian(days_of(pattern, year, period)[0]), "CTRY": year // 100,
                "FY": year % 100, "PN": period, "AA": -row["AA"], "ACR": -row["ACR"],
                "U": -row["U"], "POST": "", "RE": "",
            }  # fmt: skip
            if not self.ledger.rows("F0911", key_of(mirror)):
                self.ledger.insert("F0911", [mirror])
