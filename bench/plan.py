"""`python -m bench.plan`: a plan of 20,000 lines is exported, checked, differenced and built."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tieout.app import STORIES, Instance
from tieout.engine.inline import tell_here
from tieout.settings import environment
from tieout.store.home import make_home
from tieout.store.runs import NewRun, Run
from tieout.verbs import demo, demo_plan, practice, running

LINES, SEED = 60_000, 1  # of the demo company: its plan has 25,908 amounts
ROWS_MIN, CPU_SECONDS_MAX = 20_000, 5.0


def planned(home: Path) -> Instance:
    """The demo company with its members and actuals in Anaplan, and a budget entered there."""
    make_home(home)
    instance = Instance(environment(str(home)))
    demo.make_demo(instance, lines=LINES, seed=SEED, trouble=False)
    with running.executing(instance) as engine:
        for flow in demo.FLOWS:
            run = running.run_flow(instance, flow, engine=engine).run
        demo.map_unmatched(instance, run)
        running.run_flow(instance, "actuals", asked={"replay": run.id}, engine=engine)
        practice.control(home, "anaplan", "people", do="enter_plan", version=demo_plan.VERSION)
        found = {"run": running.run_flow(instance, "plan", engine=engine).run}
        demo_plan.correct_plan(instance, found, engine, print)
    return instance


def prepared(instance: Instance) -> tuple[Run, dict[str, float]]:
    """One preparation in this process; CPU and wall seconds. The practice systems are another."""
    config = instance.store.config()
    assert config is not None
    new = NewRun("plan", "prepare_plan", demo_plan.ANA, outcome="waiting",
                 config_version=config.version, alone=False)  # fmt: skip
    run = instance.store.new_run(new)
    cpu, wall = time.process_time(), time.perf_counter()
    done = tell_here(instance.store, run.id, STORIES[run.kind], instance.world_for)
    return done, {
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.perf_counter() - wall, 2),
    }


def main() -> int:
    """Measure twice (the second has nothing to import), print both, and the last as JSON."""
    home = Path(tempfile.mkdtemp(prefix="tieout-bench-plan-")) / "home"
    try:
        instance = planned(home)
        figures: dict[str, Any] = {}
        for number in (1, 2):
            run, told = prepared(instance)
            figures = {
                "bench": "plan", "rows": run.figures["rows_read"],
                "journals": run.figures["journals"], "lines": run.figures["lines"], **told,
            }  # fmt: skip
            print(f"preparation {number}: {run.sentence}\n  {figures}")
        instance.close()
    finally:
        practice.stop_practice(home)
        shutil.rmtree(home.parent, ignore_errors=True)
    ok = figures["rows"] >= ROWS_MIN and figures["cpu_seconds"] <= CPU_SECONDS_MAX
    print(json.dumps(figures | {"ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
