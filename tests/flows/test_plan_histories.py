"""Long random lives of a plan: whatever happened, no journal is there twice, and it ends right."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from plan_life import COUNTS, EVENTS, Life, describe
from small_plan import Template, copy_of

CAMPAIGN = "histories" in os.environ.get("TIEOUT_CAMPAIGN", "")
# The campaign's 2,000 histories are told in shares, so that every worker takes some.
SHARES, HISTORIES, STEPS = (20, 100, 12) if CAMPAIGN else (1, 1, 10)
BEGINNINGS = ("approved", "approved", "approved", "entered", "without numbers", "token alone")


class History(RuleBasedStateMachine):
    """One life of a plan; planners, Anna, Ben, people at JD Edwards and machines act in it.

    Every step is one of EVENTS, which are weighed by how often they stand there: rules of their
    own would be chosen evenly, and most histories would never send anything.
    """

    templates: Callable[[str], Template]
    seed: int

    @initialize(begun=st.sampled_from(BEGINNINGS))
    def begin(self, begun: str) -> None:
        home, tokens = History.templates(begun)
        self.folder = Path(tempfile.mkdtemp(prefix="history", dir=home.parent))
        self.life = Life(copy_of(home, self.folder / "home", tokens), keys=begun != "token alone")
        self.told = [begun]
        self.life.assert_nothing_twice(approved=True)

    @rule(what=st.sampled_from(EVENTS), number=st.integers(0, 10**6))
    def something_happens(self, what: str, number: int) -> None:
        # Hypothesis likes small numbers; each fault shall be met as often as any other.
        mixed = crc32(f"{History.seed} {len(self.told)} {what} {number}".encode())
        self.told.append(f"{what} {mixed}: …")
        self.told[-1] = f"{what} {mixed}: {self.life.happens(what, mixed)}"

    @invariant()
    def nothing_is_there_twice_or_unapproved_or_other_than_approved(self) -> None:
        if hasattr(self, "life"):
            self.life.assert_nothing_twice()
            self.life.assert_what_was_sent_is_there()

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


@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_to_a_plan_it_is_in_the_ledger_once_at_the_end(
    small_plans: Callable[[str], Template],
    record_property: Callable[[str, object], None],
    share: int,
) -> None:
    History.templates = staticmethod(small_plans)
    History.seed = int(os.environ["TIEOUT_SEED"]) + share
    seeded = seed(History.seed)(History)
    how = settings(
        max_examples=HISTORIES, stateful_step_count=STEPS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), print_blob=False,
        phases=[Phase.generate],  # what happened is told step by step: it need not be shrunk
    )  # fmt: skip
    COUNTS.clear()

    run_state_machine_as_test(seeded, settings=how)

    for what, count in COUNTS.items():  # the journals that waited among them
        record_property(what, count)
    assert COUNTS["histories"] >= HISTORIES
