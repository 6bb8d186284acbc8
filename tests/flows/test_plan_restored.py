"""A backup of an instance with a plan, put back after journals have left: each is there once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from plan_faults import MINUTE, everything_answered, heal, on_call, settle
from small_plan import SmallPlan, by_months

from tieout.engine.story import Interrupted
from tieout.store.store import DATABASE_FILE
from tieout.verbs import backing_up

Small = Callable[[str], SmallPlan]


def put_back(p: SmallPlan, backup: Path) -> None:
    """What docs/how-to/back-up.md says."""
    home = p.books.home
    p.forget_database()
    for end in ("", "-wal", "-shm"):
        (home / f"{DATABASE_FILE}{end}").unlink(missing_ok=True)
    shutil.rmtree(home / "records")
    shutil.copy(backup / DATABASE_FILE, home / DATABASE_FILE)
    shutil.copytree(backup / "records", home / "records")


def dies_after_the_call(step: str, point: str) -> None:
    if (step, point) == ("send journal 1", "answered"):
        raise Interrupted(step)


@pytest.mark.parametrize("template", ["approved", "token alone"])
def test_a_journal_whose_call_still_waits_when_the_backup_is_put_back_is_not_sent_again(
    small: Small, tmp_path: Path, template: str
) -> None:
    p = small(template)
    (batch,) = p.approved_batches()
    backing_up.back_up(p.as_("ada"), tmp_path / "backup")
    on_call("queued", seconds=10 * MINUTE)(p)
    with pytest.raises(Interrupted):
        p.follows(batch, moment=dies_after_the_call)

    put_back(p, tmp_path / "backup")
    p.books.no_more_faults()
    assert {j.state for j in p.journals()} == {"uncertain"}
    assert p.store.verify_audit().whole
    p.follows(batch)
    heal(p)
    settle(p)

    for journal in p.journals():
        assert len(p.documents_of(journal)) == (journal.number == 1), journal.state
    everything_answered(p)
    assert {j.state for j in p.journals() if not j.given_up} == {"verified"}
    assert p.held() == p.wanted(by_months)


def test_an_instance_that_was_backed_up_sends_what_was_approved_without_more_ado(
    small: Small, tmp_path: Path
) -> None:
    p = small("approved")
    (batch,) = p.approved_batches()
    backing_up.back_up(p.as_("ada"), tmp_path / "backup")
    assert p.follows(batch)["exit_code"] == 0
    assert {j.state for j in p.journals()} == {"created"}
