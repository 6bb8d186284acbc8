"""`python -m bench.schedule`: many small flows that become due within a minute, and their cost.

Each flow loads about 100 members with a real task at the practice Anaplan. What counts is how long
after its due time the first step of a run begins; how much a process needs that has nothing to do;
and what the start of a run costs. PART is sqlite, postgres, idle, start, or all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.cluster import Cluster
from bench.processes import Processes, cpu_seconds, idle_cpu, machine
from bench.start_of_run import start_costs
from tieout.app import Instance
from tieout.settings import environment
from tieout.sim.anaplan.tasks import STEPS_BEFORE, STEPS_RUNNING
from tieout.store import schedules
from tieout.store.schema import UNFINISHED
from tieout.verbs import practice, setting_up

SPREAD_SECONDS = 60.0
LEAD_SECONDS = 5.0  # between the first process that is ready and the first due time
READY_SECONDS_MAX, ENDED_SECONDS_MAX = 120.0, 1800.0
LOOK_SECONDS = 0.5
LINES = 1_000  # of the practice ledger, which nobody reads here
SQLITE_P99_SECONDS, POSTGRES_P99_SECONDS = 5.0, 30.0
IDLE_SHARE_MAX, IDLE_MB_MAX = 0.03, 200
IDLE_SECONDS, IDLE_SCHEDULES = 60.0, 100
START_MS_MAX = {"sqlite": 20.0, "postgres": 30.0}
REQUESTS_A_MINUTE = 600

HEAD = """\
[outgoing]
allow = ["{jde}", "{anaplan}"]

