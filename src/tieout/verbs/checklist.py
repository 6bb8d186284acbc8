"""What is left to do before the first proved load: five steps, each done or not."""

from __future__ import annotations

from typing import Any

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.errors import Misconfigured
from tieout.project import AnaplanConnection, JdeConnection, LoadActuals, Project
from tieout.store import credentials, piles
from tieout.verbs import acting, seeing

UNMATCHED = "unmatched-member"
MINUTES = {"erp": 5, "planning": 5, "flows": 10, "map": 10, "prove": 5}


def checklist(instance: Instance) -> list[dict[str, Any]]:
    """Five steps: `title`, `done`, `told` how it stands, `do` next, `address`, `minutes`."""
    acting.require(instance, "view")
    try:
        project: Project | None = instance.project()
        trouble = ""
    except Misconfigured as error:
        project, trouble = None, error.sentence()
    with instance.store.database.read() as connection:
        sealed = {note.name for note in credentials.listed(connection)}
    return [
        _connect(project, sealed, JdeConnection, "erp", "Connect JD Edwards"),
        _connect(project, sealed, AnaplanConnection, "planning", "Connect Anaplan"),
        _flows(project, trouble),
        _map(instance, project),
        _prove(instance, project),
    ]


def _step(name: str, title: str, done: bool, told: str, do: str, address: str) -> dict[str, Any]:
    return {
        "name": name, "title": title, "done": done, "told": told, "do": do, "address": address,
        "minutes": MINUTES[name],
    }  # fmt: skip


def _connect(
    project: Project | None, sealed: set[str], kind: type, name: str, title: str
) -> dict[str, Any]:
    connections = project.connections if project else {}
    mine = {n: c for n, c in connections.items() if isinstance(c, kind)}
    lacking = [n for n, c in mine.items() if c.secret.removeprefix("secret://") not in sealed]
    do = f"tieout connect {lacking[0] if lacking else name}"
    if not mine:
        return _step(name, title, False, "No connection is configured.", "tieout init",
                     "/connections")  # fmt: skip
    if lacking:
        told = f"{', '.join(lacking)}: no credentials are sealed yet."
        return _step(name, title, False, told, do, "/connections")
    told = f"{', '.join(mine)}: the credentials are sealed."
    return _step(name, title, True, told, f"tieout ping {next(iter(mine))}", "/connections")


def _flows(project: Project | None, trouble: str) -> dict[str, Any]:
    flows = project.flows if project else {}
    told = f"{counted(len(flows), 'flow')}: {', '.join(flows)}." if flows else "No flow yet."
    return _step("flows", "Pick what to load", bool(flows), trouble or told,
                 "tieout config apply --why …", "/flows")  # fmt: skip


def _map(instance: Instance, project: Project | None) -> dict[str, Any]:
    names = list(project.flows) if project else []
    with instance.store.database.read() as connection:
        unmatched = sum(piles.count(connection, n, rule=UNMATCHED) for n in names)
    ran = any(seeing.last_run(instance, n) for n in names)
    if unmatched:
        told = f"{counted(unmatched, 'code')} of the ledger without a member in Anaplan."
    else:
        told = "Every code that was met has its member." if ran else "Nothing was read yet."
    return _step("map", "Map", ran and not unmatched, told, "tieout map", "/mappings")


def _prove(instance: Instance, project: Project | None) -> dict[str, Any]:
    flows = project.flows if project else {}
    names = [n for n, f in flows.items() if isinstance(f, LoadActuals)]
    tied = [n for n in names if seeing.tie_out_table(instance, n)]
    good = [n for n in tied if seeing.tied(instance, n)["ok"]]
    told = "Nothing has been compared yet."
    if tied:
        told = f"{', '.join(tied)}: compared" + (", and it ties." if good == tied else ".")
    do = f"tieout run {names[0]}" if names else "tieout run FLOW"
    return _step("prove", "Prove it", bool(names) and good == names, told, do, "/tie-outs")
