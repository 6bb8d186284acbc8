"""Who is told of what elsewhere, and what became of each telling; no address is among it."""

from __future__ import annotations

from typing import Any

from tieout.app import Instance
from tieout.doors import secret_name
from tieout.verbs import acting, notifying
from tieout.verbs.notifying import SECRET


def notices(instance: Instance) -> dict[str, Any]:
    """`configured`: each notice and heartbeat with its events; `sent`: each telling, as a row."""
    acting.require(instance, "view")
    configured: list[dict[str, Any]] = []
    if instance.store.config() is not None:
        project = instance.applied()
        sealed = {note.name for note in instance.store.safe.listed()}
        for name, notice in project.notices.items():
            told = {"name": name, "kind": "notice", "on": list(notice.on), "waits": notice.waits}
            configured.append(told | _address(notice.to, sealed) | {"flows": list(notice.flows)})
        for name, schedule in project.schedules.items():
            if schedule.heartbeat and name not in project.notices:
                told = {"name": name, "kind": "heartbeat", "on": ["each begin and end"]}
                told |= {"waits": "", "flows": list(schedule.run)}
                configured.append(told | _address(schedule.heartbeat, sealed))
    return {"configured": configured, "sent": _sent(instance)}


def _address(to: str, sealed: set[str]) -> dict[str, Any]:
    """Whether an address is sealed, and whether it is there."""
    secret = to.startswith(SECRET)
    return {"is_sealed": secret, "is_set": not secret or secret_name(to) in sealed}


def _sent(instance: Instance) -> list[dict[str, Any]]:
    found = notifying.overview(instance)["notices"]
    return [
        {**one, "key": n, "at": one["made_at"], "words": one["trouble"]}
        for n, one in enumerate(found)
    ]
