"""The control verb `event`: what happens at JD Edwards between two runs (jde-gl §3.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tieout.sim.company import changes, entries, mishaps
from tieout.sim.company.make import NOTES
from tieout.sim.company.scene import Body, Scene

EVENTS: dict[str, Callable[[Scene, Body], dict[str, Any]]] = {
    "late_post": entries.late_post,
    "backdated": entries.backdated,
    "net_to_zero": entries.net_to_zero,
    "post_batch": entries.post_batch,
    "unposted": entries.unposted,
    "delete_unposted": entries.delete_unposted,
    "add_account": entries.add_account,
    "move_period": changes.move_period,
    "recode": changes.recode,
    "void_reenter": changes.void_reenter,
    "edit_text": changes.edit_text,
    "edit_amount": changes.edit_amount,
    "offset": changes.offset,
    "died_post": mishaps.died_post,
    "convert": mishaps.convert,
    "wrong_period": mishaps.wrong_period,
    "in_use": mishaps.in_use,
    "purge": mishaps.purge,
    "change_period": mishaps.change_period,
    "hide_unit": mishaps.hide_unit,
    "show_unit": mishaps.show_unit,
}


def notes(scene: Scene, body: Body) -> dict[str, Any]:
    """Where the odd cases of the demo company are, as it was made; nothing happens."""
    return {"notes": json.loads(scene.ledger.recall(NOTES) or "{}"), "touched": []}


EVENTS["notes"] = notes


class Events:
    """Lets events happen on the living ledger.

    Each answers company, account (short id), code, period and amount of the first bucket it
    touched, and all of them under `touched`.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def __call__(self, body: Body) -> dict[str, Any]:
        """Let the event `name` happen; ValueError names the events there are."""
        name = body["name"]
        if name not in EVENTS:
            raise ValueError(f"no event {name!r}; one of {', '.join(sorted(EVENTS))}")
        with self.scene.ledger.transaction():
            return {"event": name, **EVENTS[name](self.scene, body)}
