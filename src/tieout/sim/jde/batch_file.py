"""The first step of the plan orchestration: its lines become rows of the batch file F0911Z1."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tieout.sim.jde.dates import from_julian, to_julian
from tieout.sim.jde.edits import Masters
from tieout.sim.jde.inputs import Sent, Values
from tieout.sim.jde.ledger import Ledger, Row, Value
from tieout.sim.jde.numbers import draw
from tieout.sim.jde.refusal import AisError
from tieout.sim.jde.switches import Switches
from tieout.sim.jde.tables import TABLES

TABLE = "F0911Z1"
PROGRAM = "ORCH"
# Output or column → the input that fills it; what a line says goes before what the call says.
_FROM_CALL = {"LT": "LedgerType", "DCT": "DocumentType", "R1": "Reference1", "R2": "Reference2",
              "EXA": "Explanation"}  # fmt: skip
_FROM_LINE = {"EXR": "Remark", "SBL": "Subledger", "SBLT": "SubledgerType"}


class BatchFile:
    """Turns the message of one call into rows, keyed by EDUS, EDBT, EDTN and EDLN (J100, J101)."""

    def __init__(self, ledger: Ledger, switches: Switches) -> None:
        self._ledger, self._switches = ledger, switches

    def rows(self, sent: Sent, user: str, now: tuple[int, int]) -> list[Row]:
        """The rows of a call; AisError 500 when a value does not fit its column."""
        masters = Masters(self._ledger)
        made = sent.inputs
        control = self._control_batch(made)
        return [
            self._row(masters, made, line, number)
            | {"EDUS": user, "EDBT": control, "USER": user, "UPMJ": now[0], "UPMT": now[1]}
            for number, line in enumerate(sent.rows, 1)
        ]

    def _control_batch(self, made: Values) -> str:
        """J101: as sent, else the batch number, else a number drawn for this call."""
        if "ControlBatch" in made:
            return self._text("EDBT", made["ControlBatch"])
        if "BatchNumber" in made:
            return str(self._whole("ICU", made["BatchNumber"]))
        return str(draw(self._ledger, "control batch"))

    def _row(self, masters: Masters, made: Values, line: Values, number: int) -> dict[str, Value]:
        account = str(line.get("AccountId", ""))
        known = masters.account(account) or {}
        company = str(made.get("Company") or known.get("CO", ""))
        both: Values = {**made, **line}
        texts = {c: str(both.get(i, "")) for c, i in _FROM_CALL.items()}
        texts |= {c: str(line.get(i, "")) for c, i in _FROM_LINE.items()}
        texts["DCT"] = texts["DCT"] or self._switches["plan_document_type"]  # J101
        texts |= {"AID": account, "CO": company, "EDTN": self._transaction(made, line)}
        ledger = texts["LT"].strip() or self._switches["default_ledger"]
        places = masters.places(company, ledger)
        row: dict[str, Any] = {c: self._text(c, text) for c, text in texts.items()}
        return row | _date_parts(both.get("GLDate", 0)) | {
            "EDLN": self._whole("EDLN", line.get("LineNumber", Decimal(number))),
            "EDSP": "0", "EDTC": "A", "EDTR": "J", "EDER": "R", "ICUT": "G", "AM": "1",
            "ANI": row["AID"], "CRRM": "D",
            "ICU": self._whole("ICU", made.get("BatchNumber", Decimal())),
            "DOC": self._whole("DOC", both.get("DocumentNumber", Decimal())),
            "AA": self._scaled(line.get("Amount", Decimal()), places, "Amount"),
            "U": self._scaled(line.get("Units", Decimal()), 2, "Units"),
            "UM": "EA" if line.get("Units") else "", "PID": PROGRAM, "JOBN": "RIDGEAIS1",
        }  # fmt: skip

    def _transaction(self, made: Values, line: Values) -> str:
        """J101: EDTN as it was sent, else the document number, else the reference."""
        for name in ("TransactionNumber", "DocumentNumber", "Reference2"):
            for source in (line, made):
                if name in source:
                    return str(source[name])
        return "1"

    def _text(self, alias: str, text: str) -> str:
        """J118: text that is longer than its column is refused, or cut."""
        width = TABLES[TABLE].columns[alias].width
        kept = text.rstrip(" ")
        if len(kept) > width and self._switches["long_text"] == "refuse":
            raise AisError(500, f"{alias} holds {width} characters, not {text!r}")
        return kept[:width]

    def _whole(self, alias: str, number: Decimal) -> int:
        width = TABLES[TABLE].columns[alias].width
        if number != number.to_integral_value() or not 0 <= number < 10**width:
            raise AisError(500, f"{alias} takes a whole number of {width} digits, not {number}")
        return int(number)

    def _scaled(self, amount: Decimal, places: int, what: str) -> int:
        """J117: an amount as an integer; decimals the currency has not are refused, or cut."""
        scaled = amount.scaleb(places)
        whole = scaled.to_integral_value(ROUND_DOWN)
        if whole != scaled and self._switches["excess_decimals"] == "refuse":
            raise AisError(500, f"{what} {amount} has more than {places} decimals")
        if abs(whole) >= 10**15:
            raise AisError(500, f"{what} {amount} has more than 15 digits")
        return int(whole)

    def write(self, rows: Iterable[Row]) -> tuple[int, str]:
        """J100: insert one row after the other until one is refused; how many, and why it ended.

        What was inserted before stays: there is no transaction over an orchestration (J096).
        """
        written = 0
        with self._ledger.transaction():
            for row in rows:
                try:
                    self._ledger.insert(TABLE, [row])
                except sqlite3.IntegrityError:
                    key = ", ".join(str(row[alias]) for alias in TABLES[TABLE].key)
                    return written, f"F0911Z1 has a record with the key {key}"
                written += 1
        return written, ""

    def purge(self) -> int:
        """J120: delete the rows that are processed; how many."""
        return self._ledger.delete(TABLE, {"EDSP": "1"})


def _date_parts(number: int) -> dict[str, int]:
    """DGJ and its parts in DGM, DGD, DGY and DG#."""
    day = from_julian(number)
    if day is None:
        return {"DGJ": 0}
    return {"DGJ": to_julian(day), "DGM": day.month, "DGD": day.day, "DGY": day.year % 100,
            "DG#": day.year // 100}  # fmt: skip


def key_of(row: Mapping[str, Any]) -> Row:
    """The four key columns of a row of the batch file."""
    return {alias: row[alias] for alias in TABLES[TABLE].key}
