"""A practice company so small that its plan is prepared, sent and posted in a moment."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from books import Books
from plan_books import ANNA, BEN, PlanBooks

from tieout.app import Instance
from tieout.engine.story import Failpoint, nothing_fails
from tieout.errors import Trouble
from tieout.sim.company import masters
from tieout.sim.company.calendar import pattern_rows
from tieout.sim.company.chart import build_chart
from tieout.sim.company.make import NOTES
from tieout.sim.jde.ledger import Ledger
from tieout.sim.serve import PASSWORD, PORTS
from tieout.store import batches
from tieout.store.batches import Batch
from tieout.store.journals import Journal
from tieout.store.runs import Run
from tieout.verbs import approving, planning, setting_up

# Company → its one cost center: dollar, yen, thirteen periods, quarters from October, weeks.
UNITS = {"00001": "10", "00070": "71", "00060": "61", "00090": "91", "00200": "201"}
DECIMALS = {"00001": 2, "00070": 0, "00060": 2, "00090": 3, "00200": 2}
REVENUE, COST, WAGES = ACCOUNTS = ("4010", "5005", "6010")  # Anaplan shows revenue flipped
PLANNED = ("00001", "00070")  # the companies of the flow, unless a test says otherwise
FIRST_NUMBERS = {"batch": 40_000, "document": 100_000}
VERSION, LEDGER = "BUD26", "BA"
RUNS_MAX = 40  # of one batch, one after the other: more go in circles
QUIET_SECONDS = 30 * 60
# Closed books keep their ports, so nobody else may take them meanwhile: neither another worker, nor
# demo homes (from 20,000 on), nor the kernel for outgoing connections.
FIRST_PORT, PORTS_PER_WORKER = 10_000, 1_000
_given: set[int] = set()

PlanCell = tuple[str, str, str]  # company, account, month
LedgerCell = tuple[str, int, int]  # account BU.OBJ, fiscal year, period


def make_ledger(file: Path) -> None:
    """The masters of the demo company, cut down to UNITS and ACCOUNTS; no line, no balance."""
    chart = build_chart()
    wanted = {f"{unit}.{account}" for unit in UNITS.values() for account in ACCOUNTS}
    chart.accounts = [a for a in chart.accounts if a.code in wanted]
    assert len(chart.accounts) == len(wanted)
    chart.units = {code: unit for code, unit in chart.units.items() if code in UNITS.values()}
    file.parent.mkdir(parents=True)
    ledger = Ledger(file)
    with ledger.transaction():
        ledger.insert("F0008", [masters.AUDIT | r for r in pattern_rows(masters.PATTERNS)])
        ledger.insert("F0010", masters.company_rows(chart))
        ledger.insert("F0006", masters.unit_rows(chart))
        ledger.insert("F0901", masters.account_rows(chart))
        for table, rows in masters.other_rows().items():
            ledger.insert(table, rows)
        ledger.remember("next numbers", json.dumps(FIRST_NUMBERS))
        ledger.remember(NOTES, "{}")
        ledger.remember(PASSWORD, secrets.token_urlsafe(18))
    ledger.close()


class Here:
    """Carries runs out in this thread: what the verbs are given as their engine."""

    def __init__(self, books: Books) -> None:
        self.books, self.moment = books, nothing_fails
        self.told: list[Run] = []

    def carry_out(self, run_id: str, seconds: float) -> Run:
        """Tell one run to its end; more than RUNS_MAX for one verb go in circles."""
        assert len(self.told) < RUNS_MAX, [f"{r.id} {r.kind}: {r.sentence}" for r in self.told[-4:]]
        self.told.append(self.books.told(self.books.store.run(run_id), self.moment))
        return self.told[-1]


class SmallPlan(PlanBooks):
    """Small books with a plan, the people around it, and what JD Edwards itself shows."""

    def __init__(self, books: Books, tokens: dict[str, str] | None = None) -> None:
        super().__init__(books)
        self.tokens = dict(tokens or {})
        self.said_yes: set[str] = set()  # the tokens of what a person approved
        self._desks: dict[str, Instance] = {}

    def as_(self, name: str) -> Instance:
        """The instance as one of the people sees it; closed with the books."""
        if name not in self._desks:
            self._desks[name] = super().as_(name)
        return self._desks[name]

    def close(self) -> None:
        """Let go of everything."""
        self.forget_database()
        self.books.close()

    def forget_database(self) -> None:
        """No connection to our database stays open."""
        for desk in self._desks.values():
            desk.close()
        self._desks.clear()
        self.store.close()

    # ------------------------------------------------------------------ what people ask for

    def told(self, verb: Callable[..., Any], *args: Any, moment: Failpoint = nothing_fails,
             **options: Any) -> Any:  # fmt: skip
        """A verb whose runs are told here; while they are, `moment` is asked at every moment."""
        here = Here(self.books)
        here.moment = moment
        return verb(*args, engine=here, **options)

    def prepares(self, *, again: Sequence[str] = (), moment: Failpoint = nothing_fails) -> Run:
        """Anna prepares the plan by the verb."""
        why = "the planner said so" if again else ""
        done = self.told(
            planning.prepare, self.as_(ANNA), "plan", again=again, why=why, moment=moment
        )
        return done.run

    def approve(self, batch: Batch, yes: Sequence[str] = ()) -> str:
        """Ben approves exactly these lines; which tokens they have is remembered."""
        run = super().approve(batch, yes)
        self.said_yes |= {j.token for j in self.journals(batch)}
        return run

    def rules(self, run: Run) -> set[str]:
        """The rules of everything a run found."""
        return {r.finding.rule for r in self.store.rejects(run=run.id)}

    def approved(self) -> Batch:
        """Anna prepares and Ben approves; nothing is sent yet."""
        run = self.prepares()
        assert run.exit_code == 7, run.sentence
        (batch,) = self.waiting()
        self.approve(batch, [ask["rule"] for ask in batch.summary["asks"]])
        return batch

    def approved_batches(self) -> list[Batch]:
        """The batches that were approved."""
        with self.store.database.read() as connection:
            return batches.listed(connection, flow="plan", states=("approved",))

    def follows(self, batch: Batch, moment: Failpoint = nothing_fails) -> dict[str, Any]:
        """Every run of a batch, one after the other, until its journals are settled."""
        return self.told(planning.follow, self.as_(BEN), batch.id, moment=moment)

    def checks(self, *, every: bool = False) -> list[dict[str, Any]]:
        """`tieout journals check`."""
        return self.told(planning.check_journals, self.as_(ANNA), every=every)

    def releases(self, journal: Journal) -> None:
        """Ben lets an absent journal go again."""
        approving.release(self.as_(BEN), journal.name, "JD Edwards does not have it")

    def asking(self, batch: Batch | None = None) -> list[Journal]:
        """The journals that wait for a person."""
        return [j for j in self.journals(batch) if asks(j)]

    def change_flow(self, old: str, new: str) -> None:
        """Ada applies the project with `old` (which must be there) written as `new`."""
        applied = self.store.config()
        assert applied is not None
        assert old in applied.text, f"the project does not say {old!r}"
        setting_up.apply_project(self.as_("ada"), applied.text.replace(old, new))

    # ------------------------------------------------------------------ the plan

    def enter(self, cells: Iterable[PlanCell], **what: Any) -> None:
        """A planner changes cells: `amount`, `approved`, `approver`."""
        named = [[c, a, UNITS[c], VERSION, month] for c, a, month in cells]
        self.books.person("change_plan", cells=named, **what)

    def plan(self) -> dict[PlanCell, Decimal]:
        """What is approved in Anaplan, asked at its control port: the amounts as entered."""
        rows = self.books.control("anaplan", "cells", module="Approved Plan")["cells"]
        found: dict[str, dict[PlanCell, str]] = {"Amount": {}, "Approved": {}, "Approver": {}}
        for row in rows:
            cell = (row["Companies"], row["GL Accounts"], row["Time"])
            found[row["line_item"]][cell] = row["value"]
        return {
            cell: Decimal(found["Amount"].get(cell, "0"))
            for cell, said in found["Approved"].items()
            if said == "true"
        }

    # ------------------------------------------------------------------ what JD Edwards shows

    @property
    def ledger(self) -> Ledger:
        """The practice ledger itself."""
        return self.books.systems.jde.ledger

    def lines(self, journal: Journal) -> list[dict[str, Any]]:
        """F0911 lines that carry the token of a journal, reversing ones too."""
        rows = [*self.ledger.rows("F0911", {"R1": journal.token}),
                *self.ledger.rows("F0911", {"R2": journal.token})]  # fmt: skip
        return list({tuple(row[k] for k in LINE_KEY): row for row in rows}.values())

    def documents_of(self, journal: Journal) -> set[tuple[str, int, str]]:
        """The documents in the ledger that carry its token, voided ones left out."""
        rows = [row for row in self.lines(journal) if row["RE"] != "V"]
        return {(row["DCT"], row["DOC"], row["KCO"]) for row in rows}

    def filed(self, journal: Journal) -> list[dict[str, Any]]:
        """Its rows of F0911Z1 that nobody has processed."""
        return self.ledger.rows("F0911Z1", {"R1": journal.token, "EDSP": "0"})

    def batch_of(self, journal: Journal) -> int:
        """The batch of JD Edwards it stands in; 0 when it is not there."""
        return next((row["ICU"] for row in self.lines(journal)), 0)

    def people_do(self, do: str, journal: Journal, **more: Any) -> dict[str, Any]:
        """What somebody at JD Edwards does with the batch a journal stands in."""
        number = self.batch_of(journal)
        return self.books.control(
            "jde", "people", do=do, batch_type="G", batch_number=number, **more
        )

    def everything_posted(self) -> int:
        """People approve and post every batch that waits at JD Edwards; how many."""
        done = 0
        for header in self.ledger.rows("F0011", {"ICUT": "G"}):
            where = {"batch_type": "G", "batch_number": header["ICU"]}
            if header["IST"] == "E":  # a post found an error; who corrects it sets the status back
                self.ledger.update("F0011", {"IST": ""}, {"ICUT": "G", "ICU": header["ICU"]})
            if header["IST"] in ("", "E"):
                self.books.control("jde", "people", do="approve", **where)
            if header["IST"] in ("", "E", "A"):
                self.books.control("jde", "people", do="post", **where)
                done += 1
        return done

    def held(self) -> dict[LedgerCell, Decimal]:
        """F0902 of the plan's ledger, cell by cell, in the ledger's sign; zeros left out."""
        found: dict[LedgerCell, Decimal] = {}
        for row in self.ledger.rows("F0902", {"LT": LEDGER}):
            account = f"{row['MCU'].strip()}.{row['OBJ']}"
            places = DECIMALS[row["CO"]]
            for period in range(1, 15):
                key = (account, row["CTRY"] * 100 + row["FY"], period)
                amount = Decimal(row[f"AN{period:02}"]).scaleb(-places)
                found[key] = found.get(key, Decimal(0)) + amount
        return {cell: amount for cell, amount in found.items() if amount}

    def in_flight(self) -> dict[LedgerCell, Decimal]:
        """What stands unposted in the plan's ledger, whoever entered it, cell by cell."""
        found: dict[LedgerCell, Decimal] = {}
        for row in self.ledger.rows("F0911", {"LT": LEDGER, "POST": ""}):
            key = (f"{row['MCU'].strip()}.{row['OBJ']}", row["CTRY"] * 100 + row["FY"], row["PN"])
            amount = Decimal(row["AA"]).scaleb(-DECIMALS[row["CO"]])
            found[key] = found.get(key, Decimal(0)) + amount
        return found

    def wanted(self, places: Places) -> dict[LedgerCell, Decimal]:
        """The approved plan in ledger cells, quantised once per cell; zeros left out."""
        found = {}
        for (company, account, month), amount in self.plan().items():
            year, period = places(company, month)
            cents = amount.quantize(Decimal(1).scaleb(-DECIMALS[company]), ROUND_HALF_UP)
            signed = -cents if account.startswith("4") else cents
            found[f"{UNITS[company]}.{account}", year, period] = signed
        return {cell: amount for cell, amount in found.items() if amount}


