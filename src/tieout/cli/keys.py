"""`tieout keys`: the keys that seal the credentials, by their names."""

from __future__ import annotations

from typing import Any

import click

from tieout.cli.commands import with_json
from tieout.cli.main import Context, cli

needs = click.pass_obj
WORDS = {
    "current": "seals since",
    "next": "comes next, since",
    "retired": "retired",
    "lost": "lost, since",
}


@cli.group()
def keys() -> None:
    """See and change the key that seals the credentials."""


@keys.command("show")
@with_json
@needs
def show(context: Context) -> None:
    """Show the keys by their names, never the keys themselves."""
    from tieout.verbs import keeping_keys

    found = keeping_keys.known(context.opened())
    context.show(found, lambda: _shown(found))


def _shown(found: dict[str, Any]) -> None:
    click.echo(f"The keys of this instance are in {found['place']}.")
    for key in found["keys"]:
        here = "" if key["here"] else "; it is not there"
        since = f"{WORDS[key['state']]} {key['since']:%Y-%m-%d %H:%M} UTC by {key['set_by']}"
        click.echo(f"{key['fingerprint']}  {since}; it opens {key['credentials']}{here}")


@keys.command("rotate")
@click.option("--prepare", is_flag=True, help="Only lay the new key beside the old one.")
@with_json
@needs
def rotate(context: Context, prepare: bool) -> None:
    """Change the key that seals.

    An interrupted change goes on where it stopped.
    """
    from tieout.verbs import keeping_keys

    done = keeping_keys.rotate(context.opened(), prepare_only=prepare)
    context.show(done, lambda: _rotated(done))


def _rotated(done: dict[str, Any]) -> None:
    if done["rotated"]:
        click.echo(
            f"The key {done['new']} seals from now on: {done['credentials']} credentials and "
            f"{done['sessions']} sessions were wrapped anew, {done['left']} stay with lost keys."
        )
    elif done["new"]:
        click.echo(
            f"The key {done['new']} lies beside the old one in {done['place']}; nothing is sealed "
            "with it yet. Bring it to every machine of this instance, then run `tieout keys "
            "rotate` again."
        )
    else:
        click.echo("The key had been changed; what was left of the change is done.")
    for path in done["retired"]:
        click.echo(f"The key before lies in {path}: it opens backups of before, and no more.")
    if done["rotated"] and not done["retired"]:
        click.echo(f"Take the old key out of {done['place']} when every process was started anew.")
