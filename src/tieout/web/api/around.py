"""What each operation does that is about mappings, schedules, connections and evidence packs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tieout.core.policy import Thing
from tieout.verbs import (
    connection_overview,
    packs,
    pinging,
    schedule_overview,
    scheduling,
    setting_up,
)
from tieout.web.api import values_around
from tieout.web.api.commands import page_of_call, value_of
from tieout.web.api.operation import Call

# ---------------------------------------------------------------------------- mappings


def mappings(call: Call) -> Any:
    """What codes of the ledger stand for now."""
    query: values_around.OfDimension = call.query
    found = [
        m | {"key": f"{m['dimension']} {m['source']} {m['effective_from']}"}
        for m in setting_up.mappings(call.instance)
        if query.dimension in ("", m["dimension"])
    ]
    return page_of_call(call, found, "key", "key", values_around.Mapping)


def set_mapping(call: Call) -> Any:
    """A code stands for a member of Anaplan from now on, or for itself again."""
    body: values_around.SetMapping = call.body
    version = setting_up.set_mapping(
        call.instance, body.dimension, body.source, body.target, body.why, body.since
    )
    return values_around.MappingsSet(version)


# ---------------------------------------------------------------------------- schedules


def schedules(call: Call) -> Any:
    """Every schedule: its next times, who paused it, its last times, what is amiss."""
    found = schedule_overview.overview(call.instance)["schedules"]
    return page_of_call(call, found, "schedule", "schedule", values_around.Schedule)


def schedule_named(call: Call) -> Thing:
    """The schedule that the path names."""
    name = call.part("schedule")
    schedule_overview.known(call.instance, name)
    return Thing(f"Schedule {name}")


def schedule(call: Call) -> Any:
    """One schedule."""
    return _one(schedule_overview.overview(call.instance, call.part("schedule")))


def _one(found: Mapping[str, Any]) -> Any:
    return value_of(found["schedules"][0], values_around.Schedule)


def run_schedule(call: Call) -> Any:
    """The flows of a schedule run now, beside its times; they are not waited for."""
    done = scheduling.run(call.instance, call.part("schedule"), call.body.why)
    return value_of(done, values_around.Ran)


def skip_schedule(call: Call) -> Any:
    """The next time of a schedule is left out, once."""
    return _one(scheduling.skip(call.instance, call.part("schedule"), call.body.why))


def pause_schedule(call: Call) -> Any:
    """Every time of a schedule is left out until a day or a minute."""
    body: values_around.Pause = call.body
    return _one(scheduling.pause(call.instance, call.part("schedule"), body.until, body.why))


def resume_schedule(call: Call) -> Any:
    """A pause ends, and a skip that has not come yet."""
    return _one(scheduling.resume(call.instance, call.part("schedule"), call.body.why))


# ---------------------------------------------------------------------------- connections


def connections(call: Call) -> Any:
    """The connections of the configuration that holds."""
    found = connection_overview.connections(call.instance)
    return page_of_call(call, found, "connection", "connection", values_around.Connection)


def connection_named(call: Call) -> Thing:
    """The connection that the path names."""
    found = connection_overview.connection(call.instance, call.part("connection"))
    return Thing(f"Connection {found['connection']}")


def connection(call: Call) -> Any:
    """One connection."""
    found = connection_overview.connection(call.instance, call.part("connection"))
    return value_of(found, values_around.Connection)


def test_connection(call: Call) -> Any:
    """The ladder of a connection is climbed now; what does not hold is in the answer."""
    found = pinging.ping(call.instance, call.part("connection"))
    return value_of(found["connections"][0], values_around.Ladder)


# ---------------------------------------------------------------------------- evidence packs


def evidence_packs(call: Call) -> Any:
    """The evidence packs that lie in the home, newest first."""
    found = packs.listed(call.instance)
    return page_of_call(call, found, "made_at", "name", values_around.Pack, descending=True)


def make_pack(call: Call) -> Any:
    """The evidence of a period is put together, and lies in the home from then on."""
    body: values_around.MakePack = call.body
    made = packs.make(call.instance, body.period, body.flow or None)["name"]
    found = next(pack for pack in packs.listed(call.instance) if pack["name"] == made)
    return value_of(found, values_around.Pack)


def pack_named(call: Call) -> Thing:
    """The evidence pack that the path names."""
    return Thing(packs.file(call.instance, call.part("pack")).name)


def pack_file(call: Call) -> Path:
    """One evidence pack, as the file that it is."""
    return packs.file(call.instance, call.part("pack"))
