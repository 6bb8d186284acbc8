"""What people change in a batch, posted or not, and what R09801 checks before it posts one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieout.sim.company.journals import Row
from tieout.sim.company.living import Found, Living, key_of, stored
from tieout.sim.jde.edits import Masters, account_messages, balance_message
from tieout.sim.jde.fiscal import Fiscal
from tieout.sim.jde.money import header_amount

Body = Mapping[str, Any]
PERSON, PROGRAM = "MHOLT", "P0911"
MACHINE_MADE = "M"
TEXTS = {"remark": "EXR", "explanation": "EXA", "reference": "R2"}  # editable after the post too


@dataclass(frozen=True, slots=True)
class Batches:
    """Edits of batches on the living ledger. A body may name one `document`: "BN 100234 00001"."""

    living: Living

    def lines(self, header: Found, body: Body) -> list[Found]:
        """The lines of a batch, or of one document of it."""
        where: dict[str, int | str] = {"ICUT": header["ICUT"], "ICU": header["ICU"]}
        if "document" in body:
            kind, number, company = str(body["document"]).split()
            where |= {"DCT": kind, "DOC": int(number), "KCO": company}
        found = self.living.ledger.rows("F0911", where)
        if not found and "document" in body:
            raise LookupError(f"batch {header['ICU']} has no document {body['document']}")
        return found

    def edit(self, header: Found, body: Body) -> list[Found]:
        """J128 J130: change `amount`, `account` or texts of one `line`; posted ones keep theirs."""
        number = int(body["line"])
        found = [row for row in self.lines(header, body) if row["JELN"] == number]
        if len(found) != 1:
            raise LookupError(f"{len(found)} lines have the number {number}: name the document")
        row, today = found[0], self.living.stamp()
        change: Row = {TEXTS[name]: str(body[name]) for name in TEXTS if name in body}
        if "amount" in body or "account" in body:
            if row["POST"]:
                raise ValueError("the line is posted: its amount and account stay")
            change |= self._money(row, body)
        change |= {"USER": PERSON, "PID": PROGRAM, "UPMJ": today[0], "UPMT": today[1]}
        self.living.ledger.update("F0911", change, key_of(row))
        self._reopen(header)
        return [row | change]

    def _money(self, row: Found, body: Body) -> Row:
        account = self.living.account(AID=row["AID"])
        if "account" in body:
            account = self.living.of_code(str(body["account"]))
        decimals = self.living.companies()[account.company].decimals
        amount = stored(str(body["amount"]), decimals) if "amount" in body else int(row["AA"])
        return {
            "AID": account.id, "ANI": account.id, "CO": account.company, "MCU": account.unit,
            "OBJ": account.object, "SUB": account.subsidiary, "AA": amount,
        }  # fmt: skip

    def add(self, header: Found, body: Body) -> list[Found]:
        """J129: more `lines` (account, amount, remark) in a document, whether posted or not."""
        known = self.lines(header, body)
        if not known:
            raise LookupError(f"batch {header['ICU']} has no lines")
        first, today = known[0], self.living.stamp()
        last = max(row["JELN"] for row in known if row["DOC"] == first["DOC"])
        made = []
        for number, line in enumerate(body["lines"], last + 1):
            made.append(first | self._money(first, line) | {
                "JELN": number, "EXR": str(line.get("remark", "")), "POST": "", "RE": "", "U": 0,
                "UM": "", "SBL": "", "SBLT": "", "USER": PERSON, "TORG": PERSON, "PID": PROGRAM,
                "DSYJ": today[0], "UPMJ": today[0], "UPMT": today[1],
            })  # fmt: skip
        self.living.ledger.insert("F0911", made)
        self._reopen(header)
        return made

    def delete(self, header: Found, body: Body) -> list[Found]:
        """J128: unposted lines go without a trace, and the header with the last of them."""
        rows = self.lines(header, body)
        if any(row["POST"] for row in rows):
            raise ValueError("posted journals cannot be deleted")
        for row in rows:
            self.living.ledger.delete("F0911", key_of(row))
        where: Row = {"ICUT": header["ICUT"], "ICU": header["ICU"]}
        if self.living.ledger.rows("F0911", where):
            self._reopen(header)
        else:
            self.living.ledger.delete("F0011", where)
        return rows

    def _reopen(self, header: Found) -> None:
        """J130: a batch that somebody touched is pending again, and computed anew."""
        self.living.header(header, "")
        where: Row = {"ICUT": header["ICUT"], "ICU": header["ICU"]}
        rows = self.living.ledger.rows("F0911", where)
        companies = self.living.companies()
        debits = sum(
            header_amount(row["AA"], companies[row["CO"]].decimals)
            for row in rows
            if row["AA"] > 0 and row["CO"] in companies
        )
        count = len({(row["DCT"], row["DOC"], row["KCO"]) for row in rows})
        change: Row = {"IAPP": "", "AME": debits, "DOCN": count}
        self.living.ledger.update("F0011", change, where)

    def errors(self, rows: list[Found]) -> list[str]:
        """J125: what keeps R09801 from posting these lines."""
        ledger = self.living.ledger
        masters, fiscal = Masters(ledger), Fiscal(ledger)
        found: list[str] = []
        documents: dict[tuple[Any, ...], list[int]] = {}
        for row in rows:
            documents.setdefault((row["DCT"], row["DOC"], row["KCO"], row["LT"]), []).append(
                row["AA"]
            )
            account = masters.account(row["AID"])
            if account is None:
                found.append(f"Account {row['AID']} is not in the Account Master")
                continue
            checked = dict(account) | {"PEC": account["PEC"].replace(MACHINE_MADE, "")}
            found += [m.text for m in account_messages(masters, checked, row["LT"])]
            if fiscal.place(row["CO"], row["DGJ"]) is None:
                found.append(f"No date pattern covers the G/L date {row['DGJ']}")
        for (_, number, _, ledger_type), amounts in documents.items():
            if balance_message(masters, ledger_type, amounts):
                found.append(f"Document {number} is out of balance in ledger {ledger_type}")
        return list(dict.fromkeys(found))
