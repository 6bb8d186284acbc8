"""Books whose plan is entered in Anaplan, prepared, approved by another person and submitted."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from books import FLIP, Books, Cell, Cells, Meanwhile
from expected import Expected

from tieout.app import Instance
from tieout.store import batches, journals, runs
from tieout.store.batches import Batch
from tieout.store.journals import Journal
from tieout.store.runs import Run
from tieout.verbs import approving, demo, people, setting_up

ANNA, BEN = "anna", "ben"  # who prepares, and who approves


class PlanBooks:
    """Books with a plan flow, and the people who work with it."""

    def __init__(self, books: Books) -> None:
        self.books, self.store = books, books.store
        self.tokens: dict[str, str] = {}
        self.before: set[tuple[str, int]] = set()

    def set_up(self) -> None:
        """The modeller makes the plan module; the flow is applied; the people are added."""
        self.before = self.new_documents()
        self.books.person("add_plan")
        applied = self.store.config()
        assert applied is not None
        if "[flows.plan]" not in applied.text:
            setting_up.apply_project(self.books.instance, applied.text + demo.PLAN)
        roles = {"ada": ("admin",), ANNA: ("operator",), BEN: ("approver",)}
        for name, has in roles.items():
            made = people.add_user(self.as_("ada") if self.tokens else self.books.instance, name,
                                   has, 30)  # fmt: skip
            self.tokens[name] = made["secret"]

    def only(self, *companies: str) -> None:
        """The plan flow writes to these companies alone."""
        listed = ", ".join(f'"{c}"' for c in companies)
        line = 'document_type = "BN"'
        applied = self.store.config()
        assert applied is not None
        text = applied.text.replace(line, f"{line}\ncompanies = [{listed}]")
        setting_up.apply_project(self.as_("ada"), text)

    def as_(self, name: str) -> Instance:
        """The instance as one of the people sees it."""
        environment = dataclasses.replace(self.books.instance.environment,
                                          token=self.tokens[name])  # fmt: skip
        return Instance(environment, self.books.clock)

    def prepare(self, **asked: Any) -> Run:
        """Anna prepares the plan."""
        return self.books.run("plan", by=ANNA, **asked)

    def waiting(self) -> list[Batch]:
        """The batches that wait for a decision."""
        with self.store.database.read() as connection:
            return batches.listed(connection, flow="plan", states=("prepared",))

    def approve(self, batch: Batch, yes: Sequence[str] = ()) -> str:
        """Ben approves exactly these lines; the run that sends them, not told yet."""
        told = approving.approve(self.as_(BEN), batch.id, batch.digest, yes=yes)
        return str(told["run"])

    def submit(self, batch: Batch, *, meanwhile: Meanwhile | None = None) -> list[Run]:
        """Tell every run of a batch to its end, one after the other."""
        done = []
        while waiting := self.runs_of(batch):
            done.append(self.books.carry_on(waiting[0], meanwhile or {}))
        return done

    def runs_of(self, batch: Batch) -> list[Run]:
        """The unfinished runs of a batch."""
        with self.store.database.read() as connection:
            return runs.of_batch(connection, "plan", batch.id)

    def journals(self, batch: Batch | None = None) -> list[Journal]:
        """The journals of a batch, or all."""
        with self.store.database.read() as connection:
            return journals.listed(connection, batch=batch.id if batch else None)

    def prepared_and_submitted(self) -> tuple[Batch, list[Run]]:
        """The whole way of one plan, without faults."""
        self.prepare()
        batch = self.waiting()[0]
        self.approve(batch, [ask["rule"] for ask in batch.summary["asks"]])
        return batch, self.submit(batch)

    def people_post(self) -> int:
        """At JD Edwards, people approve and post every batch of ours that waits."""
        done = 0
        for journal in self.journals():
            if journal.state in ("created", "ready"):
                self.at_jde("approve", journal)
                self.at_jde("post", journal)
                done += 1
        return done

    def at_jde(self, do: str, journal: Journal, **more: Any) -> dict[str, Any]:
        """What somebody does with the batch of a journal."""
        return self.books.control(
            "jde", "people", do=do, batch_type="G", batch_number=int(journal.batch_number or 0),
            **more,
        )  # fmt: skip

    def batches(self) -> list[Batch]:
        """Every batch there ever was, oldest first."""
        with self.store.database.read() as connection:
            return batches.listed(connection, flow="plan")

    def check(self, batch: Batch) -> Run:
        """One more run that looks at every journal of a batch."""
        return self.books.run(
            "plan", kind="follow_journals", by=BEN, batch=batch.id, digest=batch.digest
        )

    def take_back_approval_of_unfit_accounts(self, run: Run) -> None:
        """The planner takes back what a preparation found that no journal may be written to."""
        unfit = {
            r.finding.member for r in self.books.findings(run) if r.finding.severity == "reject"
        }
        cells = [
            [c["Companies"], c["GL Accounts"], c["Cost Centers"], c["Versions"], c["Time"]]
            for c in self._plan_cells("Amount")
            if c["GL Accounts"] in unfit
        ]
        self.books.person("change_plan", cells=cells, approved=False, approver="")

    def some_cell(self) -> tuple[str, str, str]:
        """Company, account and cost center of an approved cell in cents, in March."""
        return min(
            (c["Companies"], c["GL Accounts"], c["Cost Centers"])
            for c in self._plan_cells("Approved")
            if c["Time"] == "Mar 26" and c["Companies"] == "00001"
        )

    # ------------------------------------------------------------------ both sides, a second path

    def budget_planned(self) -> Cells:
        """What planners approved, rounded half-up by the standard library, as Anaplan shows it."""
        approved = {_cell(c) for c in self._plan_cells("Approved")}
        places = self._decimals()
        return {
            _cell(c): _half_up(Decimal(c["value"]), places[c["Companies"]])
            for c in self._plan_cells("Amount")
            if _cell(c) in approved
        }

    def budget_held(self) -> Cells:
        """F0902 of the budget ledger in the planned cells, by plain SQL, as Anaplan shows it."""
        path = Expected(self.books.home / "sim" / "jde.sqlite")
        try:
            far = dict.fromkeys(path.current(), (9999, 12))
            held = path.cells(
                last=far, companies=self.books.companies, flip=FLIP,
                mapping=self.books.mapping(), source=path.balances(("BA",)),
            )  # fmt: skip
        finally:
            path.close()
        return {cell: held.get(cell, Decimal(0)) for cell in self.budget_planned()}

    def new_documents(self) -> set[tuple[str, int]]:
        """Documents of our type that came into the practice ledger: company and number."""
        rows = self._rows("SELECT DISTINCT KCO, DOC FROM F0911 WHERE DCT = 'BN'")
        return {(str(company), int(number)) for company, number in rows} - self.before

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        file = self.books.home / "sim" / "jde.sqlite"
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    def _decimals(self) -> dict[str, int]:
        rows = self._rows("SELECT CO, CDEC FROM F0010 JOIN F0013 ON F0013.CRCD = F0010.CRCD")
        return {str(company): int(places) for company, places in rows}

    def _plan_cells(self, line_item: str) -> list[dict[str, str]]:
        cells = self.books.control("anaplan", "cells", module="Approved Plan")["cells"]
        return [c for c in cells if c["line_item"] == line_item]


def _cell(row: dict[str, str]) -> Cell:
    return (row["Companies"], row["GL Accounts"], row["Cost Centers"], row["Time"])


def _half_up(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
