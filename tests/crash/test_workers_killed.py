"""A worker that dies in the middle of a load: another one ends it, and nothing is done twice."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from demo_home import LINES, Home, free_ports, until

from tieout.verbs import practice

TAKE_OVER_SECONDS_MAX = 20  # issue 5
STARTED_IMPORT = re.compile(r"POST .*/imports/\d+/tasks/?$")


@pytest.mark.needs("postgres")
def test_a_load_of_a_worker_that_was_killed_is_ended_by_another_with_one_import_and_ties(
    postgres_url: str, tmp_path: Path
) -> None:
    home, env = Home(tmp_path / "home"), {"TIEOUT_DATABASE": postgres_url}
    practice.start_practice(home.path, "--lines", str(LINES), "--port", str(free_ports()))
    try:
        made = home.run("demo", "--once", "--json", "--lines", str(LINES), env=env)
        assert made.code == 0, made
        home.practice()
        home.control("jde", "event", name="late_post")
        home.forget_requests()

        first = home.start("worker", env=env | {"TIEOUT_KILL_AT": "start the import:after"})
        assert first.stderr is not None
        assert "Executes runs as" in first.stderr.readline()  # else the command does it itself
        run = home.run("run", "actuals", "--no-wait", "--json", env=env).json["run"]
        _, told = first.communicate(timeout=60)
        assert first.returncode == -signal.SIGKILL, told
        assert home.run("show", run, "--json", env=env).json["outcome"] == "running"
        second = home.start("worker", env=env)
        began = time.monotonic()
        until(lambda: home.run("show", run, "--json", env=env).json["outcome"] != "running")

        ended = home.run("show", run, "--json", env=env).json
        assert ended["outcome"] == "complete", ended["sentence"]
        assert time.monotonic() - began < TAKE_OVER_SECONDS_MAX
        started = [asked for asked in home.requests("anaplan") if STARTED_IMPORT.match(asked)]
        assert len(started) == 1
        assert home.run("tie-out", "--last", "--json", env=env).code == 0
        assert home.run("audit", "verify", env=env).code == 0
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=60)
        assert second.returncode == 0
        assert home.control("jde", "state")["sessions"] == 0
    finally:
        home.stop()