[connections.erp]
system = "jde"
url = "{jde}/jderest"
environment = "JPD920"
secret = "secret://erp"
readers = {readers}
allow_http = true
"""
MODEL = """
[connections.{name}]
system = "anaplan"
api_url = "{anaplan}/2/0"
auth_url = "{anaplan}"
tenant = "{tenant}"
workspace = "{workspace}"
model = "{model}"
secret = "secret://{secret}"
poll = "250ms"
allow_http = true
"""
FLOW = """
[flows.{name}]
kind = "load_members"
members = "accounts"
account_code = "account"
where = {{ MCU = ["{unit}"] }}
from = "erp"
to = "{to}"
import = "Load Cost Centers"
read_back = {{ list = "Cost Centers" }}
columns = {{ "Code" = "code", "Name" = "description" }}
"""
SCHEDULE = """
[schedules.{name}]
when = "daily at 03:00 UTC"
run = ["{name}"]
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How many flows into how many models of how many tenants, and who executes them."""

    flows: int
    tenants: int
    models: int  # of each tenant
    workers: int
    readers: int = 2  # sessions at JD Edwards; many workers need more than the default
    task_seconds: float = 0.0  # how long Anaplan takes for a task; 0: a moment


def made(home: Path, url: str, size: Size) -> Instance:
    """An instance with its practice systems, configured; `url` names PostgreSQL or is empty."""
    addresses = practice.start_practice(home, "--lines", str(LINES))
    tenants = practice.control(
        home, "anaplan", "tenants", count=size.tenants, models=size.models
    )["tenants"]  # fmt: skip
    if size.task_seconds:
        step = size.task_seconds / (STEPS_BEFORE + STEPS_RUNNING)
        practice.control(home, "anaplan", "switch", name="task_step_seconds", value=step)
    instance = Instance(replace(environment(str(home)), database=url or "sqlite"))
    setting_up.make_instance(instance)
    setting_up.apply_project(instance, project(addresses, tenants, size))
    known = practice.credentials(home)
    setting_up.connect(instance, "erp", known["jde"])
    for number, tenant in enumerate(tenants):
        signs_in = {name: tenant[name] for name in ("username", "password")}
        setting_up.connect(instance, f"t{number}m0", signs_in)
    return instance


def project(addresses: dict[str, str], tenants: list[dict[str, Any]], size: Size) -> str:
    """The project file: flows go round the tenants first, then round their models."""
    jde, anaplan = addresses["jde"], addresses["anaplan"]
    text = [HEAD.format(jde=jde, anaplan=anaplan, readers=size.readers)]
    for number, tenant in enumerate(tenants):
        for place, model in enumerate(tenant["models"]):
            text.append(
                MODEL.format(
                    name=f"t{number}m{place}", anaplan=anaplan, tenant=tenant["tenant"],
                    workspace=tenant["workspace"], model=model, secret=f"tenant{number}",
                )
            )  # fmt: skip
    for number in range(size.flows):
        place = number // size.tenants % size.models
        to = f"t{number % size.tenants}m{place}"
        text.append((FLOW + SCHEDULE).format(name=f"f{number:04d}", unit=UNIT, to=to))
    return "".join(text)


UNIT = "           1"  # its accounts are about a hundred


def until_known(instance: Instance, processes: Processes, count: int) -> None:
    """Wait until the processes know every schedule."""
    give_up = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < give_up:
        processes.refuse_dead()
        with instance.store.database.read() as connection:
            if len(schedules.kept(connection)) == count:
                return
        time.sleep(LOOK_SECONDS)
    raise RuntimeError("the schedules are not known; see processes.log")


def spread(instance: Instance, names: list[str]) -> dict[str, datetime]:
    """Make every schedule due, evenly over SPREAD_SECONDS; when each is due."""
    first = instance.clock.now() + timedelta(seconds=LEAD_SECONDS)
    pause = SPREAD_SECONDS / len(names)
    due = {name: first + timedelta(seconds=n * pause) for n, name in enumerate(names)}

    def write(connection: Any) -> None:
        for name, moment in due.items():
            schedules.change(connection, name, next_due=moment)

    instance.store.database.transact(write)
    return due


def until_ended(instance: Instance, processes: Processes, due: dict[str, datetime]) -> None:
    """Wait until every schedule has run and nothing is unfinished."""
    last = max(due.values())
    give_up = time.monotonic() + ENDED_SECONDS_MAX
    while time.monotonic() < give_up:
        processes.refuse_dead()
        time.sleep(LOOK_SECONDS * 2)
        if instance.clock.now() < last:
            continue
        store = instance.store
        if store.runs(outcomes=UNFINISHED, limit=1):
            continue
        if len(store.runs(limit=len(due) + 1)) >= len(due):
            return
    raise RuntimeError("the runs did not come to their end")


def judged(instance: Instance, due: dict[str, datetime]) -> dict[str, Any]:
    """Start delays, the last end, and what did not end complete."""
    store = instance.store
    runs = store.runs(limit=len(due) + 1)
    delays, ends, unwell = [], [], []
    for run in runs:
        steps = store.steps(run.id)
        if steps:
            began = min(step.started_at for step in steps)
            delays.append((began - due[run.flow]).total_seconds())
        assert run.finished_at is not None
        ends.append((run.finished_at - max(due.values())).total_seconds())
        if run.outcome != "complete":
            unwell.append(f"{run.id}: {run.sentence}")
    delays.sort()
    return {
        "runs": len(runs), "started": len(delays), "not_complete": len(unwell),
        "such_as": unwell[:3], "p50_seconds": at(delays, 0.5), "p99_seconds": at(delays, 0.99),
        "worst_seconds": at(delays, 1.0), "last_end_after_last_due_seconds": round(max(ends), 1),
    }  # fmt: skip


def at(values: list[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed."""
    return round(values[max(0, min(len(values) - 1, int(share * len(values))))], 2)


def at_anaplan(home: Path) -> dict[str, Any]:
    """What the practice Anaplan counted."""
    seen = practice.control(home, "anaplan", "state")
    return {
        "tasks": seen["counts"]["tasks"],
        "tasks_of_a_model_at_once": max(seen["open_tasks_max"].values(), default=0),
        "requests": sum(t["taken"] for t in seen["requests_by_tenant"].values()),
        "requests_worst_minute": seen["requests_worst_minute"],
        "requests_refused": seen["requests_refused"],
    }


