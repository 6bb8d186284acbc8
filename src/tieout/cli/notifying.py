"""`tieout notices`: what people were told elsewhere, what could not be sent, and a test."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import paragraph, table
from tieout.verbs.words import moment


@cli.group("notices", invoke_without_command=True)
@with_json
@click.pass_context
def notices(context: click.Context) -> None:
    """What people were told of elsewhere, and what could not be sent (exit code 4)."""
    if context.invoked_subcommand is None:
        from tieout.verbs import notifying

        own: Context = context.obj
        found = notifying.overview(own.opened(viewing=True))
        own.show(found, lambda: _listed(found))
        sys.exit(found["exit_code"])


@notices.command("test")
@click.argument("name")
@with_json
@needs
def test(context: Context, name: str) -> None:
    """Send one notice through NAME that says that it is a test.

    For a schedule with a heartbeat, its receiver is told of an event that counts nothing (/log).
    """
    from tieout.verbs import notifying

    done = notifying.test(context.opened(), name)
    context.show(done, lambda: click.echo(f"Sent a test through {name}."))


@notices.command("connect")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object from stdin.")
@with_json
@needs
def connect(context: Context, name: str, from_stdin: bool) -> None:
    """Seal the address of notice NAME, or of the heartbeat of schedule NAME.

    It then stands in no file, and nothing prints it again.
    """
    from tieout.verbs import notifying, setting_up

    if from_stdin:
        fields = setting_up.credentials_read(sys.stdin)
    else:
        fields = {"url": click.prompt("Address", hide_input=True, err=True)}
    secret = notifying.connect(context.opened(), name, fields)
    done = {"ok": True, "notice": name, "secret": secret}
    context.show(done, lambda: click.echo(f"Sealed the address of {name} as secret://{secret}."))


def _listed(found: Mapping[str, Any]) -> None:
    if not found["notices"]:
        click.echo("Nothing was told yet.")
        return
    rows = [
        (moment(one["made_at"]), one["notice"], one["event"], one["about"], one["state"])
        for one in found["notices"]
    ]  # fmt: skip
    table(("at", "notice", "event", "about", "state"), rows)
    for one in found["notices"]:
        if one["trouble"]:
            paragraph(f"{one['notice']} about {one['about']}: {one['trouble']}")
