"""Long random lives of a plan: whatever happened, no journal is there twice, and it ends right."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from plan_faults import FAULTS, GONE, WIRE
from plan_life import AMOUNTS, CELLS, COUNTS, Life, describe
from small_plan import Template, copy_of

from tieout.store.journals import NEVER_THERE

CAMPAIGN = "histories" in os.environ.get("TIEOUT_CAMPAIGN", "")
HISTORIES, STEPS = (2_000, 12) if CAMPAIGN else (8, 10)
WIRES = 3 * len(WIRE)
FAULT = st.sampled_from([*range(len(FAULTS))] * 3 + [*range(len(FAULTS), len(FAULTS) + WIRES)])
MOMENT = st.integers(1, 90)  # a submission has about eighty
NONE = 10**6
NUMBER = st.integers(0, 30)
CELL = st.integers(0, len(CELLS) - 1)
MINUTES = st.sampled_from([1, 8, 31, 70, 200])


class History(RuleBasedStateMachine):
    """One life of a plan; planners, Anna, Ben, people at JD Edwards and machines act in it."""

    templates: Callable[[str], Template]

    @initialize(begun=st.sampled_from(["approved", "approved", "entered", "without numbers"]))
    def begin(self, begun: str) -> None:
        home, tokens = History.templates(begun)
        self.folder = Path(tempfile.mkdtemp(prefix="history", dir=home.parent))
        self.life = Life(copy_of(home, self.folder / "home", tokens))
        self.told = [begun]
        self.life.assert_nothing_twice()
        self.life.yes |= set(self.life.journals)  # what the template approved

    def tell(self, words: str) -> None:
        """Noted, for who reads a failed history."""
        self.told.append(words)

    @rule(cell=CELL, amount=st.sampled_from(AMOUNTS))
    def a_planner_changes_a_cell(self, cell: int, amount: str) -> None:
        self.life.p.enter([CELLS[cell]], amount=amount, approved=True, approver="x@example.com")
        self.tell(f"{CELLS[cell]} = {amount}")

    @rule(cell=CELL)
    def a_planner_takes_an_approval_back(self, cell: int) -> None:
        self.life.p.enter([CELLS[cell]], approved=False)
        self.tell(f"{CELLS[cell]} not approved")

    @rule()
    def anna_prepares(self) -> None:
        self.tell(f"prepare: {self.life.prepare()}")

    @rule(moments=st.integers(1, 50))
    def anna_prepares_and_the_process_dies(self, moments: int) -> None:
        self.tell(f"prepare, {moments}: {self.life.prepare(moments=moments)}")

    @rule(cell=CELL, amount=st.sampled_from(AMOUNTS))
    def a_change_is_prepared_and_approved(self, cell: int, amount: str) -> None:
        self.a_planner_changes_a_cell(cell, amount)
        self.anna_prepares()
        self.tell(self.life.approve())

    @precondition(lambda self: self.life.p.waiting())
    @rule()
    def ben_approves(self) -> None:
        self.tell(self.life.approve())

    @precondition(lambda self: self.life.p.waiting())
    @rule(refuse=st.booleans())
    def somebody_says_no(self, refuse: bool) -> None:
        self.tell(f"no: {self.life.decide_otherwise(refuse=refuse)}")

    @precondition(lambda self: self.life.p.approved_batches())
    @rule(fault=FAULT)
    def the_batch_is_sent_and_something_goes_wrong(self, fault: int) -> None:
        self.tell(f"send with {fault}: {self.life.send(fault, 0)}")

    @precondition(lambda self: self.life.p.approved_batches())
    @rule(fault=st.one_of(st.just(NONE), FAULT), moments=MOMENT)
    def the_batch_is_sent_and_the_process_dies(self, fault: int, moments: int) -> None:
        self.tell(f"send with {fault}, {moments}: {self.life.send(fault, moments)}")

    @precondition(lambda self: self.life.p.approved_batches())
    @rule()
    def the_batch_is_sent(self) -> None:
        self.tell(f"send: {self.life.send(NONE, 0)}")

    @rule(minutes=MINUTES)
    def time_passes(self, minutes: int) -> None:
        self.life.p.books.clock.practice.advance(minutes * 60)
        self.tell(f"{minutes} minutes")

    @rule()
    def jd_edwards_restarts(self) -> None:
        self.life.p.books.control("jde", "restart")
        self.tell("restart")

    @rule(do=st.sampled_from(["approve", "post", "void", "delete", "edit", "add"]), number=NUMBER)
    def people_work_on_a_batch(self, do: str, number: int) -> None:
        self.tell(self.life.people(do, number))

    @rule()
    def people_post_everything(self) -> None:
        self.tell(f"{self.life.p.everything_posted()} posted")

    @rule(cell=CELL, amount=st.integers(-500, 500).filter(bool))
    def somebody_else_enters_a_budget(self, cell: int, amount: int) -> None:
        self.tell(self.life.somebody_enters(cell, amount))

    @rule()
    def journals_are_checked(self) -> None:
        self.tell(f"check: {self.life.check()}")

    @precondition(lambda self: any(j.state in NEVER_THERE for j in self.life.p.journals()))
    @rule()
    def ben_releases(self) -> None:
        self.tell(f"release: {self.life.release()}")

    @precondition(lambda self: any(j.state in GONE for j in self.life.p.journals()))
    @rule()
    def gone_ones_are_prepared_again(self) -> None:
        self.tell(f"again: {self.life.prepare_again()}")

    @rule()
    def our_database_is_saved(self) -> None:
        self.life.save()
        self.tell("saved")

    @precondition(lambda self: self.life.saved)
    @rule()
    def our_database_is_restored(self) -> None:
        self.life.restore()
        self.tell("restored")

    @invariant()
    def nothing_is_there_twice_or_unapproved(self) -> None:
        if hasattr(self, "life"):
            self.life.assert_nothing_twice()

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        try:
            self.life.ends_well()
        except BaseException:
            print("\n".join(self.told), describe(self.life), sep="\n")
            raise
        finally:
            self.life.p.close()
            shutil.rmtree(self.folder)


def test_whatever_happens_to_a_plan_it_is_in_the_ledger_once_at_the_end(
    small_plans: Callable[[str], Template], capsys: pytest.CaptureFixture[str]
) -> None:
    History.templates = staticmethod(small_plans)
    seeded = seed(int(os.environ["TIEOUT_SEED"]))(History)
    how = settings(
        max_examples=HISTORIES, stateful_step_count=STEPS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), print_blob=False,
        phases=[Phase.generate] if not CAMPAIGN else [Phase.generate, Phase.shrink],
    )  # fmt: skip
    COUNTS.clear()

    run_state_machine_as_test(seeded, settings=how)

    with capsys.disabled():
        share = COUNTS["journals that waited"] / max(1, COUNTS["journals"])
        told = ", ".join(f"{count} {what}" for what, count in sorted(COUNTS.items()))
        print(f"\nseed {os.environ['TIEOUT_SEED']}: {told}; {share:.1%} of the journals waited")
    assert COUNTS["histories"] >= HISTORIES
