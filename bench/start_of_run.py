"""What the start of a run costs us: from the wish for it until its first step begins, no waiting.

Three pieces of wall time are added up, each measured in this process alone: the transaction that
begins the run, the look that gives it to the queue, and everything between the queue handing it
over and the first step. On a busy machine wall time says little: `cpu_ms` is the same in CPU time
of the threads that do it. How long the queue lets it lie is not counted; that is its polling.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any, TypeAlias

from bench.measured import cpu_seconds
from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.store import runs
from tieout.store.runs import NewRun

RUNS, WARM_RUNS = 60, 5
RUN_SECONDS_MAX = 60.0


_Moment: TypeAlias = tuple[float, float]  # wall seconds, CPU seconds of the thread


def _now() -> _Moment:
    return time.perf_counter(), time.thread_time()


def _since(later: _Moment, earlier: _Moment) -> _Moment:
    return later[0] - earlier[0], later[1] - earlier[1]


class _Watched(Engine):
    """An engine that notes when it was handed a run, and whose looks are ours."""

    handed_over = (0.0, 0.0)

    def tell(self, run_id: str) -> runs.Run:
        self.handed_over = _now()
        return super().tell(run_id)

    def resume_unfinished(self) -> list[str]:
        """Nothing: only `look` looks."""
        return []

    def look(self) -> None:
        """What the thread of the engine does twice a second."""
        super().resume_unfinished()


def start_costs(instance: Instance) -> dict[str, Any]:
    """Milliseconds at the median of RUNS runs, its pieces, and the CPU of a whole empty run."""
    began: list[_Moment] = []

    def story(run: Any, world: Any) -> Mapping[str, Any]:
        def first(step: object) -> Mapping[str, Any]:
            began.append(_now())
            return {}

        run.step("first", first)
        return {"sentence": "It began."}

    project = instance.project()
    engine = _Watched(instance.store, {"load_members": story}, instance.world_for)
    engine.launch()
    pieces: list[tuple[_Moment, _Moment, _Moment]] = []
    config = instance.store.config()
    assert config is not None
    try:
        cpu = cpu_seconds()
        for number in range(WARM_RUNS + RUNS):
            if number == WARM_RUNS:
                cpu = cpu_seconds()
            flow = [*project.flows][number % len(project.flows)]
            new = NewRun(flow, "load_members", "bench", outcome="waiting",
                         config_version=config.version, alone=True)  # fmt: skip
            asked = _now()
            run = instance.store.new_run(new)
            written = _now()
            engine.look()
            looked = _now()
            engine.wait(run.id, RUN_SECONDS_MAX)
            told = _since(began[-1], engine.handed_over)
            pieces.append((_since(written, asked), _since(looked, written), told))
        used = (cpu_seconds() - cpu) / RUNS
    finally:
        engine.close(RUN_SECONDS_MAX)
    counted = pieces[WARM_RUNS:]
    walls, cpus = (
        [statistics.median(moment[n] for moment in piece) * 1000
         for piece in zip(*counted, strict=True)]
        for n in (0, 1)
    )  # fmt: skip
    return {
        "ms": round(sum(walls), 1), "ms_of_writing": round(walls[0], 1),
        "ms_of_queueing": round(walls[1], 1), "ms_of_telling": round(walls[2], 1),
        "cpu_ms": round(sum(cpus), 1), "cpu_ms_of_an_empty_run": round(used * 1000, 1),
    }  # fmt: skip