LINE_KEY = ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT", "EXTL")
Places = Callable[[str, str], tuple[int, int]]  # company and month → fiscal year and period
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def by_months(company: str, month: str) -> tuple[int, int]:
    """Where a month falls whose company has calendar years, or a year that begins in October."""
    name, year = month.split()
    number = MONTHS.index(name) + 1
    if company == "00090":
        return 2000 + int(year) - (number < 10), (number - 10) % 12 + 1
    return 2000 + int(year), number


def asks(journal: Journal) -> bool:
    """Whether a named person has to act on a journal, and is told why."""
    evidence = journal.evidence
    if journal.given_up:
        return False
    return evidence.get("act") == "ask" and bool(evidence.get("reason"))


def make_small_plan(home: Path, *, left_out: Sequence[str] = ()) -> SmallPlan:
    """Small books with an empty plan, and the people who work with it.

    `left_out` of the flow: inputs that the orchestration does not take.
    """
    home.mkdir(mode=0o700, parents=True)
    make_ledger(home / "sim" / "jde.sqlite")
    (home / "sim" / "addresses.json").write_text(json.dumps(free_addresses()))
    books = Books(home)
    lists = {"Companies": list(UNITS), "GL Accounts": list(ACCOUNTS),
             "Cost Centers": list(UNITS.values())}  # fmt: skip
    for name, codes in lists.items():
        for code in codes:
            books.person("add_item", list=name, code=code, name=f"{code} of {name}")
    every = ", ".join(f'"{c}"' for c in books.companies)
    planned = ", ".join(f'"{c}"' for c in PLANNED)
    books.change_flow(f"companies = [{every}]", f"companies = [{planned}]")
    made = SmallPlan(books)
    made.set_up()
    for words in left_out:
        made.change_flow(words, "")
    return made


