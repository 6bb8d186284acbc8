"""How far a run is, on a terminal only: the steps that the store has, looked up now and then."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tieout.errors import Trouble

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tieout.app import Instance

LOOK_SECONDS = 0.4


@contextmanager
def shown(instance: Instance) -> Iterator[None]:
    """While the block runs, a line on stderr tells the run under way, its steps and the time."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    done = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task("starting")
        look = threading.Thread(
            target=_look, args=(instance, progress, line, done), name="progress", daemon=True
        )
        look.start()
        try:
            yield
        finally:
            done.set()
            look.join()


def _look(instance: Instance, progress: Progress, line: TaskID, done: threading.Event) -> None:
    told = ""
    while not done.wait(LOOK_SECONDS):
        try:
            words = _where(instance)
        except Trouble:  # the command itself meets it too, and says so
            continue
        if words and words.partition(":")[0] != told.partition(":")[0]:
            progress.reset(line)
        told = words or told
        progress.update(line, description=told or "starting")


def _where(instance: Instance) -> str:
    """`actuals-3: 12 steps done, the last: read the balances`; empty between two runs."""
    under_way = instance.store.runs(outcomes=("running", "waiting"), limit=1)
    if not under_way:
        return ""
    steps = instance.store.steps(under_way[0].id)
    if not steps:
        return f"{under_way[0].id}: starting"
    return f"{under_way[0].id}: {len(steps)} steps done, the last: {steps[-1].name}"
