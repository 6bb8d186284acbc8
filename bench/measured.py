"""The measured process: one first load of actuals, told by the product's own code."""

from __future__ import annotations

import argparse
import json
import logging
import resource
import time
from pathlib import Path
from typing import Any

from tieout.app import STORIES, Instance
from tieout.clock import SystemClock
from tieout.engine.inline import tell_here
from tieout.settings import Environment
from tieout.store.runs import NewRun
from tieout.verbs import setting_up

FLOW, WHO = "actuals", "bench"
PROJECT = """\
[outgoing]
allow = ["{url}"]

[connections.erp]
system = "jde"
url = "{url}/jderest"
environment = "JPD920"
secret = "secret://erp"
page_rows = 5000
readers = {readers}
parts = 1
allow_http = true

[connections.planning]
system = "anaplan"
api_url = "{url}/2/0"
auth_url = "{url}"
workspace = "Finance"
model = "FP&A 2026"
secret = "secret://planning"
poll = "10ms"
allow_http = true
{members}
[flows.actuals]
kind = "load_actuals"
from = "erp"
to = "planning"
companies = ["00001", "00060", "00070", "00090"]
from_period = "2024-01"
detail_from = "2024-01"
signs = {{ flip = ["4000-4999"] }}
import = "Load GL Actuals"
read_back = {{ view = "GL Actuals" }}
columns = {{ "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Time" = "period", "Amount" = "amount" }}
"""
MEMBERS = """
[flows.{members}]
kind = "load_members"
members = "{members}"
from = "erp"
to = "planning"
import = "Load {list}"
read_back = {{ list = "{list}" }}
columns = {{ "Code" = "code" }}
"""
LISTS = {"companies": "Companies", "accounts": "GL Accounts", "business_units": "Cost Centers"}


def memory_mb(name: str) -> float:
    """A line of /proc/self/status in MB: VmRSS is now, VmHWM the peak of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def prepared(home: Path, url: str, readers: int, database: str = "") -> Instance:
    """A new instance in `home`, connected to the benchmark's server; SQLite without `database`."""
    home.mkdir(mode=0o700)
    database = database or f"sqlite:///{home / 'tieout.sqlite'}"
    nowhere = Environment(
        home=home, database=database, records="", clock_url="",
        kill_at="", log_level="WARNING",
    )  # fmt: skip
    instance = Instance(nowhere, SystemClock())
    setting_up.make_instance(instance)
    members = "".join(MEMBERS.format(members=m, list=name) for m, name in LISTS.items())
    setting_up.apply_project(instance, PROJECT.format(url=url, readers=readers, members=members))
    for name in ("erp", "planning"):
        setting_up.connect(instance, name, {"username": WHO, "password": WHO})
    return instance


def measure(instance: Instance) -> dict[str, Any]:
    """Tell the whole story once: wall and CPU seconds, memory, and the seconds of each step."""
    imported = memory_mb("VmRSS")
    run = instance.store.new_run(NewRun(FLOW, "load_actuals", WHO, outcome="waiting", asked={}))
    wall, cpu = time.perf_counter(), cpu_seconds()
    done = tell_here(instance.store, run.id, STORIES["load_actuals"], instance.world_for)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    steps: dict[str, float] = {}
    for step in instance.store.steps(run.id):
        kind = " ".join(word for word in step.name.split() if word.isalpha() and word.islower())
        spent = (step.finished_at - step.started_at).total_seconds()
        steps[kind] = round(steps.get(kind, 0.0) + spent, 4)
    return {
        "outcome": done.outcome, "sentence": done.sentence, "figures": done.figures,
        "wall_seconds": wall, "cpu_seconds": cpu, "imported_mb": imported,
        "peak_mb": memory_mb("VmHWM"), "steps": steps,
    }  # fmt: skip


def main() -> None:
    """One measurement as one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--readers", type=int, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    instance = prepared(given.home, given.url, given.readers)
    print(json.dumps(measure(instance), default=str), flush=True)


if __name__ == "__main__":
    main()
