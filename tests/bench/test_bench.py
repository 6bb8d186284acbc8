"""The benchmark runs, proves what it loads, and ends with the line that machines read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.trace import opened, questions
from tieout.flows.drill import Wanted
from tieout.verbs.tracing import trace

REPOSITORY = Path(__file__).parents[2]
ROWS = 20_000
BENCH_SECONDS_MAX = 120


def test_a_small_run_proves_every_cell_and_ends_with_one_json_line() -> None:
    command = [sys.executable, "-m", "bench", "--rows", str(ROWS), "--rounds", "1"]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False,
        timeout=BENCH_SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert "NOT PROVED" not in done.stdout, done.stdout
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == "load_actuals"
    assert told["rows"] == ROWS
    assert told["rows_per_second"] > 0
    assert told["ratio_to_limit"] > 0
    assert told["peak_rss_mb"] > 0
    assert told["ok"] is (done.returncode == 0)


def test_the_mirror_of_the_trace_is_one_that_the_product_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.trace", "--rows", str(ROWS), "--rounds", "1"]
    done = subprocess.run(
        [*command, "--home", str(tmp_path / "home")], cwd=REPOSITORY, capture_output=True,
        text=True, check=False, timeout=BENCH_SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == "trace"
    assert told["lines"] >= ROWS
    assert told["ok"] is (done.returncode == 0)
    instance = opened(tmp_path / "home")
    found = trace(instance, Wanted(**questions(instance)["account, cost center, period"]))
    held = [line for line in found["story"]["lines"] if line["holds"]]
    assert sum(line["amount"] for line in held) == found["cells"][0]["f0911"]
    assert len(held) == sum(bucket["lines"] for bucket in found["story"]["buckets"])
    instance.close()
