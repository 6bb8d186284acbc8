"""Whoever kills Tieout while it sends a plan: every journal is in JD Edwards once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_plan import BEN, SmallPlan, Template, copy_of, small_template

from tieout.verbs.practice import start_practice, stop_practice

PROGRAM = Path(__file__).parents[1] / "support" / "plan_program.py"
COMMAND_SECONDS_MAX = 120
CLOCK_SCALE = 3_000  # practice seconds in one: a quiet period is over in less than one
BATCH = "plan-1-batch"
CAMPAIGN = "killed" in os.environ.get("TIEOUT_CAMPAIGN", "")
STEPS = (
    "the approved batch", "check the exports", "read the calendar", "export the plan",
    "export the control totals", "read the plan", "read the accounts", "read the ledger",
    "look at earlier journals", "compare with the ledger", "compare with what was approved",
    "reserve numbers 1", "reserve numbers 2", "send journal 1", "send journal 2", "look",
    "close the run",
)  # fmt: skip
EVERY = [f"{step}:{at}" for step in STEPS for at in ("before", "inside", "after", "between")]
# One life each: it is killed at these moments, one after the other, and then lives.
SAMPLE = (("send journal 1:intended", "send journal 2:answered", "look:inside"),)
ONCE = [*EVERY, *(f"send journal {n}:{at}" for n in (1, 2) for at in ("intended", "answered"))]
LIVES = (
    *SAMPLE, *((moment,) for moment in ONCE),
    ("the approved batch:after", "compare with what was approved:inside",
     "reserve numbers 2:between", "send journal 1:intended", "look:before", "look:inside"),
    ("send journal 1:answered", "send journal 2:intended", "close the run:inside",
     "close the run:after"),
    ("send journal 1:before", "send journal 1:inside", "send journal 1:between",
     "send journal 2:answered", "look:between"),
)  # fmt: skip


@dataclass
class Living:
    """A home with living practice systems in a process of their own."""

    home: Path
    token: str

    def follow(self, kill_at: str = "") -> subprocess.CompletedProcess[str]:
        """One process that sends the batch; killed when it comes by `kill_at`."""
        clock = json.loads((self.home / "sim" / "addresses.json").read_text())["jde_control"]
        environment = {
            **os.environ, "TIEOUT_KILL_AT": kill_at, "TIEOUT_TOKEN": self.token,
            "TIEOUT_CLOCK": clock,
        }  # fmt: skip
        command = [sys.executable, str(PROGRAM), str(self.home), BATCH]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False,
            timeout=COMMAND_SECONDS_MAX,
        )  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A small plan, prepared and approved; nothing is sent."""
    return small_template(tmp_path_factory.mktemp("small") / "home", "approved")


@pytest.fixture
def killed(template: Template, tmp_path: Path) -> Iterator[Callable[[tuple[str, ...]], SmallPlan]]:
    """Sends the plan and dies at these moments in turn, lives at last, and shows what is there."""
    homes: list[Path] = []
    opened: list[SmallPlan] = []

    def live(kills: tuple[str, ...]) -> SmallPlan:
        home, tokens = tmp_path / "living", template[1]
        shutil.copytree(template[0], home)
        homes.append(home)
        known = json.loads((home / "sim" / "addresses.json").read_text())
        found = start_practice(home)
        assert found == known, "the ports of this home are taken"
        _control(found["jde_control"], "clock", scale=CLOCK_SCALE)
        living = Living(home, tokens[BEN])
        for kill_at in kills:
            died = living.follow(kill_at)
            assert died.returncode == -signal.SIGKILL, (kill_at, died.stdout, died.stderr)
        ended = living.follow()
        assert ended.returncode == 0, ended.stderr
        stop_practice(home)
        wait_until_stopped(home)
        opened.append(copy_of(home, tmp_path / "shown", tokens))
        return opened[-1]

    yield live
    for shown in opened:
        shown.close()
    for home in homes:
        stop_practice(home)
        wait_until_stopped(home)


def wait_until_stopped(home: Path) -> None:
    """Until no process holds the practice systems of a home."""
    give_up = time.monotonic() + COMMAND_SECONDS_MAX
    with (home / "sim" / "lock").open("w") as held:
        while time.monotonic() < give_up:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            threading.Event().wait(0.05)
    raise AssertionError("the practice systems did not stop")


def _control(url: str, verb: str, **body: object) -> None:
    request = urllib.request.Request(f"{url}/control/{verb}", json.dumps(body).encode())
    urllib.request.urlopen(request, timeout=COMMAND_SECONDS_MAX).close()


def assert_each_is_there_once(p: SmallPlan) -> None:
    """One whole document per journal, nobody is asked, and the trail is whole."""
    assert not p.asking(), [dict(j.evidence) for j in p.asking()]
    assert len(p.journals()) == 2
    for journal in p.journals():
        assert journal.state == "created"
        assert len(p.documents_of(journal)) == 1
        assert len(p.lines(journal)) == journal.lines
    assert len(p.ledger.rows("F0011")) == 2
    assert p.store.verify_audit().whole


@pytest.mark.parametrize("kills", LIVES if CAMPAIGN else SAMPLE, ids=lambda kills: kills[0])
def test_a_plan_killed_again_and_again_while_it_is_sent_is_in_jd_edwards_once(
    killed: Callable[[tuple[str, ...]], SmallPlan], kills: tuple[str, ...]
) -> None:
    assert_each_is_there_once(killed(kills))
