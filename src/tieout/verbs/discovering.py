"""What both systems hold that a flow may name, kept with its age, and what of it has drifted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from tieout.anaplan.catalogue import everything
from tieout.anaplan.client import Anaplan
from tieout.app import PROJECT_FILE, Instance
from tieout.core.drift import Thing
from tieout.core.findings import Severity
from tieout.errors import Misconfigured, Trouble
from tieout.flows.bindings import IMPORT, PROCESS, Systems, look, names_of, thing_of
from tieout.jde.orchestrator import Orchestrator
from tieout.project import AnaplanConnection, JdeConnection, Project
from tieout.project_text import read_file, with_texts, write_file
from tieout.store import bindings, catalogue
from tieout.store.catalogue import Catalogued, Seen
from tieout.verbs import acting

LOOK: Final = "test connections"  # the right that a look at the other systems takes
DRIFTED_EXIT_CODE = 3  # a flow names what is not there, or no longer fits
Users = Mapping[tuple[str, str], Sequence[str]]  # kind and name → the flows that name it


def discover(instance: Instance, name: str = "", *, refresh: bool = False) -> dict[str, Any]:
    """What each connection shows, as it was last seen; looked at anew where it never was.

    `refresh` looks at all of them anew. What cannot be reached is shown as it was last seen, with
    the trouble, or as nothing where it never was.
    """
    acting.require(instance, LOOK if refresh else "view")
    project = instance.project()
    told = [_one(instance, project, each, refresh=refresh) for each in _names(project, name)]
    codes = [one["exit_code"] for one in told if one["exit_code"]]
    return {"ok": not codes, "exit_code": codes[0] if codes else 0, "connections": told}


def drift(instance: Instance, flow: str = "") -> dict[str, Any]:
    """What the flows name, compared with what they last used, now; nothing is run or recorded."""
    acting.require(instance, LOOK)
    project = instance.project()
    if flow and flow not in project.flows:
        known = ", ".join(project.flows) or "none"
        raise Misconfigured(f"There is no flow {flow!r}; there are: {known}.")
    found: list[dict[str, Any]] = []
    with ExitStack() as open_things:
        clients = _Clients(instance, project, open_things)
        for name in [flow] if flow else list(project.flows):
            found += _drift_of(instance, project, name, clients)
    stops = any(one["severity"] == Severity.REJECT for one in found)
    return {
        "ok": not stops, "exit_code": DRIFTED_EXIT_CODE if stops else 0, "at": instance.clock.now(),
        "flows": [flow] if flow else list(project.flows), "drift": found,
    }  # fmt: skip


def pin(instance: Instance, name: str) -> dict[str, Any]:
    """Write the ids of the workspace and the model that have the configured names into the file.

    The file then differs from what is applied, until it is applied. Misconfigured for a connection
    that is none of Anaplan's, Trouble when it does not answer.
    """
    acting.require(instance, "configure")
    project = instance.project()
    one = project.connections[_names(project, name)[0]] if name else None
    if not isinstance(one, AnaplanConnection):
        raise Misconfigured(
            "Only a connection to Anaplan is pinned.", untouched="Nothing was written.",
            do="Name it: `tieout discover planning --pin`.",
        )  # fmt: skip
    with ExitStack() as open_things:
        model = _Clients(instance, project, open_things).anaplan(name).resolve()
    ids = {"workspace_id": model.workspace_id, "model_id": model.id}
    path = instance.home / PROJECT_FILE
    before = read_file(path)
    after = with_texts(before, f"connections.{name}", ids, after="model")
    if after != before:
        write_file(path, after)
    return {"ok": True, "connection": name, "file": str(path), **ids, "wrote": after != before}


class _Clients:
    """One client of each connection, opened when it is first needed."""

    def __init__(self, instance: Instance, project: Project, open_things: ExitStack) -> None:
        self._instance, self._project, self._open = instance, project, open_things
        self._anaplan: dict[str, Anaplan] = {}
        self._jde: dict[str, Orchestrator] = {}

    def anaplan(self, name: str) -> Anaplan:
        """The Anaplan connection of that name."""
        if name not in self._anaplan:
            made = self._instance.anaplan_alone(self._project, name, self._open)
            self._anaplan[name] = made
        return self._anaplan[name]

    def jde(self, name: str) -> Orchestrator:
        """The orchestrations of the JD Edwards connection of that name."""
        if name not in self._jde:
            made = self._instance.jde_alone(self._project, name, self._open)
            self._jde[name] = Orchestrator(made.session)
        return self._jde[name]


def _drift_of(
    instance: Instance, project: Project, name: str, clients: _Clients
) -> Iterator[dict[str, Any]]:
    """The findings of one flow; a connection that does not answer is Trouble."""
    flow = project.flows[name]
    anaplan, jde = clients.anaplan(project.anaplan_name(flow)), project.jde_name(flow)
    with instance.store.database.read() as connection:
        bound = bindings.of_flow(connection, name, anaplan.resolve().id)
    systems = Systems(anaplan, lambda: clients.jde(jde))
    for finding in look(systems, flow, bound).findings:
        yield {
            "flow": name, "rule": finding.rule, "severity": finding.severity,
            "subject": finding.subject, "what": finding.what, "remedy": finding.remedy,
        }  # fmt: skip


# ------------------------------------------------------------------ the catalogue


def _names(project: Project, name: str) -> list[str]:
    if name and name not in project.connections:
        known = ", ".join(project.connections) or "none"
        raise Misconfigured(
            f"There is no connection {name!r}; there are: {known}.", untouched="Nothing was called."
        )
    return [name] if name else list(project.connections)


def _one(instance: Instance, project: Project, name: str, *, refresh: bool) -> dict[str, Any]:
    with instance.store.database.read() as connection:
        before = catalogue.last(connection, name)
    trouble, changes = None, list[str]()
    if refresh or before is None or before.place != _place(project, name):
        acting.require(instance, LOOK)
        try:
            changes = _look(instance, project, name)
        except Trouble as failed:
            trouble = failed
    return _as_seen(instance, project, name, trouble, changes)


def as_last_seen(instance: Instance, name: str) -> dict[str, Any]:
    """What one connection showed last, as `discover` tells it; no other system is asked."""
    acting.require(instance, "view")
    return _as_seen(instance, instance.applied(), name, None, [])


def _as_seen(
    instance: Instance, project: Project, name: str, trouble: Trouble | None, changes: list[str]
) -> dict[str, Any]:  # fmt: skip
    with instance.store.database.read() as connection:
        held = catalogue.last(connection, name)
        seen = catalogue.seen(connection, name)
    if held is not None and held.place != _place(project, name):
        held, seen = None, []  # of another model than the configured one
    age = instance.clock.now() - held.looked_at if held else None
    users = _users(project, name)
    return {
        "connection": name, "about": dict(held.about) if held else {},
        "looked_at": held.looked_at if held else None, "looked_by": held.looked_by if held else "",
        "age_seconds": int(age.total_seconds()) if age is not None else None,
        "trouble": trouble.sentence() if trouble else "", "changes": changes,
        "exit_code": trouble.exit_code if trouble else 0,
        "things": [_as_json(one, users) for one in seen],
    }  # fmt: skip


def _look(instance: Instance, project: Project, name: str) -> list[str]:
    """Look through one connection now, and keep what it shows; what changed since the last look."""
    by = acting.require(instance, LOOK)
    with ExitStack() as open_things:
        clients = _Clients(instance, project, open_things)
        if isinstance(project.connections[name], JdeConnection):
            things = [thing_of(found) for found in clients.jde(name).everything()]
            about = {"environment": str(getattr(project.connections[name], "environment", ""))}
        else:
            client = clients.anaplan(name)
            things = list(everything(client, {named for _, named in _users(project, name)}))
            model = client.resolve()
            about = {
                "workspace": model.workspace, "workspace_id": model.workspace_id,
                "model": model.name, "model_id": model.id,
            }  # fmt: skip
    at = instance.clock.now()
    made = Catalogued(name, _place(project, name), about, at, by.name)
    once = list({(t.kind, t.id): t for t in things}.values())
    return instance.store.database.transact(lambda c: catalogue.keep(c, made, once))


def _place(project: Project, name: str) -> str:
    """Where a connection leads; what was seen elsewhere says nothing about it."""
    one = project.connections[name]
    if isinstance(one, AnaplanConnection):
        return f"{one.api_url} {one.workspace} {one.model}"
    return f"{one.url} {one.environment}"


def _users(project: Project, name: str) -> Users:
    """Which flows name what through a connection."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for flow_name, flow in project.flows.items():
        for kind, named in names_of(flow):
            through = project.jde_name(flow) if kind == "orchestration" else None
            if (through or project.anaplan_name(flow)) == name:
                found[kind, named].append(flow_name)
    return found


def _as_json(one: Seen, users: Users) -> dict[str, Any]:
    thing = one.thing
    return asdict(thing) | {
        "told": dict(thing.told), "used_by": sorted(_used_by(thing, users)),
        "first_seen": one.first_seen, "changed_at": one.changed_at, "change": one.change,
    }  # fmt: skip


def _used_by(thing: Thing, users: Users) -> set[str]:
    kind = IMPORT if thing.kind == PROCESS else thing.kind
    names = {thing.id, thing.name, thing.name.rpartition(".")[2]}
    return {flow for name in names for flow in users.get((kind, name), ())}
