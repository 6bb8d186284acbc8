"""`python -m bench.chaos`: workers and the database die at random while flows of all kinds run.

Workers are killed, paused and woken, the database is stopped as by a power cut, lines are posted,
plans change and are approved. Afterwards everything must have ended complete or wait for a person,
the cells equal the ledger, each journal is there once, and no session is left at JD Edwards.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

from bench.cluster import Cluster
from bench.fleet import Chaos, Fleet
from bench.many_flows import TABLES, made
from bench.schedule import REQUESTS_A_MINUTE
from tieout.app import Instance
from tieout.engine.watch import executed
from tieout.errors import Trouble
from tieout.project import Project
from tieout.store.runs import NewRun, Run
from tieout.store.schema import UNFINISHED
from tieout.verbs import approving, demo_plan, practice, running

ASK_SECONDS = 1.0  # between two runs that people ask for
OFTEN = 0.25  # how often it is one into the model of the demo's company
AT_DESK = 0.3  # how often they look at what waits for them
EVENT, CHANGE = 0.2, 0.15  # how often something is posted beside, and the plan changes
SETTLE_SECONDS_MAX = 1200
COMMAND_SECONDS_MAX = 300
MONTHS = range(1, 4)
EVENTS = ("late_post", "backdated", "void_reenter")
PLANNED = ["00070", "4010", "72", "BUD26"]  # an account of the demo's plan


class People:
    """Who asks for runs, posts lines, changes the plan, approves and posts."""

    def __init__(self, instance: Instance, dice: Random) -> None:
        self._instance, self._dice = instance, dice
        self._project = instance.project()
        config = instance.store.config()
        assert config is not None
        self._version = config.version
        self._turns: dict[bool, list[str]] = {True: [], False: []}
        self.asked: list[str] = []

    def act(self) -> None:
        """One of the things that people do; what the database refuses meanwhile is not done."""
        with suppress(Trouble):
            name = self._next_flow(often=self._dice.random() < OFTEN)
            if name != demo_plan.FLOW or not self._plan_is_open():
                self._ask(name)
            if self._dice.random() < EVENT:
                with suppress(OSError):  # nothing is left that could be posted late
                    name = self._dice.choice(EVENTS)
                    practice.control(self._instance.home, "jde", "event", name=name)
            if self._dice.random() < CHANGE and not self._plan_is_open():
                self._change_plan()
                self._ask(demo_plan.FLOW)
            if self._dice.random() < AT_DESK:
                self.approve()
                self.post()

    def _next_flow(self, *, often: bool) -> str:
        """Each flow once before one comes again, among those into one model and the others."""
        turn = self._turns[often]
        if not turn:
            flows = self._project.flows
            turn += [n for n in flows if (lane_of(self._project, n) == "planning") is often]
            self._dice.shuffle(turn)
        return turn.pop()

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
        month = f"{date(2026, self._dice.choice(MONTHS), 1):%b %y}"
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


def tieout(fleet: Fleet, *words: str, by: str = demo_plan.ANA) -> tuple[int, dict[str, Any]]:
    """One command of one of the demo's people with --json: its exit code and what it told."""
    token = json.loads((fleet.home / demo_plan.PEOPLE_FILE).read_text())[by]["token"]
    done = subprocess.run(
        [sys.executable, "-m", "tieout", "--home", str(fleet.home), "--json", *words],
        env=os.environ | {"TIEOUT_DATABASE": fleet.url, "TIEOUT_TOKEN": token},
        capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False,
    )  # fmt: skip
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"tieout {' '.join(words)}: {done.stdout}{done.stderr}") from error


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
    tables = {name: _of_table(fleet, name) for name in TABLES}
    _, trail = tieout(fleet, "audit", "verify", by=demo_plan.AUDRA)
    at_jde = practice.control(instance.home, "jde", "state")
    at_anaplan = practice.control(instance.home, "anaplan", "state")
    journals = [j for j in approving.all_journals(instance) if not j["given_up"]]
    states = Counter(j["state"] for j in journals)
    differing = sum(row["cells_differing"] for row in tied["tie_out"])
    twice = [j for j in journals if j["state"] in ("partial", "drifted", "uncertain")]
    at_once = max(at_anaplan["open_tasks_max"].values(), default=0)
    # Nobody ever learns of a session whose process is killed before the answer to its sign-in.
    lost = at_jde["sessions_unused"]
    used = at_jde["sessions"] - lost
    return {
        "flows": len(instance.project().flows), "runs": len(runs), "outcomes": dict(outcomes),
        "failed": failed[:10], "last_run": code, "cells_differing": differing, "tables": tables,
        "journals": dict(states), "trail_whole": bool(trail.get("ok")),
        "sessions_left": used, "sign_ins_lost": lost, "sessions_most": at_jde["sessions_most"],
        "tasks_of_a_model_at_once": at_once,
        "requests_worst_minute": at_anaplan["requests_worst_minute"],
        "stood_still": stood_still(instance, people.asked), **fleet.done,
        "ok": not failed and not differing and code == 0 and not twice and bool(trail.get("ok"))
        and set(tables.values()) == {"ties"}
        and used == 0 and lost <= fleet.done["killed"] and at_once <= 1
        and at_anaplan["requests_worst_minute"] <= REQUESTS_A_MINUTE,
    }  # fmt: skip


def _of_table(fleet: Fleet, flow: str) -> str:
    """Whether a table ties when nothing moves any more: "ties", or what the last run said."""
    code, told = tieout(fleet, "run", flow)
    if code == 0:
        code, told = tieout(fleet, "tie-out", "--flow", flow)
    return "ties" if code == 0 else f"exit code {code}: {told}"


def stood_still(instance: Instance, asked: list[str]) -> dict[str, Any]:
    """The longest time in which nothing was done of what was asked of one model, and after what.

    From the end of a step, or the asking, to the end of the next step of any run of the model.
    """
    project, lanes = instance.project(), dict[str, list[Run]]()
    for run in map(instance.store.run, asked):
        lanes.setdefault(lane_of(project, run.flow), []).append(run)
    longest: dict[str, Any] = {"seconds": 0.0}
    for runs in lanes.values():
        done = sorted(
            (step.finished_at, f"{run.id} {step.name}")
            for run in runs for step in instance.store.steps(run.id)
        )  # fmt: skip
        before: datetime | None = None
        for at, words in done:
            waited = [
                r.started_at for r in runs if r.started_at < at and (r.finished_at or at) >= at
            ]
            since = max(filter(None, (before, min(waited, default=at))))
            if (seconds := (at - since).total_seconds()) > longest["seconds"]:
                longest = {"seconds": round(seconds, 1), "until": words, "at": at.isoformat()}
            before = at
    return longest


def lane_of(project: Project, flow: str) -> str:
    """The connection to the model that a flow loads, or reads a plan from."""
    return project.anaplan_name(project.flows[flow])


def main() -> int:
    """Make, disturb, settle, judge; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pause", type=float, default=ASK_SECONDS, help="between two runs")
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
        while not executed(instance.store):
            fleet.refuse_dead()
            time.sleep(ASK_SECONDS)
        end = time.monotonic() + asked.seconds
        while time.monotonic() < end:
            people.act()
            chaos.go_on()
            time.sleep(asked.pause)
        figures["settle_seconds"] = round(settled(instance, people, chaos), 1)
        figures |= judged(fleet, instance, people)
        instance.close()
    finally:
        fleet.stop()
        practice.stop_practice(fleet.home)
        cluster.stop("fast")
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    figures["cpu_seconds"] = round(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]))
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
