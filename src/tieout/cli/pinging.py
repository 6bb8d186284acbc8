"""`tieout ping`: each connection rung by rung, with the text for who can mend it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import paragraph

SIGNS = {"good": "✓", "notice": "!", "trouble": "✗", "not reached": "–"}
INDENT = " " * 4
Row = Mapping[str, Any]


@cli.command()
@click.argument("name", default="")
@with_json
@needs
def ping(context: Context, name: str) -> None:
    """Test every connection, or the one called NAME, rung by rung; nothing is changed there.

    Signs in once and stops at the first rung that does not hold, with a text to send to who can
    mend it.
    """
    from tieout.verbs import pinging

    found = pinging.ping(context.opened(practice=True), name)
    context.show(found, lambda: _connections(found))
    sys.exit(found["exit_code"])


def _connections(found: Row) -> None:
    for n, one in enumerate(found["connections"]):
        if n:
            click.echo()
        click.echo(f"{one['connection']}: {one['system']} at {one['url']}")
        for rung in one["rungs"]:
            _rung(rung)
        for rung in one["rungs"]:
            if rung["state"] == "trouble":
                click.echo()
                click.echo("A text to send:")
                for line in rung["letter"].splitlines():
                    paragraph(line, INDENT) if line else click.echo()


def _rung(rung: Row) -> None:
    took = "" if rung["milliseconds"] is None else f"{rung['milliseconds']} ms"
    told = rung["what"] or "not reached"
    click.echo(f"{SIGNS[rung['state']]} {rung['rung']:12} {took:>8}  {told}")
    for one in (rung, *rung["notices"]):
        if one is not rung:
            paragraph(one["what"], INDENT)
        if one["code"]:
            who = f" Who can do it: {one['who']}." if one["who"] else ""
            paragraph(f"[{one['code']}] {one['do']}{who}", INDENT)
