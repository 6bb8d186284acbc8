"""Whoever kills Tieout while it loads actuals loses nothing, and no import is started twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tieout.verbs.practice import addresses, start_practice, stop_practice

COMMAND_SECONDS_MAX = 180
LINES = 3_000
READERS = 2  # sessions that the demo's connection allows
STARTED_IMPORT = re.compile(r"/imports/\d+/tasks/?$")

BEFORE_THE_IMPORT = (
    "read the calendar:inside",
    "look for changes:after",
    "read the balances:inside",
    "fold into cells:between",
    "check the members:before",
    "check the import:after",
    "write the file:inside",
    "upload the file:inside",
    "upload the file:after",
    "start the import:before",
)
FROM_THE_IMPORT_ON = (
    "start the import:inside",
    "start the import:after",
    "wait for the import:before",
    "wait for the import:inside",
    "keep the dump:inside",
    "keep the dump:between",
    "read back:inside",
    "compare:after",
    "close the run:inside",
    "close the run:after",
)


@dataclass
class Demo:
    """A loaded demo instance with living practice systems; commands run in real processes."""

    home: Path

    def tieout(self, *arguments: str, kill_at: str = "") -> subprocess.CompletedProcess[str]:
        """One command, killed at `kill_at` when the run comes by there."""
        command = [sys.executable, "-m", "tieout", "--home", str(self.home), *arguments]
        environment = {**os.environ, "TIEOUT_KILL_AT": kill_at}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=COMMAND_SECONDS_MAX,
            check=False,
        )  # fmt: skip

    def control(self, system: str, verb: str, **body: object) -> dict[str, Any]:
        """Ask a practice system at its control port."""
        found = addresses(self.home)
        assert found is not None
        url = f"{found[f'{system}_control']}/control/{verb}"
        request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=COMMAND_SECONDS_MAX) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def imports_started(self) -> int:
        """How many imports Anaplan was asked to start since the last look."""
        log = self.control("anaplan", "log", clear=True)["log"]
        return sum(e["method"] == "POST" and bool(STARTED_IMPORT.search(e["path"])) for e in log)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Loaded and tied once; its practice systems, which the demo stopped, run again."""
    made = Demo(tmp_path_factory.mktemp("instance"))
    loaded = made.tieout("demo", "--once", "--lines", str(LINES), "--json")
    assert loaded.returncode == 0, loaded.stderr
    start_practice(made.home)
    made.tieout("run", "actuals")  # it looks at the batches of the plan, whatever the seed draws
    yield made
    stop_practice(made.home)


@pytest.mark.parametrize("kills", [BEFORE_THE_IMPORT, FROM_THE_IMPORT_ON])
def test_a_load_killed_ten_times_starts_one_import_and_ties(
    demo: Demo, kills: tuple[str, ...]
) -> None:
    posted = demo.control("jde", "event", name="late_post")
    demo.imports_started()

    for kill_at in kills:
        died = demo.tieout("run", "actuals", kill_at=kill_at)
        assert died.returncode == -signal.SIGKILL, (kill_at, died.stdout, died.stderr)
    ended = demo.tieout("run", "actuals", "--json")

    run = json.loads(ended.stdout)
    assert (run["outcome"], ended.returncode) == ("complete", 0), run["sentence"]
    assert run["figures"]["rows_sent"] == len(posted["touched"])
    assert demo.imports_started() == 1
    seen = demo.control("jde", "state")
    assert seen["sessions"] == 0, "the dead ones left theirs"
    assert seen["sessions_most"] <= READERS
    tied = json.loads(demo.tieout("tie-out", "--json").stdout)
    assert tied["tie_out"]
    assert all(row["cells_differing"] == 0 for row in tied["tie_out"])


def test_the_next_run_after_the_kills_finds_nothing_new(demo: Demo) -> None:
    demo.imports_started()

    run = json.loads(demo.tieout("run", "actuals", "--json").stdout)

    assert run["outcome"] == "complete"
    assert run["sentence"].startswith("Nothing new")
    assert demo.imports_started() == 0
