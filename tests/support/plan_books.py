"""Books whose plan is entered in Anaplan, prepared, approved by another person and submitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from books import Books, Meanwhile

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

    def set_up(self) -> None:
        """The modeller makes the plan module; the flow is applied; the people are added."""
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
