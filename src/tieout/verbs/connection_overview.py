"""The connections of an instance: where each leads, what it signs in with, and what uses it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tieout.app import Instance
from tieout.doors import secret_name
from tieout.errors import KeyTrouble, Misconfigured
from tieout.project import AnaplanConnection, JdeConnection, Project
from tieout.store import catalogue
from tieout.verbs import acting, discovering
from tieout.verbs.setting_up import needed_fields, optional_fields

# Settings that a page shows, by their words.
OF_JDE = {
    "environment": "Environment", "role": "Role", "sign_in": "Sign-in", "device": "Device",
    "readers": "Sessions reading at once", "page_rows": "Rows of a page",
    "request_timeout": "Time-out of a request", "stage": "Stage", "ca_file": "Own CA file",
}  # fmt: skip
OF_ANAPLAN = {
    "workspace": "Workspace", "model": "Model", "sign_in": "Sign-in", "tenant": "Tenant",
    "auth_url": "Sign-in at", "poll": "Looks at a task every", "task_timeout": "Task time-out",
    "request_timeout": "Time-out of a request", "stage": "Stage", "workspace_id": "Workspace id",
    "model_id": "Model id", "ca_file": "Own CA file",
}  # fmt: skip


def connections(instance: Instance) -> list[dict[str, Any]]:
    """Every connection of the applied configuration; no secret is among what is told."""
    acting.require(instance, "view")
    if instance.store.config() is None:
        return []
    project = instance.applied()
    return [_told(instance, project, name) for name in project.connections]


def connection(instance: Instance, name: str) -> dict[str, Any]:
    """One connection; Misconfigured lists those there are."""
    acting.require(instance, "view")
    project = instance.applied()
    _refuse_unknown(project, name)
    return _told(instance, project, name)


def stages(instance: Instance) -> list[str]:
    """The stages that its connections are of, such as PROD: what any page may name to anybody."""
    if instance.store.config() is None:
        return []
    found = (one.stage for one in instance.applied().connections.values())
    return sorted({str(stage) for stage in found if stage})


def flows_of(instance: Instance, name: str) -> list[str]:
    """The flows that read or write through a connection."""
    acting.require(instance, "view")
    return _flows(instance.applied(), name)


def seen(instance: Instance, name: str) -> dict[str, Any] | None:
    """What a connection showed when it was looked through last; None when it never was.

    Asks no other system, as `discovering.discover` does for what it never saw.
    """
    acting.require(instance, "view")
    _refuse_unknown(instance.applied(), name)
    with instance.store.database.read() as connection:
        known = catalogue.last(connection, name)
    if known is None:
        return None
    return discovering.as_last_seen(instance, name)


def _refuse_unknown(project: Project, name: str) -> None:
    if name not in project.connections:
        known = ", ".join(project.connections) or "none"
        raise Misconfigured(f"There is no connection {name!r}; there are: {known}.")


def _flows(project: Project, name: str) -> list[str]:
    return [
        flow for flow, configured in project.flows.items()
        if name in (project.jde_name(configured), project.anaplan_name(configured))
    ]  # fmt: skip


def _told(instance: Instance, project: Project, name: str) -> dict[str, Any]:
    one = project.connections[name]
    jde = isinstance(one, JdeConnection)
    url = one.url if isinstance(one, JdeConnection) else one.api_url
    words = OF_JDE if jde else OF_ANAPLAN
    facts = {word: getattr(one, field) for field, word in words.items() if getattr(one, field)}
    note = next(
        (n for n in instance.store.safe.listed() if n.name == secret_name(one.secret)), None
    )
    return {
        "connection": name, "system": "JD Edwards" if jde else "Anaplan", "url": url,
        "host": urlsplit(url).netloc, "place": _place(one), "sign_in": one.sign_in,
        "facts": list(facts.items()), "flows": _flows(project, name),
        "needed": list(needed_fields(one)), "optional": list(optional_fields(one)),
        "set_at": note.set_at if note else None, "set_by": note.set_by if note else "",
        "ends_at": note.ends_at if note else None,
        "lacks": _lacks(instance, note is not None), "allow_http": one.allow_http,
    }  # fmt: skip


def _place(one: JdeConnection | AnaplanConnection) -> str:
    if isinstance(one, JdeConnection):
        return one.environment
    return f"{one.workspace}, {one.model}"


def _lacks(instance: Instance, sealed: bool) -> str:
    """Why it could not sign in, as the end of a sentence; "" when it has what it needs."""
    if not sealed:
        return "has no credentials yet"
    try:
        instance.store.safe.check()
    except KeyTrouble:
        return "has credentials that cannot be opened: the key is not the one that sealed them"
    return ""
