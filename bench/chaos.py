"""`python -m bench.chaos`: workers and the database die at random while flows of all kinds run.

Workers are killed, paused and woken, the database is stopped as by a power cut, lines are posted,
plans change and are approved. Afterwards everything must have ended complete or wait for a person,
the cells equal the ledger, each journal is there once, and no session is left at JD Edwards.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from bench.cluster import Cluster
from tieout.app import Instance
from tieout.errors import Trouble
from tieout.settings import environment
from tieout.store.runs import NewRun
from tieout.store.schema import UNFINISHED
from tieout.verbs import approving, demo, demo_plan, practice, running, setting_up

WORKERS, LINES = 3, 4000
PAUSE_SECONDS = (5, 40)  # between two acts of chaos
ASK_SECONDS = 1.0  # between two runs that people ask for
ASLEEP_SECONDS = (3, 20)
DOWN_SECONDS = (0, 8)
SETTLE_SECONDS_MAX = 1200
FLOWS_MIN = 200
COMMAND_SECONDS_MAX = 300
MONTHS = range(1, 13)
EVENTS = ("late_post", "backdated", "void_reenter")
PLANNED = ["00070", "4010", "72", "BUD26"]  # an account of the demo's plan

FLOW = """
[flows.{name}]
kind = "load_actuals"
from = "erp"
to = "planning"
ledgers = ["AA"]
companies = ["{company}"]
from_period = "{year}-{first:02d}"
to_period = "{year}-{last:02d}"
detail_from = "2024-01"
signs = {{ flip = ["4000-4999"] }}
import = "Load GL Actuals"
account_code = "object.subsidiary"
read_back = {{ view = "GL Actuals" }}
period_13 = {{ default = "fold" }}
columns = {{ "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Time" = "period", "Amount" = "amount" }}
"""


@dataclass
class Fleet:
    """The workers of one instance, and what was done to them."""

    home: Path
    url: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """One more worker; what it has to say goes to HOME/workers.log."""
        with (self.home / "workers.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tieout", "--home", str(self.home), "worker"],
                    env=os.environ | {"TIEOUT_DATABASE": self.url}, stdout=log, stderr=log,
                )
            )  # fmt: skip

    def keep_up(self) -> None:
        """Start again what died, as an operating system does with a service."""
        dead = [worker for worker in self.workers if worker.poll() is not None]
        for worker in dead:
            self.workers.remove(worker)
        while len(self.workers) < WORKERS:
            self.start()

    def stop(self) -> None:
        """Ask all to stop, and see that they do."""
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for worker in self.workers:
            worker.wait(COMMAND_SECONDS_MAX)


class Chaos:
    """What happens to the workers and the database, one act after the other."""

    def __init__(self, fleet: Fleet, cluster: Cluster, dice: Random) -> None:
        self._fleet, self._cluster, self._dice = fleet, cluster, dice
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._next = time.monotonic() + dice.uniform(*PAUSE_SECONDS) / 2

    def go_on(self) -> None:
        """Do what is due by now."""
        now = time.monotonic()
        for at, act in list(self._later):
            if at <= now:
                self._later.remove((at, act))
                act()
        if now >= self._next:
            self._next = now + self._dice.uniform(*PAUSE_SECONDS)
            self._dice.choice([self._kill, self._kill, self._pause, self._pause, self._cut])()
        self._fleet.keep_up()

    def end(self) -> None:
        """Wake and start everything that is still down."""
        for _, act in self._later:
            act()
        self._later.clear()
        self._fleet.keep_up()

    def _kill(self) -> None:
        self._fleet.done["killed"] += 1
        self._dice.choice(self._fleet.workers).kill()

    def _pause(self) -> None:
        self._fleet.done["paused"] += 1
        worker = self._dice.choice(self._fleet.workers)
        worker.send_signal(signal.SIGSTOP)
        wakes = time.monotonic() + self._dice.uniform(*ASLEEP_SECONDS)
        self._later.append((wakes, lambda: worker.send_signal(signal.SIGCONT)))

    def _cut(self) -> None:
        if any(act == self._cluster.start for _, act in self._later):
            return
        self._fleet.done["database cut"] += 1
        self._cluster.stop()
        again = time.monotonic() + self._dice.uniform(*DOWN_SECONDS)
        self._later.append((again, self._cluster.start))


class People:
    """Who asks for runs, posts lines, changes the plan, approves and posts."""

    def __init__(self, instance: Instance, dice: Random) -> None:
        self._instance, self._dice = instance, dice
        self._project = instance.project()
        config = instance.store.config()
        assert config is not None
        self._version = config.version
        self._turn = [*self._project.flows]
        self.asked: list[str] = []

    def act(self) -> None:
        """One of the things that people do; what the database refuses meanwhile is not done."""
        with suppress(Trouble):
            if not self._turn:
                self._turn = [*self._project.flows]
                self._dice.shuffle(self._turn)
            name = self._turn.pop()
            if name != demo_plan.FLOW or not self._plan_is_open():
                self._ask(name)
            if self._dice.random() < 0.2:
                with suppress(OSError):  # nothing is left that could be posted late
                    name = self._dice.choice(EVENTS)
                    practice.control(self._instance.home, "jde", "event", name=name)
            if self._dice.random() < 0.15 and not self._plan_is_open():
                self._change_plan()
                self._ask(demo_plan.FLOW)
            self.approve()
            self.post()

    def _ask(self, name: str) -> None:
        kind = running.kind_of(self._project.flows[name])
        if self._instance.store.unfinished_run(name) and kind != running.PREPARE:
            return
        new = NewRun(name, kind, demo_plan.ANA, outcome="waiting", config_version=self._version,
                     alone=kind != running.PREPARE)  # fmt: skip
        self.asked.append(self._instance.store.new_run(new).id)

    def _plan_is_open(self) -> bool:
        """Whether a batch is on its way: what the ledger will hold is not known meanwhile."""
        states = {j["state"] for j in approving.all_journals(self._instance) if not j["given_up"]}
        under_way = self._instance.store.unfinished_run(demo_plan.FLOW) is not None
        return under_way or bool(states - {"verified", "posted"})

    def _change_plan(self) -> None:
        month = f"{date(2026, self._dice.choice(MONTHS[:3]), 1):%b %y}"
        amount = str(self._dice.randrange(1000, 2_000_000))
        practice.control(
            self._instance.home, "anaplan", "people", do="change_plan",
            cells=[[*PLANNED, month]], amount=amount,
        )  # fmt: skip

    def approve(self) -> None:
        """Pat approves what waits."""
        with demo_plan.desk(self._instance, demo_plan.PAT) as pat:
            for batch in approving.approvals(pat):
                rules = sorted({ask["rule"] for ask in batch["summary"]["asks"]})
                with suppress(Trouble):  # superseded, or prepared again meanwhile
                    approving.approve(pat, batch["batch"], batch["digest"], "as planned", yes=rules)

    def post(self) -> None:
        """At JD Edwards each batch of ours that waits is approved and posted."""
        for journal in approving.all_journals(self._instance):
            if journal["state"] in demo_plan.CREATED:
                for do in ("approve", "post"):
                    with suppress(OSError):  # it was posted before, or not approved
                        practice.control(
                            self._instance.home, "jde", "people", do=do, batch_type="G",
                            batch_number=int(journal["batch_number"]),
                        )  # fmt: skip


def tieout(fleet: Fleet, *words: str) -> tuple[int, dict[str, Any]]:
    """One command with --json: its exit code and what it told."""
    done = subprocess.run(
        [sys.executable, "-m", "tieout", "--home", str(fleet.home), "--json", *words],
        env=os.environ | {"TIEOUT_DATABASE": fleet.url}, capture_output=True, text=True,
        timeout=COMMAND_SECONDS_MAX, check=False,
    )  # fmt: skip
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"tieout {' '.join(words)}: {done.stdout}{done.stderr}") from error


def made(home: Path, url: str) -> Instance:
    """The demo's company, loaded and tied, its plan posted; and FLOWS_MIN small flows beside."""
    command = [sys.executable, "-m", "tieout", "--home", str(home)]
    subprocess.run(
        [*command, "demo", "--once", "--json", "--lines", str(LINES)], check=True,
        env=os.environ | {"TIEOUT_DATABASE": url}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.environ["TIEOUT_DATABASE"] = url
    practice.start_practice(home)
    text = (home / "tieout.toml").read_text()
    text = text.replace('kind = "submit_plan"', 'kind = "submit_plan"\nactuals = "actuals"')
    windows = [(company, year, month) for company in demo.COMPANIES for year in (2024, 2025)
               for month in MONTHS]  # fmt: skip
    names = 0
    while names < FLOWS_MIN:
        company, year, month = windows[names % len(windows)]
        last = min(12, month + names // len(windows))
        text += FLOW.format(
            name=f"a{names:03d}", company=company, year=year, first=month, last=last
        )
        names += 1
    with demo_plan.desk(Instance(environment(str(home))), demo_plan.ALEX) as alex:
        setting_up.apply_project(alex, text)
    return Instance(environment(str(home)))


def settled(instance: Instance, people: People, chaos: Chaos) -> float:
    """Seconds until nothing was unfinished any more."""
    chaos.end()
    began = time.monotonic()
    while instance.store.runs(outcomes=UNFINISHED, limit=1):
        if time.monotonic() - began > SETTLE_SECONDS_MAX:
            raise RuntimeError("runs did not come to their end")
        with suppress(Trouble):
            people.post()
        chaos.end()
        time.sleep(ASK_SECONDS)
    return time.monotonic() - began


def judged(fleet: Fleet, instance: Instance, people: People) -> dict[str, Any]:
    """Whether all is as if nothing had happened."""
    runs = [instance.store.run(run) for run in people.asked]
    outcomes = Counter(run.outcome for run in runs)
    failed = [f"{run.id}: {run.sentence}" for run in runs if run.outcome == "failed"]
    code, _ = tieout(fleet, "run", "actuals")
    people.post()
    tieout(fleet, "journals", "check")
    _, tied = tieout(fleet, "tie-out", "--flow", "actuals")
    _, trail = tieout(fleet, "audit", "verify")
    at_jde = practice.control(instance.home, "jde", "state")
    journals = [j for j in approving.all_journals(instance) if not j["given_up"]]
    states = Counter(j["state"] for j in journals)
    differing = sum(row["cells_differing"] for row in tied["tie_out"])
    twice = [j for j in journals if j["state"] in ("partial", "drifted", "uncertain")]
    return {
        "runs": len(runs), "flows": len({run.flow for run in runs}), "outcomes": dict(outcomes),
        "failed": failed[:10], "last_run": code, "cells_differing": differing,
        "journals": dict(states), "trail_whole": bool(trail.get("ok")),
        "sessions_left": at_jde["sessions"], **fleet.done,
        "ok": not failed and not differing and code == 0 and not twice and bool(trail.get("ok"))
        and at_jde["sessions"] == 0,
    }  # fmt: skip


def main() -> int:
    """Make, disturb, settle, judge; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    parser.add_argument("--keep", action="store_true", help="leave the folder behind")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="tieout-chaos-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "server")
    fleet = Fleet(folder / "home", cluster.url)
    figures: dict[str, Any] = {"bench": "chaos", "seed": asked.seed, "seconds": asked.seconds}
    try:
        instance = made(fleet.home, cluster.url)
        dice = Random(asked.seed)
        people, chaos = People(instance, dice), Chaos(fleet, cluster, dice)
        fleet.keep_up()
        end = time.monotonic() + asked.seconds
        while time.monotonic() < end:
            people.act()
            chaos.go_on()
            time.sleep(ASK_SECONDS)
        figures["settle_seconds"] = round(settled(instance, people, chaos), 1)
        figures |= judged(fleet, instance, people)
        instance.close()
    finally:
        fleet.stop()
        practice.stop_practice(fleet.home)
        cluster.stop("fast")
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
