"""The batch program R09110Z: rows of F0911Z1 become unposted journals, or stay with their error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tieout.sim.clock import PracticeClock
from tieout.sim.jde.batch_file import TABLE, key_of
from tieout.sim.jde.dates import to_julian
from tieout.sim.jde.edits import Masters, balance_message, line_messages
from tieout.sim.jde.fiscal import Fiscal, Message
from tieout.sim.jde.ledger import Ledger, Row, Value
from tieout.sim.jde.money import header_amount
from tieout.sim.jde.numbers import draw, handed_out
from tieout.sim.jde.switches import Switches

PROGRAM, STATION, BATCH_TYPE = "R09110Z", "RIDGEBAT1", "G"
WORK_CENTER = "work center"  # practice_state: the last messages
PENDING, APPROVED, IN_USE = "", "A", "U"
DEFAULT_TYPE = "JE"
MESSAGES_KEPT_MAX = 200
Found = dict[str, Any]
_COPIED = "DCT DGJ AM ANI SBL SBLT U UM EXA EXR R1 R2 CRRM AID"


@dataclass(slots=True)
class Document:
    """One transaction (EDTN) and what became of it."""

    rows: list[Found]
    ledgers: list[str]
    number: int = 0
    company: str = ""
    messages: list[Message] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether it stays behind."""
        return any(not message.warning for message in self.messages)


@dataclass(slots=True)
class Outcome:
    """What one run of the program did with one control batch (EDBT)."""

    control_batch: str
    batch: int = 0
    documents: list[Document] = field(default_factory=list)

    def taken(self) -> list[Document]:
        """The documents that are in the ledger now."""
        return [document for document in self.documents if document.number]


