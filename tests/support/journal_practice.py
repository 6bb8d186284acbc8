"""A practice JD Edwards with the demo company, and a caller of its journal orchestrations."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from jde_practice import DEVICE, Ais, exact, practice, where

from tieout.sim.clock import PracticeClock
from tieout.sim.company.events import Events
from tieout.sim.company.living import Living
from tieout.sim.company.make import make_company
from tieout.sim.company.people import People
from tieout.sim.company.scene import Scene
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.system import Verb

PLAN, RESERVE = "TIEOUT_PlanJournal", "TIEOUT_ReserveBatch"
LINES = 400
CALL = "orchestrator/TIEOUT_PlanJournal"  # the path of a fault on the journal call
# Plain accounts of company 00001 and their short ids are looked up by this text.
RENT, LABOR = "30.6020", "30.6450"


def make_books(file: Path) -> None:
    """The demo company in a file that tests copy."""
    ledger = Ledger(file)
    make_company(ledger, seed=11, lines=LINES)
    ledger.close()


def people_of(ledger: Ledger, clock: PracticeClock) -> dict[str, Verb]:
    """The verbs of the control port, as the practice systems of a home have them."""
    living = Living(ledger, clock)
    people = People(living)
    return {"event": Events(Scene(living, people)), "people": people}


class Desk:
    """Calls orchestrations, and reads what they left in the ledger over the data service."""

    def __init__(self, ais: Ais) -> None:
        self.ais, self.ledger = ais, ais.ledger

    def headers(self) -> dict[str, str]:
        """Token and device of a living session."""
        if not self.ais.token:
            self.ais.sign_in()
        return {"jde-AIS-Auth": self.ais.token, "jde-AIS-Auth-Device": DEVICE}

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """A GET below /jderest."""
        return self.ais.send("GET", path, headers=self.headers(), **options)

    def call(self, name: str, body: dict[str, Any], version: str = "/v3") -> httpx2.Response:
        """One call of an orchestration."""
        path = f"{version}/orchestrator/{name}"
        return self.ais.send("POST", path, headers=self.headers(), json=body)

    def reserve(self, documents: int = 1) -> dict[str, Any]:
        """Numbers from next numbers."""
        return dict(self.call(RESERVE, {"Documents": documents}).json())

    def account(self, code: str) -> str:
        """The short id of an account written BU.OBJ.SUB."""
        unit, object_account, *rest = code.split(".")
        text = {"MCU": unit, "OBJ": object_account, "SUB": "".join(rest)}
        return str(self.ledger.rows("F0901", text)[0]["AID"])

    def plain(self, company: str, count: int = 2) -> list[str]:
        """Short ids of accounts of a company that take any amount."""
        found = self.ledger.query(
            "SELECT a.AID FROM F0901 a JOIN F0006 u ON u.MCU = a.MCU WHERE a.CO = ? AND a.PEC = '' "
            "AND u.PECC = '' AND a.OBJ BETWEEN '6000' AND '7999' AND length(a.OBJ) = 4 "
            "ORDER BY a.AID LIMIT ?",
            (company, count),
        )
        return [str(row[0]) for row in found]

    def message(self, *lines: tuple[str, str], **inputs: Any) -> dict[str, Any]:
        """A Generic message: a plan of January 2026 in ledger BA unless `inputs` say otherwise.

        A line is an account (BU.OBJ.SUB or short id) and an amount; an input of None is left out.
        """
        rows = [
            {"AccountId": self.account(a) if "." in a else a, "Amount": amount, "Remark": "plan"}
            for a, amount in lines or ((RENT, "100.25"), (LABOR, "-40"))
        ]
        body = {"Company": "00001", "LedgerType": "BA", "GLDate": "2026-01-31",
                "Reference2": "K7Q2M9XA", "Lines": rows} | inputs  # fmt: skip
        return {name: value for name, value in body.items() if value is not None}

    def plan(self, *lines: tuple[str, str], **inputs: Any) -> httpx2.Response:
        """Call the plan journal."""
        return self.call(PLAN, self.message(*lines, **inputs))

    def journal(self, reference: str = "K7Q2M9XA", **more: Any) -> list[dict[str, Any]]:
        """The F0911 rows with a reference 2, by document and line."""
        found = self.ais.rows(where("R2", "EQUAL", reference), maxPageSize="2000", **more)
        return sorted(found, key=lambda row: (row["F0911_DOC"], row["F0911_JELN"]))

    def waiting(self, flag: str = "0") -> list[dict[str, Any]]:
        """The rows of the batch file that are not processed ("0") or are ("1")."""
        found = self.ais.rows(where("EDSP", "EQUAL", flag), targetName="F0911Z1",
                              maxPageSize="2000")  # fmt: skip
        return sorted(found, key=lambda row: (row["F0911Z1_EDTN"], row["F0911Z1_EDLN"]))

    def header(self, batch: int) -> dict[str, Any]:
        """The F0011 row of a journal batch."""
        at = (where("ICUT", "EQUAL", "G"), where("ICU", "EQUAL", str(batch)))
        (row,) = self.ais.rows(*at, targetName="F0011")
        return row

    def held(self, account: str, ledger: str, year: int, period: int) -> int:
        """What F0902 holds, as the ledger keeps it."""
        at = {"AID": account, "LT": ledger, "CTRY": year // 100, "FY": year % 100}
        return sum(row[f"AN{period:02}"] for row in self.ledger.rows("F0902", at))

    def people(self, do: str, batch: int, **more: Any) -> dict[str, Any]:
        """One act of a person on a journal batch."""
        return self.ais.control("people", do=do, batch_type="G", batch_number=batch, **more)

    def refused(self, do: str, batch: int, **more: Any) -> str:
        """Why a person may not do it."""
        body = {"do": do, "batch_type": "G", "batch_number": batch} | more
        answer = self.ais.http.post(f"{self.ais.control_url}/control/people", json=body)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])

    def orchestrations(self, **body: Any) -> dict[str, Any]:
        """The control verb of that name."""
        return self.ais.control("orchestrations", **body)

    def fault(self, kind: str, **fields: Any) -> None:
        """Plan one failure of the next journal call."""
        self.ais.control("faults", add={"kind": kind, "path": CALL} | fields)


def documents(answer: httpx2.Response) -> list[int]:
    """The document numbers an answer names."""
    assert answer.status_code == 200, answer.text
    return [int(document["DocumentNumber"]) for document in exact(answer)["Documents"]]


def messages(answer: httpx2.Response, kind: str = "Errors") -> list[str]:
    """The codes of the errors (or Warnings) inside an answer."""
    told = answer.json().get("Errors/Warnings", [])
    return [message["CODE"] for item in told for message in item[kind]]


@contextmanager
def journal_practice(folder: Path, books: Path) -> Iterator[Desk]:
    """A served practice JD Edwards on a copy of `books`."""
    folder.mkdir(exist_ok=True)
    if not (folder / "jde.sqlite").exists():
        shutil.copy(books, folder / "jde.sqlite")
    with practice(folder, made=people_of) as ais:
        yield Desk(ais)
