"""`python -m bench.scaleout`: one backfill, read by one, two and four workers.

The practice JD Edwards answers each page after 300 ms, whoever asks; its connection allows four
sessions, each run uses one of them. So a worker reads one part at a time in one session, and what
is measured is how far the parts of a backfill are read side by side. Every cell must be proved, and
the sessions at JD Edwards are counted there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cluster import Cluster
from bench.processes import Processes, cpu_seconds, idle_cpu, machine
from tieout.app import Instance
from tieout.settings import environment
from tieout.store import executors, parts
from tieout.store.runs import NewRun, Run
from tieout.verbs import demo, practice, running, setting_up

WORKERS = (1, 2, 4)
TARGETS = {2: 1.8, 4: 3.2}  # times as fast as one worker (issue 5)
LINES, PAGE_ROWS = 100_000, 80
PAGE_SECONDS = 0.3
SESSIONS = 4  # that the connection allows
LOOK_SECONDS, READY_SECONDS_MAX, RUN_SECONDS_MAX = 0.2, 120.0, 3600.0
PAGES = ({"path": "/v2/dataservice$", "body_match": '"BROWSE"'}, {"path": "/dataservice/next"})
ERP = "[connections.erp]\n"
PERIODS = {"from": "2024-01", "to": "2025-12", "read": True}


def made(home: Path, url: str, lines: int, page_rows: int) -> Instance:
    """The demo's company without a plan, loaded and tied; from then on each page takes its time."""
    os.environ["TIEOUT_DATABASE"] = url
    found = practice.start_practice(home, "--lines", str(lines))
    instance = Instance(environment(str(home)))
    setting_up.make_instance(instance)
    companies = ", ".join(f'"{company}"' for company in demo.COMPANIES)
    text = demo.PROJECT.format(jde=found["jde"], anaplan=found["anaplan"], companies=companies)
    limits = f"readers = {SESSIONS}\nreaders_a_run = 1\npage_rows = {page_rows}\n"
    setting_up.apply_project(instance, text.replace(ERP, ERP + limits))
    for name, system in (("erp", "jde"), ("planning", "anaplan")):
        setting_up.connect(instance, name, practice.credentials(home)[system])
    with running.executing(instance) as engine:
        for flow in demo.FLOWS:
            last = running.run_flow(instance, flow, engine=engine).run
        demo.map_unmatched(instance, last)
        running.run_flow(instance, "actuals", asked={"replay": last.id}, engine=engine)
    late = [
        page | {"kind": "delay", "seconds": PAGE_SECONDS, "times": sys.maxsize} for page in PAGES
    ]
    practice.control(home, "jde", "faults", add=late)
    return instance


def until_ready(instance: Instance, processes: Processes, count: int) -> None:
    """Wait until so many workers execute."""
    give_up = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < give_up:
        processes.refuse_dead()
        with instance.store.database.read() as connection:
            if len(executors.listed(connection)) == count:
                return
        time.sleep(LOOK_SECONDS)
    raise RuntimeError("the workers do not execute; see processes.log")


def ended(instance: Instance, processes: Processes, run: str) -> Run:
    """The run when it has ended."""
    give_up = time.monotonic() + RUN_SECONDS_MAX
    while time.monotonic() < give_up:
        processes.refuse_dead()
        found = instance.store.run(run)
        if found.finished:
            return found
        time.sleep(LOOK_SECONDS)
    raise RuntimeError("the backfill did not come to its end")


def backfill(instance: Instance, url: str, workers: int) -> dict[str, Any]:
    """The figures of the backfill with so many workers."""
    processes = Processes(instance.home, url, workers)
    practised = int((instance.home / practice.PRACTICE_DIRECTORY / "pid").read_text())
    try:
        until_ready(instance, processes, workers)
        practice.control(instance.home, "jde", "log", clear=True)
        ours, theirs, ticks = processes.cpu_seconds(), cpu_seconds(practised), machine()
        config = instance.store.config()
        assert config is not None
        run = instance.store.new_run(
            NewRun("actuals", "load_actuals", "owner", outcome="waiting",
                   config_version=config.version, asked={"periods": PERIODS})
        )  # fmt: skip
        began = time.monotonic()
        done = ended(instance, processes, run.id)
        took = time.monotonic() - began
        with instance.store.database.read() as connection:
            read = parts.of_run(connection, run.id)
        log = practice.control(instance.home, "jde", "log")["log"]
        return {
            "workers": workers, "seconds": round(took, 1), "outcome": done.outcome,
            "lines": done.figures.get("rows_read", 0), "cells": done.figures.get("cells", 0),
            "parts": len(read), "requests": len(log),
            "before_parts_seconds": _between(run.started_at, min(p.started_at for p in read)),
            "parts_seconds": _between(
                min(p.started_at for p in read), max(p.finished_at or p.started_at for p in read)
            ),
            "our_cpu_seconds": round(processes.cpu_seconds() - ours, 1),
            "practice_cpu_seconds": round(cpu_seconds(practised) - theirs, 1),
            "machine_idle": round(idle_cpu(ticks), 2), "load": round(os.getloadavg()[0], 1),
            "sentence": done.sentence,
        }  # fmt: skip
    finally:
        processes.stop()


def _between(first: Any, last: Any) -> float:
    return round((last - first).total_seconds(), 1)


def main() -> int:
    """Each number of workers once; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaleout", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--page-rows", type=int, default=PAGE_ROWS)
    parser.add_argument("--keep", action="store_true", help="leave the folder behind")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tieout-scaleout-"))
    folder.chmod(0o711)
    home = folder / "home"
    cluster = Cluster(folder / "server")
    figures: dict[str, Any] = {"bench": "scaleout"}
    try:
        instance = made(home, cluster.url, asked.lines, asked.page_rows)
        found = {}
        for workers in WORKERS:
            found[workers] = backfill(instance, cluster.url, workers)
            print(json.dumps(found[workers]), flush=True)
        instance.close()
        figures |= judged(found, practice.control(home, "jde", "state"))
    finally:
        practice.stop_practice(home)
        cluster.stop("fast")
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def judged(found: dict[int, dict[str, Any]], at_jde: dict[str, Any]) -> dict[str, Any]:
    """How much faster more workers were, and whether all is proved and within the limits."""
    alone = found[1]
    ratios = {n: round(alone["seconds"] / found[n]["seconds"], 2) for n in TARGETS}
    same = all(one["lines"] == alone["lines"] for one in found.values())
    proved = all(one["outcome"] == "complete" for one in found.values())
    return {
        "page_seconds": PAGE_SECONDS, "lines": alone["lines"], "parts": alone["parts"],
        "seconds": {n: one["seconds"] for n, one in found.items()},
        "times_as_fast": ratios, "targets": TARGETS, "proved": proved, "same_lines": same,
        "sessions_at_once": at_jde["sessions_most"], "sessions_left": at_jde["sessions"],
        "ok": proved and same and all(ratios[n] >= TARGETS[n] for n in TARGETS)
        and at_jde["sessions_most"] <= SESSIONS and at_jde["sessions"] == 0,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
