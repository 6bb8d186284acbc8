"""Connections: where each leads, the test rung by rung, its credentials, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.findings import counted
from tieout.core.listing import Column, Wanted, page_of
from tieout.core.policy import Thing
from tieout.errors import Misconfigured, Trouble
from tieout.verbs import connection_overview, discovering, pinging, setting_up
from tieout.web.asking import Asking, Field, act, ask, told
from tieout.web.table import List
from tieout.web.view import View

SIGNS = {
    "good": ("circle-check", "good", "Holds"), "notice": ("alert-triangle", "wait", "Worth a look"),
    "trouble": ("circle-x", "bad", "Does not hold"), "not reached": ("ban", "quiet", "Not reached"),
}  # fmt: skip
THINGS = (
    Column("name", "Name", sort=True, find="contains"),
    Column("kind", "Kind", sort=True, find="equals"),
    Column("id", "Id", kind="code", sort=True, find="contains"),
    Column("uses", "Used by", kind="words", sort=True, find="contains"),
    Column("change", "Changed"),
    Column("first_seen", "First seen", kind="moment", sort=True),
    Column("changed_at", "Changed at", kind="moment", sort=True),
    Column("inside", "Columns or inputs", kind="long"),
)
USED_FIRST = Wanted("uses", descending=True)


def connections(view: View) -> Response:
    """Every connection with where it leads and whether it can sign in."""
    found = connection_overview.connections(view.instance)
    lacking = [one["connection"] for one in found if one["lacks"]]
    return view.page(
        "connections.html", section="connections", title="Connections", connections=found,
        lacking=lacking, command=("tieout ping",),
    )  # fmt: skip


def loaded(view: View) -> Thing:
    """The connection that the path names."""
    name = connection_overview.connection(view.instance, view.path("connection"))["connection"]
    return Thing(f"Connection {name}")


def connection(view: View) -> Response:
    """One connection: its settings, its credentials without their values, what uses it."""
    return _connection(view)


def _connection(view: View, ladder: Mapping[str, Any] | None = None) -> Response:
    found = connection_overview.connection(view.instance, view.path("connection"))
    name = found["connection"]
    return view.page(
        "connection.html", section="connections", title=name, connection=found, ladder=ladder,
        signs=SIGNS, verdict=_verdict(found, ladder), tone=_tone(found, ladder),
        command=(f"tieout ping {name}", f"tieout connect {name}", f"tieout discover {name}"),
        evidence=(("Connection", name), ("Address", found["url"])),
    )  # fmt: skip


def _verdict(found: Mapping[str, Any], ladder: Mapping[str, Any] | None) -> str:
    name = found["connection"]
    if ladder is None:
        return (
            f"{name} {found['lacks']}."
            if found["lacks"]
            else f"{name} has what it takes to sign in. A test says whether it holds."
        )
    fallen = next((r for r in ladder["rungs"] if r["state"] == "trouble"), None)
    if fallen is None:
        return f"{name} holds: all {len(ladder['rungs'])} rungs."
    return f"{name} does not hold at “{fallen['rung']}”: {fallen['what']}"


def _tone(found: Mapping[str, Any], ladder: Mapping[str, Any] | None) -> str:
    if ladder is None:
        return "attention" if found["lacks"] else "quiet"
    return "good" if ladder["ok"] else "bad"


def test(view: View) -> Response:
    """Climb the ladder now; nothing is changed there."""
    (ladder,) = pinging.ping(view.instance, view.path("connection"))["connections"]
    return _connection(view, ladder)


def test_all(view: View) -> Response:
    """Climb every ladder now."""
    found = pinging.ping(view.instance)["connections"]
    fallen = [one["connection"] for one in found if not one["ok"]]
    verdict = f"All {len(found)} connections hold."
    if fallen:
        verdict = (
            f"Of {counted(len(found), 'connection')} not every one holds: {', '.join(fallen)}."
        )
    return view.page(
        "ladders.html", section="connections", title="All connections", ladders=found,
        verdict=verdict, tone="bad" if fallen else "good", signs=SIGNS, command=("tieout ping",),
    )  # fmt: skip


# ---------------------------------------------------------------------------- credentials


def _secrets(view: View) -> Asking:
    found = connection_overview.connection(view.instance, view.path("connection"))
    name = found["connection"]
    fields = [
        Field(
            field, field.replace("_", " ").capitalize(),
            "text" if field == setting_up.PUBLIC_FIELD
            else "pem" if field in setting_up.IN_FILES else "password",
            missing="" if field in found["optional"] else f"Write the {field.replace('_', ' ')}.",
            hint="May stay empty." if field in found["optional"] else "",
        )
        for field in (*found["needed"], *found["optional"])
    ]  # fmt: skip
    effect = [
        "What is written here is sealed at once and never shown again, to anybody.",
        f"It is sent to {found['url']} alone, at the next sign-in.",
    ]
    if found["set_at"]:
        effect.append(f"It replaces what {found['set_by']} has set.")
    return Asking(
        "connections", f"Credentials of {name}", "Seal them", f"/connections/{name}",
        effect=effect, fields=fields, command=(f"tieout connect {name}",),
    )  # fmt: skip


def ask_secrets(view: View) -> Response:
    """The form of the credentials; it never shows what there is."""
    return ask(view, _secrets(view))


def keep_secrets(view: View) -> Response:
    """Seal credentials."""
    name = view.path("connection")
    asking = _secrets(view)
    fields = {f.name: view.field(f.name) for f in asking.fields if view.field(f.name)}

    def carry_out() -> str:
        setting_up.connect(view.instance, name, fields)
        return f"/connections/{name}"

    return act(view, asking, carry_out)


# ---------------------------------------------------------------------------- catalogue


def catalogue(view: View) -> Response:
    """What a connection showed when it was looked through last, with its age and what drifted."""
    return _catalogue(view, connection_overview.seen(view.instance, view.path("connection")))


def _catalogue(
    view: View, found: Mapping[str, Any] | None, drift: Sequence[Mapping[str, Any]] | None = None,
    trouble: Trouble | None = None,
) -> Response:  # fmt: skip
    name = view.path("connection")
    rows = [row | _told(row) for row in (found or {}).get("things", [])]
    listed = List(
        f"{name}-catalogue", "What it shows, what is used first", "things", THINGS, USED_FIRST,
        lambda wanted: page_of(rows, THINGS, wanted, "key"),
    )  # fmt: skip
    if trouble is None and drift is None and (file := listed.file(view)):
        return file
    return view.page(
        "catalogue.html", section="connections", title=f"Catalogue of {name}", found=found,
        name=name, shown=listed.shown(view), drift=drift,
        trouble=told(trouble) if trouble else (found or {}).get("trouble", ""),
        command=(f"tieout discover {name}", "tieout discover --drift"),
    )  # fmt: skip


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    inside = [
        f"{facet}: {', '.join(map(str, value))}" if isinstance(value, dict | list)
        else f"{facet}: {value}"
        for facet, value in row["told"].items() if value
    ]  # fmt: skip
    return {
        "uses": ", ".join(row["used_by"]),
        "key": f"{row['kind']} {row['id']}",
        "inside": "; ".join(inside),
    }


def look(view: View) -> Response:
    """Look through a connection anew."""
    name = view.path("connection")
    (found,) = discovering.discover(view.instance, name, refresh=True)["connections"]
    if found["trouble"]:
        return _catalogue(view, found)
    return RedirectResponse(f"/connections/{name}/catalogue", 303)


def drift(view: View) -> Response:
    """Compare what the flows name with what they used last, now; nothing is run."""
    name = view.path("connection")
    try:
        found = [
            one for flow in connection_overview.flows_of(view.instance, name)
            for one in discovering.drift(view.instance, flow)["drift"]
        ]  # fmt: skip
    except Misconfigured:
        raise
    except Trouble as trouble:
        seen = connection_overview.seen(view.instance, name)
        return _catalogue(view, seen, trouble=trouble)
    return _catalogue(view, connection_overview.seen(view.instance, name), found)