def load(home: Path, url: str, size: Size, p99_max: float) -> dict[str, Any]:
    """All flows become due; the figures of starting and ending them."""
    instance = made(home, url, size)
    processes = Processes(home, url, size.workers)
    try:
        names = [*instance.project().schedules]
        until_known(instance, processes, len(names))
        practised = int((home / practice.PRACTICE_DIRECTORY / "pid").read_text())
        began, ours, theirs, ticks = (
            time.monotonic(), processes.cpu_seconds(), cpu_seconds(practised), machine()
        )  # fmt: skip
        due = spread(instance, names)
        until_ended(instance, processes, due)
        took = time.monotonic() - began
        found = judged(instance, due) | at_anaplan(home)
        figures = {
            "flows": size.flows, "tenants": size.tenants, "models": size.tenants * size.models,
            "processes": size.workers, "task_seconds": size.task_seconds, **found,
            "seconds": round(took, 1),
            "our_cpu_seconds": round(processes.cpu_seconds() - ours, 1),
            "practice_cpu_seconds": round(cpu_seconds(practised) - theirs, 1),
            "machine_idle": round(idle_cpu(ticks), 2), "memory_mb": round(processes.memory_mb()),
        }  # fmt: skip
        figures["ok"] = (
            figures["p99_seconds"] <= p99_max and figures["started"] == size.flows
            and not figures["not_complete"] and figures["tasks"] == size.flows
            and figures["tasks_of_a_model_at_once"] <= 1
            and figures["requests_worst_minute"] <= REQUESTS_A_MINUTE
        )  # fmt: skip
        return figures
    finally:
        processes.stop()
        instance.close()


def idle(home: Path, seconds: float) -> dict[str, Any]:
    """One process with schedules of which none is due: its share of a core, and its memory."""
    instance = made(home, "", Size(IDLE_SCHEDULES, 4, 1, 1))
    processes = Processes(home, "", 1)
    try:
        until_known(instance, processes, IDLE_SCHEDULES)
        time.sleep(LEAD_SECONDS)
        before = processes.cpu_seconds()
        time.sleep(seconds)
        share = (processes.cpu_seconds() - before) / seconds
        held = processes.memory_mb()
    finally:
        processes.stop()
        instance.close()
    return {
        "schedules": IDLE_SCHEDULES, "seconds": seconds, "share_of_a_core": round(share, 4),
        "memory_mb": round(held, 1), "ok": share < IDLE_SHARE_MAX and held < IDLE_MB_MAX,
    }  # fmt: skip


def start(folder: Path) -> dict[str, Any]:
    """Own time of the start of a run on both databases."""
    cluster = Cluster(folder / "start-server")
    try:
        figures: dict[str, Any] = {}
        for name, url in (("sqlite", ""), ("postgres", cluster.url)):
            home = folder / f"start-{name}"
            instance = made(home, url, Size(4, 1, 4, 1))
            try:
                figures |= {f"{name}_{k}": v for k, v in start_costs(instance).items()}
            finally:
                instance.close()
                practice.stop_practice(home)
    finally:
        cluster.stop("fast")
    figures["ok"] = all(figures[f"{name}_ms"] <= most for name, most in START_MS_MAX.items())
    return figures


def part(name: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The figures of one part."""
    home = folder / name
    try:
        if name == "idle":
            return idle(home, asked.idle_seconds)
        if name == "start":
            return start(folder)
        if name == "sqlite":
            size = Size(
                asked.flows or 300, asked.tenants or 30, asked.models or 2, 1,
                task_seconds=asked.task_seconds,
            )  # fmt: skip
            return load(home, "", size, SQLITE_P99_SECONDS)
        cluster = Cluster(folder / "server")
        try:
            size = Size(
                asked.flows or 2000, asked.tenants or 50, asked.models or 8, 4, 16,
                asked.task_seconds,
            )  # fmt: skip
            return load(home, cluster.url, size, POSTGRES_P99_SECONDS)
        finally:
            cluster.stop("fast")
    finally:
        if home.exists():
            practice.stop_practice(home)


def main() -> int:
    """Every part that was asked for; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.schedule", description=__doc__)
    parts = ("start", "idle", "sqlite", "postgres")
    parser.add_argument("--part", choices=[*parts, "all"], default="all")
    parser.add_argument("--flows", type=int, default=0)
    parser.add_argument("--tenants", type=int, default=0)
    parser.add_argument("--models", type=int, default=0, help="of each tenant")
    parser.add_argument("--task-seconds", type=float, default=0.0, help="of Anaplan, for each")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS)
    parser.add_argument("--keep", action="store_true", help="leave the folder behind")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tieout-schedule-"))
    folder.chmod(0o711)
    figures: dict[str, Any] = {"bench": "schedule"}
    try:
        for name in parts if asked.part == "all" else (asked.part,):
            figures[name] = part(name, folder, asked)
            print(f"\n{name}")
            for word, value in figures[name].items():
                print(f"  {word.replace('_', ' '):<36} {value}")
            sys.stdout.flush()
    finally:
        if asked.keep:
            print(f"kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    figures["ok"] = all(one["ok"] for one in figures.values() if isinstance(one, dict))
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
