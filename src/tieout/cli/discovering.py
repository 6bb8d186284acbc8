"""`tieout discover`: what both systems hold, and what drifted of what the flows name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import paragraph, table
from tieout.core.findings import counted
from tieout.verbs.words import moment

ROWS_SHOWN_MAX = 60  # of one connection; `--json`, --kind and --search have the rest
MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3_600, 86_400
KINDS = ("import", "export", "process", "file", "list", "view", "orchestration")
Told = Mapping[str, Any]


@cli.command()
@click.argument("name", default="")
@click.option("--refresh", is_flag=True, help="Look anew instead of showing the last look.")
@click.option("--drift", is_flag=True, help="Compare what the flows name with what they last used.")
@click.option("--pin", is_flag=True, help="Write the ids of the model of NAME into the file.")
@click.option("--kind", type=click.Choice(KINDS), help="Only things of one kind.")
@click.option("--search", default="", metavar="TEXT", help="Only names that contain this.")
@with_json
@needs
def discover(
    context: Context, name: str, refresh: bool, drift: bool, pin: bool, kind: str | None,
    search: str,
) -> None:  # fmt: skip
    """Show what every connection, or the one called NAME, holds that a flow may name.

    Imports, exports, processes, files, lists and views of Anaplan, orchestrations of JD Edwards,
    as they were last seen. With --drift NAME is a flow, the other systems are asked, and the exit
    code is 3 when a flow could not go on with what it names. --pin keeps a connection to the very
    model that has the name now: a copy of it has another id.
    """
    from tieout.verbs import discovering

    instance = context.opened(practice=True)
    if pin:
        pinned = discovering.pin(instance, name)
        context.show(pinned, lambda: _pinned(pinned))
        return
    if drift:
        found = discovering.drift(instance, name)
        context.show(found, lambda: _drift(found))
    else:
        found = discovering.discover(instance, name, refresh=refresh)
        context.show(found, lambda: _connections(found, kind, search.casefold()))
    sys.exit(found["exit_code"])


def _pinned(pinned: Told) -> None:
    ids = f"workspace {pinned['workspace_id']}, model {pinned['model_id']}"
    if not pinned["wrote"]:
        click.echo(f"{pinned['connection']} is pinned already: {ids}.")
        return
    click.echo(f"Wrote the ids of {pinned['connection']} into {pinned['file']}: {ids}.")
    paragraph('Apply it: `tieout config apply --why "the model is pinned"`.')


def _connections(found: Told, kind: str | None, search: str) -> None:
    for n, one in enumerate(found["connections"]):
        if n:
            click.echo()
        _connection(one, kind, search)


def _connection(one: Told, kind: str | None, search: str) -> None:
    about = ", ".join(f"{key} {value!r}" for key, value in one["about"].items())
    click.echo(f"{one['connection']}: {about or 'never seen'}")
    if one["looked_at"] is not None:
        paragraph(f"As seen {_ago(one['age_seconds'])} ({moment(one['looked_at'])}).")
    paragraph(one["trouble"])
    for change in one["changes"]:
        paragraph(f"Since the last look, {change}.")
    things = [
        t for t in one["things"]
        if kind in (None, t["kind"]) and search in t["name"].casefold()
    ]  # fmt: skip
    first = sorted(things, key=lambda t: (not t["used_by"], t["kind"], t["name"]))
    rows = [(t["kind"], t["name"], t["id"], ", ".join(t["used_by"])) for t in first]
    if rows:
        table(("kind", "name", "id", "used by"), rows[:ROWS_SHOWN_MAX])
    if len(rows) > ROWS_SHOWN_MAX:
        paragraph(f"And {counted(len(rows) - ROWS_SHOWN_MAX, 'more')}: --kind, --search or --json.")
    if kind == "orchestration" or (search and len(things) == 1):
        for thing in things:
            _told(thing)


def _told(thing: Told) -> None:
    """Columns, inputs and the rest of one thing."""
    for facet, value in thing["told"].items():
        words = value
        if isinstance(value, dict):
            words = ", ".join(f"{n}{' (' + k + ')' if k else ''}" for n, k in value.items())
        elif isinstance(value, list):
            words = ", ".join(value)
        paragraph(f"{thing['name']}, {facet}: {words}")


def _ago(seconds: int) -> str:
    """An age as a person says it."""
    if seconds < MINUTE_SECONDS:
        return "just now"
    if seconds < HOUR_SECONDS:
        return f"{counted(seconds // MINUTE_SECONDS, 'minute')} ago"
    if seconds < 2 * DAY_SECONDS:
        return f"{counted(seconds // HOUR_SECONDS, 'hour')} ago"
    return f"{counted(seconds // DAY_SECONDS, 'day')} ago"


def _drift(found: Told) -> None:
    if not found["drift"]:
        flows = counted(len(found["flows"]), "flow")
        click.echo(f"Nothing drifted: what {flows} name is as it was when they last used it.")
        return
    for one in found["drift"]:
        sign = "✗" if one["severity"] == "reject" else "!"
        click.echo(f"{sign} {one['flow']}: {one['what']}")
        paragraph(f"[{one['rule']}] {one['remedy']}")
