"""`tieout ping`: climbs the ladder of each connection, and says what does not hold and who can act.

It signs in as the runs do, takes a seat like them, reads a row here and there, and signs out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from tieout.anaplan.ladder import AnaplanLadder, Loading
from tieout.anaplan.ladder import Wanted as WantedOfAnaplan
from tieout.app import Instance
from tieout.errors import Misconfigured
from tieout.jde.ladder import JdeLadder, Writing
from tieout.jde.ladder import Wanted as WantedOfJde
from tieout.ladder import (
    ACT,
    DOOR,
    LET_IN,
    LIMITS,
    LOCK,
    NAME,
    PLACE,
    READ,
    RUNGS,
    WHO,
    Climbed,
    Rung,
    climb,
)
from tieout.project import AnaplanConnection, JdeConnection, LoadActuals, Project, SubmitPlan
from tieout.project_words import seconds
from tieout.verbs import acting
from tieout.way import Way

RIGHT: Final = "test connections"
Ladder = JdeLadder | AnaplanLadder
Ways = Sequence[Way]


def ping(instance: Instance, name: str = "") -> dict[str, Any]:
    """Every connection of the applied configuration, or one: its rungs, and the first exit code.

    Only the addresses that were applied are called. Misconfigured without such a connection,
    NotAllowed for who may not test connections.
    """
    acting.require(instance, RIGHT)
    project = instance.project()
    if name and name not in project.connections:
        known = ", ".join(project.connections) or "none"
        raise Misconfigured(
            f"There is no connection {name}; there are: {known}.", untouched="Nothing was called."
        )
    names = [name] if name else list(project.connections)
    found = [_one(instance.looking_once(), project, each) for each in names]
    codes = [one["exit_code"] for one in found if one["exit_code"]]
    return {"ok": not codes, "exit_code": codes[0] if codes else 0, "connections": found}


def _one(instance: Instance, project: Project, name: str) -> dict[str, Any]:
    connection, clock = project.connections[name], instance.clock
    with ExitStack() as open_things:
        if isinstance(connection, JdeConnection):
            system, url = "JD Edwards", connection.url
            ways = [_way(instance, project, connection, url, "the AIS server")]
            rungs = _rungs(ways, _jde(instance, project, name, ways[0], open_things))
        else:
            system, url = "Anaplan", connection.api_url
            every = [url, connection.auth_url]
            every += [connection.oauth_url] if connection.sign_in == "oauth" else []
            found_ways = (_way(instance, project, connection, each, "Anaplan") for each in every)
            ways = list({way.origin: way for way in found_ways}.values())
            rungs = _rungs(ways, _anaplan(instance, project, name, open_things))
        found = climb(rungs, clock.monotonic)
    fallen = next((r for r in found if r.state == "trouble"), None)
    head = {
        "connection": name, "system": system, "url": url, "at": clock.now(),
        "from": ways[0].from_address,
    }  # fmt: skip
    told = [asdict(rung) | {"letter": letter(head, rung)} for rung in found]
    return head | {
        "ok": fallen is None,
        "exit_code": fallen.exit_code if fallen else 0,
        "rungs": told,
    }


def _rungs(ways: Ways, ladder: Ladder) -> Mapping[str, Climbed]:
    return {
        NAME: lambda: [told for way in ways for told in way.name()],
        DOOR: lambda: [told for way in ways for told in way.door()],
        LOCK: lambda: [told for way in ways for told in way.lock()],
        WHO: ladder.who_is_it, LET_IN: ladder.let_in, PLACE: ladder.right_place,
        READ: ladder.may_read, ACT: ladder.may_act, LIMITS: ladder.limits,
    }  # fmt: skip


def _way(
    instance: Instance, project: Project, connection: JdeConnection | AnaplanConnection, url: str,
    system: str,
) -> Way:  # fmt: skip
    return Way(
        url, system, instance.clock.now, ca_file=connection.ca_file,
        allow_http=connection.allow_http, allowed=instance.doors.allowed(project),
        seconds=seconds(connection.request_timeout),
        means=instance.doors.means(project, connection),
    )  # fmt: skip


def _jde(
    instance: Instance, project: Project, name: str, way: Way, open_things: ExitStack
) -> JdeLadder:
    connection = project.connections[name]
    assert isinstance(connection, JdeConnection), "the caller has looked"
    flows = project.flows.items()
    companies = [c for _, f in flows if isinstance(f, LoadActuals) and f.from_ == name
                 for c in f.companies]  # fmt: skip
    plans = [(n, f) for n, f in flows if isinstance(f, SubmitPlan) and f.to == name]
    companies += [c for _, f in plans for c in project.companies_of(f)]
    writing = [
        Writing(n, f.orchestration, f.inputs, f.lines, f.line_inputs, f.reserve) for n, f in plans
    ]
    return JdeLadder(
        connection, WantedOfJde(tuple(dict.fromkeys(companies)), writing),
        lambda: instance.jde_alone(project, name, open_things), instance.clock.now,
        lambda: f"Tieout came from {way.from_address} to the AIS server {way.host} "
        f"({way.to_address}, port {way.port}).",
    )  # fmt: skip


def _anaplan(
    instance: Instance, project: Project, name: str, open_things: ExitStack
) -> AnaplanLadder:
    connection = project.connections[name]
    assert isinstance(connection, AnaplanConnection), "the caller has looked"
    lists, views, exports, loading = [], [], [], []
    for flow_name, flow in project.flows.items():
        if project.anaplan_name(flow) != name:
            continue
        if isinstance(flow, SubmitPlan):
            named = {flow.export: flow.columns}
            if flow.control_export:
                named[flow.control_export] = flow.control_columns
            loading.append(Loading(flow_name, exports=named))
            continue
        back = flow.read_back
        lists += [back.list] if back.list else []
        views += [back.view] if back.view else []
        exports += [back.export] if back.export else []
        loading.append(Loading(flow_name, flow.import_, list(flow.columns)))
    wanted = WantedOfAnaplan(lists, views, exports, loading)
    return AnaplanLadder(
        connection,
        wanted,
        lambda: instance.anaplan_alone(project, name, open_things),
        instance.clock.now,
    )


def letter(head: Mapping[str, Any], rung: Rung) -> str:
    """A text to be sent to who can do it; "" where nothing is to be done."""
    if not rung.code:
        return ""
    below = ", ".join(RUNGS[: RUNGS.index(rung.rung)])
    lines = [
        f"To: {rung.who or 'the administrator of Tieout'}",
        f"Subject: Tieout and {head['system']} ({head['connection']}): {rung.code}",
        "",
        f"Tieout calls {head['system']} at {head['url']}"
        + (f" from {head['from']}." if head["from"] else "."),
        f"At {head['at']:%Y-%m-%d %H:%M} UTC a test of this connection found:",
        "",
        f"  {rung.what}",
        "",
        *([f"What would help: {rung.do}"] if rung.do else []),
        *([f"The other system said: {rung.evidence}"] if rung.evidence else []),
        *([f"What held before it: {below}."] if below else []),
        "Nothing was changed by the test.",
    ]
    return "\n".join(lines)
