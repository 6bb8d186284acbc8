"""The same story in the calling thread, without the engine library: for a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tieout.engine.story import Failpoint, Result, Run, Story, WorldFor, nothing_fails, tell
from tieout.store import runs
from tieout.store.store import Store


def tell_here(
    store: Store,
    run_id: str,
    story: Story,
    world_for: WorldFor,
    failpoint: Failpoint = nothing_fails,
    part_story: Story | None = None,
) -> runs.Run:
    """Tell the run's story now; steps that were committed before are not done again.

    Its parts are told by `part_story`, one after the other; without it, by others.
    """

    def told_here(run: runs.Run) -> Run:
        return Run(run, store, _kept_by_the_store_alone, failpoint, tell_parts=tell_parts)

    def tell_parts(parts: Sequence[runs.Run]) -> None:
        if part_story is not None:
            for part in parts:
                tell(told_here(part), store, part_story, world_for)

    return tell(told_here(store.run(run_id)), store, story, world_for)


def _kept_by_the_store_alone(_run: str, _name: str, body: Callable[[], Result]) -> Result:
    return body()
