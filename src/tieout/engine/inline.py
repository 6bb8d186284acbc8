"""The same story in the calling thread, without the engine library: for a virtual clock."""

from __future__ import annotations

from collections.abc import Callable

from tieout.engine.story import Books, Ending, Failpoint, Result, Run, Story, WorldFor, tell


def _kept(name: str, body: Callable[[], Result]) -> Result:
    """The store alone remembers that a step was done."""
    return body()


def tell_here(
    books: Books,
    run_id: str,
    story: Story,
    world_for: WorldFor,
    failpoint: Failpoint = lambda step, point: None,
) -> Ending:
    """Tell the run's story now; steps that were committed before are not done again."""
    run = Run(run_id, books.flow_kind(run_id), books, _kept, failpoint)
    return tell(run, books, story, world_for)
