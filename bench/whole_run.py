"""What a whole run of a load of a hundred members costs us, one after the other in one thread."""

from __future__ import annotations

import argparse
import cProfile
import json
import logging
import pstats
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bench.cluster import Cluster
from bench.measured import cpu_seconds
from bench.schedule import Size, made
from tieout.app import STORIES, Instance
from tieout.engine.inline import tell_here
from tieout.store.runs import NewRun
from tieout.verbs import practice

WARM_RUNS, RUNS = 5, 40
FUNCTIONS_SHOWN = 70
YARDSTICK_ROUNDS = 40_000


class Counted:
    """Statements and writing transactions of a database while somebody looks."""

    def __init__(self, instance: Instance) -> None:
        self.statements: Counter[str] = Counter()

        @event.listens_for(instance.store.database.engine, "before_cursor_execute")
        def executes(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            self.statements[" ".join(statement.split())] += 1

    @property
    def transactions(self) -> int:
        """Those that write; on PostgreSQL the driver begins them unseen."""
        return self.statements["BEGIN IMMEDIATE"]


def told(instance: Instance, flow: str) -> str:
    """One run of `flow` from the wish for it to its end; its id."""
    config = instance.store.config()
    assert config is not None
    new = NewRun(flow, "load_members", "bench", outcome="waiting", config_version=config.version)
    run = instance.store.new_run(new)
    done = tell_here(instance.store, run.id, STORIES["load_members"], instance.world_for)
    if done.outcome != "complete":
        raise RuntimeError(done.sentence)
    return run.id


def yardstick() -> float:
    """CPU milliseconds of a piece of Python that is always the same: how fast the machine is."""
    began = time.thread_time()
    known: dict[int, str] = {}
    for number in range(YARDSTICK_ROUNDS):
        known[number % 97] = str(number)
    return (time.thread_time() - began) * 1000


def costs(instance: Instance, flows: list[str]) -> dict[str, Any]:
    """CPU milliseconds of a run, and how many yardsticks that is; then what one run asks for.

    `process_ms` is the mean with all threads. What is counted is counted in a run of its own:
    who counts statements slows them down.
    """
    for flow in flows[:WARM_RUNS]:
        told(instance, flow)
    used, sticks = [], []
    whole = 0.0
    for flow in flows[WARM_RUNS:-1]:
        stick = min(yardstick(), yardstick())
        began, all_began = time.thread_time(), cpu_seconds()
        told(instance, flow)
        used.append((time.thread_time() - began) * 1000)
        whole += (cpu_seconds() - all_began) * 1000
        sticks.append(used[-1] / stick)
    counted = Counted(instance)
    last = told(instance, flows[-1])
    return {
        "runs": len(used), "thread_ms": round(statistics.median(used), 1),
        "least_ms": round(min(used), 1), "process_ms": round(whole / len(used), 1),
        "yardsticks": round(statistics.median(sticks), 1),
        "statements": counted.statements.total(), "writing_transactions": counted.transactions,
        "requests": len(instance.store.calls(last)),
    }  # fmt: skip


def profiled(instance: Instance, flows: list[str], shown: int) -> dict[str, Any]:
    """Functions by their own time, and how often functions are called in a run."""
    for flow in flows[:WARM_RUNS]:
        told(instance, flow)
    profiler = cProfile.Profile()
    for flow in flows[WARM_RUNS:]:
        profiler.enable()
        told(instance, flow)
        profiler.disable()
    statistics_of = pstats.Stats(profiler)
    for order in ("cumulative", "tottime"):
        statistics_of.sort_stats(order).print_stats(shown)
    runs = len(flows) - WARM_RUNS
    calls: int = vars(statistics_of)["total_calls"]
    return {"runs": runs, "function_calls": round(calls / runs)}


def main() -> int:
    """The figures; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.whole_run", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--profile", action="store_true", help="print a cProfile of the runs")
    parser.add_argument("--shown", type=int, default=FUNCTIONS_SHOWN)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="tieout-whole-run-"))
    folder.chmod(0o711)
    home = folder / "home"
    cluster = Cluster(folder / "server") if asked.postgres else None
    try:
        count = WARM_RUNS + asked.runs + 1
        instance = made(home, cluster.url if cluster else "", Size(count, 4, 1, 1))
        try:
            flows = [*instance.project().flows]
            if asked.profile:
                figures = profiled(instance, flows, asked.shown)
            else:
                figures = costs(instance, flows)
        finally:
            instance.close()
    finally:
        practice.stop_practice(home)
        if cluster:
            cluster.stop("fast")
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"bench": "whole_run"} | figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
