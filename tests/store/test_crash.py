"""A process killed at any point leaves a step done or not done, and nothing in between."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from random import Random

import pytest

from tieout.store.objects import Objects
from tieout.store.steps import Step
from tieout.store.store import Store

Command = Callable[[Store, str, str], list[str]]
Files = Callable[[], list[str]]
ACKNOWLEDGED_STEPS_MAX = 25
KILLS = 2


@pytest.mark.objects
@pytest.mark.parametrize(
    ("plan", "ends_by", "left"),
    [
        ("before_the_commit", signal.SIGKILL, 2),
        ("inside_the_commit", signal.SIGKILL, 2),
        ("while_a_file_is_written", signal.SIGXFSZ, 1),
    ],
)
def test_a_process_killed_before_its_commit_leaves_nothing_to_see(
    store: Store, run: str, child: Command, files: Files, place: Objects | None, plan: str,
    ends_by: int, left: int,
) -> None:  # fmt: skip
    if place is not None and ends_by == signal.SIGXFSZ:
        left = 0  # of a file that is not complete nothing was put
    flow = store.run(run).flow
    assert subprocess.run(child(store, plan, run), check=False).returncode == -ends_by
    assert store.steps(run) == []
    assert store.current(flow, "lines") == []
    assert store.position(flow, "updated") is None
    assert [entry.act for entry in store.audit(run=run)] == ["started run"]
    assert len(files()) == left, "the dead process had written its files"
    assert store.sweep() == [], "files this young may belong to a step of another worker"
    assert len(store.sweep(age_seconds_min=0)) == left
    assert files() == []


@pytest.mark.objects
def test_the_killed_step_is_done_once_when_it_is_tried_again(
    store: Store, run: str, child: Command
) -> None:
    for plan in ("inside_the_commit", "after_the_commit"):
        ended = subprocess.run(child(store, plan, run), check=False)
        assert ended.returncode == -signal.SIGKILL
    done = store.run_step(run, "read", lambda step: {"rows": "would be done twice"})
    assert done == {"rows": 3}
    flow = store.run(run).flow
    assert store.scan(store.current(flow, "lines")).collect().height == 3
    assert store.position(flow, "updated") == "2025-12-31"
    assert len(store.sweep(age_seconds_min=0)) == 2, "only the files of the first try go"
    assert [len(store.kept(run, kind=kind)) for kind in ("lines", "chunk")] == [1, 1]
    assert store.read_bytes(store.kept(run, kind="chunk")[0]) == b"chunk 0"


@pytest.mark.objects
@pytest.mark.parametrize("kill", range(KILLS))
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(
    store: Store, run: str, child: Command, kill: int, dice: Random
) -> None:
    wanted = dice.randint(1, ACKNOWLEDGED_STEPS_MAX)
    process = subprocess.Popen(child(store, "for_ever", run), stdout=subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().decode().strip() for _ in range(wanted)]
    process.kill()
    acknowledged += process.stdout.read().decode().splitlines()
    process.wait()
    # A server may still be carrying out the dead process's last commit; this waits behind it.
    store.apply_config("after the kill", "Anna")
    steps = [step.name for step in store.steps(run)]
    assert steps[: len(acknowledged)] == acknowledged
    assert len(steps) - len(acknowledged) in (0, 1)
    assert len(store.kept(run)) == len(steps)
    assert store.scan(store.kept(run)).collect().height == 3 * len(steps)
    store.sweep(age_seconds_min=0)
    for manifest in store.kept(run):
        store.records.check(manifest)
    assert store.verify_audit().whole


def test_a_record_that_vanished_before_the_commit_stops_the_step(store: Store, run: str) -> None:
    def function(step: Step) -> dict[str, object]:
        manifest = step.keep_bytes("chunk", b"chunk 0", ".csv.gz")
        (store.records.root / manifest.path).unlink()
        return {}

    with pytest.raises(Exception, match="it is missing"):
        store.run_step(run, "read", function)
    assert store.kept(run) == []
