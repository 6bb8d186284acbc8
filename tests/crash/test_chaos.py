"""Workers and the database die at random while flows of all kinds run: all is as if nothing had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

REPOSITORY = Path(__file__).parents[2]
CAMPAIGN = "chaos" in os.environ.get("TIEOUT_CAMPAIGN", "")
SECONDS = 1800 if CAMPAIGN else 120
PAUSE_SECONDS = 1.0 if CAMPAIGN else 3.0  # between two runs: what a chaos costs the other tests
MORE_SECONDS_MAX = 900  # to make the company, to settle, and to judge


@pytest.mark.needs("postgres", "initdb")
def test_chaos_leaves_every_run_complete_or_waiting_and_the_cells_equal_to_the_ledger(
    tmp_path: Path, dice: Random, record_property: Callable[[str, object], None]
) -> None:
    """With no journal twice, no session left, a whole trail: what `make chaos` judges."""
    command = [sys.executable, "-m", "bench.chaos", "--seconds", str(SECONDS)]
    command += ["--pause", str(PAUSE_SECONDS), "--seed", str(dice.randrange(10**9))]
    with (tmp_path / "told").open("w+") as told:
        done = subprocess.run(
            command, cwd=REPOSITORY, stdout=told, stderr=told, check=False,
            timeout=SECONDS + MORE_SECONDS_MAX,
        )  # fmt: skip
        told.seek(0)
        lines = told.read().splitlines()
    print("\n".join(lines))
    figures = json.loads(lines[-1])
    assert done.returncode == 0, figures
    assert figures["flows"] >= 200
    for name in ("runs", "killed", "paused", "database cut"):
        record_property(f"{name} in chaos", figures.get(name, 0))
