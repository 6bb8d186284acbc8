"""Further tenants of the practice Anaplan, each with users, workspaces and small models."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tieout.sim.anaplan import build
from tieout.sim.anaplan.state import State

MODELS_MAX = 10_000
LIST, IMPORT = "Cost Centers", "Load Cost Centers"


def add_tenants(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """Make `count` tenants with `models` models each; who may sign in to them, and their names.

    A user belongs to the tenant that the address names (A012) and sees its workspaces alone
    (A097). A model has one list and the import that loads it, nothing else.
    """
    count, models = int(body.get("count", 1)), int(body.get("models", 1))
    if count < 1 or models < 1 or count * models > MODELS_MAX:
        raise ValueError(f"1 to {MODELS_MAX} models can be made at once")
    known = len(state.rows("select 1 from workspaces where data like '%\"tenant\"%'"))
    return {"tenants": [_tenant(state, known + n + 1, models) for n in range(count)]}


def tenant_of_user(state: State, user: str) -> str:
    """What follows the @ of the address (A012)."""
    row = state.row("select email from users where id = ?", user)
    return str(row[0]).partition("@")[2] if row else ""


def workspaces_of(state: State, user: str) -> set[str]:
    """The ids of the workspaces that a user sees: those of the same tenant (A097).

    Users of a tenant that has none of its own share those that name no tenant.
    """
    rows = state.rows("select id, data from workspaces")
    owners = {id_: json.loads(data).get("tenant", "") for id_, data in rows}
    mine = tenant_of_user(state, user)
    wanted = mine if mine in owners.values() else ""
    return {id_ for id_, owner in owners.items() if owner == wanted}


def _tenant(state: State, number: int, models: int) -> dict[str, Any]:
    name = f"tenant{number:04d}"
    domain, password = f"{name}.example.com", secrets.token_urlsafe(12)
    email = f"tieout@{domain}"
    build.add_user(state, email, password, first="Tieout", last=name)
    workspace = build.add_workspace(state, f"Finance {name}", tenant=domain)
    made = [_model(state, workspace, f"Plan {n + 1}") for n in range(models)]
    return {
        "tenant": domain, "username": email, "password": password,
        "workspace": f"Finance {name}", "models": made,
    }  # fmt: skip


def _model(state: State, workspace: str, name: str) -> str:
    model = build.add_model(state, workspace, name)
    target = build.add_list(state, model, LIST, top=f"All {LIST}")
    source = build.add_file(state, model, f"{LIST}.csv")
    head = {"Code": "code", "Name": "name"}
    build.add_list_import(state, model, IMPORT, source, target, head, unique_names="suffix")
    return name