Template = tuple[Path, dict[str, str]]  # closed books, and the tokens of their people
UNNUMBERED = ('reserve = "TIEOUT_ReserveBatch"\n', '"BatchNumber" = "batch_number", ',
              '"DocumentNumber" = "document_number", ')  # fmt: skip
# Without numbers JD Edwards draws them; with the token alone no key of its tables refuses a second.
LEFT_OUT = {
    "without numbers": UNNUMBERED,
    "token alone": (*UNNUMBERED, '"ControlBatch" = "batch_token", ',
                    '"TransactionNumber" = "transaction_number", '),
}  # fmt: skip


def small_template(home: Path, name: str) -> Template:
    """Closed small books: "entered", "approved" (not sent), or the same as LEFT_OUT says."""
    made = make_small_plan(home, left_out=LEFT_OUT.get(name, ()))
    cells = [(c, a, "Jan 26") for c in PLANNED for a in (REVENUE, COST)]
    made.enter(cells, amount="83.3333", approved=True, approver="controller@example.com")
    if name != "entered":
        made.approved()
    made.close()
    return home, made.tokens


def free_addresses() -> dict[str, str]:
    """Ports that no program is given by chance, so that copies of a home are served there again.

    A run keeps the configuration it began under: elsewhere it would ask other practice systems.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(
        FIRST_PORT + worker * PORTS_PER_WORKER, FIRST_PORT + (worker + 1) * PORTS_PER_WORKER
    )
    found: list[int] = []
    while len(found) < len(PORTS):
        port = secrets.choice(mine)
        with socket.socket() as tried:
            if port not in _given and tried.connect_ex(("127.0.0.1", port)):
                _given.add(port)
                found.append(port)
    return {name: f"http://127.0.0.1:{port}" for name, port in zip(PORTS, found, strict=True)}


def copy_of(home: Path, new: Path, tokens: dict[str, str]) -> SmallPlan:
    """The closed small books of `home` in another place, served anew; one copy at a time."""
    shutil.copytree(home, new)
    known = json.loads((home / "sim" / "addresses.json").read_text())
    books = Books(new, token=tokens["ada"])
    assert books.systems.addresses == known, "another copy of this home is being served"
    return SmallPlan(books, tokens)


def only_trouble(verb: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Do what may be refused; the sentence of the refusal, or ""."""
    try:
        verb(*args, **options)
    except Trouble as trouble:
        return trouble.sentence()
    return ""
