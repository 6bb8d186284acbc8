"""Carry a command out once under the key of its caller, whoever asks how often."""

from __future__ import annotations

from collections.abc import Callable

from tieout.app import Instance
from tieout.errors import Trouble, Uncertain
from tieout.store import commands
from tieout.store.commands import Command, Kept


def once(instance: Instance, command: Command, carry_out: Callable[[], Kept]) -> tuple[Kept, bool]:
    """The answer, and whether it was given before.

    What is refused changes nothing, so its key is free again; when nobody knows whether it did,
    the key stays taken.
    """
    at = instance.clock.now()
    with instance.store.begin() as connection:
        before = commands.begin(connection, command, at)
    if before is not None:
        return before, True
    try:
        kept = carry_out()
    except Uncertain:
        raise
    except Trouble:
        with instance.store.begin() as connection:
            commands.forget(connection, command)
        raise
    with instance.store.begin() as connection:
        commands.answered(connection, command, kept)
    return kept, False
