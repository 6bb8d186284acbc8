"""What happens in the life of a plan, and what must hold whatever happened."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from plan_faults import CALL, FAULTS, GONE, LOOK, RESERVE, TWICE, WIRE, everything_answered, heal
from small_plan import (
    BEN,
    COST,
    LEDGER,
    PLANNED,
    REVENUE,
    UNITS,
    VERSION,
    LedgerCell,
    PlanCell,
    SmallPlan,
    asks,
    by_months,
    only_trouble,
)

from tieout.engine.story import Failpoint, Interrupted, nothing_fails
from tieout.errors import Trouble
from tieout.sim.company.calendar import julian, month_end
from tieout.sim.jde.numbers import draw
from tieout.store.batches import Batch
from tieout.store.journals import Journal
from tieout.store.own_sqlite import sqlite3
from tieout.verbs import approving

CELLS = tuple((c, a, m) for c in PLANNED for a in (REVENUE, COST) for m in ("Jan 26", "Feb 26"))
Cells = dict[LedgerCell, Decimal]
ARRIVED = ("created", "ready", "posted", "verified")
AMOUNTS = ("100", "120", "83.3333", "0", "-40.5", "100.005", "0.004", "1000000.49")
COUNTS: Counter[str] = Counter()  # of all histories of this process
SAVED = "saved"
MINUTES = (1, 8, 31, 70, 200)
WORKS = ("approve", "post", "void", "delete", "edit", "add")
MOMENTS_MAX = 90  # a submission has about eighty
FAULTS_MAX = len(FAULTS) * 4 // 3  # one in four is a failure of any request
NO_FAULT = 10**9
EVENTS = (
    *["sent with a fault"] * 4, *["sent with a fault and died"] * 2, *["sent and died"] * 2,
    *["sent"] * 2, *["changed, prepared and approved"] * 5, "a planner changes a cell",
    "a planner takes an approval back", "prepared", "prepared and died", "approved", "declined",
    "time passed", "JD Edwards restarted", "queues ran", "R09110Z ran", *["people worked"] * 3,
    *["people posted"] * 2, "somebody else entered", *["checked"] * 2, "released",
    *["prepared again"] * 2, "saved", *["restored"] * 2,
)  # fmt: skip
# What a run finds about earlier journals, and people answer before they prepare again.
TOLD_FIRST = {"journal-unprocessed", "journal-voided", "journal-deleted"}
REJECTED = 5  # exit code
# A person is asked what became of the sending; what people did at JD Edwards is another matter.
OUTCOME_ASKED = ("uncertain", "absent", "refused", "partial")


def dies_after(moments: int) -> Failpoint:
    """This process dies at so manieth a moment of its runs; 0: it lives."""
    left = [moments]

    def moment(step: str, point: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Interrupted(f"{step}:{point}")

    return moment if moments else nothing_fails


@dataclass
class Life:
    """One plan, and what was seen of it: every journal there ever was, also before a restore."""

    p: SmallPlan
    journals: dict[str, Journal] = field(default_factory=dict)  # by token, as prepared
    waited: set[str] = field(default_factory=set)  # tokens whose outcome a person was asked about
    targets: dict[str, Cells] = field(default_factory=dict)  # of batches that nobody disturbed
    saved: bool = False
    keys: bool = True  # go along that JD Edwards' tables refuse twice

    def happens(self, what: str, number: int) -> str:
        """One of EVENTS; `number` chooses what it is about."""
        COUNTS[what] += 1
        cell, amount = CELLS[number % len(CELLS)], AMOUNTS[number // 8 % len(AMOUNTS)]
        minutes, moments = MINUTES[number % len(MINUTES)], number // 100 % MOMENTS_MAX + 1
        events: dict[str, Callable[[], Any]] = {
            "a planner changes a cell": lambda: self.plan(cell, amount),
            "a planner takes an approval back": lambda: self.p.enter([cell], approved=False),
            "prepared": self.prepare,
            "prepared and died": lambda: self.prepare(moments=moments),
            "approved": self.approve,
            "changed, prepared and approved": lambda: (
                self.plan(cell, amount), self.prepare(), self.approve()
            ),
            "declined": lambda: self.decide_otherwise(refuse=number % 2 == 0),
            "sent": lambda: self.send(NO_FAULT, 0),
            "sent with a fault": lambda: self.send(number % FAULTS_MAX, 0),
            "sent and died": lambda: self.send(NO_FAULT, moments),
            "sent with a fault and died": lambda: self.send(number % FAULTS_MAX, moments),
            "time passed": lambda: self.p.books.clock.practice.advance(60 * minutes),
            "JD Edwards restarted": lambda: self.p.books.control("jde", "restart"),
            "queues ran": lambda: self.p.books.control("jde", "orchestrations", release=True),
            "R09110Z ran": lambda: self.p.books.control("jde", "orchestrations", process=True),
            "people worked": lambda: self.people(WORKS[number % len(WORKS)], number // 10),
            "people posted": self.p.everything_posted,
            "somebody else entered": lambda: self.somebody_enters(number, number % 999 - 499),
            "checked": self.check,
            "released": self.release,
            "prepared again": self.prepare_again,
            "saved": self.save,
            "restored": self.restore,
        }  # fmt: skip
        return str(events[what]())

    def plan(self, cell: PlanCell, amount: str) -> None:
        """A planner changes a cell and has it approved."""
        self.p.enter([cell], amount=amount, approved=True, approver="controller@example.com")

    # ------------------------------------------------------------------ what happens

    def prepare(self, *, again: tuple[str, ...] = (), moments: int = 0) -> str:
        """Anna prepares, and may die meanwhile."""
        begun_before = self.p.store.unfinished_run("plan") is not None
        try:
            run = self.p.prepares(again=again, moment=dies_after(moments))
            self.targets = {}
            found = (r.finding for r in self.p.store.rejects(run=run.id))
            kept_back = {f.company for f in found if f.severity in ("reject", "difference")}
            for batch in [] if begun_before else self.p.waiting():
                self.targets[batch.id] = self._target(kept_back)
            return run.sentence
        except Interrupted as died:
            return f"died at {died}"
        except Trouble as trouble:
            return trouble.sentence()
        finally:
            self._note()

    def approve(self) -> str:
        """Ben says yes to everything that waits."""
        for batch in self.p.waiting():
            self.p.approve(batch, [ask["rule"] for ask in batch.summary["asks"]])
            COUNTS["approved"] += 1
        return "approved"

    def decide_otherwise(self, *, refuse: bool) -> str:
        """Ben refuses what waits, or somebody withdraws the last batch."""
        if refuse:
            for batch in self.p.waiting():
                approving.refuse(self.p.as_(BEN), batch.id, batch.digest, "not so")
            return "refused"
        found = self.batches("prepared", "approved")
        return found and only_trouble(
            approving.withdraw, self.p.as_("ada"), found[-1].id, "not now"
        )

    def batches(self, *states: str) -> list[Batch]:
        """The batches in these states, in their order."""
        told = approving.approvals(self.p.as_(BEN), every=True)
        names = [b["batch"] for b in told if b["state"] in states]
        found = {b.id: b for b in [*self.p.waiting(), *self.p.approved_batches()]}
        return [found[name] for name in names]

    def send(self, fault: int, moments: int) -> str:
        """The runs of the last approved batch are told, with a fault, and may die meanwhile."""
        found = self.batches("approved")
        if not found:
            return "nothing is approved"
        self._arm(fault)
        try:
            return str(self.p.follows(found[-1], moment=dies_after(moments))["sentence"])
        except Interrupted as died:
            return f"died at {died}"
        finally:
            self.p.books.no_more_faults()

    def _arm(self, number: int) -> None:
        """Fault `number` of FAULTS, then of the wire; beyond: none."""
        if number < len(FAULTS) and (FAULTS[number].name != TWICE or self.keys):
            COUNTS[f"fault {FAULTS[number].name}"] += 1
            FAULTS[number].arm(self.p)
            return
        if number < NO_FAULT:
            wires = [(path, kind) for path in (CALL, RESERVE, LOOK) for kind in WIRE.values()]
            path, kind = wires[COUNTS["sent with a fault"] % len(wires)]
            self.p.books.fault("jde", path=path, **kind)

    def check(self) -> str:
        """`tieout journals check`, of verified ones too."""
        return "; ".join(str(b["sentence"]) for b in self.p.checks(every=True))

    def release(self) -> str:
        """Ben releases what is proved absent."""
        names = [j for j in self.p.journals() if j.state in ("absent", "refused")]
        return "; ".join(only_trouble(self.p.releases, j) or "released" for j in names)

    def prepare_again(self) -> str:
        """Anna lets what people deleted or voided be prepared again."""
        gone = [j.name for j in self.p.journals() if j.state in GONE]
        return self.prepare(again=tuple(gone)) if gone else "nothing is gone"

    def somebody_enters(self, cell: int, amount: int) -> str:
        """Somebody else keys a budget journal by hand."""
        self.targets = {}
        company, account, month = CELLS[cell % len(CELLS)]
        ledger, (year, period) = self.p.ledger, by_months(company, month)
        (master,) = ledger.rows("F0901", {"MCU": UNITS[company], "OBJ": account})
        currency = ledger.rows("F0010", {"CO": company})[0]["CRCD"]
        batch = draw(ledger, "batch")
        ledger.insert("F0011", [{"ICUT": "G", "ICU": batch, "IST": "", "USER": "MHOLT"}])
        ledger.insert("F0911", [{
            "DCT": "JE", "DOC": draw(ledger, "document"), "KCO": company, "JELN": 1, "LT": LEDGER,
            "DGJ": julian(month_end(year, period)), "CO": company, "AID": master["AID"],
            "MCU": UNITS[company], "OBJ": account, "CTRY": year // 100, "FY": year % 100,
            "PN": period, "AA": amount, "CRCD": currency, "BCRC": currency, "ICUT": "G",
            "ICU": batch, "EXA": "By hand", "USER": "MHOLT", "TORG": "MHOLT",
        }])  # fmt: skip
        return f"{amount} into {company} {account} {month}"

    def people(self, do: str, number: int) -> str:
        """At JD Edwards somebody does something to one of the batches."""
        self.targets = self.targets if do in ("approve", "post") else {}
        headers = self.p.ledger.rows("F0011", {"ICUT": "G"})
        if not headers:
            return "there is no batch"
        header = headers[number % len(headers)]
        body: dict[str, Any] = {"do": do, "batch_type": "G", "batch_number": header["ICU"]}
        if do == "edit":
            body |= {"line": 1, "amount": "77"}
        if do == "add":
            rows = self.p.ledger.rows("F0911", {"ICUT": "G", "ICU": header["ICU"]})
            if not rows:
                return "it has no lines"
            body["lines"] = [{"account": rows[0]["AID"], "amount": "5", "remark": "more"}]
        try:
            self.p.books.control("jde", "people", **body)
        except LookupError as no:
            return f"{do} {header['ICU']}: {no}"
        return f"{do} {header['ICU']}"

    def save(self) -> None:
        """Our database and records are backed up."""
        home, to = self.p.books.home, self.p.books.home / SAVED
        self.p.forget_database()
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir()
        _copy(home, to)
        self.saved = True

    def restore(self) -> None:
        """Yesterday's database is put back; JD Edwards knows more than it."""
        self.targets = {}
        home = self.p.books.home
        if not self.saved:
            self.save()
        self.p.forget_database()
        shutil.rmtree(home / "records", ignore_errors=True)
        _copy(home / SAVED, home)
        COUNTS["restored"] += 1

    # ------------------------------------------------------------------ what must hold

    def _note(self) -> None:
        for journal in self.p.journals():
            self.journals.setdefault(journal.token, journal)
            if asks(journal) and journal.state in OUTCOME_ASKED:
                self.waited.add(journal.token)

    def assert_nothing_twice(self, *, approved: bool = False) -> None:
        """No journal has two documents, and nothing is at JD Edwards that nobody approved.

        What there is at the beginning may have been `approved`.
        """
        self._note()
        self.p.said_yes |= {j.token for j in self.p.journals() if approved}
        for token, journal in self.journals.items():
            documents = self.p.documents_of(journal)
            assert len(documents) <= 1, f"{journal.name} ({token}) is there as {documents}"
            if self.p.lines(journal) or self.p.filed(journal):
                assert token in self.p.said_yes, f"{journal.name} was sent and never approved"

    def _target(self, kept_back: set[str]) -> Cells:
        """What the ledger shall hold of all companies but those that a finding keeps back."""
        wanted = self.p.wanted(by_months)
        cells = [
            (f"{UNITS[c]}.{a}", *by_months(c, m))
            for c, a, m in self.p.plan() if c not in kept_back
        ]  # fmt: skip
        return {cell: wanted.get(cell, Decimal(0)) for cell in cells}

    def assert_what_was_sent_is_there(self) -> None:
        """Balances and what is in flight are what was approved, once every journal has arrived."""
        for batch in self.p.approved_batches():
            journals = self.p.journals(batch)
            if batch.id not in self.targets or not all(j.state in ARRIVED for j in journals):
                continue
            held, moving = self.p.held(), self.p.in_flight()
            for cell, amount in self.targets[batch.id].items():
                both = held.get(cell, 0) + moving.get(cell, 0)
                assert both == amount, f"{cell} is {both}, approved was {amount} ({batch.id})"
            COUNTS["targets met"] += 1

    def ends_well(self) -> None:
        """Healed and answered, posted, the ledger is the quantised plan; again makes nothing."""
        heal(self.p)
        COUNTS["histories"] += 1
        self._note()
        for _ in range(LAST_ROUNDS_MAX):
            everything_answered(self.p, self._note)
            self._note()
            run = self.p.prepares(again=[
                j.name for j in self.p.journals() if j.state in GONE and "again" not in j.evidence
            ])  # fmt: skip
            if run.exit_code == 0:
                break
            if run.exit_code == REJECTED and self.p.rules(run) & TOLD_FIRST:
                COUNTS["people were told first"] += 1
                self.p.books.control("jde", "orchestrations", process=True)
                continue
            assert run.exit_code == 7, run.sentence
            self._note()
            self.approve()
        COUNTS["journals"] += len(self.p.said_yes)
        COUNTS["journals that waited"] += len(self.waited)
        assert run.exit_code == 0, run.sentence
        self.assert_nothing_twice()
        self._assert_ledger_is_the_plan()
        headers = len(self.p.ledger.rows("F0011"))
        assert self.p.prepares().exit_code == 0
        assert len(self.p.ledger.rows("F0011")) == headers
        assert self.p.store.verify_audit().whole

    def _assert_ledger_is_the_plan(self) -> None:
        wanted, held = self.p.wanted(by_months), self.p.held()
        for company, account, month in self.p.plan():
            cell = (f"{UNITS[company]}.{account}", *by_months(company, month))
            assert held.get(cell, 0) == wanted.get(cell, 0), (cell, held, wanted)


LAST_ROUNDS_MAX = 8


def _copy(home: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(home / "tieout.sqlite")) as database,
        closing(sqlite3.connect(to / "tieout.sqlite")) as copied,
    ):
        database.backup(copied)  # its file alone lacks what lies in the write-ahead log
    if (home / "records").exists():
        shutil.copytree(home / "records", to / "records", dirs_exist_ok=True)


def describe(life: Life) -> str:
    """How the journals stand, for who reads a failed history."""
    return "\n".join(
        f"{j.name} {j.state} asks={asks(j)} {j.evidence.get('reason')} "
        f"lines={len(life.p.lines(j))} filed={len(life.p.filed(j))}"
        for j in life.p.journals()
    )


__all__ = ["AMOUNTS", "CELLS", "COUNTS", "VERSION", "Life", "describe"]
