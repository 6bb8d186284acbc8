"""The same story in the calling thread, without the engine library: for a virtual clock."""

from __future__ import annotations

from collections.abc import Callable

from tieout.engine.story import Failpoint, Result, Run, Story, WorldFor, nothing_fails, tell
from tieout.store import runs
from tieout.store.store import Store


def tell_here(
    store: Store,
    run_id: str,
    story: Story,
    world_for: WorldFor,
    failpoint: Failpoint = nothing_fails,
) -> runs.Run:
    """Tell the run's story now; steps that were committed before are not done again."""
    run = Run(store.run(run_id), store, _kept_by_the_store_alone, failpoint)
    return tell(run, store, story, world_for)


def _kept_by_the_store_alone(_run: str, _name: str, body: Callable[[], Result]) -> Result:
    return body()