class Upload:
    """Runs R09110Z on the practice ledger."""

    def __init__(self, ledger: Ledger, clock: PracticeClock, switches: Switches) -> None:
        self._ledger, self._clock, self._switches = ledger, clock, switches

    def run(self, user: str = "", control_batch: str = "") -> list[Outcome]:
        """Process what waits: of one control batch, or of all when none is named (J121)."""
        where = {"EDSP": "0", "EDTC": "A", "EDTR": "J"}
        if control_batch and self._switches["upload_selection"] == "own":
            where |= {"EDUS": user, "EDBT": control_batch}
        with self._ledger.transaction():
            groups: dict[tuple[str, str], list[Found]] = {}
            for row in self._ledger.rows(TABLE, where):
                groups.setdefault((row["EDUS"], row["EDBT"]), []).append(row)
            return [self._batch(key[1], rows) for key, rows in groups.items()]

    def _batch(self, control_batch: str, rows: list[Found]) -> Outcome:
        """J102: one control batch becomes one batch, each transaction of it one document."""
        outcome = Outcome(control_batch)
        masters, fiscal = Masters(self._ledger), Fiscal(self._ledger)
        transactions: dict[str, list[Found]] = {}
        for row in rows:
            transactions.setdefault(row["EDTN"], []).append(row)
        for lines in transactions.values():
            document = self._document(masters, fiscal, lines)
            document.messages += self._batch_messages(int(lines[0]["ICU"]), rows)
            outcome.documents.append(document)
        good = [document for document in outcome.documents if not document.wrong]
        if good:
            outcome.batch = int(rows[0]["ICU"]) or draw(self._ledger, "batch")
            for document in good:
                self._number(document)
        taken = [document for document in good if not document.wrong]
        for document in taken:
            self._enter(masters, fiscal, document, outcome.batch)
        if taken:
            self._header(masters, outcome.batch, taken)
        self._tell(control_batch, outcome)
        return outcome

    def _document(self, masters: Masters, fiscal: Fiscal, rows: list[Found]) -> Document:
        """Edit one transaction; its messages say why it stays behind."""
        ledgers = [row["LT"] or self._switches["default_ledger"] for row in rows]  # J103
        document = Document(rows, ledgers)
        for row, ledger in zip(rows, ledgers, strict=True):
            document.messages += line_messages(masters, row, ledger)
        document.messages += self._head_messages(masters, fiscal, document)
        for ledger in dict.fromkeys(ledgers):
            amounts = [r["AA"] for r, lt in zip(rows, ledgers, strict=True) if lt == ledger]
            if found := balance_message(masters, ledger, amounts):
                document.messages.append(found)
        if self._switches["warnings_block"]:  # J113
            document.messages = [Message(m.code, m.text) for m in document.messages]
        return document

    def _head_messages(self, masters: Masters, fiscal: Fiscal, document: Document) -> list[Message]:
        """J110 J111 J112 J123: company, document type and date of one document."""
        rows, messages = document.rows, []
        found = [masters.account(row["AID"]) for row in rows]
        accounts = [account for account in found if account is not None]
        document.company = accounts[0]["CO"] if accounts else ""
        for text in ("DCT", "DGJ", "DOC"):
            if len({row[text] for row in rows}) > 1:
                messages.append(Message(text, f"The lines of a document differ in {text}"))
        companies = {account["CO"] for account in accounts}
        if companies - {rows[0]["CO"]} and rows[0]["CO"] != document.company:
            messages.append(Message("CO", f"Accounts are not of company {rows[0]['CO']}"))
        elif len(companies) > 1 and self._switches["multi_company"] == "refuse":
            messages.append(Message("CO", "One document names accounts of several companies"))
        kind = rows[0]["DCT"] or DEFAULT_TYPE
        if kind not in masters.types:
            messages.append(Message("DCT", f"Document type {kind} is not in UDC 00/DT"))
        day = int(rows[0]["DGJ"])
        if not day:
            messages.append(Message("DGJ", "A G/L date is required"))
        for company in sorted(companies) if day else ():
            if message := fiscal.judge(company, day, kind, self._switches["pbco"]):
                messages.append(message)
        return messages

    def _batch_messages(self, number: int, rows: list[Found]) -> list[Message]:
        """J105 J107: whether the batch number that was sent may be used."""
        if len({row["ICU"] for row in rows}) > 1:
            return [Message("ICU", "The rows of a control batch name several batch numbers")]
        if not number:
            return []
        if self._invented("batch", number):
            return [Message("ICU", f"Next numbers did not hand out batch {number}")]
        header = self._ledger.rows("F0011", {"ICUT": BATCH_TYPE, "ICU": number})
        if header and header[0]["IST"] == IN_USE:
            return [Message("IST", f"Batch {number} is in use")]
        if header and self._switches["duplicate_batch"] == "refuse":
            return [Message("ICU", f"Batch {number} exists")]
        return []

    def _invented(self, kind: str, number: int) -> bool:
        refused: bool = self._switches["invented_numbers"] == "refuse"
        return refused and not handed_out(self._ledger, kind, number)

    def _number(self, document: Document) -> None:
        """J104 J106: the document number that was sent, or the next one."""
        row = document.rows[0]
        number, kind = int(row["DOC"]), row["DCT"] or DEFAULT_TYPE
        if number and self._invented("document", number):
            document.messages.append(
                Message("DOC", f"Next numbers did not hand out document {number}")
            )
            return
        where: Row = {"DCT": kind, "DOC": number, "KCO": document.company}
        if number and self._ledger.rows("F0911", where):
            if self._switches["duplicate_document"] == "refuse":
                text = f"Document {kind} {number} {document.company} exists"
                document.messages.append(Message("DOC", text))
                return
            number = 0
        document.number = number or draw(self._ledger, "document")

    def _enter(self, masters: Masters, fiscal: Fiscal, document: Document, batch: int) -> None:
        """J109 J119: unposted lines in base currency, as the account master and the date say."""
        today, time = self._now()
        made: list[Row] = []
        for number, row in enumerate(document.rows, 1):
            account = masters.account(row["AID"]) or {}
            place = fiscal.place(account["CO"], row["DGJ"])
            base = masters.companies[account["CO"]]["CRCD"]
            ledger = document.ledgers[number - 1]
            moved = masters.places(account["CO"], ledger) - masters.places(row["CO"], ledger)
            line: Row = {alias: row[alias] for alias in _COPIED.split()} | {
                "DCT": row["DCT"] or DEFAULT_TYPE, "DOC": document.number,
                "KCO": document.company, "JELN": number, "LT": ledger, "POST": "",
                "ICU": batch, "ICUT": BATCH_TYPE, "DICJ": today, "DSYJ": today, "TICU": time,
                "CO": account["CO"], "MCU": account["MCU"], "OBJ": account["OBJ"],
                "SUB": account["SUB"], "CTRY": place.year // 100 if place else 0,
                "FY": place.year % 100 if place else 0, "PN": place.period if place else 0,
                "CRCD": base, "BCRC": base, "AA": _moved(row["AA"], moved),
                "TORG": row["EDUS"], "USER": row["EDUS"], "PID": PROGRAM, "JOBN": STATION,
                "UPMJ": today, "UPMT": time, "DSVJ": row["DGJ"],
            }  # fmt: skip
            made.append(line)
            self._ledger.update(TABLE, {"EDSP": "1", "UPMJ": today, "UPMT": time}, key_of(row))
        self._ledger.insert("F0911", made)
        if self._switches["purge_processed"]:  # J120
            for row in document.rows:
                self._ledger.delete(TABLE, key_of(row))

    def _header(self, masters: Masters, batch: int, documents: list[Document]) -> None:
        """J105 J108: a new header, pending or approved; an open one takes more documents in."""
        today, time = self._now()
        debits = sum(
            header_amount(row["AA"], masters.places(row["CO"], ledger))
            for document in documents
            for row, ledger in zip(document.rows, document.ledgers, strict=True)
            if row["AA"] > 0
        )
        where: dict[str, Value] = {"ICUT": BATCH_TYPE, "ICU": batch}
        known = self._ledger.rows("F0011", where)
        status = PENDING if self._switches["approval_required"] else APPROVED
        old = known[0] if known else {"AICU": 0, "NDO": 0, "DICJ": today}
        count = old["NDO"] + len(documents)
        row: Row = where | {
            "IST": status, "IAPP": status, "AICU": old["AICU"] + debits,
            "AME": old["AICU"] + debits, "NDO": count, "DOCN": count, "BAL": "Y", "BALJ": "Y",
            "POB": "N", "IBOI": "Y", "DICJ": old["DICJ"], "USER": documents[0].rows[0]["EDUS"],
            "PID": PROGRAM, "JOBN": STATION, "UPMJ": today, "UPMT": time,
        }  # fmt: skip
        if known:
            self._ledger.update("F0011", row, where)
        else:
            self._ledger.insert("F0011", [row])

    def _tell(self, control_batch: str, outcome: Outcome) -> None:
        """Messages go to the work center of the user; the control port shows the last ones."""
        told = self.work_center()
        for document in outcome.documents:
            first = document.rows[0]
            told += [
                {"control_batch": control_batch, "transaction": first["EDTN"], "code": m.code,
                 "text": m.text, "warning": m.warning}
                for m in document.messages
            ]  # fmt: skip
        self._ledger.remember(WORK_CENTER, json.dumps(told[-MESSAGES_KEPT_MAX:]))

    def work_center(self) -> list[Mapping[str, Any]]:
        """The last messages of the program, oldest first."""
        found: list[Mapping[str, Any]] = json.loads(self._ledger.recall(WORK_CENTER) or "[]")
        return found

    def _now(self) -> tuple[int, int]:
        now = self._clock.today()
        return to_julian(now.date()), now.hour * 10_000 + now.minute * 100 + now.second


def _moved(amount: int, places: int) -> int:
    """A stored amount with so many more decimals, or fewer."""
    more: int = 10 ** max(0, places)
    fewer: int = 10 ** max(0, -places)
    return amount * more // fewer
