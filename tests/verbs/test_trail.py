"""Who may read the trail may check it, hand it out and sign it; nobody else."""

from __future__ import annotations

import pytest
from desks import Office

from tieout.errors import NotAllowed
from tieout.verbs import trail


def test_an_auditor_checks_and_signs_the_trail_under_their_own_name(office: Office) -> None:
    finn = office.desk("finn")
    assert trail.sign(finn)["ok"]
    last = office.store.audit()[-1]
    assert (last.actor, last.act) == ("finn", "made checkpoint")
    assert trail.check(finn)["ok"]
    assert trail.check(finn)["checkpoints"] == 1
    assert len(list(trail.export(finn))) == last.seq + 3


@pytest.mark.parametrize("name", ["dora", "anna"])
def test_who_may_only_look_or_run_does_not_read_the_trail(office: Office, name: str) -> None:
    for act in (trail.check, trail.sign, trail.export):
        with pytest.raises(NotAllowed):
            act(office.desk(name))
